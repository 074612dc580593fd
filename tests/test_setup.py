"""What people are told who lack something, what make lists, and what is published when."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent


def run_setup(tmp_path, **environment):
    return subprocess.run(
        ["sh", "scripts/setup.sh", str(tmp_path / "venv")],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def a_program(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("version", ["2.7", "3.9", "3.10"])
def test_an_old_python_is_refused_with_its_version(tmp_path, version):
    run = run_setup(tmp_path, PYTHON=a_program(tmp_path / "old python", f"echo {version}"))
    assert run.returncode == 1
    assert f"is Python {version}; 3.11 or newer is needed" in run.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_that_does_not_run_is_refused(tmp_path):
    run = run_setup(tmp_path, PYTHON=str(tmp_path / "no such python"))
    assert run.returncode == 1
    assert "is no Python that can be run" in run.stderr


def test_without_the_venv_module_it_is_said_how_to_get_it(tmp_path):
    script = 'case "$*" in *ensurepip*) exit 1;; *) echo 3.11;; esac'
    run = run_setup(tmp_path, PYTHON=a_program(tmp_path / "python", script))
    assert run.returncode == 1
    assert "has no venv module" in run.stderr
    assert "apt install python3-venv" in run.stderr


def test_with_only_an_old_python_it_is_said_how_to_get_a_new_one(tmp_path):
    for name in ("python3", "python"):
        a_program(tmp_path / name, "echo 3.10")
    os.symlink(shutil.which("sh"), tmp_path / "sh")
    run = run_setup(tmp_path, PATH=str(tmp_path), PYTHON="")
    assert run.returncode == 1
    assert "Python 3.11 or newer is needed, and python3 is 3.10." in run.stderr
    assert "make setup PYTHON=" in run.stderr


def test_an_installation_that_fails_says_why(tmp_path):
    """A Python that makes an environment whose pip finds no network."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    pip = (
        'case "$*" in *install*) echo "NewConnectionError: Failed to establish"; exit 1;;'
        " *version_info*) echo 3.11;; esac"
    )
    fake = a_program(tmp_path / "venv" / "bin" / "python", pip)
    run = run_setup(tmp_path, PYTHON=fake)
    assert run.returncode == 1
    assert "Is there a network" in run.stderr
    assert not (tmp_path / "venv" / ".ready").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_alone_lists_the_targets():
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "lab", "test", "format", "train", "bench"):
        assert f"  {target} " in listed


def test_pages_are_published_only_where_somebody_has_said_so():
    workflow = (ROOT / ".github" / "workflows" / "site.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(workflow)["jobs"]
    assert jobs["publish"]["if"] == "vars.PUBLISH_SITE == 'true'"
    assert [name for name, job in jobs.items() if "deploy-pages" in str(job)] == ["publish"]
