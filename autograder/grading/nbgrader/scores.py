"""What the gradebook says of a class, read with a few questions however large the class is.

nbgrader's own properties ask the database anew for every student, and read all grades each time.
"""

from dataclasses import dataclass, field
from datetime import datetime

from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    GradeCell,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from sqlalchemy import Integer, func


@dataclass(frozen=True)
class Score:
    """What one cell of one student earned.

    Args:
        automatic, by_hand: None if there is none.
        extra: credit that somebody added.
        most: what the cell is worth.
        waits: has somebody to look at it first?
    """

    automatic: float | None
    by_hand: float | None
    extra: float
    most: float
    waits: bool

    @property
    def points(self):
        """As nbgrader counts it: what a person entered comes first."""
        given = self.automatic if self.by_hand is None else self.by_hand
        return (given or 0.0) + self.extra


@dataclass
class Standing:
    """One student's submission of one assignment.

    Args:
        penalty: what lateness costs.
        cells: {(notebook, cell): Score}
    """

    student: str
    name: str = ""
    timestamp: datetime | None = None
    penalty: float = 0.0
    cells: dict[tuple[str, str], Score] = field(default_factory=dict)

    @property
    def raw(self):
        return sum(score.points for score in self.cells.values())

    @property
    def points(self):
        return max(0.0, self.raw - self.penalty)


@dataclass(frozen=True)
class Total:
    """A submission's points, for those who need no more."""

    raw: float
    penalty: float
    timestamp: datetime | None
    waits: int = 0  # so many cells have to be looked at first

    @property
    def points(self):
        return max(0.0, self.raw - self.penalty)


def standings(session, assignment):
    """{student: Standing} of all who have a submission in the gradebook.

    Args:
        assignment: its row.
    """
    found, by_submission = {}, {}
    for key, timestamp, student, first, last in submissions(session, assignment):
        standing = Standing(student, full_name(first, last), timestamp)
        found[student] = by_submission[key] = standing
    for key, penalty in penalties(session):
        if key in by_submission:
            by_submission[key].penalty = penalty or 0.0
    for key, notebook, cell, score in scores(session, assignment):
        if key in by_submission:
            by_submission[key].cells[notebook, cell] = score
    return dict(sorted(found.items()))


def submissions(session, assignment):
    """(submission, timestamp, student, first name, last name) of each of an assignment's."""
    return (
        session.query(
            SubmittedAssignment.id,
            SubmittedAssignment.timestamp,
            Student.id,
            Student.first_name,
            Student.last_name,
        )
        .join(Student, Student.id == SubmittedAssignment.student_id)
        .filter(SubmittedAssignment.assignment_id == assignment.id)
    )


def scores(session, assignment):
    """(submission, notebook, cell, Score) of each cell of an assignment that earns points."""
    cell, grade, scored, task = (
        table.__table__.c for table in (BaseCell, Grade, GradeCell, TaskCell)
    )
    rows = (
        session.query(
            SubmittedNotebook.assignment_id,
            Notebook.name,
            cell.name,
            grade.auto_score,
            grade.manual_score,
            grade.extra_credit,
            func.coalesce(scored.max_score, task.max_score, 0.0),
        )
        .select_from(Notebook.__table__)
        .join(SubmittedNotebook.__table__, SubmittedNotebook.notebook_id == Notebook.id)
        .join(Grade.__table__, grade.notebook_id == SubmittedNotebook.id)
        .join(BaseCell.__table__, cell.id == grade.cell_id)
        .outerjoin(GradeCell.__table__, scored.id == cell.id)
        .outerjoin(TaskCell.__table__, task.id == cell.id)
        .filter(Notebook.assignment_id == assignment.id)
    )
    for key, notebook, name, automatic, by_hand, extra, most in rows:
        waits = automatic is None and by_hand is None
        yield key, notebook, name, Score(automatic, by_hand, extra or 0.0, most, waits)


def totals(session):
    """{(assignment's name, student): Total} of all submissions in the gradebook."""
    grade = Grade.__table__.c
    points = func.coalesce(grade.manual_score, grade.auto_score, 0.0)
    waits = func.sum((grade.manual_score.is_(None) & grade.auto_score.is_(None)).cast(Integer))
    rows = (
        session.query(
            SubmittedNotebook.assignment_id,
            func.sum(points + func.coalesce(grade.extra_credit, 0.0)),
            waits,
        )
        .join(Grade.__table__, grade.notebook_id == SubmittedNotebook.id)
        .group_by(SubmittedNotebook.assignment_id)
    )
    sums = {key: (total, count) for key, total, count in rows}
    late = dict(penalties(session))
    submitted = session.query(
        SubmittedAssignment.id,
        # A column, which pyright takes for what a row holds there.
        Assignment.name,  # pyright: ignore[reportGeneralTypeIssues]
        SubmittedAssignment.student_id,
        SubmittedAssignment.timestamp,
    ).join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
    found = {}
    for key, assignment, student, timestamp in submitted:
        total, count = sums.get(key, (0.0, 0))
        late_by = late.get(key) or 0.0
        found[assignment, student] = Total(total or 0.0, late_by, timestamp, count or 0)
    return found


def penalties(session):
    """(submission, what lateness costs it)"""
    return (
        session.query(
            SubmittedNotebook.assignment_id, func.sum(SubmittedNotebook.late_submission_penalty)
        )
        .group_by(SubmittedNotebook.assignment_id)
        .all()
    )


def full_name(first, last):
    return " ".join(filter(None, (first, last)))
