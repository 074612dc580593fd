"""A run over an assignment that has begun and isn't finished: what it was asked to do.

The note is made when a run begins, and removed when all it was to do is done. So if a run is killed
or stopped, the next one knows, and goes on with the same: a regrade goes on as a regrade.
"""

from __future__ import annotations

import json
import secrets
import time
from argparse import Namespace
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ... import aside
from .. import seeds


@dataclass(frozen=True)
class Begun:
    """What a run was asked to do.

    Args:
        students: whose submissions; "*" stands for everybody's.
        regrade: also those that were graded already.
        run: its name in the records: whoever has a record of that name is done.
        time: when it began.
    """

    students: tuple[str, ...]
    regrade: bool
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    time: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))

    def covers(self, student: str) -> bool:
        return "*" in self.students or student in self.students

    def owes(self, student: str, record: dict[str, Any]) -> bool:
        """Has this student still to be graded again?"""
        return self.regrade and self.covers(student) and record.get("run") != self.run

    def with_more(self, student: str) -> Begun:
        """The same, for one more student (or for everybody)."""
        students = self.students if self.covers(student) else (*self.students, student)
        return Begun(students, self.regrade, self.run, self.time)


def asked(before: Begun | None, options: Namespace) -> tuple[Begun, bool]:
    """(what a run with these options is to do, whether also those who are done already).

    Args:
        before: a run that was not finished, or None.
    """
    student = options.student
    if before is not None and options.resume and can_resume(before, options):
        return before, False
    if before is None or not before.regrade:
        return Begun((student,), options.regrade), False
    if not options.regrade or student in before.students:  # the same command again
        return before, False
    return before.with_more(student), before.covers(student)


def can_resume(before: Begun | None, options: Namespace) -> bool:
    return before is not None and (before.regrade or not options.regrade)


def path_of(root: str | Path, assignment: str) -> Path:
    return seeds.folder(root) / f"{assignment}.run"


def read(root: str | Path, assignment: str) -> Begun | None:
    """The Begun of a run that was not finished; None if there is none."""
    try:
        said = json.loads(path_of(root, assignment).read_bytes())
        return Begun(tuple(said["students"]), said["regrade"], said["run"], said["time"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def note(root: str | Path, assignment: str, begun: Begun) -> None:
    aside.write(path_of(root, assignment), json.dumps(asdict(begun)).encode())


def put_back(root: str | Path, assignment: str, before: Begun | None) -> None:
    if before is None:
        forget(root, assignment)
    else:
        note(root, assignment, before)


def forget(root: str | Path, assignment: str) -> None:
    path_of(root, assignment).unlink(missing_ok=True)
