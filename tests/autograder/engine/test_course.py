"""A course is made of names; what they lead to is found, hidden and loaded by them."""

import autograder
from autograder.engine.course import Course
from course import COURSE


def scattered(**parts):
    return Course("small", "Small", {"one": ("f",)}, "checked.here", "answers", **parts)


def test_all_packages_that_are_named_are_its_own():
    """Where they are installed, submissions must not read any of them."""
    course = scattered(
        stand_bys="lent",
        mistakes="wrong/mistakes",
        bank="others/bank",
        calls={"check_quiz": "quiz:QUIZ"},
        importable="given.parts:fill",
        assignments="handed_out:assignments",
    )
    named = ("checked", "answers", "lent", "wrong", "others", "given", "handed_out", "quiz")
    assert course.packages == named
    assert scattered().packages == ("checked", "answers")


def test_the_call_of_another_function_earns_nothing():
    assert COURSE.points_call("check_quiz").kind == "quiz"
    assert COURSE.points_call("print") is None
    assert {call.kind for call in COURSE.points_calls()} == {"quiz", "weights"}


def test_what_is_public_is_there():
    assert all(callable(getattr(autograder, name)) for name in autograder.PUBLIC)
