"""What the exports write, read back by the csv module, and by nbgrader's own command."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.plugins import CsvExportPlugin

from autograder.grading.nbgrader.exports import CanvasExport, GradesExport, MoodleExport, harmless
from autograder.grading.nbgrader.new_course import config_of
from course import COURSE

from .made_up import ASSIGNMENT, Course

HARD = {
    "comma": {"first_name": "Martin, Jr.", "last_name": "King"},
    "quote": {"first_name": 'Bo "the" ', "last_name": "O'Neil; Ltd"},
    "lines": {"first_name": "Anna\nMaria", "last_name": "Über\r\nall"},
    "scripts": {"first_name": "Ваня 李 🙂", "last_name": "עברית"},
    "formula": {"first_name": "=HYPERLINK(1)", "last_name": "@SUM(A1)", "email": "+1@x.y"},
}
MOST = 8 + 4 + 6 + 4 + 5


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    made = Course(tmp_path_factory.mktemp("course"))
    for number, (student, names) in enumerate(HARD.items()):
        made.add(student, {"softmax": number + 0.25}, words=1.5, lms_user_id=str(number), **names)
    made.add("late", late=3.0, words=5)
    made.add("waits")
    with made.book() as book:
        book.add_student("absent")
    return made


def written(course, tmp_path, plugin, **options):
    """The rows that an export writes."""
    path = tmp_path / "out.csv"
    with course.book() as book:
        plugin(to=str(path), **options).export(book)
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("plugin", [GradesExport, CanvasExport, MoodleExport])
def test_all_rows_have_all_columns_and_no_value_is_a_formula(course, tmp_path, plugin):
    header, *rows = written(course, tmp_path, plugin)
    assert {len(row) for row in rows} == {len(header)}
    for value in {value for row in rows for value in row if value != "-"}:
        assert not value.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_names_survive(course, tmp_path):
    header, *rows = written(course, tmp_path, GradesExport)
    found = {row[header.index("student_id")]: dict(zip(header, row)) for row in rows}
    for student, names in HARD.items():
        for column, name in names.items():
            expected = f"'{name}" if student == "formula" else name
            assert found[student][column] == expected
    assert len(rows) == len(HARD) + 3


def test_the_numbers_are_those_of_nbgraders_own_export(course, tmp_path):
    """In the columns that have no trouble with commas, row by row."""
    header, *rows = written(course, tmp_path, GradesExport)
    theirs = tmp_path / "theirs.csv"
    with course.book() as book:
        CsvExportPlugin(to=str(theirs), student=["late", "waits", "absent"]).export(book)
    with open(theirs, encoding="utf-8", newline="") as file:
        first, *others = list(csv.reader(file))
    assert first == header
    mine = {row[3]: row for row in rows}
    for row in others:
        assert mine[row[3]][:7] == row[:7]
        assert list(map(float, mine[row[3]][7:])) == list(map(float, row[7:]))
    assert mine["late"][7:] == [str(MOST), "3", str(MOST - 3), str(MOST)]
    assert mine["absent"][7:10] == ["0", "0", "0"]


@pytest.mark.parametrize("plugin", [GradesExport, CanvasExport, MoodleExport])
def test_what_nobody_sees_is_left_out_and_counted(tmp_path, plugin):
    made, said = Course(tmp_path), []
    made.add("esc\x1b[31m", first_name="\u202eevil", last_name="\x07\x9b=1")
    (tmp_path / "out").mkdir()
    exported = plugin(to=str(tmp_path / "out" / "grades.csv"))
    exported.log.warning = lambda text, *values: said.append(text % values)
    with made.book() as book:
        exported.export(book)
    text = (tmp_path / "out" / "grades.csv").read_text(encoding="utf-8")
    assert "esc[31m" in text
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", text)
    assert any("held characters that nobody sees" in each for each in said)


def test_only_the_students_and_assignments_that_are_asked_for(course, tmp_path):
    rows = written(course, tmp_path, GradesExport, student=["late", "nobody"])
    assert [row[3] for row in rows] == ["student_id", "late"]
    (tmp_path / "out.csv").unlink()
    assert len(written(course, tmp_path, GradesExport, assignment=["none"])) == 1


def test_canvas_finds_its_columns(course, tmp_path):
    """As its importer asks: Student, ID, SIS Login ID, Section, assignments; then what they are
    worth; a student by number or login."""
    header, worth, *rows = written(course, tmp_path, CanvasExport)
    assert header == ["Student", "ID", "SIS Login ID", "Section", ASSIGNMENT]
    assert "Points Possible" in worth[0]
    assert worth[4] == str(MOST)
    found = {row[2]: row for row in rows}
    assert found["comma"] == ["King, Martin, Jr.", "0", "comma", "", "15.75"]
    assert found["late"][4] == str(MOST - 3)
    assert found["absent"][4] == ""


def test_canvas_takes_nobody_for_the_row_of_points(tmp_path):
    made = Course(tmp_path)
    made.add("sly", last_name="Points Possible", first_name="999")
    (tmp_path / "out").mkdir()
    rows = written(made, tmp_path / "out", CanvasExport)
    assert sum("Points Possible" in row[0] for row in rows) == 1


def test_moodle_finds_its_columns(course, tmp_path):
    header, *rows = written(course, tmp_path, MoodleExport)
    assert header[:5] == ["Username", "ID number", "First name", "Last name", "Email address"]
    found = {row[0]: dict(zip(header, row)) for row in rows}
    assert found["quote"][ASSIGNMENT] == "16.75"
    assert found["quote"]["ID number"] == "1"
    assert found["absent"][ASSIGNMENT] == "-"


def test_says_what_is_unfinished_and_what_was_altered(course, tmp_path, caplog):
    plugin = GradesExport(to=str(tmp_path / "out.csv"))
    plugin.log.propagate = True
    said = []
    plugin.log.warning = lambda text, *values: said.append(text % values)
    with course.book() as book:
        plugin.export(book)
    assert any(text.startswith("1 submissions have answers that nobody") for text in said)
    assert any(text.startswith("3 values begin like a formula") for text in said)


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(course, tmp_path):
    plugin, said = GradesExport(to=str(tmp_path / "none" / "out.csv")), []
    plugin.log.error = lambda text, *values: said.append(text % values)
    with course.book() as book, pytest.raises(SystemExit):
        plugin.export(book)
    assert said[0].endswith("cannot be written: No such file or directory")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        ("", ""),
        ("x=1", "x=1"),
        ("=1+1", "'=1+1"),
        (" =1+1", "' =1+1"),
        ("-2", "'-2"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("＝1", "'＝1"),
        ("a\0b", "ab"),
        ("\x1b[2Jx", "[2Jx"),
        ("\u202eevil\u202c\u2066\u200b\ufeff", "evil"),
        ("\x1b=1", "'=1"),
        ("\u202e\t=1", "'\t=1"),
        ("می\u200cخواهم 👩\u200d🔬", "می\u200cخواهم 👩\u200d🔬"),
        (-1.5, "-1.5"),
        (0.1 + 0.2, "0.3"),
        (1e-9, "0"),
        (-1e-9, "0"),
        (12, "12"),
        (1e6, "1000000"),
    ],
)
def test_harmless(value, expected):
    assert harmless(value) == expected


@pytest.mark.slow
def test_nbgraders_own_command_uses_it(course, tmp_path):
    """With the configuration of `autograder course`, and the others by their names."""
    database = f"--db=sqlite:///{course.database}"
    (tmp_path / "nbgrader_config.py").write_text(config_of(COURSE))
    here = str(Path(sys.executable).parent)
    around = os.environ | {"PATH": here + os.pathsep + os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    exporters = {
        "grades.csv": [],
        "canvas.csv": ["--exporter", "autograder.grading.nbgrader.exports.CanvasExport"],
        "given.csv": [
            "--exporter=autograder.grading.nbgrader.exports.MoodleExport",
            "--to",
            "given.csv",
        ],
    }
    for name, options in exporters.items():
        command = ["nbgrader", "export", database, "--course=made_up", *options]
        subprocess.run(command, cwd=tmp_path, env=around, check=True, capture_output=True)
        with open(tmp_path / name, encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert len({len(row) for row in rows}) == 1
    assert rows[0][0] == "Username"
