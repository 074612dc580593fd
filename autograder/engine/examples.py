"""What learners are told about a mistake, with the numbers of an example."""

import re

from . import limits
from .exam import kept_of
from .symptoms import Seen

PLACE = re.compile(r"\{\w+\}")


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
