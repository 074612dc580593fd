"""Read a lesson: Markdown in which fenced blocks say what they are.

    ```python                             a cell to run
    ```python fold                        the same, its code folded away at first
    ```python quoted                      the same; the text quotes numbers that it prints
    ```exercise attention.softmax         a stub to fill in, and its check; the block is empty
    ```quiz                               questions, see quiz.py
    ```graded capstone points=10          a cell that gives its own points; the block holds its code
    ```question why_scale points=2        a question to be answered in words; the block holds what
                                          a good answer says

Everything else is prose. The set-up cell, which imports what is needed, is put in before the first
`##`, or where `<!-- set-up -->` stands in the opening. `{{0.81}}` in prose stands for a number that
a `quoted` cell prints: it is shown as 0.81, and tests hold the two together, under each instruction
set that the machine has. So it has to be the same on every machine: no rounding noise, and nothing
that was trained.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from course.checks import find

from .places import TEXTS
from .quiz import read_quiz

FENCE = re.compile(r"^(`{3,})\s*(\w*)[ ]*(.*)$")
QUOTED = re.compile(r"\{\{(.+?)\}\}")


class LessonError(ValueError):
    """Something in a lesson's text cannot be understood."""

    def __init__(self, path, line, sentence):
        super().__init__(f"{path}, line {line}: {sentence}")


@dataclass(frozen=True)
class Part:
    """A piece of a lesson: prose, code, exercise, quiz, graded cell or question.

    Args:
        kind: which of the six.
        text: the prose or the code.
        line: where it begins in the lesson's file.
        name: of the exercise, graded cell or question.
        points: of a graded cell or question.
        fold: is the code folded away at first?
        quoted: does the text quote what it prints?
        quiz: the questions, if it is a quiz.
    """

    kind: str
    text: str
    line: int
    name: str = ""
    points: int = 0
    fold: bool = False
    quoted: bool = False
    quiz: tuple = ()


@dataclass(frozen=True)
class Lesson:
    """A lesson: its number, its short name, its title, and its parts."""

    path: Path
    number: int
    module: str
    title: str
    parts: tuple[Part, ...]

    @property
    def stem(self):
        return self.path.stem

    def of_kind(self, kind):
        return [part for part in self.parts if part.kind == kind]


def lessons(folder=TEXTS):
    """All lessons in their order."""
    return [read(path) for path in sorted(folder.glob("[0-9][0-9]_*.md"))]


def read(path):
    """The Lesson in a file, or a LessonError that says where it cannot be understood."""
    number, _, module = path.stem.partition("_")
    lines = path.read_text(encoding="utf-8").splitlines()
    title = next((line[2:].strip() for line in lines if line.startswith("# ")), None)
    if title is None:
        raise LessonError(path.name, 1, "a lesson begins with its title, `# …`.")
    parts = tuple(parts_of(path.name, lines))
    seen = {}
    for part in parts:
        if part.kind in ("exercise", "graded", "question"):
            if part.name in seen:
                where = f"it stands in line {seen[part.name]} already"
                raise LessonError(path.name, part.line, f"{part.name} comes twice: {where}.")
            seen[part.name] = part.line
    return Lesson(path, int(number), module, title, parts)


def parts_of(file, lines):
    """The parts of a lesson, one after the other."""
    prose, start, number = [], 1, 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        kind = fence[2] if fence else ""
        if kind not in READERS:
            prose.append(lines[number])
            number += 1
            if fence:  # another block, which is part of the prose: take it to its end
                end = end_of(file, lines, number, fence[1])
                prose += lines[number : end + 1]
                number = end + 1
            continue
        if any(line.strip() for line in prose):
            yield Part("prose", "\n".join(prose).strip(), start)
        end = end_of(file, lines, number + 1, fence[1])
        text = "\n".join(lines[number + 1 : end])
        yield READERS[kind](file, number + 1, fence[3].strip(), text)
        prose, number = [], end + 1
        start = number + 1
    if any(line.strip() for line in prose):
        yield Part("prose", "\n".join(prose).strip(), start)


def end_of(file, lines, start, fence):
    """The line on which a fenced block ends."""
    for number in range(start, len(lines)):
        if lines[number].rstrip() == fence:
            return number
    raise LessonError(file, start, f"the block that begins here is never closed with {fence}.")


def read_code(file, line, words, text):
    marks = words.split()
    if not set(marks) <= {"fold", "quoted"}:
        raise LessonError(file, line, f"a python block may be `fold` or `quoted`, not {words!r}.")
    parse(file, line, text)
    return Part("code", text, line, fold="fold" in marks, quoted="quoted" in marks)


def read_exercise(file, line, words, text):
    try:
        exercise = find(words)
    except KeyError as error:
        raise LessonError(file, line, error.args[0] + ".") from None
    if text.strip():
        where = f"the model answer stands in solutions/{exercise.module}.py"
        raise LessonError(file, line, f"an exercise's block is empty: {where}.")
    return Part("exercise", "", line, name=exercise.id)


def read_graded(file, line, words, text):
    name, points = named_with_points(file, line, words, "graded")
    if not text.strip():
        raise LessonError(file, line, "a graded cell needs code that gives its points.")
    parse(file, line, text)
    return Part("graded", text, line, name=name, points=points)


def read_question(file, line, words, text):
    name, points = named_with_points(file, line, words, "question")
    if not text.strip():
        raise LessonError(file, line, "what does a good answer say? The block is empty.")
    return Part("question", text, line, name=name, points=points)


def named_with_points(file, line, words, kind):
    found = re.fullmatch(r"(\w+) points=(\d+)", words)
    if not found:
        raise LessonError(file, line, f"a {kind} is written ```{kind} its_name points=2.")
    return found[1], int(found[2])


def read_quiz_block(file, line, words, text):
    try:
        return Part("quiz", text, line, name=words, quiz=read_quiz(text))
    except ValueError as error:
        offset, sentence = error.args
        raise LessonError(file, line + offset, sentence) from None


def parse(file, line, text):
    try:
        ast.parse(text)
    except SyntaxError as error:
        sentence = f"this is no Python: {error.msg}: `{(error.text or '').strip()}`"
        raise LessonError(file, line + (error.lineno or 1), sentence) from None


READERS = {
    "python": read_code,
    "exercise": read_exercise,
    "graded": read_graded,
    "question": read_question,
    "quiz": read_quiz_block,
}
