"""A second course, where the first one cannot even be imported: everything works for it.

This holds the autograder to its word that it knows no course. All that runs in other processes
here finds `course`, `solutions` and what only they need missing.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.doors import doctor

from .conftest import FOLDER

FIRST_COURSE = ("course", "solutions", "translation", "seaborn", "sacrebleu", "sklearn")
BLOCKED = f"""\
import importlib.abc, sys


class Refuses(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {FIRST_COURSE}:
            raise ImportError(f"{{name}} is of another course")


sys.meta_path.insert(0, Refuses())
"""
RIGHT = """\
def running_mean(x, window):
    means = [x[..., i : i + window].mean(-1) for i in range(x.shape[-1] - window + 1)]
    return np.stack(means, -1)
# %%
def one_hot(labels, classes):
    return (labels[:, None] == np.arange(classes)).astype(float)
# %%
def pairwise_distances(a, b):
    return np.sqrt(((a[:, None] - b) ** 2).sum(-1))
"""
WRONG = """\
def running_mean(x, window):
    means = [x[..., i : i + window].sum(-1) for i in range(x.shape[-1] - window + 1)]
    return np.stack(means, -1)
# %%
def one_hot(labels, classes):
    hot = np.zeros((len(labels), classes))
    hot[:, labels] = 1
    return hot
# %%
def pairwise_distances(a, b):
    return np.abs(a[:, None] + b).sum(-1)
"""
STOLEN = f"""\
from numpy_warmup.answers.arrays import running_mean
# %%
import sys
sys.path.append({str(FOLDER.parent)!r})
from numpy_warmup.answers.arrays import one_hot
# %%
import importlib

def pairwise_distances(a, b):
    return importlib.import_module("numpy_warmup.answers.arrays").pairwise_distances(a, b)
"""
NAMES = ("running_mean", "one_hot", "pairwise_distances")
WHAT_IS_THERE = f"""\
import sys
print("there:", sorted({{name.partition(".")[0] for name in sys.modules}} & {{*{FIRST_COURSE}}}))
"""


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """The environment of a machine that has the autograder, and no course."""
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "sitecustomize.py").write_text(BLOCKED)
    there = {name: value for name, value in os.environ.items() if name != "AUTOGRADER_COURSE"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader's alembic
    return there | {"PYTHONPATH": str(folder), "PATH": path, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def run(surroundings, tmp_path):
    """Run Python in these surroundings."""

    def run(*arguments, folder=tmp_path, **environment):
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=folder,
            env=surroundings | environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def autograder(run):
    def autograder(*arguments, **options):
        return run("-m", "autograder.doors.terminal", *arguments, **options)

    return autograder


def installed(folder, **courses):
    """A folder in which courses are installed, as far as one can tell by their metadata."""
    for name, place in courses.items():
        about = folder / f"{name}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[autograder.courses]\n{name} = {place}\n")
    return folder


def file_with(path, source):
    path.write_text(f"import numpy as np\n\n{source}")
    return path


# --- At home --------------------------------------------------------------------------------------


def test_the_first_course_is_not_there(run):
    for name in FIRST_COURSE:
        assert "is of another course" in run("-c", f"import {name}").stderr


def test_files_are_checked_in_the_terminal(autograder, tmp_path):
    stub = "def running_mean(x, window):\n    raise NotImplementedError\n"
    files = [
        file_with(tmp_path / f"{name}.py", source)
        for name, source in {"right": RIGHT, "wrong": WRONG, "stub": stub}.items()
    ]
    said = autograder("--course", FOLDER, "check", "--json", *files)
    assert said.returncode == 1, said.stderr
    found = [json.loads(line) for line in said.stdout.splitlines()]
    points = [(Path(f["file"]).stem, f["score"], f["max_score"], f["diagnosis"]) for f in found]
    assert points == [
        ("right", 8, 8, None),
        ("right", 8, 8, None),
        ("right", 8, 8, None),
        ("wrong", 1, 8, "sum_not_mean"),
        ("wrong", 3, 8, "every_row"),
        ("wrong", 0, 8, None),
        ("stub", 0, 8, None),
    ]
    assert "Nothing is written here yet" in found[-1]["message"]
    said = autograder("check", *files[:2], AUTOGRADER_COURSE=str(FOLDER))
    assert "3 of 6" in said.stdout
    assert "Your numbers are 3 times too large" in said.stdout
    assert "line 4 of wrong.py" in said.stdout
    assert "tensor" not in said.stdout


IN_A_NOTEBOOK = """\
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

shell, shown = InteractiveShell.instance(), []
for source in json.load(open(sys.argv[1])):
    with capture_output() as captured:
        result = shell.run_cell(source)
    cards = [output.data for output in captured.outputs]
    shown.append((captured.stdout, cards, repr(result.result)))
print(json.dumps(shown))
"""


def test_cards_are_shown_in_a_notebook(run, tmp_path):
    place, right, wrong = str(FOLDER), RIGHT.split("# %%\n")[0], WRONG.split("# %%\n")[0]
    cells = [
        f"import autograder, numpy as np\nfrom autograder import check\nautograder.use({place!r})",
        f"{right}\ncheck(running_mean)",
        f"{wrong}\ncheck(running_mean)",
        "from numpy_warmup.answers.arrays import one_hot\ncheck(one_hot)",
        "check(print)",
    ]
    (tmp_path / "notebook.py").write_text(IN_A_NOTEBOOK)
    (tmp_path / "cells.json").write_text(json.dumps(cells))
    said = run(tmp_path / "notebook.py", tmp_path / "cells.json")
    assert said.returncode == 0, said.stderr
    first, right, wrong, borrowed, none = json.loads(said.stdout.splitlines()[-1])
    assert first[2] == "<course numpy_warmup: NumPy, warming up>"
    assert right[2] == "8"
    assert "8 of 8 points" in right[1][0]["text/plain"]
    assert wrong[2] == "1"
    assert "Your numbers are 3 times too large" in wrong[1][0]["text/plain"]
    assert "Your numbers are 3 times too large" in wrong[1][0]["text/html"]
    assert "<table" in wrong[1][0]["text/html"]
    assert borrowed[2] == "0"
    assert "This is the course's own one_hot. Run" in borrowed[1][0]["text/plain"]
    assert "There are: running_mean, one_hot, pairwise_distances" in none[0]


def test_right_and_wrong_answers_are_told_apart(autograder):
    said = autograder("--course", FOLDER, "audit")
    assert said.returncode == 0, said.stdout
    *_, whole = re.findall(r"^all .*$", said.stdout, re.M)
    assert "15 of 15  15 of 15          30 of 30" in whole  # rejected, named, told apart
    assert "12 of 12                21 of 21" in whole  # right and wrong answers of the bank
    assert "No fault was found." in said.stdout


def test_each_exercise_has_a_bank_of_its_own(warmup):
    from autograder.audit import bank

    for kind, least in (("correct", 3), ("wrong", 4)):
        exercises = [entry.exercise for entry in bank.everything(kind)]
        assert all(exercises.count(each) >= least for each in warmup.ids)
    for each in warmup.ids:
        expected = [e.expect for e in bank.everything("wrong") if e.exercise == each]
        assert "nothing" in expected


def test_answers_are_written_in_numpy_alone():
    for path in FOLDER.rglob("*.py"):
        if path.parent.name in ("answers", "correct", "wrong"):
            tree = ast.parse(path.read_text())
            named = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
            assert {*named} <= {"numpy", "math"}


def test_the_notebook_holds_the_model_answers_and_no_outputs(warmup):
    notebook = nbformat.read(FOLDER / "notebooks" / "warmup.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    for exercise in warmup.all_exercises().values():
        assert cells[exercise.name].source.strip() == exercise.source.strip()
        graded = cells[f"check_{exercise.name}"]
        assert graded.source == f"check({exercise.name})"
        assert graded.metadata["nbgrader"]["points"] == exercise.max_score
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


# --- Which course? --------------------------------------------------------------------------------


def test_where_several_are_installed_one_has_to_be_chosen(autograder, run, tmp_path, surroundings):
    folder = installed(tmp_path / "site", alpha="alpha:COURSE", beta="beta:COURSE")
    path = {"PYTHONPATH": f"{surroundings['PYTHONPATH']}{os.pathsep}{folder}"}
    answers = file_with(tmp_path / "answers.py", RIGHT)
    said = autograder("check", answers, **path)
    assert said.returncode == 2
    assert re.search(r"Several courses are installed: alpha, beta\b", said.stderr)
    assert "`autograder --course NAME …`" in said.stderr
    cell = "from autograder import check\ndef one_hot(): ...\ncheck(one_hot)"
    assert "Several courses are installed: alpha, beta" in run("-c", cell, **path).stdout
    said = autograder("--course", FOLDER, "check", answers, **path)
    assert said.returncode == 0, said.stderr


def test_what_cannot_be_had_is_said_in_a_sentence(autograder, tmp_path, surroundings):
    folder = installed(tmp_path / "site", broken="numpy_warmup.nowhere:COURSE", odd="math:pi")
    path = {"PYTHONPATH": f"{surroundings['PYTHONPATH']}{os.pathsep}{folder}"}
    answers = file_with(tmp_path / "answers.py", RIGHT)
    for name, sentence in {
        "broken": "The course 'broken' is installed, and cannot be loaded: ",
        "odd": "'odd' is installed, and is no Course, but of type float.",
        "nowhere": "There is no course called 'nowhere'",
    }.items():
        said = autograder("--course", name, "check", answers, **path)
        assert said.returncode == 2
        assert sentence in said.stderr
        assert "Traceback" not in said.stderr
    assert autograder("--help", **path).returncode == 0


def test_the_doctor_asks_only_for_what_this_course_needs(warmup):
    assert doctor.needed_by_course() == []
    assert not {*FIRST_COURSE} & {*doctor.NEEDED}


# --- A class --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classroom(tmp_path_factory, surroundings):
    """A course's folder in which three have handed in; nothing is graded yet."""
    folder = tmp_path_factory.mktemp("classroom") / "class"
    terminal = [sys.executable, "-m", "autograder.doors.terminal"]
    for command, where in (
        ([*terminal, "--course", str(FOLDER), "course", str(folder)], folder.parent),
        ([sys.executable, "-m", "nbgrader", "generate_assignment", "warmup"], folder),
    ):
        said = subprocess.run(
            command, cwd=where, env=surroundings, capture_output=True, text=True, timeout=300
        )
        assert said.returncode == 0, said.stdout + said.stderr
    release = nbformat.read(folder / "release" / "warmup" / "warmup.ipynb", as_version=4)
    for student, source in {"right": RIGHT, "thief": STOLEN, "wrong": WRONG}.items():
        hand_in(folder, student, release, dict(zip(NAMES, source.split("# %%\n"))))
    return folder


def hand_in(folder, student, release, answers):
    notebook = nbformat.from_dict(json.loads(json.dumps(release)))
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = answers.get(name, cell.source)
    notebook.cells.append(nbformat.v4.new_code_cell(WHAT_IS_THERE))
    place = folder / "submitted" / student / "warmup"
    place.mkdir(parents=True)
    nbformat.write(notebook, place / "warmup.ipynb")


def points(folder):
    """{student: points of each exercise}"""
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        return {
            submission.student.id: {
                grade.cell.name.removeprefix("check_"): grade.score
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            for submission in book.assignment_submissions("warmup")
        }


def feedback(folder, student):
    """What the graded notebook shows."""
    path = folder / "autograded" / student / "warmup" / "warmup.ipynb"
    notebook = nbformat.read(path, as_version=4)
    return "\n".join(
        str(output.get("text") or output.get("data") or output.get("evalue"))
        for cell in notebook.cells
        for output in cell.get("outputs", ())
    )


EARNED = {
    "right": {"running_mean": 8, "one_hot": 8, "pairwise_distances": 8},
    "thief": {"running_mean": 0, "one_hot": 0, "pairwise_distances": 0},
    "wrong": {"running_mean": 1, "one_hot": 3, "pairwise_distances": 0},
}


@pytest.mark.slow
def test_learners_get_stubs(classroom):
    release = nbformat.read(classroom / "release" / "warmup" / "warmup.ipynb", as_version=4)
    cells = {c.metadata.get("nbgrader", {}).get("grade_id"): c.source for c in release.cells}
    assert all("raise NotImplementedError" in cells[name] for name in NAMES)
    assert "np.arange(window)" not in str(cells)


@pytest.mark.slow
def test_a_class_is_graded_and_reported_on(classroom, tmp_path, autograder):
    folder = shutil.copytree(classroom, tmp_path / "class")
    said = autograder("grade", "warmup", folder=folder)
    assert said.returncode == 0, said.stdout + said.stderr
    assert points(folder) == EARNED
    assert "Your numbers are 3 times too large" in feedback(folder, "wrong")
    assert "All your rows are the same" in feedback(folder, "wrong")
    assert "No module named 'numpy_warmup'" in feedback(folder, "thief")
    for student in EARNED:
        assert "there: []" in feedback(folder, student)
    # The first cell says which course it is, as it has to at home, and does no harm.
    assert "There is no course" not in feedback(folder, "right")
    said = autograder("report", "warmup", folder=folder)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "of 24 points" in said.stdout
    page = (folder / "reports" / "warmup.html").read_text()
    assert "each window is added up, and not divided" in page
    assert "tensor" not in page


@pytest.mark.slow
def test_nbgraders_own_command_gives_the_same(classroom, tmp_path, run):
    folder = shutil.copytree(classroom, tmp_path / "class")
    said = run("-m", "nbgrader", "autograde", "warmup", folder=folder)
    assert said.returncode == 0, said.stdout + said.stderr
    assert points(folder) == EARNED
    assert "Your numbers are 3 times too large" in feedback(folder, "wrong")
