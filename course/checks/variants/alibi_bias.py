"""How alibi_bias is checked."""

from autograder.engine.exercise import Exercise, Mistake, Property
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


SLOPE = "slope = 2.0 ** (-8.0 * head / num_heads)"
BIAS = "return -slope[:, None, None] * distance"
LOOK_AT_SLOPE = "Work out the slopes of three heads with the formula, and print yours."


def your_slopes(seen):
    """A measure: how much the learner's heads take for a distance of one."""
    output = seen.yours["output"]
    return few(-output[..., -1, -2], 3) if output.dim() == 3 and output.shape[-2] > 1 else "none"


def expected_slopes(seen):
    return few(-seen.theirs["output"][:, -1, -2], 3) if seen["length"] > 1 else "none"


PAPERS_SLOPES = """closest = 2 ** (num_heads.bit_length() - 1)
    first = [2.0 ** (-8.0 * i / closest) for i in range(1, closest + 1)]
    rest = [2.0 ** (-4.0 * i / closest) for i in range(1, 2 * closest + 1, 2)]
    slope = torch.tensor((first + rest)[:num_heads], device=device)"""

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
        Property("dtype", 1, "the bias has torch's default dtype", aspects=("dtype",)),
    ),
    mistakes=(
        Mistake(
            "rewards_distance",
            ((BIAS, BIAS.replace("-slope", "slope")),),
            "Your bias grows with the distance: what lies far back gets a higher score, and it is "
            "to get a lower one.",
            "Which sign has the bias of a key that stands three places back?",
            r"return|-",
            variations=(
                (
                    (
                        "distance = position[:, None] - position[None, :]",
                        "distance = position[None, :] - position[:, None]",
                    ),
                ),
            ),
        ),
        Mistake(
            "slopes_counted_from_zero",
            (
                (
                    "torch.arange(1, num_heads + 1, device=device)",
                    "torch.arange(num_heads, device=device)",
                ),
            ),
            "You count the heads from 0: your first slope is 1. Slopes: {your_slopes}; expected "
            "{expected_slopes}.",
            "The formula says i = 1 … h.",
            r"arange|range",
        ),
        Mistake(
            "slopes_reversed",
            ((SLOPE, f"{SLOPE}.flip(0)"),),
            "Your slopes stand in reverse order: {your_slopes}; expected {expected_slopes}.",
            LOOK_AT_SLOPE,
            r"flip|::-1|range",
        ),
        Mistake(
            "number_of_heads_ignored",
            ((SLOPE, "slope = 2.0 ** -head.float()"),),
            "Your slopes halve from head to head, {your_slopes}, and that is right for 8 heads "
            "only; here there are {heads}.",
            "Where does h stand in the formula?",
            r"\*\*|pow|exp",
        ),
        Mistake(
            "slopes_of_the_papers_program",
            ((SLOPE, PAPERS_SLOPES),),
            "Where the number of heads is no power of 2, you take slopes of the next smaller power "
            "and fill up the rest. The paper's own program does that; asked for is the formula, as "
            "it stands, for every h. Here: {your_slopes}, expected {expected_slopes}.",
            LOOK_AT_SLOPE,
            r"log2|closest|bit_length|power",
        ),
        Mistake(
            "one_slope_for_all",
            (
                (
                    SLOPE,
                    "slope = torch.full((num_heads,), 2.0 ** (-8.0 / num_heads), device=device)",
                ),
            ),
            "All your heads have the same slope.",
            "What does the formula say of head i?",
            r"\*\*|pow|exp",
        ),
        Mistake(
            "slopes_in_equal_steps",
            ((SLOPE, "slope = head / num_heads"),),
            "Your slopes grow in equal steps, {your_slopes}; expected {expected_slopes}, each a "
            "fixed share of the one before.",
            LOOK_AT_SLOPE,
            r"slope|/",
        ),
        Mistake(
            "exponent_positive",
            ((SLOPE, "slope = 2.0 ** (8.0 * head / num_heads)"),),
            "Your exponent has no minus: the slopes are {your_slopes}, expected {expected_slopes}.",
            LOOK_AT_SLOPE,
            r"\*\*|pow|exp",
        ),
        Mistake(
            "to_the_base_e",
            ((SLOPE, "slope = torch.exp(-8.0 * head / num_heads)"),),
            "Your slopes are powers of e, {your_slopes}; asked for are powers of 2.",
            LOOK_AT_SLOPE,
            r"exp",
        ),
        Mistake(
            "whole_exponents",
            ((SLOPE, "slope = 2.0 ** -(8 * head // num_heads)"),),
            "Your exponents are rounded to whole numbers: {your_slopes}, expected "
            "{expected_slopes}.",
            "What does // do?",
            r"//|int",
        ),
        Mistake(
            "key_position_only",
            ((BIAS, "return slope[:, None, None] * position[None, None, :]"),),
            "Your bias has shape {your_shape} and grows with the key's position. After the softmax "
            "that comes to the same, and some programs do it; asked for is the bias of every "
            "query and key, {expected_shape}.",
            "From where is a distance measured?",
            r"return|position",
        ),
        Mistake(
            "key_position_for_every_query",
            ((BIAS, "return (slope[:, None, None] * position).expand(-1, length, -1)"),),
            "Your bias grows with the key's position and is the same for every query. After the "
            "softmax that comes to the same; asked for is 0 where a query meets its own key, and "
            "less further back.",
            "From where is a distance measured?",
            r"return|position",
        ),
        Mistake(
            "no_slopes",
            ((BIAS, "return -distance.float().expand(num_heads, -1, -1)"),),
            "Your bias is the distance itself, for all heads: the slopes are not in it.",
            "What makes the heads differ?",
            r"return|expand|repeat",
        ),
        Mistake(
            "distance_squared",
            ((BIAS, "return -slope[:, None, None] * distance**2"),),
            "You take the square of the distance.",
            "Proportional to the distance: twice as far, twice as much.",
            r"\*\*|square|pow",
        ),
        Mistake(
            "heads_last",
            ((BIAS, "return -slope * distance[..., None]"),),
            "Your bias has shape {your_shape}; expected {expected_shape}, the heads first.",
            "Scores have shape (batch, heads, query, key): where must the heads stand?",
            r"None|unsqueeze|view|return",
        ),
        Mistake(
            "extra_dimension",
            ((BIAS, "return -slope[None, :, None, None] * distance"),),
            "Your bias has shape {your_shape}; expected {expected_shape}: it broadcasts over the "
            "batch by itself.",
            "Compare the shape with the docstring.",
            r"None|unsqueeze|view|return",
        ),
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
