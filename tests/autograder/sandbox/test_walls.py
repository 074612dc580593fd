"""The walls themselves: what a learner's process can reach, which is nothing but itself."""

import contextlib
import ctypes
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.grading import records
from autograder.sandbox import calls, seccomp
from autograder.sandbox.box import EndedError, Keeper, UnprotectedError, level_of
from autograder.sandbox.walls import (
    MOST_SIGNALS,
    Limits,
    is_beneath,
    is_too_much,
    leave_out,
    readable_paths,
)
from course.checks import find

from ..conftest import HOME, LIMITS, SECRET, descendants
from .ordinary import ORDINARY
from .system_calls import DANGEROUS, FINE, OWN

BOTH = pytest.mark.parametrize("which", ["keeper", "plain_keeper"])


@pytest.fixture
def box(which, request):
    with request.getfixturevalue(which).open(LIMITS, given=True) as box:
        yield box


def said(box, source, seconds=20):
    """What a cell prints, which is JSON."""
    reply = box.request("cell", seconds, source=source, seconds=seconds)
    assert not reply["failed"], reply["outputs"]
    return json.loads("".join(o["text"] for o in reply["outputs"] if o.get("name") == "stdout"))


def test_the_levels_of_this_machine(keeper, plain_keeper):
    with plain_keeper.open(LIMITS) as box:
        assert level_of(box.layers) == 1
    with keeper.open(LIMITS) as box:
        assert level_of(box.layers) >= (2 if keeper.warm.greeting["own_root"] else 1)


def test_levels():
    assert level_of([]) == level_of(["namespaces", "limits", "seccomp"]) == 0
    assert level_of(["limits", "Landlock", "seccomp"]) == 1
    assert level_of(["limits", "Landlock", "seccomp", "namespaces"]) == 2
    assert level_of(["limits", "Landlock", "seccomp", "namespaces", "cgroup"]) == 3


def test_less_protection_than_demanded_is_refused(plain_keeper, monkeypatch):
    monkeypatch.setattr(plain_keeper, "least", 2)
    with pytest.raises(UnprotectedError, match=r"level 1 .* only, and level 2 is demanded"):
        plain_keeper.open(LIMITS)
    assert not wait_for_end(plain_keeper.warm.process.pid)


def test_the_best_that_this_machine_offers_is_demanded(keeper, plain_keeper):
    for each in (keeper, plain_keeper):
        with each.open(LIMITS) as box:
            assert level_of(box.layers) == each.offered == each.demanded >= 1
    assert plain_keeper.offered == 1


def test_a_later_warm_process_with_less_is_refused(keeper, plain_keeper):
    """No grade happens at a lower level because namespaces, say, could not be had just then."""
    if keeper.offered < 2:
        pytest.skip("no namespaces on this machine")
    kept = Keeper(warm=keeper.warm)
    kept.open(LIMITS).close()
    kept.warm = plain_keeper.warm
    with pytest.raises(UnprotectedError, match=rf"level {keeper.offered} is demanded"):
        kept.open(LIMITS)


def test_where_nothing_is_offered_something_is_demanded(plain_keeper, monkeypatch):
    monkeypatch.setitem(plain_keeper.warm.greeting, "layers", ["limits"])
    kept = Keeper(warm=plain_keeper.warm)
    assert (kept.offered, kept.demanded) == (0, 1)
    assert Keeper(0, warm=plain_keeper.warm).demanded == 0
    assert Keeper(3, warm=plain_keeper.warm).demanded == 3


def test_the_record_says_which_level_was_reached_and_which_demanded(plain_keeper, run):
    told = records.about(run(plain_keeper, {}))
    assert (told["level"], told["demanded"]) == (1, 1)
    assert told["protection"] == "level 1 (limits, Landlock, seccomp)"


