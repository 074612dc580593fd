"""Lesson 1's experiments: what a recurrence costs, and what attention buys.

Whatever is called `attend` here is scaled_dot_product_attention, the learner's or a broken one.
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import rc_context
from torch import nn

from ..figures import COLOURS, LINES, LOOK, Picture, new_figure, numbers

LETTERS = "abcdefghijklmnopqrst"
LONGEST = 12  # letters in a training string
LENGTHS = (2, 4, 6, 8, 10, 12, 14, 16)  # of the test strings


class Reverser(nn.Module):
    """Reads a string with one GRU, in both directions, and writes it backwards with another.

    Without `attend` the writer gets one vector for the whole string, at its start and again at
    every step. With it, every step also looks back at the letters: its state is the query, what
    the reader noted at a letter is the key, and the letter itself is the value.
    """

    def __init__(self, attend=None, width=32):
        super().__init__()
        self.attend = attend
        self.start = len(LETTERS)  # stands for "nothing written yet"
        self.read_letter = nn.Embedding(len(LETTERS), width)
        self.written_letter = nn.Embedding(len(LETTERS) + 1, width)
        self.reader = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.summarise = nn.Linear(2 * width, width)
        self.writer = nn.GRU(width, width, batch_first=True)
        self.ask = nn.Linear(width, 2 * width) if attend else None
        self.output = nn.Linear(2 * width, len(LETTERS))

    def forward(self, source, written):
        """(batch, length) and (batch, steps) letters -> (batch, steps, letters) scores."""
        letters = self.read_letter(source)  # (batch, length, width)
        notes, last = self.reader(letters)  # (batch, length, 2·width), (2, batch, width)
        summary = torch.tanh(self.summarise(last.transpose(0, 1).flatten(1)))  # (batch, width)
        states, _ = self.writer(self.written_letter(written), summary[None])
        if self.attend is None:
            found = summary[:, None].expand_as(states)  # the same one vector at every step
        else:
            found, weights = self.attend(self.ask(states), notes, letters)
            self.weights = weights.detach()  # (batch, steps, length), for pictures
        return self.output(torch.cat([states, found], dim=-1))

    @torch.no_grad()
    def write(self, source):
        """Write letter by letter, each after what this model itself has written."""
        written = torch.full((len(source), 1), self.start)
        for _ in range(source.shape[1]):
            letter = self(source, written)[:, -1].argmax(-1, keepdim=True)
            written = torch.cat([written, letter], dim=1)
        return written[:, 1:]


def train_reverser(attend=None, seed=0, steps=600, width=32, batch=64, rate=1e-2):
    """(model, losses): train on strings of 1 to LONGEST random letters."""
    torch.manual_seed(seed)
    model = Reverser(attend, width)
    optimiser = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, pct_start=0.1)
    losses = []
    for _ in range(steps):
        length = int(torch.randint(1, LONGEST + 1, ()))
        source = torch.randint(len(LETTERS), (batch, length))
        target = source.flip(1)
        start = torch.full((batch, 1), model.start)
        scores = model(source, torch.cat([start, target[:, :-1]], dim=1))
        loss = F.cross_entropy(scores.flatten(0, 1), target.flatten())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return model, losses


def exact_match(model, lengths=LENGTHS, strings=200, seed=123):
    """For each length: the share of fresh strings that are written backwards without a fault."""
    draw = torch.Generator().manual_seed(seed)
    shares = []
    for length in lengths:
        source = torch.randint(len(LETTERS), (strings, length), generator=draw)
        shares.append((model.write(source) == source.flip(1)).all(1).float().mean().item())
    return shares


def numbered(text):
    """A string of letters as a batch of one."""
    return torch.tensor([[LETTERS.index(letter) for letter in text]])


def spelled(letters):
    """A row of letter numbers as a string."""
    return "".join(LETTERS[number] for number in letters)


def longest_chain(output):
    """How many operations must wait for one another: the longest way back through the graph that
    autograd has recorded."""
    depth = {}
    stack = [output.grad_fn]
    while stack:
        node = stack[-1]
        parents = [parent for parent, _ in node.next_functions if parent is not None]
        waiting = [parent for parent in parents if parent not in depth]
        if waiting:
            stack += waiting
        else:
            depth[node] = 1 + max((depth[parent] for parent in parents), default=0)
            stack.pop()
    return depth[output.grad_fn]


def milliseconds(function, *arguments, times=5):
    """The quickest of some runs, after one to warm up. The quickest is least disturbed."""
    with torch.no_grad():
        function(*arguments)
        taken = []
        for _ in range(times):
            start = time.perf_counter()
            function(*arguments)
            taken.append(time.perf_counter() - start)
    return 1000 * min(taken)


def gradient_by_distance(layer, length=100, width=32, batch=16, seed=0):
    """How strongly the last output depends on each input: |d output / d input|, by distance.

    Args:
        layer: a function from (batch, length, width) to (batch, length, width).
    Returns:
        (length,), median over the batch; entry 0 is the last token itself, 1 the one before.
    """
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, length, width, generator=draw, dtype=torch.float64).requires_grad_()
    direction = torch.randn(batch, width, generator=draw, dtype=torch.float64)
    direction = direction / direction.norm(dim=-1, keepdim=True)
    [gradient] = torch.autograd.grad((layer(x)[:, -1] * direction).sum(), x)
    return gradient.norm(dim=-1).median(0).values.flip(0)


def recurrent(kind, seed=0, width=32, gain=1.0, remember=0.0):
    """An nn.RNN or nn.LSTM as a function, in float64.

    Args:
        gain: what its recurrent weights are multiplied by.
        remember: what is added to the bias of an LSTM's forget gates: 0 leaves them half open.
    """
    torch.manual_seed(seed)
    layer = kind(width, width, batch_first=True).double()
    with torch.no_grad():
        layer.weight_hh_l0 *= gain
        if remember:
            layer.bias_hh_l0[width : 2 * width] += remember  # input, forget, cell, output
    return lambda x: layer(x)[0]


def shopping(query, tokens, weights, title=""):
    """A query on the left, the stalls on the right; the more is bought, the thicker the line."""
    shares = numbers(weights)
    figure, axes = new_figure(5.6, 0.5 * len(tokens) + 1.0)
    ax = axes[0, 0]
    middle = (len(tokens) - 1) / 2
    with rc_context(LOOK):
        for row, (token, share) in enumerate(zip(tokens, shares)):
            ax.plot(
                [0, 1],
                [middle, row],
                color=COLOURS[0],
                linewidth=0.4 + 14 * share,
                solid_capstyle="butt",
                alpha=0.75,
            )
            stall = f"{token}   {share:.2f}"
            ax.text(1.03, row, stall, va="center", fontsize=11)
        box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "0.3"}
        ax.text(-0.02, middle, query, ha="right", va="center", fontsize=12, bbox=box)
        ax.set(xlim=(-0.45, 1.5), ylim=(len(tokens) - 0.5, -0.5), title=title)
        ax.axis("off")
    told = ", ".join(f"{token} {share:.2f}" for token, share in zip(tokens, shares))
    return Picture(figure, f"{title}: {query} takes from the stalls in these shares: {told}.")


def mixtures(values, outputs, x_label, y_label, title=""):
    """Values as points with a line around them, and outputs as crosses.

    Args:
        values, outputs: {name: (x, y)}
    """
    points = {name: numbers(value) for name, value in values.items()}
    crosses = {name: numbers(output) for name, output in outputs.items()}
    corners = np.array(outline(list(points.values())))
    figure, axes = new_figure(5.2, 4.4)
    ax = axes[0, 0]
    with rc_context(LOOK):
        ax.fill(*corners.T, facecolor="0.93", edgecolor="0.6", linestyle=LINES[1])
        for name, (x, y) in points.items():
            ax.plot(x, y, "o", color=COLOURS[0], markersize=8)
            ax.annotate(name, (x, y), textcoords="offset points", xytext=(7, 7))
        for name, (x, y) in crosses.items():
            ax.plot(x, y, "X", color=COLOURS[3], markersize=9)
            ax.annotate(name, (x, y), textcoords="offset points", xytext=(8, -4), style="italic")
        ax.set(title=title, xlabel=x_label, ylabel=y_label)
        ax.margins(0.18)
    told = "; ".join(f"{name} ({x:.2f}, {y:.2f})" for name, (x, y) in crosses.items())
    return Picture(figure, f"{title}: all outputs lie within the outline of the values: {told}.")


def outline(points):
    """The corners of the smallest convex shape around some points, one after the other."""
    points = sorted({(float(x), float(y)) for x, y in points})

    def half(ordered):
        corners = []
        for x, y in ordered:
            while len(corners) > 1:
                (ax, ay), (bx, by) = corners[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                corners.pop()
            corners.append((x, y))
        return corners[:-1]

    return half(points) + half(points[::-1])
