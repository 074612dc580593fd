"""When are two answers the same?"""

import pytest
import torch

from autograder.engine.compare import close, differences
from autograder.engine.trial import Answer, Problem, Trial, comparable


def aspects(answer, expected):
    return [difference.aspect for difference in differences(answer, expected, Trial([]))]


def test_rounding_is_no_difference():
    x = torch.randn(5, 7)
    assert close(x, x + 1e-6)
    assert close(x.double(), x)
    assert close(x.to(torch.bfloat16), x.to(torch.bfloat16) * 1.01)


@pytest.mark.parametrize("coarse", [torch.bfloat16, torch.float16])
def test_who_answers_in_a_coarser_dtype_is_not_let_off_with_more(coarse):
    """The tolerance is the expected dtype's."""
    x = torch.randn(5, 7)
    assert not close(x.to(coarse), x)
    assert not close(x.double() + 1e-5, x.double())
    assert not close((x + 1e-5).float(), x.double())
    assert close(x.to(coarse), x, roughly=True)
    near_by = torch.tensor(1.00001)  # a wrong 1.001 would be rounded to the same
    assert not close(torch.tensor(1.001).to(coarse), near_by)
    assert not close(torch.tensor(1.0).to(coarse), near_by)
    whole = torch.arange(7.0)  # what fits into a coarse dtype loses nothing in it
    assert close(whole.to(coarse), whole)


@pytest.mark.parametrize("expected", [torch.bfloat16, torch.float16])
def test_where_a_coarse_dtype_is_expected_its_rounding_is_allowed(expected):
    x = torch.randn(5, 7)
    assert close(x, x.to(expected))
    assert not close(1.2 * x, x.to(expected))


def test_beside_infinities_and_nan_the_same_rounding_is_allowed():
    x = torch.tensor([1.0, float("-inf"), 3.0, float("nan")])
    half = x.to(torch.bfloat16)
    assert close(half * 1.01, half)
    assert close(x + 1e-5, x)
    assert not close(x.double() + 1e-4, x.double())
    assert not close(half * 1.2, half)


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


def test_a_gradient_without_ordinary_numbers_is_none():
    """Whoever is judged may have forged it."""
    right = Answer({"gradient of x": torch.ones(3)})
    forged = Answer({"gradient of x": torch.ones(3).to(torch.complex64)})
    assert aspects(comparable(forged, Trial([])), right) == ["gradient"]


def test_numbers_whose_difference_is_none_are_different():
    largest = torch.finfo(torch.float32).max
    assert not close(torch.tensor([-largest, 0.0]), torch.tensor([largest, 0.0]))
