"""What is written for people: links lead somewhere, and words are spelt as in the dictionary."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for pattern in (
        "*.md",
        "docs/*.md",
        "notebooks/*.md",
        "notebooks/lessons/*.md",
        "exercises/*.md",
        "examples/*/*.md",
    )
    for path in ROOT.glob(pattern)
)
EACH = pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def prose(page):
    """A page without its code."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def anchors(page):
    """The headings of a page as GitHub and JupyterLab name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    plain = [re.sub(r"[`*]", "", heading).strip() for heading in headings]
    github = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in plain}
    return github | {heading.replace(" ", "-") for heading in plain}


@EACH
def test_links_lead_somewhere(page):
    for target in LINK.findall(prose(page)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        # A lesson becomes a notebook one folder further up.
        folder = page.parent.parent if page.parent.name == "lessons" else page.parent
        file = (folder / name) if name else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{page.name} links to {target}"


@EACH
def test_words_are_spelt_as_in_the_dictionary(page):
    run = subprocess.run(
        [sys.executable, "-m", "codespell_lib", "--builtin", "clear", str(page)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == ""
