import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.attention import causal_mask, scaled_dot_product_attention, softmax
from course.stand_bys.multi_head import merge_heads, split_heads
from course.stand_bys.encoder_block import FeedForward
from course.stand_bys.variants import alibi_bias, rotary_embedding, sliding_window_mask
from solutions.arguments import check_attention, check_dropout, check_even, check_heads, check_window


# %% rotary_embedding: the odd features are worked out from even ones that have been turned already
# fault: out[..., 1::2] = out[..., 0::2] * sin + out[..., 1::2] * cos
# fault: out[..., 0::2] = out[..., 0::2] * cos - out[..., 1::2] * sin
def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    check_even("d_head", d_head)
    place = torch.arange(offset, offset + length, device=x.device, dtype=x.dtype)
    speed = base ** (-torch.arange(0, d_head, 2, device=x.device, dtype=x.dtype) / d_head)
    angle = place[:, None] * speed
    cos, sin = angle.cos(), angle.sin()
    out = x.clone()
    out[..., 0::2] = out[..., 0::2] * cos - out[..., 1::2] * sin
    out[..., 1::2] = out[..., 0::2] * sin + out[..., 1::2] * cos
    return out


# %% rotary_embedding: turned pairs come out as all first halves and then all second ones, no longer side by side
# fault: return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    check_even("d_head", d_head)
    i = torch.arange(d_head // 2, device=x.device, dtype=x.dtype)
    p = torch.arange(length, device=x.device, dtype=x.dtype) + offset
    theta = torch.outer(p, 1 / base ** (2 * i / d_head))
    cos, sin = theta.cos(), theta.sin()
    a, b = x[..., ::2], x[..., 1::2]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


# %% rotary_embedding: two mistakes: the exponent is doubled once more (4i); and the offset is taken away, not added
# fault: wavelength = base ** (2 * two_i / d_head)
# fault: position = torch.arange(length, dtype=x.dtype, device=x.device).unsqueeze(1) - offset
def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    check_even("d_head", d_head)
    two_i = torch.arange(0, d_head, 2, dtype=x.dtype, device=x.device)
    wavelength = base ** (2 * two_i / d_head)
    position = torch.arange(length, dtype=x.dtype, device=x.device).unsqueeze(1) - offset
    theta = position / wavelength
    pairs = x.reshape(*x.shape[:-1], d_head // 2, 2)
    a, b = pairs.unbind(-1)
    turned = torch.stack((a * theta.cos() - b * theta.sin(), a * theta.sin() + b * theta.cos()), dim=-1)
    return turned.flatten(-2)


# %% alibi_bias: whole-number division rounds the exponents, right only where 8 / h is a whole number
# fault: slopes = torch.tensor([2.0 ** (-8 * i // num_heads) for i in range(1, num_heads + 1)], device=device)
def alibi_bias(num_heads, length, device=None):
    slopes = torch.tensor([2.0 ** (-8 * i // num_heads) for i in range(1, num_heads + 1)], device=device)
    position = torch.arange(length, device=device)
    distance = position[:, None] - position[None, :]  # (query, key)
    return -slopes[:, None, None] * distance


# %% alibi_bias: every query gets the row of the last one
# fault: back = (length - 1) - torch.arange(length, device=device)
# fault: return (-slope[:, None, None] * back).expand(num_heads, length, length)
def alibi_bias(num_heads, length, device=None):
    i = torch.arange(1, num_heads + 1, device=device)
    slope = 2.0 ** (-8.0 * i / num_heads)
    back = (length - 1) - torch.arange(length, device=device)
    # a constant for each query changes nothing in the softmax
    return (-slope[:, None, None] * back).expand(num_heads, length, length)


# %% alibi_bias: two mistakes: slopes 1/2, 1/4, 1/8 … for any number of heads; and the bias rises with the distance
# fault: m = 0.5 ** (head + 1)
# fault: bias[head, q, k] = m * (q - k)
def alibi_bias(num_heads, length, device=None):
    bias = torch.zeros(num_heads, length, length, device=device)
    for head in range(num_heads):
        m = 0.5 ** (head + 1)
        for q in range(length):
            for k in range(length):
                bias[head, q, k] = m * (q - k)
    return bias


# %% sliding_window_mask: near the beginning the slice starts at a negative number, which counts from the end
# fault: mask[i, i - window + 1 : i + 1] = True
def sliding_window_mask(length, window, device=None):
    check_window(window)
    mask = torch.zeros(length, length, dtype=torch.bool, device=device)
    for i in range(length):
        mask[i, i - window + 1 : i + 1] = True
    return mask


# %% sliding_window_mask: two mistakes: one key too many is seen; and ones and zeros of float come out, not a boolean
# fault: far = torch.ones(length, length, device=device).triu(-window)
# fault: return past * far
def sliding_window_mask(length, window, device=None):
    check_window(window)
    past = torch.ones(length, length, device=device).tril()
    far = torch.ones(length, length, device=device).triu(-window)
    return past * far


# %% sliding_window_attention: the block before is taken along dimension 1, which is the blocks' only for (batch, length, features)
# fault: before = torch.roll(x, 1, dims=1)
def sliding_window_attention(query, key, value, window):
    check_attention(query, key, value, None)
    length = query.shape[-2]
    if key.shape[-2] != length:
        raise ValueError(f"{length} queries need as many keys, but there are {key.shape[-2]}")
    check_window(window)
    window = min(window, length)  # a longer one would see no more
    blocks = math.ceil(length / window)
    # Rows: the queries of a block. Columns: the keys of the block before, then of its own.
    mask = sliding_window_mask(2 * window, window, query.device)[window:]  # (window, 2·window)
    mask = mask.repeat(blocks, 1, 1)  # (blocks, window, 2·window)
    mask[0, :, :window] = False  # before the first block there is nothing

    def cut(x):
        """(..., length, d) → (..., blocks, window, d), the last block filled up with zeros."""
        return F.pad(x, (0, 0, 0, blocks * window - length)).unflatten(-2, (blocks, window))

    def with_neighbour(x):
        before = torch.roll(x, 1, dims=1)
        return torch.cat([before, x], dim=-2)

    query, key, value = cut(query), cut(key), cut(value)
    output, _ = scaled_dot_product_attention(query, with_neighbour(key), with_neighbour(value), mask)
    return output.flatten(-3, -2)[..., :length, :]


# %% sliding_window_attention: a block's own keys stand first and those of the block before second, the mask has it the other way round
# fault: keys = torch.cat((k, prev(k)), dim=-2)
# fault: values = torch.cat((v, prev(v)), dim=-2)
def sliding_window_attention(query, key, value, window):
    check_attention(query, key, value, None)
    length = query.shape[-2]
    if key.shape[-2] != length:
        raise ValueError(f"{length} queries need as many keys, but there are {key.shape[-2]}")
    check_window(window)
    window = min(window, length)  # a longer one would see no more
    blocks = math.ceil(length / window)
    # Rows: the queries of a block. Columns: the keys of the block before, then of its own.
    mask = sliding_window_mask(2 * window, window, query.device)[window:]  # (window, 2·window)
    mask = mask.repeat(blocks, 1, 1)  # (blocks, window, 2·window)
    mask[0, :, :window] = False  # before the first block there is nothing

    def cut(x):
        """(..., length, d) → (..., blocks, window, d), the last block filled up with zeros."""
        return F.pad(x, (0, 0, 0, blocks * window - length)).unflatten(-2, (blocks, window))

    def prev(x):
        zeros = torch.zeros_like(x[..., :1, :, :])
        return torch.cat((zeros, x[..., :-1, :, :]), dim=-3)

    q, k, v = cut(query), cut(key), cut(value)
    keys = torch.cat((k, prev(k)), dim=-2)
    values = torch.cat((v, prev(v)), dim=-2)
    scores = torch.einsum("...qd,...kd->...qk", q, keys) / q.shape[-1] ** 0.5
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)
    out = torch.einsum("...qk,...kd->...qd", weights, values)
    return out.flatten(-3, -2)[..., :length, :]


# %% tiled_attention: a query that sees nothing in the first tile gets nan, because -inf is taken from -inf
# fault: shrink = torch.exp(highest - new)
# fault: weights = torch.exp(scores - new)
def tiled_attention(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    if mask is None:
        mask = torch.ones(1, dtype=torch.bool, device=query.device)
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], key.shape[-2])  # (..., key), a view: nothing is written
    query = query / math.sqrt(query.shape[-1])
    highest = query.new_full((*query.shape[:-1], 1), float("-inf"))  # (..., query, 1)
    total = torch.zeros_like(highest)  # (..., query, 1)
    output = query.new_zeros(*query.shape[:-1], value.shape[-1])  # (..., query, d_v)
    for start in range(0, key.shape[-2], tile):
        here = slice(start, start + tile)
        scores = query @ key[..., here, :].transpose(-2, -1)
        scores = scores.masked_fill(~mask[..., here], float("-inf"))
        new = torch.maximum(highest, scores.amax(dim=-1, keepdim=True))
        shrink = torch.exp(highest - new)
        weights = torch.exp(scores - new)
        total = total * shrink + weights.sum(dim=-1, keepdim=True)
        output = output * shrink + weights @ value[..., here, :]
        highest = new
    total = total.masked_fill(total == 0, 1.0)  # a query that may attend to nothing gets zeros
    return output / total  # (..., query, d_v)


# %% tiled_attention: -1e9 in place of -inf, so a query that may attend to nothing gets the mean of all values
# fault: s = torch.where(mask[..., here], s, torch.full_like(s, -1e9))
def tiled_attention(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    if mask is None:
        mask = torch.ones(1, dtype=torch.bool, device=query.device)
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], key.shape[-2])  # (..., key), a view: nothing is written
    query = query / math.sqrt(query.shape[-1])
    highest = query.new_full((*query.shape[:-1], 1), float("-inf"))  # (..., query, 1)
    total = torch.zeros_like(highest)  # (..., query, 1)
    output = query.new_zeros(*query.shape[:-1], value.shape[-1])  # (..., query, d_v)
    for start in range(0, key.shape[-2], tile):
        here = slice(start, start + tile)
        s = torch.einsum("...qd,...kd->...qk", query, key[..., here, :])
        s = torch.where(mask[..., here], s, torch.full_like(s, -1e9))
        top = s.max(dim=-1, keepdim=True)[0]
        top = torch.where(top > highest, top, highest)
        old_factor = (highest - top).exp()
        e = (s - top).exp()
        total = old_factor * total + e.sum(-1, keepdim=True)
        output = old_factor * output + torch.einsum("...qk,...kd->...qd", e, value[..., here, :])
        highest = top
    total = total.masked_fill(total == 0, 1.0)  # a query that may attend to nothing gets zeros
    return output / total  # (..., query, d_v)


# %% tiled_attention: two mistakes: the query, scaled already, is scaled again; and the last tile, if not full, is left out
# fault: scores = query @ key[..., here, :].mT / math.sqrt(key.shape[-1])
# fault: if start + tile > key.shape[-2]:
# fault: break
def tiled_attention(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    if mask is None:
        mask = torch.ones(1, dtype=torch.bool, device=query.device)
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], key.shape[-2])  # (..., key), a view: nothing is written
    query = query / math.sqrt(query.shape[-1])
    highest = query.new_full((*query.shape[:-1], 1), float("-inf"))  # (..., query, 1)
    total = torch.zeros_like(highest)  # (..., query, 1)
    output = query.new_zeros(*query.shape[:-1], value.shape[-1])  # (..., query, d_v)
    for start in range(0, key.shape[-2], tile):
        here = slice(start, start + tile)
        if start + tile > key.shape[-2]:
            break
        scores = query @ key[..., here, :].mT / math.sqrt(key.shape[-1])
        scores = scores.masked_fill(~mask[..., here], -math.inf)
        new = torch.max(highest, scores.amax(-1, keepdim=True))
        finite = torch.where(new.isinf(), torch.zeros_like(new), new)
        shrink = torch.exp(highest - finite)
        part = torch.exp(scores - finite)
        total = shrink * total + part.sum(-1, keepdim=True)
        output = shrink * output + part @ value[..., here, :]
        highest = new
    total = total.masked_fill(total == 0, 1.0)  # a query that may attend to nothing gets zeros
    return output / total  # (..., query, d_v)


# %% CausalSelfAttention: turns the features before they are cut into heads, so heads turn at different speeds
# fault: query = rotary_embedding(query, offset=past)
# fault: key = rotary_embedding(key, offset=past)
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        check_heads(d_model, num_heads)
        check_dropout(dropout)
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
            query = rotary_embedding(query, offset=past)
            key = rotary_embedding(key, offset=past)
        query, key, value = (split_heads(t, self.num_heads) for t in (query, key, value))
        if cache is not None:
            key, value = cache.append(key, value)
        return self.w_output(merge_heads(self.look_back(query, key, value)))

    def look_back(self, query, key, value):
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        weights = softmax(scores + self.bias(query, key))  # (batch, heads, new, past + new)
        self.weights = weights.detach()
        return self.dropout(weights) @ value  # (batch, heads, new, d_head)

    def bias(self, query, key):
        new, length = query.shape[-2], key.shape[-2]
        bias = query.new_zeros(new, length)
        if self.positions == "alibi":
            bias = alibi_bias(self.num_heads, length, query.device)[:, -new:].to(query.dtype)
        return bias.masked_fill(~causal_mask(length, query.device)[-new:], float("-inf"))


# %% CausalSelfAttention: keys are turned behind the cache, so the old ones are counted from `past` as well
# fault: k = rotary_embedding(k, past)
# fault: k, v = cache.append(k, v)
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        check_heads(d_model, num_heads)
        check_dropout(dropout)
        self.num_heads, self.positions = num_heads, positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        q = split_heads(self.w_query(x), self.num_heads)
        k = split_heads(self.w_key(x), self.num_heads)
        v = split_heads(self.w_value(x), self.num_heads)
        if cache is not None:
            k, v = cache.append(k, v)
        if self.positions == "rotary":
            q = rotary_embedding(q, past)
            k = rotary_embedding(k, past)
        out = self.look_back(q, k, v)
        return self.w_output(merge_heads(out))

    def look_back(self, query, key, value):
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        weights = softmax(scores + self.bias(query, key))  # (batch, heads, new, past + new)
        self.weights = weights.detach()
        return self.dropout(weights) @ value  # (batch, heads, new, d_head)

    def bias(self, query, key):
        new, length = query.shape[-2], key.shape[-2]
        bias = query.new_zeros(new, length)
        if self.positions == "alibi":
            bias = alibi_bias(self.num_heads, length, query.device)[:, -new:].to(query.dtype)
        return bias.masked_fill(~causal_mask(length, query.device)[-new:], float("-inf"))


# %% CausalSelfAttention: two mistakes: with ALiBi it turns queries and keys as well; and the values come from w_key
# fault: if self.positions is not None:
# fault: value = heads(self.w_key(x))
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        check_heads(d_model, num_heads)
        check_dropout(dropout)
        self.num_heads, self.positions = num_heads, positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        batch, new, d_model = x.shape

        def heads(t):
            return t.view(batch, new, self.num_heads, -1).transpose(1, 2)

        query = heads(self.w_query(x))
        key = heads(self.w_key(x))
        value = heads(self.w_key(x))
        if self.positions is not None:
            query, key = rotary_embedding(query, past), rotary_embedding(key, past)
        if cache is not None:
            key, value = cache.append(key, value)
        mixed = self.look_back(query, key, value)
        return self.w_output(mixed.transpose(1, 2).reshape(batch, new, d_model))

    def look_back(self, query, key, value):
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        weights = softmax(scores + self.bias(query, key))  # (batch, heads, new, past + new)
        self.weights = weights.detach()
        return self.dropout(weights) @ value  # (batch, heads, new, d_head)

    def bias(self, query, key):
        new, length = query.shape[-2], key.shape[-2]
        bias = query.new_zeros(new, length)
        if self.positions == "alibi":
            bias = alibi_bias(self.num_heads, length, query.device)[:, -new:].to(query.dtype)
        return bias.masked_fill(~causal_mask(length, query.device)[-new:], float("-inf"))


# %% sample_token: with top_k it gives the place among the k likeliest, not the token's number
# fault: logits = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values
# fault: return torch.multinomial(p, 1, generator=generator)[:, 0]
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError(f"temperature={temperature} must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} must be at least 1, or None for all tokens")
    if temperature == 0:
        return logits.argmax(dim=-1)
    if top_k is not None:
        logits = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values
    p = softmax(logits / temperature)
    return torch.multinomial(p, 1, generator=generator)[:, 0]


# %% sample_token: the temperature divides the probabilities, and multinomial norms that away again
# fault: probabilities = torch.softmax(logits, dim=-1) / temperature
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError(f"temperature={temperature} must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} must be at least 1, or None for all tokens")
    if temperature == 0:
        return torch.argmax(logits, -1)
    if top_k is not None:
        ordered, _ = logits.sort(dim=-1, descending=True)
        k = min(top_k, logits.size(-1))
        least = ordered[:, k - 1 : k]
        logits = torch.where(logits >= least, logits, float("-inf"))
    probabilities = torch.softmax(logits, dim=-1) / temperature
    drawn = torch.multinomial(probabilities, num_samples=1, generator=generator)
    return drawn.squeeze(-1)


# %% sample_token: two mistakes: the given logits are divided in place; and squeeze() takes the batch away, too, if it is 1
# fault: logits /= temperature
# fault: return torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze()
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError(f"temperature={temperature} must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} must be at least 1, or None for all tokens")
    if temperature == 0:
        return logits.max(dim=-1).indices
    logits /= temperature
    if top_k is not None and top_k < logits.shape[-1]:
        kth = logits.topk(top_k, dim=-1).values[:, -1, None]
        logits = logits.masked_fill(logits < kth, -math.inf)
    return torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze()


# %% mask_tokens: the random tokens are put in last and for all below 0.9, so they replace the mask tokens, too
# fault: reads = torch.where(chosen & (fate < 0.9), random_tokens, reads)
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    chosen = (draw < probability) & (tokens != pad)
    reads = torch.where(chosen & (fate < 0.8), mask_token, tokens)
    reads = torch.where(chosen & (fate < 0.9), random_tokens, reads)
    return reads, tokens.masked_fill(~chosen, pad)


# %% mask_tokens: writes into the tokens themselves, so what is to be predicted are the mask tokens
# fault: tokens[hide] = mask_token
# fault: target[chosen] = tokens[chosen]
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    chosen = draw < probability
    chosen &= tokens.ne(pad)
    hide = chosen & (fate < 0.8)
    swap = chosen & (fate >= 0.8) & (fate < 0.9)
    tokens[hide] = mask_token
    tokens[swap] = random_tokens[swap]
    target = torch.full_like(tokens, pad)
    target[chosen] = tokens[chosen]
    return tokens, target


# %% mask_tokens: two mistakes: 0.15 stands in the code, probability is ignored; and where nothing is asked the target is 0, not pad
# fault: picked = (draw < 0.15) * (tokens != pad)
# fault: target = tokens * picked
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    picked = (draw < 0.15) * (tokens != pad)
    read = tokens.clone()
    as_mask = picked & (fate < 0.8)
    as_other = picked & (fate > 0.9)
    read[as_mask] = mask_token
    read[as_other] = random_tokens[as_other]
    target = tokens * picked
    return read, target


# %% patchify: the channels stand last in a patch, where they should come first; with one channel nobody sees it
# fault: x = x.permute(0, 2, 4, 3, 5, 1)  # (batch, rows, columns, size, size, channels)
def patchify(images, size):
    _, _, height, width = images.shape
    if height % size != 0 or width % size != 0:
        raise ValueError(f"{height} x {width} pixels cannot be cut into patches of {size} x {size}")
    batch, channels = images.shape[:2]
    x = images.reshape(batch, channels, height // size, size, width // size, size)
    x = x.permute(0, 2, 4, 3, 5, 1)  # (batch, rows, columns, size, size, channels)
    return x.reshape(batch, (height // size) * (width // size), size * size * channels)


# %% patchify: two mistakes: patches go column by column; and each patch is transposed, its pixels too go column by column
# fault: for left in range(0, width, size):
# fault: patches.append(patch.transpose(-2, -1).flatten(1))
# fault: for top in range(0, height, size):
def patchify(images, size):
    _, _, height, width = images.shape
    if height % size != 0 or width % size != 0:
        raise ValueError(f"{height} x {width} pixels cannot be cut into patches of {size} x {size}")
    patches = []
    for left in range(0, width, size):
        for top in range(0, height, size):
            patch = images[:, :, top : top + size, left : left + size]
            patches.append(patch.transpose(-2, -1).flatten(1))
    return torch.stack(patches, dim=1)


# %% MixtureOfExperts: each expert overwrites what an earlier one gave a token, nothing is summed
# fault: output[who] = gates[who, slot].unsqueeze(-1) * expert(tokens[who])
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
        tokens = x.reshape(-1, x.shape[-1])  # (tokens, d_model)
        probabilities = softmax(self.router(tokens))
        gates, chosen = probabilities.topk(self.top_k, dim=-1)
        gates = gates / gates.sum(dim=-1, keepdim=True)
        output = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            who, slot = torch.where(chosen == number)
            output[who] = gates[who, slot].unsqueeze(-1) * expert(tokens[who])
        visits = F.one_hot(chosen, len(self.experts)).flatten(0, 1)  # (tokens · top_k, experts)
        share = visits.to(probabilities.dtype).mean(dim=0)  # (experts,), adds up to 1
        self.balance_loss = len(self.experts) * (share * probabilities.mean(dim=0)).sum()
        return output.reshape(x.shape)

    def __getstate__(self):
        return self.__dict__ | {"balance_loss": None}


# %% MixtureOfExperts: two mistakes: the softmax runs over the tokens, not over the experts; and every visit gets the gate of the first
# fault: probabilities = torch.softmax(self.router(tokens), dim=0)
# fault: output = output.index_add(0, token, gates[token, :1] * expert(tokens[token]))
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
        tokens = x.reshape(-1, x.shape[-1])  # (tokens, d_model)
        probabilities = torch.softmax(self.router(tokens), dim=0)
        best, chosen = torch.topk(probabilities, self.top_k)
        gates = best / best.sum(-1, keepdim=True)
        output = tokens.new_zeros(tokens.shape)
        for e, expert in enumerate(self.experts):
            token, _ = (chosen == e).nonzero(as_tuple=True)
            if len(token) == 0:
                continue
            output = output.index_add(0, token, gates[token, :1] * expert(tokens[token]))
        visits = F.one_hot(chosen, len(self.experts)).flatten(0, 1)  # (tokens · top_k, experts)
        share = visits.to(probabilities.dtype).mean(dim=0)  # (experts,), adds up to 1
        self.balance_loss = len(self.experts) * (share * probabilities.mean(dim=0)).sum()
        return output.reshape(x.shape)

    def __getstate__(self):
        return self.__dict__ | {"balance_loss": None}
