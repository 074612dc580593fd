"""In class, too, the line is proven; and what is tried for it costs no points."""

import sys
from contextlib import closing

import pytest

from autograder.engine.examine import verdict_on
from autograder.grading import judge
from autograder.grading.judge import Judge
from autograder.grading.notebook_run import grade
from autograder.notebooks.plan import put_back
from autograder.sandbox.box import Keeper
from autograder.sandbox.walls import Limits
from course.lesson import lessons
from course.notebook import learners, solved
from tests.autograder.notebooks.plans import plan_of_lesson

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the sandbox")
LESSON = next(lesson for lesson in lessons() if lesson.module == "attention")
WRONG = (
    "def softmax(x, dim=-1):\n"
    "    exponentials = torch.exp(x - x.amax(dim, keepdim=True))\n"
    "    return exponentials / exponentials.sum(-1, keepdim=True)"
)
# Known only by its undoing: in the model answer both results are cut off, and here one.
UNDONE = (
    "def scaled_dot_product_attention(query, key, value, mask=None):\n"
    "    scores = query @ key.transpose(-2, -1) / math.sqrt(key.shape[-1])\n"
    "    if mask is not None:\n"
    "        scores = torch.where(mask, scores, -1e9)\n"
    "    weights = torch.softmax(scores, dim=-1)\n"
    "    return weights.detach() @ value, weights"
)
# Many changes set the first probe right, and not the others: those are asked in between.
EVERYTHING = (
    "def softmax(x, dim=-1):\n"
    "    exponentials = torch.exp(x - x.max().detach())\n"
    "    return exponentials / exponentials.sum()"
)
# As soon as a changed version of it runs, the whole process ends.
DEADLY = (
    "import os, inspect\n"
    "def softmax(x, dim=-1):\n"
    "    if 'change' in inspect.currentframe().f_code.co_filename:\n"
    "        os._exit(3)\n"
    "    return torch.exp(x) / torch.exp(x).sum(-1, keepdim=True)"
)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Grades a lesson that is solved but for one exercise."""
    plan, keeper = plan_of_lesson(LESSON, tmp_path_factory.mktemp("book")), Keeper(least=0)

    def grade_with(source, changes, exercise="softmax"):
        notebook = learners(LESSON)
        right = {cell.id: cell.source for cell in solved(LESSON).cells}
        for cell in notebook.cells:
            if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution"):
                wrong = cell.metadata.nbgrader.grade_id == exercise
                cell.source = source if wrong else right[cell.id]
        limits = Limits(mending=changes)
        return grade(put_back(notebook, plan), plan, keeper, Judge(7), limits)

    yield grade_with
    keeper.close()


def test_the_line_is_shown_where_people_read(graded):
    found = graded(WRONG, 200)
    result, line = found.results["check_softmax"], "exponentials.sum(-1, keepdim=True)"
    assert result.diagnosis == ("dim_ignored_in_sum",)
    for shown in (result.text, result.comment, result.html):
        assert line in shown.replace("\n           ", " ")
    [cell] = [cell for cell in found.notebook.cells if cell.source == "check(softmax)"]
    assert line in cell.outputs[0]["data"]["text/html"]


def test_what_mends_only_a_part_is_asked_more_and_the_search_goes_on(graded):
    result = graded(EVERYTHING, 200).results["check_softmax"]
    assert result.diagnosis == ("over_everything",)
    assert "Nothing else is wrong" in result.text


def test_points_and_names_are_the_same_without(graded):
    with_lines, without = graded(WRONG, 200).results, graded(WRONG, 0).results
    for name, result in without.items():
        assert (result.points, result.diagnosis) == (
            with_lines[name].points,
            with_lines[name].diagnosis,
        )
    assert "Look at" not in without["check_softmax"].text


def test_a_mistake_that_is_known_by_its_undoing_is_named_as_at_home(graded):
    found = graded(UNDONE, 200, "scaled_dot_product_attention")
    result = found.results["check_scaled_dot_product_attention"]
    assert result.diagnosis == ("weights_cut_off",)
    assert "No gradient reaches query and key" in result.comment
    assert result.points < result.max_points


def test_looking_for_the_mistake_is_not_charged_to_the_submission(monkeypatch, tmp_path):
    """However long the questions take that are only asked to explain."""
    plan, boxes = plan_of_lesson(LESSON, tmp_path), []

    def slowly(exam, subject, *more):
        with subject.box.clock.running():
            subject.box.clock.left -= 10**6
        boxes.append(subject.box)
        return verdict_on(exam, subject, *more)

    monkeypatch.setattr(judge, "verdict_on", slowly)
    with closing(Keeper(least=0)) as keeper:
        grade(put_back(solved(LESSON), plan), plan, keeper, Judge(7))
    assert {id(box) for box in boxes} == {id(boxes[0])}  # it was never ended
    assert 0 < boxes[0].clock.left < boxes[0].clock.seconds


# Whoever is asked about a change says that time is over; or sends far more than there can be.
FORGED = (
    "import sys\n"
    "inside = sys.modules['autograder.sandbox.inside'].Inside\n"
    "inside.answer_of_changed = lambda self, name, source, trial, seed: {reply}\n\n\n"
)


@pytest.mark.parametrize(
    "reply", ["('late', None, '')", "('late', 3, 4)", "5", "('answer', None, '')"]
)
def test_a_forged_reply_to_a_change_costs_nobody_anything(graded, reply):
    forged = FORGED.format(reply=reply)
    found, without = graded(forged + WRONG, 200), graded(forged + WRONG, 0)
    for name, result in without.results.items():
        assert found.results[name].points == result.points
        assert found.results[name].diagnosis == result.diagnosis


def test_what_ends_the_process_while_changes_are_tried_loses_nothing(graded):
    found, without = graded(DEADLY, 200), graded(DEADLY, 0)
    assert found.events == without.events
    for name, result in without.results.items():
        assert found.results[name].points == result.points
    assert found.results["check_softmax"].text == without.results["check_softmax"].text
