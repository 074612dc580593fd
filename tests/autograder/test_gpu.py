"""The same checks on a GPU, where there is one."""

import pytest
import torch

from autograder.engine.examine import examine
from course.checks import all_exercises, find
from tests.autograder.implementations import Heads, attention

EXERCISES = all_exercises()
pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=list(EXERCISES))
def test_the_reference_passes(exercise):
    verdict = examine(exercise, exercise.reference, seed=1, device="cuda")
    assert verdict.passed, verdict.text()


def test_other_right_answers_pass():
    assert examine(find("scaled_dot_product_attention"), attention, device="cuda").passed
    assert examine(find("MultiHeadAttention"), Heads, device="cuda").passed


def test_a_mistake_is_named():
    def unscaled(query, key, value, mask=None):
        return attention(query, key, value, mask, root=0.0)

    verdict = examine(find("scaled_dot_product_attention"), unscaled, device="cuda")
    assert verdict.diagnosis == "no_scale"


def test_a_tensor_left_on_the_cpu_is_told():
    def stays(query, key, value, mask=None):
        output, weights = attention(query, key, value, mask)
        return output + torch.ones(1, 1) @ torch.zeros(1, output.shape[-1]), weights

    verdict = examine(find("scaled_dot_product_attention"), stays, device="cuda")
    assert not verdict.passed
    assert "device" in verdict.message
