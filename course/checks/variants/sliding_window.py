"""How sliding_window_mask and sliding_window_attention are checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import call, probe

from ..attention.masks import what_a_mask_shows
from ..shared import comparable, expected_shape, right_or_off, your_shape
from .shared import watched


def window_of(length, window):
    return call(length=length, window=window).but(sizes={"length": length, "window": window})


def window_of_some(draw):
    return window_of(draw.integer(7, 10), 3)


def window_of_more(draw):
    return window_of(9, draw.integer(4, 6))


def window_of_one(draw):
    return window_of(5, 1)


def window_of_two(draw):
    return window_of(6, 2)


def window_as_long(draw):
    return window_of(6, 6)


def window_far_longer(draw):
    return window_of(4, 9)


def window_over_one_token(draw):
    return window_of(1, 3)


def most_seen(seen):
    """A measure: how many keys a query sees at most in the learner's mask."""
    return int(seen.yours["output"].sum(-1).max())


sliding_window_mask = Exercise(
    id="variants.sliding_window_mask",
    properties=(
        Property(
            "values",
            3,
            "a position sees itself and the window - 1 positions before",
            (window_of_some, window_of_more),
        ),
        Property(
            "edges",
            2,
            "a window of one place, of two, and as long as the sequence",
            (window_of_one, window_of_two, window_as_long),
        ),
        Property(
            "sizes",
            1,
            "a window may be longer than the sequence",
            (window_far_longer, window_over_one_token),
        ),
        promises.dtype("the mask is boolean"),
    ),
    hints=(
        "Draw the mask for six tokens and a window of three: rows for queries, columns for keys.",
        "How far does a key lie behind its query? Whether it may be seen depends on that distance "
        "alone, which has a lower and an upper limit.",
        "Positions once as a column and once as a row; their difference (length, length); two "
        "comparisons, joined by and.",
    ),
    measures={
        "your_shape": your_shape,
        "expected_shape": expected_shape,
        "most_seen": most_seen,
    },
    symptoms=(what_a_mask_shows,),
)


def slide(draw, length, window, leading=(2, 3), d_k=4, d_v=6, spread=1.0):
    return call(
        query=draw.normal(*leading, length, d_k, scale=spread),
        key=draw.normal(*leading, length, d_k),
        value=draw.normal(*leading, length, d_v),
        window=window,
    ).but(sizes={"length": length, "window": window, "d_k": d_k, "d_v": d_v})


slide_over_whole_blocks = probe("slide_over_whole_blocks", slide, 8, 4)
slide_over_three_blocks = probe("slide_over_three_blocks", slide, 9, 3, leading=(2,))
slide_with_a_rest = probe("slide_with_a_rest", slide, 8, 3)
slide_with_a_rest_of_one = probe(
    "slide_with_a_rest_of_one", slide, 9, 4, leading=(3,), d_k=5, d_v=3
)
slide_with_window_of_one = probe("slide_with_window_of_one", slide, 5, 1)
slide_with_window_as_long = probe("slide_with_window_as_long", slide, 5, 5)
slide_with_longer_window = probe("slide_with_longer_window", slide, 4, 9)
slide_over_one_token = probe("slide_over_one_token", slide, 1, 2)
slide_without_batch = probe("slide_without_batch", slide, 7, 3, leading=(), d_k=5, d_v=4)
slide_over_more_dimensions = probe("slide_over_more_dimensions", slide, 5, 3, leading=(2, 1, 3))


def slide_strided(draw):
    return slide(draw, 7, 3).but(strided=True)


slide_with_strong_scores = probe("slide_with_strong_scores", slide, 8, 3, spread=1e4)


def slide_gradients(draw):
    return slide(draw, 7, 3, leading=(2,)).but(gradients=True)


def slide_over_many(draw):
    """A sequence far longer than its window, to see how large a tensor gets on the way."""
    trial = slide(draw, 40, 3, leading=(), d_k=2, d_v=2)
    return watched(trial, "scores of all queries and keys at once", 40 * 40)


def slide_in_float64(draw):
    return slide(draw, 7, 3).but(dtype=torch.float64)


def slide_in_bfloat16(draw):
    return slide(draw, 7, 3).but(dtype=torch.bfloat16)


LOOK_AT_BLOCKS = (
    "Take length 6 and window 3: write down for each query which keys it may see, and in which "
    "blocks they lie."
)


def wrong_places(seen):
    """A symptom: which positions come out right?"""
    yours, expected = comparable(seen)
    if yours is None or yours.dim() < 2:
        return None
    right, off = right_or_off(seen, yours, expected, [-2])
    wrong, length = off.nonzero().flatten().tolist(), yours.shape[-2]
    if not wrong or not bool(right.any()):
        return None
    return (
        f"Your output is right at some positions, and wrong at {', '.join(map(str, wrong))} (of "
        f"{length}, with a window of {seen['window']})."
    )


sliding_window_attention = Exercise(
    id="variants.sliding_window_attention",
    properties=(
        Property(
            "values",
            3,
            "the output is that of attention under the window's mask",
            (slide_over_whole_blocks, slide_over_three_blocks),
            look=LOOK_AT_BLOCKS,
        ),
        Property(
            "cost",
            2,
            "nothing on the way is as large as (length, length)",
            (slide_over_many,),
            look=LOOK_AT_BLOCKS,
        ),
        Property(
            "rest",
            1,
            "the length need not be a multiple of the window",
            (slide_with_a_rest, slide_with_a_rest_of_one),
            look="What stands in the last block behind the last token, and who may see it?",
        ),
        Property(
            "edges",
            1,
            "a window of one place, as long as the sequence, and longer",
            (
                slide_with_window_of_one,
                slide_with_window_as_long,
                slide_with_longer_window,
                slide_over_one_token,
            ),
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (slide_without_batch, slide_over_more_dimensions, slide_strided),
            look="Count dimensions from the right: -1 for features, -2 for tokens.",
        ),
        Property("stable", 1, "scores of any size are no trouble", (slide_with_strong_scores,)),
        promises.gradients("gradients reach query, key and value", slide_gradients),
        promises.dtype(
            "the result has the dtype of the query", slide_in_float64, slide_in_bfloat16
        ),
        promises.unchanged("query, key and value stay as they were"),
    ),
    hints=(
        "Take length 6 and window 3. Which keys may query 3 see, and which block are they in?",
        "Cut queries, keys and values into blocks. Beside each block's own keys and values lay "
        "those of the block before; the mask that is made for you says which of the two may be "
        "seen. Then attention works on all blocks at once, as on a batch.",
        "A function that pushes all blocks one place on (an empty one in front, the last one off) "
        "and joins them with the blocks themselves along the tokens; attention under the mask; "
        "blocks and places to one dimension again; the filling cut off.",
    ),
    measures={"your_shape": your_shape, "expected_shape": expected_shape},
    symptoms=(wrong_places,),
)
