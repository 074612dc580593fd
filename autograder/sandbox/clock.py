"""Seconds that belong to a learner's code: they pass only while the judge waits for it."""

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """So many seconds, of which some are left. What the judge does meanwhile costs none of them.

    Args:
        seconds: for all the waiting together.
    """

    def __init__(self, seconds: float):
        self.seconds = self.left = seconds

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.left -= time.monotonic() - started
