"""Prove where a mistake is: with one small change of that line, everything is right."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exercise import Exercise
from ..mistakes import ways_of
from .backwards import backwards, grafts, kinds_of
from .everyday import everyday
from .mend import KINDS, Mend, as_one
from .own_code import OwnCode
from .search import Attempts, Workshop
from .ways import bare

if TYPE_CHECKING:
    from ..diagnose import Record
    from ..subject import Subject

MOST_OF_IT = 0.8  # of the time; the rest is for finding at least how far everything is right


@dataclass(frozen=True)
class Spot:
    """Where something has to change, and what kind of thing.

    Args:
        lines: numbers; several if the same has to change in all of them.
        below: is something missing below that line?
        leads: may it be in one of the lines that lead to this one, as well?
        undoes: the way of making a mistake that the change undoes, and wholly; "" if none.
        asked: so many answers it took to find it.
        code: what becomes of the learner's tree with everything changed.
    """

    lines: tuple[int, ...]
    kind: str
    below: bool = False
    leads: bool = False
    undoes: str = ""
    asked: int = 0
    code: str = ""

    def says(self) -> str:
        """As it stands in a sentence: "in line 4: which axis is meant"."""
        return f"{self.where()}: {KINDS[self.kind]}"

    def where(self) -> str:
        if self.below:
            return f"below line {self.lines[0]}"
        return f"in {'lines' if len(self.lines) > 1 else 'line'} {listed(self.lines)}"


def spots(
    exercise: Exercise,
    subject: Subject,
    records: list[Record],
    named: tuple[str, ...],
    likely: list[str],
    seconds: float,
    most: float = float("inf"),
) -> list[Spot]:
    """Where the learner's code has to change for everything to be right; [] if that is not found.

    Args:
        records: of a check, some of which have differences.
        named: ids of the mistakes that were recognised: these are undone first.
        likely: all ways of making mistakes, the likeliest first.
        seconds: that it may take.
        most: answers that it may ask for, where it must not depend on how busy the machine is.
    """
    code = subject.own_code(exercise.name)
    if code is None or seconds <= 0 or most <= 0:
        return []

    def propose() -> Iterator[Mend]:
        return only_once(proposed(exercise, code, named, likely))

    def look(workshop: Workshop) -> list[dict[str, Any]]:
        search = Attempts(code, records, workshop, propose, MOST_OF_IT * seconds, MOST_OF_IT * most)
        found = search.one() or search.two()
        if found:
            more = {"asked": search.asked, "code": changed(code, as_one(found))}
            return [data_of(mend) | more for mend in found]
        graft = functools.partial(grafts, exercise, code)
        rest = 1 - MOST_OF_IT
        found = Attempts(code, records, workshop, graft, rest * seconds, rest * most).one()
        return [data_of(mend) | {"leads": True} for mend in found]

    found = subject.in_workshop(look, seconds) or []
    return [Spot(**each | {"lines": tuple(each["lines"])}) for each in found]


def data_of(mend: Mend) -> dict[str, Any]:
    return {
        "lines": mend.lines,
        "kind": mend.kind,
        "below": mend.below,
        "undoes": mend.undoes,
    }


def changed(code: OwnCode, mend: Mend) -> str:
    with mend.made():
        return bare(code.tree)


def proposed(
    exercise: Exercise, code: OwnCode, named: tuple[str, ...], likely: Iterable[str] = ()
) -> Iterator[Mend]:
    """The changes to try, the likeliest first: those that undo a mistake that was named, or its
    twin in mathematics; others of the same kind; and all the rest, what undoes other mistakes and
    what everybody gets wrong."""
    ways = list(likely) or list(ways_of(exercise))
    same = {exercise.mistake(name).mathematics for name in named}
    first = [way for way in ways if exercise.mistake(way).mathematics in same]
    others = [way for way in ways if way not in first]
    kinds = kinds_of(exercise, first)
    yield from sorted(backwards(exercise, first, code), key=lambda mend: len(mend.lines))
    all_of_them = everyday(code)  # that takes its time: mostly one of the first does it
    yield from (mend for mend in all_of_them if mend.kind in kinds)
    yield from in_turn(backwards(exercise, others, code), iter(all_of_them))


def only_once(mends: Iterable[Mend]) -> Iterator[Mend]:
    seen = set()
    for mend in mends:
        if mend.key not in seen:
            seen.add(mend.key)
            yield mend


def in_turn(*all_mends: Iterator[Mend]) -> Iterator[Mend]:
    """One of each, and so on."""
    for each in itertools.zip_longest(*all_mends):
        yield from (mend for mend in each if mend is not None)


def listed(lines: tuple[int, ...]) -> str:
    """Numbers as they stand in a sentence: "4, 7 and 9"."""
    *others, last = map(str, lines)
    return f"{', '.join(others)} and {last}" if others else last


def says(found: list[Spot], named: bool) -> str:
    """What is proven, as a sentence.

    Args:
        named: has it been said what is wrong, and nothing besides?
    """
    if len(found) == 2:
        one, other = found
        if one.says() == other.says():
            told = f"Both are {one.says()}"
        elif one.where() == other.where():
            told = f"Both are {one.says()}; and {KINDS[other.kind]}"
        else:
            told = f"One is {one.says()}; the other {other.says()}"
        return f"With two small changes this whole check passes. {told}."
    [spot] = found
    if spot.leads:
        return (
            f"With the right value in line {spot.lines[0]}, everything comes out right: look at "
            f"this line, and at those that lead to it."
        )
    if named and len(spot.lines) > 1:
        lines = listed(spot.lines)
        return f"Nothing else is wrong: with this mended in lines {lines}, everything is right."
    if named and spot.below:
        return (
            f"Nothing else is wrong: something is missing {spot.where()}, and with it "
            f"everything is right."
        )
    if named:
        return "Nothing else is wrong: with this one thing mended, everything is right."
    return f"With one small change this whole check passes. Look {spot.says()}."
