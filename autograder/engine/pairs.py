"""Two mistakes, neither of which is to be recognised alone: each pair is tried.

A pair is known by the first inputs that are the same in every check, and named if it explains all
that is wrong, and no other pair does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .exam import Exam
from .trial import Answer, Probe

if TYPE_CHECKING:
    from .diagnose import Found, Names, Search
    from .subject import Subject

# With more pairs than these it takes too long; how long does not depend on the machine, so that
# the same is told everywhere.
MOST = 400

Form = tuple[object, ...]


def whole_pairs(search: Search, subject: Subject, probe: Probe) -> Found:
    """The pairs that explain everything.

    Args:
        probe: that shows what is wrong.
    """
    exam = search.exam.always
    answer, expected, trial = search.asked_always(subject, probe)
    likely = list(itertools.islice(likely_pairs(search, exam, probe, answer, expected), MOST + 1))
    found: Found = {}
    for names in likely if len(likely) <= MOST else []:
        wrong, aspects = exam.answer_of(names, probe), exam.aspects_of(names, probe)
        if wrong is not None and search.is_like(answer, wrong, aspects, trial, expected):
            together = search.explained_by(names)
            if together and search.is_complete(together):
                found[names] = together
        if search.is_late():
            break
    return found


def likely_pairs(
    search: Search, exam: Exam, probe: Probe, answer: Answer, expected: Answer
) -> Iterator[Names]:
    """Two mistakes that both show, and one of which gives what has the form of the answer, if that
    is not the right one."""
    forms = {
        way: form_of(wrong)
        for way in search.ways
        if exam.aspects_of((way,), probe) and (wrong := exam.answer_of((way,), probe)) is not None
    }
    mine, right = form_of(answer), form_of(expected)
    for one, other in itertools.combinations(forms, 2):
        both = {forms[one], forms[other]}
        first, second = search.exercise.mistake(one), search.exercise.mistake(other)
        if first is not second and mine in both and both <= {mine, right}:
            yield one, other


def form_of(answer: Answer) -> Form:
    """What an answer looks like, but for its numbers."""
    shapes = sorted((name, tuple(x.shape)) for name, x in answer.arrays.items())
    return (answer.problem.kind if answer.problem else "", *shapes)
