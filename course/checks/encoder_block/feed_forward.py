"""How FeedForward is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import shape
from autograder.engine.trial import Answer, Call, Trial, probe

from ..shared import comparable, levels, loaded, only_dtype, right_or_off, your_shape
from .shared import modes_alike, outputs


def think(draw, *leading, d_model=6, d_ff=10, **trial):
    """A trial with random weights and no dropout."""
    build = {"d_model": d_model, "d_ff": d_ff, "dropout": 0.0}
    state = {
        "linear1.weight": draw.normal(d_ff, d_model, scale=d_model**-0.5),
        "linear1.bias": draw.normal(d_ff, scale=0.5),
        "linear2.weight": draw.normal(d_model, d_ff, scale=d_ff**-0.5),
        "linear2.bias": draw.normal(d_model, scale=0.5),
    }
    x = draw.normal(*leading, d_model)
    sizes = {"d_model": d_model, "d_ff": d_ff}
    trial = Trial([Call({"x": x})], build, state=state, sizes=sizes, **trial)
    trial.digest = loaded
    return trial


think_about_a_batch = probe("think_about_a_batch", think, 2, 5)


def think_in_large_numbers(draw):
    trial = think(draw, 4, 3, d_model=5, d_ff=12)
    trial.calls = [Call({"x": draw.normal(4, 3, 5, scale=100.0)})]
    return trial


think_about_one_token = probe("think_about_one_token", think, d_model=7, d_ff=9)
think_about_heads = probe("think_about_heads", think, 2, 3, 4, d_model=5, d_ff=8)
think_narrowly = probe("think_narrowly", think, 3, 1, d_model=8, d_ff=4)
think_strided = probe("think_strided", think, 3, 4, strided=True)
think_gradients = probe("think_gradients", think, 2, 5, gradients=True)
think_in_float64 = probe("think_in_float64", think, 2, 5, dtype=torch.float64)


def think_in_bfloat16(draw):
    return only_dtype(think(draw, 2, 5, dtype=torch.bfloat16))


def think_in_training(draw):
    trial = think(draw, 2, 5)
    arguments = trial.calls[0].arguments
    trial.calls = [Call(arguments, training=True), Call(arguments)]
    trial.digest = modes_alike
    return trial


DROPPED = 0.3


def think_with_dropout(draw):
    """The first features go through unmixed, so that it shows what was dropped, and where."""
    d_model, d_ff, x = 8, 12, torch.ones(4, 100, 8)
    trial = think(draw, d_model=d_model, d_ff=d_ff)
    trial.build["dropout"] = DROPPED
    first_features = torch.eye(d_ff)[:, :d_model]
    trial.state = {
        "linear1.weight": first_features,
        "linear1.bias": torch.ones(d_ff),
        "linear2.weight": first_features.T,
        "linear2.bias": torch.full((d_model,), 2.0),
    }
    trial.calls = [Call({"x": x}, training=True), Call({"x": x}, training=True), Call({"x": x})]
    trial.digest = what_was_dropped
    return trial


def what_was_dropped(answer):
    """With nothing dropped each output is 2 + 2, of which the second 2 is linear2's bias."""
    answer = loaded(answer)
    first, second, off = outputs(answer, 0, 1, 2)
    if any(x is None for x in (first, second, off)):
        return answer
    shaped = answer.facts | {"shape of the output in training": shape(first)}
    if any(x.shape != (4, 100, 8) for x in (first, second, off)):
        return Answer({}, shaped)
    dropped = first == first.min()
    whole = bool((dropped == dropped[..., :1]).all() and not dropped.all())
    share = "whole tokens" if whole else f"{dropped.float().mean():.1f} of all features"
    facts = shaped | {
        "output in training, where it is 4 without dropout": levels(first),
        "output in eval mode": levels(off),
        "what is dropped": share,
        "two calls in training are alike": torch.equal(first, second),
    }
    return Answer({}, facts)


def tokens_mix(seen):
    """A symptom: is the output of some tokens right, and of others not?"""
    yours, theirs = comparable(seen)
    if yours is None or yours.dim() < 2:
        return None
    right, off = right_or_off(seen, yours, theirs, range(yours.dim() - 1))
    if not bool(right.any()) or not bool(off.any()):
        return None
    return (
        f"Your output is right for {int(right.sum())} of {off.numel()} tokens: what makes the "
        f"others different? Each should be treated alike, and on its own."
    )


LOOK_AT_FORMULA = "Compare with the formula in the docstring, from the inside out."


FeedForward = Exercise(
    id="encoder_block.FeedForward",
    properties=(
        promises.parts("linear1 widens and linear2 narrows again"),
        Property(
            "values",
            3,
            "the output is right for every token",
            (think_about_a_batch, think_in_large_numbers, think_strided),
            look=LOOK_AT_FORMULA,
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions and any d_ff will do",
            (think_about_one_token, think_about_heads, think_narrowly),
        ),
        Property(
            "dropout",
            2,
            "dropout acts on the hidden features, in training only",
            (think_with_dropout, think_in_training),
            look="There is one place for dropout: after the activation.",
        ),
        promises.gradients("gradients reach x and all parameters", think_gradients),
        promises.dtype("the result has the dtype of x", think_in_float64, think_in_bfloat16),
        promises.unchanged("x stays as it was"),
    ),
    hints=(
        "Read the formula from the inside out, and write the width of what you have on every step.",
        "Two Linears with a ReLU between them. nn.Linear works on the last dimension and leaves "
        "the others alone, so there is no need to reshape anything.",
        "In __init__ two Linears and a dropout; in forward linear1 and the activation, dropout, "
        "linear2.",
    ),
    measures={"dropped": lambda seen: DROPPED, "your_shape": your_shape},
    symptoms=(tokens_mix,),
)
