"""The audit itself, where a mistake of an author's cannot be made any more."""

from dataclasses import replace

import pytest

from autograder.audit.matrix import Row, audit_disguises, audit_pairs
from autograder.engine.exam import Exam
from autograder.engine.mistakes import build
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
