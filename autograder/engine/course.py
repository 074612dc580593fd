"""The course whose exercises are checked: one object that the engine is given.

It consists of names, so that it costs nothing to have it, and can be sent to another process. A
course is found by its entry point in the group `autograder.courses`; where several are installed,
`use`, `--course` or the variable AUTOGRADER_COURSE says which.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.util
import os
import re
import sys
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .broken_course import BrokenCourseError, held_by, imported, said_by, shown, where

if TYPE_CHECKING:  # a course is told by names: all of this is imported when it is needed
    from torch import nn

    from .exercise import Exercise
    from .trial import Implementation

GROUP = "autograder.courses"
TOP = re.compile(r"\w+")  # the package at the top, of "package.module:name" or "package/folder"
VARIABLE = "AUTOGRADER_COURSE"
SEALED = ".sealed"  # so ends the name of a file of mistakes that cannot be read


class CourseNotFoundError(LookupError):
    """No course, or more than one, where one is needed; says in a sentence what to do."""


@dataclass(frozen=True)
class Command:
    """A sub-command of `autograder` that a course brings.

    Args:
        about: what it does, as a clause.
        function: "module:name"; is called with the arguments, and gives the exit code.
        arguments: {what stands for it in the help: what it is}
    """

    about: str
    function: str
    arguments: dict[str, str] = field(default_factory=dict)


@dataclass
class Session:
    """What has been checked in this process, by the names of pieces.

    Args:
        passed: the learner's version that passed its check.
        failed: the one that was checked last, if it did not pass.
    """

    passed: dict[str, object] = field(default_factory=dict)
    failed: dict[str, object] = field(default_factory=dict)

    def checked(self, name: str, version: object, passed: bool) -> None:
        """Note what became of a piece."""
        self.failed.pop(name, None)
        (self.passed if passed else self.failed)[name] = version


@dataclass(frozen=True, repr=False)
class Course:
    """What the engine has to know of a course.

    What lies in modules is named, and imported when it is needed: a package or a module as
    "package.module", what it holds as "package.module:name".

    Args:
        id: a short name, of letters, digits and underscores; nbgrader's course id as well.
        title: its name for people.
        syllabus: {lesson: names of its exercises}, in the order in which they are met.
        checks: a package with a module for each lesson, which holds an Exercise for each name.
        reference: a package with a module for each lesson, which holds the model answers.
        stand_bys: the same with versions that may be given to learners, to build on; "" if no
            exercise is built on another.
        broken: what `wrong` takes where the mistakes' own diffs are not there: wrong versions of
            the stand-bys, {(id of an exercise, id of a mistake, …): version}.
        stand_ins: a module with the small models that exercises are given; see trial.StandIn.
        mistakes: a folder with what goes wrong, as "package/folder": a file <lesson>/<name>.md for
            each exercise; see mistake_files.
        bank: a folder with right and wrong answers of others, as "package/folder"; see audit.bank.
        calls: {name of a function: the PointsCall that tells what a call of it earns}, for other
            calls than check(…).
        builds_from: a module from which cells take the pieces that are there, to build on.
        importable: a function that fills a folder with what cells may import where they are graded.
        assignments: a function that gives {name: text of the instructor's notebook}.
        edition: a function that writes the students' edition into a folder: (folder, names of
            assignments). It gives the paths of what it wrote.
        after_check: a function that is told of every check in a notebook: (exercise, answer,
            verdict). What it gives is printed.
        depends_on: a function that gives the paths of further files that points depend on.
        commands: {word: Command} of further sub-commands of `autograder`.
        handed_in: endings of files that may be handed in beside notebooks.
        distribution: under which name its version is known.
        for_students: is it an edition for students? Then they are offered nothing for authors and
            instructors.
    """

    id: str
    title: str
    syllabus: dict[str, tuple[str, ...]]
    checks: str
    reference: str
    stand_bys: str = ""
    broken: str = ""
    stand_ins: str = ""
    mistakes: str = ""
    bank: str = ""
    calls: dict[str, str] = field(default_factory=dict)
    builds_from: str = ""
    importable: str = ""
    assignments: str = ""
    edition: str = ""
    after_check: str = ""
    depends_on: str = ""
    commands: dict[str, Command] = field(default_factory=dict)
    handed_in: tuple[str, ...] = ()
    distribution: str = ""
    for_students: bool = False

    def __post_init__(self) -> None:
        lessons = {}
        for lesson, names in self.syllabus.items():
            if isinstance(names, str):
                raise BrokenCourseError(
                    self.place,
                    f"the syllabus of {lesson} is a text and not a tuple; write ({names!r},), with "
                    f"a comma",
                )
            for name in names:
                if name in lessons:
                    raise BrokenCourseError(
                        self.place,
                        f"two exercises are called {name}, in {lessons[name]} and in {lesson}; "
                        f"names are unique in a course",
                    )
                lessons[name] = lesson

    @property
    def place(self) -> str:
        """What is said to be broken, if the course itself is."""
        return f"course {self.id}"

    def __repr__(self) -> str:
        """What a notebook shows below a cell that ends with `autograder.use(…)`."""
        return f"<course {self.id}: {self.title}>"

    @property
    def lessons(self) -> tuple[str, ...]:
        return tuple(self.syllabus)

    @cached_property
    def lesson_of(self) -> dict[str, str]:
        """{name of an exercise: its lesson}"""
        return {name: lesson for lesson, names in self.syllabus.items() for name in names}

    @cached_property
    def ids(self) -> list[str]:
        """The ids of all exercises, in the order of the course."""
        return [f"{lesson}.{name}" for lesson, names in self.syllabus.items() for name in names]

    @cached_property
    def session(self) -> Session:
        """What has been checked so far: what comes later is built on it."""
        return Session()

    # --- Exercises --------------------------------------------------------------------------------

    @cached_property
    def bound(self) -> dict[str, tuple[Exercise, ...]]:
        """{lesson: its Exercises}, as far as they have been asked for."""
        return {}

    def exercises_of(self, lesson: str) -> tuple[Exercise, ...]:
        """The Exercises of one lesson, in its order."""
        if lesson not in self.bound:
            module = self.module(f"{self.checks}.{lesson}")
            found = {name: held_by(module, name) for name in self.syllabus[lesson]}
            for name, exercise in found.items():
                place = shown(module.__file__ or module.__name__)
                if not hasattr(exercise, "must_work"):  # its class is not imported only for this
                    kind = type(exercise).__name__
                    raise BrokenCourseError(place, f"{name} is no Exercise, but of type {kind}")
                exercise.must_work(f"{lesson}.{name}", place)
            self.bound[lesson] = tuple(map(self.bind, found.values()))
        return self.bound[lesson]

    def module(self, name: str) -> ModuleType:
        """One of its modules; a BrokenCourseError says why there is none."""
        return imported(name, self.folders.values())

    def bind(self, exercise: Exercise) -> Exercise:
        """An Exercise that knows where its model answer and its mistakes lie."""
        file = ""
        if self.mistakes:
            place = self.folder(self.mistakes) / exercise.module / exercise.name
            sealed = place.with_name(f"{exercise.name}{SEALED}")
            file = str(sealed if sealed.exists() else place.with_name(f"{exercise.name}.md"))
        return dataclasses.replace(exercise, package=self.reference, written_in=file)

    def all_exercises(self) -> dict[str, Exercise]:
        """{id: Exercise}, in the order of the course."""
        return {each.id: each for lesson in self.lessons for each in self.exercises_of(lesson)}

    def find(self, exercise_id: str) -> Exercise:
        """The exercise called <lesson>.<name>; the lesson may be left out."""
        lesson, _, name = exercise_id.rpartition(".")
        lesson = lesson or self.lesson_of.get(name, "")
        if name not in self.syllabus.get(lesson, ()):
            known = ", ".join(self.ids)
            raise KeyError(f"there is no exercise called {exercise_id!r}; there are: {known}")
        return self.exercises_of(lesson)[self.syllabus[lesson].index(name)]

    # --- Where its parts lie ----------------------------------------------------------------------

    @property
    def packages(self) -> tuple[str, ...]:
        """The names of its packages at the top: what lies in them is the course's own code, and
        nothing that submissions may read, wherever it is installed."""
        named = [self.checks, self.reference, self.stand_bys, self.broken, self.stand_ins]
        named += [self.mistakes, self.bank, self.importable, self.assignments, *self.calls.values()]
        return tuple(dict.fromkeys(found[0] for found in map(TOP.match, named) if found))

    @cached_property
    def folders(self) -> dict[str, str]:
        """{package at the top: its folder}"""
        return {name: folder_of(name) for name in self.packages}

    def folder(self, name: str) -> Path:
        """Where a folder lies that is named as "package/folder"."""
        package, *inner = name.split("/")
        return Path(self.folders.get(package) or folder_of(package) or package, *inner)

    def stand_by(self, name: str) -> Implementation:
        """The stand-by of an exercise."""
        return held_by(self.module(f"{self.stand_bys}.{self.lesson_of[name]}"), name)

    def broken_stand_by(self, exercise_id: str, mistake_ids: tuple[str, ...]) -> Implementation:
        """A stand-by that goes wrong in these ways."""
        module, _, name = self.broken.partition(":")
        known = held_by(self.module(module), name)
        if (exercise_id, *mistake_ids) not in known:
            wanted = " and ".join(mistake_ids)
            there = ", ".join(" and ".join(them) for each, *them in known if each == exercise_id)
            raise KeyError(
                f"{exercise_id} has no wrong version called {wanted!r} here; it has: "
                f"{there or 'none'}"
            )
        return known[(exercise_id, *mistake_ids)]

    def stand_in(self, name: str, **arguments: Any) -> nn.Module:
        """A stand-in, made anew."""
        return held_by(self.module(self.stand_ins), name)(**arguments)

    def points_call(self, function: str) -> PointsCall | None:
        """The PointsCall about a function's name; None if its calls earn nothing."""
        return load(self.calls[function]) if function in self.calls else None

    def points_calls(self) -> list[PointsCall]:
        """All of them."""
        return [load(name) for name in self.calls.values()]


