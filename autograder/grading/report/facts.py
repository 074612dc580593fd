"""`autograder report ASSIGNMENT`: what there is to know about a graded class, on one page.

Here the facts are put together, from the gradebook, from the records of grading and from what was
handed in; `page` makes HTML of them.
"""

import contextlib
import inspect
import os
import statistics
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ...engine.course import current
from ...notebooks.plan import asked_of
from ...notebooks.submission import grade_id_of
from .. import records
from ..asserts import forgeable
from ..nbgrader.classroom import Classroom, CourseError
from ..nbgrader.scores import full_name, standings
from .examples import told
from .page import page
from .shown import cells_in_file, graded_file, source_of, unnamed_of
from .similar import like_the_model, near_identical
from .unnamed import Unnamed, cells_in

WRITTEN, COULD_NOT = 0, 2  # exit codes
FOLDER = "reports"


def main(options):
    """Run the command; gives its exit code."""
    try:
        with contextlib.closing(Classroom(options.course, options.assignment)) as classroom:
            facts = facts_of(classroom)
            root = classroom.root
    except CourseError as error:
        print(error, file=sys.stderr)
        return COULD_NOT
    default = root / FOLDER / f"{options.assignment.replace(os.sep, '_')}.html"
    path = Path(options.output) if options.output else default
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, page(facts))
    except OSError as error:
        print(f"{path} cannot be written: {error.strerror}.", file=sys.stderr)
        return COULD_NOT
    print(f"{path}: {facts.headline}")
    return WRITTEN


