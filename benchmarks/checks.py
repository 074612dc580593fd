"""How long a check takes: of a right answer, of every known mistake, and of importing it all."""

import statistics
import subprocess
import sys

from autograder.checks import all_exercises
from autograder.examine import examine
from autograder.mistakes import build

from .measure import table

IMPORTS = (
    "import torch",
    "import torch; import autograder",
    "import torch; from autograder import check",
)


def run(rounds=10):
    """Two Markdown tables: the checks, and the imports."""
    rows = [row(exercise, rounds) for exercise in all_exercises().values()]
    header = ("exercise", "probes", "mistakes", "right, ms", "wrong, ms", "wrong / right")
    return f"{table(header, rows)}\n\n{imports()}"


def row(exercise, rounds):
    """Medians over seeds; right and wrong answers take turns, so that their ratio holds."""
    wrong = [build(exercise, (mistake.id,)) for mistake in exercise.mistakes]
    subjects = [exercise.reference, *wrong]
    for subject in subjects:  # what is made once is made now
        examine(exercise, subject, seed=0)
    right_times, wrong_times, ratios = [], [], []
    for seed in range(1, rounds + 1):
        right, *others = (examine(exercise, subject, seed).seconds for subject in subjects)
        right_times.append(right)
        wrong_times += others
        ratios.append(statistics.median(others) / right)
    return (
        exercise.id,
        sum(len(promise.probes) for promise in exercise.properties),
        len(exercise.mistakes),
        f"{1000 * statistics.median(right_times):.1f}",
        f"{1000 * statistics.median(wrong_times):.1f}",
        f"{statistics.median(ratios):.1f}",
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
