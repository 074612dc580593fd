"""How sinusoidal_encoding is checked."""

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import few, shape
from autograder.engine.trial import Call, call

from ..shared import comparable
from .shared import LARGE_ANGLES, in_float32, last_exponent


def waves(length, d_model):
    trial = call(length=length, d_model=d_model)
    trial.digest, trial.tolerance = in_float32, LARGE_ANGLES
    return trial


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
    trial = waves(draw.integer(2100, 2300), 2)
    trial.tolerance = 1.0
    return trial


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
    off = (yours - theirs).abs().amax(-1) > 1e-3
    first = int(off.int().argmax())
    if not bool(off.any()) or first < 100:
        return None
    return (
        f"Your first positions are right, but from position {first} on they are not: look at the "
        f"dtype in which positions and angles are worked out."
    )


def only_some_columns_are_right(seen):
    """A symptom: the wave with exponent 0 is right, the others are not."""
    yours, theirs = comparable(seen)
    if yours is None or yours.shape[-1] < 3:
        return None
    right = (yours - theirs).abs().amax(0) < 1e-3
    if bool(right.all()) or not bool(right.any()):
        return None
    rows = range(len(right))
    good = ", ".join(str(column) for column in rows if right[column])
    bad = ", ".join(str(column) for column in rows if not right[column])
    return (
        f"Your columns {good} are right, your columns {bad} are not. Work out the angles of column "
        f"{bad.partition(',')[0]} for positions 1 and 2 on paper."
    )


