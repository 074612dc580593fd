"""The engine says what its functions take and give."""

import ast
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parent.parent / "autograder" / "engine"
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def public(body):
    """The functions and classes that can be reached from outside, and what these hold."""
    for node in body:
        if isinstance(node, FUNCTIONS | ast.ClassDef):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from public(node.body)


def without_hints(function):
    """The arguments of a function that have no type hint, and "return"."""
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    for argument in filter(None, named):
        if argument.annotation is None and argument.arg not in ("self", "cls"):
            yield argument.arg
    if function.returns is None and function.name != "__init__":  # which gives nothing anyway
        yield "return"


def is_dataclass(node):
    return any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)


def bare_fields(node):
    """What a data class assigns without saying of which type it is: that makes it no field."""
    for each in node.body if is_dataclass(node) else ():
        if isinstance(each, ast.Assign):
            yield from map(ast.unparse, each.targets)


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda path: path.stem)
def test_all_that_is_public_in_the_engine_has_type_hints(path):
    missing = []
    for node in public(ast.parse(path.read_text(encoding="utf-8")).body):
        lacking = bare_fields(node) if isinstance(node, ast.ClassDef) else without_hints(node)
        missing += [f"{node.name}, line {node.lineno}: {name}" for name in lacking]
    assert not missing
