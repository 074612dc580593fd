"""Quizzes in a student's edition: for each letter a reply that opens when this letter is given.

What this hides: no file holds a right choice, or why it is right, in a form that can be read,
searched or unpacked. What it doesn't: there are only three or four letters, so a program that tries
them all knows the key of a lesson with 8 questions after 30 tries of some 40 ms, in little more
than a second. At home that is no loss, as the quiz tells as much to anybody who clicks often
enough. Where a class is graded, the instructor's full course reads the key in the lesson's own
text.

All replies to a question are equally long, so that length tells nothing. But the notebook shows the
seed, and with it `shuffled` can be undone: that gives the order in which the author wrote the
choices. It must not be a habit to write the right one first.
"""

import json
from dataclasses import dataclass

from .seals import SLOW, BrokenSealError, held, seal, unseal

FILE = "quizzes.json"  # {stem of a lesson: what seal_quiz gives}


@dataclass(frozen=True)
class SealedQuestion:
    """What `replies_to` needs of a question, as a QuizQuestion has it.

    Args:
        stem: of its lesson.
        seed: with which its choices were shuffled before they were sealed.
        sealed: {letter: the sealed reply}
    """

    stem: str
    seed: int
    number: int
    text: str
    sealed: dict[str, str]

    @property
    def letters(self):
        return tuple(self.sealed)

    def reply(self, letter, seed):
        """(is it right?, why)"""
        if str(seed) != str(self.seed):
            return False, f"your copy of the course knows this quiz with seed={self.seed} only."
        try:
            return tuple(json.loads(unseal(self.sealed[letter], self.secret(letter), SLOW)))
        except BrokenSealError:
            return False, "the reply to this is damaged: get a fresh copy of the course."

    def secret(self, letter):
        return secret(self.stem, self.number, self.text, letter)


def secret(*parts):
    return json.dumps(parts)


def seal_quiz(questions, seed, stem):
    """A lesson's quiz as JSON can hold it, with each reply sealed.

    Args:
        questions: QuizQuestions.
        seed: with which the notebook shuffles their choices.
    """
    numbered = enumerate(questions, start=1)
    asked = [
        {"text": question.text, "replies": sealed_replies(question, seed, stem, number)}
        for number, question in numbered
    ]
    return {"seed": seed, "questions": asked}


def sealed_replies(question, seed, stem, number):
    """{letter: the sealed reply}, all of one length."""
    said = {letter: json.dumps(question.reply(letter, seed)) for letter in question.letters}
    length = max(map(len, said.values()))  # JSON's own text is ASCII: a letter, a byte
    return {
        letter: seal(text.ljust(length), secret(stem, number, question.text, letter), SLOW)
        for letter, text in said.items()
    }


def sealed_questions(stem):
    """The SealedQuestions of a lesson; none in the full course."""
    quiz = held(FILE).get(stem, {"seed": None, "questions": []})
    return tuple(
        SealedQuestion(stem, quiz["seed"], number, each["text"], each["replies"])
        for number, each in enumerate(quiz["questions"], start=1)
    )
