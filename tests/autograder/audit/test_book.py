"""The book of mistakes: every diff, and what is said of it with an example's numbers."""

import re

from autograder.audit import book
from autograder.doors.terminal import main
from course.checks import find


def test_a_chapter_says_what_is_promised_and_what_goes_wrong():
    exercise = find("attention.softmax")
    text = "\n".join(book.chapter(exercise))
    assert "- the weights along the last dimension are right (2 points)" in text
    for mistake in exercise.mistakes:
        assert f"## {mistake.id}\n" in text
    assert "-     return exponentials / total" not in text  # as it is written, not as it lies there
    assert "- return exponentials / total\n+ return exponentials\n" in text
    assert text.count("```diff") == sum(len(mistake.ways) for mistake in exercise.mistakes)


def test_numbers_are_those_of_an_example():
    exercise = find("attention.softmax")
    text = "\n".join(book.section(exercise, exercise.mistake("not_normalised")))
    assert re.search(r"Your weights add up to \d", text)
    assert "{" not in text


def test_it_is_printed_or_written(tmp_path, capsys):
    assert main(["book", "causal_mask"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# attention.causal_mask: what goes wrong\n")
    assert main(["book", "attention.causal_mask", "--output", str(tmp_path / "book.md")]) == 0
    assert (tmp_path / "book.md").read_text(encoding="utf-8") == printed
    assert capsys.readouterr().out == ""


def test_what_cannot_be_done_is_said(tmp_path, capsys):
    assert main(["book", "nothing"]) == 2
    assert "there is no exercise called 'nothing'" in capsys.readouterr().err
    assert main(["book", "causal_mask", "--output", str(tmp_path / "no" / "book.md")]) == 2
    assert "book.md cannot be written" in capsys.readouterr().err
