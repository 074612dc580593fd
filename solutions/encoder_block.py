"""Lesson 4 · The encoder block: look around, think it over, and keep the signal in shape."""

import torch
from torch import nn

from .arguments import check_dropout
from .multi_head import MultiHeadAttention


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
        ### BEGIN SOLUTION
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        ### END SOLUTION

    def forward(self, x):
        """(..., d_model) → the same shape."""
        ### BEGIN SOLUTION
        mean = x.mean(dim=-1, keepdim=True)  # (..., 1)
        centred = x - mean
        variance = centred.square().mean(dim=-1, keepdim=True)  # (..., 1)
        normalised = centred * torch.rsqrt(variance + self.eps)  # rsqrt(v) = 1 / √v
        return normalised * self.weight + self.bias  # (..., d_model)
        ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(self, x):
        """(..., d_model) → the same shape; one position changes nothing at another."""
        ### BEGIN SOLUTION
        hidden = torch.relu(self.linear1(x))  # (..., d_ff)
        hidden = self.dropout(hidden)
        return self.linear2(hidden)  # (..., d_model)
        ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        # nn.LayerNorm computes what LayerNorm above does, in one kernel in place of six.
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(self, x, mask=None):
        """(batch, length, d_model) → the same shape.

        mask: boolean, broadcasts against (batch, heads, length, length).
        """
        ### BEGIN SOLUTION
        if self.norm_first:
            normed = self.norm1(x)
            x = x + self.dropout(self.self_attention(normed, normed, normed, mask))
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        return self.norm2(x + self.dropout(self.feed_forward(x)))
        ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else None
        ### END SOLUTION

    def forward(self, x, mask=None):
        """(batch, length, d_model) → the same shape.

        mask: boolean, broadcasts against (batch, heads, length, length).
        """
        ### BEGIN SOLUTION
        for layer in self.layers:
            x = layer(x, mask)
        if self.norm is not None:
            x = self.norm(x)
        return x
        ### END SOLUTION