class PointsCall:
    """What a call of a course's own function earns, where it stands in a cell that is graded."""

    kind = ""  # a short word for it in records
    label = ""  # what precedes it in reports

    def asked(self, call: ast.Call) -> Wanted | None:
        """The Wanted of a call, given as a syntax tree; None if nothing can be made of it."""
        raise NotImplementedError

    def judged(self, wanted: Wanted, found: Any, checks: tuple[float, float]) -> Earned:
        """What it Earned.

        Args:
            wanted: as `asked` gave it.
            found: what was wanted; None if it is not there.
            checks: (points, of how many) that the notebook's exercises have earned.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Wanted:
    """What is to be looked at: the "value" that a name has in the notebook, or the "weights" in a
    file beside it. `about` is whatever a PointsCall wants to know again."""

    kind: str
    name: str
    about: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Earned:
    """A share of the cell's points, and what is said about it, as text and as a card."""

    share: float
    text: str
    html: str
    about: str = ""  # what it is about, for records and reports


# --- Which course? --------------------------------------------------------------------------------

CHOSEN: list[Course] = []  # the course in use; filled when it is first asked for


def use(course: Course | str) -> Course:
    """From now on this course's exercises are checked. Gives the Course.

    Args:
        course: the Course itself, the id of one that is installed, "module:NAME", or the folder of
            a package whose COURSE it is.
    """
    found = course if isinstance(course, Course) else named(course)
    CHOSEN[:] = [found]
    return found


