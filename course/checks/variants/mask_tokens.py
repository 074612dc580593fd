"""How mask_tokens is checked."""

from functools import partial

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.trial import Answer, Call, StandIn, Trial

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
