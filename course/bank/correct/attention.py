"""Lesson 1, solved correctly in many ways."""

import functools
import math
from collections import namedtuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from solutions.attention import scaled_dot_product_attention, softmax


# %% softmax: torch.max with its indices, exponentials in place on a fresh tensor
def softmax(x, dim=-1):
    largest = x.max(dim=dim, keepdim=True).values
    e = (x - largest).exp_()
    return e / e.sum(dim=dim, keepdim=True)


# %% softmax: by way of the logarithm of the sum
def softmax(x, dim=-1):
    z = x.to(torch.promote_types(x.dtype, torch.float32))
    z = z - z.amax(dim, keepdim=True)
    log_total = torch.log(torch.exp(z).sum(dim, keepdim=True))
    return torch.exp(z - log_total).to(x.dtype)


# %% softmax: torch.logsumexp of the shifted scores
def softmax(x, dim=-1):
    with torch.no_grad():
        top = torch.amax(x, dim=dim, keepdim=True)
    shifted = x - top
    return torch.exp(shifted - torch.logsumexp(shifted, dim=dim, keepdim=True))


# %% softmax: online, one score after another with a running maximum
def softmax(x, dim=-1):
    work = x.to(torch.promote_types(x.dtype, torch.float32))
    first = work.detach().select(dim, 0)
    highest = torch.full_like(first, torch.finfo(work.dtype).min)
    total = torch.zeros_like(first)
    for score in work.unbind(dim):
        new = torch.maximum(highest, score.detach())
        total = total * torch.exp(highest - new) + torch.exp(score - new)
        highest = new
    weights = torch.exp(work - highest.unsqueeze(dim)) / total.unsqueeze(dim)
    return weights.to(x.dtype)


# %% softmax: an autograd function with the derivative written by hand
class HandMade(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, dim):
        e = torch.exp(x - torch.amax(x, dim, keepdim=True))
        y = e / torch.sum(e, dim, keepdim=True)
        ctx.dim = dim
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        inner = (grad * y).sum(ctx.dim, keepdim=True)
        return y * (grad - inner), None


def softmax(x, dim=-1):
    return HandMade.apply(x, dim)


# %% softmax: powers of two
LOG2_E = math.log2(math.e)


def softmax(x, dim=-1):
    powers = torch.exp2((x - torch.amax(x, dim, keepdim=True)) * LOG2_E)
    return powers / powers.sum(dim, keepdim=True)


# %% softmax: row by row after moving the dimension to the end
def softmax(x, dim=-1):
    moved = x.movedim(dim, -1)
    rows = []
    for row in moved.reshape(-1, moved.shape[-1]):
        e = torch.exp(row - row.max())
        rows.append(e / e.sum())
    return torch.stack(rows).reshape(moved.shape).movedim(-1, dim)


# %% softmax: F.normalize makes the absolute values add up to one
def softmax(x, dim=-1):
    e = torch.exp(x - x.amax(dim=dim, keepdim=True))
    return F.normalize(e, p=1, dim=dim)


# %% softmax: an object that can be called
class Softmax(nn.Module):
    def forward(self, x, dim=-1):
        exponentials = torch.exp(x - x.amax(dim, keepdim=True))
        return exponentials * exponentials.sum(dim, keepdim=True).reciprocal()


softmax = Softmax()


# %% softmax: a lambda
softmax = lambda x, dim=-1: (lambda e: e / e.sum(dim, True))((x - x.amax(dim, True)).exp())


# %% softmax: float64 inside, functools.partial of something more general
def boltzmann(x, dim=-1, temperature=1.0):
    energy = x.double() / temperature
    energy = energy - energy.max(dim, keepdim=True)[0]
    part = energy.exp()
    return (part / part.sum(dim, keepdim=True)).to(x.dtype)


softmax = functools.partial(boltzmann, temperature=1.0)


