"""Find out which ready-made functions and modules ran, by watching and not by reading text."""

import re
import sys
from contextlib import contextmanager
from inspect import CO_OPTIMIZED

from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

# Fragments of the names of what exercises refuse; a name that contains one of them counts.
TRANSFORMER = ("transformer", "multiheadattention", "multi_head_attention")
ATTENTION = (
    "scaled_dot_product",
    "flash_attention",
    "flex_attention",
    "efficient_attention",
    *TRANSFORMER,
)
CROSS_ENTROPY = ("cross_entropy", "crossentropy")
SOFTMAX = ("softmax", "softmin", *ATTENTION, *CROSS_ENTROPY)  # all of these make one on the way
NORMS = (
    *("layer_norm", "group_norm", "rms_norm", "instance_norm", "batch_norm"),
    *("layernorm", "groupnorm", "rmsnorm", "instancenorm", "batchnorm"),
)
ANYTHING_REFUSED = re.compile("|".join((*SOFTMAX, *NORMS)), re.IGNORECASE)
# Other libraries that have ready-made what is built here.
LIBRARIES = (
    *("scipy", "sklearn", "statsmodels", "jax", "flax", "haiku", "equinox", "optax", "tensorflow"),
    *("keras", "mxnet", "paddle", "tinygrad", "cupy", "thinc", "fastai", "timm", "transformers"),
    *("x_transformers", "xformers", "flash_attn", "torchtune", "torchtext", "torchvision"),
)


class Functions(TorchFunctionMode):
    """Collects the torch functions that are called, but for those that the course itself calls."""

    def __init__(self, calls):
        super().__init__()
        self.calls, self.called = calls, set()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if not self.calls.by_course(sys._getframe(1)):
            self.called.add(function)
        return function(*args, **(kwargs or {}))


@contextmanager
def watch_for_ready_made(calls):
    """Gives a set that fills with the names of torch functions, and of torch's modules as torch
    calls them (nn.LayerNorm); a learner's own class may have any name.

    Args:
        calls: Calls of stand-bys, in which torch may do whatever it likes, and of what other
            libraries have ready-made.
    """
    names = set()

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


def name_elsewhere(frame):
    """What another library calls a function that is refused, such as scipy.special.softmax, when it
    begins; "" if it is none. (Torch does not see these.)"""
    code = frame.f_code
    if "-packages" not in code.co_filename or not ANYTHING_REFUSED.search(code.co_name):
        return ""  # Debian says dist-packages
    parts = str(frame.f_globals.get("__name__")).split(".")
    if parts[0] not in LIBRARIES or not code.co_flags & CO_OPTIMIZED:  # a class, being imported
        return ""
    public = [part for part in parts if not part.startswith("_")]
    return ".".join([*public, code.co_name])


def refused(used, fragments):
    """Those of the used names that contain one of the fragments."""
    return [name for name in used if any(part in name.lower() for part in fragments)]
