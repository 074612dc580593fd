"""`autograder reset softmax`: an exercise is given back its stub, in its notebook and in its file.

Nothing is lost: what was written there is kept in exercises/before/.
"""

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from course.checks import LESSONS, find

from . import work
from .stubs import stub_of

KEPT = "before"  # the folder, in exercises/
YES = ("y", "yes")


class UnreadableError(ValueError):
    """A file in which nothing can be found; says which, in a sentence."""


@dataclass(frozen=True)
class Written:
    """A file in which an exercise is not a stub any more.

    Args:
        said: what it is, in a list.
        answer: what the learner has written.
        after: the file's text with the stub.
    """

    path: Path
    said: str
    answer: str
    after: str


def main(name):
    try:
        exercise = find(name)
    except KeyError as error:
        return complain(f"{error.args[0]}.")
    place = work.folder()
    if place is None:
        return complain(
            "There is no folder exercises/ here or beside this folder. Go to the course's own "
            "folder first."
        )
    try:
        found = [*in_file(exercise, place), *in_notebook(exercise, place)]
    except UnreadableError as error:
        return complain(f"{error} Nothing was changed.")
    if not found:
        print(f"{exercise.name} is a stub already: there is nothing to give back.")
        return 0
    kept = place / KEPT / f"{exercise.name} {datetime.now():%Y-%m-%d %H.%M.%S}.py"
    print("\n".join([f"Your {exercise.name} stands in:", *(f"  {each.said}" for each in found)]))
    print(f"It'll be kept as {kept.relative_to(place.parent)}.")
    if not agreed():
        print("Nothing was changed.")
        return 0
    try:
        put_back(exercise, place, found, kept)
    except OSError as error:
        return complain(f"{error.filename} cannot be written: {error.strerror}.")
    print(f"{exercise.name} is a stub again.")
    if any(each.path.suffix == ".ipynb" for each in found):
        print("If the notebook is open: File, Reload Notebook from Disk; and restart its kernel.")
    return 0


def complain(sentence):
    print(sentence, file=sys.stderr)
    return 2


def agreed():
    """Does whoever sits there say yes?"""
    try:
        return input("Put the stub back? [y/N] ").strip().lower() in YES
    except EOFError:
        print()
        return False


def put_back(exercise, place, found, kept):
    """Keep what was written; then write the stubs, and forget the points."""
    kept.parent.mkdir(exist_ok=True)
    answers = "\n\n\n".join(f"# {each.said}\n{each.answer}" for each in found)
    work.write(kept, f"{answers}\n")
    for each in found:
        work.write(each.path, each.after)
    work.forget(place, exercise.id)


def in_file(exercise, place):
    """What stands in exercises/<module>.py."""
    path = place / f"{exercise.module}.py"
    if not path.is_file():
        return
    try:
        before = path.read_text(encoding="utf-8")
        there = answer_in(before, exercise, place)
    except (OSError, SyntaxError, ValueError):
        raise UnreadableError(f"exercises/{path.name} cannot be read as Python.") from None
    stub = stub_of(exercise)
    if there and there.rstrip() != stub:
        said = f"exercises/{path.name}: {counted(there)}"
        yield Written(path, said, there, before.replace(there, stub))


def answer_in(source, exercise, place):
    """What a file's source holds of an exercise: the whole cell that was kept there, or the
    definition."""
    there = work.records(place).get(exercise.id, {}).get("kept", "")
    return there if there and there in source else work.statement(source, exercise.name)


def in_notebook(exercise, place):
    """What stands in the lesson's notebook."""
    number = 1 + LESSONS.index(exercise.module)
    for folder in (place.parent / "notebooks", place.parent):
        path = folder / f"{number:02}_{exercise.module}.ipynb"
        if path.is_file():
            yield from in_cells(exercise, path)


def in_cells(exercise, path):
    stub, answers = stub_of(exercise), []
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in [cell for cell in notebook["cells"] if solves(cell, exercise)]:
            answers.append("".join(cell["source"]).rstrip())
            cell.update(source=stub.splitlines(keepends=True), outputs=[], execution_count=None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UnreadableError(f"notebooks/{path.name} cannot be read as a notebook.") from None
    answer = "\n\n\n".join(each for each in answers if each not in ("", stub))
    if answer:
        after = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        yield Written(path, f"notebooks/{path.name}: {counted(answer)}", answer, after)


def solves(cell, exercise):
    """Is it the cell in which an exercise is solved?"""
    about = cell.get("metadata", {}).get("nbgrader", {})
    return about.get("solution") and about.get("grade_id") == exercise.name


def counted(text):
    lines = len(text.strip().splitlines())
    return f"{lines} line{'s' if lines > 1 else ''}"
