"""How CausalSelfAttention is checked."""

import torch

from autograder.engine import promises
from autograder.engine.compare import differences
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import Answer, Call, StandIn, Trial, ask, probe

from ..shared import comparable, levels, right_or_off
from .shared import LATER, blank

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


read_at_once = probe("read_at_once", read)
read_one_token = probe("read_one_token", read, batch=1, length=1)


def read_with_one_head(draw):
    return read(draw, build={"d_model": 6, "num_heads": 1}, batch=3, length=2)


def read_strided(draw):
    return read(draw, length=5).but(strided=True)


def read_rotary(draw):
    return read(draw, "rotary", build={"d_model": 16, "num_heads": 2}, length=5)


read_alibi = probe("read_alibi", read, "alibi", length=5)


def read_alibi_with_more_heads(draw):
    return read(draw, "alibi", build={"d_model": 8, "num_heads": 4}, length=7)


read_pieces = probe("read_pieces", read_in_pieces, None)
read_pieces_rotary = probe("read_pieces_rotary", read_in_pieces, "rotary")
read_pieces_alibi = probe("read_pieces_alibi", read_in_pieces, "alibi")


def read_token_by_token(draw):
    return read_in_pieces(draw, POSITIONS[draw.integer(0, 3)], (1, 1, 1))


def weights_at_once(draw):
    trial = read(draw, "rotary", length=5)
    trial.calls[0] = Call(trial.calls[0].arguments, reads=("weights",))
    return trial


weights_in_pieces = probe("weights_in_pieces", read_in_pieces, "alibi", (3, 2), reads=("weights",))


def read_gradients(draw):
    return read(draw, "rotary", length=5).but(gradients=True)


def read_in_float64(draw):
    return read(draw, length=5).but(dtype=torch.float64)


def read_in_bfloat16(draw):
    """A bias in float32 must not turn the scores into float32."""
    return read(draw, "alibi", length=5).but(dtype=torch.bfloat16)


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
    yours, theirs = comparable(seen)
    if yours is None or yours.dim() != 3 or yours.shape[1] < 3:
        return None
    right, off = right_or_off(seen, yours, theirs, [1])
    if right[-1] and bool(off[:-1].any()):
        return (
            "The last token comes out right, which sees everything; others do not. Do they see "
            "their future?"
        )
    if right[0] and bool(off[1:].all()):
        return (
            "Only the first token comes out right, the one that sees nothing but itself: look at "
            "how tokens see each other."
        )
    return None


def positions_change_nothing(seen):
    """A symptom: with positions it gives what it should give without."""
    chosen = seen.trial.options.get("positions")
    if not chosen:
        return None
    without = ask(seen.exercise.reference, seen.trial.but(options={}, gradients=False))
    if differences(seen.answer, without, seen.trial):
        return None
    return f'positions="{chosen}" changes nothing: your output is that without any positions.'


LOOK_AT_PIECES = (
    "Read three tokens at once, then one by one with a cache, and print queries and keys both "
    "times: at which step do they differ?"
)


CausalSelfAttention = Exercise(
    id="variants.CausalSelfAttention",
    properties=(
        promises.parts("the four projections are there under their names"),
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
            look="look_back keeps the weights. Which queries and keys does it get from you?",
        ),
        promises.gradients("gradients reach x and all parameters", read_gradients),
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
    hints=(
        "Without a cache and without positions this is lesson 2's module with x in all three "
        "places. Write that first; then ask what each of the two additions changes.",
        "Queries and keys learn their position before they are compared; a key that is kept can be "
        "kept with its position. What the cache gives back are the keys and values of the whole "
        "past, the new ones at the end.",
        "Three lines that project and split; one that turns queries and keys from `past` on, if "
        "asked; one that appends and takes back, if there is a cache; look_back, which keeps the "
        "weights as well; merge and project.",
    ),
    symptoms=(positions_change_nothing, future_is_seen),
)
