"""Lesson 4: norms, dropout and residuals, each with something left out."""

import torch
from torch import nn

from ..encoder_block import Encoder, EncoderBlock, FeedForward, LayerNorm
from .table import goes_wrong


@goes_wrong("encoder_block.LayerNorm", "eps_outside_the_root")
class NormedByTheSpread(LayerNorm):
    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return torch.addcmul(self.bias, x - mean, self.weight / (variance**0.5 + self.eps))


@goes_wrong("encoder_block.LayerNorm", "no_eps")
class NothingUnderTheRoot(LayerNorm):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model, eps=0.0)


@goes_wrong("encoder_block.LayerNorm", "over_tokens")
class NormedOverTokens(LayerNorm):
    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=-2, correction=0, keepdim=True)
        return torch.addcmul(self.bias, (x - mean) / (variance + self.eps) ** 0.5, self.weight)


@goes_wrong("encoder_block.FeedForward", "no_activation")
class Straight(FeedForward):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__(d_model, d_ff, dropout=dropout)
        self.between[0] = nn.Identity()


class DropsOnly(nn.Dropout):
    """What is left is as large as before."""

    def forward(self, input):
        return super().forward(input) * (1 - self.p) if self.training else input


@goes_wrong("encoder_block.FeedForward", "dropout_not_scaled")
class SmallerInTraining(FeedForward):
    def __init__(self, d_model, d_ff, dropout=0.1):
        super().__init__(d_model, d_ff, dropout=dropout)
        self.between[1] = DropsOnly(dropout)


class WithoutSums:
    """What goes into a sub-layer is not added to what comes out; before a Block among its bases."""

    def through(self, x, steps):
        for norm, step in steps:
            x = self.drop(step(norm(x))) if self.norm_first else norm(self.drop(step(x)))
        return x


@goes_wrong("encoder_block.EncoderBlock", "no_residual")
class NoWayPast(WithoutSums, EncoderBlock):
    pass


@goes_wrong("encoder_block.Encoder", "no_final_norm")
class LastSumAsItIs(Encoder):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.norm = None


@goes_wrong("encoder_block.Encoder", "same_block_repeated")
class OneBlockForAll(Encoder):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        for number in range(1, num_layers):
            self.layers[number] = self.layers[0]
