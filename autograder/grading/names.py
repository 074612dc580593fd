"""Which names does a cell read that it does not bind itself?"""

import ast

from ..files import names_defined


def names_read(source):
    """Names that are used; those that the cell binds at its top level are its own."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return used - set(names_defined(source))
