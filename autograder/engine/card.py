"""The verdict as a card of HTML, for notebooks.

Colours come from the front end's theme, and never say anything alone: there is always a mark and a
word. Everything is text or a table, so that a screen reader reads it; nothing runs a script.
"""

from html import escape

import torch

from .learner_lines import Line
from .verdict import Verdict

LARGEST = 8  # rows and columns of a heatmap; what is more is cut off, and that is said
WITH_NUMBERS = 8 * 8

BOX = (
    "border:1px solid var(--jp-border-color1,rgba(128,128,128,.5));border-left:4px solid {accent};"
    "border-radius:3px;padding:.5em .9em;margin:.3em 0;max-width:56em;line-height:1.45;"
    "color:var(--jp-content-font-color1,inherit);font-size:var(--jp-content-font-size1,14px)"
)
QUIET = "color:var(--jp-content-font-color2,inherit);font-size:.9em"
CODE = (
    "font-family:var(--jp-code-font-family,monospace);font-size:.92em;white-space:pre-wrap;"
    "background:rgba(128,128,128,.14);padding:0 .25em;border-radius:2px"
)
# Blue and orange are told apart by all eyes; half transparent, they suit light and dark themes.
POSITIVE, NEGATIVE = "0,114,178", "230,120,0"


def card(verdict: Verdict) -> str:
    """A self-contained piece of HTML."""
    accent = "#009e73" if verdict.passed else "#d55e00"
    parts = [f'<div style="font-weight:600">{escape(verdict.headline)}</div>']
    if verdict.foundation:
        parts.append(f'<div style="{QUIET}">{prose(verdict.foundation)}</div>')
    if not verdict.passed:
        parts += [
            list_of("Works", "✓", verdict.works),
            list_of("Not yet", "✗", verdict.broken),
            list_of("Can't tell yet", "–", verdict.not_reached),
            *(f'<p style="margin:.5em 0">{prose(text)}</p>' for text in verdict.explanation),
            where(verdict.line),
            heatmaps(verdict),
            printed(verdict.printed),
            hints(verdict.hints),
            repeat(verdict.seed),
        ]
    label = escape(verdict.headline, quote=True)
    style = BOX.format(accent=accent)
    return f'<section aria-label="{label}" style="{style}">{"".join(parts)}</section>'


def prose(text: str) -> str:
    """Escaped text in which `code` is set as code."""
    pieces = escape(text).split("`")
    return "".join(
        f'<code style="{CODE}">{piece}</code>' if number % 2 else piece
        for number, piece in enumerate(pieces)
    )


def list_of(title: str, mark: str, promises: list[str]) -> str:
    if not promises:
        return ""
    items = "; ".join(f"{mark} {prose(promise)}" for promise in promises)
    return f'<div style="{QUIET};margin-top:.3em"><b>{title}:</b> {items}</div>'


def where(line: Line | None) -> str:
    if line is None:
        return ""
    return (
        f'<p style="margin:.5em 0">{line.look} {escape(line.where)}: '
        f'<code style="{CODE}">{escape(line.text)}</code></p>'
    )


def printed(text: str) -> str:
    if not text:
        return ""
    return (
        f"<details><summary>What your code printed</summary>"
        f'<pre style="{CODE}">{escape(text)}</pre></details>'
    )


def repeat(seed: int | None) -> str:
    """How to have the same check again; whoever is graded is not told."""
    said = f"Run this exact check again with seed={seed}"
    return "" if seed is None else f'<div style="{QUIET}">{said}</div>'


def hints(texts: tuple[str, ...]) -> str:
    """Each hint behind a click, inside the one before."""
    html = ""
    for number in range(len(texts), 0, -1):
        html = (
            f'<details style="margin:.3em 0 .3em .2em"><summary style="cursor:pointer">'
            f"Hint {number} of {len(texts)}</summary>"
            f'<div style="margin:.3em 0">{prose(texts[number - 1])}</div>{html}</details>'
        )
    return html


def heatmaps(verdict: Verdict) -> str:
    """Yours, expected and the difference, as three small tables."""
    one, other = verdict.yours, verdict.expected
    if one is None or other is None or 0 in (one.dim(), other.dim()):
        return ""
    yours, index, cut = matrix(one)
    expected, *_ = matrix(other)
    tables = [("yours", yours), ("expected", expected)]
    if one.shape == other.shape:
        tables.append(("difference", yours - expected))
    finite = [x[x.isfinite()].abs() for _, x in tables[:2]]
    largest = max((float(x.max()) for x in finite if x.numel()), default=0.0)
    which = escape(f"{verdict.name}{index}")
    note = f"the first {LARGEST} rows and columns of " if cut else ""
    return (
        f'<div style="margin:.5em 0 .2em">{note}<code style="{CODE}">{which}</code></div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:1em">'
        + "".join(table(title, x, largest) for title, x in tables)
        + "</div>"
    )


def matrix(x: torch.Tensor) -> tuple[torch.Tensor, str, bool]:
    """The first matrix in a tensor, its index, and whether it was cut."""
    x = (x.real if x.is_complex() else x).to(torch.float64)
    index = ", ".join("0" for _ in range(x.dim() - 2))
    while x.dim() > 2:
        x = x[0] if len(x) else x.reshape(0, 0)
    x = x.reshape(1, -1) if x.dim() == 1 else x
    cut = max(x.shape, default=0) > LARGEST
    return x[:LARGEST, :LARGEST], f"[{index}]" if index else "", cut


def table(title: str, x: torch.Tensor, largest: float) -> str:
    numbered = x.numel() <= WITH_NUMBERS
    brief = whole if bool((x == x.round()).all()) else short
    rows = "".join(
        f"<tr>{''.join(cell(v, largest, brief(v) if numbered else '') for v in row)}</tr>"
        for row in x.tolist()
    )
    caption = f'<caption style="caption-side:top;text-align:left;{QUIET}">{title}</caption>'
    return (
        f'<table style="border-collapse:collapse;margin:0;border:1px solid rgba(128,128,128,.4)">'
        f"{caption}<tbody>{rows}</tbody></table>"
    )


def cell(value: float, largest: float, text: str) -> str:
    finite = value == value and abs(value) != float("inf")
    strength = min(1.0, abs(value) / largest) * 0.6 if finite and largest else 0.0
    colour = POSITIVE if finite and value >= 0 else NEGATIVE
    background = f"rgba({colour},{strength:.2f})" if finite else "rgba(128,128,128,.45)"
    return (
        f'<td style="background:{background};padding:.1em .35em;text-align:right;'
        f'font-size:.8em;font-variant-numeric:tabular-nums;min-width:1em">{text}</td>'
    )


def whole(value: float) -> str:
    """A whole number, of a tensor that has no others."""
    return f"{value:.0f}"


def short(value: float) -> str:
    """A number in at most six characters or so."""
    if value != value:
        return "NaN"
    if abs(value) == float("inf"):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    return f"{value:.2f}" if 0.005 <= abs(value) < 100 else f"{value:.0e}"
