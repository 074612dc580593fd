"""Stand-bys work, are not the model answers, and earn nothing."""

import ast
import contextlib
import cProfile
import functools
import inspect
import re
import sys

import pytest
import torch

from autograder.doors.workers import check_file
from autograder.engine import pieces
from autograder.engine.course import Session
from autograder.engine.examine import examine, examine_learners
from autograder.engine.told import BORROWED
from course import COURSE
from course.checks import all_exercises, find
from course.stubs import REGION
from solutions import attention, encoder_block

EXERCISES = list(all_exercises().values())
EACH = pytest.mark.parametrize("exercise", EXERCISES, ids=[each.id for each in EXERCISES])


def test_there_is_one_for_each_exercise_in_the_same_order():
    assert [f"{lesson}.{name}" for name, lesson in COURSE.lesson_of.items()] == [
        e.id for e in EXERCISES
    ]


@EACH
def test_it_keeps_all_that_its_exercise_promises(exercise, monkeypatch):
    monkeypatch.setattr("autograder.engine.subject.Subject.trusted", True)
    for seed in (1, 2):
        verdict = examine(exercise, COURSE.stand_by(exercise.name), seed)
        assert verdict.passed, verdict.text(hints=0)


@EACH
def test_it_is_not_the_model_answer(exercise):
    """No statement of the lines that a learner writes stands in it."""
    theirs = statements("\n".join(m[0] for m in REGION.finditer(exercise.source)))
    own = statements(inspect.getsource(inspect.getmodule(COURSE.stand_by(exercise.name))))
    assert {line for line in theirs & own if len(line) > 30} == set()
    assert theirs - own, "all of it"


def statements(source):
    """The statements of a source, without spaces and comments."""
    lines = [line.partition("#")[0].strip() for line in source.splitlines()]
    return {re.sub(r"\s", "", line) for line in lines if line}


@EACH
@pytest.mark.parametrize("version", ["stand-by", "reference"])
def test_handed_in_it_earns_nothing(exercise, version):
    subject = COURSE.stand_by(exercise.name) if version == "stand-by" else exercise.reference
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
    subject = COURSE.stand_by(exercise.name) if version == "stand-by" else exercise.reference
    verdict = examine_learners(exercise, called(subject), {}, seed=1)
    assert (verdict.score, verdict.diagnosis) == (0, BORROWED)
    assert f"calls the course's own `{exercise.name}`" in " ".join(verdict.explanation)


def own_attention(query, key, value, mask=None):
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e30)
    weights = softmax(scores)  # noqa: F821 - the test puts it there
    return weights @ value, weights


@pytest.mark.parametrize("softmax", [COURSE.stand_by("softmax"), attention.softmax])
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
        later = COURSE.stand_by("scaled_dot_product_attention")
        return (later(x[..., None, :] * 0, nothing, every)[0] * 0).squeeze(-2)

    verdict = examine_learners(find("softmax"), softmax, {}, seed=1)
    assert verdict.diagnosis == BORROWED
    assert "own `scaled_dot_product_attention`" in " ".join(verdict.explanation)


def test_torch_may_do_in_a_stand_by_what_a_learner_must_not():
    """LayerNorm's stand-by is torch's own, and a block may be built on it; not so torch's block."""

    class EncoderBlock(torch.nn.Module):
        def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
            super().__init__()
            self.self_attention = encoder_block.MultiHeadAttention(d_model, num_heads, dropout)
            self.feed_forward = encoder_block.FeedForward(d_model, d_ff, dropout)
            self.norm1, self.norm2 = (COURSE.stand_by("LayerNorm")(d_model) for _ in range(2))
            self.dropout, self.norm_first = torch.nn.Dropout(dropout), norm_first

        def forward(self, x, mask=None):
            def look(y):
                return self.dropout(self.self_attention(y, y, y, mask))

            if self.norm_first:
                x = x + look(self.norm1(x))
                return x + self.dropout(self.feed_forward(self.norm2(x)))
            x = self.norm1(x + look(x))
            return self.norm2(x + self.dropout(self.feed_forward(x)))

    verdict = examine_learners(find("EncoderBlock"), EncoderBlock, {}, seed=1)
    assert verdict.passed, verdict.text()
    assert "encoder_block.LayerNorm" in verdict.built_on


