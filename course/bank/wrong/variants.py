import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.multi_head import MultiHeadAttention
from solutions.arguments import check_attention, check_even, check_window
from solutions.attention import causal_mask, scaled_dot_product_attention, softmax
from solutions.encoder_block import FeedForward
from solutions.multi_head import merge_heads, split_heads
from solutions.variants import alibi_bias, rotary_embedding, sliding_window_mask


# %% rotary_embedding: the first half is paired with the second, not neighbours with each other
# expect: halves
def rotary_embedding(x, offset=0, base=10000.0):
    n, d = x.shape[-2], x.shape[-1]
    inv = base ** (-torch.arange(0, d, 2, device=x.device).double() / d)
    t = torch.arange(offset, offset + n, device=x.device).double()
    freqs = torch.outer(t, inv)
    emb = torch.cat((freqs, freqs), dim=-1)
    half = torch.cat((-x[..., d // 2 :], x[..., : d // 2]), dim=-1)
    return x * emb.cos().to(x.dtype) + half * emb.sin().to(x.dtype)


# %% rotary_embedding: turned the wrong way round, by the negative angle
# expect: turned_backwards
def rotary_embedding(x, offset=0, base=10000.0):
    n, d = x.shape[-2:]
    out = torch.empty_like(x)
    place = torch.arange(n, device=x.device).double() + offset
    for i in range(0, d, 2):
        theta = place / base ** (i / d)
        c, s = theta.cos().to(x.dtype), theta.sin().to(x.dtype)
        out[..., i] = x[..., i] * c + x[..., i + 1] * s
        out[..., i + 1] = x[..., i + 1] * c - x[..., i] * s
    return out


# %% rotary_embedding: offset is ignored
# expect: offset_ignored
def rotary_embedding(x, offset=0, base=10000.0):
    length, width = x.shape[-2:]
    omega = 1.0 / base ** (torch.arange(0, width, 2, dtype=torch.float64, device=x.device) / width)
    angle = torch.arange(length, dtype=torch.float64, device=x.device)[:, None] * omega
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    pairs = x.unflatten(-1, (-1, 2))
    left, right = pairs.unbind(-1)
    turned = torch.stack([left * cos - right * sin, left * sin + right * cos], dim=-1)
    return turned.flatten(-2)


# %% rotary_embedding: base is ignored, always 10000
# expect: base_ignored
def rotary_embedding(x, offset=0, base=10000.0):
    n, d = x.shape[-2:]
    rate = torch.exp(torch.arange(0, d, 2, device=x.device) * (-math.log(10000.0) / d))
    place = torch.arange(offset, offset + n, device=x.device)[:, None]
    c = torch.cos(place * rate).to(x.dtype).repeat_interleave(2, dim=-1)
    s = torch.sin(place * rate).to(x.dtype).repeat_interleave(2, dim=-1)
    crossed = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).reshape(x.shape)
    return x * c + crossed * s


# %% rotary_embedding: angles are worked out in the dtype of x, wrong far on in bfloat16
# expect: angles_in_bfloat16
def rotary_embedding(x, offset=0, base=10000.0):
    n, d = x.shape[-2:]
    place = torch.arange(offset, offset + n, device=x.device).to(x.dtype)
    rate = base ** (-torch.arange(0, d, 2, device=x.device).to(x.dtype) / d)
    angle = place[:, None] * rate[None, :]
    a, b = x[..., ::2], x[..., 1::2]
    new_a = a * angle.cos() - b * angle.sin()
    new_b = b * angle.cos() + a * angle.sin()
    return torch.stack((new_a, new_b), -1).reshape(x.shape)


# %% rotary_embedding: positions are counted along dimension 1, the heads of a 4-D x
# expect: counted_along_dimension_1
def rotary_embedding(x, offset=0, base=10000.0):
    n, d = x.shape[1], x.shape[-1]
    rate = base ** (-torch.arange(0, d, 2, device=x.device).double() / d)
    angle = (torch.arange(n, device=x.device).double() + offset)[:, None] * rate
    angle = angle.reshape(n, *[1] * (x.dim() - 3), d // 2)
    c, s = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    out = torch.zeros_like(x)
    out[..., 0::2] = even * c - odd * s
    out[..., 1::2] = even * s + odd * c
    return out


# %% rotary_embedding: complex numbers in float32, and the result stays float32
# expect: always_float32
def rotary_embedding(x, offset=0, base=10000.0):
    n, d = x.shape[-2:]
    z = torch.view_as_complex(x.float().reshape(*x.shape[:-1], d // 2, 2))
    rate = base ** (-torch.arange(0, d, 2, device=x.device).float() / d)
    angle = torch.outer(torch.arange(offset, offset + n, device=x.device).float(), rate)
    turn = torch.polar(torch.ones_like(angle), angle)
    return torch.view_as_real(z * turn).flatten(-2)


# %% alibi_bias: the sign is wrong, far keys are preferred
# expect: rewards_distance
def alibi_bias(num_heads, length):
    slopes = torch.tensor([2 ** (-8 * (i + 1) / num_heads) for i in range(num_heads)])
    t = torch.arange(length)
    distance = t.view(-1, 1) - t.view(1, -1)
    return torch.einsum("h,qk->hqk", slopes, distance.float())


# %% alibi_bias: the slopes are 1/2, 1/4, 1/8, …, right only for eight heads
# expect: number_of_heads_ignored
def alibi_bias(num_heads, length):
    bias = torch.zeros(num_heads, length, length)
    for h in range(num_heads):
        slope = 0.5 ** (h + 1)
        for q in range(length):
            for k in range(length):
                bias[h, q, k] = slope * (k - q)
    return bias


# %% alibi_bias: the first slope is 1, heads are counted from 0
# expect: slopes_counted_from_zero
def alibi_bias(num_heads, length):
    h = torch.arange(num_heads)
    m = torch.pow(2.0, -8.0 * h / num_heads)
    grid = torch.arange(length)[None, :] - torch.arange(length)[:, None]
    return m.view(-1, 1, 1) * grid


# %% alibi_bias: the heads stand last, the shape is (length, length, heads)
# expect: heads_last
def alibi_bias(num_heads, length):
    slope = 2.0 ** torch.linspace(-8 / num_heads, -8, num_heads)
    step = torch.arange(length).float()
    relative = step.unsqueeze(0) - step.unsqueeze(1)
    return relative.unsqueeze(-1) * slope


# %% alibi_bias: every head has the same slope
# expect: one_slope_for_all
def alibi_bias(num_heads, length):
    position = torch.arange(length, dtype=torch.float32)
    one = -(position[:, None] - position) * 2 ** (-8 / num_heads)
    return one.repeat(num_heads, 1, 1)


# %% sliding_window_mask: one key too many, the window does not count the position itself
# expect: one_too_many
def sliding_window_mask(length, window):
    i = torch.arange(length)[:, None]
    j = torch.arange(length)[None, :]
    return (j <= i) & (i - j <= window)


# %% sliding_window_mask: looks to both sides, the future is not hidden
# expect: both_sides
def sliding_window_mask(length, window):
    i = torch.arange(length)
    return (i.unsqueeze(1) - i.unsqueeze(0)).abs() < window


# %% sliding_window_mask: hides the near past and shows only what lies beyond the window
# expect: outside_of_the_window
def sliding_window_mask(length, window):
    ones = torch.ones(length, length, dtype=torch.bool)
    return ones.tril(-window)


# %% sliding_window_mask: the first rows always see a full window, so they see the future
# expect: always_a_full_window
def sliding_window_mask(length, window):
    mask = torch.zeros(length, length, dtype=torch.bool)
    for row in range(length):
        first = max(0, row - window + 1)
        mask[row, first : first + window] = True
    return mask


# %% sliding_window_mask: whole blocks of the window's size in place of a window that moves along
# expect: in_blocks
def sliding_window_mask(length, window):
    block = torch.arange(length) // window
    same = block[:, None] == block[None, :]
    return same & torch.ones(length, length, dtype=torch.bool).tril()


# %% sliding_window_attention: a query sees only its own block, not the one before
# expect: own_block_only
def sliding_window_attention(query, key, value, window):
    length = query.shape[-2]
    pieces = []
    for first in range(0, length, window):
        part = slice(first, first + window)
        q, k, v = query[..., part, :], key[..., part, :], value[..., part, :]
        n = q.shape[-2]
        mask = torch.ones(n, n, dtype=torch.bool, device=q.device).tril()
        pieces.append(scaled_dot_product_attention(q, k, v, mask)[0])
    return torch.cat(pieces, dim=-2)


# %% sliding_window_attention: the window is one key too wide
# expect: window_one_too_long
def sliding_window_attention(query, key, value, window):
    outputs = []
    for t in range(query.shape[-2]):
        first = max(0, t - window)
        q = query[..., t : t + 1, :]
        k, v = key[..., first : t + 1, :], value[..., first : t + 1, :]
        outputs.append(scaled_dot_product_attention(q, k, v)[0])
    return torch.cat(outputs, dim=-2)


# %% sliding_window_attention: scores are not divided by the root of d_k
# expect: no_scale
def sliding_window_attention(query, key, value, window):
    n = query.shape[-2]
    keys = F.pad(key, (0, 0, window - 1, 0)).unfold(-2, window, 1)
    values = F.pad(value, (0, 0, window - 1, 0)).unfold(-2, window, 1)
    scores = torch.einsum("...nd,...ndw->...nw", query, keys)
    place = torch.arange(n, device=query.device)[:, None]
    behind = torch.arange(window - 1, -1, -1, device=query.device)
    scores = scores.masked_fill(behind > place, float("-inf"))
    return torch.einsum("...nw,...ndw->...nd", scores.softmax(-1), values)


# %% sliding_window_attention: the zeros before the first token are attended to
# expect: zeros_attended
def sliding_window_attention(query, key, value, window):
    def windows(x):
        empty = torch.zeros_like(x[..., :1, :])
        x = torch.cat([empty] * (window - 1) + [x], dim=-2)
        return x.unfold(-2, window, 1).transpose(-2, -1)

    k, v = windows(key), windows(value)
    scores = (query.unsqueeze(-2) * k).sum(-1) / math.sqrt(query.shape[-1])
    weights = scores.softmax(dim=-1)
    return (weights.unsqueeze(-1) * v).sum(-2)


# %% sliding_window_attention: tokens behind the last full window are dropped
# expect: last_tokens_lost
def sliding_window_attention(query, key, value, window):
    window = min(window, query.shape[-2])
    blocks = query.shape[-2] // window
    results = []
    for b in range(blocks):
        first = max(0, (b - 1) * window)
        last = (b + 1) * window
        q = query[..., b * window : last, :]
        k, v = key[..., first:last, :], value[..., first:last, :]
        mask = sliding_window_mask(last - first, window)[-window:]
        results.append(scaled_dot_product_attention(q, k, v, mask.to(q.device))[0])
    return torch.cat(results, dim=-2)


# %% sliding_window_attention: right, but by way of a full (length, length) matrix
# expect: full_matrix
def sliding_window_attention(query, key, value, window):
    mask = sliding_window_mask(query.shape[-2], window, query.device)
    scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(~mask, float("-inf"))
    return torch.matmul(scores.softmax(dim=-1), value)


# %% tiled_attention: what was kept is not shrunk when a higher score comes
# expect: nothing_shrinks
def tiled_attention(query, key, value, mask=None, tile=64):
    top = query.new_full((*query.shape[:-1], 1), torch.finfo(query.dtype).min)
    total, out = 0.0, 0.0
    for i in range(0, key.shape[-2], tile):
        s = query @ key[..., i : i + tile, :].mT / math.sqrt(query.shape[-1])
        if mask is not None:
            full = mask.expand(*mask.shape[:-1], key.shape[-2])
            s = s.masked_fill(~full[..., i : i + tile], float("-inf"))
        top = torch.maximum(top, s.amax(-1, keepdim=True))
        p = torch.exp(s - top)
        total = total + p.sum(-1, keepdim=True)
        out = out + p @ value[..., i : i + tile, :]
    return out / total


# %% tiled_attention: the sum is not shrunk when a higher score comes, only the output is
# expect: total_does_not_shrink
def tiled_attention(query, key, value, mask=None, tile=64):
    d = query.shape[-1]
    lowest = torch.finfo(query.dtype).min
    m = query.new_full(query.shape[:-1], lowest)
    l = query.new_zeros(query.shape[:-1])
    o = query.new_zeros(*query.shape[:-1], value.shape[-1])
    for k, v, start in zip(key.split(tile, -2), value.split(tile, -2), range(0, 10**9, tile)):
        s = torch.einsum("...qd,...kd->...qk", query, k) / d**0.5
        if mask is not None:
            columns = mask.expand(*mask.shape[:-1], key.shape[-2])[..., start : start + tile]
            s = torch.where(columns, s, -torch.inf)
        m_new = torch.maximum(m, s.amax(-1))
        p = torch.exp(s - m_new[..., None])
        l = l + p.sum(-1)
        o = o * torch.exp(m - m_new)[..., None] + torch.einsum("...qk,...kd->...qd", p, v)
        m = m_new
    return o / l[..., None]


# %% tiled_attention: the mask is ignored
# expect: mask_ignored
def tiled_attention(query, key, value, mask=None, tile=64):
    q = query * query.shape[-1] ** -0.5
    best = total = result = None
    for first in range(0, key.shape[-2], tile):
        s = q @ key[..., first : first + tile, :].transpose(-2, -1)
        here = s.amax(dim=-1, keepdim=True)
        e = torch.exp(s - here)
        t, r = e.sum(-1, keepdim=True), e @ value[..., first : first + tile, :]
        if best is None:
            best, total, result = here, t, r
            continue
        new = torch.maximum(best, here)
        a, b = torch.exp(best - new), torch.exp(here - new)
        best, total, result = new, total * a + t * b, result * a + r * b
    return result / total


# %% tiled_attention: the last tile is left out if it is not full
# expect: rest_left_out
def tiled_attention(query, key, value, mask=None, tile=64):
    length = key.shape[-2]
    tile = min(tile, length)
    top = torch.full_like(query[..., :1], torch.finfo(query.dtype).min)
    norm = torch.zeros_like(top)
    acc = torch.zeros(*query.shape[:-1], value.shape[-1], dtype=query.dtype, device=query.device)
    for number in range(length // tile):
        cut = slice(number * tile, (number + 1) * tile)
        s = query @ key[..., cut, :].transpose(-2, -1) / math.sqrt(query.shape[-1])
        if mask is not None:
            s = s.masked_fill(~mask.expand(*mask.shape[:-1], length)[..., cut], -math.inf)
        higher = torch.maximum(top, s.max(-1, keepdim=True).values)
        p, fade = torch.exp(s - higher), torch.exp(top - higher)
        norm = norm * fade + p.sum(-1, keepdim=True)
        acc = acc * fade + p @ value[..., cut, :]
        top = higher
    return acc / norm


# %% tiled_attention: the highest score starts at 0, so very low scores vanish and give nan
# expect: highest_begins_at_zero
def tiled_attention(query, key, value, mask=None, tile=64):
    m = torch.zeros_like(query[..., :1])
    z = torch.zeros_like(m)
    o = query.new_zeros(*query.shape[:-1], value.shape[-1])
    n = key.shape[-2]
    for i in range(0, n, tile):
        s = (query / math.sqrt(query.shape[-1])) @ key[..., i : i + tile, :].transpose(-1, -2)
        if mask is not None:
            s = s.masked_fill(~mask.expand(*mask.shape[:-1], n)[..., i : i + tile], -1e30)
        m2 = torch.maximum(m, s.amax(-1, keepdim=True))
        w = torch.exp(s - m2)
        f = torch.exp(m - m2)
        z, o, m = z * f + w.sum(-1, keepdim=True), o * f + w @ value[..., i : i + tile, :], m2
    return o / z


# %% tiled_attention: a tile that is hidden altogether before anything was seen gives nan
# expect: hidden_by_infinity
def tiled_attention(query, key, value, mask=None, tile=64):
    n = key.shape[-2]
    m = torch.full_like(query[..., :1], float("-inf"))
    z = torch.zeros_like(m)
    o = query.new_zeros(*query.shape[:-1], value.shape[-1])
    for i in range(0, n, tile):
        s = query @ key[..., i : i + tile, :].transpose(-1, -2) / math.sqrt(query.shape[-1])
        if mask is not None:
            s = s.masked_fill(~mask.expand(*mask.shape[:-1], n)[..., i : i + tile], -torch.inf)
        m2 = torch.maximum(m, s.amax(-1, keepdim=True))
        w, f = torch.exp(s - m2), torch.exp(m - m2)
        z = z * f + w.sum(-1, keepdim=True)
        o = o * f + w @ value[..., i : i + tile, :]
        m = m2
    return o / z


# %% tiled_attention: a softmax of each tile by itself, and the mean of the tiles
# expect: tiles_averaged
def tiled_attention(query, key, value, mask=None, tile=64):
    n = key.shape[-2]
    outputs = []
    for i in range(0, n, tile):
        part = None
        if mask is not None:
            part = mask.expand(*mask.shape[:-1], n)[..., i : i + tile]
        k, v = key[..., i : i + tile, :], value[..., i : i + tile, :]
        outputs.append(scaled_dot_product_attention(query, k, v, part)[0])
    return torch.stack(outputs).mean(dim=0)


# %% CausalSelfAttention: nothing hides the future
# expect: future_seen
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        self.num_heads, self.positions = num_heads, positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        q = split_heads(self.w_query(x), self.num_heads)
        k = split_heads(self.w_key(x), self.num_heads)
        v = split_heads(self.w_value(x), self.num_heads)
        if self.positions == "rotary":
            q, k = rotary_embedding(q, past), rotary_embedding(k, past)
        if cache is not None:
            k, v = cache.append(k, v)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if self.positions == "alibi":
            bias = alibi_bias(self.num_heads, k.shape[2], x.device)
            scores = scores + bias[:, -x.shape[1] :].to(scores.dtype)
        weights = scores.softmax(dim=-1)
        self.weights = weights.detach()
        return self.w_output(merge_heads(self.dropout(weights) @ v))


# %% CausalSelfAttention: with a cache the new tokens are turned as if they stood at the start
# expect: always_from_position_zero
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        self.h = num_heads
        self.kind = positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, cache=None):
        B, T, C = x.shape
        q = self.w_query(x).view(B, T, self.h, C // self.h).transpose(1, 2)
        k = self.w_key(x).view(B, T, self.h, C // self.h).transpose(1, 2)
        v = self.w_value(x).view(B, T, self.h, C // self.h).transpose(1, 2)
        if self.kind == "rotary":
            q = rotary_embedding(q)
            k = rotary_embedding(k)
        if cache is not None:
            k, v = cache.append(k, v)
        S = k.shape[2]
        att = torch.einsum("bhtd,bhsd->bhts", q, k) / math.sqrt(C // self.h)
        if self.kind == "alibi":
            att = att + alibi_bias(self.h, S, x.device)[:, S - T :].to(att.dtype)
        att = att.masked_fill(~causal_mask(S, x.device)[S - T :], float("-inf"))
        att = att.softmax(-1)
        self.weights = att.detach()
        out = torch.einsum("bhts,bhsd->bthd", self.drop(att), v)
        return self.w_output(out.reshape(B, T, C))


# %% CausalSelfAttention: with a cache the mask is laid from the first key, so the past is hidden
# expect: causal_from_the_first_key
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        self.num_heads, self.positions = num_heads, positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, cache=None):
        past = cache.length if cache is not None else 0
        q, k, v = (
            split_heads(w(x), self.num_heads) for w in (self.w_query, self.w_key, self.w_value)
        )
        if self.positions == "rotary":
            q = rotary_embedding(q, offset=past)
            k = rotary_embedding(k, offset=past)
        if cache is not None:
            k, v = cache.append(k, v)
        new, total = q.shape[2], k.shape[2]
        scores = q @ k.mT * q.shape[-1] ** -0.5
        if self.positions == "alibi":
            scores = scores + alibi_bias(self.num_heads, total, x.device)[:, past:].to(x.dtype)
        visible = torch.ones(new, total, dtype=torch.bool, device=x.device).tril()
        weights = scores.masked_fill(~visible, float("-inf")).softmax(-1)
        self.weights = weights.detach()
        return self.w_output(merge_heads(self.dropout(weights) @ v))


# %% CausalSelfAttention: alibi is accepted and does nothing
# expect: alibi_ignored
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        self.num_heads = num_heads
        self.rotary = positions == "rotary"
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        q = split_heads(self.w_query(x), self.num_heads)
        k = split_heads(self.w_key(x), self.num_heads)
        v = split_heads(self.w_value(x), self.num_heads)
        if self.rotary:
            q, k = rotary_embedding(q, past), rotary_embedding(k, past)
        if cache is not None:
            k, v = cache.append(k, v)
        mask = causal_mask(k.shape[2], x.device)[past:]
        _, weights = scaled_dot_product_attention(q, k, v, mask)
        self.weights = weights.detach()
        return self.w_output(merge_heads(self.dropout(weights) @ v))


# %% CausalSelfAttention: with rotary the values are turned, too
# expect: values_turned
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        self.num_heads, self.positions = num_heads, positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        parts = []
        for linear in (self.w_query, self.w_key, self.w_value):
            part = split_heads(linear(x), self.num_heads)
            if self.positions == "rotary":
                part = rotary_embedding(part, past)
            parts.append(part)
        q, k, v = parts
        if cache is not None:
            k, v = cache.append(k, v)
        scores = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(q.shape[-1])
        if self.positions == "alibi":
            scores = scores + alibi_bias(self.num_heads, k.shape[2], x.device)[:, past:].to(x)
        future = ~causal_mask(k.shape[2], x.device)[past:]
        weights = scores.masked_fill(future, -torch.inf).softmax(-1)
        self.weights = weights.detach()
        return self.w_output(merge_heads(torch.matmul(self.dropout(weights), v)))


# %% CausalSelfAttention: the cache is never filled nor read, only the new tokens are seen
# expect: cache_ignored
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        self.num_heads, self.positions = num_heads, positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, cache=None):
        n = x.shape[1]
        q = split_heads(self.w_query(x), self.num_heads)
        k = split_heads(self.w_key(x), self.num_heads)
        v = split_heads(self.w_value(x), self.num_heads)
        if self.positions == "rotary":
            q, k = rotary_embedding(q), rotary_embedding(k)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if self.positions == "alibi":
            scores = scores + alibi_bias(self.num_heads, n, x.device).to(x.dtype)
        scores = scores.masked_fill(~causal_mask(n, x.device), float("-inf"))
        weights = scores.softmax(-1)
        self.weights = weights.detach()
        return self.w_output(merge_heads(self.dropout(weights) @ v))


# %% sample_token: multiplied by the temperature in place of divided
# expect: multiplied_by_temperature
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature == 0:
        return logits.argmax(-1)
    if top_k is not None and top_k < logits.shape[1]:
        border = torch.sort(logits, dim=1, descending=True).values[:, top_k - 1]
        logits = torch.where(logits >= border[:, None], logits, float("-inf"))
    p = torch.softmax(logits * temperature, dim=1)
    return torch.multinomial(p, num_samples=1, generator=generator)[:, 0]


# %% sample_token: temperature 0 divides by zero and raises an error
# expect: zero_divides
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    scaled = logits / temperature
    if top_k is not None:
        values, _ = scaled.topk(min(top_k, scaled.size(-1)))
        scaled = scaled.masked_fill(scaled < values[:, [-1]], -torch.inf)
    return torch.multinomial(scaled.softmax(-1), 1, generator=generator).squeeze(1)


# %% sample_token: the k-th likeliest token itself is left out, only larger ones stay
# expect: kth_ruled_out
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature == 0:
        return logits.max(dim=-1).indices
    if top_k is not None and 1 < top_k < logits.shape[-1]:
        kth = torch.topk(logits, top_k, dim=-1)[0][..., -1, None]
        logits = logits.masked_fill(logits <= kth, float("-inf"))
    elif top_k == 1:
        return logits.max(dim=-1).indices
    probs = F.softmax(logits / temperature, dim=-1)
    return torch.multinomial(probs, 1, generator=generator).flatten()


# %% sample_token: the border of the first row serves for the whole batch
# expect: one_threshold_for_the_batch
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature == 0:
        return logits.argmax(dim=-1)
    if top_k is not None and top_k < logits.shape[-1]:
        border = logits.topk(top_k).values[0, -1]
        low = logits < border
        low = low & (logits < logits.amax(-1, keepdim=True))
        logits = logits.masked_fill(low, float("-inf"))
    return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)[:, 0]


# %% sample_token: the shape is (batch, 1) and not (batch,)
# expect: a_column
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    if top_k is not None:
        k = min(top_k, logits.size(-1))
        v, _ = torch.topk(logits, k)
        logits = logits.where(logits >= v[:, -1:], -math.inf)
    probs = torch.softmax(logits / temperature, dim=-1)
    return torch.multinomial(probs, num_samples=1, generator=generator)


# %% sample_token: with top_k the caller's logits are changed
# expect: changes_logits
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if top_k is not None:
        v, _ = torch.topk(logits, min(top_k, logits.size(-1)))
        logits[logits < v[:, [-1]]] = -float("Inf")
    if temperature == 0:
        return logits.argmax(dim=-1)
    return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator).view(-1)


# %% sample_token: the generator is not passed on
# expect: generator_ignored
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature == 0:
        return logits.argmax(dim=1)
    if top_k is not None and top_k < logits.shape[1]:
        keep = logits >= logits.kthvalue(logits.shape[1] - top_k + 1, dim=1, keepdim=True).values
        logits = logits.masked_fill(~keep, float("-inf"))
    distribution = torch.distributions.Categorical(logits=logits / temperature)
    return distribution.sample()


# %% sample_token: always the likeliest token, nothing is drawn
# expect: always_the_likeliest
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    return torch.argmax(logits, dim=-1)


# %% mask_tokens: padding is chosen, too
# expect: padding_chosen
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    device = tokens.device
    chosen = torch.rand(tokens.shape, generator=generator, device=device) < probability
    fate = torch.rand(tokens.shape, generator=generator, device=device)
    other = torch.randint(0, vocab, tokens.shape, generator=generator, device=device)
    read = torch.where(chosen & (fate < 0.8), torch.full_like(tokens, mask_token), tokens)
    read = torch.where(chosen & (fate > 0.9), other, read)
    labels = torch.where(chosen, tokens, torch.full_like(tokens, pad))
    return read, labels


# %% mask_tokens: every chosen token becomes the mask token, none random and none kept
# expect: always_masked
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    dice = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    chosen = (dice < probability) & tokens.ne(pad)
    return tokens.masked_fill(chosen, mask_token), tokens.masked_fill(~chosen, pad)


# %% mask_tokens: every token is to be predicted, not only the chosen ones
# expect: everything_to_be_predicted
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    u = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    chosen = (u < probability) & (tokens != pad)
    fate = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    noise = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    read = tokens.clone()
    read[chosen & (fate < 0.8)] = mask_token
    replace = chosen & (fate >= 0.9)
    read[replace] = noise[replace]
    return read, tokens.clone()


# %% mask_tokens: 80 % of the chosen become random and 10 % the mask token
# expect: masks_and_others_swapped
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    shape, device = tokens.shape, tokens.device
    chosen = torch.rand(shape, generator=generator, device=device) < probability
    chosen = chosen * (tokens != pad)
    fate = torch.rand(shape, generator=generator, device=device)
    words = torch.randint(vocab, shape, generator=generator, device=device)
    read = torch.where(chosen & (fate < 0.8), words, tokens)
    read = torch.where(chosen & (fate >= 0.9), torch.full_like(tokens, mask_token), read)
    return read, torch.where(chosen, tokens, pad)


# %% mask_tokens: the caller's tokens are changed, and so what is to be predicted is lost
# expect: read_is_tokens
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    read = tokens
    chosen = torch.rand(tokens.shape, generator=generator, device=tokens.device) < probability
    chosen &= tokens != pad
    fate = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    noise = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    read[chosen & (fate < 0.8)] = mask_token
    swap = chosen & (fate >= 0.9)
    read[swap] = noise[swap]
    labels = torch.full_like(tokens, pad)
    labels[chosen] = tokens[chosen]
    return read, labels


# %% mask_tokens: what is to be predicted has -100 and not pad where nothing was chosen
# expect: minus_100
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    labels = tokens.clone()
    matrix = torch.full(labels.shape, probability, device=tokens.device)
    matrix.masked_fill_(labels == pad, 0.0)
    chosen = torch.bernoulli(matrix, generator=generator).bool()
    fate = torch.rand(labels.shape, generator=generator, device=tokens.device)
    noise = torch.randint(vocab, labels.shape, generator=generator, device=tokens.device)
    labels[~chosen] = -100
    read = tokens.masked_fill(chosen & (fate < 0.8), mask_token)
    return torch.where(chosen & (fate >= 0.9), noise, read), labels


# %% mask_tokens: all sequences of the batch are masked at the same places
# expect: same_places_in_all
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    length = tokens.shape[1]
    line = torch.rand(length, generator=generator, device=tokens.device) < probability
    chosen = line.expand(tokens.shape) & (tokens != pad)
    fate = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    noise = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    read = tokens.masked_fill(chosen & (fate < 0.8), mask_token)
    read = torch.where(chosen & (fate >= 0.9), noise, read)
    return read, tokens.masked_fill(~chosen, pad)


# %% patchify: one view without moving dimensions, so patches are strips of rows
# expect: reshape_only
def patchify(images, size):
    b, c, h, w = images.shape
    return images.reshape(b, (h // size) * (w // size), c * size * size)


# %% patchify: patches go column by column, not row by row
# expect: column_by_column
def patchify(images, size):
    rows = images.shape[2] // size
    columns = images.shape[3] // size
    out = []
    for x in range(columns):
        for y in range(rows):
            patch = images[:, :, y * size : (y + 1) * size, x * size : (x + 1) * size]
            out.append(patch.flatten(1))
    return torch.stack(out, dim=1)


# %% patchify: the channels stand last inside a patch and not first
# expect: channels_last
def patchify(images, size):
    b, c, h, w = images.shape
    x = images.view(b, c, h // size, size, w // size, size)
    x = torch.einsum("bchpwq->bhwpqc", x)
    return x.reshape(b, (h // size) * (w // size), size * size * c)


# %% patchify: the shape is (batch, features, patches), the transpose is missing
# expect: features_before_patches
def patchify(images, size):
    return F.unfold(images, kernel_size=size, stride=size)


# %% patchify: the number of columns is taken from the height, right only for square images
# expect: as_many_columns_as_rows
def patchify(images, size):
    b, c, h, w = images.shape
    n = h // size
    patches = []
    for i in range(n):
        for j in range(n):
            window = images[..., i * size : i * size + size, j * size : j * size + size]
            patches.append(window.reshape(b, -1))
    return torch.stack(patches, 1)


# %% patchify: windows move by one pixel, so they overlap
# expect: windows_overlap
def patchify(images, size):
    return F.unfold(images, size).transpose(1, 2)


# %% patchify: rows and columns inside a patch are swapped
# expect: pixels_column_by_column
def patchify(images, size):
    tiles = images.unfold(2, size, size).unfold(3, size, size)
    tiles = tiles.permute(0, 2, 3, 1, 5, 4)
    return tiles.flatten(3).flatten(1, 2)


# %% MixtureOfExperts: the gates of the chosen experts do not add up to 1
# expect: gates_not_shared_out
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        self.top_k = top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList(
            [FeedForward(d_model, d_ff, dropout) for _ in range(num_experts)]
        )
        self.balance_loss = None

    def forward(self, x):
        p = self.router(x).softmax(dim=-1)
        gate, index = p.topk(self.top_k, dim=-1)
        everything = torch.stack([expert(x) for expert in self.experts], dim=-2)
        where = index.unsqueeze(-1).expand(*index.shape, x.shape[-1])
        picked = everything.gather(-2, where)
        share = F.one_hot(index, len(self.experts)).to(p.dtype).flatten(0, -2).mean(0)
        self.balance_loss = len(self.experts) * (share * p.flatten(0, -2).mean(0)).sum()
        return (gate.unsqueeze(-1) * picked).sum(-2)


# %% MixtureOfExperts: only the best expert is visited, whatever top_k is
# expect: first_choice_takes_all
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList()
        for _ in range(num_experts):
            self.experts.append(FeedForward(d_model, d_ff, dropout))

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        probs = torch.softmax(self.router(flat), dim=1)
        best = probs.argmax(dim=1)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows = (best == e).nonzero().flatten()
            if len(rows):
                out = out.index_copy(0, rows, expert(flat[rows]))
        busy = torch.bincount(best, minlength=len(self.experts)).to(probs.dtype) / len(flat)
        self.balance_loss = len(self.experts) * (busy * probs.mean(0)).sum()
        return out.reshape(x.shape)


# %% MixtureOfExperts: all experts answer, weighted by the whole softmax, top_k is not used
# expect: every_expert_visited
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        self.top_k = top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList(
            FeedForward(d_model, d_ff, dropout) for _ in range(num_experts)
        )

    def forward(self, x):
        gates = self.router(x).softmax(-1)
        out = 0
        for e, expert in enumerate(self.experts):
            out = out + gates[..., e : e + 1] * expert(x)
        n = len(self.experts)
        chosen = gates.topk(self.top_k, dim=-1).indices
        share = F.one_hot(chosen, n).to(gates.dtype).reshape(-1, n).mean(0)
        self.balance_loss = n * torch.dot(share, gates.reshape(-1, n).mean(0))
        return out


# %% MixtureOfExperts: balance_loss is never set after a call
# expect: balance_missing
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        self.k = top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList(
            FeedForward(d_model, d_ff, dropout) for _ in range(num_experts)
        )
        self.balance_loss = None

    def forward(self, x):
        logits = self.router(x)
        best = logits.topk(self.k, dim=-1)
        gates = best.values.softmax(dim=-1)
        answers = torch.stack([e(x) for e in self.experts], -2)
        picked = torch.take_along_dim(answers, best.indices[..., None], dim=-2)
        return torch.einsum("...k,...kd->...d", gates, picked)


# %% MixtureOfExperts: the softmax of the router runs over the tokens and not over the experts
# expect: softmax_over_tokens
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        self.top_k = top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList(
            FeedForward(d_model, d_ff, dropout) for _ in range(num_experts)
        )

    def forward(self, x):
        t = x.reshape(-1, x.shape[-1])
        p = self.router(t).softmax(dim=0)
        gates, chosen = p.topk(self.top_k, dim=1)
        gates = gates / gates.sum(dim=1, keepdim=True)
        weights = torch.zeros_like(p).scatter(1, chosen, gates)
        out = sum(weights[:, [i]] * expert(t) for i, expert in enumerate(self.experts))
        share = (weights > 0).to(p.dtype).sum(0) / chosen.numel()
        self.balance_loss = len(self.experts) * (share * p.mean(0)).sum()
        return out.view(x.shape)


# %% MixtureOfExperts: the experts stand in a plain list, so their parameters are not registered
# expect: experts_in_a_list
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        self.top_k = top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = [FeedForward(d_model, d_ff, dropout) for _ in range(num_experts)]

    def forward(self, x):
        p = torch.softmax(self.router(x), dim=-1)
        gates, chosen = torch.topk(p, self.top_k, dim=-1)
        gates = gates / gates.sum(-1, keepdim=True)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            gate = (gates * (chosen == number)).sum(-1, keepdim=True)
            out = out + gate * expert.train(self.training)(x)
        n = len(self.experts)
        share = F.one_hot(chosen, n).to(p.dtype).flatten(0, -2).mean(0)
        self.balance_loss = n * (share * p.flatten(0, -2).mean(0)).sum()
        return out


# %% MixtureOfExperts: the gates are detached, so the router does not learn from the output
# expect: gates_cut_off
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        self.top_k = top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList(
            FeedForward(d_model, d_ff, dropout) for _ in range(num_experts)
        )

    def forward(self, x):
        p = torch.softmax(self.router(x), dim=-1)
        gates, chosen = p.detach().topk(self.top_k, dim=-1)
        gates = gates / gates.sum(-1, keepdim=True)
        full = torch.zeros_like(p).scatter(-1, chosen, gates)
        answers = torch.stack([expert(x) for expert in self.experts], dim=-1)
        n = len(self.experts)
        share = F.one_hot(chosen, n).to(p.dtype).flatten(0, -2).mean(0)
        self.balance_loss = n * (share * p.flatten(0, -2).mean(0)).sum()
        return torch.einsum("...de,...e->...d", answers, full)


# %% rotary_embedding: pairs feature i with feature i + d_head / 2 (rotate_half as in LLaMA) instead of neighbouring features
# expect: halves
def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    check_even("d_head", d_head)
    inv_freq = 1.0 / base ** (torch.arange(0, d_head, 2, device=x.device).float() / d_head)
    t = torch.arange(offset, offset + length, device=x.device).float()
    freqs = torch.outer(t, inv_freq)
    emb = torch.cat((freqs, freqs), dim=-1)
    cos, sin = emb.cos().to(x.dtype), emb.sin().to(x.dtype)

    def rotate_half(y):
        y1, y2 = y.chunk(2, dim=-1)
        return torch.cat((-y2, y1), dim=-1)

    return x * cos + rotate_half(x) * sin


# %% rotary_embedding: the exponent is i / d_head and not 2i / d_head, so the slow pairs turn too fast
# expect: half_the_exponent
def rotary_embedding(x, offset=0, base=10000.0):
    length, d = x.shape[-2:]
    check_even("d_head", d)
    out = torch.empty_like(x)
    pos = torch.arange(length, device=x.device, dtype=torch.float32) + offset
    for i in range(d // 2):
        theta = pos / base ** (i / d)
        c, s = torch.cos(theta).to(x.dtype), torch.sin(theta).to(x.dtype)
        out[..., 2 * i] = x[..., 2 * i] * c - x[..., 2 * i + 1] * s
        out[..., 2 * i + 1] = x[..., 2 * i] * s + x[..., 2 * i + 1] * c
    return out


# %% rotary_embedding: positions and angles are made in the dtype of x, so in bfloat16 or half precision later positions get badly rounded angles
# expect: angles_in_bfloat16
def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2], x.shape[-1]
    check_even("d_head", d_head)
    pos = torch.arange(offset, offset + length).to(x)
    pair = torch.arange(0, d_head, 2).to(x)
    theta = pos.unsqueeze(-1) * base ** (-pair / d_head)
    sin, cos = torch.sin(theta), torch.cos(theta)
    even, odd = x[..., ::2], x[..., 1::2]
    out = torch.empty_like(x)
    out[..., ::2] = even * cos - odd * sin
    out[..., 1::2] = even * sin + odd * cos
    return out


# %% rotary_embedding: two mistakes: works in place on the caller's tensor, and the second feature of a pair is computed from the already turned first one
# expect: writes_over_its_input
def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    check_even("d_head", d_head)
    p = torch.arange(offset, offset + length, device=x.device, dtype=torch.float32)[:, None]
    k = torch.arange(0, d_head, 2, device=x.device, dtype=torch.float32)[None, :]
    angle = p / base ** (k / d_head)
    c = angle.cos().to(x.dtype)
    s = angle.sin().to(x.dtype)
    x[..., 0::2] = x[..., 0::2] * c - x[..., 1::2] * s
    x[..., 1::2] = x[..., 0::2] * s + x[..., 1::2] * c
    return x


# %% rotary_embedding: the angles are made by numpy in double precision and never cast back, so a float32 input comes out as float64
# expect: nothing
def rotary_embedding(x, offset=0, base=10000.0):
    n, d = x.shape[-2:]
    check_even("d_head", d)
    angle = np.outer(np.arange(offset, offset + n), base ** (-np.arange(0, d, 2) / d))
    cos = torch.from_numpy(np.cos(angle)).to(x.device)
    sin = torch.from_numpy(np.sin(angle)).to(x.device)
    a = x[..., 0::2]
    b = x[..., 1::2]
    rotated = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return rotated.reshape(*x.shape)


# %% alibi_bias: the slopes are 2^-1, 2^-2, ... as for eight heads, whatever num_heads is
# expect: number_of_heads_ignored
def alibi_bias(num_heads, length, device=None):
    slopes = torch.tensor([2.0 ** -(i + 1) for i in range(num_heads)], device=device)
    q = torch.arange(length, device=device).view(1, -1, 1)
    k = torch.arange(length, device=device).view(1, 1, -1)
    return slopes.view(-1, 1, 1) * (k - q)


# %% alibi_bias: the sign is wrong, far away keys get a bonus
# expect: rewards_distance
def alibi_bias(num_heads, length, device=None):
    bias = torch.zeros(num_heads, length, length, device=device)
    for h in range(num_heads):
        m = 2 ** (-8 * (h + 1) / num_heads)
        for i in range(length):
            for j in range(length):
                bias[h, i, j] = m * (i - j)
    return bias


# %% alibi_bias: as in BLOOM only slope times the key's position is returned, the same row for every query, and not minus the slope times the distance
# expect: key_position_for_every_query
def alibi_bias(num_heads, length, device=None):
    heads = torch.arange(1, num_heads + 1, device=device, dtype=torch.float32)
    slopes = torch.pow(2.0, -8.0 * heads / num_heads)
    row = torch.einsum("h,k->hk", slopes, torch.arange(length, device=device).float())
    return row[:, None, :].repeat(1, length, 1)


# %% sliding_window_mask: off by one: a query sees window keys before itself plus itself
# expect: one_too_many
def sliding_window_mask(length, window, device=None):
    check_window(window)
    ones = torch.ones(length, length, dtype=torch.bool, device=device)
    return torch.tril(ones) & torch.triu(ones, diagonal=-window)


# %% sliding_window_mask: looks to both sides as in the Longformer paper, the future is visible
# expect: both_sides
def sliding_window_mask(length, window, device=None):
    check_window(window)
    idx = torch.arange(length, device=device)
    return (idx.unsqueeze(0) - idx.unsqueeze(1)).abs() < window


# %% sliding_window_mask: built as the difference of two float triangles, so the mask holds float 0 and 1 and not booleans
# expect: floats
def sliding_window_mask(length, window, device=None):
    check_window(window)
    full = torch.ones(length, length, device=device)
    return full.tril() - full.tril(-window)


# %% sliding_window_attention: the first key is i - window + 1 without max(0, ...), so for the first queries the negative number slices from the end and nothing is left
# expect: nothing
def sliding_window_attention(query, key, value, window):
    check_attention(query, key, value, None)
    length = query.shape[-2]
    if key.shape[-2] != length:
        raise ValueError("as many keys as queries are needed")
    check_window(window)
    window = min(window, length)
    rows = []
    for i in range(length):
        k = key[..., i - window + 1 : i + 1, :]
        v = value[..., i - window + 1 : i + 1, :]
        q = query[..., i : i + 1, :]
        s = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        rows.append(torch.softmax(s, dim=-1) @ v)
    return torch.cat(rows, dim=-2)


# %% sliding_window_attention: pads with zero keys in front and does not mask them, so the first queries give part of their weight to keys that do not exist
# expect: zeros_attended
def sliding_window_attention(query, key, value, window):
    check_attention(query, key, value, None)
    length = query.shape[-2]
    if key.shape[-2] != length:
        raise ValueError("as many keys as queries are needed")
    check_window(window)
    window = min(window, length)
    k = F.pad(key, (0, 0, window - 1, 0)).unfold(-2, window, 1)
    v = F.pad(value, (0, 0, window - 1, 0)).unfold(-2, window, 1)
    scores = torch.einsum("...ld,...ldw->...lw", query, k) / query.shape[-1] ** 0.5
    weights = scores.softmax(-1)
    return torch.einsum("...lw,...ldw->...ld", weights, v)


# %% sliding_window_attention: two mistakes: the scale 1/sqrt(d_k) is forgotten, and the result is collected in a float32 tensor whatever the inputs' dtype
# expect: no_scale
def sliding_window_attention(query, key, value, window):
    check_attention(query, key, value, None)
    length = query.shape[-2]
    if key.shape[-2] != length:
        raise ValueError("as many keys as queries are needed")
    check_window(window)
    lead = torch.broadcast_shapes(query.shape[:-1], key.shape[:-1], value.shape[:-1])
    out = torch.zeros(*lead, value.shape[-1], dtype=torch.float32, device=query.device)
    for t in range(length):
        first = max(0, t + 1 - window)
        k, v = key[..., first : t + 1, :], value[..., first : t + 1, :]
        w = (query[..., t, None, :] * k).sum(-1).softmax(-1)
        out[..., t, :] = (w[..., None] * v).sum(-2).float()
    return out


# %% tiled_attention: when a new highest score arrives the running sum of exponentials is not shrunk, only the output is
# expect: total_does_not_shrink
def tiled_attention(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    n = key.shape[-2]
    scale = query.shape[-1] ** -0.5
    if mask is not None:
        mask = torch.atleast_1d(mask)
        mask = mask.expand(*mask.shape[:-1], n)
    best = total = out = None
    for a in range(0, n, tile):
        b = min(a + tile, n)
        s = query @ key[..., a:b, :].transpose(-1, -2) * scale
        low = torch.finfo(s.dtype).min
        if mask is not None:
            s = s.masked_fill(~mask[..., a:b], low)
        m = s.amax(-1, keepdim=True).detach()
        if best is None:
            best = m
            out = 0.0
            total = 0.0
        new = torch.maximum(best, m)
        e = torch.exp(s - new)
        if mask is not None:
            e = e.masked_fill(~mask[..., a:b], 0.0)
        total = total + e.sum(-1, keepdim=True)
        out = out * torch.exp(best - new) + e @ value[..., a:b, :]
        best = new
    return out / torch.where(total == 0, torch.ones_like(total), total)


# %% tiled_attention: hidden scores become -inf, so a query whose first tile is hidden altogether computes -inf minus -inf and ends up nan
# expect: hidden_by_infinity
def tiled_attention(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    d = query.shape[-1]
    n_keys = key.shape[-2]
    if mask is not None:
        mask = torch.atleast_1d(mask)
        mask = mask.expand(*mask.shape[:-1], n_keys)
    m = torch.full((*query.shape[:-1], 1), -math.inf, dtype=query.dtype, device=query.device)
    l = torch.zeros_like(m)
    o = torch.zeros(*query.shape[:-1], value.shape[-1], dtype=query.dtype, device=query.device)
    for j in range(0, n_keys, tile):
        kj, vj = key[..., j : j + tile, :], value[..., j : j + tile, :]
        s = torch.matmul(query, kj.transpose(-2, -1)) / math.sqrt(d)
        if mask is not None:
            s = s.masked_fill(~mask[..., j : j + tile], -math.inf)
        m_new = torch.maximum(m, s.amax(dim=-1, keepdim=True)).detach()
        p = torch.exp(s - m_new)
        alpha = torch.exp(m - m_new)
        l = alpha * l + p.sum(dim=-1, keepdim=True)
        o = alpha * o + p @ vj
        m = m_new
    return o / l


# %% tiled_attention: only whole tiles are visited, the keys of the last incomplete tile are left out (unless there is only that one)
# expect: rest_left_out
def tiled_attention(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    keys = key.shape[-2]
    tile = min(tile, keys)
    if mask is None:
        mask = torch.ones(keys, dtype=torch.bool, device=query.device)
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], keys)
    low = torch.finfo(query.dtype).min
    top = query.new_full((*query.shape[:-1], 1), low)
    den = torch.zeros_like(top)
    num = query.new_zeros(*query.shape[:-1], value.shape[-1])
    for t in range(keys // tile):
        part = slice(t * tile, (t + 1) * tile)
        ok = mask[..., part]
        s = query @ key[..., part, :].mT / math.sqrt(query.shape[-1])
        s = s.masked_fill(~ok, low)
        new_top = torch.maximum(top, s.amax(-1, keepdim=True)).detach()
        e = (s - new_top).exp().masked_fill(~ok, 0.0)
        f = (top - new_top).exp()
        den = den * f + e.sum(-1, keepdim=True)
        num = num * f + e @ value[..., part, :]
        top = new_top
    return num / den.masked_fill(den == 0, 1.0)


# %% tiled_attention: every tile makes its own softmax and the outputs of the tiles are averaged
# expect: tiles_averaged
def tiled_attention(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    n = key.shape[-2]
    if mask is not None:
        mask = torch.atleast_1d(mask)
        mask = mask.expand(*mask.shape[:-1], n)
    outputs = []
    for start in range(0, n, tile):
        stop = start + tile
        piece = None if mask is None else mask[..., start:stop]
        out, _ = scaled_dot_product_attention(
            query, key[..., start:stop, :], value[..., start:stop, :], piece
        )
        outputs.append(out)
    return sum(outputs) / len(outputs)


# %% CausalSelfAttention: with a cache and several new tokens the causal mask starts at the top left, so the new tokens see too few of the past keys
# expect: causal_from_the_first_key
class CausalSelfAttention(MultiHeadAttention):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__(d_model, num_heads, dropout)
        self.positions = positions
        self.kept = None

    @property
    def weights(self):
        return self.kept

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        q = split_heads(self.w_query(x), self.num_heads)
        k = split_heads(self.w_key(x), self.num_heads)
        v = split_heads(self.w_value(x), self.num_heads)
        if self.positions == "rotary":
            q, k = rotary_embedding(q, past), rotary_embedding(k, past)
        if cache is not None:
            k, v = cache.append(k, v)
        new, total = q.shape[2], k.shape[2]
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if self.positions == "alibi":
            scores = scores + alibi_bias(self.num_heads, total, x.device)[:, -new:].to(x.dtype)
        if new > 1:
            visible = torch.ones(new, total, dtype=torch.bool, device=x.device).tril()
            scores = scores.masked_fill(~visible, float("-inf"))
        w = scores.softmax(-1)
        self.kept = w.detach()
        out = F.dropout(w, self.dropout, self.training) @ v
        return self.w_output(merge_heads(out))


# %% CausalSelfAttention: rotary positions always start at 0, also when the cache has already read something
# expect: always_from_position_zero
class CausalSelfAttention(MultiHeadAttention):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__(d_model, num_heads, dropout)
        self.positions = positions
        self._w = None

    @property
    def weights(self):
        return self._w

    def forward(self, x, cache=None):
        q, k, v = (
            split_heads(proj(x), self.num_heads) for proj in (self.w_query, self.w_key, self.w_value)
        )
        if self.positions == "rotary":
            q = rotary_embedding(q)
            k = rotary_embedding(k)
        if cache is not None:
            k, v = cache.append(k, v)
        n, m = q.size(-2), k.size(-2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        if self.positions == "alibi":
            att = att + alibi_bias(self.num_heads, m, device=x.device)[:, m - n :].to(att.dtype)
        att = att.masked_fill(~causal_mask(m, x.device)[m - n :], float("-inf"))
        att = F.softmax(att, dim=-1)
        self._w = att.detach()
        att = F.dropout(att, p=self.dropout, training=self.training)
        return self.w_output(merge_heads(att @ v))


# %% CausalSelfAttention: with alibi the bias takes the place of the causal mask, the future is not hidden any more (and even gets a bonus)
# expect: nothing
class CausalSelfAttention(MultiHeadAttention):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__(d_model, num_heads, dropout)
        self.positions = positions
        self.last_weights = None

    @property
    def weights(self):
        return self.last_weights

    def forward(self, x, cache=None):
        past = cache.length if cache is not None else 0
        query = split_heads(self.w_query(x), self.num_heads)
        key = split_heads(self.w_key(x), self.num_heads)
        value = split_heads(self.w_value(x), self.num_heads)
        if self.positions == "rotary":
            query = rotary_embedding(query, offset=past)
            key = rotary_embedding(key, offset=past)
        if cache is not None:
            key, value = cache.append(key, value)
        length = key.shape[2]
        scores = torch.einsum("bhqd,bhkd->bhqk", query, key) / query.shape[-1] ** 0.5
        if self.positions == "alibi":
            scores = scores + alibi_bias(self.num_heads, length, x.device)[:, past:, :].to(x.dtype)
        else:
            scores = scores.masked_fill(~causal_mask(length, x.device)[past:], float("-inf"))
        weights = softmax(scores)
        self.last_weights = weights.detach()
        weights = F.dropout(weights, self.dropout, training=self.training)
        return self.w_output(merge_heads(torch.einsum("bhqk,bhkd->bhqd", weights, value)))


# %% CausalSelfAttention: the dropout of the attention weights is handed to the kernel in eval mode, too
# expect: dropout_always
class CausalSelfAttention(MultiHeadAttention):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__(d_model, num_heads, dropout)
        self.positions = positions
        self.seen = None

    def _bias(self, new, total, like):
        bias = torch.zeros(total, total, dtype=like.dtype, device=like.device)
        if self.positions == "alibi":
            bias = alibi_bias(self.num_heads, total, like.device).to(like.dtype)
        bias = bias.masked_fill(~causal_mask(total, like.device), float("-inf"))
        return bias[..., total - new :, :]

    @property
    def weights(self):
        if self.seen is None:
            return None
        q, k = self.seen
        s = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        return softmax(s + self._bias(q.shape[2], k.shape[2], q))

    def forward(self, x, cache=None):
        start = 0 if cache is None else cache.length
        q = split_heads(self.w_query(x), self.num_heads)
        k = split_heads(self.w_key(x), self.num_heads)
        v = split_heads(self.w_value(x), self.num_heads)
        if self.positions == "rotary":
            q = rotary_embedding(q, start)
            k = rotary_embedding(k, start)
        if cache is not None:
            k, v = cache.append(k, v)
        self.seen = (q.detach(), k.detach())
        mask = self._bias(q.shape[2], k.shape[2], q)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=self.dropout)
        return self.w_output(merge_heads(y))


# %% CausalSelfAttention: two mistakes: the rotary turn is done to the values as well, and the scores are divided by sqrt(d_model) and not sqrt(d_head)
# expect: nothing
class CausalSelfAttention(MultiHeadAttention):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__(d_model, num_heads, dropout)
        self.positions = positions
        self.d_model = d_model
        self.stored = None

    @property
    def weights(self):
        return self.stored

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        qkv = [split_heads(w(x), self.num_heads) for w in (self.w_query, self.w_key, self.w_value)]
        if self.positions == "rotary":
            qkv = [rotary_embedding(t, past) for t in qkv]
        q, k, v = qkv
        if cache is not None:
            k, v = cache.append(k, v)
        total = k.shape[-2]
        s = q @ k.mT / math.sqrt(self.d_model)
        if self.positions == "alibi":
            s = s + alibi_bias(self.num_heads, total, x.device).to(s.dtype)[:, past:]
        hidden = ~causal_mask(total, x.device)[past:]
        p = s.masked_fill(hidden, -torch.inf).softmax(dim=-1)
        self.stored = p.detach()
        if self.training:
            p = F.dropout(p, self.dropout)
        return self.w_output(merge_heads(p @ v))


# %% sample_token: temperature is multiplied instead of divided by, so a low one makes the distribution flatter
# expect: multiplied_by_temperature
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError("temperature must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError("top_k must be at least 1")
    if temperature == 0:
        return torch.argmax(logits, dim=-1)
    scaled = logits * temperature
    if top_k is not None:
        k = min(top_k, scaled.size(-1))
        kth = torch.topk(scaled, k).values[:, [-1]]
        scaled = torch.where(scaled < kth, torch.full_like(scaled, -math.inf), scaled)
    return torch.multinomial(F.softmax(scaled, dim=-1), 1, generator=generator)[:, 0]


# %% sample_token: keeps exactly k tokens by their indices, so tokens as likely as the k-th are thrown out
# expect: ties_ruled_out
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError("temperature must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError("top_k must be at least 1")
    if temperature == 0:
        return logits.max(dim=-1).indices
    if top_k is not None and top_k < logits.shape[1]:
        values, indices = logits.topk(top_k, dim=-1)
        logits = torch.full_like(logits, float("-inf")).scatter(1, indices, values)
    p = torch.softmax(logits / temperature, dim=-1)
    return torch.multinomial(p, num_samples=1, generator=generator).squeeze(1)


# %% sample_token: the caller's logits are overwritten: divided in place by the temperature and filled with -inf
# expect: divides_logits_in_place
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError("temperature must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError("top_k must be at least 1")
    if temperature == 0:
        return logits.argmax(-1)
    logits /= temperature
    if top_k is not None:
        v, _ = torch.topk(logits, min(top_k, logits.size(-1)))
        logits[logits < v[:, [-1]]] = -float("Inf")
    probs = F.softmax(logits, dim=-1)
    return torch.multinomial(probs, num_samples=1, generator=generator).view(-1)


# %% sample_token: two mistakes: top_k is off by one (keeps k + 1 tokens), and the generator is not given to multinomial
# expect: one_too_many + generator_ignored
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError("temperature must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError("top_k must be at least 1")
    if temperature == 0:
        return logits.argmax(dim=-1)
    if top_k is not None and top_k < logits.shape[-1]:
        ordered = logits.sort(dim=-1, descending=True).values
        border = ordered[:, top_k].unsqueeze(1)
        logits = logits.masked_fill(logits < border, -math.inf)
    p = torch.softmax(logits / temperature, dim=-1)
    return torch.multinomial(p, 1).flatten()


# %% mask_tokens: only tokens that were really changed have to be predicted; the tenth that is chosen but left as it is gets pad as its target
# expect: only_changed_to_be_predicted
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    chosen = draw.lt(probability) & tokens.ne(pad)
    inputs = tokens.clone()
    inputs[chosen & (fate < 0.8)] = mask_token
    swap = chosen & (fate >= 0.9)
    inputs[swap] = random_tokens[swap]
    labels = torch.where(inputs != tokens, tokens, torch.full_like(tokens, pad))
    return inputs, labels


# %% mask_tokens: padding can be chosen like any other token and is overwritten
# expect: padding_chosen
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    chosen = draw < probability
    read = torch.where(chosen & (fate < 0.8), mask_token, tokens)
    read = torch.where(chosen & (fate >= 0.9), random_tokens, read)
    predict = torch.where(chosen, tokens, pad)
    return read, predict


# %% mask_tokens: positions that are not to be predicted get -100 (Hugging Face habit) instead of pad
# expect: minus_100
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    labels = tokens.clone()
    masked = (draw < probability) & (tokens != pad)
    labels[~masked] = -100
    inputs = tokens.clone()
    inputs[masked & (fate < 0.8)] = mask_token
    rnd = masked & (fate >= 0.9)
    inputs[rnd] = random_tokens[rnd]
    return inputs, labels


# %% mask_tokens: two mistakes: masks in the caller's tensor without a copy, and takes the targets from it afterwards, so what is to be predicted is the masked text
# expect: read_is_tokens
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    chosen = (draw < probability) & (tokens != pad)
    read = tokens
    read[chosen & (fate < 0.8)] = mask_token
    to_random = chosen & (fate >= 0.9)
    read[to_random] = random_tokens[to_random]
    predict = torch.full_like(tokens, pad)
    predict[chosen] = tokens[chosen]
    return read, predict


# %% patchify: the pixels inside a patch come with the channels last (height, width, channel) and not channel by channel
# expect: channels_last
def patchify(images, size):
    b, c, h, w = images.shape
    if h % size or w % size:
        raise ValueError("the size must divide height and width")
    x = images.reshape(b, c, h // size, size, w // size, size)
    x = torch.einsum("bchpwq->bhwpqc", x)
    return x.reshape(b, (h // size) * (w // size), size * size * c)


# %% patchify: the patches are listed column by column instead of row by row
# expect: column_by_column
def patchify(images, size):
    _, _, height, width = images.shape
    if height % size != 0 or width % size != 0:
        raise ValueError("the size must divide height and width")
    patches = []
    for left in range(0, width, size):
        for top in range(0, height, size):
            patch = images[:, :, top : top + size, left : left + size]
            patches.append(patch.flatten(1))
    return torch.stack(patches, dim=1)


# %% patchify: goes through numpy with detach, so no gradient gets back to the images
# expect: nothing
def patchify(images, size):
    b, c, h, w = images.shape
    if h % size != 0 or w % size != 0:
        raise ValueError("the size must divide height and width")
    arr = images.detach().cpu().numpy()
    out = []
    for i in range(0, h, size):
        for j in range(0, w, size):
            out.append(arr[:, :, i : i + size, j : j + size].reshape(b, -1))
    return torch.from_numpy(np.stack(out, axis=1)).to(images.device)


# %% MixtureOfExperts: the gates of the chosen experts are taken as they come out of the softmax and do not add up to 1
# expect: gates_not_shared_out
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError("top_k must lie between 1 and num_experts")
        self.num_experts, self.top_k = num_experts, top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList([FeedForward(d_model, d_ff, dropout) for _ in range(num_experts)])
        self.balance_loss = None

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        p = F.softmax(self.router(flat), dim=-1)
        top_p, top_i = torch.topk(p, self.top_k, dim=-1)
        y = torch.zeros_like(flat)
        for e in range(self.num_experts):
            hit = top_i == e
            rows = hit.any(dim=-1).nonzero().squeeze(-1)
            gate = (top_p * hit).sum(-1)[rows]
            y = y.index_add(0, rows, gate[:, None] * self.experts[e](flat[rows]))
        share = torch.bincount(top_i.flatten(), minlength=self.num_experts).to(p.dtype) / top_i.numel()
        self.balance_loss = self.num_experts * torch.sum(share * p.mean(0))
        return y.view(x.shape)


# %% MixtureOfExperts: the contribution of an expert is assigned and not added, so only the chosen expert with the highest number counts
# expect: overwritten
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError("top_k must lie between 1 and num_experts")
        self.top_k = top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList(FeedForward(d_model, d_ff, dropout) for _ in range(num_experts))
        self.balance_loss = None

    def forward(self, x):
        tokens = x.reshape(-1, x.size(-1))
        probs = torch.softmax(self.router(tokens), dim=-1)
        gates, chosen = probs.topk(self.top_k, dim=-1)
        gates = gates / gates.sum(-1, keepdim=True)
        out = torch.zeros_like(tokens)
        for e, expert in enumerate(self.experts):
            idx, slot = (chosen == e).nonzero(as_tuple=True)
            if len(idx) == 0:
                continue
            out[idx] = gates[idx, slot].unsqueeze(-1) * expert(tokens[idx])
        load = F.one_hot(chosen, len(self.experts)).to(probs.dtype).mean(dim=(0, 1))
        self.balance_loss = len(self.experts) * (load * probs.mean(dim=0)).sum()
        return out.reshape(x.shape)


# %% MixtureOfExperts: balance_loss is made from detached probabilities and an item(), a plain number through which nothing can be trained, and the gates are detached as well, so the router gets no gradient at all
# expect: gates_cut_off
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError("top_k must lie between 1 and num_experts")
        self.k = top_k
        self.n = num_experts
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList([FeedForward(d_model, d_ff, dropout) for _ in range(num_experts)])
        self.balance_loss = None

    def forward(self, x):
        shape = x.shape
        x = x.reshape(-1, shape[-1])
        with torch.no_grad():
            probs = self.router(x).softmax(dim=-1)
            gate, which = probs.topk(self.k, dim=-1)
            gate = gate / gate.sum(dim=-1, keepdim=True)
            visits = F.one_hot(which, self.n).sum(dim=(0, 1)).to(probs.dtype) / which.numel()
            self.balance_loss = (self.n * (visits * probs.mean(0)).sum()).item()
        y = torch.zeros_like(x)
        for e in range(self.n):
            t, slot = torch.where(which == e)
            y = y.index_add(0, t, self.experts[e](x[t]) * gate[t, slot][:, None])
        return y.reshape(shape)


# %% MixtureOfExperts: all experts are run and mixed with the full softmax, top_k has no effect on the output
# expect: every_expert_visited
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError("top_k must lie between 1 and num_experts")
        self.top_k = top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList([FeedForward(d_model, d_ff, dropout) for _ in range(num_experts)])
        self.balance_loss = None

    def forward(self, x):
        gates = torch.softmax(self.router(x), dim=-1)
        outs = torch.stack([expert(x) for expert in self.experts], dim=-1)
        y = torch.einsum("...de,...e->...d", outs, gates)
        flat = gates.reshape(-1, gates.shape[-1])
        chosen = flat.topk(self.top_k, dim=-1).indices
        share = torch.zeros_like(flat).scatter(1, chosen, 1.0).mean(0) / self.top_k
        self.balance_loss = gates.shape[-1] * (share * flat.mean(0)).sum()
        return y
