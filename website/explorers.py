"""What runs beside a lesson whose outputs go onto a page, where no Python will answer a slider.

An explorer is asked for the picture of every choice, and a mask painter for the weights of every
row that can be painted, while they can still answer; on the page, a few lines of JavaScript show
what is chosen.
"""

import itertools
import math

import torch

from course.widgets import Explorer, Interactive, MaskPainter, label_of

EXPLORER = "application/vnd.transformer-by-hand.explorer+json"
PAINTER = "application/vnd.transformer-by-hand.painter+json"
MOST = 150  # pictures of one explorer, all choices with all others
WIDEST = 8  # keys of a mask: each row can be painted in 256 ways


def prepare():
    """From now on, what is interactive shows itself as a page needs it."""
    Interactive._repr_mimebundle_ = still
    Explorer._repr_mimebundle_ = every_picture
    MaskPainter._repr_mimebundle_ = every_row


def still(interactive, include=None, exclude=None):
    """The picture alone, without controls that nothing answers."""
    return interactive.picture()._repr_mimebundle_()


def every_picture(explorer, include=None, exclude=None):
    """The pictures of an explorer's choices; where they are too many, one is moved at a time."""
    choices = {name: list(values) for name, values in explorer.choices.items()}
    drawn = torch.get_rng_state()
    pictures = {}
    for places in reversed(wanted(choices)):  # the first comes last, and leaves what it would leave
        torch.set_rng_state(drawn)
        chosen = {name: choices[name][place] for name, place in zip(choices, places)}
        picture = explorer.picture(**chosen)
        pictures[",".join(map(str, places))] = picture.html()
    return picture._repr_mimebundle_() | {EXPLORER: packed(choices, pictures)}


def wanted(choices):
    """The places of the values that are shown together: all with all, or each with the first."""
    ranges = [range(len(values)) for values in choices.values()]
    if math.prod(map(len, ranges)) <= MOST:
        return list(itertools.product(*ranges))
    first = (0,) * len(ranges)
    moved = [
        (*first[:i], place, *first[i + 1 :]) for i, r in enumerate(ranges) for place in r if place
    ]
    return [first, *moved]


def packed(choices, pictures):
    """Choices and pictures as JSON; equal pictures are held once."""
    distinct = list(dict.fromkeys(pictures.values()))
    places = {picture: place for place, picture in enumerate(distinct)}
    return {
        "choices": [[label_of(name), [str(v) for v in vs]] for name, vs in choices.items()],
        "pictures": distinct,
        "shown": {key: places[picture] for key, picture in pictures.items()},
    }


def every_row(painter, include=None, exclude=None):
    """The weights that each row has under each mask of that row, if rows don't mind each other."""
    mask, shown = painter.mask, still(painter)
    keys = mask.shape[-1]
    if keys > WIDEST:
        return shown
    ways = torch.tensor(list(itertools.product((False, True), repeat=keys)))
    weights = torch.stack([painter.weigh(way.expand_as(mask)) for way in ways])  # (way, query, key)
    places = (mask.long() * 2 ** torch.arange(keys - 1, -1, -1)).sum(-1)
    together = weights[places, torch.arange(len(mask))]
    if not torch.allclose(together, painter.weigh(mask), equal_nan=True):
        return shown
    rows = [[[f"{x:.2f}" for x in way] for way in row] for row in weights.swapaxes(0, 1).tolist()]
    painted = {"tokens": painter.tokens, "mask": mask.int().tolist(), "rows": rows}
    return shown | {PAINTER: painted}
