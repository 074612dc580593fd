"""A course's folder and gradebook, as nbgrader's own configuration describes them."""

import os
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import (
    Assignment,
    Comment,
    Grade,
    Gradebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    new_uuid,
)
from nbgrader.apps import NbGrader
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import find_all_files, parse_utc
from sqlalchemy.orm import Session
from traitlets import TraitError

from ...notebooks import handed_in
from ...notebooks.plan import Plan, plan_of
from ...notebooks.submission import is_linked
from .. import gradebook, trouble
from ..gradebook import Row
from ..trouble import CourseError
from . import stale
from .plugins import SandboxedExecute

# Of a submitted notebook: its own row, and by the names of cells those of grades and comments.
Rows = tuple[Row, dict[str, Row], dict[str, Row]]


@dataclass
class Handed:
    """What a student handed in.

    Args:
        folder: where it lies.
        notebooks: {name of the notebook: its file}, as far as they are there.
        others: notebooks that the assignment does not have.
        timestamp: when it was handed in, if that is known.
        untimely: does what it says of that make no sense?
        files: {name: path} of what lies beside the notebooks and is taken over.
        troubles: sentences on what is wrong with the timestamp, and on files left out.
        within: the folder of all students' folders.
    """

    student: str
    folder: Path
    notebooks: dict[str, Path]
    others: tuple[str, ...] = ()
    timestamp: datetime | None = None
    untimely: bool = False
    files: dict[str, Path] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    within: Path | None = None


def opened(url: str, course: str) -> Gradebook:
    """nbgrader's Gradebook; one that cannot be read is closed again before its error goes on."""
    book = Gradebook.__new__(Gradebook)
    try:
        book.__init__(url, course)
    except Exception:
        if hasattr(book, "db"):
            book.close()
        raise
    return book


