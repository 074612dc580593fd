"""How long a check takes: of right answers, of every known mistake, and of importing it all."""

import statistics
import subprocess
import sys

from autograder.audit.matrix import entries_for
from autograder.engine.examine import examine
from autograder.engine.mistakes import build
from course.checks import all_exercises

from .measure import table

IMPORTS = (
    "import torch",
    "import torch; import autograder",
    "import torch; from autograder import check",
)


def run():
    """Two Markdown tables: the checks, and the imports."""
    rows = [row(exercise) for exercise in all_exercises().values()]
    header = ("exercise", "probes", "mistakes", "right, ms", "wrong, ms", "wrong / right", "first")
    return f"{table(header, rows)}\n\n{imports()}"


def row(exercise):
    """Medians over the bank's right answers and all mistakes; they take turns, so that their ratio
    holds.

    What mistakes answer is kept for the life of a process, so the first wrong answer takes longer.
    """
    right = [entry.build() for entry in entries_for("correct", exercise)]
    wrong = [build(exercise, (mistake.id,)) for mistake in exercise.mistakes]
    for subject in right:
        examine(exercise, subject, seed=0)
    first = [examine(exercise, subject, seed=0).seconds for subject in wrong]
    rights, wrongs = [], []
    for seed, subject in enumerate(wrong, start=1):
        rights.append(examine(exercise, right[seed % len(right)], seed).seconds)
        wrongs.append(examine(exercise, subject, seed).seconds)
    middle = statistics.median(rights)
    return (
        exercise.id,
        sum(len(promise.probes) for promise in exercise.properties),
        len(exercise.mistakes),
        f"{1000 * middle:.1f}",
        f"{1000 * statistics.median(wrongs):.1f}",
        f"{statistics.median(wrongs) / middle:.1f}",
        f"{1000 * first[0]:.0f}",
    )


def imports(rounds=5):
    """Seconds of a fresh Python with each of the imports."""
    times = {code: [] for code in IMPORTS}
    timed = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
    for _ in range(rounds):
        for code in IMPORTS:
            command = [sys.executable, "-c", timed.format(code)]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            times[code].append(float(run.stdout))
    least = {code: statistics.median(found) for code, found in times.items()}
    first = least[IMPORTS[0]]
    rows = [(f"`{code}`", f"{s:.2f}", f"{s - first:+.2f}") for code, s in least.items()]
    return table(("import", "s", "over torch"), rows)
