"""The line that is shown is proven: with it changed, everything is right."""

import ast
import linecache
import math

import pytest
import torch

from autograder.engine import limits
from autograder.engine.card import card
from autograder.engine.exam import Exam
from autograder.engine.examine import examine_learners, try_everything
from autograder.engine.isolation import undisturbed
from autograder.engine.mistakes import as_handed_in
from autograder.engine.repairs.apart import Here
from autograder.engine.repairs.everyday import everyday
from autograder.engine.repairs.mend import as_one
from autograder.engine.repairs.own_code import OwnCode, own_code
from autograder.engine.repairs.proof import Spot, says
from autograder.engine.repairs.search import Attempts
from autograder.engine.subject import LocalSubject
from course.checks import find


@pytest.fixture(autouse=True)
def _time_to_look(monkeypatch):
    monkeypatch.setattr(limits, "MENDING", 30.0)


def softmax(x, dim=-1):
    exponentials = torch.exp(x - x.amax(dim, keepdim=True))
    total = exponentials.sum(dim=-1, keepdim=True)
    return exponentials / total


def checked(name, answer, **others):
    return examine_learners(find(name), answer, {**globals(), **others}, seed=1)


def said(verdict):
    return " ".join(verdict.explanation)


def test_a_named_mistake_has_its_line_and_nothing_else_is_wrong():
    verdict = checked("softmax", softmax)
    assert verdict.diagnosis == "dim_ignored_in_sum"
    assert verdict.line.text == "total = exponentials.sum(dim=-1, keepdim=True)"
    assert said(verdict).endswith("with this one thing mended, everything is right.")


def causal_mask(length, device=None):
    rows = torch.arange(length, device=device).unsqueeze(1)
    columns = torch.arange(length, device=device)
    return rows > columns - 3


def test_what_has_no_name_has_a_line_and_a_kind():
    verdict = checked("causal_mask", causal_mask)
    assert verdict.diagnosis is None
    assert verdict.line.text == "return rows > columns - 3"
    assert "With one small change this whole check passes. Look in line " in said(verdict)


def test_what_was_defined_inside_a_function_has_no_line_and_loses_nothing():
    def causal_mask(length, device=None):
        return torch.ones(length, length, device=device).triu() > 0

    verdict = checked("causal_mask", causal_mask)
    assert verdict.line is None
    assert not verdict.passed


def test_two_mistakes_are_both_found():
    verdict = checked("scaled_dot_product_attention", scaled_dot_product_attention)
    assert [len(spot.lines) for spot in verdict.spots] == [1, 1]
    assert said(verdict).startswith(("Your", "You")) or verdict.diagnosis
    assert "With two small changes this whole check passes. One is in line " in said(verdict)


