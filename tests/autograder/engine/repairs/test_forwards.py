"""A learner's way of being wrong is found among small changes of the model answer."""

import pytest

from autograder.engine.diff_writer import diff_of, makes
from autograder.engine.examine import examine
from autograder.engine.likeness import Likeness, Sketch
from autograder.engine.repairs.forwards import wrong_model_answer
from course.checks import find

ATTENTION = find("attention.scaled_dot_product_attention")
# d_k is rounded down before it divides, in loops that have no line of the model answer.
WHOLE_ROOT = (
    "import math, torch\n"
    "def scaled_dot_product_attention(q, k, v, m=None):\n"
    "    s = torch.einsum('...id,...jd->...ij', q, k) / int(math.sqrt(q.size(-1)))\n"
    "    if m is not None:\n"
    "        s = torch.where(m, s, torch.tensor(float('-inf'), dtype=s.dtype))\n"
    "    e = (s - torch.logsumexp(s, -1, keepdim=True)).exp()\n"
    "    return torch.einsum('...ij,...jd->...id', e, v), e\n"
)


def likeness(exercise, source):
    names = {}
    exec(source, names)
    return examine(exercise, names[exercise.name], 5).likeness


def test_it_is_found_though_the_learner_wrote_something_else_throughout():
    before, after = wrong_model_answer(ATTENTION, likeness(ATTENTION, WHOLE_ROOT))
    assert "math.sqrt" in before
    assert "math.isqrt" in after


def test_it_is_written_as_a_diff_that_makes_it():
    before, after = wrong_model_answer(ATTENTION, likeness(ATTENTION, WHOLE_ROOT))
    lines = diff_of(ATTENTION, before, after)
    assert [line[:2] for line in lines] == ["- ", "+ "]
    assert makes(ATTENTION, lines, after)
    assert all(line[2] != " " for line in lines)


def test_nothing_is_found_where_nothing_small_does_it():
    random = "import torch\ndef softmax(x, dim=-1):\n    return x.sin() ** 2 + x.tanh()"
    softmax = find("attention.softmax")
    assert wrong_model_answer(softmax, likeness(softmax, random), 5) is None


@pytest.mark.parametrize("seen", [{}, {"no_such_probe": Sketch(("value",), (1.0,) * 4)}])
def test_what_no_question_shows_is_not_looked_for(seen):
    assert wrong_model_answer(ATTENTION, Likeness(("values",), seen)) is None


def test_an_exception_is_not_enough():
    """What has no numbers could be anything."""
    broken = "def softmax(x, dim=-1):\n    return x.no_such_thing()"
    softmax = find("attention.softmax")
    assert wrong_model_answer(softmax, likeness(softmax, broken), 5) is None
