"""autograder audit: how well are right and wrong answers told apart, exercise by exercise?

A matrix of counts that ought to be complete: known mistakes rejected, named, told apart in pairs,
and worth no more in any disguise, with the line found that they change; right answers of the bank
accepted; its wrong answers rejected, and never given the name of a mistake that was not made. Then
the time of a check.
"""

import difflib
import itertools
import statistics
import string
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch

from ..engine.broken import broken_properties
from ..engine.compare import Difference, differences
from ..engine.course import current
from ..engine.diagnose import Record
from ..engine.exam import Exam
from ..engine.examine import examine, sit, try_everything
from ..engine.exercise import Exercise
from ..engine.isolation import undisturbed
from ..engine.limits import CHANGES, UNHURRIED
from ..engine.mistake_files import Mistake, MistakeFileError, shown
from ..engine.mistakes import as_handed_in, build, edited_source, ways_of
from ..engine.subject import LocalSubject
from ..engine.told import SHORTCUTS
from ..engine.trial import Implementation
from . import bank
from .disguises import DISGUISES, disguised

COLUMNS = (
    "Exercise",
    "Mistakes rejected",
    "named",
    "pairs told apart",
    "no more in disguise",
    "line found",
    "Right answers accepted",
    "Wrong answers rejected",
    "named rightly",
    "described",
    "named wrongly",
    "mended",
    "ms a check",
    "ms if wrong",
)


@dataclass
class Row:
    """The findings of one exercise. Pairs are (how many, of how many)."""

    exercise: str
    mistakes: int = 0
    rejected: int = 0
    named: int = 0
    pairs: int = 0
    apart: int = 0
    disguises: int = 0
    worth_no_more: int = 0
    lines: int = 0
    right: int = 0
    accepted: int = 0
    wrong: int = 0
    wrong_rejected: int = 0
    named_rightly: int = 0
    described: int = 0
    named_wrongly: int = 0
    mended: int = 0
    milliseconds: float = 0.0
    milliseconds_wrong: float = 0.0
    faults: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        return (
            self.exercise,
            f"{self.rejected} of {self.mistakes}",
            f"{self.named} of {self.mistakes}",
            f"{self.apart} of {self.pairs}",
            f"{self.worth_no_more} of {self.disguises}",
            f"{self.lines} of {self.mistakes}",
            f"{self.accepted} of {self.right}",
            f"{self.wrong_rejected} of {self.wrong}",
            str(self.named_rightly),
            str(self.described),
            str(self.named_wrongly),
            str(self.mended),
            f"{self.milliseconds:.0f}",
            f"{self.milliseconds_wrong:.0f}",
        )


def audit(exercise: Exercise, seeds: Iterable[int]) -> Row:
    """The Row of one exercise. Everything has to hold for every seed."""
    row, exams = Row(exercise.id), exams_of(exercise, seeds)
    audit_reference(exams, row)
    try:
        mistakes = mistakes_that_fit(exercise, row)
    except MistakeFileError as error:  # then no wrong answer can be named
        row.faults.append(str(error))
        audit_right_answers(exams, row)
        return row
    audit_words(exams[0], row)
    audit_mistakes(exams, row, mistakes)
    audit_disguises(exams, row, mistakes)
    audit_lines(exams[0], row, mistakes)
    audit_right_answers(exams, row)
    audit_wrong_answers(exams, row)
    return row


def mistakes_that_fit(exercise: Exercise, row: Row) -> list[Mistake]:
    """The mistakes that can be made in all their ways; what does not fit is a fault."""
    row.mistakes = len(exercise.mistakes)
    fit = set(ways_of(exercise, lambda error: row.faults.append(str(error))))
    whole = []
    for mistake in exercise.mistakes:
        if not fit.issuperset(mistake.ways):
            continue
        if build(exercise, (mistake.id,)) is None:
            row.faults.append(
                f"mistake {mistake.id}: with its diff, the code does not run any more"
            )
            continue
        whole.append(mistake)
    return whole