# %% scaled_dot_product_attention: einsum and minus infinity
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = torch.einsum("...qd,...kd->...qk", query, key) / math.sqrt(query.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    return torch.einsum("...qk,...kv->...qv", weights, value), weights


# %% scaled_dot_product_attention: bmm with the leading dimensions flattened, filled with -1e9
def scaled_dot_product_attention(query, key, value, mask=None):
    leading = query.shape[:-2]
    n, d_k = query.shape[-2:]
    m, d_v = value.shape[-2:]
    q = query.reshape(-1, n, d_k)
    k = key.reshape(-1, m, d_k)
    v = value.reshape(-1, m, d_v)
    scores = torch.bmm(q, k.transpose(1, 2)) * d_k**-0.5
    if mask is not None:
        mask = mask.expand(*leading, n, m).reshape(-1, n, m)
        scores = torch.where(mask, scores, -1e9)
    weights = F.softmax(scores, dim=2)
    output = torch.bmm(weights, v)
    return output.reshape(*leading, n, d_v), weights.reshape(*leading, n, m)


# %% scaled_dot_product_attention: baddbmm adds an additive mask
def scaled_dot_product_attention(query, key, value, mask=None):
    *leading, n, d_k = query.shape
    m = key.shape[-2]
    bias = query.new_zeros(*leading, n, m)
    if mask is not None:
        bias.masked_fill_(~mask, float("-inf"))
    scores = torch.baddbmm(
        bias.view(-1, n, m),
        query.reshape(-1, n, d_k),
        key.reshape(-1, m, d_k).mT,
        alpha=1 / math.sqrt(d_k),
    )
    weights = softmax(scores).view(*leading, n, m)
    return torch.matmul(weights, value), weights


# %% scaled_dot_product_attention: nested loops that look only at the keys that may be seen
def scaled_dot_product_attention(query, key, value, mask=None):
    *leading, n, d_k = query.shape
    m, d_v = value.shape[-2:]
    if mask is None:
        mask = torch.ones(n, m, dtype=torch.bool, device=query.device)
    masks = mask.expand(*leading, n, m).reshape(-1, n, m)
    outputs, all_weights = [], []
    queries, keys = query.reshape(-1, n, d_k), key.reshape(-1, m, d_k)
    values = value.reshape(-1, m, d_v)
    for b in range(queries.shape[0]):
        for i in range(n):
            seen = masks[b, i]
            scores = keys[b][seen] @ queries[b, i] / math.sqrt(d_k)
            e = torch.exp(scores - scores.max())
            row = torch.zeros(m, dtype=e.dtype, device=e.device)
            row[seen] = e / e.sum()
            all_weights.append(row)
            outputs.append(row @ values[b])
    output = torch.stack(outputs).reshape(*leading, n, d_v)
    weights = torch.stack(all_weights).reshape(*leading, n, m)
    return output, weights


# %% scaled_dot_product_attention: blocks of keys with an online softmax
def scaled_dot_product_attention(query, key, value, mask=None, block=3):
    work = torch.promote_types(query.dtype, torch.float32)
    q, k, v = query.to(work), key.to(work), value.to(work)
    scores = q @ k.mT / math.sqrt(query.shape[-1])
    lowest = torch.finfo(scores.dtype).min
    if mask is not None:
        scores = scores.masked_fill(~mask, lowest)
    highest = torch.full_like(scores[..., :1].detach(), lowest)
    total = torch.zeros_like(highest)
    output = 0.0
    for start in range(0, key.shape[-2], block):
        part = scores[..., start : start + block]
        new = torch.maximum(highest, part.detach().amax(-1, keepdim=True))
        shrink = torch.exp(highest - new)
        e = torch.exp(part - new)
        total = total * shrink + e.sum(-1, keepdim=True)
        output = output * shrink + e @ v[..., start : start + block, :]
        highest = new
    weights = torch.exp(scores - highest) / total
    return (output / total).to(query.dtype), weights.to(query.dtype)


# %% scaled_dot_product_attention: masked after the exponential, shifted by the best visible score
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    visible = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
    best = scores.detach().masked_fill(~visible, -torch.inf).amax(-1, keepdim=True)
    # A hidden score may be far above the best visible one: clamped, it cannot overflow.
    e = torch.exp((scores - best).clamp(max=0)) * visible
    weights = e / e.sum(-1, keepdim=True)
    return weights @ value, weights


# %% scaled_dot_product_attention: forward and backward written by hand
class Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, mask):
        scale = 1 / math.sqrt(query.shape[-1])
        scores = (query @ key.mT).mul_(scale)
        if mask is not None:
            scores = scores.masked_fill_(~mask, -math.inf)
        weights = scores.sub_(scores.amax(-1, keepdim=True)).exp_()
        weights /= weights.sum(-1, keepdim=True)
        ctx.save_for_backward(query, key, value, weights)
        ctx.scale = scale
        return weights @ value, weights

    @staticmethod
    def backward(ctx, d_output, d_weights):
        query, key, value, weights = ctx.saved_tensors
        d_value = weights.mT @ d_output
        d_weights = d_weights + d_output @ value.mT
        d_scores = weights * (d_weights - (d_weights * weights).sum(-1, keepdim=True))
        d_scores = d_scores * ctx.scale
        return d_scores @ key, d_scores.mT @ query, d_value, None


def scaled_dot_product_attention(query, key, value, mask=None):
    return Attend.apply(query, key, value, mask)


