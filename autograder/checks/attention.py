"""Lesson 1: how attention is checked."""

import torch

from ..exercise import Exercise, Mistake, Property
from ..ready_made import ATTENTION, SOFTMAX
from ..symptoms import few, number
from ..trial import Call, Trial, call

# --- softmax --------------------------------------------------------------------------------------


def softmax_of_scores(draw):
    return call(x=draw.normal(2, 3, 5), dim=-1)


def softmax_without_dim(draw):
    return call(x=draw.normal(4, 6))


def softmax_of_one_score(draw):
    return call(x=draw.normal(3, 1), dim=-1)


def softmax_along_first(draw):
    return call(x=draw.normal(4, 3, 5), dim=0)


def softmax_along_middle(draw):
    return call(x=draw.normal(2, 5, 4), dim=1)


# exp(x - logsumexp(x)) is a right softmax, too; in float32 it keeps three digits of large scores.
LARGE = 300.0


def softmax_of_large_scores(draw):
    trial = call(x=draw.normal(3, 6, scale=1e4), dim=-1)
    trial.tolerance = LARGE
    return trial


def softmax_of_distant_rows(draw):
    """Rows whose scores lie thousands apart: each needs a shift of its own."""
    trial = call(x=draw.normal(3, 6) + torch.tensor([[-5000.0], [0.0], [3000.0]]), dim=-1)
    trial.tolerance = LARGE
    return trial


def softmax_of_ruled_out(draw):
    """In some rows all that is left lies low, so that a low number is no stand-in for -inf."""
    x = draw.normal(4, 6) - torch.tensor([[0.0], [0.0], [1e3], [9e3]])
    x[0, 1] = x[1, 0] = x[1, 5] = x[2, 3] = x[3, 2] = float("-inf")
    trial = call(x=x, dim=-1)
    trial.tolerance = LARGE
    return trial


def softmax_gradients(draw):
    trial = call(x=draw.normal(3, 7), dim=-1)
    trial.gradients = True
    return trial


def softmax_in_float64(draw):
    trial = call(x=draw.normal(3, 7), dim=-1)
    trial.dtype = torch.float64
    return trial


def softmax_in_bfloat16(draw):
    trial = call(x=draw.normal(3, 7), dim=-1)
    trial.dtype = torch.bfloat16
    return trial


def softmax_strided(draw):
    trial = call(x=draw.normal(5, 3), dim=-1)
    trial.strided = True
    return trial


def adds_up(dim):
    """A measure: what the output adds up to along a dimension."""
    return lambda seen: few(seen.yours["output"].sum(dim))


