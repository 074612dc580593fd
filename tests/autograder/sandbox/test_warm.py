"""The warm process: shared, replaced when it is gone, and asked many things at once."""

import os
import sys
import time

import pytest

from autograder.grading.runs.crew import Crew, Job, Orders
from autograder.notebooks.submission import as_text
from autograder.sandbox import warm
from autograder.sandbox.box import Keeper
from course.checks import find

from ..conftest import LIMITS, RIGHT, notebook_with

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the sandbox"),
]


def test_there_is_one_for_all_of_a_process():
    first = warm.shared()
    greeting, number = first.ready(), first.process.pid
    assert greeting["own_root"] in (True, False)
    assert warm.shared() is first
    assert first.process.pid == number
    first.process.kill()
    first.process.wait()
    assert warm.shared().ready() == greeting
    assert first.process.pid != number


def test_who_shares_it_leaves_it_to_the_others():
    shared = warm.shared()
    keeper = Keeper(warm=shared)
    with keeper.open(LIMITS) as box:
        assert box.request("has", 5, name="x") is None
    keeper.close()
    assert shared.process.poll() is None


def test_a_crew_goes_on_without_it(plan, tmp_path, monkeypatch):
    """Its members cannot start it again, as it is not theirs: each of them begins its own."""
    ready = warm.Warm.ready

    def ready_and_killed(self):
        greeting = ready(self)
        if self is warm.inherited() and self.owner == os.getpid():
            self.process.kill()
            time.sleep(0.2)
        return greeting

    monkeypatch.setattr(warm.Warm, "ready", ready_and_killed)
    path = tmp_path / f"{plan.notebook}.ipynb"
    path.write_text(as_text(notebook_with(plan, RIGHT)))
    orders = Orders({plan.notebook: plan}, 7, LIMITS)
    jobs = [Job(name, {plan.notebook: path}) for name in ("ada", "bea", "cyd")]
    with Crew(orders, 2) as crew:
        done = {each.student: each for each in crew.grade(jobs)}
    assert set(done) == {"ada", "bea", "cyd"}
    for each in done.values():
        assert each.error == ""
        assert each.notebooks[plan.notebook]["entries"]["scores"]["check_softmax"] == 8.0


def test_replies_that_nobody_waited_for_are_passed_over(keeper, judge):
    exercise = find("attention.softmax")
    trials = [question.trial for question in judge.exam(exercise).questions()]
    with keeper.open(LIMITS, given=True) as box:
        box.request("cell", 10, source=RIGHT["softmax"], seconds=10)
        arguments = {"name": "softmax", "watch": [False] * len(trials), "seed": 1, "seconds": 9.0}
        frames = b"".join(map(judge.frame, trials))
        replies = box.replies("ask", 10, attached=frames, **arguments)
        assert next(replies)[0] == "answer"
        assert box.request("has", 5, name="nothing") is None
        assert len(trials) > 2


def test_a_stub_is_asked_only_once(keeper, judge):
    exercise = find("attention.softmax")
    body = "calls.append(1)\n    raise NotImplementedError"
    stub = f"calls = []\ndef softmax(x, dim=-1):\n    {body}"
    with keeper.open(LIMITS, given=True) as box:
        box.request("cell", 10, source=stub, seconds=10)
        verdict = judge.examine(exercise, box, "softmax", [stub], 10)
        assert "Nothing is written here yet" in verdict.text()
        said = box.request("cell", 10, source="print(len(calls))", seconds=10)
        assert said["outputs"][0]["text"] == "1\n"
