"""An executed lesson as a page: what a reader sees of each of its cells.

Exercises become boxes with a stub and folded hints; the model answer stands there in the
instructor's edition alone. Checks and places for answers go, as nothing runs on a page. Long code
is folded, and so is what a cell shows when the reader has been asked to predict it.
"""

import html
import re
from dataclasses import dataclass
from pathlib import Path

from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat.v4 import new_markdown_cell, new_notebook

from autograder.engine import card
from course.checks import find
from course.lesson import Lesson
from course.notebook import ANSWERS, KERNEL, SEED, SETUP
from course.published import TITLE
from course.quiz import LETTERS
from course.stubs import stub_of

from . import pictures
from .explorers import EXPLORER, PAINTER

PDFS = "pdf"  # the folder of PDFs, beside the pages
LONG = 15  # lines; longer code is folded
PREDICT = re.compile(r"\bPredict\b")
WHOSE = re.compile(r"^\w+: (yours|a stand-by)\b.*\n?", re.M)  # what course.mine says of a name
# What a cell says of the machine or of its learner, which is nobody's on a page.
PERSONAL = ("doctor()", "show_progress()")
COLUMNS = re.compile(r"^ |\S {2,}\S")  # in lines of which one is set below the other
NARROW = 40  # characters that a phone has room for


@dataclass(frozen=True)
class Page:
    """What is needed while a page is made.

    Args:
        lesson: whose page it is.
        folder: where its pictures are put.
        answers: is it the instructor's?
        pdf: is there one to point to?
    """

    lesson: Lesson
    folder: Path
    answers: bool = False
    pdf: bool = False


def page_of(page, notebook):
    """The notebook that is shown, of one that was executed."""
    notebook, _ = CoalesceStreamsPreprocessor().preprocess(notebook, {})
    cells, asked = [], False
    for cell in notebook.cells:
        cells += MAKERS[role_of(cell)](page, cell, asked)
        asked = cell.cell_type == "markdown" and bool(PREDICT.search(last_section(cell.source)))
    cells[0].source = with_tools(page, cells[0].source)
    return new_notebook(cells=cells, metadata=KERNEL)


def last_section(text):
    """What stands below a text's last heading."""
    return re.split(r"^#+ .*$", text, flags=re.M)[-1]


def role_of(cell):
    """What a cell is to a reader: a key of MAKERS."""
    graded = cell.metadata.get("nbgrader", {})
    if cell.cell_type == "markdown":
        return "question" if graded.get("solution") else "prose"
    if graded.get("solution"):
        return "exercise"
    return next((role for text, role in BEGINS.items() if cell.source.startswith(text)), "code")


def prose(page, cell, asked):
    return [new_markdown_cell(cell.source)]


def code(page, cell, asked):
    """A demonstration, and what it shows."""
    tags = []
    if cell.metadata.get("jupyter", {}).get("source_hidden") or is_long(cell.source):
        tags.append("hide-input")
    cell.outputs = [out for out in map(shown_by(page, cell), cell.outputs) if out]
    if asked and cell.outputs:
        tags.append("hide-output")
    if any(map(may_wrap, cell.outputs)):
        tags.append("sentences")
    lines = len(cell.source.splitlines())
    cell.metadata = {"tags": tags, "mystnb": {"code_prompt_show": f"Code ({lines} lines)"}}
    return [cell]


def setup(page, cell, asked):
    cell.outputs = []
    cell.source = cell.source.removeprefix(SETUP)
    words = {"code_prompt_show": "What this lesson imports"}
    cell.metadata = {"tags": ["hide-input"], "mystnb": words}
    return [cell]


def is_long(source):
    return len(source.splitlines()) > LONG


def may_wrap(out):
    """Is it printed text too wide for a phone that may be broken, as nothing is in columns?"""
    if out.output_type != "stream":
        return False
    lines = out.text.splitlines()
    in_columns = sum(bool(COLUMNS.search(line)) for line in lines) > 1
    return not in_columns and any(len(line) > NARROW for line in lines)


