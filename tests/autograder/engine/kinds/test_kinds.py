"""What kind of mistake it is, is found by asking, whatever the exercise is about."""

import linecache
import sys

import pytest
import torch

from autograder.engine import kinds
from autograder.engine.broken import broken_properties
from autograder.engine.exam import Exam
from autograder.engine.examine import try_everything
from autograder.engine.isolation import undisturbed
from autograder.engine.kinds import LEAST, asking, kind_of
from autograder.engine.kinds.reach import leak
from autograder.engine.kinds.repeats import where_they_differ
from autograder.engine.limits import OutOfTime
from autograder.engine.subject import LocalSubject
from autograder.engine.told import what_kind
from course.checks import find


def changed(name, *edits):
    """The model answer with these edits, as if it stood in a file of its own."""
    source = find(name).source
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    filename = f"<{name} {hash(source)}>"
    linecache.cache[filename] = (0, None, source.splitlines(keepends=True), filename)
    names = vars(sys.modules[find(name).reference.__module__]) | {"__name__": "of a learner"}
    exec(compile(source, filename, "exec"), names)
    return names[name]


class Counted:
    """All that a subject behind a wall can be asked, and how much it was."""

    device, trusted = "cpu", False

    def __init__(self, implementation):
        self.subject, self.cost = LocalSubject(implementation), 0

    def ask(self, trial, watch=0):
        self.cost += trial.cost
        return self.subject.ask(trial)

    def own_code(self, name):
        return self.subject.own_code(name)


def told(name, *edits):
    """(what is said of the kind, what it cost, what a whole check costs)"""
    exercise, implementation = find(name), changed(name, *edits)
    exam = Exam(exercise, 1)
    with undisturbed(1):
        records = try_everything(exercise, LocalSubject(implementation), exam.questions())
        record, difference = next(iter(broken_properties(exercise, records).values()))
        subject = Counted(implementation)
        said = kind_of(exam, subject, records, record, difference)
    return said or "", subject.cost, sum(each.trial.cost for each in records)


