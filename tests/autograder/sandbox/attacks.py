"""Submissions by somebody who would rather not solve the exercises.

Each is data: cells that come before the answers, the answers themselves, which are wrong, and what
the author hopes to gain. `proof` is something that the notebook shows afterwards, so that an attack
that does not even run is not taken for one that failed.
"""

from dataclasses import dataclass, field

WRONG = {
    "softmax": "def softmax(x, dim=-1):\n    return x.sum()",
    "scaled_dot_product_attention": (
        "def scaled_dot_product_attention(query, key, value, mask=None):\n"
        "    return query.sum(), key.sum()"
    ),
    "causal_mask": "def causal_mask(length, device=None):\n    return torch.ones(length + 1)",
}
RIGHT = {
    "softmax": """\
def softmax(x, dim=-1):
    shifted = torch.exp(x - x.amax(dim, keepdim=True).detach())
    return shifted / shifted.sum(dim, keepdim=True)
""",
    "scaled_dot_product_attention": """\
def scaled_dot_product_attention(query, key, value, mask=None):
    check_attention(query, key, value, mask)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = softmax(scores, dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
    return weights @ value, weights
""",
    "causal_mask": """\
def causal_mask(length, device=None):
    position = torch.arange(length, device=device)
    return position[None, :] <= position[:, None]
""",
}


@dataclass(frozen=True)
class Attack:
    """A hostile submission.

    Args:
        name: a short name.
        gain: what its author hopes for.
        cells: code before the answers; COURSE, HOME, PARENT and PORT are filled in.
        answers: {exercise: source}; the others are wrong.
        proof: what its cells or its checks show; "" where the process does not live to show it.
        worth: the share of points that the answers earn without the rest.
        ends: does it end its process, or has to be ended?
        walls: is it also tried without namespaces?
    """

    name: str
    gain: str
    cells: tuple[str, ...]
    answers: dict = field(default_factory=dict)
    proof: str = ""
    worth: float = 0.0
    ends: bool = False
    walls: bool = False

    @property
    def waits(self):
        """Does it go on until it is stopped?"""
        return "stopped after" in self.proof


def attack(name, gain, *cells, **more):
    return Attack(name, gain, cells, **more)


def tries(*statements):
    """A cell that tries one statement after the other, and says what came of it."""
    lines = ["import os, sys, ctypes, signal, socket, threading, time"]
    for statement in statements:
        body = statement.replace("\n", "\n    ")
        lines += [f"try:\n    {body}", "except BaseException as e:", "    print(type(e).__name__)"]
        lines += ["else:", "    print('it worked')"]
    return "\n".join(lines)


