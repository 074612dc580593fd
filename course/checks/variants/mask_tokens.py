"""How mask_tokens is checked."""

from functools import partial

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import Answer, Call, StandIn, Trial, probe

from .sample_token import what_is_alike
from .shared import LATER, blank

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
    facts["the target of a chosen token is the original one"] = bool(
        (target == tokens)[chosen].all()
    )
    besides = target[(target != tokens) & (target != pad)].unique().tolist()
    facts["what the target holds besides tokens and pad"] = besides[:3] or "nothing"
    facts["padding is read as padding"] = bool((read == pad)[~real].all())
    facts["padding is never predicted"] = not bool(chosen[~real].any())
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


hide_more_than_half = probe("hide_more_than_half", hide, probability=0.6)


def hide_by_default(draw):
    """So few are chosen that their fates would be too uncertain."""
    trial = hide(draw)
    trial.digest = partial(trial.digest, fates=False)
    return trial


def hide_with_another_pad(draw):
    """Pad is no longer 0, and 0 is a real token."""
    return hide(draw, pad=7, probability=0.6)


hide_with_fewer_random_tokens = probe(
    "hide_with_fewer_random_tokens", hide, vocab=6, probability=0.6
)


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
    facts["with probability 1 every token has to be predicted"] = all(right)
    return Answer(blank(answer), facts)


def hide_again(draw):
    """Twice with the same seed, once with another, twice with none."""
    arguments = {"tokens": draw.integers(1, 10, 6, 30), "mask_token": MASK_TOKEN, "vocab": VOCAB}
    first, second = draw.order(10**6)[:2].tolist()
    generators = [StandIn("generator", {"seed": seed}) for seed in (first, first, second)]
    options = [{"generator": generator} for generator in generators] + [{}, {}]
    calls = [Call(arguments, {"probability": 0.5} | o, returns=MASKED) for o in options]
    return Trial(calls, sizes={"batch": 6, "length": 30}, digest=what_is_alike)


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
        promises.dtype("both are token numbers"),
        promises.unchanged("the tokens stay as they were"),
    ),
    hints=(
        "Take a sentence of ten tokens, and give each a draw and a fate on paper. Which are "
        "chosen, what becomes of them, and what has to be predicted?",
        "First decide who is chosen: by the draw, and not padding. Only these can change, by their "
        "fate; and only these have to be predicted.",
        "One boolean tensor (batch, length); the tokens with mask_token where chosen and fate says "
        "so; random ones where chosen and fate is among the last tenth; the original tokens with "
        "pad where not chosen.",
    ),
)
