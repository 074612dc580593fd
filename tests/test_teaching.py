"""The page for instructors tells a term; here it is gone through, command by command.

What stands behind the three backticks of a block says who types it, or to which file it belongs;
the page says so itself, in a comment. What happens between two commands, as when students write and
send files, is in BETWEEN. Our command and nbgrader's run in this process: starting Python anew for
each line would take most of the time.
"""

import csv
import os
import re
import shlex
import subprocess
import sys
import warnings
import zipfile
from functools import cache
from itertools import takewhile
from pathlib import Path

import pytest
from jupyter_core.application import NoStart
from nbgrader.api import Gradebook
from nbgrader.apps.nbgraderapp import NbGraderApp

from autograder.doors import terminal
from autograder.engine.sealed.mistakes import Sealed
from autograder.grading.nbgrader import new_course
from course import edition
from course.published import ARCHIVE
from tests.autograder.grading import classes
from tests.autograder.grading.classes import STEM

PAGE = (Path(__file__).parent.parent / "docs" / "teaching.md").read_text(encoding="utf-8")
# (language, who types it or which file it belongs to, text)
BLOCKS = re.findall(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WHO = ("", "student", "elsewhere")
ELSEWHERE = [
    line
    for language, who, text in BLOCKS
    if (language, who) == ("bash", "elsewhere")
    for line in text.splitlines()
]
TERM = "autumn_2026"
EXCHANGE = "/srv/nbgrader/exchange"
CYS_NUMBER = "4713"


class Term:
    """The machines on which it takes place, in one folder: the instructor's home, a student's,
    the hub's files."""

    def __init__(self, root):
        self.root, self.course, self.student = root, root / TERM, root / "ada"
        self.exchange = root / EXCHANGE[1:]
        self.here = root  # where the instructor is
        self.said = {}  # {line: what came of it}

    def write(self, name, text):
        """Put a block to the end of the file to which it belongs."""
        path = self.root / name[1:] if name.startswith("/") else self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text.replace(EXCHANGE, str(self.exchange)))

    def type(self, line, who, capsys):
        """Do what a line says, after what happens before it."""
        if line in BETWEEN:
            BETWEEN[line](self)
        os.chdir(self.student if who == "student" else self.here)
        command, *words = shlex.split(line)
        words = [re.sub(r"^~", str(self.root), word) for word in words]
        if command == "cd":
            self.here = Path(words[0])
            return
        code = COMMANDS[command](words) if command in COMMANDS else shell(line)
        out, err = capsys.readouterr()
        self.said[line] = out + err
        assert not code, f"{line}\n{out}{err}"
        assert "Traceback" not in out + err, f"{line}\n{out}{err}"
        assert "Unrecognized alias" not in err, f"{line}\n{err}"


def shell(line):
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    return done.returncode


def nbgrader(words):
    """nbgrader's command; gives its exit code."""
    app = NbGraderApp.instance()
    assert words[0] in app.subcommands  # it would show its help, and say that all is well
    try:
        with warnings.catch_warnings(action="ignore"):  # its own
            app.initialize(words)
            app.start()
    except NoStart:  # so `nbgrader db student import` ends
        return 0
    except SystemExit as end:
        return end.code
    finally:
        app.reset()
    return 0


COMMANDS = {"autograder": terminal.main, "nbgrader": nbgrader}


# --- What happens between the commands ------------------------------------------------------------


def ada_solves_it(term):
    notebook = term.student / STEM / f"{STEM}.ipynb"
    assert notebook.read_text(encoding="utf-8") == classes.stub_text()
    assert (notebook.parent / ARCHIVE).stat().st_size > 2**19  # the students' edition
    notebook.write_text(classes.solved_text(), encoding="utf-8")


def bo_sends_a_file(term):
    (term.root / "inbox").mkdir()
    text = classes.with_mistake("softmax", "not_stable")
    (term.root / "inbox" / "bo.ipynb").write_text(text, encoding="utf-8")


