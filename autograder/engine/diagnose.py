"""Which mistake was made? Compare the learner's answers with those of every known mistake.

A mistake *explains* a probe if the learner's answer is the mistake's answer there, and it is
*contradicted* by a probe where it would show and the learner is right. It is named if it is never
contradicted and explains all that is wrong. If it explains only some of it, by numbers that nobody
gets by chance, and a second mistake explains the rest, both are named. If none does, the first is
named alone, and nothing is said of the rest: it may be a second mistake, or what the first one does
in code that is written in another way. If two different mistakes explain the same, neither is
named. Where none explains anything alone, two may do together; see pairs.

If nothing is found like that, a mistake is taken for the learner's if it has the same numbers
wherever both have numbers; see consequences.

What is told first is what comes first: among the promises of the exercise, in whose order a learner
should look at them (the values before the dtype and the mode), and then in the model answer.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch

from . import consequences
from .compare import Difference, differences, each_difference
from .exam import Exam
from .exercise import Exercise, Property
from .limits import PATIENCE
from .mistake_files import Mistake
from .mistakes import first_line_of, ways_of
from .pairs import whole_pairs
from .subject import Subject
from .trial import Answer, Probe, Trial

# What a second mistake may break without hiding the first one's numbers.
BESIDES = {"dtype", "changed", "kept"}
STATE = {"fact"}  # and this, if the numbers are those of the mistake
# To find a mistake, look at so many of the probes that fail; each costs a run of every mistake.
PIVOTS = 3
# Whoever has only some of a mistake's numbers must have them in so large a part of what is wrong.
MOSTLY = 0.6

Asked = tuple[Answer, Answer, Trial]  # an answer, the expected one, and what was asked
Names = tuple[str, ...]  # of ways of making mistakes: one, or those that are made together


@dataclass
class Record:
    """One probe of a check: what was drawn, what came back, what was expected."""

    promise: Property
    probe: Probe  # that drew the trial
    trial: Trial
    answer: Answer
    expected: Answer
    found: list[Difference] = field(default_factory=list)


@dataclass(frozen=True)
class Diagnosis:
    """The mistakes that were recognised, in the order in which they are told.

    Args:
        places: where each of them shows best.
        besides: what they never do, and leave to be seen.
        before: what is wrong with something that should be looked at before, and that they do not
            explain.
    """

    mistakes: tuple[Mistake, ...] = ()
    places: tuple[Record, ...] = ()
    besides: tuple[tuple[Record, Difference], ...] = ()
    before: tuple[Record, Difference] | None = None
    # Where no mistake was recognised: what was asked that is the same in every check.
    asked: dict[str, Asked] = field(default_factory=dict)


# Is the learner's answer that of a mistake, which shows in these aspects?
# (answer, the mistake's, aspects, trial, expected) -> bool
IsLike = Callable[[Answer, Answer, set[str], Trial, Answer], bool]
Found = dict[Names, list[Record]]  # {what was tried: the failing records that it explains}


def diagnose(
    exam: Exam, subject: Subject, records: list[Record], patience: float = PATIENCE
) -> Diagnosis:
    """The Diagnosis of a check's records, some of which have differences.

    Args:
        exam: whose questions these are.
        patience: seconds after which no further mistakes are tried.
    """
    deadline = time.perf_counter() + patience
    asked: dict[str, Asked] = {}
    for is_like in (is_explained, is_resembled):
        search = Search(exam, records, deadline, is_like, asked)
        alone = search.single_mistakes(subject)
        found = search.best_of(alone, subject)
        if found is None and not alone and is_like is is_explained:
            pivot = pivots(search.failing)[0]
            found = search.conclude(whole_pairs(search, subject, pivot.probe))
        if found is not None:
            return found
    return Diagnosis(asked=asked)


class Search:
    """What is wrong in a check's records, and which mistakes explain it.

    Args:
        exam: whose questions these are.
        deadline: after it no further mistakes are tried.
        is_like: when is an answer that of a mistake?
        asked: by the names of probes, what was asked that is the same in every check.
    """

    def __init__(
        self,
        exam: Exam,
        records: list[Record],
        deadline: float,
        is_like: IsLike,
        asked: dict[str, Asked],
    ):
        self.deadline, self.asked = deadline, asked
        self.exam, self.exercise = exam, exam.exercise
        self.is_like = is_like
        self.ways = list(ways_of(exam.exercise))
        records = [as_coarse_as_it_is(record) for record in records]
        self.failing = [record for record in records if record.found]
        self.right = [record for record in records if not record.found]

    def single_mistakes(self, subject: Subject, among: list[Record] | None = None) -> Found:
        """The mistakes that explain something alone, and are not contradicted.

        Args:
            among: failing records, one of which they have to explain.
        """
        found: Found = {}
        for pivot in pivots(among or self.failing):
            for way in self.suspects(subject, pivot.probe):
                if (way,) not in found and self.explains((way,), pivot):
                    found[way,] = self.explained_by((way,))
            if any(found.values()) or self.is_late():
                break
        return {names: explained for names, explained in found.items() if explained}

    def suspects(self, subject: Subject, probe: Probe) -> list[str]:
        """The ways whose answers to a probe are the learner's.

        They are asked with the same inputs in every check, and so every mistake has to answer but
        once, however often the learner tries again.
        """
        exam = self.exam.always
        answer, expected, trial = self.asked_always(subject, probe)
        right = not differences(answer, expected, trial)
        loosely = self.is_like is is_resembled
        if right or (loosely and consequences.agrees(answer, expected, trial)):
            return self.ways  # these inputs do not show it: all are suspect
        found = []
        for way in self.ways:
            wrong, aspects = exam.answer_of((way,), probe), exam.aspects_of((way,), probe)
            if wrong is not None and self.is_like(answer, wrong, aspects, trial, expected):
                found.append(way)
        return found

    def asked_always(self, subject: Subject, probe: Probe) -> Asked:
        """What is answered to a probe's question in it."""
        if probe.__name__ not in self.asked:
            trial, expected = self.exam.always.asked_by(probe)
            self.asked[probe.__name__] = subject.ask(trial), expected, trial
        return self.asked[probe.__name__]

    def best_of(self, alone: Found, subject: Subject) -> Diagnosis | None:
        """What to tell of mistakes each of which explains something alone."""
        whole = {names: found for names, found in alone.items() if self.is_complete(found)}
        if whole:
            return self.conclude(whole)
        partly = {names: found for names, found in alone.items() if tell(found)}
        whole = {names: found for names, found in partly.items() if not self.rest(names, found)}
        only = self.conclude(whole)
        if only:
            return only
        if self.is_like is is_resembled:  # a part of the numbers of a few probes is too little
            least = MOSTLY * sum(map(wrong_in_itself, self.failing))
            partly = {names: found for names, found in partly.items() if len(found) >= least}
        for first in sorted(partly, key=lambda names: -len(partly[names])):
            both = self.conclude(self.pairs_with(first, partly[first]))
            if both:
                return both
        most = one_of(self.exercise, those_that_explain_most(partly))
        return self.beside(*most, subject) if most else None

    def beside(self, names: Names, explained: list[Record], subject: Subject) -> Diagnosis | None:
        """What to tell of a mistake that explains a part, if another explains another part."""
        left = self.rest(names, explained)
        others = self.single_mistakes(subject, left) if left and not self.is_late() else {}
        apart = {
            other: found
            for other, found in others.items()
            if tell(found) and not any(record in explained for record in found)
        }
        second = one_of(self.exercise, those_that_explain_most(apart))
        if second is None:
            return self.conclude({names: explained})
        return self.conclude({(*names, *second[0]): explained + second[1]})

    def rest(self, names: Names, explained: list[Record]) -> list[Record]:
        """What is wrong and neither explained by these mistakes nor follows from them."""
        return [
            record
            for record in self.failing
            if record not in explained and not only_beside(record)
            if not self.may_follow(names, record)
        ]

    def may_follow(self, names: Names, record: Record) -> bool:
        wrong = self.exam.answer_of(names, record.probe)
        own = self.exam.aspects_of(names, record.probe)
        follows = consequences.follows
        return wrong is not None and bool(own) and follows(record.answer, wrong, record.trial)

    def pairs_with(self, first: Names, explained: list[Record]) -> Found:
        """The pairs of this mistake and a second one that explain all that is wrong.

        Args:
            explained: what the first one explains alone.
        """
        rest = [record for record in self.failing if not self.is_explained(first, record)]
        found: Found = {}
        if not rest:
            return found
        pivot = pivots(rest)[0]
        for second in self.ways:
            names = (*first, second)
            same = self.exercise.mistake(first[0]) is self.exercise.mistake(second)
            if not same and self.is_explained(names, pivot):
                together = self.explained_by(names, self.is_explained)
                if self.is_complete(together) and certain(rest):
                    found[names] = together
            if self.is_late():
                break
        return found

    def conclude(self, found: Found) -> Diagnosis | None:
        """The Diagnosis if only one thing was found, and None otherwise."""
        only = one_of(self.exercise, found)
        if only is None:
            return None
        names, explained = only
        names = names if len(names) == 1 else tuple(sorted(names, key=self.turn))
        mistakes = tuple(self.exercise.mistake(name) for name in names)
        places = tuple(self.best_place(name, explained) for name in names)
        own = {
            aspect
            for name in names
            for record in explained
            for aspect in self.exam.aspects_of((name,), record.probe)
        }
        beside = BESIDES if self.is_like is is_explained else BESIDES | STATE
        besides = {
            difference.aspect: (record, difference)
            for record in reversed(self.failing)
            for difference in reversed(record.found)
            if difference.aspect in beside and difference.aspect not in own
        }
        before = None if self.is_complete(explained) else self.before(names)
        return Diagnosis(mistakes, places, tuple(besides.values()), before)

    def turn(self, way: str) -> tuple[int, int]:
        """When a mistake is told: what it breaks counts first, and then where it is made."""
        return self.first_broken_by((way,)), first_line_of(self.exercise, way)

    def first_broken_by(self, names: Names) -> int:
        """The number of the first promise that breaks, among those that are broken."""
        return min(
            (
                promised(self.exercise, record, aspect)
                for record in self.failing
                for name in names
                for aspect in self.exam.aspects_of((name,), record.probe)
            ),
            default=len(self.exercise.properties),
        )

    def before(self, names: Names) -> tuple[Record, Difference] | None:
        """The first thing that is wrong, if it comes before all that these mistakes break."""
        number, place = min(
            (
                (promised(self.exercise, record, difference.aspect), (record, difference))
                for record in self.failing
                for difference in record.found
            ),
            key=lambda each: each[0],
        )
        return place if number < self.first_broken_by(names) else None

    def best_place(self, name: str, explained: list[Record]) -> Record:
        """The record in which to show a mistake: the first with numbers in it."""
        shown = [r for r in explained if self.exam.aspects_of((name,), r.probe)] or explained
        return next((record for record in shown if telling(record)), shown[0])

    def explained_by(
        self, names: Names, explains: Callable[[Names, Record], bool] | None = None
    ) -> list[Record]:
        """The failing records that the mistakes explain; none if they are contradicted."""
        explains = explains or self.explains
        explained = [record for record in self.failing if explains(names, record)]
        if explained and any(self.exam.aspects_of(names, record.probe) for record in self.right):
            return []
        return explained

    def explains(self, names: Names, record: Record) -> bool:
        return self.is_answer_of(names, record, self.is_like)

    def is_explained(self, names: Names, record: Record) -> bool:
        return self.is_answer_of(names, record, is_explained)

    def is_answer_of(self, names: Names, record: Record, is_like: IsLike) -> bool:
        wrong = self.exam.answer_of(names, record.probe)
        own = self.exam.aspects_of(names, record.probe)
        return wrong is not None and is_like(
            record.answer, wrong, own, record.trial, record.expected
        )

    def is_complete(self, explained: list[Record]) -> bool:
        """Do these records hold all that is wrong, but for what would stay to be seen beside it?"""
        return all(record in explained or only_beside(record) for record in self.failing)

    def is_late(self) -> bool:
        return time.perf_counter() > self.deadline


