"""Lesson 4: how layer norm, feed-forward, the encoder's block and its stack are checked."""

import functools

import torch

from ..exercise import Exercise, Mistake, Property
from ..ready_made import NORMS, TRANSFORMER
from ..symptoms import few, number, shape
from ..trial import Answer, Call, Trial
from .multi_head import levels
from .positional_encoding import comparable, only_dtype

LATER = ("", " (call 2)", " (call 3)", " (call 4)")
LOOK_FOR_CUTS = "Look for .detach(), .data, .numpy(), torch.tensor(...) or torch.no_grad()."
CUTS = r"detach|\.data|item|numpy|no_grad|torch\.tensor"


def your_shape(seen):
    """A measure: the shape of the learner's output."""
    return shape(seen.yours["output"])


def outputs(answer, *calls):
    """The outputs of these calls; None where there is none."""
    return [answer.arrays.get("output" + LATER[call]) for call in calls]


def loaded(answer):
    """A digest: numbers made with weights that could not be loaded are random, but for a norm's,
    which begin with ones and zeros."""
    lost = [*answer.facts.get("missing", ()), *answer.facts.get("shapes", ())]
    if all("norm" in name for name in lost):
        return answer
    return Answer({}, answer.facts | {"all weights could be loaded": False})


def modes_alike(answer):
    """A digest of a call in training with dropout=0, and of one in eval mode."""
    answer = loaded(answer)
    training, off = outputs(answer, 0, 1)
    if training is None or off is None:
        return answer
    same = training.shape == off.shape and torch.allclose(training, off, atol=1e-3)
    return Answer({}, answer.facts | {"with dropout=0, training and eval mode are alike": same})


# --- LayerNorm ------------------------------------------------------------------------------------


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
            (norm_of_a_batch, norm_of_other_sizes, norm_strided),
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

# --- FeedForward ----------------------------------------------------------------------------------


def think(draw, *leading, d_model=6, d_ff=10, **trial):
    """A trial with random weights and no dropout."""
    build = {"d_model": d_model, "d_ff": d_ff, "dropout": 0.0}
    state = {
        "linear1.weight": draw.normal(d_ff, d_model, scale=d_model**-0.5),
        "linear1.bias": draw.normal(d_ff, scale=0.5),
        "linear2.weight": draw.normal(d_model, d_ff, scale=d_ff**-0.5),
        "linear2.bias": draw.normal(d_model, scale=0.5),
    }
    x = draw.normal(*leading, d_model)
    sizes = {"d_model": d_model, "d_ff": d_ff}
    trial = Trial([Call({"x": x})], build, state=state, sizes=sizes, **trial)
    trial.digest = loaded
    return trial


def think_about_a_batch(draw):
    return think(draw, 2, 5)


def think_in_large_numbers(draw):
    trial = think(draw, 4, 3, d_model=5, d_ff=12)
    trial.calls = [Call({"x": draw.normal(4, 3, 5, scale=100.0)})]
    return trial


def think_about_one_token(draw):
    return think(draw, d_model=7, d_ff=9)


def think_about_heads(draw):
    return think(draw, 2, 3, 4, d_model=5, d_ff=8)


def think_narrowly(draw):
    return think(draw, 3, 1, d_model=8, d_ff=4)


def think_strided(draw):
    return think(draw, 3, 4, strided=True)


def think_gradients(draw):
    return think(draw, 2, 5, gradients=True)


def think_in_float64(draw):
    return think(draw, 2, 5, dtype=torch.float64)


def think_in_bfloat16(draw):
    return only_dtype(think(draw, 2, 5, dtype=torch.bfloat16))


def think_in_training(draw):
    trial = think(draw, 2, 5)
    arguments = trial.calls[0].arguments
    trial.calls = [Call(arguments, training=True), Call(arguments)]
    trial.digest = modes_alike
    return trial


DROPPED = 0.3


def think_with_dropout(draw):
    """The first features go through unmixed, so that it shows what was dropped, and where."""
    d_model, d_ff, x = 8, 12, torch.ones(4, 100, 8)
    trial = think(draw, d_model=d_model, d_ff=d_ff)
    trial.build["dropout"] = DROPPED
    first_features = torch.eye(d_ff)[:, :d_model]
    trial.state = {
        "linear1.weight": first_features,
        "linear1.bias": torch.ones(d_ff),
        "linear2.weight": first_features.T,
        "linear2.bias": torch.full((d_model,), 2.0),
    }
    trial.calls = [Call({"x": x}, training=True), Call({"x": x}, training=True), Call({"x": x})]
    trial.digest = what_was_dropped
    return trial


def what_was_dropped(answer):
    """With nothing dropped each output is 2 + 2, of which the second 2 is linear2's bias."""
    answer = loaded(answer)
    first, second, off = outputs(answer, 0, 1, 2)
    if any(x is None for x in (first, second, off)):
        return answer
    shaped = answer.facts | {"shape of the output in training": shape(first)}
    if any(x.shape != (4, 100, 8) for x in (first, second, off)):
        return Answer({}, shaped)
    dropped = first == first.min()
    whole = bool((dropped == dropped[..., :1]).all() and not dropped.all())
    share = "whole tokens" if whole else f"{dropped.float().mean():.1f} of all features"
    facts = shaped | {
        "output in training, where it is 4 without dropout": levels(first),
        "output in eval mode": levels(off),
        "what is dropped": share,
        "two calls in training are alike": torch.equal(first, second),
    }
    return Answer({}, facts)


def tokens_mix(seen):
    """A symptom: is the output of some tokens right, and of others not?"""
    yours, theirs = comparable(seen)
    if yours is None or yours.dim() < 2:
        return None
    off = (yours - theirs).abs().amax(-1) > 1e-3
    if bool(off.all()) or not bool(off.any()):
        return None
    return (
        f"Your output is right for {int((~off).sum())} of {off.numel()} tokens: what makes the "
        f"others different? Each is to be treated alike, and on its own."
    )


HIDDEN = "hidden = torch.relu(self.linear1(x))"
DROP = "hidden = self.dropout(hidden)"
NARROW = "return self.linear2(hidden)"
WIDEN = "self.linear1 = nn.Linear(d_model, d_ff)"
NARROWER = "self.linear2 = nn.Linear(d_ff, d_model)"
MAKE_DROPOUT = "self.dropout = Dropout(dropout)"
LOOK_AT_FORMULA = "Compare with the formula in the docstring, from the inside out."


def other_activation(mistake_id, new, says):
    return Mistake(mistake_id, ((HIDDEN, f"hidden = {new}"),), says, LOOK_AT_FORMULA, ACTIVATION)


ACTIVATION = r"relu|gelu|silu|sigmoid|tanh|clamp|max|where|activation"

