"""A wrong answer reduced to what tells whether another one is the same.

Rows in which it is right are left out: what is right there, the model answer of the day says. Of a
row that is wrong there are a few random projections, from which its numbers cannot be had, and in
which places it has no number. Beside somebody's answer a sketch becomes an Answer again: rows whose
projections agree are theirs, and others are different from theirs. So whatever compares Answers
compares sketches as well.
"""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy
import torch

from ..compare import TOLERANCE, close, is_gradient, size
from ..trial import NOTED, Answer, Problem, Trial

# So many projections of each row that is wrong; of an array that is looked at as a whole, more.
OF_A_ROW, OF_A_WHOLE = 2, 4
MARKS = {"n": float("nan"), "+": float("inf"), "-": float("-inf"), ".": 0.0}  # "." is a number
DIGITS = 8  # of a projection: a float32 has no more

Data = dict[str, Any]  # what JSON can hold


@dataclass(frozen=True)
class ArraySketch:
    """What is known of an array.

    Args:
        shape, dtype: its own.
        largest: the largest magnitude in it, by which rounding is measured.
        rows: the numbers of those that are wrong.
        projected: their projections.
        places: what stands in them in the places of numbers; nothing if all are numbers.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    largest: float
    rows: torch.Tensor
    projected: torch.Tensor
    places: torch.Tensor | None = None

    def beside(
        self,
        name: str,
        mine: torch.Tensor | None,
        right: torch.Tensor | None,
        trial: Trial,
        slope: float = 0.0,
    ) -> torch.Tensor:
        """An array that is like the one that was reduced, as far as somebody's can tell.

        Args:
            mine: theirs, if there is one.
            right: the right one, if there is one.
            slope: the largest gradient, which says what is rounding in the others.
        """
        whole = torch.zeros(self.shape, dtype=self.dtype)
        rows = in_rows(whole, name)
        if right is not None and right.shape == whole.shape:
            rows.copy_(in_rows(right.detach().cpu(), name))
        theirs = torch.zeros(len(self.rows), rows.shape[1], dtype=torch.float64)
        allowed = 0.0
        if mine is not None and mine.shape == whole.shape:
            theirs = in_rows(mine.detach().cpu(), name)[self.rows].to(torch.float64)
            allowed = self.allowed(mine.dtype, trial, slope if is_gradient(name) else 0.0)
        if len(self.rows):  # otherwise it is the right one in another dtype
            rows[self.rows] = self.like(theirs, allowed).to(self.dtype)
        return whole

    def allowed(self, dtype: torch.dtype, trial: Trial, scale: float) -> float:
        """How much projections may differ for rounding."""
        rough = max(TOLERANCE.get(each, 0.0) for each in (dtype, self.dtype))
        largest = max(self.largest, scale, 1e-3)
        return max(trial.tolerance * rough * largest, 1e-6 * self.largest)

    def like(self, theirs: torch.Tensor, allowed: float) -> torch.Tensor:
        """The rows that are wrong: somebody's where they have the same projections, and different
        ones where they have not."""
        given = torch.isfinite(theirs)
        numbers = torch.ones_like(given) if self.places is None else self.places.isfinite()
        found = projections(torch.where(numbers & given, theirs, 0.0), self.projected.shape[1])
        agree = (found - self.projected).abs().amax(1) <= allowed
        unknown = (numbers & ~given).any(1)  # then nobody can tell what the others are
        far = 1 + 2 * max(self.largest, size_of(theirs))
        away = 1 - theirs if self.dtype == torch.bool else theirs + far
        rows = torch.where(agree[:, None], theirs, away)
        rows = torch.where(unknown[:, None], torch.where(given, torch.nan, 0.0), rows)
        return rows if self.places is None else torch.where(numbers, rows, self.places)


def in_rows(x: torch.Tensor, name: str) -> torch.Tensor:
    """An array as the rows that are looked at one by one; it is one where a row tells too little,
    or nobody compares a part of it."""
    whole = x.dim() < 2 or x.shape[-1] < 2 or is_gradient(name)
    return x.reshape(1, -1) if whole else x.reshape(-1, x.shape[-1])


def projections(rows: torch.Tensor, how_many: int) -> torch.Tensor:
    """Sums of the numbers of each row with random weights, the same ones everywhere."""
    return rows @ weights(rows.shape[1], how_many)


@lru_cache(maxsize=512)
def weights(length: int, how_many: int) -> torch.Tensor:
    """Random weights, none of which is near 0, from a hash: they are the same on every machine."""
    raw = hashlib.shake_256(f"{length}".encode()).digest(2 * length * how_many)
    drawn = numpy.frombuffer(raw, dtype="<i2").reshape(length, how_many) / 2**15
    drawn = drawn + numpy.where(drawn < 0, -0.5, 0.5)
    return torch.from_numpy(drawn / max(length, 1) ** 0.5)


@dataclass(frozen=True)
class Sketch:
    """What is known of a wrong answer.

    Args:
        arrays: {name: what is known of it}; those that are right in everything are left out.
        absent: names of arrays of the right answer that it has not.
        facts: {name: what it is}, where it differs from the right one.
        lacks: names of facts of the right answer that it has not.
        problem: (kind, message) of the exception that was raised, if one was.
    """

    arrays: dict[str, ArraySketch] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    problem: tuple[str, str] | None = None
    begun: int = 0

    def beside(self, mine: Answer, right: Answer, trial: Trial) -> Answer:
        """The wrong answer, as far as somebody's answer and the right one can tell."""
        arrays = {n: x for n, x in right.arrays.items() if n not in self.absent}
        slope = max((size(x) for n, x in right.arrays.items() if is_gradient(n)), default=0.0)
        for name, each in self.arrays.items():
            theirs, its = mine.arrays.get(name), right.arrays.get(name)
            arrays[name] = each.beside(name, theirs, its, trial, slope)
        facts = {name: fact for name, fact in right.facts.items() if name not in self.lacks}
        problem = None if self.problem is None else Problem(*self.problem)
        return Answer(arrays, facts | self.facts, problem, self.begun)


