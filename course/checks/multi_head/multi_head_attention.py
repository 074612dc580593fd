"""How MultiHeadAttention is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import shape
from autograder.engine.trial import Answer, Call, Trial, probe

from ..ready_made import ATTENTION
from ..shared import levels

BUILD = {"d_model": 12, "num_heads": 3}


def look(draw, mask=None, build=None, batch=2, queries=5, keys=7, **trial):
    """A trial of the module with random weights, and queries and keys of different length."""
    build = build or BUILD
    d_model, heads = build["d_model"], build["num_heads"]
    arguments = {
        "query": draw.normal(batch, queries, d_model),
        "key": draw.normal(batch, keys, d_model),
        "value": draw.normal(batch, keys, d_model),
    }
    if mask is not None:
        arguments["mask"] = mask
    state = draw.weights(draw.reference(**build))
    sizes = {"batch": batch, "queries": queries, "keys": keys, "heads": heads}
    sizes |= {"d_model": d_model, "d_head": d_model // heads}
    calls = [Call(arguments, reads=("weights",))]
    return Trial(calls, build, state=state, sizes=sizes, **trial)


heads_of_a_batch = probe("heads_of_a_batch", look)


def heads_to_itself(draw):
    """Query, key and value are the same, as in self-attention."""
    trial = look(draw, queries=6, keys=6)
    x = draw.normal(2, 6, 12)
    trial.calls = [Call({"query": x, "key": x, "value": x}, reads=("weights",))]
    return trial


def heads_of_one(draw):
    return look(draw, build={"d_model": 6, "num_heads": 1}, batch=3)


def heads_of_one_feature(draw):
    return look(draw, build={"d_model": 5, "num_heads": 5})


heads_to_one_token = probe("heads_to_one_token", look, batch=1, queries=1, keys=1)


def heads_with_mask(draw):
    return look(draw, draw.mask(2, 3, 5, 7))


def heads_with_shared_mask(draw):
    """In training, where a mask counts as well."""
    trial = look(draw, draw.mask(5, 7))
    trial.calls = [Call(call.arguments, training=True, reads=call.reads) for call in trial.calls]
    return trial


def heads_with_padding(draw):
    return look(draw, draw.mask(2, 1, 1, 7))


def heads_twice(draw):
    """Calls of other and of the same length, with a mask and without: nothing of one may be left in
    the next."""
    trial = look(draw)
    others = (look(draw, batch=3, queries=4, keys=2), look(draw))
    others += (look(draw, draw.mask(5, 7)), look(draw))
    trial.calls += [call for other in others for call in other.calls]
    return trial


def heads_gradients(draw):
    return look(draw, draw.mask(5, 7), gradients=True)


heads_in_float64 = probe("heads_in_float64", look, dtype=torch.float64)
heads_in_bfloat16 = probe("heads_in_bfloat16", look, dtype=torch.bfloat16)


DROPPED = 0.25


def heads_with_dropout(draw):
    """Two keys with the same score and values of 1 and 3: the output shows what was dropped."""
    trial = look(draw)
    trial.build = BUILD | {"dropout": DROPPED}
    trial.state = {name: torch.zeros_like(x) for name, x in trial.state.items()}
    trial.state["w_query.bias"] = trial.state["w_key.bias"] = torch.ones(12)
    trial.state["w_value.weight"][:, 0] = 1.0  # a value is its token's first feature
    trial.state["w_output.weight"] = torch.eye(12)
    x, two = draw.normal(4, 60, 12), draw.normal(4, 2, 12)
    two[:, 0, 0], two[:, 1, 0] = 1.0, 3.0
    arguments = {"query": x, "key": two, "value": two}
    trial.calls = [
        Call(arguments, training=True, reads=("weights",)),
        Call(arguments, training=True),
        Call(arguments),
    ]
    trial.digest = what_was_dropped
    return trial


def what_was_dropped(answer):
    """Each query sees values of 1 and 3: what is left, in training and in eval mode?"""
    first, second, off = (answer.arrays.get(f"output{call}") for call in ("", *LATER))
    facts = {name: fact for name, fact in answer.facts.items() if "detached" not in name}
    if any(x is None or x.shape != (4, 60, 12) for x in (first, second, off)):
        return Answer(answer.arrays, facts)
    heads = first.unflatten(-1, (3, 4))
    together = bool((heads == heads[..., :1]).all())
    facts["all features of a head lose the same"] = together
    alike = bool((first == first[:, :1]).all())
    facts["all queries lose the same"] = alike
    if not alike:  # otherwise there are too few draws to see all levels
        facts["outputs in training"] = levels(heads)
    if together:
        # 720 draws of mean 2 and variance 5/6: six standard deviations are 0.2.
        facts["their mean is that of eval mode"] = abs(float(heads.mean()) - 2) < 0.2
    facts["two calls in training are alike"] = torch.equal(first, second)
    facts["outputs in eval mode"] = levels(off)
    if "weights" in answer.arrays:
        facts["`weights` in training"] = levels(answer.arrays["weights"])
    return Answer({}, facts)


LATER = (" (call 2)", " (call 3)")


MultiHeadAttention = Exercise(
    id="multi_head.MultiHeadAttention",
    properties=(
        promises.parts("the four projections are there under their names"),
        Property(
            "values",
            3,
            "the output is right, for queries and keys of different length",
            (heads_of_a_batch, heads_to_itself, heads_to_one_token),
        ),
        Property(
            "heads",
            1,
            "it works with one head, and with as many as features",
            (heads_of_one, heads_of_one_feature),
        ),
        Property(
            "mask",
            2,
            "masks of every shape are respected",
            (heads_with_mask, heads_with_shared_mask, heads_with_padding),
            look="The mask is True where a query may attend, and goes to every head.",
        ),
        Property("again", 1, "a second call with other lengths is right, too", (heads_twice,)),
        promises.gradients("gradients reach the inputs and all parameters", heads_gradients),
        Property(
            "dropout",
            1,
            "dropout acts on the weights, in training only",
            (heads_with_dropout,),
            look="Dropout sets some attention weights to 0 and scales up the rest; .weights shows "
            "them before that.",
        ),
        promises.dtype(
            "the result has the dtype of the input", heads_in_float64, heads_in_bfloat16
        ),
        promises.unchanged("inputs and mask stay as they were"),
        Property(
            "kept",
            1,
            "`weights` hang on no graph when they are kept",
            aspects=("kept",),
            look="What is kept only to be looked at needs no gradient.",
        ),
    ),
    hints=(
        "You have all the parts: projections, split_heads, the attention of lesson 1, merge_heads. "
        "Draw the order, and write the shape on every arrow.",
        "Project with full-width Linears, then split: every head attends with its share of the "
        "features, all heads at once, because they stand beside the batch.",
        "Three lines that project and split; one that attends; one that keeps the weights, "
        "detached; one that merges and projects. Lengths come from the tensors, for keys may be "
        "more or fewer than queries.",
    ),
    refuses=ATTENTION,
    instead="use split_heads, the attention of lesson 1, and merge_heads.",
    measures={
        "weights_shape": lambda seen: shape(seen.yours["weights"]),
        "dropped": lambda seen: DROPPED,
    },
)
