"""How fast is a class graded, beside nbgrader's own command, on the same submissions?

`make bench-grading`. Stock nbgrader runs every cell of a notebook in a kernel, where torch takes
all cores, which slows it down. So it is timed in three ways. The fair one comes first: equal
work, which is the lesson without its demonstrations, and one thread. Then the same as it runs
by default, and last the whole lesson. Its start is shared among the submissions it is given.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from autograder.engine.limits import CHANGES
from autograder.engine.mistakes import edited_source
from autograder.grading.nbgrader.new_course import config_of
from course import COURSE
from course.build import ROOT
from course.checks import exercises_of
from course.lesson import lessons
from course.notebook import DEMONSTRATION, instructors, solved, text_of

from .measure import machine, table

STOCK = 'c = get_config()\nc.CourseDirectory.course_id = "transformer_by_hand"\n' + (
    "c.ClearSolutions.enforce_metadata = True\nc.ExecutePreprocessor.timeout = 300\n"
)
STOCKS = (  # (what, with demonstrations, environment)
    ("no demonstrations, one thread", False, {"OMP_NUM_THREADS": "1"}),
    ("no demonstrations", False, {}),
    ("the whole lesson", True, {}),
)
WRONG = 0.4  # so many of the answers of a class are wrong, each in one of the known ways


def lesson_called(stem):
    [lesson] = [x for x in lessons(ROOT / "notebooks" / "lessons") if x.stem == stem]
    return lesson


def submissions(stem, count, demonstrations=True, seed=1):
    """So many notebooks in which some answers are wrong."""
    draw, lesson = random.Random(seed), lesson_called(stem)
    exercises = {exercise.name: exercise for exercise in exercises_of(lesson.module)}
    for _ in range(count):
        notebook = solved(lesson)
        for cell in notebook.cells:
            exercise = exercises.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
            if exercise is not None and draw.random() < WRONG:
                mistake = draw.choice(exercise.mistakes)
                cell.source = edited_source(exercise, (mistake.id,)).rstrip()
        yield text_of(notebook if demonstrations else without_demonstrations(notebook))


def without_demonstrations(notebook):
    cells = notebook.cells
    notebook.cells = [c for c in cells if DEMONSTRATION not in c.metadata.get("tags", [])]
    return notebook


def make(folder, stem, count, config, demonstrations=True):
    """A course with so many submissions of one lesson."""
    place = folder / "source" / stem
    place.mkdir(parents=True)
    notebook = instructors(lesson_called(stem))
    if not demonstrations:
        notebook = without_demonstrations(notebook)
    (place / f"{stem}.ipynb").write_text(text_of(notebook))
    (folder / "nbgrader_config.py").write_text(config)
    run(["nbgrader", "generate_assignment", stem], folder)
    for number, text in enumerate(submissions(stem, count, demonstrations)):
        handed = folder / "submitted" / f"student{number:04}" / stem
        handed.mkdir(parents=True)
        (handed / f"{stem}.ipynb").write_text(text)
        (handed / "timestamp.txt").write_text("2026-01-01 12:00:00 UTC")


def run(command, folder, **settings):
    """Seconds that a command takes."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path} | settings, check=True,
                   text=True, capture_output=True)  # fmt: skip
    return time.perf_counter() - started


def memory_of(command, folder):
    """(seconds, bytes): of the command's own process, without those that it starts."""
    code = (
        "import resource, subprocess, sys; from autograder.doors.terminal import main; "
        f"code = main({command!r}); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return time.perf_counter() - started, int(done.stdout.split()[-1]) * 1024


def stock(stem, count, demonstrations, **settings):
    """Seconds a submission, of nbgrader's own command."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), stem, count, STOCK, demonstrations)
        return run(["nbgrader", "autograde", stem], folder, **settings) / count


def own_config(changes):
    """The configuration of a course in which so many answers may be asked for to find a line."""
    return f"{config_of(COURSE)}c.SandboxedExecute.changes = {changes}\n"


def ours(stem, count, changes):
    """(seconds, of these for starting, bytes): of `autograder grade`."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), stem, count, own_config(changes))
        alone, _ = memory_of(["grade", stem, "--student", "student0000", "--regrade"], folder)
        shutil.rmtree(Path(folder) / ".autograder")
        seconds, memory = memory_of(["grade", stem], folder)
    return seconds, alone, memory


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classroom", description=__doc__)
    parser.add_argument("--lesson", default="01_attention")
    parser.add_argument("--class", dest="sizes", type=int, nargs="+", default=[100], metavar="N")
    parser.add_argument(
        "--stock",
        type=int,
        default=4,
        metavar="N",
        help="submissions for stock nbgrader (4); 0 leaves it out",
    )
    parser.add_argument(
        "--changes",
        type=int,
        default=CHANGES,
        metavar="N",
        help=f"answers that may be asked for to find a line ({CHANGES}); 0 finds none",
    )
    options = parser.parse_args()
    print(f"Measured on {machine(torch.device('cpu'))}\n", flush=True)
    rows, own = [], []
    for size in options.sizes:
        seconds, alone, memory = ours(options.lesson, size, options.changes)
        own.append(seconds / size)
        rows.append(row(f"autograder grade, {size}", size / seconds, seconds, memory))
        print(f"(one submission alone: {alone:.1f} s, most of it to start)", flush=True)
    for what, demonstrations, settings in STOCKS if options.stock else ():
        each = stock(options.lesson, options.stock, demonstrations, **settings)
        ratio = each / own[0]
        name = f"nbgrader autograde, {options.stock}, {what}"
        rows.append((name, f"{60 / each:.1f}", f"{each:.2f}", f"{ratio:.0f} × slower", ""))
    header = ("what", "submissions a minute", "seconds each", "", "memory of the driver")
    print(table(header, rows))


def row(what, speed, seconds, memory):
    return (what, f"{60 * speed:.0f}", f"{1 / speed:.3f}", f"{seconds:.1f} s", f"{memory >> 20} MB")


if __name__ == "__main__":
    main()
