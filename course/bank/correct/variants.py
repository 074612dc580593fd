"""Lesson 7, solved correctly in many ways."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.multi_head import MultiHeadAttention
from solutions.arguments import check_attention, check_even, check_window
from solutions.attention import causal_mask, scaled_dot_product_attention, softmax
from solutions.encoder_block import FeedForward
from solutions.multi_head import merge_heads, split_heads
from solutions.variants import alibi_bias, rotary_embedding


# %% rotary_embedding: pairs as complex numbers
def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    check_even("d_head", d_head)
    precise = torch.promote_types(x.dtype, torch.float32)
    pair = torch.arange(d_head // 2, device=x.device, dtype=precise)
    position = torch.arange(length, device=x.device, dtype=precise) + offset
    angle = torch.outer(position, base ** (-2 * pair / d_head))
    turn = torch.polar(torch.ones_like(angle), angle)  # e^(i angle)
    x_pairs = torch.complex(x[..., ::2].to(precise), x[..., 1::2].to(precise))
    return torch.view_as_real(x_pairs * turn).flatten(-2).to(x.dtype)


# %% rotary_embedding: a rotation matrix for each pair and position
def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    check_even("d_head", d_head)
    precise = torch.promote_types(x.dtype, torch.float32)
    i = torch.arange(d_head // 2, device=x.device, dtype=precise)
    position = torch.arange(offset, offset + length, device=x.device, dtype=precise)
    angle = position[:, None] * torch.exp(-2 * i / d_head * math.log(base))
    cosine, sine = torch.cos(angle), torch.sin(angle)
    first_row = torch.stack([cosine, -sine], dim=-1)
    second_row = torch.stack([sine, cosine], dim=-1)
    rotation = torch.stack([first_row, second_row], dim=-2).to(x.dtype)  # (length, pairs, 2, 2)
    pairs = x.reshape(*x.shape[:-1], d_head // 2, 2)
    return torch.einsum("lpij,...lpj->...lpi", rotation, pairs).reshape(x.shape)


# %% rotary_embedding: neighbours swapped, one negated
def swap_neighbours(x):
    """(a, b, c, d, ...) becomes (-b, a, -d, c, ...)."""
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((-b, a), dim=-1).flatten(-2)


def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    check_even("d_head", d_head)
    exact = torch.float64 if x.dtype == torch.float64 else torch.float32
    speed = 1.0 / base ** (torch.arange(0, d_head, 2, device=x.device).to(exact) / d_head)
    position = torch.arange(offset, offset + length, device=x.device).to(exact)
    angle = (position.unsqueeze(-1) * speed).repeat_interleave(2, dim=-1)  # (length, d_head)
    return x * angle.cos().to(x.dtype) + swap_neighbours(x) * angle.sin().to(x.dtype)


# %% rotary_embedding: a loop over pairs, angles from Python
def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    columns = []
    for a_column in range(0, d_head, 2):
        angles = [(offset + t) / base ** (a_column / d_head) for t in range(length)]
        cosine = torch.tensor([math.cos(t) for t in angles], dtype=x.dtype, device=x.device)
        sine = torch.tensor([math.sin(t) for t in angles], dtype=x.dtype, device=x.device)
        a, b = x[..., a_column], x[..., a_column + 1]  # (..., length)
        columns.append(a * cosine - b * sine)
        columns.append(b * cosine + a * sine)
    return torch.stack(columns, dim=-1)


# %% alibi_bias: lists of lists of lists
def alibi_bias(num_heads, length, device=None):
    heads = []
    for head in range(1, num_heads + 1):
        slope = 2 ** (-8 * head / num_heads)
        heads.append([[slope * (k - q) for k in range(length)] for q in range(length)])
    return torch.tensor(heads, dtype=torch.get_default_dtype(), device=device)


# %% alibi_bias: slopes as a geometric row, outer product with the distances
def alibi_bias(num_heads, length, device=None):
    slopes = torch.logspace(-8 / num_heads, -8, num_heads, base=2, device=device)
    place = torch.arange(length, device=device, dtype=slopes.dtype)
    return torch.einsum("h,qk->hqk", slopes, place - place.unsqueeze(1))


# %% alibi_bias: slopes by multiplying on, distances looked up
def alibi_bias(num_heads, length, device=None):
    ratio = 2 ** (-8 / num_heads)
    slopes, slope = [], 1.0
    for _ in range(num_heads):
        slope = slope * ratio
        slopes.append(slope)
    # everything there is between the first and the last position
    steps = torch.arange(-(length - 1), length, device=device)
    by_head = torch.tensor(slopes, device=device).unsqueeze(1) * -steps  # (heads, 2 length - 1)
    index = torch.arange(length, device=device)
    return by_head[:, index[:, None] - index[None, :] + length - 1]


# %% sliding_window_mask: a band between two triangles
def sliding_window_mask(length, window, device=None):
    check_window(window)
    full = torch.ones(length, length, dtype=torch.bool, device=device)
    return full.tril().triu(1 - window)


# %% sliding_window_mask: the past without what is too long ago
def sliding_window_mask(length, window, device=None):
    past = causal_mask(length, device)
    too_old = torch.tril(torch.ones_like(past), diagonal=-window)
    return torch.logical_and(past, torch.logical_not(too_old))


# %% sliding_window_mask: row by row
def sliding_window_mask(length, window, device=None):
    check_window(window)
    mask = torch.zeros(length, length, dtype=torch.bool, device=device)
    for query in range(length):
        mask[query, max(0, query - window + 1) : query + 1] = True
    return mask


# %% sliding_window_mask: a list of lists
def sliding_window_mask(length, window, device=None):
    rows = [[0 <= i - j <= window - 1 for j in range(length)] for i in range(length)]
    return torch.tensor(rows, dtype=torch.bool, device=device)


# %% sliding_window_attention: one query at a time
def sliding_window_attention(query, key, value, window):
    check_attention(query, key, value, None)
    check_window(window)
    outputs = []
    for i in range(query.shape[-2]):
        seen = slice(max(0, i - window + 1), i + 1)
        scores = query[..., i : i + 1, :] @ key[..., seen, :].transpose(-2, -1)
        weights = softmax(scores / math.sqrt(query.shape[-1]))
        outputs.append(weights @ value[..., seen, :])
    return torch.cat(outputs, dim=-2)


# %% sliding_window_attention: windows unfolded
def sliding_window_attention(query, key, value, window):
    length, d_k = query.shape[-2:]
    window = min(window, length)
    # window - 1 empty places in front, so that the first query has a full window, too
    keys = F.pad(key, (0, 0, window - 1, 0)).unfold(-2, window, 1)  # (..., length, d_k, window)
    values = F.pad(value, (0, 0, window - 1, 0)).unfold(-2, window, 1)
    scores = (query.unsqueeze(-2) @ keys).squeeze(-2) * d_k**-0.5  # (..., length, window)
    position = torch.arange(length, device=query.device)[:, None]
    back = torch.arange(window - 1, -1, -1, device=query.device)
    weights = scores.masked_fill(position < back, -torch.inf).softmax(-1)
    return torch.einsum("...lw,...ldw->...ld", weights, values)


# %% sliding_window_attention: keys shifted, one distance after the other
def shifted(x, distance):
    """What stood `distance` places before, zeros where there is nothing."""
    return F.pad(x, (0, 0, distance, 0))[..., : x.shape[-2], :]


def sliding_window_attention(query, key, value, window):
    length = query.shape[-2]
    distances = range(min(window, length))
    scaled = query / math.sqrt(query.shape[-1])
    scores = torch.stack([(scaled * shifted(key, d)).sum(-1) for d in distances], dim=-1)
    position = torch.arange(length, device=query.device)
    exists = position[:, None] >= torch.arange(len(distances), device=query.device)
    scores = scores.masked_fill(~exists, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1)  # (..., length, distances)
    return sum(weights[..., d : d + 1] * shifted(value, d) for d in distances)


# %% sliding_window_attention: a loop over blocks of queries
def sliding_window_attention(query, key, value, window):
    check_window(window)
    length = query.shape[-2]
    window = min(window, length)
    outputs = []
    for start in range(0, length, window):
        end = min(start + window, length)
        first = max(0, start - window + 1)  # the oldest key that any of these queries sees
        i = torch.arange(start, end, device=query.device).unsqueeze(1)
        j = torch.arange(first, end, device=query.device)
        mask = (j <= i) & (j > i - window)
        output, _ = scaled_dot_product_attention(
            query[..., start:end, :], key[..., first:end, :], value[..., first:end, :], mask
        )
        outputs.append(output)
    return torch.cat(outputs, dim=-2)


# %% tiled_attention: from the last tile to the first
def tiled_attention(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    if mask is None:
        mask = torch.ones(1, dtype=torch.bool, device=query.device)
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], key.shape[-2])
    smallest = torch.finfo(query.dtype).min
    m = query.new_full((*query.shape[:-1], 1), smallest)
    total = torch.zeros_like(m)
    output = query.new_zeros(*query.shape[:-1], value.shape[-1])
    for start in reversed(range(0, key.shape[-2], tile)):
        allowed = mask[..., start : start + tile]
        scores = query @ key[..., start : start + tile, :].mT / query.shape[-1] ** 0.5
        scores = torch.where(allowed, scores, smallest)
        m_new = torch.maximum(m, scores.max(dim=-1, keepdim=True).values)
        old, new = torch.exp(m - m_new), torch.exp(scores - m_new) * allowed
        output = old * output + new @ value[..., start : start + tile, :]
        total = old * total + new.sum(dim=-1, keepdim=True)
        m = m_new
    return output / torch.where(total == 0, 1.0, total)


# %% tiled_attention: tiles merged by the logarithms of their sums
def tiled_attention(query, key, value, mask=None, tile=64):
    keys = key.shape[-2]
    if mask is not None:
        mask = torch.atleast_1d(mask)
        mask = mask.expand(*mask.shape[:-1], keys)
    scale = 1 / math.sqrt(query.shape[-1])
    answer = log_total = None
    for start in range(0, keys, tile):
        scores = (query * scale) @ key[..., start : start + tile, :].transpose(-1, -2)
        if mask is not None:
            # very low, and finite, so that a tile without any key to see makes no NaN
            lowest = torch.finfo(scores.dtype).min / 4
            scores = scores.masked_fill(~mask[..., start : start + tile], lowest)
        log_sum = scores.logsumexp(dim=-1, keepdim=True)
        here = torch.exp(scores - log_sum) @ value[..., start : start + tile, :]
        if answer is None:
            answer, log_total = here, log_sum
        else:
            share = torch.sigmoid(log_sum - log_total)  # of the new tile in the whole
            answer = answer + share * (here - answer)
            log_total = torch.logaddexp(log_total, log_sum)
    return answer


# %% tiled_attention: two rounds, first the highest scores and sums, then the values
def tiled_attention(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    mask = torch.ones(1, dtype=torch.bool, device=query.device) if mask is None else mask
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], key.shape[-2])

    def scores_of(here):
        scores = query @ key[..., here, :].transpose(-2, -1) / math.sqrt(query.shape[-1])
        return scores.masked_fill(~mask[..., here], torch.finfo(scores.dtype).min)

    tiles = [slice(i, i + tile) for i in range(0, key.shape[-2], tile)]
    highest = scores_of(tiles[0]).amax(-1, keepdim=True)
    for here in tiles[1:]:
        highest = torch.maximum(highest, scores_of(here).amax(-1, keepdim=True))
    highest = highest.detach()
    total = sum((scores_of(here) - highest).exp().sum(-1, keepdim=True) for here in tiles)
    return sum((scores_of(here) - highest).exp() / total @ value[..., here, :] for here in tiles)


# %% tiled_attention: halves of the keys, until they fit into a tile
def part(query, key, value, mask, tile):
    """(highest score, sum of exponentials, mixed values) of some of the keys."""
    keys = key.shape[-2]
    if keys <= tile:
        scores = query @ key.transpose(-2, -1)
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        highest = scores.detach().amax(dim=-1, keepdim=True)
        exponentials = (scores - highest).exp().masked_fill(~mask, 0.0)
        return highest, exponentials.sum(dim=-1, keepdim=True), exponentials @ value
    half = keys // 2
    left = part(query, key[..., :half, :], value[..., :half, :], mask[..., :half], tile)
    right = part(query, key[..., half:, :], value[..., half:, :], mask[..., half:], tile)
    highest = torch.maximum(left[0], right[0])
    a, b = (left[0] - highest).exp(), (right[0] - highest).exp()
    return highest, a * left[1] + b * right[1], a * left[2] + b * right[2]


def tiled_attention(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    if mask is None:
        mask = torch.ones(1, 1, dtype=torch.bool, device=query.device)
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], key.shape[-2])
    _, total, mixed = part(query / query.shape[-1] ** 0.5, key, value, mask, tile)
    return mixed / total.masked_fill(total == 0, 1)


# %% CausalSelfAttention: one product for queries, keys and values
class CausalSelfAttention(MultiHeadAttention):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__(d_model, num_heads, dropout)
        self.positions = positions

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        three = (self.w_query, self.w_key, self.w_value)
        weight = torch.cat([w.weight for w in three])
        bias = torch.cat([w.bias for w in three])
        projected = F.linear(x, weight, bias)  # (batch, new, 3 d_model)
        query, key, value = projected.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        if self.positions == "rotary":
            query = rotary_embedding(query, offset=past)
            key = rotary_embedding(key, offset=past)
        if cache is not None:
            key, value = cache.append(key, value)
        self.last_call = query.detach(), key.detach(), None
        return self.w_output(merge_heads(self.look_back(query, key, value)))

    def look_back(self, query, key, value):
        """Attention in which the last query stands at the last key."""
        new, length = query.shape[-2], key.shape[-2]
        # The kernel needs no matrix from us if it starts at the beginning, or for one token.
        plain = self.positions != "alibi" and new in (1, length)
        return F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=None if plain else self.bias(query, key),
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=plain and new > 1,
        )

    def bias(self, query, key):
        """What is added to the scores, (..., new, past + new): -inf for the future."""
        new, length = query.shape[-2], key.shape[-2]
        bias = query.new_zeros(length, length)
        if self.positions == "alibi":
            bias = alibi_bias(self.num_heads, length, query.device).to(query.dtype)
        return bias.masked_fill(~causal_mask(length, query.device), float("-inf"))[..., -new:, :]

    @property
    def weights(self):
        """The last attention weights, (batch, heads, new, past + new), worked out on request."""
        if self.last_call is None:
            return None
        query, key, _ = self.last_call
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        return softmax(scores + self.bias(query, key))


# %% CausalSelfAttention: a module of its own, scores written down
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        self.num_heads, self.positions = num_heads, positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, x, cache=None):
        batch, new, d_model = x.shape
        past = cache.length if cache is not None else 0
        q, k, v = (
            w(x).view(batch, new, self.num_heads, -1).transpose(1, 2)
            for w in (self.w_query, self.w_key, self.w_value)
        )
        if self.positions == "rotary":
            q, k = rotary_embedding(q, past), rotary_embedding(k, past)
        if cache is not None:
            k, v = cache.append(k, v)
        scores = q @ k.transpose(-2, -1) / math.sqrt(d_model // self.num_heads)
        i = torch.arange(past, past + new, device=x.device)[:, None]
        j = torch.arange(past + new, device=x.device)
        if self.positions == "alibi":
            head = torch.arange(1, self.num_heads + 1, device=x.device).to(scores.dtype)
            slope = torch.exp2(-8 * head / self.num_heads)
            scores = scores - slope[:, None, None] * (i - j)
        weights = torch.softmax(scores.masked_fill(j > i, -torch.inf), dim=-1)
        self.weights = weights.detach()
        mixed = self.dropout(weights) @ v
        return self.w_output(mixed.transpose(1, 2).reshape(batch, new, d_model))


# %% CausalSelfAttention: keys remembered as they are and turned when they are used
class CausalSelfAttention(MultiHeadAttention):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__(d_model, num_heads, dropout)
        self.positions = positions

    def forward(self, x, cache=None):
        query = split_heads(self.w_query(x), self.num_heads)
        key = split_heads(self.w_key(x), self.num_heads)
        value = split_heads(self.w_value(x), self.num_heads)
        if cache is not None:
            key, value = cache.append(key, value)
        new, length = query.shape[2], key.shape[2]
        if self.positions == "rotary":
            query = rotary_embedding(query, offset=length - new)
            key = rotary_embedding(key)  # all of them, from the very first
        self.last_call = query.detach(), key.detach(), None
        heads = F.dropout(self.mixture(query, key), self.dropout, self.training) @ value
        return self.w_output(merge_heads(heads))

    def mixture(self, query, key):
        """The weights, (batch, heads, new, length)."""
        new, length = query.shape[2], key.shape[2]
        scores = torch.einsum("bhqd,bhkd->bhqk", query, key) / math.sqrt(query.shape[3])
        if self.positions == "alibi":
            bias = alibi_bias(self.num_heads, length, query.device)[:, length - new :]
            scores = scores + bias.to(scores.dtype)
        past = causal_mask(length, query.device)[length - new :]
        return softmax(scores.masked_fill(~past, torch.finfo(scores.dtype).min))

    @property
    def weights(self):
        return None if self.last_call is None else self.mixture(*self.last_call[:2])


# %% CausalSelfAttention: token by token, head by head, without any mask
class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        self.num_heads, self.dropout, self.positions = num_heads, dropout, positions
        for name in ("w_query", "w_key", "w_value", "w_output"):
            self.add_module(name, nn.Linear(d_model, d_model))
        self.weights = None

    def forward(self, x, cache=None):
        past = 0 if cache is None else cache.length
        new = x.shape[1]
        query = split_heads(self.w_query(x), self.num_heads)
        key = split_heads(self.w_key(x), self.num_heads)
        value = split_heads(self.w_value(x), self.num_heads)
        if self.positions == "rotary":
            query, key = (rotary_embedding(y, past) for y in (query, key))
        if cache is not None:
            key, value = cache.append(key, value)
        all_weights = x.new_zeros(len(x), self.num_heads, new, past + new)
        heads = []
        for h in range(self.num_heads):
            slope = 2 ** (-8 * (h + 1) / self.num_heads) if self.positions == "alibi" else 0.0
            rows = []
            for t in range(new):
                seen = past + t + 1  # the token itself is the last that it sees
                scores = key[:, h, :seen] @ query[:, h, t, :, None]  # (batch, seen, 1)
                scores = scores.squeeze(-1) / math.sqrt(query.shape[-1])
                ago = torch.arange(seen - 1, -1, -1, device=x.device, dtype=scores.dtype)
                weights = torch.softmax(scores - slope * ago, dim=-1)
                all_weights[:, h, t, :seen] = weights.detach()
                weights = F.dropout(weights, self.dropout, self.training)
                rows.append((weights[:, None] @ value[:, h, :seen]).squeeze(1))
            heads.append(torch.stack(rows, dim=1))  # (batch, new, d_head)
        self.weights = all_weights
        return self.w_output(torch.cat(heads, dim=-1))


# %% sample_token: noise added to the logits, then the largest
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature == 0:
        return logits.argmax(-1)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if top_k is not None:
        k = min(top_k, logits.shape[-1])
        kth = logits.sort(dim=-1, descending=True).values[:, k - 1 : k]
        logits = torch.where(logits >= kth, logits, -torch.inf)
    u = torch.rand(logits.shape, generator=generator, device=logits.device, dtype=logits.dtype)
    noise = -torch.log(-torch.log(u.clamp(min=torch.finfo(u.dtype).tiny)))
    return (logits / temperature + noise).argmax(dim=-1)


# %% sample_token: a place on the line of cumulative sums
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError(f"temperature={temperature} must not be negative")
    if temperature == 0:
        return torch.max(logits, dim=-1).indices
    p = torch.softmax(logits.to(torch.promote_types(logits.dtype, torch.float)) / temperature, -1)
    if top_k is not None and top_k < p.shape[-1]:
        kept = torch.topk(logits, top_k, dim=-1, sorted=False).values
        p = p * (logits >= kept.amin(dim=-1, keepdim=True))
    line = p.cumsum(dim=-1)
    drawn = torch.rand(len(p), 1, generator=generator, device=p.device, dtype=p.dtype)
    place = (1 - drawn) * line[:, -1:]  # above 0, and the end at most
    return torch.searchsorted(line, place).squeeze(-1)


# %% sample_token: drawn among the sorted tokens
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    ordered, number = torch.sort(logits, dim=-1, descending=True)
    if temperature == 0:
        return number[:, 0]
    if top_k is not None and top_k < ordered.shape[1]:
        ordered = ordered.masked_fill(ordered < ordered[:, top_k - 1, None], float("-inf"))
    # the largest is taken away first: for a low temperature the quotients are large
    p = torch.exp((ordered.float() - ordered[:, :1].float()) / temperature)
    place = torch.multinomial(p, num_samples=1, generator=generator)
    return number.gather(1, place)[:, 0]


# %% sample_token: row by row, waiting times
def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    drawn = []
    for row in logits:
        if temperature == 0:
            drawn.append(row.argmax())
            continue
        p = torch.softmax(row.float() / temperature, dim=0)
        if top_k is not None and top_k < len(row):
            kth = row.kthvalue(len(row) - top_k + 1).values
            p = torch.where(row < kth, torch.zeros_like(p), p)
        # of several that wait, the first to come is the one with rate p with probability p
        wait = torch.empty_like(p).exponential_(generator=generator)
        drawn.append((p / wait).argmax())
    return torch.stack(drawn)


# %% mask_tokens: one number between 0 and 1 decides everything
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    other = torch.randint(0, vocab, tokens.shape, generator=generator, device=tokens.device)
    chosen = torch.logical_and(draw < probability, tokens != pad)
    read = tokens.clone()
    to_replace = chosen & (draw < 0.9 * probability)
    read[to_replace] = other[to_replace]
    read[chosen & (draw < 0.8 * probability)] = mask_token
    wanted = torch.full_like(tokens, pad)
    wanted[chosen] = tokens[chosen]
    return read, wanted


# %% mask_tokens: coins and a die with ten faces
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    chance = torch.full(tokens.shape, probability, device=tokens.device)
    chance = torch.where(tokens == pad, 0.0, chance)
    chosen = torch.bernoulli(chance, generator=generator).bool()
    die = torch.randint(10, tokens.shape, generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    replaced = torch.where(die == 9, tokens, torch.where(die == 8, random_tokens, mask_token))
    return torch.where(chosen, replaced, tokens), torch.where(chosen, tokens, pad)


# %% mask_tokens: one of four fates for each token
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    p = torch.tensor([1 - probability, 0.8, 0.1, 0.1], device=tokens.device)
    p[1:] *= probability
    fate = torch.multinomial(p, tokens.numel(), replacement=True, generator=generator)
    fate = fate.reshape(tokens.shape).masked_fill(tokens == pad, 0)
    masked = torch.full_like(tokens, mask_token)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    choices = torch.stack([tokens, masked, random_tokens, tokens])
    read = choices.gather(0, fate[None])[0]
    return read, torch.where(fate > 0, tokens, pad)


# %% mask_tokens: token by token
def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    device = tokens.device

    def luck():
        return torch.rand((), generator=generator, device=device).item()

    read, wanted = [], []
    for token in tokens.flatten().tolist():
        if token == pad or luck() >= probability:
            read.append(token)
            wanted.append(pad)
            continue
        wanted.append(token)
        fate = luck()
        if fate < 0.8:
            read.append(mask_token)
        elif fate < 0.9:
            read.append(torch.randint(vocab, (), generator=generator, device=device).item())
        else:
            read.append(token)
    read, wanted = (torch.tensor(x, dtype=tokens.dtype, device=device) for x in (read, wanted))
    return read.reshape(tokens.shape), wanted.reshape(tokens.shape)


# %% patchify: by unfold of torch's functions
def patchify(images, size):
    _, _, height, width = images.shape
    if height % size != 0 or width % size != 0:
        raise ValueError(f"{height} x {width} pixels cannot be cut into patches of {size} x {size}")
    return F.unfold(images, kernel_size=size, stride=size).transpose(1, 2)


# %% patchify: loops over rows and columns of patches
def patchify(images, size):
    _, _, height, width = images.shape
    patches = []
    for top in range(0, height, size):
        for left in range(0, width, size):
            patch = images[:, :, top : top + size, left : left + size]
            patches.append(patch.flatten(1))
    return torch.stack(patches, dim=1)


# %% patchify: reshaped and permuted
def patchify(images, size):
    batch, channels, height, width = images.shape
    down, across = height // size, width // size
    x = images.reshape(batch, channels, down, size, across, size)
    x = torch.einsum("bcdyax->bdacyx", x)
    return x.reshape(batch, down * across, channels * size * size)


# %% patchify: pixels moved into channels
def patchify(images, size):
    moved = F.pixel_unshuffle(images, size)  # (batch, channels · size · size, down, across)
    return moved.flatten(start_dim=2).permute(0, 2, 1)


# %% patchify: windows along both sides
def patchify(images, size):
    windows = images.unfold(2, size, size).unfold(3, size, size)
    # (batch, channels, down, across, size, size)
    windows = windows.movedim(1, 3)
    return windows.flatten(3).flatten(1, 2)


# %% MixtureOfExperts: everybody visits everyone, gates are mostly zero
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
        probabilities = softmax(self.router(tokens), dim=-1)
        gates, chosen = probabilities.topk(self.top_k, dim=-1)
        gates = gates / gates.sum(dim=-1, keepdim=True)
        all_gates = torch.zeros_like(probabilities).scatter(1, chosen, gates)  # (tokens, experts)
        answers = torch.stack([expert(tokens) for expert in self.experts], dim=1)
        output = (all_gates.unsqueeze(-1) * answers).sum(dim=1)
        visits = F.one_hot(chosen, len(self.experts)).flatten(0, 1)
        share = visits.to(probabilities.dtype).mean(dim=0)
        self.balance_loss = len(self.experts) * (share * probabilities.mean(dim=0)).sum()
        return output.reshape(x.shape)

    def __getstate__(self):
        """What is copied or saved: all but the last call's loss, which has a graph behind it."""
        return self.__dict__ | {"balance_loss": None}


