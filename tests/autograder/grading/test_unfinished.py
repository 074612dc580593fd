"""What the run after one that was stopped is to do."""

from types import SimpleNamespace

import pytest

from autograder.grading.runs import unfinished
from autograder.grading.runs.unfinished import Begun, asked, can_resume

EVERYBODY, ADA = Begun(("*",), True), Begun(("ada",), True)


def options(student="*", regrade=False, resume=False):
    return SimpleNamespace(student=student, regrade=regrade, resume=resume)


def test_a_note_is_kept_until_it_is_forgotten(tmp_path):
    assert unfinished.read(tmp_path, "a") is None
    unfinished.note(tmp_path, "a", EVERYBODY)
    assert unfinished.read(tmp_path, "a") == EVERYBODY
    assert unfinished.read(tmp_path, "b") is None
    unfinished.put_back(tmp_path, "a", ADA)
    assert unfinished.read(tmp_path, "a") == ADA
    unfinished.put_back(tmp_path, "a", None)
    assert unfinished.read(tmp_path, "a") is None
    unfinished.forget(tmp_path, "a")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"students": 3}'])
def test_a_damaged_note_is_none(tmp_path, text):
    unfinished.path_of(tmp_path, "a").write_text(text)
    assert unfinished.read(tmp_path, "a") is None


def test_a_run_after_a_finished_one_begins_anew():
    begun, forced = asked(None, options("ada", regrade=True))
    assert (begun.students, begun.regrade, forced) == (("ada",), True, False)
    assert asked(Begun(("*",), False), options())[0].regrade is False


@pytest.mark.parametrize("regrade", [False, True])
def test_the_same_command_goes_on_with_a_regrade(regrade):
    assert asked(EVERYBODY, options(regrade=regrade)) == (EVERYBODY, False)


def test_a_regrade_of_one_does_not_wait_for_that_of_everybody():
    assert asked(EVERYBODY, options("ada", regrade=True)) == (EVERYBODY, True)


def test_a_regrade_of_more_takes_over_the_one_before():
    begun, forced = asked(ADA, options(regrade=True))
    assert (begun.run, begun.covers("bea"), forced) == (ADA.run, True, False)
    begun, _ = asked(ADA, options("bea", regrade=True))
    assert (begun.covers("ada"), begun.covers("bea"), begun.covers("cyd")) == (True, True, False)


def test_who_is_owed_a_regrade():
    assert EVERYBODY.owes("ada", {})
    assert EVERYBODY.owes("ada", {"run": "another"})
    assert not EVERYBODY.owes("ada", {"run": EVERYBODY.run})
    assert not ADA.owes("bea", {})
    assert not Begun(("*",), False).owes("ada", {})


def test_what_can_be_resumed():
    plain = Begun(("*",), False)
    assert not can_resume(None, options(resume=True))
    assert can_resume(plain, options(resume=True))
    assert not can_resume(plain, options(regrade=True, resume=True))
    assert can_resume(EVERYBODY, options(regrade=True, resume=True))
    assert asked(plain, options(resume=True)) == (plain, False)
