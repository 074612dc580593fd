"""Diffs: which lines of the model answer a mistake takes out, and what it puts there instead.

A diff's lines are looked for among the statements of the model answer, by what they mean: line
breaks, quotes, comments and spaces do not matter. Lines that stand together in a diff stand
together in the code; a line `...` in between says that something is left out.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .spans import (
    Change,
    Edit,
    Passage,
    aligned,
    applied,
    compared,
    overlap,
    same_meaning,
    whole,
)
from .statements import Statement, statements, words_of

GAP = "..."


class DiffError(ValueError):
    """A diff that does not apply, or is none; says in a sentence which line, and why.

    Args:
        line: of the diff, in the file where it stands.
    """

    def __init__(self, line: int, sentence: str):
        super().__init__(sentence)
        self.line, self.sentence = line, sentence


@dataclass(frozen=True)
class SignedLine:
    """A line of a diff: its sign, what stands behind it, and its number in the file."""

    sign: str  # "-", "+", " ", or GAP
    text: str
    number: int


@dataclass(frozen=True)
class Diff:
    """One way of making a mistake, as it is written down.

    Args:
        lines: those of a diff; of a whole function, all are "+".
        whole: is it a function as it looks afterwards, and no diff?
        number: of the line where it begins.
    """

    lines: tuple[SignedLine, ...]
    whole: bool = False
    number: int = 0

    def edits(
        self, source: str, file: str = "the model answer", begins: int = 1
    ) -> tuple[Edit, ...]:
        """The Edits that it makes in a source.

        Args:
            file, begins: where the source comes from, and in which line it begins there, for
                complaints.
        """
        model = Original(source, file, begins)
        if self.whole:
            return tuple(edits_of_function(self, model))
        found = []
        for hunk in hunks(self.lines):
            found += edits_of_hunk(hunk, model)
        found.sort(key=lambda edit: (edit.first, edit.last))
        for one, other in itertools.pairwise(found):
            if overlap(one, other):
                raise DiffError(self.number, "two parts of this diff change the same lines")
        return tuple(found)


@dataclass(frozen=True)
class Original:
    """The source that a diff is of, with its place in a file."""

    source: str
    file: str
    begins: int

    @property
    def statements(self) -> list[Statement]:
        return statements(self.source)

    def line(self, statement: Statement) -> int:
        return statement.number + self.begins - 1


# --- Where is it? ---------------------------------------------------------------------------------


def hunks(lines: Sequence[SignedLine]) -> list[list[SignedLine]]:
    """The parts of a diff, which are looked for one by one."""
    found = [[]]
    for line in lines:
        if line.sign == GAP:
            found.append([])
        else:
            found[-1].append(line)
    found = [hunk for hunk in found if hunk]
    for hunk in found:
        if all(line.sign == " " for line in hunk):
            raise DiffError(hunk[0].number, "no line here begins with - or +")
    if not found:
        raise DiffError(lines[0].number if lines else 0, "this diff is empty")
    return found


@dataclass(frozen=True)
class Side:
    """What a hunk looks like before or after: its statements, and where they come from."""

    text: str
    statements: list[Statement]
    lines: list[SignedLine]  # those of the diff that the text consists of

    def line_of(self, statement: Statement) -> int:
        """Where a statement begins in the file."""
        return self.lines[statement.number - 1].number


def side(hunk: Iterable[SignedLine], sign: str, indent: int) -> Side:
    """The lines of a hunk with this sign, and the unchanged ones.

    Args:
        indent: what is to be added to their own indentation, after what they have in common.
    """
    kept = [line for line in hunk if line.sign in (sign, " ") and line.text.strip()]
    common = min(len(line.text) - len(line.text.lstrip(" ")) for line in hunk if line.text.strip())
    text = "".join(f"{' ' * indent}{line.text[common:]}\n" for line in kept)
    return Side(text, statements(text), kept)


def understood(hunk: Iterable[SignedLine], sign: str) -> Side:
    """A Side of a hunk, all of which is Python."""
    found = side(hunk, sign, 0)
    for statement in found.statements:
        if statement.meaning is None:
            raise DiffError(
                found.line_of(statement),
                f"`{shown(statement)}` is no whole line of Python: a diff takes out, and puts "
                f"in, whole statements",
            )
    return found


def edits_of_hunk(hunk: list[SignedLine], model: Original) -> list[Edit]:
    """The Edits of one hunk."""
    old = understood(hunk, "-")
    new = understood(hunk, "+")
    place = place_of(hunk, old, model)
    found = model.statements[place : place + len(old.statements)]
    base = found[0].indent - old.statements[0].indent
    if base < 0:
        raise DiffError(hunk[0].number, "the lines that begin with + are indented too little")
    changed = list(runs(hunk, old, new))
    new = side(hunk, "+", base)
    before = [aligned(*pair) for pair in zip(found, old.statements)]
    edits = list(compared(before, new, changed, model.source))
    if any(len(a) != len(b.tokens) for a, b in zip(before, found)):  # written in another way
        after = [statement.tokens for statement in new.statements]
        plain = [
            whole(Passage.of(before, *taken, model.source), Passage.of(after, *put, new.text))
            for taken, put in changed
        ]
        if not same_meaning(*(applied(model.source, [made]) for made in (edits, plain))):
            return plain
    return edits


def place_of(hunk: list[SignedLine], old: Side, model: Original) -> int:
    """Which statement of the model answer a hunk begins with."""
    if not old.statements:
        raise DiffError(
            hunk[0].number,
            "where does this belong? Add the line above or below, unchanged, with a space in front",
        )
    wanted, all_of_it = shape_of(old.statements), model.statements
    count = len(wanted)
    places = [
        place
        for place in range(len(all_of_it) - count + 1)
        if shape_of(all_of_it[place : place + count]) == wanted
    ]
    if len(places) == 1:
        return places[0]
    if places:
        lines = listed([model.line(all_of_it[place]) for place in places])
        raise DiffError(
            old.line_of(old.statements[0]),
            f"`{shown(old.statements[0])}` stands in {model.file} {len(places)} times (lines "
            f"{lines}): add a line above or below it, unchanged, with a space in front",
        )
    raise not_there(old, model)


def shape_of(found: list[Statement]) -> list[tuple[str | None, int]]:
    """What statements mean, and how they lie below each other."""
    return [(each.meaning, each.indent - found[0].indent) for each in found]


def not_there(old: Side, model: Original) -> DiffError:
    """The DiffError about lines that are not found: what is there instead?"""
    meanings = [statement.meaning for statement in model.statements]
    for statement in old.statements:
        if statement.meaning not in meanings:
            text = f"`{shown(statement)}` does not stand in {model.file}; "
            return DiffError(old.line_of(statement), text + nearest(statement, model))
    together = set(itertools.pairwise(meanings))
    for one, other in itertools.pairwise(old.statements):
        if (one.meaning, other.meaning) not in together:
            return DiffError(
                old.line_of(other),
                f"`{shown(other)}` does not follow `{shown(one)}` in {model.file}; if "
                f"there are lines in between, write `{GAP}` there",
            )
    return DiffError(
        old.line_of(old.statements[0]),
        f"these lines do not stand together in {model.file}, or not indented in this way",
    )


def nearest(statement: Statement, model: Original) -> str:
    """A clause about the line that is most like one that is missing."""
    words = [value for value, *_ in words_of(statement.text)]

    def theirs(other):
        return [value for value, *_ in words_of(other.text)]

    def likeness(other):
        return difflib.SequenceMatcher(None, words, theirs(other), autojunk=False).ratio()

    best = max(model.statements, key=likeness)
    text = f"the nearest line there is `{shown(best)}` (line {model.line(best)})"
    renamed = names_changed(words, theirs(best))
    if renamed:
        changes = " and ".join(f"`{one}` now called `{other}`" for one, other in renamed.items())
        text += f": is {changes}?"
    return text


def names_changed(words: list[str], theirs: list[str]) -> dict[str, str]:
    """{name: what stands in its place}, if two statements differ in nothing else."""
    if len(words) != len(theirs):
        return {}
    changed = {one: other for one, other in zip(words, theirs) if one != other}
    if not all(name.isidentifier() for pair in changed.items() for name in pair):
        return {}
    same = [changed.get(one, one) for one in words] == theirs
    return changed if same else {}


def shown(statement: Statement) -> str:
    """A statement as one line of a message."""
    text = " ".join((statement.code or statement.text).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def listed(numbers: Iterable[int]) -> str:
    texts = list(map(str, numbers))
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if texts[1:] else texts[0]


def runs(hunk: list[SignedLine], old: Side, new: Side) -> Iterator[Change]:
    """Which statements become which: (from, to) before and (from, to) after.

    An unchanged line ends such a run, and so does a line that goes after one that comes: so lines
    can be written in pairs, each above what it becomes.
    """
    starts = [
        {each.number - 1: place for place, each in enumerate(side.statements)}
        | {len(side.lines): len(side.statements)}
        for side in (old, new)
    ]
    place, begun, last = [0, 0], (0, 0), " "
    for line in [*(line for line in hunk if line.text.strip()), None]:
        sign = line.sign if line else " "
        between = all(n in known for n, known in zip(place, starts))
        if between and (sign == " " or (sign, last) == ("-", "+")):
            here = starts[0][place[0]], starts[1][place[1]]
            if last != " ":
                yield (begun[0], here[0]), (begun[1], here[1])
            begun, last = here, " "
        place = [place[0] + (sign != "+"), place[1] + (sign != "-")]
        last = sign if sign != " " else last


def edits_of_function(diff: Diff, model: Original) -> list[Edit]:
    """The Edits that make of a function of the model answer what is written in full."""
    new = understood(diff.lines, "+")
    head = new.statements[0]
    name = re.match(r"(?:async +)?def +(\w+)", head.text)
    if name is None:
        raise DiffError(diff.lines[0].number, "a block of python holds a function, from its def on")
    if any(each.indent <= head.indent for each in new.statements[1:]):
        raise DiffError(diff.lines[0].number, "a block of python holds one function, and no more")
    all_of_it = model.statements
    defined = re.compile(rf"(?:async +)?def +{name[1]}\b")
    places = [place for place, each in enumerate(all_of_it) if defined.match(each.text)]
    if len(places) != 1:
        raise DiffError(
            diff.lines[0].number,
            f"{model.file} has {len(places) or 'no'} functions called {name[1]}",
        )
    first = last = places[0]
    while last + 1 < len(all_of_it) and all_of_it[last + 1].indent > all_of_it[first].indent:
        last += 1
    found = all_of_it[first : last + 1]
    if any(map(is_text, found[1:2])) and not any(map(is_text, new.statements[1:2])):
        del found[1]  # the docstring stays
    new = side(diff.lines, "+", found[0].indent - head.indent)
    matcher = difflib.SequenceMatcher(
        None, shape_of(found), shape_of(new.statements), autojunk=False
    )
    changed = [
        ((i1, i2), (j1, j2)) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal"
    ]
    return list(compared([each.tokens for each in found], new, changed, model.source))


def is_text(statement: Statement) -> bool:
    return statement.text.startswith(('"', "'", 'r"'))
