"""Lesson 1 · Attention: every token asks a question, and takes what the others answer.

A query says what a token looks for, a key what a token offers, a value what it hands over.

Fill in what raises NotImplementedError, and check it with

    autograder check exercises/attention.py
"""

import math

import torch

from solutions.arguments import check_attention


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
    # YOUR CODE HERE
    raise NotImplementedError()


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
    # YOUR CODE HERE
    raise NotImplementedError()


def causal_mask(length, device=None):
    """Let every position see itself and what came before it (section 3.2.3).

    Args:
        length: number of positions.
        device: where to make the mask; torch's default device if None.
    Returns:
        Boolean (length, length), row = query, column = key, True where the query may attend.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


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
    # YOUR CODE HERE
    raise NotImplementedError()


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
    # YOUR CODE HERE
    raise NotImplementedError()
