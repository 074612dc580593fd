"""What was graded, how, and with which protection: one line of JSON for each submission.

Every line carries a hash of the one before, so that it shows if one was changed later. The key of
a line says what the grades depend on; the same key need not be graded again.
"""

import hashlib
import json
import os
import platform
import stat
import time
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import torch

from ..checks import LESSONS
from . import seeds
from .submission import LARGEST_FILE

# What lies in grading/ and has no part in what a submission earns.
AROUND = (
    *("archives", "classroom", "crew", "driver", "exports", "page", "report", "scores"),
    *("similar", "told"),
)


@lru_cache
def engine():
    """What grades depend on besides submission and questions: our code, torch and Python."""
    here = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256(f"{torch.__version__} {platform.python_version()}".encode())
    sources = [*here.glob("*.py"), *here.glob("checks/**/*.py"), *here.glob("grading/**/*.py")]
    sources += [here.parent / "solutions" / f"{lesson}.py" for lesson in LESSONS]
    sources += [here.parent / "course" / f"{name}.py" for name in ("quiz", "capstone")]
    sources += here.parent.glob("course/stand_bys/*.py")
    sources += here.parent.glob("translation/*.py")
    sources += here.parent.glob("notebooks/lessons/*.md")  # the answers to quizzes
    for path in sorted(sources):
        if path.stem not in AROUND:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def key(plans, seed, files):
    """The key of a submission.

    Args:
        plans: of all notebooks of the assignment.
        files: (name, path) of everything that was handed in.
    """
    digest = hashlib.sha256(f"{engine()} {seed}".encode())
    for plan in plans:
        parts = plan.notebook, plan.cells, sorted(plan.demonstrations), plan.setup
        digest.update(repr(parts).encode())
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


def record_of(student, assignment, key, seed, notebooks):
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
        "course": metadata.version("transformer-by-hand"),
        "notebooks": notebooks,
    }


def about(graded):
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
        "cells": [
            {
                "grade_id": result.grade_id,
                "exercise": result.exercise,
                "kind": result.kind,
                "points": result.points,
                "max_points": result.max_points,
                "diagnosis": list(result.diagnosis),
                "shortcut": result.shortcut,
                "seconds": round(result.seconds, 4),
            }
            for result in graded.results.values()
        ],
    }


def path_of(root, assignment):
    return seeds.folder(root) / f"{assignment}.jsonl"


def read(root, assignment):
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


def latest(root, assignment):
    """{student: the newest record, with what is newest of each notebook}"""
    found = {}
    for record in read(root, assignment):
        before = found.get(record["student"], {}).get("notebooks", {})
        notebooks = before | record.get("notebooks", {})
        found[record["student"]] = record | {"notebooks": notebooks}
    return found


def append(root, assignment, record):
    """Add a record, and see to it that it is on the disk."""
    path = path_of(root, assignment)
    last = last_line(path)
    record = record | {"before": hashlib.sha256(last.strip()).hexdigest() if last else ""}
    text = json.dumps(record, sort_keys=True)
    with open(path, "ab") as file:
        cut = bool(last) and not last.endswith(b"\n")  # a run was ended while it wrote this line
        file.write(b"\n" * cut + text.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def last_line(path):
    """The last line of a file, however long the file is."""
    if not path.exists():
        return b""
    with open(path, "rb") as file:
        size, piece = file.seek(0, os.SEEK_END), 2**14
        while True:
            file.seek(max(0, size - piece))
            lines = file.read().splitlines(keepends=True)
            if len(lines) > 1 or piece >= size:
                return lines[-1] if lines else b""
            piece *= 4


def broken_links(root, assignment):
    """The numbers of the lines whose predecessor is not the one they were written behind."""
    path = path_of(root, assignment)
    lines = path.read_bytes().splitlines() if path.exists() else []
    before, broken = "", []
    for number, line in enumerate(lines, start=1):
        try:
            if json.loads(line).get("before") != before:
                broken.append(number)
        except (ValueError, AttributeError):
            broken.append(number)
        before = hashlib.sha256(line).hexdigest()
    return broken
