"""Write what a notebook earned into nbgrader's gradebook.

Its grade cells decide which scores there are, and not the notebook's. Scores are finite and lie
between nothing and what the cell is worth. What a person has entered is never touched.
"""

import math
from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader.utils import compute_checksum, determine_grade

from ..notebooks.plan import Plan
from .judge import Result

# A row of nbgrader's tables: what its classes declare are columns, what it holds are their values.
Row = Any
NO_RESPONSE = "No response."  # nbgrader's own words


def entries(
    notebook: NotebookNode, plan: Plan, results: dict[str, Result]
) -> dict[str, dict[str, Any]]:
    """What belongs into the gradebook, as plain data: {"scores": {…}, "comments": {…}}.

    Args:
        notebook: with its outputs.
        results: {grade id: Result}
    """
    cells = {c.metadata["nbgrader"]["grade_id"]: c for c in notebook.cells if is_known(c)}
    scores, comments = {}, {}
    said = comments_of(plan, results)
    for planned in plan.cells:
        cell, name = cells.get(planned.grade_id), planned.grade_id
        if name in results:
            scores[name] = bounded(results[name].points, planned.worth)
        elif planned.grade or planned.task:  # for somebody to read; nothing, if nothing was written
            score = determine_grade(cell)[0] if planned.grade and cell is not None else None
            scores[name] = bounded(score, planned.worth)
        if planned.solution or planned.task:
            untouched = cell is None or compute_checksum(cell) == planned.checksum
            silent = untouched and not planned.task
            comments[name] = NO_RESPONSE if silent else said.get(name)
    return {"scores": scores, "comments": comments}


def enter(
    grades: dict[str, Row], comments: dict[str, Row], found: dict[str, dict[str, Any]]
) -> None:
    """Write entries into a submitted notebook's rows; the caller commits.

    Args:
        grades, comments: {name of a cell: nbgrader's row}
    """
    for name, grade in grades.items():
        grade.auto_score = score = found["scores"].get(name, 0.0)
        grade.needs_manual_grade = grade.manual_score is not None or score is None
    for name, comment in comments.items():
        comment.auto_comment = found["comments"].get(name)


def is_known(cell):
    return "grade_id" in cell.metadata.get("nbgrader", {})


def bounded(score: float | None, most: float) -> float | None:
    """A score that the gradebook can bear; None stays None: a person is to look."""
    if score is None:
        return None
    return min(max(float(score), 0.0), float(most)) if math.isfinite(score) else 0.0


def comments_of(plan, results):
    """{solution cell: what is said about what it defines}"""
    said = {}
    for grade_id, result in results.items():
        place = plan.answered_in(grade_id)
        if place is not None and result.comment:
            said.setdefault(place.grade_id, []).append(result.comment)
    return {name: "\n\n".join(texts) for name, texts in said.items()}
