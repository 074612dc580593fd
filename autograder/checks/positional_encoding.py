"""Lesson 3: how positional encodings are checked."""

import torch

from ..exercise import Exercise, Mistake, Property
from ..symptoms import few, number, shape
from ..trial import Answer, Call, Trial, call
from .multi_head import levels

# A mistake may make angles of thousands, where float32 and float64 part company; see `multiplied`.
LARGE_ANGLES = 50.0


def in_float32(answer):
    """A table may come in float64, too: what counts are its numbers."""
    arrays = {
        name: x.to(torch.float32) if x.dtype == torch.float64 else x
        for name, x in answer.arrays.items()
    }
    return Answer(arrays, answer.facts)


def only_dtype(trial):
    """For bfloat16, where rounding is as large as some mistakes: compare the numbers' dtype and
    shape, and that they are numbers, and nothing else."""
    inner = trial.digest

    def digest(answer):
        answer = answer if inner is None else inner(answer)
        return Answer({name: 0 * x for name, x in answer.arrays.items()}, answer.facts)

    trial.digest = digest
    return trial


def comparable(seen):
    """The learner's output and the expected one in float64, or two times None if they cannot be
    compared number by number."""
    yours, theirs = seen.yours.get("output"), seen.theirs.get("output")
    if yours is None or theirs is None or yours.shape != theirs.shape:
        return None, None
    return yours.double(), theirs.double()


def last_exponent(seen):
    """A measure: 2i / d_model of the slowest wave, as a fraction."""
    d_model = seen.arguments["d_model"]
    return f"{(d_model - 1) // 2 * 2}/{d_model}"


# --- Sinusoids ------------------------------------------------------------------------------------


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

# --- The matrix that moves on ---------------------------------------------------------------------


def shift(offset, d_model):
    trial = call(offset=offset, d_model=d_model)
    trial.digest, trial.tolerance = in_float32, LARGE_ANGLES
    return trial


def shift_forward(draw):
    return shift(draw.integer(2, 6), 6)


def shift_by_one(draw):
    return shift(1, 4)


def shift_one_hand(draw):
    return shift(draw.integer(2, 6), 2)


def shift_backward(draw):
    return shift(-draw.integer(2, 6), 6)


def shift_by_nothing(draw):
    return shift(0, 4)


def shift_far(draw):
    trial = shift(draw.integer(300, 900), 2)
    trial.tolerance = 1.0
    return trial


def shift_far_back(draw):
    trial = shift(-draw.integer(300, 900), 2)
    trial.tolerance = 1.0
    return trial


def no_rotation(seen):
    """A symptom: every pair of rows is to be a turn, whose squares add up to 1."""
    yours, _ = comparable(seen)
    if yours is None:
        return None
    squares = yours.square().sum(-1)
    if float((squares - 1).abs().max()) < 1e-3:
        return None
    return (
        f"A turn changes no lengths, so the squares of each row add up to 1; those of your rows "
        f"add up to {few(squares)}."
    )


LOOK_AT_ADDITION = (
    "Write the addition theorems for sin(a + b) and cos(a + b) under each other, and read the four "
    "factors of sin a and cos a off them."
)
SHIFT_ANGLE = "angle = offset / 10000 ** (two_i / d_model)"
SIN_SIN = "matrix[0::2, 0::2] = torch.diag(angle.cos())"
SIN_COS = "matrix[0::2, 1::2] = torch.diag(angle.sin())"
COS_SIN = "matrix[1::2, 0::2] = torch.diag(-angle.sin())"
COS_COS = "matrix[1::2, 1::2] = torch.diag(angle.cos())"
MATRIX = "return matrix"
SLICES = ("0::2, 0::2", "0::2, 1::2", "1::2, 0::2", "1::2, 1::2")
HALVES = (
    ": d_model // 2, : d_model // 2",
    ": d_model // 2, d_model // 2 :",
    "d_model // 2 :, : d_model // 2",
    "d_model // 2 :, d_model // 2 :",
)

