"""Which known mistake is it, where the numbers do not tell?

If a change of the learner's own code undoes a known mistake, and makes everything right, then this
is the mistake, in whatever way the code is written. It is named if what is said of it is true here
as well: it has to show in about the same probes as in the model answer, and in the same respect.
"""

from __future__ import annotations

from ..compare import ASPECTS
from ..diagnose import Diagnosis, Names, Record, Search, is_explained, pivots
from ..exam import Exam
from ..mistakes import ways_of
from .backwards import backwards
from .own_code import OwnCode
from .proof import Spot, changed

ALIKE = 0.7  # of the probes in which the one shows or the other is wrong, in so many both
# So many answers are asked for at most, at home and in class, before a name counts: whoever hands
# in is told there what they were told here, however quick the machine is.
FIRST = 160


def likeliest(exam: Exam, records: list[Record]) -> list[str]:
    """The ways of making mistakes; those first that show where something is wrong, and as what."""
    return sorted(ways_of(exam.exercise), key=lambda way: how_unlikely(exam, way, records))


def how_unlikely(exam: Exam, way: str, records: list[Record]) -> int:
    """0 if a mistake shows in the cheapest probe that fails, and in the same respect."""
    pivot = pivots([record for record in records if record.found])[0]
    aspects = exam.always.aspects_of((way,), pivot.probe)
    return 2 if not aspects else int(most_basic(aspects) != pivot.found[0].aspect)


def proven(exam: Exam, records: list[Record], spots: list[Spot], code: OwnCode) -> Diagnosis | None:
    """The mistakes that were undone to make everything right; None if they may not be named."""
    names = tuple(spot.undoes for spot in spots)
    if len(spots) == 1 and not names[0]:
        names = (same_change(exam, records, spots[0], code),)
    if not all(names) or any(spot.asked > FIRST for spot in spots):
        return None
    mistakes = {exam.exercise.mistake(name).id for name in names}
    if len(mistakes) < len(names) or not show_alike(exam, names, records):
        return None
    search = Search(exam, records, 0.0, is_explained, {})
    names = tuple(sorted(names, key=search.turn))
    places = [alike for name in names if (alike := shown_alike(exam, name, search.failing))]
    if len(places) < len(names):
        return None
    found = tuple(search.best_place(name, alike) for name, alike in zip(names, places))
    return Diagnosis(tuple(exam.exercise.mistake(name) for name in names), found)


def same_change(exam: Exam, records: list[Record], spot: Spot, code: OwnCode) -> str:
    """The way of making a mistake whose undoing gives the same code as a change that was found by
    other means; "" if there is none."""
    if spot.leads:
        return ""
    likely = [way for way in ways_of(exam.exercise) if not how_unlikely(exam, way, records)]
    for mend in backwards(exam.exercise, likely, code):
        if mend.undoes and {*mend.lines} & {*spot.lines} and changed(code, mend) == spot.code:
            return mend.undoes
    return ""


def show_alike(exam: Exam, names: Names, records: list[Record]) -> bool:
    """Do these mistakes show in the probes in which the learner is wrong?"""
    both = [bool(record.found) and shows(exam, names, record) for record in records]
    either = [bool(record.found) or shows(exam, names, record) for record in records]
    return sum(both) >= ALIKE * sum(either)


def shows(exam: Exam, names: Names, record: Record) -> bool:
    return bool(exam.aspects_of(names, record.probe))


def shown_alike(exam: Exam, name: str, failing: list[Record]) -> list[Record]:
    """Where a mistake shows in the same respect in which the learner is wrong."""
    return [
        record
        for record in failing
        if (aspects := exam.aspects_of((name,), record.probe))
        and most_basic(aspects) == record.found[0].aspect
    ]


def most_basic(aspects: set[str]) -> str:
    return min(aspects, key=ASPECTS.index)
