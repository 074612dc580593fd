import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from solutions.arguments import check_attention, check_dropout, check_heads
from solutions.attention import scaled_dot_product_attention
from solutions.multi_head import merge_heads, split_heads


# %% split_heads: cut with one view into (batch, heads, length, d_head), so tokens are mixed
# expect: reshape_only
def split_heads(x, num_heads):
    B, L, D = x.shape
    return x.contiguous().view(B, num_heads, L, D // num_heads)


# %% split_heads: the heads stay behind the length, the transpose is missing
# expect: not_turned
def split_heads(x, num_heads):
    parts = torch.chunk(x, num_heads, dim=-1)
    return torch.stack(parts, dim=2)


# %% split_heads: a head gets every num_heads-th feature and not neighbouring ones
# expect: interleaved
def split_heads(x, num_heads):
    batch, length, d_model = x.shape
    heads = [x[:, :, h::num_heads] for h in range(num_heads)]
    return torch.stack(heads, dim=1)


# %% split_heads: batch and heads are put together into one dimension
# expect: heads_merged_with_batch
def split_heads(x, num_heads):
    batch, length, d_model = x.size()
    d_head = d_model // num_heads
    y = x.reshape(batch, length, num_heads, d_head).permute(0, 2, 1, 3)
    return y.reshape(batch * num_heads, length, d_head)


# %% split_heads: heads and batch are mixed up by a reshape, right only for a batch of one
# expect: nothing
def split_heads(x, num_heads):
    batch, length, d_model = x.shape
    pieces = x.split(d_model // num_heads, dim=2)
    tower = torch.cat(pieces, dim=0)
    return tower.reshape(batch, num_heads, length, d_model // num_heads)


# %% split_heads: gives a list with one tensor for each head
# expect: nothing
def split_heads(x, num_heads):
    width = x.shape[-1] // num_heads
    return [x[..., i * width : (i + 1) * width] for i in range(num_heads)]


# %% split_heads: the heads come out in the reverse order
# expect: feature_order_reversed
def split_heads(x, num_heads):
    d_head = x.shape[2] // num_heads
    x = x.unflatten(2, (num_heads, d_head))
    return x.movedim(2, 1).flip(1)


# %% split_heads: the copy is filled through .data, so no gradient comes back
# expect: graph_cut
def split_heads(x, num_heads):
    b, n, d = x.shape
    size = d // num_heads
    out = torch.empty(b, num_heads, n, size, dtype=x.dtype, device=x.device)
    for h in range(num_heads):
        out[:, h] = x.data[:, :, h * size : (h + 1) * size]
    return out


# %% merge_heads: reshaped without bringing the heads back beside the features
# expect: reshape_only
def merge_heads(x):
    B, H, L, D = x.shape
    return x.reshape(B, L, H * D)


# %% merge_heads: the features of the heads are interleaved and not side by side
# expect: interleaved
def merge_heads(x):
    batch, heads, length, d_head = x.shape
    x = x.permute(0, 2, 3, 1)
    return x.flatten(start_dim=2)


# %% merge_heads: the heads are averaged and not put side by side
# expect: heads_averaged
def merge_heads(x):
    return x.mean(dim=1)


# %% merge_heads: a loop over the heads puts them below each other, along the length
# expect: joined_with_length
def merge_heads(x):
    together = x[:, 0]
    for h in range(1, x.size(1)):
        together = torch.cat((together, x[:, h]), dim=1)
    return together


# %% merge_heads: batch and length change places, right only where one of them is 1
# expect: nothing
def merge_heads(x):
    batch, heads, length, d_head = x.shape
    x = torch.einsum("bhld->lbhd", x)
    return x.reshape(batch, length, heads * d_head)


# %% merge_heads: a round trip through numpy, so no gradient comes back
# expect: graph_cut
def merge_heads(x):
    array = x.detach().to(torch.float64).cpu().numpy()
    array = np.transpose(array, (0, 2, 1, 3))
    array = array.reshape(array.shape[0], array.shape[1], -1)
    return torch.from_numpy(np.ascontiguousarray(array)).to(x)


# %% merge_heads: dimensions of size 1 are squeezed out first, so a single head or token fails
# expect: nothing
def merge_heads(x):
    x = x.transpose(1, 2).contiguous().squeeze()
    return x.flatten(-2)


# %% merge_heads: the last head is left out
# expect: nothing
def merge_heads(x):
    columns = []
    for h in range(x.shape[1] - 1):
        columns.append(x[:, h])
    if not columns:
        columns.append(x[:, 0])
    return torch.cat(columns, dim=-1)


# %% MultiHeadAttention: heads are cut with a view and no transpose, so tokens are mixed
# expect: split_and_merged_by_view
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.h = num_heads
        self.d_k = d_model // num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(dropout)
        self.weights = None

    def forward(self, query, key, value, mask=None):
        B, Lq, Lk = query.size(0), query.size(1), key.size(1)
        Q = self.w_query(query).view(B, self.h, Lq, self.d_k)
        K = self.w_key(key).view(B, self.h, Lk, self.d_k)
        V = self.w_value(value).view(B, self.h, Lk, self.d_k)
        scores = Q @ K.transpose(-1, -2) / math.sqrt(self.d_k)
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        attn = scores.softmax(dim=-1)
        self.weights = attn.detach()
        out = (self.drop(attn) @ V).reshape(B, Lq, self.h * self.d_k)
        return self.w_output(out)


# %% MultiHeadAttention: heads are merged by a reshape without transposing back
# expect: merged_by_view
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        assert d_model % num_heads == 0
        self.num_heads, self.head_size = num_heads, d_model // num_heads
        for name in ("w_query", "w_key", "w_value", "w_output"):
            setattr(self, name, nn.Linear(d_model, d_model))
        self.p = dropout

    def _heads(self, t):
        return t.unflatten(-1, (self.num_heads, self.head_size)).permute(0, 2, 1, 3)

    def forward(self, query, key, value, mask=None):
        q = self._heads(self.w_query(query))
        k = self._heads(self.w_key(key))
        v = self._heads(self.w_value(value))
        energy = torch.einsum("bhqd,bhkd->bhqk", q, k) * self.head_size**-0.5
        if mask is not None:
            energy = torch.where(mask, energy, -torch.inf)
        probs = F.softmax(energy, dim=-1)
        self.weights = probs.detach()
        probs = F.dropout(probs, self.p, self.training)
        mixed = torch.einsum("bhqk,bhkd->bhqd", probs, v)
        return self.w_output(mixed.reshape(query.shape))


# %% MultiHeadAttention: scores are divided by the root of d_model and not of d_head
# expect: scaled_by_model_width
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.d_model = d_model
        self.heads = num_heads
        self.w_query, self.w_key = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.w_value, self.w_output = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, query, key, value, mask=None):
        d_head = self.d_model // self.heads
        Q = self.w_query(query)
        K = self.w_key(key)
        V = self.w_value(value)
        outputs, maps = [], []
        # one head after the other
        for h in range(self.heads):
            part = slice(h * d_head, (h + 1) * d_head)
            s = torch.bmm(Q[:, :, part], K[:, :, part].transpose(1, 2))
            s = s / self.d_model**0.5
            if mask is not None:
                full = mask.expand(*[1] * (4 - mask.dim()), *mask.shape)
                s = s.masked_fill(~full[:, h if full.shape[1] > 1 else 0], float("-inf"))
            w = torch.softmax(s, dim=-1)
            maps.append(w.detach())
            outputs.append(torch.bmm(self.dropout(w), V[:, :, part]))
        self.weights = torch.stack(maps, dim=1)
        return self.w_output(torch.cat(outputs, dim=-1))


# %% MultiHeadAttention: w_output is made and never used
# expect: no_output_projection
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.attn_dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        q, k, v = (
            linear(t).reshape(t.shape[0], t.shape[1], self.num_heads, -1)
            for linear, t in [(self.w_query, query), (self.w_key, key), (self.w_value, value)]
        )
        logits = torch.einsum("blhd,bshd->bhls", q, k) / math.sqrt(q.shape[-1])
        if mask is not None:
            logits = logits.masked_fill(~mask, torch.finfo(logits.dtype).min)
        p = logits.softmax(dim=-1)
        self.weights = p.detach()
        out = torch.einsum("bhls,bshd->blhd", self.attn_dropout(p), v)
        return out.flatten(2)


# %% MultiHeadAttention: the keys are made with w_query, w_key is not used
# expect: key_through_query_projection
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.dropout_rate = dropout
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)

    def project(self, layer, x):
        return split_heads(layer(x), self.num_heads)

    def forward(self, query, key, value, mask=None):
        q = self.project(self.w_query, query)
        k = self.project(self.w_query, key)
        v = self.project(self.w_value, value)
        _, weights = scaled_dot_product_attention(q, k, v, mask)
        self.weights = weights.detach()
        if self.training:
            weights = F.dropout(weights, self.dropout_rate)
        return self.w_output(merge_heads(weights @ v))


# %% MultiHeadAttention: the values are made from key, the argument value is ignored
# expect: value_from_key
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.n, self.d = num_heads, d_model // num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        n, d = self.n, self.d
        batch = query.shape[0]
        keys_and_values = torch.cat([self.w_key(key), self.w_value(key)], dim=-1)
        keys_and_values = keys_and_values.view(batch, -1, 2, n, d).permute(2, 0, 3, 1, 4)
        k, v = keys_and_values[0], keys_and_values[1]
        q = self.w_query(query).view(batch, -1, n, d).permute(0, 2, 1, 3)
        s = torch.matmul(q, k.permute(0, 1, 3, 2)) / d**0.5
        if mask is not None:
            s = s.masked_fill(mask.logical_not(), float("-inf"))
        a = torch.softmax(s, 3)
        self.weights = a.detach()
        o = torch.matmul(self.drop(a), v)
        return self.w_output(o.permute(0, 2, 1, 3).reshape(batch, -1, n * d))


# %% MultiHeadAttention: Linears of each head in plain lists; w_query, w_key, w_value are missing
# expect: nothing
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        d_head = d_model // num_heads
        self.queries = [nn.Linear(d_model, d_head) for _ in range(num_heads)]
        self.keys = [nn.Linear(d_model, d_head) for _ in range(num_heads)]
        self.values = [nn.Linear(d_model, d_head) for _ in range(num_heads)]
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        found, maps = [], []
        for i in range(len(self.queries)):
            q, k, v = self.queries[i](query), self.keys[i](key), self.values[i](value)
            q, k, v = q[:, None], k[:, None], v[:, None]
            here = mask
            if mask is not None and mask.dim() == 4 and mask.shape[1] > 1:
                here = mask[:, i : i + 1]
            _, w = scaled_dot_product_attention(q, k, v, here)
            maps.append(w.detach())
            found.append((self.dropout(w) @ v)[:, 0])
        self.weights = torch.cat(maps, dim=1)
        return self.w_output(torch.cat(found, dim=-1))


# %% MultiHeadAttention: a fresh w_output is made at every call, so the answer is random
# expect: nothing
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.d_model, self.num_heads, self.dropout = d_model, num_heads, dropout
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        out, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        if self.training and self.dropout > 0:
            out = F.dropout(w, self.dropout) @ v
        self.w_output = nn.Linear(self.d_model, self.d_model).to(out)
        return self.w_output(merge_heads(out))


# %% MultiHeadAttention: the length of the keys is taken from the query
# expect: nothing
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.num_heads = num_heads
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        batch, seq_len, d_model = query.shape
        d_head = d_model // self.num_heads
        shape = (batch, seq_len, self.num_heads, d_head)
        q = self.w_query(query).reshape(shape).transpose(1, 2)
        k = self.w_key(key).reshape(shape).transpose(1, 2)
        v = self.w_value(value).reshape(shape).transpose(1, 2)
        scores = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(d_head)
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        scores = torch.softmax(scores, dim=-1)
        self.weights = scores.clone().detach()
        scores = self.dropout(scores)
        z = torch.matmul(scores, v).transpose(1, 2).reshape(batch, seq_len, d_model)
        return self.w_output(z)


# %% MultiHeadAttention: the mask is not used
# expect: mask_ignored
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.heads = num_heads
        self.drop = nn.Dropout(dropout)
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)

    def forward(self, query, key, value, mask=None):
        def cut(x):
            return torch.stack(x.chunk(self.heads, dim=-1), dim=1)

        q, k, v = cut(self.w_query(query)), cut(self.w_key(key)), cut(self.w_value(value))
        w = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)
        self.weights = w.detach()
        glued = torch.cat((self.drop(w) @ v).unbind(dim=1), dim=-1)
        return self.w_output(glued)


