"""Who grades: this process alone, several beside each other, or those of a cluster. Each has a
judge and a warm sandbox of its own.

Learners' code never runs in one of these, nor do they open the gradebook. They are given
the paths of a submission, and give back what is to be written.
"""

import contextlib
import itertools
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

from ...engine.course import use
from ...engine.limits import OutOfTime
from ...sandbox import warm
from ...sandbox.walls import BEST, Limits
from ..trouble import StopError

LINUX = sys.platform.startswith("linux")  # elsewhere system libraries may not survive a fork


@dataclass(frozen=True)
class Orders:
    """What is the same for all submissions of a run."""

    plans: dict
    seed: int
    limits: Limits
    least: int | str = BEST
    namespaces: bool = True
    course: str = ""  # its name, for machines that do not know it yet


@dataclass(frozen=True)
class Job:
    """One submission.

    Args:
        notebooks: {name: path}
        files: {name: path} of what lies beside them.
        folder: where all of it lies.
        within: the folder of all students' folders.
        troubles: sentences on what was handed in, beside the notebooks' own.
        seen: the digest of all these files, as whoever leads the run saw them.
    """

    student: str
    notebooks: dict
    files: dict = field(default_factory=dict)
    folder: str = ""
    within: Path | None = None
    troubles: tuple[str, ...] = ()
    seen: str = ""


@dataclass
class Done:
    """What came of a job.

    Args:
        notebooks: {name: {"text": of the graded notebook, "entries": for the gradebook,
            "record": to be kept}}
        error: why there is nothing; that is never the learner's fault.
    """

    student: str
    notebooks: dict = field(default_factory=dict)
    error: str = ""


class NotSeenError(Exception):
    """What was handed in is not here, or not as whoever leads the run saw it."""


def see_to_it(job):
    """NotSeenError, unless all files of a job are here: what one does not see isn't missing."""
    from .. import records

    parts = [*job.notebooks.items(), *job.files.items()]
    for _, path in parts:
        if not os.path.lexists(path):
            raise NotSeenError(f"{socket.gethostname()} does not see {path}. {SHARED_FOLDER}")
    if job.seen and records.of_files(parts) != job.seen:
        raise NotSeenError(
            f"what {socket.gethostname()} sees in {job.folder} differs from what this run began "
            f"with. {SHARED_FOLDER}"
        )


SHARED_FOLDER = (
    "If it was changed just now, run the same command again; on a cluster, all machines need the "
    "same shared folder"
)


def grade_job(job, orders, keeper, judge):
    """Grade all notebooks of a submission."""
    from ...notebooks import handed_in, submission
    from ...notebooks.plan import put_back
    from ...notebooks.remarks import remarks
    from ...sandbox.shell import plain
    from .. import gradebook, records
    from ..notebook_run import grade

    see_to_it(job)
    done = Done(job.student)
    files = handed_in.contents(job.files)
    troubles = [*job.troubles, *handed_in.not_given(job.files)]
    for name, path in job.notebooks.items():
        plan = orders.plans[name]
        read = submission.read(path, within=job.within)
        taken = os.path.relpath(path, job.folder or path.parent)
        if taken != f"{name}.ipynb":
            taken = " ".join(plain(taken).split())
            read.troubles.append(f"{taken} was taken for {name}.ipynb, which was missing.")
        read.troubles += [*troubles, *remarks(read.notebook, plan)]
        notebook = submission.with_notice(put_back(read.notebook, plan), read.troubles)
        graded = grade(notebook, plan, keeper, judge, orders.limits, files)
        graded.troubles = read.troubles
        done.notebooks[name] = {
            "text": submission.as_text(graded.notebook),
            "entries": gradebook.entries(graded.notebook, plan, graded.results),
            "record": records.about(graded),
        }
    return done


def attempt(job, orders, keeper, judge):
    """Grade a submission; what goes wrong on our side becomes part of what is done."""
    from ...sandbox.box import UnprotectedError

    try:
        return grade_job(job, orders, keeper, judge)
    except UnprotectedError as error:
        return Done(job.student, error=f"unprotected: {error}")
    except NotSeenError as error:
        return Done(job.student, error=str(error))
    except (Exception, OutOfTime):
        return Done(job.student, error=traceback.format_exc())


class Single:
    """Does it all in this process; for a few submissions others would not be ready in time."""

    def __init__(self, orders):
        self.orders = orders

    def grade(self, jobs):
        """Yield a Done for each job."""
        from ...sandbox.box import keeper_of_process
        from ..judge import judge_with

        ready = keeper_of_process(self.orders.least, self.orders.namespaces)
        for job in jobs:
            yield attempt(job, self.orders, ready, judge_with(self.orders.seed))

    def __enter__(self):
        import torch

        self.threads = torch.get_num_threads()
        torch.set_num_threads(1)
        return self

    def __exit__(self, *_):
        import torch

        torch.set_num_threads(self.threads)


def work(connection, orders, not_its=()):
    """The life of one process of the crew.

    Args:
        not_its: connections that it has copies of; as long as they are open, nobody hangs up.
    """
    import torch

    from ...sandbox.box import Keeper
    from ..judge import Judge

    for other in not_its:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever leads the run decides
    torch.set_num_threads(1)
    ready = warm.inherited(orders.namespaces)  # if we are a copy of the leader
    keeper, judge = Keeper(orders.least, orders.namespaces, ready), Judge(orders.seed)
    try:
        while True:
            try:
                job = connection.recv()
            except EOFError:
                return
            if job is None:
                return
            done = attempt(job, orders, keeper, judge)
            connection.send(done)
    finally:
        keeper.close()
        os._exit(0)  # what Python and torch do at their end takes a second, and serves nobody


