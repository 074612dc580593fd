"""Is an answer random, or does it depend on what was asked before?"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..symptoms.numbers import apart
from ..trial import Answer, Call, Trial
from .asking import Arrays, Asking, alike, change_call, given, of_call
from .others import other_numbers


def same_call_twice(asking: Asking) -> str | None:
    """The same call again, and once more after another one, to the same object."""
    call = replace(asking.call, training=False)
    trial = asking.calling(call, call, other_call(call), call)
    theirs = asking.theirs("the same again", trial)
    if not repeats(theirs, trial):
        return None
    yours = asking.yours(trial)
    first, again, _, last = (of_call(yours, trial, number) for number in (1, 2, 3, 4))
    if first is None or again is None:
        return None
    if not alike(first, again):
        return is_random(asking, first, again)
    if last is not None and not alike(first, last):
        name, one, two = where_they_differ(first, last)
        return (
            f"Called with the same inputs, your code gives something else once it was called with "
            f"other numbers in between: from the first number that differs on, your {name} is "
            f"{one} before, and {two} afterwards. What does it keep from one call to the next?"
        )
    return None


def other_call(call: Call) -> Call:
    """A call with other numbers of the same shapes."""
    return change_call(call, {n: other_numbers(x) for n, x in given(call).items() if is_real(x)})


def is_real(x: object) -> bool:
    return isinstance(x, torch.Tensor) and x.is_floating_point()


def repeats(answer: Answer, trial: Trial) -> bool:
    """Does the model answer give the same each time?"""
    outputs = [of_call(answer, trial, number) for number in (1, 2, 4)]
    first = outputs[0]
    return first is not None and all(x is not None and alike(first, x) for x in outputs[1:])


def is_random(asking: Asking, first: Arrays, again: Arrays) -> str:
    name, one, two = where_they_differ(first, again)
    where = ", in eval mode," if asking.trial.build is not None else ""
    said = (
        f"Called twice with the same inputs{where} your code gives two different answers: from the "
        f"first number that differs on, your {name} is {one} the first time, and {two} the second. "
    )
    if only_with_dropout(asking):
        return said + "With dropout=0 they agree: so your dropout acts in eval mode, too."
    if not asking.knows_all_weights:
        return said + "Is a layer made anew in each call, with new random weights?"
    return said + "What in it is random, or is changed by a call?"


def only_with_dropout(asking: Asking) -> bool:
    """Are two calls alike once the probability of dropout is 0?"""
    call = replace(asking.call, training=False)
    trial = asking.calling(call, call)
    for place in ("build", "options"):
        made = getattr(trial, place)
        if made and made.get("dropout"):
            calm = replace(trial, **{place: made | {"dropout": 0.0}})
            answer = asking.yours(calm)
            first, again = (of_call(answer, calm, number) for number in (1, 2))
            return first is not None and again is not None and alike(first, again)
    return False


def where_they_differ(a: Arrays, b: Arrays) -> tuple[str, str, str]:
    """The name of an array that differs, and its numbers in both from the first difference on."""
    name = next(name for name in a if not alike({name: a[name]}, b))
    one, two = a[name].flatten(), b[name].flatten()
    if one.shape != two.shape:
        return name, *apart(one, two, 3)
    first = int((one != two).to(torch.int).argmax())
    return name, *apart(one[first:], two[first:], 3)


def right_alone(asking: Asking) -> str | None:
    """A later call: is it right if it is the first one?"""
    if asking.number == 1 or (asking.trial.digest is not None and asking.call.training):
        return None
    trial = asking.calling(asking.call)
    if not asking.is_right("alone", trial):
        return None
    before = asking.number - 1
    earlier = "the call before it" if before == 1 else f"the {before} calls before it"
    return (
        f"Without {earlier}, call {asking.number} is right: something is kept from one call to the "
        f"next that belongs to that call alone (a mask, a table, a size)."
    )
