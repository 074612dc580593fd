import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.multi_head import MultiHeadAttention
from course.stand_bys.encoder_block import LayerNorm, FeedForward, EncoderBlock


# %% LayerNorm: the argument eps is never kept; 1e-5 is used whatever was asked for
# fault: return self.weight * (x - mu) / torch.sqrt(var + 1e-5) + self.bias
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mu = x.mean(-1, keepdim=True)
        var = x.var(-1, unbiased=False, keepdim=True)
        return self.weight * (x - mu) / torch.sqrt(var + 1e-5) + self.bias


# %% LayerNorm: takes the mean square for the variance: the mean was not taken off before squaring
# fault: variance = x.pow(2).mean(dim=-1, keepdim=True)
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean = x.mean(dim=-1, keepdim=True)
        variance = x.pow(2).mean(dim=-1, keepdim=True)
        normed = (x - mean) * torch.rsqrt(variance + self.eps)
        return normed * self.weight + self.bias


# %% LayerNorm: weight and bias are plain tensors, which no optimiser finds
# fault: self.weight = torch.ones(d_model)
# fault: self.bias = torch.zeros(d_model)
class LayerNorm(nn.Module):
    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        self.weight = torch.ones(d_model)
        self.bias = torch.zeros(d_model)
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)
        var = (centred**2).mean(dim=-1, keepdim=True)
        return centred / (var + self.eps).sqrt() * self.weight + self.bias


# %% LayerNorm: mean and variance are taken without gradient, so x gets a wrong gradient
# fault: with torch.no_grad():
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        # statistics are not learned
        with torch.no_grad():
            mean = x.mean(-1, keepdim=True)
            std = (x.var(-1, correction=0, keepdim=True) + self.eps).sqrt()
        y = (x - mean) / std
        return torch.addcmul(self.bias, y, self.weight)


# %% LayerNorm: two mistakes: mean and variance over all dimensions but the batch, and the variance divides by one less
# fault: dims = tuple(range(1, x.dim()))
# fault: s2 = x.var(dim=dims, keepdim=True)
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        dims = tuple(range(1, x.dim()))
        m = x.mean(dim=dims, keepdim=True)
        s2 = x.var(dim=dims, keepdim=True)
        return (x - m) / torch.sqrt(s2 + self.eps) * self.weight + self.bias


# %% FeedForward: dropout acts on what comes out of linear2, not on the hidden features
# fault: return self.dropout(self.linear2(torch.relu(self.linear1(x))))
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.dropout(self.linear2(torch.relu(self.linear1(x))))


# %% FeedForward: clamp(max=0) keeps what is negative
# fault: hidden = self.linear1(x).clamp(max=0)
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        hidden = self.linear1(x).clamp(max=0)
        hidden = self.drop(hidden)
        return self.linear2(hidden)


# %% FeedForward: GELU in place of max(0, x)
# fault: h = F.gelu(h)
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(in_features=d_model, out_features=d_ff)
        self.linear2 = nn.Linear(in_features=d_ff, out_features=d_model)
        self.p = dropout

    def forward(self, x):
        h = self.linear1(x)
        h = F.gelu(h)
        h = F.dropout(h, self.p, self.training)
        return self.linear2(h)


# %% FeedForward: two mistakes: linear1 has no bias, and F.dropout acts in eval mode, too
# fault: self.linear1 = nn.Linear(d_model, d_ff, bias=False)
# fault: h = F.dropout(h, p=self.dropout)
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff, bias=False)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = dropout

    def forward(self, x):
        h = torch.maximum(self.linear1(x), torch.zeros((), dtype=x.dtype, device=x.device))
        h = F.dropout(h, p=self.dropout)
        return self.linear2(h)


# %% EncoderBlock: with norm_first the mask is not handed to attention
# fault: x = x + self.dropout(self.self_attention(y, y, y))
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout(self.self_attention(y, y, y))
            x = x + self.dropout(self.feed_forward(self.norm2(x)))
        else:
            x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
            x = self.norm2(x + self.dropout(self.feed_forward(x)))
        return x


# %% EncoderBlock: post-norm norms only what the sub-layer gives, and adds x afterwards
# fault: x = x + self.norm1(attended)
# fault: x = x + self.norm2(cooked)
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm2 = nn.LayerNorm(d_model)
        self.drop1, self.drop2 = nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            n = self.norm1(x)
            x = x + self.drop1(self.self_attention(n, n, n, mask))
            return x + self.drop2(self.feed_forward(self.norm2(x)))
        attended = self.drop1(self.self_attention(x, x, x, mask))
        x = x + self.norm1(attended)
        cooked = self.drop2(self.feed_forward(x))
        x = x + self.norm2(cooked)
        return x


