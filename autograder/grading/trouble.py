"""What is wrong with a course's folder or gradebook, in sentences that say what to do."""

import errno
import os

from sqlalchemy.exc import OperationalError

FULL = (errno.ENOSPC, errno.EDQUOT)
FOR_ALL = (*FULL, errno.EROFS, errno.EIO)  # no other submission would fare better
LOCKED = (
    "The gradebook is locked: another program is writing into it, or keeps it open with something "
    "that isn't saved. Close that program (the formgrader, another nbgrader command, a database "
    "viewer) and try again."
)
# What SQLite says, and what it means.
GRADEBOOK = {
    "is locked": LOCKED,
    "is full": "The disk that the gradebook is on is full. Make room there.",
    "readonly": "The gradebook can't be written: you may only read it, or the folder it is in.",
    "unable to open": "The gradebook can't be opened: you may not read it, or its folder is gone.",
    "disk I/O": "The gradebook can't be written: the disk reports an error (or is full).",
}


class CourseError(Exception):
    """Something that somebody has to put right first; says what."""


class StopError(CourseError):
    """The same, when a run is under way: all that comes after would fail in the same way."""


def of_file(error, path):
    """A sentence about an OSError.

    Args:
        path: what was being written, if the error does not know.
    """
    path = error.filename2 or error.filename or path
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if error.errno in FULL:
        return f"The disk is full: {path} can't be written. Make room there."
    if error.errno == errno.EROFS:
        return (
            f"{path} can't be written: this file system is read-only. Grading writes to "
            f"autograded/, to .autograder/ and to the gradebook; copy the course to a place where "
            f"you may write."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{path} can't be read or written: its owner doesn't allow you to."
    return f"{path}: {error.strerror or error}."


def of_gradebook(error):
    """A sentence about an error of the database; "" for what needs more than a sentence."""
    said = str(getattr(error, "orig", error))
    return next((sentence for words, sentence in GRADEBOOK.items() if words in said), "")


def sentence(error, path):
    """A sentence about whatever ends a run before it has begun."""
    if isinstance(error, CourseError):
        return str(error)
    return for_all(error, path) or of_file(error, path)


def for_all(error, path):
    """A sentence, if an error would meet every other submission as well; "" otherwise."""
    if isinstance(error, OSError):
        return of_file(error, path) if error.errno in FOR_ALL else ""
    if isinstance(error, OperationalError):  # what the database has, and not what it was given
        return of_gradebook(error) or f"The gradebook says: {str(error.orig).strip()}."
    return ""
