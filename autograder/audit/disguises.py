"""A wrong answer in other clothes: in another dtype, scattered in memory, its gradient switched.

None of these makes a wrong answer any better, so none may earn more than the answer itself; `audit`
tries all of them on all known mistakes.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy
import torch
from torch import nn

from ..engine.trial import Implementation

Disguise = Callable[[torch.Tensor], torch.Tensor]


def to(dtype: torch.dtype) -> Disguise:
    return lambda x: x.to(dtype)


def scattered(x: torch.Tensor) -> torch.Tensor:
    """The same numbers, with others between them in memory."""
    return torch.stack([x, x], -1)[..., 0]


def with_gradient(x: torch.Tensor) -> torch.Tensor:
    return x.detach().clone().requires_grad_() if x.is_floating_point() else x


DISGUISES: dict[str, Disguise] = {
    "cast to bfloat16": to(torch.bfloat16),
    "cast to float16": to(torch.float16),
    "wrapped in float64": to(torch.float64),
    "made non-contiguous": scattered,
    "detached": torch.detach,
    "made to require a gradient": with_gradient,
}


def disguised(implementation: Implementation, disguise: Disguise) -> Implementation:
    """The implementation with what it returns in a disguise."""
    if not (inspect.isclass(implementation) and issubclass(implementation, nn.Module)):

        @functools.wraps(implementation)
        def function(*arguments, **options):
            return dressed(implementation(*arguments, **options), disguise)

        return function

    class Disguised(implementation):
        def forward(self, *arguments, **options):
            return dressed(super().forward(*arguments, **options), disguise)

    Disguised.__module__ = implementation.__module__
    return Disguised


def dressed(value: Any, disguise: Disguise) -> Any:
    if isinstance(value, torch.Tensor):
        return disguise(value)
    if isinstance(value, numpy.ndarray):
        return dressed_array(value, disguise)
    if isinstance(value, tuple | list):
        return type(value)(dressed(each, disguise) for each in value)
    if isinstance(value, nn.Module):
        for parameter in value.parameters():
            parameter.data = disguise(parameter.data).detach()
    return value


def dressed_array(value: numpy.ndarray, disguise: Disguise) -> numpy.ndarray:
    """The same for an array of NumPy's, which has no bfloat16 and no gradient."""
    if value.dtype.kind not in "biuf":
        return value
    disguised = disguise(torch.as_tensor(value.copy())).detach()
    return value if disguised.dtype == torch.bfloat16 else disguised.numpy()
