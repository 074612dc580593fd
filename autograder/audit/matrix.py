"""autograder audit: how well are right and wrong answers told apart, exercise by exercise?

A matrix of counts that ought to be complete: known mistakes rejected, named, told apart in pairs,
and worth no more in any disguise; right answers of the bank accepted; its wrong answers rejected,
and never given the name of a mistake that was not made. Then the time of a check.
"""

import itertools
import statistics
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch

from ..engine.compare import Difference, differences
from ..engine.course import current
from ..engine.diagnose import Record
from ..engine.exam import Exam
from ..engine.examine import broken_properties, examine, sit, try_everything
from ..engine.exercise import Exercise
from ..engine.isolation import undisturbed
from ..engine.limits import UNHURRIED
from ..engine.mistake_files import Mistake
from ..engine.mistakes import build, ways_of
from ..engine.subject import LocalSubject
from ..engine.trial import Implementation
from . import bank
from .disguises import DISGUISES, disguised

COLUMNS = (
    "Exercise",
    "Mistakes rejected",
    "named",
    "pairs told apart",
    "no more in disguise",
    "Right answers accepted",
    "Wrong answers rejected",
    "named rightly",
    "described",
    "named wrongly",
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
    right: int = 0
    accepted: int = 0
    wrong: int = 0
    wrong_rejected: int = 0
    named_rightly: int = 0
    described: int = 0
    named_wrongly: int = 0
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
            f"{self.accepted} of {self.right}",
            f"{self.wrong_rejected} of {self.wrong}",
            str(self.named_rightly),
            str(self.described),
            str(self.named_wrongly),
            f"{self.milliseconds:.0f}",
            f"{self.milliseconds_wrong:.0f}",
        )


def audit(exercise: Exercise, seeds: Iterable[int]) -> Row:
    """The Row of one exercise. Everything has to hold for every seed."""
    row, exams = Row(exercise.id), exams_of(exercise, seeds)
    ways = list(ways_of(exercise, lambda error: row.faults.append(str(error))))
    if row.faults:
        row.mistakes = len(ways) + len(row.faults)
        return row
    audit_reference(exams, row)
    audit_mistakes(exams, row)
    audit_disguises(exams, row, exercise.mistakes)
    audit_right_answers(exams, row)
    audit_wrong_answers(exams, row)
    return row


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


def audit_mistakes(exams: list[Exam], row: Row) -> None:
    """Every known mistake must be rejected and named, and any two must be told apart."""
    exercise, times = exams[0].exercise, []
    for mistake in exercise.mistakes:
        row.mistakes += 1
        wrong = build(exercise, (mistake.id,))
        if wrong is None:
            row.faults.append(
                f"mistake {mistake.id}: with its diff, the code is no Python any more"
            )
            continue
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
            row.faults.append(f"mistake {mistake.id}: is told {told}")
    row.milliseconds_wrong = 1000 * statistics.median(times) if times else 0.0
    audit_pairs(exams[0], row)


def audit_pairs(exam: Exam, row: Row) -> None:
    """Any two known mistakes must be told apart."""
    for one, other in pairs_of(exam.exercise):
        row.pairs += 1
        if are_told_apart(exam, one, other):
            row.apart += 1
        else:
            row.faults.append(f"mistakes {one.id} and {other.id} are not told apart")


def pairs_of(exercise: Exercise) -> Iterator[tuple[Mistake, Mistake]]:
    """Any two known mistakes that are not the same mathematics."""
    for one, other in itertools.combinations(exercise.mistakes, 2):
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


def audit_right_answers(exams: list[Exam], row: Row) -> None:
    """Every right answer must be accepted."""
    for entry in entries_for("correct", exams[0].exercise):
        row.right += 1
        verdicts = [sit(exam, entry.build(), UNHURRIED) for exam in exams]
        failed = [verdict for verdict in verdicts if not verdict.passed]
        row.accepted += not failed
        if failed:
            row.faults.append(
                f"{entry.path}:{entry.line} ({entry.title}) is right, and rejected: "
                f"{failed[0].message} (seed {failed[0].seed})"
            )


def audit_wrong_answers(exams: list[Exam], row: Row) -> None:
    """Every wrong answer must be rejected, and none be told a mistake that it does not make."""
    for entry in entries_for("wrong", exams[0].exercise):
        row.wrong += 1
        verdicts = [sit(exam, entry.build()) for exam in exams]
        accepted = [verdict for verdict in verdicts if verdict.passed]
        row.wrong_rejected += not accepted
        where = f"{entry.path}:{entry.line} ({entry.title})"
        if accepted:
            row.faults.append(f"{where} is wrong, and accepted (seed {accepted[0].seed})")
        told = [v for v in verdicts if not entry.may_be_told(v.diagnosis, v.also)]
        if told and told[0].diagnosis is None:
            row.faults.append(f"{where}: expected {entry.expect}, nothing is recognised")
            row.described += 1
        elif told:
            row.named_wrongly += 1
            row.faults.append(
                f"{where}: expected {entry.expect or '(nothing is said)'}, told "
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
    rows = [audit(exercises[name], range(options.seeds)) for name in options.exercises or exercises]
    if len(rows) > 1:
        rows.append(total(rows))
    print(as_markdown(rows) if options.markdown else as_text(rows))
    faults = [f"{row.exercise}: {fault}" for row in rows for fault in row.faults]
    print("\n" + ("\n".join(faults) if faults else "No fault was found."))
    return 1 if faults else 0