def only_beside(record: Record) -> bool:
    return all(difference.aspect in BESIDES for difference in record.found)


def wrong_in_itself(record: Record) -> bool:
    """Is there more wrong than what may stand beside a mistake?"""
    return any(difference.aspect not in BESIDES | STATE for difference in record.found)


def as_coarse_as_it_is(record: Record) -> Record:
    """The record of an answer in too coarse a dtype, with what is wrong but for its rounding: that
    hides no mistake."""
    if all(difference.aspect != "dtype" for difference in record.found):
        return record
    found = differences(record.answer, record.expected, record.trial, roughly=True)
    return replace(record, found=found)


def is_explained(
    answer: Answer, wrong: Answer, aspects: set[str], trial: Trial, expected: Answer
) -> bool:
    """Is the learner's answer that of a mistake, which shows in these aspects?"""
    allowed = [aspect for aspect in BESIDES if aspect not in aspects]
    found = each_difference(answer, wrong, trial, roughly=True)
    return bool(aspects) and all(difference.aspect in allowed for difference in found)


def is_resembled(
    answer: Answer, wrong: Answer, aspects: set[str], trial: Trial, expected: Answer
) -> bool:
    """Is it, wherever both have numbers?"""
    return bool(aspects) and consequences.resembles(answer, wrong, trial, expected)


