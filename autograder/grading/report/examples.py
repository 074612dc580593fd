"""What learners are told about a mistake, with the numbers of an example."""

import re
from functools import cache

from ...engine import limits
from ...engine.course import current
from ...engine.exam import kept_of
from ...engine.examine import BORROWED, READY_MADE
from ...engine.symptoms import Seen

PLACE = re.compile(r"\{\w+\}")


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


def with_numbers(exercise, mistake):
    """The sentences about a mistake, as somebody who makes it reads them; "…" for numbers that
    cannot be had."""
    texts = mistake.says, mistake.look
    if any(map(PLACE.search, texts)):
        try:
            with limits.time_limit(limits.PATIENCE):
                for seen in examples(exercise, mistake):
                    filled = tuple(map(seen.fill, texts))
                    if not any(PLACE.sub("…", a) == b for a, b in zip(texts, filled) if a != b):
                        return filled
        except (Exception, limits.OutOfTime):  # an example is worth no more than that
            pass
    return tuple(PLACE.sub("…", text) for text in texts)


def examples(exercise, mistake):
    """The mistake's answers to the probes where it shows."""
    exam = kept_of(exercise, "cpu").always
    for question in exam.questions():
        if exam.aspects_of((mistake.id,), question.probe):
            answer = exam.answer_of((mistake.id,), question.probe)
            yield Seen(exercise, question.trial, answer, question.expected)
