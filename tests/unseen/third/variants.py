import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.attention import causal_mask, scaled_dot_product_attention, softmax
from course.stand_bys.multi_head import merge_heads, split_heads
from course.stand_bys.encoder_block import FeedForward
from course.stand_bys.variants import alibi_bias, rotary_embedding, sliding_window_mask

# %% rotary_embedding: turned pairs are put side by side as two halves and not woven together again
# fault: return torch.cat([first, second], dim=-1)
def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    if d_head % 2:
        raise ValueError(f"d_head={d_head} must be even")
    pos = torch.arange(offset, offset + length, dtype=x.dtype, device=x.device)
    freq = base ** (-torch.arange(0, d_head, 2, dtype=x.dtype, device=x.device) / d_head)
    theta = torch.outer(pos, freq)  # (length, d_head / 2)
    a, b = x[..., 0::2], x[..., 1::2]
    first = a * theta.cos() - b * theta.sin()
    second = a * theta.sin() + b * theta.cos()
    return torch.cat([first, second], dim=-1)


# %% rotary_embedding: writes the turned features into the caller's x
# fault: y = x
# fault: y[..., ::2], y[..., 1::2] = a * c - b * s, a * s + b * c
def rotary_embedding(x, offset=0, base=10000.0):
    length, d = x.shape[-2:]
    if d % 2 != 0:
        raise ValueError("d_head must be even")
    i = torch.arange(d // 2, device=x.device, dtype=x.dtype)
    p = offset + torch.arange(length, device=x.device, dtype=x.dtype)
    angle = p[:, None] / base ** (2 * i / d)
    c, s = torch.cos(angle), torch.sin(angle)
    y = x
    a, b = x[..., ::2], x[..., 1::2]
    y[..., ::2], y[..., 1::2] = a * c - b * s, a * s + b * c
    return y


# %% rotary_embedding: the exponent is divided by the number of pairs and not by d_head, so all pairs but the first turn too slowly
# fault: speeds = torch.pow(base, -2 * pair / pairs)
def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    if d_head % 2 == 1:
        raise ValueError(f"d_head={d_head} must be even")
    pairs = d_head // 2
    pair = torch.arange(pairs, device=x.device).to(x.dtype)
    speeds = torch.pow(base, -2 * pair / pairs)
    position = torch.arange(length, device=x.device).to(x.dtype) + offset
    theta = torch.einsum("p,i->pi", position, speeds)
    cos, sin = theta.cos(), theta.sin()
    a, b = x.unflatten(-1, (pairs, 2)).unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)


# %% rotary_embedding: two mistakes: positions are counted on axis 1, which with heads is no length, and the pair is turned backwards
# fault: positions = torch.arange(x.shape[1], dtype=x.dtype, device=x.device) + offset
# fault: turned[..., 0] = even * cos + odd * sin
# fault: turned[..., 1] = odd * cos - even * sin
def rotary_embedding(x, offset=0, base=10000.0):
    d_head = x.shape[-1]
    if d_head % 2:
        raise ValueError(f"d_head={d_head} must be even")
    positions = torch.arange(x.shape[1], dtype=x.dtype, device=x.device) + offset
    rates = 1.0 / base ** (torch.arange(0, d_head, 2, dtype=x.dtype, device=x.device) / d_head)
    angles = positions[:, None] * rates[None, :]
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = torch.empty(*even.shape, 2, dtype=x.dtype, device=x.device)
    turned[..., 0] = even * cos + odd * sin
    turned[..., 1] = odd * cos - even * sin
    return turned.reshape(x.shape)


# %% alibi_bias: the slope of head i is 2^-i whatever the number of heads, which is right for eight of them only
# fault: slopes = torch.tensor([0.5 ** i for i in range(1, num_heads + 1)], device=device)
def alibi_bias(num_heads, length, device=None):
    # slopes as in the paper: 1/2, 1/4, 1/8, ...
    slopes = torch.tensor([0.5 ** i for i in range(1, num_heads + 1)], device=device)
    place = torch.arange(length, device=device)
    distance = place.unsqueeze(1) - place.unsqueeze(0)
    return -slopes.view(-1, 1, 1) * distance


