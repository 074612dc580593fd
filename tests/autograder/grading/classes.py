"""A course in a folder, with a class that has handed in lesson 1."""

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook

from autograder.doors.terminal import main
from autograder.engine.mistakes import edited_source
from autograder.grading.nbgrader.new_course import make_course
from course.build import ROOT
from course.checks import exercises_of
from course.lesson import lessons
from course.notebook import learners, solved, text_of

STEM = "01_attention"
COURSE = "transformer_by_hand"
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "OMP_NUM_THREADS": "1",
}


def run(*command, folder, check=True, timeout=300, **options):
    """Run a command in the course's folder."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@dataclass
class Said:
    """What a command said in the end."""

    returncode: int
    stdout: str
    stderr: str


def autograder(*arguments, folder):
    """Run our command here: starting Python and the sandbox each time would take most of the
    time."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*arguments, "--course", str(folder)])
    return Said(code, out.getvalue(), err.getvalue())


def command(*arguments, folder):
    """The same in a process of its own."""
    return [
        *(sys.executable, "-m", "autograder.doors.terminal"),
        *arguments,
        *("--course", str(folder)),
    ]


def lesson():
    [found] = [x for x in lessons(ROOT / "notebooks" / "lessons") if x.stem == STEM]
    return found


def new_course(folder):
    """A course whose gradebook knows lesson 1."""
    make_course(folder)
    run("nbgrader", "generate_assignment", STEM, folder=folder)
    return folder


def hand_in(folder, student, text, timestamp="2026-01-10 12:00:00 UTC", name=f"{STEM}.ipynb"):
    place = folder / "submitted" / student / STEM
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(text, encoding="utf-8")
    if timestamp:
        (place / "timestamp.txt").write_text(timestamp)
    return place / name


def solved_text():
    return text_of(solved(lesson()))


def stub_text():
    return text_of(learners(lesson()))


def with_mistake(name, mistake):
    """The solved lesson with one exercise done in a wrong way."""
    [exercise] = [e for e in exercises_of("attention") if e.name == name]
    notebook = solved(lesson())
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == name:
            cell.source = edited_source(exercise, (mistake,)).rstrip()
    return text_of(notebook)


def the_class(folder):
    """Hand in for a small class: right, wrong, empty, broken, renamed."""
    text = solved_text()
    hand_in(folder, "ada", text)
    hand_in(folder, "bea", stub_text())
    hand_in(folder, "cyd", with_mistake("softmax", "not_stable"))
    hand_in(folder, "dan", text[: len(text) // 2], timestamp="")
    hand_in(folder, "eve", with_mistake("causal_mask", "upper_triangle"))
    return folder


def gradebook(folder):
    """All that matters in the gradebook, as lines that can be compared."""
    found = []
    with Gradebook(f"sqlite:///{folder}/gradebook.db", COURSE) as book:
        for submitted in sorted(book.assignment_submissions(STEM), key=lambda s: s.student.id):
            for row in submitted.notebooks:
                who = submitted.student.id
                found.append((who, str(submitted.timestamp), row.late_submission_penalty))
                found += sorted(
                    (who, g.cell.name, g.auto_score, g.manual_score, g.needs_manual_grade, g.score)
                    for g in row.grades
                )
                found += sorted(
                    (who, c.cell.name, str(c.auto_comment), str(c.manual_comment))
                    for c in row.comments
                )
    return found


def scores(folder, student):
    return {line[1]: line[2] for line in gradebook(folder) if line[0] == student and len(line) == 6}


def graded_files(folder):
    """{path: bytes} of everything in autograded/."""
    root = folder / "autograded"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
