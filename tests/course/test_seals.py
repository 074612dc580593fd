"""Seals: a text opens with its secret, and with nothing else."""

import base64
import json

import pytest

from course import places
from course.seals import QUICK, SLOW, BrokenSealError, held, seal, unseal

TEXT = "Ana has a red ball: √d_k"


@pytest.mark.parametrize("text", ["", "a", TEXT, TEXT * 100])
def test_a_seal_opens_with_its_secret(text):
    assert unseal(seal(text, "open sesame", QUICK), "open sesame", QUICK) == text


@pytest.mark.parametrize(
    ("secret", "effort"), [("open sesam", QUICK), ("", QUICK), ("open sesame", 2 * QUICK)]
)
def test_it_does_not_open_with_another(secret, effort):
    with pytest.raises(BrokenSealError):
        unseal(seal(TEXT, "open sesame", QUICK), secret, effort)


def test_no_byte_of_it_can_be_changed():
    whole = base64.b64decode(seal("Ana", "open sesame", QUICK))
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        with pytest.raises(BrokenSealError):
            unseal(base64.b64encode(changed).decode(), "open sesame", QUICK)


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64!", "A" * 64, "é", TEXT])
def test_what_is_no_seal_does_not_open(sealed):
    with pytest.raises(BrokenSealError):
        unseal(sealed, "open sesame", QUICK)


def test_the_same_text_looks_different_each_time():
    seals = {seal(TEXT, "open sesame", QUICK) for _ in range(5)}
    assert len(seals) == 5
    assert not any(b"Ana" in base64.b64decode(each) for each in seals)


def test_texts_of_one_length_are_of_one_length_sealed():
    assert len(seal("a" * 40, "x", QUICK)) == len(seal("b" * 40, "another", QUICK))


def test_a_slow_key_needs_the_memory_that_makes_guessing_dear():
    assert 128 * 8 * SLOW == 16 * 2**20


def test_the_full_course_holds_no_seals():
    assert not places.SEALED.exists()
    assert held("quizzes.json") == held("hints.json") == {}


def test_an_edition_holds_what_its_file_says(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "SEALED", tmp_path)
    (tmp_path / "hints.json").write_text(json.dumps({"a.b": ["√"]}), encoding="utf-8")
    assert held("hints.json") == {"a.b": ["√"]}
    assert held("quizzes.json") == {}
