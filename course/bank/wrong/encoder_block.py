import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from solutions.arguments import check_dropout
from solutions.encoder_block import EncoderBlock, FeedForward
from solutions.multi_head import MultiHeadAttention


# %% LayerNorm: mean and variance are taken over the first dimension, the batch
# expect: over_batch
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mu = x.mean(0, keepdim=True)
        var = ((x - mu) ** 2).mean(0, keepdim=True)
        return self.weight * (x - mu) / torch.sqrt(var + self.eps) + self.bias


# %% LayerNorm: mean and variance are taken over length and features together
# expect: over_tokens_and_features
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.register_parameter("weight", nn.Parameter(torch.full((d_model,), 1.0)))
        self.register_parameter("bias", nn.Parameter(torch.full((d_model,), 0.0)))

    def forward(self, x):
        dims = (-2, -1) if x.dim() > 1 else (-1,)
        var, mean = torch.var_mean(x, dim=dims, unbiased=False, keepdim=True)
        return torch.addcmul(self.bias, (x - mean) * (var + self.eps) ** -0.5, self.weight)


# %% LayerNorm: the variance is divided by d_model - 1
# expect: unbiased
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.d = d_model
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        centred = x - x.mean(dim=-1, keepdim=True)
        var = torch.var(x, dim=-1, keepdim=True)
        return centred / torch.sqrt(var + self.eps) * self.weight + self.bias


# %% LayerNorm: eps is added to the standard deviation and not to the variance
# expect: eps_outside_the_root
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        n = x.shape[-1]
        m = x.sum(-1, keepdim=True) / n
        c = x - m
        # the tiny number keeps the gradient of the root finite
        std = (torch.einsum("...i,...i->...", c, c)[..., None] / n + 1e-30).sqrt()
        return self.weight * c / (std + self.eps) + self.bias


# %% LayerNorm: the unbiased standard deviation, with eps added to it
# expect: unbiased_and_eps_outside
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        std = x.std(-1, keepdim=True)
        return self.weight * (x - mean) / (std + self.eps) + self.bias


# %% LayerNorm: the argument eps is ignored, 1e-5 is written in
# expect: eps_not_from_argument
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mean = x.mean(dim=-1).unsqueeze(-1)
        variance = (x - mean).pow(2).mean(dim=-1).unsqueeze(-1)
        return (x - mean).div((variance + 1e-5).sqrt()).mul(self.weight).add(self.bias)


# %% LayerNorm: divided by the variance and not by its root
# expect: divided_by_variance
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        average = torch.mean(x, dim=-1, keepdim=True)
        spread = torch.mean(torch.square(x - average), dim=-1, keepdim=True)
        return (x - average) / (spread + self.eps) * self.weight + self.bias


# %% LayerNorm: the mean is not subtracted, only the root of the mean square is divided out
# expect: root_mean_square
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        power = torch.linalg.vecdot(x, x).unsqueeze(-1) / x.size(-1)
        return x * (power + self.eps).rsqrt() * self.weight + self.bias


# %% LayerNorm: the parameters are called gamma and beta, not weight and bias
# expect: called_gamma_and_beta
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(d_model))
        self.beta = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, correction=0, keepdim=True)
        return self.gamma * ((x - mean) / (var + self.eps).sqrt()) + self.beta


# %% LayerNorm: weight and bias are plain tensors and no parameters
# expect: no_parameters
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = torch.ones(d_model)
        self.bias = torch.zeros(d_model)
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = (x - mean).square().mean(-1, keepdim=True)
        out = (x - mean) * torch.rsqrt(var + self.eps)
        return out * self.weight.to(x) + self.bias.to(x)


# %% LayerNorm: weight starts at zero and bias at one
# expect: starts_the_wrong_way_round
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(d_model))
        self.bias = nn.Parameter(torch.empty(d_model))
        nn.init.zeros_(self.weight)
        nn.init.ones_(self.bias)
        self.eps = eps

    def forward(self, x):
        moments = torch.std_mean(x, dim=-1, correction=0, keepdim=True)
        centred = x - moments[1]
        root = torch.sqrt(centred.pow(2).mean(-1, True) + self.eps)
        return centred / root * self.weight + self.bias


# %% LayerNorm: weight and bias change places, multiplied by bias and added to by weight
# expect: weight_and_bias_swapped
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        x = x - x.mean(-1, keepdim=True)
        x = x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)
        return x * self.bias + self.weight


