"""Wrong answers that bear no name, put together where they are wrong in the same way."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...engine.course import current
from ...engine.likeness import Likeness, of_data


@dataclass
class Unnamed:
    """Answers that are wrong in the same way, for which there is no known mistake.

    Args:
        number: of the group, from 1; the largest comes first.
        exercise: its id.
        likeness: of one of them.
        students: who.
        of: how many have a record of this exercise.
        lost: the points that it cost each of them.
        most: what the exercise is worth.
        mended: how many of them one small change of their own lines mends, by its kinds.
        broken: what does not hold, as promised.
        told: what such a learner was told.
        example: the code of one, without names; "" if none can be shown.
    """

    number: int
    exercise: str
    likeness: Likeness
    students: list[str]
    of: int
    lost: list[float]
    most: float
    mended: Counter[tuple[str, ...]] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    told: str = ""
    example: str = ""

    @property
    def cost(self) -> float:
        """What it cost each of them, on average."""
        return sum(self.lost) / len(self.lost)


@dataclass
class Answer:
    """A wrong answer of one student, as a record says."""

    student: str
    exercise: str
    likeness: Likeness
    lost: float
    most: float


def groups_of(kept: dict[str, dict[str, Any]]) -> list[Unnamed]:
    """The groups, the largest first, with all that the records say of them.

    Args:
        kept: {student: the newest record}
    """
    alike: list[list[Answer]] = []
    for answer in answers_in(kept):
        same = (group for group in alike if belongs(answer, group[0]))
        group = next(same, None)
        alike.append([answer]) if group is None else group.append(answer)
    order = {name: number for number, name in enumerate(current().ids)}
    alike.sort(key=lambda group: (-len(group), order[group[0].exercise]))
    of = Counter(cell["exercise"] for record in kept.values() for cell in cells_in(record))
    return [
        group_of(number, group, of[group[0].exercise])
        for number, group in enumerate(alike, start=1)
    ]


def belongs(answer: Answer, first: Answer) -> bool:
    return answer.exercise == first.exercise and first.likeness.is_like(answer.likeness)


def answers_in(kept: dict[str, dict[str, Any]]) -> Iterator[Answer]:
    for student, record in sorted(kept.items()):
        for cell in cells_in(record):
            likeness = of_data(cell.get("unnamed"))
            if likeness is not None and cell["exercise"] in current().ids:
                most = cell["max_points"]
                yield Answer(student, cell["exercise"], likeness, most - cell["points"], most)


def cells_in(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for notebook in record["notebooks"].values() for cell in notebook["cells"]]


def group_of(number: int, answers: list[Answer], of: int) -> Unnamed:
    first = answers[0]
    return Unnamed(
        number,
        first.exercise,
        first.likeness,
        [answer.student for answer in answers],
        of,
        [answer.lost for answer in answers],
        first.most,
        Counter(each.likeness.mended for each in answers if each.likeness.mended),
        promises(first),
    )


def promises(answer: Answer) -> list[str]:
    """What does not hold of an answer, in words."""
    exercise, broken = current().find(answer.exercise), answer.likeness.broken
    return [promise.says for promise in exercise.properties if promise.name in broken]
