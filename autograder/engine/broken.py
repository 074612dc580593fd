"""Which promises are broken, and of which is nothing known?"""

from .compare import NO_GRADIENT, Difference
from .diagnose import BESIDES, Record
from .exercise import Exercise, Property
from .trial import Problem

# {name of a property: what breaks it first}
Broken = dict[str, tuple[Record, Difference]]
# Where an answer differs in this, nothing else of it can be compared.
HIDES = ("built", "names", "error", "returned", "shape")
# Where numbers are wrong in the plainest call, nobody can tell why they are wrong in another.
NUMBERS = ("not finite", "value", "gradient")
WRONG_NUMBERS = ("numbers", "")


def broken_properties(exercise: Exercise, records: list[Record]) -> Broken:
    """{name of a property: (record, difference) of the first difference that breaks it}"""
    by_aspect = {a: promise for promise in exercise.properties for a in promise.aspects}
    broken = {}
    for record in records:
        for difference in record.found:
            promise = by_aspect.get(difference.aspect, record.promise)
            broken.setdefault(promise.name, (record, difference))
    for promise in exercise.properties:
        if not promise.probes and not was_seen(promise, records, BESIDES & by_aspect.keys()):
            broken.setdefault(promise.name, next((r, r.found[0]) for r in records if r.found))
    return {p.name: broken[p.name] for p in exercise.properties if p.name in broken}


def not_reached(exercise: Exercise, records: list[Record], broken: Broken) -> set[str]:
    """Names of the broken properties of which nobody can tell yet: all that is seen of them is what
    has broken the first one, and may be its consequence."""
    if not broken:
        return set()
    first, *others = broken
    what = hides(broken[first][1])
    hidden = {what, WRONG_NUMBERS}  # these follow from whatever comes before them
    found = {name: breaking(exercise, records, name) for name in others}
    return {
        name
        for name, seen in found.items()
        if not seen or (what and all(hidden_by(*each) in hidden for each in seen))
    }


def hidden_by(record: Record, difference: Difference) -> tuple[str, str] | None:
    """What it may be a consequence of. What a digest finds is made of the numbers, too."""
    made = difference.aspect == "fact" and record.trial.digest is not None
    return WRONG_NUMBERS if made else hides(difference)


def hides(difference: Difference) -> tuple[str, str] | None:
    """What makes it impossible to see more; None if more can be seen."""
    if difference.aspect in NUMBERS and difference.name != NO_GRADIENT:
        return WRONG_NUMBERS
    if difference.aspect not in HIDES:
        return None
    kind = difference.yours.kind if isinstance(difference.yours, Problem) else ""
    return difference.aspect, kind


def breaking(
    exercise: Exercise, records: list[Record], name: str
) -> list[tuple[Record, Difference]]:
    """What is seen of a broken property: the most basic difference wherever it shows."""
    promise = next(promise for promise in exercise.properties if promise.name == name)
    others = {aspect for each in exercise.properties for aspect in each.aspects}
    seen = []
    for record in records:
        own = [each for each in record.found if each.aspect in promise.aspects]
        if record.promise is promise:
            own += [each for each in record.found if each.aspect not in others]
        seen += [(record, each) for each in own[:1]]
    return seen


def themselves_broken(exercise: Exercise, broken: Broken) -> list[str]:
    """Those that something breaks; the others go with them, as the code never works."""
    promises = [promise for promise in exercise.properties if promise.name in broken]
    return [p.name for p in promises if p.probes or broken[p.name][1].aspect in p.aspects]


def was_seen(promise: Property, records: list[Record], besides: set[str]) -> bool:
    """Code that never works keeps no promises: it does not even get as far as breaking them.

    Args:
        besides: what an answer that works may do wrong, as it has a price of its own.
    """
    if "names" in promise.aspects:
        return any("missing" in record.answer.facts for record in records)
    return any(all(d.aspect in besides for d in record.found) for record in records)
