"""The model answer and a learner's code side by side: what stands for which name."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from functools import cached_property

from ..exercise import Exercise
from ..mistakes import edited_source
from .mend import Slot
from .nodes import is_named, names_bound, number, tail
from .own_code import OwnCode
from .places import AXES
from .ways import Missing, Way, bare, compare

MODULES = {"torch", "F", "nn", "math", "np", "numpy"}

Binding = dict[str, ast.expr]  # what stands for a name of the model answer


class Model:
    """The model answer of an exercise, and how mistakes change it."""

    def __init__(self, exercise: Exercise):
        self.exercise = exercise
        [self.tree] = ast.parse(exercise.source).body
        self.functions = functions_of(self.tree)

    def way(self, way: str) -> Way | None:
        source = edited_source(self.exercise, (way,))
        if source is None:
            return None
        try:
            [wrong] = ast.parse(source).body
        except (SyntaxError, ValueError):
            return None
        how = Way()
        compare(self.tree, wrong, "", (), how)
        theirs = functions_of(wrong)
        for pair in how.pairs:
            pair.names = self.locals(pair.function) | {*names_bound(theirs.get(pair.function))}
        return how

    def parameters(self, function: str) -> list[str]:
        found = self.functions.get(function)
        return [] if found is None else [a.arg for a in found.args.args + found.args.kwonlyargs]

    def locals(self, function: str) -> set[str]:
        return {*names_bound(self.functions.get(function)), *self.parameters(function)}

    def unified(self, pattern: ast.AST, node: ast.AST, free: set[str]) -> Binding | None:
        """What the free names in a pattern stand for, if a node looks like it; None if it does
        not."""
        binding: Binding = {}
        return binding if self.fits(pattern, node, free, binding) else None

    def fits(self, pattern: object, node: object, free: set[str], binding: Binding) -> bool:
        if isinstance(pattern, ast.Name) and pattern.id in free:
            if not isinstance(node, ast.expr):
                return False
            known = binding.get(pattern.id)
            if known is None:
                binding[pattern.id] = node
                return True
            return bare(known) == bare(node)
        if isinstance(pattern, ast.Call) and isinstance(node, ast.Call):
            return self.call_fits(pattern, node, free, binding)
        if type(pattern) is not type(node):
            return False
        if isinstance(pattern, ast.Attribute) and is_named(pattern.value, "self"):
            key = f"self.{pattern.attr}"
            known = binding.setdefault(key, node)  # pyright: ignore[reportArgumentType]
            return bare(known) == bare(node)
        if isinstance(pattern, ast.AST):
            return all(
                self.fits(value, getattr(node, name, None), free, binding)
                for name, value in ast.iter_fields(pattern)
                if name not in ("ctx", "type_comment", "kind")
            )
        if isinstance(pattern, list):
            assert isinstance(node, list)
            return len(pattern) == len(node) and all(
                self.fits(a, b, free, binding) for a, b in zip(pattern, node)
            )
        return pattern == node

    def call_fits(
        self, pattern: ast.Call, node: ast.Call, free: set[str], binding: Binding
    ) -> bool:
        """`torch.exp(x)` is `x.exp()`, and `F.softmax(x, dim=-1)` is `x.softmax(-1)`."""
        one, other = parts_of(pattern), parts_of(node)
        if one is None or other is None:
            same = self.fits(pattern.func, node.func, free, binding)
            return (
                same
                and self.fits(pattern.args, node.args, free, binding)
                and self.fits(by_name(pattern), by_name(node), free, binding)
            )
        return one[0] == other[0] and self.fits(one[1], other[1], free, binding)

    def instance(
        self, right: ast.AST, binding: Binding, function: str, learner: Learner
    ) -> ast.AST | None:
        """The right part with the learner's names in it; None if something has none."""
        filler = Filler(self, binding, function, learner)
        new = filler.visit(copy.deepcopy(right))
        return None if filler.failed else bare_places(new)

    def namings(self, missing: Missing, learner: Learner) -> Iterator[Binding]:
        """What the names in statements that are missing may stand for."""
        used = {
            node.id
            for statement in missing.statements
            for node in ast.walk(statement)
            if isinstance(node, ast.Name)
        }
        theirs = learner.names(missing.function)
        free = sorted(
            (used & self.locals(missing.function)) - set(self.parameters(missing.function))
        )
        unknown = [name for name in free if name not in theirs]
        yield {}
        if len(unknown) == 1 or (not unknown and free):
            name = (unknown or free)[0]
            for other in theirs:
                if other != name:
                    yield {name: ast.Name(other, ast.Load())}

    def meaning(self, name: str, function: str) -> ast.expr | None:
        """What a local name of the model answer is assigned, the first time."""
        found = self.functions.get(function)
        for node in ast.walk(found) if found is not None else ():
            if isinstance(node, ast.Assign):
                [target, *_] = node.targets
                if isinstance(target, ast.Name) and target.id == name:
                    return node.value
                if isinstance(target, ast.Tuple):
                    for index, each in enumerate(target.elts):
                        if isinstance(each, ast.Name) and each.id == name:
                            if isinstance(node.value, ast.Tuple):
                                return node.value.elts[index]
                            place = index if index < 3 else index - len(target.elts)
                            return ast.Subscript(node.value, number(place), ast.Load())
        return None


