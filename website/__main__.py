"""The course as static pages: `make site`, or `python -m website` where its packages are there.

Pages come into build/site; with --answers the instructor's edition comes into
build/site-with-answers. Lessons that have changed are run first, which takes some minutes.
"""

import argparse
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError

from course.lesson import lessons

from . import browser
from .executed import executed
from .pages import Page, page_of
from .places import BUILD, ROOT
from .printed import print_lessons

THEME = Path(__file__).with_name("theme")
EDITION = {
    False: "The answers aren't here: writing them is the course.",
    True: "**This is the instructor's edition: it holds the answers.**",
}
RUNS = BUILD / "executed"


def write_source(folder, wanted, answers=False, pdf=False, runs=RUNS):
    """Write what Sphinx reads: a notebook per lesson, its pictures, and the pages around them."""
    pictures = folder / "_static" / "pictures"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(THEME / "_static", folder / "_static")
    pictures.mkdir()
    for lesson in wanted:
        page = Page(lesson, pictures, answers, pdf)
        nbformat.write(page_of(page, executed(lesson, runs)), folder / f"{lesson.stem}.ipynb")
    stems = "\n".join(lesson.stem for lesson in wanted)
    for path in (THEME / "text").glob("*.md"):
        text = path.read_text("utf-8").replace("LESSONS", stems)
        (folder / path.name).write_text(text.replace("ANSWERS", EDITION[answers]), "utf-8")


def make_pages(source, folder, whole=True):
    """Let Sphinx make the pages. Gives its exit status.

    Args:
        whole: are all lessons there? Then whatever it warns of is an error.
    """
    shutil.rmtree(folder, ignore_errors=True)
    doctrees = source.with_name(f"{source.name}-doctrees")
    command = [sys.executable, "-m", "sphinx", "-q", "-E"]
    command += ["-W", "--keep-going"] * whole
    command += ["-d", doctrees, "-c", THEME, "-D", f"html_static_path={source / '_static'}"]
    return subprocess.run([*command, source, folder], cwd=ROOT, check=False).returncode


def build(wanted, answers=False, pdf=False, whole=True):
    """Run lessons, and make their pages and PDFs. Gives an exit status."""
    name = "site-with-answers" if answers else "site"
    source, folder = BUILD / f"{name}-source", BUILD / name
    write_source(source, wanted, answers, pdf)
    failed = make_pages(source, folder, whole)
    if failed:
        return failed
    if pdf:
        print_lessons(folder, [lesson.stem for lesson in wanted])
    print(f"The pages are in {folder.relative_to(ROOT)}: open {folder / 'index.html'}")
    return 0


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m website", description=__doc__)
    parser.add_argument("--answers", action="store_true", help="the instructor's edition")
    parser.add_argument("--lessons", metavar="1,3", help="which (default: all)")
    parser.add_argument("--no-pdf", action="store_true", help="pages only")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("myst_nb") is None:
        print("What makes pages is not installed here: `make site` installs it, and makes them.")
        return 1
    every = {str(lesson.number): lesson for lesson in lessons()}
    numbers = options.lessons.split(",") if options.lessons else list(every)
    if not set(numbers) <= set(every):
        print(f"There is no lesson {options.lessons}; there are: {', '.join(every)}.")
        return 1
    pdf = not options.no_pdf and browser.found() is not None
    if not options.no_pdf and not pdf:
        print("There is no Chromium or Chrome here, so the pages come without their PDFs.")
    wanted = [every[number] for number in numbers]
    try:
        return build(wanted, options.answers, pdf, whole=numbers == list(every))
    except CellExecutionError as error:
        print(f"A cell of this lesson stopped with {error.ename}: {error.evalue}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