FILES = (
    attack(
        "reads the gradebook",
        "hidden tests, and a better grade",
        tries(
            "print(open('COURSE/gradebook.db', 'rb').read())",
            "import sqlite3\nsqlite3.connect('COURSE/gradebook.db').execute('select 1')",
        ),
        proof="PermissionError|FileNotFoundError",
        walls=True,
    ),
    attack(
        "reads a neighbour's submission",
        "somebody else's answers",
        tries(
            "print(open('COURSE/submitted/ada/01_attention/01_attention.ipynb').read())",
            "print(os.listdir('COURSE/submitted'))",
            "print(os.listdir('COURSE'))",
            "import glob\nfound = glob.glob('/**/*.ipynb', recursive=True)\n"
            "raise FileNotFoundError(len(found))",
        ),
        proof="PermissionError|FileNotFoundError",
        walls=True,
    ),
    attack(
        "reads the course's own sources",
        "the reference, ready to be handed in",
        tries(
            "print(open('HOME/solutions/attention.py').read())",
            "print(open('HOME/course/checks/attention/softmax.py').read())",
            "print(open('HOME/.git/HEAD').read())",
            "print(os.listdir('HOME'))",
        ),
        proof="PermissionError|FileNotFoundError",
        walls=True,
    ),
    attack(
        "reads the instructor's secrets",
        "passwords and keys",
        tries(
            "print(open('/etc/passwd').read())",
            "print(os.listdir('/root'))",
            "print(os.listdir('/home'))",
            "print(os.listdir('/tmp'))",
            "print(os.listdir('/run'))",
        ),
        proof="PermissionError|FileNotFoundError",
        walls=True,
    ),
    attack(
        "looks around in /proc",
        "the memory and the environment of whoever grades",
        tries(
            "print(open('/proc/PARENT/environ').read())",
            "print(open('/proc/self/mem', 'rb').read(1))",
            "print(open('/proc/1/cmdline').read())",
            "print(os.listdir('/proc'))",
            "print(open('/proc/self/maps').read())",
        ),
        proof="PermissionError|FileNotFoundError",
        walls=True,
    ),
    attack(
        "spoils what it cannot read",
        "a gradebook that nobody can open any more",
        tries(
            "os.chmod('COURSE/gradebook.db', 0o777)",
            "os.chown('COURSE/gradebook.db', os.getuid(), os.getgid())",
            "os.utime('COURSE/gradebook.db')",
            "os.truncate('COURSE/gradebook.db', 0)",
            "os.open('COURSE/gradebook.db', os.O_RDONLY | os.O_TRUNC)",
            "os.open('COURSE/gradebook.db', 3 | os.O_TRUNC)",
            "os.remove('COURSE/gradebook.db')",
            "os.rename('COURSE/gradebook.db', 'mine.db')",
            "os.link('COURSE/gradebook.db', 'mine.db')",
            "os.setxattr('COURSE/gradebook.db', 'user.x', b'x')",
        ),
        proof="PermissionError|FileNotFoundError",
        walls=True,
    ),
    attack(
        "goes through symbolic links",
        "the gradebook by another way",
        tries(
            "os.symlink('COURSE/gradebook.db', 'mine.db')\nprint(open('mine.db', 'rb').read())",
            "os.symlink('/', 'root')\nprint(os.listdir('root'))",
            "os.symlink('../' * 20 + 'etc/passwd', 'passwd')\nprint(open('passwd').read())",
        ),
        proof="PermissionError|FileNotFoundError",
        walls=True,
    ),
    attack(
        "changes Python itself",
        "another torch for everybody who comes after",
        tries(
            "import torch\nopen(torch.__file__, 'a').write('#')",
            "import torch\nos.open(torch.__file__, os.O_RDONLY | os.O_TRUNC)",
            "import torch\nos.chmod(torch.__file__, 0)",
            "import torch\nos.remove(torch.__file__)",
            "open('/tmp/left.txt', 'w').write('mine')",
            "open('/usr/lib/left.txt', 'w').write('mine')",
        ),
        proof="PermissionError|OSError",
        walls=True,
    ),
    attack(
        "imports the reference",
        "the answers, without writing them",
        tries(
            "import inspect, solutions.attention as given\nprint(inspect.getsource(given.softmax))",
            "import course.checks",
            "import autograder.engine.examine",
            "import benchmarks",
            "import exercises.attention",
            "from course.lesson import read",
            "from autograder.grading.judge import Judge",
        ),
        proof="ImportError|ModuleNotFoundError",
    ),
    attack(
        "hands in what it is given",
        "the stand-bys that later pieces are built on",
        """\
from course.mine import softmax
import course.mine, course.stand_bys.attention, inspect
own = course.stand_bys.attention.scaled_dot_product_attention
def scaled_dot_product_attention(query, key, value, mask=None):
    return own(query, key, value, mask)
print(own.__name__)
""",
        answers={
            "softmax": "from course.mine import softmax",
            "scaled_dot_product_attention": "",
            "causal_mask": "from solutions.attention import causal_mask",
        },
        proof="scaled_dot_product_attention",
    ),
    attack(
        "reads the environment",
        "tokens and passwords that were set for whoever grades",
        "import os\nprint(dict(os.environ), os.getcwd(), os.getpid())",
        proof="PATH",
        walls=True,
    ),
)

