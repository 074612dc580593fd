"""How Sphinx makes pages of the course; `python -m website` starts it."""

import importlib.util
from pathlib import Path

project = "The Transformer by hand"
author = "the authors of The Transformer by hand"
language = "en"
extensions = ["myst_nb", "sphinx.ext.mathjax"]
nb_execution_mode = "off"  # they were executed before
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 3
myst_heading_slug_func = "website.pages.slug"

# MathJax and its fonts, of which most pages need a few, lie beside the pages.
_mathjax = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "pydata_sphinx_theme"
html_title = project
html_short_title = project
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_js_files = [("course.js", {"defer": "defer"})]
html_sidebars = {"**": ["lessons"]}
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_domain_indices = False
html_theme_options = {
    "logo": {"text": project},
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "show_toc_level": 1,
    "primary_sidebar_end": [],
    "footer_start": ["licence"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "back_to_top_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
templates_path = ["_templates"]
suppress_warnings = ["mystnb.unknown_mime_type"]


def _copy_mathjax(app, error):
    """What a page with formulas loads, and not the dozens of variants that lie beside it."""
    from shutil import copyfile

    if error:
        return
    source, target = _mathjax / "static" / "mathjax", Path(app.outdir) / "_static" / "mathjax"
    fonts = source.glob("output/chtml/fonts/woff-v2/*.woff")
    for path in (source / "tex-chtml.js", *source.glob("a11y/assistive-mml.js"), *fonts):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        copyfile(path, place)


def _open_fold(writer, node):
    """MyST-NB's own summary is called "Toggle hidden content", whatever stands on it."""
    kind = "code" if "above-input" in node["classes"] else "result"
    text = node["prompt_show"] if kind == "code" else "What happens? Predict first, then open"
    writer.body.append(f'<details class="fold {kind}"><summary>{text}</summary>\n')


def _close_fold(writer, node):
    writer.body.append("</details>\n")


def setup(app):
    from myst_nb.sphinx_ import HideCodeCellNode

    app.add_node(HideCodeCellNode, override=True, html=(_open_fold, _close_fold))
    app.connect("build-finished", _copy_mathjax)
