"""An exercise as data: what is asked, what is drawn to try it, and which mistakes are known.

A course holds one `Exercise` for each thing that a learner writes. A property is a
promise that earns points, with the probes that test it. A probe is a function: from a `Draw` it
makes a `Trial`, which any implementation can be run on. A mistake is a diff of the
reference's source, with what to say to someone who makes it; the mistakes of an exercise stand in
a file, and are read when they are asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from . import mistake_files
from .broken_course import BrokenCourseError, held_by, imported
from .course import SEALED
from .mistake_files import Mistake
from .spans import Edit
from .trial import Implementation, Probe

if TYPE_CHECKING:
    from .sealed.mistakes import Sealed
    from .symptoms import Seen


@dataclass(frozen=True)
class Property:
    """Something that holds for every right answer, worth points.

    Args:
        name: a short word for it, unique in its exercise.
        points: what it is worth.
        says: the promise, as a clause that ends "Works: …" or "Not yet: …".
        probes: functions that draw a Trial; the property holds if all answers are right.
        aspects: kinds of difference ("dtype", "changed", "gradient", …) that belong to this
            property whichever probe shows them; see compare.ASPECTS.
        look: what to look at when it does not hold.
    """

    name: str
    points: int
    says: str
    probes: tuple[Probe, ...] = ()
    aspects: tuple[str, ...] = ()
    look: str = ""


@dataclass(frozen=True)
class Exercise:
    """One thing that a learner writes.

    Args:
        id: <module>.<name>
        properties: what is promised, in the order in which a learner should look at it.
        hints: three steps: a nudge, the idea, the shape of the answer; never the line itself.
        refuses: fragments of the names of ready-made versions (see ready_made).
        instead: what to build it from instead, if a ready-made version is refused.
        measures: numbers of the learner's run that messages may name, each a function of a Seen.
        symptoms: functions of a Seen that describe a wrong answer of no known kind, or give None.
        package: where the model answer lies, in its module; the course fills this in.
        written_in: the file of its mistakes; the course fills this in, too.
    """

    id: str
    properties: tuple[Property, ...]
    hints: tuple[str, str, str]
    refuses: tuple[str, ...] = ()
    instead: str = ""
    measures: Mapping[str, Callable[[Seen], object]] = field(default_factory=dict)
    symptoms: tuple[Callable[[Seen], str | None], ...] = ()
    package: str = ""
    written_in: str = ""

    @property
    def module(self) -> str:
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        return self.id.partition(".")[2]

    def must_work(self, wanted: str, place: str) -> None:
        """A BrokenCourseError if nothing could be checked with this.

        Args:
            wanted: the id that it has in the syllabus.
            place: where it is written.
        """
        if self.id != wanted:
            name = wanted.partition(".")[2]
            said = f"the id of {name} is {self.id!r}; by the syllabus it is {wanted!r}"
            raise BrokenCourseError(place, said)
        for promise in self.properties:
            said = f"the property {promise.name!r} of {self.name}"
            if not isinstance(promise.probes, tuple | list):
                given = getattr(promise.probes, "__name__", "…")
                said = f"the probes of {said} are no tuple; write ({given},), with a comma"
                raise BrokenCourseError(place, said)
            for probe in promise.probes:
                if not callable(probe) or not hasattr(probe, "__name__"):
                    kind = type(probe).__name__
                    said = f"a probe of {said} is no function with a name, but of type {kind}"
                    raise BrokenCourseError(place, said)
        if not any(promise.probes for promise in self.properties):
            said = f"no property of {self.name} has a probe: nothing is tried"
            raise BrokenCourseError(place, said)

    @property
    def max_score(self) -> int:
        return sum(promise.points for promise in self.properties)

    @cached_property
    def reference(self) -> Implementation:
        """The model answer."""
        found = held_by(imported(f"{self.package}.{self.module}"), self.name)
        if not callable(found):
            place = f"{self.package}.{self.module}"
            raise BrokenCourseError(place, f"{self.name} is neither a function nor a class")
        return found

    @cached_property
    def source(self) -> str:
        """The reference's own lines, which mistakes are edits of."""
        try:
            return inspect.getsource(self.reference)
        except (OSError, TypeError):
            place = f"{self.package}.{self.module}"
            sentence = f"{self.name} has no source that mistakes could be made in: write its `def`"
            raise BrokenCourseError(place, sentence) from None

    @cached_property
    def source_place(self) -> tuple[str, int]:
        """(file, line) where these lines begin."""
        place = Path(inspect.getfile(self.reference))
        return f"{place.parent.name}/{place.name}", inspect.getsourcelines(self.reference)[1]

    @cached_property
    def sealed(self) -> Sealed | None:
        """What is known to go wrong, where it is not to be read; None where it may be."""
        if Path(self.written_in).suffix != SEALED:
            return None
        from .sealed.mistakes import read  # compares answers, which is nothing for this module

        return read(Path(self.written_in))

    @cached_property
    def mistakes(self) -> tuple[Mistake, ...]:
        """What is known to go wrong: the Mistakes in its file."""
        if self.sealed:
            return self.sealed.mistakes
        return mistake_files.read(self.written_in) if self.written_in else ()

    @cached_property
    def edits(self) -> dict[str, tuple[Edit, ...]]:
        """{way of making a mistake: its Edits of the source}, as far as they have been asked for;
        see mistakes.edits_of."""
        return {}

    @cached_property
    def built(self) -> dict[tuple[str, ...], Implementation | None]:
        """Wrong implementations that have been made already; see mistakes.build."""
        return {}

    def mistake(self, name: str) -> Mistake:
        """The mistake with this id; a way of making it will do as well."""
        for mistake in self.mistakes:
            if mistake.id == name.partition("/")[0]:
                return mistake
        known = ", ".join(mistake.id for mistake in self.mistakes)
        raise KeyError(f"{self.id} has no mistake called {name!r}; it has: {known}")
