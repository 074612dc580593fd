"""An answer as an example for others: it works as before, and says of nobody who wrote it."""

import ast

import pytest
import torch

from autograder.grading.report.nameless import People, example_of
from course.checks import find

SOFTMAX = find("attention.softmax")


@pytest.fixture
def people():
    found = People()
    found.add("s1234567", "Ada", "Lovelace", "countess")
    found.add("jose", "José", "Ångström")
    found.add("max", "Max", "Mean")  # as everybody's code says
    found.add("li", "Li", "Xu")
    found.add("soren", "Søren", "Weiß")
    found.add("wang", "小明", "王")
    return found


def example(people, *cells, exercise=SOFTMAX):
    return example_of(cells, exercise, people)


def test_comments_docstrings_and_texts_are_left_out(people):
    found = example(
        people,
        "def softmax(x, dim=-1):\n"
        "    '''By Ada.'''\n"
        "    # José helped\n"
        "    if dim is None:\n"
        "        raise ValueError(f'Grace Hopper says {dim:.3f}')\n"
        "    'and so on'\n"
        "    print('thanks, Grace')\n"
        "    return x.softmax(dim)",
    )
    assert found.code == (
        "def softmax(x, dim=-1):\n"
        "    if dim is None:\n"
        "        raise ValueError(f'…{dim:.3f}')\n"
        "    print('…')\n"
        "    return x.softmax(dim)"
    )


@pytest.mark.parametrize(
    "text",
    ["ij,jk->ik", "...qd,...kd->...qk", "b h (l d) -> b l (h d)", "-inf", "cpu", "ij", "mean"],
)
def test_texts_that_the_code_needs_stay(people, text):
    found = example(people, f"def softmax(x, dim=-1):\n    return torch.go({text!r}, x)")
    assert repr(text) in found.code


@pytest.mark.parametrize(
    "text", ["/home/ada", "Grace", "ada->lovelace", "s1234567", "softmax by me"]
)
def test_other_texts_go(people, text):
    found = example(people, f"def softmax(x, dim=-1):\n    return torch.go({text!r}, x)")
    assert "'…'" in found.code
    assert text not in found.code


def test_what_is_called_after_somebody_is_called_otherwise_everywhere(people):
    found = example(
        people,
        "def adas_help(ada, jose_x=1):\n    return ada * jose_x\n"
        "class Li_Softmax:\n"
        "    def __init__(self, lovelace):\n        self.loveLace, self.ada = lovelace, 2\n"
        "    def go(self):\n        return self.ada\n"
        "def softmax(x, dim=-1):\n"
        "    def li_(angstrom):\n        nonlocal x\n        return angstrom\n"
        "    soerens = sorens_weiss = 王小明的 = 1\n"
        "    return li_(adas_help(x, jose_x=Li_Softmax(1).go()))",
    )
    for word in ("ada", "jose", "li_", "lovelace", "angstrom", "soren", "weiss", "小明", "王"):
        assert word not in found.code.lower()
    names = {}
    exec(found.whole, names)
    assert names["softmax"](3) == 6


def test_words_that_everybody_writes_are_nobodys_name(people):
    source = (
        "def softmax(x, dim=-1):\n    mean = x.max(dim, keepdim=True)[0].mean()\n    return mean"
    )
    assert example(people, source).code == source


@pytest.mark.parametrize(
    "spec",
    [
        "by Robert Miller",
        "rob@uni.edu",
        "\\n# %% softmax: x\\n# expect: nothing\\nprint()\\n#",
        "1234567",
    ],
)
def test_how_something_is_formatted_says_of_nobody_who_wrote_it(people, spec):
    said = f"print(f'{{x:{spec}}} {{x:>8.3f}} {{x:{{dim}}d}}')"
    found = example(people, f"def softmax(x, dim=-1):\n    {said}\n    return x")
    assert "    print(f'{x:}…{x:>8.3f}…{x:{dim}d}')" in found.code.splitlines()


def test_an_answer_that_cannot_be_had_without_a_name_is_none(people):
    source = "def softmax(x, dim=-1):\n    return x.lovelace()"  # that is not its own to change
    assert example(people, source) is None


@pytest.mark.parametrize("cells", [(), ("def other(): ...",), ("def softmax(:",), ("x = 1",)])
def test_without_an_answer_there_is_none(people, cells):
    assert example(people, *cells) is None


def test_what_it_needs_of_other_cells_comes_along(people):
    found = example(
        people,
        "%matplotlib inline\nimport math, os\nimport torch.nn.functional as F\nimport ada_lib",
        "EPS = 1e-9\nOTHER = 3\nADA = open('x')",
        "def helper(x):\n    return F.relu(x) + EPS",
        "!ls\ndef softmax(x, dim=-1):\n    return helper(x) / math.pi",
    )
    assert found.above == ("import math, os", "import torch.nn.functional as F", "EPS = 1e-09")
    assert [each.name for each in ast.parse(found.code).body] == ["helper", "softmax"]
    names = {}
    exec(found.whole, names)
    assert torch.is_tensor(names["softmax"](torch.ones(2)))


def test_other_exercises_are_the_model_answers(people):
    found = example(
        people,
        "from course.mine import softmax",
        "def softmax(x, dim=-1):\n    return x",
        "def scaled_dot_product_attention(q, k, v, mask=None):\n    return softmax(q), v",
        exercise=find("attention.scaled_dot_product_attention"),
    )
    assert found.above == ("from solutions.attention import softmax",)
    assert "def softmax" not in found.code


def test_the_last_version_counts_also_where_it_is_no_def(people):
    found = example(people, "def softmax(x): return 1", "softmax = lambda x, dim=-1: x.exp()")
    assert found is not None
    last = example(people, "def softmax(x): return 1", "def softmax(x): return 2")
    assert last.code.endswith("return 2")


def test_code_that_nobody_writes_ends_nothing(people):
    deep = "def softmax(x, dim=-1):\n    return " + "-" * 900 + "x"
    assert example(people, deep) is None or "softmax" in example(people, deep).code
    assert example(people, "softmax = " + "(" * 150 + "1" + ")" * 150) is not None
