"""Is an answer a mistake's, but for what follows from it in code that is written in another way?

A hidden score may be -inf, -1e9 or erased afterwards: what a mistake makes of it is NaN in one code
and a number in the other. And an answer may lack something else as well: a dtype, a gradient, the
mode that it found. So what both have numbers for is compared, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .compare import close, is_gradient
from .trial import Answer, Trial

ENOUGH = 3  # so many different numbers are met by nobody by chance

Pair = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # the learner's, the mistake's, the right


def resembles(answer: Answer, wrong: Answer, trial: Trial, expected: Answer) -> bool:
    """Are the learner's numbers those of a mistake, and wrong ones among them?"""
    return agrees(answer, wrong, trial) and any(
        is_wrong(*each, trial) for each in compared(answer, wrong, expected)
    )


def agrees(answer: Answer, wrong: Answer, trial: Trial) -> bool:
    """Is nothing that both have a number for another one?"""
    return all(
        yours.shape == its.shape and are_near(yours, its, trial)
        for yours, its, _ in compared(answer, wrong, wrong)
    )


def follows(answer: Answer, wrong: Answer, trial: Trial) -> bool:
    """May it be the mistake that made NaN of an answer's numbers, or raised the exception?"""
    if answer.problem is not None or wrong.problem is not None:
        return answer.problem is not None and wrong.problem is not None
    strange = any(
        not (bool(yours.isfinite().all()) and bool(its.isfinite().all()))
        for yours, its, _ in compared(answer, wrong, wrong)
    )
    return strange and agrees(answer, wrong, trial)


def compared(answer: Answer, wrong: Answer, expected: Answer) -> Iterator[Pair]:
    """The arrays of which there are all three, gradients left out: what comes back tells enough."""
    for name, theirs in expected.arrays.items():
        if name in answer.arrays and name in wrong.arrays and not is_gradient(name):
            yield answer.arrays[name], wrong.arrays[name], theirs


def are_near(yours: torch.Tensor, its: torch.Tensor, trial: Trial) -> bool:
    """Where both are numbers, are they the same?"""
    both = yours.isfinite() & its.isfinite()
    return close(yours[both], its[both], trial.tolerance, roughly=True)


def is_wrong(yours: torch.Tensor, its: torch.Tensor, theirs: torch.Tensor, trial: Trial) -> bool:
    """Are there numbers enough that the learner shares with a mistake, and are they not right?"""
    both = yours.isfinite() & its.isfinite()
    if yours[both].unique().numel() < ENOUGH:
        return False
    if yours.shape != theirs.shape:
        return True
    both &= theirs.isfinite()
    return not close(yours[both], theirs[both], trial.tolerance)
