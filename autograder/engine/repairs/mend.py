"""One small change of a syntax tree, made and undone."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Slot(NamedTuple):
    """A place in a tree: a field of a node, or one of the things in a field that is a list."""

    parent: ast.AST
    field: str
    index: int | None = None

    def get(self) -> Any:
        held = getattr(self.parent, self.field)
        return held if self.index is None else held[self.index]

    def put(self, value: Any) -> None:
        if self.index is None:
            setattr(self.parent, self.field, value)
        else:
            getattr(self.parent, self.field)[self.index] = value


Change = tuple[Slot, Any]  # a place, and what is put there


@dataclass(frozen=True)
class Mend:
    """A change that may make an answer right.

    Args:
        lines: where it is; several if something has to change in all of them.
        kind: of thing that it changes; see KINDS.
        changes: what is put where. All of them are made at once.
        below: is something put in below that line, which itself stays?
        undoes: the way of making a mistake that is undone by this, and wholly; "" if none is.
        loose: is a single number or name all by which the place looks like that mistake?
    """

    lines: tuple[int, ...]
    kind: str
    changes: tuple[Change, ...]
    below: bool = False
    undoes: str = ""
    loose: bool = False

    @property
    def line(self) -> int:
        return self.lines[0]

    @property
    def key(self) -> tuple[tuple[object, ...], ...]:
        """The same for two that change the same in the same way."""
        return tuple(
            (id(slot.parent), slot.field, slot.index, written(new)) for slot, new in self.changes
        )

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """The tree is changed as long as this lasts."""
        before = [(slot, slot.get()) for slot, _ in self.changes]
        for slot, value in self.changes:
            slot.put(value)
        try:
            yield
        finally:
            for slot, value in reversed(before):
                slot.put(value)


def as_one(mends: Sequence[Mend]) -> Mend:
    """Several changes, made at once."""
    lines = tuple(sorted({line for mend in mends for line in mend.lines}))
    changes = tuple(change for mend in mends for change in mend.changes)
    below, loose = all(mend.below for mend in mends), all(mend.loose for mend in mends)
    return Mend(lines, mends[0].kind, changes, below, loose=loose)


def in_one_place(mend: Mend) -> Iterator[Mend]:
    """What a change does in one of its lines alone, where it changes several."""
    by_line: dict[int, list[Change]] = {}
    for slot, new in mend.changes:
        line = getattr(slot.get(), "lineno", None)
        if line is None:  # a list of statements: it is one change
            return
        by_line.setdefault(line, []).append((slot, new))
    if len(by_line) > 1 and set(by_line) == set(mend.lines):
        for line, changes in by_line.items():
            yield Mend((line,), mend.kind, tuple(changes), mend.below, loose=mend.loose)


def written(new: Any) -> str:
    """What is put somewhere, as text; of statements that stay only which ones they are."""
    if isinstance(new, list):
        return " ".join(str(id(n)) if hasattr(n, "end_lineno") else ast.dump(n) for n in new)
    return ast.dump(new)


# What a message calls the thing that a mend changes.
KINDS = {
    "argument": "what a function is given",
    "attribute": "which attribute is used",
    "axis": "which axis is meant",
    "block too many": "a block that shouldn't be there, with all that stands below it",
    "call": "which function or method is called",
    "comparison": "how two things are compared",
    "condition": "a condition",
    "mask": "what is hidden, and what isn't",
    "missing argument": "an argument that is missing",
    "missing part": "something that is missing, or should be something else",
    "missing step": "a step that is missing",
    "name": "which name is used",
    "number": "a number",
    "operator": "a formula: which parts it joins, and how",
    "order": "the order in which things are done",
    "part too many": "a part that shouldn't be there",
    "shape": "how sizes are arranged",
    "size": "which size is meant",
    "step too many": "a line that shouldn't be there",
    "value": "a value, or how it is made",
}
