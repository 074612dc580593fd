"""Build notebooks/*.ipynb and exercises/*.py from the lessons and solutions/.

`python -m course.build` writes what has changed. A file in which somebody has written something is
left as it is: `--beside` puts the new one beside it, `--force` puts the new one in its place and
keeps the old one beside that. `--check` writes nothing, and says what is stale.
"""

import argparse
import itertools
import sys

from course.checks import LESSONS

from . import last_built, published
from .lesson import LessonError, lessons
from .notebook import learners, text_of
from .places import BELOW, HOME
from .stubs import file_of

ROOT = HOME


def built(root=ROOT):
    """{path: text} of everything that is built."""
    files = {}
    for lesson in lessons(root / "notebooks" / "lessons"):
        files[root / "notebooks" / f"{lesson.stem}.ipynb"] = text_of(learners(lesson))
    for module in LESSONS:
        files[root / "exercises" / f"{module}.py"] = file_of(module)
    return files


def pages():
    """{path: text} of the page whose links open the lessons elsewhere; only the links are built."""
    path = ROOT / "notebooks" / "README.md"
    text = current(path)
    return {} if text is None else {path: published.page_with_clicks(text, lessons())}


def stale(files):
    """The paths whose files are not what would be built."""
    return [path for path, text in files.items() if current(path) != text]


def current(path):
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def is_touched(path, text, record):
    """Has somebody written something into this file since it was built?

    Args:
        text: what would be built now: who has written the same has nothing to lose.
        record: see last_built.
    """
    there = current(path)
    if there is None:
        return False
    known = record.get(path.relative_to(ROOT).as_posix()), last_built.digest(path, text)
    return last_built.digest(path, there) not in known


def beside(path, word):
    """A name beside a file that is not taken: 01_attention.new.ipynb, 01_attention.new-2.ipynb."""
    names = itertools.chain([word], (f"{word}-{number}" for number in itertools.count(2)))
    places = (path.with_name(f"{path.stem}.{name}{path.suffix}") for name in names)
    return next(place for place in places if not place.exists())


def put_beside(path, text):
    """Write the new version of a file beside it, if it is not there already. Gives its name."""
    wanted = last_built.digest(path, text)
    for place in sorted(path.parent.glob(f"{path.stem}.new*{path.suffix}")):
        if last_built.digest(place, current(place)) == wanted:
            return place.name
    place = beside(path, "new")
    place.write_text(text, encoding="utf-8")
    return place.name


def replace(path, text):
    """Write a file anew; what somebody has written in it is kept beside it. Gives that name."""
    kept = path.rename(beside(path, "yours"))
    path.write_text(text, encoding="utf-8")
    return kept.name


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m course.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; say what is stale")
    parser.add_argument("--beside", action="store_true", help="put new files beside touched ones")
    parser.add_argument("--force", action="store_true", help="put new files in their places")
    options = parser.parse_args(arguments)
    if HOME == BELOW:
        print("This builds the course in a checkout. For notebooks: `autograder lessons DIR`.")
        return 2
    try:
        files = built()
    except LessonError as error:
        print(error, file=sys.stderr)
        return 1
    paths = stale(files)
    if options.check:
        return check(files, [*paths, *stale(pages())])
    try:
        build(files, paths, options)
        for path, text in pages().items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"{error.filename} cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


def check(files, paths):
    """Say what is stale; 1 if something is."""
    names = [path.relative_to(ROOT) for path in paths]
    if last_built.read(ROOT) != last_built.of(ROOT, files):
        names.append(last_built.RECORD)
    for name in names:
        print(f"{name} is stale: `make notebooks` builds it anew.")
    return 1 if names else 0


def build(files, paths, options):
    """Write what is stale and not touched, and note what was written."""
    before, now = last_built.read(ROOT), last_built.of(ROOT, files)
    touched = [path for path in paths if is_touched(path, files[path], before)]
    for path in paths:
        name = path.relative_to(ROOT)
        if path not in touched:
            path.write_text(files[path], encoding="utf-8")
            print(f"{name} was built.")
        elif options.force:
            print(f"{name} was built; what was there is {replace(path, files[path])} now.")
        else:
            key = name.as_posix()
            print(left(path, files[path], before.get(key) == now[key], options.beside))
    kept = {} if options.force else {path.relative_to(ROOT).as_posix() for path in touched}
    record = {key: before.get(key, "") if key in kept else now[key] for key in now}
    if record != before:
        last_built.write(ROOT, record)


def left(path, text, is_the_same, put):
    """What is said of a file that somebody has written in.

    Args:
        is_the_same: would the same be built as was built last?
        put: is the new version to be put beside it?
    """
    name = path.relative_to(ROOT)
    said = f"{name} holds something of yours, and was left as it is."
    if is_the_same:
        return said
    if put:
        return f"{said} The new version lies beside it: {put_beside(path, text)}."
    return (
        f"{said} There is a new version: `{sys.executable} -m course.build --beside` puts it "
        f"beside yours."
    )


if __name__ == "__main__":
    sys.exit(main())
