"""The parts of a module, by the names of their parameters: which are used, and for what?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch

from ..symptoms.numbers import listing
from ..trial import Answer, Trial
from .asking import Asking, alike, differ, of_call
from .others import other_numbers

State = dict[str, torch.Tensor]
Parts = dict[str, dict[str, str]]  # {part: {the rest of a parameter's name: all of it}}
MOST_TRIED = 3  # parts that are looked at for one that does nothing


def parts_of(state: State) -> Parts:
    """All modules and parameters, those that hold others first."""
    parts: Parts = {}
    for name in state:
        words = name.split(".")
        for depth in range(1, len(words) + 1):
            part = ".".join(words[:depth])
            parts.setdefault(part, {})[".".join(words[depth:])] = name
    return dict(sorted(parts.items(), key=lambda item: item[0].count(".")))


def siblings(parts: Parts, state: State) -> Iterator[tuple[str, str]]:
    """Parts beside each other that hold parameters of the same names and shapes."""
    for one, two in itertools.combinations(parts, 2):
        beside = one.rpartition(".")[0] == two.rpartition(".")[0]
        if beside and shapes(parts[one], state) == shapes(parts[two], state):
            yield one, two


def shapes(part: dict[str, str], state: State) -> dict[str, torch.Size]:
    return {rest: state[name].shape for rest, name in part.items()}


def put_in_place_of(state: State, parts: Parts, used: str, instead: str) -> State:
    """The numbers of one part, for the parameters of another."""
    return {name: state[parts[used][rest]] for rest, name in parts[instead].items()}


def stands_for(used: str, instead: str) -> str:
    return f"`{used}` stood where `{instead}` belongs, too"


def unused_part(asking: Asking) -> str | None:
    """A part whose numbers do not matter, although they should."""
    if not asking.trial.state or not asking.knows_all_weights:
        return None
    before = asking.calling(asking.call)
    first = first_output(asking.yours(before), before)
    if first is None:
        return None
    parts = parts_of(asking.trial.state)
    for part in suspects(asking, parts):
        changed = before.but(state=before.state | other_state(before.state, parts[part]))
        theirs = first_output(asking.theirs(f"other numbers in {part}", changed), changed)
        was = first_output(asking.theirs("this call alone", before), before)
        if theirs is None or was is None or not any(differ(theirs[n], was[n]) for n in was):
            continue
        yours = first_output(asking.yours(changed), changed)
        if yours is not None and alike(first, yours):
            return does_nothing(asking, part, parts)
    return None


def first_output(answer: Answer, trial: Trial) -> State | None:
    return None if answer.problem is not None else of_call(answer, trial, 1)


def other_state(state: State, part: dict[str, str]) -> State:
    return {name: other_numbers(state[name]) + 0.5 for name in part.values()}


def suspects(asking: Asking, parts: Parts) -> list[str]:
    """The outermost parts that no gradient reaches, where one should."""
    trial = asking.calling(asking.call, gradients=True)
    theirs = asking.theirs("gradients", trial)
    yours = asking.yours(trial)
    if yours.problem is not None or theirs.problem is not None:
        return []
    still = {
        name
        for name in asking.trial.state
        if has_slope(theirs, name) and not has_slope(yours, name)
    }
    whole = [part for part, names in parts.items() if still.issuperset(names.values())]
    outermost = [p for p in whole if not any(p.startswith(f"{other}.") for other in whole)]
    return outermost[:MOST_TRIED]


def has_slope(answer: Answer, name: str) -> bool:
    gradient = answer.arrays.get(f"gradient of {name}")
    return gradient is not None and bool(gradient.abs().max() > 1e-7)


def does_nothing(asking: Asking, part: str, parts: Parts) -> str:
    """What is said of a part without effect; and of another one in its place, if there is one."""
    state = asking.trial.state
    what = "its numbers don't reach" if "" in parts[part] else "what it gives doesn't reach"
    said = (
        f"With {switched(asking.trial)}other numbers in {listing([part])} your output stays "
        f"exactly as it was: the part is there, but {what} the result."
    )
    for one, two in siblings(parts, state):
        if part not in (one, two):
            continue
        used = two if part == one else one
        name = stands_for(used, part)
        trial = asking.trial.but(
            state=state | put_in_place_of(state, parts, used, part), constant=False
        )
        if asking.is_yours(name, trial):
            return f"{said} It's as if `{used}` did the work of `{part}` as well."
    return said


def switched(trial: Trial) -> str:
    """The switches that a module was made with: with the others a part may do something."""
    made = (trial.build or {}) | trial.options
    return "".join(f"{name}={on} and " for name, on in made.items() if isinstance(on, bool))


def shared_memory(asking: Asking, said: str) -> str | None:
    """Is it because two parts hold the same numbers that one does the work of the other? Then a
    gradient reaches both, but of the numbers that are put into one nothing is left.

    Args:
        said: what the answer looks like.
    """
    state = asking.trial.state
    parts = parts_of(state)
    for pair in siblings(parts, state):
        for used, lost in (pair, pair[::-1]):
            if said == stands_for(used, lost) and is_overwritten(asking, parts[lost]):
                return (
                    f"`{used}` and `{lost}` share their memory in your code: what is loaded into "
                    f"`{used}` is in both, and what `{lost}` was given is lost."
                )
    return None


def is_overwritten(asking: Asking, part: dict[str, str]) -> bool:
    """Does a gradient reach a part, although other numbers in it change nothing?"""
    before = asking.calling(asking.call, gradients=True)
    after = before.but(state=before.state | other_state(before.state, part))
    first, second = asking.yours(before), asking.yours(after)
    one, two = first_output(first, before), first_output(second, after)
    unmoved = one is not None and two is not None and alike(one, two)
    return unmoved and any(has_slope(first, name) for name in part.values())
