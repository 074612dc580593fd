"""A file of records that shows whether a line was changed, moved or cut off.

Each line has its number, the hash of the line before, and a seal: a code over all of it that nobody
can make without the course's key. So a change shows, in whichever line. What is cut off at the end
leaves no trace there: how many lines there are is kept in a second file, the head, sealed as well.

A line is written first and the head moved after it. Whoever is killed in between leaves one line
more than the head knows, with a good seal; whoever is killed in a line leaves a piece of one, and a
head that never knew of it. A cut looks otherwise: then the head knows of more lines than there are.
"""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
from dataclasses import dataclass, field

from .. import aside

BESIDE = ".head"  # what the head's name ends with
SEAL = b'"seal": "'


class Sealer:
    """Makes and tests seals.

    Args:
        key: bytes that nobody else knows.
        name: of the book: a line of one is none of another.
    """

    def __init__(self, key, name):
        self.key, self.name = key, name
        self.id = self.code(b"id", "")[:8]  # which key it was, which tells nothing about the key

    def code(self, kind, text):
        said = b"\0".join([kind, self.name.encode("utf-8", "surrogateescape"), text.encode()])
        return hmac.new(self.key, said, hashlib.sha256).hexdigest()

    def sealed(self, kind, entry):
        """The entry with its seal, as text."""
        entry = entry | {"by": self.id}
        return text_of(entry | {"seal": self.code(kind, text_of(entry))})

    def state(self, kind, line):
        """(what a line says, and of its seal: "good", "bad", "none" or "another key's")"""
        try:
            entry = json.loads(line)
        except ValueError:
            return None, "bad"
        if not isinstance(entry, dict):
            return None, "bad"
        if "seal" not in entry:
            return entry, "none"
        if entry.get("by") != self.id:
            return entry, "another key's"
        unsealed = {name: value for name, value in entry.items() if name != "seal"}
        right = hmac.compare_digest(str(entry["seal"]), self.code(kind, text_of(unsealed)))
        return entry, "good" if right and text_of(entry).encode() == line else "bad"


def text_of(entry):
    return json.dumps(entry, sort_keys=True)


def hash_of(line):
    return hashlib.sha256(line).hexdigest() if line else ""


@dataclass(frozen=True)
class Head:
    """What is known of a book from outside of it.

    Args:
        lines: the number of the last line.
        last: its hash.
        state: of its own seal, or "missing".
    """

    lines: int = 0
    last: str = ""
    state: str = "missing"


def head_path(path):
    return path.with_suffix(BESIDE)


def read_head(path, sealer):
    try:
        line = head_path(path).read_bytes().strip()
    except FileNotFoundError:
        return Head()
    said, state = sealer.state(b"head", line)
    try:
        return Head(int(said["lines"]), str(said["last"]), "bad" if state == "none" else state)
    except (TypeError, KeyError, ValueError):
        return Head(state="bad")


def write_head(path, sealer, lines, last):
    text = sealer.sealed(b"head", {"lines": lines, "last": last})
    aside.write(head_path(path), text.encode() + b"\n")


# --- Writing --------------------------------------------------------------------------------------


def append(path, record, key):
    """Add a record, and see to it that it is on the disk; OSError, and no line, if it is not."""
    sealer = Sealer(key, path.stem)
    with opened(path) as file:
        last = mended(file)
        head = begun(path, file, last, sealer)
        number, before, doubt = what_comes_next(head, last, sealer)
        entry = {**record, "number": number, "before": before, **doubt}
        line = sealer.sealed(b"line", entry).encode()
        size = os.fstat(file.fileno()).st_size
        try:
            aside.write_all(file.fileno(), line + b"\n")
        except OSError as error:
            with contextlib.suppress(OSError):
                file.truncate(size)
            error.filename = error.filename or str(path)
            raise
        write_head(path, sealer, number, hash_of(line))


