"""Prove where a mistake is: with one small change of that line, everything is right."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exercise import Exercise
from ..mistakes import ways_of
from .backwards import backwards
from .everyday import everyday
from .mend import KINDS, Mend
from .own_code import OwnCode
from .search import Search, Workshop

if TYPE_CHECKING:
    from ..diagnose import Record
    from ..subject import Subject


@dataclass(frozen=True)
class Spot:
    """Where something has to change, and what kind of thing.

    Args:
        lines: numbers; several if the same has to change in all of them.
        below: is something missing below that line?
    """

    lines: tuple[int, ...]
    kind: str
    below: bool = False

    def says(self) -> str:
        """As it stands in a sentence: "in line 4: which axis is meant"."""
        if self.below:
            return f"below line {self.lines[0]}: {KINDS[self.kind]}"
        plural = "lines" if len(self.lines) > 1 else "line"
        return f"in {plural} {' and '.join(map(str, self.lines))}: {KINDS[self.kind]}"


def spots(
    exercise: Exercise,
    subject: Subject,
    records: list[Record],
    named: tuple[str, ...],
    seconds: float,
    most: float = float("inf"),
) -> list[Spot]:
    """Where the learner's code has to change for everything to be right; [] if that is not found.

    Args:
        records: of a check, some of which have differences.
        named: ids of the mistakes that were recognised: these are undone first.
        seconds: that it may take.
        most: answers that it may ask for, where it must not depend on how busy the machine is.
    """
    code = subject.own_code(exercise.name)
    if code is None or seconds <= 0 or most <= 0:
        return []

    def look(workshop: Workshop) -> list[dict[str, Any]]:
        propose = functools.partial(proposed, exercise, code, named)
        found = Search(code, records, workshop, propose, seconds, most).found()
        return [data_of(mend) for mend in found.mends] if found else []

    found = subject.in_workshop(look, seconds) or []
    return [Spot(tuple(each["lines"]), each["kind"], each["below"]) for each in found]


def data_of(mend: Mend) -> dict[str, Any]:
    return {"lines": mend.lines, "kind": mend.kind, "below": mend.below}


def proposed(exercise: Exercise, code: OwnCode, named: tuple[str, ...]) -> Iterator[Mend]:
    """The changes to try, the likeliest first."""
    ways = list(ways_of(exercise))
    first = [way for way in ways if way.partition("/")[0] in named]
    others = [way for way in ways if way not in first]
    return itertools.chain(
        backwards(exercise, first, code),
        backwards(exercise, others, code),
        everyday(code),
    )


def says(found: list[Spot], named: bool) -> str:
    """What is proven, as a sentence."""
    if len(found) == 2:
        first, second = (spot.says() for spot in found)
        return f"Two small changes make everything right: one {first}; the other {second}."
    [spot] = found
    if named:
        return "Nothing else is wrong: with this one thing mended, everything is right."
    return f"One small change makes everything right. It is {spot.says()}."
