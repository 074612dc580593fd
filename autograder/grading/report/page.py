"""The report as one page of HTML that needs nothing else: no script, no font, no picture from afar.

Learners' names and words may be hostile: everything goes through `said`. Colours never say anything
alone; what is drawn is written in numbers as well. It can be printed, and read aloud.
"""

import re
from html import escape
from itertools import groupby

from ...engine.course import current
from ...notebooks.characters import marked

BINS = 10
FEW_NAMES = 12
TO_TALK_ABOUT = 3
ASSERTS = '<span class="quiet">by asserts that learners can reach</span>'

STYLE = """
:root { color-scheme: light dark; --text: #1d2733; --quiet: #5a6675; --page: #fff; --box: #f4f6f8;
  --line: #d5dbe2; --bar: #0b6fa4; --warn: #a8480a; --link: #0a5d8c; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e9ee; --quiet: #a3afbc; --page: #14191f;
  --box: #1d242c; --line: #38434f; --bar: #4aa8dc; --warn: #f0a35e; --link: #7cc4ee; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 60rem; color: var(--text);
  background: var(--page); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: .5rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
a { color: var(--link); }
p { margin: .5rem 0; max-width: 46rem; }
.quiet, caption, nav { color: var(--quiet); font-size: .9rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .15rem 1rem; list-style: none; padding: 0; }
.numbers { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; padding: 0; }
.numbers div { background: var(--box); border-radius: .4rem; padding: .6rem .9rem; flex: 1 1 8rem; }
.numbers dt { color: var(--quiet); font-size: .9rem; }
.numbers dd { margin: 0; font-size: 1.5rem; font-weight: 600; line-height: 1.3; }
.numbers small { display: block; font-size: .85rem; font-weight: 400; color: var(--quiet); }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; width: 100%; overflow-wrap: normal; }
caption { text-align: left; padding-bottom: .4rem; }
caption span { display: block; max-width: min(46rem, 100vw - 2.5rem); }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0;
  border-bottom: 1px solid var(--line); }
thead th { font-size: .85rem; color: var(--quiet); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; overflow-wrap: break-word; min-width: 13rem; }
td.wide { min-width: 16rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: .92em/1.4 ui-monospace, monospace; background: var(--box); padding: 0 .25em;
  border-radius: .2em; overflow-wrap: anywhere; }
table code { overflow-wrap: normal; }
blockquote { margin: .4rem 0; padding: .1rem 0 .1rem .9rem; border-left: 3px solid var(--line); }
ol.talk > li { margin: 0 0 1rem; }
.notice { border-left: 3px solid var(--warn); padding-left: .9rem; }
details { margin: .25rem 0; }
summary { cursor: pointer; color: var(--quiet); font-size: .9rem; }
td ul { margin: 0; padding-left: 1.1rem; }
svg { display: block; width: 100%; height: auto; max-width: 46rem; margin: .5rem 0; }
svg text { fill: var(--text); font: 13px system-ui, sans-serif; text-anchor: middle; }
svg text.quiet { fill: var(--quiet); font-size: 13px; }
svg rect { fill: var(--bar); }
svg line { stroke: var(--line); }
.bar { display: inline-block; width: 6rem; height: .7rem; margin: 0; vertical-align: baseline; }
.bar .rest { fill: var(--line); }
@media (max-width: 36rem) { svg text, svg text.quiet { font-size: 22px; } .bar { display: none; }
  tbody th { min-width: 7rem; } td.wide { min-width: 13rem; } }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; --text: #000; --page: #fff;
    --quiet: #444; --box: #f4f6f8; --line: #bbb; --bar: #0b6fa4; --warn: #a8480a;
    --link: #0a5d8c; }
  nav { display: none; } .scroll { overflow: visible; }
  tr, ol.talk > li, svg, .numbers div { break-inside: avoid; } h2, h3 { break-after: avoid; } }
"""


def said(text):
    """Somebody's text, as text."""
    return escape(marked(str(text)), quote=True)


