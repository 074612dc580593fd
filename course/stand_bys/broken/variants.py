"""Lesson 7: a sum that is not shrunk, a cache that forgets how far it is, a guess that is told."""

import torch
import torch.nn.functional as F

from solutions.arguments import check_attention

from ..variants import CausalSelfAttention, mask_tokens, tiles_of
from .table import goes_wrong


@goes_wrong("variants.tiled_attention", "nothing_shrinks")
def each_tile_by_its_own_measure(query, key, value, mask=None, tile=64):
    check_attention(query, key, value, mask)
    mask = torch.ones((1, 1), dtype=torch.bool, device=query.device) if mask is None else mask
    low = torch.finfo(query.dtype).min
    highest, sums = query.new_full((), low), 0.0
    tiles = tiles_of(mask, key.shape[-2], tile)
    for keys, values, seen in zip(key.split(tile, -2), value.split(tile, -2), tiles):
        scores = torch.einsum("...qd,...kd->...qk", query, keys).div(query.shape[-1] ** 0.5)
        scores = scores.where(seen, low)
        highest = scores.detach().amax(-1, keepdim=True).clamp(min=highest)
        shares = scores.sub(highest).exp().where(seen, 0.0)
        sums = sums + shares.matmul(F.pad(values, (0, 1), value=1.0))  # the ones add up the shares
    mixed, total = sums.tensor_split([-1], dim=-1)
    return mixed.div(total.where(total > 0, 1.0))


class AlwaysNew:
    """A cache that keeps what it is given, and says that it has read nothing yet."""

    length = 0

    def __init__(self, cache):
        self.append = cache.append


@goes_wrong("variants.CausalSelfAttention", "always_from_position_zero")
class ForgetsThePast(CausalSelfAttention):
    def forward(self, x, cache=None):
        return super().forward(x, None if cache is None else AlwaysNew(cache))


@goes_wrong("variants.mask_tokens", "everything_to_be_predicted")
def all_are_asked_for(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    return mask_tokens(tokens, mask_token, vocab, probability, pad, generator)[0], tokens
