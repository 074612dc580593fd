"""What README and docs count is what there is: one mistake more or less, and a test says so.

How the checks come out is what tests/autograder asks; here are only the numbers.
"""

import re
from pathlib import Path

import pytest

from autograder.audit import bank
from autograder.audit.disguises import DISGUISES
from autograder.audit.matrix import COLUMNS, pairs_of
from course.checks import all_exercises

from .autograder.grading.test_one_judgement import STUDENTS, TAUGHT
from .autograder.notebooks.broken import BROKEN
from .autograder.sandbox.attacks import ATTACKS

ROOT = Path(__file__).resolve().parent.parent
EXERCISES = all_exercises()
# Those that say how many there are; a line is not found for every mistake.
COUNTED = [column for column in COLUMNS[1:8] if column != "line found"]
SAID = (
    ("README.md", "| {exercises} exercises, three seeds, one for what is new in 0.2.0 |"),
    ("README.md", "| known mistakes rejected, and named | {mistakes:,} of {mistakes:,} |"),
    ("README.md", "| pairs of them told apart | {pairs:,} of {pairs:,} |"),
    ("README.md", "the gradient switched | {disguises:,} of {disguises:,} |"),
    ("README.md", "| right answers accepted, in many styles | {right} of {right} |"),
    ("README.md", "independently of those mistakes, rejected | {wrong} of {wrong} |"),
    ("README.md", "a mistake that they did not make | 0 of {wrong} |"),
    ("README.md", "{hostile} hostile submissions and {broken} broken ones are among the tests"),
    ("docs/grading.md", "A test holds this for {graded}\n  notebooks of all kinds"),
    ("docs/checking.md", "now {rejected:,} of {rejected:,} mistakes and answers"),
)


def counts():
    found = {
        "exercises": len(EXERCISES),
        "mistakes": sum(len(exercise.mistakes) for exercise in EXERCISES.values()),
        "pairs": sum(len(list(pairs_of(exercise.mistakes))) for exercise in EXERCISES.values()),
        "right": len(bank.everything("correct")),
        "wrong": len(bank.everything("wrong")),
        "hostile": len(ATTACKS),
        "broken": len(BROKEN),
        "graded": STUDENTS * len(TAUGHT),
    }
    found["disguises"] = found["mistakes"] * len(DISGUISES)
    found["rejected"] = found["mistakes"] + found["wrong"]
    return found


@pytest.mark.parametrize(("page", "sentence"), SAID)
def test_it_says_how_many_there_are(page, sentence):
    true = sentence.format(**counts())
    is_said = true in (ROOT / page).read_text(encoding="utf-8")
    assert is_said, f"{page} should say: {true}"


def test_the_matrix_counts_what_there_is():
    text = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+\.\w+) \|(.+)\|$", text, re.MULTILINE)
    assert [name for name, _ in rows] == list(EXERCISES)
    for name, cells in rows:
        cells = dict(zip(COLUMNS[1:], cells.split("|"), strict=True))
        exercise = EXERCISES[name]
        right, wrong = (
            sum(entry.exercise == name for entry in bank.everything(kind))
            for kind in ("correct", "wrong")
        )
        known = len(exercise.mistakes)
        expected = (
            known,
            known,
            len(list(pairs_of(exercise.mistakes))),
            known * len(DISGUISES),
            right,
            wrong,
        )
        assert [cells[c].split() for c in COUNTED] == [[f"{n}", "of", f"{n}"] for n in expected], (
            name
        )
