"""Draw fresh inputs from a seed, the same ones for the same seed on every machine."""

import hashlib
import inspect
from functools import lru_cache

import torch


@lru_cache(maxsize=256)
def made(kind, arguments):
    """A module of this kind, to look at its parameters; made once, for that takes its time."""
    return kind(**dict(arguments))


class Draw:
    """A source of random inputs for one probe.

    Args:
        seed: of the whole check.
        name: of the probe, so that probes do not all get the same numbers.
        reference: the exercise's reference, whose parameters' names and shapes `weights` needs.

    If the reference is a class, `draw.reference(d_model=…, …)` gives a module that is only to be
    looked at.
    """

    def __init__(self, seed, name="", reference=None):
        digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
        self.generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        self.kind = reference

    def reference(self, **arguments):
        """A module of the reference's, or what the reference gives if it is a function."""
        if inspect.isclass(self.kind):
            return made(self.kind, tuple(arguments.items()))
        return self.kind(**arguments)

    def normal(self, *shape, scale=1.0, dtype=torch.float32):
        """Numbers from a normal distribution."""
        return torch.randn(shape, generator=self.generator, dtype=dtype) * scale

    def integers(self, low, high, *shape):
        """Whole numbers from low to high - 1."""
        return torch.randint(low, high, shape, generator=self.generator)

    def integer(self, low, high):
        """One whole number from low to high - 1."""
        return int(self.integers(low, high))

    def order(self, count):
        """The numbers 0 … count - 1, shuffled."""
        return torch.randperm(count, generator=self.generator)

    def mask(self, *shape):
        """A boolean mask in which every query may attend to something, and not to everything."""
        mask = torch.rand(shape, generator=self.generator) < 0.6
        first, second = self.order(shape[-1])[:2].tolist() if shape[-1] > 1 else (0, 0)
        mask[..., second] = False
        mask[..., first] = True
        return mask

    def tokens(self, batch, length, vocab, pad=0, padded=True):
        """Token numbers without pad; the last of some sequences, never of all, are padding."""
        tokens = self.integers(1, vocab, batch, length)
        tokens = torch.where(tokens == pad, torch.zeros_like(tokens), tokens)  # pad > 0: use 0
        if padded and length > 1:
            for row in range(1, batch):
                tokens[row, self.integer(1, length) :] = pad
        return tokens

    def weights(self, module):
        """Random numbers for every parameter of a module: at their first values, ones and zeros,
        and parameters that happen to be equal, hide mistakes."""
        state, drawn = {}, {}
        for name, parameter in module.named_parameters(remove_duplicate=False):
            if id(parameter) not in drawn:
                scale = 0.5 if parameter.dim() == 1 else parameter.shape[-1] ** -0.5
                numbers = self.normal(*parameter.shape, scale=scale)
                drawn[id(parameter)] = numbers + 1 if is_gain(name, parameter) else numbers
            state[name] = drawn[id(parameter)]
        return state


def is_gain(name, parameter):
    """Is it a layer norm's weight? Around 1, signals keep their size through a stack."""
    return parameter.dim() == 1 and name.endswith("weight")