class Crew:
    """So many processes, which are given jobs and give back what came of them."""

    def __init__(self, orders, count):
        self.orders = orders
        # A copy of this process has all it needs imported. It has computed nothing so far, and the
        # copies neither touch its gradebook nor clean up after it.
        self.context = (
            multiprocessing.get_context("fork") if LINUX else multiprocessing.get_context("spawn")
        )
        if LINUX:
            warm.shared(orders.namespaces).ready()  # all members use it
        self.members = {}  # {connection: (process, job or None)}
        for _ in range(count):
            self.hire()

    def hire(self):
        ours, theirs = self.context.Pipe()
        not_its = [ours, *self.members] if LINUX else []
        arguments = (theirs, self.orders, not_its)
        process = self.context.Process(target=work, args=arguments, daemon=True)
        with one_thread():
            process.start()
        theirs.close()
        self.members[ours] = (process, None)

    def grade(self, jobs):
        """Yield a Done for each job, in the order in which they are finished."""
        waiting, tried = iter(jobs), set()
        again = []
        while True:
            for connection, (process, job) in list(self.members.items()):
                if job is None:
                    new = again.pop() if again else next(waiting, None)
                    if new is not None:
                        self.members[connection] = (process, new)
                        connection.send(new)
            busy = [c for c, (_, job) in self.members.items() if job is not None]
            if not busy:
                return
            ready = wait(busy)
            for connection in [each for each in busy if each in ready]:
                process, job = self.members[connection]
                try:
                    done = connection.recv()
                    self.members[connection] = (process, None)
                except (EOFError, OSError):  # it was ended from outside: perhaps memory ran out
                    process.join()
                    del self.members[connection]
                    self.hire()
                    if job.student not in tried:
                        tried.add(job.student)
                        again.append(job)
                        continue
                    done = Done(job.student, error="the process that graded it was ended twice")
                yield done

    def dismiss(self):
        for connection, (process, job) in self.members.items():
            with contextlib.suppress(OSError):
                connection.send(None) if job is None else process.terminate()
            connection.close()
        for process, _ in self.members.values():
            process.join(10)
            if process.is_alive():
                process.kill()
        self.members = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.dismiss()


@contextlib.contextmanager
def one_thread():
    """Processes that are started meanwhile compute with one thread each: they are several."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


class Cluster:
    """The processes of a Dask cluster, on machines that see the same files.

    A batch is the task, and nothing in it can end the process that it runs in: learners' code
    runs in children of a sandbox there, as here.

    Args:
        address: of the scheduler.
        say: is called with a sentence when there is something to wait for.
    """

    BATCH = 10
    STEP = 0.1  # seconds between two looks at what is done
    PATIENCE = 10.0  # seconds without news, after which we look whether anybody works

    def __init__(self, orders, address, say):
        try:
            from distributed import Client  # pyright: ignore[reportMissingImports] - few have it
        except ImportError:
            raise CannotStartError(
                "--scheduler needs Dask: pip install distributed (here and on all machines)."
            ) from None
        for name in ("distributed", "distributed.client"):  # it logs tracebacks; we say what is up
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            self.client = Client(address, timeout=20)
        except (OSError, ValueError) as error:
            raise CannotStartError(f"No scheduler answers at {address} ({error}).") from None
        self.orders, self.address, self.say = orders, address, say

    def grade(self, jobs):
        """Yield a Done for each job, in the order in which they are finished."""
        batches = iter(lambda: list(itertools.islice(jobs, self.BATCH)), [])
        tasks = [(self.submit(batch), batch) for batch in batches]
        heard, waits = time.monotonic(), False
        while tasks:
            over = [(task, batch) for task, batch in tasks if task.status != "pending"]
            tasks = [(task, batch) for task, batch in tasks if (task, batch) not in over]
            for task, batch in over:
                yield from self.outcome(task, batch)
            if over:
                heard, waits = time.monotonic(), False
                continue
            if time.monotonic() - heard > self.PATIENCE:
                heard, waits = time.monotonic(), self.waits_for_workers(waits)
            time.sleep(self.STEP)

    def submit(self, batch):
        return self.client.submit(attempt_all, batch, self.orders, pure=False, retries=1)

    def outcome(self, task, batch):
        """What came of a batch, be it a failure; StopError if the scheduler is gone."""
        if task.status in ("cancelled", "lost"):
            raise StopError(
                f"The connection to the scheduler at {self.address} was lost. When it is back, run "
                f"the same command again."
            )
        try:
            return task.result()
        except Exception as error:
            why = f"its machine failed, or was lost: {str(error).strip() or type(error).__name__}"
            return [Done(job.student, error=why.splitlines()[0]) for job in batch]

    def waits_for_workers(self, told):
        """Is there nobody who works? That is said once."""
        try:
            if self.client.scheduler_info()["workers"]:
                return False
        except Exception:  # the scheduler is gone; the tasks will tell
            return told
        if not told:
            self.say(
                f"Waiting: the scheduler at {self.address} has no workers yet. On each machine, "
                f"`dask worker {self.address} --nthreads 1` starts one."
            )
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()


class CannotStartError(Exception):
    """Says why, and what to do."""


ONE_AT_A_TIME = threading.Lock()  # in a worker with several threads: they'd share judge and sandbox


def attempt_all(jobs, orders):
    """What a machine of a cluster does."""
    with ONE_AT_A_TIME:
        if orders.course:
            use(orders.course)  # this machine may have several
        return list(Single(orders).grade(jobs))
