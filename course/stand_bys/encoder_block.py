"""Stand-bys for lesson 4, from torch's LayerNorm and Linear."""

import torch.nn.functional as F
from torch import nn

from solutions.arguments import check_dropout

from .multi_head import MultiHeadAttention


class LayerNorm(nn.LayerNorm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps=eps)

    def forward(self, x):
        return super().forward(x)


class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        wide, narrow = (d_model, d_ff), (d_ff, d_model)
        self.linear1, self.linear2 = nn.Linear(*wide), nn.Linear(*narrow)
        self.between = nn.Sequential(nn.ReLU(), nn.Dropout(dropout))

    def forward(self, x):
        return F.linear(self.between(self.linear1(x)), self.linear2.weight, self.linear2.bias)


class Block(nn.Module):
    """What encoder and decoder blocks have in common: a list of (norm, sub-layer)."""

    def __init__(self, attentions, d_model, num_heads, d_ff, dropout, norm_first):
        super().__init__()
        check_dropout(dropout)
        for name in attentions:
            self.add_module(name, MultiHeadAttention(d_model, num_heads, dropout=dropout))
        self.add_module("feed_forward", FeedForward(d_model, d_ff, dropout=dropout))
        for number in range(len(attentions) + 1):
            self.add_module(f"norm{number + 1}", nn.LayerNorm(d_model))
        self.norm_first, self.drop = norm_first, nn.Dropout(dropout)

    def through(self, x, steps):
        for norm, step in steps:
            added = x + self.drop(step(norm(x) if self.norm_first else x))
            x = added if self.norm_first else norm(added)
        return x


class EncoderBlock(Block):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__(("self_attention",), d_model, num_heads, d_ff, dropout, norm_first)

    def forward(self, x, mask=None):
        def look(y):
            return self.self_attention(query=y, key=y, value=y, mask=mask)

        return self.through(x, [(self.norm1, look), (self.norm2, self.feed_forward)])


class Stack(nn.Module):
    """Blocks of one kind on top of each other."""

    def __init__(self, kind, num_layers, d_model, *sizes):
        super().__init__()
        self.layers = nn.ModuleList([kind(d_model, *sizes) for _ in range(num_layers)])
        *_, norm_first = sizes
        self.register_module("norm", nn.LayerNorm(d_model) if norm_first else None)

    def up(self, x, *context):
        for block in self.layers:
            x = block(x, *context)
        return x if self.norm is None else self.norm(x)


class Encoder(Stack):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__(EncoderBlock, num_layers, d_model, num_heads, d_ff, dropout, norm_first)

    def forward(self, x, mask=None):
        return self.up(x, mask)
