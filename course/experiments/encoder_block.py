"""What lesson 4 measures: who is heard by whom, what depth does to signals and gradients, and how
an encoder of many blocks learns to sort.

All that is random is drawn from a seed, so that the numbers are the same each time.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn

from solutions.positional_encoding import PositionalEncoding

DIGITS = 10


def count(module):
    """How many numbers a module can learn; what is there twice counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def influence(function, x, seed=0):
    """Exchange one token after the other, and see whose output moves.

    Args:
        function: (1, length, d_model) → the same shape.
        x: (1, length, d_model)
    Returns:
        (length, length): row i, column j holds how far output i moved when token j was exchanged.
    """
    generator = torch.Generator().manual_seed(seed)
    length = x.shape[1]
    moved = torch.zeros(length, length)
    with torch.no_grad():
        before = function(x)
        for changed in range(length):
            other = x.clone()
            other[:, changed] = torch.randn(x.shape[-1], generator=generator)
            moved[:, changed] = (function(other) - before)[0].norm(dim=-1)
    return moved


def difference_of_tokens(x):
    """How different the tokens of a sequence are: from 0, all alike, to 1, nothing in common.

    It is the size of what is left when the mean of all tokens is taken off, divided by the size of
    the whole.

    Args:
        x: (batch, length, d_model)
    """
    x = x.detach()
    left = x - x.mean(dim=1, keepdim=True)
    return (left.norm() / x.norm().clamp_min(1e-30)).item()


def typical(x):
    """The typical size of a number in x: the root of the mean square."""
    return x.detach().square().mean().sqrt().item()


def without_norms(block):
    """The same block, its two norms replaced by nothing."""
    block.norm1, block.norm2 = nn.Identity(), nn.Identity()
    return block


# What depth does


class Stack(nn.Module):
    """Blocks in a row, and nothing else."""

    def __init__(self, blocks):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x):
        """(batch, length, d_model) → the same shape."""
        return through(self.blocks, x)[-1]


def through(blocks, x):
    """What goes into the first block, what comes out of it, out of the second, …, the last."""
    signals = [x]
    for block in blocks:
        signals.append(block(signals[-1]))
    return signals


@dataclass
class Depth:
    """What was measured along a stack, each a list of depth + 1 numbers.

    Args:
        gradients: typical size of the gradient that arrives in front of each block; the last is
            that at the end of the stack.
        sizes: typical size of the numbers at the same places.
        differences: how different the tokens are there.
    """

    gradients: list
    sizes: list
    differences: list


def measure_depth(make_block, depth, seed=0, final_norm=False, width=32, length=8, batch=4):
    """Send random tokens through fresh blocks, and a gradient of size 1 back.

    Args:
        make_block: gives a new block each time it is called.
        final_norm: norm the last sum, as an Encoder with norm_first does?
    """
    torch.manual_seed(seed)
    blocks = [make_block() for _ in range(depth)]
    x = torch.randn(batch, length, width, requires_grad=True)
    signals = through(blocks, x)
    end = F.layer_norm(signals[-1], (width,)) if final_norm else signals[-1]
    gradients = torch.autograd.grad(end, signals, torch.randn_like(end))
    return Depth(
        [typical(gradient) for gradient in gradients],
        [typical(signal) for signal in signals],
        [difference_of_tokens(signal) for signal in signals],
    )


def over_seeds(make_block, depth, seeds, **options):
    """measure_depth with several seeds: the medians, and the lowest and highest of each.

    Returns:
        ({"gradients": …, "sizes": …, "differences": …}, the same with (lowest, highest))
    """
    runs = [measure_depth(make_block, depth, seed, **options) for seed in seeds]
    medians, ranges = {}, {}
    for name in ("gradients", "sizes", "differences"):
        table = torch.tensor([getattr(run, name) for run in runs])  # (seeds, depth + 1)
        medians[name] = table.median(dim=0).values
        ranges[name] = table.min(dim=0).values, table.max(dim=0).values
    return medians, ranges


# Learning to sort


