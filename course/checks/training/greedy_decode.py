"""How greedy_decode is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import shape
from autograder.engine.trial import Answer, Call, StandIn, Trial, probe

PAD, START, END = 0, 1, 2
VOCAB = 12


def say(script, start, tokens, chances):
    """Add to a script that these tokens follow one another, each with its chance."""
    written = (start,)
    for token, chance in zip(tokens, chances):
        script.setdefault(written, {})[token] = chance
        written += (token,)


def decode(
    draw, scripts, max_length, vocab=VOCAB, special=(PAD, START, END), training=False, **more
):
    """A trial of a decoder, with one script a source; `more` are options of a beam search."""
    pad, start, end = special
    batch = len(scripts)
    source = draw.integers(3, 40, batch, 4)
    topics = [30 + int(number) for number in draw.order(20)[:batch]]
    source[:, 0] = torch.tensor(topics)
    source[1:, 3:] = pad
    model = StandIn(
        "scribe",
        {
            "scripts": dict(zip(topics, scripts)),
            "vocab": vocab,
            "pad": pad,
            "rare": special,
            "training": training,
        },
    )
    arguments = {"model": model, "source": source, "start": start, "end": end}
    sizes = {"batch": batch, "pad": pad, "vocab": vocab}
    calls = [Call(arguments | {"max_length": max_length} | more, returns=("tokens",))]
    return Trial(calls, sizes=sizes, digest=Padded([max_length], pad))


def together(*trials):
    """One trial of several: only at once can so much be right, or wrong in the same way."""
    calls = [call for trial in trials for call in trial.calls]
    lengths = [call.arguments["max_length"] for call in calls]
    first = trials[0]
    return Trial(calls, sizes=first.sizes, digest=Padded(lengths, first.sizes["pad"]))


class Padded:
    """A digest: columns of nothing but padding at the end are optional, so all get them.

    Args:
        lengths: max_length of every call.
    """

    def __init__(self, lengths, pad):
        self.lengths, self.pad = lengths, pad

    def __call__(self, answer):
        arrays = dict(answer.arrays)
        for name, length in zip(names_of_calls(len(self.lengths)), self.lengths):
            if name in arrays:
                arrays[name] = self.padded(arrays[name], length)
        return Answer(arrays, answer.facts)

    def padded(self, x, length):
        if x.dim() != 2:
            return x
        written = (x != self.pad).any(0).nonzero()
        x = x[:, : int(written.max()) + 1 if len(written) else 0]
        missing = length - x.shape[1]
        return torch.nn.functional.pad(x, (0, max(0, missing)), value=self.pad)


def names_of_calls(count):
    """What a trial calls the tokens of each of its calls."""
    return ["tokens" + (f" (call {n + 1})" if n else "") for n in range(count)]


def ordinary(draw, count, vocab, special):
    """Token numbers that are none of the special ones."""
    tokens = [int(token) for token in draw.order(vocab) if int(token) not in special]
    return tokens[:count]


def sentence(draw, length, max_length, vocab=VOCAB, special=(PAD, START, END), sure=0.6):
    """A script of one sentence of that many tokens, the end among them; None never ends."""
    _, start, end = special
    count = max_length if length is None else length - 1
    names = ordinary(draw, count, vocab, special)
    tokens = [*names[:1], *names][:count]  # the first word twice
    tokens += [] if length is None else [end]
    script = {}
    say(script, start, tokens, [sure + draw.integer(0, 10) / 100 for _ in tokens])
    return script


def sentences(draw, lengths, max_length, special=(PAD, START, END), sure=0.6, **options):
    scripts = [sentence(draw, n, max_length, special=special, sure=sure) for n in lengths]
    return decode(draw, scripts, max_length, special=special, **options)


def greedy_sentences(draw):
    return together(
        sentences(draw, (4, 4, 4), max_length=6),
        sentences(draw, (3,), max_length=5),
    )


def greedy_ends(draw):
    """At different steps, at once, and never."""
    return together(
        sentences(draw, (3, 2, 5, 1), max_length=7),
        sentences(draw, (2, None, 3), max_length=4),
    )


def greedy_up_to_the_limit(draw):
    """In one batch the end token is the last one that there is room for."""
    return together(
        sentences(draw, (3, 1, None), max_length=1),
        sentences(draw, (4, 2), max_length=4),
    )


def other_numbers(draw):
    """Numbers for padding, start and end that no one would write down by habit."""
    return tuple(int(token) + 3 for token in draw.order(9)[:3])


def greedy_other_numbers(draw):
    return sentences(draw, (3, 2, 4), max_length=5, special=other_numbers(draw))


greedy_while_training = probe(
    "greedy_while_training", sentences, (3, 2), max_length=4, training=True
)


def rows_differ(seen):
    """A symptom: where the first wrong row leaves the right way."""
    pad = seen["pad"]
    calls = seen.trial.calls
    for name, arguments in zip(names_of_calls(len(calls)), [made.arguments for made in calls]):
        yours, theirs = seen.yours.get(name), seen.theirs[name]
        if yours is None or yours.dim() != 2 or len(yours) != len(theirs):
            return None
        for row, (a, b) in enumerate(zip(yours.tolist(), theirs.tolist())):
            if a != b:
                given = {what: arguments[what] for what in ("start", "end", "max_length")}
                named = ", ".join(
                    f"{what} {value}" for what, value in (given | {"pad": pad}).items()
                )
                return f"Row {row} of your answer is {words(a)}; expected {words(b)} ({named})."
    return None


def words(tokens):
    return " ".join(map(str, tokens))


def odd_shape(seen):
    """The shape of the first answer that has not two dimensions."""
    return next((shape(x) for x in seen.yours.values() if x.dim() != 2), "another")


DECODING = {"your_shape": odd_shape}
LOOK_AT_MODE = "Note model.training first, and put it back when you are done."


LOOK_AT_ROWS = (
    "Take a batch of two, one of which ends after 2 tokens and the other after 5, and write down "
    "what your variables hold after every step."
)
LOOK_AT_STEP = "What does the decoder read at the third step, and which of its answers is new?"

greedy_decode = Exercise(
    id="training.greedy_decode",
    properties=(
        Property(
            "values",
            3,
            "every token is the likeliest one after those before it",
            (greedy_sentences,),
            look=LOOK_AT_STEP,
        ),
        Property(
            "ending",
            2,
            "each sentence ends with its own end token, and padding follows",
            (greedy_ends,),
            look=LOOK_AT_ROWS,
        ),
        Property(
            "limit",
            1,
            "there are never more than max_length tokens",
            (greedy_up_to_the_limit,),
            look="max_length counts the end token, and not the start token.",
        ),
        Property(
            "numbers",
            1,
            "start, end and padding may have any numbers",
            (greedy_other_numbers,),
            look="Where does your code use a number, and not start, end or model.pad?",
        ),
        Property(
            "mode",
            1,
            "it decodes in eval mode and without gradients, and leaves the model as it was",
            (greedy_while_training,),
            aspects=("fact",),
            look=LOOK_AT_MODE,
        ),
        promises.dtype("tokens are whole numbers"),
        promises.unchanged("the source stays as it was"),
    ),
    hints=(
        "Play it through by hand: the decoder reads the start token, and says something about the "
        "first token. What does it read next?",
        "Keep two things: the tokens so far, beginning with a column of start tokens, and for "
        "each sentence whether it has ended. Only the last position of what the decoder says is "
        "new.",
        "A loop of at most max_length steps: decode, the last position, output, the likeliest "
        "token, model.pad for those that have ended, cat, note who ends now, stop if all have. "
        "The start column is cut off at the end.",
    ),
    measures=DECODING,
    symptoms=(rows_differ,),
)
