"""A lesson is put into the current folder, and opened."""

import os
import sys
from pathlib import Path

import pytest

from course import copies


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """The command that takes over, once it has."""
    found = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.execv", lambda path, words: found.extend(words))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/elsewhere")
    return found


def test_one_lesson_with_its_exercises_is_there_and_opens(tmp_path, opened, capsys):
    copies.one("2")
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert there == {"notebooks/02_multi_head.ipynb", "exercises/multi_head.py"}
    assert opened[:3] == [sys.executable, "-m", "jupyterlab"]
    assert opened[3].endswith("=/lab/tree/notebooks/02_multi_head.ipynb")
    assert os.environ["JUPYTER_CONFIG_PATH"] == f"{copies.SETTINGS}{os.pathsep}/elsewhere"
    assert "notebooks/02_multi_head.ipynb is here" in capsys.readouterr().out


def test_what_is_there_already_stays(tmp_path, opened):
    (tmp_path / "notebooks").mkdir()
    mine = tmp_path / "notebooks" / "00_start.ipynb"
    mine.write_text("mine")
    copies.one("0")
    assert mine.read_text() == "mine"
    assert opened[3].endswith("00_start.ipynb")


def test_a_lesson_that_is_not_there_is_answered_with_those_that_are(opened, capsys):
    assert copies.one("12") == 2
    assert capsys.readouterr().err == "There is no lesson 12; there are: 0, 1, 2, 3, 4, 5, 6, 7.\n"
    assert opened == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path, opened, capsys):
    (tmp_path / "notebooks").write_text("a file")
    assert copies.one("1") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert opened == []


def test_what_is_there_already_is_not_counted_as_new(tmp_path, monkeypatch, capsys):
    book = {Path("notebooks/00_start.ipynb"): "{}"}
    monkeypatch.setattr(copies.given, "files", lambda: book)
    place = tmp_path / "my course"
    assert copies.main(str(place)) == 0
    said = capsys.readouterr().out
    assert f"1 notebook or exercise file is new in {place}." in said
    assert f"cd '{place}' && jupyter lab" in said
    assert copies.main(str(place)) == 0
    assert "nothing is new" in capsys.readouterr().out
