"""What a learner is told: a stub, somebody else's work, a mistake that has a name, or what is
broken; and the line, once it is proven."""

import itertools
from dataclasses import replace

import torch

from .advice import advice
from .broken import Broken, themselves_broken
from .compare import Difference
from .course import current
from .diagnose import Diagnosis, Record, diagnose, promised
from .exam import Exam
from .exercise import Exercise, Property
from .kinds import kind_of
from .likeness import likeness_of
from .limits import OutOfTime, time_limit
from .mistake_files import Mistake
from .repairs import naming, proof
from .repairs.own_code import OwnCode
from .sealed import beside
from .subject import Subject
from .symptoms import Seen, explain, listing, precision
from .trial import Answer, Problem, is_stub
from .verdict import Verdict

# The diagnoses where somebody else's code did the work: torch's, or the course's.
READY_MADE, BORROWED = SHORTCUTS = "ready_made", "borrowed"
# Where nothing else is wrong than these, what comes back has the right numbers.
BESIDE_NUMBERS = {"gradient", "changed", "kept", "dtype"}
NUMBERS_ARE_RIGHT = "The numbers are right. "
# How what is said of one mistake after the other begins.
ORDER = ("", "There is a second thing: ", "There is a third thing: ")
LET_OTHERS = (
    "Your code calls the course's own {names}. What comes later may be built on it; this exercise "
    "asks you to write `{name}` yourself."
)
LET_ANSWER = (
    "Your code calls the course's own {names}; this exercise asks you to write `{name}` yourself."
)


def explain_stub(verdict: Verdict, exercise: Exercise, subject: Subject, answer: Answer) -> None:
    """Say that there is nothing to examine."""
    verdict.score, verdict.works = 0, []
    verdict.missing = [promise.says for promise in exercise.properties]
    verdict.explanation = [
        "Nothing is written here yet: replace `raise NotImplementedError` with your lines."
    ]
    verdict.line = subject.line_of_problem(answer.problem)


def explain_borrowed(
    verdict: Verdict, exercise: Exercise, subject: Subject, borrowed: list[str]
) -> None:
    """Give no points for what the course's own pieces did, and name them."""
    none_of_it(verdict, BORROWED)
    names = listing([piece.partition(".")[2] for piece in borrowed[:2]])
    said = LET_OTHERS if current().stand_bys else LET_ANSWER
    verdict.explanation = [said.format(names=names, name=exercise.name)]
    verdict.line = subject.find_line("|".join(p.partition(".")[2] for p in borrowed))


def none_of_it(verdict: Verdict, diagnosis: str) -> None:
    """No promise is kept by what others have written, and none is broken."""
    verdict.score, verdict.diagnosis = 0, diagnosis
    verdict.works, verdict.missing, verdict.not_reached = [], [], []


def explain_ready_made(
    verdict: Verdict, exercise: Exercise, subject: Subject, ready_made: list[str], broken: Broken
) -> None:
    """Give no points for what torch's own functions did, and name them."""
    none_of_it(verdict, READY_MADE)
    right = "Its numbers are right, but" if not broken else "But"
    verdict.explanation = [
        f"Your code lets the ready-made {listing(ready_made[:2])} do the work. {right} "
        f"this exercise is about building the thing: {exercise.instead}"
    ]
    verdict.line = subject.find_line("|".join(name.split(".")[-1] for name in ready_made))


def explain_broken(
    verdict: Verdict,
    exam: Exam,
    subject: Subject,
    records: list[Record],
    broken: Broken,
    patience: float,
) -> None:
    """Name the mistake, or else describe the first property that is broken."""
    try:
        with time_limit(2 * patience):  # their own time was enough
            diagnosed = beside.diagnosed if exam.exercise.sealed else diagnose
            diagnosis = diagnosed(exam, subject, records, patience)
    except OutOfTime:
        diagnosis = Diagnosis()
    if diagnosis.mistakes:
        name_mistakes(verdict, exam.exercise, subject, diagnosis, records)
    else:
        name, place = next(iter(broken.items()))
        promise = next(promise for promise in exam.exercise.properties if promise.name == name)
        kind = what_kind(exam, subject, records, *place, patience)
        describe_place(verdict, exam.exercise, subject, promise, place, kind)
        verdict.likeness = likeness_of(themselves_broken(exam.exercise, broken), diagnosis.asked)


def prove(
    verdict: Verdict,
    exam: Exam,
    subject: Subject,
    records: list[Record],
    seconds: float,
    most: float = float("inf"),
) -> None:
    """Find the line where the mistake is, and say so; and name it, if only that could tell it.

    Args:
        verdict: what is known without that.
        seconds, most: how long that may take, and how many answers it may ask for.
    """
    if verdict.diagnosis in SHORTCUTS or is_stub(records[-1].answer) or verdict.passed:
        return
    exercise = exam.exercise
    named = tuple(filter(None, (verdict.diagnosis, verdict.also)))
    if seconds <= 0 or most <= 0:
        return
    likely = naming.likeliest(exam, records) if not (named or exercise.sealed) else []
    found = proof.spots(exercise, subject, records, named, likely, seconds, most)
    code = subject.own_code(exercise.name) if found else None
    if code is not None:
        name_what_was_undone(verdict, exam, subject, records, found, code)
        verdict.spots = found
        if verdict.likeness is not None:
            kinds = tuple(spot.kind for spot in found if not spot.leads)
            verdict.likeness = replace(verdict.likeness, mended=kinds)
        line = code.line(found[0].lines[0])
        if line is not None and not found[0].leads:
            verdict.line = replace(line, below=found[0].below)
        only_one = bool(verdict.diagnosis and not verdict.also and not verdict.more)
        verdict.explanation.append(proof.says(found, only_one))


