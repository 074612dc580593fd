"""Dependencies point one way, as pyproject.toml says; and packages list what is in them."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = sorted(path.parent for path in (ROOT / "autograder").glob("*/**/__init__.py"))
LINT = "from importlinter.cli import lint_imports_command as main; main()"


def test_dependencies_point_one_way():
    said = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert "0 broken" in said.stdout


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_of_the_autograder_lists_its_modules(folder):
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    assert {path.stem for path in folder.glob("[!_]*.py")} <= set(re.findall(r"\w+", said))
