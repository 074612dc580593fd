"""On Colab and Kaggle one's work lies where it survives, and is never written over."""

import sys
import types

import pytest

from course import hosted, work


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Colab's and Kaggle's folders, here."""
    monkeypatch.setattr(hosted, "CONTENT", tmp_path / "content")
    monkeypatch.setattr(hosted, "KAGGLE", tmp_path / "kaggle")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def as_colab(monkeypatch, mount):
    colab = types.ModuleType("google.colab")
    colab.drive = types.SimpleNamespace(mount=mount)
    monkeypatch.setitem(sys.modules, "google.colab", colab)


def test_on_colab_it_is_kept_in_the_drive_from_day_to_day(machine, monkeypatch, capsys):
    mounted = []
    as_colab(monkeypatch, mounted.append)
    hosted.settle()
    drive = machine / "content" / "drive"
    assert mounted == [str(drive)]
    assert work.folder() == drive / "MyDrive" / hosted.FOLDER / "exercises"
    assert f"is kept in your Drive, in “{hosted.FOLDER}”" in capsys.readouterr().out
    solved = work.folder() / "attention.py"
    solved.write_text("mine")
    monkeypatch.chdir(machine)  # the next day
    hosted.settle()
    assert solved.read_text() == "mine"


def test_who_does_not_connect_the_drive_is_told_that_nothing_is_kept(machine, monkeypatch, capsys):
    def refuse(where):
        raise ValueError("mount failed")

    as_colab(monkeypatch, refuse)
    hosted.settle()
    assert work.folder() == machine / "content" / hosted.FOLDER / "exercises"
    assert "is lost when Colab closes" in capsys.readouterr().out
    (work.folder() / "attention.py").write_text("mine")
    as_colab(monkeypatch, lambda where: None)  # having thought better of it
    hosted.settle()
    assert work.folder() == machine / "content" / "drive" / "MyDrive" / hosted.FOLDER / "exercises"
    assert (work.folder() / "attention.py").read_text() == "mine"


def test_on_kaggle_it_lies_in_the_folder_that_is_saved(machine, monkeypatch, capsys):
    as_colab(monkeypatch, None)  # its machines have grown out of Colab's
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    hosted.settle()
    assert work.folder() == machine / "kaggle" / "exercises"
    assert "when you say Save Version" in capsys.readouterr().out
