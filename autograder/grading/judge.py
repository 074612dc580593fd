"""The judge: asks what is in a box, compares with the reference, and gives points.

All submissions of a class get the same questions, so the reference, and every known mistake, has
to answer them only once.
"""

from __future__ import annotations

import time
import warnings
import zlib
from dataclasses import dataclass, field
from html import escape
from typing import Any

from ..engine.broken_course import BrokenCourseError
from ..engine.card import card
from ..engine.course import current
from ..engine.diagnose import Record
from ..engine.exam import Exam
from ..engine.examine import not_checked, stopped, too_long, try_everything, verdict_on
from ..engine.exercise import Exercise
from ..engine.files import is_it, names_defined, near_names
from ..engine.likeness import Likeness
from ..engine.limits import UNHURRIED, OutOfTime
from ..engine.told import SHORTCUTS, prove
from ..engine.trial import Trial
from ..engine.verdict import Verdict
from ..notebooks.outputs import text
from ..notebooks.plan import Asked, Cell
from ..notebooks.shortcuts import detours, shortcuts
from ..notebooks.submission import harmless
from ..sandbox import wire
from ..sandbox.box import Box, EndedError
from ..sandbox.clock import Clock
from .remote_subject import RemoteSubject


@dataclass
class Open:
    """An answer that is wrong, and nobody knows yet where."""

    exercise: Exercise
    verdict: Verdict
    subject: RemoteSubject
    records: list[Record]


@dataclass
class Result:
    """What one grade cell earned, and what is said about it.

    Args:
        kind: "check", that of one of the course's calls, or "asserts" for a cell whose own asserts
            decide (in the sandbox, where a learner's code could reach them).
        solved: is an exercise right? (A cell may be worth nothing.)
        text: for the terminal.
        comment: for the learner, as Markdown.
        html: the card, for the feedback; "" if there is none.
        diagnosis: ids of the mistakes that were recognised.
        shortcut: was a ready-made version used?
        trouble: what whoever grades should look at.
        notes: what was added to all of that for the learner.
        likeness: what a wrong answer that bears no name looks like, if it could be tried.
        open: what it takes to find out where the mistake is, once nothing can be lost any more.
    """

    grade_id: str
    points: float
    max_points: float
    kind: str = "check"
    text: str = ""
    comment: str = ""
    html: str = ""
    exercise: str = ""
    diagnosis: tuple[str, ...] = ()
    shortcut: bool = False
    trouble: tuple[str, ...] = ()
    solved: bool = False
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    likeness: Likeness | None = None
    open: Open | None = None

    @property
    def passed(self) -> bool:
        return self.points >= self.max_points

    def show(self, verdict: Verdict) -> None:
        """Say what a verdict says."""
        self.likeness = verdict.likeness
        self.text, self.comment = verdict.text(hints=0), comment_of(verdict)
        self.html, self.diagnosis = card(verdict), diagnosis_of(verdict)
        notes, self.notes = self.notes, []
        for sentence in notes:
            self.add(sentence)

    def add(self, sentence: str) -> None:
        """One more thing to be said to the learner."""
        self.notes.append(sentence)
        self.text = f"{self.text}\n  {sentence}"
        self.comment = f"{self.comment}\n\n{harmless(sentence)}".strip()
        self.html += f"<p>{escape(sentence)}</p>" if self.html else ""


class CheckEndedError(EndedError):
    """The child is gone while something of it was looked at.

    Args:
        result: what that earned.
    """

    def __init__(self, reason: str, result: Result):
        super().__init__(reason)
        self.result = result


