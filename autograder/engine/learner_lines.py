"""Find the learner's own lines: where an error was raised, where something is named."""

from __future__ import annotations

import functools
import inspect
import linecache
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from .course import current

if TYPE_CHECKING:
    from .trial import Problem

LONGEST = 500  # characters of a line that are looked at
ENGINE = str(Path(__file__).resolve().parents[1])


@dataclass(frozen=True)
class Line:
    """A line of the learner's code, or the place below it where something is missing."""

    number: int
    text: str
    place: str  # "your cell", or a file's name
    below: bool = False

    @property
    def look(self) -> str:
        return "Look below" if self.below else "Look at"

    @property
    def where(self) -> str:
        return f"line {self.number} of {self.place}"

    def __str__(self) -> str:
        return f"{self.where}: `{self.text}`"


def code_objects(subject: object) -> list[CodeType]:
    """The code of a function, of a class's methods, or of what they wrap."""
    subject = inspect.unwrap(subject) if callable(subject) else subject
    if isinstance(subject, functools.partial):
        return code_objects(subject.func)
    if inspect.isclass(subject):
        bodies = (vars(kind) for kind in subject.__mro__ if not is_library(kind))
        found = [code for body in bodies for value in body.values() for code in method_code(value)]
        return found
    if inspect.ismethod(subject):
        return [subject.__func__.__code__]
    if inspect.isfunction(subject):
        return [subject.__code__]
    return code_objects(type(subject)) if callable(subject) else []


def method_code(value: object) -> list[CodeType]:
    value = getattr(value, "__func__", value)  # staticmethod, classmethod
    if isinstance(value, property):
        value = value.fget
    return [inspect.unwrap(value).__code__] if inspect.isfunction(value) else []


def is_library(kind: type) -> bool:
    """Torch's, Python's or the course's own class, not the learner's."""
    own = tuple(f"{package}." for package in current().packages)
    return kind.__module__.startswith(("torch.", "builtins", "abc", *own))


def lines(subject: object) -> list[Line]:
    """The lines of the learner's code that do something, in order: no docstrings, no headings."""
    found = {}
    for code in code_objects(subject):
        for number in numbers(code):
            text = linecache.getline(code.co_filename, number).strip()
            if does_something(text):
                found[code.co_filename, number] = Line(number, text, place(code.co_filename))
    return [found[key] for key in sorted(found)]


def lines_of_source(source: str, name: str) -> list[Line]:
    """The same for what a cell defines under a name, without running the cell."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = compile(source, "<cell>", "exec")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return []
    defined = [c for c in whole.co_consts if inspect.iscode(c) and c.co_name == name]
    texts = source.splitlines()
    found = sorted({number for code in defined for number in numbers(code)})
    texts = [(n, texts[n - 1].strip()[:LONGEST]) for n in found if n <= len(texts)]
    return [Line(number, text, "your cell") for number, text in texts if does_something(text)]


def does_something(text: str) -> bool:
    return bool(text) and not text.startswith(("def ", "class ", "@", '"', "'"))


def numbers(code: CodeType) -> set[int]:
    """The numbers of the lines that a function consists of, and the functions inside it."""
    found, left = set(), [code]
    while left:
        code = left.pop()
        found |= {number for *_, number in code.co_lines() if number}
        left += [constant for constant in code.co_consts if inspect.iscode(constant)]
    return found


def place(filename: str) -> str:
    """What a learner calls the file that a line is in."""
    if "ipykernel" in filename or filename.startswith("<ipython-input"):
        return "your cell"
    if filename.startswith("<"):
        return "your code"
    return Path(filename).name


def find_line(subject: object, pattern: str) -> Line | None:
    """The learner's line that a regular expression finds, or None; comments do not count."""
    return search(pattern, lines(subject)) if pattern else None


def search(pattern: str, lines: Iterable[Line]) -> Line | None:
    """The first of these lines that a regular expression finds, or None."""
    for line in lines if pattern else ():
        code = line.text.partition("#")[0]
        if re.search(pattern, code):
            return line
    return None


def line_of_problem(subject: object, problem: Problem | None) -> Line | None:
    """The innermost line of the learner's own code that an exception passed through."""
    files = {code.co_filename for code in code_objects(subject)}
    for filename, number, _ in reversed(problem.frames if problem else ()):
        if filename in files or not is_course_or_library(filename):
            text = linecache.getline(filename, number).strip()
            if text:
                return Line(number, text, place(filename))
    return None


def own_folders() -> list[str]:
    """Where the engine and the course in use lie."""
    return [ENGINE, *filter(None, current().folders.values())]


def is_course_or_library(filename: str) -> bool:
    if "ipykernel_" in filename or filename.startswith("<ipython-input"):
        return False
    own = any(filename.startswith(f"{place}/") for place in own_folders())
    return own or "site-packages" in filename or "/lib/python" in filename or filename[:1] == "<"
