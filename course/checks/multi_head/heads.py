"""How split_heads and merge_heads are checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import shape
from autograder.engine.trial import call, probe


def split(draw, batch=2, length=5, heads=3, d_head=4):
    return call(x=draw.normal(batch, length, heads * d_head), num_heads=heads).but(
        sizes={"batch": batch, "length": length, "heads": heads, "d_head": d_head}
    )


split_a_batch = probe("split_a_batch", split)
split_other_sizes = probe("split_other_sizes", split, batch=4, length=3, heads=2, d_head=5)
split_one_head = probe("split_one_head", split, heads=1, d_head=6)
split_one_token = probe("split_one_token", split, batch=1, length=1)
split_narrow_heads = probe("split_narrow_heads", split, heads=6, d_head=1)


def split_gradients(draw):
    return split(draw).but(gradients=True)


def split_in_float64(draw):
    return split(draw).but(dtype=torch.float64)


def split_strided(draw):
    return split(draw).but(strided=True)


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
        promises.gradients("gradients flow back", split_gradients),
        promises.dtype("the dtype stays", split_in_float64),
        promises.unchanged("x stays as it was"),
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
    return call(x=draw.normal(batch, heads, length, d_head)).but(
        sizes={"batch": batch, "length": length, "heads": heads, "d_head": d_head}
    )


merge_a_batch = probe("merge_a_batch", merge)
merge_other_sizes = probe("merge_other_sizes", merge, batch=4, length=3, heads=2, d_head=5)
merge_one_head = probe("merge_one_head", merge, heads=1, d_head=6)
merge_one_token = probe("merge_one_token", merge, batch=1, length=1)
merge_narrow_heads = probe("merge_narrow_heads", merge, heads=6, d_head=1)


def merge_strided(draw):
    return merge(draw).but(strided=True)


def merge_gradients(draw):
    return merge(draw).but(gradients=True)


def merge_in_float64(draw):
    return merge(draw).but(dtype=torch.float64)


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
        promises.gradients("gradients flow back", merge_gradients),
        promises.dtype("the dtype stays", merge_in_float64),
        promises.unchanged("x stays as it was"),
    ),
    hints=(
        "Whatever split_heads did last has to be undone first.",
        "The heads go back behind the length, so that the features of one token lie side by side.",
        "Two dimensions change places, then the last two become one.",
    ),
    measures={"your_shape": shapes},
)
