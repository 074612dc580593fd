"""Folders for the time being: they go when their maker goes, and not before."""

import os
import subprocess
import sys
import tempfile
import textwrap

import pytest

from autograder.sandbox.scratch import PREFIX, Scratch, sweep


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_it_is_gone_when_it_is_closed(tmp_path):
    scratch = Scratch()
    (scratch.folder("work") / "a file").write_text("")
    assert scratch.path.name.startswith(PREFIX)
    scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_a_living_makers_folder_stays(tmp_path):
    scratch = Scratch()
    sweep()
    other = Scratch()
    assert {scratch.path, other.path} == set(tmp_path.iterdir())
    scratch.close()
    other.close()


def test_the_folder_of_one_that_was_killed_goes(tmp_path):
    code = """
        import os
        from autograder.sandbox.scratch import Scratch
        Scratch().folder("work")
        os.kill(os.getpid(), 9)
    """
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment, timeout=60)
    assert len(list(tmp_path.iterdir())) == 1
    sweep()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / f"{PREFIX}of a person").mkdir()
    (tmp_path / f"{PREFIX}file").write_text("")
    (tmp_path / f"{PREFIX}pipe").mkdir()
    os.mkfifo(tmp_path / f"{PREFIX}pipe" / "lock")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    sweep()
    assert sorted(tmp_path.rglob("*")) == before
