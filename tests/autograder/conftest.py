"""What runs learners' code, kept warm for all tests; and a notebook that needs no database."""

import os
import socket
import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.utils import compute_checksum

from autograder.grading.judge import Judge
from autograder.grading.notebook_run import grade
from autograder.notebooks.plan import Cell, Plan, put_back
from autograder.sandbox import box as keepers
from autograder.sandbox.box import Keeper
from autograder.sandbox.walls import Limits
from course.checks import find
from course.stubs import stub_of

from .sandbox.attacks import RIGHT
from .tiny_course import Tiny

HOME = Path(__file__).resolve().parents[2]
LIMITS = Limits(cell=20.0, check=20.0, total=60.0, memory=2**30, disk=2**23)
SHORT = Limits(cell=1.0, check=1.0, total=12.0, memory=2**30, disk=2**23)
SECRET = "known-only-to-whoever-grades"
SETUP = """\
import math
import torch
from solutions.arguments import check_attention
answers = {}
"""

collect_ignore = [] if sys.platform.startswith("linux") else ["test_attacks.py", "test_walls.py"]


@pytest.fixture(scope="session")
def _secret():
    """Something in the environment, there before any sandbox is started."""
    os.environ["GRADERS_TOKEN"] = SECRET


@pytest.fixture(scope="session")
def keeper(_secret):
    made = Keeper()
    yield made
    made.close()


@pytest.fixture(scope="session")
def plain_keeper(_secret):
    """As on machines where namespaces cannot be had."""
    made = Keeper(namespaces=False)
    yield made
    made.close()


@pytest.fixture(scope="session")
def judge():
    return Judge(7)


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch):
    """How long the judge waits for a child that does not answer."""
    monkeypatch.setattr(keepers, "GRACE", 0.5)


@pytest.fixture(scope="session")
def plan():
    """Three exercises of lesson 1, and its quiz."""
    cells = []
    for name in RIGHT:
        exercise = find(name)
        check = f"check({name})"
        cells.append(known(name, stub_of(exercise), solution=True))
        cells.append(
            known(f"check_{name}", check, locked=True, grade=True, points=exercise.max_score)
        )
    quiz = 'check_quiz("01_attention", answers)'
    cells.append(known("quiz", quiz, locked=True, grade=True, points=4.0))
    return Plan("01_attention", "01_attention", tuple(cells))


def known(grade_id, source, locked=False, grade=False, solution=False, points=None):
    cell = new_code_cell(source)
    cell.metadata["nbgrader"] = {"grade_id": grade_id, "points": points}
    checksum = compute_checksum(cell)
    return Cell(grade_id, "code", source, checksum, locked, grade, solution, False, points)


def notebook_with(plan, answers, before=(), after=(), words=()):
    """A submission: cells of the learner's own, the answers, more cells, and Markdown."""
    cells = [new_markdown_cell(text) for text in words]
    cells += [new_code_cell(source) for source in (SETUP, *before)]
    for each in plan.cells:
        cell = new_code_cell(answers.get(each.grade_id, each.source))
        cell.metadata["nbgrader"] = {"grade_id": each.grade_id}
        cells.append(cell)
    cells += [new_code_cell(source) for source in after]
    return new_notebook(cells=cells)


@pytest.fixture(scope="session")
def run(plan, judge):
    """Grade a submission in the sandbox of a keeper."""

    def run(keeper, answers, before=(), limits=LIMITS, **more):
        notebook = put_back(notebook_with(plan, answers, before, **more), plan)
        return grade(notebook, plan, keeper, judge, limits)

    return run


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A course's folder, with what nobody but the instructor is to see."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "gradebook.db").write_text(SECRET)
    (folder / "gradebook.db").chmod(0o644)
    neighbour = folder / "submitted" / "ada" / "01_attention"
    neighbour.mkdir(parents=True)
    (neighbour / "01_attention.ipynb").write_text(SECRET)
    return folder


@pytest.fixture(scope="session")
def door():
    """A socket that listens on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        yield server


@pytest.fixture
def fill(course, door):
    """Fill in the names of places in an attack's source."""
    places = {
        "COURSE": str(course),
        "HOME": str(HOME),
        "PARENT": str(os.getpid()),
        "PORT": str(door.getsockname()[1]),
    }

    def fill(source):
        for name, place in places.items():
            source = source.replace(name, place)
        return source

    return fill


def descendants(parent):
    """The processes that a process has started, and those that they have."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [parent]
    while waiting:
        new = children.get(waiting.pop(), [])
        found += new
        waiting += new
    return found


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A course of one exercise; the other tests' course comes back afterwards."""
    monkeypatch.setattr("autograder.engine.course.CHOSEN", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    return Tiny(tmp_path)
