"""Lesson 2, solved correctly in many ways."""

import functools
import math

import torch
import torch.nn.functional as F
from torch import nn

from solutions.arguments import check_dropout, check_heads
from solutions.attention import scaled_dot_product_attention, softmax
from solutions.multi_head import merge_heads, split_heads


# %% split_heads: view and permute
def split_heads(x, num_heads):
    batch, length, d_model = x.shape
    x = x.contiguous().view(batch, length, num_heads, d_model // num_heads)
    return x.permute(0, 2, 1, 3).contiguous()


# %% split_heads: chunked and stacked
def split_heads(x, num_heads):
    check_heads(x.shape[-1], num_heads)
    return torch.stack(x.chunk(num_heads, dim=-1), dim=1)


# %% split_heads: unflattened, then a dimension moved
def split_heads(x, num_heads):
    return x.unflatten(-1, (num_heads, -1)).movedim(2, 1)


# %% split_heads: a window that slides by its own width
def split_heads(x, num_heads):
    d_head = x.size(-1) // num_heads
    return x.unfold(dimension=2, size=d_head, step=d_head).swapaxes(1, 2)


# %% split_heads: written into an empty tensor, one head at a time
def split_heads(x, num_heads):
    batch, length, d_model = x.shape
    d_head = d_model // num_heads
    heads = torch.empty(batch, num_heads, length, d_head, dtype=x.dtype, device=x.device)
    for h in range(num_heads):
        heads[:, h] = x[:, :, h * d_head : (h + 1) * d_head]
    return heads


# %% split_heads: sentence by sentence, features first
def split_heads(x, num_heads):
    d_head = x.shape[2] // num_heads
    sentences = []
    for sentence in x:
        features = sentence.T.reshape(num_heads, d_head, -1)
        sentences.append(features.mT)
    return torch.stack(sentences)


# %% merge_heads: permute, contiguous, view
def merge_heads(x):
    batch, heads, length, d_head = x.size()
    return x.permute(0, 2, 1, 3).contiguous().view(batch, length, heads * d_head)


# %% merge_heads: heads concatenated
def merge_heads(x):
    return torch.cat(x.unbind(dim=1), dim=-1)


# %% merge_heads: a lambda that moves and flattens
merge_heads = lambda x: x.movedim(1, -2).flatten(start_dim=-2)


# %% merge_heads: every feature looked up by its number
def merge_heads(x):
    d_head = x.shape[-1]
    number = torch.arange(x.shape[1] * d_head, device=x.device)
    return x[:, number // d_head, :, number % d_head].permute(1, 2, 0)


# %% merge_heads: token by token
def merge_heads(x):
    tokens = [x[:, :, i].reshape(x.shape[0], -1) for i in range(x.shape[2])]
    return torch.stack(tokens, dim=1)


# %% MultiHeadAttention: the course's parts, nn.Dropout on the weights
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        check_heads(d_model, num_heads)
        check_dropout(dropout)
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, query, key, value, mask=None):
        query = split_heads(self.w_query(query), self.num_heads)
        key = split_heads(self.w_key(key), self.num_heads)
        value = split_heads(self.w_value(value), self.num_heads)
        _, weights = scaled_dot_product_attention(query, key, value, mask)
        self.weights = weights.detach()
        heads = self.dropout(weights) @ value
        return self.w_output(merge_heads(heads))


# %% MultiHeadAttention: one head after another, results concatenated
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.d_head = d_model // num_heads
        self.num_heads = num_heads
        self.p = dropout
        self.w_query, self.w_key, self.w_value, self.w_output = (
            nn.Linear(d_model, d_model) for _ in range(4)
        )

    def one_head(self, query, key, value, mask):
        scores = query @ key.transpose(1, 2) / math.sqrt(self.d_head)
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        return F.dropout(weights, self.p, self.training) @ value, weights.detach()

    def forward(self, query, key, value, mask=None):
        queries = self.w_query(query).split(self.d_head, dim=-1)
        keys = self.w_key(key).split(self.d_head, dim=-1)
        values = self.w_value(value).split(self.d_head, dim=-1)
        if mask is not None:
            size = (query.shape[0], self.num_heads, query.shape[1], key.shape[1])
            mask = torch.broadcast_to(mask, size)
        outputs, weights = [], []
        for h in range(self.num_heads):
            head_mask = None if mask is None else mask[:, h]
            output, weight = self.one_head(queries[h], keys[h], values[h], head_mask)
            outputs.append(output)
            weights.append(weight)
        self.weights = torch.stack(weights, dim=1)
        return self.w_output(torch.cat(outputs, dim=-1))


# %% MultiHeadAttention: einsum with the matrices viewed as (heads, d_head, d_model)
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.h = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(p=dropout)

    def project(self, x, linear):
        weight = linear.weight.view(self.h, -1, x.shape[-1])
        bias = linear.bias.view(self.h, 1, -1)
        return torch.einsum("bld,hed->bhle", x, weight) + bias

    def forward(self, query, key, value, mask=None):
        q = self.project(query, self.w_query)
        k = self.project(key, self.w_key)
        v = self.project(value, self.w_value)
        scores = torch.einsum("bhqe,bhke->bhqk", q, k) * q.shape[-1] ** -0.5
        if mask is not None:
            scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
        attention = scores.softmax(-1)
        self.weights = attention.detach().clone()
        mixed = torch.einsum("bhqk,bhke->bqhe", self.drop(attention), v)
        return self.w_output(mixed.reshape(query.shape))


# %% MultiHeadAttention: heads folded into the batch, baddbmm with an additive mask
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError(f"{num_heads} heads do not fit into {d_model} features")
        self.num_heads = num_heads
        self.d_head = d_model // num_heads
        self.dropout = dropout
        for name in ("w_query", "w_key", "w_value", "w_output"):
            self.add_module(name, nn.Linear(d_model, d_model))

    def fold(self, x):
        batch, length, _ = x.shape
        x = x.view(batch, length, self.num_heads, self.d_head).transpose(1, 2)
        return x.reshape(batch * self.num_heads, length, self.d_head)

    def forward(self, query, key, value, mask=None):
        batch, n = query.shape[:2]
        m = key.shape[1]
        q = self.fold(self.w_query(query))
        k = self.fold(self.w_key(key))
        v = self.fold(self.w_value(value))
        bias = torch.zeros(batch, self.num_heads, n, m, dtype=q.dtype, device=q.device)
        if mask is not None:
            bias = bias.masked_fill(~mask, -1e9)
        scores = torch.baddbmm(bias.flatten(0, 1), q, k.mT, alpha=1 / math.sqrt(self.d_head))
        weights = torch.softmax(scores, dim=-1)
        self.weights = weights.detach().view(batch, self.num_heads, n, m)
        if self.training:
            weights = F.dropout(weights, self.dropout)
        output = torch.bmm(weights, v).unflatten(0, (batch, self.num_heads))
        return self.w_output(output.permute(0, 2, 1, 3).flatten(2))


# %% MultiHeadAttention: every head's share of the output matrix, added up
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        d_head = query.shape[-1] // self.num_heads
        if mask is not None:
            mask = mask.expand(query.shape[0], self.num_heads, query.shape[1], key.shape[1])
        total = self.w_output.bias
        every = []
        for h in range(self.num_heads):
            rows = slice(h * d_head, (h + 1) * d_head)
            q = F.linear(query, self.w_query.weight[rows], self.w_query.bias[rows])
            k = F.linear(key, self.w_key.weight[rows], self.w_key.bias[rows])
            v = F.linear(value, self.w_value.weight[rows], self.w_value.bias[rows])
            scores = q @ k.mT / d_head**0.5
            if mask is not None:
                scores = scores.masked_fill(mask[:, h].logical_not(), -torch.inf)
            weights = softmax(scores)
            every.append(weights.detach())
            total = total + self.dropout(weights) @ v @ self.w_output.weight[:, rows].T
        self.weights = torch.stack(every, 1)
        return total


# %% MultiHeadAttention: one product for all projections in self-attention
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        check_heads(d_model, num_heads)
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        # The same three again, to go through them in a loop.
        self.projections = nn.ModuleList([self.w_query, self.w_key, self.w_value])
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        if query is key and key is value:
            weight = torch.cat([p.weight for p in self.projections])
            bias = torch.cat([p.bias for p in self.projections])
            q, k, v = F.linear(query, weight, bias).chunk(3, dim=-1)
        else:
            q, k, v = (p(x) for p, x in zip(self.projections, (query, key, value)))
        q, k, v = (split_heads(x, self.num_heads) for x in (q, k, v))
        scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-2, -1)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -1e9)
        weights = F.softmax(scores, dim=-1)
        self.weights = weights.data
        return self.w_output(merge_heads(self.dropout(weights) @ v))


