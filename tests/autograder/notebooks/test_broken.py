"""Broken submissions: no exception, a sentence on what is wrong, and the score that was earned."""

import json
import math
import os
import re

import nbformat
import pytest

from autograder.grading import gradebook
from autograder.grading.judge import Judge
from autograder.grading.notebook_run import grade
from autograder.notebooks import submission
from autograder.notebooks.plan import put_back
from autograder.notebooks.remarks import remarks
from autograder.sandbox.box import Keeper
from course.build import ROOT
from course.lesson import lessons
from course.notebook import SEED, solved, text_of
from course.quiz import LETTERS

from .broken import ALL, BROKEN, CHECKS, NAME, answers, cell, text
from .plans import plan_of_lesson

LESSON = "01_attention"


@pytest.fixture(scope="module")
def lesson_of():
    return {lesson.stem: lesson for lesson in lessons(ROOT / "notebooks" / "lessons")}


@pytest.fixture(scope="module")
def plan_for(lesson_of, tmp_path_factory):
    """The Plan of a lesson, from a gradebook that nbgrader has filled."""
    folder, made = tmp_path_factory.mktemp("book"), {}

    def plan(stem):
        if stem not in made:
            made[stem] = plan_of_lesson(lesson_of[stem], folder)
        return made[stem]

    return plan


@pytest.fixture(scope="module")
def keeper():
    kept = Keeper(least=0)
    yield kept
    kept.close()


@pytest.fixture(scope="module")
def judge():
    return Judge(seed=7)


@pytest.fixture(scope="module")
def right(lesson_of):
    """A notebook that earns everything, as JSON has it."""
    lesson = lesson_of[LESSON]
    notebook = json.loads(text_of(solved(lesson)))
    [quiz] = [part.quiz for part in lesson.of_kind("quiz")]
    choices = [question.shuffled(SEED) for question in quiz]
    letters = [LETTERS[[c.right for c in shuffled].index(True)] for shuffled in choices]
    lines = [f'    {number}: "{letter}",' for number, letter in enumerate(letters, start=1)]
    found = answers(notebook)
    found["source"] = "\n".join([*text(found).split("{")[:1], "{", *lines, "}"]).replace("\n{", "{")
    return notebook


@pytest.fixture(scope="module")
def graded(plan_for, keeper, judge):
    """Read, put back and grade a file: (Graded, sentences)."""

    def grade_file(path, plan=None):
        plan = plan or plan_for(LESSON)
        read = submission.read(path)
        told = read.troubles + remarks(read.notebook, plan)
        notebook = submission.with_notice(put_back(read.notebook, plan), told)
        return grade(notebook, plan, keeper, judge), told

    return grade_file


def earned(found):
    return {name: found.results[name].points for name in CHECKS}


def is_sound(found, told, plan):
    """What must hold whatever was handed in."""
    assert set(found.results) == {cell.grade_id for cell in plan.cells if cell.is_checked}
    entries = gradebook.entries(found.notebook, plan, found.results)
    for known in plan.cells:
        if known.grade:
            score = entries["scores"][known.grade_id]
            assert score is None or (math.isfinite(score) and 0 <= score <= known.points)
    nbformat.validate(found.notebook)
    written = submission.as_text(found.notebook)
    assert json.loads(written.encode("utf-8"))["nbformat"] == 4
    for sentence in told:
        assert sentence.startswith(NAME)
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert len(sentence) < 300
    if told:
        assert "Traceback" not in " ".join(told)
        assert found.notebook.cells[0].source.startswith(f"> {NAME}")


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_it_earns_what_it_has_and_is_told_what_is_wrong(case, right, graded, plan_for, tmp_path):
    path = tmp_path / NAME
    path.write_bytes(case.content(right))
    found, told = graded(path)
    is_sound(found, told, plan_for(LESSON))
    expected = {name: 0 if name in case.lost else points for name, points in CHECKS.items()}
    assert earned(found) == expected
    if case.says:
        assert re.search(case.says, " ".join(told))
    else:
        assert told == []
    if case.learner:
        assert re.search(case.learner, found.results[case.lost[0]].text)


def test_the_notebook_that_is_broken_is_right(right, graded, tmp_path):
    path = tmp_path / NAME
    path.write_text(json.dumps(right))
    found, told = graded(path)
    assert earned(found) == CHECKS
    assert told == []


def folder(path, _):
    path.mkdir()
    (path / NAME).write_text("{}")


def link(path, right):
    elsewhere = path.with_name("elsewhere.txt")
    elsewhere.write_text(json.dumps(right))
    path.symlink_to(elsewhere)


def link_to_nothing(path, _):
    path.symlink_to(path.with_name("nowhere"))


def link_to_itself(path, _):
    path.symlink_to(path)


def pipe(path, _):
    os.mkfifo(path)


def nothing(path, _):
    pass


@pytest.mark.parametrize(
    ("put", "says"),
    [
        (nothing, "is missing"),
        (folder, "is a folder"),
        (link, "is a link to another file, which is not followed"),
        (link_to_nothing, "is a link to another file, which is not followed"),
        (link_to_itself, "is a link to another file, which is not followed"),
        (pipe, "is no ordinary file"),
    ],
)
def test_what_is_no_file_earns_nothing(put, says, right, graded, plan_for, tmp_path):
    put(tmp_path / NAME, right)
    found, told = graded(tmp_path / NAME)
    is_sound(found, told, plan_for(LESSON))
    assert earned(found) == dict.fromkeys(ALL, 0)
    assert told == [f"{NAME} {says}."]


def test_a_class_with_another_name(lesson_of, graded, plan_for, tmp_path):
    notebook = json.loads(text_of(solved(lesson_of["02_multi_head"])))
    found = cell(notebook, "MultiHeadAttention")
    found["source"] = text(found).replace("class MultiHeadAttention", "class MyAttention")
    path = tmp_path / "02_multi_head.ipynb"
    path.write_text(json.dumps(notebook))
    result, told = graded(path, plan_for("02_multi_head"))
    results = result.results
    assert results["check_MultiHeadAttention"].points == 0
    assert "defines `MultiHeadAttention`" in results["check_MultiHeadAttention"].text
    assert results["check_split_heads"].passed
    assert told == []


def test_whatever_is_cut_off_there_is_no_exception(right, tmp_path):
    whole = json.dumps(right, indent=1).encode()
    path = tmp_path / NAME
    before = 0
    for length in range(0, len(whole), 997):
        path.write_bytes(whole[:length])
        read = submission.read(path)
        assert len(read.troubles) == 1
        assert len(read.notebook.cells) >= before  # the more there is, the more is saved
        before = len(read.notebook.cells)
    assert before > 90


def test_an_answer_in_words_is_for_a_person_to_read(right, graded, plan_for, tmp_path):
    """Also where nbgrader's marks are lost; and it is no case for anybody where it is empty."""
    plan = plan_for(LESSON)
    scores = {}
    for name in ("as it is", "marks lost", "deleted"):
        notebook = json.loads(json.dumps(right))
        if name == "marks lost":
            for each in notebook["cells"]:
                each["metadata"] = {}
        if name == "deleted":
            notebook["cells"].remove(cell(notebook, "lookup_and_mask"))
        (tmp_path / NAME).write_text(json.dumps(notebook))
        found, _ = graded(tmp_path / NAME)
        scores[name] = gradebook.entries(found.notebook, plan, found.results)["scores"]
    assert scores["as it is"]["lookup_and_mask"] is None
    assert scores["marks lost"]["lookup_and_mask"] is None
    assert scores["deleted"]["lookup_and_mask"] == 0
