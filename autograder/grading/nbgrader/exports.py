"""Grades as CSV files: for spreadsheets, for Canvas and for Moodle.

`nbgrader export` writes the first of them, in the columns that nbgrader itself writes; for the
others say

    nbgrader export --exporter autograder.grading.nbgrader.exports.CanvasExport --to canvas.csv
    nbgrader export --exporter autograder.grading.nbgrader.exports.MoodleExport --to moodle.csv

A name may hold a comma, a quotation mark or a line break, and a value that a spreadsheet would take
for a formula gets an apostrophe in front. Characters that nobody sees, and that a terminal or the
text around them would obey, are left out.
"""

import csv
import os

from nbgrader.plugins import ExportPlugin

from ...notebooks.characters import left_out
from .scores import totals

# What a spreadsheet may take for a formula, and what it skips before one.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NO_GRADE = "-"  # Moodle's own mark
POINTS_ROW = "Points Possible"  # Canvas takes any row for this one that has these words in front


def harmless(value):
    """A value as it may stand in a CSV file that somebody opens in a spreadsheet."""
    if value is None:
        return ""
    if isinstance(value, float | int):
        return plain(value)
    text = left_out(str(value))
    return "'" + text if text.lstrip(" ").startswith(FORMULA) else text


def plain(number):
    """A number without exponent, and without more digits than anybody wants."""
    text = f"{float(number):.4f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


class Table(ExportPlugin):
    """What all exports do: ask the gradebook, and write the file as a whole."""

    default_name = "grades.csv"

    def export(self, gradebook):
        destination = self.to or self.default_name
        wanted = {str(name) for name in self.assignment}
        chosen = {str(name) for name in self.student}
        every = [a for a in gradebook.assignments if not wanted or a.name in wanted]
        students = [s for s in gradebook.students if not chosen or s.id in chosen]
        for name in sorted(wanted - {assignment.name for assignment in every}):
            self.log.warning("The gradebook knows no assignment called %s", name)
        for name in sorted(chosen - {student.id for student in students}):
            self.log.warning("The gradebook knows no student called %s", name)
        self.log.info("Exporting grades to %s", destination)
        try:
            unfinished = self.write(destination, self.rows(every, students, totals(gradebook.db)))
        except OSError as error:
            self.log.error("%s cannot be written: %s", destination, error.strerror)
            raise SystemExit(1) from None
        if unfinished:
            self.log.warning(
                "%d submissions have answers that nobody has graded yet; they count as 0 here",
                unfinished,
            )

    def rows(self, assignments, students, found):
        """Give the rows of the table, the header first; each with what is waiting in it."""
        raise NotImplementedError

    def write(self, destination, rows):
        """Write a file that is there as a whole or not at all; gives how many are not finished."""
        unfinished, altered, unseen = 0, 0, 0
        beside = f"{destination}.part"
        with open(beside, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            for values, waiting in rows:
                unfinished += waiting
                texts = [v if v == NO_GRADE else harmless(v) for v in values]
                plainly = [left_out(str(v)) for v in values]
                altered += sum(new == f"'{old}" for new, old in zip(texts, plainly))
                unseen += sum(new != str(old) for new, old in zip(plainly, values))
                writer.writerow(texts)
        os.replace(beside, destination)
        if altered:
            self.log.warning(
                "%d values begin like a formula; an apostrophe stands in front of them now", altered
            )
        if unseen:
            self.log.warning(
                "%d values held characters that nobody sees; they were left out", unseen
            )
        return unfinished


class GradesExport(Table):
    """One row for each student and assignment, in nbgrader's own columns."""

    columns = (
        *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
        *("raw_score", "late_submission_penalty", "score", "max_score"),
    )

    def rows(self, assignments, students, found):
        yield self.columns, 0
        for assignment in assignments:
            most = assignment.max_score
            for student in students:
                total = found.get((assignment.name, student.id))
                about = student.id, student.last_name, student.first_name, student.email
                earned = (total.raw, total.penalty, total.points) if total else (0.0, 0.0, 0.0)
                when = total.timestamp if total else None
                row = (assignment.name, assignment.duedate, when, *about, *earned, most)
                yield row, bool(total and total.waits)


class CanvasExport(Table):
    """One row for each student, as Canvas's Gradebook imports it.

    Canvas finds a student by its own number, which nbgrader keeps as `lms_user_id`, or else by the
    login, for which the student's id is taken. An assignment of the same name is filled in; a cell
    stays empty where nothing was handed in.
    """

    default_name = "canvas.csv"

    def rows(self, assignments, students, found):
        names = [assignment.name for assignment in assignments]
        yield ["Student", "ID", "SIS Login ID", "Section", *names], 0
        yield [f"    {POINTS_ROW}", "", "", "", *(a.max_score for a in assignments)], 0
        for student in students:
            mine = [found.get((name, student.id)) for name in names]
            name = ", ".join(filter(None, (student.last_name, student.first_name))) or student.id
            name = student.id if POINTS_ROW in name else name
            points = [total.points if total else None for total in mine]
            waiting = sum(bool(total and total.waits) for total in mine)
            yield [name, student.lms_user_id, student.id, "", *points], waiting


class MoodleExport(Table):
    """One row for each student, as Moodle's grade import reads it.

    There say which column names the user: "Username" for the student's id, "ID number" for
    nbgrader's `lms_user_id`, or "Email address". Moodle stops at the first user it does not know.
    """

    default_name = "moodle.csv"

    def rows(self, assignments, students, found):
        names = [assignment.name for assignment in assignments]
        yield ["Username", "ID number", "First name", "Last name", "Email address", *names], 0
        for student in students:
            mine = [found.get((name, student.id)) for name in names]
            points = [total.points if total else NO_GRADE for total in mine]
            waiting = sum(bool(total and total.waits) for total in mine)
            about = student.lms_user_id, student.first_name, student.last_name, student.email
            yield [student.id, *about, *points], waiting
