"""What a cluster's workers are given, and what is said when they fail. The scheduler is made up."""

import sys
import threading
import time
from types import SimpleNamespace

import pytest

from autograder.grading import records
from autograder.grading.runs import crew
from autograder.grading.runs.crew import CannotStartError, Cluster, Done, Job, NotSeenError, Orders
from autograder.grading.trouble import StopError
from autograder.sandbox.walls import Limits

ADDRESS = "tcp://127.0.0.1:8786"


class Task:
    """What a scheduler gives for a batch."""

    def __init__(self, status, result=None, error=None):
        self.status, self.value, self.error = status, result, error

    def result(self):
        if self.error is not None:
            raise self.error
        return self.value


class Client:
    """A client of a scheduler that never was.

    Args:
        outcome: gives the Task for a batch.
        workers: how many there are, each time that somebody asks.
    """

    def __init__(self, outcome, workers=()):
        self.outcome, self.workers, self.tasks = outcome, iter(workers), []

    def submit(self, function, batch, orders, **_):
        self.tasks.append(self.outcome(batch))
        return self.tasks[-1]

    def scheduler_info(self):
        workers = next(self.workers, None)
        if workers is None:  # enough: everything gets done
            for task in self.tasks:
                task.status, task.value = "finished", []
            raise OSError("gone")
        return {"workers": dict.fromkeys(range(workers))}

    def close(self):
        pass


@pytest.fixture
def cluster(monkeypatch):
    """Make a Cluster with a Client; it says into `said`."""

    def made(client):
        said = []
        module = SimpleNamespace(Client=lambda address, timeout: client)
        monkeypatch.setitem(sys.modules, "distributed", module)
        monkeypatch.setattr(Cluster, "PATIENCE", 0.01)
        monkeypatch.setattr(Cluster, "STEP", 0.02)
        orders = Orders({}, 7, Limits())
        return Cluster(orders, ADDRESS, said.append), said

    return made


def jobs(count):
    return iter([Job(str(n), {}) for n in range(count)])


def done(batch):
    return Task("finished", [Done(job.student) for job in batch])


def test_all_batches_come_back(cluster):
    made, said = cluster(Client(done))
    with made:
        found = list(made.grade(jobs(25)))
    assert sorted(int(each.student) for each in found) == list(range(25))
    assert said == []


def test_a_machine_that_fails_is_named(cluster):
    made, _ = cluster(Client(lambda _: Task("error", error=RuntimeError("Killed\nat line 3"))))
    [first, _] = made.grade(jobs(2))
    assert first.error == "its machine failed, or was lost: Killed"


@pytest.mark.parametrize("status", ["cancelled", "lost"])
def test_a_scheduler_that_is_gone_ends_the_run(cluster, status):
    made, _ = cluster(Client(lambda _: Task(status)))
    with pytest.raises(StopError, match=f"The connection to the scheduler at {ADDRESS} was lost."):
        list(made.grade(jobs(2)))


def test_no_workers_is_said_once(cluster):
    made, said = cluster(Client(lambda _: Task("pending"), workers=[0, 0, 0]))
    list(made.grade(jobs(2)))
    assert said == [
        f"Waiting: the scheduler at {ADDRESS} has no workers yet. On each machine, `dask worker "
        f"{ADDRESS} --nthreads 1` starts one."
    ]


def test_who_works_is_waited_for_in_silence(cluster):
    made, said = cluster(Client(lambda _: Task("pending"), workers=[1, 2, 1]))
    list(made.grade(jobs(2)))
    assert said == []


def test_workers_that_leave_are_missed(cluster):
    made, said = cluster(Client(lambda _: Task("pending"), workers=[0, 2, 0]))
    list(made.grade(jobs(2)))
    assert len(said) == 2


def test_no_scheduler(monkeypatch):
    def client(address, timeout):
        raise OSError("Timed out")

    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=client))
    with pytest.raises(CannotStartError, match="No scheduler answers at"):
        Cluster(None, ADDRESS, print)


# --- On the other machine -------------------------------------------------------------------------


@pytest.fixture
def job(tmp_path):
    (tmp_path / "a.ipynb").write_text("{}")
    (tmp_path / "data.csv").write_text("1")
    files = {"data.csv": tmp_path / "data.csv"}
    notebooks = {"a": tmp_path / "a.ipynb"}
    seen = records.of_files([*notebooks.items(), *files.items()])
    return Job("ada", notebooks, files, str(tmp_path), seen=seen)


def test_what_the_leader_saw_is_here(job):
    crew.see_to_it(job)


@pytest.mark.parametrize("name", ["a.ipynb", "data.csv"])
def test_what_is_not_here_is_an_error(job, tmp_path, name):
    (tmp_path / name).unlink()
    with pytest.raises(NotSeenError, match=f"does not see .*{name}"):
        crew.see_to_it(job)


@pytest.mark.parametrize("name", ["a.ipynb", "data.csv"])
def test_what_looks_otherwise_here_is_an_error(job, tmp_path, name):
    (tmp_path / name).write_text("")  # as on a network's file system that is not up to date
    with pytest.raises(NotSeenError, match="differs from what this run began with"):
        crew.see_to_it(job)


def test_it_becomes_a_sentence(job, tmp_path):
    (tmp_path / "a.ipynb").unlink()
    found = crew.attempt(job, Orders({}, 7, Limits()), None, None)
    assert found.notebooks == {}
    assert "\n" not in found.error
    assert "all machines need the same shared folder" in found.error


def test_a_worker_with_several_threads_grades_one_batch_at_a_time(monkeypatch):
    busy, most, orders = [], [], Orders({}, 7, Limits())

    def grade(self, jobs):
        busy.append(1)
        most.append(len(busy))
        time.sleep(0.02)
        busy.pop()
        return []

    monkeypatch.setattr(crew.Single, "grade", grade)
    threads = [threading.Thread(target=crew.attempt_all, args=([], orders)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]
