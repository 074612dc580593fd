"""What only shows something is not run for grading, but for what an answer relies on."""

from dataclasses import replace

import pytest
from nbformat.v4 import new_code_cell

from autograder.grading.notebook_run import Step, grade
from autograder.notebooks.demonstrations import leave_out
from autograder.notebooks.plan import Plan, put_back

from ..conftest import notebook_with
from ..sandbox.attacks import RIGHT

SHOWN = """\
import math
from course.mine import softmax as mine, best_version, nonsense
scale = math.sqrt(2)
for width in (1, 2):
    last = width
picture(scale)"""
MORE = "trained = train(scale)\nname, size = 'Ana', 3"


def noted(*own, answers=()):
    """The steps of two demonstrations, cells of the learner's, and answers."""
    cells = [new_code_cell(source) for source in (SHOWN, MORE, *own, *answers)]
    for cell in cells[2 + len(own) :]:
        cell.metadata["nbgrader"] = {"grade_id": "answer"}
    steps = [Step("run") for _ in cells]
    leave_out(cells, steps, Plan("a", "a", (), frozenset({SHOWN, MORE})))
    return steps


def test_it_is_not_run_and_says_so():
    shown, more, answer = noted(answers=["def f():\n    return 1"])
    assert shown.kind == more.kind == "left out"
    assert shown.needed == more.needed == ()
    assert "nothing depends on it" in shown.note
    assert answer.kind == "run"


def test_what_it_builds_on_is_bound_all_the_same():
    assert noted()[0].pieces == (("softmax", "mine"),)


@pytest.mark.parametrize(
    ("answer", "needed", "later"),
    [
        ("def f():\n    return math.pi", ("import math",), ()),
        ("def f():\n    return scale", ("import math", "scale = math.sqrt(2)"), ()),
        ("def f():\n    return size", (), ("name, size = 'Ana', 3",)),
        (
            "def f():\n    return trained",
            ("import math", "scale = math.sqrt(2)"),
            ("trained = train(scale)",),
        ),
        ("def f():\n    return last", ("for width in (1, 2):\n    last = width",), ()),
        ("def f():\n    return mine", (), ()),
        ("import math\ndef f():\n    return math.pi", (), ()),
        ("def f(scale):\n    return scale", (), ()),
        ("def f(:", (), ()),
    ],
)
def test_what_an_answer_relies_on_is_run(answer, needed, later):
    shown, more, _ = noted(answers=[answer])
    assert shown.needed == needed
    assert more.needed == later
    assert ("only as far as" in shown.note) == bool(needed)


def test_cells_of_the_learners_own_that_play_with_it_are_left_out():
    played, used, defined = noted(
        "print(trained)", "factor = size + 1", "def g():\n    return size", answers=["factor * 2"]
    )[2:5]
    assert (played.kind, used.kind, defined.kind) == ("left out", "run", "run")
    assert "it uses trained" in played.note


def test_it_is_there_when_the_answer_is_asked(plan, judge, keeper):
    """The whole way: an import that only a demonstration made."""
    shown = "import math as m\nimport course.experiments.attention\nraise ValueError('shown')"
    answers = RIGHT | {
        "scaled_dot_product_attention": RIGHT["scaled_dot_product_attention"].replace("math.", "m.")
    }
    plan = replace(plan, demonstrations=frozenset({shown}))
    notebook = put_back(notebook_with(plan, answers, [shown]), plan)
    graded = grade(notebook, plan, keeper, judge)
    assert graded.results["check_scaled_dot_product_attention"].passed
    text = "".join(str(cell.get("outputs", "")) for cell in graded.notebook.cells)
    assert "only as far as a cell of yours uses what it makes: m." in text
    assert "ValueError" not in text
