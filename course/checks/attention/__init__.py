"""Lesson 1: how attention is checked."""

from .masks import causal_mask, padding_mask
from .scaled_dot_product_attention import scaled_dot_product_attention
from .self_attention import self_attention
from .softmax import softmax

__all__ = [
    "causal_mask",
    "padding_mask",
    "scaled_dot_product_attention",
    "self_attention",
    "softmax",
]
