"""The law: for any notebook, points and diagnosis at home are those in the gradebook.

More than 200 notebooks over all lessons, in which every exercise is right, wrong in a known or an
unknown way, empty, or raises, in all kinds of mixtures, are run from top to bottom as at home, and
graded by both commands, with the same questions.
"""

import copy
import functools
import json
import random
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

from autograder.audit.bank import read
from autograder.engine.mistake_files import UNREAD
from autograder.engine.mistakes import edited_source
from autograder.grading import records, seeds
from autograder.grading.nbgrader.new_course import config_of
from course import COURSE as THE_COURSE
from course.build import ROOT
from course.checks import exercises_of, find
from course.lesson import lessons
from course.notebook import SEED, instructors, learners, solved, text_of

from . import classes
from .classes import COURSE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the sandbox"),
]
ASSIGNMENT = "all_lessons"  # one assignment of seven notebooks saves seven starts
STUDENTS = 30
AGAIN = 0.2  # of the answers are tried in another way in a cell below
TAUGHT = [lesson for lesson in lessons(ROOT / "notebooks" / "lessons") if lesson.number > 0]
SYNTAX, RAISES = "def {name}(:", "raise RuntimeError('not today')\n\n\ndef {name}():\n    pass"
KINDS = ("right", "right", "right", "other", "mistake", "mistake", "unknown", "empty", "raises")


def answer(kind, exercise, model, draw):
    """The source of a cell that solves an exercise in this way."""
    if kind == "other":
        return draw.choice(of_bank("correct", exercise) or [model])
    if kind == "unknown":
        return draw.choice(of_bank("wrong", exercise) or [SYNTAX.format(name=exercise.name)])
    if kind == "mistake":
        return edited_source(exercise, (draw.choice(exercise.mistakes).id,)).rstrip()
    if kind == "raises":
        return draw.choice([SYNTAX, RAISES]).format(name=exercise.name)
    return model


def of_bank(kind, exercise):
    entries = [entry for entry in read(kind, exercise.module) if entry.exercise == exercise.id]
    return [entry.source.strip() for entry in entries if entry.expect != UNREAD]


def notebook_of(lesson, draw):
    """A submission for a lesson, each exercise done in some way."""
    empty, right = both_of(lesson)
    empty, cells, attempt = copy.deepcopy(empty), [], None
    for cell in empty.cells:
        cells.append(cell)
        exercise = exercise_of(cell)
        if attempt is not None:  # below the check: another attempt, and a check of their own
            cells.append(new_code_cell(attempt))
            attempt = None
        if exercise is None:
            continue
        kind, again = draw.choice(KINDS), draw.choice(KINDS)
        if kind != "empty":
            cell.source = answer(kind, exercise, right[cell.id], draw)
        if draw.random() < AGAIN and again in ("right", "mistake"):
            source = answer(again, exercise, right[cell.id], draw)
            attempt = f"{source}\n\n\ncheck({exercise.name})"
    empty.cells = cells
    return text_of(empty)


@functools.cache
def both_of(lesson):
    """(the notebook with which learners begin, {cell id: source} of the solved one)"""
    return learners(lesson), {cell.id: cell.source for cell in solved(lesson).cells}


def exercise_of(cell):
    known = cell.metadata.get("nbgrader", {})
    if cell.cell_type != "code" or not known.get("solution"):
        return None
    return find(known["grade_id"])


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with one assignment, and everybody's notebooks."""
    folder = tmp_path_factory.mktemp("law") / "course"
    (folder / "source" / ASSIGNMENT).mkdir(parents=True)
    # Looking for lines earns nothing, and takes its time.
    config = f"{config_of(THE_COURSE)}\nc.SandboxedExecute.changes = 0\n"
    (folder / "nbgrader_config.py").write_text(config, encoding="utf-8")
    for lesson in TAUGHT:
        path = folder / "source" / ASSIGNMENT / f"{lesson.stem}.ipynb"
        path.write_text(text_of(instructors(lesson, SEED)), encoding="utf-8")
    classes.run("nbgrader", "generate_assignment", ASSIGNMENT, folder=folder)
    for number in range(STUDENTS):
        draw = random.Random(number)
        place = folder / "submitted" / f"student{number:02}" / ASSIGNMENT
        place.mkdir(parents=True)
        for lesson in TAUGHT:
            (place / f"{lesson.stem}.ipynb").write_text(notebook_of(lesson, draw), encoding="utf-8")
    return folder