shift_matrix = Exercise(
    id="positional_encoding.shift_matrix",
    properties=(
        Property(
            "values",
            3,
            "the matrix moves every position's encoding forward",
            (shift_forward, shift_by_one, shift_one_hand),
            look=LOOK_AT_ADDITION,
        ),
        Property(
            "backward",
            1,
            "a negative offset moves back, and 0 moves nothing",
            (shift_backward, shift_by_nothing),
        ),
        Property("far", 1, "hundreds of positions are no trouble", (shift_far, shift_far_back)),
    ),
    mistakes=(
        Mistake(
            "turned_the_wrong_way",
            ((SIN_COS, SIN_COS.replace("angle", "-angle")), (COS_SIN, COS_SIN.replace("-", ""))),
            "Your matrix turns every hand the wrong way: M PE(pos) gives PE(pos - offset). As "
            "PE(pos) M, with the vector in front, it would be right.",
            LOOK_AT_ADDITION,
            r"\.sin\(\)|(torch|math|np)\.sin",
        ),
        Mistake(
            "transposed_at_the_end",
            ((MATRIX, "return matrix.T"),),
            "Your matrix turns every hand the wrong way: M PE(pos) gives PE(pos - offset). As "
            "PE(pos) M, with the vector in front, it would be right.",
            LOOK_AT_ADDITION,
            r"\.T\b|transpose",
            same_as="turned_the_wrong_way",
        ),
        Mistake(
            "both_sines_positive",
            ((COS_SIN, COS_SIN.replace("-", "")),),
            "Both sines in your matrix have a plus. That is no turn: it changes lengths.",
            LOOK_AT_ADDITION,
            r"\.sin\(\)|(torch|math|np)\.sin",
        ),
        Mistake(
            "both_sines_negative",
            ((SIN_COS, SIN_COS.replace("angle", "-angle")),),
            "Both sines in your matrix have a minus. That is no turn: it changes lengths.",
            LOOK_AT_ADDITION,
            r"\.sin\(\)|(torch|math|np)\.sin",
        ),
        Mistake(
            "sines_missing",
            ((SIN_COS, "pass"), (COS_SIN, "pass")),
            "Your matrix has cosines on the diagonal and nothing beside them: it shrinks sines and "
            "cosines, and turns nothing.",
            LOOK_AT_ADDITION,
            r"\.cos\(\)|(torch|math|np)\.cos",
        ),
        Mistake(
            "sine_and_cosine_swapped",
            (
                (SIN_SIN, SIN_SIN.replace("cos", "sin")),
                (SIN_COS, SIN_COS.replace("sin", "cos")),
                (COS_SIN, COS_SIN.replace("sin", "cos")),
                (COS_COS, COS_COS.replace("cos", "sin")),
            ),
            "Sines stand where cosines should be, and the other way round: with offset 0 your "
            "matrix would not leave everything where it is.",
            LOOK_AT_ADDITION,
            r"\.(sin|cos)\(\)|(torch|math|np)\.(sin|cos)",
        ),
        Mistake(
            "halves",
            tuple((old, new) for old, new in zip(SLICES, HALVES)),
            "Your matrix fits an encoding with all sines in front and all cosines behind; ours has "
            "them by turns, so each hand's four numbers stand together.",
            "Which two features belong to the same hand?",
            r"cat|block|// ?2|half|pairs",
        ),
        Mistake(
            "offset_always_positive",
            ((SHIFT_ANGLE, SHIFT_ANGLE.replace("offset", "abs(offset)")),),
            "A positive offset is right; with a negative one your matrix moves forward as well.",
            "What do sine and cosine make of a negative angle?",
            r"abs",
        ),
        Mistake(
            "negative_offset_ignored",
            ((SHIFT_ANGLE, SHIFT_ANGLE.replace("offset", "max(offset, 0)")),),
            "A positive offset is right; a negative one gives the identity, which moves nothing.",
            "Does your code count steps up to offset? It needs no steps.",
            r"range\(.*offset|max\(",
        ),
        Mistake(
            "always_one_step",
            ((SHIFT_ANGLE, SHIFT_ANGLE.replace("offset", "1")),),
            "Your matrix always moves on by one position, whatever `offset` says.",
            "By which angle does hand i turn in one step, and in `offset` steps?",
            r"10000(?!\^)|1e4|log\(",
        ),
        Mistake(
            "all_hands_alike",
            ((SHIFT_ANGLE, SHIFT_ANGLE.replace("two_i / d_model", "two_i // d_model")),),
            "All your hands turn by the same angle: the exponent is 0 everywhere.",
            "Each pair of features has a speed of its own.",
            r"//|10000(?!\^)|1e4|log\(",
        ),
        Mistake(
            "exponent_doubled",
            ((SHIFT_ANGLE, SHIFT_ANGLE.replace("two_i", "2 * two_i")),),
            "Your exponents are twice what they should be: the last hand is to have "
            "{last_exponent}, and has 2 · {last_exponent}.",
            LOOK_AT_EXPONENT,
            r"10000(?!\^)|1e4|log\(",
        ),
        Mistake(
            "exponent_halved",
            ((SHIFT_ANGLE, SHIFT_ANGLE.replace("two_i", "two_i / 2")),),
            "Your exponents are half of what they should be: the last hand is to have "
            "{last_exponent}. That happens when i runs 0, 1, 2, … over the pairs and the 2 of 2i "
            "is left out (powers of 100 in place of 10000 come to the same).",
            LOOK_AT_EXPONENT,
            r"10000(?!\^)|1e4|log\(",
        ),
        Mistake(
            "multiplied",
            ((SHIFT_ANGLE, SHIFT_ANGLE.replace("offset /", "offset *")),),
            "Your angles are multiplied by 10000^(2i / d_model), and not divided by it.",
            "The first hand turns fastest. How should the later ones turn?",
            r"10000(?!\^)|1e4|exp\(",
        ),
        Mistake(
            "base_1000",
            ((SHIFT_ANGLE, SHIFT_ANGLE.replace("10000", "1000")),),
            "Your angles use powers of 1000, and not of 10000.",
            "Compare the number in your code with the formula.",
            r"\b1000\b|1e3",
        ),
        Mistake(
            "no_matrix",
            (
                (
                    MATRIX,
                    "return torch.stack([matrix[i : i + 2, i : i + 2] "
                    "for i in range(0, d_model, 2)])",
                ),
            ),
            "You return the turns one by one, in the shape {your_shape}; asked for is one matrix, "
            "({d_model}, {d_model}), with these along its diagonal.",
            "What stands where one hand's feature meets another hand's?",
            r"stack|return",
        ),
    ),
    hints=(
        "Take d_model = 2: one hand with PE(pos) = (sin pos, cos pos). What are sin(pos + k) and "
        "cos(pos + k), made of sin pos and cos pos?",
        "The addition theorems give a 2 × 2 matrix for every pair, in which pos no longer occurs. "
        "Pairs have nothing to do with one another.",
        "Zeros everywhere, and 2 × 2 blocks along the diagonal, each with its own angle: offset "
        "times the speed of that pair.",
    ),
    measures={
        "last_exponent": last_exponent,
        "your_shape": lambda seen: shape(seen.yours["output"]),
    },
    symptoms=(no_rotation,),
)

