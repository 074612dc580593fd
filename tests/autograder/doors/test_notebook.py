"""`check(f)`: points back, nothing on stderr, and the words are there with and without IPython."""

import io
import subprocess
import sys
import textwrap

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from autograder import check
from course.checks import find

MOST = find("attention.causal_mask").max_score


def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).tril()


def wrong_mask(length):
    return torch.ones(length, length, dtype=torch.bool).triu()


def test_points_come_back_as_a_plain_number(capsys):
    assert check(causal_mask) == MOST
    assert type(check(causal_mask)) is int
    assert "✓ attention.causal_mask: all correct" in capsys.readouterr().out


def test_a_wrong_answer_does_not_raise(capsys):
    assert check(wrong_mask, "causal_mask") == 1
    said = capsys.readouterr()
    assert "the upper triangle" in said.out
    assert said.err == ""


def test_strict_raises_with_the_same_words():
    with pytest.raises(AssertionError, match=r"the upper\s+triangle"):
        check(wrong_mask, "attention.causal_mask", strict=True)
    assert check(causal_mask, strict=True) == MOST


def test_the_name_may_be_bound_by_an_assignment(monkeypatch):
    monkeypatch.setitem(
        globals(), "padding_mask", lambda tokens, pad=0: (tokens != pad)[:, None, None]
    )
    assert check(globals()["padding_mask"], strict=True)


@pytest.mark.parametrize(
    ("subject", "sentence"),
    [
        (5, "check wants your function or class itself, not int 5"),
        (None, "check wants your function or class itself"),
        (torch.ones(2), "check wants your function or class itself"),
        (lambda: 0, "No exercise is called"),
        (io.StringIO, "No exercise is called"),
        (type("MultiHeadedAttention", (), {}), "No exercise is called 'MultiHeadedAttention': giv"),
        (type("positional_encoding", (), {}), "Is it `PositionalEncoding`?"),
    ],
)
def test_anything_else_gets_a_sentence_and_no_points(subject, sentence, capsys):
    assert check(subject) == 0
    assert sentence in capsys.readouterr().out
    with pytest.raises(AssertionError, match=sentence[:20]):
        check(subject, strict=True)


def test_a_module_that_was_made_already_is_answered_with_what_to_hand_over(capsys):
    from solutions.encoder_block import LayerNorm

    assert check(LayerNorm(4)) == 0
    assert "give it the class, check(LayerNorm)" in capsys.readouterr().out


def test_an_unknown_exercise_gets_a_sentence(capsys):
    assert check(causal_mask, "nonsense") == 0
    assert "There is no exercise called 'nonsense'" in capsys.readouterr().out


@pytest.fixture(scope="module")
def outputs():
    """Outputs of check cells in a real notebook, which learners' code tries to disturb."""
    cells = [
        """
        import os, sys, warnings
        import torch
        from autograder import check
        """,
        """
        def softmax(x, dim=-1):
            print("print")
            sys.stderr.write("noise")
            sys.__stderr__.write("low noise")
            os.write(2, b"lower noise")
            warnings.warn("a warning")
            return torch.exp(x) / torch.exp(x).sum(dim, keepdim=True)
        check(softmax, seed=1)
        """,
        """
        class LayerNorm(torch.nn.Module):
            def __init__(self, d_model, eps=1e-5):
                super().__init__()
                self.weight = torch.nn.Parameter(torch.ones(d_model))
                self.bias = torch.nn.Parameter(torch.zeros(d_model))
            def forward(self, x):
                return undefined
        check(LayerNorm, seed=1)
        """,
        """
        def causal_mask(length):
            return torch.ones(length, length).tril() == 1
        check(causal_mask)
        """,
        """
        from solutions.attention import causal_mask
        check(causal_mask)
        """,
        """
        from autograder import wrong
        check(wrong("attention.causal_mask", "upper_triangle"), "causal_mask")
        """,
    ]
    notebook = new_notebook(cells=[new_code_cell(textwrap.dedent(cell).strip()) for cell in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    nbformat.validate(notebook)
    return [cell.outputs for cell in notebook.cells]


def test_in_a_notebook_a_card_is_shown_and_the_points_are_the_result(outputs):
    shown, result = outputs[1]
    assert shown.output_type == "display_data"
    assert result.output_type == "execute_result"
    assert result.data["text/plain"] == "6"
    assert "exp(100) no longer fits" in shown.data["text/plain"]
    assert shown.data["text/html"].startswith("<section aria-label=")
    assert "exp(100) no longer fits" in shown.data["text/html"]


def test_in_a_notebook_nothing_is_written_to_stderr(outputs):
    for cell in outputs:
        for output in cell:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"


def test_in_a_notebook_the_reference_earns_nothing(outputs):
    said, result = outputs[4]
    assert "own causal_mask, which stands in for yours" in said.data["text/plain"]
    assert result.data["text/plain"] == "0"


def test_in_a_notebook_a_mistake_made_on_purpose_is_recognised(outputs):
    assert "it is the upper triangle" in outputs[5][0].data["text/plain"]


def test_in_a_notebook_the_line_of_the_cell_is_found(outputs):
    assert "line 7 of your cell" in outputs[1][0].data["text/plain"]
    assert "line 7 of your cell: `return undefined`" in outputs[2][0].data["text/plain"]
    assert "NameError" in outputs[2][0].data["text/plain"]


def test_importing_costs_nothing():
    code = "import sys, autograder; print([n for n in sys.modules if n.startswith('autograder')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['autograder']"


def test_whoever_has_replaced_something_of_torchs_is_told_no_untruth(monkeypatch, capsys):
    """The model answer needs it as well. The learner's code may be right all the same."""

    def softmax(x, dim=-1):
        return x

    monkeypatch.setattr("torch.exp", 5)
    assert check(softmax) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "did not work, which says nothing about your code: model answer softmax" in said
    assert "Does your code put something of its own in the place of torch's" in said