def prose(text):
    """Our own sentences, in which `code` is set as code."""
    pieces = said(text).split("`")
    if len(pieces) % 2 == 0:
        return said(text)
    return "".join(
        f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces)
    )


def page(facts):
    """The whole page."""
    sections = [
        ("What to talk about on Monday", "monday", monday(facts)),
        ("Points", "points", distribution(facts)),
        ("Exercises", "exercises", exercises(facts)),
        ("Misconceptions", "misconceptions", misconceptions(facts)),
        ("To be graded by hand", "by-hand", by_hand(facts)),
        ("Who needs a look", "looks", looks(facts)),
        ("Near-identical submissions", "similar", similar(facts)),
        ("How it was graded", "grading", grading(facts)),
    ]
    sections = [each for each in sections if each[2]]
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for title, name, _ in sections)
    body = "".join(
        f'<section aria-labelledby="{name}"><h2 id="{name}">{title}</h2>{html}</section>\n'
        for title, name, html in sections
    )
    title = f"{said(facts.assignment)}: report on the class"
    course = f" of the course {said(facts.course)}" if facts.course else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{title}</h1>"
        f'<p class="quiet">Assignment {said(facts.assignment)}{course}, as the gradebook had it on '
        f"{facts.when:%Y-%m-%d at %H:%M} UTC. It names learners: keep it where you keep grades."
        f'</p></header>\n<main>\n{headline(facts)}{notices(facts)}<nav aria-label="Sections">'
        f"<ul>{links}</ul></nav>\n{body}</main>\n{footer(facts)}</body>\n</html>\n"
    )


# --- The parts ------------------------------------------------------------------------------------


def headline(facts):
    """The most important numbers."""
    handed = len(facts.points) + len(facts.ungraded)
    missing = f"{len(facts.absent)} handed in nothing" if facts.absent else "everybody we know of"
    full = sum(points >= facts.most for points in facts.points.values())
    of = f"of {amount(facts.most)} points"
    tiles = [
        ("Graded", len(facts.points), f"of {handed} handed in; {missing}"),
        ("Mean", amount(facts.mean), of) if facts.points else None,
        ("Median", amount(facts.median), of) if facts.points else None,
        ("Full marks", full, share_of(full, len(facts.points))) if facts.points else None,
        ("To look at", len(facts.looks), "see below, with the reason") if facts.points else None,
    ]
    inner = "".join(
        f"<div><dt>{title}</dt><dd>{said(value)}<small>{said(note)}</small></dd></div>"
        for title, value, note in filter(None, tiles)
    )
    late = f"{counted(facts.late, 'submission')} lost points for lateness; what is left counts."
    waiting = {student for item in facts.waiting for student in item.waiting}
    open_ = (
        f"<p>{counted(len(waiting), 'submission')} still "
        f"{'has' if len(waiting) == 1 else 'have'} answers that nobody has graded: until then they "
        f"count as 0, in the mean as well.</p>"
        if waiting
        else ""
    )
    return f'<dl class="numbers">{inner}</dl>{f"<p>{late}</p>" if facts.late else ""}{open_}'


def notices(facts):
    texts = list(facts.notices)
    if facts.ungraded:
        some = "is" if len(facts.ungraded) == 1 else "are"
        texts.append(
            f"{counted(len(facts.ungraded), 'submission')} {some} not graded yet "
            f"({listed(facts.ungraded)}): `autograder grade {facts.assignment}` does it."
        )
    return "".join(f'<p class="notice">{prose(text)}</p>' for text in texts)


