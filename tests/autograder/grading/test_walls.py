"""The walls themselves: what a learner's process can reach, which is nothing but itself."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.checks import find
from autograder.grading.keeper import EndedError, Keeper, UnprotectedError, level_of
from autograder.grading.sandbox import seccomp
from autograder.grading.sandbox.walls import (
    Limits,
    is_beneath,
    is_too_much,
    leave_out,
    readable_paths,
)

from .conftest import HOME, LIMITS, SECRET, descendants

BOTH = pytest.mark.parametrize("which", ["keeper", "plain_keeper"])


@pytest.fixture
def box(which, request):
    with request.getfixturevalue(which).open(LIMITS, given="attention") as box:
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
def test_no_right_is_left(box):
    rights = said(
        box,
        """
import ctypes, json
libc = ctypes.CDLL(None)
head, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
libc.capget(ctypes.byref(head), ctypes.byref(data))
bounding = [n for n in range(41) if libc.prctl(23, n, 0, 0, 0) > 0]
ambient = [n for n in range(41) if libc.prctl(47, 1, n, 0, 0) > 0]
no_new, filtered, dumpable = (libc.prctl(n, 0, 0, 0, 0) for n in (39, 21, 3))
print(json.dumps([list(data), bounding, ambient, no_new, filtered, dumpable]))
""",
    )
    assert rights == [[0] * 6, [], [], 1, 2, 0]


@BOTH
def test_forbidden_calls_are_refused(box):
    """Every one of them, with arguments that would do nothing."""
    column, _ = seccomp.MACHINES[os.uname().machine]
    numbers = {n: c[column] for n, c in seccomp.FORBIDDEN.items() if c[column] is not None}
    numbers |= {n: c[column] for n, c in seccomp.SIGNAL_OTHERS.items()}
    refused = said(
        box,
        f"""
import ctypes, json
libc = ctypes.CDLL(None, use_errno=True)
found = {{}}
for name, number in {numbers!r}.items():
    result = libc.syscall(number, 0, 0, 0, 0, 0, 0)
    found[name] = [result, ctypes.get_errno()]
print(json.dumps(found))
""",
    )
    assert refused == {name: [-1, errno.EPERM] for name in numbers}


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
        *("MPLCONFIGDIR", "IPYTHONDIR", "PYTHONDONTWRITEBYTECODE"),
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
    if not keeper.warm.greeting["own_root"]:
        pytest.skip("no namespaces on this machine")
    with keeper.open(LIMITS) as box:
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
    with plain_keeper.open(limits, given="attention") as box:
        searched, found = said(box, f"MARKS = {marks!r}\n{SEARCH}", 30)
    assert searched > 2**25
    assert found.pop("there") > 0
    assert found == dict.fromkeys(found, 0)


def test_modules_of_the_sandbox(keeper):
    with keeper.open(LIMITS, given="attention") as box:
        names = said(
            box,
            """
import json, sys
wanted = ("autograder", "course", "solutions", "nbgrader", "sqlalchemy", "nbformat")
print(json.dumps([name for name in sys.modules if name.startswith(wanted)]))
""",
        )
    ours = {name for name in names if name.startswith("autograder")}
    allowed = {"limits", "ready_made", "stand_ins", "trial", "undisturbed", "grading"}
    assert {name.split(".")[1] for name in ours if "." in name} <= allowed
    assert ours == set(names)


def wait_for_end(pid, seconds=5.0):
    """What still runs below a process when so much time has passed."""
    deadline = time.monotonic() + seconds
    while descendants(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return descendants(pid)


def test_closing_ends_everything(keeper):
    box = keeper.open(LIMITS)
    assert len(descendants(keeper.warm.process.pid)) == 2  # a warden and a child
    box.close()
    box.close()
    assert not wait_for_end(keeper.warm.process.pid)
    assert box.used["cpu"] >= 0


JUDGE = """
import sys
sys.path.insert(0, {home!r})
from autograder.grading.keeper import Keeper
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
