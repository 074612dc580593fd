"""How beam_search is checked."""

import math

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property

from .greedy_decode import (
    DECODING,
    END,
    LOOK_AT_MODE,
    PAD,
    START,
    VOCAB,
    decode,
    ordinary,
    other_numbers,
    rows_differ,
    say,
    sentence,
    sentences,
    together,
)

# Here the answer is in every case the best of all possible ones, with a clear margin (but for
# beam=1), so that it does not matter how, and when, a search drops hypotheses, or how it stops.


def garden_path(draw, way, special=(PAD, START, END)):
    """A script in which the best sentence begins with the token that is `way`th likeliest.

    All others look promising at first, and then nothing is likely.
    """
    _, start, end = special
    names = ordinary(draw, 8, VOCAB, special)
    first, others = names[:3], names[3:]
    chances = (0.42, 0.3, 0.22)
    script = {(start,): dict(zip(first, chances))}
    for place, token in enumerate(first):
        if place == way:
            say(script, start, [token, others[0], end], [chances[place], 0.95, 0.95])
        else:
            script[start, token] = {others[1]: 0.3, others[2]: 0.24, others[3]: 0.18}
            for other in others[1:4]:
                script[start, token, other] = {end: 0.9}
    return script


def fork(draw, special=(PAD, START, END)):
    """A script in which the likeliest beginning is right, but not what is likeliest after it."""
    _, start, end = special
    a, b, c, d, e, f = ordinary(draw, 6, VOCAB, special)
    script = {}
    say(script, start, [a, c, e, end], [0.62, 0.4, 0.95, 0.95])
    say(script, start, [a, d, end], [0.62, 0.44, 0.3])
    say(script, start, [b, f, e, end], [0.3, 0.3, 0.3, 0.9])
    return script


def beam_beats_greedy(draw):
    """With two, three, and by default four hypotheses, and for a single source."""
    return together(
        decode(draw, [garden_path(draw, 1), fork(draw), garden_path(draw, 0)], 5, beam=2),
        decode(draw, [garden_path(draw, 2), fork(draw)], 5, beam=3, alpha=0.8),
        decode(draw, [garden_path(draw, 2)], 4),
    )


def beam_of_one(draw):
    """As greedy decoding, also where that misses the best."""
    scripts = [garden_path(draw, 1), sentence(draw, 4, 5), sentence(draw, 2, 5)]
    return decode(draw, scripts, 5, beam=1)


def beam_for_everything(draw):
    """More hypotheses than tokens: room for all sentences of three tokens from six."""
    x, y, z = ordinary(draw, 3, 6, (PAD, START, END))
    script = {
        (START,): {x: 0.5, y: 0.3, z: 0.12, END: 0.05},
        (START, x): {x: 0.26, y: 0.37, z: 0.3, END: 0.05},
        (START, y): {z: 0.9, x: 0.04, y: 0.02, END: 0.03},
        (START, z): {y: 0.4, z: 0.3, x: 0.2, END: 0.05},
    }
    for a in (x, y, z):
        for b in (x, y, z):
            script[START, a, b] = {END: 0.93, x: 0.03, y: 0.02, z: 0.01}
    return decode(draw, [script], 3, vocab=6, beam=36)


def two_lengths(draw, ratio, short=2, long=5, promising=0.0, dead_end=0.0):
    """A script with a short sentence and a long one whose logarithm is `ratio` times as low.

    The long one is better if ratio < ((5 + long) / (5 + short)) ** alpha. It is unlikely from its
    first token on, or else begins with that probability and is unlikely to end. Some may also begin
    with a token that leads nowhere.
    """
    names = ordinary(draw, short + long, VOCAB, (PAD, START, END))
    sure = 0.998
    likely = 0.42 + draw.integer(0, 3) / 100
    logarithm = math.log(likely) + (short - 1) * math.log(sure)
    less = math.exp(ratio * logarithm - (long - 1) * math.log(sure))
    chances = [less, *(long - 1) * [sure]]
    if promising:
        chances[0], chances[-1] = promising, sure * less / promising
    script = {}
    say(script, START, [*names[1:short], END], [likely, *(short - 1) * [sure]])
    say(script, START, [*names[short : short + long - 1], END], chances)
    if dead_end:
        say(script, START, names[-1:], [dead_end])
    return script


# Which are still long shows the limit. For alpha = 0.6 the right one is 1.239; it is 1.210 if n
# counts the start token, 1.275 if not even the end token, and 1.055 with a bracket missing.
RATIOS = (0.9, 1.03, 1.07, 1.1, 1.16, 1.225, 1.257, 1.34, 1.4, 1.46, 1.55, 1.68, 2.05)


def length_penalty(draw):
    scripts = [two_lengths(draw, ratio) for ratio in RATIOS]
    scripts.append(two_lengths(draw, 1.17, promising=0.5))
    by_default = [two_lengths(draw, 1.45, 3, 4), two_lengths(draw, 2.7, 3, 4, dead_end=0.4)]
    # All short sentences have ended, and the long ones, which are better, are still being written.
    waiting = [two_lengths(draw, 1.1), two_lengths(draw, 1.2)]
    between = draw.integer(50, 90) / 100
    several = [four_lengths(draw, way, between) for way in draw.order(4).tolist()]
    return together(
        decode(draw, scripts, 5, beam=2, alpha=0.6),
        decode(draw, scripts, 5, beam=2, alpha=1.0),
        decode(draw, scripts, 5, beam=2, alpha=0.0),
        decode(draw, waiting, 5, beam=2, alpha=1.0),
        decode(draw, several, 6, beam=4, alpha=between),
        decode(draw, [two_lengths(draw, 0.9), *by_default], 6),
    )


