"""How tiled_attention is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import ATTENTION
from autograder.engine.trial import Call, Trial

from ..shared import always_float32, graph_cut, with_dtype, with_gradients, with_strides
from .shared import ALL_FLOAT, watched


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


def tiles_with_a_rest(draw):
    return tiles(draw)


def tiles_of_two(draw):
    return tiles(draw, leading=(3,), queries=4, keys=6, d_k=5, d_v=3, tile=2)


def tiles_of_one_key(draw):
    return tiles(draw, queries=3, keys=5, tile=1)


def tiles_as_long(draw):
    return tiles(draw, queries=3, keys=5, tile=5)


def tiles_by_default(draw):
    """Only query, key and value: 64 keys at once, and here there are fewer."""
    trial = tiles(draw, leading=(2,))
    arguments = trial.calls[0].arguments
    trial.calls = [Call({name: arguments[name] for name in ("query", "key", "value")})]
    return trial


def tiles_over_one_key(draw):
    return tiles(draw, queries=1, keys=1, tile=4)


def tiles_without_batch(draw):
    return tiles(draw, leading=(), queries=4, keys=5, d_k=6, d_v=3, tile=2)


def tiles_strided(draw):
    return with_strides(tiles(draw, draw.mask(2, 1, 5, 10)))


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


def tiles_with_strong_scores(draw):
    return tiles(draw, spread=1e4)


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
    return with_gradients(tiles(draw, draw.mask(5, 10), leading=(2,)))


def tiles_in_float64(draw):
    return with_dtype(tiles(draw, draw.mask(5, 10)), torch.float64)


def tiles_in_bfloat16(draw):
    return with_dtype(tiles(draw, draw.mask(5, 10)), torch.bfloat16)


LOOP = "for start in range(0, key.shape[-2], tile):"
WHOLE_TILES = "for start in range(0, key.shape[-2] // tile * tile, tile):"
HIGHEST_FIRST = 'query.new_full((*query.shape[:-1], 1), float("-inf"))'
NO_ZEROS = ("total = total.masked_fill(total == 0, 1.0)", "pass")
ALLOWED = "allowed = mask[..., here]"
SCORES = "scores = query @ key[..., here, :].transpose(-2, -1)"
HIDE = "scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)"
HIGHEST = "new_highest = torch.maximum(highest, scores.amax(-1, keepdim=True)).detach()"
SHRINK = "shrink = torch.exp(highest - new_highest)"
EXPONENTIALS = "exponentials = torch.exp(scores - new_highest).masked_fill(~allowed, 0.0)"
TOTAL = "total = total * shrink + exponentials.sum(-1, keepdim=True)"
OUTPUT = "output = output * shrink + exponentials @ value[..., here, :]"
KEEP_HIGHEST = "highest = new_highest"
MIXED = "return output / total"
NOT_ERASED = (EXPONENTIALS, EXPONENTIALS.replace(".masked_fill(~allowed, 0.0)", ""))
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
        Property(
            "gradients",
            1,
            "gradients reach query, key and value",
            (tiles_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the query",
            (tiles_in_float64, tiles_in_bfloat16),
            aspects=("dtype",),
        ),
        Property(
            "arguments", 1, "query, key, value and mask stay as they were", aspects=("changed",)
        ),
    ),
    mistakes=(
        Mistake(
            "all_at_once",
            ((LOOP, f"tile = key.shape[-2]\n    {LOOP}"),),
            "The numbers are right, but the scores of all keys are there at once: `tile` makes no "
            "difference.",
            "How many keys should be looked at together?",
            r"attention\(|@|matmul|einsum",
        ),
        Mistake(
            "rest_left_out",
            ((LOOP, f"tile = min(tile, key.shape[-2])\n    {WHOLE_TILES}"),),
            "The last tile is left out where it is not full: your keys end at a multiple of "
            "tile={tile}.",
            "How many keys has the last tile?",
            r"range|//",
            variations=(((LOOP, WHOLE_TILES),),),
        ),
        Mistake(
            "highest_begins_at_zero",
            ((HIGHEST_FIRST, "torch.zeros_like(query[..., :1])"),),
            "Your highest score begins at 0. Where all scores are far below it, their exponentials "
            "are all 0.",
            "Below which number lies every score?",
            r"zeros|= ?0",
            variations=(((HIGHEST_FIRST, "torch.zeros_like(query[..., :1])"), NO_ZEROS),),
        ),
        Mistake(
            "nothing_shrinks",
            (
                (TOTAL, TOTAL.replace(" * shrink", "")),
                (OUTPUT, OUTPUT.replace(" * shrink", "")),
            ),
            "When a tile brings a higher score, your sum and your mixed values stay as large as "
            "they were, though they were measured against a lower one.",
            LOOK_AT_TILES,
            r"\+",
        ),
        Mistake(
            "total_does_not_shrink",
            ((TOTAL, TOTAL.replace(" * shrink", "")),),
            "When a tile brings a higher score, you shrink the mixed values, but not the sum of "
            "the exponentials.",
            LOOK_AT_TILES,
            r"total|sum",
        ),
        Mistake(
            "output_does_not_shrink",
            ((OUTPUT, OUTPUT.replace(" * shrink", "")),),
            "When a tile brings a higher score, you shrink the sum of the exponentials, but not "
            "the mixed values.",
            LOOK_AT_TILES,
            r"output|@|matmul",
        ),
        Mistake(
            "new_part_shrinks",
            (
                (
                    TOTAL,
                    "total = total * shrink + exponentials.sum(-1, keepdim=True) * shrink",
                ),
                (
                    OUTPUT,
                    "output = output * shrink + exponentials @ value[..., here, :] * shrink",
                ),
            ),
            "You shrink the new tile's share together with the old one; the new one is already "
            "measured against the new highest score.",
            LOOK_AT_TILES,
            r"\+",
        ),
        Mistake(
            "nothing_but_nan",
            ((SHRINK, "shrink = torch.exp(new_highest - highest)"),),
            "Your output is NaN from the first tile on. Before it the highest score is -inf: "
            "exp(old - new) is 0 then, but exp(new - old), or exp(score - old), is inf.",
            "Write down your exponentials for the very first tile.",
            r"exp",
            variations=(((EXPONENTIALS, EXPONENTIALS.replace("new_highest", "highest")),),),
        ),
        Mistake(
            "only_last_tile",
            ((KEEP_HIGHEST, "pass"),),
            "Only the last tile counts: what the tiles before have found is lost, or is multiplied "
            "by 0 because the highest score is still -inf.",
            "What has to be remembered until the next tile comes?",
            r"max",
            variations=(
                (
                    (TOTAL, "total = exponentials.sum(-1, keepdim=True)"),
                    (OUTPUT, "output = exponentials @ value[..., here, :]"),
                ),
            ),
        ),
        Mistake(
            "total_of_last_tile",
            ((TOTAL, "total = exponentials.sum(-1, keepdim=True)"),),
            "You divide by the sum of the last tile's exponentials; those of the tiles before are "
            "lost.",
            "What has to be remembered until the next tile comes?",
            r"total|sum",
        ),
        Mistake(
            "output_of_last_tile",
            ((OUTPUT, "output = exponentials @ value[..., here, :]"),),
            "Your mixed values are those of the last tile; those of the tiles before are lost.",
            "What has to be remembered until the next tile comes?",
            r"output|@|matmul",
        ),
        Mistake(
            "highest_of_the_tile",
            (
                (
                    HIGHEST,
                    "new_highest = scores.amax(-1, keepdim=True).detach()",
                ),
            ),
            "Your highest score is that of the last tile, and may be lower than one before: then "
            "exp(old - new) grows beyond all limits.",
            "What is the highest score of all that was seen so far?",
            r"max",
        ),
        Mistake(
            "one_maximum_for_all",
            (
                (
                    HIGHEST,
                    "new_highest = torch.maximum(highest, scores.max()).detach()",
                ),
            ),
            "You take the highest score of the whole tile, of all queries together. A query that "
            "lies far below it has only exponentials of 0 left.",
            "Each query needs a maximum of its own.",
            r"max",
        ),
        Mistake(
            "no_maximum",
            (
                (HIGHEST, "new_highest = torch.zeros_like(highest)"),
                (SHRINK, "shrink = 1.0"),
            ),
            "Small scores come out right, large ones do not: their exponentials overflow to inf, "
            "or are all 0.",
            "What is the highest score for?",
            r"exp",
        ),
        Mistake(
            "divided_in_every_tile",
            ((KEEP_HIGHEST, f"{KEEP_HIGHEST}\n        output = output / total"),),
            "You divide by the sum after every tile; what was divided once is divided again at the "
            "next.",
            "When is the sum complete?",
            r"/",
        ),
        Mistake(
            "tiles_added",
            (
                (TOTAL, "total = torch.ones_like(total)"),
                (
                    OUTPUT,
                    "output = output + exponentials / exponentials.sum(-1, keepdim=True) "
                    "@ value[..., here, :]",
                ),
            ),
            "Each of your tiles has a softmax of its own, and the results are added up: a query's "
            "weights add up to the number of tiles.",
            "Against whose exponentials does a key compete: those of its tile, or all?",
            r"softmax|sum|/",
        ),
        Mistake(
            "tiles_averaged",
            (
                (TOTAL, "total = total + 1"),
                (
                    OUTPUT,
                    "output = output + exponentials / exponentials.sum(-1, keepdim=True) "
                    "@ value[..., here, :]",
                ),
            ),
            "Each of your tiles has a softmax of its own, and the results are averaged: a tile "
            "with low scores counts for as much as one with high scores.",
            "Against whose exponentials does a key compete: those of its tile, or all?",
            r"softmax|mean|sum|/",
            variations=(
                (
                    (TOTAL, "total = total + 1"),
                    (
                        OUTPUT,
                        "output = output + (exponentials / exponentials.sum(-1, keepdim=True))"
                        ".nan_to_num() @ value[..., here, :]",
                    ),
                ),
            ),
        ),
        Mistake(
            "not_divided",
            ((MIXED, "return output"),),
            "Your exponentials are not divided by their sum.",
            "What turns exponentials into shares?",
            r"return",
        ),
        Mistake(
            "mask_ignored",
            (
                (HIDE, "pass"),
                NOT_ERASED,
            ),
            "The output is the same with and without a mask.",
            LOOK_AT_HIDDEN,
            r"mask",
        ),
        Mistake(
            "mask_inverted",
            ((ALLOWED, "allowed = ~mask[..., here]"),),
            "Your mask works the other way round: the keys that should be hidden are the only ones "
            "that count.",
            "True means: may be attended to. Which places are to be filled?",
            r"mask|allowed",
            variations=(
                ((HIDE, HIDE.replace("~", "")), NOT_ERASED),
                ((HIDE, "scores = scores.masked_fill(allowed, float('-inf'))"), NOT_ERASED),
            ),
        ),
        Mistake(
            "hidden_score_zero",
            (
                (HIDE, "scores = scores.masked_fill(~allowed, 0.0)"),
                NOT_ERASED,
            ),
            "Hidden keys get a score of 0, and not of nothing: their exponentials still count.",
            LOOK_AT_HIDDEN,
            r"mask|allowed",
        ),
        Mistake(
            "hidden_by_minus_100",
            (
                (HIDE, "scores = scores.masked_fill(~allowed, -100.0)"),
                NOT_ERASED,
            ),
            "Hidden keys get a score of -100, and that is not low enough: where the visible "
            "scores are lower still, hidden keys count.",
            "Which score has an exponential of exactly 0, however low the others are?",
            r"fill|where|100",
        ),
        Mistake(
            "hidden_by_minus_10000",
            (
                (HIDE, "scores = scores.masked_fill(~allowed, -1e4)"),
                NOT_ERASED,
            ),
            "Hidden keys get a score of -10000, and that is not low enough: where the visible "
            "scores are lower still, hidden keys count.",
            "Which score has an exponential of exactly 0, however low the others are?",
            r"fill|where|1e4|10000",
        ),
        Mistake(
            "hidden_by_infinity",
            (
                (HIDE, "scores = scores.masked_fill(~allowed, float('-inf'))"),
                NOT_ERASED,
            ),
            "Where the first tile is hidden as a whole, your highest score is -inf, and "
            "-inf - -inf is NaN.",
            "What is the highest score of a tile in which everything is hidden?",
            r"inf",
        ),
        Mistake(
            "hidden_only_in_the_sum",
            (
                (HIDE, "pass"),
                NOT_ERASED,
                (
                    "total = total * shrink + exponentials.sum",
                    "total = total * shrink + (exponentials * allowed).sum",
                ),
            ),
            "Hidden keys are left out of the sum, but their values are still mixed in.",
            LOOK_AT_HIDDEN,
            r"mask|allowed",
        ),
        Mistake(
            "hidden_only_in_the_mixture",
            (
                (HIDE, "pass"),
                NOT_ERASED,
                ("+ exponentials @ value", "+ (exponentials * allowed) @ value"),
            ),
            "Hidden keys' values are left out, but their exponentials are still in the sum: the "
            "shares of the others are too small.",
            LOOK_AT_HIDDEN,
            r"mask|allowed",
        ),
        Mistake(
            "hidden_too_late_for_the_maximum",
            ((HIDE, "pass"),),
            "Hidden keys count for nothing, but they take part in the highest score: where a "
            "hidden score is far above the visible ones, those have only exponentials of 0 left.",
            "Whose scores should the highest one be looked for among?",
            r"max",
        ),
        Mistake(
            "scaled_twice",
            ((SCORES, f"{SCORES} / math.sqrt(query.shape[-1])"),),
            "Your scores are divided by the root of d_k={d_k} twice: it has been done to the query "
            "before the loop.",
            "What happens to the query before the loop?",
            r"sqrt|\*\* ?-?0\.5",
        ),
        Mistake(
            "no_scale",
            ((SCORES, SCORES.replace("query @", "query * math.sqrt(query.shape[-1]) @")),),
            "Your scores are not scaled by the root of d_k={d_k}: the weights are too sharp.",
            "Scores grow with the width of the vectors.",
            r"@|matmul|einsum",
        ),
        Mistake(
            "keys_in_place_of_values",
            ((OUTPUT, OUTPUT.replace("value[", "key[")), ("value.shape[-1])", "key.shape[-1])")),
            "Your output is a mixture of the keys: it is {d_k} wide, and values are {d_v} wide.",
            "A key says what a token offers, a value what it hands over. Which one is handed over?",
            r"@|matmul|einsum",
        ),
        graph_cut((MIXED, "return (output / total).detach()"), whom="query, key and value"),
        always_float32(
            (MIXED, "return (output / total).float()"),
            variations=((("query = query / math", f"{ALL_FLOAT}query = query / math"),),),
        ),
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