# %% alibi_bias: the exponent is divided with //, so slopes are right only where h divides 8i
# fault: slope = 2.0 ** (-(8 * i // num_heads))
def alibi_bias(num_heads, length, device=None):
    bias = torch.zeros(num_heads, length, length, device=device)
    q = torch.arange(length, device=device).reshape(-1, 1)
    k = torch.arange(length, device=device).reshape(1, -1)
    for i in range(1, num_heads + 1):
        slope = 2.0 ** (-(8 * i // num_heads))
        bias[i - 1] = slope * (k - q)
    return bias


# %% alibi_bias: two mistakes: heads are counted from 0, so the first slope is 1, and what is far away gains where it should lose
# fault: head = torch.arange(num_heads, device=device)
# fault: return torch.einsum("h,qk->hqk", slope, distance)
def alibi_bias(num_heads, length, device=None):
    head = torch.arange(num_heads, device=device)
    slope = torch.exp2(-8.0 * head / num_heads)
    pos = torch.arange(length, device=device, dtype=slope.dtype)
    distance = pos[:, None] - pos[None, :]  # query - key
    return torch.einsum("h,qk->hqk", slope, distance)


# %% sliding_window_mask: triu(-window) keeps one diagonal too many, so window + 1 keys are seen
# fault: return torch.ones(length, length, dtype=torch.bool, device=device).tril().triu(-window)
def sliding_window_mask(length, window, device=None):
    if window < 1:
        raise ValueError(f"window={window} must be at least 1")
    return torch.ones(length, length, dtype=torch.bool, device=device).tril().triu(-window)


# %% sliding_window_mask: zeros and ones in place of False and True
# fault: band = torch.ones(length, length, device=device)
# fault: return band.tril(0).triu(1 - window)
def sliding_window_mask(length, window, device=None):
    if window < 1:
        raise ValueError(f"window={window} must be at least 1")
    band = torch.ones(length, length, device=device)
    return band.tril(0).triu(1 - window)


# %% sliding_window_mask: the window does not slide: everybody sees only the past of the block that it stands in
# fault: same_block = (i // window) == (j // window)
# fault: return same_block & (j <= i)
def sliding_window_mask(length, window, device=None):
    if window < 1:
        raise ValueError("a window of at least 1, please")
    i = torch.arange(length, device=device)[:, None]
    j = torch.arange(length, device=device)[None, :]
    same_block = (i // window) == (j // window)
    return same_block & (j <= i)


# %% sliding_window_mask: the first positions, which have no whole window behind them, see nothing
# fault: for query in range(window - 1, length):
def sliding_window_mask(length, window, device=None):
    if window < 1:
        raise ValueError(f"window={window} must be at least 1")
    mask = torch.zeros(length, length, dtype=torch.bool, device=device)
    for query in range(window - 1, length):
        mask[query, query - window + 1 : query + 1] = True
    return mask


# %% sliding_window_attention: scores are divided by the root of the values' size and not of the keys'
# fault: scores = q @ k.transpose(-2, -1) / math.sqrt(v.shape[-1])
def sliding_window_attention(query, key, value, window):
    length = query.shape[-2]
    if key.shape[-2] != length:
        raise ValueError(f"{length} queries need as many keys, but there are {key.shape[-2]}")
    if window < 1:
        raise ValueError(f"window={window} must be at least 1")
    window = min(window, length)
    blocks = math.ceil(length / window)
    mask = sliding_window_mask(2 * window, window, query.device)[window:]
    mask = mask.repeat(blocks, 1, 1)
    mask[0, :, :window] = False

    def cut(x):
        return F.pad(x, (0, 0, 0, blocks * window - length)).unflatten(-2, (blocks, window))

    def with_before(x):
        x = cut(x)
        before = torch.cat([torch.zeros_like(x[..., :1, :, :]), x[..., :-1, :, :]], dim=-3)
        return torch.cat([before, x], dim=-2)

    q, k, v = cut(query), with_before(key), with_before(value)
    scores = q @ k.transpose(-2, -1) / math.sqrt(v.shape[-1])
    weights = torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1)
    return (weights @ v).flatten(-3, -2)[..., :length, :]


# %% sliding_window_attention: the blocks are rolled on axis 1, which are the heads as soon as there are heads
# fault: k_all = torch.cat([k.roll(1, dims=1), k], dim=-2)
# fault: v_all = torch.cat([v.roll(1, dims=1), v], dim=-2)
def sliding_window_attention(query, key, value, window):
    length = query.shape[-2]
    if key.shape[-2] != length:
        raise ValueError("as many keys as queries, please")
    if window < 1:
        raise ValueError("window must be at least 1")
    window = min(window, length)
    blocks = math.ceil(length / window)
    mask = sliding_window_mask(2 * window, window, query.device)[window:]
    mask = mask.repeat(blocks, 1, 1)
    mask[0, :, :window] = False

    def cut(x):
        return F.pad(x, (0, 0, 0, blocks * window - length)).unflatten(-2, (blocks, window))

    q, k, v = cut(query), cut(key), cut(value)
    # block b looks into b - 1 and b; block 0 gets the last one, but the mask hides it
    k_all = torch.cat([k.roll(1, dims=1), k], dim=-2)
    v_all = torch.cat([v.roll(1, dims=1), v], dim=-2)
    out, _ = scaled_dot_product_attention(q, k_all, v_all, mask)
    return out.flatten(-3, -2)[..., :length, :]


# %% sliding_window_attention: at the beginning the slice starts at a negative place, which python counts from the end
# fault: first = t - window + 1
# fault: k = key[..., first : t + 1, :]
# fault: v = value[..., first : t + 1, :]
def sliding_window_attention(query, key, value, window):
    length, d_k = query.shape[-2:]
    if key.shape[-2] != length:
        raise ValueError(f"{length} queries, {key.shape[-2]} keys")
    if window < 1:
        raise ValueError(f"window={window} must be at least 1")
    window = min(window, length)
    rows = []
    for t in range(length):
        first = t - window + 1
        k = key[..., first : t + 1, :]
        v = value[..., first : t + 1, :]
        score = (query[..., t : t + 1, :] * k).sum(-1) / math.sqrt(d_k)  # (..., keys)
        share = torch.softmax(score, dim=-1)
        rows.append((share.unsqueeze(-1) * v).sum(-2))
    return torch.stack(rows, dim=-2)


# %% sliding_window_attention: two mistakes: hidden scores become 0 and not minus infinity, and the filling of the last block stays in the result
# fault: scores = scores * mask
# fault: return out.flatten(-3, -2)
def sliding_window_attention(query, key, value, window):
    length = query.shape[-2]
    if key.shape[-2] != length:
        raise ValueError(f"{length} queries need as many keys, but there are {key.shape[-2]}")
    if window < 1:
        raise ValueError(f"window={window} must be at least 1")
    window = min(window, length)
    blocks = math.ceil(length / window)
    mask = sliding_window_mask(2 * window, window, query.device)[window:]
    mask = mask.repeat(blocks, 1, 1)
    mask[0, :, :window] = False

    def cut(x):
        return F.pad(x, (0, 0, 0, blocks * window - length)).unflatten(-2, (blocks, window))

    def two(x):
        earlier = F.pad(x, (0, 0, 0, 0, 1, 0))[..., :-1, :, :]
        return torch.cat((earlier, x), dim=-2)

    q, k, v = cut(query), two(cut(key)), two(cut(value))
    scores = torch.einsum("...qd,...kd->...qk", q, k) / q.shape[-1] ** 0.5
    scores = scores * mask
    out = torch.einsum("...qk,...kd->...qd", scores.softmax(-1), v)
    return out.flatten(-3, -2)


# %% tiled_attention: a query that may see nothing in the first tile has -inf minus -inf, and stays nan
# fault: p = torch.exp(scores - new)
# fault: shrink = torch.exp(highest - new)
def tiled_attention(query, key, value, mask=None, tile=64):
    if mask is None:
        mask = torch.ones(1, dtype=torch.bool, device=query.device)
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], key.shape[-2])
    query = query / math.sqrt(query.shape[-1])
    highest = query.new_full((*query.shape[:-1], 1), float("-inf"))
    total = torch.zeros_like(highest)
    output = query.new_zeros(*query.shape[:-1], value.shape[-1])
    for start in range(0, key.shape[-2], tile):
        here = slice(start, start + tile)
        scores = query @ key[..., here, :].transpose(-2, -1)
        scores = scores.masked_fill(~mask[..., here], float("-inf"))
        new = torch.maximum(highest, scores.amax(dim=-1, keepdim=True))
        p = torch.exp(scores - new)
        shrink = torch.exp(highest - new)
        total = total * shrink + p.sum(dim=-1, keepdim=True)
        output = output * shrink + p @ value[..., here, :]
        highest = new
    total = total.masked_fill(total == 0, 1.0)
    return output / total


