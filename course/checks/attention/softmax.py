"""How softmax is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import SOFTMAX
from autograder.engine.symptoms import few, number
from autograder.engine.trial import call

from ..shared import CUTS, LOOK_FOR_CUTS


def softmax_of_scores(draw):
    return call(x=draw.normal(2, 3, 5), dim=-1)


def softmax_without_dim(draw):
    return call(x=draw.normal(4, 6))


def softmax_of_one_score(draw):
    return call(x=draw.normal(3, 1), dim=-1)


def softmax_along_first(draw):
    return call(x=draw.normal(4, 3, 5), dim=0)


def softmax_along_middle(draw):
    return call(x=draw.normal(2, 5, 4), dim=1)


# exp(x - logsumexp(x)) is a right softmax, too; in float32 it keeps three digits of large scores.
LARGE = 300.0


def softmax_of_large_scores(draw):
    trial = call(x=draw.normal(3, 6, scale=1e4), dim=-1)
    trial.tolerance = LARGE
    return trial


def softmax_of_distant_rows(draw):
    """Rows whose scores lie thousands apart: each needs a shift of its own."""
    trial = call(x=draw.normal(3, 6) + torch.tensor([[-5000.0], [0.0], [3000.0]]), dim=-1)
    trial.tolerance = LARGE
    return trial


def softmax_of_ruled_out(draw):
    """In some rows all that is left lies low, so that a low number is no stand-in for -inf."""
    x = draw.normal(4, 6) - torch.tensor([[0.0], [0.0], [1e3], [9e3]])
    x[0, 1] = x[1, 0] = x[1, 5] = x[2, 3] = x[3, 2] = float("-inf")
    trial = call(x=x, dim=-1)
    trial.tolerance = LARGE
    return trial


def softmax_gradients(draw):
    trial = call(x=draw.normal(3, 7), dim=-1)
    trial.gradients = True
    return trial


def softmax_in_float64(draw):
    trial = call(x=draw.normal(3, 7), dim=-1)
    trial.dtype = torch.float64
    return trial


def softmax_in_bfloat16(draw):
    trial = call(x=draw.normal(3, 7), dim=-1)
    trial.dtype = torch.bfloat16
    return trial


def softmax_strided(draw):
    trial = call(x=draw.normal(5, 3), dim=-1)
    trial.strided = True
    return trial


def adds_up(dim):
    """A measure: what the output adds up to along a dimension."""
    return lambda seen: few(seen.yours["output"].sum(dim))


softmax = Exercise(
    id="attention.softmax",
    properties=(
        Property(
            "values",
            2,
            "the weights along the last dimension are right",
            (softmax_of_scores, softmax_without_dim, softmax_of_one_score, softmax_strided),
        ),
        Property(
            "dim",
            1,
            "`dim` says along which dimension they add up to 1",
            (softmax_along_first, softmax_along_middle),
        ),
        Property(
            "stable",
            2,
            "scores of any size give numbers, and a score of -inf exactly 0",
            (softmax_of_large_scores, softmax_of_distant_rows, softmax_of_ruled_out),
            look="What is the largest number whose exponential still fits into a float?",
        ),
        Property(
            "gradients",
            1,
            "gradients flow back to the scores",
            (softmax_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the scores",
            (softmax_in_float64, softmax_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "the scores that came in stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "not_stable",
            (("torch.exp(x - highest)", "torch.exp(x)"),),
            "Small scores come out right, but large ones give NaN: exp(100) no longer fits into "
            "float32, and inf / inf is not a number.",
            "What could you take from all scores of a row, so that the fraction stays the same "
            "and no exponential is large?",
            r"exp",
        ),
        Mistake(
            "shifted_by_mean",
            (("x.amax(dim, keepdim=True)", "x.mean(dim, keepdim=True)"),),
            "You subtract the mean of the scores. That leaves large numbers where scores lie far "
            "apart, and their exponentials overflow to inf.",
            "Which number must you subtract for the largest exponent to be 0?",
            r"mean",
        ),
        Mistake(
            "shifted_by_minimum",
            (("x.amax(dim, keepdim=True)", "x.amin(dim, keepdim=True)"),),
            "You subtract the smallest score, so all that is left is positive, and large "
            "exponentials overflow to inf.",
            "Which number must you subtract for the largest exponent to be 0?",
            r"min",
        ),
        Mistake(
            "shifted_by_everything",
            (("x.amax(dim, keepdim=True)", "x.max()"),),
            "You subtract the largest score of the whole tensor. A row that lies far below it "
            "has only exponentials of 0 left, and 0 / 0 is not a number.",
            "Each row along `dim` needs a maximum of its own.",
            r"max",
        ),
        Mistake(
            "shifted_by_magnitude",
            (("x.amax(dim, keepdim=True)", "x.abs().amax(dim, keepdim=True)"),),
            "You subtract the largest magnitude. In a row of large negative scores that pushes "
            "all exponentials to 0, and 0 / 0 is not a number.",
            "Is the largest magnitude the largest score, if all scores are negative?",
            r"abs",
        ),
        Mistake(
            "over_everything",
            (
                ("x.amax(dim, keepdim=True)", "x.max()"),
                ("exponentials.sum(dim, keepdim=True)", "exponentials.sum()"),
            ),
            "All your weights together add up to {total}, and those along `dim` only to {sums}: "
            "you divide by the sum of all exponentials.",
            "Along which dimension should the weights add up to 1?",
            r"sum\(",
        ),
        Mistake(
            "no_keepdim",
            (("exponentials.sum(dim, keepdim=True)", "exponentials.sum(dim)"),),
            "Your sum has lost the dimension it ran over, so it no longer lines up with the "
            "scores when you divide (torch lines shapes up from the right).",
            "Print the shapes of both sides of the division. How can a sum keep its dimension, "
            "with size 1?",
            r"sum\(",
        ),
        Mistake(
            "maximum_without_keepdim",
            (("x.amax(dim, keepdim=True)", "x.amax(dim)"),),
            "Your maximum has lost the dimension it ran over, so it no longer lines up with the "
            "scores when you subtract (torch lines shapes up from the right).",
            "Print the shapes of both sides of the subtraction. How can a maximum keep its "
            "dimension, with size 1?",
            r"max",
        ),
        Mistake(
            "dim_ignored",
            (
                ("x.amax(dim, keepdim=True)", "x.amax(-1, keepdim=True)"),
                ("exponentials.sum(dim, keepdim=True)", "exponentials.sum(-1, keepdim=True)"),
            ),
            "Your weights always add up to 1 along the last dimension, whatever `dim` says.",
            "Look for a -1 that should be `dim`.",
            r"-1",
        ),
        Mistake(
            "dim_ignored_in_sum",
            (("exponentials.sum(dim, keepdim=True)", "exponentials.sum(-1, keepdim=True)"),),
            "Your maximum runs along `dim`, but your sum always along the last dimension.",
            "Look for a -1 that should be `dim`.",
            r"-1",
        ),
        Mistake(
            "always_first_dim",
            (
                ("x.amax(dim, keepdim=True)", "x.amax(0, keepdim=True)"),
                ("exponentials.sum(dim, keepdim=True)", "exponentials.sum(0, keepdim=True)"),
            ),
            "Your weights always add up to 1 along dimension 0, whatever `dim` says.",
            "Look for a 0 that should be `dim`.",
            r"0",
        ),
        Mistake(
            "not_normalised",
            (("return exponentials / total", "return exponentials"),),
            "Your weights add up to {sums}, and not to 1: the exponentials are not divided by "
            "their sum.",
            "What turns positive numbers into shares of a whole?",
            r"return",
            variations=(
                (
                    ("return exponentials / total", "return exponentials"),
                    ("torch.exp(x - highest)", "torch.exp(x)"),
                ),
            ),
        ),
        Mistake(
            "no_exponential",
            (
                ("torch.exp(x - highest)", "x"),
                ("highest = x.amax(dim, keepdim=True).detach()", ""),
            ),
            "You divide the scores by their sum, without the exponential: some weights are "
            "negative or above 1 (yours lie between {least} and {most}).",
            "What makes every number positive, and keeps their order?",
            r"/",
        ),
        Mistake(
            "base_two",
            (("torch.exp(x - highest)", "torch.exp2(x - highest)"),),
            "Your weights add up to 1, but they are flatter than they should be: those of powers "
            "of 2, not of e.",
            "Which base does the exponential in the formula have?",
            r"exp2|2 ?\*\*|pow",
        ),
        Mistake(
            "logarithm",
            (("return exponentials / total", "return torch.log(exponentials / total)"),),
            "Your result is negative ({few}): it is the logarithm of the weights.",
            "Weights are shares: none is negative.",
            r"log",
        ),
        Mistake(
            "sigmoid",
            (
                ("torch.exp(x - highest)", "torch.sigmoid(x)"),
                ("return exponentials / total", "return exponentials"),
            ),
            "Every score is squeezed between 0 and 1 on its own, so your weights add up to {sums}: "
            "that is a sigmoid.",
            "The weights of a row compete: what one gets, the others do not.",
            r"sigmoid|exp",
        ),
        Mistake(
            "squared",
            (("return exponentials / total", "return (exponentials / total) ** 2"),),
            "Your weights are the squares of the right ones, and add up to {sums}.",
            "Compare the exponent in your code with the formula.",
            r"\*\*|square|pow",
        ),
        Mistake(
            "graph_cut",
            (("return exponentials / total", "return (exponentials / total).detach()"),),
            "The weights are right, but no gradient gets back to the scores, so nothing in front "
            "of your softmax could be trained.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "changes_scores",
            (("torch.exp(x - highest)", "torch.exp(x.sub_(highest))"),),
            "The weights are right, but the caller's scores are other numbers afterwards: you "
            "subtract in place.",
            "`x -= …` and names that end in `_` write into the tensor that came in.",
            r"-=|sub_|exp_",
        ),
        Mistake(
            "always_float32",
            (("return exponentials / total", "return (exponentials / total).to(torch.float32)"),),
            "Whatever the dtype of the scores, your weights are float32.",
            "Where does your code name a dtype?",
            r"float",
        ),
    ),
    hints=(
        "Take three scores, 1, 2 and 3, and work out their weights on paper first.",
        "Exponentials make all numbers positive, a sum turns them into shares. The same number "
        "taken from all scores changes nothing in the fraction: choose it so that nothing can "
        "overflow.",
        "Four steps: the maximum along dim, the exponentials of what lies below it, their sum "
        "along dim, and a division. Maximum and sum must keep the dimension, with size 1.",
    ),
    refuses=SOFTMAX,
    instead="write it with exponentials and a sum.",
    measures={
        "sums": adds_up(-1),
        "total": lambda seen: number(seen.yours["output"].sum()),
        "few": lambda seen: few(seen.yours["output"]),
        "least": lambda seen: number(seen.yours["output"].min()),
        "most": lambda seen: number(seen.yours["output"].max()),
    },
)
