"""The learner's own work: versions that pass their check are kept in exercises/, and so are points.

Nothing is ever written over what a learner has written there by hand.
"""

import ast
import contextlib
import json
import linecache
import re
from pathlib import Path

from autograder import aside
from autograder.engine.examine import examine_learners
from autograder.engine.learner_lines import code_objects
from autograder.engine.limits import SECONDS, time_limit
from course.checks import LESSONS, find

from .stubs import stub_of

RECORD = ".progress.json"


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
    place = folder()
    if place is None:
        return ""
    note(place, exercise, verdict)
    lent = [piece for piece in verdict.built_on if piece.startswith(f"{exercise.module}.")]
    if verdict.passed and lent:
        names = " and ".join(piece.partition(".")[2] for piece in lent)
        return (
            f"It's right, and it'll be kept in exercises/{exercise.module}.py when you check it "
            f"again with your own {names} in place."
        )
    return keep(exercise, subject, place) if verdict.passed else ""


def records(place):
    """{exercise: {"tries", "best", "of", "kept": source}}; empty if there is nothing to be read."""
    try:
        found = json.loads((place / RECORD).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def change_record(place, exercise_id, **fields):
    known = records(place)
    write_records(place, known | {exercise_id: known.get(exercise_id, {}) | fields})


def forget(place, exercise_id):
    """An exercise has never been tried."""
    known = records(place)
    known.pop(exercise_id, None)
    write_records(place, known)


def write_records(place, known):
    text = json.dumps(known, indent=1, sort_keys=True)
    with contextlib.suppress(OSError):  # a folder that cannot be written to: we go on without
        write(place / RECORD, text + "\n")


def write(path, text):
    """Write a file whole or not at all: a full disk leaves what was there."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path, data):
    path = path.resolve()  # it may be a link
    mode = path.stat().st_mode if path.exists() else None
    aside.write(path, data)
    path.chmod(mode or 0o644)


def as_text(notebook):
    """A notebook as its file's text, also where a cell holds half a character."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(notebook, indent=1) + "\n"
    return text


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
        exercise: or its name.
        replace: also over a version that was not written from here.
    """
    exercise = find(exercise) if isinstance(exercise, str) else exercise
    place = place or folder()
    if place is None:
        return "There is no folder exercises/ beside this notebook."
    path = place / f"{exercise.module}.py"
    shown = f"exercises/{path.name}"
    source = cell_of(subject)
    if source is None:
        return ""
    try:
        before = path.read_text(encoding="utf-8")
        there = statement(before, exercise.name)
    except (OSError, SyntaxError, ValueError):
        return f"{shown} cannot be read as Python, so your {exercise.name} was not kept there."
    if source in before and there in source:  # and not a part of something longer
        return ""
    earlier = kept_cell(before, exercise, place)
    if earlier:
        there = earlier
    elif there and there != stub_of(exercise) and not replace:
        return (
            f"{shown} holds another {exercise.name}, written there by hand: it stays as it is. "
            f"To put this one in its place: from course.work import keep; "
            f'keep("{exercise.name}", {exercise.name}, replace=True)'
        )
    after = put_instead(before, there, source)
    trouble = trouble_with(exercise, after, path)
    if trouble:
        return f"Your {exercise.name} was not kept in {shown}: {trouble}"
    try:
        write(path, after)
    except OSError as error:
        return f"Your {exercise.name} could not be kept in {shown}: {error.strerror}."
    change_record(place, exercise.id, kept=source)
    last = exercise.module == LESSONS[-1]
    what = "the rest of this lesson builds" if last else "later lessons build"
    return f"Kept in {shown}: {what} on it."


def cell_of(subject):
    """The source of the whole cell that defines something; None if it comes from a file."""
    for code in code_objects(subject):
        if "ipykernel" in code.co_filename or code.co_filename.startswith("<ipython-input"):
            return "".join(linecache.getlines(code.co_filename)).strip()
    return None


def kept_cell(source, exercise, place):
    """The whole cell that was kept in a file, if it still stands there as it was; else ""."""
    kept = records(place).get(exercise.id, {}).get("kept", "")
    return kept if kept and around(source, kept) else ""


def around(source, text):
    """(what stands before, what stands behind) the last place where a text is whole statements,
    and no part of something longer; None if there is no such place."""
    wanted = ast.dump(ast.parse(source))
    for found in reversed(list(re.finditer(re.escape(text), source))):
        parts = source[: found.start()], text, source[found.end() :]
        with contextlib.suppress(SyntaxError):
            body = [node for part in parts for node in ast.parse(part).body]
            if ast.dump(ast.Module(body, [])) == wanted:
                return parts[0], parts[2]
    return None


def put_instead(source, text, other):
    """A file's source with another text where one stands; at its end if that stands nowhere."""
    sides = around(source, text) if text else None
    return other.join(sides) if sides else f"{source.rstrip()}\n\n\n{other}\n"


def statement(source, name):
    """The statement that binds a name at the top level of a file, as text; "" if there is none.
    Of several it is the last one, which counts."""
    found = ""
    for node in ast.parse(source).body:
        if name in names_bound(node):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            found = "\n".join(source.split("\n")[first - 1 : node.end_lineno])
    return found


def names_bound(node):
    """The names that a definition or an assignment (of a lambda, say) binds."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {target.id for target in targets if isinstance(target, ast.Name)}
    return {getattr(node, "name", None)}


def trouble_with(exercise, source, path):
    """Does the version still pass where only the file's own names are there? If not, why?"""
    try:
        names = names_of(source, path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever their file raises
        return f"the file could not be run with it ({type(error).__name__}: {error})."
    if exercise.name not in names:
        return f"the cell calls it something else, and there it has to be {exercise.name}."
    verdict = examine_learners(exercise, names[exercise.name], {}, missing=False, seed=0)
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
    with time_limit(SECONDS):
        exec(compile(source, filename, "exec"), names)
    return names
