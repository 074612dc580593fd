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

from course import COURSE

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("autograder", "course", "solutions", "translation", "benchmarks", "website", "tests")
SECONDS = 30  # for tests; finding and importing them takes its time too
DOCS, COUNTS, HOUSE = "tests/test_docs.py", "tests/test_counts.py", "tests/test_house.py"
EXERCISES = (
    "tests/autograder/engine/test_checks.py",
    "tests/autograder/audit/test_bank.py",
    "tests/course/test_stand_bys.py",
)
LESSONS = ("tests/course/test_whole_lessons.py", "tests/course/test_notebook.py")
# What no import tells: a changed file, and the tests that follow it. Lesson, exercise and notebook
# choose among those that are there for each.
FOLLOWED = (
    (r"course/(checks|mistakes)/(?P<lesson>\w+)/(?P<exercise>\w+)\.\w+", (*EXERCISES, COUNTS)),
    (r"course/(checks|stand_bys|bank/\w+)/(?P<lesson>\w+)\.py", (*EXERCISES, COUNTS)),
    (r"solutions/(?P<lesson>\w+)\.py", (*EXERCISES, "tests/course/test_stubs.py")),
    (r"notebooks/(lessons/)?(?P<notebook>\d+_\w+)\.(md|ipynb)", (*LESSONS, DOCS)),
    (r"notebooks/lessons/built\.json", ("tests/course/test_notebook.py",)),
    (r"exercises/.*", ("tests/course/test_stubs.py",)),
    (r"examples/.*", ("tests/examples",)),
    (r"tests/unseen/.*", ("tests/autograder/audit/test_unseen.py",)),
    (r"website/theme/.*", ("tests/website",)),
    (r"autograder/grading/report/.*", ("tests/autograder/grading/test_report.py",)),
    (r"([A-Z]+|docs/\w+)\.md", (DOCS, COUNTS, "tests/autograder/test_readme.py")),
    (r"docs/authors_guide\.md", ("tests/autograder/test_authors_guide.py",)),
    (r"docs/teaching\.md", ("tests/test_teaching.py",)),
    (r"(.*/)?(pyproject\.toml|constraints\.txt|environment\.yml)", ("tests/test_packages.py",)),
    (r"(Dockerfile|\.dockerignore|\.binder/.*|\.devcontainer/.*)", ("tests/test_image.py",)),
    (r"(Makefile|scripts/.*|\.ci/.*|\.github/.*)", ("tests/test_setup.py",)),
    (r".*\.py", (HOUSE,)),
)


def changed():
    """The files that differ from the last commit, or those that the last commit has changed."""
    for command in (
        "status --porcelain -z --no-renames --untracked-files=all",
        "diff --name-only -z --no-renames HEAD~1",
    ):
        said = subprocess.run(["git", *command.split()], cwd=ROOT, capture_output=True, text=True)
        if said.stdout:
            start = 3 if command.startswith("status") else 0  # behind two letters and a space
            return [entry[start:] for entry in said.stdout.split("\0") if entry]
    return []


def nearest(paths):
    """{test file: how many imports lie between it and what has changed}"""
    graph = grimp.build_graph(*(name for name in PACKAGES if (ROOT / name).is_dir()))
    here, found = set(), {}
    for path in paths:
        module = path.removesuffix(".py").replace("/", ".")
        package = module.removesuffix(".__init__")
        here.add(package)
        if package != module and package in graph.modules:
            here |= graph.find_descendants(package)
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
    """({test file: 1}, the ids of the exercises and the names of the lessons that have changed)"""
    found, meant = {}, set()
    for path in paths:
        for pattern, tests in FOLLOWED:
            if match := re.fullmatch(pattern, path):
                found |= dict.fromkeys(tests, 1)
                meant |= meant_by(**match.groupdict()) if match.groupdict() else set()
    return found, meant


def meant_by(lesson="", exercise="", notebook=""):
    """A notebook; an exercise if a file is that of one, else those of its lesson, else all."""
    if notebook:
        return {f"[{notebook}]"}
    of_lesson = COURSE.syllabus.get(lesson, ())
    named = [name for name in of_lesson if plain(name) == plain(exercise)]
    if of_lesson:
        return {f"{lesson}.{name}" for name in named or of_lesson}
    return {f"{lesson}.{name}" for lesson, names in COURSE.syllabus.items() for name in names}


def plain(name):
    """A file's name and a class's are the same: multi_head_attention, MultiHeadAttention."""
    return name.replace("_", "").lower()


class Quick:
    """A plugin of pytest: what is slow stays out, the nearest come first, and the time ends.

    Args:
        near: {test file: distance}, of those that import what has changed.
        by_name: the same of those that follow it by its name: of tests that are there for each
            exercise or lesson, they give those that are meant.
    """

    def __init__(self, near, by_name, meant):
        self.near, self.by_name, self.meant = near, by_name, meant
        self.ends, self.left = None, 0

    def pytest_collection_modifyitems(self, items):
        kept = [item for item in items if "slow" not in item.keywords]
        kept = [item for item in kept if self.file_in(self.near, item) or self.is_meant(item)]
        kept.sort(key=lambda item: (not self.is_meant(item), self.distance(item)))
        items[:] = kept

    def is_meant(self, item):
        each = {"exercise", "lesson", "mistake"} & set(getattr(item, "fixturenames", ()))
        return not each or not self.meant or any(name in item.nodeid for name in self.meant)

    def distance(self, item):
        files = self.near | self.by_name
        return files[self.file_in(files, item)]

    def file_in(self, files, item):
        path = item.path.relative_to(ROOT).as_posix()
        return next((name for name in files if path.startswith(name)), "")

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
    by_name, meant = followed(paths)
    near = {name: far for name, far in nearest(paths).items() if (ROOT / name).exists()}
    files = sorted(near | by_name)
    if not files:
        print("Nothing has changed that a test is there for.")
        return 0
    print(f"{len(paths)} changed files; {len(files)} files of tests.", flush=True)
    os.chdir(ROOT)
    return pytest.main(["--quiet", *files], plugins=[Quick(near, by_name, meant)])


if __name__ == "__main__":
    sys.exit(main())
