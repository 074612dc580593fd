"""What to do about exceptions whose cause is known: a sentence behind Python's own message.

Of the method that an exercise is about nothing is said here: only of what stopped the code.
"""

import re
import sys

TYPING = ("EOFError", "StdinNotImplementedError")  # of input(), where nobody can type
# NumPy's functions, but for what people use for plain numbers.
NUMPYS = re.compile(
    r"\b(?:np|numpy)\.(?!(?:sqrt|log|pi|inf|e|newaxis|float\d+|int\d+)\b)(\w+\.)*\w+"
)
MET_NUMPY = re.compile(r"numpy|ScalarType BFloat16")  # in what torch and NumPy say of each other
PAIR = re.compile(r"torch\.return_types\.(\w+)")
MODULE = re.compile(r"No module named '([\w.]+)'")
FOR_NOTEBOOKS = re.compile(r"^\s*(%%?\w|!\w|\?+\w)")  # magics, shell lines and help


def advice(kind: str, message: str, line: str = "", numpy: bool = False) -> str:
    """A sentence on what to do about an exception; "" if there is nothing to add.

    Args:
        kind, message: of the exception.
        line: of the learner's, where it happened.
        numpy: is the exercise about NumPy's arrays?
    """
    for speak in (on_missing_module, on_typing):
        if said := speak(kind, message):
            return said
    return "" if numpy else on_numpy(kind, message, line)


def on_missing_module(kind: str, message: str) -> str:
    found = MODULE.search(message) if kind == "ModuleNotFoundError" else None
    if not found:
        return ""
    package, _, inner = found[1].partition(".")
    if inner and package in sys.modules:
        return f"There is a `{package}`, but no `{inner}` in it: is the name spelt right?"
    return (
        f"There is no package `{package}` here. Write this without it: a class is graded with what "
        f"the course installs and nothing else. For yourself you can add it with "
        f"`pip install {package}` in a terminal, if that is what it is called there."
    )


def on_typing(kind: str, message: str) -> str:
    if kind not in TYPING and "reading from stdin" not in message:
        return ""
    return (
        "That comes from input() or something like it. Nobody can type where your code is checked: "
        "give it a value instead."
    )


def on_numpy(kind: str, message: str, line: str) -> str:
    """On tensors that were given to NumPy, and on what torch gives where NumPy has one array."""
    pair, met = PAIR.search(message), MET_NUMPY.search(message)
    called = NUMPYS.search(line.partition("#")[0])
    if kind != "TypeError" and not (pair or met):  # a shape that does not fit is nothing of NumPy's
        called = None
    said = ""
    if pair:
        said = (
            f"Along a dimension, torch's {pair[1]} gives two tensors: `.values`, and `.indices` "
            f"where they were found. "
        )
    if called:
        said += (
            f"`{called[0]}` is NumPy's, and you have torch's tensors: use torch's own function, "
            f"which gradients can flow through."
        )
    elif met:
        said += (
            "NumPy's arrays know no gradients and no bfloat16: stay with torch's tensors and its "
            "own functions all the way. To detach them would only hide that."
        )
    return said.strip()


def on_notebook_line(line: str) -> str:
    """A sentence if a line is meant for a notebook and is no Python; "" otherwise."""
    if not FOR_NOTEBOOKS.match(line):
        return ""
    return (
        f"`{line.strip()[:60]}` is for a notebook only: lines that begin with %, ! or ? are no "
        f"Python. In a file, delete it."
    )