SYSTEM = (
    attack(
        "fork bomb",
        "a machine that stands still",
        "import os\nwhile True:\n    os.fork()",
        proof="PermissionError|BlockingIOError",
        walls=True,
    ),
    attack(
        "starts programs",
        "a shell",
        tries(
            "import subprocess\nsubprocess.run(['/bin/sh', '-c', 'id'])",
            "print(os.popen('id').read() or 1 / 0)",
            "os.posix_spawn('/bin/sh', ['sh'], {})",
            "os.execv('/bin/sh', ['sh', '-c', 'id'])",
            "import multiprocessing\np = multiprocessing.Process(target=print)\np.start()",
            "if os.system('id'): raise PermissionError",
        ),
        proof="PermissionError",
        walls=True,
    ),
    attack(
        "thread bomb",
        "a machine that stands still",
        """\
import threading, time
threading.stack_size(256 * 1024)
started = 0
try:
    while started < 3000:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        started += 1
except BaseException as e:
    print(type(e).__name__)
print("threads:", started)
""",
        proof="threads:",
    ),
    attack(
        "takes all memory",
        "a machine that stands still",
        """\
import torch
kept = []
try:
    while True:
        kept.append(torch.ones(2**24))
except BaseException as e:
    print(type(e).__name__, len(kept))
    kept.clear()
""",
        proof="RuntimeError|MemoryError|OutOfTime",
    ),
    attack(
        "asks for more memory than there is",
        "a grader that is killed",
        tries("b = bytearray(2**40)", "import torch\ntorch.empty(2**42)", "b = ' ' * 10**12"),
        proof="MemoryError",
    ),
    attack(
        "fills the disk",
        "a gradebook that cannot be written",
        """\
import os
try:
    for n in range(10_000):
        with open(f"file{n}", "wb") as file:
            for _ in range(8):
                file.write(bytes(2**20))
except BaseException as e:
    print(type(e).__name__, n)
""",
        proof="OSError",
    ),
    attack(
        "one file without end",
        "a gradebook that cannot be written",
        """\
try:
    with open("file", "wb") as file:
        while True:
            file.write(bytes(2**20))
except BaseException as e:
    print(type(e).__name__, e)
""",
        proof="OSError",
        walls=True,
    ),
    attack(
        "very many files",
        "a disk without room for names",
        """\
import os
try:
    for n in range(100_000):
        open(f"file{n}", "w").close()
except BaseException as e:
    print(type(e).__name__, n)
""",
        proof="OSError",
    ),
    attack(
        "folders in folders",
        "something that cannot be removed afterwards",
        """\
import os
n = 0
try:
    for n in range(1500):
        os.mkdir("d")
        os.chdir("d")
except BaseException as e:
    print(type(e).__name__)
os.chdir(os.environ["HOME"])
print("folders:", n)
""",
        proof="folders:",
        walls=True,
    ),
    attack(
        "opens files without end",
        "no descriptors for anybody else",
        """\
import os
kept = []
try:
    while True:
        kept.append(os.open("/dev/null", os.O_RDONLY))
except BaseException as e:
    print(type(e).__name__, len(kept))
""",
        proof="OSError",
        walls=True,
    ),
    attack(
        "exits",
        "what is not checked might count as right",
        "import os\nos._exit(0)",
        ends=True,
        proof="exit code 0",
        walls=True,
    ),
    attack("sys.exit", "the same", "import sys\nsys.exit(0)", proof="SystemExit"),
    attack(
        "exits while it is asked",
        "the judge waits for ever",
        answers={"softmax": "import os\n\ndef softmax(x, dim=-1):\n    os._exit(0)"},
        ends=True,
        proof="exit code 0",
    ),
    attack(
        "crashes below Python",
        "the judge goes down with it",
        "import ctypes\nctypes.string_at(0)",
        ends=True,
        proof="SIGSEGV",
        walls=True,
    ),
    attack(
        "ends itself with an unusual signal",
        "a judge that does not know its name",
        "import os, time\nfor n in (40, 9, 6):\n    os.kill(os.getpid(), n)\nos.abort()",
        ends=True,
        walls=True,
    ),
    attack(
        "signals to others",
        "no judge, no zygote, no bad grade",
        tries(
            "os.kill(PARENT, 9)",
            "os.kill(os.getppid() or 2, 9)",
            "os.kill(-1, 9)",
            "os.killpg(0, 9)",
            "signal.pidfd_send_signal(os.pidfd_open(PARENT), 9)",
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            "info = ctypes.create_string_buffer(128)\n"
            "if libc.syscall(297, PARENT, PARENT, 9, info): raise PermissionError",
            "import fcntl\nfcntl.fcntl(0, fcntl.F_SETOWN, PARENT)",
            "import fcntl\nfcntl.fcntl(0, 10, 9)",
        ),
        proof="PermissionError",
        walls=True,
    ),
    attack(
        "slows others down",
        "a judge that runs out of time",
        tries(
            "os.setpriority(os.PRIO_USER, 0, 19)",
            "os.setpriority(os.PRIO_PROCESS, PARENT, 19)",
            "os.sched_setaffinity(PARENT, {0})",
            "os.nice(-5)",
        ),
        proof="PermissionError",
        walls=True,
    ),
    attack(
        "looks into other processes",
        "the reference in the judge's memory",
        tries(
            "libc = ctypes.CDLL(None)\nif libc.ptrace(16, PARENT, 0, 0): raise PermissionError",
            "libc = ctypes.CDLL(None)\n"
            "if libc.syscall(310, PARENT, 0, 0, 0, 0, 0) < 0: raise PermissionError",
            "os.pidfd_open(PARENT)",
        ),
        proof="PermissionError",
        walls=True,
    ),
    attack(
        "network",
        "the answers are asked for outside, or taken there",
        tries(
            "socket.create_connection(('127.0.0.1', PORT), 2)",
            "socket.create_connection(('1.1.1.1', 53), 2)",
            "socket.getaddrinfo('example.org', 80)",
            "socket.socket(socket.AF_UNIX)",
            "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
            "socket.socketpair(type=socket.SOCK_DGRAM)",
            "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:PORT/', timeout=2)",
        ),
        proof="PermissionError",
        walls=True,
    ),
    attack(
        "makes namespaces and mounts",
        "to be root somewhere",
        tries(
            "libc = ctypes.CDLL(None)\nif libc.unshare(0x10000000): raise PermissionError",
            "libc = ctypes.CDLL(None)\n"
            "if libc.mount(b'proc', b'/learner', b'proc', 0, None): raise PermissionError",
            "os.chroot('.')",
            "os.setuid(0 if os.getuid() else 1)",
            "os.mknod('device', 0o600 | 0o020000, os.makedev(1, 1))",
        ),
        proof="PermissionError",
        walls=True,
    ),
)

