"""What learners are told about a diagnosis, with the numbers of an example."""

from functools import cache

from ...engine.course import current
from ...engine.examples import with_numbers
from ...engine.told import BORROWED, READY_MADE


@cache
def told(exercise_id, diagnosis):
    """(what is said, what to look at) for a diagnosis; empty where it is not known any more."""
    try:
        exercise = current().find(exercise_id)
        if diagnosis == READY_MADE:
            says = "Your code lets a ready-made version do the work."
            instead = f": {exercise.instead}" if exercise.instead else "."
            return says, f"This exercise is about building the thing{instead}"
        if diagnosis == BORROWED:
            says = "Your code lets the course's own version of this piece do the work."
            if not current().stand_bys:
                return says, "This exercise asks you to write it yourself."
            return says, "It stands in for yours in what comes later; here it is what you build."
        mistake = exercise.mistake(diagnosis)
    except KeyError:
        return "", ""
    return with_numbers(exercise, mistake)
