"""How sliding_window_mask and sliding_window_attention are checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.trial import call

from ..attention.masks import what_a_mask_shows
from ..shared import (
    always_float32,
    expected_shape,
    graph_cut,
    with_dtype,
    with_gradients,
    with_strides,
    your_shape,
)
from .shared import ALL_FLOAT, watched


def window_of(length, window):
    trial = call(length=length, window=window)
    trial.sizes = {"length": length, "window": window}
    return trial


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


SEES = "return (distance >= 0) & (distance < window)"


def sees(mistake_id, new, says, look, line=r"tril|triu|<|>|return"):
    return Mistake(mistake_id, ((SEES, f"return {new}"),), says, look, line)


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
        Property("dtype", 1, "the mask is boolean", aspects=("dtype",)),
    ),
    mistakes=(
        sees(
            "one_too_many",
            "(distance >= 0) & (distance <= window)",
            "Your queries see up to {most_seen} keys, and the window has {window} places: itself "
            "counts, too.",
            "With window=1, what is left?",
        ),
        sees(
            "one_too_few",
            "(distance >= 0) & (distance < window - 1)",
            "Your queries see up to {most_seen} keys, and the window has {window} places.",
            "With window=1, what is left?",
        ),
        sees(
            "not_itself",
            "(distance > 0) & (distance < window)",
            "Your diagonal is False: a position does not see itself.",
            "May a token look at itself?",
        ),
        sees(
            "window_behind_itself",
            "(distance > 0) & (distance <= window)",
            "Your window lies behind the position: it holds the {window} tokens before, and not "
            "the token itself.",
            "May a token look at itself?",
        ),
        sees(
            "both_sides",
            "distance.abs() < window",
            "Your window looks to both sides, as in the paper; asked for is the past only.",
            "What may a position see of its future?",
        ),
        sees(
            "centred",
            "distance.abs() <= window // 2",
            "Your window lies around the position, half of it in the future; asked for is the past "
            "only.",
            "What may a position see of its future?",
        ),
        sees(
            "future",
            "(distance <= 0) & (distance > -window)",
            "Your window looks forward: each position sees itself and what comes after.",
            "Rows are queries, columns are keys. Which side of the diagonal is the past?",
        ),
        sees(
            "everything_not_far_back",
            "distance < window",
            "Your mask hides what is too far back, but shows the whole future.",
            "A window has two edges.",
        ),
        sees(
            "no_window",
            "distance >= 0",
            "Your mask is the causal one: nothing is too far back.",
            "A window has two edges.",
        ),
        sees(
            "outside_of_the_window",
            "(distance >= 0) & (distance >= window)",
            "Your mask shows the past beyond the window, and hides the window.",
            "Which of the two should be True?",
        ),
        sees(
            "inverted",
            "~((distance >= 0) & (distance < window))",
            "Your mask is the other way round: True stands for what should be hidden.",
            "True means: may be attended to.",
            r"~|not|<|>|return",
        ),
        sees(
            "in_blocks",
            "(distance >= 0) & (position[:, None] // window == position[None, :] // window)",
            "Your window does not slide: positions are cut into blocks of {window}, and each sees "
            "only what is in its own block.",
            "The window ends at the position that looks.",
            r"//",
        ),
        sees(
            "always_a_full_window",
            "((distance >= 0) & (distance < window)) "
            "| ((position[:, None] < window) & (position[None, :] < window))",
            "Your first rows see {window} keys, too, some of them in the future: at the beginning "
            "a window is shorter.",
            "What may the very first position see?",
            r"max|clamp|min|\[",
        ),
        sees(
            "floats",
            "((distance >= 0) & (distance < window)).float()",
            "Your mask holds 1 and 0 as float32; expected is boolean, True and False.",
            "A comparison is boolean by itself.",
            r"ones|zeros|float|tril",
        ),
        sees(
            "integers",
            "((distance >= 0) & (distance < window)).long()",
            "Your mask holds 1 and 0 as whole numbers; expected is boolean, True and False.",
            "A comparison is boolean by itself.",
            r"ones|zeros|int|long|tril",
        ),
        sees(
            "minus_infinity",
            "torch.zeros(length, length).masked_fill("
            "(distance < 0) | (distance >= window), float('-inf'))",
            "Your mask holds 0 and -inf, to be added to scores; expected is boolean: True where a "
            "query may attend.",
            "Which of the two does the docstring ask for?",
            r"inf|fill",
        ),
        sees(
            "extra_dimension",
            "((distance >= 0) & (distance < window))[None]",
            "Your mask has shape {your_shape}; expected is {expected_shape}: it broadcasts by "
            "itself.",
            "Compare the shape with the docstring.",
            r"None|unsqueeze|view",
        ),
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
    trial = call(
        query=draw.normal(*leading, length, d_k, scale=spread),
        key=draw.normal(*leading, length, d_k),
        value=draw.normal(*leading, length, d_v),
        window=window,
    )
    trial.sizes = {"length": length, "window": window, "d_k": d_k, "d_v": d_v}
    return trial


def slide_over_whole_blocks(draw):
    return slide(draw, 8, 4)


def slide_over_three_blocks(draw):
    return slide(draw, 9, 3, leading=(2,))


def slide_with_a_rest(draw):
    return slide(draw, 8, 3)


def slide_with_a_rest_of_one(draw):
    return slide(draw, 9, 4, leading=(3,), d_k=5, d_v=3)


def slide_with_window_of_one(draw):
    return slide(draw, 5, 1)


def slide_with_window_as_long(draw):
    return slide(draw, 5, 5)


def slide_with_longer_window(draw):
    return slide(draw, 4, 9)


def slide_over_one_token(draw):
    return slide(draw, 1, 2)


def slide_without_batch(draw):
    return slide(draw, 7, 3, leading=(), d_k=5, d_v=4)


def slide_over_more_dimensions(draw):
    return slide(draw, 5, 3, leading=(2, 1, 3))


def slide_strided(draw):
    return with_strides(slide(draw, 7, 3))


def slide_with_strong_scores(draw):
    return slide(draw, 8, 3, spread=1e4)


def slide_gradients(draw):
    return with_gradients(slide(draw, 7, 3, leading=(2,)))


def slide_over_many(draw):
    """A sequence far longer than its window, to see how large a tensor gets on the way."""
    trial = slide(draw, 40, 3, leading=(), d_k=2, d_v=2)
    return watched(trial, "scores of all queries and keys at once", 40 * 40)


def slide_in_float64(draw):
    return with_dtype(slide(draw, 7, 3), torch.float64)


def slide_in_bfloat16(draw):
    return with_dtype(slide(draw, 7, 3), torch.bfloat16)


CUT = "query = cut(query)"
NO_FIRST = "mask[0, :, :window] = False"
SLIDE = "output, _ = scaled_dot_product_attention(query, key, value, mask)"
UNCUT = "return output.flatten(-3, -2)[..., :length, :]"
NEIGHBOURS = "key, value = with_previous(cut(key)), with_previous(cut(value))"
PREVIOUS = "previous = F.pad(x, (0, 0, 0, 0, 1, 0))[..., :-1, :, :]"
SIDE_BY_SIDE = "return torch.cat([previous, x], dim=-2)"
IN_ONE_GO = "return scaled_dot_product_attention(query, key, value, {})[0]"
LOOK_AT_BLOCKS = (
    "Take length 6 and window 3: write down for each query which keys it may see, and in which "
    "blocks they lie."
)


def under(mask):
    """Edits that come to full attention under another mask: query by query, and all at once."""
    by_query = (
        "return torch.cat([scaled_dot_product_attention(query[..., i : i + 1, :], key, value, "
        f"({mask})[i : i + 1])[0] for i in range(length)], dim=-2)"
    )
    return ((CUT, by_query),), ((CUT, IN_ONE_GO.format(mask)),)


def in_one_go(mistake_id, mask, says, look, line=r"mask"):
    edits, variation = under(mask)
    return Mistake(mistake_id, edits, says, look, line, variations=(variation,))


def wrong_places(seen):
    """A symptom: which positions come out right?"""
    yours, expected = seen.yours["output"].float(), seen.theirs["output"].float()
    if yours.shape != expected.shape or yours.dim() < 2:
        return None
    off = (yours - expected).abs().amax(-1).flatten(0, -2) if yours.dim() > 2 else None
    off = (yours - expected).abs().amax(-1)[None] if off is None else off
    wrong = (~(off < 1e-2)).any(0).nonzero().flatten().tolist()
    length = yours.shape[-2]
    if not wrong or len(wrong) == length:
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
        Property(
            "gradients",
            1,
            "gradients reach query, key and value",
            (slide_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the query",
            (slide_in_float64, slide_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "query, key and value stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "full_matrix",
            ((CUT, IN_ONE_GO.format("sliding_window_mask(length, window)")),),
            "The numbers are right, but on the way there is a tensor as large as all {length} · "
            "{length} scores: that costs as much as full attention.",
            LOOK_AT_BLOCKS,
            r"attention\(|@|matmul|einsum",
        ),
        in_one_go(
            "window_ignored",
            "causal_mask(length)",
            "Your queries see their whole past: `window` makes no difference.",
            "Which of your lines should speak of `window`?",
            r"causal|mask",
        ),
        in_one_go(
            "nothing_hidden",
            "torch.ones(length, length, dtype=torch.bool, device=query.device)",
            "Every query sees every key, also those of the future.",
            "What does the mask that is made for you say?",
            r"attention\(",
        ),
        in_one_go(
            "window_one_too_long",
            "sliding_window_mask(length, window + 1)",
            "Your queries see one key more than the {window} of the window.",
            "With window=1, what should each position see?",
        ),
        in_one_go(
            "window_one_too_short",
            "sliding_window_mask(length, max(window - 1, 1))",
            "Your queries see one key fewer than the {window} of the window.",
            "With window=1, what should each position see?",
        ),
        in_one_go(
            "both_sides",
            "sliding_window_mask(length, window) | sliding_window_mask(length, window).T",
            "Your window looks to both sides, as in the paper; asked for is the past only.",
            "What may a position see of its future?",
        ),
        in_one_go(
            "future",
            "sliding_window_mask(length, window).T",
            "Your window looks forward: each position sees itself and what comes after.",
            "Rows are queries, columns are keys. Which side of the diagonal is the past?",
        ),
        Mistake(
            "own_block_only",
            ((CUT, f"mask[:, :, :window] = False\n    {CUT}"),),
            "Each query sees only what lies in its own block of {window}: the first of a block "
            "sees nothing but itself.",
            LOOK_AT_BLOCKS,
            r"cat|block|unflatten|mask",
        ),
        Mistake(
            "whole_own_block",
            (
                (NEIGHBOURS, "key, value = cut(key), cut(value)"),
                (SLIDE, SLIDE.replace("mask)", "None)")),
            ),
            "Each query sees all of its own block of {window}, also what comes after it, and "
            "nothing of the block before.",
            LOOK_AT_BLOCKS,
            r"attention\(",
        ),
        Mistake(
            "both_blocks_whole",
            ((SLIDE, SLIDE.replace("mask)", "None)")),),
            "Each query sees its own block and the one before as a whole: the mask is not handed "
            "on.",
            "What does the mask that is made for you say?",
            r"attention\(",
        ),
        Mistake(
            "mask_inverted",
            ((SLIDE, SLIDE.replace("mask)", "~mask)")),),
            "Your mask works the other way round: your queries see what they should not.",
            "True means: may be attended to.",
            r"~|mask",
        ),
        Mistake(
            "own_block_first",
            ((SIDE_BY_SIDE, "return torch.cat([x, previous], dim=-2)"),),
            "You put each block's own keys in front of those of the block before; the columns of "
            "the mask have the block before first.",
            "In which order do the columns of the mask speak of the keys?",
            r"cat",
        ),
        Mistake(
            "next_block",
            (
                (
                    PREVIOUS,
                    "previous = F.pad(x, (0, 0, 0, 0, 0, 1))[..., 1:, :, :]",
                ),
            ),
            "You put the block after beside each block, and not the one before.",
            "Into which direction do the blocks have to be pushed?",
            r"roll|pad|cat|\[",
        ),
        Mistake(
            "own_block_twice",
            ((PREVIOUS, "previous = x"),),
            "You put each block beside itself: what stands for the block before is the same block "
            "again.",
            "Into which direction do the blocks have to be pushed?",
            r"roll|pad|cat",
        ),
        Mistake(
            "zeros_attended",
            ((NO_FIRST, "pass"),),
            "The first queries also see the zeros in front of the first token: a score of 0 is a "
            "score like any other, and takes a part of the weight.",
            "What stands before the first token, and who says that it may not be seen?",
            r"pad|zeros|mask",
            variations=(((NO_FIRST, "pass"), ("window = min(window, length)", "pass")),),
        ),
        Mistake(
            "first_block_for_all",
            ((PREVIOUS, "previous = x[..., :1, :, :].expand_as(x)"),),
            "What stands for the block before is the first block, for all blocks.",
            "Into which direction do the blocks have to be pushed?",
            r"roll|pad|cat|expand|repeat",
        ),
        Mistake(
            "values_not_with_keys",
            (
                (
                    NEIGHBOURS,
                    "key = with_previous(cut(key))\n"
                    "    value = torch.cat([cut(value), cut(value)], dim=-2)",
                ),
            ),
            "Your keys come from the block before and from the own block, but your values come "
            "from the own block twice.",
            "Every key needs its own value beside it.",
            r"value",
        ),
        Mistake(
            "values_in_other_order",
            (
                (
                    NEIGHBOURS,
                    "key, value = with_previous(cut(key)), with_previous(cut(value))\n"
                    "    value = torch.cat([value[..., window:, :], value[..., :window, :]], -2)",
                ),
            ),
            "Your keys have the block before first, your values the own block: each key gets "
            "another's value.",
            "Every key needs its own value beside it.",
            r"cat",
        ),
        Mistake(
            "filling_left_on",
            ((UNCUT, "return output.flatten(-3, -2)"),),
            "Your result has shape {your_shape}, expected {expected_shape}: the zeros that filled "
            "up the last block are still there.",
            "How many tokens went in?",
            r"flatten|reshape|return",
        ),
        Mistake(
            "last_tokens_lost",
            (
                (
                    UNCUT,
                    "return output.flatten(-3, -2)[..., : length // window * window, :]",
                ),
            ),
            "Your result has shape {your_shape}, expected {expected_shape}: the tokens of the last "
            "block, which is not full, are missing.",
            "How many tokens went in?",
            r"flatten|reshape|return|//",
        ),
        Mistake(
            "blocks_left_apart",
            ((UNCUT, "return output"),),
            "Your result has shape {your_shape}: blocks and their places are still two dimensions; "
            "expected {expected_shape}.",
            "Which two dimensions have to become one again?",
            r"return",
        ),
        Mistake(
            "blocks_and_places_mixed",
            ((UNCUT, UNCUT.replace("output.flatten", "output.transpose(-3, -2).flatten")),),
            "The shape is right, but the tokens stand in another order: first the first token of "
            "every block, then the second of every block.",
            "In which order do the tokens come, if block stands in front of place?",
            r"transpose|permute|flatten|reshape",
        ),
        Mistake(
            "output_and_weights",
            (
                (SLIDE, SLIDE.replace("output, _ =", "output, weights =")),
                (UNCUT, f"{UNCUT}, weights"),
            ),
            "You return two things; expected is the output alone.",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "scaled_twice",
            ((SLIDE, SLIDE.replace("(query,", "(query / math.sqrt(query.shape[-1]),")),),
            "Your scores are divided by the root of d_k={d_k} twice: the weights are too flat.",
            "The attention of lesson 1 scales by itself.",
            r"sqrt",
        ),
        Mistake(
            "no_scale",
            ((SLIDE, SLIDE.replace("(query,", "(query * math.sqrt(query.shape[-1]),")),),
            "Your scores are not scaled by the root of d_k={d_k}: the weights are too sharp.",
            "Scores grow with the width of the vectors.",
            r"@|matmul|einsum",
        ),
        Mistake(
            "dimensions_counted_from_left",
            ((SIDE_BY_SIDE, "return torch.cat([previous, x], dim=2)"),),
            "You put blocks together along dimension 2. That is the right one only if there is "
            "exactly one leading dimension.",
            "Count dimensions from the right.",
            r"dim ?= ?\d|, \d\)",
        ),
        graph_cut((UNCUT, f"{UNCUT}.detach()"), whom="query, key and value"),
        always_float32(
            (UNCUT, f"{UNCUT}.float()"),
            variations=(((CUT, f"{ALL_FLOAT}{CUT}"),),),
        ),
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
