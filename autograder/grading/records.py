"""What was graded, how, and with which protection: one line of JSON for each submission.

The lines are sealed and chained, so that it shows if one was changed or cut off later (`chain`).
The key of a line says what the grades depend on; the same key need not be graded again.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import os
import platform
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..engine.course import Course, current, load
from ..notebooks.plan import Plan
from ..notebooks.submission import LARGEST_FILE
from . import chain, seeds, trouble
from .trouble import CourseError

if TYPE_CHECKING:
    from .judge import Result
    from .notebook_run import Graded

# The rooms on which points depend; of this one only what lies in it itself, not what is around it:
# nbgrader's steps, the command and the report.
ROOMS = ("engine", "notebooks", "sandbox")
SOURCES = (".py", ".md")


@lru_cache
def engine() -> str:
    """What grades depend on besides submission and questions: our code, the course's and the Course
    itself, torch and Python."""
    around = f"{torch.__version__} {platform.python_version()} {astuple(current())}"
    digest = hashlib.sha256(around.encode())
    for path in sorted(depended_on()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def depended_on() -> Iterator[Path]:
    """The paths of all files on which points depend."""
    home = Path(__file__).resolve().parent
    yield from home.glob("*.py")
    for room in ROOMS:
        yield from (home.parent / room).rglob("*.py")
    course = current()
    for package in (course.checks, course.reference, course.stand_bys):
        if package:
            folder = Path(importlib.import_module(package).__path__[0])
            yield from (path for path in folder.rglob("*") if path.suffix in SOURCES)
    if course.mistakes:
        yield from course.folder(course.mistakes).rglob("*.md")
    if course.stand_ins:
        yield Path(inspect.getfile(importlib.import_module(course.stand_ins)))
    if course.depends_on:
        yield from load(course.depends_on)()


def key(plans: Iterable[Plan], seed: int, handed: str) -> str:
    """The key of a submission.

    Args:
        plans: of all notebooks of the assignment.
        handed: `of_files`, of everything that was handed in.
    """
    digest = hashlib.sha256(f"{engine()} {seed}".encode())
    for plan in plans:
        parts = plan.notebook, plan.cells, sorted(plan.demonstrations), plan.setup
        digest.update(repr(parts).encode())
    digest.update(handed.encode())
    return digest.hexdigest()


def of_files(files: Iterable[tuple[str, Path]]) -> str:
    """The digest of several files, by (name, path)."""
    digest = hashlib.sha256()
    for name, path in sorted(files):
        digest.update(f"{name}\n".encode("utf-8", "surrogateescape") + digest_of(path))
    return digest.hexdigest()


def digest_of(path):
    """The digest of a file; of what is no ordinary file only what it is, and of one that is too
    large to be read only its size."""
    digest = hashlib.sha256()
    try:
        about = os.lstat(path)
        kind = stat.S_IFMT(about.st_mode)
        digest.update(str(kind).encode())
        if kind == stat.S_IFREG and about.st_size > LARGEST_FILE:
            digest.update(str(about.st_size).encode())
        elif kind == stat.S_IFREG:
            with open(path, "rb") as file:
                while piece := file.read(2**20):
                    digest.update(piece)
    except OSError as error:
        digest.update(str(error.errno).encode())
    return digest.digest()


def record_of(
    student: str, assignment: str, key: str, seed: int, notebooks: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """The record of a graded submission.

    Args:
        notebooks: {name: what `about` says of it}
    """
    return {
        "student": student,
        "assignment": assignment,
        "key": key,
        "seed": seed,
        "engine": engine(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "course": version_of(current()),
        "notebooks": notebooks,
    }


def version_of(course: Course) -> str:
    """A course by its name and version."""
    try:
        return f"{course.id} {metadata.version(course.distribution)}"
    except (metadata.PackageNotFoundError, ValueError):  # it lies in a folder, not installed
        return course.id


def about(graded: Graded) -> dict[str, Any]:
    """What is kept of one notebook."""
    return {
        "protection": graded.protection,
        "level": graded.level,
        "demanded": graded.demanded,
        "events": graded.events,
        "troubles": graded.troubles,
        "seconds": round(graded.seconds, 3),
        "cpu": round(graded.cpu, 3),
        "memory": graded.memory,
        "cells": [of_cell(result) for result in graded.results.values()],
    }


def of_cell(result: Result) -> dict[str, Any]:
    """What is kept of one cell that was scored."""
    kept = {
        "grade_id": result.grade_id,
        "exercise": result.exercise,
        "kind": result.kind,
        "points": result.points,
        "max_points": result.max_points,
        "diagnosis": list(result.diagnosis),
        "shortcut": result.shortcut,
        "seconds": round(result.seconds, 4),
    }
    if result.kind == "check" and not result.solved and not result.diagnosis:
        # {} for what could not be tried: it is missing, empty, or was stopped.
        kept["unnamed"] = result.likeness.as_data() if result.likeness else {}
    return kept


def path_of(root: str | Path, assignment: str) -> Path:
    return Path(root) / seeds.FOLDER / f"{assignment}.jsonl"


def read(root: str | Path, assignment: str) -> list[dict[str, Any]]:
    """All records of an assignment, the oldest first; lines that were cut off are left out."""
    try:
        lines = path_of(root, assignment).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "student" in record:
            found.append(record)
    return found


def latest(root: str | Path, assignment: str) -> dict[str, dict[str, Any]]:
    """{student: the newest record, with what is newest of each notebook}"""
    found = {}
    for record in read(root, assignment):
        before = found.get(record["student"], {}).get("notebooks", {})
        notebooks = before | record.get("notebooks", {})
        found[record["student"]] = record | {"notebooks": notebooks}
    return found


def append(root: str | Path, assignment: str, record: dict[str, Any]) -> None:
    """Add a record, sealed, and see to it that it is on the disk."""
    key = seeds.seal_of(root)  # which makes the folder, if need be
    chain.append(path_of(root, assignment), record, key)


def look(root: str | Path, assignment: str) -> chain.Findings:
    """The Findings about an assignment's records: is all as it was written?"""
    return chain.look(path_of(root, assignment), seeds.seal_if_any(root))


# --- `autograder records ASSIGNMENT` --------------------------------------------------------------

WHOLE, CHANGED, COULD_NOT = 0, 1, 2  # exit codes


def main(options):
    """Say whether the records are as they were written; gives the command's exit code."""
    root, assignment = Path(options.course), options.assignment
    try:
        if not root.is_dir():
            raise CourseError(f"There is no folder called {root}.")
        found = look(root, assignment)
    except CourseError as error:
        print(error, file=sys.stderr)
        return COULD_NOT
    except OSError as error:
        print(trouble.of_file(error, root), file=sys.stderr)
        return COULD_NOT
    if not found.lines and not found.problems:
        print(f"Nothing in {root} has been graded for {assignment}.", file=sys.stderr)
        return COULD_NOT
    for sentence in [f"{assignment}: {chain.counted(found)}", *found.problems, *found.remarks]:
        print(sentence)
    return CHANGED if found.problems else WHOLE
