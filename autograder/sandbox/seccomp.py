"""Let a process make only the system calls that are listed, with a seccomp filter of our own.

What the list is, and why, is in `calls`. A call that isn't on it fails: with ENOSYS if it is newer
than the list, so that libraries fall back on older ones, and with EPERM otherwise. The filter finds
a number by halving, in eight or nine steps; kernels since 5.11 remember which calls are always
allowed and don't even ask it.
"""

import ctypes
import os
import platform
import struct
from functools import lru_cache

from . import calls

ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38
PR_SET_SECCOMP, FILTER = 22, 2
PR_SET_NO_NEW_PRIVS = 38
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

LOAD, AND, RETURN, JUMP = 0x20, 0x54, 0x06, 0x05
JUMP_EQUAL, JUMP_AT_LEAST = 0x15, 0x35
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
FARTHEST = 255  # instructions that a conditional jump can pass over


def is_possible():
    """Does this machine have seccomp, and do we know its numbers?"""
    if platform.system() != "Linux" or machine() not in MACHINES:
        return False
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail") as file:
            return "errno" in file.read()
    except OSError:
        return False


def machine():
    return {"arm64": "aarch64"}.get(platform.machine(), platform.machine())


@lru_cache
def program(kind):
    """The filter for a kind of machine, as instructions (code, jump if true, if false, operand).

    An operand may be OWN, for the number of the process that it is put on.
    """
    return [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, MACHINES[kind]),
        (RETURN, 0, 0, EPERM),  # another architecture's calls have other numbers
        (LOAD, 0, 0, NUMBER),
        *search(pieces(answers(kind))),
    ]


def answers(kind):
    """{number: what is done about it} for all that are not simply forbidden."""
    column = list(MACHINES).index(kind)
    found = {
        number: [(RETURN, 0, 0, ENOSYS)]
        for first, last in (*calls.NEVER_USED[kind], (calls.LAST + 1, calls.LAST + 1))
        for number in range(first, last + 1)
    }
    found |= {each[column]: [(RETURN, 0, 0, ENOSYS)] for each in calls.MISSING.values()}
    found |= {each[column]: [(RETURN, 0, 0, ALLOW)] for each in calls.ALLOWED.values()}
    found |= {each[column]: examine(conditions) for each, *conditions in calls.SOMETIMES.values()}
    # What this kind of machine doesn't have stands under None.
    return {number: code for number, code in found.items() if number is not None}


def examine(conditions):
    """Allow a call if all conditions hold."""
    code = []
    for each in conditions:
        code.append((LOAD, 0, 0, ARGUMENTS + 8 * each.argument + 4 * each.half))
        if each.mask != 0xFFFFFFFF:
            code.append((AND, 0, 0, each.mask))
        # A value that is found leads behind the refusal; or, if none may be found, to it.
        for left, value in zip(range(len(each.values), 0, -1), each.values):
            code.append((JUMP_EQUAL, left, 0, value))
        code += [(JUMP, 0, 0, 1)] if each.none else []
        code.append((RETURN, 0, 0, EPERM))
    return [*code, (RETURN, 0, 0, ALLOW)]


def pieces(found):
    """[(first number, code)]: what is done from this number on, until the next piece begins."""
    cut, forbidden = [], [(RETURN, 0, 0, EPERM)]
    for number in range(calls.LAST + 2):  # the last one stands for all that are newer
        code = found.get(number, forbidden)
        if not cut or code != cut[-1][1]:
            cut.append((number, code))
    return cut


def search(cut):
    """Find a number's piece: is it in the upper half?"""
    if len(cut) == 1:
        return cut[0][1]
    middle = len(cut) // 2
    below, above = search(cut[:middle]), search(cut[middle:])
    if len(below) <= FARTHEST:
        return [(JUMP_AT_LEAST, len(below), 0, cut[middle][0]), *below, *above]
    return [
        (JUMP_AT_LEAST, 0, 1, cut[middle][0]),
        (JUMP, 0, 0, len(below)),
        *below,
        *above,
    ]


def forbid():
    """Put the filter on this process, for good. OSError if the system refuses."""
    code, own = program(machine()), os.getpid()
    packed = b"".join(
        struct.pack("HBBI", what, yes, no, own if operand is calls.OWN else operand)
        for what, yes, no, operand in code
    )
    buffer = ctypes.create_string_buffer(packed)
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, FILTER, head):
        raise OSError(ctypes.get_errno(), "seccomp")