class Judge:
    """Knows the answers.

    Args:
        seed: of all that is drawn; another seed asks other questions.
    """

    def __init__(self, seed: int):
        self.seed = seed
        self.exams: dict[str, Exam] = {}
        self.frames: dict[int, bytes] = {}  # {id of a trial: the same as a message}

    def seed_of(self, exercise: Exercise) -> int:
        return zlib.crc32(f"{self.seed} {exercise.id}".encode()) & 0x7FFFFFFF

    def exam(self, exercise: Exercise) -> Exam:
        """The same for everybody, and made once."""
        if exercise.id not in self.exams:
            exam = self.exams[exercise.id] = Exam(exercise, self.seed_of(exercise))
            for question in exam.questions():
                self.frames[id(question.trial)] = wire.pack(question.trial)
        return self.exams[exercise.id]

    def frame(self, trial: Trial) -> bytes:
        return self.frames.get(id(trial)) or wire.pack(trial)

    def examine(
        self, exercise: Exercise, box: Box, name: str, cells: list[str], seconds: float
    ) -> Verdict:
        """The Verdict on what bears a name in a box. EndedError if the box does not survive it."""
        return self.looked_at(exercise, box, name, cells, seconds)[0]

    def looked_at(
        self, exercise: Exercise, box: Box, name: str, cells: list[str], seconds: float
    ) -> tuple[Verdict, Open | None]:
        """The same, and what was found on the way."""
        started = time.perf_counter()
        seed, opened = self.seed_of(exercise), None
        if box.request("has", 5, name=name) is None:
            verdict = stopped(exercise, seed, missing(name, cells))
        else:
            subject = RemoteSubject(box, name, cells, self.frame, seed, seconds)
            try:
                records = try_everything(exercise, subject, self.exam(exercise).questions())
                verdict = self.verdict(exercise, subject, records)
                opened = Open(exercise, verdict, subject, records)
            except OutOfTime as late:
                line = subject.line_of_problem(late.problem)
                verdict = stopped(exercise, seed, too_long(seconds), line)
            verdict.printed = subject.printed
        verdict.seconds = time.perf_counter() - started
        return verdict, opened

    def prove(self, result: Result, seconds: float, most: int) -> None:
        """Find the line where the mistake is, and say so. That tries out what may end the box: it
        comes last.

        Args:
            seconds, most: how long that may take, and how many answers it may ask for.
        """
        left, result.open = result.open, None
        if left is not None:
            started = time.perf_counter()
            try:
                exam = self.exam(left.exercise)
                prove(left.verdict, exam, left.subject, left.records, seconds, most)
            except EndedError:
                raise
            except (Exception, OutOfTime):  # source as nobody imagined: then there is no line
                return
            left.verdict.seconds += time.perf_counter() - started
            result.show(left.verdict)

    def verdict(self, exercise: Exercise, subject: RemoteSubject, records: list[Record]) -> Verdict:
        """The Verdict on what was answered. To find the mistake more is asked, in time that the
        box has beside; who does not survive that keeps what was earned before."""
        exam = self.exam(exercise)
        subject.clock = Clock(max(0.0, min(UNHURRIED, subject.box.beside.left)))
        try:
            with subject.box.not_charged():
                return verdict_on(exam, subject, records, UNHURRIED)
        except EndedError as end:
            subject.clock = Clock(0)  # now nothing more can be asked
            end.verdict = verdict_on(exam, subject, records, UNHURRIED)
            raise

    def check(
        self, cell: Cell, exercise: Exercise, box: Box, name: str, cells: list[str], seconds: float
    ) -> Result:
        """The Result of a cell that says check(…)."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's, about numbers of odd kinds
                verdict, opened = self.looked_at(exercise, box, name, cells, seconds)
                result = result_of(cell, verdict)
                result.open = None if verdict.passed else opened
                if result.points:
                    result.trouble = suspicion(exercise, name, cells, verdict.unwatched)
                return result
        except EndedError as end:
            verdict = end.verdict or stopped(exercise, self.seed_of(exercise), f"Your code {end}")
            raise CheckEndedError(str(end), result_of(cell, verdict)) from end
        except BrokenCourseError as error:  # the author's to mend; then grade again
            result = result_of(cell, not_checked(exercise.id, exercise.max_score, error))
            result.trouble = (f"{exercise.id} could not be judged ({text(str(error))})",)
            return result
        except Exception as error:  # an answer as nobody imagined: it must not end the whole run
            sentence = "What your code gives could not be compared with what is expected."
            result = result_of(cell, stopped(exercise, self.seed_of(exercise), sentence))
            said = f"{type(error).__name__}: {text(str(error))[:300]}"
            result.trouble = (f"{exercise.id} could not be judged ({said})",)
            return result

    def call(self, cell: Cell, asked: Asked, found: Any, checks: tuple[float, float]) -> Result:
        """The Result of a cell that calls one of the course's own functions.

        Args:
            found: what is to be looked at.
            checks: (points, of how many) that the notebook's exercises have earned.
        """
        if asked.by is None or asked.wanted is None:
            raise ValueError(f"{cell.grade_id} calls none of the course's own functions")
        earned = asked.by.judged(asked.wanted, found, checks)
        return Result(
            cell.grade_id,
            cell.worth * earned.share,
            cell.worth,
            asked.kind,
            earned.text,
            html=earned.html,
            exercise=earned.about,
        )


JUDGES: dict[tuple[str, int], Judge] = {}


def judge_with(seed: int) -> Judge:
    """The judge that asks what this seed draws: the same for all submissions of an assignment."""
    key = current().id, seed
    if key not in JUDGES:
        JUDGES[key] = Judge(seed)
    return JUDGES[key]


def result_of(cell: Cell, verdict: Verdict) -> Result:
    """Points as the gradebook counts them: an instructor may have changed what a cell is worth."""
    share = verdict.score / verdict.max_score if verdict.max_score else 0.0
    verdict.seed = None  # whoever hands in again is asked the same
    return Result(
        cell.grade_id,
        cell.worth * share,
        cell.worth,
        "check",
        text=verdict.text(hints=0),
        comment=comment_of(verdict),
        html=card(verdict),
        exercise=verdict.exercise,
        diagnosis=diagnosis_of(verdict),
        shortcut=verdict.diagnosis in SHORTCUTS,
        solved=verdict.passed,
        seconds=verdict.seconds,
        likeness=verdict.likeness,
    )


def diagnosis_of(verdict: Verdict) -> tuple[str, ...]:
    return tuple(filter(None, (verdict.diagnosis, verdict.also)))


def suspicion(
    exercise: Exercise, name: str, cells: list[str], unwatched: bool = False
) -> tuple[str, ...]:
    """What whoever grades should look at in cells that earned points."""
    source = next((c for c in reversed(cells) if name in names_defined(c)), "")
    found = [
        f"{exercise.id} earned points and names a ready-made part in line {number}: {text(line)}"
        for number, line in shortcuts(source, exercise.refuses)[:1]
    ]
    found += [
        f"a cell could reach around what watches it, in line {number}: {text(line)}"
        for each in dict.fromkeys(cells)
        for number, line in detours(each)[:1]
    ]
    if unwatched:
        found.insert(0, f"{exercise.id} earned points while what watches it was switched off")
    return tuple(found[:3])


def comment_of(verdict: Verdict) -> str:
    """What is said about a solution where people read comments; nothing if all is right."""
    if verdict.passed:
        return ""
    line = [f"{verdict.line.look} {verdict.line}"] if verdict.line else []
    return harmless("\n\n".join([*verdict.explanation, *line]))


def missing(name: str, cells: list[str]) -> str:
    """Why there may be nothing of this name."""
    defined = dict.fromkeys(each for source in cells for each in names_defined(source))
    if name not in defined and (near := is_it(near_names(defined, [name]))):
        return f"No cell of this notebook defines `{name}`.{near}"
    if any(name in source for source in cells):
        return (
            f"There is no `{name}` here, though a cell above speaks of it: the cell that defines "
            f"it probably ended in an error, which stands below it."
        )
    return f"No cell of this notebook defines `{name}`."
