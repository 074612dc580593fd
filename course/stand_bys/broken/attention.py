"""Lesson 1: an attention that leaks, twice, and one that is too sharp."""

import torch

from solutions.arguments import check_attention

from ..attention import scaled_dot_product_attention
from .table import goes_wrong

ATTENTION = "attention.scaled_dot_product_attention"


def similarities(query, key):
    """Scaled, and nothing hidden yet."""
    return torch.einsum("...qd,...kd->...qk", query, key).div(query.shape[-1] ** 0.5)


def mixed(weights, value, mask):
    """(output, weights), where what is hidden has weight 0 and the rest stays as it was."""
    if mask is not None:
        weights = weights.where(mask, torch.zeros_like(weights))
    return torch.einsum("...qk,...kv->...qv", weights, value), weights


@goes_wrong(ATTENTION, "erased_after_softmax")
def hides_too_late(query, key, value, mask=None):
    check_attention(query, key, value, mask)
    return mixed(similarities(query, key).softmax(-1), value, mask)


@goes_wrong(ATTENTION, "over_queries")
def queries_share_a_key(query, key, value, mask=None):
    check_attention(query, key, value, mask)
    scores = similarities(query, key)
    if mask is not None:
        scores = scores.where(mask, scores.new_tensor(torch.finfo(scores.dtype).min))
    return mixed(scores.softmax(-2), value, mask)


@goes_wrong(ATTENTION, "no_scale")
def sharper(query, key, value, mask=None):
    return scaled_dot_product_attention(query * query.shape[-1] ** 0.5, key, value, mask=mask)
