"""A notebook that another program has saved is judged as the one that JupyterLab saves.

That Colab's earns its points in a whole course, test_broken_in_a_course.py shows.
"""

import json

import pytest

from autograder.notebooks import submission
from autograder.notebooks.plan import put_back
from autograder.notebooks.remarks import remarks
from course.build import ROOT
from course.lesson import lessons
from course.notebook import solved, text_of

from .elsewhere import PROGRAMS
from .plans import plan_of_lesson

# One with code alone, and one with answers in words and a cell of its own points.
LESSONS = [lessons(ROOT / "notebooks" / "lessons")[number] for number in (1, 6)]


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    return {lesson.stem: plan_of_lesson(lesson, folder) for lesson in LESSONS}


def judged(text, plan, path):
    """(what the judge gets of a notebook, sentences on what is wrong with it)"""
    path.write_text(text, encoding="utf-8")
    read = submission.read(path)
    told = read.troubles + remarks(read.notebook, plan)
    cells = put_back(read.notebook, plan).cells
    return [(c.cell_type, c.source, c.metadata.get("nbgrader")) for c in cells], told


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.stem for lesson in LESSONS])
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_judge_gets_the_same(program, lesson, plans, tmp_path):
    notebook = json.loads(text_of(solved(lesson)))
    plan, path = plans[lesson.stem], tmp_path / f"{lesson.stem}.ipynb"
    expected, told = judged(json.dumps(notebook), plan, path)
    assert told == []
    assert sum(bool(marks) for *_, marks in expected) == len(plan.cells)
    found, told = judged(PROGRAMS[program](notebook), plan, path)
    assert told == []
    assert [cell for cell in found if "colab.research" not in cell[1]] == expected


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_of_who_has_run_it_goes_on(program, plans, tmp_path):
    """Colab writes the learner's name into every cell."""
    lesson, path = LESSONS[0], tmp_path / "x.ipynb"
    path.write_text(PROGRAMS[program](json.loads(text_of(solved(lesson)))), encoding="utf-8")
    notebook = put_back(submission.read(path).notebook, plans[lesson.stem])
    text = submission.as_text(notebook)
    assert not [word for word in ("A Learner", "userId", "executionInfo", "_uuid") if word in text]
