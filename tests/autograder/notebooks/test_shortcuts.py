"""Names of torch's ready-made functions are found in what was written, and nothing else is."""

import pytest

from autograder.audit import bank
from autograder.grading.judge import suspicion
from autograder.notebooks.shortcuts import detours, shortcuts
from course.checks import all_exercises, find
from course.checks.ready_made import ATTENTION, NORMS, SOFTMAX


@pytest.mark.parametrize(
    ("source", "fragments"),
    [
        ("def softmax(x, dim=-1):\n    return torch.ops.aten._softmax(x, dim, False)", SOFTMAX),
        ("import torch as t\ndef softmax(x, dim=-1):\n    return t.nn.Softmax(dim)(x)", SOFTMAX),
        ("def softmax(x, dim=-1):\n    return getattr(torch, 'softmax')(x, dim)", SOFTMAX),
        ("from torch._C._nn import scaled_dot_product_attention as f", ATTENTION),
        ("class LayerNorm(nn.Module):\n    inner = nn.LayerNorm", NORMS),
        ("from torch.nn import functional as G\ny = G.layer_norm(x, (3,))", NORMS),
        ("from scipy.special import softmax as weights", SOFTMAX),
        ("import scipy\ny = scipy.special.log_softmax(x)", SOFTMAX),
        ("import jax.nn as j\ny = j.softmax(x)", SOFTMAX),
        ("y = F.scaled_dot_product_attention(a, b, c, attn_mask=x)", SOFTMAX),
        ("y = np.linalg.norm(a, axis=-1)", ("norm",)),
        ("from numpy.linalg import norm as length", ("norm",)),
    ],
)
def test_it_is_found(source, fragments):
    [(number, text)] = shortcuts(source, fragments)
    assert text in source
    assert source.splitlines()[number - 1].strip() == text


@pytest.mark.parametrize(
    "source",
    [
        "def softmax(x, dim=-1):\n    e = x.exp()\n    return e / e.sum(dim, keepdim=True)",
        "def f(x):\n    '''softmax, by hand: not torch.softmax'''\n    return softmax(x)",
        "class Mine(nn.Module):\n    def softmax(self, x):\n        return self.softmax(x)",
        "no python at all (",
    ],
)
def test_nothing_is_found_where_nothing_is(source):
    assert shortcuts(source, SOFTMAX) == []


@pytest.mark.parametrize(
    "exercise",
    ["attention.softmax", "attention.scaled_dot_product_attention", "encoder_block.LayerNorm"],
)
def test_right_answers_of_others_are_not_suspected(exercise):
    known = find(exercise)
    entries = [e for e in bank.read("correct", known.module) if e.exercise == exercise]
    assert entries
    suspected = [e.title for e in entries if shortcuts(e.source, known.refuses)]
    assert suspected == []


WAYS_AROUND = (
    "import gc",
    "from gc import get_objects",
    "with torch._C.DisableTorchFunction():\n    pass",
    "from torch._C import DisableTorchFunctionSubclass",
    "from torch.overrides import _pop_mode_temporarily",
    "f = torch.jit.trace(g, x)",
    "from torch.jit import CompilationUnit",
    "import sys\nsys.modules['autograder.engine.trial'] = None",
    "from sys import modules",
    "import sys\nhere = sys._getframe(1)",
    "import inspect\nhere = inspect.currentframe().f_back",
    "import sys\nsys.setprofile(None)",
    "import threading",
    "import _thread",
    "from concurrent.futures import ThreadPoolExecutor",
    "from multiprocessing.pool import ThreadPool",
    "import ctypes",
    "y = getattr(torch, name)(x)",
    "f = torch.nn.functional\ny = getattr(f, name)(x)",
    "import torch as t\ny = getattr(t, 'soft' + 'max')(x)",
    "y = getattr(x, 'soft' + 'max')(-1)",
    "y = vars(torch)[name](x)",
    "y = torch.__dict__[name](x)",
    "from operator import attrgetter\ny = attrgetter('soft' + 'max')(x)",
    "y = eval('torch.soft' + 'max(x)')",
    "t = __import__('torch')",
    "import importlib",
    "import autograder.engine.trial",
    "from autograder.engine import ready_made",
)


@pytest.mark.parametrize("source", WAYS_AROUND)
def test_a_way_around_the_watcher_is_found(source):
    [(number, text)] = detours(source)
    assert source.splitlines()[number - 1] == text


@pytest.mark.parametrize(
    "source",
    [
        "from autograder import check, wrong",
        "import sys\nprint(sys.version, file=sys.stderr)",
        "model.eval()\nfast = torch.compile(model)",
        "layer = getattr(self, f'layer{n}')\nkind = getattr(config, name)",
        "weight = getattr(module, 'weight', None)",
        "class Mine(nn.Module):\n    def modules(self):\n        return vars(self)",
        "pattern = re.compile('gc')",
        "no python at all (",
    ],
)
def test_ordinary_code_is_no_way_around(source):
    assert detours(source) == []


def test_nothing_in_right_answers_asks_for_a_look():
    """Neither in those of the bank nor in our own."""
    answers = [(find(e.exercise), e.source) for e in bank.everything("correct")]
    answers += [(exercise, exercise.source) for exercise in all_exercises().values()]
    assert [text for e, source in answers if (text := suspicion(e, e.name, [source]))] == []


def test_whoever_grades_is_told_the_cell_and_the_line():
    softmax = find("attention.softmax")
    cells = ["import gc", "def softmax(x, dim=-1):\n    return x"]
    said = suspicion(softmax, "softmax", cells)
    assert said == ("a cell could reach around what watches it, in line 1: import gc",)
    named = ["def softmax(x, dim=-1):\n    return torch.softmax(x, dim)"]
    [said] = suspicion(softmax, "softmax", named)
    assert "names a ready-made part in line 2: return torch.softmax" in said
