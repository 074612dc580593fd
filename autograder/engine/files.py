"""Learners' files: which exercises one defines, and loading it."""

import ast
import difflib
import re
import sys
import types
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from .course import current

NEAR = 0.8  # from so much likeness on a name may be meant for another


def tree_of(source: str | bytes) -> ast.Module:
    """The syntax tree; warnings of a learner's code are none of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


@lru_cache(maxsize=512)
def names_defined(source: str) -> tuple[str, ...]:
    """The names that a file binds at its top level by a def, a class or an assignment.

    An imported name does not count. If the file is no Python, its lines are looked at one by one.
    """
    try:
        tree = tree_of(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        lines = re.findall(r"^(?:(?:async )?def|class)\s+(\w+)|^(\w+)\s*=", source, re.M)
        return tuple(defined or assigned for defined, assigned in lines)
    return tuple(dict.fromkeys(bound(tree.body)))


def bound(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """The names that statements bind, also those inside a top-level if, try or with."""
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                yield from (
                    node.id
                    for node in ast.walk(target)
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                )
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            for block in ("body", "orelse", "finalbody"):
                yield from bound(getattr(statement, block, []))
            for handler in getattr(statement, "handlers", []):
                yield from bound(handler.body)


def exercises_defined(source: str) -> list[str]:
    """Ids of the exercises that a file defines, in the order of the course."""
    names = set(names_defined(source))
    return [each for each in current().ids if each.rpartition(".")[2] in names]


def near_names(names: Iterable[str], wanted: Iterable[str] | None = None) -> dict[str, str]:
    """{name that is no exercise's: the exercise that it is nearly the name of}

    Args:
        names: that somebody has given.
        wanted: names of the exercises that are looked for; all of them if None.
    """
    plain = {plainly(each): each for each in (current().lesson_of if wanted is None else wanted)}
    found = {}
    for name in names:
        close = difflib.get_close_matches(plainly(name), plain, 1, NEAR)
        if close and name not in plain.values():
            found[name] = plain[close[0]]
    return found


def plainly(name: str) -> str:
    """A name without what people write in different ways."""
    return name.lower().replace("_", "")


def is_it(near: dict[str, str]) -> str:
    """A question about near names, with a space in front; "" if there are none."""
    asked = [f"`{name}`: is that `{wanted}`" for name, wanted in list(near.items())[:3]]
    return f" There is {', and '.join(asked)}? An exercise is known by its name." if asked else ""


def load(path: Path) -> dict[str, Any]:
    """Run a file, and give the names that it binds. Whatever it raises comes through."""
    source = path.read_bytes()
    module = types.ModuleType("answer")  # not "__main__": what stands under that `if` is not run
    module.__file__ = str(path)
    sys.modules["answer"] = module
    sys.path.insert(0, str(path.parent))  # its neighbours can be imported
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module.__dict__
