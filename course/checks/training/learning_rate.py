"""How learning_rate is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import number
from autograder.engine.trial import Answer, Call, Trial


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
