"""When are two answers the same?"""

import pytest
import torch

from autograder.compare import close, differences
from autograder.trial import Answer, Problem, Trial


def aspects(answer, expected):
    return [difference.aspect for difference in differences(answer, expected, Trial([]))]


def test_rounding_is_no_difference():
    x = torch.randn(5, 7)
    assert close(x, x + 1e-6)
    assert close(x.to(torch.bfloat16), x)
    assert close(x.double(), x)


@pytest.mark.parametrize("error", [1e-3, 4e-3, 0.1])
def test_the_subtlest_mistake_is_a_difference(error):
    x = torch.rand(5, 7)
    wrong = x.clone()
    wrong[2, 3] += error
    assert not close(x, wrong)


def test_small_numbers_are_compared_by_their_own_size():
    x = torch.rand(4) * 1e-2
    assert not close(x, 1.01 * x)


def test_infinities_and_nan_must_be_in_the_same_places():
    x = torch.tensor([1.0, float("inf"), float("-inf"), float("nan")])
    assert close(x, x.clone())
    assert not close(x, torch.tensor([1.0, float("-inf"), float("inf"), float("nan")]))
    assert not close(x, torch.tensor([1.0, float("inf"), float("-inf"), 0.0]))
    assert not close(torch.tensor([1.0, float("nan")]), torch.tensor([1.0, 2.0]))
    assert not close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, float("nan")]))


def test_whole_numbers_are_compared_exactly():
    assert close(torch.tensor([1, 2]), torch.tensor([1, 2], dtype=torch.int32))
    assert not close(torch.tensor([10**9]), torch.tensor([10**9 + 1]))
    assert close(torch.tensor([True]), torch.tensor([1]))


def test_empty_arrays_are_equal():
    assert close(torch.empty(0, 3), torch.empty(0, 3))


def test_aspects_come_the_most_basic_first():
    answer = Answer({"a": torch.zeros(2), "b": torch.zeros(3)}, {"changed": ["x"]})
    expected = Answer({"a": torch.zeros(3), "b": torch.ones(3).double()}, {})
    assert aspects(answer, expected) == ["shape", "dtype", "value", "changed"]


def test_an_error_says_it_all():
    expected = Answer({"output": torch.zeros(3)}, {"returned": "a tensor"})
    assert aspects(Answer(problem=Problem("ValueError", "no")), expected) == ["error"]


def test_the_same_error_is_no_difference():
    one, other = (Answer(problem=Problem("ValueError", text)) for text in ("no", "never"))
    assert aspects(one, one) == []
    assert aspects(one, other) == ["error"]


def test_nan_where_a_number_was_expected_has_a_name():
    answer = Answer({"output": torch.tensor([float("nan")])})
    assert aspects(answer, Answer({"output": torch.ones(1)})) == ["not finite"]
