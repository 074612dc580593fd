"""Notebooks as built: stable, valid, with nbgrader's metadata, and nothing stale."""

import nbformat
import pytest

from autograder.checks import find
from course import build
from course.lesson import LessonError, lessons, read
from course.notebook import instructors, learners, solved, text_of

LESSONS = lessons()
EACH = pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.stem for lesson in LESSONS])


def test_nothing_that_is_built_is_stale():
    assert [str(path) for path in build.stale(build.built())] == []


@EACH
def test_building_twice_gives_the_same(lesson):
    assert text_of(learners(lesson)) == text_of(learners(read(lesson.path)))


@EACH
def test_ids_are_stable_and_say_what_a_cell_is(lesson):
    cells = learners(lesson).cells
    ids = [cell.id for cell in cells]
    assert len(set(ids)) == len(ids)
    assert [cell.id for cell in solved(lesson).cells] == ids
    for cell in cells:
        if "nbgrader" in cell.metadata:
            assert cell.id == cell.metadata.nbgrader.grade_id


@EACH
def test_a_learner_gets_stubs_and_no_outputs(lesson):
    text = text_of(learners(lesson))
    assert "SOLUTION" not in text
    for cell in learners(lesson).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    for part in lesson.of_kind("question"):
        assert part.text.splitlines()[0] not in text


@EACH
def test_points_are_those_of_the_exercise(lesson):
    cells = {cell.id: cell for cell in learners(lesson).cells}
    for part in lesson.of_kind("exercise"):
        exercise = find(part.name)
        check = cells[f"check_{exercise.name}"]
        assert check.source == f"check({exercise.name})"
        assert check.metadata.nbgrader.points == exercise.max_score
        assert check.metadata.nbgrader.locked
        assert not check.metadata.editable
        assert cells[exercise.name].metadata.nbgrader.solution


@EACH
def test_it_is_a_valid_notebook_for_any_python_3(lesson):
    notebook = nbformat.reads(text_of(instructors(lesson)), as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "version" not in notebook.metadata.language_info


def test_an_answer_that_does_not_fit_its_stub_is_refused(tmp_path):
    path = tmp_path / "01_attention.md"
    path.write_text("# 1\n\n```exercise attention.softmax\ndef softmax(x):\n    return x\n```\n")
    with pytest.raises(LessonError, match="line 3: the model answer differs from the stub"):
        learners(read(path))


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A small copy of the course, to be built anew."""
    (tmp_path / "notebooks" / "lessons").mkdir(parents=True)
    (tmp_path / "exercises").mkdir()
    text = LESSONS[0].path.read_text() + "\n```exercise attention.causal_mask\n```\n"
    (tmp_path / "notebooks" / "lessons" / "00_start.md").write_text(text)
    files = build.built(tmp_path)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "built", lambda: files)
    return tmp_path


def test_a_stale_file_is_told_and_built(copy, capsys):
    assert build.main(["--check"]) == 1
    assert "00_start.ipynb is stale" in capsys.readouterr().out
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0
    assert build.main([]) == 0


def test_what_is_filled_in_is_not_written_over(copy, capsys):
    build.main([])
    notebook = copy / "notebooks" / "00_start.ipynb"
    file = copy / "exercises" / "attention.py"
    cells = nbformat.read(notebook, as_version=4)
    [stub] = [cell for cell in cells.cells if cell.id == "causal_mask"]
    stub.source = "def causal_mask(length):\n    return 1"
    nbformat.write(cells, notebook)
    file.write_text(file.read_text().replace("raise NotImplementedError()", "return 1", 1))
    before = notebook.read_text(), file.read_text()
    capsys.readouterr()
    assert build.main([]) == 0
    assert capsys.readouterr().out.count("holds answers, and was left as it is") == 2
    assert (notebook.read_text(), file.read_text()) == before
    build.main(["--force"])
    assert build.main(["--check"]) == 0


def test_a_mistake_in_a_lesson_is_told_with_its_place(copy, capsys, monkeypatch):
    monkeypatch.undo()
    lesson = copy / "notebooks" / "lessons" / "00_start.md"
    lesson.write_text("# 0\n\n```exercise attention.nothing\n```\n")
    monkeypatch.setattr(build, "lessons", lambda folder: lessons(copy / "notebooks" / "lessons"))
    assert build.main([]) == 1
    assert "00_start.md, line 3: there is no exercise" in capsys.readouterr().err
