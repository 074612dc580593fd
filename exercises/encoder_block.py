"""Lesson 4 · The encoder block: look around, think it over, and keep the signal in shape.

Fill in what raises NotImplementedError, and check it with

    autograder check exercises/encoder_block.py
"""

import torch
from torch import nn

from course.mine import MultiHeadAttention
from solutions.arguments import check_dropout


class LayerNorm(nn.Module):
    """Give the features of every token mean 0 and variance 1, then let the model rescale them.

    y = (x - mean) / √(variance + eps) · weight + bias    (section 3.1 cites Ba et al., 2016)

    Mean and (biased) variance are those of one token's features: neither the batch nor the other
    tokens count.

    Args:
        d_model: features of a token.
        eps: keeps the root away from 0 where all features are equal.

    Parameters: `weight`, ones at first, and `bias`, zeros at first, both (d_model,).
    """

    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, x):
        """(..., d_model) → the same shape."""
        # YOUR CODE HERE
        raise NotImplementedError()


class FeedForward(nn.Module):
    """Let every token think on its own: widen, keep what is positive, narrow again.

    FFN(x) = max(0, x W_1 + b_1) W_2 + b_2               (section 3.3, equation 2)

    Args:
        d_model: features of a token.
        d_ff: features in between; the paper takes 4 · d_model.
        dropout: probability of dropping a feature after the activation in training.

    Parameters: `linear1`, nn.Linear(d_model, d_ff), and `linear2`, nn.Linear(d_ff, d_model).
    """

    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, x):
        """(..., d_model) → the same shape; one position changes nothing at another."""
        # YOUR CODE HERE
        raise NotImplementedError()


class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward; each is added to what went in, and normed.

    The paper norms after adding:  x = LayerNorm(x + Dropout(Sublayer(x)))    (sections 3.1 and 5.4)
    Most models since norm first:  x = x + Dropout(Sublayer(LayerNorm(x)))    (norm_first=True)

    Args:
        d_model, num_heads: as in MultiHeadAttention.
        d_ff: as in FeedForward.
        dropout: for attention weights, inside feed-forward, and for what each sub-layer adds.
        norm_first: which of the two orders.

    Parts: `self_attention` with its `norm1`, and `feed_forward` with its `norm2`.
    """

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, x, mask=None):
        """(batch, length, d_model) → the same shape.

        mask: boolean, broadcasts against (batch, heads, length, length).
        """
        # YOUR CODE HERE
        raise NotImplementedError()


class Encoder(nn.Module):
    """A stack of encoder blocks, each with parameters of its own (section 3.1).

    Args:
        num_layers: number of blocks; the paper's N = 6.
        d_model, num_heads, d_ff, dropout, norm_first: as in EncoderBlock.

    Parts: `layers`, an nn.ModuleList, and `norm`: with norm_first a LayerNorm for the last sum,
    which no block has normed; otherwise None.
    """

    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, x, mask=None):
        """(batch, length, d_model) → the same shape.

        mask: boolean, broadcasts against (batch, heads, length, length).
        """
        # YOUR CODE HERE
        raise NotImplementedError()
