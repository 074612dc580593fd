"""Grade one notebook: run its cells in a box, and have the judge look at what they made."""

import time
from dataclasses import dataclass, field

from nbformat.notebooknode import NotebookNode

from ..notebooks.demonstrations import leave_out
from ..notebooks.outputs import outputs
from ..notebooks.plan import Asked, asked_of
from ..notebooks.submission import readable
from ..sandbox.box import EndedError, described, level_of
from ..sandbox.clock import Clock
from ..sandbox.walls import Limits
from .asserts import by_asserts, lost_to_stderr, with_note
from .canaries import Canaries
from .judge import Result

MOST_SHOWN = 2**24  # characters of all outputs of a notebook
TOO_MUCH = "(Not shown: the cells before this one have shown too much already.)"
UNSHOWN = "This cell ended in an error, which it did not show."
ENVIRONMENT = {"NBGRADER_EXECUTION": "autograde"}  # some courses' own tests ask for it
ATTEMPTS = 4  # so often a notebook is begun again without the cell that ended everything
LATER = (
    "a cell below the check of {name} defines a version that would earn {points:g} of {most:g} "
    "points. A check counts where it stands, as it does when the notebook runs from top to bottom"
)


@dataclass
class Graded:
    """A notebook with its outputs, and what was earned."""

    notebook: object
    results: dict[str, Result] = field(default_factory=dict)
    layers: list[str] = field(default_factory=list)
    demanded: int = 0  # the level of protection below which nothing would have been run
    events: list[str] = field(default_factory=list)  # limits hit, processes ended
    troubles: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0

    @property
    def level(self):
        return level_of(self.layers)

    @property
    def protection(self):
        return described(self.layers)