TIME = (
    attack(
        "endless loop",
        "the class waits",
        "while True:\n    pass",
        proof="stopped after",
        walls=True,
    ),
    attack(
        "sleeps past the limit",
        "the class waits",
        "import time\ntime.sleep(1000)",
        proof="stopped after",
    ),
    attack(
        "swallows every exception",
        "the limit is caught like any other error",
        "while True:\n    try:\n        while True:\n            pass\n"
        "    except BaseException:\n        pass",
        ends=True,
        proof="stopped after",
    ),
    attack(
        "blocks the alarm",
        "the limit is never heard",
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
        "while True:\n    pass",
        ends=True,
        proof="stopped after",
        walls=True,
    ),
    attack(
        "endless below Python",
        "no alarm is heard there",
        "import itertools\nx = sum(itertools.repeat(0))",
        ends=True,
        proof="stopped after",
    ),
    attack(
        "a regular expression without end",
        "no alarm is heard there",
        "import re, signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
        "re.match('(a|a)*b', 'a' * 60)",
        ends=True,
        proof="stopped after",
    ),
    attack(
        "endless while it is asked",
        "the judge waits for ever",
        answers={
            "softmax": "def softmax(x, dim=-1):\n    while True:\n        try:\n"
            "            while True:\n                pass\n"
            "        except BaseException:\n            pass"
        },
        ends=True,
        proof="stopped after",
    ),
    attack(
        "background threads and work for the end",
        "something that goes on when everything is over",
        """\
import atexit, threading, time
def work():
    while True:
        sum(range(10_000))
for _ in range(2):
    threading.Thread(target=work, daemon=False).start()
atexit.register(work)
print("at work")
""",
        proof="at work",
        walls=True,
    ),
    attack(
        "stops itself",
        "a process that waits for ever",
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGSTOP)\ntime.sleep(1000)",
        walls=True,
        proof="stopped after",
    ),
    attack(
        "waits for a debugger",
        "input that never comes",
        tries("input('your name: ')", "print(sys.stdin.read())\nraise EOFError"),
        proof="EOFError|StdinNotImplementedError",
    ),
)

COMPARISON = (
    attack(
        "patches torch's comparisons",
        "everything is equal to everything",
        """\
import torch, numpy
yes = lambda *a, **k: True
torch.equal = torch.allclose = torch.isclose = torch.testing.assert_close = yes
numpy.allclose = numpy.array_equal = numpy.testing.assert_allclose = yes
torch.Tensor.equal = torch.Tensor.allclose = yes
torch.Tensor.__eq__ = lambda self, other: torch.ones(())
torch.Tensor.__ne__ = lambda self, other: torch.zeros(())
torch.Tensor.__bool__ = yes
print("patched")
""",
        proof="patched",
    ),
    attack(
        "patches what runs trials",
        "whatever is asked, nothing is noted",
        """\
import sys
trial = sys.modules["autograder.engine.trial"]
inside = sys.modules["autograder.sandbox.inside"]
for module in (trial, inside):
    for name in ("run", "ask", "perform", "note_gradients", "note_returned", "describe_value"):
        if hasattr(module, name):
            setattr(module, name, lambda *a, **k: trial.Answer())
print("patched")
""",
        proof="patched",
    ),
    attack(
        "says that all checks are passed",
        "the word is believed",
        """\
import sys, autograder
inside = sys.modules["autograder.sandbox.inside"].Inside
class Verdict:
    passed, score, max_score, points = True, 100, 100, 100
inside.do_ask = lambda self, **k: (self.line.receive(), ("answer", {"score": 100}, ""))[1]
autograder.check = lambda *a, **k: 100
print("patched")
""",
        ends=True,
        proof="patched",
    ),
    attack(
        "an answer that says it is right",
        "forged facts, and no arrays",
        """\
import sys
trial = sys.modules["autograder.engine.trial"]
inside = sys.modules["autograder.sandbox.inside"]
facts = {"returned": "a tensor", "missing": ["everything"], "passed": True, "score": 10**6}
inside.run = lambda *a, **k: trial.Answer({}, dict(facts), None, 1)
print("patched")
""",
        proof="patched",
    ),
    attack(
        "answers with an error of its own making",
        "arrays that are missing after an error are forgiven",
        """\
import sys
trial = sys.modules["autograder.engine.trial"]
inside = sys.modules["autograder.sandbox.inside"]
problem = trial.Problem("ValueError", "", ())
inside.run = lambda *a, **k: trial.Answer({}, {"returned": "a tensor"}, problem, 1)
print("patched")
""",
        proof="patched",
    ),
    attack(
        "patches asserts and errors",
        "an assert that never fails",
        """\
import builtins
builtins.AssertionError = type("Quiet", (BaseException,), {"__init__": lambda s, *a: None})
builtins.print = lambda *a, **k: None
builtins.isinstance = lambda *a: True
get_ipython().showtraceback = lambda *a, **k: None
""",
        ends=True,
    ),
    attack(
        "rewrites later cells",
        "IPython's transformers put something else into the check cells",
        """\
import ast
class Right(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
ip = get_ipython()
ip.ast_transformers.append(Right())
ip.input_transformers_post.append(lambda lines: ["100.0"])
ip.events.register("post_run_cell", lambda *a: print("rewritten"))
""",
        proof="rewritten",
    ),
    attack(
        "asks who calls",
        "the expected answer stands in a frame above",
        answers={
            "softmax": """\
def softmax(x, dim=-1):
    import sys, gc
    frame, found = sys._getframe(), []
    while frame is not None:
        names = {**frame.f_globals, **frame.f_locals}
        found += [v for k, v in names.items() if "expect" in k or "reference" in k]
        frame = frame.f_back
    answers = [o for o in gc.get_objects() if type(o).__name__ in ("Record", "Exercise", "Judge")]
    raise LookupError(f"found {len(found) + len(answers)} things")
"""
        },
        proof="found 0 things",
    ),
    attack(
        "searches the memory",
        "the reference, or its checks, may still lie about",
        """\
import gc, sys, types
gc.unfreeze()
marks = ["same number taken from all " + "scores cancels", "Stable for scores of " + "any size"]
found = []
for o in gc.get_objects():
    texts = o.values() if type(o) is dict else ()
    if type(o) is types.FunctionType:
        texts = (o.__doc__, *o.__code__.co_consts)
    long = [v for v in list(texts) if type(v) is str and len(v) > 60]
    found += [v for v in long if any(m in v for m in marks)]
kinds = {type(o).__name__ for o in gc.get_objects()} & {"Exercise", "Mistake", "Verdict", "Judge"}
known = [m for m in sys.modules if m.startswith(("solutions", "course.checks"))]
print("found", len(found), "texts,", len(kinds), "kinds, and", known)
""",
        proof=r"found 0 texts, 0 kinds, and \[.solutions., .solutions.arguments.\]",
    ),
    attack(
        "remembers what it was asked",
        "the second answer is made of the first question",
        """\
import torch
seen = []
def remember(*a, **k):
    seen.append((a, k))
    return seen[0][0][0] if torch.is_tensor(seen[0][0][0]) else torch.ones(3)
""",
        answers={name: f"{name} = remember" for name in WRONG},
    ),
    attack(
        "changes its arguments",
        "the answer is compared with what the question has become",
        answers={
            "softmax": "def softmax(x, dim=-1):\n    x.data.zero_()\n    return x.data.resize_(0)",
        },
    ),
    attack(
        "NaN and inf",
        "nothing compares with them",
        answers={
            "softmax": "def softmax(x, dim=-1):\n    return x.double() * float('nan')",
            "scaled_dot_product_attention": (
                "def scaled_dot_product_attention(query, key, value, mask=None):\n"
                "    return torch.full((1,), float('inf')), torch.full((1,), -float('inf'))"
            ),
            "causal_mask": "def causal_mask(length, device=None):\n    return float('nan')",
        },
    ),
)

