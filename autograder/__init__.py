"""The autograder of The Transformer by hand.

    from autograder import check
    check(scaled_dot_product_attention)

    engine/     what an exercise is, and what is said of an answer to it
    checks/     the exercises themselves, a package a lesson
    doors/      where people come in: notebook and terminal
    audit/      how well right and wrong answers are told apart
    notebooks/  what was handed in, as data
    sandbox/    both sides of the wall behind which learners' code runs
    grading/    a class: judge, records, nbgrader, runs, report

`stand_ins` are small models that exercises are given; `aside` puts files and folders in their
places whole, or not at all.
"""


def __getattr__(name):
    """`check` and `wrong`, loaded when they are asked for: importing this must cost nothing."""
    if name == "check":
        from .doors.notebook import check

        return check
    if name == "wrong":
        from .engine.mistakes import wrong

        return wrong
    raise AttributeError(f"module 'autograder' has no attribute {name!r}")
