"""Run notebooks from top to bottom as a learner does at home, quickly, and say what they earned.

    python -m tests.autograder.grading.at_home SEED FILE …

The seed is the judge's, so that the same is asked. Each runs in a copy of one warm process, with
IPython and `check` as in JupyterLab. Of the cells that only show something it runs what later cells
build on: the imports from `course.mine`. (That a whole lesson, with all its training, earns the
same is tested once for each lesson, in a kernel.)
"""

import contextlib
import json
import os
import sys
import tempfile

import nbformat

from autograder.grading.demonstrations import MINE
from autograder.grading.names import imported_from


def run(path, judge):
    """{grade id: [points, diagnosis]} of a notebook."""
    from IPython.core.interactiveshell import InteractiveShell

    from autograder import limits
    from autograder import notebook as door

    shell = InteractiveShell.instance()
    verdicts, examine = [], door.examine_learners
    door.show = verdicts.append
    door.examine_learners = lambda exercise, subject, names, missing, seed, *more: examine(
        exercise, subject, names, missing, judge.seed_of(exercise), *more
    )
    limits.PATIENCE = limits.UNHURRIED
    earned = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        known = cell.metadata.get("nbgrader", {})
        source = cell.source
        if "demonstration" in cell.metadata.get("tags", ()):
            pairs = imported_from(source, MINE)
            source = "\n".join(f"from {MINE} import {name} as {here}" for name, here in pairs)
        verdicts.clear()
        result = shell.run_cell(source, store_history=True)
        if known.get("grade"):
            points = result.result if result.success else 0.0
            found = [verdict.diagnosis for verdict in verdicts]
            earned[known["grade_id"]] = [float(points or 0.0), found[0] if found else None]
    return earned


def in_a_copy(path, judge):
    """The same in a forked process, which shows nothing."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(BaseException):
            os.chdir(folder)
            with os.fdopen(theirs, "w") as pipe:
                json.dump(run(path, judge), pipe)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return json.loads(told) if told else None


def main(seed, *paths):
    import torch

    from autograder.checks import all_exercises
    from autograder.grading.judge import Judge

    torch.set_num_threads(1)
    all_exercises()
    judge = Judge(int(seed))
    json.dump({path: in_a_copy(path, judge) for path in paths}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
