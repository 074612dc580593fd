"""Wrong implementations: the reference with a small edit, ready to run.

Also what the break-it labs use: `wrong("attention.softmax", "not_stable")`.
"""

import itertools
import linecache
import math
import sys
import types

import torch

from .course import current
from .pieces import vouch_for

NUMBERS = itertools.count()


def edited_source(exercise, ways):
    """The reference's source with one or more mistakes made; None if they do not go together."""
    source = exercise.source
    for way in ways:
        for old, new in exercise.mistake(way).ways[way]:
            if source.count(old) != 1:
                return None
            source = source.replace(old, new)
    return source


def build(exercise, ways):
    """The reference with mistakes made in these ways, or None if they do not go together."""
    if ways not in exercise.built:
        exercise.built[ways] = compiled(exercise, ways)
    return exercise.built[ways]


def compiled(exercise, ways):
    """Run the edited source, and give what it defines."""
    source = edited_source(exercise, ways)
    if source is None:
        return None
    # A file name of its own lets inspect and tracebacks show the edited lines.
    filename = f"<{exercise.id} with {' and '.join(ways)}, {next(NUMBERS)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module = types.ModuleType(f"{exercise.package}.{exercise.module}")
    everyday = {"math": math, "torch": torch, "F": torch.nn.functional, "nn": torch.nn}
    module.__dict__.update(everyday | vars(sys.modules[exercise.reference.__module__]))
    exec(compile(source, filename, "exec"), module.__dict__)
    return vouch_for(getattr(module, exercise.name))


def wrong(exercise_id, *mistake_ids):
    """The reference with a mistake put in on purpose, to see what it does."""
    implementation = build(current().find(exercise_id), mistake_ids)
    if implementation is None:
        raise ValueError(f"these mistakes cannot be made together: {', '.join(mistake_ids)}")
    return implementation
