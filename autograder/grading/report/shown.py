"""What a report shows of the answers that bear no name: the code of one of each, and what such a
learner was told."""

import re
from itertools import takewhile

from nbgrader.api import MissingEntry

from ...engine.course import current
from ...notebooks import submission
from ...notebooks.outputs import text
from .nameless import Example, People, example_of
from .unnamed import groups_of

MOST_GROUPS = 20  # that are shown in full; the others are counted
MOST_READ = 20  # answers of a group that are read, to find the shortest
LONGEST_TOLD = 1200
A_LINE = re.compile(r"\bline \d")  # that is one of the learner's own


def unnamed_of(classroom, kept):
    """The groups of answers that bear no name, the largest first, with what is shown of them."""
    groups = groups_of(kept)
    people, plans = people_of(classroom), classroom.plans()
    for group in groups[:MOST_GROUPS]:
        student, found = shortest(classroom, group, kept, people)
        group.example = found.code if found else ""
        group.told = told_to(classroom, plans, student, group, kept)
    return groups


def people_of(classroom):
    """Everybody whose name must not stand in an example."""
    people = People()
    for student in classroom.book.students:
        email = (student.email or "").partition("@")[0]
        people.add(student.id, student.first_name, student.last_name, email)
    return people


# --- Their code -----------------------------------------------------------------------------------


def shortest(classroom, group, kept, people) -> tuple[str, Example | None]:
    """(who wrote it, the shortest Example of a group); the first student if there is none."""
    exercise = current().find(group.exercise)
    found = {}
    for student in group.students[:MOST_READ]:
        place = place_of(kept[student], group.exercise)
        example = example_of(cells_before(classroom, student, *place), exercise, people)
        if example is not None:
            found[student] = example
    if not found:
        return group.students[0], None
    return min(found.items(), key=lambda pair: (len(pair[1].code), pair[1].code, pair[0]))


def place_of(record, exercise):
    """(notebook, grade cell) where a record says that an exercise was checked."""
    return next(
        (notebook, cell["grade_id"])
        for notebook, about in record["notebooks"].items()
        for cell in about["cells"]
        if cell["exercise"] == exercise
    )


def cells_before(classroom, student, notebook, grade_id):
    """The code of a graded notebook up to the cell that checks it."""
    path = graded_file(classroom, student, notebook)
    cells = [cell for cell in cells_in_file(path) if cell.get("cell_type") == "code"]
    before = takewhile(lambda cell: submission.grade_id_of(cell) != grade_id, cells)
    return [source_of(cell) for cell in before]


def source_of(cell):
    source = cell.get("source")
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str))


def graded_file(classroom, student, notebook):
    """Where a notebook lies as it was graded; None if it does not any more."""
    folders = classroom.directory.autograded_directory, classroom.directory.submitted_directory
    paths = (classroom.path(folder, student) / f"{notebook}.ipynb" for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def cells_in_file(path):
    """The cells of a notebook; none if it cannot be read."""
    try:
        if path is None or path.is_symlink() or path.stat().st_size > submission.LARGEST_FILE:
            return []
        return submission.cells_of(submission.parsed(submission.text_of(path.read_bytes())))
    except (submission.UnreadableError, OSError):
        return []


# --- What they were told --------------------------------------------------------------------------


def told_to(classroom, plans, student, group, kept):
    """What the gradebook says to a student about the answer, but for lines of the student's own."""
    notebook, grade_id = place_of(kept[student], group.exercise)
    place = plans[notebook].answered_in(grade_id)
    if place is None:
        return ""
    try:
        submitted = classroom.book.find_submission_notebook(notebook, classroom.assignment, student)
    except MissingEntry:  # it was taken out of the gradebook since
        return ""
    said = next((c.auto_comment for c in submitted.comments if c.name == place.grade_id), None)
    paragraphs = [each for each in (said or "").split("\n\n") if not A_LINE.search(each)]
    return text(" ".join(paragraphs))[:LONGEST_TOLD]