def shown_by(page, cell):
    """A function that makes of an output what is shown of it; None if that is nothing."""
    if any(call in cell.source for call in PERSONAL):
        return lambda out: None
    builds_on = "course.mine" in cell.source

    def shown(out):
        if out.output_type == "stream":
            out.text = WHOSE.sub("", out.text) if builds_on else out.text
            return out if out.name == "stdout" and out.text.strip() else None
        if "text/html" in out.data:
            out.data = {"text/html": as_html(out.data, page.folder)}
        return out

    return shown


def as_html(data, folder):
    """What a rich output is on a page, its pictures as files in a folder."""
    if EXPLORER in data:
        return pictures.explorer(data[EXPLORER], folder)
    if PAINTER in data:
        return pictures.painter(data[PAINTER], data["text/html"], folder)
    return pictures.as_files(data["text/html"], folder)


def exercise(page, cell, asked):
    """A box with the stub, the hints, and in the instructor's edition the model answer."""
    wanted = find(cell.metadata.nbgrader.grade_id)
    points = f"{wanted.max_score} point" + "s" * (wanted.max_score != 1)
    parts = [fenced(stub_of(wanted)), card.hints(wanted.hints)]
    if page.answers:
        parts.append(folded("Model answer", fenced(wanted.source.rstrip())))
    return [box(f"Your turn: `{wanted.name}` ({points})", "exercise", *parts)]


def question(page, cell, asked):
    """What a good answer says is for instructors; a reader has just been asked."""
    if not page.answers:
        return []
    return [box("What a good answer says", "answer", cell.source)]


def quiz(page, cell, asked):
    """In the place where the letters would be filled in: how to get the replies, or all of them."""
    if not page.answers:
        text = "In the notebook, every choice gets its reply, the wrong ones too."
        return [new_markdown_cell(text)]
    [part] = page.lesson.of_kind("quiz")
    rows = [f"{n}. {replies(question)}" for n, question in enumerate(part.quiz, start=1)]
    return [box("What each choice is told", "answer", "\n".join(rows))]


def replies(question):
    """What is said to each choice of a question, the right one marked."""
    return " ".join(
        f"**{letter}{' ✓' if choice.right else ''}:** {choice.why}"
        for letter, choice in zip(LETTERS, question.shuffled(SEED))
    )


def nothing(page, cell, asked):
    return []


BEGINS = {  # how cells begin that are neither a learner's answer nor a demonstration
    TITLE: "arrival",
    SETUP: "setup",
    "check(": "check",
    "check_quiz(": "check",
    ANSWERS: "quiz",
}
MAKERS = {
    "arrival": nothing,
    "prose": prose,
    "code": code,
    "setup": setup,
    "exercise": exercise,
    "check": nothing,
    "quiz": quiz,
    "question": question,
}


def box(title, kind, *parts):
    """A box with a title, in MyST."""
    body = "\n\n".join(parts)
    return new_markdown_cell(f":::::{{admonition}} {title}\n:class: {kind}\n\n{body}\n:::::")


def fenced(source):
    return f"```python\n{source}\n```"


def folded(title, text):
    """Something that opens on a click, in MyST."""
    return f"<details>\n<summary>{html.escape(title)}</summary>\n\n{text}\n\n</details>"


def slug(heading):
    """A heading's anchor as JupyterLab names it, so that a lesson's links work here and there."""
    return heading.replace(" ", "-")


def with_tools(page, opening):
    """A lesson's opening with a line below its title: how to work on it, and how to print it."""
    title, _, rest = opening.partition("\n")
    tools = [f"To write the code yourself: `autograder lesson {page.lesson.number}`."]
    if page.pdf:
        tools.append(f'<a href="{PDFS}/{page.lesson.stem}.pdf">This lesson as a PDF</a>.')
    tools.append('<button type="button" class="open-all" hidden>Unfold everything</button>')
    return f"{title}\n\n:::{{container}} tools\n{' '.join(tools)}\n:::\n{rest}"
