"""What is examined: an implementation, here or in another process, and the lines it consists of.

The checks ask a Subject, and never call learners' code themselves. So it makes no difference to
them where that code lives; see grading/ for one behind a wall.
"""

from .learner_lines import find_line, line_of_problem
from .pieces import is_ours
from .trial import NOTHING, ask


class Subject:
    """An implementation in this process."""

    def __init__(self, implementation, device="cpu"):
        self.implementation, self.device = implementation, device

    @property
    def trusted(self):
        """Is it the course's own? Then nobody watches it: that's all there would be to see."""
        return is_ours(self.implementation)

    def ask(self, trial, watch=NOTHING):
        """The Answer to a trial, in a form that can be compared."""
        return ask(self.implementation, trial, self.device, watch=watch)

    def answers(self, questions, watch=NOTHING):
        """Each question with the Answer to its trial, one after the other."""
        for question in questions:
            yield question, self.ask(question.trial, NOTHING if question.trial.constant else watch)

    def find_line(self, pattern):
        """The first of its lines that a regular expression finds, or None."""
        return find_line(self.implementation, pattern)

    def line_of_problem(self, problem):
        """The innermost of the learner's lines that an exception passed through, or None."""
        return line_of_problem(self.implementation, problem)
