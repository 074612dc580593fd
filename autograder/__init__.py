"""The autograder of The Transformer by hand.

    from autograder import check
    check(scaled_dot_product_attention)

How it works, from what is asked to what is said:

    exercise      what an exercise consists of: properties, probes, mistakes, hints
    checks/       the exercises themselves, a package a lesson
    drawing       draws random inputs from a seed
    trial         runs an implementation on drawn inputs, and notes what came of it
    pieces        stand-bys for missing pieces, the same at home and in class; who called whom
    subject       the implementation that is examined, wherever its code lives
    compare       is that the expected answer, and if not, in which respect?
    mistakes      wrong implementations: the reference with a small edit
    diagnose      which of them gives the learner's answers?
    symptoms      words for wrong answers of no known kind
    examine       all of that for one implementation, up to a verdict
    verdict       points, diagnosis and explanation, as data and as text

`aside` puts files and folders in their places whole, or not at all.

Doors to it: `notebook` (check, with `card`), `command_line` (with `files` and `workers`), and
`grading/` for classes. `bank` holds right and wrong answers that nobody edited together, and
`audit` asks how well they are told apart.
"""


def __getattr__(name):
    """`check` and `wrong`, loaded when they are asked for: importing this must cost nothing."""
    if name == "check":
        from .notebook import check

        return check
    if name == "wrong":
        from .mistakes import wrong

        return wrong
    raise AttributeError(f"module 'autograder' has no attribute {name!r}")
