"""Files that hang, crash, fill up or shout: each gets its sentence, and the others their check."""

import time

import pytest

from autograder.doors import workers
from autograder.doors.workers import check_file
from course.checks import find

MASK = "import torch\ndef causal_mask(length):\n    return torch.ones(length, length).tril() > 0\n"
BODY = "def causal_mask(length):\n    {}\n"
SECONDS = 1.0


@pytest.fixture
def check(tmp_path):
    """Write a file, and give the reports on it."""

    def run(text, exercises=("attention.causal_mask",), **options):
        path = tmp_path / "answer.py"
        path.write_text(text, encoding="utf-8")
        return list(check_file(str(path), exercises, **({"seconds": SECONDS} | options)))

    return run


@pytest.fixture(params=["fork", "spawn"])
def both_ways(request, monkeypatch):
    """Workers are forked on Linux, and started afresh elsewhere."""
    monkeypatch.setattr(workers, "MAY_FORK", request.param == "fork")
    monkeypatch.setattr(workers, "GRACE", 2.0 if request.param == "fork" else 20.0)


def test_a_right_file_passes(check, both_ways):
    [report] = check(MASK)
    assert report.passed, report.message


def test_an_endless_loop_when_called(check, both_ways):
    [report] = check(BODY.format("while True: pass"))
    assert not report.passed
    assert "stopped after 1 seconds" in report.message


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def causal_mask(length:\n  pass", "This is no Python yet: "),
        ("import no_such_module\ndef causal_mask(n): pass", "No module named 'no_such_module'"),
        ("import no_such_module\ndef causal_mask(n): pass", "no package `no_such_module` here"),
        ("n = input()\ncausal_mask = 1", "Nobody can type where your code is checked"),
        ("import sys\nsys.exit()\ncausal_mask = 1", "ends the program (sys.exit or exit)"),
        ("exit(3)\ncausal_mask = 1", "ends the program (sys.exit or exit)"),
        ("while True: pass\ncausal_mask = 1", "stopped after 1 seconds"),
        (
            "1 / 0\ncausal_mask = 1",
            "ZeroDivisionError: division by zero, line 1 of answer.py: `1 / 0`",
        ),
        ("import os\nos._exit(4)\ncausal_mask = 1", "ended the whole process, with exit code 4"),
        ("raise KeyboardInterrupt\ncausal_mask = 1", "KeyboardInterrupt"),
        ("x = [0] * 10**12\ncausal_mask = 1", "MemoryError"),
        ("input()\ncausal_mask = 1", "EOFError"),
        ("\x00", "null byte"),
    ],
)
def test_a_file_that_cannot_be_loaded(check, text, sentence):
    [report] = check(text)
    assert not report.passed
    assert report.score == 0
    assert report.max_score == find("attention.causal_mask").max_score
    assert sentence in report.message


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("import sys; sys.exit(0)", "SystemExit"),
        ("import os; os._exit(0)", "ended the whole process, with exit code 0"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import torch; return torch.zeros(5 * 10**9)", "asked for 20.0 GB of memory"),
        ("return causal_mask(length)", "RecursionError"),
        ("return bytearray(10**11)", "asked for memory"),
        ("open(__file__ + '.big', 'wb').truncate(2**30)", "OSError"),
    ],
)
def test_code_that_goes_too_far(check, body, sentence):
    [report] = check(BODY.format(body))
    assert not report.passed
    assert sentence in report.message


def test_a_loop_that_cannot_be_interrupted_is_ended(check, monkeypatch):
    monkeypatch.setattr(workers, "GRACE", 0.5)
    text = BODY.format(
        "import signal, time\n    signal.signal(signal.SIGALRM, signal.SIG_IGN)\n    time.sleep(60)"
    )
    started = time.perf_counter()
    [report] = check(text)
    assert time.perf_counter() - started < 10
    assert "stopped after 1 seconds" in report.message


def test_a_storm_of_output_reaches_nobody(check, capfd):
    text = "print('x' * 10**7)\n" + MASK.replace("    return", "    print('y' * 10**6)\n    return")
    [report] = check(text)
    assert report.passed
    said = capfd.readouterr()
    assert said.out == said.err == ""


def test_the_other_exercises_of_the_file_are_checked(check):
    text = MASK + BODY.replace("causal_mask", "softmax").format("import os; os._exit(1)")
    text = text.replace("(length):\n    import os", "(length, dim=-1):\n    import os")
    first, second = check(text, ("attention.softmax", "attention.causal_mask"))
    assert "ended the whole process" in first.message
    assert second.passed


def test_files_do_not_influence_one_another(check, tmp_path):
    [report] = check(
        "import torch, os, random\n"
        "torch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)\n"
        "torch.manual_seed(0)\nos.chdir('/')\ntorch.ones = None\n" + BODY.format("return 1")
    )
    assert not report.passed
    assert check(MASK)[0].passed


def test_a_neighbour_can_be_imported(check, tmp_path):
    (tmp_path / "neighbour.py").write_text(MASK)
    [report] = check("from neighbour import causal_mask as mine\ncausal_mask = mine\n")
    assert report.passed


def test_what_stands_under_main_is_not_run(check):
    [report] = check(MASK + "if __name__ == '__main__':\n    raise SystemExit\n")
    assert report.passed


def test_processes_that_are_left_behind_are_ended(check, tmp_path):
    text = "import subprocess, sys\nsubprocess.Popen(['sleep', '98765'])\n" + MASK
    [report] = check(text)
    assert report.passed
    time.sleep(0.2)
    from pathlib import Path

    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert b"98765" not in process.read_bytes()
        except OSError:
            continue
