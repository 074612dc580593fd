"""Lesson 3: waves of the wrong lengths, in the wrong columns, along the wrong dimension."""

import torch

from solutions.arguments import check_length

from ..positional_encoding import PositionalEncoding, hands
from .table import goes_wrong

POSITIONS = "positional_encoding.PositionalEncoding"


@goes_wrong("positional_encoding.sinusoidal_encoding", "exponent_doubled")
def waves_grow_too_fast(length, d_model):
    table = hands(range(length), d_model, base=10000.0**2).flatten(1)
    return table[:, :d_model].to(torch.get_default_dtype())


@goes_wrong(POSITIONS, "exponent_doubled")
class TooFast(PositionalEncoding):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__(d_model, max_length, dropout=dropout)
        self.table.copy_(waves_grow_too_fast(max_length, d_model))


@goes_wrong(POSITIONS, "sine_and_cosine_swapped")
class Swapped(PositionalEncoding):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__(d_model, max_length, dropout=dropout)
        turned = hands(range(max_length), d_model).flip(-1)
        self.table.copy_(turned.flatten(1)[:, :d_model])


@goes_wrong(POSITIONS, "by_sequence")
class NumbersTheSequences(PositionalEncoding):
    def forward(self, x):
        check_length(x.shape[-2], self.max_length)
        return self.dropout(torch.add(x, self.table[: len(x)].unsqueeze(1).type_as(x)))
