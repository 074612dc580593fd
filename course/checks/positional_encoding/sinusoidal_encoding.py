"""How sinusoidal_encoding is checked."""

from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import few, shape
from autograder.engine.trial import Call, call

from ..shared import comparable, right_or_off
from .shared import LARGE_ANGLES, in_float32, last_exponent


def waves(length, d_model):
    return call(length=length, d_model=d_model).but(digest=in_float32, tolerance=LARGE_ANGLES)


def waves_of_three_pairs(draw):
    return waves(draw.integer(3, 6), 6)


def waves_of_two_pairs(draw):
    return waves(draw.integer(5, 10), 4)


def waves_of_odd_width(draw):
    return waves(draw.integer(4, 6), 3)


def waves_of_one_feature(draw):
    return waves(draw.integer(3, 7), 1)


def waves_of_one_position(draw):
    return waves(1, 4)


def waves_twice(draw):
    """First a short table, then one of the same width that is longer than any before, in other
    probes too, and one of another width."""
    trial = waves(3, 4)
    longer, other = draw.integer(10, 13), draw.integer(3, 5)
    trial.calls.append(Call({"length": longer, "d_model": 4}))
    trial.calls.append(Call({"length": other, "d_model": 6}))
    return trial


def waves_of_far_positions(draw):
    """Two features, whose angle is the position itself: in float32 nothing is lost here."""
    return waves(draw.integer(2100, 2300), 2).but(tolerance=1.0)


def first_row_is_off(seen):
    """A symptom: position 0, which is easy to work out."""
    yours, theirs = comparable(seen)
    if yours is None or float((yours[0] - theirs[0]).abs().max()) < 1e-3:
        return None
    return (
        f"Begin with position 0: sin 0 and cos 0 by turns are {few(theirs[0])}. Your first row is "
        f"{few(yours[0])}."
    )


def only_near_positions_are_right(seen):
    """A symptom: numbers that are too coarse for large positions."""
    yours, theirs = comparable(seen)
    if yours is None or len(yours) < 1000:
        return None
    _, off = right_or_off(seen, yours, theirs, [0])
    first = int(off.int().argmax())
    if not bool(off.any()) or first < 100:
        return None
    return (
        f"Your first positions are right; position {first} is the first that is not: look at the "
        f"dtype in which positions and angles are worked out."
    )


def only_some_columns_are_right(seen):
    """A symptom: the wave with exponent 0 is right, the others are not."""
    yours, theirs = comparable(seen)
    if yours is None or yours.shape[-1] < 3:
        return None
    right, off = right_or_off(seen, yours, theirs, [1])
    if not bool(off.any()) or not bool(right.any()):
        return None
    good, bad = (columns(each.nonzero().flatten().tolist()) for each in (right, off))
    return (
        f"Right: {good}. Not right: {bad}. Work out the angles of column {int(off.int().argmax())} "
        f"for positions 1 and 2 on paper."
    )


def columns(numbers):
    return f"column{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"


sinusoidal_encoding = Exercise(
    id="positional_encoding.sinusoidal_encoding",
    properties=(
        Property(
            "values",
            3,
            "sines and cosines stand in their columns, each with its own wavelength",
            (waves_of_three_pairs, waves_of_two_pairs),
        ),
        Property(
            "odd",
            1,
            "an odd d_model ends with a sine",
            (waves_of_odd_width, waves_of_one_feature),
            look="With d_model = 5 there are three sines: how many cosines are there?",
        ),
        Property(
            "sizes",
            1,
            "one position will do, and a second call knows nothing of the first",
            (waves_of_one_position, waves_twice),
        ),
        Property(
            "far",
            1,
            "positions in the thousands are exact, too",
            (waves_of_far_positions,),
            look="Which dtype do your positions have?",
        ),
    ),
    hints=(
        "Work out the rows of positions 0 and 1 for d_model = 4 on paper: two angles each, four "
        "numbers.",
        "All angles at once are a matrix with a row for every position and a column for every "
        "pair. Its sines go into the even columns, its cosines into the odd ones.",
        "A column of positions divided by a row of powers of 10000; then two slices with a step "
        "of 2, of which the second may be one column narrower.",
    ),
    measures={
        "last_exponent": last_exponent,
        "first": lambda seen: few(seen.yours["output"], 2),
        "your_shape": lambda seen: shape(seen.yours["output"]),
    },
    symptoms=(only_near_positions_are_right, first_row_is_off, only_some_columns_are_right),
)
