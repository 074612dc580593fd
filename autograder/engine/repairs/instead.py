"""What could stand in the place of an expression, and of what kind that mistake is."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from .nodes import is_named, name_of, number, tail
from .places import Place, Scope, is_self

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
MOST_NAMES = 14
MOST_ARGUMENTS = 12


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


def related(name: str) -> list[str]:
    return sorted({other for group in RELATED if name in group for other in group} - {name})
