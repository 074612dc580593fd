"""A trained model's weights, handed in beside the notebook, are tried by the judge."""

import io
import sys
from dataclasses import replace

import pytest
import torch

from autograder.grading.judge import Judge, Result
from autograder.grading.notebook_run import Graded, NotebookRun, grade
from autograder.notebooks.handed_in import contents
from autograder.notebooks.plan import Plan, asked_of, put_back
from course import capstone
from solutions.transformer import Transformer
from translation.number_words import NumberTranslation
from translation.train import MODEL

from ..conftest import LIMITS, known, notebook_with

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the sandbox")
CELL = 'check_translator("translator.pt")'


@pytest.fixture
def hand_in(keeper, judge, tmp_path, monkeypatch):
    """The Result, and what the cell shows, when this file and these cells are handed in."""
    task = NumberTranslation(limit=100)
    monkeypatch.setattr(capstone, "the_task", lambda: task)
    words = len(task.source_words), len(task.target_words)
    torch.manual_seed(0)
    model = Transformer(*words, max_length=64, **MODEL)
    plan = Plan("06", "06", (known("capstone", CELL, locked=True, grade=True, points=20.0),))

    def hand_in(content=None, before=()):
        path = tmp_path / "translator.pt"
        if content is not None:
            path.write_bytes(content)
        else:
            capstone.save_translator(model, path)
        files = contents({path.name: path} if content != b"" else {})
        notebook = put_back(notebook_with(plan, {}, before), plan)
        graded = grade(notebook, plan, keeper, judge, replace(LIMITS, total=60.0), files)
        return graded.results["capstone"], notebook.cells[-1].outputs[0].data["text/html"]

    return hand_in


def test_it_counts_as_far_as_the_checks_pass():
    graded = Graded(None)
    run = NotebookRun.__new__(NotebookRun)
    run.graded = graded
    assert run.earned_so_far() == (1, 1)
    for name, points, kind in (("a", 5.0, "check"), ("b", 4.0, "check"), ("c", 5.0, "quiz")):
        graded.results[name] = Result(name, points, 5.0, kind)
    assert run.earned_so_far() == (5.0, 10.0)
    cell = known("capstone", CELL, points=20.0)
    result = Judge(1).call(cell, asked_of(CELL), None, (3.0, 10.0))
    assert result.points == 0.0
    assert "3 of 10" in result.text


def test_what_they_translate_is_what_they_earn(hand_in, monkeypatch):
    result, html = hand_in()
    assert (result.points, result.max_points, result.kind) == (0.0, 20.0, "weights")
    assert "without a fault, German" in html
    monkeypatch.setattr(capstone, "ENOUGH", 0.0)  # these have learned nothing
    result, _ = hand_in()
    assert result.points == 20.0


def test_without_a_file(hand_in):
    result, html = hand_in(b"")
    assert result.points == 0.0
    assert "There is no translator.pt beside this notebook" in html


def test_a_file_of_something_else(hand_in):
    result, html = hand_in(b"\x80\x04cos\nsystem\n(S'touch /tmp/out'\ntR.")
    assert result.points == 0.0
    assert "translator.pt holds no weights" in html


def saved(weights):
    file = io.BytesIO()
    torch.save(weights, file)
    return file.getvalue()


ONE = torch.zeros(1)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({"\udc80 \x1b[31m \u202e": ONE}, r"1 have other names (\udc80 \x1b[31m \u202e, …)"),
        ({7: ONE}, "one is no text, but of type int"),
        ({f"{n}": ONE for n in range(5000)}, "holds far more than the lesson"),
        ({"x" * 2**22: ONE}, "holds far more than the lesson"),
        ({"x": ONE.expand(2**22)}, "holds far more than the lesson"),
        ({"x": ONE.to_sparse()}, "translator.pt holds no weights"),
        ({"x": ONE.to(torch.float8_e4m3fn)}, "translator.pt holds no weights"),
    ],
    ids=["escapes", "no text", "many", "a long name", "large", "sparse", "eight bits"],
)
def test_odd_weights_cost_their_points_and_nothing_else(hand_in, weights, sentence):
    result, html = hand_in(saved(weights))
    assert result.points == 0.0
    assert sentence in result.text
    assert len(html.encode()) < 2000  # and every letter of it can be written
    assert result.text.replace("\n", "").isprintable()


def test_saying_so_earns_nothing(hand_in):
    """The cell is not run; what a learner's code makes of the names in it does not count."""
    claim = """
import torch
def check_translator(path):
    return 20.0
torch.load = lambda *_, **__: {"points": torch.tensor(20.0)}
"""
    result, html = hand_in(before=[claim])
    assert result.points == 0.0
    assert "do not fit the lesson" in html
