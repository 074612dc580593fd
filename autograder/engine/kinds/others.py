"""Other numbers of the same kind: what to change an argument into."""

from __future__ import annotations

import hashlib

import torch

from ..trial import Trial


def generator(*what: object) -> torch.Generator:
    """Random numbers that are the same for the same thing, at home and in class."""
    digest = hashlib.sha256(repr(what).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def other_numbers(x: torch.Tensor, new: tuple[int, ...] | None = None) -> torch.Tensor:
    """Numbers spread as those of x; whole ones are the same ones in another order.

    Args:
        new: their shape, if it is another one.
    """
    shape = tuple(x.shape) if new is None else new
    drawn = generator(tuple(x.shape), shape)
    if x.is_floating_point():
        wide = x.to(torch.float64)
        finite = wide[wide.isfinite()]
        spread = float(finite.std()) if finite.numel() > 1 else 0.0
        middle = float(finite.mean()) if finite.numel() else 0.0
        numbers = torch.randn(shape, generator=drawn, dtype=torch.float64)
        return (numbers * (spread or 1.0) + middle).to(x.dtype)
    if not x.numel():
        return x.new_zeros(shape)
    count = torch.Size(shape).numel()
    places = torch.arange(count) * 7 + 1
    return x.flatten()[places % x.numel()].reshape(shape)


def tiled(x: torch.Tensor, dim: int, size: int) -> torch.Tensor:
    """x with another size along a dimension: what was there, again and again."""
    return x.index_select(dim, torch.arange(size) % max(x.shape[dim], 1))


def with_state(trial: Trial, changes: dict[str, torch.Tensor]) -> Trial:
    return trial.but(state=trial.state | changes)
