"""Every exercise: the stub fails, the reference passes, every mistake is rejected and named."""

import copy
import functools
import re
from pathlib import Path

import pytest

from autograder.audit.disguises import DISGUISES
from autograder.audit.matrix import (
    Row,
    are_told_apart,
    audit_disguises,
    audit_words,
    exams_of,
    pairs_of,
)
from autograder.engine.compare import close
from autograder.engine.exam import Exam
from autograder.engine.examine import examine, sit
from autograder.engine.mistakes import build, wrong
from autograder.engine.symptoms import Seen
from course.checks import LESSONS, all_exercises, find
from tests.autograder.implementations import stub_of

EXERCISES = all_exercises()
ALL = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))
MISTAKES = pytest.mark.parametrize(
    ("exercise", "mistake"),
    [(e, mistake) for e in EXERCISES.values() for mistake in e.mistakes],
    ids=[f"{e.id}-{mistake.id}" for e in EXERCISES.values() for mistake in e.mistakes],
)
KINDS = ("wrong", "correct")
DOCS = Path(__file__).resolve().parents[3] / "docs"


def exam_of(exercise, seed):
    """One for all tests of an exercise: what it and its mistakes answer is asked once."""
    return exam_with(exercise.id, seed)


@functools.cache
def exam_with(name, seed):
    return Exam(EXERCISES[name], seed)


def same_mathematics(exercise, mistake):
    """Ids that may stand for a mistake: its own, and those of the same mathematics."""
    twins = {other.id for other in exercise.mistakes if other.same_as == mistake.id}
    return {mistake.id, mistake.same_as, *twins} - {""}


def test_every_exercise_of_the_course_has_a_check():
    documented = re.findall(r"^\| `([a-z_]+\.\w+)\(", (DOCS / "exercises.md").read_text(), re.M)
    assert set(EXERCISES) == set(documented)


def test_names_of_exercises_are_unique():
    names = [exercise.name for exercise in EXERCISES.values()]
    assert len(set(names)) == len(names)


@ALL
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_reference_passes(exercise, seed):
    verdict = examine(exercise, exercise.reference, seed)
    assert verdict.passed, verdict.text()
    assert verdict.score == exercise.max_score > 0


@ALL
def test_the_stub_gets_nothing_and_is_told_that_nothing_is_written(exercise):
    verdict = examine(exercise, stub_of(exercise), seed=1)
    assert verdict.score == 0
    assert not verdict.passed
    assert verdict.diagnosis is None
    assert "Nothing is written here yet" in verdict.message


@MISTAKES
def test_the_mistake_is_rejected_and_named(exercise, mistake, monkeypatch):
    monkeypatch.setattr(Seen, "fill", lambda seen, text: text.format_map(seen))  # or raise
    implementation = build(exercise, (mistake.id,))
    assert implementation is not None, "its edits do not fit the reference"
    for seed in (1, 2):
        verdict = sit(exam_of(exercise, seed), implementation)
        assert not verdict.passed
        assert verdict.diagnosis in same_mathematics(exercise, mistake), verdict.text()
        assert verdict.also is None


@ALL
def test_any_two_mistakes_are_told_apart(exercise):
    for one, other in pairs_of(exercise.mistakes):
        assert are_told_apart(exam_of(exercise, 1), one, other), (one.id, other.id)


