"""The course as static pages, from the very notebooks that it consists of; `make site`.

places      where the repository lies, and what is built in it
executed    lessons run from top to bottom, and kept by their content
explorers   what runs beside them, so that sliders have their pictures on a page
pages       an executed lesson as a page: what a reader sees of each cell
pictures    pictures as files, explorers as HTML
browser     Chromium, for what only a browser can do
printed     each lesson as a PDF
check       what has to be so of every page; `make site-check`
theme       how Sphinx sets it: conf.py, style, a few lines of JavaScript, pages around the lessons
"""
