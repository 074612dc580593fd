"""nbgrader's step that executes and scores, replaced by ours: named in nbgrader_config.py.

`nbgrader autograde` and the formgrader's button then run learners' cells in the sandbox, and have
the judge outside look at what they made. Everything else stays nbgrader's.
"""

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import Autograde, NbGraderException
from nbgrader.converters.base import BaseConverter
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    ClearOutput,
    Execute,
    GetGrades,
    NbGraderPreprocessor,
    SaveAutoGrades,
)
from nbgrader.utils import is_grade
from sqlalchemy.exc import OperationalError
from traitlets import Bool, Enum, Float, Integer, Union

from ...engine.limits import CHANGES
from ...notebooks import handed_in, submission
from ...notebooks.plan import asked_of, plan_of, put_back
from ...notebooks.remarks import remarks
from ...sandbox.box import keeper_of_process
from ...sandbox.walls import BEST, Limits
from .. import gradebook, records, seeds, trouble
from ..asserts import without_notes
from ..gradebook import Row
from ..judge import judge_with
from ..notebook_run import grade
from ..trouble import CourseError
from . import stale

RESULTS = "autograder"  # where results wait between two of nbgrader's steps
HIDDEN = re.compile(
    r"^[^\n]*BEGIN HIDDEN TESTS.*?END HIDDEN TESTS[^\n]*$", re.DOTALL | re.MULTILINE
)
TROUBLES = {}  # what was wrong with a notebook, until it is graded


class InCourse:
    """A step that knows which course it works in."""

    parent: Any  # what it is a part of, as traitlets have it

    @property
    def directory(self):
        """The course's folders, as the converter that we are a part of was told."""
        converter = getattr(self.parent, "parent", None)
        return getattr(converter, "coursedir", None) or CourseDirectory()

    def folder(self, step, about):
        return Path(self.directory.format_path(step, about["student"], about["assignment"]))

    def plan(self, about):
        """The Plan of the notebook that nbgrader is at."""
        source = self.folder(self.directory.source_directory, about | {"student": "."})
        with Gradebook(about["db_url"]) as book:
            row = book.find_notebook(about["notebook"], about["assignment"])
            return plan_of(row, source / f"{about['notebook']}.ipynb")


class BoundedCopies(BaseConverter):
    """Takes over what lies beside a notebook as `autograder grade` does: ordinary files up to a
    limit, where nbgrader copies whatever is there, and what links lead to."""

    def init_assignment(self, assignment_id, student_id):
        source = Path(self._format_source(assignment_id, student_id))
        target = Path(self._format_dest(assignment_id, student_id))
        files, _ = beside(self.coursedir, source)
        for name, path in files.items():
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            shutil.copyfile(path, place)


class CarefulAutograde(Autograde, BoundedCopies):
    """nbgrader's converter with our copying in place of its own, which it calls as `super()`."""

    coursedir: CourseDirectory

    def init_assignment(self, assignment_id, student_id):
        super().init_assignment(assignment_id, student_id)
        folder = self._format_source(assignment_id, student_id)
        linked = submission.is_linked(folder, handed_in.students_folder(self.coursedir))
        if not linked and handed_in.handed_in_at(folder)[1]:
            with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as book:
                row: Row = book.find_submission(assignment_id, student_id)
                row.timestamp = None
                book.db.commit()


def beside(directory, folder):
    """({name: path} of what is taken over, sentences on what is not); nothing of what is a link."""
    if submission.is_linked(folder, handed_in.students_folder(directory)):
        return {}, []
    return handed_in.beside(folder, directory.ignore)


