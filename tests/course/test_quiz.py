"""Quizzes: every choice is answered with why, and shuffled the same way for the same seed."""

import pytest

from course.quiz import as_markdown, check_quiz, read_quiz, replies_to

TEXT = """? One?
+ right | because
- wrong | since
- worse | as

? Two?
- no | first
- nope | second
+ yes | third
- never | fourth
"""
QUIZ = read_quiz(TEXT)


def letter(question, text, seed):
    return "ABCDEF"[[choice.text for choice in question.shuffled(seed)].index(text)]


@pytest.mark.parametrize("seed", range(5))
def test_right_and_wrong_choices_are_answered_with_why(seed):
    answers = {1: letter(QUIZ[0], "right", seed), 2: letter(QUIZ[1], "nope", seed).lower()}
    first, second = replies_to(QUIZ, answers, seed)
    assert (first.right, first.sentence) == (True, "because")
    assert (second.right, second.sentence) == (False, "second")


def test_the_order_depends_on_the_seed_alone():
    orders = {tuple(choice.text for choice in QUIZ[1].shuffled(seed)) for seed in range(20)}
    assert len(orders) > 5
    assert QUIZ[1].shuffled(3) == QUIZ[1].shuffled(3)
    shown = as_markdown(QUIZ, 3)
    for question in QUIZ:
        for choice in question.choices:
            assert f"**{letter(question, choice.text, 3)}** · {choice.text}" in shown
    assert "because" not in shown


@pytest.mark.parametrize("answers", [{}, {1: ""}, {1: None}, "AB", None, {1: "Z"}, {1: 3}])
def test_strange_answers_get_a_sentence_and_no_point(answers):
    replies = replies_to(QUIZ, answers, 1)
    assert not any(reply.right for reply in replies)
    assert all(reply.sentence for reply in replies)


def test_a_lessons_quiz_is_checked_by_its_name(capsys):
    assert check_quiz("00_start", {}, seed=1) == 0
    assert "0 of 2 points" in capsys.readouterr().out