def four_lengths(draw, best, alpha):
    """A script with sentences of 1, 2, 4 and 6 tokens; the `best`th has the highest score."""
    lengths = (1, 2, 4, 6)
    factors = [1 if i == best else draw.integer(106, 130) / 100 for i in range(4)]
    costs = [factor * ((5 + n) / 6) ** alpha for factor, n in zip(factors, lengths)]
    low, high = 0.0, 9.0
    for _ in range(30):  # halve the range of the best score until all four have 0.95 together
        middle = (low + high) / 2
        too_likely = sum(math.exp(-middle * cost) for cost in costs) > 0.95
        low, high = (middle, high) if too_likely else (low, middle)
    names = ordinary(draw, 3 + 5, VOCAB, (PAD, START, END))
    script = {}
    for i, (n, cost) in enumerate(zip(lengths, costs)):
        words = [END] if n == 1 else [names[i - 1], *names[3 : n + 1], END]
        say(script, START, words, [math.exp(-high * cost) * 0.99 ** (1 - n), *(n - 1) * [0.99]])
    return script


def beam_ends(draw):
    """At different steps, at once, and never."""
    return together(
        sentences(draw, (3, 4, 1), max_length=5, sure=0.8, beam=3),
        sentences(draw, (2, None), max_length=3, sure=0.7, beam=2),
    )


def beam_up_to_the_limit(draw):
    """In one batch the end token is the last one that there is room for."""
    return together(
        sentences(draw, (3, 1), max_length=1, sure=0.7, beam=2),
        sentences(draw, (3, 2), max_length=3, sure=0.7, beam=2),
    )


def beam_other_numbers(draw):
    return sentences(draw, (3, 2), max_length=4, special=other_numbers(draw), sure=0.7, beam=2)


def beam_while_training(draw):
    return decode(draw, [garden_path(draw, 1), garden_path(draw, 0)], 4, training=True, beam=2)


LOOK_AT_BEAMS = (
    "Take one source and beam=2, and write down what your variables hold after two steps: which "
    "hypotheses are there, and which of the old ones does each continue?"
)
LOOK_AT_PENALTY = (
    "Work the score out by hand for a sentence of 2 tokens and one of 5, the end token among them."
)
LOOK_AT_WAITING = (
    "A hypothesis that has ended keeps the score it has. May one that is still being written end "
    "up above it?"
)


beam_search = Exercise(
    id="training.beam_search",
    properties=(
        Property(
            "values",
            3,
            "it finds a likelier sentence where greedy decoding goes astray",
            (beam_beats_greedy,),
            look=LOOK_AT_BEAMS,
        ),
        Property(
            "greedy",
            1,
            "with beam=1 it is greedy decoding",
            (beam_of_one,),
            look="With a single hypothesis nothing but the likeliest next token is left.",
        ),
        Property(
            "penalty",
            2,
            "short and long sentences are compared by the score in the docstring",
            (length_penalty,),
            look=LOOK_AT_PENALTY,
        ),
        Property(
            "ending",
            2,
            "each sentence ends with its own end token, and padding follows",
            (beam_ends,),
            look=LOOK_AT_WAITING,
        ),
        Property(
            "limit",
            1,
            "there are never more than max_length tokens",
            (beam_up_to_the_limit,),
            look="max_length counts the end token, and not the start token.",
        ),
        Property(
            "wide",
            1,
            "there may be more hypotheses than tokens in the vocabulary",
            (beam_for_everything,),
            look="How many continuations are there at the first step?",
        ),
        Property(
            "numbers",
            1,
            "start, end and padding may have any numbers",
            (beam_other_numbers,),
            look="Where does your code use a number, and not start, end or model.pad?",
        ),
        Property(
            "mode",
            1,
            "it decodes in eval mode and without gradients, and leaves the model as it was",
            (beam_while_training,),
            aspects=("fact",),
            look=LOOK_AT_MODE,
        ),
        promises.dtype("tokens are whole numbers"),
        promises.unchanged("the source stays as it was"),
    ),
    hints=(
        "Take beam=2 and a vocabulary of three tokens: how many continuations do two hypotheses "
        "have together, and how many of them are kept?",
        "All continuations of one source stand in one row of beam · vocab scores, and topk takes "
        "the best from it. From its place in that row you can tell which hypothesis was continued, "
        "and with which token. Everything that belongs to a hypothesis moves along with it.",
        "Sums (batch · beam, vocab); lengths that grow only for those still being written; scores "
        "as in the docstring; topk over (batch, beam · vocab); a division and a remainder; then "
        "tokens, lengths, sums and ends in their new order.",
    ),
    measures=DECODING,
    symptoms=(rows_differ,),
)