# %% MultiHeadAttention: dropout by hand, the last weights in a buffer
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads, self.rate = num_heads, dropout
        make = functools.partial(nn.Linear, d_model, d_model, bias=True)
        self.w_query, self.w_key, self.w_value, self.w_output = make(), make(), make(), make()
        self.register_buffer("weights", None, persistent=False)

    def drop(self, weights):
        if not self.training or self.rate == 0:
            return weights
        keep = torch.full(weights.shape, 1 - self.rate, device=weights.device)
        return weights * torch.bernoulli(keep).to(weights.dtype) / (1 - self.rate)

    def heads(self, x):
        return torch.stack(torch.chunk(x, self.num_heads, dim=2), dim=1)

    def forward(self, query, key, value, mask=None):
        query, key = self.heads(self.w_query(query)), self.heads(self.w_key(key))
        value = self.heads(self.w_value(value))
        scores = query.matmul(key.mT).div(math.sqrt(query.shape[-1]))
        if mask is not None:
            scores = scores + torch.zeros_like(scores).masked_fill_(~mask, float("-inf"))
        weights = scores.softmax(dim=3)
        self.weights = weights.detach()
        return self.w_output(torch.cat(self.drop(weights).matmul(value).unbind(1), dim=2))


# %% MultiHeadAttention: more arguments, type hints, and things kept for looking at
class MultiHeadAttention(nn.Module):
    def __init__(
        self, d_model: int, num_heads: int, dropout: float = 0.0, scale: float | None = None
    ) -> None:
        super().__init__()
        assert d_model % num_heads == 0, "d_model must be divisible by num_heads"
        self.d_model = d_model
        self.num_heads = num_heads
        self.d_k = d_model // num_heads
        self.scale = self.d_k**-0.5 if scale is None else scale
        for name in ["query", "key", "value", "output"]:
            setattr(self, f"w_{name}", nn.Linear(d_model, d_model))
        for linear in self.children():
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        self.attention_dropout = nn.Dropout(dropout)
        self.scores: torch.Tensor | None = None
        self.weights: torch.Tensor | None = None
        self.calls = 0

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor | None = None,
        value: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        need_weights: bool = True,
    ) -> torch.Tensor:
        key = query if key is None else key
        value = key if value is None else value
        batch = query.size(0)
        Q = self.w_query(query).view(batch, -1, self.num_heads, self.d_k).transpose(1, 2)
        K = self.w_key(key).view(batch, -1, self.num_heads, self.d_k).transpose(1, 2)
        V = self.w_value(value).view(batch, -1, self.num_heads, self.d_k).transpose(1, 2)
        self.scores = torch.matmul(Q, K.transpose(-2, -1)) * self.scale
        masked = self.scores
        if mask is not None:
            masked = masked.masked_fill(~mask, float("-inf"))
        attention = F.softmax(masked, dim=-1)
        if need_weights:
            self.weights = attention.detach()
        self.calls += 1
        context = torch.matmul(self.attention_dropout(attention), V)
        context = context.transpose(1, 2).contiguous().view(batch, -1, self.d_model)
        return self.w_output(context)

    def extra_repr(self) -> str:
        return f"d_model={self.d_model}, num_heads={self.num_heads}"


