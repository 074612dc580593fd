"""Lesson 5: how the embedding, the decoder and the whole Transformer are checked."""

from .count_parameters import count_parameters
from .decoder import Decoder
from .decoder_block import DecoderBlock
from .token_embedding import TokenEmbedding
from .transformer import Transformer

__all__ = [
    "Decoder",
    "DecoderBlock",
    "TokenEmbedding",
    "Transformer",
    "count_parameters",
]
