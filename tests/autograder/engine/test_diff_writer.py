"""A change of the model answer becomes the shortest diff that says it, as an author writes it."""

import ast
from types import SimpleNamespace

import pytest

from autograder.engine.diff_writer import diff_of, makes

SOURCE = """\
def both(x, y):
    \"\"\"Say what it is.\"\"\"
    if x:  # and why
        y = y + 1
        x = 0
    else:
        y = y + 1
        x = 2
    return (x,
            y)
"""
EXERCISE = SimpleNamespace(source=SOURCE)
BEFORE = ast.unparse(ast.parse(SOURCE))


def diff(old, new, count=1):
    assert old in BEFORE
    after = ast.unparse(ast.parse(BEFORE.replace(old, new, count)))
    lines = diff_of(EXERCISE, BEFORE, after)
    assert makes(EXERCISE, lines, after)
    return lines


def test_a_line_that_changes_stands_alone():
    assert diff("x = 2", "x = 3") == ["- x = 2", "+ x = 3"]
    assert diff("return (x, y)", "return x") == ["- return (x, y)", "+ return x"]
    assert diff("def both(x, y)", "def both(x, y=1)") == [
        "- def both(x, y):",
        "+ def both(x, y=1):",
    ]


def test_a_line_that_stands_there_twice_is_told_by_its_neighbour():
    lines = diff("y = y + 1", "y = y - 1")
    assert lines[1:3] == ["-     y = y + 1", "+     y = y - 1"]
    assert "  if x:" in lines


@pytest.mark.parametrize(
    ("old", "new"), [("    x = 2\n", ""), ("    x = 2\n", "    x = 2\n        y = 5\n")]
)
def test_a_line_that_goes_or_comes_has_its_place(old, new):
    assert diff(old, new)


def test_changes_far_from_each_other_have_a_gap_between_them():
    after = BEFORE.replace("if x", "if not x").replace("x = 2", "x = 3")
    lines = diff_of(EXERCISE, BEFORE, after)
    assert makes(EXERCISE, lines, after)
    assert "..." in lines


def test_no_change_has_no_diff():
    assert diff_of(EXERCISE, BEFORE, BEFORE) == []
