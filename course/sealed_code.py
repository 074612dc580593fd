"""Code in a student's edition that is run, and not read: stand-bys, and whatever else shows how an
exercise is solved.

This hides it from eyes that leaf through the files, and from a search. It doesn't hide it from
somebody who writes a program to open it: what a machine can run, its owner can read.
"""

import ast

from .seals import QUICK, held, seal, unseal

FILE = "code.json"  # {name of a module: its sealed source}
LOADER = '''"""{about}

It is sealed, for it shows how exercises are solved. Yours will be better.
"""

from course.sealed_code import run

run("{name}", globals())
'''


def seal_code(name, source):
    return seal(source, name, QUICK)


def loader_of(name, source):
    """The source of a module that runs what was sealed under a name."""
    about = (ast.get_docstring(ast.parse(source)) or "A part of the course.").splitlines()[0]
    return LOADER.format(name=name, about=about)


def run(name, names):
    """Run sealed code as if it stood in the module whose names these are."""
    source = unseal(held(FILE)[name], name, QUICK)
    exec(compile(source, names["__file__"], "exec", dont_inherit=True), names)
