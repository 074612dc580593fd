"""How LayerNorm is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import few, number
from autograder.engine.trial import Answer, Call, Trial

from ..ready_made import NORMS
from ..shared import comparable, only_dtype


def norm(draw, x, eps=0.1, **trial):
    """A trial with random weights and an eps that shows."""
    d_model = x.shape[-1]
    state = {"weight": draw.normal(d_model, scale=0.5) + 1, "bias": draw.normal(d_model)}
    build = {"d_model": d_model, "eps": eps}
    return Trial([Call({"x": x})], build, state=state, sizes=norm_sizes(d_model), **trial)


def norm_sizes(d_model):
    return {"d_model": d_model, "one_less": d_model - 1}


def rows(draw, *leading, d_model=6):
    """Rows that differ in their mean and spread."""
    spread = 0.5 + 2 * draw.normal(*leading, 1).abs().clamp(max=1.5)
    return draw.normal(*leading, d_model) * spread + draw.normal(*leading, 1)


def norm_of_a_batch(draw):
    return norm(draw, rows(draw, 2, 5))


def norm_of_other_sizes(draw):
    return norm(draw, rows(draw, 4, 3, d_model=9), eps=0.01)


def norm_strided(draw):
    return norm(draw, rows(draw, 2, 4, d_model=5), strided=True)


def norm_of_one_token(draw):
    return norm(draw, rows(draw, d_model=7))


def norm_of_heads(draw):
    return norm(draw, rows(draw, 2, 3, 4, d_model=5))


def norm_of_a_column(draw):
    return norm(draw, rows(draw, 1, 1, d_model=8))


def norm_of_nearly_constant_rows(draw):
    """Rows whose variance is far below eps, and one whose variance is 0."""
    x = draw.normal(3, 4, 6, scale=0.03) + 0.3 * draw.normal(3, 4, 1)
    x[1, 2] = 0.5
    return norm(draw, x, eps=0.01)


def norm_of_rows_far_from_zero(draw):
    """A small spread around a large mean, where the difference of two large squares is nothing."""
    return norm(draw, draw.normal(3, 4, 6) + 500 * (1 + draw.normal(3, 4, 1).abs()), tolerance=30.0)


def norm_with_default_eps(draw):
    """Numbers as small as the root of the default eps."""
    trial = norm(draw, draw.normal(3, 5, 7, scale=3e-3))
    del trial.build["eps"]
    return trial


def norm_at_first(draw):
    """Nothing is loaded: weight and bias are what the learner's __init__ makes them. (No other
    trial has this eps: modules of the reference are used again, with what was loaded last.)"""
    return norm(draw, rows(draw, 3, 4, d_model=5), eps=0.05).but(state={}, digest=without_names)


def without_names(answer):
    """A digest: where nothing is loaded, all parameters are extra."""
    return Answer(answer.arrays, {k: v for k, v in answer.facts.items() if k != "extra"})


def norm_in_training(draw):
    trial = norm(draw, rows(draw, 2, 5))
    trial.calls = [Call(trial.calls[0].arguments, training=True)]
    return trial


def norm_after_training(draw):
    """Nothing of a first batch, in training, may be left in a second one."""
    trial = norm(draw, rows(draw, 2, 5))
    first = Call(trial.calls[0].arguments, training=True)
    trial.calls = [first, Call({"x": rows(draw, 3, 4)})]
    return trial


def norm_gradients(draw):
    return norm(draw, rows(draw, 2, 5), gradients=True)


def norm_in_float64(draw):
    return norm(draw, rows(draw, 2, 5), dtype=torch.float64)


def norm_in_bfloat16(draw):
    return only_dtype(norm(draw, rows(draw, 2, 5), dtype=torch.bfloat16))


def rows_are_not_normalised(seen):
    """A symptom: what are mean and variance of a row, before weight and bias?"""
    yours, theirs = comparable(seen)
    state = seen.trial.state
    if yours is None:
        return None
    if not state:
        return (
            "Here nothing was loaded: weight and bias were what your __init__ makes them. Weight "
            "should begin with ones, and bias with zeros."
        )
    weight, bias = state["weight"].double(), state["bias"].double()
    use = weight.abs() > 0.2
    if int(use.sum()) < 3:
        return None

    def inner(y):
        return ((y - bias) / weight)[..., use].reshape(-1, int(use.sum()))

    mine, right = inner(yours), inner(theirs)
    row = int((mine - right).abs().amax(-1).argmax())
    return (
        f"With weight and bias taken off again, your numbers are {few(mine[row])}, with spread "
        f"{spread(mine[row])}; expected {few(right[row])}, with spread {spread(right[row])}."
    )


def spread(row):
    """How far numbers lie from their mean; what is only rounding in a mean is 0."""
    return f"{number(row.std())} around {number(round(float(row.mean()), 6))}"


LOOK_AT_ROW = (
    "Take one token with the features 1, 2, 3 and 6, and work mean, variance and result out by "
    "hand."
)
LOOK_AT_EPS = "Compare with the formula in the docstring: what does the root cover?"
LOOK_AT_DIMENSION = (
    "A token's numbers lie along the last dimension, however many there are in front of it."
)


LayerNorm = Exercise(
    id="encoder_block.LayerNorm",
    properties=(
        Property(
            "parameters",
            1,
            "weight and bias are there, as parameters, one number for each feature",
            aspects=("built", "names"),
        ),
        Property(
            "values",
            3,
            "every token's features get mean 0 and variance 1, then weight and bias",
            (norm_of_a_batch, norm_of_other_sizes, norm_of_rows_far_from_zero, norm_strided),
            look=LOOK_AT_ROW,
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (norm_of_one_token, norm_of_heads, norm_of_a_column),
            look=LOOK_AT_DIMENSION,
        ),
        Property(
            "eps",
            1,
            "eps stands where the formula has it, and is 1e-5 if nobody says otherwise",
            (norm_of_nearly_constant_rows, norm_with_default_eps),
            look=LOOK_AT_EPS,
        ),
        Property(
            "start",
            1,
            "weight begins with ones and bias with zeros",
            (norm_at_first,),
        ),
        Property(
            "modes",
            1,
            "training and eval mode are alike, and no batch leaves anything behind",
            (norm_in_training, norm_after_training),
        ),
        promises.gradients(
            "gradients reach x, weight and bias, through mean and variance", norm_gradients
        ),
        promises.dtype("the result has the dtype of x", norm_in_float64, norm_in_bfloat16),
        promises.unchanged("x stays as it was"),
    ),
    hints=(
        "Take one token and forget about batch and length: four numbers, their mean, their "
        "variance.",
        "Mean and variance run over the last dimension and keep it, with size 1, so that they line "
        "up with x. eps goes to the variance before the root. Then a weight and a bias for every "
        "feature.",
        "Two parameters in __init__; in forward a mean, what is left without it, the mean of its "
        "squares, a division by a root, and a line with weight and bias.",
    ),
    refuses=NORMS,
    instead="work mean and variance out yourself, and make weight and bias with nn.Parameter.",
    measures={"eps": lambda seen: number(seen.arguments.get("eps", 1e-5))},
    symptoms=(rows_are_not_normalised,),
)
