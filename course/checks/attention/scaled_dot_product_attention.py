"""How scaled_dot_product_attention is checked."""

import torch

from autograder.engine import promises
from autograder.engine.compare import close
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import apart, few, number, place_of
from autograder.engine.trial import Call, Trial, call, probe

from ..ready_made import ATTENTION
from .softmax import LARGE

WEIGHTED = ("output", "weights")


def attend(draw, mask=None, batch=2, heads=3, queries=5, keys=7, d_k=4, d_v=6, spread=1.0):
    """A trial with sizes that are all different."""
    arguments = {
        "query": draw.normal(batch, heads, queries, d_k, scale=spread),
        "key": draw.normal(batch, heads, keys, d_k),
        "value": draw.normal(batch, heads, keys, d_v),
    }
    if mask is not None:
        arguments["mask"] = mask
    names = ("batch", "heads", "queries", "keys", "d_k", "d_v")
    sizes = dict(zip(names, (batch, heads, queries, keys, d_k, d_v)))
    return Trial([Call(arguments, returns=WEIGHTED)], sizes=sizes)


attention_without_mask = probe("attention_without_mask", attend)


def attention_without_heads(draw):
    """Two dimensions, and other sizes: nothing may count dimensions from the left."""
    return call(
        WEIGHTED,
        {"queries": 4, "keys": 6, "d_k": 9, "d_v": 5},
        query=draw.normal(4, 9),
        key=draw.normal(6, 9),
        value=draw.normal(6, 5),
    )


def attention_of_sequences(draw):
    return call(
        WEIGHTED,
        {"batch": 3, "queries": 4, "keys": 2, "d_k": 5, "d_v": 7},
        query=draw.normal(3, 4, 5),
        key=draw.normal(3, 2, 5),
        value=draw.normal(3, 2, 7),
    )


attention_to_one_token = probe("attention_to_one_token", attend, queries=1, keys=1)


def attention_with_mask(draw):
    return attend(draw, draw.mask(2, 3, 5, 7))


def attention_with_shared_mask(draw):
    return attend(draw, draw.mask(5, 7))


def attention_with_padding(draw):
    return attend(draw, draw.mask(2, 1, 1, 7))


def attention_with_strong_scores(draw):
    """Large scores: a hidden key often has the largest one, or all visible ones lie very low."""
    trial = attend(draw, draw.mask(4, 1, 5, 7), batch=4)
    query, key = trial.calls[0].arguments["query"], trial.calls[0].arguments["key"]
    query *= torch.tensor([3e4, 1e5, 2e3, 50.0])[:, None, None, None]
    query[1:] = query[1:].abs() + 1
    key[1:] = -key[1:].abs() - 1  # all scores of these are about as low as the factor is high
    trial.tolerance = LARGE
    return trial


def attention_with_large_scores(draw):
    return attend(draw, spread=3e4).but(tolerance=LARGE)


def attention_gradients(draw):
    return attend(draw, draw.mask(5, 7)).but(gradients=True)


def attention_in_float64(draw):
    return attend(draw, draw.mask(2, 1, 1, 7)).but(dtype=torch.float64)


def attention_in_bfloat16(draw):
    return attend(draw, draw.mask(5, 7)).but(dtype=torch.bfloat16)


def attention_strided(draw):
    return attend(draw, draw.mask(2, 1, 5, 7), batch=2).but(strided=True)


def weights_do_not_add_up(seen):
    """A symptom: rows of weights that do not add up to 1."""
    weights, expected = seen.yours.get("weights"), seen.theirs["weights"]
    if weights is None or weights.shape != expected.shape or not weights.is_floating_point():
        return None
    sums = weights.float().sum(-1)
    if bool((sums - 1).abs().max() < 1e-2):
        return None
    return (
        f"Each query's weights should add up to 1; yours add up to {few(sums)} "
        f"(weights have shape {tuple(weights.shape)})."
    )


def weights_reach_hidden_keys(seen):
    """A symptom: a weight where the mask says False."""
    weights, mask = seen.yours.get("weights"), seen.arguments.get("mask")
    if weights is None or mask is None or weights.shape != seen.theirs["weights"].shape:
        return None
    hidden = weights[~mask.expand(weights.shape)].float()
    if hidden.numel() == 0 or float(hidden.abs().max()) < 1e-5:
        return None
    return (
        f"A weight should be 0 where the mask is False; yours are up to "
        f"{number(hidden.abs().max())} there."
    )


