"""The Transformer on one page: a drawing of our own, in which every box is a link.

`architecture()` gives the whole machine, `architecture("cross-attention")` the same with one part
marked. It is an SVG of rectangles, lines and words, laid out on a grid of rows from top to bottom,
in the order in which the code runs. Its background is white, so that a dark theme changes nothing,
and what is marked has a thick frame and a pointer, so that it can be told without colours.

The words in a box are an HTML link inside the SVG, because JupyterLab makes `#headings` work for
links of HTML alone; they can be reached with the keyboard, and read by a screen reader.
"""

import html
import itertools
from dataclasses import dataclass

WIDTH, BOX_WIDTH, BOX_HEIGHT = 870, 230, 40
TOP, ROW_HEIGHT = 64, 58
COLUMNS = {"encoder": 74, "decoder": 552}  # the left edge of their boxes
NUMBERS = itertools.count(1)  # ids must differ between two drawings on one page

PLAIN, MARKED = "#ffffff", "#ffd966"
FILLS = {"attention": "#d6e6f5", "thinking": "#f3ead2", "norm": "#ececec", "end": "#ffffff"}
FONT = "font-family='sans-serif' fill='#111111'"

EARLIER = "What-you-bring-along"
EMBEDDING = "Words-become-vectors"
DECODER_BLOCK = "The-decoder-shops-twice"
STACK = "A-stack-that-reads-one-memory"
SHIFTED = "Everything-one-place-later"
WHOLE = "The-whole-machine"


@dataclass(frozen=True)
class Box:
    """A box of the drawing.

    Args:
        name: by which it can be marked; several boxes may bear the same one.
        words: what stands in it.
        column: encoder or decoder.
        row: 0 is at the top.
        kind: what it does, which gives its shade.
        section: the heading in lesson 5 it leads to.
    """

    name: str
    words: str
    column: str
    row: int
    kind: str
    section: str

    @property
    def left(self):
        return COLUMNS[self.column]

    @property
    def top(self):
        return TOP + self.row * ROW_HEIGHT

    @property
    def middle(self):
        return self.top + BOX_HEIGHT / 2


# Lower rows run later. The decoder begins two rows lower, so that the memory is at the height of
# the cross-attention that reads it.
BOXES = (
    Box("source", "source: Ana lost her red ball", "encoder", 0, "end", EARLIER),
    Box("embedding", "token embedding × √d_model", "encoder", 1, "thinking", EMBEDDING),
    Box("positions", "+ positions", "encoder", 2, "thinking", EARLIER),
    Box("encoder self-attention", "self-attention", "encoder", 3, "attention", EARLIER),
    Box("add and norm", "add & norm", "encoder", 4, "norm", EARLIER),
    Box("feed-forward", "feed-forward", "encoder", 5, "thinking", EARLIER),
    Box("add and norm", "add & norm", "encoder", 6, "norm", EARLIER),
    Box("memory", "memory", "encoder", 7, "end", STACK),
    Box("target", "target, shifted right: ‹start› Ana a …", "decoder", 2, "end", SHIFTED),
    Box("embedding", "token embedding × √d_model", "decoder", 3, "thinking", EMBEDDING),
    Box("positions", "+ positions", "decoder", 4, "thinking", EARLIER),
    Box("masked self-attention", "masked self-attention", "decoder", 5, "attention", DECODER_BLOCK),
    Box("add and norm", "add & norm", "decoder", 6, "norm", EARLIER),
    Box("cross-attention", "cross-attention", "decoder", 7, "attention", DECODER_BLOCK),
    Box("add and norm", "add & norm", "decoder", 8, "norm", EARLIER),
    Box("feed-forward", "feed-forward", "decoder", 9, "thinking", EARLIER),
    Box("add and norm", "add & norm", "decoder", 10, "norm", EARLIER),
    Box("output", "linear: a score for every word", "decoder", 11, "thinking", WHOLE),
    Box("softmax", "softmax (in the loss): next words", "decoder", 12, "end", WHOLE),
)
PARTS = tuple(dict.fromkeys(box.name for box in BOXES))
BLOCKS = {"encoder": (3, 6), "decoder": (5, 10)}  # first and last row of what is stacked
DESCRIPTION = (
    "Two columns of boxes, to be read from top to bottom. Left, the encoder: source tokens, token "
    "embedding times the root of d_model, plus positions; then six blocks, each with "
    "self-attention, add and norm, feed-forward, add and norm; what leaves the last block is the "
    "memory. Right, the decoder: target tokens shifted right, token embedding, plus positions; "
    "then six blocks, each with masked self-attention, add and norm, cross-attention, add and "
    "norm, feed-forward, add and norm; then a linear layer and the softmax, which give the next "
    "words. An arrow leads from the memory to the cross-attention of every decoder block. A line "
    "leads around every sub-layer to the add and norm behind it."
)