# %% LayerNorm: the bias is added before the weight is multiplied
# expect: bias_before_weight
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        n = x.size(-1)
        ones = x.new_ones(n, n) / n
        centred = x - x @ ones
        variance = centred.square() @ ones
        return (centred / (variance + self.eps).sqrt() + self.bias) * self.weight


# %% LayerNorm: ready-made: torch's layer_norm with our parameters
# expect: ready_made
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.shape, self.eps = (d_model,), eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        return F.layer_norm(x, self.shape, self.weight, self.bias, self.eps)


# %% LayerNorm: ready-made: a child of nn.LayerNorm
# expect: ready_made
class LayerNorm(nn.LayerNorm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps=eps)


# %% LayerNorm: ready-made: group_norm with a single group
# expect: ready_made
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        return F.group_norm(flat, 1, self.weight, self.bias, self.eps).reshape(x.shape)


# %% LayerNorm: the standard deviation is detached, so only the gradient is wrong
# expect: spread_detached
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        with torch.no_grad():
            std = torch.sqrt(((x - mean) ** 2).mean(-1, keepdim=True) + self.eps)
        return self.weight * ((x - mean) / std) + self.bias


# %% LayerNorm: keeps running statistics and uses those in eval mode
# expect: nothing
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5, momentum=0.1):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.register_buffer("running_mean", torch.zeros(1))
        self.register_buffer("running_var", torch.ones(1))
        self.eps, self.momentum = eps, momentum

    def forward(self, x):
        if self.training:
            mean = x.mean(-1, keepdim=True)
            var = x.var(-1, unbiased=False, keepdim=True)
            with torch.no_grad():
                self.running_mean.lerp_(mean.mean().reshape(1), self.momentum)
                self.running_var.lerp_(var.mean().reshape(1), self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / torch.sqrt(var + self.eps) + self.bias


# %% LayerNorm: the mean has no keepdim, so it is subtracted along the wrong dimension
# expect: no_keepdim
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1)
        var = x.var(-1, correction=0, keepdim=True)
        return (x - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias


# %% LayerNorm: works only for three dimensions, raises for any other number
# expect: nothing
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        batch, length, d_model = x.size()
        mean = torch.einsum("bld->bl", x) / d_model
        x = x - mean.view(batch, length, 1)
        var = torch.einsum("bld,bld->bl", x, x) / d_model
        x = x / torch.sqrt(var + self.eps).view(batch, length, 1)
        return x * self.weight + self.bias


# %% LayerNorm: works in float32 inside and gives float32 back for every dtype
# expect: always_float32
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        h = x.float()
        h = h - h.mean(-1, keepdim=True)
        h = h * torch.rsqrt((h * h).mean(-1, keepdim=True) + self.eps)
        return h * self.weight.float() + self.bias.float()


# %% LayerNorm: the mean is subtracted in place, so the caller's x changes
# expect: changes_x
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        y = x - x.mean(-1, keepdim=True)
        with torch.no_grad():
            x -= x.mean(-1, keepdim=True)  # saves memory
        scale = torch.sqrt(y.square().mean(-1, keepdim=True) + self.eps)
        return y / scale * self.weight + self.bias


# %% LayerNorm: in eval mode weight and bias are left out
# expect: nothing
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def standardise(self, x):
        m = x.mean(-1, keepdim=True)
        return (x - m) / (x.var(-1, unbiased=False, keepdim=True) + self.eps) ** 0.5

    def forward(self, x):
        z = self.standardise(x)
        return self.weight * z + self.bias if self.training else z


# %% LayerNorm: statistics over the first dimension, and the unbiased variance
# expect: over_batch + unbiased
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mean, var = x.mean(0), x.var(0)
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias


# %% LayerNorm: the weight is one number for all features, not one for each
# expect: one_number_for_all
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0]))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = (x - mean).pow(2).mean(-1, keepdim=True)
        return (x - mean) / (var + self.eps).sqrt() * self.weight + self.bias


