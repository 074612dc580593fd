"""The key that questions are drawn from: whole, or nothing is graded."""

import errno
import multiprocessing
import os
import re
import stat

import pytest

from autograder import aside
from autograder.grading import seeds
from autograder.grading.trouble import CourseError


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    key = seeds.key_of(tmp_path)
    assert re.fullmatch(rb"[0-9a-f]{64}", key)
    assert seeds.key_of(tmp_path) == key
    path = tmp_path / ".autograder" / "key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["key"]


@pytest.mark.parametrize("content", [b"", b"\n", b"0" * 63, b"0" * 65, b"g" * 64, b"\0" * 64])
def test_a_damaged_key_is_refused(tmp_path, content):
    path = seeds.folder(tmp_path) / "key"
    path.write_bytes(content)
    for use in (seeds.key_of, seeds.seal_of, seeds.seal_if_any):
        with pytest.raises(CourseError, match="is damaged") as caught:
            use(tmp_path)
        assert str(path) in str(caught.value)
        assert "everyone gets new questions, and is graded again" in str(caught.value)
    with pytest.raises(CourseError):
        seeds.seed_of(tmp_path, "01_attention")
    assert path.read_bytes() == content


def test_a_full_disk_leaves_no_key(tmp_path, monkeypatch):
    real = os.write

    def full(descriptor, data):
        if len(data) > 10:
            return real(descriptor, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(aside.os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        seeds.key_of(tmp_path)
    assert list((tmp_path / ".autograder").iterdir()) == []
    monkeypatch.undo()
    assert len(seeds.key_of(tmp_path)) == 64


def key_at_once(folder, barrier, found):
    barrier.wait()
    found.put(seeds.key_of(folder))


def test_runs_that_begin_at_once_agree_on_one_key(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, found = context.Barrier(4), context.Queue()
    runs = [context.Process(target=key_at_once, args=(tmp_path, barrier, found)) for _ in range(4)]
    for run in runs:
        run.start()
    assert len({found.get(timeout=30) for _ in runs}) == 1
    for run in runs:
        run.join()


def test_where_files_cannot_be_linked(tmp_path, monkeypatch):
    def no_link(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(aside.os, "link", no_link)
    assert seeds.key_of(tmp_path) == seeds.key_of(tmp_path)


def test_the_seal_and_the_questions_are_drawn_apart(tmp_path):
    assert seeds.seal_if_any(tmp_path) is None
    assert not (tmp_path / ".autograder").exists()
    seal = seeds.seal_of(tmp_path)
    assert seal == seeds.seal_if_any(tmp_path)
    assert len(seal) == 32
    assert seeds.seed_of(tmp_path, "a") != seeds.seed_of(tmp_path, "b")
    assert int.from_bytes(seal[:4], "big") >> 1 != seeds.seed_of(tmp_path, "records")
