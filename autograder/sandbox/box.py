"""The judge's end: opens a box for each submission, and speaks with what is in it."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..engine.course import current
from . import cgroup, wire
from .clock import Clock
from .importable import write_given
from .walls import BEST, Limits
from .warm import Warm, shared

if TYPE_CHECKING:
    from ..engine.verdict import Verdict

GRACE = 3.0  # seconds in which a child may say itself that the time is over
BESIDE = 6  # times the seconds of one check, for all that is asked to explain what is wrong
JUDGING = 3600.0  # seconds that a judge may compute while a child waits, before its warden ends it


class UnprotectedError(Exception):
    """The sandbox is weaker than was demanded."""


class EndedError(Exception):
    """The child is gone; says why, in words that go on after "your code …"."""

    verdict: Verdict | None = None  # on what was examined just then, if something was


KEEPERS: dict[tuple[int, str, int | str, bool], Keeper] = {}


def keeper_of_process(least: int | str, namespaces: bool = True) -> Keeper:
    """The Keeper of this process, with its one warm process; they end with it."""
    key = os.getpid(), current().id, least, namespaces
    if key not in KEEPERS:
        KEEPERS[key] = Keeper(least, namespaces, shared(namespaces))
        atexit.register(KEEPERS[key].close)
    return KEEPERS[key]


class Keeper:
    """Opens boxes in a warm process, and begins another one when that is gone.

    Args:
        least: the level of protection that is demanded, 0 to 3, see `level_of`; or BEST.
        namespaces: use them where they can be had.
        warm: a Warm that others use, too; else it has one of its own.
    """

    def __init__(self, least: int | str = BEST, namespaces: bool = True, warm: Warm | None = None):
        self.least, self.namespaces = least, namespaces
        self.warm, self.is_shared = warm or Warm(namespaces), warm is not None
        self.cgroup = cgroup.divided()

    @property
    def trouble(self) -> str:
        """Why there are no namespaces; "" if there are."""
        return self.warm.ready()["trouble"]

    @cached_property
    def offered(self) -> int:
        """The level that this machine offers: what the first warm process found, for good. If a
        later one gets less, that is refused, and no grade happens at a lower level unnoticed."""
        cgroups = ["cgroup"] if self.cgroup is not None else []
        return level_of([*self.warm.ready()["layers"], *cgroups])

    @property
    def demanded(self) -> int:
        """The level below which nothing runs. Even the best must be some protection."""
        return max(1, self.offered) if isinstance(self.least, str) else self.least

    def open(self, limits: Limits | None = None, given: bool = False, attempts: int = 2) -> Box:
        """A Box that is ready; another zygote is started if this one is gone.

        Args:
            given: may what runs in it import the course, as far as it holds no answer?
        """
        limits, least = limits or Limits(), self.demanded
        for attempt in range(attempts):
            own_root = self.warm.ready()["own_root"]
            name = write_given(self.warm.folders["given"]) if given else ""
            try:
                return self.ask_for_box(limits, name, least, own_root)
            except (OSError, wire.ClosedError, wire.LateError):
                if attempt + 1 == attempts:
                    raise
                self.begin_anew()
        raise AssertionError

    def begin_anew(self) -> None:
        """With another warm process: what others use is left to them."""
        if self.is_shared:
            self.warm, self.is_shared = Warm(self.namespaces), False
        else:
            self.warm.let_go(at_once=True)

    def ask_for_box(self, limits: Limits, given: str, least: int, own_root: bool) -> Box:
        for_judge, for_child = socket.socketpair()
        for_keeper, for_warden = socket.socketpair()
        work = None
        if not own_root:
            work = tempfile.TemporaryDirectory(dir=self.warm.folders["work"])
        request = {
            "limits": asdict(limits),
            "total": limits.total + JUDGING,
            "given": given,
            "work": work and work.name,
        }
        with for_child, for_warden:
            self.warm.ask(request, [for_child.fileno(), for_warden.fileno()])
        box = Box(wire.Connection(for_judge, wire.LARGEST_ANSWER), for_keeper, limits, work)
        hello = box.line.receive(time.monotonic() + 20)
        if "trouble" in hello:
            box.close()
            raise UnprotectedError(hello["trouble"])
        box.layers = hello["layers"]
        if self.cgroup is not None:
            box.live_in(self.cgroup)
        if level_of(box.layers) < least:
            box.close()
            raise UnprotectedError(
                f"learners' code would run with {described(box.layers)} only, and level {least} is "
                f"demanded. {self.trouble}".strip()
            )
        return box

    def close(self) -> None:
        if not self.is_shared:
            self.warm.close()


def level_of(layers: Collection[str]) -> int:
    """How well a child was shut in: 0 hardly, 1 files and system calls, 2 namespaces, 3 cgroup."""
    if not {"limits", "Landlock", "seccomp"} <= set(layers):
        return 0
    return 1 if "namespaces" not in layers else 2 if "cgroup" not in layers else 3


def described(layers: Collection[str]) -> str:
    return f"level {level_of(layers)} ({', '.join(layers) or 'nothing'})"


class Box:
    """A child that a submission's code runs in.

    Its `clock` holds the seconds for all that it is asked, and `beside` those for what is asked
    only to explain what is wrong. Only waiting for it counts, and reading what it has sent: a judge
    may take as long as it needs.
    """

    def __init__(
        self,
        line: wire.Connection,
        control: socket.socket,
        limits: Limits,
        work: tempfile.TemporaryDirectory[str] | None,
    ):
        self.line, self.control, self.limits, self.work = line, control, limits, work
        self.layers: list[str] = []
        self.cgroup: cgroup.Cgroup | None = None
        self.numbers = itertools.count(1)
        self.clock, self.beside = Clock(limits.total), Clock(BESIDE * limits.check)
        self.used, self.heard = {}, b""
        self.reason, self.closed = "", False
        control.settimeout(10)

    def live_in(self, place: Path) -> None:
        """Give the child a part of this cgroup, before it has run anything of a learner's."""
        try:
            self.cgroup = cgroup.Cgroup(place, self.limits)
            self.cgroup.take(json.loads(self.told())["child"])
            self.layers.append("cgroup")
        except (OSError, ValueError, KeyError):  # then it is one layer less, and that is recorded
            return

    def told(self, lines: int = 1) -> bytes:
        """What the warden has said so far, so many lines of it."""
        while self.heard.count(b"\n") < lines:
            piece = self.control.recv(4096)
            if not piece:
                break
            self.heard += piece
        return self.heard.splitlines()[-1] if self.heard else b"{}"

    def request(self, what: str, patience: float | Clock, **arguments: Any) -> Any:
        """Ask the child something, and wait so long for the reply. EndedError if there is none."""
        return next(self.replies(what, patience, **arguments))

    def replies(
        self, what: str, patience: float | Clock, attached: bytes = b"", **arguments: Any
    ) -> Iterator[Any]:
        """Ask the child something that it has several replies to; they come one after the other.

        Args:
            patience: seconds for all of them, or a Clock that is used for other requests, too.
            attached: frames that follow the request.
        """
        if self.reason:
            raise EndedError(self.reason)
        clock = patience if isinstance(patience, Clock) else Clock(patience)
        asked = next(self.numbers)
        frame = wire.pack((asked, what, arguments)) + attached
        with self.waiting(clock) as deadline:
            self.line.send_frame(frame, deadline)
        while True:
            with self.waiting(clock) as deadline:
                reply = self.reply(asked, deadline)
            yield reply

    @contextlib.contextmanager
    def not_charged(self) -> Iterator[None]:
        """What is waited for meanwhile costs nothing of the whole submission's time, but of what it
        has beside. Whoever asks has a shorter clock."""
        before, self.clock = self.clock, Clock(self.beside.left + 2 * GRACE)
        try:
            yield
        finally:
            self.beside.left = self.clock.left - 2 * GRACE
            self.clock = before

    def reply(self, asked: int, deadline: float) -> Any:
        """The next reply to a request; what was left over of one before it is passed over."""
        while True:
            answer = self.line.receive(deadline)
            if not isinstance(answer, tuple) or len(answer) != 2 or type(answer[0]) is not int:
                raise wire.GarbledError("no answer")
            if answer[0] == asked:
                return answer[1]
            if not 0 < answer[0] < asked:
                raise wire.GarbledError("an answer that nobody asked for")

    @contextlib.contextmanager
    def waiting(self, clock: Clock) -> Iterator[float]:
        """Let time pass until a deadline, by this clock and by the box's own. EndedError, and the
        child's end, where no answer comes or none that can be read."""
        try:
            with clock.running(), self.clock.running():
                yield time.monotonic() + min(self.clock.left, clock.left + GRACE)
        except wire.LateError:
            total = self.clock.left <= 0
            most = self.limits.total if total else clock.seconds
            whole = " (that is all the time that a notebook has)" if total else ""
            self.end(f"was stopped after {most:g} seconds{whole}. Does a loop in it ever end?")
        except wire.ClosedError:
            self.end()
        except wire.GarbledError as error:
            self.end(f"sent something that is no answer ({error}).")

    def end(self, reason: str = "") -> NoReturn:
        self.close()
        self.reason = reason or self.why()
        raise EndedError(self.reason)

    def why(self) -> str:
        """Why the child is gone, as the warden saw it."""
        status = self.used.get("status")
        if status is None:
            return "ended its process."
        if status >= 0:
            return f"ended its whole process, with exit code {status}."
        known = {number.value: number.name for number in signal.Signals}
        name = known.get(-status, f"signal {-status}")
        if self.used.get("oom"):
            return f"took more than {self.limits.memory // 2**20} MB of memory."
        if self.used.get("full"):
            return f"was stopped: it wrote more than {self.limits.disk // 2**20} MB."
        why = {
            "SIGKILL": " (perhaps it took too much memory)",
            "SIGXCPU": f" (it had computed for {self.limits.total:g} seconds)",
            "SIGSEGV": " (a crash below Python; perhaps it called itself without end)",
        }
        return f"was ended by the system with {name}{why.get(name, '')}."

    def close(self) -> None:
        """End the child, if it still lives, and learn what it used."""
        if self.closed:
            return
        self.closed = True
        self.line.close()
        with contextlib.suppress(OSError, ValueError):
            self.control.shutdown(socket.SHUT_WR)
            self.used = json.loads(self.told(lines=2))
        self.control.close()
        if self.cgroup is not None:
            self.used["oom"] = self.cgroup.ran_out_of_memory()
            self.cgroup.close()
        if self.work is not None:
            try:
                self.work.cleanup()
            except (OSError, RecursionError):  # folders in folders in folders …
                subprocess.run(["rm", "-rf", "--", self.work.name], check=False, timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
