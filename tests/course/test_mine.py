"""`from course.mine import …`: the learner's version where it is right, a stand-by elsewhere."""

import pytest

from autograder.engine.course import Session
from course import COURSE, mine, work
from course.checks import find
from tests.course.test_work import CAUSAL, RIGHT, WRONG, checked


def test_a_stand_by_serves_until_something_is_written(learner):
    from course.mine import causal_mask

    assert causal_mask is COURSE.stand_by("causal_mask")
    assert mine.best_version(CAUSAL)[1] == "a stand-by (yours is not written yet)"


def test_what_was_kept_is_found_in_another_session(learner, cell, monkeypatch):
    checked(cell(RIGHT, "causal_mask"))
    monkeypatch.setitem(vars(COURSE), "session", Session())  # another session
    version, whose = mine.best_version(CAUSAL)
    assert whose == "yours, from exercises/attention.py"
    assert version.__module__ == "exercises.attention"


def test_a_version_from_an_editor_is_found_and_a_wrong_one_is_not_used(learner):
    path = learner / "attention.py"
    stubs = path.read_text()
    path.write_text(stubs + "\n\n" + RIGHT)
    assert mine.best_version(CAUSAL)[1] == "yours, from exercises/attention.py"
    path.write_text(stubs + "\n\n" + WRONG + "\n# longer, and later\n")
    assert mine.best_version(CAUSAL) == (
        COURSE.stand_by("causal_mask"),
        "a stand-by (yours does not pass its check yet)",
    )


@pytest.mark.parametrize("text", ["def (", "raise ValueError('no')", "import sys; sys.exit()"])
def test_a_file_that_cannot_be_run_is_told(learner, text):
    (learner / "attention.py").write_text(text)
    version, whose = mine.best_version(CAUSAL)
    assert version is COURSE.stand_by("causal_mask")
    assert whose.startswith("a stand-by (exercises/attention.py cannot be run: ")


def test_later_pieces_are_built_on_the_learners_own(learner, cell):
    checked(cell(RIGHT, "causal_mask"))
    source = (learner / "transformer.py").read_text()
    names = work.names_of(source, learner / "transformer.py")
    assert "ipykernel" in names["causal_mask"].__code__.co_filename
    assert names["padding_mask"] is COURSE.stand_by("padding_mask")


def test_there_is_nothing_else_in_it():
    with pytest.raises(ImportError):
        from course.mine import nonsense  # noqa: F401
    assert find("softmax")
