"""Hints in a student's edition: the first opens with its exercise's name, each other with the one
before it.

This hides them from eyes that skim a file, and from a search. It doesn't hide them from somebody
who runs the code: a check opens all three, and shows them one at a time.
"""

import ast
from itertools import accumulate

from .seals import QUICK, held, seal, unseal

FILE = "hints.json"  # {id of an exercise: what seal_hints gives}
IMPORT = "from course.sealed_hints import opened\n"


def seal_hints(exercise_id, hints):
    """A sealed text for each hint."""
    return [seal(hint, secret, QUICK) for hint, secret in zip(hints, (exercise_id, *hints))]


def open_hints(exercise_id, sealed):
    """The hints that were sealed, or a BrokenSealError."""
    opens = [exercise_id]
    for each in sealed:
        opens.append(unseal(each, opens[-1], QUICK))
    return tuple(opens[1:])


def opened(exercise_id):
    """An exercise's hints, from the edition's file."""
    return open_hints(exercise_id, held(FILE)[exercise_id])


def without_hints(source, sealed_by_id):
    """The source of a module of checks, with its hints taken from the edition's file instead.

    Args:
        sealed_by_id: what that file holds. A KeyError if hints of this source are not in it.
    """
    tree = ast.parse(source)
    written = list(hints_in(tree))
    missing = [exercise_id for exercise_id, _ in written if exercise_id not in sealed_by_id]
    if missing:
        raise KeyError(f"no sealed hints of {', '.join(missing)}")
    edits = [(*ends(node), f'opened("{exercise_id}")') for exercise_id, node in written]
    if edits:
        after = (end_of_imports(tree) + 1, 0)
        edits.append((after, after, IMPORT))
    return edited(source, edits)


def ends(node):
    """(line, column) where it begins, and where it ends."""
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def edited(source, edits):
    """The source with parts replaced, each given as (begin, end, new text)."""
    data = source.encode()  # ast counts columns in bytes
    lines = [0, *accumulate(map(len, data.splitlines(keepends=True)))]
    for begin, end, new in sorted(edits, reverse=True):  # from the end: what is before stays put
        first, last = (lines[line - 1] + column for line, column in (begin, end))
        data = data[:first] + new.encode() + data[last:]
    return data.decode()


def hints_in(tree):
    """(id, the node of its hints) of each Exercise(…)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Exercise":
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            yield ast.literal_eval(given["id"]), given["hints"]


def end_of_imports(tree):
    """The line of the last import."""
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return max((node.end_lineno for node in imports), default=0)