CASES = [
    # It depends on another sentence of the batch.
    (
        "scaled_dot_product_attention",
        "Along dimension 0 (`batch`), what stands at index 1 must not reach the others",
        ("/ math.sqrt(d_k)", "/ math.sqrt(d_k)\n    scores = scores - scores.mean(0)"),
    ),
    (
        "FeedForward",
        "Along dimension 0, what stands at index 1 must not reach the others",
        ("self.dropout(hidden)", "hidden - hidden.mean(0, keepdim=True)"),
    ),
    (
        "MixtureOfExperts",
        "Along dimension 0, what stands at index 0 must not reach the others",
        ("gates = gates / gates.sum(dim=-1, keepdim=True)", "gates = gates[:1].expand_as(gates)"),
    ),
    # It is random, or changed by what was asked before.
    (
        "LayerNorm",
        "Called twice with the same inputs, in eval mode, your code gives two different answers",
        ("centred = x - mean", "centred = x - mean + 0.1 * torch.randn_like(x)"),
    ),
    (
        "rotary_embedding",
        "Called twice with the same inputs your code gives two different answers",
        ("sine, cosine =", "angle = angle + torch.rand(())\n    sine, cosine ="),
    ),
    (
        "TokenEmbedding",
        "What in it is random, or is changed by a call?",
        ("self.table(tokens)", "nn.Embedding(*self.table.weight.shape)(tokens)"),
    ),
    (
        "softmax",
        "gives something else once it was called with other numbers in between",
        ("def softmax(x, dim=-1):", "def softmax(x, dim=-1, seen={}):"),
        (
            "return exponentials / total",
            "last = seen.get(x.shape, x)\n    seen[x.shape] = x\n"
            "    return exponentials / total + 0.1 * (x + last).sum(dim, keepdim=True)",
        ),
    ),
    (
        "PositionalEncoding",
        "Without the call before it, call 2 is right",
        (
            "length = x.shape[-2]",
            "length = self.length = getattr(self, 'length', x.shape[-2])",
        ),
    ),
    # A number stands where a size belongs.
    (
        "scaled_dot_product_attention",
        "With d_k=64 your answer is right, and with d_k=4 it is not",
        ("math.sqrt(d_k)", "8.0"),
    ),
    (
        "TokenEmbedding",
        "With d_model=512 your answer is right, and with d_model=7 it is not",
        ("math.sqrt(d_model)", "512**0.5"),
    ),
    (
        "split_heads",
        "With num_heads=8 your answer is right, and with num_heads=3 it is not",
        ("num_heads, d_head)", "8, d_model // 8)"),
    ),
    (
        "sinusoidal_encoding",
        "With d_model=512 your answer is right, and with d_model=6 it is not",
        ("two_i / d_model", "two_i / 512"),
    ),
    (
        "Encoder",
        "With num_layers=6 your answer is right, and with num_layers=3 it is not",
        ("range(num_layers)", "range(6)"),
    ),
    (
        "smoothed_cross_entropy",
        "With vocab=10 your answer is right, and with vocab=11 it is not",
        ("surprise.mean(dim=-1)", "surprise.sum(dim=-1) / 10"),
    ),
    # An argument changes nothing.
    (
        "learning_rate",
        "With `d_model`=25 instead of 24 your rate stays exactly as it was",
        ("d_model**-0.5", "512**-0.5"),
    ),
    (
        "scaled_dot_product_attention",
        "With other numbers in `value` your output and weights stay exactly as they were",
        ("weights @ value", "weights @ (0 * value + 1)"),
    ),
    # It is right, for another question.
    (
        "MultiHeadAttention",
        "as if there were a `mask` that hides what comes later in `key`",
        (
            "_, weights = scaled_dot_product_attention(query, key, value, mask)",
            "import torch\n        past = torch.ones(query.shape[2], key.shape[2]).tril() > 0\n"
            "        mask = past if mask is None else mask & past\n"
            "        _, weights = scaled_dot_product_attention(query, key, value, mask)",
        ),
    ),
    (
        "Decoder",
        "as if `layers.0` and `layers.1` were exchanged",
        ("in self.layers:", "in reversed(self.layers):"),
    ),
    (
        "EncoderBlock",
        "as if `norm1` did the work of `norm2` as well",
        (
            "return self.norm2(x + self.dropout(self.feed_forward(x)))",
            "return self.norm1(x + self.dropout(self.feed_forward(x)))",
        ),
    ),
    # Something is there, and does nothing, or does not do it alone.
    (
        "DecoderBlock",
        "With other numbers in `norm2` your output stays exactly as it was: the part is there",
        (
            "self.norm2(x + self.dropout(self.cross_attention(x, memory, memory, memory_mask)))",
            "x + self.dropout(self.cross_attention(x, memory, memory, memory_mask))",
        ),
    ),
    (
        "MultiHeadAttention",
        "`w_query` and `w_key` share their memory in your code",
        (
            "self.dropout = nn.Dropout(dropout)",
            "self.dropout = nn.Dropout(dropout)\n"
            "        self.w_key.weight = nn.Parameter(self.w_query.weight.data)\n"
            "        self.w_key.bias = nn.Parameter(self.w_query.bias.data)",
        ),
    ),
    # It is right as long as nothing is hidden.
    (
        "MultiHeadAttention",
        "nothing hidden in `mask` your answer is right",
        (
            "_, weights = scaled_dot_product_attention(query, key, value, mask)",
            "_, weights = scaled_dot_product_attention(query, key, value)\n"
            "        weights = weights if mask is None else weights - 0.1 * ~mask",
        ),
    ),
]


