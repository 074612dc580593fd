"""A known mistake is undone in the learner's code, and its line is that of the mistake."""

import difflib
import sys

import pytest

from autograder.engine.exam import Exam
from autograder.engine.examine import try_everything
from autograder.engine.isolation import undisturbed
from autograder.engine.mistakes import edited_source
from autograder.engine.repairs.apart import Here
from autograder.engine.repairs.backwards import backwards
from autograder.engine.repairs.own_code import own_code
from autograder.engine.repairs.proof import proposed
from autograder.engine.repairs.search import Attempts
from autograder.engine.subject import LocalSubject
from course.checks import all_exercises, find

MOST = 300  # answers that are asked for
EACH = [
    (exercise.id, mistake.id)
    for exercise in all_exercises().values()
    for mistake in exercise.mistakes[:2]
]


def mended(exercise, way, source, proposals=None):
    """The changes that make a source right, as (line, kind)."""
    code, names = own_code(source, exercise.name), vars(sys.modules[exercise.reference.__module__])
    with undisturbed(3):
        subject = LocalSubject(code.built(names))
        records = try_everything(exercise, subject, Exam(exercise, 3).questions())
        assert any(record.found for record in records)

        def propose():
            return proposals(code) if proposals else proposed(exercise, code, (way,))

        search = Attempts(code, records, Here(names, at=lambda number: None), propose, 60, MOST)
        return search.one() or search.two()


def lines_of_edit(exercise, way):
    """The lines of the wrong source that a mistake changed, and those around what it took out."""
    right, wrong = exercise.source.splitlines(), edited_source(exercise, (way,)).splitlines()
    matcher = difflib.SequenceMatcher(None, right, wrong, autojunk=False)
    changed = [(j1, j2) for tag, _, _, j1, j2 in matcher.get_opcodes() if tag != "equal"]
    return {n for j1, j2 in changed for n in (range(j1 + 1, j2 + 1) if j2 > j1 else (j1, j1 + 1))}


@pytest.mark.parametrize(("exercise_id", "way"), EACH)
def test_the_line_is_where_the_mistake_was_made(exercise_id, way):
    exercise = find(exercise_id)
    found = mended(exercise, way, edited_source(exercise, (way,)))
    # What is missing may often be put in at more than one place.
    if found and not any(mend.below for mend in found):
        lines = lines_of_edit(exercise, way)
        assert any(line in lines for mend in found for line in mend.lines), found


def test_nearly_all_of_them_are_mended():
    """In the lesson whose checks are the quickest."""
    left = []
    for exercise in [each for each in all_exercises().values() if each.module == "attention"]:
        for mistake in exercise.mistakes:
            if not mended(exercise, mistake.id, edited_source(exercise, (mistake.id,))):
                left.append(mistake.id)
    assert len(left) <= 4, left


LEARNERS = """
def scaled_dot_product_attention(q, k, v, mask=None):
    width = q.size(-1)
    hidden_away = q @ k.transpose(-2, -1)
    if mask is not None:
        hidden_away = hidden_away.masked_fill(~mask, -1e9)
    shares = torch.softmax(hidden_away, dim=-1)
    return shares @ v, shares
"""


def test_names_are_the_learners():
    exercise = find("scaled_dot_product_attention")
    [mend] = mended(
        exercise, "no_scale", LEARNERS, lambda code: backwards(exercise, ["no_scale"], code)
    )
    assert mend.line == 4


def test_what_is_not_there_is_put_in_below_a_line():
    exercise = find("multi_head.MultiHeadAttention")
    source = edited_source(exercise, ("weights_not_kept",))
    [mend] = mended(exercise, "weights_not_kept", source)
    assert mend.kind == "missing step"
    assert mend.below
