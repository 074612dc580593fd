"""The changes that undo a known mistake: what its diff takes out is put back, wherever the learner
has written what its diff puts in.

The two are compared as trees. Names are the learner's: where the mistake says `scores`, any name
will do, and stands in the mended place as well. What only the model answer has a name for
is worked out from what was handed over.
"""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..exercise import Exercise
from ..mistakes import edited_source
from .mend import Mend, Slot, as_one
from .nodes import at, is_named, names_bound, number, tail
from .own_code import OwnCode, names_in
from .places import AXES

CONTEXT = 3  # so many steps further out, too, is looked for what a mistake looks like
MOST_TOGETHER = 24
MOST_PLACES = 6
MODULES = {"torch", "F", "nn", "math", "np", "numpy"}

Binding = dict[str, ast.expr]  # what stands for a name of the model answer


@dataclass
class Pair:
    """A part of the model answer, and what a mistake makes of it, with what they are parts of."""

    right: ast.AST
    wrong: ast.AST
    function: str  # in which it is
    outer: tuple[tuple[ast.AST, ast.AST], ...] = ()  # from the inside to the outside
    names: set[str] = field(default_factory=set)  # that mean something only in this function


@dataclass
class Missing:
    """Statements of the model answer that a mistake leaves out."""

    statements: list[ast.stmt]
    function: str


@dataclass
class Extra:
    """A statement that a mistake puts in."""

    statement: ast.stmt
    function: str


@dataclass
class Way:
    """How a mistake differs from the model answer."""

    pairs: list[Pair] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    extra: list[Extra] = field(default_factory=list)


def backwards(exercise: Exercise, ways: Iterable[str], code: OwnCode) -> Iterator[Mend]:
    """The changes that would undo mistakes made in these ways."""
    model, learner = Model(exercise), Learner(code, exercise)
    for way in ways:
        how = model.way(way)
        if how is not None:
            yield from undone(how, model, learner, way)


def grafts(exercise: Exercise, code: OwnCode) -> Iterator[Mend]:
    """What is assigned somewhere, worked out as somewhere in the model answer: if all is right, so
    is all that follows."""
    model, learner = Model(exercise), Learner(code, exercise)
    for name, function in model.functions.items():
        values = [v for v in values_in(function) if not isinstance(v, ast.Name | ast.Constant)]
        for old in assignments(learner.function(name)):
            for new in (model.instance(value, {}, name, learner) for value in values):
                if new is not None:
                    yield Mend((old.lineno,), "value", ((Slot(old, "value"), at(new, old.value)),))


def assignments(function: ast.FunctionDef | None) -> list[ast.Assign]:
    nodes = ast.walk(function) if function is not None else ()
    return sorted((n for n in nodes if isinstance(n, ast.Assign)), key=lambda node: node.lineno)


def values_in(function: ast.FunctionDef) -> list[ast.expr]:
    """What a function assigns and gives back."""
    nodes = [node for node in ast.walk(function) if isinstance(node, ast.Assign | ast.Return)]
    return [node.value for node in nodes if node.value is not None]


def kinds_of(exercise: Exercise, ways: Iterable[str]) -> set[str]:
    """Of what kinds the things are that mistakes change."""
    model = Model(exercise)
    found = [how for how in map(model.way, ways) if how is not None]
    return {kind_of(pair) for how in found for pair in how.pairs}


def undone(how: Way, model: Model, learner: Learner, way: str = "") -> Iterator[Mend]:
    """The changes that undo a mistake: all of its parts at once, or one of them, as the learner may
    have made only this one.

    Args:
        way: what it is called.
    """
    places = [list(itertools.islice(undoings(pair, model, learner), 40)) for pair in how.pairs]
    gaps = [list(itertools.islice(put_in(gap, model, learner), 40)) for gap in how.missing]
    parts = [*places, *gaps, *(list(taken_out(extra, model, learner)) for extra in how.extra)]
    if len(parts) > 1 and all(parts):
        yield from (replace(mend, undoes=way) for mend in all_at_once(parts))
    whole = way if len(parts) == 1 else ""
    alone = itertools.chain(*parts, *map(everywhere, places))
    yield from (replace(mend, undoes="" if mend.loose else whole) for mend in alone)


def everywhere(mends: list[Mend]) -> Iterator[Mend]:
    """The same part of a mistake, made in several places, undone in all of them."""
    taken: list[Mend] = []
    for mend in mends:
        if not any(clash(mend, other) for other in taken):
            taken.append(mend)
    if 1 < len(taken) <= MOST_PLACES:
        yield as_one(taken)