# %% tiled_attention: only whole tiles are looked at: the keys left over at the end are never seen
# fault: for n in range(key.shape[-2] // tile):
def tiled_attention(query, key, value, mask=None, tile=64):
    if mask is None:
        mask = torch.ones(1, dtype=torch.bool, device=query.device)
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], key.shape[-2])
    query = query / math.sqrt(query.shape[-1])
    m = query.new_full((*query.shape[:-1], 1), -math.inf)
    l = torch.zeros_like(m)
    o = query.new_zeros(*query.shape[:-1], value.shape[-1])
    for n in range(key.shape[-2] // tile):
        cols = slice(n * tile, (n + 1) * tile)
        s = query @ key[..., cols, :].mT
        s = torch.where(mask[..., cols], s, torch.full_like(s, -math.inf))
        m_new = torch.maximum(m, s.max(-1, keepdim=True).values)
        safe = torch.where(m_new.isinf(), torch.zeros_like(m_new), m_new)
        e = (s - safe).exp()
        keep = (m - safe).exp()
        l = keep * l + e.sum(-1, keepdim=True)
        o = keep * o + e @ value[..., cols, :]
        m = m_new
    l = l.masked_fill(l == 0, 1.0)
    return o / l


# %% tiled_attention: every tile has a softmax of its own, and the results are averaged as if all tiles weighed the same
# fault: return output / tiles
# fault: output = output + part
def tiled_attention(query, key, value, mask=None, tile=64):
    if mask is None:
        mask = torch.ones(1, dtype=torch.bool, device=query.device)
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], key.shape[-2])
    output = query.new_zeros(*query.shape[:-1], value.shape[-1])
    tiles = 0
    for start in range(0, key.shape[-2], tile):
        here = slice(start, start + tile)
        scores = query @ key[..., here, :].transpose(-1, -2) / math.sqrt(query.shape[-1])
        scores = scores.masked_fill(~mask[..., here], float("-inf"))
        part = torch.nan_to_num(torch.softmax(scores, dim=-1)) @ value[..., here, :]
        output = output + part
        tiles += 1
    return output / tiles