class Diagram:
    """The drawing, as a notebook shows it: `html()` with links, `alt` in words."""

    def __init__(self, highlight=None, width=WIDTH):
        if highlight not in (None, "nothing", *PARTS):
            raise ValueError(f"there is no part {highlight!r}; there are: {', '.join(PARTS)}")
        self.highlight, self.width = highlight, width

    @property
    def alt(self):
        marked = [box for box in BOXES if box.name == self.highlight]
        if not marked:
            return f"The Transformer. {DESCRIPTION}"
        return f"The Transformer, with {self.highlight} marked ({len(marked)}×). {DESCRIPTION}"

    def svg(self):
        number = next(NUMBERS)
        height = TOP + 13 * ROW_HEIGHT - 6
        parts = [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' role='group' "
            f"aria-labelledby='machine-title-{number} machine-text-{number}' "
            f"style='max-width:{self.width}px;width:100%;height:auto'>",
            f"<title id='machine-title-{number}'>The Transformer</title>",
            f"<desc id='machine-text-{number}'>{html.escape(self.alt)}</desc>",
            f"<defs><marker id='tip-{number}' viewBox='0 0 8 8' refX='7' refY='4' "
            f"markerWidth='8' markerHeight='8' orient='auto'>"
            f"<path d='M0,0 L8,4 L0,8 z' fill='#333333'/></marker></defs>",
            f"<rect width='{WIDTH}' height='{height}' rx='8' fill='#ffffff'/>",
            *(frame(column) for column in COLUMNS),
            *(arrow(line, number) for line in lines()),
            *(residual(box, number) for box in BOXES if is_sub_layer(box)),
            *(drawn(box, box.name == self.highlight) for box in BOXES),
            *notes(),
            "</svg>",
        ]
        return "".join(parts)

    def html(self):
        return f"<figure style='margin:0'>{self.svg()}</figure>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self.html(), "text/plain": self.alt}


def architecture(highlight=None, width=WIDTH):
    """The Transformer on one page.

    Args:
        highlight: the name of a part to mark; see PARTS.
        width: at most so many pixels wide.
    """
    return Diagram(highlight, width)


def is_sub_layer(box):
    return "attention" in box.name or box.name == "feed-forward"


def drawn(box, marked):
    """A box with its words, which are a link."""
    fill = MARKED if marked else FILLS[box.kind]
    frame_width = 4 if marked else 1.2
    dashes = " stroke-dasharray='5 3'" if box.kind == "end" and not marked else ""
    shape = (
        f"<rect x='{box.left}' y='{box.top}' width='{BOX_WIDTH}' height='{BOX_HEIGHT}' rx='6' "
        f"fill='{fill}' stroke='#111111' stroke-width='{frame_width}'{dashes}/>"
    )
    words = f"▶ {box.words} ◀" if marked else box.words
    weight = "bold" if marked or box.kind == "attention" else "normal"
    link = (
        f"<a href='#{box.section}' title='to the section: {box.section.replace('-', ' ')}' "
        f"style='display:flex;align-items:center;justify-content:center;height:100%;"
        f"text-align:center;color:#111111;font:{weight} 13px/1.2 sans-serif;"
        f"text-decoration:underline dotted'>{html.escape(words)}</a>"
    )
    return (
        f"{shape}<foreignObject x='{box.left}' y='{box.top}' width='{BOX_WIDTH}' "
        f"height='{BOX_HEIGHT}'>{link}</foreignObject>"
    )


