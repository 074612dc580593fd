"""How smoothed_cross_entropy is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import apart, number, shape
from autograder.engine.trial import Answer, call, probe

from ..ready_made import CROSS_ENTROPY


def loss(draw, batch=3, length=5, vocab=11, pad=0, smoothing=0.1, padded=False, spread=2.0):
    """A trial with logits for a few tokens, some of them padding."""
    targets = draw.tokens(batch, length, vocab, pad, padded)
    targets[0, 0] = 0 if pad else 1  # token 0 is one like all others, unless it is padding
    trial = call(
        ("loss",),
        {"batch": batch, "length": length, "vocab": vocab, "tokens": int((targets != pad).sum())},
        logits=draw.normal(batch, length, vocab, scale=spread),
        targets=targets,
        smoothing=smoothing,
        pad=pad,
    )
    trial.sizes["padding"] = batch * length - trial.sizes["tokens"]
    return trial


loss_of_a_batch = probe("loss_of_a_batch", loss)


def loss_by_default(draw):
    """Smoothing 0.1 and padding 0 are meant if nothing is said."""
    trial = loss(draw, batch=4, length=3, vocab=7, padded=True)
    del trial.calls[0].arguments["smoothing"], trial.calls[0].arguments["pad"]
    return trial


loss_of_one_token = probe("loss_of_one_token", loss, batch=1, length=1, vocab=5)


def loss_of_a_list(draw):
    """One leading dimension: as after a reshape to (batch · length, vocab)."""
    trial = loss(draw, batch=2, length=4, padded=True)
    arguments = trial.calls[0].arguments
    arguments["logits"], arguments["targets"] = (
        arguments["logits"].flatten(0, 1),
        arguments["targets"].flatten(),
    )
    return trial


def loss_of_many_dimensions(draw):
    trial = loss(draw, batch=6, length=4, padded=True)
    arguments = trial.calls[0].arguments
    arguments["logits"] = arguments["logits"].unflatten(0, (2, 3))
    arguments["targets"] = arguments["targets"].unflatten(0, (2, 3))
    return trial


def loss_strided(draw):
    return loss(draw, batch=2, length=6, padded=True).but(strided=True)


loss_without_smoothing = probe("loss_without_smoothing", loss, smoothing=0.0)


def loss_with_much_smoothing(draw):
    return loss(draw, smoothing=draw.integer(40, 90) / 100)


loss_of_smoothing_alone = probe("loss_of_smoothing_alone", loss, smoothing=1.0)
loss_with_padding = probe("loss_with_padding", loss, batch=4, length=6, padded=True)


def loss_with_other_padding(draw):
    return loss(draw, batch=4, length=6, padded=True, pad=draw.integer(2, 10))


def loss_with_padding_outside(draw):
    """Padding that is no token of the vocabulary at all."""
    return loss(draw, batch=4, length=6, padded=True, pad=-100)


loss_of_large_logits = probe("loss_of_large_logits", loss, spread=1e4)


def loss_of_nothing(draw):
    trial = loss(draw)
    trial.calls[0].arguments["targets"].fill_(0)
    trial.gradients = True
    trial.digest = nothing_at_all
    return trial


def nothing_at_all(answer):
    """Whether a loss of 0 hangs on the graph is free, but what comes back must be numbers."""
    gradients = [x for name, x in answer.arrays.items() if name.startswith("gradient")]
    facts = {name: fact for name, fact in answer.facts.items() if "gradient" not in name}
    facts["gradients are numbers"] = all(bool(x.isfinite().all()) for x in gradients)
    return Answer({name: x for name, x in answer.arrays.items() if name == "loss"}, facts)


def loss_gradients(draw):
    return loss(draw, padded=True).but(gradients=True)


def loss_in_float64(draw):
    return loss(draw, padded=True).but(dtype=torch.float64)


def loss_in_bfloat16(draw):
    return loss(draw, padded=True).but(dtype=torch.bfloat16)


def your_loss(seen):
    return number(seen.yours["loss"])


def right_loss(seen):
    return number(seen.theirs["loss"])


def loss_times_probability(seen):
    """A symptom: how far off, as a share."""
    yours, theirs = seen.yours.get("loss"), seen.theirs["loss"]
    if yours is None or yours.numel() != 1 or not yours.isfinite():
        return None
    smoothing = seen.arguments.get("smoothing", 0.1)
    one, other = apart(yours, theirs)
    return (
        f"With smoothing={smoothing} your loss is {one}; expected {other}, "
        f"the mean over {seen['tokens']} tokens that are not padding."
    )


LOOK_AT_SHARES = (
    "Write down, for a vocabulary of 5 and smoothing 0.1, what probability each token should get; "
    "they add up to 1."
)
LOOK_AT_PADDING = "Padding should have no part in the sum, and none in the number of tokens."


smoothed_cross_entropy = Exercise(
    id="training.smoothed_cross_entropy",
    properties=(
        Property(
            "values",
            3,
            "the loss is right where nothing is padding",
            (loss_of_a_batch, loss_of_one_token),
            look=LOOK_AT_SHARES,
        ),
        Property(
            "smoothing",
            1,
            "so it is with any smoothing from 0 to 1",
            (loss_without_smoothing, loss_with_much_smoothing, loss_of_smoothing_alone),
            look=LOOK_AT_SHARES,
        ),
        Property(
            "padding",
            2,
            "padding does not count, whatever its number",
            (
                loss_with_padding,
                loss_by_default,
                loss_with_other_padding,
                loss_with_padding_outside,
            ),
            look=LOOK_AT_PADDING,
        ),
        Property(
            "nothing",
            1,
            "a batch of nothing but padding has a loss of 0",
            (loss_of_nothing,),
            look="What is 0 divided by 0, and how do you keep it from happening?",
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (loss_of_a_list, loss_of_many_dimensions, loss_strided),
            look="Count dimensions from the right: the vocabulary is the last one.",
        ),
        Property(
            "stable",
            1,
            "logits of any size are no trouble",
            (loss_of_large_logits,),
            look="What is the logarithm of a probability that was rounded to 0?",
        ),
        promises.gradients("gradients reach the logits, and none those at padding", loss_gradients),
        promises.dtype("the loss has the dtype of the logits", loss_in_float64, loss_in_bfloat16),
        promises.unchanged("logits and targets stay as they were"),
    ),
    hints=(
        "Begin without smoothing and without padding: the loss of a token is minus the logarithm "
        "of the probability that the right one has.",
        "log_softmax gives the logarithms for the whole vocabulary. One number of each row is the "
        "right token's; the mean of each row is what the smoothing adds. Padding is left out last: "
        "of the sum, and of what it is divided by.",
        "Surprise of all tokens (…, vocab); that of the right one (…), looked up along the last "
        "dimension; (1 - ε) times the one plus ε times the mean of the other; 0 at padding, the "
        "sum of it, divided by the number of tokens that count, which must not be 0.",
    ),
    refuses=CROSS_ENTROPY,
    instead="write it with log_softmax.",
    measures={
        "loss": your_loss,
        "right": right_loss,
        "your_shape": lambda seen: shape(seen.yours["loss"]),
        "pad": lambda seen: seen.arguments.get("pad", 0),
    },
    symptoms=(loss_times_probability,),
)
