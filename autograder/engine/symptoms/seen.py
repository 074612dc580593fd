"""What a message may speak of, in the words of the library that an exercise is written in."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import torch

from ..exercise import Exercise
from ..trial import Answer, Trial
from .numbers import shape


class Words(NamedTuple):
    """What a library calls things."""

    array: str
    axis: str
    in_place: str


TORCHS = Words("tensor", "dimension", "a name that ends in `_`")
NUMPYS = Words("array", "axis", "`.sort()`, `out=`")


def words(seen: Seen) -> Words:
    """The words of the library that the exercise is written in."""
    return NUMPYS if seen.trial.numpy else TORCHS


class Seen(dict[str, Any]):
    """What a message may speak of: the trial, the learner's answer, the expected one.

    As a mapping it answers {braces} in messages: first sizes, then the exercise's measures.
    """

    def __init__(self, exercise: Exercise, trial: Trial, answer: Answer, expected: Answer):
        super().__init__(trial.sizes)
        self.exercise, self.trial = exercise, trial
        self.answer, self.expected = answer, expected
        self.yours, self.theirs = answer.arrays, expected.arrays
        self.arguments: dict[str, Any] = {}
        failed = trial.calls[max(answer.begun, 1) - 1 :][:1] if answer.problem else []
        for call in [*reversed(trial.calls), *failed]:  # the first one, or the one that failed
            self.arguments |= (trial.build or {}) | trial.options | call.arguments | call.options

    def __missing__(self, name: str) -> Any:
        if name in self.exercise.measures:
            return self.exercise.measures[name](self)
        value = self.arguments[name]
        return shape(value) if isinstance(value, torch.Tensor) else value

    def fill(self, text: str) -> str:
        """A message with its {braces} filled in; a measure that fails must not cost the message."""
        try:
            return text.format_map(self)
        except Exception:
            return re.sub(r"\{\w+\}", "…", text)

    def has_all(self, text: str) -> bool:
        """Can everything that a message speaks of be told?"""
        try:
            text.format_map(self)
        except Exception:
            return False
        return True
