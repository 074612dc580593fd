"""Right and wrong answers that people might hand in: the autograder is judged by them.

The folders `correct` and `wrong` of a course's bank hold a file for each lesson, in sections:

    # %% softmax: shifted by the mean, which overflows
    # expect: shifted_by_mean
    def softmax(x, dim=-1):
        ...

The lines before the first section are run before every one. A wrong answer says which mistake is
to be recognised: an id; `a + b` for two that are both to be recognised, or at least one of them;
`a or b` where either is true; `nothing` if it is none that we know.
"""

import linecache
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.course import current
from ..engine.trial import Implementation

HEAD = re.compile(r"^# %% (\w+): (.+)$")
EXPECT = re.compile(r"^# expect: (.+)$")


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
        filename = f"{self.path}:{self.line}"
        linecache.cache[filename] = (0, None, self.source.splitlines(keepends=True), filename)
        names: dict[str, Any] = {"__name__": "answer"}
        exec(compile(self.source, filename, "exec"), names)
        return names[self.exercise.partition(".")[2]]

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
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    heads = [(number, found) for number, text in enumerate(lines) if (found := HEAD.match(text))]
    shared = lines[: heads[0][0]] if heads else []
    entries = []
    for (start, head), end in zip(heads, [*(n for n, _ in heads[1:]), len(lines)]):
        expect = EXPECT.match(lines[start + 1])
        gap = [""] * (start - len(shared))
        source = "\n".join([*shared, *gap, *lines[start:end]]) + "\n"
        where = f"{kind}/{path.name}"
        entries.append(
            Entry(
                f"{lesson}.{head[1]}",
                head[2],
                source,
                where,
                start + 1,
                expect[1] if expect else "",
            )
        )
    return entries


def everything(kind: str) -> list[Entry]:
    """The entries of all lessons."""
    return [entry for lesson in current().lessons for entry in read(kind, lesson)]
