"""Files of mistakes are read, and what is wrong in one is told with its line."""

import string
import textwrap

import pytest

from autograder.audit.matrix import audit
from autograder.engine import mistake_files
from autograder.engine.examine import examine
from autograder.engine.exercise import Exercise
from autograder.engine.mistake_files import MistakeFileError, parsed
from autograder.engine.mistakes import edits_of, wrong
from course.checks import all_exercises, find

EXERCISES = all_exercises()
PATH = "course/mistakes/attention/softmax.md"
GOOD = """\
# softmax: what goes wrong

Whatever stands here is for those who read it.

## About stability

### not_stable
    - exponentials = torch.exp(x - highest)
    + exponentials = torch.exp(x)
Small scores come out right,
but large ones give NaN.

**Look:** Which number could you
subtract?

### not_normalised
```diff
- return exponentials / total
+ return exponentials
```
or
```diff
- exponentials = torch.exp(x - highest)
+ exponentials = torch.exp(x)
...
- return exponentials / total
+ return exponentials
```
Your weights add up to {sums}.
**Look:** Shares of a whole.
**Same as:** `not_stable`
"""


def told(text):
    """What is complained about, without the place of the file."""
    with pytest.raises(MistakeFileError) as found:
        parsed(textwrap.dedent(text), PATH)
    message = str(found.value)
    assert message.startswith("mistakes/attention/softmax.md, line ")
    return message.removeprefix("mistakes/attention/softmax.md, ")


def section(**changed):
    """A mistake as text, with parts of it replaced."""
    parts = {
        "heading": "### m\n",
        "diff": "```diff\n- a = 1\n+ a = 2\n```\n",
        "says": "It is so.\n",
        "look": "**Look:** Here.\n",
        "more": "",
    }
    return "".join((parts | changed).values())


def test_a_file_is_read():
    first, second = parsed(GOOD, PATH)
    assert first.id == "not_stable"
    assert first.says == "Small scores come out right, but large ones give NaN."
    assert first.look == "Which number could you subtract?"
    assert first.place == (PATH, 7)
    assert list(first.ways) == ["not_stable"]
    assert list(second.ways) == ["not_normalised", "not_normalised/1"]
    assert second.same_as == "not_stable"


