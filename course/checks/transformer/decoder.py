"""How Decoder is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import probe

from ..ready_made import TRANSFORMER
from ..shared import only_dtype
from .decoder_block import LOOK_AT_MASKS, NORM_FIRST, with_one_mask, write
from .shared import DROPPED, with_dropout, without_dropout

STACK = {"num_layers": 2, "d_model": 12, "num_heads": 3, "d_ff": 10}
ONE = STACK | {"num_layers": 1}


stack_of_two = probe("stack_of_two", write, STACK)
stack_norm_first = probe("stack_norm_first", write, STACK, options=NORM_FIRST)
stack_of_equal_lengths = probe(
    "stack_of_equal_lengths", write, STACK, target=6, source=6, masks=True
)


def stack_gradients(draw):
    return write(draw, ONE, masks=True, options=NORM_FIRST, gradients=True).but(
        dtype=torch.float64, strided=True
    )


def stack_with_dropout(draw):
    return with_dropout(write(draw, ONE))


def stack_without_dropout(draw):
    return without_dropout(write(draw, ONE, masks=True))


def stack_in_bfloat16(draw):
    """One sentence of one token, and one of the masks."""
    trial = only_dtype(write(draw, ONE, 1, 1, 3, dtype=torch.bfloat16, digest=None))
    return with_one_mask(draw, trial)


LOOK_AT_STACK = (
    "Write down for two blocks what goes into each of them, and what comes out: which of the four "
    "arguments changes on the way?"
)
LOOK_AT_LAST_NORM = (
    "With norm_first=True, what has normed the sum that leaves the last block? And with "
    "norm_first=False?"
)
LOOK_AT_REGISTERED = (
    "How does torch learn of the parameters of several blocks, and how many different blocks are "
    "there?"
)


Decoder = Exercise(
    id="transformer.Decoder",
    properties=(
        promises.parts(
            "as many blocks as are asked for, each with parameters of its own, and the final norm "
            "only with norm_first=True",
            points=2,
            look=LOOK_AT_REGISTERED,
        ),
        Property(
            "values",
            2,
            "each block works on what the one before has left, and all look at the same memory",
            (stack_of_two,),
            look=LOOK_AT_STACK,
        ),
        Property(
            "norm_first",
            1,
            "with norm_first=True the last sum is normed",
            (stack_norm_first,),
            look=LOOK_AT_LAST_NORM,
        ),
        Property(
            "masks",
            2,
            "every block gets both masks",
            (stack_of_equal_lengths,),
            look=LOOK_AT_MASKS,
        ),
        promises.gradients("gradients reach x, the memory and all parameters", stack_gradients),
        Property(
            "dropout",
            1,
            "dropout acts in training only, with the probability that is asked for",
            (stack_with_dropout, stack_without_dropout),
            look="Do your blocks get the probability?",
        ),
        promises.dtype("the result has the dtype of the input", stack_in_bfloat16),
        promises.unchanged("x, memory and masks stay as they were"),
    ),
    hints=(
        "What changes from block to block, and what stays the same for all of them?",
        "x goes through the blocks one after the other. The memory and both masks go into every "
        "one of them, unchanged. With norm_first=True the last sum has not been normed.",
        "In __init__ an nn.ModuleList of as many new blocks as are asked for, and a norm or None; "
        "in forward a loop of one line, and the norm if there is one.",
    ),
    refuses=TRANSFORMER,
    instead="build it from DecoderBlock and LayerNorm.",
    measures={"dropped": lambda seen: DROPPED},
)
