"""Which numbers can be compared, and what becomes of the others."""

from __future__ import annotations

import numpy
import torch

# The kinds of numbers that are compared; of those that torch can do little with, what they are
# turned into, and the fact that names what they were; and the fact that nothing can be done.
ORDINARY = frozenset(
    {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
    | {torch.float16, torch.bfloat16, torch.float32, torch.float64}
)
DTYPE, KIND = "dtype of ", "kind of "
DISPATCH = "__torch_dispatch__"  # what makes a thing look like a tensor


def kind_of(array: torch.Tensor) -> str:
    """What a tensor is, whatever its dtype, if its numbers cannot be had as they stand; else ""."""
    if getattr(type(array), DISPATCH, None) is not getattr(torch.Tensor, DISPATCH, None):
        return type(array).__name__  # it only looks like a tensor, as a MaskedTensor does
    if array.is_nested or array.is_meta:
        return "nested" if array.is_nested else "meta"
    return "" if array.layout is torch.strided else str(array.layout)


def wider_dtype(dtype: torch.dtype) -> torch.dtype | None:
    """The ordinary dtype that holds such numbers; None if there is none."""
    if dtype in ORDINARY:
        return dtype
    if dtype in (torch.uint16, torch.uint32, torch.uint64):
        return torch.int64
    return torch.float32 if str(dtype).startswith("torch.float8_") else None


def is_ordinary(value: numpy.ndarray | numpy.generic) -> bool:
    """Has it numbers of a kind that torch has, too? NumPy also has texts, objects, …"""
    dtype = numpy.asarray(value).dtype
    return dtype.kind in "biuf" and dtype.itemsize <= 8 and dtype.isnative


def is_number(value: object) -> bool:
    return isinstance(value, numpy.generic) and is_ordinary(value)
