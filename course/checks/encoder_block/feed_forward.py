"""How FeedForward is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import shape
from autograder.engine.trial import Answer, Call, Trial

from ..shared import CUTS, LOOK_FOR_CUTS, comparable, levels, only_dtype, your_shape
from .shared import loaded, modes_alike, outputs


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
MAKE_DROPOUT = "self.dropout = nn.Dropout(dropout)"
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
            ((MAKE_DROPOUT, "self.dropout = nn.Dropout(1 - dropout)"),),
            "Your dropout keeps a share of `dropout` (here {dropped}), in place of dropping it.",
            "`dropout` is the probability of being dropped.",
            r"Dropout",
        ),
        Mistake(
            "dropout_not_from_argument",
            ((MAKE_DROPOUT, "self.dropout = nn.Dropout(0.1)"),),
            "In training your module drops a tenth, whatever `dropout` says.",
            "Where does the argument `dropout` go?",
            r"Dropout\(",
        ),
        Mistake(
            "dropout_as_torch_likes",
            ((MAKE_DROPOUT, "self.dropout = nn.Dropout()"),),
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
