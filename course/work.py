"""The learner's own work: versions that pass their check are kept in exercises/, and so are points.

Nothing is ever written over what a learner has written there by hand.
"""

import ast
import hashlib
import json
import linecache
from pathlib import Path

from autograder.checks import LESSONS
from autograder.examine import examine
from autograder.their_code import code_objects

from .stubs import stub_of

RECORD = ".progress.json"
PASSED = {}  # {id of an exercise: the version that passed in this session}


def folder():
    """The folder exercises/ beside the notebook or in the current folder; None if there is none.

    A notebook that is being graded lies elsewhere, and finds none.
    """
    here = Path.cwd()
    for place in (here / "exercises", here.parent / "exercises"):
        if any((place / f"{module}.py").is_file() for module in LESSONS):
            return place
    return None


def after_check(exercise, subject, verdict):
    """Note the points; keep what passes. Called by `check` in a notebook. Gives what to tell."""
    if verdict.passed:
        PASSED[exercise.id] = subject
    place = folder()
    if place is None:
        return ""
    note(place, exercise, verdict)
    return keep(exercise, subject, place) if verdict.passed else ""


def records(place):
    """{exercise: {"tries", "best", "of", "kept"}}; empty if nothing was noted, or not readably."""
    try:
        found = json.loads((place / RECORD).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def change_record(place, exercise_id, **fields):
    known = records(place)
    known[exercise_id] = known.get(exercise_id, {}) | fields
    text = json.dumps(known, indent=1, sort_keys=True)
    try:
        (place / RECORD).write_text(text + "\n", encoding="utf-8")
    except OSError:  # a folder that cannot be written to: the course goes on without
        return


def note(place, exercise, verdict):
    """One more try, and the most points so far."""
    known = records(place).get(exercise.id, {})
    best = max(known.get("best", 0), verdict.score)
    change_record(
        place, exercise.id, tries=known.get("tries", 0) + 1, best=best, of=exercise.max_score
    )


def keep(exercise, subject, place=None, replace=False):
    """Write a version into exercises/<module>.py in place of its stub. Gives a sentence to tell.

    Args:
        replace: also over a version that was not written from here.
    """
    place = place or folder()
    path = place / f"{exercise.module}.py"
    shown = f"exercises/{path.name}"
    source = cell_of(subject)
    if source is None:
        return ""
    try:
        before = path.read_text(encoding="utf-8")
        span = span_of(before, exercise.name)
    except (OSError, SyntaxError, ValueError):
        return f"{shown} cannot be read as Python, so your {exercise.name} was not kept there."
    lines = before.splitlines()
    there = "\n".join(lines[span[0] : span[1]])
    ours = there.strip() == stub_of(exercise).strip()
    ours = ours or records(place).get(exercise.id, {}).get("kept") == fingerprint(there)
    if there.strip() == source.strip():
        return ""
    if not (ours or replace):
        return (
            f"{shown} holds another {exercise.name}, written there by hand: it stays as it is. "
            f"To put this one in its place: keep({exercise.name})"
        )
    after = "\n".join([*lines[: span[0]], source, *lines[span[1] :]]) + "\n"
    trouble = trouble_with(exercise, after, path)
    if trouble:
        return f"Your {exercise.name} was not kept in {shown}: {trouble}"
    try:
        path.write_text(after, encoding="utf-8")
    except OSError as error:
        return f"Your {exercise.name} could not be kept in {shown}: {error.strerror}."
    change_record(place, exercise.id, kept=fingerprint(source))
    return f"Kept in {shown}: later lessons build on it."


def fingerprint(source):
    return hashlib.sha256(source.strip().encode()).hexdigest()[:16]


def cell_of(subject):
    """The source of the whole cell that defines something; None if it comes from a file."""
    for code in code_objects(subject):
        if "ipykernel" in code.co_filename or code.co_filename.startswith("<ipython-input"):
            return "".join(linecache.getlines(code.co_filename)).strip()
    return None


def span_of(source, name):
    """The lines of the statement that defines a name at the top level of a file, or of the end."""
    for node in ast.parse(source).body:
        if getattr(node, "name", None) == name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return first - 1, node.end_lineno
    count = len(source.splitlines())
    return count, count


def trouble_with(exercise, source, path):
    """Does the version still pass where only the file's own names are there? If not, why?"""
    try:
        version = names_of(source, path)[exercise.name]
    except BaseException as error:  # whatever their file raises
        return f"the file could not be run with it ({type(error).__name__}: {error})."
    verdict = examine(exercise, version, seed=0)
    if verdict.passed:
        return ""
    return (
        "in the file it does not pass. Does it use a name from another cell? "
        "Put everything it needs into its own cell. " + " ".join(verdict.explanation)
    )


def names_of(source, path):
    """Run a file's source, and give the names that it binds."""
    names = {"__name__": f"exercises.{path.stem}", "__file__": str(path)}
    filename = str(path)
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), names)
    return names