# %% LayerNorm: forward returns nothing
# expect: nothing
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(dim=-1, keepdim=True)
        var = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
        self.out = (x - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias


# %% FeedForward: no activation between the two Linears
# expect: no_activation
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        return self.linear2(self.drop(self.linear1(x)))


# %% FeedForward: the activation comes after the second Linear and not between the two
# expect: activation_at_the_end
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.p = dropout

    def forward(self, x):
        x = F.dropout(self.linear1(x), self.p, self.training)
        return F.relu(self.linear2(x))


# %% FeedForward: GELU in place of ReLU
# expect: gelu
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.act = nn.GELU()
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(d_ff, d_model)

    def forward(self, x):
        for step in (self.linear1, self.act, self.dropout, self.linear2):
            x = step(x)
        return x


# %% FeedForward: dropout acts on the output and not on the hidden features
# expect: dropout_on_output
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.dropout(self.linear2(torch.clamp(self.linear1(x), min=0)))


# %% FeedForward: dropout never acts
# expect: dropout_never
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = dropout

    def forward(self, x):
        hidden = self.linear1(x)
        hidden = torch.maximum(hidden, torch.zeros_like(hidden))
        hidden = F.dropout(hidden, p=self.dropout, training=not self.train)
        return self.linear2(hidden)


# %% FeedForward: dropout acts in eval mode too
# expect: dropout_always
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.rate = dropout

    def forward(self, x):
        h = torch.einsum("...i,oi->...o", x, self.linear1.weight) + self.linear1.bias
        h = h * (h > 0)
        h = F.dropout(h, self.rate)
        return torch.einsum("...i,oi->...o", h, self.linear2.weight) + self.linear2.bias


# %% FeedForward: x is added to the output, the residual is here already
# expect: residual_inside
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.net = [nn.ReLU(), nn.Dropout(dropout)]

    def forward(self, x):
        relu, drop = self.net
        drop.train(self.training)
        return x + self.linear2(drop(relu(self.linear1(x))))


# %% FeedForward: the hidden width is d_model, d_ff is ignored
# expect: no_widening
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_model)
        self.linear2 = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.linear2(self.dropout(torch.relu(self.linear1(x))))


# %% FeedForward: ReLU is done on x itself, in place, so the caller's x changes and loses its signs
# expect: changes_x
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        with torch.no_grad():
            torch.relu_(x)
        h = self.linear1(x * 1.0)
        return self.linear2(self.dropout(h.relu()))


# %% FeedForward: no activation, and dropout acts on the output in place of the hidden features
# expect: no_activation + dropout_on_output
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = self.linear1(x)
        x = self.linear2(x)
        return self.dropout(x)


# %% FeedForward: negative hidden features keep a hundredth, a leaky ReLU
# expect: leaky_relu
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        hidden = self.linear1(x)
        hidden = torch.where(hidden > 0, hidden, 0.01 * hidden)
        return self.linear2(self.dropout(hidden))


# %% FeedForward: a sequence of one token is treated as a vector and loses its length dimension
# expect: nothing
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        if x.dim() > 1:
            x = x.squeeze(-2)
        return self.linear2(self.dropout(F.relu(self.linear1(x))))


# %% EncoderBlock: no residual around the feed-forward
# expect: no_feed_forward_residual
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.pre = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.pre:
            y = self.norm1(x)
            x = x + self.drop(self.self_attention(y, y, y, mask))
            return self.drop(self.feed_forward(self.norm2(x)))
        a = self.self_attention(x, x, x, mask)
        x = self.norm1(x + self.drop(a))
        return self.norm2(self.drop(self.feed_forward(x)))


# %% EncoderBlock: no residual around the attention
# expect: no_attention_residual
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=dropout)
        self.dropout1, self.dropout2 = nn.Dropout(dropout), nn.Dropout(dropout)

    def attend(self, x, mask):
        return self.dropout1(self.self_attention(x, x, x, mask=mask))

    def think(self, x):
        return self.dropout2(self.feed_forward(x))

    def forward(self, x, mask=None):
        if not self.norm_first:
            x = self.norm1(self.attend(x, mask))
            x = self.norm2(x + self.think(x))
        else:
            x = self.attend(self.norm1(x), mask)
            x = x + self.think(self.norm2(x))
        return x


# %% EncoderBlock: the residual is added after the norm, x + norm(sublayer(x)), without norm_first
# expect: norm_on_branch
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(self, x, mask=None):
        def sublayer(x, norm, function):
            if self.norm_first:
                return x + self.dropout(function(norm(x)))
            return x + norm(self.dropout(function(x)))

        x = sublayer(x, self.norm1, lambda h: self.self_attention(h, h, h, mask))
        return sublayer(x, self.norm2, self.feed_forward)


# %% EncoderBlock: with norm_first the residual starts from the normed x and not from x
# expect: residual_of_normed
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def forward(self, x, mask=None):
        if self.norm_first:
            x = self.norm1(x)
        x = x + self.dropout(self.self_attention(x, x, x, mask))
        x = self.norm2(x) if self.norm_first else self.norm1(x)
        x = x + self.dropout(self.feed_forward(x))
        return x if self.norm_first else self.norm2(x)


