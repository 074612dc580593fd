"""Lesson 5 · The full Transformer: an encoder that reads and a decoder that writes.

Fill in what raises NotImplementedError, and check it with

    autograder check exercises/transformer.py
"""

import math

import torch
from torch import nn

from course.mine import (
    Encoder,
    FeedForward,
    MultiHeadAttention,
    PositionalEncoding,
    causal_mask,
    padding_mask,
)
from solutions.arguments import check_not_empty


class TokenEmbedding(nn.Module):
    """Look up a vector for every token, and multiply it by √d_model (section 3.4).

    Args:
        vocab: number of different tokens.
        d_model: features of a token.

    Parameters: `table`, nn.Embedding(vocab, d_model).
    """

    def __init__(self, vocab, d_model):
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, tokens):
        """(..., length) token numbers → (..., length, d_model)."""
        # YOUR CODE HERE
        raise NotImplementedError()


class DecoderBlock(nn.Module):
    """Look at what has been written, look at what was read, think it over (section 3.1).

    Three sub-layers, each added to what went in and normed as in EncoderBlock:
    self-attention over the target; cross-attention, with queries from the target and keys and
    values from the encoder's memory; feed-forward.

    Args: as in EncoderBlock.
    Parts: `self_attention`, `cross_attention` and `feed_forward`, and in the same order `norm1`,
    `norm2` and `norm3`.
    """

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, x, memory, mask=None, memory_mask=None):
        """x (batch, target, d_model), memory (batch, source, d_model) → the shape of x.

        mask broadcasts against (batch, heads, target, target), memory_mask against (batch, heads,
        target, source).
        """
        # YOUR CODE HERE
        raise NotImplementedError()


class Decoder(nn.Module):
    """A stack of decoder blocks; every one of them looks at the same memory (section 3.1).

    Args: as in Encoder.
    Parts: `layers`, an nn.ModuleList, and `norm`: a final LayerNorm with norm_first, otherwise
        None.
    """

    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, x, memory, mask=None, memory_mask=None):
        """x (batch, target, d_model), memory (batch, source, d_model) → the shape of x.

        mask and memory_mask: as in DecoderBlock.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


class Transformer(nn.Module):
    """Read a source sequence, and say for every target position which token comes next (figure 1).

    Args:
        source_vocab, target_vocab: number of different tokens on either side.
        d_model, num_heads, d_ff, num_layers, dropout: the paper's base model (table 3).
        max_length: the longest sequence on either side.
        norm_first: as in EncoderBlock.
        tie_weights: let `output` and the target embedding share one matrix (section 3.4, where the
            source embedding shares it, too).
        pad: the token number of padding; nothing ever attends to it. It stays at hand as `pad`:
            whoever decodes asks for it.

    Parts: `source_embedding`, `target_embedding`, `position` (one for both sides), `encoder`,
    `decoder`, and `output`, nn.Linear(d_model, target_vocab).
    """

    def __init__(
        self,
        source_vocab,
        target_vocab,
        d_model=512,
        num_heads=8,
        d_ff=2048,
        num_layers=6,
        dropout=0.1,
        max_length=5000,
        norm_first=False,
        tie_weights=False,
        pad=0,
    ):
        super().__init__()
        self.pad = pad
        # YOUR CODE HERE
        raise NotImplementedError()

    def encode(self, source):
        """source (batch, source) token numbers → memory (batch, source, d_model)."""
        check_not_empty("source", source)
        # YOUR CODE HERE
        raise NotImplementedError()

    def decode(self, target, memory, source):
        """target (batch, target), memory (batch, source, d_model) → (batch, target, d_model).

        `source` says which positions of the memory are padding.
        """
        check_not_empty("target", target)
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, source, target):
        """source (batch, source), target (batch, target) → logits (batch, target, target_vocab)."""
        # YOUR CODE HERE
        raise NotImplementedError()


def count_parameters(model):
    """How many numbers training can change: a shared one counts once, a frozen one not at all.

    (the last column of table 3)

    Args:
        model: any nn.Module.
    Returns:
        int; a whole number of NumPy's will do, too.
    """
    # YOUR CODE HERE
    raise NotImplementedError()
