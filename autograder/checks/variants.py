"""Lesson 7: how the parts that came after are checked."""

import math
from functools import partial

import torch

from ..compare import close
from ..exercise import Exercise, Mistake, Property
from ..ready_made import ATTENTION
from ..symptoms import few, shape
from ..trial import Answer, Call, StandIn, Trial, call
from .attention import what_a_mask_shows
from .multi_head import levels

# --- What several exercises need ------------------------------------------------------------------

LATER = (" (call 2)", " (call 3)", " (call 4)", " (call 5)")
LOOK_AT_GRAPH = (
    "Look for .detach(), .data, .item(), .numpy(), torch.tensor(...) or torch.no_grad()."
)
GRAPH_LINE = r"detach|\.data|item|numpy|no_grad|torch\.tensor"


def your_shape(seen):
    """A measure: the shape of the learner's output."""
    return shape(seen.yours["output"])


def expected_shape(seen):
    """A measure: the shape that the output should have."""
    return shape(seen.theirs["output"])


def graph_cut(*edits, whom="the input"):
    return Mistake(
        "graph_cut",
        edits,
        f"The numbers are right, but no gradient gets back to {whom}: nothing in front of it could "
        f"be trained.",
        LOOK_AT_GRAPH,
        GRAPH_LINE,
    )


def always_float32(*edits, variations=()):
    return Mistake(
        "always_float32",
        edits,
        "Whatever dtype comes in, your result is float32.",
        "Where does your code name a dtype, or make a tensor without naming one?",
        r"float|zeros|ones|empty|full|torch\.tensor",
        variations=variations,
    )


ALL_FLOAT = "query, key, value = query.float(), key.float(), value.float()\n    "


def with_dtype(trial, dtype):
    trial.dtype = dtype
    return trial


def with_gradients(trial):
    trial.gradients = True
    return trial


def with_strides(trial):
    trial.strided = True
    return trial


def watched(trial, what, limit):
    """The trial with tensors that remember how large those get that are made of them."""
    arguments = trial.calls[0].arguments
    made = {n: StandIn("watched", {"x": x}) for n, x in arguments.items() if n in WATCHED}
    trial.calls = [Call(arguments | made)]
    trial.digest = partial(how_large, what=what, limit=limit)
    return trial


WATCHED = ("query", "key", "value")


def how_large(answer, what, limit):
    """Is the largest tensor as large as the limit?"""
    facts = dict(answer.facts)
    facts[what] = facts.pop("largest tensor", 0) >= limit
    return Answer({}, facts)


def blank(answer):
    """The arrays of a random answer without their numbers: shapes and dtypes are left."""
    return {name: torch.zeros_like(x) for name, x in answer.arrays.items()}


# --- Rotary embedding -----------------------------------------------------------------------------