def test_what_is_read_can_be_made():
    exercise = find("attention.softmax")
    for mistake in parsed(GOOD, PATH):
        for diff in mistake.ways.values():
            assert diff.edits(exercise.source)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (section(heading="### Not Good\n"), "line 1: `Not Good` is no name for a mistake"),
        (section(diff=""), "line 1: m has no diff"),
        (section(says=""), "line 1: nothing is said to those who make the mistake m"),
        (section(look=""), "line 1: m does not say where to look: **Look:** is missing"),
        (section(look="**Look:**\n"), "line 1: m does not say where to look"),
        (section(more="**Same as:** m\n"), "line 8: what follows **Same as:** stands between two"),
        (section(more="**Hint:** a\n"), "line 8: **Hint:** is not known here; there are **Look:**"),
        (section(more="**Look:** a\n"), "line 8: there is a second **Look:**"),
        (section(more="**Same as:** `n`\n"), "line 1: there is no mistake called n; there are: m"),
        (section() + section(), "line 8: there is a mistake called m already, in line 1"),
        (section(diff="    a = 1\n"), "line 2: a line of a diff begins with -"),
        (section(diff="    -\ta = 1\n"), "line 2: there is a tab in this line"),
        (section(heading="", diff="    - a = 1\n"), "line 1: this diff belongs to no mistake"),
        (section(says="So.\n    - b\n"), "line 7: diffs come first"),
        (section(says="    - b\n"), "line 6: between two ways of making a mistake"),
        (section(diff="```diff\n```\n"), "line 2: this block is empty"),
        (section(diff="```diff\n- a = 1\n"), "line 2: this block is never closed"),
        (section(diff="```\n- a = 1\n```\n"), "line 2: a block here is called diff or python"),
        (section(diff="```diff\na = 1\n```\n"), "line 3: a line of a diff begins with -"),
        (section(diff="```diff\n-\ta = 1\n```\n"), "line 3: there is a tab in this line"),
        (section(heading="## m\n"), "line 2: this diff belongs to no mistake: the heading of"),
        (section(says="So.\n```diff\n- b\n```\n"), "line 7: diffs come first"),
        (section(says="```diff\n- b\n```\n"), "line 6: between two ways of making a mistake"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(text, sentence):
    assert sentence in told(text)


def test_a_blank_that_is_left_is_told():
    """As drafts of `autograder learn` have them."""
    draft = "### …\n    - a = 1\n    + a = 2\n…\n**Look:** …\n"
    filled = draft.replace("### …", "### a_name").replace("\n…\n", "\nIt is so.\n")
    assert "`…` is no name for a mistake" in told(draft)
    assert "nothing is said to those" in told(draft.replace("### …", "### a_name"))
    assert "**Look:** is missing" in told(filled)
    [mistake] = parsed(filled.replace("**Look:** …", "**Look:** Is it …?"), PATH)
    assert mistake.look == "Is it …?"


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(MistakeFileError, match=r"softmax.md, line 1: it cannot be read"):
        mistake_files.read(tmp_path / "softmax.md")
    (tmp_path / "softmax.md").write_bytes(b"\xff\xfe")
    with pytest.raises(MistakeFileError, match=r"softmax.md, line 1: it is no UTF-8 text"):
        mistake_files.read(tmp_path / "softmax.md")


def with_mistakes(tmp_path, text):
    """The exercise softmax with other mistakes."""
    path = tmp_path / "mistakes" / "attention" / "softmax.md"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    known = find("attention.softmax")
    return Exercise(known.id, known.properties, known.hints, package=known.package, written_in=path)


def test_a_diff_that_does_not_apply_is_told_with_both_places(tmp_path):
    text = GOOD.replace("- exponentials = torch.exp(x - highest)", "- e = torch.exp(x - highest)")
    exercise = with_mistakes(tmp_path, text)
    with pytest.raises(MistakeFileError) as found:
        edits_of(exercise, "not_stable")
    message = str(found.value)
    assert message.startswith("mistakes/attention/softmax.md, line 8: `e = torch.exp(x - highest)`")
    assert "the nearest line there is `exponentials = torch.exp(x - highest)`" in message
    assert "is `e` now called `exponentials`?" in message
    number = int(message.partition("(line ")[2].partition(")")[0])
    with open(exercise.reference.__code__.co_filename, encoding="utf-8") as file:
        assert "exponentials = torch.exp(x - highest)" in file.read().splitlines()[number - 1]


def test_a_course_without_files_of_mistakes_has_none():
    known = find("attention.softmax")
    assert Exercise(known.id, known.properties, known.hints).mistakes == ()


def test_nothing_is_read_before_it_is_needed(monkeypatch):
    def fail(path):
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(mistake_files, "read", fail)
    exercise = EXERCISES["attention.softmax"]
    known = Exercise(exercise.id, exercise.properties, exercise.hints, written_in="x")
    with pytest.raises(AssertionError, match="x was read"):
        known.mistakes  # noqa: B018


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))
def test_every_way_of_every_mistake_applies(exercise):
    for mistake in exercise.mistakes:
        for way in mistake.ways:
            assert edits_of(exercise, way), way


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))
def test_braces_can_be_filled_in(exercise):
    for mistake in exercise.mistakes:
        for _, name, *_ in string.Formatter().parse(mistake.says + mistake.look):
            assert name is None or name.isidentifier(), mistake.place


def test_a_lab_of_a_broken_file_says_what_is_wrong(tmp_path, monkeypatch):
    exercise = with_mistakes(tmp_path, GOOD.replace("- return exponentials / total", "- return 1"))
    monkeypatch.setattr("autograder.engine.mistakes.current", lambda: Found(exercise))
    with pytest.raises(MistakeFileError, match=r"`return 1` does not stand in"):
        wrong("attention.softmax", "not_normalised")


@pytest.mark.parametrize("broken", ["- return 1\n+ return 2", "no diff"])
def test_a_broken_file_ends_no_learners_check(tmp_path, broken):
    """What fits is named all the same."""
    text = GOOD.replace("- return exponentials / total\n+ return exponentials\n```\nor", broken, 1)
    text = text if broken == "no diff" else text.replace(broken, f"{broken}\n```\nor", 1)
    exercise = with_mistakes(tmp_path, text)

    def softmax(x, dim=-1):
        return x.exp() / x.exp().sum(dim, keepdim=True)

    verdict = examine(exercise, softmax, seed=1)
    assert not verdict.passed
    assert verdict.diagnosis == (None if broken == "no diff" else "not_stable")


def test_the_audit_tells_what_does_not_fit(tmp_path):
    text = GOOD.replace("- return exponentials / total", "- return 1").replace("(x)", "(x)", 1)
    row = audit(with_mistakes(tmp_path, text), (1,))
    told = [fault for fault in row.faults if "does not stand" in fault]
    assert len(told) == 2
    assert all("`return 1` does not stand in solutions/attention.py" in each for each in told)
    assert (row.rejected, row.mistakes) == (1, 2)  # the other mistake is tried all the same
    assert row.accepted == row.right > 0


class Found:
    """A course of one exercise."""

    def __init__(self, exercise):
        self.exercise = exercise

    def find(self, name):
        return self.exercise
