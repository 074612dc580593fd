"""Lesson 7, what came after: a GPT that writes Python, a BERT that fills gaps, a ViT, experts.

All of them are made from the learner's own parts, and are small enough to be trained at once. What
attention costs, and how far it reaches, is measured in variants_cost.py.
"""

import re
import time

import torch
import torch.nn.functional as F
from matplotlib import rc_context
from torch import nn

from course.experiments.multi_head import BOYS, GIRLS, NUMBER, THINGS, WORDS, make_stories
from course.experiments.positional_encoding import LETTERS, passages
from course.figures import LOOK, WEIGHTS, Picture, bars, new_figure, numbers
from solutions.models import GPT, generate
from solutions.training import initialise

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def train(model, loss_of, steps, rate):
    """Let a model learn, on a GPU where there is one; (the model, back on the CPU; its losses).

    Args:
        loss_of: a function of the step that gives a loss.
    """
    model.to(DEVICE).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    losses = []
    for step in range(steps):
        for group in optimiser.param_groups:  # warm up, then slower and slower
            group["lr"] = rate * min(1.0, (step + 1) / 30) * (1 - 0.95 * step / steps)
        loss = loss_of(step)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return model.cpu().eval(), losses


# --- A GPT for Python -----------------------------------------------------------------------------

READS = 64  # characters that it sees at once in training
NUMBERS = {letter: number for number, letter in enumerate(LETTERS)}


def as_tokens(text):
    """(1, characters)"""
    return torch.tensor([[NUMBERS[letter] for letter in text]])


def as_text(tokens):
    return "".join(LETTERS[number] for number in tokens.tolist())


def new_writer(CausalSelfAttention, FeedForward, TokenEmbedding, width=96, layers=2, longest=640):
    """A GPT with rotary positions, made of the given parts."""
    torch.manual_seed(0)
    model = GPT(
        len(LETTERS), width, 4, 4 * width, layers, 0.0, max_length=longest, positions="rotary"
    )
    model.embedding = TokenEmbedding(len(LETTERS), width)
    for block in model.blocks:
        block.self_attention = CausalSelfAttention(width, 4, 0.0, "rotary")
        block.feed_forward = FeedForward(width, 4 * width, 0.0)
    return initialise(model)


def train_writer(model, text, steps=500, batch=16):
    """(the GPT, its losses): guess the next of 64 characters, everywhere at once."""
    drawn = torch.Generator().manual_seed(0)

    def loss_of(step):
        piece = passages(text, READS + 1, batch, drawn).to(DEVICE)  # (batch, length + 1)
        logits = model(piece[:, :-1])  # (batch, length, letters)
        return F.cross_entropy(logits.flatten(0, 1), piece[:, 1:].flatten())

    return train(model, loss_of, steps, rate=4e-3)


