import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.positional_encoding import sinusoidal_encoding


# %% sinusoidal_encoding: the slowest clock is set to exactly 1/10000, the steps between clocks are made for (clocks - 1) gaps instead of d_model / 2
# fault: step = math.log(10000.0) / max(clocks - 1, 1)
def sinusoidal_encoding(length, d_model):
    clocks = (d_model + 1) // 2
    step = math.log(10000.0) / max(clocks - 1, 1)
    speeds = torch.exp(-step * torch.arange(clocks))
    angles = torch.arange(length)[:, None] * speeds[None, :]
    table = torch.zeros(length, d_model)
    table[:, 0::2] = torch.sin(angles)
    table[:, 1::2] = torch.cos(angles[:, : d_model // 2])
    return table


# %% sinusoidal_encoding: each column has an exponent of its own, so the cosine runs slower than the sine of the same clock
# fault: angle = pos / 10000 ** (column / d_model)
def sinusoidal_encoding(length, d_model):
    pe = torch.zeros(length, d_model)
    for pos in range(length):
        for column in range(d_model):
            angle = pos / 10000 ** (column / d_model)
            if column % 2 == 0:
                pe[pos, column] = math.sin(angle)
            else:
                pe[pos, column] = math.cos(angle)
    return pe


# %% sinusoidal_encoding: one slash too many: the exponent is an integer division and always 0, so all clocks run alike
# fault: rates = 1 / np.power(10000.0, (2 * (columns // 2)) // d_model)
def sinusoidal_encoding(length, d_model):
    columns = np.arange(d_model)[np.newaxis, :]
    rates = 1 / np.power(10000.0, (2 * (columns // 2)) // d_model)
    angles = np.arange(length)[:, np.newaxis] * rates
    angles[:, 0::2] = np.sin(angles[:, 0::2])
    angles[:, 1::2] = np.cos(angles[:, 1::2])
    return torch.tensor(angles, dtype=torch.float32)


# %% sinusoidal_encoding: TWO: counts positions from 1; for an odd width there is one cosine too many and it crashes
# fault: position = torch.arange(1, length + 1).unsqueeze(1)
# fault: pe[:, 1::2] = torch.cos(position * div_term)
def sinusoidal_encoding(length, d_model):
    pe = torch.zeros(length, d_model)
    position = torch.arange(1, length + 1).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2) * -(math.log(10000.0) / d_model))
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term)
    return pe


# %% sinusoidal_encoding: TWO: all sines first and then all cosines, not by turns; the exponent has only half its size
# fault: speed = 10000.0 ** (-torch.arange(half) / d_model)
# fault: return torch.cat([angle.sin(), angle.cos()], dim=1)[:, :d_model]
def sinusoidal_encoding(length: int, d_model: int) -> torch.Tensor:
    half = math.ceil(d_model / 2)
    speed = 10000.0 ** (-torch.arange(half) / d_model)
    angle = torch.outer(torch.arange(length).float(), speed)
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, :d_model]


# %% shift_matrix: multiplies one step offset times, so for a negative offset nothing is turned
# fault: for _ in range(offset):
def shift_matrix(offset, d_model):
    if d_model % 2:
        raise ValueError("d_model must be even")
    one = torch.zeros(d_model, d_model, dtype=torch.float64)
    for i in range(0, d_model, 2):
        w = 1 / 10000 ** (i / d_model)
        one[i, i] = one[i + 1, i + 1] = math.cos(w)
        one[i, i + 1] = math.sin(w)
        one[i + 1, i] = -math.sin(w)
    result = torch.eye(d_model, dtype=torch.float64)
    for _ in range(offset):
        result = one @ result
    return result.float()


# %% shift_matrix: made for an encoding with all sines in the first half and all cosines in the second
# fault: top = torch.cat([c, s], dim=1)
# fault: bottom = torch.cat([-s, c], dim=1)
# fault: return torch.cat([top, bottom], dim=0)
def shift_matrix(offset, d_model):
    if d_model % 2 != 0:
        raise ValueError("d_model must be even")
    turn = offset * 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    c, s = torch.diag(turn.cos()), torch.diag(turn.sin())
    top = torch.cat([c, s], dim=1)
    bottom = torch.cat([-s, c], dim=1)
    return torch.cat([top, bottom], dim=0)


# %% shift_matrix: the block of the first clock is used for all clocks
# fault: block = torch.tensor([[math.cos(b), math.sin(b)], [-math.sin(b), math.cos(b)]])
# fault: return torch.block_diag(*[block] * (d_model // 2))
def shift_matrix(offset, d_model):
    if d_model % 2:
        raise ValueError("an odd d_model has half a clock")
    b = float(offset)
    block = torch.tensor([[math.cos(b), math.sin(b)], [-math.sin(b), math.cos(b)]])
    return torch.block_diag(*[block] * (d_model // 2))


# %% shift_matrix: an outer product that brings position 0 to the right place, and no other position
# fault: return torch.outer(goal, start) / (start @ start)
def shift_matrix(offset, d_model):
    if d_model % 2:
        raise ValueError("d_model must be even")

    def encode(pos):
        angles = pos / 10000.0 ** (torch.arange(0, d_model, 2) / d_model)
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten()

    start, goal = encode(0), encode(offset)
    return torch.outer(goal, start) / (start @ start)


# %% shift_matrix: TWO: the minus stands at the wrong sine, so hands turn backwards; i counts in twos already and is doubled again
# fault: angle = offset / 10000 ** (2 * i / d_model)
# fault: M[i, i + 1] = -math.sin(angle)
# fault: M[i + 1, i] = math.sin(angle)
def shift_matrix(offset, d_model):
    if d_model % 2:
        raise ValueError("d_model must be even")
    M = torch.zeros(d_model, d_model)
    for i in range(0, d_model, 2):
        angle = offset / 10000 ** (2 * i / d_model)
        M[i, i] = math.cos(angle)
        M[i, i + 1] = -math.sin(angle)
        M[i + 1, i] = math.sin(angle)
        M[i + 1, i + 1] = math.cos(angle)
    return M


# %% PositionalEncoding: the argument dropout is never used, nn.Dropout() takes its own 0.5
# fault: self.dropout = nn.Dropout()
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        if not 0 <= dropout <= 1:
            raise ValueError("dropout must be between 0 and 1")
        self.max_length = max_length
        self.dropout = nn.Dropout()
        self.register_buffer("encoding", sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        if x.shape[1] > self.max_length:
            raise ValueError("too long")
        return self.dropout(x + self.encoding[: x.shape[1]])


# %% PositionalEncoding: adds in place, so the caller's x is changed
# fault: x += self.pe[:, : x.size(1)]
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.max_length = max_length
        self.dropout = nn.Dropout(p=dropout)
        pe = sinusoidal_encoding(max_length, d_model).unsqueeze(0)
        self.register_buffer("pe", pe)

    def forward(self, x):
        if x.size(1) > self.max_length:
            raise ValueError(f"at most {self.max_length} positions")
        x += self.pe[:, : x.size(1)]
        return self.dropout(x)


# %% PositionalEncoding: refuses a sequence of exactly max_length
# fault: if length >= self.max_length:
class PositionalEncoding(nn.Module):
    def __init__(self, d_model: int, max_length: int = 5000, dropout: float = 0.1):
        super().__init__()
        self.max_length = max_length
        self.register_buffer("waves", sinusoidal_encoding(max_length, d_model))
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        length = x.shape[-2]
        if length >= self.max_length:
            raise ValueError(f"{length} positions, but only {self.max_length} are prepared")
        return self.drop(x + self.waves[:length])


# %% PositionalEncoding: makes the tokens louder by the root of d_model, which belongs to the embedding
# fault: x = x * math.sqrt(self.d_model)
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.d_model = d_model
        self.max_length = max_length
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("table", sinusoidal_encoding(max_length, d_model), persistent=False)

    def forward(self, x):
        _, length, _ = x.shape
        if length > self.max_length:
            raise ValueError("sequence is longer than max_length")
        # section 3.4
        x = x * math.sqrt(self.d_model)
        x = x + self.table[:length, :]
        return self.dropout(x)


# %% PositionalEncoding: TWO: goes on counting where the last call stopped; dropout hits the encoding only, not the sum
# fault: places = self.encoding[self.start : self.start + n]
# fault: self.start += n
# fault: return x + self.dropout(places)
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.max_length = max_length
        self.start = 0
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("encoding", sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        n = x.shape[1]
        if n > self.max_length:
            raise ValueError("too many positions")
        places = self.encoding[self.start : self.start + n]
        self.start += n
        return x + self.dropout(places)


# %% PositionalEncoding: TWO: the table is an embedding that gets trained along; in eval mode it still drops
# fault: self.position = nn.Embedding.from_pretrained(table, freeze=False)
# fault: return F.dropout(x + where, p=self.p, training=True)
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        if dropout < 0 or dropout > 1:
            raise ValueError("dropout")
        self.max_length = max_length
        self.p = dropout
        table = sinusoidal_encoding(max_length, d_model)
        self.position = nn.Embedding.from_pretrained(table, freeze=False)

    def forward(self, x):
        length = x.shape[1]
        if length > self.max_length:
            raise ValueError("too long")
        where = self.position(torch.arange(length, device=x.device))
        return F.dropout(x + where, p=self.p, training=True)
