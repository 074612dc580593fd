"""Lesson 6's small experiments: a copying task for known mistakes, schedules and checkpoints, the
size of signals by depth, and a model with a script for searches. What the large training shows is
in translating.py.

Models and functions are handed in, so what is measured holds for the learner's own code.
"""

import inspect

import torch
import torch.nn.functional as F
from torch import nn

from autograder.engine.mistakes import wrong
from course.checks import find
from solutions.training import evaluating, greedy_decode, shift_right, smoothed_cross_entropy
from solutions.training import initialise as xavier
from solutions.transformer import Transformer

# --- copying -------------------------------------------------------------------------------------

PAD, START, END = 0, 1, 2
LETTERS = "abcdefghij"
VOCABULARY = 3 + len(LETTERS)
LONGEST = 7
SIZES = {"d_model": 32, "num_heads": 2, "d_ff": 64, "num_layers": 1, "dropout": 0.0}


def words(number, generator):
    """Random words of 3 to 7 letters to be copied: source (number, 7), target (number, 8)."""
    source = torch.randint(3, VOCABULARY, (number, LONGEST), generator=generator)
    lengths = torch.randint(3, LONGEST + 1, (number, 1), generator=generator)
    source = source.masked_fill(torch.arange(LONGEST) >= lengths, PAD)
    target = F.pad(source, (0, 1)).scatter(1, lengths, END)
    return source, target


def spelled(tokens):
    """Token numbers as letters, up to the end token."""
    tokens = list(tokens)
    tokens = tokens[: tokens.index(END)] if END in tokens else tokens
    return "".join(LETTERS[token - 3] if token >= 3 else "·" for token in tokens)


def copier(steps=200, batch=64, seed=0, rate=lambda step: 4e-3 * min(1, step / 30), **parts):
    """Train a small model to copy words, with some parts exchanged.

    Args:
        rate: the learning rate of every step, counted from 1.
        parts: other versions of `transformer`, `shift_right`, `loss`, `initialise`; `sizes`, other
            sizes of the model; `exchanged`, {class name: another class for these parts of it}.
    Returns:
        (model, the loss of every step, how its decoder's input is made)
    """
    kind, shift = parts.get("transformer", Transformer), parts.get("shift_right", shift_right)
    loss_of = parts.get("loss", smoothed_cross_entropy)
    torch.manual_seed(seed)
    sizes = SIZES | {"norm_first": True} | parts.get("sizes", {})
    model = kind(VOCABULARY, VOCABULARY, max_length=16, **sizes)
    for name, other in parts.get("exchanged", {}).items():
        exchange(model, name, other, sizes)
    model = parts.get("initialise", xavier)(model)
    optimiser = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)
    generator = torch.Generator().manual_seed(seed)
    losses = []
    for step in range(1, steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = rate(step)
        source, target = words(batch, generator)
        logits = model(source, shift(target, START))  # (batch, 8, vocabulary)
        loss = loss_of(logits, target, 0.0, PAD)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return model.eval(), losses, shift


def exchange(model, name, other, sizes):
    """Put parts of another class in the places of all parts of a model that bear this name."""
    known = sizes | {"eps": 1e-5, "max_length": 16}
    wanted = inspect.signature(other).parameters
    arguments = {argument: known[argument] for argument in wanted if argument in known}
    for parent in list(model.modules()):
        for place, child in parent.named_children():
            if type(child).__name__ == name:
                setattr(parent, place, other(**arguments))


def examine_copier(model, shift=shift_right, decode=greedy_decode, number=300):
    """(tokens right with the right past given, words right when it writes alone), in shares."""
    source, target = words(number, torch.Generator().manual_seed(999))
    with evaluating(model):
        guesses = model(source, shift(target, START)).argmax(dim=-1)
    counts = target != PAD
    taught = (guesses == target)[counts].double().mean().item()
    written = decode(model, source, START, END, LONGEST + 1)
    written = F.pad(written, (0, LONGEST + 1 - written.shape[1]), value=PAD)
    return taught, (written == target).all(dim=1).double().mean().item()


# Known mistakes: (what it is called here, the exercise, the mistake, where it is put in).
SLIPS = (
    ("scaled by √d_model", "multi_head.MultiHeadAttention", "scaled_by_model_width"),
    ("no output projection", "multi_head.MultiHeadAttention", "no_output_projection"),
    ("source padding seen", "transformer.Transformer", "source_padding_seen"),
    (
        "sine and cosine swapped",
        "positional_encoding.PositionalEncoding",
        "sine_and_cosine_swapped",
    ),
    ("positions: exponent doubled", "positional_encoding.PositionalEncoding", "exponent_doubled"),
    ("no √d_model", "transformer.Transformer", "not_scaled"),
    ("no ReLU", "encoder_block.FeedForward", "no_activation"),
    ("loss counts padding", "training.smoothed_cross_entropy", "padding_counted"),
    ("no norms", "transformer.DecoderBlock", "no_norms"),
    ("no causal mask", "transformer.Transformer", "no_causal_mask"),
    ("mask one place off", "transformer.Transformer", "sees_one_ahead"),
    ("mask upside down", "transformer.Transformer", "causal_mask_inverted"),
    ("mask inverted", "multi_head.MultiHeadAttention", "mask_inverted"),
    ("only the future seen", "transformer.Transformer", "sees_the_future_alone"),
    ("merge by reshape", "multi_head.MultiHeadAttention", "merged_by_view"),
    ("not shifted", "training.shift_right", "not_shifted"),
    ("split by reshape", "multi_head.MultiHeadAttention", "split_by_view"),
    ("norm over the sequence", "encoder_block.LayerNorm", "over_tokens"),
    ("scores not scaled", "multi_head.MultiHeadAttention", "no_scale"),
    ("no residuals", "transformer.DecoderBlock", "no_residual"),
    ("no positions", "transformer.Transformer", "no_positions"),
    ("memory not read", "transformer.Transformer", "memory_ignored"),
    ("softmax twice", "transformer.Transformer", "softmax_inside"),
)
PLACES = {
    "Transformer": "transformer",
    "smoothed_cross_entropy": "loss",
    "shift_right": "shift_right",
    "initialise": "initialise",
}


def with_slip(exercise, mistake, **settings):
    """Train the copier with one known mistake; as `copier`."""
    kind, name = wrong(exercise, mistake), find(exercise).name
    place = {PLACES[name]: kind} if name in PLACES else {"exchanged": {name: kind}}
    return copier(**place, **settings)


# --- the size of signals -------------------------------------------------------------------------


def spread_by_depth(initialise, depth=30, width=128, bend=None, seed=0):
    """The standard deviation of a signal in front of, and behind each of many Linears.

    Args:
        initialise: a function that fills a module's matrices in place.
        bend: a function between the Linears, such as torch.relu.
    """
    torch.manual_seed(seed)
    layers = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(depth))
    initialise(layers)
    x = torch.randn(256, width)
    spreads = [x.std().item()]
    with torch.no_grad():
        for layer in layers:
            x = layer(x) if bend is None else bend(layer(x))
            spreads.append(x.std().item())
    return spreads