LIES = (
    attack(
        "a tensor that lies",
        "its shape, its numbers and its comparisons say what is wanted",
        """\
import torch
class Liar(torch.Tensor):
    def __eq__(self, other): return torch.ones((), dtype=torch.bool)
    def equal(self, other): return True
    def __sub__(self, other): return torch.zeros(())
    def __getattribute__(self, name):
        return torch.Size([2, 3]) if name == "shape" else super().__getattribute__(name)
    @classmethod
    def __torch_function__(cls, f, types, args=(), kwargs=None):
        return True if f.__name__ in ("equal", "allclose") else torch.zeros(()).as_subclass(cls)
def lie(*a, **k):
    return torch.zeros(2, 3).as_subclass(Liar)
""",
        answers={name: f"{name} = lie" for name in WRONG},
    ),
    attack(
        "an object that lies about its class",
        "it is taken for a tensor",
        """\
import torch
class Liar:
    __class__ = torch.Tensor
    shape, dtype, ndim = torch.Size([2, 3]), torch.float32, 2
    def __repr__(self): raise SystemExit
    def __eq__(self, other): return True
    def __hash__(self): return 0
    def __getattr__(self, name): return lambda *a, **k: self
def lie(*a, **k):
    return Liar()
""",
        answers={name: f"{name} = lie" for name in WRONG},
    ),
    attack(
        "an object that answers to everything",
        "what shows it, hashes it or compares it never comes back",
        """\
class Hostile:
    def __repr__(self):
        while True: pass
    __str__ = __hash__ = __len__ = __bool__ = __iter__ = __format__ = __repr__
    def __eq__(self, other): return True
answers = Hostile()
Hostile()
""",
        answers={name: f"{name} = lambda *a, **k: Hostile()" for name in WRONG},
        proof="stopped after",
    ),
    attack(
        "an error that cannot be shown",
        "what describes it fails",
        """\
class Bad(Exception):
    def __str__(self): raise self
    __repr__ = __str__
def bad(*a, **k):
    raise Bad
bad()
""",
        answers={name: f"{name} = bad" for name in WRONG},
        ends=True,
    ),
    attack(
        "an error with half a character, and ten million others",
        "a comment that no database can hold",
        "raise ValueError('\\ud800' + '\\x1b]0;owned\\x07' + 'x' * 10**7)",
        answers={
            "softmax": "def softmax(x, dim=-1):\n"
            "    raise ValueError('\\ud800 \\x1b[2J <script>alert(1)</script>' + 'x' * 10**7)"
        },
        proof="ValueError",
    ),
    attack(
        "tensors of odd kinds",
        "what compares them fails",
        """\
import torch
odd = iter([
    torch.zeros(2, 3, dtype=torch.complex64), torch.zeros(3).to_sparse(), torch.zeros(0, 2**40),
    torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8), torch.empty(3, device="meta"),
    torch.zeros(()).expand(10**6, 10**6), torch.zeros(3, dtype=torch.float8_e4m3fn),
    torch.nested.nested_tensor([torch.ones(2)]), torch.zeros([1] * 40), torch.ones(2).conj(),
] * 100)
def next_one(*a, **k):
    return next(odd)
""",
        answers={name: f"{name} = next_one" for name in WRONG},
    ),
    attack(
        "an enormous answer",
        "the judge runs out of memory",
        answers={
            "softmax": "def softmax(x, dim=-1):\n    return torch.ones(2**24)",
            "causal_mask": "def causal_mask(length, device=None):\n"
            "    return torch.ones(2**15, 2**12, dtype=torch.bool)",
        },
    ),
)


