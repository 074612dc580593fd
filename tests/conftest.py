"""What all tests share."""

import itertools

import pytest
import torch

from autograder.engine import limits

# What takes as long as all the rest, in parts that several machines can run at the same time.
SHARDS = {
    "lessons": ("tests/course/test_lessons_run.py", "tests/translation/test_train.py"),
    "classes": (
        "tests/autograder/grading/test_nbgraders_own_suite.py",
        "tests/autograder/grading/test_one_judgement.py",
        "tests/autograder/grading/test_runs.py",
        "tests/autograder/grading/test_whole_flow.py",
    ),
}
REST = "pieces"
# The longest of all, in the order in which they are begun.
LONGEST = (
    "tests/autograder/grading/test_one_judgement.py",
    "tests/course/test_lessons_run.py",
    "tests/autograder/grading/test_nbgraders_own_suite.py",
)


def pytest_addoption(parser):
    parser.addoption(
        "--shard",
        choices=["all", *SHARDS, REST],
        default="all",
        help="only a part of the tests: whole lessons, whole classes, or all the rest (pieces)",
    )


def file_of(item):
    return item.path.relative_to(item.config.rootpath).as_posix()


def shard_of(item):
    return next((name for name, files in SHARDS.items() if file_of(item) in files), REST)


def dealt(items, hands):
    """The slow ones first, dealt out to the processes that run them, so that no core waits for
    another at the end. pytest-xdist cuts the list into as many equal parts: one process would begin
    with all the slow ones, and the other be left with them. A file is not torn apart, as its tests
    share what they begin with.

    Args:
        hands: the number of processes.
    """
    slow = [item for item in items if "slow" in item.keywords]
    slow.sort(key=lambda item: [*LONGEST, file_of(item)].index(file_of(item)))
    files = list(dict.fromkeys(map(file_of, slow)))
    rest = iter([item for item in items if "slow" not in item.keywords])
    parts, left = [], len(items)
    for hand in range(hands):
        part = [item for item in slow if file_of(item) in files[hand::hands]]
        size = left // (hands - hand)
        parts += part + list(itertools.islice(rest, max(0, size - len(part))))
        left -= size
    return parts + list(rest)


def pytest_collection_modifyitems(config, items):
    """Tests marked gpu need a CUDA device; without one they are skipped, and say so."""
    wanted = config.getoption("shard")
    if wanted != "all":
        others = [item for item in items if shard_of(item) != wanted]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if shard_of(item) == wanted]
    items[:] = dealt(items, getattr(config, "workerinput", {"workercount": 1})["workercount"])
    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """The tests' tensors are tiny: a second thread would mostly wait for the first."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _patience():
    """What is recognised must not depend on how busy the machine is. Lines are looked for only in
    the tests that are about them: that takes as long as all the rest of a check."""
    limits.PATIENCE = 60.0
    limits.MENDING = 0.0


@pytest.fixture(autouse=True)
def _same_numbers_every_run():
    torch.manual_seed(0)


@pytest.fixture
def float64():
    """New modules and tensors are float64, so that 1e-10 can be asked for."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)
