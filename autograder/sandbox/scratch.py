"""A folder for the time being, which is removed even if whoever made it was killed."""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

PREFIX = "autograder-"
LOCK = "lock"


class Scratch:
    """A folder that lives as long as its maker.

    The maker holds a lock inside it. A lock ends with the process that holds it, also where process
    numbers mean nothing: in containers, or on several machines that share their temporary files.
    """

    def __init__(self):
        sweep()
        made = Path(tempfile.mkdtemp(prefix=f"new-{PREFIX}"))
        self.lock = locked(made / LOCK, os.O_CREAT)
        # Only now may others see it: they would take a folder without a holder for a left one.
        self.path = made.rename(made.with_name(made.name.removeprefix("new-")))

    def folder(self, name: str) -> Path:
        place = self.path / name
        place.mkdir()
        return place

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def sweep():
    """Remove the folders of processes that were killed and could not do it themselves."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # it is somebody else's, or its maker lives
            if path.lstat().st_uid != os.geteuid():
                continue
            held = locked(path / LOCK)
            shutil.rmtree(path, ignore_errors=True)
            os.close(held)


def locked(path, flags=0):
    """The descriptor of a file that nobody else holds; OSError if somebody does."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("no file")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