class MadeInTheConstructor(torch.nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        whole = COURSE.stand_by("PositionalEncoding")(d_model, max_length, dropout)
        self.register_buffer("encoding", whole.table, persistent=False)
        self.dropout = torch.nn.Dropout(dropout)

    def forward(self, x):
        return self.dropout(x + self.encoding[: x.shape[-2]].to(x.dtype))


def test_nor_one_that_is_made_while_building():
    verdict = examine_learners(find("PositionalEncoding"), MadeInTheConstructor, {}, seed=1)
    assert verdict.diagnosis == BORROWED


class Disguise:
    """Pretends to be a tensor, to be called back where nobody looks."""

    def __init__(self, work):
        self.work = work

    def is_floating_point(self):
        self.work()
        return True


@pytest.mark.parametrize("ready_made", [True, False])
def test_nor_one_that_an_earlier_one_is_made_to_call(ready_made):
    def self_attention(x, w_query, w_key, w_value, mask=None):
        found = []

        def work():
            if ready_made:
                q, k, v = x @ w_query, x @ w_key, x @ w_value
                found.append(torch.nn.functional.scaled_dot_product_attention(q, k, v))
            else:
                found.append(attention.self_attention(x, w_query, w_key, w_value, mask))

        with contextlib.suppress(Exception):
            COURSE.stand_by("softmax")(Disguise(work))
        return found[0]

    verdict = examine_learners(find("self_attention"), self_attention, {}, seed=1)
    assert (verdict.score, verdict.diagnosis) == (0, "ready_made" if ready_made else BORROWED)


def test_a_name_makes_nobody_the_course():
    def softmax(x, dim=-1):
        return torch.softmax(x, dim)

    softmax.__module__ = "solutions.attention"
    assert examine_learners(find("softmax"), softmax, {}, seed=1).diagnosis == "ready_made"


def test_a_wrapper_of_its_documentation_is_a_learners_own():
    @functools.wraps(attention.causal_mask)
    def causal_mask(length, device=None):
        return torch.arange(length) <= torch.arange(length)[:, None]

    assert examine_learners(find("causal_mask"), causal_mask, {}, seed=1).passed


def right_mask(length, device=None):
    return torch.arange(length) <= torch.arange(length)[:, None]


def test_a_profiler_costs_no_points_and_who_switches_us_off_is_noticed():
    with cProfile.Profile():
        assert examine_learners(find("causal_mask"), right_mask, {}, seed=1).passed
    sys.setprofile(None)

    def causal_mask(length, device=None):
        sys.setprofile(None)
        return attention.causal_mask(length)

    assert examine_learners(find("causal_mask"), causal_mask, {}, seed=1).unwatched
    assert not examine_learners(find("causal_mask"), right_mask, {}, seed=1).unwatched


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


def test_also_if_it_is_checked_alone_or_after_one_that_ends_the_process(tmp_path):
    path = tmp_path / "answer.py"
    path.write_text(FILE)
    [report] = reports(path, "scaled_dot_product_attention").values()
    assert report.passed
    ends = "    import os; os._exit(0)\n    return x"
    path.write_text(FILE.replace("    return torch.exp(x)", ends))
    found = reports(path, "softmax", "scaled_dot_product_attention")
    assert not found["attention.softmax"].passed
    assert found["attention.scaled_dot_product_attention"].passed


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


def test_names_are_bound_as_before_when_a_check_is_over(monkeypatch):
    def softmax(x, dim=-1):
        return x

    namespace = {"softmax": softmax}
    monkeypatch.setitem(vars(COURSE), "session", Session())
    with pieces.standing_by(namespace, "self_attention"):
        assert namespace["softmax"] is COURSE.stand_by("softmax")
        assert namespace["causal_mask"] is COURSE.stand_by("causal_mask")
        assert "self_attention" not in namespace
        namespace["padding_mask"] = "bound meanwhile"
    assert namespace == {"softmax": softmax, "padding_mask": "bound meanwhile"}
    with pieces.standing_by(namespace, "self_attention", missing=False):
        assert namespace.keys() == {"softmax", "padding_mask"}
    COURSE.session.checked("softmax", softmax, passed=True)
    with pieces.standing_by(namespace, "self_attention"):
        assert namespace["softmax"] is softmax
    namespace["softmax"] = "another attempt, not checked"
    with pieces.standing_by(namespace, "self_attention"):
        assert namespace["softmax"] is softmax
    assert namespace["softmax"] == "another attempt, not checked"


def test_stand_bys_are_short_and_say_where_they_come_from():
    for lesson in dict.fromkeys(COURSE.lesson_of.values()):
        tree = ast.parse(inspect.getsource(inspect.getmodule(stand_by_of(lesson))))
        assert ast.get_docstring(tree).startswith("Stand-bys for lesson")


def stand_by_of(lesson):
    return COURSE.stand_by(
        next(name for name, where in COURSE.lesson_of.items() if where == lesson)
    )
