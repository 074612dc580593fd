"""The map of all exercises."""

from autograder.doors.terminal import main
from course.checks import all_exercises
from course.progress import as_html, as_text, next_step, rows
from tests.course.test_work import RIGHT, WRONG, checked


def states():
    return {row.exercise: row.state for row in rows()}


def test_at_first_nothing_is_done(learner):
    found = rows()
    assert [row.exercise for row in found] == list(all_exercises())
    assert {row.state for row in found} == {"not yet"}
    assert "Next: softmax, in notebooks/01_attention.ipynb" in as_text(found)


def test_tried_and_done(learner, cell):
    checked(cell(WRONG, "causal_mask"))
    assert states()["attention.causal_mask"] == "tried"
    assert "tried once" in as_text(rows())
    checked(cell(RIGHT, "causal_mask"))
    assert states()["attention.causal_mask"] == "done"
    assert "1 of 36 exercises are done" in as_text(rows())


def test_what_was_solved_in_an_editor_counts(learner):
    path = learner / "attention.py"
    path.write_text(path.read_text() + "\n\n" + RIGHT)
    assert states()["attention.causal_mask"] == "done"


def test_the_table_for_a_notebook_says_the_same(learner):
    page = as_html(rows())
    for exercise in all_exercises():
        assert f"<code>{exercise}</code>" in page
    assert "Next: softmax" in page


def test_when_all_is_done(learner):
    found = [type(row)(row.exercise, "done", row.of, row.of, 1) for row in rows()]
    assert next_step(found).startswith("Everything is done")


def test_the_command(learner, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(learner.parent)
    assert main(["progress"]) == 0
    assert "0 of 36 exercises are done" in capsys.readouterr().out
    monkeypatch.chdir("/")
    assert main(["progress"]) == 0
    assert "There is no folder exercises/ here" in capsys.readouterr().err
