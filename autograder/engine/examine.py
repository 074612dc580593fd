"""Examine one implementation: run every probe, count the points, find the mistake.

The one engine behind all doors: the notebook's card, the terminal, pytest and grading.
"""

import secrets
import time
from collections.abc import Iterable
from typing import Any

from . import limits, pieces
from .broken import broken_properties, not_reached
from .broken_course import BrokenCourseError
from .compare import differences
from .course import current
from .diagnose import Record
from .exam import Exam, Question
from .exercise import Exercise
from .isolation import undisturbed
from .learner_lines import Line
from .limits import SECONDS, OutOfTime, time_limit
from .ready_made import refused
from .subject import LocalSubject, Subject
from .told import (
    BORROWED,
    explain_borrowed,
    explain_broken,
    explain_ready_made,
    explain_stub,
    prove,
)
from .trial import NOTHING, PIECES, Implementation, describe, is_stub
from .verdict import Verdict

THE_COURSES_OWN = (
    "This is the course's own {name}. Run the cell with your own version again, and then this one."
)
STANDS_IN = (
    "This is the course's own {name}, which stands in for yours until yours is right. Run the cell "
    "with your own version again, and then this one."
)


def examine(
    exercise: Exercise,
    implementation: Implementation,
    seed: int | None = None,
    device: str = "cpu",
    seconds: float = SECONDS,
) -> Verdict:
    """The Verdict on an implementation of `exercise`, in at most so many seconds."""
    seed = secrets.randbelow(2**31) if seed is None else seed
    return sit(Exam(exercise, seed, device), implementation, seconds)


def sit(
    exam: Exam,
    implementation: Implementation,
    seconds: float = SECONDS,
    mending: float | None = None,
    most: float = float("inf"),
) -> Verdict:
    """The same with an exam that others sit as well: what mistakes answer is then known.

    Args:
        mending: seconds for finding the line; 0 if nobody asks for it.
        most: answers that may be asked for to find it.
    """
    started = time.perf_counter()
    exercise, seed, subject = exam.exercise, exam.seed, LocalSubject(implementation, exam.device)
    with undisturbed(seed) as printed:
        try:
            with time_limit(seconds):
                records = try_everything(exercise, subject, exam.questions())
            printed.heard = True  # from here on code runs again, and known mistakes with it
            verdict = verdict_on(exam, subject, records)
            if not subject.trusted:
                mending = limits.MENDING if mending is None else mending
                prove(verdict, exam, subject, records, mending, most)
        except OutOfTime as late:
            verdict = stopped(
                exercise, seed, too_long(seconds), subject.line_of_problem(describe(late))
            )
    verdict.printed = printed.beginning()
    verdict.seconds = time.perf_counter() - started
    return verdict


def examine_learners(
    exercise: Exercise,
    implementation: Implementation,
    namespace: dict[str, Any],
    missing: bool = True,
    seed: int | None = None,
    device: str = "cpu",
    seconds: float = SECONDS,
) -> Verdict:
    """The same for what a learner has made, on top of the pieces that came before it.

    Args:
        namespace: the dict in which the learner's code finds its names.
        missing: do stand-bys also take the place of what is not there at all?
    """
    piece = pieces.piece_of(implementation)
    if piece and pieces.is_too_far(piece, exercise.id):
        return not_yours(exercise, seed)
    with pieces.standing_by(namespace, exercise.name, missing):
        return examine(exercise, implementation, seed, device, seconds)


def not_yours(exercise: Exercise, seed: int | None = None) -> Verdict:
    """The Verdict on the course's own version, handed in."""
    said = STANDS_IN if current().stand_bys else THE_COURSES_OWN
    verdict = stopped(exercise, seed, said.format(name=exercise.name))
    verdict.diagnosis, verdict.hints = BORROWED, ()
    verdict.missing, verdict.not_reached = [], []
    return verdict


def try_everything(exercise: Exercise, subject: Subject, asked: Iterable[Question]) -> list[Record]:
    """Put all questions to the subject; a stub is asked only one."""
    records = []
    watch = NOTHING if subject.trusted else list(exercise.refuses) or PIECES
    for question, answer in subject.answers(asked, watch):
        promise, probe, trial, expected = question
        found = differences(answer, expected, trial)
        records.append(Record(promise, probe, trial, answer, expected, found))
        if is_stub(answer):
            break
    return records


def stopped(
    exercise: Exercise, seed: int | None, sentence: str, line: Line | None = None
) -> Verdict:
    """The Verdict on code that could not be tried to the end."""
    verdict = Verdict(exercise.id, 0, exercise.max_score, seed, hints=exercise.hints)
    verdict.missing = [promise.says for promise in exercise.properties]
    verdict.not_reached = [*verdict.missing]
    verdict.explanation = [sentence]
    verdict.line = line
    return verdict


def not_checked(
    exercise_id: str, max_score: int, error: BrokenCourseError, what_to_do: str = ""
) -> Verdict:
    """The Verdict where the check itself is broken: nothing is known of the learner's code."""
    said = [error.told, what_to_do] if what_to_do else [error.told]
    verdict = Verdict(exercise_id, 0, max_score, None, explanation=said)
    verdict.unchecked = True
    return verdict


def too_long(seconds: float) -> str:
    return (
        f"Your code was stopped after {seconds:g} seconds; a right answer needs a small part of "
        f"one. Does a loop in it ever end?"
    )


def verdict_on(
    exam: Exam, subject: Subject, records: list[Record], patience: float | None = None
) -> Verdict:
    """Points for the properties that hold, and an explanation for those that do not.

    Args:
        patience: seconds after which no further mistakes are tried.
    """
    exercise = exam.exercise
    verdict = Verdict(exercise.id, 0, exercise.max_score, exam.seed, hints=exercise.hints)
    broken = broken_properties(exercise, records)
    for promise in exercise.properties:
        (verdict.missing if promise.name in broken else verdict.works).append(promise.says)
        verdict.score += 0 if promise.name in broken else promise.points
    unreached = not_reached(exercise, records, broken)
    verdict.not_reached = [p.says for p in exercise.properties if p.name in unreached]
    ready_made = refused(noted("ready made", records), exercise.refuses)
    called, inside = noted("pieces", records), noted("pieces inside", records)
    verdict.built_on = [piece for piece in called if not pieces.is_too_far(piece, exercise.id)]
    borrowed = [piece for piece in called + inside if pieces.is_too_far(piece, exercise.id)]
    verdict.unwatched = bool(noted("unwatched", records))
    if is_stub(records[-1].answer):
        explain_stub(verdict, exercise, subject, records[-1].answer)
    elif borrowed:
        explain_borrowed(verdict, exercise, subject, borrowed)
    elif ready_made:
        explain_ready_made(verdict, exercise, subject, ready_made, broken)
    elif broken:
        patience = patience or limits.PATIENCE
        explain_broken(verdict, exam, subject, records, broken, patience)
    return verdict


def noted(fact: str, records: list[Record]) -> list[str]:
    """What was noted under a fact while the code ran."""
    return sorted({name for record in records for name in record.answer.facts.get(fact, ())})
