"""The changes that mend what everybody gets wrong now and then: one number, name, operator,
argument or call, a line too many, two lines in the wrong order; the same in several places."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator

from .instead import (
    given_back,
    other_attributes,
    other_calls,
    other_comparisons,
    other_conditions,
    other_names,
    other_operations,
    other_slices,
    sizes,
    wrapped,
)
from .mend import Mend, Slot, as_one
from .nodes import at, infinity, is_no_code, name_of, number
from .own_code import OwnCode
from .places import Place, Scope, attributes_of, scope_of

MOST = 40_000


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
