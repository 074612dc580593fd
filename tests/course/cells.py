"""Which cells of a lesson need which, and which of them go deeper and may be skipped."""

import ast
import re
import symtable

from autograder.notebooks.cell_names import imported, is_bound, names_read

HEADING = re.compile(r"^(#{1,6}) (.*)$", re.MULTILINE)
DEEPER = "✚"  # in the heading of what may be skipped


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parts_that_go_deeper(notebook):
    """[(heading of the part marked ✚ or "", code cell)] of all code cells."""
    found, depth, part = [], 0, ""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found.append((part, cell))
            continue
        for marks, title in HEADING.findall(cell.source):
            if part and len(marks) <= depth:
                part = ""
            if DEEPER in title and not part:
                part, depth = title, len(marks)
    return found


def names_bound(source):
    """The names that a cell binds; not those of comprehensions, as Python 3.12 counts."""
    symbols = symtable.symtable(source, "cell", "exec").get_symbols()
    nodes = list(ast.walk(ast.parse(source)))
    loops = [node.target for node in nodes if isinstance(node, ast.comprehension)]
    inner = {id(n): n.id for loop in loops for n in ast.walk(loop) if isinstance(n, ast.Name)}
    outer = {n.id for n in nodes if is_stored(n) and id(n) not in inner}
    bound = {symbol.get_name() for symbol in symbols if is_bound(symbol)}
    return bound - (set(inner.values()) - outer)


def is_stored(node):
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def names_needed(source):
    """The names that a cell reads before it binds them: `x` in `x = x + 1`, not in `for x in …`."""
    needed, own = set(), set()
    read_first(ast.parse(source).body, needed, own)
    return needed


def read_first(statements, needed, own):
    """Follow statements in their order: what they need, and what is their own from then on."""
    for statement in statements:
        if isinstance(statement, ast.For):
            take([statement.iter], needed, own)
            own |= names_bound(ast.unparse(statement.target) + " = 0")
            read_first(statement.body + statement.orelse, needed, own)
        elif isinstance(statement, ast.If | ast.While):
            take([statement.test], needed, own)
            read_first(statement.body + statement.orelse, needed, own)
        elif isinstance(statement, ast.With):
            for item in statement.items:
                take([item.context_expr], needed, own)
                if item.optional_vars:
                    own |= names_bound(ast.unparse(item.optional_vars) + " = 0")
            read_first(statement.body, needed, own)
        else:
            take([statement], needed, own)


def take(nodes, needed, own):
    """What simple statements and expressions read, and then what they bind."""
    for node in nodes:
        text = ast.unparse(node)
        binds = names_bound(text)
        needed |= names_read(text) - own
        if isinstance(node, ast.Assign | ast.AugAssign):
            first = [node.value, node.target] if isinstance(node, ast.AugAssign) else [node.value]
            read = {n.id for part in first for n in ast.walk(part) if isinstance(n, ast.Name)}
            needed |= (read & binds) - own
        own |= binds


def program_of(notebook, wanted):
    """A program of the cells whose sources are wanted, and of what binds the names that they read.

    Of a cell that is needed for its imports alone, the imports are taken.
    """
    kept, needed = [], set()
    for cell in reversed(code_of(notebook)):
        binds = names_bound(cell.source)
        if cell.source in wanted or binds & needed:
            only_imports = cell.source not in wanted and binds & needed <= imported(cell.source)
            source = imports_of(cell.source) if only_imports else cell.source
            needed = (needed - names_bound(source)) | names_needed(source)
            kept.append(source)
    return "\n\n".join(reversed(kept))


def imports_of(source):
    """A cell's imports, and nothing else."""
    lines = (n for n in ast.parse(source).body if isinstance(n, ast.Import | ast.ImportFrom))
    return "\n".join(map(ast.unparse, lines))
