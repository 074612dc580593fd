"""What kind of mistake is it, where none that is known explains an answer?

Nothing here knows what an exercise is about. The learner's code and the model answer are asked
again, with something changed; where the one keeps a rule that the other breaks, that is told.

asking     asks more than a check does, and not without end
others     what to change an argument into
repeats    is it random? does it depend on what was asked before?
as_if      is it the right answer to another question?
parts      which parts of a module are used, and for what?
reach      what changes an answer, and what should?
sizes      is it right for one size only?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..compare import Difference
from ..diagnose import Record, pivots
from ..exam import Exam
from ..subject import Subject
from ..symptoms import Seen
from ..symptoms.explain import with_inputs
from .as_if import another_question
from .asking import Asking, Budgets, SpentError
from .parts import unused_part
from .reach import along_dimensions, argument_without_effect, right_without
from .repeats import right_alone, same_call_twice
from .sizes import right_for_one_size

LEAST = 30  # calls that may always be asked for: a function is quick

Kind = Callable[[Asking], str | None]

# In which order they are looked for: what makes all else meaningless comes first.
OF_NUMBERS: tuple[Kind, ...] = (
    same_call_twice,
    right_alone,
    unused_part,
    another_question,
    argument_without_effect,
    along_dimensions,
    right_for_one_size,
    right_without,
)
OF_ERRORS: tuple[Kind, ...] = (right_alone, right_for_one_size, right_without)
OF_PARTS: tuple[Kind, ...] = (right_for_one_size,)
OF_GRADIENTS: tuple[Kind, ...] = (unused_part, same_call_twice)
KINDS = {
    "value": OF_NUMBERS,
    "not finite": OF_NUMBERS,
    "shape": OF_ERRORS,
    "error": OF_ERRORS,
    "names": OF_PARTS,
    "gradient": OF_GRADIENTS,
    "absent": OF_ERRORS,
    "fact": (same_call_twice,),
}


def kind_of(
    exam: Exam,
    subject: Subject,
    records: list[Record],
    record: Record,
    difference: Difference,
    coarse: bool = False,
) -> str | None:
    """A sentence on the kind of mistake; None if it is none of those that are looked for.

    Args:
        records: of the whole check, which says how much more may be asked.
        record, difference: what is told to be wrong.
        coarse: is it only that digits were lost, as it looks?
    """
    most = max(LEAST, sum(each.trial.cost for each in records))
    budgets = Budgets(most)
    for each, name, aspect in places(records, record, difference):
        asking = Asking(exam, subject, each, name, budgets)
        if not asking.is_precise:
            continue
        for look in (same_call_twice,) if coarse else KINDS.get(aspect, ()):
            try:
                said = look(asking)
            except SpentError:  # others may be cheaper
                continue
            if said and each is not record:
                seen = Seen(exam.exercise, each.trial, each.answer, each.expected)
                said = with_place(said, with_inputs(seen, asking.number))
            if said:
                return said
    return None


def with_place(said: str, inputs: str) -> str:
    """A sentence and what was called, in brackets: inside the sentence, or behind a question."""
    if said.endswith("?"):
        return f"{said} ({inputs[1].upper()}{inputs[2:-1]}.)"
    return f"{said[:-1]} {inputs}{said[-1]}"


def places(
    records: list[Record], record: Record, difference: Difference
) -> Iterator[tuple[Record, str, str]]:
    """(record, name of an array, aspect): what is told first, and then what tells most."""
    yield record, difference.name, difference.aspect
    for other in pivots([each for each in records if each.found and each is not record]):
        yield other, other.found[0].name, other.found[0].aspect