def test_of_where_a_python_is_installed_only_libraries_are_readable(monkeypatch):
    """nbgrader keeps what everybody has handed in under /usr/local/share, unless told otherwise."""
    for place in ("/usr", "/usr/local", "/opt/python"):
        monkeypatch.setattr(sys, "prefix", place)
        monkeypatch.setattr(sys, "base_prefix", place)
        monkeypatch.setattr(sys, "base_exec_prefix", place)
        paths = readable_paths()
        exchange = "/usr/local/share/nbgrader/exchange"
        assert not [p for p in paths if is_beneath(exchange, p) or is_beneath(p, exchange)]
        assert not {"/", "/usr", "/usr/local", "/opt/python", "/opt"} & set(paths)
        assert "/usr/lib" in paths


@BOTH
def test_the_exchange_of_the_class_is_out_of_reach(box):
    found = said(
        box,
        """
import json, os
found = []
for place in ("/usr/local/share", "/usr/share", "/usr/local", "/srv", "/opt", "/home", "/var"):
    try:
        found += [f"{place}/{name}" for name in os.listdir(place)]
    except OSError:
        pass
print(json.dumps(found))
""",
    )
    # The way to what may be read can be seen, as empty folders.
    assert set(found) <= {"/usr/share/fonts", "/usr/share/zoneinfo", "/usr/local/lib"}


@BOTH
def test_no_right_is_left(box, which, request):
    """As the child itself is told, and as it is seen from outside."""
    told = said(
        box,
        """
import ctypes, json
libc = ctypes.CDLL(None)
bounding = [n for n in range(41) if libc.prctl(23, n, 0, 0, 0) > 0]
no_new, filtered, dumpable = (libc.prctl(n, 0, 0, 0, 0) for n in (39, 21, 3))
print(json.dumps([bounding, no_new, filtered, dumpable]))
""",
    )
    assert told == [[], 1, 2, 0]
    _, child = descendants(request.getfixturevalue(which).warm.process.pid)
    lines = Path(f"/proc/{child}/status").read_text().splitlines()
    rights = dict(line.split(":") for line in lines if line.startswith("Cap"))
    assert set(rights) == {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}
    assert {int(each, 16) for each in rights.values()} == {0}


TRY = """
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
found = {}
for number, arguments in CALLS.items():
    ctypes.set_errno(0)
    known = [os.getpid() if each == OWN else each for each in arguments]
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, known))
    found[number] = ctypes.get_errno() if result == -1 else 0
print(json.dumps(found))
"""
COLUMN = list(seccomp.MACHINES).index(seccomp.machine()) if seccomp.is_possible() else 0
NEVER_COME_BACK = ("exit", "exit_group", "pause", "rt_sigreturn")
# uretprobe and uprobe, for whoever looks into programs: newer kernels don't ask any filter about
# them, and end a process that calls them by itself.
KERNELS_OWN = (335, 336) if seccomp.machine() == "x86_64" else ()
REFUSALS = (errno.EPERM, errno.ENOSYS)


def numbered(names):
    return {calls.ALLOWED[name][COLUMN] for name in names} - {None}


def every_call():
    """{number: arguments}: fine ones where a call is allowed with some, else none that make sense,
    so that a call which gets through by mistake does nothing either."""
    odd = 1000, 2**16, 2**30 - 1, *range(2**30, 2**30 + 600), 2**31 + 59, 2**32 - 1
    tried = dict.fromkeys([*range(600), *odd], (-1,) * 6)
    known = calls.ALLOWED | {name: each[0] for name, each in calls.SOMETIMES.items()}
    tried |= {known[name][COLUMN]: arguments for name, arguments in FINE.items()}
    left_out = {*numbered(NEVER_COME_BACK), *KERNELS_OWN, None}
    return {n: a for n, a in tried.items() if n not in left_out}


