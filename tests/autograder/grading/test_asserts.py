"""Cells whose own asserts decide: who cheats them is noticed, and nobody else is."""

import random
import re

import pytest

from autograder.grading import asserts, canaries
from autograder.grading.canaries import LINES, Canaries
from autograder.grading.notebook_run import grade

from ..conftest import LIMITS
from .asserted import COMPARED, RIGHT, TEST, TESTED, WRONG, plan_with, submission

UNIT = "import unittest\nunittest.TestCase().assertEqual(mean([1, 2]), 1.5)"
CLOSE = "import torch\nassert torch.allclose(torch.tensor(mean([1.0, 2.0])), torch.tensor(1.5))"
NEAR = "assert abs(mean([1, 2]) - 1.5) < 1e-6"
TWO = "assert isinstance(mean([1, 2]), float) and all([mean([1, 2]) == 1.5])"
DELETE = """\
import ast
class Delete(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
"""
# {what it does: (the learner's cells before each test, a test that it forges, what is seen of it)}
CHEATS = {
    "asserts are cut out of the tree": (
        [f"{DELETE}get_ipython().ast_transformers = [Delete()]"],
        TEST,
        ("(assert)", "IPython.ast_transformers"),
    ),
    "asserts are cut out of the text": (
        [
            "get_ipython().input_transformers_post.append(\n"
            "    lambda lines: [x for x in lines if not x.startswith('assert')])"
        ],
        TEST,
        ("(assert)", "IPython.input_transformers_post"),
    ),
    "before each cell asserts are forgotten": (
        [
            "async def no(*a, **k):\n    return False\n"
            "def quiet(*a):\n    get_ipython().run_code = no\n"
            "get_ipython().events.register('pre_run_cell', quiet)"
        ],
        TEST,
        ("(assert)", "IPython.run_code", "IPython.events.pre_run_cell"),
    ),
    "no cell is run": (
        ["real = get_ipython().run_cell('1')\nget_ipython().run_cell = lambda *a, **k: real"],
        TEST,
        ("(assert)", "IPython.run_cell"),
    ),
    "what runs cells says that all is well": (
        [
            "import sys\ninside = sys.modules['autograder.sandbox.inside']\n"
            "inside.run_cell = lambda *a: {'outputs': [], 'failed': False, 'number': 7}"
        ],
        TEST,
        ("(assert)", "what runs cells.run_cell"),
    ),
    "allclose is always true": (
        ["np.allclose = lambda *a, **k: True"],
        COMPARED,
        ("(numpy.allclose)", "numpy.allclose"),
    ),
    "np is something else": (
        ["class np:\n    allclose = lambda *a, **k: True"],
        COMPARED,
        ("(numpy.allclose)",),
    ),
    "NumPy is something else, wherever it is imported": (
        [
            "import sys, types\nfake = types.ModuleType('numpy.testing')\n"
            "fake.assert_allclose = lambda *a, **k: None\n"
            "sys.modules['numpy.testing'] = fake"
        ],
        TESTED,
        ("(numpy.testing.assert_allclose)", "sys.modules.numpy.testing"),
    ),
    "the code of assert_allclose is another's": (
        ["np.testing.assert_allclose.__code__ = (lambda *a, **k: None).__code__"],
        TESTED,
        ("(numpy.testing.assert_allclose)", "numpy.testing.assert_allclose"),
    ),
    "what assert_allclose calls does nothing": (
        ["np.testing._private.utils.assert_array_compare = lambda *a, **k: None"],
        TESTED,
        ("(numpy.testing.assert_allclose)", "numpy.testing.assert_array_compare"),
    ),
    "torch's allclose is always true": (
        ["import torch\ntorch.allclose = lambda *a, **k: True"],
        CLOSE,
        ("(torch.allclose)", "torch.allclose"),
    ),
    "unittest compares nothing": (
        ["import unittest\nunittest.TestCase.assertEqual = lambda *a: None"],
        UNIT,
        ("(unittest.TestCase.assertEqual)", "unittest.TestCase.assertEqual"),
    ),
    "abs is nothing, everywhere": (
        ["import builtins\nbuiltins.abs = lambda x: 0"],
        NEAR,
        ("(abs)", "builtins.abs"),
    ),
    "abs is nothing, here": (["abs = lambda x: 0"], NEAR, ("(abs)",)),
    "all is always true": (
        ["import builtins\nbuiltins.all = lambda *a: True"],
        TWO,
        ("(all)", "builtins.all"),
    ),
    "the built-in names are others": (
        [
            "import builtins\n__builtins__ = dict(vars(builtins), abs=lambda x: 0)\n"
            "get_ipython().user_ns['__builtins__'] = __builtins__"
        ],
        NEAR,
        ("the notebook.__builtins__",),
    ),
}
# What can not be seen: no list of these is ever whole.
UNSEEN = {
    "an answer that equals everything": (
        "class Yes(float):\n    __eq__ = lambda *a: True\ndef mean(x):\n    return Yes()",
        TEST,
    ),
}
HONEST = {
    "pictures and tables": (
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nimport pandas as pd\n"
        "import seaborn as sns\nsns.set_theme()\nplt.plot([1, 2])\npd.DataFrame([1])"
    ),
    "all names at once": (
        "from numpy import *\nfrom numpy.testing import *\nfrom math import *\nimport numpy as np"
    ),
    "extensions and settings": (
        "%load_ext autoreload\n%autoreload 2\n%precision 3\n%xmode Verbose\nimport warnings\n"
        "warnings.filterwarnings('ignore')\nnp.seterr(all='ignore')\nnp.random.seed(3)"
    ),
    "bars of progress": (
        "from tqdm.auto import tqdm\nimport sys\nfor _ in tqdm(range(3), file=sys.stdout): pass"
    ),
    "made anew": (
        "import importlib, numpy.testing\nimportlib.reload(numpy.testing._private.utils)\n"
        "importlib.reload(numpy.testing)"
    ),
    "other tests": "import pytest, unittest, doctest, logging\nlogging.basicConfig()\n1",
    "names that were taken": "list = [1]\nsum_ = 0\nmax = 3\nlen_ = 4\nround = 'round'",
    "torch": (
        "import torch\ntorch.set_default_dtype(torch.float64)\ntorch.manual_seed(1)\n"
        "torch.set_printoptions(precision=2)"
    ),
    "caught and timed": "%%capture shown\n%timeit -n1 -r1 mean([1])",
}
ALL = (TEST, COMPARED, TESTED, UNIT, CLOSE, NEAR, TWO)


