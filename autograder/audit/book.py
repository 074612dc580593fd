"""autograder book: what is promised, and what goes wrong, as a document for authors.

For each exercise its promises, and each mistake as a diff, with what learners are told: the numbers
are those of an example.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from ..engine.course import current
from ..engine.diffs import GAP
from ..engine.exam import kept_of
from ..engine.examples import with_numbers
from ..engine.exercise import Exercise
from ..engine.mistake_files import Mistake, MistakeFileError
from ..engine.mistakes import edits_of

Complain = Callable[[MistakeFileError], object]


def give_up(error: MistakeFileError) -> None:
    raise error


def chapter(exercise: Exercise, complain: Complain = give_up) -> Iterator[str]:
    """The Markdown of one exercise, in lines.

    Args:
        complain: is told of what does not fit; the book goes on with the rest.
    """
    for _ in kept_of(exercise, "cpu").always.questions():  # or say why there is no example
        pass
    try:
        mistakes = exercise.mistakes
    except MistakeFileError as error:
        complain(error)
        mistakes = ()
    yield f"# {exercise.id}: what goes wrong"
    yield ""
    yield "A right answer keeps these promises:"
    yield ""
    for promise in exercise.properties:
        points = "1 point" if promise.points == 1 else f"{promise.points} points"
        yield f"- {promise.says} ({points})"
    yield ""
    yield f"{len(mistakes)} mistakes are known."
    for mistake in mistakes:
        yield ""
        yield from section(exercise, mistake, complain)


def section(exercise: Exercise, mistake: Mistake, complain: Complain = give_up) -> Iterator[str]:
    """The Markdown of one mistake, in lines."""
    yield f"## {mistake.id}"
    yield ""
    for number, (way, diff) in enumerate(mistake.ways.items()):
        try:
            edits_of(exercise, way)
        except MistakeFileError as error:
            complain(error)
        if number:
            yield from ("", "or", "")
        yield "```python" if diff.whole else "```diff"
        for line in diff.lines:
            sign = "" if diff.whole or line.sign == GAP else line.sign
            yield GAP if line.sign == GAP else f"{sign}{line.text}"
        yield "```"
    says, look = with_numbers(exercise, mistake)
    yield ""
    yield says
    yield ""
    yield f"**Look:** {look}"
    if mistake.same_as:
        yield ""
        yield f"This is the same mathematics as `{mistake.same_as}`: no input can tell them apart."


def main(options: Namespace) -> int:
    """Write the book to a file, or print it; gives the command's exit code."""
    torch.set_num_threads(1)
    try:
        exercises = [current().find(name) for name in options.exercises or current().ids]
    except KeyError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    faults: list[MistakeFileError] = []
    chapters = ["\n".join(chapter(exercise, faults.append)) for exercise in exercises]
    text = "\n\n".join(chapters) + "\n"
    if not options.output:
        print(text, end="")
    else:
        try:
            Path(options.output).write_text(text, encoding="utf-8")
        except OSError as error:
            print(f"{options.output} cannot be written: {error.strerror}.", file=sys.stderr)
            return 2
    for fault in faults:
        print(fault, file=sys.stderr)
    return 2 if faults else 0
