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
    """What may still come out of an archive."""

    def __init__(self, size, files):
        self.most, self.size, self.files = size, size, files

    def take(self, size):
        self.size -= size
        if self.size < 0:
            raise TooMuchError(f"more than {self.most / 2**20:g} MB would come out of it.")

    def take_file(self):
        self.files -= 1
        if self.files < 0:
            raise TooMuchError("too many files would come out of it.")


class Stream:
    """What is read from a file, as long as it is not too much: also what is only skipped."""

    def __init__(self, file, left):
        self.file, self.left = file, left

    def read(self, size):
        piece = self.file.read(size)
        self.left.take(len(piece))
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
                    yield from put(folder, member.filename, Stream(content, left))


def from_tar(path, folder, left):
    with open(path, "rb") as file:
        beginning = file.read(6)
    opened = next((way for magic, way in STREAMS.items() if beginning.startswith(magic)), open)
    with (
        opened(path, "rb") as file,
        # What tarfile skips it reads, too: so everything is counted where it comes out.
        tarfile.open(fileobj=Stream(file, left), mode="r|", bufsize=PIECE) as archive,
    ):
        for member in archive:
            left.take_file()
            if member.isreg():
                yield from put(folder, member.name, archive.extractfile(member))
            elif not member.isdir():
                yield f"{shown(member.name)} is no ordinary file, and was left out."


def put(folder, name, content):
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
            file.write(piece)


def shown(name):
    """A name as it can be shown in a terminal."""
    return "".join(c if c.isprintable() else "�" for c in name)[:100]
