"""Lesson 1 · Attention: every token asks a question, and takes what the others answer.

A query says what a token looks for, a key what a token offers, a value what it hands over.
"""

import math

import torch

from .arguments import check_attention


def softmax(x, dim=-1):
    """Turn scores into weights: none negative, and adding up to 1 along `dim`.

    softmax(x)_i = exp(x_i) / sum_j exp(x_j)          (used in section 3.2.1)

    Stable for scores of any size; a score of -inf gets a weight of exactly 0.

    Args:
        x: scores of any shape.
        dim: the dimension along which the weights add up to 1.
    Returns:
        Weights of the same shape.
    """
    ### BEGIN SOLUTION
    # The same number taken from all scores cancels in the fraction, so the largest may go:
    # then no exponential is over 1, and nothing overflows.
    highest = x.amax(dim, keepdim=True).detach()
    exponentials = torch.exp(x - highest)
    total = exponentials.sum(dim, keepdim=True)
    return exponentials / total
    ### END SOLUTION


def scaled_dot_product_attention(query, key, value, mask=None):
    """Compare each query with every key, and mix the values in proportion.

    Attention(Q, K, V) = softmax(Q Kᵀ / √d_k) V      (section 3.2.1, equation 1)

    Args:
        query: (..., query, d_k)
        key: (..., key, d_k)
        value: (..., key, d_v)
        mask: boolean, broadcasts against (..., query, key); True where a query may attend.
    Returns:
        output (..., query, d_v) and weights (..., query, key). A query that may attend to nothing
        gets zeros for both here; yours may give it anything.
    """
    check_attention(query, key, value, mask)
    ### BEGIN SOLUTION
    d_k = query.shape[-1]
    scores = query @ key.transpose(-2, -1) / math.sqrt(d_k)  # (..., query, key)
    if mask is not None:
        # Hide before the softmax, so that the rest still adds up to 1. The lowest finite number
        # does what -inf does, and stays a number in a row where everything is hidden.
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = softmax(scores, dim=-1)  # (..., query, key), each query's row adds up to 1
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)  # changes only rows where everything is hidden
    output = weights @ value  # (..., query, d_v)
    return output, weights
    ### END SOLUTION


def causal_mask(length, device=None):
    """Let every position see itself and what came before it (section 3.2.3).

    Args:
        length: number of positions.
        device: where to make the mask; torch's default device if None.
    Returns:
        Boolean (length, length), row = query, column = key, True where the query may attend.
    """
    ### BEGIN SOLUTION
    position = torch.arange(length, device=device)
    query = position[:, None]  # (length, 1)
    key = position[None, :]  # (1, length)
    return key <= query  # (length, length)
    ### END SOLUTION


def padding_mask(tokens, pad=0):
    """Hide the padding that fills up the shorter sequences of a batch.

    The paper does not speak of it: section 5.1 only says that sentences of like length go together.

    Args:
        tokens: (batch, length) token numbers.
        pad: the number that stands for padding.
    Returns:
        Boolean (batch, 1, 1, length), True where there is a real token: every head and every
        query of a sequence sees the same keys.
    """
    ### BEGIN SOLUTION
    real = tokens != pad  # (batch, length)
    return real[:, None, None, :]  # (batch, 1, 1, length)
    ### END SOLUTION


def self_attention(x, w_query, w_key, w_value, mask=None):
    """Let a sequence attend to itself: query, key and value are three projections of the same x.

    Q = X W^Q,  K = X W^K,  V = X W^V                (section 3.2.2)

    Args:
        x: (..., length, d_model)
        w_query, w_key: (d_model, d_k)
        w_value: (d_model, d_v)
        mask: boolean, broadcasts against (..., length, length); True where a query may attend.
    Returns:
        output (..., length, d_v) and weights (..., length, length).
    """
    ### BEGIN SOLUTION
    query = x @ w_query  # (..., length, d_k)
    key = x @ w_key  # (..., length, d_k)
    value = x @ w_value  # (..., length, d_v)
    return scaled_dot_product_attention(query, key, value, mask)
    ### END SOLUTION
