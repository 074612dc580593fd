"""Stand-bys for lesson 2, around torch's fused attention."""

import torch
import torch.nn.functional as F
from torch import nn

from solutions.arguments import check_attention, check_dropout, check_heads

from .attention import scaled_dot_product_attention

PROJECTIONS = ("w_query", "w_key", "w_value", "w_output")


def split_heads(x, num_heads):
    check_heads(x.shape[-1], num_heads)
    return torch.stack(x.chunk(num_heads, dim=-1), dim=1)


def merge_heads(x):
    return torch.cat(x.unbind(dim=1), dim=-1)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        check_heads(d_model, num_heads)
        check_dropout(dropout)
        self.num_heads, self.dropout, self.seen = num_heads, dropout, None
        for name in PROJECTIONS:
            self.add_module(name, nn.Linear(d_model, d_model))

    def forward(self, query, key, value, mask=None):
        seen = [
            self.get_submodule(name)(x).unflatten(-1, (self.num_heads, -1)).movedim(-2, -3)
            for name, x in zip(PROJECTIONS, (query, key, value))
        ]
        check_attention(*seen, mask)
        self.seen = seen[0].detach(), seen[1].detach(), None if mask is None else mask.clone()
        mixed = F.scaled_dot_product_attention(
            *seen,
            attn_mask=None if mask is None else torch.atleast_2d(mask),
            dropout_p=self.dropout * self.training,
        )
        return self.w_output(mixed.movedim(-3, -2).flatten(-2))

    @property
    def weights(self):
        if self.seen is None:
            return None
        query, key, mask = self.seen
        return scaled_dot_product_attention(query, key, key, mask=mask)[1]

    def __getstate__(self):
        return self.__dict__ | {"seen": None}
