"""Chromium, for what only a browser can do: a page as a PDF, and how a page really behaves."""

import os
import shutil
from contextlib import contextmanager

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def found():
    """The path of a Chromium or Chrome, CHROMIUM's if that is set; None if there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def started():
    """A browser, closed at the end."""
    from playwright.sync_api import sync_playwright

    # In a container people are often root, and then Chromium's own sandbox refuses.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found(), args=arguments)
        yield browser
        browser.close()


def settle(page):
    """Wait until formulas are set and all pictures are there, those far down too."""
    page.evaluate("() => document.querySelectorAll('img').forEach((i) => { i.loading = 'eager'; })")
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.evaluate("() => document.fonts.ready")
    page.evaluate("() => Promise.all([...document.images].map((i) => i.decode().catch(() => {})))")


def unfold(page):
    """Open all that is folded."""
    page.evaluate("() => document.querySelectorAll('details').forEach((d) => { d.open = true; })")
