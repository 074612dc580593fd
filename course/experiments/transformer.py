"""Lesson 5's experiments: who influences whom, a ledger of parameters, and words written backwards.

What is measured here is measured on models that the lesson hands in, so it holds for the learner's
own code as well as for the reference.
"""

import warnings
from contextlib import ExitStack

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import rc_context
from torch import nn

from course.figures import COLOURS, LOOK, Picture, new_figure
from solutions.attention import causal_mask
from solutions.from_torch import copy_transformer
from solutions.training import greedy_decode, initialise, shift_right

PARTS = (
    "self_attention",
    "cross_attention",
    "feed_forward",
    "norm1",
    "norm2",
    "norm3",
)  # of a decoder block

# --- what happens inside -------------------------------------------------------------------------


def influence(run, x):
    """How much does every input position move every output position?

    Args:
        run: a function (1, inputs, d_model) → (1, outputs, d_model).
        x: (1, inputs, d_model), where to measure.
    Returns:
        (outputs, inputs): the length of all derivatives of one output with respect to one input.
    """
    slopes = torch.autograd.functional.jacobian(run, x)  # (1, outputs, d_model, 1, inputs, d_model)
    return slopes[0, :, :, 0].square().sum(dim=(1, 3)).sqrt()  # (outputs, inputs)


def order_of_parts(block, *inputs):
    """In which order does a block run its parts? Their names, as they finish."""
    order = []
    with ExitStack() as hooks, torch.no_grad():
        for name, part in block.named_children():
            if name in PARTS:
                done = part.register_forward_hook(lambda *_, name=name: order.append(name))
                hooks.callback(done.remove)
        block(*inputs)
    return order


def what_they_read(decoder, run):
    """What each block's cross-attention gets as keys while `run()` runs: (batch, source, d_model)
    for every block."""
    keys = []
    with ExitStack() as hooks, torch.no_grad():
        for block in decoder.layers:
            seen = block.cross_attention.register_forward_pre_hook(
                lambda _, args, kwargs: keys.append(args[1] if len(args) > 1 else kwargs["key"]),
                with_kwargs=True,
            )
            hooks.callback(seen.remove)
        run()
    return keys


def torch_twin(model, d_model, num_heads, d_ff, num_layers, norm_first):
    """torch's own nn.Transformer, and its random weights copied into `model`.

    nn.Transformer ends both stacks with a LayerNorm. A post-norm block ends with one already, so
    there the paper, and our model, have no second one: it is taken off.
    """
    with warnings.catch_warnings():  # torch remarks on a fast path that is not used here
        warnings.simplefilter("ignore")
        theirs = nn.Transformer(
            d_model,
            num_heads,
            num_layers,
            num_layers,
            d_ff,
            dropout=0.0,
            batch_first=True,
            norm_first=norm_first,
        )
    if not norm_first:
        theirs.encoder.norm = theirs.decoder.norm = None
    with torch.no_grad():
        for parameter in theirs.parameters():  # ones and zeros would hide a mistake
            parameter.normal_(std=0.5 if parameter.dim() == 1 else parameter.shape[-1] ** -0.5)
    theirs = theirs.to(next(model.parameters()).dtype)
    copy_transformer(theirs, model)
    return theirs


def run_twin(theirs, model, source, target):
    """Logits with torch's stacks between our embeddings and our output layer.

    In torch's masks True means hidden: the other way round.
    """
    hidden = theirs(
        model.position(model.source_embedding(source)),  # (batch, source, d_model)
        model.position(model.target_embedding(target)),  # (batch, target, d_model)
        tgt_mask=~causal_mask(target.shape[1]),
        src_key_padding_mask=source == model.pad,
        tgt_key_padding_mask=target == model.pad,
        memory_key_padding_mask=source == model.pad,
    )
    return model.output(hidden)  # (batch, target, target_vocab)


# --- shifted right -------------------------------------------------------------------------------