@ALL
def test_no_mistake_earns_more_in_disguise(exercise):
    """Three of each; `autograder audit` tries all of them."""
    row = Row(exercise.id)
    some = exercise.mistakes[:: len(exercise.mistakes) // 3][:3]
    audit_disguises([exam_of(exercise, 1)], row, some)
    assert row.worth_no_more == row.disguises == 3 * len(DISGUISES)
    assert not row.faults, "\n".join(row.faults)


ONCE_WORTH_MORE = pytest.mark.parametrize(
    ("exercise", "mistake"),
    [
        ("scaled_dot_product_attention", "hidden_by_minus_10"),
        ("EncoderBlock", "norms_unbiased"),
        ("smoothed_cross_entropy", "shared_without_pad"),  # a single number, rounded to the right
    ],
)


@ONCE_WORTH_MORE
def test_mistakes_that_once_earned_more_in_disguise_do_no_longer(exercise, mistake):
    row = Row(exercise)
    exams = exams_of(find(exercise), (0, 1))
    audit_disguises(exams, row, [find(exercise).mistake(mistake)])
    assert not row.faults, "\n".join(row.faults)


@ONCE_WORTH_MORE
def test_what_earns_more_in_disguise_is_found(exercise, mistake, monkeypatch):
    """If a coarse answer were compared coarsely, as it once was."""
    monkeypatch.setattr(
        "autograder.engine.compare.close", lambda *given: close(*given[:4], roughly=True)
    )
    row = Row(exercise)
    exams = exams_of(find(exercise), (0,))
    audit_disguises(exams, row, [find(exercise).mistake(mistake)])
    assert 0 < row.disguises - row.worth_no_more == len(row.faults)
    assert all("cast to" in fault for fault in row.faults)


@ALL
def test_the_data_is_in_order(exercise):
    assert exercise.module in LESSONS
    assert len(exercise.hints) == 3
    names = [promise.name for promise in exercise.properties]
    assert len(set(names)) == len(names)
    probes = [probe.__name__ for promise in exercise.properties for probe in promise.probes]
    assert len(set(probes)) == len(probes)
    ids = [mistake.id for mistake in exercise.mistakes]
    assert len(set(ids)) == len(ids)
    assert "ready_made" not in ids  # that name is taken
    for mistake in exercise.mistakes:
        assert re.fullmatch(r"[a-z0-9_]+", mistake.id)
        assert mistake.says.endswith((".", "?", "…"))
        assert mistake.look
        assert not mistake.same_as or mistake.same_as in ids
    for promise in exercise.properties:
        assert promise.points > 0
        assert promise.probes or promise.aspects
        assert not promise.says.endswith(".")  # it stands in a list


@ALL
def test_neither_hints_nor_messages_give_the_line_away(exercise):
    """No code line of the solution stands in what a learner is told."""
    told = " ".join(
        [*exercise.hints, *(f"{m.says} {m.look}" for m in exercise.mistakes)]
        + [f"{promise.says} {promise.look}" for promise in exercise.properties]
    )
    regions = re.findall(r"### BEGIN SOLUTION\n(.*?)### END", exercise.source, re.DOTALL)
    for line in "\n".join(regions).splitlines():
        code = line.partition("#")[0].strip()
        if len(code) > 12:
            assert code not in told


@ALL
def test_braces_in_messages_name_something(exercise):
    row = Row(exercise.id)
    audit_words(exam_of(exercise, 1), row)
    assert not row.faults, "\n".join(row.faults)


def test_a_measure_that_fails_does_not_cost_the_message():
    exercise = find("attention.softmax")
    question = next(Exam(exercise, 1).questions())
    seen = Seen(exercise, question.trial, copy.deepcopy(question.expected), question.expected)
    seen.answer.arrays.clear()
    assert seen.fill("they add up to {sums}") == "they add up to …"


def test_an_unknown_exercise_is_answered_with_those_that_there_are():
    with pytest.raises(
        KeyError, match=r"no exercise called 'attention.nothing'.*attention.softmax"
    ):
        find("attention.nothing")


def test_the_module_may_be_left_out():
    assert find("softmax") is find("attention.softmax")


def test_a_mistake_can_be_had_for_a_lab():
    import torch

    x = torch.randn(3, 4)
    weights = wrong("attention.softmax", "not_normalised")(x)
    assert not torch.allclose(weights.sum(-1), torch.ones(3))
    with pytest.raises(KeyError, match="has no mistake called 'nonsense'"):
        wrong("attention.softmax", "nonsense")
