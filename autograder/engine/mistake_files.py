"""Files in which mistakes are written down: one file for each exercise, to be read as a chapter.

    ### no_scale
        - scores = query @ key.transpose(-2, -1) / math.sqrt(d_k)
        + scores = query @ key.transpose(-2, -1)
    Your scores are not divided by √d_k: they are {factor} times as large as they should be.
    **Look:** What happens to a softmax when all its inputs are multiplied by {factor}?

A mistake is a heading of the third rank, a diff, what happened, and where to look. The diff is set
in by four spaces, or stands between ```diff and ```; a whole function stands between ```python and
```. What stands above the first mistake, or below a heading of another rank, is for those who read
the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .diffs import GAP, Diff, SignedLine

ID = re.compile(r"[a-z0-9_]+")
HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*$")
SET_IN = "    "  # in front of a diff's lines
FENCE = re.compile(r"```\s*(\w*)\s*$")
ENTRY = re.compile(r"\*\*(.+?):\*\*\s*(.*)$")
CODE = re.compile(r"`(.+)`$")
UNREAD = "unread"  # what an answer of the bank expects that nobody has read yet
BLANK = "…"  # stands where something has still to be written; see grading.report.learn
OR = "or"  # stands between two diffs
KINDS = ("diff", "python")
ENTRIES = ("Look", "Same as")


@dataclass(frozen=True)
class Mistake:
    """A wrong way that learners go, as a change of the reference.

    Args:
        id: its short name, unique in its exercise.
        diffs: ways of making it. The first is the mistake itself; others are for those who did
            something harmless in another way, which shows only together with the mistake.
        says: what happened, in the learner's terms; {braces} name measures and sizes.
        look: what to look at next; never the answer.
        same_as: the id of another mistake that is the same mathematics, so that no input can tell
            them apart.
        place: (path, line) where it is written down.
    """

    id: str
    diffs: tuple[Diff, ...]
    says: str
    look: str
    same_as: str = ""
    place: tuple[str, int] = ("", 0)

    @property
    def mathematics(self) -> str:
        """The id that it shares with those that no input can tell from it."""
        return self.same_as or self.id

    @property
    def ways(self) -> dict[str, Diff]:
        """{way: Diff}: the mistake itself under its id, and its variations as id/1, id/2, …"""
        names = [self.id, *(f"{self.id}/{n}" for n in range(1, len(self.diffs)))]
        return dict(zip(names, self.diffs))


class MistakeFileError(ValueError):
    """A file of mistakes that cannot be used; says where, and what to do."""

    def __init__(self, path: str | Path, line: int, sentence: str):
        end = "" if sentence.endswith((".", "?", "!", "…")) else "."
        super().__init__(f"{shown(path)}, line {line}: {sentence}{end}")


def shown(path: str | Path) -> str:
    """A file as one speaks of it: "mistakes/attention/softmax.md"."""
    return "/".join(Path(path).parts[-3:])


def read(path: str | Path) -> tuple[Mistake, ...]:
    """The Mistakes in a file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise MistakeFileError(path, 1, f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MistakeFileError(path, 1, "it is no UTF-8 text") from None
    return parsed(text, path)


def parsed(text: str, path: str | Path) -> tuple[Mistake, ...]:
    """The Mistakes that a text describes.

    Args:
        path: where it comes from, for complaints.
    """
    found, known = [], {}
    for section in sections(text, path):
        mistake = section.mistake()
        if mistake.id in known:
            section.complain(
                f"there is a mistake called {mistake.id} already, in line {known[mistake.id]}"
            )
        known[mistake.id] = section.number
        found.append(mistake)
    for mistake in found:
        if mistake.same_as and mistake.same_as not in known:
            line, names = known[mistake.id], ", ".join(known)
            raise MistakeFileError(
                path, line, f"there is no mistake called {mistake.same_as}; there are: {names}"
            )
    return tuple(found)


def sections(text: str, path: str | Path) -> Iterator[Section]:
    """The Sections of a text: one for each mistake."""
    current, fence = None, 0
    for number, line in enumerate(text.splitlines(), start=1):
        heading = None if fence else HEADING.match(line)
        block = FENCE.match(line)
        if not (fence or current) and is_of_a_diff(line):
            raise MistakeFileError(
                path,
                number,
                "this diff belongs to no mistake: the heading of a mistake begins with ###",
            )
        if block:
            fence = 0 if fence else number
        if heading and len(heading[1]) == 3:
            if current:
                yield current
            current = Section(path, number, heading[2])
        elif heading:
            if current:
                yield current
            current = None
        elif current:
            current.lines.append((number, line))
    if fence:
        raise MistakeFileError(path, fence, "this block is never closed: three ` are missing")
    if current:
        yield current


def is_of_a_diff(line: str) -> bool:
    return line.startswith(("```diff", f"{SET_IN}- ", f"{SET_IN}+ "))


def taken(left: list[tuple[int, str]], wanted: Callable[[str], object]) -> list[tuple[int, str]]:
    """The next lines that are wanted, off the end of a list."""
    found = []
    while left and wanted(left[-1][1]):
        found.append(left.pop())
    return found


class Section:
    """The lines about one mistake.

    Args:
        number: of its heading.
        title: what stands in it.
    """

    def __init__(self, path: str | Path, number: int, title: str):
        self.path, self.number, self.title = path, number, title
        self.lines: list[tuple[int, str]] = []  # with their numbers
        self.diffs: list[Diff] = []
        self.says: list[str] = []
        self.entries: dict[str, tuple[int, list[str]]] = {}  # where each is, and its lines
        self.last = ""  # the entry that is being read

    def complain(self, sentence: str, number: int | None = None) -> NoReturn:
        raise MistakeFileError(self.path, number or self.number, sentence)

    def mistake(self) -> Mistake:
        """The Mistake that is described."""
        if not ID.fullmatch(self.title):
            self.complain(
                f"`{self.title}` is no name for a mistake; use small letters, digits and _"
            )
        left = list(reversed(self.lines))
        while left:
            number, line = left.pop()
            fence = FENCE.match(line)
            if fence:
                self.add_diff(number, fence[1], taken(left, lambda line: not FENCE.match(line)))
                left.pop()  # the end of the fence
            elif line.startswith(SET_IN) and line.strip():
                left.append((number, line))
                held = taken(left, lambda line: line.startswith(SET_IN) and line.strip())
                held = [(number, line.removeprefix(SET_IN)) for number, line in held]
                self.add_diff(number, "diff", held)
            elif line.strip():
                self.add_words(number, line.strip())
        return self.whole()

    def add_diff(self, number: int, kind: str, held: list[tuple[int, str]]) -> None:
        """A block of code, and the number of the line where it begins."""
        if kind not in KINDS:
            self.complain(f"a block here is called {' or '.join(KINDS)}, and not {kind!r}", number)
        if self.entries or [text for text in self.says if text != OR]:
            self.complain("diffs come first, and what is said of them afterwards", number)
        if self.diffs and self.says != [OR]:
            self.complain(f"between two ways of making a mistake stands a line `{OR}`", number)
        self.says.clear()
        if kind == "python":
            kept = [SignedLine("+", line.rstrip(), place) for place, line in held]
        else:
            kept = [self.signed(place, line.rstrip()) for place, line in held]
        kept = [line for line in kept if line.text.strip() or line.sign == GAP]
        if not kept:
            self.complain("this block is empty", number)
        self.diffs.append(Diff(tuple(kept), kind == "python", number))

    def signed(self, number: int, line: str) -> SignedLine:
        """A line of a diff."""
        if line.strip() == GAP:
            return SignedLine(GAP, "", number)
        if line and line[0] not in "+- ":
            self.complain(
                "a line of a diff begins with - (it goes), + (it comes), or a space (it stays)",
                number,
            )
        if "\t" in line:
            self.complain("there is a tab in this line: indent with spaces", number)
        return SignedLine(line[:1] or " ", line[1:], number)

    def add_words(self, number: int, line: str) -> None:
        """A line of what is said, or of an entry such as **Look:**."""
        entry = ENTRY.match(line)
        if entry and entry[1] not in ENTRIES:
            known = ", ".join(f"**{name}:**" for name in ENTRIES)
            self.complain(f"**{entry[1]}:** is not known here; there are {known}", number)
        if entry:
            if entry[1] in self.entries:
                self.complain(f"there is a second **{entry[1]}:**", number)
            self.last = entry[1]
            self.entries[self.last] = number, [entry[2]] if entry[2] else []
        elif self.last:
            self.entries[self.last][1].append(line)
        else:
            self.says.append(line)

    def whole(self) -> Mistake:
        """The Mistake that all of this makes, if nothing is missing."""
        says, look = " ".join(line for line in self.says if line != BLANK), self.text("Look")
        if not self.diffs:
            self.complain(f"{self.title} has no diff: which line is written how?")
        if not says:
            self.complain(f"nothing is said to those who make the mistake {self.title}")
        if look in ("", BLANK):
            self.complain(f"{self.title} does not say where to look: **Look:** is missing")
        place = str(self.path), self.number
        return Mistake(self.title, tuple(self.diffs), says, look, self.code("Same as"), place)

    def text(self, name: str) -> str:
        return " ".join(self.entries.get(name, (0, []))[1])

    def code(self, name: str) -> str:
        """An entry that stands in backticks."""
        text = self.text(name)
        found = CODE.match(text)
        if text and not (found and text.startswith("`")):
            self.complain(f"what follows **{name}:** stands between two `", self.entries[name][0])
        return found[1] if found else ""
