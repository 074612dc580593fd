"""What was built last, so that nothing that somebody has written since is ever built over.

`notebooks/lessons/built.json` holds a digest of every file as it was built; it is committed with
these files, so it is right in a fresh clone, after a pull and in a zip. A file with the same digest
holds nothing but what was built. The digest of a notebook is that of its cells' texts: it stays the
same when JupyterLab runs, saves or formats the file, and changes with every letter typed in a cell.
"""

import hashlib
import json
from pathlib import Path

RECORD = Path("notebooks") / "lessons" / "built.json"


def digest(path, text):
    """The digest of what somebody may have written in a file."""
    lines = [line.rstrip() for line in text.rstrip().splitlines()]
    parts = (cells_in(text) if path.suffix == ".ipynb" else None) or lines
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def cells_in(text):
    """Kind, text and attached pictures of a notebook's cells that are not empty; None if it is no
    notebook."""
    try:
        cells = json.loads(text)["cells"]
        found = [(c["cell_type"], "".join(c["source"]), c.get("attachments")) for c in cells]
        return [
            (kind, source.rstrip(), more or {}) for kind, source, more in found if source.strip()
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def read(root):
    """{path below the root: digest}; empty if nothing is known."""
    try:
        found = json.loads((root / RECORD).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def of(root, files):
    """{path below the root: digest} of files as {path: text}."""
    return {path.relative_to(root).as_posix(): digest(path, text) for path, text in files.items()}


def write(root, record):
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    (root / RECORD).write_text(text, encoding="utf-8")
