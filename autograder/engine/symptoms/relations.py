"""How the numbers of an answer relate to the expected ones."""

from __future__ import annotations

import itertools

import torch

from ..compare import TOLERANCE, Difference, near
from .numbers import apart, few, number, place_of
from .precision import alike
from .seen import Seen, words


def describe_relation(seen: Seen, difference: Difference) -> str:
    """How the learner's numbers relate to the expected ones."""
    yours, expected, name = difference.yours, difference.expected, difference.name
    a, b = yours.to(torch.float64), expected.to(torch.float64)
    if not bool(a.isfinite().all() and b.isfinite().all()):
        return f"Your {name} is {few(a)}; expected {few(b)}."
    if a.numel() > 1 and float(a.max() - a.min()) == 0 and float(b.max() - b.min()) > 0:
        only = number(a.flatten()[0])
        return f"Every number of your {name} is {only}; expected numbers such as {few(b, 3)}."
    for argument, value in seen.arguments.items():
        if isinstance(value, torch.Tensor) and value.shape == a.shape and alike(yours, value):
            return f"Your {name} is just `{argument}`, unchanged."
    text = simple_relation(seen, difference)
    if text:
        return text
    wrong = (a - b).abs()
    where = int(wrong.argmax())
    at = place_of(where, a.shape)
    count = max(1, int((wrong > allowed(seen, expected)).sum()))
    how_many = f"{count} of {a.numel()} numbers are off; the worst" if a.numel() > 1 else "It"
    one, other = apart(a.flatten()[where], b.flatten()[where])
    return (
        f"Your {name} is not right: {how_many} {f'at {at} ' if a.dim() else ''}is {one}, "
        f"expected {other}."
    )


def simple_relation(seen: Seen, difference: Difference) -> str | None:
    """A sentence if one simple thing makes the expected numbers into the learner's, or None."""
    yours, expected, name = difference.yours, difference.expected, difference.name
    if yours.shape != expected.shape or yours.numel() < 3:
        return None
    if not bool(yours.isfinite().all() and expected.isfinite().all()):
        return None
    return (
        proportional(yours, expected, name)
        or rearranged(yours, expected, name, words(seen).axis)
        or turned(yours, expected, name)
        or repeated(yours, expected, name, words(seen).axis)
        or cut_off(yours, expected, name)
        or scaled_rows(yours, expected, name)
    )


def turned(yours: torch.Tensor, expected: torch.Tensor, name: str) -> str | None:
    """Is it a function of the right numbers, each by itself?"""
    if not (yours.is_floating_point() and expected.is_floating_point()):
        return None
    b = expected.to(torch.float64)
    for words_for, result in (
        ("the square of the expected one", b.square()),
        ("the root of the expected one", b.sqrt()),
        ("the expected one without its sign", b.abs()),
        ("1 over the expected one", 1 / b),
        ("the logarithm of the expected one", b.log()),
        ("the exponential of the expected one", b.exp()),
    ):
        if bool(result.isfinite().all()) and alike(yours, result.to(expected.dtype)):
            return f"Every number of your {name} is {words_for}."
    return None


def repeated(
    yours: torch.Tensor, expected: torch.Tensor, name: str, axis: str = "dimension"
) -> str | None:
    """Does what belongs at one index stand at all of them?"""
    for dim, size in enumerate(yours.shape):
        first = expected.narrow(dim, 0, 1)
        if size > 1 and yours.numel() > size and alike(yours, first.expand_as(yours)):
            return f"At every index along {axis} {dim}, your {name} holds what belongs at index 0."
    return None


def cut_off(yours: torch.Tensor, expected: torch.Tensor, name: str) -> str | None:
    """Is it right but for numbers above or below a limit?"""
    if not yours.is_floating_point():
        return None
    for limit, way in ((yours.max(), "above"), (yours.min(), "below")):
        kept = expected.clamp(max=limit) if way == "above" else expected.clamp(min=limit)
        same = int((expected == kept).sum())
        if expected.numel() < 2 * same < 2 * expected.numel() and alike(yours, kept):
            return f"Your {name} is right, but nothing in it is {way} {number(limit)}."
    return None