def all_at_once(parts: list[list[Mend]]) -> Iterator[Mend]:
    """One change of each part together. Parts that look alike are found in the same places: each
    takes the first that is still free, before anything else is tried."""
    taken: list[Mend] = []
    for mends in parts:
        free = (mend for mend in mends if not any(clash(mend, other) for other in taken))
        taken += itertools.islice(free, 1)
    tried = [tuple(taken)] if len(taken) == len(parts) else []
    few = [mends[: max(2, MOST_TOGETHER // 2 ** len(parts))] for mends in parts]
    for mends in itertools.islice(itertools.chain(tried, itertools.product(*few)), MOST_TOGETHER):
        if not any(clash(one, other) for one, other in itertools.combinations(mends, 2)):
            yield as_one(mends)


def clash(one: Mend, other: Mend) -> bool:
    """Do they change the same place, or one a part of what the other changes?"""
    places = [{id(slot.get()) for slot, _ in mend.changes} for mend in (one, other)]
    if places[0] & places[1]:
        return True
    inside = [
        {id(node) for slot, _ in mend.changes for node in nodes_below(slot.get())}
        for mend in (one, other)
    ]
    return bool(places[0] & inside[1] or places[1] & inside[0])


def nodes_below(held: object) -> Iterator[ast.AST]:
    for each in held if isinstance(held, list) else [held]:
        if isinstance(each, ast.AST):
            yield from ast.walk(each)


def undoings(pair: Pair, model: Model, learner: Learner) -> Iterator[Mend]:
    """The places in a learner's code that look like the wrong part, made right; first those that
    look like it for a long way around."""
    seen = set()
    levels = [(pair.right, pair.wrong), *pair.outer[:CONTEXT]]
    for right, wrong in reversed(levels):
        if isinstance(wrong, ast.Name) and wrong.id in pair.names:
            continue  # everything would look like this
        matches = []
        for slot, node in learner.nodes(type(wrong)):
            binding = model.unified(wrong, node, pair.names)
            if binding is not None:
                matches.append((renamed(binding), node.lineno, slot, node, binding))
        for *_, slot, node, binding in sorted(matches, key=lambda each: each[:2]):
            new = model.instance(right, binding, pair.function, learner)
            if new is None or (id(node), ast.dump(new)) in seen:
                continue
            seen.add((id(node), ast.dump(new)))
            change = ((slot, at(new, node)),)
            yield Mend((line_of(node, new),), kind_of(pair), change, loose=is_loose(wrong))


def is_loose(wrong: ast.AST) -> bool:
    """Is it a number or a name alone, perhaps with a sign? They stand in many places."""
    telling = ast.stmt | ast.Call | ast.BinOp | ast.BoolOp | ast.Compare | ast.Attribute
    return not any(isinstance(node, telling) for node in ast.walk(wrong))


def line_of(old: ast.AST, new: ast.AST) -> int:
    """The line of the innermost part of an old tree that is another in the new one."""
    line = getattr(old, "lineno", 0)
    if type(old) is type(new):
        for name, value in ast.iter_fields(old):
            there, here = listed(getattr(new, name, None)), listed(value)
            if len(here) == len(there):
                for one, other in zip(here, there):
                    if not (isinstance(one, ast.AST) and isinstance(other, ast.AST)):
                        continue
                    if bare(one) != bare(other):
                        return line_of(one, other) or line
    return line


def listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def renamed(binding: Binding) -> int:
    """How many things have other names than in the model answer."""
    return sum(not is_called(node, name) for name, node in binding.items())


def is_called(node: ast.expr, name: str) -> bool:
    if isinstance(node, ast.Attribute):
        return name == f"self.{node.attr}"
    return isinstance(node, ast.Name) and node.id == name


def taken_out(extra: Extra, model: Model, learner: Learner) -> Iterator[Mend]:
    """The learner's statements that look like one that does not belong there, left out."""
    function = learner.function(extra.function)
    free = model.locals(extra.function) | {*names_bound(function)}
    for parent, name, block in blocks(function) if function is not None else ():
        for index, statement in enumerate(block):
            if model.unified(extra.statement, statement, free) is not None:
                rest = [*block[:index], *block[index + 1 :]] or [at(ast.Pass(), statement)]
                yield Mend((statement.lineno,), "step too many", ((Slot(parent, name), rest),))
    yield from unwrapped(extra.statement, free, model, learner)


def unwrapped(
    statement: ast.stmt, free: set[str], model: Model, learner: Learner
) -> Iterator[Mend]:
    """What does not belong there need be no line of its own: where `x = f(x)` is too much, `f(x)`
    is so anywhere, and x will do."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return
    name, value = statement.targets[0].id, statement.value
    if isinstance(value, ast.Name) or name not in {*names_in(value)}:
        return
    for slot, node in learner.nodes(type(value)):
        binding = model.unified(value, node, free)
        if binding is not None:
            inner = at(bare_places(copy.deepcopy(binding[name])), node)
            yield Mend((node.lineno,), "part too many", ((slot, inner),))


def put_in(missing: Missing, model: Model, learner: Learner) -> Iterator[Mend]:
    """What is missing, below each of a function's lines."""
    function = learner.function(missing.function)
    if function is None:
        return
    for binding in model.namings(missing, learner):
        made = [model.instance(s, binding, missing.function, learner) for s in missing.statements]
        new = [each for each in made if each is not None]
        if len(new) < len(made):
            continue
        for parent, name, block in blocks(function):
            for index in range(len(block), -1, -1):
                if index and isinstance(block[index - 1], ast.Return):
                    continue
                line = (block[index - 1].end_lineno if index else None) or block[0].lineno
                placed = [at(copy.deepcopy(each), block[max(index - 1, 0)]) for each in new]
                changed = [*block[:index], *placed, *block[index:]]
                yield Mend(
                    (line,), "missing step", ((Slot(parent, name), changed),), below=index > 0
                )


def blocks(node: ast.AST) -> Iterator[tuple[ast.AST, str, list[ast.stmt]]]:
    for each in ast.walk(node):
        for name in ("body", "orelse"):
            block = getattr(each, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield each, name, block


# --- The model answer -----------------------------------------------------------------------------


class Model:
    """The model answer of an exercise, and how mistakes change it."""

    def __init__(self, exercise: Exercise):
        self.exercise = exercise
        [self.tree] = ast.parse(exercise.source).body
        self.functions = functions_of(self.tree)

    def way(self, way: str) -> Way | None:
        source = edited_source(self.exercise, (way,))
        if source is None:
            return None
        try:
            [wrong] = ast.parse(source).body
        except (SyntaxError, ValueError):
            return None
        how = Way()
        compare(self.tree, wrong, "", (), how)
        theirs = functions_of(wrong)
        for pair in how.pairs:
            pair.names = self.locals(pair.function) | {*names_bound(theirs.get(pair.function))}
        return how

    def parameters(self, function: str) -> list[str]:
        found = self.functions.get(function)
        return [] if found is None else [a.arg for a in found.args.args + found.args.kwonlyargs]

    def locals(self, function: str) -> set[str]:
        return {*names_bound(self.functions.get(function)), *self.parameters(function)}

    def unified(self, pattern: ast.AST, node: ast.AST, free: set[str]) -> Binding | None:
        """What the free names in a pattern stand for, if a node looks like it; None if it does
        not."""
        binding: Binding = {}
        return binding if self.fits(pattern, node, free, binding) else None

    def fits(self, pattern: object, node: object, free: set[str], binding: Binding) -> bool:
        if isinstance(pattern, ast.Name) and pattern.id in free:
            if not isinstance(node, ast.expr):
                return False
            known = binding.get(pattern.id)
            if known is None:
                binding[pattern.id] = node
                return True
            return bare(known) == bare(node)
        if isinstance(pattern, ast.Call) and isinstance(node, ast.Call):
            return self.call_fits(pattern, node, free, binding)
        if type(pattern) is not type(node):
            return False
        if isinstance(pattern, ast.Attribute) and is_named(pattern.value, "self"):
            key = f"self.{pattern.attr}"
            known = binding.setdefault(key, node)  # pyright: ignore[reportArgumentType]
            return bare(known) == bare(node)
        if isinstance(pattern, ast.AST):
            return all(
                self.fits(value, getattr(node, name, None), free, binding)
                for name, value in ast.iter_fields(pattern)
                if name not in ("ctx", "type_comment", "kind")
            )
        if isinstance(pattern, list):
            assert isinstance(node, list)
            return len(pattern) == len(node) and all(
                self.fits(a, b, free, binding) for a, b in zip(pattern, node)
            )
        return pattern == node

    def call_fits(
        self, pattern: ast.Call, node: ast.Call, free: set[str], binding: Binding
    ) -> bool:
        """`torch.exp(x)` is `x.exp()`, and `F.softmax(x, dim=-1)` is `x.softmax(-1)`."""
        one, other = parts_of(pattern), parts_of(node)
        if one is None or other is None:
            same = self.fits(pattern.func, node.func, free, binding)
            return (
                same
                and self.fits(pattern.args, node.args, free, binding)
                and self.fits(by_name(pattern), by_name(node), free, binding)
            )
        return one[0] == other[0] and self.fits(one[1], other[1], free, binding)

    def instance(
        self, right: ast.AST, binding: Binding, function: str, learner: Learner
    ) -> ast.AST | None:
        """The right part with the learner's names in it; None if something has none."""
        filler = Filler(self, binding, function, learner)
        new = filler.visit(copy.deepcopy(right))
        return None if filler.failed else bare_places(new)

    def namings(self, missing: Missing, learner: Learner) -> Iterator[Binding]:
        """What the names in statements that are missing may stand for."""
        used = {
            node.id
            for statement in missing.statements
            for node in ast.walk(statement)
            if isinstance(node, ast.Name)
        }
        theirs = learner.names(missing.function)
        free = sorted(
            (used & self.locals(missing.function)) - set(self.parameters(missing.function))
        )
        unknown = [name for name in free if name not in theirs]
        yield {}
        if len(unknown) == 1 or (not unknown and free):
            name = (unknown or free)[0]
            for other in theirs:
                if other != name:
                    yield {name: ast.Name(other, ast.Load())}

    def meaning(self, name: str, function: str) -> ast.expr | None:
        """What a local name of the model answer is assigned, the first time."""
        found = self.functions.get(function)
        for node in ast.walk(found) if found is not None else ():
            if isinstance(node, ast.Assign):
                [target, *_] = node.targets
                if isinstance(target, ast.Name) and target.id == name:
                    return node.value
                if isinstance(target, ast.Tuple):
                    for index, each in enumerate(target.elts):
                        if isinstance(each, ast.Name) and each.id == name:
                            if isinstance(node.value, ast.Tuple):
                                return node.value.elts[index]
                            place = index if index < 3 else index - len(target.elts)
                            return ast.Subscript(node.value, number(place), ast.Load())
        return None


class Filler(ast.NodeTransformer):
    """Puts the learner's names in the place of the model answer's."""

    def __init__(
        self, model: Model, binding: Binding, function: str, learner: Learner, depth: int = 0
    ):
        self.model, self.binding, self.function = model, binding, function
        self.learner, self.depth, self.failed = learner, depth, False

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.binding:
            bound = copy.deepcopy(self.binding[node.id])
            if isinstance(node.ctx, ast.Store) and not isinstance(bound, ast.Name):
                self.failed = True
                return node
            if hasattr(bound, "ctx"):
                bound.ctx = node.ctx  # pyright: ignore[reportAttributeAccessIssue]
            return bound
        parameters = self.model.parameters(self.function)
        if node.id in parameters:
            theirs = self.learner.parameters(self.function)
            index = parameters.index(node.id)
            if node.id in theirs:
                return node
            if index < len(theirs):
                return ast.Name(theirs[index], node.ctx)
            self.failed = True
            return node
        if node.id not in self.model.locals(self.function):
            return node
        if node.id in self.learner.names(self.function) or isinstance(node.ctx, ast.Store):
            return node
        meaning = self.model.meaning(node.id, self.function)
        if meaning is None or self.depth > 4:
            self.failed = True
            return node
        inner = Filler(self.model, self.binding, self.function, self.learner, self.depth + 1)
        new = inner.visit(copy.deepcopy(meaning))
        self.failed = self.failed or inner.failed
        return new

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        key = f"self.{node.attr}"
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            if key in self.binding:
                new = copy.deepcopy(self.binding[key])
                new.ctx = node.ctx  # pyright: ignore[reportAttributeAccessIssue]
                return new
            theirs = self.learner.attribute(node.attr, self.model)
            if theirs is not None:
                return ast.Attribute(ast.Name("self", ast.Load()), theirs, node.ctx)
        return self.generic_visit(node)


# --- The learner's code ---------------------------------------------------------------------------


class Learner:
    """A learner's code, seen beside the model answer."""

    def __init__(self, code: OwnCode, exercise: Exercise):
        self.code, self.exercise = code, exercise
        named = (each for each in code.tree.body if getattr(each, "name", None) == code.name)
        [self.definition] = named
        self.functions = functions_of(self.definition)

    def function(self, name: str) -> ast.FunctionDef | None:
        return self.functions.get(name)

    def parameters(self, function: str) -> list[str]:
        found = self.function(function)
        return [] if found is None else [a.arg for a in found.args.args + found.args.kwonlyargs]

    def names(self, function: str) -> list[str]:
        found = self.function(function)
        return list(dict.fromkeys([*self.parameters(function), *names_bound(found)]))

    @cached_property
    def everything(self) -> list[tuple[Slot, ast.AST]]:
        """All nodes of the code, and where each is."""
        found: list[tuple[Slot, ast.AST]] = []
        for parent in ast.walk(self.code.tree):
            for name, value in ast.iter_fields(parent):
                if name in ("annotation", "returns", "decorator_list"):
                    continue
                if isinstance(value, ast.AST):
                    found.append((Slot(parent, name), value))
                elif isinstance(value, list):
                    found += [
                        (Slot(parent, name, n), each)
                        for n, each in enumerate(value)
                        if isinstance(each, ast.AST)
                    ]
        return found

    def nodes(self, kind: type) -> Iterator[tuple[Slot, ast.expr | ast.stmt]]:
        """The nodes of a type that have a line."""
        for slot, node in self.everything:
            is_read = not isinstance(getattr(node, "ctx", None), ast.Store)
            if isinstance(node, kind) and isinstance(node, ast.expr | ast.stmt) and is_read:
                yield slot, node

    def attribute(self, name: str, model: Model) -> str | None:
        """What the learner calls an attribute of the model answer: the same, or else what is made
        of the same parameter."""
        mine = assigned_to_self(self.function("__init__"))
        if name in mine:
            return name
        theirs = assigned_to_self(model.functions.get("__init__"))
        value = theirs.get(name)
        if isinstance(value, ast.Name):
            parameters = model.parameters("__init__")
            if value.id in parameters:
                index = parameters.index(value.id)
                here = self.parameters("__init__")
                wanted = value.id if value.id in here else here[index] if index < len(here) else ""
                for attribute, made_of in mine.items():
                    if isinstance(made_of, ast.Name) and made_of.id == wanted:
                        return attribute
        return None


# --- Trees ----------------------------------------------------------------------------------------


def functions_of(tree: ast.AST) -> dict[str, ast.FunctionDef]:
    """{name: function} of a class, or of a function alone."""
    if isinstance(tree, ast.FunctionDef):
        return {tree.name: tree}
    return {e.name: e for e in getattr(tree, "body", []) if isinstance(e, ast.FunctionDef)}


def assigned_to_self(function: ast.FunctionDef | None) -> dict[str, ast.expr]:
    found = {}
    for node in ast.walk(function) if function is not None else ():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    found[target.attr] = node.value
    return found


def compare(
    right: ast.AST,
    wrong: ast.AST,
    function: str,
    outer: tuple[tuple[ast.AST, ast.AST], ...],
    how: Way,
) -> None:
    """Note in `how` the smallest parts in which two trees differ."""
    if does_nothing(wrong) and isinstance(right, ast.stmt):
        how.missing.append(Missing([right], function))
        return
    if type(right) is not type(wrong) or is_another_call(right, wrong):
        how.pairs.append(Pair(right, wrong, function, outer))
        return
    if isinstance(right, ast.FunctionDef):
        function = right.name
    if isinstance(right, ast.stmt):
        outer = ()
    outer = ((right, wrong), *outer)
    for name, value in ast.iter_fields(right):
        other = getattr(wrong, name, None)
        if bare(value) == bare(other):
            continue
        if isinstance(value, list) and isinstance(other, list):
            if any(isinstance(each, ast.stmt) for each in [*value, *other]):
                compare_blocks(value, other, function, how)
                continue
            if len(value) == len(other) and all(isinstance(v, ast.AST) for v in value):
                for a, b in zip(value, other):
                    if bare(a) != bare(b):
                        compare(a, b, function, outer, how)
                continue
        if isinstance(value, ast.expr) and isinstance(other, ast.expr):
            compare(value, other, function, outer, how)
            continue
        how.pairs.append(Pair(right, wrong, function, outer[1:]))
        return


def is_another_call(right: ast.AST, wrong: ast.AST) -> bool:
    """Does it call something else, with something else?"""
    return (
        isinstance(right, ast.Call)
        and isinstance(wrong, ast.Call)
        and bare(right.func) != bare(wrong.func)
        and bare(right.args) != bare(wrong.args)
    )


def does_nothing(statement: ast.AST) -> bool:
    """Is it `x = x`, pass, or a condition with nothing else below it?"""
    if isinstance(statement, ast.If):
        return all(map(does_nothing, statement.body + statement.orelse))
    if isinstance(statement, ast.Assign):
        return all(bare(target) == bare(statement.value) for target in statement.targets)
    return isinstance(statement, ast.Pass)


def compare_blocks(right: list[ast.stmt], wrong: list[ast.stmt], function: str, how: Way) -> None:
    """Two blocks of statements: what became of which?"""
    if len(right) == len(wrong):
        for a, b in zip(right, wrong):
            if bare(a) != bare(b):
                compare(a, b, function, (), how)
        return
    olds, news = [bare(each) for each in right], [bare(each) for each in wrong]
    lost = [each for each, text in zip(right, olds) if text not in news]
    put = [each for each, text in zip(wrong, news) if text not in olds]
    for old in list(lost):
        new = next((each for each in put if is_about(each) == is_about(old)), None)
        new = new or (put[0] if len(put) == len(lost) == 1 else None)
        if new is not None:
            lost.remove(old)
            put.remove(new)
            compare(old, new, function, (), how)
    if lost:
        how.missing.append(Missing(lost, function))
    how.extra += [Extra(each, function) for each in put]


def is_about(statement: ast.stmt) -> str:
    """What it binds, gives back or does: a statement that becomes another is usually about the same
    thing."""
    if isinstance(statement, ast.Assign):
        return bare(statement.targets)
    if isinstance(statement, ast.AugAssign):
        return bare([statement.target])
    return type(statement).__name__


def bare(value: object) -> str:
    """What a tree says, wherever it stands."""
    if isinstance(value, list):
        return f"[{', '.join(map(bare, value))}]"
    if isinstance(value, ast.AST):
        return ast.dump(value).replace("ctx=Store()", "ctx=Load()")
    return repr(value)


def bare_places(new: ast.AST) -> ast.AST:
    """The tree without the lines that its parts came from."""
    for node in ast.walk(new):
        for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
            if hasattr(node, name):
                with_place = vars(node)
                with_place.pop(name, None)
    return new


def parts_of(call: ast.Call) -> tuple[str, list[ast.expr]] | None:
    """What is called, and all that goes in, in order; None if it is no function of arrays."""
    if not isinstance(call.func, ast.Attribute | ast.Name):
        return None
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if isinstance(receiver, ast.Name) and receiver.id == "self":
        return None
    arguments = list(call.args)
    if receiver is not None and not is_module(receiver):
        arguments.insert(0, receiver)
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    if None in named or tail(call.func) not in AXES:
        if call.keywords:
            return None
        return tail(call.func), arguments
    for name in ("dim", "axis", "dim0", "dim1", "correction", "unbiased", "keepdim"):
        if name in named:
            arguments.append(named.pop(name))
    return None if named else (tail(call.func), arguments)


def is_module(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in MODULES


def by_name(call: ast.Call) -> list[ast.keyword]:
    return sorted(call.keywords, key=lambda keyword: keyword.arg or "")


def kind_of(pair: Pair) -> str:
    """What kind of thing a mistake changes, as far as the two parts tell."""
    right, wrong = pair.right, pair.wrong
    text = bare(right) + bare(wrong)
    if "mask" in text:
        return "mask"
    outer = next((b for _, b in pair.outer if isinstance(b, ast.Call)), None)
    if isinstance(right, ast.Constant | ast.UnaryOp) and isinstance(
        wrong, ast.Constant | ast.UnaryOp
    ):
        return "axis" if outer is not None and tail(outer.func) in AXES else "number"
    if isinstance(right, ast.BinOp) and isinstance(wrong, ast.BinOp):
        return "operator"
    if isinstance(right, ast.Compare) and isinstance(wrong, ast.Compare):
        return "comparison"
    if isinstance(right, ast.Name) and isinstance(wrong, ast.Name):
        return "name"
    if isinstance(right, ast.Attribute) and isinstance(wrong, ast.Attribute):
        return "attribute"
    if isinstance(right, ast.Call) and isinstance(wrong, ast.Call):
        return "argument" if tail(right.func) == tail(wrong.func) else "call"
    if isinstance(right, ast.expr) and bare(wrong) in bare(right):
        return "missing part"
    if isinstance(right, ast.expr) and bare(right) in bare(wrong):
        return "part too many"
    return "value"
