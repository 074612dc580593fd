"""Which small change of the model answer makes it wrong in the way of an answer that bears no name?

A repair is found in the learner's lines; here it is carried over to ours, so that it can be written
down as a known mistake. Nothing of the learner's runs for it: what is known of the answer is its
Likeness.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..broken import broken_properties, themselves_broken
from ..compare import differences
from ..diagnose import Record
from ..exam import Exam, kept_of
from ..exercise import Exercise
from ..likeness import Likeness, sketch
from ..trial import Answer, Probe, Trial
from .apart import apart
from .everyday import everyday
from .mend import Mend
from .own_code import OwnCode, own_code

if TYPE_CHECKING:
    from .search import Workshop

SECONDS = 30.0


def wrong_model_answer(
    exercise: Exercise, likeness: Likeness, seconds: float = SECONDS
) -> tuple[str, str] | None:
    """(the model answer, the same with the change), both as Python writes a syntax tree; None if
    no small change is found that gives what is like the answer."""
    code = own_code(textwrap.dedent(exercise.source), exercise.name)
    if code is None:
        return None
    mends = everyday(code)  # one that mends somebody's lines is one that spoils ours
    mends.sort(key=lambda mend: mend.kind not in likeness.mended)  # the likeliest first
    exam = kept_of(exercise, "cpu").always

    def look(workshop: Workshop) -> int | None:
        alike = like_the_answer(workshop, code, mends, exam, likeness)
        first = next(alike, None)
        return next((n for n, mend in enumerate(mends) if mend is first), None)

    number = apart(dict(vars(sys.modules[exercise.reference.__module__])), look, seconds)
    if number is None:
        return None
    before = ast.unparse(code.tree)
    with mends[number].made():
        return before, ast.unparse(code.tree)


def like_the_answer(
    workshop: Workshop, code: OwnCode, mends: list[Mend], exam: Exam, likeness: Likeness
) -> Iterator[Mend]:
    """The changes with which the model answer is wrong in the same way."""
    probes = {each.__name__: each for p in exam.exercise.properties for each in p.probes}
    asked = [(seen, probes[name]) for name, seen in likeness.seen.items() if name in probes]
    asked.sort(key=lambda pair: (not pair[0].kinds, exam.asked_by(pair[1])[0].cost))
    if not any(seen.numbers for seen, _ in asked):
        return  # without numbers, what is found may be anything
    (first, pivot), *others = asked
    trial, expected = exam.asked_by(pivot)
    for mend, answer in workshop.answers(code, mends, trial):
        if answer is not None and first.is_like(sketch(answer, expected, trial)):
            again = [(seen, answered(workshop, code, mend, exam, probe)) for seen, probe in others]
            same = all(asked and seen.is_like(sketch(*asked)) for seen, asked in again)
            if same and breaks(workshop, code, mend, exam) == list(likeness.broken):
                yield mend


def answered(
    workshop: Workshop, code: OwnCode, mend: Mend, exam: Exam, probe: Probe
) -> tuple[Answer, Answer, Trial] | None:
    """(what the changed model answer answers to a probe, what is expected, the trial)"""
    trial, expected = exam.asked_by(probe)
    [answer] = workshop.answers_to(code, mend, [trial])
    return None if answer is None else (answer, expected, trial)


def breaks(workshop: Workshop, code: OwnCode, mend: Mend, exam: Exam) -> list[str]:
    """The names of the properties that do not hold of the changed model answer."""
    records = []
    for promise, probe, trial, expected in exam.questions():
        asked = answered(workshop, code, mend, exam, probe)
        if asked is None:
            return []
        answer, *_ = asked
        found = differences(answer, expected, trial)
        records.append(Record(promise, probe, trial, answer, expected, found))
    return themselves_broken(exam.exercise, broken_properties(exam.exercise, records))
