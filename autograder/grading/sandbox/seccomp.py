"""Forbid system calls that no exercise needs, with a seccomp filter written out by hand.

Forbidden are: to start a process or another program, to open a network socket, to signal, slow down
or look into other processes, to make namespaces or mounts, to do what Landlock does not see to
(rights, owners and times of files, and in old kernels their length), and what lets a program get at
the kernel's less travelled parts. Threads are allowed.
"""

import ctypes
import os
import platform
import struct

ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38
CLONE_THREAD = 0x00010000
PR_SET_SECCOMP, FILTER = 22, 2
PR_SET_NO_NEW_PRIVS = 38

# Numbers of the system calls: those of x86_64, and those of aarch64 (None: it has none).
FORBIDDEN = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kcmp": (312, 272),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "socket": (41, 198),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "swapon": (167, 224),
    "reboot": (169, 142),
    "personality": (135, 92),
    "quotactl": (179, 60),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "setrlimit": (160, 164),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "tkill": (200, 130),
    "truncate": (76, 45),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "kexec_file_load": (320, 294),
    "modify_ldt": (154, None),
    "syslog": (103, 116),
    "vmsplice": (278, 75),
}
# glibc then uses older calls, whose arguments a filter can see
MISSING = {"clone3": (435, 435), "openat2": (437, 437)}
CLONE = (56, 220)
SIGNAL_OTHERS = {
    "kill": (62, 129),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}
PRLIMIT = (302, 261)
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7), "arm64": (1, 0xC00000B7)}

LOAD, AND, JUMP_EQUAL, JUMP_SET, JUMP_LARGER, RETURN = 0x20, 0x54, 0x15, 0x45, 0x25, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT, SECOND_ARGUMENT, THIRD_ARGUMENT = 0, 4, 16, 24, 32

# Calls that are refused only if these bits of an argument have one of these values.
TRUNCATE_UNWRITTEN = 0x203, (0x200, 0x203)  # Landlock before version 3 does not see it
REFUSED = {
    "open": ((2, None), SECOND_ARGUMENT, *TRUNCATE_UNWRITTEN),
    "openat": ((257, 56), THIRD_ARGUMENT, *TRUNCATE_UNWRITTEN),
    # F_SETOWN, F_SETSIG, F_SETOWN_EX, and their like: let the kernel send signals to others
    "fcntl": ((72, 25), SECOND_ARGUMENT, 0xFFFFFFFF, (8, 10, 15)),
    "ioctl": ((16, 29), SECOND_ARGUMENT, 0xFFFFFFFF, (0x8901, 0x8902, 0x5412)),
    # one end of a pair of such sockets can send to any other socket of the machine
    "socketpair": ((53, 199), SECOND_ARGUMENT, 0xF, (2, 3, 5)),
}


def is_possible():
    """Does this machine have seccomp, and do we know its numbers?"""
    if platform.system() != "Linux" or platform.machine() not in MACHINES:
        return False
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail") as file:
            return "errno" in file.read()
    except OSError:
        return False


def program(process_id):
    """The filter for a process, as instructions (code, jump if true, jump if false, operand)."""
    column, architecture = MACHINES[platform.machine()]
    code = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, EPERM),  # another architecture's calls have other numbers
        (LOAD, 0, 0, NUMBER),
    ]
    if column == 0:  # x32 calls: the same numbers with one bit more
        code += [(JUMP_LARGER, 0, 1, 0x3FFFFFFF), (RETURN, 0, 0, EPERM)]
    for answer, calls in ((EPERM, FORBIDDEN), (ENOSYS, MISSING)):
        for numbers in calls.values():
            if numbers[column] is not None:
                code += [(JUMP_EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, answer)]
    # A clone may make a thread, no process.
    code += [
        (JUMP_EQUAL, 0, 4, CLONE[column]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_SET, 0, 1, CLONE_THREAD),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, EPERM),
    ]
    # A process may signal itself; that is how it aborts.
    for numbers in SIGNAL_OTHERS.values():
        code += [
            (JUMP_EQUAL, 0, 4, numbers[column]),
            (LOAD, 0, 0, FIRST_ARGUMENT),
            (JUMP_EQUAL, 0, 1, process_id),
            (RETURN, 0, 0, ALLOW),
            (RETURN, 0, 0, EPERM),
        ]
    for numbers, argument, mask, values in REFUSED.values():
        if numbers[column] is not None:
            block = [(LOAD, 0, 0, argument), (AND, 0, 0, mask)]
            for value in values:
                block += [(JUMP_EQUAL, 0, 1, value), (RETURN, 0, 0, EPERM)]
            block.append((RETURN, 0, 0, ALLOW))
            code += [(JUMP_EQUAL, 0, len(block), numbers[column]), *block]
    # prlimit may ask, and set nothing.
    code += [
        (JUMP_EQUAL, 0, 4, PRLIMIT[column]),
        (LOAD, 0, 0, THIRD_ARGUMENT),
        (JUMP_EQUAL, 0, 1, 0),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    return code


def forbid():
    """Put the filter on this process, for good. OSError if the system refuses."""
    code = program(os.getpid())
    packed = b"".join(struct.pack("HBBI", *instruction) for instruction in code)
    buffer = ctypes.create_string_buffer(packed)
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, FILTER, head):
        raise OSError(ctypes.get_errno(), "seccomp")