@torch.no_grad()
def loss_on(model, text, count=200):
    """The mean loss in nats on passages of a text."""
    piece = passages(text, READS + 1, count, torch.Generator().manual_seed(1))
    return F.cross_entropy(model(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten()).item()


@torch.no_grad()
def loss_through_cache(model, text, count=50):
    """The same as loss_on, with the passages read character by character, as writing does."""
    piece = passages(text, READS + 1, count, torch.Generator().manual_seed(1))
    caches = model.new_caches()
    logits = torch.cat([model(piece[:, at : at + 1], caches) for at in range(READS)], dim=1)
    return F.cross_entropy(logits.flatten(0, 1), piece[:, 1:].flatten()).item()


def write(model, prompt, length=200, copies=1, seed=0, **options):
    """What a GPT writes behind a prompt, as texts; always the same for the same seed."""
    tokens = as_tokens(prompt).expand(copies, -1)
    generator = torch.Generator().manual_seed(seed)
    return [as_text(row) for row in generate(model, tokens, length, generator=generator, **options)]


def race(model, prompt, lengths):
    """Write with and without the cache; {length: (seconds with, seconds without, the same?)}"""
    found, tokens = {}, as_tokens(prompt)
    for length in lengths:
        took, wrote = [], []
        for use_cache in (True, False):
            start = time.perf_counter()
            wrote.append(generate(model, tokens, length, 0.0, use_cache=use_cache))
            took.append(time.perf_counter() - start)
        found[length] = (*took, bool((wrote[0] == wrote[1]).all()))
    return found


@torch.no_grad()
def next_characters(model, prompt, temperature=1.0, top_k="all", shown=14):
    """The likeliest next characters as bars, as sample_token would draw them."""
    logits = model(as_tokens(prompt))[0, -1]
    if temperature == 0:
        shares = F.one_hot(logits.argmax(), len(logits)).double()
    else:
        if top_k != "all":
            logits = logits.masked_fill(logits < logits.topk(top_k).values[-1], -torch.inf)
        shares = (logits / temperature).double().softmax(-1)
    likeliest = logits.topk(shown).indices.tolist()
    names = {"\n": "↵", " ": "␣"}
    heights = {names.get(LETTERS[n], LETTERS[n]): shares[n].item() for n in likeliest}
    chosen = f"temperature {temperature:g}, top_k {top_k}"
    return bars(
        heights,
        f"What comes after “{prompt}”? {chosen}",
        "next character (␣ is a space, ↵ a new line)",
        "probability",
        y_high=1.1,
        fmt="{:.2f}",
    )


def words_in(text):
    """The words of three letters and more that are whole: not cut off at either end."""
    return re.findall(r"(?<=[^A-Za-z])[A-Za-z]{3,}(?=[^A-Za-z])", text)


def known_words(text):
    """How many different words a text has, and which."""
    return set(words_in(as_text(text)))


def judge(texts, known):
    """(share of words that are known, share of pieces of 12 characters that stood before)"""
    words = [word for text in texts for word in words_in(text)]
    again = []
    for text in texts:
        pieces = [text[at : at + 12] for at in range(len(text) - 11)]
        again.append(1 - len(set(pieces)) / len(pieces))
    return sum(word in known for word in words) / max(len(words), 1), sum(again) / len(again)


# --- A BERT for stories ---------------------------------------------------------------------------

PAD, MASK = 0, 1  # the stories' words begin behind them
VOCAB = len(WORDS) + 2


def story_tokens(count, seed=0, unseen=False):
    """The first two sentences of lesson 2's stories as tokens, (stories, 12)."""
    tokens = make_stories(count, seed, unseen).tokens
    without = tokens[tokens != NUMBER["today"]].view(count, -1)  # it stands once in each
    return without[:, :12] + 2


def number_of(word):
    return NUMBER[word] + 2


def train_filler(model, mask_tokens, steps=400, batch=64):
    """(the model, its losses): guess hidden words. `mask_tokens` says which, and what to read."""
    stories, drawn = story_tokens(2500), torch.Generator().manual_seed(0)
    initialise(model)

    def loss_of(step):
        chosen = stories[torch.randint(len(stories), (batch,), generator=drawn)]
        read, target = mask_tokens(chosen, MASK, VOCAB, generator=drawn)
        logits = model(read.to(DEVICE))
        return F.cross_entropy(logits.flatten(0, 1), target.to(DEVICE).flatten(), ignore_index=PAD)

    return train(model, loss_of, steps, rate=4e-3)


def train_one_sided(model, steps=200, batch=64):
    """(the model, its losses): guess the next word, in the same stories."""
    stories, drawn = story_tokens(2500), torch.Generator().manual_seed(0)
    initialise(model)

    def loss_of(step):
        chosen = stories[torch.randint(len(stories), (batch,), generator=drawn)]
        read = F.pad(chosen, (1, -1), value=MASK).to(DEVICE)  # a sign for the beginning
        return F.cross_entropy(model(read).flatten(0, 1), chosen.to(DEVICE).flatten())

    return train(model, loss_of, steps, rate=4e-3)


BLANKS = {  # name of a blank: (the words that may stand there, which of them in a story)
    "name of the first person": (GIRLS + BOYS, 0),
    "her or his, first": (["her", "his"], 0),
    "first thing": (THINGS, 0),
}


def blanks(tokens, kind):
    """(stories,) the place of a blank in every story."""
    words, which = BLANKS[kind]
    there = torch.isin(tokens, torch.tensor([number_of(word) for word in words]))
    return torch.stack([row.nonzero()[which, 0] for row in there])


@torch.no_grad()
def fill(model, tokens, place):
    """Probabilities (stories, words) for the word at a place that is hidden from the model."""
    every = torch.arange(len(tokens))
    hidden = tokens.clone()
    hidden[every, place] = MASK
    return model(hidden)[every, place].softmax(-1)


@torch.no_grad()
def guess_next(model, tokens, place):
    """The same from the words before the place alone."""
    read = F.pad(tokens, (1, -1), value=MASK)
    return model(read)[torch.arange(len(tokens)), place].softmax(-1)


def right_kind(shares, tokens, place, kind):
    """The probability that goes to words that would fit: of the right sex, or one of the things."""
    truth = tokens[torch.arange(len(tokens)), place]
    if kind.startswith("name"):
        girls, boys = (
            shares[:, [number_of(name) for name in names]].sum(-1) for names in (GIRLS, BOYS)
        )
        is_girl = torch.isin(truth, torch.tensor([number_of(name) for name in GIRLS]))
        return torch.where(is_girl, girls, boys).mean().item()
    return shares.gather(1, truth[:, None]).mean().item()


def blank_picture(shares, title, shown=8):
    """The likeliest words for one blank, as bars.

    Args:
        shares: (words,)
    """
    best = shares.topk(shown)
    names = ["‹pad›", "‹mask›", *WORDS]
    heights = {names[n]: p for n, p in zip(best.indices.tolist(), best.values.tolist())}
    return bars(heights, title, "word", "probability", fmt="{:.2f}")


# --- A ViT for digits -----------------------------------------------------------------------------


def digits():
    """(images, labels) to train on and to test on: real digits of 8 × 8 pixels, from 0 to 1."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16  # (images, 1, 8, 8)
    labels = torch.tensor(data.target)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    test, rest = order[:360], order[360:]
    return (images[rest], labels[rest]), (images[test], labels[test])


def train_seer(model, images, labels, steps=350, batch=64):
    """(the model, its losses)"""
    drawn = torch.Generator().manual_seed(0)

    def loss_of(step):
        chosen = torch.randint(len(images), (batch,), generator=drawn)
        return F.cross_entropy(model(images[chosen].to(DEVICE)), labels[chosen].to(DEVICE))

    return train(model, loss_of, steps, rate=3e-3)


@torch.no_grad()
def accuracy(model, images, labels):
    return (model(images).argmax(-1) == labels).double().mean().item()


def hide(images, places, size=2):
    """Images in which some patches are black.

    Args:
        places: (images, hidden) numbers of patches, row by row.
    """
    across = images.shape[-1] // size
    keep = torch.ones(len(images), across * across)
    keep.scatter_(1, places, 0.0)
    keep = keep.view(-1, 1, across, across)
    return images * keep.repeat_interleave(size, 2).repeat_interleave(size, 3)


def seen_picture(images, weights, titles):
    """Digits above, and below each the attention that its patches get.

    Args:
        images: (images, 1, 8, 8)
        weights: (images, patches)
    """
    side = int(weights.shape[1] ** 0.5)
    figure, axes = new_figure(1.6 * len(images) + 0.9, 3.8, 2, len(images))
    high = weights.max().item()
    with rc_context(LOOK):
        for column, title in enumerate(titles):
            axes[0, column].imshow(numbers(images[column, 0]), cmap="gray_r", vmin=0, vmax=1)
            drawn = axes[1, column].imshow(
                numbers(weights[column].view(side, side)), cmap=WEIGHTS, vmin=0, vmax=high
            )
            axes[0, column].set_title(title, fontsize=9)
            for ax, grid in ((axes[0, column], 8), (axes[1, column], side)):
                ax.set_xticks([])
                ax.set_yticks([])
                for cut in range(1, side):
                    at = cut * grid / side - 0.5
                    ax.axhline(at, color="0.6", lw=0.6)
                    ax.axvline(at, color="0.6", lw=0.6)
        axes[0, 0].set_ylabel("pixels")
        axes[1, 0].set_ylabel("attention")
        figure.colorbar(drawn, ax=axes[1, :], shrink=0.8, label="weight")
        figure.suptitle("What the answer's token attends to", fontweight="bold")
    places = weights.argmax(-1).tolist()
    told = "; ".join(
        f"{title}: most on patch row {place // side}, column {place % side}"
        for title, place in zip(titles, places)
    )
    return Picture(figure, f"Digits and, below, the attention on their patches. {told}.")


# --- Experts --------------------------------------------------------------------------------------

KINDS, FEATURES = 8, 16


def make_errands(seed=0):
    """A function that draws tokens of eight kinds, (x, what to answer, kind), each its own rule."""
    generator = torch.Generator().manual_seed(seed)
    centres = 1.5 * torch.randn(KINDS, FEATURES, generator=generator)
    rules = torch.randn(KINDS, FEATURES, FEATURES, generator=generator) / FEATURES**0.5

    def draw(count):
        kind = torch.randint(KINDS, (count,), generator=generator)
        noise = torch.randn(count, FEATURES, generator=generator)
        answer = torch.einsum("nf,nfg->ng", noise, rules[kind])
        return centres[kind] + noise, answer, kind

    return draw


def train_experts(layer, balance=0.0, seed=0, steps=250):
    """Teach a layer the errands; (its error on new ones, share of each expert (kinds, experts)).

    Args:
        layer: a MixtureOfExperts, or any module; only the former has shares.
        balance: weight of its balance loss.
    """
    draw = make_errands()
    torch.manual_seed(seed)

    def loss_of(step):
        x, answer, _ = (part.to(DEVICE) for part in draw(256))
        loss = F.mse_loss(layer(x), answer)
        return loss + balance * layer.balance_loss if balance else loss

    train(layer, loss_of, steps, rate=1e-2)
    x, answer, kind = draw(4000)
    with torch.no_grad():
        error = F.mse_loss(layer(x), answer).item()
        if not hasattr(layer, "router"):
            return error, None
        chosen = layer.router(x).topk(layer.top_k, dim=-1).indices  # (tokens, top_k)
    visits = F.one_hot(chosen, len(layer.experts)).sum(1).double()  # (tokens, experts)
    by_kind = torch.stack([visits[kind == k].mean(0) for k in range(KINDS)])
    return error, by_kind / layer.top_k


def parameters(module: nn.Module):
    return sum(parameter.numel() for parameter in module.parameters())
