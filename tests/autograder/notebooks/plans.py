"""The Plan of a lesson, from a gradebook that nbgrader has filled."""

import os
import sys
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.preprocessors import SaveCells

from autograder.notebooks.plan import plan_of
from course.notebook import instructors, learners, text_of


def plan_of_lesson(lesson, folder):
    """Made in a folder, in which several may be made."""
    here = str(Path(sys.executable).parent)  # a new gradebook asks the command alembic
    if here not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = here + os.pathsep + os.environ["PATH"]
    stem, url = lesson.stem, f"sqlite:///{folder}/gradebook.db"
    source = Path(folder) / f"{stem}.ipynb"
    source.write_text(text_of(instructors(lesson)), encoding="utf-8")
    resources = {"nbgrader": {"notebook": stem, "assignment": stem, "db_url": url}}
    with Gradebook(url) as book:
        book.add_assignment(stem)
        SaveCells().preprocess(learners(lesson), resources)
        return plan_of(book.find_notebook(stem, stem), source)
