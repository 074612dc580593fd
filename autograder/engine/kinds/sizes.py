"""Is an answer right for one size only?"""

from __future__ import annotations

import ast
import itertools
import math
import textwrap
from dataclasses import replace
from typing import Any

import torch

from ..drawing import Draw, Layout
from ..exercise import Exercise
from ..trial import Call, StandIn, Trial
from .asking import Asking, given
from .others import other_numbers, tiled

LARGEST, MOST_CELLS, MOST_WEIGHTS = 4096, 2**15, 2**17
Resize = dict[str, tuple[int, int]]  # {name: (old size, new size)}
Lengths = dict[int, int]  # {old: new}
MOST_NUMBERS, MOST_TRIED = 6, 24  # of the learner's code; and sizes, each in up to three trials
SMALL = 8  # up to here an answer may be right by chance


def right_for_one_size(asking: Asking) -> str | None:
    """A size for which the answer is right, if that is a number in the learner's code."""
    if any(isinstance(value, StandIn) for value in given(asking.call).values()):
        return None  # nobody knows which sizes they have
    tried, sizes = 0, sizes_of(asking.trial, asking.call)
    for new, (name, size) in itertools.product(numbers_in(asking), sizes.items()):
        for other in (new, *multiples(new, size, sizes)):
            if other in sizes.values():  # what is right then may be so as two sizes are equal
                continue
            tried += 1
            if tried > MOST_TRIED:
                return None
            if right_with(asking, name, size, other) and only_there(asking, name, size, other):
                return says(name, size, other)
    return None


def multiples(new: int, size: int, sizes: dict[str, int]) -> list[int]:
    """Sizes of which `new` is a share, as features are of a head."""
    return [new * share for share in sizes.values() if share < size and size % share == 0][:1]


def says(name: str, size: int, new: int) -> str:
    return (
        f"With {name}={new} your answer is right, and with {name}={size} it is not. Is there a "
        f"fixed number in your code where `{name}` belongs?"
    )


def sizes_of(trial: Trial, call: Call) -> dict[str, int]:
    """{name: size} of what could have another size."""
    found = {name: value for name, value in numbers_given(trial, call).items() if value > 1}
    for name, value in trial.sizes.items():
        if type(value) is int and value > 1 and value not in found.values():
            found[name] = value
    for argument, x in (call.arguments | call.options).items():
        for dim, size in enumerate(x.shape if isinstance(x, torch.Tensor) else ()):
            if size > 1 and size not in found.values():
                found[f"{argument}.shape[{dim - x.dim()}]"] = size
    return found


def numbers_given(trial: Trial, call: Call) -> dict[str, int]:
    """{name: value} of the whole numbers that are handed over."""
    made = (trial.build or {}) | trial.options | call.arguments | call.options
    return {name: value for name, value in made.items() if type(value) is int}


def numbers_in(asking: Asking) -> list[int]:
    """The numbers in the learner's code that may be sizes, or roots of sizes; those that the model
    answer has as well come last."""
    code = asking.subject.own_code(asking.exercise.name)
    if code is None:
        return []
    usual = usual_numbers(asking.exercise)
    found = sorted(numbers_of(code.tree), key=lambda n: (n in usual, -n))[:MOST_NUMBERS]
    roots = [(n, n * n) if 4 < n * n <= LARGEST else (n,) for n in found]
    return list(dict.fromkeys(itertools.chain(*roots)))


def usual_numbers(exercise: Exercise) -> set[int]:
    """The numbers in the model answer."""
    if exercise.sealed:
        return set(exercise.sealed.numbers)
    return numbers_of(ast.parse(textwrap.dedent(exercise.source)))


def numbers_of(tree: ast.AST) -> set[int]:
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    numbers = [n for n in values if isinstance(n, int | float) and not isinstance(n, bool)]
    return {int(n) for n in numbers if 2 <= n <= LARGEST and n == int(n)}