def scaled_rows(yours: torch.Tensor, expected: torch.Tensor, name: str) -> str | None:
    """Is it right but for a factor of its own in each row?"""
    if yours.dim() < 2 or yours.shape[-1] < 3 or not yours.is_floating_point():
        return None
    a, b = (x.to(torch.float64).reshape(-1, x.shape[-1]) for x in (yours, expected))
    factors = (a * b).sum(-1, keepdim=True) / b.square().sum(-1, keepdim=True).clamp(min=1e-30)
    off = ((factors - 1).abs() > 1e-2) & (factors.abs() > 1e-6)
    same = 2 * int(off.sum()) <= len(a) or len(factors[off].round(decimals=2).unique()) < 2
    if same or not alike((factors * b).to(expected.dtype), a.to(expected.dtype)):
        return None
    return (
        f"Each row of your {name} is right but for a factor of its own: "
        f"{few(factors[off].unique(), 3)}."
    )


def allowed(seen: Seen, expected: torch.Tensor) -> float:
    """How far a number may lie from the expected one in a check."""
    share = seen.trial.tolerance * TOLERANCE.get(expected.dtype, 0.0)
    return share * max(1e-3, float(expected.to(torch.float64).abs().max()))


def proportional(yours: torch.Tensor, expected: torch.Tensor, name: str) -> str | None:
    """Is it the right answer but for a factor, or but for a number added to all?"""
    a, b = yours.to(torch.float64), expected.to(torch.float64)
    rough = 0.3 * max(TOLERANCE.get(x.dtype, 1e-6) for x in (yours, expected))
    visible = b.abs() > 0.1 * b.abs().max()
    factor = float((a[visible] / b[visible]).median())
    if factor and abs(factor - 1) > rough and near(a, factor * b, rough):
        times = apart(torch.tensor(factor), torch.tensor(1.0))[0]
        return f"Every number of your {name} is {times} times what is expected."
    more = float((a - b).median())
    if more and near(a, b + more, rough):
        way = "large" if more > 0 else "small"
        return f"Every number of your {name} is too {way} by {number(abs(more))}."
    return None


def rearranged(a: torch.Tensor, b: torch.Tensor, name: str, axis: str = "dimension") -> str | None:
    """Is it the right answer in another order?"""
    plural = {"dimension": "dimensions", "axis": "axes"}
    for dim in range(a.dim()):
        if a.shape[dim] > 1 and alike(a.flip(dim), b):
            return f"Your {name} is right, but in reverse order along {axis} {dim}."
        for step in (1, -1):
            if is_shifted(a, b, dim, step) and not is_shifted(b, b, dim, step):
                way = "later" if step > 0 else "earlier"
                return f"Your {name} is right, but one place {way} along {axis} {dim}."
    if 2 <= a.dim() <= 4:
        for order in itertools.permutations(range(a.dim())):
            moved = a.permute(order)
            if order != tuple(range(a.dim())) and moved.shape == b.shape and alike(moved, b):
                return f"Your {name} is right but for the order of its {plural[axis]}."
    several = b.unique().numel() > 3  # of two or three values it says nothing
    if several and alike(a.flatten().sort().values, b.flatten().sort().values):
        return f"Your {name} has the right numbers in the wrong places."
    right = [row for row in range(len(a)) if alike(a[row], b[row])] if a.dim() > 1 else []
    if 2 * len(right) > len(a) > len(right):
        where = ", ".join(str(row) for row in range(len(a)) if row not in right)
        return f"Your {name} is right except at index {where} of its first dimension."
    if 0 < len(right) < len(a):
        where = ", ".join(map(str, right))
        return f"Your {name} is right only at index {where} of its first dimension."
    return None


def is_shifted(a: torch.Tensor, b: torch.Tensor, dim: int, step: int) -> bool:
    """Does a hold the numbers of b, so many places later along a dimension?"""
    inner = a.shape[dim] - 1
    if inner < 2:
        return False
    return alike(a.narrow(dim, max(step, 0), inner), b.narrow(dim, max(-step, 0), inner))
