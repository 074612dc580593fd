"""What passes is kept in exercises/; nothing that was written there by hand is lost."""

import json

import pytest

from autograder.doors.workers import check_file
from autograder.engine import pieces
from autograder.engine.course import Session
from autograder.engine.examine import examine
from course import COURSE, mine, work
from course.checks import find
from course.work import after_check, keep, records

CAUSAL = find("causal_mask")
RIGHT = """import torch

def below(length):
    return torch.arange(length)

def causal_mask(length):
    return below(length) <= below(length)[:, None]
"""
WRONG = "import torch\n\ndef causal_mask(length):\n    return torch.ones(length, length) > 0\n"


def checked(subject):
    verdict = examine(CAUSAL, subject, seed=1)
    pieces.checked(CAUSAL.name, subject, verdict.passed)
    return verdict, after_check(CAUSAL, subject, verdict)


def test_what_passes_is_kept_with_its_whole_cell(learner, cell):
    before = (learner / "attention.py").read_text()
    verdict, said = checked(cell(RIGHT, "causal_mask"))
    assert said == "Kept in exercises/attention.py: later lessons build on it."
    after = (learner / "attention.py").read_text()
    assert RIGHT.strip() in after
    assert before.partition("def causal_mask")[0] in after
    assert "def padding_mask" in after
    [report] = check_file(str(learner / "attention.py"), ["attention.causal_mask"])
    assert report.passed, report.text
    known = records(learner)["attention.causal_mask"]
    assert (known["tries"], known["best"]) == (1, verdict.max_score)


def test_a_better_version_from_the_notebook_takes_the_place_of_an_earlier_one(learner, cell):
    checked(cell(RIGHT, "causal_mask"))
    other = RIGHT.replace("below(length)[:, None]", "torch.arange(length).unsqueeze(1)")
    assert checked(cell(other, "causal_mask"))[1].startswith("Kept in")
    text = (learner / "attention.py").read_text()
    assert "unsqueeze(1)" in text
    assert text.count("def causal_mask") == text.count("def below") == 1
    assert checked(cell(other, "causal_mask"))[1] == ""  # it is there already


def test_work_of_ones_own_stays(learner, cell):
    path = learner / "attention.py"
    by_hand = path.read_text() + "\n\ndef causal_mask(length):  # mine\n    return 1\n"
    by_hand = by_hand.replace("def causal_mask(length):\n", "def gone(length):\n", 1)
    path.write_text(by_hand)
    subject = cell(RIGHT, "causal_mask")
    assert "holds another causal_mask, written there by hand" in checked(subject)[1]
    assert path.read_text() == by_hand
    assert keep(CAUSAL, subject, replace=True).startswith("Kept in")
    assert "# mine" not in path.read_text()


def test_what_is_wrong_is_noted_and_not_kept(learner, cell):
    before = (learner / "attention.py").read_text()
    _, said = checked(cell(WRONG, "causal_mask"))
    assert said == ""
    assert (learner / "attention.py").read_text() == before
    assert records(learner)["attention.causal_mask"]["tries"] == 1


def test_a_version_that_leans_on_another_cell_is_not_kept(learner, cell):
    leaning = "def causal_mask(length):\n    return below(length) <= below(length)[:, None]\n"
    subject = cell(leaning, "causal_mask")
    subject.__globals__["below"] = cell(RIGHT, "below")
    verdict, said = checked(subject)
    assert verdict.passed
    assert "Does it use a name from another cell?" in said
    assert "below" not in (learner / "attention.py").read_text()


@pytest.mark.parametrize("damage", ["def (", "import nonsense_that_is_not_there\n"])
def test_a_damaged_file_is_left_alone(learner, cell, damage):
    path = learner / "attention.py"
    path.write_text(damage)
    _, said = checked(cell(RIGHT, "causal_mask"))
    assert "exercises/attention.py" in said
    assert path.read_text() == damage
    assert mine.best_version(CAUSAL)[1] == "yours"  # of this session


def test_a_damaged_record_is_begun_anew(learner, cell):
    (learner / work.RECORD).write_text("{not json")
    checked(cell(WRONG, "causal_mask"))
    assert json.loads((learner / work.RECORD).read_text())["attention.causal_mask"]["tries"] == 1


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch, cell):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(vars(COURSE), "session", Session())
    assert work.folder() is None
    assert checked(cell(RIGHT, "causal_mask"))[1] == ""
    assert list(tmp_path.iterdir()) == []


def test_a_longer_version_written_by_hand_is_not_taken_for_the_same(learner, cell):
    path = learner / "attention.py"
    text = path.read_text() + "\n\n" + RIGHT.strip() + " & True\n"
    path.write_text(text)
    assert "holds another causal_mask" in checked(cell(RIGHT, "causal_mask"))[1]
    assert path.read_text() == text


def test_a_version_under_another_name_is_not_kept(learner, cell):
    before = (learner / "attention.py").read_text()
    said = checked(cell(RIGHT.replace("causal_mask", "mine"), "mine"))[1]
    assert "the cell calls it something else" in said
    assert (learner / "attention.py").read_text() == before


def test_a_kept_version_that_was_changed_by_hand_since_stays(learner, cell):
    path = learner / "attention.py"
    checked(cell(RIGHT, "causal_mask"))
    by_hand = path.read_text().replace(RIGHT.strip(), RIGHT.strip() + " & True")
    path.write_text(by_hand)
    other = RIGHT.replace("below(length)[:, None]", "torch.arange(length).unsqueeze(1)")
    assert "holds another causal_mask" in checked(cell(other, "causal_mask"))[1]
    assert path.read_text() == by_hand


def test_what_nothing_is_built_on_is_not_said_to_be_built_on(learner, cell):
    alibi = find("alibi_bias")
    subject = cell(f"import torch\n\n{alibi.source}", "alibi_bias")
    assert (
        keep(alibi, subject)
        == "Kept in exercises/variants.py: the rest of this lesson builds on it."
    )
