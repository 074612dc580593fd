"""Broken submissions on their way through a whole course, by both commands that grade it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook, MissingEntry

from autograder.grading.nbgrader.new_course import config_of
from course import COURSE
from course.build import ROOT
from course.lesson import lessons
from course.notebook import solved, text_of

from .broken import BROKEN, NAME
from .elsewhere import as_colab

STEM = "01_attention"
CASES = {case.name: case for case in BROKEN}
EARNED = {
    "right": 36,
    "colab": 36,
    "truncated": 19,
    "binary": 0,
    "no_cells": 0,
    "an_answer_copied": 36,
    "all_checks_deleted": 36,
    "a_cell_of_its_own_points": 36,
    "format_3": 36,
    "link": 0,
    "dangling": 0,
    "folder": 0,
    "linked_folder": 0,
    "linked_student": 0,
    "much_beside": 36,
    "year_9999": 36,
    "long_ago": 36,
    "no_time": 36,
    "endless_time": 36,
}
# nbgrader says that it finds no notebook, and goes on.
ONLY_OURS = {"renamed": 36, "in_a_folder_below": 36, "empty_handed": 0}
FROM_CASES = {
    "truncated": "cut_off_in_the_third_answer",
    **{name: name for name in EARNED if name in CASES},
}
SAYS = {
    "truncated": "ends in the middle",
    "binary": "is not JSON",
    "no_cells": "has no cells",
    "an_answer_copied": "has the cell `causal_mask` twice",
    "all_checks_deleted": "lacked `check_softmax`",
    "a_cell_of_its_own_points": "has cells that the assignment has not",
    "format_3": "says 3 where the number of its format",
    "link": "is a link to another file",
    "folder": "is a folder",
    "linked_folder": "lies in a folder that is a link, which is not followed",
    "linked_student": "lies in a folder that is a link, which is not followed",
    "much_beside": r"Not taken over, as there may be 200 files with 32 MB together: `data.bin`, "
    r"`299.txt`, `298.txt` and 99 more \(3,072 MB\)",
    "year_9999": "timestamp.txt says 9999-12-31, which is still to come",
    "long_ago": "timestamp.txt says 1812-06-24, which cannot be",
    "no_time": "timestamp.txt holds no time",
    "endless_time": "timestamp.txt holds no time",
}

ONLY_OURS_SAYS = {
    "renamed": r"my attention \(1\).ipynb was taken for 01_attention.ipynb",
    "in_a_folder_below": r"work/01_attention.ipynb was taken for 01_attention.ipynb",
    "empty_handed": "is missing",
}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with one assignment, and all these submissions."""
    root = tmp_path_factory.mktemp("course")
    (root / "nbgrader_config.py").write_text(config_of(COURSE), encoding="utf-8")
    lesson = next(each for each in lessons(ROOT / "notebooks" / "lessons") if each.stem == STEM)
    from course.notebook import instructors

    (root / "source" / STEM).mkdir(parents=True)
    (root / "source" / STEM / NAME).write_text(text_of(instructors(lesson)), encoding="utf-8")
    run(root, "nbgrader", "generate_assignment", STEM)
    right = json.loads(text_of(solved(lesson)))

    def place_for(student):
        folder = root / "submitted" / student / STEM
        folder.mkdir(parents=True)
        return folder

    whole = json.dumps(right)
    (place_for("right") / NAME).write_text(whole)
    (place_for("colab") / NAME).write_text(as_colab(right), encoding="utf-8")
    for student, name in FROM_CASES.items():
        (place_for(student) / NAME).write_bytes(CASES[name].content(right))
    (root / "elsewhere.ipynb").write_text(whole)
    (place_for("link") / NAME).symlink_to(root / "elsewhere.ipynb")
    (place_for("dangling") / NAME).symlink_to(root / "nowhere.ipynb")
    (place_for("folder") / NAME).mkdir()
    (place_for("renamed") / "my attention (1).ipynb").write_text(whole)
    place_for("empty_handed")
    below = place_for("in_a_folder_below") / "work"
    below.mkdir()
    (below / NAME).write_text(whole)
    return root


TIMES = {
    "year_9999": "9999-12-31 23:59:59 UTC",
    "long_ago": "1812-06-24 00:00:00 UTC",
    "no_time": "tomorrow, I promise",
}