# %% MultiHeadAttention: the mask is taken the wrong way round, True hides
# expect: mask_inverted
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.head_count = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.head_count)
        k = split_heads(self.w_key(key), self.head_count)
        v = split_heads(self.w_value(value), self.head_count)
        bias = 0.0
        if mask is not None:
            bias = torch.zeros(mask.shape, dtype=q.dtype, device=q.device)
            bias = bias.masked_fill(mask, torch.finfo(q.dtype).min / 2)
        att = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.size(-1)) + bias, dim=-1)
        self.weights = att.detach()
        return self.w_output(merge_heads(torch.matmul(self.dropout(att), v)))


# %% MultiHeadAttention: the mask always gets a dimension for the heads, even if it has one
# expect: nothing
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.h = num_heads
        self.linears = None
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, query, key, value, mask=None):
        if mask is not None:
            # the same mask for every head
            mask = mask.unsqueeze(1)
        n = query.size(0)
        q = self.w_query(query).view(n, -1, self.h, query.size(2) // self.h).transpose(1, 2)
        k = self.w_key(key).view(n, -1, self.h, query.size(2) // self.h).transpose(1, 2)
        v = self.w_value(value).view(n, -1, self.h, query.size(2) // self.h).transpose(1, 2)
        s = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(q.size(-1))
        if mask is not None:
            s = s.masked_fill(mask == 0, -torch.inf)
        p = s.softmax(dim=-1)
        self.weights = p.detach()
        x = torch.matmul(self.dropout(p), v)
        return self.w_output(x.transpose(1, 2).contiguous().view(n, -1, query.size(2)))


# %% MultiHeadAttention: the weights that are kept still hang on the graph, they are not detached
# expect: weights_not_detached
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        q, k, v = self.w_query(query), self.w_key(key), self.w_value(value)
        q, k, v = (split_heads(t, self.num_heads) for t in (q, k, v))
        _, self.weights = scaled_dot_product_attention(q, k, v, mask)
        heads = self.drop(self.weights) @ v
        return self.w_output(merge_heads(heads))


# %% MultiHeadAttention: the weights that are kept are those after dropout
# expect: weights_after_dropout
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.n_head = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.attn_drop = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        B, T, C = query.size()
        S = key.size(1)
        q = self.w_query(query).view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        k = self.w_key(key).view(B, S, self.n_head, C // self.n_head).transpose(1, 2)
        v = self.w_value(value).view(B, S, self.n_head, C // self.n_head).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        if mask is not None:
            att = att.masked_fill(~mask, float("-inf"))
        att = F.softmax(att, dim=-1)
        att = self.attn_drop(att)
        self.weights = att.detach()
        y = att @ v
        y = y.transpose(1, 2).contiguous().view(B, T, C)
        return self.w_output(y)


# %% MultiHeadAttention: the weights that are kept are averaged over the heads
# expect: weights_averaged
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.p = dropout

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        w = scaled_dot_product_attention(q, k, v, mask)[1]
        self.weights = w.mean(dim=1).detach()
        w = F.dropout(w, p=self.p, training=self.training)
        return self.w_output(merge_heads(torch.einsum("bhqk,bhkd->bhqd", w, v)))


# %% MultiHeadAttention: dropout on the weights acts in eval mode too
# expect: dropout_always
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)

    def forward(self, query, key, value, mask=None):
        b, length, width = query.shape
        d = width // self.num_heads
        q = self.w_query(query).unflatten(2, (-1, d)).transpose(1, 2)
        k = self.w_key(key).unflatten(2, (-1, d)).transpose(1, 2)
        v = self.w_value(value).unflatten(2, (-1, d)).transpose(1, 2)
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k).div(math.sqrt(d))
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        weights = scores.softmax(dim=3)
        self.weights = weights.detach()
        weights = F.dropout(weights, self.dropout)
        out = torch.einsum("bhqk,bhkd->bqhd", weights, v)
        return self.w_output(out.reshape(b, length, width))


# %% MultiHeadAttention: dropout is stored and never acts
# expect: dropout_never
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
        heads = []
        for linear, x in zip((self.w_query, self.w_key, self.w_value), (query, key, value)):
            heads.append(split_heads(linear(x), self.num_heads))
        output, weights = scaled_dot_product_attention(*heads, mask)
        self.weights = weights.detach()
        return self.w_output(merge_heads(output))


# %% MultiHeadAttention: what dropout keeps is not scaled up, so training gives less on average
# expect: dropout_not_scaled
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads, self.rate = num_heads, dropout
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        _, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        if self.training:
            keep = torch.rand(w.shape, device=w.device) >= self.rate
            w = w * keep
        return self.w_output(merge_heads(w @ v))


# %% MultiHeadAttention: dropout acts on the scores before the softmax and not on the weights
# expect: dropout_on_scores
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
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        self.weights = scores.softmax(dim=-1).detach()
        noisy = self.dropout(scores)
        if mask is not None:
            noisy = noisy.masked_fill(~mask, torch.finfo(scores.dtype).min)
        return self.w_output(merge_heads(noisy.softmax(dim=-1) @ v))


# %% MultiHeadAttention: after dropout the weights are brought back to a sum of 1
# expect: nothing
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
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        _, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        w = self.dropout(w)
        w = w / w.sum(dim=-1, keepdim=True).clamp(min=1e-9)
        return self.w_output(merge_heads(w @ v))


# %% MultiHeadAttention: the four Linears have no bias
# expect: no_bias
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model, bias=False)
        self.w_key = nn.Linear(d_model, d_model, bias=False)
        self.w_value = nn.Linear(d_model, d_model, bias=False)
        self.w_output = nn.Linear(d_model, d_model, bias=False)
        self.drop = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        B, H = query.shape[0], self.num_heads
        q = self.w_query(query).view(B, query.shape[1], H, -1)
        k = self.w_key(key).view(B, key.shape[1], H, -1)
        v = self.w_value(value).view(B, value.shape[1], H, -1)
        att = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(q.shape[-1])
        if mask is not None:
            att = att.masked_fill(~mask, float("-inf"))
        att = att.softmax(-1)
        self.weights = att.detach()
        return self.w_output(torch.einsum("bhqk,bkhd->bqhd", self.drop(att), v).flatten(2))


# %% MultiHeadAttention: residual and a LayerNorm of its own inside, so there is an extra parameter
# expect: nothing
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.layer_norm = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        residual = query
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        _, attn = scaled_dot_product_attention(q, k, v, mask)
        self.weights = attn.detach()
        context = self.w_output(merge_heads(self.dropout(attn) @ v))
        return self.layer_norm(context + residual)


# %% MultiHeadAttention: ready-made: torch's multi_head_attention_forward with our parameters
# expect: ready_made
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.d_model, self.num_heads, self.dropout = d_model, num_heads, dropout
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)

    def borrow(self, query, key, value, mask, training):
        biases = [self.w_query.bias, self.w_key.bias, self.w_value.bias]
        return F.multi_head_attention_forward(
            query.transpose(0, 1),
            key.transpose(0, 1),
            value.transpose(0, 1),
            self.d_model,
            self.num_heads,
            None,
            torch.cat(biases),
            None,
            None,
            False,
            self.dropout,
            self.w_output.weight,
            self.w_output.bias,
            training=training,
            attn_mask=mask,
            use_separate_proj_weight=True,
            q_proj_weight=self.w_query.weight,
            k_proj_weight=self.w_key.weight,
            v_proj_weight=self.w_value.weight,
            average_attn_weights=False,
        )

    def forward(self, query, key, value, mask=None):
        batch, n, m = query.shape[0], query.shape[1], key.shape[1]
        if mask is not None:
            mask = ~mask.expand(batch, self.num_heads, n, m).reshape(-1, n, m)
        with torch.no_grad():
            self.weights = self.borrow(query, key, value, mask, training=False)[1]
        output, _ = self.borrow(query, key, value, mask, training=self.training)
        return output.transpose(0, 1)


# %% MultiHeadAttention: ready-made: torch's fused attention between our four Linears
# expect: ready_made
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
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        with torch.no_grad():
            self.weights = scaled_dot_product_attention(q, k, v, mask)[1]
        p = self.dropout if self.training else 0.0
        return self.w_output(merge_heads(F.scaled_dot_product_attention(q, k, v, mask, p)))


# %% MultiHeadAttention: the heads are averaged and repeated in place of put side by side
# expect: heads_averaged
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
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        _, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        vote = (self.dropout(w) @ v).mean(dim=1)
        return self.w_output(vote.repeat(1, 1, self.num_heads))


# %% MultiHeadAttention: keys and values of the first call come back at every call of that shape
# expect: nothing
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.cache = {}

    def keys_and_values(self, key, value):
        # the memory is the same for every token that is written, so project it once
        signature = (key.shape, value.shape, key.dtype, key.device)
        if signature not in self.cache:
            k = split_heads(self.w_key(key), self.num_heads)
            v = split_heads(self.w_value(value), self.num_heads)
            self.cache[signature] = k, v
        return self.cache[signature]

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.num_heads)
        k, v = self.keys_and_values(key, value)
        _, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        return self.w_output(merge_heads(self.dropout(w) @ v))