# %% tiled_attention: two mistakes: the mixture kept so far is not shrunk with the sum, and nobody divides the scores by the root of d_k
# fault: output = output + exps @ value[..., a:b, :]
# fault: scores = torch.matmul(query, key[..., a:b, :].transpose(-2, -1))
def tiled_attention(query, key, value, mask=None, tile=64):
    keys = key.shape[-2]
    if mask is None:
        mask = torch.ones(keys, dtype=torch.bool, device=query.device)
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], keys)
    highest = query.new_full((*query.shape[:-1], 1), float("-inf"))
    total = torch.zeros_like(highest)
    output = query.new_zeros(*query.shape[:-1], value.shape[-1])
    a = 0
    while a < keys:
        b = min(a + tile, keys)
        scores = torch.matmul(query, key[..., a:b, :].transpose(-2, -1))
        scores = scores.masked_fill(~mask[..., a:b], float("-inf"))
        new_highest = torch.maximum(highest, scores.amax(-1, keepdim=True))
        finite = new_highest.masked_fill(new_highest == float("-inf"), 0.0)
        exps = torch.exp(scores - finite)
        total = total * torch.exp(highest - finite) + exps.sum(-1, keepdim=True)
        output = output + exps @ value[..., a:b, :]
        highest = new_highest
        a = b
    total = total.masked_fill(total == 0, 1.0)
    return output / total


