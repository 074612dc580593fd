"""`autograder update`: a newer edition of the course, without touching what somebody has written.

`git pull` stops where a notebook that was worked in has changed in the new edition. Here that
notebook is kept whole in before-update/, the new edition is brought in, and what was written goes
into its new place.
"""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

from .carry_over import carried
from .places import HOME
from .work import write

KEPT = "before-update"
LEARNERS = ("notebooks/*.ipynb", "exercises/*.py")  # files that one writes in


class CannotUpdateError(Exception):
    """Why the new edition cannot be brought in, and what to do; nothing has been changed."""


def main():
    try:
        said = update(HOME)
    except CannotUpdateError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(said))
    return 0


def update(home):
    """Bring it in; gives what to tell."""
    upstream = where_from(home)
    git(home, "fetch", "--quiet", because="The new edition could not be fetched")
    if git(home, "rev-list", "--count", f"HEAD..{upstream}").strip() == "0":
        return ["This is the newest edition."]
    if git(home, "rev-list", "--count", f"{upstream}..HEAD").strip() != "0":
        raise CannotUpdateError(
            "This folder has commits of your own, which only you can join with the new edition: "
            "`git pull` begins with that."
        )
    new = named(home, "HEAD", upstream)
    mine = [name for name in named(home, "HEAD") if name in new]
    strange = [n for n in mine if not any(Path(n).match(pattern) for pattern in LEARNERS)]
    if strange:
        raise CannotUpdateError(
            f"You have changed {' and '.join(strange)}, and the new edition has as well. Put your "
            f"change aside with `git stash`, say `autograder update`, and then `git stash pop`."
        )
    return brought(home, upstream, [home / name for name in mine])


def where_from(home):
    """The name of what this checkout follows."""
    if not (home / ".git").exists():
        raise CannotUpdateError(
            "The course was installed with pip, and not cloned. Install the new edition in the "
            "same way; then `autograder lessons DIR` adds what is new to your folder."
        )
    try:
        return git(home, "rev-parse", "--abbrev-ref", "@{upstream}").strip()
    except CannotUpdateError:
        raise CannotUpdateError(
            "This folder does not follow any other: `git branch --set-upstream-to=origin/main` "
            "says where new editions come from."
        ) from None


def named(home, *commits):
    """The names of files that differ between two commits, or between one and what is there."""
    return list(filter(None, git(home, "diff", "--name-only", "-z", *commits).split("\0")))


def brought(home, upstream, paths):
    """Bring in the new edition, and carry over what was written in these files."""
    names = {path: path.relative_to(home).as_posix() for path in paths}
    mine = {path: path.read_text(encoding="utf-8") for path in paths if path.is_file()}
    given = {path: git(home, "show", f"HEAD:{name}") for path, name in names.items()}
    kept = home / KEPT / f"{datetime.now():%Y-%m-%d %H.%M.%S}"
    for path, text in mine.items():
        place = kept / names[path]
        place.parent.mkdir(parents=True, exist_ok=True)
        write(place, text)
    said = [f"What you had written is kept, as it was, in {kept.relative_to(home)}."] * bool(mine)
    try:
        if names:
            git(home, "checkout", "--quiet", "HEAD", "--", *names.values())
        git(home, "merge", "--quiet", "--ff-only", upstream)
    except CannotUpdateError:
        for path, text in mine.items():
            write(path, text)
        raise
    for path, text in mine.items():
        said += carry(path, names[path], given[path], text)
    return [
        f"The new edition is here. {'Your work is in it.' if mine else ''}".strip(),
        *said,
        "`make lab` goes on from here; notebooks that are open: File, Reload Notebook from Disk.",
    ]


def carry(path, name, given, mine):
    """Put what was written into the new version of a file; gives what to tell."""
    if not path.is_file():
        write(path, mine)
        return [f"{name} is no part of the new edition; yours stays."]
    try:
        text, lost = carried(path, given, mine, path.read_text(encoding="utf-8"))
    except (ValueError, SyntaxError, KeyError, TypeError):
        write(path, mine)
        return [f"{name} stays as you had it: what you have written there could not be read."]
    write(path, text)
    return [f"{name}: the new edition has changed this as well, and counts: {it}" for it in lost]


def git(home, *words, because=""):
    """What git prints."""
    what = because or f"`git {words[0]}` failed"
    command, options = ["git", *words], {"capture_output": True, "encoding": "utf-8"}
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
