"""Widgets: what they show can be had without them, and answers to their controls."""

import sys

import pytest
import torch

from course import figures
from course.widgets import explore, paint_mask

SCORES = torch.tensor([[2.0, 1.0], [0.5, 0.0]])
VIEW = "application/vnd.jupyter.widget-view+json"


def draw(temperature, scale=1):
    return figures.heatmap(
        torch.softmax(scale * SCORES / temperature, -1), title=f"T={temperature}"
    )


def weigh(mask):
    return torch.softmax(SCORES.masked_fill(~mask, float("-inf")), -1).nan_to_num(0)


EVERYTHING = {
    "explore": lambda: explore(draw, temperature=[1, 0.1, 5]),
    "paint_mask": lambda: paint_mask(weigh, torch.ones(2, 2).tril() > 0, ["a", "b"]),
}
EACH = pytest.mark.parametrize("make", EVERYTHING.values(), ids=list(EVERYTHING))


@EACH
def test_there_is_a_picture_beside_the_widget(make):
    bundle = make()._repr_mimebundle_()
    assert VIEW in bundle
    assert bundle["text/html"].startswith("<img alt=")
    assert bundle["text/plain"]


@EACH
def test_without_ipywidgets_there_is_the_picture_alone(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    bundle = make()._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}


def test_choices_change_the_picture():
    explorer = explore(draw, temperature=[1, 0.1], scale=[1, 2])
    assert "T=1" in explorer.picture().alt
    assert "T=0.1" in explorer.picture(temperature=0.1).alt


def test_a_slider_draws_anew():
    import ipywidgets

    shown = ipywidgets.HTML("")
    box = explore(draw, temperature=[1, 0.1]).widget(ipywidgets, shown)
    slider = box.children[0]
    slider.value = 0.1
    assert "T=0.1" in shown.value


def test_a_button_paints_a_cell_of_the_mask():
    import ipywidgets

    painter = paint_mask(weigh, torch.ones(2, 2).tril() > 0, ["a", "b"])
    shown = ipywidgets.HTML("")
    grid, _ = painter.widget(ipywidgets, shown).children
    buttons = [child for child in grid.children if isinstance(child, ipywidgets.ToggleButton)]
    assert [button.value for button in buttons] == [True, False, True, True]
    buttons[1].value = True
    assert painter.mask.tolist() == [[True, True], [True, True]]
    assert shown.value.startswith("<img alt=")
