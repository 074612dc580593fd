"""Points and cells that were changed in source/, and not generated."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder.grading.nbgrader.stale import sentence
from autograder.notebooks.plan import Plan

from ..conftest import known


@pytest.fixture
def plans():
    cells = [known(f"check_{n}", "check(x)", grade=True, points=4.0) for n in range(3)]
    return {"a": Plan("a", "a", (*cells, known("x", "", solution=True)))}


def source(folder, points, name="a"):
    """A notebook with graded cells, and one that is not."""
    notebook = new_notebook(cells=[new_code_cell("")])
    for grade_id, worth in points.items():
        cell = new_code_cell("check(x)")
        cell.metadata["nbgrader"] = {"grade_id": grade_id, "grade": True, "points": worth}
        notebook.cells.append(cell)
    cell = new_code_cell("")
    cell.metadata["nbgrader"] = {"grade_id": "y", "solution": True, "grade": False}
    notebook.cells.append(cell)
    nbformat.write(notebook, folder / f"{name}.ipynb")


def test_as_it_was_generated(tmp_path, plans):
    assert sentence(plans, tmp_path / "gone", "a") == ""
    source(tmp_path, {"check_0": 4, "check_1": 4.0, "check_2": 4})
    assert sentence(plans, tmp_path, "a") == ""


def test_what_differs_is_named(tmp_path, plans):
    source(tmp_path, {"check_0": 4, "check_1": 2.5, "check_9": 1})
    source(tmp_path, {}, "b")
    said = sentence(plans, tmp_path, "a")
    assert (
        "check_1 is worth 2.5 there, and 4 in the gradebook; check_9 is new; check_2 is gone; "
        "b.ipynb is new. Grades go by the gradebook." in said
    )
    assert "`nbgrader generate_assignment a --force`" in said


def test_a_long_list_is_cut(tmp_path, plans):
    source(tmp_path, {f"new_{n}": 1 for n in range(9)})
    assert "new_4 is new; and 7 more." in sentence(plans, tmp_path, "a")


def test_what_cannot_be_read_is_nbgraders_business(tmp_path, plans):
    (tmp_path / "a.ipynb").write_text("nonsense")
    assert sentence(plans, tmp_path, "a") == ""
