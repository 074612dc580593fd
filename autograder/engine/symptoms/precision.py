"""Is nothing wrong but digits that were lost?"""

from __future__ import annotations

import functools

import torch

from ..compare import Difference, close
from .numbers import apart, dtype
from .seen import Seen

# How many digits of a number a dtype keeps, the coarsest first.
DIGITS = {
    torch.bfloat16: "2 or 3",
    torch.float16: "3",
    torch.float32: "7",
    torch.float64: "16",
}
# To describe an answer its own dtype will do; but what is called right is right: closer than what
# a check lets pass, as wrong numbers can be near.
alike = functools.partial(close, tolerance=0.3, roughly=True)


def precision(seen: Seen, difference: Difference) -> str | None:
    """A sentence if nothing but digits that were lost is wrong with an array's numbers, or None."""
    if difference.aspect not in ("value", "gradient") or not torch.is_tensor(difference.yours):
        return None
    return too_coarse(seen, difference) or rough(difference)


def too_coarse(seen: Seen, difference: Difference) -> str | None:
    """A sentence if the numbers are right as far as the digits of a coarser dtype go, or None."""
    yours, expected, name = difference.yours, difference.expected, difference.name
    kind = coarser_dtype(yours, expected.dtype)
    if kind is None or not alike(yours.to(kind), expected):
        return None
    if yours.dtype != expected.dtype:
        return (
            f"Your {name} is {dtype(yours)}, which keeps only {DIGITS[kind]} digits of a number; "
            f"expected {dtype(expected)}, which keeps {DIGITS[expected.dtype]}. As far as its "
            f"digits go it is right."
        )
    return (
        f"Your {name} has the right dtype, but only the {DIGITS[kind]} digits that "
        f"{dtype(yours.to(kind))} keeps; as far as they go it is right. Somewhere on the way your "
        f"numbers were {dtype(yours.to(kind))}, and the digits lost there never come back."
    )


def coarser_dtype(x: torch.Tensor, wanted: torch.dtype) -> torch.dtype | None:
    """The dtype coarser than `wanted` that all numbers of x fit into, or None."""
    if wanted not in DIGITS or x.dtype not in DIGITS:
        return None
    coarser = list(DIGITS)[: list(DIGITS).index(wanted)]
    if x.dtype != wanted:
        return x.dtype if x.dtype in coarser else None
    if x.numel() < 4:  # a few numbers fit by chance
        return None
    return next((kind for kind in coarser if torch.equal(x.to(kind).to(x.dtype), x)), None)


ROUGH = 2e-2  # how far half precision on the way may lead, relative to the largest number


def rough(difference: Difference) -> str | None:
    """A sentence if the numbers are right to some digits, and what is wrong with them looks like
    rounding: it goes up and down, whatever the right numbers are. None otherwise."""
    a, b = difference.yours.to(torch.float64), difference.expected.to(torch.float64)
    if a.numel() < 8 or not bool(a.isfinite().all() and b.isfinite().all()):
        return None
    wrong = (a - b).flatten()
    if not 1e-4 < float(wrong.abs().max() / b.abs().max().clamp(min=1e-12)) < ROUGH:
        return None
    if is_steady(wrong, torch.ones_like(wrong)) or is_steady(wrong, b.flatten()):
        return None
    if int((wrong.abs() > 0.05 * wrong.abs().max()).sum()) < wrong.numel() / 4:
        return None  # a few are wrong, and the others right
    one, other = apart(a.flatten()[wrong.abs().argmax()], b.flatten()[wrong.abs().argmax()])
    share = float(wrong.abs().max() / b.abs().max())
    return (
        f"Your {difference.name} is only roughly right: it is off by up to {100 * share:.1g} % of "
        f"its largest number, sometimes too high, sometimes too low. Where it is farthest off it "
        f"is {one}, expected {other}. Is part of it rounded, or in half precision (autocast, "
        f".half(), .bfloat16()), which keeps about 3 digits?"
    )


def is_steady(wrong: torch.Tensor, what: torch.Tensor) -> bool:
    """Does an error go with something, as rounding does not?"""
    size = float(wrong.norm() * what.norm())
    return size > 0 and abs(float(wrong @ what)) > 0.5 * size
