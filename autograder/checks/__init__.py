"""The exercises, one module a lesson. To add one, add an `Exercise` to its module."""

import importlib

from ..exercise import Exercise

LESSONS = (
    "attention",
    "multi_head",
    "positional_encoding",
    "encoder_block",
    "transformer",
    "training",
    "variants",
)


def all_exercises():
    """{id: Exercise}, in the order of the course."""
    found = {}
    for lesson in LESSONS:
        module = importlib.import_module(f"{__name__}.{lesson}")
        for value in vars(module).values():
            if isinstance(value, Exercise) and value.module == lesson:
                found[value.id] = value
    return found


def find(exercise_id):
    """The exercise called <module>.<name>; the module may be left out."""
    module, _, name = exercise_id.rpartition(".")
    if module in LESSONS:
        value = getattr(importlib.import_module(f"{__name__}.{module}"), name, None)
        if isinstance(value, Exercise):
            return value
    known = all_exercises()
    by_name = {exercise.name: exercise for exercise in known.values()}
    if exercise_id in by_name:
        return by_name[exercise_id]
    raise KeyError(f"there is no exercise called {exercise_id!r}; there are: {', '.join(known)}")