def earned_at_home(seed, paths):
    """{path: {grade id: [points, diagnosis]}}"""
    done = subprocess.run(
        [sys.executable, "-m", "tests.autograder.grading.at_home", str(seed), *paths],
        cwd=ROOT,
        env=classes.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def at_home(course):
    """{(student, notebook, grade id): (points, diagnosis)}"""
    paths = sorted(map(str, (course / "submitted").rglob("*.ipynb")))
    found = {}
    for path, earned in earned_at_home(seeds.seed_of(course, ASSIGNMENT), paths).items():
        *_, student, _, name = path.split("/")
        for grade_id, each in (earned or {}).items():
            if not grade_id.startswith("quiz"):
                found[student, name.removesuffix(".ipynb"), grade_id] = tuple(each)
    return found


@pytest.fixture(scope="module")
def graded(course, at_home, tmp_path_factory):
    """{command: {(student, notebook, grade id): (points, diagnosis)}}"""
    theirs = shutil.copytree(course, tmp_path_factory.mktemp("theirs") / "course")
    done = classes.autograder("grade", ASSIGNMENT, folder=course)
    assert f"{STUDENTS} graded" in done.stdout, done.stderr
    classes.run("nbgrader", "autograde", ASSIGNMENT, folder=theirs, timeout=1500)
    return {"autograder grade": in_class(course), "nbgrader autograde": in_class(theirs)}


def in_class(folder):
    diagnosed = {}
    for record in records.read(folder, ASSIGNMENT):
        for name, about in record["notebooks"].items():
            for cell in about["cells"]:
                found = cell["diagnosis"][0] if cell["diagnosis"] else None
                diagnosed[record["student"], name, cell["grade_id"]] = found
    found = {}
    with Gradebook(f"sqlite:///{folder}/gradebook.db", COURSE) as book:
        for submitted in book.assignment_submissions(ASSIGNMENT):
            for notebook in submitted.notebooks:
                for grade in notebook.grades:
                    key = submitted.student.id, notebook.name, grade.cell.name
                    if grade.cell.name.startswith("check_"):
                        found[key] = (grade.auto_score, diagnosed[key])
    return found


def test_at_home_and_in_class_an_answer_earns_the_same_and_is_told_the_same(
    course, at_home, graded
):
    """One test, so that no other process works all of this out once more."""
    told = {key: value for key, value in at_home.items() if key[2].startswith("check_")}
    for command, there in graded.items():
        assert told.keys() == there.keys(), command
        other = {key: (told[key], there[key]) for key in told if told[key] != there[key]}
        assert other == {}, command
    there_are_enough_of_them_and_all_kinds(course, at_home)


def there_are_enough_of_them_and_all_kinds(course, at_home):
    assert len(list((course / "submitted").rglob("*.ipynb"))) == STUDENTS * len(TAUGHT)
    full = {f"check_{e.name}": e.max_score for x in TAUGHT for e in exercises_of(x.module)}
    scores = [(points, full.get(key[2])) for key, (points, _) in at_home.items()]
    assert sum(points == most for points, most in scores) > 300
    assert sum(points == 0 for points, _ in scores) > 200
    assert sum(0 < points < most for points, most in scores if most) > 100
    assert len({diagnosis for _, diagnosis in at_home.values()}) > 50


def test_one_mistake_costs_once(tmp_path_factory):
    """A missing parenthesis in softmax, and everything that is built on it right."""
    lesson = TAUGHT[0]
    notebook = solved(lesson)
    for cell in notebook.cells:
        if exercise_of(cell) is find("softmax"):
            cell.source = (
                "def softmax(x, dim=-1):\n"
                "    exponentials = torch.exp(x - x.amax(dim, keepdim=True))\n"
                "    return exponentials / exponentials.sum(dim)"
            )
    path = tmp_path_factory.mktemp("once") / "01.ipynb"
    nbformat.write(notebook, path)
    [earned] = earned_at_home(1, [str(path)]).values()
    worth = {f"check_{e.name}": e.max_score for e in exercises_of("attention")}
    assert [name for name in worth if earned[name][0] < worth[name]] == ["check_softmax"]