def monday(facts):
    """What to talk about with the class: the most frequent mistakes, in words."""
    if not facts.points:
        return "<p>Nobody is graded yet.</p>"
    parts = []
    shared = [m for m in facts.misconceptions if len(m.students) > 1]
    for found in shared[:TO_TALK_ABOUT]:
        told = "<p>What they were told, here with the numbers of an example:</p>"
        told += f"<blockquote>{prose(found.says)}</blockquote>"
        ask = f"<p>A nudge for the class: {prose(found.look)}</p>" if found.look else ""
        parts.append(
            f"<li><strong>{said(found.name)}</strong> in {identifier(found.exercise)}: "
            f"{counted(len(found.students), 'learner')} of {found.of} "
            f"({percent(len(found.students), found.of)}).{told if found.says else ''}{ask}</li>"
        )
    if parts:
        return f'<ol class="talk">{"".join(parts)}</ol>'
    hardest = facts.exercises[:1]
    if facts.misconceptions:
        text = "No mistake that the autograder knows was made by more than one learner."
    else:
        text = "No mistake that the autograder knows was made."
    if hardest and hardest[0].share < 1:
        text += (
            f" The hardest exercise was `{hardest[0].name}`: {hardest[0].right} of "
            f"{len(hardest[0].points)} have full marks."
        )
    return f"<p>{prose(text)}</p>"


def distribution(facts):
    """How the points lie, as a drawing and as a table."""
    if not facts.points or not facts.most:
        return ""
    counts = [0] * BINS
    for points in facts.points.values():
        counts[min(BINS - 1, max(0, int(points / facts.most * BINS + 1e-9)))] += 1
    edges = [facts.most * number / BINS for number in range(BINS + 1)]
    ranges = [
        f"{amount(low)} to {'' if last else 'below '}{amount(high)}"
        for low, high, last in zip(edges, edges[1:], [*[False] * (BINS - 1), True])
    ]
    rows = [[text, count] for text, count in zip(ranges, counts)]
    low, high = min(facts.points.values()), max(facts.points.values())
    text = (
        f"Points go from {amount(low)} to {amount(high)} of {amount(facts.most)}; half of the "
        f"class has {amount(facts.median)} or more."
    )
    table_of_it = table("Learners by points", ["Points", "Learners"], rows, numbers=(1,))
    return (
        f"<p>{said(text)}</p>{histogram(counts, edges, text)}"
        f"<details><summary>The same in numbers</summary>{table_of_it}</details>"
    )


def histogram(counts, edges, text):
    """Bars with their numbers, in SVG."""
    width, height, left, top, floor = 700, 238, 10, 26, 185
    step = (width - 2 * left) / len(counts)
    tallest = max(counts)
    parts = []
    for number, count in enumerate(counts):
        tall = (floor - top) * count / tallest
        x, middle = left + number * step, left + (number + 0.5) * step
        if count:
            parts.append(
                f'<rect x="{x + 3:.1f}" y="{floor - tall:.1f}" width="{step - 6:.1f}" '
                f'height="{tall:.1f}"/>'
            )
        parts.append(f'<text x="{middle:.1f}" y="{floor - tall - 6:.1f}">{count or ""}</text>')
    parts.append(f'<line x1="{left}" y1="{floor}" x2="{width - left}" y2="{floor}"/>')
    for number, edge in enumerate(edges):
        x = min(max(left + number * step, left + 8), width - left - 12)
        parts.append(f'<text class="quiet" x="{x:.1f}" y="{floor + 20}">{amount(edge)}</text>')
    parts.append(
        f'<text class="quiet" x="{width / 2}" y="{floor + 46}">points; above each bar, how many '
        f"learners</text>"
    )
    label = said(f"Distribution of points. {text} The numbers are in the table below.")
    box = f'viewBox="0 0 {width} {height}" role="img" aria-label="{label}"'
    return f"<svg {box}>{''.join(parts)}</svg>"