class TolerantExporter(NotebookExporter):
    """Reads submissions, also those that are no notebooks, and makes its converter careful: it is
    the first thing of ours that nbgrader makes, before it touches any submission. What cannot be
    graded at all ends here."""

    parent: Any  # the converter that it belongs to

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        if type(self.parent) is Autograde:
            self.parent.__class__ = CarefulAutograde
            directory = self.parent.coursedir
            # Ours takes the place of nbgrader's method, in this one object.
            careful = partial(careful_timestamp, directory)
            directory.get_existing_timestamp = careful  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
            self.look_at(directory)

    def look_at(self, directory):
        try:
            seeds.key_of(directory.root)
            said = sentence_on_source(directory)
        except (CourseError, OSError) as error:
            self.log.error(trouble.sentence(error, directory.root))
            raise NbGraderException("Nothing was graded.") from None
        if said:
            self.log.warning(said)

    def from_filename(self, filename, resources=None, **options):
        ours = not getattr(self.parent, "_sanitizing", True)  # what it reads now, we have written
        if ours or resources is None:
            return super().from_filename(filename, resources=resources, **options)
        clears = ClearOutput(parent=self.parent).enabled  # not with --no-execute
        directory, folder = self.parent.coursedir, Path(filename).parent
        within = handed_in.students_folder(directory)
        read = submission.read(filename, with_outputs=not clears, within=within)
        read.troubles += self.troubles_beside(directory, folder, resources)
        resources[RESULTS] = {"troubles": read.troubles}
        if read.troubles:
            student = resources.get("nbgrader", {}).get("student", "")
            self.log.warning("%s: %s", student, " ".join(read.troubles))
        return self.from_notebook_node(read.notebook, resources=resources, **options)

    def troubles_beside(self, directory, folder, resources):
        """What is said of the folder that a notebook lies in, and of when it was handed in."""
        if submission.is_linked(folder, handed_in.students_folder(directory)):
            return []
        about = resources["nbgrader"]
        step = directory.autograded_directory
        taken = directory.format_path(step, about["student"], about["assignment"])
        _, when = handed_in.handed_in_at(folder)
        _, left_out = beside(directory, folder)
        not_given = handed_in.not_given(handed_in.files_in(taken))
        return [*filter(None, [when]), *left_out, *not_given]


def careful_timestamp(directory, folder):
    """In place of nbgrader's own, which ends the run at a text that is no time, and reads a link or
    gigabytes."""
    root = handed_in.students_folder(directory)
    if Path(folder).is_relative_to(root) and submission.is_linked(folder, root):
        return None
    return handed_in.handed_in_at(folder)[0]


def sentence_on_source(directory):
    """What is to be said if source/ is not what the gradebook knows."""
    name = directory.assignment_id
    folder = Path(directory.format_path(directory.source_directory, ".", name))
    try:
        with Gradebook(directory.db_url, directory.course_id) as book:
            rows = book.find_assignment(name).notebooks
            plans = {row.name: plan_of(row, folder / f"{row.name}.ipynb") for row in rows}
    except MissingEntry:
        return ""
    except OperationalError as error:
        said = trouble.of_gradebook(error)
        if said:
            raise CourseError(said) from None
        return ""  # nbgrader speaks of that
    return stale.sentence(plans, folder, name)


class Normalise(InCourse, NbGraderPreprocessor):
    """Make the submission the notebook that the gradebook knows, with the learner's answers.

    In place of DeduplicateIds; OverwriteCells then finds nothing to do.
    """

    def preprocess(self, nb, resources):
        about = resources["nbgrader"]
        plan = self.plan(about)
        told = remarks(nb, plan)
        if told:
            self.log.warning("%s: %s", about["student"], " ".join(told))
        troubles = [*resources.get(RESULTS, {}).get("troubles", []), *told]
        TROUBLES[tuple(about.values())] = troubles
        return submission.with_notice(put_back(nb, plan), troubles), resources