@BOTH
def test_every_system_call_is_tried_once(box):
    """Those on the list get through, and do what they do outside; all others are refused."""
    tried = every_call()
    listed = {each[COLUMN] for each in calls.ALLOWED.values()} & set(tried)
    listed |= {each[COLUMN] for each, *_ in calls.SOMETIMES.values()} - {None}
    code = f"OWN = {OWN}\nCALLS = {{}}\n{TRY}"
    inside = said(box, code.replace("{}", repr(tried), 1))
    harmless = {number: tried[number] for number in listed}
    command = [sys.executable, "-c", code.replace("{}", repr(harmless), 1)]
    outside = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert len(outside) > 150
    let_through = {n for n, error in inside.items() if error not in REFUSALS}
    assert let_through == {n for n, error in outside.items() if error not in REFUSALS}
    missing = {n for n, error in inside.items() if error == errno.ENOSYS} - set(outside)
    assert missing >= {str(n) for n in tried if n > calls.LAST}
    assert {n for n, error in inside.items() if error == errno.EPERM} >= {
        str(each[COLUMN]) for each in DANGEROUS.values() if each[COLUMN] is not None
    }


@BOTH
def test_what_ordinary_notebooks_do_is_allowed(which, request):
    failed = {}
    limits = Limits(cell=60.0, total=300.0, disk=2**26)
    with request.getfixturevalue(which).open(limits) as box:
        for name, source in ORDINARY.items():
            reply = box.request("cell", 60, source=source, seconds=60)
            errors = [o for o in reply["outputs"] if o["output_type"] == "error"]
            if reply["failed"] or errors:
                failed[name] = errors
    assert failed == {}


IPC_CREAT, IPC_RMID = 0o1000, 0


@pytest.fixture
def others_memory():
    """What another process shares by System V's ways: (kind, id) of memory, semaphore, queue."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = {
        "memory": (libc.shmget(0, 4096, IPC_CREAT | 0o600), libc.shmctl),
        "semaphore": (libc.semget(0, 1, IPC_CREAT | 0o600), lambda n, *a: libc.semctl(n, 0, *a)),
        "queue": (libc.msgget(0, IPC_CREAT | 0o600), libc.msgctl),
    }
    if min(number for number, _ in made.values()) < 0:
        pytest.skip("no System V IPC on this machine")
    yield {kind: number for kind, (number, _) in made.items()}
    for number, control in made.values():
        assert control(number, IPC_RMID, None) == 0  # it was still there


@BOTH
def test_what_others_share_is_out_of_reach_also_by_its_number(box, others_memory):
    tried = said(
        box,
        f"""
import ctypes, json
ids = {others_memory!r}
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_long
buffer = ctypes.create_string_buffer(512)
found = {{}}
def attempt(name, result):
    found[name] = [result, ctypes.get_errno()]
attempt("attach", libc.shmat(ids["memory"], None, 0))
attempt("look", libc.shmctl(ids["memory"], 2, buffer))
attempt("list", libc.shmctl(0, 13, buffer))
attempt("remove", libc.shmctl(ids["memory"], 0, None))
attempt("set", libc.semctl(ids["semaphore"], 0, 16, 1))
attempt("remove a semaphore", libc.semctl(ids["semaphore"], 0, 0, 0))
attempt("take", libc.msgrcv(ids["queue"], buffer, 100, 0, 0o4000))
attempt("remove a queue", libc.msgctl(ids["queue"], 0, None))
print(json.dumps(found))
""",
    )
    assert tried == {name: [-1, errno.EPERM] for name in tried}


@BOTH
def test_what_all_processes_draw_on_cannot_be_used_up(box):
    """Asynchronous requests, locked and huge pages, signals that wait; and no limit can be set."""
    tried = said(
        box,
        """
