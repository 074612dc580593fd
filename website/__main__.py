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

from course.lesson import lessons

from . import browser
from .executed import ROOT, executed
from .pages import Page, page_of

THEME = Path(__file__).with_name("theme")
BUILD = ROOT / "build"
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
    for text in (THEME / "text").glob("*.md"):
        (folder / text.name).write_text(text.read_text("utf-8").replace("LESSONS", stems), "utf-8")


def make_pages(source, folder):
    """Let Sphinx make the pages; what it warns of is an error. Gives its exit status."""
    shutil.rmtree(folder, ignore_errors=True)
    doctrees = source.with_name(f"{source.name}-doctrees")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E"]
    command += ["-d", doctrees, "-c", THEME, "-D", f"html_static_path={source / '_static'}"]
    return subprocess.run([*command, source, folder], cwd=ROOT, check=False).returncode


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m website", description=__doc__)
    parser.add_argument("--answers", action="store_true", help="the instructor's edition")
    parser.add_argument("--lessons", default="", metavar="1,3", help="which (default: all)")
    parser.add_argument("--no-pdf", action="store_true", help="pages only")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("myst_nb") is None:
        print("What makes pages is not installed here: `make site` installs it, and makes them.")
        return 1
    chosen = options.lessons.split(",") if options.lessons else None
    wanted = [x for x in lessons() if chosen is None or str(x.number) in chosen]
    pdf = not options.no_pdf and browser.found() is not None
    if not options.no_pdf and not pdf:
        print("There is no Chromium or Chrome here, so the pages come without their PDFs.")
    name = "site-with-answers" if options.answers else "site"
    source, folder = BUILD / f"{name}-source", BUILD / name
    write_source(source, wanted, options.answers, pdf)
    failed = make_pages(source, folder)
    if failed:
        return failed
    if pdf:
        from .printed import print_lessons

        print_lessons(folder, [lesson.stem for lesson in wanted])
    print(f"The pages are in {folder.relative_to(ROOT)}: open {folder / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
