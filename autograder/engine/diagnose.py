"""Which mistake was made? Compare the learner's answers with those of every known mistake.

A mistake *explains* a probe if the learner's answer is the mistake's answer there, and it is
*contradicted* by a probe where it would show and the learner is right. It is named if it is never
contradicted and explains all that is wrong. If it explains only some of it, by numbers that nobody
gets by chance, and a second mistake explains the rest, both are named. If none does, the first is
named alone, and nothing is said of the rest: it may be a second mistake, or what the first one does
in code that is written in another way. If two different mistakes explain the same, neither is
named.
"""

import time
from dataclasses import dataclass, field, replace

import torch

from .compare import Difference, differences, each_difference
from .exam import Exam, kept_of
from .exercise import Exercise, Property
from .limits import PATIENCE
from .mistake_files import Mistake
from .mistakes import ways_of
from .subject import Subject
from .trial import Answer, Probe, Trial

# What a second mistake may break without hiding the first one's numbers.
BESIDES = {"dtype", "changed", "kept"}
# To find a mistake, look at so many of the probes that fail; each costs a run of every mistake.
PIVOTS = 3

Asked = tuple[Answer, Answer, Trial]  # an answer, the expected one, and what was asked
Names = tuple[str, ...]  # of ways of making mistakes: one, or those that are made together


@dataclass
class Record:
    """One probe of a check: what was drawn, what came back, what was expected."""

    promise: Property
    probe: Probe  # that drew the trial
    trial: Trial
    answer: Answer
    expected: Answer
    found: list[Difference] = field(default_factory=list)


@dataclass(frozen=True)
class Diagnosis:
    """The mistakes that were recognised, and where the first one shows best."""

    mistakes: tuple[Mistake, ...] = ()
    record: Record | None = None
    # What the mistakes never do, and leave to be seen.
    besides: tuple[tuple[Record, Difference], ...] = ()
    # Where no mistake was recognised: what was asked that is the same in every check.
    asked: dict[str, Asked] = field(default_factory=dict)


Found = dict[Names, list[Record]]  # {what was tried: the failing records that it explains}


def diagnose(
    exam: Exam, subject: Subject, records: list[Record], patience: float = PATIENCE
) -> Diagnosis:
    """The Diagnosis of a check's records, some of which have differences.

    Args:
        exam: whose questions these are.
        patience: seconds after which no further mistakes are tried.
    """
    search = Search(exam, records, patience)
    alone = search.single_mistakes(subject)
    whole = {names: found for names, found in alone.items() if search.is_complete(found)}
    if whole:
        return search.conclude(whole) or Diagnosis(asked=search.asked)
    partly = {names: found for names, found in alone.items() if any(map(telling, found))}
    for first in sorted(partly, key=lambda names: -len(partly[names])):
        both = search.conclude(search.pairs_with(first, partly[first]))
        if both:
            return both
    best = max(map(len, partly.values()), default=0)
    most = {names: found for names, found in partly.items() if len(found) == best}
    return search.conclude(most) or Diagnosis(asked=search.asked)


