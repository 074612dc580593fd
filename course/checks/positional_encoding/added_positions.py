"""How PositionalEncoding is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import few, number, shape
from autograder.engine.trial import Answer, Call, Trial

from ..shared import CUTS, LOOK_FOR_CUTS, comparable, levels, only_dtype
from .shared import last_exponent


def place(draw, batch=3, length=5, d_model=6, max_length=11, **trial):
    """A trial of the module without dropout."""
    build = {"d_model": d_model, "max_length": max_length, "dropout": 0.0}
    x = draw.normal(batch, length, d_model)
    sizes = {"batch": batch, "length": length}
    return told_apart(Trial([Call({"x": x})], build, sizes=sizes, **trial))


def place_a_batch(draw):
    return place(draw)


def place_one_sequence(draw):
    return place(draw, batch=1, length=4, d_model=8)


def place_all_positions(draw):
    return place(draw, batch=2, length=7, d_model=4, max_length=7)


def place_odd_width(draw):
    return place(draw, batch=4, length=6, d_model=3)


def place_one_token(draw):
    return place(draw, batch=2, length=1)


def place_strided(draw):
    return place(draw, strided=True)


def place_far(draw):
    """As many positions as there are by default; see waves_of_far_positions."""
    trial = place(draw, batch=1, length=600, d_model=2)
    trial.build, trial.options = {"d_model": 2}, {"dropout": 0.0}
    return trial


def place_twice(draw):
    """A second call is longer, with another batch; a third is shorter again."""
    trial = place(draw)
    for batch, length in ((2, 9), (4, 3)):
        trial.calls.append(Call({"x": draw.normal(batch, length, 6)}))
    return told_apart(trial)


def place_in_training(draw):
    """With dropout=0, training changes nothing."""
    trial = place(draw, batch=2, length=4)
    x = trial.calls[0].arguments["x"]
    trial.calls = [Call({"x": x}, training=True), Call({"x": x})]
    trial.digest = modes_alike
    return trial


def modes_alike(answer):
    """A digest: numbers that nobody can foresee are not compared."""
    training, off = (answer.arrays.get("output" + call) for call in LATER[:2])
    facts = extra_counted(answer.facts)
    if training is not None and off is not None:
        same = training.shape == off.shape and torch.allclose(training, off, atol=1e-4)
        facts["with dropout=0, training and eval mode are alike"] = same
    return Answer({}, facts)


def place_gradients(draw):
    return place(draw, gradients=True)


def place_in_float64(draw):
    return place(draw, dtype=torch.float64, tolerance=20.0)


def place_in_bfloat16(draw):
    return only_dtype(place(draw, dtype=torch.bfloat16))


LATER = ("", " (call 2)", " (call 3)")


def told_apart(trial):
    """Give the trial a digest that recognises positions which are parameters.

    They may have any name and, if they are learned, any numbers: then what can be compared is that
    something is added that is no wave, and the same for all sequences.
    """
    inputs = [call.arguments["x"] for call in trial.calls]

    def digest(answer):
        facts, arrays = extra_counted(answer.facts), dict(answer.arrays)
        if len(answer.facts.get("extra") or ()) != 1:
            return answer
        gradient = arrays.pop(f"gradient of {answer.facts['extra'][0]}", None)
        if gradient is not None:
            arrays["gradient of what is extra"] = gradient.squeeze()
        for x, suffix in zip(inputs, LATER):
            output = arrays.get("output" + suffix)
            if output is not None and output.shape == x.shape:
                added = output.double() - x.to(output.dtype).double()
                alike = float((added - added[:1]).abs().max()) < 0.1
                if alike and not is_wave(added[0]):
                    del arrays["output" + suffix]
                    facts["what is added" + suffix] = "numbers of its own"
        return Answer(arrays, facts)

    trial.digest = digest
    return trial


def extra_counted(facts):
    """Facts in which a single parameter that is not asked for has no name."""
    alone = len(facts.get("extra") or ()) == 1
    return facts | {"extra": ["1 of its own"]} if alone else dict(facts)


def is_wave(table):
    """Do the squares of its sines and cosines add up to 1, by turns or in halves?"""
    half = table.shape[-1] // 2
    by_turns = table[:, 0 : 2 * half : 2].square() + table[:, 1::2].square()
    in_halves = table[:, :half].square() + table[:, -half:].square()
    return any(float((squares - 1).abs().max()) < 0.05 for squares in (by_turns, in_halves))


DROPPED = 0.3
BASE = 10.0


def place_with_dropout(draw):
    """Every feature is 10, so that it shows what of the sum was dropped."""
    from solutions.positional_encoding import sinusoidal_encoding as table

    trial = place(draw, d_model=12, max_length=110)
    trial.build["dropout"] = DROPPED
    x = torch.full((4, 100, 12), BASE)
    trial.calls = [Call({"x": x}, training=True), Call({"x": x}, training=True), Call({"x": x})]
    encoding = table(100, 12)

    def digest(answer):
        """How much is left of the sum, of x and of the encoding?"""
        first, second, off = (answer.arrays.get("output" + call) for call in LATER)
        facts = extra_counted(answer.facts)
        if any(y is None for y in (first, second, off)):
            return answer
        facts["shape of the output in training"] = shape(first)
        if any(y.shape != x.shape for y in (first, second, off)):
            return Answer({}, facts)
        visible = encoding.abs() > 0.1
        of_encoding = ((first - BASE) / encoding)[visible.expand(first.shape)]
        facts["what is left of x + encoding in training"] = levels(first / (BASE + encoding))
        facts["what is left of x in training"] = levels((first - encoding) / BASE)
        facts["what is left of the encoding in training"] = levels(of_encoding)
        dropped = first == 0
        whole = bool((dropped == dropped[..., :1]).all() and dropped.any())
        share = "whole tokens" if whole else f"{dropped.float().mean():.1f} of all numbers"
        facts["what is dropped"] = share
        facts["two calls in training are alike"] = torch.equal(first, second)
        facts["what is left of x + encoding in eval mode"] = levels(off / (BASE + encoding))
        return Answer({}, facts)

    trial.digest = digest
    return trial


def added_at_first(seen):
    """A symptom: what is added to the first token."""
    yours, theirs = comparable(seen)
    if yours is None:
        return None
    added, right = yours - seen.arguments["x"], theirs - seen.arguments["x"]
    if float((added - added[:1]).abs().max()) > 1e-2:
        return None
    off = (added[0] - right[0]).abs().amax(-1)
    where = int((off > 1e-3).int().argmax())
    return (
        f"To the token at position {where} your code adds {few(added[0, where])}; expected is "
        f"{few(right[0, where])}."
    )


def sums_of_batch(seen):
    """A symptom: sequences are treated differently."""
    yours, _ = comparable(seen)
    if yours is None:
        return None
    added = yours - seen.arguments["x"]
    off = float((added - added[:1]).abs().max())
    if off < 1e-2:
        return None
    return (
        f"What your code adds differs from sequence to sequence (by up to {number(off)}): the same "
        f"position is to get the same vector in all of them."
    )


REGISTER = (
    'self.register_buffer("encoding", sinusoidal_encoding(max_length, d_model), persistent=False)'
)
TABLE = "sinusoidal_encoding(max_length, d_model)"
FROZEN = (REGISTER, f"self.encoding = nn.Parameter({TABLE}, requires_grad=False)")
CUT = "encoding = self.encoding[:length].to(x.dtype)"
SUM = "return self.dropout(x + encoding)"
MAKE_DROPOUT = "self.dropout = nn.Dropout(dropout)"
LOOK_AT_TABLE = "Check the table first: that is the exercise sinusoidal_encoding."


def other_table(mistake_id, says, angle="pos / 10000 ** (two_i / d_model)", even="sin", odd="cos"):
    """The module with a table that has a mistake of its own."""
    lines = (
        "pos = torch.arange(max_length).double()[:, None]",
        "two_i = torch.arange(d_model) // 2 * 2",
        f"angle = {angle}",
        f"table = torch.where(torch.arange(d_model) % 2 == 0, angle.{even}(), angle.{odd}())",
        'self.register_buffer("encoding", table.float(), persistent=False)',
    )
    edit = (REGISTER, "\n        ".join(lines))
    return Mistake(mistake_id, (edit,), says, LOOK_AT_TABLE, r"10000|log\(|sinusoidal|arange")


PositionalEncoding = Exercise(
    id="positional_encoding.PositionalEncoding",
    properties=(
        Property(
            "buffer",
            1,
            "the encoding is a part of the module that is never trained",
            aspects=("built", "names"),
            look="Something that belongs to a module, moves with it, and is never trained is a "
            "buffer.",
        ),
        Property(
            "values",
            3,
            "every token gets the vector of its place",
            (place_a_batch, place_one_sequence, place_strided),
        ),
        Property(
            "sizes",
            1,
            "an odd d_model, one token, all positions and hundreds of them are right",
            (place_odd_width, place_one_token, place_all_positions, place_far),
        ),
        Property("again", 1, "calls of other lengths are right, too", (place_twice,)),
        Property("gradients", 1, "gradients reach x", (place_gradients,), aspects=("gradient",)),
        Property(
            "dropout",
            1,
            "dropout acts on the sum, in training only",
            (place_with_dropout, place_in_training),
            look="First the sum, then dropout, which sets some of its numbers to 0 and scales up "
            "the rest.",
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (place_in_float64, place_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x stays as it was", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "encoding_is_a_parameter",
            ((REGISTER, f"self.encoding = nn.Parameter({TABLE})"),),
            "The numbers are right, but they are a parameter: model.parameters() lists them with "
            "all that is to be trained, and they are to stay what they are.",
            "What else can belong to a module, beside parameters and submodules?",
            r"Parameter|Embedding",
            variations=((FROZEN,),),
        ),
        Mistake(
            "learned_positions",
            ((REGISTER, "self.encoding = nn.Parameter(torch.randn(max_length, d_model) * 0.02)"),),
            "Your positions are a parameter that starts from numbers of its own, to be learned. "
            "Many models do that; here the table of waves is asked for, which is fixed.",
            "Which table did you make in the exercise before?",
            r"Parameter|Embedding",
        ),
        Mistake(
            "not_a_buffer",
            (
                (REGISTER, "self.encoding = sinusoidal_encoding(max_length, d_model)"),
                (CUT, "encoding = self.encoding[:length]"),
            ),
            "A bfloat16 model gets a float32 result from you: your encoding stays float32, "
            "whatever the module is turned into. In the same way a tensor that is no buffer stays "
            "on the CPU when the model moves to a GPU.",
            "How does a module learn that a tensor belongs to it?",
            r"self\.\w+ = |sinusoidal",
        ),
        Mistake(
            "by_sequence",
            ((CUT, "encoding = self.encoding[: x.shape[0], None].to(x.dtype)"),),
            "All tokens of a sequence get the same vector: it is the number of the sequence in the "
            "batch that is encoded, not the token's place. x is (batch, length, d_model), and you "
            "count along its first dimension.",
            "Which dimension of x counts the places?",
            r"\[:|size\(0\)|shape\[0\]",
        ),
        Mistake(
            "cut_to_batch",
            ((CUT, "encoding = self.encoding[: x.shape[0]].to(x.dtype)"),),
            "You cut the table to as many rows as there are sequences in the batch, and not to as "
            "many as there are tokens in a sequence.",
            "Which dimension of x counts the places?",
            r"\[:|size\(0\)|shape\[0\]",
        ),
        Mistake(
            "cut_to_width",
            ((CUT, "encoding = self.encoding[: x.shape[-1]].to(x.dtype)"),),
            "You cut the table to as many rows as there are features, and not to as many as there "
            "are tokens in a sequence.",
            "Which dimension of x counts the places?",
            r"\[:|size\(-?[12]\)|shape\[-?[12]\]",
        ),
        Mistake(
            "not_cut",
            ((CUT, "encoding = self.encoding.to(x.dtype)"),),
            "You add the whole table, with all max_length={max_length} positions, to a sequence "
            "that is shorter.",
            "How many of its rows does this sequence need?",
            r"\+",
        ),
        Mistake(
            "first_place_for_all",
            ((CUT, "encoding = self.encoding[:1].to(x.dtype)"),),
            "Every token gets the vector of position 0.",
            "Which rows of the table does a sequence of {length} tokens need?",
            r"\[",
        ),
        Mistake(
            "one_place_late",
            ((CUT, "encoding = self.encoding.roll(-1, 0)[:length].to(x.dtype)"),),
            "Your rows come one place late: the first token gets the vector of position 1.",
            "Positions count from 0.",
            r"\[1",
        ),
        Mistake(
            "concatenated",
            ((SUM, "return self.dropout(torch.cat([x, encoding.expand_as(x)], -1))"),),
            "You put the encoding beside the tokens: your result has shape {your_shape}. It is to "
            "be added, so that d_model stays {d_model}.",
            "Compare with the docstring: what happens to x and encoding?",
            r"cat|stack",
        ),
        Mistake(
            "multiplied",
            ((SUM, "return self.dropout(x * encoding)"),),
            "You multiply by the encoding, which wipes out every feature where a wave crosses 0.",
            "Compare with the docstring: what happens to x and encoding?",
            r"\*",
        ),
        Mistake(
            "nothing_added",
            ((SUM, "return self.dropout(x)"),),
            "Your module hands x on as it is: no position is added.",
            "Is the sum used in what you return?",
            r"return|dropout",
        ),
        Mistake(
            "only_encoding",
            ((SUM, "return self.dropout(encoding.expand_as(x) + 0 * x)"),),
            "Your result is the encoding alone: the tokens themselves are lost.",
            "Compare with the docstring: what happens to x and encoding?",
            r"return|dropout",
        ),
        Mistake(
            "encoding_without_batch",
            ((SUM, "return self.dropout(encoding)"),),
            "Your result is the encoding alone, with shape {your_shape}: the tokens themselves are "
            "lost.",
            "Compare with the docstring: what happens to x and encoding?",
            r"return|dropout",
        ),
        Mistake(
            "encoding_subtracted",
            ((SUM, "return self.dropout(x - encoding)"),),
            "You subtract the encoding; it is to be added.",
            "Compare with the docstring: what happens to x and encoding?",
            r"-",
        ),
        Mistake(
            "x_scaled",
            ((SUM, "return self.dropout(x * x.shape[-1] ** 0.5 + encoding)"),),
            "You multiply x by the root of d_model before you add. That is the embedding's "
            "business (lesson 5): done here too, it would be done twice.",
            "Compare with the docstring: what happens to x and encoding?",
            r"sqrt|\*\* ?0?\.5",
        ),
        other_table(
            "exponent_doubled",
            "Your encoding has exponents that are twice what they should be: the last pair of "
            "features is to have {last_exponent}, and has 2 · {last_exponent}.",
            "pos / 10000 ** (2 * two_i / d_model)",
        ),
        other_table(
            "exponent_halved",
            "Your encoding has exponents that are half of what they should be: the last pair of "
            "features is to have {last_exponent}.",
            "pos / 10000 ** (two_i / 2 / d_model)",
        ),
        other_table(
            "exponent_of_the_column",
            "In your encoding the sines are right, but the cosines have an exponent of their own, "
            "1/{d_model}, 3/{d_model}, ….",
            "pos / 10000 ** (torch.arange(d_model) / d_model)",
        ),
        other_table(
            "positions_from_1",
            "Your encoding counts positions from 1: the first token gets the vector of position 1.",
            "(pos + 1) / 10000 ** (two_i / d_model)",
        ),
        other_table(
            "sine_and_cosine_swapped",
            "Your encoding has cosines in the even features and sines in the odd ones; it is the "
            "other way round.",
            even="cos",
            odd="sin",
        ),
        Mistake(
            "halves",
            (
                (
                    REGISTER,
                    "table = sinusoidal_encoding(max_length, d_model)\n        "
                    "table = torch.cat([table[:, 0::2], table[:, 1::2]], -1)\n        "
                    'self.register_buffer("encoding", table, persistent=False)',
                ),
            ),
            "Your encoding has all sines in front and all cosines behind them; asked for are they "
            "by turns.",
            LOOK_AT_TABLE,
            r"cat|sinusoidal",
        ),
        Mistake(
            "dropout_never",
            ((SUM, "return x + encoding"),),
            "In training nothing is dropped: `dropout` is not used.",
            "Where does the sum go before it is returned?",
            r"return|\+",
        ),
        Mistake(
            "dropout_always",
            ((MAKE_DROPOUT, "self.dropout = lambda x: nn.functional.dropout(x, dropout)"),),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout\(",
        ),
        Mistake(
            "dropout_on_encoding",
            ((SUM, "return x + self.dropout(encoding.expand_as(x))"),),
            "Your dropout acts on the encoding alone, before it is added; x itself is never "
            "dropped.",
            "What is to be dropped: the positions, or the sum?",
            r"dropout\(",
        ),
        Mistake(
            "dropout_on_x",
            ((SUM, "return self.dropout(x) + encoding"),),
            "Your dropout acts on x alone, before the encoding is added.",
            "What is to be dropped: the tokens, or the sum?",
            r"dropout\(",
        ),
        Mistake(
            "dropout_of_tokens",
            ((SUM, "return (x + encoding) * self.dropout(torch.ones_like(x[..., :1]))"),),
            "Your dropout drops whole tokens, with all their features.",
            "Plain nn.Dropout decides for every number on its own.",
            r"[Dd]ropout",
        ),
        Mistake(
            "dropout_twice",
            ((SUM, "return self.dropout(self.dropout(x + encoding))"),),
            "Dropout acts on the sum twice: more is dropped than {dropped}, and the rest is scaled "
            "up twice.",
            "How often does your code call it?",
            r"dropout\(",
        ),
        Mistake(
            "keeps_what_it_should_drop",
            ((MAKE_DROPOUT, "self.dropout = nn.Dropout(1 - dropout)"),),
            "Your dropout keeps a share of {dropped}, in place of dropping it.",
            "`dropout` is the probability of being dropped.",
            r"[Dd]ropout",
        ),
        Mistake(
            "dropout_not_scaled",
            (
                (
                    SUM,
                    "y = x + encoding\n        p = self.dropout.p if self.training else 0.0\n"
                    "        return y * (torch.rand_like(y) >= p)",
                ),
            ),
            "Your dropout sets numbers to 0 and leaves the others as they are, so that what comes "
            "out is smaller in training than in eval mode.",
            "By which factor must the rest grow to make up for what is missing?",
            r"rand|bernoulli|mask",
        ),
        Mistake(
            "dropout_not_from_argument",
            ((MAKE_DROPOUT, "self.dropout = nn.Dropout(0.1)"),),
            "In training your module drops a tenth, whatever `dropout` says.",
            "Where does the argument `dropout` go?",
            r"[Dd]ropout\(",
        ),
        Mistake(
            "graph_cut",
            ((SUM, "return self.dropout(x + encoding).detach()"),),
            "The numbers are right, but no gradient gets back to x, so the embedding in front "
            "could not be trained.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "changes_x",
            ((SUM, "x += encoding\n        return self.dropout(x)"),),
            "The numbers are right, but the caller's x has other numbers afterwards: something in "
            "your code works in place.",
            "`x += …` and names that end in `_` write into the tensor that came in.",
            r"\+=|add_",
        ),
        Mistake(
            "always_float32",
            ((SUM, "return self.dropout(x + encoding).to(torch.float32)"),),
            "Whatever the dtype of x, your result is float32.",
            "Where does your code name a dtype?",
            r"float",
        ),
    ),
    hints=(
        "The table is made once, in __init__; forward takes as many of its rows as there are "
        "tokens.",
        "(length, d_model) fits (batch, length, d_model) as it is: torch lines shapes up from the "
        "right. A tensor that belongs to the module and is never trained is registered as a "
        "buffer.",
        "In __init__ a dropout and register_buffer with the table; in forward a slice of the "
        "table's first rows, a sum, and dropout.",
    ),
    measures={
        "last_exponent": last_exponent,
        "your_shape": lambda seen: shape(seen.yours["output"]),
        "dropped": lambda seen: DROPPED,
        "max_length": lambda seen: seen.arguments.get("max_length", 5000),
    },
    symptoms=(sums_of_batch, added_at_first),
)
