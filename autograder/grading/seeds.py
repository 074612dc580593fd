"""Which questions are asked: drawn from a key of the course, so that nobody can know them before.

The key is made once and kept beside the gradebook. With it a run can be repeated exactly; an
assignment gets other questions when its key is removed.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

FOLDER = ".autograder"


def folder(root):
    """The course's folder for what the autograder keeps."""
    place = Path(root) / FOLDER
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def key_of(root):
    """The course's key; made if there is none."""
    path = folder(root) / "key"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text().strip()


def seed_of(root, assignment):
    """The seed of all that is drawn for an assignment."""
    digest = hmac.new(key_of(root).encode(), assignment.encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:4], "big") >> 1
