"""How learning_rate is checked."""

import torch

from autograder.engine.exercise import Exercise, Property
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
    return rates([0, 1], draw.integer(20, 40), draw.integer(40, 60)).but(digest=something_small)


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


LOOK_AT_CURVE = (
    "Draw your rate over the steps, to ten times the warm-up: it should rise in a straight line, "
    "and then fall, more and more slowly."
)
LOOK_AT_WARMUP = (
    "The two expressions in the minimum should be equal at step {warmup}: put that step into both."
)

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
