"""How rotary_embedding is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import apart, number
from autograder.engine.trial import Call, call, probe

from ..shared import your_shape


def turn(draw, leading=(2, 3), length=5, d_head=6, **arguments):
    """A trial that turns queries; `arguments` follow by position."""
    return call(x=draw.normal(*leading, length, d_head), **arguments).but(
        sizes={"length": length, "d_head": d_head, "pairs": d_head // 2}
    )


turn_queries = probe("turn_queries", turn)
turn_narrow_queries = probe("turn_narrow_queries", turn, leading=(3,), length=7, d_head=2)
turn_without_batch = probe("turn_without_batch", turn, leading=(), length=4, d_head=10)
turn_one_token = probe("turn_one_token", turn, leading=(1, 2), length=1, d_head=4)


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
    return turn(draw, offset=2).but(gradients=True)


def turn_in_float64(draw):
    """A table of angles in float32 is accurate enough."""
    return turn(draw, length=4).but(dtype=torch.float64, tolerance=5.0)


def turn_in_bfloat16(draw):
    return turn(draw).but(dtype=torch.bfloat16)


def turn_far_on_in_bfloat16(draw):
    """bfloat16 has no numbers of its own for most positions above 256."""
    return turn(draw, length=6, offset=draw.integer(600, 700)).but(dtype=torch.bfloat16)


def pairs_change_length(seen):
    """A symptom: to turn an arrow leaves its length as it was."""
    x, yours = seen.arguments["x"].float(), seen.yours["output"].float()
    if yours.shape != x.shape or seen.trial.dtype == torch.bfloat16:
        return None
    before, after = x.norm(dim=-1).flatten(), yours.norm(dim=-1).flatten()
    if bool(((before - after).abs() < 1e-3 * before).all()):
        return None
    worst = int((before - after).abs().argmax())
    return (
        f"Turning changes no vector's length, but yours get longer or shorter: one that is "
        f"{number(before[worst])} long before is {number(after[worst])} long afterwards."
    )


def first_token_moves(seen):
    """A symptom: at position 0 the angle is 0."""
    x, yours = seen.arguments["x"].float(), seen.yours["output"].float()
    start = seen.arguments.get("offset", 0)
    if start != 0 or yours.shape != x.shape or seen.trial.dtype == torch.bfloat16:
        return None
    was, is_now = (each[..., 0, :].reshape(-1, x.shape[-1]) for each in (x, yours))
    worst = int((was - is_now).abs().amax(-1).argmax())
    if torch.allclose(was, is_now, atol=1e-3):
        return None
    one, other = apart(is_now[worst], was[worst], count=3)
    return (
        f"At position 0 every angle is 0, so the first token should stay as it is. Yours becomes "
        f"{one}; it was {other}."
    )


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
        promises.gradients("gradients flow back to x", turn_gradients),
        promises.dtype(
            "the result has the dtype of x, and far positions keep their angles",
            turn_in_float64,
            turn_in_bfloat16,
            turn_far_on_in_bfloat16,
            look="Which dtype do your positions and angles have? bfloat16 cannot even count beyond "
            "256.",
        ),
        promises.unchanged("x stays as it was"),
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
