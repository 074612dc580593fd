"""What is wrong with a course's own data, in a sentence with its place: for its author to mend.

A probe that raises, a model answer that is missing, a module with a slip in it: no learner has done
anything wrong then, and none is told so.
"""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

ENGINE = str(Path(__file__).resolve().parents[1])  # the autograder's own folder
MOST = 300  # characters of what an exception says
# At home a learner's code runs in the same process, and can break the check from there.
WHAT_TO_DO = (
    "Does your code put something of its own in the place of torch's, or of Python's? If not, and "
    "if it is the same after a restart, tell whoever made the course."
)


class BrokenCourseError(Exception):
    """Something that a course is made of does not work.

    Args:
        place: what it is, and where it stands.
        sentence: what is wrong with it.
    """

    def __init__(self, place: str, sentence: str):
        super().__init__(place, sentence)  # both: so that it can be sent to another process
        self.place, self.sentence = place, sentence

    def __str__(self) -> str:
        end = "" if self.sentence.endswith((".", "?", "!", "…")) else "."
        return f"{self.place}: {self.sentence}{end}"

    @property
    def told(self) -> str:
        """What a learner reads who meets it."""
        return f"This exercise's check did not work, which says nothing about your code: {self}"


def imported(name: str, folders: Iterable[str] = ()) -> ModuleType:
    """A module of a course."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        if is_missing(error, name):
            raise BrokenCourseError(name, "there is no such module") from None
        raise BrokenCourseError(where(error, folders) or name, said_by(error)) from error


def is_missing(error: Exception, name: str) -> bool:
    """Is it this module itself that is not there, or a package around it?"""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return missing is not None and f"{name}.".startswith(f"{missing}.")


def held_by(module: ModuleType, name: str) -> Any:
    """What bears a name in a module of a course."""
    try:
        return getattr(module, name)
    except AttributeError:
        file = getattr(module, "__file__", None)
        place = shown(file) if file else module.__name__
        raise BrokenCourseError(place, f"nothing in it is called {name}") from None


def where(error: BaseException, folders: Iterable[str] = ()) -> str:
    """The line that an exception comes from, as "checks/basics.py line 9"; "" if it has none.

    Args:
        folders: of the course; a line in one of them tells its author most.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return line_of(error.filename, error.lineno)
    frames = traceback.extract_tb(error.__traceback__)
    return innermost([(frame.filename, frame.lineno) for frame in frames], folders)


def innermost(lines: list[tuple[str, int | None]], folders: Iterable[str] = ()) -> str:
    """The last of these lines that lies in a course; of (file, number), the outermost first."""
    inside = tuple(f"{folder}/" for folder in folders if folder)
    own = [line for line in lines if line[0].startswith(inside)] if inside else []
    others = [line for line in lines if not line[0].startswith((f"{ENGINE}/", "<frozen"))]
    found = own or others or lines
    return line_of(*found[-1]) if found else ""


def line_of(file: str, number: int | None) -> str:
    return f"{shown(file)} line {number}" if number else shown(file)


def shown(file: str) -> str:
    """A file of a course as one speaks of it: "checks/basics.py"."""
    return "/".join(Path(file).parts[-2:])


def said_by(error: BaseException) -> str:
    """An exception as a clause: "ValueError: oops"."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return clause(type(error).__name__, text)


def clause(kind: str, text: str) -> str:
    """The same, of its kind and its text."""
    brief = " ".join(text.split())
    brief = brief if len(brief) <= MOST else f"{brief[:MOST]}…"
    return f"{kind}: {brief}" if brief else kind
