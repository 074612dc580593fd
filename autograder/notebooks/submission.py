"""Read what was handed in, whatever it is.

A submission is text from somebody else. Of a notebook only what a cell is, its text, its grade id
and its pictures are taken over; everything else, and whatever a browser might run, stays behind.
"""

import json
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_notebook

from .characters import marked
from .outputs import PICTURES, is_picture, outputs

LARGEST_FILE = 50 * 2**20
LONGEST_WORD = len("false")  # of JSON's own, which may be cut off as well
MOST_PARTS = 3_000_000  # every part of JSON takes far more memory than it takes characters
MOST_CELLS = 1000
LONGEST_CELL = 100_000
KINDS = ("code", "markdown", "raw")
BEGINNINGS = {
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a compressed archive",
    b"%PDF": "a PDF",
    b"SQLite format 3": "a database",
    b"<": "a web page",
}
CELL_BEGINS = re.compile(r'\{\s*"(?:attachments|cell_type|execution_count|id|metadata)"\s*:')
CONFLICT = re.compile(r"^(<{7} |={7}$|>{7} )", re.MULTILINE)
# What Markdown passes on to a browser as HTML, and links that lead elsewhere than to a page: there
# are many ways to write `javascript:`, and few that begin as these do.
TAG = re.compile(r"<(?=[A-Za-z/!?])")
PAGE = r"https?://|mailto:|attachment:|#|\)|[\w./-]+(?:[)\s?#]|$)"
OTHER_LINK = re.compile(rf"\](?=[(:])(?![(:]\s*(?:{PAGE}))", re.IGNORECASE)
# What has a browser ask somebody else for something as soon as a page is opened: pictures, but for
# those that came along; commands of TeX that are made into HTML; drawings that a script makes.
PICTURE = re.compile(r"!(?=\[)(?:(?=\[[^\[\]\\`$<\n]*\]\((?P<own>[\w.+~:/-]+)\)))?", re.ASCII)
BESIDE = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.(?:png|jpe?g|gif)", re.ASCII | re.IGNORECASE)
TEX = re.compile(r"\\(?=(?:href|style|class|cssId|require|mmlToken|includegraphics|image|data)\b)")
MADE_BY_SCRIPT = re.compile(r"([`~]{3,}[ \t]*)(?=mermaid)", re.IGNORECASE)


@dataclass
class Submission:
    """A notebook as it was handed in, and what is to be said about it."""

    notebook: NotebookNode
    troubles: list[str] = field(default_factory=list)


def read(path: str | Path, with_outputs: bool = False, within: Path | None = None) -> Submission:
    """The Submission in a file; an empty notebook, and a sentence, if there is none to be read.

    Args:
        with_outputs: keep what the notebook claims to have shown, as text and pictures.
        within: a folder between which and the file there may be no link.
    """
    path = Path(path)
    found = Submission(new_notebook())
    try:
        text = text_in_file(path, within)
        try:
            notebook = parsed(text)
            cells = cells_of(notebook)
            found.troubles += [f"{path.name} {trouble}." for trouble in unusual(notebook)]
        except UnreadableError as trouble:
            cells = salvaged(text)
            if not cells:
                raise
            found.troubles.append(f"{path.name} {trouble}; {len(cells)} of its cells were saved.")
    except UnreadableError as trouble:
        found.troubles.append(f"{path.name} {trouble}.")
        return found
    except OSError as error:
        found.troubles.append(f"{path.name} cannot be read: {error.strerror}.")
        return found
    if len(cells) > MOST_CELLS:
        found.troubles.append(f"{path.name} has {len(cells)} cells; at most {MOST_CELLS} are read.")
    kept = worth_keeping(cells)
    made = [new_cell(cell) for cell in kept]
    recognise(kept, made)
    if with_outputs:
        keep_outputs(kept, made)
    found.notebook.cells = [cell for cell in made if cell is not None]
    for number, cell in enumerate(found.notebook.cells):
        cell.id = f"cell-{number}"  # its own may be there twice, or be none
    found.troubles += [f"{path.name} {trouble}." for trouble in told_of(kept, made)]
    if not found.notebook.cells:
        found.troubles.append(f"{path.name} has no cells.")
    return found


def told_of(cells, made):
    """What of these cells could not be taken over."""
    none = made.count(None)
    if none:
        what = "an entry that is no cell" if none == 1 else f"{none} entries that are no cells"
        yield f"has {what}; nothing was read there"
    long = sum(len(text_in(cell) or "") > LONGEST_CELL for cell in cells)
    if long:
        what = "a cell" if long == 1 else f"{long} cells"
        yield f"has {what} of more than {LONGEST_CELL:,} characters; only so many were read"


class UnreadableError(Exception):
    """Says why, in words that go on after the file's name."""


def text_in_file(path: Path, within: Path | None = None) -> str:
    """The text of an ordinary file that is not too large and not behind a link.

    Args:
        within: a folder between which and the file there may be no link.
    """
    if path.is_symlink():
        raise UnreadableError("is a link to another file, which is not followed")
    if within is not None and is_linked(path, within):
        raise UnreadableError("lies in a folder that is a link, which is not followed")
    if not path.exists():
        raise UnreadableError("is missing")
    if not path.is_file():
        raise UnreadableError("is a folder" if path.is_dir() else "is no ordinary file")
    if path.stat().st_size > LARGEST_FILE:
        raise UnreadableError(f"is larger than {LARGEST_FILE // 2**20} MB")
    return text_of(path.read_bytes())


