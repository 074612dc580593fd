"""A Subject behind the wall: what is examined lives in a box; its answers come over the line."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeGuard

from ..engine.files import names_defined
from ..engine.learner_lines import Line, lines_of_source, search
from ..engine.limits import OutOfTime
from ..engine.repairs.mend import Mend
from ..engine.repairs.own_code import OwnCode, own_code
from ..engine.subject import Subject
from ..engine.trial import NOTED, NOTHING, Answer, Problem, Trial, Watch, comparable
from ..notebooks.outputs import text
from ..sandbox.box import Box
from ..sandbox.clock import Clock

if TYPE_CHECKING:
    from ..engine.exam import Question
    from ..engine.repairs.search import Work

MANY = 48  # changes that are tried at a time, but for the first ones, which are the likeliest
MOST_BYTES = 2**26  # of what all these answer; a right answer has some thousand
MOST_PRINTED = 400
MOST_SAID = 50_000  # characters of facts and names; a right answer has a tenth of it
MOST_MESSAGE = 2000
LISTS = ("missing", "extra", "shared", "frozen", "changed", "no gradient", *NOTED)
TORCHS_NAME = re.compile(r"[\w.]{0,100}")


class RemoteSubject(Subject):
    """What bears a name in a box.

    Args:
        box: a Box in which the cells have run.
        name: of the function or class.
        cells: sources of the cells that have run, in order.
        frames: gives a Trial as a frame; those that are asked again and again are kept.
        seed: for what the learner's code draws.
        seconds: for all the answers together; what the judge does with them takes none of these.
    """

    device = "cpu"

    def __init__(
        self,
        box: Box,
        name: str,
        cells: list[str],
        frames: Callable[[Trial], bytes],
        seed: int,
        seconds: float,
    ):
        self.box, self.name, self.frames, self.seed = box, name, frames, seed
        self.clock = Clock(seconds)
        self.source = next((c for c in reversed(cells) if name in names_defined(c)), "")
        self.printed = ""

    @property
    def trusted(self) -> bool:
        return False

    def ask(self, trial: Trial, watch: Watch = NOTHING) -> Answer:
        """The Answer to a trial; OutOfTime or EndedError if there is none."""
        [reply] = self.replies([trial], [watch])
        return self.answer_in(reply, trial)

    def answers(
        self, questions: Iterable[Question], watch: Watch = NOTHING
    ) -> Iterator[tuple[Question, Answer]]:
        """Each question with the Answer to its trial; all are asked at once, which is quicker."""
        questions = list(questions)
        trials = [question.trial for question in questions]
        replies = self.replies(trials, [NOTHING if trial.constant else watch for trial in trials])
        for question, reply in zip(questions, replies):
            yield question, self.answer_in(reply, question.trial)

    def replies(self, trials: list[Trial], watch: list[Watch]) -> Iterator[Any]:
        if self.clock.left <= 0:
            raise OutOfTime
        replies = self.box.replies(
            "ask",
            self.clock,
            attached=b"".join(map(self.frames, trials)),
            name=self.name,
            watch=watch,
            seed=self.seed,
            seconds=self.clock.left,
        )
        return itertools.islice(replies, len(trials))

    def answer_in(self, reply: Any, trial: Trial, may_be_late: bool = True) -> Answer:
        kind, answer, printed = three(reply)
        if kind == "late" and may_be_late:
            late = OutOfTime()
            late.problem = answer if is_problem(answer) else None
            raise late
        if not is_answer(answer, trial):
            self.box.end("sent something that is no answer.")
        if len(self.printed) < MOST_PRINTED:
            self.printed = (self.printed + text(printed))[:MOST_PRINTED]
        return comparable(cleaned(answer), trial)

    def find_line(self, pattern: str) -> Line | None:
        return search(pattern, lines_of_source(self.source, self.name))

    def line_of_problem(self, problem: Problem | None) -> Line | None:
        """The innermost line in a cell that an exception passed through."""
        for source, number, _ in reversed(problem.frames if problem else ()):
            lines = source.splitlines()
            if 0 < number <= len(lines) and lines[number - 1].strip():
                return Line(number, text(lines[number - 1].strip())[:200], "your cell")
        return None

    def own_code(self, name: str) -> OwnCode | None:
        return own_code(self.source, name)

    def in_workshop(self, work: Work, seconds: float) -> Any:
        """In the box itself: by then it has nothing more to lose."""
        self.clock = Clock(seconds)
        return work(Changed(self))


class Changed:
    """A workshop in the box of a subject."""

    def __init__(self, subject: RemoteSubject):
        self.subject = subject

    def answers(
        self, code: OwnCode, mends: Iterable[Mend], trial: Trial
    ) -> Iterator[tuple[Mend, Answer | None]]:
        """See repairs.search.Workshop; changed code travels as text, a few versions at a time."""
        mends, size = iter(mends), 1
        while some := list(itertools.islice(mends, size)):
            yield from zip(some, self.tried(code, some, [trial]))
            size = min(4 * size, MANY)

    def answers_to(
        self, code: OwnCode, mend: Mend, trials: Iterable[Trial]
    ) -> Iterator[Answer | None]:
        yield from self.tried(code, [mend], list(trials))

    def tried(
        self, code: OwnCode, mends: list[Mend], trials: list[Trial]
    ) -> Iterator[Answer | None]:
        """What every change answers to every trial."""
        subject = self.subject
        replies = subject.box.replies(
            "try",
            subject.clock,
            attached=b"".join(map(subject.frames, trials)),
            name=subject.name,
            sources=[source_of(code, mend) for mend in mends],
            trials=len(trials),
            seed=subject.seed,
        )
        # All of them are read before anything else is asked: a later request passes over what was
        # left of this one.
        found, size = [], 0
        for (_, trial), reply in zip(itertools.product(mends, trials), replies):
            answer = None if reply is None else subject.answer_in(reply, trial, may_be_late=False)
            size += 0 if answer is None else sum(x.nbytes for x in answer.arrays.values())
            if size > MOST_BYTES:
                subject.box.end("sent more than an answer can be.")
            found.append(answer)
        yield from found


def source_of(code: OwnCode, mend: Mend) -> str:
    with mend.made():
        return ast.unparse(code.tree)


def three(reply: Any) -> tuple[str, Any, Any]:
    if isinstance(reply, tuple) and len(reply) == 3 and isinstance(reply[0], str):
        return reply
    return "", None, ""


def is_answer(answer: Any, trial: Trial) -> TypeGuard[Answer]:
    """Is this an Answer of which everything has the type it should have? A learner may forge it."""
    return (
        isinstance(answer, Answer)
        and isinstance(answer.arrays, dict)
        and isinstance(answer.facts, dict)
        and all(isinstance(name, str) for name in [*answer.arrays, *answer.facts])
        and all(hasattr(array, "shape") for array in answer.arrays.values())
        and type(answer.begun) is int
        and 0 <= answer.begun <= len(trial.calls)
        and (answer.problem is None or is_problem(answer.problem))
        and all(map(is_plain, answer.facts.values()))
        and all(isinstance(answer.facts.get(name, []), list) for name in LISTS)
        and isinstance(answer.facts.get("shapes", {}), dict)
        and all(is_torchs_name(n) for each in NOTED for n in answer.facts.get(each, []))
        and len(repr([answer.facts, [*answer.arrays]])) <= MOST_SAID
    )


def is_torchs_name(name: Any) -> bool:
    """Could torch call something so? (A learner's line is searched for these names.)"""
    return isinstance(name, str) and bool(TORCHS_NAME.fullmatch(name))


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(x) for key, x in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def is_problem(problem: Any) -> TypeGuard[Problem]:
    return (
        isinstance(problem, Problem)
        and isinstance(problem.kind, str)
        and isinstance(problem.message, str)
        and isinstance(problem.frames, tuple)
        and all(
            isinstance(frame, tuple)
            and len(frame) == 3
            and isinstance(frame[0], str)
            and type(frame[1]) is int
            for frame in problem.frames
        )
    )


def cleaned(answer: Answer) -> Answer:
    """The Answer with texts that can be shown anywhere: they become a part of what is said."""
    problem = answer.problem
    if problem is not None:
        message = text(problem.message)[:MOST_MESSAGE]
        problem = Problem(text(problem.kind)[:100], message, problem.frames)
    return Answer(answer.arrays, cleaned_value(answer.facts), problem, answer.begun)


def cleaned_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {text(key): cleaned_value(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(cleaned_value, value))
    return text(value) if isinstance(value, str) else value
