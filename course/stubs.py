"""What a learner is given: the reference without the lines between the marks, and its imports."""

import ast
import importlib
import inspect
import re
from functools import lru_cache

from autograder.checks import all_exercises, exercises_of

REGION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION", re.DOTALL | re.MULTILINE)


def cleared(source):
    """Source without the lines between the marks, exactly as nbgrader clears them."""
    return REGION.sub(r"\1# YOUR CODE HERE\n\1raise NotImplementedError()", source)


def stub_of(exercise):
    """The stub of one exercise."""
    return cleared(exercise.source.rstrip())


@lru_cache
def imports_of(module):
    """The lines at the head of a lesson's notebook or file: what solutions/<module>.py imports,
    where the learner's own earlier pieces take the place of the reference's."""
    own = {exercise.name for exercise in all_exercises().values()}
    source = inspect.getsource(importlib.import_module(f"solutions.{module}"))
    outside, course = [], []
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level):
            outside.append(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            mine = [name for name in names if name in own]
            others = [name for name in names if name not in own]
            if others:
                course.append(f"from solutions.{node.module} import {', '.join(others)}")
            if mine:
                course.append(f"from course.mine import {', '.join(mine)}")
    if "import torch" not in outside:
        outside.append("import torch")
    plain = sorted(line for line in outside if line.startswith("import ") and "torch" not in line)
    torch_lines = [line for line in outside if "torch" in line]
    order = sorted(torch_lines, key=lambda line: (line.startswith("from"), line))
    course = sorted(course, key=lambda line: (not line.startswith("from course"), line))
    groups = [plain, order, course]
    return "\n\n".join("\n".join(group) for group in groups if group)


def file_of(module):
    """exercises/<module>.py: the lesson's stubs for those who prefer an editor."""
    heading = inspect.getdoc(importlib.import_module(f"solutions.{module}"))
    stubs = [stub_of(exercise) for exercise in exercises_of(module)]
    head = (
        f'"""{heading}\n\n'
        f"Fill in what raises NotImplementedError, and check it with\n\n"
        f'    autograder check exercises/{module}.py\n"""\n\n{imports_of(module)}'
    )
    return "\n\n\n".join([head, *stubs]) + "\n"
