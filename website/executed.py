"""Lessons, run from top to bottom with the model answers in the learner's place.

What was run is kept by its content, in a folder that git ignores: a lesson runs again when its
text, or code that it may call, has changed.
"""

import hashlib
import itertools
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from course.checks import LESSONS, exercises_of
from course.notebook import solved
from course.stubs import file_of, imports_of

from .places import ROOT

SECONDS = 1800  # for one cell, on a slow machine
# What a lesson's outputs depend on, beside its own text.
CODE = (
    "autograder/engine/**/*.py",
    "course/*.py",
    "course/[!b]*/**/*.py",  # not the bank: no lesson reads it
    "course/mistakes/**/*.md",
    "solutions/*.py",
    "translation/*.py",
    "website/executed.py",
    "website/explorers.py",
)
PREPARE = "from website.explorers import prepare\n\nprepare()"


def executed(lesson, folder):
    """The lesson's notebook with the model answers and everything that its cells show.

    Args:
        folder: where what was run is kept.
    """
    notebook = solved(lesson)
    kept = folder / f"{lesson.stem}-{key_of(notebook)}.ipynb"
    if not kept.is_file():
        print(f"Running {lesson.stem} ...", flush=True)
        run(notebook, lesson.module)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{lesson.stem}-*.ipynb"):
            old.unlink()
        nbformat.write(notebook, kept)
    return nbformat.read(kept, as_version=4)


def key_of(notebook):
    """What a notebook's outputs depend on, as a short name."""
    digest = hashlib.sha256(version("torch").encode())
    for cell in notebook.cells:
        digest.update(cell.source.encode() + b"\0")
    for path in sorted(path for pattern in CODE for path in ROOT.glob(pattern)):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def run(notebook, module):
    """Execute a lesson's notebook as its learner would; an error in a cell is raised."""
    notebook.cells.insert(0, new_code_cell(PREPARE))
    with tempfile.TemporaryDirectory() as folder:
        place = {"metadata": {"path": str(learners_folder(Path(folder), module))}}
        client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=place)
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        client.execute(env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths})
    del notebook.cells[0]


def learners_folder(folder, module):
    """Make the folders of a learner who has solved all earlier lessons. Gives notebooks/."""
    solved_ones = set(itertools.takewhile(lambda each: each != module, LESSONS))
    exercises = folder / "exercises"
    exercises.mkdir()
    for each in LESSONS:
        done = each in solved_ones and module in LESSONS
        text = solved_file(each) if done else file_of(each)
        (exercises / f"{each}.py").write_text(text, encoding="utf-8")
    (folder / "notebooks").mkdir()
    return folder / "notebooks"


def solved_file(module):
    """exercises/<module>.py with the model answers."""
    sources = [exercise.source.rstrip() for exercise in exercises_of(module)]
    return "\n\n\n".join([imports_of(module), *sources]) + "\n"
