"""What break-it labs run where nobody can read the mistakes goes wrong in the same way as the
reference with the mistake made in it."""

import ast
import dataclasses
import inspect
import sys

import pytest

from autograder.engine.compare import differences
from autograder.engine.exam import Exam
from autograder.engine.examine import examine
from autograder.engine.mistakes import build, edited_source, wrong
from autograder.engine.pieces import is_ours
from course import COURSE
from course.checks import find
from course.experiments.training import SLIPS
from course.lesson import lessons
from course.places import HERE
from course.stand_bys.broken import WRONG
from course.stubs import stub_of

from .test_stand_bys import statements

EACH = pytest.mark.parametrize("key", list(WRONG), ids=" ".join)
ATTENTION = "attention.scaled_dot_product_attention"
# Where a call of `wrong` stands in a loop, what it asks for: {(file, its second argument): keys}.
IN_LOOPS = {
    ("01_attention", "fault"): [
        (ATTENTION, "over_queries"),
        (ATTENTION, "no_scale"),
        (ATTENTION, "erased_after_softmax"),
    ],
    ("training", "mistake"): [slip[1:] for slip in SLIPS],
}


def asked_for(file, code):
    """The keys of what some code takes from `wrong`."""
    tree = ast.parse(code)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "wrong":
            key = tuple(text_of(argument, tree) for argument in call.args)
            yield from IN_LOOPS[file, ast.unparse(call.args[1])] if None in key else [key]


def text_of(argument, tree):
    """The text that an argument is, or that its name was given nearby; None if only a run tells."""
    if isinstance(argument, ast.Name):
        given = [each for each in ast.walk(tree) if isinstance(each, ast.Assign)]
        found = [each.value for each in given if ast.unparse(each.targets[0]) == argument.id]
        argument = found[0] if found else argument
    return argument.value if isinstance(argument, ast.Constant) else None


def test_all_that_labs_break_is_there_and_nothing_else():
    sources = [(each.stem, part.text) for each in lessons() for part in each.of_kind("code")]
    experiments = HERE.with_name("experiments").glob("*.py")
    sources += [(path.stem, path.read_text("utf-8")) for path in experiments]
    asked = {key for source in sources for key in asked_for(*source)}
    assert {(find(name).id, *mistakes) for name, *mistakes in asked} == set(WRONG)


@EACH
def test_it_answers_as_the_reference_does_with_the_mistake(key):
    """Values, gradients, facts and errors, whatever is asked."""
    name, *mistakes = key
    for seed in (1, 2, 3):
        exam = Exam(find(name), seed)
        for question in exam.questions():
            expected = exam.answer_of(tuple(mistakes), question.probe)
            answer = exam.ask(WRONG[key], question.trial)
            assert differences(answer, expected, question.trial) == []
            assert differences(expected, answer, question.trial) == []


@EACH
def test_it_is_called_and_built_as_the_reference_is(key):
    exercise, version = find(key[0]), WRONG[key]
    reference = build(exercise, key[1:])
    assert version.__name__ == exercise.name
    assert inspect.signature(version) == inspect.signature(reference)
    if inspect.isclass(version):
        built = next(q.trial for q in Exam(exercise, 1).questions() if q.trial.build)
        both = [make(*built.build.values(), **built.options) for make in (version, reference)]
        names, theirs = ([(n, x.shape) for n, x in m.state_dict().items()] for m in both)
        assert names == theirs
        names, theirs = ([n for n, _ in module.named_parameters()] for module in both)
        assert names == theirs


@EACH
def test_it_gives_nothing_away(key):
    """No statement of the reference with the mistake made stands there, but for what a stub has."""
    exercise = find(key[0])
    learners = statements(inspect.getsource(sys.modules[WRONG[key].__module__]))
    theirs = statements(edited_source(exercise, key[1:]))
    given = statements(stub_of(exercise))
    assert {line for line in (theirs & learners) - given if len(line) > 30} == set()


@pytest.fixture
def sealed(monkeypatch):
    """The course where nobody can read its mistakes."""
    course = dataclasses.replace(COURSE, mistakes="course/nowhere")
    monkeypatch.setattr("autograder.engine.mistakes.current", lambda: course)


def test_wrong_takes_it_where_the_mistake_cannot_be_read(sealed):
    assert wrong("split_heads", "reshape_only") is WRONG["multi_head.split_heads", "reshape_only"]


def test_wrong_takes_the_mistake_itself_where_it_can_be_read():
    exercise = find("split_heads")
    assert wrong("split_heads", "reshape_only") is build(exercise, ("reshape_only",))


def test_nobody_takes_it_for_a_learners(sealed):
    version = wrong("encoder_block.LayerNorm", "over_tokens")
    assert is_ours(version)
    assert examine(find("LayerNorm"), version, seed=1).diagnosis == "over_tokens"


def test_what_is_not_there_is_said_with_what_is(sealed):
    with pytest.raises(KeyError, match="no wrong version called 'nonsense' here; it has: reshape_"):
        wrong("split_heads", "nonsense")
    with pytest.raises(KeyError, match="it has: none"):
        wrong("causal_mask", "upper_triangle")
