"""What ordinary notebooks do, and what the list of allowed system calls must not get in the way of.

Each is a cell; none of them may fail, whatever the level of protection.
"""

ORDINARY = {
    "torch": """
import torch
x = torch.randn(64, 64, requires_grad=True)
(x @ x).softmax(-1).sum().backward()
torch.linalg.svd(torch.randn(50, 50)); torch.fft.fft(torch.randn(128))
torch.sort(torch.randn(10**5))
torch.nn.functional.conv2d(torch.randn(2, 3, 32, 32), torch.randn(8, 3, 3, 3))
torch.randn(64, 64, dtype=torch.bfloat16) @ torch.randn(64, 64, dtype=torch.bfloat16)
torch.__config__.show(); torch.__config__.parallel_info(); torch.seed()
""",
    "training": """
import torch
net = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
steps = torch.optim.AdamW(net.parameters())
data = torch.utils.data.TensorDataset(torch.randn(40, 32))
for [batch] in torch.utils.data.DataLoader(data, batch_size=8, shuffle=True):
    loss = net(batch).pow(2).mean()
    steps.zero_grad(); loss.backward(); steps.step()
torch.nn.LSTM(8, 8)(torch.randn(3, 2, 8))[0].sum().backward()
torch.func.vmap(torch.func.grad(lambda x: (x**2).sum()))(torch.randn(4, 3))
with torch.autograd.set_detect_anomaly(True):
    torch.randn(3, requires_grad=True).sum().backward()
""",
    "torch in threads": """
import threading, torch
torch.set_num_threads(2)
def work():
    x = torch.randn(200, 200, requires_grad=True)
    (x @ x).exp().sum().backward()
threads = [threading.Thread(target=work) for _ in range(3)]
[each.start() for each in threads]; [each.join() for each in threads]
torch.set_num_threads(1)
""",
    "torch's files": """
import torch
torch.save({"a": torch.randn(100)}, "a.pt")
torch.load("a.pt", weights_only=True); torch.load("a.pt", mmap=True)
torch.from_file("s.bin", shared=True, size=16).fill_(1)
""",
    "NumPy": """
import numpy as np
random = np.random.default_rng()
a = random.normal(size=(100, 100))
np.linalg.svd(a); np.linalg.eig(a); np.fft.fft(a); np.sort(a); a @ a
np.save("a.npy", a); np.load("a.npy", mmap_mode="r")[0]
np.savez("b.npz", a=a); np.load("b.npz")["a"]
m = np.memmap("m.bin", dtype="float32", mode="w+", shape=(100,)); m[:] = 1; m.flush()
""",
    "matplotlib": """
%matplotlib inline
import matplotlib.pyplot as plt, numpy as np
fig, ax = plt.subplots(1, 2)
ax[0].plot([1, 2, 3], label="$x^2$"); ax[0].legend(); ax[0].set_title("äöü 中")
fig.colorbar(ax[1].imshow(np.random.rand(5, 5)))
import warnings; warnings.simplefilter("ignore")
for kind in ("png", "pdf", "svg", "jpg"):
    fig.savefig("f." + kind)
plt.imread("f.png"); plt.show()
from matplotlib.animation import FuncAnimation, PillowWriter
fig, ax = plt.subplots()
[line] = ax.plot([0, 1])
move = FuncAnimation(fig, lambda i: line.set_data([0, 1], [0, i]) or [line], frames=3)
move.save("a.gif", writer=PillowWriter(5))
plt.close()
""",
    "pandas and seaborn": """
import pandas as pd, seaborn as sns
d = pd.DataFrame({"a": [1, 2, 3], "b": [3, 4, 5]})
d.to_csv("d.csv"); pd.read_csv("d.csv").describe(); d.groupby("a").sum()
sns.heatmap(d)
""",
    "IPython": """
from IPython.display import display, HTML, clear_output
display(HTML("a"), {"a": 1}); clear_output()
%time sum(range(10))
%timeit -n 2 -r 2 sum(range(10))
%who
%prun sum(range(10))
%load_ext autoreload
%autoreload 2
""",
    "IPython's files": "%%writefile mod.py\nx = 1\n",
    "importing them": "%run mod.py\nimport mod, importlib\nimportlib.reload(mod)\nmod?\n",
    "asyncio": """
import asyncio
await asyncio.sleep(0.01)
await asyncio.gather(asyncio.to_thread(sum, [1]), asyncio.sleep(0))
""",
    "threads": """
import concurrent.futures, threading, time
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    list(pool.map(time.sleep, [0.01] * 8))
threading.Event().wait(0.01); threading.get_native_id()
""",
    "signals to itself": """
import faulthandler, os, signal, threading
old = signal.signal(signal.SIGUSR1, lambda *a: None)
os.kill(os.getpid(), signal.SIGUSR1); signal.raise_signal(signal.SIGUSR1)
signal.pthread_kill(threading.get_ident(), signal.SIGUSR1); signal.signal(signal.SIGUSR1, old)
with open("fault.txt", "w") as file:
    faulthandler.dump_traceback_later(5, file=file); faulthandler.cancel_dump_traceback_later()
""",
    "files": """
import fcntl, glob, mmap, os, pathlib, select, shutil, tempfile, zipfile, tarfile
open("a.txt", "w").write("x" * 10**5)
shutil.copyfile("a.txt", "b.txt"); os.rename("b.txt", "c.txt"); os.replace("c.txt", "d.txt")
os.makedirs("x/y/z"); shutil.rmtree("x")
os.symlink("a.txt", "l"); os.readlink("l"); os.link("a.txt", "h"); os.unlink("h")
with tempfile.TemporaryDirectory() as d: open(d + "/a", "w").close()
with tempfile.NamedTemporaryFile() as f: f.write(b"a")
with tempfile.TemporaryFile() as f: f.write(b"a")
list(os.walk(".")); glob.glob("**", recursive=True); os.access("a.txt", os.R_OK)
pathlib.Path("t").touch(); pathlib.Path("t").resolve(); shutil.disk_usage("."); os.umask(0o22)
with open("a.txt", "r+b") as f:
    f.truncate(50); os.fsync(f.fileno()); os.posix_fallocate(f.fileno(), 0, 100)
    fcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(f, fcntl.LOCK_UN)
    with mmap.mmap(f.fileno(), 0) as m: m.flush()
r, w = os.pipe(); os.set_blocking(r, False); os.set_inheritable(r, True); os.isatty(r)
select.select([r], [], [], 0); p = select.poll(); p.register(r); p.poll(0)
with select.epoll() as e: e.register(r); e.poll(0)
os.close(os.dup(r)); os.close(r); os.close(w)
with zipfile.ZipFile("z.zip", "w") as z: z.writestr("a", "b")
with tarfile.open("t.tar", "w") as t: t.add("z.zip")
""",
    "a database": """
import sqlite3
c = sqlite3.connect("q.db")
c.execute("create table a(b)"); c.commit(); c.execute("pragma journal_mode=wal")
c.execute("insert into a values(1)"); c.commit(); c.close()
""",
    "questions about itself": """
import ctypes, os, platform, resource, secrets, socket, time, uuid, zoneinfo
secrets.token_hex(); uuid.uuid1(); platform.platform(); os.cpu_count(); os.sched_getaffinity(0)
resource.getrusage(resource.RUSAGE_SELF); resource.getrlimit(resource.RLIMIT_AS); os.times()
os.getgroups(); os.getpgrp(); os.getresuid(); os.urandom(3); os.sysconf("SC_PHYS_PAGES")
os.getpriority(os.PRIO_PROCESS, 0); os.sched_yield(); os.sched_getscheduler(0); time.process_time()
zoneinfo.ZoneInfo("Europe/Berlin") if os.path.isdir("/usr/share/zoneinfo/Europe") else None
a, b = socket.socketpair(); a.send(b"x"); b.recv(1); a.getsockname(); a.close(); b.close()
ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x)(3)
""",
    "much memory": "import torch\na = torch.zeros(10**7)\nb = a.clone()\ns = 'x' * 10**8",
}
