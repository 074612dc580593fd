"""One address, and what is made of it: links, and a first cell that sees to the course."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from shlex import quote

import pytest
from IPython.core.interactiveshell import InteractiveShell
from packaging.requirements import Requirement
from traitlets.config import Config

from autograder.notebooks.shortcuts import detours
from course import build, published
from course.lesson import lessons
from course.notebook import learners
from course.places import HOME

ADDRESS = "https://github.com/OWNER/NAME"
LESSONS = lessons()
# What Colab and Kaggle bring themselves, as their lists of packages say.
THERE = {"ipywidgets", "jinja2", "matplotlib", "numpy", "scikit-learn", "seaborn", "torch", "tqdm"}


@pytest.fixture
def publish(monkeypatch, tmp_path):
    """Writes a line below [project.urls] of a checkout, as somebody does who publishes it."""
    project = (HOME / "pyproject.toml").read_text("utf-8")
    monkeypatch.setattr(published, "HOME", tmp_path)

    def write(line):
        text = re.sub(r"(?<=\[project\.urls\]\n).*\n", f"{line}\n", project)
        tomllib.loads(text)
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def public(publish):
    publish(f'Repository = "{ADDRESS}"')


@pytest.fixture
def private(publish):
    publish("")


def arrival_of(lesson):
    [cell] = [c for c in learners(lesson).cells if "@title" in c.source]
    return cell


# --- Links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("", ""),
        (f'Repository = "{ADDRESS}"', ADDRESS),
        (f'Repository = "{ADDRESS}.git/"', ADDRESS),
    ],
)
def test_the_address_stands_in_pyproject_and_nowhere_else(publish, line, address):
    publish(line)
    assert published.address() == address


@pytest.mark.parametrize(
    ("urls", "address"),
    [
        (["Homepage, https://example.org", f"Repository, {ADDRESS}"], ADDRESS),
        (["Homepage, https://example.org"], ""),
        ([], ""),
    ],
)
def test_an_installed_course_knows_it_from_its_wheel(monkeypatch, tmp_path, urls, address):
    monkeypatch.setattr(published, "BELOW", HOME)
    about = tmp_path / "transformer_by_hand-1.dist-info"
    about.mkdir()
    lines = ["Metadata-Version: 2.4", "Name: transformer-by-hand", "Version: 1"]
    lines += [f"Project-URL: {url}" for url in urls]
    (about / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert published.address() == address


def test_each_lesson_has_a_link_for_each_place_and_it_names_the_notebook(public):
    for lesson in LESSONS:
        text = learners(lesson).cells[0].source
        links = re.findall(r"\[(\w+)\]\((https://\S+)\)", text.splitlines()[-1])
        assert [where for where, _ in links] == ["Colab", "Kaggle", "Binder"]
        for _, link in links:
            assert "OWNER/NAME" in link
            assert link.endswith(f"notebooks/{lesson.stem}.ipynb")


def test_without_an_address_nothing_is_linked_and_the_page_says_so(private):
    assert "https://" not in learners(LESSONS[0]).cells[0].source
    [text] = build.pages().values()
    assert published.NOTHING_YET in text


def test_an_address_that_is_not_on_github_is_for_pip_alone(publish):
    publish('Repository = "https://git.example.org/a/b"')
    assert published.badge("01_attention") == ""
    assert "git+https://git.example.org/a/b" in published.arrival(LESSONS[1])


def test_the_page_of_lessons_gets_a_row_for_each_and_keeps_what_is_around(public):
    page = f"Above.\n\n{published.BEGINS}\nold\n{published.ENDS}\n\nBelow.\n"
    text = published.page_with_clicks(page, LESSONS)
    assert text.count("[open](https://") == 3 * len(LESSONS)
    assert "old" not in text
    assert text.startswith("Above.")
    assert text.endswith("Below.\n")
    assert published.page_with_clicks(text, LESSONS) == text


# --- The first cell -------------------------------------------------------------------------------


def run(source):
    """What a notebook's cell shows."""
    shell = InteractiveShell(config=Config(HistoryManager={"enabled": False}))
    shell.run_cell(source)