def audit_words(exam: Exam, row: Row) -> None:
    """Every {name} in a message is a size, an argument of some probe, or a measure."""
    exercise, known = exam.exercise, set(exam.exercise.measures)
    with undisturbed(exam.seed):
        for question in exam.questions():
            trial = question.trial
            known |= set(trial.sizes) | set(trial.build or {}) | set(trial.options)
            for call in trial.calls:
                known |= set(call.arguments) | set(call.options)
    texts = [
        (f"mistake {mistake.id} ({place_of(mistake)})", f"{mistake.says} {mistake.look}")
        for mistake in exercise.mistakes
    ]
    texts += [(f"property {promise.name}", promise.look) for promise in exercise.properties]
    for what, text in texts:
        row.faults += [f"{what}: {said}" for said in unknown_names(text, known)]


def unknown_names(text: str, known: set[str]) -> Iterator[str]:
    """Clauses about {braces} that nothing can be put into."""
    try:
        names = [name for _, name, *_ in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        yield f"its {{braces}} cannot be read: {error}"
        return
    for name in dict.fromkeys(names):
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            yield f"{{{name}}} is no size, argument or measure; there are: {there}"


def place_of(mistake: Mistake) -> str:
    return f"{shown(mistake.place[0])}, line {mistake.place[1]}"


def exams_of(exercise: Exercise, seeds: Iterable[int]) -> list[Exam]:
    """An Exam for each seed, which all answers sit: what mistakes answer is asked but once."""
    return [Exam(exercise, seed) for seed in seeds]


def audit_reference(exams: list[Exam], row: Row) -> None:
    """The reference must be accepted; it is timed as learners are, each time with an exam of its
    own."""
    times = []
    for exam in exams:
        verdict = examine(exam.exercise, exam.exercise.reference, exam.seed)
        times.append(verdict.seconds)
        if not verdict.passed:
            row.faults.append(f"seed {exam.seed}: the reference is rejected: {verdict.message}")
    row.milliseconds = 1000 * statistics.median(times)


def audit_mistakes(exams: list[Exam], row: Row, mistakes: Iterable[Mistake]) -> None:
    """Every known mistake must be rejected and named, and any two must be told apart."""
    exercise, times = exams[0].exercise, []
    for mistake in mistakes:
        wrong = build(exercise, (mistake.id,))
        if wrong is None:
            continue
        row.faults += slips_in(exams[0], mistake)
        verdicts = [examine(exercise, wrong, exam.seed) for exam in exams]
        times += [verdict.seconds for verdict in verdicts]
        row.rejected += not any(verdict.passed for verdict in verdicts)
        told = {verdict.diagnosis for verdict in verdicts}
        same = {mistake.id, mistake.same_as} | {
            other.id for other in exercise.mistakes if other.same_as == mistake.id
        }
        if told <= same:
            row.named += 1
        else:
            accepted = any(verdict.passed for verdict in verdicts)
            row.faults.append(f"mistake {mistake.id}: {misnamed(told, accepted)}")
    row.milliseconds_wrong = 1000 * statistics.median(times) if times else 0.0
    audit_pairs(exams[0], row, mistakes)


def misnamed(told: set[str | None], accepted: bool) -> str:
    """A clause about a mistake that is not named as itself.

    Args:
        told: the names that it gets instead, one for each seed; None for no name.
        accepted: does it pass for right?
    """
    names = ", ".join(sorted(name for name in told if name))
    if names:
        return f"is told as {names}" + (", or not at all" if None in told else "")
    if accepted:
        return "no probe tells it from the model answer"
    return "is rejected, and not recognised"


def slips_in(exam: Exam, mistake: Mistake) -> Iterator[str]:
    """A fault if the mistake's own lines use a name that does not exist: that's its author's."""
    for way in mistake.ways:
        with undisturbed(exam.seed):
            answers = [exam.answer_of((way,), q.probe) for q in exam.questions()]
        problems = [answer.problem for answer in answers if answer is not None and answer.problem]
        slips = [each for each in problems if each.kind in ("NameError", "UnboundLocalError")]
        if slips:
            said = f"{slips[0].kind}: {slips[0].message}"
            yield f"mistake {way} ({place_of(mistake)}): its code raises {said}"


def audit_pairs(exam: Exam, row: Row, mistakes: Iterable[Mistake]) -> None:
    """Any two known mistakes must be told apart."""
    for one, other in pairs_of(mistakes):
        row.pairs += 1
        if are_told_apart(exam, one, other):
            row.apart += 1
        else:
            row.faults.append(f"mistakes {one.id} and {other.id} are not told apart")


def pairs_of(mistakes: Iterable[Mistake]) -> Iterator[tuple[Mistake, Mistake]]:
    """Any two known mistakes that are not the same mathematics."""
    for one, other in itertools.combinations(mistakes, 2):
        if other.same_as != one.id and one.same_as != other.id:
            yield one, other


def are_told_apart(exam: Exam, one: Mistake, other: Mistake) -> bool:
    """Do two mistakes give other answers to some question? (One that is no Python any more gives
    none: that is a fault of its own.)"""
    with undisturbed(exam.seed):
        for question in exam.questions():
            mine = exam.answer_of((one.id,), question.probe)
            its = exam.answer_of((other.id,), question.probe)
            if mine is None or its is None or differences(mine, its, question.trial):
                return True
    return False


def audit_disguises(exams: list[Exam], row: Row, mistakes: Iterable[Mistake]) -> None:
    """No mistake may earn more for being cast, wrapped or detached. (Where all that is wrong is the
    dtype, the cast to the right one is no disguise.)"""
    exercise = exams[0].exercise
    for mistake in mistakes:
        wrong = build(exercise, (mistake.id,))
        if wrong is None:
            continue
        plain = [tried(exam, wrong) for exam in exams]
        for name, disguise in DISGUISES.items():
            dressed = disguised(wrong, disguise)
            after = [tried(exam, dressed) for exam in exams]
            if any(map(is_in_dtype, plain)) and not any(map(differing, after)):
                continue
            more = {
                exam.seed: points(exercise, now) - points(exercise, before)
                for exam, now, before in zip(exams, after, plain)
            }
            row.disguises += 1
            row.worth_no_more += max(more.values()) <= 0
            row.faults += [
                f"mistake {mistake.id}, {name}, earns {gain} points more (seed {seed})"
                for seed, gain in more.items()
                if gain > 0
            ]


def tried(exam: Exam, implementation: Implementation) -> list[Record]:
    """The records of an implementation's answers."""
    with undisturbed(exam.seed):
        return try_everything(exam.exercise, LocalSubject(implementation), exam.questions())


def differing(records: list[Record]) -> list[Difference]:
    """All in which the answers differ from the right ones."""
    return [difference for record in records for difference in record.found]


def is_in_dtype(records: list[Record]) -> bool:
    """Is the dtype all that is wrong?"""
    return {difference.aspect for difference in differing(records)} == {"dtype"}


def points(exercise: Exercise, records: list[Record]) -> int:
    """What the answers earn."""
    broken = broken_properties(exercise, records)
    return sum(promise.points for promise in exercise.properties if promise.name not in broken)


def audit_lines(exam: Exam, row: Row, mistakes: Iterable[Mistake]) -> None:
    """As a learner's code, a mistake is mended in one of the lines that it changes, if at all."""
    exercise = exam.exercise
    for mistake in mistakes:
        wrong = as_handed_in(exercise, mistake.id)
        if wrong is None:
            continue
        verdict = sit(exam, wrong, UNHURRIED, UNHURRIED, CHANGES)
        own = lines_changed(exercise.source, edited_source(exercise, (mistake.id,)) or "")
        spots = [spot for spot in verdict.spots if not spot.leads]
        shown = {number for spot in spots for number in spot.lines}
        # What is missing may often be put in at more than one place.
        right = bool(shown & own) or any(spot.below for spot in spots)
        row.lines += right
        if shown and not right:
            row.faults.append(
                f"mistake {mistake.id} ({place_of(mistake)}): the line that is shown is "
                f"{verdict.line}, where it changes nothing"
            )


def lines_changed(before: str, after: str) -> set[int]:
    """The numbers of the lines of `after` that are new, and those around what was taken out."""
    lines = before.splitlines(), after.splitlines()
    found: set[int] = set()
    for tag, _, _, start, end in difflib.SequenceMatcher(None, *lines, False).get_opcodes():
        if tag == "delete":
            found |= {start, start + 1}
        elif tag != "equal":
            found |= set(range(start + 1, end + 1))
    return found


def audit_right_answers(exams: list[Exam], row: Row) -> None:
    """Every right answer must be accepted."""
    for entry in entries_for("correct", exams[0].exercise):
        row.right += 1
        try:
            verdicts = [sit(exam, entry.build(), UNHURRIED, mending=0) for exam in exams]
        except bank.EntryError as error:
            row.faults.append(str(error))
            continue
        failed = [verdict for verdict in verdicts if not verdict.passed]
        row.accepted += not failed
        if failed:
            row.faults.append(
                f"{entry.path}:{entry.line} ({entry.title}) is right, and rejected: "
                f"{failed[0].message} (seed {failed[0].seed})"
            )


def audit_wrong_answers(exams: list[Exam], row: Row, mending: float = UNHURRIED) -> None:
    """Every wrong answer must be rejected, and none be told a mistake that it does not make.

    Args:
        mending: seconds for finding the line of each, and a name that only its change tells.
    """
    known = {mistake.id for mistake in exams[0].exercise.mistakes} | {"nothing", *SHORTCUTS}
    for entry in entries_for("wrong", exams[0].exercise):
        row.wrong += 1
        try:
            verdicts = [
                sit(exam, entry.build(), mending=0 if number else mending, most=CHANGES)
                for number, exam in enumerate(exams)
            ]
        except bank.EntryError as error:
            row.faults.append(str(error))
            continue
        accepted = [verdict for verdict in verdicts if verdict.passed]
        row.wrong_rejected += not accepted
        row.mended += any(verdict.spots for verdict in verdicts)
        where = f"{entry.path}:{entry.line} ({entry.title})"
        if accepted:
            row.faults.append(f"{where} is wrong, and accepted (seed {accepted[0].seed})")
        unclear = entry.unclear(known)
        if unclear:
            row.faults.append(f"{where}: {unclear}")
            row.described += 1
            continue
        told = [v for v in verdicts if not entry.may_be_told(v.diagnosis, v.also)]
        if told and told[0].diagnosis is None:
            row.faults.append(f"{where}: expected {entry.expect}, nothing is recognised")
            row.described += 1
        elif told:
            row.named_wrongly += 1
            row.faults.append(
                f"{where}: expected {entry.expect}, told "
                f"{told[0].diagnosis} and {told[0].also} (seed {told[0].seed})"
            )
        elif verdicts[0].diagnosis is None:
            row.described += 1
        else:
            row.named_rightly += 1


def entries_for(kind: str, exercise: Exercise) -> list[bank.Entry]:
    return [entry for entry in bank.read(kind, exercise.module) if entry.exercise == exercise.id]


def total(rows: list[Row]) -> Row:
    """The sum of all rows; the times are the largest."""
    summed = Row("all")
    for name in vars(summed):
        if name in ("milliseconds", "milliseconds_wrong"):
            setattr(summed, name, max(getattr(row, name) for row in rows))
        elif name not in ("exercise", "faults"):
            setattr(summed, name, sum(getattr(row, name) for row in rows))
    return summed


def as_text(rows: list[Row]) -> str:
    """The matrix in columns."""
    table = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths))
        )
        for line in table
    )


