"""Cgroups, on a made-up file system: this kind of machine is not always at hand."""

import os

import pytest

from autograder.sandbox import cgroup
from autograder.sandbox.walls import Limits


@pytest.fixture
def tree(tmp_path):
    """A cgroup that was handed to us, with one process in it; and what tells which it is."""
    place = tmp_path / "sys" / "user.slice" / "run.scope"
    place.mkdir(parents=True)
    (place / "cgroup.controllers").write_text("cpu memory pids\n")
    (place / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (place / "cgroup.subtree_control").write_text("")
    told = tmp_path / "told"
    told.write_text("1:cpu:/\n0::/user.slice/run.scope\n")
    return place, told


def test_ours_is_found_if_it_has_what_is_needed(tree, tmp_path):
    place, told = tree
    assert cgroup.ours(tmp_path / "sys", told) == place
    (place / "cgroup.controllers").write_text("cpu hugetlb\n")
    assert cgroup.ours(tmp_path / "sys", told) is None
    told.write_text("1:cpu:/\n")
    assert cgroup.ours(tmp_path / "sys", told) is None
    assert cgroup.ours(tmp_path / "sys", tmp_path / "nowhere") is None


def test_a_second_process_of_ours_finds_the_same(tree, tmp_path):
    place, told = tree
    cgroup.divide(place)
    (place / cgroup.LEADER / "cgroup.controllers").write_text("memory pids\n")
    told.write_text(f"0::/user.slice/run.scope/{cgroup.LEADER}\n")
    assert cgroup.ours(tmp_path / "sys", told) == place


def test_it_is_divided(tree):
    place, _ = tree
    cgroup.divide(place)
    assert (place / cgroup.LEADER / "cgroup.procs").read_text() == str(os.getpid())
    assert (place / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_a_child_gets_its_limits(tree):
    place, _ = tree
    child = cgroup.Cgroup(place, Limits(memory=1000, threads=7))
    child.take(4711)
    written = {path.name: path.read_text() for path in child.folder.iterdir()}
    assert written["memory.max"] == "1000"
    assert written["pids.max"] == "7"
    assert written["cgroup.procs"] == "4711"
    assert not child.ran_out_of_memory()
    (child.folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert child.ran_out_of_memory()
    child.close()  # made-up folders are not empty, and stay
    assert (child.folder / "cgroup.kill").read_text() == "1"


def test_where_there_is_none_it_is_one_layer_less(keeper):
    with keeper.open() as box:
        assert ("cgroup" in box.layers) == (keeper.cgroup is not None)
