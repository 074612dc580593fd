"""`autograder course DIR`: nbgrader makes of it exactly the learner's notebooks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.apps import NbGrader, NbGraderAPI

from autograder.doors.terminal import main
from course.lesson import lessons

ROOT = Path(__file__).parent.parent.parent
LESSONS = lessons()


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a class") / "my course"
    assert main(["course", str(folder)]) == 0
    return folder


def test_every_lesson_is_an_assignment(course, capsys):
    for lesson in LESSONS:
        assert (course / "source" / lesson.stem / f"{lesson.stem}.ipynb").is_file()
    assert (course / "nbgrader_config.py").is_file()


def test_model_answers_are_in_the_source(course):
    text = (course / "source" / LESSONS[0].stem / f"{LESSONS[0].stem}.ipynb").read_text()
    assert "Whatever the learner is curious about" in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own
def test_nbgrader_makes_exactly_the_learners_notebooks(course, monkeypatch):
    """By its command for one lesson, and as the formgrader's button does it for the others."""
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(course)
    first, *others = [lesson.stem for lesson in LESSONS]
    command = [scripts / "nbgrader", "generate_assignment", first]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    app = NbGrader()
    app.initialize([], root=str(course))
    nbgrader = NbGraderAPI(app.coursedir, parent=app)
    for stem in others:
        done = nbgrader.generate_assignment(stem)
        assert done["success"], done
    for stem in (first, *others):
        made = course / "release" / stem / f"{stem}.ipynb"
        assert made.read_text() == (ROOT / "notebooks" / f"{stem}.ipynb").read_text()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    assert main(["course", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