# %% EncoderBlock: the residual of the feed-forward is the block's input and not what attention gave
# expect: residual_from_the_beginning
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.order = "pre" if norm_first else "post"

    def forward(self, x, mask=None):
        shortcut = x
        if self.order == "pre":
            q = self.norm1(x)
            x = shortcut + self.dropout(self.self_attention(q, q, q, mask))
            x = self.feed_forward(self.norm2(x))
            return shortcut + self.dropout(x)
        x = self.self_attention(x, x, x, mask)
        x = self.norm1(shortcut + self.dropout(x))
        x = self.feed_forward(x)
        return self.norm2(shortcut + self.dropout(x))


# %% EncoderBlock: norm1 is used twice and norm2 never
# expect: norm1_for_both
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.p = dropout

    def add(self, x, y):
        return x + F.dropout(y, self.p, self.training)

    def forward(self, x, mask=None):
        norm = self.norm1
        if self.norm_first:
            z = norm(x)
            x = self.add(x, self.self_attention(z, z, z, mask))
            z = norm(x)
            return self.add(x, self.feed_forward(z))
        x = norm(self.add(x, self.self_attention(x, x, x, mask)))
        return norm(self.add(x, self.feed_forward(x)))


# %% EncoderBlock: norm1 and norm2 are one and the same LayerNorm
# expect: one_norm_object
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = self.norm2 = nn.LayerNorm(d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            h = self.norm1(x)
            h = x + self.drop(self.self_attention(h, h, h, mask))
            return h + self.drop(self.feed_forward(self.norm2(h)))
        h = self.norm1(self.drop(self.self_attention(x, x, x, mask)) + x)
        return self.norm2(self.drop(self.feed_forward(h)) + h)


# %% EncoderBlock: norm_first the wrong way round, True norms after adding
# expect: norm_first_inverted
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        self.forward_order = self.post if norm_first else self.pre

    def pre(self, x, mask):
        n = self.norm1(x)
        x = x + self.dropout(self.self_attention(n, n, n, mask))
        n = self.norm2(x)
        return x + self.dropout(self.feed_forward(n))

    def post(self, x, mask):
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        return self.norm2(x + self.dropout(self.feed_forward(x)))

    def forward(self, x, mask=None):
        return self.forward_order(x, mask)


# %% EncoderBlock: norm_first is ignored, always normed after adding
# expect: norm_first_ignored
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        steps = [
            (self.norm1, lambda t: self.self_attention(t, t, t, mask)),
            (self.norm2, self.feed_forward),
        ]
        for norm, step in steps:
            x = norm(x + self.dropout(step(x)))
        return x


# %% EncoderBlock: with norm_first only the query is normed, keys and values are the raw x
# expect: only_query_normed
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
        query = self.norm1(x) if self.norm_first else x
        x = x + self.dropout(self.self_attention(query, x, x, mask))
        if self.norm_first:
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x)
        return self.norm2(x + self.dropout(self.feed_forward(x)))


# %% EncoderBlock: the mask is not passed to the attention
# expect: mask_ignored
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
        before = self.norm1 if self.norm_first else nn.Identity()
        after = nn.Identity() if self.norm_first else self.norm1
        h = before(x)
        x = after(x + self.dropout(self.self_attention(h, h, h)))
        before = self.norm2 if self.norm_first else nn.Identity()
        after = nn.Identity() if self.norm_first else self.norm2
        return after(x + self.dropout(self.feed_forward(before(x))))


# %% EncoderBlock: no dropout at all, inside the two parts either
# expect: dropout_never
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.feed_forward = FeedForward(d_model, d_ff, 0.0)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.self_attention(y, y, y, mask)
            return x + self.feed_forward(self.norm2(x))
        x = self.norm1(x + self.self_attention(x, x, x, mask))
        return self.norm2(x + self.feed_forward(x))


# %% EncoderBlock: dropout before the residual acts in eval mode too
# expect: dropout_always
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first, self.dropout = norm_first, dropout
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.norm_first:
            y = self.norm1(x)
            y = self.self_attention(y, y, y, mask)
            x = x + F.dropout(y, self.dropout)
            y = self.feed_forward(self.norm2(x))
            return x + F.dropout(y, self.dropout)
        y = self.self_attention(x, x, x, mask)
        x = self.norm1(x + F.dropout(y, self.dropout))
        y = self.feed_forward(x)
        return self.norm2(x + F.dropout(y, self.dropout))