def spread_in_blocks(encoder, initialise, width, seed=0):
    """The same in front of, and behind each block of an encoder."""
    torch.manual_seed(seed)
    initialise(encoder)
    x = torch.randn(16, 12, width)
    spreads = [x.std().item()]
    with evaluating(encoder):
        for layer in encoder.layers:
            x = layer(x)
            spreads.append(x.std().item())
    return spreads


# --- a model with a script -----------------------------------------------------------------------


class Script(nn.Module):
    """No network: it looks up what comes next. For decoders it is like a Transformer.

    Args:
        chances: {words so far: {next word: its probability}}; what is left is shared equally.
        vocabulary: the words; the first three are padding, start and end.
    """

    def __init__(self, chances, vocabulary):
        super().__init__()
        self.chances, self.vocabulary, self.pad = chances, vocabulary, PAD
        self.output = nn.Identity()

    def encode(self, source):
        return source[..., None].float()

    def decode(self, target, memory, source):
        return torch.stack([self.behind(row) for row in target.tolist()])[:, None].expand(
            -1, target.shape[1], -1
        )

    def behind(self, row):
        """The logarithms of what follows these tokens, (vocab,)."""
        said = tuple(self.vocabulary[token] for token in row[1:])
        known = self.chances.get(said, {})
        left = (1 - sum(known.values())) / (len(self.vocabulary) - len(known))
        return torch.tensor([known.get(word, left) for word in self.vocabulary]).log()

    def words(self, tokens):
        return " ".join(self.vocabulary[token] for token in tokens if token not in (PAD, END))

    def probability(self, tokens):
        """Of a whole answer, up to its end."""
        tokens = [START, *(token for token in tokens if token != PAD)]
        logs = [self.behind(tokens[:i])[token] for i, token in enumerate(tokens) if i > 0]
        return sum(logs).exp().item()


# --- stop and go on ------------------------------------------------------------------------------


def stop_and_go(train, path, forget=(), stop=10, steps=20, **settings):
    """Train in two halves, with a checkpoint in between, out of which something may be lost.

    Args:
        train: translation.train.train
        path: of the checkpoint's file.
        forget: which of its entries are replaced by those of a training that has just begun.
    Returns:
        the Training after the second half
    """
    path.unlink(missing_ok=True)
    settings = {"batch_size": 16, "warmup": 10, "watch": lambda *_: None, **settings}
    train(steps=0, checkpoint=path, **settings)
    fresh = torch.load(path, weights_only=True)
    train(steps=stop, checkpoint=path, **settings)
    state = torch.load(path, weights_only=True)
    torch.save(state | {name: fresh[name] for name in forget}, path)
    return train(steps=steps, checkpoint=path, **settings)
