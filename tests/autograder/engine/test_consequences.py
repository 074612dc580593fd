"""One mistake is known by its numbers, whatever follows from it in code written in another way; and
what a learner should look at first is told first."""

import functools

import pytest
import torch

from autograder.engine import limits
from autograder.engine.consequences import agrees, follows, resembles
from autograder.engine.examine import examine
from autograder.engine.mistakes import wrong
from autograder.engine.trial import Answer, Problem, call
from course.checks import find

ATTENTION = find("attention.scaled_dot_product_attention")
TRIAL = call(x=torch.ones(1))
NAN = float("nan")


def answer(*numbers):
    return Answer({"output": torch.tensor(numbers)})


RIGHT = answer(1.0, 2.0, 3.0, 4.0)
WRONG = answer(5.0, 6.0, 7.0, 8.0)


def test_where_one_has_no_number_the_others_tell():
    assert resembles(answer(5.0, 6.0, 7.0, NAN), WRONG, TRIAL, RIGHT)
    assert resembles(WRONG, answer(NAN, 6.0, 7.0, 8.0), TRIAL, RIGHT)


def test_another_number_is_another_mistake():
    assert not resembles(answer(5.0, 6.0, 7.5, NAN), WRONG, TRIAL, RIGHT)
    assert not agrees(answer(5.0, 6.0, 7.5, NAN), WRONG, TRIAL)


def test_what_is_right_or_no_number_at_all_tells_nothing():
    assert not resembles(RIGHT, RIGHT, TRIAL, RIGHT)
    assert not resembles(answer(NAN, NAN, NAN, NAN), WRONG, TRIAL, RIGHT)
    assert not resembles(answer(5.0, NAN, NAN, NAN), WRONG, TRIAL, RIGHT)


def test_nan_follows_only_where_a_number_is_missing():
    assert follows(answer(5.0, NAN, 7.0, 8.0), WRONG, TRIAL)
    assert not follows(WRONG, WRONG, TRIAL)
    assert not follows(answer(1.0, NAN, 7.0, 8.0), WRONG, TRIAL)


def test_an_exception_follows_only_from_another_one():
    raised = Answer(problem=Problem("RuntimeError", "no"))
    assert follows(raised, raised, TRIAL)
    assert not follows(raised, WRONG, TRIAL)


def inverted(query, key, value, mask=None, hide=float("-inf"), mend=lambda weights, mask: weights):
    """The mask is inverted, and hidden scores are hidden in some way."""
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(mask, hide)
    weights = scores.softmax(dim=-1)
    weights = weights if mask is None else mend(weights, mask)
    return weights @ value, weights


STYLES = {
    "minus infinity": {},
    "nan_to_num afterwards": {"mend": lambda weights, mask: weights.nan_to_num(0.0)},
    "a large number": {"hide": -1e9},
    "the lowest number": {"hide": torch.finfo(torch.float32).min},
    "erased afterwards": {
        "hide": -1e9,
        "mend": lambda weights, mask: weights.masked_fill(mask, 0.0),
    },
}


@pytest.mark.parametrize("style", STYLES)
def test_an_inverted_mask_is_named_however_scores_are_hidden(style):
    found = examine(ATTENTION, functools.partial(inverted, **STYLES[style]), seed=1)
    assert found.diagnosis == "mask_inverted"
    assert found.also is None
    assert not any("NaN" in said for said in found.explanation)


BOOKKEEPING = ("left_in_eval_mode", "left_in_training_mode", "gradients_switched_off")


@pytest.mark.parametrize("kept", BOOKKEEPING)
@pytest.mark.parametrize("mistake", ["first_position", "end_left_out", "filled_with_start"])
def test_the_mode_hides_no_wrong_token_of_a_greedy_search(mistake, kept):
    both = wrong("training.greedy_decode", mistake, kept)
    found = examine(find("greedy_decode"), both, seed=1)
    assert found.diagnosis == mistake
    assert found.also in (kept, None)


def test_a_beam_search_without_its_penalty_is_told_that_first(monkeypatch):
    """That it forgets the mode as well comes second: it shows in other probes."""
    monkeypatch.setattr(limits, "PATIENCE", 60.0)
    both = wrong("training.beam_search", "not_in_eval_mode", "no_length_penalty")
    found = examine(find("beam_search"), both, seed=1, seconds=60.0)
    assert (found.diagnosis, found.also) == ("no_length_penalty", "not_in_eval_mode")


def test_of_two_mistakes_the_one_that_should_be_looked_at_first_is_told_first():
    both = wrong("encoder_block.LayerNorm", "starts_the_wrong_way_round", "spread_detached")
    found = examine(find("LayerNorm"), both, seed=1)
    assert (found.diagnosis, found.also) == ("starts_the_wrong_way_round", "spread_detached")
    assert found.explanation[2].startswith("There is a second thing: ")


PAIRS = [
    ("no_scale", "erased_after_softmax"),
    ("scaled_by_width", "mask_ignored"),
    ("keys_in_place_of_values", "hidden_by_minus_10"),
]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("order", [1, -1])
def test_what_is_wrong_without_a_mask_is_told_before_the_mask(pair, order):
    found = examine(ATTENTION, wrong(ATTENTION.id, *pair[::order]), seed=1)
    assert (found.diagnosis, found.also) == pair


def test_what_a_known_mistake_does_not_explain_is_told_before_it():
    """Nobody knows why the tokens are wrong; that the mode is not kept comes later."""
    greedy = wrong("training.greedy_decode", "left_in_eval_mode")

    def strange(model, source, start, end, max_length=50):
        tokens = greedy(model, source, start, end, max_length)
        return tokens.flip(0) if len(tokens) > 1 else tokens

    found = examine(find("greedy_decode"), strange, seed=1)
    assert found.explanation[0].startswith("Row 0 of your answer")
    assert found.diagnosis is None or found.more


def test_what_follows_from_wrong_numbers_alone_is_not_said_to_be_broken():
    """Whether dropout hits x cannot be told of a block that never adds x."""
    found = examine(
        find("EncoderBlock"), wrong("encoder_block.EncoderBlock", "no_residual"), seed=1
    )
    [dropout] = [p.says for p in find("EncoderBlock").properties if p.name == "dropout"]
    assert dropout in found.not_reached
    assert dropout not in found.broken