# %% MixtureOfExperts: tokens sorted by expert, gates from the best logits alone
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
        logits = self.router(tokens)
        best, chosen = logits.topk(self.top_k, dim=-1)
        gates = softmax(best, dim=-1)
        # a line of visits, all those to the first expert in front
        visited, order = chosen.flatten().sort()
        visitor = order // self.top_k
        counts = torch.bincount(visited, minlength=len(self.experts))
        groups = tokens[visitor].split(counts.tolist())
        answers = torch.cat([expert(group) for expert, group in zip(self.experts, groups)])
        answers = answers * gates.flatten()[order].unsqueeze(1)
        output = torch.zeros_like(tokens).index_add(0, visitor, answers)
        probabilities = softmax(logits, dim=-1)
        share = counts.to(probabilities.dtype) / len(visited)
        self.balance_loss = len(self.experts) * (share @ probabilities.mean(dim=0))
        return output.reshape(x.shape)

    def __getstate__(self):
        return self.__dict__ | {"balance_loss": None}


# %% MixtureOfExperts: one token after the other
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        self.num_experts, self.top_k = num_experts, top_k
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList()
        for _ in range(num_experts):
            self.experts.append(FeedForward(d_model, d_ff, dropout))
        self.balance_loss = None

    def forward(self, x):
        outputs, visits = [], [0] * self.num_experts
        tokens = x.reshape(-1, x.shape[-1])
        probabilities = self.router(tokens).softmax(dim=-1)
        for token, p in zip(tokens, probabilities):
            chosen = p.argsort(descending=True)[: self.top_k].tolist()
            whole = sum(p[e] for e in chosen)
            outputs.append(sum(p[e] / whole * self.experts[e](token) for e in chosen))
            for e in chosen:
                visits[e] += 1
        # visits has no gradient; the mean of the probabilities has
        share = [number / sum(visits) for number in visits]
        busy = sum(s * p for s, p in zip(share, probabilities.mean(dim=0)))
        self.balance_loss = self.num_experts * busy
        return torch.stack(outputs).view(x.shape)

    def __getstate__(self):
        return self.__dict__ | {"balance_loss": None}


