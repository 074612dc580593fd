"""Notebooks as built: stable, valid, with nbgrader's metadata, and nothing stale."""

import sys

import nbformat
import pytest

from course import build, last_built
from course.checks import find
from course.lesson import lessons, read
from course.notebook import instructors, learners, solved, text_of

LESSONS = lessons()
EACH = pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.stem for lesson in LESSONS])


def test_nothing_that_is_built_is_stale():
    files = build.built()
    assert [str(path) for path in build.stale(files)] == []
    assert last_built.read(build.ROOT) == last_built.of(build.ROOT, files)


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


def changed():
    """What is built when the lesson's text and the head of the exercises have changed."""
    files = dict(build.built())
    for path, text in files.items():
        files[path] = text.replace("# ", "# New: ", 1).replace("Fill in what", "Replace what")
        assert files[path] != text
    return files


NOTEBOOK, FILE = "00_start.ipynb", "attention.py"


def with_cell(path, change):
    """Do something to a built notebook, as JupyterLab would."""
    notebook = nbformat.read(path, as_version=4)
    change({cell.id: cell for cell in notebook.cells}, notebook)
    nbformat.write(notebook, path)


def plain_cell(cells):
    return next(c for c in cells.values() if c.cell_type == "code" and "nbgrader" not in c.metadata)


def typed_a_number(cells, notebook):
    plain_cell(cells).source += "\nguess = 7"


def answered_the_quiz(cells, notebook):
    cell = next(c for c in cells.values() if c.source.startswith("# Put the letter"))
    cell.source = cell.source.replace('""', '"A"', 1)


def wrote_a_note(cells, notebook):
    next(c for c in cells.values() if c.cell_type == "markdown").source += "\n\nAsk about this!"


def added_a_cell(cells, notebook):
    notebook.cells.append(nbformat.v4.new_markdown_cell("my summary"))


def removed_a_cell(cells, notebook):
    notebook.cells.pop()


def solved_it(cells, notebook):
    cells["causal_mask"].source = "def causal_mask(length):\n    return 1"


def pasted_a_picture(cells, notebook):
    cell = next(c for c in cells.values() if c.cell_type == "markdown")
    cell.attachments = {"a.png": {"image/png": "iVBORw0KGgo="}}


WORK = (typed_a_number, answered_the_quiz, wrote_a_note, added_a_cell, removed_a_cell)
WORK += (solved_it, pasted_a_picture)


@pytest.mark.parametrize("work", WORK, ids=[each.__name__ for each in WORK])
def test_what_somebody_has_written_is_never_built_over(copy, capsys, monkeypatch, work):
    build.main([])
    path = copy / "notebooks" / NOTEBOOK
    with_cell(path, work)
    before = path.read_text()
    capsys.readouterr()
    assert build.main([]) == 0
    assert f"{NOTEBOOK} holds something of yours, and was left as it is.\n" in (
        capsys.readouterr().out
    )
    files = changed()
    monkeypatch.setattr(build, "built", lambda: files)
    for _ in range(2):  # and it does not forget it over that
        assert build.main([]) == 0
        assert path.read_text() == before
        assert f"There is a new version: `{sys.executable} -m course.build --beside` puts it" in (
            capsys.readouterr().out
        )


def test_nor_what_is_no_notebook_any_more(copy):
    build.main([])
    for content in (b"", b"<<<<<<< mine", b"\xff\xfe\x00", b'{"cells": [1]}'):
        (copy / "notebooks" / NOTEBOOK).write_bytes(content)
        build.main([])
        assert (copy / "notebooks" / NOTEBOOK).read_bytes() == content


@pytest.mark.parametrize(
    "line", ["    return 1", "# a note", "import numpy", "raise NotImplementedError()  # todo"]
)
def test_nor_what_is_written_in_a_file_of_exercises(copy, line, capsys):
    build.main([])
    path = copy / "exercises" / FILE
    path.write_text(path.read_text() + line + "\n")
    before = path.read_text()
    build.main([])
    assert path.read_text() == before
    assert f"{FILE} holds something of yours" in capsys.readouterr().out


