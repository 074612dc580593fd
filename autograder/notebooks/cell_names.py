"""Which names does a cell read that it does not bind itself, and which does it import?"""

import ast
import symtable
import warnings
from functools import lru_cache

from ..engine.files import tree_of

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


@lru_cache(maxsize=1024)
def names_read(source):
    """Names that are read, and bound neither by the cell itself nor within its functions."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            waiting = [symtable.symtable(source, "cell", "exec")]
    except UNREADABLE:
        return frozenset()
    used, own = set(), {s.get_name() for s in waiting[0].get_symbols() if is_bound(s)}
    while waiting:
        table = waiting.pop()
        symbols = (s for s in table.get_symbols() if s.is_referenced())
        used |= {s.get_name() for s in symbols if s.is_global() or table.get_type() == "module"}
        waiting += table.get_children()
    return frozenset(used - own)


def is_bound(symbol):
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


@lru_cache(maxsize=1024)
def has_definitions(source):
    """Does a cell define functions or classes, which others may need?"""
    try:
        nodes = tree_of(source).body
    except UNREADABLE:
        return True
    return any(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for n in nodes)


@lru_cache(maxsize=1024)
def imported_from(source, module):
    """Pairs (name there, name here) of what a cell imports from a module at its top level."""
    try:
        nodes = tree_of(source).body
    except UNREADABLE:
        return ()
    nodes = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module == module]
    return tuple((a.name, a.asname or a.name) for node in nodes for a in node.names)


@lru_cache(maxsize=1024)
def imported(source):
    """The names that imports at the top level bind."""
    try:
        nodes = tree_of(source).body
    except UNREADABLE:
        return frozenset()
    aliases = [a for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names]
    return frozenset(alias.asname or alias.name.partition(".")[0] for alias in aliases)
