"""Lesson 3: clocks to look at, a task that needs positions, and texts longer than any in training.

The training runs are small on purpose: each takes seconds on one core.
"""

import math
import sysconfig
from pathlib import Path

import torch
import torch.nn.functional as F
from matplotlib import rc_context
from matplotlib.patches import Circle
from torch import nn

from course.figures import COLOURS, LOOK, Picture, curves, new_figure, numbers
from solutions.fast import fast
from solutions.models import GPT
from solutions.multi_head import MultiHeadAttention
from solutions.training import initialise

# --- Clocks ---------------------------------------------------------------------------------------


def clocks(rows, before=None, title=""):
    """Each encoding as a row of clocks: pair i is a hand that points to (sine, cosine).

    A hand at angle 0 points up, and turns clockwise as its angle grows.

    Args:
        rows: {name: (d_model,)} encodings with an even number of features.
        before: {name: (d_model,)} a second, dashed hand for the clocks of the same name.
    """
    before = before or {}
    pairs = len(next(iter(rows.values()))) // 2
    wide, high = 2.4 * pairs + 4.5, 2.6 * len(rows) + 0.8
    figure, axes = new_figure(0.4 * wide, 0.4 * high + (0.3 if title else 0))
    ax = axes[0, 0]
    with rc_context(LOOK):
        for line, (name, row) in enumerate(rows.items()):
            y = -2.6 * line
            ax.text(-1.6, y, name, ha="right", va="center")
            for pair in range(pairs):
                x = 2.4 * pair
                ax.add_patch(Circle((x, y), 1, fill=False, color="0.75"))
                ax.plot([x, x], [y + 0.88, y + 1], color="0.4", lw=1)  # the mark at twelve
                if name in before:
                    sine, cosine = numbers(before[name])[2 * pair : 2 * pair + 2]
                    ax.plot([x, x + 0.85 * sine], [y, y + 0.85 * cosine], "--", color="0.35", lw=1)
                sine, cosine = numbers(row)[2 * pair : 2 * pair + 2]
                ax.plot([x, x + 0.85 * sine], [y, y + 0.85 * cosine], color=COLOURS[0], lw=2.5)
        for pair in range(pairs):
            ax.text(2.4 * pair, 1.25, f"clock {pair}", ha="center", va="bottom", fontsize=9)
        ax.set(aspect="equal", xlim=(-5.5, wide - 5.5), ylim=(2.1 - high, 2.1))
        ax.set_axis_off()
        figure.suptitle(title, fontweight="bold")
    told = "; ".join(
        f"{name}: {directions(row)}"
        + (f" (before: {directions(before[name])})" if name in before else "")
        for name, row in rows.items()
    )
    return Picture(
        figure, f"Clocks: {title}. Degrees clockwise from the top, clock by clock: {told}."
    )


def directions(row):
    """Where the hands of an encoding point, in degrees clockwise from the top."""
    row = numbers(row)
    angles = (math.degrees(math.atan2(s, c)) % 360 for s, c in zip(row[0::2], row[1::2]))
    return ", ".join(f"{angle:.0f}" for angle in angles)


def every_eighth(picture, seen=""):
    """The same heatmaps of 64 rows and columns, with a number at every eighth.

    Args:
        seen: what is to be seen, for the alternative text.
    """
    ticks = range(0, 64, 8)
    for ax in picture.figure.axes:
        if ax.get_xlabel():  # a heatmap, and not the scale of colours beside it
            ax.set_xticks([tick + 0.5 for tick in ticks], ticks, rotation=0)
            ax.set_yticks([tick + 0.5 for tick in ticks], ticks)
    return Picture(picture.figure, f"{picture.alt} {seen}".strip())


def waves(columns, title=""):
    """Columns of an encoding as curves, with the legend where it hides none of them.

    Args:
        columns: {name: (length,)}
    """
    picture = curves(columns, title=title, x_label="position", y_label="value", marks=True)
    picture.figure.axes[0].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return picture


# --- A task that cannot be done without positions -------------------------------------------------

SYMBOLS, LENGTH, WIDTH = 10, 16, 64


class Reverser(nn.Module):
    """One attention, to write a sequence backwards: place p needs what stands at the far end.

    Args:
        position: what adds positions to (batch, length, d_model).
        scale: the embeddings are multiplied by this.
    """

    def __init__(self, position, scale=1.0):
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, WIDTH)
        self.position, self.scale = position, scale
        self.attention = MultiHeadAttention(WIDTH, 4)
        self.norm = nn.LayerNorm(WIDTH)
        self.output = nn.Linear(WIDTH, SYMBOLS)

    def forward(self, tokens):
        """(batch, length) → logits (batch, length, symbols)."""
        x = self.position(self.embedding(tokens) * self.scale)  # (batch, length, d_model)
        x = self.norm(x + self.attention(x, x, x))
        return self.output(x)


