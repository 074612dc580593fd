"""Exceptions whose cause is known: what to do about them, and no word about the method."""

import linecache
import os
import sys

import pytest
import torch

from autograder.engine.advice import advice, on_notebook_line
from autograder.engine.examine import examine
from course.checks import find
from tests.autograder.implementations import attention

SOFTMAX = find("attention.softmax")
ATTENTION = find("attention.scaled_dot_product_attention")
PATCHIFY, MASK_TOKENS = find("variants.patchify"), find("variants.mask_tokens")


def made(source, name="softmax"):
    """What a source binds to a name; its lines can be found."""
    filename = f"answer_{abs(hash(source))}.py"
    linecache.cache[filename] = (0, None, source.splitlines(keepends=True), filename)
    names = {"__name__": "answer"}
    exec(compile(source, filename, "exec"), names)
    return names[name]


def told(source, exercise=SOFTMAX):
    return examine(exercise, made(source, exercise.name), seed=1).explanation


def test_a_package_that_is_not_there_is_named_with_what_to_do():
    said = told("def softmax(x, dim=-1):\n    import no_such_package.inner\n")
    assert "There is no package `no_such_package` here." in said[1]
    assert "pip install no_such_package" in said[1]


def test_a_part_that_a_package_lacks_is_no_missing_package():
    said = told("def softmax(x, dim=-1):\n    import torch.nn.funtional\n")
    assert said[1] == "There is a `torch`, but no `nn.funtional` in it: is the name spelt right?"


def test_nobody_can_type_where_it_is_checked(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: eof())
    said = told("def softmax(x, dim=-1):\n    return x[int(input('which? '))]\n")
    assert "Nobody can type where your code is checked" in said[1]


def eof():
    raise EOFError("EOF when reading a line")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("np.max(x, axis=dim, keepdims=True)", "np.max"),
        ("np.sum(x, axis=dim, keepdims=True)", "np.sum"),
        ("x - np.max(x, dim)", "np.max"),
    ],
)
def test_numpys_functions_are_named_where_they_do_not_fit(line, name):
    said = told(f"import numpy as np\ndef softmax(x, dim=-1):\n    return {line}\n")
    assert f"`{name}` is NumPy's, and you have torch's tensors" in said[1]


@pytest.mark.parametrize("line", ["torch.tensor(x.numpy())", "x @ x.detach().numpy()"])
def test_whoever_leaves_torch_is_not_told_to_detach(line):
    """Torch itself would say so."""
    said = told(
        f"import torch\ndef softmax(x, dim=-1):\n    x = x.clone().requires_grad_()\n"
        f"    return {line}\n"
    )
    assert "stay with torch's tensors" in said[1]


def test_two_tensors_in_place_of_one_are_told_as_such():
    said = told("def softmax(x, dim=-1):\n    m = x.max(dim, keepdim=True)\n    return x - m\n")
    assert "torch's max gives two tensors: `.values`, and `.indices`" in said[1]


def test_an_array_is_told_to_be_numpys():
    said = told("def softmax(x, dim=-1):\n    return x.detach().numpy()\n")
    assert "An array is NumPy's, and no gradient flows through it" in said[0]


@pytest.mark.parametrize(
    ("kind", "message", "line"),
    [
        ("RuntimeError", "shape '[2]' is invalid", "x.view(2) / np.abs(d)"),
        ("TypeError", "'NoneType' object is not iterable", "x / np.sqrt(d)"),
        ("TypeError", "'NoneType' object is not iterable", "fill(x, -np.inf)  # np.max"),
    ],
)
def test_numpy_is_not_blamed_for_what_it_has_not_done(kind, message, line):
    assert not advice(kind, message, line)


def test_where_numpy_is_asked_for_nobody_is_sent_to_torch():
    line = "y = np.max(x, dimension=0)"
    assert advice("TypeError", "no such argument", line)
    assert not advice("TypeError", "no such argument", line, numpy=True)


@pytest.mark.parametrize("line", ["%matplotlib inline\n", "  !pip install x\n", "%%time", "?torch"])
def test_lines_for_notebooks_are_told_from_python(line):
    assert line.strip() in on_notebook_line(line)


@pytest.mark.parametrize("line", ["x = 3 % 2", "    % 2", "a != b", "print('!ls')", ""])
def test_lines_of_python_are_none_for_notebooks(line):
    assert not on_notebook_line(line)


def test_after_a_crash_there_is_no_hint_about_the_method():
    """Neither what a promise says to look at, nor what a symptom makes of other calls."""
    fails = "def {}(*given, **more):\n    raise ValueError('no')\n"
    for exercise in (PATCHIFY, MASK_TOKENS, ATTENTION):
        [said] = told(fails.format(exercise.name), exercise)
        assert said.startswith("Your code raised ValueError: no (called with ")
    [said] = told("def patchify(images, wrong):\n    return images.no_such_name\n", PATCHIFY)
    assert "no_such_name" in said


def test_the_call_that_failed_is_told_with_its_number_and_dtype():
    def fails_in_double(query, key, value, mask=None):
        if query.dtype == torch.float64:
            raise ValueError("no")
        return attention(query, key, value, mask)

    [said] = examine(ATTENTION, fails_in_double, seed=1).explanation
    assert said.endswith("mask (2, 1, 1, 7), in float64)")

    def fails_later(length):
        if length == 3:
            raise ValueError("no")
        return torch.ones(length, length, dtype=torch.bool).tril()

    [said] = examine(find("attention.causal_mask"), fails_later, seed=1).explanation
    assert said.endswith("(called with length=3) (This was call 2 of several.)")


COMPILED = """
import torch
@torch.compile
def softmax(x, dim=-1):
    e = (x - x.amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)
"""
COMPILED_INSIDE = """
import torch
def inner(x, dim):
    e = (x - x.amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)
def softmax(x, dim=-1):
    return torch.compile(inner)(x, dim)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler, about torch
@pytest.mark.parametrize("source", [COMPILED, COMPILED_INSIDE])
def test_what_is_compiled_is_checked_as_it_was_written(source):
    subject = made(source)
    assert "torch._dynamo" in sys.modules or source is COMPILED_INSIDE
    verdict = examine(SOFTMAX, subject, seed=1)
    assert verdict.passed, verdict.message


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_torch_does_not_compile_either(monkeypatch):
    subject = torch.compile(made(COMPILED_INSIDE, "inner"), backend=lambda *_: pytest.fail("no"))
    monkeypatch.delattr(torch.compiler, "set_stance")
    verdict = examine(SOFTMAX, lambda x, dim=-1: subject(x, dim), seed=1)
    assert verdict.passed, verdict.message


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_afterwards_torch_compiles_again(monkeypatch):
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    subject = torch.compile(made(COMPILED_INSIDE, "inner"), backend=backend)
    monkeypatch.delenv("TORCHDYNAMO_DISABLE", raising=False)
    assert examine(SOFTMAX, lambda x, dim=-1: subject(x, dim), seed=1).passed
    assert not compiled
    assert "TORCHDYNAMO_DISABLE" not in os.environ
    subject(torch.ones(2, 3), -1)
    assert compiled
