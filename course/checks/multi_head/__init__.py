"""Lesson 2: how multi-head attention is checked."""

from .heads import merge_heads, split_heads
from .multi_head_attention import MultiHeadAttention

__all__ = [
    "MultiHeadAttention",
    "merge_heads",
    "split_heads",
]