# What stands before cells that speak to the judge themselves, in the words of its own protocol.
LINE = """\
import gc, json, re, struct, sys, time, torch
trial = sys.modules["autograder.engine.trial"]
Inside = sys.modules["autograder.sandbox.inside"].Inside
me = next(o for o in gc.get_objects() if type(o) is Inside)
raw, honest, head = me.line.socket, me.line.send, struct.Struct(">IQ")

def frame(value, body=b""):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return head.pack(len(text), len(body)) + text + body

class Forged:
    def __init__(self, value, body=b""):
        self.value, self.body = value, body

def send(message):
    number, reply = message
    if isinstance(reply, Forged):
        raw.sendall(frame({"tuple": [number, reply.value]}, reply.body))
    else:
        honest(message)

def forge(what, value, body=b""):
    def reply(self, **arguments):
        if what == "ask":
            self.line.receive()
        return Forged(value, body)
    setattr(Inside, f"do_{what}", reply)

def dictionary(pairs):
    return {"dict": list(map(list, pairs.items()))}

def answer(arrays=None, facts=None, problem=None, begun=1, body=b""):
    made = {"arrays": dictionary(arrays or {}), "facts": dictionary(facts or {})}
    made |= {"problem": problem, "begun": begun}
    forge("ask", {"tuple": ["answer", {"Answer": made}, ""]}, body)

me.line.send = send
print("forging")
"""


def forged(name, gain, code, **more):
    return attack(name, gain, LINE, code, **{"proof": "forging"} | more)


def garbled(name, gain, code):
    return forged(name, gain, code, ends=True, proof="no answer")


