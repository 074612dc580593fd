"""The changes that mend what everybody gets wrong now and then: one number, name, operator,
argument or call, a line too many, two lines in the wrong order; the same in several places."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from .mend import Mend, Slot, as_one
from .own_code import OwnCode

# What is mixed up with each other: functions and methods, whoever they belong to.
RELATED = tuple(
    frozenset(group.split())
    for group in (
        "mean sum prod",
        "amax amin max min",
        "maximum minimum max min",
        "var std",
        "sin cos",
        "exp log log1p expm1 exp2",
        "triu tril",
        "zeros ones empty",
        "zeros_like ones_like",
        "argmax argmin",
        "any all",
        "relu gelu silu tanh sigmoid",
        "ReLU GELU SiLU Tanh Sigmoid",
        "view reshape",
        "softmax log_softmax sigmoid softplus",
        "repeat repeat_interleave tile",
        "eval train",
        "append extend insert",
        "floor ceil round",
        "sqrt square rsqrt isqrt log exp",
        "cumsum cumprod",
        "transpose permute",
        "xavier_uniform_ xavier_normal_ kaiming_uniform_ kaiming_normal_ uniform_ normal_",
        "zeros_ ones_",
        "logical_and logical_or logical_xor",
        "add sub mul div",
        "cat stack",
        "eq ne",
        "lt le gt ge",
    )
)
WITH_AXES = """
    transpose permute swapaxes softmax log_softmax sum mean amax amin max min argmax argmin var std
    cat stack unsqueeze squeeze flatten size chunk split cumsum logsumexp norm any all topk sort
    flip roll select index_select gather repeat_interleave movedim unflatten narrow