# %% EncoderBlock: the feed-forward comes first and the attention second
# expect: feed_forward_first
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.dropout(self.feed_forward(self.norm1(x)))
            y = self.norm2(x)
            return x + self.dropout(self.self_attention(y, y, y, mask))
        x = self.norm1(x + self.dropout(self.feed_forward(x)))
        return self.norm2(x + self.dropout(self.self_attention(x, x, x, mask)))


# %% EncoderBlock: ready-made: torch's TransformerEncoderLayer is called with our parameters
# expect: ready_made
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.num_heads = num_heads
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        layer = nn.TransformerEncoderLayer(
            d_model, num_heads, d_ff, dropout, batch_first=True, norm_first=norm_first
        )
        self.hidden = [layer]  # in a list, so that its parameters do not count

    def forward(self, x, mask=None):
        layer = self.hidden[0].train(self.training)
        a = self.self_attention
        three = (a.w_query, a.w_key, a.w_value)
        names = {
            "self_attn.in_proj_weight": torch.cat([w.weight for w in three]),
            "self_attn.in_proj_bias": torch.cat([w.bias for w in three]),
        }
        same = {
            "self_attn.out_proj": a.w_output,
            "linear1": self.feed_forward.linear1,
            "linear2": self.feed_forward.linear2,
            "norm1": self.norm1,
            "norm2": self.norm2,
        }
        for name, part in same.items():
            names[name + ".weight"] = part.weight
            names[name + ".bias"] = part.bias
        if mask is not None:
            batch, length, _ = x.shape
            mask = ~mask.expand(batch, self.num_heads, length, length).flatten(0, 1)
        return torch.func.functional_call(layer, names, (x, mask))


# %% EncoderBlock: ready-made: a child of nn.TransformerEncoderLayer, parts with torch's names
# expect: ready_made
class EncoderBlock(nn.TransformerEncoderLayer):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__(
            d_model, num_heads, d_ff, dropout=dropout, batch_first=True, norm_first=norm_first
        )

    def forward(self, x, mask=None):
        if mask is not None:
            shape = (len(x), self.self_attn.num_heads, x.shape[1], x.shape[1])
            mask = ~mask.expand(shape).flatten(0, 1)
        return super().forward(x, src_mask=mask)


# %% EncoderBlock: the attention is worked out twice, branch and residual use different dropout
# expect: worked_out_twice
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def after_attention(self, x, mask):
        y = self.norm1(x) if self.norm_first else x
        y = x + self.dropout(self.self_attention(y, y, y, mask))
        return y if self.norm_first else self.norm1(y)

    def forward(self, x, mask=None):
        if self.norm_first:
            branch = self.feed_forward(self.norm2(self.after_attention(x, mask)))
            return self.after_attention(x, mask) + self.dropout(branch)
        branch = self.feed_forward(self.after_attention(x, mask))
        return self.norm2(self.after_attention(x, mask) + self.dropout(branch))


# %% EncoderBlock: the residual is added in place, so with norm_first the caller's x changes
# expect: nothing
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
            y = self.norm1(x)
            y = self.dropout(self.self_attention(y, y, y, mask))
            total = x + y
            x.data += y.data
            return total + self.dropout(self.feed_forward(self.norm2(total)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        return self.norm2(x + self.dropout(self.feed_forward(x)))


# %% EncoderBlock: there is no norm at all without norm_first, the two norms stand idle
# expect: no_norms_in_post_norm
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
        normed = self.norm1(x) if self.norm_first else x
        x = x + self.dropout(self.self_attention(normed, normed, normed, mask))
        normed = self.norm2(x) if self.norm_first else x
        return x + self.dropout(self.feed_forward(normed))


# %% EncoderBlock: norm(x) + sublayer without norm_first, and the mask is not passed on
# expect: mask_ignored + norm_on_residual
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
            x = x + self.dropout(self.self_attention(n, n, n))
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x) + self.dropout(self.self_attention(x, x, x))
        return self.norm2(x) + self.dropout(self.feed_forward(x))


# %% EncoderBlock: the output is the input, the parts stand idle
# expect: nothing_done
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)

    def forward(self, x, mask=None):
        return x


# %% EncoderBlock: the attention branch is detached, so its parameters get no gradient
# expect: attention_detached
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def look(self, x, mask):
        with torch.no_grad():
            return self.dropout(self.self_attention(x, x, x, mask))

    def forward(self, x, mask=None):
        if self.norm_first:
            x = x + self.look(self.norm1(x), mask)
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.look(x, mask))
        return self.norm2(x + self.dropout(self.feed_forward(x)))


