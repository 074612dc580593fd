"""A lesson as a notebook, the instructor's with model answers or the learner's with stubs.

What a cell is to nbgrader stands in its metadata; nobody writes that by hand.
"""

import hashlib
import re

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.preprocessors import CheckCellMetadata, ClearSolutions, ComputeChecksums, LockCells

from autograder.notebooks.plan import DEMONSTRATION
from course.checks import LESSONS, find

from . import published
from .lesson import QUOTED
from .quiz import POINTS, as_markdown
from .stubs import imports_of

TOOLS = "from autograder import check\nfrom course.quiz import check_quiz"
SETUP = '# Run this cell first.\n# (If it can\'t find "autograder", run the folded cell above.)\n'
THREADS = "torch.set_num_threads(1)  # the models here are small: one core is quickest"
ANSWERS = "# Put the letter of your choice between the quotation marks."
SEED = 1  # in which order a quiz's choices stand
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def instructors(lesson, seed=SEED):
    """The notebook with the model answers: what nbgrader calls source."""
    cells = []
    for part in lesson.parts:
        cells += CELLS[part.kind](lesson, part, seed)
    cells[:1] = with_setup(lesson, cells[0])
    name_cells(lesson, cells)
    return new_notebook(cells=cells, metadata=KERNEL)


def learners(lesson, seed=SEED):
    """The notebook with stubs: what nbgrader's generate_assignment makes of the instructor's."""
    return with_stubs(instructors(lesson, seed))


def with_stubs(notebook):
    """The instructor's notebook, made the learner's."""
    for preprocessor in (LockCells, ClearSolutions, ComputeChecksums, CheckCellMetadata):
        notebook, _ = preprocessor().preprocess(notebook, {})
    return notebook


def solved(lesson, seed=SEED):
    """The learner's notebook, filled in with the model answers."""
    source = instructors(lesson, seed)
    answers = [cell.source for cell in source.cells]
    notebook = with_stubs(source)
    for cell, answer in zip(notebook.cells, answers):
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answer
    return notebook


def text_of(notebook):
    """A notebook as its file's text."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4) + "\n"


def with_setup(lesson, opening):
    """The lesson's opening with two cells in it: the one that brings the course before the first
    section, and the set-up cell at its mark, or there as well."""
    title, *rest = re.split(r"\n(?=## )", opening.source, maxsplit=1)
    before, mark, after = "".join(rest).partition("<!-- set-up -->\n")
    if not mark:
        before, after = "", before
    title = f"{title.strip()}\n\n{published.badge(lesson.stem)}".strip()
    cells = [new_markdown_cell(title), arrival_cell(lesson), *prose(before)]
    return [*cells, setup_cell(lesson), *prose(after)]


def prose(text):
    """A cell with it, if there is any."""
    return [new_markdown_cell(text.strip())] if text.strip() else []


def arrival_cell(lesson):
    """What brings the course where it is not; folded away, as at home it does nothing."""
    cell = new_code_cell(published.arrival(lesson))
    cell.metadata["tags"] = [DEMONSTRATION]
    cell.metadata["jupyter"] = {"source_hidden": True}
    cell.metadata["cellView"] = "form"  # the same to Colab
    return cell


def setup_cell(lesson):
    """What the lesson's code needs, from the learner's own earlier pieces where they are right."""
    imports = imports_of(lesson.module) if lesson.module in LESSONS else "import torch"
    groups = imports.split("\n\n")
    course = groups.pop() if "course" in groups[-1] or "solutions" in groups[-1] else ""
    course = "\n".join(filter(None, [TOOLS, course]))
    return new_code_cell(SETUP + "\n\n".join([*groups, course, THREADS]))


def prose_cells(lesson, part, seed):
    return [new_markdown_cell(QUOTED.sub(r"\1", part.text))]


def code_cells(lesson, part, seed):
    cell = new_code_cell(part.text)
    cell.metadata["tags"] = [DEMONSTRATION]
    if part.fold:
        cell.metadata["jupyter"] = {"source_hidden": True}
    return [cell]


def exercise_cells(lesson, part, seed):
    """A stub and its check."""
    exercise = find(part.name)
    stub = new_code_cell(exercise.source.rstrip())
    stub.metadata["nbgrader"] = graded(exercise.name, solution=True)
    check = new_code_cell(f"check({exercise.name})")
    check.metadata["nbgrader"] = graded(
        f"check_{exercise.name}", grade=True, points=exercise.max_score
    )
    return [stub, check]


def quiz_cells(lesson, part, seed):
    """Questions, a cell for the answers, and their check."""
    numbers = range(1, len(part.quiz) + 1)
    answers = "\n".join([ANSWERS, "answers = {", *(f'    {n}: "",' for n in numbers), "}"])
    check = new_code_cell(f'check_quiz("{lesson.stem}", answers, seed={seed})')
    check.metadata["nbgrader"] = graded(
        f"quiz_{lesson.module}", grade=True, points=POINTS * len(part.quiz)
    )
    return [new_markdown_cell(as_markdown(part.quiz, seed)), new_code_cell(answers), check]


def graded_cells(lesson, part, seed):
    """A cell that gives its own points."""
    cell = new_code_cell(part.text)
    cell.metadata["nbgrader"] = graded(part.name, grade=True, points=part.points)
    return [cell]


def question_cells(lesson, part, seed):
    """A cell for an answer in words, which a person grades."""
    cell = new_markdown_cell(part.text)
    cell.metadata["nbgrader"] = graded(part.name, grade=True, solution=True, points=part.points)
    return [cell]


CELLS = {
    "prose": prose_cells,
    "code": code_cells,
    "exercise": exercise_cells,
    "quiz": quiz_cells,
    "graded": graded_cells,
    "question": question_cells,
}


def graded(grade_id, grade=False, solution=False, points=None):
    """nbgrader's metadata of one cell."""
    metadata = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    return metadata | ({"points": points} if grade else {})


def name_cells(lesson, cells):
    """Ids that stay what they are as long as a cell does."""
    used = set()
    for cell in cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        text = f"{lesson.stem} {cell.cell_type} {cell.source}"
        name = grade_id or hashlib.sha256(text.encode()).hexdigest()[:8]
        name = re.sub(r"[^\w-]", "_", name)[:60]
        number = 1
        while (own := name if number == 1 else f"{name}-{number}") in used:
            number += 1
        used.add(own)
        cell.id = own
