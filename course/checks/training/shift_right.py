"""How shift_right is checked."""

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import shape
from autograder.engine.trial import call


def shift(draw, batch=3, length=5, start=1):
    trial = call(
        ("shifted",),
        {"batch": batch, "length": length},
        targets=draw.tokens(batch, length, 30),
        start=start,
    )
    trial.calls[0].arguments["targets"][:, 0] = draw.order(20)[:batch] + 5  # not start, not alike
    return trial


def shift_a_batch(draw):
    return shift(draw, start=3)


def shift_other_sizes(draw):
    return shift(draw, batch=2, length=7)


def shift_strided(draw):
    trial = shift(draw, batch=4, length=3, start=2)
    trial.strided = True
    return trial


def shift_one_token(draw):
    return shift(draw, length=1, start=2)


def shift_one_sequence(draw):
    return shift(draw, batch=1, length=6, start=4)


def shift_with_other_start(draw):
    return shift(draw, start=draw.integer(31, 99))


def shift_with_start_zero(draw):
    return shift(draw, batch=2, length=4, start=0)


FIRST = "shifted[:, :1] = start"
REST = "shifted[:, 1:] = targets[:, :-1]"
SHIFTED = "return shifted"
LOOK_AT_PAIRS = (
    "Write a target sequence and your result under one another: at every position the decoder has "
    "read your result up to there, and is to predict the target above."
)


def shifted_as(what):
    return ((SHIFTED, f"return {what}"),)


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
        Property("dtype", 1, "token numbers stay whole numbers", aspects=("dtype",)),
        Property("arguments", 1, "targets stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "not_shifted",
            shifted_as("targets.clone()"),
            "You give the targets as they are: the decoder then reads at every position the very "
            "token it is to predict there. The loss goes to 0, and nothing is learned.",
            LOOK_AT_PAIRS,
            r"return",
        ),
        Mistake(
            "shifted_left",
            shifted_as("torch.cat([targets[:, 1:], torch.full_like(targets[:, :1], start)], 1)"),
            "Your targets move the other way, one place earlier, with start at the end: the "
            "decoder reads the token after the one it is to predict.",
            LOOK_AT_PAIRS,
            r"1:",
        ),
        Mistake(
            "rolled_left",
            shifted_as("targets.roll(-1, 1)"),
            "Your targets move the other way, one place earlier, and the first one comes back at "
            "the end.",
            LOOK_AT_PAIRS,
            r"roll|cat",
        ),
        Mistake(
            "rolled",
            shifted_as("targets.roll(1, 1)"),
            "Your targets move one place, but the last one comes back at the front, where the "
            "start token should stand.",
            LOOK_AT_PAIRS,
            r"roll|cat",
        ),
        Mistake(
            "start_over_first",
            shifted_as("torch.cat([torch.full_like(targets[:, :1], start), targets[:, 1:]], 1)"),
            "The start token has replaced the first target, and all others stand where they "
            "stood: nothing has moved, and the first target is lost.",
            LOOK_AT_PAIRS,
            r"start",
        ),
        Mistake(
            "last_kept",
            shifted_as("torch.cat([torch.full_like(targets[:, :1], start), targets], 1)"),
            "Your result is one token longer than the targets, {your_shape}: the start token "
            "stands in front, but nothing falls out at the end.",
            "Which target does the decoder never read?",
            r"cat|pad",
        ),
        Mistake(
            "start_missing",
            shifted_as("targets[:, :-1]"),
            "Your result is one token shorter than the targets, {your_shape}: the last one is left "
            "out, but there is no start token in front.",
            LOOK_AT_PAIRS,
            r"-1",
        ),
        Mistake(
            "first_dropped",
            shifted_as("targets[:, 1:]"),
            "Your result is one token shorter than the targets, {your_shape}: the first one is "
            "left out, which is a shift to the left, and there is no start token.",
            LOOK_AT_PAIRS,
            r"1:",
        ),
        Mistake(
            "shifted_over_batch",
            ((FIRST, "shifted[:1] = start"), (REST, "shifted[1:] = targets[:-1]")),
            "You shift along the batch: the first sequence is all start tokens, and every other "
            "one is its neighbour.",
            "Which dimension is that of the positions?",
            r"dim|\[",
        ),
        Mistake(
            "shifted_twice",
            ((REST, "shifted[:, 1:2] = start\n    shifted[:, 2:] = targets[:, :-2]"),),
            "Your targets move two places, with two start tokens in front.",
            LOOK_AT_PAIRS,
            r"2|start",
        ),
        Mistake(
            "start_always_one",
            ((FIRST, "shifted[:, :1] = 1"),),
            "Your sequences always begin with token 1; here the start token is {start}.",
            "Look for a number that should be `start`.",
            r"1",
        ),
        Mistake(
            "start_always_zero",
            ((FIRST, "shifted[:, :1] = 0"),),
            "Your sequences always begin with token 0; here the start token is {start}.",
            "Where does your code use `start`?",
            r"zeros|0",
        ),
        Mistake(
            "smeared",
            ((REST, "shifted[:, 1:] = targets[:, :1]"),),
            "The first target is repeated to the end: it has been copied on and on.",
            "If you move numbers inside one tensor, you may read what you have just written.",
            r"for|\[",
        ),
        Mistake(
            "all_start",
            ((REST, "shifted[:, 1:] = start"),),
            "Your result is nothing but start tokens: the targets are not in it.",
            LOOK_AT_PAIRS,
            r"full|start",
        ),
        Mistake(
            "as_decimals",
            ((SHIFTED, "return shifted.float()"),),
            "The numbers are right, but they are float32; a table of embeddings is looked up with "
            "whole numbers.",
            "torch.zeros and torch.ones make decimal numbers unless they are told otherwise.",
            r"zeros|ones|empty|float|full",
        ),
        Mistake(
            "changes_targets",
            ((SHIFTED, "return targets.copy_(shifted)"),),
            "The result is right, but the caller's targets are shifted, too: the loss would "
            "then compare with the wrong tokens.",
            "Write into a tensor of your own.",
            r"targets\[.*\] ?=|copy_",
        ),
    ),
    hints=(
        "Take the targets 7 8 9 and the start token 1: what does the decoder read before it "
        "writes 7, and what before it writes 8?",
        "The result is as long as the targets: one token comes in front, so one has to go.",
        "A column of start tokens, and behind it all targets but the last.",
    ),
    measures={"your_shape": lambda seen: shape(seen.yours["shifted"])},
)
