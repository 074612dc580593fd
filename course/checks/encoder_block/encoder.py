"""How Encoder is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import TRANSFORMER
from autograder.engine.trial import Call

from ..shared import CUTS, LOOK_FOR_CUTS, only_dtype
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


def stack_norm_first(draw):
    return stack(draw, first=True)


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
    """With dropout=0 training changes nothing, however often."""
    return with_equal_tokens(draw, stack(draw), 0.0, *[WITHOUT] * 2)


def stack_with_dropout(draw):
    trial = stack(draw, first=True, build=SHORT)
    return with_equal_tokens(draw, trial, DROPPED, TRAINING, EVAL)


LAYERS = (
    "nn.ModuleList(\n            EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) "
    "for _ in range(num_layers)\n        )"
)
ONE_LAYER = "EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first)"
LOOP = "for layer in self.layers:"
STEP = "x = layer(x, mask)"
MAKE_NORM = "self.norm = nn.LayerNorm(d_model) if norm_first else None"
ASK_NORM = "if self.norm is not None:"
LAST = "return x"
LOOK_AT_STACK = "Follow one token through the stack: which block does it meet, and what goes in?"
LOOK_AT_LAST_NORM = (
    "The last sum of a block: who has normed it, with norm_first and without, when it leaves the "
    "stack?"
)

Encoder = Exercise(
    id="encoder_block.Encoder",
    properties=(
        Property(
            "parts",
            2,
            "the stack has num_layers blocks, each with parameters of its own, and a final norm "
            "where there is to be one",
            aspects=("built", "names"),
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
        Property(
            "gradients",
            1,
            "gradients reach x and all parameters",
            (stack_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (stack_in_float64, stack_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x and mask stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "same_block_repeated",
            ((LAYERS, f"nn.ModuleList([{ONE_LAYER}] * num_layers)"),),
            "All your layers are one and the same block: its parameters are shared, and the stack "
            "has as many of them as a single block.",
            "[block] * n makes a list with n names for one block. How often does your code call "
            "EncoderBlock(…)?",
            r"\*|append|EncoderBlock\(|for",
        ),
        Mistake(
            "plain_list",
            ((LAYERS, LAYERS.replace("nn.ModuleList(", "list(")),),
            "Torch finds no blocks in your stack. In a plain Python list (or tuple, or dict) it "
            "does not look for any: they are neither trained nor saved nor moved to a GPU.",
            "Which container does torch look into?",
            r"layers ?=",
        ),
        Mistake(
            "first_block_every_time",
            ((STEP, "x = self.layers[0](x, mask)"),),
            "x goes through the first block {layers} times, and through no other.",
            LOOK_AT_STACK,
            r"\[0\]|layer",
        ),
        Mistake(
            "last_block_left_out",
            ((LOOP, "for layer in self.layers[:-1]:"),),
            "x does not go through the last of your blocks.",
            LOOK_AT_STACK,
            r"-1|range|for",
        ),
        Mistake(
            "first_block_left_out",
            ((LOOP, "for layer in self.layers[1:]:"),),
            "x does not go through the first of your blocks.",
            LOOK_AT_STACK,
            r"1:|range|for",
        ),
        Mistake(
            "only_first_block",
            ((LOOP, "for layer in self.layers[:1]:"),),
            "x goes through the first block and leaves the stack: does your code return inside "
            "the loop?",
            LOOK_AT_STACK,
            r"return|\[0\]",
        ),
        Mistake(
            "every_block_reads_the_input",
            ((LOOP, "start = x\n        " + LOOP), (STEP, "x = layer(start, mask)")),
            "Every block reads the stack's input, and only what the last one gives is kept.",
            LOOK_AT_STACK,
            r"layer\(|for",
        ),
        Mistake(
            "one_block_too_few",
            (("range(num_layers)", "range(num_layers - 1)"),),
            "Your stack has one block fewer than num_layers says, {layers}.",
            "Where does your code count the blocks?",
            r"range",
        ),
        Mistake(
            "in_reverse_order",
            ((LOOP, "for layer in reversed(self.layers):"),),
            "x goes through your blocks in reverse order, the last one first.",
            LOOK_AT_STACK,
            r"reversed|::-1",
        ),
        Mistake(
            "blocks_added_up",
            ((STEP, "x = x + layer(x, mask)"),),
            "You add x to what each block gives. The blocks have their own residuals inside, so "
            "every one counts twice.",
            LOOK_AT_STACK,
            r"\+",
        ),
        Mistake(
            "residual_around_stack",
            (
                (LOOP, "start = x\n        " + LOOP),
                (ASK_NORM, "x = x + start\n        " + ASK_NORM),
            ),
            "You add the stack's input to what the last block gives; the blocks have their own "
            "residuals inside.",
            LOOK_AT_STACK,
            r"\+",
        ),
        Mistake(
            "list_of_all",
            (
                (LOOP, "all_of_them = []\n        " + LOOP),
                (STEP, STEP + "\n            all_of_them.append(x)"),
                (LAST, "return all_of_them"),
            ),
            "You return a list with what each of your {layers} blocks gives; asked for is the last "
            "result alone.",
            "Which of them does the decoder read?",
            r"append|return",
        ),
        Mistake(
            "mask_ignored",
            ((STEP, "x = layer(x)"),),
            "The output is the same with and without a mask: your blocks do not get it.",
            "Who needs to know about the mask?",
            r"layer\(|for",
        ),
        Mistake(
            "mask_for_first_block_only",
            ((STEP, "x = layer(x, mask)\n            mask = None"),),
            "Your first block gets the mask, the others do not: what it hides comes in through "
            "them.",
            "Who needs to know about the mask?",
            r"~|not mask|== ?0|mask\)",
        ),
        Mistake(
            "mask_for_last_block_only",
            ((STEP, "x = layer(x, mask if layer is self.layers[-1] else None)"),),
            "Your last block gets the mask, the others do not.",
            "Who needs to know about the mask?",
            r"~|not mask|== ?0|mask\)",
        ),
        Mistake(
            "mask_inverted",
            ((LOOP, "mask = None if mask is None else ~mask\n        " + LOOP),),
            "Your mask works the other way round: attention sees what should be hidden.",
            "True means: may be attended to.",
            r"~|not mask|== ?0|mask\)",
        ),
        Mistake(
            "no_final_norm",
            ((MAKE_NORM, "self.norm = None"),),
            "With norm_first=True there is no final norm: the last sum leaves your stack as it is, "
            "and every block has added to it.",
            LOOK_AT_LAST_NORM,
            r"norm|layers ?=",
        ),
        Mistake(
            "final_norm_unused",
            ((ASK_NORM, "if False:"),),
            "Your stack has a final norm, but with norm_first=True it is never used.",
            LOOK_AT_LAST_NORM,
            r"return",
        ),
        Mistake(
            "final_norm_always",
            ((MAKE_NORM, "self.norm = nn.LayerNorm(d_model)"),),
            "Your stack norms its last result without norm_first, too: there the last block has "
            "normed it already, and no `norm` is asked for.",
            LOOK_AT_LAST_NORM,
            r"norm",
        ),
        Mistake(
            "final_norm_there_but_unused",
            (
                (MAKE_NORM, "self.norm, self.norm_first = nn.LayerNorm(d_model), norm_first"),
                (ASK_NORM, "if self.norm_first:"),
            ),
            "The numbers are right, but without norm_first your stack has a `norm` that is never "
            "used: parameters that count and are not trained.",
            LOOK_AT_LAST_NORM,
            r"norm ?=",
        ),
        Mistake(
            "final_norm_the_wrong_way_round",
            ((MAKE_NORM, "self.norm = None if norm_first else nn.LayerNorm(d_model)"),),
            "Your stack has a final norm without norm_first, and none with it; it is the other way "
            "round.",
            LOOK_AT_LAST_NORM,
            r"norm",
        ),
        Mistake(
            "norm_after_every_block",
            (
                (
                    STEP,
                    "x = layer(x, mask)\n            x = x if self.norm is None else self.norm(x)",
                ),
                (ASK_NORM, "if False:"),
            ),
            "With norm_first=True your final norm acts after every block, and not once at the end.",
            LOOK_AT_LAST_NORM,
            r"norm\(",
        ),
        Mistake(
            "norm_at_the_beginning",
            (
                (LOOP, "x = x if self.norm is None else self.norm(x)\n        " + LOOP),
                (ASK_NORM, "if False:"),
            ),
            "With norm_first=True your final norm acts before the first block, and not after the "
            "last one.",
            LOOK_AT_LAST_NORM,
            r"norm\(",
        ),
        Mistake(
            "norm_first_not_handed_on",
            ((LAYERS, LAYERS.replace(", norm_first", "")),),
            "With norm_first=True your blocks still norm their sums: they are not told.",
            "What does each block have to know?",
            r"EncoderBlock\(",
        ),
        Mistake(
            "norm_first_ignored",
            (
                (LAYERS, LAYERS.replace(", norm_first", "")),
                (MAKE_NORM, "self.norm = None"),
            ),
            "norm_first=True changes nothing: your blocks are not told, and there is no final "
            "norm.",
            "What does each block have to know?",
            r"EncoderBlock\(",
        ),
        Mistake(
            "random_without_dropout",
            ((LAYERS, LAYERS.replace("dropout, norm_first", "norm_first=norm_first")),),
            "In training, your stack gives equal tokens different numbers even with dropout=0: "
            "chance is at work in it that does not ask the argument `dropout`.",
            "What does each block have to know?",
            r"EncoderBlock\(",
        ),
        Mistake(
            "dropout_never",
            ((LAYERS, LAYERS.replace("dropout, norm_first", "0.0, norm_first")),),
            "In training nothing is dropped: your blocks are not told about `dropout`.",
            "What does each block have to know?",
            r"EncoderBlock\(",
        ),
        Mistake(
            "graph_cut",
            ((LAST, "return x.detach()"),),
            "The numbers are right, but no gradient gets through your stack.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "cut_between_blocks",
            ((STEP, "x = layer(x, mask).detach()"),),
            "The numbers are right, but no gradient gets from one block back to the one before.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
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