@pytest.fixture
def alone(monkeypatch):
    """A notebook, and no course."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("autograder", "course")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Nowhere(), *sys.meta_path])


class Nowhere:
    """Finds that there is no course."""

    def find_spec(self, name, path=None, target=None):
        if name in ("autograder", "course"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_at_home_the_first_cell_does_nothing(capsys, monkeypatch):
    before = os.getcwd(), set(os.environ), list(sys.path)
    run(arrival_of(LESSONS[1]).source)
    assert capsys.readouterr() == ("", "")
    assert before == (os.getcwd(), set(os.environ), list(sys.path))


@pytest.mark.usefixtures("alone")
def test_a_notebook_alone_says_what_to_type_and_shows_no_traceback(capsys, private):
    run(arrival_of(LESSONS[3]).source)
    said = capsys.readouterr().out
    assert f"this Python doesn't have it: {sys.executable}\n" in said
    assert f"{quote(sys.executable)} -m pip install ./autograder .\n" in said
    assert "Traceback" not in said
    assert "NotHereError" not in said


@pytest.mark.usefixtures("alone")
def test_with_an_address_it_says_the_line_that_needs_no_clone(capsys, public):
    run(arrival_of(LESSONS[3]).source)
    said = capsys.readouterr().out
    assert f"pip install git+{ADDRESS} git+{ADDRESS}#subdirectory=autograder\n" in said
    assert "autograder lesson 3\n" in said


@pytest.mark.usefixtures("alone", "public")
def test_on_colab_and_kaggle_one_pip_line_brings_it(capsys, monkeypatch):
    asked = []
    monkeypatch.setattr("subprocess.run", asked.append)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    run(arrival_of(LESSONS[1]).source)
    [[python, *words]] = asked
    assert python == sys.executable
    assert words[:4] == ["-m", "pip", "install", "--quiet"]
    assert f"git+{ADDRESS}" in words
    assert "Internet switched on" in capsys.readouterr().out  # it was not brought


def test_it_is_folded_away_here_and_on_colab_and_is_not_run_in_class():
    for lesson in LESSONS:
        first = next(c for c in learners(lesson).cells if c.cell_type == "code")
        assert first == arrival_of(lesson)
        assert first.metadata.jupyter.source_hidden
        assert first.metadata.cellView == "form"
        assert first.metadata.tags == ["demonstration"]


def test_in_a_class_whose_course_has_another_address_it_asks_nobody_for_a_look(public):
    """There it is one cell more, which is run."""
    assert detours(arrival_of(LESSONS[1]).source) == []


def test_what_else_is_missing_is_not_taken_for_the_course(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "nowhere", None)
    source = arrival_of(LESSONS[1]).source.replace("import course\n", "import nowhere\n")
    run(source)
    last = capsys.readouterr().out.splitlines()[-1]
    assert "ModuleNotFoundError" in last
    assert "nowhere" in last


def test_what_it_brings_needs_nothing_else():
    brought = published.SMALL.split()
    for name in brought:
        lines = map(Requirement, importlib.metadata.requires(name) or [])
        needed = {r.name for r in lines if r.marker is None or r.marker.evaluate({"extra": ""})}
        assert needed <= {*brought, *THERE, "typing-extensions"}, name


def test_lessons_need_nothing_but_what_it_brings_and_what_is_there():
    """So Colab's own Jupyter stays as it is: nbgrader would replace half of it."""
    project = tomllib.loads((HOME / "pyproject.toml").read_text("utf-8"))["project"]
    asked = {Requirement(line).name for line in project["dependencies"]} - {"autograder-engine"}
    missing = sorted(asked - THERE - set(published.SMALL.split()))
    assert missing == ["jupyterlab", "nbgrader", "sacrebleu"]
    code = f"""
import sys
for name in {[*missing, "notebook", "jupyter_server", "nbconvert"]}:
    sys.modules[name] = None
import autograder, course.bridge, course.capstone, course.diagram, course.figures, course.hosted
import course.mine, course.progress, course.quiz, course.widgets, course.work
from course.experiments import attention, encoder_block, multi_head, positional_encoding
from course.experiments import training, transformer, translating, variants, variants_cost
import torch

def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).tril()

assert autograder.check(causal_mask) == 4
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
