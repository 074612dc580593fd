"""The matrix: no right answer rejected, no wrong one accepted, no mistake named that is not there.

The bank was written independently of the mistakes' edits.
"""

import re

import pytest

from autograder.audit import bank
from autograder.audit.matrix import Row, audit_right_answers, audit_wrong_answers, exams_of
from autograder.engine.limits import UNHURRIED
from course.checks import LESSONS, all_exercises, find

EXERCISES = all_exercises()
ALL = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))
SEEDS = (0, 1, 2)
# Where lines are looked for, too; `autograder audit` does so everywhere.
QUICK = ("attention", "positional_encoding")


@ALL
def test_right_answers_are_accepted_however_they_are_written(exercise):
    row = Row(exercise.id)
    audit_right_answers(exams_of(exercise, SEEDS), row)
    assert row.right >= 3
    assert not row.faults, "\n".join(row.faults)


@ALL
def test_wrong_answers_are_rejected_and_named_only_as_what_they_are(exercise):
    row = Row(exercise.id)
    mending = UNHURRIED if exercise.module in QUICK else 0
    audit_wrong_answers(exams_of(exercise, SEEDS), row, mending)
    assert row.wrong >= 3
    assert not row.faults, "\n".join(row.faults)


@pytest.mark.parametrize("kind", ["correct", "wrong"])
@pytest.mark.parametrize("lesson", LESSONS)
def test_every_section_belongs_to_an_exercise(kind, lesson):
    entries = bank.read(kind, lesson)
    text = (bank.folder() / kind / f"{lesson}.py").read_text()
    assert len(entries) == len(re.findall(r"^# %%", text, re.MULTILINE))
    titles = [(entry.exercise, entry.title) for entry in entries]
    assert len(set(titles)) == len(titles)
    for entry in entries:
        assert callable(entry.build()), entry.title


@pytest.mark.parametrize("lesson", LESSONS)
def test_wrong_answers_say_what_is_to_be_recognised(lesson):
    for entry in bank.read("wrong", lesson):
        known = {mistake.id for mistake in find(entry.exercise).mistakes} | {
            "nothing",
            "ready_made",
        }
        names = set(re.split(r" or | \+ ", entry.expect))
        assert names <= known, f"{entry.path}:{entry.line}: {entry.expect!r}"


def test_what_may_be_told():
    def entry(expect):
        return bank.Entry("attention.softmax", "", "", "", 0, expect)

    assert entry("a").may_be_told("a")
    assert not entry("a").may_be_told("b")
    assert not entry("a").may_be_told(None)
    assert not entry("a").may_be_told("a", "b")
    assert entry("nothing").may_be_told(None)
    assert not entry("nothing").may_be_told("a")
    assert entry("a + b").may_be_told("b", "a")
    assert entry("a + b").may_be_told("a")
    assert not entry("a + b").may_be_told(None)
    assert entry("a or nothing").may_be_told(None)
    assert entry("a or nothing").may_be_told("a")
    assert not entry("a or b").may_be_told("c")