def write(path, text):
    """The file is there as a whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


# --- The facts ------------------------------------------------------------------------------------


@dataclass
class Misconception:
    """A mistake that learners of this class made.

    Args:
        says, look: what they were told, with the numbers of an example; "" if that is not known.
        students: who.
        of: how many were looked at.
    """

    exercise: str
    diagnosis: str
    says: str
    look: str
    students: list[str]
    of: int

    @property
    def name(self):
        return self.diagnosis.replace("_", " ")


@dataclass
class Item:
    """Something that earns points: an exercise, a quiz, a question.

    Args:
        kind: "exercise", "question" (a person grades it), "tests" (asserts of a cell), or that of
            one of the course's calls.
        points: of all, the lowest first.
        empty: how many left it as it was; None if that cannot be known.
        unexplained: how many are wrong in a way of no known kind.
        untried: how many could not be tried to the end: no such name, stopped, or ended. What is
            wrong with these is known to nobody: it may be the consequence of something else.
        ungrouped: how many of the unexplained come from records that do not say what they look
            like, nor whether they could be tried.
        waiting: who is still to be graded by hand.
    """

    name: str
    kind: str
    most: float
    points: list[float]
    empty: int | None = None
    unexplained: int | None = None
    untried: int | None = None
    ungrouped: int = 0
    waiting: list[str] = field(default_factory=list)

    @property
    def mean(self):
        return statistics.fmean(self.points) if self.points else 0.0

    @property
    def share(self):
        """Mean points as a share of what it is worth."""
        return self.mean / self.most if self.most else 0.0

    @property
    def right(self):
        return sum(points >= self.most for points in self.points)


@dataclass
class Timing:
    """What grading took, of those of whom that was recorded: seconds and bytes."""

    submissions: int
    total: float
    median: float
    slowest: list[tuple[str, float]]
    memory: int


@dataclass
class Facts:
    """All that the page says.

    Args:
        names: {student: name}, for those who have one.
        points: {student: points} of all who are graded.
        ungraded: who handed in and is not graded.
        absent: who is in the gradebook and handed in nothing.
        looks: {student: reasons} to look at a submission.
        groups: of near-identical submissions.
        models: {student: share} who wrote nearly the course's own solution, or its stand-bys.
        cells: {(notebook, cell): its name} of what was compared, of so many submissions.
        unnamed: groups of answers that are wrong in the same way, for which there is no name.
        notices: about the grading as a whole.
        protections: [(protection, how many)], the most frequent first.
    """

    assignment: str
    course: str
    when: datetime
    most: float
    names: dict[str, str]
    points: dict[str, float]
    late: int
    ungraded: list[str]
    absent: list[str]
    items: list[Item]
    misconceptions: list[Misconception]
    unnamed: list[Unnamed]
    looks: dict[str, list[str]]
    groups: list
    models: dict[str, float]
    cells: dict[tuple[str, str], str]
    compared: int
    timing: Timing | None
    protections: list[tuple[str, int]]
    notices: list[str]

    @property
    def mean(self):
        return statistics.fmean(self.points.values()) if self.points else 0.0

    @property
    def median(self):
        return statistics.median(self.points.values()) if self.points else 0.0

    @property
    def ungrouped(self):
        return sum(item.ungrouped for item in self.items)

    @property
    def waiting(self):
        return [item for item in self.items if item.waiting]

    @property
    def exercises(self):
        """The hardest first."""
        found = [item for item in self.items if item.kind in ("exercise", "tests")]
        return sorted(found, key=lambda item: item.share)

    @property
    def headline(self):
        if not self.points:
            return "nobody is graded yet."
        return (
            f"{len(self.points)} graded, mean {self.mean:.1f} and median {self.median:.1f} of "
            f"{self.most:g} points, {len(self.looks)} to look at."
        )


def facts_of(classroom):
    """The Facts about an assignment."""
    graded = standings(classroom.session, classroom.row)
    plans = classroom.plans()
    kept = records_of(classroom, graded)
    handed = {each.student: each for each in classroom.handed_in()}
    enrolled = {student.id: student for student in classroom.book.students}
    template = template_of(plans)
    sources = sources_of(classroom, graded, template)
    groups = near_identical(sources, template)
    seen = {(s, c["grade_id"]): c for s, r in kept.items() for c in cells_in(r)}
    return Facts(
        assignment=classroom.assignment,
        course=classroom.directory.course_id,
        when=datetime.now(UTC),
        most=classroom.row.max_score,
        names=names_of(enrolled),
        points={student: standing.points for student, standing in graded.items()},
        late=sum(standing.penalty > 0 for standing in graded.values()),
        ungraded=sorted(set(handed) - set(graded)),
        absent=sorted(set(enrolled) - set(graded) - set(handed)),
        items=items_of(graded, plans, seen, sources, template),
        misconceptions=misconceptions_of(kept),
        unnamed=unnamed_of(classroom, kept),
        looks=looks_of(graded, kept),
        groups=groups,
        models=like_the_model(sources, template, stand_bys_of(template))
        | like_the_model(sources, template, models_of(classroom, template)),
        cells={key: key[1] for key in template},
        compared=len(sources),
        timing=timing_of(kept),
        protections=Counter(
            protection for record in kept.values() for protection, _ in protections_of(record)
        ).most_common(),
        notices=notices_of(classroom, graded, kept, plans),
    )


def records_of(classroom, graded):
    """{student: the newest record} of those who are graded, with the notebooks that there are: one
    may have been renamed since."""
    kept, there = newest(classroom.root, classroom.assignment), classroom.notebooks.keys()
    return {
        student: record
        | {"notebooks": {n: x for n, x in record["notebooks"].items() if n in there}}
        for student, record in kept.items()
        if student in graded
    }


def template_of(plans):
    """{(notebook, cell): text} of the cells for solutions, as they were handed out."""
    return {
        (name, cell.grade_id): cell.source
        for name, plan in plans.items()
        for cell in plan.cells
        if cell.solution and cell.cell_type == "code"
    }


def names_of(students):
    """{student: name}, for those who have one.

    Args:
        students: {student: row}
    """
    names = {student: full_name(row.first_name, row.last_name) for student, row in students.items()}
    return {student: name for student, name in names.items() if name and name != student}


def newest(root, assignment):
    """{student: record}, without notebooks that were not there the last time."""
    found = {}
    for student, record in records.latest(root, assignment).items():
        missing = set(record.get("missing", ()))
        notebooks = {n: about for n, about in record["notebooks"].items() if n not in missing}
        with contextlib.suppress(KeyError, TypeError, AttributeError):  # not as we write them
            checked = {name: about | whole(about) for name, about in notebooks.items()}
            found[student] = record | {"notebooks": checked}
    return found


def whole(about):
    """What the report needs of one notebook's record; KeyError if it is not there."""
    kept = {name: about[name] for name in ("seconds", "memory", "events", "troubles", "level")}
    names = ("grade_id", "exercise", "points", "max_points", "diagnosis", "shortcut")
    cells = [{name: cell[name] for name in names} | new_in(cell) for cell in about["cells"]]
    return kept | {"cells": cells}


