"""Which sealed mistake was made? The learner's code answers the questions that are the same in
every check, and the sketches are looked at beside its answers."""

from __future__ import annotations

from dataclasses import replace

from .. import diagnose
from ..compare import Difference, differences
from ..diagnose import Diagnosis, Record
from ..exam import Exam
from ..subject import Subject
from ..trial import Answer, Probe


class Beside(Exam):
    """The exam that is the same in every check, beside somebody's answers to it."""

    def __init__(self, always: Exam, subject: Subject):
        super().__init__(always.exercise, always.seed, always.device)
        self.drawn, self.subject = always.drawn, subject
        self.records = {record.probe: record for record in self.asked()}

    @property
    def always(self) -> Exam:
        return self

    def asked(self) -> list[Record]:
        """What is answered to all of its questions."""
        records = []
        for (promise, probe, trial, right), answer in self.subject.answers(self.questions()):
            found = differences(answer, right, trial)
            records.append(Record(promise, probe, trial, answer, right, found))
        return records

    def answer_of(self, ways: tuple[str, ...], probe: Probe) -> Answer | None:
        """What a mistake answers, as far as it can be told; what two do together is not known."""
        [way] = ways if len(ways) == 1 else [""]
        sealed = self.exercise.sealed
        if sealed is None or way not in sealed.ways:
            return None
        if (ways, probe) not in self.answers:
            record, known = self.records[probe], sealed.ways[way]
            wrong = record.expected
            if probe.__name__ in known.shows:
                sketch = known.sketch(probe.__name__)
                wrong = sketch.beside(record.answer, record.expected, record.trial)
            self.answers[ways, probe] = wrong
        return self.answers[ways, probe]

    def aspects_of(self, ways: tuple[str, ...], probe: Probe) -> set[str]:
        [way] = ways if len(ways) == 1 else [""]
        sealed = self.exercise.sealed
        known = sealed.ways.get(way) if sealed else None
        return known.shows.get(probe.__name__, set()) if known else set()


def diagnosed(exam: Exam, subject: Subject, records: list[Record], patience: float) -> Diagnosis:
    """The Diagnosis of a check's records by sealed mistakes; what is shown of it is what is seen in
    these records, as far as it is seen there."""
    beside = Beside(exam.always, subject)
    same = list(beside.records.values())
    if not any(record.found for record in same):
        return Diagnosis()
    found = diagnose.diagnose(beside, subject, same, patience)
    here = {record.probe: record for record in records if record.found}
    return replace(
        found,
        places=tuple(here.get(place.probe, place) for place in found.places),
        besides=tuple(seen_here(*each, here) for each in found.besides),
        before=None if found.before is None else seen_here(*found.before, here),
    )


def seen_here(
    record: Record, difference: Difference, here: dict[Probe, Record]
) -> tuple[Record, Difference]:
    """The same difference in another record of the same probe, if it is seen there."""
    other = here.get(record.probe, record)
    for each in other.found:
        if (each.aspect, each.name) == (difference.aspect, difference.name):
            return other, each
    return record, difference
