"""What an assignment's notebook consists of, by the gradebook; and a submission put back into it.

The gradebook decides which cells there are and what they are worth, never the submission: a cell
that was deleted comes back, one that was copied or forged is an ordinary cell, one that is locked
has its text again.
"""

import ast
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from ..engine.course import PointsCall, Wanted, current
from ..engine.exercise import Exercise
from ..engine.files import names_defined
from .cell_names import imported
from .submission import harmless, made_cell

DEMONSTRATION = "demonstration"  # the tag of cells that are not needed where it is graded


@dataclass(frozen=True)
class Cell:
    """A cell that nbgrader knows."""

    grade_id: str
    cell_type: str
    source: str
    checksum: str
    locked: bool
    grade: bool
    solution: bool
    task: bool
    points: float | None = None

    @property
    def marks(self) -> dict[str, Any]:
        """Its metadata."""
        marks = {
            "grade": self.grade,
            "grade_id": self.grade_id,
            "locked": self.locked,
            "schema_version": 3,
            "solution": self.solution,
            "task": self.task,
            "checksum": self.checksum,
            "cell_type": self.cell_type,
        }
        return marks | ({"points": self.points} if self.points is not None else {})

    @property
    def worth(self) -> float:
        """Its points; 0 where nbgrader counts none."""
        return 0.0 if self.points is None else self.points

    @property
    def is_checked(self) -> bool:
        """Is it scored by what it does? (The others are by somebody who reads them.)"""
        return self.grade and not self.solution and self.cell_type == "code"


@dataclass(frozen=True)
class Plan:
    """An assignment's notebook.

    Args:
        cells: those that nbgrader knows, in their order.
        demonstrations: texts of the instructor's cells that show something, and need not run.
        kernelspec: as the instructor's notebook has it.
        setup: the instructor's first cells that import what the others need.
    """

    assignment: str
    notebook: str
    cells: tuple[Cell, ...]
    demonstrations: frozenset[str] = frozenset()
    kernelspec: str = "{}"
    setup: tuple[str, ...] = ()

    def cell(self, grade_id: str | None) -> Cell | None:
        return next((cell for cell in self.cells if cell.grade_id == grade_id), None)

    @property
    def language(self) -> str:
        """What the instructor's notebook is written in; Python if it says nothing."""
        language = json.loads(self.kernelspec).get("language")
        return str(language or "python").lower()

    @property
    def is_of_course(self) -> bool:
        """Is anything checked here that is the course's?"""
        return any(asked_of(cell.source) for cell in self.cells if cell.is_checked)

    def answered_in(self, grade_id: str) -> Cell | None:
        """The solution cell before a grade cell: where what is said about it is put."""
        last = None
        for cell in self.cells:
            if cell.solution:
                last = cell
            if cell.grade_id == grade_id:
                return last
        return None


def plan_of(notebook: Any, source: Path | None = None) -> Plan:
    """The Plan of a gradebook's notebook.

    Args:
        notebook: nbgrader.api.Notebook
        source: path of the instructor's own, for the order of cells and the demonstrations.
    """
    grades = {cell.name: cell for cell in notebook.grade_cells}
    tasks = {cell.name: cell for cell in notebook.task_cells}
    solutions = {cell.name for cell in notebook.solution_cells}
    cells = []
    for cell in notebook.source_cells:
        worth = grades.get(cell.name) or tasks.get(cell.name)
        cells.append(
            Cell(
                cell.name,
                cell.cell_type,
                cell.source or "",
                cell.checksum,
                bool(cell.locked),
                cell.name in grades,
                cell.name in solutions,
                cell.name in tasks,
                worth.max_score if worth is not None else None,
            )
        )
    order, demonstrations, setup = instructors_order(source)
    place = {name: number for number, name in enumerate(order)}
    cells.sort(key=lambda cell: place.get(cell.grade_id, len(place)))
    return Plan(
        notebook.assignment.name,
        notebook.name,
        tuple(cells),
        demonstrations,
        notebook.kernelspec or "{}",
        setup,
    )


def instructors_order(source):
    """The grade ids in the instructor's notebook, the texts of its demonstrations, its set-up."""
    try:
        cells = nbformat.read(source, as_version=4).cells if source else []
    except Exception:  # it may be gone by now: the gradebook's order will do
        return [], frozenset(), ()
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id", "") for cell in cells]
    shown = [c.source.strip() for c in cells if DEMONSTRATION in c.metadata.get("tags", [])]
    first = next((number for number, name in enumerate(ids) if name), len(cells))
    texts = [cell.source for cell in cells[:first] if cell.cell_type == "code"]
    setup = tuple(text for text in texts if text.strip() not in shown and imported(text))
    return [name for name in ids if name], frozenset(shown), setup


