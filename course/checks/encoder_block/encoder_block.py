"""How EncoderBlock is checked."""

import functools

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import number, shape
from autograder.engine.trial import Answer, Call, Trial, probe

from ..ready_made import TRANSFORMER
from ..shared import comparable, loaded, nearly_all_dropped, only_dtype, right_or_off
from .feed_forward import DROPPED
from .shared import LATER, outputs

# Norms inside a block may have an eps of 1e-5 or of 1e-6: with numbers of an ordinary size that
# differs by less than these.
ROUGHLY = {torch.float32: 10.0, torch.float64: 300.0, torch.bfloat16: 1.0}
BUILD = {"d_model": 12, "num_heads": 3, "d_ff": 20, "dropout": 0.0}


def block(draw, mask=None, first=False, build=None, batch=2, length=5, **trial):
    """A trial with random weights and no dropout; `first` is norm_first."""
    build = build or BUILD
    options = {"norm_first": True} if first else {}
    state = draw.weights(draw.reference(**build, **options))
    arguments = {"x": draw.normal(batch, length, build["d_model"], scale=2.0)}
    if mask is not None:
        arguments["mask"] = mask
    dtype = trial.setdefault("dtype", torch.float32)
    sizes = {"batch": batch, "length": length, "d_model": build["d_model"]}
    sizes["heads"] = build["num_heads"]
    return Trial(
        [Call(arguments)],
        build,
        options,
        state,
        sizes=sizes,
        digest=loaded,
        tolerance=ROUGHLY[dtype],
        **trial,
    )


def padded_and_causal(draw, batch, length):
    """Every sequence ends in padding, so that nothing is left without keys if a mask is turned
    round."""
    lengths = draw.integers(1, length, batch)
    real = torch.arange(length) < lengths[:, None]
    return real[:, None, None, :] & torch.ones(length, length, dtype=torch.bool).tril()


def block_of_other_sizes(draw):
    """Two heads, a narrow feed-forward, and an x that lies in memory in another order; then one
    token."""
    build = {"d_model": 10, "num_heads": 2, "d_ff": 7, "dropout": 0.0}
    trial = block(draw, build=build, batch=3, length=4, strided=True)
    trial.calls.append(Call({"x": draw.normal(1, 1, 10, scale=2.0)}))
    return trial


def block_norm_first(draw):
    """Two calls of different sizes."""
    trial = block(draw, first=True)
    trial.calls.append(Call({"x": draw.normal(3, 4, 12, scale=2.0)}))
    return trial


def block_norm_first_with_mask(draw):
    """Every head has its own mask."""
    return block(draw, draw.mask(2, 3, 5, 5), first=True)


def block_with_padding(draw):
    return block(draw, padded_and_causal(draw, 4, 6), batch=4, length=6)


def block_gradients(draw):
    return block(draw, draw.mask(5, 5), gradients=True)


def block_norm_first_gradients(draw):
    return block(draw, draw.mask(2, 1, 1, 5), first=True, gradients=True)


block_in_float64 = probe("block_in_float64", block, first=True, dtype=torch.float64)


def block_in_bfloat16(draw):
    return only_dtype(block(draw, dtype=torch.bfloat16))


def with_equal_tokens(draw, trial, dropout, *modes):
    """A trial with tokens that are all alike, so that one call shows whether anything is random."""
    trial.build = trial.build | {"dropout": dropout}
    arguments = {"x": draw.normal(1, 1, 12, scale=2.0).expand(2, 5, 12)}
    trial.calls = [Call(arguments, training=mode != EVAL) for mode in modes]
    trial.digest = functools.partial(where_tokens_agree, modes=modes)
    return trial


EVAL = "in eval mode"
TRAINING = "in training"
WITHOUT = "in training with dropout=0"


def where_tokens_agree(answer, modes):
    """A digest: in which mode do equal tokens get equal numbers? Others cannot be compared."""
    answer = loaded(answer)
    arrays, facts = {}, dict(answer.facts)
    for y, mode, call in zip(outputs(answer, *range(len(modes))), modes, LATER):
        if y is None:
            return answer
        alike = tokens_agree(y)
        every = f"equal tokens get equal numbers {mode}"
        facts[every] = facts.get(every, True) and alike
        if mode != TRAINING and alike:
            arrays[f"output {mode}, on which equal tokens agree{call}"] = y
    return Answer(arrays, facts)


def tokens_agree(y):
    """Are all tokens' numbers alike, but for rounding?"""
    rows = y.reshape(-1, y.shape[-1]) if y.dim() else y.reshape(1, 1)
    return torch.allclose(rows, rows[:1].expand_as(rows), atol=1e-4)


def block_in_training(draw):
    """With dropout=0 training changes nothing."""
    return with_equal_tokens(draw, block(draw, first=True), 0.0, WITHOUT)


def block_in_eval_mode(draw):
    return with_equal_tokens(draw, block(draw), DROPPED, EVAL)


