"""How Encoder is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import Call, probe

from ..ready_made import TRANSFORMER
from ..shared import only_dtype
from .encoder_block import (
    BUILD,
    EVAL,
    TRAINING,
    WITHOUT,
    block,
    one_mode_only,
    padded_and_causal,
    with_equal_tokens,
)
from .feed_forward import DROPPED

STACK = {"num_layers": 2} | BUILD
SHORT = {"num_layers": 1} | BUILD


def stack(draw, mask=None, first=False, build=None, **trial):
    build = build or STACK
    trial = block(draw, mask, first, build, **trial)
    trial.sizes["layers"] = build["num_layers"]
    return trial


def stack_of_three(draw):
    build = {"num_layers": 3, "d_model": 10, "num_heads": 2, "d_ff": 7, "dropout": 0.0}
    return stack(draw, build=build, batch=3, length=4)


stack_norm_first = probe("stack_norm_first", stack, first=True)


def stack_with_padding(draw):
    """Padding and causal mask together."""
    return stack(draw, padded_and_causal(draw, 4, 6), batch=4, length=6)


def stack_gradients(draw):
    return stack(draw, draw.mask(5, 5), first=True, gradients=True)


def stack_in_float64(draw):
    """Several sequences, then one token."""
    trial = stack(draw, build=SHORT, dtype=torch.float64)
    trial.calls.append(Call({"x": draw.normal(1, 1, 12, scale=2.0)}))
    return trial


def stack_in_bfloat16(draw):
    return only_dtype(stack(draw, first=True, build=SHORT, dtype=torch.bfloat16))


def stack_in_training(draw):
    """With dropout=0 training changes nothing, however often: blocks that are skipped at random
    would all be there once in 256 checks."""
    return with_equal_tokens(draw, stack(draw), 0.0, *[WITHOUT] * 4)


def stack_with_dropout(draw):
    trial = stack(draw, first=True, build=SHORT)
    return with_equal_tokens(draw, trial, DROPPED, TRAINING, EVAL)


LOOK_AT_STACK = "Follow one token through the stack: which block does it meet, and what goes in?"
LOOK_AT_LAST_NORM = (
    "The last sum of a block: who has normed it, with norm_first and without, when it leaves the "
    "stack?"
)

Encoder = Exercise(
    id="encoder_block.Encoder",
    properties=(
        promises.parts(
            "the stack has num_layers blocks, each with parameters of its own, and a final norm "
            "where there should be one",
            points=2,
        ),
        Property(
            "post_norm",
            2,
            "without norm_first x goes through all blocks in their order",
            (stack_of_three,),
            look=LOOK_AT_STACK,
        ),
        Property(
            "pre_norm",
            2,
            "with norm_first the last sum is normed as well",
            (stack_norm_first,),
            look=LOOK_AT_LAST_NORM,
        ),
        Property(
            "mask",
            1,
            "every block gets the mask",
            (stack_with_padding,),
            look="Who needs to know about the mask?",
        ),
        Property(
            "dropout",
            1,
            "dropout acts in training only",
            (stack_with_dropout, stack_in_training),
        ),
        promises.gradients("gradients reach x and all parameters", stack_gradients),
        promises.dtype("the result has the dtype of x", stack_in_float64, stack_in_bfloat16),
        promises.unchanged("x and mask stay as they were"),
    ),
    hints=(
        "A stack is a loop: what one block gives is what the next one gets.",
        "The blocks are made one by one, in a container that torch looks into. With norm_first "
        "the last sum has been normed by nobody.",
        "In __init__ an nn.ModuleList with num_layers blocks, and a norm or None; in forward a "
        "loop that hands x and the mask on, then the norm if there is one.",
    ),
    refuses=TRANSFORMER,
    instead="stack your own EncoderBlock.",
    symptoms=(one_mode_only,),
)
