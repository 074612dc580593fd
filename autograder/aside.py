"""Files and folders that are there whole or not at all: made aside, and moved into their places.

Aside is always the folder that they belong into, so that moving never leaves the file system.
"""

import contextlib
import errno
import os
import secrets
import shutil

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)  # says a file system


def write(path, data):
    """Put a file there, in place of what was there before."""
    with written(path, data) as beside:
        os.replace(beside, path)


def create(path, data):
    """Put a file there if there is none; of several who try at once, one does."""
    with written(path, data) as beside:
        try:
            os.link(beside, path)
        except FileExistsError:
            return
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if not path.exists():
                os.replace(beside, path)
    sync(path.parent)


@contextlib.contextmanager
def written(path, data):
    """A file beside another that only we may read; it is on the disk, or there is an OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            write_all(descriptor, data)
        finally:
            os.close(descriptor)
        yield beside
    except OSError as error:
        error.filename = str(path)  # what somebody knows, and not what it is called meanwhile
        raise
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def write_all(descriptor, data):
    """Write, and see to it that it is on the disk."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)


def sync(folder):
    """See to it that a folder's entries are on the disk, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Exchange:
    """A folder that is made aside, and then takes the place of another.

    Leave it with an exception, and the other is back where it was.

    Args:
        target: the place, whether there is something or not.
    """

    def __init__(self, target):
        parent = target.parent.resolve()  # it may be a link that leads to another disk
        self.target = parent / target.name
        self.fresh, self.old = parent / f".{target.name}.new", parent / f".{target.name}.old"

    def __enter__(self):
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if self.old.exists() and not self.target.exists():  # a run was killed between two moves
            self.old.rename(self.target)
        self.clean_up()
        self.fresh.mkdir()
        return self

    def move_in(self):
        if self.target.exists():
            self.target.rename(self.old)
        self.fresh.rename(self.target)

    def __exit__(self, kind, *_):
        if kind is not None:
            self.put_back()
        self.clean_up()

    def put_back(self):
        """What was there before, if we have moved anything."""
        moved_in = not self.fresh.exists()
        if moved_in:
            remove(self.target)
        if self.old.exists():
            self.old.rename(self.target)

    def clean_up(self):
        remove(self.fresh)
        remove(self.old)


def remove(folder):
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
