"""Only waiting for a learner's code takes of its time; a judge may compute as long as it needs."""

import sys
import time
from types import SimpleNamespace

import pytest

from autograder.engine import examine
from autograder.grading import judge as judges
from autograder.sandbox import box as keepers
from autograder.sandbox.box import Keeper
from autograder.sandbox.clock import Clock
from course.checks import find

from ..conftest import LIMITS, RIGHT
from .test_attacks import points

needs_sandbox = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the sandbox")
AN_HOUR = 3600.0


@pytest.fixture
def pass_by(monkeypatch):
    """Let the time go forward at once, as this process sees it."""
    real, ahead = time.monotonic, []
    monkeypatch.setattr(time, "monotonic", lambda: real() + sum(ahead))
    return ahead.append


def test_it_passes_only_while_it_runs(pass_by):
    clock = Clock(10)
    pass_by(AN_HOUR)
    assert clock.left == clock.seconds == 10
    with clock.running():
        pass_by(4.0)
    assert 5.0 < clock.left <= 6.0


def slow(function, pass_by):
    """The same, as if it took an hour."""

    def slowed(*arguments, **options):
        pass_by(AN_HOUR)
        return function(*arguments, **options)

    return slowed


@needs_sandbox
def test_a_judge_that_takes_hours_costs_nobody_anything(run, keeper, judge, pass_by, monkeypatch):
    """To make the questions, to compare each answer, and to look for the mistake."""
    answers = RIGHT | {"causal_mask": RIGHT["causal_mask"].replace("<=", "<")}
    before = points(run(keeper, answers, limits=LIMITS))
    monkeypatch.setattr(judge, "exams", {})
    monkeypatch.setattr(examine, "differences", slow(examine.differences, pass_by))
    monkeypatch.setattr(judges, "verdict_on", slow(judges.verdict_on, pass_by))
    monkeypatch.setattr(judges, "Exam", slow(judges.Exam, pass_by))
    found = run(keeper, answers, limits=LIMITS)
    assert points(found) == before
    assert found.events == []
    assert before["check_causal_mask"] < 4 < before["check_softmax"]


@needs_sandbox
def test_a_child_that_waits_until_it_is_read_is_not_late(keeper, judge):
    """Its answers are more than the line holds, so it sits there while the judge computes."""
    exercise = find("attention.softmax")
    [trial, *_] = [question.trial for question in judge.exam(exercise).questions()]
    source = "import torch\ndef softmax(x, dim=-1):\n    return torch.zeros(2**18)"
    with keeper.open(LIMITS, given=True) as box:
        box.request("cell", 10, source=source, seconds=10)
        more = {"name": "softmax", "watch": [False] * 8, "seed": 1, "seconds": 2.0}
        replies = box.replies("ask", Clock(2.0), attached=judge.frame(trial) * 8, **more)
        assert next(replies)[0] == "answer"
        time.sleep(2.5)
        assert [next(replies)[0] for _ in range(7)] == ["answer"] * 7


def test_nor_does_its_warden_end_it_meanwhile(monkeypatch):
    asked = []
    keeper = Keeper.__new__(Keeper)
    keeper.cgroup, keeper.least = None, 0
    keeper.warm = SimpleNamespace(ask=lambda request, _: asked.append(request))
    hello = {"layers": []}
    monkeypatch.setattr(keepers.wire.Connection, "receive", lambda line, deadline: hello)
    keeper.ask_for_box(LIMITS, "", least=0, own_root=True).close()
    assert asked[0]["total"] >= LIMITS.total + AN_HOUR
