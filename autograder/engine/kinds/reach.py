"""What changes an answer, and what should?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ..symptoms.numbers import apart, place_of
from ..trial import Answer, Call, Trial
from .as_if import others
from .asking import Asking, alike, change_call, differ, given, of_call
from .others import other_numbers


def argument_without_effect(asking: Asking) -> str | None:
    """An argument that changes nothing, although it should."""
    for name, value in given(asking.call).items():
        for said, other in other_values(name, value):
            trial = asking.calling(asking.call, change_call(asking.call, {name: other}))
            said = without_effect(asking, said, trial)
            if said:
                return said
    return building_without_effect(asking)


def other_values(name: str, value: Any) -> list[tuple[str, Any]]:
    """(what it was turned into, another value); one is enough."""
    if isinstance(value, torch.Tensor):
        if value.dtype == torch.bool:
            return [(f"With nothing hidden in `{name}`", torch.ones_like(value))]
        return [(f"With other numbers in `{name}`", other_numbers(value))]
    changed = [(said, other) for said, other in others(name, value)][:2]
    return [(f"With `{name}`={other} instead of {value}", other) for _, other in changed]


def without_effect(asking: Asking, said: str, trial: Trial) -> str | None:
    """A sentence if a second call gives the same as the first, and should not."""
    theirs = asking.theirs(said, trial)
    before, after = (of_call(theirs, trial, n) for n in (1, 2))
    if before is None or after is None or not any(differ(after[n], before[n]) for n in before):
        return None
    yours = asking.yours(trial)
    first, second = (of_call(yours, trial, n) for n in (1, 2))
    if first is None or second is None or not all(torch.equal(first[n], second[n]) for n in first):
        return None
    what = " and ".join(first)
    if len(first) > 1:
        return f"{said} your {what} stay exactly as they were, and they should change."
    return f"{said} your {what} stays exactly as it was, and it should change."


def building_without_effect(asking: Asking) -> str | None:
    """The same with what a module is made with."""
    if asking.trial.build is None or not asking.knows_all_weights:
        return None
    base = asking.calling(asking.call)
    for place in ("build", "options"):
        for name, value in (getattr(asking.trial, place) or {}).items():
            if not isinstance(value, bool | float) or name == "dropout":
                continue
            for said, other in other_values(name, value):
                changed = replace(base, **{place: getattr(base, place) | {name: other}})
                if unmoved(asking, said, base, changed):
                    return f"{said} your output stays exactly as it was, and it should change."
    return None


def unmoved(asking: Asking, said: str, base: Trial, changed: Trial) -> bool:
    theirs = asking.theirs("this call alone", base), asking.theirs(said, changed)
    before, after = (of_call(answer, base, 1) for answer in theirs)
    if before is None or after is None or not any(differ(after[n], before[n]) for n in before):
        return False
    first, second = (of_call(asking.yours(trial), trial, 1) for trial in (base, changed))
    return first is not None and second is not None and alike(first, second)


def along_dimensions(asking: Asking) -> str | None:
    """Along which dimensions of the output does one index reach another, and which should?"""
    name, trial = asking.call.returns[0], asking.calling(asking.call)
    base = of_call(asking.theirs("this call alone", trial), trial, 1)
    if base is None or name not in base:
        return None
    for dim, size in enumerate(base[name].shape):
        said = along(asking, name, dim, size) if size > 1 else None
        if said:
            return said
    return None


def along(asking: Asking, name: str, dim: int, size: int) -> str | None:
    call = asking.call
    last = with_other_index(call, size, size - 1)
    first = with_other_index(call, size, 0)
    if last is None or first is None:
        return None
    trial = asking.calling(call, last, first)
    theirs = asking.theirs(f"other numbers along {dim}", trial)
    reached = reaches(three_outputs(theirs, trial, name), dim)
    if reached is None:
        return None
    yours_all = three_outputs(asking.yours(trial), trial, name)
    yours = reaches(yours_all, dim)
    if yours is None or yours_all is None:
        return None
    what = named(asking, dim, size)
    where = "In your code " if trial.build is None or call.training else "In eval mode "
    if reached == (False, False) and (yours[0] or yours[1]):
        return leak(yours_all, name, dim, what, "the others", yours[0])
    if reached == (False, True) and yours[0]:
        return leak(yours_all, name, dim, what, "those before it", True)
    if reached == (True, True) and yours == (False, True):
        return (
            f"Your {name} never looks ahead along {what}, and it should: with other numbers at the "
            f"last index, all that comes before stays as it was."
        )
    if reached[1] and yours == (False, False):
        return (
            f"{where}nothing gets from one index to another along {what}: with other numbers "
            f"at index 0, your {name} stays the same everywhere else, and it should change."
        )
    return None


def three_outputs(answer: Answer, trial: Trial, name: str) -> list[torch.Tensor] | None:
    outputs = [of_call(answer, trial, n) for n in (1, 2, 3)]
    found = [x[name] for x in outputs if x is not None]
    same = len(found) == 3 and len({x.shape for x in found}) == 1
    return found if same else None


def reaches(outputs: list[torch.Tensor] | None, dim: int) -> tuple[bool, bool] | None:
    """(does the last index change what comes before it, does the first one change what follows?);
    None if they do not even change themselves."""
    if outputs is None or outputs[0].dim() <= dim:
        return None
    before, last, first = outputs
    size = before.shape[dim]
    at = [(last, size - 1, slice(0, size - 1)), (first, 0, slice(1, size))]
    found = []
    for after, own, rest in at:
        if torch.equal(after.select(dim, own), before.select(dim, own)):
            return None
        index = (slice(None),) * dim + (rest,)
        found.append(not alike({"": before[index]}, {"": after[index]}))
    return found[0], found[1]


def with_other_index(call: Call, size: int, index: int) -> Call | None:
    """The call with other numbers at one index of the only dimension that has this size, in all
    arguments that have one; None if none has."""
    changes = {}
    for name, x in given(call).items():
        if not isinstance(x, torch.Tensor) or x.dtype == torch.bool:
            continue
        dims = [dim for dim, length in enumerate(x.shape) if length == size]
        if len(dims) > 1:
            return None
        if dims:
            changed = x.clone()
            changed.select(dims[0], index).copy_(other_numbers(x.select(dims[0], index)))
            changes[name] = changed
    return change_call(call, changes) if changes else None


def named(asking: Asking, dim: int, size: int) -> str:
    made = asking.trial.build or {}
    sizes = asking.trial.sizes.items()
    names = [name for name, value in sizes if value == size and name not in made]
    return f"dimension {dim}" + (f" (`{names[0]}`)" if len(names) == 1 else "")


def leak(outputs: list[torch.Tensor], name: str, dim: int, what: str, whom: str, last: bool) -> str:
    before, after = outputs[0], outputs[1] if last else outputs[2]
    at = before.shape[dim] - 1 if last else 0
    wrong = (before.double() - after.double()).abs()
    wrong.select(dim, at).zero_()
    where = int(wrong.argmax())
    one, two = apart(before.flatten()[where], after.flatten()[where])
    return (
        f"Along {what}, what stands at index {at} must not reach {whom}, and in your code it does: "
        f"with other numbers there, {place_of(where, before.shape)} of your {name} goes from "
        f"{one} to {two}."
    )


def right_without(asking: Asking) -> str | None:
    """An argument without which everything is right."""
    for name, value in given(asking.call).items():
        if isinstance(value, torch.Tensor) and value.dtype == torch.bool and not bool(value.all()):
            trial = asking.calling(change_call(asking.call, {name: torch.ones_like(value)}))
            if asking.is_right(f"nothing hidden in {name}", trial):
                return (
                    f"With the same inputs and nothing hidden in `{name}` your answer is right. So "
                    f"what goes wrong is what you do with `{name}`."
                )
    return None
