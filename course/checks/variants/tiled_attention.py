"""How tiled_attention is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import Call, Trial, probe

from ..ready_made import ATTENTION
from .shared import watched


def tiles(draw, mask=None, leading=(2, 3), queries=5, keys=10, d_k=4, d_v=6, tile=3, spread=1.0):
    arguments = {
        "query": draw.normal(*leading, queries, d_k, scale=spread),
        "key": draw.normal(*leading, keys, d_k),
        "value": draw.normal(*leading, keys, d_v),
        "mask": mask,
        "tile": tile,
    }
    names = ("queries", "keys", "d_k", "d_v", "tile")
    return Trial([Call(arguments)], sizes=dict(zip(names, (queries, keys, d_k, d_v, tile))))


tiles_with_a_rest = probe("tiles_with_a_rest", tiles)
tiles_of_two = probe("tiles_of_two", tiles, leading=(3,), queries=4, keys=6, d_k=5, d_v=3, tile=2)
tiles_of_one_key = probe("tiles_of_one_key", tiles, queries=3, keys=5, tile=1)
tiles_as_long = probe("tiles_as_long", tiles, queries=3, keys=5, tile=5)


def tiles_by_default(draw):
    """Only query, key and value: 64 keys at once, and here there are fewer."""
    trial = tiles(draw, leading=(2,))
    arguments = trial.calls[0].arguments
    trial.calls = [Call({name: arguments[name] for name in ("query", "key", "value")})]
    return trial


tiles_over_one_key = probe("tiles_over_one_key", tiles, queries=1, keys=1, tile=4)
tiles_without_batch = probe(
    "tiles_without_batch", tiles, leading=(), queries=4, keys=5, d_k=6, d_v=3, tile=2
)


def tiles_strided(draw):
    return tiles(draw, draw.mask(2, 1, 5, 10)).but(strided=True)


def tiles_with_mask(draw):
    return tiles(draw, draw.mask(2, 3, 5, 10))


def tiles_with_shared_mask(draw):
    return tiles(draw, draw.mask(5, 10))


def tiles_with_padding(draw):
    return tiles(draw, draw.mask(2, 1, 1, 10))


def tiles_wholly_hidden(draw):
    """For some queries a whole tile is hidden: the first, the last, one in the middle."""
    mask = torch.ones(5, 8, dtype=torch.bool)
    mask[0, :3] = mask[1, :6] = False
    mask[2, 3:6] = mask[3, 6:] = mask[4, 4] = False
    return tiles(draw, mask, keys=8)


tiles_with_strong_scores = probe("tiles_with_strong_scores", tiles, spread=1e4)


def tiles_with_low_scores(draw):
    """All scores are far below 0."""
    trial = tiles(draw, leading=(2,), spread=1e4)
    arguments = trial.calls[0].arguments
    arguments["query"], arguments["key"] = arguments["query"].abs(), -arguments["key"].abs()
    return trial


def tiles_with_strong_hidden_scores(draw):
    """Each query sees only the three keys with its lowest scores."""
    trial = tiles(draw, spread=1e4)
    arguments = trial.calls[0].arguments
    scores = arguments["query"] @ arguments["key"].transpose(-2, -1)
    arguments["mask"] = scores <= scores.kthvalue(3, dim=-1, keepdim=True).values
    return trial


def tiles_over_many(draw):
    """Many queries and keys, to see how large a tensor gets on the way."""
    trial = tiles(draw, leading=(), queries=40, keys=40, d_k=2, d_v=2, tile=8)
    return watched(trial, "scores of all queries and keys at once", 40 * 40)


def tiles_gradients(draw):
    return tiles(draw, draw.mask(5, 10), leading=(2,)).but(gradients=True)


def tiles_in_float64(draw):
    return tiles(draw, draw.mask(5, 10)).but(dtype=torch.float64)


def tiles_in_bfloat16(draw):
    return tiles(draw, draw.mask(5, 10)).but(dtype=torch.bfloat16)


LOOK_AT_TILES = (
    "Take two tiles of one key each, with scores 1 and 3, and follow the highest score, the sum "
    "and the mixed values on paper."
)
LOOK_AT_HIDDEN = "Which of your lines decide what a hidden key adds to the sum?"


tiled_attention = Exercise(
    id="variants.tiled_attention",
    properties=(
        Property(
            "values",
            3,
            "the output is exactly that of attention, tile by tile",
            (tiles_with_a_rest, tiles_of_two, tiles_of_one_key),
            look=LOOK_AT_TILES,
        ),
        Property(
            "cost",
            2,
            "the scores of all keys are never held at once",
            (tiles_over_many,),
            look="How many keys should be looked at together?",
        ),
        Property(
            "sizes",
            1,
            "one tile, one key, any leading dimensions",
            (
                tiles_as_long,
                tiles_by_default,
                tiles_over_one_key,
                tiles_without_batch,
                tiles_strided,
            ),
        ),
        Property(
            "mask",
            2,
            "hidden keys count for nothing, also where a whole tile is hidden",
            (tiles_with_mask, tiles_with_shared_mask, tiles_with_padding, tiles_wholly_hidden),
            look=LOOK_AT_HIDDEN,
        ),
        Property(
            "stable",
            1,
            "scores of any size are no trouble",
            (tiles_with_strong_scores, tiles_with_low_scores, tiles_with_strong_hidden_scores),
            look="Can any exponential in your code be larger than 1?",
        ),
        promises.gradients("gradients reach query, key and value", tiles_gradients),
        promises.dtype(
            "the result has the dtype of the query", tiles_in_float64, tiles_in_bfloat16
        ),
        promises.unchanged("query, key, value and mask stay as they were"),
    ),
    hints=(
        "Add up 1/e^2 + 1/e^1 + 1 in two ways: all at once, and one by one, with only the highest "
        "exponent so far taken out. What has to be done when a higher one comes?",
        "What is kept is measured against the highest score so far. When it rises, everything that "
        "was kept shrinks by the same factor; then the new tile's share is added.",
        "In the loop: the tile's mask and scores, the hidden ones very low; the new highest; the "
        "factor; the tile's exponentials, 0 where hidden; the sum and the mixed values, each "
        "shrunk and added to; the new highest kept.",
    ),
    refuses=ATTENTION,
    instead="write the loop's body with exponentials, a running maximum and running sums.",
)
