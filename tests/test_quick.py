"""The tests that `make test-quick` chooses."""

import re
import subprocess
from types import SimpleNamespace

import pytest

from course.checks import all_exercises, exercises_of
from tests import quick

from .conftest import LONGEST, REST, SHARDS, dealt, file_of


def ids_of(lesson):
    return [exercise.id for exercise in exercises_of(lesson)]


def test_all_tests_that_follow_a_file_are_there():
    for _, tests in quick.FOLLOWED:
        for path in tests:
            assert (quick.ROOT / path).exists(), path


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("autograder/engine/compare.py", "tests/autograder/engine/test_compare.py"),
        ("course/quiz.py", "tests/course/test_quiz.py"),
        ("autograder/sandbox/__init__.py", "tests/autograder/sandbox/test_walls.py"),
        ("tests/solutions/test_attention.py", "tests/solutions/test_attention.py"),
    ],
)
def test_who_imports_what_has_changed_is_near(path, test):
    assert quick.nearest([path])[test] <= 2


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("course/checks/multi_head/multi_head_attention.py", {"multi_head.MultiHeadAttention"}),
        ("course/mistakes/attention/softmax.md", {"attention.softmax"}),
        (  # the checks of two exercises
            "course/checks/multi_head/heads.py",
            {"multi_head.split_heads", "multi_head.merge_heads", "multi_head.MultiHeadAttention"},
        ),
        ("course/bank/wrong/transformer.py", set(ids_of("transformer"))),
        ("solutions/arguments.py", set(all_exercises())),
        ("course/checks/shared.py", set(all_exercises())),
        ("notebooks/lessons/03_positional_encoding.md", {"[03_positional_encoding]"}),
        ("docs/grading.md", set()),
    ],
)
def test_of_tests_for_each_exercise_those_that_are_meant(path, meant):
    tests, found = quick.followed([path])
    assert tests
    assert found == meant


def test_what_is_near_is_not_left_out_for_what_is_meant():
    """Two changes: one concerns all exercises, and one softmax; its tests come first."""
    paths = ["autograder/engine/compare.py", "course/mistakes/attention/softmax.md"]
    by_name, meant = quick.followed(paths)
    near = {name: 2 for name in quick.nearest(paths) if name.endswith("test_checks.py")}
    items = [Item(f"{file}::test_it[{name}]") for file in near for name in all_exercises()]
    quick.Quick(near, by_name, meant).pytest_collection_modifyitems(items)
    assert len(items) == len(all_exercises())
    assert "attention.softmax" in items[0].nodeid
    quick.Quick({}, by_name, meant).pytest_collection_modifyitems(items)
    assert len(items) == 1


class Item:
    """What a plugin of pytest sees of a test."""

    keywords, fixturenames = (), ("exercise",)

    def __init__(self, nodeid):
        self.nodeid, self.path = nodeid, quick.ROOT / nodeid.partition("::")[0]


@pytest.mark.parametrize(
    "path", ["examples/numpy_warmup/__init__.py", "gone/__init__.py", "a b/ü.py", "README.md"]
)
def test_a_file_that_no_package_knows_is_near_to_nothing(path):
    assert quick.nearest([path]) == {}


def test_names_of_files_are_read_as_git_gives_them(tmp_path, monkeypatch):
    def git(*command):
        subprocess.run(["git", "-C", tmp_path, *command], check=True, capture_output=True)

    monkeypatch.setattr(quick, "ROOT", tmp_path)
    assert quick.changed() == []  # no repository
    git("init")
    git("config", "user.email", "a@example.org")
    git("config", "user.name", "A")
    (tmp_path / "a b.py").write_text("1" * 99)
    (tmp_path / "same.py").touch()
    assert sorted(quick.changed()) == ["a b.py", "same.py"]
    git("add", ".")
    git("commit", "-m", "one")
    assert quick.changed() == []  # nothing to compare with
    git("mv", "a b.py", "ü.py")
    assert sorted(quick.changed()) == ["a b.py", "ü.py"]
    git("commit", "-m", "two")
    assert sorted(quick.changed()) == ["a b.py", "ü.py"]


def test_the_workflow_runs_all_parts_of_the_tests():
    text = (quick.ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    [named] = re.findall(r"shard: \[(.*)\]", text)
    assert named.split(", ") == [*SHARDS, REST]
    for files in SHARDS.values():
        assert all((quick.ROOT / name).exists() for name in files)


def item(file, slow=False):
    config = SimpleNamespace(rootpath=quick.ROOT)
    keywords = {"slow"} if slow else set()
    return SimpleNamespace(path=quick.ROOT / file, config=config, keywords=keywords)


@pytest.mark.parametrize("hands", [1, 2, 3, 7])
def test_each_process_begins_with_slow_tests_and_none_is_lost(hands):
    files = ["a.py", "b.py", "c.py", LONGEST[1], LONGEST[0], "d.py", "e.py"]
    items = [item(file, slow) for file in files for slow in (True, False, False, True, False)]
    order = dealt(items, hands)
    assert sorted(map(id, order)) == sorted(map(id, items))
    begins, left, first = 0, len(items), []
    for hand in range(hands):  # as xdist cuts them
        size = left // (hands - hand)
        part = order[begins : begins + size]
        slow = ["slow" in each.keywords for each in part]
        assert slow[0]
        assert slow == sorted(slow, reverse=True)
        first.append(file_of(part[0]))
        begins, left = begins + size, left - size
    assert first[:2] == list(LONGEST[:2])[:hands]


def test_a_slow_files_tests_stay_in_one_process():
    items = [item(f"{n}.py", slow=True) for n in range(4) for _ in range(3)]
    items += [item("quick.py") for _ in range(20)]
    order = dealt(items, 2)
    for part in (order[:16], order[16:]):
        slow = [file_of(each) for each in part if "slow" in each.keywords]
        assert [slow.count(file) for file in dict.fromkeys(slow)] == [3, 3]


def test_the_longest_files_are_there():
    assert all((quick.ROOT / path).exists() for path in LONGEST)
