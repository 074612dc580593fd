"""Write down numbers, shapes, places and names as a person would."""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch


def number(x: float | torch.Tensor, digits: int = 3) -> str:
    """A number as one would write it down."""
    x = float(x)
    if x != x:
        return "NaN"
    if x in (float("inf"), float("-inf")):
        return "inf" if x > 0 else "-inf"
    if x == int(x) and abs(x) < 1e6:
        return str(int(x))
    return f"{x:.{digits}g}"


def few(x: torch.Tensor, count: int = 4, digits: int = 3) -> str:
    """The first numbers of a tensor."""
    flat = x.detach().flatten()
    listed = ", ".join(number(value, digits) for value in flat[:count].tolist())
    return listed + (", …" if flat.numel() > count else "")


def apart(x: torch.Tensor, y: torch.Tensor, count: int = 1) -> tuple[str, str]:
    """The first numbers of two tensors that differ, with as many digits as it takes to see it."""
    one, other = few(x, count), few(y, count)
    digits = 4
    while one == other and digits <= 17:
        one, other = few(x, count, digits), few(y, count, digits)
        digits += 1
    return one, other


def shape(x: torch.Tensor) -> str:
    return f"({', '.join(map(str, x.shape))}{',' if x.dim() == 1 else ''})"


def dtype(x: torch.Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def place_of(flat_index: int, size: torch.Size) -> str:
    index = []
    for length in reversed(size):
        index.append(flat_index % length)
        flat_index //= length
    return f"[{', '.join(map(str, reversed(index)))}]"


def listing(names: Iterable[str]) -> str:
    """`a`, `b` and `c`; of many, the first three and how many more."""
    quoted = [f"`{name}`" for name in names]
    if len(quoted) > 4:
        return f"{', '.join(quoted[:3])} and {len(quoted) - 3} more"
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def call_number(name: str) -> int:
    """The 2 of "output (call 2)"."""
    found = re.search(r"\(call (\d+)\)$", name)
    return int(found[1]) if found else 1
