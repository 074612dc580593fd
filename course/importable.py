"""What a notebook's cells may import where it is graded: the course, and no answer.

In the folder that is filled, `solutions` holds what the course gives anyway, with stand-bys in the
place of what learners write, and without `fast`, which is about the reference; `course.mine` gives
their own pieces once they have passed, and stand-bys until then; `course.quiz` and
`course.capstone` ask nothing.
"""

import ast
from pathlib import Path

import solutions

from .checks import LESSONS, exercises_of

QUIZ = '''"""Quizzes are judged when the notebook is graded."""


def check_quiz(stem, answers, seed=1):
    print("(Judged when the notebook is graded.)")
'''
CAPSTONE = '''"""Weights are judged when the notebook is graded."""


def save_translator(model, path="translator.pt"):
    print("(What was handed in is graded.)")


def check_translator(path="translator.pt"):
    print("(Judged when the notebook is graded.)")
'''
MINE = '''"""Pieces to build on: the learner's own where they passed their check, or stand-bys."""

from autograder.engine.course import current
from autograder.engine.pieces import to_build_on


def __getattr__(name):
    if name not in current().lesson_of:
        raise AttributeError(f"the course has no exercise called {name!r}")
    return to_build_on(name)
'''
FIGURES = Path(__file__).with_name("figures.py")


def fill(place):
    """Fill a folder."""
    (place / "solutions").mkdir(parents=True)
    (place / "course").mkdir()
    for path in Path(solutions.__file__).parent.glob("*.py"):
        if path.stem == "fast":
            continue
        text = path.read_text(encoding="utf-8")
        if path.stem in LESSONS:
            text = with_stand_bys(text, path.stem)
        (place / "solutions" / path.name).write_text(text, encoding="utf-8")
    (place / "course" / "mine.py").write_text(MINE, encoding="utf-8")
    (place / "course" / "capstone.py").write_text(CAPSTONE, encoding="utf-8")
    (place / "course" / "quiz.py").write_text(QUIZ, encoding="utf-8")
    (place / "course" / "__init__.py").write_text("", encoding="utf-8")
    (place / "course" / "figures.py").write_bytes(FIGURES.read_bytes())


def with_stand_bys(text, module):
    """A lesson's module of which what learners write is a stand-by."""
    names = [exercise.name for exercise in exercises_of(module)]
    kept = [node for node in ast.parse(text).body if getattr(node, "name", None) not in names]
    first = 1 if ast.get_docstring(ast.Module(kept, [])) else 0
    own = ast.parse(f"from course.stand_bys.{module} import {', '.join(names)}").body
    return ast.unparse(ast.Module([*kept[:first], *own, *kept[first:]], [])) + "\n"