def exercises(facts):
    """What was hard, and what was not."""
    exact = [item for item in facts.exercises if item.points]
    calls = current().points_calls().values()
    labels = {"question": "In words: "} | {call.kind: f"{call.label}: " for call in calls}
    others = [item for item in facts.items if item.kind in labels and item.points]
    html = ""
    if exact:
        rows = [
            [
                identifier(item.name) + (f"<br>{ASSERTS}" if item.kind == "tests" else ""),
                f"{bar(item.right, len(item.points))} {percent(item.right, len(item.points))}",
                f"{amount(item.mean)} of {amount(item.most)}",
                "?" if item.empty is None else item.empty,
                "?" if item.unexplained is None else item.unexplained,
            ]
            for item in exact
        ]
        heads = ["Exercise", "Full marks", "Mean points", "Left empty", "Wrong in its own way"]
        html += table(
            "The hardest first. Wrong in its own way: not right, not empty, and no mistake that "
            "the autograder knows.",
            heads,
            rows,
            numbers=(1, 2, 3, 4),
            made=True,
        )
    if others:
        rows = [
            [
                labels[item.kind] + identifier(item.name),
                f"{bar(item.right, len(item.points))} {percent(item.right, len(item.points))}",
                f"{amount(item.mean)} of {amount(item.most)}",
                len(item.points),
            ]
            for item in others
        ]
        heads = ["Beside the exercises", "Full marks", "Mean points", "Graded"]
        html += table("", heads, rows, numbers=(1, 2, 3), made=True)
    return html


def misconceptions(facts):
    """All mistakes that were recognised."""
    if not facts.misconceptions:
        return ""
    rows = [
        [
            f"{identifier(found.exercise)}<br>{said(found.name)}",
            f"{len(found.students)} of {found.of}",
            (prose(found.says) or '<span class="quiet">Not known to this version.</span>')
            + people(facts, found.students, "Who"),
        ]
        for found in facts.misconceptions
    ]
    return table(
        "Every mistake that was recognised, with how many made it and what such a learner is told; "
        "the numbers in the sentences are those of an example.",
        ["Exercise and mistake", "Learners", "What they were told"],
        rows,
        numbers=(1,),
        made=True,
        wide=(2,),
    )


def by_hand(facts):
    if not facts.waiting:
        return ""
    rows = [
        [identifier(item.name), len(item.waiting), people(facts, item.waiting, "Who")]
        for item in facts.waiting
    ]
    heads = ["Cell", "Waiting", "Learners"]
    return table("Answers that a person has to read.", heads, rows, numbers=(1,), made=True)


def looks(facts):
    """Who, and why; those with the same single reason stand together."""
    if not facts.points:
        return ""
    if not facts.looks:
        tests = any(item.kind == "tests" for item in facts.items)
        asserts = " Nobody was seen to change what asserts rely on." if tests else ""
        nobody = "Nobody: no limit was hit, nothing ready-made used, no file was broken."
        return f"<p>{nobody}{asserts}</p>"
    rows = []
    by_reasons = sorted(facts.looks.items(), key=lambda pair: (-len(pair[1]), pair[1], pair[0]))
    for reasons, group in groupby(by_reasons, key=lambda pair: pair[1]):
        students = [student for student, _ in group]
        items = "".join(f"<li>{said(reason)}</li>" for reason in reasons)
        who = person(facts, students[0])
        if len(students) > 1:
            who = f"{len(students)} learners" + people(facts, students, "Who")
        rows.append([who, f"<ul>{items}</ul>"])
    return table(
        "None of this is a verdict: a limit can be hit by an honest loop.",
        ["Learner", "Why"],
        rows,
        made=True,
        wide=(1,),
    )


HOW_COMPARED = (
    "Compared are the solution cells as Python's tokens: names, literals, comments and layout do "
    "not count, nor what the stub gave, nor what many in the class wrote. Short right answers are "
    "alike by themselves, so little in common never counts, and copies of a short answer are not "
    "found. What is found is a hint to look, and no proof: people who learn together may well "
    "write alike."
)


def similar(facts):
    """Submissions that are nearly the same."""
    if facts.compared < 2:
        return ""
    html = f'<p class="quiet">{said(HOW_COMPARED)}</p>'
    if not facts.groups:
        html += "<p>No two submissions are nearly the same.</p>"
    else:
        rows = []
        for group in facts.groups:
            how = "to the letter" if group.to_the_letter else percent(group.likeness, 1)
            cells = ", ".join(identifier(facts.cells[key]) for key in group.cells)
            who = ", ".join(person(facts, student) for student in group.students)
            rows.append([who, how, cells or "spread over all", group.shared])
        html += table(
            "In common: a share of the shorter one's fingerprints; of the two that are least "
            "alike, where there are more than two.",
            ["Learners", "In common", "The same in", "Fingerprints"],
            rows,
            numbers=(1, 3),
            made=True,
            wide=(2,),
        )
    if facts.models:
        students = sorted(facts.models)
        html += (
            f"<h3>The course's own solution</h3><p>{counted(len(students), 'submission')} "
            f"{'is' if len(students) == 1 else 'are'} nearly the solution in <code>source/</code>."
            f"</p>{people(facts, students, 'Who', open_=len(students) <= FEW_NAMES)}"
        )
    return html