def shifted_picture(written, read):
    """Targets above, what the decoder reads below: every target is read one place later."""
    figure, axes = new_figure(1.5 * len(written) + 1.6, 3.1)
    ax = axes[0, 0]
    box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "black"}
    new = box | {"facecolor": "0.88", "linestyle": "--"}
    with rc_context(LOOK):
        for place, (above, below) in enumerate(zip(written, read)):
            ax.text(place, 1, above, ha="center", va="center", bbox=box)
            ax.text(place, 0, below, ha="center", va="center", bbox=new if place == 0 else box)
            ax.annotate("", (place, 0.83), (place, 0.17), arrowprops={"arrowstyle": "->", "lw": 2})
            if place + 1 < len(written):
                ax.annotate(
                    "",
                    (place + 0.8, 0.19),
                    (place + 0.2, 0.81),
                    arrowprops={"arrowstyle": "->", "ls": "--", "color": "0.45"},
                )
        ax.set(
            title="Teacher forcing: read the line below, predict the line above",
            xlabel="position",
            xlim=(-0.6, len(written) - 0.4),
            ylim=(-0.4, 1.4),
            yticks=[0, 1],
            xticks=range(len(written)),
        )
        ax.set_yticklabels(["decoder reads", "decoder\nhas to predict"])
        ax.spines["left"].set_visible(False)
        ax.tick_params(left=False)
    told = "; ".join(
        f"position {place}: reads {below}, has to predict {above}"
        for place, (above, below) in enumerate(zip(written, read))
    )
    return Picture(figure, f"Targets and the same targets shifted right by one place. {told}.")


# --- the ledger ----------------------------------------------------------------------------------

BASE = {"num_layers": 6, "d_model": 512, "num_heads": 8, "d_ff": 2048}

# Table 3 and the big model: what differs from base, and the paper's millions. Rows B change d_k,
# and rows C of another d_model keep eight heads.
PAPERS = {
    "base": ({}, 65),
    "d_k = 16": ({"d_k": 16}, 58),
    "d_k = 32": ({"d_k": 32}, 60),
    "N = 2": ({"num_layers": 2}, 36),
    "N = 4": ({"num_layers": 4}, 50),
    "N = 8": ({"num_layers": 8}, 80),
    "d_model = 256": ({"d_model": 256}, 28),
    "d_model = 1024": ({"d_model": 1024}, 168),
    "d_ff = 1024": ({"d_ff": 1024}, 53),
    "d_ff = 4096": ({"d_ff": 4096}, 90),
    "big": ({"d_model": 1024, "num_heads": 16, "d_ff": 4096}, 213),
}


def ledger(
    vocabulary,
    num_layers=6,
    d_model=512,
    num_heads=8,
    d_ff=2048,
    d_k=None,
    matrices=1,
    output_bias=False,
    attention_biases=True,
):
    """What every part of the Transformer costs, in parameters.

    Args:
        vocabulary: tokens, the same on both sides.
        num_layers, d_model, num_heads, d_ff: as in Transformer.
        d_k: features of a head's queries and keys, d_model / num_heads if not given.
        matrices: how many (vocabulary, d_model) matrices serve source, target and output: 3 if each
            has its own, 2 with tie_weights, 1 if all three share it, as in the paper.
        output_bias: does the output layer have a bias?
        attention_biases: do the four Linears of an attention have biases?
    Returns:
        {part: number}
    """
    narrow = d_model if d_k is None else num_heads * d_k  # features of all queries together
    attention = 2 * d_model * narrow + 2 * d_model * d_model  # W^Q and W^K, W^V and W^O
    attention += (2 * narrow + 2 * d_model) * attention_biases
    feed_forward = (d_model * d_ff + d_ff) + (d_ff * d_model + d_model)
    norm = 2 * d_model
    return {
        "embeddings, output": matrices * vocabulary * d_model + vocabulary * output_bias,
        "encoder self-attention": num_layers * attention,
        "encoder feed-forward": num_layers * feed_forward,
        "decoder self-attention": num_layers * attention,
        "decoder cross-attention": num_layers * attention,
        "decoder feed-forward": num_layers * feed_forward,
        "all norms": num_layers * 5 * norm,  # two in an encoder block, three in a decoder block
    }


def total(vocabulary, **settings):
    return sum(ledger(vocabulary, **settings).values())


def without_memory(make):
    """A model that has shapes and no numbers, so that even big is made in a moment.

    Where somebody's parts cannot do that, it is made with numbers.
    """
    try:
        with torch.device("meta"):
            return make()
    except (RuntimeError, NotImplementedError):
        return make()


