"""Lesson 6's large experiment: what a trained translator of numbers shows.

A picture while it learns; which word meets which; what each head looks at, and whether one misses
it.
"""

import time
from collections import defaultdict
from contextlib import contextmanager
from functools import cache

import torch
from matplotlib import rc_context

from autograder.doors.notebook import notebook_shell
from course.figures import COLOURS, LOOK, Picture, draw_heatmap, new_figure
from solutions.training import evaluating, shift_right, smoothed_cross_entropy
from translation.number_words import (
    LANGUAGES,
    NEVER_HELD_OUT,
    PAD,
    START,
    in_words,
    pieces,
)
from translation.train import translate

SMALLEST_BAR = 0.7  # seconds between two movements of the bar


def held_out_pairs(task, languages=LANGUAGES, number=None):
    """Held-out numbers, spread over all of them: source (pairs, S), target (pairs, T)."""
    numbers = task.held_out_numbers
    if number is not None:
        numbers = numbers[:: len(numbers) // number][:number]
    return task.pairs(numbers, languages)


# --- while it learns -----------------------------------------------------------------------------


def attention_while_written(model, task, number, language):
    """Which source piece is looked at when each piece of the right answer is to be written.

    Returns:
        (pieces read, pieces to be written, weights (written, read) of the decoder's last block,
        the mean of its heads)
    """
    device = next(model.parameters()).device
    source = torch.tensor([task.read(in_words(number, "en"), language)], device=device)
    target = torch.tensor([task.write(number, language)], device=device)
    with evaluating(model):
        model(source, shift_right(target, START))
    weights = model.decoder.layers[-1].cross_attention.weights[0].mean(dim=0).cpu()
    read = [task.source_words[token].strip(" ,-") for token in source[0].tolist()]
    written = [task.target_words[token].strip(" -") for token in target[0].tolist()]
    return read, written, weights


class Watcher:
    """Shows a training while it runs: a bar, the curves, a translation, and where it looks.

    In a notebook the picture is replaced as it goes on, and the last one stays. Elsewhere some
    lines are printed. It keeps a copy of the weights of one step.

    Args:
        task: the NumberTranslation that is trained on.
        decode: how the samples are written.
        every: steps between two pictures.
        keep: the step of which `early` holds the weights.
    """

    def __init__(self, task, decode, every=50, keep=None):
        self.task, self.decode, self.every, self.keep = task, decode, every, keep
        self.rates, self.early, self.picture = [], None, None
        self.bar = self.shown = None
        self.began = self.moved = time.perf_counter()

    def __call__(self, training, steps):
        self.rates.append(training.optimiser.param_groups[0]["lr"])
        if training.step == self.keep:
            state = training.model.state_dict()
            self.early = {name: x.detach().clone() for name, x in state.items()}
        due = training.step % self.every == 0 or training.step in (1, steps)
        now = time.perf_counter()
        if due or now - self.moved > SMALLEST_BAR:
            self.moved = now
            self.move_bar(training, steps)
        if due:
            self.show(training, steps)

    def move_bar(self, training, steps):
        if not notebook_shell():
            return
        from IPython.display import display

        seconds = time.perf_counter() - self.began
        text = f"step {training.step} of {steps}, loss {training.losses[-1]:.3f}"
        page = (
            f'<progress max="{steps}" value="{training.step}" aria-label="training" '
            f'style="width:20em"></progress> {text}, {seconds:.0f} s'
        )
        bundle = {"text/html": page, "text/plain": text}
        if self.bar is None:
            self.bar = display(bundle, raw=True, display_id=True)
        else:
            self.bar.update(bundle, raw=True)

    def show(self, training, steps):
        samples = [
            (language, translate(training.model, self.task, "ninety-seven", language, self.decode))
            for language in LANGUAGES
        ]
        self.picture = training_picture(training, self.rates, self.task, samples, steps)
        if not notebook_shell():
            print(f"step {training.step}: loss {training.losses[-1]:.3f}", *samples)
            return
        from IPython.display import display

        bundle = self.picture._repr_mimebundle_()
        if self.shown is None:
            self.shown = display(bundle, raw=True, display_id=True)
        else:
            self.shown.update(bundle, raw=True)


def training_picture(training, rates, task, samples, steps):
    """Loss and learning rate on the left, and on the right where two translations look."""
    figure, axes = new_figure(11.0, 4.6, 2, 3, width_ratios=[1.25, 1, 1])
    grid = axes[0, 1].get_gridspec()
    for ax in axes[:, 1:].flat:
        ax.remove()
    sharpness = {}
    with rc_context(LOOK):
        axes[0, 0].plot(range(1, 1 + len(training.losses)), training.losses, color=COLOURS[0])
        axes[0, 0].set(title="loss", ylabel="nats a token")
        axes[1, 0].plot(range(1, 1 + len(rates)), rates, color=COLOURS[1], linestyle="--")
        axes[1, 0].set(title="learning rate", ylabel="rate")
        for ax in axes[:, 0]:
            ax.set(xlabel="step", xlim=(0, steps), ylim=(0, None))
        for column, language in enumerate(LANGUAGES, start=1):
            ax = figure.add_subplot(grid[:, column])
            read, written, weights = attention_while_written(training.model, task, 97, language)
            sharpness[language] = weights.max(dim=1).values.mean().item()
            draw_heatmap(ax, weights.numpy(), written, read)
            found = dict(samples)[language]
            ax.set_title(
                f"sharpness {sharpness[language]:.2f}; it writes\n{shortened(found)}", fontsize=10
            )
            ax.set(xlabel="piece that is read", ylabel="piece to be written")
        figure.suptitle(f"After step {training.step}: ninety-seven", fontweight="bold")
    told = "; ".join(
        f"{language}: writes {found or 'nothing'}, sharpness {sharpness[language]:.2f}"
        for language, found in samples
    )
    return Picture(
        figure,
        f"Training after step {training.step}: loss from {training.losses[0]:.2f} to "
        f"{training.losses[-1]:.2f}; ninety-seven into {told}.",
    )


def shortened(text, longest=28):
    text = text or "(nothing)"
    return text if len(text) <= longest else text[: longest - 1] + "…"


# --- right or wrong ------------------------------------------------------------------------------


def right_when_taught(model, source, target, at_once=500):
    """Which whole answers are right, each piece with the right past put before it: (pairs,)."""
    device = next(model.parameters()).device
    found = []
    with evaluating(model):
        for s, t in zip(source.to(device).split(at_once), target.to(device).split(at_once)):
            guesses = model(s, shift_right(t, START)).argmax(dim=-1)
            found.append(((guesses == t) | (t == PAD)).all(dim=1).cpu())
    return torch.cat(found)


def in_pieces(texts, language):
    """Texts with a space between any two pieces: a German number would be a single word."""
    return [" ".join(piece.strip(" -") for piece in pieces(text, language)) for text in texts]


# --- which word meets which ----------------------------------------------------------------------


@cache
def value_of(language):
    """{piece: its value}: "two", "deux" and "zwei" are 2."""
    values = {in_words(n, language): n for n in NEVER_HELD_OUT}
    values |= {pieces(in_words(n, language), language)[-1].strip(" -"): n for n in (100, 1000)}
    if language == "de":
        values["ein"] = 1
    return values


def partners(read, written, language):
    """Pieces of the same value: {place written: place read}, the first with the first, and so on.

    Pieces that have no partner, such as "und", or the "dix" of "quatre-vingt-dix", are left out.
    """
    places = defaultdict(list)
    for place, piece in enumerate(read):
        places[value_of("en").get(piece)].append(place)
    found = {}
    for place, piece in enumerate(written):
        value = value_of(language).get(piece)
        if value is not None and places[value]:
            found[place] = places[value].pop(0)
    return found


def crossings(places):
    """How many pairs stand in the other order than they were read in."""
    return sum(a > b for i, a in enumerate(places) for b in places[i + 1 :])


def who_meets_whom(model, task, numbers, language):
    """For each number the places looked at hardest, and the partners: [(looked, partners)]."""
    found = []
    for number in numbers:
        read, written, weights = attention_while_written(model, task, number, language)
        looked = weights.argmax(dim=1).tolist()
        found.append((looked, partners(read, written, language), weights))
    return found


# --- heads ---------------------------------------------------------------------------------------

ROLES = ("previous", "itself", "next", "first", "same value", "entropy")
# How far from its query a key stands, where both are places of the same text.
OFFSETS = {
    "encoder": {"previous": -1, "itself": 0, "next": 1},
    "decoder": {"previous": -1, "itself": 0},  # what comes next is hidden
    "cross": {},
}


def attentions(model):
    """{name: attention} of all attentions of a Transformer."""
    found = {}
    for number, layer in enumerate(model.encoder.layers):
        found[f"encoder {number}"] = layer.self_attention
    for number, layer in enumerate(model.decoder.layers):
        found[f"decoder {number}"] = layer.self_attention
    for number, layer in enumerate(model.decoder.layers):
        found[f"cross {number}"] = layer.cross_attention
    return found


def head_names(model):
    return [
        f"{name} H{head}"
        for name, attention in attentions(model).items()
        for head in range(attention.weights.shape[1])
    ]


def values_of(words, language):
    """The value of every token of a vocabulary, (vocab,); -1 where it has none."""
    known = value_of(language)
    return torch.tensor([known.get(word.strip(" ,-"), -1) for word in words])


def what_heads_do(model, task, source, target, language):
    """A score for every head and role: (heads, roles).

    Shares of weight, the mean over all queries that have such a key; for "same value", in cross-
    attention, the keys whose value is that of the piece to be written. The entropy is divided by
    that of equal weights.
    """
    device = next(model.parameters()).device
    source, target = source.cpu(), target.cpu()
    with evaluating(model):
        model(source.to(device), shift_right(target, START).to(device))
    was_read = values_of(task.source_words, "en")[source][:, None, :]  # (batch, 1, S)
    to_be_written = values_of(task.target_words, language)[target][:, :, None]  # (batch, T, 1)
    same = (to_be_written == was_read) & (was_read >= 0)
    table = []
    for name, attention in attentions(model).items():
        weights, kind = attention.weights.cpu(), name.split()[0]
        scores = scores_of(kind, weights, *who_sees_what(kind, source, target), same)
        none = torch.full((weights.shape[1],), torch.nan)
        table.append(torch.stack([scores.get(role, none).double() for role in ROLES], dim=1))
    return torch.cat(table)


def who_sees_what(kind, source, target):
    """Which queries of an attention count, and which keys each of them may see.

    Args:
        kind: "encoder", "decoder" or "cross".
    Returns:
        (batch, query), (batch, query, key)
    """
    queries = (source if kind == "encoder" else target) != PAD
    keys = (shift_right(target, START) if kind == "decoder" else source) != PAD
    visible = keys[:, None, :].expand(-1, queries.shape[1], -1)
    if kind == "decoder":
        visible = visible & torch.ones(visible.shape[1:]).tril().bool()
    return queries, visible


def scores_of(kind, weights, queries, visible, same):
    """{role: a score for every head} of one attention, for the roles that there are in it.

    Args:
        weights: (batch, heads, query, key)
        queries, visible: what who_sees_what says.
        same: which pieces have the same value, (batch, piece to be written, piece that was read).
    """
    scores = {}
    for role, offset in OFFSETS[kind].items():
        band = torch.ones(weights.shape[2:]).tril(offset).triu(offset).bool()
        scores[role] = share(weights, band & visible, queries)
    scores["first"] = share(weights[..., 1:, :], first_key(visible[:, 1:]), queries[:, 1:])
    if kind == "cross":
        scores["same value"] = share(weights, same & visible, queries)
    scores["entropy"] = entropy(weights, queries, visible)
    return scores


def entropy(weights, queries, visible):
    """How evenly each head spreads its weight: 1 if all keys that it may see get the same."""
    found = -(weights * weights.clamp(min=1e-12).log()).sum(dim=-1)  # (batch, heads, query)
    most = visible.sum(dim=-1).double().log()  # (batch, query)
    counts = queries & (most > 0)
    return torch.stack([(f / most)[counts].mean() for f in found.unbind(dim=1)])


def first_key(visible):
    """The first key of each query."""
    first = torch.zeros_like(visible)
    first[..., 0] = True
    return first


def share(weights, keys, queries):
    """The weight on these keys, for each head the mean of all queries that have such a key."""
    found = (weights * keys[:, None]).sum(dim=-1)  # (batch, heads, query)
    counts = queries & keys.any(dim=-1)  # (batch, query)
    return torch.stack([f[counts].mean() for f in found.unbind(dim=1)])


@contextmanager
def without(model, taken_out):
    """A model without some heads, whose numbers are those of head_names; then as it was."""
    before, number = [], 0
    for attention in attentions(model).values():
        weight = attention.w_output.weight
        before.append((weight, weight.detach().clone()))
        heads = attention.weights.shape[1]
        width = weight.shape[1] // heads
        for head in range(heads):
            if number in taken_out:
                with torch.no_grad():
                    weight[:, head * width : (head + 1) * width] = 0
            number += 1
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, values in before:
                weight.copy_(values)


def how_well(model, source, target):
    """(loss in nats a piece, share of whole answers right) when it is taught."""
    device = next(model.parameters()).device
    with evaluating(model):
        logits = model(source.to(device), shift_right(target.to(device), START))
    loss = smoothed_cross_entropy(logits, target.to(device), smoothing=0.0).item()
    guesses = logits.argmax(dim=-1).cpu()
    return loss, ((guesses == target) | (target == PAD)).all(dim=1).double().mean().item()
