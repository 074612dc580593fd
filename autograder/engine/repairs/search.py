"""Try changes of the learner's own lines until every probe is right."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch

from ..compare import ASPECTS, Difference, each_difference, size
from ..trial import Answer, Trial
from .mend import Mend, in_one_place

if TYPE_CHECKING:
    from ..diagnose import Record
    from .own_code import OwnCode

CLOSER = 4  # so many changes that set something right, but not all, are built on
ROUNDED = 1e-3  # of the largest number: closer than that is as good as right
CLOSE = 0.8  # with no larger share of it still wrong, it is no chance that an answer is closer


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


class Tried(NamedTuple):
    """A change, what is still wrong with it, and what share of its cheapest record."""

    mend: Mend
    left: list[Record]
    share: float


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
        self.closer: list[Tried] = []

    def one(self) -> list[Mend]:
        """The first change that does it, in a list; [] if there is none."""
        failing = [record for record in self.records if record.found]
        self.closer = []
        for tried in self.tries(failing):
            if not tried.left:
                return [self.smallest(tried.mend)]
            if tried.left is failing or len(tried.left) < len(one_of_each(failing)):
                self.closer.append(tried)
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
        best = sorted(self.closer, key=lambda tried: (len(tried.left), tried.share))
        for first in best[:CLOSER]:
            with first.mend.made():
                for second in self.tries(first.left):
                    if not second.left:
                        return [first.mend, second.mend]
        return []

    def tries(self, failing: list[Record]) -> Iterator[Tried]:
        """The changes that set the cheapest failing record right, or bring it closer."""
        pivot, *others = failing
        before = how_wrong(pivot.found)
        mends = itertools.takewhile(lambda _: not self.is_late(), self.proposed())
        for mend, answer in self.workshop.answers(self.code, mends, pivot.trial):
            self.asked += 1
            if answer is None:
                continue
            wrong = how_wrong(each_difference(answer, pivot.expected, pivot.trial))
            if not wrong:
                yield Tried(mend, self.left_by(mend, pivot, others), 0.0)
            elif (share := share_still_wrong(wrong, before)) <= CLOSE:
                yield Tried(mend, failing, share)

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
        """Which of these records a change leaves or makes wrong; those that cannot be asked any
        more count as wrong."""
        affordable = 0 if self.is_late() else int(min(len(records), self.most - self.asked))
        asked, unasked = records[:affordable], records[affordable:]
        self.asked += len(asked)
        trials = [record.trial for record in asked]
        answers = self.workshop.answers_to(self.code, mend, trials) if asked else ()
        for record, answer in zip(asked, answers, strict=True):
            if answer is None or not is_right(answer, record):
                yield record
        yield from unasked

    def is_late(self) -> bool:
        return self.asked >= self.most or time.monotonic() > self.deadline


def how_wrong(found: Iterable[Difference]) -> Wrong:
    """{in which respect an answer is wrong: in how many numbers}"""
    return {(each.aspect, each.name): count_wrong(each) for each in found}


def share_still_wrong(wrong: Wrong, before: Wrong) -> float:
    """Of what was wrong before a change. 0 if it only lets more be seen; 1 if other things are
    wrong now."""
    if first_aspect(wrong) > first_aspect(before) or wrong.keys() < before.keys():
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
    found: dict[str, Record] = {}
    for record in records:
        found.setdefault(record.promise.name, record)
    return list(found.values())
