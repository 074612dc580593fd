"""Open only the files that are named, with Landlock (Linux 5.13 and later, no privilege needed)."""

import ctypes
import os
import platform
import struct

CREATE, ADD, RESTRICT = 444, 445, 446  # the same numbers on every architecture
ASK_FOR_VERSION = 1
BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER = 1, 2, 4, 8
FILES_IN_FIRST_VERSION = (1 << 13) - 1
REFER, TRUNCATE, DEVICES = 1 << 13, 1 << 14, 1 << 15
TCP = 0b11
ABSTRACT_SOCKETS, SIGNALS = 1, 2
READ = EXECUTE | READ_FILE | READ_FOLDER
ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | DEVICES


def version():
    """Which version of Landlock the kernel offers; 0 if none."""
    if platform.system() != "Linux":
        return 0
    return max(0, ctypes.CDLL(None).syscall(CREATE, None, 0, ASK_FOR_VERSION))


def restrict(readable, writable):
    """From now on, this process can open only what lies beneath these paths. OSError if refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    abi = version()
    handled = FILES_IN_FIRST_VERSION
    handled |= REFER if abi >= 2 else 0
    handled |= TRUNCATE if abi >= 3 else 0
    handled |= DEVICES if abi >= 5 else 0
    fields = [handled, TCP if abi >= 4 else 0, ABSTRACT_SOCKETS | SIGNALS if abi >= 6 else 0]
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    rules = libc.syscall(CREATE, struct.pack("QQQ", *fields)[:size], size, 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "Landlock")
    for paths, wanted in ((readable, READ), (writable, handled & ~EXECUTE)):
        for path in paths:
            try:
                place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue  # what is not there need not be opened
            allowed = wanted if os.path.isdir(path) else wanted & ON_A_FILE
            rule = struct.pack("=Qi", allowed & handled, place)
            failed = libc.syscall(ADD, rules, BENEATH, rule, 0)
            os.close(place)
            if failed:
                raise OSError(ctypes.get_errno(), f"Landlock: {path}")
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.syscall(RESTRICT, rules, 0):
        raise OSError(ctypes.get_errno(), "Landlock")
    os.close(rules)