softmax = Exercise(
    id="attention.softmax",
    properties=(
        Property(
            "values",
            2,
            "the weights along the last dimension are right",
            (softmax_of_scores, softmax_without_dim, softmax_of_one_score, softmax_strided),
        ),
        Property(
            "dim",
            1,
            "`dim` says along which dimension they add up to 1",
            (softmax_along_first, softmax_along_middle),
        ),
        Property(
            "stable",
            2,
            "scores of any size give numbers, and a score of -inf exactly 0",
            (softmax_of_large_scores, softmax_of_distant_rows, softmax_of_ruled_out),
            look="What is the largest number whose exponential still fits into a float?",
        ),
        Property(
            "gradients",
            1,
            "gradients flow back to the scores",
            (softmax_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the scores",
            (softmax_in_float64, softmax_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "the scores that came in stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "not_stable",
            (("torch.exp(x - highest)", "torch.exp(x)"),),
            "Small scores come out right, but large ones give NaN: exp(100) no longer fits into "
            "float32, and inf / inf is not a number.",
            "What could you take from all scores of a row, so that the fraction stays the same "
            "and no exponential is large?",
            r"exp",
        ),
        Mistake(
            "shifted_by_mean",
            (("x.amax(dim, keepdim=True)", "x.mean(dim, keepdim=True)"),),
            "You subtract the mean of the scores. That leaves large numbers where scores lie far "
            "apart, and their exponentials overflow to inf.",
            "Which number must you subtract for the largest exponent to be 0?",
            r"mean",
        ),
        Mistake(
            "shifted_by_minimum",
            (("x.amax(dim, keepdim=True)", "x.amin(dim, keepdim=True)"),),
            "You subtract the smallest score, so all that is left is positive, and large "
            "exponentials overflow to inf.",
            "Which number must you subtract for the largest exponent to be 0?",
            r"min",
        ),
        Mistake(
            "shifted_by_everything",
            (("x.amax(dim, keepdim=True)", "x.max()"),),
            "You subtract the largest score of the whole tensor. A row that lies far below it "
            "has only exponentials of 0 left, and 0 / 0 is not a number.",
            "Each row along `dim` needs a maximum of its own.",
            r"max",
        ),
        Mistake(
            "shifted_by_magnitude",
            (("x.amax(dim, keepdim=True)", "x.abs().amax(dim, keepdim=True)"),),
            "You subtract the largest magnitude. In a row of large negative scores that pushes "
            "all exponentials to 0, and 0 / 0 is not a number.",
            "Is the largest magnitude the largest score, if all scores are negative?",
            r"abs",
        ),
        Mistake(
            "over_everything",
            (
                ("x.amax(dim, keepdim=True)", "x.max()"),
                ("exponentials.sum(dim, keepdim=True)", "exponentials.sum()"),
            ),
            "All your weights together add up to {total}, and those along `dim` only to {sums}, …: "
            "you divide by the sum of all exponentials.",
            "Along which dimension should the weights add up to 1?",
            r"sum\(",
        ),
        Mistake(
            "no_keepdim",
            (("exponentials.sum(dim, keepdim=True)", "exponentials.sum(dim)"),),
            "Your sum has lost the dimension it ran over, so it no longer lines up with the "
            "scores when you divide (torch lines shapes up from the right).",
            "Print the shapes of both sides of the division. How can a sum keep its dimension, "
            "with size 1?",
            r"sum\(",
        ),
        Mistake(
            "maximum_without_keepdim",
            (("x.amax(dim, keepdim=True)", "x.amax(dim)"),),
            "Your maximum has lost the dimension it ran over, so it no longer lines up with the "
            "scores when you subtract (torch lines shapes up from the right).",
            "Print the shapes of both sides of the subtraction. How can a maximum keep its "
            "dimension, with size 1?",
            r"max",
        ),
        Mistake(
            "dim_ignored",
            (
                ("x.amax(dim, keepdim=True)", "x.amax(-1, keepdim=True)"),
                ("exponentials.sum(dim, keepdim=True)", "exponentials.sum(-1, keepdim=True)"),
            ),
            "Your weights always add up to 1 along the last dimension, whatever `dim` says.",
            "Look for a -1 that should be `dim`.",
            r"-1",
        ),
        Mistake(
            "dim_ignored_in_sum",
            (("exponentials.sum(dim, keepdim=True)", "exponentials.sum(-1, keepdim=True)"),),
            "Your maximum runs along `dim`, but your sum always along the last dimension.",
            "Look for a -1 that should be `dim`.",
            r"-1",
        ),
        Mistake(
            "always_first_dim",
            (
                ("x.amax(dim, keepdim=True)", "x.amax(0, keepdim=True)"),
                ("exponentials.sum(dim, keepdim=True)", "exponentials.sum(0, keepdim=True)"),
            ),
            "Your weights always add up to 1 along dimension 0, whatever `dim` says.",
            "Look for a 0 that should be `dim`.",
            r"0",
        ),
        Mistake(
            "not_normalised",
            (("return exponentials / total", "return exponentials"),),
            "Your weights add up to {sums}, and not to 1: the exponentials are not divided by "
            "their sum.",
            "What turns positive numbers into shares of a whole?",
            r"return",
        ),
        Mistake(
            "no_exponential",
            (
                ("torch.exp(x - highest)", "x"),
                ("highest = x.amax(dim, keepdim=True).detach()", ""),
            ),
            "You divide the scores by their sum, without the exponential: some weights are "
            "negative or above 1 (yours lie between {least} and {most}).",
            "What makes every number positive, and keeps their order?",
            r"/",
        ),
        Mistake(
            "base_two",
            (("torch.exp(x - highest)", "torch.exp2(x - highest)"),),
            "Your weights add up to 1, but they are flatter than they should be: those of powers "
            "of 2, not of e.",
            "Which base does the exponential in the formula have?",
            r"exp2|2 ?\*\*|pow",
        ),
        Mistake(
            "logarithm",
            (("return exponentials / total", "return torch.log(exponentials / total)"),),
            "Your result is negative ({few}): it is the logarithm of the weights.",
            "Weights are shares: none is negative.",
            r"log",
        ),
        Mistake(
            "sigmoid",
            (
                ("torch.exp(x - highest)", "torch.sigmoid(x)"),
                ("return exponentials / total", "return exponentials"),
            ),
            "Every score is squeezed between 0 and 1 on its own, so your weights add up to {sums}: "
            "that is a sigmoid.",
            "The weights of a row compete: what one gets, the others do not.",
            r"sigmoid|exp",
        ),
        Mistake(
            "squared",
            (("return exponentials / total", "return (exponentials / total) ** 2"),),
            "Your weights are the squares of the right ones, and add up to {sums}.",
            "Compare the exponent in your code with the formula.",
            r"\*\*|square|pow",
        ),
        Mistake(
            "graph_cut",
            (("return exponentials / total", "return (exponentials / total).detach()"),),
            "The weights are right, but no gradient gets back to the scores, so nothing in front "
            "of your softmax could be trained.",
            "Look for .detach(), .data, .item(), .numpy(), torch.tensor(...) or torch.no_grad().",
            r"detach|\.data|item|numpy|no_grad|torch\.tensor",
        ),
        Mistake(
            "changes_scores",
            (("torch.exp(x - highest)", "torch.exp(x.sub_(highest))"),),
            "The weights are right, but the caller's scores are other numbers afterwards: you "
            "subtract in place.",
            "`x -= …` and names that end in `_` write into the tensor that came in.",
            r"-=|sub_|exp_",
        ),
        Mistake(
            "always_float32",
            (("return exponentials / total", "return (exponentials / total).to(torch.float32)"),),
            "Whatever the dtype of the scores, your weights are float32.",
            "Where does your code name a dtype?",
            r"float",
        ),
    ),
    hints=(
        "Take three scores, 1, 2 and 3, and work out their weights on paper first.",
        "Exponentials make all numbers positive, a sum turns them into shares. The same number "
        "taken from all scores changes nothing in the fraction: choose it so that nothing can "
        "overflow.",
        "Four steps: the maximum along dim, the exponentials of what lies below it, their sum "
        "along dim, and a division. Maximum and sum must keep the dimension, with size 1.",
    ),
    refuses=SOFTMAX,
    instead="write it with exponentials and a sum.",
    measures={
        "sums": adds_up(-1),
        "total": lambda seen: number(seen.yours["output"].sum()),
        "few": lambda seen: few(seen.yours["output"]),
        "least": lambda seen: number(seen.yours["output"].min()),
        "most": lambda seen: number(seen.yours["output"].max()),
    },
)

# --- Scaled dot-product attention -----------------------------------------------------------------

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
    if not torch.allclose(weights.double(), seen.theirs["weights"].double(), atol=1e-2):
        return None
    return (
        f"Your weights are right, but the output is not what they make of the values: it begins "
        f"with {few(output, 3)}, expected {few(seen.theirs['output'], 3)}."
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
            "Look for .detach(), .data, .item(), .numpy(), torch.tensor(...) or torch.no_grad().",
            r"detach|\.data|item|numpy|no_grad|torch\.tensor",
        ),
        Mistake(
            "graph_cut",
            (("return output, weights", "return output.detach(), weights.detach()"),),
            "The numbers are right, but no gradient gets through: nothing in front of your "
            "attention could be trained.",
            "Look for .detach(), .data, .item(), .numpy(), torch.tensor(...) or torch.no_grad().",
            r"detach|\.data|item|numpy|no_grad|torch\.tensor",
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


# --- Masks ----------------------------------------------------------------------------------------


def causal_mask_of_some(draw):
    return call(length=draw.integer(5, 9))


def causal_mask_of_one(draw):
    return call(length=1)


def causal_mask_of_others(draw):
    """A short one after a long one, and one with more positions than a byte can count."""
    return Trial([Call({"length": 7}), Call({"length": 3}), Call({"length": 300})])


def what_a_mask_shows(seen):
    """A symptom: which places of a mask are wrong."""
    yours, expected = seen.yours["output"], seen.theirs["output"]
    if yours.shape != expected.shape or yours.dtype != torch.bool:
        return None
    opened, closed = (yours & ~expected).nonzero(), (~yours & expected).nonzero()
    if not len(opened) and not len(closed):
        return None
    place = (opened if len(opened) else closed)[0].tolist()
    what = "True, expected False" if len(opened) else "False, expected True"
    return f"{len(opened) + len(closed)} places of your mask are wrong: at {place} it is {what}."


SEE = ("return key <= query", "return {}")


def sees(mistake_id, new, says, look, line="tril|triu|<|>|return", same_as=""):
    return Mistake(mistake_id, ((SEE[0], f"return {new}"),), says, look, line, same_as)


causal_mask = Exercise(
    id="attention.causal_mask",
    properties=(
        Property(
            "values",
            2,
            "a position sees itself and the past, and no future",
            (causal_mask_of_some,),
        ),
        Property(
            "lengths",
            1,
            "any length will do, one after the other",
            (causal_mask_of_one, causal_mask_of_others),
        ),
        Property("dtype", 1, "the mask is boolean", aspects=("dtype",)),
    ),
    mistakes=(
        sees(
            "not_itself",
            "key < query",
            "Your diagonal is False: a position does not see itself, and the first one sees "
            "nothing at all.",
            "May a token look at itself?",
        ),
        sees(
            "sees_next",
            "key <= query + 1",
            "Every position sees one token too many, the next one; that is the one it will have "
            "to predict.",
            "Look at the first row: how many True should be in it?",
        ),
        sees(
            "inverted",
            "key > query",
            "Your mask is the other way round: True stands for the future.",
            "True means: may be attended to.",
        ),
        sees(
            "upper_triangle",
            "key >= query",
            "Your mask shows the future and hides the past: it is the upper triangle, where the "
            "lower is asked for. Rows are queries, columns are keys.",
            "Look at the first row: what may the first token see?",
        ),
        sees(
            "sees_everything",
            "key >= 0 * query",
            "Your mask is True everywhere: nothing is hidden.",
            "Which keys lie in a query's future?",
        ),
        sees(
            "only_itself",
            "key == query",
            "Every position sees only itself: you have made the diagonal.",
            "What came before may be seen as well.",
        ),
        sees(
            "loses_first",
            "(key <= query) & (key > 0)",
            "The first column is False: nobody sees the first token.",
            "Positions count from 0.",
        ),
        sees(
            "one_step_back_only",
            "(key <= query) & (key >= query - 1)",
            "Every position sees itself and one token before, and nothing further back.",
            "The past has no end.",
        ),
        sees(
            "floats",
            "(key <= query).float()",
            "Your mask holds 1 and 0 as float32; expected is boolean, True and False.",
            "A comparison is boolean by itself.",
            r"ones|zeros|float|tril",
        ),
        sees(
            "integers",
            "(key <= query).long()",
            "Your mask holds 1 and 0 as whole numbers; expected is boolean, True and False.",
            "A comparison is boolean by itself.",
            r"ones|zeros|int|long|tril",
        ),
        sees(
            "minus_infinity",
            "torch.zeros(length, length).masked_fill(key > query, float('-inf'))",
            "Your mask holds 0 and -inf, to be added to scores; expected is boolean: True where a "
            "query may attend.",
            "Which of the two does the docstring ask for?",
            r"inf|fill",
        ),
        sees(
            "extra_dimension",
            "(key <= query)[None]",
            "Your mask has shape {your_shape}; expected is {expected_shape}: it broadcasts by "
            "itself.",
            "Compare the shape with the docstring.",
            r"None|unsqueeze|view",
        ),
        Mistake(
            "one_too_long",
            (("torch.arange(length, device=device)", "torch.arange(length + 1, device=device)"),),
            "Your mask has shape {your_shape}; expected is {expected_shape}.",
            "How many positions are there from 0 to length - 1?",
            r"\+ ?1",
        ),
    ),
    hints=(
        "Draw the mask for three tokens as a table, rows for queries and columns for keys.",
        "A key may be seen if its position is not after the query's: that is one comparison "
        "between all pairs of positions.",
        "Make the positions 0 … length - 1 once as a column and once as a row; comparing the two "
        "gives (length, length).",
    ),
    measures={
        "your_shape": lambda seen: tuple(seen.yours["output"].shape),
        "expected_shape": lambda seen: tuple(seen.theirs["output"].shape),
    },
    symptoms=(what_a_mask_shows,),
)


def padding_at_the_end(draw):
    return call(tokens=draw.tokens(3, 6, 20))


def padding_by_another_number(draw):
    """Pad is no longer 0, and 0 is a real token."""
    tokens = draw.tokens(3, 5, 9, pad=7)
    tokens[0, 1] = 0
    return call(tokens=tokens, pad=7)


def padding_anywhere(draw):
    """Padding on the left, and between tokens."""
    tokens = draw.tokens(4, 7, 20)
    tokens[0, :2] = tokens[1, 3] = 0
    tokens[0, 3] = tokens[1, 6] = 5
    return call(tokens=tokens)


def padding_of_one_token(draw):
    return call(tokens=draw.tokens(1, 1, 20))


def padding_of_one_sequence(draw):
    return call(tokens=draw.tokens(1, 4, 20))


REAL = "return real[:, None, None, :]"

padding_mask = Exercise(
    id="attention.padding_mask",
    properties=(
        Property(
            "values",
            2,
            "padding is hidden, and tokens are not",
            (padding_at_the_end, padding_anywhere),
        ),
        Property(
            "pad",
            1,
            "`pad` says which number is padding",
            (padding_by_another_number,),
        ),
        Property(
            "sizes",
            1,
            "a batch of one and a single token will do",
            (padding_of_one_token, padding_of_one_sequence),
        ),
        Property("dtype", 1, "the mask is boolean", aspects=("dtype",)),
        Property("arguments", 1, "the tokens stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "inverted",
            (("tokens != pad", "tokens == pad"),),
            "Your mask is the other way round: it shows the padding and hides the tokens.",
            "True means: may be attended to.",
            r"==|!=",
        ),
        Mistake(
            "pad_ignored",
            (("tokens != pad", "tokens != 0"),),
            "With pad=7 you still hide the token 0: the number that stands for padding is not "
            "used.",
            "Which of your lines should speak of `pad`?",
            r"0|bool",
        ),
        Mistake(
            "greater_than_pad",
            (("tokens != pad", "tokens > pad"),),
            "Tokens with a smaller number than pad are hidden, too: with pad=0 that never shows.",
            "What is a token, if it is not padding?",
            r">",
        ),
        Mistake(
            "less_than_pad",
            (("tokens != pad", "tokens < pad"),),
            "Only tokens with a smaller number than pad are seen.",
            "What is a token, if it is not padding?",
            r"<",
        ),
        Mistake(
            "two_dimensions",
            ((REAL, "return real"),),
            "Your mask has shape (batch, length), {your_shape}. Against weights (batch, heads, "
            "query, key) torch would take its rows for queries; expected is {expected_shape}.",
            "Where must dimensions of size 1 stand, so that every head and every query sees the "
            "same?",
            r"return",
        ),
        Mistake(
            "three_dimensions",
            ((REAL, "return real[:, None, :]"),),
            "Your mask has shape {your_shape}: it lacks a dimension for the heads; expected is "
            "{expected_shape}.",
            "Weights are (batch, heads, query, key): which of these does a mask not depend on?",
            r"None|unsqueeze|view|reshape",
        ),
        Mistake(
            "hides_queries",
            ((REAL, "return real[:, None, :, None]"),),
            "Your mask has shape {your_shape}: that hides the queries that are padding, and lets "
            "everybody look at padded keys; expected is {expected_shape}.",
            "Weights are (batch, heads, query, key): which of the last two is to be hidden?",
            r"None|unsqueeze|view|reshape",
        ),
        Mistake(
            "batch_in_third_place",
            ((REAL, "return real[None, None]"),),
            "Your mask has shape {your_shape}: the batch stands where the queries belong; "
            "expected is {expected_shape}.",
            "Weights are (batch, heads, query, key).",
            r"None|unsqueeze|view|reshape",
        ),
        Mistake(
            "queries_and_keys",
            ((REAL, "return real[:, None, :, None] & real[:, None, None, :]"),),
            "Your mask has shape {your_shape}: it hides padded queries as well, which then may "
            "attend to nothing; expected is {expected_shape}.",
            "What a padded query sees does no harm: nobody reads it.",
            r"&|\*|@|logical",
        ),
        Mistake(
            "floats",
            ((REAL, "return real[:, None, None, :].float()"),),
            "Your mask holds 1 and 0 as float32; expected is boolean, True and False.",
            "A comparison is boolean by itself.",
            r"float",
        ),
        Mistake(
            "integers",
            ((REAL, "return real[:, None, None, :].long()"),),
            "Your mask holds 1 and 0 as whole numbers; expected is boolean, True and False.",
            "A comparison is boolean by itself.",
            r"int|long",
        ),
    ),
    hints=(
        "Which of the numbers in `tokens` are real tokens? That is one comparison.",
        "The weights that the mask will meet have shape (batch, heads, query, key). The mask "
        "depends on two of these only.",
        "Compare, then put dimensions of size 1 where heads and queries stand.",
    ),
    measures={
        "your_shape": lambda seen: tuple(seen.yours["output"].shape),
        "expected_shape": lambda seen: tuple(seen.theirs["output"].shape),
    },
    symptoms=(what_a_mask_shows,),
)

# --- Self-attention -------------------------------------------------------------------------------


def project(draw, mask=None, leading=(2,), length=5, d_model=6, d_k=4, d_v=3):
    arguments = {
        "x": draw.normal(*leading, length, d_model),
        "w_query": draw.normal(d_model, d_k),
        "w_key": draw.normal(d_model, d_k),
        "w_value": draw.normal(d_model, d_v),
    }
    if mask is not None:
        arguments["mask"] = mask
    sizes = {"length": length, "d_model": d_model, "d_k": d_k, "d_v": d_v}
    return Trial([Call(arguments, returns=WEIGHTED)], sizes=sizes)


def self_attention_of_batch(draw):
    return project(draw)


def self_attention_of_one_sequence(draw):
    return project(draw, leading=(), length=4, d_model=5, d_k=9, d_v=7)


def self_attention_of_one_token(draw):
    return project(draw, length=1)


def self_attention_more_dimensions(draw):
    return project(draw, leading=(2, 3), length=4, d_model=7, d_k=5, d_v=6)


def self_attention_with_mask(draw):
    return project(draw, draw.mask(5, 5))


def self_attention_gradients(draw):
    trial = project(draw, draw.mask(2, 5, 5))
    trial.gradients = True
    return trial


def self_attention_in_float64(draw):
    trial = project(draw)
    trial.dtype = torch.float64
    return trial


def self_attention_in_bfloat16(draw):
    trial = project(draw)
    trial.dtype = torch.bfloat16
    return trial


CALL = "return scaled_dot_product_attention(query, key, value, mask)"
PROJECT = {name: f"{name} = x @ w_{name}" for name in ("query", "key", "value")}

self_attention = Exercise(
    id="attention.self_attention",
    properties=(
        Property(
            "values",
            2,
            "output and weights are right",
            (self_attention_of_batch, self_attention_of_one_token),
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (self_attention_of_one_sequence, self_attention_more_dimensions),
        ),
        Property("mask", 1, "the mask is respected", (self_attention_with_mask,)),
        Property(
            "gradients",
            1,
            "gradients reach x and all three weights",
            (self_attention_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (self_attention_in_float64, self_attention_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x and the weights stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "key_from_query_weights",
            ((PROJECT["key"], "key = x @ w_query"),),
            "Your keys are made with w_query, so what a token looks for and what it offers is the "
            "same.",
            "There are three weights; which of your lines uses which?",
            r"w_query",
        ),
        Mistake(
            "query_from_key_weights",
            ((PROJECT["query"], "query = x @ w_key"),),
            "Your queries are made with w_key.",
            "There are three weights; which of your lines uses which?",
            r"w_key",
        ),
        Mistake(
            "query_and_key_swapped",
            ((PROJECT["query"], "query = x @ w_key"), (PROJECT["key"], "key = x @ w_query")),
            "Queries are made with w_key and keys with w_query: all scores are there, but who "
            "asks and who answers has been swapped.",
            "There are three weights; which of your lines uses which?",
            r"w_key",
        ),
        Mistake(
            "value_from_key_weights",
            ((PROJECT["value"], "value = x @ w_key"),),
            "Your values are made with w_key: the output is {d_k} wide, expected is d_v={d_v}.",
            "There are three weights; which of your lines uses which?",
            r"value",
        ),
        Mistake(
            "values_not_projected",
            ((PROJECT["value"], "value = x"),),
            "You mix the tokens themselves, and not their values: the output is {d_model} wide, "
            "expected is d_v={d_v}.",
            "What does a token hand over?",
            r"value|x\)",
        ),
        Mistake(
            "keys_as_values",
            ((CALL, "return scaled_dot_product_attention(query, key, key, mask)"),),
            "You mix the keys, and not the values: the output is {d_k} wide, expected is "
            "d_v={d_v}.",
            "What does a token hand over?",
            r"attention",
            same_as="value_from_key_weights",
        ),
        Mistake(
            "mask_ignored",
            ((CALL, "return scaled_dot_product_attention(query, key, value)"),),
            "The result is right without a mask, and the same with one: the mask is not handed on.",
            "Who needs to know about the mask?",
            r"attention",
        ),
        Mistake(
            "only_output",
            ((CALL, CALL + "[0]"),),
            "You return the output alone; expected are two things, (output, weights).",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "swapped_results",
            ((CALL, CALL + "[::-1]"),),
            "You return (weights, output); expected is (output, weights).",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "no_scale",
            (
                (
                    CALL,
                    "return scaled_dot_product_attention("
                    "query * query.shape[-1] ** 0.5, key, value, mask)",
                ),
            ),
            "The scores are not scaled: with d_k={d_k} the weights are too sharp.",
            "The function that you wrote before does all of this already.",
            r"@|matmul|einsum",
        ),
        Mistake(
            "scaled_by_model_width",
            (
                (
                    CALL,
                    "return scaled_dot_product_attention("
                    "query * (query.shape[-1] / x.shape[-1]) ** 0.5, key, value, mask)",
                ),
            ),
            "The scores are divided by the root of d_model={d_model}; queries and keys are only "
            "d_k={d_k} wide.",
            "Whose length makes the dot product grow?",
            r"sqrt|\*\*",
        ),
        Mistake(
            "weights_transposed",
            (
                (PROJECT["query"], "query = x @ w_query.T"),
                (PROJECT["key"], "key = x @ w_key.T"),
                (PROJECT["value"], "value = x @ w_value.T"),
            ),
            "You turn the weights round before you multiply, and the sizes no longer fit: x is "
            "{x}, w_query {w_query}.",
            "Is a transpose needed, if the weights are (d_model, d_k)?",
            r"\.T|transpose|F\.linear|linear\(",
        ),
        Mistake(
            "x_in_place_of_queries",
            ((PROJECT["query"], "query = x"), (PROJECT["key"], "key = x")),
            "You compare the tokens themselves: neither queries nor keys are projected.",
            "What are w_query and w_key for?",
            r"attention|@",
        ),
        Mistake(
            "always_float32",
            ((CALL, f"a, b = {CALL[7:]}\n    return a.to(torch.float32), b.to(torch.float32)"),),
            "Whatever dtype comes in, your output and weights are float32.",
            "Where does your code name a dtype, or make a tensor without naming one?",
            r"float|zeros|ones|empty|torch\.tensor",
        ),
    ),
    hints=(
        "Query, key and value are three views of the same x. What makes them different?",
        "Each is x times one of the three weights; after that everything is as you wrote it "
        "before.",
        "Three matrix products with x on the left, (…, length, d_model) by (d_model, d_k), then "
        "one call of the attention that you have, with the mask.",
    ),
    refuses=ATTENTION,
    instead="project x three times, and use the attention that you wrote.",
    symptoms=(weights_do_not_add_up, weights_reach_hidden_keys, output_is_no_mixture),
)
