"""What asserts rest on, as it was before any cell ran; and what of it is another thing now.

This sees what careless tricks change. It lies where the learner's code can reach it, so what it
says is a hint, and that it says nothing proves nothing.

Honest notebooks change such things, too: extensions add hooks to IPython, and what is reloaded is
made anew. So a thing that comes from an installed package counts only where comparing and asserting
depend on it, and then only if it comes from another package than what was there before.
"""

import builtins
import contextlib
import functools
import hashlib
import operator
import os
import sys
import types
import unittest

import numpy as np
import numpy.testing
import torch
from numpy.testing._private import utils as numpys_utils

from . import inside, wire
from . import shell as shells

BUILTINS = (
    *("abs", "all", "any", "bool", "callable", "compile", "complex", "dict", "divmod", "eval"),
    *("exec", "float", "frozenset", "getattr", "hasattr", "hash", "id", "int", "isinstance"),
    *("issubclass", "iter", "len", "list", "map", "max", "min", "next", "pow", "range", "repr"),
    *("round", "set", "sorted", "str", "sum", "tuple", "type", "zip", "AssertionError"),
    *("Exception", "BaseException", "__build_class__"),
)
NUMPY = (
    *("abs", "absolute", "all", "allclose", "any", "array", "array_equal", "array_equiv"),
    *("asarray", "equal", "isclose", "isfinite", "isnan", "linalg", "max", "mean", "min"),
    *("not_equal", "sum"),
)
TORCH = ("all", "allclose", "any", "equal", "eq", "isclose", "isfinite", "isnan", "ne", "tensor")
TENSOR = (
    *("__bool__", "__eq__", "__float__", "__ge__", "__gt__", "__le__", "__lt__", "__ne__", "abs"),
    *("__torch_function__", "all", "allclose", "any", "eq", "equal", "isclose", "item", "ne"),
    *("numpy", "tolist"),
)
RUNS = (
    *("_run_cell", "compile", "run_ast_nodes", "run_cell", "run_cell_async", "run_code"),
    *("should_run_async", "transform_ast", "transform_cell"),
)
SHOWS = ("CustomTB", "_showtraceback", "showsyntaxerror", "showtraceback", "display_pub")
LISTS = ("ast_transformers", "input_transformers_post")
TRANSFORMS = ("cleanup_transforms", "line_transforms", "token_transformers")
LATE = {  # imported by notebooks, if at all
    "pandas.testing": ("assert_frame_equal", "assert_index_equal", "assert_series_equal"),
    "pytest": ("approx", "fail", "raises"),
    "nose.tools": ("assert_almost_equal", "assert_equal", "assert_true", "eq_", "ok_"),
}
BUILT_IN = sys.builtin_module_names


class Originals:
    """What was there when this was made.

    Args:
        shell: the Shell that will run the cells.
    """

    def __init__(self, shell):
        self.shell = shell
        self.installed = tuple(f"{path}{os.sep}" for path in sys.path if path)
        self.things = [
            (said, owner, name, strict, Print(found_in(owner, name)))
            for said, owner, names, strict in places(shell)
            for name in names
        ]
        self.hooks = {id(hook) for _, hook in hooks_of(shell)}
        self.kept = [hook for _, hook in hooks_of(shell)]  # so that no other gets its id

    def changed(self):
        """The names of what is not as it was."""
        found = [
            f"{said}.{name}"
            for said, owner, name, strict, before in self.things
            if not before.is_of(now := found_in(owner, name))
            and not self.is_as_good(now, before.thing, strict)
        ]
        for said, hook in hooks_of(self.shell):
            if id(hook) not in self.hooks and not self.is_installed(hook):
                found.append(said)
        for module, names in LATE.items():
            found += [f"{module}.{name}" for name in names if is_foreign(module, name)]
        return list(dict.fromkeys(found))

    def is_as_good(self, now, before, strict):
        """May this honestly have taken the place of what was there before?"""
        if now is before:  # and does something else
            return False
        return self.is_installed(now) and (not strict or home(now) == home(before))

    def is_installed(self, thing):
        """Does it come from a package, and not from a cell or a file beside the notebook?"""
        thing = thing.func if isinstance(thing, functools.partial) else thing
        thing = getattr(thing, "__func__", thing)
        code = getattr(thing, "__code__", None)
        if code is not None:
            return code.co_filename.startswith(self.installed)
        if isinstance(thing, types.ModuleType):
            return str(getattr(thing, "__file__", "")).startswith(self.installed)
        named = isinstance(thing, type | types.BuiltinFunctionType)
        name = str((thing if named else type(thing)).__module__)
        file = getattr(sys.modules.get(name), "__file__", None)
        return file.startswith(self.installed) if file else named and name in BUILT_IN


