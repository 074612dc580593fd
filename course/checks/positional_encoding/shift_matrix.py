"""How shift_matrix is checked."""

from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import number, shape
from autograder.engine.trial import call

from ..shared import comparable
from .shared import LARGE_ANGLES, in_float32, last_exponent


def shift(offset, d_model):
    return call(offset=offset, d_model=d_model).but(digest=in_float32, tolerance=LARGE_ANGLES)


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
    return shift(draw.integer(300, 900), 2).but(tolerance=1.0)


def shift_far_back(draw):
    return shift(-draw.integer(300, 900), 2).but(tolerance=1.0)


def no_rotation(seen):
    """A symptom: every pair of rows is to be a turn, whose squares add up to 1."""
    yours, _ = comparable(seen)
    if yours is None:
        return None
    squares = yours.square().sum(-1)
    row = int((squares - 1).abs().argmax())
    if float((squares[row] - 1).abs()) < 1e-2:
        return None
    return (
        f"A turn changes no lengths, so the squares of each row add up to 1; those of your row "
        f"{row} add up to {number(squares[row])}."
    )


LOOK_AT_ADDITION = (
    "Write the addition theorems for sin(a + b) and cos(a + b) under each other, and read the four "
    "factors of sin a and cos a off them."
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
