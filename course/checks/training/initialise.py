"""How initialise is checked."""

import math

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import few, listing, number
from autograder.engine.trial import Answer, Call, StandIn, Trial, probe

from .learning_rate import SECOND


def fill(draw, calls, width, hidden, vocab, **options):
    sizes = {"width": width, "hidden": hidden, "vocab": vocab, "seed": draw.integer(0, 10**6)}
    model = StandIn("parts", sizes | options)
    made = [Call({"model": model}, returns=("model",)) for _ in range(calls)]
    bound = number(math.sqrt(6 / (width + hidden)))
    given = {"width": width, "hidden": hidden, "vocab": vocab, "bound": bound}
    return Trial(made, sizes=given, digest=how_filled, tolerance=5.5e4)  # 5.5 %, six deviations


fill_twice = probe("fill_twice", fill, 2, width=70, hidden=90, vocab=80)
fill_in_float64 = probe(
    "fill_in_float64", fill, 1, width=90, hidden=60, vocab=100, dtype=torch.float64
)


CHANGES = ("with new numbers", "now 0")  # facts: names of parameters and buffers


def how_filled(answer):
    """Of random numbers: how far they reach, how they are spread, and whether they are new.

    With 5000 numbers and more in a matrix, each of these is the same for all right answers, but
    for less than one check in a million. What becomes of more than two dimensions is free.
    """
    arrays = {name: x for name, x in answer.arrays.items() if x.dim() == 2}
    free = {name.partition(" (call")[0] for name, x in answer.arrays.items() if x.dim() > 2}
    spreads, facts = [], dict(answer.facts)
    for fact in [name for name in facts if name.startswith(CHANGES)]:
        facts[fact] = [name for name in facts[fact] if name not in free]
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


def left_as_they_were(seen):
    """A symptom: matrices whose numbers nobody has touched."""
    filled, wanted = (each.facts.get(CHANGES[0], ()) for each in (seen.answer, seen.expected))
    left = [name for name in wanted if name not in filled]
    if not left:
        return None
    return f"Your function leaves matrices as they were: {listing(left)}. {LOOK_AT_WHICH}"


def not_as_even(seen):
    """A symptom: the numbers are too large or too small."""
    spread = seen.yours.get("spread")
    if spread is None or spread.numel() == 0:
        return None
    return (
        f"The standard deviation of the numbers in your matrices is {few(spread)} times what it is "
        f"to be, a / √3; a itself is {seen['bound']} for the weight of an nn.Linear("
        f"{seen['width']}, {seen['hidden']}). {LOOK_AT_BOUND}"
    )


LOOK_AT_BOUND = "Compare with a in the docstring: what is under the root, and what is a, the bound?"
LOOK_AT_WHICH = "Which parameters are meant: which have two dimensions?"


initialise = Exercise(
    id="training.initialise",
    properties=(
        Property(
            "values",
            3,
            "the numbers in your matrices are as large, on average, as Xavier's rule makes them",
            (fill_twice,),
        ),
        promises.dtype("in float64, too", fill_in_float64),
        Property(
            "others",
            2,
            "all matrices are filled evenly from -a to a, with new numbers every time; biases, "
            "norms and buffers are not touched, and all is as trainable and as shared as before",
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
    hints=(
        "nn.init has a function for Xavier's rule; which parameters may it be given?",
        "A model's .parameters() are those of all its parts, a shared one only once. Fill those "
        "that have two dimensions, in place.",
        "A loop, a question about the number of dimensions, and a function of nn.init whose name "
        "ends in `_`; the model comes back at the end.",
    ),
    symptoms=(left_as_they_were, not_as_even),
)