@contextlib.contextmanager
def opened(path):
    """The file, to be read and added to, by nobody else meanwhile."""
    with open(path, "a+b", buffering=0) as file:
        with contextlib.suppress(OSError):  # some file systems know no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def mended(file):
    """The last line. What a run that was killed has left behind it is removed; a line that lacks
    nothing but its end gets that."""
    last = last_line(file)
    if not last or last.endswith(b"\n"):
        return last.strip()
    if is_whole(last):
        aside.write_all(file.fileno(), b"\n")
        return last
    file.truncate(file.seek(0, os.SEEK_END) - len(last))
    return last_line(file).strip()


def is_whole(line):
    with contextlib.suppress(ValueError):
        return isinstance(json.loads(line), dict)
    return False


def last_line(file):
    """The last line of a file, however long the file is."""
    size, piece = file.seek(0, os.SEEK_END), 2**14
    while True:
        file.seek(max(0, size - piece))
        lines = file.read().splitlines(keepends=True)
        if len(lines) > 1 or piece >= size:
            return lines[-1] if lines else b""
        piece *= 4


def begun(path, file, last, sealer):
    """The head; made before the first line is sealed: a book of sealed lines always has one."""
    head = read_head(path, sealer)
    if head.state in ("missing", "bad"):
        file.seek(0)
        there = file.readall()
        if head.state == "missing" and SEAL not in there:
            write_head(path, sealer, there.count(b"\n"), hash_of(last))
            return read_head(path, sealer)
        return Head(there.count(b"\n"), hash_of(last), head.state)
    return head


def what_comes_next(head, last, sealer):
    """(number of a new line, hash of the one before, what is doubtful about that).

    The head decides. So what was cut off or changed leaves a gap, also when lines are added later.
    """
    entry, state = sealer.state(b"line", last)
    doubt = {"head": head.state} if head.state in ("missing", "bad") else {}
    if state == "good" and (entry["number"] > head.lines or doubt):
        return entry["number"] + 1, hash_of(last), doubt  # it was killed before it moved the head
    return head.lines + 1, head.last, doubt


# --- Looking --------------------------------------------------------------------------------------


@dataclass
class Findings:
    """What a book looks like.

    Args:
        lines: how many there are.
        unsealed: how many of them are older than seals.
        by_others: how many were sealed with another key.
        changed: the numbers of those that are not as they were written.
        missing: {line: how many are missing before it}; 0 stands for the end.
        doubtful: the numbers of lines that were added while there was no good head.
        unfinished: was the last line being written when a run was killed?
        head: what there is to say about the head.
        last: the seal of the last line.
    """

    lines: int = 0
    unsealed: int = 0
    by_others: int = 0
    changed: list[int] = field(default_factory=list)
    missing: dict[int, int] = field(default_factory=dict)
    doubtful: list[int] = field(default_factory=list)
    unfinished: bool = False
    head: str = "good"
    last: str = ""

    @property
    def remarks(self):
        """What else there is to say; none of it is wrong."""
        if self.unfinished:
            yield (
                "After the last line is a piece of another: a run was killed while it wrote it. "
                "The next run grades that submission again."
            )
        if self.unsealed:
            yield f"{self.unsealed} of them were written by a version that had no seals yet."
        if self.by_others and self.head == "good":
            yield (
                f"{self.by_others} of them were sealed with a key that the course no longer has. "
                f"They can't have been changed since the present key was made; whether they were "
                f"before that, nobody can tell."
            )

    @property
    def problems(self):
        """Sentences; none if all is as it was written."""
        found = [f"{lines_called(self.changed)} changed after {wrote(self.changed)}."] * bool(
            self.changed
        )
        for line, count in self.missing.items():
            where = f"before line {line}" if line else "at the end"
            found.append(f"{count_of(count)} missing {where}.")
        if self.doubtful:
            where = ", ".join(map(str, self.doubtful[:10]))
            found.append(
                f"When line {where} was written, the file that counts the lines was gone or "
                f"damaged: lines may be missing before it."
            )
        return found + ([HEADS[self.head]] if self.head in HEADS else [])


