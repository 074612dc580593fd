"""autograder audit --unseen FOLDER: what is said of wrong answers that the checks have never seen?

A folder holds a file for each lesson, in sections like the bank's. Each says in its words what is
wrong, and quotes the lines that a careful teacher could point to:

    # %% softmax: the sum runs along the first dimension
    # fault: s = e.sum(0, keepdim=True)
    def softmax(x, dim=-1):
        ...

Whether what is said is true, only a reader can tell: with --say, everything is written out.
"""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from ..engine.course import current
from ..engine.examine import examine_learners
from ..engine.pieces import names_around
from ..engine.verdict import Verdict
from .bank import Entry, entries_in

FAULT = re.compile(r"^# fault\d?: (.+)$", re.MULTILINE)


@dataclass
class Said:
    """What is said of one wrong answer."""

    entry: Entry
    verdict: Verdict

    @property
    def rejected(self) -> bool:
        return not self.verdict.passed

    @property
    def is_named(self) -> bool:
        return self.rejected and self.verdict.diagnosis is not None

    @property
    def is_repaired(self) -> bool:
        return bool(self.verdict.spots)

    @property
    def points_rightly(self) -> bool | None:
        """Is a teacher's line pointed to? None if none is."""
        if not self.rejected or self.verdict.line is None:
            return None
        line = self.verdict.line.text.partition("#")[0].strip()
        return line in [text.partition("#")[0].strip() for text in self.faults]

    @property
    def faults(self) -> list[str]:
        lines = self.entry.source.splitlines()[self.entry.line - 1 :]
        return FAULT.findall("\n".join(lines))


def answers_in(folder: Path) -> list[Entry]:
    """All answers in a folder."""
    paths = [folder / f"{lesson}.py" for lesson in current().lessons]
    return [entry for path in paths if path.is_file() for entry in entries_in(path, path.name)]


def said_of(folder: Path, seed: int) -> list[Said]:
    """What is said of all answers in a folder."""
    found = []
    for entry in answers_in(folder):
        built = entry.build()
        around = names_around(built, {})
        exercise = current().find(entry.exercise)
        found.append(Said(entry, examine_learners(exercise, built, around, seed=seed)))
    return found


def main(options: Namespace) -> int:
    folder = Path(options.unseen)
    if not folder.is_dir():
        print(f"{folder} is no folder.")
        return 2
    all_said = said_of(folder, options.seed)
    if not all_said:
        print(f"There are no answers in {folder}: a file bears a lesson's name, such as", end=" ")
        print(f"{current().lessons[0]}.py, and a section begins `# %% exercise: title`.")
        return 2
    for said in all_said:
        if options.say or not said.rejected or said.points_rightly is False:
            print("\n".join(report(said)), end="\n\n")
    print("\n".join(table(all_said)))
    return 0


def report(said: Said) -> list[str]:
    """One answer, and what is said of it."""
    entry, verdict = said.entry, said.verdict
    mark = {True: "a line that is at fault", False: "ANOTHER LINE", None: "no line"}
    about = [verdict.diagnosis or "no name", "mended" if said.is_repaired else "not mended"]
    return [
        f"{entry.path}:{entry.line} {entry.exercise}: {entry.title}",
        f"  [{', '.join([*about, mark[said.points_rightly]])}; {verdict.seconds:.1f} s]",
        *(f"  at fault: {fault}" for fault in said.faults),
        verdict.text(hints=0),
    ]


def table(all_said: list[Said]) -> list[str]:
    """The figures."""
    wrong = [said for said in all_said if said.rejected]
    lines = [said for said in wrong if said.points_rightly is not None]
    times = sorted(said.verdict.seconds for said in all_said)
    return [
        f"wrong answers                 {len(all_said):5}",
        f"rejected                      {len(wrong):5}",
        f"named                         {share([s.is_named for s in all_said])}",
        f"named or mended               {share([s.is_named or s.is_repaired for s in all_said])}",
        f"mended                        {share([s.is_repaired for s in all_said])}",
        f"lines pointed to              {len(lines):5}",
        f"of which at fault             {share([s.points_rightly is True for s in lines])}",
        f"seconds: median, 9 of 10, all {times[len(times) // 2]:7.2f}"
        f" {times[len(times) * 9 // 10]:.2f} {sum(times):.0f}",
    ]


def share(found: list[bool]) -> str:
    most = len(found)
    return f"{sum(found):5} ({100 * sum(found) / most:.0f} %)" if most else f"{0:5}"