def learn_to_reverse(position, seed=0, steps=250, scale=1.0):
    """Train a Reverser on random sequences of 16 digits.

    Args:
        position: a function that makes the module which adds positions.
        scale: of the embeddings, as in Reverser.
    Returns:
        The model, the loss after every step, and the share of right digits in new sequences.
    """
    torch.manual_seed(seed)
    model = Reverser(position(), scale)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    drawn = torch.Generator().manual_seed(seed)
    losses = []
    for _ in range(steps):
        tokens = torch.randint(SYMBOLS, (32, LENGTH), generator=drawn)  # (batch, length)
        loss = F.cross_entropy(model(tokens).flatten(0, 1), tokens.flip(1).flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    tokens = torch.randint(SYMBOLS, (64, LENGTH), generator=drawn)
    with torch.no_grad():
        right = model.eval()(tokens).argmax(-1) == tokens.flip(1)
    return model, losses, right.float().mean().item()


# --- Texts longer than any in training ------------------------------------------------------------

LETTERS = "\n" + "".join(map(chr, range(32, 127)))
TRAINED = 32  # characters that a model sees at once in training
LONGEST = 256  # characters that it has to read in the test


def python_sources(enough=1_500_000):
    """The Python standard library's own sources as numbers, a text to train on and one to test on.

    Every tenth file is for testing. What is not in LETTERS is left out.
    """
    keep = LETTERS.encode()
    drop = bytes(set(range(256)) - set(keep))
    number = bytes.maketrans(keep, bytes(range(len(keep))))
    train, test = bytearray(), bytearray()
    for at, path in enumerate(sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))):
        (train if at % 10 else test).extend(path.read_bytes().translate(number, drop))
        if len(train) > enough:
            break
    return tuple(torch.frombuffer(part, dtype=torch.uint8).long() for part in (train, test))


def passages(text, length, count, generator):
    """Pieces of a text that begin anywhere, (count, length)."""
    starts = torch.randint(len(text) - length, (count,), generator=generator)
    return text[starts[:, None] + torch.arange(length)]


def learn_to_read(positions, text, seed=0, steps=350):
    """Train a small GPT to guess the next character, always seeing 32 of them.

    Args:
        positions: "sinusoidal", "learned", "rotary", "alibi" or "none".
        text: numbers of characters.
    """
    torch.manual_seed(seed)
    model = GPT(
        vocab=len(LETTERS),
        d_model=64,
        num_heads=4,
        d_ff=256,
        num_layers=2,
        dropout=0.0,
        max_length=LONGEST,
        positions=positions,
    )
    initialise(fast(model))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    drawn = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in optimiser.param_groups:  # a short warm-up, then slower and slower
            group["lr"] = 3e-3 * min(1.0, (step + 1) / 30) * (1 - 0.9 * step / steps)
        piece = passages(text, TRAINED + 1, 16, drawn)  # (batch, length + 1)
        logits = model(piece[:, :-1])  # (batch, length, letters)
        loss = F.cross_entropy(logits.flatten(0, 1), piece[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


@torch.no_grad()
def loss_by_length(model, text, lengths=(16, 32, 64, 128, 256), count=128, guessed=8):
    """How well the same characters are guessed when more and more of the text before is read.

    Args:
        text: numbers of characters that the model was not trained on.
        lengths: how many characters are read.
        count: how many passages.
        guessed: only the last so many guesses of a passage count: the same for all lengths.
    Returns:
        A loss, in nats, for each length.
    """
    piece = passages(text, max(lengths) + 1, count, torch.Generator().manual_seed(0))
    target = piece[:, -guessed:]  # (count, guessed)
    losses = []
    for length in lengths:
        logits = model(piece[:, -length - 1 : -1])[:, -guessed:]  # (count, guessed, letters)
        losses.append(F.cross_entropy(logits.flatten(0, 1), target.flatten()).item())
    return losses


def against_length(losses, lengths=(16, 32, 64, 128, 256), title=""):
    """Curves of loss_by_length, with a line where training ended.

    Args:
        losses: {name: a loss for each length}
    """
    picture = curves(
        losses,
        lengths,
        title,
        "characters read (training: 32)",
        "loss in nats, less is better",
        log_x=True,
        marks=True,
    )
    ax = picture.figure.axes[0]
    ax.axvline(TRAINED, color="0.6", lw=1, linestyle=":")
    ax.set_xticks(lengths, [str(length) for length in lengths])
    ax.minorticks_off()
    return picture
