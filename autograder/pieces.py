"""What a piece of the course is built on, where the pieces before it are missing or wrong.

The learner's own version serves once it has passed its check. Until then a stand-by of it does: a
version that works and may be given to learners. So one mistake costs once, and as this happens in
the same way in a notebook, in a file and behind the wall of grading, it costs the same everywhere.

Nobody earns points with a stand-by, or with the reference: who calls whom is watched.
"""

import contextlib
import importlib
import inspect
import sys
from dataclasses import dataclass, field

from .ready_made import name_elsewhere
from .their_code import code_objects, method_code

STAND_BYS, REFERENCE = "course.stand_bys", "solutions"  # where the course keeps them
MISSING = object()

PASSED = {}  # {name: the learner's version that passed its check in this session}
FAILED = {}  # {name: the one that was checked last, if it did not pass}


def checked(name, version, passed):
    """Note what became of a piece."""
    FAILED.pop(name, None)
    (PASSED if passed else FAILED)[name] = version


def stand_bys():
    return importlib.import_module(STAND_BYS)


def stand_by(name):
    """The stand-by of a piece."""
    return stand_bys().stand_by(name)


def to_build_on(name):
    """What later cells get for a piece: the learner's version that passed, or the stand-by."""
    return PASSED[name] if name in PASSED else stand_by(name)


def earlier(name):
    """The names of the same lesson's pieces that come before one."""
    lesson = stand_bys().LESSON.get(name)
    names = stand_bys().PIECES.get(lesson, ())
    return names[: names.index(name)] if name in names else ()


@contextlib.contextmanager
def standing_by(namespace, name, missing=True):
    """While a piece is examined, those before it work, whatever became of them.

    Args:
        namespace: the dict in which the learner's code finds its names.
        name: of what is examined.
        missing: also stand by for what is not there at all.
    """
    replaced = {}
    for piece in earlier(name):
        there = namespace.get(piece, MISSING)
        failed = there is not MISSING and FAILED.get(piece, MISSING) is there
        if failed or (there is MISSING and missing):
            replaced[piece] = there
            namespace[piece] = stand_by(piece)
    try:
        yield
    finally:
        for piece, there in replaced.items():
            if namespace.get(piece) is stand_by(piece):
                namespace.pop(piece)
                namespace.update({} if there is MISSING else {piece: there})


# --- Who did the work? ----------------------------------------------------------------------------


def piece_of(version):
    """The id of the piece of which something is the course's own version; "" if it is none."""
    known = known_code()
    return min((known[id(c)].piece for c in own_code(version) if id(c) in known), default="")


def is_too_far(piece, exercise_id):
    """Must an exercise do without the course's version of this piece? Of what comes before it
    may be made, not of itself or of what comes later."""
    order = [f"{lesson}.{name}" for name, lesson in stand_bys().LESSON.items()]
    if piece not in order or exercise_id not in order:
        return piece == exercise_id
    return order.index(piece) >= order.index(exercise_id)


@dataclass(frozen=True)
class Known:
    """Code of the course's own version of a piece. (Two codes that say the same would be equal: so
    they are told apart by id, which is theirs for as long as they are kept.)"""

    code: object
    piece: str


KNOWN = {}  # {id of a code: Known}
LOOKED_THROUGH = set()  # modules whose code is in KNOWN


def known_code():
    """{id of a code: Known} of stand-bys, and of the reference where it has been imported."""
    for lesson, names in stand_bys().PIECES.items():
        importlib.import_module(f"{STAND_BYS}.{lesson}")
        for place in (STAND_BYS, REFERENCE):
            module = sys.modules.get(f"{place}.{lesson}")
            if module is not None and module.__name__ not in LOOKED_THROUGH:
                LOOKED_THROUGH.add(module.__name__)
                for name in names:
                    for code in own_code(getattr(module, name, None)):
                        KNOWN.setdefault(id(code), Known(code, f"{lesson}.{name}"))
    return KNOWN


def own_code(version):
    """The code of a function, or of the methods that a class itself defines."""
    if inspect.isclass(version):
        return [code for value in vars(version).values() for code in method_code(value)]
    return code_objects(version) if inspect.isfunction(version) else []


@dataclass
class Calls:
    """Calls of the course's own versions.

    Args:
        pieces: their ids.
        ready_made: names of what other libraries than torch have ready-made, and was called.
        running: the frame of the one that runs just now, with all that it calls.
    """

    pieces: set = field(default_factory=set)
    ready_made: set = field(default_factory=set)
    running: object = None


@contextlib.contextmanager
def watch_for_pieces():
    """The Calls of the course's own versions, for as long as this lasts."""
    calls, known, before = Calls(), known_code(), sys.getprofile()

    def note(frame, event, argument):
        if calls.running is None:
            if event == "call" and id(frame.f_code) in known:
                calls.pieces.add(known[id(frame.f_code)].piece)
                calls.running = frame
            elif event == "call" and (name := name_elsewhere(frame)):
                calls.ready_made.add(name)
        elif event == "return" and frame is calls.running:
            calls.running = None

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)