@pytest.fixture(scope="module")
def graded(keeper, judge):
    def run(answer, *tests, **more):
        plan = plan_with(*tests)
        return grade(submission(plan, answer, **more), plan, keeper, judge, LIMITS)

    return run


def points(graded):
    return {name: result.points for name, result in graded.results.items()}


def every(plan_tests, value):
    return {f"test_{number}": value for number in range(1, len(plan_tests) + 1)}


def test_right_answers_are_right_and_wrong_ones_wrong_without_a_word(graded):
    for answer, worth in ((RIGHT, 10.0), (WRONG, 0.0)):
        found = graded(answer, *ALL)
        assert points(found) == every(ALL, worth)
        assert found.events == []


@pytest.mark.parametrize("cheat", CHEATS)
def test_who_cheats_earns_points_and_is_listed(cheat, graded):
    cells, test, seen = CHEATS[cheat]
    found = graded(WRONG, test, between=cells)
    assert points(found) == {"test_1": 10.0}, "it is no cheat"
    said = " ".join(found.events)
    assert all(each in said for each in seen), said


@pytest.mark.parametrize("way", UNSEEN)
def test_not_all_cheats_can_be_seen(way, graded):
    answer, test = UNSEEN[way]
    found = graded(answer, test)
    assert points(found) == {"test_1": 10.0}
    assert found.events == []


@pytest.mark.parametrize("way", HONEST)
def test_nobody_honest_is_listed(way, graded):
    found = graded(RIGHT, TEST, COMPARED, TESTED, between=[HONEST[way]])
    assert found.events == []
    assert points(found) == every((TEST, COMPARED, TESTED), 10.0)


def test_canaries_leave_nothing_behind(graded, monkeypatch):
    """What a notebook can see of its past and of chance is the same as without them."""
    look = (
        "import random, sys, torch\n"
        "print(len(In), In[-2:], sorted(n for n in globals() if n[:2] == '_i'), _i, _ii,\n"
        "      sorted(vars()), sys.last_value if hasattr(sys, 'last_value') else None,\n"
        "      get_ipython().execution_count, random.random(), np.random.rand(),\n"
        "      torch.rand(1), get_ipython().history_manager.exceptions.keys())"
    )
    seeds = "import random, torch\nrandom.seed(1)\nnp.random.seed(1)\ntorch.manual_seed(1)"
    shown = []
    for fly in (Canaries.fly, lambda *_: None):
        monkeypatch.setattr(Canaries, "fly", fly)
        found = graded(RIGHT, TEST, TESTED, before=["import numpy as np", seeds], between=[look])
        cells = found.notebook.cells
        shown.append([(cell.execution_count, cell.outputs) for cell in cells])
    assert shown[0] == shown[1]
    assert "tensor" in str(shown[0])