# %% EncoderBlock: dropout acts on the sum, so the residual is dropped as well
# fault: return self.dropout(x + added)
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def add(self, x, added):
        return self.dropout(x + added)

    def forward(self, x, mask=None):
        if self.norm_first:
            h = self.norm1(x)
            x = self.add(x, self.self_attention(h, h, h, mask))
            return self.add(x, self.feed_forward(self.norm2(x)))
        x = self.norm1(self.add(x, self.self_attention(x, x, x, mask)))
        return self.norm2(self.add(x, self.feed_forward(x)))


# %% EncoderBlock: post-norm adds the second sub-layer to the sum before norm1, not to the normed x
# fault: return self.norm2(total + self.dropout(self.feed_forward(normed)))
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        inp = self.norm1(x) if self.norm_first else x
        total = x + self.dropout(self.self_attention(inp, inp, inp, mask))
        if self.norm_first:
            return total + self.dropout(self.feed_forward(self.norm2(total)))
        normed = self.norm1(total)
        return self.norm2(total + self.dropout(self.feed_forward(normed)))


# %% EncoderBlock: two mistakes: d_ff is ignored (4 * d_model), and the two orders have changed places
# fault: self.feed_forward = FeedForward(d_model, 4 * d_model, dropout)
# fault: if not self.norm_first:
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, 4 * d_model, dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if not self.norm_first:
            z = self.norm1(x)
            x = x + self.dropout(self.self_attention(z, z, z, mask))
            z = self.norm2(x)
            x = x + self.dropout(self.feed_forward(z))
            return x
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = self.norm2(x + self.dropout(self.feed_forward(x)))
        return x


# %% EncoderBlock: two mistakes: attention gets no dropout for its weights, and what feed-forward gives is added without dropout
# fault: self.self_attention = MultiHeadAttention(d_model, num_heads)
# fault: add_ff = lambda y: y + self.feed_forward(self.norm2(y) if self.norm_first else y)
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q = self.norm1(x) if self.norm_first else x
        x = x + self.dropout(self.self_attention(q, q, q, mask))
        add_ff = lambda y: y + self.feed_forward(self.norm2(y) if self.norm_first else y)
        if self.norm_first:
            return add_ff(x)
        return self.norm2(add_ff(self.norm1(x)))


# %% Encoder: every block reads the encoder's input; only the last one counts
# fault: out = layer(x, mask)
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            [EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)]
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        out = x
        for layer in self.layers:
            out = layer(x, mask)
        if self.norm is not None:
            out = self.norm(out)
        return out


# %% Encoder: dropout and norm_first are handed on in the wrong order, so norm_first is 0.1, which is true
# fault: EncoderBlock(d_model, num_heads, d_ff, norm_first, dropout) for i in range(num_layers)
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_ff, norm_first, dropout) for i in range(num_layers)
        )
        self.norm = None
        if norm_first:
            self.norm = LayerNorm(d_model)

    def forward(self, x, mask=None):
        for block in self.layers:
            x = block(x, mask)
        return x if self.norm is None else self.norm(x)


# %% Encoder: a second residual around every block
# fault: x = x + layer(x, mask=mask)
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            self.layers.append(
                EncoderBlock(d_model, num_heads, d_ff, dropout=dropout, norm_first=norm_first)
            )
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = x + layer(x, mask=mask)
        if self.norm:
            x = self.norm(x)
        return x


# %% Encoder: with norm_first the norm acts after every block, not once at the end
# fault: x = self.norm(x)
# fault: if self.norm is not None:
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        sizes = dict(d_model=d_model, num_heads=num_heads, d_ff=d_ff)
        blocks = [EncoderBlock(**sizes, dropout=dropout, norm_first=norm_first) for _ in range(num_layers)]
        self.layers = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
            if self.norm is not None:
                x = self.norm(x)
        return x


# %% Encoder: two mistakes: one block too few, and the probability of dropout is not handed on
# fault: for n in range(1, num_layers):
# fault: blocks.append(EncoderBlock(d_model, num_heads, d_ff, norm_first=norm_first))
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        blocks = []
        for n in range(1, num_layers):
            blocks.append(EncoderBlock(d_model, num_heads, d_ff, norm_first=norm_first))
        self.layers = nn.ModuleList(blocks)
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
        if self.norm is not None:
            x = self.norm(x)
        return x
