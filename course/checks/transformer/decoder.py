"""How Decoder is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import TRANSFORMER

from ..shared import CUTS, LOOK_FOR_CUTS
from .decoder_block import LOOK_AT_MASKS, NORM_FIRST, with_one_mask, write
from .shared import DROPPED, only_dtype, with_dropout, without_dropout

STACK = {"num_layers": 2, "d_model": 12, "num_heads": 3, "d_ff": 10}
ONE = STACK | {"num_layers": 1}


def stack_of_two(draw):
    return write(draw, STACK)


def stack_norm_first(draw):
    return write(draw, STACK, options=NORM_FIRST)


def stack_of_equal_lengths(draw):
    return write(draw, STACK, target=6, source=6, masks=True)


def stack_gradients(draw):
    trial = write(draw, ONE, masks=True, options=NORM_FIRST, gradients=True)
    trial.dtype, trial.strided = torch.float64, True
    return trial


def stack_with_dropout(draw):
    return with_dropout(write(draw, ONE))


def stack_without_dropout(draw):
    return without_dropout(write(draw, ONE, masks=True))


def stack_in_bfloat16(draw):
    """One sentence of one token, and one of the masks."""
    trial = write(draw, ONE, 1, 1, 3, dtype=torch.bfloat16, digest=only_dtype, constant=True)
    return with_one_mask(draw, trial)


MAKE_BLOCK = "DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first)"
MAKE_LAYERS = f"""nn.ModuleList(
            {MAKE_BLOCK} for _ in range(num_layers)
        )"""
MAKE_NORM = "self.norm = nn.LayerNorm(d_model) if norm_first else None"
LOOP = "for layer in self.layers:"
THROUGH = "x = layer(x, memory, mask, memory_mask)"
NORM_AT_END = """if self.norm is not None:
            x = self.norm(x)"""
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


def through(mistake_id, new, says, look=LOOK_AT_STACK, line=r"layer\("):
    """The line in the loop is another one."""
    return Mistake(mistake_id, ((THROUGH, new),), says, look, line)


Decoder = Exercise(
    id="transformer.Decoder",
    properties=(
        Property(
            "parts",
            2,
            "as many blocks as are asked for, each with parameters of its own, and the final norm "
            "only with norm_first=True",
            aspects=("built", "names"),
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
        Property(
            "gradients",
            1,
            "gradients reach x, the memory and all parameters",
            (stack_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dropout",
            1,
            "dropout acts in training only, with the probability that is asked for",
            (stack_with_dropout, stack_without_dropout),
            look="Do your blocks get the probability?",
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the input",
            (stack_in_bfloat16,),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x, memory and masks stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "one_block_repeated",
            ((MAKE_LAYERS, f"nn.ModuleList([{MAKE_BLOCK}] * num_layers)"),),
            "Your {num_layers} blocks are one and the same block, run {num_layers} times: they "
            "share all their parameters. However often one block is put into a list, it stays one.",
            LOOK_AT_REGISTERED,
            r"\* ?num_layers|ModuleList\(|append",
        ),
        Mistake(
            "plain_list",
            ((MAKE_LAYERS, f"[{MAKE_BLOCK} for _ in range(num_layers)]"),),
            "Your blocks lie in a plain Python list, where torch does not find them: they are "
            "neither trained, nor saved, nor moved to another device.",
            LOOK_AT_REGISTERED,
            r"layers ?=|append",
        ),
        Mistake(
            "one_block_too_few",
            (("range(num_layers)", "range(num_layers - 1)"),),
            "Your stack has one block too few for num_layers={num_layers}.",
            LOOK_AT_REGISTERED,
            r"range\(",
        ),
        Mistake(
            "one_block_too_many",
            (("range(num_layers)", "range(num_layers + 1)"),),
            "Your stack has one block too many for num_layers={num_layers}.",
            LOOK_AT_REGISTERED,
            r"range\(",
        ),
        Mistake(
            "one_block_alone",
            (("range(num_layers)", "range(1)"),),
            "Your stack has one block, whatever num_layers says.",
            LOOK_AT_REGISTERED,
            r"layers ?=",
        ),
        Mistake(
            "always_six_blocks",
            (("range(num_layers)", "range(6)"),),
            "Your stack has six blocks, whatever num_layers says.",
            LOOK_AT_REGISTERED,
            r"6",
        ),
        Mistake(
            "returns_after_first_block",
            ((THROUGH, f"{THROUGH}\n            return x"),),
            "Your output is that of the first block: the others are never run.",
            "How far is the last line of forward indented?",
            r"return",
        ),
        Mistake(
            "first_block_every_time",
            ((THROUGH, THROUGH.replace("layer(", "self.layers[0](")),),
            "Your loop runs the first block again and again; the others are never used.",
            LOOK_AT_STACK,
            r"layers\[0\]",
        ),
        Mistake(
            "last_block_alone",
            ((LOOP, f"start = x\n        {LOOP}"), (THROUGH, THROUGH.replace("(x,", "(start,"))),
            "Every block gets what came into the stack, so only the last one counts.",
            LOOK_AT_STACK,
            r"layer\(",
        ),
        Mistake(
            "blocks_in_reverse",
            ((LOOP, "for layer in reversed(self.layers):"),),
            "Your blocks are run in reverse order, the last one first.",
            LOOK_AT_STACK,
            r"reversed|::-1",
        ),
        Mistake(
            "last_block_not_run",
            ((LOOP, "for layer in self.layers[:-1]:"),),
            "Your last block is never run.",
            LOOK_AT_STACK,
            r":-1|range\(",
        ),
        through(
            "residual_around_blocks",
            "x = x + layer(x, memory, mask, memory_mask)",
            "You add what goes into a block to what comes out. Each block does that inside, for "
            "every sub-layer.",
            line=r"\+",
        ),
        through(
            "mask_for_first_block_only",
            "x = layer(x, memory, mask, memory_mask)\n            mask = None",
            "Your first block gets `mask`, the others do not: in those every target token sees its "
            "future.",
            LOOK_AT_MASKS,
        ),
        through(
            "mask_not_handed_on",
            "x = layer(x, memory, None, memory_mask)",
            "Your blocks do not get `mask`, so every target token sees its future.",
            LOOK_AT_MASKS,
        ),
        through(
            "memory_mask_not_handed_on",
            "x = layer(x, memory, mask)",
            "Your blocks do not get `memory_mask`, so they attend to the padding of the source.",
            LOOK_AT_MASKS,
        ),
        through(
            "no_mask_handed_on",
            "x = layer(x, memory)",
            "Your blocks get neither mask: they see the future of the target and the padding of "
            "the source.",
            LOOK_AT_MASKS,
        ),
        through(
            "masks_swapped",
            "x = layer(x, memory, memory_mask, mask)",
            "Your two masks are swapped on their way into the blocks. That only fits if source and "
            "target have the same length.",
            LOOK_AT_MASKS,
        ),
        through(
            "mask_in_both_places",
            "x = layer(x, memory, mask, mask)",
            "Your blocks get `mask` in place of `memory_mask`, too. It fits only if source and "
            "target have the same length, and then it hides the wrong places of the memory.",
            LOOK_AT_MASKS,
        ),
        through(
            "memory_mask_in_both_places",
            "x = layer(x, memory, memory_mask, memory_mask)",
            "Your blocks get `memory_mask` in place of `mask`, too. It fits only if source and "
            "target have the same length, and then it hides the wrong target tokens.",
            LOOK_AT_MASKS,
        ),
        Mistake(
            "masks_for_first_block_alone",
            ((THROUGH, f"{THROUGH}\n            mask = memory_mask = None"),),
            "Only your first block gets the masks; those above it see the future and the padding.",
            LOOK_AT_MASKS,
            r"mask = |layers\[0\]",
        ),
        Mistake(
            "masks_inverted",
            (
                (
                    LOOP,
                    "mask = None if mask is None else ~mask\n"
                    "        memory_mask = None if memory_mask is None else ~memory_mask\n"
                    f"        {LOOP}",
                ),
            ),
            "Your masks work the other way round: what should be hidden is all that is seen.",
            "True means: may be attended to.",
            r"~|== ?0|not",
        ),
        Mistake(
            "causal_by_itself",
            (
                (
                    LOOP,
                    "past = torch.ones(x.shape[1], x.shape[1], device=x.device).tril().bool()\n"
                    "        mask = past if mask is None else mask & past\n"
                    f"        {LOOP}",
                ),
            ),
            "Your stack makes a causal mask of its own, also where `mask` says something else. "
            "Which tokens may be seen, is for the caller to say.",
            "What should happen if no mask is given?",
            r"tril|triu|causal",
        ),
        through(
            "memory_replaced",
            "x = memory = layer(x, memory, mask, memory_mask)",
            "What the first block gives becomes the memory of the next one: only the first block "
            "ever looks at what the encoder has read.",
        ),
        through(
            "memory_never_used",
            "x = layer(x, x, mask, mask)",
            "Your blocks get the target as memory: what the encoder has read is never looked at.",
        ),
        through(
            "memory_replaced_by_target",
            "x = layer(x, x, mask, memory_mask)",
            "Your blocks get the target as memory, with the mask of the source: what the encoder "
            "has read is never looked at.",
        ),
        through(
            "x_and_memory_swapped",
            "x = layer(memory, x, mask, memory_mask)",
            "x and memory are swapped on their way into the blocks.",
        ),
        Mistake(
            "final_norm_missing",
            ((MAKE_NORM, "self.norm = None"),),
            "With norm_first=True your stack has no final norm: nothing norms the sum that leaves "
            "the last block.",
            LOOK_AT_LAST_NORM,
            r"norm = |Norm\(",
        ),
        Mistake(
            "final_norm_not_used",
            ((NORM_AT_END, ""),),
            "With norm_first=True your stack has a final norm, but never uses it.",
            LOOK_AT_LAST_NORM,
            r"return",
        ),
        Mistake(
            "final_norm_always",
            ((MAKE_NORM, "self.norm = nn.LayerNorm(d_model)"),),
            "Your stack has a final norm also with norm_first=False, where each block ends with a "
            "norm already.",
            LOOK_AT_LAST_NORM,
            r"norm = |Norm\(",
        ),
        Mistake(
            "final_norm_made_always_used_rightly",
            (
                (MAKE_NORM, "self.norm = nn.LayerNorm(d_model)\n        self.first = norm_first"),
                ("if self.norm is not None:", "if self.first:"),
            ),
            "Your stack makes a final norm also with norm_first=False, where it is not used. Its "
            "parameters would be saved and counted for nothing.",
            LOOK_AT_LAST_NORM,
            r"norm = |Norm\(",
        ),
        Mistake(
            "final_norm_the_other_way_round",
            ((MAKE_NORM, MAKE_NORM.replace("if norm_first", "if not norm_first")),),
            "Your stack has a final norm with norm_first=False and none with True; it is to be the "
            "other way round.",
            LOOK_AT_LAST_NORM,
            r"norm = |Norm\(",
        ),
        Mistake(
            "norm_after_every_block",
            (
                (NORM_AT_END, ""),
                (
                    THROUGH,
                    f"{THROUGH}\n            if self.norm is not None:\n"
                    "                x = self.norm(x)",
                ),
            ),
            "With norm_first=True you use the final norm after every block, and not once at the "
            "end.",
            "How far is the final norm indented?",
            r"norm\(",
        ),
        Mistake(
            "memory_normed",
            (
                (
                    LOOP,
                    f"memory = memory if self.norm is None else self.norm(memory)\n        {LOOP}",
                ),
            ),
            "With norm_first=True you norm the memory with the stack's final norm. The encoder has "
            "normed it already, with its own.",
            "What exactly goes through the final norm?",
            r"norm\(memory",
        ),
        Mistake(
            "norm_first_not_handed_on",
            ((MAKE_BLOCK, MAKE_BLOCK.replace(", norm_first", "")),),
            "Your blocks do not get norm_first: with norm_first=True they still norm after adding.",
            "Which arguments does DecoderBlock take, and which do you hand on?",
            r"DecoderBlock\(",
        ),
        Mistake(
            "norm_first_ignored",
            (
                (MAKE_BLOCK, MAKE_BLOCK.replace(", norm_first", "")),
                (MAKE_NORM, "self.norm = None"),
            ),
            "Your stack does the same with norm_first=True as with False: neither do the blocks "
            "get it, nor is there a final norm.",
            LOOK_AT_LAST_NORM,
            r"DecoderBlock\(",
        ),
        Mistake(
            "always_norm_first",
            ((MAKE_BLOCK, MAKE_BLOCK.replace("norm_first", "True")),),
            "Your blocks norm before each sub-layer also with norm_first=False.",
            "Which arguments does DecoderBlock take, and which do you hand on?",
            r"DecoderBlock\(",
        ),
        Mistake(
            "dropout_not_handed_on",
            ((MAKE_BLOCK, MAKE_BLOCK.replace("dropout, norm_first", "norm_first=norm_first")),),
            "With dropout=0.0 something is dropped in training all the same: your blocks, or "
            "something beside them, have a probability of their own, and do not get yours.",
            "Which arguments does DecoderBlock take, and which do you hand on?",
            r"DecoderBlock\(|Dropout\(|dropout\(",
        ),
        Mistake(
            "dropout_never",
            ((MAKE_BLOCK, MAKE_BLOCK.replace("dropout, norm_first", "0.0, norm_first")),),
            "In training nothing is dropped: the output is that of eval mode, with "
            "dropout={dropped}.",
            "Which arguments does DecoderBlock take, and which do you hand on?",
            r"DecoderBlock\(",
        ),
        Mistake(
            "dropout_always",
            (
                (LOOP, f"x = nn.functional.dropout(x, self.p)\n        {LOOP}"),
                (MAKE_NORM, f"{MAKE_NORM}\n        self.p = dropout"),
            ),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout\(",
        ),
        Mistake(
            "memory_cut_off",
            ((LOOP, f"memory = memory.detach()\n        {LOOP}"),),
            "The numbers are right, but no gradient gets back to the memory: the encoder could "
            "never learn what the decoder needs.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        through(
            "graph_cut",
            "x = layer(x.detach(), memory, mask, memory_mask)",
            "The numbers are right, but gradients end at a block's input: what lies below could "
            "not be trained.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "all_outputs_returned",
            (
                (LOOP, f"outputs = []\n        {LOOP}"),
                (THROUGH, f"{THROUGH}\n            outputs.append(x)"),
                ("return x", "return outputs"),
            ),
            "You give back the outputs of all blocks; expected is that of the last one.",
            "What does the next part of the model want to work with?",
            r"return",
        ),
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