CHANNEL = (
    garbled(
        "answers before it is asked",
        "the first reply counts",
        "for n in range(1, 40):\n"
        '    raw.sendall(frame({"tuple": [n, {"tuple": ["answer", 1, ""]}]}))',
    ),
    garbled("a frame of nonsense", "the judge trips over it", "raw.sendall(b'\\xff' * 4096)"),
    garbled(
        "a frame of endless length",
        "the judge reads for ever",
        "raw.sendall(head.pack(2**32 - 1, 2**63) + bytes(2**16))",
    ),
    garbled("too many bytes", "the judge's memory", "raw.sendall(head.pack(2, 2**26) + bytes(99))"),
    forged(
        "a slow drip",
        "every byte moves the deadline",
        "raw.sendall(head.pack(2**20, 0))\nwhile True:\n    try:\n        while True:\n"
        "            raw.sendall(b' ')\n            time.sleep(0.1)\n"
        "    except BaseException:\n        pass",
        ends=True,
        proof="stopped after",
    ),
    garbled("floods the judge", "the judge's memory", "while True:\n    raw.sendall(bytes(2**20))"),
    garbled(
        "a number that is a tensor",
        "the judge trips over it",
        'raw.sendall(frame({"tuple": [{"tensor": ["float32", 2]}, None]}, bytes(8)))',
    ),
    garbled("three for two", "the judge trips over it", "raw.sendall(frame([1, 2, 3]))"),
    garbled("deep JSON", "the judge's stack", "raw.sendall(frame(b'[' * 2_000_000))"),
    garbled(
        "JSON in many small parts",
        "the judge's time",
        "raw.sendall(frame(b'[' + b'[],' * 600_000 + b'[]]'))",
    ),
    garbled(
        "JSON in many smaller parts",
        "the judge's time",
        "raw.sendall(frame(b'[' + b'1,' * 1_000_000 + b'1]'))",
    ),
    garbled(
        "a number of a million digits",
        "the judge's time",
        "raw.sendall(frame(b'[' + b'9' * 2_000_000 + b']'))",
    ),
    garbled(
        "keys that collide",
        "a dict that takes the square of its length",
        "prime = 2**61 - 1\n"
        "pairs = ','.join('[{\"int\":\"%d\"},0]' % (prime * n) for n in range(40_000))\n"
        'raw.sendall(frame((\'{"tuple":[1,{"dict":[%s]}]}\' % pairs).encode()))',
    ),
    garbled("JSON with NaN", "a number that is none", "raw.sendall(frame(b'[NaN, Infinity]'))"),
    garbled(
        "objects of any class",
        "the judge makes what it is told to make",
        'raw.sendall(frame({"os.system": {"command": "id"}}))',
    ),
    *(
        garbled(
            f"a size that is none: {size}",
            "the judge's arithmetic",
            f'raw.sendall(frame(b\'{{"tensor": ["float32", {size}]}}\'))',
        )
        for size in (
            "0, 1180591620717411303424",
            "-1",
            "1e999",
            "null",
            "0, 4611686018427387904, 4",
        )
    ),
    forged(
        "a name that is bound to a tensor",
        "the judge trips over it",
        'forge("has", {"tensor": ["float32", 2]}, bytes(8))',
    ),
    forged(
        "answers to the quiz that are none",
        "the judge trips over them",
        'said = {1: {"tensor": ["bool", 3]}, 2: "B" * 10**6, 3: [[]]}\n'
        'forge("value", dictionary(said), bytes(3))',
    ),
    forged(
        "outputs that are none",
        "script in the grader's browser",
        """\
data = {"text/html": "<script>", "image/png": 'iVBORw0KGgo" onerror="alert(1)'}
data |= {"text/plain": "\\x1b[2Jshown", "image/svg+xml": "<svg onload='alert(1)'>"}
shown = [{"output_type": "display_data", "data": dictionary(data)}, {"output_type": {"int": "1"}}]
shown += [{"output_type": {"tensor": ["bool", 0]}}, {"output_type": "error", "traceback": [1, []]}]
shown = [1, None, [], *map(dictionary, shown)]
odd = {"tensor": ["bool", 0]}
said = dictionary({"outputs": shown, "number": odd, "failed": odd})
forge("cell", said)
""",
        ends=False,
    ),
    forged(
        "facts with tensors in them",
        "the judge trips over them",
        'answer(facts={"returned": {"tensor": ["float32", 2]}}, body=bytes(8))',
    ),
    forged(
        "facts of other kinds",
        "the judge trips over them",
        'answer(facts={"missing": 3, "extra": "ab", "shapes": [], "shared": {"float": "nan"}})',
    ),
    forged(
        "arrays that are none",
        "the judge trips over them",
        'answer(arrays={"output": "right", "weights": 1})',
    ),
    forged(
        "arrays with other names",
        "more is given than was asked for",
        'answer({"expected": {"tensor": ["float32", 2]}}, {"returned": "a tensor"}, body=bytes(8))',
    ),
    forged(
        "a Trial for an Answer",
        "the judge takes the question for the answer",
        'forge("ask", {"tuple": ["answer", {"Trial": {"calls": []}}, ""]})',
    ),
    forged(
        "an error with frames that are none",
        "the judge trips over them",
        'answer(problem={"Problem": {"kind": "E", "message": "m", "frames": {"tuple": [5]}}})',
    ),
    forged(
        "an error of two million letters",
        "the judge's time",
        'answer(problem={"Problem": {"kind": "E", "message": "x" * 1_900_000}}, begun=10**18)',
    ),
    forged(
        "an error in a call that never was",
        "the judge trips over it",
        'answer(problem={"Problem": {"kind": "E", "message": ""}}, begun=-7)',
    ),
    forged(
        "too late, and an error that is none",
        "the judge trips over it",
        'problem = {"Problem": {"kind": 1, "message": 2, "frames": 3}}\n'
        'forge("ask", {"tuple": ["late", problem, ""]})',
    ),
    forged(
        "a ready-made name that is a regular expression",
        "the judge searches for ever",
        'answer(facts={"ready made": ["softmax|(a|a)*b", "softmax("]})',
        answers={
            "softmax": "def softmax(x, dim=-1):\n    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = 1",
        },
    ),
    forged(
        "terminal escapes in what it printed",
        "the grader's terminal does what it is told",
        'forge("ask", {"tuple": ["answer", None, "\\x1b]0;owned\\x07\\ud800" * 9999]})',
    ),
    attack(
        "no word of the gradient",
        "what is not there cannot be wrong",
        "import sys\n"
        'sys.modules["autograder.engine.trial"].note_gradients = lambda *a: None\n'
        'print("patched")',
        answers={
            "softmax": RIGHT["softmax"].replace("    shifted", "    x = x.detach()\n    shifted", 1)
        },
        worth=7 / 8,
        proof="patched",
    ),
)