def test_a_canary_ends_with_the_text_of_its_cell_and_no_two_are_alike():
    drawn = [cell for _ in range(20) for _, cell in canaries.canaries(TESTED)]
    assert len(set(drawn)) == len(drawn)
    assert all(cell.endswith(TESTED) and cell != TESTED for cell in drawn)
    assert {what for what, _ in canaries.canaries(TESTED)} == {
        "assert",
        "numpy.testing.assert_allclose",
    }


@pytest.mark.parametrize("what", [name for name in LINES if not name.startswith("nose")])
def test_every_line_fails(what):
    """Whatever is drawn for it."""
    module, dot, _ = what.rpartition(".")
    if what.startswith("unittest"):
        called = f'__import__("unittest").TestCase().{what.rpartition(".")[2]}'
        module = "unittest"
    else:
        called = what
    names = {}
    if dot:
        pytest.importorskip(module)
        exec(f"import {module}", names)
    draw = random.Random(5)
    for _ in range(40):
        with pytest.raises(AssertionError):
            exec(canaries.line_of(what, called, draw), names)


def test_asserts_of_canaries_fail_without_calling_the_answer():
    tree = canaries.read(TEST)
    for number in range(40):
        with pytest.raises(AssertionError):
            exec(canaries.line_of_asserts(tree, random.Random(number)), {})


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("%matplotlib inline\nassert np.isclose(f(), 1)", {"numpy.isclose"}),
        ("import numpy.testing as npt\nnpt.assert_equal(f(), 1)", {"numpy.testing.assert_equal"}),
        ("def t(self):\n    self.assertTrue(f())", {"unittest.TestCase.assertTrue"}),
        ("from math import isclose as near\nassert near(f(), 1)", {"math.isclose"}),
        ("from hashlib import sha1\nassert sha1(b'x').digest() == f()", {"hashlib.sha1"}),
        ("assert round(f()) == 3", set()),  # learners are to write it
        ("%%time\nassert f()", set()),
        ("assert f(", set()),
    ],
)
def test_what_is_compared_with_is_tried(test, expected):
    found = {what for what, _ in canaries.canaries(test, asked=frozenset({"round"}))}
    assert found - {"assert", "unittest.TestCase"} == expected


def test_who_loses_all_points_to_stderr_is_listed_with_what_was_written(graded):
    warns = "import warnings\ndef mean(x):\n    warnings.warn('so old')\n    return sum(x) / len(x)"
    found = graded(warns, TEST)
    assert points(found) == {"test_1": 0.0}
    [event] = found.events
    assert "test_1 earned 0 of 10 points only because something was written to stderr" in event
    assert "UserWarning: so old" in event
    both = graded(warns.replace("sum(x) / len(x)", "3"), TEST)
    assert points(both) == {"test_1": 0.0}
    assert both.events == []


def test_graders_are_told_what_the_points_are_worth_and_learners_are_not(graded):
    cell = graded(RIGHT, TEST).notebook.cells[-1]
    assert cell.outputs[-1]["data"] == {"text/plain": asserts.NOTE}
    assert asserts.without_notes(cell).outputs == []
    assert graded(WRONG, TEST).notebook.cells[-1].outputs[-1].output_type == "error"
    assert "test_1, test_2" in asserts.forgeable([plan_with(TEST, COMPARED)])
    assert asserts.forgeable([plan_with()]) == ""


def test_code_is_run_as_it_came_and_shown_without_what_nobody_sees(graded):
    answer = RIGHT + "  # \u202eevil\u202c\x1b[2J"
    before = ["import numpy as np", "print(len('\u202e\u200b'))"]
    found = graded(answer, TEST, before=before)
    assert found.notebook.cells[1].outputs[0].text == "2\n"
    assert points(found) == {"test_1": 10.0}
    written = "".join(cell.source for cell in found.notebook.cells)
    assert not re.search("[\u202e\u202c\u200b\x1b]", written)
    assert "\ufffdevil" in written