def new_in(cell):
    """What records do not say of old."""
    return {name: cell[name] for name in ("unnamed",) if name in cell}


def protections_of(record):
    return {(n.get("protection", ""), n.get("level", 0)) for n in record["notebooks"].values()}


def sources_of(classroom, students, template):
    """{student: {(notebook, cell): text}} of the solution cells, as they were graded."""
    found = {}
    notebooks = {name for name, _ in template}
    for student in students:
        texts = {}
        for notebook in notebooks:
            path = graded_file(classroom, student, notebook)
            texts |= cells_of(path, notebook, template) if path else {}
        found[student] = texts
    return found


def cells_of(path, notebook, template):
    """{(notebook, cell): text} of one file's solution cells; nothing if it cannot be read."""
    cells = cells_in_file(path)
    named = (((notebook, grade_id_of(cell)), cell) for cell in cells)
    return {key: source_of(cell) for key, cell in named if key in template}


def models_of(classroom, template):
    """{(notebook, cell): text} of the instructor's own solutions, as far as they are there."""
    folder = classroom.path(classroom.directory.source_directory, ".")
    found = {}
    for notebook in {name for name, _ in template}:
        found |= cells_of(folder / f"{notebook}.ipynb", notebook, template)
    return found


def stand_bys_of(template):
    """{(notebook, cell): text} of the course's stand-bys for what the cells ask for."""
    course = current()
    names = {key: key[1] for key in template if course.stand_bys and key[1] in course.lesson_of}
    return {key: inspect.getsource(course.stand_by(name)) for key, name in names.items()}


def items_of(graded, plans, seen, sources, template):
    """An Item for all that earns points, in the notebooks' order."""
    items = []
    for notebook, plan in plans.items():
        for cell in plan.cells:
            if cell.points is None:
                continue
            key = notebook, cell.grade_id
            scores = {s: st.cells[key] for s, st in graded.items() if key in st.cells}
            waiting = sorted(s for s, score in scores.items() if score.waits)
            points = sorted(score.points for score in scores.values() if not score.waits)
            item = Item(*name_and_kind(cell), cell.points, points, waiting=waiting)
            items.append(item)
            place = plan.answered_in(cell.grade_id)
            place = place and (notebook, place.grade_id)
            if item.kind != "exercise":
                continue
            empty = set()
            if place in template and any(sources.values()):
                untouched = template[place].strip()
                empty = {s for s in scores if sources[s].get(place, untouched).strip() == untouched}
                item.empty = len(empty)
            mine = {s: seen[s, cell.grade_id] for s in scores if (s, cell.grade_id) in seen}
            if mine:
                count(item, [about for student, about in mine.items() if student not in empty])
    return items


def count(item, cells):
    """How many answers are wrong in their own way, as the records of a check's cell say."""
    wrong = [c for c in cells if c["points"] < c["max_points"] and not c["diagnosis"]]
    untried = sum(cell.get("unnamed") == {} for cell in wrong)
    item.unexplained = len(wrong) - untried
    item.ungrouped = sum("unnamed" not in cell for cell in wrong)
    item.untried = None if item.ungrouped else untried


def name_and_kind(cell):
    """What a scored cell is called here, and what it is."""
    if not cell.is_checked:
        return cell.grade_id, "question"
    asked = asked_of(cell.source)
    if asked is None:
        return cell.grade_id, "tests"
    if asked.exercise is not None:
        return asked.exercise.id, "exercise"
    return cell.grade_id, asked.kind


