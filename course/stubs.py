"""What a learner is given: the reference without the lines between the marks, and its imports."""

import ast
import importlib
import inspect
import re
from collections import defaultdict
from functools import lru_cache

from course.checks import all_exercises, exercises_of

from .given import FOLDER

GIVEN = FOLDER / "exercises"  # of a student's edition, without model answers
REGION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION", re.DOTALL | re.MULTILINE)


def cleared(source):
    """Source without the lines between the marks, exactly as nbgrader clears them."""
    return REGION.sub(r"\1# YOUR CODE HERE\n\1raise NotImplementedError()", source)


def stub_of(exercise):
    """The stub of one exercise."""
    if not GIVEN.is_dir():
        return cleared(exercise.source.rstrip())
    source = file_of(exercise.module)
    [node] = [n for n in ast.parse(source).body if getattr(n, "name", "") == exercise.name]
    first = min(each.lineno for each in [node, *node.decorator_list])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])


@lru_cache
def imports_of(module):
    """The lines at the head of a lesson's notebook or file: what solutions/<module>.py imports,
    where the learner's own earlier pieces take the place of the reference's."""
    own = {exercise.name for exercise in all_exercises().values()}
    reference = importlib.import_module(f"solutions.{module}")
    outside, course = {"import torch"}, defaultdict(set)
    for node in ast.parse(inspect.getsource(reference)).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            for alias in node.names:
                place = "course.mine" if alias.name in own else f"solutions.{node.module}"
                course[place].add(alias.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            outside.add(ast.unparse(node))
    helpers = names_used(module) & set(vars(reference)) - own
    for name in helpers:
        if getattr(vars(reference)[name], "__module__", "") == reference.__name__:
            course[reference.__name__].add(name)
    plain = sorted(line for line in outside if "torch" not in line)
    torch_lines = sorted(outside - set(plain), key=lambda line: (line.startswith("from"), line))
    lines = [f"from {place} import {listed(names)}" for place, names in sorted(course.items())]
    groups = [plain, torch_lines, lines]
    return "\n\n".join("\n".join(group) for group in groups if group)


def names_used(module):
    """The names that a lesson's stubs use."""
    stubs = "\n".join(stub_of(exercise) for exercise in exercises_of(module))
    return {node.id for node in ast.walk(ast.parse(stubs)) if isinstance(node, ast.Name)}


def listed(names):
    """What is imported from one place: constants, classes, functions, as ruff sorts them."""
    order = sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    line = ", ".join(order)
    return line if len(line) < 60 else "(\n    " + ",\n    ".join(order) + ",\n)"


def file_of(module):
    """exercises/<module>.py: the lesson's stubs for those who prefer an editor."""
    if GIVEN.is_dir():
        return (GIVEN / f"{module}.py").read_text(encoding="utf-8")
    heading = inspect.getdoc(importlib.import_module(f"solutions.{module}"))
    stubs = [stub_of(exercise) for exercise in exercises_of(module)]
    head = (
        f'"""{heading}\n\n'
        f"Fill in what raises NotImplementedError, and check it with\n\n"
        f'    autograder check exercises/{module}.py\n"""\n\n{imports_of(module)}'
    )
    return "\n\n\n".join([head, *stubs]) + "\n"
