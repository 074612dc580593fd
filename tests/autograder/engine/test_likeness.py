"""Answers that are wrong in the same way look alike, whoever wrote them; others do not."""

import json

import pytest
import torch

from autograder.engine.examine import examine
from autograder.engine.likeness import Likeness, Sketch, of_data, sketch
from autograder.engine.trial import Answer, Problem, call
from course.checks import find

SOFTMAX = "attention.softmax"


def likeness(source, exercise=SOFTMAX, seed=5):
    names = {"torch": torch}
    exec(source, names)
    return examine(find(exercise), names[find(exercise).name], seed).likeness


# The weights are the roots of what they should be: no known mistake.
ROOTS = (
    "def softmax(x, dim=-1):\n"
    "    e = torch.exp(x - x.amax(dim, keepdim=True))\n"
    "    return (e / e.sum(dim, keepdim=True)).sqrt()",
    "def softmax(scores, dim=-1):\n"
    "    total = torch.logsumexp(scores, dim, keepdim=True)\n"
    "    return torch.exp((scores - total) / 2)",
)
HALVES = (
    "def softmax(x, dim=-1):\n"
    "    e = torch.exp(x - x.amax(dim, keepdim=True))\n"
    "    return e / e.sum(dim, keepdim=True) / 2 + 0.01"
)


def test_the_same_mistake_looks_the_same_in_other_code_with_another_seed():
    one, other = likeness(ROOTS[0], seed=5), likeness(ROOTS[1], seed=77)
    assert one.is_like(other)
    assert other.is_like(one)
    assert one.is_like(likeness(ROOTS[0], seed=6))


def test_another_mistake_looks_different():
    assert not likeness(ROOTS[0]).is_like(likeness(HALVES))


def test_what_has_a_name_or_is_right_or_is_not_written_has_no_likeness():
    assert likeness("def softmax(x, dim=-1):\n    return torch.exp(x)") is None
    stub = "def softmax(x, dim=-1):\n    raise NotImplementedError"
    right = ROOTS[0].replace(".sqrt()", "")
    assert likeness(stub) is None
    assert likeness(right) is None


def test_it_survives_being_written_down():
    made = likeness(ROOTS[0])
    assert of_data(json.loads(json.dumps(made.as_data()))) == made


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        3,
        {"broken": 1, "seen": {}, "mended": []},
        {"seen": {"p": 4}},
        {"broken": [], "seen": {"p": ["shape", 10**400]}, "mended": []},
    ],
)
def test_what_is_no_likeness_is_none(data):
    assert of_data(data) is None


def sketched(yours, theirs, trial=None):
    answers = (Answer({"output": torch.as_tensor(x)}) for x in (yours, theirs))
    return sketch(*answers, trial or call())


def test_rounding_makes_no_difference():
    """As much of it as other processors and other orders of adding up make."""
    torch.manual_seed(3)
    theirs = torch.randn(6, 7)
    wrong = theirs * 1.02
    noise = 3e-6 * torch.randn(6, 7)
    assert sketched(wrong, theirs).is_like(sketched(wrong + noise, theirs))
    assert not sketched(wrong, theirs).is_like(sketched(theirs * 1.03, theirs))


def test_the_same_numbers_in_other_places_are_something_else():
    theirs = torch.randn(4, 4)
    assert not sketched(theirs.T, theirs).is_like(sketched(theirs.flip(0), theirs))
    assert not sketched(theirs.flip(0), theirs).is_like(sketched(theirs.flip(1), theirs))


@pytest.mark.parametrize("fill", [float("nan"), float("inf"), -float("inf"), 1e30])
def test_numbers_beyond_all_bounds_do_not_hide_the_others(fill):
    theirs = torch.randn(5, 5)
    one, other = theirs.clone(), theirs.clone()
    one[0, 0] = other[0, 0] = fill
    other[4, 4] += 2
    assert all(abs(number) < 1e3 for number in sketched(one, theirs).numbers)
    assert not sketched(one, theirs).is_like(sketched(other, theirs))


def test_infinities_that_are_right_are_not_wrong():
    theirs = torch.tensor([1.0, -float("inf"), 2.0])
    assert sketched(theirs + torch.tensor([1.0, 0, 0]), theirs).is_like(
        sketched(torch.tensor([2.0, -float("inf"), 2.0]), theirs)
    )


def test_the_learners_own_names_are_no_part_of_it():
    """Neither what an exception quotes, nor of which kind of their own it is."""

    def raised(kind, message):
        answer = Answer(problem=Problem(kind, message))
        return sketch(answer, Answer({"output": torch.ones(2)}), call())

    one = raised("NameError", "name 'ada' is not defined")
    assert one.is_like(raised("NameError", "name 'bob' is not defined"))
    assert not one.is_like(raised("TypeError", "name 'ada' is not defined"))
    assert "Ada" not in repr(raised("AdasError", "Ada was here"))
    facts = {"extra": ["adas_weight"], "missing": ["weight"]}
    seen = sketch(Answer(facts=facts), Answer(facts={"extra": [], "missing": []}), call())
    assert seen.kinds == ("names extra", "names missing")


def test_without_numbers_the_repair_has_to_be_the_same():
    seen = {"probe": Sketch(("error TypeError 00000000",))}
    one, other = (Likeness(("values",), seen, (kind,)) for kind in ("axis", "operator"))
    assert one.is_like(one)
    assert not one.is_like(other)
    with_numbers = {"probe": Sketch(("value output",), (1.0, 2.0))}
    one, other = (Likeness(("values",), with_numbers, mended) for mended in (("axis",), ()))
    assert one.is_like(other)


def test_what_no_common_question_shows_is_alone():
    nothing = Likeness(("lengths",), {"probe": Sketch()})
    assert not nothing.is_like(nothing)
    assert not nothing.is_like(Likeness(("lengths",), {"other": Sketch(("value",), (1.0,))}))


def test_arrays_of_any_kind_end_nothing():
    theirs = torch.ones(3)
    for yours in (
        torch.empty(0),
        torch.ones(3, dtype=torch.bool),
        torch.ones(3).to_sparse(),
    ):
        assert isinstance(sketched(yours, theirs), Sketch)
