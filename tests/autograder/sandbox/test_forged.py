"""The judge by itself: answers as nobody gives them, without a sandbox between."""

import contextlib
import itertools

import pytest
import torch

from autograder.engine.trial import Answer, Problem, run
from autograder.grading.judge import CheckEndedError, Judge
from autograder.notebooks.plan import Cell
from autograder.sandbox import wire
from autograder.sandbox.box import EndedError
from autograder.sandbox.clock import Clock
from course.checks import find

EXERCISES = (
    "attention.scaled_dot_product_attention",  # two arrays, gradients, errors that are expected
    "attention.causal_mask",  # booleans
    "training.smoothed_cross_entropy",  # a number
    "positional_encoding.PositionalEncoding",  # a module, with digests
)
CELL = Cell("check", "code", "", "", True, True, False, False, 8.0)


class Liar:
    """In the place of a Box: gives the right answer, forged."""

    def __init__(self, exercise, forge):
        self.exercise, self.forge, self.beside = exercise, forge, Clock(60)

    def request(self, what, patience, **arguments):
        return 1  # it has what it is asked for

    def replies(self, what, patience, attached=b"", **arguments):
        for trial in unpacked(attached):
            answer = run(self.exercise.reference, trial)
            yield from unpacked(wire.pack(("answer", self.forge(answer), "")))

    def not_charged(self):
        return contextlib.nullcontext()

    def end(self, reason):
        raise EndedError(reason)


def unpacked(frames):
    """What several frames hold, one after the other."""
    while frames:
        text, body = wire.HEAD.unpack(frames[: wire.HEAD.size])
        frames = frames[wire.HEAD.size :]
        yield wire.unpack(frames[:text], frames[text : text + body])
        frames = frames[text + body :]


def judged(exercise, forge, judge=Judge(7)):  # noqa: B008 - one for all: it knows the mistakes
    try:
        return judge.check(CELL, exercise, Liar(exercise, forge), exercise.name, [], 60)
    except EndedError as end:
        return end.result


def each(change):
    """A forger of all arrays."""
    return lambda a: Answer({n: change(x) for n, x in a.arrays.items()}, a.facts, None, a.begun)


def said(change):
    """A forger of the facts."""
    return lambda a: Answer(a.arrays, change(a.facts), None, a.begun)


WRONG_NUMBERS = {
    "a scalar": each(lambda x: torch.tensor(7.5)),
    "nothing": each(lambda x: torch.zeros(0, 3, 0)),
    "NaN": each(lambda x: x.double() * float("nan")),
    "infinite": each(lambda x: torch.full_like(x.double(), float("inf"))),
    "complex": each(lambda x: x.double() + 2j),
    "many sides": each(lambda x: torch.ones([1] * 9 + [2, *x.shape])),
    "flat": each(lambda x: x.double().flatten() + 3),
    "bytes": each(lambda x: (x.double() + 3).to(torch.uint8)),
    "half": each(lambda x: (x.double() + 3).to(torch.bfloat16)),
    "no arrays": lambda a: Answer({}, a.facts, None, a.begun),
}
# Right numbers, and facts that are not: no promise about these facts can be earned.
WRONG_FACTS = {
    "other names": lambda a: Answer({f"{n} (call 99)": x for n, x in a.arrays.items()}, a.facts),
    "no facts": said(lambda facts: {}),
    "texts": said(lambda facts: dict.fromkeys(facts, "x")),
    "lists": said(lambda facts: {name: [1, None, [2]] for name in facts}),
    "shapes of nothing": said(lambda facts: facts | {"shapes": {"nobody": 3}}),
    "something extra": said(lambda facts: facts | {"extra": [[1]], "shared": [1]}),
    "something changed": said(lambda facts: facts | {"changed": [{}]}),
    "an error": lambda a: Answer(a.arrays, a.facts, Problem("E", "x", ()), 0),
    "too many words": said(lambda facts: facts | {"returned": "x" * 10**6}),
    "many facts": said(lambda facts: facts | {f"fact {n}": n for n in range(1999)}),
}


