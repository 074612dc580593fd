"""How lessons are run for their pages, and when they are run again."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course import mine
from course.checks import LESSONS, find
from course.lesson import lessons
from website import executed


@pytest.fixture
def runs(monkeypatch):
    """The notebooks that were run, which takes no time here."""
    noted = []

    def run(notebook, module):
        noted.append(module)
        notebook.cells.append(new_markdown_cell("run"))

    monkeypatch.setattr(executed, "run", run)
    return noted


def test_a_lesson_is_run_once_and_again_when_something_has_changed(runs, tmp_path, monkeypatch):
    lesson = lessons()[1]
    for _ in range(2):
        assert executed.executed(lesson, tmp_path).cells[-1].source == "run"
    assert runs == ["attention"]
    monkeypatch.setattr(executed, "CODE", ("solutions/attention.py",))
    executed.executed(lesson, tmp_path)
    assert runs == ["attention"] * 2
    assert len(list(tmp_path.iterdir())) == 1  # what is old is not kept


def test_its_name_follows_its_text(runs):
    names = {executed.key_of(new_notebook(cells=[new_code_cell(text)])) for text in ("1", "2")}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("module", "whose"),
    [
        ("multi_head", "yours, from exercises/attention.py"),
        ("attention", "yours is not written yet"),
    ],
)
def test_the_learner_has_solved_what_came_before(tmp_path, monkeypatch, module, whose):
    monkeypatch.chdir(executed.learners_folder(tmp_path, module))
    version, said = mine.from_file(find("softmax"))
    assert (said, version is None) == (whose, module == "attention")


def test_before_the_first_lesson_nothing_is_solved(tmp_path):
    place = executed.learners_folder(tmp_path, "start").parent / "exercises"
    for module in LESSONS:
        assert "YOUR CODE HERE" in (place / f"{module}.py").read_text(encoding="utf-8")