def test_without_a_record_all_is_kept_that_is_not_as_it_would_be_built(copy, monkeypatch):
    """As in a folder that is older than the record, or from where it was lost."""
    build.main([])
    (copy / last_built.RECORD).unlink()
    before = (copy / "notebooks" / NOTEBOOK).read_text()
    files = changed()
    monkeypatch.setattr(build, "built", lambda: files)
    build.main([])
    assert (copy / "notebooks" / NOTEBOOK).read_text() == before


def only_run_and_saved(cells, notebook):
    """What JupyterLab writes of itself."""
    for cell in notebook.cells:
        cell.metadata["scrolled"] = True
        if cell.cell_type == "code":
            cell.execution_count = 3
            cell.outputs = [nbformat.v4.new_output("stream", text="hello")]
    notebook.metadata["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    notebook.metadata["language_info"]["version"] = "3.13.1"
    notebook.cells.append(nbformat.v4.new_code_cell(""))  # Shift-Enter in the last cell


def test_who_changes_a_lesson_gets_all_of_it_built(copy, capsys, monkeypatch):
    """Also where the notebooks were opened, run and saved, and an editor has changed blanks."""
    build.main([])
    with_cell(copy / "notebooks" / NOTEBOOK, only_run_and_saved)
    file = copy / "exercises" / FILE
    file.write_text(file.read_text().replace("\n\n\ndef ", "\n  \n\ndef ") + "\n\n")
    files = changed()
    monkeypatch.setattr(build, "built", lambda: files)
    assert build.main(["--check"]) == 1
    build.main([])
    assert "holds something of yours" not in capsys.readouterr().out
    assert build.main(["--check"]) == 0


def test_the_new_version_is_put_beside_what_was_written(copy, capsys, monkeypatch):
    build.main([])
    path = copy / "notebooks" / NOTEBOOK
    with_cell(path, typed_a_number)
    before, files = path.read_text(), changed()
    monkeypatch.setattr(build, "built", lambda: files)
    for _ in range(2):
        build.main(["--beside"])
        assert path.read_text() == before
    new = path.with_name("00_start.new.ipynb")
    assert new.read_text() == files[path]
    assert "The new version lies beside it: 00_start.new.ipynb." in capsys.readouterr().out
    with_cell(new, typed_a_number)  # they have gone on in the new one
    begun = new.read_text()
    build.main(["--beside"])
    assert new.read_text() == begun
    assert path.with_name("00_start.new-2.ipynb").read_text() == files[path]
    assert not path.with_name("00_start.new-3.ipynb").exists()


def test_force_keeps_what_was_there_beside_it(copy, capsys):
    build.main([])
    path = copy / "notebooks" / NOTEBOOK
    for number in ("", "-2"):
        with_cell(path, typed_a_number)
        before = path.read_text()
        build.main(["--force"])
        assert path.with_name(f"00_start.yours{number}.ipynb").read_text() == before
        assert f"what was there is 00_start.yours{number}.ipynb now" in capsys.readouterr().out
    assert build.main(["--check"]) == 0


def test_a_stale_record_is_told(copy, capsys):
    build.main([])
    last_built.write(copy, {})
    assert build.main(["--check"]) == 1
    assert "built.json is stale" in capsys.readouterr().out
    build.main([])
    assert build.main(["--check"]) == 0


def test_where_nothing_can_be_written_a_sentence_says_so(copy, capsys):
    (copy / "notebooks" / NOTEBOOK).mkdir()
    assert build.main([]) == 1
    assert f"{NOTEBOOK} cannot be written: Is a directory." in capsys.readouterr().err


def test_a_mistake_in_a_lesson_is_told_with_its_place(copy, capsys, monkeypatch):
    monkeypatch.undo()
    lesson = copy / "notebooks" / "lessons" / "00_start.md"
    lesson.write_text("# 0\n\n```exercise attention.nothing\n```\n")
    monkeypatch.setattr(build, "lessons", lambda folder: lessons(copy / "notebooks" / "lessons"))
    assert build.main([]) == 1
    assert "00_start.md, line 3: there is no exercise" in capsys.readouterr().err