def right_with(asking: Asking, name: str, size: int, new: int) -> bool | None:
    """Is the code right with another size? None if that makes no sense.

    A number that is handed over may by chance be as long as something: first it alone is changed.
    """
    only = {name: (size, new)}
    along = only | scaled_along(asking, name, size, new)
    for numbers, lengths in ((only, {}), (only, {size: new}), (along, dict(along.values()))):
        trial = resized(asking, numbers, lengths)
        right = asking.is_right_for_size(trial) if trial is not None else None
        if right is not None:
            return right
    return None


def scaled_along(asking: Asking, name: str, size: int, new: int) -> Resize:
    """The sizes that this one divides, as many times as large as before: so it divides them again;
    and those that divide it, made smaller until they do."""
    found: Resize = {}
    for other, value in sizes_of(asking.trial, asking.call).items():
        if other != name and value > size and value % size == 0:
            found[other] = value, value // size * new
        elif other != name and value < size and size % value == 0 and new % value:
            found[other] = value, next(n for n in range(value, 0, -1) if new % n == 0)
    return found


def only_there(asking: Asking, name: str, size: int, new: int) -> bool:
    """Is it wrong for a smaller size? Much is right for very small ones, and for large ones."""
    smaller = [n for n in (new - 1, new - 2, new // 2) if n > 0 and n != size]
    for other in smaller:
        right = right_with(asking, name, size, other)
        if right is not None:
            return not right
    return new > SMALL


def resized(asking: Asking, numbers: Resize, lengths: Lengths) -> Trial | None:
    """The trial with other sizes wherever these stood, and other numbers; None if that makes no
    sense.

    Args:
        numbers: that are handed over.
        lengths: of dimensions.
    """
    trial, call = asking.calling(asking.call), asking.call
    if not lengths and not any(name in numbers_given(trial, call) for name in numbers):
        return None
    every = [x for x in given(call).values() if isinstance(x, torch.Tensor)]
    if sum(math.prod(new_shape(x, lengths)) for x in every) > MOST_CELLS:
        return None
    arguments, options = (
        {name: resize(name, value, numbers, lengths) for name, value in values.items()}
        for values in (call.arguments, call.options)
    )
    build, made = (
        {name: resize(name, value, numbers, lengths) for name, value in (values or {}).items()}
        for values in (trial.build, trial.options)
    )
    call = replace(call, arguments=arguments, options=options)
    changed = trial.but(calls=[call], build=build if trial.build else None, options=made)
    if not trial.state:
        return changed
    growth = math.prod(max(1.0, new / old) for old, new in numbers.values())
    if growth * sum(x.numel() for x in trial.state.values()) > MOST_WEIGHTS:
        return None
    return with_weights(asking, changed, str((numbers, lengths)))


def with_weights(asking: Asking, trial: Trial, name: str) -> Trial | None:
    """The trial with random weights for what is built by it. (Nothing of it is kept: which sizes
    are tried is the learner's choice.)"""
    try:
        module = asking.exercise.reference(**(trial.build or {}), **trial.options)
    except Exception:  # the model answer refuses such a size
        return None
    return trial.but(state=Draw(asking.exam.seed, name).numbers_for(Layout(module)))


def resize(own: str, value: Any, numbers: Resize, lengths: Lengths) -> Any:
    if not isinstance(value, torch.Tensor):
        return numbers[own][1] if own in numbers and type(value) is int else value
    new = new_shape(value, lengths)
    if value.is_floating_point():
        return value if new == tuple(value.shape) else other_numbers(value, new)
    value = value if value.dtype == torch.bool else fitting(value, numbers)
    for dim, length in enumerate(new):
        value = tiled(value, dim, length)
    return value


def fitting(x: torch.Tensor, numbers: Resize) -> torch.Tensor:
    """Token numbers that a smaller vocabulary has as well."""
    for old, new in numbers.values():
        if new < old and x.numel() and new <= int(x.max()) < old:
            x = x % new
    return x


def new_shape(x: torch.Tensor, lengths: Lengths) -> tuple[int, ...]:
    return tuple(lengths.get(length, length) for length in x.shape)