# %% CausalSelfAttention: queries and keys are turned before they are cut into heads, so a head's pairs have the speeds of the whole width
# fault: query = rotary_embedding(query, past)
# fault: key = rotary_embedding(key, past)
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError(f"d_model={d_model} must be a multiple of num_heads={num_heads}")
        self.num_heads, self.positions = num_heads, positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        query, key, value = self.w_query(x), self.w_key(x), self.w_value(x)
        if self.positions == "rotary":
            query = rotary_embedding(query, past)
            key = rotary_embedding(key, past)
        query = split_heads(query, self.num_heads)
        key = split_heads(key, self.num_heads)
        value = split_heads(value, self.num_heads)
        if cache is not None:
            key, value = cache.append(key, value)
        return self.w_output(merge_heads(self.look_back(query, key, value)))

    def look_back(self, query, key, value):
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        weights = softmax(scores + self.bias(query, key))
        self.weights = weights.detach()
        return self.dropout(weights) @ value

    def bias(self, query, key):
        new, length = query.shape[-2], key.shape[-2]
        bias = query.new_zeros(new, length)
        if self.positions == "alibi":
            bias = alibi_bias(self.num_heads, length, query.device)[:, -new:].to(query.dtype)
        return bias.masked_fill(~causal_mask(length, query.device)[-new:], float("-inf"))


# %% CausalSelfAttention: the goods are turned as well, not only lists and signs
# fault: q, k, v = (rotary_embedding(t, offset=past) for t in (q, k, v))
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("d_model must be a multiple of num_heads")
        self.num_heads, self.positions = num_heads, positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        q, k, v = (split_heads(w(x), self.num_heads) for w in (self.w_query, self.w_key, self.w_value))
        if self.positions == "rotary":
            q, k, v = (rotary_embedding(t, offset=past) for t in (q, k, v))
        if cache is not None:
            k, v = cache.append(k, v)
        out = self.look_back(q, k, v)
        return self.w_output(merge_heads(out))

    def look_back(self, query, key, value):
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        weights = softmax(scores + self.bias(query, key))
        self.weights = weights.detach()
        return self.dropout(weights) @ value

    def bias(self, query, key):
        new, length = query.shape[-2], key.shape[-2]
        bias = query.new_zeros(new, length)
        if self.positions == "alibi":
            bias = alibi_bias(self.num_heads, length, query.device)[:, -new:].to(query.dtype)
        return bias.masked_fill(~causal_mask(length, query.device)[-new:], float("-inf"))


# %% CausalSelfAttention: the query is turned after the cache has grown, so it stands as many places too late as there are new tokens
# fault: query = rotary_embedding(query, 0 if cache is None else cache.length)
# fault: key, value = cache.append(key, value)
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("d_model must be a multiple of num_heads")
        self.num_heads = num_heads
        self.positions = positions
        self.w_query, self.w_key, self.w_value, self.w_output = (nn.Linear(d_model, d_model) for _ in range(4))
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        query = split_heads(self.w_query(x), self.num_heads)
        key = split_heads(self.w_key(x), self.num_heads)
        value = split_heads(self.w_value(x), self.num_heads)
        if self.positions == "rotary":
            key = rotary_embedding(key, past)
        if cache is not None:
            key, value = cache.append(key, value)
        if self.positions == "rotary":
            query = rotary_embedding(query, 0 if cache is None else cache.length)
        mixed = self.look_back(query, key, value)
        return self.w_output(merge_heads(mixed))

    def look_back(self, query, key, value):
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        weights = softmax(scores + self.bias(query, key))
        self.weights = weights.detach()
        return self.dropout(weights) @ value

    def bias(self, query, key):
        new, total = query.shape[-2], key.shape[-2]
        hidden = ~causal_mask(total, query.device)[total - new :]
        bias = query.new_zeros(new, total)
        if self.positions == "alibi":
            bias = bias + alibi_bias(self.num_heads, total, query.device)[:, -new:].to(query.dtype)
        return bias.masked_fill(hidden, float("-inf"))


