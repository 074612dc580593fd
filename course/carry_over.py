"""What somebody has written in one edition's notebooks and files, carried over into the next.

Three versions of a file are compared: what they were given, what they have made of it, and what
the new edition gives. Whatever they have not touched becomes the new edition's.
"""

import ast
import copy
import json

from .work import as_text


def carried(path, given, mine, new):
    """(the new version of a file with what somebody has written in it, sentences on where both they
    and the new edition have changed something)

    Args:
        path: tells by its ending whether it is a notebook.
        given, mine, new: texts.
    """
    return (cells if path.suffix == ".ipynb" else statements)(given, mine, new)


# --- Notebooks ------------------------------------------------------------------------------------


def cells(given, mine, new):
    """The cells are known by their ids; one that somebody has added stays behind the same cell."""
    before, theirs, notebook = (json.loads(text) for text in (given, mine, new))
    known = {cell["id"]: source_of(cell) for cell in before["cells"]}
    written = {cell["id"]: cell for cell in theirs["cells"]}
    said = []
    for cell in notebook["cells"]:
        there = written.get(cell["id"])
        if there is None:
            continue
        touched = source_of(there) != known.get(cell["id"])
        changed = source_of(cell) != known.get(cell["id"])
        if touched and (not changed or is_answer(there)):
            cell["source"] = there["source"]
        elif touched and source_of(cell) != source_of(there):
            said.append(f"the new edition's version stands where you changed `{first_line(there)}`")
        if source_of(cell) == source_of(there):
            cell.update({key: there[key] for key in ("outputs", "execution_count") if key in there})
    ids = {cell["id"] for cell in notebook["cells"]}
    gone = [c for c in theirs["cells"] if c["id"] in known and c["id"] not in ids]
    changed = [cell for cell in gone if source_of(cell) != known[cell["id"]]]
    said += [
        f"the new edition has left out `{first_line(cell)}`, changed by you" for cell in changed
    ]
    put_in(notebook["cells"], theirs["cells"], known, ids)
    return as_text(notebook), said


def put_in(cells, theirs, known, ids):
    """Their own cells, each behind the one that it stood behind."""
    behind = None
    for cell in theirs:
        if cell["id"] not in known and cell["id"] not in ids:
            places = [n for n, each in enumerate(cells, start=1) if each["id"] == behind]
            cells.insert(places[0] if places else 0, copy.deepcopy(cell))
        if cell["id"] in [each["id"] for each in cells]:
            behind = cell["id"]


def source_of(cell):
    return "".join(cell["source"]).rstrip()


def is_answer(cell):
    """Is it a cell that is there to be written in?"""
    about = cell.get("metadata", {}).get("nbgrader", {})
    return bool(about.get("solution")) or "answers = {" in source_of(cell)


def first_line(cell):
    return next(iter(source_of(cell).splitlines()), "an empty cell")


# --- Python files ---------------------------------------------------------------------------------


def statements(given, mine, new):
    """Definitions are known by their names: those that somebody has written stay, also beside what
    the new edition brings."""
    before, theirs, now = (blocks(text) for text in (given, mine, new))
    text, said = mine, []
    for name, block in theirs.items():
        if block == before.get(name) and name in now:
            text = text.replace(block, now[name], 1)
        elif block == before.get(name):
            text = text.replace(block, "", 1).rstrip() + "\n"
        elif name in before and name in now and now[name] != before[name]:
            said.append(f"your {name} stays, though the new edition has changed its stub")
    fresh = [block for name, block in now.items() if name not in theirs and name not in before]
    head = text_before(given), text_before(new)
    if head[0] != head[1] and head[0] not in text:
        said.append("your first lines stay, though the new edition has changed them")
    text = text.replace(head[0], head[1], 1) if head[0] else text
    return "\n\n\n".join([text.rstrip(), *fresh]) + "\n", said


def blocks(text):
    """{name: lines} of what a file defines at its top level."""
    lines = text.splitlines()
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return found


def text_before(text):
    """What stands above a file's first definition."""
    first = next(iter(blocks(text).values()), "")
    return text.partition(first)[0] if first else text