# %% MixtureOfExperts: all experts in two products of stacked matrices
class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError(f"top_k={top_k} must lie between 1 and num_experts={num_experts}")
        self.top_k, self.dropout = top_k, dropout
        self.router = nn.Linear(d_model, num_experts)
        experts = (FeedForward(d_model, d_ff, dropout) for _ in range(num_experts))
        self.experts = nn.ModuleList(experts)
        self.balance_loss = None

    def forward(self, x):
        w1 = torch.stack([expert.linear1.weight for expert in self.experts])  # (e, d_ff, d_model)
        b1 = torch.stack([expert.linear1.bias for expert in self.experts])
        w2 = torch.stack([expert.linear2.weight for expert in self.experts])  # (e, d_model, d_ff)
        b2 = torch.stack([expert.linear2.bias for expert in self.experts])
        probabilities = self.router(x).softmax(dim=-1)  # (..., e)
        chosen = probabilities.topk(self.top_k, dim=-1).indices
        picked = torch.zeros_like(probabilities).scatter(-1, chosen, 1.0)
        gates = probabilities * picked
        gates = gates / gates.sum(-1, keepdim=True)
        hidden = torch.relu(torch.einsum("...d,efd->...ef", x, w1) + b1)
        hidden = F.dropout(hidden, self.dropout, self.training)
        answers = torch.einsum("...ef,edf->...ed", hidden, w2) + b2
        experts = len(self.experts)
        share = picked.reshape(-1, experts).mean(dim=0) / self.top_k
        probability = probabilities.reshape(-1, experts).mean(dim=0)
        self.balance_loss = experts * torch.dot(share, probability)
        return torch.einsum("...e,...ed->...d", gates, answers)

    def __getstate__(self):
        return self.__dict__ | {"balance_loss": None}
