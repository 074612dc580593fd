"""Lesson 3, solved correctly in many ways."""

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from solutions.arguments import check_dropout, check_even, check_length
from solutions.positional_encoding import sinusoidal_encoding


# %% sinusoidal_encoding: exponential of a logarithm, float32 throughout
def sinusoidal_encoding(length, d_model):
    pe = torch.zeros(length, d_model)
    position = torch.arange(0, length).unsqueeze(1).float()
    div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term[: d_model // 2])
    return pe


# %% sinusoidal_encoding: complex numbers on the unit circle
def sinusoidal_encoding(length, d_model):
    frequency = 10000 ** (-torch.arange(0, d_model, 2).double() / d_model)
    angle = torch.outer(torch.arange(length).double(), frequency)
    hands = torch.polar(torch.ones_like(angle), math.pi / 2 - angle)  # sine + i cosine
    return torch.view_as_real(hands).flatten(1)[:, :d_model].float()


# %% sinusoidal_encoding: Python's math in nested loops
def sinusoidal_encoding(length, d_model):
    encoding = torch.zeros(length, d_model)
    for pos in range(length):
        for i in range(0, d_model, 2):
            angle = pos / 10000 ** (i / d_model)
            encoding[pos, i] = math.sin(angle)
            if i + 1 < d_model:
                encoding[pos, i + 1] = math.cos(angle)
    return encoding


# %% sinusoidal_encoding: NumPy, returned in its float64
def sinusoidal_encoding(length, d_model):
    pos = np.arange(length)[:, np.newaxis]
    column = np.arange(d_model)[np.newaxis, :]
    angles = pos / np.power(10000, (2 * (column // 2)) / d_model)
    angles[:, 0::2] = np.sin(angles[:, 0::2])
    angles[:, 1::2] = np.cos(angles[:, 1::2])
    return torch.from_numpy(angles)


# %% sinusoidal_encoding: sines and cosines stacked, flattened and cut
def sinusoidal_encoding(length, d_model):
    pairs = (d_model + 1) // 2
    i = torch.arange(pairs, dtype=torch.float32)
    angle = torch.arange(length, dtype=torch.float32)[:, None] / torch.pow(
        torch.tensor(10000.0), 2 * i / d_model
    )
    both = torch.stack((angle.sin(), angle.cos()), dim=-1)  # (length, pairs, 2)
    return both.reshape(length, 2 * pairs)[:, :d_model]


# %% sinusoidal_encoding: every column a sine, the odd ones a quarter turn ahead
def sinusoidal_encoding(length, d_model, base=10000.0):
    column = torch.arange(d_model, dtype=torch.float64)
    even = column - column % 2
    quarter = (column % 2) * (math.pi / 2)
    position = torch.arange(length, dtype=torch.float64).view(-1, 1)
    return torch.sin(position * base ** (-even / d_model) + quarter).to(torch.get_default_dtype())


# %% sinusoidal_encoding: torch.where between both functions
def sinusoidal_encoding(length, d_model):
    column = torch.arange(d_model)
    exponent = 2 * torch.div(column, 2, rounding_mode="floor") / d_model
    angle = torch.arange(length).unsqueeze(-1) * torch.exp(-exponent * math.log(10_000))
    return torch.where(column % 2 == 0, torch.sin(angle), torch.cos(angle))


# %% sinusoidal_encoding: clock hands turned step by step
def sinusoidal_encoding(length, d_model):
    encoding = torch.empty(length, d_model, dtype=torch.float64)
    two_i = torch.arange(0, d_model, 2, dtype=torch.float64)
    step = 10000 ** (-two_i / d_model)
    sine, cosine = torch.zeros_like(step), torch.ones_like(step)
    for row in encoding:
        row[0::2] = sine
        row[1::2] = cosine[: d_model // 2]
        sine, cosine = (
            sine * step.cos() + cosine * step.sin(),
            cosine * step.cos() - sine * step.sin(),
        )
    return encoding.float()


# %% sinusoidal_encoding: cumulative products of complex numbers
def sinusoidal_encoding(length, d_model):
    n = -(-d_model // 2)
    frequency = torch.logspace(0, -8 * (n - 1) / d_model, n, dtype=torch.float64)
    turns = torch.exp(1j * frequency).expand(length, n).clone()
    turns[:1] = 1
    hands = turns.cumprod(dim=0)
    encoding = torch.zeros(length, 2 * n)
    encoding[:, ::2], encoding[:, 1::2] = hands.imag, hands.real
    return encoding[:, :d_model].contiguous()


# %% sinusoidal_encoding: column by column, kept in a cache and cloned
@functools.lru_cache(maxsize=8)
def prepared(length, d_model):
    position = torch.arange(length, dtype=torch.float64)
    columns = []
    for j in range(d_model):
        wave = torch.cos if j % 2 else torch.sin
        columns.append(wave(position / math.pow(10000, (j - j % 2) / d_model)))
    return torch.stack(columns, dim=1).to(torch.float32)


def sinusoidal_encoding(length, d_model):
    return prepared(length, d_model).clone()


# %% sinusoidal_encoding: a class that is called like a function
class sinusoidal_encoding:
    def __new__(cls, length, d_model):
        angle = cls.angles(length, range(0, d_model, 2), d_model)
        encoding = np.empty((length, d_model), dtype=np.float32)
        encoding[:, 0::2] = np.sin(angle)
        encoding[:, 1::2] = np.cos(angle[:, : d_model // 2])
        return torch.as_tensor(encoding)

    @staticmethod
    def angles(length, two_i, d_model):
        return np.outer(np.arange(length), 10000.0 ** (-np.array(two_i) / d_model))


# %% shift_matrix: two by two blocks on the diagonal
def shift_matrix(offset, d_model):
    blocks = []
    for i in range(0, d_model, 2):
        angle = offset / 10000 ** (i / d_model)
        c, s = math.cos(angle), math.sin(angle)
        blocks.append(torch.tensor([[c, s], [-s, c]]))
    return torch.block_diag(*blocks)


# %% shift_matrix: entries written one by one
def shift_matrix(offset, d_model):
    check_even("d_model", d_model)
    M = torch.zeros(d_model, d_model)
    for i in range(d_model // 2):
        w = 1 / 10000 ** (2 * i / d_model)
        M[2 * i, 2 * i] = M[2 * i + 1, 2 * i + 1] = math.cos(offset * w)
        M[2 * i, 2 * i + 1] = math.sin(offset * w)
        M[2 * i + 1, 2 * i] = -math.sin(offset * w)
    return M


# %% shift_matrix: diagonals above, on and below
def shift_matrix(offset, d_model):
    angle = offset * 10000 ** (-torch.arange(0, d_model, 2).double() / d_model)
    zero = torch.zeros_like(angle)
    beside = torch.stack([angle.sin(), zero], dim=1).flatten()[:-1]
    matrix = torch.diag(angle.cos().repeat_interleave(2))
    matrix += torch.diag(beside, 1) - torch.diag(beside, -1)
    return matrix.float()


# %% shift_matrix: exponential of the generator
def shift_matrix(offset, d_model):
    generator = torch.zeros(d_model, d_model, dtype=torch.float64)
    even = torch.arange(0, d_model, 2)
    frequency = 10000 ** (-even.double() / d_model)
    angle = (offset * frequency) % (2 * math.pi)  # whole turns change nothing
    generator[even, even + 1] = angle
    generator[even + 1, even] = -angle
    return torch.matrix_exp(generator).float()


# %% shift_matrix: complex multiplication applied to the unit vectors, float32
def shift_matrix(offset, d_model):
    frequency = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    turn = torch.polar(torch.ones(d_model // 2), -offset * frequency)
    unit = torch.eye(d_model).view(d_model, d_model // 2, 2)
    hands = torch.view_as_complex(unit) * turn
    return torch.view_as_real(hands).reshape(d_model, d_model).T


# %% shift_matrix: four strided assignments in NumPy, returned in float64
def shift_matrix(offset, d_model):
    angle = offset / np.power(10000.0, np.arange(0, d_model, 2) / d_model)
    matrix = np.zeros((d_model, d_model))
    k = np.arange(0, d_model, 2)
    matrix[k, k] = matrix[k + 1, k + 1] = np.cos(angle)
    matrix[k, k + 1] = np.sin(angle)
    matrix[k + 1, k] = -matrix[k, k + 1]
    return torch.tensor(matrix)


# %% shift_matrix: one step, taken again and again
def shift_matrix(offset, d_model):
    angle = 10000 ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    same = torch.eye(2, dtype=torch.float64)
    step = torch.block_diag(*[math.cos(a) * same + math.sin(a) * turn for a in angle.tolist()])
    if offset < 0:
        step = step.T  # a rotation is undone by its transpose
    return torch.linalg.matrix_power(step, abs(offset)).to(torch.float32)


# %% PositionalEncoding: a buffer with a batch dimension
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.max_length = max_length
        self.dropout = nn.Dropout(p=dropout)
        self.register_buffer("pe", sinusoidal_encoding(max_length, d_model).unsqueeze(0))

    def forward(self, x):
        check_length(x.shape[-2], self.max_length)
        x = x + self.pe[:, : x.size(1)].to(x.dtype)
        return self.dropout(x)


# %% PositionalEncoding: a buffer made when it is first needed
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.d_model = d_model
        self.max_length = max_length
        self.p = dropout
        self.register_buffer("table", None, persistent=False)

    def forward(self, x):
        length = x.shape[1]
        check_length(length, self.max_length)
        if self.table is None or len(self.table) < length:
            self.table = sinusoidal_encoding(length, self.d_model).to(x.device)
        encoding = self.table[:length].to(device=x.device, dtype=x.dtype)
        return F.dropout(x + encoding, self.p, self.training)


# %% PositionalEncoding: a buffer of whole numbers, waves made on every call
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.d_model = d_model
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("positions", torch.arange(max_length), persistent=False)

    def encoding(self, length):
        position = self.positions[:length].double().unsqueeze(1)
        two_i = torch.arange(0, self.d_model, 2, device=position.device)
        angle = position / 10000 ** (two_i / self.d_model)
        waves = torch.stack([angle.sin(), angle.cos()], dim=2)
        return waves.flatten(1)[:, : self.d_model]

    def forward(self, x):
        if x.shape[1] > len(self.positions):
            raise ValueError(f"{x.shape[1]} is more than {len(self.positions)} positions")
        return self.dropout(x + self.encoding(x.shape[1]).to(x.dtype))


# %% PositionalEncoding: looked up like an embedding, dropout by hand
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.keep = 1 - dropout
        self.encoding = nn.Buffer(sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        check_length(x.shape[1], len(self.encoding))
        position = torch.arange(x.shape[1], device=x.device)
        y = F.embedding(position, self.encoding).type_as(x) + x
        if self.training and self.keep < 1:
            kept = torch.rand(y.shape, device=y.device) < self.keep
            y = torch.where(kept, y / self.keep, 0.0)
        return y


# %% PositionalEncoding: length first in the buffer, noise added in place on a clone
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.max_length = max_length
        encoding = torch.zeros(max_length, 1, d_model)
        position = torch.arange(max_length).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        encoding[:, 0, 0::2] = torch.sin(position * div_term)
        encoding[:, 0, 1::2] = torch.cos(position * div_term)[:, : d_model // 2]
        self.register_buffer("encoding", encoding)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        check_length(x.shape[1], self.max_length)
        y = x.clone()
        y += self.encoding[: x.shape[1]].transpose(0, 1).to(y.dtype)
        return self.dropout(y)


# %% PositionalEncoding: sines and cosines in two buffers, token by token
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.d_model, self.max_length, self.rate = d_model, max_length, dropout
        table = sinusoidal_encoding(max_length, d_model)
        self.register_buffer("sines", table[:, 0::2].clone())
        self.register_buffer("cosines", table[:, 1::2].clone())

    def forward(self, x):
        check_length(x.shape[1], self.max_length)
        tokens = []
        for i, token in enumerate(x.unbind(1)):
            wave = torch.empty(self.d_model, dtype=x.dtype, device=x.device)
            wave[0::2], wave[1::2] = self.sines[i], self.cosines[i]
            tokens.append(token + wave)
        y = torch.stack(tokens, dim=1)
        if not self.training:
            return y
        kept = torch.empty(y.shape, device=y.device).bernoulli_(1 - self.rate)
        return y * (kept / (1 - self.rate)).to(y.dtype)


# %% PositionalEncoding: the usual tutorial code, whose table cannot have an odd width
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        pe = torch.zeros(max_length, d_model)
        position = torch.arange(0, max_length).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * -(math.log(10000.0) / d_model))
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        pe = pe.unsqueeze(0)
        self.register_buffer("pe", pe)

    def forward(self, x):
        x = x + self.pe[:, : x.size(1)].requires_grad_(False).to(x.dtype)
        return self.dropout(x)