class Classroom:
    """One assignment of a course, with its gradebook open.

    Args:
        root: the course's folder, with nbgrader_config.py.
        assignment: its name.
    """

    def __init__(self, root: str | Path, assignment: str):
        root = Path(root).resolve()
        if not root.is_dir():
            raise CourseError(f"There is no folder called {root}.")
        if not (root / "nbgrader_config.py").is_file() and not (root / "source").is_dir():
            raise CourseError(f"{root} is no nbgrader course: it has no nbgrader_config.py.")
        self.root, self.assignment = root, assignment
        self.app, self.directory = application(root)
        self.converter = Autograde(coursedir=self.directory, parent=self.app)
        try:
            self.settings = SandboxedExecute(parent=self.converter)
        except TraitError as error:
            raise CourseError(f"nbgrader_config.py has a value that cannot be: {error}") from None
        self.penalties = AssignLatePenalties(parent=self.converter)
        self.penalties.init_plugin()
        self.open()

    def open(self):
        url = self.directory.db_url
        try:
            self.book = opened(url, self.directory.course_id)
        except Exception as error:
            raise CourseError(
                trouble.of_gradebook(error)
                or f"The gradebook {url} cannot be opened ({error}). If nbgrader is newer than it, "
                f"make a copy of it and run `nbgrader db upgrade`."
            ) from None
        try:
            self.read()
        except BaseException:
            self.close()
            raise

    def read(self):
        """What of the gradebook stays the same during a run."""
        # What was read stays valid after a commit: nobody else writes while a run goes on.
        self.session = Session(self.book.engine, expire_on_commit=False)
        row = self.session.query(Assignment).filter_by(name=self.assignment).one_or_none()
        if row is None:
            known = [str(each.name) for each in self.session.query(Assignment)]
            there = f" It has: {', '.join(sorted(known))}." if known else ""
            raise CourseError(
                f"The gradebook knows no assignment called {self.assignment!r}.{there} "
                f"`nbgrader generate_assignment {self.assignment}` makes one of source/."
            )
        self.row: Row = row
        self.notebooks = {notebook.name: notebook for notebook in self.row.notebooks}
        self.names = {notebook.id: notebook.name for notebook in self.row.notebooks}
        cells = [cell for notebook in self.row.notebooks for cell in notebook._base_cells]
        self.cells = {cell.id: cell for cell in cells}

    def close(self):
        self.session.close()
        self.book.close()

    # --- Where things lie -------------------------------------------------------------------------

    def path(self, step: str, student: str) -> Path:
        return Path(self.directory.format_path(step, student, self.assignment))

    def stale(self, plans: dict[str, Plan]) -> str:
        """A sentence if source/ says something else than the gradebook; "" otherwise."""
        folder = self.path(self.directory.source_directory, ".")
        return stale.sentence(plans, folder, self.assignment)

    def plans(self) -> dict[str, Plan]:
        """{name of a notebook: its Plan}"""
        source = self.path(self.directory.source_directory, ".")
        rows = self.notebooks.items()
        return {name: plan_of(row, source / f"{name}.ipynb") for name, row in rows}

    def handed_in(self, student: str = "*") -> list[Handed]:
        """What was handed in, by student; those that are to be left out are."""
        directory = self.directory
        excluded = set(filter(None, directory.student_id_exclude.split(",")))
        pattern = Path(directory.format_path(directory.submitted_directory, "*", self.assignment))
        parts = pattern.relative_to(self.root).parts if pattern.is_relative_to(self.root) else ()
        if "*" not in parts:
            raise CourseError(f"submitted/ is looked for as {pattern}, which has no student in it.")
        place = parts.index("*")
        found = []
        for folder in sorted(self.root.glob(str(Path(*parts)))):
            name = folder.relative_to(self.root).parts[place]
            if name in excluded or (student != "*" and name != student) or not folder.is_dir():
                continue
            found.append(self.look_at(name, folder))
        return found

    def look_at(self, student: str, folder: Path) -> Handed:
        within = handed_in.students_folder(self.directory)
        if is_linked(folder, within):  # to read it would be to read somebody else's; see submission
            names = {name: folder / f"{name}.ipynb" for name in self.notebooks}
            return Handed(student, folder, names, within=within)
        there = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
        found = {name: path for name, path in there.items() if name in self.notebooks}
        others = [name for name in there if name not in self.notebooks]
        missing = [name for name in self.notebooks if name not in found]
        if len(missing) == 1 and len(others) == 1:  # it was given another name
            found[missing[0]] = there[others[0]]
        for name in missing:  # it may lie in a folder below
            below = handed_in.below(folder, f"{name}.ipynb")
            if name not in found and len(below) == 1:
                found[name] = below[0]
        files, left_out = handed_in.beside(folder, self.directory.ignore)
        when, trouble = handed_in.handed_in_at(folder)
        troubles = tuple(filter(None, [trouble, *left_out]))
        times = when, bool(trouble)
        return Handed(student, folder, found, tuple(others), *times, files, troubles, within)

    # --- The one who writes -----------------------------------------------------------------------

    def save(
        self, handed: Handed, found: dict[str, dict[str, Any]], missing: Container[str]
    ) -> list[tuple[str, float | None, float, float]]:
        """Enter a submission's scores and comments, with one commit. Gives what a person's own
        score hides: [(cell, old, new, the person's)].

        Args:
            found: {notebook: entries}
            missing: names of notebooks that were not handed in: they earn nothing.
        """
        submitted, rows = self.submission_of(handed)
        hidden = []
        for row, grades, comments in rows:
            name = self.names[row.notebook_id]
            before = {cell: grade.auto_score for cell, grade in grades.items()}
            if name in missing:
                for grade in grades.values():
                    grade.auto_score, grade.needs_manual_grade = 0, False
                continue
            gradebook.enter(grades, comments, found[name])
            for cell, grade in grades.items():
                if grade.manual_score is not None and before[cell] != grade.auto_score:
                    hidden.append((cell, before[cell], grade.auto_score, grade.manual_score))
        self.punish_lateness(submitted, [row for row, _, _ in rows], handed.student)
        self.session.commit()
        return hidden

    def submission_of(self, handed: Handed) -> tuple[Row, list[Rows]]:
        """(the row of a student's submission, [(row of a notebook, its grades, its comments)]);
        made if need be. All ids are set here, so that everything is written at once."""
        session = self.session
        if session.get(Student, handed.student) is None:
            if not self.converter.create_student:
                raise CourseError(f"The gradebook knows no student called {handed.student}.")
            session.add(Student(id=handed.student))
        by = {"assignment_id": self.row.id, "student_id": handed.student}
        submitted = session.query(SubmittedAssignment).filter_by(**by).one_or_none()
        if submitted is None:
            submitted = SubmittedAssignment(id=new_uuid(), **by)
            session.add(submitted)
            rows = [self.new_rows(notebook, submitted) for notebook in self.row.notebooks]
        else:
            of = session.query(SubmittedNotebook).filter_by(assignment_id=submitted.id)
            rows = [(row, self.of_row(Grade, row), self.of_row(Comment, row)) for row in of]
        if handed.timestamp is not None or handed.untimely:  # in place of one from before
            enter_time(submitted, handed.timestamp)
        return submitted, rows

    def new_rows(self, notebook: Row, submitted: Row) -> Rows:
        """What belongs to a submitted notebook, as nbgrader's add_submission makes it."""
        row = SubmittedNotebook(id=new_uuid(), notebook_id=notebook.id, assignment_id=submitted.id)
        graded = [*notebook.grade_cells, *notebook.task_cells]
        said = [*notebook.solution_cells, *notebook.task_cells]
        grades = {c.name: Grade(cell_id=c.id, notebook_id=row.id) for c in graded}
        comments = {c.name: Comment(cell_id=c.id, notebook_id=row.id) for c in said}
        self.session.add_all([row, *grades.values(), *comments.values()])
        return row, grades, comments

    def of_row(self, kind: type, row: Row) -> dict[str, Row]:
        """{name of the cell: the Grade or Comment} of a submitted notebook."""
        found = self.session.query(kind).filter_by(notebook_id=row.id)
        return {self.cells[each.cell_id].name: each for each in found}

    def punish_lateness(self, submitted: Row, rows: list[Row], student: str) -> None:
        """Late penalties, by the plugin that the course names, as nbgrader applies it."""
        submitted.assignment = self.row
        late = submitted.total_seconds_late
        for row in rows:
            row.late_submission_penalty = None
            if late > 0:
                self.session.flush()
                self.session.refresh(row, ["score"])
                plugin = self.penalties.plugin_inst
                # nbgrader says only that it is a plugin.
                penalty = plugin.late_submission_penalty(  # pyright: ignore[reportAttributeAccessIssue]
                    student, row.score, late
                )
                if penalty is not None:
                    checked = self.penalties._check_late_penalty(row, penalty)
                    row.late_submission_penalty = checked

    def other_files(self, handed: Handed) -> dict[str, Path]:
        """{name: path} of what lies beside the notebooks, the instructor's files over the
        student's."""
        exclude = [*self.directory.ignore, "*.ipynb"]
        files = dict(handed.files)
        source = self.path(self.directory.source_directory, ".").resolve()
        kept = self.converter.exclude_overwriting.get(self.assignment, [])
        for path in map(Path, find_all_files(str(source), exclude)):
            name = str(path.relative_to(source))
            if name not in kept:
                files[name] = path
        return files


def enter_time(submitted: Row, when: datetime | None) -> None:
    """When a submission was handed in; None if that is not known."""
    submitted.timestamp = None if when is None else parse_utc(when)


def application(root: Path) -> tuple[NbGrader, CourseDirectory]:
    """nbgrader's own application object, with the course's configuration, and its folders."""
    before = os.getcwd()
    os.chdir(root)  # it looks for nbgrader_config.py in the current folder
    try:
        app = NbGrader()
        app.log_level = 40
        app.initialize([], root=str(root))
        directory = app.coursedir
        if not isinstance(directory, CourseDirectory):
            raise CourseError(f"{root} is no nbgrader course.")
        return app, directory
    except SystemExit:
        raise CourseError(f"{root}/nbgrader_config.py cannot be read; see above.") from None
    finally:
        os.chdir(before)
