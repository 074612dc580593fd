"""Stand-bys work, are not the model answers, and earn nothing."""

import ast
import inspect
import re

import pytest
import torch

from autograder import pieces
from autograder.checks import all_exercises, find
from autograder.examine import BORROWED, examine, examine_learners
from autograder.workers import check_file
from course.stand_bys import LESSON, stand_by
from course.stubs import REGION
from solutions import attention, encoder_block

EXERCISES = list(all_exercises().values())
EACH = pytest.mark.parametrize("exercise", EXERCISES, ids=[each.id for each in EXERCISES])


def test_there_is_one_for_each_exercise_in_the_same_order():
    assert [f"{lesson}.{name}" for name, lesson in LESSON.items()] == [e.id for e in EXERCISES]


@EACH
def test_it_keeps_all_that_its_exercise_promises(exercise, monkeypatch):
    monkeypatch.setattr("autograder.subject.Subject.trusted", True)
    for seed in (1, 2):
        verdict = examine(exercise, stand_by(exercise.name), seed)
        assert verdict.passed, verdict.text(hints=0)


@EACH
def test_it_is_not_the_model_answer(exercise):
    """No statement of the lines that a learner writes stands in it."""
    theirs = statements("\n".join(m[0] for m in REGION.finditer(exercise.source)))
    own = statements(inspect.getsource(inspect.getmodule(stand_by(exercise.name))))
    assert {line for line in theirs & own if len(line) > 30} == set()
    assert theirs - own, "all of it"


def statements(source):
    """The statements of a source, without spaces and comments."""
    lines = [line.partition("#")[0].strip() for line in source.splitlines()]
    return {re.sub(r"\s", "", line) for line in lines if line}


@EACH
@pytest.mark.parametrize("version", ["stand-by", "reference"])
def test_handed_in_it_earns_nothing(exercise, version):
    subject = stand_by(exercise.name) if version == "stand-by" else exercise.reference
    verdict = examine_learners(exercise, subject, {}, seed=1)
    assert (verdict.score, verdict.diagnosis) == (0, BORROWED)


def called(subject):
    """Something that only calls it."""
    if inspect.isclass(subject):
        return type(subject.__name__, (subject,), {})

    def handed_in(*arguments, **options):
        return subject(*arguments, **options)

    return handed_in


@EACH
@pytest.mark.parametrize("version", ["stand-by", "reference"])
def test_what_only_calls_it_earns_nothing(exercise, version):
    subject = stand_by(exercise.name) if version == "stand-by" else exercise.reference
    verdict = examine_learners(exercise, called(subject), {}, seed=1)
    assert (verdict.score, verdict.diagnosis) == (0, BORROWED)
    assert f"own `{exercise.name}` do the work" in " ".join(verdict.explanation)


def own_attention(query, key, value, mask=None):
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e30)
    weights = softmax(scores)  # noqa: F821 - the test puts it there
    return weights @ value, weights


@pytest.mark.parametrize("softmax", [stand_by("softmax"), attention.softmax])
def test_what_comes_earlier_may_be_built_on(softmax, monkeypatch):
    monkeypatch.setitem(own_attention.__globals__, "softmax", softmax)
    verdict = examine_learners(find("scaled_dot_product_attention"), own_attention, {}, seed=1)
    assert verdict.passed
    assert verdict.built_on == ["attention.softmax"]
    assert "(Built on the course's own softmax.)" in verdict.text()


def test_what_comes_later_may_not():
    def softmax(x, dim=-1):
        assert dim in (-1, x.dim() - 1)
        nothing = torch.zeros(x.shape[-1], 1, dtype=x.dtype)
        every = torch.eye(x.shape[-1], dtype=x.dtype)
        later = stand_by("scaled_dot_product_attention")
        return (later(x[..., None, :] * 0, nothing, every)[0] * 0).squeeze(-2)

    verdict = examine_learners(find("softmax"), softmax, {}, seed=1)
    assert verdict.diagnosis == BORROWED
    assert "own `scaled_dot_product_attention` do the work" in " ".join(verdict.explanation)