# %% CausalSelfAttention: two mistakes: with a cache the causal mask is that of the first rows, so new tokens cannot see what they follow on; and the kept weights still hang on the graph
# fault: allowed = causal_mask(length, query.device)[:new]
# fault: self.weights = weights
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"{d_model} features cannot be shared among {num_heads} heads")
        self.num_heads, self.positions = num_heads, positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, x, cache=None):
        past = cache.length if cache is not None else 0
        query, key, value = [
            split_heads(project(x), self.num_heads) for project in (self.w_query, self.w_key, self.w_value)
        ]
        if self.positions == "rotary":
            query = rotary_embedding(query, offset=past)
            key = rotary_embedding(key, offset=past)
        if cache is not None:
            key, value = cache.append(key, value)
        return self.w_output(merge_heads(self.look_back(query, key, value)))

    def look_back(self, query, key, value):
        new, length = query.shape[-2], key.shape[-2]
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        if self.positions == "alibi":
            scores = scores + alibi_bias(self.num_heads, length, query.device)[:, -new:].to(query.dtype)
        allowed = causal_mask(length, query.device)[:new]
        weights = softmax(scores.masked_fill(~allowed, float("-inf")))
        self.weights = weights
        return self.dropout(weights) @ value


# %% sample_token: exactly k tokens are kept, so one that is as likely as the k-th is left out
# fault: kept = torch.full_like(logits, float("-inf")).scatter(-1, best.indices, best.values)
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError(f"temperature={temperature} must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} must be at least 1, or None for all tokens")
    if temperature == 0:
        return logits.argmax(dim=-1)
    kept = logits
    if top_k is not None:
        best = logits.topk(min(top_k, logits.shape[-1]), dim=-1)
        kept = torch.full_like(logits, float("-inf")).scatter(-1, best.indices, best.values)
    p = torch.softmax(kept / temperature, dim=-1)
    return torch.multinomial(p, 1, generator=generator)[:, 0]


# %% sample_token: at temperature 0 one token is chosen for the whole batch
# fault: return logits.argmax().repeat(len(logits))
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError("negative temperature")
    if top_k is not None and top_k < 1:
        raise ValueError("top_k must be at least 1, or None")
    if temperature == 0:
        return logits.argmax().repeat(len(logits))
    if top_k is not None and top_k < logits.size(-1):
        border = torch.sort(logits, dim=-1, descending=True).values[:, top_k - 1 : top_k]
        logits = torch.where(logits >= border, logits, -math.inf)
    probabilities = F.softmax(logits / temperature, dim=-1)
    return torch.multinomial(probabilities, num_samples=1, generator=generator).squeeze(-1)


# %% sample_token: top_k writes -inf into the caller's own logits
# fault: logits[logits < smallest] = float("-inf")
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError(f"temperature={temperature} must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} must be at least 1, or None for all tokens")
    if temperature == 0:
        return torch.argmax(logits, dim=1)
    if top_k is not None:
        k = min(top_k, logits.shape[1])
        smallest = logits.topk(k, dim=1).values[:, [-1]]
        logits[logits < smallest] = float("-inf")
    shares = (logits / temperature).softmax(dim=1)
    return torch.multinomial(shares, 1, generator=generator).view(-1)


