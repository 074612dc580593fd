"""A sealed quiz says the very same as the readable one, and shows nothing before it is asked."""

import base64
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from autograder.engine.course import Wanted
from course import places, quiz
from course.lesson import lessons
from course.quiz import QUIZ, as_text, check_quiz, read_quiz, replies_to, replies_to_quiz
from course.sealed_quiz import FILE, seal_quiz
from course.seals import SLOW, BrokenSealError, unseal

STEM, SEED = "01_attention", 3
QUESTIONS = read_quiz("""? Where is the red ball?
+ in the box | right, because Ana has put it there
- on the table, where it has been all morning | the table is empty
- gone | nobody has taken it: √2

? Who says so?
- Ana | she says nothing at all
- Ben | he asks
+ the clock | yes
- the market, on Mondays and on Fridays | there is none
""")
WHY = [choice.why for question in QUESTIONS for choice in question.choices]
GIVEN = [{1: "A", 2: "a"}, {1: " b", 2: "B"}, {1: "C", 2: "C"}, {2: "D"}]
NONE = [{}, {1: ""}, {1: None}, "AB", None, {1: "Z"}, {1: 3}, {1: "AB"}, {1: "D", 2: "E"}]


@pytest.fixture(scope="module")
def sealed():
    return json.loads(json.dumps(seal_quiz(QUESTIONS, SEED, STEM)))


@pytest.fixture
def edition(sealed, tmp_path, monkeypatch):
    """A course in which nobody can read a key."""
    monkeypatch.setattr(places, "SEALED", tmp_path)
    monkeypatch.setattr(quiz, "quiz_of", lambda stem: pytest.fail("it reads the key"))
    (tmp_path / FILE).write_text(json.dumps({STEM: sealed}), encoding="utf-8")


@pytest.fixture
def keys_made(monkeypatch):
    """What slow keys are made of, one after the other."""
    made, scrypt = [], hashlib.scrypt
    monkeypatch.setattr(
        hashlib, "scrypt", lambda secret, **given: made.append(secret) or scrypt(secret, **given)
    )
    return made


def all_questions():
    parts = [part for lesson in lessons() for part in lesson.of_kind("quiz")]
    return [question for part in parts for question in part.quiz]


@pytest.mark.parametrize("answers", GIVEN)
def test_every_letter_gets_the_very_same_reply(edition, answers):
    assert replies_to_quiz(STEM, answers, SEED) == replies_to(QUESTIONS, answers, SEED)


@pytest.mark.parametrize("answers", NONE)
def test_so_does_what_is_no_answer_and_no_key_is_made_for_it(edition, keys_made, answers):
    assert replies_to_quiz(STEM, answers, SEED) == replies_to(QUESTIONS, answers, SEED)
    assert keys_made == []


def test_only_the_replies_to_the_given_letters_are_opened(edition, keys_made):
    replies_to_quiz(STEM, {2: "B"}, SEED)
    assert [json.loads(secret)[3] for secret in keys_made] == ["B"]


def test_points_and_card_are_the_same_too(edition, capsys):
    right = [[c.right for c in question.shuffled(SEED)].index(True) for question in QUESTIONS]
    answers = {number: "ABCD"[place] for number, place in enumerate(right, start=1)}
    assert check_quiz(STEM, answers, seed=SEED) == 2
    assert capsys.readouterr().out.strip() == as_text(replies_to(QUESTIONS, answers, SEED))


@pytest.mark.parametrize("seed", [1, None, "x"])
def test_another_seed_gets_a_sentence_and_no_point(edition, keys_made, seed):
    first, second = replies_to_quiz(STEM, {1: "A"}, seed)
    assert first.sentence == "your copy of the course knows this quiz with seed=3 only."
    assert second.sentence == "not answered yet."
    assert not first.right
    assert keys_made == []


def test_a_lesson_that_is_not_sealed_is_read_as_before(edition, monkeypatch):
    monkeypatch.setattr(quiz, "quiz_of", {"00_start": QUESTIONS}.get)
    answers = {1: "A", 2: "B"}
    assert replies_to_quiz("00_start", answers, 1) == replies_to(QUESTIONS, answers, 1)


def test_nothing_readable_holds_the_key(sealed):
    text = json.dumps(sealed, ensure_ascii=False).encode()
    replies = [each for question in sealed["questions"] for each in question["replies"].values()]
    for place in (text, *map(base64.b64decode, replies)):
        assert not any(word.encode() in place for why in WHY for word in why.split() if word[4:])
        assert b"true" not in place
        assert b"right" not in place


def test_the_replies_to_a_question_are_equally_long(sealed):
    for question in sealed["questions"]:
        assert len({len(each) for each in question["replies"].values()}) == 1


def test_a_reply_opens_with_its_own_letter_question_and_lesson_only(sealed):
    reply = sealed["questions"][0]["replies"]["A"]
    secret = [STEM, 1, QUESTIONS[0].text, "A"]
    assert unseal(reply, json.dumps(secret), SLOW)
    for place, other in enumerate(["02_multi_head", 2, QUESTIONS[1].text, "B"]):
        wrong = [*secret[:place], other, *secret[place + 1 :]]
        with pytest.raises(BrokenSealError):
            unseal(reply, json.dumps(wrong), SLOW)


def test_exchanged_replies_are_told_as_damage(sealed, tmp_path, monkeypatch):
    changed = json.loads(json.dumps(sealed))
    replies = changed["questions"][0]["replies"]
    replies["A"], replies["B"] = replies["B"], replies["A"]
    monkeypatch.setattr(places, "SEALED", tmp_path)
    (tmp_path / FILE).write_text(json.dumps({STEM: changed}), encoding="utf-8")
    [first, _] = replies_to_quiz(STEM, {1: "A"}, SEED)
    assert (first.right, first.sentence) == (
        False,
        "the reply to this is damaged: get a fresh copy of the course.",
    )


def test_the_order_in_which_the_choices_were_written_is_no_key():
    asked = all_questions()
    places_of_right = Counter([c.right for c in question.choices].index(True) for question in asked)
    assert max(places_of_right.values()) < len(asked) / 2


def test_no_example_in_the_code_is_a_question_of_a_lesson():
    code = "".join(path.read_text("utf-8") for path in Path(quiz.__file__).parent.glob("*.py"))
    assert not [question.text for question in all_questions() if question.text in code]


def test_a_class_is_graded_by_the_readable_key(keys_made):
    earned = QUIZ.judged(Wanted("value", "answers", ("00_start", 1)), {1: "A", 2: "A"}, None)
    assert "not answered" not in earned.text
    assert keys_made == []
