"""One look for all pictures: heatmaps with tokens, masks, heads, curves, bars, distributions.

Every function gives a Picture, which a notebook shows with its alternative text. Backgrounds are
white, so that a dark theme changes nothing; colour maps get steadily lighter, so that they can be
read in grey and by colour-blind people. Signed numbers go from violet over white to orange, and
are written into the cells where there is room.
"""

import base64
import html
import io
from dataclasses import dataclass

import numpy as np
import seaborn as sns
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

WEIGHTS = "viridis"
SIGNED = "PuOr_r"
LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))  # curves differ in grey, too
COLOURS = sns.color_palette("colorblind")
LOOK = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.color": "black",
    "axes.labelcolor": "black",
    "xtick.color": "black",
    "ytick.color": "black",
    "svg.fonttype": "none",
}
ROOM = 13  # up to so many rows and columns, numbers are written into a heatmap's cells
DPI = 110
WIDEST = 8.0  # inches; wider ones would be shrunk, and their letters with them


@dataclass
class Picture:
    """A figure, and what it shows in words."""

    figure: Figure
    alt: str

    def png(self):
        buffer = io.BytesIO()
        with rc_context(LOOK):
            self.figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
        return buffer.getvalue()

    def html(self):
        data = base64.b64encode(self.png()).decode()
        alt = html.escape(self.alt, quote=True)
        return f'<img alt="{alt}" src="data:image/png;base64,{data}" style="max-width:100%">'

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self.html(), "text/plain": self.alt}


def numbers(x):
    """A NumPy array of what may be a tensor, a mask or a list."""
    x = x.detach().cpu().double() if isinstance(x, torch.Tensor) else x
    return np.asarray(x, dtype=float)


def new_figure(width, height, rows=1, columns=1, **grid):
    """A figure with its axes, always as a 2-D array."""
    with rc_context(LOOK):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots(rows, columns, squeeze=False, **grid)


def heatmap(matrix, rows=None, columns=None, title="", **options):
    """A matrix as colours, with names for rows and columns.

    Args:
        matrix: (rows, columns)
        rows, columns: names, such as tokens; numbers if there are none.
        title: what is shown.
        options: as in `heatmaps`.
    """
    return heatmaps({title: matrix}, rows, columns, **options)


