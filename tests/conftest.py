"""What all tests share."""

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


def pytest_addoption(parser):
    parser.addoption(
        "--shard",
        choices=["all", *SHARDS, REST],
        default="all",
        help="only a part of the tests: whole lessons, whole classes, or all the rest (pieces)",
    )


def shard_of(item):
    path = item.path.relative_to(item.config.rootpath).as_posix()
    return next((name for name, files in SHARDS.items() if path in files), REST)


def pytest_collection_modifyitems(config, items):
    """Tests marked gpu need a CUDA device; without one they are skipped, and say so. The slow ones
    come first, so that no core waits for another at the end."""
    wanted = config.getoption("shard")
    if wanted != "all":
        others = [item for item in items if shard_of(item) != wanted]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if shard_of(item) == wanted]
    items.sort(key=lambda item: "slow" not in item.keywords)
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
