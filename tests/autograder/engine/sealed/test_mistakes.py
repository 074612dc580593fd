"""Whoever cannot read the mistakes is told the same of them."""

import dataclasses

import pytest

from autograder.engine import limits
from autograder.engine.broken_course import BrokenCourseError
from autograder.engine.examine import examine
from autograder.engine.mistakes import as_handed_in, ways_of
from autograder.engine.sealed.mistakes import read, written
from autograder.engine.sealed.sealing import seal
from course.checks import find

STAND_BYS = "course.stand_bys"
SOME = ["softmax", "causal_mask", "split_heads", "LayerNorm", "greedy_decode", "patchify"]


@pytest.fixture(autouse=True)
def _without_lines(monkeypatch):
    """What undoes a mistake is not known there: the lines are another matter."""
    monkeypatch.setattr(limits, "MENDING", 0.0)
    monkeypatch.setattr(limits, "PATIENCE", 60.0)


def sealed(exercise, folder):
    """The exercise as learners get it who are not to have the model answer."""
    path = folder / f"{exercise.name}.sealed"
    path.write_bytes(written(seal(exercise, STAND_BYS)))
    return dataclasses.replace(exercise, package=STAND_BYS, written_in=str(path))


@pytest.mark.parametrize("name", SOME)
def test_every_mistake_is_told_in_the_same_words(name, tmp_path):
    exercise = find(name)
    theirs = sealed(exercise, tmp_path)
    assert list(ways_of(theirs)) == list(ways_of(exercise))
    for way in ways_of(exercise):
        answer = as_handed_in(exercise, way)
        one, other = examine(exercise, answer, seed=7), examine(theirs, answer, seed=7)
        assert other.text() == one.text(), way
        assert (other.diagnosis, other.also) == (one.diagnosis, one.also)


def test_a_right_answer_passes_and_a_stub_is_one(tmp_path):
    theirs = sealed(find("softmax"), tmp_path)
    assert examine(theirs, find("softmax").reference).passed

    def softmax(x, dim=-1):
        raise NotImplementedError

    assert "Nothing is written here yet" in examine(theirs, softmax).text()


def test_nothing_of_the_model_answer_is_in_it(tmp_path):
    exercise = find("LayerNorm")
    theirs = sealed(exercise, tmp_path)
    text = repr(read(tmp_path / "LayerNorm.sealed"))
    lines = {line.strip() for line in exercise.source.splitlines() if len(line.strip()) > 16}
    assert lines
    assert not [line for line in lines if line in text]
    assert all(mistake.diffs == () for mistake in theirs.mistakes)


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"x\x9c"])
def test_a_file_that_is_cut_is_told_with_what_to_do(tmp_path, content):
    path = tmp_path / "softmax.sealed"
    path.write_bytes(content)
    with pytest.raises(BrokenCourseError, match="fetch this edition of the course anew"):
        read(path)
