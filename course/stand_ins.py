"""Small models that exercises are given as an argument, made anew for every call.

A trial names the function that makes one: `StandIn("name", {arguments})`. It may have a method
`notes()`, which says as facts what was done with it.
"""

import math
from functools import lru_cache
from zlib import crc32

import torch
from torch import nn

# --- For initialise: parameters of every kind -----------------------------------------------------


class Parts(nn.Module):
    """Linears, embeddings, a norm, a convolution, parameters and a buffer of its own."""

    def __init__(self, width, hidden, vocab):
        super().__init__()
        self.table = nn.Embedding(vocab, width)
        self.inner = nn.ModuleDict(
            {
                "linear": nn.Linear(width, hidden),
                "more": nn.ModuleList([nn.LayerNorm(hidden), nn.Embedding(vocab, hidden)]),
                "convolution": nn.Conv1d(4, 5, 3),
            }
        )
        self.mixing = nn.Parameter(torch.empty(hidden, width))
        self.reading_weight = nn.Parameter(torch.empty(width, vocab))
        self.scale = nn.Parameter(torch.empty(()))
        self.output = nn.Linear(width, vocab)
        self.output.weight = self.table.weight
        self.register_buffer("positions", torch.empty(vocab, hidden))
        self.inner["more"][0].bias.requires_grad_(False)
        self.inner["more"][1].weight.requires_grad_(False)

    def tensors(self):
        """Parameters, a shared one under each of its names, and buffers."""
        return dict([*self.named_parameters(remove_duplicate=False), *self.named_buffers()])

    def remember(self):
        self.before = {name: x.detach().cpu().clone() for name, x in self.tensors().items()}

    def notes(self):
        """What has become of the parameters and buffers."""
        now, before = self.tensors(), self.before
        here = [name for name in before if name in now]
        other = [name for name in here if not torch.equal(now[name].detach().cpu(), before[name])]
        return {
            "parameters and buffers": sorted(now),
            "with new numbers": sorted(other),
            "now 0": sorted(name for name in other if not now[name].any()),
            "trainable": sorted(name for name in here if now[name].requires_grad),
            "table and output share one matrix": self.output.weight is self.table.weight,
        }


def parts(width, hidden, vocab, seed, dtype=torch.float32):
    """A model with parameters of every kind, all with numbers drawn from a seed."""
    model = Parts(width, hidden, vocab)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.tensors().values():
            tensor.normal_(generator=generator)
    model.to(dtype).remember()
    return model


# --- For greedy_decode and beam_search: a model that writes what its script says ------------------


class Wobble(nn.Module):
    """Lets its input through in eval mode only, as dropout does, but is not random."""

    def forward(self, x):
        return x.roll(1, dims=-1) if self.training else x


class Scribe(nn.Module):
    """Takes its logits from a script, and behaves like a Transformer in all other respects.

    Args:
        scripts: {first token of a source: {tokens so far, from the start token on: {next token:
            its probability}}}. What is left of 1 is shared among the other tokens, unequally;
            so is everything where the script says nothing.
        vocab: number of target tokens.
        pad: the token of padding.
        rare: tokens with next to no probability where the script does not name them.
    """

    def __init__(self, scripts, vocab, pad, rare):
        super().__init__()
        self.scripts, self.vocab, self.pad, self.rare = scripts, vocab, pad, tuple(rare)
        self.known = {}  # features that were worked out before
        self.recorded = False
        self.width = vocab + 2
        self.table = nn.Embedding(vocab, self.width)
        self.wobble = Wobble()
        self.output = nn.Linear(self.width, vocab)
        with torch.no_grad():
            self.table.weight.zero_()
            self.output.bias.zero_()
            # Hidden states are no logits: token v has feature v + 1, and the last one feature 0.
            self.output.weight.copy_(torch.eye(vocab, self.width).roll(-1, dims=0))

    def encode(self, source):
        """source (batch, source) → memory (batch, source, width) with the token in feature 0."""
        features = torch.arange(self.width, device=source.device)
        memory = source[..., None] + features + self.table.weight.sum()
        self.recorded |= memory.requires_grad
        return self.wobble(memory)

    def decode(self, target, memory, source):
        """Look up in the script of each row what follows every beginning of its target."""
        x = self.table(target) + 0 * memory[:, :1]  # (batch, target, width)
        self.recorded |= x.requires_grad
        topics = zip(first_numbers(memory[:, 0, 0], x), first_numbers(source[:, 0], x))
        rows = target.expand(len(x), -1).tolist()
        features = [self.behind(*topic, tuple(row)) for topic, row in zip(topics, rows)]
        return x + self.wobble(torch.tensor(features, device=x.device))

    def behind(self, read, told, written):
        """The features behind every beginning of `written`; there is no script if memory and source
        do not agree."""
        key = (read, told, written)
        if key not in self.known:
            script = self.scripts.get(read, {}) if read == told else {}
            likely = tuple(script.get(written, {}).items())
            order = crc32(repr(key).encode()) % 16
            last = features(likely, self.rare, self.vocab, self.width, order)
            before = self.behind(read, told, written[:-1]) if written[1:] else []
            self.known[key] = [*before, last]
        return self.known[key]

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))

    def notes(self):
        """In which mode it was left, and whether memory was spent on gradients."""
        modes = {"training" if module.training else "eval" for module in self.modules()}
        enabled = torch.is_grad_enabled()
        torch.set_grad_enabled(True)  # whoever comes next is to find them on
        return {
            "mode afterwards": " and ".join(sorted(modes)),
            "gradients were recorded": self.recorded,
            "gradients are on afterwards": enabled,
        }


