"""Shut a process in, with whatever this machine offers.

The zygote leaves the file system, the network and other processes behind when it starts, if it may
make namespaces. Each child then gets its own, empty, small working folder and process namespace,
gives up all rights, and is limited in time, memory, files, system calls and paths. Where namespaces
cannot be had, Landlock and seccomp still hold: they need no privilege.
"""

import contextlib
import ctypes
import itertools
import os
import resource
import select
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from ..engine.limits import CHANGES
from . import landlock, seccomp

NEW_USER, NEW_MOUNTS, NEW_NETWORK = 0x10000000, 0x00020000, 0x40000000
NEW_IPC, NEW_NAMES, NEW_PROCESSES = 0x08000000, 0x04000000, 0x20000000
READ_ONLY, NO_SUID, NO_DEVICES, REMOUNT, BIND = 1, 2, 4, 32, 4096
RECURSIVE, PRIVATE, DETACH = 16384, 1 << 18, 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
LOCKED_FLAGS = {  # what a bind mount must keep: (as statvfs says it, as mount wants it)
    os.ST_NOSUID: NO_SUID,
    getattr(os, "ST_NODEV", 4): NO_DEVICES,
    getattr(os, "ST_NOEXEC", 8): 8,
    getattr(os, "ST_NOATIME", 1024): 1024,
    getattr(os, "ST_NODIRATIME", 2048): 2048,
    getattr(os, "ST_RELATIME", 4096): 1 << 21,
}
WORK = "/learner"  # where a child lives, if it has a root of its own
LIBRARIES = ("lib", "lib64")  # what is needed of where a Python is installed
# Not the whole of /usr: nbgrader's exchange, with what everybody has handed in, is under
# /usr/local/share if nobody chose another place for it.
SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"),
    *("/usr/share/fonts", "/usr/share/zoneinfo"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/ssl/openssl.cnf"),
    *("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"),
    "/proc/cpuinfo",
)
DEVICES = ("/dev/null", "/dev/zero")
MOST_ENTRIES = 4096  # files and folders
BEST = "best"  # as a level of protection: the highest that this machine offers
MOST_SIGNALS = 256  # that wait to be delivered


@dataclass(frozen=True)
class Limits:
    """What a submission may take.

    Args:
        cell: seconds for one cell.
        check: seconds for one exercise's check.
        total: seconds for the whole submission.
        mending: answers asked for to find the change that makes one exercise right.
        memory: bytes beyond what torch takes.
        disk: bytes in its working folder.
        files: how many may be open.
        threads: how many.
    """

    cell: float = 30.0
    check: float = 10.0
    total: float = 300.0
    mending: int = CHANGES
    memory: int = 2 * 2**30
    disk: int = 64 * 2**20
    files: int = 128
    threads: int = 64


class System:
    """System calls that Python has no names for."""

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)

    def __call__(self, name, *arguments):
        if getattr(self.libc, name)(*arguments):
            raise OSError(ctypes.get_errno(), name)

    def mount(self, source, target, kind=None, flags=0, options=None):
        names = (x and os.fsencode(x) for x in (source, target, kind))
        self("mount", *names, ctypes.c_ulong(flags), options and options.encode())


def readable_paths(hidden=()):
    """Python, its packages and the system's libraries, without what is hidden."""
    pythons = (sys.base_prefix, sys.base_exec_prefix, sys.prefix)
    wanted = [f"{place}/{name}" for place in pythons for name in LIBRARIES] + [*SYSTEM]
    wanted += [path for path in sys.path if path.endswith("-packages") and os.path.isdir(path)]
    paths = []
    for path in dict.fromkeys(map(os.path.abspath, wanted)):
        if os.path.exists(path):
            paths += leave_out(path, [os.path.realpath(each) for each in hidden])
    return paths


def leave_out(path, hidden):
    """A path; or, if something hidden lies beneath it, all the rest of what lies beneath."""
    real = os.path.realpath(path)
    if any(is_beneath(real, each) for each in hidden):
        return []
    if not any(is_beneath(each, real) for each in hidden):
        return [path]
    inner = (entry.path for entry in os.scandir(path))
    return [kept for each in sorted(inner) for kept in leave_out(each, hidden)]


