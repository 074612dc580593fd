"""Seals an exercise's known mistakes: each answers the questions that are the same in every check,
and a sketch of it is kept."""

from __future__ import annotations

import dataclasses

from ..compare import differences
from ..exam import ALWAYS, Exam
from ..exercise import Exercise
from ..isolation import undisturbed
from ..kinds.sizes import usual_numbers
from ..mistakes import build, edits_of, ways_of
from ..repairs.backwards import kinds_of
from .mistakes import Sealed, SealedWay
from .sketches import as_data, sketched


def seal(exercise: Exercise, package: str) -> Sealed:
    """What may be known of an exercise's mistakes.

    Args:
        package: where the versions lie that stand in the place of the model answer: what is drawn
            depends on them.
    """
    exam = Exam(dataclasses.replace(exercise, package=package, written_in=""), ALWAYS)
    with undisturbed(ALWAYS):
        ways = {way: sealed_way(exercise, way, exam) for way in ways_of(exercise)}
    known = {name: way for name, way in ways.items() if way is not None}
    return Sealed(exercise.mistakes, known, tuple(sorted(usual_numbers(exercise))))


def sealed_way(exercise: Exercise, way: str, exam: Exam) -> SealedWay | None:
    """A way of making a mistake; None if what it makes does not run."""
    wrong = build(exercise, (way,))
    if wrong is None:
        return None
    kinds = tuple(sorted(kinds_of(exercise, [way])))
    sealed = SealedWay(edits_of(exercise, way)[0].first, kinds)
    for _, probe, trial, right in exam.questions():
        answer = exam.ask(wrong, trial)
        aspects = {difference.aspect for difference in differences(answer, right, trial)}
        if aspects:
            sealed.shows[probe.__name__] = aspects
            sealed.sketches[probe.__name__] = as_data(sketched(answer, right, trial))
    return sealed
