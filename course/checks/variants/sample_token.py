"""How sample_token is checked."""

from functools import partial

import torch

from autograder.engine.compare import close
from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.trial import Answer, Call, StandIn, Trial

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
