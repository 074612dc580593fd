"""`nbgrader zip_collect`, with archives from people whom nobody knows.

nbgrader unpacks whatever an archive says, wherever it leads and however much it is, and ends the
whole run at one that is broken. Here an archive yields ordinary files in its own folder, up to a
limit; what is left out of it is said, and the others are unpacked.
"""

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from nbgrader.plugins import ExtractorPlugin
from traitlets import Integer

BROKEN = (OSError, EOFError, ValueError, NotImplementedError, RuntimeError)
BROKEN += (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
STREAMS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
PIECE = 2**18
DEEPEST = 3  # archives in archives in archives
MOST_HEADERS = 2**22  # bytes between two members of a tar: names, times, maps of holes


class TooMuchError(Exception):
    """There is more in an archive than may be."""


class CarefulExtractor(ExtractorPlugin):
    """Unpacks archives, whoever made them."""

    most_bytes = Integer(
        200 * 2**20, help="How much may come out of one file that was handed in."
    ).tag(config=True)
    most_files = Integer(
        2000, help="How many files may come out of one file that was handed in."
    ).tag(config=True)

    def extract(self, archive_path, extracted_path):
        """Unpack, or copy, everything that lies in a folder."""
        source, target = Path(archive_path), Path(extracted_path)
        found = sorted(path for path in source.rglob("*") if not path.is_dir() or path.is_symlink())
        if not found:
            self.log.warning("No files found in directory: %s", source)
        for path in found:
            place, name = target / path.relative_to(source), shown(str(path.relative_to(source)))
            try:
                if not stat.S_ISREG(path.lstat().st_mode):
                    self.log.warning("%s is no ordinary file, and was left out.", name)
                elif path.suffix in self.zip_ext:
                    self.unpack(path, without_suffix(place), name)
                elif path.stat().st_size > self.most_bytes:  # of a sparse file, what it seems to be
                    most = f"{self.most_bytes / 2**20:g} MB"
                    self.log.warning("%s is larger than %s, and was left out.", name, most)
                else:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, place)
            except OSError as error:
                self.log.warning("%s cannot be taken over: %s.", name, error.strerror or error)

    def unpack(self, path, folder, name):
        """Unpack an archive, and the archives in it."""
        left = Allowance(self.most_bytes, self.most_files)
        waiting = [(path, folder, 1)]
        try:
            while waiting:
                archive, place, depth = waiting.pop()
                place.mkdir(parents=True, exist_ok=True)
                for trouble in unpacked(archive, place, left):
                    self.log.warning("%s: %s", name, trouble)
                if depth < DEEPEST:
                    inner = [
                        p for p in place.rglob("*") if p.is_file() and p.suffix in self.zip_ext
                    ]
                    waiting += [(p, without_suffix(p), depth + 1) for p in inner]
        except TooMuchError as error:
            self.log.warning("%s: %s The rest of it was left out.", name, error)


class Allowance:
    """What may still come out of an archive: be read of what is packed in it, and be written."""

    def __init__(self, size, files):
        self.most, self.size, self.room, self.files = size, size, size, files

    def take(self, size):
        self.size -= size
        self.stop_below_zero(self.size)

    def take_room(self, size):
        """What is written may be more than was read: a reader of archives can make things up."""
        self.room -= size
        self.stop_below_zero(self.room)

    def stop_below_zero(self, left):
        if left < 0:
            raise TooMuchError(f"more than {self.most / 2**20:g} MB would come out of it.")

    def take_file(self):
        self.files -= 1
        if self.files < 0:
            raise TooMuchError("too many files would come out of it.")


class Metered:
    """What is read from a file, as long as it is not too much: also what is only skipped.

    Args:
        until: so many bytes may be read; None for all that the allowance has.
    """

    def __init__(self, file, left, until=None):
        self.file, self.left, self.until, self.count = file, left, until, 0

    def read(self, size):
        piece = self.file.read(size)
        self.left.take(len(piece))
        self.count += len(piece)
        if self.until is not None and self.count > self.until:
            raise tarfile.ReadError("a header without end")
        return piece


def without_suffix(path):
    stem = path.name.removesuffix(path.suffix)
    return path.with_name(stem.removesuffix(".tar") or "archive")


def unpacked(path, folder, left):
    """Unpack one archive into a folder; yields sentences on what was left out."""
    try:
        if zipfile.is_zipfile(path):
            yield from from_zip(path, folder, left)
        else:
            yield from from_tar(path, folder, left)
    except BROKEN as error:
        yield f"it is no archive, or is damaged ({error}). What came before that was unpacked."


def from_zip(path, folder, left):
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            left.take_file()
            kind = stat.S_IFMT(member.external_attr >> 16)
            if member.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                yield f"{shown(member.filename)} is no ordinary file, and was left out."
            elif member.flag_bits & 1:
                yield f"{shown(member.filename)} has a password, and was left out."
            else:
                with archive.open(member) as content:
                    yield from put(folder, member.filename, Metered(content, left), left)


def from_tar(path, folder, left):
    with open(path, "rb") as file:
        beginning = file.read(6)
    opened = next((way for magic, way in STREAMS.items() if beginning.startswith(magic)), open)
    with opened(path, "rb") as file:
        # What tarfile skips it reads, too: so everything is counted where it comes out.
        stream = Metered(file, left, MOST_HEADERS)
        # In this mode tarfile only reads, and asks for nothing else of a file.
        with tarfile.open(  # pyright: ignore[reportCallIssue]
            fileobj=stream,  # pyright: ignore[reportArgumentType]
            mode="r|",
            bufsize=PIECE,
        ) as archive:
            while (member := archive.next()) is not None:
                left.take_file()
                # tarfile takes apart a header as a whole, so it may not be of any length.
                stream.until = archive.offset + MOST_HEADERS
                if member.issparse():  # it says how large it is, and nothing has to be there
                    yield f"{shown(member.name)} is a file with holes (sparse), and was left out."
                elif member.isreg():
                    yield from put(folder, member.name, archive.extractfile(member), left)
                elif not member.isdir():
                    yield f"{shown(member.name)} is no ordinary file, and was left out."


def put(folder, name, content, left):
    """Write a file where it belongs, in this folder; yields a sentence if it does not."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/" or "\0" in name or ":" in parts[0]:
        yield f"{shown(name)} would lie outside of its folder, and was left out."
        return
    place = folder.joinpath(*parts)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = open(place, "xb")  # noqa: SIM115 - closed below
    except FileExistsError:
        yield f"{shown(name)} is there twice; the first counts."
        return
    except OSError as error:
        yield f"{shown(name)} cannot be written: {error.strerror}."
        return
    with file:
        while piece := content.read(PIECE):
            left.take_room(len(piece))
            file.write(piece)


def shown(name):
    """A name as it can be shown in a terminal."""
    return "".join(c if c.isprintable() else "�" for c in name)[:100]
