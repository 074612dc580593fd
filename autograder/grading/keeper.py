"""The judge's end: keeps a zygote, and opens a box for each submission."""

import contextlib
import itertools
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from . import cgroup, wire
from .given import write_given
from .sandbox.walls import Limits
from .scratch import Scratch

HOME = Path(__file__).resolve().parent.parent.parent
OURS = ("autograder", "benchmarks", "course", "exercises", "notebooks", "solutions", "translation")
START = """
import sys
sys.path.insert(0, {home!r})
from autograder.grading.sandbox.zygote import main
del sys.path[0]
main({descriptor}, {options})
"""
GRACE = 3.0  # seconds in which a child may say itself that the time is over
STARTING = 120.0


class UnprotectedError(Exception):
    """The sandbox is weaker than was demanded."""


class EndedError(Exception):
    """The child is gone; says why, in words that go on after "your code …"."""


class Keeper:
    """Keeps one zygote, and starts another when it is gone.

    Args:
        least: the level of protection that is demanded, 0 to 3; see `level_of`.
        namespaces: use them where they can be had.
    """

    def __init__(self, least=1, namespaces=True):
        self.least, self.namespaces = least, namespaces
        self.process = None
        self.cgroup = cgroup.divided()
        self.scratch = Scratch()
        self.folders = {n: self.scratch.folder(n) for n in ("root", "given", "scratch", "work")}
        write_given(self.folders["given"])

    def start(self):
        ours, theirs = socket.socketpair()
        options = {
            "namespaces": self.namespaces,
            "hidden": [str(HOME / name) for name in OURS],
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
        greeting = b""
        with contextlib.suppress(OSError):
            while not greeting.endswith(b"\n"):
                piece = ours.recv(2**16)
                if not piece:
                    break
                greeting += piece
        if not greeting.endswith(b"\n"):
            self.process.kill()
            said = self.process.communicate()[1].decode(errors="replace").strip()
            raise RuntimeError(f"the sandbox could not be started: {said[-500:]}")
        self.greeting = json.loads(greeting)

    def open(self, limits=None, given="", attempts=2):
        """A Box that is ready; another zygote is started if this one is gone."""
        limits = limits or Limits()
        for attempt in range(attempts):
            if self.process is None or self.process.poll() is not None:
                self.let_go()
                self.start()
            try:
                return self.ask_for_box(limits, given)
            except (OSError, wire.ClosedError, wire.LateError):
                self.process.kill()
                self.process.wait()
                if attempt + 1 == attempts:
                    raise
        raise AssertionError

    def ask_for_box(self, limits, given):
        for_judge, for_child = socket.socketpair()
        for_keeper, for_warden = socket.socketpair()
        work = None
        if not self.greeting["own_root"]:
            work = tempfile.TemporaryDirectory(dir=self.folders["work"])
        request = {
            "limits": asdict(limits),
            "total": limits.total,
            "given": given,
            "work": work and work.name,
        }
        with for_child, for_warden:
            text = json.dumps(request).encode()
            socket.send_fds(self.socket, [text], [for_child.fileno(), for_warden.fileno()])
        box = Box(wire.Line(for_judge, wire.LARGEST_ANSWER), for_keeper, limits, work)
        hello = box.line.receive(time.monotonic() + 20)
        if "trouble" in hello:
            box.close()
            raise UnprotectedError(hello["trouble"])
        box.layers = hello["layers"]
        if self.cgroup is not None:
            box.live_in(self.cgroup)
        if level_of(box.layers) < self.least:
            box.close()
            raise UnprotectedError(
                f"learners' code would run with {described(box.layers)} only, and level "
                f"{self.least} is demanded. {self.greeting['trouble']}".strip()
            )
        return box

    def let_go(self):
        """Of the zygote, if there is one."""
        if self.process is None:
            return
        self.socket.close()  # the zygote then ends by itself
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        self.process = None

    def close(self):
        self.let_go()
        self.scratch.close()


def environment():
    """What learners' code can see of the environment: nothing of whoever grades."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",
    }


def level_of(layers):
    """How well a child was shut in: 0 hardly, 1 files and system calls, 2 namespaces, 3 cgroup."""
    if not {"limits", "Landlock", "seccomp"} <= set(layers):
        return 0
    return 1 if "namespaces" not in layers else 2 if "cgroup" not in layers else 3


def described(layers):
    return f"level {level_of(layers)} ({', '.join(layers) or 'nothing'})"


class Box:
    """A child that a submission's code runs in."""

    def __init__(self, line, control, limits, work):
        self.line, self.control, self.limits, self.work = line, control, limits, work
        self.layers, self.cgroup = [], None
        self.numbers = itertools.count(1)
        self.deadline = time.monotonic() + limits.total
        self.used, self.heard = {}, b""
        self.reason = ""
        control.settimeout(10)

    def live_in(self, place):
        """Give the child a part of this cgroup, before it has run anything of a learner's."""
        try:
            self.cgroup = cgroup.Cgroup(place, self.limits)
            self.cgroup.take(json.loads(self.told())["child"])
            self.layers.append("cgroup")
        except (OSError, ValueError, KeyError):  # then it is one layer less, and that is recorded
            return

    def told(self, lines=1):
        """What the warden has said so far, so many lines of it."""
        while self.heard.count(b"\n") < lines:
            piece = self.control.recv(4096)
            if not piece:
                break
            self.heard += piece
        return self.heard.splitlines()[-1] if self.heard else b"{}"

    def request(self, what, patience, attached=b"", **arguments):
        """Ask the child something, and wait so long for the reply. EndedError if there is none.

        Args:
            attached: a frame that follows the request.
        """
        if self.reason:
            raise EndedError(self.reason)
        asked = next(self.numbers)
        deadline = min(self.deadline, time.monotonic() + patience + GRACE)
        try:
            self.line.send_frame(wire.pack((asked, what, arguments)) + attached, deadline)
            answer = self.line.receive(deadline)
            if not isinstance(answer, tuple) or len(answer) != 2:
                raise wire.GarbledError("no answer")
            if type(answer[0]) is not int or answer[0] != asked:
                raise wire.GarbledError("an answer that nobody asked for")
        except wire.LateError:
            total = time.monotonic() >= self.deadline
            most = self.limits.total if total else patience
            whole = " (that is all the time that a notebook has)" if total else ""
            self.end(f"was stopped after {most:g} seconds{whole}. Does a loop in it ever end?")
        except wire.ClosedError:
            self.end()
        except wire.GarbledError as error:
            self.end(f"sent something that is no answer ({error}).")
        return answer[1]

    def end(self, reason=""):
        self.close()
        self.reason = reason or self.why()
        raise EndedError(self.reason)

    def why(self):
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

    def close(self):
        """End the child, if it still lives, and learn what it used."""
        if self.control is None:
            return
        self.line.close()
        with contextlib.suppress(OSError, ValueError):
            self.control.shutdown(socket.SHUT_WR)
            self.used = json.loads(self.told(lines=2))
        self.control.close()
        self.control = None
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
