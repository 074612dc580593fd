"""What of a lesson's demonstrations runs where a notebook is graded: only what answers rely on.

A demonstration trains and draws, which takes a hundred times as long as all checks together, and
nothing that is checked needs it. Yet at home it has run, and a learner's answer may use what it
left behind: an import, a constant. Then the statements that make this are run, and no others. And
wherever it takes pieces to build on, the same names are bound here.
"""

import ast
from functools import lru_cache

from ..engine.course import current
from ..engine.files import bound, names_defined, tree_of
from .cell_names import UNREADABLE, has_definitions, imported, imported_from, names_read

NOT_RUN = "(Not run for grading: this cell shows something, and nothing depends on it.)"
IN_PART = "(Run for grading only as far as a cell of yours uses what it makes: {names}.)"
LEFT_OUT = "(Not run for grading: it uses {names}, from a cell that only shows something.)"


def leave_out(cells, steps, plan):
    """Note in the steps of a notebook's cells which are not run, or only in part."""
    shown, kept = [], []
    for cell, step in zip(cells, steps):
        is_shown = "nbgrader" not in cell.metadata and cell.source.strip() in plan.demonstrations
        (shown if is_shown else kept).append((cell, step))
    only_shown = set().union(*(names_made(cell.source) for cell, _ in shown))
    only_shown -= set().union(*(names_made(cell.source) for cell, _ in kept))
    needed = leave_out_learners(kept, only_shown, {step.name for step in steps} - {""})
    for cell, step in reversed(shown):
        step.kind, step.note = "left out", NOT_RUN
        step.pieces = pieces_imported(cell.source)
        step.needed, needed = statements_for(cell.source, needed)
        if step.needed:
            names = sorted(set().union(*map(names_made, step.needed)))
            step.note = IN_PART.format(names=", ".join(names[:3]))


def leave_out_learners(kept, only_shown, wanted):
    """Leave out learners' cells that play with a demonstration's results; gives the names that
    those which run need from demonstrations."""
    needed = set(wanted)
    for cell, step in reversed(kept):
        runs = (
            step.kind != "run"
            or "nbgrader" in cell.metadata
            or has_definitions(cell.source)
            or bool(needed & names_made(cell.source))
        )
        used = names_read(cell.source) & only_shown
        if runs or not used:
            needed |= names_read(cell.source)
        else:
            step.kind = "left out"
            step.note = LEFT_OUT.format(names=", ".join(sorted(used)[:3]))
    return needed & only_shown


def statements_for(source, needed):
    """The statements of a cell that make the names needed, and what is then still needed."""
    kept = []
    if not needed & names_made(source):
        return (), needed
    try:
        statements = tree_of(source).body
    except UNREADABLE:
        return (), needed
    for statement in reversed(statements):
        text = ast.get_source_segment(source, statement)
        made = names_made(text)
        if made & needed and not imported_from(text, current().builds_from):
            kept.insert(0, text)
            needed = (needed - made) | names_read(text)
    return tuple(kept), needed


@lru_cache(maxsize=1024)  # a class hands in the same demonstrations again and again
def names_made(source):
    """The names that a cell binds at its top level, imports too."""
    return frozenset({*names_defined(source), *imported(source), *loop_names(source)})


def loop_names(source):
    """What a `for` at the top level binds, itself and in its body."""
    try:
        loops = [node for node in tree_of(source).body if isinstance(node, ast.For)]
    except UNREADABLE:
        return set()
    targets = {n.id for loop in loops for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    return targets | {name for loop in loops for name in bound(loop.body)}


def pieces_imported(source):
    """Pairs (piece, name here) that a cell imports to build on."""
    course = current()
    pairs = imported_from(source, course.builds_from) if course.builds_from else ()
    return tuple(pair for pair in pairs if pair[0] in course.lesson_of)