def output_is_no_mixture(seen):
    """A symptom: right weights, wrong output."""
    weights, output = seen.yours.get("weights"), seen.yours.get("output")
    if weights is None or output is None or weights.shape != seen.theirs["weights"].shape:
        return None
    if not close(weights, seen.theirs["weights"]):
        return None
    theirs = seen.theirs["output"]
    if output.shape != theirs.shape:
        return None
    wrong = (output.double() - theirs.double()).abs().amax(-1)
    worst = int(wrong.argmax())
    rows = [x.reshape(-1, x.shape[-1])[worst] for x in (output, theirs)]
    yours, expected = apart(*rows, count=3)
    return (
        f"Your weights are right, but the output is not what they make of the values: "
        f"{place_of(worst, wrong.shape)} begins with {yours}, expected {expected}."
    )


scaled_dot_product_attention = Exercise(
    id="attention.scaled_dot_product_attention",
    properties=(
        Property(
            "values",
            3,
            "output and weights are right where nothing is hidden",
            (attention_without_mask, attention_to_one_token),
        ),
        Property(
            "mask",
            3,
            "a key that is hidden from a query gets a weight of 0, and the others add up to 1",
            (attention_with_mask, attention_with_shared_mask, attention_with_padding),
            look="The mask is True where a query may attend.",
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (attention_without_heads, attention_of_sequences, attention_strided),
            look="Count dimensions from the right: -1 for features, -2 for tokens.",
        ),
        Property(
            "stable",
            1,
            "scores of any size are no trouble, hidden or not",
            (attention_with_strong_scores, attention_with_large_scores),
            look="What happens to your scores before the exponential, if one of them is 50000?",
        ),
        promises.gradients("gradients reach query, key and value", attention_gradients),
        promises.dtype(
            "the result has the dtype of the query",
            attention_in_float64,
            attention_in_bfloat16,
            look="Does your code make a tensor without saying which dtype?",
        ),
        promises.unchanged("query, key, value and mask stay as they were"),
    ),
    hints=(
        "Follow one query on paper: its dot product with every key, then shares, then a mixture "
        "of values. Write the shape beside each step.",
        "Scores are all dot products at once, made smaller as the formula says. Hide keys while "
        "they are still scores, so that the shares of the others add up to 1.",
        "Five lines: scores (…, query, key) by a matrix product with the keys turned; scaled by "
        "the width; hidden scores as low as can be, if there is a mask; softmax over the keys; "
        "a matrix product with the values.",
    ),
    refuses=ATTENTION,
    instead="write scores, weights and mixture yourself (torch.softmax is fine).",
    measures={
        "root": lambda seen: number(seen["d_k"] ** 0.5),
        "row_sums": lambda seen: few(weights_of(seen).sum(-1)),
        "column_sums": lambda seen: few(weights_of(seen).sum(-2)),
        "hidden_weight": lambda seen: number(hidden(seen).max()),
        "hidden_share": lambda seen: f"{100 * float(hidden_per_row(seen)):.0f} %",
        "heads": lambda seen: seen.arguments["query"].shape[1],
        "batch": lambda seen: seen.arguments["query"].shape[0],
    },
    symptoms=(weights_do_not_add_up, weights_reach_hidden_keys, output_is_no_mixture),
)


def weights_of(seen):
    """The learner's weights, which may have been returned in the output's place."""
    yours, theirs = seen.yours, seen.theirs
    swapped = yours["weights"].shape == theirs["output"].shape != theirs["weights"].shape
    return yours["output" if swapped else "weights"]


def hidden(seen):
    """The learner's weights where the mask is False."""
    weights = weights_of(seen).float()
    return weights[~seen.arguments["mask"].expand(weights.shape)]


def hidden_per_row(seen):
    """The learner's weight on hidden keys, for an average query."""
    weights = weights_of(seen).float()
    return (weights * ~seen.arguments["mask"]).sum(-1).mean()