class Sorter(nn.Module):
    """Digits in, and at each place the digit that stands there once they are sorted."""

    def __init__(self, encoder, width):
        super().__init__()
        self.table = nn.Embedding(DIGITS, width)
        self.position = PositionalEncoding(width, max_length=64, dropout=0.0)
        self.encoder = encoder
        self.output = nn.Linear(width, DIGITS)

    def forward(self, digits):
        """(batch, length) → the logits (batch, length, 10), and what the encoder gave."""
        hidden = self.encoder(self.position(self.table(digits)))  # (batch, length, width)
        return self.output(hidden), hidden


@dataclass
class Run:
    """How a training went.

    Args:
        losses: one for each step.
        differences: of the tokens at the encoder's end, one for each step.
        right: share of digits put in the right place, of fresh sequences, after training.
        model: the Sorter as training left it.
    """

    losses: list = field(default_factory=list)
    differences: list = field(default_factory=list)
    right: float = 0.0
    model: nn.Module = None


def sequences(count, length, generator):
    """Random digits, and the same digits sorted, both (count, length)."""
    digits = torch.randint(DIGITS, (count, length), generator=generator)
    return digits, digits.sort(dim=1).values


def train_sorter(
    make_encoder, seed=0, rate=0.01, warmup=0, steps=100, batch=32, length=8, width=32
):
    """Teach an encoder to sort.

    Args:
        make_encoder: gives a new encoder of this width.
        rate: Adam's learning rate.
        warmup: the rate climbs from 0 to `rate` in so many steps; 0: it is `rate` at once.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = Sorter(make_encoder(), width)
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    run = Run()
    for step in range(1, steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, step / warmup) if warmup else rate
        digits, targets = sequences(batch, length, generator)
        logits, hidden = model(digits)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        run.losses.append(loss.item())
        run.differences.append(difference_of_tokens(hidden))
    digits, targets = sequences(500, length, generator)
    with torch.no_grad():
        guesses = model(digits)[0].argmax(dim=-1)
    run.right = (guesses == targets).double().mean().item()
    run.model = model
    return run


def kitchens(encoder, seed=0, width=32, length=8, batch=16):
    """What feed-forward adds in a post-norm encoder, on the mean over its blocks.

    Returns:
        (its size, x being 1; how different its tokens are)
    """
    x = torch.randn(batch, length, width, generator=torch.Generator().manual_seed(seed))
    sizes, differences = [], []
    with torch.no_grad():
        for block in encoder.layers:
            middle = block.norm1(x + block.self_attention(x, x, x))
            added = block.feed_forward(middle)
            sizes.append(typical(added) / typical(middle))
            differences.append(difference_of_tokens(added))
            x = block(x)
    return sum(sizes) / len(sizes), sum(differences) / len(differences)


def smoothed(values, window=10):
    """At each step the mean of the last ten values."""
    values = torch.as_tensor(values, dtype=torch.float64)
    sums = torch.cat([torch.zeros(1, dtype=torch.float64), values.cumsum(0)])
    ends = torch.arange(1, len(values) + 1)
    starts = (ends - window).clamp_min(0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def learning_curves(runs):
    """What `course.figures.curves` needs: the mean over seeds, and the range.

    Args:
        runs: {name: [Run, …]}
    """
    means, bands = {}, {}
    for name, several in runs.items():
        table = torch.stack([smoothed(run.losses) for run in several])  # (seeds, steps)
        means[name] = table.mean(dim=0)
        bands[name] = table.min(dim=0).values, table.max(dim=0).values
    return {"ys": means, "bands": bands}


def last_loss(run):
    """The mean loss of the last ten steps."""
    return smoothed(run.losses)[-1].item()


# A function that no straight line can follow


def fit_absolute_value(feed_forward, seed=0, steps=200, rate=0.03):
    """Teach a feed-forward of two features to give |x|; returns the last mean squared error."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(feed_forward.parameters(), lr=rate, fused=True)
    for _ in range(steps):
        x = torch.randn(64, 2, generator=generator)
        loss = (feed_forward(x) - x.abs()).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    x = torch.randn(2000, 2, generator=generator)
    with torch.no_grad():
        return (feed_forward(x) - x.abs()).square().mean().item()