# --- Positions added to tokens --------------------------------------------------------------------


def place(draw, batch=3, length=5, d_model=6, max_length=11, **trial):
    """A trial of the module without dropout."""
    build = {"d_model": d_model, "max_length": max_length, "dropout": 0.0}
    x = draw.normal(batch, length, d_model)
    sizes = {"batch": batch, "length": length}
    return told_apart(Trial([Call({"x": x})], build, sizes=sizes, **trial))


def place_a_batch(draw):
    return place(draw)


def place_one_sequence(draw):
    return place(draw, batch=1, length=4, d_model=8)


def place_all_positions(draw):
    return place(draw, batch=2, length=7, d_model=4, max_length=7)


def place_odd_width(draw):
    return place(draw, batch=4, length=6, d_model=3)


def place_one_token(draw):
    return place(draw, batch=2, length=1)


def place_strided(draw):
    return place(draw, strided=True)


def place_far(draw):
    """As many positions as there are by default; see waves_of_far_positions."""
    trial = place(draw, batch=1, length=600, d_model=2)
    trial.build, trial.options = {"d_model": 2}, {"dropout": 0.0}
    return trial


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


def place_gradients(draw):
    return place(draw, gradients=True)


def place_in_float64(draw):
    return place(draw, dtype=torch.float64, tolerance=20.0)


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
    return facts | {"extra": ["1 of its own"]} if alone else dict(facts)


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
    off = (added[0] - right[0]).abs().amax(-1)
    where = int((off > 1e-3).int().argmax())
    return (
        f"To the token at position {where} your code adds {few(added[0, where])}; expected is "
        f"{few(right[0, where])}."
    )


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
        f"position is to get the same vector in all of them."
    )


