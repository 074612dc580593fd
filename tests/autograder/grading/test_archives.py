"""Archives that were handed in: nothing leaves its folder, nothing fills the disk."""

import gzip
import io
import logging
import os
import stat
import tarfile
import zipfile

import pytest

from autograder.grading.archives import CarefulExtractor

NOTEBOOK = b'{"cells": []}'


@pytest.fixture
def archive(tmp_path):
    place = tmp_path / "archive"
    place.mkdir()
    return place


@pytest.fixture
def extract(tmp_path, archive, caplog):
    """Extract all archives; gives {name: content} of what lies there then."""

    def extract(**settings):
        target = tmp_path / "extracted"
        target.mkdir()
        plugin = CarefulExtractor(**settings)
        plugin.log = logging.getLogger("extractor")
        with caplog.at_level(logging.INFO):
            plugin.extract(str(archive), str(target))
        assert not [path for path in target.rglob("*") if path.is_symlink()]
        assert {path.name for path in tmp_path.iterdir()} <= {"archive", "extracted", "secret"}
        files = [path for path in target.rglob("*") if path.is_file()]
        return {str(path.relative_to(target)): path.read_bytes() for path in files}

    return extract


def zipped(path, members, **more):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **more) as made:
        for name, content in members:
            made.writestr(name, content)


def tarred(path, members):
    """Members are (TarInfo, content)."""
    with tarfile.open(path, "w:gz") as made:
        for member, content in members:
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))


def test_ordinary_archives_and_files(archive, extract):
    zipped(archive / "ada.zip", [("hw/01.ipynb", NOTEBOOK), ("hw/", b"")])
    tarred(archive / "bea.tar.gz", [(tarfile.TarInfo("01.ipynb"), NOTEBOOK)])
    (archive / "cyd_01.ipynb").write_bytes(NOTEBOOK)
    (archive / "below").mkdir()
    zipped(archive / "below" / "dan.zip", [("01.ipynb", NOTEBOOK)])
    assert extract() == {
        "ada/hw/01.ipynb": NOTEBOOK,
        "bea/01.ipynb": NOTEBOOK,
        "cyd_01.ipynb": NOTEBOOK,
        "below/dan/01.ipynb": NOTEBOOK,
    }


def test_an_archive_in_an_archive(archive, extract):
    inner = io.BytesIO()
    zipped(inner, [("01.ipynb", NOTEBOOK)])
    zipped(archive / "all.zip", [("ada.zip", inner.getvalue())])
    assert extract()["all/ada/01.ipynb"] == NOTEBOOK


def test_a_zip_bomb(archive, extract, caplog):
    zipped(archive / "ada.zip", [("01.ipynb", NOTEBOOK), ("bomb", bytes(2**26))])
    zipped(archive / "bea.zip", [("01.ipynb", NOTEBOOK)])
    found = extract(most_bytes=2**20)
    assert found["ada/01.ipynb"] == found["bea/01.ipynb"] == NOTEBOOK
    assert sum(map(len, found.values())) < 2**21
    assert "ada.zip: more than 1 MB would come out of it" in caplog.text
    assert "bea.zip" not in caplog.text


def test_a_bomb_of_archives_in_archives(archive, extract, caplog):
    content = bytes(2**22)
    for _ in range(6):
        inner = io.BytesIO()
        zipped(inner, [(f"{n}.zip", content) for n in range(10)])
        content = inner.getvalue()
    (archive / "ada.zip").write_bytes(content)
    found = extract(most_bytes=2**24, most_files=200)
    assert len(found) <= 200
    assert sum(map(len, found.values())) <= 2**24 + 2**18


def test_many_files(archive, extract, caplog):
    zipped(archive / "ada.zip", [(f"{n}.txt", b"") for n in range(3000)])
    assert len(extract(most_files=100)) == 100
    assert "too many files would come out of it" in caplog.text


