"""Cells whose own asserts decide: what they earn, and what is said about that to whoever grades.

They are scored as nbgrader scores them, by what they have shown. They ran where the learner's code
could reach them, so what they earned can be forged; a person who reads the grade has to know that.
"""

from nbformat.notebooknode import NotebookNode
from nbgrader.utils import determine_grade

from ..notebooks.plan import asked_of
from .judge import Result

NOTE = (
    "For graders: these points come from asserts that ran where the learner's code could reach "
    "them, so they can be forged. Trust them as far as you would trust the learner."
)
FOR_GRADERS = {"autograder": "for graders"}
FORGEABLE = (
    "The points of {names} come from asserts that ran where the learners' code could reach them. "
    "They can be forged: see docs/grading.md."
)
MOST_NAMES = 6
MOST_SAID = 200  # characters of what was written to stderr


def asserted(plan):
    """The grade ids of a plan's cells whose own asserts decide."""
    return [cell.grade_id for cell in plan.cells if cell.is_checked and not asked_of(cell.source)]


def forgeable(plans):
    """A sentence for whoever reads the grades; "" if there are no such cells."""
    names = [name for plan in plans for name in asserted(plan)]
    more = f" and {len(names) - MOST_NAMES} more cells" if len(names) > MOST_NAMES else ""
    return FORGEABLE.format(names=", ".join(names[:MOST_NAMES]) + more) if names else ""


def by_asserts(cell, planned):
    """The Result of a cell that scores itself, as nbgrader reads its outputs."""
    return Result(planned.grade_id, points_of(cell, planned), planned.points, "asserts")


def points_of(cell, planned):
    try:
        points, _ = determine_grade(cell)
    except (ValueError, KeyError):  # it claims more than there is
        points = planned.points
    return 0.0 if points is None or points != points else min(max(points, 0.0), planned.points)


def lost_to_stderr(cell, planned):
    """A sentence if a cell has lost its points only because something was written to stderr; ""
    otherwise."""
    written = [each for each in cell.outputs if is_stderr(each)]
    if not written or points_of(cell, planned):
        return ""
    others = [each for each in cell.outputs if not is_stderr(each)]
    without = points_of(NotebookNode(cell | {"outputs": others}), planned)
    if not without:
        return ""
    said = " ".join("".join(each.text for each in written).split())
    said = said[: MOST_SAID - 1] + "…" if len(said) > MOST_SAID else said
    return (
        f"{planned.grade_id} earned 0 of {planned.points:g} points only because something was "
        f"written to stderr, without which it would have earned {without:g}: {said!r}"
    )


def is_stderr(output):
    return output.output_type == "stream" and output.name == "stderr"


# --- For graders ----------------------------------------------------------------------------------


def with_note(cell, result):
    """The cell, below which stands what its points are worth."""
    if result.points:
        cell.outputs.append(
            NotebookNode(
                output_type="display_data",
                data={"text/plain": NOTE},
                metadata=NotebookNode(FOR_GRADERS),
            )
        )
    return cell


def without_notes(cell):
    """The cell as its learner sees it."""
    kept = [x for x in cell.get("outputs", ()) if x.get("metadata") != FOR_GRADERS]
    if len(kept) < len(cell.get("outputs", ())):
        cell.outputs = kept
    return cell
