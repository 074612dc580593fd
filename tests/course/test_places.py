"""The names that the course's packages have in lessons may be taken already."""

import subprocess
import sys

import pytest

CHECKED = """
from autograder import check
def softmax(x, dim=-1):
    return x
print(check(softmax, seed=1))
"""


@pytest.mark.parametrize("path", ["solutions/__init__.py", "solutions.py", "translation.py"])
def test_a_package_of_the_same_name_is_told_as_what_it_is(tmp_path, path):
    """And not as a mistake of the course's author, in whose files the import fails."""
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text("")
    command = [sys.executable, "-c", CHECKED]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert f"{tmp_path / path}".removesuffix("/__init__.py") in said.stdout
    assert "comes before it. Rename it, or start Python elsewhere" in said.stdout
    assert said.stdout.endswith("\n0\n")
    assert not said.stderr


def test_a_folder_of_the_same_name_hides_nothing(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "mine.py").write_text("")
    command = [sys.executable, "-c", CHECKED]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "not yet right" in said.stdout
