"""How shift_right is checked."""

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import shape
from autograder.engine.trial import call, probe


def shift(draw, batch=3, length=5, start=1):
    trial = call(
        ("shifted",),
        {"batch": batch, "length": length},
        targets=draw.tokens(batch, length, 30),
        start=start,
    )
    trial.calls[0].arguments["targets"][:, 0] = draw.order(20)[:batch] + 5  # not start, not alike
    return trial


shift_a_batch = probe("shift_a_batch", shift, start=3)
shift_other_sizes = probe("shift_other_sizes", shift, batch=2, length=7)


def shift_strided(draw):
    return shift(draw, batch=4, length=3, start=2).but(strided=True)


shift_one_token = probe("shift_one_token", shift, length=1, start=2)
shift_one_sequence = probe("shift_one_sequence", shift, batch=1, length=6, start=4)


def shift_with_other_start(draw):
    return shift(draw, start=draw.integer(31, 99))


shift_with_start_zero = probe("shift_with_start_zero", shift, batch=2, length=4, start=0)


LOOK_AT_PAIRS = (
    "Write a target sequence and your result under one another: at every position the decoder has "
    "read your result up to there, and has to predict the target above."
)


shift_right = Exercise(
    id="training.shift_right",
    properties=(
        Property(
            "values",
            3,
            "every target stands one place later, behind the start token",
            (shift_a_batch, shift_other_sizes, shift_strided),
            look=LOOK_AT_PAIRS,
        ),
        Property(
            "sizes",
            1,
            "one token, one sequence",
            (shift_one_token, shift_one_sequence),
            look="If there is only one target, only the start token is left.",
        ),
        Property(
            "start",
            1,
            "any number may be the start token's",
            (shift_with_other_start, shift_with_start_zero),
        ),
        promises.dtype("token numbers stay whole numbers"),
        promises.unchanged("targets stay as they were"),
    ),
    hints=(
        "Take the targets 7 8 9 and the start token 1: what does the decoder read before it "
        "writes 7, and what before it writes 8?",
        "The result is as long as the targets: one token comes in front, so one has to go.",
        "A column of start tokens, and behind it all targets but the last.",
    ),
    measures={"your_shape": lambda seen: shape(seen.yours["shifted"])},
)
