"""A folder that was handed in: when, and what lies in it beside the notebooks.

Both doors, `autograder grade` and nbgrader's own command, ask here. Only ordinary files that lie in
the folder itself are taken over, up to a limit; what is not is named.
"""

import itertools
import os
import stat
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
from nbgrader.utils import parse_utc

from .remarks import listed

MOST_FILES = 200
MOST_BYTES = 32 * 2**20
MOST_LOOKED_AT = 10_000  # files and folders
DEEPEST = 20  # folders in folders
WHEN = "timestamp.txt"
LONGEST_TIME = 100  # characters
EARLIEST = datetime(1970, 1, 1)
CLOCKS_DIFFER = timedelta(days=1)


def students_folder(directory):
    """The folder in which all students' are, as nbgrader's CourseDirectory says it: what lies
    above is the instructor's, and may be a link."""
    pattern = Path(directory.format_path(directory.submitted_directory, "*", "*"))
    parts = itertools.takewhile(lambda part: part != "*", pattern.parts)
    return Path(*parts)


# --- When -----------------------------------------------------------------------------------------


def handed_in_at(folder):
    """(when that was, if it is known; a sentence if what stands there cannot be)."""
    path = Path(folder) / WHEN
    if not os.path.lexists(path):
        return None, ""
    try:
        if not stat.S_ISREG(path.lstat().st_mode) or path.stat().st_size > LONGEST_TIME:
            raise ValueError
        found = parse_utc(path.read_text(encoding="utf-8").strip() or "nothing")
    except Exception:  # dateutil has many ways of saying that a text is no time
        return None, f"{WHEN} holds no time; it counts as handed in on time."
    now = datetime.now(UTC).replace(tzinfo=None)
    if EARLIEST <= found <= now + CLOCKS_DIFFER:
        return found, ""
    why = "is still to come" if found > now else "cannot be"
    return None, f"{WHEN} says {found.date()}, which {why}; it counts as handed in on time."


# --- What lies beside a notebook ------------------------------------------------------------------


def beside(folder, ignore=()):
    """({name: path} of what is taken over, sentences on what is not).

    Args:
        ignore: patterns of names that are passed over without a word.
    """
    found = list(itertools.islice(walk(folder, [*ignore, "*.ipynb"]), MOST_LOOKED_AT + 1))
    sentences = []
    if len(found) > MOST_LOOKED_AT:
        most = f"{MOST_LOOKED_AT:,} files and folders"
        sentences.append(f"More than {most} were handed in; the others were not looked at.")
    odd, files = [], {}
    for entry in found[:MOST_LOOKED_AT]:
        if entry.is_file(follow_symlinks=False):
            files[os.path.relpath(entry.path, folder)] = Path(entry.path)
        elif not entry.is_dir(follow_symlinks=False):
            odd.append(os.path.relpath(entry.path, folder))
    deep = [entry for entry in found if is_too_deep(entry, folder)]
    kept, left = fitting(files)
    if deep:
        sentences.append(f"Folders in more than {DEEPEST} folders were not looked at.")
    if odd:
        sentences.append(f"Not taken over, as only ordinary files are: {listed(odd)}.")
    if left:
        sentences.append(f"Not taken over, as {limit()}: {named(left, files)}.")
    return kept, sentences


def walk(folder, ignore=(), depth=1):
    """Entries of a folder and of those in it, not of what links lead to."""
    try:
        with os.scandir(folder) as there:
            some = itertools.islice(there, MOST_LOOKED_AT + 1)
            entries = sorted(some, key=lambda entry: entry.name)
    except OSError:  # it is not to be read, or is gone
        return
    for entry in entries:
        if not any(fnmatch(entry.name, pattern) for pattern in ignore):
            yield entry
            if entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
                yield from walk(entry.path, ignore, depth + 1)


def is_too_deep(entry, folder):
    parts = Path(os.path.relpath(entry.path, folder)).parts
    return len(parts) >= DEEPEST and entry.is_dir(follow_symlinks=False)


def fitting(files):
    """({name: path} of as many files as may be, names of the others, the largest first); small ones
    are taken first, so that a large one costs no other its place."""
    size = {name: path.stat().st_size for name, path in files.items()}
    kept, total = {}, 0
    is_when = {name: name == WHEN and size[name] <= LONGEST_TIME for name in files}
    for name in sorted(files, key=lambda name: (not is_when[name], size[name], name)):
        total += size[name]
        if total > MOST_BYTES or len(kept) == MOST_FILES:
            break
        kept[name] = files[name]
    left = sorted(set(files) - set(kept), key=lambda name: (-size[name], name))
    return dict(sorted(kept.items())), left


def limit():
    return f"there may be {MOST_FILES} files with {MOST_BYTES // 2**20} MB together"


def named(names, files):
    """Some of these files, and how large all of them are."""
    total = sum(files[name].stat().st_size for name in names)
    return f"{listed(names)} ({total / 2**20:,.0f} MB)"


def contents(files):
    """(name, content) of files for the sandbox, as many as may be."""
    found = []
    for name, path in fitting(files)[0].items():
        data = np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()
        found.append((name, torch.from_numpy(data)))
    return found


def not_given(files):
    """Sentences on what the sandbox does not get, though it was taken over: the instructor's files
    and the learner's are too much together."""
    left = fitting(files)[1]
    return [f"Not there for the cells, as {limit()}: {named(left, files)}."] if left else []


def below(folder, name):
    """Ordinary files of this name in the folders of a folder."""
    found = itertools.islice(walk(folder), MOST_LOOKED_AT)
    found = [entry for entry in found if entry.name == name]
    return [Path(entry.path) for entry in found if entry.is_file(follow_symlinks=False)]


def files_in(folder):
    """{name: path} of the ordinary files in a folder that are no notebooks."""
    found = (entry for entry in walk(folder, ["*.ipynb"]) if entry.is_file(follow_symlinks=False))
    return {os.path.relpath(entry.path, folder): Path(entry.path) for entry in found}
