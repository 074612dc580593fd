"""Lesson 4, solved correctly in many ways."""

import copy
import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from solutions.attention import scaled_dot_product_attention
from solutions.encoder_block import EncoderBlock, FeedForward, LayerNorm
from solutions.multi_head import MultiHeadAttention, merge_heads, split_heads


# %% LayerNorm: x.var without Bessel's correction
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, unbiased=False, keepdim=True)
        return self.weight * (x - mean) / torch.sqrt(var + self.eps) + self.bias


# %% LayerNorm: torch.var_mean and addcmul
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(d_model))
        self.bias = nn.Parameter(torch.empty(d_model))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return torch.addcmul(self.bias, (x - mean) * (variance + self.eps).rsqrt(), self.weight)

    def extra_repr(self):
        return f"{len(self.weight)}, eps={self.eps}"


# %% LayerNorm: einsum for the squares, other names for the same parameters
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.gamma, self.beta = self.weight, self.bias
        self.d_model, self.eps = d_model, eps

    def forward(self, x):
        centred = x - x.sum(dim=-1, keepdim=True) / self.d_model
        squares = torch.einsum("...d,...d->...", centred, centred).unsqueeze(-1)
        return centred * (squares / self.d_model + self.eps) ** -0.5 * self.gamma + self.beta


# %% LayerNorm: one pass over the features with a running mean
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.ones(d_model)))
        self.register_parameter("bias", nn.Parameter(torch.zeros(d_model)))
        self.eps = eps

    def forward(self, x):
        work = x.to(torch.promote_types(x.dtype, torch.float32))
        mean, total = 0.0, 0.0
        for n, feature in enumerate(work.unbind(-1), start=1):
            difference = feature - mean
            mean = mean + difference / n
            total = total + difference * (feature - mean)
        mean, variance = mean.unsqueeze(-1), total.unsqueeze(-1) / work.shape[-1]
        y = (work - mean) / (variance + self.eps).sqrt()
        return y.to(x.dtype) * self.weight + self.bias


# %% LayerNorm: token by token
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.d_model = d_model
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def one_token(self, token):
        away = token - token.mean()
        return away / torch.sqrt((away**2).mean() + self.eps) * self.weight + self.bias

    def forward(self, x):
        tokens = x.reshape(-1, self.d_model).unbind(0)
        return torch.stack([self.one_token(token) for token in tokens]).reshape(x.shape)


# %% LayerNorm: float64 inside and a centring matrix
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        d = x.shape[-1]
        centre = torch.eye(d, dtype=torch.float64, device=x.device) - 1 / d
        away = x.double() @ centre
        variance = away.square().mean(-1, keepdim=True)
        normalised = away * torch.rsqrt(variance + self.eps)
        return (normalised * self.weight + self.bias).to(x.dtype)


# %% LayerNorm: forward and backward written by hand
class Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, eps):
        away = x - x.mean(-1, keepdim=True)
        scale = away.pow(2).mean(-1, keepdim=True).add_(eps).rsqrt_()
        y = away.mul_(scale)
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    def backward(ctx, grad):
        y, scale = ctx.saved_tensors
        grad = grad - grad.mean(-1, keepdim=True) - y * (grad * y).mean(-1, keepdim=True)
        return grad * scale, None


class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        return Normalise.apply(x, self.eps) * self.weight + self.bias


# %% LayerNorm: length of the centred vector
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones((d_model,)))
        self.bias = nn.Parameter(torch.zeros((d_model,)))
        self.small = math.sqrt(d_model * eps)
        self.root = math.sqrt(d_model)

    def forward(self, x):
        x = x - torch.mean(x, dim=-1, keepdim=True)
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        size = torch.hypot(size, torch.full_like(size, self.small))
        return x * (self.root / size) * self.weight + self.bias


# %% LayerNorm: shifted by the first feature, then the mean of squares less the squared mean
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        z = x.double()
        z = z - z[..., :1]  # does not change the variance, and keeps the squares small
        mean = z.mean(-1, keepdim=True)
        variance = (z.square().mean(-1, keepdim=True) - mean.square()).clamp(min=0)
        z = ((z - mean) / torch.sqrt(variance + self.eps)).to(x.dtype)
        return z * self.weight + self.bias


