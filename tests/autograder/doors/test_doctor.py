"""What `autograder doctor` says of this machine, and of one where something is missing."""

import subprocess
import sys

import pytest

from autograder.doors import doctor
from autograder.doors.terminal import main
from autograder.sandbox import box as keeper
from autograder.sandbox import warm


def test_this_machine_has_everything(capsys):
    assert main(["doctor"]) == 0
    report = capsys.readouterr().out
    for name in ("Python", *doctor.NEEDED, "kernel", "commands", "processors", "GPU", "sandbox"):
        assert name in report
    assert "Everything that is needed is here." in report


def test_what_is_missing_is_said_with_what_to_do(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED", ("torch", "no-such-package"))
    assert main(["doctor"]) == 1
    report = capsys.readouterr().out
    assert "MISSING  no-such-package" in report
    assert "make setup" in report


@pytest.mark.parametrize("variable", doctor.HOSTS)
def test_on_colab_and_kaggle_what_only_a_class_needs_is_not_missing(monkeypatch, variable):
    for name in doctor.HOSTS:
        monkeypatch.delenv(name, raising=False)
    assert doctor.package("no-such-package").needed
    monkeypatch.setenv(variable, "1")
    assert "note     no-such-package" in str(doctor.package("no-such-package"))


def test_a_python_newer_than_tested_is_noted_and_not_missing(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 15, 0))
    assert "3.11 to 3.14" in str(doctor.python())
    assert not doctor.python().needed


def test_without_a_command_the_usage_is_shown():
    run = subprocess.run(
        [sys.executable, "-m", "autograder.doors.terminal"], capture_output=True, text=True
    )
    assert run.returncode == 2
    assert "usage: autograder" in run.stdout


def test_commands_that_are_not_on_the_path_are_noted(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    finding = doctor.commands()
    assert "jupyter, nbgrader, alembic" in finding.found
    assert "activate" in finding.remedy
    assert not finding.needed


class Box:
    def __init__(self, layers):
        self.layers = layers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize(
    ("layers", "level", "word"),
    [
        (["limits"], 0, "--trust"),
        (["limits", "Landlock", "seccomp"], 1, "user.max_user_namespaces"),
    ],
)
def test_a_system_without_protection_is_noted(monkeypatch, layers, level, word):
    monkeypatch.setattr(keeper.Keeper, "open", lambda self: Box(layers))
    monkeypatch.setattr(keeper.Keeper, "trouble", "")
    finding = doctor.sandbox()
    assert finding.found.startswith(f"level {level} of 3")
    assert "grading demands level 1 here" in finding.found
    assert word in finding.remedy
    assert not finding.needed


def test_a_sandbox_that_cannot_be_started_is_a_sentence(monkeypatch):
    def fail(self):
        raise RuntimeError("no fork")

    monkeypatch.setattr(warm.Warm, "begin", fail)
    assert "cannot be started: no fork" in str(doctor.sandbox())


def test_a_broken_torch_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "torch cannot be imported" in doctor.gpu().found
