"""The questions that a seed draws for an exercise, and what the model answer and known mistakes
answer to them.

Each is drawn once and answered once, for as long as the exam is kept: a check draws one of its own,
and a class's judge keeps one for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch

from .broken_course import BrokenCourseError, clause, innermost, said_by, where
from .compare import differences
from .course import current
from .drawing import Draw
from .exercise import Exercise, Property
from .mistakes import build
from .trial import UNCOMPARABLE, Answer, Implementation, Modules, Probe, Problem, Trial, ask

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
        # What the model answer is to a question that was changed in a way that has a name.
        self.others: dict[tuple[Probe, str], Answer] = {}

    @property
    def always(self) -> Exam:
        """The exam that is the same in every check."""
        return kept_of(self.exercise, self.device).always

    def questions(self) -> Iterator[Question]:
        """All of them, each drawn when it is its turn."""
        for promise in self.exercise.properties:
            for probe in promise.probes:
                yield Question(promise, probe, *self.asked_by(probe))

    def asked_by(self, probe: Probe) -> tuple[Trial, Answer]:
        """(the trial that a probe draws, what the model answer is)"""
        if probe not in self.drawn:
            trial = self.draw(probe)
            self.drawn[probe] = trial, self.expected(probe, trial)
        return self.drawn[probe]

    def draw(self, probe: Probe) -> Trial:
        reference = self.exercise.reference
        try:
            trial = probe(Draw(self.seed, probe.__name__, reference))
        except Exception as error:
            place = where(error, current().folders.values())
            raise BrokenCourseError(f"probe {probe.__name__}, {place}", said_by(error)) from error
        if not isinstance(trial, Trial):
            kind = type(trial).__name__
            raise BrokenCourseError(f"probe {probe.__name__}", f"it gives no Trial, but {kind}")
        return trial

    def expected(self, probe: Probe, trial: Trial) -> Answer:
        kept = kept_of(self.exercise, self.device)
        if not trial.constant:
            return self.model_answer(probe, trial)
        if probe not in kept.constants:
            kept.constants[probe] = self.model_answer(probe, trial)
        return kept.constants[probe]

    def model_answer(self, probe: Probe, trial: Trial) -> Answer:
        """What the model answer is. If it raises, no learner's answer can be judged by it, unless
        an error is what the trial asks for."""
        answer = self.ask(self.exercise.reference, trial)
        problem, asked_by = answer.problem, f"asked by probe {probe.__name__}"
        if problem is not None and not trial.raises and not is_of_memory(problem):
            place = innermost([frame[:2] for frame in problem.frames], current().folders.values())
            raise BrokenCourseError(
                f"model answer {self.exercise.name}, {place}, {asked_by}",
                clause(problem.kind, problem.message),
            )
        if problem is None and UNCOMPARABLE in answer.facts:
            raise BrokenCourseError(
                f"model answer {self.exercise.name}, {asked_by}", "the trial's digest fails on it"
            )
        return answer

    def changed(self, probe: Probe, change: str, trial: Trial) -> Answer:
        """What the model answer is to a changed question; an error is an answer, too.

        Args:
            change: its name, if it is the same one whoever is asked: then it is asked once, and
                kept. "" if not.
        """
        if not change:
            return ask(self.exercise.reference, trial, self.device)
        key = probe, change
        if key not in self.others:
            self.others[key] = self.ask(self.exercise.reference, trial)
        return self.others[key]

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


def is_of_memory(problem: Problem) -> bool:
    """Did it take more memory than there is? Then a learner's code may have left none."""
    return "Memory" in problem.kind or "allocate memory" in problem.message


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