FeedForward = Exercise(
    id="encoder_block.FeedForward",
    properties=(
        Property(
            "parts",
            1,
            "linear1 widens and linear2 narrows again",
            aspects=("built", "names"),
        ),
        Property(
            "values",
            3,
            "the output is right for every token",
            (think_about_a_batch, think_in_large_numbers, think_strided),
            look=LOOK_AT_FORMULA,
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions and any d_ff will do",
            (think_about_one_token, think_about_heads, think_narrowly),
        ),
        Property(
            "dropout",
            2,
            "dropout acts on the hidden features, in training only",
            (think_with_dropout, think_in_training),
            look="There is one place for dropout: after the activation.",
        ),
        Property(
            "gradients",
            1,
            "gradients reach x and all parameters",
            (think_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (think_in_float64, think_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x stays as it was", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "no_activation",
            ((HIDDEN, "hidden = self.linear1(x)"),),
            "There is nothing between your two Linears, and two linear maps in a row are no more "
            "than one.",
            LOOK_AT_FORMULA,
            r"linear1\(",
        ),
        Mistake(
            "activation_at_the_end",
            (
                (HIDDEN, "hidden = self.linear1(x)"),
                (NARROW, "return torch.relu(self.linear2(hidden))"),
            ),
            "Your activation comes after the second Linear, and not between the two: no number in "
            "your output is negative.",
            LOOK_AT_FORMULA,
            r"relu|clamp|max",
        ),
        Mistake(
            "activation_twice",
            ((NARROW, "return torch.relu(self.linear2(hidden))"),),
            "There is an activation after the second Linear, too: no number in your output is "
            "negative.",
            LOOK_AT_FORMULA,
            r"return",
        ),
        Mistake(
            "activation_on_x",
            ((HIDDEN, "hidden = self.linear1(torch.relu(x))"),),
            "Your activation comes before the first Linear, and not between the two.",
            LOOK_AT_FORMULA,
            r"relu|clamp|max",
        ),
        other_activation(
            "gelu",
            "nn.functional.gelu(self.linear1(x))",
            "Your activation is GELU, which BERT and GPT use; the paper's is ReLU, max(0, ·).",
        ),
        other_activation(
            "silu",
            "nn.functional.silu(self.linear1(x))",
            "Your activation is SiLU; the paper's is ReLU, max(0, ·).",
        ),
        other_activation(
            "leaky_relu",
            "nn.functional.leaky_relu(self.linear1(x))",
            "Your activation lets a hundredth of negative numbers through, a leaky ReLU; the "
            "paper's is max(0, ·).",
        ),
        other_activation(
            "sigmoid",
            "torch.sigmoid(self.linear1(x))",
            "Your activation squeezes everything between 0 and 1, a sigmoid; the paper's is ReLU, "
            "max(0, ·).",
        ),
        other_activation(
            "tanh",
            "torch.tanh(self.linear1(x))",
            "Your activation squeezes everything between -1 and 1, a tanh; the paper's is ReLU, "
            "max(0, ·).",
        ),
        other_activation(
            "keeps_negative",
            "self.linear1(x).clamp(max=0)",
            "Your activation keeps what is negative and puts 0 for what is positive; it is the "
            "other way round.",
        ),
        other_activation(
            "absolute_value",
            "self.linear1(x).abs()",
            "Your activation turns negative numbers into positive ones; they are to become 0.",
        ),
        Mistake(
            "residual_inside",
            ((NARROW, "return x + self.linear2(hidden)"),),
            "You add x to the output. The residual belongs to the block, which adds it once more.",
            LOOK_AT_FORMULA,
            r"\+",
        ),
        Mistake(
            "hidden_returned",
            ((NARROW, "return hidden"),),
            "You return the hidden features, {d_ff} of them; linear2 is never used.",
            LOOK_AT_FORMULA,
            r"return",
        ),
        Mistake(
            "no_widening",
            (
                (WIDEN, "self.linear1 = nn.Linear(d_model, d_model)"),
                (NARROWER, "self.linear2 = nn.Linear(d_model, d_model)"),
            ),
            "Both your Linears go from d_model={d_model} to d_model: d_ff={d_ff} is never used.",
            "How wide are the hidden features?",
            r"Linear\(",
        ),
        Mistake(
            "linears_swapped",
            (
                (WIDEN, "self.linear1 = nn.Linear(d_ff, d_model)"),
                (NARROWER, "self.linear2 = nn.Linear(d_model, d_ff)"),
                ("self.linear1(x)", "self.linear2(x)"),
                (NARROW, "return self.linear1(hidden)"),
            ),
            "Your linear1 goes from d_ff to d_model and your linear2 back: their names are "
            "swapped.",
            "linear1 is the one that widens.",
            r"linear1 ?=",
        ),
        Mistake(
            "widths_swapped",
            (
                (WIDEN, "self.linear1 = nn.Linear(d_ff, d_model)"),
                (NARROWER, "self.linear2 = nn.Linear(d_model, d_ff)"),
            ),
            "Your linear1 goes from d_ff={d_ff} to d_model={d_model}, but what comes in is d_model "
            "wide.",
            "nn.Linear takes first what goes in, then what comes out.",
            r"linear1 ?=",
        ),
        Mistake(
            "no_bias",
            (
                (WIDEN, "self.linear1 = nn.Linear(d_model, d_ff, bias=False)"),
                (NARROWER, "self.linear2 = nn.Linear(d_ff, d_model, bias=False)"),
            ),
            "Your Linears have no bias; the formula has b_1 and b_2.",
            LOOK_AT_FORMULA,
            r"bias",
        ),
        Mistake(
            "dropout_never",
            ((DROP, "pass"),),
            "In training nothing is dropped: `dropout` is not used.",
            "Where do the hidden features go before they are narrowed again?",
            r"relu|return",
        ),
        Mistake(
            "dropout_always",
            ((MAKE_DROPOUT, "self.dropout = lambda x: nn.functional.dropout(x, dropout)"),),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout\(",
        ),
        Mistake(
            "dropout_on_output",
            ((DROP, "pass"), (NARROW, "return self.dropout(self.linear2(hidden))")),
            "Your dropout acts on the output; it belongs to the hidden features, after the "
            "activation. The output is dropped by the block.",
            "Where along the way does the docstring put it?",
            r"dropout\(",
        ),
        Mistake(
            "dropout_on_both",
            ((NARROW, "return self.dropout(self.linear2(hidden))"),),
            "Your dropout acts on the hidden features, as it should, and on the output once more. "
            "The output is dropped by the block.",
            "Where along the way does the docstring put it?",
            r"return",
        ),
        Mistake(
            "dropout_on_x",
            ((DROP, "pass"), ("self.linear1(x)", "self.linear1(self.dropout(x))")),
            "Your dropout acts on what comes in; it belongs to the hidden features, after the "
            "activation.",
            "Where along the way does the docstring put it?",
            r"dropout\(",
        ),
        Mistake(
            "dropout_twice",
            ((DROP, "hidden = self.dropout(self.dropout(hidden))"),),
            "Dropout acts on the hidden features twice: more is dropped than {dropped}, and the "
            "rest is scaled up twice.",
            "How often does your code call it?",
            r"dropout\(",
        ),
        Mistake(
            "keeps_what_it_should_drop",
            ((MAKE_DROPOUT, "self.dropout = Dropout(1 - dropout)"),),
            "Your dropout keeps a share of `dropout` (here {dropped}), in place of dropping it.",
            "`dropout` is the probability of being dropped.",
            r"Dropout",
        ),
        Mistake(
            "dropout_not_from_argument",
            ((MAKE_DROPOUT, "self.dropout = Dropout(0.1)"),),
            "In training your module drops a tenth, whatever `dropout` says.",
            "Where does the argument `dropout` go?",
            r"Dropout\(",
        ),
        Mistake(
            "dropout_as_torch_likes",
            ((MAKE_DROPOUT, "self.dropout = Dropout()"),),
            "In training your module drops a half, whatever `dropout` says: that is what "
            "nn.Dropout() does if it is not told how much.",
            "Where does the argument `dropout` go?",
            r"Dropout\(",
        ),
        Mistake(
            "dropout_not_scaled",
            (
                (
                    DROP,
                    "p = self.dropout.p if self.training else 0.0\n"
                    "        hidden = hidden * (torch.rand_like(hidden) >= p)",
                ),
            ),
            "Your dropout sets features to 0 and leaves the others as they are, so that what comes "
            "out is smaller in training than in eval mode.",
            "By which factor must the rest grow to make up for what is missing?",
            r"rand|bernoulli|mask",
        ),
        Mistake(
            "changes_x",
            ((HIDDEN, "hidden = torch.relu(self.linear1(x.relu_()))"),),
            "The caller's x has lost its negative numbers: you apply the activation to x itself, "
            "and in place.",
            "What does the activation act on? And what does a name that ends in `_` do?",
            r"relu_|inplace|clamp_",
        ),
        Mistake(
            "graph_cut",
            ((NARROW, "return self.linear2(hidden).detach()"),),
            "The numbers are right, but no gradient gets through: neither to the Linears nor to "
            "anything in front of them.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "hidden_detached",
            ((NARROW, "return self.linear2(hidden.detach())"),),
            "The numbers are right, but the gradient stops at the hidden features: linear1 and "
            "everything in front of it could not be trained.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "always_float32",
            ((NARROW, "return self.linear2(hidden).to(torch.float32)"),),
            "Whatever the dtype of x, your result is float32.",
            "Where does your code name a dtype?",
            r"float",
        ),
    ),
    hints=(
        "Read the formula from the inside out, and write the width of what you have on every step.",
        "Two Linears with a ReLU between them. nn.Linear works on the last dimension and leaves "
        "the others alone, so there is no need to reshape anything.",
        "In __init__ two Linears and a dropout; in forward linear1 and the activation, dropout, "
        "linear2.",
    ),
    measures={"dropped": lambda seen: DROPPED, "your_shape": your_shape},
    symptoms=(tokens_mix,),
)

# --- EncoderBlock ---------------------------------------------------------------------------------

# Norms inside a block may have an eps of 1e-5 or of 1e-6: with numbers of an ordinary size that
# differs by less than these.
ROUGHLY = {torch.float32: 10.0, torch.float64: 300.0, torch.bfloat16: 1.0}
BUILD = {"d_model": 12, "num_heads": 3, "d_ff": 20, "dropout": 0.0}


def block(draw, mask=None, first=False, build=None, batch=2, length=5, **trial):
    """A trial with random weights and no dropout; `first` is norm_first."""
    build = build or BUILD
    options = {"norm_first": True} if first else {}
    state = draw.weights(draw.reference(**build, **options))
    arguments = {"x": draw.normal(batch, length, build["d_model"], scale=2.0)}
    if mask is not None:
        arguments["mask"] = mask
    dtype = trial.setdefault("dtype", torch.float32)
    sizes = {"batch": batch, "length": length, "d_model": build["d_model"]}
    sizes["heads"] = build["num_heads"]
    return Trial(
        [Call(arguments)],
        build,
        options,
        state,
        sizes=sizes,
        digest=loaded,
        tolerance=ROUGHLY[dtype],
        **trial,
    )


def padded_and_causal(draw, batch, length):
    """Every sequence ends in padding, so that nothing is left without keys if a mask is turned
    round."""
    lengths = draw.integers(1, length, batch)
    real = torch.arange(length) < lengths[:, None]
    return real[:, None, None, :] & torch.ones(length, length, dtype=torch.bool).tril()


def block_of_other_sizes(draw):
    """Two heads, a narrow feed-forward, and an x that lies in memory in another order; then one
    token."""
    build = {"d_model": 10, "num_heads": 2, "d_ff": 7, "dropout": 0.0}
    trial = block(draw, build=build, batch=3, length=4, strided=True)
    trial.calls.append(Call({"x": draw.normal(1, 1, 10, scale=2.0)}))
    return trial


def block_norm_first(draw):
    """Two calls of different sizes."""
    trial = block(draw, first=True)
    trial.calls.append(Call({"x": draw.normal(3, 4, 12, scale=2.0)}))
    return trial


def block_norm_first_with_mask(draw):
    """Every head has its own mask."""
    return block(draw, draw.mask(2, 3, 5, 5), first=True)


def block_with_padding(draw):
    return block(draw, padded_and_causal(draw, 4, 6), batch=4, length=6)


def block_gradients(draw):
    return block(draw, draw.mask(5, 5), gradients=True)


def block_norm_first_gradients(draw):
    return block(draw, draw.mask(2, 1, 1, 5), first=True, gradients=True)


def block_in_float64(draw):
    return block(draw, first=True, dtype=torch.float64)


def block_in_bfloat16(draw):
    return only_dtype(block(draw, dtype=torch.bfloat16))


def with_equal_tokens(draw, trial, dropout, *modes):
    """A trial with tokens that are all alike, so that one call shows whether anything is random."""
    trial.build = trial.build | {"dropout": dropout}
    arguments = {"x": draw.normal(1, 1, 12, scale=2.0).expand(2, 5, 12)}
    trial.calls = [Call(arguments, training=mode != EVAL) for mode in modes]
    trial.digest = functools.partial(where_tokens_agree, modes=modes)
    return trial


EVAL = "in eval mode"
TRAINING = "in training"
WITHOUT = "in training with dropout=0"


def where_tokens_agree(answer, modes):
    """A digest: in which mode do equal tokens get equal numbers? Others cannot be compared."""
    answer = loaded(answer)
    arrays, facts = {}, dict(answer.facts)
    for y, mode, call in zip(outputs(answer, *range(len(modes))), modes, LATER):
        if y is None:
            return answer
        alike = tokens_agree(y)
        every = f"equal tokens get equal numbers {mode}"
        facts[every] = facts.get(every, True) and alike
        if mode != TRAINING and alike:
            arrays[f"output {mode}, on which equal tokens agree{call}"] = y
    return Answer(arrays, facts)


def tokens_agree(y):
    """Are all tokens' numbers alike, but for rounding?"""
    rows = y.reshape(-1, y.shape[-1]) if y.dim() else y.reshape(1, 1)
    return torch.allclose(rows, rows[:1].expand_as(rows), atol=1e-4)


def block_in_training(draw):
    """With dropout=0 training changes nothing."""
    return with_equal_tokens(draw, block(draw, first=True), 0.0, WITHOUT)


def block_in_eval_mode(draw):
    return with_equal_tokens(draw, block(draw), DROPPED, EVAL)


def block_with_dropout(draw, first=False):
    """Attention adds 20 to feature 0; feed-forward writes a large feature 1 where it reads a large
    feature 0.

    So feature 0 shows whether it was dropped from what feed-forward's result is added to, and
    feature 1 shows, unless it was dropped itself, whether it was dropped from what feed-forward
    read. Compared with features 2 and 3, which are left as they are, that is to be seen whatever
    the norms do. The other features are like anywhere else.
    """
    trial = block(draw, first=first)
    trial.build = BUILD | {"dropout": DROPPED}
    state = {name: torch.zeros_like(x) for name, x in trial.state.items()}
    state["self_attention.w_value.weight"] = trial.state["self_attention.w_value.weight"]
    for name in ("self_attention.w_output.weight", "norm1.weight", "norm2.weight"):
        state[name][4:] = trial.state[name][4:]
    for name in ("norm1.weight", "norm2.weight"):
        state[name][:4] = 1.0
    state["self_attention.w_output.bias"][0] = 20.0
    state["feed_forward.linear1.weight"][0, 0] = 100.0
    # A normed feature 0 is above 3 with the 20, and below 2.3 without: feature 2 is larger then.
    state["feed_forward.linear1.bias"][0] = -250.0
    state["feed_forward.linear2.weight"][1, 0] = 100.0
    trial.state = state
    x = draw.normal(1, 1, 12).expand(30, 5, 12).clone()
    x[..., :4] = torch.tensor([1.0, 0.5, 2.0, -2.0])
    trial.calls = [Call({"x": x}, training=True)]
    trial.digest = functools.partial(where_it_acts, x)
    return trial


def block_norm_first_with_dropout(draw):
    return block_with_dropout(draw, first=True)


def where_it_acts(x, answer):
    """Does dropout act in training, and does feed-forward read what its result is added to?"""
    answer = loaded(answer)
    y = answer.arrays.get("output")
    if y is None:
        return answer
    facts = answer.facts | {"shape of the output in training": shape(y)}
    if y.shape != x.shape:
        return Answer({}, facts)

    def compared(y, feature):
        """A feature on a scale on which feature 2 is 0 and feature 3 is 1."""
        return (y[..., feature] - y[..., 2]) / (y[..., 3] - y[..., 2])

    dropped = (compared(y, 0) - compared(x, 0)).abs() < 1e-3
    written = compared(y, 1).abs() > 100
    facts |= {
        f"equal tokens get equal numbers {TRAINING}": tokens_agree(y),
        "feed-forward reads what its result is added to": not bool((dropped & written).any()),
    }
    return Answer({}, facts)


def one_mode_only(seen):
    """A symptom: a hint at the mode in which it is wrong."""
    yours, theirs = comparable(seen)
    if yours is None or not seen.trial.options.get("norm_first"):
        return None
    wrong = (yours - theirs).abs()
    return (
        f"With norm_first=True your output is not right: {int((wrong > 1e-3).sum())} of "
        f"{wrong.numel()} numbers are off, by up to {number(wrong.max())}."
    )


PRE_NORM = "normed = self.norm1(x)"
PRE_1 = "x = x + self.dropout(self.self_attention(normed, normed, normed, mask))"
PRE_2 = "return x + self.dropout(self.feed_forward(self.norm2(x)))"
POST_1 = "x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))"
POST_2 = "return self.norm2(x + self.dropout(self.feed_forward(x)))"
CHOOSE = "if self.norm_first:"
KEEP_CHOICE = "self.norm_first = norm_first"
MAKE_NORM_2 = "self.norm2 = nn.LayerNorm(d_model)"
UNBIASED_NORM = """super().__init__()

        class Unbiased(nn.LayerNorm):
            def forward(self, x):
                spread = x.std(-1, keepdim=True) + 1e-6
                return (x - x.mean(-1, keepdim=True)) / spread * self.weight + self.bias
"""
MAKE_ATTENTION = "self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)"
MAKE_FEED_FORWARD = "self.feed_forward = FeedForward(d_model, d_ff, dropout)"
LOOK_AT_SUMS = (
    "Draw the block with its two sums. For each: which two arrows meet, and where do they come "
    "from?"
)
LOOK_AT_NORMS = "Compare with the two lines in the docstring: what does each norm act on?"


def changed(line, *pairs):
    """An edit of a line by pieces of it."""
    new = line
    for old, replacement in pairs:
        new = new.replace(old, replacement)
    return line, new


def in_both_orders(mistake_id, post, pre, says, look, line, both=()):
    """A mistake made in both orders, and the same made only in one of them."""
    start = says[0].lower() + says[1:]
    return (
        Mistake(mistake_id, both or post + pre, says, look, line),
        Mistake(f"{mistake_id}_in_post_norm", post, f"Without norm_first, {start}", look, line),
        Mistake(f"{mistake_id}_in_pre_norm", pre, f"With norm_first=True, {start}", look, line),
    )


def feed_forward_first(first, second):
    """The sub-layers in the wrong order, with their norms."""
    attend = PRE_1.removeprefix("x = ")
    return (
        (POST_1, f"x = self.{first}(x + self.dropout(self.feed_forward(x)))"),
        (POST_2, f"return self.{second}(x + self.dropout(self.self_attention(x, x, x, mask)))"),
        (PRE_NORM, f"x = x + self.dropout(self.feed_forward(self.{first}(x)))"),
        (PRE_1, f"normed = self.{second}(x)"),
        (PRE_2, f"return {attend}"),
    )


NO_RESIDUAL_1 = (changed(POST_1, ("x + ", "")),)
NO_RESIDUAL_2 = (changed(POST_2, ("x + ", "")),)
NO_PRE_RESIDUAL_1 = (changed(PRE_1, ("= x + ", "= ")),)
NO_PRE_RESIDUAL_2 = (changed(PRE_2, ("x + ", "")),)
ATTENTION_IN = "self.dropout(self.self_attention("
FEED_FORWARD_IN = "self.dropout(self.feed_forward("

EncoderBlock = Exercise(
    id="encoder_block.EncoderBlock",
    properties=(
        Property(
            "parts",
            1,
            "attention, feed-forward and the two norms are there under their names",
            aspects=("built", "names"),
        ),
        Property(
            "post_norm",
            3,
            "the paper's order is right: each sum is normed",
            (block_of_other_sizes,),
            look=LOOK_AT_NORMS,
        ),
        Property(
            "pre_norm",
            2,
            "with norm_first each sub-layer gets a normed x, and adds to the x before",
            (block_norm_first,),
            look=LOOK_AT_NORMS,
        ),
        Property(
            "mask",
            2,
            "attention gets the mask, in both orders",
            (block_with_padding, block_norm_first_with_mask),
            look="The mask goes to attention as it came.",
        ),
        Property(
            "dropout",
            1,
            "dropout acts in training only",
            (
                block_with_dropout,
                block_norm_first_with_dropout,
                block_in_eval_mode,
                block_in_training,
            ),
        ),
        Property(
            "gradients",
            1,
            "gradients reach x and all parameters",
            (block_gradients, block_norm_first_gradients),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (block_in_float64, block_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x and mask stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        *in_both_orders(
            "no_residual",
            NO_RESIDUAL_1 + NO_RESIDUAL_2,
            NO_PRE_RESIDUAL_1 + NO_PRE_RESIDUAL_2,
            "Neither of your sub-layers adds to what went in: there is no residual, and the "
            "gradient has no way past them.",
            LOOK_AT_SUMS,
            r"attention\(",
        ),
        *in_both_orders(
            "no_attention_residual",
            NO_RESIDUAL_1,
            NO_PRE_RESIDUAL_1,
            "What attention gives takes the place of x; it is to be added to x.",
            LOOK_AT_SUMS,
            r"attention\(",
        ),
        *in_both_orders(
            "no_feed_forward_residual",
            NO_RESIDUAL_2,
            NO_PRE_RESIDUAL_2,
            "What feed-forward gives takes the place of what went into it; it is to be added to "
            "that.",
            LOOK_AT_SUMS,
            r"feed_forward\(",
        ),
        *in_both_orders(
            "residual_from_the_beginning",
            ((POST_1, "start = x\n        " + POST_1), changed(POST_2, ("x + ", "start + "))),
            (
                (PRE_NORM, "start = x\n            " + PRE_NORM),
                changed(PRE_2, ("x + ", "start + ")),
            ),
            "What feed-forward gives is added to the block's input, so that what attention gave "
            "gets lost in the sum; it is to be added to what attention has made.",
            LOOK_AT_SUMS,
            r"feed_forward\(",
        ),
        *in_both_orders(
            "residual_twice",
            (
                changed(POST_1, ("x + ", "x + x + ")),
                changed(POST_2, ("x + ", "x + x + ")),
            ),
            (changed(PRE_1, ("= x + ", "= x + x + ")), changed(PRE_2, ("x + ", "x + x + "))),
            "Both your sums have x in them twice. Is it added inside the sub-layers already?",
            LOOK_AT_SUMS,
            r"\+",
        )[:1],
        Mistake(
            "norm_on_branch",
            (
                (POST_1, "x = x + self.norm1(self.dropout(self.self_attention(x, x, x, mask)))"),
                (POST_2, "return x + self.norm2(self.dropout(self.feed_forward(x)))"),
            ),
            "Without norm_first you norm what a sub-layer gives and add x afterwards; the paper "
            "norms the sum.",
            LOOK_AT_NORMS,
            r"norm1\(",
        ),
        Mistake(
            "norm_on_residual",
            (
                (POST_1, "x = self.norm1(x) + self.dropout(self.self_attention(x, x, x, mask))"),
                (POST_2, "return self.norm2(x) + self.dropout(self.feed_forward(x))"),
            ),
            "Without norm_first you norm x before the sum; the paper norms the sum.",
            LOOK_AT_NORMS,
            r"norm1\(",
        ),
        Mistake(
            "no_norms_in_post_norm",
            (
                (POST_1, "x = x + self.dropout(self.self_attention(x, x, x, mask))"),
                (POST_2, "return x + self.dropout(self.feed_forward(x))"),
            ),
            "Without norm_first nothing is normed in your block.",
            LOOK_AT_NORMS,
            r"return",
        ),
        Mistake(
            "only_first_norm_in_post_norm",
            ((POST_2, "return x + self.dropout(self.feed_forward(x))"),),
            "Without norm_first the sum after feed-forward is not normed in your block.",
            LOOK_AT_NORMS,
            r"return",
        ),
        Mistake(
            "only_last_norm_in_post_norm",
            ((POST_1, "x = x + self.dropout(self.self_attention(x, x, x, mask))"),),
            "Without norm_first the sum after attention is not normed in your block.",
            LOOK_AT_NORMS,
            r"attention\(",
        ),
        Mistake(
            "no_norms_in_pre_norm",
            ((PRE_NORM, "normed = x"), changed(PRE_2, ("self.norm2(x)", "x"))),
            "With norm_first=True nothing is normed in your block.",
            LOOK_AT_NORMS,
            r"return",
        ),
        Mistake(
            "attention_not_normed_in_pre_norm",
            ((PRE_NORM, "normed = x"),),
            "With norm_first=True attention gets x as it is in your block, not normed.",
            LOOK_AT_NORMS,
            r"attention\(",
        ),
        Mistake(
            "feed_forward_not_normed_in_pre_norm",
            (changed(PRE_2, ("self.norm2(x)", "x")),),
            "With norm_first=True feed-forward gets x as it is in your block, not normed.",
            LOOK_AT_NORMS,
            r"feed_forward\(",
        ),
        Mistake(
            "residual_of_normed",
            (
                (PRE_NORM, "normed = x = self.norm1(x)"),
                (PRE_2, "x = self.norm2(x)\n            " + PRE_2.replace("self.norm2(x)", "x")),
            ),
            "With norm_first=True you add to the normed x; the sum is to start from the x before "
            "the norm, so that something goes all the way through untouched.",
            LOOK_AT_SUMS,
            r"= ?self\.norm1\(",
        ),
        Mistake(
            "only_query_normed",
            (changed(PRE_1, ("normed, normed, normed", "normed, x, x")),),
            "With norm_first=True only the query is normed: keys and values are x as it came.",
            LOOK_AT_NORMS,
            r"attention\(",
        ),
        Mistake(
            "value_not_normed",
            (changed(PRE_1, ("normed, normed, normed", "normed, normed, x")),),
            "With norm_first=True query and key are normed, but the value is x as it came.",
            LOOK_AT_NORMS,
            r"attention\(",
        ),
        Mistake(
            "normed_before_and_after",
            (
                (
                    PRE_1,
                    "x = self.norm1(x + self.dropout("
                    "self.self_attention(normed, normed, normed, mask)))",
                ),
                (PRE_2, "return self.norm2(x + self.dropout(self.feed_forward(self.norm2(x))))"),
            ),
            "With norm_first=True you norm before each sub-layer and after each sum. Then "
            "nothing goes through untouched: it is one or the other.",
            LOOK_AT_NORMS,
            r"norm2\(",
        ),
        Mistake(
            "norm_at_the_end",
            ((PRE_2, "return self.norm2(x + self.dropout(self.feed_forward(self.norm2(x))))"),),
            "With norm_first=True your block's result is normed once more at its end, by norm2. "
            "That is done once, by the stack, after the last block.",
            LOOK_AT_NORMS,
            r"return",
        ),
        Mistake(
            "norm_first_ignored",
            ((KEEP_CHOICE, "self.norm_first = False"),),
            "Your block norms after each sum, also with norm_first=True.",
            "Where is norm_first asked about?",
            r"norm_first",
        ),
        Mistake(
            "always_norm_first",
            ((KEEP_CHOICE, "self.norm_first = True"),),
            "Your block norms before each sub-layer, also without norm_first. Most models of today "
            "do that; the paper's order, which comes without norm_first, norms each sum.",
            LOOK_AT_NORMS,
            r"norm1\(",
        ),
        Mistake(
            "norm_first_inverted",
            ((KEEP_CHOICE, "self.norm_first = not norm_first"),),
            "Your two orders have changed places: with norm_first=True you norm the sums, and "
            "without it what goes into the sub-layers.",
            "What does the name norm_first say?",
            r"norm_first",
        ),
        *in_both_orders(
            "norm1_for_both",
            (changed(POST_2, ("norm2", "norm1")),),
            (changed(PRE_2, ("norm2", "norm1")),),
            "Norm1 is used for both sub-layers and norm2 for none. As long as both have their "
            "first weights, that does not show.",
            "Each sub-layer has a norm of its own.",
            r"norm1\(",
        ),
        *in_both_orders(
            "norms_swapped",
            (changed(POST_1, ("norm1", "norm2")), changed(POST_2, ("norm2", "norm1"))),
            ((PRE_NORM, "normed = self.norm2(x)"), changed(PRE_2, ("norm2", "norm1"))),
            "Norm2 belongs to your attention and norm1 to feed-forward; it is the other way round.",
            "They are numbered in the order in which they act.",
            r"norm2\(",
        )[:1],
        Mistake(
            "one_norm_object",
            ((MAKE_NORM_2, "self.norm2 = self.norm1"),),
            "Norm1 and norm2 are one and the same object, so both sub-layers share its weight and "
            "bias.",
            "How many LayerNorms does your __init__ make?",
            r"norm2 ?=|norm1 ?=",
        ),
        Mistake(
            "norms_unbiased",
            (
                ("self.norm1 = nn.LayerNorm(d_model)", "self.norm1 = Unbiased(d_model)"),
                (MAKE_NORM_2, "self.norm2 = Unbiased(d_model)"),
                ("super().__init__()", UNBIASED_NORM),
            ),
            "Your block is right but for its norms, whose variance is divided by {one_less} and "
            "not by d_model={d_model}.",
            "Check your LayerNorm first: that is an exercise of its own.",
            r"LayerNorm\(",
        ),
        Mistake(
            "feed_forward_first",
            feed_forward_first("norm2", "norm1"),
            "Your block thinks first and looks around afterwards: feed-forward comes before "
            "attention.",
            "In which order does the docstring name them?",
            r"feed_forward\(",
            variations=(feed_forward_first("norm1", "norm2"),),
        ),
        *in_both_orders(
            "feed_forward_of_the_beginning",
            (
                (POST_1, "start = x\n        " + POST_1),
                changed(POST_2, ("feed_forward(x)", "feed_forward(start)")),
            ),
            (
                (PRE_NORM, "start = x\n            " + PRE_NORM),
                changed(PRE_2, ("self.norm2(x)", "self.norm2(start)")),
            ),
            "Your feed-forward reads the block's input, and not what attention has made of it.",
            LOOK_AT_SUMS,
            r"feed_forward\(",
        )[:1],
        Mistake(
            "no_feed_forward",
            ((POST_2, "return x"), (PRE_2, "return x")),
            "Your block ends after attention: feed-forward is never used.",
            "A block has two sub-layers.",
            r"return",
        ),
        Mistake(
            "no_attention",
            ((POST_1, "pass"), (PRE_1, "pass")),
            "Your block is feed-forward alone: attention is never used.",
            "A block has two sub-layers.",
            r"forward",
        ),
        Mistake(
            "nothing_done",
            ((CHOOSE, "if True:\n            return x\n        if self.norm_first:"),),
            "Your block hands x on as it is.",
            "What does your last line return?",
            r"return",
        ),
        *in_both_orders(
            "mask_ignored",
            ((CHOOSE, "mask = mask if self.norm_first else None\n        " + CHOOSE),),
            ((CHOOSE, "mask = None if self.norm_first else mask\n        " + CHOOSE),),
            "The output of your block is the same with and without a mask: it is not handed on.",
            "Who needs to know about the mask?",
            r"attention\(",
            both=((CHOOSE, "mask = None\n        " + CHOOSE),),
        ),
        Mistake(
            "mask_inverted",
            ((CHOOSE, "mask = None if mask is None else ~mask\n        " + CHOOSE),),
            "Your mask works the other way round: attention sees what should be hidden.",
            "True means: may be attended to.",
            r"~|not mask|== ?0|mask\)",
        ),
        Mistake(
            "dropout_never",
            (
                (MAKE_ATTENTION, MAKE_ATTENTION.replace(", dropout", "")),
                (MAKE_FEED_FORWARD, MAKE_FEED_FORWARD.replace("dropout", "0.0")),
                (MAKE_DROPOUT, "self.dropout = nn.Identity()"),
            ),
            "In training nothing is dropped: `dropout` is not used.",
            "Which of the parts take a dropout, and what is dropped beside them?",
            r"__init__|MultiHeadAttention\(",
        ),
        Mistake(
            "dropout_always",
            ((MAKE_DROPOUT, "self.dropout = lambda x: nn.functional.dropout(x, dropout)"),),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout\(",
        ),
        Mistake(
            "random_without_dropout",
            ((MAKE_DROPOUT, "self.dropout = Dropout(0.1)"),),
            "In training, your block gives equal tokens different numbers even with dropout=0: "
            "chance is at work in it that does not ask the argument `dropout`.",
            "Which of the parts take a dropout, and are they told which?",
            r"[Dd]ropout\(|FeedForward\(",
        ),
        *in_both_orders(
            "worked_out_twice",
            (
                (POST_1, "made = lambda: " + POST_1.removeprefix("x = ")),
                changed(POST_2, ("x + ", "made() + "), ("feed_forward(x)", "feed_forward(made())")),
            ),
            (
                (PRE_1, "made = lambda: " + PRE_1.removeprefix("x = ")),
                changed(PRE_2, ("x + ", "made() + "), ("norm2(x)", "norm2(made())")),
            ),
            "In training your feed-forward reads other numbers than those that its result is "
            "added to: dropout fell differently on them. That happens when the same thing is "
            "worked out twice.",
            "How often does your code call attention?",
            r"attention\(",
        ),
        *in_both_orders(
            "changes_x",
            (
                changed(POST_1, ("x = self.norm1(x + ", "x += "), ("mask)))", "mask))")),
                (POST_2, "x = self.norm1(x)\n        " + POST_2),
            ),
            (changed(PRE_1, ("x = x + ", "x += ")),),
            "The caller's x has other numbers afterwards: something in your code works in place, "
            "while x is still the tensor that came in.",
            "`x += …` and names that end in `_` write into the tensor that is there.",
            r"\+=|add_",
        ),
        Mistake(
            "graph_cut",
            (
                (POST_2, POST_2 + ".detach()"),
                (PRE_2, "return (" + PRE_2.removeprefix("return ") + ").detach()"),
            ),
            "The numbers are right, but no gradient gets through your block.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "attention_detached",
            (
                changed(POST_1, ("mask)", "mask).detach()")),
                changed(PRE_1, ("mask)", "mask).detach()")),
            ),
            "The numbers are right, but what attention gives is cut off from the gradient: its "
            "parameters could not be trained.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "residual_detached",
            (
                changed(POST_1, ("x + ", "x.detach() + ")),
                changed(POST_2, ("x + ", "x.detach() + ")),
                changed(PRE_1, ("= x + ", "= x.detach() + ")),
                changed(PRE_2, ("x + ", "x.detach() + ")),
            ),
            "The numbers are right, but your residuals are cut off from the gradient, and they "
            "are its straight way through the block.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
    ),
    hints=(
        "There are two sub-layers, and both are treated alike: what they give is added to what "
        "went in. Draw it for one of them.",
        "The norm stands after the sum, or with norm_first in front of the sub-layer, where the "
        "sum keeps the x from before the norm.",
        "Four lines, two for each order: attention with x as query, key and value and with the "
        "mask, then feed-forward; each with dropout, a sum, and its own norm.",
    ),
    refuses=TRANSFORMER,
    instead="use your MultiHeadAttention and FeedForward, and nn.LayerNorm or your own.",
    measures={"one_less": lambda seen: seen["d_model"] - 1},
    symptoms=(one_mode_only,),
)

# --- Encoder --------------------------------------------------------------------------------------

STACK = {"num_layers": 2} | BUILD
SHORT = {"num_layers": 1} | BUILD


def stack(draw, mask=None, first=False, build=None, **trial):
    build = build or STACK
    trial = block(draw, mask, first, build, **trial)
    trial.sizes["layers"] = build["num_layers"]
    return trial


def stack_of_three(draw):
    build = {"num_layers": 3, "d_model": 10, "num_heads": 2, "d_ff": 7, "dropout": 0.0}
    return stack(draw, build=build, batch=3, length=4)


def stack_norm_first(draw):
    return stack(draw, first=True)


def stack_with_padding(draw):
    """Padding and causal mask together."""
    return stack(draw, padded_and_causal(draw, 4, 6), batch=4, length=6)


def stack_gradients(draw):
    return stack(draw, draw.mask(5, 5), first=True, gradients=True)


def stack_in_float64(draw):
    """Several sequences, then one token."""
    trial = stack(draw, build=SHORT, dtype=torch.float64)
    trial.calls.append(Call({"x": draw.normal(1, 1, 12, scale=2.0)}))
    return trial


def stack_in_bfloat16(draw):
    return only_dtype(stack(draw, first=True, build=SHORT, dtype=torch.bfloat16))


def stack_in_training(draw):
    """With dropout=0 training changes nothing, however often."""
    return with_equal_tokens(draw, stack(draw), 0.0, *[WITHOUT] * 4)


def stack_with_dropout(draw):
    trial = stack(draw, first=True, build=SHORT)
    return with_equal_tokens(draw, trial, DROPPED, TRAINING, EVAL)


LAYERS = (
    "nn.ModuleList(\n            EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) "
    "for _ in range(num_layers)\n        )"
)
ONE_LAYER = "EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first)"
LOOP = "for layer in self.layers:"
STEP = "x = layer(x, mask)"
MAKE_NORM = "self.norm = nn.LayerNorm(d_model) if norm_first else None"
ASK_NORM = "if self.norm is not None:"
LAST = "return x"
LOOK_AT_STACK = "Follow one token through the stack: which block does it meet, and what goes in?"
LOOK_AT_LAST_NORM = (
    "The last sum of a block: who has normed it, with norm_first and without, when it leaves the "
    "stack?"
)

Encoder = Exercise(
    id="encoder_block.Encoder",
    properties=(
        Property(
            "parts",
            2,
            "the stack has num_layers blocks, each with parameters of its own, and a final norm "
            "where there is to be one",
            aspects=("built", "names"),
        ),
        Property(
            "post_norm",
            2,
            "without norm_first x goes through all blocks in their order",
            (stack_of_three,),
            look=LOOK_AT_STACK,
        ),
        Property(
            "pre_norm",
            2,
            "with norm_first the last sum is normed as well",
            (stack_norm_first,),
            look=LOOK_AT_LAST_NORM,
        ),
        Property(
            "mask",
            1,
            "every block gets the mask",
            (stack_with_padding,),
            look="Who needs to know about the mask?",
        ),
        Property(
            "dropout",
            1,
            "dropout acts in training only",
            (stack_with_dropout, stack_in_training),
        ),
        Property(
            "gradients",
            1,
            "gradients reach x and all parameters",
            (stack_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (stack_in_float64, stack_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x and mask stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "same_block_repeated",
            ((LAYERS, f"nn.ModuleList([{ONE_LAYER}] * num_layers)"),),
            "All your layers are one and the same block: its parameters are shared, and the stack "
            "has as many of them as a single block.",
            "[block] * n makes a list with n names for one block. How often does your code call "
            "EncoderBlock(…)?",
            r"\*|append|EncoderBlock\(|for",
        ),
        Mistake(
            "plain_list",
            ((LAYERS, LAYERS.replace("nn.ModuleList(", "list(")),),
            "Torch finds no blocks in your stack. In a plain Python list (or tuple, or dict) it "
            "does not look for any: they are neither trained nor saved nor moved to a GPU.",
            "Which container does torch look into?",
            r"layers ?=",
        ),
        Mistake(
            "first_block_every_time",
            ((STEP, "x = self.layers[0](x, mask)"),),
            "x goes through the first block {layers} times, and through no other.",
            LOOK_AT_STACK,
            r"\[0\]|layer",
        ),
        Mistake(
            "last_block_left_out",
            ((LOOP, "for layer in self.layers[:-1]:"),),
            "x does not go through the last of your blocks.",
            LOOK_AT_STACK,
            r"-1|range|for",
        ),
        Mistake(
            "first_block_left_out",
            ((LOOP, "for layer in self.layers[1:]:"),),
            "x does not go through the first of your blocks.",
            LOOK_AT_STACK,
            r"1:|range|for",
        ),
        Mistake(
            "only_first_block",
            ((LOOP, "for layer in self.layers[:1]:"),),
            "x goes through the first block and leaves the stack: does your code return inside "
            "the loop?",
            LOOK_AT_STACK,
            r"return|\[0\]",
        ),
        Mistake(
            "every_block_reads_the_input",
            ((LOOP, "start = x\n        " + LOOP), (STEP, "x = layer(start, mask)")),
            "Every block reads the stack's input, and only what the last one gives is kept.",
            LOOK_AT_STACK,
            r"layer\(|for",
        ),
        Mistake(
            "one_block_too_few",
            (("range(num_layers)", "range(num_layers - 1)"),),
            "Your stack has one block fewer than num_layers says, {layers}.",
            "Where does your code count the blocks?",
            r"range",
        ),
        Mistake(
            "in_reverse_order",
            ((LOOP, "for layer in reversed(self.layers):"),),
            "x goes through your blocks in reverse order, the last one first.",
            LOOK_AT_STACK,
            r"reversed|::-1",
        ),
        Mistake(
            "blocks_added_up",
            ((STEP, "x = x + layer(x, mask)"),),
            "You add x to what each block gives. The blocks have their own residuals inside, so "
            "every one counts twice.",
            LOOK_AT_STACK,
            r"\+",
        ),
        Mistake(
            "residual_around_stack",
            (
                (LOOP, "start = x\n        " + LOOP),
                (ASK_NORM, "x = x + start\n        " + ASK_NORM),
            ),
            "You add the stack's input to what the last block gives; the blocks have their own "
            "residuals inside.",
            LOOK_AT_STACK,
            r"\+",
        ),
        Mistake(
            "list_of_all",
            (
                (LOOP, "all_of_them = []\n        " + LOOP),
                (STEP, STEP + "\n            all_of_them.append(x)"),
                (LAST, "return all_of_them"),
            ),
            "You return a list with what each of your {layers} blocks gives; asked for is the last "
            "result alone.",
            "Which of them does the decoder read?",
            r"append|return",
        ),
        Mistake(
            "mask_ignored",
            ((STEP, "x = layer(x)"),),
            "The output is the same with and without a mask: your blocks do not get it.",
            "Who needs to know about the mask?",
            r"layer\(|for",
        ),
        Mistake(
            "mask_for_first_block_only",
            ((STEP, "x = layer(x, mask)\n            mask = None"),),
            "Your first block gets the mask, the others do not: what it hides comes in through "
            "them.",
            "Who needs to know about the mask?",
            r"~|not mask|== ?0|mask\)",
        ),
        Mistake(
            "mask_for_last_block_only",
            ((STEP, "x = layer(x, mask if layer is self.layers[-1] else None)"),),
            "Your last block gets the mask, the others do not.",
            "Who needs to know about the mask?",
            r"~|not mask|== ?0|mask\)",
        ),
        Mistake(
            "mask_inverted",
            ((LOOP, "mask = None if mask is None else ~mask\n        " + LOOP),),
            "Your mask works the other way round: attention sees what should be hidden.",
            "True means: may be attended to.",
            r"~|not mask|== ?0|mask\)",
        ),
        Mistake(
            "no_final_norm",
            ((MAKE_NORM, "self.norm = None"),),
            "With norm_first=True there is no final norm: the last sum leaves your stack as it is, "
            "and every block has added to it.",
            LOOK_AT_LAST_NORM,
            r"norm|layers ?=",
        ),
        Mistake(
            "final_norm_unused",
            ((ASK_NORM, "if False:"),),
            "Your stack has a final norm, but with norm_first=True it is never used.",
            LOOK_AT_LAST_NORM,
            r"return",
        ),
        Mistake(
            "final_norm_always",
            ((MAKE_NORM, "self.norm = nn.LayerNorm(d_model)"),),
            "Your stack norms its last result without norm_first, too: there the last block has "
            "normed it already, and no `norm` is asked for.",
            LOOK_AT_LAST_NORM,
            r"norm",
        ),
        Mistake(
            "final_norm_there_but_unused",
            (
                (MAKE_NORM, "self.norm, self.norm_first = nn.LayerNorm(d_model), norm_first"),
                (ASK_NORM, "if self.norm_first:"),
            ),
            "The numbers are right, but without norm_first your stack has a `norm` that is never "
            "used: parameters that count and are not trained.",
            LOOK_AT_LAST_NORM,
            r"norm ?=",
        ),
        Mistake(
            "final_norm_the_wrong_way_round",
            ((MAKE_NORM, "self.norm = None if norm_first else nn.LayerNorm(d_model)"),),
            "Your stack has a final norm without norm_first, and none with it; it is the other way "
            "round.",
            LOOK_AT_LAST_NORM,
            r"norm",
        ),
        Mistake(
            "norm_after_every_block",
            (
                (
                    STEP,
                    "x = layer(x, mask)\n            x = x if self.norm is None else self.norm(x)",
                ),
                (ASK_NORM, "if False:"),
            ),
            "With norm_first=True your final norm acts after every block, and not once at the end.",
            LOOK_AT_LAST_NORM,
            r"norm\(",
        ),
        Mistake(
            "norm_at_the_beginning",
            (
                (LOOP, "x = x if self.norm is None else self.norm(x)\n        " + LOOP),
                (ASK_NORM, "if False:"),
            ),
            "With norm_first=True your final norm acts before the first block, and not after the "
            "last one.",
            LOOK_AT_LAST_NORM,
            r"norm\(",
        ),
        Mistake(
            "norm_first_not_handed_on",
            ((LAYERS, LAYERS.replace(", norm_first", "")),),
            "With norm_first=True your blocks still norm their sums: they are not told.",
            "What does each block have to know?",
            r"EncoderBlock\(",
        ),
        Mistake(
            "norm_first_ignored",
            (
                (LAYERS, LAYERS.replace(", norm_first", "")),
                (MAKE_NORM, "self.norm = None"),
            ),
            "norm_first=True changes nothing: your blocks are not told, and there is no final "
            "norm.",
            "What does each block have to know?",
            r"EncoderBlock\(",
        ),
        Mistake(
            "random_without_dropout",
            ((LAYERS, LAYERS.replace("dropout, norm_first", "norm_first=norm_first")),),
            "In training, your stack gives equal tokens different numbers even with dropout=0: "
            "chance is at work in it that does not ask the argument `dropout`.",
            "What does each block have to know?",
            r"EncoderBlock\(",
        ),
        Mistake(
            "dropout_never",
            ((LAYERS, LAYERS.replace("dropout, norm_first", "0.0, norm_first")),),
            "In training nothing is dropped: your blocks are not told about `dropout`.",
            "What does each block have to know?",
            r"EncoderBlock\(",
        ),
        Mistake(
            "graph_cut",
            ((LAST, "return x.detach()"),),
            "The numbers are right, but no gradient gets through your stack.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "cut_between_blocks",
            ((STEP, "x = layer(x, mask).detach()"),),
            "The numbers are right, but no gradient gets from one block back to the one before.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
    ),
    hints=(
        "A stack is a loop: what one block gives is what the next one gets.",
        "The blocks are made one by one, in a container that torch looks into. With norm_first "
        "the last sum has been normed by nobody.",
        "In __init__ an nn.ModuleList with num_layers blocks, and a norm or None; in forward a "
        "loop that hands x and the mask on, then the norm if there is one.",
    ),
    refuses=TRANSFORMER,
    instead="stack your own EncoderBlock.",
    symptoms=(one_mode_only,),
)