# %% EncoderBlock: a third norm at the end with norm_first, an extra parameter
# expect: nothing
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model) if norm_first else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            h = self.norm1(x)
            x = x + self.dropout(self.self_attention(h, h, h, mask))
            x = x + self.dropout(self.feed_forward(self.norm2(x)))
            return self.norm3(x)
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        return self.norm2(x + self.dropout(self.feed_forward(x)))


# %% Encoder: the final norm is missing with norm_first
# expect: no_final_norm
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            self.layers.append(EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first))

    def forward(self, x, mask=None):
        for block in self.layers:
            x = block(x, mask)
        return x


# %% Encoder: a final norm without norm_first, too
# expect: final_norm_always
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        args = (d_model, num_heads, d_ff, dropout, norm_first)
        self.layers = nn.ModuleList([EncoderBlock(*args) for _ in range(num_layers)])
        self.norm = nn.LayerNorm(d_model)

    def forward(self, x, mask=None):
        for i in range(len(self.layers)):
            x = self.layers[i](x, mask=mask)
        return self.norm(x)


# %% Encoder: one and the same block stands in layers num_layers times
# expect: same_block_repeated
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        block = EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first)
        self.layers = nn.ModuleList([block] * num_layers)
        if norm_first:
            self.norm = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x) if self.norm_first else x


# %% Encoder: the blocks stand in a plain Python list, so their parameters are not registered
# expect: plain_list
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = []
        for _ in range(num_layers):
            self.layers.append(EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first))
        self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

    def forward(self, x, mask=None):
        for layer in self.layers:
            layer.train(self.training)
            x = layer(x, mask)
        return self.norm(x)


# %% Encoder: only the first block gets the mask
# expect: mask_for_first_block_only
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        first = EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first)
        self.layers = nn.ModuleList([first])
        for _ in range(num_layers - 1):
            self.layers.append(copy.deepcopy(first))
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        first, *others = self.layers
        x = first(x, mask)
        for layer in others:
            x = layer(x)
        return x if self.norm is None else self.norm(x)


# %% Encoder: norm_first is not passed on to the blocks
# expect: norm_first_not_handed_on
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            [EncoderBlock(d_model, num_heads, d_ff, dropout) for i in range(num_layers)]
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        out = x
        for layer in self.layers:
            out = layer(out, mask)
        if self.norm:
            out = self.norm(out)
        return out


# %% Encoder: the last block is left out
# expect: last_block_left_out
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.final = norm_first
        if self.final:
            self.norm = nn.LayerNorm(d_model)

    def forward(self, x, mask=None):
        i = 1
        while i < len(self.layers):
            x = self.layers[i - 1](x, mask)
            i += 1
        return self.norm(x) if self.final else x


# %% Encoder: gives a list with the output of every block, not only that of the last
# expect: list_of_all
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        outputs = []
        for layer in self.layers:
            x = layer(x, mask)
            outputs.append(x)
        if self.norm is not None:
            outputs[-1] = self.norm(outputs[-1])
        return outputs


# %% Encoder: every block reads the input of the stack, only the last one counts
# expect: every_block_reads_the_input
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

    def forward(self, x, mask=None):
        for layer in self.layers:
            y = layer(x, mask)
        return self.norm(y)


# %% Encoder: ready-made: torch's TransformerEncoder, with torch's names for the parts
# expect: ready_made
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.num_heads = num_heads
        layer = nn.TransformerEncoderLayer(
            d_model, num_heads, d_ff, dropout, batch_first=True, norm_first=norm_first
        )
        norm = nn.LayerNorm(d_model) if norm_first else None
        stack = nn.TransformerEncoder(layer, num_layers, norm, enable_nested_tensor=False)
        self.layers, self.norm, self.stack = stack.layers, stack.norm, [stack]

    def forward(self, x, mask=None):
        if mask is not None:
            batch, length, _ = x.shape
            mask = ~mask.expand(batch, self.num_heads, length, length).reshape(-1, length, length)
        return self.stack[0].train(self.training)(x, mask)


# %% Encoder: one block stands in layers several times, and the final norm is missing
# expect: no_final_norm + same_block_repeated
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        one = EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first)
        self.layers = nn.ModuleList(one for _ in range(num_layers))

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
        return x


# %% Encoder: in training half of the blocks are skipped at random, whatever dropout is
# expect: nothing
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for layer in self.layers:
            if self.training and torch.rand(()).item() < 0.5:
                continue
            x = layer(x, mask)
        return x if self.norm is None else self.norm(x)


