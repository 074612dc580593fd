"""Each lesson as a PDF, printed by Chromium with the pages' own style for paper."""

from . import browser
from .pages import PDFS

LAYOUT = {
    "format": "A4",
    "margin": {"top": "16mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
    "display_header_footer": True,
    "header_template": "<span></span>",
    "footer_template": '<div style="width:100%;text-align:center;font-size:8px">'
    '<span class="title"></span> · <span class="pageNumber"></span></div>',
    "tagged": True,  # headings and alternative texts, for screen readers
    "outline": True,
}


def print_lessons(folder, stems):
    """Write pdf/<lesson>.pdf beside the pages."""
    (folder / PDFS).mkdir(exist_ok=True)
    with browser.started() as chromium:
        page = chromium.new_page(color_scheme="light")
        for stem in stems:
            page.goto((folder / f"{stem}.html").as_uri())
            browser.unfold(page)
            browser.settle(page)
            page.pdf(path=folder / PDFS / f"{stem}.pdf", **LAYOUT)