class Filler(ast.NodeTransformer):
    """Puts the learner's names in the place of the model answer's."""

    def __init__(
        self, model: Model, binding: Binding, function: str, learner: Learner, depth: int = 0
    ):
        self.model, self.binding, self.function = model, binding, function
        self.learner, self.depth, self.failed = learner, depth, False

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.binding:
            bound = copy.deepcopy(self.binding[node.id])
            if isinstance(node.ctx, ast.Store) and not isinstance(bound, ast.Name):
                self.failed = True
                return node
            if hasattr(bound, "ctx"):
                bound.ctx = node.ctx  # pyright: ignore[reportAttributeAccessIssue]
            return bound
        parameters = self.model.parameters(self.function)
        if node.id in parameters:
            theirs = self.learner.parameters(self.function)
            index = parameters.index(node.id)
            if node.id in theirs:
                return node
            if index < len(theirs):
                return ast.Name(theirs[index], node.ctx)
            self.failed = True
            return node
        if node.id not in self.model.locals(self.function):
            return node
        if node.id in self.learner.names(self.function) or isinstance(node.ctx, ast.Store):
            return node
        meaning = self.model.meaning(node.id, self.function)
        if meaning is None or self.depth > 4:
            self.failed = True
            return node
        inner = Filler(self.model, self.binding, self.function, self.learner, self.depth + 1)
        new = inner.visit(copy.deepcopy(meaning))
        self.failed = self.failed or inner.failed
        return new

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        key = f"self.{node.attr}"
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            if key in self.binding:
                new = copy.deepcopy(self.binding[key])
                new.ctx = node.ctx  # pyright: ignore[reportAttributeAccessIssue]
                return new
            theirs = self.learner.attribute(node.attr, self.model)
            if theirs is not None:
                return ast.Attribute(ast.Name("self", ast.Load()), theirs, node.ctx)
        return self.generic_visit(node)


class Learner:
    """A learner's code, seen beside the model answer."""

    def __init__(self, code: OwnCode, exercise: Exercise):
        self.code, self.exercise = code, exercise
        named = (each for each in code.tree.body if getattr(each, "name", None) == code.name)
        [self.definition] = named
        self.functions = functions_of(self.definition)

    def function(self, name: str) -> ast.FunctionDef | None:
        return self.functions.get(name)

    def parameters(self, function: str) -> list[str]:
        found = self.function(function)
        return [] if found is None else [a.arg for a in found.args.args + found.args.kwonlyargs]

    def names(self, function: str) -> list[str]:
        found = self.function(function)
        return list(dict.fromkeys([*self.parameters(function), *names_bound(found)]))

    @cached_property
    def everything(self) -> list[tuple[Slot, ast.AST]]:
        """All nodes of the code, and where each is."""
        found: list[tuple[Slot, ast.AST]] = []
        for parent in ast.walk(self.code.tree):
            for name, value in ast.iter_fields(parent):
                if name in ("annotation", "returns", "decorator_list"):
                    continue
                if isinstance(value, ast.AST):
                    found.append((Slot(parent, name), value))
                elif isinstance(value, list):
                    found += [
                        (Slot(parent, name, n), each)
                        for n, each in enumerate(value)
                        if isinstance(each, ast.AST)
                    ]
        return found

    def nodes(self, kind: type) -> Iterator[tuple[Slot, ast.expr | ast.stmt]]:
        """The nodes of a type that have a line."""
        for slot, node in self.everything:
            is_read = not isinstance(getattr(node, "ctx", None), ast.Store)
            if isinstance(node, kind) and isinstance(node, ast.expr | ast.stmt) and is_read:
                yield slot, node

    def attribute(self, name: str, model: Model) -> str | None:
        """What the learner calls an attribute of the model answer: the same, or else what is made
        of the same parameter."""
        mine = assigned_to_self(self.function("__init__"))
        if name in mine:
            return name
        theirs = assigned_to_self(model.functions.get("__init__"))
        value = theirs.get(name)
        if isinstance(value, ast.Name):
            parameters = model.parameters("__init__")
            if value.id in parameters:
                index = parameters.index(value.id)
                here = self.parameters("__init__")
                wanted = value.id if value.id in here else here[index] if index < len(here) else ""
                for attribute, made_of in mine.items():
                    if isinstance(made_of, ast.Name) and made_of.id == wanted:
                        return attribute
        return None


def functions_of(tree: ast.AST) -> dict[str, ast.FunctionDef]:
    """{name: function} of a class, or of a function alone."""
    if isinstance(tree, ast.FunctionDef):
        return {tree.name: tree}
    return {e.name: e for e in getattr(tree, "body", []) if isinstance(e, ast.FunctionDef)}


def assigned_to_self(function: ast.FunctionDef | None) -> dict[str, ast.expr]:
    found = {}
    for node in ast.walk(function) if function is not None else ():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    found[target.attr] = node.value
    return found


def bare_places(new: ast.AST) -> ast.AST:
    """The tree without the lines that its parts came from."""
    for node in ast.walk(new):
        for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
            if hasattr(node, name):
                with_place = vars(node)
                with_place.pop(name, None)
    return new


def parts_of(call: ast.Call) -> tuple[str, list[ast.expr]] | None:
    """What is called, and all that goes in, in order; None if it is no function of arrays."""
    if not isinstance(call.func, ast.Attribute | ast.Name):
        return None
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if isinstance(receiver, ast.Name) and receiver.id == "self":
        return None
    arguments = list(call.args)
    if receiver is not None and not is_module(receiver):
        arguments.insert(0, receiver)
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    if None in named or tail(call.func) not in AXES:
        if call.keywords:
            return None
        return tail(call.func), arguments
    for name in ("dim", "axis", "dim0", "dim1", "correction", "unbiased", "keepdim"):
        if name in named:
            arguments.append(named.pop(name))
    return None if named else (tail(call.func), arguments)


def is_module(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in MODULES


def by_name(call: ast.Call) -> list[ast.keyword]:
    return sorted(call.keywords, key=lambda keyword: keyword.arg or "")
