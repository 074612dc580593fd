"""What README shows is what comes out."""

import linecache
import re
from pathlib import Path

from autograder.engine import limits

README = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
SHOWCASE = re.compile(
    r"```python\n(from autograder import check\n.+?)```\n\n((?:>[^\n]*\n)+)", re.S
)


def run_as_a_cell(source):
    """What a notebook's cell with this source binds."""
    filename = "<ipython-input-1-readme>"
    linecache.cache[filename] = (0, None, source.splitlines(keepends=True), filename)
    names = {"__name__": "__main__"}
    exec(compile(source, filename, "exec"), names)
    return names


def test_the_showcase_is_what_the_check_says(monkeypatch):
    source, shown = SHOWCASE.search(README).groups()
    found = []
    monkeypatch.setattr("autograder.doors.notebook.show", found.append)
    monkeypatch.setattr(limits, "MENDING", 30.0)
    run_as_a_cell(source)
    [verdict] = found
    said = [verdict.headline, *verdict.explanation, f"Look at: {verdict.line}"]
    shown = re.sub(r"^> ", "", shown, flags=re.MULTILINE)
    assert " ".join(shown.split()) == " ".join(" ".join(said).split())