# %% MultiHeadAttention: in training the mask is left out
# expect: nothing
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
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        scores = torch.matmul(q, k.transpose(-2, -1)) / q.shape[-1] ** 0.5
        if not self.training and mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        w = torch.softmax(scores, dim=-1)
        self.weights = w.detach()
        return self.w_output(merge_heads(torch.matmul(self.dropout(w), v)))


# %% MultiHeadAttention: the weights are kept only in eval mode, after training calls they are old
# expect: nothing
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
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
        out, w = scaled_dot_product_attention(q, k, v, mask)
        if self.training:
            out = self.dropout(w) @ v
        else:
            self.weights = w.detach()
        return self.w_output(merge_heads(out))


# %% MultiHeadAttention: no w_output in the calculation, and scaled by the root of d_model
# expect: no_output_projection + scaled_by_model_width
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads, self.scale = num_heads, d_model**-0.5
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query) * self.scale, self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        sim = q @ k.mT
        if mask is not None:
            sim = sim.masked_fill(~mask, torch.finfo(sim.dtype).min)
        w = sim.softmax(-1)
        self.weights = w.detach()
        return merge_heads(self.dropout(w) @ v)


# %% MultiHeadAttention: heads are cut by a view without transpose, and the mask is not used
# expect: mask_ignored + split_and_merged_by_view
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.h = num_heads
        self.dk = d_model // num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = dropout

    def forward(self, query, key, value, mask=None):
        batch = len(query)
        q = self.w_query(query).reshape(batch * self.h, -1, self.dk)
        k = self.w_key(key).reshape(batch * self.h, -1, self.dk)
        v = self.w_value(value).reshape(batch * self.h, -1, self.dk)
        s = torch.bmm(q, k.permute(0, 2, 1)) / np.sqrt(self.dk)
        p = F.softmax(s, dim=2)
        self.weights = p.detach().view(batch, self.h, p.shape[1], p.shape[2])
        p = F.dropout(p, self.dropout, training=self.training)
        z = torch.bmm(p, v).reshape(batch, -1, self.h * self.dk)
        return self.w_output(z)


