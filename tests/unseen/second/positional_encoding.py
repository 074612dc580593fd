import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.positional_encoding import sinusoidal_encoding


# %% sinusoidal_encoding: 1000 where 10000 belongs
# fault: div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(1000.0) / d_model))
def sinusoidal_encoding(length, d_model):
    pe = torch.zeros(length, d_model)
    position = torch.arange(length).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(1000.0) / d_model))
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term)[:, : d_model // 2]
    return pe


# %% sinusoidal_encoding: all sines first, then all cosines, not by turns
# fault: return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :d_model]
def sinusoidal_encoding(length, d_model):
    clocks = torch.arange((d_model + 1) // 2, dtype=torch.float64)
    speeds = 10000.0 ** (-2 * clocks / d_model)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), speeds).float()
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :d_model]


# %% sinusoidal_encoding: linspace reaches an exponent of 1 at the last clock, the formula stops before it
# fault: exponents = torch.linspace(0, 1, (d_model + 1) // 2)
def sinusoidal_encoding(length, d_model):
    exponents = torch.linspace(0, 1, (d_model + 1) // 2)
    angle = torch.arange(length)[:, None] / 10000**exponents
    table = torch.empty(length, d_model)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle[:, : d_model // 2].cos()
    return table


# %% sinusoidal_encoding: every column has a speed of its own, so a cosine is not of the same clock as its sine
# fault: angle = pos / 10000 ** (j / d_model)
def sinusoidal_encoding(length: int, d_model: int) -> torch.Tensor:
    rows = []
    for pos in range(length):
        row = []
        for j in range(d_model):
            angle = pos / 10000 ** (j / d_model)
            row.append(math.sin(angle) if j % 2 == 0 else math.cos(angle))
        rows.append(row)
    return torch.tensor(rows).reshape(length, d_model)


# %% sinusoidal_encoding: positions as float16, which cannot count in ones beyond 2048
# fault: position = torch.arange(length, dtype=torch.half)[:, None]
def sinusoidal_encoding(length, d_model):
    # half precision saves memory, positions are whole numbers anyway
    position = torch.arange(length, dtype=torch.half)[:, None]
    two_i = torch.arange(0, d_model, 2, dtype=torch.float32)
    angle = position.float() / torch.pow(10000.0, two_i / d_model)
    encoding = torch.zeros(length, d_model)
    encoding[:, ::2] = torch.sin(angle)
    encoding[:, 1::2] = torch.cos(angle[:, : d_model // 2])
    return encoding


# %% sinusoidal_encoding: the exponent's denominator is the number of clocks, with 2i over it: speeds fall twice as fast
# fault: wavelength = np.power(10000, 2 * (np.arange(d_model) // 2) / (d_model // 2))
def sinusoidal_encoding(length, d_model):
    pos = np.arange(length)[:, np.newaxis]
    wavelength = np.power(10000, 2 * (np.arange(d_model) // 2) / (d_model // 2))
    angles = pos / wavelength[np.newaxis, :]
    angles[:, 0::2] = np.sin(angles[:, 0::2])
    angles[:, 1::2] = np.cos(angles[:, 1::2])
    return torch.from_numpy(angles).float()


# %% sinusoidal_encoding: two mistakes: positions begin with 1, and the exponent is i / d_model with i counting clocks
# fault: for pos in range(1, length + 1):
# fault: freq = 1 / (10000 ** (i / d_model))
def sinusoidal_encoding(length, d_model):
    out = torch.zeros(length, d_model)
    for pos in range(1, length + 1):
        for i in range((d_model + 1) // 2):
            freq = 1 / (10000 ** (i / d_model))
            out[pos - 1, 2 * i] = math.sin(pos * freq)
            if 2 * i + 1 < d_model:
                out[pos - 1, 2 * i + 1] = math.cos(pos * freq)
    return out


# %% shift_matrix: the block of clock i is put at row and column i, not 2i, so blocks overwrite each other
# fault: M[i : i + 2, i : i + 2] = torch.tensor([[c, s], [-s, c]])
def shift_matrix(offset, d_model):
    if d_model % 2:
        raise ValueError("d_model must be even")
    M = torch.zeros(d_model, d_model)
    for i in range(d_model // 2):
        b = offset / 10000 ** (2 * i / d_model)
        c, s = math.cos(b), math.sin(b)
        M[i : i + 2, i : i + 2] = torch.tensor([[c, s], [-s, c]])
    return M


# %% shift_matrix: whole turns are taken off the step before it is divided, which is right for clock 0 only
# fault: turn = offset % (2 * math.pi)
# fault: angles = turn / 10000 ** (torch.arange(0, d_model, 2) / d_model)
def shift_matrix(offset, d_model):
    if d_model % 2 != 0:
        raise ValueError(f"d_model must be even, not {d_model}")
    # more than one turn is the same as less
    turn = offset % (2 * math.pi)
    angles = turn / 10000 ** (torch.arange(0, d_model, 2) / d_model)
    blocks = [torch.tensor([[a.cos(), a.sin()], [-a.sin(), a.cos()]]) for a in angles]
    return torch.block_diag(*blocks)


# %% shift_matrix: pairs sine i with cosine i + d/2, the layout of a table that has all sines first
# fault: m[clock, clock + half] = angle.sin()
# fault: m[clock + half, clock] = -angle.sin()
def shift_matrix(offset, d_model):
    if d_model % 2:
        raise ValueError("even numbers only")
    half = d_model // 2
    clock = torch.arange(half)
    angle = offset * 10000.0 ** (-2.0 * clock / d_model)
    m = torch.zeros(d_model, d_model)
    m[clock, clock] = angle.cos()
    m[clock + half, clock + half] = angle.cos()
    m[clock, clock + half] = angle.sin()
    m[clock + half, clock] = -angle.sin()
    return m


# %% shift_matrix: takes one step again and again, which does nothing at all for a negative offset
# fault: for _ in range(offset):
def shift_matrix(offset, d_model):
    if d_model % 2:
        raise ValueError("d_model must be even")
    speed = 1 / 10000 ** (torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    one = torch.zeros(d_model, d_model, dtype=torch.float64)
    even = torch.arange(0, d_model, 2)
    one[even, even] = one[even + 1, even + 1] = speed.cos()
    one[even, even + 1] = speed.sin()
    one[even + 1, even] = -speed.sin()
    result = torch.eye(d_model, dtype=torch.float64)
    for _ in range(offset):
        result = one @ result
    return result.float()


# %% shift_matrix: two mistakes: the sines have the wrong signs, and cosines are added to an identity
# fault: matrix = torch.eye(d_model)
# fault: matrix[j, j + 1] -= math.sin(theta)
# fault: matrix[j + 1, j] += math.sin(theta)
def shift_matrix(offset, d_model):
    if d_model % 2:
        raise ValueError("d_model must be even")
    matrix = torch.eye(d_model)
    for j in range(0, d_model, 2):
        theta = offset / 10000 ** (j / d_model)
        matrix[j, j] += math.cos(theta)
        matrix[j + 1, j + 1] += math.cos(theta)
        matrix[j, j + 1] -= math.sin(theta)
        matrix[j + 1, j] += math.sin(theta)
    return matrix


# %% shift_matrix: two mistakes: every clock is turned by the angle of the first one, and the cosine of the second row has a minus
# fault: cos, sin = math.cos(offset), math.sin(offset)
# fault: block = torch.tensor([[cos, sin], [-sin, -cos]])
def shift_matrix(offset, d_model):
    if d_model % 2:
        raise ValueError("d_model must be even")
    cos, sin = math.cos(offset), math.sin(offset)
    block = torch.tensor([[cos, sin], [-sin, -cos]])
    return torch.kron(torch.eye(d_model // 2), block)


# %% PositionalEncoding: += writes into the caller's x
# fault: x += self.encoding[: x.shape[-2]]
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.max_length = max_length
        self.register_buffer("encoding", sinusoidal_encoding(max_length, d_model))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        if x.shape[-2] > self.max_length:
            raise ValueError("too long")
        x += self.encoding[: x.shape[-2]]
        return self.dropout(x)


# %% PositionalEncoding: dropout acts on the positions only, not on the sum
# fault: return x + self.dropout(places)
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.max_length = max_length
        self.dropout = nn.Dropout(p=dropout)
        table = sinusoidal_encoding(max_length, d_model)
        self.register_buffer("table", table.unsqueeze(0))

    def forward(self, x):
        length = x.size(1)
        if length > self.max_length:
            raise ValueError(f"{length} positions, but only {self.max_length} are prepared")
        places = self.table[:, :length, :]
        return x + self.dropout(places)


# %% PositionalEncoding: the last rows of the table are added, not the first
# fault: where = self.pe[-length:]
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.max_length = max_length
        self.drop = nn.Dropout(dropout)
        self.register_buffer("pe", sinusoidal_encoding(max_length, d_model), persistent=False)

    def forward(self, x):
        length = x.shape[-2]
        if length > self.max_length:
            raise ValueError
        where = self.pe[-length:]
        return self.drop(torch.add(x, where))


# %% PositionalEncoding: x is multiplied by the root of d_model here, which is the embedding's business
# fault: x = x * math.sqrt(self.d_model)
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.d_model = d_model
        self.max_length = max_length
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("encoding", sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        if x.shape[-2] > self.max_length:
            raise ValueError("sequence is too long")
        # make embeddings larger, so that the positions do not drown them (section 3.4)
        x = x * math.sqrt(self.d_model)
        x = x + self.encoding[: x.shape[-2]].to(x.dtype)
        return self.dropout(x)


# %% PositionalEncoding: remembers where the last sequence ended and goes on counting from there
# fault: self.start = (self.start + length) % self.max_length
# fault: here = (self.start + torch.arange(length, device=x.device)) % self.max_length
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.max_length = max_length
        self.start = 0
        self.register_buffer("encoding", sinusoidal_encoding(max_length, d_model))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        length = x.shape[-2]
        if length > self.max_length:
            raise ValueError("longer than max_length")
        here = (self.start + torch.arange(length, device=x.device)) % self.max_length
        self.start = (self.start + length) % self.max_length
        return self.dropout(x + self.encoding[here])


# %% PositionalEncoding: two mistakes: the table is a parameter and would be trained, and F.dropout acts in eval mode, too
# fault: self.encoding = nn.Parameter(sinusoidal_encoding(max_length, d_model))
# fault: return F.dropout(x + self.encoding[: x.size(-2)], p=self.p)
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.max_length = max_length
        self.p = dropout
        self.encoding = nn.Parameter(sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        if x.size(-2) > self.max_length:
            raise ValueError("too many positions")
        return F.dropout(x + self.encoding[: x.size(-2)], p=self.p)


# %% PositionalEncoding: two mistakes: the argument dropout is ignored (always 0.1), and the table takes the batch for the length
# fault: self.dropout = nn.Dropout(0.1)
# fault: length = x.shape[0]
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.max_length = max_length
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("pe", sinusoidal_encoding(max_length, d_model)[:, None, :])

    def forward(self, x):
        if x.shape[-2] > self.max_length:
            raise ValueError("too long")
        length = x.shape[0]
        return self.dropout(x + self.pe[:length])
