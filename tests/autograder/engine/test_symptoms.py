"""Words for wrong answers of no known kind: true, with numbers, and pointing somewhere."""

import pytest
import torch

from autograder.engine.compare import differences
from autograder.engine.symptoms import Seen, explain, few, listing, number
from autograder.engine.trial import Answer, Call, Problem, call
from course.checks import find

EXERCISE = find("multi_head.merge_heads")
X = torch.randn(2, 3, 4)
EXPECTED = torch.randn(2, 5, 4)
ROWS = torch.arange(2, 12).reshape(2, 5, 1) / 2 + 0.25


def words(answer, expected=None, trial=None):
    """What is said about an answer, an array standing for itself."""
    answer = answer if isinstance(answer, Answer) else Answer({"output": answer})
    expected = Answer({"output": EXPECTED}) if expected is None else expected
    trial = trial or call(x=X)
    first = differences(answer, expected, trial)[0]
    return explain(Seen(EXERCISE, trial, answer, expected), first)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (2 * EXPECTED, "Every number of your output is 2 times what is expected."),
        (-EXPECTED, "Every number of your output is -1 times what is expected."),
        (EXPECTED + 3, "Every number of your output is too large by 3."),
        (EXPECTED.flip(1), "right, but in reverse order along dimension 1"),
        (EXPECTED.roll(1, 1), "right, but one place later along dimension 1"),
        (EXPECTED.roll(-1, 1), "right, but one place earlier along dimension 1"),
        (EXPECTED[:, :4].mT, "expected (2, 5, 4)"),
        (0 * EXPECTED, "Every number of your output is 0; expected numbers such as"),
        (0 * EXPECTED + 7, "Every number of your output is 7; expected numbers such as"),
        (EXPECTED.mT.reshape(2, 5, 4), "has the right numbers in the wrong places"),
        (EXPECTED.mT, "has shape (2, 4, 5); expected (2, 5, 4)"),
        (EXPECTED.mT, "The sizes are right, their order is not."),
        (EXPECTED.flatten(1), "as many numbers as there should be, in another arrangement"),
        (EXPECTED.double(), "is float64; expected float32. Its numbers are right."),
        (EXPECTED / 0, "of the 40 numbers in your output are inf"),
        (EXPECTED * float("nan"), "40 of the 40 numbers in your output are NaN"),
        (torch.stack([EXPECTED[0], EXPECTED[0]]), "right only at index 0 of its first dimension"),
        (
            EXPECTED.square(),
            "is the square of the expected one.",
        ),
        (EXPECTED.abs(), "is the expected one without its sign."),
        (EXPECTED[:, :1].expand(2, 5, 4), "At every index along dimension 1, your output holds"),
        (EXPECTED.clamp(max=0.5), "is right, but nothing in it is above 0.5"),
        (
            EXPECTED * ROWS,
            "Each row of your output is right but for a factor of its own",
        ),
    ],
)
def test_arrays(answer, sentence):
    assert sentence in words(answer)


def test_of_a_mask_it_is_not_said_that_its_numbers_are_in_the_wrong_places():
    mask = torch.rand(4, 5) < 0.5
    assert "wrong places" not in words(mask.flip(0).roll(1, 1), Answer({"output": mask}))


def test_where_most_is_right_the_rest_is_told():
    wrong = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    expected = wrong.clone()
    wrong[3] = 7
    said = words(wrong, Answer({"output": expected}))
    assert "right except at index 3 of its first dimension" in said


def test_one_wrong_number_is_shown_with_its_place():
    wrong = EXPECTED.clone()
    wrong[0, 0, 0] += 0.5
    wrong[1, 2, 3] += 5
    assert "2 of 40 numbers are off; the worst at [1, 2, 3]" in words(wrong)


def test_not_a_number_and_infinity_are_counted_apart():
    wrong = EXPECTED.clone()
    wrong[0, 0], wrong[1, 1, 0] = float("nan"), float("inf")
    said = words(wrong)
    assert "4 of the 40 numbers in your output are NaN, and 1 is inf; expected ordinary" in said


def test_what_is_the_same_along_a_dimension_is_not_shifted_along_it():
    even = EXPECTED[:, :1].expand(2, 5, 4)
    wrong = even.clone()
    wrong[:, 0] += 1.5
    assert "place earlier" not in words(wrong, Answer({"output": even}))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["weight"], "reaches `weight`, so training could never change it: something on"),
        (["x"], "reaches `x`, so whatever made it could never be trained: something on"),
        (["weight", "x"], "reaches `weight` and `x`: something on the way leaves torch's graph"),
    ],
)
def test_of_arguments_it_is_not_said_that_training_changes_them(names, said):
    trial = call(x=X).but(state={"weight": X})
    answer = Answer({}, {"no gradient": names})
    assert said in words(answer, Answer(), trial)