# %% LayerNorm: variance from the differences of all pairs, extra arguments
class LayerNorm(nn.Module):
    def __init__(self, d_model: int, eps: float = 1e-5, *, device=None, dtype=None) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(d_model, device=device, dtype=dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pairs = x.unsqueeze(-1) - x.unsqueeze(-2)  # (..., d_model, d_model)
        variance = pairs.square().mean(dim=(-2, -1)).unsqueeze(-1) / 2
        away = pairs.mean(dim=-1)
        return away / (variance + self.eps).sqrt() * self.weight + self.bias


# %% FeedForward: F.relu and nn.Dropout
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        return self.linear2(self.dropout(F.relu(self.linear1(x))))


# %% FeedForward: nn.Sequential of the named parts
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.net = nn.Sequential(
            self.linear1, nn.ReLU(inplace=True), nn.Dropout(dropout), self.linear2
        )

    def forward(self, x):
        return self.net(x)


# %% FeedForward: clamp and einsum
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.p = dropout

    def forward(self, x):
        hidden = torch.einsum("...d,fd->...f", x, self.linear1.weight) + self.linear1.bias
        hidden = F.dropout(hidden.clamp(min=0), p=self.p, training=self.training)
        return torch.einsum("...f,df->...d", hidden, self.linear2.weight) + self.linear2.bias


# %% FeedForward: one matrix of tokens, torch.where, dropout by hand
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = dropout

    def forward(self, x):
        tokens = x.reshape(-1, x.shape[-1])
        hidden = torch.addmm(self.linear1.bias, tokens, self.linear1.weight.T)
        hidden = torch.where(hidden > 0, hidden, 0.0)
        if self.training:
            kept = torch.rand(hidden.shape, device=hidden.device) >= self.dropout
            hidden = hidden * kept / (1 - self.dropout)
        return torch.addmm(self.linear2.bias, hidden, self.linear2.weight.T).view(x.shape)


# %% FeedForward: features of the hidden layer in blocks
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        result = self.linear2.bias
        blocks = zip(
            self.linear1.weight.split(5),
            self.linear1.bias.split(5),
            self.linear2.weight.split(5, 1),
        )
        for w1, b1, w2 in blocks:
            hidden = self.dropout(F.linear(x, w1, b1).relu_())
            result = result + hidden @ w2.t()
        return result


# %% FeedForward: dropout before the ReLU, which comes to the same
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        hidden = self.dropout(self.linear1(x))
        return self.linear2(hidden * (hidden > 0))


# %% EncoderBlock: a dropout for each sub-layer
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout1 = nn.Dropout(dropout)
        self.dropout2 = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(self, x, mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout1(self.self_attention(y, y, y, mask))
            x = x + self.dropout2(self.feed_forward(self.norm2(x)))
        else:
            x = self.norm1(x + self.dropout1(self.self_attention(x, x, x, mask)))
            x = self.norm2(x + self.dropout2(self.feed_forward(x)))
        return x


# %% EncoderBlock: a helper for both sub-layers, the course's own LayerNorm
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.p = dropout
        self.norm_first = norm_first

    def residual(self, x, norm, sublayer: Callable):
        if self.norm_first:
            return x + F.dropout(sublayer(norm(x)), self.p, self.training)
        return norm(x + F.dropout(sublayer(x), self.p, self.training))

    def forward(self, x, mask=None):
        x = self.residual(x, self.norm1, lambda y: self.self_attention(y, y, y, mask))
        return self.residual(x, self.norm2, self.feed_forward)


# %% EncoderBlock: no dropout but before the residuals, and that by hand
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=0.0)
        self.norm1 = nn.LayerNorm(d_model, eps=1e-5)
        self.norm2 = nn.LayerNorm(d_model, eps=1e-5)
        self.rate = dropout
        self.norm_first = norm_first

    def drop(self, x):
        if self.training and self.rate > 0:
            dropped = torch.rand(x.shape, device=x.device) < self.rate
            x = x.masked_fill(dropped, 0) * (1 / (1 - self.rate))
        return x

    def forward(self, x, mask=None):
        y = self.norm1(x) if self.norm_first else x
        x = x + self.drop(self.self_attention(y, y, y, mask))
        if not self.norm_first:
            x = self.norm1(x)
        y = self.norm2(x) if self.norm_first else x
        x = x + self.drop(self.feed_forward(y))
        if not self.norm_first:
            x = self.norm2(x)
        return x


# %% EncoderBlock: attention and feed-forward of its own
class Attention(nn.Module):
    def __init__(self, d_model, num_heads, dropout):
        super().__init__()
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, query, key, value, mask=None):
        q, k, v = self.w_query(query), self.w_key(key), self.w_value(value)
        q, k, v = (split_heads(x, self.num_heads) for x in (q, k, v))
        weights = scaled_dot_product_attention(q, k, v, mask)[1]
        self.weights = weights.detach()
        return self.w_output(merge_heads(self.dropout(weights) @ v))


