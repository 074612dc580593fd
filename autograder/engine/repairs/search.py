"""Try changes of the learner's own lines until every probe is right."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import torch

from ..compare import ASPECTS, Difference, each_difference, size
from ..trial import Answer, Trial
from .mend import Mend, in_one_place

if TYPE_CHECKING:
    from ..diagnose import Record
    from .own_code import OwnCode

CLOSER = 4  # so many changes that set something right, but not all, are built on
ROUNDED = 1e-3  # of the largest number: closer than that is as good as right
FEWER = 0.8  # of the numbers that were wrong: then so many are right that it is no chance


class Workshop(Protocol):
    """Where changed code runs."""

    def answers(
        self, code: OwnCode, mends: Iterable[Mend], trial: Trial
    ) -> Iterator[tuple[Mend, Answer | None]]:
        """Each change with the Answer of what it makes; None if it makes nothing that runs."""
        ...

    def answers_to(
        self, code: OwnCode, mend: Mend, trials: Iterable[Trial]
    ) -> Iterator[Answer | None]:
        """The same of one change, to several trials."""
        ...


Wrong = dict[tuple[str, str], int]  # {(aspect, name): in how many numbers}
Work = Callable[[Workshop], Any]  # it gives something that JSON knows


class Attempts:
    """Which change makes all records right?

    Args:
        code: the learner's.
        records: all of a check's.
        workshop: where changed code runs.
        proposed: gives the changes to try, for the code as it is just then.
        seconds: that it may take.
        most: answers that it may ask for, if that is limited as well.
    """

    def __init__(
        self,
        code: OwnCode,
        records: list[Record],
        workshop: Workshop,
        proposed: Callable[[], Iterable[Mend]],
        seconds: float,
        most: float = float("inf"),
    ):
        self.code, self.workshop, self.proposed = code, workshop, proposed
        self.records = sorted(records, key=lambda record: record.trial.cost)
        self.deadline = time.monotonic() + seconds
        self.most, self.asked = most, 0
        # What is better, what is still wrong then, and how much of it.
        self.closer: list[tuple[Mend, list[Record], float]] = []

    def one(self) -> list[Mend]:
        """The first change that does it, in a list; [] if there is none."""
        failing = [record for record in self.records if record.found]
        self.closer = []
        for mend, left, much in self.tries(failing):
            if not left:
                return [self.smallest(mend)]
            if left is failing or len(left) < count_of(failing):
                self.closer.append((mend, left, much))
        return []

    def smallest(self, mend: Mend) -> Mend:
        """The same change in one place alone, if it does it there, too."""
        for each in in_one_place(mend):
            if not [*self.wrong_with(each, self.records)]:
                return each
        return mend

    def two(self) -> list[Mend]:
        """The first pair of changes that does it, of which one makes it better, once there is no
        single one."""
        best = sorted(self.closer, key=lambda each: (len(each[1]), each[2]))
        for first, failing, _ in best[:CLOSER]:
            with first.made():
                for second, left, _ in self.tries(failing):
                    if not left:
                        return [first, second]
        return []

    def tries(self, failing: list[Record]) -> Iterator[tuple[Mend, list[Record], float]]:
        """The changes that set the cheapest failing record right, or bring it closer; what is wrong
        then; and how much of that record is, as a part of what was."""
        pivot, *others = failing
        before = how_wrong(pivot.found)
        mends = itertools.takewhile(lambda _: not self.is_late(), self.proposed())
        for mend, answer in self.workshop.answers(self.code, mends, pivot.trial):
            self.asked += 1
            if answer is None:
                continue
            wrong = how_wrong(each_difference(answer, pivot.expected, pivot.trial))
            if not wrong:
                yield mend, self.left_by(mend, pivot, others), 0.0
            elif (much := how_much(wrong, before)) <= FEWER:  # that stays wrong
                yield mend, failing, much

    def left_by(self, mend: Mend, pivot: Record, failing: list[Record]) -> list[Record]:
        """What is wrong with a change, one record of each property. Whether everything is right
        with it, what was right before as well, is asked only if it mends one of each.

        Args:
            pivot: what it has mended already.
            failing: what is wrong without it, besides.
        """
        first = one_of_each(failing)
        wrong = list(self.wrong_with(mend, first))
        done = {id(record) for record in [pivot, *first]}
        rest = [] if wrong else [each for each in self.records if id(each) not in done]
        return wrong or one_of_each(self.wrong_with(mend, rest))

    def wrong_with(self, mend: Mend, records: list[Record]) -> Iterator[Record]:
        """Which of these records a change leaves or makes wrong."""
        if self.is_late():
            yield from records
            return
        self.asked += len(records)
        trials = [record.trial for record in records]
        answers = self.workshop.answers_to(self.code, mend, trials)
        for record, answer in zip(records, answers, strict=True):
            if answer is None or not is_right(answer, record):
                yield record

    def is_late(self) -> bool:
        return self.asked >= self.most or time.monotonic() > self.deadline


def how_wrong(found: Iterable[Difference]) -> Wrong:
    """{in which respect an answer is wrong: in how many numbers}"""
    return {(each.aspect, each.name): count_wrong(each) for each in found}


def how_much(wrong: Wrong, before: Wrong) -> float:
    """What part of what was wrong is wrong still; none if only what could not be seen before is."""
    if first_aspect(wrong) > first_aspect(before):
        return 0.0
    if wrong.keys() < before.keys():
        return 0.0
    return sum(wrong.values()) / sum(before.values()) if wrong.keys() == before.keys() else 1.0


def first_aspect(wrong: Wrong) -> int:
    return min(ASPECTS.index(aspect) for aspect, _ in wrong)


def count_wrong(difference: Difference) -> int:
    yours, theirs = difference.yours, difference.expected
    if not (torch.is_tensor(yours) and torch.is_tensor(theirs)) or yours.shape != theirs.shape:
        return 1
    a, b = yours.to(torch.float64), theirs.to(torch.float64)
    right = torch.isclose(a, b, rtol=0, atol=ROUNDED * max(size(b), ROUNDED), equal_nan=True)
    return max(1, int((~right).sum()))


def is_right(answer: Answer, record: Record) -> bool:
    return next(each_difference(answer, record.expected, record.trial), None) is None


def one_of_each(records: Iterable[Record]) -> list[Record]:
    """The first record of each property: it tells enough."""
    return list({record.promise.name: record for record in reversed([*records])}.values())[::-1]


def count_of(records: list[Record]) -> int:
    return len(one_of_each(records))