def counted(found):
    """How many lines there are, and if all is well the seal to note down."""
    many = "1 line" if found.lines == 1 else f"{found.lines} lines"
    well = f", as {'it was' if found.lines == 1 else 'they were'} written"
    seal = f" The last one's seal: {found.last[:16]}." if found.last else ""
    return f"{many}{'' if found.problems else well}.{'' if found.problems else seal}"


HEADS = {
    "missing": "The file that counts the lines is gone: lines may be missing at the end.",
    "bad": "The file that counts the lines was changed: lines may be missing at the end.",
    "another key's": "The course has another key now than when the last line was written, so "
    "nothing can be said about changes.",
    "no key": "The course has no key (any more), so nothing can be said about changes.",
}


def lines_called(numbers):
    shown = ", ".join(map(str, numbers[:10])) + (", …" if len(numbers) > 10 else "")
    return f"Line {shown} was" if len(numbers) == 1 else f"Lines {shown} were"


def wrote(numbers):
    return "it was written" if len(numbers) == 1 else "they were written"


def count_of(count):
    return "1 line is" if count == 1 else f"{count} lines are"


def look(path, key):
    """The Findings about a book.

    Args:
        key: None if there is none.
    """
    sealer = Sealer(key or b"", path.stem)
    head = read_head(path, sealer)  # first: somebody may be adding a line just now
    whole, _, piece = (path.read_bytes() if path.exists() else b"").rpartition(b"\n")
    lines = whole.split(b"\n") if whole else []
    if is_whole(piece):  # it lacks its end only
        lines, piece = [*lines, piece], b""
    inspection = Inspection(sealer)
    for line in lines:
        inspection.step(line)
    inspection.arrive(head, piece)
    if key is None and inspection.sealed:
        inspection.found.head = "no key"
    return inspection.found


class Inspection:
    """Goes from line to line, and notes what is not as it must be."""

    def __init__(self, sealer):
        self.sealer, self.found = sealer, Findings()
        self.sealed = 0
        self.last, self.number = b"", 0  # the line before, and what it says its number is
        self.trusted = True  # has the line before a good seal, or is there none?

    def step(self, line):
        found = self.found
        found.lines += 1
        entry, state = self.sealer.state(b"line", line)
        entry = entry or {}
        number = entry.get("number") if state in ("good", "another key's") else None
        number = number if type(number) is int else self.number + 1
        # What is no record at all may be half a line that a version without seals left behind.
        if (state == "bad" and is_whole(line)) or (state in ("bad", "none") and self.sealed):
            self.blame(found.lines)
        elif state != "bad":
            self.compare(entry.get("before"), number, state)
        found.unsealed += state == "none"
        found.by_others += state == "another key's"
        found.doubtful += [found.lines] if "head" in entry and state != "none" else []
        self.sealed += state in ("good", "another key's")
        self.trusted = state == "good"
        found.last = str(entry.get("seal", ""))
        self.last, self.number = line, number

    def compare(self, before, number, state):
        """Was a line written behind the one that stands before it now?"""
        if before == hash_of(self.last):
            return
        if number > self.number + 1:
            self.found.missing[self.found.lines] = number - self.number - 1
        elif self.trusted:  # the one before is as it was: so this one stands in a wrong place
            self.blame(self.found.lines)
        else:
            self.blame(self.found.lines - 1)

    def is_the_end(self, head):
        """Is the last line the one that the head knows, or one that we have added since?"""
        same = head.lines == self.number and head.last == hash_of(self.last)
        return same or (self.trusted and head.lines < self.number)

    def blame(self, line):
        if line > 0 and line not in self.found.changed:
            self.found.changed.append(line)

    def arrive(self, head, piece):
        """At the end, with what the head says about it."""
        found = self.found
        is_read = head.state in ("good", "another key's")
        if is_read and head.lines > self.number:
            found.missing[0] = head.lines - self.number
        elif is_read and not self.is_the_end(head):
            self.blame(found.lines)
        found.unfinished = bool(piece) and not found.missing.get(0)
        found.head = head.state if self.sealed or head.state != "missing" else "good"
