"""What `autograder course DIR` makes a ready nbgrader course of, and what its points depend on."""

from pathlib import Path

from .lesson import lessons
from .notebook import SEED, instructors, text_of
from .places import HOME, TEXTS


def assignments(seed=SEED):
    """{name: text of the instructor's notebook}, in the order of the lessons."""
    return {lesson.stem: text_of(instructors(lesson, seed)) for lesson in lessons()}


JUDGES = ("capstone", "lesson", "quiz")  # modules that give points
GIVEN = ("figures", "importable")  # and those that say what a graded notebook gets


def depends_on():
    """The files on which points depend, besides the exercises themselves."""
    yield from (Path(__file__).with_name(f"{name}.py") for name in (*JUDGES, *GIVEN))
    yield from (HOME / "translation").glob("*.py")
    yield from TEXTS.glob("*.md")