def sketched(wrong: Answer, right: Answer, trial: Trial) -> Sketch:
    """A wrong answer, reduced."""
    slope = max((size(x) for n, x in right.arrays.items() if is_gradient(n)), default=0.0)
    found = {
        name: sketch_of(name, x, right.arrays.get(name), trial, slope)
        for name, x in wrong.arrays.items()
    }
    facts = {name: fact for name, fact in wrong.facts.items() if name not in NOTED}
    return Sketch(
        {name: each for name, each in found.items() if each is not None},
        tuple(sorted(right.arrays.keys() - wrong.arrays.keys())),
        {n: fact for n, fact in facts.items() if n not in right.facts or right.facts[n] != fact},
        tuple(sorted(right.facts.keys() - wrong.facts.keys())),
        None if wrong.problem is None else (wrong.problem.kind, wrong.problem.message),
        wrong.begun,
    )


def sketch_of(
    name: str, wrong: torch.Tensor, right: torch.Tensor | None, trial: Trial, slope: float
) -> ArraySketch | None:
    """An array, reduced; None if it is the right one."""
    ours = in_rows(wrong.detach().cpu(), name)
    if right is not None and right.shape == wrong.shape:
        theirs = in_rows(right.detach().cpu(), name)
        scale = min(size_of(wrong), size_of(right))
        scale = max(scale, slope) if is_gradient(name) else scale
        rough = trial.tolerance / 2  # so that the right row, in its place, is like it, too
        pairs = enumerate(zip(ours, theirs))
        rows = [n for n, both in pairs if not close(*both, rough, scale, roughly=True)]
        if not rows and wrong.dtype == right.dtype:
            return None
    else:
        rows = list(range(len(ours)))
    kept = ours[rows].to(torch.float64)
    finite = kept.isfinite()
    how_many = min(OF_A_WHOLE if len(ours) == 1 else OF_A_ROW, max(kept.shape[1], 1))
    return ArraySketch(
        tuple(wrong.shape),
        wrong.dtype,
        size_of(wrong),
        torch.tensor(rows, dtype=torch.int64),
        projections(torch.where(finite, kept, 0.0), how_many),
        None if bool(finite.all()) else torch.where(finite, 0.0, kept),
    )


def size_of(x: torch.Tensor) -> float:
    """The largest magnitude among its numbers."""
    return size(x.to(torch.float64)[x.isfinite()])


# --- As data --------------------------------------------------------------------------------------


def as_data(sketch: Sketch) -> Data:
    """A Sketch as JSON can hold it, without what is empty."""
    data = {
        "arrays": {name: array_as_data(each) for name, each in sketch.arrays.items()},
        "absent": sketch.absent,
        "facts": {name: repr(fact) for name, fact in sketch.facts.items()},
        "lacks": sketch.lacks,
        "problem": sketch.problem,
        "begun": sketch.begun,
    }
    return {name: each for name, each in data.items() if each}


def from_data(data: Data) -> Sketch:
    problem = data.get("problem")
    return Sketch(
        {name: array_from_data(each) for name, each in data.get("arrays", {}).items()},
        tuple(data.get("absent", ())),
        {name: ast.literal_eval(fact) for name, fact in data.get("facts", {}).items()},
        tuple(data.get("lacks", ())),
        tuple(problem) if problem else None,
        data.get("begun", 0),
    )


def array_as_data(array: ArraySketch) -> list[Any]:
    projected = [rounded(x) for x in array.projected.flatten().tolist()]
    dtype = str(array.dtype).removeprefix("torch.")
    places = [] if array.places is None else ["".join(map(mark_of, row)) for row in array.places]
    return [array.shape, dtype, rounded(array.largest), array.rows.tolist(), projected, places]


def array_from_data(data: list[Any]) -> ArraySketch:
    shape, dtype, largest, rows, projected, places = data
    return ArraySketch(
        tuple(shape),
        getattr(torch, dtype),
        largest,
        torch.tensor(rows, dtype=torch.int64),
        torch.tensor(projected, dtype=torch.float64).reshape(len(rows), -1 if rows else 0),
        torch.tensor([[MARKS[x] for x in row] for row in places], dtype=torch.float64)
        if places
        else None,
    )


def mark_of(x: torch.Tensor) -> str:
    """What stands for a number, or for what is none."""
    return next(mark for mark, value in MARKS.items() if repr(value) == repr(float(x)))


def rounded(x: float) -> float:
    return float(f"{x:.{DIGITS}g}")