def put_back(notebook: NotebookNode, plan: Plan) -> NotebookNode:
    """The submission with exactly the plan's cells in it, among the learner's own."""
    copies = copies_of(notebook, plan)
    counts = {name: the_one(notebook, copies[name], plan.cell(name)) for name in copies}
    setup = missing_setup(notebook, plan)
    cells = [made_cell("code", source) for source in setup]
    for number, cell in enumerate(notebook.cells):
        planned = plan.cell(cell.metadata.pop("nbgrader", {}).get("grade_id"))
        if planned is not None and counts[planned.grade_id] == number:
            if planned.locked and defines_more(cell, planned):  # cells that were merged, perhaps
                cells.append(made_cell("code", cell.source))
            cell = restored(planned, cell)
        cells.append(cell)
    notebook.cells = cells
    for number, planned in enumerate(plan.cells):
        if planned.grade_id not in copies and (planned.grade or planned.task):
            before = plan.cells[number - 1].grade_id if number else None
            place = place_below_answer(notebook, planned) or place_after(notebook, before)
            notebook.cells.insert(place, restored(planned))
    kernelspec = json.loads(plan.kernelspec)
    notebook.metadata = NotebookNode({"language_info": {"name": "python"}})
    if kernelspec:
        notebook.metadata["kernelspec"] = kernelspec
    originals = {cell.source for cell in plan.cells}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # a submission's own may be there twice
        if cell.cell_type != "code" and cell.source not in originals:
            cell.source = harmless(cell.source, cell.get("attachments", ()))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def copies_of(notebook, plan):
    """{grade id: the numbers of the cells that bear it}, for the plan's cells."""
    copies = {}
    for number, cell in enumerate(notebook.cells):
        planned = plan.cell(cell.metadata.get("nbgrader", {}).get("grade_id"))
        if planned is not None:
            copies.setdefault(planned.grade_id, []).append(number)
    return copies


def the_one(notebook, numbers, planned):
    """Which of several copies of a cell counts: of a check the first below the answer, else the
    last that something was done to."""
    if planned.is_checked:
        below = place_below_answer(notebook, planned)
        return next((number for number in numbers if number >= below), numbers[-1])
    done = [number for number in numbers if not is_empty(notebook.cells[number], planned)]
    return done[-1] if done else numbers[0]


def missing_setup(notebook, plan):
    """The instructor's first cells, as far as the submission has not what they import."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    if not any(text.strip() for text in texts):
        return []
    there = set().union(*({*imported(text), *names_defined(text)} for text in texts))
    return [source for source in plan.setup if not imported(source) <= there]


def defines_more(cell, planned):
    """Was something written into a locked cell that others may need?"""
    new = set(names_defined(cell.source)) - set(names_defined(planned.source))
    return cell.cell_type == "code" and bool(new)


def is_empty(cell, planned):
    """Has nothing been done to this copy of a cell?"""
    return not cell.source.strip() or cell.source == planned.source


def restored(planned, cell=None):
    """A cell as the plan has it; what is not locked keeps the learner's text."""
    kept = planned.source if cell is None or planned.locked else cell.source
    new = made_cell(planned.cell_type, kept)
    new.metadata["nbgrader"] = planned.marks
    if cell is not None and "attachments" in cell and planned.cell_type == "markdown":
        new.attachments = cell.attachments
    return new


def place_below_answer(notebook, planned):
    """The index behind the last cell that defines what a check asks for; 0 if none does."""
    asked = asked_of(planned.source) if planned.is_checked else None
    defining = [
        number
        for number, cell in enumerate(notebook.cells, start=1)
        if asked and cell.cell_type == "code" and asked.name in names_defined(cell.source)
    ]
    return defining[-1] if defining else 0


def place_after(notebook, grade_id):
    """The index behind a cell; the end if it is not there; the beginning if there is none."""
    if grade_id is None:
        return 0
    for number, cell in enumerate(notebook.cells):
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id:
            return number + 1
    return len(notebook.cells)


# --- What a check cell asks -----------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What the call asks for that a cell consists of.

    Args:
        kind: "check", or that of the course's PointsCall.
        name: of what is looked at: a function or class, or another value.
        exercise: that is checked; None if it is another call.
        by: the PointsCall; None if it is a check.
        wanted: by that one.
    """

    kind: str
    name: str
    exercise: Exercise | None = None
    by: PointsCall | None = None
    wanted: Wanted | None = None


def asked_of(source: str) -> Asked | None:
    """The Asked of a cell that consists of one call that gives points; None otherwise."""
    call = call_in(source)
    if call is None:
        return None
    if call.func.id == "check":
        exercise = exercise_asked(call)
        return Asked("check", call.args[0].id, exercise) if exercise else None
    by = current().points_call(call.func.id)
    wanted = by.asked(call) if by else None
    if by is None or wanted is None:
        return None
    return Asked(by.kind, wanted.name if wanted.kind == "value" else "", None, by, wanted)


@lru_cache(maxsize=512)
def call_in(source):
    """The call in a cell that consists of one call of a function by its name; None otherwise."""
    try:
        [statement] = ast.parse(source).body
    except (SyntaxError, ValueError):
        return None
    call = getattr(statement, "value", None)
    return call if isinstance(getattr(call, "func", None), ast.Name) else None


def exercise_asked(call):
    """The exercise that a call of `check` asks for; None if it is none."""
    if len(call.args) != 1 or not isinstance(call.args[0], ast.Name):
        return None
    named = [k.value.value for k in call.keywords if k.arg == "exercise"]
    try:
        return current().find(named[0] if named else call.args[0].id)
    except (KeyError, AttributeError):
        return None
