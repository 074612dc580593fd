import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.encoder_block import LayerNorm, FeedForward, EncoderBlock
from course.stand_bys.multi_head import MultiHeadAttention


# %% LayerNorm: variance as mean of squares minus square of mean: with features far from 0 nothing but rounding is left, it may even be negative
# fault: variance = (x * x).mean(-1, keepdim=True) - mean * mean
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        variance = (x * x).mean(-1, keepdim=True) - mean * mean
        return (x - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias


# %% LayerNorm: the bias is added before the weight is multiplied, so it is scaled too
# fault: return self.weight * (normed + self.bias)
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mu = x.mean(dim=-1, keepdim=True)
        sigma2 = x.var(dim=-1, keepdim=True, correction=0)
        normed = (x - mu) * torch.rsqrt(sigma2 + self.eps)
        return self.weight * (normed + self.bias)


# %% LayerNorm: mean and variance are computed without gradient, so what flows back is wrong
# fault: with torch.no_grad():
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        # statistics are not to be trained
        with torch.no_grad():
            mean = x.mean(dim=-1, keepdim=True)
            var = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
        x_hat = (x - mean) / (var + self.eps).sqrt()
        return x_hat * self.weight + self.bias


# %% LayerNorm: TWO: changes its input in place; the argument eps is not used
# fault: x -= x.mean(-1, keepdim=True)
# fault: variance = x.square().mean(-1, keepdim=True) + 1e-5
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        x -= x.mean(-1, keepdim=True)
        variance = x.square().mean(-1, keepdim=True) + 1e-5
        return x / variance.sqrt() * self.weight + self.bias


# %% LayerNorm: keeps averages of mean and variance in training and uses those in eval, as batch norm does
# fault: mean, var = self.running_mean, self.running_var
# fault: if self.training:
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.running_mean = torch.zeros(1)
        self.running_var = torch.ones(1)

    def forward(self, x):
        if self.training:
            mean = x.mean(-1, keepdim=True)
            var = x.var(-1, unbiased=False, keepdim=True)
            self.running_mean = 0.9 * self.running_mean + 0.1 * mean.mean().detach()
            self.running_var = 0.9 * self.running_var + 0.1 * var.mean().detach()
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / torch.sqrt(var + self.eps) + self.bias


# %% FeedForward: clamp with two limits also cuts everything above 1
# fault: hidden = self.linear1(x).clamp(0, 1)
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        hidden = self.linear1(x).clamp(0, 1)
        return self.linear2(self.dropout(hidden))


# %% FeedForward: a second relu at the end, so the output is never negative
# fault: for layer in (self.linear1, self.linear2):
# fault: x = torch.relu(layer(x))
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        for layer in (self.linear1, self.linear2):
            x = torch.relu(layer(x))
            if layer is self.linear1:
                x = self.drop(x)
        return x


# %% FeedForward: F.dropout is not told about the mode, so it drops in eval as well
# fault: h = F.dropout(F.relu(self.linear1(x)), self.dropout)
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        if not 0.0 <= dropout <= 1.0:
            raise ValueError("dropout must be a probability")
        self.dropout = dropout
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        h = F.dropout(F.relu(self.linear1(x)), self.dropout)
        return self.linear2(h)


# %% FeedForward: always four times as wide, whatever d_ff says
# fault: inner = 4 * d_model
class FeedForward(nn.Module):
    def __init__(self, d_model: int, d_ff: int, dropout: float = 0.1):
        super().__init__()
        inner = 4 * d_model
        self.linear1 = nn.Linear(d_model, inner)
        self.linear2 = nn.Linear(inner, d_model)
        self.act = nn.ReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear2(self.dropout(self.act(self.linear1(x))))


# %% FeedForward: TWO: gelu where relu is asked for; dropout on the result and not on the hidden features
# fault: x = F.gelu(x)
# fault: return self.dropout(x)
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = self.linear1(x)
        x = F.gelu(x)
        x = self.linear2(x)
        return self.dropout(x)


# %% EncoderBlock: dropout is applied to the sum, so it drops from the residual as well
# fault: x = self.norm1(self.dropout(x + self.self_attention(x, x, x, mask)))
# fault: return self.norm2(self.dropout(x + self.feed_forward(x)))
# fault: x = self.dropout(x + self.self_attention(n, n, n, mask))
# fault: return self.dropout(x + self.feed_forward(self.norm2(x)))
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            n = self.norm1(x)
            x = self.dropout(x + self.self_attention(n, n, n, mask))
            return self.dropout(x + self.feed_forward(self.norm2(x)))
        x = self.norm1(self.dropout(x + self.self_attention(x, x, x, mask)))
        return self.norm2(self.dropout(x + self.feed_forward(x)))


# %% EncoderBlock: the mask gets lost on the pre-norm path only
# fault: seen = self.self_attention(normed, normed, normed)
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.norm1 = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=dropout)
        self.norm2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            normed = self.norm1(x)
            seen = self.self_attention(normed, normed, normed)
            x = x + self.dropout(seen)
            x = x + self.dropout(self.feed_forward(self.norm2(x)))
        else:
            seen = self.self_attention(x, x, x, mask)
            x = self.norm1(x + self.dropout(seen))
            x = self.norm2(x + self.dropout(self.feed_forward(x)))
        return x


