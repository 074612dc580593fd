"""Which names a cell needs from other cells, against running it with nothing else there."""

import builtins

import pytest

from autograder.notebooks.cell_names import has_definitions, imported, names_read

CELLS = {
    "key <= query": {"key", "query"},
    "def f(key, query):\n    return key <= query": set(),
    "def f(key):\n    return key <= query": {"query"},
    "def f(key, default=other):\n    inner = key\n    return lambda x: x + inner + outer": {
        "other",
        "outer",
    },
    "x = 1\nprint(x)": set(),
    "import torch\ntorch.zeros(n)": {"n"},
    "[a for a in b if a]": {"b"},
    "class A(Base):\n    size = width\n    def f(self):\n        return self.size": {
        "Base",
        "width",
    },
    "for i in things:\n    i": {"things"},
    "x += y": {"y"},
    "with open(path) as file:\n    file": {"path"},
}


@pytest.mark.parametrize(("source", "expected"), CELLS.items())
def test_names_that_a_cell_needs(source, expected):
    assert names_read(source) - set(dir(builtins)) == expected


@pytest.mark.parametrize(
    "source", ["", "def f(:", "%%time\nx", "(" * 1000, "x = '\0'", "é = '\\d'"]
)
def test_a_cell_that_is_no_python_needs_nothing(source):
    assert names_read(source) - {"é"} == set()
    assert imported(source) == set()


def test_imports_and_definitions():
    source = "import a.b, c as d\nfrom e import f as g, h\nif d:\n    import i"
    assert imported(source) == {"a", "d", "g", "h"}
    assert not has_definitions(source)
    assert has_definitions("x = 1\nclass A: pass")
    assert has_definitions("async def f(): pass")
    assert has_definitions("%%time\ndef f(): pass")  # nobody knows
