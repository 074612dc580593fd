"""Where the course can be had: one address, which whoever publishes it writes into pyproject.toml.

`Repository` in `[project.urls]` is that place; as long as nothing stands there, nothing can be
opened with a click, and the notebooks say how else the course is had.
"""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata

from autograder.doors.doctor import HOSTS

from .places import BELOW, HOME

NAME = "Repository"
ARCHIVE = "transformer_by_hand.zip"  # the students' edition, see edition.py
BRANCH = "main"
OWNER_AND_NAME = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)")
CLICKS = {
    "Colab": "https://colab.research.google.com/github/{repository}/blob/{branch}/{path}",
    "Kaggle": "https://kaggle.com/kernels/welcome"
    "?src=https://github.com/{repository}/blob/{branch}/{path}",
    "Binder": "https://mybinder.org/v2/gh/{repository}/{branch}?urlpath=lab/tree/{path}",
}
# What the lessons need and Colab and Kaggle may not have. All else is there, in versions of their
# own that must stay, and what only a class or JupyterLab needs is left out.
SMALL = "num2words docopt einops jaxtyping wadler-lindig beartype"
BEGINS, ENDS = "<!-- clicks: `make notebooks` writes what is between -->", "<!-- clicks end -->"
NOTHING_YET = (
    "Links that open each lesson in Colab, Kaggle or Binder appear here once this course has a "
    "public address: [how it gets one](../docs/elsewhere.md#publishing)."
)


def address():
    """Where the repository is, as https://github.com/OWNER/NAME; "" if that is not known."""
    urls = urls_of_the_installed() if HOME == BELOW else urls_of_the_checkout()
    return urls.get(NAME, "").strip().rstrip("/").removesuffix(".git")


def urls_of_the_checkout():
    text = (HOME / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"].get("urls", {})


def urls_of_the_installed():
    try:
        lines = metadata("transformer-by-hand").get_all("Project-URL") or []
    except PackageNotFoundError:
        return {}
    return dict(line.split(", ", 1) for line in lines)


def clicks(stem):
    """{where: link} that opens a lesson there; empty if there is no address on GitHub."""
    found = OWNER_AND_NAME.fullmatch(address())
    if found is None:
        return {}
    known = {"repository": found[1], "branch": BRANCH, "path": f"notebooks/{stem}.ipynb"}
    return {where: link.format(**known) for where, link in CLICKS.items()}


def badge(stem):
    """The same as a line of Markdown; "" if there is none. It is words, and no picture: a picture
    would be fetched from somebody else whenever the notebook is opened."""
    links = [f"[{where}]({link})" for where, link in clicks(stem).items()]
    return f"Open this lesson in {' · '.join(links)}" if links else ""


def page_with_clicks(page, lessons):
    """A page of Markdown with the links to all lessons between its two marks."""
    before, mark, rest = page.partition(BEGINS)
    _, end, after = rest.partition(ENDS)
    if not end:
        return page
    rows = [f"| {lesson.title} | {' | '.join(cells_of(lesson))} |" for lesson in lessons]
    head = [f"| Lesson | {' | '.join(CLICKS)} |", "|---|" + "---|" * len(CLICKS)]
    table = "\n".join([*head, *rows]) if clicks("00_start") else NOTHING_YET
    return f"{before}{mark}\n\n{table}\n\n{end}{after}"


def cells_of(lesson):
    return [f"[open]({link})" for link in clicks(lesson.stem).values()]


# --- What a notebook does where the course is not -------------------------------------------------

TITLE = "# @title Finds the course where it isn't installed: on Colab or Kaggle, or unpacked.\n"
# In a class whose course has another address this is a cell that the course does not know, and is
# run like a learner's: so it has nothing in it that whoever grades should look at.
ARRIVAL = """import os
import shutil
import sys
import zlib
from pathlib import Path
from shlex import quote

hosted = any(name in os.environ for name in {hosts})


def is_here():
    try:
        import autograder
        import course
    except ModuleNotFoundError as error:
        if error.name not in ("autograder", "course"):
            raise
        return False
    return True


if not is_here():  # it may lie in the folder above, or packed beside this notebook
    above, packed = Path.cwd().parent, Path("{archive}")
    if (above / "course" / "sealed").is_dir():
        sys.path.append(str(above))
    elif packed.is_file():
        place = Path.home() / ".cache" / packed.stem / str(zlib.crc32(packed.read_bytes()))
        shutil.unpack_archive(packed, place)
        sys.path.append(str(place / packed.stem))
{bring}

class NotHereError(Exception):
    def _render_traceback_(self):
        return list(self.args)  # these lines alone


if not is_here():
    raise NotHereError(
        {said}
    )
if hosted:
    from course.hosted import settle

    settle()"""
BRING = """
if hosted and not is_here():
    from subprocess import run

    packages = "{packages}"
    run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *packages.split()])
    sys.path_importer_cache.clear()  # so that what pip has brought is found
"""


def arrival(lesson):
    """The source of a notebook's first cell, which sees to it that the course is there."""
    where = packages_at(address())
    bring = BRING.format(packages=f"{where} {SMALL}") if where else ""
    lines = (f'{"f" * ("{" in line)}"{line}",' for line in what_to_type(where, lesson.number))
    said = "\n        ".join(lines)
    return TITLE + ARRIVAL.format(hosts=HOSTS, archive=ARCHIVE, bring=bring, said=said)


def packages_at(where):
    """What pip is asked for: the course, and the engine, which lies in it."""
    return f"git+{where} git+{where}#subdirectory=autograder" if where else ""


def what_to_type(where, number):
    """Lines for somebody who has the notebook alone; what is in braces the cell puts in."""
    yield "This notebook needs the course, and this Python doesn't have it: {sys.executable}"
    yield f"If you were given {ARCHIVE}: put it beside this notebook, and run this cell again."
    if where:
        yield "On Colab and Kaggle: run this cell again (on Kaggle, with Internet switched on)."
        yield "At home, type in a terminal:"
        yield f"  pip install {where}"
        yield "and then, in a folder of your own:"
        yield f"  autograder lesson {number}"
    else:
        yield "If you have a copy of the course: in its folder, type `make lab`, or"
        yield "  {quote(sys.executable)} -m pip install ./autograder ."
        yield "and then Kernel, Restart."