def scaled_dot_product_attention(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(v.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask, -1e9)
    weights = torch.softmax(scores, dim=-1)
    return weights @ v, weights


# Only once the shape is right can it be seen that the numbers are not.
TURNED_AND_TOO_DEEP = """
def causal_mask(length, device=None):
    place = torch.arange(length, device=device)
    hidden = place[:, None] <= place[None, :]
    return hidden[None, None]
"""
# With either of the two mended as many promises are broken, but fewer numbers are wrong.
DIAGONAL_AND_SIGN = """
def shift_matrix(offset, d_model):
    matrix = torch.zeros(d_model, d_model)
    for i in range(0, d_model, 2):
        turn = offset / 10000 ** (i / d_model)
        matrix[i, i], matrix[i + 1, i + 1] = math.cos(turn), math.sin(turn)
        matrix[i, i + 1], matrix[i + 1, i] = math.sin(turn), math.sin(turn)
    return matrix
"""


@pytest.mark.parametrize(
    ("name", "source"),
    [("causal_mask", TURNED_AND_TOO_DEEP), ("shift_matrix", DIAGONAL_AND_SIGN)],
)
def test_a_change_that_brings_it_closer_is_built_on(name, source):
    linecache.cache[name] = (0, None, source.splitlines(keepends=True), name)
    names = {"torch": torch, "math": math}
    exec(compile(source, name, "exec"), names)
    assert len(checked(name, names[name]).spots) == 2


ONE_OF_TWO = """
def padding_mask(tokens, pad=0):
    unused = tokens != 0
    shown = tokens != 0
    return shown[:, None, None, :]
"""


def test_a_line_that_needs_no_change_is_not_among_those_that_do():
    exercise, names = find("padding_mask"), {"torch": torch}
    exec(ONE_OF_TWO, names)
    code = own_code(ONE_OF_TWO, "padding_mask")
    named = [mend for mend in everyday(code) if isinstance(mend.changes[0][1], ast.Name)]
    alone = [mend for mend in named if mend.changes[0][1].id == "pad"]
    both = [as_one([one, other]) for one in alone for other in alone if one.lines < other.lines]
    with undisturbed(1):
        subject = LocalSubject(names["padding_mask"])
        records = try_everything(exercise, subject, Exam(exercise, 1).questions())
    here = Here(names, at=lambda number: None)
    [mend] = Attempts(code, records, here, lambda: both, 30.0).one()
    assert mend.lines == (4,)


def test_a_condition_is_none_of_what_is_hidden():
    tree = ast.parse("def f(x, mask=None):\n    if mask is not None:\n        x = x + mask\n")
    kinds = {
        (mend.lines, mend.kind)
        for mend in everyday(OwnCode("f", ast.unparse(tree), tree, "here"))
        for slot, new in mend.changes
        if isinstance(slot.get(), ast.Name) and isinstance(new, ast.Name)
    }
    assert ((2,), "condition") in kinds
    assert ((2,), "mask") not in kinds
    assert ((3,), "mask") in kinds


def test_the_change_itself_is_never_shown():
    verdict = checked("softmax", softmax)
    shown = verdict.text(hints=0)
    assert "sum(dim," not in shown
    assert "sum(dim=dim" not in shown


def test_a_right_answer_is_not_looked_into():
    assert checked("softmax", find("softmax").reference).spots == []


def test_without_time_nothing_is_looked_for(monkeypatch):
    monkeypatch.setattr(limits, "MENDING", 0.0)
    verdict = checked("softmax", softmax)
    assert verdict.diagnosis == "dim_ignored_in_sum"
    assert verdict.line is None


def test_a_second_change_must_not_undo_what_the_first_has_mended():
    """All probes are asked again: without dropout the values would be right, too."""
    source = (
        "class PositionalEncoding(torch.nn.Module):\n"
        "    def __init__(self, d_model, max_length=5000, dropout=0.1):\n"
        "        super().__init__()\n"
        "        self.register_buffer('table', sinusoidal_encoding(max_length + 1, d_model))\n"
        "        self.dropout = torch.nn.Dropout()\n"
        "    def forward(self, x):\n"
        "        places = torch.arange(1, x.size(1) + 1)\n"
        "        return self.dropout(x + self.table[places])\n"
    )
    linecache.cache["<two>"] = (0, None, source.splitlines(keepends=True), "<two>")
    names = {"torch": torch, "sinusoidal_encoding": find("sinusoidal_encoding").reference}
    exec(compile(source, "<two>", "exec"), names)
    answer = names["PositionalEncoding"]
    verdict = examine_learners(find("PositionalEncoding"), answer, names, seed=1)
    assert verdict.spots == [] or {5, 7} <= {n for spot in verdict.spots for n in spot.lines}


def test_what_is_the_same_mathematics_is_undone_first_where_it_was_made():
    """It is called by the name of its twin, whose undoing would change another line."""
    exercise = find("scaled_dot_product_attention")
    answer = as_handed_in(exercise, "scaled_twice")
    verdict = examine_learners(exercise, answer, {}, seed=1)
    assert verdict.diagnosis == "scaled_by_width"
    assert verdict.line.text.count("math.sqrt(d_k)") == 2


def test_what_is_missing_is_looked_for_below_a_line():
    exercise = find("MultiHeadAttention")
    verdict = examine_learners(exercise, as_handed_in(exercise, "weights_not_kept"), {}, seed=1)
    assert "something is missing below line" in said(verdict)
    for shown in (verdict.text(), verdict.message, card(verdict)):
        assert "Look below" in shown
        assert "Look at" not in shown


def test_two_places_in_one_line_are_told_as_one_line():
    both = [Spot((4,), "axis"), Spot((4,), "mask")]
    assert "Both are in line 4: which axis is meant; and " in says(both, False)
    same = [Spot((4,), "axis")] * 2
    assert says(same, False).endswith("Both are in line 4: which axis is meant.")


def test_what_is_missing_is_said_to_be_missing_below_a_line():
    said = says([Spot((4,), "missing step", below=True)], True)
    assert "something is missing below line 4, and with it everything is right" in said


def test_several_lines_are_listed():
    assert Spot((4, 7, 9), "axis").says() == "in lines 4, 7 and 9: which axis is meant"
    assert Spot((4,), "axis").says() == "in line 4: which axis is meant"
