"""The exercises: a package a lesson, a file an exercise.

To add one, write its file, and name it in the EXERCISES of its lesson.
"""

import importlib

LESSONS = (
    "attention",
    "multi_head",
    "positional_encoding",
    "encoder_block",
    "transformer",
    "training",
    "variants",
)


def exercises_of(lesson):
    """The Exercises of one lesson, in its order."""
    return importlib.import_module(f"{__name__}.{lesson}").EXERCISES


def all_exercises():
    """{id: Exercise}, in the order of the course."""
    return {exercise.id: exercise for lesson in LESSONS for exercise in exercises_of(lesson)}


def find(exercise_id):
    """The exercise called <module>.<name>; the module may be left out."""
    lesson, _, name = exercise_id.rpartition(".")
    for exercise in exercises_of(lesson) if lesson in LESSONS else ():
        if exercise.name == name:
            return exercise
    known = all_exercises()
    by_name = {exercise.name: exercise for exercise in known.values()}
    if exercise_id in by_name:
        return by_name[exercise_id]
    raise KeyError(f"there is no exercise called {exercise_id!r}; there are: {', '.join(known)}")