def grade(notebook, plan, keeper, judge, limits=None, files=()):
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

    def __init__(self, graded, plan, keeper, judge, limits, files):
        self.graded, self.plan, self.judge, self.limits = graded, plan, judge, limits
        self.keeper, self.files = keeper, files
        self.cells = [cell for cell in graded.notebook.cells if cell.cell_type == "code"]
        self.steps = [step_of(cell, plan) for cell in self.cells]
        leave_out(self.cells, self.steps, plan)
        self.canaries = Canaries(plan, limits.cell)
        self.begun = 0  # so many of the cells have been begun
        self.deadly = set()  # cells that ended the process
        self.later = {}  # {check that was not passed: what bore the name then}
        self.number = 0
        self.shown = 0  # characters of outputs

    def go(self):
        """Through all cells; again from the beginning, without the culprit, if the box ends."""
        for cell, step in zip(self.cells, self.steps):
            cell.outputs, cell.execution_count = [], None
            if step.kind == "left out":
                cell.outputs = [stream(step.note)]
        self.graded.demanded = self.keeper.demanded
        clock = Clock(self.limits.total)
        for _ in range(ATTEMPTS):
            with self.keeper.open(self.limits, given=self.plan.is_of_course) as box:
                box.clock = clock
                self.graded.layers = box.layers
                try:
                    self.through(box)
                    finished = True
                except EndedError as end:
                    self.blame(str(end), getattr(end, "result", None))
                    finished = False
            self.graded.cpu += box.used.get("cpu", 0.0)
            self.graded.memory = max(self.graded.memory, box.used.get("memory", 0))
            if finished or clock.left <= 0:
                break
        for cell, step in zip(self.cells, self.steps):
            if step.known is not None and step.known.grade_id not in self.graded.results:
                self.give_up_on(cell, step)
            if step.known is not None and step.kind == "run":
                with_note(cell, self.graded.results[step.known.grade_id])
        self.graded.events += self.canaries.events

    def through(self, box):
        """Run and check everything that has not been done; run again what the rest needs."""
        if self.files:
            box.request("files", 20, files=list(self.files))
        if any(step.kind == "run" and step.known is not None for step in self.steps):
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
                self.check_cell(box, cell, step, ran)
            else:  # it was judged before the process ended
                self.tell(box, step)
        self.number = None
        for number in list(self.later):
            self.look_below(box, number, ran)

    def run_cell(self, box, cell, step, first):
        seconds, scored = self.limits.cell, first and step.known is not None
        if scored:
            self.canaries.fly(box, step.known.grade_id, cell.source)
        said = box.request("cell", seconds, source=cell.source, seconds=seconds)
        if scored:
            self.canaries.fly(box, step.known.grade_id, cell.source)
        if not first or not isinstance(said, dict):
            return
        cell.outputs = outputs(said.get("outputs"))
        errors = [each for each in cell.outputs if each.output_type == "error"]
        if said.get("failed") is True and not errors:
            cell.outputs.append(failure(UNSHOWN))
        if step.known is not None:
            self.score(cell, step.known)
        self.shown += sum(len(str(output)) for output in cell.outputs)
        if self.shown > MOST_SHOWN:
            cell.outputs = [stream(TOO_MUCH)]
        count = said.get("number")
        cell.execution_count = count if type(count) is int and 0 <= count < 10**6 else None
        for each in errors:
            if each.ename == "TimeoutError":
                self.graded.events.append(f"a cell was stopped after {seconds:g} seconds")

    def score(self, cell, known):
        """A cell whose own asserts decide."""
        self.graded.results[known.grade_id] = by_asserts(cell, known)
        if lost := lost_to_stderr(cell, known):
            self.graded.events.append(lost)

    def check_cell(self, box, cell, step, ran):
        result = self.judged(box, step, ran)
        self.record(cell, step, result)
        self.tell(box, step)
        if not result.passed:  # the right version may come in a later cell
            self.later[self.number] = self.identity(box, step.name)

    def tell(self, box, step):
        """The box what became of a piece: later cells are to find there what they found at home."""
        if step.kind == "check":
            solved = self.graded.results[step.known.grade_id].solved
            box.request("checked", 5, name=step.name, passed=solved)

    def run_in_part(self, box, step, ran):
        """Make what answers need of a cell that is left out; what it shows is not kept."""
        seconds = self.limits.cell
        for source in step.needed:
            box.request("cell", seconds, source=source, seconds=seconds)
        if step.pieces:
            self.build_on(box, step.pieces, ran)

    def build_on(self, box, pieces, ran):
        """Bind the names that a cell which is not run imports from `course.mine`."""
        bound = {name for _, name in pieces}
        for number in [n for n in self.later if self.steps[n].name in bound]:
            self.look_below(box, number, ran)
        box.request("build_on", 5, names=pieces)

    def look_below(self, box, number, ran):
        """Was something wrong where it was checked, and is there another version of it now? Then
        whoever grades is told; what counts is what counted at home, where the check stands."""
        step, before = self.steps[number], self.later.pop(number)
        now = self.identity(box, step.name)
        if now is None or now == before:
            return
        result, counted = self.judged(box, step, ran), self.graded.results[step.known.grade_id]
        if result.points > counted.points:
            said = LATER.format(name=step.name, points=result.points, most=result.max_points)
            self.graded.events.append(said)
            counted.trouble = ""  # that has been said
            counted.add(f"{said[0].upper()}{said[1:]}.")
            self.record(self.cells[number], step, counted)

    def judged(self, box, step, ran):
        asked = step.asked
        if asked.exercise is not None:
            return self.judge.check(
                step.known, asked.exercise, box, step.name, ran, self.limits.check
            )
        return self.judge.call(step.known, asked, found_in(box, asked.wanted), self.earned_so_far())

    def earned_so_far(self):
        """(points, of how many) of the exercises that pass, as the course counts them at home; all
        of one if there are none."""
        checks = [each for each in self.graded.results.values() if each.kind == "check"]
        if not checks:
            return 1, 1
        passed = [each for each in checks if each.passed]
        return sum(each.points for each in passed), sum(each.max_points for each in checks)

    def identity(self, box, name):
        """Something that changes when a name is bound anew; None if it is not bound."""
        said = box.request("has", 5, name=name)
        return said if type(said) is int else None

    def record(self, cell, step, result):
        if result.trouble:
            self.graded.events.append(result.trouble)
        self.graded.results[step.known.grade_id] = result
        cell.outputs = [
            NotebookNode(
                output_type="display_data",
                data={"text/html": result.html, "text/plain": result.text},
                metadata={},
            )
        ]

    def blame(self, reason, result):
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
            if step.known is not None:
                self.score(cell, step.known)

    def give_up_on(self, cell, step):
        result = Result(
            step.known.grade_id,
            0.0,
            step.known.points,
            "asserts" if step.kind == "run" else step.kind,
            "The notebook ended its process before this could be looked at.",
        )
        self.graded.results[step.known.grade_id] = result
        cell.outputs = [stream(result.text)]


@dataclass
class Step:
    """What is to be done with a code cell: run it, look at what it asks for, leave it out."""

    kind: str
    known: object = None  # the plan's Cell, if it is scored
    asked: Asked | None = None
    name: str = ""
    note: str = ""
    pieces: tuple = ()  # of a cell that is left out: (piece, name) of what it builds on
    needed: tuple = ()  # and its statements that answers rely on


def step_of(cell, plan):
    known = plan.cell(cell.metadata.get("nbgrader", {}).get("grade_id"))
    if known is None or not known.is_checked:
        return Step("run")
    asked = asked_of(known.source)
    return Step(asked.kind, known, asked, asked.name) if asked else Step("run", known)


def found_in(box, wanted):
    """What a course's own call wants to look at."""
    if wanted.kind == "weights":
        return box.request("weights", 20, path=wanted.name)
    return box.request("value", 5, name=wanted.name)


# --- Outputs --------------------------------------------------------------------------------------


def stream(text, name="stdout"):
    return NotebookNode(output_type="stream", name=name, text=text + "\n")


def failure(text):
    return NotebookNode(output_type="error", ename="Stopped", evalue=text, traceback=[text])
