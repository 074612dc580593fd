"""The task: pieces that can be joined again, numbers that are really held out, kind refusals."""

import pytest
import torch

from translation.number_words import (
    END,
    LANGUAGES,
    NEVER_HELD_OUT,
    PAD,
    NumberTranslation,
    in_words,
    padded,
    pieces,
    trimmed,
)


@pytest.fixture(scope="module")
def task():
    return NumberTranslation(limit=1200)


def test_num2words_says_what_is_right():
    assert in_words(97, "fr") == "quatre-vingt-dix-sept"
    assert in_words(42, "de") == "zweiundvierzig"


def test_pieces_of_the_three_languages():
    assert pieces("vingt et un", "fr") == ["vingt", " et", " un"]
    assert pieces("siebenhundertachtzehn", "de") == ["sieben", "hundert", "achtzehn"]
    assert pieces("forty-two", "en") == ["forty", "-two"]


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_pieces_joined_are_the_text_again(language):
    for number in (*range(1200), *range(1200, 10_000, 7)):
        text = in_words(number, language)
        assert "".join(pieces(text, language)) == text


def test_held_out_numbers_are_never_trained_on(task):
    train, held_out = set(task.train_numbers), set(task.held_out_numbers)
    assert not train & held_out
    assert train | held_out == set(range(1200))
    assert len(held_out) == pytest.approx(120, abs=5)
    assert not held_out & NEVER_HELD_OUT


def test_all_that_held_out_numbers_are_made_of_is_in_the_others(task):
    for language in ("en", *LANGUAGES):
        trained = {p for n in task.train_numbers for p in pieces(in_words(n, language), language)}
        for number in task.held_out_numbers:
            assert set(pieces(in_words(number, language), language)) <= trained


def test_another_seed_holds_out_others(task):
    assert NumberTranslation(limit=1200, seed=1).held_out_numbers != task.held_out_numbers
    assert NumberTranslation(limit=1200, seed=0).held_out_numbers == task.held_out_numbers


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_written_can_be_read_again(task, language):
    for number in range(1200):
        tokens = task.write(number, language)
        assert tokens[-1] == END
        assert task.text([*tokens, PAD, PAD]) == in_words(number, language)


@pytest.mark.parametrize(("limit", "held_out"), [(21, 0.1), (1000, 0.0)])
def test_a_task_that_holds_out_nothing_is_refused(limit, held_out):
    with pytest.raises(ValueError, match=f"limit={limit}"):
        NumberTranslation(limit=limit, held_out=held_out)


def test_the_language_comes_first(task):
    french, german = task.read("forty-two", "fr"), task.read("forty-two", "de")
    assert french[1:] == german[1:]
    assert task.source_words[french[0]] == "<fr>"


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("forty-two", "es", "'es'"),
        ("forty-tooo", "fr", "'tooo'"),
        ("", "fr", "no number"),
        ("forty-two!", "de", "no number"),
    ],
)
def test_what_cannot_be_read_is_answered_with_a_sentence(task, text, language, words):
    with pytest.raises(ValueError, match=words):
        task.read(text, language)


def test_padding():
    tokens = padded([[3, 4, 5], [6]])
    assert tokens.tolist() == [[3, 4, 5], [6, PAD, PAD]]
    assert trimmed(torch.tensor([[3, 4, 0, 0], [5, 0, 0, 0]])).tolist() == [[3, 4], [5, 0]]
