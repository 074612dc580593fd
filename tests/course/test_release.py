"""`autograder course DIR`: nbgrader makes of it exactly the learner's notebooks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.command_line import main
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
def test_nbgrader_makes_exactly_the_learners_notebooks(course):
    scripts = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    for lesson in LESSONS:
        run = subprocess.run(
            [scripts / "nbgrader", "generate_assignment", lesson.stem],
            cwd=course,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        made = course / "release" / lesson.stem / f"{lesson.stem}.ipynb"
        assert made.read_text() == (ROOT / "notebooks" / f"{lesson.stem}.ipynb").read_text()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    assert main(["course", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
