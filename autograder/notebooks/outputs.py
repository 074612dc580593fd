"""Outputs of learners' cells, reduced to text and pictures: they may be forged."""

import re
from typing import Any

from nbformat.notebooknode import NotebookNode

from ..sandbox.shell import MOST_PICTURES, MOST_TEXT, plain

MOST_OUTPUTS = 200
LONGEST = 2 * MOST_TEXT
PICTURES = {"image/png": "iVBORw0KGgo", "image/jpeg": "/9j/"}  # and how they begin
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


def output(raw: Any) -> NotebookNode | None:
    """One output that is safe to show, or None."""
    if not isinstance(raw, dict):
        return None
    kind = raw.get("output_type")
    if kind == "stream":
        name = "stderr" if raw.get("name") == "stderr" else "stdout"
        return NotebookNode(output_type="stream", name=name, text=text(joined(raw.get("text"))))
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
        given = raw.get("data")
        given = given if isinstance(given, dict) else {}
        data = {mime: joined(given.get(mime)) for mime in ("text/plain", *PICTURES)}
        kept = {}
        if isinstance(data["text/plain"], str):
            kept["text/plain"] = text(data["text/plain"])
        for mime in PICTURES:
            picture = data[mime]
            if isinstance(picture, str) and len(picture) <= MOST_PICTURES:
                kept |= {mime: picture} if is_picture(picture, mime) else {}
        if not kept:
            return None
        made = NotebookNode(output_type=kind, data=NotebookNode(kept), metadata=NotebookNode())
        if kind == "execute_result":
            number = raw.get("execution_count")
            made.execution_count = number if type(number) is int else None
        return made
    return None


def outputs(raw: Any) -> list[NotebookNode]:
    """A cell's outputs."""
    made = map(output, raw[:MOST_OUTPUTS] if isinstance(raw, list) else ())
    return [each for each in made if each is not None]


def joined(value):
    """A text that a notebook's file may hold line by line."""
    is_lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
    return "".join(value) if is_lines else value


def text(value: Any) -> str:
    """Somebody's text, without control characters: what goes back to a line's beginning begins a
    new one, as in a browser."""
    text = plain(value[:LONGEST]) if isinstance(value, str) else ""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_picture(text: str, mime: str) -> bool:
    """Is this base64, and does it begin as such a picture does?"""
    return text.lstrip().startswith(PICTURES[mime]) and BASE64.fullmatch(text) is not None
