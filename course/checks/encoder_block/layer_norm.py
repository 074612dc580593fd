"""How LayerNorm is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import NORMS
from autograder.engine.symptoms import few, number
from autograder.engine.trial import Answer, Call, Trial

from ..shared import CUTS, LOOK_FOR_CUTS, comparable, only_dtype


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
    trial = norm(draw, rows(draw, 3, 4, d_model=5), eps=0.05)
    trial.state = {}
    trial.digest = without_names
    return trial


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
            "is to begin with ones, and bias with zeros."
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
        f"With weight and bias taken off again, your numbers {few(mine[row])} have the spread "
        f"{number(mine[row].std())} around the mean {number(mine[row].mean())}; expected are "
        f"{few(right[row])}, with the spread {number(right[row].std())} around "
        f"{number(right[row].mean())}."
    )


MEAN = "mean = x.mean(dim=-1, keepdim=True)"
CENTRE = "centred = x - mean"
VARIANCE = "variance = centred.square().mean(dim=-1, keepdim=True)"
DIVIDE = "normalised = centred * torch.rsqrt(variance + self.eps)"
RESCALE = "return normalised * self.weight + self.bias"
KEEP_EPS = "self.eps = eps"
MAKE_WEIGHT = "self.weight = nn.Parameter(torch.ones(d_model))"
MAKE_BIAS = "self.bias = nn.Parameter(torch.zeros(d_model))"
UNBIASED = ("centred.square().mean(", "centred.var(")
NO_KEEPDIM_1 = (MEAN, "mean = x.mean(dim=-1)")
NO_KEEPDIM_2 = (VARIANCE, "variance = centred.square().mean(dim=-1)")
LOOK_AT_ROW = (
    "Take one token with the features 1, 2, 3 and 6, and work mean, variance and result out by "
    "hand."
)
LOOK_AT_EPS = "Compare with the formula in the docstring: what does the root cover?"
LOOK_AT_DIMENSION = (
    "A token's numbers lie along the last dimension, however many there are in front of it."
)


def over(dimensions):
    """Both statistics over other dimensions."""
    return (MEAN, MEAN.replace("dim=-1", f"dim={dimensions}")), ("dim=-1", f"dim={dimensions}")


def one_number(weight="(d_model)", bias="(d_model)"):
    """Parameters of other shapes."""
    return (
        (MAKE_WEIGHT, MAKE_WEIGHT.replace("(d_model)", weight)),
        (MAKE_BIAS, MAKE_BIAS.replace("(d_model)", bias)),
    )


def default_eps(mistake_id, value):
    return Mistake(
        mistake_id,
        (("eps=1e-5", f"eps={value}"),),
        f"With an eps that is given you are right, but without one yours is {value}; by default "
        "it is to be 1e-5.",
        "Compare the first line of your __init__ with the signature in the docstring.",
        r"eps",
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
        Property(
            "gradients",
            1,
            "gradients reach x, weight and bias, through mean and variance",
            (norm_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (norm_in_float64, norm_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x stays as it was", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "over_batch",
            over(0),
            "Your mean and variance run over the first dimension, the batch: a token's result "
            "depends on what else is in the batch.",
            LOOK_AT_DIMENSION,
            r"mean|var|std|sum",
        ),
        Mistake(
            "over_second_dimension",
            over(1),
            "Your mean and variance run over dimension 1; for (batch, length, d_model) these are "
            "the tokens of a sequence, each feature on its own.",
            LOOK_AT_DIMENSION,
            r"mean|var|std|sum",
        ),
        Mistake(
            "over_tokens",
            over(-2),
            "Your mean and variance run over the last dimension but one, the tokens of a "
            "sequence, each feature on its own.",
            LOOK_AT_DIMENSION,
            r"mean|var|std|sum",
        ),
        Mistake(
            "over_tokens_and_features",
            over("tuple(range(-min(2, x.dim()), 0))"),
            "Your mean and variance run over all tokens of a sequence together: every token needs "
            "its own.",
            LOOK_AT_DIMENSION,
            r"mean|var|std|sum",
            variations=(over("(1, 2)"), over("(-2, -1)")),
        ),
        Mistake(
            "over_all_but_batch",
            over("tuple(range(min(1, x.dim() - 1), x.dim()))"),
            "Your mean and variance run over everything but the first dimension: every token needs "
            "its own.",
            LOOK_AT_DIMENSION,
            r"mean|var|std|sum",
        ),
        Mistake(
            "over_everything",
            over("tuple(range(x.dim()))"),
            "Your mean and variance are those of the whole tensor: every token needs its own.",
            LOOK_AT_DIMENSION,
            r"mean|var|std|sum",
        ),
        Mistake(
            "over_all_but_features",
            over("tuple(range(max(1, x.dim() - 1)))"),
            "Your mean and variance run over batch and length, each feature on its own. That is "
            "batch norm: a token's result depends on what else is in the batch.",
            LOOK_AT_DIMENSION,
            r"mean|var|std|sum",
            variations=(over("(0, 1)"),),
        ),
        Mistake(
            "unbiased",
            (UNBIASED,),
            "Your variance divides the sum of squares by one less than there are numbers, for "
            "d_model={d_model} by {one_less}: that is what torch's var and std do, unless they are "
            "told otherwise. It is to be the plain mean of the squares.",
            LOOK_AT_ROW,
            r"var|std|- ?1",
        ),
        Mistake(
            "difference_of_squares",
            ((VARIANCE, "variance = x.square().mean(dim=-1, keepdim=True) - mean.square()"),),
            "Your variance is the mean of the squares less the square of the mean. On paper that "
            "is the same; where a row lies far from 0 both are large and nearly equal, and float32 "
            "keeps next to nothing of their difference.",
            "Rows around 1000 with a spread of 1: which numbers do you square, and how many digits "
            "has float32?",
            r"square|\*\* ?2|pow",
        ),
        Mistake(
            "eps_outside_the_root",
            ((DIVIDE, "normalised = centred / (variance.sqrt() + self.eps)"),),
            "Your eps={eps} is added to the standard deviation, outside the root; it belongs to "
            "the variance, inside. That shows where a row's numbers are nearly equal.",
            LOOK_AT_EPS,
            r"eps",
        ),
        Mistake(
            "unbiased_and_eps_outside",
            (
                UNBIASED,
                (DIVIDE, "normalised = centred / (variance.sqrt() + self.eps)"),
            ),
            "Two things about your spread: it divides the sum of squares by one less than there "
            "are numbers, for d_model={d_model} by {one_less}, as torch's std does unless it is "
            "told otherwise; and eps={eps} is added outside the root.",
            LOOK_AT_EPS,
            r"std|var|eps",
        ),
        Mistake(
            "eps_not_from_argument",
            ((KEEP_EPS, "self.eps = 1e-5"),),
            "Your module has a small number of its own for eps, whatever is given; here eps={eps} "
            "was.",
            "Where does the argument go?",
            r"eps|1e-",
            variations=tuple(((KEEP_EPS, f"self.eps = {eps}"),) for eps in ("1e-6", "1e-8")),
        ),
        Mistake(
            "no_eps",
            ((KEEP_EPS, "self.eps = 0.0"),),
            "There is no eps in your root: here eps={eps} was given. A row of equal numbers gives "
            "0 / 0, which is not a number.",
            LOOK_AT_EPS,
            r"sqrt|std|\*\*",
        ),
        Mistake(
            "eps_added_to_the_result",
            ((DIVIDE, "normalised = centred * torch.rsqrt(variance) + self.eps"),),
            "Your eps={eps} is added to the quotient; it belongs to the variance, inside the root.",
            LOOK_AT_EPS,
            r"eps",
        ),
        default_eps("default_eps_1e_6", "1e-6"),
        default_eps("default_eps_1e_8", "1e-8"),
        default_eps("default_eps_1e_12", "1e-12"),
        Mistake(
            "divided_by_variance",
            ((DIVIDE, "normalised = centred / (variance + self.eps)"),),
            "You divide by the variance itself; the root is missing. A row that is twice as wide "
            "comes out half as wide.",
            LOOK_AT_ROW,
            r"/|var",
        ),
        Mistake(
            "multiplied_by_root",
            ((DIVIDE, "normalised = centred * torch.sqrt(variance + self.eps)"),),
            "You multiply by the standard deviation; you are to divide by it.",
            LOOK_AT_ROW,
            r"sqrt|std",
        ),
        Mistake(
            "only_centred",
            ((DIVIDE, "normalised = centred"),),
            "You take the mean off and leave the spread as it is.",
            LOOK_AT_ROW,
            r"return|-",
        ),
        Mistake(
            "mean_left_in",
            ((DIVIDE, "normalised = x * torch.rsqrt(variance + self.eps)"),),
            "You divide by the right spread, but the mean is still in your numbers.",
            LOOK_AT_ROW,
            r"/|sqrt",
        ),
        Mistake(
            "root_mean_square",
            ((CENTRE, "centred = x"),),
            "You divide by the root of the mean square and leave the mean in. That is RMSNorm, "
            "which later models use; here the mean comes off first.",
            LOOK_AT_ROW,
            r"square|pow|\*\* ?2|mean",
        ),
        Mistake(
            "spread_about_zero",
            ((VARIANCE, "variance = x.square().mean(dim=-1, keepdim=True)"),),
            "You take the mean off, but your variance is the mean square of x as it came, so it "
            "measures the distance from 0 and not from the mean.",
            LOOK_AT_ROW,
            r"square|pow|\*\* ?2",
        ),
        Mistake(
            "mean_distance",
            ((VARIANCE, "variance = centred.abs().mean(dim=-1, keepdim=True).square()"),),
            "Your spread is the mean distance from the mean; asked for is the root of the mean "
            "squared distance.",
            LOOK_AT_ROW,
            r"abs",
        ),
        Mistake(
            "no_keepdim",
            (NO_KEEPDIM_1, NO_KEEPDIM_2),
            "Your mean, or your variance, has lost the dimension it ran over, so it no longer "
            "lines up with x (torch lines shapes up from the right).",
            "Print the shapes of x, mean and variance. How can a mean keep its dimension, with "
            "size 1?",
            r"mean|var|std|sum",
            variations=((NO_KEEPDIM_1,), (NO_KEEPDIM_2,)),
        ),
        Mistake(
            "no_parameters",
            (
                (MAKE_WEIGHT, "self.weight = torch.ones(d_model)"),
                (MAKE_BIAS, "self.bias = torch.zeros(d_model)"),
            ),
            "Torch sees no parameters in your module: weight and bias are not made, or they are "
            "plain tensors, which are neither trained nor saved.",
            "What does a tensor have to be wrapped in to become a parameter?",
            r"weight ?=|gamma ?=|ones|return",
            variations=(
                ((MAKE_WEIGHT, "pass"), (MAKE_BIAS, "pass"), (RESCALE, "return normalised")),
            ),
        ),
        Mistake(
            "called_gamma_and_beta",
            (
                (MAKE_WEIGHT, "self.gamma = nn.Parameter(torch.ones(d_model))"),
                (MAKE_BIAS, "self.beta = nn.Parameter(torch.zeros(d_model))"),
                (RESCALE, "return normalised * self.gamma + self.beta"),
            ),
            "Your parameters are called gamma and beta. Many papers call them so; here they are "
            "called `weight` and `bias`, for parameters are copied by name.",
            "Only the names have to change.",
            r"gamma",
        ),
        Mistake(
            "one_number_for_all",
            one_number("(1)", "(1)"),
            "Your weight, or your bias, is one number for all features; every one of the {d_model} "
            "features needs its own.",
            "Which shape do they have to have?",
            r"ones|zeros|tensor",
            variations=(
                one_number("(1)"),
                one_number(bias="(1)"),
                one_number("(())", "(())"),
                one_number("(())"),
                one_number(bias="(())"),
            ),
        ),
        Mistake(
            "weight_and_bias_unused",
            ((RESCALE, "return normalised"),),
            "Your rows are normalised rightly, but weight and bias are never used. At their first "
            "values, 1 and 0, that does not show.",
            "What happens after the division?",
            r"return",
        ),
        Mistake(
            "weight_unused",
            ((RESCALE, "return normalised + self.bias"),),
            "Your weight is never used. At its first value, 1, that does not show.",
            "What happens after the division?",
            r"return|bias",
        ),
        Mistake(
            "bias_unused",
            ((RESCALE, "return normalised * self.weight"),),
            "Your bias is never used. At its first value, 0, that does not show.",
            "What happens after the division?",
            r"return|weight",
        ),
        Mistake(
            "bias_before_weight",
            ((RESCALE, "return (normalised + self.bias) * self.weight"),),
            "You add the bias before the weight is multiplied, so that the weight scales the bias, "
            "too.",
            "In which order does the formula have them?",
            r"bias",
        ),
        Mistake(
            "weight_and_bias_swapped",
            ((RESCALE, "return normalised * self.bias + self.weight"),),
            "Weight and bias have changed places: you multiply by the bias and add the weight.",
            "Compare with the formula.",
            r"bias",
        ),
        Mistake(
            "starts_the_wrong_way_round",
            (
                (MAKE_WEIGHT, MAKE_WEIGHT.replace("ones", "zeros")),
                (MAKE_BIAS, MAKE_BIAS.replace("zeros", "ones")),
            ),
            "Your weight begins with zeros and your bias with ones: at first every output is 1, "
            "whatever goes in.",
            "Which first values leave the normalised numbers as they are?",
            r"zeros",
        ),
        Mistake(
            "weight_starts_at_zero",
            ((MAKE_WEIGHT, MAKE_WEIGHT.replace("ones", "zeros")),),
            "Your weight begins with zeros: at first every output is 0, whatever goes in.",
            "Which first values leave the normalised numbers as they are?",
            r"zeros",
        ),
        Mistake(
            "bias_starts_at_one",
            ((MAKE_BIAS, MAKE_BIAS.replace("zeros", "ones")),),
            "Your bias begins with ones, and is to begin with zeros.",
            "Which first values leave the normalised numbers as they are?",
            r"ones",
        ),
        Mistake(
            "statistics_detached",
            (
                (CENTRE, "centred = x - mean.detach()"),
                (DIVIDE, DIVIDE.replace("variance", "variance.detach()")),
            ),
            "The numbers are right, but mean and variance are cut off from the gradient, as if "
            "they did not depend on x.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "spread_detached",
            ((DIVIDE, DIVIDE.replace("variance", "variance.detach()")),),
            "The numbers are right, but the variance is cut off from the gradient, as if it did "
            "not depend on x.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "x_detached",
            ((MEAN, "x = x.detach()\n        " + MEAN),),
            "The numbers are right, but no gradient gets back to x, so nothing in front of your "
            "norm could be trained.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "graph_cut",
            ((RESCALE, "return (normalised * self.weight + self.bias).detach()"),),
            "The numbers are right, but no gradient gets through: neither to x, nor to weight and "
            "bias.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "changes_x",
            ((CENTRE, "x -= mean\n        centred = x"),),
            "The numbers are right, but the caller's x has other numbers afterwards: something in "
            "your code works in place.",
            "`x -= …` and names that end in `_` write into the tensor that came in.",
            r"-=|sub_|div_|/=",
        ),
        Mistake(
            "always_float32",
            ((RESCALE, "return (normalised * self.weight + self.bias).to(torch.float32)"),),
            "Whatever the dtype of x, your result is float32.",
            "Where does your code name a dtype?",
            r"float",
        ),
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
