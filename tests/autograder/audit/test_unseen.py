"""What is said of wrong answers that the checks have never seen is counted, and written out."""

from pathlib import Path

import pytest

from autograder.audit.unseen import FAULT, answers_in
from autograder.doors.terminal import main
from autograder.engine import limits

ROUNDS = Path(__file__).resolve().parents[2] / "unseen"

ANSWERS = """import torch

# %% softmax: the sum always runs along the last dimension
# fault: total = raised.sum(-1, keepdim=True)
def softmax(x, dim=-1):
    raised = torch.exp(x - x.amax(dim, keepdim=True))
    total = raised.sum(-1, keepdim=True)
    return raised / total


# %% softmax: it is right, and was thought to be wrong
# fault: return torch.exp(x - x.logsumexp(dim, keepdim=True))
def softmax(x, dim=-1):
    return torch.exp(x - x.logsumexp(dim, keepdim=True))
"""


def test_it_counts_what_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(limits, "MENDING", 30.0)
    (tmp_path / "attention.py").write_text(ANSWERS)
    assert main(["audit", "--unseen", str(tmp_path), "--say"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "wrong answers 2 rejected 1 named 1 (50 %) named or mended 1 (50 %)" in said
    assert "lines pointed to 1 of which at fault 1 (100 %)" in said
    assert "[dim_ignored_in_sum, mended, a line that is at fault;" in said


@pytest.mark.parametrize(("name", "told"), [("nowhere", "is no folder."), ("", "no answers in")])
def test_a_folder_without_answers_is_told(name, told, tmp_path, capsys):
    assert main(["audit", "--unseen", str(tmp_path / name)]) == 2
    assert told in capsys.readouterr().out


@pytest.mark.parametrize("name", ["second", "third"])
def test_every_answer_of_a_round_quotes_lines_of_its_own(name):
    answers = answers_in(ROUNDS / name)
    assert len(answers) == 160
    for answer in answers:
        lines = answer.source.splitlines()[answer.line - 1 :]
        code = {line.strip() for line in lines if not line.startswith("# ")}
        quoted = set(FAULT.findall("\n".join(lines)))
        assert quoted, answer.title
        assert quoted <= code, answer.title