def ledger_picture(vocabulary=37_000, matrices=1, **settings):
    """Every part's share in millions, and where the sum lies among the paper's rows."""
    entries = ledger(vocabulary, matrices=matrices, **(BASE | settings))
    millions = {name: number / 1e6 for name, number in entries.items()}
    whole = sum(millions.values())
    figure, axes = new_figure(7.6, 5.0, 2, 1, height_ratios=[3.4, 1])
    above, below = axes[:, 0]
    with rc_context(LOOK):
        bars = above.barh(list(millions), list(millions.values()), color=COLOURS[0], height=0.65)
        labels = [f"{m:.2f} M, {m / whole:.0%}" for m in millions.values()]
        above.bar_label(bars, labels, padding=3, size=9)
        above.invert_yaxis()
        above.set(xlabel="parameters, millions", xlim=(0, 1.28 * max(millions.values())))
        above.set_title(f"{whole:.2f} million parameters with {vocabulary:,} tokens")
        by_size = sorted((papers, name) for name, (_, papers) in PAPERS.items())
        for place, (papers, name) in enumerate(by_size):
            top = 0.45 + 0.3 * (place % 2)  # at two heights, or neighbours would touch
            below.plot([papers, papers], [0, top], color="0.4", lw=1.2)
            bold = "bold" if name in ("base", "big") else "normal"
            below.text(papers, top, str(papers), ha="center", va="bottom", size=8, weight=bold)
        below.plot([whole], [0.2], marker="v", markersize=11, color=COLOURS[3], linestyle="none")
        below.text(whole, -0.12, f"yours: {whole:.1f}", ha="center", va="top", size=9)
        below.set(xscale="log", xlabel="the paper's rows of table 3, millions (65 base, 213 big)")
        below.set(ylim=(-0.6, 1.2), xlim=(min(24, whole * 0.9), max(260, whole * 1.1)), yticks=[])
        ticks = [25, 50, 100, 200]
        below.set_xticks(ticks, [str(tick) for tick in ticks])
        below.minorticks_off()
        below.spines["left"].set_visible(False)
    told = "; ".join(f"{name} {m:.2f}" for name, m in millions.items())
    return Picture(figure, f"Parameters in millions: {told}; together {whole:.2f}.")


