"""Write a change of the model answer as a diff, as authors do it in the files of mistakes."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Iterator

from .diffs import GAP, Diff, DiffError, SignedLine
from .exercise import Exercise
from .spans import applied

MOST_AROUND = 3  # unchanged lines above and below, until a diff's place is certain


def diff_of(exercise: Exercise, before: str, after: str) -> list[str]:
    """The lines of the shortest diff that makes this change of an exercise's model answer.

    Args:
        before: the model answer, as Python writes its syntax tree.
        after: the changed one.

    Returns:
        lines with their signs; [] if none says it.
    """
    for around in range(MOST_AROUND + 1):
        lines = outdented(diff_lines(before.splitlines(), after.splitlines(), around))
        if makes(exercise, lines, after):
            return lines
    return []


def outdented(lines: Iterable[str]) -> list[str]:
    """A diff without the indentation that all of its lines have."""
    lines = list(lines)
    least = min((indent(line) for line in lines if line != GAP), default=0)
    return [line if line == GAP else line[:2] + line[2 + least :] for line in lines]


def indent(line: str) -> int:
    return len(line) - 2 - len(line[2:].lstrip(" "))


def diff_lines(before: list[str], after: list[str], around: int) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(around)):
        if number:
            yield GAP
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (f"  {line}" for line in before[i1:i2])
            else:
                yield from (f"- {line}" for line in before[i1:i2])
                yield from (f"+ {line}" for line in after[j1:j2])


def makes(exercise: Exercise, lines: list[str], after: str) -> bool:
    """Does this diff make the change?"""
    read = [
        SignedLine(GAP, "", 0) if line == GAP else SignedLine(line[0], line[1:], 0)
        for line in lines
    ]
    try:
        edits = Diff(tuple(read)).edits(exercise.source)
        changed = applied(exercise.source, [edits])
        return changed is not None and same_code(changed, after)
    except (DiffError, SyntaxError):
        return False


def same_code(one: str, other: str) -> bool:
    return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