@pytest.mark.parametrize("kind", ["skipped", "header"])
def test_a_tar_that_is_mostly_skipped(archive, extract, caplog, kind):
    with gzip.open(archive / "ada.tar.gz", "wb") as file:
        member = tarfile.TarInfo("a")
        member.type = b"Q" if kind == "skipped" else tarfile.XHDTYPE
        member.size = 2**27
        file.write(member.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(2**7):
            file.write(bytes(2**20))
    assert extract(most_bytes=2**20) == {}
    assert "ada.tar.gz: " in caplog.text


@pytest.mark.parametrize(
    "name", ["../out.txt", "a/../../out.txt", "/tmp/out.txt", "..\\out.txt", "C:\\out"]
)
def test_paths_that_lead_elsewhere(archive, extract, caplog, name):
    zipped(archive / "ada.zip", [(name, b"out"), ("01.ipynb", NOTEBOOK)])
    tarred(archive / "bea.tar.gz", [(tarfile.TarInfo(name), b"out")])
    found = extract()
    assert found == {"ada/01.ipynb": NOTEBOOK}
    assert caplog.text.count("would lie outside of its folder") == 2


def test_links_and_devices(archive, extract, caplog, tmp_path):
    (tmp_path / "secret").write_text("a gradebook")
    link = zipfile.ZipInfo("01.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    zipped(archive / "ada.zip", [(link, str(tmp_path / "secret"))])
    members = []
    for number, kind in enumerate(
        (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
    ):
        member = tarfile.TarInfo(f"{number}.ipynb")
        member.type, member.linkname = kind, str(tmp_path / "secret")
        members.append((member, b""))
    folder = tarfile.TarInfo("folder")
    folder.type, folder.linkname = tarfile.SYMTYPE, str(tmp_path)
    through = tarfile.TarInfo("folder/out.txt")
    tarred(archive / "bea.tar.gz", [*members, (folder, b""), (through, b"inside")])
    (archive / "cyd.ipynb").symlink_to(tmp_path / "secret")
    os.mkfifo(archive / "dan.ipynb")
    assert extract() == {"bea/folder/out.txt": b"inside"}
    assert caplog.text.count("is no ordinary file, and was left out") == 8


def test_names_that_are_there_twice_or_clash(archive, extract, caplog):
    with pytest.warns(UserWarning, match="Duplicate name"):
        zipped(archive / "ada.zip", [("a", b"1"), ("a", b"2"), ("a/b", b"3"), ("x" * 300, b"4")])
    assert extract() == {"ada/a": b"1"}
    assert "there twice; the first counts" in caplog.text
    assert "cannot be written" in caplog.text


def test_damaged_archives_end_nothing(archive, extract, caplog):
    zipped(archive / "ada.zip", [("01.ipynb", NOTEBOOK * 100), ("02.ipynb", NOTEBOOK * 100)])
    whole = (archive / "ada.zip").read_bytes()
    (archive / "bea.zip").write_bytes(whole[: len(whole) // 2])
    (archive / "cyd.zip").write_bytes(b"")
    (archive / "dan.tar.gz").write_bytes(b"\x1f\x8b" + os.urandom(100))
    tarred(archive / "eve.tar.gz", [(tarfile.TarInfo("01.ipynb"), os.urandom(2**16))])
    cut = (archive / "eve.tar.gz").read_bytes()
    (archive / "eve.tar.gz").write_bytes(cut[: len(cut) // 2])
    (archive / "fay.gz").write_bytes(gzip.compress(b"just a text"))
    found = extract()
    assert {"ada/01.ipynb", "ada/02.ipynb"} <= set(found)
    for name in ("bea.zip", "cyd.zip", "dan.tar.gz", "eve.tar.gz", "fay.gz"):
        assert f"{name}: it is no archive, or is damaged" in caplog.text
    assert "Traceback" not in caplog.text


def test_an_empty_folder(extract, caplog):
    assert extract() == {}
    assert "No files found" in caplog.text