def lines():
    """The ways of the signal: from every box to the next, and from the memory to the decoder."""
    for column in COLUMNS:
        boxes = [box for box in BOXES if box.column == column]
        for above, below in itertools.pairwise(boxes):
            x = above.left + BOX_WIDTH / 2
            yield [(x, above.top + BOX_HEIGHT), (x, below.top)]
    memory, cross = one("memory"), one("cross-attention")
    yield [(memory.left + BOX_WIDTH, memory.middle), (cross.left, cross.middle)]


def one(name):
    return next(box for box in BOXES if box.name == name)


def arrow(points, number):
    path = " L".join(f"{x:g},{y:g}" for x, y in points)
    return (
        f"<path d='M{path}' fill='none' stroke='#333333' stroke-width='1.6' "
        f"marker-end='url(#tip-{number})'/>"
    )


def residual(box, number):
    """The line around a sub-layer: what went in is added to what comes out."""
    outside = box.left + BOX_WIDTH + 24 if box.column == "decoder" else box.left - 24
    edge = box.left + BOX_WIDTH if box.column == "decoder" else box.left
    start = box.top - (ROW_HEIGHT - BOX_HEIGHT) / 2
    middle = box.left + BOX_WIDTH / 2
    end = box.middle + ROW_HEIGHT
    return arrow([(middle, start), (outside, start), (outside, end), (edge, end)], number)


def frame(column):
    """The frame around what is stacked six times."""
    first, last = BLOCKS[column]
    top, bottom = TOP + first * ROW_HEIGHT - 14, TOP + last * ROW_HEIGHT + BOX_HEIGHT + 7
    left = COLUMNS[column] - 36
    return (
        f"<rect x='{left}' y='{top}' width='{BOX_WIDTH + 72}' height='{bottom - top}' rx='12' "
        f"fill='#fafafa' stroke='#777777' stroke-width='1.2' stroke-dasharray='2 3'/>"
    )


def notes():
    """Words beside the boxes."""
    centre = {column: left + BOX_WIDTH / 2 for column, left in COLUMNS.items()}
    memory, cross = one("memory"), one("cross-attention")
    between = (memory.left + BOX_WIDTH + cross.left) / 2
    side = memory.left + BOX_WIDTH + 42
    yield text(centre["encoder"], 32, "ENCODER reads", size=17, bold=True)
    yield text(centre["encoder"], 51, "builds the source's market", size=12)
    yield text(centre["decoder"], 32 + 2 * ROW_HEIGHT, "DECODER writes", size=17, bold=True)
    yield text(centre["decoder"], 51 + 2 * ROW_HEIGHT, "shops twice in every block", size=12)
    yield text(side, one("encoder self-attention").middle + 4, "padding hidden", 11, "start")
    yield text(side, one("feed-forward").middle + 44, "N = 6 blocks", 14, "start", bold=True)
    yield text(side, one("feed-forward").middle + 61, "on either side", 12, "start")
    yield text(between, memory.middle - 9, "keys and values", size=12)
    yield text(between, memory.middle + 17, "(batch, source, d_model)", size=11)
    yield text(
        cross.left - 42,
        one("masked self-attention").middle + 4,
        "future and padding hidden",
        11,
        "end",
    )
    yield text(cross.left - 42, cross.middle + 44, "queries come from above", 11, "end")


def text(x, y, words, size=13, anchor="middle", bold=False):
    weight = " font-weight='bold'" if bold else ""
    return (
        f"<text x='{x:g}' y='{y:g}' font-size='{size}' text-anchor='{anchor}' {FONT}{weight}>"
        f"{html.escape(words)}</text>"
    )