def pivots(failing: list[Record]) -> list[Record]:
    """The failing records that tell most for the least work, of different properties."""
    chosen = {}
    for record in sorted(failing, key=how_late):
        chosen.setdefault(record.promise.name, record)
    return list(chosen.values())[:PIVOTS]


def how_late(record: Record) -> tuple[bool, bool, int]:
    """What is wrong beside the numbers comes last: it must not hide what is wrong with them."""
    return only_beside(record), not telling(record), record.trial.cost


def promised(exercise: Exercise, record: Record, aspect: str) -> int:
    """The number of the promise that is broken if a record shows something in this aspect."""
    for number, promise in enumerate(exercise.properties):
        if aspect in promise.aspects:
            return number
    return exercise.properties.index(record.promise)


def tell(records: list[Record]) -> bool:
    """Is there something in these records that nobody gets by chance: an array of numbers, or
    several single ones?"""
    numbers = {
        number
        for record in records
        for x in wrong_numbers(record)
        if x.is_floating_point()
        for number in x.tolist()
    }
    return len(numbers) >= consequences.ENOUGH or any(map(telling, records))


def telling(record: Record) -> bool:
    """Is there an array in this record that nobody gets by chance?"""
    return any(x.numel() >= consequences.ENOUGH for x in wrong_numbers(record))


def wrong_numbers(record: Record) -> Iterator[torch.Tensor]:
    """The different numbers of each array that is wrong."""
    for difference in record.found:
        yours = difference.yours
        if difference.aspect in ("shape", "value", "gradient") and torch.is_tensor(yours):
            yield yours[yours.isfinite()].unique()


def certain(records: list[Record]) -> bool:
    """Is a match of these records no chance? Real numbers and facts are not met by chance; the few
    whole numbers that a search gives, or a mask is made of, now and then are."""
    whole = (torch.int64, torch.int32, torch.bool)
    return any(
        not torch.is_tensor(difference.yours) or difference.yours.dtype not in whole
        for record in records
        for difference in record.found
    )


def those_that_explain_most(found: Found) -> Found:
    most = max(map(len, found.values()), default=0)
    return {names: explained for names, explained in found.items() if len(explained) == most}


def one_of(exercise: Exercise, found: Found) -> tuple[Names, list[Record]] | None:
    """The (names, records) of the only mistake found; None if there is none, or if it could be one
    or the other."""
    made = [[exercise.mistake(name) for name in names] for names in found]
    kinds = {frozenset(mistake.mathematics for mistake in pair) for pair in made}
    return next(iter(found.items())) if len(kinds) == 1 else None
