"""What `autograder course DIR` makes a ready nbgrader course of, and what its points depend on."""

from pathlib import Path

from .lesson import lessons
from .notebook import SEED, instructors, text_of
from .places import HOME, TEXTS


def assignments(seed=SEED):
    """{name: text of the instructor's notebook}, in the order of the lessons."""
    return {lesson.stem: text_of(instructors(lesson, seed)) for lesson in lessons()}


def depends_on():
    """The files on which points depend, besides the exercises themselves: quizzes and capstone."""
    yield from Path(__file__).parent.glob("*.py")
    yield from (HOME / "translation").glob("*.py")
    yield from TEXTS.glob("*.md")