def misconceptions_of(kept):
    """What learners got wrong in a way that is known; the most frequent first."""
    made, of = defaultdict(set), defaultdict(set)
    for student, record in kept.items():
        for cell in cells_in(record):
            of[cell["exercise"]].add(student)
            for diagnosis in cell["diagnosis"]:
                made[cell["exercise"], diagnosis].add(student)
    found = [
        Misconception(
            exercise, diagnosis, *told(exercise, diagnosis), sorted(who), len(of[exercise])
        )
        for (exercise, diagnosis), who in made.items()
    ]
    return sorted(found, key=lambda m: (-len(m.students), m.exercise, m.diagnosis))


def looks_of(graded, kept):
    """{student: reasons} for those whose submission somebody should look at."""
    best = max((level for r in kept.values() for _, level in protections_of(r)), default=0)
    found = defaultdict(list)
    for student, standing in graded.items():
        reasons = found[student]
        record = kept.get(student)
        for notebook in record["notebooks"].values() if record else ():
            reasons += [f"In the sandbox: {event}." for event in unique(notebook["events"])]
            reasons += [f"Handed in: {trouble}" for trouble in unique(notebook["troubles"])]
        if record:
            names = unique(
                c["exercise"] or c["grade_id"] for c in cells_in(record) if c["shortcut"]
            )
            if names:
                reasons.append(
                    f"A ready-made version, or the course's own, did the work: {', '.join(names)}."
                )
            reasons += [
                f"Graded with less protection than others: {protection}."
                for protection, level in sorted(protections_of(record))
                if level < best
            ]
            if record.get("missing"):
                reasons.append(f"Not handed in: {', '.join(unique(record['missing']))}.")
                if record.get("others"):
                    reasons.append(f"In its place, perhaps: {', '.join(unique(record['others']))}.")
        for (_, name), score in standing.cells.items():
            if hides(score):
                reasons.append(
                    f"{name}: the {score.by_hand:g} points given by hand hide "
                    f"{score.automatic:g} given automatically."
                )
    return {student: reasons for student, reasons in sorted(found.items()) if reasons}


def hides(score):
    """Does a person's score hide another one?"""
    if score.by_hand is None or score.automatic is None:
        return False
    return abs(score.by_hand - score.automatic) > 1e-9


def unique(texts):
    return list(dict.fromkeys(map(str, texts)))


def timing_of(kept):
    """What grading took."""
    seconds: dict[str, float] = {
        student: sum(notebook["seconds"] for notebook in record["notebooks"].values())
        for student, record in kept.items()
    }
    if not seconds:
        return None
    slowest = sorted(seconds.items(), key=lambda pair: -pair[1])[:5]
    memory = max((n["memory"] for r in kept.values() for n in r["notebooks"].values()), default=0)
    total = sum(seconds.values())
    return Timing(len(seconds), total, statistics.median(seconds.values()), slowest, memory)


def notices_of(classroom, graded, kept, plans):
    """What there is to say about the grading as a whole."""
    notices = [text] if (text := forgeable(plans.values())) else []
    without = len(graded) - len(kept)
    if without:
        notices.append(
            f"There is no record of how {without} of {len(graded)} submissions were graded: their "
            f"points are counted here, their mistakes, times and limits are not."
        )
    engines = Counter(record.get("engine") for record in kept.values())
    if len(engines) > 1:
        notices.append(
            f"The class was graded by {len(engines)} different versions of the autograder, torch "
            f"or Python. `autograder grade {classroom.assignment} --regrade` makes them one."
        )
    seeds = {record.get("seed") for record in kept.values()}
    if len(seeds) > 1:
        notices.append("Not everybody was asked the same questions: the course's key was changed.")
    return notices + chained(classroom)


def chained(classroom):
    """What is wrong with the records as a whole."""
    try:
        problems = records.look(classroom.root, classroom.assignment).problems
    except (CourseError, OSError):
        return ["The course's key can't be read: whether records were changed isn't known."]
    return [f"The record of grading isn't as it was written. {' '.join(problems)}"] * bool(problems)
