"""Stop code that does not come to an end, or takes more than there is."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .trial import Problem

PATIENCE = 3.0  # after so long no further mistakes are tried, while somebody waits
MENDING = 2.0  # what may be spent on finding the change that makes an answer right
CHANGES = 200  # answers asked for to find it, where it must not depend on how busy a machine is
EACH = 0.5  # and of that on each of the changes that are tried
UNHURRIED = 30.0  # where nobody waits; what is found must not depend on how busy the machine is
NOT_COMPILED = "TORCHDYNAMO_DISABLE"  # with 1 in it torch.compile leaves code as it is
SECONDS = 10.0  # what one check may take; a right answer takes a thousandth of it


class OutOfTime(BaseException):
    """Raised inside code that has had its time. No `except Exception` of a learner's catches it."""

    problem: Problem | None = None  # where it was just then, if another process has told


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime inside after so many seconds, where the system can do that."""
    possible = hasattr(signal, "setitimer") and in_main_thread()
    if not possible or not seconds:
        yield
        return

    def stop(number, frame):
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # and again, if the first is swallowed
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def keep_to_itself(memory: int | None, files: int) -> None:
    """From now on this process has no input and no output, leaves no traces of a crash, and has an
    end to what it may take.

    Args:
        memory: bytes on top of what it has; None for no end.
        files: bytes that it may write into one.
    """
    import resource  # there is none on Windows

    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    sys.stdin = os.fdopen(0)
    sys.stdout = sys.stderr = os.fdopen(1, "w")
    faulthandler.disable()  # it would write about a crash to wherever it was told before
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (files, files))
    taken = address_space()
    if taken and memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (taken + memory, taken + memory))


def in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def address_space() -> int | None:
    """Bytes of addresses that this process has; None where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
