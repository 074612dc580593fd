"""Wrong implementations: the reference with a mistake made, ready to run.

Also what the break-it labs use: `wrong("attention.softmax", "not_stable")`.
"""

import itertools
import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .course import current
from .diffs import DiffError
from .exercise import Exercise
from .mistake_files import MistakeFileError
from .pieces import vouch_for
from .spans import Edit, applied, replayed
from .trial import EVERYDAY, Implementation

NUMBERS = itertools.count()


def edits_of(exercise: Exercise, way: str) -> tuple[Edit, ...]:
    """The Edits of the reference's source that make a mistake in this way."""
    if way not in exercise.edits:
        mistake = exercise.mistake(way)
        try:
            exercise.edits[way] = mistake.ways[way].edits(exercise.source, *exercise.source_place)
        except DiffError as error:
            raise MistakeFileError(mistake.place[0], error.line, error.sentence) from None
    return exercise.edits[way]


def first_line_of(exercise: Exercise, way: str) -> int:
    """Where in the model answer a mistake begins."""
    sealed = exercise.sealed
    return sealed.ways[way].first if sealed else edits_of(exercise, way)[0].first


def ways_of(
    exercise: Exercise, complain: Callable[[MistakeFileError], object] = lambda error: None
) -> Iterator[str]:
    """All ways in which the mistakes of an exercise can be made.

    Args:
        complain: is told of what is wrong with their file, and of what does not fit. That is for
            their author to know, and ends no learner's check.
    """
    if exercise.sealed:
        yield from exercise.sealed.ways
        return
    found = []
    try:
        found = [way for mistake in exercise.mistakes for way in mistake.ways]
    except MistakeFileError as error:
        complain(error)
    for way in found:
        try:
            edits_of(exercise, way)
        except MistakeFileError as error:
            complain(error)
        else:
            yield way


def edited_source(exercise: Exercise, ways: tuple[str, ...]) -> str | None:
    """The reference's source with one or more mistakes made; None if they do not go together.

    They do if they change different parts of it, or if one finds its place in what the others
    have made.
    """
    made = [edits_of(exercise, way) for way in ways]
    source = applied(exercise.source, made)
    if source is None:
        orders = (one_by_one(exercise.source, order) for order in (made, made[::-1]))
        source = next((found for found in orders if found is not None), None)
    return source


def one_by_one(source: str, made: list[tuple[Edit, ...]]) -> str | None:
    """The source with each of several changes made in what the ones before it have left."""
    changed = source
    for edits in made:
        here = edits if changed is source else replayed(edits, source, changed)
        changed = None if here is None else applied(changed, [here])
        if changed is None:
            return None
    return changed


def build(exercise: Exercise, ways: tuple[str, ...]) -> Implementation | None:
    """The reference with mistakes made in these ways, or None if they do not go together."""
    if ways not in exercise.built:
        exercise.built[ways] = compiled(exercise, ways)
    return exercise.built[ways]


def compiled(exercise: Exercise, ways: tuple[str, ...]) -> Implementation | None:
    """Run the edited source, and give what it defines."""
    source = edited_source(exercise, ways)
    title = f"{exercise.id} with {' and '.join(ways)}"
    name = f"{exercise.package}.{exercise.module}"
    made = None if source is None else defined(exercise, source, title, name)
    return None if made is None else vouch_for(made)


def as_handed_in(exercise: Exercise, mistake_id: str) -> Implementation | None:
    """The reference with a mistake made, as if a learner had written it: nobody vouches for it."""
    source = edited_source(exercise, (mistake_id,))
    return None if source is None else defined(exercise, source, mistake_id, "answer")


def defined(exercise: Exercise, source: str, title: str, module: str) -> Implementation | None:
    """What an edited source defines, among the names that the reference knows; None if it does
    not run."""
    # A file name of its own lets inspect and tracebacks show the edited lines.
    filename = f"<{title}, {next(NUMBERS)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    names: dict[str, Any] = dict(EVERYDAY)
    names |= vars(sys.modules[exercise.reference.__module__]) | {"__name__": module}
    try:
        code = compile(source, filename, "exec")
    except SyntaxError:  # two mistakes that each leave half a sentence
        return None
    try:
        exec(code, names)
    except Exception:  # as a class can, while it is defined
        return None
    return names[exercise.name]


def wrong(exercise_id: str, *mistake_ids: str) -> Implementation:
    """The reference with a mistake put in on purpose, to see what it does.

    Where the mistakes of a course are not there to be read, a stand-by that goes wrong in the same
    way takes its place.
    """
    exercise = current().find(exercise_id)
    readable = Path(exercise.written_in).is_file() and not exercise.sealed
    if not readable and current().broken:
        return vouch_for(current().broken_stand_by(exercise.id, mistake_ids))
    implementation = build(exercise, mistake_ids)
    if implementation is None:
        raise ValueError(f"these mistakes cannot be made together: {', '.join(mistake_ids)}")
    return implementation
