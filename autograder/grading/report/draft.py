"""The texts that `autograder learn` writes, and where: a section for the bank, and a draft of a
known mistake."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...engine.course import current
from ...engine.exercise import Exercise
from ...engine.files import tree_of
from ...engine.mistake_files import BLANK, SET_IN, UNREAD
from ...engine.repairs.mend import KINDS
from ..trouble import CourseError
from .nameless import Example
from .unnamed import Unnamed

SECTION = re.compile(r"^# %%.*$", re.MULTILINE)  # so an answer begins; see audit.bank
DRAFTS = "drafts"


@dataclass(frozen=True)
class Place:
    """A folder laid out as a course's package.

    Args:
        own: is it that of the course in use?
    """

    home: Path
    own: bool = True

    def bank(self, exercise: Exercise) -> Path:
        return self.home / inner(current().bank, "bank") / "wrong" / f"{exercise.module}.py"

    def draft(self, exercise: Exercise) -> Path:
        return self.home / DRAFTS / exercise.module / f"{exercise.name}.md"

    def moves(self, exercise: Exercise) -> str:
        """What belongs where in the end, as a clause."""
        if self.own:
            return f"Move the entry to the end of {shown(Path(exercise.written_in))}"
        return (
            f"Where the course is kept, move the entry to the end of "
            f"mistakes/{exercise.module}/{exercise.name}.md, and the answer to the end of "
            f"bank/wrong/{exercise.module}.py"
        )


@dataclass(frozen=True)
class Draft:
    """What was written.

    Args:
        bank, draft: file and line, as one speaks of them.
        has_diff: or is there a blank in its place?
    """

    group: Unnamed
    exercise: Exercise
    bank: str
    draft: str
    has_diff: bool


def inner(folder: str, usual: str) -> str:
    """Where a folder lies in its package: "bank" of "numpy_warmup/bank"."""
    return folder.partition("/")[2] or usual


def written(path: Path, text: str) -> str:
    """Add a text to a file's end. Gives "file, line N", where it begins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = text_of(path)
    gap = "" if not before or before.endswith("\n") else "\n"
    gap += "\n\n" if before and path.suffix == ".py" else "\n" if before else ""
    with path.open("a", encoding="utf-8") as file:
        file.write(gap + text)
    return f"{shown(path)}, line {(before + gap).count(chr(10)) + 1}"


def shown(path: Path) -> Path:
    """A path as one speaks of it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def text_of(path: Path) -> str:
    """What a file holds; "" if it is not there."""
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except UnicodeDecodeError:
        raise CourseError(f"{shown(path)} is no UTF-8 text, so nothing is added to it.") from None


# --- The bank -------------------------------------------------------------------------------------


def section_of(group: Unnamed, example: Example, path: Path) -> str:
    """The answer as a section of the bank, with the imports that the file does not begin with."""
    head = head_of(path)
    above = [line for line in example.above if line not in head]
    parts = [example.code] if not above else ["\n".join(above), example.code]
    title = f"from a class; not yet: {group.broken[0] if group.broken else 'right'}"
    name = group.exercise.partition(".")[2]
    return f"# %% {name}: {title}\n# expect: {UNREAD}\n" + "\n\n\n".join(parts) + "\n"


def head_of(path: Path) -> set[str]:
    """The statements that a file of the bank runs before every answer, as Python writes them."""
    text = text_of(path)
    first = SECTION.search(text)
    try:
        head = tree_of(text[: first.start()] if first else "")
    except SyntaxError:  # which the audit tells
        return set()
    return {ast.unparse(each) for each in head.body}


def is_there(path: Path, example: Example) -> int | None:
    """The line of the file where this very answer begins; None if it is not there."""
    text = text_of(path)
    for section in SECTION.finditer(text):
        following = SECTION.search(text, section.end())
        held = text[section.end() : following.start() if following else None]
        if is_same(held, example):
            return text.count("\n", 0, section.start()) + 1
    return None


def is_same(text: str, example: Example) -> bool:
    try:
        wanted, found = tree_of(example.code).body, tree_of(text).body
    except SyntaxError:
        return False
    return [ast.dump(x) for x in wanted] == [ast.dump(x) for x in found[-len(wanted) :]]


# --- The draft ------------------------------------------------------------------------------------


def draft_of(group: Unnamed, exercise: Exercise, diff: list[str]) -> str:
    """An entry for the file of mistakes, with blanks."""
    lines = diff or [f"- {BLANK}", f"+ {BLANK}"]
    return "\n".join(
        [
            f"## A draft for {exercise.id}, from a class",
            "",
            *about(group, bool(diff)),
            "",
            f"### {BLANK}",
            *(f"{SET_IN}{line}" for line in lines),
            BLANK,
            f"**Look:** {BLANK}",
            "",
        ]
    )


def about(group: Unnamed, has_diff: bool) -> Iterator[str]:
    """What is known of the answers, for whoever fills in the blanks."""
    count = len(group.students)
    yield f"{count} of {group.of} learners. It cost {group.cost:.3g} of {group.most:g} points."
    yield from (f"Not yet: {promise}." for promise in group.broken)
    for kinds, times in group.mended.most_common():
        changed = "; and ".join(KINDS.get(kind, kind) for kind in kinds)
        yield f"One small change of their own lines mends {times} of them: {changed}."
    if has_diff:
        yield (
            "The diff gives the numbers of these answers. Is it what they did, or is there a more "
            "natural way to write it?"
        )
