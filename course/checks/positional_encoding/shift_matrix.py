"""How shift_matrix is checked."""

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import few, shape
from autograder.engine.trial import call

from ..shared import comparable
from .shared import LARGE_ANGLES, in_float32, last_exponent
from .sinusoidal_encoding import LOOK_AT_EXPONENT


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
