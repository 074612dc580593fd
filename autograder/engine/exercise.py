"""An exercise as data: what is asked, what is drawn to try it, and which mistakes are known.

A course holds one `Exercise` for each thing that a learner writes. A property is a
promise that earns points, with the probes that test it. A probe is a function: from a `Draw` it
makes a `Trial`, which any implementation can be run on. A mistake is a small edit of the
reference's source, with what to say to someone who makes it.
"""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from .trial import Trial

Probe = Callable[..., Trial]


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
class Mistake:
    """A wrong way that learners go, as an edit of the reference.

    Args:
        id: its short name, unique in its exercise.
        edits: pairs (old, new); each old text stands in the reference's source, and is replaced.
        says: what happened, in the learner's terms; {braces} name measures and sizes.
        look: what to look at next; never the answer.
        line: a regular expression that finds the learner's line where it probably happened.
        same_as: the id of another mistake that is the same mathematics, so that no input can tell
            them apart.
        variations: other edits that make the same mistake, for those who did something harmless in
            another way that shows only together with the mistake.
    """

    id: str
    edits: tuple[tuple[str, str], ...]
    says: str
    look: str
    line: str = ""
    same_as: str = ""
    variations: tuple[tuple[tuple[str, str], ...], ...] = ()

    @property
    def ways(self):
        """{way: edits}: the mistake itself under its id, and its variations as id/1, id/2, …"""
        varied = {f"{self.id}/{n}": edits for n, edits in enumerate(self.variations, start=1)}
        return {self.id: self.edits} | varied


@dataclass(frozen=True)
class Exercise:
    """One thing that a learner writes.

    Args:
        id: <module>.<name>
        properties: what is promised, in the order in which a learner should look at it.
        mistakes: what is known to go wrong.
        hints: three steps: a nudge, the idea, the shape of the answer; never the line itself.
        refuses: fragments of the names of ready-made versions (see ready_made).
        instead: what to build it from instead, if a ready-made version is refused.
        measures: numbers of the learner's run that messages may name, each a function of a Seen.
        symptoms: functions of a Seen that describe a wrong answer of no known kind, or give None.
        package: where the model answer lies, in its module; the course fills this in.
    """

    id: str
    properties: tuple[Property, ...]
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, str, str]
    refuses: tuple[str, ...] = ()
    instead: str = ""
    measures: dict[str, Callable] = field(default_factory=dict)
    symptoms: tuple[Callable, ...] = ()
    package: str = ""

    @property
    def module(self):
        return self.id.partition(".")[0]

    @property
    def name(self):
        return self.id.partition(".")[2]

    @property
    def max_score(self):
        return sum(promise.points for promise in self.properties)

    @cached_property
    def reference(self):
        """The model answer."""
        return getattr(importlib.import_module(f"{self.package}.{self.module}"), self.name)

    @cached_property
    def source(self):
        """The reference's own lines, which mistakes are edits of."""
        return inspect.getsource(self.reference)

    @cached_property
    def built(self):
        """Wrong implementations that have been made already; see mistakes.build."""
        return {}

    def mistake(self, name):
        """The mistake with this id; a way of making it will do as well."""
        for mistake in self.mistakes:
            if mistake.id == name.partition("/")[0]:
                return mistake
        known = ", ".join(mistake.id for mistake in self.mistakes)
        raise KeyError(f"{self.id} has no mistake called {name!r}; it has: {known}")
