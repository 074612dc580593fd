import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.multi_head import split_heads, merge_heads
from course.stand_bys.attention import scaled_dot_product_attention, softmax


# %% split_heads: heads and features of a head are taken in the wrong order, so a head gets every h-th feature instead of neighbours
# fault: x = x.view(batch, length, d_model // num_heads, num_heads)
# fault: return x.permute(0, 3, 1, 2)
def split_heads(x, num_heads):
    batch, length, d_model = x.shape
    if d_model % num_heads != 0:
        raise ValueError("num_heads must divide d_model")
    x = x.view(batch, length, d_model // num_heads, num_heads)
    return x.permute(0, 3, 1, 2)


# %% split_heads: split wants the size of a piece, not their number, so there are d_head heads of width num_heads
# fault: pieces = torch.split(x, num_heads, dim=-1)
def split_heads(x, num_heads):
    if x.shape[-1] % num_heads:
        raise ValueError(f"{x.shape[-1]} features cannot be shared by {num_heads} heads")
    pieces = torch.split(x, num_heads, dim=-1)
    return torch.stack(pieces, dim=1)


# %% split_heads: the heads are hung on to the batch, and viewed with the batch in front: right for one sentence, with more of them sentences and heads get mixed
# fault: stacked = torch.cat(x.chunk(num_heads, dim=2), dim=0)  # (heads * batch, length, d_head)
# fault: return stacked.view(batch, num_heads, length, d_model // num_heads)
def split_heads(x, num_heads):
    batch, length, d_model = x.shape
    if d_model % num_heads:
        raise ValueError("d_model must be a multiple of num_heads")
    stacked = torch.cat(x.chunk(num_heads, dim=2), dim=0)  # (heads * batch, length, d_head)
    return stacked.view(batch, num_heads, length, d_model // num_heads)


# %% split_heads: the window moves on by one feature instead of d_head, so heads overlap and the last features are in none
# fault: windows = x.unfold(-1, size, 1)[:, :, :num_heads]
def split_heads(x, num_heads):
    d_model = x.size(-1)
    if d_model % num_heads != 0:
        raise ValueError("does not divide")
    size = d_model // num_heads
    windows = x.unfold(-1, size, 1)[:, :, :num_heads]
    return windows.transpose(1, 2)


# %% split_heads: TWO: the result is always float32; each head starts at the number of the head and not at head * d_head
# fault: out = torch.zeros(batch, num_heads, length, d_head)
# fault: out[:, head] = x[:, :, head : head + d_head]
def split_heads(x, num_heads):
    batch, length, d_model = x.shape
    d_head, rest = divmod(d_model, num_heads)
    if rest:
        raise ValueError("num_heads must divide d_model")
    out = torch.zeros(batch, num_heads, length, d_head)
    for head in range(num_heads):
        out[:, head] = x[:, :, head : head + d_head]
    return out


# %% merge_heads: the heads end up behind the features, so the features of different heads alternate
# fault: return x.permute(0, 2, 3, 1).reshape(batch, length, heads * d_head)
def merge_heads(x):
    batch, heads, length, d_head = x.shape
    return x.permute(0, 2, 3, 1).reshape(batch, length, heads * d_head)


# %% merge_heads: glued along the tokens instead of the features, and the view hides it
# fault: long = torch.cat([x[:, i] for i in range(heads)], dim=1)
# fault: return long.view(batch, length, -1)
def merge_heads(x):
    batch, heads, length, d_head = x.shape
    long = torch.cat([x[:, i] for i in range(heads)], dim=1)
    return long.view(batch, length, -1)


# %% merge_heads: contiguous comes before the transpose, where it does nothing, so view refuses
# fault: y = x.contiguous().transpose(1, 2)
# fault: return y.view(y.size(0), y.size(1), y.size(2) * y.size(3))
def merge_heads(x):
    y = x.contiguous().transpose(1, 2)
    return y.view(y.size(0), y.size(1), y.size(2) * y.size(3))


# %% merge_heads: written for exactly two heads, further ones are lost
# fault: first, second = x[:, 0], x[:, 1]
# fault: return torch.cat((first, second), dim=-1)
def merge_heads(x):
    first, second = x[:, 0], x[:, 1]
    return torch.cat((first, second), dim=-1)


# %% merge_heads: TWO: swaps heads with features instead of heads with length; squeezes a batch of one away
# fault: swapped = x.swapaxes(1, 3)
# fault: return swapped.reshape(batch, length, heads * d_head).squeeze(0)
def merge_heads(x):
    batch, heads, length, d_head = x.shape
    swapped = x.swapaxes(1, 3)
    return swapped.reshape(batch, length, heads * d_head).squeeze(0)


# %% MultiHeadAttention: remembers the last mask and uses it again in calls without one
# fault: if mask is not None:
# fault: self.mask = mask
# fault: found, w = scaled_dot_product_attention(q, k, v, self.mask)
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("d_model must be a multiple of num_heads")
        self.num_heads = num_heads
        self.mask = None
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        if mask is not None:
            self.mask = mask
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        found, w = scaled_dot_product_attention(q, k, v, self.mask)
        self.weights = w.detach()
        return self.w_output(merge_heads(self.dropout(w) @ v))


# %% MultiHeadAttention: TWO: the length of the query is used for keys and values as well, so cross-attention breaks; the weights are kept as a mean over the heads
# fault: b, n, d = query.shape
# fault: k = self.w_key(key).view(b, n, self.h, self.d_head).transpose(1, 2)
# fault: v = self.w_value(value).view(b, n, self.h, self.d_head).transpose(1, 2)
# fault: self.weights = attn.mean(dim=1).detach()
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("heads")
        self.h, self.d_head = num_heads, d_model // num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(p=dropout)

    def forward(self, query, key, value, mask=None):
        b, n, d = query.shape
        q = self.w_query(query).view(b, n, self.h, self.d_head).transpose(1, 2)
        k = self.w_key(key).view(b, n, self.h, self.d_head).transpose(1, 2)
        v = self.w_value(value).view(b, n, self.h, self.d_head).transpose(1, 2)
        _, attn = scaled_dot_product_attention(q, k, v, mask)
        self.weights = attn.mean(dim=1).detach()
        out = self.drop(attn) @ v
        out = out.transpose(1, 2).contiguous().view(b, n, d)
        return self.w_output(out)


# %% MultiHeadAttention: F.dropout without training=..., so weights are dropped in eval mode, too
# fault: out = merge_heads(F.dropout(weights, self.p) @ v)
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("num_heads must divide d_model")
        if not 0 <= dropout <= 1:
            raise ValueError("dropout is a probability")
        self.heads = num_heads
        self.p = dropout
        for name in ("w_query", "w_key", "w_value", "w_output"):
            setattr(self, name, nn.Linear(d_model, d_model))

    def forward(self, query, key, value, mask=None):
        q, k, v = (
            split_heads(linear(x), self.heads)
            for linear, x in (
                (self.w_query, query),
                (self.w_key, key),
                (self.w_value, value),
            )
        )
        _, weights = scaled_dot_product_attention(q, k, v, mask)
        self.weights = weights.detach()
        out = merge_heads(F.dropout(weights, self.p) @ v)
        return self.w_output(out)


# %% MultiHeadAttention: keys and values share one Linear
# fault: self.w_key = self.w_value = nn.Linear(d_model, d_model)
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("num_heads must divide d_model")
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        _, weights = scaled_dot_product_attention(q, k, v, mask)
        self.weights = weights.detach()
        weights = self.dropout(weights)
        return self.w_output(merge_heads(weights @ v))


# %% MultiHeadAttention: TWO: scores are divided by the root of d_model and not of d_head; the Linears have no bias
# fault: self.scale = d_model ** -0.5
# fault: make = lambda: nn.Linear(d_model, d_model, bias=False)
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("num_heads must divide d_model")
        self.num_heads = num_heads
        self.scale = d_model ** -0.5
        make = lambda: nn.Linear(d_model, d_model, bias=False)
        self.w_query, self.w_key, self.w_value, self.w_output = make(), make(), make(), make()
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k) * self.scale
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = softmax(scores, dim=-1).nan_to_num()
        self.weights = weights.detach()
        mixed = torch.einsum("bhqk,bhkd->bhqd", self.dropout(weights), v)
        return self.w_output(merge_heads(mixed))


# %% MultiHeadAttention: dropout hits the finished output and not the weights
# fault: return self.dropout(self.w_output(merge_heads(heads)))
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("num_heads must divide d_model")
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def _cut(self, linear, x):
        return split_heads(linear(x), self.num_heads)

    def forward(self, query, key, value, mask=None):
        heads, weights = scaled_dot_product_attention(
            self._cut(self.w_query, query),
            self._cut(self.w_key, key),
            self._cut(self.w_value, value),
            mask,
        )
        self.weights = weights.detach()
        return self.dropout(self.w_output(merge_heads(heads)))
