"""Quizzes: multiple choice, every wrong choice answered with why.

In a lesson a quiz is written as

    ? Where does Ana look for her red ball?
    + In the box. | Right: that is where she put it.
    - On the table. | The ball is there, but Ana was out when it was moved.
    - At the market. | The ball has never been there.

one `+` for each question. The choices are shuffled with a seed, and lettered. A student's edition
has no such text, but sealed replies; see sealed_quiz.py.
"""

import ast
import html
import random
from dataclasses import dataclass
from functools import lru_cache

from autograder.doors.notebook import notebook_shell
from autograder.engine.course import Earned, PointsCall, Wanted
from autograder.notebooks.outputs import text

from .sealed_quiz import sealed_questions

LETTERS = "ABCDEF"
POINTS = 1  # for each question


@dataclass(frozen=True)
class Choice:
    text: str
    why: str
    right: bool


@dataclass(frozen=True)
class QuizQuestion:
    text: str
    choices: tuple[Choice, ...]

    def shuffled(self, seed):
        """The choices in the order of this seed."""
        choices = list(self.choices)
        random.Random(f"{seed} {self.text}").shuffle(choices)
        return choices

    @property
    def letters(self):
        return tuple(LETTERS[: len(self.choices)])

    def reply(self, letter, seed):
        """(is it right?, why)"""
        choice = self.shuffled(seed)[LETTERS.index(letter)]
        return choice.right, choice.why


def read_quiz(text):
    """The questions of a quiz block. ValueError(line, sentence) if something is wrong with it."""
    questions, choices, asked, last = [], [], None, 0

    def close(number):
        if asked is None:
            return
        if sum(choice.right for choice in choices) != 1 or not 2 < len(choices) <= len(LETTERS):
            raise ValueError(
                number, f"the question {asked!r} needs 3 to 6 choices, exactly one of them with +."
            )
        questions.append(QuizQuestion(asked, tuple(choices)))

    for number, line in enumerate(text.splitlines(), start=1):
        mark, words = line[:2], line[2:].strip()
        if mark == "? ":
            close(last)
            asked, choices, last = words, [], number
        elif mark in ("+ ", "- ") and asked is not None:
            choice, bar, why = words.partition(" | ")
            if not bar or not why.strip():
                raise ValueError(number, "every choice is followed by ` | ` and why.")
            choices.append(Choice(choice.strip(), why.strip(), mark == "+ "))
        elif line.strip():
            raise ValueError(number, "a line of a quiz begins with `? `, `+ ` or `- `.")
    close(last)
    if not questions:
        raise ValueError(1, "a quiz needs a question.")
    return tuple(questions)


def as_markdown(questions, seed):
    """The questions as a learner reads them."""
    parts = []
    for number, question in enumerate(questions, start=1):
        parts.append(f"**{number}.** {question.text}\n")
        for letter, choice in zip(LETTERS, question.shuffled(seed)):
            parts.append(f"- **{letter}** · {choice.text}")
        parts.append("")
    return "\n".join(parts).strip()


@dataclass(frozen=True)
class Reply:
    """What is said about one answer."""

    number: int
    given: str
    right: bool
    sentence: str


def replies_to(questions, answers, seed):
    """A Reply to each question. `answers` is {1: "B", …}; what is missing counts as open.

    Args:
        questions: QuizQuestions or SealedQuestions.
    """
    replies = []
    for number, question in enumerate(questions, start=1):
        given = str(answers.get(number, "") if isinstance(answers, dict) else "").strip().upper()
        if not given:
            sentence, right = "not answered yet.", False
        elif given not in question.letters:
            there = ", ".join(question.letters)
            sentence, right = f"there is no choice {given}; there are {there}.", False
        else:
            right, sentence = question.reply(given, seed)
        replies.append(Reply(number, given, right, sentence))
    return replies


def replies_to_quiz(stem, answers, seed):
    """Replies to the answers to a lesson's quiz."""
    return replies_to(sealed_questions(stem) or quiz_of(stem), answers, seed)


@lru_cache
def quiz_of(stem):
    """The questions of a lesson's quiz."""
    from .lesson import read
    from .places import TEXTS

    [part] = read(TEXTS / f"{stem}.md").of_kind("quiz")
    return part.quiz


def check_quiz(stem, answers, seed=1):
    """Answer a lesson's quiz: say why to every choice, and return the points as a number."""
    replies = replies_to_quiz(stem, answers, seed)
    show(replies)
    return points_of(replies)[0]


def points_of(replies):
    """How many were earned, and how many there are."""
    return POINTS * sum(reply.right for reply in replies), POINTS * len(replies)


def mark(reply):
    return "✓" if reply.right else "✗"


def heading(replies):
    return "{} of {} points".format(*points_of(replies))


def as_text(replies):
    lines = [f"{mark(r)} {r.number}. {r.given or '–'}: {r.sentence}" for r in replies]
    return "\n".join([heading(replies), *lines])


def as_card(replies):
    rows = "".join(
        f"<li><strong>{mark(r)} {html.escape(r.given) or '–'}</strong> "
        f"{html.escape(r.sentence)}</li>"
        for r in replies
    )
    title = f"<p><strong>{heading(replies)}</strong></p>"
    return f"<section aria-label='Quiz'>{title}<ol>{rows}</ol></section>"


def show(replies):
    """A card where the front end can, plain text everywhere."""
    if not notebook_shell():
        print(as_text(replies))
        return
    from IPython.display import display

    display({"text/html": as_card(replies), "text/plain": as_text(replies)}, raw=True)


class QuizCall(PointsCall):
    """`check_quiz("01_attention", answers, seed=1)` where a class is graded."""

    kind, label = "quiz", "Quiz"

    def asked(self, call):
        if len(call.args) != 2:
            return None
        stem, answers = call.args
        if not isinstance(stem, ast.Constant) or not isinstance(answers, ast.Name):
            return None
        seeds = [k.value.value for k in call.keywords if k.arg == "seed"]
        return Wanted("value", answers.id, (str(stem.value), seeds[0] if seeds else 1))

    def judged(self, wanted, found, checks):
        stem, seed = wanted.about
        replies = replies_to_quiz(stem, letters(found), seed)
        points, most = points_of(replies)
        return Earned(points / most, as_text(replies), as_card(replies), f"{stem} quiz")


def letters(answers):
    """The answers to a quiz, without what is none: they come from a learner's notebook."""
    pairs = answers.items() if isinstance(answers, dict) else ()
    return {k: text(v)[:20] for k, v in pairs if type(k) is int and isinstance(v, str)}


QUIZ = QuizCall()
