"""A map of all exercises: done, tried, not yet, points, and the next step."""

import html
import sys
from dataclasses import dataclass

from autograder.doors.notebook import notebook_shell
from course.checks import LESSONS, exercises_of

from . import given, work
from .mine import from_file

MARKS = {"done": "●", "tried": "◐", "not yet": "○"}


@dataclass(frozen=True)
class Row:
    """How far one exercise is."""

    exercise: str
    state: str
    points: int
    of: int
    tries: int


def given_lessons():
    """The lessons that there are: a students' edition may have some of them."""
    there = given.lessons().values()
    return [lesson for lesson in LESSONS if lesson in there]


def rows():
    """A Row for every exercise, in the order of the course."""
    place = work.folder()
    known = work.records(place) if place else {}
    found = []
    for lesson in given_lessons():
        for exercise in exercises_of(lesson):
            record = known.get(exercise.id, {})
            best, tries = record.get("best", 0), record.get("tries", 0)
            if from_file(exercise)[0] is not None:
                best = exercise.max_score
            state = "done" if best == exercise.max_score else "tried" if tries else "not yet"
            found.append(Row(exercise.id, state, best, exercise.max_score, tries))
    return found


def next_step(found):
    """A sentence: what to do now."""
    for row in found:
        if row.state != "done":
            module, _, name = row.exercise.partition(".")
            number = 1 + LESSONS.index(module)
            return (
                f"Next: {name}, in notebooks/{number:02}_{module}.ipynb or exercises/{module}.py."
            )
    return "Everything is done: you have built the Transformer, and what came after."


def as_text(found):
    """The map for a terminal."""
    lines = []
    for lesson in given_lessons():
        own = [row for row in found if row.exercise.startswith(f"{lesson}.")]
        points, of = sum(row.points for row in own), sum(row.of for row in own)
        lines.append(f"{1 + LESSONS.index(lesson)} · {lesson}   {points} of {of} points")
        for row in own:
            name = row.exercise.partition(".")[2]
            times = "once" if row.tries == 1 else f"{row.tries} times"
            tries = f" {times}" if row.state == "tried" else ""
            lines.append(
                f"  {MARKS[row.state]} {name:<30} {row.points:>2} of {row.of:>2}  "
                f"{row.state}{tries}"
            )
    done = sum(row.state == "done" for row in found)
    lines += [f"{done} of {len(found)} exercises are done.", next_step(found)]
    return "\n".join(lines)


def as_html(found):
    """The map for a notebook."""
    left = "style='text-align:left'"
    blocks = []
    for lesson in given_lessons():
        own = [row for row in found if row.exercise.startswith(f"{lesson}.")]
        points, of = sum(row.points for row in own), sum(row.of for row in own)
        cells = "".join(
            f"<tr><td>{MARKS[row.state]}</td>"
            f"<td {left}><code>{html.escape(row.exercise)}</code></td>"
            f"<td {left}>{row.state}</td><td>{row.points} of {row.of}</td></tr>"
            for row in own
        )
        title = f"{1 + LESSONS.index(lesson)} · {lesson}"
        head = f"<tr><th></th><th {left} colspan=2>{title}</th><th>{points} of {of}</th></tr>"
        blocks.append(f"<tbody>{head}{cells}</tbody>")
    return (
        f"<p><strong>{html.escape(next_step(found))}</strong></p><table>{''.join(blocks)}</table>"
    )


def show_progress():
    """The map, in a notebook as a table."""
    found = rows()
    if notebook_shell():
        from IPython.display import display

        display({"text/html": as_html(found), "text/plain": as_text(found)}, raw=True)
    else:
        print(as_text(found))


def main():
    """`autograder progress`"""
    if work.folder() is None:
        print(
            "There is no folder exercises/ here, so this is the map without your points. Go to the "
            "course's own folder, or make one: `autograder lessons DIR`.",
            file=sys.stderr,
        )
    print(as_text(rows()))
    return 0
