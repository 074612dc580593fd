"""A learner's own copies of notebooks and exercises, where the course is installed and there is no
checkout: `autograder lessons DIR`."""

import sys
from pathlib import Path

from .build import built
from .places import HOME


def main(folder):
    """Write what is not there yet into a folder; what is there may hold somebody's work."""
    place = Path(folder)
    try:
        written, left = copy_into(place)
    except OSError as error:
        print(f"{error.filename or place} cannot be written: {error.strerror}.", file=sys.stderr)
        return 2
    if left:
        print(f"Left as it is, for there may be something of yours in it: {', '.join(left)}.")
    print(f"{len(written)} notebooks and files with exercises are in {place} now.")
    print(f"Next: cd {place} && jupyter lab notebooks/00_start.ipynb")
    return 0


def copy_into(place):
    """(names that were written, names that were there)"""
    written, left = [], []
    for path, text in built().items():
        name = path.relative_to(HOME)
        target = place / name
        if target.exists():
            there = target.read_text(encoding="utf-8", errors="replace")
            left += [str(name)] if there != text else []
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(str(name))
    return written, left
