"""A learner's own copies of notebooks and exercises, where the course is installed and there is no
checkout: `autograder lessons DIR`, or `autograder lesson 1` for one of them."""

import os
import shlex
import sys
from pathlib import Path

from . import given

SETTINGS = Path(__file__).with_name("jupyter")  # of JupyterLab, for learners


def main(folder):
    """Write what is not there yet into a folder; what is there may hold somebody's work."""
    place = Path(folder)
    try:
        written, left = copy_into(place)
    except OSError as error:
        print(f"{error.filename or place} cannot be written: {error.strerror}.", file=sys.stderr)
        return 2
    if left:
        print(f"Left as it was, because it may hold work of yours: {', '.join(left)}.")
    if written:
        some = f"{len(written)} notebooks and exercise files are"
        one = "1 notebook or exercise file is"
        print(f"{one if len(written) == 1 else some} new in {place}.")
    else:
        print(f"All notebooks and exercise files were in {place} already: nothing is new.")
    print(f"Next: cd {shlex.quote(str(place))} && jupyter lab notebooks/00_start.ipynb")
    return 0


def one(number):
    """Put a lesson and its exercises into the current folder, and open it."""
    there = {str(number): module for number, module in given.lessons().items()}
    module = there.get(number)
    if module is None:
        print(f"There is no lesson {number}; there are: {', '.join(there)}.", file=sys.stderr)
        return 2
    try:
        copy_into(Path(), {f"{int(number):02}_{module}.ipynb", f"{module}.py"})
    except OSError as error:
        print(f"{error.filename or '.'} cannot be written: {error.strerror}.", file=sys.stderr)
        return 2
    notebook = f"notebooks/{int(number):02}_{module}.ipynb"
    print(f"{notebook} is here, and JupyterLab opens it. Press Ctrl-C twice to stop.", flush=True)
    become_jupyterlab(notebook)
    return 0


def become_jupyterlab(notebook):
    """From here on this process is JupyterLab, with the terminal and its Ctrl-C."""
    command = [sys.executable, "-m", "jupyterlab", f"--LabApp.default_url=/lab/tree/{notebook}"]
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    places = [str(SETTINGS), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(places)
    os.execv(sys.executable, command)


def copy_into(place, only=None):
    """(names that were written, names that were there)

    Args:
        only: names of files; all of them if this is None.
    """
    written, left = [], []
    for name, text in given.files().items():
        if only is not None and name.name not in only:
            continue
        target = place / name
        if target.exists():
            there = target.read_text(encoding="utf-8", errors="replace")
            left += [str(name)] if there != text else []
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(str(name))
    return written, left
