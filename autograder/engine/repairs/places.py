"""An expression, where it stands, and what can be spoken of there."""

from __future__ import annotations

import ast
import itertools
from dataclasses import dataclass, field

from .mend import Slot
from .nodes import is_named, names_bound, tail

WITH_AXES = """
    transpose permute swapaxes softmax log_softmax sum mean amax amin max min argmax argmin var std
    cat stack unsqueeze squeeze flatten size chunk split cumsum logsumexp norm any all topk sort
    flip roll select index_select gather repeat_interleave movedim unflatten narrow
"""
AXES = frozenset(WITH_AXES.split())
FILLING = ("masked_fill", "masked_fill_", "where", "full", "full_like")


@dataclass
class Scope:
    """What can be spoken of in a function: its names, and the attributes of its self."""

    parameters: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    itself: str = ""
    attributes: list[str] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)  # attributes that are called somewhere


@dataclass(frozen=True)
class Place:
    """An expression and where it stands."""

    slot: Slot
    node: ast.expr
    scope: Scope
    above: tuple[ast.AST, ...]

    @property
    def call(self) -> ast.Call | None:
        """The call that this is an argument of."""
        for node in reversed(self.above):
            if isinstance(node, ast.Call):
                return node
            if not isinstance(node, ast.keyword | ast.UnaryOp):
                return None
        return None

    @property
    def is_axis(self) -> bool:
        keyword = next((n for n in reversed(self.above[-2:]) if isinstance(n, ast.keyword)), None)
        if keyword is not None:
            return keyword.arg in ("dim", "axis", "dims", "dim0", "dim1")
        call = self.call
        if call is not None and self.slot.field == "args":
            return tail(call.func) in AXES
        return self.in_shape

    @property
    def in_shape(self) -> bool:
        """Is it the 1 of x.shape[1]?"""
        node = next((n for n in reversed(self.above) if not isinstance(n, ast.UnaryOp)), None)
        return (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Attribute)
            and node.value.attr == "shape"
        )

    @property
    def in_slice(self) -> bool:
        return self.slot.field == "slice"

    @property
    def is_mask(self) -> bool:
        """Does it say what is hidden?"""
        call = self.call
        if call is not None and tail(call.func) in FILLING[:3] and self.slot.field == "args":
            return self.node in call.args[:2]
        return isinstance(self.node, ast.Name) and "mask" in self.node.id

    @property
    def fills(self) -> bool:
        call = self.call
        return call is not None and tail(call.func) in (
            "masked_fill",
            "masked_fill_",
            "where",
            "full",
            "full_like",
        )

    @property
    def counts(self) -> bool:
        """Is it a number of things, or where they begin or end?"""
        call = self.call
        if call is not None and self.slot.field == "args":
            return tail(call.func) in ("range", "arange", "max", "min", "tril", "triu", "narrow")
        return isinstance(self.above[-1], ast.Slice | ast.Compare)

    @property
    def is_tested(self) -> bool:
        """Does it stand in a condition?"""
        joined = ast.Compare | ast.BoolOp | ast.UnaryOp
        above = itertools.dropwhile(lambda each: isinstance(each, joined), reversed(self.above))
        return isinstance(next(above, None), ast.If | ast.While) and self.slot.field != "body"

    @property
    def is_value(self) -> bool:
        """Is it what something is assigned from, given back, or calculated with?"""
        above = self.above[-1]
        if isinstance(above, ast.keyword | ast.Subscript | ast.Attribute):
            return False
        if isinstance(above, ast.Call):
            return self.slot.field == "args" and not self.is_axis
        return isinstance(above, ast.Assign | ast.Return | ast.BinOp | ast.AugAssign | ast.Tuple)


def is_self(node: ast.AST | None, scope: Scope) -> bool:
    return bool(scope.itself) and node is not None and is_named(node, scope.itself)


def scope_of(function: ast.FunctionDef, attributes: list[str], layers: list[str]) -> Scope:
    arguments = function.args
    parameters = [a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]]
    names = [name for name in names_bound(function) if name not in parameters]
    itself = parameters[0] if attributes and parameters else ""
    return Scope(parameters, names, itself, attributes, layers)


def attributes_of(definition: ast.ClassDef) -> tuple[list[str], list[str]]:
    """(all that is assigned to self in a class, those of them that look like parts to be called)"""
    found: dict[str, bool] = {}
    for node in ast.walk(definition):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.AST):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    made = isinstance(node.value, ast.Call) and tail(node.value.func)[:1].isupper()
                    found[target.attr] = found.get(target.attr, False) or made
    return list(found), [name for name, made in found.items() if made]
