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
from dataclasses import replace

from ..exercise import Exercise
from .mend import Mend, Slot, as_one
from .nodes import at, names_bound
from .own_code import OwnCode, names_in
from .side_by_side import Binding, Learner, Model, bare_places
from .ways import Extra, Missing, Pair, Way, bare, kind_of

CONTEXT = 3  # so many steps further out, too, is looked for what a mistake looks like
MOST_TOGETHER = 24
MOST_PLACES = 6


def backwards(exercise: Exercise, ways: Iterable[str], code: OwnCode) -> Iterator[Mend]:
    """The changes that would undo mistakes made in these ways."""
    if exercise.sealed:  # then nobody knows what they have changed
        return
    model, learner = Model(exercise), Learner(code, exercise)
    for way in ways:
        how = model.way(way)
        if how is not None:
            yield from undone(how, model, learner, way)


def grafts(exercise: Exercise, code: OwnCode) -> Iterator[Mend]:
    """What is assigned somewhere, worked out as somewhere in the model answer: if all is right, so
    is all that follows."""
    if exercise.sealed:  # then nobody knows what is right there
        return
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
    if exercise.sealed:
        return {kind for way in ways for kind in exercise.sealed.ways[way].kinds}
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
