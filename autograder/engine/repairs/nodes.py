"""Small things about the nodes of a syntax tree."""

from __future__ import annotations

import ast
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)


def at(new: Node, old: ast.AST) -> Node:
    """A new node that stands where an old one did; one that is there already keeps its place."""
    if hasattr(new, "lineno"):
        return new
    return ast.fix_missing_locations(ast.copy_location(new, old))


def name_of(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def number(value: int | float) -> ast.expr:
    if value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def infinity() -> ast.expr:
    """-inf"""
    return ast.UnaryOp(ast.USub(), ast.Call(name_of("float"), [ast.Constant("inf")], []))


def tail(func: ast.expr) -> str:
    """The last part of what is called: `softmax` of `F.softmax`."""
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def is_named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def is_no_code(statement: ast.stmt) -> bool:
    """A docstring, an import, or what only complains."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return True
    return isinstance(statement, ast.Raise | ast.Assert | ast.Import | ast.ImportFrom | ast.Pass)


def names_bound(function: ast.FunctionDef | None) -> list[str]:
    """The names that a function assigns to, in their order."""
    nodes = ast.walk(function) if function is not None else ()
    names = [n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return list(dict.fromkeys(node.id for node in names))
