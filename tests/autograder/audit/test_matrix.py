"""The audit itself, where a mistake of an author's cannot be made any more."""

from dataclasses import replace

import pytest

from autograder.audit import matrix
from autograder.audit.matrix import Row, audit_disguises, audit_lines, audit_pairs, lines_changed
from autograder.engine.exam import Exam
from autograder.engine.mistakes import build
from autograder.engine.repairs.proof import Spot
from autograder.engine.verdict import Verdict
from course.checks import find


@pytest.fixture
def exam():
    """Of an exercise one of whose mistakes leaves no Python behind."""
    exercise = find("attention.softmax")
    exercise = replace(exercise)  # which has made no mistakes yet
    exercise.built[(exercise.mistakes[0].id,)] = None
    return Exam(exercise, 1)


def test_a_mistake_that_is_no_python_does_not_end_the_audit(exam):
    row, mistakes = Row(exam.exercise.id), exam.exercise.mistakes
    assert build(exam.exercise, (mistakes[0].id,)) is None
    audit_pairs(exam, row, mistakes)
    audit_disguises([exam], row, mistakes[:1])
    assert row.apart == row.pairs > 0
    assert row.disguises == 0


def test_the_line_of_every_mistake_is_one_that_it_changes():
    exam = Exam(find("attention.causal_mask"), 1)
    row, mistakes = Row(exam.exercise.id), exam.exercise.mistakes
    audit_lines(exam, row, mistakes)
    assert row.faults == []
    assert row.lines == len(mistakes)


def test_a_line_that_a_mistake_leaves_as_it_is_is_a_fault(monkeypatch):
    exam = Exam(find("attention.causal_mask"), 1)
    row, mistake = Row(exam.exercise.id), exam.exercise.mistakes[0]
    elsewhere = Verdict(exam.exercise.id, 0, 3, 1, spots=[Spot((1,), "name")])
    monkeypatch.setattr(matrix, "sit", lambda *_: elsewhere)
    audit_lines(exam, row, [mistake])
    assert row.lines == 0
    [fault] = row.faults
    assert f"mistake {mistake.id} (mistakes/attention/causal_mask.md, line " in fault


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        ("a\nB\nc\n", {2}),
        ("a\nb\nnew\nc\n", {3}),
        ("a\nc\n", {1, 2}),  # it was between these
        ("a\nb\nc\n", set()),
    ],
)
def test_which_lines_an_edit_changes(after, lines):
    assert lines_changed("a\nb\nc\n", after) == lines
