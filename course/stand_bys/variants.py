"""Stand-bys for lesson 7, from torch's fused attention and from complex numbers."""

import torch
import torch.nn.functional as F
from torch import nn

from solutions.arguments import (
    check_attention,
    check_dropout,
    check_even,
    check_heads,
    check_window,
)

from .encoder_block import FeedForward
from .multi_head import PROJECTIONS


def rotary_embedding(x, offset=0, base=10000.0):
    length, d_head = x.shape[-2:]
    check_even("d_head", d_head)
    precise = torch.promote_types(torch.float32, x.dtype)
    pairs = torch.arange(d_head // 2, dtype=precise, device=x.device)
    places = torch.arange(length, dtype=precise, device=x.device) + offset
    angles = torch.outer(places, base ** (-2 * pairs / d_head))
    points = torch.view_as_complex(x.to(precise).unflatten(-1, (-1, 2)).contiguous())
    turned = points * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(-2).to(x.dtype)


def alibi_bias(num_heads, length, device=None):
    slopes = torch.logspace(-8 / num_heads, -8, num_heads, base=2.0, device=device)
    place = torch.arange(length, device=device, dtype=slopes.dtype)
    ahead = torch.sub(place, place.unsqueeze(-1))  # how far a key stands after its query
    return torch.einsum("h,qk->hqk", slopes, ahead)


def sliding_window_mask(length, window, device=None):
    check_window(window)
    full = torch.ones(length, length, dtype=torch.bool, device=device)
    return full.tril().triu(1 - window)


def sliding_window_attention(query, key, value, window):
    check_attention(query, key, value, None)
    length = query.shape[-2]
    if key.shape[-2] != length:
        raise ValueError(f"{length} queries need as many keys, but there are {key.shape[-2]}")
    check_window(window)
    window = min(window, length)
    missing = -length % window
    query = F.pad(query, (0, 0, 0, missing)).unflatten(-2, (-1, window))
    # Overlapping stretches of two windows: what a block of queries may see lies in its own.
    key, value = (
        F.pad(x, (0, 0, window, missing)).unfold(-2, 2 * window, window).mT for x in (key, value)
    )
    mask = sliding_window_mask(2 * window, window, query.device)[window:]
    mask = mask.expand(query.shape[-3], -1, -1).clone()
    mask[0, :, :window] = False
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return mixed.flatten(-3, -2).narrow(-2, 0, length)


def tiled_attention(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    low = torch.finfo(query.dtype).min
    seen = query.new_full((*query.shape[:-1], 1), low)  # log of the sum of all exponentials
    mixed = query.new_zeros(*query.shape[:-1], value.shape[-1])
    mask = torch.ones((1, 1), dtype=torch.bool, device=query.device) if mask is None else mask
    parts = zip(
        key.split(tile, -2), value.split(tile, -2), tiles_of(mask, key.shape[-2], tile), strict=True
    )
    for keys, values, allowed in parts:
        scores = torch.einsum("...qd,...kd->...qk", query, keys).div(query.shape[-1] ** 0.5)
        scores = scores.where(allowed, scores.new_tensor(low))
        more = scores.logsumexp(-1, keepdim=True)
        both = torch.logaddexp(seen, more)
        share_before, share_here = (seen - both).exp(), (more - both).exp()  # they add up to 1
        mixed = share_before * mixed + share_here * scores.softmax(-1).matmul(values)
        seen = both
    sees = torch.atleast_2d(mask).any(-1, keepdim=True)
    return mixed.where(sees, torch.zeros_like(mixed))


def tiles_of(mask, length, tile):
    """A mask in pieces of so many keys each."""
    mask = torch.atleast_2d(mask)
    return mask.expand(*mask.shape[:-1], length).split(tile, -1)


class CausalSelfAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        check_heads(d_model, num_heads)
        check_dropout(dropout)
        self.num_heads, self.dropout, self.positions = num_heads, dropout, positions
        self.seen = None
        for name in PROJECTIONS:
            self.add_module(name, nn.Linear(d_model, d_model))

    def forward(self, x, cache=None):
        begun = getattr(cache, "length", 0)
        query, key, value = (
            self.get_submodule(name)(x).unflatten(-1, (self.num_heads, -1)).movedim(-2, -3)
            for name in PROJECTIONS[:3]
        )
        if self.positions == "rotary":
            query, key = (rotary_embedding(y, offset=begun) for y in (query, key))
        if cache is not None:
            key, value = cache.append(key, value=value)
        self.seen = query.detach(), key.detach()
        mixed = self.look_back(query, key, value)
        return self.w_output(mixed.movedim(-3, -2).flatten(-2))

    def look_back(self, query, key, value):
        """A method of its own, as in the learner's class: lesson 7 puts another in its place."""
        rate, bias = self.dropout * self.training, self.bias(query, key)
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=rate)

    def bias(self, query, key):
        """(…, new, all): what is added to the scores, so that nothing looks ahead."""
        new, length = query.shape[-2], key.shape[-2]
        bias = query.new_full((length, length), float("-inf")).triu(1)
        if self.positions == "alibi":
            bias = bias + alibi_bias(self.num_heads, length, query.device).to(query.dtype)
        return bias[..., length - new :, :]

    @property
    def weights(self):
        if self.seen is None:
            return None
        query, key = self.seen
        scores = torch.einsum("bhqd,bhkd->bhqk", query, key).mul(query.shape[-1] ** -0.5)
        return scores.add(self.bias(query, key)).softmax(-1)

    def __getstate__(self):
        return self.__dict__ | {"seen": None}


def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError(f"temperature={temperature} must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} must be at least 1, or None for all tokens")
    if temperature == 0:
        return logits.max(-1).indices
    if top_k is not None:
        bar = logits.sort(-1, descending=True).values[:, :top_k].amin(-1, keepdim=True)
        logits = logits.where(logits >= bar, logits.new_tensor(float("-inf")))
    chances = logits.div(temperature).softmax(-1)
    return torch.multinomial(chances, num_samples=1, generator=generator).flatten()


def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    others = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    kept = (tokens == pad) | (draw >= probability)
    changed = torch.where(fate < 0.9, tokens, others)
    changed[fate < 0.8] = mask_token
    return torch.where(kept, tokens, changed), torch.where(kept, pad, tokens)


def patchify(images, size):
    height, width = images.shape[-2:]
    if height % size != 0 or width % size != 0:
        raise ValueError(f"{height} x {width} pixels cannot be cut into patches of {size} x {size}")
    return F.unfold(images, kernel_size=size, stride=size).mT


class MixtureOfExperts(nn.Module):
    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError(f"top_k={top_k} must lie between 1 and num_experts={num_experts}")
        self.top_k, self.balance_loss = top_k, None
        self.router = nn.Linear(d_model, num_experts)
        self.experts = nn.ModuleList(
            [FeedForward(d_model, d_ff, dropout) for _ in range(num_experts)]
        )

    def forward(self, x):
        tokens = x.flatten(0, -2)
        chances = self.router(tokens).softmax(-1)
        best = chances.topk(self.top_k)
        visits = torch.zeros_like(chances).scatter(1, best.indices, 1.0)
        gates = F.normalize(chances * visits, p=1, dim=-1)
        mixed = torch.zeros_like(tokens)
        for expert, came, gate in zip(self.experts, visits.unbind(1), gates.unbind(1)):
            visitors = came.nonzero().flatten()
            answers = gate[visitors].unsqueeze(-1) * expert(tokens[visitors])
            mixed = mixed.index_add(0, visitors, answers.to(mixed.dtype))
        share = visits.mean(0) / self.top_k
        self.balance_loss = len(self.experts) * torch.dot(share, chances.mean(0))
        return mixed.unflatten(0, x.shape[:-1]) if x.dim() > 1 else mixed.squeeze(0)

    def __getstate__(self):
        return self.__dict__ | {"balance_loss": None}
