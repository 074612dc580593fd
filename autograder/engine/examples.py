"""What learners are told about a mistake, with the numbers of an example."""

import re
from collections.abc import Iterator

from . import limits
from .exam import kept_of
from .exercise import Exercise
from .mistake_files import Mistake
from .symptoms import Seen

PLACE = re.compile(r"\{\w+\}")


def with_numbers(exercise: Exercise, mistake: Mistake) -> tuple[str, str]:
    """The sentences about a mistake, as somebody who makes it reads them; "…" for numbers that
    cannot be had."""
    texts = mistake.says, mistake.look
    if any(map(PLACE.search, texts)):
        try:
            with limits.time_limit(limits.PATIENCE):
                for seen in examples(exercise, mistake):
                    filled = seen.fill(mistake.says), seen.fill(mistake.look)
                    if not any(PLACE.sub("…", a) == b for a, b in zip(texts, filled) if a != b):
                        return filled
        except (Exception, limits.OutOfTime):  # an example is worth no more than that
            pass
    return PLACE.sub("…", mistake.says), PLACE.sub("…", mistake.look)


def examples(exercise: Exercise, mistake: Mistake) -> Iterator[Seen]:
    """The mistake's answers to the probes where it shows."""
    exam = kept_of(exercise, "cpu").always
    for question in exam.questions():
        answer = exam.answer_of((mistake.id,), question.probe)
        if answer is not None and exam.aspects_of((mistake.id,), question.probe):
            yield Seen(exercise, question.trial, answer, question.expected)