@pytest.mark.parametrize(
    ("name", "sentence", "edits"),
    [(name, sentence, edits) for name, sentence, *edits in CASES],
    ids=[f"{name}: {sentence[:40]}" for name, sentence, *_ in CASES],
)
def test_the_kind_is_told_and_asking_for_it_has_an_end(name, sentence, edits):
    said, cost, check = told(name, *edits)
    assert sentence in said
    assert cost <= 2 * max(LEAST, check)


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("LayerNorm", ("normalised * self.weight", "normalised * self.weight * 1.1")),
        ("alibi_bias", ("-slope[:, None, None] *", "-slope[:, None, None] * 1.1 *")),
        ("FeedForward", ("torch.relu(", "torch.tanh(")),
        # As wide as the window are the keys, too: which of them it is, nobody can tell.
        (
            "sliding_window_attention",
            ("query = cut(query)", "query = cut(query * (query.size(-1) / value.size(-1)) ** 0.5)"),
        ),
    ],
)
def test_nothing_is_told_of_what_breaks_none_of_these_rules(name, edit):
    assert told(name, edit)[0] == ""


def test_dropout_in_eval_mode_is_told_as_such():
    edit = "hidden = self.dropout(hidden)", "hidden = torch.dropout(hidden, self.dropout.p, True)"
    exercise, implementation = find("FeedForward"), changed("FeedForward", edit)
    exam = Exam(exercise, 1)
    with undisturbed(1):
        records = try_everything(exercise, LocalSubject(implementation), exam.questions())
        record, difference = next(iter(broken_properties(exercise, records).values()))
        said = kind_of(exam, Counted(implementation), records, record, difference)
    assert "With dropout=0 they agree: so your dropout acts in eval mode, too." in said


def test_what_was_asked_elsewhere_stands_in_a_sentence_or_behind_a_question(monkeypatch):
    edit = "math.sqrt(d_k)", "8.0"
    exercise = find("scaled_dot_product_attention")
    implementation, exam = changed("scaled_dot_product_attention", edit), Exam(exercise, 1)
    records = try_everything(exercise, LocalSubject(implementation), exam.questions())
    record, difference = next(iter(broken_properties(exercise, records).values()))

    def elsewhere(asking):
        return None if asking.record is record else "Is it so?"

    monkeypatch.setattr(kinds, "KINDS", dict.fromkeys(kinds.KINDS, (elsewhere,)))
    said = kind_of(exam, Counted(implementation), records, record, difference)
    assert said.startswith("Is it so? (Called with query")
    assert said.endswith(".)")
    assert kinds.with_place("It is so.", "(called with x=1)") == "It is so (called with x=1)."


def test_two_numbers_that_are_told_apart_are_written_apart():
    before = torch.tensor([[1.00001, 5.0], [2.0, 3.0]])
    after = torch.tensor([[1.00002, 5.0], [9.0, 9.0]])
    said = leak([before, after, after], "output", 0, "dimension 0", "the others", True)
    assert said.endswith("[0, 0] of your output goes from 1.00001 to 1.00002.")


def test_numbers_are_those_from_the_first_difference_on():
    one, other = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 4.0])
    assert where_they_differ({"output": one}, {"output": other}) == ("output", "3", "4")


def test_where_nothing_can_be_asked_any_more_there_is_no_kind():
    class Gone(Counted):
        def ask(self, trial, watch=0):
            raise OutOfTime

    edit = "weights @ value", "weights @ (0 * value + 1)"
    exercise = find("scaled_dot_product_attention")
    implementation, exam = changed("scaled_dot_product_attention", edit), Exam(exercise, 1)
    records = try_everything(exercise, LocalSubject(implementation), exam.questions())
    record, difference = next(iter(broken_properties(exercise, records).values()))
    gone = Gone(implementation)
    assert what_kind(exam, gone, records, record, difference, 1.0) is None


def test_a_slow_answer_is_not_asked_for_ever(monkeypatch):
    name, _, *edits = CASES[0]
    monkeypatch.setattr(asking, "LONGEST", 0.0)
    said, cost, _ = told(name, *edits)
    assert said == ""
    assert cost == 0