def window(name, **settings):
    """All vocabularies with which a row rounds to the paper's number: (lowest, highest)."""
    changes, papers = PAPERS[name]
    settings = BASE | changes | settings
    body = total(0, **settings)
    each = total(1, **settings) - body  # what one more token costs
    lowest = -(-((papers - 0.5) * 1e6 - body) // each)
    highest = ((papers + 0.5) * 1e6 - body - 1) // each
    return int(lowest), int(highest)


def common(windows):
    """What several windows have in common: (lowest, highest), empty if lowest > highest."""
    windows = list(windows)
    return max(low for low, _ in windows), min(high for _, high in windows)


def suspects_picture(vocabulary=37_000):
    """Ours less the paper's, row by row: which rows does this vocabulary explain?"""
    off = {
        name: total(vocabulary, **(BASE | changes)) / 1e6 - papers
        for name, (changes, papers) in PAPERS.items()
    }
    explained = sum(abs(difference) <= 0.5 for difference in off.values())
    figure, axes = new_figure(7.2, 3.9)
    ax = axes[0, 0]
    with rc_context(LOOK):
        ax.axvspan(-0.5, 0.5, color="0.88", label="rounds to the paper's number")
        ax.axvline(0, color="0.5", lw=0.8)
        for row, (_, difference) in enumerate(off.items()):
            fits = abs(difference) <= 0.5
            ax.plot(
                difference,
                row,
                marker="o" if fits else "X",
                markersize=8,
                color=COLOURS[0 if fits else 3],
                linestyle="none",
            )
            ax.annotate(
                f"{difference:+.2f}", (difference, row), (9, -3), textcoords="offset points", size=8
            )
        ax.set_yticks(range(len(off)), list(off))
        ax.invert_yaxis()
        ax.set(
            title=f"{vocabulary:,} tokens: {explained} of {len(off)} rows explained",
            xlabel="our count − the paper's, millions",
            xlim=(-11, 9),
        )
        ax.legend(frameon=False, loc="upper right", fontsize=8)
    told = "; ".join(f"{name} {difference:+.2f}" for name, difference in off.items())
    return Picture(
        figure,
        f"With a vocabulary of {vocabulary:,}, {explained} of {len(off)} rows round to the paper's "
        f"number. Our count less the paper's, in millions: {told}.",
    )


def windows_picture():
    """For every row the vocabularies that explain it, beside the one that the paper states."""
    windows = {name: window(name) for name in PAPERS}
    low, high = common(w for name, w in windows.items() if name != "big")
    figure, axes = new_figure(7.2, 3.9)
    ax = axes[0, 0]
    with rc_context(LOOK):
        for row, (start, end) in enumerate(windows.values()):
            ax.plot([start, end], [row, row], lw=6, color=COLOURS[0], solid_capstyle="butt")
        ax.axvspan(low, high, color="0.35", alpha=0.5, label="fits all rows but big")
        ax.axvline(37_000, color=COLOURS[3], ls="--", label="stated: about 37,000")
        ax.set_yticks(range(len(windows)), list(windows))
        ax.invert_yaxis()
        ax.set(
            title="Which vocabulary gives the paper's number of parameters?",
            xlabel="vocabulary, tokens",
            xlim=(34_500, 45_500),
        )
        ax.legend(frameon=False, loc="lower right", fontsize=8)
    told = "; ".join(f"{name} from {a:,} to {b:,}" for name, (a, b) in windows.items())
    return Picture(figure, f"Vocabularies that explain each row: {told}.")


# --- words written backwards ---------------------------------------------------------------------

PAD, START, END = 0, 1, 2
LETTERS = "abcdefghij"
VOCABULARY = 3 + len(LETTERS)
LENGTH = 6
SETTINGS = {"d_model": 64, "num_heads": 4, "d_ff": 128, "num_layers": 2, "dropout": 0.0}


def spelled(tokens):
    """Token numbers as letters; the end token as a full stop, anything else as it is called."""
    others = {PAD: "", START: "‹start›", END: "."}
    return "".join(others.get(token) or LETTERS[token - 3] for token in tokens if token != PAD)


def words_backwards(number, generator):
    """Random words, and the same words backwards with an end token: (number, 6), (number, 7)."""
    source = torch.randint(3, VOCABULARY, (number, LENGTH), generator=generator)
    end = torch.full((number, 1), END)
    return source, torch.cat([source.flip(1), end], dim=1)


def read_by_decoder(target, shifted):
    return shift_right(target, START) if shifted else target


def train_backwards(kind, shifted=True, seed=0, steps=200, batch=64, top_rate=3e-3):
    """Train a small model of this class to write words backwards.

    Args:
        kind: a Transformer class, right or wrong.
        shifted: does the decoder read its targets one place later, as it should?
        seed: for the first weights and for the words.
    Returns:
        (model, the loss of every step)
    """
    torch.manual_seed(seed)
    model = initialise(kind(VOCABULARY, VOCABULARY, max_length=16, norm_first=True, **SETTINGS))
    words = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)
    losses = []
    for step in range(steps):
        rate = top_rate * min((step + 1) / 30, 1.5 * (steps - step) / steps, 1)  # up, then down
        for group in optimiser.param_groups:
            group["lr"] = rate
        source, target = words_backwards(batch, words)
        logits = model(source, read_by_decoder(target, shifted))  # (batch, 7, vocabulary)
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return model.eval(), losses


def examine_backwards(model, shifted=True, number=500):
    """How well does it do on words it has not seen?

    Returns:
        (share of letters right when the right past is put before it,
        share of whole words right when it writes on its own)
    """
    source, target = words_backwards(number, torch.Generator().manual_seed(999))
    with torch.no_grad():
        guesses = model(source, read_by_decoder(target, shifted)).argmax(dim=-1)
    written = greedy_decode(model, source, START, END, max_length=LENGTH + 1)
    written = F.pad(written, (0, LENGTH + 1 - written.shape[1]), value=PAD)
    letters = (guesses == target).double().mean().item()
    words = (written == target).all(dim=1).double().mean().item()
    return letters, words


def specimens(model, number=4):
    """Some words, and what the model writes: a list of (word, written)."""
    source, _ = words_backwards(number, torch.Generator().manual_seed(999))
    written = greedy_decode(model, source, START, END, max_length=LENGTH + 1)
    return [(spelled(a), spelled(b)) for a, b in zip(source.tolist(), written.tolist())]


def on_the_mirror(model, number=200):
    """Which share of the cross-attention lies on the very letter that is to be written next?

    Returns:
        for every decoder block the mean over words, heads and letters.
    """
    source, target = words_backwards(number, torch.Generator().manual_seed(999))
    with torch.no_grad():
        model(source, shift_right(target, START))
    places = np.arange(LENGTH)
    return [
        block.cross_attention.weights[:, :, places, LENGTH - 1 - places].mean().item()
        for block in model.decoder.layers
    ]
