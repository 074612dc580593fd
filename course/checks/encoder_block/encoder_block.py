"""How EncoderBlock is checked."""

import functools

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import TRANSFORMER
from autograder.engine.symptoms import number, shape
from autograder.engine.trial import Answer, Call, Trial

from ..shared import CUTS, LOOK_FOR_CUTS, comparable, only_dtype
from .feed_forward import DROPPED, MAKE_DROPOUT
from .shared import LATER, loaded, outputs

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


def block_in_float64(draw):
    return block(draw, first=True, dtype=torch.float64)


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


def block_norm_first_with_dropout(draw):
    return block_with_dropout(draw, first=True)


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


def one_mode_only(seen):
    """A symptom: a hint at the mode in which it is wrong."""
    yours, theirs = comparable(seen)
    if yours is None or not seen.trial.options.get("norm_first"):
        return None
    wrong = (yours - theirs).abs()
    return (
        f"With norm_first=True your output is not right: {int((wrong > 1e-3).sum())} of "
        f"{wrong.numel()} numbers are off, by up to {number(wrong.max())}."
    )


PRE_NORM = "normed = self.norm1(x)"
PRE_1 = "x = x + self.dropout(self.self_attention(normed, normed, normed, mask))"
PRE_2 = "return x + self.dropout(self.feed_forward(self.norm2(x)))"
POST_1 = "x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))"
POST_2 = "return self.norm2(x + self.dropout(self.feed_forward(x)))"
CHOOSE = "if self.norm_first:"
KEEP_CHOICE = "self.norm_first = norm_first"
MAKE_NORM_2 = "self.norm2 = nn.LayerNorm(d_model)"
UNBIASED_NORM = """super().__init__()

        class Unbiased(nn.LayerNorm):
            def forward(self, x):
                spread = x.std(-1, keepdim=True) + 1e-6
                return (x - x.mean(-1, keepdim=True)) / spread * self.weight + self.bias
"""
MAKE_ATTENTION = "self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)"
MAKE_FEED_FORWARD = "self.feed_forward = FeedForward(d_model, d_ff, dropout)"
LOOK_AT_SUMS = (
    "Draw the block with its two sums. For each: which two arrows meet, and where do they come "
    "from?"
)
LOOK_AT_NORMS = "Compare with the two lines in the docstring: what does each norm act on?"


def changed(line, *pairs):
    """An edit of a line by pieces of it."""
    new = line
    for old, replacement in pairs:
        new = new.replace(old, replacement)
    return line, new


def in_both_orders(mistake_id, post, pre, says, look, line, both=()):
    """A mistake made in both orders, and the same made only in one of them."""
    start = says[0].lower() + says[1:]
    return (
        Mistake(mistake_id, both or post + pre, says, look, line),
        Mistake(f"{mistake_id}_in_post_norm", post, f"Without norm_first, {start}", look, line),
        Mistake(f"{mistake_id}_in_pre_norm", pre, f"With norm_first=True, {start}", look, line),
    )


def feed_forward_first(first, second):
    """The sub-layers in the wrong order, with their norms."""
    attend = PRE_1.removeprefix("x = ")
    return (
        (POST_1, f"x = self.{first}(x + self.dropout(self.feed_forward(x)))"),
        (POST_2, f"return self.{second}(x + self.dropout(self.self_attention(x, x, x, mask)))"),
        (PRE_NORM, f"x = x + self.dropout(self.feed_forward(self.{first}(x)))"),
        (PRE_1, f"normed = self.{second}(x)"),
        (PRE_2, f"return {attend}"),
    )


NO_RESIDUAL_1 = (changed(POST_1, ("x + ", "")),)
NO_RESIDUAL_2 = (changed(POST_2, ("x + ", "")),)
NO_PRE_RESIDUAL_1 = (changed(PRE_1, ("= x + ", "= ")),)
NO_PRE_RESIDUAL_2 = (changed(PRE_2, ("x + ", "")),)
ATTENTION_IN = "self.dropout(self.self_attention("
FEED_FORWARD_IN = "self.dropout(self.feed_forward("

