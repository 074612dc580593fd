"""Two mistakes, neither of which explains anything alone."""

import pytest
import torch

from autograder.engine import pairs
from autograder.engine.examine import examine
from course.checks import find
from course.stand_bys.attention import scaled_dot_product_attention


def padding_mask(tokens, pad=0):
    hidden = tokens == pad
    return hidden[:, None]  # the wrong way round, and one dimension too few


def self_attention(x, w_query, w_key, w_value, mask=None):
    output, weights = scaled_dot_product_attention(x @ w_key, x @ w_query, x @ w_value, mask)
    return weights, output


def shift_right(targets, start):
    first = torch.full_like(targets[:, :1], start)
    return torch.cat((targets[:, 1:], first), dim=1).flip(1)  # what nobody has thought of


@pytest.mark.parametrize(
    ("answer", "both"),
    [
        (padding_mask, {"inverted", "three_dimensions"}),
        (self_attention, {"query_and_key_swapped", "swapped_results"}),
    ],
)
def test_both_are_named(answer, both):
    verdict = examine(find(answer.__name__), answer, seed=1)
    assert {verdict.diagnosis, verdict.also} == both


def test_where_no_pair_explains_it_none_is_named():
    assert examine(find("shift_right"), shift_right, seed=1).diagnosis is None


def test_with_too_many_pairs_none_is_tried(monkeypatch):
    monkeypatch.setattr(pairs, "MOST", 3)
    assert examine(find("padding_mask"), padding_mask, seed=1).diagnosis is None
