"""Sealed hints: checks whose hints are sealed give the same hints, and no file shows one."""

import importlib
import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

import course.checks
from autograder.engine.exercise import Exercise
from course import places
from course.checks import all_exercises
from course.sealed_hints import FILE, open_hints, seal_hints, without_hints
from course.seals import QUICK, BrokenSealError, unseal

CHECKS = Path(course.checks.__file__).parent
SIX = 6  # words in a row that nobody should find
HINTS = ("Look at both.", "Add them: √2.", "Write a sum.")
SOURCE = '''"""How addition is checked: √."""

from autograder.engine.exercise import Exercise
from x import (
    y,
)

opens = "é"; addition = Exercise(id="sums.addition", properties=(), hints=("Look", "at"), refuses=y)


def f():
    import z  # hints=("a",)
    return Exercise(
        id="sums.other",  # another
        hints=(
            "Look at both (√) "
            "again.",
            "Add them.",
        ),\t
        instead="a ü",
    )
'''
SEALED = {"sums.addition": [], "sums.other": []}


def runs(text):
    """All six words in a row, wherever a line or a string ends, and how often they stand there."""
    words = re.findall(r"\w+", text)
    return Counter(tuple(words[n : n + SIX]) for n in range(max(1, len(words) - SIX + 1)))


def runs_of(folder):
    return sum((runs(path.read_text("utf-8")) for path in folder.rglob("*.py")), Counter())


@pytest.fixture(scope="module")
def edition(tmp_path_factory):
    """A folder with the checks without hints, as the package hintless, and with the sealed ones."""
    folder = tmp_path_factory.mktemp("edition")
    sealed = {each.id: seal_hints(each.id, each.hints) for each in all_exercises().values()}
    (folder / FILE).write_text(json.dumps(sealed), encoding="utf-8")
    for path in CHECKS.rglob("*.py"):
        made = folder / "hintless" / path.relative_to(CHECKS)
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(without_hints(path.read_text("utf-8"), sealed), encoding="utf-8")
    return folder


@pytest.fixture
def hintless(edition, monkeypatch):
    """{id: Exercise} of these checks."""
    monkeypatch.setattr(places, "SEALED", edition)
    monkeypatch.syspath_prepend(edition)
    found = {}
    for path in (edition / "hintless").glob("*/[!_]*.py"):
        module = importlib.import_module(f"hintless.{path.parent.name}.{path.stem}")
        found |= {each.id: each for each in vars(module).values() if isinstance(each, Exercise)}
    yield found
    for name in [name for name in sys.modules if name.partition(".")[0] == "hintless"]:
        del sys.modules[name]


def test_each_hint_opens_with_the_one_before_it():
    sealed = seal_hints("sums.addition", HINTS)
    assert open_hints("sums.addition", sealed) == HINTS
    for each, secret in zip(sealed, ("sums.addition", *HINTS)):
        assert unseal(each, secret, QUICK) in HINTS
    with pytest.raises(BrokenSealError):
        unseal(sealed[2], "sums.addition", QUICK)


def test_hints_of_another_exercise_do_not_open():
    with pytest.raises(BrokenSealError):
        open_hints("sums.other", seal_hints("sums.addition", HINTS))


def test_only_the_hints_of_a_source_change():
    first, last = SOURCE.index("hints=(\n"), SOURCE.index("\t\n")
    imports = "from x import (\n    y,\n)\n"
    expected = SOURCE.replace(SOURCE[first : last - 1], 'hints=opened("sums.other")')
    expected = expected.replace('hints=("Look", "at")', 'hints=opened("sums.addition")')
    expected = expected.replace(imports, f"{imports}from course.sealed_hints import opened\n")
    assert without_hints(SOURCE, SEALED) == expected


def test_a_source_without_exercises_stays_as_it_is():
    assert without_hints("import x\n\n\n\ny = 1", {}) == "import x\n\n\n\ny = 1"


def test_hints_that_were_not_sealed_are_not_thrown_away():
    with pytest.raises(KeyError, match=r"no sealed hints of sums\.other"):
        without_hints(SOURCE, {"sums.addition": []})


def test_every_exercise_has_the_same_hints_afterwards(hintless):
    assert {each.id: each.hints for each in hintless.values()} == {
        each.id: each.hints for each in all_exercises().values()
    }
    assert len(hintless) == len(all_exercises())


def test_no_six_words_of_a_hint_are_left(edition):
    """But for those that a message to learners has, too: they stand there as often as before."""
    hints = sum((runs(hint) for each in all_exercises().values() for hint in each.hints), Counter())
    before, left = runs_of(CHECKS), runs_of(edition / "hintless")
    assert {run: left[run] for run in hints} == {run: before[run] - hints[run] for run in hints}
    assert sum(left[run] > 0 for run in hints) < 20
    assert not hints.keys() & runs((edition / FILE).read_text("utf-8")).keys()