def turn(draw, leading=(2, 3), length=5, d_head=6, **arguments):
    """A trial that turns queries; `arguments` follow by position."""
    trial = call(x=draw.normal(*leading, length, d_head), **arguments)
    trial.sizes = {"length": length, "d_head": d_head, "pairs": d_head // 2}
    return trial


def turn_queries(draw):
    return turn(draw)


def turn_narrow_queries(draw):
    return turn(draw, leading=(3,), length=7, d_head=2)


def turn_without_batch(draw):
    return turn(draw, leading=(), length=4, d_head=10)


def turn_one_token(draw):
    return turn(draw, leading=(1, 2), length=1, d_head=4)


def turn_after_split_heads(draw):
    """Heads and length have changed places: the numbers do not lie in memory in their order."""
    trial = turn(draw, length=4, d_head=8)
    trial.calls = [Call({"x": draw.normal(2, 4, 3, 8).transpose(1, 2)})]
    return trial


def turn_further_on(draw):
    return turn(draw, length=4, d_head=8, offset=draw.integer(5, 20))


def turn_one_token_further_on(draw):
    return turn(draw, length=1, offset=draw.integer(5, 20))


def turn_with_another_base(draw):
    trial = turn(draw, length=4, d_head=8)
    trial.calls[0].options["base"] = 50.0
    return trial


def turn_with_offset_and_base(draw):
    return turn(draw, leading=(2,), length=3, d_head=4, offset=draw.integer(2, 9), base=300.0)


def turn_gradients(draw):
    return with_gradients(turn(draw, offset=2))


def turn_in_float64(draw):
    """A table of angles in float32 is accurate enough."""
    trial = with_dtype(turn(draw, length=4), torch.float64)
    trial.tolerance = 5.0
    return trial


def turn_in_bfloat16(draw):
    return with_dtype(turn(draw), torch.bfloat16)


def turn_far_on_in_bfloat16(draw):
    """bfloat16 has no numbers of its own for most positions above 256."""
    return with_dtype(turn(draw, length=6, offset=draw.integer(600, 700)), torch.bfloat16)


def pairs_change_length(seen):
    """A symptom: to turn an arrow leaves its length as it was."""
    x, yours = seen.arguments["x"].float(), seen.yours["output"].float()
    if yours.shape != x.shape or seen.trial.dtype == torch.bfloat16:
        return None
    before, after = x.norm(dim=-1), yours.norm(dim=-1)
    if bool(((before - after).abs() < 1e-3 * before).all()):
        return None
    return (
        f"Turning changes no vector's length, but yours get longer or shorter: before they are "
        f"{few(before, 3)} long, afterwards {few(after, 3)}."
    )


def first_token_moves(seen):
    """A symptom: at position 0 the angle is 0."""
    x, yours = seen.arguments["x"].float(), seen.yours["output"].float()
    start = seen.arguments.get("offset", 0)
    if start != 0 or yours.shape != x.shape or seen.trial.dtype == torch.bfloat16:
        return None
    if torch.allclose(x[..., 0, :], yours[..., 0, :], atol=1e-3):
        return None
    return (
        f"At position 0 every angle is 0, so the first token should stay as it is. Yours becomes "
        f"{few(yours[..., 0, :], 3)}; it was {few(x[..., 0, :], 3)}."
    )


PRECISE = "precise = torch.promote_types(x.dtype, torch.float32)"
POSITION = "torch.arange(offset, offset + length, device=x.device, dtype=precise)"
ANGLE = "angle = position[:, None] / base ** (two_i / d_head)"
SINES = "sine, cosine = angle.sin().to(x.dtype), angle.cos().to(x.dtype)"
PAIRS = "a, b = x[..., 0::2], x[..., 1::2]"
TURNED_B = "turned_b = a * sine + b * cosine"
TOGETHER = "return torch.stack([turned_a, turned_b], dim=-1).flatten(-2)"
LOOK_AT_ANGLE = (
    "Write down the angles of position 1, pair by pair, from the formula, and print yours."
)
LOOK_AT_PAIRS = "Which two features make a pair, and where do they go back to?"

rotary_embedding = Exercise(
    id="variants.rotary_embedding",
    properties=(
        Property(
            "values",
            4,
            "each pair of features is turned by the angle of its position",
            (turn_queries, turn_narrow_queries, turn_one_token),
            look="θ = position / base^(2i / d_head): pair 0 turns fastest, and position 0 not at "
            "all.",
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (turn_without_batch, turn_after_split_heads),
            look="Count dimensions from the right: -1 for features, -2 for tokens.",
        ),
        Property(
            "offset",
            1,
            "`offset` is the position of the first token",
            (turn_further_on, turn_one_token_further_on),
        ),
        Property(
            "base",
            1,
            "`base` says how slow the slowest pair is",
            (turn_with_another_base, turn_with_offset_and_base),
        ),
        Property(
            "gradients", 1, "gradients flow back to x", (turn_gradients,), aspects=("gradient",)
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x, and far positions keep their angles",
            (turn_in_float64, turn_in_bfloat16, turn_far_on_in_bfloat16),
            aspects=("dtype",),
            look="Which dtype do your positions and angles have? bfloat16 cannot even count beyond "
            "256.",
        ),
        Property("arguments", 1, "x stays as it was", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "halves",
            (
                (PAIRS, "a, b = x.chunk(2, dim=-1)"),
                (TOGETHER, "return torch.cat([turned_a, turned_b], dim=-1)"),
            ),
            "You pair feature 0 with feature {pairs}, the first half with the second. Some models "
            "do so (GPT-NeoX, Llama); asked for are neighbours: 0 with 1, 2 with 3, …",
            LOOK_AT_PAIRS,
            r"chunk|//|split|half|cat",
        ),
        Mistake(
            "halves_dealt_out",
            ((PAIRS, "a, b = x.chunk(2, dim=-1)"),),
            "You take your pairs from the two halves, but put them back as neighbours: the "
            "features change places, even at position 0.",
            LOOK_AT_PAIRS,
            r"chunk|//|split|half|stack",
        ),
        Mistake(
            "pairs_put_into_halves",
            ((TOGETHER, "return torch.cat([turned_a, turned_b], dim=-1)"),),
            "Your pairs are turned rightly, but put back in another order: first all a's, then all "
            "b's, where each pair should stand side by side again.",
            LOOK_AT_PAIRS,
            r"cat|stack",
        ),
        Mistake(
            "pairs_left_apart",
            ((TOGETHER, "return torch.stack([turned_a, turned_b], dim=-1)"),),
            "Your result has shape {your_shape}: the two features of a pair still have a dimension "
            "of their own.",
            "Which dimensions have to become one again?",
            r"stack|return",
        ),
        Mistake(
            "turned_backwards",
            ((SINES, SINES.replace("angle.sin()", "-angle.sin()")),),
            "You turn the other way round: the minus stands at the wrong sine.",
            "Compare your two lines with the formula, sign by sign.",
            r"sin",
        ),
        Mistake(
            "no_minus",
            (("turned_a = a * cosine - b * sine", "turned_a = a * cosine + b * sine"),),
            "Both of your lines have a plus. That is no turn: vectors get longer and shorter.",
            "Compare your two lines with the formula, sign by sign.",
            r"sin",
        ),
        Mistake(
            "sine_and_cosine_swapped",
            ((SINES, "cosine, sine = angle.sin().to(x.dtype), angle.cos().to(x.dtype)"),),
            "Sine and cosine have changed places: at position 0, where nothing should turn, you "
            "turn by 90 degrees.",
            "What are sin 0 and cos 0, and what should happen at position 0?",
            r"sin|cos",
        ),
        Mistake(
            "first_line_used_in_second",
            ((TURNED_B, "turned_b = turned_a * sine + b * cosine"),),
            "Your second feature is made from the first one after it was turned, and not before.",
            "Both lines of the formula speak of the old a and b.",
            r"sin",
        ),
        Mistake(
            "writes_over_its_input",
            (
                (
                    "turned_a = a * cosine - b * sine",
                    "x[..., 0::2] = a * cosine - b * sine",
                ),
                (TURNED_B, "x[..., 1::2] = a * sine + b * cosine"),
                (TOGETHER, "return x"),
            ),
            "You write the result into x. A slice of x is no copy: once the first line has "
            "written, the second reads a feature that has been turned already; and the caller's x "
            "is changed.",
            "Where should the results go, so that x stays as it was?",
            r"x\[.*\] ?=|copy_",
        ),
        Mistake(
            "changes_x",
            ((TOGETHER, f"x.copy_({TOGETHER[7:]})\n    return x"),),
            "The numbers are right, but you write them into the caller's x.",
            "Where should the results go, so that x stays as it was?",
            r"x\[.*\] ?=|copy_",
        ),
        Mistake(
            "half_the_exponent",
            ((ANGLE, ANGLE.replace("two_i", "two_i / 2")),),
            "Your exponent runs only up to one half: it is i / d_head in place of 2i / d_head, so "
            "the slow pairs turn too fast.",
            LOOK_AT_ANGLE,
            r"base|10000|\*\*|pow|exp",
        ),
        Mistake(
            "twice_the_exponent",
            ((ANGLE, ANGLE.replace("two_i", "2 * two_i")),),
            "Your exponent is twice as large as it should be: the 2 of 2i is in it twice, or you "
            "divide by d_head / 2.",
            LOOK_AT_ANGLE,
            r"base|10000|\*\*|pow|exp",
        ),
        Mistake(
            "pairs_counted_from_one",
            ((ANGLE, ANGLE.replace("two_i", "(two_i + 2)")),),
            "You count the pairs from 1: the first one turns as the second should, and so on.",
            LOOK_AT_ANGLE,
            r"arange|range",
        ),
        Mistake(
            "exponent_without_minus",
            ((ANGLE, ANGLE.replace("/ base **", "* base **")),),
            "You multiply the position by base^(2i / d_head), where the formula divides: your "
            "pairs turn faster and faster, in place of slower.",
            LOOK_AT_ANGLE,
            r"base|10000|\*\*|pow|exp",
        ),
        Mistake(
            "one_angle_for_all_pairs",
            ((ANGLE, ANGLE.replace("two_i", "0 * two_i")),),
            "All pairs of a token are turned by the same angle, its position.",
            LOOK_AT_ANGLE,
            r"base|angle|theta|freq|outer|einsum",
        ),
        Mistake(
            "positions_from_one",
            ((POSITION, POSITION.replace("(offset, offset", "(offset + 1, offset + 1")),),
            "You count positions from 1: the first token is turned as the second should be.",
            "What is the position of the first token, with offset=0?",
            r"arange|range|\+ ?1",
        ),
        Mistake(
            "offset_ignored",
            ((POSITION, POSITION.replace("(offset, offset + length", "(length")),),
            "You count positions from 0, whatever `offset` says.",
            "Which of your lines should speak of `offset`?",
            r"arange|range",
        ),
        Mistake(
            "offset_taken_away",
            ((POSITION, POSITION.replace("(offset, offset", "(-offset, -offset")),),
            "You subtract `offset` from the positions, and it is to be added.",
            "What is the position of the first token?",
            r"offset",
        ),
        Mistake(
            "offset_is_the_end",
            ((POSITION, POSITION.replace("(offset, offset + length", "(offset - length, offset")),),
            "You count up to `offset`, as if it were where the tokens end; it is where they begin.",
            "What is the position of the first token?",
            r"arange|range|offset",
        ),
        Mistake(
            "counted_along_dimension_1",
            (
                (POSITION, POSITION.replace("offset + length", "offset + x.shape[1]")),
                (
                    ANGLE,
                    f"{ANGLE}\n"
                    "    angle = angle.reshape(x.shape[1], *[1] * (x.dim() - 3), d_head // 2)",
                ),
            ),
            "You count positions along dimension 1. That is the length only if there is exactly "
            "one leading dimension; with heads it is their number.",
            "Count dimensions from the right: which one is always the length?",
            r"shape\[1\]|size\(1\)|shape",
        ),
        Mistake(
            "base_ignored",
            ((ANGLE, ANGLE.replace("base", "10000.0")),),
            "You always work with 10000, whatever `base` says.",
            "Which of your lines should speak of `base`?",
            r"10000|1e4",
        ),
        Mistake(
            "added_and_not_turned",
            (
                (
                    TOGETHER,
                    "return x + torch.stack([sine, cosine], dim=-1).flatten(-2)",
                ),
            ),
            "You add sines and cosines to x. That is lesson 3's encoding; here nothing is added, "
            "each pair of features is turned.",
            "How do you turn an arrow (a, b) by an angle?",
            r"\+",
        ),
        Mistake(
            "multiplied_feature_by_feature",
            (
                ("turned_a = a * cosine - b * sine", "turned_a = a * cosine"),
                (TURNED_B, "turned_b = b * sine"),
            ),
            "You multiply a by the cosine and b by the sine; half of the formula is missing, the "
            "half that brings a and b together.",
            "How do you turn an arrow (a, b) by an angle?",
            r"sin|cos",
        ),
        Mistake(
            "angles_in_bfloat16",
            ((PRECISE, "precise = x.dtype"),),
            "In bfloat16 your far positions are turned by wrong angles: you work out positions "
            "and angles in the dtype of x, and bfloat16 has 8 bits, so that 601 and 603 are one.",
            "In which dtype should angles be worked out, and when do they become x's?",
            r"arange|dtype|to\(",
            variations=tuple(
                ((PRECISE, "precise = x.dtype"), (ANGLE, f"angle = position[:, None] * {rate}"))
                for rate in (
                    "base ** (-two_i / d_head)",
                    "(1.0 / base ** (two_i / d_head))",
                    "torch.exp(two_i * (-math.log(base) / d_head))",
                    "torch.exp(-two_i * math.log(base) / d_head)",
                )
            ),
        ),
        graph_cut((TOGETHER, f"{TOGETHER}.detach()"), whom="x"),
        always_float32(
            (TOGETHER, f"{TOGETHER}.float()"),
            variations=(((PRECISE, f"x = x.float()\n    {PRECISE}"),),),
        ),
    ),
    hints=(
        "Take a single pair (a, b) at position 1, draw it as an arrow, and turn it by hand.",
        "You need a table of angles (length, pairs), its sines and cosines, and from x all first "
        "and all second features of the pairs.",
        "Positions as a column, the powers of base as a row, one division; two slices of x with "
        "step 2; the two lines of the formula; and neighbours put side by side again, with a "
        "dimension more that is then flattened away.",
    ),
    measures={"your_shape": your_shape},
    symptoms=(pairs_change_length, first_token_moves),
)

# --- ALiBi ----------------------------------------------------------------------------------------


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

# --- The sliding window ---------------------------------------------------------------------------


def window_of(length, window):
    trial = call(length=length, window=window)
    trial.sizes = {"length": length, "window": window}
    return trial


def window_of_some(draw):
    return window_of(draw.integer(7, 10), 3)


def window_of_more(draw):
    return window_of(9, draw.integer(4, 6))


def window_of_one(draw):
    return window_of(5, 1)


def window_of_two(draw):
    return window_of(6, 2)


def window_as_long(draw):
    return window_of(6, 6)


def window_far_longer(draw):
    return window_of(4, 9)


def window_over_one_token(draw):
    return window_of(1, 3)


SEES = "return (distance >= 0) & (distance < window)"


def sees(mistake_id, new, says, look, line=r"tril|triu|<|>|return"):
    return Mistake(mistake_id, ((SEES, f"return {new}"),), says, look, line)


def most_seen(seen):
    """A measure: how many keys a query sees at most in the learner's mask."""
    return int(seen.yours["output"].sum(-1).max())


sliding_window_mask = Exercise(
    id="variants.sliding_window_mask",
    properties=(
        Property(
            "values",
            3,
            "a position sees itself and the window - 1 positions before",
            (window_of_some, window_of_more),
        ),
        Property(
            "edges",
            2,
            "a window of one place, of two, and as long as the sequence",
            (window_of_one, window_of_two, window_as_long),
        ),
        Property(
            "sizes",
            1,
            "a window may be longer than the sequence",
            (window_far_longer, window_over_one_token),
        ),
        Property("dtype", 1, "the mask is boolean", aspects=("dtype",)),
    ),
    mistakes=(
        sees(
            "one_too_many",
            "(distance >= 0) & (distance <= window)",
            "Your queries see up to {most_seen} keys, and the window has {window} places: itself "
            "counts, too.",
            "With window=1, what is left?",
        ),
        sees(
            "one_too_few",
            "(distance >= 0) & (distance < window - 1)",
            "Your queries see up to {most_seen} keys, and the window has {window} places.",
            "With window=1, what is left?",
        ),
        sees(
            "not_itself",
            "(distance > 0) & (distance < window)",
            "Your diagonal is False: a position does not see itself.",
            "May a token look at itself?",
        ),
        sees(
            "window_behind_itself",
            "(distance > 0) & (distance <= window)",
            "Your window lies behind the position: it holds the {window} tokens before, and not "
            "the token itself.",
            "May a token look at itself?",
        ),
        sees(
            "both_sides",
            "distance.abs() < window",
            "Your window looks to both sides, as in the paper; asked for is the past only.",
            "What may a position see of its future?",
        ),
        sees(
            "centred",
            "distance.abs() <= window // 2",
            "Your window lies around the position, half of it in the future; asked for is the past "
            "only.",
            "What may a position see of its future?",
        ),
        sees(
            "future",
            "(distance <= 0) & (distance > -window)",
            "Your window looks forward: each position sees itself and what comes after.",
            "Rows are queries, columns are keys. Which side of the diagonal is the past?",
        ),
        sees(
            "everything_not_far_back",
            "distance < window",
            "Your mask hides what is too far back, but shows the whole future.",
            "A window has two edges.",
        ),
        sees(
            "no_window",
            "distance >= 0",
            "Your mask is the causal one: nothing is too far back.",
            "A window has two edges.",
        ),
        sees(
            "outside_of_the_window",
            "(distance >= 0) & (distance >= window)",
            "Your mask shows the past beyond the window, and hides the window.",
            "Which of the two should be True?",
        ),
        sees(
            "inverted",
            "~((distance >= 0) & (distance < window))",
            "Your mask is the other way round: True stands for what should be hidden.",
            "True means: may be attended to.",
            r"~|not|<|>|return",
        ),
        sees(
            "in_blocks",
            "(distance >= 0) & (position[:, None] // window == position[None, :] // window)",
            "Your window does not slide: positions are cut into blocks of {window}, and each sees "
            "only what is in its own block.",
            "The window ends at the position that looks.",
            r"//",
        ),
        sees(
            "always_a_full_window",
            "((distance >= 0) & (distance < window)) "
            "| ((position[:, None] < window) & (position[None, :] < window))",
            "Your first rows see {window} keys, too, some of them in the future: at the beginning "
            "a window is shorter.",
            "What may the very first position see?",
            r"max|clamp|min|\[",
        ),
        sees(
            "floats",
            "((distance >= 0) & (distance < window)).float()",
            "Your mask holds 1 and 0 as float32; expected is boolean, True and False.",
            "A comparison is boolean by itself.",
            r"ones|zeros|float|tril",
        ),
        sees(
            "integers",
            "((distance >= 0) & (distance < window)).long()",
            "Your mask holds 1 and 0 as whole numbers; expected is boolean, True and False.",
            "A comparison is boolean by itself.",
            r"ones|zeros|int|long|tril",
        ),
        sees(
            "minus_infinity",
            "torch.zeros(length, length).masked_fill("
            "(distance < 0) | (distance >= window), float('-inf'))",
            "Your mask holds 0 and -inf, to be added to scores; expected is boolean: True where a "
            "query may attend.",
            "Which of the two does the docstring ask for?",
            r"inf|fill",
        ),
        sees(
            "extra_dimension",
            "((distance >= 0) & (distance < window))[None]",
            "Your mask has shape {your_shape}; expected is {expected_shape}: it broadcasts by "
            "itself.",
            "Compare the shape with the docstring.",
            r"None|unsqueeze|view",
        ),
    ),
    hints=(
        "Draw the mask for six tokens and a window of three: rows for queries, columns for keys.",
        "How far does a key lie behind its query? Whether it may be seen depends on that distance "
        "alone, which has a lower and an upper limit.",
        "Positions once as a column and once as a row; their difference (length, length); two "
        "comparisons, joined by and.",
    ),
    measures={
        "your_shape": your_shape,
        "expected_shape": expected_shape,
        "most_seen": most_seen,
    },
    symptoms=(what_a_mask_shows,),
)


def slide(draw, length, window, leading=(2, 3), d_k=4, d_v=6, spread=1.0):
    trial = call(
        query=draw.normal(*leading, length, d_k, scale=spread),
        key=draw.normal(*leading, length, d_k),
        value=draw.normal(*leading, length, d_v),
        window=window,
    )
    trial.sizes = {"length": length, "window": window, "d_k": d_k, "d_v": d_v}
    return trial


def slide_over_whole_blocks(draw):
    return slide(draw, 8, 4)


def slide_over_three_blocks(draw):
    return slide(draw, 9, 3, leading=(2,))


def slide_with_a_rest(draw):
    return slide(draw, 8, 3)


def slide_with_a_rest_of_one(draw):
    return slide(draw, 9, 4, leading=(3,), d_k=5, d_v=3)


def slide_with_window_of_one(draw):
    return slide(draw, 5, 1)


def slide_with_window_as_long(draw):
    return slide(draw, 5, 5)


def slide_with_longer_window(draw):
    return slide(draw, 4, 9)


def slide_over_one_token(draw):
    return slide(draw, 1, 2)


def slide_without_batch(draw):
    return slide(draw, 7, 3, leading=(), d_k=5, d_v=4)


def slide_over_more_dimensions(draw):
    return slide(draw, 5, 3, leading=(2, 1, 3))


def slide_strided(draw):
    return with_strides(slide(draw, 7, 3))


def slide_with_strong_scores(draw):
    return slide(draw, 8, 3, spread=1e4)


def slide_gradients(draw):
    return with_gradients(slide(draw, 7, 3, leading=(2,)))


def slide_over_many(draw):
    """A sequence far longer than its window, to see how large a tensor gets on the way."""
    trial = slide(draw, 40, 3, leading=(), d_k=2, d_v=2)
    return watched(trial, "scores of all queries and keys at once", 40 * 40)


def slide_in_float64(draw):
    return with_dtype(slide(draw, 7, 3), torch.float64)


def slide_in_bfloat16(draw):
    return with_dtype(slide(draw, 7, 3), torch.bfloat16)


CUT = "query = cut(query)"
NO_FIRST = "mask[0, :, :window] = False"
SLIDE = "output, _ = scaled_dot_product_attention(query, key, value, mask)"
UNCUT = "return output.flatten(-3, -2)[..., :length, :]"
NEIGHBOURS = "key, value = with_previous(cut(key)), with_previous(cut(value))"
PREVIOUS = "previous = F.pad(x, (0, 0, 0, 0, 1, 0))[..., :-1, :, :]"
SIDE_BY_SIDE = "return torch.cat([previous, x], dim=-2)"
IN_ONE_GO = "return scaled_dot_product_attention(query, key, value, {})[0]"
LOOK_AT_BLOCKS = (
    "Take length 6 and window 3: write down for each query which keys it may see, and in which "
    "blocks they lie."
)


def under(mask):
    """Edits that come to full attention under another mask: query by query, and all at once."""
    by_query = (
        "return torch.cat([scaled_dot_product_attention(query[..., i : i + 1, :], key, value, "
        f"({mask})[i : i + 1])[0] for i in range(length)], dim=-2)"
    )
    return ((CUT, by_query),), ((CUT, IN_ONE_GO.format(mask)),)


def in_one_go(mistake_id, mask, says, look, line=r"mask"):
    edits, variation = under(mask)
    return Mistake(mistake_id, edits, says, look, line, variations=(variation,))


def wrong_places(seen):
    """A symptom: which positions come out right?"""
    yours, expected = seen.yours["output"].float(), seen.theirs["output"].float()
    if yours.shape != expected.shape or yours.dim() < 2:
        return None
    off = (yours - expected).abs().amax(-1).flatten(0, -2) if yours.dim() > 2 else None
    off = (yours - expected).abs().amax(-1)[None] if off is None else off
    wrong = (~(off < 1e-2)).any(0).nonzero().flatten().tolist()
    length = yours.shape[-2]
    if not wrong or len(wrong) == length:
        return None
    return (
        f"Your output is right at some positions, and wrong at {', '.join(map(str, wrong))} (of "
        f"{length}, with a window of {seen['window']})."
    )


sliding_window_attention = Exercise(
    id="variants.sliding_window_attention",
    properties=(
        Property(
            "values",
            3,
            "the output is that of attention under the window's mask",
            (slide_over_whole_blocks, slide_over_three_blocks),
            look=LOOK_AT_BLOCKS,
        ),
        Property(
            "cost",
            2,
            "nothing on the way is as large as (length, length)",
            (slide_over_many,),
            look=LOOK_AT_BLOCKS,
        ),
        Property(
            "rest",
            1,
            "the length need not be a multiple of the window",
            (slide_with_a_rest, slide_with_a_rest_of_one),
            look="What stands in the last block behind the last token, and who may see it?",
        ),
        Property(
            "edges",
            1,
            "a window of one place, as long as the sequence, and longer",
            (
                slide_with_window_of_one,
                slide_with_window_as_long,
                slide_with_longer_window,
                slide_over_one_token,
            ),
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (slide_without_batch, slide_over_more_dimensions, slide_strided),
            look="Count dimensions from the right: -1 for features, -2 for tokens.",
        ),
        Property("stable", 1, "scores of any size are no trouble", (slide_with_strong_scores,)),
        Property(
            "gradients",
            1,
            "gradients reach query, key and value",
            (slide_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the query",
            (slide_in_float64, slide_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "query, key and value stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "full_matrix",
            ((CUT, IN_ONE_GO.format("sliding_window_mask(length, window)")),),
            "The numbers are right, but on the way there is a tensor as large as all {length} · "
            "{length} scores: that costs as much as full attention.",
            LOOK_AT_BLOCKS,
            r"attention\(|@|matmul|einsum",
        ),
        in_one_go(
            "window_ignored",
            "causal_mask(length)",
            "Your queries see their whole past: `window` makes no difference.",
            "Which of your lines should speak of `window`?",
            r"causal|mask",
        ),
        in_one_go(
            "nothing_hidden",
            "torch.ones(length, length, dtype=torch.bool, device=query.device)",
            "Every query sees every key, also those of the future.",
            "What does the mask that is made for you say?",
            r"attention\(",
        ),
        in_one_go(
            "window_one_too_long",
            "sliding_window_mask(length, window + 1)",
            "Your queries see one key more than the {window} of the window.",
            "With window=1, what should each position see?",
        ),
        in_one_go(
            "window_one_too_short",
            "sliding_window_mask(length, max(window - 1, 1))",
            "Your queries see one key fewer than the {window} of the window.",
            "With window=1, what should each position see?",
        ),
        in_one_go(
            "both_sides",
            "sliding_window_mask(length, window) | sliding_window_mask(length, window).T",
            "Your window looks to both sides, as in the paper; asked for is the past only.",
            "What may a position see of its future?",
        ),
        in_one_go(
            "future",
            "sliding_window_mask(length, window).T",
            "Your window looks forward: each position sees itself and what comes after.",
            "Rows are queries, columns are keys. Which side of the diagonal is the past?",
        ),
        Mistake(
            "own_block_only",
            ((CUT, f"mask[:, :, :window] = False\n    {CUT}"),),
            "Each query sees only what lies in its own block of {window}: the first of a block "
            "sees nothing but itself.",
            LOOK_AT_BLOCKS,
            r"cat|block|unflatten|mask",
        ),
        Mistake(
            "whole_own_block",
            (
                (NEIGHBOURS, "key, value = cut(key), cut(value)"),
                (SLIDE, SLIDE.replace("mask)", "None)")),
            ),
            "Each query sees all of its own block of {window}, also what comes after it, and "
            "nothing of the block before.",
            LOOK_AT_BLOCKS,
            r"attention\(",
        ),
        Mistake(
            "both_blocks_whole",
            ((SLIDE, SLIDE.replace("mask)", "None)")),),
            "Each query sees its own block and the one before as a whole: the mask is not handed "
            "on.",
            "What does the mask that is made for you say?",
            r"attention\(",
        ),
        Mistake(
            "mask_inverted",
            ((SLIDE, SLIDE.replace("mask)", "~mask)")),),
            "Your mask works the other way round: your queries see what they should not.",
            "True means: may be attended to.",
            r"~|mask",
        ),
        Mistake(
            "own_block_first",
            ((SIDE_BY_SIDE, "return torch.cat([x, previous], dim=-2)"),),
            "You put each block's own keys in front of those of the block before; the columns of "
            "the mask have the block before first.",
            "In which order do the columns of the mask speak of the keys?",
            r"cat",
        ),
        Mistake(
            "next_block",
            (
                (
                    PREVIOUS,
                    "previous = F.pad(x, (0, 0, 0, 0, 0, 1))[..., 1:, :, :]",
                ),
            ),
            "You put the block after beside each block, and not the one before.",
            "Into which direction do the blocks have to be pushed?",
            r"roll|pad|cat|\[",
        ),
        Mistake(
            "own_block_twice",
            ((PREVIOUS, "previous = x"),),
            "You put each block beside itself: what stands for the block before is the same block "
            "again.",
            "Into which direction do the blocks have to be pushed?",
            r"roll|pad|cat",
        ),
        Mistake(
            "zeros_attended",
            ((NO_FIRST, "pass"),),
            "The first queries also see the zeros in front of the first token: a score of 0 is a "
            "score like any other, and takes a part of the weight.",
            "What stands before the first token, and who says that it may not be seen?",
            r"pad|zeros|mask",
            variations=(((NO_FIRST, "pass"), ("window = min(window, length)", "pass")),),
        ),
        Mistake(
            "first_block_for_all",
            ((PREVIOUS, "previous = x[..., :1, :, :].expand_as(x)"),),
            "What stands for the block before is the first block, for all blocks.",
            "Into which direction do the blocks have to be pushed?",
            r"roll|pad|cat|expand|repeat",
        ),
        Mistake(
            "values_not_with_keys",
            (
                (
                    NEIGHBOURS,
                    "key = with_previous(cut(key))\n"
                    "    value = torch.cat([cut(value), cut(value)], dim=-2)",
                ),
            ),
            "Your keys come from the block before and from the own block, but your values come "
            "from the own block twice.",
            "Every key needs its own value beside it.",
            r"value",
        ),
        Mistake(
            "values_in_other_order",
            (
                (
                    NEIGHBOURS,
                    "key, value = with_previous(cut(key)), with_previous(cut(value))\n"
                    "    value = torch.cat([value[..., window:, :], value[..., :window, :]], -2)",
                ),
            ),
            "Your keys have the block before first, your values the own block: each key gets "
            "another's value.",
            "Every key needs its own value beside it.",
            r"cat",
        ),
        Mistake(
            "filling_left_on",
            ((UNCUT, "return output.flatten(-3, -2)"),),
            "Your result has shape {your_shape}, expected {expected_shape}: the zeros that filled "
            "up the last block are still there.",
            "How many tokens went in?",
            r"flatten|reshape|return",
        ),
        Mistake(
            "last_tokens_lost",
            (
                (
                    UNCUT,
                    "return output.flatten(-3, -2)[..., : length // window * window, :]",
                ),
            ),
            "Your result has shape {your_shape}, expected {expected_shape}: the tokens of the last "
            "block, which is not full, are missing.",
            "How many tokens went in?",
            r"flatten|reshape|return|//",
        ),
        Mistake(
            "blocks_left_apart",
            ((UNCUT, "return output"),),
            "Your result has shape {your_shape}: blocks and their places are still two dimensions; "
            "expected {expected_shape}.",
            "Which two dimensions have to become one again?",
            r"return",
        ),
        Mistake(
            "blocks_and_places_mixed",
            ((UNCUT, UNCUT.replace("output.flatten", "output.transpose(-3, -2).flatten")),),
            "The shape is right, but the tokens stand in another order: first the first token of "
            "every block, then the second of every block.",
            "In which order do the tokens come, if block stands in front of place?",
            r"transpose|permute|flatten|reshape",
        ),
        Mistake(
            "output_and_weights",
            (
                (SLIDE, SLIDE.replace("output, _ =", "output, weights =")),
                (UNCUT, f"{UNCUT}, weights"),
            ),
            "You return two things; expected is the output alone.",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "scaled_twice",
            ((SLIDE, SLIDE.replace("(query,", "(query / math.sqrt(query.shape[-1]),")),),
            "Your scores are divided by the root of d_k={d_k} twice: the weights are too flat.",
            "The attention of lesson 1 scales by itself.",
            r"sqrt",
        ),
        Mistake(
            "no_scale",
            ((SLIDE, SLIDE.replace("(query,", "(query * math.sqrt(query.shape[-1]),")),),
            "Your scores are not scaled by the root of d_k={d_k}: the weights are too sharp.",
            "Scores grow with the width of the vectors.",
            r"@|matmul|einsum",
        ),
        Mistake(
            "dimensions_counted_from_left",
            ((SIDE_BY_SIDE, "return torch.cat([previous, x], dim=2)"),),
            "You put blocks together along dimension 2. That is the right one only if there is "
            "exactly one leading dimension.",
            "Count dimensions from the right.",
            r"dim ?= ?\d|, \d\)",
        ),
        graph_cut((UNCUT, f"{UNCUT}.detach()"), whom="query, key and value"),
        always_float32(
            (UNCUT, f"{UNCUT}.float()"),
            variations=(((CUT, f"{ALL_FLOAT}{CUT}"),),),
        ),
    ),
    hints=(
        "Take length 6 and window 3. Which keys may query 3 see, and which block are they in?",
        "Cut queries, keys and values into blocks. Beside each block's own keys and values lay "
        "those of the block before; the mask that is made for you says which of the two may be "
        "seen. Then attention works on all blocks at once, as on a batch.",
        "A function that pushes all blocks one place on (an empty one in front, the last one off) "
        "and joins them with the blocks themselves along the tokens; attention under the mask; "
        "blocks and places to one dimension again; the filling cut off.",
    ),
    measures={"your_shape": your_shape, "expected_shape": expected_shape},
    symptoms=(wrong_places,),
)

# --- Tiles ----------------------------------------------------------------------------------------


def tiles(draw, mask=None, leading=(2, 3), queries=5, keys=10, d_k=4, d_v=6, tile=3, spread=1.0):
    arguments = {
        "query": draw.normal(*leading, queries, d_k, scale=spread),
        "key": draw.normal(*leading, keys, d_k),
        "value": draw.normal(*leading, keys, d_v),
        "mask": mask,
        "tile": tile,
    }
    names = ("queries", "keys", "d_k", "d_v", "tile")
    return Trial([Call(arguments)], sizes=dict(zip(names, (queries, keys, d_k, d_v, tile))))


def tiles_with_a_rest(draw):
    return tiles(draw)


def tiles_of_two(draw):
    return tiles(draw, leading=(3,), queries=4, keys=6, d_k=5, d_v=3, tile=2)


def tiles_of_one_key(draw):
    return tiles(draw, queries=3, keys=5, tile=1)


def tiles_as_long(draw):
    return tiles(draw, queries=3, keys=5, tile=5)


def tiles_by_default(draw):
    """Only query, key and value: 64 keys at once, and here there are fewer."""
    trial = tiles(draw, leading=(2,))
    arguments = trial.calls[0].arguments
    trial.calls = [Call({name: arguments[name] for name in ("query", "key", "value")})]
    return trial


def tiles_over_one_key(draw):
    return tiles(draw, queries=1, keys=1, tile=4)


def tiles_without_batch(draw):
    return tiles(draw, leading=(), queries=4, keys=5, d_k=6, d_v=3, tile=2)


def tiles_strided(draw):
    return with_strides(tiles(draw, draw.mask(2, 1, 5, 10)))


def tiles_with_mask(draw):
    return tiles(draw, draw.mask(2, 3, 5, 10))


def tiles_with_shared_mask(draw):
    return tiles(draw, draw.mask(5, 10))


def tiles_with_padding(draw):
    return tiles(draw, draw.mask(2, 1, 1, 10))


def tiles_wholly_hidden(draw):
    """For some queries a whole tile is hidden: the first, the last, one in the middle."""
    mask = torch.ones(5, 8, dtype=torch.bool)
    mask[0, :3] = mask[1, :6] = False
    mask[2, 3:6] = mask[3, 6:] = mask[4, 4] = False
    return tiles(draw, mask, keys=8)


def tiles_with_strong_scores(draw):
    return tiles(draw, spread=1e4)


def tiles_with_low_scores(draw):
    """All scores are far below 0."""
    trial = tiles(draw, leading=(2,), spread=1e4)
    arguments = trial.calls[0].arguments
    arguments["query"], arguments["key"] = arguments["query"].abs(), -arguments["key"].abs()
    return trial


def tiles_with_strong_hidden_scores(draw):
    """Each query sees only the three keys with its lowest scores."""
    trial = tiles(draw, spread=1e4)
    arguments = trial.calls[0].arguments
    scores = arguments["query"] @ arguments["key"].transpose(-2, -1)
    arguments["mask"] = scores <= scores.kthvalue(3, dim=-1, keepdim=True).values
    return trial


def tiles_over_many(draw):
    """Many queries and keys, to see how large a tensor gets on the way."""
    trial = tiles(draw, leading=(), queries=40, keys=40, d_k=2, d_v=2, tile=8)
    return watched(trial, "scores of all queries and keys at once", 40 * 40)


def tiles_gradients(draw):
    return with_gradients(tiles(draw, draw.mask(5, 10), leading=(2,)))


def tiles_in_float64(draw):
    return with_dtype(tiles(draw, draw.mask(5, 10)), torch.float64)


def tiles_in_bfloat16(draw):
    return with_dtype(tiles(draw, draw.mask(5, 10)), torch.bfloat16)


LOOP = "for start in range(0, key.shape[-2], tile):"
WHOLE_TILES = "for start in range(0, key.shape[-2] // tile * tile, tile):"
HIGHEST_FIRST = 'query.new_full((*query.shape[:-1], 1), float("-inf"))'
NO_ZEROS = ("total = total.masked_fill(total == 0, 1.0)", "pass")
ALLOWED = "allowed = mask[..., here]"
SCORES = "scores = query @ key[..., here, :].transpose(-2, -1)"
HIDE = "scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)"
HIGHEST = "new_highest = torch.maximum(highest, scores.amax(-1, keepdim=True)).detach()"
SHRINK = "shrink = torch.exp(highest - new_highest)"
EXPONENTIALS = "exponentials = torch.exp(scores - new_highest).masked_fill(~allowed, 0.0)"
TOTAL = "total = total * shrink + exponentials.sum(-1, keepdim=True)"
OUTPUT = "output = output * shrink + exponentials @ value[..., here, :]"
KEEP_HIGHEST = "highest = new_highest"
MIXED = "return output / total"
NOT_ERASED = (EXPONENTIALS, EXPONENTIALS.replace(".masked_fill(~allowed, 0.0)", ""))
LOOK_AT_TILES = (
    "Take two tiles of one key each, with scores 1 and 3, and follow the highest score, the sum "
    "and the mixed values on paper."
)
LOOK_AT_HIDDEN = "Which of your lines decide what a hidden key adds to the sum?"


tiled_attention = Exercise(
    id="variants.tiled_attention",
    properties=(
        Property(
            "values",
            3,
            "the output is exactly that of attention, tile by tile",
            (tiles_with_a_rest, tiles_of_two, tiles_of_one_key),
            look=LOOK_AT_TILES,
        ),
        Property(
            "cost",
            2,
            "the scores of all keys are never held at once",
            (tiles_over_many,),
            look="How many keys should be looked at together?",
        ),
        Property(
            "sizes",
            1,
            "one tile, one key, any leading dimensions",
            (
                tiles_as_long,
                tiles_by_default,
                tiles_over_one_key,
                tiles_without_batch,
                tiles_strided,
            ),
        ),
        Property(
            "mask",
            2,
            "hidden keys count for nothing, also where a whole tile is hidden",
            (tiles_with_mask, tiles_with_shared_mask, tiles_with_padding, tiles_wholly_hidden),
            look=LOOK_AT_HIDDEN,
        ),
        Property(
            "stable",
            1,
            "scores of any size are no trouble",
            (tiles_with_strong_scores, tiles_with_low_scores, tiles_with_strong_hidden_scores),
            look="Can any exponential in your code be larger than 1?",
        ),
        Property(
            "gradients",
            1,
            "gradients reach query, key and value",
            (tiles_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the query",
            (tiles_in_float64, tiles_in_bfloat16),
            aspects=("dtype",),
        ),
        Property(
            "arguments", 1, "query, key, value and mask stay as they were", aspects=("changed",)
        ),
    ),
    mistakes=(
        Mistake(
            "all_at_once",
            ((LOOP, f"tile = key.shape[-2]\n    {LOOP}"),),
            "The numbers are right, but the scores of all keys are there at once: `tile` makes no "
            "difference.",
            "How many keys should be looked at together?",
            r"attention\(|@|matmul|einsum",
        ),
        Mistake(
            "rest_left_out",
            ((LOOP, f"tile = min(tile, key.shape[-2])\n    {WHOLE_TILES}"),),
            "The last tile is left out where it is not full: your keys end at a multiple of "
            "tile={tile}.",
            "How many keys has the last tile?",
            r"range|//",
            variations=(((LOOP, WHOLE_TILES),),),
        ),
        Mistake(
            "highest_begins_at_zero",
            ((HIGHEST_FIRST, "torch.zeros_like(query[..., :1])"),),
            "Your highest score begins at 0. Where all scores are far below it, their exponentials "
            "are all 0.",
            "Below which number lies every score?",
            r"zeros|= ?0",
            variations=(((HIGHEST_FIRST, "torch.zeros_like(query[..., :1])"), NO_ZEROS),),
        ),
        Mistake(
            "nothing_shrinks",
            (
                (TOTAL, TOTAL.replace(" * shrink", "")),
                (OUTPUT, OUTPUT.replace(" * shrink", "")),
            ),
            "When a tile brings a higher score, your sum and your mixed values stay as large as "
            "they were, though they were measured against a lower one.",
            LOOK_AT_TILES,
            r"\+",
        ),
        Mistake(
            "total_does_not_shrink",
            ((TOTAL, TOTAL.replace(" * shrink", "")),),
            "When a tile brings a higher score, you shrink the mixed values, but not the sum of "
            "the exponentials.",
            LOOK_AT_TILES,
            r"total|sum",
        ),
        Mistake(
            "output_does_not_shrink",
            ((OUTPUT, OUTPUT.replace(" * shrink", "")),),
            "When a tile brings a higher score, you shrink the sum of the exponentials, but not "
            "the mixed values.",
            LOOK_AT_TILES,
            r"output|@|matmul",
        ),
        Mistake(
            "new_part_shrinks",
            (
                (
                    TOTAL,
                    "total = total * shrink + exponentials.sum(-1, keepdim=True) * shrink",
                ),
                (
                    OUTPUT,
                    "output = output * shrink + exponentials @ value[..., here, :] * shrink",
                ),
            ),
            "You shrink the new tile's share together with the old one; the new one is already "
            "measured against the new highest score.",
            LOOK_AT_TILES,
            r"\+",
        ),
        Mistake(
            "nothing_but_nan",
            ((SHRINK, "shrink = torch.exp(new_highest - highest)"),),
            "Your output is NaN from the first tile on. Before it the highest score is -inf: "
            "exp(old - new) is 0 then, but exp(new - old), or exp(score - old), is inf.",
            "Write down your exponentials for the very first tile.",
            r"exp",
            variations=(((EXPONENTIALS, EXPONENTIALS.replace("new_highest", "highest")),),),
        ),
        Mistake(
            "only_last_tile",
            ((KEEP_HIGHEST, "pass"),),
            "Only the last tile counts: what the tiles before have found is lost, or is multiplied "
            "by 0 because the highest score is still -inf.",
            "What has to be remembered until the next tile comes?",
            r"max",
            variations=(
                (
                    (TOTAL, "total = exponentials.sum(-1, keepdim=True)"),
                    (OUTPUT, "output = exponentials @ value[..., here, :]"),
                ),
            ),
        ),
        Mistake(
            "total_of_last_tile",
            ((TOTAL, "total = exponentials.sum(-1, keepdim=True)"),),
            "You divide by the sum of the last tile's exponentials; those of the tiles before are "
            "lost.",
            "What has to be remembered until the next tile comes?",
            r"total|sum",
        ),
        Mistake(
            "output_of_last_tile",
            ((OUTPUT, "output = exponentials @ value[..., here, :]"),),
            "Your mixed values are those of the last tile; those of the tiles before are lost.",
            "What has to be remembered until the next tile comes?",
            r"output|@|matmul",
        ),
        Mistake(
            "highest_of_the_tile",
            (
                (
                    HIGHEST,
                    "new_highest = scores.amax(-1, keepdim=True).detach()",
                ),
            ),
            "Your highest score is that of the last tile, and may be lower than one before: then "
            "exp(old - new) grows beyond all limits.",
            "What is the highest score of all that was seen so far?",
            r"max",
        ),
        Mistake(
            "one_maximum_for_all",
            (
                (
                    HIGHEST,
                    "new_highest = torch.maximum(highest, scores.max()).detach()",
                ),
            ),
            "You take the highest score of the whole tile, of all queries together. A query that "
            "lies far below it has only exponentials of 0 left.",
            "Each query needs a maximum of its own.",
            r"max",
        ),
        Mistake(
            "no_maximum",
            (
                (HIGHEST, "new_highest = torch.zeros_like(highest)"),
                (SHRINK, "shrink = 1.0"),
            ),
            "Small scores come out right, large ones do not: their exponentials overflow to inf, "
            "or are all 0.",
            "What is the highest score for?",
            r"exp",
        ),
        Mistake(
            "divided_in_every_tile",
            ((KEEP_HIGHEST, f"{KEEP_HIGHEST}\n        output = output / total"),),
            "You divide by the sum after every tile; what was divided once is divided again at the "
            "next.",
            "When is the sum complete?",
            r"/",
        ),
        Mistake(
            "tiles_added",
            (
                (TOTAL, "total = torch.ones_like(total)"),
                (
                    OUTPUT,
                    "output = output + exponentials / exponentials.sum(-1, keepdim=True) "
                    "@ value[..., here, :]",
                ),
            ),
            "Each of your tiles has a softmax of its own, and the results are added up: a query's "
            "weights add up to the number of tiles.",
            "Against whose exponentials does a key compete: those of its tile, or all?",
            r"softmax|sum|/",
        ),
        Mistake(
            "tiles_averaged",
            (
                (TOTAL, "total = total + 1"),
                (
                    OUTPUT,
                    "output = output + exponentials / exponentials.sum(-1, keepdim=True) "
                    "@ value[..., here, :]",
                ),
            ),
            "Each of your tiles has a softmax of its own, and the results are averaged: a tile "
            "with low scores counts for as much as one with high scores.",
            "Against whose exponentials does a key compete: those of its tile, or all?",
            r"softmax|mean|sum|/",
            variations=(
                (
                    (TOTAL, "total = total + 1"),
                    (
                        OUTPUT,
                        "output = output + (exponentials / exponentials.sum(-1, keepdim=True))"
                        ".nan_to_num() @ value[..., here, :]",
                    ),
                ),
            ),
        ),
        Mistake(
            "not_divided",
            ((MIXED, "return output"),),
            "Your exponentials are not divided by their sum.",
            "What turns exponentials into shares?",
            r"return",
        ),
        Mistake(
            "mask_ignored",
            (
                (HIDE, "pass"),
                NOT_ERASED,
            ),
            "The output is the same with and without a mask.",
            LOOK_AT_HIDDEN,
            r"mask",
        ),
        Mistake(
            "mask_inverted",
            ((ALLOWED, "allowed = ~mask[..., here]"),),
            "Your mask works the other way round: the keys that should be hidden are the only ones "
            "that count.",
            "True means: may be attended to. Which places are to be filled?",
            r"mask|allowed",
            variations=(
                ((HIDE, HIDE.replace("~", "")), NOT_ERASED),
                ((HIDE, "scores = scores.masked_fill(allowed, float('-inf'))"), NOT_ERASED),
            ),
        ),
        Mistake(
            "hidden_score_zero",
            (
                (HIDE, "scores = scores.masked_fill(~allowed, 0.0)"),
                NOT_ERASED,
            ),
            "Hidden keys get a score of 0, and not of nothing: their exponentials still count.",
            LOOK_AT_HIDDEN,
            r"mask|allowed",
        ),
        Mistake(
            "hidden_by_minus_100",
            (
                (HIDE, "scores = scores.masked_fill(~allowed, -100.0)"),
                NOT_ERASED,
            ),
            "Hidden keys get a score of -100, and that is not low enough: where the visible "
            "scores are lower still, hidden keys count.",
            "Which score has an exponential of exactly 0, however low the others are?",
            r"fill|where|100",
        ),
        Mistake(
            "hidden_by_minus_10000",
            (
                (HIDE, "scores = scores.masked_fill(~allowed, -1e4)"),
                NOT_ERASED,
            ),
            "Hidden keys get a score of -10000, and that is not low enough: where the visible "
            "scores are lower still, hidden keys count.",
            "Which score has an exponential of exactly 0, however low the others are?",
            r"fill|where|1e4|10000",
        ),
        Mistake(
            "hidden_by_infinity",
            (
                (HIDE, "scores = scores.masked_fill(~allowed, float('-inf'))"),
                NOT_ERASED,
            ),
            "Where the first tile is hidden as a whole, your highest score is -inf, and "
            "-inf - -inf is NaN.",
            "What is the highest score of a tile in which everything is hidden?",
            r"inf",
        ),
        Mistake(
            "hidden_only_in_the_sum",
            (
                (HIDE, "pass"),
                NOT_ERASED,
                (
                    "total = total * shrink + exponentials.sum",
                    "total = total * shrink + (exponentials * allowed).sum",
                ),
            ),
            "Hidden keys are left out of the sum, but their values are still mixed in.",
            LOOK_AT_HIDDEN,
            r"mask|allowed",
        ),
        Mistake(
            "hidden_only_in_the_mixture",
            (
                (HIDE, "pass"),
                NOT_ERASED,
                ("+ exponentials @ value", "+ (exponentials * allowed) @ value"),
            ),
            "Hidden keys' values are left out, but their exponentials are still in the sum: the "
            "shares of the others are too small.",
            LOOK_AT_HIDDEN,
            r"mask|allowed",
        ),
        Mistake(
            "hidden_too_late_for_the_maximum",
            ((HIDE, "pass"),),
            "Hidden keys count for nothing, but they take part in the highest score: where a "
            "hidden score is far above the visible ones, those have only exponentials of 0 left.",
            "Whose scores should the highest one be looked for among?",
            r"max",
        ),
        Mistake(
            "scaled_twice",
            ((SCORES, f"{SCORES} / math.sqrt(query.shape[-1])"),),
            "Your scores are divided by the root of d_k={d_k} twice: it has been done to the query "
            "before the loop.",
            "What happens to the query before the loop?",
            r"sqrt|\*\* ?-?0\.5",
        ),
        Mistake(
            "no_scale",
            ((SCORES, SCORES.replace("query @", "query * math.sqrt(query.shape[-1]) @")),),
            "Your scores are not scaled by the root of d_k={d_k}: the weights are too sharp.",
            "Scores grow with the width of the vectors.",
            r"@|matmul|einsum",
        ),
        Mistake(
            "keys_in_place_of_values",
            ((OUTPUT, OUTPUT.replace("value[", "key[")), ("value.shape[-1])", "key.shape[-1])")),
            "Your output is a mixture of the keys: it is {d_k} wide, and values are {d_v} wide.",
            "A key says what a token offers, a value what it hands over. Which one is handed over?",
            r"@|matmul|einsum",
        ),
        graph_cut((MIXED, "return (output / total).detach()"), whom="query, key and value"),
        always_float32(
            (MIXED, "return (output / total).float()"),
            variations=((("query = query / math", f"{ALL_FLOAT}query = query / math"),),),
        ),
    ),
    hints=(
        "Add up 1/e^2 + 1/e^1 + 1 in two ways: all at once, and one by one, with only the highest "
        "exponent so far taken out. What has to be done when a higher one comes?",
        "What is kept is measured against the highest score so far. When it rises, everything that "
        "was kept shrinks by the same factor; then the new tile's share is added.",
        "In the loop: the tile's mask and scores, the hidden ones very low; the new highest; the "
        "factor; the tile's exponentials, 0 where hidden; the sum and the mixed values, each "
        "shrunk and added to; the new highest kept.",
    ),
    refuses=ATTENTION,
    instead="write the loop's body with exponentials, a running maximum and running sums.",
)

# --- Causal self-attention with a memory ----------------------------------------------------------

BUILD = {"d_model": 12, "num_heads": 3}
POSITIONS = (None, "rotary", "alibi")


def read(draw, positions=None, build=None, batch=2, length=6, **trial):
    """A trial of the module with random weights that reads a sequence at once."""
    build = build or BUILD
    d_model, heads = build["d_model"], build["num_heads"]
    calls = [Call({"x": draw.normal(batch, length, d_model)})]
    state = draw.weights(draw.reference(**build))
    sizes = {"batch": batch, "length": length, "heads": heads}
    sizes |= {"d_model": d_model, "d_head": d_model // heads}
    options = {"positions": positions} if positions else {}
    return Trial(calls, build, options, state=state, sizes=sizes, **trial)


def read_in_pieces(draw, positions, pieces=(3, 1, 2), reads=()):
    """The same sequence piece by piece with one cache; then another one, with a new cache."""
    trial = read(draw, positions, length=sum(pieces))
    begins = StandIn("key_value_cache", {"capacity": 9, "begins": True})
    goes_on = StandIn("key_value_cache", {"capacity": 9})
    x = trial.calls[0].arguments["x"].split(pieces, dim=1)
    caches = [begins] + [goes_on] * (len(pieces) - 1)
    trial.calls = [Call({"x": piece, "cache": c}, reads=reads) for piece, c in zip(x, caches)]
    trial.calls.append(Call({"x": draw.normal(3, 4, 12), "cache": begins}, reads=reads))
    return trial


def read_at_once(draw):
    return read(draw)


def read_one_token(draw):
    return read(draw, batch=1, length=1)


def read_with_one_head(draw):
    return read(draw, build={"d_model": 6, "num_heads": 1}, batch=3, length=2)


def read_strided(draw):
    return with_strides(read(draw, length=5))


def read_rotary(draw):
    return read(draw, "rotary", build={"d_model": 16, "num_heads": 2}, length=5)


def read_alibi(draw):
    return read(draw, "alibi", length=5)


def read_alibi_with_more_heads(draw):
    return read(draw, "alibi", build={"d_model": 8, "num_heads": 4}, length=7)


def read_pieces(draw):
    return read_in_pieces(draw, None)


def read_pieces_rotary(draw):
    return read_in_pieces(draw, "rotary")


def read_pieces_alibi(draw):
    return read_in_pieces(draw, "alibi")


def read_token_by_token(draw):
    return read_in_pieces(draw, POSITIONS[draw.integer(0, 3)], (1, 1, 1))


def weights_at_once(draw):
    trial = read(draw, "rotary", length=5)
    trial.calls[0] = Call(trial.calls[0].arguments, reads=("weights",))
    return trial


def weights_in_pieces(draw):
    return read_in_pieces(draw, "alibi", (3, 2), reads=("weights",))


def read_gradients(draw):
    return with_gradients(read(draw, "rotary", length=5))


def read_in_float64(draw):
    return with_dtype(read(draw, length=5), torch.float64)


def read_in_bfloat16(draw):
    """A bias in float32 must not turn the scores into float32."""
    return with_dtype(read(draw, "alibi", length=5), torch.bfloat16)


DROPPED = 0.25
MANY = 1500


def read_with_dropout(draw):
    """All keys alike and all values 1: the second of two tokens shows which weights are left."""
    trial = read(draw)
    trial.options = {"dropout": DROPPED}
    trial.state = {name: torch.zeros_like(x) for name, x in trial.state.items()}
    trial.state["w_value.bias"] = torch.ones(12)
    trial.state["w_output.weight"] = torch.eye(12)
    x = {"x": draw.normal(MANY, 2, 12)}
    trial.calls = [Call(x, training=True), Call(x, training=True), Call(x)]
    trial.digest = what_was_dropped
    return trial


def what_was_dropped(answer):
    """The second token sees two keys: how much of them is left, in training and in eval mode?"""
    first, second, off = (answer.arrays.get(f"output{call}") for call in ("", *LATER[:2]))
    facts = dict(answer.facts)
    if any(x is None or x.shape != (MANY, 2, 12) for x in (first, second, off)):
        return Answer(blank(answer), facts)
    heads = first[:, 1].unflatten(-1, (3, 4)).double()
    facts["what is left of two weights in training"] = levels(heads)
    facts["that is 1 on average"] = bool((heads.mean() - 1).abs() < 0.07)
    facts["all features of a head lose the same"] = bool((heads == heads[..., :1]).all())
    facts["all heads lose the same"] = bool((heads == heads[:, :1]).all())
    facts["two calls in training are alike"] = torch.equal(first, second)
    facts["what is left in eval mode"] = levels(off)
    return Answer(blank(answer), facts)


def future_is_seen(seen):
    """A symptom: the first token sees nothing but itself."""
    yours, theirs = seen.yours["output"].float(), seen.theirs["output"].float()
    if yours.shape != theirs.shape or yours.dim() != 3 or yours.shape[1] < 3:
        return None
    right = ((yours - theirs).abs().amax((0, 2)) < 1e-3 * theirs.abs().max()).tolist()
    if right[-1] and not all(right):
        return (
            "The last token comes out right, which sees everything; those before do not. Do they "
            "see their future?"
        )
    if right[0] and not any(right[1:]):
        return (
            "Only the first token comes out right, the one that sees nothing but itself: look at "
            "how tokens see each other."
        )
    return None


IN = {name: f"split_heads(self.w_{name}(x), self.num_heads)" for name in ("query", "key", "value")}
TURN = "query, key = rotary_embedding(query, past), rotary_embedding(key, past)"
APPEND = "key, value = cache.append(key, value)"
LOOK_BACK = "output = self.look_back(query, key, value)"
LAST_CALL = "self.last_call = query.detach(), key.detach(), None"
OUT = "return self.w_output(merge_heads(output))"
LOOK_AT_PIECES = (
    "Read three tokens at once, then one by one with a cache, and print queries and keys both "
    "times: at which step do they differ?"
)
LOOK_AT_ROLES = "Which Linear meets which input, and where do the results go?"


def by_view(name):
    """Cut into heads without a transpose."""
    return f"self.w_{name}(x).reshape(x.shape[0], self.num_heads, x.shape[1], -1)"


ALIBI = 'if self.positions == "alibi":\n            bias'
PLAIN = 'plain = self.positions != "alibi" and new in (1, length)'
NOT_PLAIN = "plain = False"
MASKED = '.masked_fill(~causal_mask(length, query.device), float("-inf"))[..., -new:, :]'
WITHOUT_ALIBI = """kept, self.positions = self.positions, None
        output = self.look_back(query, key, value)
        self.positions = kept"""
# Which scores are hidden, in wrong ways.
FIRST_KEYS = "~causal_mask(key.shape[-2], key.device)[: query.shape[-2]], float('-inf')"
NEW_ALONE = (
    "~causal_mask(key.shape[-2], key.device)[-query.shape[-2] :] "
    "& (key.shape[-2] == query.shape[-2]), float('-inf')"
)


def attention_by_hand(hidden):
    """Variations in which look_back is not used: with and without ALiBi, with and without dropout;
    `weights` are those of look_back."""
    begin = (
        "scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])\n"
        "        slopes = alibi_bias(self.num_heads, key.shape[2], x.device).to(x.dtype)\n"
    )
    add = '        scores = scores + slopes[:, -x.shape[1] :] * (self.positions == "alibi")\n'
    hide = f"        scores = scores.masked_fill({hidden})\n" if hidden else ""
    drop = "F.dropout(softmax(scores), self.dropout, self.training)"
    return tuple(
        ((LOOK_BACK, f"{begin}{bias}{hide}        output = {weights} @ value"),)
        for bias in (add, "")
        for weights in (drop, "softmax(scores)")
    )


CausalSelfAttention = Exercise(
    id="variants.CausalSelfAttention",
    properties=(
        Property(
            "parts",
            1,
            "the four projections are there under their names",
            aspects=("built", "names"),
        ),
        Property(
            "values",
            2,
            "a sequence read at once comes out right",
            (read_at_once, read_one_token, read_with_one_head, read_strided),
        ),
        Property(
            "positions",
            2,
            '"rotary" turns queries and keys, "alibi" takes from the scores',
            (read_rotary, read_alibi, read_alibi_with_more_heads),
        ),
        Property(
            "cache",
            3,
            "piece by piece with a cache gives the same as at once",
            (read_pieces, read_pieces_rotary, read_pieces_alibi, read_token_by_token),
            look=LOOK_AT_PIECES,
        ),
        Property(
            "weights",
            1,
            "`weights` shows the last attention weights",
            (weights_at_once, weights_in_pieces),
            look="`weights` is worked out from self.last_call. What does it expect there?",
        ),
        Property(
            "gradients",
            1,
            "gradients reach x and all parameters",
            (read_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dropout",
            1,
            "dropout acts on the weights, in training only",
            (read_with_dropout,),
            look="look_back knows about dropout already.",
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x, and x stays as it was",
            (read_in_float64, read_in_bfloat16),
            aspects=("dtype", "changed"),
        ),
    ),
    mistakes=(
        Mistake(
            "always_from_position_zero",
            ((TURN, "query, key = rotary_embedding(query), rotary_embedding(key)"),),
            "With a cache you turn each piece as if it were the first: the tokens of the second "
            "piece get positions 0, 1, … again.",
            LOOK_AT_PIECES,
            r"rotary",
        ),
        Mistake(
            "query_and_key_from_different_starts",
            ((TURN, "query, key = rotary_embedding(query), rotary_embedding(key, past)"),),
            "With a cache, your queries and keys are not counted from the same start: between a "
            "new query and a key you see a distance that is too small by all that the cache has "
            "read before.",
            LOOK_AT_PIECES,
            r"rotary",
        ),
        Mistake(
            "key_from_position_zero",
            ((TURN, "query, key = rotary_embedding(query, past), rotary_embedding(key)"),),
            "With a cache you turn the new queries from where they stand, and the new keys from "
            "position 0.",
            LOOK_AT_PIECES,
            r"rotary",
        ),
        Mistake(
            "all_keys_turned_again",
            (
                (
                    LOOK_BACK,
                    'if self.positions == "rotary" and cache is not None:\n'
                    "            key = rotary_embedding(key)\n"
                    f"        {LOOK_BACK}",
                ),
            ),
            "Your keys are turned twice: before they go into the cache, and when they come out of "
            "it.",
            "Do the keys in your cache know their position, or not?",
            r"rotary",
        ),
        Mistake(
            "counted_past_the_new_tokens",
            (
                (TURN, "pass"),
                (
                    APPEND,
                    f"{APPEND}\n            past = cache.length",
                ),
                (
                    LOOK_BACK,
                    'if self.positions == "rotary":\n'
                    "            query = rotary_embedding(query, past)\n"
                    "            key = rotary_embedding(key)\n"
                    f"        {LOOK_BACK}",
                ),
            ),
            "You turn the queries by the length of the cache after the new tokens have gone in; "
            "the first new one stands where it ended before.",
            "When do you ask the cache for its length?",
            r"length",
        ),
        Mistake(
            "only_query_turned",
            ((TURN, "query = rotary_embedding(query, past)"),),
            "You turn the queries and not the keys, so the scores depend on where the query "
            "stands, and not on the distance.",
            "Which two are compared?",
            r"rotary",
        ),
        Mistake(
            "only_key_turned",
            ((TURN, "key = rotary_embedding(key, past)"),),
            "You turn the keys and not the queries, so the scores depend on where the key stands, "
            "and not on the distance.",
            "Which two are compared?",
            r"rotary",
        ),
        Mistake(
            "values_turned",
            ((TURN, f"{TURN}\n            value = rotary_embedding(value, past)"),),
            "You turn the values as well. A value is handed over and not compared: it needs no "
            "position.",
            "Which two are compared?",
            r"rotary",
        ),
        Mistake(
            "turned_before_the_heads_were_cut",
            (
                (
                    TURN,
                    "query = split_heads(rotary_embedding(self.w_query(x), past), "
                    "self.num_heads)\n"
                    "            key = split_heads(rotary_embedding(self.w_key(x), past), "
                    "self.num_heads)",
                ),
            ),
            "You turn before the heads are cut: the angles are spread over d_model={d_model} "
            "features, where each head should have all of them over its own {d_head}.",
            "How wide is what you turn?",
            r"rotary",
        ),
        Mistake(
            "turned_by_head",
            (
                (
                    TURN,
                    "query = rotary_embedding(query.transpose(1, 2), past).transpose(1, 2)\n"
                    "            key = rotary_embedding(key.transpose(1, 2), past).transpose(1, 2)",
                ),
            ),
            "You turn while heads and length are swapped: a token is turned by the number of the "
            "head, and not by its position.",
            "Which dimension does rotary_embedding take for the positions?",
            r"rotary",
        ),
        Mistake(
            "x_turned",
            (
                (
                    "query = split_heads(self.w_query(x)",
                    'if self.positions == "rotary":\n'
                    "            x = rotary_embedding(x, past)\n"
                    "        query = split_heads(self.w_query(x)",
                ),
                (TURN, "pass"),
            ),
            "You turn x itself, before it is projected: values are turned with it, and the scores "
            "no longer depend on the distance alone.",
            "What are the two things whose dot product should feel the distance?",
            r"rotary",
        ),
        Mistake(
            "always_turned",
            (('if self.positions == "rotary":\n            query', "if True:\n            query"),),
            'You turn queries and keys also where positions is not "rotary".',
            "Which of your lines asks for `positions`?",
            r"rotary",
        ),
        Mistake(
            "never_turned",
            ((TURN, "pass"),),
            'With positions="rotary" nothing is turned: the order of the tokens before does not '
            "matter.",
            "Which of your lines asks for `positions`?",
            r"positions|rotary",
        ),
        Mistake(
            "alibi_ignored",
            ((ALIBI, "if False:\n            bias"),),
            'With positions="alibi" nothing is taken from the scores.',
            "What does look_back, which is there for you, do with the positions?",
            r"attention\(|softmax",
            variations=(((LOOK_BACK, WITHOUT_ALIBI),),),
        ),
        Mistake(
            "future_seen",
            ((PLAIN, NOT_PLAIN), (MASKED, "[..., -new:, :]")),
            "Every token sees the whole sequence, also what comes after it.",
            "What does look_back, which is there for you, know about the future?",
            r"attention\(|softmax",
            variations=attention_by_hand(""),
        ),
        Mistake(
            "causal_from_the_first_key",
            ((PLAIN, NOT_PLAIN), (MASKED, f"[..., -new:, :].masked_fill({FIRST_KEYS})")),
            "With a cache your new tokens see only its first keys: the mask counts as if the first "
            "new query stood at position 0 (is_causal does so, too).",
            "Where does the last new query stand, in the whole sequence?",
            r"is_causal|causal_mask|tril|triu",
            variations=attention_by_hand(FIRST_KEYS),
        ),
        Mistake(
            "causal_only_without_cache",
            (
                (PLAIN, NOT_PLAIN),
                (MASKED, f"[..., -new:, :].masked_fill({NEW_ALONE})"),
            ),
            "With a cache every new token sees all new ones, also those that come after it: that "
            "is right only where one token comes at a time.",
            "What if three tokens are read at once, and a cache is there?",
            r"attention\(|is_causal|cache",
            variations=attention_by_hand(NEW_ALONE),
        ),
        Mistake(
            "cache_ignored",
            ((APPEND, "pass"),),
            "Your cache stays empty: with a cache each piece sees only itself.",
            "Where do keys and values go, so that the next piece finds them?",
            r"cache",
        ),
        Mistake(
            "cache_filled_but_not_read",
            ((APPEND, "cache.append(key, value)"),),
            "You store the new keys and values in the cache, but look back only at the new ones.",
            "What does append give back?",
            r"append",
        ),
        Mistake(
            "whole_memory_read",
            (
                (
                    APPEND,
                    "cache.append(key, value)\n            key, value = cache.keys, cache.values",
                ),
            ),
            "You look back at the whole memory that the cache has set aside, also where nothing "
            "has been written yet.",
            "What does append give back?",
            r"cache\.(keys|values)",
        ),
        Mistake(
            "appended_twice",
            ((APPEND, f"cache.append(key, value)\n            {APPEND}"),),
            "You append the new keys and values twice.",
            "Every call of append stores something.",
            r"append",
        ),
        Mistake(
            "keys_and_values_swapped_by_the_cache",
            ((APPEND, "value, key = cache.append(key, value)"),),
            "What comes back from the cache you take for (values, keys), and it is (keys, values).",
            "In which order does append give them back?",
            r"append",
        ),
        Mistake(
            "only_the_keys_are_kept",
            ((APPEND, "key, _ = cache.append(key, value)"),),
            "Keys come from the cache, but values only from the new tokens.",
            "Every key needs its own value.",
            r"append",
        ),
        Mistake(
            "cache_returned",
            ((OUT, f"{OUT}, cache"),),
            "You return the cache beside the output; expected is the output alone: the cache "
            "belongs to whoever handed it in.",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "no_output_projection",
            ((OUT, "return merge_heads(output)"),),
            "Your output is the heads side by side: w_output is there, but never used.",
            "What lets one head's findings reach the features of another?",
            r"return",
        ),
        Mistake(
            "split_by_view",
            tuple((IN[name], by_view(name)) for name in IN),
            "Your heads mix tokens: (batch, length, d_model) is reshaped straight to (batch, "
            "heads, length, d_head). All shapes are right, and the past is not hidden any more.",
            "What did you write in lesson 2 to cut tokens into heads?",
            r"view|reshape",
        ),
        Mistake(
            "merged_by_view",
            ((OUT, "return self.w_output(output.reshape(x.shape))"),),
            "Each head's result is right, but they are joined in the wrong order: (batch, heads, "
            "length, d_head) is reshaped straight to (batch, length, d_model).",
            "What did you write in lesson 2 to put heads together again?",
            r"view|reshape|flatten",
        ),
        Mistake(
            "one_head_of_full_width",
            (
                *(
                    (IN[name], IN[name].replace("self.num_heads)", "1)"))
                    for name in ("query", "key", "value")
                ),
                (
                    LOOK_BACK,
                    "kept = self.num_heads\n        self.num_heads = 1\n"
                    f"        {LOOK_BACK}\n"
                    "        self.num_heads = kept",
                ),
            ),
            "There is one head of width d_model={d_model}; asked for are {heads} of {d_head}.",
            "How many heads does split_heads make?",
            r"split|view|reshape|softmax",
        ),
        Mistake(
            "key_through_query_projection",
            ((IN["key"], IN["key"].replace("w_key", "w_query")),),
            "Your keys go through w_query, in place of w_key.",
            LOOK_AT_ROLES,
            r"w_query\(",
        ),
        Mistake(
            "value_through_key_projection",
            ((IN["value"], IN["value"].replace("w_value", "w_key")),),
            "Your values go through w_key, in place of w_value.",
            LOOK_AT_ROLES,
            r"w_key\(",
        ),
        Mistake(
            "query_and_key_swapped",
            (
                (f"query = {IN['query']}", f"query = {IN['key']}"),
                (f"        key = {IN['key']}", f"        key = {IN['query']}"),
            ),
            "Queries go through w_key and keys through w_query.",
            LOOK_AT_ROLES,
            r"w_key\(",
        ),
        Mistake(
            "values_not_projected",
            ((IN["value"], "split_heads(x, self.num_heads)"),),
            "Your values are x itself: w_value is never used.",
            LOOK_AT_ROLES,
            r"value",
        ),
        Mistake(
            "scaled_twice",
            ((LOOK_BACK, LOOK_BACK.replace("(query,", "(query / query.shape[-1] ** 0.5,")),),
            "Your scores are divided by the root of d_head={d_head} twice.",
            "look_back scales by itself.",
            r"sqrt|\*\* ?-?0\.5",
        ),
        Mistake(
            "weights_not_kept",
            ((LAST_CALL, "pass"),),
            "The output is right, but `weights` shows nothing after a call: it needs "
            "self.last_call.",
            "Read how `weights` is worked out: which two tensors does it need?",
            r"last_call|return",
        ),
        Mistake(
            "weights_of_new_keys_only",
            (
                (LAST_CALL, "pass"),
                (
                    "if cache is not None:",
                    f"{LAST_CALL}\n        if cache is not None:",
                ),
            ),
            "The output is right, but with a cache `weights` knows only the new keys, and not "
            "those of the past.",
            "At which moment do you keep queries and keys?",
            r"last_call",
        ),
        Mistake(
            "weights_not_detached",
            ((LAST_CALL, "self.last_call = query, key, None"),),
            "Your `weights` still hang on torch's graph: as long as they are kept, so is all the "
            "memory of the last forward pass.",
            "What is only to be looked at needs no gradient.",
            r"last_call",
        ),
        Mistake(
            "weights_of_unturned",
            (
                (LAST_CALL, "pass"),
                (
                    'if self.positions == "rotary":\n            query',
                    f'{LAST_CALL}\n        if self.positions == "rotary":\n            query',
                ),
            ),
            "You keep queries and keys for `weights` before they are turned, or before those of "
            "the past are there.",
            "At which moment do you keep queries and keys?",
            r"last_call",
        ),
        Mistake(
            "dropout_never",
            ((LOOK_BACK, LOOK_BACK + "\n"), ("self.dropout if self.training else 0.0", "0.0")),
            "In training nothing is dropped: `dropout` is not used.",
            "Where do the weights go, once the softmax has made them?",
            r"dropout|attention\(",
        ),
        Mistake(
            "dropout_always",
            (("self.dropout if self.training else 0.0", "self.dropout"),),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout",
        ),
        Mistake(
            "dropout_on_output",
            (
                ("self.dropout if self.training else 0.0", "0.0"),
                (
                    "merge_heads(output)",
                    "F.dropout(merge_heads(output), self.dropout, self.training)",
                ),
            ),
            "Your dropout acts on the heads' output, and not on the weights.",
            "What is to be dropped: what a query looks at, or what it has found?",
            r"dropout",
        ),
        Mistake(
            "dropout_twice",
            (
                (
                    "merge_heads(output)",
                    "F.dropout(merge_heads(output), self.dropout, self.training)",
                ),
            ),
            "Besides the weights, as asked for, your dropout acts on the output as well.",
            "look_back knows about dropout already.",
            r"dropout",
        ),
        Mistake(
            "residual_inside",
            ((OUT, f"{OUT} + x"),),
            "You add x to the output. The residual belongs to the block, which adds it once more.",
            "Compare with the formula of multi-head attention: is there a sum in it?",
            r"\+",
        ),
        graph_cut((OUT, f"{OUT}.detach()"), whom="x and the projections"),
        always_float32((OUT, f"{OUT}.float()")),
    ),
    hints=(
        "Without a cache and without positions this is lesson 2's module with x in all three "
        "places. Write that first; then ask what each of the two additions changes.",
        "Queries and keys learn their position before they are compared; a key that is kept can be "
        "kept with its position. What the cache gives back are the keys and values of the whole "
        "past, the new ones at the end.",
        "Three lines that project and split; one that turns queries and keys from `past` on, if "
        "asked; one that appends and takes back, if there is a cache; look_back; queries and keys "
        "kept, detached, as `weights` wants them; merge and project.",
    ),
    symptoms=(future_is_seen,),
)

# --- Choosing the next token ----------------------------------------------------------------------

ROWS = 2000  # so many draws from the same distribution
SHARES = "share of each token, and of all"
# Two measured shares differ by 0.1 in 1 of 3 · 10^9 comparisons.
SAMPLED = 0.1 / 3e-5
# Chosen so that known mistakes change a share by 0.2 and more, or not at all.
LIKELY = (1.5, 0.9, 0.3, -0.6, -2.0)
SPREAD = (4.0, 0.0, -1.0, -2.0, -3.0)
UNLIKELY = (-0.5, -1.1, -1.7, -2.0, -2.9)  # 0 in place of -inf would be the likeliest of all


def sample(draw, logits=LIKELY, counted=True, ordered=True, **options):
    """Many draws from two distributions: the same logits in two orders, at two heights."""
    likely = torch.tensor(logits)
    order = draw.order(len(logits))
    rows = torch.stack([likely[order], likely[order.roll(2)] + 3])
    trial = Trial([Call({"logits": rows.repeat(ROWS, 1)}, options)])
    trial.sizes = {"batch": 2 * ROWS, "vocab": len(logits)}
    trial.digest = partial(how_often, vocab=len(logits), counted=counted, ordered=ordered)
    trial.tolerance = SAMPLED
    return trial


def how_often(answer, vocab, counted, ordered):
    """How often was each token drawn, for each of the two distributions?"""
    tokens, facts = answer.arrays.get("output"), dict(answer.facts)
    shares = torch.zeros(2, vocab)
    if tokens is None or tokens.shape != (2 * ROWS,) or tokens.is_floating_point():
        return Answer(blank(answer) | {SHARES: shares}, facts)
    facts["all tokens are in the vocabulary"] = bool(((tokens >= 0) & (tokens < vocab)).all())
    if facts["all tokens are in the vocabulary"]:
        pairs = tokens.long().reshape(ROWS, 2).T
        shares = torch.stack([row.bincount(minlength=vocab) for row in pairs]) / ROWS
        facts["every sequence gets the same token"] = bool((tokens == tokens[0]).all())
        if counted:
            facts["number of different tokens"] = (shares > 0).sum(-1).tolist()
        if not ordered or facts["every sequence gets the same token"]:
            shares = shares.sort(dim=-1, descending=True).values
    shares = torch.cat([shares, shares.sum(-1, keepdim=True)], dim=-1)
    return Answer(blank(answer) | {SHARES: shares}, facts)


def sample_all(draw):
    return sample(draw)


def sample_warm(draw):
    return sample(draw, SPREAD, counted=False, temperature=4.0)


def sample_cool(draw):
    return sample(draw, counted=False, temperature=0.3)


def sample_top_three(draw):
    return sample(draw, UNLIKELY, top_k=3)


def sample_top_three_warm(draw):
    return sample(draw, SPREAD, temperature=4.0, top_k=3)


def sample_top_of_more(draw):
    return sample(draw, top_k=12)


def sample_ties(draw):
    """The third and the fourth are equally likely: with top_k=3 both stay in."""
    return sample(draw, (2.0, 1.2, 0.4, 0.4, -0.9), ordered=False, top_k=3)


def sample_a_few(draw):
    """A batch of three, and of one: one token each; temperature 0 leaves nothing to chance."""
    trial = Trial(
        [Call({"logits": x}, {"temperature": 0}) for x in (apart(draw, 3), apart(draw, 1))]
    )
    trial.sizes = {"batch": 3, "vocab": 7}
    return trial


def apart(draw, batch, vocab=7):
    """Logits so far apart, in any dtype, that the likeliest token is sure."""
    return torch.stack([draw.order(vocab) * 30.0 - 80 for _ in range(batch)])


def sample_sure(draw, *options, logits=None, dtype=torch.float32):
    """Calls in which the likeliest token of each sequence has to be drawn."""
    logits = apart(draw, 16) if logits is None else logits
    trial = Trial([Call({"logits": logits}, chosen) for chosen in options], dtype=dtype)
    trial.sizes = {"batch": len(logits), "vocab": logits.shape[-1]}
    trial.digest = partial(is_likeliest, likeliest=logits.argmax(-1))
    return trial


def is_likeliest(answer, likeliest):
    found = [x.shape == likeliest.shape and close(x, likeliest) for x in answer.arrays.values()]
    facts = answer.facts | {"a token that is sure is drawn": all(found)}
    return Answer(blank(answer), facts)


def sample_cold(draw):
    """Exponentials of 150 and more, if nothing is done against them."""
    return sample_sure(draw, {"temperature": 0.01}, logits=close_together(draw))


def sample_frozen(draw):
    return sample_sure(draw, {"temperature": 0}, {"temperature": 0.0}, logits=close_together(draw))


def sample_top_one(draw):
    return sample_sure(draw, {"top_k": 1}, logits=close_together(draw))


def close_together(draw):
    """Logits of which any may be drawn, unless something is done."""
    return torch.stack([draw.order(6) * 0.5 - 1 for _ in range(40)])


ORDINARY = ({"top_k": 1}, {"temperature": 1.0}, {"temperature": 0.5, "top_k": 3})


def sample_in_float64(draw):
    return sample_sure(draw, *ORDINARY, dtype=torch.float64)


def sample_in_bfloat16(draw):
    return sample_sure(draw, *ORDINARY, dtype=torch.bfloat16)


def sample_large_logits(draw):
    return sample_sure(draw, *ORDINARY, logits=apart(draw, 16) * 100)


def sample_again(draw):
    """Twice with the same seed, once with another, twice with none."""
    logits = draw.normal(90, 6, scale=0.3)
    first, second = draw.order(10**6)[:2].tolist()
    generators = [StandIn("generator", {"seed": seed}) for seed in (first, first, second)]
    options = [{"generator": generator} for generator in generators] + [{}, {}]
    trial = Trial([Call({"logits": logits}, chosen) for chosen in options])
    trial.sizes = {"batch": 90, "vocab": 6}
    trial.digest = what_is_alike
    return trial


def what_is_alike(answer):
    """Which of five random answers are the same?"""
    names = {name.partition(" (call")[0] for name in answer.arrays}
    facts = dict(answer.facts)

    def alike(one, other):
        pairs = [(answer.arrays.get(n + one), answer.arrays.get(n + other)) for n in names]
        return all(a is not None and b is not None and torch.equal(a, b) for a, b in pairs)

    same, other, none, again = LATER
    facts["the same seed draws the same again"] = alike("", same)
    one_for_all = [bool((x == x.flatten()[:1]).all()) for x in answer.arrays.values()]
    if all(one_for_all):
        facts["the whole batch gets the same"] = True
    else:
        facts["another seed draws others"] = not alike("", other)
        facts["without a generator two calls draw others"] = not alike(none, again)
    return Answer(blank(answer), facts)


ZERO = "if temperature == 0:"
SURE = "return logits.argmax(dim=-1)"
IF_TOP = "if top_k is not None and top_k < logits.shape[-1]:"
LEAST = "least = logits.topk(top_k, dim=-1).values[:, -1:]"
RULE_OUT = 'logits = logits.masked_fill(logits < least, float("-inf"))'
SPARED = "(logits {} least) & (logits < logits.amax(-1, keepdim=True))"
PROBABILITIES = "probabilities = softmax(logits / temperature, dim=-1)"
DRAW = "return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)"
LOOK_AT_TEMPERATURE = (
    "Take logits 2 and 0: which probabilities should temperatures 1, 2 and 1/2 give?"
)
LOOK_AT_TOP = "Which tokens may be drawn with top_k=1, with 2, and with more than there are?"

sample_token = Exercise(
    id="variants.sample_token",
    properties=(
        Property(
            "values",
            3,
            "tokens are drawn as often as their probabilities say",
            (sample_all,),
        ),
        Property(
            "temperature",
            2,
            "a high temperature evens out, a low one sharpens",
            (sample_warm, sample_cool, sample_cold),
            look=LOOK_AT_TEMPERATURE,
        ),
        Property(
            "zero",
            1,
            "temperature 0 takes the likeliest, one token for each sequence",
            (sample_a_few, sample_frozen),
        ),
        Property(
            "top_k",
            3,
            "with top_k only the k likeliest are drawn",
            (
                sample_top_three,
                sample_top_three_warm,
                sample_top_one,
                sample_top_of_more,
            ),
            look=LOOK_AT_TOP,
        ),
        Property(
            "ties",
            1,
            "a token as likely as the k-th stays in",
            (sample_ties,),
            look="With logits 3, 2, 2, 1 and top_k=2, which tokens are as likely as the second?",
        ),
        Property(
            "generator",
            1,
            "a generator draws the same tokens again",
            (sample_again,),
            look="Who draws in your code, and from which generator?",
        ),
        Property(
            "dtype",
            1,
            "logits of any size and dtype will do, and stay as they were",
            (sample_large_logits, sample_in_float64, sample_in_bfloat16),
            aspects=("dtype", "changed"),
        ),
    ),
    mistakes=(
        Mistake(
            "always_the_likeliest",
            ((ZERO, "if True:"),),
            "You always take the likeliest token: nothing is drawn.",
            "Which function draws, with given probabilities?",
            r"argmax|max",
        ),
        Mistake(
            "temperature_ignored",
            ((PROBABILITIES, PROBABILITIES.replace(" / temperature", "")),),
            "`temperature` makes no difference to your probabilities (but for 0).",
            LOOK_AT_TEMPERATURE,
            r"softmax",
            variations=(
                ((PROBABILITIES, "probabilities = softmax(logits, dim=-1) / temperature"),),
            ),
        ),
        Mistake(
            "multiplied_by_temperature",
            ((PROBABILITIES, PROBABILITIES.replace("/", "*")),),
            "You multiply by the temperature: a high one sharpens, where it should even out.",
            LOOK_AT_TEMPERATURE,
            r"temperature",
        ),
        Mistake(
            "zero_divides",
            ((ZERO, "if False:"),),
            "At temperature 0 you divide by 0, and there is nothing left to draw from.",
            "What should happen at temperature 0, without dividing?",
            r"temperature",
        ),
        Mistake(
            "zero_taken_for_one",
            ((ZERO, "if temperature == 0:\n        temperature = 1.0\n    if False:"),),
            "At temperature 0 you draw as at temperature 1: 0 counts as False in `if temperature` "
            "and in `temperature or 1`.",
            "What should happen at temperature 0?",
            r"temperature",
        ),
        Mistake(
            "zero_gives_probabilities",
            ((SURE, "return logits.max(dim=-1).values"),),
            "At temperature 0 you return the largest logit itself, and not the number of its "
            "token.",
            "Which function says where the largest number stands?",
            r"max",
        ),
        Mistake(
            "zero_over_the_batch",
            ((SURE, "return logits.argmax(dim=0)"),),
            "At temperature 0 you look for the largest logit over the batch, for each token; asked "
            "for is the likeliest token, for each sequence.",
            "Logits are (batch, vocab): which dimension lists the tokens?",
            r"argmax|max",
        ),
        Mistake(
            "zero_over_everything",
            ((SURE, "return logits.argmax()"),),
            "At temperature 0 you look for the largest logit of the whole batch; each sequence "
            "wants a token of its own.",
            "Logits are (batch, vocab): which dimension lists the tokens?",
            r"argmax|max",
        ),
        Mistake(
            "top_k_ignored",
            ((IF_TOP, "if False:"),),
            "With top_k, tokens beyond the k likeliest are drawn as well.",
            LOOK_AT_TOP,
            r"top",
        ),
        Mistake(
            "ruled_out_by_zero",
            ((RULE_OUT, RULE_OUT.replace('float("-inf")', "0.0")),),
            "Tokens beyond the k likeliest get a logit of 0, and exp(0) is 1: they are still "
            "drawn, here more often than the others.",
            "Which logit has a probability of exactly 0?",
            r"fill|where|0",
        ),
        Mistake(
            "the_unlikeliest_stay",
            (
                (LEAST, "least = logits.topk(top_k, dim=-1, largest=False).values[:, -1:]"),
                (RULE_OUT, RULE_OUT.replace("<", ">")),
            ),
            "With top_k you leave the k unlikeliest tokens.",
            LOOK_AT_TOP,
            r"sort|topk|<|>",
        ),
        Mistake(
            "the_likeliest_ruled_out",
            ((RULE_OUT, RULE_OUT.replace("<", ">=")),),
            "With top_k you rule out the k likeliest tokens and leave the others.",
            "Which of the two sides should get -inf?",
            r"<|>",
        ),
        Mistake(
            "kth_ruled_out",
            ((RULE_OUT, RULE_OUT.replace("<", "<=")),),
            "The k-th token is ruled out, too: with top_k=3 only two are left, and with 1 none.",
            "Is the k-th one of the k likeliest?",
            r"<=|>",
            variations=(((RULE_OUT, RULE_OUT.replace("logits < least", SPARED.format("<="))),),),
        ),
        Mistake(
            "one_too_many",
            ((LEAST, LEAST.replace("topk(top_k,", "topk(top_k + 1,")),),
            "With top_k=3 you leave four tokens.",
            LOOK_AT_TOP,
            r"top_k",
        ),
        Mistake(
            "only_the_likeliest_stays",
            ((LEAST, LEAST.replace("[:, -1:]", "[:, :1]")),),
            "With top_k you compare with the likeliest token, and not with the k-th: only one "
            "stays.",
            "In which order does topk give its values?",
            r"topk|sort",
        ),
        Mistake(
            "one_threshold_for_the_batch",
            ((LEAST, "least = logits.topk(top_k, dim=-1).values.min()"),),
            "You rule out by one threshold for the whole batch; each sequence has a k-th token of "
            "its own.",
            "What is the shape of your threshold?",
            r"topk|sort|min",
            variations=(
                (
                    (LEAST, "least = logits.topk(top_k, dim=-1).values[0, -1]"),
                    (RULE_OUT, RULE_OUT.replace("logits < least", SPARED.format("<"))),
                ),
                ((LEAST, "least = logits.topk(top_k, dim=-1).values[0, -1]"),),
            ),
        ),
        Mistake(
            "equal_among_the_top",
            (
                (
                    RULE_OUT,
                    'logits = torch.zeros_like(logits).masked_fill(logits < least, float("-inf"))',
                ),
            ),
            "The k likeliest tokens are all drawn equally often; each should keep its "
            "probability, in proportion.",
            "What happens to the logits of the tokens that stay?",
            r"zeros|ones|randint|where",
        ),
        Mistake(
            "place_among_the_top",
            (
                (
                    RULE_OUT,
                    "logits = logits.topk(top_k, dim=-1).values",
                ),
            ),
            "With top_k you return a token's place among the k likeliest, 0 for the likeliest, and "
            "not its number in the vocabulary.",
            "topk gives two things. What is the second one for?",
            r"topk|sort",
        ),
        Mistake(
            "ties_ruled_out",
            (
                (
                    RULE_OUT,
                    'kept = torch.full_like(logits, float("-inf"))\n'
                    "        top = logits.topk(top_k, dim=-1)\n"
                    "        logits = kept.scatter(-1, top.indices, top.values)",
                ),
            ),
            "Of tokens that are equally likely you leave only as many as make up k: of two on the "
            "k-th place, one is never drawn.",
            "Which tokens are as likely as the k-th?",
            r"topk|sort|scatter",
        ),
        Mistake(
            "more_than_there_are",
            ((IF_TOP, "if top_k is not None:"),),
            "A top_k larger than the vocabulary raises an error; all tokens are to stay then.",
            "How many values can topk find at most?",
            r"topk|sort",
        ),
        Mistake(
            "a_column",
            ((DRAW, DRAW.replace(".squeeze(-1)", "")),),
            "Your result has shape {your_shape}; expected is {expected_shape}: one number for each "
            "sequence.",
            "What shape does multinomial give?",
            r"multinomial|return",
            variations=(
                (
                    (SURE, "return logits.argmax(dim=-1, keepdim=True)"),
                    (DRAW, DRAW.replace(".squeeze(-1)", "")),
                ),
            ),
        ),
        Mistake(
            "batch_of_one_lost",
            (
                (SURE, "return logits.argmax(dim=-1).squeeze()"),
                (DRAW, DRAW.replace("squeeze(-1)", "squeeze()")),
            ),
            "In a batch of one your result has no dimension left: .squeeze() takes away every "
            "dimension of size 1, also the batch.",
            "Which dimension should go?",
            r"squeeze",
        ),
        Mistake(
            "probability_returned",
            ((DRAW, "return probabilities.max(dim=-1).values"),),
            "You return a probability, and not the number of a token.",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "all_probabilities_returned",
            ((DRAW, "return probabilities"),),
            "You return the probabilities of all tokens; expected is one token for each sequence.",
            "Which function draws, with given probabilities?",
            r"return",
        ),
        Mistake(
            "one_draw_for_the_batch",
            (
                (
                    DRAW,
                    "return torch.multinomial(probabilities[0], 1, generator=generator).expand("
                    "len(logits))",
                ),
            ),
            "You draw once, and every sequence of the batch gets the same token.",
            "Each sequence has its own probabilities.",
            r"multinomial|choice|expand",
        ),
        Mistake(
            "first_sequence_for_all",
            (
                (
                    DRAW,
                    "return torch.multinomial(probabilities[0], len(logits), True, "
                    "generator=generator)",
                ),
            ),
            "All tokens are drawn with the probabilities of the first sequence.",
            "Each sequence has its own probabilities.",
            r"multinomial|choice|\[0\]",
        ),
        Mistake(
            "equally_likely",
            ((PROBABILITIES, "probabilities = (logits > float('-inf')).float()"),),
            "All tokens are drawn equally often, whatever the logits say.",
            "Which function draws, with given probabilities?",
            r"randint|ones|rand",
        ),
        Mistake(
            "over_the_batch",
            ((PROBABILITIES, PROBABILITIES.replace("dim=-1", "dim=0")),),
            "Your softmax runs over the batch, and not over the tokens.",
            "Logits are (batch, vocab): which dimension lists the tokens?",
            r"softmax",
        ),
        Mistake(
            "not_stable",
            (
                (
                    PROBABILITIES,
                    "probabilities = torch.exp(logits / temperature)\n"
                    "    probabilities = probabilities / probabilities.sum(-1, keepdim=True)",
                ),
            ),
            "Small logits are no trouble, but large ones, or a low temperature, make exponentials "
            "that overflow to inf.",
            "What did you write in lesson 1 against that?",
            r"exp",
        ),
        Mistake(
            "no_softmax",
            ((PROBABILITIES, "probabilities = logits / temperature"),),
            "You draw with the logits themselves; some are negative, and none is a probability.",
            "What turns scores into shares?",
            r"multinomial",
        ),
        Mistake(
            "softmax_twice",
            (
                (
                    PROBABILITIES,
                    "probabilities = softmax(softmax(logits / temperature, dim=-1), dim=-1)",
                ),
            ),
            "Your probabilities go through a softmax twice, which evens them out: even ruled-out "
            "tokens are drawn.",
            "What does multinomial, or Categorical, take: logits or probabilities?",
            r"softmax|logits=|Categorical",
        ),
        Mistake(
            "generator_ignored",
            ((DRAW, DRAW.replace(", generator=generator", "")),),
            "Two generators with the same seed draw different tokens: `generator` is not used.",
            "Who draws in your code, and from which generator?",
            r"multinomial|Categorical|rand",
        ),
        Mistake(
            "always_the_same_seed",
            ((DRAW, f"torch.manual_seed(0)\n    {DRAW}".replace(", generator=generator", "")),),
            "You set torch's seed yourself, so that every call draws the same.",
            "Who should decide what is drawn again?",
            r"seed",
        ),
        Mistake(
            "changes_logits",
            ((RULE_OUT, RULE_OUT.replace("masked_fill(", "masked_fill_(")),),
            "You write -inf into the caller's logits.",
            "Names that end in `_`, `/=` and writing into a slice change the tensor that came in.",
            r"\] ?=|fill_|/=",
        ),
        Mistake(
            "divides_logits_in_place",
            (
                (PROBABILITIES, "probabilities = softmax(logits.div_(temperature), dim=-1)"),
                (RULE_OUT, RULE_OUT),
            ),
            "You divide the caller's logits in place: the next token would be drawn from other "
            "ones.",
            "Names that end in `_`, `/=` and writing into a slice change the tensor that came in.",
            r"div_|/=",
        ),
    ),
    hints=(
        "Work out the probabilities of logits 2, 1 and 0 at temperatures 1 and 2. What becomes of "
        "them as the temperature goes to 0?",
        "Rule out what may not be drawn while it is still a logit, so that the probabilities of "
        "the rest add up to 1. The value of the k-th likeliest is the threshold.",
        "At temperature 0 the place of the largest logit. Otherwise: a threshold (batch, 1), "
        "logits below it to -inf; a softmax of the logits over the temperature; a function of "
        "torch that draws from probabilities, with the generator; (batch, 1) to (batch,).",
    ),
    measures={
        "your_shape": your_shape,
        "expected_shape": expected_shape,
    },
)

# --- Hiding tokens --------------------------------------------------------------------------------

VOCAB, MASK_TOKEN = 10, 10  # no random token is the mask token
HIDDEN = 0.05 / 3e-5  # how far two measured shares may lie apart
MASKED = ("read", "target")
FATES = ("chosen", "masked", "replaced", "left", "others masked", "others replaced", "all")


def hide(draw, pad=0, vocab=VOCAB, batch=160, length=60, **options):
    """Many tokens, of which one half of the sequences ends in padding."""
    tokens = draw.integers(1, MASK_TOKEN, batch, length)
    tokens = torch.where(tokens == pad, torch.zeros_like(tokens), tokens)
    ends = draw.integers(length // 2, length, batch, 1)
    ends[: batch // 2] = length
    tokens = tokens.masked_fill(torch.arange(length) >= ends, pad)
    arguments = {"tokens": tokens, "mask_token": MASK_TOKEN, "vocab": vocab}
    options |= {"pad": pad} if pad else {}
    trial = Trial([Call(arguments, options, returns=MASKED)])
    trial.sizes = {"batch": batch, "length": length}
    trial.digest = partial(what_was_hidden, tokens=tokens, pad=pad)
    trial.tolerance = HIDDEN
    return trial


def what_was_hidden(answer, tokens, pad, fates=True):
    """Which tokens were chosen, what became of them, and what is to be predicted?"""
    read, target = (answer.arrays.get(name) for name in MASKED)
    facts, shares = dict(answer.facts), dict.fromkeys(FATES if fates else ("chosen", "all"), 0.0)
    name = f"shares of {', '.join(shares)}"
    if any(x is None or x.shape != tokens.shape or x.is_floating_point() for x in (read, target)):
        return Answer(blank(answer) | {name: torch.zeros(len(shares))}, facts)
    real, chosen, changed = tokens != pad, target != pad, read != tokens
    full = slice(len(tokens) // 2)  # the sequences without padding
    whole = bool((chosen[full] == chosen[full, :1]).all())
    alike = bool((chosen[full] == chosen[:1]).all())
    facts["what is to be predicted is the original token"] = bool((target == tokens)[chosen].all())
    besides = target[(target != tokens) & (target != pad)].unique().tolist()
    facts["what the target holds besides tokens and pad"] = besides[:3] or "nothing"
    facts["padding is read as padding"] = bool((read == pad)[~real].all())
    facts["padding is not to be predicted"] = not bool(chosen[~real].any())
    facts["tokens that were not chosen are read as they are"] = not bool(
        changed[~chosen & real].any()
    )
    facts["a sequence is chosen as a whole, or not at all"] = whole
    facts["the same places are chosen in every sequence"] = alike
    random_places = whole != alike  # all of a sequence, or the same in all: only luck says which
    if not random_places:
        shares["chosen"] = int((chosen & real).sum()) / int(real.sum())
        shares["all"] = 1.0
    if not random_places and fates:
        others = read[chosen & changed & (read != MASK_TOKEN)]
        different = others.unique()
        facts["different random tokens"] = len(different)
        if len(different) > 1:
            facts["random tokens lie between"] = (int(different[0]), int(different[-1]))
        count = max(int(chosen.sum()), 1)
        shares["masked"] = int((chosen & (read == MASK_TOKEN)).sum()) / count
        shares["replaced"] = len(others) / count
        shares["left"] = int((chosen & ~changed).sum()) / count
        spared = read[~chosen & real]
        masks, kept = int((spared == MASK_TOKEN).sum()), int((~changed & ~chosen & real).sum())
        shares["others masked"] = masks / max(len(spared), 1)
        shares["others replaced"] = (len(spared) - masks - kept) / max(len(spared), 1)
    return Answer(blank(answer) | {name: torch.tensor(list(shares.values()))}, facts)


def hide_more_than_half(draw):
    return hide(draw, probability=0.6)


def hide_by_default(draw):
    """So few are chosen that their fates would be too uncertain."""
    trial = hide(draw)
    trial.digest = partial(trial.digest, fates=False)
    return trial


def hide_with_another_pad(draw):
    """Pad is no longer 0, and 0 is a real token."""
    return hide(draw, pad=7, probability=0.6)


def hide_with_fewer_random_tokens(draw):
    return hide(draw, vocab=6, probability=0.6)


def hide_everything(draw):
    """Of so few tokens only what is to be predicted is sure: with probability 1, all of them."""
    tokens = draw.tokens(12, 20, 9)
    options = {"mask_token": 9, "vocab": 10, "probability": 1.0}
    both = (tokens, tokens[:1, :1])
    trial = Trial([Call({"tokens": x} | options, returns=MASKED) for x in both])
    trial.sizes = {"batch": 12, "length": 20}
    trial.digest = partial(is_all_to_be_predicted, tokens=both)
    return trial


def is_all_to_be_predicted(answer, tokens):
    targets = [answer.arrays.get(name) for name in ("target", "target" + LATER[0])]
    right = [x is not None and torch.equal(x, asked) for x, asked in zip(targets, tokens)]
    facts = {name: fact for name, fact in answer.facts.items() if name != "changed"}
    facts["with probability 1 every token is to be predicted"] = all(right)
    return Answer(blank(answer), facts)


def hide_again(draw):
    """Twice with the same seed, once with another, twice with none."""
    arguments = {"tokens": draw.integers(1, 10, 6, 30), "mask_token": MASK_TOKEN, "vocab": VOCAB}
    first, second = draw.order(10**6)[:2].tolist()
    generators = [StandIn("generator", {"seed": seed}) for seed in (first, first, second)]
    options = [{"generator": generator} for generator in generators] + [{}, {}]
    calls = [Call(arguments, {"probability": 0.5} | o, returns=MASKED) for o in options]
    return Trial(calls, sizes={"batch": 6, "length": 30}, digest=what_is_alike)


CHOSEN = "chosen = (draw < probability) & (tokens != pad)"
MASK = "read = tokens.masked_fill(chosen & (fate < 0.8), mask_token)"
RANDOM = "read = torch.where(chosen & (fate >= 0.9), random_tokens, read)"
BOTH = "return read, tokens.masked_fill(~chosen, pad)"
LOOK_AT_FATE = "`fate` lies between 0 and 1. Mark on a line what becomes of a chosen token."

mask_tokens = Exercise(
    id="variants.mask_tokens",
    properties=(
        Property(
            "values",
            4,
            "of the chosen tokens 80 % are masked, 10 % replaced, and 10 % left",
            (hide_more_than_half,),
            look=LOOK_AT_FATE,
        ),
        Property(
            "chosen",
            2,
            "as many tokens are chosen as `probability` says",
            (hide_by_default, hide_everything),
        ),
        Property(
            "pad",
            2,
            "padding is never chosen, whatever its number",
            (hide_with_another_pad,),
        ),
        Property(
            "vocabulary",
            1,
            "random tokens come from 0 … vocab - 1",
            (hide_with_fewer_random_tokens,),
        ),
        Property("generator", 1, "a generator chooses the same again", (hide_again,)),
        Property("dtype", 1, "both are token numbers", aspects=("dtype",)),
        Property("arguments", 1, "the tokens stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "everything_to_be_predicted",
            ((BOTH, "return read, tokens"),),
            "You ask for a prediction of every token, also of those that can be read; asked for is "
            "pad where nothing was chosen.",
            "What could a model learn from predicting what it can read?",
            r"return",
        ),
        Mistake(
            "only_masked_to_be_predicted",
            ((BOTH, "return read, tokens.masked_fill(read != mask_token, pad)"),),
            "You ask for a prediction only where the mask token stands; chosen tokens that were "
            "replaced or left are to be predicted as well.",
            "Why are some chosen tokens left as they are?",
            r"mask_token",
        ),
        Mistake(
            "only_changed_to_be_predicted",
            ((BOTH, "return read, tokens.masked_fill(read == tokens, pad)"),),
            "You ask for a prediction where a token has changed; chosen tokens that were left as "
            "they are should be predicted as well.",
            "Why are some chosen tokens left as they are?",
            r"!=|==",
        ),
        Mistake(
            "read_is_tokens",
            (
                (MASK, MASK.replace("fill(", "fill_(")),
                (RANDOM, RANDOM.replace("read = torch.where", "read[:] = torch.where")),
            ),
            "`read = tokens` is no copy: you write into the caller's tokens, and then ask for a "
            "prediction of what you wrote.",
            "When are the original tokens needed for the last time?",
            r"\] ?=|fill_|read = tokens",
            same_as="target_is_what_is_read",
        ),
        Mistake(
            "target_is_what_is_read",
            ((BOTH, "return read, read.masked_fill(~chosen, pad)"),),
            "What you ask for is what the model reads, mask tokens and all; asked for is what "
            "stood there before.",
            "What is the right answer at a masked place?",
            r"return",
        ),
        Mistake(
            "predicts_the_others",
            ((BOTH, "return read, tokens.masked_fill(chosen, pad)"),),
            "You ask for a prediction of the tokens that were not chosen, and put pad where they "
            "were.",
            "Which places are to be filled with pad?",
            r"chosen|where|fill",
        ),
        Mistake(
            "minus_100",
            ((BOTH, "return read, tokens.masked_fill(~chosen, -100)"),),
            "Where nothing is to be predicted you put -100, as some libraries do; asked for is "
            "pad.",
            "What does the docstring say of the places that were not chosen?",
            r"100",
        ),
        Mistake(
            "zero_in_place_of_pad",
            ((BOTH, "return read, tokens.masked_fill(~chosen, 0)"),),
            "Where nothing is to be predicted you always put 0, whatever `pad` is.",
            "Which of your lines should speak of `pad`?",
            r"0",
        ),
        Mistake(
            "padding_chosen",
            ((CHOSEN, "chosen = draw < probability"),),
            "Padding is chosen, too, and mask tokens stand in it.",
            "What must hold for a token, besides the luck of the draw?",
            r"<|bernoulli",
        ),
        Mistake(
            "pad_ignored",
            ((CHOSEN, CHOSEN.replace("!= pad", "!= 0")),),
            "You spare the token 0, whatever `pad` is: with another pad, padding is chosen, and 0 "
            "never.",
            "Which of your lines should speak of `pad`?",
            r"0",
        ),
        Mistake(
            "only_padding_chosen",
            ((CHOSEN, CHOSEN.replace("!=", "==")),),
            "You choose among the padding, and spare the tokens.",
            "Which of the two is to be chosen from?",
            r"==",
        ),
        Mistake(
            "probability_turned_round",
            ((CHOSEN, CHOSEN.replace("<", ">")),),
            "`probability` is the share that you spare, and not the share that you choose.",
            "With probability=0.15, is a draw of 0.9 to be chosen?",
            r">",
        ),
        Mistake(
            "probability_ignored",
            ((CHOSEN, CHOSEN.replace("probability", "0.15")),),
            "You always choose 15 %, whatever `probability` is.",
            "Which of your lines should speak of `probability`?",
            r"0?\.15",
        ),
        Mistake(
            "everything_chosen",
            ((CHOSEN, "chosen = tokens != pad"),),
            "You choose every token, whatever `probability` is.",
            "Which of your lines should speak of `probability`?",
            r"pad",
        ),
        Mistake(
            "always_masked",
            ((MASK, "read = tokens.masked_fill(chosen, mask_token)"), (RANDOM, "pass")),
            "Every chosen token becomes the mask token: none is replaced by a random one, and none "
            "is left.",
            "Besides the draw that chooses it, a token needs a second one for its fate.",
            r"mask_token|fill|where",
            variations=(((CHOSEN, f"fate = draw\n    {CHOSEN}"),),),
        ),
        Mistake(
            "none_left",
            ((RANDOM, RANDOM.replace("0.9", "0.8")),),
            "Chosen tokens are masked or replaced: none is left as it is.",
            LOOK_AT_FATE,
            r"0?\.[89]|else",
        ),
        Mistake(
            "none_replaced",
            ((RANDOM, "pass"),),
            "No chosen token is replaced by a random one: those that are not masked are all left "
            "as they are.",
            LOOK_AT_FATE,
            r"0?\.8",
        ),
        Mistake(
            "none_masked",
            ((MASK, "read = tokens"),),
            "No chosen token becomes the mask token.",
            LOOK_AT_FATE,
            r"mask",
        ),
        Mistake(
            "masked_overwritten",
            ((RANDOM, RANDOM.replace("fate >= 0.9", "fate < 0.9")),),
            "Random tokens overwrite the mask tokens: 90 % are replaced, and none is masked.",
            LOOK_AT_FATE,
            r"0?\.9",
        ),
        Mistake(
            "ninety_percent_masked",
            ((MASK, MASK.replace("0.8", "0.9")),),
            "90 % of the chosen tokens become the mask token, 10 % a random one, and none is left.",
            LOOK_AT_FATE,
            r"0?\.9",
        ),
        Mistake(
            "masks_and_others_swapped",
            (
                (MASK, MASK.replace("fate < 0.8", "fate >= 0.9")),
                (RANDOM, RANDOM.replace("fate >= 0.9", "fate < 0.8")),
            ),
            "80 % of the chosen tokens become a random one, and 10 % the mask token: it is the "
            "other way round.",
            LOOK_AT_FATE,
            r"0?\.[89]",
        ),
        Mistake(
            "a_tenth_of_the_rest",
            ((RANDOM, RANDOM.replace("0.9", "0.98")),),
            "Only 2 % of the chosen tokens are replaced, a tenth of those that were not masked; it "
            "should be a tenth of all chosen.",
            "How much is one half of what the masks have left?",
            r"0?\.1\b|rand",
        ),
        Mistake(
            "half_is_replaced",
            (
                (RANDOM, RANDOM.replace("fate >= 0.9", "random_half(fate)")),
                (
                    CHOSEN,
                    "def random_half(fate):\n"
                    "        return torch.rand(fate.shape, generator=generator, "
                    "device=tokens.device) < 0.5\n\n    " + CHOSEN,
                ),
            ),
            "One half of all chosen tokens is replaced, masked ones among them; it should be one "
            "half of those that the masks have left.",
            LOOK_AT_FATE,
            r"0?\.5",
        ),
        Mistake(
            "all_read_at_random",
            ((RANDOM, RANDOM.replace("chosen & ", "")),),
            "Random tokens also stand where nothing was chosen.",
            "Which tokens may change at all?",
            r"where|random",
        ),
        Mistake(
            "all_masked",
            ((MASK, MASK.replace("chosen & ", "")),),
            "Mask tokens also stand where nothing was chosen.",
            "Which tokens may change at all?",
            r"fill|where|mask",
        ),
        Mistake(
            "whole_sequences",
            ((CHOSEN, CHOSEN.replace("draw <", "draw[:, :1] <")),),
            "You choose whole sequences: all tokens of a sequence, or none.",
            "How many draws does a sequence need?",
            r"rand|bernoulli",
        ),
        Mistake(
            "same_places_in_all",
            ((CHOSEN, CHOSEN.replace("draw <", "draw[:1] <")),),
            "You choose the same places in every sequence.",
            "How many draws does a batch need?",
            r"rand|bernoulli|perm",
        ),
        Mistake(
            "zero_never_drawn",
            ((RANDOM, RANDOM.replace("random_tokens", "random_tokens.clamp(min=1)")),),
            "Your random tokens begin at 1; they are to be drawn from 0 … vocab - 1.",
            "Which numbers does torch.randint(1, n) give?",
            r"randint|clamp",
        ),
        Mistake(
            "one_random_token_for_all",
            (
                (
                    RANDOM,
                    "read = torch.where(chosen & (fate >= 0.9), random_tokens[0, 0], read)",
                ),
            ),
            "All replaced tokens get the same random one.",
            "How many random tokens do you draw?",
            r"rand",
        ),
        Mistake(
            "changes_tokens",
            (
                (MASK, "original = tokens.clone()\n    " + MASK.replace("fill(", "fill_(")),
                (BOTH, BOTH.replace("tokens.", "original.")),
            ),
            "The result is right, but you write into the caller's tokens.",
            "Names that end in `_`, and writing into a slice, change the tensor that came in.",
            r"\] ?=|fill_",
        ),
        Mistake(
            "swapped",
            ((BOTH, "return tokens.masked_fill(~chosen, pad), read"),),
            "You return (what is to be predicted, what is read); expected is the other order.",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "only_what_is_read",
            ((BOTH, "return read"),),
            "You return what is read, alone; expected are two things.",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "chosen_in_place_of_target",
            ((BOTH, "return read, chosen"),),
            "The second thing that you return says where, True and False; expected are the tokens "
            "that stood there.",
            "What is the model to predict at a place that was chosen?",
            r"return",
        ),
        Mistake(
            "generator_ignored",
            (
                (
                    CHOSEN,
                    "draw, fate = torch.rand((2, *tokens.shape), device=tokens.device)\n    "
                    + CHOSEN,
                ),
            ),
            "Two generators with the same seed choose different tokens: `generator` is not used "
            "everywhere.",
            "Who draws in your code, and from which generator?",
            r"rand",
        ),
    ),
    hints=(
        "Take a sentence of ten tokens, and give each a draw and a fate on paper. Which are "
        "chosen, what becomes of them, and what is to be predicted?",
        "First decide who is chosen: by the draw, and not padding. Only these can change, by their "
        "fate; and only these are to be predicted.",
        "One boolean tensor (batch, length); the tokens with mask_token where chosen and fate says "
        "so; random ones where chosen and fate is among the last tenth; the original tokens with "
        "pad where not chosen.",
    ),
)

# --- Patches --------------------------------------------------------------------------------------


def cut_up(draw, batch=6, channels=4, height=6, width=10, size=2):
    trial = call(images=draw.normal(batch, channels, height, width), size=size)
    trial.sizes = {"batch": batch, "channels": channels, "height": height, "width": width}
    trial.sizes |= {"size": size, "down": height // size, "across": width // size}
    return trial


def cut_images(draw):
    return cut_up(draw)


def cut_larger_patches(draw):
    return cut_up(draw, batch=5, channels=7, height=12, width=6, size=3)


def cut_after(draw, **sizes):
    """First an edge case, in which many mistakes look alike, then an ordinary one."""
    trial = cut_up(draw, **sizes)
    trial.calls += cut_up(draw).calls
    return trial


def cut_grey_image(draw):
    return cut_after(draw, batch=1, channels=1, height=6, width=4)


def cut_single_pixels(draw):
    return cut_after(draw, height=3, width=5, size=1)


def cut_one_patch(draw):
    return cut_after(draw, height=3, width=3, size=3)


def cut_strided(draw):
    return with_strides(cut_up(draw, channels=4, height=6, width=9, size=3))


def cut_gradients(draw):
    return with_gradients(cut_up(draw))


def cut_in_float64(draw):
    return with_dtype(cut_up(draw), torch.float64)


def cut_in_bfloat16(draw):
    return with_dtype(cut_up(draw), torch.bfloat16)


INTO = "patches = images.unflatten(3, (width // size, size)).unflatten(2, (height // size, size))"
ORDER = "patches = patches.permute(0, 2, 4, 1, 3, 5)"
FLAT = "return patches.flatten(3).flatten(1, 2)"
BY_LOOPS = (
    "[images[..., i * size : i * size + size, j * size : j * size + size].flatten(1) "
    "for i in range(height // size) for j in range(height // size)]"
)
LOOK_AT_PIXELS = (
    "Number the pixels of a 4 x 6 image with torch.arange(24), and see which of them your first "
    "patch has."
)


def first_patch(seen):
    """A symptom: what does the first patch hold?"""
    yours, images = seen.yours["output"], seen.arguments["images"].to(seen.yours["output"].dtype)
    size = seen["size"]
    if yours.shape != seen.theirs["output"].shape:
        return None
    right, got = images[0, :, :size, :size].flatten(), yours[0, 0]
    if torch.equal(got.cpu(), right.cpu()):
        return "Your first patch is right; others hold the wrong pixels."
    if torch.equal(got.sort().values.cpu(), right.sort().values.cpu()):
        return "Your first patch has the right pixels, but in another order."
    return f"Your first patch holds pixels from outside the top left {size} x {size}."


def ordered(mistake_id, order, says, look=LOOK_AT_PIXELS, line=r"permute|transpose|rearrange"):
    return Mistake(mistake_id, ((ORDER, f"patches = patches.permute({order})"),), says, look, line)


patchify = Exercise(
    id="variants.patchify",
    properties=(
        Property(
            "values",
            4,
            "every patch holds its own pixels, and the patches come row by row",
            (cut_images, cut_larger_patches),
            look=LOOK_AT_PIXELS,
        ),
        Property(
            "sizes",
            2,
            "one channel, one pixel, one patch",
            (cut_grey_image, cut_single_pixels, cut_one_patch, cut_strided),
        ),
        Property(
            "gradients",
            1,
            "gradients flow back to the images",
            (cut_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the dtype stays",
            (cut_in_float64, cut_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "the images stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "reshape_only",
            (
                (
                    INTO,
                    "patches = images.reshape(images.shape[0], -1, images.shape[1] * size * size)",
                ),
                (ORDER, "pass"),
                (FLAT, "return patches"),
            ),
            "The shape is right and the pixels are in the wrong places: a reshape alone takes them "
            "as they lie in memory, so that your first patch is a piece of the first row.",
            LOOK_AT_PIXELS,
            r"view|reshape",
        ),
        Mistake(
            "channels_moved_first",
            (
                (
                    INTO,
                    "patches = images.permute(0, 2, 3, 1).reshape(images.shape[0], -1, "
                    "images.shape[1] * size * size)",
                ),
                (ORDER, "pass"),
                (FLAT, "return patches"),
            ),
            "You put the channels last and then reshape: your first patch is a piece of the first "
            "row of pixels, and no square.",
            LOOK_AT_PIXELS,
            r"view|reshape|permute",
        ),
        Mistake(
            "as_many_columns_as_rows",
            ((INTO, f"return torch.stack({BY_LOOPS}, 1)"),),
            "You cut as many columns as there are rows of patches; this image has {down} rows "
            "and {across} columns of them.",
            "Is every image square?",
            r"range|//|shape",
        ),
        Mistake(
            "windows_overlap",
            ((INTO, "return F.unfold(images, size).transpose(1, 2)"),),
            "Your windows move on by one pixel and overlap: {your_shape}, expected "
            "{expected_shape}.",
            "How far is it from one patch to the next?",
            r"unfold|range",
        ),
        ordered(
            "channels_last",
            "0, 2, 4, 3, 5, 1",
            "Your patches hold the right pixels, but the channels of a pixel stand side by side; "
            "asked for is channel by channel, channels · size · size.",
            "In which order does the docstring list what is in a patch?",
        ),
        ordered(
            "column_by_column",
            "0, 4, 2, 1, 3, 5",
            "Your patches come column by column; asked for is row by row.",
            "Which patch is the second one: right of the first, or below it?",
        ),
        ordered(
            "pixels_column_by_column",
            "0, 2, 4, 1, 5, 3",
            "The pixels inside your patches stand column by column: each patch is mirrored along "
            "its diagonal.",
            LOOK_AT_PIXELS,
        ),
        ordered(
            "everything_column_by_column",
            "0, 4, 2, 1, 5, 3",
            "Both your patches and the pixels inside them come column by column; asked for is row "
            "by row.",
            "Have height and width changed places somewhere?",
        ),
        Mistake(
            "channel_by_channel",
            (
                (ORDER, "patches = patches.permute(0, 1, 2, 4, 3, 5)"),
                (FLAT, "return patches.flatten(4).flatten(1, 3)"),
            ),
            "You have a patch for every channel, and not one with all channels: {your_shape}, "
            "expected {expected_shape}.",
            "What should be in one patch?",
            r"permute|transpose|reshape|view",
        ),
        ordered(
            "rows_and_places_mixed",
            "0, 3, 5, 1, 2, 4",
            "You took the places inside a patch for the patches: {your_shape}, expected "
            "{expected_shape}.",
            "After cutting a dimension in two, which part is the number of the patch?",
        ),
        ordered(
            "rows_of_patches",
            "0, 2, 3, 1, 4, 5",
            "Your patches are whole rows of pixels: {your_shape}, expected {expected_shape}.",
            "Which dimensions say where a patch lies, and which what is in it?",
        ),
        Mistake(
            "every_nth_pixel",
            (
                (
                    INTO,
                    "patches = images.unflatten(3, (size, width // size)).unflatten(2, (size, "
                    "height // size))",
                ),
                (ORDER, "patches = patches.permute(0, 3, 5, 1, 2, 4)"),
            ),
            "Your patches hold pixels from all over the image, {down} rows and {across} columns "
            "apart; asked for are squares of neighbours.",
            "After cutting a dimension in two, which part stands first: the patch, or the place in "
            "it?",
            r"unflatten|view|reshape|::",
        ),
        Mistake(
            "down_and_across_left_apart",
            ((FLAT, "return patches.flatten(3)"),),
            "Your result has shape {your_shape}: rows and columns of patches are still two "
            "dimensions; expected {expected_shape}.",
            "Which dimensions become one?",
            r"return",
        ),
        Mistake(
            "pixels_left_apart",
            ((FLAT, "return patches.flatten(1, 2)"),),
            "Your result has shape {your_shape}: a patch is still a small image; expected is a row "
            "of numbers, {expected_shape}.",
            "Which dimensions become one?",
            r"return",
        ),
        Mistake(
            "features_before_patches",
            ((FLAT, f"{FLAT}.transpose(1, 2)"),),
            "Your result has shape {your_shape}, (batch, features, patches), as F.unfold gives it; "
            "expected {expected_shape}.",
            "A patch is a word: what has the same place as `length`?",
            r"unfold|return",
        ),
        Mistake(
            "batch_lost",
            ((FLAT, "return patches.flatten(3).flatten(0, 2)"),),
            "Your result has shape {your_shape}: the patches of all images are in one row; "
            "expected {expected_shape}.",
            "The batch stays a dimension of its own.",
            r"view|reshape|flatten|cat",
        ),
        Mistake(
            "channels_averaged",
            ((FLAT, "return patches.mean(3).flatten(3).flatten(1, 2)"),),
            "You average the channels: {your_shape}, expected {expected_shape}.",
            "What is in a patch?",
            r"mean|sum",
        ),
        graph_cut((FLAT, f"{FLAT}.detach()"), whom="the images"),
        always_float32((FLAT, f"{FLAT}.float()")),
    ),
    hints=(
        "Draw an image of 4 x 6 pixels with patches of 2 x 2 and number patches and pixels.",
        "Height is (rows of patches, rows in a patch), width likewise: cut both in two. What says "
        "which patch goes to the front, what says where in it goes to the back.",
        "Six dimensions, (batch, channels, down, size, across, size); put in the order (batch, "
        "down, across, channels, size, size); then two become one, and three become one.",
    ),
    measures={"your_shape": your_shape, "expected_shape": expected_shape},
    symptoms=(first_patch,),
)

# --- Mixture of experts ---------------------------------------------------------------------------

EXPERTS = {"d_model": 6, "d_ff": 9, "num_experts": 4, "top_k": 2}


def visit(draw, leading=(2, 5), build=None, gap=0.05, training=False, reads=(), **trial):
    """A trial with tokens for which the choice of the experts is no close call."""
    build = build or EXPERTS
    state = draw.weights(draw.reference(**build))
    count = math.prod(leading)
    x = clear_cases(draw, state, count, gap).reshape(*leading, build["d_model"])
    sizes = {"tokens": count} | build
    calls = [Call({"x": x}, training=training, reads=reads)]
    trial = Trial(calls, build, {"dropout": 0.0}, state=state, sizes=sizes, **trial)
    trial.digest = about_output
    return trial


def clear_cases(draw, state, count, gap):
    """Tokens whose experts' logits lie at least `gap` apart: rounding must not decide."""
    weight, bias = (
        state["router.weight"].bfloat16().float(),
        state["router.bias"].bfloat16().float(),
    )
    while True:
        x = draw.normal(40 * count + 200, weight.shape[1])
        x = x.bfloat16().float()
        logits = (x @ weight.T + bias).sort(dim=-1).values
        clear = x[(logits.diff(dim=-1) > gap).all(dim=-1)]
        if len(clear) >= count:
            return clear[:count]


def about_output(answer):
    """A parameter that nothing depends on may have no gradient, or one of 0."""
    arrays, facts = dict(answer.arrays), dict(answer.facts)
    if facts.get("missing"):  # then there are weights that nobody has drawn
        return Answer(blank(answer), {n: x for n, x in facts.items() if n != "no gradient"})
    without = set(facts.pop("no gradient", ()))
    for name, array in answer.arrays.items():
        if name.startswith("gradient of ") and not bool(array.any()):
            without.add(name.removeprefix("gradient of "))
            del arrays[name]
    if without:
        facts["no gradient"] = sorted(without)
    return Answer(arrays, {n: x for n, x in facts.items() if "detached" not in n})


def visit_two(draw):
    return visit(draw)


def visit_three(draw):
    return visit(draw, (7,), {"d_model": 5, "d_ff": 8, "num_experts": 6, "top_k": 3})


def visit_one(draw):
    return visit(draw, (3, 4), EXPERTS | {"top_k": 1})


def visit_all(draw):
    return visit(draw, (8,), {"d_model": 6, "d_ff": 7, "num_experts": 3, "top_k": 3})


def visit_with_more_dimensions(draw):
    """Then a single token: nothing of the first call may be left in the second."""
    trial = visit(draw, (2, 1, 3))
    trial.calls.append(Call({"x": clear_cases(draw, trial.state, 1, 0.05)}))
    return trial


def visit_strided(draw):
    return visit(draw, (4, 3), strided=True)


def visit_by_few(draw):
    """Three tokens, and eight experts if nothing else is asked for: some are visited by nobody."""
    return visit(draw, (3,), {"d_model": 6, "d_ff": 9}, gap=0.02, gradients=True)


def visit_gradients(draw):
    return visit(draw, training=True, gradients=True)


def visit_in_float64(draw):
    return visit(draw, dtype=torch.float64)


def visit_in_bfloat16(draw):
    return visit(draw, gap=0.25, dtype=torch.bfloat16)


def balance(draw):
    return visit(draw, reads=("balance_loss",))


PROBABLE = "probabilities = softmax(self.router(tokens), dim=-1)"
TOP = "gates, chosen = probabilities.topk(self.top_k, dim=-1)"
SHARE = "gates = gates / gates.sum(dim=-1, keepdim=True)"
WHO = "token, place = torch.where(chosen == number)"
ANSWER = "answer = gates[token, place, None] * expert(tokens[token])"
ADD = "output = output.index_add(0, token, answer.to(output.dtype))"
START = "output = torch.zeros_like(tokens)"
LOOK_AT_GATES = "Print the gates of one token: how many are there, and what do they add up to?"


def gate(mistake_id, new, says, look=LOOK_AT_GATES, line=r"gate|softmax|/", same_as=""):
    return Mistake(mistake_id, ((SHARE, new),), says, look, line, same_as)


MixtureOfExperts = Exercise(
    id="variants.MixtureOfExperts",
    properties=(
        Property(
            "parts",
            1,
            "router and experts are there under their names",
            aspects=("built", "names"),
        ),
        Property(
            "values",
            4,
            "a token's output is the mixture of its experts' answers",
            (visit_two, visit_three),
            look=LOOK_AT_GATES,
        ),
        Property(
            "top_k",
            2,
            "it works with one expert for a token, and with all",
            (visit_one, visit_all),
            look=LOOK_AT_GATES,
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (visit_with_more_dimensions, visit_strided),
        ),
        Property(
            "gradients",
            1,
            "gradients reach x, the router, and the experts that were visited",
            (visit_gradients, visit_by_few),
            aspects=("gradient",),
        ),
        Property(
            "balance",
            1,
            "`balance_loss` says how evenly the experts were visited",
            (balance,),
            look="The lines below yours work it out, from `probabilities` (tokens, experts) and "
            "`chosen` (tokens, top_k).",
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (visit_in_float64, visit_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x stays as it was", aspects=("changed",)),
    ),
    mistakes=(
        gate(
            "gates_not_shared_out",
            "pass",
            "Your gates are the router's probabilities as they are: those of the chosen experts "
            "do not add up to 1.",
        ),
        gate(
            "gates_through_softmax_again",
            "gates = softmax(gates, dim=-1)",
            "The gates of the chosen experts go through a second softmax. They add up to 1, but "
            "are nearly equal: probabilities are no scores.",
        ),
        gate(
            "gates_equal",
            "gates = torch.full_like(gates, 1 / self.top_k)",
            "You average the answers of the chosen experts: what the router thinks of each makes "
            "no difference.",
            "What is the router's probability of a chosen expert for?",
            r"mean|/",
        ),
        gate(
            "no_gates",
            "gates = torch.ones_like(gates)",
            "You add up the answers of the chosen experts: what the router thinks of each makes no "
            "difference.",
            "What is the router's probability of a chosen expert for?",
            r"\+|sum",
        ),
        gate(
            "gates_shared_out_over_tokens",
            "gates = gates / gates.sum(dim=0, keepdim=True)",
            "Your gates add up to 1 over all tokens, and not over the experts of a token.",
            LOOK_AT_GATES,
            r"sum|softmax",
        ),
        gate(
            "gates_divided_by_all",
            "gates = gates / gates.sum()",
            "Your gates of all tokens together add up to 1.",
            LOOK_AT_GATES,
            r"sum|softmax",
        ),
        gate(
            "gates_squared",
            "gates = gates.square() / gates.square().sum(dim=-1, keepdim=True)",
            "Your gates are those of squared probabilities: each is counted twice.",
        ),
        gate(
            "gates_cut_off",
            "gates = (gates / gates.sum(dim=-1, keepdim=True)).detach()",
            "The numbers are right, but no gradient reaches the router: it could never learn where "
            "to send a token.",
            LOOK_AT_GRAPH,
            GRAPH_LINE,
        ),
        Mistake(
            "gates_from_scores",
            ((TOP, "gates, chosen = self.router(tokens).topk(self.top_k, dim=-1)"),),
            "Your gates are the router's bare scores, divided by their sum: they can be negative, "
            "or above 1.",
            "What turns scores into shares?",
            r"topk|router",
        ),
        Mistake(
            "softmax_over_tokens",
            ((PROBABLE, PROBABLE.replace("dim=-1", "dim=0")),),
            "The router's softmax runs over the tokens, and not over the experts.",
            "Among whom does each token choose?",
            r"softmax",
        ),
        Mistake(
            "sigmoid",
            ((PROBABLE, "probabilities = torch.sigmoid(self.router(tokens))"),),
            "Your router gives each expert a sigmoid of its own, and no share of a whole.",
            "What turns scores into shares?",
            r"sigmoid",
        ),
        Mistake(
            "every_expert_visited",
            (
                (
                    SHARE,
                    "every = torch.arange(len(self.experts), device=x.device).expand_as("
                    "probabilities)",
                ),
                (WHO, "token, place = torch.where(every == number)"),
                (ANSWER, ANSWER.replace("gates[", "probabilities[")),
            ),
            "Every token visits every expert: `top_k` makes no difference to the output.",
            "What is saved, if a token visits only top_k of num_experts?",
            r"for|softmax",
        ),
        Mistake(
            "only_the_first_choice",
            ((WHO, "token, place = torch.where(chosen[:, :1] == number)"),),
            "Each token visits only its first expert; the answers of the others are missing.",
            "How many of the experts' answers does a token get?",
            r"argmax|max|\[:?, ?0|where",
        ),
        Mistake(
            "first_choice_takes_all",
            (
                (WHO, "token, place = torch.where(chosen[:, :1] == number)"),
                (SHARE, "gates = torch.ones_like(gates)"),
            ),
            "Each token gets the answer of its first expert, as if top_k were 1.",
            "How many of the experts' answers does a token get?",
            r"argmax|max|\[:?, ?0",
        ),
        Mistake(
            "unlikeliest_experts",
            ((TOP, TOP.replace("dim=-1", "dim=-1, largest=False")),),
            "Each token visits the experts that the router thinks least of.",
            "Which end of the sorted probabilities do you take?",
            r"sort|topk",
        ),
        Mistake(
            "first_experts",
            (
                (
                    TOP,
                    "gates = probabilities[:, : self.top_k]\n"
                    "        chosen = torch.arange(self.top_k, device=x.device).expand_as(gates)",
                ),
            ),
            "Every token visits the first top_k experts, whatever the router says.",
            "Which experts are chosen, and by whom?",
            r"\[",
        ),
        Mistake(
            "all_go_with_the_first_token",
            (
                (
                    TOP,
                    "chosen = probabilities[:1].topk(self.top_k, dim=-1).indices.expand("
                    "len(tokens), -1)\n        gates = probabilities.gather(-1, chosen)",
                ),
            ),
            "All tokens visit the experts that the first token has chosen.",
            "Each token chooses for itself.",
            r"\[0\]|topk",
        ),
        Mistake(
            "all_go_together",
            (
                (
                    TOP,
                    "chosen = probabilities.mean(0, keepdim=True).topk(self.top_k, dim=-1)"
                    ".indices.expand(len(tokens), -1)\n"
                    "        gates = probabilities.gather(-1, chosen)",
                ),
            ),
            "All tokens visit the same experts, those that are likeliest on average.",
            "Each token chooses for itself.",
            r"mean|sum",
        ),
        Mistake(
            "overwritten",
            (
                (
                    ADD,
                    "output = output.index_copy(0, token, answer.to(output.dtype))",
                ),
            ),
            "Each expert's answer overwrites what the experts before have said: only the last one "
            "is left.",
            "Several experts write to the same token. What should happen to what is there?",
            r"=",
        ),
        Mistake(
            "gate_of_the_first_choice",
            ((ANSWER, ANSWER.replace("place", "0")),),
            "All answers are multiplied by the gate of a token's first choice.",
            "Which of a token's gates belongs to this expert?",
            r"gate",
        ),
        Mistake(
            "gates_in_other_order",
            (
                (
                    WHO,
                    f"{WHO}\n            place = self.top_k - 1 - place",
                ),
            ),
            "Gates and experts do not go together: the first choice gets the last one's gate.",
            "Which of a token's gates belongs to this expert?",
            r"gate|sort|flip",
        ),
        Mistake(
            "gate_before_the_expert",
            ((ANSWER, "answer = expert(gates[token, place, None] * tokens[token])"),),
            "You multiply what goes into the expert by the gate, and not what comes out.",
            "Compare with the formula: where does the gate stand?",
            r"expert\(|experts\[",
        ),
        Mistake(
            "gate_as_a_row",
            ((ANSWER, ANSWER.replace("gates[token, place, None]", "gates[token, place]")),),
            "Your gates have one number for each visitor, and torch lines them up with the "
            "features.",
            "What shape must the gates have, so that each multiplies one row?",
            r"gate",
        ),
        Mistake(
            "residual_inside",
            ((START, "output = tokens"),),
            "You add x to the output. The residual belongs to the block, which adds it once more.",
            "Compare with the formula: is x itself in the sum?",
            r"\+|clone|output = ",
        ),
        Mistake(
            "one_expert_does_it_all",
            ((ANSWER, ANSWER.replace("expert(", "self.experts[0](")),),
            "All answers come from the first expert.",
            "Which expert is whose turn in your loop?",
            r"experts\[",
        ),
        Mistake(
            "one_expert_many_times",
            (
                (
                    "self.experts = nn.ModuleList(experts)",
                    "self.experts = nn.ModuleList([next(experts)] * num_experts)",
                ),
            ),
            "Your list holds one and the same expert, num_experts times.",
            "How many feed-forwards are made?",
            r"ModuleList|\*",
        ),
        Mistake(
            "router_without_bias",
            (
                (
                    "self.router = nn.Linear(d_model, num_experts)",
                    "self.router = nn.Linear(d_model, num_experts, bias=False)",
                ),
            ),
            "Your router has no bias; asked for is nn.Linear(d_model, num_experts), which has one.",
            "How does the docstring write the router?",
            r"bias",
        ),
        Mistake(
            "always_two",
            ((TOP, TOP.replace("self.top_k", "min(2, len(self.experts))")),),
            "Every token visits two experts, whatever `top_k` is.",
            "Which of your lines should speak of `top_k`?",
            r"2",
        ),
        Mistake(
            "noise_in_training",
            (
                (
                    PROBABLE,
                    "scores = self.router(tokens)\n"
                    "        scores = scores + 3 * scores.detach() * self.training\n"
                    "        probabilities = softmax(scores, dim=-1)",
                ),
            ),
            "In training your router's scores are not those of eval mode.",
            "Does the formula say anything of noise?",
            r"training|rand",
        ),
        Mistake(
            "balance_of_the_gates",
            (
                (
                    SHARE,
                    f"{SHARE}\n"
                    "        probabilities = torch.zeros_like(probabilities).scatter("
                    "-1, chosen, gates)",
                ),
            ),
            "The output is right, but when balance_loss is worked out, `probabilities` are no "
            "longer those of the router: experts that were not chosen have 0.",
            "Which of your names do the lines below yours use?",
            r"probabilities",
        ),
        Mistake(
            "balance_missing",
            (("self.balance_loss = len(self.experts) *", "balance_loss = len(self.experts) *"),),
            "The output is right, but `balance_loss` holds nothing after a call.",
            "Which lines below yours were there for you?",
            r"return",
        ),
        Mistake(
            "experts_in_a_list",
            (("self.experts = nn.ModuleList(experts)", "self.experts = list(experts)"),),
            "Your experts stand in a plain Python list, where torch cannot see them: they are "
            "neither trained, nor saved, nor moved to another device.",
            "What is nn.ModuleList for?",
            r"experts ?=",
        ),
        graph_cut((ADD, f"{ADD}.detach()"), whom="x, router and experts"),
    ),
    hints=(
        "Follow one token: it asks the router, chooses top_k experts, hears their answers, and "
        "mixes them. What are the shapes on the way?",
        "Probabilities of all experts, the largest top_k of them and their numbers, made to add up "
        "to 1. Then expert by expert: who are its visitors, and with which gate?",
        "A softmax of the router's scores (tokens, experts); topk gives gates and `chosen`, both "
        "(tokens, top_k); in a loop over the experts, torch.where finds the visitors, the expert "
        "answers them all at once, and gate times answer is added to their rows.",
    ),
)
