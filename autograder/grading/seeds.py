"""Which questions are asked: drawn from a key of the course, so that nobody can know them before.

The key is made once and kept beside the gradebook. With it a run can be repeated exactly; an
assignment gets other questions when its key is removed. What seals the records is drawn from it
too, in another way, so that neither tells anything about the other.
"""

import hashlib
import hmac
import re
import secrets
from pathlib import Path

from .. import aside
from .trouble import CourseError

FOLDER = ".autograder"
BYTES = 32
WHOLE = re.compile(rf"[0-9a-f]{{{2 * BYTES}}}".encode())
RECORDS = b"\0records"  # no assignment has such a name


def folder(root: str | Path) -> Path:
    """The course's folder for what the autograder keeps."""
    place = Path(root) / FOLDER
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def key_of(root: str | Path) -> bytes:
    """The course's key; made if there is none. Only its owner may read it."""
    path = folder(root) / "key"
    if not path.exists():
        aside.create(path, secrets.token_hex(BYTES).encode())
    return whole_key(path)


def whole_key(path):
    """The key in a file; CourseError if it is not as it was made."""
    key = path.read_bytes().strip()
    if WHOLE.fullmatch(key):
        return key
    raise CourseError(
        f"{path} is damaged: a key is {2 * BYTES} of the characters 0-9 and a-f, and this file "
        f"holds {f'{len(key)} bytes of something else' if key else 'nothing'}. A full disk can do "
        f"that. Nothing was graded: the questions are drawn from this key, and others could guess "
        f"them.\nIf you have a copy of the file, put it back. If not, delete it: the next run "
        f"makes a new key. With it everyone gets new questions, and is graded again."
    )


def seed_of(root: str | Path, assignment: str) -> int:
    """The seed of all that is drawn for an assignment."""
    digest = hmac.new(key_of(root), assignment.encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def seal_of(root):
    """The key that records are sealed with."""
    return drawn_from(key_of(root))


def seal_if_any(root):
    """The same; None if the course has no key, and then none is made."""
    path = Path(root) / FOLDER / "key"
    return drawn_from(whole_key(path)) if path.exists() else None


def drawn_from(key):
    return hmac.new(key, RECORDS, hashlib.sha256).digest()
