"""How a mistake differs from the model answer: the two are compared as trees."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from .nodes import tail
from .places import AXES


@dataclass
class Pair:
    """A part of the model answer, and what a mistake makes of it, with what they are parts of."""

    right: ast.AST
    wrong: ast.AST
    function: str  # in which it is
    outer: tuple[tuple[ast.AST, ast.AST], ...] = ()  # from the inside to the outside
    names: set[str] = field(default_factory=set)  # that mean something only in this function


@dataclass
class Missing:
    """Statements of the model answer that a mistake leaves out."""

    statements: list[ast.stmt]
    function: str


@dataclass
class Extra:
    """A statement that a mistake puts in."""

    statement: ast.stmt
    function: str


@dataclass
class Way:
    """How a mistake differs from the model answer."""

    pairs: list[Pair] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    extra: list[Extra] = field(default_factory=list)


def compare(
    right: ast.AST,
    wrong: ast.AST,
    function: str,
    outer: tuple[tuple[ast.AST, ast.AST], ...],
    how: Way,
) -> None:
    """Note in `how` the smallest parts in which two trees differ."""
    if does_nothing(wrong) and isinstance(right, ast.stmt):
        how.missing.append(Missing([right], function))
        return
    if type(right) is not type(wrong) or is_another_call(right, wrong):
        how.pairs.append(Pair(right, wrong, function, outer))
        return
    if isinstance(right, ast.FunctionDef):
        function = right.name
    if isinstance(right, ast.stmt):
        outer = ()
    outer = ((right, wrong), *outer)
    for name, value in ast.iter_fields(right):
        other = getattr(wrong, name, None)
        if bare(value) == bare(other):
            continue
        if isinstance(value, list) and isinstance(other, list):
            if any(isinstance(each, ast.stmt) for each in [*value, *other]):
                compare_blocks(value, other, function, how)
                continue
            if len(value) == len(other) and all(isinstance(v, ast.AST) for v in value):
                for a, b in zip(value, other):
                    if bare(a) != bare(b):
                        compare(a, b, function, outer, how)
                continue
        if isinstance(value, ast.expr) and isinstance(other, ast.expr):
            compare(value, other, function, outer, how)
            continue
        how.pairs.append(Pair(right, wrong, function, outer[1:]))
        return


def is_another_call(right: ast.AST, wrong: ast.AST) -> bool:
    """Does it call something else, with something else?"""
    return (
        isinstance(right, ast.Call)
        and isinstance(wrong, ast.Call)
        and bare(right.func) != bare(wrong.func)
        and bare(right.args) != bare(wrong.args)
    )


def does_nothing(statement: ast.AST) -> bool:
    """Is it `x = x`, pass, or a condition with nothing else below it?"""
    if isinstance(statement, ast.If):
        return all(map(does_nothing, statement.body + statement.orelse))
    if isinstance(statement, ast.Assign):
        return all(bare(target) == bare(statement.value) for target in statement.targets)
    return isinstance(statement, ast.Pass)


def compare_blocks(right: list[ast.stmt], wrong: list[ast.stmt], function: str, how: Way) -> None:
    """Two blocks of statements: what became of which?"""
    if len(right) == len(wrong):
        for a, b in zip(right, wrong):
            if bare(a) != bare(b):
                compare(a, b, function, (), how)
        return
    olds, news = [bare(each) for each in right], [bare(each) for each in wrong]
    lost = [each for each, text in zip(right, olds) if text not in news]
    put = [each for each, text in zip(wrong, news) if text not in olds]
    for old in list(lost):
        new = next((each for each in put if is_about(each) == is_about(old)), None)
        new = new or (put[0] if len(put) == len(lost) == 1 else None)
        if new is not None:
            lost.remove(old)
            put.remove(new)
            compare(old, new, function, (), how)
    if lost:
        how.missing.append(Missing(lost, function))
    how.extra += [Extra(each, function) for each in put]


def is_about(statement: ast.stmt) -> str:
    """What it binds, gives back or does: a statement that becomes another is usually about the same
    thing."""
    if isinstance(statement, ast.Assign):
        return bare(statement.targets)
    if isinstance(statement, ast.AugAssign):
        return bare([statement.target])
    return type(statement).__name__


def bare(value: object) -> str:
    """What a tree says, wherever it stands."""
    if isinstance(value, list):
        return f"[{', '.join(map(bare, value))}]"
    if isinstance(value, ast.AST):
        return ast.dump(value).replace("ctx=Store()", "ctx=Load()")
    return repr(value)


def kind_of(pair: Pair) -> str:
    """What kind of thing a mistake changes, as far as the two parts tell."""
    right, wrong = pair.right, pair.wrong
    text = bare(right) + bare(wrong)
    if "mask" in text:
        return "mask"
    outer = next((b for _, b in pair.outer if isinstance(b, ast.Call)), None)
    if isinstance(right, ast.Constant | ast.UnaryOp) and isinstance(
        wrong, ast.Constant | ast.UnaryOp
    ):
        return "axis" if outer is not None and tail(outer.func) in AXES else "number"
    if isinstance(right, ast.BinOp) and isinstance(wrong, ast.BinOp):
        return "operator"
    if isinstance(right, ast.Compare) and isinstance(wrong, ast.Compare):
        return "comparison"
    if isinstance(right, ast.Name) and isinstance(wrong, ast.Name):
        return "name"
    if isinstance(right, ast.Attribute) and isinstance(wrong, ast.Attribute):
        return "attribute"
    if isinstance(right, ast.Call) and isinstance(wrong, ast.Call):
        return "argument" if tail(right.func) == tail(wrong.func) else "call"
    if isinstance(right, ast.expr) and bare(wrong) in bare(right):
        return "missing part"
    if isinstance(right, ast.expr) and bare(right) in bare(wrong):
        return "part too many"
    return "value"