@lru_cache(maxsize=4096)
def features(likely, rare, vocab, width, order):
    """Logits in their places; `order` says how the tokens that are not named stand."""
    named = dict(likely)
    others = [v for v in range(vocab) if v not in named and v not in rare]
    others.sort(key=lambda v: (order + 1) * (2 * v + 1) * 7919 % 65521)
    shift = order % 5 - 2.0  # logits are logarithms of probabilities but for such a number
    found = [-40.0] * width
    for place, v in enumerate(rare):
        found[(v + 1) % vocab] = shift - 20.0 - place
    # Each of the others has three quarters of the chance of the one before.
    left = max(1.0 - sum(named.values()), 1e-6) / max(1 - 0.75 ** len(others), 1e-6)
    highest = shift + math.log(left / 4)
    for place, v in enumerate(others):
        found[(v + 1) % vocab] = highest - 0.28768 * place
    for v, probability in likely:
        found[(v + 1) % vocab] = shift + math.log(probability)
    return found


def first_numbers(column, x):
    """A whole number for each row of x; if the column has a single one, it serves all rows."""
    return [round(number) for number in column.expand(len(x)).tolist()]


def scribe(scripts, vocab, pad, rare, training=False):
    """A model that writes what its script says, in training or in eval mode."""
    return Scribe(scripts, vocab, pad, rare).train(training)


# --- For count_parameters: shared, frozen and nested parameters, and a buffer ---------------------


class SmallNetwork(nn.Module):
    """An embedding, a norm, a body in two levels, an output, and a parameter of its own."""

    def __init__(self, vocab, d_model, d_ff):
        super().__init__()
        self.start = nn.Parameter(torch.empty(3, d_model))
        self.embedding = nn.Embedding(vocab, d_model)
        inner = nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model))
        self.body = nn.Sequential(inner, nn.LayerNorm(d_model), nn.Linear(d_model, d_model))
        self.output = nn.Linear(d_model, vocab)
        self.register_buffer("positions", torch.zeros(5, d_model))


def small_network(vocab, d_model, d_ff, tied=False, twice=False, frozen=(), convolution=False):
    """A network whose parameters are to be counted.

    Args:
        tied: do embedding and output share their matrix?
        twice: does the body stand under a second name?
        frozen: parameters whose names begin with one of these cannot be trained.
        convolution: is there a part whose parameters have more than two dimensions?
    """
    network = SmallNetwork(vocab, d_model, d_ff)
    if convolution:
        network.convolution = nn.Conv2d(2, d_model, 3)
    if tied:
        network.output.weight = network.embedding.weight
    if twice:
        network.again = network.body
    for name, parameter in network.named_parameters():
        parameter.data.fill_(0.25)
        if name.startswith(tuple(frozen)):
            parameter.requires_grad_(False)
    return network


class KeyValueCache:
    """What lesson 7 calls a KeyValueCache: the keys and values of all tokens read so far."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.length = 0
        self.keys = self.values = None

    def append(self, key, value):
        start, end = self.length, self.length + key.shape[2]
        if end > self.capacity:
            raise ValueError(f"the cache has capacity={self.capacity}, too little for {end} tokens")
        if self.keys is None:
            batch, heads, _, d_head = key.shape
            self.keys = key.new_zeros(batch, heads, self.capacity, d_head)
            self.values = torch.zeros_like(self.keys)
        self.keys[:, :, start:end] = key.detach()
        self.values[:, :, start:end] = value.detach()
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def to(self, device):
        return self

    def notes(self):
        return {"number of tokens in the cache": self.length}


CACHE = []  # the one of the sequence that is being read


def key_value_cache(capacity, begins=False):
    """A memory that stays the same from call to call, until a new sequence begins."""
    if begins or not CACHE:
        CACHE[:] = [KeyValueCache(capacity)]
    return CACHE[0]


class Seed:
    """A torch.Generator that is not made before its device is known."""

    def __init__(self, seed):
        self.seed = seed

    def to(self, device):
        return torch.Generator(device).manual_seed(self.seed)


def generator(seed):
    return Seed(seed)


class Watched(torch.Tensor):
    """A tensor that keeps an eye on how large those are that are made of it."""

    largest = 0

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = super().__torch_function__(function, types, args, kwargs)
        with torch._C.DisableTorchFunctionSubclass():
            for x in (*args, *kwargs.values(), result):
                if isinstance(x, torch.Tensor):
                    Watched.largest = max(Watched.largest, x.numel())
        return result

    def notes(self):
        return {"largest tensor": Watched.largest}


def watched(x):
    Watched.largest = 0
    return x.clone().as_subclass(Watched)
