"""How rotary_embedding is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import few
from autograder.engine.trial import Call, call

from ..shared import always_float32, graph_cut, with_dtype, with_gradients, your_shape


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
