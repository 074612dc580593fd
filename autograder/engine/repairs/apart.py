"""Changed code runs in a process of its own: it may loop, crash, or take all the memory there is.

A fork of this one has everything that the learner's code needs. Where a system library does not
survive a fork, only the fork ends, and no repair is found.
"""

from __future__ import annotations

import contextlib
import gc
import json
import mmap
import os
import select
import signal
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from ..limits import EACH, OutOfTime, keep_to_itself, time_limit
from ..trial import EVERYDAY, Answer, Implementation, Trial, ask
from .mend import Mend
from .own_code import OwnCode
from .search import Work

GRACE = 0.3  # seconds on top of what the changes were given
MEMORY = 2**30  # bytes on top of what there is
MOST_CRASHES = 3


class Here:
    """A workshop in this process.

    Args:
        names: what the learner's code finds.
        first: the number of the change to begin with; what comes before it is passed over.
        at: is told which number it is at.
    """

    def __init__(self, names: dict[str, Any], first: int = 0, at: Callable[[int], None] = print):
        self.names, self.first, self.at = EVERYDAY | names, first, at
        self.count = 0

    def answers(
        self, code: OwnCode, mends: Iterable[Mend], trial: Trial
    ) -> Iterator[tuple[Mend, Answer | None]]:
        for mend in mends:
            self.count += 1
            if self.count > self.first:
                self.at(self.count)
                yield mend, self.answer(code, mend, trial)

    def answers_to(
        self, code: OwnCode, mend: Mend, trials: Iterable[Trial]
    ) -> Iterator[Answer | None]:
        return (self.answer(code, mend, trial) for trial in trials)

    def answer(self, code: OwnCode, mend: Mend, trial: Trial) -> Answer | None:
        try:
            with time_limit(EACH):
                with mend.made():
                    changed: Implementation = code.built(self.names)
                return ask(changed, trial)
        except (Exception, SystemExit, KeyboardInterrupt, OutOfTime):
            return None


def apart(names: dict[str, Any], work: Work, seconds: float) -> Any:
    """What `work` gives in a process of its own; None if it gives nothing in time, or if this
    system knows no forks."""
    if not hasattr(os, "fork"):
        return None
    deadline = time.monotonic() + seconds + GRACE
    with mmap.mmap(-1, 8) as at:  # shared with the fork: where it was when it crashed
        for _ in range(MOST_CRASHES):
            first = int.from_bytes(at[:8], "little")
            crashed, found = forked(names, work, first, at, deadline)
            if not crashed or time.monotonic() > deadline:
                return found
    return None


def forked(
    names: dict[str, Any], work: Work, first: int, at: mmap.mmap, deadline: float
) -> tuple[bool, Any]:
    """(did the fork crash, what it found)"""
    ours, theirs = os.pipe()
    gc.freeze()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has one thread, and needs no other
        try:
            process = os.fork()
        except OSError:  # no room for another process
            gc.unfreeze()
            os.close(ours)
            os.close(theirs)
            return False, None
    if process == 0:
        try:
            os.close(ours)
            confine()
            here = Here(names, first, lambda number: note(at, number))
            os.write(theirs, json.dumps(work(here)).encode())
        finally:
            os._exit(0)
    gc.unfreeze()
    os.close(theirs)
    text = everything(ours, deadline)
    os.close(ours)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL) if text is None else None
    status = os.waitpid(process, 0)[1]
    crashed = os.WIFSIGNALED(status) and text is not None
    return crashed, json.loads(text) if text else None


def note(at: mmap.mmap, number: int) -> None:
    at[:8] = number.to_bytes(8, "little")


def everything(pipe: int, deadline: float) -> bytes | None:
    """All that comes out of a pipe; None if its end does not come in time."""
    text = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return None
        piece = os.read(pipe, 2**16)
        if not piece:
            return text
        text += piece


def confine() -> None:
    """No output, no input, no traces of a crash, and an end to memory."""
    with contextlib.suppress(ValueError):  # lower limits are there already
        keep_to_itself(None if torch.cuda.is_initialized() else MEMORY, files=0)
    torch.set_num_threads(1)
