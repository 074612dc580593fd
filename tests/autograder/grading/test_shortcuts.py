"""Names of torch's ready-made functions are found in what was written, and nothing else is."""

import pytest

from autograder import bank
from autograder.checks import find
from autograder.grading.shortcuts import shortcuts
from autograder.ready_made import ATTENTION, NORMS, SOFTMAX


@pytest.mark.parametrize(
    ("source", "fragments"),
    [
        ("def softmax(x, dim=-1):\n    return torch.ops.aten._softmax(x, dim, False)", SOFTMAX),
        ("import torch as t\ndef softmax(x, dim=-1):\n    return t.nn.Softmax(dim)(x)", SOFTMAX),
        ("def softmax(x, dim=-1):\n    return getattr(torch, 'softmax')(x, dim)", SOFTMAX),
        ("from torch._C._nn import scaled_dot_product_attention as f", ATTENTION),
        ("class LayerNorm(nn.Module):\n    inner = nn.LayerNorm", NORMS),
        ("from torch.nn import functional as G\ny = G.layer_norm(x, (3,))", NORMS),
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
