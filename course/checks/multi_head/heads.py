"""How split_heads and merge_heads are checked."""

import torch

from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import shape
from autograder.engine.trial import call


def split(draw, batch=2, length=5, heads=3, d_head=4):
    trial = call(x=draw.normal(batch, length, heads * d_head), num_heads=heads)
    trial.sizes = {"batch": batch, "length": length, "heads": heads, "d_head": d_head}
    return trial


def split_a_batch(draw):
    return split(draw)


def split_other_sizes(draw):
    return split(draw, batch=4, length=3, heads=2, d_head=5)


def split_one_head(draw):
    return split(draw, heads=1, d_head=6)


def split_one_token(draw):
    return split(draw, batch=1, length=1)


def split_narrow_heads(draw):
    return split(draw, heads=6, d_head=1)


def split_gradients(draw):
    trial = split(draw)
    trial.gradients = True
    return trial


def split_in_float64(draw):
    trial = split(draw)
    trial.dtype = torch.float64
    return trial


def split_strided(draw):
    trial = split(draw)
    trial.strided = True
    return trial


def shapes(seen):
    """Measures that both exercises' messages name."""
    return shape(seen.yours["output"])


LOOK_AT_ORDER = (
    "Number the features of one token 0, 1, 2, … and see where they end up: a reshape never moves "
    "numbers in memory, it only counts them out anew."
)

split_heads = Exercise(
    id="multi_head.split_heads",
    properties=(
        Property(
            "values",
            3,
            "every head gets its own features of every token",
            (split_a_batch, split_other_sizes, split_strided),
            look=LOOK_AT_ORDER,
        ),
        Property(
            "sizes",
            1,
            "one head, one token, heads of one feature",
            (split_one_head, split_one_token, split_narrow_heads),
        ),
        Property("gradients", 1, "gradients flow back", (split_gradients,), aspects=("gradient",)),
        Property("dtype", 1, "the dtype stays", (split_in_float64,), aspects=("dtype",)),
        Property("arguments", 1, "x stays as it was", aspects=("changed",)),
    ),
    hints=(
        "Take one token with features 0 1 2 3 4 5 and two heads: which features does head 0 get?",
        "First only the last dimension is cut in two; then the heads move to where attention "
        "wants them.",
        "A reshape to (batch, length, heads, d_head), then two dimensions change places.",
    ),
    measures={"your_shape": shapes},
)


def merge(draw, batch=2, length=5, heads=3, d_head=4):
    trial = call(x=draw.normal(batch, heads, length, d_head))
    trial.sizes = {"batch": batch, "length": length, "heads": heads, "d_head": d_head}
    return trial


def merge_a_batch(draw):
    return merge(draw)


def merge_other_sizes(draw):
    return merge(draw, batch=4, length=3, heads=2, d_head=5)


def merge_one_head(draw):
    return merge(draw, heads=1, d_head=6)


def merge_one_token(draw):
    return merge(draw, batch=1, length=1)


def merge_narrow_heads(draw):
    return merge(draw, heads=6, d_head=1)


def merge_strided(draw):
    trial = merge(draw)
    trial.strided = True
    return trial


def merge_gradients(draw):
    trial = merge(draw)
    trial.gradients = True
    return trial


def merge_in_float64(draw):
    trial = merge(draw)
    trial.dtype = torch.float64
    return trial


merge_heads = Exercise(
    id="multi_head.merge_heads",
    properties=(
        Property(
            "values",
            3,
            "the heads of every token stand side by side again",
            (merge_a_batch, merge_other_sizes, merge_strided),
            look=LOOK_AT_ORDER,
        ),
        Property(
            "sizes",
            1,
            "one head, one token, heads of one feature",
            (merge_one_head, merge_one_token, merge_narrow_heads),
        ),
        Property("gradients", 1, "gradients flow back", (merge_gradients,), aspects=("gradient",)),
        Property("dtype", 1, "the dtype stays", (merge_in_float64,), aspects=("dtype",)),
        Property("arguments", 1, "x stays as it was", aspects=("changed",)),
    ),
    hints=(
        "Whatever split_heads did last has to be undone first.",
        "The heads go back behind the length, so that the features of one token lie side by side.",
        "Two dimensions change places, then the last two become one.",
    ),
    measures={"your_shape": shapes},
)
