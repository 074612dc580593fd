"""Grade one notebook: run its cells in a box, and have the judge look at what they made."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nbformat.notebooknode import NotebookNode

from ..engine.course import Wanted
from ..notebooks.demonstrations import leave_out
from ..notebooks.outputs import outputs
from ..notebooks.plan import Asked, Cell, Plan, asked_of
from ..notebooks.submission import readable
from ..sandbox.box import Box, EndedError, Keeper, described, level_of
from ..sandbox.clock import Clock
from ..sandbox.walls import Limits
from .asserts import by_asserts, lost_to_stderr, with_note
from .canaries import Canaries
from .judge import CheckEndedError, Judge, Result

MOST_SHOWN = 2**24  # characters of all outputs of a notebook
TOO_MUCH = "(Not shown: the cells before this one have shown too much already.)"
UNSHOWN = "This cell ended in an error, which it did not show."
ENVIRONMENT = {"NBGRADER_EXECUTION": "autograde"}  # some courses' own tests ask for it
ALL_LINES = 3  # times the seconds of one check may be spent on looking for lines
TOOK_TOO_LONG = "its answers took too long to find out what is wrong with all of them"
ATTEMPTS = 4  # so often a notebook is begun, each time without what has ended everything
LATER = (
    "a cell below the check of {name} defines a version that would earn {points:g} of {most:g} "
    "points. A check counts where it stands, as it does when the notebook runs from top to bottom"
)


@dataclass
class Graded:
    """A notebook with its outputs, and what was earned."""

    notebook: NotebookNode
    results: dict[str, Result] = field(default_factory=dict)
    layers: list[str] = field(default_factory=list)
    demanded: int = 0  # the level of protection below which nothing would have been run
    events: list[str] = field(default_factory=list)  # limits hit, processes ended
    troubles: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0

    @property
    def level(self) -> int:
        return level_of(self.layers)

    @property
    def protection(self) -> str:
        return described(self.layers)


def grade(
    notebook: NotebookNode,
    plan: Plan,
    keeper: Keeper,
    judge: Judge,
    limits: Limits | None = None,
    files: Iterable[tuple[str, bytes]] = (),
) -> Graded:
    """The Graded version of a notebook that holds exactly the plan's cells.

    Args:
        files: (name, content) that lie beside the notebook.
    """
    graded = Graded(notebook)
    started = time.perf_counter()
    NotebookRun(graded, plan, keeper, judge, limits or Limits(), files).go()
    readable(notebook, {cell.source for cell in plan.cells})
    graded.seconds = time.perf_counter() - started
    return graded


class NotebookRun:
    """One notebook on its way through a box, or through several if it ends them."""

    def __init__(
        self,
        graded: Graded,
        plan: Plan,
        keeper: Keeper,
        judge: Judge,
        limits: Limits,
        files: Iterable[tuple[str, bytes]],
    ):
        self.graded, self.plan, self.judge, self.limits = graded, plan, judge, limits
        self.keeper, self.files = keeper, files
        self.cells = [cell for cell in graded.notebook.cells if cell.cell_type == "code"]
        self.steps = [step_of(cell, plan) for cell in self.cells]
        leave_out(self.cells, self.steps, plan)
        self.canaries = Canaries(plan, limits.cell)
        self.begun = 0  # so many of the cells have been begun
        self.deadly: set[int] = set()  # cells that ended the process
        # {check that was not passed: what bore the name then}
        self.later: dict[int, int | None] = {}
        self.number: int | None = 0  # of the cell that it is at
        self.shown = 0  # characters of outputs

    def go(self) -> None:
        """Through all cells; again from the beginning, without the culprit, if the box ends."""
        for cell, step in zip(self.cells, self.steps):
            cell.outputs, cell.execution_count = [], None
            if step.kind == "left out":
                cell.outputs = [stream(step.note)]
        self.graded.demanded = self.keeper.demanded
        clock, beside = Clock(self.limits.total), None
        for _ in range(ATTEMPTS):
            with self.keeper.open(self.limits, given=self.plan.is_of_course) as box:
                box.clock = clock
                box.beside = beside = beside or box.beside
                self.graded.layers = box.layers
                try:
                    self.through(box)
                    finished = True
                except EndedError as end:
                    self.blame(str(end), end.result if isinstance(end, CheckEndedError) else None)
                    finished = False
            self.graded.cpu += box.used.get("cpu", 0.0)
            self.graded.memory = max(self.graded.memory, box.used.get("memory", 0))
            if finished or clock.left <= 0:
                break
        if beside is not None and beside.left <= 0:
            self.graded.events.append(TOOK_TOO_LONG)
        for cell, step in zip(self.cells, self.steps):
            if step.planned is not None and step.planned.grade_id not in self.graded.results:
                self.give_up_on(cell, step)
            if step.planned is not None and step.kind == "run":
                with_note(cell, self.graded.results[step.planned.grade_id])
        for result in self.graded.results.values():
            result.open = None  # boxes are gone
        self.graded.events += self.canaries.events

    def through(self, box: Box) -> None:
        """Run and check everything that has not been done; run again what the rest needs."""
        if self.files:
            box.request("files", 20, files=list(self.files))
        if any(step.kind == "run" and step.planned is not None for step in self.steps):
            box.request("environment", 5, variables=ENVIRONMENT)
        ran = []
        for number, (cell, step) in enumerate(zip(self.cells, self.steps)):
            if step.kind == "left out":
                self.run_in_part(box, step, ran)
            if step.kind == "left out" or number in self.deadly:
                continue
            first = number >= self.begun
            self.begun, self.number = max(self.begun, number + 1), number
            if step.kind == "run":
                self.run_cell(box, cell, step, first)
                ran.append(cell.source)
            elif first:
                self.check_cell(box, number, ran)
            else:  # it was judged before the process ended
                self.tell(box, step)
        self.number = None
        for number in list(self.later):
            self.look_below(box, number, ran)
        self.prove(box)

    def prove(self, box: Box) -> None:
        """Find out where mistakes are. By now all points are earned, and nothing is lost if what is
        tried ends the box."""
        clock = Clock(ALL_LINES * self.limits.check)
        with contextlib.suppress(EndedError):
            for cell, step in zip(self.cells, self.steps):
                result = step.planned and self.graded.results.get(step.planned.grade_id)
                if result and result.open is not None:
                    with clock.running():
                        seconds = min(clock.left, self.limits.check)
                        self.judge.prove(result, seconds, self.limits.mending)
                    show(cell, result)

    def run_cell(self, box: Box, cell: NotebookNode, step: Step, first: bool) -> None:
        seconds, scored = self.limits.cell, first and step.planned is not None
        if scored:
            self.canaries.fly(box, step.scored.grade_id, cell.source)
        said = box.request("cell", seconds, source=cell.source, seconds=seconds)
        if scored:
            self.canaries.fly(box, step.scored.grade_id, cell.source)
        if not first or not isinstance(said, dict):
            return
        cell.outputs = outputs(said.get("outputs"))
        errors = [each for each in cell.outputs if each.output_type == "error"]
        if said.get("failed") is True and not errors:
            cell.outputs.append(failure(UNSHOWN))
        if step.planned is not None:
            self.score(cell, step.planned)
        self.shown += sum(len(str(output)) for output in cell.outputs)
        if self.shown > MOST_SHOWN:
            cell.outputs = [stream(TOO_MUCH)]
        count = said.get("number")
        cell.execution_count = count if type(count) is int and 0 <= count < 10**6 else None
        for each in errors:
            if each.ename == "TimeoutError":
                self.graded.events.append(f"a cell was stopped after {seconds:g} seconds")

    def score(self, cell: NotebookNode, planned: Cell) -> None:
        """A cell whose own asserts decide."""
        self.graded.results[planned.grade_id] = by_asserts(cell, planned)
        if lost := lost_to_stderr(cell, planned):
            self.graded.events.append(lost)

    def check_cell(self, box: Box, number: int, ran: list[str]) -> None:
        step = self.steps[number]
        result = self.judged(box, step, ran)
        self.record(self.cells[number], step, result)
        self.tell(box, step)
        if not result.passed:  # the right version may come in a later cell
            self.later[number] = self.identity(box, step.name)

    def tell(self, box: Box, step: Step) -> None:
        """The box what became of a piece: later cells are to find there what they found at home."""
        if step.kind == "check":
            solved = self.graded.results[step.scored.grade_id].solved
            box.request("checked", 5, name=step.name, passed=solved)

    def run_in_part(self, box: Box, step: Step, ran: list[str]) -> None:
        """Make what answers need of a cell that is left out; what it shows is not kept."""
        seconds = self.limits.cell
        for source in step.needed:
            box.request("cell", seconds, source=source, seconds=seconds)
        if step.pieces:
            self.build_on(box, step.pieces, ran)

    def build_on(self, box: Box, pieces: Iterable[tuple[str, str]], ran: list[str]) -> None:
        """Bind the names that a cell which is not run imports from `course.mine`."""
        bound = {name for _, name in pieces}
        for number in [n for n in self.later if self.steps[n].name in bound]:
            self.look_below(box, number, ran)
        box.request("build_on", 5, names=pieces)

    def look_below(self, box: Box, number: int, ran: list[str]) -> None:
        """Was something wrong where it was checked, and is there another version of it now? Then
        whoever grades is told; what counts is what counted at home, where the check stands."""
        step, before = self.steps[number], self.later.pop(number)
        now = self.identity(box, step.name)
        if now is None or now == before:
            return
        result, counted = self.judged(box, step, ran), self.graded.results[step.scored.grade_id]
        if result.points > counted.points:
            said = LATER.format(name=step.name, points=result.points, most=result.max_points)
            self.graded.events.append(said)
            counted.trouble = ()  # that has been said
            counted.add(f"{said[0].upper()}{said[1:]}.")
            self.record(self.cells[number], step, counted)

    def judged(self, box: Box, step: Step, ran: list[str]) -> Result:
        asked, cell = step.asked, step.scored
        if asked is not None and asked.exercise is not None:
            return self.judge.check(cell, asked.exercise, box, step.name, ran, self.limits.check)
        if asked is None or asked.wanted is None:
            raise ValueError(f"{cell.grade_id} asks for nothing")
        return self.judge.call(cell, asked, found_in(box, asked.wanted), self.earned_so_far())

    def earned_so_far(self) -> tuple[float, float]:
        """(points, of how many) of the exercises that pass, as the course counts them at home; all
        of one if there are none."""
        checks = [each for each in self.graded.results.values() if each.kind == "check"]
        if not checks:
            return 1, 1
        passed = [each for each in checks if each.passed]
        return sum(each.points for each in passed), sum(each.max_points for each in checks)

    def identity(self, box: Box, name: str) -> int | None:
        """Something that changes when a name is bound anew; None if it is not bound."""
        said = box.request("has", 5, name=name)
        return said if type(said) is int else None

    def record(self, cell: NotebookNode, step: Step, result: Result) -> None:
        said = self.graded.events  # what a cell of all does asks for one look only
        said += [trouble for trouble in result.trouble if trouble not in said]
        self.graded.results[step.scored.grade_id] = result
        show(cell, result)

    def blame(self, reason: str, result: Result | None) -> None:
        """A cell, or what was checked, has ended the process."""
        self.graded.events.append(f"the code {reason}")
        if self.number is None:  # after the last cell: there is nothing left to be lost
            return
        cell, step = self.cells[self.number], self.steps[self.number]
        if result is not None:
            self.record(cell, step, result)
        elif step.kind == "run":
            self.deadly.add(self.number)
            cell.outputs = [failure(f"This cell {reason}")]
            if step.planned is not None:
                self.score(cell, step.planned)

    def give_up_on(self, cell: NotebookNode, step: Step) -> None:
        result = Result(
            step.scored.grade_id,
            0.0,
            step.scored.worth,
            "asserts" if step.kind == "run" else step.kind,
            "The notebook ended its process before this could be looked at.",
        )
        self.graded.results[step.scored.grade_id] = result
        cell.outputs = [stream(result.text)]


@dataclass
class Step:
    """What is to be done with a code cell: run it, look at what it asks for, leave it out."""

    kind: str
    planned: Cell | None = None  # the plan's, if it is scored
    asked: Asked | None = None
    name: str = ""
    note: str = ""
    pieces: tuple[tuple[str, str], ...] = ()  # of one left out: (piece, name) that it builds on
    needed: tuple[str, ...] = ()  # and its statements that answers rely on

    @property
    def scored(self) -> Cell:
        """The plan's cell, of a step that is scored."""
        if self.planned is None:
            raise ValueError("this cell earns nothing")
        return self.planned


def step_of(cell: NotebookNode, plan: Plan) -> Step:
    planned = plan.cell(cell.metadata.get("nbgrader", {}).get("grade_id"))
    if planned is None or not planned.is_checked:
        return Step("run")
    asked = asked_of(planned.source)
    return Step(asked.kind, planned, asked, asked.name) if asked else Step("run", planned)


def found_in(box: Box, wanted: Wanted) -> Any:
    """What a course's own call wants to look at."""
    if wanted.kind == "weights":
        return box.request("weights", 20, path=wanted.name)
    return box.request("value", 5, name=wanted.name)


# --- Outputs --------------------------------------------------------------------------------------


def show(cell: NotebookNode, result: Result) -> None:
    data = {"text/html": result.html, "text/plain": result.text}
    cell.outputs = [NotebookNode(output_type="display_data", data=data, metadata={})]


def stream(text: str, name: str = "stdout") -> NotebookNode:
    return NotebookNode(output_type="stream", name=name, text=text + "\n")


def failure(text: str) -> NotebookNode:
    return NotebookNode(output_type="error", ename="Stopped", evalue=text, traceback=[text])
