"""Does source/ say something else than the gradebook? It does if points or cells were changed there
and `nbgrader generate_assignment` was not run since. Grades go by the gradebook.
"""

import nbformat

MOST = 5  # differences that are named


def sentence(plans, folder, assignment):
    """What is to be said about it; "" if they agree.

    Args:
        plans: {name of a notebook: its Plan}
        folder: the assignment's, in source/.
    """
    found = list(differences(plans, folder))
    if not found:
        return ""
    more = f"; and {len(found) - MOST} more" if len(found) > MOST else ""
    return (
        f"source/ was changed after the last `nbgrader generate_assignment {assignment}`: "
        f"{'; '.join(found[:MOST])}{more}. Grades go by the gradebook. To grade by source/, first "
        f"run `nbgrader generate_assignment {assignment} --force`."
    )


def differences(plans, folder):
    """Where points and graded cells differ, one after the other."""
    for path in sorted(folder.glob("*.ipynb")):
        there = worth(path)
        if path.stem not in plans:
            yield f"{path.name} is new"
        elif there is not None:
            cells = plans[path.stem].cells
            booked = {cell.grade_id: cell.points for cell in cells if cell.grade or cell.task}
            yield from between(there, booked)


def between(there, booked):
    for name, points in there.items():
        if name not in booked:
            yield f"{name} is new"
        elif points != booked[name]:
            yield f"{name} is worth {points:g} there, and {booked[name]:g} in the gradebook"
    yield from (f"{name} is gone" for name in booked if name not in there)


def worth(path):
    """{grade id: points} of the graded cells in a notebook; None if it cannot be read."""
    try:
        cells = nbformat.read(path, as_version=4).cells
        marks = [cell.metadata.get("nbgrader", {}) for cell in cells]
        graded = [mark for mark in marks if mark.get("grade") or mark.get("task")]
        return {str(mark["grade_id"]): float(mark.get("points") or 0) for mark in graded}
    except Exception:  # nbgrader says more about that than we could
        return None
