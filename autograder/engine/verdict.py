"""What a check found, as data and as plain text."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .learner_lines import Line
    from .likeness import Likeness
    from .repairs.proof import Spot

WIDTH = 96


@dataclass
class Verdict:
    """The outcome of checking one exercise.

    Args:
        exercise: its id.
        score, max_score: points.
        seed: with which the same check can be had again; None where that is not told.
        diagnosis: id of the mistake that was recognised, or None.
        also: id of a second one.
        more: is something told before them that they do not explain?
        works, missing: what the properties that hold, and that do not hold, promise.
        not_reached: those of the missing ones of which nobody can tell, for something that comes
            before them is wrong.
        explanation: paragraphs: what happened, and what to look at next.
        line: the learner's line where it happened, if that is certain.
        spots: what has to change for everything to be right, if that was found.
        name, yours, expected: arrays to show side by side, if there are any.
        printed: what the learner's code printed.
        unwatched: did something stop us from seeing what ran?
        unchecked: was the check itself broken, so that nothing is known of the answer?
        built_on: ids of the course's own pieces that it called, in the place of the learner's.
        likeness: what a wrong answer that bears no name looks like, if it could be tried.
        hints: three steps.
    """

    exercise: str
    score: int = 0
    max_score: int = 0
    seed: int | None = 0
    diagnosis: str | None = None
    also: str | None = None
    more: bool = False
    works: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    not_reached: list[str] = field(default_factory=list)
    explanation: list[str] = field(default_factory=list)
    line: Line | None = None
    spots: list[Spot] = field(default_factory=list)
    name: str = ""
    yours: torch.Tensor | None = None
    expected: torch.Tensor | None = None
    printed: str = ""
    unwatched: bool = False
    unchecked: bool = False
    built_on: list[str] = field(default_factory=list)
    likeness: Likeness | None = None
    hints: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.max_score > 0 and self.score == self.max_score

    @property
    def broken(self) -> list[str]:
        """The promises that were seen broken."""
        return [promise for promise in self.missing if promise not in self.not_reached]

    @property
    def headline(self) -> str:
        mark = "✓" if self.passed else "✗"
        verdict = "all correct" if self.passed else "not yet right"
        if self.unchecked:
            verdict = "could not be checked"
        if not self.max_score:  # the exercise itself could not be loaded
            return f"{mark} {self.exercise}: {verdict}"
        return f"{mark} {self.exercise}: {verdict} ({self.score} of {self.max_score} points)"

    @property
    def foundation(self) -> str:
        """What of the course's it stands on; "" if nothing."""
        names = [piece.partition(".")[2] for piece in self.built_on]
        listed = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
        return f"(Built on the course's own {listed}.)" if listed else ""

    @property
    def message(self) -> str:
        """The explanation in one piece, for a report in JSON."""
        if self.passed:
            return "All correct."
        works = f"Works: {'; '.join(self.works)}. " if self.works else ""
        line = f" {self.line.look} {self.line}." if self.line else ""
        return works + " ".join(self.explanation) + line

    def text(self, hints: int = 1) -> str:
        """Plain text for a terminal, and for a notebook without rich display."""
        parts = [self.headline]
        parts += [wrapped("", self.foundation)] if self.foundation else []
        if self.passed:
            return "\n".join(parts)
        if self.works:
            parts.append(wrapped("Works:   ", "; ".join(self.works)))
        if self.broken:
            parts.append(wrapped("Not yet: ", "; ".join(self.broken)))
        if self.not_reached:
            parts.append(wrapped("Can't tell yet: ", "; ".join(self.not_reached)))
        parts += [wrapped("", paragraph) for paragraph in self.explanation]
        if self.line:
            parts.append(wrapped(f"{self.line.look}: ", str(self.line)))
        if self.printed:
            parts.append(wrapped("Printed: ", self.printed))
        parts += [wrapped("Hint:    ", hint) for hint in self.hints[:hints]]
        parts += (
            [f"  (Run this exact check again with seed={self.seed}.)"]
            if self.seed is not None
            else []
        )
        return "\n".join(parts)


def wrapped(label: str, text: str) -> str:
    return textwrap.fill(
        label + text, WIDTH, initial_indent="  ", subsequent_indent="  " + " " * len(label)
    )
