"""Run notebooks from top to bottom as a learner does at home, quickly, and say what they earned.

    python -m tests.autograder.grading.at_home SEED FILE …

The seed is the judge's, so that the same is asked. IPython and `check` are those of JupyterLab; one
process runs notebook after notebook, each with names of its own, as what known mistakes
answer is worked out only once in it. Of the cells that only show something it runs what later
cells build on: the imports from `course.mine`. (That a whole lesson, with all its training, earns
the same is tested once for each lesson, in a kernel.)
"""

import contextlib
import gc
import io
import json
import os
import sys
import tempfile

import nbformat
import torch
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from autograder.doors import notebook as door
from autograder.engine import examine as engine
from autograder.engine import limits
from autograder.engine.course import current
from autograder.engine.exam import Exam
from autograder.grading.judge import Judge
from autograder.notebooks.cell_names import imported_from

VERDICTS = []  # of the cell that runs
MISTAKES = {}  # {exercise's id: what known mistakes answer in its exam, and how that shows}


def run(path, shell):
    """{grade id: [points, diagnosis]} of a notebook."""
    shell.reset()
    gc.freeze()  # it has just looked through all that is left: no need to do so again each time
    vars(current()).pop("session", None)
    earned = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            VERDICTS.clear()
            with contextlib.redirect_stdout(io.StringIO()):
                result = shell.run_cell(shortened(cell), store_history=True)
            known = cell.metadata.get("nbgrader", {})
            if known.get("grade"):
                points = result.result if result.success else 0.0
                diagnosis = VERDICTS[0].diagnosis if VERDICTS else None
                earned[known["grade_id"]] = [float(points or 0.0), diagnosis]
    return earned


def shortened(cell):
    """The source of a cell, of a demonstration only what later cells build on."""
    if "demonstration" not in cell.metadata.get("tags", ()):
        return cell.source
    pairs = imported_from(cell.source, current().builds_from)
    return "\n".join(
        f"from {current().builds_from} import {name} as {here}" for name, here in pairs
    )


def ask_what_the_judge_asks(seed):
    """Whenever `check` draws inputs; and nothing depends on how busy this machine is."""
    judge, examine = Judge(seed), door.examine_learners

    def examine_with_seed(exercise, subject, names, missing, seed, *more):
        return examine(exercise, subject, names, missing, judge.seed_of(exercise), *more)

    door.examine_learners, door.show = examine_with_seed, VERDICTS.append
    engine.Exam = exam_of
    limits.PATIENCE = limits.UNHURRIED


def exam_of(exercise, seed, device):
    """Drawn and answered anew for each check; but as an exercise has one seed in this process, its
    known mistakes are asked once."""
    exam = Exam(exercise, seed, device)
    exam.answers, exam.aspects = MISTAKES.setdefault(exercise.id, ({}, {}))
    return exam


def main(seed, *paths):
    torch.set_num_threads(1)
    ask_what_the_judge_asks(int(seed))
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    gc.freeze()  # the shell collects garbage between notebooks: torch is none
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # nothing is kept
        json.dump({path: run(path, shell) for path in paths}, sys.stdout)
        os.chdir("/")


if __name__ == "__main__":
    main(*sys.argv[1:])
