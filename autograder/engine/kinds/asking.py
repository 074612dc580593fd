"""Ask more than a check does, of a learner's code and of the model answer, and not without end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from ..compare import close, differences
from ..diagnose import Record
from ..exam import Exam
from ..subject import Subject
from ..symptoms.numbers import call_number
from ..trial import Answer, Call, Trial

Arrays = dict[str, torch.Tensor]
VISIBLE = 1e-2  # a change by this share of the largest number is more than rounding
LONGEST = 5.0  # seconds; a quick answer takes a hundredth of it
PRECISE = (torch.float32, torch.float64)


class SpentError(Exception):
    """There is not enough left to ask this."""


class Budget:
    """What may still be asked, in the units of Trial.cost.

    Counted: what is found should not depend on how busy the machine is. But a slow answer comes to
    an end, too.

    Args:
        until: after that, by time.monotonic, nothing more is asked.
    """

    def __init__(self, most: int, until: float):
        self.most = self.left = most
        self.until = until

    def take(self, trial: Trial) -> None:
        """A SpentError if there is not enough left for this trial."""
        if trial.cost > self.left or time.monotonic() > self.until:
            raise SpentError
        self.left -= trial.cost


class Budgets:
    """Of the subject and of the model answer, beside it; of the model answer to other questions;
    and of both for other sizes.

    Args:
        most: for each of them.
    """

    def __init__(self, most: int):
        until = time.monotonic() + LONGEST
        budgets = (Budget(most, until) for _ in range(4))
        self.yours, self.theirs, self.others, self.sizes = budgets


class Asking:
    """One question of a check that was answered wrongly, and what else can be asked about it.

    Args:
        exam: that the question is from.
        subject: that is asked.
        record: the question, and what was answered.
        name: of the array that is wrong; "" if it is something else.
        budgets: what may still be asked.
    """

    def __init__(self, exam: Exam, subject: Subject, record: Record, name: str, budgets: Budgets):
        self.exam, self.exercise, self.subject = exam, exam.exercise, subject
        self.record, self.name, self.budgets = record, name, budgets
        number = call_number(name)
        if record.answer.problem is not None:
            number = max(record.answer.begun, 1)
        self.trial = record.trial
        self.number = min(number, len(self.trial.calls))
        self.call: Call = self.trial.calls[self.number - 1]

    @property
    def is_precise(self) -> bool:
        """Can a small change be seen in these numbers, and are there any?"""
        return self.trial.dtype in PRECISE and not self.trial.raises

    @property
    def knows_all_weights(self) -> bool:
        """If not, two objects that are made alike are not alike."""
        facts = self.record.answer.facts
        return not any(facts.get(name) for name in ("missing", "shapes"))

    def calling(self, *calls: Call, **changes: Any) -> Trial:
        """The trial with these calls, and nothing done to what comes back."""
        return self.trial.but(calls=list(calls), digest=None, constant=False, **changes)

    def yours(self, trial: Trial) -> Answer:
        self.budgets.yours.take(trial)
        return self.subject.ask(trial)

    def theirs(self, change: str, trial: Trial) -> Answer:
        """The model answer to a changed trial.

        Args:
            change: its name; "" if the change depends on who is asked.
        """
        self.budgets.theirs.take(trial)
        return self.changed(change, trial)

    def changed(self, change: str, trial: Trial) -> Answer:
        name = f"{change}, call {self.number}" if change else ""
        return self.exam.changed(self.record.probe, name, trial)

    def is_right(self, change: str, trial: Trial) -> bool | None:
        """Is the subject right in a changed trial? None if that has no answer."""
        theirs = self.theirs(change, trial)
        if theirs.problem is not None:
            return None
        return not differences(self.yours(trial), theirs, trial)

    def is_right_for_size(self, trial: Trial) -> bool | None:
        """The same where which sizes are tried depends on the subject: nothing is kept."""
        self.budgets.sizes.take(trial)
        theirs = self.changed("", trial)
        if theirs.problem is not None:
            return None
        return not differences(self.subject.ask(trial), theirs, trial)

    def is_yours(self, change: str, trial: Trial) -> bool:
        """Is the right answer to a changed trial what the subject gave for this one?"""
        self.budgets.others.take(trial)
        theirs = self.changed(change, trial)
        return theirs.problem is None and not differences(self.record.answer, theirs, trial)


def of_call(answer: Answer, trial: Trial, number: int) -> Arrays | None:
    """{name: what a call returned under it}; None if it is not all there."""
    suffix = "" if number == 1 else f" (call {number})"
    names = trial.calls[number - 1].returns
    found = {name: answer.arrays.get(name + suffix) for name in names}
    if any(x is None or not x.numel() for x in found.values()):
        return None
    return {name: x for name, x in found.items() if x is not None}


def alike(a: Arrays, b: Arrays) -> bool:
    """Are these the same numbers, but for rounding?"""
    return all(a[name].shape == b[name].shape and close(a[name], b[name]) for name in a)


def differ(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Is there a difference that is no rounding?"""
    if a.shape != b.shape:
        return True
    wrong = (a.to(torch.float64) - b.to(torch.float64)).abs().nan_to_num(0.0, 0.0, 0.0)
    largest = b.to(torch.float64).abs().nan_to_num(0.0, 0.0, 0.0)
    return float(wrong.max()) > VISIBLE * max(float(largest.max()), 1e-3)


def change_call(call: Call, changes: Mapping[str, Any]) -> Call:
    """The same call with other arguments, wherever they were handed over."""
    arguments = {name: changes.get(name, value) for name, value in call.arguments.items()}
    options = {name: changes.get(name, value) for name, value in call.options.items()}
    return replace(call, arguments=arguments, options=options)


def given(call: Call) -> dict[str, Any]:
    """All of a call's arguments."""
    return call.arguments | call.options
