"""Does a cell that earned its points name a ready-made function, or a way around the watcher?

What runs is watched, but by something that lives beside the learner's code and can be tricked. So
the text is read as well. A name there proves nothing: it is a hint for whoever grades.
"""

import ast
from collections.abc import Iterable
from functools import lru_cache

from ..engine.ready_made import LIBRARIES

# What an answer has no use for, and who hides something from the watcher does.
MODULES = (
    *("gc", "ctypes", "threading", "_thread", "concurrent", "multiprocessing", "importlib"),
    *("asyncio", "profile", "cProfile"),
)
ATTRIBUTES = (
    *("_getframe", "_current_frames", "currentframe", "f_back", "f_globals", "f_locals"),
    *("settrace", "setprofile", "__globals__", "__code__", "__closure__", "__subclasses__"),
    *("_C", "jit", "CompilationUnit", "_pop_mode", "_pop_mode_temporarily", "_push_mode"),
    *("DisableTorchFunction", "DisableTorchFunctionSubclass"),
)
OF_SYS = ("modules", "meta_path", "path_hooks")
OF_AUTOGRADER = ("engine", "grading", "sandbox")  # what runs there
OF_TORCH = ("__dict__", "__getattribute__")
CALLS = ("eval", "exec", "compile", "__import__")


def shortcuts(source: str, fragments: Iterable[str]) -> list[tuple[int, str]]:
    """(line number, text) of the places where a library's ready-made thing seems to be named."""
    tree = tree_of(source)
    roots = roots_in(tree)
    nodes = [
        node
        for node in ast.walk(tree)
        if any(part in name.lower() for name in named(node, roots) for part in fragments)
    ]
    return places(nodes, source)


@lru_cache(maxsize=1024)
def detours(source: str) -> list[tuple[int, str]]:
    """(line number, text) of the places where a cell seems to reach around the watcher."""
    tree = tree_of(source)
    roots = roots_in(tree)
    return places([node for node in ast.walk(tree) if is_detour(node, roots)], source)


def tree_of(source):
    """The syntax tree of a cell; an empty one if it is no Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def places(nodes, source):
    lines = source.splitlines()
    numbers = sorted({node.lineno for node in nodes})
    return [(n, lines[n - 1].strip()[:120]) for n in numbers if n <= len(lines)]


def is_library(module):
    return (module or "").split(".")[0] in ("torch", "numpy", *LIBRARIES)


def roots_in(tree):
    """What a cell calls torch, NumPy, other libraries, and their parts."""
    roots = {"torch", "F", "nn", "np"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases = [alias for alias in node.names if is_library(alias.name)]
            roots |= {alias.asname or alias.name.split(".")[0] for alias in aliases}
        elif isinstance(node, ast.ImportFrom) and is_library(node.module):
            roots |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign) and is_part(node.value, roots):
            roots |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return roots


def is_part(node, roots):
    """Is this torch, or torch.nn.functional, under a name of the cell's?"""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in roots


def is_detour(node, roots):
    if isinstance(node, ast.Import):
        return any(is_hidden_way(alias.name) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module or ''}.{alias.name}" for alias in node.names]
        return any(map(is_hidden_way, names))
    if isinstance(node, ast.Attribute):
        of_torch = node.attr in OF_TORCH and is_part(node.value, roots)
        whole = f"{node.value.id}.{node.attr}" if isinstance(node.value, ast.Name) else ""
        return node.attr in ATTRIBUTES or of_torch or is_hidden_way(whole)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return is_computed(node.func.id, node.args, roots)
    return False


def is_hidden_way(name):
    """Does a dotted name lead where no answer has to go?"""
    first, *rest = name.split(".")
    inner = {"sys": OF_SYS, "autograder": OF_AUTOGRADER}.get(first, ())
    return (
        first in MODULES
        or any(part in inner for part in rest)
        or any(part in ATTRIBUTES for part in (first, *rest))
    )


def is_computed(function, arguments, roots):
    """Does a call look something up by a name that stands nowhere in the text?"""
    if function in CALLS:
        return True
    if not arguments:
        return False
    if function == "vars":
        return is_part(arguments[0], roots)
    if function not in ("getattr", "attrgetter", "methodcaller"):
        return False
    name = arguments[1] if function == "getattr" and arguments[1:] else arguments[0]
    if isinstance(name, ast.Constant):
        return False
    put_together = not isinstance(name, ast.Name | ast.Attribute | ast.JoinedStr)
    return put_together or is_part(arguments[0], roots)


def named(node, roots):
    """The names of a library's that a node may stand for."""
    if isinstance(node, ast.Attribute):
        root = node.value
        while isinstance(root, ast.Attribute | ast.Call):
            root = root.value if isinstance(root, ast.Attribute) else root.func
        return [node.attr] if isinstance(root, ast.Name) and root.id in roots else []
    if isinstance(node, ast.ImportFrom) and is_library(node.module):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value] if node.value.isidentifier() else []  # getattr(torch, "…")
    return []