def heatmaps(
    matrices,
    rows=None,
    columns=None,
    x_label="key",
    y_label="query",
    low=None,
    high=None,
    values=None,
    per_row=4,
    size=None,
    title="",
    square=True,
):
    """Several matrices side by side, all with the same scale of colours.

    Args:
        matrices: {title: (rows, columns)}; a tensor (heads, rows, columns) does as well.
        rows, columns: names for all of them.
        low, high: the ends of the scale; from 0 to 1, or symmetrical around 0, if not given.
        values: write the numbers into the cells? By default where there is room.
        per_row: so many side by side.
        size: of one heatmap, in inches.
        title: above all of them.
        square: are cells as wide as high? Otherwise they fill the width that there is.
    """
    if not isinstance(matrices, dict):
        matrices = {f"head {number}": matrix for number, matrix in enumerate(matrices)}
    arrays = {name: numbers(matrix) for name, matrix in matrices.items()}
    scale = scale_of(arrays, low, high)
    height, width = next(iter(arrays.values())).shape
    written = max(height, width) <= ROOM if values is None else values
    size = size or min(7.0, 1.0 + (0.5 if written else 0.28) * max(height, width))
    across = min(per_row, len(arrays))
    down = -(-len(arrays) // across)
    figure, axes = new_figure(size * across * 1.12 + 0.8, size * down + 0.3, down, across)
    with rc_context(LOOK):
        for ax, (name, array) in zip(axes.flat, arrays.items()):
            fmt = ".0f" if is_whole(array) else ".2f"
            draw_heatmap(ax, array, rows, columns, *scale, written, fmt, square)
            ax.set(title=name, xlabel=x_label, ylabel=y_label)
            long = columns is not None and max(len(str(name)) for name in columns) > 5
            ax.tick_params(axis="x", rotation=45 if long else 0)
        for ax in list(axes.flat)[len(arrays) :]:
            ax.set_visible(False)
        figure.colorbar(axes.flat[0].collections[0], ax=axes, shrink=0.7, pad=0.02)
        if title:
            figure.suptitle(title, fontweight="bold")
    return Picture(figure, describe(title, arrays, rows, columns, x_label, y_label))


def scale_of(arrays, low=None, high=None):
    """(low, high, colour map) that fit all arrays; an end that is given stays."""
    smallest = min(np.nanmin(a) for a in arrays.values())
    largest = max(np.nanmax(a) for a in arrays.values())
    signed = smallest < 0 if low is None else low < 0 < (high or 0)
    if low is None:
        low = -max(-smallest, largest) if signed else 0.0
    if high is None:
        high = -low if signed else max(largest, 1.0) if largest > 0.5 else largest
    return low, high, SIGNED if signed else WEIGHTS


def draw_heatmap(
    ax,
    array,
    rows=None,
    columns=None,
    low=0,
    high=1,
    colours=WEIGHTS,
    written=True,
    fmt=".2f",
    square=True,
):
    """One matrix into these axes, in the look that all heatmaps have."""
    sns.heatmap(
        array,
        ax=ax,
        vmin=low,
        vmax=high,
        cmap=colours,
        annot=written,
        fmt=fmt,
        annot_kws={"size": 8},
        cbar=False,
        square=square,
        xticklabels=list(columns) if columns is not None else "auto",
        yticklabels=list(rows) if rows is not None else "auto",
        linewidths=0.5 if written else 0,
        linecolor="white",
    )
    ax.tick_params(axis="y", rotation=0)


def is_whole(array):
    """Are all numbers whole, or too large for decimals to matter?"""
    return bool(np.all(array == np.round(array))) or np.nanmax(np.abs(array)) >= 100


def describe(title, arrays, rows, columns, x_label, y_label):
    """What heatmaps show, in words: where each of them is largest."""
    parts = [f"Heatmap{'s' if len(arrays) > 1 else ''}{f': {title}' if title else ''}"]
    for name, array in list(arrays.items())[:8]:
        row, column = np.unravel_index(np.nanargmax(array), array.shape)
        row = rows[row] if rows is not None else row
        column = columns[column] if columns is not None else column
        parts.append(
            f"{name or 'the matrix'}, {array.shape[0]} {y_label} by {array.shape[1]} {x_label}, "
            f"largest {np.nanmax(array):.3g} at {y_label} {row}, {x_label} {column}"
        )
    return "; ".join(parts) + "."


def mask_picture(mask, rows=None, columns=None, title="What may be seen", **options):
    """A boolean mask: 1 and light where a query may attend, 0 and dark where not."""
    return heatmap(numbers(mask), rows, columns, title, low=0, high=1, **options)


def curves(
    ys,
    x=None,
    title="",
    x_label="",
    y_label="",
    log_x=False,
    log_y=False,
    y_low=None,
    y_high=None,
    bands=None,
    marks=False,
):
    """Curves with a legend.

    Args:
        ys: {name: numbers}
        x: numbers, for all; 0, 1, 2, … if not given.
        bands: {name: (lower, upper)}, such as the range over seeds.
        marks: mark the points?
    """
    figure, axes = new_figure(6.4, 3.6)
    ax = axes[0, 0]
    with rc_context(LOOK):
        for number, (name, y) in enumerate(ys.items()):
            y = numbers(y)
            at = np.arange(len(y)) if x is None else numbers(x)[: len(y)]
            look = {
                "color": COLOURS[number % len(COLOURS)],
                "linestyle": LINES[number % len(LINES)],
                "marker": "o" if marks else None,
                "markersize": 4,
            }
            ax.plot(at, y, label=name, **look)
            if bands and name in bands:
                lower, upper = map(numbers, bands[name])
                ax.fill_between(at, lower, upper, color=look["color"], alpha=0.15, linewidth=0)
        ax.set(title=title, xlabel=x_label, ylabel=y_label)
        ax.set_xscale("log" if log_x else "linear")
        ax.set_yscale("log" if log_y else "linear")
        if y_low is not None or y_high is not None:
            ax.set_ylim(y_low, y_high)
        lowest, highest = ax.get_ylim()
        if log_y and highest < 100 * lowest:  # powers of ten alone would be one label or two
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter("{x:,g}")
            ax.yaxis.set_minor_formatter(NullFormatter())
        if len(ys) > 1:
            ax.legend(frameon=False)
        ax.grid(axis="y", color="0.9")
    ends = [f"{name} from {numbers(y)[0]:.3g} to {numbers(y)[-1]:.3g}" for name, y in ys.items()]
    return Picture(figure, f"Curves: {title}; {y_label} over {x_label}; {'; '.join(ends)}.")


def bars(heights, title="", x_label="", y_label="", y_high=None, fmt="{:.3g}"):
    """Bars with their numbers on them.

    Args:
        heights: {name: number}
    """
    figure, axes = new_figure(min(max(3.2, 0.95 * len(heights) + 1.5), WIDEST), 3.4)
    ax = axes[0, 0]
    values = {name: float(value) for name, value in heights.items()}
    with rc_context(LOOK):
        drawn = ax.bar(list(values), list(values.values()), color=COLOURS[0], width=0.65)
        ax.bar_label(drawn, [fmt.format(value) for value in values.values()], padding=2, size=9)
        ax.set(title=title, xlabel=x_label, ylabel=y_label)
        if y_high is not None:
            ax.set_ylim(0, y_high)
        long = max(map(len, values)) > 9
        ax.tick_params(axis="x", rotation=30 if long else 0)
    told = "; ".join(f"{name} {fmt.format(value)}" for name, value in values.items())
    return Picture(figure, f"Bars: {title}; {y_label}: {told}.")


def distributions(samples, title="", x_label="", y_label="share", bins=40, low=None, high=None):
    """How often which numbers come: a histogram for each name, one below the other.

    Args:
        samples: {name: numbers}
    """
    arrays = {name: numbers(x).ravel() for name, x in samples.items()}
    low = min(a.min() for a in arrays.values()) if low is None else low
    high = max(a.max() for a in arrays.values()) if high is None else high
    figure, axes = new_figure(6.0, 1.3 * len(arrays) + 0.8, len(arrays), 1, sharex=True)
    with rc_context(LOOK):
        for number, (ax, (name, array)) in enumerate(zip(axes.flat, arrays.items())):
            weights = np.full(len(array), 1 / len(array))
            ax.hist(
                array, bins=bins, range=(low, high), weights=weights, color=COLOURS[number % 10]
            )
            ax.set_title(name, loc="left", fontsize=9, fontweight="normal")
            ax.set_ylabel(y_label)
        axes.flat[-1].set_xlabel(x_label)
        figure.suptitle(title, fontweight="bold")
    told = "; ".join(f"{n}: mean {a.mean():.3g}, spread {a.std():.3g}" for n, a in arrays.items())
    return Picture(figure, f"Distributions: {title}; {x_label}; {told}.")


def arrows(vectors, title="", x_label="feature 0", y_label="feature 1"):
    """Vectors of two features as arrows from the origin.

    Args:
        vectors: {name: (x, y)}
    """
    figure, axes = new_figure(4.2, 4.2)
    ax = axes[0, 0]
    points = {name: numbers(vector) for name, vector in vectors.items()}
    reach = 1.25 * max(np.abs(point).max() for point in points.values())
    with rc_context(LOOK):
        for number, (name, (x, y)) in enumerate(points.items()):
            colour = COLOURS[number % len(COLOURS)]
            ax.annotate(
                "", (x, y), (0, 0), arrowprops={"arrowstyle": "->", "color": colour, "lw": 2}
            )
            ax.annotate(name, (x, y), textcoords="offset points", xytext=(4, 4))
        ax.axhline(0, color="0.8", lw=0.8)
        ax.axvline(0, color="0.8", lw=0.8)
        ax.set(
            title=title,
            xlabel=x_label,
            ylabel=y_label,
            xlim=(-reach, reach),
            ylim=(-reach, reach),
            aspect="equal",
        )
    told = "; ".join(f"{name} ({x:.2g}, {y:.2g})" for name, (x, y) in points.items())
    return Picture(figure, f"Arrows: {title}; {told}.")