class Thinking(nn.Module):
    def __init__(self, d_model, d_ff, dropout):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.linear2(self.dropout(torch.relu(self.linear1(x))))


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.self_attention = Attention(d_model, num_heads, dropout)
        self.feed_forward = Thinking(d_model, d_ff, dropout)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(self, x, mask=None):
        attend = functools.partial(self.self_attention, mask=mask)
        if self.norm_first:
            y = self.norm1(x)
            x = self.dropout(attend(y, y, y)) + x
            return self.dropout(self.feed_forward(self.norm2(x))) + x
        x = self.norm1(self.dropout(attend(x, x, x)) + x)
        return self.norm2(self.dropout(self.feed_forward(x)) + x)


# %% EncoderBlock: added in place to fresh tensors, more arguments, things kept for looking at
class EncoderBlock(nn.Module):
    def __init__(
        self,
        d_model: int,
        num_heads: int,
        d_ff: int,
        dropout: float = 0.1,
        norm_first: bool = False,
        eps: float = 1e-5,
    ):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model, eps)
        self.norm2 = nn.LayerNorm(d_model, eps)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first
        self.seen: dict[str, torch.Tensor] = {}

    def forward(
        self, x: torch.Tensor, mask: torch.Tensor | None = None, keep: bool = True
    ) -> torch.Tensor:
        y = self.norm1(x) if self.norm_first else x
        attended = self.dropout(self.self_attention(y, y, y, mask))
        attended += x
        x = attended if self.norm_first else self.norm1(attended)
        thought = self.dropout(self.feed_forward(self.norm2(x) if self.norm_first else x))
        thought += x
        x = thought if self.norm_first else self.norm2(thought)
        if keep:
            self.seen = {"attended": attended.detach(), "thought": thought.detach()}
        return x


# %% Encoder: a list comprehension
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            [EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)]
        )
        if norm_first:
            self.norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask=mask)
        return self.norm(x) if self.norm_first else x


# %% Encoder: deep copies of one block
def clones(module, n):
    return nn.ModuleList([copy.deepcopy(module) for _ in range(n)])


class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        block = EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first)
        self.layers = clones(block, num_layers)
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        x = functools.reduce(lambda hidden, layer: layer(hidden, mask), self.layers, x)
        return x if self.norm is None else self.norm(x)


# %% Encoder: nn.Sequential that hands the mask on
class Stack(nn.Sequential):
    def forward(self, x, mask=None):
        for block in self:
            x = block(x, mask)
        return x


class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        sizes = {"d_model": d_model, "num_heads": num_heads, "d_ff": d_ff}
        blocks = [
            EncoderBlock(**sizes, dropout=dropout, norm_first=norm_first) for _ in range(num_layers)
        ]
        self.layers = Stack(*blocks)
        self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

    def forward(self, x, mask=None):
        return self.norm(self.layers(x, mask))


# %% Encoder: appended in a loop, hidden states kept
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            self.layers.append(EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first))
        self.register_module("norm", nn.LayerNorm(d_model) if norm_first else None)
        self.hidden_states = []

    def forward(self, x, mask=None):
        hidden = [x]
        for i in range(len(self.layers)):
            hidden.append(self.layers[i](hidden[-1], mask))
        if self.norm is not None:
            hidden.append(self.norm(hidden[-1]))
        self.hidden_states = [state.detach() for state in hidden]
        return hidden[-1]


# %% Encoder: recomputed in the backward pass to save memory
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        make = functools.partial(
            EncoderBlock, d_model, num_heads, d_ff, dropout=dropout, norm_first=norm_first
        )
        self.layers = nn.ModuleList(make() for _ in range(num_layers))
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = checkpoint(layer, x, mask, use_reentrant=False)
        if self.norm:
            x = self.norm(x)
        return x


# %% Encoder: layer after layer by recursion, blocks of its own
class Block(EncoderBlock):
    def forward(self, x, mask=None):
        y = self.norm1(x) if self.norm_first else x
        x = x + self.dropout(self.self_attention(y, y, y, mask))
        x = x if self.norm_first else self.norm1(x)
        y = self.norm2(x) if self.norm_first else x
        x = x + self.dropout(self.feed_forward(y))
        return x if self.norm_first else self.norm2(x)


class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            self.layers += [Block(d_model, num_heads, d_ff, dropout, norm_first)]
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def through(self, x, mask, depth):
        if depth == 0:
            return x
        return self.layers[depth - 1](self.through(x, mask, depth - 1), mask)

    def forward(self, x, mask=None):
        x = self.through(x, mask, len(self.layers))
        return self.norm(x) if self.norm is not None else x