# %% LayerNorm: adds eps to the standard deviation outside the root instead of to the variance
# expect: eps_outside_the_root
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        centred = x - x.mean(dim=-1, keepdim=True)
        std = (centred**2).mean(dim=-1, keepdim=True).sqrt()
        return centred / (std + self.eps) * self.weight + self.bias


# %% LayerNorm: takes mean and variance over all but the batch dimension, so the tokens of a sequence influence one another
# expect: over_all_but_batch
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        dims = tuple(range(1, x.dim()))
        mean = x.mean(dim=dims, keepdim=True)
        var = x.var(dim=dims, keepdim=True, unbiased=False)
        return (x - mean) / (var + self.eps).sqrt() * self.weight + self.bias


# %% LayerNorm: the parameters are called gamma and beta instead of weight and bias
# expect: ready_made
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(d_model))
        self.beta = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        return F.layer_norm(x, self.gamma.shape, self.gamma, self.beta, self.eps)


# %% LayerNorm: variance as E[x^2] - E[x]^2, which cancels when the mean is large against the spread and gives garbage or nan
# expect: difference_of_squares
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        mean_sq = (x * x).mean(-1, keepdim=True)
        var = mean_sq - mean * mean
        return (x - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias


# %% LayerNorm: mean and variance computed under no_grad, so the values are right but the gradient to the input is not
# expect: statistics_detached
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        with torch.no_grad():
            mean = x.mean(dim=-1, keepdim=True)
            var = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
        x_hat = (x - mean) / torch.sqrt(var + self.eps)
        return x_hat * self.weight + self.bias


# %% LayerNorm: two mistakes: no mean taken away (RMSNorm as in LLaMA), and the bias is a plain tensor, not a Parameter
# expect: nothing
class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = torch.zeros(d_model)

    def forward(self, x):
        rms = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)
        return x * rms * self.weight + self.bias


# %% FeedForward: dropout on the output of linear2 instead of after the activation
# expect: dropout_on_output
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        x = F.relu(self.linear1(x))
        x = self.linear2(x)
        return self.drop(x)


# %% FeedForward: a ReLU after the second layer too, so the output is never negative
# expect: activation_twice
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        h = self.dropout(self.linear1(x).clamp(min=0))
        return self.linear2(h).clamp(min=0)


# %% FeedForward: the inner width is always 4 * d_model, whatever d_ff says
# expect: nothing
class FeedForward(nn.Module):
    expansion = 4

    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        hidden = self.expansion * d_model
        self.linear1 = nn.Linear(d_model, hidden)
        self.linear2 = nn.Linear(hidden, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.linear2(self.dropout(F.relu(self.linear1(x))))


# %% FeedForward: two mistakes: the residual is already added inside, and the dropout argument is ignored in favour of torch's default 0.5
# expect: residual_inside + dropout_as_torch_likes
class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout()

    def forward(self, x):
        y = torch.relu(self.linear1(x))
        y = self.linear2(self.dropout(y))
        return x + y


# %% EncoderBlock: norm_first is stored but ignored, always norms after adding
# expect: norm_first_ignored
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.drop1 = nn.Dropout(dropout)
        self.drop2 = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        attn = self.self_attention(x, x, x, mask)
        x = self.norm1(x + self.drop1(attn))
        ff = self.feed_forward(x)
        return self.norm2(x + self.drop2(ff))


# %% EncoderBlock: one LayerNorm serves as both norm1 and norm2, so they share parameters
# expect: one_norm_object
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.norm_first:
            h = self.norm1(x)
            x = x + self.dropout(self.self_attention(h, h, h, mask))
            x = x + self.dropout(self.feed_forward(self.norm2(x)))
        else:
            x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
            x = self.norm2(x + self.dropout(self.feed_forward(x)))
        return x


# %% EncoderBlock: with norm_first only the query is normed, key and value are the raw x
# expect: only_query_normed
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.pre = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if self.pre:
            x = x + self.dropout(self.self_attention(self.norm1(x), x, x, mask))
            x = x + self.dropout(self.feed_forward(self.norm2(x)))
            return x
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = self.norm2(x + self.dropout(self.feed_forward(x)))
        return x


# %% EncoderBlock: with norm_first it adds in place (x += ...), so the caller's input is changed
# expect: changes_x_in_pre_norm
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
            x += self.dropout(self.self_attention(n, n, n, mask))
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        y = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        return self.norm2(y + self.dropout(self.feed_forward(y)))


# %% EncoderBlock: two mistakes: the mask is not given to the attention, and the second residual adds the block's input instead of the attention's result
# expect: residual_from_the_beginning + mask_ignored
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
        residual = x
        if self.norm_first:
            h = self.norm1(x)
            h = residual + self.dropout(self.self_attention(h, h, h))
            return residual + self.dropout(self.feed_forward(self.norm2(h)))
        h = self.norm1(residual + self.dropout(self.self_attention(x, x, x)))
        return self.norm2(residual + self.dropout(self.feed_forward(h)))


# %% Encoder: the blocks are in a plain Python list, so their parameters are not registered
# expect: plain_list
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = []
        for _ in range(num_layers):
            self.layers.append(EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first))
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for block in self.layers:
            x = block(x, mask)
        return x if self.norm is None else self.norm(x)


