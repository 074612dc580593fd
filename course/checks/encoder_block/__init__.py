"""Lesson 4: how layer norm, feed-forward, the encoder's block and its stack are checked."""

from .encoder import Encoder
from .encoder_block import EncoderBlock
from .feed_forward import FeedForward
from .layer_norm import LayerNorm

__all__ = [
    "Encoder",
    "EncoderBlock",
    "FeedForward",
    "LayerNorm",
]