# %% scaled_dot_product_attention: query and key share the scale, lowest finite number, type hints
def scaled_dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None = None,
    dropout: nn.Module | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    root = query.shape[-1] ** -0.25
    scores = torch.matmul(query * root, (key * root).swapaxes(-1, -2))
    if mask is not None:
        scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
    weights = softmax(scores, dim=-1)
    kept = weights if dropout is None else dropout(weights)
    return torch.matmul(kept, value), weights


# %% scaled_dot_product_attention: calls itself until only two dimensions are left
def scaled_dot_product_attention(query, key, value, mask=None):
    if mask is not None:
        mask = mask.expand(*query.shape[:-1], key.shape[-2])
    if query.dim() > 2:
        results = []
        for i in range(query.shape[0]):
            part = None if mask is None else mask[i]
            results.append(scaled_dot_product_attention(query[i], key[i], value[i], part))
        return tuple(torch.stack(parts) for parts in zip(*results))
    scores = torch.mm(query, key.t()) / np.sqrt(key.shape[1])
    if mask is not None:
        scores[~mask] = -float("inf")
    weights = scores.softmax(1)
    return weights.mm(value), weights


# %% scaled_dot_product_attention: keys down, queries across, and a named tuple
Attention = namedtuple("Attention", ["output", "weights"])


def scaled_dot_product_attention(query, key, value, mask=None):
    scores = key @ query.mT / math.sqrt(key.shape[-1])  # (..., key, query)
    if mask is not None:
        hidden = torch.atleast_2d(mask).mT.logical_not()
        scores = scores.masked_fill(hidden, -torch.inf)
    weights = torch.softmax(scores, dim=-2)
    output = value.mT @ weights  # (..., d_v, query)
    return Attention(output=output.mT, weights=weights.mT)


# %% scaled_dot_product_attention: the logarithm of the mask is added, no matmul anywhere
def scaled_dot_product_attention(query, key, value, mask=None):
    d_k = torch.tensor(query.shape[-1], dtype=query.dtype)
    products = query.unsqueeze(-2) * key.unsqueeze(-3)  # (..., query, key, d_k)
    scores = products.sum(-1) / d_k.sqrt()
    if mask is not None:
        scores = scores + mask.to(scores.dtype).log()  # log 1 = 0, log 0 = -inf
    weights = scores.softmax(dim=-1)
    output = (weights.unsqueeze(-1) * value.unsqueeze(-3)).sum(dim=-2)
    return output, weights