def text_of(data: bytes) -> str:
    """The file as text; BOMs and other encodings than UTF-8 are forgiven."""
    if not data.strip(b"\0 \t\r\n"):  # zeros are what a computer that went off leaves behind
        raise UnreadableError("is empty")
    head = data[:100].removeprefix(b"\xef\xbb\xbf").lstrip()
    for beginning, what in BEGINNINGS.items():
        if head.startswith(beginning):
            raise UnreadableError(f"is {what}, and no notebook")
    for encoding in (json.detect_encoding(data), "cp1252", "latin-1"):
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    raise AssertionError("latin-1 reads everything")


def parsed(text):
    """What JSON says."""
    if sum(map(text.count, "{[,")) > MOST_PARTS:
        raise UnreadableError("has too many parts to be a notebook")
    try:
        return json.loads(text, strict=False)  # line breaks within a text are forgiven
    except RecursionError:
        raise UnreadableError("is nested too deep to be a notebook") from None
    except json.JSONDecodeError as error:
        conflict = CONFLICT.search(text)
        if conflict:
            line = text.count("\n", 0, conflict.start()) + 1
            raise UnreadableError(
                f"has the marks of a merge that was never finished (<<<<<<<, line {line})"
            ) from None
        rest = text[error.pos :].strip()
        ends = error.msg.startswith("Unterminated") or len(rest) <= LONGEST_WORD
        why = "ends in the middle" if ends else f"is not JSON from line {error.lineno} on"
        raise UnreadableError(f"{why}, so it is no notebook that can be opened") from None
    except ValueError as error:  # a number of too many digits
        raise UnreadableError(f"is not JSON ({error})") from None


def salvaged(text):
    """The cells that are whole in what is left of a notebook."""
    cells, decoder = [], json.JSONDecoder(strict=False)
    place, wasted = 0, 0
    if '"cells"' not in text or sum(map(text.count, "{[,")) > MOST_PARTS:
        return []
    while len(cells) < MOST_CELLS and wasted <= 2 * len(text):
        begins = CELL_BEGINS.search(text, place)
        if begins is None:
            break
        place = begins.end()
        try:
            cell, end = decoder.raw_decode(text, begins.start())
        except json.JSONDecodeError as error:  # this one is broken, the next may not be
            wasted += error.pos - begins.start()
            continue
        except (ValueError, RecursionError):
            wasted += len(text)
            continue
        if isinstance(cell, dict) and "cell_type" in cell:
            cells.append(cell)
            place = end
        else:
            wasted += end - begins.start()
    return cells


def unusual(notebook):
    """What a notebook says of itself that another program than ours would stumble over."""
    if notebook.get("nbformat") != 4:
        said = repr(notebook.get("nbformat"))[:20] if "nbformat" in notebook else "nothing"
        yield f"says {said} where the number of its format, 4, belongs; its cells were read"
    metadata = notebook.get("metadata")
    spec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = spec.get("language") if isinstance(spec, dict) else None
    if isinstance(language, str) and language.lower() not in ("", "python"):
        yield f"was written for {language[:20]!r}; its cells were run as Python"


def cells_of(notebook):
    """The list of cells, of any version of the format."""
    if not isinstance(notebook, dict):
        raise UnreadableError("is JSON, and no notebook")
    cells = notebook.get("cells")
    if cells is None and isinstance(notebook.get("worksheets"), list):  # format 3
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets for cell in as_list(sheet.get("cells"))]
    if not isinstance(cells, list):
        raise UnreadableError("has no list of cells, so it is no notebook")
    return cells


def as_list(value):
    return value if isinstance(value, list) else []


def worth_keeping(cells):
    """At most so many cells; those that nbgrader knows come first, in their places."""
    if len(cells) <= MOST_CELLS:
        return cells
    marked = {n for n, cell in enumerate(cells) if grade_id_of(cell)}
    others = nearest(marked, len(cells))
    kept = sorted([*sorted(marked)[:MOST_CELLS], *others[: max(0, MOST_CELLS - len(marked))]])
    return [cells[n] for n in kept]


def nearest(marked, count):
    """The numbers of all other cells, those beside marked ones first."""
    far = [count] * count
    for numbers in (range(count), range(count - 1, -1, -1)):
        distance = count
        for n in numbers:
            distance = 0 if n in marked else distance + 1
            far[n] = min(far[n], distance)
    return sorted((n for n in range(count) if n not in marked), key=far.__getitem__)


def grade_id_of(cell):
    """What nbgrader calls this cell, if it says that."""
    metadata = cell.get("metadata") if isinstance(cell, dict) else None
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    return grade_id if isinstance(grade_id, str) else ""


