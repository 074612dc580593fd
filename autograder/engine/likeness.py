"""What a wrong answer looks like, in a few numbers. Answers that are wrong in the same way look
alike, however they are written.

Of an answer to a question that is the same in every check, what is wrong with its numbers is
multiplied by a few random vectors, the same ones everywhere. That is small, tells next to nothing
of how the code was written, and moves with rounding only as little as the answer does.
"""

from __future__ import annotations

import builtins
import math
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy
import torch

from .compare import Difference, differences, is_gradient, size
from .trial import Answer, Problem, Trial

DIRECTIONS = 4  # numbers that are kept of each answer
DIGITS = 4
# Two are the same if they are this near, relative to themselves, or if nothing but rounding (of
# some 1e-6) may be between them. What two mistakes do differs by far more.
NEAR, ROUNDING = 0.01, 1e-5
MOST = 5.0  # the logarithm of how many times the largest right number something may be off
LARGEST = 2**13  # numbers of an array that are looked at
MOST_PROBES, MOST_WORDS, MOST_ARRAYS = 8, 12, 12
BESIDE = {"dtype", "changed", "kept"}  # what does not change the numbers
WITH_NUMBERS = {"shape", "value", "gradient", "not finite"}
WITH_FACTS = {"fact", "returned", "gradient", "changed"}  # none that names what is the learner's
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class Sketch:
    """What is wrong with one answer.

    Args:
        kinds: in which respects; sorted words.
        numbers: what is wrong with the numbers, seen from a few directions; () if they are right.
    """

    kinds: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()

    def is_like(self, other: Sketch) -> bool:
        if self.kinds != other.kinds or len(self.numbers) != len(other.numbers):
            return False
        apart = math.dist(self.numbers, other.numbers)
        return apart <= NEAR * math.hypot(*self.numbers, *other.numbers) + ROUNDING


@dataclass(frozen=True)
class Likeness:
    """How an answer that bears no name is wrong.

    Args:
        broken: names of the properties that something breaks.
        seen: {name of a probe: a Sketch of the answer to it}
        mended: the kinds of the small changes that make everything right; () if none was found.
    """

    broken: tuple[str, ...] = ()
    seen: dict[str, Sketch] = field(default_factory=dict)
    mended: tuple[str, ...] = ()

    def is_like(self, other: Likeness) -> bool:
        """Is that the same mistake, as far as can be told?

        Numbers tell it, whoever wrote them; only where there are none, the repair has to be of the
        same kind as well: of two who wrote the same, one may be mended and the other not.
        """
        if self.broken != other.broken:
            return False
        both = [(self.seen[name], other.seen[name]) for name in self.seen if name in other.seen]
        if not any(one.kinds for one, _ in both):  # none of these questions shows what is wrong
            return False
        telling = any(one.numbers for one, _ in both) or self.mended == other.mended
        return telling and all(one.is_like(two) for one, two in both)

    def as_data(self) -> dict[str, Any]:
        """As JSON knows it."""
        seen = {name: [*each.kinds, *each.numbers] for name, each in self.seen.items()}
        return {"broken": list(self.broken), "seen": seen, "mended": list(self.mended)}


def of_data(data: Any) -> Likeness | None:
    """The Likeness that was written down so; None if it is none."""
    try:
        seen = {str(name): sketch_of_data(each) for name, each in data["seen"].items()}
        broken, mended = (tuple(map(str, data[name])) for name in ("broken", "mended"))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        return None
    return Likeness(broken, seen, mended) if seen else None


def sketch_of_data(data: list[str | float]) -> Sketch:
    numbers = [float(each) for each in data if isinstance(each, float | int)]
    return Sketch(tuple(each for each in data if isinstance(each, str)), tuple(numbers))


def likeness_of(
    broken: Iterable[str], answers: dict[str, tuple[Answer, Answer, Trial]]
) -> Likeness:
    """The Likeness of a wrong answer.

    Args:
        broken: names of the properties that do not hold.
        answers: {name of a probe: (the answer, the expected one, the trial)}, of questions that are
            the same in every check.
    """
    some = list(answers.items())[:MOST_PROBES]
    return Likeness(tuple(broken), {name: sketch(*asked) for name, asked in some})


# --- One answer -----------------------------------------------------------------------------------


def sketch(answer: Answer, expected: Answer, trial: Trial) -> Sketch:
    """What is wrong with an answer. Learners' arrays may be of any kind: what cannot be looked at
    is no Sketch, and costs nobody anything."""
    try:
        found = differences(answer, expected, trial)
        found = [each for each in found if each.aspect not in BESIDE] or found
        kinds = sorted({kind_of(each, expected) for each in found})[:MOST_WORDS]
        slope = max((size(x) for n, x in expected.arrays.items() if is_gradient(n)), default=0.0)
        arrays = [each for each in found if has_numbers(each)][:MOST_ARRAYS]
        seen = [seen_from(each, slope) for each in arrays]
    except Exception:
        return Sketch()
    numbers = numpy.sum(seen, axis=0) if seen else ()
    return Sketch(tuple(kinds), tuple(float(f"{x:.{DIGITS}g}") for x in numbers))


def kind_of(difference: Difference, expected: Answer) -> str:
    """The respect in which something is wrong, without any word of the learner's."""
    words = [difference.aspect]
    if difference.name in expected.arrays or difference.name in expected.facts:
        words.append(difference.name)
    if isinstance(difference.yours, Problem):
        words.append(of_problem(difference.yours))
    elif difference.aspect == "shape":
        words.append(str(tuple(difference.yours.shape)))
    elif difference.aspect in WITH_FACTS and not torch.is_tensor(difference.yours):
        words.append(digest(repr(difference.yours)))
    return " ".join(words)


def of_problem(problem: Problem) -> str:
    """An exception, but for what its message quotes: there stand the learner's own names."""
    known = isinstance(getattr(builtins, problem.kind, None), type)
    kind = problem.kind if known else "Exception"
    return f"{kind} {digest(QUOTED.sub('', problem.message))}"


def digest(text: str) -> str:
    return f"{zlib.crc32(text.encode('utf-8', 'replace')):08x}"


def has_numbers(difference: Difference) -> bool:
    both = difference.yours, difference.expected
    return difference.aspect in WITH_NUMBERS and all(map(torch.is_tensor, both))


def seen_from(difference: Difference, slope: float) -> numpy.ndarray:
    """What is wrong with an array, seen from a few directions."""
    yours, theirs = (
        x.detach().to("cpu", torch.float64) for x in (difference.yours, difference.expected)
    )
    scale = max(size(theirs), slope if is_gradient(difference.name) else 0.0, 1e-3)
    apart = yours
    if yours.shape == theirs.shape:
        apart = torch.where(yours == theirs, 0.0, yours - theirs)  # infinities that are right
    apart = (apart.flatten()[:LARGEST] / scale).nan_to_num(nan=3.0, posinf=5.0, neginf=-5.0)
    # A number of 1e9 must not hide all the others.
    small = apart.sign() * apart.abs().log1p().clamp(max=MOST)
    return directions(difference.name, small.numel()) @ small.numpy()


@lru_cache(maxsize=128)
def directions(name: str, length: int) -> numpy.ndarray:
    """Random vectors for an array of this name, the same ones with every version of NumPy."""
    drawn = numpy.random.RandomState(zlib.crc32(name.encode()))
    return drawn.standard_normal((DIRECTIONS, length)) / max(length, 1) ** 0.5
