"""Stand-bys for lesson 3: waves as complex numbers, turned by multiplying."""

import torch
from torch import nn

from solutions.arguments import check_dropout, check_even, check_length


def hands(positions, d_model, base=10000.0):
    """A clock hand (sine, cosine) for each position and each pair of features, as float64."""
    pairs = torch.arange((d_model + 1) // 2, dtype=torch.float64)
    speeds = torch.pow(base, -2 * pairs / d_model)
    angles = torch.outer(torch.as_tensor(positions, dtype=torch.float64), speeds)
    return torch.view_as_real(torch.polar(torch.ones_like(angles), angles)).flip(-1)


def sinusoidal_encoding(length, d_model):
    waves = hands(range(length), d_model).flatten(1)
    return waves.narrow(1, 0, d_model).to(torch.get_default_dtype()).contiguous()


def shift_matrix(offset, d_model):
    check_even("d_model", d_model)
    turns = [
        torch.stack([hand.flip(0), hand * hand.new_tensor([-1.0, 1.0])])
        for hand in hands([offset], d_model).squeeze(0)
    ]
    return torch.block_diag(*turns).to(torch.get_default_dtype())


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.max_length, self.dropout = max_length, nn.Dropout(dropout)
        table = sinusoidal_encoding(max_length, d_model)
        self.register_buffer("table", table, persistent=False)

    def forward(self, x):
        check_length(x.shape[-2], self.max_length)
        return self.dropout(torch.add(x, self.table.narrow(0, 0, x.shape[-2]).type_as(x)))
