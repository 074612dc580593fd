"""Copies are found however they were dressed up; what people wrote on their own is not."""

import ast
import io
import itertools
import random
import re
import time
import tokenize
import zlib
from collections import defaultdict

import pytest

from autograder.audit import bank
from autograder.grading.report.facts import stand_bys_of
from autograder.grading.report.similar import (
    KNOWN,
    LEAST,
    fingerprints,
    like_the_model,
    near_identical,
    tokens,
)
from course.checks import LESSONS, exercises_of
from course.stubs import stub_of

MINE = '''def softmax(x, dim=-1):
    """Weights that add up to 1."""
    # the largest goes away first
    largest = x.max(dim=dim, keepdim=True).values
    moved = x - largest
    powers = moved.exp()
    total = powers.sum(dim=dim, keepdim=True)
    if total.numel() == 0:
        return powers
    return powers / total


def helper(values, weights):
    result = []
    for value, weight in zip(values, weights):
        result.append(value * weight + 3)
    return sum(result) / max(len(result), 1)
'''
RENAMED = MINE.replace("largest", "top").replace("powers", "e").replace("weight", "w")
RECOMMENTED = re.sub("# .*", "# Zeile für Zeile selbst gemacht", MINE).replace(
    "Weights that add up to 1.", "Mine."
)
REFORMATTED = (
    MINE.replace(" = ", "=")
    .replace("dim=dim, keepdim=True", "\n        dim = dim,\n        keepdim = True\n    ")
    .replace("\n    ", "\n  ")
)
OTHER_NUMBERS = MINE.replace("+ 3", "+ 4.5e-3").replace("-1", "-2")
STUB = """def softmax(x, dim=-1):
    '''Weights.'''
    # YOUR CODE HERE
    raise NotImplementedError()"""


def one(*texts):
    """A class whose members wrote these texts."""
    return {f"student{n}": {"softmax": text} for n, text in enumerate(texts)}


THE_PLAIN_WAY = (
    "the course's parts, nn.Dropout on the weights",
)  # others wrote the reference, too


def answers(lesson):
    """{exercise: right answers}, the reference and what the bank holds."""
    found = {exercise.name: [exercise.source] for exercise in exercises_of(lesson)}
    for entry in bank.read("correct", lesson):
        if entry.title not in THE_PLAIN_WAY:
            source = "\n".join(entry.source.splitlines()[entry.line - 1 :])
            found[entry.exercise.partition(".")[2]].append(source)
    return found


def stubs(lesson):
    return {exercise.name: stub_of(exercise) for exercise in exercises_of(lesson)}


@pytest.mark.parametrize("copy", [MINE, RENAMED, RECOMMENTED, REFORMATTED, OTHER_NUMBERS])
def test_a_copy_is_found_however_it_is_dressed_up(copy):
    ast.parse(copy)
    [group] = near_identical(one(MINE, copy), {"softmax": STUB})
    assert group.students == ("student0", "student1")
    assert group.likeness == 1
    assert group.shared >= LEAST
    assert group.cells == ("softmax",)
    assert group.to_the_letter == (copy == MINE)


def test_a_line_more_and_a_line_moved_do_not_hide_a_copy():
    lines = MINE.splitlines()
    lines.insert(6, "    assert powers.shape == x.shape")
    [group] = near_identical(one(MINE, "\n".join(lines)), {"softmax": STUB})
    assert 0.8 <= group.likeness < 1


def test_a_copy_of_one_among_many_cells_is_found_if_the_rest_is_empty():
    cells = {name: texts[0] for name, texts in answers("attention").items()}
    template = stubs("attention")
    partly = template | {n: cells[n] for n in ("softmax", "scaled_dot_product_attention")}
    [group] = near_identical({"a": cells, "b": partly}, template)
    assert set(group.cells) == {"softmax", "scaled_dot_product_attention"}


@pytest.mark.parametrize("lesson", LESSONS)
def test_independent_right_answers_are_not_alike(lesson):
    """Any two answers to an exercise by themselves, and whole lessons that share no answer."""
    found, template = answers(lesson), stubs(lesson)
    for name, texts in found.items():
        for first, second in itertools.combinations(texts, 2):
            alone = {"a": {name: first}, "b": {name: second}}
            assert near_identical(alone, {name: template[name]}) == [], (first, second)
    draw = random.Random(0)
    for _ in range(100):
        a, b = {}, {}
        for name, texts in found.items():
            if len(texts) > 1:
                a[name], b[name] = draw.sample(texts, 2)
        assert near_identical({"a": a, "b": b}, template) == []


def test_what_is_short_never_counts():
    short = "def causal_mask(length):\n    return torch.ones(length, length).tril().bool()"
    assert near_identical(one(short, short, short), {"softmax": STUB}) == []


def test_the_stub_does_not_count():
    template = stubs("transformer")
    sources = {name: dict(template) for name in "abc"}
    assert near_identical(sources, template) == []
    stub = "\n".join(template.values())
    assert len(fingerprints(stub)) >= LEAST  # it is long enough to be taken for a copy
    assert near_identical(one(stub, stub), {"softmax": stub}) == []


