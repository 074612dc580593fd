"""The course for students, without its answers: `autograder release DIR`."""

import shlex
import sys
from pathlib import Path

from ...engine.course import current, load
from .new_course import chosen, is_taken

MEGABYTE = 2**20


def main(options):
    """`autograder release DIR`"""
    folder, course = Path(options.folder), current()
    if is_taken(folder):
        return 2
    if not course.edition:
        print(f"{course.title} says nothing of an edition for students.", file=sys.stderr)
        return 2
    try:
        names = chosen(list(load(course.assignments)()), options.lessons)
        print("Every known mistake is tried and sealed, which takes some minutes.", flush=True)
        paths = load(course.edition)(folder, names)
    except ValueError as error:  # with a lesson; it says what is wrong
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or folder} cannot be written: {error.strerror}.", file=sys.stderr)
        return 2
    print(f"{folder} holds the students' edition of {', '.join(names)}:")
    for path in paths:
        print(f"  {path.name} ({path.stat().st_size / MEGABYTE:.1f} MB)")
    print("Students unpack the archive and start JupyterLab in it, or install both wheels:")
    print(f"  pip install {shlex.quote(str(folder))}/*.whl")
    return 0
