"""A cgroup of its own for each child, where the system has handed us one to divide (cgroup v2).

This is so in a scope of systemd with Delegate=yes, e.g. in what
`systemd-run --user --scope -p Delegate=yes autograder grade …` starts, and in some containers. The
kernel then counts memory and threads of all that a child is, and ends it as one.
"""

import contextlib
import itertools
import os
from pathlib import Path

from .walls import Limits

NEEDED = {"memory", "pids"}
LEADER = "graders"
NUMBERS = itertools.count(1)


def ours(mounted="/sys/fs/cgroup", told="/proc/self/cgroup"):
    """The folder of this process's cgroup, if it is one that we may divide; else None."""
    try:
        [line] = [x for x in Path(told).read_text().splitlines() if x.startswith("0::")]
        place = Path(mounted) / line.removeprefix("0::").lstrip("/")
        controllers = set((place / "cgroup.controllers").read_text().split())
    except (OSError, ValueError):
        return None
    if place.name == LEADER:  # another process of ours has divided it already
        place = place.parent
    may_write = os.access(place, os.W_OK) and os.access(place / "cgroup.procs", os.W_OK)
    return place if controllers >= NEEDED and may_write else None


def divided() -> Path | None:
    """Our cgroup, ready to be given children; None where there is none to be had."""
    place = ours()
    try:
        if place is not None:
            divide(place)
            Cgroup(place, Limits()).close()  # a first one, to see that it can be done
        return place
    except OSError:
        return None


def divide(place):
    """Move all processes in it into a part of it, so that it can have further parts. OSError if
    that is not allowed."""
    leader = place / LEADER
    leader.mkdir(exist_ok=True)
    for process in (place / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            (leader / "cgroup.procs").write_text(process)
    (place / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(NEEDED)))


class Cgroup:
    """The cgroup of one child."""

    def __init__(self, place: Path, limits: Limits):
        self.folder = place / f"box-{os.getpid()}-{next(NUMBERS)}"
        self.folder.mkdir()
        (self.folder / "memory.max").write_text(str(limits.memory))
        (self.folder / "pids.max").write_text(str(limits.threads))
        with contextlib.suppress(OSError):  # where there is no swap there is no such file
            (self.folder / "memory.swap.max").write_text("0")

    def take(self, process: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(process))

    def ran_out_of_memory(self) -> bool:
        """Has the kernel ended something in here because of its memory?"""
        with contextlib.suppress(OSError, IndexError):
            lines = (self.folder / "memory.events").read_text().splitlines()
            return any(line.split()[0] == "oom_kill" and line.split()[1] != "0" for line in lines)
        return False

    def close(self) -> None:
        """End what is left in it, and remove it."""
        with contextlib.suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")
        for _ in range(50):
            try:
                self.folder.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                os.sched_yield()
