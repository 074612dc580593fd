"""`autograder check` as a command: what it prints, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.doors.terminal import main
from autograder.engine import limits
from autograder.engine.files import exercises_defined, names_defined

ROOT = str(Path(__file__).resolve().parents[3])
RIGHT = """
import torch
def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).tril()
"""
WRONG = RIGHT.replace("tril", "triu")
FIELDS = ["file", "exercise", "passed", "score", "max_score", "diagnosis", "message", "seconds"]


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Write a file, and give the name under which the command finds it."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="answer.py"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write


def reports(capsys, *arguments):
    code = main(["check", "--json", *arguments])
    said = capsys.readouterr()
    return code, [json.loads(line) for line in said.out.splitlines()], said.err


def test_a_right_file(file, capsys):
    code, [report], _ = reports(capsys, file(RIGHT))
    assert code == 0
    assert list(report) == FIELDS
    assert report["file"] == "answer.py"
    assert report["exercise"] == "attention.causal_mask"
    assert report["passed"] is True
    assert report["score"] == report["max_score"]
    assert report["diagnosis"] is None
    assert 0 < report["seconds"] < 5


def test_a_wrong_file(file, capsys):
    code, [report], _ = reports(capsys, file(WRONG))
    assert code == 1
    assert report["diagnosis"] == "upper_triangle"
    assert "lower is asked for" in report["message"]


def test_for_people(file, capsys, monkeypatch):
    monkeypatch.setattr(limits, "MENDING", 30.0)
    assert main(["check", file(WRONG), file(RIGHT, "other.py")]) == 1
    said = capsys.readouterr().out
    assert "✗ attention.causal_mask" in said
    assert "line 4 of answer.py" in said
    assert "1 of 2 exercises are right." in said


def test_many_files_and_those_that_are_not_there(file, capsys):
    code, found, err = reports(capsys, file(RIGHT), "nothing.py", file(WRONG, "b.py"))
    assert code == 2
    assert [report["passed"] for report in found] == [True, False]
    assert "There is no file called nothing.py." in err


def test_one_exercise_of_several(file, capsys):
    both = RIGHT + "\ndef padding_mask(tokens, pad=0):\n    return tokens\n"
    code, found, _ = reports(capsys, file(both), "--exercise", "attention.causal_mask")
    assert code == 0
    assert len(found) == 1
    assert len(reports(capsys, file(both))[1]) == 2


def test_an_exercise_that_the_file_does_not_define(file, capsys):
    code, [report], _ = reports(capsys, file(RIGHT), "--exercise", "attention.softmax")
    assert code == 1
    assert report["message"] == "The file does not define softmax."
    assert report["max_score"] > 0


def test_an_exercise_that_does_not_exist(file, capsys):
    code, found, err = reports(capsys, file(RIGHT), "--exercise", "attention.nonsense")
    assert code == 2
    assert not found
    assert "no exercise called 'attention.nonsense'" in err


def test_an_imported_name_does_not_count(file, capsys):
    code, found, err = reports(capsys, file("from solutions.attention import softmax\n"))
    assert code == 2
    assert not found
    assert "defines none of the exercises" in err


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MultiHeadedAttention", "MultiHeadAttention"),
        ("multi_head_attention", "MultiHeadAttention"),
        ("positional_encoding", "PositionalEncoding"),
        ("softMax", "softmax"),
    ],
)
def test_a_name_that_is_nearly_right_is_offered(name, meant, file, capsys):
    source = file(f"class {name}:\n    pass\n")
    code, found, err = reports(capsys, source)
    assert code == 2
    assert not found
    assert f"`{name}`: is that `{meant}`?" in err
    code, [report], _ = reports(capsys, source, "--exercise", meant)
    assert f"`{name}`: is that `{meant}`?" in report["message"]


def test_a_name_that_is_far_from_all_of_them_is_not_explained(file, capsys):
    _, _, err = reports(capsys, file("def main():\n    pass\n"))
    assert err.endswith("defines none of the exercises.\n")


@pytest.mark.parametrize("line", ["%matplotlib inline", "!pip install einops"])
def test_lines_that_are_for_notebooks_are_told_with_their_number(line, file, capsys):
    for rest in (RIGHT, ""):  # with an exercise in the file, and without
        _, [report], _ = reports(capsys, file(f"import math\n{line}\n{rest}"))
        assert f"line 2: `{line}`" in report["message"].replace(" of answer.py", "")
        assert "is for a notebook only" in report["message"]


def test_no_such_device(file, capsys):
    assert reports(capsys, file(RIGHT), "--device", "abacus")[0] == 2
    code, _, err = reports(capsys, file(RIGHT), "--device", "xla")
    assert code == 2
    assert "This machine has no xla" in err


def test_a_folder_stands_for_its_python_files(file, capsys):
    file(RIGHT, "a.py")
    file(WRONG, "b.py")
    file("not Python", "c.txt")
    code, found, _ = reports(capsys, ".")
    assert code == 1
    assert len(found) == 2


def test_the_same_seed_repeats_a_check(file, capsys):
    name = file(WRONG.replace("length, length,", "length, length + 1,"))
    first, again = (reports(capsys, name, "--seed", "7")[1][0]["message"] for _ in range(2))
    assert first == again


def test_nothing_at_all(file, capsys):
    file("")
    assert main(["check"]) == 2
    assert "There is no file called exercises." in capsys.readouterr().err


def test_it_is_a_command():
    run = subprocess.run(
        [sys.executable, "-m", "autograder.doors.terminal", "check", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--exercise" in run.stdout


def test_which_names_a_file_defines():
    source = """
