"""An autograder that names the mistake that was made.

    from autograder import check
    check(scaled_dot_product_attention)

    engine/     what an exercise is, and what is said of an answer to it
    doors/      where people come in: notebook and terminal
    audit/      how well right and wrong answers are told apart
    notebooks/  what was handed in, as data
    sandbox/    both sides of the wall behind which learners' code runs
    grading/    a class: judge, records, nbgrader, runs, report

`aside` puts files and folders in their places whole, or not at all.

It knows no course: it is given one (`engine.course`), with its exercises, model answers and all.
"""

TYPE_CHECKING = False  # editors take it for true; to import it from typing would cost time
if TYPE_CHECKING:
    from .doors.doctor import main as doctor
    from .doors.notebook import check, show
    from .engine.course import find, use
    from .engine.examine import examine
    from .engine.mistakes import wrong

__all__ = ["check", "doctor", "examine", "find", "show", "use", "wrong"]

PUBLIC = {  # {name: where it is}
    "check": "doors.notebook:check",
    "show": "doors.notebook:show",
    "doctor": "doors.doctor:main",
    "examine": "engine.examine:examine",
    "wrong": "engine.mistakes:wrong",
    "find": "engine.course:find",
    "use": "engine.course:use",
}


def __getattr__(name):
    """What is public, loaded when it is asked for: importing this must cost nothing."""
    if name in PUBLIC:
        import importlib

        module, _, attribute = PUBLIC[name].partition(":")
        return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    raise AttributeError(f"module 'autograder' has no attribute {name!r}")
