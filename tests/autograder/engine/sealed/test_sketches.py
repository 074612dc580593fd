"""A sketch tells whether another answer is the same, and gives no numbers away."""

import hashlib
import json

import pytest
import torch

from autograder.engine.compare import differences
from autograder.engine.consequences import resembles
from autograder.engine.diagnose import is_explained
from autograder.engine.sealed.sketches import as_data, from_data, sketched, weights
from autograder.engine.trial import Answer, Problem, Trial

TRIAL = Trial([])
NAN, INF = float("nan"), float("inf")
GRADIENT = "gradient of x"


def array(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


RIGHT = Answer({"output": array(4, 6), GRADIENT: array(5, seed=1)}, {"fact": "as it is"})


def wrong(**changes):
    return Answer(RIGHT.arrays | changes.pop("arrays", {}), RIGHT.facts | changes.pop("facts", {}))


def row_changed(number, by=0.5):
    output = RIGHT.arrays["output"].clone()
    output[number] += by * array(6, seed=2)
    return output


def beside(mistake, mine):
    """What is known of a mistake, beside somebody's answer; by way of a file."""
    data = json.loads(json.dumps(as_data(sketched(mistake, RIGHT, TRIAL))))
    return from_data(data).beside(mine, RIGHT, TRIAL)


MISTAKES = {
    "one row": wrong(arrays={"output": row_changed(2)}),
    "another row": wrong(arrays={"output": row_changed(3)}),
    "all rows": wrong(arrays={"output": RIGHT.arrays["output"] * 2}),
    "turned": wrong(arrays={"output": RIGHT.arrays["output"].T.contiguous()}),
    "flipped": wrong(arrays={"output": RIGHT.arrays["output"].flip(1)}),
    "no numbers": wrong(arrays={"output": torch.full((4, 6), NAN)}),
    "some numbers": wrong(arrays={"output": row_changed(1).index_fill(0, torch.tensor(2), INF)}),
    "a gradient": wrong(arrays={GRADIENT: array(5, seed=4)}),
    "a fact": wrong(facts={"fact": [1, "two"]}),
    "a mask": wrong(arrays={"output": RIGHT.arrays["output"] > 0}),
    "whole numbers": wrong(arrays={"output": (9 * RIGHT.arrays["output"]).long()}),
    "a number": wrong(arrays={"output": torch.tensor(3.0)}),
    "no array": Answer({GRADIENT: RIGHT.arrays[GRADIENT]}, RIGHT.facts),
    "one array more": wrong(arrays={"more": array(2, 2)}),
    "an error": Answer({}, {}, Problem("ValueError", "no")),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("other", MISTAKES)
def test_it_is_like_the_same_answer_and_like_no_other(name, other):
    mistake, mine = MISTAKES[name], MISTAKES[other]
    aspects = {difference.aspect for difference in differences(mistake, RIGHT, TRIAL)}
    for is_like in (
        lambda known: is_explained(mine, known, aspects, TRIAL, RIGHT),
        lambda known: resembles(mine, known, TRIAL, RIGHT),
    ):
        assert is_like(beside(mistake, mine)) == is_like(mistake)


@pytest.mark.parametrize("name", MISTAKES)
def test_rounding_hides_nothing(name):
    mistake = MISTAKES[name]
    arrays = {
        n: x + 3e-7 * array(*x.shape, 1, seed=9)[..., 0] if x.is_floating_point() else x
        for n, x in mistake.arrays.items()
    }
    mine = Answer(arrays, mistake.facts, mistake.problem)
    aspects = {difference.aspect for difference in differences(mistake, RIGHT, TRIAL)}
    assert is_explained(mine, beside(mistake, mine), aspects, TRIAL, RIGHT)


def test_what_is_right_is_not_in_it():
    [[_, _, _, rows, projected, _]] = as_data(sketched(MISTAKES["one row"], RIGHT, TRIAL))[
        "arrays"
    ].values()
    assert rows == [2]
    assert len(projected) == 2  # of six numbers, so that they cannot be had
    assert "arrays" not in as_data(sketched(MISTAKES["a fact"], RIGHT, TRIAL))


def test_of_a_whole_gradient_there_are_four_numbers():
    wide = {GRADIENT: array(30, 40)}
    sketch = sketched(Answer({GRADIENT: 2 * wide[GRADIENT]}), Answer(wide), TRIAL)
    assert sketch.arrays[GRADIENT].projected.numel() == 4


def test_random_weights_are_the_same_everywhere_and_let_nothing_through():
    assert weights(3, 2).tolist() == weights(3, 2).tolist()
    for length in (1, 2, 7, 500):
        assert (weights(length, 4).abs() >= 0.5 / length**0.5).all()
    # The first two numbers of the hash, worked out by hand.
    first = hashlib.shake_256(b"1").digest(2)
    drawn = int.from_bytes(first, "little", signed=True) / 2**15
    assert float(weights(1, 1)) == pytest.approx(drawn + (0.5 if drawn >= 0 else -0.5))