def test_torch_may_do_in_a_stand_by_what_a_learner_must_not():
    """LayerNorm's stand-by is torch's own, and a block may be built on it; not so torch's block."""

    class EncoderBlock(encoder_block.EncoderBlock):
        def __init__(self, d_model, *sizes, **options):
            super().__init__(d_model, *sizes, **options)
            self.norm1, self.norm2 = (stand_by("LayerNorm")(d_model) for _ in range(2))

        def forward(self, x, mask=None):
            def look(y):
                return self.dropout(self.self_attention(y, y, y, mask))

            if self.norm_first:
                x = x + look(self.norm1(x))
                return x + self.dropout(self.feed_forward(self.norm2(x)))
            x = self.norm1(x + look(x))
            return self.norm2(x + self.dropout(self.feed_forward(x)))

    EncoderBlock.__module__ = __name__
    verdict = examine_learners(find("EncoderBlock"), EncoderBlock, {}, seed=1)
    assert verdict.passed, verdict.text()
    assert "encoder_block.LayerNorm" in verdict.built_on


FILE = """\
import math
import torch

def softmax(x, dim=-1):
    return torch.exp(x) / torch.exp(x).sum(dim)

def scaled_dot_product_attention(query, key, value, mask=None):
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e30)
    weights = softmax(scores)
    return weights @ value, weights
"""


def reports(path, *names):
    return {report.exercise: report for report in check_file(path, [find(n).id for n in names])}


def test_in_a_file_one_mistake_costs_once(tmp_path):
    path = tmp_path / "answer.py"
    path.write_text(FILE)
    found = reports(path, "softmax", "scaled_dot_product_attention")
    assert not found["attention.softmax"].passed
    assert found["attention.scaled_dot_product_attention"].passed
    assert "own softmax" in found["attention.scaled_dot_product_attention"].text


def test_a_file_must_bring_what_it_needs(tmp_path):
    path = tmp_path / "answer.py"
    path.write_text(FILE.replace("def softmax", "def other"))
    [report] = reports(path, "scaled_dot_product_attention").values()
    assert "softmax" in report.message
    assert not report.passed


@pytest.mark.parametrize("place", ["solutions.attention", "course.stand_bys.attention"])
def test_in_a_file_the_courses_own_version_is_refused(place, tmp_path):
    path = tmp_path / "answer.py"
    path.write_text(f"import {place}\nsoftmax = {place}.softmax\n")
    [report] = reports(path, "softmax").values()
    assert (report.score, report.diagnosis) == (0, BORROWED)


def test_names_are_bound_as_before_when_a_check_is_over():
    def softmax(x, dim=-1):
        return x

    namespace = {"softmax": softmax}
    pieces.FAILED["softmax"] = softmax
    try:
        with pieces.standing_by(namespace, "self_attention"):
            assert namespace["softmax"] is stand_by("softmax")
            assert namespace["causal_mask"] is stand_by("causal_mask")
            assert "self_attention" not in namespace
            namespace["padding_mask"] = "bound meanwhile"
        assert namespace == {"softmax": softmax, "padding_mask": "bound meanwhile"}
        with pieces.standing_by(namespace, "self_attention", missing=False):
            assert namespace.keys() == {"softmax", "padding_mask"}
    finally:
        del pieces.FAILED["softmax"]


def test_stand_bys_are_short_and_say_where_they_come_from():
    for lesson in dict.fromkeys(LESSON.values()):
        tree = ast.parse(inspect.getsource(inspect.getmodule(stand_by_of(lesson))))
        assert ast.get_docstring(tree).startswith("Stand-bys for lesson")


def stand_by_of(lesson):
    return stand_by(next(name for name, where in LESSON.items() if where == lesson))
