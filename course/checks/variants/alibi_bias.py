"""How alibi_bias is checked."""

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import few
from autograder.engine.trial import Answer, Call, Trial

from ..shared import expected_shape, your_shape


def bias_of(*sizes):
    """Pairs of a number of heads and a length: a wrong slope may be right for one number alone."""
    heads, length = sizes[0]
    calls = [Call({"num_heads": h, "length": n}) for h, n in sizes]
    return Trial(calls, sizes={"heads": heads, "length": length}, digest=past_only)


def past_only(answer):
    """What lies in the future is left to the causal mask, and may be anything."""
    arrays = {
        name: x.tril() if x.dim() > 1 and x.shape[-1] == x.shape[-2] else x
        for name, x in answer.arrays.items()
    }
    return Answer(arrays, answer.facts)


def bias_of_some_heads(draw):
    return bias_of((6, draw.integer(4, 6)), (5, draw.integer(7, 9)))


def bias_of_eight_heads(draw):
    return bias_of((8, draw.integer(5, 8)), (4, 3))


def bias_of_few_heads(draw):
    return bias_of((3, 7), (1, 6))


def bias_of_many_heads(draw):
    return bias_of((12, 5), (7, 4))


def bias_of_one_token(draw):
    return bias_of((5, 1), (3, 1))


LOOK_AT_SLOPE = "Work out the slopes of three heads with the formula, and print yours."


def your_slopes(seen):
    """A measure: how much the learner's heads take, or add, for a distance of one."""
    output = seen.yours["output"]
    return (
        few(output[..., -1, -2].abs(), 3) if output.dim() == 3 and output.shape[-2] > 1 else "none"
    )


def expected_slopes(seen):
    return few(-seen.theirs["output"][:, -1, -2], 3) if seen["length"] > 1 else "none"


alibi_bias = Exercise(
    id="variants.alibi_bias",
    properties=(
        Property(
            "values",
            4,
            "every head takes from the scores in proportion to the distance",
            (bias_of_some_heads, bias_of_eight_heads),
        ),
        Property(
            "slopes",
            1,
            "the slopes are right for any number of heads",
            (bias_of_few_heads, bias_of_many_heads),
            look=LOOK_AT_SLOPE,
        ),
        Property("sizes", 1, "a single token will do", (bias_of_one_token,)),
        promises.dtype("the bias has torch's default dtype"),
    ),
    hints=(
        "Draw the table of distances for four tokens: rows for queries, columns for keys.",
        "There are two things: one number for each head, and one table of distances for all. Each "
        "head multiplies the same table by its own number.",
        "Slopes with shape (heads, 1, 1), distances with shape (length, length) from a column and "
        "a row of positions, a product, and the minus.",
    ),
    measures={
        "your_shape": your_shape,
        "expected_shape": expected_shape,
        "your_slopes": your_slopes,
        "expected_slopes": expected_slopes,
    },
)
