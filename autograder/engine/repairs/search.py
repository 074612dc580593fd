"""Try changes of the learner's own lines until every probe is right."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from ..compare import each_difference
from ..trial import Answer, Trial
from .mend import Mend

if TYPE_CHECKING:
    from ..diagnose import Record
    from .own_code import OwnCode

CLOSER = 4  # so many changes that set something right, but not all, are built on


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
        self.closer: list[tuple[Mend, list[Record]]] = []  # what is better, and still wrong then

    def one(self) -> list[Mend]:
        """The first change that does it, in a list; [] if there is none."""
        failing = [record for record in self.records if record.found]
        self.closer = []
        for mend, left in self.tries(failing):
            if not left:
                return [mend]
            if left is failing or len(left) < count_of(failing):
                self.closer.append((mend, left))
        return []

    def two(self) -> list[Mend]:
        """The first pair of changes that does it, of which one makes it better, once there is no
        single one."""
        for first, failing in sorted(self.closer, key=lambda each: len(each[1]))[:CLOSER]:
            with first.made():
                for second, left in self.tries(failing):
                    if not left:
                        return [first, second]
        return []

    def tries(self, failing: list[Record]) -> Iterator[tuple[Mend, list[Record]]]:
        """The changes that set the cheapest failing record right, and what is wrong then."""
        pivot, *others = failing
        before = {(each.aspect, each.name) for each in pivot.found}
        mends = itertools.takewhile(lambda _: not self.is_late(), self.proposed())
        for mend, answer in self.workshop.answers(self.code, mends, pivot.trial):
            self.asked += 1
            if answer is None:
                continue
            wrong = respects(answer, pivot)
            if not wrong:
                yield mend, self.left_by(mend, pivot, others)
            elif wrong < before:  # it sets something right in what stays wrong
                yield mend, failing

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


def respects(answer: Answer, record: Record) -> set[tuple[str, str]]:
    """In which respects an answer is wrong."""
    found = each_difference(answer, record.expected, record.trial)
    return {(difference.aspect, difference.name) for difference in found}


def is_right(answer: Answer, record: Record) -> bool:
    return next(each_difference(answer, record.expected, record.trial), None) is None


def one_of_each(records: Iterable[Record]) -> list[Record]:
    """The first record of each property: it tells enough."""
    return list({record.promise.name: record for record in reversed([*records])}.values())[::-1]


def count_of(records: list[Record]) -> int:
    return len(one_of_each(records))
