"""What every lesson has, and what the learner's own parts become in the end."""

import re

import pytest
import torch
from nbconvert import HTMLExporter
from torch import nn

from course import mine
from course.checks import LESSONS as MODULES
from course.checks import exercises_of, find
from course.lesson import lessons
from course.notebook import learners
from course.stubs import stub_of
from solutions.from_torch import copy_transformer

ALL = lessons()
TAUGHT = [lesson for lesson in ALL if lesson.number > 0]
EACH = pytest.mark.parametrize("lesson", TAUGHT, ids=[lesson.stem for lesson in TAUGHT])


def code_of(lesson):
    return "\n".join(part.text for part in lesson.of_kind("code"))


def prose_of(lesson):
    return "\n".join(part.text for part in lesson.of_kind("prose"))


@EACH
def test_a_lesson_has_all_that_a_lesson_has(lesson):
    assert lesson.module == MODULES[lesson.number - 1]
    asked = [part.name for part in lesson.of_kind("exercise")]
    assert asked == [exercise.id for exercise in exercises_of(lesson.module)]
    opening = lesson.parts[0].text.lower()
    assert "you will be able to" in opening
    assert "you need" in opening
    assert "minutes" in opening
    assert "redict" in prose_of(lesson)
    assert "$$" in prose_of(lesson)
    assert re.search(r"wrong\(\s*\"", code_of(lesson))  # a break-it lab
    assert re.search(r"explore\(|paint_mask\(", code_of(lesson))  # a widget
    [quiz] = lesson.of_kind("quiz")
    assert len(quiz.quiz) >= 6
    assert len(lesson.of_kind("question")) == 1
    assert "What you built" in prose_of(lesson)


@EACH
def test_the_right_choice_is_not_always_the_longest(lesson):
    [quiz] = lesson.of_kind("quiz")
    longest = sum(
        max(question.choices, key=lambda choice: len(choice.text)).right for question in quiz.quiz
    )
    assert longest < len(quiz.quiz)


@pytest.mark.parametrize("lesson", ALL, ids=[lesson.stem for lesson in ALL])
def test_as_a_page_it_can_be_read_without_running_anything(lesson):
    page, _ = HTMLExporter().from_notebook_node(learners(lesson))
    assert lesson.title in page
    for heading in re.findall(r"^## (.+)$", prose_of(lesson), re.M):
        word = re.sub(r"[*`$\\].*", "", heading).strip()
        assert word in page or word.replace("'", "&#39;") in page
    assert "{{" not in re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)


def solve(learner):
    """Fill in all files as the reference does."""
    for module in MODULES[:5]:
        path = learner / f"{module}.py"
        text = path.read_text()
        for exercise in exercises_of(module):
            text = text.replace(stub_of(exercise), exercise.source.rstrip())
        path.write_text(text)


def test_the_learners_own_parts_make_the_transformer_of_torch(learner, float64):
    """From exercises/ alone: attention in heads in blocks in stacks, and torch's numbers."""
    solve(learner)
    for module in MODULES[:5]:
        for exercise in exercises_of(module):
            assert mine.best_version(exercise)[1].startswith("yours"), exercise.id
    own = mine.best_version(find("Transformer"))[0]
    sizes = {"d_model": 24, "num_heads": 4, "d_ff": 40, "num_layers": 2, "dropout": 0.0}
    model = own(11, 13, **sizes).eval()
    kinds = {type(module) for module in model.modules()}
    assert {k.__module__ for k in kinds if k.__name__ in ("Encoder", "MultiHeadAttention")} == {
        "exercises.encoder_block",
        "exercises.multi_head",
    }
    theirs = nn.Transformer(24, 4, 2, 2, 40, dropout=0.0, batch_first=True).eval()
    theirs.encoder.norm = theirs.decoder.norm = None  # post-norm has no norm of its own at the end
    copy_transformer(theirs, model)
    source, target = torch.randint(1, 11, (2, 7)), torch.randint(1, 13, (2, 5))
    x = model.position(model.source_embedding(source))
    y = model.position(model.target_embedding(target))
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    expected = model.output(theirs(x, y, tgt_mask=mask))
    assert (model(source, target) - expected).abs().max() < 1e-10
