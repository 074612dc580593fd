"""`autograder update`: a newer edition of the course, without touching what somebody has written.

`git pull` stops where a notebook that was worked in has changed in the new edition. Here that
notebook is kept whole in before-update/, the new edition is brought in, and what was written goes
into its new place.
"""

import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from .carry_over import carried
from .places import HOME
from .work import write, write_bytes

KEPT = "before-update"
LEARNERS = ("notebooks/*.ipynb", "exercises/*.py")  # files that one writes in
INSTALLED = (
    "The course was installed with pip, and not cloned. Install the new edition in the same way; "
    "then `autograder lessons DIR` adds what is new to your folder."
)
UNPACKED = (
    "This folder was unpacked from an archive, and not cloned, so nothing says where new editions "
    "come from. Unpack the new edition beside it, and copy your notebooks/ and exercises/ over; "
    "or clone the course with git, once: from then on `autograder update` is enough."
)


class CannotUpdateError(Exception):
    """Why the new edition cannot be brought in, and what to do; nothing has been changed."""


def main():
    try:
        for sentence in update(HOME):
            print(sentence, flush=True)
    except CannotUpdateError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename} cannot be read or written: {error.strerror}.", file=sys.stderr)
        return 2
    return 0


def update(home):
    """Bring it in; gives sentences, each of them as soon as it is so."""
    upstream = where_from(home)
    git(home, "fetch", "--quiet", because="The new edition could not be fetched")
    if git(home, "rev-list", "--count", f"HEAD..{upstream}").strip() == "0":
        yield "You have the newest edition."
        return
    if git(home, "rev-list", "--count", f"{upstream}..HEAD").strip() != "0":
        raise CannotUpdateError(
            "This folder has commits of your own, which only you can join with the new edition: "
            "start with `git pull`."
        )
    new = named(home, "HEAD", upstream)
    mine = [name for name in named(home, "HEAD") if name in new]
    strange = [n for n in mine if not any(Path(n).match(pattern) for pattern in LEARNERS)]
    if strange:
        raise CannotUpdateError(
            f"You have changed {' and '.join(strange)}, and the new edition has as well. Put your "
            f"change aside with `git stash push -- {shlex.join(strange)}`, run "
            f"`autograder update`, and then `git stash pop`."
        )
    yield from brought(home, upstream, {name: home / name for name in mine})


def where_from(home):
    """The name of what this checkout follows."""
    if not (home / ".git").exists():
        raise CannotUpdateError(UNPACKED if (home / "Makefile").is_file() else INSTALLED)
    try:
        return git(home, "rev-parse", "--abbrev-ref", "@{upstream}").strip()
    except CannotUpdateError:
        raise CannotUpdateError(
            "This folder's branch follows no other, so git can't know where new editions come "
            "from. Say so with `git branch --set-upstream-to=origin/main`."
        ) from None


def named(home, *commits):
    """The names of files that differ between two commits, or between one and what is there."""
    return list(filter(None, git(home, "diff", "--name-only", "-z", *commits).split("\0")))


def brought(home, upstream, paths):
    """Bring in the new edition, and carry over what was written in these files.

    Args:
        paths: {name as git says it: path}
    """
    mine = {name: path.read_bytes() for name, path in paths.items() if path.is_file()}
    given = {name: git(home, "show", f"HEAD:{name}") for name in mine}
    if mine:
        kept = keep(home, mine)
        yield f"What you had written is kept, as it was, in {kept}."
    try:
        if paths:
            git(home, "checkout", "--quiet", "HEAD", "--", *paths)
        git(home, "merge", "--quiet", "--ff-only", upstream)
    except CannotUpdateError:
        for name, data in mine.items():
            write_bytes(paths[name], data)
        raise
    yield f"The new edition is here. {'Your work goes into it.' if mine else ''}".strip()
    for name, data in mine.items():
        yield from carry(paths[name], name, given[name], data)
    yield "Go on with `make lab`. If a notebook is open: File, Reload Notebook from Disk."


def keep(home, mine):
    """Files, as they are, in a folder of their own; gives its name."""
    kept = Path(KEPT) / f"{datetime.now():%Y-%m-%d %H.%M.%S}"
    try:
        for name, data in mine.items():
            place = home / kept / name
            place.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(place, data)
    except OSError as error:
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        why = f" Is there something else called {KEPT}?" if in_the_way else ""
        raise CannotUpdateError(
            f"What you have written could not be kept in {kept} ({error.strerror}), so nothing was "
            f"changed.{why}"
        ) from None
    return kept


def carry(path, name, given, mine):
    """Put what was written into the new version of a file; gives what to tell."""
    try:
        if not path.is_file():
            write_bytes(path, mine)
            return [f"{name} isn't part of the new edition; yours stays."]
        new = path.read_text(encoding="utf-8")
        try:
            text, said = carried(path, given, mine.decode("utf-8"), new)
        except Exception:  # a file can hold anything
            write_bytes(path, mine)
            return [f"{name} stays as you had it: what you have written there could not be read."]
        write(path, text)
    except OSError as error:
        return [f"{name} could not be written ({error.strerror}): yours is where it was kept."]
    return [f"{name}: {it}." for it in said]


def git(home, *words, because=""):
    """What git prints."""
    what = because or f"`git {words[0]}` failed"
    command, options = (
        ["git", *words],
        {"capture_output": True, "encoding": "utf-8", "errors": "replace"},
    )
    try:
        done = subprocess.run(command, cwd=home, timeout=300, check=False, **options)
    except FileNotFoundError:
        raise CannotUpdateError("There is no `git` on this machine.") from None
    except subprocess.TimeoutExpired:
        raise CannotUpdateError(f"{what}: no answer came in five minutes.") from None
    if done.returncode:
        told = done.stderr.strip().splitlines() or [""]
        raise CannotUpdateError(f"{what}: {told[-1]}")
    return done.stdout
