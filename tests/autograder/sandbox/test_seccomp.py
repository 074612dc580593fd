"""The filter of system calls, as a program: what it says to each number, on both kinds of machine.

It is run here by a few lines that do what the kernel does, so the numbers of a machine that isn't
at hand are tried, too. What a real kernel makes of it is in test_walls.py.
"""

import re
import struct
from pathlib import Path

import pytest

from autograder.sandbox import calls, seccomp
from autograder.sandbox.calls import numbers

from .system_calls import DANGEROUS, FINE

ALLOW, EPERM, ENOSYS = seccomp.ALLOW, seccomp.EPERM, seccomp.ENOSYS
KINDS = pytest.mark.parametrize("kind", list(seccomp.MACHINES))
OWN = 4711
HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}


def verdict(kind, number, *arguments, architecture=None):
    """(what the filter says to a call, in how many steps)"""
    arguments = [each & 0xFFFFFFFFFFFFFFFF for each in (*arguments, *[0] * 6)][:6]
    architecture = architecture or seccomp.MACHINES[kind]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments)
    at, value, steps = 0, 0, 0
    while True:
        code, yes, no, operand = seccomp.program(kind)[at]
        operand = OWN if operand is calls.OWN else operand
        steps += 1
        at += 1
        if code == seccomp.RETURN:
            return operand, steps
        if code == seccomp.LOAD:
            [value] = struct.unpack_from("<I", data, operand)
        elif code == seccomp.AND:
            value &= operand
        elif code == seccomp.JUMP:
            at += operand
        elif code == seccomp.JUMP_EQUAL:
            at += yes if value == operand else no
        else:
            assert code == seccomp.JUMP_AT_LEAST
            at += yes if value >= operand else no


def table(kind, listed):
    """{number: name} of the calls that a kind of machine has."""
    column = list(seccomp.MACHINES).index(kind)
    return {each[column]: name for name, each in listed.items() if each[column] is not None}


def sometimes(kind):
    return table(kind, {name: each for name, (each, *_) in calls.SOMETIMES.items()})


@KINDS
def test_the_numbers_are_those_of_the_kernels_own_table(kind):
    header = Path(HEADERS[kind])
    if not header.exists():
        pytest.skip("the kernel's headers are not installed")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    known = {name: int(number) for name, number in reversed(found)}
    known["newfstatat"] = known.get("newfstatat", known.get("fstatat"))
    ours = table(kind, calls.ALLOWED | calls.MISSING) | sometimes(kind)
    ours |= table(kind, DANGEROUS)
    newest = max(number for name, number in known.items() if name != "syscalls")
    wrong = {name: n for n, name in ours.items() if known.get(name) != n and n <= newest}
    assert wrong == {}
    assert len(ours) > 200


@KINDS
def test_no_number_is_listed_twice(kind):
    listed = [table(kind, calls.ALLOWED), table(kind, calls.MISSING), sometimes(kind)]
    listed.append(table(kind, DANGEROUS))
    assert len(set().union(*listed)) == sum(map(len, listed))


@KINDS
def test_what_is_listed_is_allowed_and_nothing_else(kind):
    allowed, missing = table(kind, calls.ALLOWED), table(kind, calls.MISSING)
    unused = {n for first, last in calls.NEVER_USED[kind] for n in range(first, last + 1)}
    examined = sometimes(kind)
    for number in [*range(1000), 2**30 - 1, *range(2**30, 2**30 + 600), 2**31, 2**32 - 1]:
        said = verdict(kind, number, *[-1] * 6)[0]
        if number in allowed:
            assert said == ALLOW, allowed[number]
        elif number in examined:
            arguments = FINE[examined[number]]
            assert verdict(kind, number, *arguments)[0] == ALLOW, examined[number]
        elif number in missing or number in unused or number > calls.LAST:
            assert said == ENOSYS, number
        else:
            assert said == EPERM, number


@KINDS
def test_nothing_dangerous_is_on_the_list(kind):
    for number, name in table(kind, DANGEROUS).items():
        for arguments in ((0,) * 6, (-1,) * 6, (OWN,) * 6):
            assert verdict(kind, number, *arguments)[0] == EPERM, name


