"""Every lesson from top to bottom, half solved; and all that is graded, solved.

No error, no warning, nothing on stderr, no network, in 90 seconds and 2 GB, or in three minutes
where a Transformer is trained; and what the text quotes is what the cells print, with the kernels
that torch chooses on this machine and with those that it would choose on a lesser one. Seconds are
those of a processor: what a learner waits for, whatever else this machine does meanwhile.

What goes deeper, marked ✚, may be skipped: each of these parts runs in its place and is then
forgotten, so that all that follows it runs as if it had been skipped.
"""

import builtins
import copy
import os
import re
import subprocess
import sys

import pytest
import torch
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from autograder.engine.files import names_defined
from autograder.engine.mistakes import edited_source
from autograder.grading.judge import Judge
from autograder.grading.notebook_run import grade
from autograder.notebooks.cell_names import imported, names_read
from autograder.notebooks.plan import put_back
from autograder.sandbox.box import Keeper
from course.checks import find
from course.lesson import QUOTED, lessons
from course.notebook import instructors, learners, solved
from course.quiz import LETTERS
from tests.autograder.notebooks.plans import plan_of_lesson

from .cells import names_bound, names_needed, parts_that_go_deeper, program_of

SECONDS = {"training": 180, "variants": 180}  # all others take 90 at most
GIGABYTES = 2
LESSONS = lessons()
EACH = pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.stem for lesson in LESSONS])


@pytest.fixture(scope="module")
def keeper():
    made = Keeper(least=0)
    yield made
    made.close()


# Whoever opens a connection to another machine is told so, in a language that the test reads.
OFFLINE = """
import socket as _socket

def _refuse(self, address):
    inet = self.family in (_socket.AF_INET, _socket.AF_INET6)
    if inet and address[0] not in ("127.0.0.1", "::1"):
        raise AssertionError(f"a lesson wants the network: {address}")
    return _connect(self, address)

_connect, _socket.socket.connect = _socket.socket.connect, _refuse
"""
# What a part that goes deeper binds, draws and solves, is gone behind it.
REMEMBER = """
import torch as _torch
from course import COURSE as _course
_kept, _drawn = dict(globals()), _torch.get_rng_state()
_session = _course.session
vars(_course)["session"] = type(_session)(dict(_session.passed), dict(_session.failed))
"""
FORGET = """
for _name in [name for name in globals() if not name.startswith("_")]:
    del globals()[_name]
globals().update({name: value for name, value in _kept.items() if not name.startswith("_")})
vars(_course)["session"] = _session
_torch.set_rng_state(_drawn)
None
"""
LEVELS = ("default", "avx2", "avx512")  # of instruction sets, as torch calls them
HERE = torch.backends.cpu.get_cpu_capability().lower()
LOWER = LEVELS[: LEVELS.index(HERE)] if HERE in LEVELS else LEVELS[:1]
# What cells claim and find not to be so, as the text beside them says; all else that is claimed
# holds, whoever wrote the pieces.
NOT_SO = {
    "encoder_block": {"changing block 1 changes block 6"},  # six blocks of their own
    "transformer": {"final norm"},  # with norm_first=False
    "variants": {
        "the same both ways",  # of the forgetful writer
        "a fair start needs the balance loss",
    },
}
CLAIM = re.compile(r"([^:;\n]+): (True|False)\b")
USED = """
import resource
_used = resource.getrusage(resource.RUSAGE_SELF)
print(_used.ru_utime + _used.ru_stime, _used.ru_maxrss / 2**20)
"""


