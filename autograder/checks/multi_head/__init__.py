"""Lesson 2: how multi-head attention is checked."""

from .heads import merge_heads, split_heads
from .multi_head_attention import MultiHeadAttention

EXERCISES = (
    split_heads,
    merge_heads,
    MultiHeadAttention,
)
