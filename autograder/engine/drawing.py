"""Draw fresh inputs from a seed, the same ones for the same seed on every machine."""

from __future__ import annotations

import hashlib
import inspect
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from .trial import Implementation


@lru_cache(maxsize=256)
def made(kind: Implementation, arguments: tuple[tuple[str, Any], ...]) -> Any:
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

    def __init__(self, seed: int, name: str = "", reference: Implementation | None = None):
        digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
        self.generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        self.kind = reference

    def reference(self, **arguments: Any) -> Any:
        """A module of the reference's, or what the reference gives if it is a function."""
        if inspect.isclass(self.kind):
            return made(self.kind, tuple(arguments.items()))
        if self.kind is None:
            raise TypeError("this Draw was made without a reference")
        return self.kind(**arguments)

    def normal(
        self, *shape: int, scale: float = 1.0, dtype: torch.dtype = torch.float32
    ) -> torch.Tensor:
        """Numbers from a normal distribution."""
        return torch.randn(shape, generator=self.generator, dtype=dtype) * scale

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """Whole numbers from low to high - 1."""
        return torch.randint(low, high, shape, generator=self.generator)

    def integer(self, low: int, high: int) -> int:
        """One whole number from low to high - 1."""
        return int(self.integers(low, high))

    def order(self, count: int) -> torch.Tensor:
        """The numbers 0 … count - 1, shuffled."""
        return torch.randperm(count, generator=self.generator)

    def mask(self, *shape: int) -> torch.Tensor:
        """A boolean mask in which every query may attend to something, and not to everything."""
        mask = torch.rand(shape, generator=self.generator) < 0.6
        first, second = self.order(shape[-1])[:2].tolist() if shape[-1] > 1 else (0, 0)
        mask[..., second] = False
        mask[..., first] = True
        return mask

    def tokens(
        self, batch: int, length: int, vocab: int, pad: int = 0, padded: bool = True
    ) -> torch.Tensor:
        """Token numbers without pad; the last of some sequences, never of all, are padding."""
        tokens = self.integers(1, vocab, batch, length)
        tokens = torch.where(tokens == pad, torch.zeros_like(tokens), tokens)  # pad > 0: use 0
        if padded and length > 1:
            for row in range(1, batch):
                tokens[row, self.integer(1, length) :] = pad
        return tokens

    def weights(self, module: nn.Module) -> dict[str, torch.Tensor]:
        """Random numbers for every parameter of a module: at their first values, ones and zeros,
        and parameters that happen to be equal, hide mistakes."""
        return self.numbers_for(Layout.of(module))

    def numbers_for(self, layout: Layout) -> dict[str, torch.Tensor]:
        drawn = self.normal(len(layout.scale))  # all at once is faster
        numbers = drawn * layout.scale + layout.shift
        parts = [x.reshape(shape) for x, shape in zip(numbers.split(layout.counts), layout.shapes)]
        return {name: parts[place] for name, place in layout.places.items()}


class Layout:
    """How to draw the parameters of a module, in one go: parameters that are one get one part."""

    @staticmethod
    @lru_cache(maxsize=256)
    def of(module: nn.Module) -> Layout:
        return Layout(module)

    def __init__(self, module: nn.Module):
        parameters = dict(module.named_parameters(remove_duplicate=False))
        different = {id(parameter): (name, parameter) for name, parameter in parameters.items()}
        keys = list(different)
        self.places = {name: keys.index(id(parameter)) for name, parameter in parameters.items()}
        self.shapes = [parameter.shape for _, parameter in different.values()]
        self.counts = [shape.numel() for shape in self.shapes]
        scale = [0.5 if len(shape) == 1 else shape[-1] ** -0.5 for shape in self.shapes]
        shift = [float(is_gain(name, parameter)) for name, parameter in different.values()]
        counts = torch.tensor(self.counts)
        self.scale = torch.tensor(scale).repeat_interleave(counts)
        self.shift = torch.tensor(shift).repeat_interleave(counts)


def is_gain(name: str, parameter: torch.Tensor) -> bool:
    """Is it a layer norm's weight? Around 1, signals keep their size through a stack."""
    return parameter.dim() == 1 and name.endswith("weight")
