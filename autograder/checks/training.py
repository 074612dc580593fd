"""Lesson 6: how training and decoding are checked."""

import math

import torch

from ..exercise import Exercise, Mistake, Property
from ..ready_made import CROSS_ENTROPY
from ..symptoms import few, number, shape
from ..trial import Answer, Call, StandIn, Trial, call

CUT_GRAPH = r"detach|\.data|item|numpy|no_grad|torch\.tensor"

# --- The learning rate ----------------------------------------------------------------------------


def rates(steps, d_model, warmup=None):
    """A trial that asks for the rate at several steps."""
    rest = {"d_model": d_model} | ({} if warmup is None else {"warmup": warmup})
    calls = [Call({"step": step} | rest, returns=("rate",)) for step in steps]
    sizes = {"first": steps[0], "last": steps[-1], "warmup": warmup or 4000}
    return Trial(calls, sizes=sizes, digest=one_curve)


def one_curve(answer):
    """The rates of all calls as one array, so that they are seen together."""
    values = list(answer.arrays.values())
    if any(value.numel() != 1 for value in values) or not values:
        return answer
    curve = torch.stack([value.double().reshape(()) for value in values])
    return Answer({"rate": curve}, answer.facts, answer.problem)


def rates_while_warming_up(draw):
    warmup = draw.integer(40, 60)
    return rates([1, 2, warmup // 3, warmup // 2, warmup - 1, warmup], draw.integer(20, 40), warmup)


def rates_afterwards(draw):
    warmup = draw.integer(40, 60)
    steps = [warmup + 1, 2 * warmup, 5 * warmup + 3, 60 * warmup]
    return rates(steps, draw.integer(20, 40), warmup)


def rates_of_short_warmup(draw):
    return rates([1, 2, 3, 4, 70], draw.integer(6, 12), 2)


def rates_by_default(draw):
    """The paper's warm-up is meant if none is named."""
    return rates([10, 1000, 3999, 4000, 4001, 30000], draw.integer(100, 600))


def rate_at_step_zero(draw):
    trial = rates([0, 1], draw.integer(20, 40), draw.integer(40, 60))
    trial.digest = something_small
    return trial


def something_small(answer):
    """Step 0 is before the first one: anything from 0 to the rate of step 1 will do."""
    zero, first = (answer.arrays.get(f"rate{call}") for call in ("", SECOND))
    if first is None or zero is None or first.numel() != 1 or zero.numel() != 1:
        return answer
    fine = bool((zero >= 0) & (zero <= first * (1 + 1e-6)))
    facts = {"the rate at step 0 lies between 0 and that at step 1": fine}
    return Answer({}, facts, answer.problem)


SECOND = " (call 2)"


def rate_at_end(seen):
    """The rate at the last step that was asked for."""
    return number(seen.yours["rate"][-1])


RISING = "rising = step * warmup**-1.5"
FALLING = "falling = step**-0.5"
RATE = "return d_model**-0.5 * min(rising, falling)"
AT_LEAST_ONE = "step = max(step, 1)"
LOOK_AT_CURVE = (
    "Draw your rate over the steps, to ten times the warm-up: it should rise in a straight line, "
    "and then fall, more and more slowly."
)
LOOK_AT_WARMUP = (
    "The two expressions in the minimum are to be equal at step {warmup}: put that step into both."
)
ROOTS = r"\*\*|sqrt|pow"

learning_rate = Exercise(
    id="training.learning_rate",
    properties=(
        Property(
            "rises",
            2,
            "the rate rises in a straight line up to the end of the warm-up",
            (rates_while_warming_up,),
            look=LOOK_AT_CURVE,
        ),
        Property(
            "falls",
            2,
            "afterwards it falls with the root of the step",
            (rates_afterwards,),
            look=LOOK_AT_CURVE,
        ),
        Property(
            "warmup",
            1,
            "it follows the warm-up it is given, and takes 4000 steps if none is given",
            (rates_of_short_warmup, rates_by_default),
            look=LOOK_AT_WARMUP,
        ),
        Property(
            "step zero",
            1,
            "step 0 is no trouble",
            (rate_at_step_zero,),
            look="0 to the power of -0.5 is no number. What could step 0 be answered with?",
        ),
        Property("float", 1, "the rate is a Python float", aspects=("returned",)),
    ),
    mistakes=(
        Mistake(
            "larger_of_both",
            ((RATE, RATE.replace("min", "max")),),
            "You take the larger of the two expressions: the rate falls while it should rise, and "
            "afterwards rises for ever.",
            LOOK_AT_CURVE,
            r"max",
        ),
        Mistake(
            "no_warmup",
            ((RATE, RATE.replace("min(rising, falling)", "falling")),),
            "There is no warm-up: your rate has its highest value at step 1, and falls from there.",
            "Which of the two expressions in the formula grows with the step, and is it ever the "
            "smaller one in your code? Look at the signs of the exponents.",
            r"min|return",
            variations=(((RISING, "rising = step * warmup**1.5"),),),
        ),
        Mistake(
            "never_falls",
            ((RATE, RATE.replace("min(rising, falling)", "rising")),),
            "Your rate rises for ever: {end_rate} at step {last}.",
            LOOK_AT_CURVE,
            r"return",
        ),
        Mistake(
            "root_of_step_grows",
            ((FALLING, "falling = step**0.5"),),
            "Your rate never falls: what should hold it back after the warm-up is the root of the "
            "step, which grows, and not one over the root.",
            "Look at the signs of the exponents.",
            r"sqrt|\*\* ?0\.5|pow",
        ),
        Mistake(
            "constant_after_warmup",
            ((FALLING, "falling = warmup**-0.5"),),
            "The warm-up is right, but afterwards your rate stays where it is: {end_rate} at step "
            "{last}.",
            "What does the formula do with the step once the warm-up is over?",
            r"warmup ?\*\* ?-0\.5|sqrt|min|if",
        ),
        Mistake(
            "falls_with_the_step",
            ((FALLING, "falling = warmup**0.5 / step"),),
            "The warm-up is right, but afterwards your rate falls as 1 / step, and so too fast: "
            "after four times as many steps it is to be half, and yours is a quarter.",
            "By which power of the step does the formula fall?",
            r"/ ?step|step ?\*\*",
        ),
        Mistake(
            "falls_as_one_over_step",
            ((FALLING, "falling = step**-1.0"),),
            "What holds your rate back is 1 / step, and not one over the root of the step.",
            "Compare both exponents of the step with the formula.",
            r"/ ?step|step ?\*\*",
        ),
        Mistake(
            "falls_in_a_straight_line",
            ((FALLING, "falling = warmup**-0.5 * max(0.0, 2 - step / warmup)"),),
            "The warm-up is right, but afterwards your rate falls in a straight line, and is 0 "
            "from step {twice} on.",
            "By which power of the step does the formula fall?",
            r"/ ?warmup|- ?step",
        ),
        Mistake(
            "exponents_swapped",
            ((RISING, "rising = step * warmup**-0.5"), (FALLING, "falling = step**-1.5")),
            "The two exponents have changed places: the -1.5 belongs to the warm-up, and the -0.5 "
            "to the step.",
            LOOK_AT_WARMUP,
            ROOTS,
        ),
        Mistake(
            "warmup_rooted",
            ((RISING, "rising = step * warmup**-0.5"),),
            "Your warm-up is over after very few steps: you multiply the step by warmup^-0.5.",
            LOOK_AT_WARMUP,
            r"warmup|sqrt",
        ),
        Mistake(
            "divided_by_warmup",
            ((RISING, "rising = step / warmup"),),
            "Your warm-up is over too soon: you divide the step by warmup={warmup}, so that the "
            "two expressions meet long before step {warmup}.",
            LOOK_AT_WARMUP,
            r"/ ?warmup|warmup ?\*\*",
        ),
        Mistake(
            "rises_too_high",
            (
                (
                    RATE,
                    "return d_model**-0.5 * (step / warmup if step < warmup else falling)",
                ),
            ),
            "Your warm-up leads up to d_model^-0.5, and from there the rate drops at once to "
            "where it should be: the two pieces do not meet at step {warmup}.",
            LOOK_AT_WARMUP,
            r"/ ?warmup",
        ),
        Mistake(
            "grows_with_width",
            ((RATE, RATE.replace("-0.5", "0.5")),),
            "Your rate is multiplied by the root of d_model={d_model}, and so {d_model} times what "
            "it should be: a wider model is to learn in smaller steps.",
            "Look at the sign of the exponent of d_model.",
            r"d_model",
        ),
        Mistake(
            "divided_by_width",
            ((RATE, RATE.replace("d_model**-0.5", "(1 / d_model)")),),
            "You divide by d_model={d_model}, and not by its root.",
            "Compare the exponent of d_model with the formula.",
            r"d_model",
        ),
        Mistake(
            "width_left_out",
            ((RATE, RATE.replace("d_model**-0.5 * ", "")),),
            "Your rate is the same for every width: d_model={d_model} is not in it.",
            "Compare with the formula: which factor stands in front of the minimum?",
            r"min|return",
        ),
        Mistake(
            "scaled_to_one",
            ((RATE, "return warmup**0.5 * min(rising, falling)"),),
            "Your curve has the right shape, but its highest value is always 1: the width of the "
            "model and the length of the warm-up do not scale it.",
            "Put step {warmup} into the formula: what comes out?",
            r"warmup",
        ),
        Mistake(
            "width_only_while_rising",
            ((RATE, "return min(d_model**-0.5 * rising, falling)"),),
            "Only one of your two expressions is multiplied by d_model^-0.5.",
            "Where do the brackets of the minimum begin and end?",
            r"min",
        ),
        Mistake(
            "width_only_while_falling",
            ((RATE, "return min(rising, d_model**-0.5 * falling)"),),
            "Only one of your two expressions is multiplied by d_model^-0.5.",
            "Where do the brackets of the minimum begin and end?",
            r"min",
        ),
        Mistake(
            "both_added",
            ((RATE, RATE.replace("min(rising, falling)", "(rising + falling)")),),
            "You add the two expressions up; at every step only one of them is to count.",
            "Which of the two counts, the smaller or the larger one?",
            r"\+",
        ),
        Mistake(
            "both_multiplied",
            ((RATE, RATE.replace("min(rising, falling)", "rising * falling")),),
            "You multiply the two expressions; at every step only one of them is to count.",
            "Which of the two counts, the smaller or the larger one?",
            r"\*",
        ),
        Mistake(
            "one_step_ahead",
            ((AT_LEAST_ONE, "step = step + 1"),),
            "Your rate is always that of the next step: at step {first} you give that of the one "
            "after it. Steps are counted from 1 here.",
            "Is there a + 1 that only step 0 needs?",
            r"\+ ?1|\+= ?1",
        ),
        Mistake(
            "one_step_behind",
            ((AT_LEAST_ONE, "step = max(step - 1, 1)"),),
            "Your rate is always that of the step before: steps are counted from 1 here.",
            "Is there a - 1 in your code?",
            r"- ?1|-= ?1",
        ),
        Mistake(
            "always_4000",
            ((AT_LEAST_ONE, "step, warmup = max(step, 1), 4000"),),
            "Your warm-up always takes 4000 steps; here {warmup} were asked for.",
            "Look for a number that should be `warmup`.",
            r"4000",
        ),
        Mistake(
            "nothing_left_of_division",
            ((RISING, "rising = step // warmup**1.5"),),
            "Your rate is 0 during the warm-up: `//` divides whole numbers and drops the rest.",
            "Which division keeps what comes after the point?",
            r"//",
        ),
        Mistake(
            "no_answer_at_step_zero",
            ((AT_LEAST_ONE, "pass"),),
            "At step 0 Python stops: 0 to the power of -0.5 is no number. Schedulers that begin to "
            "count at 0 would run into it.",
            "What could step 0 be answered with?",
            r"step ?\*\*|sqrt|pow|/ ?step",
            variations=(
                ((AT_LEAST_ONE, "pass"), (FALLING, "falling = 1 / step**0.5")),
                ((AT_LEAST_ONE, "pass"), (FALLING, "falling = math.pow(step, -0.5)")),
            ),
        ),
        Mistake(
            "high_at_step_zero",
            ((AT_LEAST_ONE, "step = step or warmup"),),
            "At step 0 your rate is higher than at step 1: the warm-up is to begin low.",
            "What could step 0 be answered with?",
            r"0|inf|torch",
            variations=(((AT_LEAST_ONE, 'if step == 0:\n        return float("inf")'),),),
        ),
        Mistake(
            "a_tensor",
            (
                (
                    RATE,
                    "return torch.tensor(d_model**-0.5 * min(rising, falling))",
                ),
            ),
            "The numbers are right, but you give a tensor; an optimiser wants a plain number.",
            "Python's own min and ** are enough here; a tensor of one number becomes a float by "
            ".item().",
            r"torch",
        ),
    ),
    hints=(
        "Put step = warmup into both expressions of the minimum: what do you notice?",
        "Before the warm-up is over, the expression that grows with the step is the smaller one; "
        "afterwards the other is. A minimum is all it takes.",
        "Two expressions, the smaller of them, times a factor that depends on d_model. Treat step "
        "0 as if it were step 1.",
    ),
    measures={
        "end_rate": rate_at_end,
        "twice": lambda seen: 2 * seen["warmup"],
    },
)

# --- The loss -------------------------------------------------------------------------------------


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


def loss_of_a_batch(draw):
    return loss(draw)


def loss_by_default(draw):
    """Smoothing 0.1 and padding 0 are meant if nothing is said."""
    trial = loss(draw, batch=4, length=3, vocab=7, padded=True)
    del trial.calls[0].arguments["smoothing"], trial.calls[0].arguments["pad"]
    return trial


def loss_of_one_token(draw):
    return loss(draw, batch=1, length=1, vocab=5)


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
    trial = loss(draw, batch=2, length=6, padded=True)
    trial.strided = True
    return trial


def loss_without_smoothing(draw):
    return loss(draw, smoothing=0.0)


def loss_with_much_smoothing(draw):
    return loss(draw, smoothing=draw.integer(40, 90) / 100)


def loss_of_smoothing_alone(draw):
    return loss(draw, smoothing=1.0)


def loss_with_padding(draw):
    return loss(draw, batch=4, length=6, padded=True)


def loss_with_other_padding(draw):
    return loss(draw, batch=4, length=6, padded=True, pad=draw.integer(2, 10))


def loss_with_padding_outside(draw):
    """Padding that is no token of the vocabulary at all."""
    return loss(draw, batch=4, length=6, padded=True, pad=-100)


def loss_of_large_logits(draw):
    return loss(draw, spread=1e4)


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
    trial = loss(draw, padded=True)
    trial.gradients = True
    return trial


def loss_in_float64(draw):
    trial = loss(draw, padded=True)
    trial.dtype = torch.float64
    return trial


def loss_in_bfloat16(draw):
    trial = loss(draw, padded=True)
    trial.dtype = torch.bfloat16
    return trial


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
    return (
        f"With smoothing={smoothing} your loss is {number(yours)}; expected {number(theirs)}, "
        f"the mean over {seen['tokens']} tokens that are not padding."
    )


SURPRISE = "surprise = -torch.log_softmax(logits, dim=-1)"
LOOKED_UP = "looked_up = targets.masked_fill(~counts, 0)"
COUNTS = "counts = targets != pad"
ONE_LOOKED_UP = "right = surprise.gather(-1, looked_up[..., None]).squeeze(-1)"
RIGHT = "loss = (1 - smoothing) * right"
SHARED = "loss = loss + smoothing * surprise.mean(dim=-1)"
IF_SMOOTHED = "if smoothing > 0:"
MEAN = "return loss.masked_fill(~counts, 0.0).sum() / counts.sum().clamp(min=1)"
LOOK_AT_SHARES = (
    "Write down, for a vocabulary of 5 and smoothing 0.1, what probability each token is to get; "
    "they add up to 1."
)
LOOK_AT_DIVISOR = "What is added up, and how many of them are there? The mean is over tokens."
LOOK_AT_PADDING = "Padding is to have no part in the sum, and none in the number of tokens."


def shared_as(what):
    return ((SHARED, f"loss = loss + smoothing * ({what})"),)


def small_number(number):
    return ((SURPRISE, f"surprise = -torch.log(torch.softmax(logits, dim=-1) + {number})"),)


OTHERS = "surprise.sum(dim=-1) - right"
OF_PAD = "(surprise[..., pad] if 0 <= pad < logits.shape[-1] else 0.0)"

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
        Property(
            "gradients",
            1,
            "gradients reach the logits, and none those at padding",
            (loss_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the loss has the dtype of the logits",
            (loss_in_float64, loss_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "logits and targets stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "shared_among_others",
            shared_as(f"({OTHERS}) / (logits.shape[-1] - 1)"),
            "You share the smoothing among the other tokens only, ε / (V - 1) for each of "
            "them. That is one way to do it; here all {vocab} tokens get the same share, the right "
            "one too, as in F.cross_entropy.",
            LOOK_AT_SHARES,
            r"- ?1",
        ),
        Mistake(
            "shared_without_right_and_pad",
            shared_as(f"({OTHERS} - {OF_PAD}) / (logits.shape[-1] - 2)"),
            "You share the smoothing among all tokens but the right one and padding, ε / (V - 2) "
            "for each of them. That is one way to do it; here all {vocab} tokens get the same "
            "share, as in F.cross_entropy.",
            LOOK_AT_SHARES,
            r"- ?2",
        ),
        Mistake(
            "padding_gets_no_share",
            shared_as(f"(surprise.sum(dim=-1) - {OF_PAD}) / logits.shape[-1]"),
            "The token of padding gets no share of your smoothing. That is one way to do it; here "
            "all {vocab} tokens get the same share, as in F.cross_entropy.",
            LOOK_AT_SHARES,
            r"pad",
        ),
        Mistake(
            "shared_without_pad",
            (
                (
                    SHARED,
                    "inside = 0 <= pad < logits.shape[-1]\n"
                    "        loss = loss + smoothing * (surprise.sum(dim=-1) - (surprise[..., pad] "
                    "if inside else 0.0)) / (logits.shape[-1] - inside)",
                ),
            ),
            "You share the smoothing among all tokens but padding. That is one way to do it; here "
            "all {vocab} tokens get the same share, as in F.cross_entropy.",
            LOOK_AT_SHARES,
            r"pad|- ?1",
        ),
        Mistake(
            "right_gets_no_share",
            shared_as(f"({OTHERS}) / logits.shape[-1]"),
            "Your right token is to get 1 - ε and nothing of what is shared, and each other token "
            "ε / V: that does not add up to 1.",
            LOOK_AT_SHARES,
            r"smoothing",
        ),
        Mistake(
            "right_keeps_everything",
            ((RIGHT, "loss = right"),),
            "The right token's part is not multiplied by 1 - ε: the probabilities that the model "
            "is to give add up to more than 1.",
            LOOK_AT_SHARES,
            r"smoothing",
        ),
        Mistake(
            "vocabulary_summed",
            shared_as("surprise.sum(dim=-1)"),
            "You add up the surprise over the vocabulary, where the formula has its mean: the "
            "smoothing weighs {vocab} times too much.",
            LOOK_AT_SHARES,
            r"sum",
        ),
        Mistake(
            "smoothing_ignored",
            ((IF_SMOOTHED, "if False:"), (RIGHT, "loss = right")),
            "Your loss does not depend on `smoothing`: it is the plain cross-entropy.",
            "Where does the formula have an ε?",
            r"return",
        ),
        Mistake(
            "smoothing_swapped",
            (
                (RIGHT, "loss = smoothing * right"),
                (IF_SMOOTHED, "if smoothing < 1:"),
                (SHARED, "loss = loss + (1 - smoothing) * surprise.mean(dim=-1)"),
            ),
            "ε and 1 - ε have changed places: with smoothing=0 your loss does not look at the "
            "targets at all.",
            "What is to be left with smoothing=0?",
            r"smoothing",
        ),
        Mistake(
            "always_a_tenth",
            (
                (RIGHT, "loss = 0.9 * right"),
                (IF_SMOOTHED, "if True:"),
                (SHARED, "loss = loss + 0.1 * surprise.mean(dim=-1)"),
            ),
            "Your loss is always that of smoothing=0.1.",
            "Look for a number that should be `smoothing`.",
            r"0\.1|0\.9",
        ),
        Mistake(
            "second_half_missing",
            ((IF_SMOOTHED, "if False:"),),
            "Only the right token's part is there, (1 - ε) times its surprise: what is shared "
            "among all tokens is missing.",
            "The formula is a sum of two parts.",
            r"smoothing",
        ),
        Mistake(
            "entropy_taken_off",
            (
                (
                    MEAN,
                    "vocab = logits.shape[-1]\n"
                    "    low = smoothing / vocab\n"
                    "    high = 1 - smoothing + low\n"
                    "    entropy = -high * math.log(high)\n"
                    "    if smoothing > 0:\n"
                    "        entropy = entropy - (vocab - 1) * low * math.log(low)\n"
                    "    loss = loss - entropy\n"
                    "    " + MEAN,
                ),
            ),
            "Your loss is too small by the entropy of the smoothed targets: that is the "
            "Kullback-Leibler divergence. Its gradients are the same, but asked for is the "
            "cross-entropy, which does not go down to 0.",
            "Which term is there in the divergence, and not in the formula of the docstring?",
            r"log|div",
        ),
        Mistake(
            "summed",
            ((MEAN, "return loss.masked_fill(~counts, 0.0).sum()"),),
            "Your loss is the sum over all tokens, and not their mean: a larger batch has a larger "
            "loss, and larger gradients.",
            LOOK_AT_DIVISOR,
            r"sum",
        ),
        Mistake(
            "padding_counted",
            ((MEAN, "return loss.masked_fill(~counts, 0.0).sum() / counts.numel()"),),
            "Padding is left out of your sum, but not of what you divide by: here {tokens} tokens "
            "count, and {padding} are padding. The more padding, the smaller your loss.",
            LOOK_AT_PADDING,
            r"mean|numel|size|shape|len",
        ),
        Mistake(
            "padding_not_left_out",
            ((MEAN, "return loss.mean()"), (LOOKED_UP, "looked_up = targets")),
            "Padding counts like every other token: the model is to learn to write it.",
            LOOK_AT_PADDING,
            r"mean|return",
        ),
        Mistake(
            "padding_smoothed",
            (
                (RIGHT, "loss = ((1 - smoothing) * right).masked_fill(~counts, 0.0)"),
                (MEAN, MEAN.replace(".masked_fill(~counts, 0.0)", "")),
            ),
            "You leave padding out of the right tokens' part, but not of what is shared among all "
            "tokens.",
            LOOK_AT_PADDING,
            r"smoothing",
        ),
        Mistake(
            "mean_over_vocabulary",
            ((MEAN, MEAN + " / logits.shape[-1]"),),
            "Your loss is {vocab} times too small: the mean runs over the vocabulary, too, and "
            "not only over the tokens.",
            LOOK_AT_DIVISOR,
            r"mean",
        ),
        Mistake(
            "divided_by_sequences",
            ((MEAN, "return loss.masked_fill(~counts, 0.0).sum() / len(targets)"),),
            "You divide by the {batch} sequences of the batch, and not by the {tokens} tokens that "
            "count: longer sequences have a larger loss.",
            LOOK_AT_DIVISOR,
            r"size|shape|len|batch",
        ),
        Mistake(
            "mean_of_means",
            (
                (
                    MEAN,
                    "return (loss.masked_fill(~counts, 0.0).sum(-1) "
                    "/ counts.sum(-1).clamp(min=1)).mean()",
                ),
            ),
            "You take the mean of every sequence, and then the mean of those: a token in a short "
            "sequence counts more than one in a long one.",
            LOOK_AT_DIVISOR,
            r"mean",
        ),
        Mistake(
            "one_loss_a_token",
            ((MEAN, "return loss.masked_fill(~counts, 0.0)"),),
            "You give a loss for every token, {your_shape}; asked for is one number, their mean.",
            LOOK_AT_DIVISOR,
            r"return",
        ),
        Mistake(
            "logits_taken_for_logarithms",
            ((SURPRISE, "surprise = -logits"),),
            "You use the logits as if they were logarithms of probabilities; they can be any "
            "numbers.",
            "What turns logits into probabilities that add up to 1?",
            r"logits",
        ),
        Mistake(
            "probabilities",
            ((SURPRISE, "surprise = -torch.softmax(logits, dim=-1)"),),
            "You add up probabilities; the loss is made of their logarithms. Your loss lies "
            "between -1 and 0.",
            "How is the surprise at something with probability p written?",
            r"softmax",
        ),
        Mistake(
            "log_of_softmax",
            ((SURPRISE, "surprise = -torch.log(torch.softmax(logits, dim=-1))"),),
            "Small logits come out right, but large ones do not: a probability that is rounded to "
            "0, or an exponential that is too large for a number, has no logarithm.",
            "torch has one function that does both without ever making the probabilities.",
            r"log|exp",
            variations=(
                (
                    (SURPRISE, "surprise = -torch.log(torch.softmax(logits, dim=-1))"),
                    (ONE_LOOKED_UP, "right = (F.one_hot(looked_up, V) * surprise).sum(-1)"),
                    (COUNTS, "V = logits.shape[-1]\n    " + COUNTS),
                ),
                (
                    (
                        SURPRISE,
                        "odds = torch.exp(logits)\n"
                        "    surprise = -torch.log(odds / odds.sum(dim=-1, keepdim=True))",
                    ),
                ),
                (
                    (
                        SURPRISE,
                        "odds = torch.exp(logits)\n"
                        "    surprise = torch.log(odds.sum(dim=-1, keepdim=True)) - logits",
                    ),
                ),
            ),
        ),
        Mistake(
            "small_number_added",
            small_number("1e-9"),
            "A small number is added to your probabilities, or they are kept from falling below "
            "it, so that they have a logarithm. But then no token can cost more than so much, "
            "however unlikely it is: here your loss is {loss}, and the right one {right}.",
            "torch has one function that does both without ever making the probabilities.",
            r"log",
            variations=tuple(map(small_number, ("1e-6", "1e-7", "1e-8", "1e-10", "1e-12"))),
        ),
        Mistake(
            "softmax_twice",
            ((SURPRISE, "surprise = -torch.log_softmax(torch.softmax(logits, -1), dim=-1)"),),
            "You take the softmax of the logits, and then log_softmax once more: the second one "
            "sees only numbers between 0 and 1, and makes all tokens almost equally likely.",
            "Which of the two does what the other does already?",
            r"softmax",
        ),
        Mistake(
            "softmax_over_first",
            ((SURPRISE, "surprise = -torch.log_softmax(logits, dim=0)"),),
            "Your probabilities add up to 1 over the first dimension, and not over the vocabulary, "
            "which is the last one.",
            "Which tokens compete with one another for a place?",
            r"dim|softmax",
        ),
        Mistake(
            "softmax_over_second",
            ((SURPRISE, "surprise = -torch.log_softmax(logits, dim=1)"),),
            "Your probabilities add up to 1 over dimension 1. With (batch, length, vocab) these "
            "are the positions; the vocabulary is the last dimension.",
            "Which tokens compete with one another for a place?",
            r"dim|softmax",
        ),
        Mistake(
            "sign_forgotten",
            ((SURPRISE, "surprise = torch.log_softmax(logits, dim=-1)"),),
            "Your loss has the wrong sign ({loss}): training would make the right tokens less and "
            "less likely.",
            "Is the logarithm of a probability positive or negative?",
            r"log",
        ),
        Mistake(
            "base_two",
            ((MEAN, MEAN + " / math.log(2)"),),
            "Your loss is in bits: the logarithm is to base 2, and not the natural one.",
            "Which logarithm does torch.log_softmax take?",
            r"log2|log\(2",
        ),
        Mistake(
            "perplexity",
            ((MEAN, MEAN.replace("return ", "return torch.exp(") + ")"),),
            "You give the exponential of the loss: that is the perplexity, which one likes to "
            "look at, but does not train with.",
            "Is there an exponential in the formula?",
            r"exp",
        ),
        Mistake(
            "pad_always_zero",
            ((COUNTS, "counts = targets != 0"), (LOOKED_UP, "looked_up = targets.clamp(min=0)")),
            "You always take token 0 for padding; here it is {pad}.",
            "Look for a 0 that should be `pad`.",
            r"0",
        ),
        Mistake(
            "pad_looked_up",
            ((LOOKED_UP, "looked_up = targets"),),
            "With pad=-100, as F.cross_entropy has it, your code stops: it looks up padding, too, "
            "before it leaves it out, and there is no token -100.",
            "Which number could stand at padded places while you look up?",
            r"gather|\[",
        ),
        Mistake(
            "divided_by_no_tokens",
            ((MEAN, MEAN.replace(".clamp(min=1)", "")),),
            "A batch of nothing but padding gives NaN: 0 divided by 0 is no number.",
            "How could the divisor never be 0?",
            r"/|mean",
        ),
        Mistake(
            "viewed",
            ((MEAN, "targets.view(-1), logits.view(-1, logits.shape[-1])\n    " + MEAN),),
            "The numbers are right, but .view() stops if the logits do not lie in memory in the "
            "order of their dimensions, after a transpose for example.",
            "Which function copies where that is needed?",
            r"view",
        ),
        Mistake(
            "graph_cut",
            ((MEAN, "return (" + MEAN.removeprefix("return ") + ").detach()"),),
            "The loss is right, but no gradient gets back to the logits, so it trains nothing.",
            "Look for .detach(), .data, .item(), .numpy(), torch.tensor(...) or torch.no_grad().",
            CUT_GRAPH,
        ),
        Mistake(
            "a_plain_number",
            ((MEAN, "return (" + MEAN.removeprefix("return ") + ").item()"),),
            "The loss is right, but it is a plain number, which has no .backward(): nothing could "
            "be trained with it.",
            "What makes a number of a tensor in your code?",
            r"item|float\(|tolist",
        ),
        Mistake(
            "always_float32",
            ((SURPRISE, "surprise = -torch.log_softmax(logits.float(), dim=-1)"),),
            "Whatever the dtype of the logits, your loss is float32.",
            "Where does your code name a dtype?",
            r"float",
        ),
        Mistake(
            "changes_targets",
            ((LOOKED_UP, "looked_up = targets.masked_fill_(~counts, 0)"),),
            "The loss is right, but the caller's targets are others afterwards: you write into "
            "them to get rid of padding.",
            "Names that end in `_`, and assignments to targets[…], write into the tensor that came "
            "in.",
            r"fill_|targets\[.*\] ?=|clamp_|where",
        ),
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

# --- What the decoder reads -----------------------------------------------------------------------


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

# --- First weights --------------------------------------------------------------------------------


def fill(draw, calls, width, hidden, vocab, **options):
    sizes = {"width": width, "hidden": hidden, "vocab": vocab, "seed": draw.integer(0, 10**6)}
    model = StandIn("parts", sizes | options)
    made = [Call({"model": model}, returns=("model",)) for _ in range(calls)]
    bound = number(math.sqrt(6 / (width + hidden)))
    given = {"width": width, "hidden": hidden, "vocab": vocab, "bound": bound}
    return Trial(made, sizes=given, digest=how_filled, tolerance=5.5e4)  # 5.5 %, six deviations


def fill_twice(draw):
    return fill(draw, 2, width=70, hidden=90, vocab=80)


def fill_in_float64(draw):
    return fill(draw, 1, width=90, hidden=60, vocab=100, dtype=torch.float64)


def how_filled(answer):
    """Of random numbers: how far they reach, how they are spread, and whether they are new.

    With 5000 numbers and more in a matrix, each of these is the same for all right answers, but
    for less than one check in a million.
    """
    arrays = {name: x for name, x in answer.arrays.items() if x.dim() == 2}
    spreads, facts = [], dict(answer.facts)
    lists = ("reach too far", "do not reach far enough", "are not even", "are not around 0")
    found = {what: [] for what in (*lists, "repeat themselves", "came again")}
    for name, x in arrays.items():
        x = x.double()
        bound = math.sqrt(6 / sum(x.shape))
        size = float(x.square().mean().sqrt())
        spreads.append(size / bound * math.sqrt(3))
        farthest = float(x.abs().max()) / bound
        found["reach too far"] += [name] * (farthest > 1.0001)
        found["do not reach far enough"] += [name] * (farthest < 0.995)
        # The mean fourth power over the squared mean square: 1.8 if all numbers are as likely.
        found["are not even"] += [name] * (not float(x.square().square().mean()) < 2.2 * size**4)
        found["are not around 0"] += [name] * (not abs(float(x.mean())) < 0.1 * size)
        found["repeat themselves"] += [name] * (x.flatten()[:600].unique().numel() < 400)
        other = arrays.get(name + SECOND)
        found["came again"] += [name] * (other is not None and bool((other == x).all()))
    facts |= {f"matrices whose numbers {what}": names for what, names in found.items()}
    return Answer({"spread": torch.tensor(spreads, dtype=torch.float64)} if spreads else {}, facts)


def not_as_even(seen):
    """A symptom: the numbers are too large or too small."""
    spread = seen.yours.get("spread")
    if spread is None or spread.numel() == 0:
        return None
    return (
        f"The standard deviation of the numbers in your matrices is {few(spread)} times what it is "
        f"to be, a / √3; a itself is {seen['bound']} for the weight of an nn.Linear("
        f"{seen['width']}, {seen['hidden']})."
    )


ALL_OF_THEM = "for parameter in model.parameters():"
ONLY_MATRICES = "if parameter.dim() == 2:"
FILL = "nn.init.xavier_uniform_(parameter)"
THE_MODEL = "return model"
# The lines of the loop, up to the return.
LOOP = (
    f"{ALL_OF_THEM}\n        {ONLY_MATRICES}\n            {FILL}\n    {THE_MODEL}",
    "",
)
LOOK_AT_BOUND = "Compare with a in the docstring: what is under the root, and what is a, the bound?"
LOOK_AT_WHICH = "Which parameters are meant: which have exactly two dimensions?"


def filled_with(mistake_id, new, says, look=LOOK_AT_BOUND, line=r"init|uniform|normal|rand"):
    return Mistake(mistake_id, ((FILL, new),), says, look, line)


def looped_as(text):
    return ((LOOP[0], text + "\n    return model"),)


initialise = Exercise(
    id="training.initialise",
    properties=(
        Property(
            "values",
            3,
            "every matrix is filled by Xavier's rule, with new numbers every time",
            (fill_twice,),
            look=LOOK_AT_BOUND,
        ),
        Property("dtype", 1, "in float64, too", (fill_in_float64,), aspects=("dtype",)),
        Property(
            "others",
            2,
            "matrices are filled and nothing else is touched, and all is as trainable and as "
            "shared as before",
            aspects=("fact",),
            look=LOOK_AT_WHICH,
        ),
        Property(
            "model",
            1,
            "it works in place, and gives back the model",
            aspects=("returned",),
        ),
    ),
    mistakes=(
        Mistake(
            "every_parameter",
            ((ONLY_MATRICES, "if True:"),),
            "Xavier's rule needs inputs and outputs: a bias or the weight of a norm has only one "
            "dimension, and nn.init stops there.",
            LOOK_AT_WHICH,
            r"xavier",
        ),
        Mistake(
            "more_than_two_dimensions",
            ((ONLY_MATRICES, "if parameter.dim() > 1:"),),
            "You also fill parameters with three dimensions, as a convolution has; asked for are "
            "those with two.",
            LOOK_AT_WHICH,
            r"> ?1|>= ?2",
        ),
        Mistake(
            "only_linears",
            looped_as(
                "for module in model.modules():\n        if isinstance(module, nn.Linear):\n"
                "            nn.init.xavier_uniform_(module.weight)"
            ),
            "Only the weights of nn.Linear are filled; embeddings, and matrices that a module "
            "holds as a parameter of its own, keep their numbers.",
            LOOK_AT_WHICH,
            r"Linear",
        ),
        Mistake(
            "linears_with_zero_biases",
            looped_as(
                "for module in model.modules():\n        if isinstance(module, nn.Linear):\n"
                "            nn.init.xavier_uniform_(module.weight)\n"
                "            if module.bias is not None:\n"
                "                nn.init.zeros_(module.bias)"
            ),
            "Only nn.Linear is looked at: its weight is filled and its bias set to 0. Asked for is "
            "every matrix, wherever it is, and biases stay as they are.",
            LOOK_AT_WHICH,
            r"Linear|bias",
        ),
        Mistake(
            "linears_and_embeddings",
            looped_as(
                "for module in model.modules():\n"
                "        if isinstance(module, (nn.Linear, nn.Embedding)):\n"
                "            nn.init.xavier_uniform_(module.weight)"
            ),
            "The weights of nn.Linear and nn.Embedding are filled, but a matrix that a module "
            "holds as a parameter of its own keeps its numbers.",
            "A model can be asked for all its parameters, wherever they are.",
            r"Linear|Embedding",
        ),
        Mistake(
            "embeddings_left_out",
            looped_as(
                "tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}\n"
                "    for parameter in model.parameters():\n"
                "        if parameter.dim() == 2 and id(parameter) not in tables:\n"
                "            nn.init.xavier_uniform_(parameter)"
            ),
            "Embeddings keep their numbers; their tables have two dimensions, and are meant, too.",
            LOOK_AT_WHICH,
            r"Embedding|embed",
        ),
        Mistake(
            "by_name",
            (
                (ALL_OF_THEM, "for name, parameter in model.named_parameters():"),
                (ONLY_MATRICES, 'if parameter.dim() == 2 and "weight" in name:'),
            ),
            "Only parameters with `weight` in their name are filled; other matrices keep their "
            "numbers.",
            "What makes a matrix is its dimensions, and not its name.",
            r"weight|name",
        ),
        Mistake(
            "only_own_parameters",
            ((ALL_OF_THEM, "for parameter in model.parameters(recurse=False):"),),
            "Only parameters of the model itself are filled; those of its parts keep their "
            "numbers.",
            "A model has parts, and these have parts.",
            r"recurse|_parameters|__dict__|vars",
        ),
        Mistake(
            "returns_too_early",
            ((FILL, FILL + "\n            return model"),),
            "Only the first matrix is filled: your function returns before it has looked at the "
            "others.",
            "How far is your `return` indented?",
            r"return",
        ),
        Mistake(
            "buffers_too",
            ((ALL_OF_THEM, "for parameter in model.state_dict().values():"),),
            "You also fill a buffer, which belongs to the model but is not trained: a table of "
            "positions, for example.",
            "What is in a state_dict that is no parameter?",
            r"state_dict|buffers",
        ),
        Mistake(
            "frozen_left_out",
            ((ONLY_MATRICES, "if parameter.dim() == 2 and parameter.requires_grad:"),),
            "A matrix that is not to be trained, with requires_grad=False, keeps its numbers; it "
            "is a matrix like all others, and its first numbers are all it will ever have.",
            LOOK_AT_WHICH,
            r"requires_grad",
        ),
        Mistake(
            "replaced",
            looped_as(
                "for module in model.modules():\n"
                "        for name, p in list(module.named_parameters(recurse=False)):\n"
                "            if p.dim() == 2:\n"
                "                fresh = nn.Parameter(torch.empty_like(p), p.requires_grad)\n"
                "                setattr(module, name, nn.init.xavier_uniform_(fresh))"
            ),
            "You put new parameters in the place of the old ones: a matrix that two modules shared "
            "is two matrices afterwards, and an optimiser that has been made before goes on "
            "with the old ones.",
            "How can a tensor get other numbers while it stays the same tensor?",
            r"setattr|Parameter\(",
        ),
        Mistake(
            "others_set_to_zero",
            ((FILL, FILL + "\n        else:\n            nn.init.zeros_(parameter)"),),
            "The matrices are right, but biases and the weights of norms are set to 0. For a norm "
            "that is fatal: nothing gets through.",
            "What stays as it is?",
            r"zero|fill|else",
            variations=(
                (
                    (
                        FILL,
                        FILL + "\n        elif parameter.dim() == 1:\n"
                        "            nn.init.zeros_(parameter)",
                    ),
                ),
            ),
        ),
        Mistake(
            "biases_set_to_zero",
            (
                (ALL_OF_THEM, "for name, parameter in model.named_parameters():"),
                (
                    FILL,
                    FILL + '\n        elif name.endswith("bias"):\n'
                    "            nn.init.zeros_(parameter)",
                ),
            ),
            "The matrices are right, but all biases are set to 0; asked for is to leave them as "
            "they are.",
            "What stays as it is?",
            r"zero|fill|bias",
        ),
        Mistake(
            "others_made_normal",
            (
                (
                    FILL,
                    FILL + "\n        else:\n            nn.init.normal_(parameter, std=0.02)",
                ),
            ),
            "The matrices are right, but all other parameters get new numbers, too.",
            "What stays as it is?",
            r"else|normal|uniform",
        ),
        filled_with(
            "xavier_normal",
            "nn.init.xavier_normal_(parameter)",
            "Your numbers have the right standard deviation, but come from a normal distribution: "
            "they reach farther than a. Asked for is the uniform one.",
            "There are two kinds of Xavier's rule.",
            r"normal|randn",
        ),
        filled_with(
            "kaiming",
            'nn.init.kaiming_uniform_(parameter, nonlinearity="relu")',
            "Your numbers reach as far as √(6 / inputs): that is Kaiming's rule, which does not "
            "look at the outputs.",
        ),
        filled_with(
            "torch_default",
            "nn.init.kaiming_uniform_(parameter, a=5**0.5)",
            "Your numbers reach as far as 1 / √inputs: that is how torch fills an nn.Linear by "
            "itself.",
        ),
        filled_with(
            "standard_normal",
            "nn.init.normal_(parameter)",
            "Your numbers come from a normal distribution with standard deviation 1, whatever the "
            "size of the matrix.",
        ),
        filled_with(
            "small_normal",
            "nn.init.normal_(parameter, std=0.02)",
            "Your numbers come from a normal distribution with standard deviation 0.02, whatever "
            "the size of the matrix.",
        ),
        filled_with(
            "between_0_and_1",
            "nn.init.uniform_(parameter)",
            "Your numbers lie between 0 and 1, whatever the size of the matrix.",
        ),
        filled_with(
            "only_positive",
            "nn.init.uniform_(parameter, 0.0, math.sqrt(6 / sum(parameter.shape)))",
            "Your numbers lie between 0 and a: none is negative.",
            "From where to where does U(-a, a) go?",
        ),
        filled_with(
            "deviation_as_bound",
            "bound = math.sqrt(2 / sum(parameter.shape))\n"
            "            nn.init.uniform_(parameter, -bound, bound)",
            "Your numbers reach as far as √(2 / (inputs + outputs)). That is the standard "
            "deviation they are to have; a uniform distribution reaches √3 times as far.",
        ),
        filled_with(
            "three_under_the_root",
            "bound = math.sqrt(3 / sum(parameter.shape))\n"
            "            nn.init.uniform_(parameter, -bound, bound)",
            "Your numbers reach as far as √(3 / (inputs + outputs)), and so √2 times too little.",
        ),
        filled_with(
            "root_forgotten",
            "bound = 6 / sum(parameter.shape)\n"
            "            nn.init.uniform_(parameter, -bound, bound)",
            "Your numbers reach as far as 6 / (inputs + outputs), without the root.",
        ),
        filled_with(
            "bound_of_inputs",
            "bound = math.sqrt(6 / parameter.shape[0])\n"
            "            nn.init.uniform_(parameter, -bound, bound)",
            "Your numbers reach as far as the root of 6 over the first dimension alone; inputs and "
            "outputs count, both of them.",
        ),
        filled_with(
            "gain_of_relu",
            'nn.init.xavier_uniform_(parameter, nn.init.calculate_gain("relu"))',
            "Your numbers reach √2 times too far: there is a gain, as for ReLU.",
            line=r"gain|xavier",
        ),
        filled_with(
            "all_zero",
            "nn.init.zeros_(parameter)",
            "All your matrices are 0: nothing gets through, and no gradient comes back.",
            line=r"zero|fill",
        ),
        filled_with(
            "always_the_same",
            "torch.manual_seed(0)\n            nn.init.xavier_uniform_(parameter)",
            "Your matrices get the same numbers at every call: either they are not random, or a "
            "seed is set in your function, and whatever is random after a call is always the same, "
            "too.",
            "Setting a seed is up to whoever calls you.",
            r"seed|linspace|arange",
        ),
        Mistake(
            "nothing_changed",
            ((FILL, "parameter = nn.init.xavier_uniform_(torch.empty_like(parameter))"),),
            "No parameter has changed: `parameter = …` gives a new tensor that name, and the "
            "model keeps its own.",
            "How can a tensor get other numbers while it stays the same tensor?",
            r"parameter ?=|param ?=|p ?=|return",
        ),
        Mistake(
            "nothing_returned",
            ((THE_MODEL, "return None"),),
            "The matrices are filled, but your function gives back None; asked for is the model.",
            "So that one can write model = initialise(Transformer(…)).",
            r"def|return",
        ),
        Mistake(
            "a_copy",
            ((ALL_OF_THEM, "model = __import__('copy').deepcopy(model)\n    " + ALL_OF_THEM),),
            "You fill a copy and give that back: the model that was handed in is as it was.",
            "In place means: the caller's own model.",
            r"copy",
        ),
        filled_with(
            "frozen",
            "parameter.requires_grad_(False)\n            nn.init.xavier_uniform_(parameter)",
            "The numbers are right, but your matrices cannot be trained any more: requires_grad is "
            "False.",
            "nn.init needs no such preparation.",
            r"requires_grad|Parameter",
        ),
    ),
    hints=(
        "nn.init has a function for Xavier's rule; which parameters may it be given?",
        "A model's .parameters() are those of all its parts, a shared one only once. Fill those "
        "that have two dimensions, in place.",
        "A loop, a question about the number of dimensions, and a function of nn.init whose name "
        "ends in `_`; the model comes back at the end.",
    ),
    symptoms=(not_as_even,),
)

# --- Decoding -------------------------------------------------------------------------------------

PAD, START, END = 0, 1, 2
VOCAB = 12


def say(script, start, tokens, chances):
    """Add to a script that these tokens follow one another, each with its chance."""
    written = (start,)
    for token, chance in zip(tokens, chances):
        script.setdefault(written, {})[token] = chance
        written += (token,)


def decode(
    draw, scripts, max_length, vocab=VOCAB, special=(PAD, START, END), training=False, **more
):
    """A trial of a decoder, with one script a source; `more` are options of a beam search."""
    pad, start, end = special
    batch = len(scripts)
    source = draw.integers(3, 40, batch, 4)
    topics = [30 + int(number) for number in draw.order(20)[:batch]]
    source[:, 0] = torch.tensor(topics)
    source[1:, 3:] = pad
    model = StandIn(
        "scribe",
        {
            "scripts": dict(zip(topics, scripts)),
            "vocab": vocab,
            "pad": pad,
            "rare": special,
            "training": training,
        },
    )
    arguments = {"model": model, "source": source, "start": start, "end": end}
    sizes = {"batch": batch, "pad": pad, "vocab": vocab}
    calls = [Call(arguments | {"max_length": max_length} | more, returns=("tokens",))]
    return Trial(calls, sizes=sizes, digest=Padded([max_length], pad))


def together(*trials):
    """One trial of several: only at once can so much be right, or wrong in the same way."""
    calls = [call for trial in trials for call in trial.calls]
    lengths = [call.arguments["max_length"] for call in calls]
    first = trials[0]
    return Trial(calls, sizes=first.sizes, digest=Padded(lengths, first.sizes["pad"]))


class Padded:
    """A digest: columns of nothing but padding at the end are optional, so all get them.

    Args:
        lengths: max_length of every call.
    """

    def __init__(self, lengths, pad):
        self.lengths, self.pad = lengths, pad

    def __call__(self, answer):
        arrays = dict(answer.arrays)
        for name, length in zip(names_of_calls(len(self.lengths)), self.lengths):
            if name in arrays:
                arrays[name] = self.padded(arrays[name], length)
        return Answer(arrays, answer.facts)

    def padded(self, x, length):
        if x.dim() != 2:
            return x
        written = (x != self.pad).any(0).nonzero()
        x = x[:, : int(written.max()) + 1 if len(written) else 0]
        missing = length - x.shape[1]
        return torch.nn.functional.pad(x, (0, max(0, missing)), value=self.pad)


def names_of_calls(count):
    """What a trial calls the tokens of each of its calls."""
    return ["tokens" + (f" (call {n + 1})" if n else "") for n in range(count)]


def ordinary(draw, count, vocab, special):
    """Token numbers that are none of the special ones."""
    tokens = [int(token) for token in draw.order(vocab) if int(token) not in special]
    return tokens[:count]


def sentence(draw, length, max_length, vocab=VOCAB, special=(PAD, START, END), sure=0.6):
    """A script of one sentence of that many tokens, the end among them; None never ends."""
    _, start, end = special
    count = max_length if length is None else length - 1
    names = ordinary(draw, count, vocab, special)
    tokens = [*names[:1], *names][:count]  # the first word twice
    tokens += [] if length is None else [end]
    script = {}
    say(script, start, tokens, [sure + draw.integer(0, 10) / 100 for _ in tokens])
    return script


def sentences(draw, lengths, max_length, special=(PAD, START, END), sure=0.6, **options):
    scripts = [sentence(draw, n, max_length, special=special, sure=sure) for n in lengths]
    return decode(draw, scripts, max_length, special=special, **options)


def greedy_sentences(draw):
    return together(
        sentences(draw, (4, 4, 4), max_length=6),
        sentences(draw, (3,), max_length=5),
    )


def greedy_ends(draw):
    """At different steps, at once, and never."""
    return together(
        sentences(draw, (3, 2, 5, 1), max_length=7),
        sentences(draw, (2, None, 3), max_length=4),
    )


def greedy_up_to_the_limit(draw):
    """In one batch the end token is the last one that there is room for."""
    return together(
        sentences(draw, (3, 1, None), max_length=1),
        sentences(draw, (4, 2), max_length=4),
    )


def other_numbers(draw):
    """Numbers for padding, start and end that no one would write down by habit."""
    return tuple(int(token) + 3 for token in draw.order(9)[:3])


def greedy_other_numbers(draw):
    return sentences(draw, (3, 2, 4), max_length=5, special=other_numbers(draw))


def greedy_while_training(draw):
    return sentences(draw, (3, 2), max_length=4, training=True)


def rows_differ(seen):
    """A symptom: where the first wrong row leaves the right way."""
    pad = seen["pad"]
    calls = seen.trial.calls
    for name, arguments in zip(names_of_calls(len(calls)), [made.arguments for made in calls]):
        yours, theirs = seen.yours.get(name), seen.theirs[name]
        if yours is None or yours.dim() != 2 or len(yours) != len(theirs):
            return None
        for row, (a, b) in enumerate(zip(yours.tolist(), theirs.tolist())):
            if a != b:
                given = {what: arguments[what] for what in ("start", "end", "max_length")}
                named = ", ".join(
                    f"{what} {value}" for what, value in (given | {"pad": pad}).items()
                )
                return f"Row {row} of your answer is {words(a)}; expected {words(b)} ({named})."
    return None


def words(tokens):
    return " ".join(map(str, tokens))


def odd_shape(seen):
    """The shape of the first answer that has not two dimensions."""
    return next((shape(x) for x in seen.yours.values() if x.dim() != 2), "another")


DECODING = {"your_shape": odd_shape}
EVALUATING = "with evaluating(model):"
READ = "memory = model.encode(source)"
LOOK_AT_MODE = "Note model.training first, and put it back when you are done."


def mistakes_around(the_end):
    """What goes wrong around a decoder; `the_end` is the line that gives the answer back."""
    return (
        Mistake(
            "first_source_for_all",
            (
                (
                    READ,
                    "source = source[:1].expand(len(source), -1)\n"
                    "        memory = model.encode(source)",
                ),
            ),
            "The decoder is given the memory of the first source for all sentences of the batch.",
            "In which row does the memory of the second source stand?",
            r"encode|memory|\[0\]|\[:1\]",
            variations=(
                ((READ, "memory = model.encode(source[:1]).expand(len(source), -1, -1)"),),
            ),
        ),
        Mistake(
            "not_in_eval_mode",
            ((EVALUATING, "with torch.no_grad():"),),
            "Called in training mode, your function decodes in training mode: dropout acts, and "
            "the translation is another every time.",
            "Which mode is a model to be in, when it is used and not trained?",
            r"encode|decode|def ",
        ),
        Mistake(
            "left_in_eval_mode",
            ((EVALUATING, "model.eval()\n    with torch.no_grad():"),),
            "The tokens are right, but a model that was in training mode is in eval mode "
            "afterwards: whoever goes on training it trains without dropout.",
            LOOK_AT_MODE,
            r"eval",
        ),
        Mistake(
            "left_in_training_mode",
            ((the_end, "model.train()\n" + " " * INDENT[the_end] + the_end),),
            "The tokens are right, but a model that was in eval mode is in training mode "
            "afterwards.",
            LOOK_AT_MODE,
            r"train\(",
        ),
        Mistake(
            "gradients_recorded",
            ((EVALUATING, "with evaluating(model), torch.enable_grad():"),),
            "The tokens are right, but torch keeps everything for gradients that nobody asks for: "
            "that takes memory, and more of it with every token.",
            "There is a context in which torch records nothing.",
            r"decode|encode|model\(",
        ),
        Mistake(
            "neither_eval_nor_no_grad",
            ((EVALUATING, "if True:"),),
            "Your function decodes in the mode in which it finds the model, in training mode with "
            "dropout, and torch keeps everything for gradients that nobody asks for.",
            "In which two respects does using a model differ from training it?",
            r"encode|decode|def ",
        ),
        Mistake(
            "only_eval",
            ((EVALUATING, "model.eval()\n    if True:"),),
            "Your function puts the model into eval mode and leaves it there, and torch keeps "
            "everything for gradients that nobody asks for.",
            LOOK_AT_MODE,
            r"eval",
        ),
        Mistake(
            "gradients_switched_off",
            ((EVALUATING, "torch.set_grad_enabled(False)\n    with evaluating(model):"),),
            "The tokens are right, but you switch gradients off for good: after a call nothing can "
            "be trained any more.",
            "There is a context that switches them off only for what is inside.",
            r"set_grad_enabled",
        ),
        Mistake(
            "encoded_in_training_mode",
            (
                (EVALUATING, "memory_before = model.encode(source)\n    with evaluating(model):"),
                (READ, "memory = memory_before"),
            ),
            "The source is read before the model is in eval mode: in training mode dropout acts on "
            "the memory.",
            "Which of your lines comes first, and which should?",
            r"encode",
            variations=(
                (
                    (
                        EVALUATING,
                        "with torch.no_grad():\n        memory_before = model.encode(source)\n"
                        "    with evaluating(model):",
                    ),
                    (READ, "memory = memory_before"),
                ),
            ),
        ),
    )


WRITTEN = "tokens = source.new_full((len(source), 1), start)"
STEPS = "for _ in range(max_length):"
HIDDEN = "hidden = model.decode(tokens, memory, source)[:, -1]"
LIKELIEST = "token = model.output(hidden).argmax(dim=-1)"
ONLY_PAD = "token = token.masked_fill(finished, model.pad)"
FINISHED = "finished = finished | (token == end)"
ALL_FINISHED = "if finished.all():"
GREEDY = "return tokens[:, 1:]"
BEST = "return tokens[first_row, 1:]"
INDENT = {GREEDY: 8, BEST: 8}
LOOK_AT_ROWS = (
    "Take a batch of two, one of which ends after 2 tokens and the other after 5, and write down "
    "what your variables hold after every step."
)
LOOK_AT_STEP = "What does the decoder read at the third step, and which of its answers is new?"

greedy_decode = Exercise(
    id="training.greedy_decode",
    properties=(
        Property(
            "values",
            3,
            "every token is the likeliest one after those before it",
            (greedy_sentences,),
            look=LOOK_AT_STEP,
        ),
        Property(
            "ending",
            2,
            "each sentence ends with its own end token, and padding follows",
            (greedy_ends,),
            look=LOOK_AT_ROWS,
        ),
        Property(
            "limit",
            1,
            "there are never more than max_length tokens",
            (greedy_up_to_the_limit,),
            look="max_length counts the end token, and not the start token.",
        ),
        Property(
            "numbers",
            1,
            "start, end and padding may have any numbers",
            (greedy_other_numbers,),
            look="Where does your code use a number, and not start, end or model.pad?",
        ),
        Property(
            "mode",
            1,
            "it decodes in eval mode and without gradients, and leaves the model as it was",
            (greedy_while_training,),
            aspects=("fact",),
            look=LOOK_AT_MODE,
        ),
        Property("dtype", 1, "tokens are whole numbers", aspects=("dtype",)),
        Property("arguments", 1, "the source stays as it was", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "first_position",
            ((HIDDEN, HIDDEN.replace("-1", "0")),),
            "Your next token is always the one after the start token: you look at what the model "
            "says at the first position, and not at the last.",
            LOOK_AT_STEP,
            r"\b0\b",
        ),
        Mistake(
            "only_last_token_read",
            ((HIDDEN, HIDDEN.replace("tokens", "tokens[:, -1:]")),),
            "The decoder reads only the newest token at every step, and has forgotten what comes "
            "before it.",
            LOOK_AT_STEP,
            r"decode|model\(",
        ),
        Mistake(
            "output_forgotten",
            ((LIKELIEST, "token = hidden.argmax(dim=-1)"),),
            "You take the largest feature of the hidden state for a token: what model.decode gives "
            "are features, and no logits yet.",
            "What does Transformer.forward do with the decoder's hidden states?",
            r"argmax",
        ),
        Mistake(
            "least_likely",
            ((LIKELIEST, LIKELIEST.replace("argmax", "argmin")),),
            "You take the least likely token at every step.",
            "Are large logits likely or unlikely?",
            r"min",
        ),
        Mistake(
            "second_likeliest",
            ((LIKELIEST, "token = model.output(hidden).argsort(dim=-1)[:, -2]"),),
            "You take the second likeliest token at every step.",
            "Where does the likeliest one stand after sorting?",
            r"sort|topk",
        ),
        Mistake(
            "start_kept",
            ((GREEDY, "return tokens"),),
            "Your answer begins with the start token; asked for is what comes after it.",
            "Which column is not the model's own?",
            r"return",
        ),
        Mistake(
            "start_always_one",
            ((WRITTEN, WRITTEN.replace("start)", "1)")),),
            "You always begin with token 1; here the start token is {start}.",
            "Look for a number that should be `start`.",
            r"1|ones",
        ),
        Mistake(
            "start_always_zero",
            ((WRITTEN, WRITTEN.replace("start)", "0)")),),
            "You always begin with token 0; here the start token is {start}.",
            "Where does your code use `start`?",
            r"0|zeros",
        ),
        Mistake(
            "begins_with_pad",
            ((WRITTEN, WRITTEN.replace("start)", "model.pad)")),),
            "You begin with padding, {pad}; here the start token is {start}.",
            "Where does your code use `start`?",
            r"pad",
        ),
        Mistake(
            "end_always_two",
            ((FINISHED, "finished = finished | (token == 2)"),),
            "You always take token 2 for the end; here it is {end}.",
            "Look for a number that should be `end`.",
            r"2",
        ),
        Mistake(
            "writes_on_after_end",
            ((ONLY_PAD, "pass"),),
            "A sentence that has ended is written on for as long as others in the batch have not: "
            "after its end token comes more, in place of padding.",
            LOOK_AT_ROWS,
            r"cat|append|\] ?=",
        ),
        Mistake(
            "writes_on_to_the_limit",
            ((ONLY_PAD, "pass"), (ALL_FINISHED, "if False:")),
            "Your function always writes max_length tokens: after an end token it goes on "
            "with other tokens, in place of padding.",
            LOOK_AT_ROWS,
            r"for|while",
        ),
        Mistake(
            "waits_for_ends_together",
            ((ONLY_PAD, "pass"), (FINISHED, "finished = token == end")),
            "You stop only when all sentences write the end token in the same step; those that "
            "ended before are forgotten, and written on.",
            LOOK_AT_ROWS,
            r"==",
        ),
        Mistake(
            "forgets_who_has_finished",
            ((FINISHED, "finished = token == end"),),
            "One step after its end token a sentence gets padding, and in the next step it goes "
            "on: you only look at the newest token to see who has finished.",
            LOOK_AT_ROWS,
            r"==",
        ),
        Mistake(
            "stops_with_the_first",
            ((ALL_FINISHED, "if finished.any():"),),
            "You stop as soon as one sentence of the batch has ended; the others are cut off.",
            LOOK_AT_ROWS,
            r"any|==",
        ),
        Mistake(
            "stops_with_row_0",
            ((ALL_FINISHED, "if finished[0]:"),),
            "You stop as soon as the first sentence of the batch has ended; longer ones are cut "
            "off.",
            LOOK_AT_ROWS,
            r"\[0\]",
        ),
        Mistake(
            "end_left_out",
            (
                (FINISHED, "pass"),
                (
                    ONLY_PAD,
                    "finished = finished | (token == end)\n            "
                    "token = token.masked_fill(finished, model.pad)",
                ),
            ),
            "Your sentences are right up to their end token, {end}, which is missing: it belongs "
            "to the answer.",
            "In which order do you note that a sentence has ended, and write its token?",
            r"finished|done|end",
        ),
        Mistake(
            "end_repeated",
            ((ONLY_PAD, "token = token.masked_fill(finished, end)"),),
            "Behind its end token a sentence is filled up with more end tokens; asked for is "
            "padding, model.pad.",
            "Which number stands for no token at all?",
            r"end",
        ),
        Mistake(
            "filled_with_zero",
            ((ONLY_PAD, "token = token.masked_fill(finished, 0)"),),
            "Behind its end token a sentence is filled up with 0; padding is {pad} here.",
            "The model knows its own padding: model.pad.",
            r"0|zeros",
        ),
        Mistake(
            "filled_with_start",
            ((ONLY_PAD, "token = token.masked_fill(finished, start)"),),
            "Behind its end token a sentence is filled up with the start token; asked for is "
            "padding, model.pad.",
            "Which number stands for no token at all?",
            r"start",
        ),
        Mistake(
            "one_too_few",
            ((STEPS, "for _ in range(max_length - 1):"),),
            "You write at most max_length - 1 tokens: the start token does not count.",
            "How often does your loop run?",
            r"max_length|range|while",
        ),
        Mistake(
            "one_too_many",
            ((STEPS, "for _ in range(max_length + 1):"),),
            "You write up to one token more than max_length allows.",
            "How often does your loop run?",
            r"max_length|range|while",
        ),
        Mistake(
            "last_column_dropped",
            ((GREEDY, "return tokens[:, 1:-1]"),),
            "The last token of the longest sentence is missing from your answer.",
            "Which columns do you leave out at the end?",
            r"-1\]",
        ),
        Mistake(
            "one_sentence_squeezed",
            ((GREEDY, "return tokens[:, 1:].squeeze(0)"),),
            "For a batch of one sentence your answer has shape {your_shape}; expected is (1, "
            "length), as for any other batch.",
            "Which function takes dimensions of size 1 away?",
            r"squeeze|\[0\]",
        ),
        Mistake(
            "tokens_as_decimals",
            ((WRITTEN, "tokens = torch.full((len(source), 1), float(start))"),),
            "Your tokens are decimal numbers, and a table of embeddings is looked up with whole "
            "ones.",
            "torch.zeros and torch.ones make decimal numbers unless they are told otherwise.",
            r"zeros|ones|empty|float|full",
        ),
        Mistake(
            "answer_as_decimals",
            ((GREEDY, "return tokens[:, 1:].float()"),),
            "The tokens are right, but they are float32; token numbers are whole numbers.",
            "torch.zeros and torch.full make decimal numbers unless they are told otherwise.",
            r"zeros|ones|empty|float|full",
        ),
        Mistake(
            "a_list",
            ((GREEDY, "return tokens[:, 1:].tolist()"),),
            "You give lists of numbers; asked for is one tensor (batch, length).",
            "Where does a list come into your code?",
            r"tolist|\[\]|append",
        ),
        *mistakes_around(GREEDY),
    ),
    hints=(
        "Play it through by hand: the decoder reads the start token, and says something about the "
        "first token. What does it read next?",
        "Keep two things: the tokens so far, beginning with a column of start tokens, and for "
        "each sentence whether it has ended. Only the last position of what the decoder says is "
        "new.",
        "A loop of at most max_length steps: decode, the last position, output, the likeliest "
        "token, model.pad for those that have ended, cat, note who ends now, stop if all have. "
        "The start column is cut off at the end.",
    ),
    measures=DECODING,
    symptoms=(rows_differ,),
)

# --- Beam search ----------------------------------------------------------------------------------
# Here the answer is in every case the best of all possible ones, with a clear margin (but for
# beam=1), so that it does not matter how, and when, a search drops hypotheses, or how it stops.


def garden_path(draw, way, special=(PAD, START, END)):
    """A script in which the best sentence begins with the token that is `way`th likeliest.

    All others look promising at first, and then nothing is likely.
    """
    _, start, end = special
    names = ordinary(draw, 8, VOCAB, special)
    first, others = names[:3], names[3:]
    chances = (0.42, 0.3, 0.22)
    script = {(start,): dict(zip(first, chances))}
    for place, token in enumerate(first):
        if place == way:
            say(script, start, [token, others[0], end], [chances[place], 0.95, 0.95])
        else:
            script[start, token] = {others[1]: 0.3, others[2]: 0.24, others[3]: 0.18}
            for other in others[1:4]:
                script[start, token, other] = {end: 0.9}
    return script


def fork(draw, special=(PAD, START, END)):
    """A script in which the likeliest beginning is right, but not what is likeliest after it."""
    _, start, end = special
    a, b, c, d, e, f = ordinary(draw, 6, VOCAB, special)
    script = {}
    say(script, start, [a, c, e, end], [0.62, 0.4, 0.95, 0.95])
    say(script, start, [a, d, end], [0.62, 0.44, 0.3])
    say(script, start, [b, f, e, end], [0.3, 0.3, 0.3, 0.9])
    return script


def beam_beats_greedy(draw):
    """With two, three, and by default four hypotheses, and for a single source."""
    return together(
        decode(draw, [garden_path(draw, 1), fork(draw), garden_path(draw, 0)], 5, beam=2),
        decode(draw, [garden_path(draw, 2), fork(draw)], 5, beam=3, alpha=0.8),
        decode(draw, [garden_path(draw, 2)], 4),
    )


def beam_of_one(draw):
    """As greedy decoding, also where that misses the best."""
    scripts = [garden_path(draw, 1), sentence(draw, 4, 5), sentence(draw, 2, 5)]
    return decode(draw, scripts, 5, beam=1)


def beam_for_everything(draw):
    """More hypotheses than tokens: room for all sentences of three tokens from six."""
    x, y, z = ordinary(draw, 3, 6, (PAD, START, END))
    script = {
        (START,): {x: 0.5, y: 0.3, z: 0.12, END: 0.05},
        (START, x): {x: 0.26, y: 0.37, z: 0.3, END: 0.05},
        (START, y): {z: 0.9, x: 0.04, y: 0.02, END: 0.03},
        (START, z): {y: 0.4, z: 0.3, x: 0.2, END: 0.05},
    }
    for a in (x, y, z):
        for b in (x, y, z):
            script[START, a, b] = {END: 0.93, x: 0.03, y: 0.02, z: 0.01}
    return decode(draw, [script], 3, vocab=6, beam=36)


def two_lengths(draw, ratio, short=2, long=5, promising=0.0, dead_end=0.0):
    """A script with a short sentence and a long one whose logarithm is `ratio` times as low.

    The long one is better if ratio < ((5 + long) / (5 + short)) ** alpha. It is unlikely from its
    first token on, or else begins with that probability and is unlikely to end. Some may also begin
    with a token that leads nowhere.
    """
    names = ordinary(draw, short + long, VOCAB, (PAD, START, END))
    sure = 0.998
    likely = 0.42 + draw.integer(0, 3) / 100
    logarithm = math.log(likely) + (short - 1) * math.log(sure)
    less = math.exp(ratio * logarithm - (long - 1) * math.log(sure))
    chances = [less, *(long - 1) * [sure]]
    if promising:
        chances[0], chances[-1] = promising, sure * less / promising
    script = {}
    say(script, START, [*names[1:short], END], [likely, *(short - 1) * [sure]])
    say(script, START, [*names[short : short + long - 1], END], chances)
    if dead_end:
        say(script, START, names[-1:], [dead_end])
    return script


# Which are still long shows the limit. For alpha = 0.6 the right one is 1.239; it is 1.210 if n
# counts the start token, 1.275 if not even the end token, and 1.055 with a bracket missing.
RATIOS = (0.9, 1.03, 1.07, 1.1, 1.16, 1.225, 1.257, 1.34, 1.4, 1.46, 1.55, 1.68, 2.05)


def length_penalty(draw):
    scripts = [two_lengths(draw, ratio) for ratio in RATIOS]
    scripts.append(two_lengths(draw, 1.17, promising=0.5))
    by_default = [two_lengths(draw, 1.45, 3, 4), two_lengths(draw, 2.7, 3, 4, dead_end=0.4)]
    # All short sentences have ended, and the long ones, which are better, are still being written.
    waiting = [two_lengths(draw, 1.1), two_lengths(draw, 1.2)]
    between = draw.integer(50, 90) / 100
    several = [four_lengths(draw, way, between) for way in draw.order(4).tolist()]
    return together(
        decode(draw, scripts, 5, beam=2, alpha=0.6),
        decode(draw, scripts, 5, beam=2, alpha=1.0),
        decode(draw, scripts, 5, beam=2, alpha=0.0),
        decode(draw, waiting, 5, beam=2, alpha=1.0),
        decode(draw, several, 6, beam=4, alpha=between),
        decode(draw, [two_lengths(draw, 0.9), *by_default], 6),
    )


def four_lengths(draw, best, alpha):
    """A script with sentences of 1, 2, 4 and 6 tokens; the `best`th has the highest score."""
    lengths = (1, 2, 4, 6)
    factors = [1 if i == best else draw.integer(106, 130) / 100 for i in range(4)]
    costs = [factor * ((5 + n) / 6) ** alpha for factor, n in zip(factors, lengths)]
    low, high = 0.0, 9.0
    for _ in range(30):  # halve the range of the best score until all four have 0.95 together
        middle = (low + high) / 2
        too_likely = sum(math.exp(-middle * cost) for cost in costs) > 0.95
        low, high = (middle, high) if too_likely else (low, middle)
    names = ordinary(draw, 3 + 5, VOCAB, (PAD, START, END))
    script = {}
    for i, (n, cost) in enumerate(zip(lengths, costs)):
        words = [END] if n == 1 else [names[i - 1], *names[3 : n + 1], END]
        say(script, START, words, [math.exp(-high * cost) * 0.99 ** (1 - n), *(n - 1) * [0.99]])
    return script


def beam_ends(draw):
    """At different steps, at once, and never."""
    return together(
        sentences(draw, (3, 4, 1), max_length=5, sure=0.8, beam=3),
        sentences(draw, (2, None), max_length=3, sure=0.7, beam=2),
    )


def beam_up_to_the_limit(draw):
    """In one batch the end token is the last one that there is room for."""
    return together(
        sentences(draw, (3, 1), max_length=1, sure=0.7, beam=2),
        sentences(draw, (3, 2), max_length=3, sure=0.7, beam=2),
    )


def beam_other_numbers(draw):
    return sentences(draw, (3, 2), max_length=4, special=other_numbers(draw), sure=0.7, beam=2)


def beam_while_training(draw):
    return decode(draw, [garden_path(draw, 1), garden_path(draw, 0)], 4, training=True, beam=2)


LONGER = "length = length + ~finished"
SCORE = "score = total / ((5 + length[:, None]) / 6) ** alpha"
TOPK = "score, best = score.reshape(batch, beam * vocab).topk(beam)"
GATHERED = "total = total.reshape(batch, beam * vocab).gather(1, best)"
PARENT = "parent = (first_row[:, None] + best // vocab).flatten()"
TOKEN = "token = (best % vocab).flatten()"
JOINED = "tokens = torch.cat([tokens[parent], token[:, None]], dim=1)"
KEPT = "length, finished = length[parent], finished[parent] | (token == end)"
LOG_P = "log_p = torch.log_softmax(logits, dim=-1, dtype=torch.float32)"
FROZEN = 'log_p = log_p.masked_fill(finished[:, None], float("-inf"))'
PADDED = "log_p[:, model.pad] = log_p[:, model.pad].masked_fill(finished, 0.0)"
FIRST_COUNTS = "total[:, 0] = 0.0"
STOP = "if (finished[first_row] & (score[:, 0] >= hope)).all():"
LOOK_AT_BEAMS = (
    "Take one source and beam=2, and write down what your variables hold after two steps: which "
    "hypotheses are there, and which of the old ones does each continue?"
)
LOOK_AT_PENALTY = (
    "Work the score out by hand for a sentence of 2 tokens and one of 5, the end token among them."
)
LOOK_AT_WAITING = (
    "A hypothesis that has ended keeps the score it has. May one that is still being written end "
    "up above it?"
)


def scored_as(mistake_id, new, says, look=LOOK_AT_PENALTY, line=r"\*\*|pow|score", variations=()):
    """Another score; with it one may stop by the bound that is given, or go on to the end."""
    edit = (SCORE, f"score = {new}")
    to_the_end = (edit, (STOP, "if finished.all():"))
    return Mistake(mistake_id, (edit,), says, look, line, variations=(to_the_end, *variations))


def answered_by(ended):
    """Edits: the answer is the first of these hypotheses of source i, as soon as one has ended."""
    return (
        ("batch = len(source)", "batch, answers = len(source), {}"),
        (
            KEPT,
            KEPT + "\n            for i in range(batch):\n"
            f"                ended = {ended}.nonzero().flatten().tolist()\n"
            "                if ended and i not in answers:\n"
            "                    answers[i] = tokens[i * beam + ended[0], 1:]",
        ),
        (STOP, "if len(answers) == batch:"),
        (
            BEST,
            "rows = [answers.get(i, tokens[i * beam, 1:]) for i in range(batch)]\n"
            "        return nn.utils.rnn.pad_sequence(rows, True, model.pad)",
        ),
    )


# Nobody is ever finished: all hypotheses are written on to the end.
NEVER_ENDED = ((FROZEN, "pass"), (PADDED, "pass"), (KEPT, "length = length[parent]"))
CUT_BEHIND_END = (
    BEST,
    "answer = tokens[first_row, 1:]\n"
    "        ended = (answer == end).cumsum(1) - (answer == end).long() > 0\n"
    "        return answer.masked_fill(ended, model.pad)",
)

beam_search = Exercise(
    id="training.beam_search",
    properties=(
        Property(
            "values",
            3,
            "it finds a likelier sentence where greedy decoding goes astray",
            (beam_beats_greedy,),
            look=LOOK_AT_BEAMS,
        ),
        Property(
            "greedy",
            1,
            "with beam=1 it is greedy decoding",
            (beam_of_one,),
            look="With a single hypothesis nothing but the likeliest next token is left.",
        ),
        Property(
            "penalty",
            2,
            "short and long sentences are compared by the score in the docstring",
            (length_penalty,),
            look=LOOK_AT_PENALTY,
        ),
        Property(
            "ending",
            2,
            "each sentence ends with its own end token, and padding follows",
            (beam_ends,),
            look=LOOK_AT_WAITING,
        ),
        Property(
            "limit",
            1,
            "there are never more than max_length tokens",
            (beam_up_to_the_limit,),
            look="max_length counts the end token, and not the start token.",
        ),
        Property(
            "wide",
            1,
            "there may be more hypotheses than tokens in the vocabulary",
            (beam_for_everything,),
            look="How many continuations are there at the first step?",
        ),
        Property(
            "numbers",
            1,
            "start, end and padding may have any numbers",
            (beam_other_numbers,),
            look="Where does your code use a number, and not start, end or model.pad?",
        ),
        Property(
            "mode",
            1,
            "it decodes in eval mode and without gradients, and leaves the model as it was",
            (beam_while_training,),
            aspects=("fact",),
            look=LOOK_AT_MODE,
        ),
        Property("dtype", 1, "tokens are whole numbers", aspects=("dtype",)),
        Property("arguments", 1, "the source stays as it was", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "greedy",
            ((FIRST_COUNTS, "total[:] = 0.0"),),
            "Your answer is that of greedy decoding, also where another sentence is likelier: "
            "either all your hypotheses are the same one, or only the best is ever continued.",
            "At the first step all beams are alike. What do you do so that they part?",
            r"topk|argmax|max",
        ),
        Mistake(
            "each_beam_by_itself",
            (
                (
                    TOPK,
                    "score = score.reshape(batch, beam, vocab)\n"
                    "            if tokens.shape[1] == 1:\n"
                    "                score, best = score.flatten(1).topk(beam)\n"
                    "            else:\n"
                    "                score, best = score.max(dim=2)\n"
                    "                each = torch.arange(beam, device=source.device)\n"
                    "                best = best + vocab * each",
                ),
                (
                    BEST,
                    "return tokens[first_row + score.argmax(dim=1), 1:]",
                ),
                (STOP, "if finished.all():"),
            ),
            "After the first step each of your hypotheses is continued by itself, with its own "
            "likeliest token; they do not compete, and two never come from the same one.",
            "All continuations of all hypotheses of a source stand in one race.",
            r"topk|argmax|max",
        ),
        scored_as(
            "no_length_penalty",
            "total",
            "Your scores are not divided by the length penalty, or by the same one for all: short "
            "sentences win, because every further token costs something.",
            "A hypothesis that has ended does not get longer. " + LOOK_AT_PENALTY,
            r"log|score|length|len",
            (((LONGER, "length = length + 1"),),),
        ),
        scored_as(
            "penalty_multiplied",
            "total * ((5 + length[:, None]) / 6) ** alpha",
            "You multiply by the length penalty, in place of dividing. Logarithms of probabilities "
            "are negative, so that makes long sentences worse, and not better.",
        ),
        scored_as(
            "mean_logarithm",
            "total / length[:, None]",
            "Your score is the mean logarithm of a token: it does not depend on alpha, and favours "
            "long sentences too much.",
        ),
        scored_as(
            "plain_power_of_length",
            "total / length[:, None] ** alpha",
            "You divide by n to the power of alpha; the penalty in the docstring grows more "
            "slowly, from (5 + n) / 6.",
        ),
        scored_as(
            "penalty_without_alpha",
            "total / ((5 + length[:, None]) / 6)",
            "Your length penalty is always that of alpha=1.",
            line=r"/ ?6|5 ?\+",
        ),
        scored_as(
            "alpha_always_0_6",
            "total / ((5 + length[:, None]) / 6) ** 0.6",
            "Your length penalty is always that of alpha=0.6.",
            line=r"0\.6",
        ),
        scored_as(
            "bracket_missing",
            "total / (5 + length[:, None] / 6) ** alpha",
            "Your length penalty is 5 + n / 6: the bracket around 5 + n is missing.",
            line=r"/ ?6",
        ),
        scored_as(
            "start_counted",
            "total / ((5 + length[:, None] + 1) / 6) ** alpha",
            "Your n is one too large: it counts the start token.",
            line=r"shape|size|len|\*\*|pow",
        ),
        scored_as(
            "end_not_counted",
            "total / ((5 + length[:, None] - (finished[:, None] | "
            "(torch.arange(vocab, device=source.device) == end)).long()) / 6) ** alpha",
            "Your n is one too small for sentences that have ended: the end token counts, too.",
            line=r"shape|size|len|\*\*|pow",
        ),
        Mistake(
            "scores_penalised_again",
            ((GATHERED, "total = score"),),
            "At every step you add logarithms to scores that were divided by the length penalty "
            "before: the penalty is to be applied to the sum, and not to be carried on.",
            "Keep the sums and the scores apart.",
            r"score|total",
        ),
        Mistake(
            "probabilities_added",
            ((LOG_P, "log_p = torch.softmax(logits, dim=-1, dtype=torch.float32)"),),
            "You add up probabilities. The probability of a sentence is their product, and its "
            "logarithm the sum of logarithms.",
            "What does the docstring add up?",
            r"softmax",
            variations=(
                (
                    (LOG_P, "log_p = torch.softmax(logits, dim=-1, dtype=torch.float32)"),
                    (STOP, "if finished.all():"),
                ),
            ),
        ),
        Mistake(
            "logits_added",
            ((LOG_P, "log_p = logits.clone()"),),
            "You add up logits; those of different steps and hypotheses cannot be compared before "
            "they are turned into logarithms of probabilities.",
            "What does the docstring add up?",
            r"output|logits|model\(",
            variations=(((LOG_P, "log_p = logits.clone()"), (STOP, "if finished.all():")),),
        ),
        Mistake(
            "stops_with_the_best",
            ((STOP, "if finished[first_row].all():"),),
            "You stop as soon as the best hypothesis has ended. One that is still being written "
            "may end up with a better score, since the penalty makes up for its length.",
            LOOK_AT_WAITING,
            r"break|end",
            variations=(answered_by("finished[i * beam : i * beam + 1]"),),
        ),
        Mistake(
            "first_end_wins",
            answered_by("finished[i * beam : (i + 1) * beam]"),
            "The first hypothesis that ends is your answer. One that is still being written may "
            "end up with a better score.",
            LOOK_AT_WAITING,
            r"break|return|end",
        ),
        Mistake(
            "stops_with_any",
            ((STOP, "if finished.reshape(batch, beam).any(dim=1).all():"),),
            "You stop as soon as one hypothesis of each source has ended, and give the best of "
            "what is there.",
            LOOK_AT_WAITING,
            r"break|end|any",
        ),
        Mistake(
            "ended_ones_continued",
            ((FROZEN, "pass"), (PADDED, "pass")),
            "A hypothesis that has ended is continued like all others: its score gets worse with "
            "every token after the end.",
            LOOK_AT_WAITING,
            r"end",
            variations=(NEVER_ENDED, (*NEVER_ENDED, CUT_BEHIND_END)),
        ),
        Mistake(
            "ended_ones_dropped",
            (
                (
                    KEPT,
                    KEPT + "\n            "
                    'total = total.masked_fill(finished.reshape(batch, beam), float("-inf"))',
                ),
            ),
            "A hypothesis that has ended is dropped: your answers are those that never came to an "
            "end.",
            LOOK_AT_WAITING,
            r"end",
        ),
        Mistake(
            "batch_mixed_up",
            ((PARENT, "parent = (best // vocab).flatten()"),),
            "A single source comes out right, but in a batch all others continue hypotheses of the "
            "first one.",
            "In which rows do the hypotheses of source 2 stand?",
            r"//|div",
        ),
        Mistake(
            "memory_repeated_in_wrong_order",
            (
                ("memory.repeat_interleave(beam, dim=0)", "memory.repeat(beam, 1, 1)"),
                ("source.repeat_interleave(beam, dim=0)", "source.repeat(beam, 1)"),
            ),
            "The hypotheses of one source read the memory of another: you lay the whole batch "
            "down `beam` times, in place of each source `beam` times in a row.",
            "There are two functions in torch that repeat; print what they make of 1 2 3.",
            r"repeat|expand|cat",
        ),
        Mistake(
            "division_and_remainder_swapped",
            (
                (PARENT, PARENT.replace("best // vocab", "best % vocab")),
                (TOKEN, TOKEN.replace("%", "//")),
            ),
            "Which hypothesis is continued, and with which token, have changed places: the best "
            "places are counted through beam · vocab.",
            "With 12 tokens, which hypothesis and which token is place 27?",
            r"//|%|div",
        ),
        Mistake(
            "tokens_not_sorted",
            ((JOINED, JOINED.replace("tokens[parent]", "tokens")),),
            "The new tokens are right, but they are written behind other hypotheses than those "
            "they continue.",
            LOOK_AT_BEAMS,
            r"cat|stack",
        ),
        Mistake(
            "ends_not_sorted",
            ((KEPT, KEPT.replace("finished[parent]", "finished")),),
            "Who has ended is noted by row, but hypotheses change rows at every step: you take "
            "some for ended that are not, and write on others that are.",
            LOOK_AT_BEAMS,
            r"finished|done|ended|==",
        ),
        Mistake(
            "lengths_not_sorted",
            ((KEPT, KEPT.replace("length[parent]", "length")),),
            "Lengths are noted by row, but hypotheses change rows at every step: some get the "
            "length of others.",
            LOOK_AT_BEAMS,
            r"length|len",
        ),
        Mistake(
            "worst_given",
            ((BEST, "return tokens[first_row + beam - 1, 1:]"),),
            "You give the last hypothesis of each beam, which has the lowest score.",
            "In which order do your hypotheses stand at the end?",
            r"return|min|-1",
        ),
        Mistake(
            "all_given",
            ((BEST, "return tokens[:, 1:].reshape(batch, beam, -1)"),),
            "You give all hypotheses, {your_shape}; asked for is the best of each source, (batch, "
            "length).",
            "In which order do your hypotheses stand at the end?",
            r"return",
        ),
        Mistake(
            "beam_always_four",
            (("batch = len(source)", "batch, beam = len(source), 4"),),
            "You always keep 4 hypotheses, whatever `beam` says: with beam=1 your answer is not "
            "that of greedy decoding.",
            "Look for a number that should be `beam`.",
            r"4",
        ),
        Mistake(
            "more_beams_than_tokens",
            ((SCORE, "log_p.topk(beam)\n            " + SCORE),),
            "With more hypotheses than there are tokens your code stops: topk cannot take {beam} "
            "from {vocab}.",
            "How many continuations does one hypothesis have at most?",
            r"topk",
        ),
        Mistake(
            "start_kept",
            ((BEST, "return tokens[first_row]"),),
            "Your answer begins with the start token; asked for is what comes after it.",
            "Which column is not the model's own?",
            r"return",
        ),
        Mistake(
            "end_left_out",
            (
                (
                    BEST,
                    "return tokens[first_row, 1:].masked_fill(tokens[first_row, 1:] == end, "
                    "model.pad)",
                ),
            ),
            "Your sentences are right up to their end token, {end}, which is missing: it belongs "
            "to the answer.",
            "What do you leave out when you put the answer together?",
            r"end|return",
        ),
        Mistake(
            "filled_with_end",
            (
                (
                    BEST,
                    "answer = tokens[first_row, 1:]\n"
                    "        return torch.where((answer == end).cumsum(1) > 0, end, answer)",
                ),
            ),
            "Behind its end token a sentence is filled up with more end tokens; asked for is "
            "padding, model.pad.",
            "Which number stands for no token at all?",
            r"end",
        ),
        Mistake(
            "filled_with_zero",
            (
                (
                    BEST,
                    "answer = tokens[first_row, 1:]\n"
                    "        ended = (answer == end).cumsum(1) - (answer == end).long() > 0\n"
                    "        return answer.masked_fill(ended, 0)",
                ),
            ),
            "Behind its end token a sentence is filled up with 0; padding is {pad} here.",
            "The model knows its own padding: model.pad.",
            r"0|zeros",
        ),
        Mistake(
            "end_always_two",
            ((KEPT, KEPT.replace("== end", "== 2")),),
            "You always take token 2 for the end; here it is {end}.",
            "Look for a number that should be `end`.",
            r"2",
        ),
        Mistake(
            "one_too_few",
            ((STEPS, "for _ in range(max_length - 1):"),),
            "You write at most max_length - 1 tokens: the start token does not count.",
            "How often does your loop run?",
            r"max_length|range|while",
        ),
        Mistake(
            "one_too_many",
            ((STEPS, "for _ in range(max_length + 1):"),),
            "You write up to one token more than max_length allows.",
            "How often does your loop run?",
            r"max_length|range|while",
        ),
        Mistake(
            "one_sentence_squeezed",
            ((BEST, BEST + ".squeeze(0)"),),
            "For a batch of one sentence your answer has shape {your_shape}; expected is (1, "
            "length), as for any other batch.",
            "Which function takes dimensions of size 1 away?",
            r"squeeze|\[0\]",
        ),
        Mistake(
            "answer_as_decimals",
            ((BEST, BEST + ".float()"),),
            "The tokens are right, but they are float32; token numbers are whole numbers.",
            "torch.zeros and torch.full make decimal numbers unless they are told otherwise.",
            r"zeros|ones|empty|float|full",
        ),
        *mistakes_around(BEST),
    ),
    hints=(
        "Take beam=2 and a vocabulary of three tokens: how many continuations do two hypotheses "
        "have together, and how many of them are kept?",
        "All continuations of one source stand in one row of beam · vocab scores, and topk takes "
        "the best from it. From its place in that row you can tell which hypothesis was continued, "
        "and with which token. Everything that belongs to a hypothesis moves along with it.",
        "Sums (batch · beam, vocab); lengths that grow only for those still being written; scores "
        "as in the docstring; topk over (batch, beam · vocab); a division and a remainder; then "
        "tokens, lengths, sums and ends in their new order.",
    ),
    measures=DECODING,
    symptoms=(rows_differ,),
)
