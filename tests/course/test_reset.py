"""An exercise is given back its stub, and what was written is kept."""

import json

import nbformat
import pytest

from course import reset, work
from course.build import ROOT
from course.checks import find
from course.lesson import lessons
from course.notebook import learners, text_of
from course.stubs import file_of, stub_of

SOFTMAX = find("softmax")
MINE = "def softmax(x, dim=-1):\n    return x.exp() / x.exp().sum(dim, keepdim=True)  # Ana's"
[LESSON] = [lesson for lesson in lessons(ROOT / "notebooks" / "lessons") if lesson.number == 1]


@pytest.fixture
def says(monkeypatch):
    """What whoever sits there types."""

    def answer(text):
        monkeypatch.setattr("builtins.input", lambda asked: text)

    answer("y")
    return answer


@pytest.fixture
def solved(learner):
    """(exercises/attention.py, the notebook), with a softmax in both."""
    path, book = learner / "attention.py", learner.parent / "notebooks" / "01_attention.ipynb"
    path.write_text(path.read_text().replace(stub_of(SOFTMAX), MINE))
    notebook = learners(LESSON)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "softmax":
            cell.source = MINE
    notebook.cells[0].source += "\nA note of mine."
    book.write_text(text_of(notebook))
    work.change_record(learner, SOFTMAX.id, tries=3, best=6, of=6, kept=MINE)
    return path, book


def test_the_stub_is_back_in_both_and_nothing_is_lost(solved, says, capsys):
    path, book = solved
    before = [each.read_bytes() for each in solved]
    assert reset.main("softmax") == 0
    assert path.read_text() == file_of("attention")
    cells = json.loads(book.read_text())["cells"]
    assert stub_of(SOFTMAX) in ["".join(cell["source"]) for cell in cells]
    assert "A note of mine." in "".join(cells[0]["source"])
    [kept] = (path.parent / "before").iterdir()
    assert [(kept / each.name).read_bytes() for each in solved] == before
    assert work.records(path.parent) == {}
    said = capsys.readouterr().out
    assert "exercises/attention.py: 2 lines" in said
    assert "notebooks/01_attention.ipynb: 2 lines" in said
    assert f"You lose your 6 of {SOFTMAX.max_score} points in `autograder progress`" in said
    assert "softmax is a stub again." in said


def test_what_was_saved_while_the_question_stood_there_is_kept_too(solved, monkeypatch):
    path, _ = solved

    def saves(asked):
        path.write_text(path.read_text().replace("# Ana's", "# Ana's, at last"))
        return "y"

    monkeypatch.setattr("builtins.input", saves)
    assert reset.main("softmax") == 0
    [kept] = (path.parent / "before").iterdir()
    assert "# Ana's, at last" in (kept / path.name).read_text()
    assert path.read_text() == file_of("attention")


def test_a_version_that_was_kept_with_its_whole_cell_goes_whole(learner, says):
    path = learner / "attention.py"
    cell = f"import math\n\n\ndef helper():\n    return math.e\n\n\n{MINE}"
    path.write_text(path.read_text().replace(stub_of(SOFTMAX), cell))
    work.change_record(learner, SOFTMAX.id, kept=cell)
    assert reset.main("attention.softmax") == 0
    assert path.read_text() == file_of("attention")


@pytest.mark.parametrize("more", [" / 2", "\n    # and then\n    return x"])
def test_what_was_kept_and_went_on_growing_goes_whole(learner, says, more):
    path = learner / "attention.py"
    mine = MINE.partition("  #")[0]
    path.write_text(path.read_text().replace(stub_of(SOFTMAX), mine + more))
    work.change_record(learner, SOFTMAX.id, kept=mine)
    assert reset.main("softmax") == 0
    assert path.read_text() == file_of("attention")


def test_what_is_no_function_any_more_is_no_stub_yet(learner, says):
    path = learner / "attention.py"
    path.write_text(path.read_text().replace(stub_of(SOFTMAX), "softmax = lambda x, dim=-1: x"))
    assert reset.main("softmax") == 0
    assert path.read_text() == file_of("attention")


def test_what_was_deleted_is_there_again(learner, says, capsys):
    path = learner / "attention.py"
    path.write_text(path.read_text().replace(stub_of(SOFTMAX), ""))
    assert reset.main("softmax") == 0
    assert "nothing, not even the stub" in capsys.readouterr().out
    assert path.read_text().endswith(f"\n\n\n{stub_of(SOFTMAX)}\n")


def test_a_cell_that_was_deleted_is_there_again_before_its_check(solved, says, capsys):
    _, book = solved
    notebook = json.loads(book.read_text())
    names = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in notebook["cells"]]
    del notebook["cells"][names.index("softmax")]
    book.write_text(json.dumps(notebook))
    assert reset.main("softmax") == 0
    assert "01_attention.ipynb: nothing, not even the stub" in capsys.readouterr().out
    [cell] = [c for c in nbformat.read(book, 4).cells if c.id == "softmax"]
    assert cell.source == stub_of(SOFTMAX)
    assert nbformat.read(book, 4).cells[names.index("check_softmax")].source == "check(softmax)"


def test_a_notebook_is_named_where_it_lies(solved, says, capsys):
    _, book = solved
    book.rename(book.parents[1] / book.name)
    assert reset.main("softmax") == 0
    assert "  01_attention.ipynb: 2 lines" in capsys.readouterr().out


@pytest.mark.parametrize("typed", ["", "n", "nein"])
def test_without_a_yes_nothing_is_changed(solved, says, typed, capsys):
    before = [each.read_text() for each in solved]
    says(typed)
    assert reset.main("softmax") == 0
    assert [each.read_text() for each in solved] == before
    assert not (solved[0].parent / "before").exists()
    assert capsys.readouterr().out.endswith("Nothing was changed.\n")


def test_nobody_sits_there(solved, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", eof)
    assert reset.main("softmax") == 0
    assert "Nothing was changed." in capsys.readouterr().out


def eof(asked):
    raise EOFError


def test_a_stub_stays_one(learner, capsys):
    assert reset.main("softmax") == 0
    assert capsys.readouterr().out == "softmax is a stub already: there is nothing to reset.\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("attention.py", "def softmax(:\n", "cannot be read as Python. Nothing was changed."),
        ("../notebooks/01_attention.ipynb", "no notebook", "cannot be read as a notebook"),
    ],
)
def test_what_cannot_be_read_stays_as_it_is(learner, says, capsys, name, text, said):
    (learner / name).write_text(text)
    assert reset.main("softmax") == 2
    assert said in capsys.readouterr().err
    assert (learner / name).read_text() == text


def test_an_unknown_name_is_answered_with_those_that_there_are(learner, capsys):
    assert reset.main("sofmax") == 2
    assert "no exercise called 'sofmax'; there are: attention.softmax" in capsys.readouterr().err


def test_where_no_course_lies_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert reset.main("softmax") == 2
    assert "no folder exercises/" in capsys.readouterr().err
