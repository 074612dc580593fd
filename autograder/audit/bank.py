"""Right and wrong answers that people might hand in: the autograder is judged by them.

The folders `correct` and `wrong` of a course's bank hold a file for each lesson, in sections:

    # %% softmax: shifted by the mean, which overflows
    # expect: shifted_by_mean
    def softmax(x, dim=-1):
        ...

The lines before the first section are run before every one. A wrong answer says which mistake is
to be recognised: an id; `a + b` for two that are both to be recognised, or at least one of them;
`a or b` where either is true; `nothing` if it is none that we know. `unread` is what `autograder
learn` writes: such an answer comes from a class, and is not run before somebody has put what is
right there in its place.
"""

import linecache
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.course import current
from ..engine.mistake_files import UNREAD
from ..engine.trial import Implementation

HEAD = re.compile(r"^# %% (\w+): (.+)$")
KINDS = ("correct", "wrong")
SECTION = "# %%"
EXPECT = re.compile(r"^# expect: (.+)$")


class EntryError(ValueError):
    """An answer of the bank that cannot be run; says which, and why."""


@dataclass(frozen=True)
class Entry:
    """One answer."""

    exercise: str
    title: str
    source: str  # the whole of what is run, on the lines where it stands in the file
    path: str
    line: int
    expect: str = ""

    def build(self) -> Implementation:
        """Run the source, and give what it binds to the exercise's name."""
        if self.expect == UNREAD:
            raise EntryError(
                f"{self.path}:{self.line} ({self.title}) is not run: a learner wrote it. Read it; "
                f"then write, in place of `{UNREAD}`, which mistake is to be recognised"
            )
        filename = f"{self.path}:{self.line}"
        linecache.cache[filename] = (0, None, self.source.splitlines(keepends=True), filename)
        names: dict[str, Any] = {"__name__": "answer"}
        try:
            exec(compile(self.source, filename, "exec"), names)
        except Exception as error:
            text = error.msg if isinstance(error, SyntaxError) else str(error)
            line = line_in(error, filename)
            place = f"{self.path}:{line or self.line} ({self.title})"
            raise EntryError(f"{place} cannot be run: {type(error).__name__}: {text}") from error
        name = self.exercise.partition(".")[2]
        if name not in names:
            raise EntryError(f"{filename} ({self.title}) does not define {name}")
        return names[name]

    def unclear(self, known: set[str]) -> str:
        """A clause if it doesn't say which of the known mistakes is to be recognised."""
        if not self.expect:
            return "it does not say what is to be recognised: `# expect: …` is missing below it"
        strange = [name for name in re.split(r" or | \+ ", self.expect) if name not in known]
        if not strange:
            return ""
        return f"`# expect: {self.expect}` names no mistake; there are: {', '.join(sorted(known))}"

    def may_be_told(self, diagnosis: str | None, also: str | None = None) -> bool:
        """Is this what an honest diagnosis may say?"""
        told = {name for name in (diagnosis, also) if name}
        if self.expect == "nothing":
            return not told
        if " or " in self.expect:
            allowed = set(self.expect.split(" or "))
            return told <= allowed if told else "nothing" in allowed
        both = set(self.expect.split(" + "))
        return told <= both and bool(told)


def folder() -> Path:
    """Where the bank of the course in use lies."""
    return current().folder(current().bank)


def read(kind: str, lesson: str) -> list[Entry]:
    """The entries of a lesson, of kind "correct" or "wrong"."""
    path = folder() / kind / f"{lesson}.py"
    return entries_in(path, f"{kind}/{path.name}") if current().bank and path.is_file() else []


def entries_in(path: Path, where: str) -> list[Entry]:
    """The entries in a file that bears the name of their lesson.

    Args:
        where: what it is called.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    heads = [(number, found) for number, text in enumerate(lines) if (found := HEAD.match(text))]
    shared = lines[: heads[0][0]] if heads else []
    entries = []
    for (start, head), end in zip(heads, [*(n for n, _ in heads[1:]), len(lines)]):
        expect = EXPECT.match(lines[start + 1]) if lines[start + 1 :] else None
        gap = [""] * (start - len(shared))
        source = "\n".join([*shared, *gap, *lines[start:end]]) + "\n"
        entries.append(
            Entry(
                f"{path.stem}.{head[1]}",
                head[2],
                source,
                where,
                start + 1,
                expect[1] if expect else "",
            )
        )
    return entries


def faults(lessons: Iterable[str]) -> Iterator[str]:
    """What stands in the bank, and belongs to no exercise of these lessons."""
    course = current()
    if not course.bank:
        return
    if not folder().is_dir():
        yield f"bank: {course.bank} is no folder"
        return
    for kind in KINDS:
        for path in sorted((folder() / kind).glob("*.py")):
            place = f"bank: {kind}/{path.name}"
            if path.stem in lessons:
                text = path.read_text(encoding="utf-8")
                yield from (f"{place}:{said}" for said in strays(text, course.syllabus[path.stem]))
            elif path.stem not in course.lessons:
                yield f"{place} belongs to no lesson; there are: {', '.join(course.lessons)}"


def strays(text: str, names: Iterable[str]) -> Iterator[str]:
    """Sections of a file that are answers to none of these exercises, by their lines."""
    for number, line in enumerate(text.splitlines(), start=1):
        head = HEAD.match(line)
        if head and head[1] not in names:
            there = ", ".join(names)
            yield f"{number} there is no exercise called {head[1]} here; there are: {there}"
        elif line.startswith(SECTION) and not head:
            yield f"{number} `{line}` begins no section: write `{SECTION} exercise: title`"


def line_in(error: Exception, filename: str) -> int | None:
    """The line of a source that an exception comes from."""
    if isinstance(error, SyntaxError):
        return error.lineno
    trace, line = error.__traceback__, None
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == filename else line
        trace = trace.tb_next
    return line


def everything(kind: str) -> list[Entry]:
    """The entries of all lessons."""
    return [entry for lesson in current().lessons for entry in read(kind, lesson)]
