import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from solutions.arguments import check_dropout, check_even, check_length
from solutions.positional_encoding import sinusoidal_encoding


# %% sinusoidal_encoding: the exponent is doubled, i steps by 2 and is multiplied by 2 again
# expect: exponent_doubled
def sinusoidal_encoding(length, d_model):
    pe = torch.zeros(length, d_model)
    for pos in range(length):
        for i in range(0, d_model, 2):
            pe[pos, i] = math.sin(pos / (10000 ** ((2 * i) / d_model)))
            if i + 1 < d_model:
                pe[pos, i + 1] = math.cos(pos / (10000 ** ((2 * i) / d_model)))
    return pe


# %% sinusoidal_encoding: the exponent is halved, i / d_model in place of 2i / d_model
# expect: exponent_halved
def sinusoidal_encoding(length, d_model):
    pairs = (d_model + 1) // 2
    i = torch.arange(pairs, dtype=torch.float32)
    frequency = torch.exp(-math.log(10000.0) * i / d_model)
    phase = torch.outer(torch.arange(length).float(), frequency)
    both = torch.stack((phase.sin(), phase.cos()), dim=2)
    return both.reshape(length, 2 * pairs)[:, :d_model]


# %% sinusoidal_encoding: cosine stands in the even columns and sine in the odd ones
# expect: sine_and_cosine_swapped
def sinusoidal_encoding(length, d_model):
    table = np.zeros((length, d_model))
    positions = np.arange(length)
    for column in range(d_model):
        wave = positions / np.power(10000, 2 * (column // 2) / d_model)
        table[:, column] = np.cos(wave) if column % 2 == 0 else np.sin(wave)
    return torch.tensor(table, dtype=torch.float32)


# %% sinusoidal_encoding: all sines first and then all cosines, not by turns
# expect: halves
def sinusoidal_encoding(length, d_model):
    half = math.ceil(d_model / 2)
    inv_freq = 1.0 / (10000 ** (torch.arange(0, d_model, 2).double() / d_model))
    assert len(inv_freq) == half
    angles = torch.einsum("p,f->pf", torch.arange(length).double(), inv_freq)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)[:, :d_model].float()


# %% sinusoidal_encoding: the base is 1000 and not 10000
# expect: base_1000
def sinusoidal_encoding(length, d_model):
    pos = torch.arange(length).unsqueeze(1).float()
    div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(1000.0) / d_model))
    pe = torch.zeros(length, d_model)
    pe[:, 0::2] = torch.sin(pos * div_term)
    pe[:, 1::2] = torch.cos(pos * div_term[: d_model // 2])
    return pe


# %% sinusoidal_encoding: positions are counted from 1
# expect: positions_from_1
def sinusoidal_encoding(length, d_model):
    def vector(pos):
        out = []
        for c in range(d_model):
            angle = pos / 10000 ** ((c - c % 2) / d_model)
            out.append(math.cos(angle) if c % 2 else math.sin(angle))
        return out

    return torch.tensor([vector(p) for p in range(1, length + 1)]).reshape(length, d_model)


# %% sinusoidal_encoding: sine in every column, no cosine
# expect: only_sines
def sinusoidal_encoding(length, d_model):
    column = torch.arange(d_model)
    rate = 10000.0 ** (-(column - column % 2) / d_model)
    return torch.sin(torch.arange(length)[:, None] * rate[None, :])


# %% sinusoidal_encoding: odd columns use their own index in the exponent and not that of the pair
# expect: exponent_of_the_column
def sinusoidal_encoding(length, d_model):
    col = torch.arange(d_model, dtype=torch.float64)
    angle = torch.arange(length, dtype=torch.float64)[:, None] / 10000 ** (col / d_model)
    even = (torch.arange(d_model) % 2 == 0).expand(length, d_model)
    return torch.where(even, angle.sin(), angle.cos()).float()


# %% sinusoidal_encoding: an odd d_model raises an error
# expect: odd_width_fails
def sinusoidal_encoding(length, d_model):
    encoding = torch.zeros(length, d_model)
    pos = torch.arange(0, length, dtype=torch.float).view(-1, 1)
    w = torch.pow(10000.0, -torch.arange(0, d_model, 2).float() / d_model)
    encoding[:, 0::2] = torch.sin(pos * w)
    encoding[:, 1::2] = torch.cos(pos * w)
    return encoding


# %% sinusoidal_encoding: for an odd d_model the last column stays 0
# expect: odd_width_loses_last_column
def sinusoidal_encoding(length, d_model):
    pe = torch.zeros(length, d_model)
    p = torch.arange(length, dtype=torch.float64)
    for i in range(d_model // 2):
        w = 1 / 10000 ** (2 * i / d_model)
        pe[:, 2 * i] = torch.sin(w * p)
        pe[:, 2 * i + 1] = torch.cos(w * p)
    return pe


# %% sinusoidal_encoding: for an odd d_model the exponent is divided by d_model + 1
# expect: odd_width_made_even
def sinusoidal_encoding(length, d_model):
    # work with an even number of columns and cut the last one off
    even = d_model + d_model % 2
    angle = np.arange(length)[:, None] / 10000 ** (np.arange(0, even, 2)[None, :] / even)
    out = np.empty((length, even), dtype=np.float32)
    out[:, 0::2], out[:, 1::2] = np.sin(angle), np.cos(angle)
    return torch.from_numpy(np.ascontiguousarray(out[:, :d_model]))


# %% sinusoidal_encoding: one row too many
# expect: one_row_too_many
def sinusoidal_encoding(length, d_model):
    rows = []
    two_i = torch.arange(0, d_model, 2)
    for pos in range(0, length + 1):
        angle = pos / torch.pow(torch.tensor(10000.0), two_i / d_model)
        rows.append(torch.stack([angle.sin(), angle.cos()], dim=1).flatten()[:d_model])
    return torch.stack(rows)


# %% sinusoidal_encoding: a batch dimension too many, the shape is (1, length, d_model)
# expect: with_a_batch
def sinusoidal_encoding(length, d_model):
    pe = torch.zeros(length, d_model)
    position = torch.arange(0, length).unsqueeze(1)
    div = torch.exp(torch.arange(0, d_model, 2) * -(math.log(10000.0) / d_model))
    pe[:, 0::2] = torch.sin(position * div)
    pe[:, 1::2] = torch.cos(position * div)[:, : d_model // 2]
    return pe.unsqueeze(0)


# %% sinusoidal_encoding: angles are worked out in bfloat16, far positions are wrong
# expect: nothing
def sinusoidal_encoding(length, d_model):
    position = torch.arange(length, dtype=torch.bfloat16)[:, None]
    step = torch.arange(0, d_model, 2, dtype=torch.bfloat16)
    angle = position / 10000 ** (step / d_model)
    columns = [f(angle) for f in (torch.sin, torch.cos)]
    return torch.stack(columns, dim=-1).flatten(1)[:, :d_model].float()


# %% sinusoidal_encoding: positions are kept as uint8 and start again at 256
# expect: nothing
def sinusoidal_encoding(length, d_model):
    places = np.arange(length).astype(np.uint8)
    powers = 10000.0 ** (-2 * (np.arange(d_model) // 2) / d_model)
    angles = np.outer(places, powers)
    angles[:, 0::2] = np.sin(angles[:, 0::2])
    angles[:, 1::2] = np.cos(angles[:, 1::2])
    return torch.as_tensor(angles, dtype=torch.float32)


# %% sinusoidal_encoding: the slowest wave is exactly 10000, the exponent is i / (pairs - 1)
# expect: slowest_wave_stretched
def sinusoidal_encoding(length, d_model):
    pairs = (d_model + 1) // 2
    increment = math.log(10000) / max(pairs - 1, 1)
    scales = torch.exp(torch.arange(pairs) * -increment)
    signal = torch.arange(length)[:, None] * scales[None, :]
    return torch.stack([signal.sin(), signal.cos()], -1).reshape(length, -1)[:, :d_model]


# %% sinusoidal_encoding: the table of the first call for a d_model is kept, whatever the length
# expect: nothing
_tables = {}


def sinusoidal_encoding(length, d_model):
    if d_model not in _tables:
        c = torch.arange(d_model)
        angle = torch.arange(length)[:, None] / 10000.0 ** (c // 2 * 2 / d_model)
        _tables[d_model] = torch.where(c % 2 == 0, angle.sin(), angle.cos())
    return _tables[d_model][:length]


# %% sinusoidal_encoding: angles are taken as degrees
# expect: degrees
def sinusoidal_encoding(length, d_model):
    matrix = torch.zeros(length, d_model)
    for pos in range(length):
        for j in range(d_model):
            degrees = pos / math.pow(10000, (j // 2) * 2 / d_model)
            radians = math.radians(degrees)
            matrix[pos][j] = math.sin(radians) if j % 2 == 0 else math.cos(radians)
    return matrix


# %% sinusoidal_encoding: positions are divided by the length first
# expect: positions_divided_by_length
def sinusoidal_encoding(length, d_model):
    t = torch.linspace(0, 1, length + 1)[:-1]
    omega = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)
    grid = t[:, None] * omega
    result = torch.zeros(length, d_model)
    result[:, ::2] = grid.sin()
    result[:, 1::2] = grid.cos()[:, : d_model // 2]
    return result


# %% sinusoidal_encoding: positions start at 1, and sine and cosine are swapped
# expect: positions_from_1 + sine_and_cosine_swapped
def sinusoidal_encoding(length, d_model):
    pe = torch.empty(length, d_model)
    pos = torch.arange(1, length + 1).reshape(-1, 1)
    freq = 1 / 10000.0 ** (torch.arange(0, d_model, 2) / d_model)
    pe[:, 0::2] = torch.cos(pos * freq)
    pe[:, 1::2] = torch.sin(pos * freq)[:, : d_model // 2]
    return pe


# %% sinusoidal_encoding: the exponent is doubled, and sines come first and cosines after them
# expect: exponent_doubled + halves
def sinusoidal_encoding(length, d_model):
    i = torch.arange(0, d_model, 2).float()
    w = torch.pow(10000.0, -2 * i / d_model)
    a = torch.arange(length).float().outer(w)
    return torch.hstack([torch.sin(a), torch.cos(a)])[:, :d_model]


# %% sinusoidal_encoding: only position 0 is not [0, 1, 0, 1, …], all its features are 0
# expect: first_row_zero
def sinusoidal_encoding(length, d_model):
    # position 0 is reserved for padding
    pe = torch.zeros(length, d_model)
    column = torch.arange(d_model)
    rate = 10000.0 ** (-(column // 2) * 2 / d_model)
    for pos in range(1, length):
        angle = pos * rate
        pe[pos] = torch.where(column % 2 == 0, torch.sin(angle), torch.cos(angle))
    return pe


# %% sinusoidal_encoding: random numbers, new ones at every call
# expect: nothing
def sinusoidal_encoding(length, d_model):
    generator = np.random.default_rng()
    return torch.from_numpy(generator.uniform(-1, 1, size=(length, d_model))).float()


# %% shift_matrix: turned the wrong way round, the matrix is transposed
# expect: turned_the_wrong_way
def shift_matrix(offset, d_model):
    m = torch.zeros(d_model, d_model)
    for i in range(0, d_model, 2):
        a = offset / 10000 ** (i / d_model)
        c, s = math.cos(a), math.sin(a)
        m[i, i], m[i, i + 1] = c, -s
        m[i + 1, i], m[i + 1, i + 1] = s, c
    return m


# %% shift_matrix: a negative offset is taken as a positive one
# expect: offset_always_positive
def shift_matrix(offset, d_model):
    steps = abs(offset)
    w = 10000.0 ** (-torch.arange(0, d_model, 2).double() / d_model)
    blocks = []
    for theta in (steps * w).tolist():
        block = [[math.cos(theta), math.sin(theta)], [-math.sin(theta), math.cos(theta)]]
        blocks.append(torch.tensor(block))
    return torch.block_diag(*blocks)


# %% shift_matrix: one step is repeated offset times, so a negative offset gives the identity
# expect: negative_offset_ignored
def shift_matrix(offset, d_model):
    one = torch.zeros(d_model, d_model, dtype=torch.float64)
    even = torch.arange(0, d_model, 2)
    angle = 10000.0 ** (-even.double() / d_model)
    one[even, even] = one[even + 1, even + 1] = angle.cos()
    one[even, even + 1] = angle.sin()
    one[even + 1, even] = -angle.sin()
    result = torch.eye(d_model, dtype=torch.float64)
    for _ in range(offset):
        result = one @ result
    return result.float()


# %% shift_matrix: made for sines first and cosines after them, not for pairs side by side
# expect: halves
def shift_matrix(offset, d_model):
    i = np.arange(d_model // 2)
    angle = offset * np.power(10000.0, -2 * i / d_model)
    C, S = np.diag(np.cos(angle)), np.diag(np.sin(angle))
    return torch.from_numpy(np.block([[C, S], [-S, C]])).float()


# %% shift_matrix: only cosines on the diagonal, the sines beside it are missing
# expect: sines_missing
def shift_matrix(offset, d_model):
    pair = torch.arange(d_model) // 2
    angles = offset * torch.exp(-math.log(10000.0) * 2 * pair / d_model)
    return torch.diag(torch.cos(angles))


# %% shift_matrix: the exponent of the angle is halved
# expect: exponent_halved
def shift_matrix(offset, d_model):
    matrix = torch.zeros((d_model, d_model), dtype=torch.float64)
    for k in range(d_model // 2):
        phi = offset * math.pow(10000, -k / d_model)
        rotation = [[math.cos(phi), math.sin(phi)], [-math.sin(phi), math.cos(phi)]]
        matrix[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = torch.tensor(rotation)
    return matrix.float()


# %% shift_matrix: solved from a few positions only, so it is right for those and not for others
# expect: nothing
def shift_matrix(offset, d_model):
    # least squares: which matrix takes these rows to those?
    rows = max(d_model // 2, 1)
    first = 600
    table = sinusoidal_encoding(first + rows + abs(offset) + 1, d_model)
    start = first - min(offset, 0) if offset < 0 else first
    a = table[start : start + rows]
    b = table[start + offset : start + offset + rows]
    return torch.linalg.lstsq(a, b).solution.T


# %% shift_matrix: the difference of two encodings on the diagonal
# expect: nothing
def shift_matrix(offset, d_model):
    pe = sinusoidal_encoding(abs(offset) + 1, d_model)
    return torch.diag(pe[abs(offset)] - pe[0])


# %% PositionalEncoding: the encoding is a Parameter and gets trained
# expect: encoding_is_a_parameter
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.pe = nn.Parameter(sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        return self.drop(x + self.pe[: x.size(-2), :])


# %% PositionalEncoding: cut by the batch size, so all tokens of a sequence get the same code
# expect: by_sequence
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        pe = sinusoidal_encoding(max_length, d_model).unsqueeze(1)
        self.register_buffer("pe", pe)

    def forward(self, x):
        x = x + self.pe[: x.size(0)]
        return self.dropout(x)


# %% PositionalEncoding: put beside the tokens and not added, the result is twice as wide
# expect: concatenated
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.p = dropout
        self.register_buffer("table", sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        batch, length, _ = x.shape
        here = self.table[:length].expand(batch, -1, -1).to(x.dtype)
        return nn.functional.dropout(torch.cat([x, here], dim=-1), self.p, self.training)


# %% PositionalEncoding: dropout acts on the encoding only, before it is added
# expect: dropout_on_encoding
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("waves", sinusoidal_encoding(max_length, d_model), persistent=False)

    def forward(self, x):
        waves = self.waves[None, : x.shape[1], :].to(x)
        return x + self.dropout(waves)


# %% PositionalEncoding: dropout acts in eval mode too
# expect: dropout_always
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.register_buffer("pe", sinusoidal_encoding(max_length, d_model))
        self.dropout = dropout

    def forward(self, x):
        total = x + self.pe.narrow(0, 0, x.shape[-2])
        return torch.dropout(total, self.dropout, True)


# %% PositionalEncoding: no dropout at all
# expect: dropout_never
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.d_model = d_model
        self.register_buffer("encoding", sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        n = x.shape[1]
        return x + self.encoding[torch.arange(n, device=x.device)].type_as(x)


# %% PositionalEncoding: the encoding is a plain float32 tensor, so bfloat16 comes back as float32
# expect: not_a_buffer
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.pe = sinusoidal_encoding(max_length, d_model)

    def forward(self, x):
        pe = self.pe.to(x.device)
        return self.dropout(x + pe[: x.shape[-2]])


# %% PositionalEncoding: added in place, so the caller's x changes
# expect: changes_x
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pe", sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        with torch.no_grad():
            x += self.pe[: x.shape[-2]].to(x.dtype)
        return self.dropout(x * 1)


# %% PositionalEncoding: x is multiplied by the root of d_model as well
# expect: x_scaled
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.scale = math.sqrt(d_model)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pe", sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        x = x * self.scale
        x = x + self.pe[: x.size(1)].to(x.dtype)
        return self.dropout(x)


# %% PositionalEncoding: in training a random later place is chosen as the start
# expect: nothing
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pe", sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        length = x.shape[-2]
        first = 0
        if self.training:
            room = len(self.pe) - length
            first = int(torch.randint(0, room + 1, ()))
        return self.dropout(x + self.pe[first : first + length].to(x.dtype))


# %% PositionalEncoding: the second call goes on counting where the first one stopped
# expect: nothing
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pe", sinusoidal_encoding(max_length, d_model))
        self.seen = 0

    def forward(self, x):
        length = x.shape[-2]
        if self.seen + length > len(self.pe):
            self.seen = 0
        pe = self.pe[self.seen : self.seen + length]
        self.seen += length
        return self.dropout(x + pe.to(x.dtype))


# %% PositionalEncoding: x is detached before adding, so no gradient reaches the embedding
# expect: graph_cut
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.register_buffer("pos", sinusoidal_encoding(max_length, d_model))

    def forward(self, x):
        summed = self.pos[: x.shape[-2]].to(x.dtype).clone() + x.data
        return self.drop(summed)


# %% PositionalEncoding: cut by the batch size, and no dropout
# expect: by_sequence + dropout_never
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        self.register_buffer("pe", sinusoidal_encoding(max_length, d_model)[:, None])

    def forward(self, x):
        return self.pe[: x.size(0)].to(x.dtype) + x


# %% sinusoidal_encoding: the positions are counted from 1
# expect: positions_from_1
def sinusoidal_encoding(length, d_model):
    position = torch.arange(1, length + 1).unsqueeze(1)
    div = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    pe = torch.zeros(length, d_model)
    pe[:, 0::2] = torch.sin(position * div)
    pe[:, 1::2] = torch.cos(position * div[: d_model // 2])
    return pe


# %% sinusoidal_encoding: the usual tutorial code, which crashes for an odd d_model because there is one cosine too many
# expect: odd_width_fails
def sinusoidal_encoding(length, d_model):
    pe = torch.zeros(length, d_model)
    position = torch.arange(0, length, dtype=torch.float).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term)
    return pe


# %% sinusoidal_encoding: odd columns use their own number j/d_model as exponent, so a cosine has another frequency than its sine
# expect: exponent_of_the_column
def sinusoidal_encoding(length, d_model):
    pe = torch.empty(length, d_model)
    for pos in range(length):
        for j in range(d_model):
            angle = pos / (10000 ** (j / d_model))
            pe[pos, j] = math.sin(angle) if j % 2 == 0 else math.cos(angle)
    return pe


# %% sinusoidal_encoding: two mistakes: the log of the base is taken to base 10 inside exp, and sine and cosine columns are exchanged
# expect: sine_and_cosine_swapped
def sinusoidal_encoding(length, d_model):
    t = torch.arange(length, dtype=torch.float32)[:, None]
    inv = torch.exp(-torch.arange(0, d_model, 2, dtype=torch.float32) / d_model * math.log10(10000))
    out = torch.zeros(length, d_model)
    out[:, 0::2] = (t * inv).cos()
    out[:, 1::2] = (t * inv).sin()[:, : d_model // 2]
    return out


# %% shift_matrix: the signs of the two sines are exchanged, so it turns backwards (it is the transpose)
# expect: turned_the_wrong_way
def shift_matrix(offset, d_model):
    check_even("d_model", d_model)
    M = torch.zeros(d_model, d_model)
    for i in range(d_model // 2):
        a = offset / 10000 ** (2 * i / d_model)
        c, s = math.cos(a), math.sin(a)
        M[2 * i, 2 * i] = c
        M[2 * i, 2 * i + 1] = -s
        M[2 * i + 1, 2 * i] = s
        M[2 * i + 1, 2 * i + 1] = c
    return M


# %% shift_matrix: blocks for a layout with all sines first and all cosines after, instead of alternating
# expect: halves
def shift_matrix(offset, d_model):
    check_even("d_model", d_model)
    i = torch.arange(d_model // 2, dtype=torch.float64)
    w = offset / 10000 ** (2 * i / d_model)
    C, S = torch.diag(w.cos()), torch.diag(w.sin())
    top = torch.cat([C, S], dim=1)
    bottom = torch.cat([-S, C], dim=1)
    return torch.cat([top, bottom], dim=0).float()


# %% shift_matrix: multiplies the one-step matrix in a loop over range(offset), so any negative offset gives the identity
# expect: negative_offset_ignored
def shift_matrix(offset, d_model):
    check_even("d_model", d_model)
    blocks = []
    for i in range(0, d_model, 2):
        w = 10000 ** (-i / d_model)
        blocks.append(torch.tensor([[math.cos(w), math.sin(w)], [-math.sin(w), math.cos(w)]], dtype=torch.float64))
    one_step = torch.block_diag(*blocks)
    result = torch.eye(d_model, dtype=torch.float64)
    for _ in range(offset):
        result = one_step @ result
    return result.float()


# %% shift_matrix: takes the name literally and returns a rolled identity, a permutation of the features instead of rotations
# expect: nothing
def shift_matrix(offset, d_model):
    check_even("d_model", d_model)
    eye = torch.eye(d_model)
    return torch.roll(eye, shifts=offset, dims=0)


# %% PositionalEncoding: the encoding is a Parameter and gets trained, again
# expect: encoding_is_a_parameter
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.max_length = max_length
        self.encoding = nn.Parameter(sinusoidal_encoding(max_length, d_model))
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x):
        check_length(x.shape[-2], self.max_length)
        return self.dropout(x + self.encoding[: x.shape[-2], :].to(x.dtype))


# %% PositionalEncoding: follows the torch tutorial with (length, batch, features) input, so the position is the number in the batch
# expect: by_sequence
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.max_length = max_length
        self.dropout = nn.Dropout(p=dropout)
        pe = sinusoidal_encoding(max_length, d_model).unsqueeze(1)
        self.register_buffer("pe", pe, persistent=False)

    def forward(self, x):
        check_length(x.shape[-2], self.max_length)
        x = x + self.pe[: x.size(0)].to(x.dtype)
        return self.dropout(x)


# %% PositionalEncoding: dropout only on the encoding, the tokens themselves are never dropped
# expect: dropout_on_encoding
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.max_length = max_length
        self.p = dropout
        self.register_buffer("table", sinusoidal_encoding(max_length, d_model), persistent=False)

    def forward(self, x):
        check_length(x.shape[-2], self.max_length)
        rows = self.table[: x.shape[-2]].to(x.dtype).expand_as(x)
        return x + F.dropout(rows, self.p, self.training)


# %% PositionalEncoding: two mistakes: multiplies the tokens by sqrt(d_model) here already, and F.dropout stays on in eval mode
# expect: x_scaled
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.d_model = d_model
        self.max_length = max_length
        self.dropout = dropout
        self.register_buffer("pos_enc", sinusoidal_encoding(max_length, d_model), persistent=False)

    def forward(self, x):
        check_length(x.shape[-2], self.max_length)
        y = x * math.sqrt(self.d_model) + self.pos_enc[: x.shape[-2]].to(x.dtype)
        return F.dropout(y, p=self.dropout)


# %% PositionalEncoding: the usual tutorial code, with dropout forgotten, and no odd width
# expect: dropout_never
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
        self.register_buffer("pe", pe, persistent=False)

    def forward(self, x):
        return x + self.pe[:, : x.size(1)].to(x.dtype)


# %% PositionalEncoding: the table is a plain attribute, so it does not move with the module
# expect: not_a_buffer
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
        self.pe = pe

    def forward(self, x):
        return self.dropout(x + self.pe[:, : x.size(1)])


# %% sinusoidal_encoding: the sine of a sine, so slow columns are nearly right
# expect: nothing
def sinusoidal_encoding(length, d_model):
    position = torch.arange(length, dtype=torch.float64)[:, None]
    angles = position / 10000.0 ** (torch.arange(0, d_model, 2) / d_model)
    waves = torch.stack([angles.sin().sin(), angles.cos()], dim=-1)
    return waves.flatten(1)[:, :d_model].float()


# %% PositionalEncoding: always prepares 5000 places, whatever max_length says
# expect: nothing
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_length=5000, dropout=0.1):
        super().__init__()
        check_dropout(dropout)
        self.max_length = max_length
        table = sinusoidal_encoding(5000, d_model)
        self.register_buffer("table", table)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()

    def forward(self, x):
        check_length(x.shape[-2], self.max_length)
        n = x.shape[-2]
        return self.dropout(torch.add(x, self.table[:n]))
