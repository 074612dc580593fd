"""Which system calls a learner's process may make: a list of what is allowed, with reasons.

Whatever isn't listed is refused, including everything that future kernels will bring. The list
holds what Python, torch, NumPy, IPython, matplotlib, pandas, SciPy and scikit-learn were seen to
call in the sandbox (strace, x86-64, Python 3.11, glibc 2.36) and the close relatives that other
versions of these call instead. All of it touches only the process itself, files that Landlock has
let it open, and the clock.

Each line holds a name, its number on x86_64 and its number on aarch64 (- where there is none). The
numbers of aarch64 are those of the kernel's own table; nothing was run there.
"""

from dataclasses import dataclass

LAST = 469  # the newest call that we have looked at: file_setattr, Linux 6.17
NEVER_USED = {"x86_64": [(337, 423)], "aarch64": [(244, 259), (295, 423)]}
OWN = "the process's own number"


def numbers(text):
    """{name: (number on x86_64, number on aarch64)}; None where there is none."""
    calls = {}
    for part in text.replace("\n", ";").split(";"):
        if part.strip():
            name, *columns = part.split()
            calls[name] = tuple(None if each == "-" else int(each) for each in columns)
    return calls


# Reading, writing and copying what is open already: its own files, Python's, the line to the judge.
# Without vmsplice, splice and tee (which nothing calls, and which had holes), sync (it makes the
# whole machine wait), and whatever changes an owner, a mode or a time: Landlock doesn't see that.
OPEN_FILES = """
read 0 63; write 1 64; readv 19 65; writev 20 66; pread64 17 67; pwrite64 18 68; preadv 295 69
pwritev 296 70; preadv2 327 286; pwritev2 328 287; lseek 8 62; close 3 57; close_range 436 436
dup 32 23; dup2 33 -; dup3 292 24; sendfile 40 71; copy_file_range 326 285; fsync 74 82
fdatasync 75 83; ftruncate 77 46; fallocate 285 47; fadvise64 221 223; flock 73 32
pipe 22 -; pipe2 293 59
"""

# Waiting for one of several things, as asyncio and IPython's event loop do. What these set up
# counts as an open file, and so has a limit. Without inotify and fanotify: they watch others'
# files.
WAITING = """
poll 7 -; ppoll 271 73; select 23 -; pselect6 270 72; epoll_create 213 -; epoll_create1 291 20
epoll_ctl 233 21; epoll_wait 232 -; epoll_pwait 281 22; epoll_pwait2 441 441; eventfd 284 -
eventfd2 290 19; timerfd_create 283 85; timerfd_settime 286 86; timerfd_gettime 287 87
"""

# Paths: what may be opened, made, removed or renamed is Landlock's business. It does not hide
# whether a file exists; where there are namespaces, it isn't there. Without mknod (no notebook
# needs it) and extended attributes (Landlock doesn't see them).
PATHS = """
stat 4 -; fstat 5 80; lstat 6 -; newfstatat 262 79; statx 332 291; statfs 137 43; fstatfs 138 44
access 21 -; faccessat 269 48; faccessat2 439 439; readlink 89 -; readlinkat 267 78; getdents 78 -
getdents64 217 61; getcwd 79 17; chdir 80 49; fchdir 81 50; umask 95 166; creat 85 -; mkdir 83 -
mkdirat 258 34; rmdir 84 -; unlink 87 -; unlinkat 263 35; rename 82 -; renameat 264 38
renameat2 316 276; link 86 -; linkat 265 37; symlink 88 -; symlinkat 266 36
"""

# Its own memory, up to RLIMIT_AS. OpenBLAS asks for memory near its processor with mbind; mseal
# and membarrier belong to newer glibcs and allocators. Without mlock (it takes memory from all),
# memfd_create, pkey_*, move_pages, userfaultfd and process_madvise.
MEMORY = """
munmap 11 215; mprotect 10 226; mremap 25 216; brk 12 214; msync 26 227; mincore 27 232
membarrier 324 283; mbind 237 235; get_mempolicy 239 236; set_mempolicy 238 237; mseal 462 462
"""

# Its own threads (clone is below), and their ends. futex_wait and its kin are what newer glibcs may
# call instead of futex. Asking how a thread is scheduled is allowed, changing it isn't. Children
# there are none: wait4 says so, which is what Python's own libraries expect to hear.
THREADS = """
futex 202 98; futex_waitv 449 449; futex_wake 454 454; futex_wait 455 455; futex_requeue 456 456
set_robust_list 273 99; rseq 334 293; set_tid_address 218 96; sched_yield 24 124; getcpu 309 168
sched_getaffinity 204 123; sched_getscheduler 145 120; sched_getparam 143 121
sched_getattr 315 275; sched_get_priority_max 146 125; sched_get_priority_min 147 126
sched_rr_get_interval 148 127; exit 60 93; exit_group 231 94; wait4 61 260; waitid 247 95
"""

# Clocks, alarms, and signals to itself (kill is below). Without timer_create and rt_sigqueueinfo:
# they draw on a store that all processes of a user share. Without setting any clock.
TIME_AND_SIGNALS = """
clock_gettime 228 113; clock_getres 229 114; clock_nanosleep 230 115; nanosleep 35 101
gettimeofday 96 169; time 201 -; times 100 153; getitimer 36 102; setitimer 38 103; alarm 37 -
pause 34 -; rt_sigaction 13 134; rt_sigprocmask 14 135; rt_sigreturn 15 139; rt_sigpending 127 136
rt_sigsuspend 130 133; rt_sigtimedwait 128 137; sigaltstack 131 132; restart_syscall 219 128
"""

