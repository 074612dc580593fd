import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.attention import softmax, scaled_dot_product_attention


# %% softmax: takes the largest score of the whole tensor, not of each row, so a row far below it becomes 0 / 0
# fault: biggest = x.max()
# fault: e = torch.exp(x - biggest)
def softmax(x, dim=-1):
    # subtract the maximum so that exp cannot overflow
    biggest = x.max()
    e = torch.exp(x - biggest)
    return e / e.sum(dim=dim, keepdim=True)


# %% softmax: works in place, so the caller's scores are overwritten
# fault: x -= x.amax(dim, keepdim=True)
# fault: x.exp_()
# fault: x /= x.sum(dim, keepdim=True)
def softmax(x, dim=-1):
    x -= x.amax(dim, keepdim=True)
    x.exp_()
    x /= x.sum(dim, keepdim=True)
    return x


# %% softmax: clamps the scores instead of subtracting the maximum, so large scores all look the same and -inf gets more than 0
# fault: safe = torch.clamp(x, min=-50.0, max=50.0)
def softmax(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    safe = torch.clamp(x, min=-50.0, max=50.0)
    numerator = safe.exp()
    denominator = numerator.sum(dim, keepdim=True)
    return numerator / denominator


# %% softmax: two mistakes: subtracts the mean (still overflows, nan with -inf), and always works along the last dimension
# fault: centred = x - x.mean(dim=-1, keepdim=True)
# fault: return powers / powers.sum(dim=-1, keepdim=True)
def softmax(x, dim=-1):
    centred = x - x.mean(dim=-1, keepdim=True)
    powers = math.e ** centred
    return powers / powers.sum(dim=-1, keepdim=True)


# %% scaled_dot_product_attention: the root is of the number of keys, not of the number of features
# fault: n = key.size(-2)
# fault: scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(n)
def scaled_dot_product_attention(query, key, value, mask=None):
    n = key.size(-2)
    scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(n)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.nan_to_num(torch.softmax(scores, dim=-1))
    return torch.matmul(weights, value), weights


# %% scaled_dot_product_attention: the mean over nothing is mended in the weights only after the output was made, which stays nan
# fault: output = w @ value
# fault: w = torch.where(w.isnan(), torch.zeros_like(w), w)
def scaled_dot_product_attention(query, key, value, mask=None):
    d_k = query.shape[-1]
    s = torch.einsum("...qd,...kd->...qk", query, key) * d_k**-0.5
    if mask is not None:
        s = torch.where(mask, s, torch.tensor(-torch.inf, dtype=s.dtype, device=s.device))
    w = torch.softmax(s, -1)
    output = w @ value
    # rows in which everything is hidden are nan now
    w = torch.where(w.isnan(), torch.zeros_like(w), w)
    return output, w


# %% scaled_dot_product_attention: multiplies the scores by the mask: a hidden key has a score of 0, which is not hidden
# fault: scores = scores * mask
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = query @ key.mT
    scores = scores / query.size(-1) ** 0.5
    if mask is not None:
        scores = scores * mask
    weights = softmax(scores, dim=-1)
    if mask is not None:
        weights = weights * mask.any(-1, keepdim=True)
    return weights @ value, weights


# %% scaled_dot_product_attention: adds the boolean mask times -1e9, which hides what is allowed and shows what is hidden
# fault: logits = logits + mask * -1e9
def scaled_dot_product_attention(query, key, value, mask=None):
    logits = query @ key.transpose(-2, -1)
    logits = logits / math.sqrt(key.shape[-1])
    if mask is not None:
        logits = logits + mask * -1e9
    weights = softmax(logits)
    if mask is not None:
        nothing = ~mask.any(dim=-1, keepdim=True)
        weights = weights.masked_fill(nothing, 0.0)
    return weights @ value, weights


# %% scaled_dot_product_attention: two mistakes: scales by the features of the value, and hides nothing if every query has some key (mask only used for empty rows)
# fault: d = value.shape[-1]
# fault: weights = weights.masked_fill(~mask.any(-1, keepdim=True), 0)
def scaled_dot_product_attention(query, key, value, mask=None):
    d = value.shape[-1]
    scores = query @ key.transpose(-2, -1) / math.sqrt(d)
    weights = softmax(scores, -1)
    if mask is not None:
        # a query with nothing to see gets zeros
        weights = weights.masked_fill(~mask.any(-1, keepdim=True), 0)
    output = weights @ value
    return output, weights


# %% causal_mask: diagonal=1, so every position sees one step into the future
# fault: return torch.ones(length, length, device=device).tril(diagonal=1).bool()
def causal_mask(length, device=None):
    return torch.ones(length, length, device=device).tril(diagonal=1).bool()


# %% causal_mask: keeps the largest mask made so far and hands it out uncut, so a shorter length gets a mask that is too large
# fault: if _kept is None or len(_kept) < length:
# fault: return _kept
_kept = None


def causal_mask(length, device=None):
    global _kept
    if _kept is None or len(_kept) < length:
        _kept = torch.tril(torch.ones(length, length, dtype=torch.bool, device=device))
    return _kept


# %% causal_mask: numbers, not booleans: 1.0 and 0.0
# fault: mask = torch.zeros((length, length), device=device)
# fault: mask[query, : query + 1] = 1
# fault: return mask
def causal_mask(length, device=None):
    mask = torch.zeros((length, length), device=device)
    for query in range(length):
        mask[query, : query + 1] = 1
    return mask


# %% causal_mask: two mistakes: rows and columns are swapped, and a dimension for batch and one for heads too many
# fault: mask = position[:, None] <= position[None, :]
# fault: return mask[None, None]
def causal_mask(length, device=None):
    position = torch.arange(length, device=device)
    mask = position[:, None] <= position[None, :]
    return mask[None, None]


# %% padding_mask: larger than pad, not different from it: right for pad=0 only, any smaller token counts as padding
# fault: real = tokens > pad
def padding_mask(tokens, pad=0):
    real = tokens > pad
    return real[:, None, None, :]


# %% padding_mask: counts the real tokens and takes the first so many places, so it is wrong with padding on the left
# fault: how_many = (tokens != pad).sum(dim=1)
# fault: mask = places[None, :] < how_many[:, None]
def padding_mask(tokens, pad=0):
    batch, length = tokens.shape
    how_many = (tokens != pad).sum(dim=1)
    places = torch.arange(length, device=tokens.device)
    mask = places[None, :] < how_many[:, None]
    return mask.view(batch, 1, 1, length)


# %% padding_mask: takes tokens as true or false, so pad is ignored and is always 0
# fault: return tokens.bool().unsqueeze(1).unsqueeze(2)
def padding_mask(tokens, pad=0):
    # every token that is not padding becomes True
    return tokens.bool().unsqueeze(1).unsqueeze(2)


# %% padding_mask: two mistakes: True where there is padding, and only one new dimension
# fault: is_pad = torch.eq(tokens, pad)
# fault: return is_pad.unsqueeze(1)
def padding_mask(tokens, pad=0):
    is_pad = torch.eq(tokens, pad)
    return is_pad.unsqueeze(1)


# %% self_attention: F.linear multiplies by the transposed matrix
# fault: q = F.linear(x, w_query)
# fault: k = F.linear(x, w_key)
# fault: v = F.linear(x, w_value)
def self_attention(x, w_query, w_key, w_value, mask=None):
    q = F.linear(x, w_query)
    k = F.linear(x, w_key)
    v = F.linear(x, w_value)
    return scaled_dot_product_attention(q, k, v, mask)


# %% self_attention: the values are made from the keys and not from x
# fault: values = keys @ w_value
def self_attention(x, w_query, w_key, w_value, mask=None):
    queries = x @ w_query
    keys = x @ w_key
    values = keys @ w_value
    output, weights = scaled_dot_product_attention(queries, keys, values, mask=mask)
    return output, weights


# %% self_attention: own formula that divides by the root of d_model, where d_k belongs
# fault: scores = scores / math.sqrt(x.shape[-1])
def self_attention(x, w_query, w_key, w_value, mask=None):
    Q, K, V = (torch.einsum("...ld,de->...le", x, w) for w in (w_query, w_key, w_value))
    scores = torch.einsum("...ie,...je->...ij", Q, K)
    scores = scores / math.sqrt(x.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), -math.inf)
    weights = softmax(scores, dim=-1).nan_to_num(0.0)
    return torch.einsum("...ij,...je->...ie", weights, V), weights


# %% self_attention: two mistakes: query and key have changed places, and the two results come back in the wrong order
# fault: out, att = scaled_dot_product_attention(x @ w_key, x @ w_query, x @ w_value, mask)
# fault: return att, out
def self_attention(x, w_query, w_key, w_value, mask=None):
    out, att = scaled_dot_product_attention(x @ w_key, x @ w_query, x @ w_value, mask)
    return att, out