# %% MultiHeadAttention: weights are right, but the output mixes all values evenly
# expect: nothing
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
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        _, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        even = self.dropout(torch.full_like(w, 1 / w.shape[-1]))
        return self.w_output(merge_heads(even @ v))


# %% MultiHeadAttention: output and weights are given back together as a tuple
# expect: nothing
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
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        _, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        return self.w_output(merge_heads(self.dropout(w) @ v)), self.weights


# %% MultiHeadAttention: for more than one sequence the mask of the first serves all
# expect: nothing
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
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        if mask is not None:
            while mask.dim() > 3:
                mask = mask[0]
        _, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        return self.w_output(merge_heads(self.dropout(w) @ v))


# %% MultiHeadAttention: the output is the query itself, the four Linears stand idle
# expect: nothing
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
        shape = (query.shape[0], self.num_heads, query.shape[1], key.shape[1])
        self.weights = torch.ones(shape, dtype=query.dtype) / key.shape[1]
        return self.dropout(query)


# %% split_heads: reshapes straight to (batch, heads, length, d_head) without a transpose, so tokens get mixed up
# expect: reshape_only
def split_heads(x, num_heads):
    b, l, d = x.shape
    check_heads(d, num_heads)
    return x.reshape(b, num_heads, l, d // num_heads)


# %% split_heads: transpose forgotten, result is (batch, length, heads, d_head)
# expect: not_turned
def split_heads(x, num_heads):
    check_heads(x.shape[-1], num_heads)
    return x.unflatten(-1, (num_heads, x.shape[-1] // num_heads))


# %% split_heads: torch.split gets the number of heads where it wants the size of a piece, so heads and d_head are exchanged
# expect: heads_and_width_confused
def split_heads(x, num_heads):
    check_heads(x.shape[-1], num_heads)
    pieces = torch.split(x, num_heads, dim=-1)
    return torch.stack(pieces, dim=1)


# %% split_heads: d_head computed with a true division is a float, so view crashes
# expect: nothing
def split_heads(x, num_heads):
    batch, length, d_model = x.shape
    check_heads(d_model, num_heads)
    d_head = d_model / num_heads
    return x.view(batch, length, num_heads, d_head).transpose(1, 2)


# %% merge_heads: view after transpose without contiguous, crashes on ordinary contiguous input
# expect: viewed_after_turning
def merge_heads(x):
    b, h, l, d = x.size()
    return x.transpose(1, 2).view(b, l, h * d)


# %% merge_heads: puts the head number last, so the features of the heads are interleaved instead of side by side
# expect: interleaved
def merge_heads(x):
    x = x.permute(0, 2, 3, 1)
    return x.flatten(2)


# %% merge_heads: concatenates the heads along the length instead of along the features
# expect: joined_with_length
def merge_heads(x):
    heads = [x[:, h] for h in range(x.shape[1])]
    return torch.cat(heads, dim=1)


# %% merge_heads: squeezes the result, so the batch dimension (or length) vanishes when it is 1
# expect: nothing
def merge_heads(x):
    b, h, l, d = x.shape
    out = torch.cat([x[:, i, :, :] for i in range(h)], dim=-1)
    return out.squeeze()


# %% MultiHeadAttention: the four Linear layers are made without bias
# expect: no_bias
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        check_heads(d_model, num_heads)
        check_dropout(dropout)
        self.num_heads = num_heads
        for name in ("w_query", "w_key", "w_value", "w_output"):
            setattr(self, name, nn.Linear(d_model, d_model, bias=False))
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        _, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        return self.w_output(merge_heads(self.dropout(w) @ v))


# %% MultiHeadAttention: always inserts a head dimension into the mask as in The Annotated Transformer, so a mask that is already (batch, 1, 1, length) gets 5 dimensions and crashes or changes the shape
# expect: nothing
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        check_heads(d_model, num_heads)
        check_dropout(dropout)
        self.d_k = d_model // num_heads
        self.h = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.weights = None
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, query, key, value, mask=None):
        if mask is not None:
            mask = mask.unsqueeze(1)
        nbatches = query.size(0)
        query, key, value = [
            lin(x).view(nbatches, -1, self.h, self.d_k).transpose(1, 2)
            for lin, x in zip([self.w_query, self.w_key, self.w_value], (query, key, value))
        ]
        _, p = scaled_dot_product_attention(query, key, value, mask)
        self.weights = p.detach()
        x = torch.matmul(self.dropout(p), value)
        x = x.transpose(1, 2).contiguous().view(nbatches, -1, self.h * self.d_k)
        return self.w_output(x)


# %% MultiHeadAttention: scales the scores by sqrt(d_model) instead of sqrt(d_head)
# expect: scaled_by_model_width
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        check_heads(d_model, num_heads)
        check_dropout(dropout)
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
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(self.d_model)
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        attn = scores.softmax(dim=-1)
        if mask is not None:
            attn = attn.masked_fill(~mask, 0.0)
        self.weights = attn.detach()
        out = torch.einsum("bhqk,bhkd->bhqd", self.dropout(attn), v)
        return self.w_output(merge_heads(out))


# %% MultiHeadAttention: projects the query argument for key and value too, so cross-attention ignores key and value
# expect: only_query_is_used
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
        x = query
        q = split_heads(self.w_query(x), self.num_heads)
        k = split_heads(self.w_key(x), self.num_heads)
        v = split_heads(self.w_value(x), self.num_heads)
        _, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        return self.w_output(merge_heads(self.dropout(w) @ v))


# %% MultiHeadAttention: keeps the weights after dropout instead of before
# expect: weights_after_dropout
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
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_value(value), self.num_heads)
        w = scaled_dot_product_attention(q, k, v, mask)[1]
        w = self.dropout(w)
        self.weights = w.detach()
        return self.w_output(merge_heads(torch.matmul(w, v)))


# %% MultiHeadAttention: two mistakes: dropout acts on the projected output instead of on the weights, and the value is projected with w_key
# expect: value_through_key_projection + dropout_on_output
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
        self.resid_dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, query, key, value, mask=None):
        q = split_heads(self.w_query(query), self.num_heads)
        k = split_heads(self.w_key(key), self.num_heads)
        v = split_heads(self.w_key(value), self.num_heads)
        out, w = scaled_dot_product_attention(q, k, v, mask)
        self.weights = w.detach()
        return self.resid_dropout(self.w_output(merge_heads(out)))


