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
        """What is wrong with a change. Whether everything is right with it, what was right before
        as well, is asked only if it mends all of these.

        Args:
            pivot: what it has mended already.
            failing: what is wrong without it, besides.
        """
        wrong: list[Record] = []
        seen: set[str] = set()  # one record of each property tells enough
        for record in failing:
            if record.promise.name not in seen and not self.is_mended(mend, record):
                wrong.append(record)
                seen.add(record.promise.name)
        for record in [] if wrong else self.records:
            known = record is pivot or any(record is each for each in failing)
            if not known and not self.is_mended(mend, record):
                return [record]
        return wrong

    def is_mended(self, mend: Mend, record: Record) -> bool:
        if self.is_late():
            return False
        self.asked += 1
        [(_, answer)] = self.workshop.answers(self.code, [mend], record.trial)
        return answer is not None and is_right(answer, record)

    def is_late(self) -> bool:
        return self.asked >= self.most or time.monotonic() > self.deadline


def respects(answer: Answer, record: Record) -> set[tuple[str, str]]:
    """In which respects an answer is wrong."""
    found = each_difference(answer, record.expected, record.trial)
    return {(difference.aspect, difference.name) for difference in found}


def is_right(answer: Answer, record: Record) -> bool:
    return next(each_difference(answer, record.expected, record.trial), None) is None


def count_of(records: list[Record]) -> int:
    return len({record.promise.name for record in records})