import ctypes, json, mmap, os, resource, signal
found = {}
def attempt(name, call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        found[name] = error.errno
libc = ctypes.CDLL(None, use_errno=True)
def number(name, *arguments):
    if libc.syscall(name, *arguments) == -1:
        raise OSError(ctypes.get_errno(), "")
context = ctypes.c_ulong(0)
x86 = os.uname().machine == "x86_64"
attempt("io_setup", number, 206 if x86 else 0, 16_000, ctypes.byref(context))
attempt("huge", mmap.mmap, -1, 2**21, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
attempt("locked", mmap.mmap, -1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x2000)
attempt("a pipe of a megabyte", __import__("fcntl").fcntl, os.pipe()[1], 1031, 2**20)
attempt("a limit", number, 160 if x86 else 164, int(resource.RLIMIT_CORE), bytes(16))
# A pointer to limits, with a lower half that is zero: a filter may take it for none.
libc.mmap.restype = ctypes.c_void_p
place = libc.mmap(ctypes.c_void_p(2**32), ctypes.c_size_t(4096), 3, 0x100022, -1, ctypes.c_long(0))
found["place"] = place
ctypes.memmove(place, bytes(16), 16)
limit = 302 if x86 else 261
attempt("others' limit", number, limit, os.getppid() or 1, 0, ctypes.c_void_p(place), None)
attempt("hidden limit", number, limit, 0, int(resource.RLIMIT_CORE), ctypes.c_void_p(place), None)
signal.pthread_sigmask(signal.SIG_BLOCK, [40])
for _ in range(2000):
    os.kill(os.getpid(), 40)
waiting = 0
libc.sigtimedwait.argtypes = [ctypes.c_void_p] * 3
mask, none = ctypes.c_ulong(1 << 39), (ctypes.c_long * 2)(0, 0)
while libc.sigtimedwait(ctypes.byref(mask), None, none) == 40:
    waiting += 1
found["waiting"] = waiting
print(json.dumps(found))
""",
    )
    assert tried.pop("place") == 2**32
    assert tried.pop("waiting") <= MOST_SIGNALS
    assert len(tried) == 7
    assert tried == dict.fromkeys(tried, errno.EPERM)


@BOTH
def test_calls_with_forbidden_arguments_are_refused(box):
    tried = said(
        box,
        """
import ctypes, fcntl, json, os, socket
found = {}
def attempt(name, call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        found[name] = error.errno
    else:
        found[name] = 0
open("mine", "w").close()
libc = ctypes.CDLL(None, use_errno=True)
def clone(flags):
    number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
    if libc.syscall(number, flags, 0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "clone")
attempt("process", clone, 17)
attempt("namespace", clone, 0x10000000 | 17)
attempt("truncate", os.open, "mine", os.O_RDONLY | os.O_TRUNC)
attempt("truncate with neither", os.open, "mine", 3 | os.O_TRUNC)
attempt("truncate to write", os.open, "mine", os.O_WRONLY | os.O_TRUNC)
attempt("owner", fcntl.fcntl, 0, fcntl.F_SETOWN, 1)
attempt("signal", fcntl.fcntl, 0, 10, 9)
attempt("flags", fcntl.fcntl, 0, fcntl.F_GETFL)
attempt("datagrams", socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM)
attempt("packets", socket.socketpair, socket.AF_UNIX, socket.SOCK_SEQPACKET)
attempt("stream", socket.socketpair)
print(json.dumps(found))
""",
    )
    fine = ("truncate to write", "flags", "stream")
    assert tried == {name: 0 if name in fine else errno.EPERM for name in tried}


@BOTH
def test_nothing_is_inherited(box):
    """Three standard descriptors that lead nowhere, the line to the judge, /dev/null, the spill."""
    there = said(
        box,
        """
import json, os, stat
found = []
for number in range(4096):
    try:
        about = os.fstat(number)
    except OSError:
        continue
    found.append([number, stat.S_IFMT(about.st_mode), about.st_nlink])
print(json.dumps(found))
""",
    )
    sockets = [number for number, kind, _ in there if kind == 0o140000]
    assert len(sockets) == 1
    others = [each for each in there if each[0] not in sockets]
    null, written = 0o020000, 0o100000
    assert [kind for _, kind, _ in others[:3]] == [null, written, written]
    assert all(links == 0 for _, kind, links in others if kind == written)  # deleted: no folder's
    assert len(others) <= 5


@BOTH
def test_no_environment_is_inherited(box):
    found = said(box, "import json, os\nprint(json.dumps(dict(os.environ)))")
    assert SECRET not in found.values()
    assert set(found) <= {
        *("PATH", "LANG", "HOME", "TMPDIR", "OMP_NUM_THREADS", "MPLBACKEND"),
        *("MPLCONFIGDIR", "IPYTHONDIR", "PYTHONDONTWRITEBYTECODE", "TORCHDYNAMO_DISABLE"),
    }, found


@BOTH
def test_no_file_outside(box, course):
    """Nothing of the course's, of the instructor's or of other learners' can be opened."""
    ours = [path for name in ("autograder", "solutions") for path in (HOME / name).rglob("*.py")]
    others = [course / "gradebook.db", *course.rglob("*.ipynb"), Path("/etc/passwd")]
    others += [Path("/proc/self/mem"), Path("/proc/1/environ"), Path("/sys/kernel"), HOME / ".git"]
    others += [HOME, course, Path("/"), Path("/tmp"), Path("/root"), Path("/home"), Path("/dev")]
    opened = said(
        box,
        f"""
import json, os
found = []
for path in {list(map(str, ours + others))!r}:
    try:
        os.close(os.open(path, os.O_RDONLY))
        found.append(path)
    except OSError:
        pass
print(json.dumps(found))
""",
    )
    assert opened == []


@BOTH
def test_writing_is_possible_in_one_folder_only(box):
    wrote = said(
        box,
        """
import json, os, sys, sysconfig
places = ["/", "/tmp", "/var/tmp", "/dev/shm", "/run", "/usr", "/usr/lib", "/etc", "/home"]
places += [sys.prefix, sys.base_prefix, *sys.path, *sysconfig.get_paths().values()]
places += [os.environ["MPLCONFIGDIR"], os.environ["HOME"], ".."]
here, found = os.getcwd(), []
for place in set(map(os.path.abspath, places)):
    try:
        open(place + "/left", "w").close()
        found.append(place)
    except OSError:
        pass
print(json.dumps([here, found]))
""",
    )
    assert wrote[1] == [wrote[0]]


@BOTH
def test_memory_has_a_limit(box):
    most = LIMITS.memory
    got = said(
        box,
        f"""
import json, torch
found = []
for size in ({most // 2}, {most + 2**20}):
    try:
        kept = torch.empty(size, dtype=torch.uint8)
        found.append(True)
    except RuntimeError:
        found.append(False)
    kept = None
print(json.dumps(found))
""",
    )
    assert got == [True, False]


@BOTH
def test_disk_has_a_limit(which, request):
    """Without a file system of its own a learner is stopped soon after; never does it go on."""
    with request.getfixturevalue(which).open(LIMITS) as box:
        written = error = None
        try:
            written = said(
                box,
                """
import json
written = 0
try:
    for n in range(100):
        with open(f"file{n}", "wb", buffering=0) as file:
            for _ in range(2):
                written += file.write(bytes(2**20))
    import time
    time.sleep(10)
except OSError:
    print(json.dumps(written))
""",
            )
        except EndedError as end:
            error = str(end)
    if which == "plain_keeper":
        assert error == f"was stopped: it wrote more than {LIMITS.disk // 2**20} MB."
    else:
        assert LIMITS.disk / 2 < written <= LIMITS.disk


def test_the_work_folder_is_removed(plain_keeper):
    with plain_keeper.open(LIMITS) as box:
        place = Path(box.work.name)
        said(box, "import os\nos.mkdir('a', 0)\nos.symlink('/usr', 'b')\nprint(1)")
        assert place.exists()
    assert not place.exists()
    assert Path("/usr/bin").exists()


def test_is_too_much(tmp_path):
    assert not is_too_much(tmp_path, 10)
    (tmp_path / "link").symlink_to("/usr")
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(bytes(2**20))
    assert is_too_much(tmp_path, 2**20)
    assert not is_too_much(tmp_path, 2**21)
    assert not is_too_much(tmp_path / "nowhere", 0)


def test_leave_out(tmp_path):
    for name in ("a/b", "a/c", "d"):
        (tmp_path / name).mkdir(parents=True)
    here = str(tmp_path)
    assert leave_out(here, [f"{here}/a/b"]) == [f"{here}/a/c", f"{here}/d"]
    assert leave_out(here, [here]) == []
    assert leave_out(here, [f"{here}x"]) == [here]


def test_only_itself_is_to_be_seen(keeper):
    with keeper.open(LIMITS) as box:
        if not keeper.warm.greeting["own_root"]:  # it greets when the first box is opened
            pytest.skip("no namespaces on this machine")
        found = said(
            box,
            """
import json, os, socket
def there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return None
    return True
print(json.dumps([os.getpid(), os.getppid(), os.path.exists("/proc/self"), there(os.getpid())]))
""",
        )
    assert found == [1, 0, False, True]


SEARCH = """
import ctypes, gc, json, os
gc.unfreeze()
libc = ctypes.CDLL(None)
page, step = 4096, 2**20
read, write = os.pipe()
places = {id(o) // step * step for o in gc.get_objects()}
top = ctypes.CDLL(None)
top.sbrk.restype = ctypes.c_void_p
end = top.sbrk(0)
places |= set(range((end - 2**28) // step * step, end, step))
searched = 0
found = {name: 0 for name in MARKS}
for place in sorted(places):
    for start in range(place, place + step, page):
        # What is not there makes this fail, and no more.
        if libc.write(write, ctypes.c_void_p(start), ctypes.c_size_t(page)) != page:
            continue
        text = os.read(read, page)
        searched += page
        for name, (one, two) in MARKS.items():
            at = text.find(one)
            found[name] += at >= 0 and text.startswith(two, at + len(one))
print(json.dumps([searched, found]))
"""


def test_memory_holds_nothing_of_the_answers(plain_keeper):
    """A child reads its own memory, all that Python made and the heap, page by page.

    The marks are cut in two, so that what searches does not find itself; one is to be found.
    """
    exercise = find("scaled_dot_product_attention")
    whole = {
        "reference": exercise.source[exercise.source.index("# Hide before") :],
        "check": exercise.mistakes[0].says,
        "what to look at": exercise.mistakes[0].look,
        "hint": exercise.hints[2][exercise.hints[2].index("softmax over") :],
        "environment": SECRET,
        "there": "Answer until the judge hangs up",
    }
    marks = {name: (text[:12].encode(), text[12:26].encode()) for name, text in whole.items()}
    limits = Limits(cell=30.0, total=60.0)
    with plain_keeper.open(limits, given=True) as box:
        searched, found = said(box, f"MARKS = {marks!r}\n{SEARCH}", 30)
    assert searched > 2**25
    assert found.pop("there") > 0
    assert found == dict.fromkeys(found, 0)


def test_modules_of_the_sandbox(keeper):
    with keeper.open(LIMITS, given=True) as box:
        names = said(
            box,
            """
import json, sys
wanted = ("autograder", "course", "solutions", "nbgrader", "sqlalchemy", "nbformat")
print(json.dumps([name for name in sys.modules if name.startswith(wanted)]))
""",
        )
    ours = {name for name in names if name.startswith("autograder")}
    engine = {"advice", "broken_course", "course", "isolation", "learner_lines", "limits", "pieces"}
    engine |= {"dtypes", "ready_made", "trial"}
    assert {name.split(".")[1] for name in ours if "." in name} <= {"engine", "sandbox"}
    assert {name.split(".")[2] for name in ours if name.startswith("autograder.engine.")} <= engine
    given = "course.stand_bys", "course.stand_ins"
    assert all(name.startswith(given) for name in set(names) - ours)


def test_which_course_it_is_is_settled_there(keeper):
    """A notebook's first cell may say it for its learners' machines."""
    with keeper.open(LIMITS) as box:
        found = said(
            box,
            """
import autograder, json
print(json.dumps(autograder.use("path/to/a_course").id))
""",
        )
    assert found == "transformer_by_hand"


def wait_for_end(pid, seconds=5.0):
    """What still runs below a process when so much time has passed."""
    deadline = time.monotonic() + seconds
    while descendants(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return descendants(pid)


def is_at_rest(keeper):
    """Has everything ended that the tests before have begun?"""
    return keeper.warm.process is None or not wait_for_end(keeper.warm.process.pid)


def test_closing_ends_everything(keeper):
    assert is_at_rest(keeper)
    box = keeper.open(LIMITS)
    assert len(descendants(keeper.warm.process.pid)) == 2  # a warden and a child
    box.close()
    box.close()
    assert not wait_for_end(keeper.warm.process.pid)
    assert box.used["cpu"] >= 0


TAMPER = """
import ctypes, json, signal
libc = ctypes.CDLL(None, use_errno=True)
told = ctypes.c_int(-1)
found = [libc.prctl(1, 0, 0, 0, 0), ctypes.get_errno()]
found += [libc.prctl(2, ctypes.byref(told)), told.value]
for number in set(range(1, 65)) - {9, 19, 32, 33}:
    signal.signal(number, signal.SIG_IGN)
print(json.dumps(found))
"""
STAY = {
    "a loop": "while True: pass",
    "a thread that stays when the first one has ended": f"""
import ctypes, threading
def stay():
    while True: pass
threading.Thread(target=stay).start()
ctypes.CDLL(None).syscall({calls.ALLOWED["exit"][COLUMN]}, 0)
""",
}


@BOTH
@pytest.mark.parametrize("way", STAY)
def test_a_child_does_not_outlive_its_warden(way, which, request):
    """Whoever runs out of memory may be ended by the system, also the warden."""
    keeper = request.getfixturevalue(which)
    assert is_at_rest(keeper)
    with keeper.open(LIMITS) as box:
        refused = [-1, errno.EPERM, 0, signal.SIGKILL]
        assert said(box, TAMPER) == refused
        warden, child = descendants(keeper.warm.process.pid)
        source = STAY[way]
        box.line.send((next(box.numbers), "cell", {"source": source, "seconds": 60.0}))
        wait_until(lambda: "R" in states(child) and ("Z" in states(child) or way == "a loop"))
        os.kill(warden, signal.SIGKILL)
        assert wait_until(lambda: states(child) <= {"Z"})


ORPHAN = """
import os, sys, time
sys.path.insert(0, {home!r})
from autograder.sandbox import walls
parent = os.getpid()
alive, held = os.pipe()
if os.fork() == 0:
    os.close(held)
    while os.getppid() == parent:
        time.sleep(0.01)
    walls.end_with(alive)
    print("it goes on")
os._exit(0)
"""


def test_a_child_whose_warden_is_gone_already_does_not_begin():
    command = [sys.executable, "-c", ORPHAN.format(home=str(HOME))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("", "")


def wait_until(happens, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not happens() and time.monotonic() < deadline:
        time.sleep(0.02)
    return happens()


def states(pid):
    """The states of a process's threads, as letters; none if it is gone."""
    found = set()
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            found.add(path.read_text().rpartition(")")[2].split()[0])
    return found


JUDGE = """
import sys
sys.path.insert(0, {home!r})
from autograder.sandbox.box import Keeper
keeper = Keeper(namespaces={namespaces})
box = keeper.open()
print(keeper.warm.process.pid, flush=True)
box.request("cell", 60, source="while True: pass", seconds=60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("namespaces", [True, False])
def test_nothing_outlives_a_judge_that_is_killed(namespaces, tmp_path):
    code = JUDGE.format(home=str(HOME), namespaces=namespaces)
    places = os.environ | {"TMPDIR": str(tmp_path)}  # what it leaves there goes with the test
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=places) as judge:
        zygote = int(judge.stdout.readline())
        time.sleep(0.5)
        below = descendants(judge.pid)
        assert zygote in below
        assert len(below) == 3
        judge.kill()
    deadline = time.monotonic() + 5
    while any(map(lives, below)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [pid for pid in below if lives(pid)]


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_another_zygote_takes_over():
    keeper = Keeper()
    try:
        with keeper.open(LIMITS) as box:
            os.kill(keeper.warm.process.pid, signal.SIGKILL)
            keeper.warm.process.wait()
            assert box.request("has", 5, name="x") is None  # who is there stays there
        with keeper.open(LIMITS) as box:
            assert box.request("has", 5, name="x") is None
    finally:
        keeper.close()
    assert keeper.warm.process is None
    assert not os.path.exists(keeper.warm.scratch.path)