# %% sample_token: two mistakes: the generator is not handed on, and the answer is a column (batch, 1)
# fault: drawn = torch.multinomial(probs, num_samples=1)
# fault: return drawn
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError(f"temperature={temperature} must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} must be at least 1, or None for all tokens")
    if temperature == 0:
        return logits.argmax(-1)
    scaled = logits / temperature
    if top_k:
        kth = scaled.topk(min(top_k, scaled.shape[-1])).values[..., -1:]
        scaled = scaled.masked_fill(scaled < kth, float("-inf"))
    probs = torch.softmax(scaled, dim=-1)
    drawn = torch.multinomial(probs, num_samples=1)
    return drawn


# %% mask_tokens: token 0 is what is never chosen, whatever the number of padding is
# fault: real = tokens != 0
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    real = tokens != 0
    chosen = real & (draw < probability)
    read = tokens.clone()
    read[chosen & (fate < 0.8)] = mask_token
    swap = chosen & (fate >= 0.8) & (fate < 0.9)
    read[swap] = random_tokens[swap]
    target = tokens.clone()
    target[~chosen] = pad
    return read, target


# %% mask_tokens: "below 0.9" holds for the 80 % as well, so the random tokens overwrite all the masks
# fault: read = torch.where(chosen & (fate < 0.9), random_tokens, read)
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    chosen = (draw < probability) & (tokens != pad)
    read = torch.where(chosen & (fate < 0.8), torch.full_like(tokens, mask_token), tokens)
    read = torch.where(chosen & (fate < 0.9), random_tokens, read)
    return read, torch.where(chosen, tokens, torch.full_like(tokens, pad))


# %% mask_tokens: two mistakes: masks are written into the caller's tokens, and what is not chosen gets -100 as other libraries have it
# fault: target = tokens.masked_fill(~chosen, -100)
# fault: tokens.masked_fill_(chosen & (fate < 0.8), mask_token)
# fault: tokens[other] = random_tokens[other]
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    chosen = torch.logical_and(draw < probability, tokens.ne(pad))
    target = tokens.masked_fill(~chosen, -100)
    other = chosen & (fate >= 0.8) & (fate < 0.9)
    tokens.masked_fill_(chosen & (fate < 0.8), mask_token)
    tokens[other] = random_tokens[other]
    return tokens, target


# %% patchify: the channels are not moved behind the patches: right for one channel, mixed up for three
# fault: return tiles.reshape(batch, rows * columns, channels * size * size)
def patchify(images, size):
    batch, channels, height, width = images.shape
    if height % size != 0 or width % size != 0:
        raise ValueError(f"{height} x {width} pixels cannot be cut into patches of {size} x {size}")
    rows, columns = height // size, width // size
    tiles = images.unfold(2, size, size).unfold(3, size, size)  # (batch, channels, rows, columns, size, size)
    return tiles.reshape(batch, rows * columns, channels * size * size)


# %% patchify: the columns run up to the height, so a wide picture loses its right side
# fault: for left in range(0, height, size):
def patchify(images, size):
    _, _, height, width = images.shape
    if height % size != 0 or width % size != 0:
        raise ValueError(f"{height} x {width} pixels cannot be cut into patches of {size} x {size}")
    patches = []
    for top in range(0, height, size):
        for left in range(0, height, size):
            patch = images[:, :, top : top + size, left : left + size]
            patches.append(patch.flatten(1))
    return torch.stack(patches, dim=1)


