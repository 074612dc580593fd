"""A ready nbgrader course: `autograder course DIR`."""

import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from dateutil.tz import gettz
from nbgrader.api import Gradebook
from nbgrader.utils import parse_utc

from ...engine.course import current, load, name_of

RANGE = re.compile(r"(\d+)(?:-(\d+))?")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
ZONE = r"Z|[+-]\d\d:\d\d| [A-Za-z]\S*"
TIME = re.compile(rf"{DAY.pattern}([ T]\d\d?:\d\d(:\d\d)?({ZONE})?)?")
ID = re.compile(r"[A-Za-z0-9_-]+")

CONFIG = '''"""nbgrader's configuration of this course; made by `autograder course`."""

import autograder

autograder.use({course!r})  # whose exercises these are

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "{id}"
c.ClearSolutions.enforce_metadata = True
# nbgrader's own limit of 30 seconds a cell is short where a cell trains even a small model.
c.ExecutePreprocessor.timeout = 300

# Learners' cells run in a sandbox, and a judge outside looks at what they made.
plugins = "autograder.grading.nbgrader.plugins"
c.Autograde.exporter_class = f"{{plugins}}.TolerantExporter"
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    f"{{plugins}}.Normalise",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    f"{{plugins}}.SandboxedExecute",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    f"{{plugins}}.SaveGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.preprocessors = [
    f"{{plugins}}.GetGradesWithoutHiddenTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
# `nbgrader zip_collect`: archives of any size, with links and paths to anywhere, do no harm.
c.ZipCollectApp.extractor_plugin = "autograder.grading.nbgrader.archives.CarefulExtractor"
# What may be handed in.
c.FileNameCollectorPlugin.valid_ext = {endings}
# `nbgrader export`: names with commas survive, and nothing is taken for a formula. For learning
# platforms there are (--exporter NAME) autograder.grading.nbgrader.exports.CanvasExport and
# MoodleExport.
c.ExportApp.plugin_class = "autograder.grading.nbgrader.exports.GradesExport"
c.OverwriteCells.add_missing_cells = True
# How well learners' code must be shut in, or nothing is graded. "best" means as well as this
# machine can, and never worse than level 1; `autograder doctor` says which level that is. A number
# demands the same everywhere: 1 files and system calls, 2 namespaces as well, 3 and a cgroup;
# 0 if you trust everybody who hands in.
c.SandboxedExecute.minimum_level = "best"
c.SandboxedExecute.cell_seconds = 30
'''


def make_course(folder, lessons="", term="", due=(), edition=""):
    """Write source/ and the configuration into a folder; gives {assignment: when it is due, in UTC,
    or None}.

    Args:
        lessons: which, as "1-3,5"; all if this is empty.
        term: nbgrader's id of the course; the course's own if this is empty.
        due: texts "LESSON=TIME".
        edition: a folder with a students' edition, whose archive is put beside each notebook; ""
            if none is handed out.
    """
    course = current()
    notebooks = load(course.assignments)()
    names = chosen(list(notebooks), lessons)
    dates = due_dates(names, due)
    archives = archives_in(edition) if edition else []
    for name in names:
        place = folder / "source" / name
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.ipynb").write_text(notebooks[name], encoding="utf-8")
        for archive in archives:
            shutil.copy(archive, place)
    (folder / "nbgrader_config.py").write_text(config_of(course, term), encoding="utf-8")
    if dates:
        note_dates(folder, term or course.id, dates)
    return {name: dates.get(name) for name in names}


def archives_in(edition):
    """The archive of a students' edition."""
    found = sorted(Path(edition).glob("*.zip"))
    if not found:
        said = "there is no students' edition; `autograder release` makes one"
        raise ValueError(f"--edition {edition}: {said}.")
    return found


def config_of(course, term=""):
    """The text of nbgrader_config.py."""
    endings = json.dumps([".ipynb", *course.handed_in])
    return CONFIG.format(course=name_of(course), id=term or course.id, endings=endings)


