"""Is what was answered the right answer to another question?

Only the model answer is asked: if its answer to a changed question is the learner's to this one,
number by number, that is no chance.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from ..diagnose import telling
from ..trial import Call, Implementation, Trial
from .asking import Asking, change_call, given
from .parts import parts_of, put_in_place_of, shared_memory, siblings, stands_for

Other = tuple[str, Trial]  # what is said if it is that, and the changed trial
Changes = Callable[[Implementation, Call], Iterator[tuple[str, Call]]]


def another_question(asking: Asking) -> str | None:
    """What other question the learner's answer is right for."""
    if not telling(asking.record):
        return None
    every = itertools.chain(
        of_arguments(asking, changed_masks),
        of_building(asking),
        of_arguments(asking, changed_calls),
    )
    for said, trial in every:
        if asking.is_yours(said, trial):
            shared = shared_memory(asking, said)
            if shared:
                return shared
            return f"Your answer is right for a different question: it's as if {said}."
    return None


def of_arguments(
    asking: Asking, changed: Callable[..., Iterator[tuple[str, Call]]]
) -> Iterator[Other]:
    """Arguments that are exchanged, or are other ones: the same change in all calls."""
    trial, reference = asking.trial, asking.exercise.reference
    if len(trial.calls) > 1 and trial.digest is not None:
        return
    for said, _ in changed(reference, asking.call):
        calls = [
            next((other for what, other in changed(reference, call) if what == said), call)
            for call in trial.calls
        ]
        yield said, trial.but(calls=calls, constant=False)


def changed_masks(reference: Implementation, call: Call) -> Iterator[tuple[str, Call]]:
    """(what is said of it, the call) with something changed in its masks, or with one more."""
    for name, value in given(call).items():
        if is_mask(value):
            for said, other in other_masks(name, value):
                yield said, change_call(call, {name: other})
    lengths = {
        name: x.shape[-2]
        for name, x in given(call).items()
        if isinstance(x, torch.Tensor) and x.dim() > 1
    }
    masks = [name for name in left_out(reference, call) if name.endswith("mask")]
    for name, (keys, length) in itertools.product(masks, lengths.items()):
        past = torch.ones(next(iter(lengths.values())), length, dtype=torch.bool).tril()
        said = f"there were a `{name}` that hides what comes later in `{keys}`"
        yield said, replace(call, options=call.options | {name: past})


def left_out(reference: Implementation, call: Call) -> list[str]:
    """The arguments that a call could have had, and has not."""
    method = getattr(reference, call.method or "forward", reference)
    names = [name for name in inspect.signature(method).parameters if name != "self"]
    return [name for name in names if given(call).get(name) is None]


def changed_calls(_: Implementation, call: Call) -> Iterator[tuple[str, Call]]:
    """(what is said of it, the call) with something else changed in its arguments."""
    values = given(call)
    arrays = {name: x for name, x in values.items() if isinstance(x, torch.Tensor)}
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
    yield f"True and False were swapped in `{name}`", ~mask
    if mask.dim() > 1:
        if mask.shape[-1] == mask.shape[-2]:
            yield f"`{name}` were transposed", mask.mT.contiguous()
        causal = torch.ones(mask.shape[-2:], dtype=torch.bool).tril()
        yield f"`{name}` hid the future as well", mask & causal
        yield f"`{name}` hid the future and nothing else", causal.expand(mask.shape).clone()
        yield f"`{name}` hid nothing of the past", mask | causal
    for dim in range(mask.dim()):
        if mask.shape[dim] > 1:
            first = mask.narrow(dim, 0, 1).expand(mask.shape).clone()
            yield f"every index along dimension {dim} had the `{name}` of index 0", first


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
    for name, value in switches(asking.exercise.reference, trial):
        options = trial.options | {name: not value}
        yield f"`{name}` were {not value}", trial.but(options=options, constant=False)
    if asking.knows_all_weights:
        for said, changes in other_states(trial.state):
            yield said, trial.but(state=trial.state | changes, constant=False)
    if trial.digest is None:
        calls = [replace(call, training=not call.training) for call in trial.calls]
        mode = "eval" if asking.call.training else "training"
        yield f"it were in {mode} mode", trial.but(calls=calls, constant=False)


def switches(reference: Implementation, trial: Trial) -> Iterator[tuple[str, bool]]:
    """What could have been switched on when it was made, and was not."""
    for name, parameter in inspect.signature(reference).parameters.items():
        made = name in (trial.build or {}) or name in trial.options
        if isinstance(parameter.default, bool) and not made:
            yield name, parameter.default


def other_states(state: dict[str, torch.Tensor]) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """(what is said of it, numbers in parameters) for what people mix up."""
    parts = parts_of(state)
    for one, two in siblings(parts, state):
        first, second = (put_in_place_of(state, parts, *pair) for pair in ((one, two), (two, one)))
        yield f"`{one}` and `{two}` were exchanged", first | second
        yield stands_for(one, two), first
        yield stands_for(two, one), second
    biases = {name: torch.zeros_like(x) for name, x in state.items() if name.endswith("bias")}
    if len(biases) > 1:
        yield "there were no biases", biases
    for name, x in biases.items():
        yield f"`{name}` were 0", {name: x}
    for name, x in state.items():
        if x.dim() == 2 and x.shape[0] == x.shape[1]:
            yield f"`{name}` were transposed", {name: x.mT.contiguous()}
        elif x.dim() == 1 and name.endswith("weight"):
            yield f"`{name}` were 1", {name: torch.ones_like(x)}
