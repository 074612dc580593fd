"""A course for one term: some of the lessons, an id of its own, and dates."""

from datetime import datetime

import pytest
from nbgrader.api import Gradebook

from autograder.doors.terminal import main
from autograder.grading.nbgrader import new_course
from course import COURSE

NAMES = ["00_start", "01_attention", "02_multi_head", "03_positional_encoding"]


@pytest.fixture(autouse=True)
def _quick_notebooks(monkeypatch):
    monkeypatch.setattr(new_course, "load", lambda what: lambda: dict.fromkeys(NAMES, "{}"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # the environment need not be activated


def dates(folder, term):
    with Gradebook(f"sqlite:///{folder}/gradebook.db", term) as book:
        return {each.name: each.duedate for each in book.assignments}


def test_some_of_the_lessons(tmp_path, capsys):
    assert main(["course", str(tmp_path / "term"), "--lessons", "1,3"]) == 0
    there = sorted(path.name for path in (tmp_path / "term" / "source").iterdir())
    assert there == ["01_attention", "03_positional_encoding"]
    assert "generate_assignment 01_attention" in capsys.readouterr().out


def test_the_terms_own_id_and_its_dates(tmp_path, capsys):
    folder = tmp_path / "term"
    due = ["--due", "1=2026-10-12", "--due", "2=2026-10-19 18:00 Europe/Berlin"]
    assert main(["course", str(folder), "--id", "autumn_2026", *due]) == 0
    assert 'course_id = "autumn_2026"' in (folder / "nbgrader_config.py").read_text()
    assert dates(folder, "autumn_2026") == {
        "01_attention": datetime(2026, 10, 12, 23, 59, 59),
        "02_multi_head": datetime(2026, 10, 19, 16),
    }
    said = capsys.readouterr().out
    assert "01_attention is due on Monday, 12 October 2026, at 23:59:59 UTC." in said
    assert "02_multi_head is due on Monday, 19 October 2026, at 16:00:00 UTC." in said


def test_without_options_all_is_as_ever(tmp_path):
    folder = tmp_path / "term"
    assert main(["course", str(folder)]) == 0
    assert f'course_id = "{COURSE.id}"' in (folder / "nbgrader_config.py").read_text()
    assert len(list((folder / "source").iterdir())) == len(NAMES)
    assert not (folder / "gradebook.db").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--lessons", "one"], "'one' is no number, and no range as 1-3"),
        (["--lessons", "7-9"], "there is no lesson 7-9; there are 0, 1, 2, 3"),
        (["--due", "1"], "write LESSON=TIME"),
        (["--due", "=2026-10-12"], "write LESSON=TIME"),
        (["--due", "one=2026-10-12"], "--due one=2026-10-12: 'one' is no number"),
        (["--due", "1=12.10.2026"], "this is no time"),
        (["--due", "1=10/12/2026"], "this is no time"),
        (["--due", "1=2026-13-12"], "this is no time"),
        (["--due", "1=2026-10-12 18:00 +0200"], "this is no time"),
        (["--due", "1=soon"], "this is no time"),
        (["--due", "1=2026-10-12 18:00 Berlin"], "no time zone called 'Berlin'"),
        (["--due", "1-2=2026-10-12"], "one lesson at a time"),
        (["--due", "1=2026-10-12", "--due", "1=2026-10-13"], "due at another time already"),
        (["--due", "3=2026-10-12", "--lessons", "1"], "there is no lesson 3; there are 1"),
        (["--id", "a b"], "letters, digits, - and _"),
        (["--edition", "nowhere"], "there is no students' edition; `autograder release` makes one"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_leaves_nothing(tmp_path, capsys, options, said):
    assert main(["course", str(tmp_path / "term"), *options]) in (1, 2)
    assert said in capsys.readouterr().err
    assert not (tmp_path / "term").exists()


def test_names_without_numbers_are_counted():
    assert new_course.chosen(["vectors", "matrices", "rest"], "2-3") == ["matrices", "rest"]


def test_a_students_edition_lies_beside_each_notebook(tmp_path):
    edition = tmp_path / "edition"
    edition.mkdir()
    (edition / "the_course.zip").write_bytes(b"packed")
    (edition / "the_course.whl").write_bytes(b"a wheel")
    made = ["course", str(tmp_path / "term"), "--lessons", "1-2", "--edition", str(edition)]
    assert main(made) == 0
    for name in ("01_attention", "02_multi_head"):
        place = tmp_path / "term" / "source" / name
        assert {path.name for path in place.iterdir()} == {f"{name}.ipynb", "the_course.zip"}
