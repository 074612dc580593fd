"""Lesson 3 · Positional encoding: attention sees a bag of tokens; waves say where each stands.

Fill in what raises NotImplementedError, and check it with

    autograder check exercises/positional_encoding.py
"""

import torch
from torch import nn

from solutions.arguments import check_dropout, check_even, check_length


def sinusoidal_encoding(length, d_model):
    """A vector for every position, made of waves from short to very long.

    PE(pos, 2i) = sin(pos / 10000^(2i / d_model))
    PE(pos, 2i+1) = cos(pos / 10000^(2i / d_model))     (section 3.5)

    Args:
        length: number of positions, counted from 0.
        d_model: features; an odd number ends with a sine.
    Returns:
        (length, d_model), sines in the even columns, cosines in the odd ones.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def shift_matrix(offset, d_model):
    """The matrix that moves every position's encoding on by `offset`, whatever the position.

    PE(pos + offset) = M PE(pos). Each pair (sine, cosine) is a clock hand, and M turns hand i by
    the angle offset / 10000^(2i / d_model)                       (section 3.5)

    Args:
        offset: any integer, negative too.
        d_model: an even number.
    Returns:
        (d_model, d_model)
    """
    check_even("d_model", d_model)
    # YOUR CODE HERE
    raise NotImplementedError()


class PositionalEncoding(nn.Module):
    """Add to every token the vector of the place where it stands (sections 3.5 and 5.4).

    Args:
        d_model: features of a token, an even number; what an odd one gives is up to you.
        max_length: positions to prepare; a longer sequence is a ValueError.
        dropout: probability of dropping a feature of the sum in training.

    The encoding is a buffer: it moves with the model from device to device, and is never trained.
    """

    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.max_length = max_length
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, x):
        """(batch, length, d_model) → dropout(x + encoding), the same shape."""
        check_length(x.shape[-2], self.max_length)
        # YOUR CODE HERE
        raise NotImplementedError()
