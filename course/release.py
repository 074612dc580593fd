"""What `autograder course DIR` makes a ready nbgrader course of, and what its points depend on."""

from .build import ROOT
from .lesson import lessons
from .notebook import SEED, instructors, text_of


def assignments(seed=SEED):
    """{name: text of the instructor's notebook}, in the order of the lessons."""
    return {each.stem: text_of(instructors(each, seed)) for each in taught()}


def taught():
    return lessons(ROOT / "notebooks" / "lessons")


def depends_on():
    """The files on which points depend, besides the exercises themselves: quizzes and capstone."""
    yield from (ROOT / "course").glob("*.py")
    yield from (ROOT / "translation").glob("*.py")
    yield from (ROOT / "notebooks" / "lessons").glob("*.md")
