"""What is examined: an implementation, here or in another process, and the lines it consists of.

The checks ask a Subject, and never call learners' code themselves. So it makes no difference to
them where that code lives; see grading/ for one behind a wall.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from .learner_lines import Line, find_line, line_of_problem
from .pieces import is_ours, names_around
from .repairs.apart import apart
from .repairs.own_code import OwnCode, own_code_of
from .trial import NOTHING, Answer, Implementation, Problem, Trial, Watch, ask

if TYPE_CHECKING:
    from .exam import Question
    from .repairs.search import Work


class Subject(Protocol):
    """What the checks ask: an implementation, wherever it is."""

    device: str

    @property
    def trusted(self) -> bool:
        """Is it the course's own? Then nobody watches it: that's all there would be to see."""
        ...

    def ask(self, trial: Trial, watch: Watch = NOTHING) -> Answer:
        """The Answer to a trial, in a form that can be compared."""
        ...

    def answers(
        self, questions: Iterable[Question], watch: Watch = NOTHING
    ) -> Iterator[tuple[Question, Answer]]:
        """Each question with the Answer to its trial, one after the other."""
        ...

    def find_line(self, pattern: str) -> Line | None:
        """The first of its lines that a regular expression finds, or None."""
        ...

    def line_of_problem(self, problem: Problem | None) -> Line | None:
        """The innermost of the learner's lines that an exception passed through, or None."""
        ...

    def own_code(self, name: str) -> OwnCode | None:
        """The definitions that it consists of, or None."""
        ...

    def in_workshop(self, work: Work, seconds: float) -> Any:
        """What `work` gives when it is handed a Workshop, where changed code does no harm; None if
        it gives nothing in so many seconds."""
        ...


class LocalSubject(Subject):
    """A Subject in this process."""

    def __init__(self, implementation: Implementation, device: str = "cpu"):
        self.implementation, self.device = implementation, device

    @property
    def trusted(self) -> bool:
        return is_ours(self.implementation)

    def ask(self, trial: Trial, watch: Watch = NOTHING) -> Answer:
        return ask(self.implementation, trial, self.device, watch=watch)

    def answers(
        self, questions: Iterable[Question], watch: Watch = NOTHING
    ) -> Iterator[tuple[Question, Answer]]:
        for question in questions:
            yield question, self.ask(question.trial, NOTHING if question.trial.constant else watch)

    def find_line(self, pattern: str) -> Line | None:
        return find_line(self.implementation, pattern)

    def line_of_problem(self, problem: Problem | None) -> Line | None:
        return line_of_problem(self.implementation, problem)

    def own_code(self, name: str) -> OwnCode | None:
        return own_code_of(self.implementation, name)

    def in_workshop(self, work: Work, seconds: float) -> Any:
        return apart(names_around(self.implementation, {}), work, seconds)
