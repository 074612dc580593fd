"""Sliders and painters: pictures that answer to the hand, and stay pictures where nothing runs.

Python works the numbers out; a widget only shows them. So everything that a widget can show can
be had, and tested, without one.
"""

import html
import re

from .figures import heatmaps


def label_of(name):
    """A choice's name as words; those that the lessons write with an underscore keep it (d_k)."""
    return re.sub(r"(?<!\bd)_", " ", name)


class Interactive:
    """Something with controls and, where there are none, a picture."""

    def _repr_mimebundle_(self, include=None, exclude=None):
        first = self.picture()
        bundle = {"text/html": first.html(), "text/plain": first.alt}
        try:
            import ipywidgets
        except ImportError:
            return bundle
        shown = self.widget(ipywidgets, ipywidgets.HTML(first.html()))._repr_mimebundle_()
        return bundle | {key: x for key, x in shown.items() if key.startswith("application/")}


class Explorer(Interactive):
    """A picture with controls. Where there are no widgets it is the picture of the first choices.

    Args:
        draw: a function of the choices that gives a Picture.
        choices: {name: values}; the first of each is shown at first.
    """

    def __init__(self, draw, choices):
        self.draw, self.choices = draw, choices

    def picture(self, **chosen):
        """The Picture for some choices; the others are the first ones."""
        return self.draw(**({name: values[0] for name, values in self.choices.items()} | chosen))

    def widget(self, ipywidgets, shown):
        """Sliders above the picture that is shown."""
        controls = {
            name: ipywidgets.SelectionSlider(
                options=[(str(value), value) for value in values],
                description=label_of(name),
                continuous_update=False,
                style={"description_width": "initial"},
                layout={"width": "26em"},
            )
            for name, values in self.choices.items()
        }

        def redraw(change):
            chosen = {name: control.value for name, control in controls.items()}
            shown.value = self.draw(**chosen).html()

        for control in controls.values():
            control.observe(redraw, "value")
        return ipywidgets.VBox([*controls.values(), shown])


def explore(draw, **choices):
    """Let the reader choose: `explore(draw, temperature=[1, 0.1, 5])` calls draw(temperature=…)."""
    return Explorer(draw, choices)


class MaskPainter(Interactive):
    """A mask to be painted cell by cell, and what becomes of the weights.

    Args:
        weigh: a function of a boolean mask that gives the weights, of the same shape.
        mask: the mask at first.
        tokens: names for queries and keys.
    """

    def __init__(self, weigh, mask, tokens):
        self.weigh, self.mask, self.tokens = weigh, mask.clone(), list(tokens)

    def picture(self):
        weights = self.weigh(self.mask)
        return heatmaps(
            {"mask": self.mask, "weights": weights}, self.tokens, self.tokens, low=0, high=1
        )

    def widget(self, ipywidgets, shown):
        """A button for each cell of the mask above the picture that is shown."""
        boxes = []
        for row, query in enumerate(self.tokens):
            boxes.append(ipywidgets.HTML(f"<b>{html.escape(query)}</b>"))
            for column, key in enumerate(self.tokens):
                box = ipywidgets.ToggleButton(
                    value=bool(self.mask[row, column]),
                    description=key,
                    tooltip=f"may {query} attend to {key}?",
                    layout={"width": "5.5em"},
                )
                box.observe(self.painter(row, column, shown), "value")
                boxes.append(box)
        columns = f"repeat({len(self.tokens) + 1}, max-content)"
        grid = ipywidgets.GridBox(boxes, layout={"grid_template_columns": columns})
        return ipywidgets.VBox([grid, shown])

    def painter(self, row, column, shown):
        def paint(change):
            self.mask[row, column] = change["new"]
            shown.value = self.picture().html()

        return paint


def paint_mask(weigh, mask, tokens):
    """A mask to paint, beside the weights that it leaves."""
    return MaskPainter(weigh, mask, tokens)
