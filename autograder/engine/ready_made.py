"""Find out which ready-made functions and modules ran, by watching and not by reading text."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from inspect import CO_OPTIMIZED
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from .pieces import Calls

# Other libraries than torch and NumPy that have ready-made what is built here.
LIBRARIES = (
    *("scipy", "sklearn", "statsmodels", "jax", "flax", "haiku", "equinox", "optax", "tensorflow"),
    *("keras", "mxnet", "paddle", "tinygrad", "cupy", "thinc", "fastai", "timm", "transformers"),
    *("x_transformers", "xformers", "flash_attn", "torchtune", "torchtext", "torchvision"),
)


class Functions(TorchFunctionMode):
    """Collects the torch functions that are called, but for those that the course itself calls."""

    def __init__(self, calls: Calls):
        super().__init__()
        self.calls, self.called = calls, set()

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if not self.calls.by_course(sys._getframe(1)):
            self.called.add(function)
        return function(*args, **(kwargs or {}))


@contextmanager
def watch_for_ready_made(calls: Calls, fragments: Iterable[str]) -> Iterator[set[str]]:
    """Gives a set that fills with the names of torch functions, and of torch's modules as torch
    calls them (nn.LayerNorm); a learner's own class may have any name.

    Args:
        calls: Calls of stand-bys, in which torch may do whatever it likes, and of what other
            libraries have ready-made.
        fragments: of the names of what is refused; of other libraries, only such names are kept.
    """
    names, calls.refused = set(), pattern(tuple(fragments))

    def note(module, inputs):
        if calls.by_course(sys._getframe(1)):
            return
        # A learner's subclass is torch's module with another name.
        for kind in type(module).__mro__:
            if kind.__module__.startswith("torch.nn.") and kind is not nn.Module:
                names.add(f"nn.{kind.__name__}")

    hook = register_module_forward_pre_hook(note)
    try:
        with Functions(calls) as functions:
            yield names
        names |= {getattr(function, "__name__", "") for function in functions.called}
        names |= calls.ready_made
    finally:
        hook.remove()


@lru_cache
def pattern(fragments: tuple[str, ...]) -> re.Pattern[str]:
    """Finds names that contain one of the fragments."""
    return re.compile("|".join(map(re.escape, fragments)), re.IGNORECASE)


def name_elsewhere(frame: FrameType, wanted: re.Pattern[str]) -> str:
    """What another library calls a function that is refused, such as scipy.special.softmax, when it
    begins; "" if it is none. (Torch does not see these. What NumPy has in C is not seen here,
    either: np.dot, np.add.)

    Args:
        wanted: a pattern of such names.
    """
    code = frame.f_code
    if not is_installed(code) or not wanted.search(code.co_name):
        return ""
    parts = str(frame.f_globals.get("__name__")).split(".")
    library = parts[0]
    has_them = is_numpys(frame) if library == "numpy" else library in LIBRARIES
    if not has_them or not code.co_flags & CO_OPTIMIZED:  # a class, being imported
        return ""
    if hasattr(sys.modules.get(library), code.co_name):
        return f"{library}.{code.co_name}"  # as people call it: numpy.eye lies in numpy.lib
    public = [part for part in parts if not part.startswith("_")]
    return ".".join([*public, code.co_name])


def is_installed(code: CodeType) -> bool:
    return "-packages" in code.co_filename  # Debian says dist-packages


def is_numpys(frame: FrameType) -> bool:
    """Is this a function of NumPy's that was asked for by its name? Not what NumPy does inside, and
    not how it looks at arguments before."""
    asked = frame.f_back is not None and not is_installed(frame.f_back.f_code)
    return asked and not frame.f_code.co_name.endswith("_dispatcher")


def refused(used: Iterable[str], fragments: Iterable[str]) -> list[str]:
    """Those of the used names that contain one of the fragments."""
    return [name for name in used if fragments and pattern(tuple(fragments)).search(name)]
