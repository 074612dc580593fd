"""A small course with a real gradebook, and learners that nobody ever was."""

import os
import sys
from datetime import datetime
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook, writes
from nbgrader.api import Gradebook

from autograder.grading import records
from course.checks import find
from course.stubs import stub_of

ASSIGNMENT = "01_attention"
EXERCISES = {name: find(name) for name in ("softmax", "causal_mask", "padding_mask")}
EMPTY = {}  # gradebooks without a student: making one takes a second or two
CONFIG = """c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "made_up"
c.CourseDirectory.db_url = "sqlite:///{root}/elsewhere.db"
"""


class Course:
    """A course folder in which things can be put as if they had been graded.

    Args:
        exercises: {name: Exercise} that the assignment consists of, besides a quiz and a question.
        tests: {name: source} of cells whose own asserts decide, each worth 10 points.
    """

    def __init__(self, root, exercises=EXERCISES, tests=()):
        self.root, self.exercises, self.tests = Path(root), exercises, dict(tests)
        (self.root / "nbgrader_config.py").write_text(CONFIG.format(root=self.root))
        cells = (*exercises, *self.tests)
        if cells not in EMPTY:
            self.make_gradebook()
            EMPTY[cells] = self.database.read_bytes()
        self.database.write_bytes(EMPTY[cells])

    @property
    def database(self):
        return self.root / "elsewhere.db"

    def make_gradebook(self):
        here = str(Path(sys.executable).parent)  # a new gradebook asks the command alembic
        if here not in os.environ["PATH"].split(os.pathsep):
            os.environ["PATH"] = here + os.pathsep + os.environ["PATH"]
        with self.book() as book:
            book.add_assignment(ASSIGNMENT, duedate="2030-01-01 00:00:00")
            book.add_notebook(ASSIGNMENT, ASSIGNMENT)
            where = ASSIGNMENT, ASSIGNMENT
            for name, exercise in self.exercises.items():
                given = {"cell_type": "code", "source": stub_of(exercise)}
                book.add_solution_cell(name, *where)
                book.add_source_cell(name, *where, **given)
                check = {"cell_type": "code", "source": f"check({name})", "locked": True}
                worth = exercise.max_score
                book.add_grade_cell(f"check_{name}", *where, max_score=worth, cell_type="code")
                book.add_source_cell(f"check_{name}", *where, **check)
            for name, source in self.tests.items():
                book.add_grade_cell(name, *where, max_score=10, cell_type="code")
                book.add_source_cell(name, *where, cell_type="code", source=source, locked=True)
            quiz = {"cell_type": "code", "source": f'check_quiz("{ASSIGNMENT}", answers)'}
            book.add_grade_cell("quiz_attention", *where, max_score=4, cell_type="code")
            book.add_source_cell("quiz_attention", *where, **quiz, locked=True)
            book.add_grade_cell("in_words", *where, max_score=5, cell_type="markdown")
            book.add_solution_cell("in_words", *where)
            book.add_source_cell("in_words", *where, cell_type="markdown", source="Why?")

    def book(self):
        return Gradebook(f"sqlite:///{self.database}", "made_up")

    def add(self, student, points=None, quiz=4.0, words=None, by_hand=None, late=0.0, **names):
        """A student with a graded submission.

        Args:
            points: {exercise: what it earned}; full marks where nothing is said.
            words: points for the answer in words, by hand; None if nobody has read it.
            by_hand: {cell: points}
            names: first_name, last_name, email, lms_user_id
        """
        with self.book() as book:
            book.update_or_create_student(student, **names)
            with book.db.no_autoflush:
                submitted = book.add_submission(ASSIGNMENT, student)
            submitted.timestamp = datetime(2029, 12, 31, 12, 0)
            for notebook in submitted.notebooks:
                notebook.late_submission_penalty = late
                for grade in notebook.grades:
                    name = grade.cell.name
                    exercise = self.exercises.get(name.removeprefix("check_"))
                    if exercise is not None:
                        grade.auto_score = (points or {}).get(exercise.name, exercise.max_score)
                    elif name in self.tests:
                        grade.auto_score = (points or {}).get(name, 10)
                    elif name == "quiz_attention":
                        grade.auto_score = quiz
                    else:
                        grade.manual_score = words
                    if name in (by_hand or {}):
                        grade.manual_score = by_hand[name]
                    grade.needs_manual_grade = grade.auto_score is None
            book.db.commit()

    def record(
        self, student, points=None, diagnosis=None, shortcut=(), notebook=ASSIGNMENT, **about
    ):
        """The record of how a submission was graded.

        Args:
            diagnosis: {exercise: ids of mistakes}
            notebook: its name.
            about: what differs from an ordinary run: seconds, events, troubles, level, …
        """
        cells = [
            {
                "grade_id": f"check_{name}",
                "exercise": exercise.id,
                "kind": "check",
                "points": (points or {}).get(name, exercise.max_score),
                "max_points": exercise.max_score,
                "diagnosis": list((diagnosis or {}).get(name, ())),
                "shortcut": name in shortcut,
                "seconds": 0.05,
            }
            for name, exercise in self.exercises.items()
        ]
        usual = {
            "protection": "level 2 (limits, Landlock, seccomp, namespaces)",
            "level": 2,
            "events": [],
            "troubles": [],
            "seconds": 0.4,
            "cpu": 0.4,
            "memory": 90 * 2**20,
            "cells": cells,
        }
        notebooks = {notebook: usual | about}
        made = records.record_of(student, ASSIGNMENT, "key", 7, notebooks)
        records.append(self.root, ASSIGNMENT, made)

    def put(self, step, student, answers):
        """A notebook with these {exercise: source}, in submitted/, autograded/ or source/."""
        folder = self.root / step / student / ASSIGNMENT
        folder.mkdir(parents=True, exist_ok=True)
        notebook = new_notebook()
        for name, exercise in self.exercises.items():
            cell = new_code_cell(answers.get(name, stub_of(exercise)))
            cell.metadata["nbgrader"] = {"grade_id": name}
            notebook.cells.append(cell)
        (folder / f"{ASSIGNMENT}.ipynb").write_text(writes(notebook), encoding="utf-8")