from a import imported
def function(): inner = 1
async def waits(): pass
class Class: attribute = 1
assigned = other = 3
(one, two), three = (1, 2), 3
annotated: int = 4
if True:
    conditional = 1
else:
    def alternative(): pass
try:
    tried = 1
except ImportError:
    rescued = 2
object.attribute = 5
"""
    assert sorted(names_defined(source)) == sorted(
        [
            *(
                "function",
                "waits",
                "Class",
                "assigned",
                "other",
                "one",
                "two",
                "three",
                "annotated",
            ),
            *("conditional", "alternative", "tried", "rescued"),
        ]
    )


def test_a_file_that_is_no_python_is_read_line_by_line():
    assert exercises_defined("def softmax(x:\n    1\ncausal_mask = (") == [
        "attention.softmax",
        "attention.causal_mask",
    ]


def test_every_file_that_is_no_python_gets_its_line(file, capsys):
    names = [file(RIGHT, "a.py"), file("def (", "b.py"), file("x = '\0'", "c.py")]
    code, found, _ = reports(capsys, *names)
    assert code == 1
    assert [(report["file"], report["passed"]) for report in found] == [
        *(("a.py", True), ("b.py", False), ("c.py", False))
    ]
    assert all("This is no Python yet" in report["message"] for report in found[1:])


def test_alone_it_lists_its_commands(capsys):
    assert main([]) == 2
    said = capsys.readouterr().out
    for command in ("check", "course", "grade", "records", "report", "doctor"):
        assert f"\n    {command} " in said


def test_where_nbgrader_was_left_out_it_is_named(tmp_path):
    """As on Colab. In a process of its own, for here all of it has been imported."""
    code = f"""
import sys
sys.modules["nbgrader"] = None
sys.path.insert(0, {ROOT!r})
from autograder.doors.terminal import main
sys.exit(main(["lesson", "1"]))
"""
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert run.stderr == "This needs nbgrader, which is not installed: pip install nbgrader\n"


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--json", "answer.py"]])
def test_nobody_reads_to_the_end(file, arguments):
    """As `autograder … | head -1` does: no traceback, and the exit code of such a pipe."""
    file(WRONG * 20)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([ROOT, *sys.path])}
    environment.pop("PYTHONUNBUFFERED", None)  # argparse would not say that it could not write
    run = subprocess.Popen(
        [sys.executable, "-m", "autograder.doors.terminal", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    run.stdout.close()
    said = run.stderr.read()
    run.stderr.close()
    assert (run.wait(60), said) == (141, b"")
