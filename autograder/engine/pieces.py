"""What a piece of the course is built on, where the pieces before it are missing or wrong.

The learner's own version serves once it has passed its check. Until then a stand-by of it does: a
version that works and may be given to learners. So one mistake costs once, and as this happens in
the same way in a notebook, in a file and behind the wall of grading, it costs the same everywhere.

An exercise that calls its own stand-by, or the reference, earns nothing: who calls whom is watched
while it is built and called. What a cell worked out with them before that is not seen.
"""

import contextlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, TypeVar

from .course import current
from .learner_lines import method_code
from .ready_made import name_elsewhere

MISSING = object()
Version = TypeVar("Version")


def checked(name: str, version: object, passed: bool) -> None:
    """Note what became of a piece."""
    current().session.checked(name, version, passed)


def to_build_on(name: str) -> Any:
    """What later cells get for a piece: the learner's version that passed, or the stand-by."""
    passed = current().session.passed
    return passed[name] if name in passed else current().stand_by(name)


def earlier(name: str) -> tuple[str, ...]:
    """The names of the same lesson's pieces that come before one."""
    course = current()
    names = course.syllabus.get(course.lesson_of.get(name, ""), ()) if course.stand_bys else ()
    return names[: names.index(name)] if name in names else ()


@contextlib.contextmanager
def standing_by(namespace: dict[str, Any], name: str, missing: bool = True) -> Iterator[None]:
    """While a piece is examined, those before it work: what has not passed its check is replaced.

    Args:
        namespace: the dict in which the learner's code finds its names.
        name: of what is examined.
        missing: also stand by for what is not there at all.
    """
    replaced, put = {}, {}
    for piece in earlier(name):
        there = namespace.get(piece, MISSING)
        passed = there is not MISSING and current().session.passed.get(piece, MISSING) is there
        if not passed and (there is not MISSING or missing):
            replaced[piece] = there
            namespace[piece] = put[piece] = to_build_on(piece)
    try:
        yield
    finally:
        for piece, there in replaced.items():
            if namespace.get(piece) is put[piece]:
                namespace.pop(piece)
                namespace.update({} if there is MISSING else {piece: there})


def names_around(version: Callable[..., Any], otherwise: dict[str, Any]) -> dict[str, Any]:
    """The dict in which a function, or the methods of a class, find their names."""
    values = vars(version).values() if inspect.isclass(version) else [inspect.unwrap(version)]
    functions = [getattr(value, "__func__", value) for value in values]
    found = [inspect.unwrap(f).__globals__ for f in functions if inspect.isfunction(f)]
    return found[0] if found else otherwise


# --- Who did the work? ----------------------------------------------------------------------------

OURS: dict[int, object] = {}  # {id: version} of what is wrong on purpose


def is_ours(version: object) -> bool:
    """Is it the course's own, the reference or made of it, and no learner's?"""
    return OURS.get(id(version)) is version or bool(piece_of(version))


def vouch_for(version: Version) -> Version:
    """It was made of the reference, to be wrong on purpose."""
    OURS[id(version)] = version
    return version


def piece_of(version: object) -> str:
    """The id of the piece of which something is the course's own version; "" if it is none."""
    known = known_code()
    return min((known[id(c)].piece for c in own_code(version) if id(c) in known), default="")


def is_too_far(piece: str, exercise_id: str) -> bool:
    """Must an exercise do without the course's version of this piece? Of what comes before it
    may be made, not of itself or of what comes later."""
    order = current().ids
    if piece not in order or exercise_id not in order:
        return piece == exercise_id
    return order.index(piece) >= order.index(exercise_id)


@dataclass(frozen=True)
class Known:
    """Code of the course's own version of a piece. (Two codes that say the same would be equal: so
    they are told apart by id, which is theirs for as long as they are kept.)"""

    code: CodeType
    piece: str


KNOWN: dict[int, Known] = {}  # by the ids of their codes
FOLDERS: set[str] = set()  # in which that code lies
LOOKED_THROUGH: set[str] = set()  # modules whose code is in KNOWN


def known_code() -> dict[int, Known]:
    """{id of a code: Known} of stand-bys, and of the reference where it has been imported."""
    course = current()
    for lesson, names in course.syllabus.items():
        if course.stand_bys:
            course.module(f"{course.stand_bys}.{lesson}")
        for place in (course.stand_bys, course.reference):
            module = sys.modules.get(f"{place}.{lesson}")
            if module is not None and module.__name__ not in LOOKED_THROUGH:
                LOOKED_THROUGH.add(module.__name__)
                for name in names:
                    for code in own_code(getattr(module, name, None)):
                        KNOWN.setdefault(id(code), Known(code, f"{lesson}.{name}"))
                        FOLDERS.add(os.path.dirname(code.co_filename))
    return KNOWN


def own_code(version: object) -> list[CodeType]:
    """The code of a function, or of the methods that a class itself defines."""
    if inspect.isclass(version):
        return [code for value in vars(version).values() for code in method_code(value)]
    return [version.__code__] if inspect.isfunction(version) else []


@dataclass
class Calls:
    """Calls of the course's own versions.

    Args:
        pieces: their ids, as learners' code called them.
        inside: ids of those that these called in their turn.
        refused: a pattern of names that other libraries' functions may not bear; None if any may.
        ready_made: names of what other libraries than torch have ready-made, and was called.
        running: the frame of the one that runs just now, with all that it calls.
        lost: did something take the watcher away meanwhile?
    """

    pieces: set[str] = field(default_factory=set)
    inside: set[str] = field(default_factory=set)
    refused: re.Pattern[str] | None = None
    ready_made: set[str] = field(default_factory=set)
    running: FrameType | None = None
    lost: bool = False

    def by_course(self, frame: FrameType | None) -> bool:
        """Is it the course's own code that calls torch here, and not a learner's that it calls?"""
        if self.running is None:
            return False
        while frame is not None and is_between(frame.f_code.co_filename):
            frame = frame.f_back
        return frame is not None and os.path.dirname(frame.f_code.co_filename) in FOLDERS


def is_between(filename: str) -> bool:
    """Is this torch, or what watches it?"""
    return "/torch/" in filename or filename.endswith("/ready_made.py")


@contextlib.contextmanager
def watch_for_pieces() -> Iterator[Calls]:
    """The Calls of the course's own versions, for as long as this lasts."""
    calls, known, before = Calls(), known_code(), sys.getprofile()

    def note(frame, event, argument):
        if event == "call" and id(frame.f_code) in known:
            piece = known[id(frame.f_code)].piece
            (calls.pieces if calls.running is None else calls.inside).add(piece)
            calls.running = calls.running or frame
        elif event == "call" and calls.running is None and calls.refused:
            name = name_elsewhere(frame, calls.refused)
            calls.ready_made.update({name} if name else ())
        elif event == "return" and frame is calls.running:
            calls.running = None

    sys.setprofile(note)
    try:
        yield calls
    finally:
        calls.lost = sys.getprofile() is not note
        sys.setprofile(before if callable(before) else None)  # a profiler in C cannot be put back