# %% MultiHeadAttention: dropout acts on the merged heads before w_output instead of on the attention weights
# expect: dropout_on_output
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
        heads = []
        q, k, v = self.w_query(query), self.w_key(key), self.w_value(value)
        n = q.shape[-1] // self.num_heads
        q, k, v = (torch.stack(t.split(n, dim=-1), dim=1) for t in (q, k, v))
        out, w = scaled_dot_product_attention(q, k, v, mask)
        for i in range(self.num_heads):
            heads.append(out[:, i])
        self.weights = w.detach()
        return self.w_output(self.dropout(torch.cat(heads, dim=-1)))


# %% MultiHeadAttention: the weights that are kept are those after dropout, and still hang on the graph
# expect: weights_after_dropout
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.d_k = d_model // num_heads
        self.h = num_heads
        self.w_query, self.w_key, self.w_value, self.w_output = (
            nn.Linear(d_model, d_model) for _ in range(4)
        )
        self.weights = None
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, query, key, value, mask=None):
        nbatches = query.size(0)
        query, key, value = (
            lin(x).view(nbatches, -1, self.h, self.d_k).transpose(1, 2)
            for lin, x in zip((self.w_query, self.w_key, self.w_value), (query, key, value))
        )
        scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(self.d_k)
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        self.weights = self.dropout(scores.softmax(dim=-1))
        x = torch.matmul(self.weights, value)
        x = x.transpose(1, 2).contiguous().view(nbatches, -1, self.h * self.d_k)
        return self.w_output(x)


# %% MultiHeadAttention: without a mask the mask of the last call is used again
# expect: nothing
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
