import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.attention import softmax, scaled_dot_product_attention
from course.stand_bys.multi_head import split_heads, merge_heads


# %% split_heads: features are dealt out like cards: head 0 gets every num_heads-th feature
# fault: x = x.reshape(batch, length, d_model // num_heads, num_heads)
# fault: return x.permute(0, 3, 1, 2)
def split_heads(x, num_heads):
    batch, length, d_model = x.shape
    if d_model % num_heads != 0:
        raise ValueError("num_heads must divide d_model")
    x = x.reshape(batch, length, d_model // num_heads, num_heads)
    return x.permute(0, 3, 1, 2)


# %% split_heads: the last two dimensions are turned round: (batch, heads, d_head, length)
# fault: return parts.permute(0, 2, 3, 1)
def split_heads(x, num_heads):
    batch, length, d_model = x.shape
    if d_model % num_heads:
        raise ValueError(f"{d_model} features cannot be cut into {num_heads} heads")
    d_head = d_model // num_heads
    parts = x.view(batch, length, num_heads, d_head)
    return parts.permute(0, 2, 3, 1)


# %% split_heads: the heads are stacked in front of the batch
# fault: return torch.stack(x.chunk(num_heads, dim=-1))
def split_heads(x, num_heads):
    if x.shape[-1] % num_heads:
        raise ValueError("d_model must be a multiple of num_heads")
    return torch.stack(x.chunk(num_heads, dim=-1))


# %% split_heads: split(num_heads) makes pieces of num_heads features, not num_heads pieces
# fault: pieces = torch.split(x, num_heads, dim=2)
def split_heads(x, num_heads):
    if x.size(2) % num_heads != 0:
        raise ValueError("does not divide")
    pieces = torch.split(x, num_heads, dim=2)
    return torch.stack(pieces, dim=1)


# %% split_heads: two mistakes: head h starts at h * num_heads, and the new tensor is always float32
# fault: heads = torch.zeros(batch, num_heads, length, d_head)
# fault: start = h * num_heads
def split_heads(x, num_heads):
    batch, length, d_model = x.shape
    if d_model % num_heads:
        raise ValueError("num_heads must divide d_model")
    d_head = d_model // num_heads
    heads = torch.zeros(batch, num_heads, length, d_head)
    for h in range(num_heads):
        start = h * num_heads
        heads[:, h] = x[:, :, start : start + d_head]
    return heads


# %% merge_heads: the features of the heads are interleaved, d_head stands in front of heads
# fault: return torch.einsum("bhld->bldh", x).flatten(2)
def merge_heads(x):
    return torch.einsum("bhld->bldh", x).flatten(2)


# %% merge_heads: heads and length are read from the shape in the wrong order
# fault: batch, length, heads, d_head = x.shape
def merge_heads(x):
    batch, length, heads, d_head = x.shape
    together = x.transpose(1, 2).contiguous()
    return together.view(batch, length, heads * d_head)


# %% merge_heads: transpose_ turns the caller's tensor, too
# fault: x = x.transpose_(1, 2)
def merge_heads(x):
    batch, heads, length, d_head = x.shape
    x = x.transpose_(1, 2)
    return x.reshape(batch, length, heads * d_head)


# %% merge_heads: two mistakes: the heads are averaged where they should stand side by side, and squeeze throws a batch or length of 1 away
# fault: mixed = sum(x[:, h] for h in range(heads)) / heads
# fault: return mixed.repeat(1, 1, heads).squeeze()
def merge_heads(x):
    batch, heads, length, d_head = x.shape
    mixed = sum(x[:, h] for h in range(heads)) / heads
    return mixed.repeat(1, 1, heads).squeeze()


# %% MultiHeadAttention: the scores are divided by the root of d_model, not of d_head
# fault: scores = q @ k.transpose(-2, -1) / math.sqrt(self.d_model)
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("d_model must be a multiple of num_heads")
        self.d_model = d_model
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.d_model)
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        weights = torch.softmax(scores, dim=-1).nan_to_num()
        self.weights = weights.detach()
        return self.w_output(merge_heads(self.dropout(weights) @ v))


# %% MultiHeadAttention: F.dropout without training=self.training drops in eval mode, too
# fault: weights = F.dropout(weights, self.p)
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError
        self.h, self.p = num_heads, dropout
        for name in ("w_query", "w_key", "w_value", "w_output"):
            setattr(self, name, nn.Linear(d_model, d_model))

    def forward(self, query, key, value, mask=None):
        q, k, v = (
            split_heads(linear(t), self.h)
            for linear, t in ((self.w_query, query), (self.w_key, key), (self.w_value, value))
        )
        _, weights = scaled_dot_product_attention(q, k, v, mask)
        self.weights = weights.detach()
        weights = F.dropout(weights, self.p)
        return self.w_output(merge_heads(weights @ v))


# %% MultiHeadAttention: the weights after dropout are made and never used; the output comes from those before
# fault: weights = self.drop(weights)
# fault: return self.w_output(merge_heads(found))
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("num_heads must divide d_model")
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(p=dropout)

    def forward(self, query, key, value, mask=None):
        query = split_heads(self.w_query(query), self.num_heads)
        key = split_heads(self.w_key(key), self.num_heads)
        value = split_heads(self.w_value(value), self.num_heads)
        found, weights = scaled_dot_product_attention(query, key, value, mask)
        self.weights = weights.detach()
        # dropout acts on the weights
        weights = self.drop(weights)
        return self.w_output(merge_heads(found))


