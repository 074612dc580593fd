"""`make test-quick`: for a minute, the tests that lie nearest to what has changed.

Which they are is read from who imports whom; what is no Python, or is looked up by its name, has
its tests in FOLLOWED. `make test` runs everything.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("autograder", "course", "solutions", "translation", "benchmarks", "tests")
SECONDS = 35  # for tests; finding and importing them takes its time too
DOCS = "tests/test_docs.py"
EXERCISES = (
    "tests/autograder/engine/test_checks.py",
    "tests/autograder/audit/test_bank.py",
    "tests/course/test_stand_bys.py",
)
LESSONS = ("tests/course/test_whole_lessons.py", "tests/course/test_notebook.py")
# What no import tells: a changed file, and the tests that follow it. `lesson` and `exercise` choose
# among those that are there for each.
FOLLOWED = (
    (r"course/(checks|mistakes)/(?P<lesson>\w+)/(?P<exercise>\w+)\.\w+", EXERCISES),
    (r"course/(bank/\w+|stand_bys)/(?P<lesson>\w+)\.py", EXERCISES),
    (r"solutions/(?P<lesson>\w+)\.py", (*EXERCISES, "tests/course/test_stubs.py")),
    (r"notebooks/(lessons/)?\d+_(?P<lesson>\w+)\.(md|ipynb)", (*LESSONS, DOCS)),
    (r"exercises/.*", ("tests/course/test_stubs.py",)),
    (r"examples/.*", ("tests/examples",)),
    (
        r"(README|docs/.*|CONTRIBUTING|CHANGELOG|SECURITY)\.md",
        (DOCS, "tests/autograder/test_readme.py"),
    ),
    (r"docs/authors_guide\.md", ("tests/autograder/test_authors_guide.py",)),
    (r"(.*/)?(pyproject\.toml|constraints\.txt|environment\.yml)", ("tests/test_packages.py",)),
    (r"(Makefile|scripts/.*|\.ci/.*)", ("tests/test_setup.py",)),
    (r".*\.py", ("tests/test_house.py",)),
)


def changed():
    """The files that differ from the last commit, or those of the last commit."""
    for command in ("status --porcelain --untracked-files=all", "show --name-status --format="):
        said = subprocess.run(
            ["git", *command.split()], cwd=ROOT, capture_output=True, text=True, check=True
        )
        if said.stdout.strip():
            return [line.split()[-1].strip('"') for line in said.stdout.splitlines()]
    return []


def nearest(paths):
    """{test file: how many imports lie between it and what has changed}"""
    graph, found = grimp.build_graph(*PACKAGES), {}
    here = set()
    for path in paths:
        module = path.removesuffix(".py").replace("/", ".")
        package = module.removesuffix(".__init__")
        here |= {package} | (graph.find_descendants(package) if module != package else set())
    ring, seen, distance = here & graph.modules, set(), 0
    while ring:
        for module in ring:
            if module.rpartition(".")[2].startswith("test_"):
                found[module.replace(".", "/") + ".py"] = distance
        seen |= ring
        ring = {by for one in ring for by in graph.find_modules_that_directly_import(one)} - seen
        distance += 1
    return found


def followed(paths):
    """({test file: 1}, what the tests that are there for each lesson or exercise are called)"""
    found, words = {}, set()
    for path in paths:
        for pattern, tests in FOLLOWED:
            if match := re.fullmatch(pattern, path):
                found |= dict.fromkeys(tests, 1)
                words |= {plain(".".join(filter(None, match.groupdict().values())))} - {""}
    return found, words


def plain(name):
    """A file's name and a class's are the same: multi_head_attention, MultiHeadAttention."""
    return name.replace("_", "").lower()


class Quick:
    """A plugin of pytest: what is slow stays out, the nearest come first, and the time ends."""

    def __init__(self, distances, words):
        self.distances, self.words = distances, words
        self.ends, self.left = None, 0

    def pytest_collection_modifyitems(self, items):
        kept = [item for item in items if "slow" not in item.keywords and self.is_meant(item)]
        kept.sort(key=self.distance)
        items[:] = kept

    def is_meant(self, item):
        """A test that is there for each exercise or lesson counts for those that have changed."""
        each = plain(item.nodeid.partition("[")[2])
        chosen = {"exercise", "lesson", "mistake"} & set(getattr(item, "fixturenames", ()))
        return not (chosen and self.words) or any(word in each for word in self.words)

    def distance(self, item):
        path = item.path.relative_to(ROOT).as_posix()
        return min(self.distances[name] for name in self.distances if path.startswith(name))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        self.ends = self.ends or time.monotonic() + SECONDS
        if time.monotonic() < self.ends:
            return None
        self.left += 1
        return True

    def pytest_terminal_summary(self, terminalreporter):
        if self.left:
            terminalreporter.write_line(
                f"After {SECONDS} seconds {self.left} were left out. `make test` runs them all."
            )


def main():
    paths = changed()
    by_name, words = followed(paths)
    distances = {k: v for k, v in (nearest(paths) | by_name).items() if (ROOT / k).exists()}
    if not distances:
        print("Nothing has changed that a test is there for.")
        return 0
    print(f"{len(paths)} changed files; {len(distances)} files of tests.", flush=True)
    os.chdir(ROOT)
    files = sorted(distances, key=distances.get)
    return pytest.main(["--quiet", *files], plugins=[Quick(distances, words)])


if __name__ == "__main__":
    sys.exit(main())
