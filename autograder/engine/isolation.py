"""Run code so that neither its settings disturb the check, nor the check or it the notebook."""

import contextlib
import io
import os
import random
import sys
import warnings
from collections.abc import Iterator

import numpy
import torch

from .limits import NOT_COMPILED

PRINTED = 400  # so many characters of what the learner's code prints are shown


class Printed(io.StringIO):
    """Keeps the beginning of what is written, however much it is, until enough was heard."""

    heard = False

    def write(self, text: str) -> int:
        if self.tell() < 4 * PRINTED and not self.heard:
            super().write(text[: 4 * PRINTED])
        return len(text)

    def beginning(self) -> str:
        text = self.getvalue().strip()
        return text if len(text) <= PRINTED else text[:PRINTED] + " …"


@contextlib.contextmanager
def undisturbed(seed: int = 0) -> Iterator[Printed]:
    """Neither the learner's settings disturb the check, nor the check or their code the notebook.

    Inside, torch is as it is at the start; what is printed is kept, and nothing gets to stderr, not
    even from below Python. What the learner's code draws repeats with the seed. Afterwards all
    settings and random numbers are what they were.
    """
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    grad, threads = torch.is_grad_enabled(), torch.get_num_threads()
    python_state, numpys_state, cwd = random.getstate(), numpy.random.get_state(), working_folder()
    printed = Printed()
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(contextlib.redirect_stderr(printed))
        stack.enter_context(no_stderr())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(torch.autocast("cpu", enabled=False))
        stack.enter_context(nothing_compiled())
        if device.type != "cpu":
            torch.set_default_device("cpu")
        torch.set_num_threads(1)  # for inputs as small as these, others would only be in the way
        set_seed(seed)
        random.seed(seed)
        numpy.random.seed(seed % 2**32)
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        try:
            yield printed
        finally:
            torch.set_default_dtype(dtype)
            if device.type != "cpu":
                torch.set_default_device(device)
            torch.set_grad_enabled(grad)
            torch.set_num_threads(threads)
            random.setstate(python_state)
            numpy.random.set_state(numpys_state)
            if cwd is not None:
                os.chdir(cwd)


@contextlib.contextmanager
def nothing_compiled() -> Iterator[None]:
    """What torch.compile was told to compile runs as it was written: to compile it for a few small
    inputs, of other sizes each time, takes minutes. It changes no result."""
    before = os.environ.get(NOT_COMPILED)
    os.environ[NOT_COMPILED] = "1"  # nor what is compiled from here on
    try:
        with eager():
            yield
    finally:
        os.environ.pop(NOT_COMPILED)
        os.environ.update({} if before is None else {NOT_COMPILED: before})


def eager() -> contextlib.AbstractContextManager[object]:
    """For what has been compiled already. (Torch's compiler is large: who uses none of it need not
    wait for it.)"""
    compiler = sys.modules.get("torch._dynamo")
    if compiler is None:
        return contextlib.nullcontext()
    if hasattr(torch.compiler, "set_stance"):
        return torch.compiler.set_stance("force_eager")
    return compiler.config.patch(disable=True)  # before torch 2.6


def set_seed(seed: int) -> None:
    """What torch.manual_seed does; where no GPU is in use, without the millisecond that it takes to
    note down, with a traceback each, what to tell the GPUs."""
    if torch.cuda.is_initialized():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def working_folder() -> str | None:
    """Where we are; None if that was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return None


@contextlib.contextmanager
def no_stderr() -> Iterator[None]:
    """Send what is written to file descriptor 2 nowhere, for as long as this lasts."""
    if sys.__stderr__ is not None:
        with contextlib.suppress(Exception):
            sys.__stderr__.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr to protect
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