# %% MultiHeadAttention: loops over sentences and heads
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        batch, n, d_model = query.shape
        m = key.shape[1]
        d_head = d_model // self.num_heads
        q, k, v = self.w_query(query), self.w_key(key), self.w_value(value)
        if mask is None:
            mask = torch.ones(n, m, dtype=torch.bool, device=query.device)
        mask = mask.expand(batch, self.num_heads, n, m)
        found = torch.zeros_like(q)
        self.weights = torch.zeros(batch, self.num_heads, n, m, dtype=q.dtype, device=q.device)
        for b in range(batch):
            for h in range(self.num_heads):
                part = slice(h * d_head, (h + 1) * d_head)
                _, weights = scaled_dot_product_attention(
                    q[b, :, part], k[b, :, part], v[b, :, part], mask[b, h]
                )
                self.weights[b, h] = weights.detach()
                found[b, :, part] = self.dropout(weights) @ v[b, :, part]
        return self.w_output(found)


# %% MultiHeadAttention: float64 inside
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.p = dropout
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)

    @staticmethod
    def exactly(linear, x):
        return F.linear(x.double(), linear.weight.double(), linear.bias.double())

    def forward(self, query, key, value, mask=None):
        dtype = query.dtype
        q = split_heads(self.exactly(self.w_query, query), self.num_heads)
        k = split_heads(self.exactly(self.w_key, key), self.num_heads)
        v = split_heads(self.exactly(self.w_value, value), self.num_heads)
        weights = scaled_dot_product_attention(q, k, v, mask)[1]
        self.last = weights.detach().to(dtype)
        output = F.dropout(weights, p=self.p, training=self.training) @ v
        return self.exactly(self.w_output, merge_heads(output)).to(dtype)

    @property
    def weights(self):
        return self.last


# %% MultiHeadAttention: length first inside, dropout by hand with torch.rand
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)

    def forward(self, query, key, value, mask=None):
        query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        n, batch, d_model = query.shape
        d_head = d_model // self.num_heads
        q = self.w_query(query).reshape(n, batch * self.num_heads, d_head)
        k = self.w_key(key).reshape(-1, batch * self.num_heads, d_head)
        v = self.w_value(value).reshape(-1, batch * self.num_heads, d_head)
        scores = torch.einsum("nxd,mxd->nmx", q * d_head**-0.5, k)
        scores = scores.unflatten(2, (batch, self.num_heads)).permute(2, 3, 0, 1)
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = softmax(scores, dim=-1)
        self.weights = weights.detach()
        if self.training and self.dropout > 0:
            kept = torch.rand(weights.shape, device=weights.device) >= self.dropout
            weights = weights.masked_fill(~kept, 0.0) / (1 - self.dropout)
        found = torch.einsum("xnm,mxd->nxd", weights.flatten(0, 1), v)
        output = self.w_output(found.reshape(n, batch, d_model))
        return output.transpose(0, 1)
