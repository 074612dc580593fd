"""Archives that were handed in: nothing leaves its folder, nothing fills the disk."""

import gzip
import io
import logging
import os
import stat
import tarfile
import zipfile

import pytest

from autograder.grading.nbgrader.archives import CarefulExtractor

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


def holes_by_gnu(size):
    """A member of GNU's old kind that is all hole; tar calls its own size `realsize`."""
    block = bytearray(tarfile.TarInfo("01.ipynb").tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[386:410] = f"{size:011o}\0{0:011o}\0".encode()  # the only piece: at the end, of nothing
    block[483:495] = f"{size:011o}\0".encode()
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


def holes_by_pax(size, **headers):
    member = tarfile.TarInfo("01.ipynb")
    body = b""
    if "GNU.sparse.major" in headers:  # the map lies in the file itself
        body = f"1\n{size}\n0\n".encode().ljust(512, b"\0")
    member.size = len(body)
    member.pax_headers = headers
    return member.tobuf(tarfile.PAX_FORMAT) + body


HOLES = 2**30
SPARSE = {
    "gnu": holes_by_gnu(HOLES),
    "pax 0.0": holes_by_pax(
        HOLES,
        **{
            "GNU.sparse.size": str(HOLES),
            "GNU.sparse.numblocks": "1",
            "GNU.sparse.offset": str(HOLES),
            "GNU.sparse.numbytes": "0",
        },
    ),
    "pax 0.1": holes_by_pax(
        HOLES, **{"GNU.sparse.map": f"{HOLES},0", "GNU.sparse.size": str(HOLES)}
    ),
    "pax 1.0": holes_by_pax(
        HOLES,
        **{
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.realsize": str(HOLES),
            "GNU.sparse.name": "01.ipynb",
        },
    ),
}


@pytest.mark.parametrize("kind", SPARSE)
def test_a_member_that_is_mostly_holes_is_left_out_and_named(archive, extract, caplog, kind):
    bytes_in = SPARSE[kind] + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(bytes_in)) as made:
        [member] = made.getmembers()
        assert member.issparse()
        assert member.size == HOLES  # so much tarfile would make of these few bytes
    rest = io.BytesIO()
    with tarfile.open(fileobj=rest, mode="w") as made:
        member = tarfile.TarInfo("02.ipynb")
        member.size = len(NOTEBOOK)
        made.addfile(member, io.BytesIO(NOTEBOOK))
    (archive / "ada.tar.gz").write_bytes(gzip.compress(SPARSE[kind] + rest.getvalue()))
    assert extract(most_bytes=2**20) == {"ada/02.ipynb": NOTEBOOK}
    assert "01.ipynb is a file with holes (sparse), and was left out" in caplog.text


def test_what_is_written_counts_and_not_only_what_is_read(archive, extract, caplog, monkeypatch):
    """Should a reader of archives make up what is not there, as tarfile does for holes."""
    monkeypatch.setattr(tarfile.TarInfo, "issparse", lambda member: False)
    (archive / "ada.tar.gz").write_bytes(gzip.compress(SPARSE["gnu"] + bytes(1024)))
    found = extract(most_bytes=2**20)
    assert len(found["ada/01.ipynb"]) <= 2**20
    assert "more than 1 MB would come out of it" in caplog.text


@pytest.mark.parametrize("kind", ["header", "map of holes"])
def test_a_header_that_never_ends(archive, extract, caplog, kind):
    """tarfile would make a list of all of it, far larger than the archive."""
    with gzip.open(archive / "ada.tar.gz", "wb") as file:
        if kind == "header":
            member = tarfile.TarInfo("a")
            member.type, member.size = tarfile.XHDTYPE, 2**26
            file.write(member.tobuf(tarfile.USTAR_FORMAT))
        else:
            block = bytearray(holes_by_gnu(HOLES))
            block[482] = 1  # more of the map follows
            block[148:156] = b" " * 8
            block[148:156] = f"{sum(block):06o}\0 ".encode()
            file.write(block)
        block = bytearray(b"00000000001\0" * 42).ljust(512, b"\0")
        block[504] = 1
        for _ in range(2**5):
            file.write(bytes(block) * 2**9)
    assert extract() == {}
    assert "a header without end" in caplog.text


def test_a_file_beside_the_archives_is_no_larger_than_what_comes_out_of_one(
    archive, extract, caplog
):
    (archive / "cyd_01.ipynb").write_bytes(NOTEBOOK)
    with open(archive / "dan_01.ipynb", "wb") as file:
        file.truncate(2**40)  # nothing on the disk
    assert extract() == {"cyd_01.ipynb": NOTEBOOK}
    assert "dan_01.ipynb is larger than 200 MB, and was left out" in caplog.text


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
