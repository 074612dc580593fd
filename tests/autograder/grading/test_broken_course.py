"""Where a course's own check is broken, submissions are graded, and somebody is told."""

from autograder.engine.course import find
from autograder.grading.judge import Judge
from autograder.notebooks.plan import Cell

from ..tiny_course import CHECKS


class Bound:
    """A box in which every name is bound."""

    def request(self, kind, seconds, **more):
        return 1


def test_the_learner_is_not_blamed_and_whoever_grades_is_told(tiny):
    tiny.edit(CHECKS, "return call(", "raise ValueError('oops')\n    call(")
    tiny.use()
    cell = Cell("grade", "code", "check(centred)", "", True, True, False, False, 3.0)
    exercise, judge = find("centred"), Judge(7)
    for _ in range(2):  # one submission, and the next
        result = judge.check(cell, exercise, Bound(), "centred", ["def centred(x): ..."], 5)
        assert (result.points, result.max_points, result.solved) == (0, 3, False)
        assert "which says nothing about your code: probe some_rows" in result.comment
        assert "could not be compared" not in result.text
        assert result.trouble == (
            "basics.centred could not be judged (probe some_rows, checks/basics.py line 7: "
            "ValueError: oops.)",
        )
