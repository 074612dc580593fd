import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.attention import softmax, scaled_dot_product_attention


# %% softmax: subtracts the largest number of the whole tensor, so a row of small scores beside a row of large ones underflows to 0 / 0
# fault: biggest = x.max()
def softmax(x, dim=-1):
    biggest = x.max()
    e = torch.exp(x - biggest)
    return e / e.sum(dim=dim, keepdim=True)


# %% softmax: the sum loses its dimension and is put back at the end instead of at dim, so only dim=-1 works
# fault: return numerator / numerator.sum(dim).unsqueeze(-1)
def softmax(x, dim=-1):
    top = x.max(dim, keepdim=True).values
    numerator = (x - top).exp()
    return numerator / numerator.sum(dim).unsqueeze(-1)


# %% softmax: works in place, the caller's scores are overwritten
# fault: x -= x.amax(dim=dim, keepdim=True)
# fault: x.exp_()
def softmax(x, dim=-1):
    # save memory: no copies needed
    x -= x.amax(dim=dim, keepdim=True)
    x.exp_()
    return x / x.sum(dim=dim, keepdim=True)


# %% softmax: takes off the mean of the row and not its maximum, so one very large score among small ones still overflows
# fault: centre = x.mean(dim, keepdim=True)
def softmax(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    centre = x.mean(dim, keepdim=True)
    powers = torch.exp(x - centre)
    total = powers.sum(dim, keepdim=True)
    return torch.div(powers, total)


# %% softmax: cuts the scores off at +-50 instead of subtracting the maximum; 10000 and 9999 become equal and -inf gets more than 0
# fault: safe = torch.clamp(x, min=-50.0, max=50.0)
def softmax(x, dim=-1):
    # exp(89) is inf, so never let it get there
    safe = torch.clamp(x, min=-50.0, max=50.0)
    return safe.exp() / safe.exp().sum(dim=dim, keepdim=True)


# %% softmax: TWO: loops over the rows of a 2-D tensor and never looks at dim; the result is always float32
# fault: out = torch.zeros(x.shape)
# fault: for i in range(x.shape[0]):
# fault: row = x[i] - torch.max(x[i])
# fault: out[i] = row.exp() / row.exp().sum()
def softmax(x, dim=-1):
    out = torch.zeros(x.shape)
    for i in range(x.shape[0]):
        row = x[i] - torch.max(x[i])
        out[i] = row.exp() / row.exp().sum()
    return out


# %% scaled_dot_product_attention: scales by the width of the values, not of the keys
# fault: scale = 1.0 / math.sqrt(value.shape[-1])
def scaled_dot_product_attention(query, key, value, mask=None):
    scale = 1.0 / math.sqrt(value.shape[-1])
    scores = torch.einsum("...qd,...kd->...qk", query, key) * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.nan_to_num(F.softmax(scores, dim=-1), nan=0.0)
    return torch.einsum("...qk,...kv->...qv", weights, value), weights


# %% scaled_dot_product_attention: the nan of a closed row is cleaned out of the output only, the weights that are handed back still hold nan
# fault: output = torch.nan_to_num(weights @ value)
# fault: return output, weights
def scaled_dot_product_attention(query, key, value, mask=None):
    d_k = query.size(-1)
    scores = query @ key.transpose(-2, -1) / math.sqrt(d_k)
    if mask is not None:
        scores = scores.masked_fill(mask == False, -math.inf)
    weights = softmax(scores, dim=-1)
    output = torch.nan_to_num(weights @ value)
    return output, weights


# %% scaled_dot_product_attention: multiplies the scores with the mask, so a hidden key has score 0 and still gets a share
# fault: scores = scores * mask
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = torch.matmul(query, key.mT) / key.shape[-1] ** 0.5
    if mask is not None:
        scores = scores * mask
    weights = softmax(scores, dim=-1)
    if mask is not None:
        weights = weights * mask.any(dim=-1, keepdim=True)
    return torch.matmul(weights, value), weights


# %% scaled_dot_product_attention: zeros only if the whole mask is closed, a single closed row among open ones gives nan
# fault: if not mask.any():
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = query @ key.transpose(-1, -2)
    scores = scores / (query.shape[-1] ** 0.5)
    if mask is not None:
        if not mask.any():
            # nobody may look at anything
            weights = torch.zeros_like(scores)
            return weights @ value, weights
        scores = torch.where(mask, scores, torch.full_like(scores, float("-inf")))
    weights = torch.softmax(scores, -1)
    return weights @ value, weights


# %% scaled_dot_product_attention: softmax over dim=1, which are the keys only if there is neither batch nor head
# fault: attn = F.softmax(logits, dim=1)
def scaled_dot_product_attention(query, key, value, mask=None):
    logits = torch.matmul(query, torch.transpose(key, -2, -1))
    logits = logits / math.sqrt(key.shape[-1])
    if mask is not None:
        logits = logits.masked_fill(torch.logical_not(mask), float("-inf"))
    attn = F.softmax(logits, dim=1)
    attn = torch.where(attn.isnan(), torch.zeros_like(attn), attn)
    return torch.matmul(attn, value), attn


# %% scaled_dot_product_attention: TWO: d_k is read from dimension 1 (the length, as soon as there is a batch); a row with nothing open gets the mean of all values
# fault: d_k = query.size(1)
# fault: scores = scores.masked_fill(mask == 0, -1e9)
def scaled_dot_product_attention(query, key, value, mask=None):
    d_k = query.size(1)
    scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(d_k)
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -1e9)
    p_attn = scores.softmax(dim=-1)
    return torch.matmul(p_attn, value), p_attn