def block_with_dropout(draw, first=False):
    """Attention adds 20 to feature 0; feed-forward writes a large feature 1 where it reads a large
    feature 0.

    So feature 0 shows whether it was dropped from what feed-forward's result is added to, and
    feature 1 shows, unless it was dropped itself, whether it was dropped from what feed-forward
    read. Compared with features 2 and 3, which are left as they are, that is to be seen whatever
    the norms do. The other features are like anywhere else.
    """
    trial = block(draw, first=first)
    trial.build = BUILD | {"dropout": DROPPED}
    state = {name: torch.zeros_like(x) for name, x in trial.state.items()}
    state["self_attention.w_value.weight"] = trial.state["self_attention.w_value.weight"]
    for name in ("self_attention.w_output.weight", "norm1.weight", "norm2.weight"):
        state[name][4:] = trial.state[name][4:]
    for name in ("norm1.weight", "norm2.weight"):
        state[name][:4] = 1.0
    state["self_attention.w_output.bias"][0] = 20.0
    state["feed_forward.linear1.weight"][0, 0] = 100.0
    # A normed feature 0 is above 3 with the 20, and below 2.3 without: feature 2 is larger then.
    state["feed_forward.linear1.bias"][0] = -250.0
    state["feed_forward.linear2.weight"][1, 0] = 100.0
    trial.state = state
    x = draw.normal(1, 1, 12).expand(30, 5, 12).clone()
    x[..., :4] = torch.tensor([1.0, 0.5, 2.0, -2.0])
    trial.calls = [Call({"x": x}, training=True)]
    trial.digest = functools.partial(where_it_acts, x)
    return trial


block_norm_first_with_dropout = probe(
    "block_norm_first_with_dropout", block_with_dropout, first=True
)


def where_it_acts(x, answer):
    """Does dropout act in training, and does feed-forward read what its result is added to?"""
    answer = loaded(answer)
    y = answer.arrays.get("output")
    if y is None:
        return answer
    facts = answer.facts | {"shape of the output in training": shape(y)}
    if y.shape != x.shape:
        return Answer({}, facts)

    def compared(y, feature):
        """A feature on a scale on which feature 2 is 0 and feature 3 is 1."""
        return (y[..., feature] - y[..., 2]) / (y[..., 3] - y[..., 2])

    dropped = (compared(y, 0) - compared(x, 0)).abs() < 1e-3
    written = compared(y, 1).abs() > 100
    facts |= {
        f"equal tokens get equal numbers {TRAINING}": tokens_agree(y),
        "feed-forward reads what its result is added to": not bool((dropped & written).any()),
    }
    return Answer({}, facts)


ADDED = {"attention": "self_attention.w_output.bias", "feed-forward": "feed_forward.linear2.bias"}


def block_all_dropped(draw, first=False):
    """What each part gives is dropped before it is added."""
    return nearly_all_dropped(block(draw, first=first), ADDED)


block_norm_first_all_dropped = probe("block_norm_first_all_dropped", block_all_dropped, first=True)


def one_mode_only(seen):
    """A symptom: a hint at the mode in which it is wrong."""
    yours, theirs = comparable(seen)
    if yours is None or not seen.trial.options.get("norm_first"):
        return None
    _, off = right_or_off(seen, yours, theirs, range(yours.dim()))
    if not bool(off.any()):
        return None
    return (
        f"With norm_first=True your output is not right: {int(off.sum())} of {off.numel()} numbers "
        f"are off, by up to {number((yours - theirs).abs().max())}."
    )


LOOK_AT_NORMS = "Compare with the two lines in the docstring: what does each norm act on?"


EncoderBlock = Exercise(
    id="encoder_block.EncoderBlock",
    properties=(
        promises.parts("attention, feed-forward and the two norms are there under their names"),
        Property(
            "post_norm",
            3,
            "the paper's order is right: each sum is normed",
            (block_of_other_sizes,),
            look=LOOK_AT_NORMS,
        ),
        Property(
            "pre_norm",
            2,
            "with norm_first each sub-layer gets a normed x, and adds to the x before",
            (block_norm_first,),
            look=LOOK_AT_NORMS,
        ),
        Property(
            "mask",
            2,
            "attention gets the mask, in both orders",
            (block_with_padding, block_norm_first_with_mask),
            look="The mask goes to attention as it came.",
        ),
        Property(
            "dropout",
            1,
            "dropout acts on what each part gives, and in training only",
            (
                block_with_dropout,
                block_norm_first_with_dropout,
                block_in_eval_mode,
                block_in_training,
                block_all_dropped,
                block_norm_first_all_dropped,
            ),
            look="Each sum is x + dropout(part(…)): what does each dropout in your code act on?",
        ),
        promises.gradients(
            "gradients reach x and all parameters", block_gradients, block_norm_first_gradients
        ),
        promises.dtype("the result has the dtype of x", block_in_float64, block_in_bfloat16),
        promises.unchanged("x and mask stay as they were"),
    ),
    hints=(
        "There are two sub-layers, and both are treated alike: what they give is added to what "
        "went in. Draw it for one of them.",
        "The norm stands after the sum, or with norm_first in front of the sub-layer, where the "
        "sum keeps the x from before the norm.",
        "Four lines, two for each order: attention with x as query, key and value and with the "
        "mask, then feed-forward; each with dropout, a sum, and its own norm.",
    ),
    refuses=TRANSFORMER,
    instead="use your MultiHeadAttention and FeedForward, and nn.LayerNorm or your own.",
    measures={"one_less": lambda seen: seen["d_model"] - 1},
    symptoms=(one_mode_only,),
)
