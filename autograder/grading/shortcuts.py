"""Does a cell that earned its points name one of torch's ready-made functions after all?

What runs is watched, but by something that lives beside the learner's code and can be tricked. So
the text is read as well. A name there proves nothing: it is a hint for whoever grades.
"""

import ast


def shortcuts(source, fragments):
    """(line number, text) of the places where torch's ready-made thing seems to be named."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    roots = {"torch", "F", "nn"} | set(torchs_names(tree))
    lines = source.splitlines()
    found = {}
    for node in ast.walk(tree):
        if any(part in name.lower() for name in named(node, roots) for part in fragments):
            found[node.lineno] = lines[node.lineno - 1].strip()[:120]
    return sorted(found.items())


def torchs_names(tree):
    """What a cell calls torch and its parts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases = [a for a in node.names if a.name.split(".")[0] == "torch"]
            yield from (alias.asname or "torch" for alias in aliases)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            yield from (alias.asname or alias.name for alias in node.names)


def named(node, roots):
    """The names of torch's that a node may stand for."""
    if isinstance(node, ast.Attribute):
        root = node.value
        while isinstance(root, ast.Attribute | ast.Call):
            root = root.value if isinstance(root, ast.Attribute) else root.func
        return [node.attr] if isinstance(root, ast.Name) and root.id in roots else []
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
        return [alias.name for alias in node.names]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value] if node.value.isidentifier() else []  # getattr(torch, "…")
    return []
