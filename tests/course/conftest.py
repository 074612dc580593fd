"""A learner's folder: exercises/ with fresh stubs, and a notebook beside it."""

import linecache

import pytest

from autograder.engine.course import Session
from course import COURSE, mine
from course.checks import LESSONS
from course.stubs import file_of


@pytest.fixture
def learner(tmp_path, monkeypatch):
    """The folder exercises/ of somebody who has just begun; the notebook runs in notebooks/."""
    (tmp_path / "exercises").mkdir()
    (tmp_path / "notebooks").mkdir()
    for module in LESSONS:
        (tmp_path / "exercises" / f"{module}.py").write_text(file_of(module))
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setitem(vars(COURSE), "session", Session())
    monkeypatch.setattr(mine, "LOADED", {})
    monkeypatch.setattr(mine, "VERDICTS", {})
    return tmp_path / "exercises"


@pytest.fixture
def cell():
    """Define something as a notebook's cell does."""
    count = 0

    def run(source, name):
        nonlocal count
        count += 1
        filename = f"/tmp/ipykernel_1/{count}.py"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        names = {"__name__": "__main__"}
        exec(compile(source, filename, "exec"), names)
        return names[name]

    return run
