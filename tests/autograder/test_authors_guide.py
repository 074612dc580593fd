"""What the author's guide shows is what works: its pieces make an exercise."""

import re
from pathlib import Path

import pytest

from autograder.audit import bank
from autograder.engine import promises
from autograder.engine.diffs import DiffError
from autograder.engine.examine import examine
from autograder.engine.exercise import Exercise, Property
from autograder.engine.mistake_files import parsed
from autograder.engine.mistakes import build
from autograder.engine.trial import call
from course import COURSE
from course.checks.attention import masks

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "authors_guide.md").read_text()
BLOCKS = re.findall(r"(?<!`)```python\n(.*?)```", GUIDE, re.DOTALL)
CHAPTER, DIFF = re.findall(r"````markdown\n(.*?)````", GUIDE, re.DOTALL)


def block(beginning):
    [found] = [text for text in BLOCKS if text.startswith(beginning)]
    return found


@pytest.fixture
def exercise(tmp_path):
    """The guide's exercise, put together from its pieces."""
    names = vars(masks) | {"Property": Property, "promises": promises, "call": call}
    exec(block("def causal_mask_of_some"), names)
    exec(block("properties = ("), names)
    (tmp_path / "causal_mask.md").write_text(CHAPTER)
    return Exercise(
        "attention.causal_mask",
        names["properties"],
        ("a", "b", "c"),
        package=COURSE.reference,
        written_in=str(tmp_path / "causal_mask.md"),
    )


def test_the_exercise_works(exercise):
    assert examine(exercise, exercise.reference, seed=1).passed
    verdict = examine(exercise, build(exercise, ("not_itself",)), seed=1)
    assert verdict.diagnosis == "not_itself"
    assert not verdict.passed


def test_its_diff_applies():
    text = f"### a\n{DIFF}It is so.\n**Look:** Here.\n"
    [mistake] = parsed(text, "mistakes/attention/scaled_dot_product_attention.md")
    exercise = COURSE.find("scaled_dot_product_attention")
    assert len(mistake.diffs[0].edits(exercise.source)) >= 2


def test_its_complaint_is_one():
    text = CHAPTER.replace("- return key", "- return keys")
    [mistake] = parsed(text, "causal_mask.md")
    with pytest.raises(DiffError, match=r"the nearest line there is .* is `keys` now called `key`"):
        mistake.diffs[0].edits(COURSE.find("causal_mask").source)


def test_its_wrong_answer_is_one(exercise, tmp_path, monkeypatch):
    (tmp_path / "wrong").mkdir()
    text = "import torch\n\n" + block("# %% causal_mask")
    (tmp_path / "wrong" / "attention.py").write_text(text)
    monkeypatch.setattr(bank, "folder", lambda: tmp_path)
    [entry] = bank.read("wrong", "attention")
    assert entry.title == "a position does not see itself"
    verdict = examine(exercise, entry.build(), seed=1)
    assert entry.may_be_told(verdict.diagnosis)


def test_its_lab_works():
    names = {}
    exec(block("from autograder import wrong"), names)
    assert callable(names["scaled_dot_product_attention"])


def test_its_reference_is_right():
    names = {}
    exec("import torch\n" + block("def causal_mask(length)"), names)
    from course.checks import find

    assert examine(find("causal_mask"), names["causal_mask"], seed=1).passed
