"""`autograder reset softmax`: an exercise is given back its stub, in its notebook and in its file.

Nothing is lost: both are kept as they were, whole, in exercises/before/.
"""

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from course.checks import LESSONS, find

from . import work
from .notebook import graded
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
        before: what the file holds.
        after: the file's text with the stub.
    """

    path: Path
    said: str
    before: bytes
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
        return reset(exercise, place)
    except UnreadableError as error:
        return complain(f"{error} Nothing was changed.")
    except OSError as error:
        return complain(f"{error.filename} cannot be written: {error.strerror}.")


def complain(sentence):
    print(sentence, file=sys.stderr)
    return 2


def reset(exercise, place):
    found = written(exercise, place)
    if not found:
        print(f"{exercise.name} is a stub already: there is nothing to reset.")
        return 0
    kept = place / KEPT / f"{exercise.name} {datetime.now():%Y-%m-%d %H.%M.%S}"
    print("\n".join(warning(exercise, place, found, kept)))
    if not agreed():
        print("Nothing was changed.")
        return 0
    found = written(exercise, place)  # what was saved while the question stood there counts, too
    put_back(exercise, place, found, kept)
    print(f"{exercise.name} is a stub again.")
    if any(each.path.suffix == ".ipynb" for each in found):
        print("If the notebook is open: File, Reload Notebook from Disk; and restart its kernel.")
    return 0


def written(exercise, place):
    return [*in_file(exercise, place), *in_notebook(exercise, place)]


def warning(exercise, place, found, kept):
    """What is about to happen."""
    yield f"Your {exercise.name} is in:"
    yield from (f"  {each.said}" for each in found)
    what = "This file" if len(found) == 1 else "These files"
    yield f"{what} will be kept whole in {kept.relative_to(place.parent)}/."
    best = work.records(place).get(exercise.id, {}).get("best", 0)
    if best:
        yield (
            f"You lose your {best} of {exercise.max_score} points in `autograder progress` until "
            f"you check a version again."
        )


def agreed():
    """Does whoever sits there say yes?"""
    try:
        return input("Put the stub back? [y/N] ").strip().lower() in YES
    except EOFError:
        print()
        return False


def put_back(exercise, place, found, kept):
    """Keep the files as they are; then write the stubs, and forget the points."""
    kept.mkdir(parents=True, exist_ok=True)
    for each in found:
        work.write_bytes(kept / each.path.name, each.before)
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
        raise UnreadableError(f"{shown(path, place)} cannot be read as Python.") from None
    stub = stub_of(exercise)
    if there.rstrip() != stub:
        said = f"{shown(path, place)}: {counted(there)}"
        yield Written(path, said, path.read_bytes(), work.put_instead(before, there, stub))


def answer_in(source, exercise, place):
    """What a file's source holds of an exercise: the whole cell that was kept there, or the
    definition; "" if there is none."""
    return work.kept_cell(source, exercise, place) or work.statement(source, exercise.name)


def in_notebook(exercise, place):
    """What stands in the lesson's notebook."""
    number = 1 + LESSONS.index(exercise.module)
    for folder in (place.parent / "notebooks", place.parent):
        path = folder / f"{number:02}_{exercise.module}.ipynb"
        if path.is_file():
            yield from in_cells(exercise, path, shown(path, place))


def in_cells(exercise, path, name):
    stub, answers = stub_of(exercise), []
    try:
        before = path.read_bytes()
        notebook = json.loads(before.decode("utf-8"))
        for cell in cells_for(notebook["cells"], exercise):
            answers.append("".join(cell["source"]).rstrip())
            cell.update(source=stub.splitlines(keepends=True), outputs=[], execution_count=None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UnreadableError(f"{name} cannot be read as a notebook.") from None
    other = [each for each in answers if each != stub]
    if other:
        said = f"{name}: {counted(''.join(each + chr(10) for each in other))}"
        yield Written(path, said, before, work.as_text(notebook))


def cells_for(cells, exercise):
    """Those in which an exercise is solved; if somebody has deleted them, a new one before its
    check."""
    found = [cell for cell in cells if solves(cell, exercise)]
    if not found:
        check = f"check_{exercise.name}"
        places = [
            number for number, cell in enumerate(cells) if about(cell).get("grade_id") == check
        ]
        found = [empty_cell(exercise)]
        cells.insert(places[0] if places else len(cells), found[0])
    return found


def empty_cell(exercise):
    """As a notebook's JSON has it."""
    metadata = {"nbgrader": graded(exercise.name, solution=True)}
    return {"cell_type": "code", "id": exercise.name, "metadata": metadata, "source": []}


def solves(cell, exercise):
    """Is it the cell in which an exercise is solved?"""
    return about(cell).get("solution") and about(cell).get("grade_id") == exercise.name


def about(cell):
    """What nbgrader knows of a cell."""
    return cell.get("metadata", {}).get("nbgrader", {})


def shown(path, place):
    """A path as one speaks of it in the course's folder."""
    return path.relative_to(place.parent).as_posix()


def counted(text):
    lines = len(text.strip().splitlines())
    return f"{lines} line{'' if lines == 1 else 's'}" if lines else "nothing, not even the stub"
