"""How PositionalEncoding is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import apart, number, shape
from autograder.engine.trial import Answer, Call, Trial, probe

from ..shared import comparable, levels, only_dtype, right_or_off
from .shared import last_exponent


def place(draw, batch=3, length=5, d_model=6, max_length=11, **trial):
    """A trial of the module without dropout."""
    build = {"d_model": d_model, "max_length": max_length, "dropout": 0.0}
    x = draw.normal(batch, length, d_model)
    sizes = {"batch": batch, "length": length}
    return told_apart(Trial([Call({"x": x})], build, sizes=sizes, **trial))


place_a_batch = probe("place_a_batch", place)
place_one_sequence = probe("place_one_sequence", place, batch=1, length=4, d_model=8)
place_all_positions = probe(
    "place_all_positions", place, batch=2, length=7, d_model=4, max_length=7
)
place_other_sizes = probe("place_other_sizes", place, batch=4, length=6, d_model=10)
place_one_token = probe("place_one_token", place, batch=2, length=1)
place_strided = probe("place_strided", place, strided=True)


def place_far(draw):
    """As many positions as there are by default; see waves_of_far_positions."""
    return place(draw, batch=1, length=600, d_model=2).but(
        build={"d_model": 2}, options={"dropout": 0.0}
    )


def place_more_than_by_default(draw):
    """More positions than there are by default. (Is there one for each? Their values are like any
    others, but for the rounding of such large angles.)"""
    trial = place(draw, batch=1, length=5003, d_model=2, max_length=5010)
    return trial.but(digest=length_of_it)


def length_of_it(answer):
    y = answer.arrays.get("output")
    facts = extra_counted(answer.facts)
    return Answer({}, facts | {"shape of the output": y is not None and shape(y)})


def place_twice(draw):
    """A second call is longer, with another batch; a third is shorter again."""
    trial = place(draw)
    for batch, length in ((2, 9), (4, 3)):
        trial.calls.append(Call({"x": draw.normal(batch, length, 6)}))
    return told_apart(trial)


def place_in_training(draw):
    """With dropout=0, training changes nothing."""
    trial = place(draw, batch=2, length=4)
    x = trial.calls[0].arguments["x"]
    trial.calls = [Call({"x": x}, training=True), Call({"x": x})]
    trial.digest = modes_alike
    return trial


def modes_alike(answer):
    """A digest: numbers that nobody can foresee are not compared."""
    training, off = (answer.arrays.get("output" + call) for call in LATER[:2])
    facts = extra_counted(answer.facts)
    if training is not None and off is not None:
        same = training.shape == off.shape and torch.allclose(training, off, atol=1e-4)
        facts["with dropout=0, training and eval mode are alike"] = same
    return Answer({}, facts)


place_gradients = probe("place_gradients", place, gradients=True)
place_in_float64 = probe("place_in_float64", place, dtype=torch.float64, tolerance=20.0)


def place_in_bfloat16(draw):
    return only_dtype(place(draw, dtype=torch.bfloat16))


LATER = ("", " (call 2)", " (call 3)")


def told_apart(trial):
    """Give the trial a digest that recognises positions which are parameters.

    They may have any name and, if they are learned, any numbers: then what can be compared is that
    something is added that is no wave, and the same for all sequences.
    """
    inputs = [call.arguments["x"] for call in trial.calls]

    def digest(answer):
        facts, arrays = extra_counted(answer.facts), dict(answer.arrays)
        if len(answer.facts.get("extra") or ()) != 1:
            return answer
        gradient = arrays.pop(f"gradient of {answer.facts['extra'][0]}", None)
        if gradient is not None:
            arrays["gradient of what is extra"] = gradient.squeeze()
        for x, suffix in zip(inputs, LATER):
            output = arrays.get("output" + suffix)
            if output is not None and output.shape == x.shape:
                added = output.double() - x.to(output.dtype).double()
                alike = float((added - added[:1]).abs().max()) < 0.1
                if alike and not is_wave(added[0]):
                    del arrays["output" + suffix]
                    facts["what is added" + suffix] = "numbers of its own"
        return Answer(arrays, facts)

    trial.digest = digest
    return trial


def extra_counted(facts):
    """Facts in which a single parameter that is not asked for has no name."""
    alone = len(facts.get("extra") or ()) == 1
    return facts | {"extra": [""]} if alone else dict(facts)


def is_wave(table):
    """Do the squares of its sines and cosines add up to 1, by turns or in halves?"""
    half = table.shape[-1] // 2
    by_turns = table[:, 0 : 2 * half : 2].square() + table[:, 1::2].square()
    in_halves = table[:, :half].square() + table[:, -half:].square()
    return any(float((squares - 1).abs().max()) < 0.05 for squares in (by_turns, in_halves))


DROPPED = 0.3
BASE = 10.0


def place_with_dropout(draw):
    """Every feature is 10, so that it shows what of the sum was dropped."""
    from solutions.positional_encoding import sinusoidal_encoding as table

    trial = place(draw, d_model=12, max_length=110)
    trial.build["dropout"] = DROPPED
    x = torch.full((4, 100, 12), BASE)
    trial.calls = [Call({"x": x}, training=True), Call({"x": x}, training=True), Call({"x": x})]
    encoding = table(100, 12)

    def digest(answer):
        """How much is left of the sum, of x and of the encoding?"""
        first, second, off = (answer.arrays.get("output" + call) for call in LATER)
        facts = extra_counted(answer.facts)
        if any(y is None for y in (first, second, off)):
            return answer
        facts["shape of the output in training"] = shape(first)
        if any(y.shape != x.shape for y in (first, second, off)):
            return Answer({}, facts)
        visible = encoding.abs() > 0.1
        of_encoding = ((first - BASE) / encoding)[visible.expand(first.shape)]
        facts["what is left of x + encoding in training"] = levels(first / (BASE + encoding))
        facts["what is left of x in training"] = levels((first - encoding) / BASE)
        facts["what is left of the encoding in training"] = levels(of_encoding)
        dropped = first == 0
        whole = bool((dropped == dropped[..., :1]).all() and dropped.any())
        share = "whole tokens" if whole else f"{dropped.float().mean():.1f} of all numbers"
        facts["what is dropped"] = share
        facts["two calls in training are alike"] = torch.equal(first, second)
        facts["what is left of x + encoding in eval mode"] = levels(off / (BASE + encoding))
        return Answer({}, facts)

    trial.digest = digest
    return trial


def added_at_first(seen):
    """A symptom: what is added to the first token."""
    yours, theirs = comparable(seen)
    if yours is None:
        return None
    added, right = yours - seen.arguments["x"], theirs - seen.arguments["x"]
    if float((added - added[:1]).abs().max()) > 1e-2:
        return None
    _, off = right_or_off(seen, yours, theirs, [1])
    if not bool(off.any()):
        return None
    where = int(off.int().argmax())
    one, other = apart(added[0, where], right[0, where], count=4)
    return f"To the token at position {where} your code adds {one}; expected is {other}."


def sums_of_batch(seen):
    """A symptom: sequences are treated differently."""
    yours, _ = comparable(seen)
    if yours is None:
        return None
    added = yours - seen.arguments["x"]
    off = float((added - added[:1]).abs().max())
    if off < 1e-2:
        return None
    return (
        f"What your code adds differs from sequence to sequence (by up to {number(off)}): the same "
        f"position must get the same vector in all of them."
    )


PositionalEncoding = Exercise(
    id="positional_encoding.PositionalEncoding",
    properties=(
        Property(
            "buffer",
            1,
            "the module has no parameters: the encoding is never trained",
            aspects=("built", "names"),
            look="Something that belongs to a module, moves with it, and is never trained is a "
            "buffer.",
        ),
        Property(
            "values",
            3,
            "every token gets the vector of its place",
            (place_a_batch, place_one_sequence, place_strided),
        ),
        Property(
            "sizes",
            1,
            "one token, all positions and hundreds of them are right",
            (
                place_other_sizes,
                place_one_token,
                place_all_positions,
                place_far,
                place_more_than_by_default,
            ),
        ),
        Property("again", 1, "calls of other lengths are right, too", (place_twice,)),
        promises.gradients("gradients reach x", place_gradients),
        Property(
            "dropout",
            1,
            "dropout acts on the sum, in training only",
            (place_with_dropout, place_in_training),
            look="First the sum, then dropout, which sets some of its numbers to 0 and scales up "
            "the rest.",
        ),
        promises.dtype("the result has the dtype of x", place_in_float64, place_in_bfloat16),
        promises.unchanged("x stays as it was"),
    ),
    hints=(
        "The table is made once, in __init__; forward takes as many of its rows as there are "
        "tokens.",
        "(length, d_model) fits (batch, length, d_model) as it is: torch lines shapes up from the "
        "right. A tensor that belongs to the module and is never trained is registered as a "
        "buffer.",
        "In __init__ a dropout and register_buffer with the table; in forward a slice of the "
        "table's first rows, a sum, and dropout.",
    ),
    measures={
        "last_exponent": last_exponent,
        "your_shape": lambda seen: shape(seen.yours["output"]),
        "dropped": lambda seen: DROPPED,
        "max_length": lambda seen: seen.arguments.get("max_length", 5000),
    },
    symptoms=(sums_of_batch, added_at_first),
)
