"""How scaled_dot_product_attention is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import ATTENTION
from autograder.engine.symptoms import alike, apart, few, number, place_of
from autograder.engine.trial import Call, Trial, call

from ..shared import CUTS, LOOK_FOR_CUTS
from .softmax import LARGE

WEIGHTED = ("output", "weights")


def attend(draw, mask=None, batch=2, heads=3, queries=5, keys=7, d_k=4, d_v=6, spread=1.0):
    """A trial with sizes that are all different."""
    arguments = {
        "query": draw.normal(batch, heads, queries, d_k, scale=spread),
        "key": draw.normal(batch, heads, keys, d_k),
        "value": draw.normal(batch, heads, keys, d_v),
    }
    if mask is not None:
        arguments["mask"] = mask
    names = ("batch", "heads", "queries", "keys", "d_k", "d_v")
    sizes = dict(zip(names, (batch, heads, queries, keys, d_k, d_v)))
    return Trial([Call(arguments, returns=WEIGHTED)], sizes=sizes)


def attention_without_mask(draw):
    return attend(draw)


def attention_without_heads(draw):
    """Two dimensions, and other sizes: nothing may count dimensions from the left."""
    return call(
        WEIGHTED,
        {"queries": 4, "keys": 6, "d_k": 9, "d_v": 5},
        query=draw.normal(4, 9),
        key=draw.normal(6, 9),
        value=draw.normal(6, 5),
    )


def attention_of_sequences(draw):
    return call(
        WEIGHTED,
        {"batch": 3, "queries": 4, "keys": 2, "d_k": 5, "d_v": 7},
        query=draw.normal(3, 4, 5),
        key=draw.normal(3, 2, 5),
        value=draw.normal(3, 2, 7),
    )


def attention_to_one_token(draw):
    return attend(draw, queries=1, keys=1)


def attention_with_mask(draw):
    return attend(draw, draw.mask(2, 3, 5, 7))


def attention_with_shared_mask(draw):
    return attend(draw, draw.mask(5, 7))


def attention_with_padding(draw):
    return attend(draw, draw.mask(2, 1, 1, 7))


def attention_with_strong_scores(draw):
    """Large scores: a hidden key often has the largest one, or all visible ones lie very low."""
    trial = attend(draw, draw.mask(4, 1, 5, 7), batch=4)
    query, key = trial.calls[0].arguments["query"], trial.calls[0].arguments["key"]
    query *= torch.tensor([3e4, 1e5, 2e3, 50.0])[:, None, None, None]
    query[1:] = query[1:].abs() + 1
    key[1:] = -key[1:].abs() - 1  # all scores of these are about as low as the factor is high
    trial.tolerance = LARGE
    return trial


def attention_with_large_scores(draw):
    trial = attend(draw, spread=3e4)
    trial.tolerance = LARGE
    return trial


def attention_gradients(draw):
    trial = attend(draw, draw.mask(5, 7))
    trial.gradients = True
    return trial


def attention_in_float64(draw):
    trial = attend(draw, draw.mask(2, 1, 1, 7))
    trial.dtype = torch.float64
    return trial


def attention_in_bfloat16(draw):
    trial = attend(draw, draw.mask(5, 7))
    trial.dtype = torch.bfloat16
    return trial


def attention_strided(draw):
    trial = attend(draw, draw.mask(2, 1, 5, 7), batch=2)
    trial.strided = True
    return trial


def weights_do_not_add_up(seen):
    """A symptom: rows of weights that do not add up to 1."""
    weights, expected = seen.yours.get("weights"), seen.theirs["weights"]
    if weights is None or weights.shape != expected.shape or not weights.is_floating_point():
        return None
    sums = weights.float().sum(-1)
    if bool((sums - 1).abs().max() < 1e-2):
        return None
    return (
        f"Each query's weights should add up to 1; yours add up to {few(sums)} "
        f"(weights have shape {tuple(weights.shape)})."
    )


def weights_reach_hidden_keys(seen):
    """A symptom: a weight where the mask says False."""
    weights, mask = seen.yours.get("weights"), seen.arguments.get("mask")
    if weights is None or mask is None or weights.shape != seen.theirs["weights"].shape:
        return None
    hidden = weights[~mask.expand(weights.shape)].float()
    if hidden.numel() == 0 or float(hidden.abs().max()) < 1e-5:
        return None
    return (
        f"A weight should be 0 where the mask is False; yours are up to "
        f"{number(hidden.abs().max())} there."
    )


def output_is_no_mixture(seen):
    """A symptom: right weights, wrong output."""
    weights, output = seen.yours.get("weights"), seen.yours.get("output")
    if weights is None or output is None or weights.shape != seen.theirs["weights"].shape:
        return None
    if not alike(weights, seen.theirs["weights"]):
        return None
    theirs = seen.theirs["output"]
    if output.shape != theirs.shape:
        return None
    wrong = (output.double() - theirs.double()).abs().amax(-1)
    worst = int(wrong.argmax())
    rows = [x.reshape(-1, x.shape[-1])[worst] for x in (output, theirs)]
    yours, expected = apart(*rows, count=3)
    return (
        f"Your weights are right, but the output is not what they make of the values: "
        f"{place_of(worst, wrong.shape)} begins with {yours}, expected {expected}."
    )


HIDE = ("scores.masked_fill(~mask, torch.finfo(scores.dtype).min)", "scores")
ERASE = ("weights.masked_fill(~mask, 0.0)", "weights")
SCALE = "/ math.sqrt(d_k)"


def hide_with(value):
    return (HIDE[0], f"scores.masked_fill(~mask, {value})"), ERASE


def hidden_from_all(new):
    """Ways of hiding that differ only where everything is hidden, as in a column of the mask that
    is False from top to bottom: a softmax down that column gives NaN, or all the same."""
    softmax_line = ("softmax(scores, dim=-1)", new)
    infinite = hide_with("float('-inf')")
    return (softmax_line, ERASE), (softmax_line, *infinite), (softmax_line, infinite[0])


def too_small_a_fill(mistake_id, value):
    return Mistake(
        mistake_id,
        hide_with(value),
        f"Hidden keys get a score of {value}, and that is not low enough: where the visible scores "
        "are lower still, or hardly higher, hidden keys get a weight (yours up to "
        "{hidden_weight}).",
        "Which score has a weight of exactly 0, however low the others are?",
        r"fill|where|1e|-10",
    )


def wrong_scale(mistake_id, new, what, look="Whose length makes the dot product grow?"):
    return Mistake(
        mistake_id, ((SCALE, new),), what, look, r"sqrt|\*\* ?-?0\.5|/ ?d|scale|rsqrt|size|shape"
    )


scaled_dot_product_attention = Exercise(
    id="attention.scaled_dot_product_attention",
    properties=(
        Property(
            "values",
            3,
            "output and weights are right where nothing is hidden",
            (attention_without_mask, attention_to_one_token),
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (attention_without_heads, attention_of_sequences, attention_strided),
            look="Count dimensions from the right: -1 for features, -2 for tokens.",
        ),
        Property(
            "mask",
            3,
            "a key that is hidden from a query gets a weight of 0, and the others add up to 1",
            (attention_with_mask, attention_with_shared_mask, attention_with_padding),
            look="The mask is True where a query may attend.",
        ),
        Property(
            "stable",
            1,
            "scores of any size are no trouble, hidden or not",
            (attention_with_strong_scores, attention_with_large_scores),
            look="What happens to your scores before the exponential, if one of them is 50000?",
        ),
        Property(
            "gradients",
            1,
            "gradients reach query, key and value",
            (attention_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the query",
            (attention_in_float64, attention_in_bfloat16),
            aspects=("dtype",),
            look="Does your code make a tensor without saying which dtype?",
        ),
        Property(
            "arguments",
            1,
            "query, key, value and mask stay as they were",
            aspects=("changed",),
        ),
    ),
    mistakes=(
        wrong_scale(
            "no_scale",
            "",
            "Your scores are not scaled: with d_k={d_k} they spread {root} times as far as they "
            "should, so the weights are too sharp.",
            "Scores grow with the width of the vectors. What does the formula divide by?",
        ),
        wrong_scale(
            "scaled_by_width",
            "/ d_k",
            "You divide the scores by d_k={d_k} itself, or by its root twice. The weights come out "
            "too flat.",
            "The spread of a sum of d_k products grows like … what?",
        ),
        Mistake(
            "scaled_twice",
            ((SCALE, "/ math.sqrt(d_k) / math.sqrt(d_k)"),),
            "You divide by the root of d_k twice, which is dividing by d_k={d_k}. The weights come "
            "out too flat.",
            "Look for a second place where the scale is applied.",
            r"sqrt|scale",
            same_as="scaled_by_width",
        ),
        wrong_scale(
            "multiplied_by_root",
            "* math.sqrt(d_k)",
            "You multiply the scores by √d_k; that makes the weights sharper still.",
            "Should the scale make large scores larger, or bring them back?",
        ),
        wrong_scale(
            "scaled_by_value_width",
            "/ math.sqrt(value.shape[-1])",
            "You divide by the root of d_v={d_v}, the width of the values. Scores are made of "
            "queries and keys, and those have d_k={d_k}.",
        ),
        wrong_scale(
            "scaled_by_keys",
            "/ math.sqrt(key.shape[-2])",
            "You divide by the root of {keys}, the number of keys, and not of d_k={d_k}, their "
            "width.",
        ),
        wrong_scale(
            "scaled_by_queries",
            "/ math.sqrt(query.shape[-2])",
            "You divide by the root of the number of queries, and not of d_k, their width.",
        ),
        wrong_scale(
            "scaled_by_second_dimension",
            "/ math.sqrt(query.shape[1])",
            "You divide by the root of query.shape[1]. That is the width only if there are two "
            "dimensions; here it is {heads}, the number of heads.",
            "Count from the right: which index is always the width?",
        ),
        wrong_scale(
            "scaled_by_batch",
            "/ math.sqrt(query.shape[0])",
            "You divide by the root of query.shape[0], which is {batch}, the size of the batch.",
            "Count from the right: which index is always the width?",
        ),
        wrong_scale(
            "scaled_by_model_width",
            "/ math.sqrt(d_k * (query.shape[1] if query.dim() > 3 else 1))",
            "You divide by the root of the width of all heads together; each head's dot product "
            "has only d_k={d_k} terms.",
        ),
        Mistake(
            "scaled_after_softmax",
            ((SCALE, ""), ("softmax(scores, dim=-1)", "softmax(scores, dim=-1) / math.sqrt(d_k)")),
            "You scale after the softmax: your weights add up to {row_sums}, not to 1, and they "
            "are as sharp as if nothing had been scaled.",
            "What has to shrink before the exponential sees it?",
            r"sqrt|scale",
        ),
        Mistake(
            "over_queries",
            (("softmax(scores, dim=-1)", "softmax(scores, dim=-2)"),),
            "Your weights add up to 1 down the columns ({column_sums}) and not along the rows "
            "({row_sums}): the softmax ran over the queries. Each query's row should add up to 1.",
            "Scores have shape (…, query, key): which dimension lists the keys?",
            r"softmax|sum\(",
            variations=hidden_from_all("softmax(scores, dim=-2)"),
        ),
        Mistake(
            "over_heads",
            (("softmax(scores, dim=-1)", "softmax(scores, dim=1)"),),
            "Your weights add up to 1 over dimension 1, the heads, and along a query's row only to "
            "{row_sums}: the softmax ran over dim=1.",
            "Scores have shape (…, query, key): which dimension lists the keys?",
            r"softmax|sum\(",
            variations=hidden_from_all("softmax(scores, dim=1)"),
        ),
        Mistake(
            "over_batch",
            (("softmax(scores, dim=-1)", "softmax(scores, dim=0)"),),
            "Your weights add up to 1 over the batch, and along a query's row only to {row_sums}: "
            "the softmax ran over dim=0.",
            "Scores have shape (…, query, key): which dimension lists the keys?",
            r"softmax|sum\(",
            variations=hidden_from_all("softmax(scores, dim=0)"),
        ),
        Mistake(
            "over_everything",
            (
                (
                    "softmax(scores, dim=-1)",
                    "softmax(scores.flatten(-2), dim=-1).reshape(scores.shape)",
                ),
            ),
            "All the weights of a head together add up to 1, and a query's row only to "
            "{row_sums}: the softmax ran over queries and keys at once.",
            "Every query has a softmax of its own.",
            r"softmax|sum\(",
            variations=hidden_from_all("softmax(scores.flatten(-2), dim=-1).reshape(scores.shape)"),
        ),
        Mistake(
            "no_softmax",
            (("softmax(scores, dim=-1)", "scores"), ERASE),
            "You mix the values by the bare scores: they are negative here and there, and a row "
            "adds up to {row_sums}.",
            "What turns scores into shares?",
            r"@|matmul|einsum|bmm",
        ),
        Mistake(
            "not_stable",
            (
                (
                    "softmax(scores, dim=-1)",
                    "torch.exp(scores) / torch.exp(scores).sum(-1, keepdim=True)",
                ),
            ),
            "Small scores come out right, large ones give NaN: their exponentials overflow before "
            "they are divided.",
            "Take something from all scores of a row first. What?",
            r"exp",
            variations=hidden_from_all(
                "torch.exp(scores) / torch.exp(scores).sum(-1, keepdim=True)"
            ),
        ),
        Mistake(
            "keys_in_place_of_values",
            (("weights @ value", "weights @ key"),),
            "Your output is a mixture of the keys: it is {d_k} wide, and values are {d_v} wide.",
            "A key says what a token offers, a value what it hands over. Which one is handed over?",
            r"@|matmul|einsum|bmm",
        ),
        Mistake(
            "mean_of_values",
            (
                (
                    "weights @ value",
                    "torch.ones_like(weights) / weights.shape[-1] @ value",
                ),
            ),
            "Your weights are right, but the output ignores them: it is the plain mean of all "
            "values, the same for every query.",
            "What decides how much of each value a query gets?",
            r"mean|@|sum",
        ),
        Mistake(
            "strongest_value_only",
            (
                (
                    "weights @ value",
                    "torch.zeros_like(weights).scatter(-1, weights.argmax(-1, keepdim=True), 1.0) "
                    "@ value",
                ),
            ),
            "Your output takes only the value of the strongest key, instead of mixing all values "
            "in proportion to the weights.",
            "A choice has no gradient; a mixture does.",
            r"argmax|max",
        ),
        Mistake(
            "swapped_results",
            (("return output, weights", "return weights, output"),),
            "You return (weights, output); expected is (output, weights).",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "only_output",
            (("return output, weights", "return output"),),
            "You return the output alone; expected are two things, (output, weights).",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "scores_in_place_of_weights",
            (("return output, weights", "return output, scores"),),
            "The output is right, but the second thing that you return are the scores from before "
            "the softmax.",
            "The learner of lesson 2 wants to draw weights: shares between 0 and 1.",
            r"return",
        ),
        Mistake(
            "mask_inverted",
            (
                (HIDE[0], "scores.masked_fill(mask, torch.finfo(scores.dtype).min)"),
                (ERASE[0], "weights.masked_fill(mask, 0.0)"),
            ),
            "Your mask works the other way round: the keys that should be hidden get all the "
            "weight ({hidden_share} of a row, on average).",
            "True means: may be attended to. Which places are to be filled?",
            r"mask",
        ),
        Mistake(
            "mask_ignored",
            (HIDE, ERASE),
            "Your weights are the same with and without a mask: hidden keys get {hidden_share} of "
            "a row, on average.",
            "Is the mask used anywhere?",
            r"mask",
        ),
        Mistake(
            "hidden_score_zero",
            hide_with("0.0"),
            "Hidden keys get a score of 0, and exp(0) is 1: they still get a weight (yours up to "
            "{hidden_weight}).",
            "Which score has a weight of exactly 0?",
            r"mask",
        ),
        Mistake(
            "scores_times_mask",
            ((HIDE[0], "scores * mask"), ERASE),
            "Multiplying the scores by the mask gives hidden keys a score of 0, and exp(0) is 1: "
            "they still get a weight (yours up to {hidden_weight}).",
            "Which score has a weight of exactly 0?",
            r"mask",
            same_as="hidden_score_zero",
        ),
        too_small_a_fill("hidden_by_minus_1", "-1.0"),
        too_small_a_fill("hidden_by_minus_10", "-10.0"),
        too_small_a_fill("hidden_by_minus_100", "-100.0"),
        too_small_a_fill("hidden_by_minus_10000", "-1e4"),
        Mistake(
            "minus_10000_added",
            ((HIDE[0], "scores + (~mask) * -1e4"), ERASE),
            "You add -10000 to hidden scores. Where a hidden key has a score that is larger than "
            "the others by more than that, it still gets a weight (yours up to {hidden_weight}).",
            "Which score has a weight of exactly 0, however low the others are?",
            r"1e|10000|10_000",
        ),
        Mistake(
            "erased_after_softmax",
            (HIDE,),
            "You set weights to 0 after the softmax, so what is left no longer adds up to 1: a "
            "row adds up to {row_sums}.",
            "Hide a key before the shares are worked out.",
            r"mask",
        ),
        Mistake(
            "mask_added",
            ((HIDE[0], "scores + mask"), ERASE),
            "Adding a boolean mask adds 1 to the visible scores and 0 to the hidden ones: hidden "
            "keys still get {hidden_share} of a row, on average.",
            "What would have to be added to a hidden score to make its weight 0?",
            r"mask",
        ),
        Mistake(
            "infinity_times_zero",
            (
                (
                    HIDE[0],
                    "scores + (1.0 - mask.to(scores.dtype)) * float('-inf')",
                ),
                ERASE,
            ),
            "Where the mask is True you multiply 0 by -inf, and that is NaN; it spreads over the "
            "whole row.",
            "Put -inf only where it belongs, instead of multiplying by it everywhere.",
            r"inf",
        ),
        Mistake(
            "all_dimensions_reversed",
            (("key.transpose(-2, -1)", "key.permute(*reversed(range(key.dim())))"),),
            "`.T` turns round all dimensions of a tensor; with keys of shape {key} that mixes "
            "batch and features.",
            "Only the last two dimensions are to change places.",
            r"\.T\b|\.t\(|permute",
        ),
        Mistake(
            "dimensions_counted_from_left",
            (("key.transpose(-2, -1)", "key.transpose(1, 2)"),),
            "transpose(1, 2) swaps the right dimensions only if there are three; in keys of shape "
            "{key} they are others.",
            "Count dimensions from the right.",
            r"transpose|permute",
        ),
        Mistake(
            "weights_cut_off",
            (
                (
                    "    output = weights @ value",
                    "    weights = weights.detach()\n    output = weights @ value",
                ),
            ),
            "The numbers are right, but no gradient reaches query and key: they could never learn "
            "what to look for.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "graph_cut",
            (("return output, weights", "return output.detach(), weights.detach()"),),
            "The numbers are right, but no gradient gets through: nothing in front of your "
            "attention could be trained.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "query_scaled_in_place",
            (
                (
                    "scores = query @ key.transpose(-2, -1) / math.sqrt(d_k)",
                    "query /= math.sqrt(d_k)\n    scores = query @ key.transpose(-2, -1)",
                ),
            ),
            "The result is right, but the caller's query holds other numbers afterwards: you scale "
            "it in place.",
            "`query /= …` writes into the tensor that came in.",
            r"/=|\*=|div_|mul_",
        ),
        Mistake(
            "always_float32",
            (
                (
                    "return output, weights",
                    "return output.to(torch.float32), weights.to(torch.float32)",
                ),
            ),
            "Whatever dtype comes in, your output and weights are float32.",
            "Where does your code name a dtype, or make a tensor without naming one?",
            r"float|zeros|ones|empty|torch\.tensor",
        ),
    ),
    hints=(
        "Follow one query on paper: its dot product with every key, then shares, then a mixture "
        "of values. Write the shape beside each step.",
        "Scores are all dot products at once, made smaller as the formula says. Hide keys while "
        "they are still scores, so that the shares of the others add up to 1.",
        "Five lines: scores (…, query, key) by a matrix product with the keys turned; scaled by "
        "the width; hidden scores as low as can be, if there is a mask; softmax over the keys; "
        "a matrix product with the values.",
    ),
    refuses=ATTENTION,
    instead="write scores, weights and mixture yourself (torch.softmax is fine).",
    measures={
        "root": lambda seen: number(seen["d_k"] ** 0.5),
        "row_sums": lambda seen: few(seen.yours["weights"].sum(-1)),
        "column_sums": lambda seen: few(seen.yours["weights"].sum(-2)),
        "hidden_weight": lambda seen: number(hidden(seen).max()),
        "hidden_share": lambda seen: f"{100 * float(hidden_per_row(seen)):.0f} %",
        "heads": lambda seen: seen.arguments["query"].shape[1],
        "batch": lambda seen: seen.arguments["query"].shape[0],
    },
    symptoms=(weights_do_not_add_up, weights_reach_hidden_keys, output_is_no_mixture),
)


def hidden(seen):
    """The learner's weights where the mask is False."""
    weights = seen.yours["weights"].float()
    return weights[~seen.arguments["mask"].expand(weights.shape)]


def hidden_per_row(seen):
    """The learner's weight on hidden keys, for an average query."""
    weights = seen.yours["weights"].float()
    return (weights * ~seen.arguments["mask"]).sum(-1).mean()