# %% EncoderBlock: pre-norm adds with +=, which writes into the tensor of the caller
# fault: x += self.drop(self.self_attention(y, y, y, mask))
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1, self.norm2 = LayerNorm(d_model), LayerNorm(d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if not self.norm_first:
            x = self.norm1(x + self.drop(self.self_attention(x, x, x, mask)))
            return self.norm2(x + self.drop(self.feed_forward(x)))
        y = self.norm1(x)
        x += self.drop(self.self_attention(y, y, y, mask))
        y = self.norm2(x)
        return x + self.drop(self.feed_forward(y))


# %% EncoderBlock: the norms have no weight and bias, there is nothing in them to learn
# fault: self.norm1 = nn.LayerNorm(d_model, elementwise_affine=False)
# fault: self.norm2 = nn.LayerNorm(d_model, elementwise_affine=False)
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(d_model, elementwise_affine=False)
        self.dropout1 = nn.Dropout(dropout)
        self.dropout2 = nn.Dropout(dropout)

    def _attend(self, x, mask):
        return self.dropout1(self.self_attention(x, x, x, mask))

    def _cook(self, x):
        return self.dropout2(self.feed_forward(x))

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self._attend(self.norm1(x), mask)
            x = x + self._cook(self.norm2(x))
        else:
            x = self.norm1(x + self._attend(x, mask))
            x = self.norm2(x + self._cook(x))
        return x


# %% EncoderBlock: TWO: with norm_first both sub-layers read the block's input side by side; the attention weights are never dropped
# fault: self.self_attention = MultiHeadAttention(d_model, num_heads)
# fault: return x + self.dropout(self.self_attention(a, a, a, mask)) + self.dropout(self.feed_forward(b))
# fault: a, b = self.norm1(x), self.norm2(x)
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
        if self.norm_first:
            a, b = self.norm1(x), self.norm2(x)
            return x + self.dropout(self.self_attention(a, a, a, mask)) + self.dropout(self.feed_forward(b))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        return self.norm2(x + self.dropout(self.feed_forward(x)))


# %% EncoderBlock: TWO: norm_first norms what the sub-layer gives and not what it gets; what feed-forward adds is not dropped
# fault: return x + norm(sublayer(x))
# fault: x = self.wrap(x, self.feed_forward, self.norm2)
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def wrap(self, x, sublayer, norm):
        if self.norm_first:
            return x + norm(sublayer(x))
        return norm(x + sublayer(x))

    def forward(self, x, mask=None):
        look = lambda t: self.dropout(self.self_attention(t, t, t, mask))
        x = self.wrap(x, look, self.norm1)
        x = self.wrap(x, self.feed_forward, self.norm2)
        return x


# %% Encoder: one block too few, the range starts at 1
# fault: for _ in range(1, num_layers):
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(1, num_layers):
            self.layers.append(EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first))
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
        if self.norm is not None:
            x = self.norm(x)
        return x


# %% Encoder: every block reads the input of the stack, only the last one counts
# fault: out = block(x, mask=mask)
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        blocks = [
            EncoderBlock(d_model, num_heads, d_ff, dropout=dropout, norm_first=norm_first)
            for _ in range(num_layers)
        ]
        self.layers = nn.ModuleList(blocks)
        self.norm = None
        if norm_first:
            self.norm = LayerNorm(d_model)

    def forward(self, x, mask=None):
        out = x
        for block in self.layers:
            out = block(x, mask=mask)
        return out if self.norm is None else self.norm(out)


# %% Encoder: with norm_first the last norm is inside the loop and acts after every block
# fault: x = self.norm(x)
# fault: if self.norm is not None:
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
            if self.norm is not None:
                x = self.norm(x)
        return x


# %% Encoder: dropout and norm_first change places, so a dropout above 0 turns pre-norm on
# fault: args = (d_model, num_heads, d_ff, norm_first, dropout)
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        args = (d_model, num_heads, d_ff, norm_first, dropout)
        self.layers = nn.ModuleList([EncoderBlock(*args) for _ in range(num_layers)])
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x) if self.norm else x


# %% Encoder: TWO: the blocks keep their own dropout of 0.1 whatever is asked for; the norm of the stack comes before the blocks and not after
# fault: self.layers.append(EncoderBlock(d_model, num_heads, d_ff, norm_first=norm_first))
# fault: h = x if self.norm is None else self.norm(x)
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList([])
        for _ in range(num_layers):
            self.layers.append(EncoderBlock(d_model, num_heads, d_ff, norm_first=norm_first))
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        h = x if self.norm is None else self.norm(x)
        for layer in self.layers:
            h = layer(h, mask)
        return h
