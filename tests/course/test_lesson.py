"""Reading a lesson: its parts, and a clear sentence, with file and line, for what is wrong."""

import pytest

from course.lesson import LessonError, lessons, read

GOOD = """# 1 · Attention

Prose with {{0.5}}.

```text
not a cell
```

```python
x = 1
```

```python fold
y = 2
```

```exercise attention.softmax
```

```quiz
? What?
+ a | yes
- b | no
- c | never
```

```question why_scale points=2
Because.
```

The end.
"""


@pytest.fixture
def lesson(tmp_path):
    def write(text, name="01_attention.md"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read(path)

    return write


def test_the_parts_in_their_order(lesson):
    found = lesson(GOOD)
    assert (found.number, found.module, found.title) == (1, "attention", "1 · Attention")
    kinds = [part.kind for part in found.parts]
    assert kinds == ["prose", "code", "code", "exercise", "quiz", "question", "prose"]
    assert "not a cell" in found.parts[0].text
    assert [part.fold for part in found.of_kind("code")] == [False, True]
    assert found.of_kind("exercise")[0].name == "attention.softmax"
    assert found.of_kind("question")[0].points == 2
    assert found.parts[-1].text == "The end."


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("attention.softmax", "attention.softmaxx", "line 17: there is no exercise called"),
        ("softmax\n", "softmax\ndef softmax(x): ...\n", "line 17: an exercise's block is empty"),
        ("x = 1", "x = (1", "line 10: this is no Python"),
        ("python fold", "python hide", "line 13: a python block may be `fold` or"),
        ("why_scale points=2", "why scale", "line 27: a question is written"),
        ("Because.", "", "line 27: what does a good answer say"),
        ("+ a | yes", "- a | yes", "line 21: the question 'What?' needs 3 to 6 choices"),
        ("- b | no", "- b", "line 23: every choice is followed by"),
        ("- b | no", "b", "line 23: a line of a quiz begins with"),
        ("# 1 · Attention", "Attention", "line 1: a lesson begins with its title"),
        ("Because.\n```", "Because.", "line 27: the block that begins here is never closed"),
        ("The end.", "```exercise softmax\n```", "attention.softmax comes twice"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(lesson, before, after, complaint):
    with pytest.raises(LessonError) as caught:
        lesson(GOOD.replace(before, after))
    assert str(caught.value).startswith("01_attention.md, line ")
    assert complaint in str(caught.value)


def test_all_lessons_of_the_course_can_be_read():
    found = lessons()
    assert [lesson.number for lesson in found] == list(range(len(found)))
    assert found[0].module == "start"