def canvas_gives_an_archive(term):
    """With Cy's second attempt, which ends in the middle, and a file as lesson 6 asks for."""
    text = classes.solved_text()
    folder = term.course / "downloaded" / STEM / "archive"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "submissions.zip", "w") as archive:
        name = f"tanakacy_LATE_{CYS_NUMBER}_90210_{STEM}-1.ipynb"
        archive.writestr(name, text[: len(text) // 2])
        archive.writestr(f"tanakacy_LATE_{CYS_NUMBER}_90211_translator-1.pt", b"weights")


def all_is_collected(term):
    """And Ada was in time, whenever this test is run."""
    submitted = term.course / "submitted"
    cys = {path.name for path in (submitted / CYS_NUMBER / STEM).iterdir()}
    assert cys == {f"{STEM}.ipynb", "translator.pt"}
    path = submitted / "ada" / STEM / "timestamp.txt"
    assert path.exists()
    path.write_text("2026-10-11 12:00:00 UTC", encoding="utf-8")


def bo_has_lost_a_fifth(term):
    assert points(term.course)["bo"] == (34, 6.8)


BETWEEN = {  # before which command
    f"nbgrader submit {STEM} --course {TERM}": ada_solves_it,
    f"mkdir -p submitted/bo/{STEM}": bo_sends_a_file,
    f"nbgrader zip_collect {STEM}": canvas_gives_an_archive,
    f"autograder grade {STEM}": all_is_collected,
    f"autograder grade {STEM} --regrade --student bo": bo_has_lost_a_fifth,
}


def points(course):
    """{student: (points, how many of them lateness takes)}"""
    with Gradebook(f"sqlite:///{course}/gradebook.db", TERM) as book:
        return {
            each.student.id: (
                each.score,
                sum(notebook.late_submission_penalty or 0 for notebook in each.notebooks),
            )
            for each in book.assignment_submissions(STEM)
        }


# --- The term -------------------------------------------------------------------------------------


@pytest.fixture
def term(tmp_path, monkeypatch):
    found = Term(tmp_path)
    found.student.mkdir()
    found.exchange.mkdir(parents=True)
    found.exchange.chmod(0o777)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", classes.ENVIRONMENT["PATH"])
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "etc" / "jupyter"))
    monkeypatch.setattr("nbgrader.utils.get_osusername", lambda: "ada")
    # To seal known mistakes takes a while; tests/course/test_edition.py does it.
    monkeypatch.setattr(edition, "seal", lambda exercise, package: Sealed())
    # The second term's notebooks are those of the first.
    load = new_course.load
    monkeypatch.setattr(new_course, "load", cache(lambda what: cache(load(what))))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the sandbox")
def test_the_whole_term_goes_as_it_is_told(term, capsys):
    for language, who, text in BLOCKS:
        if language != "bash":
            term.write(who, text)
        elif who != "elsewhere":
            for line in text.splitlines():
                term.type(line, who, capsys)
    assert term.said.keys() >= BETWEEN.keys()
    assert f"{CYS_NUMBER}: {STEM}.ipynb ends in the middle" in term.said[f"autograder grade {STEM}"]
    assert points(term.course) == {"ada": (36, 0), "bo": (34, 0)}
    everybody_got_feedback(term)
    assert exported(term.course / "canvas.csv") == {"4711": "36", "4712": "34", CYS_NUMBER: "29"}
    report = (term.course / "reports" / f"{STEM}.html").read_text(encoding="utf-8")
    assert "Okafor" in report
    assert CYS_NUMBER not in report
    assert (term.root / f"{TERM}.tar.gz").exists()
    config = (term.root / "spring_2027" / "nbgrader_config.py").read_text(encoding="utf-8")
    assert 'course_id = "spring_2027"' in config


def everybody_got_feedback(term):
    assert list((term.student / STEM / "feedback").rglob("*.html"))
    assert (term.course / "feedback" / "bo" / STEM / f"{STEM}.html").exists()


def exported(path):
    """{Canvas's number of a student: points}, without the row of what can be had"""
    with open(path, encoding="utf-8", newline="") as file:
        return {row["ID"]: row[STEM] for row in csv.DictReader(file) if row["ID"]}


# --- What the page is made of ---------------------------------------------------------------------


def test_every_block_says_what_it_is():
    assert len(re.findall("^```", PAGE, re.MULTILINE)) == 2 * len(BLOCKS)
    for language, who, _ in BLOCKS:
        assert who in WHO if language == "bash" else Path(who).suffix in (".py", ".csv")


@pytest.mark.parametrize("line", ELSEWHERE)
def test_what_is_typed_elsewhere_exists(line):
    words = shlex.split(line)
    command = takewhile(lambda word: word == "-m" or word.isalpha(), words)
    done = subprocess.run(
        [*command, "--help"], env=classes.ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    known = re.findall(r"--[\w-]+", done.stdout)
    assert {word for word in words if word.startswith("--")} <= {*known}