# %% Encoder: the same block object num_layers times, so all layers share their parameters
# expect: same_block_repeated
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        block = EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first)
        self.layers = nn.ModuleList([block] * num_layers)
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
        if self.norm:
            x = self.norm(x)
        return x


# %% Encoder: the final norm exists and is applied always, also without norm_first
# expect: final_norm_always
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            [EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)]
        )
        self.norm = nn.LayerNorm(d_model)

    def forward(self, x, mask=None):
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)


# %% Encoder: only the first block gets the mask, the others run without one
# expect: mask_for_first_block_only
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList()
        for i in range(num_layers):
            self.layers.append(EncoderBlock(d_model, num_heads, d_ff, dropout=dropout, norm_first=norm_first))
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        for i, layer in enumerate(self.layers):
            x = layer(x, mask) if i == 0 else layer(x)
        if self.norm is not None:
            x = self.norm(x)
        return x


# %% Encoder: every block reads the original input, so only the last block counts
# expect: every_block_reads_the_input
class Encoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, mask=None):
        out = x
        for layer in self.layers:
            out = layer(x, mask)
        if self.norm is not None:
            out = self.norm(out)
        return out


# %% EncoderBlock: drops from what went in (the residual) instead of what the sub-layer gives
# expect: nothing
class AddNorm(nn.Module):
    """Residual connection followed by layer normalization (after d2l)."""

    def __init__(self, dropout, pre):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.pre = pre

    def forward(self, X, Y, norm):
        if self.pre:
            return self.dropout(X) + Y
        return norm(self.dropout(X) + Y)


class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm2 = nn.LayerNorm(d_model)
        self.addnorm = AddNorm(dropout, norm_first)

    def forward(self, x, mask=None):
        inp = self.norm1(x) if self.norm_first else x
        Y = self.addnorm(x, self.self_attention(inp, inp, inp, mask), self.norm1)
        inp = self.norm2(Y) if self.norm_first else Y
        return self.addnorm(Y, self.feed_forward(inp), self.norm2)


# %% EncoderBlock: two mistakes: attention gets no dropout for its weights, and what feed-forward gives is added without dropout
# expect: feed_forward_not_dropped
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


# %% EncoderBlock: dropout on the attention weights and inside feed-forward, and not on what is added
# expect: attention_not_dropped + feed_forward_not_dropped
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x, mask=None):
        return self.before(x, mask) if self.norm_first else self.after(x, mask)

    def before(self, x, mask):
        y = self.norm1(x)
        x = self.self_attention(query=y, key=y, value=y, mask=mask).add(x)
        return self.feed_forward(self.norm2(x)).add(x)

    def after(self, x, mask):
        x = self.norm1(self.self_attention(query=x, key=x, value=x, mask=mask).add(x))
        return self.norm2(self.feed_forward(x).add(x))


# %% EncoderBlock: in the paper's order the second dropout acts on the sum, and in the other on what is added
# expect: nothing
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first, self.dropout = norm_first, nn.Dropout(dropout)
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)

    def forward(self, x, mask=None):
        if not self.norm_first:
            attended = self.self_attention(x, x, x, mask)
            x = self.norm1(x + self.dropout(attended))
            return self.norm2(self.dropout(self.feed_forward(x) + x))
        y = self.norm1(x)
        x = x + self.dropout(self.self_attention(y, y, y, mask))
        return x + self.dropout(self.feed_forward(self.norm2(x)))


# %% EncoderBlock: in the paper's order dropout acts on what comes out of the second norm
# expect: nothing
class EncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first, self.dropout = norm_first, nn.Dropout(dropout)
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)

    def forward(self, x, mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout(self.self_attention(y, y, y, mask))
            x = x + self.dropout(self.feed_forward(self.norm2(x)))
            return x
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        return self.dropout(self.norm2(x + self.feed_forward(x)))
