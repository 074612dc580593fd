"""Write what a notebook earned into nbgrader's gradebook.

Its grade cells decide which scores there are, and not the notebook's. Scores are finite and lie
between nothing and what the cell is worth. What a person has entered is never touched.
"""

import math

from nbgrader.utils import compute_checksum, determine_grade

NO_RESPONSE = "No response."  # nbgrader's own words


def write(row, notebook, plan, results):
    """Fill in the scores and comments of one submitted notebook; the caller commits.

    Args:
        row: nbgrader.api.SubmittedNotebook
        notebook: with its outputs.
        results: {grade id: Result}
    """
    cells = {c.metadata["nbgrader"]["grade_id"]: c for c in notebook.cells if is_known(c)}
    for grade in row.grades:
        name = grade.cell.name
        if name in results:
            score = results[name].points
        elif name in cells:  # for somebody to read; nothing, if nothing was written
            score, _ = determine_grade(cells[name])
        else:
            score = 0.0
        grade.auto_score = bounded(score, grade.cell.max_score)
        by_hand = grade.manual_score is not None or grade.auto_score is None
        grade.needs_manual_grade = by_hand
    comments = comments_of(plan, results)
    for comment in row.comments:
        name = comment.cell.name
        cell = cells.get(name)
        known = plan.cell(name)
        untouched = cell is None or compute_checksum(cell) == known.checksum
        if untouched and known is not None and not known.task:
            comment.auto_comment = NO_RESPONSE
        else:
            comment.auto_comment = comments.get(name) or None


def is_known(cell):
    return "grade_id" in cell.metadata.get("nbgrader", {})


def bounded(score, most):
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


def hidden_conflicts(row, before):
    """Cells whose new score a person's own score hides, as (name, old, new, the person's)."""
    return [
        (grade.cell.name, before.get(grade.cell.name), grade.auto_score, grade.manual_score)
        for grade in row.grades
        if grade.manual_score is not None and before.get(grade.cell.name) != grade.auto_score
    ]


def scores(row):
    return {grade.cell.name: grade.auto_score for grade in row.grades}