def places(shell):
    """(what it is called, where it is, names, is it something that asserts depend on?)"""
    tested = [name for name in dir(unittest.TestCase) if name.startswith(("assert", "_base"))]
    yield "builtins", builtins, BUILTINS, True
    yield "builtins", builtins, ("print", "__import__"), False
    yield "numpy", np, NUMPY, True
    yield "numpy.testing", numpy.testing, asserts_in(numpy.testing), True
    yield "numpy.testing", numpys_utils, asserts_in(numpys_utils), True
    yield "torch", torch, TORCH, True
    yield "torch.Tensor", torch.Tensor, TENSOR, True
    yield "torch.testing", torch.testing, ("assert_close",), True
    compared = torch.testing._comparison
    yield "torch.testing", compared, ("assert_close", "not_close_error_metas"), True
    yield "math", sys.modules["math"], ("fabs", "isclose", "isnan"), True
    yield "hashlib", hashlib, ("md5", "sha1", "sha256"), True
    yield "operator", operator, ("eq", "ge", "gt", "le", "lt", "ne"), True
    yield "unittest.TestCase", unittest.TestCase, (*tested, "fail", "failureException", "run"), True
    loaded = ("builtins", "math", "numpy", "numpy.testing", "torch", "torch.testing", "unittest")
    yield "sys.modules", sys.modules, loaded, True
    yield "sys", sys, ("displayhook", "excepthook"), False
    yield "the notebook", shell.user_ns, ("__builtins__",), True
    yield "IPython", shell, RUNS, True
    yield "IPython", shell, SHOWS, False
    yield "IPython.compile", type(shell.compile), ("__call__", "ast_parse"), True
    yield "IPython.displayhook", type(shell.displayhook), ("__call__",), False
    yield "what runs cells", inside, ("run_cell",), True
    yield "what runs cells", inside.Inside, ("do_cell", "do_look", "do_back", "serve"), True
    yield "what runs cells", shells.Shown, ("data", "error", "stream"), True
    yield "what runs cells", wire.Connection, ("receive", "send"), True


def asserts_in(module):
    return [name for name in dir(module) if name.startswith("assert")]


def found_in(owner, name):
    thing = owner.get(name) if type(owner) is dict else getattr(owner, name, None)
    return getattr(thing, "__func__", thing) if type(thing) is types.MethodType else thing


class Print:
    """What a thing is recognised by: itself, and of a function also what it does."""

    __slots__ = "code", "defaults", "inner", "thing"

    def __init__(self, thing):
        self.thing = thing
        inner = getattr(thing, "_implementation", thing)  # of NumPy's functions
        self.inner = inner if type(inner) is types.FunctionType else None
        self.code, self.defaults = self.works()

    def works(self):
        if self.inner is None:
            return None, ()
        return self.inner.__code__, (self.inner.__defaults__, self.inner.__kwdefaults__)

    def is_of(self, thing):
        if thing is not self.thing:
            return False
        if self.inner is None:
            return True
        code, defaults = self.works()
        return code is self.code and all(map(operator.is_, defaults, self.defaults))


def home(thing):
    """The package that something comes from."""
    is_module = isinstance(thing, types.ModuleType)
    module = thing.__name__ if is_module else getattr(thing, "__module__", None)
    return str(module).partition(".")[0]


def hooks_of(shell):
    """(what it is called, hook) of all that IPython calls before, after or instead of a cell."""
    with contextlib.suppress(AttributeError, TypeError):
        for name in LISTS:
            yield from ((f"IPython.{name}", hook) for hook in getattr(shell, name))
        manager = shell.input_transformer_manager
        for name in TRANSFORMS:
            yield from (("IPython.input_transformers", hook) for hook in getattr(manager, name))
        for event, hooks in shell.events.callbacks.items():
            yield from ((f"IPython.events.{event}", hook) for hook in hooks)
    if sys.gettrace() is not None:
        yield "sys.settrace", sys.gettrace()


def is_foreign(module, name):
    """Is a function of a module that came later not that module's own?"""
    function = getattr(sys.modules.get(module), name, None)
    return function is not None and home(function).lstrip("_") != module.partition(".")[0]