def hand_in_what_cannot_be_copied(root):
    """Links to a classmate's folders, far too much, pipes, and times that cannot be."""
    submitted, right = root / "submitted", root / "submitted" / "right" / STEM
    (right / "timestamp.txt").write_text("2026-01-10 12:00:00 UTC")
    (submitted / "linked_student").symlink_to("right")
    (submitted / "linked_folder").mkdir()
    (submitted / "linked_folder" / STEM).symlink_to(f"../right/{STEM}")
    for student in ("much_beside", "endless_time", *TIMES):
        shutil.copytree(right, submitted / student / STEM)
    for student, text in TIMES.items():
        (submitted / student / STEM / "timestamp.txt").write_text(text)
    with Gradebook(f"sqlite:///{root}/gradebook.db", "transformer_by_hand") as book:  # from before
        book.update_or_create_student("year_9999")
        book.update_or_create_submission(STEM, "year_9999", timestamp="9999-12-31 23:59:59 UTC")
    (submitted / "endless_time" / STEM / "timestamp.txt").unlink()
    os.mkfifo(submitted / "endless_time" / STEM / "timestamp.txt")
    folder = submitted / "much_beside" / STEM
    with open(folder / "data.bin", "wb") as file:
        file.truncate(3 * 2**30)  # nothing on the disk
    for number in range(300):
        (folder / f"{number}.txt").write_text("x" * number)
    os.mkfifo(folder / "pipe")
    (folder / "link.txt").symlink_to(f"../../right/{STEM}/{NAME}")


def run(root, *command):
    own = Path(sys.executable).parent
    path = f"{own}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [own / command[0], *command[1:]],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def scores_in(root):
    found = {}
    with Gradebook(f"sqlite:///{root}/gradebook.db", "transformer_by_hand") as book:
        for student in (*EARNED, *ONLY_OURS):
            try:
                found[student] = book.find_submission(STEM, student).score
            except MissingEntry:
                found[student] = None
    return found


ODD_TIMES = (*TIMES, "endless_time", "linked_folder", "linked_student")


def lateness(root):
    with Gradebook(f"sqlite:///{root}/gradebook.db", "transformer_by_hand") as book:
        names = ("right", *ODD_TIMES)
        return {name: str(book.find_submission(STEM, name).timestamp) for name in names}


def said_of(log, student):
    return " ".join(line for line in log.splitlines() if re.search(rf"\b{student}\b", line))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own
@pytest.mark.parametrize("command", [("nbgrader", "autograde"), ("autograder", "grade")])
def test_everybody_is_graded_and_named(command, course, tmp_path):
    root = tmp_path / "course"
    shutil.copytree(course, root, symlinks=True)
    hand_in_what_cannot_be_copied(root)
    ours = command[0] == "autograder"
    done = run(root, *command, STEM)
    log = done.stdout + done.stderr
    print(log)
    scores = scores_in(root)
    expected = EARNED | (ONLY_OURS if ours else {})
    assert {name: scores[name] for name in expected} == expected
    for student, says in (SAYS | (ONLY_OURS_SAYS if ours else {})).items():
        assert re.search(says, said_of(log, student))
    for student in expected:
        written = root / "autograded" / student / STEM / NAME
        if written.is_file():
            nbformat.validate(nbformat.read(written, as_version=4))
    assert "only ordinary files are: `link.txt`, `pipe`" in said_of(log, "much_beside")
    copied = [*(root / "autograded" / "much_beside").rglob("*")]
    assert sum(path.stat().st_size for path in copied if path.is_file()) < 2**20
    assert {"timestamp.txt", "198.txt"} <= {path.name for path in copied}
    assert not {"199.txt", "data.bin", "pipe", "link.txt"} & {path.name for path in copied}
    assert lateness(root) == {"right": "2026-01-10 12:00:00", **dict.fromkeys(ODD_TIMES, "None")}
    if ours:
        assert "Traceback" not in log


@pytest.mark.slow
def test_what_is_not_run_waits_for_a_person(course, tmp_path):
    """`--no-execute`: what stands below a check, or does not, earns nothing by itself."""
    root = tmp_path / "course"
    shutil.copytree(course, root, symlinks=True)
    done = run(root, "nbgrader", "autograde", STEM, "--no-execute", "--student", "right")
    assert done.returncode == 0, done.stderr
    with Gradebook(f"sqlite:///{root}/gradebook.db", "transformer_by_hand") as book:
        submitted = book.find_submission(STEM, "right")
        assert submitted.score == 0
        grades = [grade for notebook in submitted.notebooks for grade in notebook.grades]
        assert len(grades) == 7
        assert all(grade.needs_manual_grade and grade.auto_score is None for grade in grades)