# Who it is, what it has used, what machine this is; and chance. Nothing of it changes anything.
ABOUT_ITSELF = """
getpid 39 172; getppid 110 173; gettid 186 178; getuid 102 174; geteuid 107 175; getgid 104 176
getegid 108 177; getresuid 118 148; getresgid 120 150; getgroups 115 158; getpgrp 111 -
getpriority 140 141; getrlimit 97 163; getrusage 98 165; uname 63 160; sysinfo 99 179
getrandom 318 278
"""

# What the line to the judge and asyncio's pairs of sockets need. Without connect, bind, listen,
# sendmsg (it can hand over open files) and setsockopt (it can bring programs into the kernel).
SOCKETS = """
recvfrom 45 207; shutdown 48 210; getsockname 51 204; getpeername 52 205; getsockopt 55 209
"""

ALLOWED = numbers(
    OPEN_FILES + WAITING + PATHS + MEMORY + THREADS + TIME_AND_SIGNALS + ABOUT_ITSELF + SOCKETS
)

# glibc then uses older calls, whose arguments a filter can see.
MISSING = numbers("clone3 435 435; openat2 437 437")


@dataclass(frozen=True)
class If:
    """What must be so of an argument: its masked bits are one of these values, or none of them.

    Args:
        argument: which one, counted from 0.
        values: numbers, or OWN.
        mask: the bits of a half that matter.
        half: 0 for the lower 32 bits, 1 for the upper ones.
        none: is it refused if it is one of the values?
    """

    argument: int
    values: tuple
    mask: int = 0xFFFFFFFF
    half: int = 0
    none: bool = False


def null(argument):
    """It is a pointer to nothing. One whose lower half alone is zero points to something."""
    return If(argument, (0,)), If(argument, (0,), half=1)


TRUNCATE = 0x200
THREAD = 0x00010000
# VM FS FILES SIGHAND THREAD SYSVSEM SETTLS PARENT_SETTID CHILD_CLEARTID DETACHED CHILD_SETTID
OF_A_THREAD = 0x017D0F00

SOMETIMES = {
    # Landlock before its third version doesn't see that a file is cut short without being written.
    "open": ((2, None), If(1, (TRUNCATE, TRUNCATE | 3), mask=TRUNCATE | 3, none=True)),
    "openat": ((257, 56), If(2, (TRUNCATE, TRUNCATE | 3), mask=TRUNCATE | 3, none=True)),
    # Copies of descriptors, flags and locks. Not F_SETOWN and F_SETSIG (signals to others),
    # F_NOTIFY, F_SETLEASE, nor F_SETPIPE_SZ (pipes of all processes share a limit).
    "fcntl": ((72, 25), If(1, (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1027, 1028, 1030, 1032, 1034))),
    # TCGETS in two versions and TIOCGWINSZ (is this a terminal?), FIONREAD, FIONBIO, FIO(N)CLEX.
    "ioctl": ((16, 29), If(1, (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451))),
    # One end of a pair of any other kind can send to every socket of the machine.
    "socketpair": ((53, 199), If(0, (1,)), If(1, (1,), mask=0xF)),
    "sendto": ((44, 206), *null(4)),  # along a pair, and to no address
    # A thread with all that glibc and musl share among threads; no process, no namespace.
    "clone": ((56, 220), If(0, (THREAD,), mask=0xFFFFFFFF & ~(OF_A_THREAD & ~THREAD))),
    # A process may signal itself; that is how it aborts.
    "kill": ((62, 129), If(0, (OWN,))),
    "tgkill": ((234, 131), If(0, (OWN,))),
    # Asking PDEATHSIG, DUMPABLE, the name, SECCOMP, CAPBSET, NO_NEW_PRIVS, the length of SVE's
    # vectors, tagged addresses and THP; setting the name, and glibc's names for pieces of memory.
    # Above all not PR_SET_PDEATHSIG: a child must not outlive its warden.
    "prctl": ((157, 167), If(0, (2, 3, 15, 16, 21, 23, 39, 42, 51, 56, 0x53564D41))),
    # The thread's own registers; and AMX, which oneDNN asks for before it multiplies matrices.
    "arch_prctl": ((158, None), If(0, (0x1001, 0x1002, 0x1003, 0x1004, 0x1021, 0x1022, 0x1023))),
    # Its own limits can be read, not set, and nobody else's.
    "prlimit64": ((302, 261), If(0, (0, OWN)), *null(2)),
    # Not MAP_LOCKED nor MAP_HUGETLB: they take memory from all.
    "mmap": ((9, 222), If(3, (0,), mask=0x2000 | 0x40000)),
    # Not MADV_MERGEABLE (tells by the clock what others' memory holds), nor MADV_HWPOISON and
    # MADV_SOFT_OFFLINE.
    "madvise": ((28, 233), If(2, (12, 100, 101), none=True)),
    # Of itself; of others it would tell who is there.
    "getpgid": ((121, 155), If(0, (0, OWN))),
    "getsid": ((124, 156), If(0, (0, OWN))),
}
