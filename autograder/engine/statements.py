"""The statements of a piece of Python, and what they mean: spaces, comments, quotes and line breaks
make no difference."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

# Lines that make sense only below another: to ask Python what they mean, they get one.
ABOVE = ("", "if 0:\n    pass\n", "try:\n    pass\n", "match 0:\n ")


class Token(NamedTuple):
    """A word or sign of Python; the indentation before a line and its end are such, too."""

    value: str
    start: int  # in the text that it is a part of
    end: int


@dataclass(frozen=True)
class Statement:
    """A simple statement, or the head of one that has others below it.

    Args:
        text: without what stands around it.
        start: where its first line begins.
        indent: how many spaces there are in front of it.
        number: of its first line, from 1.
    """

    text: str
    start: int
    indent: int
    number: int

    @cached_property
    def code(self) -> str | None:
        """The text without the comment at its end; None if it is no Python."""
        try:
            *_, last, _ = words_of(self.text)
        except (tokenize.TokenError, SyntaxError, ValueError):
            return None
        return self.text[: last[2]]

    @cached_property
    def meaning(self) -> str | None:
        """The same text for all that mean the same; None if it is no Python."""
        return self.code and meaning_of(self.code)

    @cached_property
    def tokens(self) -> list[Token]:
        return [
            Token(" " * self.indent, self.start, self.start + self.indent),
            *(
                Token(value, self.start + self.indent + start, self.start + self.indent + end)
                for value, start, end in words_of(self.text)
            ),
        ]


@lru_cache(maxsize=4096)
def meaning_of(text: str) -> str | None:
    for above in ABOVE:
        for below in ("", " pass", "\ndef f(): pass"):
            try:
                return ast.dump(ast.parse(above + text + below))
            except SyntaxError:
                continue
    return None


@lru_cache(maxsize=4096)
def words_of(text: str) -> list[tuple[str, int, int]]:
    """(value, start, end) of everything in a statement but spaces and comments, and of its end."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found, depth, begun = [], 0, 0
    for kind, value, (row, column), (last_row, last_column), _ in raw_tokens(text):
        start, end = starts[row - 1] + column, starts[last_row - 1] + last_column
        name = tokenize.tok_name[kind]
        if name in ("COMMENT", "NL", "INDENT", "DEDENT", "ENDMARKER", "ENCODING"):
            continue
        if name in ("FSTRING_START", "TSTRING_START"):  # from Python 3.12 on; before it is one word
            depth, begun = depth + 1, begun if depth else start
        elif name in ("FSTRING_END", "TSTRING_END"):
            depth -= 1
            start, value = begun, text[begun:end]
        if depth:
            continue
        if name == "NEWLINE":
            end, value = len(text) + 1, "\n"  # also where the last line of all has none
        elif name == "STRING":
            value = meaning_of(text[start:end]) or value
        found.append((value, start, end))
    return found


def raw_tokens(text: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(text).readline))


@lru_cache(maxsize=256)
def statements(text: str) -> list[Statement]:
    """The Statements of a text, which need not be a whole program."""
    found, held, start, begun = [], "", 0, 0
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if not held and not line.partition("#")[0].strip():
            start += len(line)
            continue
        begun = begun if held else number
        held += line
        inner = held.lstrip(" ")
        indent = len(held) - len(inner)
        if is_whole(inner):
            found.append(Statement(inner.removesuffix("\n"), start, indent, begun))
            start, held = start + len(held), ""
    if held:
        inner = held.lstrip(" ")
        found.append(Statement(inner.removesuffix("\n"), start, len(held) - len(inner), begun))
    return found


def is_whole(text: str) -> bool:
    """Does a statement end here, or is a bracket or a string still open?"""
    try:
        raw_tokens(text)
    except (tokenize.TokenError, SyntaxError):
        return False
    return not text.rstrip("\n").endswith("\\")
