"""An answer as an example for others: its code without comments, texts, and names of people."""

import ast
import builtins
import keyword
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy
import torch

from ...engine.course import current
from ...engine.exercise import Exercise
from ...engine.files import tree_of
from ...engine.mistake_files import BLANK
from ...engine.repairs.own_code import own_code

IDENTIFIERS = ("id", "arg", "attr", "name", "asname", "rest")  # fields of a syntax tree
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_A-Za-z]+")
PERSONS_WORD = re.compile(r"[^\W\d_]{2,}")
PATTERN = re.compile(r"[\w ,.()]{0,60}->[\w ,.()]{0,60}")  # of einsum and rearrange
# How a number or text is formatted in an f-string.
FORMAT = re.compile(r"([^\w\n]?[<>=^])?[-+ ]?z?#?0?\d{0,3}[_,]?(\.\d{1,3})?[a-zA-Z%]?")
MAGIC = re.compile(r"^[ \t]*[%!?].*$", re.MULTILINE)
PACKAGES = {*sys.stdlib_module_names, "torch", "numpy", "einops", "jaxtyping", "beartype"}
LIBRARIES = (torch, torch.nn, torch.nn.functional, torch.Tensor, numpy, numpy.ndarray)
OF_LIBRARIES = {name for library in LIBRARIES for name in dir(library)}
OF_PYTHON = {*dir(builtins), *keyword.kwlist, "self", "cls"}
USUAL = OF_LIBRARIES | OF_PYTHON | {"cpu", "cuda", "none", "constant", "ij"}
# Letters from which on a name is also found at the beginning of a longer word, or inside one.
PREFIX, SUBSTRING = 3, 4
# What Unicode does not take for a letter with an accent.
WITHOUT_STROKES = str.maketrans(
    {"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
    | {"Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Æ": "Ae", "Œ": "Oe", "Þ": "Th"}
)


def plain(text: str) -> str:
    """A text without accents, and with letters that everybody has."""
    apart = unicodedata.normalize("NFKD", text.translate(WITHOUT_STROKES))
    return "".join(each for each in apart if not unicodedata.combining(each))


def words_in(text: str) -> set[str]:
    """The words of which names in code consist, in small letters."""
    return {word.lower() for word in WORD.findall(text)}


EVERYBODYS_WORDS = words_in(" ".join(USUAL))


@dataclass(frozen=True)
class Example:
    """The code of an answer.

    Args:
        above: imports and constants that it needs.
        code: its definitions.
    """

    above: tuple[str, ...]
    code: str

    @property
    def whole(self) -> str:
        return "\n".join([*self.above, *([""] * 2 if self.above else []), self.code])


@dataclass
class People:
    """Whom nothing may remind of.

    Args:
        words: parts of their names and addresses, in small letters.
        ids: as the gradebook has them, in small letters.
    """

    words: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    asked: dict[str, bool] = field(default_factory=dict)  # {word: is it somebody's?}

    def add(self, student: str, *names: str | None) -> None:
        self.ids.add(plain(student).lower())
        for text in (student, *(name for name in names if name)):
            self.words |= {*PERSONS_WORD.findall(plain(text).lower())}

    def are_in(self, text: str, usual: set[str]) -> bool:
        """Does a name stand in a text, or may one?

        Args:
            usual: words that everybody's answer may have.
        """
        text = plain(text)
        if any(each in text.lower() for each in self.ids if len(each) >= SUBSTRING):
            return True
        return any(self.has(word) for word in words_in(text) - usual)

    def has(self, word: str) -> bool:
        """May a word in small letters be a name, or have one in it?"""
        if word not in self.asked:  # a class writes the same words again and again
            self.asked[word] = word in self.words or any(
                word.startswith(name) or (len(name) >= SUBSTRING and name in word)
                for name in self.words
                if len(name) >= PREFIX
            )
            # Other scripts say more with fewer letters, and do not tell words apart by their size.
            others = (name for name in self.words if not name.isascii())
            self.asked[word] |= any(name in word for name in others)
        return self.asked[word]


def example_of(cells: Iterable[str], exercise: Exercise, people: People) -> Example | None:
    """The Example that an answer makes; None if there is none, or if it cannot be had without a
    name.

    Args:
        cells: all code up to the check, in order.
    """
    try:
        return without_names(cells, exercise, people)
    except (RecursionError, MemoryError, ValueError):  # one as nobody writes
        return None


def without_names(cells: Iterable[str], exercise: Exercise, people: People) -> Example | None:
    text = "\n\n".join(filter(is_python, (MAGIC.sub("", cell) for cell in cells)))
    tree = definitions(text, exercise.name)
    if tree is None:
        return None
    above = list(what_it_needs(tree, text, exercise))
    usual, texts = vocabulary(exercise)
    held = ast.Module([*above, *tree.body], [])
    without_docstrings(held)
    Texts(texts, people, usual).visit(held)
    rename(held, people, usual | {exercise.name})
    found = Example(
        tuple(ast.unparse(each) for each in above),
        "\n\n\n".join(ast.unparse(ast.fix_missing_locations(each)) for each in tree.body),
    )
    # Python writes no comments: a line that begins like one was smuggled into something.
    smuggled = any(line.lstrip().startswith("#") for line in found.whole.splitlines())
    return None if smuggled or people.are_in(found.whole, usual) else found


def is_python(text: str) -> bool:
    try:
        tree_of(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def definitions(text: str, name: str) -> ast.Module | None:
    """What an answer consists of: its definition with those that it calls."""
    code = own_code(text, name)
    if code is not None:
        return code.tree
    made = [each for each in statements(text) if name in assigned(each)]
    return ast.Module(made[-1:], []) if made else None


def statements(text: str) -> list[ast.stmt]:
    return tree_of(text).body if is_python(text) else []


def assigned(statement: ast.stmt) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def what_it_needs(tree: ast.Module, text: str, exercise: Exercise) -> Iterator[ast.stmt]:
    """Imports and constants that definitions rely on; other exercises are the model answers."""
    course = current()
    there = {getattr(each, "name", exercise.name) for each in tree.body}
    wanted = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - there
    for name in sorted(wanted & course.lesson_of.keys()):
        lesson = course.lesson_of[name]
        yield ast.ImportFrom(f"{course.reference}.{lesson}", [ast.alias(name)], 0)
    wanted -= course.lesson_of.keys()
    for statement in statements(text):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            names = {a.asname or a.name.partition(".")[0] for a in statement.names}
            if is_known(statement) and wanted & names:
                yield statement
        elif wanted & {*assigned(statement)} and is_constant(statement):
            yield statement


def is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)


def is_known(statement: ast.Import | ast.ImportFrom) -> bool:
    """Is it from a package that others have, too?"""
    if isinstance(statement, ast.ImportFrom):
        return not statement.level and (statement.module or "").partition(".")[0] in PACKAGES
    return all(each.name.partition(".")[0] in PACKAGES for each in statement.names)


def vocabulary(exercise: Exercise) -> tuple[set[str], set[str]]:
    """(words that stand in the model answer, or in everybody's code; the model answer's texts)"""
    tree = ast.parse(exercise.source)
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    words = words_in(exercise.source) | EVERYBODYS_WORDS
    return words, {text for text in texts if isinstance(text, str)}


def without_docstrings(tree: ast.AST) -> None:
    """Texts that stand alone are for readers."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [each for each in body if not is_text(each)]
            body[:] = kept or [ast.Pass()]


def is_text(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str | bytes)
    )


class Texts(ast.NodeTransformer):
    """Leaves a blank for every text that the code does not need to work."""

    def __init__(self, known: set[str], people: People, usual: set[str]):
        self.known, self.people, self.usual = known, people, usual

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, bytes):
            return ast.Constant(b"")
        if isinstance(node.value, str) and not self.is_needed(node.value):
            return ast.Constant(BLANK)
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.FormattedValue:
        node.value = self.visit(node.value)
        spec = node.format_spec
        for each in spec.values if isinstance(spec, ast.JoinedStr) else ():
            if isinstance(each, ast.Constant):  # how it is formatted, unless it tells a story
                each.value = each.value if FORMAT.fullmatch(str(each.value)) else ""
            else:
                self.visit(each)
        return node

    def is_needed(self, text: str) -> bool:
        if text in self.known:
            return True
        if self.people.are_in(text, self.usual):
            return False
        return bool(PATTERN.fullmatch(text)) or text in USUAL or is_number(text)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def rename(tree: ast.AST, people: People, usual: set[str]) -> None:
    """Call otherwise what bears somebody's name."""
    new: dict[str, str] = {}
    for name in bound(tree):
        spoken = name.replace("_", "").lower()
        if name not in usual and (people.are_in(name, usual) or people.are_in(spoken, usual)):
            new.setdefault(name, f"renamed_{len(new) + 1}")
    for node in ast.walk(tree):
        for each in IDENTIFIERS:
            held = getattr(node, each, None)
            if isinstance(held, str) and held in new:
                setattr(node, each, new[held])
        if isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [new.get(name, name) for name in node.names]


def bound(tree: ast.AST) -> Iterator[str]:
    """The names that code gives to what is its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif not isinstance(node, ast.alias):
            name = getattr(node, "name", None) or getattr(node, "rest", None)
            yield from [name] if isinstance(name, str) else []
        elif node.asname:
            yield node.asname