class Mortal(Liar):
    """Answers the questions of a check, and ends when it is asked more, to find its mistake."""

    asked = False

    def replies(self, what, patience, attached=b"", **arguments):
        if self.asked:
            raise EndedError("ended its process.")
        self.asked = True
        return super().replies(what, patience, attached, **arguments)


def test_who_ends_when_asked_for_the_mistake_keeps_what_was_earned():
    exercise, calls = find("attention.scaled_dot_product_attention"), itertools.count()
    forge = lambda a: WRONG_NUMBERS["flat"](a) if next(calls) == 0 else a  # noqa: E731
    box = Mortal(exercise, forge)
    with pytest.raises(EndedError) as ended:
        Judge(7).check(CELL, exercise, box, exercise.name, [], 60)
    assert 0 < ended.value.result.points < CELL.points


@pytest.mark.parametrize("name", EXERCISES)
def test_the_right_answer_is_right(name):
    result = judged(find(name), lambda answer: answer)
    assert result.points == CELL.points
    assert not result.trouble


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("forger", WRONG_NUMBERS)
def test_wrong_numbers_are_wrong(name, forger):
    result = judged(find(name), WRONG_NUMBERS[forger])
    assert result.points < CELL.points / 2
    assert not result.trouble


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("forger", WRONG_FACTS)
def test_wrong_facts_are_wrong(name, forger):
    """What of it cannot even be described costs the points, and not the run."""
    result = judged(find(name), WRONG_FACTS[forger])
    assert result.points < CELL.points
    assert result.html


@pytest.mark.parametrize("name", EXERCISES[:1])
def test_gradients_that_went_missing_are_missed(name):
    def forge(answer):
        arrays = {n: x for n, x in answer.arrays.items() if not n.startswith("gradient")}
        return Answer(arrays, answer.facts, answer.problem, answer.begun)

    result = judged(find(name), forge)
    assert result.points < CELL.points
    assert "No gradient reaches" in result.text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[",
        b"[" * 10**6,
        b"nul",
        b"[NaN]",
        b"\xff",
        b'{"a": 1, "b": 2}',
        b"{}",
        b'{"int": [1]}',
        b'{"tensor": ["float32", 1]}',
        b'{"tensor": ["float32", 0, 1e30]}',
        b'{"tensor": [[], 1]}',
        b'{"Answer": {"digest": 1}}',
        b'{"dtype": "object"}',
        b'{"float": "1"}',
        b"9" * 10**6,
    ],
)
def test_what_is_no_message(text):
    with pytest.raises(wire.GarbledError):
        wire.unpack(text, b"")


def test_a_dict_of_colliding_keys():
    pairs = ",".join(f'[{{"int":"{(2**61 - 1) * n}"}},0]' for n in range(30_000))
    with pytest.raises(wire.GarbledError, match="too many"):
        wire.unpack(f'{{"dict":[{pairs}]}}'.encode(), b"")


@pytest.mark.parametrize("shape", [(0, 2**70), (0, 2**40), (2**40, 0), (0, 2**62, 4), (-1,)])
def test_sides_that_are_too_long(shape):
    text = str({"tensor": ["float32", *shape]}).replace("'", '"').encode()
    with pytest.raises(wire.GarbledError):
        wire.unpack(text, b"")


def test_a_process_that_ends_as_soon_as_the_judge_looks_earns_nothing():
    class Gone:
        def request(self, what, patience, **arguments):
            raise EndedError("ended its process.")

    exercise = find(EXERCISES[0])
    with pytest.raises(CheckEndedError) as ended:
        Judge(7).check(CELL, exercise, Gone(), exercise.name, [], 60)
    assert ended.value.result.points == 0
    assert "Your code ended its process." in ended.value.result.comment
