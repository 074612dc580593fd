"""What is imported before grading can begin."""

import json
import subprocess
import sys

import pytest

DOORS = (
    "autograder.grading.runs.command",
    "autograder.grading.nbgrader.plugins",
    "autograder.grading.report.facts",
    "autograder.notebooks.submission",
)


@pytest.mark.parametrize("door", DOORS)
def test_what_takes_seconds_and_is_not_used_is_not_imported(door):
    """nbformat would bring a grammar of web addresses: 38 parsers, longer than torch."""
    pytest.importorskip("rfc3987_syntax")
    source = f"import json, sys, {door}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=120
    )
    modules = json.loads(done.stdout)
    assert "nbformat" in modules
    assert not {"lark", "rfc3987_syntax.syntax_helpers"} & set(modules)
