"""What has to be so of every page: `make site-check`, after `make site`.

Each page is opened in Chromium, in the light on a desk and in the dark on a phone, with everything
unfolded. axe-core finds nothing serious or critical, nothing is asked of another host, nothing
fails to load, and the search finds something. In the learner's edition no model answer stands
anywhere, and no page names a folder of the machine it was made on.
"""

import argparse
import functools
import html
import http.server
import importlib.util
import re
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from course.checks import all_exercises
from course.lesson import lessons
from course.notebook import learners
from course.stubs import REGION

from . import browser
from .places import BUILD, ROOT

LOOKS = (("light", 1280, 900), ("dark", 390, 844))
LINK = re.compile(r"""<a [^>]*href=["']((?![a-z]+:)[^"']+)["']""")
GRAVE = ("serious", "critical")
TELLING = 20  # characters; shorter lines of an answer may stand anywhere
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@functools.lru_cache
def answer_lines():
    """The lines of model answers that no notebook of the learner's holds."""
    shown = "\n".join(cell.source for lesson in lessons() for cell in learners(lesson).cells)
    regions = "\n".join(m[0] for x in all_exercises().values() for m in REGION.finditer(x.source))
    lines = {line.strip() for line in regions.splitlines() if "### " not in line}
    return sorted(line for line in lines if len(line) >= TELLING and line not in shown)


def text_of(path):
    """What a page says, without the marks around it."""
    return html.unescape(re.sub(r"<[^>]+>", "", path.read_text(encoding="utf-8")))


def leaks(folder):
    """What should not stand in the learner's edition, and where it does."""
    telling = [*answer_lines(), str(ROOT), str(Path.home())]
    for path in sorted(folder.glob("*.html")):
        text = text_of(path)
        yield from (f"{path.name} holds {line!r}" for line in telling if line in text)


def dead_links(folder):
    """Links to files and places that are not there."""
    for path in sorted(folder.glob("*.html")):
        for link in LINK.findall(path.read_text(encoding="utf-8")):
            file, _, place = html.unescape(unquote(link)).partition("#")
            target = folder / file if file else path
            if not target.is_file() or not has_place(target, place):
                yield f"{path.name} links to {link}"


def has_place(path, place):
    """Is there an element of this name? Of other things than pages it is not asked."""
    if not place or path.suffix != ".html":
        return True
    return f'id="{html.escape(place)}"' in path.read_text(encoding="utf-8")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@contextmanager
def served(folder):
    """The pages as a web server would give them; yields their address."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def axe():
    """axe-core's source."""
    place = Path(importlib.util.find_spec("axe_playwright_python").origin).parent
    return (place / "axe.min.js").read_text(encoding="utf-8")


@contextmanager
def opened(chromium, address, look):
    """(a page that is ready, what went wrong while it was loaded)"""
    scheme, width, height = look
    context = chromium.new_context(
        color_scheme=scheme, viewport={"width": width, "height": height}, bypass_csp=True
    )
    page, wrong = context.new_page(), []
    host = "/".join(address.split("/")[:3])

    def asked(request):
        if not request.url.startswith((host, "data:")):
            wrong.append(f"asks another host: {request.url}")

    page.on("request", asked)
    page.on("requestfailed", lambda request: wrong.append(f"is not there: {request.url}"))
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("response", lambda r: wrong.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    page.goto(address)
    browser.settle(page)
    yield page, wrong
    context.close()


def violations(page, source):
    """What axe-core finds on a page, everything unfolded: [(impact, rule, where)]."""
    browser.unfold(page)
    page.evaluate(source)
    # Without `preload`, which would ask for imported style sheets beside the page.
    options = {"runOnly": {"type": "tag", "values": RULES}, "preload": False}
    found = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        (rule["impact"], rule["id"], node["target"][0])
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def scroll_sideways(page):
    """By how many pixels a page is wider than the screen."""
    return page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")


def hits(page, address, word):
    """How many pages the search finds."""
    page.goto(f"{address}/search.html?q={word}")
    page.wait_for_selector("#search-results li", timeout=20_000)
    return page.locator("#search-results li").count()


def look_at(folder, names):
    """Look at pages of these names.

    Gives all that is wrong, and {(impact, rule, page, element): in how many looks}.
    """
    wrong, seen, source = [], Counter(), axe()
    with served(folder) as address, browser.started() as chromium:
        for name in names:
            for look in LOOKS:
                where = f"{name}, {look[0]}, {look[1]} px"
                with opened(chromium, f"{address}/{name}", look) as (page, trouble):
                    found = violations(page, source)
                    wide = scroll_sideways(page)
                seen.update((impact, rule, name, target) for impact, rule, target in found)
                grave = [f"{x[1]} ({x[0]}) at {x[2]}" for x in found if x[0] in GRAVE]
                wide = [f"is {wide} px wider than the screen"] * (wide > 0)
                wrong += [f"{where}: {said}" for said in (*trouble, *grave, *wide)]
                print(f"{where}: {len(found)} remarks, {len(grave)} of them grave", flush=True)
        with opened(chromium, f"{address}/index.html", LOOKS[0]) as (page, _):
            print(f"The search finds {hits(page, address, 'softmax')} pages for softmax.")
    return wrong, seen


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m website.check", description=__doc__)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="01_attention (default: all)")
    asked = parser.parse_args(arguments).pages
    folder = BUILD / "site"
    if not (folder / "index.html").is_file():
        print("There are no pages yet: `make site` builds them.")
        return 1
    if browser.found() is None:
        print("Pages are looked at in Chromium or Chrome, and there is none here.")
        return 1
    names = [path.name for path in sorted(folder.glob("*.html")) if not asked or path.stem in asked]
    wrong, seen = look_at(folder, names)
    wrong += [*leaks(folder), *dead_links(folder)]
    for (impact, rule, page, target), times in sorted(seen.items(), key=str):
        print(f"  {impact}: {rule}, {page}, {target}, {times} times")
    for said in wrong:
        print(said)
    print("Something is wrong, see above." if wrong else "All pages are as they should be.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