"""
AXES = frozenset(WITH_AXES.split())
Node = TypeVar("Node", bound=ast.AST)
BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div)
WHOLE = (ast.FloorDiv, ast.Mod, ast.Div, ast.Mult)
BITS = (ast.BitAnd, ast.BitOr, ast.BitXor)
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
OPPOSITE = {
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
MOST = 40_000
MOST_NAMES = 14
MOST_ARGUMENTS = 12
FILLING = ("masked_fill", "masked_fill_", "where", "full", "full_like")


@dataclass
class Scope:
    """What can be spoken of in a function: its names, and the attributes of its self."""

    parameters: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    itself: str = ""
    attributes: list[str] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)  # attributes that are called somewhere


def everyday(code: OwnCode) -> list[Mend]:
    """All of them, the likeliest first. (There are 40,000 at the most, of which few are tried.)"""
    found = list(itertools.islice(Walk(code.tree).mends(), MOST))
    found += together(found)
    ranked = sorted(enumerate(found), key=lambda each: (rank(each[1]), each[0]))
    return [mend for _, mend in ranked]


# How likely something is what went wrong, and how few of its kind there are to try.
RANKS = (
    ("axis", "mask", "operator", "comparison", "step too many"),
    ("number", "call", "order", "part too many", "missing argument", "condition", "block too many"),
    ("argument", "name", "attribute", "size", "value", "shape", "missing step"),
    ("missing part",),
)


def rank(mend: Mend) -> int:
    place = next(n for n, kinds in enumerate(RANKS) if mend.kind in kinds)
    return 2 * place + (len(mend.changes) > 1)


def together(found: Iterable[Mend]) -> Iterator[Mend]:
    """The same change wherever it can be made, as one."""
    groups: dict[tuple[str, str], list[Mend]] = {}
    for mend in found:
        if len(mend.changes) == 1 and isinstance(mend.changes[0][1], ast.expr):
            [(slot, new)] = mend.changes
            old, text = ast.dump(slot.get()), ast.dump(new)
            if isinstance(slot.get(), ast.Constant | ast.Name | ast.Attribute):
                # The same for the same; or the same around each, whatever it is.
                is_around = text != old and old in text
                how = text.replace(old, "…") if is_around else f"{old} {text}"
                groups.setdefault((mend.kind, how), []).append(mend)
    for same in groups.values():
        if 1 < len(same) <= 6:
            yield as_one(same)


class Walk:
    """Goes through a tree and finds what could be changed where."""

    def __init__(self, tree: ast.Module):
        self.tree = tree
        self.constants = self.numbers_in(tree)

    @staticmethod
    def numbers_in(tree: ast.AST) -> list[int | float]:
        values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        return list(dict.fromkeys(numbers))

    def mends(self) -> Iterator[Mend]:
        for definition in self.tree.body:
            if isinstance(definition, ast.ClassDef):
                attributes, layers = attributes_of(definition)
                for each in definition.body:
                    if isinstance(each, ast.FunctionDef):
                        yield from self.in_function(each, attributes, layers)
            elif isinstance(definition, ast.FunctionDef):
                yield from self.in_function(definition, [], [])

    def in_function(
        self, function: ast.FunctionDef, attributes: list[str], layers: list[str]
    ) -> Iterator[Mend]:
        scope = scope_of(function, attributes, layers)
        for index, default in enumerate(function.args.defaults):
            slot = Slot(function.args, "defaults", index)
            yield from self.of_expression(slot, default, scope, (function,))
        yield from self.in_block(function, "body", scope)

    # --- Statements -------------------------------------------------------------------------------

    def in_block(self, parent: ast.AST, name: str, scope: Scope) -> Iterator[Mend]:
        """A block of statements, and what is in them."""
        block = getattr(parent, name)
        for index, statement in enumerate(block):
            if is_no_code(statement):
                continue
            yield from self.of_statement(parent, name, index, scope)
            for field_name, value in ast.iter_fields(statement):
                if field_name in ("body", "orelse", "finalbody") and isinstance(value, list):
                    yield from self.in_block(statement, field_name, scope)
                elif field_name not in ("annotation", "decorator_list", "args", "returns"):
                    yield from self.in_field(statement, field_name, value, scope, (statement,))

    def of_statement(self, parent: ast.AST, name: str, index: int, scope: Scope) -> Iterator[Mend]:
        block, line = getattr(parent, name), getattr(parent, name)[index].lineno
        slot, statement = Slot(parent, name), block[index]
        rest = [*block[:index], *block[index + 1 :]]
        if not isinstance(statement, ast.Return | ast.FunctionDef):
            kept = rest or [at(ast.Pass(), statement)]
            is_block = isinstance(statement, ast.If | ast.For | ast.While | ast.With)
            kind = "block too many" if is_block else "step too many"
            yield Mend((line,), kind, ((slot, kept),))
        if isinstance(statement, ast.If | ast.For | ast.While):
            bare = [*block[:index], *statement.body, *block[index + 1 :]]
            yield Mend((line,), "condition", ((slot, bare),))
        if isinstance(statement, ast.If):
            yield from other_tests(statement)
        if index + 1 < len(block) and not is_no_code(block[index + 1]):
            swapped = [*block[:index], block[index + 1], statement, *block[index + 2 :]]
            yield Mend((line,), "order", ((slot, swapped),))
        if isinstance(statement, ast.AugAssign):
            yield from self.not_in_place(slot, block, index, statement)
        if isinstance(statement, ast.For | ast.While | ast.If | ast.With):
            yield from moved_over_the_end(slot, block, index, statement)

    def not_in_place(
        self, slot: Slot, block: list[ast.stmt], index: int, statement: ast.AugAssign
    ) -> Iterator[Mend]:
        """`x += y` as `x = x + y`, which leaves to others what they have."""
        if not isinstance(statement.target, ast.Name):
            return
        read = ast.Name(statement.target.id, ast.Load())
        value = ast.BinOp(read, statement.op, statement.value)
        new = at(ast.Assign([ast.Name(statement.target.id, ast.Store())], value), statement)
        yield Mend(
            (statement.lineno,), "operator", ((slot, [*block[:index], new, *block[index + 1 :]]),)
        )

    # --- Expressions ------------------------------------------------------------------------------

    def in_field(
        self, parent: ast.AST, name: str, value: object, scope: Scope, above: tuple[ast.AST, ...]
    ) -> Iterator[Mend]:
        if isinstance(value, list):
            for index, each in enumerate(value):
                if isinstance(each, ast.expr):
                    yield from self.of_expression(Slot(parent, name, index), each, scope, above)
                elif isinstance(each, ast.AST) and not isinstance(each, ast.stmt):
                    yield from self.in_node(each, scope, above)
        elif isinstance(value, ast.expr):
            yield from self.of_expression(Slot(parent, name), value, scope, above)
        elif isinstance(value, ast.AST) and not isinstance(value, ast.stmt):
            yield from self.in_node(value, scope, above)

    def in_node(self, node: ast.AST, scope: Scope, above: tuple[ast.AST, ...]) -> Iterator[Mend]:
        for name, value in ast.iter_fields(node):
            yield from self.in_field(node, name, value, scope, (*above, node))

    def of_expression(
        self, slot: Slot, node: ast.expr, scope: Scope, above: tuple[ast.AST, ...]
    ) -> Iterator[Mend]:
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            if isinstance(node, ast.Tuple | ast.List):
                yield from swapped_pairs(node, node.elts, "elts", "order")
            elif isinstance(node, ast.Subscript | ast.Attribute):
                yield from self.in_node(node, scope, above)
            return
        about = Place(slot, node, scope, above)
        for kind, new in self.instead(about):
            yield Mend((node.lineno,), kind, ((slot, at(new, node)),))
        if isinstance(node, ast.Call):
            yield from swapped_pairs(node, node.args, "args", "argument")
        if isinstance(node, ast.Tuple) and not about.in_slice:
            yield from swapped_pairs(node, node.elts, "elts", "order")
        yield from self.in_node(node, scope, above)

    def instead(self, about: Place) -> Iterator[tuple[str, ast.expr]]:
        """What could stand in the place of an expression, and of what kind that is."""
        node = about.node
        if isinstance(node, ast.Constant):
            yield from self.other_constants(about)
        elif isinstance(node, ast.Name):
            yield from other_names(about)
        elif isinstance(node, ast.Attribute):
            yield from other_attributes(about)
        elif isinstance(node, ast.BinOp):
            yield from other_operations(node)
        elif isinstance(node, ast.UnaryOp):
            yield "mask" if about.is_mask else "operator", node.operand
        elif isinstance(node, ast.Compare):
            yield from other_comparisons(node)
        elif isinstance(node, ast.BoolOp):
            yield from other_conditions(node)
        elif isinstance(node, ast.IfExp):
            yield "condition", node.body
            yield "condition", node.orelse
            yield "condition", ast.IfExp(node.test, node.orelse, node.body)
        elif isinstance(node, ast.Call):
            yield from other_calls(about)
        elif isinstance(node, ast.Slice):
            yield from other_slices(node)
        elif isinstance(node, ast.Subscript):
            yield "part too many", node.value
        if about.is_mask and not isinstance(node, ast.Constant | ast.Slice):
            yield "mask", ast.UnaryOp(ast.Invert(), node)
        if about.is_value and not isinstance(node, ast.Constant | ast.Slice | ast.Starred):
            yield from wrapped(about)
        if isinstance(about.above[-1], ast.Return):
            yield from given_back(about)
        if isinstance(about.above[-1], ast.Assign) and isinstance(node, ast.BinOp | ast.Call):
            for name in about.scope.parameters:
                if name != about.scope.itself:
                    yield "value", name_of(name)
        if about.counts and isinstance(node, ast.BinOp | ast.Name):
            yield "number", ast.BinOp(node, ast.Add(), number(1))
            yield "number", ast.BinOp(node, ast.Sub(), number(1))

    def other_constants(self, about: Place) -> Iterator[tuple[str, ast.expr]]:
        value = about.node.value  # pyright: ignore[reportAttributeAccessIssue]
        kind = "axis" if about.is_axis else "mask" if about.is_mask else "number"
        if isinstance(value, bool):
            yield "argument", ast.Constant(not value)
        elif value is None:
            for name in about.scope.parameters:
                yield "mask" if "mask" in name else "argument", name_of(name)
        elif isinstance(value, int):
            near = [-1, -2, 0, 1, 2, 3, -3, value + 1, value - 1, 2 * value]
            near += [n for n in self.constants if isinstance(n, int)]
            for other in dict.fromkeys(near):
                if other != value:
                    yield kind, number(other)
            if not about.is_axis or value > 3:
                yield from sizes(about)
        elif isinstance(value, float):
            near = [
                10 * value,
                value / 10,
                -value,
                0.0,
                1.0,
                0.5,
                2.0,
                value * value,
                value**0.5 if value > 0 else 1.0,
            ]
            near += [1 / value] if value else []
            near += [n for n in self.constants if isinstance(n, float)]
            near += [1e-5, 1e-6, 10000.0, 1e-9]
            for other in dict.fromkeys(near):
                if other != value:
                    yield kind, number(other)
            yield from sizes(about)
        if type(value) in (int, float) and about.fills:
            yield "mask", infinity()


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


def other_names(about: Place) -> Iterator[tuple[str, ast.expr]]:
    name, scope = about.node.id, about.scope  # pyright: ignore[reportAttributeAccessIssue]
    if name not in scope.names and name not in scope.parameters:
        for other in related(name):
            yield "call", name_of(other)
        return
    if name == scope.itself:
        return
    others = [*scope.parameters, *scope.names]
    for other in list(dict.fromkeys(others))[:MOST_NAMES]:
        if other not in (name, scope.itself):
            kind = "mask" if "mask" in name + other else "name"
            yield "condition" if about.is_tested else kind, name_of(other)
    if about.is_value:
        yield from sizes(about) if about.call and tail(about.call.func) in ("sqrt",) else ()


def other_attributes(about: Place) -> Iterator[tuple[str, ast.expr]]:
    node, scope = about.node, about.scope
    assert isinstance(node, ast.Attribute)
    if isinstance(node.value, ast.Name) and node.value.id == scope.itself:
        for other in scope.attributes[: 2 * MOST_NAMES]:
            if other != node.attr:
                another = ast.Attribute(node.value, other, ast.Load())
                yield "attribute", another
                if not {other, node.attr} & set(scope.layers):
                    yield "size", ast.BinOp(node, ast.FloorDiv(), another)
        return
    for other in related(node.attr):
        yield "call", ast.Attribute(node.value, other, ast.Load())
    if node.attr in ("data", "T", "mT"):
        yield "part too many", node.value


def other_operations(node: ast.BinOp) -> Iterator[tuple[str, ast.expr]]:
    family = BITS if isinstance(node.op, BITS) else BINARY + WHOLE[:2] + (ast.Pow,)
    if isinstance(node.op, ast.MatMult):
        family = (ast.Mult,)
    for other in dict.fromkeys(family):
        if not isinstance(node.op, other):
            yield "operator", ast.BinOp(node.left, other(), node.right)
    yield "order", ast.BinOp(node.right, node.op, node.left)
    yield "part too many", node.left
    yield "part too many", node.right


def other_comparisons(node: ast.Compare) -> Iterator[tuple[str, ast.expr]]:
    if len(node.ops) != 1:
        return
    [op] = node.ops
    if type(op) in OPPOSITE:
        yield "comparison", ast.Compare(node.left, [OPPOSITE[type(op)]()], node.comparators)
        return
    for other in COMPARISONS:
        if not isinstance(op, other):
            yield "comparison", ast.Compare(node.left, [other()], node.comparators)


def other_conditions(node: ast.BoolOp) -> Iterator[tuple[str, ast.expr]]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield "condition", ast.BoolOp(other, node.values)
    for index in range(len(node.values)):
        rest = [*node.values[:index], *node.values[index + 1 :]]
        yield "condition", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def other_calls(about: Place) -> Iterator[tuple[str, ast.expr]]:
    node, scope = about.node, about.scope
    assert isinstance(node, ast.Call)
    if isinstance(node.func, ast.Attribute) and not is_self(node.func.value, scope):
        yield "part too many", node.func.value  # x.f(…) is x
    for argument in node.args[:2]:
        if not isinstance(argument, ast.Starred):
            yield "part too many", argument  # f(x, …) is x
    for index in range(1, len(node.args)):
        fewer = [*node.args[:index], *node.args[index + 1 :]]
        yield "argument", ast.Call(node.func, fewer, node.keywords)
    for index, keyword in enumerate(node.keywords):
        fewer = [*node.keywords[:index], *node.keywords[index + 1 :]]
        yield "argument", ast.Call(node.func, node.args, fewer)
        if isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool):
            continue  # is met as a constant
    yield from more_arguments(node, scope)
    yield from reshaped(node)


def more_arguments(node: ast.Call, scope: Scope) -> Iterator[tuple[str, ast.expr]]:
    """The call with one argument more."""
    name, given = tail(node.func), {keyword.arg for keyword in node.keywords}
    wanted: list[tuple[str, ast.expr]] = []
    if name in (
        "logsumexp",
        "sum",
        "mean",
        "amax",
        "amin",
        "max",
        "min",
        "var",
        "std",
        "any",
        "all",
        "argmax",
    ):
        wanted.append(("keepdim", ast.Constant(True)))
        wanted += [("dim", number(-1)), ("dim", number(1)), ("dim", number(0))]
        wanted += [("dim", name_of(each)) for each in scope.parameters if each in ("dim", "axis")]
    if name in ("var", "std"):
        wanted.append(("unbiased", ast.Constant(False)))
    if name == "Linear":
        wanted.append(("bias", ast.Constant(False)))
    for keyword, value in wanted:
        if keyword not in given:
            more = [*node.keywords, ast.keyword(keyword, value)]
            yield "missing argument", ast.Call(node.func, node.args, more)
    if isinstance(node.func, ast.Name) or is_self(getattr(node.func, "value", None), scope):
        names = dict.fromkeys([*scope.parameters, *scope.names])
        for each in names:
            if each != scope.itself and not any(is_named(a, each) for a in node.args):
                kind = "mask" if "mask" in each else "missing argument"
                yield kind, ast.Call(node.func, [*node.args, name_of(each)], node.keywords)


def other_slices(node: ast.Slice) -> Iterator[tuple[str, ast.expr]]:
    if node.lower is not None:
        yield "size", ast.Slice(None, node.upper, node.step)
    if node.upper is not None:
        yield "size", ast.Slice(node.lower, None, node.step)
    if node.step is not None:
        yield "size", ast.Slice(node.lower, node.upper, None)
    if node.lower is None:
        yield "size", ast.Slice(number(1), node.upper, node.step)
    if node.upper is None:
        yield "size", ast.Slice(node.lower, number(-1), node.step)
    if node.lower is not None and node.upper is None:
        yield "size", ast.Slice(None, node.lower, node.step)
        yield "size", ast.Slice(None, ast.UnaryOp(ast.USub(), node.lower), node.step)
    if node.upper is not None and node.lower is None:
        yield "size", ast.Slice(node.upper, None, node.step)
        yield "size", ast.Slice(ast.UnaryOp(ast.USub(), node.upper), None, node.step)
    if isinstance(node.upper, ast.expr):
        for way in (ast.Add(), ast.Sub()):
            yield "size", ast.Slice(node.lower, ast.BinOp(node.upper, way, number(1)), node.step)


def wrapped(about: Place) -> Iterator[tuple[str, ast.expr]]:
    """The expression as what goes into one of the parts that there are."""
    node, scope = about.node, about.scope
    for layer in scope.layers:
        called = ast.Attribute(name_of(scope.itself), layer, ast.Load())
        if not (isinstance(node, ast.Call) and ast.dump(node.func) == ast.dump(called)):
            yield "missing part", ast.Call(called, [node], [])
    for name in ("detach", "clone"):
        yield "missing part", ast.Call(ast.Attribute(node, name, ast.Load()), [], [])
    half = ast.Constant(0.5)
    yield "missing part", ast.BinOp(node, ast.Pow(), half)
    for first, second in ((1, 2), (-1, -2)):
        moved = ast.Attribute(node, "transpose", ast.Load())
        yield "missing part", ast.Call(moved, [number(first), number(second)], [])


def given_back(about: Place) -> Iterator[tuple[str, ast.expr]]:
    """What is easily forgotten at the end: to turn it round, to turn it into what is asked for, and
    to give back all of it."""
    node, scope = about.node, about.scope
    yield "value", ast.UnaryOp(ast.Invert(), node)
    yield "value", ast.UnaryOp(ast.USub(), node)
    for name in ("bool", "float", "long", "exp", "log", "sqrt", "item"):
        yield "value", ast.Call(ast.Attribute(node, name, ast.Load()), [], [])
    for axis in (0, 1, 2, -1):
        for name in ("unsqueeze", "squeeze"):
            yield "shape", ast.Call(ast.Attribute(node, name, ast.Load()), [number(axis)], [])
    for name in scope.names:
        if not is_named(node, name) and not isinstance(node, ast.Tuple):
            yield "value", ast.Tuple([node, name_of(name)], ast.Load())
    if isinstance(node, ast.Tuple):
        yield from (("value", each) for each in node.elts)


def reshaped(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """The numbers counted out in another order: two sizes exchanged, and the two dimensions after
    that; or two dimensions before it. And what is put behind each other, put in turns."""
    name = tail(node.func)
    if name in ("reshape", "view") and isinstance(node.func, ast.Attribute):
        for i, j in itertools.combinations(range(len(node.args[:MOST_ARGUMENTS])), 2):
            changed = list(node.args)
            changed[i], changed[j] = node.args[j], node.args[i]
            counted = ast.Call(node.func, changed, node.keywords)
            moved = ast.Attribute(counted, "transpose", ast.Load())
            yield "shape", ast.Call(moved, [number(i), number(j)], [])
        whole = ast.Attribute(node.func.value, "transpose", ast.Load())
        for first, second in ((1, 2), (-1, -2)):
            turned = ast.Call(whole, [number(first), number(second)], [])
            back = ast.Attribute(turned, "reshape", ast.Load())
            yield "shape", ast.Call(back, node.args, node.keywords)
    if name in ("cat", "concat", "concatenate") and node.args:
        func = ast.Attribute(name_of("torch"), "stack", ast.Load())
        in_turns = ast.Call(func, [node.args[0]], [ast.keyword("dim", number(-1))])
        flat = ast.Attribute(in_turns, "flatten", ast.Load())
        yield "shape", ast.Call(flat, [number(-2)], [])


def sizes(about: Place) -> Iterator[tuple[str, ast.expr]]:
    """What says how large something is: whole numbers that were handed over, and sizes."""
    scope = about.scope
    for attribute in scope.attributes[:MOST_NAMES]:
        if attribute not in scope.layers:
            yield "size", ast.Attribute(name_of(scope.itself), attribute, ast.Load())
    for name in [*scope.parameters, *scope.names][:MOST_NAMES]:
        if name != scope.itself:
            yield "size", name_of(name)
    for name in scope.parameters[:4]:
        if name != scope.itself:
            for axis in (-1, 0, 1, -2):
                shape = ast.Attribute(name_of(name), "shape", ast.Load())
                yield "size", ast.Subscript(shape, number(axis), ast.Load())


def swapped_pairs(node: ast.AST, held: list[ast.expr], name: str, kind: str) -> Iterator[Mend]:
    """Two things of a list exchanged."""
    for i, j in itertools.combinations(range(min(len(held), 5)), 2):
        if ast.dump(held[i]) != ast.dump(held[j]):
            changed = list(held)
            changed[i], changed[j] = held[j], held[i]
            is_mask = any("mask" in ast.dump(each) for each in (held[i], held[j]))
            yield Mend((node.lineno,), "mask" if is_mask else kind, ((Slot(node, name), changed),))  # pyright: ignore[reportAttributeAccessIssue]


def other_tests(statement: ast.If) -> Iterator[Mend]:
    """The condition turned round, or always the one or the other."""
    test = statement.test
    for new in (ast.UnaryOp(ast.Not(), test), ast.Constant(True), ast.Constant(False)):
        yield Mend((statement.lineno,), "condition", ((Slot(statement, "test"), at(new, test)),))


def moved_over_the_end(
    slot: Slot, block: list[ast.stmt], index: int, outer: ast.For | ast.While | ast.If | ast.With
) -> Iterator[Mend]:
    """The last line of an inner block moved out of it, and the line below it moved in."""
    body, inner = outer.body, Slot(outer, "body")
    if len(body) > 1:
        moved = [*block[: index + 1], body[-1], *block[index + 1 :]]
        yield Mend((body[-1].lineno,), "order", ((slot, moved), (inner, body[:-1])))
    if index + 1 < len(block):
        after = block[index + 1]
        rest = [*block[: index + 1], *block[index + 2 :]]
        yield Mend((after.lineno,), "order", ((slot, rest), (inner, [*body, after])))


# --- Small things ---------------------------------------------------------------------------------


def at(new: Node, old: ast.AST) -> Node:
    """A new node that stands where an old one did; one that is there already keeps its place."""
    if hasattr(new, "lineno"):
        return new
    return ast.fix_missing_locations(ast.copy_location(new, old))


def name_of(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def number(value: int | float) -> ast.expr:
    if value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def infinity() -> ast.expr:
    """-inf"""
    return ast.UnaryOp(ast.USub(), ast.Call(name_of("float"), [ast.Constant("inf")], []))


def tail(func: ast.expr) -> str:
    """The last part of what is called: `softmax` of `F.softmax`."""
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def related(name: str) -> list[str]:
    return sorted({other for group in RELATED if name in group for other in group} - {name})


def is_named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def is_self(node: ast.AST | None, scope: Scope) -> bool:
    return bool(scope.itself) and node is not None and is_named(node, scope.itself)


def is_no_code(statement: ast.stmt) -> bool:
    """A docstring, an import, or what only complains."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return True
    return isinstance(statement, ast.Raise | ast.Assert | ast.Import | ast.ImportFrom | ast.Pass)


def scope_of(function: ast.FunctionDef, attributes: list[str], layers: list[str]) -> Scope:
    arguments = function.args
    parameters = [a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]]
    names = [name for name in names_bound(function) if name not in parameters]
    itself = parameters[0] if attributes and parameters else ""
    return Scope(parameters, names, itself, attributes, layers)


def names_bound(function: ast.FunctionDef | None) -> list[str]:
    """The names that a function assigns to, in their order."""
    nodes = ast.walk(function) if function is not None else ()
    names = [n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return list(dict.fromkeys(node.id for node in names))


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