def chosen(names, lessons, typed=None):
    """The assignments that "1-3,5" means: by the numbers that their names begin with, or else by
    their places.

    Args:
        typed: the option with which they were named.
    """
    typed = typed or f"--lessons {lessons}"
    if not lessons:
        return names
    numbers = {number_of(name, place): name for place, name in enumerate(names, start=1)}
    there = f"there are {', '.join(map(str, numbers))}"
    found = []
    for part in lessons.replace(" ", "").split(","):
        asked = RANGE.fullmatch(part)
        if not asked:
            raise ValueError(f"{typed}: {part!r} is no number, and no range as 1-3.")
        first, last = int(asked[1]), int(asked[2] or asked[1])
        meant = [name for number, name in numbers.items() if first <= number <= last]
        if not meant:
            raise ValueError(f"{typed}: there is no lesson {part}; {there}.")
        found += meant
    return [name for name in names if name in found]


def number_of(name, place):
    """The number that an assignment's name begins with, or else its place."""
    begins = re.match(r"\d+", name)
    return int(begins[0]) if begins else place


def due_dates(names, due):
    """{assignment: when it is due, in UTC}"""
    dates = {}
    for text in due:
        lesson, equals, time = text.partition("=")
        if not (equals and lesson.strip()):
            raise ValueError(f"--due {text}: write LESSON=TIME, as 1=2026-10-12.")
        [name, *more] = chosen(names, lesson, f"--due {text}")
        if more:
            raise ValueError(f"--due {text}: say one lesson at a time.")
        if name in dates:
            raise ValueError(f"--due {text}: {name} is said to be due at another time already.")
        dates[name] = moment(time.strip(), text)
    return dates


def moment(time, text):
    """A time as people write it, in UTC; a day means its end."""
    zone = time.split(" ")[2:]
    try:
        if not TIME.fullmatch(time):
            raise ValueError("which day is meant could not be told")
        if DAY.fullmatch(time):
            time += " 23:59:59"
        if zone and gettz(zone[0]) is None:
            raise ValueError(f"there is no time zone called {zone[0]!r}")
        return parse_utc(time)
    except (ValueError, OverflowError) as error:
        said = f"--due {text}: this is no time ({error}). Write 2026-10-12 or, with a zone,"
        raise ValueError(f"{said} '2026-10-12 18:00 Europe/Berlin'.") from None


def note_dates(folder, term, dates):
    """Write into the gradebook when assignments are due."""
    # nbgrader calls alembic by its name when it makes a gradebook.
    paths = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    os.environ["PATH"] = os.pathsep.join(paths)
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", term) as book:
        for name, time in dates.items():
            book.add_assignment(name, duedate=time)


def is_taken(folder):
    """Is something there already? Then that is said."""
    taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if taken:
        print(f"{folder} is there already, and not empty: choose another name.", file=sys.stderr)
    return taken


def main(options):
    """`autograder course DIR`"""
    folder = Path(options.folder)
    if is_taken(folder):
        return 2
    if not current().assignments:
        print(f"{current().title} has no notebooks to be handed out.", file=sys.stderr)
        return 2
    if options.id and not ID.fullmatch(options.id):
        said = "an id consists of letters, digits, - and _"
        print(f"--id {options.id}: {said}.", file=sys.stderr)
        return 2
    try:
        dates = make_course(folder, options.lessons, options.id, options.due, options.edition)
    except ValueError as error:  # with a lesson or an option; it says what is wrong
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{folder} cannot be written: {error.strerror}.", file=sys.stderr)
        return 2
    print(f"{folder} is a course with {len(dates)} assignments: {', '.join(dates)}.")
    for name, time in dates.items():
        if time:
            print(f"{name} is due on {time:%A, %d %B %Y, at %H:%M:%S} UTC.")
    first = next(iter(dates), "")
    print(f"Next: cd {shlex.quote(str(folder))} && nbgrader generate_assignment {first}".rstrip())
    return 0
