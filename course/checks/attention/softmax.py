"""How softmax is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import few, number
from autograder.engine.trial import call

from ..ready_made import SOFTMAX


def softmax_of_scores(draw):
    return call(x=draw.normal(2, 3, 5), dim=-1)


def softmax_without_dim(draw):
    return call(x=draw.normal(4, 6))


def softmax_of_one_score(draw):
    return call(x=draw.normal(3, 1), dim=-1)


def softmax_along_first(draw):
    return call(x=draw.normal(4, 3, 5), dim=0)


def softmax_along_middle(draw):
    return call(x=draw.normal(2, 5, 4), dim=1)


# exp(x - logsumexp(x)) is a right softmax, too; in float32 it keeps three digits of large scores.
LARGE = 300.0


def softmax_of_large_scores(draw):
    return call(x=draw.normal(3, 6, scale=1e4), dim=-1).but(tolerance=LARGE)


def softmax_of_distant_rows(draw):
    """Rows whose scores lie thousands apart: each needs a shift of its own."""
    return call(x=draw.normal(3, 6) + torch.tensor([[-5000.0], [0.0], [3000.0]]), dim=-1).but(
        tolerance=LARGE
    )


def softmax_of_ruled_out(draw):
    """In some rows all that is left lies low, so that a low number is no stand-in for -inf."""
    x = draw.normal(4, 6) - torch.tensor([[0.0], [0.0], [1e3], [9e3]])
    x[0, 1] = x[1, 0] = x[1, 5] = x[2, 3] = x[3, 2] = float("-inf")
    trial = call(x=x, dim=-1)
    trial.tolerance = LARGE
    return trial


def softmax_gradients(draw):
    return call(x=draw.normal(3, 7), dim=-1).but(gradients=True)


def softmax_in_float64(draw):
    return call(x=draw.normal(3, 7), dim=-1).but(dtype=torch.float64)


def softmax_in_bfloat16(draw):
    return call(x=draw.normal(3, 7), dim=-1).but(dtype=torch.bfloat16)


def softmax_strided(draw):
    return call(x=draw.normal(5, 3), dim=-1).but(strided=True)


def adds_up(dim):
    """A measure: what the output adds up to along a dimension."""
    return lambda seen: few(seen.yours["output"].sum(dim))


softmax = Exercise(
    id="attention.softmax",
    properties=(
        Property(
            "values",
            2,
            "the weights along the last dimension are right",
            (softmax_of_scores, softmax_without_dim, softmax_of_one_score, softmax_strided),
        ),
        Property(
            "dim",
            1,
            "`dim` says along which dimension they add up to 1",
            (softmax_along_first, softmax_along_middle),
        ),
        Property(
            "stable",
            2,
            "scores of any size give numbers, and a score of -inf exactly 0",
            (softmax_of_large_scores, softmax_of_distant_rows, softmax_of_ruled_out),
            look="What is the largest number whose exponential still fits into a float?",
        ),
        promises.gradients("gradients flow back to the scores", softmax_gradients),
        promises.dtype(
            "the result has the dtype of the scores", softmax_in_float64, softmax_in_bfloat16
        ),
        promises.unchanged("the scores that came in stay as they were"),
    ),
    hints=(
        "Take three scores, 1, 2 and 3, and work out their weights on paper first.",
        "Exponentials make all numbers positive, a sum turns them into shares. The same number "
        "taken from all scores changes nothing in the fraction: choose it so that nothing can "
        "overflow.",
        "Four steps: the maximum along dim, the exponentials of what lies below it, their sum "
        "along dim, and a division. Maximum and sum must keep the dimension, with size 1.",
    ),
    refuses=SOFTMAX,
    instead="write it with exponentials and a sum.",
    measures={
        "sums": adds_up(-1),
        "total": lambda seen: number(seen.yours["output"].sum()),
        "few": lambda seen: few(seen.yours["output"]),
        "least": lambda seen: number(seen.yours["output"].min()),
        "most": lambda seen: number(seen.yours["output"].max()),
    },
)