def name_what_was_undone(
    verdict: Verdict,
    exam: Exam,
    subject: Subject,
    records: list[Record],
    found: list[proof.Spot],
    code: OwnCode,
) -> None:
    """Name the mistakes that were undone to make everything right, if nobody knew them before."""
    unknown = verdict.diagnosis is None and not exam.exercise.sealed
    diagnosis = naming.proven(exam, records, found, code) if unknown else None
    if diagnosis is not None:
        verdict.explanation, verdict.line = [], None
        verdict.name, verdict.yours, verdict.expected = "", None, None
        verdict.likeness = None
        name_mistakes(verdict, exam.exercise, subject, diagnosis, records)


def name_mistakes(
    verdict: Verdict,
    exercise: Exercise,
    subject: Subject,
    diagnosis: Diagnosis,
    records: list[Record],
) -> None:
    """Say which mistakes were made, and what else is seen that they do not do.

    Args:
        records: of the whole check: what a message speaks of may be seen elsewhere only.
    """
    verdict.more = diagnosis.before is not None
    if diagnosis.before:
        record, difference = diagnosis.before
        promise = exercise.properties[promised(exercise, record, difference.aspect)]
        describe_place(verdict, exercise, subject, promise, diagnosis.before)
    order = ORDER[1:] if diagnosis.before else ORDER
    wrong = {each.aspect for record in records for each in record.found} - BESIDE_NUMBERS
    order = order if wrong or diagnosis.before else (NUMBERS_ARE_RIGHT, *order[1:])
    for begins, mistake, place in zip(order, diagnosis.mistakes, diagnosis.places):
        seen = where_it_is_seen(exercise, mistake, place, records)
        look = seen.fill(mistake.look)
        asked = [] if look in verdict.explanation else [look]  # two mistakes may share a question
        verdict.explanation += [begins + seen.fill(mistake.says), *asked]
    names = [mistake.id for mistake in diagnosis.mistakes]
    verdict.diagnosis, verdict.also = names[0], (names[1] if names[1:] else None)
    for other, difference in diagnosis.besides:
        verdict.explanation.append(explain(seen_in(exercise, other), difference))
    if not diagnosis.before:
        show(verdict, diagnosis.places[0])


def describe_place(
    verdict: Verdict,
    exercise: Exercise,
    subject: Subject,
    promise: Property,
    place: tuple[Record, Difference],
    kind: str | None = None,
) -> None:
    """Describe how a promise is broken in some place.

    Args:
        kind: of mistake, in a sentence, if that was found.
    """
    record, difference = place
    seen = seen_in(exercise, record)
    coarse = precision(seen, difference) is not None
    if not (coarse and kind):  # noise is taken for rounding otherwise
        verdict.explanation.append(explain(seen, difference))
    if difference.aspect == "error":  # whether the method is right is not known
        explain_problem(verdict, subject, seen, difference.yours)
    verdict.explanation += [kind] if kind else []
    if difference.aspect == "error":
        return
    if promise.look and not (coarse or kind):
        verdict.explanation.append(seen.fill(promise.look))
    show(verdict, record)


def what_kind(
    exam: Exam,
    subject: Subject,
    records: list[Record],
    record: Record,
    difference: Difference,
    patience: float,
) -> str | None:
    """A sentence on the kind of mistake, found by asking more; None if there is none."""
    coarse = precision(seen_in(exam.exercise, record), difference) is not None
    try:
        with time_limit(2 * patience):
            return kind_of(exam, subject, records, record, difference, coarse)
    except OutOfTime:
        return None


def explain_problem(
    verdict: Verdict, subject: Subject, seen: Seen, problem: Problem | None
) -> None:
    """Say where an exception was raised, and what to do about it if that is known."""
    if problem is None:
        return
    verdict.line = subject.line_of_problem(problem)
    text = verdict.line.text if verdict.line else ""
    said = advice(problem.kind, problem.message, text, seen.trial.numpy)
    verdict.explanation += [said] if said else []


def where_it_is_seen(
    exercise: Exercise, mistake: Mistake, place: Record, records: list[Record]
) -> Seen:
    """Where all that a mistake's message speaks of can be had: where it shows best, if it can be
    there."""
    best = seen_in(exercise, place)
    others = (seen_in(exercise, record) for record in records if record.found)
    every = itertools.chain([best], others)
    return next((seen for seen in every if seen.has_all(mistake.says)), best)


def seen_in(exercise: Exercise, record: Record) -> Seen:
    return Seen(exercise, record.trial, record.answer, record.expected)


def show(verdict: Verdict, record: Record) -> None:
    """Put arrays that differ side by side: the last of the first kind, as what is returned last
    (attention's weights) is usually what the others are made of."""
    shown = [d for d in record.found if all(map(torch.is_tensor, (d.yours, d.expected)))]
    for difference in shown:
        if difference.aspect == shown[0].aspect and "call" not in difference.name:
            verdict.name = difference.name
            verdict.yours, verdict.expected = difference.yours, difference.expected
