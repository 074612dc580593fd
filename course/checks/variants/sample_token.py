"""How sample_token is checked."""

from functools import partial

import torch

from autograder.engine.compare import close
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import Answer, Call, StandIn, Trial, probe

from ..shared import expected_shape, your_shape
from .shared import LATER, blank

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


sample_all = probe("sample_all", sample)
sample_warm = probe("sample_warm", sample, SPREAD, counted=False, temperature=4.0)
sample_cool = probe("sample_cool", sample, counted=False, temperature=0.3)
sample_top_three = probe("sample_top_three", sample, UNLIKELY, top_k=3)
sample_top_three_warm = probe("sample_top_three_warm", sample, SPREAD, temperature=4.0, top_k=3)
sample_top_of_more = probe("sample_top_of_more", sample, top_k=12)


def sample_ties(draw):
    """The third and the fourth are equally likely: with top_k=3 both stay in."""
    return sample(draw, (2.0, 1.2, 0.4, 0.4, -0.9), ordered=False, top_k=3)


def sample_a_few(draw):
    """A batch of three, and of one: one token each; temperature 0 leaves nothing to chance."""
    return Trial(
        [Call({"logits": x}, {"temperature": 0}) for x in (apart(draw, 3), apart(draw, 1))]
    ).but(sizes={"batch": 3, "vocab": 7})


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


sample_in_float64 = probe("sample_in_float64", sample_sure, *ORDINARY, dtype=torch.float64)
sample_in_bfloat16 = probe("sample_in_bfloat16", sample_sure, *ORDINARY, dtype=torch.bfloat16)


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
