"""Read what was handed in, whatever it is.

A submission is text from somebody else. Of a notebook only what a cell is, its text, its grade id
and its pictures are taken over; everything else, and whatever a browser might run, stays behind.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import numpy as np
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

LARGEST_FILE = 20 * 2**20
MOST_CELLS = 1000
LONGEST_CELL = 100_000
NEW_CELL = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
PICTURES = ("image/png", "image/jpeg")
# What Markdown passes on to a browser as HTML, and links that run something.
TAG = re.compile(r"<(?=[A-Za-z/!?])")
SCRIPT_LINK = re.compile(r"(java|vb)script\s*:|data\s*:\s*(text|application)", re.IGNORECASE)


@dataclass
class Submission:
    """A notebook as it was handed in, and what is to be said about it."""

    notebook: object
    troubles: list[str] = field(default_factory=list)


def read(path):
    """The Submission in a file; an empty notebook, and a sentence, if there is none to be read."""
    path = Path(path)
    found = Submission(new_notebook())
    try:
        if path.is_symlink():
            raise UnreadableError("is a link to another file, which is not followed")
        if not path.exists():
            raise UnreadableError("is missing")
        if not path.is_file():
            raise UnreadableError("is a folder" if path.is_dir() else "is no ordinary file")
        if path.stat().st_size > LARGEST_FILE:
            raise UnreadableError(f"is larger than {LARGEST_FILE // 2**20} MB")
        text = text_of(path.read_bytes())
        try:
            cells = cells_of(parsed(text))
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
    found.notebook.cells = [cell for cell in map(new_cell, kept) if cell is not None]
    if len(found.notebook.cells) < len(kept):
        found.troubles.append(f"{path.name} has cells that are none; they were left out.")
    if not found.notebook.cells:
        found.troubles.append(f"{path.name} has no cells.")
    return found


class UnreadableError(Exception):
    """Says why, in words that go on after the file's name."""


def text_of(data):
    """The file as text; BOMs and other encodings than UTF-8 are forgiven."""
    if not data.strip():
        raise UnreadableError("is empty")
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "latin-1"):
        try:
            return data.decode(encoding)
        except UnicodeError:
            continue
    raise UnreadableError("is no text")


def parsed(text):
    """What JSON says."""
    try:
        return json.loads(text)
    except RecursionError:
        raise UnreadableError("is nested too deep to be a notebook") from None
    except json.JSONDecodeError as error:
        ends = error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip()) - 1
        why = "ends in the middle" if ends else f"is not JSON from line {error.lineno} on"
        raise UnreadableError(f"{why}, so it is no notebook that can be opened") from None
    except ValueError as error:  # a number of too many digits
        raise UnreadableError(f"is not JSON ({error})") from None


def salvaged(text):
    """The cells that are whole in what is left of a notebook."""
    cells, decoder = [], json.JSONDecoder()
    start = text.find("[", text.find('"cells"'))
    place = start + 1
    while start > 0 and '"cells"' in text and len(cells) < MOST_CELLS:
        place = text.find("{", place)
        try:
            cell, place = decoder.raw_decode(text, place) if place >= 0 else (None, 0)
        except (ValueError, RecursionError):
            break
        if not isinstance(cell, dict) or "cell_type" not in cell:
            break
        cells.append(cell)
    return cells


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
    known = {n for n, cell in enumerate(cells) if grade_id_of(cell)}
    others = [n for n in range(len(cells)) if n not in known]
    kept = sorted([*sorted(known)[:MOST_CELLS], *others[: max(0, MOST_CELLS - len(known))]])
    return [cells[n] for n in kept]


def grade_id_of(cell):
    """What nbgrader calls this cell, if it says that."""
    metadata = cell.get("metadata") if isinstance(cell, dict) else None
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    return grade_id if isinstance(grade_id, str) else ""


def new_cell(raw):
    """A cell with the text and the grade id of another; None if that is no cell."""
    if not isinstance(raw, dict):
        return None
    kind = raw.get("cell_type")
    source = raw.get("source", raw.get("input", ""))  # `input` in format 3
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return None
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    source = source.encode("utf-8", "replace").decode()  # half characters cannot be written
    kind = kind if kind in NEW_CELL else "markdown" if kind in ("heading", "html") else "raw"
    cell = NEW_CELL[kind](source[:LONGEST_CELL])
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
                    kept[str(name)] = {mime: bundle[mime]}
    return kept


def is_picture(text, mime):
    """Does this base64 text begin as such a picture does?"""
    return text.lstrip().startswith({"image/png": "iVBORw0KGgo", "image/jpeg": "/9j/"}[mime])


def harmless(markdown):
    """Markdown that shows its HTML instead of being it, and without links that run something."""
    pieces = re.split(r"(```.*?```|`[^`\n]*`)", markdown, flags=re.DOTALL)
    for number in range(0, len(pieces), 2):  # the odd ones are code, and shown as it is
        pieces[number] = SCRIPT_LINK.sub("(link removed)", TAG.sub("&lt;", pieces[number]))
    return "".join(pieces)


# --- What lies beside a notebook ------------------------------------------------------------------

MOST_FILES = 200
MOST_BYTES = 32 * 2**20


def is_ordinary(path, folder):
    """A file that lies in this folder itself, and is not shown there by a link."""
    path, folder = Path(path), Path(folder)
    steps = [path, *path.parents][: len(path.relative_to(folder).parts)]
    return path.is_file() and not any(step.is_symlink() for step in steps)


def files_beside(folder, handed_in=None):
    """(name, content) of the ordinary files in a folder that are no notebooks, up to a limit.

    Args:
        handed_in: the folder that they were copied from; what was a link there is left out.
    """
    root = Path(folder)
    files = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        linked = handed_in and (Path(handed_in) / name).exists()
        linked = linked and not is_ordinary(Path(handed_in) / name, handed_in)
        if path.suffix != ".ipynb" and is_ordinary(path, root) and not linked:
            files[str(name)] = path
    return contents(files)


def contents(files):
    """(name, content) of files, as long as they are not too many or too large."""
    found, total = [], 0
    for name, path in sorted(files.items())[:MOST_FILES]:
        size = path.stat().st_size
        if total + size <= MOST_BYTES:
            total += size
            data = np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()
            found.append((name, torch.from_numpy(data)))
    return found


def with_notice(notebook, troubles):
    """The notebook, which begins with what was wrong with it."""
    if troubles:
        notice = new_markdown_cell("> " + harmless(" ".join(troubles)))
        notice.id = "notice"
        notebook.cells.insert(0, notice)
    return notebook


def as_text(notebook):
    """A notebook as its file's text."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"
