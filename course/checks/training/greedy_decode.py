"""How greedy_decode is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import shape
from autograder.engine.trial import Answer, Call, StandIn, Trial

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


def greedy_while_training(draw):
    return sentences(draw, (3, 2), max_length=4, training=True)


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
EVALUATING = "with evaluating(model):"
READ = "memory = model.encode(source)"
LOOK_AT_MODE = "Note model.training first, and put it back when you are done."


def mistakes_around(the_end):
    """What goes wrong around a decoder; `the_end` is the line that gives the answer back."""
    return (
        Mistake(
            "first_source_for_all",
            (
                (
                    READ,
                    "source = source[:1].expand(len(source), -1)\n"
                    "        memory = model.encode(source)",
                ),
            ),
            "The decoder is given the memory of the first source for all sentences of the batch.",
            "In which row does the memory of the second source stand?",
            r"encode|memory|\[0\]|\[:1\]",
            variations=(
                ((READ, "memory = model.encode(source[:1]).expand(len(source), -1, -1)"),),
            ),
        ),
        Mistake(
            "not_in_eval_mode",
            ((EVALUATING, "with torch.no_grad():"),),
            "Called in training mode, your function decodes in training mode: dropout acts, and "
            "the translation is another every time.",
            "Which mode is a model to be in, when it is used and not trained?",
            r"encode|decode|def ",
        ),
        Mistake(
            "left_in_eval_mode",
            ((EVALUATING, "model.eval()\n    with torch.no_grad():"),),
            "The tokens are right, but a model that was in training mode is in eval mode "
            "afterwards: whoever goes on training it trains without dropout.",
            LOOK_AT_MODE,
            r"eval",
        ),
        Mistake(
            "left_in_training_mode",
            ((the_end, "model.train()\n" + " " * INDENT[the_end] + the_end),),
            "The tokens are right, but a model that was in eval mode is in training mode "
            "afterwards.",
            LOOK_AT_MODE,
            r"train\(",
        ),
        Mistake(
            "gradients_recorded",
            ((EVALUATING, "with evaluating(model), torch.enable_grad():"),),
            "The tokens are right, but torch keeps everything for gradients that nobody asks for: "
            "that takes memory, and more of it with every token.",
            "There is a context in which torch records nothing.",
            r"decode|encode|model\(",
        ),
        Mistake(
            "neither_eval_nor_no_grad",
            ((EVALUATING, "if True:"),),
            "Your function decodes in the mode in which it finds the model, in training mode with "
            "dropout, and torch keeps everything for gradients that nobody asks for.",
            "In which two respects does using a model differ from training it?",
            r"encode|decode|def ",
        ),
        Mistake(
            "only_eval",
            ((EVALUATING, "model.eval()\n    if True:"),),
            "Your function puts the model into eval mode and leaves it there, and torch keeps "
            "everything for gradients that nobody asks for.",
            LOOK_AT_MODE,
            r"eval",
        ),
        Mistake(
            "gradients_switched_off",
            ((EVALUATING, "torch.set_grad_enabled(False)\n    with evaluating(model):"),),
            "The tokens are right, but you switch gradients off for good: after a call nothing can "
            "be trained any more.",
            "There is a context that switches them off only for what is inside.",
            r"set_grad_enabled",
        ),
        Mistake(
            "encoded_in_training_mode",
            (
                (EVALUATING, "memory_before = model.encode(source)\n    with evaluating(model):"),
                (READ, "memory = memory_before"),
            ),
            "The source is read before the model is in eval mode: in training mode dropout acts on "
            "the memory.",
            "Which of your lines comes first, and which should?",
            r"encode",
            variations=(
                (
                    (
                        EVALUATING,
                        "with torch.no_grad():\n        memory_before = model.encode(source)\n"
                        "    with evaluating(model):",
                    ),
                    (READ, "memory = memory_before"),
                ),
            ),
        ),
    )


WRITTEN = "tokens = source.new_full((len(source), 1), start)"
STEPS = "for _ in range(max_length):"
HIDDEN = "hidden = model.decode(tokens, memory, source)[:, -1]"
LIKELIEST = "token = model.output(hidden).argmax(dim=-1)"
ONLY_PAD = "token = token.masked_fill(finished, model.pad)"
FINISHED = "finished = finished | (token == end)"
ALL_FINISHED = "if finished.all():"
GREEDY = "return tokens[:, 1:]"
BEST = "return tokens[first_row, 1:]"
INDENT = {GREEDY: 8, BEST: 8}
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
        Property("dtype", 1, "tokens are whole numbers", aspects=("dtype",)),
        Property("arguments", 1, "the source stays as it was", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "first_position",
            ((HIDDEN, HIDDEN.replace("-1", "0")),),
            "Your next token is always the one after the start token: you look at what the model "
            "says at the first position, and not at the last.",
            LOOK_AT_STEP,
            r"\b0\b",
        ),
        Mistake(
            "only_last_token_read",
            ((HIDDEN, HIDDEN.replace("tokens", "tokens[:, -1:]")),),
            "The decoder reads only the newest token at every step, and has forgotten what comes "
            "before it.",
            LOOK_AT_STEP,
            r"decode|model\(",
        ),
        Mistake(
            "output_forgotten",
            ((LIKELIEST, "token = hidden.argmax(dim=-1)"),),
            "You take the largest feature of the hidden state for a token: what model.decode gives "
            "are features, and no logits yet.",
            "What does Transformer.forward do with the decoder's hidden states?",
            r"argmax",
        ),
        Mistake(
            "least_likely",
            ((LIKELIEST, LIKELIEST.replace("argmax", "argmin")),),
            "You take the least likely token at every step.",
            "Are large logits likely or unlikely?",
            r"min",
        ),
        Mistake(
            "second_likeliest",
            ((LIKELIEST, "token = model.output(hidden).argsort(dim=-1)[:, -2]"),),
            "You take the second likeliest token at every step.",
            "Where does the likeliest one stand after sorting?",
            r"sort|topk",
        ),
        Mistake(
            "start_kept",
            ((GREEDY, "return tokens"),),
            "Your answer begins with the start token; asked for is what comes after it.",
            "Which column is not the model's own?",
            r"return",
        ),
        Mistake(
            "start_always_one",
            ((WRITTEN, WRITTEN.replace("start)", "1)")),),
            "You always begin with token 1; here the start token is {start}.",
            "Look for a number that should be `start`.",
            r"1|ones",
        ),
        Mistake(
            "start_always_zero",
            ((WRITTEN, WRITTEN.replace("start)", "0)")),),
            "You always begin with token 0; here the start token is {start}.",
            "Where does your code use `start`?",
            r"0|zeros",
        ),
        Mistake(
            "begins_with_pad",
            ((WRITTEN, WRITTEN.replace("start)", "model.pad)")),),
            "You begin with padding, {pad}; here the start token is {start}.",
            "Where does your code use `start`?",
            r"pad",
        ),
        Mistake(
            "end_always_two",
            ((FINISHED, "finished = finished | (token == 2)"),),
            "You always take token 2 for the end; here it is {end}.",
            "Look for a number that should be `end`.",
            r"2",
        ),
        Mistake(
            "writes_on_after_end",
            ((ONLY_PAD, "pass"),),
            "A sentence that has ended is written on for as long as others in the batch have not: "
            "after its end token comes more, in place of padding.",
            LOOK_AT_ROWS,
            r"cat|append|\] ?=",
        ),
        Mistake(
            "writes_on_to_the_limit",
            ((ONLY_PAD, "pass"), (ALL_FINISHED, "if False:")),
            "Your function always writes max_length tokens: after an end token it goes on "
            "with other tokens, in place of padding.",
            LOOK_AT_ROWS,
            r"for|while",
        ),
        Mistake(
            "waits_for_ends_together",
            ((ONLY_PAD, "pass"), (FINISHED, "finished = token == end")),
            "You stop only when all sentences write the end token in the same step; those that "
            "ended before are forgotten, and written on.",
            LOOK_AT_ROWS,
            r"==",
        ),
        Mistake(
            "forgets_who_has_finished",
            ((FINISHED, "finished = token == end"),),
            "One step after its end token a sentence gets padding, and in the next step it goes "
            "on: you only look at the newest token to see who has finished.",
            LOOK_AT_ROWS,
            r"==",
        ),
        Mistake(
            "stops_with_the_first",
            ((ALL_FINISHED, "if finished.any():"),),
            "You stop as soon as one sentence of the batch has ended; the others are cut off.",
            LOOK_AT_ROWS,
            r"any|==",
        ),
        Mistake(
            "stops_with_row_0",
            ((ALL_FINISHED, "if finished[0]:"),),
            "You stop as soon as the first sentence of the batch has ended; longer ones are cut "
            "off.",
            LOOK_AT_ROWS,
            r"\[0\]",
        ),
        Mistake(
            "end_left_out",
            (
                (FINISHED, "pass"),
                (
                    ONLY_PAD,
                    "finished = finished | (token == end)\n            "
                    "token = token.masked_fill(finished, model.pad)",
                ),
            ),
            "Your sentences are right up to their end token, {end}, which is missing: it belongs "
            "to the answer.",
            "In which order do you note that a sentence has ended, and write its token?",
            r"finished|done|end",
        ),
        Mistake(
            "end_repeated",
            ((ONLY_PAD, "token = token.masked_fill(finished, end)"),),
            "Behind its end token a sentence is filled up with more end tokens; asked for is "
            "padding, model.pad.",
            "Which number stands for no token at all?",
            r"end",
        ),
        Mistake(
            "filled_with_zero",
            ((ONLY_PAD, "token = token.masked_fill(finished, 0)"),),
            "Behind its end token a sentence is filled up with 0; padding is {pad} here.",
            "The model knows its own padding: model.pad.",
            r"0|zeros",
        ),
        Mistake(
            "filled_with_start",
            ((ONLY_PAD, "token = token.masked_fill(finished, start)"),),
            "Behind its end token a sentence is filled up with the start token; asked for is "
            "padding, model.pad.",
            "Which number stands for no token at all?",
            r"start",
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
            "last_column_dropped",
            ((GREEDY, "return tokens[:, 1:-1]"),),
            "The last token of the longest sentence is missing from your answer.",
            "Which columns do you leave out at the end?",
            r"-1\]",
        ),
        Mistake(
            "one_sentence_squeezed",
            ((GREEDY, "return tokens[:, 1:].squeeze(0)"),),
            "For a batch of one sentence your answer has shape {your_shape}; expected is (1, "
            "length), as for any other batch.",
            "Which function takes dimensions of size 1 away?",
            r"squeeze|\[0\]",
        ),
        Mistake(
            "tokens_as_decimals",
            ((WRITTEN, "tokens = torch.full((len(source), 1), float(start))"),),
            "Your tokens are decimal numbers, and a table of embeddings is looked up with whole "
            "ones.",
            "torch.zeros and torch.ones make decimal numbers unless they are told otherwise.",
            r"zeros|ones|empty|float|full",
        ),
        Mistake(
            "answer_as_decimals",
            ((GREEDY, "return tokens[:, 1:].float()"),),
            "The tokens are right, but they are float32; token numbers are whole numbers.",
            "torch.zeros and torch.full make decimal numbers unless they are told otherwise.",
            r"zeros|ones|empty|float|full",
        ),
        Mistake(
            "a_list",
            ((GREEDY, "return tokens[:, 1:].tolist()"),),
            "You give lists of numbers; asked for is one tensor (batch, length).",
            "Where does a list come into your code?",
            r"tolist|\[\]|append",
        ),
        *mistakes_around(GREEDY),
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
