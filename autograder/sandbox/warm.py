"""The warm process of the sandbox, seen from outside: begun at once, ready some seconds later.

It costs nothing to import this: so the process can get warm while everything else is imported.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..engine.course import current
from .scratch import Scratch

HOME = Path(__file__).resolve().parents[2]
START = """
import sys
sys.path.insert(0, {home!r})
from autograder.sandbox.zygote import main
del sys.path[0]
main({descriptor}, {options})
"""
STARTING = 120.0
# Messages that do not run into each other, so that several processes may ask at once.
MESSAGES = socket.SOCK_SEQPACKET if sys.platform.startswith("linux") else socket.SOCK_STREAM
SHARED: dict[tuple[bool, str], Warm] = {}


def shared(namespaces: bool = True) -> Warm:
    """The one of this process, and of what is forked from it."""
    key = key_of(namespaces)
    if key not in SHARED or SHARED[key].owner != os.getpid():
        SHARED[key] = Warm(namespaces)
        atexit.register(SHARED[key].close)
    SHARED[key].begin()
    return SHARED[key]


def inherited(namespaces: bool = True) -> Warm | None:
    """The one that the process we were forked from has had ready; None if there is none."""
    return SHARED.get(key_of(namespaces))


def key_of(namespaces: bool) -> tuple[bool, str]:
    return namespaces, current().id


class Warm:
    """Keeps one warm process; where it is gone, another one can be begun.

    Args:
        namespaces: use them where they can be had.
    """

    def __init__(self, namespaces: bool = True):
        self.namespaces, self.owner, self.course = namespaces, os.getpid(), current()
        self.scratch = Scratch()
        self.folders = {n: self.scratch.folder(n) for n in ("root", "given", "scratch", "work")}
        self.process: subprocess.Popen[bytes] | None = None
        self.greeting: dict[str, Any] | None = None

    def begin(self) -> None:
        """Start it, if it is not there; it need not be ready then."""
        if self.process is not None and self.process.poll() is None:
            return
        self.let_go()
        ours, theirs = socket.socketpair(type=MESSAGES)
        options = {
            "namespaces": self.namespaces,
            "course": asdict(self.course),
            "folders": self.course.folders,
            "hidden": [str(HOME / "autograder"), *filter(None, self.course.folders.values())],
            "root": str(self.folders["root"]),
            "given": str(self.folders["given"]),
            "scratch": str(self.folders["scratch"]),
        }
        code = START.format(home=str(HOME), descriptor=theirs.fileno(), options=options)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", code],
            pass_fds=[theirs.fileno()],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        theirs.close()
        self.socket = ours
        ours.settimeout(STARTING)

    def ready(self) -> dict[str, Any]:
        """Wait until it is. A copy of this in a forked process can only use what is there."""
        if self.owner == os.getpid():
            self.begin()
        greeting = self.greeting
        if greeting is None:
            greeting = self.greeting = json.loads(self.heard())
        return greeting

    def heard(self) -> bytes:
        """Its first line."""
        greeting = b""
        with contextlib.suppress(OSError):
            while not greeting.endswith(b"\n"):
                piece = self.socket.recv(2**16)
                if not piece:
                    break
                greeting += piece
        if not greeting.endswith(b"\n"):
            raise RuntimeError(f"the sandbox could not be started: {self.last_words()[-500:]}")
        return greeting

    def last_words(self) -> str:
        """What the process has said of its trouble; it is ended."""
        if self.process is None:
            return ""
        self.process.kill()
        return self.process.communicate()[1].decode(errors="replace").strip()

    def ask(self, request: dict[str, Any], descriptors: list[int]) -> None:
        """For a child. OSError if the process is gone."""
        socket.send_fds(self.socket, [json.dumps(request).encode()], descriptors)

    def let_go(self, at_once: bool = False) -> None:
        """Of the process, if there is one."""
        if self.process is None:
            return
        self.socket.close()  # it then ends by itself
        if at_once:
            self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        self.process = self.greeting = None

    def close(self) -> None:
        if self.owner == os.getpid():  # and not somebody forked from it, at its own end
            self.let_go()
            self.scratch.close()


def environment() -> dict[str, str]:
    """What learners' code can see of the environment: nothing of whoever grades."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",
    }