# %% patchify: two mistakes: patches go column by column, and whatever the pixels were they become float32
# fault: x = x.permute(0, 4, 2, 1, 3, 5)
# fault: x = images.float().reshape(b, c, h // size, size, w // size, size)
def patchify(images, size):
    b, c, h, w = images.shape
    if h % size or w % size:
        raise ValueError(f"{h} x {w} pixels cannot be cut into patches of {size} x {size}")
    x = images.float().reshape(b, c, h // size, size, w // size, size)
    x = x.permute(0, 4, 2, 1, 3, 5)
    return x.reshape(b, -1, c * size * size)


# %% MixtureOfExperts: gates are a softmax of probabilities, which is nearly even, and not their share of the sum
# fault: gates = torch.softmax(best, dim=-1)
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError(f"top_k={top_k} must lie between 1 and num_experts={num_experts}")
        self.top_k = top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList(FeedForward(d_model, d_ff, dropout) for _ in range(num_experts))
        self.balance_loss = None

    def forward(self, x):
        tokens = x.reshape(-1, x.shape[-1])
        probabilities = softmax(self.router(tokens))
        best, chosen = probabilities.topk(self.top_k, dim=-1)
        gates = torch.softmax(best, dim=-1)
        output = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            row, slot = torch.where(chosen == number)
            if len(row):
                output = output.index_add(0, row, gates[row, slot, None] * expert(tokens[row]))
        visits = F.one_hot(chosen, len(self.experts)).flatten(0, 1)
        share = visits.to(probabilities.dtype).mean(dim=0)
        self.balance_loss = len(self.experts) * (share * probabilities.mean(dim=0)).sum()
        return output.reshape(x.shape)

    def __getstate__(self):
        return self.__dict__ | {"balance_loss": None}


# %% MixtureOfExperts: what an expert says replaces what others have said to the token before, nothing is added up
# fault: output[rows] = weight * expert(tokens[rows])
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError(f"top_k={top_k} must lie between 1 and num_experts={num_experts}")
        self.top_k = top_k
        self.router = nn.Linear(d_model, num_experts)
        experts = (FeedForward(d_model, d_ff, dropout) for _ in range(num_experts))
        self.experts = nn.ModuleList(experts)
        self.balance_loss = None

    def forward(self, x):
        tokens = x.reshape(-1, x.shape[-1])
        probabilities = self.router(tokens).softmax(dim=-1)
        gates, chosen = torch.topk(probabilities, self.top_k, dim=-1)
        gates = gates / gates.sum(dim=-1, keepdim=True)
        output = torch.zeros_like(tokens)
        for e, expert in enumerate(self.experts):
            visited = chosen == e  # (tokens, top_k)
            rows = visited.any(dim=-1)
            weight = (gates * visited).sum(dim=-1, keepdim=True)[rows]
            output[rows] = weight * expert(tokens[rows])
        visits = F.one_hot(chosen, len(self.experts)).flatten(0, 1)
        share = visits.to(probabilities.dtype).mean(dim=0)
        self.balance_loss = len(self.experts) * (share * probabilities.mean(dim=0)).sum()
        return output.reshape(x.shape)

    def __getstate__(self):
        return self.__dict__ | {"balance_loss": None}


# %% MixtureOfExperts: two mistakes: one feed-forward stands in the list many times, and gates are divided by their sum over all tokens
# fault: self.experts = nn.ModuleList([FeedForward(d_model, d_ff, dropout)] * num_experts)
# fault: gates = values / values.sum(dim=0, keepdim=True)
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError(f"top_k={top_k} must lie between 1 and num_experts={num_experts}")
        self.top_k = top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList([FeedForward(d_model, d_ff, dropout)] * num_experts)
        self.balance_loss = None

    def forward(self, x):
        tokens = x.reshape(-1, x.shape[-1])
        probabilities = softmax(self.router(tokens), dim=-1)
        values, chosen = probabilities.topk(self.top_k)
        gates = values / values.sum(dim=0, keepdim=True)
        output = torch.zeros_like(tokens)
        for e in range(len(self.experts)):
            which, place = (chosen == e).nonzero(as_tuple=True)
            said = self.experts[e](tokens[which])
            output.index_add_(0, which, gates[which, place].unsqueeze(-1) * said)
        visits = F.one_hot(chosen, len(self.experts)).flatten(0, 1)
        share = visits.to(probabilities.dtype).mean(dim=0)
        self.balance_loss = len(self.experts) * (share * probabilities.mean(dim=0)).sum()
        return output.reshape(x.shape)

    def __getstate__(self):
        return self.__dict__ | {"balance_loss": None}
