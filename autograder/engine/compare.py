"""Is an answer the expected one? What differs, and in which respect?"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from .dtypes import DTYPE, KIND
from .trial import NOTED, Answer, Trial

# What rounding may do, relative to the largest number of an array. Right float32 answers differ by
# up to 3e-7 for one attention, and by about 3e-6 after a few blocks and a backward pass; the
# subtlest mistake (hiding with -10 in place of -inf) by 1e-3 and more. bfloat16 has 8 bits: 4e-3.
TOLERANCE = {
    torch.float64: 1e-6,  # a table of sines in float32 is accurate enough
    torch.float32: 3e-5,
    torch.bfloat16: 5e-2,
    torch.float16: 5e-3,
}

# In which respect an answer can differ, in the order in which a learner should mend it.
ASPECTS = (
    "built",  # what the constructor gave is no module
    "names",  # parameters are missing, are extra, or have another shape
    "error",  # an exception
    "returned",  # None, a tuple, a list, where something else was asked for
    "shape",
    "dtype",
    "not finite",  # NaN or inf where a number was expected
    "value",
    "fact",  # something that is no array
    "absent",  # an array that is to be there is not, or the other way round
    "gradient",
    "changed",  # an argument was changed
    "kept",  # what is kept for others to look at afterwards
)
KEPT = "kept: "  # so begin the names of facts about that
NO_GRADIENT = "no gradient"


@dataclass(frozen=True)
class Difference:
    """One respect in which an answer is not the expected one."""

    aspect: str
    name: str = ""  # of the array or fact
    yours: Any = None  # a tensor, a Problem, names, …: the aspect says which
    expected: Any = None


def differences(
    answer: Answer, expected: Answer, trial: Trial, roughly: bool = False
) -> list[Difference]:
    """All differences, the most basic first. Empty if the answer is right.

    Args:
        roughly: let the coarser of the two dtypes say what is rounding; see close.
    """
    found = each_difference(answer, expected, trial, roughly)
    return sorted(found, key=lambda difference: ASPECTS.index(difference.aspect))


def each_difference(
    answer: Answer, expected: Answer, trial: Trial, roughly: bool = False
) -> Iterator[Difference]:
    """The same in no order, one by one: most who ask whether there is any need only the first."""
    found = False
    both = arrays(answer, expected, trial, roughly)
    for difference in itertools.chain(facts(answer, expected), both):
        found = True
        yield difference
    lost = sorted(expected.arrays.keys() - answer.arrays.keys())
    if lost and not found and answer.problem is None:  # gradients that went missing unexplained
        names = [name.removeprefix("gradient of ") for name in lost]
        yield Difference("gradient", NO_GRADIENT, names, [])


def facts(answer: Answer, expected: Answer) -> Iterator[Difference]:
    """Differences in what is no array."""
    if answer.problem is not None or expected.problem is not None:
        a, b = answer.problem, expected.problem
        if a is None or b is None or (a.kind, a.message) != (b.kind, b.message):
            yield Difference("error", "", a, b)
    for name in {**expected.facts, **answer.facts}:
        if name in NOTED or name.startswith(DTYPE):  # of which the arrays tell
            continue
        yours, theirs = answer.facts.get(name), expected.facts.get(name)
        if name.startswith(KIND) and yours != theirs:
            yield no_numbers(name.removeprefix(KIND), yours, expected)
        elif yours != theirs:
            stopped = answer.problem is not None and name not in answer.facts
            if not stopped:  # otherwise the error says it all
                yield Difference(aspect_of_fact(name), name, yours, theirs)


def no_numbers(name: str, kind: Any, expected: Answer) -> Difference:
    """The Difference of an array whose numbers are of a kind that is not compared."""
    if is_gradient(name):
        return Difference("gradient", NO_GRADIENT, [name.removeprefix("gradient of ")], [])
    return Difference("returned", name, kind, expected.arrays.get(name))


def aspect_of_fact(name: str) -> str:
    if name in ("missing", "extra", "shapes", "shared", "frozen"):
        return "names"
    if name == "built":
        return "built"
    if name.startswith("returned"):
        return "returned"
    if name.startswith("no gradient"):
        return "gradient"
    if name == "changed":
        return "changed"
    if " detached" in name or name.startswith(KEPT):
        return "kept"
    return "fact"


def arrays(answer: Answer, expected: Answer, trial: Trial, roughly: bool) -> Iterator[Difference]:
    """Differences between arrays of the same name; one that is missing was explained by a fact."""
    # Some gradients are 0 but for rounding (a softmax does not see the keys' bias): how much there
    # may be depends on the others.
    slope = max((size(x) for n, x in expected.arrays.items() if is_gradient(n)), default=0.0)
    for name in expected.arrays:
        if name not in answer.arrays:
            continue
        yours, theirs = answer.arrays[name], expected.arrays[name]
        value = "gradient" if is_gradient(name) else "value"
        if yours.shape != theirs.shape:
            yield Difference("shape", name, yours, theirs)
            continue
        named = answer.facts.get(DTYPE + name) != expected.facts.get(DTYPE + name)
        if named or yours.dtype != theirs.dtype:
            yield Difference("dtype", name, yours, theirs)
        scale = slope if is_gradient(name) else 0.0
        if not close(yours, theirs, trial.tolerance, scale, roughly):
            finite = bool(yours.isfinite().all()) or not bool(theirs.isfinite().all())
            yield Difference(value if finite else "not finite", name, yours, theirs)
    for name in answer.arrays.keys() ^ expected.arrays.keys():
        explained = answer.problem or answer.facts.get("missing") or expected.problem
        if not explained and not is_gradient(name):
            yield Difference("absent", name, answer.arrays.get(name), expected.arrays.get(name))


def is_gradient(name: str) -> bool:
    return name.startswith("gradient of ")


def size(x: torch.Tensor) -> float:
    """The largest magnitude in a tensor, if all of it is finite."""
    largest = float(x.abs().max()) if x.numel() else 0.0
    return largest if largest < float("inf") else 0.0


def close(
    a: torch.Tensor,
    b: torch.Tensor,
    tolerance: float = 1.0,
    scale: float = 0.0,
    roughly: bool = False,
) -> bool:
    """Is a equal to the expected b but for rounding? Infinities must be in the same places.

    How much rounding there may be depends on the largest number in b, or on `scale` if larger, and
    on the dtype of b: whoever answers in a coarser one is not let off with more. Only to tell which
    mistake a coarse answer comes from, `roughly`, does its own dtype count.
    """
    if not (a.is_floating_point() or b.is_floating_point()):
        return torch.equal(a.to(torch.int64), b.to(torch.int64))
    rough = tolerance * max(TOLERANCE.get(x.dtype, 0.0) for x in ((a, b) if roughly else (b,)))
    if a.is_floating_point() and torch.finfo(a.dtype).eps > rough:
        rough = 0.0
    if a.dtype != b.dtype or rough > 1e-3:  # half precision is too coarse to subtract in
        a, b = a.to(torch.float64), b.to(torch.float64)
    return near(a, b, rough, scale)


def near(a: torch.Tensor, b: torch.Tensor, rough: float, scale: float = 0.0) -> bool:
    """Do the numbers of b differ from those of a by at most the share `rough` of the largest?"""
    if a.numel() == 0:
        return True
    largest = float((a - b).abs().max())
    if largest < float("inf"):
        return largest <= rough * max(size(b), scale, 1e-3)
    finite = b.isfinite()
    if bool(finite.all()):  # numbers so large that even their difference is none, or no numbers
        return False
    same_kind = torch.equal(a[~finite].nan_to_num(nan=0.5), b[~finite].nan_to_num(nan=0.5))
    return same_kind and bool(a[finite].isfinite().all()) and near(a[finite], b[finite], rough)