LOOK_AT_EXPONENT = (
    "Write down the exponents for d_model = 6: there are three, one for each pair of columns. "
    "Which numbers does your code put there?"
)
LOOK_AT_FIRST_ROW = "What are sin 0 and cos 0? That is your first row."
POSITION = "position = torch.arange(length, dtype=torch.float64)[:, None]"
ANGLE = "angle = position / 10000 ** (two_i / d_model)"
SINES = "encoding[:, 0::2] = angle.sin()"
COSINES = "encoding[:, 1::2] = angle.cos()[:, : d_model // 2]"
GIVE = "return encoding"

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
    mistakes=(
        Mistake(
            "exponent_doubled",
            ((ANGLE, "angle = position / 10000 ** (2 * two_i / d_model)"),),
            "Your exponents are twice what they should be: the last pair of columns is to have "
            "{last_exponent}, and has 2 · {last_exponent}. That happens when i already runs 0, 2, "
            "4, … and is multiplied by 2 once more; the waves get longer much too fast.",
            LOOK_AT_EXPONENT,
            r"10000(?!\^)|1e4|log\(",
        ),
        Mistake(
            "exponent_halved",
            ((ANGLE, "angle = position / 10000 ** (two_i / 2 / d_model)"),),
            "Your exponents are half of what they should be: the last pair of columns is to have "
            "{last_exponent}. That happens when i runs 0, 1, 2, … over the pairs and the 2 of 2i "
            "is left out (powers of 100 in place of 10000 come to the same).",
            LOOK_AT_EXPONENT,
            r"10000(?!\^)|1e4|log\(",
        ),
        Mistake(
            "exponent_of_the_column",
            (
                (
                    COSINES,
                    "encoding[:, 1::2] = "
                    "(position / 10000 ** ((two_i + 1) / d_model)).cos()[:, : d_model // 2]",
                ),
            ),
            "Your sines are right, but your cosines have an exponent of their own, 1/{d_model}, "
            "3/{d_model}, …: the column's number took the place of 2i.",
            "Columns 2i and 2i + 1 are a pair: sine and cosine of one and the same angle.",
            r"10000(?!\^)|1e4|log\(",
        ),
        Mistake(
            "exponent_from_one",
            ((ANGLE, "angle = position / 10000 ** ((two_i + 2) / d_model)"),),
            "Your first pair of columns has the exponent 2/{d_model}: you count i from 1. Counted "
            "from 0, the first angle is the position itself.",
            LOOK_AT_EXPONENT,
            r"10000(?!\^)|1e4|log\(|(?<!a)range\(",
        ),
        Mistake(
            "exponent_rounded_to_zero",
            ((ANGLE, "angle = position / 10000 ** (two_i // d_model)"),),
            "All your pairs of columns are alike: the exponent is 0 everywhere, as if 2i / d_model "
            "had been rounded down.",
            LOOK_AT_EXPONENT,
            r"//|int\(|10000(?!\^)|1e4",
        ),
        Mistake(
            "only_first_pair_moves",
            ((ANGLE, "angle = position / 10000**two_i"),),
            "Only your first pair of columns moves; all others stay at sin 0 = 0 and cos 0 = 1, as "
            "near as can be seen. Their exponents are far too large: 2i / d_model lies between 0 "
            "and 1.",
            "Is everything divided by d_model={d_model}? And if you write the power with exp: e to "
            "what is 10000?",
            r"10000(?!\^)|1e4|log\(|exp\(",
        ),
        Mistake(
            "multiplied",
            ((ANGLE, "angle = position * 10000 ** (two_i / d_model)"),),
            "Your angles are multiplied by 10000^(2i / d_model), and not divided by it: the waves "
            "get shorter from pair to pair, so that neighbouring positions have nothing in common.",
            "The first pair turns fastest. How should the later ones turn?",
            r"10000(?!\^)|1e4|exp\(",
        ),
        Mistake(
            "base_1000",
            ((ANGLE, "angle = position / 1000 ** (two_i / d_model)"),),
            "Your wavelengths grow with powers of 1000, and not of 10000.",
            "Compare the number in your code with the formula.",
            r"\b1000\b|1e3",
        ),
        Mistake(
            "base_100000",
            ((ANGLE, "angle = position / 100000 ** (two_i / d_model)"),),
            "Your wavelengths grow with powers of 100000, and not of 10000.",
            "Compare the number in your code with the formula.",
            r"100000|1e5",
        ),
        Mistake(
            "slowest_wave_stretched",
            (
                (ANGLE, "pairs = len(two_i)\n    " + ANGLE),
                ("(two_i / d_model)", "(two_i / 2 / max(pairs - 1, 1))"),
            ),
            "Your exponents run from 0 to exactly 1: you divide by the last pair's number. Some "
            "libraries do that; the paper's last exponent is {last_exponent}.",
            LOOK_AT_EXPONENT,
            r"- ?1\b|10000(?!\^)|1e4|log\(|linspace",
        ),
        Mistake(
            "sine_and_cosine_swapped",
            (
                (SINES, "encoding[:, 0::2] = angle.cos()"),
                (COSINES, "encoding[:, 1::2] = angle.sin()[:, : d_model // 2]"),
            ),
            "Your cosines stand in the even columns and your sines in the odd ones; it is the "
            "other way round.",
            LOOK_AT_FIRST_ROW,
            r"\.cos\(\)|(torch|math|np)\.cos",
        ),
        Mistake(
            "halves",
            (
                (SINES, "encoding[:, : len(two_i)] = angle.sin()"),
                (COSINES, "encoding[:, len(two_i) :] = angle.cos()[:, : d_model // 2]"),
            ),
            "All your sines stand in the first columns and all cosines behind them. Models have "
            "been built like that and work as well; the paper, and this exercise, set them by "
            "turns: sine, cosine, sine, cosine.",
            LOOK_AT_FIRST_ROW,
            r"cat\(|stack\(|\.sin\(\)|(torch|math|np)\.sin",
        ),
        Mistake(
            "only_sines",
            ((COSINES, "encoding[:, 1::2] = angle.sin()[:, : d_model // 2]"),),
            "All your columns are sines; every second one is to be a cosine.",
            LOOK_AT_FIRST_ROW,
            r"\.sin\(\)|(torch|math|np)\.sin",
        ),
        Mistake(
            "only_cosines",
            ((SINES, "encoding[:, 0::2] = angle.cos()"),),
            "All your columns are cosines; every second one is to be a sine.",
            LOOK_AT_FIRST_ROW,
            r"\.cos\(\)|(torch|math|np)\.cos",
        ),
        Mistake(
            "positions_from_1",
            ((POSITION, "position = torch.arange(1, length + 1, dtype=torch.float64)[:, None]"),),
            "Your first row is position 1 and not position 0: it begins with {first}.",
            LOOK_AT_FIRST_ROW,
            r"arange|range|enumerate",
        ),
        Mistake(
            "degrees",
            ((ANGLE, ANGLE + "\n    angle = angle * torch.pi / 180"),),
            "Your angles are taken as degrees: the first column turns 57 times too slowly.",
            "sin and cos take the angle as it stands in the formula.",
            r"radians|180|deg2rad",
        ),
        Mistake(
            "positions_divided_by_length",
            ((ANGLE, ANGLE.replace("position", "position / length")),),
            "You divide the positions by the length, so the same position has another vector in a "
            "table of another length.",
            "A position's vector depends on the position and on d_model alone.",
            r"/ ?length|linspace",
        ),
        Mistake(
            "odd_width_fails",
            ((COSINES, "encoding[:, 1::2] = angle.cos()"),),
            "An even d_model is right, but for d_model={d_model} there are more angles than odd "
            "columns: the cosines do not fit in.",
            "With an odd d_model the last pair has a sine and no cosine.",
            r"1::2",
        ),
        Mistake(
            "odd_width_loses_last_column",
            (
                ("torch.empty(length, d_model)", "torch.zeros(length, d_model)"),
                (
                    SINES,
                    "encoding[:, 0 : d_model // 2 * 2 : 2] = angle.sin()[:, : d_model // 2]",
                ),
            ),
            "An even d_model is right, but for d_model={d_model} your last column is 0 everywhere.",
            "With an odd d_model the last pair has a sine and no cosine.",
            r"// ?2|(?<!a)range\(",
        ),
        Mistake(
            "odd_width_made_even",
            ((ANGLE, "angle = position / 10000 ** (two_i / (d_model + d_model % 2))"),),
            "An even d_model is right; an odd one is treated as if it were one larger in the "
            "exponent, too.",
            "Only the number of columns is cut; the formula keeps its d_model.",
            r"(?<!2i)\+ ?1|% ?2",
        ),
        Mistake(
            "first_row_zero",
            ((GIVE, "encoding[0] = 0.0\n    return encoding"),),
            "Your first row is 0 everywhere, cosines included; all other rows are right.",
            LOOK_AT_FIRST_ROW,
            r"zeros|\[0\]|range\(1|> ?0|!= ?0",
        ),
        Mistake(
            "one_row_too_many",
            (
                (POSITION, POSITION.replace("length", "length + 1")),
                ("empty(length", "empty(angle.shape[0]"),
            ),
            "Your table has shape {your_shape}: one row more than the {length} positions that were "
            "asked for.",
            "Positions run from 0 to length - 1.",
            r"(?<!2i)\+ ?1",
        ),
        Mistake(
            "turned",
            ((GIVE, "return encoding.T"),),
            "Your table has shape {your_shape}, with a row for every feature; asked for is a row "
            "for every position, (length, d_model).",
            "Which index counts the rows?",
            r"return|\.T\b|transpose",
        ),
        Mistake(
            "with_a_batch",
            ((GIVE, "return encoding[None]"),),
            "The numbers are right, but your table has shape {your_shape}: asked for is (length, "
            "d_model), without a batch.",
            "It fits any batch as it is: torch lines shapes up from the right.",
            r"unsqueeze\(0\)|\[None|return",
        ),
        Mistake(
            "batch_in_the_middle",
            ((GIVE, "return encoding[:, None]"),),
            "The numbers are right, but your table has shape {your_shape}: asked for is (length, "
            "d_model), without a batch.",
            "It fits any batch as it is: torch lines shapes up from the right.",
            r"unsqueeze\(1\)|\[:, None\]$|return",
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
