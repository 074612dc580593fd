"""Draw which English words the model looks at while it writes a number in another language."""

from pathlib import Path

import seaborn as sns
import torch
from matplotlib.figure import Figure

from solutions.training import evaluating, greedy_decode, shift_right

from .number_words import END, START, in_words
from .train import LONGEST

LANGUAGE_NAMES = {"fr": "French", "de": "German"}


def cross_attention(model, task, number, language):
    """What was read, what was written, and the weights in between: (heads, written, read).

    The weights are those of the decoder's last block, at the moment when each piece is chosen.
    """
    device = next(model.parameters()).device
    source = torch.tensor([task.read(in_words(number, "en"), language)], device=device)
    written = greedy_decode(model, source, START, END, LONGEST)
    with evaluating(model):
        model(source, shift_right(written, START))
    weights = model.decoder.layers[-1].cross_attention.weights[0].cpu()  # (heads, written, read)
    read = [task.source_words[token].strip(" ,-") for token in source[0].tolist()]
    pieces = [task.target_words[token].strip(" -") for token in written[0].tolist()]
    return read, pieces, weights


def draw_cross_attention(model, task, number, language, path):
    """Save a heatmap, the mean over the heads, with the weights written into it."""
    read, pieces, weights = cross_attention(model, task, number, language)
    figure = Figure(figsize=(1.5 + 0.8 * len(read), 1.3 + 0.42 * len(pieces)))
    axes = figure.subplots()
    sns.heatmap(
        weights.mean(0).numpy(),
        vmin=0,
        vmax=1,
        cmap="cividis",
        annot=True,
        fmt=".2f",
        linewidths=0.5,
        xticklabels=read,
        yticklabels=pieces,
        cbar_kws={"label": "attention weight, mean over heads"},
        ax=axes,
    )
    axes.set_xlabel("English, as read")
    axes.set_ylabel(f"{LANGUAGE_NAMES[language]}, as written")
    axes.set_title(f"{number:,}: where the decoder looks for each piece it writes")
    axes.tick_params(axis="x", rotation=30)
    axes.tick_params(axis="y", rotation=0)
    figure.tight_layout()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
