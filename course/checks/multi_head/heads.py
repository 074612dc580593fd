"""How split_heads and merge_heads are checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import shape
from autograder.engine.trial import call

from ..shared import CUTS, LOOK_FOR_CUTS


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
CUT = "x = x.reshape(batch, length, num_heads, d_head)"
TURN = "return x.transpose(1, 2)"

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
    mistakes=(
        Mistake(
            "reshape_only",
            ((CUT, "x = x.reshape(batch, num_heads, length, d_head)"), (TURN, "return x")),
            "The shape is right and the numbers are in the wrong places: reshaping (batch, length, "
            "d_model) straight to (batch, heads, length, d_head) gives head 0 all features of the "
            "first tokens, in place of some features of all tokens.",
            LOOK_AT_ORDER,
            r"view|reshape|unflatten",
        ),
        Mistake(
            "not_turned",
            ((TURN, "return x"),),
            "Your result has shape {your_shape}, (batch, length, heads, d_head): the features are "
            "cut rightly, but the heads do not yet stand beside the batch.",
            "Which two dimensions have to change places?",
            r"return|view|reshape|unflatten",
        ),
        Mistake(
            "interleaved",
            (
                (CUT, "x = x.reshape(batch, length, d_head, num_heads)"),
                (TURN, "return x.permute(0, 3, 1, 2)"),
            ),
            "You deal the features out like cards: head 0 gets features 0, {heads}, …; it is to "
            "get the first {d_head} in a row.",
            "In which order do heads and features stand, when the last dimension is cut?",
            r"view|reshape|unflatten",
        ),
        Mistake(
            "wrong_dimensions_turned",
            ((TURN, "return x.transpose(2, 3)"),),
            "Your result has shape {your_shape}: you turned heads and features round, and not "
            "length and heads.",
            "Which two dimensions have to change places?",
            r"transpose|permute|swap|move",
        ),
        Mistake(
            "heads_before_batch",
            ((TURN, "return x.permute(2, 0, 1, 3)"),),
            "Your result has shape {your_shape}, with the heads in front of the batch; expected "
            "is (batch, heads, length, d_head).",
            "The batch comes first, always.",
            r"transpose|permute|stack|move",
        ),
        Mistake(
            "heads_merged_with_batch",
            ((TURN, "return x.transpose(1, 2).flatten(0, 1)"),),
            "Your result has shape {your_shape}: heads and batch are one dimension; expected are "
            "two, (batch, heads, length, d_head).",
            "Where does your code make one dimension of two?",
            r"view|reshape|flatten|cat",
        ),
        Mistake(
            "heads_and_width_confused",
            ((CUT, "x = x.reshape(batch, length, d_head, num_heads)"),),
            "Your result has shape {your_shape}: it has d_head={d_head} heads of {heads} features, "
            "and is to have {heads} heads of {d_head} features.",
            "d_head is the width of one head, num_heads says how many there are.",
            r"view|reshape|unflatten",
        ),
        Mistake(
            "only_first_head",
            ((TURN, "return x.transpose(1, 2)[:, :1].expand(-1, num_heads, -1, -1)"),),
            "All your heads have the features of head 0.",
            "Does your loop over heads use its counter?",
            r"for|expand|repeat",
        ),
        Mistake(
            "feature_order_reversed",
            ((TURN, "return x.transpose(1, 2).flip(1)"),),
            "Your heads stand in reverse order: head 0 has the last features.",
            "Head 0 gets the first d_head features.",
            r"flip|::-1|insert|reversed",
        ),
        Mistake(
            "graph_cut",
            ((TURN, "return x.transpose(1, 2).detach()"),),
            "The numbers are right, but no gradient gets back to x.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
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


TURN_BACK = "x = x.transpose(1, 2)"
JOIN = "return x.reshape(batch, length, heads * d_head)"

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
    mistakes=(
        Mistake(
            "reshape_only",
            ((TURN_BACK, "pass"),),
            "The shape is right and the numbers are in the wrong places: reshaping (batch, heads, "
            "length, d_head) straight to (batch, length, d_model) puts several tokens of one head "
            "side by side, in place of several heads of one token.",
            LOOK_AT_ORDER,
            r"view|reshape|flatten",
        ),
        Mistake(
            "viewed_after_turning",
            ((JOIN, "return x.view(batch, length, heads * d_head)"),),
            "After the transpose the numbers do not lie in memory in the order that you want to "
            "see them in, and .view() only works if they do.",
            "Which function copies where that is needed?",
            r"view",
        ),
        Mistake(
            "interleaved",
            (
                (TURN_BACK, "x = x.permute(0, 2, 3, 1)"),
                (JOIN, "return x.reshape(batch, length, heads * d_head)"),
            ),
            "You deal the features out like cards: your first {heads} features are the first "
            "of every head; they are to be {d_head} of head 0, then those of head 1.",
            "In which order do heads and features stand before they are joined?",
            r"permute|transpose",
        ),
        Mistake(
            "heads_averaged",
            ((JOIN, "return x.mean(2)"),),
            "You average the heads: your result is {d_head} wide, expected is {heads} · {d_head}.",
            "What each head has found is to be kept: side by side.",
            r"mean",
        ),
        Mistake(
            "heads_summed",
            ((JOIN, "return x.sum(2)"),),
            "You add up the heads: your result is {d_head} wide, expected is {heads} · {d_head}.",
            "What each head has found is to be kept: side by side.",
            r"sum",
        ),
        Mistake(
            "heads_in_reverse",
            ((TURN_BACK, "x = x.flip(1).transpose(1, 2)"),),
            "Your heads stand in reverse order: the features of the last head come first.",
            "Head 0 comes first.",
            r"flip|::-1|reversed",
        ),
        Mistake(
            "heads_kept",
            ((JOIN, "return x"),),
            "Your result still has four dimensions, {your_shape}: length and heads have changed "
            "places, but the heads are not joined.",
            "Which two dimensions become one?",
            r"return",
        ),
        Mistake(
            "joined_with_length",
            ((TURN_BACK, "pass"), (JOIN, "return x.reshape(batch, heads * length, d_head)")),
            "Your result has shape {your_shape}: you joined heads and length, and not heads and "
            "features.",
            "Which two dimensions become one?",
            r"view|reshape|flatten|cat",
        ),
        Mistake(
            "graph_cut",
            ((TURN_BACK, "x = x.transpose(1, 2).detach()"),),
            "The numbers are right, but no gradient gets back to x.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
    ),
    hints=(
        "Whatever split_heads did last has to be undone first.",
        "The heads go back behind the length, so that the features of one token lie side by side.",
        "Two dimensions change places, then the last two become one.",
    ),
    measures={"your_shape": shapes},
)
