"""Outputs of learners' cells, reduced to text and pictures: they may be forged."""

from nbformat.notebooknode import NotebookNode

from .sandbox.shell import MOST_PICTURES, MOST_TEXT, plain
from .submission import is_picture

MOST_OUTPUTS = 200
LONGEST = 2 * MOST_TEXT


def output(raw):
    """One output that is safe to show, or None."""
    kind = raw.get("output_type") if isinstance(raw, dict) else None
    if kind == "stream":
        name = "stderr" if raw.get("name") == "stderr" else "stdout"
        return NotebookNode(output_type="stream", name=name, text=text(raw.get("text")))
    if kind == "error":
        lines = raw.get("traceback")
        lines = lines if isinstance(lines, list) else []
        return NotebookNode(
            output_type="error",
            ename=text(raw.get("ename"))[:200],
            evalue=text(raw.get("evalue")),
            traceback=[text(line) for line in lines[:200]],
        )
    if kind in ("display_data", "execute_result"):
        data = raw.get("data") if isinstance(raw.get("data"), dict) else {}
        kept = {}
        if isinstance(data.get("text/plain"), str):
            kept["text/plain"] = text(data["text/plain"])
        for mime in ("image/png", "image/jpeg"):
            picture = data.get(mime)
            if isinstance(picture, str) and len(picture) <= MOST_PICTURES and picture.isascii():
                kept |= {mime: picture} if is_picture(picture, mime) else {}
        if not kept:
            return None
        made = NotebookNode(output_type=kind, data=NotebookNode(kept), metadata=NotebookNode())
        if kind == "execute_result":
            number = raw.get("execution_count")
            made.execution_count = number if type(number) is int else None
        return made
    return None


def outputs(raw):
    """A cell's outputs."""
    made = map(output, raw[:MOST_OUTPUTS] if isinstance(raw, list) else ())
    return [each for each in made if each is not None]


def text(value):
    return plain(value[:LONGEST]) if isinstance(value, str) else ""