def run(notebook, folder):
    """Execute a notebook in a folder; (seconds, the kernel's largest size in GB)."""
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source += "\n" + OFFLINE
    notebook.cells.append(new_code_cell(USED))
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute(env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"})
    return tuple(map(float, notebook.cells.pop().outputs[0].text.split()))


def with_deeper_parts_forgotten(notebook):
    """Put around each part that goes deeper what makes the rest run as if it had been skipped."""
    part_of = {id(cell): part for part, cell in parts_that_go_deeper(notebook)}
    cells, inside = [], ""
    for cell in [*notebook.cells, None]:
        part = part_of.get(id(cell), inside if cell is not None else "")
        if part != inside:
            cells += [new_code_cell(FORGET)] * bool(inside) + [new_code_cell(REMEMBER)] * bool(part)
        inside = part
        cells.append(cell)
    notebook.cells = cells[:-1]


def stderr_of(notebook):
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    return "".join(out.text for out in outputs if out.get("name") == "stderr")


def printed(cells):
    """All text that cells print or show."""
    texts = []
    for cell in cells:
        for out in cell.get("outputs", []):
            texts.append(out.get("text", "") or out.get("data", {}).get("text/plain", ""))
    return "\n".join(texts)


def points(notebook):
    """{cell id: the points that its check gave}"""
    found = {}
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            [result] = [out for out in cell.outputs if out.output_type == "execute_result"]
            found[cell.id] = float(result.data["text/plain"])
    return found


def half_solved(lesson):
    """(a learner's notebook, the ids of its exercises that are solved)

    Every other exercise is solved, so that both the learner's pieces and stand-bys are built on;
    which of them, changes from lesson to lesson. Of the others every other is wrong.
    """
    notebook, right = learners(lesson), {cell.id: cell.source for cell in solved(lesson).cells}
    answers = [cell for cell in notebook.cells if is_answer(cell)]
    mine = answers[lesson.number % 2 :: 2]
    for cell in mine:
        cell.source = right[cell.id]
    for cell in [cell for cell in answers if cell not in mine][::2]:
        exercise = find(cell.metadata.nbgrader.grade_id)
        cell.source = edited_source(exercise, (exercise.mistakes[0].id,)).rstrip()
    return notebook, {f"check_{cell.id}" for cell in mine}


def with_questions_of(judge, notebook):
    """A copy of a notebook whose checks ask what the judge asks."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "").removeprefix("check_")
        if cell.source == f"check({name})":
            cell.source = f"check({name}, seed={judge.seed_of(find(name))})"
    return notebook


@EACH
@pytest.mark.slow
def test_it_runs_half_solved_and_earns_the_same_where_it_is_graded(lesson, keeper, tmp_path):
    judge = Judge(7)
    handed_in, mine = half_solved(lesson)
    notebook = with_questions_of(judge, handed_in)
    with_deeper_parts_forgotten(notebook)
    (tmp_path / "home").mkdir()
    seconds, largest = run(notebook, tmp_path / "home")
    assert stderr_of(notebook) == ""
    assert seconds < SECONDS.get(lesson.module, 90)
    assert largest < GIGABYTES
    worth = worth_of(notebook)
    plan = plan_of_lesson(lesson, tmp_path)
    graded = grade(put_back(handed_in, plan), plan, keeper, judge)
    for cell, earned in points(notebook).items():
        if cell != "capstone":  # it counts as far as the others do
            assert (earned == worth[cell]) == (cell in mine), cell
            assert graded.results[cell].points == earned, cell
    if lesson.module == "training":
        assert re.search("points for translating +10 of 10", printed(notebook.cells))
    claims = CLAIM.findall(printed(notebook.cells))
    not_so = {claim.strip() for claim, holds in claims if holds == "False"}
    assert not_so == NOT_SO.get(lesson.module, set())
    cells = [cell for cell in notebook.cells if cell.source in cells_quoted(lesson)]
    assert_quotes_are_in(printed(cells), lesson)


def cells_quoted(lesson):
    """The sources of the cells that say `quoted`."""
    return {part.text for part in lesson.of_kind("code") if part.quoted}


def assert_quotes_are_in(text, lesson):
    for part in lesson.of_kind("prose"):
        for number in QUOTED.findall(part.text):
            told = f"line {part.line} quotes {number}, which no cell marked `quoted` prints"
            assert number in text, told


@pytest.mark.slow
@pytest.mark.parametrize("level", LOWER)
@pytest.mark.parametrize(
    "lesson", [lesson for lesson in LESSONS if cells_quoted(lesson)], ids=lambda lesson: lesson.stem
)
def test_what_is_quoted_is_the_same_with_other_kernels(lesson, level, tmp_path):
    """With the instructions of a lesser machine, and two threads where the lesson asks for one."""
    program = program_of(instructors(lesson), cells_quoted(lesson))
    program = program.replace("torch.set_num_threads(1)", "torch.set_num_threads(2)")
    asked = {"ATEN_CPU_CAPABILITY": level, "OMP_NUM_THREADS": "2", "MPLBACKEND": "Agg"}
    asked["OMP_WAIT_POLICY"] = "PASSIVE"  # or else two threads wait busily for one core
    ran = subprocess.run(
        [sys.executable, "-c", f"{program}\nprint(torch.backends.cpu.get_cpu_capability())"],
        cwd=tmp_path,
        env=os.environ | asked,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1].lower() == level
    assert_quotes_are_in(ran.stdout, lesson)


@EACH
def test_what_goes_deeper_can_be_skipped(lesson):
    """No other cell needs a name from it, and none finds another value under a name it had; what
    goes deeper needs nothing of the other parts that do."""
    cells = parts_that_go_deeper(instructors(lesson))
    for kept in dict.fromkeys(part for part, _ in cells):
        known, elsewhere = {*dir(builtins)}, set()
        for part, cell in cells:
            if part in ("", kept):
                missing = names_needed(cell.source) - known
                assert not missing, f"{missing} may be missing in:\n{cell.source}"
                changed = names_needed(cell.source) & elsewhere
                assert not changed, f"{changed} may be others than thought in:\n{cell.source}"
                known |= names_bound(cell.source)
                elsewhere -= names_bound(cell.source)
            else:
                elsewhere |= names_bound(cell.source) - imported(cell.source)


@EACH
def test_no_demonstration_needs_an_answer(lesson):
    """What is built on an exercise asks course.mine for it, which knows a way if it is missing."""
    open_ones = set()
    for cell in learners(lesson).cells:
        if cell.cell_type != "code":
            continue
        if "demonstration" in cell.metadata.get("tags", []):
            open_ones -= set(imported(cell.source))
            used = names_read(cell.source) & open_ones
            assert not used, f"{used} may be missing in:\n{cell.source}"
        elif is_answer(cell):
            open_ones |= set(names_defined(cell.source))


@EACH
@pytest.mark.slow
def test_solved_it_earns_all_points(lesson, tmp_path):
    """Where it is graded: nothing that is checked needs a demonstration."""
    notebook = solved(lesson)
    fill_in_quiz(lesson, notebook)
    kept = [c for c in notebook.cells if "demonstration" not in c.metadata.get("tags", [])]
    notebook.cells = [cell for cell in kept if cell.id != "capstone"]  # this one has to be trained
    run(notebook, tmp_path)
    assert stderr_of(notebook) == ""
    worth = worth_of(notebook)
    for cell, earned in points(notebook).items():
        assert earned == worth[cell], cell


def is_answer(cell):
    """Is it a cell for an exercise?"""
    return cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution", False)


def worth_of(notebook):
    """{cell id: what it is worth}"""
    cells = [cell for cell in notebook.cells if "points" in cell.metadata.get("nbgrader", {})]
    return {cell.id: cell.metadata.nbgrader.points for cell in cells}


def fill_in_quiz(lesson, notebook):
    """Put the right letters in."""
    [part] = lesson.of_kind("quiz")
    [check] = [cell for cell in notebook.cells if cell.source.startswith("check_quiz(")]
    [cell] = [cell for cell in notebook.cells if "answers = {" in cell.source]
    seed = int(re.search(r"seed=(\d+)", check.source)[1])
    for number, question in enumerate(part.quiz, start=1):
        right = [choice.right for choice in question.shuffled(seed)].index(True)
        cell.source = cell.source.replace(f'{number}: ""', f'{number}: "{LETTERS[right]}"')
