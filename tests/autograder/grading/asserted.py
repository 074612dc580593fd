"""A course of somebody else's: cells with plain asserts decide."""

from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.utils import compute_checksum

from autograder.notebooks.plan import Cell, Plan, put_back

STUB = "def mean(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
RIGHT = "def mean(x):\n    return sum(x) / len(x)"
WRONG = "def mean(x):\n    return 3.0"
SETUP = "import numpy as np"
TEST = "assert mean([1, 2, 6]) == 3\nassert mean([1, 2]) == 1.5"
COMPARED = "assert np.allclose(mean([1, 2]), 1.5)"
TESTED = "from numpy.testing import assert_allclose\nassert_allclose(mean([1, 2]), 1.5)"


def known(grade_id, source, points=None):
    """A cell as the gradebook has it: a test if it has points, an answer otherwise."""
    cell = new_code_cell(source)
    marks = {"grade_id": grade_id, "points": points, "grade": points is not None}
    cell.metadata["nbgrader"] = marks | {"locked": points is not None, "solution": points is None}
    is_test = points is not None
    checksum = compute_checksum(cell)
    return Cell(grade_id, "code", source, checksum, is_test, is_test, not is_test, False, points)


def plan_with(*tests, stub=STUB):
    """An assignment of one answer, and tests of 10 points each."""
    cells = [known("mean", stub)]
    cells += [known(f"test_{number}", text, 10.0) for number, text in enumerate(tests, start=1)]
    return Plan("other", "other", tuple(cells))


def submission(plan, answer, before=(SETUP,), between=()):
    """A learner's notebook: cells before the answer, and before the tests."""
    cells = [new_code_cell(source) for source in before]
    for each in plan.cells:
        if each.grade:
            cells += [new_code_cell(source) for source in between]
        cell = new_code_cell(each.source if each.grade else answer)
        cell.metadata["nbgrader"] = {"grade_id": each.grade_id}
        cells.append(cell)
    return put_back(new_notebook(cells=cells), plan)
