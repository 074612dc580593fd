"""What was handed in: only ordinary files, up to a limit, and times that can be."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc

from autograder.grading import records
from autograder.notebooks import handed_in
from autograder.notebooks.handed_in import below, beside, contents, handed_in_at, not_given
from autograder.notebooks.submission import is_linked, read

TERABYTE = 2**40


def sparse(path, size):
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def test_ordinary_files_are_taken_over(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("timestamp.txt", "data/a.csv", "x.pyc", "lesson.ipynb"):
        (tmp_path / name).write_text(name)
    files, sentences = beside(tmp_path, ["*.pyc"])
    assert files == {name: tmp_path / name for name in ("timestamp.txt", "data/a.csv")}
    assert sentences == []
    assert [name for name, _ in contents(files)] == ["data/a.csv", "timestamp.txt"]


def test_what_is_too_large_costs_no_other_its_place(tmp_path):
    sparse(tmp_path / "a.bin", TERABYTE)
    sparse(tmp_path / "translator.pt", 2**22)
    for number in range(3):
        sparse(tmp_path / f"b{number}.bin", 2**24)
    files, [sentence] = beside(tmp_path)
    assert set(files) == {"translator.pt", "b0.bin"}
    assert sentence == (
        "Not taken over, as there may be 200 files with 32 MB together: `a.bin`, `b1.bin`, "
        "`b2.bin` (1,048,608 MB)."
    )


def test_a_time_comes_before_many_files_and_not_if_it_is_none(tmp_path):
    for number in range(300):
        (tmp_path / f"{number}").write_text("")
    (tmp_path / "timestamp.txt").write_text("2026-01-10 12:00:00 UTC")
    files, _ = beside(tmp_path)
    assert len(files) == 200
    assert "timestamp.txt" in files
    sparse(tmp_path / "timestamp.txt", TERABYTE)
    files, _ = beside(tmp_path)
    assert len(files) == 200
    assert "timestamp.txt" not in files


def test_names_are_shown_without_what_a_terminal_would_obey(tmp_path):
    for name in ("a\x1b[31m", "b\u202e", os.fsdecode(b"c\xe9")):
        os.mkfifo(tmp_path / name)
    _, [sentence] = beside(tmp_path)
    assert sentence.isprintable()
    assert r"`a\x1b[31m`, `b\u202e`, `c\udce9`" in sentence


def test_links_are_named_and_not_followed(tmp_path):
    classmate, own = tmp_path / "ada", tmp_path / "bea"
    classmate.mkdir()
    own.mkdir()
    (classmate / "lesson.ipynb").write_text('{"cells": []}')
    (own / "folder").symlink_to(classmate)
    (own / "file.txt").symlink_to(classmate / "lesson.ipynb")
    (own / "loop").symlink_to(own)
    files, [sentence] = beside(own)
    assert files == {}
    assert "`file.txt`, `folder`, `loop`" in sentence
    assert below(own, "lesson.ipynb") == []
    (tmp_path / "cyd").symlink_to("ada")
    assert is_linked(tmp_path / "cyd" / "lesson.ipynb", tmp_path)
    assert not is_linked(classmate / "lesson.ipynb", tmp_path)
    [trouble] = read(tmp_path / "cyd" / "lesson.ipynb", within=tmp_path).troubles
    assert trouble == "lesson.ipynb lies in a folder that is a link, which is not followed."


def test_the_instructors_own_links_are_followed(tmp_path):
    """A course may keep what was handed in on another disk."""
    (tmp_path / "disk" / "ada" / "01").mkdir(parents=True)
    (tmp_path / "submitted").symlink_to("disk")
    for structure in (
        "{nbgrader_step}/{student_id}/{assignment_id}",
        "{nbgrader_step}/{assignment_id}/{student_id}",
    ):
        directory = CourseDirectory(root=str(tmp_path), directory_structure=structure)
        assert handed_in.students_folder(directory) == tmp_path / "submitted"
    assert not is_linked(tmp_path / "submitted" / "ada" / "01", tmp_path / "submitted")


def test_folders_without_end(tmp_path, monkeypatch):
    place = tmp_path
    for _ in range(handed_in.DEEPEST + 2):
        place = place / "a"
        place.mkdir()
    (place / "lost.txt").write_text("")
    (tmp_path / "found.txt").write_text("")
    files, sentences = beside(tmp_path)
    assert list(files) == ["found.txt"]
    assert sentences == ["Folders in more than 20 folders were not looked at."]
    monkeypatch.setattr(handed_in, "MOST_LOOKED_AT", 10)
    _, sentences = beside(tmp_path)
    assert sentences[0].startswith("More than 10 files and folders were handed in;")


def test_what_the_sandbox_does_not_get_is_said(tmp_path):
    files = {name: sparse(tmp_path / name, 2**24) for name in ("a", "b", "c")}
    assert [name for name, _ in contents(files)] == ["a", "b"]
    [sentence] = not_given(files)
    assert sentence.startswith("Not there for the cells")
    assert sentence.endswith("`c` (16 MB).")
    assert not_given({"a": files["a"]}) == []


def test_a_file_that_nobody_reads_is_not_read_to_know_it_again(tmp_path):
    large = sparse(tmp_path / "large", TERABYTE)  # hours, if it were
    before = records.digest_of(large)
    assert records.digest_of(sparse(large, TERABYTE + 1)) != before


@pytest.mark.parametrize("text", ["2026-01-10 12:00:00 UTC", "2026-01-10 13:00:00 +0100\n"])
def test_a_time_is_read_as_nbgrader_reads_it(tmp_path, text):
    (tmp_path / "timestamp.txt").write_text(text)
    when, trouble = handed_in_at(tmp_path)
    assert trouble == ""
    assert when == parse_utc(text.strip())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("9999-12-31 23:59:59 UTC", "says 9999-12-31, which is still to come"),
        ("9999-12-31T23:59:59-12:00", "holds no time"),  # past the last year that Python knows
        ("1969-12-31 23:59:59 UTC", "says 1969-12-31, which cannot be"),
        ("0001-01-01 00:00:00 UTC", "says 0001-01-01, which cannot be"),
        ("", "holds no time"),
        ("in time", "holds no time"),
        ("9" * 60, "holds no time"),
        ("2026-01-10" + " " * 200, "holds no time"),
        ("\x1b[31m", "holds no time"),
    ],
)
def test_a_time_that_cannot_be_counts_as_in_time_and_is_named(tmp_path, text, sentence):
    (tmp_path / "timestamp.txt").write_text(text)
    when, trouble = handed_in_at(tmp_path)
    assert when is None
    assert trouble == f"timestamp.txt {sentence}; it counts as handed in on time."


def test_clocks_may_differ_by_some_hours(tmp_path):
    soon = datetime.now(UTC) + timedelta(hours=5)
    (tmp_path / "timestamp.txt").write_text(f"{soon:%Y-%m-%d %H:%M:%S} UTC")
    assert handed_in_at(tmp_path)[1] == ""


def test_a_time_that_is_no_file_or_endless(tmp_path):
    assert handed_in_at(tmp_path) == (None, "")
    path = tmp_path / "timestamp.txt"
    for make in (os.mkfifo, os.mkdir, lambda p: sparse(p, TERABYTE), lambda p: p.symlink_to("/x")):
        make(path)
        assert "holds no time" in handed_in_at(tmp_path)[1]
        path.rmdir() if path.is_dir() else path.unlink()