REGISTER = (
    'self.register_buffer("encoding", sinusoidal_encoding(max_length, d_model), persistent=False)'
)
TABLE = "sinusoidal_encoding(max_length, d_model)"
FROZEN = (REGISTER, f"self.encoding = nn.Parameter({TABLE}, requires_grad=False)")
CUT = "encoding = self.encoding[:length].to(x.dtype)"
SUM = "return self.dropout(x + encoding)"
MAKE_DROPOUT = "self.dropout = Dropout(dropout)"
LOOK_AT_TABLE = "Check the table first: that is the exercise sinusoidal_encoding."


def other_table(mistake_id, says, angle="pos / 10000 ** (two_i / d_model)", even="sin", odd="cos"):
    """The module with a table that has a mistake of its own."""
    lines = (
        "pos = torch.arange(max_length).double()[:, None]",
        "two_i = torch.arange(d_model) // 2 * 2",
        f"angle = {angle}",
        f"table = torch.where(torch.arange(d_model) % 2 == 0, angle.{even}(), angle.{odd}())",
        'self.register_buffer("encoding", table.float(), persistent=False)',
    )
    edit = (REGISTER, "\n        ".join(lines))
    return Mistake(mistake_id, (edit,), says, LOOK_AT_TABLE, r"10000|log\(|sinusoidal|arange")


