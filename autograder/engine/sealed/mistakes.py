"""The known mistakes of an exercise without their diffs: how each is told, and what it answers to
the questions that are the same in every check, as sketches.

A file of them is JSON, compressed. In it are words that never show the answer, where in the model
answer a mistake stands, and projections of wrong numbers.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..broken_course import BrokenCourseError
from ..mistake_files import Mistake, shown
from .sketches import Data, Sketch, from_data

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class SealedWay:
    """A way of making a mistake.

    Args:
        first: where in the model answer it begins: of two mistakes the first is told first.
        kinds: of what kinds the things are that it changes.
        shows: {name of a probe where it shows: in which aspects}
        sketches: {name of such a probe: what it answers}, as data until somebody asks.
    """

    first: int
    kinds: tuple[str, ...] = ()
    shows: dict[str, set[str]] = field(default_factory=dict)
    sketches: dict[str, Data] = field(default_factory=dict)

    def sketch(self, probe: str) -> Sketch:
        return from_data(self.sketches[probe])


@dataclass(frozen=True)
class Sealed:
    """What is known of an exercise's mistakes.

    Args:
        numbers: the whole numbers in the model answer; a learner's others may be a mistake.
    """

    mistakes: tuple[Mistake, ...] = ()
    ways: dict[str, SealedWay] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()


def read(path: Path) -> Sealed:
    """What is in a file."""
    try:
        data = json.loads(zlib.decompress(path.read_bytes()))
    except (OSError, ValueError, zlib.error) as error:
        said = f"it cannot be read ({error}): fetch this edition of the course anew"
        raise BrokenCourseError(shown(path), said) from None
    told = data["mistakes"]
    mistakes = tuple(Mistake(m["id"], (), m["says"], m["look"], m["same"]) for m in told)
    ways = {name: way for m in told for name, way in ways_in(m)}
    return Sealed(mistakes, ways, tuple(data["numbers"]))


def ways_in(mistake: Data) -> Iterator[tuple[str, SealedWay]]:
    for name, first, kinds, shows in mistake["ways"]:
        aspects = {probe: set(found) for probe, (found, _) in shows.items()}
        sketches = {probe: sketch for probe, (_, sketch) in shows.items()}
        yield name, SealedWay(first, tuple(kinds), aspects, sketches)


def written(sealed: Sealed) -> bytes:
    """The content of a file."""
    told = [
        {
            "id": mistake.id,
            "says": mistake.says,
            "look": mistake.look,
            "same": mistake.same_as,
            "ways": [
                [name, way.first, way.kinds, shown_by(way)]
                for name, way in sealed.ways.items()
                if name.partition("/")[0] == mistake.id
            ],
        }
        for mistake in sealed.mistakes
    ]
    data = {"mistakes": told, "numbers": sealed.numbers}
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return zlib.compress(text.encode(), 9)


def shown_by(way: SealedWay) -> Data:
    return {probe: [sorted(found), way.sketches[probe]] for probe, found in way.shows.items()}
