"""nbgrader's whole flow on our course, with its own commands and the formgrader's own calls."""

import csv
import json
import re
import stat
import sys
import zipfile

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGrader, NbGraderAPI

from . import classes
from .classes import COURSE, STEM, scores

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the sandbox"),
]
QUESTION = "lookup_and_mask"


def answered():
    """Lesson 1 with everything solved, and the question answered in words with a script in it, a
    picture from elsewhere and characters that nobody sees."""
    notebook = json.loads(classes.solved_text())
    answer = "It looks up. <script>alert(1)</script> ![x](https://e.org/p.png) \u202e\x1b[2J"
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name == QUESTION:
            cell["source"] = answer
        elif name == "softmax":
            cell["source"] = ["# \u202e \x1b[2J\n", *cell["source"]]
    return json.dumps(notebook)


def test_from_release_to_feedback(tmp_path, monkeypatch):
    course, exchange, home = tmp_path / "the course", tmp_path / "exchange", tmp_path / "home"
    for folder in (exchange, home):
        folder.mkdir()
    exchange.chmod(0o777)
    monkeypatch.setitem(classes.ENVIRONMENT, "USER", "ada")
    monkeypatch.setitem(classes.ENVIRONMENT, "JUPYTER_DATA_DIR", str(tmp_path / "data"))

    def nbgrader(command, *more, folder=course):
        where = [f"--Exchange.root={exchange}", f"--CourseDirectory.course_id={COURSE}"]
        return classes.run("nbgrader", command, STEM, *where, *more, folder=folder)

    classes.new_course(course)
    nbgrader("release_assignment")
    nbgrader("fetch_assignment", folder=home)
    assert (home / STEM / f"{STEM}.ipynb").read_text() == classes.stub_text()
    (home / STEM / f"{STEM}.ipynb").write_text(answered())
    nbgrader("submit", folder=home)
    nbgrader("collect")
    [student] = [path.name for path in (course / "submitted").iterdir()]
    nbgrader("autograde")
    assert scores(course, student)["check_softmax"] == 8.0

    grade_by_hand(course, student)
    nbgrader("generate_feedback")
    page = (course / "feedback" / student / STEM / f"{STEM}.html").read_text()
    assert "Well said." in page
    assert "all correct (8 of 8 points)" in page  # the card, as at home
    assert "It looks up." in page
    assert "<script>alert(1)" not in page
    assert 'src="https://e.org' not in page
    assert page.count("\ufffd") >= 4
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
    nbgrader("release_feedback")
    nbgrader("fetch_feedback", folder=home)
    assert list((home / STEM / "feedback").rglob("*.html"))
    classes.run("nbgrader", "export", folder=course)
    with open(course / "grades.csv", encoding="utf-8-sig", newline="") as file:
        [line] = csv.DictReader(file)
    assert float(line["score"]) == 39.0  # 36 by the judge, 3 by hand


def grade_by_hand(course, student):
    """What the formgrader does when somebody types points and a comment."""
    with Gradebook(f"sqlite:///{course}/gradebook.db", COURSE) as book:
        assert book.find_submission(STEM, student).needs_manual_grade
        grade = book.find_grade(QUESTION, STEM, STEM, student)
        grade.manual_score, grade.needs_manual_grade = 3.0, False
        comment = book.find_comment(QUESTION, STEM, STEM, student)
        comment.manual_comment = "Well said."
        book.db.commit()


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own
def test_the_formgraders_button_and_a_zip_of_submissions(tmp_path, monkeypatch):
    course = classes.new_course(tmp_path / "course")
    archive = course / "downloaded" / STEM / "archive"
    archive.mkdir(parents=True)
    with zipfile.ZipFile(archive / "all.zip", "w") as packed:
        packed.writestr(f"bo_attempt_2026-01-10-12-00-00_{STEM}.ipynb", answered())
        link = zipfile.ZipInfo(f"cy_attempt_2026-01-10-12-00-00_{STEM}.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "../../../gradebook.db")
    pattern = r".*/(?P<student_id>\w+)_attempt_(?P<timestamp>[0-9\-]+)_(?P<file_id>.*)"
    classes.run(
        "nbgrader",
        "zip_collect",
        STEM,
        f"--FileNameCollectorPlugin.named_regexp={pattern}",
        folder=course,
    )
    assert (course / "submitted" / "bo" / STEM / f"{STEM}.ipynb").exists()
    assert not (course / "submitted" / "cy").exists()
    monkeypatch.chdir(course)
    monkeypatch.setenv("PATH", classes.ENVIRONMENT["PATH"])
    app = NbGrader()
    app.initialize([], root=str(course))
    done = NbGraderAPI(app.coursedir, parent=app).autograde(STEM, "bo")
    assert done["success"], done
    assert scores(course, "bo")["check_self_attention"] == 7.0


def test_a_notebook_validates(tmp_path):
    """On the learner's side: what stock nbgrader's Validate button does."""
    course = tmp_path / "course"
    classes.make_course(course)
    place = course / "source" / "00_start"
    done = classes.run("nbgrader", "validate", "00_start.ipynb", folder=place, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
