"""The questions that a seed draws for an exercise, and what the model answer and known mistakes
answer to them.

Each is drawn once and answered once, for as long as the exam is kept: a check draws one of its own,
and a class's judge keeps one for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch

from .compare import differences
from .drawing import Draw
from .exercise import Exercise, Property
from .mistakes import build
from .trial import Answer, Implementation, Modules, Probe, Trial, ask

ALWAYS = 1  # the seed of the exam that is the same in every check


class Question(NamedTuple):
    """What a probe asks for a property of an exercise, and what the model answer is."""

    promise: Property
    probe: Probe
    trial: Trial
    expected: Answer


class Exam:
    """One exercise's questions.

    Args:
        exercise: of which.
        seed: of all that is drawn.
        device: where model answer and mistakes compute.
    """

    def __init__(self, exercise: Exercise, seed: int, device: str = "cpu"):
        self.exercise, self.seed, self.device = exercise, seed, device
        self.drawn: dict[Probe, tuple[Trial, Answer]] = {}  # and what the model answer is
        # Of ways of making mistakes: what they answer to a probe, and in which respects it shows.
        self.answers: dict[tuple[tuple[str, ...], Probe], Answer | None] = {}
        self.aspects: dict[tuple[tuple[str, ...], Probe], set[str]] = {}

    def questions(self) -> Iterator[Question]:
        """All of them, each drawn when it is its turn."""
        for promise in self.exercise.properties:
            for probe in promise.probes:
                yield Question(promise, probe, *self.asked_by(probe))

    def asked_by(self, probe: Probe) -> tuple[Trial, Answer]:
        """(the trial that a probe draws, what the model answer is)"""
        if probe not in self.drawn:
            trial = probe(Draw(self.seed, probe.__name__, self.exercise.reference))
            self.drawn[probe] = trial, self.expected(probe, trial)
        return self.drawn[probe]

    def expected(self, probe: Probe, trial: Trial) -> Answer:
        kept = kept_of(self.exercise, self.device)
        if not trial.constant:
            return self.ask(self.exercise.reference, trial)
        if probe not in kept.constants:
            kept.constants[probe] = self.ask(self.exercise.reference, trial)
        return kept.constants[probe]

    def answer_of(self, ways: tuple[str, ...], probe: Probe) -> Answer | None:
        """What mistakes made in these ways answer; None if they do not go together."""
        if (ways, probe) not in self.answers:
            wrong = build(self.exercise, ways)
            trial, _ = self.asked_by(probe)
            self.answers[ways, probe] = None if wrong is None else self.ask(wrong, trial)
        return self.answers[ways, probe]

    def aspects_of(self, ways: tuple[str, ...], probe: Probe) -> set[str]:
        """In which respects these mistakes show; empty if they do not, or do not go together."""
        if (ways, probe) not in self.aspects:
            trial, expected = self.asked_by(probe)
            wrong = self.answer_of(ways, probe)
            found = differences(wrong, expected, trial) if wrong is not None else ()
            self.aspects[ways, probe] = {difference.aspect for difference in found}
        return self.aspects[ways, probe]

    def ask(self, implementation: Implementation, trial: Trial) -> Answer:
        """What one of ours answers: it carries nothing over from one call to the next, so that its
        modules can be used again. Making them takes half of the time.

        The random numbers that it draws are its own: those of a learner's code are the same
        whether it has answered before or not.
        """
        modules = kept_of(self.exercise, self.device).modules
        with torch.random.fork_rng(devices=[]):
            return ask(implementation, trial, self.device, made=modules)


class Kept:
    """What lasts longer than an exam: answers that are the same whatever is drawn, modules, and the
    exam that is the same in every check, in which every mistake has to answer but once."""

    def __init__(self, exercise: Exercise, device: str):
        self.exercise = exercise  # kept, so that its id stays its own
        self.constants: dict[Probe, Answer] = {}
        self.modules: Modules = {}
        self.always = Exam(exercise, ALWAYS, device)


KEPT: dict[tuple[int, str], Kept] = {}  # by an exercise's id and the device


def kept_of(exercise: Exercise, device: str) -> Kept:
    key = id(exercise), str(device)
    if key not in KEPT:
        KEPT[key] = Kept(exercise, device)
    return KEPT[key]
