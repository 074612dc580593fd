"""The sandbox where a container allows no namespaces, as Docker does unless it is told otherwise.

Docker itself isn't needed: its list of system calls refuses what is refused here, and lets Landlock
and seccomp through. (What else a container changes, such as other mounts, is not made up here.)
"""

import subprocess
import sys

import pytest

from autograder.sandbox import calls, seccomp

from .system_calls import DANGEROUS

pytestmark = pytest.mark.skipif(not seccomp.is_possible(), reason="no seccomp")

# What Docker keeps from everybody who may not administer the system, its root included.
REFUSED = ("unshare", "setns", "mount", "umount2", "pivot_root")
NEW_NAMESPACES = 0x7E020000  # flags of clone
CODE = """
from autograder.sandbox import seccomp
from autograder.doors.doctor import sandbox

ours, seccomp.program = seccomp.program, lambda kind: {program}
seccomp.forbid()
seccomp.program = ours
print(sandbox())
"""


def number_of(name, listed):
    return listed[name][list(seccomp.MACHINES).index(seccomp.machine())]


def program_of_docker():
    """Its filter, as far as it matters here."""
    refuse, allow = [(seccomp.RETURN, 0, 0, what) for what in (seccomp.EPERM, seccomp.ALLOW)]
    code = [(seccomp.LOAD, 0, 0, seccomp.NUMBER)]
    for name in REFUSED:
        code += [(seccomp.JUMP_EQUAL, 0, 1, number_of(name, DANGEROUS)), refuse]
    clone3 = number_of("clone3", calls.MISSING)
    code += [(seccomp.JUMP_EQUAL, 0, 1, clone3), (seccomp.RETURN, 0, 0, seccomp.ENOSYS)]
    clone = number_of("clone", {"clone": calls.SOMETIMES["clone"][0]})
    code += [(seccomp.JUMP_EQUAL, 1, 0, clone), allow, (seccomp.LOAD, 0, 0, seccomp.ARGUMENTS)]
    return [
        *code,
        (seccomp.AND, 0, 0, NEW_NAMESPACES),
        (seccomp.JUMP_EQUAL, 0, 1, 0),
        allow,
        refuse,
    ]


def test_there_it_has_level_1_and_says_why_not_more():
    code = CODE.format(program=program_of_docker())
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "level 1 of 3" in done.stdout
    assert "(limits, Landlock, seccomp)" in done.stdout
    assert "some systems and containers forbid them to ordinary users" in done.stdout
