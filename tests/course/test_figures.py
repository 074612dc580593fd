"""Pictures: titled, labelled, with words for those who cannot see them, and readable in grey."""

import base64
import io

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.image import imread

from course import figures

TOKENS = ["Ana", "lost", "her", "red", "ball"]
WEIGHTS = torch.softmax(torch.randn(3, 5, 5, generator=torch.Generator().manual_seed(1)), -1)
PICTURES = {
    "heatmap": lambda: figures.heatmap(WEIGHTS[0], TOKENS, TOKENS, title="Title"),
    "heads": lambda: figures.heatmaps(WEIGHTS, TOKENS, TOKENS, title="Title"),
    "signed": lambda: figures.heatmap(torch.randn(3, 4), title="Title"),
    "large": lambda: figures.heatmap(torch.rand(40, 30), title="Title"),
    "mask": lambda: figures.mask_picture(torch.ones(5, 5).tril() > 0, TOKENS, TOKENS, "Title"),
    "curves": lambda: figures.curves(
        {"a": [1, 2, 3], "b": [3, 2, 1]},
        title="Title",
        x_label="step",
        y_label="loss",
        bands={"a": ([0, 1, 2], [2, 3, 4])},
    ),
    "bars": lambda: figures.bars({"one": 1.0, "two": 2}, title="Title", y_label="count"),
    "distributions": lambda: figures.distributions(
        {"a": torch.randn(100), "b": torch.randn(100)}, title="Title", x_label="score"
    ),
    "arrows": lambda: figures.arrows({"a": (1, 0), "b": (0.5, -1)}, title="Title"),
}
EACH = pytest.mark.parametrize("make", PICTURES.values(), ids=list(PICTURES))


@EACH
def test_it_is_a_picture_with_a_title_and_words(make):
    picture = make()
    titles = [ax.get_title() for ax in picture.figure.axes]
    above = picture.figure.get_suptitle() if hasattr(picture.figure, "get_suptitle") else ""
    assert "Title" in [*titles, above]
    assert "Title" in picture.alt
    bundle = picture._repr_mimebundle_()
    assert bundle["text/plain"] == picture.alt
    assert 'alt="' in bundle["text/html"]
    png = base64.b64decode(bundle["text/html"].partition("base64,")[2].partition('"')[0])
    pixels = imread(io.BytesIO(png))
    assert min(pixels.shape[:2]) > 150
    assert np.allclose(pixels[0, 0, :3], 1)  # white, whatever the theme
    assert len(png) < 300_000


def test_axes_are_labelled():
    ax = figures.heatmap(WEIGHTS[0], TOKENS, TOKENS, title="Title").figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("key", "query")
    assert [label.get_text() for label in ax.get_xticklabels()] == TOKENS
    assert [label.get_text() for label in ax.get_yticklabels()] == TOKENS


def test_the_words_say_where_it_is_largest():
    weights = torch.zeros(2, 3)
    weights[1, 2] = 0.75
    picture = figures.heatmap(weights, ["a", "b"], ["x", "y", "z"], title="T")
    assert "largest 0.75 at query b, key z" in picture.alt


@pytest.mark.parametrize("name", [figures.WEIGHTS])
def test_weights_get_steadily_lighter_so_that_they_can_be_read_in_grey(name):
    colours = matplotlib.colormaps[name](np.linspace(0, 1, 50))[:, :3]
    luminance = colours @ [0.2126, 0.7152, 0.0722]
    assert np.all(np.diff(luminance) > 0)


def test_curves_differ_in_their_lines_and_not_in_colour_alone():
    picture = figures.curves({str(n): [n, n + 1] for n in range(6)}, title="T")
    styles = {
        (line.get_linestyle(), str(line._dash_pattern)) for line in picture.figure.axes[0].lines
    }
    assert len(styles) >= 5


def test_words_from_learners_cannot_break_out_of_the_attribute():
    picture = figures.heatmap(torch.rand(2, 2), title='"><script>alert(1)</script>')
    assert "<script>" not in picture.html()