# %% MultiHeadAttention: without a mask the mask of the last call is used again
# fault: self.mask = mask
# fault: found, weights = scaled_dot_product_attention(q, k, v, self.mask)
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("num_heads must divide d_model")
        self.num_heads = num_heads
        self.w_query, self.w_key, self.w_value, self.w_output = (
            nn.Linear(d_model, d_model) for _ in range(4)
        )
        self.dropout = nn.Dropout(dropout)
        self.weights = None
        self.mask = None

    def forward(self, query, key, value, mask=None):
        if mask is not None:
            self.mask = mask
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        found, weights = scaled_dot_product_attention(q, k, v, self.mask)
        self.weights = weights.detach()
        if self.training and self.dropout.p > 0:
            found = self.dropout(weights) @ v
        return self.w_output(merge_heads(found))


# %% MultiHeadAttention: all three inputs are cut by the length of the query, so cross-attention does not work
# fault: return t.view(batch, length, self.num_heads, self.d_head).transpose(1, 2)
# fault: batch, length, d_model = query.shape
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0):
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError("d_model is not divisible by num_heads")
        self.num_heads = num_heads
        self.d_head = d_model // num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        batch, length, d_model = query.shape

        def cut(t):
            return t.view(batch, length, self.num_heads, self.d_head).transpose(1, 2)

        q, k, v = cut(self.w_query(query)), cut(self.w_key(key)), cut(self.w_value(value))
        attn = scaled_dot_product_attention(q, k, v, mask)[1]
        self.weights = attn.detach()
        context = torch.matmul(self.dropout(attn), v)
        context = context.transpose(1, 2).reshape(batch, length, d_model)
        return self.w_output(context)


# %% MultiHeadAttention: the projections of query, key and value have no bias
# fault: self.w_query = nn.Linear(d_model, d_model, bias=False)
# fault: self.w_key = nn.Linear(d_model, d_model, bias=False)
# fault: self.w_value = nn.Linear(d_model, d_model, bias=False)
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("d_model % num_heads")
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model, bias=False)
        self.w_key = nn.Linear(d_model, d_model, bias=False)
        self.w_value = nn.Linear(d_model, d_model, bias=False)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        heads = self.num_heads
        queries = split_heads(self.w_query(query), heads)
        keys = split_heads(self.w_key(key), heads)
        values = split_heads(self.w_value(value), heads)
        weights = scaled_dot_product_attention(queries, keys, values, mask=mask)[1]
        self.weights = weights.detach()
        bags = self.dropout(weights) @ values
        return self.w_output(merge_heads(bags))


# %% MultiHeadAttention: one Linear under three names: query, key and value share their projection
# fault: self.w_query = self.w_key = self.w_value = nn.Linear(d_model, d_model)
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("num_heads must divide d_model")
        self.num_heads = num_heads
        self.w_query = self.w_key = self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        _, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        return self.w_output(merge_heads(self.dropout(w) @ v))


# %% MultiHeadAttention: two mistakes: the query is added to the output (that is the block's business), and the mask never arrives
# fault: _, weights = scaled_dot_product_attention(q, k, v)
# fault: return query + self.w_output(merge_heads(self.dropout(weights) @ v))
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("num_heads must divide d_model")
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        _, weights = scaled_dot_product_attention(q, k, v)
        self.weights = weights.detach()
        # residual
        return query + self.w_output(merge_heads(self.dropout(weights) @ v))


# %% MultiHeadAttention: two mistakes: dropout acts on the output, not on the weights, and the kept weights are averaged over the heads
# fault: self.weights = weights.mean(dim=1).detach()
# fault: return self.dropout(self.w_output(merge_heads(heads)))
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("num_heads must divide d_model")
        self.n = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        heads, weights = scaled_dot_product_attention(
            split_heads(self.w_query(query), self.n),
            split_heads(self.w_key(key), self.n),
            split_heads(self.w_value(value), self.n),
            mask,
        )
        self.weights = weights.mean(dim=1).detach()
        return self.dropout(self.w_output(merge_heads(heads)))


# %% MultiHeadAttention: two mistakes: the root is of the number of heads, and the softmax runs over the queries
# fault: scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / self.num_heads**0.5
# fault: weights = torch.softmax(scores, dim=2)
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("num_heads must divide d_model")
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        q = self.w_query(query).unflatten(-1, (self.num_heads, -1))  # (b, q, h, d)
        k = self.w_key(key).unflatten(-1, (self.num_heads, -1))
        v = self.w_value(value).unflatten(-1, (self.num_heads, -1))
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / self.num_heads**0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = torch.softmax(scores, dim=2)
        weights = weights.nan_to_num(0.0)
        self.weights = weights.detach()
        found = torch.einsum("bhqk,bkhd->bqhd", self.dropout(weights), v)
        return self.w_output(found.flatten(2))