EncoderBlock = Exercise(
    id="encoder_block.EncoderBlock",
    properties=(
        Property(
            "parts",
            1,
            "attention, feed-forward and the two norms are there under their names",
            aspects=("built", "names"),
        ),
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
            "dropout acts in training only",
            (
                block_with_dropout,
                block_norm_first_with_dropout,
                block_in_eval_mode,
                block_in_training,
            ),
        ),
        Property(
            "gradients",
            1,
            "gradients reach x and all parameters",
            (block_gradients, block_norm_first_gradients),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (block_in_float64, block_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x and mask stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        *in_both_orders(
            "no_residual",
            NO_RESIDUAL_1 + NO_RESIDUAL_2,
            NO_PRE_RESIDUAL_1 + NO_PRE_RESIDUAL_2,
            "Neither of your sub-layers adds to what went in: there is no residual, and the "
            "gradient has no way past them.",
            LOOK_AT_SUMS,
            r"attention\(",
        ),
        *in_both_orders(
            "no_attention_residual",
            NO_RESIDUAL_1,
            NO_PRE_RESIDUAL_1,
            "What attention gives takes the place of x; it is to be added to x.",
            LOOK_AT_SUMS,
            r"attention\(",
        ),
        *in_both_orders(
            "no_feed_forward_residual",
            NO_RESIDUAL_2,
            NO_PRE_RESIDUAL_2,
            "What feed-forward gives takes the place of what went into it; it is to be added to "
            "that.",
            LOOK_AT_SUMS,
            r"feed_forward\(",
        ),
        *in_both_orders(
            "residual_from_the_beginning",
            ((POST_1, "start = x\n        " + POST_1), changed(POST_2, ("x + ", "start + "))),
            (
                (PRE_NORM, "start = x\n            " + PRE_NORM),
                changed(PRE_2, ("x + ", "start + ")),
            ),
            "What feed-forward gives is added to the block's input, so that what attention gave "
            "gets lost in the sum; it is to be added to what attention has made.",
            LOOK_AT_SUMS,
            r"feed_forward\(",
        ),
        *in_both_orders(
            "residual_twice",
            (
                changed(POST_1, ("x + ", "x + x + ")),
                changed(POST_2, ("x + ", "x + x + ")),
            ),
            (changed(PRE_1, ("= x + ", "= x + x + ")), changed(PRE_2, ("x + ", "x + x + "))),
            "Both your sums have x in them twice. Is it added inside the sub-layers already?",
            LOOK_AT_SUMS,
            r"\+",
        )[:1],
        Mistake(
            "norm_on_branch",
            (
                (POST_1, "x = x + self.norm1(self.dropout(self.self_attention(x, x, x, mask)))"),
                (POST_2, "return x + self.norm2(self.dropout(self.feed_forward(x)))"),
            ),
            "Without norm_first you norm what a sub-layer gives and add x afterwards; the paper "
            "norms the sum.",
            LOOK_AT_NORMS,
            r"norm1\(",
        ),
        Mistake(
            "norm_on_residual",
            (
                (POST_1, "x = self.norm1(x) + self.dropout(self.self_attention(x, x, x, mask))"),
                (POST_2, "return self.norm2(x) + self.dropout(self.feed_forward(x))"),
            ),
            "Without norm_first you norm x before the sum; the paper norms the sum.",
            LOOK_AT_NORMS,
            r"norm1\(",
        ),
        Mistake(
            "no_norms_in_post_norm",
            (
                (POST_1, "x = x + self.dropout(self.self_attention(x, x, x, mask))"),
                (POST_2, "return x + self.dropout(self.feed_forward(x))"),
            ),
            "Without norm_first nothing is normed in your block.",
            LOOK_AT_NORMS,
            r"return",
        ),
        Mistake(
            "only_first_norm_in_post_norm",
            ((POST_2, "return x + self.dropout(self.feed_forward(x))"),),
            "Without norm_first the sum after feed-forward is not normed in your block.",
            LOOK_AT_NORMS,
            r"return",
        ),
        Mistake(
            "only_last_norm_in_post_norm",
            ((POST_1, "x = x + self.dropout(self.self_attention(x, x, x, mask))"),),
            "Without norm_first the sum after attention is not normed in your block.",
            LOOK_AT_NORMS,
            r"attention\(",
        ),
        Mistake(
            "no_norms_in_pre_norm",
            ((PRE_NORM, "normed = x"), changed(PRE_2, ("self.norm2(x)", "x"))),
            "With norm_first=True nothing is normed in your block.",
            LOOK_AT_NORMS,
            r"return",
        ),
        Mistake(
            "attention_not_normed_in_pre_norm",
            ((PRE_NORM, "normed = x"),),
            "With norm_first=True attention gets x as it is in your block, not normed.",
            LOOK_AT_NORMS,
            r"attention\(",
        ),
        Mistake(
            "feed_forward_not_normed_in_pre_norm",
            (changed(PRE_2, ("self.norm2(x)", "x")),),
            "With norm_first=True feed-forward gets x as it is in your block, not normed.",
            LOOK_AT_NORMS,
            r"feed_forward\(",
        ),
        Mistake(
            "residual_of_normed",
            (
                (PRE_NORM, "normed = x = self.norm1(x)"),
                (PRE_2, "x = self.norm2(x)\n            " + PRE_2.replace("self.norm2(x)", "x")),
            ),
            "With norm_first=True you add to the normed x; the sum is to start from the x before "
            "the norm, so that something goes all the way through untouched.",
            LOOK_AT_SUMS,
            r"= ?self\.norm1\(",
        ),
        Mistake(
            "only_query_normed",
            (changed(PRE_1, ("normed, normed, normed", "normed, x, x")),),
            "With norm_first=True only the query is normed: keys and values are x as it came.",
            LOOK_AT_NORMS,
            r"attention\(",
        ),
        Mistake(
            "value_not_normed",
            (changed(PRE_1, ("normed, normed, normed", "normed, normed, x")),),
            "With norm_first=True query and key are normed, but the value is x as it came.",
            LOOK_AT_NORMS,
            r"attention\(",
        ),
        Mistake(
            "normed_before_and_after",
            (
                (
                    PRE_1,
                    "x = self.norm1(x + self.dropout("
                    "self.self_attention(normed, normed, normed, mask)))",
                ),
                (PRE_2, "return self.norm2(x + self.dropout(self.feed_forward(self.norm2(x))))"),
            ),
            "With norm_first=True you norm before each sub-layer and after each sum. Then "
            "nothing goes through untouched: it is one or the other.",
            LOOK_AT_NORMS,
            r"norm2\(",
        ),
        Mistake(
            "norm_at_the_end",
            ((PRE_2, "return self.norm2(x + self.dropout(self.feed_forward(self.norm2(x))))"),),
            "With norm_first=True your block's result is normed once more at its end, by norm2. "
            "That is done once, by the stack, after the last block.",
            LOOK_AT_NORMS,
            r"return",
        ),
        Mistake(
            "norm_first_ignored",
            ((KEEP_CHOICE, "self.norm_first = False"),),
            "Your block norms after each sum, also with norm_first=True.",
            "Where is norm_first asked about?",
            r"norm_first",
        ),
        Mistake(
            "always_norm_first",
            ((KEEP_CHOICE, "self.norm_first = True"),),
            "Your block norms before each sub-layer, also without norm_first. Most models of today "
            "do that; the paper's order, which comes without norm_first, norms each sum.",
            LOOK_AT_NORMS,
            r"norm1\(",
        ),
        Mistake(
            "norm_first_inverted",
            ((KEEP_CHOICE, "self.norm_first = not norm_first"),),
            "Your two orders have changed places: with norm_first=True you norm the sums, and "
            "without it what goes into the sub-layers.",
            "What does the name norm_first say?",
            r"norm_first",
        ),
        *in_both_orders(
            "norm1_for_both",
            (changed(POST_2, ("norm2", "norm1")),),
            (changed(PRE_2, ("norm2", "norm1")),),
            "Norm1 is used for both sub-layers and norm2 for none. As long as both have their "
            "first weights, that does not show.",
            "Each sub-layer has a norm of its own.",
            r"norm1\(",
        ),
        *in_both_orders(
            "norms_swapped",
            (changed(POST_1, ("norm1", "norm2")), changed(POST_2, ("norm2", "norm1"))),
            ((PRE_NORM, "normed = self.norm2(x)"), changed(PRE_2, ("norm2", "norm1"))),
            "Norm2 belongs to your attention and norm1 to feed-forward; it is the other way round.",
            "They are numbered in the order in which they act.",
            r"norm2\(",
        )[:1],
        Mistake(
            "one_norm_object",
            ((MAKE_NORM_2, "self.norm2 = self.norm1"),),
            "Norm1 and norm2 are one and the same object, so both sub-layers share its weight and "
            "bias.",
            "How many LayerNorms does your __init__ make?",
            r"norm2 ?=|norm1 ?=",
        ),
        Mistake(
            "norms_unbiased",
            (
                ("self.norm1 = nn.LayerNorm(d_model)", "self.norm1 = Unbiased(d_model)"),
                (MAKE_NORM_2, "self.norm2 = Unbiased(d_model)"),
                ("super().__init__()", UNBIASED_NORM),
            ),
            "Your block is right but for its norms, whose variance is divided by {one_less} and "
            "not by d_model={d_model}.",
            "Check your LayerNorm first: that is an exercise of its own.",
            r"LayerNorm\(",
        ),
        Mistake(
            "feed_forward_first",
            feed_forward_first("norm2", "norm1"),
            "Your block thinks first and looks around afterwards: feed-forward comes before "
            "attention.",
            "In which order does the docstring name them?",
            r"feed_forward\(",
            variations=(feed_forward_first("norm1", "norm2"),),
        ),
        *in_both_orders(
            "feed_forward_of_the_beginning",
            (
                (POST_1, "start = x\n        " + POST_1),
                changed(POST_2, ("feed_forward(x)", "feed_forward(start)")),
            ),
            (
                (PRE_NORM, "start = x\n            " + PRE_NORM),
                changed(PRE_2, ("self.norm2(x)", "self.norm2(start)")),
            ),
            "Your feed-forward reads the block's input, and not what attention has made of it.",
            LOOK_AT_SUMS,
            r"feed_forward\(",
        )[:1],
        Mistake(
            "no_feed_forward",
            ((POST_2, "return x"), (PRE_2, "return x")),
            "Your block ends after attention: feed-forward is never used.",
            "A block has two sub-layers.",
            r"return",
        ),
        Mistake(
            "no_attention",
            ((POST_1, "pass"), (PRE_1, "pass")),
            "Your block is feed-forward alone: attention is never used.",
            "A block has two sub-layers.",
            r"forward",
        ),
        Mistake(
            "nothing_done",
            ((CHOOSE, "if True:\n            return x\n        if self.norm_first:"),),
            "Your block hands x on as it is.",
            "What does your last line return?",
            r"return",
        ),
        *in_both_orders(
            "mask_ignored",
            ((CHOOSE, "mask = mask if self.norm_first else None\n        " + CHOOSE),),
            ((CHOOSE, "mask = None if self.norm_first else mask\n        " + CHOOSE),),
            "The output of your block is the same with and without a mask: it is not handed on.",
            "Who needs to know about the mask?",
            r"attention\(",
            both=((CHOOSE, "mask = None\n        " + CHOOSE),),
        ),
        Mistake(
            "mask_inverted",
            ((CHOOSE, "mask = None if mask is None else ~mask\n        " + CHOOSE),),
            "Your mask works the other way round: attention sees what should be hidden.",
            "True means: may be attended to.",
            r"~|not mask|== ?0|mask\)",
        ),
        Mistake(
            "dropout_never",
            (
                (MAKE_ATTENTION, MAKE_ATTENTION.replace(", dropout", "")),
                (MAKE_FEED_FORWARD, MAKE_FEED_FORWARD.replace("dropout", "0.0")),
                (MAKE_DROPOUT, "self.dropout = nn.Identity()"),
            ),
            "In training nothing is dropped: `dropout` is not used.",
            "Which of the parts take a dropout, and what is dropped beside them?",
            r"__init__|MultiHeadAttention\(",
        ),
        Mistake(
            "dropout_always",
            ((MAKE_DROPOUT, "self.dropout = lambda x: nn.functional.dropout(x, dropout)"),),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout\(",
        ),
        Mistake(
            "random_without_dropout",
            ((MAKE_DROPOUT, "self.dropout = nn.Dropout(0.1)"),),
            "In training, your block gives equal tokens different numbers even with dropout=0: "
            "chance is at work in it that does not ask the argument `dropout`.",
            "Which of the parts take a dropout, and are they told which?",
            r"[Dd]ropout\(|FeedForward\(",
        ),
        *in_both_orders(
            "worked_out_twice",
            (
                (POST_1, "made = lambda: " + POST_1.removeprefix("x = ")),
                changed(POST_2, ("x + ", "made() + "), ("feed_forward(x)", "feed_forward(made())")),
            ),
            (
                (PRE_1, "made = lambda: " + PRE_1.removeprefix("x = ")),
                changed(PRE_2, ("x + ", "made() + "), ("norm2(x)", "norm2(made())")),
            ),
            "In training your feed-forward reads other numbers than those that its result is "
            "added to: dropout fell differently on them. That happens when the same thing is "
            "worked out twice.",
            "How often does your code call attention?",
            r"attention\(",
        ),
        *in_both_orders(
            "changes_x",
            (
                changed(POST_1, ("x = self.norm1(x + ", "x += "), ("mask)))", "mask))")),
                (POST_2, "x = self.norm1(x)\n        " + POST_2),
            ),
            (changed(PRE_1, ("x = x + ", "x += ")),),
            "The caller's x has other numbers afterwards: something in your code works in place, "
            "while x is still the tensor that came in.",
            "`x += …` and names that end in `_` write into the tensor that is there.",
            r"\+=|add_",
        ),
        Mistake(
            "graph_cut",
            (
                (POST_2, POST_2 + ".detach()"),
                (PRE_2, "return (" + PRE_2.removeprefix("return ") + ").detach()"),
            ),
            "The numbers are right, but no gradient gets through your block.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "attention_detached",
            (
                changed(POST_1, ("mask)", "mask).detach()")),
                changed(PRE_1, ("mask)", "mask).detach()")),
            ),
            "The numbers are right, but what attention gives is cut off from the gradient: its "
            "parameters could not be trained.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "residual_detached",
            (
                changed(POST_1, ("x + ", "x.detach() + ")),
                changed(POST_2, ("x + ", "x.detach() + ")),
                changed(PRE_1, ("= x + ", "= x.detach() + ")),
                changed(PRE_2, ("x + ", "x.detach() + ")),
            ),
            "The numbers are right, but your residuals are cut off from the gradient, and they "
            "are its straight way through the block.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
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