class SandboxedExecute(InCourse, Execute):
    """Run learners' cells in the sandbox; the judge looks at what is checked."""

    minimum_level = Union(
        [Integer(), Enum([BEST])],
        default_value=BEST,
        help="How well learners' code must be shut in: 'best' as well as this machine can, or 0 "
        "not at all (you trust it), 1 Landlock and seccomp, 2 namespaces as well, 3 and a cgroup. "
        "Where that can't be had, nothing is graded.",
    ).tag(config=True)
    cell_seconds = Float(
        30.0, help="What one cell may take; `timeout`, nbgrader's own setting, if that is less."
    ).tag(config=True)
    namespaces = Bool(True, help="Use namespaces where they can be had.").tag(config=True)
    check_seconds = Float(10.0, help="What one check may take.").tag(config=True)
    total_seconds = Float(300.0, help="What one notebook may take.").tag(config=True)
    changes = Integer(
        CHANGES,
        help="Answers that are asked of changed versions of a wrong one, to find its line; 0 to "
        "find none.",
    ).tag(config=True)
    memory = Integer(2 * 2**30, help="Bytes that learners' code may take.").tag(config=True)
    disk = Integer(64 * 2**20, help="Bytes that learners' code may write.").tag(config=True)

    def preprocess(self, nb, resources, km=None):
        about = resources["nbgrader"]
        plan = self.plan(about)
        if plan.language != "python":
            raise NotImplementedError(
                f"{about['notebook']}.ipynb is written in {plan.language}. What runs learners' "
                f"cells here is Python; nbgrader's own Execute runs other languages."
            )
        graded = grade(
            nb,
            plan,
            keeper_of_process(self.minimum_level, self.namespaces),
            judge_with(seeds.seed_of(self.directory.root, about["assignment"])),
            self.limits(),
            handed_in.contents(handed_in.files_in(resources["metadata"]["path"])),
        )
        for event in graded.events:
            self.log.warning("%s: %s", about["student"], event)
        self.log.info("%s ran with %s", about["student"], graded.protection)
        graded.troubles = TROUBLES.pop(tuple(about.values()), [])
        resources[RESULTS] = {
            "plan": plan,
            "results": graded.results,
            "about": records.about(graded),
        }
        return graded.notebook, resources

    def limits(self):
        """What a submission may take, by the course's configuration."""
        return Limits(
            cell=min(self.cell_seconds, self.timeout or self.cell_seconds),
            check=self.check_seconds,
            total=self.total_seconds,
            mending=self.changes,
            memory=self.memory,
            disk=self.disk,
        )


class SaveGrades(InCourse, SaveAutoGrades):
    """Write scores and comments into the gradebook, at once."""

    def preprocess(self, nb, resources):
        about = resources["nbgrader"]
        waiting = resources.get(RESULTS, {})
        if "results" not in waiting:
            return self.by_outputs(nb, resources)
        with Gradebook(about["db_url"]) as book:
            row = book.find_submission_notebook(
                about["notebook"], about["assignment"], about["student"]
            )
            grades = {grade.cell.name: grade for grade in row.grades}
            comments = {comment.cell.name: comment for comment in row.comments}
            found = gradebook.entries(nb, waiting["plan"], waiting["results"])
            gradebook.enter(grades, comments, found)
            book.db.commit()
        root = self.directory.root
        seed = seeds.seed_of(root, about["assignment"])
        notebooks = {about["notebook"]: waiting["about"]}
        record = records.record_of(about["student"], about["assignment"], "", seed, notebooks)
        try:
            records.append(root, about["assignment"], record)
        except OSError as error:  # the points are in the gradebook by now, and the grading goes on
            self.log.error(trouble.of_file(error, root))
        return nb, resources

    def by_outputs(self, nb, resources):
        """--no-execute: what cells have shown at home counts, as nbgrader has it. Not of checks:
        what stands below them earns nothing by itself, so a person is to look."""
        nb, resources = super().preprocess(nb, resources)
        about = resources["nbgrader"]
        plan = self.plan(about)
        submission.readable(nb, {cell.source for cell in plan.cells})
        TROUBLES.pop(tuple(about.values()), None)
        with Gradebook(about["db_url"]) as book:
            row = book.find_submission_notebook(
                about["notebook"], about["assignment"], about["student"]
            )
            for grade in row.grades:
                planned = plan.cell(grade.cell.name)
                if planned is not None and asked_of(planned.source):
                    grade.auto_score, grade.needs_manual_grade = None, True
            book.db.commit()
        return nb, resources


class GetGradesWithoutHiddenTests(GetGrades):
    """nbgrader's feedback, without the text of hidden tests and without notes for graders."""

    def preprocess_cell(self, cell, resources, cell_index):
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if is_grade(cell) and HIDDEN.search(cell.source):
            cell.source = HIDDEN.sub("# (hidden tests)", cell.source)
            for output in cell.get("outputs", ()):
                if output.output_type == "error":
                    output.traceback = [f"{output.ename}: {output.evalue}"]
        return without_notes(cell), resources
