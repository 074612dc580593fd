"""A course is made of names; what they lead to is found, hidden and loaded by them."""

import pickle

import pytest

import autograder
from autograder.doors.terminal import main
from autograder.engine.broken_course import BrokenCourseError
from autograder.engine.course import Course, CourseNotFoundError
from autograder.engine.exam import Exam
from course import COURSE

from ..tiny_course import ANSWERS, CHECKS, INIT, SLIPS

BROKEN = "This exercise's check did not work, which says nothing about your code: "


def scattered(**parts):
    return Course("small", "Small", {"one": ("f",)}, "checked.here", "answers", **parts)


def test_all_packages_that_are_named_are_its_own():
    """Where they are installed, submissions must not read any of them."""
    course = scattered(
        stand_bys="lent",
        broken="torn:WRONG",
        mistakes="wrong/mistakes",
        bank="others/bank",
        calls={"check_quiz": "quiz:QUIZ"},
        importable="given.parts:fill",
        assignments="handed_out:assignments",
    )
    named = ("checked", "answers", "lent", "torn", "wrong", "others", "given", "handed_out", "quiz")
    assert course.packages == named
    assert scattered().packages == ("checked", "answers")


def test_the_call_of_another_function_earns_nothing():
    assert COURSE.points_call("check_quiz").kind == "quiz"
    assert COURSE.points_call("print") is None
    assert {call.kind for call in COURSE.points_calls()} == {"quiz", "weights"}


def test_what_is_public_is_there():
    assert all(callable(getattr(autograder, name)) for name in autograder.PUBLIC)


@SLIPS
def test_an_authors_slip_is_no_fault_of_a_learner(tiny, tmp_path, capsys, file, old, new, words):
    """With the same words in a notebook and in a terminal, and in those for authors."""
    tiny.edit(file, old, new)
    tiny.use()

    def centred(x):
        return x

    assert autograder.check(centred) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert BROKEN in said
    assert words in said
    assert "not yet right" not in said

    (tmp_path / "answer.py").write_text("def centred(x):\n    return x\n")
    assert main(["--course", str(tiny.folder), "check", str(tmp_path / "answer.py")]) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "basics.centred: could not be checked" in said
    assert BROKEN in said
    assert words in said
    assert "exit code" not in said


def test_a_module_that_is_not_there_is_named(tiny):
    (tiny.folder / CHECKS).unlink()
    with pytest.raises(BrokenCourseError, match=rf"{tiny.name}.checks.basics: there is no such mo"):
        tiny.use().find("centred")


def test_a_broken_lesson_does_not_cost_the_checks_of_others(tiny, capsys):
    tiny.edit(INIT, '("centred",)}', '("centred",), "more": ("scaled",)}')
    tiny.use()

    def centred(x):
        return x - x.mean(-1, keepdims=True)

    assert autograder.check(centred) == 3
    assert "all correct" in capsys.readouterr().out


def test_an_error_may_be_what_is_asked_for(tiny):
    tiny.edit(ANSWERS, "mean =", "raise ValueError('too few')\n    mean =")
    tiny.edit(CHECKS, "numpy=True", "numpy=True, raises=True")
    exercise = tiny.use().find("centred")
    [question] = Exam(exercise, 1).questions()
    assert question.expected.problem.message == "too few"
    assert autograder.examine(exercise, exercise.reference).passed


def test_a_learner_who_leaves_no_memory_breaks_no_course(tiny):
    tiny.edit(ANSWERS, "mean =", "raise MemoryError\n    mean =")
    [question] = Exam(tiny.use().find("centred"), 1).questions()
    assert question.expected.problem.kind == "MemoryError"


def test_a_digest_that_fails_is_told(tiny):
    tiny.edit(CHECKS, "numpy=True", "numpy=True, digest=lambda answer: answer.array")
    exam = Exam(tiny.use().find("centred"), 1)
    with pytest.raises(BrokenCourseError, match="asked by probe some_rows: the trial's digest"):
        list(exam.questions())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('("centred",)', '("centred")', r"of basics is a text and not a tuple; write \('centred',"),
        ('("centred",)', '("centred", "centred")', "two exercises are called centred, in basics"),
        ("bank=", "banks=", r"/__init__.py line 3: TypeError: .* argument 'banks'"),
        ('title="Tiny",', 'title="Tiny"', r"/__init__.py line \d: SyntaxError: "),
    ],
)
def test_what_is_wrong_in_the_course_itself_is_told(tiny, capsys, old, new, told):
    tiny.edit(INIT, old, new)
    with pytest.raises((BrokenCourseError, CourseNotFoundError), match=told):
        tiny.use()
    assert main(["--course", str(tiny.folder), "audit"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_names_of_exercises_are_unique_over_all_lessons():
    with pytest.raises(BrokenCourseError, match="two exercises are called f, in one and in two"):
        Course("small", "Small", {"one": ("f",), "two": ("g", "f")}, "checked", "answers")


def test_what_is_broken_can_be_told_by_another_process():
    error = pickle.loads(pickle.dumps(BrokenCourseError("here", "is it so?")))
    assert str(error) == "here: is it so?"
