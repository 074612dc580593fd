"""What a wrong argument is answered with: a ValueError with the numbers in it."""

import torch


def check_heads(d_model, num_heads):
    """Every head gets the same share of d_model, so the division must come out even."""
    if num_heads < 1 or d_model % num_heads != 0:
        raise ValueError(
            f"d_model={d_model} cannot be divided into num_heads={num_heads} equal heads: "
            f"choose a d_model that is a multiple of num_heads"
        )


def check_dropout(dropout):
    """A probability of dropping; at 1 nothing would be left."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout} must be at least 0 and less than 1")


def check_length(length, max_length):
    """Positions have been prepared up to max_length and no further."""
    if length > max_length:
        raise ValueError(
            f"a sequence of length {length} is longer than max_length={max_length}: "
            f"shorten it, or build the model with a larger max_length"
        )


def check_even(name, number):
    """Sines and cosines come in pairs."""
    if number % 2 != 0:
        raise ValueError(f"{name}={number} must be even: sine and cosine come in pairs")


def check_window(window):
    """A window without a place in it would show nothing."""
    if window < 1:
        raise ValueError(f"window={window} must be at least 1: a position sees at least itself")


def check_not_empty(name, tokens):
    """Nothing can be attended to in a sequence without tokens."""
    if tokens.shape[0] == 0 or tokens.shape[-1] == 0:
        raise ValueError(f"the {name} is empty: its shape (batch, length) is {tuple(tokens.shape)}")


def check_attention(query, key, value, mask):
    """Query and key must be equally wide, keys and values equally many, and the mask must fit."""
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"query and key must have the same width to be compared: "
            f"query has d_k={query.shape[-1]}, key has d_k={key.shape[-1]}"
        )
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"every key needs its value: "
            f"there are {key.shape[-2]} keys and {value.shape[-2]} values"
        )
    if key.shape[-2] == 0:
        raise ValueError(f"there is nothing to attend to: the keys have shape {tuple(key.shape)}")
    if mask is not None:
        leading = torch.broadcast_shapes(query.shape[:-2], key.shape[:-2])
        check_mask(mask, (*leading, query.shape[-2], key.shape[-2]))


def check_mask(mask, scores_shape):
    """A mask is boolean; each of its sizes, from the right, is 1 or that of the scores."""
    if mask.dtype != torch.bool:
        raise ValueError(
            f"the mask must be boolean, with True where a query may attend, "
            f"but its dtype is {mask.dtype}: mask.bool() turns 1 and 0 into True and False"
        )
    pairs = zip(reversed(mask.shape), reversed(scores_shape))
    fits = len(mask.shape) <= len(scores_shape) and all(size in (1, full) for size, full in pairs)
    if not fits:
        raise ValueError(
            f"a mask of shape {tuple(mask.shape)} does not broadcast against scores of shape "
            f"{tuple(scores_shape)}: it must end in (query, key), and have a 1 wherever it is to "
            f"be repeated"
        )