# %% scaled_dot_product_attention: one query at a time, float64 inside
def scaled_dot_product_attention(query, key, value, mask=None):
    q, k, v = query.double(), key.double(), value.double()
    if mask is not None:
        mask = torch.broadcast_to(mask, (*query.shape[:-1], key.shape[-2]))
    rows = []
    for i in range(q.shape[-2]):
        scores = (k * q[..., i : i + 1, :]).sum(dim=-1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores + torch.zeros_like(scores).masked_fill(~mask[..., i, :], -1e12)
        rows.append(softmax(scores))
    weights = torch.stack(rows, dim=-2)
    return (weights @ v).to(query.dtype), weights.to(query.dtype)


# %% causal_mask: lower triangle of ones
def causal_mask(length):
    return torch.tril(torch.ones(length, length, dtype=torch.bool))


# %% causal_mask: not the future
def causal_mask(length, device=None):
    future = torch.triu(torch.ones((length, length), device=device), diagonal=1)
    return future == 0


# %% causal_mask: row by row in a loop
def causal_mask(length):
    mask = torch.zeros(length, length).bool()
    for i in range(length):
        mask[i, : i + 1] = True
    return mask


# %% causal_mask: nested lists
def causal_mask(length):
    rows = [[key <= query for key in range(length)] for query in range(length)]
    return torch.tensor(rows, dtype=torch.bool).reshape(length, length)


# %% causal_mask: NumPy
def causal_mask(length):
    return torch.from_numpy(np.tri(length, dtype=bool))


# %% causal_mask: cumulative sum of the identity
causal_mask = lambda length: torch.eye(length).cumsum(dim=0) > 0


# %% causal_mask: made once for every length, then cloned
@functools.cache
def make_mask(length):
    additive = torch.full((length, length), float("-inf")).triu(1)
    return additive.isfinite()


def causal_mask(length):
    return make_mask(length).clone()


# %% padding_mask: unsqueezed twice
def padding_mask(tokens, pad=0):
    return tokens.ne(pad).unsqueeze(1).unsqueeze(2)


# %% padding_mask: negated and reshaped
def padding_mask(tokens: torch.Tensor, pad: int = 0) -> torch.Tensor:
    batch, length = tokens.shape
    is_padding = tokens == pad
    return (~is_padding).reshape(batch, 1, 1, length)


# %% padding_mask: everything first, then padding taken out in place
def padding_mask(tokens, pad=0):
    mask = torch.ones_like(tokens, dtype=torch.bool)
    mask[tokens == pad] = False
    return mask[:, None, None]


# %% padding_mask: Python lists
def padding_mask(tokens, pad=0):
    batch, length = tokens.shape
    mask = [[[[token != pad for token in sentence]]] for sentence in tokens.tolist()]
    return torch.tensor(mask, dtype=torch.bool, device=tokens.device).view(batch, 1, 1, length)


# %% padding_mask: torch.isin, sentence by sentence
def padding_mask(tokens, pad=0):
    rows = [~torch.isin(sentence, pad) for sentence in tokens]
    return torch.stack(rows).view(len(tokens), 1, 1, -1)


# %% padding_mask: a lambda that turns the difference into a boolean
padding_mask = lambda tokens, pad=0: (tokens - pad).bool()[:, None, None, :]


# %% self_attention: einsum projections and the course's attention
def self_attention(x, w_query, w_key, w_value, mask=None):
    q, k, v = (torch.einsum("...ld,de->...le", x, w) for w in (w_query, w_key, w_value))
    return scaled_dot_product_attention(q, k, v, mask)


# %% self_attention: one product for all three projections
def self_attention(x, w_query, w_key, w_value, mask=None):
    together = torch.cat([w_query, w_key, w_value], dim=1)
    widths = [w_query.shape[1], w_key.shape[1], w_value.shape[1]]
    query, key, value = (x @ together).split(widths, dim=-1)
    scores = query @ key.transpose(-2, -1) / widths[0] ** 0.5
    if mask is not None:
        scores.masked_fill_(~mask, float("-inf"))
    weights = torch.softmax(scores, -1)
    return weights @ value, weights


# %% self_attention: query and key matrices folded into one, values projected last
def self_attention(x, w_query, w_key, w_value, mask=None):
    d_k = w_query.shape[-1]
    bilinear = w_query @ w_key.T / math.sqrt(d_k)  # (d_model, d_model)
    scores = x @ bilinear @ x.mT
    if mask is not None:
        scores = scores.masked_fill(torch.logical_not(mask), torch.finfo(x.dtype).min)
    weights = softmax(scores)
    return (weights @ x) @ w_value, weights


# %% self_attention: F.linear and an additive mask
def self_attention(x, w_query, w_key, w_value, mask=None):
    query = F.linear(x, w_query.t())
    key = F.linear(x, w_key.t())
    value = F.linear(x, w_value.t())
    scores = torch.matmul(query, key.transpose(-2, -1)) * (1.0 / math.sqrt(query.size(-1)))
    if mask is not None:
        blocked = torch.zeros(mask.shape, dtype=x.dtype, device=x.device)
        blocked = blocked.masked_fill(mask == False, float("-inf"))  # noqa: E712
        scores = scores + blocked
    attention = F.softmax(scores, dim=-1)
    return torch.matmul(attention, value), attention


# %% self_attention: token by token
def self_attention(x, w_query, w_key, w_value, mask=None):
    length = x.shape[-2]
    if mask is not None:
        mask = mask.expand(*x.shape[:-1], length)
    tokens = [x[..., i, :] for i in range(length)]
    keys = torch.stack([token @ w_key for token in tokens], dim=-2)
    values = torch.stack([token @ w_value for token in tokens], dim=-2)
    outputs, weights = [], []
    for i, token in enumerate(tokens):
        query = (token @ w_query).unsqueeze(-1)  # (..., d_k, 1)
        scores = (keys @ query).squeeze(-1) / math.sqrt(w_key.shape[1])
        if mask is not None:
            scores = torch.where(mask[..., i, :], scores, float("-inf"))
        weights.append(softmax(scores, dim=-1))
        outputs.append((weights[-1].unsqueeze(-2) @ values).squeeze(-2))
    return torch.stack(outputs, dim=-2), torch.stack(weights, dim=-2)


# %% self_attention: torch.vmap over the leading dimensions
def one_sequence(x, mask, w_query, w_key, w_value):
    query, key, value = x @ w_query, x @ w_key, x @ w_value
    scores = query @ key.T / math.sqrt(key.shape[1])
    weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=1)
    return weights @ value, weights


def self_attention(x, w_query, w_key, w_value, mask=None):
    *leading, length, d_model = x.shape
    if mask is None:
        mask = torch.ones((), dtype=torch.bool, device=x.device)
    masks = mask.expand(*leading, length, length).reshape(-1, length, length)
    run = torch.vmap(one_sequence, in_dims=(0, 0, None, None, None))
    output, weights = run(x.reshape(-1, length, d_model), masks, w_query, w_key, w_value)
    output = output.reshape(*leading, length, -1)
    return output, weights.reshape(*leading, length, length)