SHOWN = (
    attack(
        "print storm",
        "a notebook that no editor opens",
        "for n in range(3_000):\n    print('x' * 1000)\n",
        "import os\nos.write(1, b'y' * 10**7)",
        proof="there was more",
        walls=True,
    ),
    attack(
        "display storm",
        "a notebook that no editor opens",
        "for n in range(5_000):\n    display(n)",
        "from IPython.display import Image\nfor n in range(50):\n"
        "    display({'image/png': 'iVBORw0KGgo' + 'A' * 10**6}, raw=True)",
        proof="1",
    ),
    attack(
        "HTML and script",
        "script in the grader's browser, with the grader's rights",
        """\
from IPython.display import *
display(HTML("<script>alert(1)</script>"), Javascript("alert(1)"), IFrame("http://a", 1, 1))
display(SVG("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"))
display(Markdown("<img src=x onerror=alert(1)>"), Latex("$\\\\href{javascript:alert(1)}{x}$"))
display({"text/plain": "<script>alert(2)</script>", "text/vnd.mermaid": "graph"}, raw=True)
display({"image/png": 'iVBORw0KGgo" onerror="alert(3)', "image/svg+xml": "<svg/>"}, raw=True)
HTML("<script>alert(4)</script>")
""",
        proof="IPython.core.display.HTML",
    ),
    attack(
        "terminal escapes",
        "the grader's terminal does what it is told",
        "import sys\nprint('\\x1b]0;owned\\x07\\x1b[2J\\x1b[31mred\\x1b[0m\\x9b31m\\x07')\n"
        "sys.stderr.write('\\x1b]52;c;cm0gLXJmIC8=\\x07')\n"
        "raise type('\\x1b[31mName', (Exception,), {})('\\x1b[2J\\x00\\x08')",
        proof="red",
    ),
    attack(
        "letters that run backwards",
        "a name, or a line, that reads as another",
        "print('\\u202egnissap\\u202c \\u2066x\\u2069 \\ud800')\nπ = 'ﬁne'\n"
        "class Ⅷ\u0301(Exception): pass\nraise Ⅷ\u0301('\\u202e' * 100)",
        proof="gnissap",
    ),
    attack(
        "source that no parser likes",
        "the judge's own parser",
        "x = " + "1" + "+1" * 40_000,
        "x = " + "not " * 3000 + "1",
        "x = " + "(" * 3000,
        "x = " + "lambda: " * 900 + "1",
        "def softmax(x):\n    y = " + "norm" * 20_000,
        "\x00",
        answers={"softmax": "def softmax(x, dim=-1):\n    return " + "lambda: " * 900 + "1"},
        proof="Error",
    ),
)

ATTACKS = (*FILES, *SYSTEM, *TIME, *COMPARISON, *LIES, *CHANNEL, *SHOWN)

# Ways to let torch do the work. The sandbox can only watch from within, so whoever hides it well
# enough is not seen: the numbers are right, and only a person who reads the code can tell.
SEEN = {
    "torch.softmax": "return torch.softmax(x, dim)",
    "a method": "return x.softmax(dim)",
    "functional": "return torch.nn.functional.softmax(x, dim=dim)",
    "a module": "return torch.nn.Softmax(dim)(x)",
    "its logarithm": "return torch.log_softmax(x, dim).exp()",
    "getattr": "return getattr(torch, 'soft' + 'max')(x, dim)",
    "importlib": "import importlib\n    return importlib.import_module('torch').softmax(x, dim)",
    "eval": "return eval('torch.soft' + 'max(x, dim)')",
    "a subclass": ("kind = type('Mine', (torch.nn.Softmax,), {})\n    return kind(dim)(x)"),
    "attention to nothing": """\
rows = x.movedim(dim, -1)
    flat, zeros = rows.reshape(-1, 1, rows.shape[-1]), torch.zeros(1, 1, 1)
    eye = torch.eye(rows.shape[-1])[None].expand(len(flat), -1, -1)
    q, k = zeros.expand(len(flat), 1, 1), zeros.expand(len(flat), rows.shape[-1], 1)
    found = torch.nn.functional.scaled_dot_product_attention(q, k, eye, attn_mask=flat)
    return found.reshape(rows.shape).movedim(-1, dim)""",
    "cross-entropy": """\
rows = x.movedim(dim, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    every = [torch.full((len(flat),), n) for n in range(rows.shape[-1])]
    lost = [torch.nn.functional.cross_entropy(flat, n, reduction="none") for n in every]
    return torch.exp(-torch.stack(lost, -1)).reshape(rows.shape).movedim(-1, dim)""",
    "scipy": """\
from scipy.special import softmax as weights
    return torch.as_tensor(weights(x.detach().numpy(), axis=dim))""",
    "the negative": "return torch.nn.functional.softmin(-x, dim)",
}
UNSEEN = {
    "the watcher is switched off": """\
def softmax(x, dim=-1):
    with torch._C.DisableTorchFunction():
        return torch.softmax(x, dim)
""",
    "the watcher is patched": """\
import contextlib, sys
unseen = lambda *calls: contextlib.nullcontext(set())
sys.modules["autograder.engine.trial"].watch_for_ready_made = unseen
def softmax(x, dim=-1):
    return torch.softmax(x, dim)
""",
    "the list of names is emptied": """\
import sys
shown = sys.modules["autograder.sandbox.inside"].sendable
def sendable(answer):
    answer.facts["ready made"] = []
    return shown(answer)
sys.modules["autograder.sandbox.inside"].sendable = sendable
def softmax(x, dim=-1):
    return torch.softmax(x, dim)
""",
    "another thread": """\
import threading
def softmax(x, dim=-1):
    made = []
    work = threading.Thread(target=lambda: made.append(torch.softmax(x, dim)))
    work.start()
    work.join()
    return made[0]
""",
}