def is_beneath(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


# --- The zygote -----------------------------------------------------------------------------------


def leave_namespaces():
    """Leave users, mounts, network and names behind. OSError where that is not allowed.

    To be called while the process has one thread.
    """
    user, group = os.geteuid(), os.getegid()
    System()("unshare", NEW_USER | NEW_MOUNTS | NEW_NETWORK | NEW_IPC | NEW_NAMES)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    System().mount(None, "/", None, RECURSIVE | PRIVATE)


def leave_files(root, paths):
    """Make a root that holds only these paths, for reading, and go there.

    Args:
        root: an empty folder, to be put under the new root.
    """
    system = System()
    system.mount("tmpfs", root, "tmpfs", NO_SUID, "size=1m,mode=755")
    for path in paths:
        put_into(system, root, path)
    for name in ("/tmp", WORK, "/old"):
        os.makedirs(root + name, exist_ok=True)
    number = {"x86_64": 155}.get(os.uname().machine, 41)
    if system.libc.syscall(number, os.fsencode(root), os.fsencode(root + "/old")):
        raise OSError(ctypes.get_errno(), "pivot_root")
    os.chdir("/")
    system("umount2", b"/old", DETACH)
    os.rmdir("/old")
    system.mount(None, "/", None, REMOUNT | BIND | READ_ONLY | NO_SUID)


def put_into(system, root, path):
    """Show a path of the old root under the new one, for reading only."""
    place = root + path
    if os.path.exists(place) and os.path.ismount(place):
        return
    if os.path.islink(path):  # /lib → usr/lib
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if not os.path.lexists(place):
            with contextlib.suppress(OSError):
                os.symlink(os.readlink(path), place)
        return
    with contextlib.suppress(OSError):
        if os.path.isdir(path):
            os.makedirs(place, exist_ok=True)
        elif not os.path.exists(place):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            Path(place).touch()
    system.mount(path, place, None, BIND | RECURSIVE)
    if path in DEVICES:
        return
    flags = os.statvfs(place).f_flag
    kept = sum(mount for seen, mount in LOCKED_FLAGS.items() if flags & seen)
    with contextlib.suppress(OSError):  # Landlock forbids writing, too
        system.mount(None, place, None, REMOUNT | BIND | READ_ONLY | kept)


def layers_for(own_root, has_seccomp):
    """What will shut in the children of a zygote, in the order in which `shut_in` says it."""
    holds = {
        "namespaces": own_root,
        "limits": True,
        "Landlock": landlock.version() > 0,
        "seccomp": has_seccomp,
    }
    return [name for name, does in holds.items() if does]


# --- The child ------------------------------------------------------------------------------------


def end_with(warden):
    """See to it that this process ends with its parent, at once if that is gone already.

    The system calls that could undo this are refused later on. OSError if it can't be done.

    Args:
        warden: the reading end of a pipe that only the parent can write to.
    """
    if sys.platform.startswith("linux"):
        System()("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if select.select([warden], [], [], 0)[0]:  # nobody is there to write
        os._exit(3)
    os.close(warden)


def shut_in(work, readable, limits, taken, own_root, has_seccomp):
    """Give up everything that a learner's code does not need. Gives the layers that hold.

    Args:
        work: the folder to live in.
        taken: bytes of addresses that the process has already.
        own_root: has the zygote left the file system?
        has_seccomp: is there seccomp? (This cannot be asked without /proc.)
    """
    layers = []
    if own_root:
        system = System()
        system("unshare", NEW_MOUNTS)
        options = f"size={limits.disk},nr_inodes={MOST_ENTRIES},mode=700"
        system.mount("tmpfs", work, "tmpfs", NO_SUID | NO_DEVICES, options)
        layers.append("namespaces")
    os.chdir(work)
    os.environ["HOME"] = os.environ["TMPDIR"] = work
    set_limits(limits, taken, own_root)
    layers.append("limits")
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if sys.platform.startswith("linux"):
        drop_rights()
    if landlock.version():
        landlock.restrict(readable, [work, *DEVICES])
        layers.append("Landlock")
    if has_seccomp:
        seccomp.forbid()
        layers.append("seccomp")
    return layers


def set_limits(limits, taken, own_root):
    wanted = {
        "RLIMIT_CORE": 0,
        # A file that was deleted while it is open is in no folder: only this limits it there.
        "RLIMIT_FSIZE": limits.disk if own_root else limits.disk // 4,
        "RLIMIT_NOFILE": limits.files,
        "RLIMIT_CPU": int(limits.total) + 2,
        "RLIMIT_NPROC": limits.threads,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_SIGPENDING": MOST_SIGNALS,  # all processes of a user draw on the same store
        "RLIMIT_AS": taken + limits.memory if taken else None,
    }
    for name, most in wanted.items():
        kind = getattr(resource, name, None)
        if kind is not None and most is not None:
            hard = resource.getrlimit(kind)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            with contextlib.suppress(ValueError, OSError):  # macOS has no limit on addresses
                resource.setrlimit(kind, (most, most))


def is_too_much(folder, disk):
    """Is there more in a folder than may be? (A folder of its own has a limit of its own.)"""
    waiting, entries, size = [folder], 0, 0
    while waiting and size <= disk and entries <= MOST_ENTRIES:
        try:
            with os.scandir(waiting.pop()) as listed:
                found = list(itertools.islice(listed, MOST_ENTRIES + 1))
        except FileNotFoundError:
            continue
        except OSError:  # too deep, or not to be looked into: nobody needs such folders
            return True
        entries += len(found)
        for entry in found:
            with contextlib.suppress(FileNotFoundError):  # it may be gone by now
                size += entry.stat(follow_symlinks=False).st_size
                waiting += [entry.path] if entry.is_dir(follow_symlinks=False) else []
    return size > disk or entries > MOST_ENTRIES


def drop_rights():
    """Keep no capability, whoever we are."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        if libc.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
            break
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    if libc.capset(ctypes.byref(head), ctypes.byref(none)):
        raise OSError(ctypes.get_errno(), "capset")
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