PositionalEncoding = Exercise(
    id="positional_encoding.PositionalEncoding",
    properties=(
        Property(
            "buffer",
            1,
            "the encoding is a part of the module that is never trained",
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
            "an odd d_model, one token, all positions and hundreds of them are right",
            (place_odd_width, place_one_token, place_all_positions, place_far),
        ),
        Property("again", 1, "calls of other lengths are right, too", (place_twice,)),
        Property("gradients", 1, "gradients reach x", (place_gradients,), aspects=("gradient",)),
        Property(
            "dropout",
            1,
            "dropout acts on the sum, in training only",
            (place_with_dropout, place_in_training),
            look="First the sum, then dropout, which sets some of its numbers to 0 and scales up "
            "the rest.",
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (place_in_float64, place_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x stays as it was", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "encoding_is_a_parameter",
            ((REGISTER, f"self.encoding = nn.Parameter({TABLE})"),),
            "The numbers are right, but they are a parameter: model.parameters() lists them with "
            "all that is to be trained, and they are to stay what they are.",
            "What else can belong to a module, beside parameters and submodules?",
            r"Parameter|Embedding",
            variations=((FROZEN,),),
        ),
        Mistake(
            "learned_positions",
            ((REGISTER, "self.encoding = nn.Parameter(torch.randn(max_length, d_model) * 0.02)"),),
            "Your positions are a parameter that starts from numbers of its own, to be learned. "
            "Many models do that; here the table of waves is asked for, which is fixed.",
            "Which table did you make in the exercise before?",
            r"Parameter|Embedding",
        ),
        Mistake(
            "not_a_buffer",
            (
                (REGISTER, "self.encoding = sinusoidal_encoding(max_length, d_model)"),
                (CUT, "encoding = self.encoding[:length]"),
            ),
            "A bfloat16 model gets a float32 result from you: your encoding stays float32, "
            "whatever the module is turned into. In the same way a tensor that is no buffer stays "
            "on the CPU when the model moves to a GPU.",
            "How does a module learn that a tensor belongs to it?",
            r"self\.\w+ = |sinusoidal",
        ),
        Mistake(
            "by_sequence",
            ((CUT, "encoding = self.encoding[: x.shape[0], None].to(x.dtype)"),),
            "All tokens of a sequence get the same vector: it is the number of the sequence in the "
            "batch that is encoded, not the token's place. x is (batch, length, d_model), and you "
            "count along its first dimension.",
            "Which dimension of x counts the places?",
            r"\[:|size\(0\)|shape\[0\]",
        ),
        Mistake(
            "cut_to_batch",
            ((CUT, "encoding = self.encoding[: x.shape[0]].to(x.dtype)"),),
            "You cut the table to as many rows as there are sequences in the batch, and not to as "
            "many as there are tokens in a sequence.",
            "Which dimension of x counts the places?",
            r"\[:|size\(0\)|shape\[0\]",
        ),
        Mistake(
            "cut_to_width",
            ((CUT, "encoding = self.encoding[: x.shape[-1]].to(x.dtype)"),),
            "You cut the table to as many rows as there are features, and not to as many as there "
            "are tokens in a sequence.",
            "Which dimension of x counts the places?",
            r"\[:|size\(-?[12]\)|shape\[-?[12]\]",
        ),
        Mistake(
            "not_cut",
            ((CUT, "encoding = self.encoding.to(x.dtype)"),),
            "You add the whole table, with all max_length={max_length} positions, to a sequence "
            "that is shorter.",
            "How many of its rows does this sequence need?",
            r"\+",
        ),
        Mistake(
            "first_place_for_all",
            ((CUT, "encoding = self.encoding[:1].to(x.dtype)"),),
            "Every token gets the vector of position 0.",
            "Which rows of the table does a sequence of {length} tokens need?",
            r"\[",
        ),
        Mistake(
            "one_place_late",
            ((CUT, "encoding = self.encoding.roll(-1, 0)[:length].to(x.dtype)"),),
            "Your rows come one place late: the first token gets the vector of position 1.",
            "Positions count from 0.",
            r"\[1",
        ),
        Mistake(
            "concatenated",
            ((SUM, "return self.dropout(torch.cat([x, encoding.expand_as(x)], -1))"),),
            "You put the encoding beside the tokens: your result has shape {your_shape}. It is to "
            "be added, so that d_model stays {d_model}.",
            "Compare with the docstring: what happens to x and encoding?",
            r"cat|stack",
        ),
        Mistake(
            "multiplied",
            ((SUM, "return self.dropout(x * encoding)"),),
            "You multiply by the encoding, which wipes out every feature where a wave crosses 0.",
            "Compare with the docstring: what happens to x and encoding?",
            r"\*",
        ),
        Mistake(
            "nothing_added",
            ((SUM, "return self.dropout(x)"),),
            "Your module hands x on as it is: no position is added.",
            "Is the sum used in what you return?",
            r"return|dropout",
        ),
        Mistake(
            "only_encoding",
            ((SUM, "return self.dropout(encoding.expand_as(x) + 0 * x)"),),
            "Your result is the encoding alone: the tokens themselves are lost.",
            "Compare with the docstring: what happens to x and encoding?",
            r"return|dropout",
        ),
        Mistake(
            "encoding_without_batch",
            ((SUM, "return self.dropout(encoding)"),),
            "Your result is the encoding alone, with shape {your_shape}: the tokens themselves are "
            "lost.",
            "Compare with the docstring: what happens to x and encoding?",
            r"return|dropout",
        ),
        Mistake(
            "encoding_subtracted",
            ((SUM, "return self.dropout(x - encoding)"),),
            "You subtract the encoding; it is to be added.",
            "Compare with the docstring: what happens to x and encoding?",
            r"-",
        ),
        Mistake(
            "x_scaled",
            ((SUM, "return self.dropout(x * x.shape[-1] ** 0.5 + encoding)"),),
            "You multiply x by the root of d_model before you add. That is the embedding's "
            "business (lesson 5): done here too, it would be done twice.",
            "Compare with the docstring: what happens to x and encoding?",
            r"sqrt|\*\* ?0?\.5",
        ),
        other_table(
            "exponent_doubled",
            "Your encoding has exponents that are twice what they should be: the last pair of "
            "features is to have {last_exponent}, and has 2 · {last_exponent}.",
            "pos / 10000 ** (2 * two_i / d_model)",
        ),
        other_table(
            "exponent_halved",
            "Your encoding has exponents that are half of what they should be: the last pair of "
            "features is to have {last_exponent}.",
            "pos / 10000 ** (two_i / 2 / d_model)",
        ),
        other_table(
            "exponent_of_the_column",
            "In your encoding the sines are right, but the cosines have an exponent of their own, "
            "1/{d_model}, 3/{d_model}, ….",
            "pos / 10000 ** (torch.arange(d_model) / d_model)",
        ),
        other_table(
            "positions_from_1",
            "Your encoding counts positions from 1: the first token gets the vector of position 1.",
            "(pos + 1) / 10000 ** (two_i / d_model)",
        ),
        other_table(
            "sine_and_cosine_swapped",
            "Your encoding has cosines in the even features and sines in the odd ones; it is the "
            "other way round.",
            even="cos",
            odd="sin",
        ),
        Mistake(
            "halves",
            (
                (
                    REGISTER,
                    "table = sinusoidal_encoding(max_length, d_model)\n        "
                    "table = torch.cat([table[:, 0::2], table[:, 1::2]], -1)\n        "
                    'self.register_buffer("encoding", table, persistent=False)',
                ),
            ),
            "Your encoding has all sines in front and all cosines behind them; asked for are they "
            "by turns.",
            LOOK_AT_TABLE,
            r"cat|sinusoidal",
        ),
        Mistake(
            "dropout_never",
            ((SUM, "return x + encoding"),),
            "In training nothing is dropped: `dropout` is not used.",
            "Where does the sum go before it is returned?",
            r"return|\+",
        ),
        Mistake(
            "dropout_always",
            ((MAKE_DROPOUT, "self.dropout = lambda x: nn.functional.dropout(x, dropout)"),),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout\(",
        ),
        Mistake(
            "dropout_on_encoding",
            ((SUM, "return x + self.dropout(encoding.expand_as(x))"),),
            "Your dropout acts on the encoding alone, before it is added; x itself is never "
            "dropped.",
            "What is to be dropped: the positions, or the sum?",
            r"dropout\(",
        ),
        Mistake(
            "dropout_on_x",
            ((SUM, "return self.dropout(x) + encoding"),),
            "Your dropout acts on x alone, before the encoding is added.",
            "What is to be dropped: the tokens, or the sum?",
            r"dropout\(",
        ),
        Mistake(
            "dropout_of_tokens",
            ((SUM, "return (x + encoding) * self.dropout(torch.ones_like(x[..., :1]))"),),
            "Your dropout drops whole tokens, with all their features.",
            "Plain nn.Dropout decides for every number on its own.",
            r"[Dd]ropout",
        ),
        Mistake(
            "dropout_twice",
            ((SUM, "return self.dropout(self.dropout(x + encoding))"),),
            "Dropout acts on the sum twice: more is dropped than {dropped}, and the rest is scaled "
            "up twice.",
            "How often does your code call it?",
            r"dropout\(",
        ),
        Mistake(
            "keeps_what_it_should_drop",
            ((MAKE_DROPOUT, "self.dropout = Dropout(1 - dropout)"),),
            "Your dropout keeps a share of {dropped}, in place of dropping it.",
            "`dropout` is the probability of being dropped.",
            r"[Dd]ropout",
        ),
        Mistake(
            "dropout_not_scaled",
            (
                (
                    SUM,
                    "y = x + encoding\n        p = self.dropout.p if self.training else 0.0\n"
                    "        return y * (torch.rand_like(y) >= p)",
                ),
            ),
            "Your dropout sets numbers to 0 and leaves the others as they are, so that what comes "
            "out is smaller in training than in eval mode.",
            "By which factor must the rest grow to make up for what is missing?",
            r"rand|bernoulli|mask",
        ),
        Mistake(
            "dropout_not_from_argument",
            ((MAKE_DROPOUT, "self.dropout = Dropout(0.1)"),),
            "In training your module drops a tenth, whatever `dropout` says.",
            "Where does the argument `dropout` go?",
            r"[Dd]ropout\(",
        ),
        Mistake(
            "graph_cut",
            ((SUM, "return self.dropout(x + encoding).detach()"),),
            "The numbers are right, but no gradient gets back to x, so the embedding in front "
            "could not be trained.",
            "Look for .detach(), .data, .numpy(), torch.tensor(...) or torch.no_grad().",
            r"detach|\.data|item|numpy|no_grad|torch\.tensor",
        ),
        Mistake(
            "changes_x",
            ((SUM, "x += encoding\n        return self.dropout(x)"),),
            "The numbers are right, but the caller's x has other numbers afterwards: something in "
            "your code works in place.",
            "`x += …` and names that end in `_` write into the tensor that came in.",
            r"\+=|add_",
        ),
        Mistake(
            "always_float32",
            ((SUM, "return self.dropout(x + encoding).to(torch.float32)"),),
            "Whatever the dtype of x, your result is float32.",
            "Where does your code name a dtype?",
            r"float",
        ),
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
