"""Stubs: what nbgrader would leave, and names that the learner's lines can use."""

import ast

import pytest
from nbformat.v4 import new_code_cell
from nbgrader.preprocessors import ClearSolutions

from course.checks import LESSONS, all_exercises, exercises_of
from course.stubs import cleared, file_of, imports_of, stub_of

ALL = pytest.mark.parametrize("exercise", all_exercises().values(), ids=list(all_exercises()))


@ALL
def test_a_stub_is_what_nbgrader_leaves(exercise):
    cell = new_code_cell(exercise.source.rstrip())
    cell.metadata["nbgrader"] = {"solution": True, "grade": False}
    cell, _ = ClearSolutions().preprocess_cell(cell, {"language": "python"}, 0)
    assert stub_of(exercise) == cell.source
    assert "NotImplementedError" in cell.source
    assert "SOLUTION" not in cell.source


def test_text_without_marks_stays_as_it_is():
    assert cleared("x = 1\n") == "x = 1\n"


@pytest.mark.parametrize("module", LESSONS)
def test_a_file_of_stubs_can_be_run_and_defines_its_exercises_alone(module, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # no exercises/ here: earlier pieces are the reference's
    source = file_of(module)
    names = {"__name__": f"exercises.{module}"}
    exec(compile(source, module, "exec"), names)
    defined = {node.name for node in ast.parse(source).body if hasattr(node, "name")}
    assert defined == {exercise.name for exercise in exercises_of(module)}
    for exercise in exercises_of(module):
        assert exercise.name in names


def test_earlier_pieces_are_the_learners_own():
    assert "from course.mine import MultiHeadAttention" in imports_of("encoder_block")
    assert "from solutions.arguments import check_dropout" in imports_of("encoder_block")
    assert "course.mine" not in imports_of("attention")
