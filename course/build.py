"""Build notebooks/*.ipynb and exercises/*.py from the lessons and solutions/.

`python -m course.build` writes what has changed; `--check` only says what is stale. What somebody
has filled in is never written over, unless `--force` says so.
"""

import argparse
import sys
from pathlib import Path

import nbformat

from autograder.checks import LESSONS, exercises_of

from .lesson import LessonError, lessons
from .notebook import learners, text_of
from .stubs import file_of, stub_of

ROOT = Path(__file__).parent.parent


def built(root=ROOT):
    """{path: text} of everything that is built."""
    files = {}
    for lesson in lessons(root / "notebooks" / "lessons"):
        files[root / "notebooks" / f"{lesson.stem}.ipynb"] = text_of(learners(lesson))
    for module in LESSONS:
        files[root / "exercises" / f"{module}.py"] = file_of(module)
    return files


def stale(files):
    """The paths whose files are not what would be built."""
    return [path for path, text in files.items() if current(path) != text]


def current(path):
    return path.read_text(encoding="utf-8") if path.is_file() else None


def is_filled_in(path):
    """Has a learner written something into this file?"""
    text = current(path)
    if text is None:
        return False
    if path.suffix == ".py":
        return any(stub_of(exercise) not in text for exercise in exercises_of(path.stem))
    try:
        cells = nbformat.reads(text, as_version=4).cells
    except Exception:  # no notebook any more: there is nothing to lose that could be opened
        return False
    answers = [cell.source for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")]
    stubs = {stub_of(exercise) for module in LESSONS for exercise in exercises_of(module)}
    return any(text not in stubs and text != "YOUR ANSWER HERE" for text in answers)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m course.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; say what is stale")
    parser.add_argument("--force", action="store_true", help="write over answers, too")
    options = parser.parse_args(arguments)
    try:
        files = built()
    except LessonError as error:
        print(error, file=sys.stderr)
        return 1
    paths = stale(files)
    if options.check:
        for path in paths:
            print(f"{path.relative_to(ROOT)} is stale: `make notebooks` builds it anew.")
        return 1 if paths else 0
    for path in paths:
        if is_filled_in(path) and not options.force:
            print(f"{path.relative_to(ROOT)} holds answers, and was left as it is (--force).")
            continue
        path.write_text(files[path], encoding="utf-8")
        print(f"{path.relative_to(ROOT)} was built.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