class Search:
    """What is wrong in a check's records, and which mistakes explain it.

    Args:
        exam: whose questions these are.
        patience: seconds after which no further mistakes are tried.
    """

    def __init__(self, exam: Exam, records: list[Record], patience: float):
        self.deadline = time.perf_counter() + patience
        self.exam, self.exercise = exam, exam.exercise
        self.ways = list(ways_of(exam.exercise))
        records = [as_coarse_as_it_is(record) for record in records]
        self.failing = [record for record in records if record.found]
        self.right = [record for record in records if not record.found]
        self.asked: dict[str, Asked] = {}  # by the names of probes

    def single_mistakes(self, subject: Subject) -> Found:
        """The mistakes that explain something alone, and are not contradicted."""
        found: Found = {}
        for pivot in pivots(self.failing):
            for way in self.suspects(subject, pivot.probe):
                if (way,) not in found and self.explains((way,), pivot):
                    found[way,] = self.explained_by((way,))
            if any(found.values()) or self.is_late():
                break
        return {names: explained for names, explained in found.items() if explained}

    def suspects(self, subject: Subject, probe: Probe) -> list[str]:
        """The ways whose answers to a probe are the learner's.

        They are asked with the same inputs in every check, and so every mistake has to answer but
        once, however often the learner tries again.
        """
        exam = kept_of(self.exercise, subject.device).always
        trial, expected = exam.asked_by(probe)
        answer = subject.ask(trial)
        self.asked[probe.__name__] = answer, expected, trial
        if not differences(answer, expected, trial):
            return self.ways  # these inputs do not show it: all are suspect
        found = []
        for way in self.ways:
            wrong, aspects = exam.answer_of((way,), probe), exam.aspects_of((way,), probe)
            if wrong is not None and is_explained(answer, wrong, aspects, trial):
                found.append(way)
        return found

    def pairs_with(self, first: Names, explained: list[Record]) -> Found:
        """The pairs of this mistake and a second one that explain all that is wrong.

        Args:
            explained: what the first one explains alone.
        """
        rest = [record for record in self.failing if record not in explained]
        found: Found = {}
        pivot = pivots(rest)[0]
        for second in self.ways:
            names = (*first, second)
            same = self.exercise.mistake(first[0]) is self.exercise.mistake(second)
            if not same and self.explains(names, pivot):
                together = self.explained_by(names)
                if self.is_complete(together) and certain(rest):
                    found[names] = together
            if self.is_late():
                break
        return found

    def conclude(self, found: Found) -> Diagnosis | None:
        """The Diagnosis if only one thing was found, and None otherwise."""
        only = one_of(self.exercise, found)
        if only is None:
            return None
        names, explained = only
        mistakes = tuple(self.exercise.mistake(name) for name in names)
        own = set().union(*(self.exam.aspects_of(names, record.probe) for record in explained))
        besides = {
            difference.aspect: (record, difference)
            for record in reversed(self.failing)
            for difference in reversed(record.found)
            if difference.aspect in BESIDES and difference.aspect not in own
        }
        return Diagnosis(mistakes, best_place(explained), tuple(besides.values()))

    def explained_by(self, names: Names) -> list[Record]:
        """The failing records that the mistakes explain; none if they are contradicted."""
        explained = [record for record in self.failing if self.explains(names, record)]
        if explained and any(self.exam.aspects_of(names, record.probe) for record in self.right):
            return []
        return explained

    def explains(self, names: Names, record: Record) -> bool:
        wrong = self.exam.answer_of(names, record.probe)
        own = self.exam.aspects_of(names, record.probe)
        return wrong is not None and is_explained(record.answer, wrong, own, record.trial)

    def is_complete(self, explained: list[Record]) -> bool:
        """Do these records hold all that is wrong, but for what would stay to be seen beside it?"""
        return all(record in explained or only_beside(record) for record in self.failing)

    def is_late(self) -> bool:
        return time.perf_counter() > self.deadline


def only_beside(record: Record) -> bool:
    return all(difference.aspect in BESIDES for difference in record.found)


def as_coarse_as_it_is(record: Record) -> Record:
    """The record of an answer in too coarse a dtype, with what is wrong but for its rounding: that
    hides no mistake."""
    if all(difference.aspect != "dtype" for difference in record.found):
        return record
    found = differences(record.answer, record.expected, record.trial, roughly=True)
    return replace(record, found=found)


def is_explained(answer: Answer, wrong: Answer, aspects: set[str], trial: Trial) -> bool:
    """Is the learner's answer that of a mistake, which shows in these aspects?"""
    allowed = [aspect for aspect in BESIDES if aspect not in aspects]
    found = each_difference(answer, wrong, trial, roughly=True)
    return bool(aspects) and all(difference.aspect in allowed for difference in found)


def pivots(failing: list[Record]) -> list[Record]:
    """The failing records that tell most for the least work, of different properties."""
    chosen = {}
    for record in sorted(failing, key=how_late):
        chosen.setdefault(record.promise.name, record)
    return list(chosen.values())[:PIVOTS]


def how_late(record: Record) -> tuple[bool, bool, int]:
    """What is wrong beside the numbers comes last: it must not hide what is wrong with them."""
    return only_beside(record), not telling(record), record.trial.cost


def telling(record: Record) -> bool:
    """Is there an array in this record that nobody gets by chance?"""
    return any(
        difference.aspect in ("shape", "value", "gradient")
        and isinstance(difference.yours, torch.Tensor)
        and difference.yours[difference.yours.isfinite()].unique().numel() >= 3
        for difference in record.found
    )


def certain(records: list[Record]) -> bool:
    """Is a match of these records no chance? Real numbers and facts are not met by chance; the few
    whole numbers that a search gives, or a mask is made of, now and then are."""
    whole = (torch.int64, torch.int32, torch.bool)
    return any(
        not torch.is_tensor(difference.yours) or difference.yours.dtype not in whole
        for record in records
        for difference in record.found
    )


def best_place(explained: list[Record]) -> Record:
    """The record to show: the first with numbers in it."""
    return next((record for record in explained if telling(record)), explained[0])


def one_of(exercise: Exercise, found: Found) -> tuple[Names, list[Record]] | None:
    """The (names, records) of the only mistake found; None if there is none, or if it could be one
    or the other."""
    made = [[exercise.mistake(name) for name in names] for names in found]
    kinds = {frozenset(mistake.same_as or mistake.id for mistake in pair) for pair in made}
    return next(iter(found.items())) if len(kinds) == 1 else None
