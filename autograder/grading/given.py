"""What a lesson's cells may import where they are graded: the course without this lesson's answers.

For a lesson a folder is made. In it, `solutions` holds the lessons before, which this one
builds on, and of the lesson itself and those after it no exercise; `course.mine` gives the
earlier lessons' parts; `course.quiz` and `course.capstone` ask nothing.
"""

import ast
import contextlib
import tempfile
from pathlib import Path

import course
import solutions

from ..checks import LESSONS, exercises_of

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
MINE = '''"""Parts that earlier lessons asked for, as the course's own version."""

'''
FIGURES = Path(course.__file__).parent / "figures.py"


def write_given(folder, lesson):
    """Make what this lesson is given, in a folder called as it, if it is not there yet."""
    if not lesson or (Path(folder) / lesson).exists():
        return
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        place = Path(aside) / lesson
        fill(place, earlier=LESSONS[: LESSONS.index(lesson)])
        with contextlib.suppress(OSError):  # another process was quicker
            place.rename(Path(folder) / lesson)


def fill(place, earlier):
    (place / "solutions").mkdir(parents=True)
    (place / "course").mkdir()
    write_solutions(place / "solutions", earlier)
    names = [(module, exercise.name) for module in earlier for exercise in exercises_of(module)]
    imports = "".join(f"from solutions.{module} import {name}\n" for module, name in names)
    (place / "course" / "mine.py").write_text(MINE + imports, encoding="utf-8")
    (place / "course" / "capstone.py").write_text(CAPSTONE, encoding="utf-8")
    (place / "course" / "quiz.py").write_text(QUIZ, encoding="utf-8")
    (place / "course" / "__init__.py").write_text("", encoding="utf-8")
    (place / "course" / "figures.py").write_bytes(FIGURES.read_bytes())


def write_solutions(place, earlier):
    for path in Path(solutions.__file__).parent.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.stem in LESSONS and path.stem not in earlier:
            text = without_exercises(text, path.stem)
        elif path.stem not in LESSONS and uses(text, set(LESSONS) - set(earlier)):
            continue  # it is built from what is still to be written
        (place / path.name).write_text(text, encoding="utf-8")


def without_exercises(text, module):
    """A module without what learners write, and without what is made of it."""
    names = {exercise.name for exercise in exercises_of(module)}
    tree = ast.parse(text)
    kept = []
    for node in tree.body:
        used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & names
        relative = isinstance(node, ast.ImportFrom) and node.level and node.module in LESSONS
        if getattr(node, "name", None) not in names and not used and not relative:
            kept.append(node)
    return ast.unparse(ast.Module(kept, [])) + "\n"


def uses(text, modules):
    """Does a module import any of these?"""
    imports = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom))
    return any(node.module in modules for node in imports)
