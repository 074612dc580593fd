"""The report as one page of HTML.

The HTML is in templates/, a section each; here is what templates can't work out: numbers, words,
and how tall a bar is. Learners' names and words may be hostile. Templates escape all that they are
given, and `page` marks the characters that would change what is around them.
"""

import re
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from ...engine.course import current
from ...engine.repairs.mend import KINDS
from ...notebooks.characters import marked
from .shown import MOST_GROUPS

BINS = 10
FEW_NAMES = 12
TO_TALK_ABOUT = 3


def page(facts):
    """The whole page."""
    exact = [item for item in facts.exercises if item.points]
    others = beside_exercises(facts)
    sections = [
        ("monday", "What to talk about on Monday", True),
        ("points", "Points", facts.points and facts.most),
        ("exercises", "Exercises", exact or others),
        ("misconceptions", "Misconceptions", facts.misconceptions),
        ("unnamed", "Wrong without a name", facts.unnamed or facts.ungrouped),
        ("by-hand", "To be graded by hand", facts.waiting),
        ("looks", "Who needs a look", facts.points),
        ("similar", "Near-identical submissions", facts.compared > 1),
        ("grading", "How it was graded", facts.timing or facts.protections),
    ]
    html = TEMPLATES.get_template("report.html.j2").render(
        facts=facts,
        sections={name: title for name, title, there in sections if there},
        full=sum(points >= facts.most for points in facts.points.values()),
        waiting=len({student for item in facts.waiting for student in item.waiting}),
        talk=[found for found in facts.misconceptions if len(found.students) > 1][:TO_TALK_ABOUT],
        drawing=drawing(list(facts.points.values()), facts.most),
        exact=exact,
        others=others,
        looks=by_reasons(facts.looks),
        few=FEW_NAMES,
        shown=facts.unnamed[:MOST_GROUPS],
        left=facts.unnamed[MOST_GROUPS:],
        kinds=KINDS,
    )
    return marked(html)


# --- What sections show ---------------------------------------------------------------------------


def beside_exercises(facts):
    """(what it is, Item) of what else earns points."""
    labels = {"question": "In words"}
    labels |= {call.kind: call.label for call in current().points_calls()}
    graded = [item for item in facts.items if item.kind in labels and item.points]
    return [(labels[item.kind], item) for item in graded]


def by_reasons(looks):
    """(reasons, students): those with the same reasons together."""
    pairs = sorted(looks.items(), key=lambda pair: (-len(pair[1]), pair[1], pair[0]))
    groups = groupby(pairs, key=lambda pair: pair[1])
    return [(reasons, [student for student, _ in group]) for reasons, group in groups]


def drawing(points, most):
    """How many have how many points, and where that is drawn; None if there is nothing to draw."""
    if not points or not most:
        return None
    counts = [0] * BINS
    for each in points:
        counts[min(BINS - 1, max(0, int(each / most * BINS + 1e-9)))] += 1
    width, height, left, top, floor = 700, 238, 10, 26, 185
    right, step = width - left, (width - 2 * left) / BINS
    edges = [most * number / BINS for number in range(BINS + 1)]
    bars = []
    for number, count in enumerate(counts):
        tall = (floor - top) * count / max(counts)
        drawn = {
            "x": left + number * step + 3,
            "y": floor - tall,
            "width": step - 6,
            "height": tall,
            "middle": left + (number + 0.5) * step,
            "above": floor - tall - 6,
        }
        low, high = edges[number : number + 2]
        rounded = {name: round(value, 1) for name, value in drawn.items()}
        bars.append({"low": low, "high": high, "count": count} | rounded)
    places = [min(max(left + number * step, left + 8), right - 12) for number in range(BINS + 1)]
    return {
        "width": width,
        "height": height,
        "left": left,
        "right": right,
        "floor": floor,
        "bars": bars,
        "edges": [(round(float(x), 1), edge) for x, edge in zip(places, edges)],
    }


# --- Words, as templates ask for them -------------------------------------------------------------


def pieces(text):
    """The text cut where `code` begins and ends: every second piece is code."""
    found = str(text).split("`")
    return found if len(found) % 2 else [text]


def joints(name):
    """The parts of a name between which it may be broken."""
    return re.split(r"(?<=[._])", str(name))


def listed(names):
    """Some names, and how many more there are."""
    more = f" and {len(names) - FEW_NAMES} more" if len(names) > FEW_NAMES else ""
    return ", ".join(names[:FEW_NAMES]) + more


def counted(number, thing):
    return f"{number} {thing}{'' if number == 1 else 's'}"


def amount(points):
    """Points without needless digits."""
    return f"{points:.1f}".removesuffix(".0")


def percent(part, whole):
    return f"{100 * part / whole:.0f}" if whole else "0"


def duration(seconds):
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


TEMPLATES = Environment(
    loader=PackageLoader(__name__.rpartition(".")[0]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {
    each.__name__: each for each in (pieces, joints, listed, counted, amount, percent, duration)
}