def recognise(cells, made):
    """Cells that have lost nbgrader's metadata are known by their ids, where they are the same.
    Colab writes ids into the metadata as well, and in older formats only there."""
    named = {grade_id_of(cell) for cell in cells}
    for raw, cell in zip(cells, made):
        if cell is None or cell.metadata:
            continue
        metadata = raw.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        own = next((i for i in (raw.get("id"), metadata.get("id")) if isinstance(i, str)), None)
        if own is not None and own not in named and not metadata.get("nbgrader"):
            cell.metadata["nbgrader"] = {"grade_id": own, "by_id": True}


def keep_outputs(cells, made):
    for raw, cell in zip(cells, made):
        if cell is not None and cell.cell_type == "code":
            cell.outputs = outputs(raw.get("outputs"))
            number = raw.get("execution_count")
            cell.execution_count = number if type(number) is int and number >= 0 else None


def text_in(cell):
    """The text of a cell; None if there is none."""
    source = cell.get("source", cell.get("input", "")) if isinstance(cell, dict) else None
    if isinstance(source, list):  # `input` is what format 3 calls it
        source = "".join(flattened(source))
    return source if isinstance(source, str) else None


def flattened(parts):
    """The texts in a list, also in lists within it."""
    waiting = list(reversed(parts))
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += reversed(part)
        elif isinstance(part, str):
            yield part


def made_cell(kind: str, source: str) -> NotebookNode:
    """A new cell; nbformat checks its own against a schema, which takes ten times as long."""
    cell = NotebookNode(cell_type=kind, id="", metadata=NotebookNode(), source=source)
    if kind == "code":
        cell.outputs, cell.execution_count = [], None
    return cell


def new_cell(raw):
    """A cell with the text and the grade id of another; None if that is no cell."""
    source = text_in(raw)
    if source is None:
        return None
    kind = raw.get("cell_type")
    kind = kind if isinstance(kind, str) else ""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    source = source.encode("utf-8", "replace").decode()  # half characters cannot be written
    kind = kind if kind in KINDS else "markdown" if kind in ("heading", "html") else "raw"
    cell = made_cell(kind, source[:LONGEST_CELL])
    if grade_id_of(raw):
        cell.metadata["nbgrader"] = {"grade_id": grade_id_of(raw)}
    pictures = pictures_of(raw.get("attachments"))
    if pictures and kind == "markdown":
        cell.attachments = pictures
    return cell


def pictures_of(attachments):
    """The pictures among what is attached to a cell."""
    kept = {}
    for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
        if isinstance(bundle, dict):
            for mime in PICTURES:
                if isinstance(bundle.get(mime), str) and is_picture(bundle[mime], mime):
                    name = name.encode("utf-8", "replace").decode()
                    kept[name] = {mime: bundle[mime]}
    return kept


def harmless(markdown: str, attached: Iterable[str] = ()) -> str:
    """Markdown that shows its HTML instead of being it, without links that run something, without
    pictures from elsewhere, and with a mark for each character that nobody would see.

    The same in prose, in formulas and in code: what looks like code here may be none for a browser.

    Args:
        attached: names of the pictures that are attached to it.
    """

    def keep_own(found):
        own = found["own"] or ""
        name = own.removeprefix("attachment:")
        is_own = name in attached if name != own else BESIDE.fullmatch(own)
        return found[0] if is_own else "! "

    text = OTHER_LINK.sub("] ", TAG.sub("< ", marked(markdown)))
    text = MADE_BY_SCRIPT.sub(r"\1text ", TEX.sub(r"\\ ", text))
    return PICTURE.sub(keep_own, text)


def readable(notebook: NotebookNode, originals: Container[str]) -> NotebookNode:
    """The notebook, in whose code nothing is hidden from whoever reads it. (What is to be run must
    not be changed before.)"""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source not in originals:
            cell.source = marked(cell.source)
    return notebook


def is_linked(path: str | Path, folder: str | Path) -> bool:
    """Is there a link between a folder and what lies in it? It may lead to somebody else's."""
    path, folder = Path(path), Path(folder)
    steps = [path, *path.parents][: len(path.relative_to(folder).parts)]
    return any(step.is_symlink() for step in steps)


def with_notice(notebook: NotebookNode, troubles: Iterable[str]) -> NotebookNode:
    """The notebook, which begins with what was wrong with it."""
    if troubles:
        notice = made_cell("markdown", "> " + harmless(" ".join(troubles)))
        notice.id = "notice"
        notebook.cells.insert(0, notice)
    return notebook


def as_text(notebook: NotebookNode) -> str:
    """A notebook as its file's text, as nbformat writes it: long texts as lists of lines. It was
    made here, and needs no checking."""
    cells = [cell | {"source": lines(cell.source)} for cell in notebook.cells]
    for cell in cells:
        if "outputs" in cell:
            cell["outputs"] = [output_in_lines(output) for output in cell["outputs"]]
    whole = notebook | {"cells": cells}
    return json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def output_in_lines(output):
    if output.output_type == "stream":
        return output | {"text": lines(output.text)}
    if "data" in output:
        data = {mime: lines(text) for mime, text in output.data.items()}
        return output | {"data": data}
    return output


def lines(text):
    return text.splitlines(keepends=True)
