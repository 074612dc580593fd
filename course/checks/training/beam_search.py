"""How beam_search is checked."""

import math

from autograder.engine.exercise import Exercise, Mistake, Property

from .greedy_decode import (
    BEST,
    DECODING,
    END,
    LOOK_AT_MODE,
    PAD,
    START,
    STEPS,
    VOCAB,
    decode,
    mistakes_around,
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


LONGER = "length = length + ~finished"
SCORE = "score = total / ((5 + length[:, None]) / 6) ** alpha"
TOPK = "score, best = score.reshape(batch, beam * vocab).topk(beam)"
GATHERED = "total = total.reshape(batch, beam * vocab).gather(1, best)"
PARENT = "parent = (first_row[:, None] + best // vocab).flatten()"
TOKEN = "token = (best % vocab).flatten()"
JOINED = "tokens = torch.cat([tokens[parent], token[:, None]], dim=1)"
KEPT = "length, finished = length[parent], finished[parent] | (token == end)"
LOG_P = "log_p = torch.log_softmax(logits, dim=-1, dtype=torch.float32)"
FROZEN = 'log_p = log_p.masked_fill(finished[:, None], float("-inf"))'
PADDED = "log_p[:, model.pad] = log_p[:, model.pad].masked_fill(finished, 0.0)"
FIRST_COUNTS = "total[:, 0] = 0.0"
STOP = "if (finished[first_row] & (score[:, 0] >= hope)).all():"
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


def scored_as(mistake_id, new, says, look=LOOK_AT_PENALTY, line=r"\*\*|pow|score", variations=()):
    """Another score; with it one may stop by the bound that is given, or go on to the end."""
    edit = (SCORE, f"score = {new}")
    to_the_end = (edit, (STOP, "if finished.all():"))
    return Mistake(mistake_id, (edit,), says, look, line, variations=(to_the_end, *variations))


def answered_by(ended):
    """Edits: the answer is the first of these hypotheses of source i, as soon as one has ended."""
    return (
        ("batch = len(source)", "batch, answers = len(source), {}"),
        (
            KEPT,
            KEPT + "\n            for i in range(batch):\n"
            f"                ended = {ended}.nonzero().flatten().tolist()\n"
            "                if ended and i not in answers:\n"
            "                    answers[i] = tokens[i * beam + ended[0], 1:]",
        ),
        (STOP, "if len(answers) == batch:"),
        (
            BEST,
            "rows = [answers.get(i, tokens[i * beam, 1:]) for i in range(batch)]\n"
            "        return nn.utils.rnn.pad_sequence(rows, True, model.pad)",
        ),
    )


# Nobody is ever finished: all hypotheses are written on to the end.
NEVER_ENDED = ((FROZEN, "pass"), (PADDED, "pass"), (KEPT, "length = length[parent]"))
CUT_BEHIND_END = (
    BEST,
    "answer = tokens[first_row, 1:]\n"
    "        ended = (answer == end).cumsum(1) - (answer == end).long() > 0\n"
    "        return answer.masked_fill(ended, model.pad)",
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
        Property("dtype", 1, "tokens are whole numbers", aspects=("dtype",)),
        Property("arguments", 1, "the source stays as it was", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "greedy",
            ((FIRST_COUNTS, "total[:] = 0.0"),),
            "Your answer is that of greedy decoding, also where another sentence is likelier: "
            "either all your hypotheses are the same one, or only the best is ever continued.",
            "At the first step all beams are alike. What do you do so that they part?",
            r"topk|argmax|max",
        ),
        Mistake(
            "each_beam_by_itself",
            (
                (
                    TOPK,
                    "score = score.reshape(batch, beam, vocab)\n"
                    "            if tokens.shape[1] == 1:\n"
                    "                score, best = score.flatten(1).topk(beam)\n"
                    "            else:\n"
                    "                score, best = score.max(dim=2)\n"
                    "                each = torch.arange(beam, device=source.device)\n"
                    "                best = best + vocab * each",
                ),
                (
                    BEST,
                    "return tokens[first_row + score.argmax(dim=1), 1:]",
                ),
                (STOP, "if finished.all():"),
            ),
            "After the first step each of your hypotheses is continued by itself, with its own "
            "likeliest token; they do not compete, and two never come from the same one.",
            "All continuations of all hypotheses of a source stand in one race.",
            r"topk|argmax|max",
        ),
        scored_as(
            "no_length_penalty",
            "total",
            "Your scores are not divided by the length penalty, or by the same one for all: short "
            "sentences win, because every further token costs something.",
            "A hypothesis that has ended does not get longer. " + LOOK_AT_PENALTY,
            r"log|score|length|len",
            (((LONGER, "length = length + 1"),),),
        ),
        scored_as(
            "penalty_multiplied",
            "total * ((5 + length[:, None]) / 6) ** alpha",
            "You multiply by the length penalty, in place of dividing. Logarithms of probabilities "
            "are negative, so that makes long sentences worse, and not better.",
        ),
        scored_as(
            "mean_logarithm",
            "total / length[:, None]",
            "Your score is the mean logarithm of a token: it does not depend on alpha, and favours "
            "long sentences too much.",
        ),
        scored_as(
            "plain_power_of_length",
            "total / length[:, None] ** alpha",
            "You divide by n to the power of alpha; the penalty in the docstring grows more "
            "slowly, from (5 + n) / 6.",
        ),
        scored_as(
            "penalty_without_alpha",
            "total / ((5 + length[:, None]) / 6)",
            "Your length penalty is always that of alpha=1.",
            line=r"/ ?6|5 ?\+",
        ),
        scored_as(
            "alpha_always_0_6",
            "total / ((5 + length[:, None]) / 6) ** 0.6",
            "Your length penalty is always that of alpha=0.6.",
            line=r"0\.6",
        ),
        scored_as(
            "bracket_missing",
            "total / (5 + length[:, None] / 6) ** alpha",
            "Your length penalty is 5 + n / 6: the bracket around 5 + n is missing.",
            line=r"/ ?6",
        ),
        scored_as(
            "start_counted",
            "total / ((5 + length[:, None] + 1) / 6) ** alpha",
            "Your n is one too large: it counts the start token.",
            line=r"shape|size|len|\*\*|pow",
        ),
        scored_as(
            "end_not_counted",
            "total / ((5 + length[:, None] - (finished[:, None] | "
            "(torch.arange(vocab, device=source.device) == end)).long()) / 6) ** alpha",
            "Your n is one too small for sentences that have ended: the end token counts, too.",
            line=r"shape|size|len|\*\*|pow",
        ),
        Mistake(
            "scores_penalised_again",
            ((GATHERED, "total = score"),),
            "At every step you add logarithms to scores that were divided by the length penalty "
            "before: the penalty is to be applied to the sum, and not to be carried on.",
            "Keep the sums and the scores apart.",
            r"score|total",
        ),
        Mistake(
            "probabilities_added",
            ((LOG_P, "log_p = torch.softmax(logits, dim=-1, dtype=torch.float32)"),),
            "You add up probabilities. The probability of a sentence is their product, and its "
            "logarithm the sum of logarithms.",
            "What does the docstring add up?",
            r"softmax",
            variations=(
                (
                    (LOG_P, "log_p = torch.softmax(logits, dim=-1, dtype=torch.float32)"),
                    (STOP, "if finished.all():"),
                ),
            ),
        ),
        Mistake(
            "logits_added",
            ((LOG_P, "log_p = logits.clone()"),),
            "You add up logits; those of different steps and hypotheses cannot be compared before "
            "they are turned into logarithms of probabilities.",
            "What does the docstring add up?",
            r"output|logits|model\(",
            variations=(((LOG_P, "log_p = logits.clone()"), (STOP, "if finished.all():")),),
        ),
        Mistake(
            "stops_with_the_best",
            ((STOP, "if finished[first_row].all():"),),
            "You stop as soon as the best hypothesis has ended. One that is still being written "
            "may end up with a better score, since the penalty makes up for its length.",
            LOOK_AT_WAITING,
            r"break|end",
            variations=(answered_by("finished[i * beam : i * beam + 1]"),),
        ),
        Mistake(
            "first_end_wins",
            answered_by("finished[i * beam : (i + 1) * beam]"),
            "The first hypothesis that ends is your answer. One that is still being written may "
            "end up with a better score.",
            LOOK_AT_WAITING,
            r"break|return|end",
        ),
        Mistake(
            "stops_with_any",
            ((STOP, "if finished.reshape(batch, beam).any(dim=1).all():"),),
            "You stop as soon as one hypothesis of each source has ended, and give the best of "
            "what is there.",
            LOOK_AT_WAITING,
            r"break|end|any",
        ),
        Mistake(
            "ended_ones_continued",
            ((FROZEN, "pass"), (PADDED, "pass")),
            "A hypothesis that has ended is continued like all others: its score gets worse with "
            "every token after the end.",
            LOOK_AT_WAITING,
            r"end",
            variations=(NEVER_ENDED, (*NEVER_ENDED, CUT_BEHIND_END)),
        ),
        Mistake(
            "ended_ones_dropped",
            (
                (
                    KEPT,
                    KEPT + "\n            "
                    'total = total.masked_fill(finished.reshape(batch, beam), float("-inf"))',
                ),
            ),
            "A hypothesis that has ended is dropped: your answers are those that never came to an "
            "end.",
            LOOK_AT_WAITING,
            r"end",
        ),
        Mistake(
            "batch_mixed_up",
            ((PARENT, "parent = (best // vocab).flatten()"),),
            "A single source comes out right, but in a batch all others continue hypotheses of the "
            "first one.",
            "In which rows do the hypotheses of source 2 stand?",
            r"//|div",
        ),
        Mistake(
            "memory_repeated_in_wrong_order",
            (
                ("memory.repeat_interleave(beam, dim=0)", "memory.repeat(beam, 1, 1)"),
                ("source.repeat_interleave(beam, dim=0)", "source.repeat(beam, 1)"),
            ),
            "The hypotheses of one source read the memory of another: you lay the whole batch "
            "down `beam` times, in place of each source `beam` times in a row.",
            "There are two functions in torch that repeat; print what they make of 1 2 3.",
            r"repeat|expand|cat",
        ),
        Mistake(
            "division_and_remainder_swapped",
            (
                (PARENT, PARENT.replace("best // vocab", "best % vocab")),
                (TOKEN, TOKEN.replace("%", "//")),
            ),
            "Which hypothesis is continued, and with which token, have changed places: the best "
            "places are counted through beam · vocab.",
            "With 12 tokens, which hypothesis and which token is place 27?",
            r"//|%|div",
        ),
        Mistake(
            "tokens_not_sorted",
            ((JOINED, JOINED.replace("tokens[parent]", "tokens")),),
            "The new tokens are right, but they are written behind other hypotheses than those "
            "they continue.",
            LOOK_AT_BEAMS,
            r"cat|stack",
        ),
        Mistake(
            "ends_not_sorted",
            ((KEPT, KEPT.replace("finished[parent]", "finished")),),
            "Who has ended is noted by row, but hypotheses change rows at every step: you take "
            "some for ended that are not, and write on others that are.",
            LOOK_AT_BEAMS,
            r"finished|done|ended|==",
        ),
        Mistake(
            "lengths_not_sorted",
            ((KEPT, KEPT.replace("length[parent]", "length")),),
            "Lengths are noted by row, but hypotheses change rows at every step: some get the "
            "length of others.",
            LOOK_AT_BEAMS,
            r"length|len",
        ),
        Mistake(
            "worst_given",
            ((BEST, "return tokens[first_row + beam - 1, 1:]"),),
            "You give the last hypothesis of each beam, which has the lowest score.",
            "In which order do your hypotheses stand at the end?",
            r"return|min|-1",
        ),
        Mistake(
            "all_given",
            ((BEST, "return tokens[:, 1:].reshape(batch, beam, -1)"),),
            "You give all hypotheses, {your_shape}; asked for is the best of each source, (batch, "
            "length).",
            "In which order do your hypotheses stand at the end?",
            r"return",
        ),
        Mistake(
            "beam_always_four",
            (("batch = len(source)", "batch, beam = len(source), 4"),),
            "You always keep 4 hypotheses, whatever `beam` says: with beam=1 your answer is not "
            "that of greedy decoding.",
            "Look for a number that should be `beam`.",
            r"4",
        ),
        Mistake(
            "more_beams_than_tokens",
            ((SCORE, "log_p.topk(beam)\n            " + SCORE),),
            "With more hypotheses than there are tokens your code stops: topk cannot take {beam} "
            "from {vocab}.",
            "How many continuations does one hypothesis have at most?",
            r"topk",
        ),
        Mistake(
            "start_kept",
            ((BEST, "return tokens[first_row]"),),
            "Your answer begins with the start token; asked for is what comes after it.",
            "Which column is not the model's own?",
            r"return",
        ),
        Mistake(
            "end_left_out",
            (
                (
                    BEST,
                    "return tokens[first_row, 1:].masked_fill(tokens[first_row, 1:] == end, "
                    "model.pad)",
                ),
            ),
            "Your sentences are right up to their end token, {end}, which is missing: it belongs "
            "to the answer.",
            "What do you leave out when you put the answer together?",
            r"end|return",
        ),
        Mistake(
            "filled_with_end",
            (
                (
                    BEST,
                    "answer = tokens[first_row, 1:]\n"
                    "        return torch.where((answer == end).cumsum(1) > 0, end, answer)",
                ),
            ),
            "Behind its end token a sentence is filled up with more end tokens; asked for is "
            "padding, model.pad.",
            "Which number stands for no token at all?",
            r"end",
        ),
        Mistake(
            "filled_with_zero",
            (
                (
                    BEST,
                    "answer = tokens[first_row, 1:]\n"
                    "        ended = (answer == end).cumsum(1) - (answer == end).long() > 0\n"
                    "        return answer.masked_fill(ended, 0)",
                ),
            ),
            "Behind its end token a sentence is filled up with 0; padding is {pad} here.",
            "The model knows its own padding: model.pad.",
            r"0|zeros",
        ),
        Mistake(
            "end_always_two",
            ((KEPT, KEPT.replace("== end", "== 2")),),
            "You always take token 2 for the end; here it is {end}.",
            "Look for a number that should be `end`.",
            r"2",
        ),
        Mistake(
            "one_too_few",
            ((STEPS, "for _ in range(max_length - 1):"),),
            "You write at most max_length - 1 tokens: the start token does not count.",
            "How often does your loop run?",
            r"max_length|range|while",
        ),
        Mistake(
            "one_too_many",
            ((STEPS, "for _ in range(max_length + 1):"),),
            "You write up to one token more than max_length allows.",
            "How often does your loop run?",
            r"max_length|range|while",
        ),
        Mistake(
            "one_sentence_squeezed",
            ((BEST, BEST + ".squeeze(0)"),),
            "For a batch of one sentence your answer has shape {your_shape}; expected is (1, "
            "length), as for any other batch.",
            "Which function takes dimensions of size 1 away?",
            r"squeeze|\[0\]",
        ),
        Mistake(
            "answer_as_decimals",
            ((BEST, BEST + ".float()"),),
            "The tokens are right, but they are float32; token numbers are whole numbers.",
            "torch.zeros and torch.full make decimal numbers unless they are told otherwise.",
            r"zeros|ones|empty|float|full",
        ),
        *mistakes_around(BEST),
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