# %% causal_mask: the slice stops one too early, so nobody sees itself
# fault: mask[row, :row] = True
def causal_mask(length, device=None):
    mask = torch.zeros(length, length, dtype=torch.bool, device=device)
    for row in range(length):
        mask[row, :row] = True
    return mask


# %% causal_mask: running sum along the wrong axis, so everybody sees the future
# fault: return torch.eye(length, dtype=torch.long, device=device).cumsum(dim=1).bool()
def causal_mask(length, device=None):
    # a one on the diagonal, carried on to everything that comes after
    return torch.eye(length, dtype=torch.long, device=device).cumsum(dim=1).bool()


# %% causal_mask: keeps the mask of the first call and hands it out for every length
# fault: if not hasattr(causal_mask, "cached"):
# fault: return causal_mask.cached
def causal_mask(length, device=None):
    # building it again and again is a waste
    if not hasattr(causal_mask, "cached"):
        position = torch.arange(length, device=device)
        causal_mask.cached = position.unsqueeze(1) >= position.unsqueeze(0)
    return causal_mask.cached


# %% causal_mask: gives the mask that is added to scores (0 and -inf), not a boolean one
# fault: mask = torch.full((length, length), float("-inf"), device=device)
# fault: return torch.triu(mask, diagonal=1)
def causal_mask(length, device=None):
    mask = torch.full((length, length), float("-inf"), device=device)
    return torch.triu(mask, diagonal=1)


# %% causal_mask: TWO: k=1 opens the next token too; the numbers stay floats, not booleans
# fault: lower = np.tri(length, k=1)
# fault: return torch.from_numpy(lower).to(device or "cpu")
def causal_mask(length, device=None):
    lower = np.tri(length, k=1)
    return torch.from_numpy(lower).to(device or "cpu")


# %% padding_mask: takes every number above pad for a word, which fits only if pad is the smallest number
# fault: real = tokens > pad
def padding_mask(tokens, pad=0):
    real = tokens > pad
    return real[:, None, None, :]


# %% padding_mask: counts the words and opens as many places from the left, so padding in front or in the middle is got wrong
# fault: lengths = (tokens != pad).sum(dim=1)
# fault: open_ = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
def padding_mask(tokens: torch.Tensor, pad: int = 0) -> torch.Tensor:
    lengths = (tokens != pad).sum(dim=1)
    open_ = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
    return open_.reshape(tokens.shape[0], 1, 1, tokens.shape[1])


# %% padding_mask: the two extra dimensions come in front of the batch, (1, 1, batch, length)
# fault: return tokens.ne(pad)[None, None]
def padding_mask(tokens, pad=0):
    return tokens.ne(pad)[None, None]


# %% padding_mask: crosses words with words, (batch, 1, length, length), so the queries that are padding are closed as well
# fault: pairs = is_word.unsqueeze(2) & is_word.unsqueeze(1)
def padding_mask(tokens, pad=0):
    is_word = ~(tokens == pad)
    pairs = is_word.unsqueeze(2) & is_word.unsqueeze(1)
    return pairs.unsqueeze(1)


# %% padding_mask: TWO: overwrites the caller's tokens; and bool() takes only the number 0 for padding, so another pad stays open
# fault: tokens[tokens != pad] = 1
# fault: mask = tokens.bool()
def padding_mask(tokens, pad=0):
    tokens[tokens != pad] = 1
    mask = tokens.bool()
    return mask.unsqueeze(1).unsqueeze(2)


# %% self_attention: F.linear multiplies with the transposed matrix
# fault: q, k, v = (F.linear(x, w) for w in (w_query, w_key, w_value))
def self_attention(x, w_query, w_key, w_value, mask=None):
    q, k, v = (F.linear(x, w) for w in (w_query, w_key, w_value))
    return scaled_dot_product_attention(q, k, v, mask)


# %% self_attention: the values are made of the queries, since x was overwritten on the way
# fault: x = x @ w_query
def self_attention(x, w_query, w_key, w_value, mask=None):
    keys = x @ w_key
    x = x @ w_query
    values = x @ w_value
    return scaled_dot_product_attention(x, keys, values, mask)


# %% self_attention: keys ask and queries answer, the two are handed over in the wrong order
# fault: out, attn = scaled_dot_product_attention(K, Q, V, mask=mask)
def self_attention(x, w_query, w_key, w_value, mask=None):
    Q = torch.matmul(x, w_query)
    K = torch.matmul(x, w_key)
    V = torch.matmul(x, w_value)
    out, attn = scaled_dot_product_attention(K, Q, V, mask=mask)
    return out, attn


# %% self_attention: TWO: divides by the root of d_model where it should be d_k; einsum written for one sequence without a batch
# fault: scores = torch.einsum("id,jd->ij", q, k) / math.sqrt(x.shape[-1])
# fault: return torch.einsum("ij,jv->iv", a, v), a
def self_attention(x, w_query, w_key, w_value, mask=None):
    q, k, v = x @ w_query, x @ w_key, x @ w_value
    scores = torch.einsum("id,jd->ij", q, k) / math.sqrt(x.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    a = softmax(scores, dim=-1).nan_to_num()
    return torch.einsum("ij,jv->iv", a, v), a


# %% self_attention: TWO: values go through w_key; the mask is never passed on
# fault: "value": x @ w_key,
# fault: return scaled_dot_product_attention(**views)
def self_attention(x, w_query, w_key, w_value, mask=None):
    views = {
        "query": x @ w_query,
        "key": x @ w_key,
        "value": x @ w_key,
    }
    return scaled_dot_product_attention(**views)