@KINDS
def test_calls_of_another_architecture_are_refused(kind):
    for architecture in {*seccomp.MACHINES.values(), 0x40000003} - {seccomp.MACHINES[kind]}:
        assert verdict(kind, 0, architecture=architecture)[0] == EPERM


@KINDS
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("open", (0, 0x200)),
        ("openat", (0, 0, 0x203)),
        *(("fcntl", (0, command)) for command in (8, 10, 15, 1024, 1026, 1031, 2**31)),
        *(("ioctl", (0, command)) for command in (0x5412, 0x8901, 0x8902, 0x40049409, 0x4004940C)),
        *(("socketpair", each) for each in ((1, 2), (1, 5), (1, 0x80002), (2, 1), (16, 3))),
        ("sendto", (3, 0, 0, 0, 0x1000, 16)),
        ("sendto", (3, 0, 0, 0, 0x100000000, 16)),  # its lower half is zero
        ("clone", (17,)),  # a process
        ("clone", (0x4111,)),  # vfork
        *(("clone", (0x3D0F00 | space,)) for space in (0x20000, 0x2000000, 0x4000000, 0x8000000)),
        *(("clone", (0x3D0F00 | space,)) for space in (0x10000000, 0x20000000, 0x40000000, 0x80)),
        *(("kill", (who, 9)) for who in (0, 1, -1, -OWN, OWN + 1)),
        ("tgkill", (1, OWN, 9)),
        *(("prctl", (option, 0)) for option in (1, 4, 22, 24, 36, 38, 47, 1499557217)),
        ("arch_prctl", (0x1012, 0)),
        ("prlimit64", (0, 0, 0x1000)),
        ("prlimit64", (0, 0, 0x100000000)),  # its lower half is zero
        ("prlimit64", (1, 0, 0)),
        ("mmap", (0, 1, 3, 0x22 | 0x2000)),
        ("mmap", (0, 1, 3, 0x22 | 0x40000)),
        *(("madvise", (0, 0, advice)) for advice in (12, 100, 101)),
        ("getpgid", (1,)),
        ("getsid", (1,)),
    ],
)
def test_calls_that_depend_on_their_arguments(kind, name, arguments):
    for number in [n for n, each in sometimes(kind).items() if each == name]:
        assert verdict(kind, number, *arguments)[0] == EPERM


@KINDS
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("openat", (0, 0, 0x241)),  # to write, and so Landlock sees it
        ("openat", (0, 0, 0x80000)),
        ("fcntl", (0, 1030)),
        ("ioctl", (0, 0x802C542A)),
        ("socketpair", (1, 0x80801)),
        ("clone", (0x3D0F00,)),  # glibc
        ("clone", (0x7D0F00,)),  # musl
        ("kill", (OWN, 6)),
        ("tgkill", (OWN, OWN + 1, 6)),
        ("prctl", (0x53564D41, 0)),
        ("prlimit64", (OWN, 7, 0, 0x7FFF00001000)),
        ("mmap", (0, 1, 3, 0x20022)),
        *(("madvise", (0, 0, advice)) for advice in (0, 4, 8, 14, 102)),
    ],
)
def test_calls_whose_arguments_are_fine(kind, name, arguments):
    [number] = [n for n, each in sometimes(kind).items() if each == name]
    assert verdict(kind, number, *arguments)[0] == ALLOW


@KINDS
def test_it_is_short(kind):
    """A thousand instructions would be noticed with each call; frequent ones take a few steps."""
    assert len(seccomp.program(kind)) < 500
    assert max(verdict(kind, number)[1] for number in range(1000)) < 40
    for name in ("read", "write", "newfstatat", "lseek", "munmap", "futex", "recvfrom"):
        [number] = [n for n, each in table(kind, calls.ALLOWED).items() if each == name]
        assert verdict(kind, number)[1] < 18, name


def test_numbers_are_read_from_text():
    assert numbers("\na 1 2; b 3 -\nc - 4\n") == {"a": (1, 2), "b": (3, None), "c": (None, 4)}
