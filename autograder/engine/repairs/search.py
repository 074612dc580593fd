"""Try changes of the learner's own lines until every probe is right."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Repair:
    """What makes everything right: one change, or two."""

    mends: tuple[Mend, ...]


class Search:
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
        self.records = sorted(records, key=lambda record: cost(record.trial))
        self.deadline = time.monotonic() + seconds
        self.left = most

    def found(self) -> Repair | None:
        """The first change that does it, or else the first pair of changes."""
        failing = [record for record in self.records if record.found]
        closer: list[tuple[Mend, list[Record]]] = []
        for mend, left in self.tries(failing):
            if not left:
                return Repair((mend,))
            if len(left) < count_of(failing):
                closer.append((mend, left))
        for first, failing in sorted(closer, key=lambda each: len(each[1]))[:CLOSER]:
            with first.made():
                for second, left in self.tries(failing):
                    if not left:
                        return Repair((first, second))
        return None

    def tries(self, failing: list[Record]) -> Iterator[tuple[Mend, list[Record]]]:
        """The changes that set the cheapest failing record right, and what is wrong then."""
        pivot, *others = failing
        right = [record for record in self.records if not record.found]
        mends = itertools.takewhile(lambda _: not self.is_late(), self.proposed())
        for mend, answer in self.workshop.answers(self.code, mends, pivot.trial):
            self.left -= 1
            if answer is not None and is_right(answer, pivot):
                yield mend, self.left_by(mend, others, right)

    def left_by(self, mend: Mend, failing: list[Record], right: list[Record]) -> list[Record]:
        """What is wrong with a change. Whether it does harm is asked only if it mends all else."""
        wrong: list[Record] = []
        seen: set[str] = set()  # one record of each property tells enough
        for record in failing:
            if record.promise.name not in seen and not self.is_mended(mend, record):
                wrong.append(record)
                seen.add(record.promise.name)
        for record in [] if wrong else [*failing, *right]:
            if not self.is_mended(mend, record):
                return [record]
        return wrong

    def is_mended(self, mend: Mend, record: Record) -> bool:
        if self.is_late():
            return False
        self.left -= 1
        [(_, answer)] = self.workshop.answers(self.code, [mend], record.trial)
        return answer is not None and is_right(answer, record)

    def is_late(self) -> bool:
        return self.left <= 0 or time.monotonic() > self.deadline


def is_right(answer: Answer, record: Record) -> bool:
    return next(each_difference(answer, record.expected, record.trial), None) is None


def count_of(records: list[Record]) -> int:
    return len({record.promise.name for record in records})


def cost(trial: Trial) -> int:
    return len(trial.calls) * (3 if trial.gradients else 1) * (2 if trial.digest else 1)