def grading(facts):
    """Time taken, and the protection that learners' code ran with."""
    html, timing = "", facts.timing
    if timing is not None:
        slowest = "; ".join(
            f"{person(facts, student)} {seconds:.1f} s" for student, seconds in timing.slowest
        )
        html += (
            f"<p>{counted(timing.submissions, 'submission')} took {duration(timing.total)} in all, "
            f"half of them at most {timing.median:.2f} s each. The longest: {slowest}. The most "
            f"memory that one took was {timing.memory / 2**20:.0f} MB.</p>"
        )
    if facts.protections:
        rows = [[said(protection), count] for protection, count in facts.protections]
        html += table(
            "What learners' code was shut in with; `autograder doctor` explains the levels.",
            ["Protection", "Submissions"],
            rows,
            numbers=(1,),
            made=True,
        )
    return html


def footer(facts):
    plugins = "autograder.grading.nbgrader.exports"
    return (
        '<footer class="quiet"><h2>Take the grades along</h2><p>In the course\'s folder, '
        "<code>nbgrader export</code> writes them for a spreadsheet, "
        f"<code>nbgrader export --exporter {plugins}.CanvasExport</code> for Canvas, "
        f"<code>nbgrader export --exporter {plugins}.MoodleExport</code> for Moodle.</p></footer>\n"
    )


# --- Pieces ---------------------------------------------------------------------------------------


def table(caption, heads, rows, numbers=(), made=False, wide=()):
    """A table whose first column names its rows.

    Args:
        numbers: columns to be set to the right.
        made: is what stands in the cells HTML already?
        wide: columns that need room.
    """
    styles = dict.fromkeys(numbers, ' class="number"') | dict.fromkeys(wide, ' class="wide"')
    head = "".join(
        f'<th scope="col"{styles.get(number, "")}>{said(text)}</th>'
        for number, text in enumerate(heads)
    )
    body = ""
    for first, *rest in rows:
        first, *rest = (str(x) if made else said(x) for x in (first, *rest))
        cells = "".join(
            f"<td{styles.get(number, '')}>{text}</td>" for number, text in enumerate(rest, start=1)
        )
        body += f'<tr><th scope="row">{first}</th>{cells}</tr>\n'
    title = f"<caption><span>{prose(caption)}</span></caption>" if caption else ""
    return (
        f'<div class="scroll" role="region" aria-label="{said(heads[0])}" tabindex="0">'
        f"<table>{title}<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}</tbody></table></div>"
    )


def identifier(name):
    """A name as code, which may be broken where it has joints."""
    jointed = re.sub("([._])", r"\1<wbr>", said(name))
    return f"<code>{jointed}</code>"


def bar(part, whole):
    """A small bar; the number stands beside it."""
    share = 100 * part / whole if whole else 0
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="rest" width="100" height="10"/><rect width="{share:.0f}" height="10"/></svg>'
    )


def person(facts, student):
    """A learner's name and id; neither can change what stands around it."""
    name = facts.names.get(student)
    shown = f"<bdi>{said(name)}</bdi> " if name else ""
    return f"{shown}<code><bdi>{said(student)}</bdi></code>"


def people(facts, students, title, open_=False):
    inner = ", ".join(person(facts, student) for student in students)
    opened = " open" if open_ else ""
    return f"<details{opened}><summary>{title}</summary>{inner}</details>"


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
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def share_of(part, whole):
    return f"{percent(part, whole)} of the graded"


def duration(seconds):
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
