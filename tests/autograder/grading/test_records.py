"""Who has to be graded again: all whose points depend on what has changed."""

import dataclasses
from pathlib import Path

import pytest

from autograder.engine.course import use
from autograder.grading import records
from course import COURSE

ROOT = Path(__file__).resolve().parents[3]
GIVES_POINTS = (
    "autograder/engine/compare.py",
    "autograder/engine/repairs/search.py",
    "autograder/grading/judge.py",
    "autograder/notebooks/plan.py",
    "autograder/sandbox/zygote.py",
    "course/capstone.py",
    "course/checks/attention/softmax.py",
    "course/checks/shared.py",
    "course/importable.py",
    "course/mistakes/attention/softmax.md",
    "course/stand_bys/attention.py",
    "course/stand_ins.py",
    "solutions/arguments.py",
    "solutions/dropout.py",
    "solutions/models.py",
    "translation/number_words.py",
)
GIVES_NONE = (
    "autograder/doors/terminal.py",
    "autograder/grading/report/page.py",
    "autograder/grading/runs/crew.py",
    "course/progress.py",
)


@pytest.fixture
def engine():
    """Works it out anew, and leaves nothing behind."""

    def work_out():
        records.engine.cache_clear()
        return records.engine()

    yield work_out
    use(COURSE)
    records.engine.cache_clear()


def test_points_depend_on_these_files():
    files = set(records.depended_on())
    assert {ROOT / path for path in GIVES_POINTS} <= files
    assert not {ROOT / path for path in GIVES_NONE} & files


def test_a_change_of_a_file_grades_again(engine, tmp_path, monkeypatch):
    path = tmp_path / "arguments.py"
    monkeypatch.setattr(records, "depended_on", lambda: [path])
    path.write_text("x = 1")
    before = engine()
    assert engine() == before
    path.write_text("x = 2")
    assert engine() != before


def test_another_order_of_the_course_grades_again(engine):
    """What is built on what, and so what counts as a later piece, is read from it."""
    before = engine()
    syllabus = dict(reversed(COURSE.syllabus.items()))
    use(dataclasses.replace(COURSE, syllabus=syllabus))
    assert engine() != before
