"""Lesson 7: how the parts that came after are checked."""

from .alibi_bias import alibi_bias
from .causal_self_attention import CausalSelfAttention
from .mask_tokens import mask_tokens
from .mixture_of_experts import MixtureOfExperts
from .patchify import patchify
from .rotary_embedding import rotary_embedding
from .sample_token import sample_token
from .sliding_window import sliding_window_attention, sliding_window_mask
from .tiled_attention import tiled_attention

__all__ = [
    "CausalSelfAttention",
    "MixtureOfExperts",
    "alibi_bias",
    "mask_tokens",
    "patchify",
    "rotary_embedding",
    "sample_token",
    "sliding_window_attention",
    "sliding_window_mask",
    "tiled_attention",
]
