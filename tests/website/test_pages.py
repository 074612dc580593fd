"""What a reader sees of a lesson, and what not."""

import re

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course.checks import all_exercises, exercises_of
from course.lesson import lessons
from course.notebook import SETUP, solved
from course.published import arrival
from website.check import answer_lines
from website.pages import Page, page_of, slug

LESSONS = lessons()
EACH = pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.stem for lesson in LESSONS])


def text_of(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


def page(cells, folder, lesson=LESSONS[1], **options):
    """The page of a notebook that begins with a title."""
    notebook = new_notebook(cells=[new_markdown_cell("# A lesson"), *cells])
    return page_of(Page(lesson, folder, **options), notebook).cells[1:]


def printing(source, text):
    return new_code_cell(source, outputs=[new_output("stream", name="stdout", text=text)])


@EACH
def test_answers_stand_in_the_instructors_edition_alone(lesson, tmp_path):
    learners = text_of(page_of(Page(lesson, tmp_path), solved(lesson)))
    assert not [line for line in answer_lines() if line in learners]
    whole = text_of(page_of(Page(lesson, tmp_path, answers=True), solved(lesson)))
    for part in lesson.of_kind("exercise"):
        assert all_exercises()[part.name].source.rstrip() in whole
    for part in lesson.of_kind("question"):
        assert part.text in whole
        assert part.text not in learners
    for choice in (c for part in lesson.of_kind("quiz") for q in part.quiz for c in q.choices):
        assert choice.text in learners
        assert choice.why in whole
        assert choice.why not in learners


def test_many_lines_tell_an_answer():
    assert len(answer_lines()) > 5 * len(all_exercises())


@EACH
def test_an_exercise_has_its_stub_and_its_hints_each_folded_into_the_one_before(lesson, tmp_path):
    shown = page_of(Page(lesson, tmp_path), solved(lesson))
    boxes = [cell.source for cell in shown.cells if "{admonition} Your turn" in cell.source]
    asked = exercises_of(lesson.module) if lesson.number else []
    assert len(boxes) == len(asked)
    for text in boxes:
        assert "# YOUR CODE HERE" in text
        assert re.findall(r"<(/?details)\b", text) == ["details"] * 3 + ["/details"] * 3
        assert "<details open" not in text


@EACH
def test_nothing_on_a_page_waits_to_be_run(lesson, tmp_path):
    for cell in page_of(Page(lesson, tmp_path), solved(lesson)).cells:
        if cell.cell_type == "code":
            assert not cell.source.startswith(("check(", "check_quiz(", "answers = {"))
            assert "NotImplementedError" not in cell.source


def test_what_was_to_be_predicted_is_folded_and_the_rest_is_not(tmp_path):
    asked = new_markdown_cell("## One\n\n**Predict:** which?")
    told = new_markdown_cell("**Predict** this.\n\n## The next section\n\nLook:")
    first, second = (printing("print(1)", "1\n") for _ in range(2))
    _, guessed, _, open_one = page([asked, first, told, second], tmp_path)
    assert guessed.metadata.tags == ["hide-output"]
    assert open_one.metadata.tags == []


def test_long_code_is_folded_and_what_it_imports_first(tmp_path):
    long, short = new_code_cell("x = 1\n" * 16), new_code_cell("x = 1")
    setup = new_code_cell(f"{SETUP}import torch")
    cells = page([long, short, setup], tmp_path)
    assert [cell.metadata.tags for cell in cells] == [["hide-input"], [], ["hide-input"]]
    assert cells[2].source == "import torch"


def test_what_brings_the_course_to_colab_is_not_shown(tmp_path):
    assert page([new_code_cell(arrival(LESSONS[1]))], tmp_path) == []


def test_whose_version_was_taken_is_not_told_and_the_rest_is(tmp_path):
    source = "from course.mine import softmax\n\nprint('softmax: done')"
    [cell] = page([printing(source, "softmax: yours\nsoftmax: done\n")], tmp_path)
    assert cell.outputs[0].text == "softmax: done\n"
    [cell] = page([printing("from course.mine import softmax", "softmax: yours\n")], tmp_path)
    assert cell.outputs == []


def test_printed_sentences_may_be_broken_and_tables_and_short_lines_stay(tmp_path):
    long = "without a mistake: 91% of the strings with 4 letters, 6% with 8\n"
    table = "   8 tokens: 27 operations, of which 7 in the reader\n  32 tokens: 99\n"
    cells = [printing("print(1)", text) for text in (long, f"two  parts, {long}", table, "1\n")]
    tags = [cell.metadata.tags for cell in page(cells, tmp_path)]
    assert tags == [["sentences"], ["sentences"], [], []]


def test_what_is_printed_in_pieces_is_one_text(tmp_path):
    pieces = [new_output("stream", name="stdout", text=text) for text in ("one", "\ntwo\n")]
    [cell] = page([new_code_cell("print('one\\ntwo')", outputs=pieces)], tmp_path)
    assert [out.text for out in cell.outputs] == ["one\ntwo\n"]


def test_nothing_is_told_of_the_machine_and_no_warning_is_shown(tmp_path):
    warned = new_code_cell("x", outputs=[new_output("stream", name="stderr", text="a warning")])
    doctor = printing("_ = doctor()", "ok  Python /home/me/.venv/bin/python\n")
    points = printing("show_progress()", "not yet 0 of 8\n")
    assert [cell.outputs for cell in page([warned, doctor, points], tmp_path)] == [[], [], []]


def test_a_page_says_how_to_work_on_it_and_points_to_a_pdf_if_there_is_one(tmp_path):
    notebook = new_notebook(cells=[new_markdown_cell("# A lesson\n\nText.")])
    first = page_of(Page(LESSONS[2], tmp_path, pdf=True), notebook).cells[0].source
    assert "autograder lesson 2" in first
    assert "pdf/02_multi_head.pdf" in first
    notebook = new_notebook(cells=[new_markdown_cell("# A lesson\n\nText.")])
    assert "pdf" not in page_of(Page(LESSONS[2], tmp_path), notebook).cells[0].source


def test_anchors_are_those_that_lessons_link_to():
    for lesson in LESSONS:
        text = "\n".join(part.text for part in lesson.of_kind("prose"))
        headings = {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.M)}
        assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings
