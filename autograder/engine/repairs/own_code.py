"""The definitions that an answer consists of, as a syntax tree whose lines are the learner's."""

from __future__ import annotations

import ast
import itertools
import linecache
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from ..course import current
from ..learner_lines import Line, code_objects, place

Definition = ast.FunctionDef | ast.ClassDef
# A source may be anything, and looking through it must come to an end. The largest answer that we
# know has 1,458 nodes.
MOST_NODES, MOST_IN_A_ROW = 3000, 100
SLOW = ("compile", "jit", "script")  # decorators that would work anew on every change


@dataclass
class OwnCode:
    """A learner's definition, with those beside it that it calls.

    Args:
        name: of the answer.
        text: the whole cell or file.
        tree: the definitions alone, in their order.
        place: what a learner calls the cell or file.
    """

    name: str
    text: str
    tree: ast.Module
    place: str
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = self.text.splitlines()

    def line(self, number: int) -> Line | None:
        if 0 < number <= len(self.lines):
            return Line(number, self.lines[number - 1].strip(), self.place)
        return None

    def built(self, namespace: dict[str, Any]) -> Any:
        """What the tree, as it is now, defines under the answer's name, where these names are
        known."""
        names = dict(namespace)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the compiler's, about what looks odd
            code = compile(self.tree, "<a change of your code>", "exec", dont_inherit=True)
        exec(code, names)
        return names[self.name]


def own_code_of(implementation: object, name: str) -> OwnCode | None:
    """The code of something that was defined in a cell or file; None if it cannot be had."""
    codes = code_objects(implementation)
    if not codes:
        return None
    first = first_of(codes)
    text = "".join(linecache.getlines(first.co_filename))
    return own_code(text, name, place(first.co_filename), first.co_firstlineno)


def first_of(codes: list[CodeType]) -> CodeType:
    return min(codes, key=lambda code: code.co_firstlineno)


def own_code(
    text: str, name: str, where: str = "your cell", line: int | None = None
) -> OwnCode | None:
    """What a cell or file defines under a name; None if it does not.

    Args:
        line: one that belongs to the definition, for it may not be the only one of this name.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    there = {each.name: each for each in whole.body if isinstance(each, Definition)}
    named = [e for e in whole.body if isinstance(e, Definition) and e.name == name]
    meant = [each for each in named if line is None or line in lines_of(each)]
    if not meant:
        return None
    there[name] = meant[-1]
    wanted = reached(there, name)
    for each in wanted:
        each.decorator_list = [d for d in each.decorator_list if not is_slow(d)]
    tree = ast.Module([*wanted], [])
    return OwnCode(name, text, tree, where) if is_of_a_size(tree) else None


def is_of_a_size(tree: ast.AST) -> bool:
    """Can it be looked through?"""
    nodes = list(itertools.islice(ast.walk(tree), MOST_NODES + 1))
    held = [value for node in nodes for _, value in ast.iter_fields(node)]
    rows = (len(value) for value in held if isinstance(value, list))
    return len(nodes) <= MOST_NODES and max(rows, default=0) <= MOST_IN_A_ROW


def lines_of(definition: Definition) -> range:
    starts = [definition, *definition.decorator_list]
    return range(min(each.lineno for each in starts), (definition.end_lineno or 0) + 1)


def reached(there: dict[str, Definition], name: str) -> list[Definition]:
    """The definition of a name, and those that it calls; other exercises are judged for
    themselves."""
    others = current().lesson_of.keys() - {name}
    found, left = {name}, [name]
    while left:
        for used in names_in(there[left.pop()]):
            if used in there and used not in found and used not in others:
                found.add(used)
                left.append(used)
    return [each for each in there.values() if each.name in found]


def names_in(tree: ast.AST) -> Iterator[str]:
    return (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def is_slow(decorator: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in SLOW for node in ast.walk(decorator)
    )