def test_what_many_wrote_is_usual_and_what_some_copied_is_not():
    """To copy from many to the token makes nothing usual; to write nearly alike does."""
    others = [f"def f{n}(a):\n    return a.{'ab'[n % 2]}{n} ** {n} % a.c{n}" for n in range(30)]
    copied = near_identical(one(*[MINE] * 15, *others), {"softmax": STUB})
    assert [len(group.students) for group in copied] == [15]
    tails = [f"\nx.own_{n}(y.own_{n}[z.own_{n} + {n}] * t.own_{n})" for n in range(15)]
    nearly = [MINE + tail for tail in tails]
    assert near_identical(one(*nearly, *others), {"softmax": STUB}) == []
    some = near_identical(one(*nearly[:5], *others), {"softmax": STUB})
    assert [len(group.students) for group in some] == [5]


def test_groups_are_put_together():
    longer = MINE + "\nprint(softmax(torch.zeros(3)))\n"
    [group] = near_identical(one(MINE, RENAMED, longer), {"softmax": STUB})
    assert group.students == ("student0", "student1", "student2")
    other = MINE.replace("powers", "x[0].roll(1, 0).flip(-1)").replace("moved", "x.T @ x.T.T")
    other = other.replace("result", "self.a[values].b.c[0]")
    groups = near_identical(one(MINE, RENAMED, other, other), {"softmax": STUB})
    found = {group.students for group in groups}
    assert found == {("student0", "student1"), ("student2", "student3")}


def test_the_courses_own_solution_is_recognised():
    model = {name: texts[0] for name, texts in answers("attention").items()}
    renamed = {name: text.replace("scores", "s") for name, text in model.items()}
    found = answers("attention")
    another = {name: texts[-1] for name, texts in found.items()}
    sources = {"copy": renamed, "own": another, "empty": stubs("attention")}
    assert like_the_model(sources, stubs("attention"), model) == {"copy": 1.0}


def test_a_copy_of_the_stand_bys_is_recognised():
    template = {("01_attention", name): text for name, text in stubs("attention").items()}
    cells = stand_bys_of(template)
    assert len(cells) == 5
    renamed = {name: text.replace("scores", "s") for name, text in cells.items()}
    assert like_the_model({"copy": renamed}, template, cells) == {"copy": 1.0}


@pytest.mark.parametrize(
    "text",
    ["", "def f(:\n  '''never ends", '"' * 999, "(" * 500, "x" * 50_000, "\\\n\t\f é = 'ü\n", "1e"],
)
def test_what_is_no_python_is_read_as_far_as_it_goes(text):
    fingerprints(text)
    near_identical(one(text, text), {"softmax": STUB})


def test_tokens_are_those_of_python():
    """Python's own tokeniser finds as many, of what counts."""
    for lesson in LESSONS:
        for exercise in exercises_of(lesson):
            source = ast.unparse(ast.parse(exercise.source))  # one way to write strings
            docstrings = sum(
                isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                for node in ast.walk(ast.parse(source))
            )
            assert len(tokens(source)) == number_of_tokens(source) - docstrings


def number_of_tokens(source):
    """Python's own, without layout; f-strings, which 3.12 takes apart, are one token here."""
    skipped = {
        *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
        *(tokenize.ENCODING, tokenize.ENDMARKER),
    }
    count = depth = 0
    for token in tokenize.tokenize(io.BytesIO(source.encode()).readline):
        name = tokenize.tok_name[token.type]
        depth -= name == "FSTRING_END"
        count += depth == 0 and name != "FSTRING_END" and token.type not in skipped
        depth += name == "FSTRING_START"
    return count


@pytest.mark.parametrize(
    "text",
    [
        'f"{x}"',
        'f"{x["a"]}"',
        "f'{x['a']!r:>{width}}'",
        'rf"{{x}} \\d {a["b"]}{c[\'d\']}"',
        'F"{unclosed"',
        'f""',
        'f"""{x["a"]}\n{y}"""',
        '"{x}"',
    ],
)
def test_a_text_with_holes_is_one_token_on_every_python(text):
    assert tokens(f"x = {text}") == ["name", "=", "text"]


def test_the_names_that_count_are_the_same_on_every_python():
    """If this fails on a newer Python, its new names belong into NEWER."""
    assert zlib.crc32(" ".join(sorted(KNOWN)).encode()) == 1090030314


def test_a_thousand_submissions_take_a_few_seconds():
    """Twice as many take about twice as long: the work grows with the class."""
    draw, found, seconds = random.Random(1), answers("attention"), {}
    for count in (250, 1000):
        sources = defaultdict(dict)
        for number in range(count):
            for name, texts in found.items():
                lines = draw.choice(texts).splitlines()
                for _ in range(3):
                    words = draw.choices(["x", "y.a", "z[0]", "f(x)", "-1", "q.b(c)"], k=5)
                    lines.insert(draw.randrange(1, len(lines) + 1), f"    {' + '.join(words)}")
                sources[f"student{number}"][name] = "\n".join(lines)
        fingerprints.cache_clear()
        started = time.process_time()
        near_identical(sources, stubs("attention"))
        seconds[count] = time.process_time() - started
    assert seconds[1000] < 20  # on a busy machine
    assert seconds[1000] < 10 * seconds[250]
