"""`autograder learn ASSIGNMENT`: from wrong answers of a class, the skeleton of a known mistake.

Of a group of answers that are wrong in the same way, one goes into the bank, and a draft says what
the mistake changes in the model answer, with blanks for the words. Nothing that is there already
is changed, and nothing that is written says who.
"""

import contextlib
import os
import sys
from pathlib import Path

from ...engine.course import current
from ...engine.diff_writer import diff_of
from ...engine.repairs.forwards import wrong_model_answer
from ..nbgrader.classroom import Classroom
from ..nbgrader.scores import standings
from ..trouble import CourseError
from .draft import Draft, Place, draft_of, is_there, section_of, shown, written
from .facts import records_of
from .shown import people_of, shortest
from .unnamed import cells_in, groups_of

WRITTEN, NOTHING, COULD_NOT = 0, 1, 2  # exit codes
NOT_ONES_OWN = {"site-packages", "dist-packages"}


class NothingToLearnError(Exception):
    """There is no such group; says in a sentence why not."""


def main(options):
    """Run the command; gives its exit code."""
    try:
        with contextlib.closing(Classroom(options.course, options.assignment)) as classroom:
            return learn(classroom, options)
    except NothingToLearnError as reason:
        print(reason)
        return NOTHING
    except CourseError as error:
        print(error, file=sys.stderr)
        return COULD_NOT
    except BrokenPipeError:  # nobody reads any more what is said here
        raise
    except OSError as error:
        place = f"{error.filename} cannot be written" if error.filename else "That did not work"
        print(f"{place}: {error.strerror}.", file=sys.stderr)
        return COULD_NOT


def learn(classroom, options):
    kept = records_of(classroom, standings(classroom.session, classroom.row))
    groups = groups_of(kept)
    group = chosen(groups, options, classroom.assignment, kept)
    place = place_for(options.into)
    _, example = shortest(classroom, group, kept, people_of(classroom))
    if example is None:
        raise NothingToLearnError(
            f"No answer of group {group.number} can be shown: the notebooks aren't there any more, "
            f"or their code can't be had without somebody's name."
        )
    exercise = current().find(group.exercise)
    written_down = write(group, exercise, example, place)
    print("\n".join(report(written_down, place, len(groups), nameless(classroom))))
    return WRITTEN


def write(group, exercise, example, place):
    """Put the answer into the bank, and a Draft of the mistake beside it."""
    bank = place.bank(exercise)
    if line := is_there(bank, example):
        there = f"{shown(bank)} already (line {line})"
        raise NothingToLearnError(f"This answer is in {there}: nothing was written.")
    both = wrong_model_answer(exercise, group.likeness)
    diff = diff_of(exercise, *both) if both else []
    answer = written(bank, section_of(group, example, bank))
    draft = written(place.draft(exercise), draft_of(group, exercise, diff))
    return Draft(group, exercise, answer, draft, bool(diff))


def chosen(groups, options, assignment, kept):
    """The group that is meant: the largest, if nothing is said."""
    wanted = exercise_named(options.exercise)
    found = [group for group in groups if wanted in (None, group.exercise)]
    if options.group is not None:
        numbers = ", ".join(str(group.number) for group in found)
        found = [group for group in found if group.number == options.group]
        if not found and numbers:
            there = f"there are: {numbers}"
            raise NothingToLearnError(f"There is no group {options.group} here; {there}.")
    if found:
        return found[0]
    raise NothingToLearnError(why_none(assignment, kept, wanted))


def exercise_named(name):
    if name is None:
        return None
    try:
        return current().find(name).id
    except KeyError as error:
        raise CourseError(error.args[0]) from None


def why_none(assignment, kept, wanted):
    """A sentence on why there is no group."""
    again = f"`autograder grade {assignment} --regrade`"
    if not kept:
        return f"Nothing of {assignment} has a record of how it was graded: {again} makes them."
    of, meant = f"of {wanted} " if wanted else "", [wanted] if wanted else current().ids
    cells = [c for record in kept.values() for c in cells_in(record) if c["exercise"] in meant]
    wrong = [c for c in cells if c["points"] < c["max_points"] and not c["diagnosis"]]
    if any("unnamed" not in cell for cell in wrong):
        return (
            f"The wrong answers {of}without a name were graded by a version that did not note what "
            f"they look like: {again} does."
        )
    return (
        f"There's nothing to learn: every wrong answer {of}that could be tried has a name already."
    )


def place_for(into):
    """Where to write: in a folder that was named, or in the course's own."""
    course = current()
    if into is not None:
        return Place(Path(into), own=False)
    if not (course.bank and course.mistakes):
        raise CourseError(
            f"The course {course.id} has no bank or no known mistakes of its own: say where to "
            f"write with --into FOLDER."
        )
    home = course.folder(course.bank).parent
    installed = NOT_ONES_OWN & set(home.resolve().parts)
    if installed or not os.access(home, os.W_OK) or not home.is_dir():
        why = "is installed there" if installed else "can't be written to"
        raise CourseError(
            f"The course {course.id} {why} ({home}), so nothing is added to it: say where to write "
            f"with --into FOLDER."
        )
    return Place(home)


def nameless(classroom):
    """How many learners there are in the gradebook without a name, and how many in all."""
    students = classroom.book.students
    return sum(not (each.first_name or each.last_name) for each in students), len(students)


def report(draft, place, count, nameless):
    """What was written, and what to do next."""
    group, exercise = draft.group, draft.exercise
    yield (
        f"Group {group.number} of {count}: {group.exercise}, {len(group.students)} of {group.of} "
        f"learners."
    )
    yield ""
    yield f"{draft.bank}: one of their answers, without comments, texts and names."
    unknown, every = nameless
    if unknown:
        yield (
            f"But {unknown} of {every} learners have no name in the gradebook, so nothing but "
            f"their ids could be taken out: look for names yourself."
        )
    if draft.has_diff:
        yield f"{draft.draft}: the mistake, as a diff of the model answer that gives their numbers."
    else:
        yield f"{draft.draft}: the mistake, with a blank for the diff. No small change was found."
    yield ""
    yield "Next:"
    yield (
        "1. Read the answer. It's a learner's code, and once step 4 is done `autograder audit` "
        "runs it as your own, with nothing around it."
    )
    yield "2. Fill in the draft: a name, what happens, where to look. Each … is a blank."
    yield f"3. {place.moves(exercise)}."
    yield f"4. In the bank, write its name where `# expect: unread` stands: {draft.bank}."
    yield f"5. `autograder audit {exercise.id}` says whether it is named, and told from others."
    yield (
        "The course has changed then, so `autograder grade` grades the class again: the mistake "
        "gets its name, and points stay as they are."
    )