def as_markdown(rows: list[Row]) -> str:
    """The matrix for the documentation."""
    lines = [COLUMNS, ["---", *["--:"] * (len(COLUMNS) - 1)], *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(options: Namespace) -> int:
    """Print the matrix, then every fault; exit code 1 if there is one."""
    torch.set_num_threads(1)
    exercises = current().all_exercises()
    unknown = [name for name in options.exercises if name not in exercises]
    if unknown:
        print(f"There is no exercise called {unknown[0]}; there are: {', '.join(exercises)}.")
        return 2
    audited = [exercises[name] for name in options.exercises or exercises]
    rows = [audit(exercise, range(options.seeds)) for exercise in audited]
    faults = [f"{row.exercise}: {fault}" for row in rows for fault in row.faults]
    faults += bank.faults({exercise.module for exercise in audited})
    if len(rows) > 1:
        rows.append(total(rows))
    print(as_markdown(rows) if options.markdown else as_text(rows))
    remarks = [
        f"{row.exercise}: the bank has no {kind} answer to judge it by"
        for row in rows
        for kind, count in (("right", row.right), ("wrong", row.wrong))
        if not count and current().bank
    ]
    none = "No other fault was found." if remarks else "No fault was found."
    print("\n" + "\n".join([*remarks, *faults] if faults else [*remarks, none]))
    return 1 if faults else 0