def test_the_input_given_back_is_recognised():
    assert (
        words(X, Answer({"output": X + torch.randn_like(X)}))
        == "Your output is just `x`, unchanged."
    )


def test_permuted_dimensions_are_recognised():
    cube = torch.randn(3, 3, 3)
    said = words(cube.permute(2, 0, 1), Answer({"output": cube}))
    assert "right but for the order of its dimensions" in said
    assert "(" not in said  # the answer is not given away


def test_errors_have_kind_message_and_shapes():
    said = words(Answer(problem=Problem("ValueError", "too many\ndetails")))
    assert said == "Your code raised ValueError: too many (called with x (2, 3, 4))"


def test_of_a_message_that_goes_on_elsewhere_the_beginning_is_told():
    torch_says = "max() got (a, b), but expected one of:\n * (Tensor input)\n"
    said = words(Answer(problem=Problem("TypeError", torch_says)))
    assert said == "Your code raised TypeError: max() got (a, b) (called with x (2, 3, 4))"


def test_the_method_that_failed_is_named():
    trial = call(x=X).but(build={"d_model": 4})
    trial.calls = [Call({"tokens": X}), Call({"source": X}, method="encode", training=True)]
    said = words(Answer(problem=Problem("ValueError", "no"), begun=2), trial=trial)
    assert "(made with d_model=4; `encode` called with source (2, 3, 4))" in said
    assert said.endswith(" (This was call 2 to the same object, in training mode.)")


def test_rounding_on_the_way_is_told_as_precision():
    right = torch.randn(9, 8, generator=torch.Generator().manual_seed(1))
    said = words(right.bfloat16() + 1e-5 * right.flip(0), Answer({"output": right}))
    assert "is only roughly right: it is off by up to" in said
    assert "half precision" in said


@pytest.mark.parametrize(
    "answer",
    [
        EXPECTED * 1.01,
        EXPECTED + 0.01,
        torch.cat([EXPECTED[:1], 1.01 * EXPECTED[1:]]),
        EXPECTED + 0.01 * torch.eye(5)[:, :4],
    ],
)
def test_a_small_error_that_goes_with_something_is_no_rounding(answer):
    assert "half precision" not in words(answer)


def test_memory_is_spoken_of_in_gigabytes():
    torch_says = (
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 20000000000 bytes."
    )
    said = words(Answer(problem=Problem("RuntimeError", torch_says)))
    assert "asked for 20.0 GB of memory at once" in said


def test_missing_names_are_told_with_those_that_are_there():
    expected = Answer({}, {"missing": [], "extra": []})
    said = words(Answer({}, {"missing": ["w_output.weight"], "extra": ["out.weight"]}), expected)
    assert "no parameter called `w_output.weight`" in said
    assert "`out.weight` instead" in said


def test_sharing_is_told_both_ways():
    shared, apart = Answer({}, {"shared": [("a", "b")]}), Answer({}, {"shared": []})
    assert "`a` and `b` must be one and the same parameter" in words(apart, shared)
    assert "stands under several names: `a` and `b`" in words(shared, apart)


def test_numbers_are_written_as_people_do():
    assert [number(x) for x in (1.0, 0.333333, 1e-9, float("nan"), float("-inf"))] == [
        *("1", "0.333", "1e-09", "NaN", "-inf")
    ]
    assert few(torch.arange(6)) == "0, 1, 2, 3, …"
    assert listing(["a"]) == "`a`"
    assert listing(["a", "b", "c"]) == "`a`, `b` and `c`"


def test_an_error_in_a_later_call_is_told_with_the_shapes_of_that_call():
    trial = call(x=X)
    trial.calls = [*trial.calls, Call({"x": torch.zeros(1, 1, 4)})]
    problem = Problem("ValueError", "no")
    said = words(Answer(problem=problem, begun=2), trial=trial)
    assert said.endswith("with x (1, 1, 4)) (This was call 2 of several.)")
    trial.build = {"d_model": 4}
    assert words(Answer(problem=problem), trial=trial).endswith(
        "(made with d_model=4; not yet called)"
    )


@pytest.mark.parametrize(
    ("yours", "expected", "sentence"),
    [
        (False, True, "This should hold, and does not with your code: two calls are alike."),
        (True, False, "This should not hold, and does with your code: two calls are alike."),
        ("0, 2", "0, 1.33", "two calls are alike: yours 0, 2, expected 0, 1.33."),
        ("0", None, "two calls are alike: yours 0; nothing of the kind is expected."),
        (None, "0", "two calls are alike: expected 0; with your code it cannot even be told."),
    ],
)
def test_facts_are_told_as_sentences(yours, expected, sentence):
    def fact(value):
        return Answer({}, {"two calls are alike": value})

    assert words(fact(yours), fact(expected)) == sentence
