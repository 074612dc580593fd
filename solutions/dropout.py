"""Dropout as nn.Dropout does it, three times as fast on a CPU.

On a CPU nn.Dropout draws a whole random number for every feature, on one core, and that took a
fifth of a training step. To decide between two things, 16 random bits are enough.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

LEVELS = 2**16  # different values that 16 bits can have


class Dropout(nn.Dropout):
    """In training set each feature to 0 with probability p, and scale up the rest by 1 / (1 - p).

    The probability is rounded to a multiple of 1 / 65536, and what is kept is scaled to match.
    """

    def forward(self, x):
        """Any shape → the same shape."""
        if not self.training or self.p == 0:
            return x
        dropped_levels = round(self.p * LEVELS)
        countable = 0 < dropped_levels < LEVELS
        if x.device.type != "cpu" or torch.compiler.is_compiling() or not countable:
            return F.dropout(x, self.p)  # a GPU, or a compiler, does it in one go
        random_levels = random_16_bits(x.shape)  # -32768 … 32767, all equally likely
        kept = random_levels >= dropped_levels - LEVELS // 2
        return x * kept.to(x.dtype).mul_(LEVELS / (LEVELS - dropped_levels))


def random_16_bits(shape):
    """Random int16 numbers, four from each draw of 64 bits."""
    count = math.prod(shape)
    draws = torch.empty(math.ceil(count / 4), dtype=torch.int64, device="cpu")
    draws.random_(-(2**63), None)  # None: up to the largest int64
    return draws.view(torch.int16)[:count].view(shape)
