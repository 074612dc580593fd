"""The door for notebooks and for pytest: `check(f)`."""

import contextlib
import sys

from ..engine.broken_course import WHAT_TO_DO, BrokenCourseError
from ..engine.course import CourseNotFoundError, current, load
from ..engine.examine import examine_learners, not_checked
from ..engine.files import near_names
from ..engine.limits import SECONDS
from ..engine.pieces import checked, is_ours, names_around


def check(subject, exercise=None, *, strict=False, seed=None, device="cpu", seconds=SECONDS):
    """Check your solution, show the verdict, and return the points as a number.

    Args:
        subject: your function or class.
        exercise: which exercise it solves, if its name does not say it.
        strict: raise AssertionError, with the verdict as its text, unless everything is right.
        seed: to have the same check again; without it, every check draws new inputs.
        device: where to run it.
        seconds: how long it may take.
    """
    names = sys._getframe(1).f_globals
    wanted = which_exercise(subject, exercise, names)
    if isinstance(wanted, str):
        if strict:
            raise AssertionError(wanted)
        print(wanted)
        return 0
    around = names_around(subject, names)
    inside = bool(notebook_shell())
    try:
        verdict = examine_learners(wanted, subject, around, inside, seed, device, seconds)
    except BrokenCourseError as error:  # says nothing about the learner's code
        verdict = not_checked(wanted.id, wanted.max_score, error, WHAT_TO_DO)
    else:
        if not is_ours(subject):
            checked(wanted.name, subject, verdict.passed)
    if strict:
        assert verdict.passed, verdict.text()
    show(verdict)
    if not verdict.unchecked:
        tell(wanted, subject, verdict)
    return verdict.score


def tell(exercise, subject, verdict):
    """Let the course know of a check in a notebook; whatever happens there, the points stand."""
    listener = current().after_check
    if listener and notebook_shell() and not is_ours(subject):  # nor what a break-it lab made of it
        with contextlib.suppress(Exception):
            said = load(listener)(exercise, subject, verdict)
            if said:
                print(said)


def which_exercise(subject, asked_for, names):
    """The Exercise that something solves, or a sentence if that cannot be told."""
    try:
        course = current()
    except (CourseNotFoundError, BrokenCourseError) as error:
        return str(error)
    by_name = course.lesson_of  # its exercises are loaded when it is known which one is asked for
    if asked_for is not None:
        if asked_for in by_name or asked_for in course.ids:
            return loaded(course, asked_for)
        meant = near_names([str(asked_for).rpartition(".")[2]]).values()
        there = f"is it {listed(meant)}?" if meant else f"there are: {listed(by_name)}."
        return f"There is no exercise called {asked_for!r}; {there}"
    if not callable(subject):
        kind = type(subject).__name__
        return f"check wants your function or class itself, not {kind} {repr(subject)[:60]}."
    if type(subject).__name__ in by_name:
        kind = type(subject).__name__
        return f"check makes its own {kind}: give it the class, check({kind}), not one made of it."
    bound = [name for name in by_name if names.get(name) is subject]
    name = bound[0] if bound else getattr(subject, "__name__", "")
    if name in by_name:
        return loaded(course, name)
    meant = near_names([name]).get(name)
    there = f"Is it `{meant}`?" if meant else f"There are: {listed(by_name)}."
    return (
        f"No exercise is called {name or repr(subject)!r}: give your solution the exercise's "
        f"name, or say which one it is with check(…, exercise='{meant or '…'}'). {there}"
    )


def loaded(course, name):
    """The exercise of this name or id, or a sentence if the course's own check of it is broken."""
    try:
        return course.find(name)
    except BrokenCourseError as error:
        return error.told


def listed(names):
    return ", ".join(names)


def show(verdict):
    """A card where the front end can, plain text everywhere."""
    if not notebook_shell():
        print(verdict.text())
        return
    from IPython.display import display

    from ..engine.card import card

    display({"text/html": card(verdict), "text/plain": verdict.text()}, raw=True)


def notebook_shell():
    """The running notebook's shell, or None."""
    return (sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()) or None
