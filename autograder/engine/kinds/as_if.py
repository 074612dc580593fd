"""Is what was answered the right answer to another question?

Only the model answer is asked: if its answer to a changed question is the learner's to this one,
number by number, that is no chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from ..diagnose import telling
from ..trial import Call, Trial
from .asking import Asking, change_call, given
from .parts import parts_of, put_in_place_of, siblings

Other = tuple[str, Trial]  # what is said if it is that, and the changed trial


def another_question(asking: Asking) -> str | None:
    """What other question the learner's answer is right for."""
    if not telling(asking.record):
        return None
    least = asking.budgets[1].left // 2
    for said, trial in itertools.chain(of_arguments(asking), of_building(asking)):
        if asking.budgets[1].left < least:  # the rest is for others
            return None
        if asking.is_yours(said, trial):
            return f"Your answer is the right one to another question: it is as if {said}."
    return None


def of_arguments(asking: Asking) -> Iterator[Other]:
    """Arguments of one call that are exchanged, or are other ones."""
    trial, call, number = asking.trial, asking.call, asking.number
    if len(trial.calls) > 1 and trial.digest is not None:
        return
    for said, changed in changed_calls(call):
        calls = [*trial.calls]
        calls[number - 1] = changed
        if len(calls) > 1:  # the same mistake is made in all of them
            calls = [c if n == number - 1 else repeat(said, c, call) for n, c in enumerate(calls)]
        yield said, trial.but(calls=calls, constant=False)


def repeat(said: str, other: Call, _: Call) -> Call:
    """The same change made in another call, as far as it can be made there."""
    return next((changed for what, changed in changed_calls(other) if what == said), other)


def changed_calls(call: Call) -> Iterator[tuple[str, Call]]:
    """(what is said of it, the call) with something changed in its arguments; masks first, which
    most mistakes are about."""
    values = given(call)
    arrays = {name: x for name, x in values.items() if isinstance(x, torch.Tensor)}
    for name, value in values.items():
        if is_mask(value):
            for said, other in other_masks(name, value):
                yield said, change_call(call, {name: other})
    for (one, x), (two, y) in itertools.combinations(arrays.items(), 2):
        if x.dtype == y.dtype and x.dim() == y.dim():
            yield f"`{one}` and `{two}` were exchanged", change_call(call, {one: y, two: x})
    for (one, x), (two, y) in itertools.permutations(arrays.items(), 2):
        if x.shape == y.shape and x.dtype == y.dtype:
            yield f"`{two}` stood where `{one}` belongs", change_call(call, {one: y})
    for name, value in values.items():
        for said, other in others(name, value):
            yield said, change_call(call, {name: other})


def is_mask(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype == torch.bool


def others(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """(what is said of it, another value) for an argument."""
    if isinstance(value, torch.Tensor):
        yield from other_arrays(name, value)
    elif isinstance(value, bool):
        yield f"`{name}` were {not value}", not value
    elif isinstance(value, int):
        for more, way in ((1, "larger by 1"), (-1, "smaller by 1")):
            yield f"`{name}` were {way}", value + more
        if value not in (0, 1, -1):
            yield f"`{name}` were 0", 0
    elif isinstance(value, float) and value:
        yield f"`{name}` were 0", 0.0
        yield f"`{name}` were {1 - value:.3g} and not {value:g}", 1 - value
        yield f"`{name}` were 1", 1.0


def other_arrays(name: str, x: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    if is_mask(x):
        return
    if x.dim() > 1 and x.shape[-1] == x.shape[-2]:
        yield f"`{name}` were transposed", x.mT.contiguous()
    for dim in range(x.dim()):
        if x.shape[dim] > 1:
            yield f"`{name}` stood in reverse order along dimension {dim}", x.flip(dim)
            yield f"`{name}` were shifted by one along dimension {dim}", x.roll(1, dim)
            yield f"`{name}` were shifted back by one along dimension {dim}", x.roll(-1, dim)
    if x.is_floating_point():
        yield f"`{name}` were 0", torch.zeros_like(x)
        yield f"`{name}` had the other sign", -x


def other_masks(name: str, mask: torch.Tensor) -> Iterator[tuple[str, torch.Tensor | None]]:
    yield f"there were no `{name}`", torch.ones_like(mask)
    yield f"True and False had each other's meaning in `{name}`", ~mask
    if mask.dim() > 1:
        if mask.shape[-1] == mask.shape[-2]:
            yield f"`{name}` were transposed", mask.mT.contiguous()
        causal = torch.ones(mask.shape[-2:], dtype=torch.bool).tril()
        yield f"`{name}` hid the future as well", mask & causal
        yield f"`{name}` hid the future and nothing else", causal.expand(mask.shape).clone()
        yield f"`{name}` were lifted where the future is not hidden", mask | causal
    for dim in range(mask.dim()):
        if mask.shape[dim] > 1:
            first = mask.narrow(dim, 0, 1).expand(mask.shape).clone()
            yield f"all of dimension {dim} had the `{name}` of its first index", first


def of_building(asking: Asking) -> Iterator[Other]:
    """Another module: made with other arguments, or with other numbers in its parts."""
    trial = asking.trial
    if trial.build is None:
        return
    for place in ("build", "options"):
        for name, value in (getattr(trial, place) or {}).items():
            if isinstance(value, bool | float):
                for said, other in others(name, value):
                    made = getattr(trial, place) | {name: other}
                    yield said, replace(trial, **{place: made}, constant=False)
    if asking.knows_all_weights:
        for said, changes in other_states(trial.state):
            yield said, trial.but(state=trial.state | changes, constant=False)
    for number, call in enumerate(trial.calls):
        if number + 1 == asking.number and trial.digest is None:
            calls = [replace(c, training=not call.training) for c in trial.calls]
            mode = "training" if not call.training else "eval"
            yield f"it were in {mode} mode", trial.but(calls=calls, constant=False)


def other_states(state: dict[str, torch.Tensor]) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """(what is said of it, numbers in parameters) for what people mix up."""
    parts = parts_of(state)
    biases = {name: torch.zeros_like(x) for name, x in state.items() if name.endswith("bias")}
    for one, two in siblings(parts, state):
        yield (
            f"`{one}` and `{two}` were exchanged",
            put_in_place_of(state, parts, one, two) | put_in_place_of(state, parts, two, one),
        )
        for used, instead in ((one, two), (two, one)):
            said = f"`{used}` stood where `{instead}` belongs, too"
            yield said, put_in_place_of(state, parts, used, instead)
    if len(biases) > 1:
        yield "there were no biases", biases
    for name, x in biases.items():
        yield f"`{name}` were 0", {name: x}
    for name, x in state.items():
        if x.dim() == 2 and x.shape[0] == x.shape[1]:
            yield f"`{name}` were transposed", {name: x.mT.contiguous()}
        elif x.dim() == 1 and name.endswith("weight"):
            yield f"`{name}` were 1", {name: torch.ones_like(x)}