def current() -> Course:
    """The course in use: what was chosen, or else the only one that is installed."""
    if not CHOSEN:
        use(os.environ.get(VARIABLE) or the_only_one())
    return CHOSEN[0]


def find(exercise_id: str) -> Exercise:
    """The exercise called <lesson>.<name> of the course in use; the lesson may be left out."""
    return current().find(exercise_id)


def installed() -> dict[str, EntryPoint]:
    """{id: entry point} of all courses that are installed.

    Each distribution is asked, also where an older one of the same name lies on the way, as the
    `.egg-info` that some build has left behind in a checkout.
    """
    points = [point for found in distributions() for point in found.entry_points]
    return {point.name: point for point in points if point.group == GROUP}


def the_only_one() -> Course:
    found = installed()
    if len(found) == 1:
        return of_entry_point(next(iter(found.values())))
    if not found:
        raise CourseNotFoundError(
            "No course is installed. Say which one you mean: `autograder --course FOLDER …`, or "
            "autograder.use('FOLDER') in Python."
        )
    raise CourseNotFoundError(
        f"Several courses are installed: {', '.join(sorted(found))}. Say which one you mean: "
        f"`autograder --course NAME …`, or autograder.use('NAME') in Python."
    )


def of_entry_point(point: EntryPoint) -> Course:
    """The Course that is installed so."""
    try:
        found = point.load()
    except BrokenCourseError:
        raise
    except Exception as error:
        raise CourseNotFoundError(
            f"The course {point.name!r} is installed, and cannot be loaded: {because(error)}"
        ) from error
    if not isinstance(found, Course):
        raise CourseNotFoundError(
            f"{point.name!r} is installed, and is no Course, but of type {type(found).__name__}."
        )
    return found


def named(name: str) -> Course:
    """The Course that a text names."""
    points = installed()
    if name in points:
        return of_entry_point(points[name])
    try:
        if ":" in name and os.sep not in name:
            found = load(name)
        elif (Path(name) / "__init__.py").is_file():
            found = in_folder(Path(name).resolve())
        else:
            raise CourseNotFoundError(
                f"There is no course called {name!r}: it is no installed one "
                f"({', '.join(sorted(points)) or 'none is'}), and no folder of a package."
            )
    except (BrokenCourseError, CourseNotFoundError):
        raise
    except Exception as error:
        raise CourseNotFoundError(f"The course {name!r} cannot be had: {because(error)}") from error
    if not isinstance(found, Course):
        raise CourseNotFoundError(f"{name!r} is no Course, but of type {type(found).__name__}.")
    return found


def because(error: Exception) -> str:
    """What a course's package raises while it is imported, with its line."""
    if isinstance(error, ImportError | AttributeError):
        return f"{error}."
    return str(BrokenCourseError(where(error), said_by(error)))


def name_of(course: Course) -> str:
    """A name under which `use` finds a course again."""
    if course.id in installed():
        return course.id
    return folder_of(course.packages[0])


def in_folder(folder: Path) -> Any:
    """The COURSE of the package that a folder holds."""
    if str(folder.parent) not in sys.path:
        sys.path.append(str(folder.parent))
    return load(f"{folder.name}:COURSE")


def load(name: str) -> Any:
    """What "module:name" names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def folder_of(package: str) -> str:
    """Where a package lies; "" if it is not there."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # a module without a specification, as in a sandbox
        spec = None
    places = list(getattr(spec, "submodule_search_locations", None) or ())
    places += getattr(sys.modules.get(package), "__path__", ())
    return str(Path(places[0]).resolve()) if places else ""
