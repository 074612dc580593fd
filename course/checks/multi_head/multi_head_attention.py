"""How MultiHeadAttention is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import ATTENTION
from autograder.engine.symptoms import shape
from autograder.engine.trial import Answer, Call, Trial

from ..shared import CUTS, LOOK_FOR_CUTS, levels
from .heads import LOOK_AT_ORDER

BUILD = {"d_model": 12, "num_heads": 3}


def look(draw, mask=None, build=None, batch=2, queries=5, keys=7, **trial):
    """A trial of the module with random weights, and queries and keys of different length."""
    build = build or BUILD
    d_model, heads = build["d_model"], build["num_heads"]
    arguments = {
        "query": draw.normal(batch, queries, d_model),
        "key": draw.normal(batch, keys, d_model),
        "value": draw.normal(batch, keys, d_model),
    }
    if mask is not None:
        arguments["mask"] = mask
    state = draw.weights(draw.reference(**build))
    sizes = {"batch": batch, "queries": queries, "keys": keys, "heads": heads}
    sizes |= {"d_model": d_model, "d_head": d_model // heads}
    calls = [Call(arguments, reads=("weights",))]
    return Trial(calls, build, state=state, sizes=sizes, **trial)


def heads_of_a_batch(draw):
    return look(draw)


def heads_to_itself(draw):
    """Query, key and value are the same, as in self-attention."""
    trial = look(draw, queries=6, keys=6)
    x = draw.normal(2, 6, 12)
    trial.calls = [Call({"query": x, "key": x, "value": x}, reads=("weights",))]
    return trial


def heads_of_one(draw):
    return look(draw, build={"d_model": 6, "num_heads": 1}, batch=3)


def heads_of_one_feature(draw):
    return look(draw, build={"d_model": 5, "num_heads": 5})


def heads_to_one_token(draw):
    return look(draw, batch=1, queries=1, keys=1)


def heads_with_mask(draw):
    return look(draw, draw.mask(2, 3, 5, 7))


def heads_with_shared_mask(draw):
    """In training, where a mask counts as well."""
    trial = look(draw, draw.mask(5, 7))
    trial.calls = [Call(call.arguments, training=True, reads=call.reads) for call in trial.calls]
    return trial


def heads_with_padding(draw):
    return look(draw, draw.mask(2, 1, 1, 7))


def heads_twice(draw):
    """Calls of other and of the same length: nothing of the first may be left."""
    trial = look(draw)
    others = (look(draw, batch=3, queries=4, keys=2), look(draw))
    trial.calls += [call for other in others for call in other.calls]
    return trial


def heads_gradients(draw):
    return look(draw, draw.mask(5, 7), gradients=True)


def heads_in_float64(draw):
    return look(draw, dtype=torch.float64)


def heads_in_bfloat16(draw):
    return look(draw, dtype=torch.bfloat16)


DROPPED = 0.25


def heads_with_dropout(draw):
    """Two keys with the same score and values of 1 and 3: the output shows what was dropped."""
    trial = look(draw)
    trial.build = BUILD | {"dropout": DROPPED}
    trial.state = {name: torch.zeros_like(x) for name, x in trial.state.items()}
    trial.state["w_query.bias"] = trial.state["w_key.bias"] = torch.ones(12)
    trial.state["w_value.weight"][:, 0] = 1.0  # a value is its token's first feature
    trial.state["w_output.weight"] = torch.eye(12)
    x, two = draw.normal(4, 60, 12), draw.normal(4, 2, 12)
    two[:, 0, 0], two[:, 1, 0] = 1.0, 3.0
    arguments = {"query": x, "key": two, "value": two}
    trial.calls = [
        Call(arguments, training=True, reads=("weights",)),
        Call(arguments, training=True),
        Call(arguments),
    ]
    trial.digest = what_was_dropped
    return trial


def what_was_dropped(answer):
    """Each query sees values of 1 and 3: what is left, in training and in eval mode?"""
    first, second, off = (answer.arrays.get(f"output{call}") for call in ("", *LATER))
    facts = {name: fact for name, fact in answer.facts.items() if "detached" not in name}
    if any(x is None or x.shape != (4, 60, 12) for x in (first, second, off)):
        return Answer(answer.arrays, facts)
    heads = first.unflatten(-1, (3, 4))
    together = bool((heads == heads[..., :1]).all())
    facts["all features of a head lose the same"] = together
    alike = bool((first == first[:, :1]).all())
    facts["all queries lose the same"] = alike
    if not alike:  # otherwise there are too few draws to see all levels
        facts["outputs in training"] = levels(heads)
    if together:
        # 720 draws of mean 2 and variance 5/6: six standard deviations are 0.2.
        facts["their mean is that of eval mode"] = abs(float(heads.mean()) - 2) < 0.2
    facts["two calls in training are alike"] = torch.equal(first, second)
    facts["outputs in eval mode"] = levels(off)
    if "weights" in answer.arrays:
        facts["`weights` in training"] = levels(answer.arrays["weights"])
    return Answer({}, facts)


LATER = (" (call 2)", " (call 3)")


IN = {
    name: f"split_heads(self.w_{name}({name}), self.num_heads)"
    for name in ("query", "key", "value")
}
OUT = "return self.w_output(merge_heads(output))"
ATTEND = "scaled_dot_product_attention(query, key, value, mask)"
KEEP = "self.weights = weights.detach()"
DROP = "self.dropout(weights) @ value"
MAKE_OUTPUT = "self.w_output = nn.Linear(d_model, d_model)"


def by_view(name):
    """Cut into heads without a transpose."""
    width = f"{name}.shape[-1] // self.num_heads"
    return f"self.w_{name}({name}).reshape({name}.shape[0], self.num_heads, -1, {width})"


def dealt(name):
    """Cut into heads like dealing cards."""
    cut = f"(*{name}.shape[:2], -1, self.num_heads)"
    return f"self.w_{name}({name}).reshape{cut}.permute(0, 3, 1, 2)"


SPLIT_BY_VIEW = tuple((IN[name], by_view(name)) for name in IN)
MERGED_BY_VIEW = ("merge_heads(output)", "output.reshape(output.shape[0], output.shape[2], -1)")
LOOK_AT_ROLES = (
    "There are four Linears and three inputs. Which Linear meets which input, and where do the "
    "results go?"
)

MultiHeadAttention = Exercise(
    id="multi_head.MultiHeadAttention",
    properties=(
        Property(
            "parts",
            1,
            "the four projections are there under their names",
            aspects=("built", "names"),
        ),
        Property(
            "values",
            3,
            "the output is right, for queries and keys of different length",
            (heads_of_a_batch, heads_to_itself, heads_to_one_token),
        ),
        Property(
            "heads",
            1,
            "it works with one head, and with as many as features",
            (heads_of_one, heads_of_one_feature),
        ),
        Property(
            "mask",
            2,
            "masks of every shape are respected",
            (heads_with_mask, heads_with_shared_mask, heads_with_padding),
            look="The mask is True where a query may attend, and goes to every head.",
        ),
        Property("again", 1, "a second call with other lengths is right, too", (heads_twice,)),
        Property(
            "gradients",
            1,
            "gradients reach the inputs and all parameters",
            (heads_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dropout",
            1,
            "dropout acts on the weights, in training only",
            (heads_with_dropout,),
            look="Dropout sets some attention weights to 0 and scales up the rest; .weights shows "
            "them before that.",
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the input",
            (heads_in_float64, heads_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "inputs and mask stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "split_by_view",
            SPLIT_BY_VIEW,
            "Your heads mix tokens: (batch, length, d_model) is reshaped straight to (batch, "
            "heads, length, d_head). All shapes are right, and training works, too, but head 0 "
            "sees all features of the first tokens, in place of its features of all tokens.",
            LOOK_AT_ORDER,
            r"view|reshape",
        ),
        Mistake(
            "merged_by_view",
            (MERGED_BY_VIEW,),
            "Each head's result is right, but they are joined in the wrong order: (batch, heads, "
            "length, d_head) is reshaped straight to (batch, length, d_model), which puts several "
            "tokens of one head side by side.",
            LOOK_AT_ORDER,
            r"view|reshape|flatten",
        ),
        Mistake(
            "split_and_merged_by_view",
            (*SPLIT_BY_VIEW, MERGED_BY_VIEW),
            "Splitting and merging are both a reshape alone: your heads mix tokens, each looks at "
            "all features of some tokens, in place of some features of all tokens.",
            LOOK_AT_ORDER,
            r"view|reshape",
        ),
        Mistake(
            "heads_dealt_like_cards",
            tuple((IN[name], dealt(name)) for name in IN),
            "You deal the features out to the heads like cards, 0, {heads}, …, but join them in a "
            "row: head 0 is to get the first {d_head} features.",
            LOOK_AT_ORDER,
            r"view|reshape|permute",
        ),
        Mistake(
            "heads_dealt_and_collected",
            (
                *((IN[name], dealt(name)) for name in IN),
                (OUT, "return self.w_output(output.permute(0, 2, 3, 1).flatten(2))"),
            ),
            "You deal the features out to the heads like cards and collect them in the same way. "
            "That is an attention as good as any, but its heads are others than those of the "
            "weights that were copied in: head 0 is to get the first {d_head} features.",
            LOOK_AT_ORDER,
            r"view|reshape|permute",
        ),
        Mistake(
            "heads_and_width_confused",
            tuple(
                (
                    IN[name],
                    f"split_heads(self.w_{name}({name}), {name}.shape[-1] // self.num_heads)",
                )
                for name in IN
            ),
            "You have {d_head} heads of {heads} features; asked for are {heads} heads of {d_head}.",
            "d_head is the width of one head, num_heads says how many there are.",
            r"view|reshape|split|//",
        ),
        Mistake(
            "no_scale",
            ((IN["query"], f"{IN['query']} * (query.shape[-1] / self.num_heads) ** 0.5"),),
            "Your scores are not scaled: the dot product of {d_head} features grows with the root "
            "of {d_head}.",
            "The attention that you wrote in lesson 1 does this already.",
            r"@|matmul|einsum|softmax",
        ),
        Mistake(
            "scaled_by_model_width",
            ((IN["query"], f"{IN['query']} / self.num_heads**0.5"),),
            "Your scores are divided by the root of d_model={d_model}; each head compares only "
            "{d_head} features.",
            "How wide are the vectors whose dot product you scale?",
            r"sqrt|\*\* ?-?0\.5",
        ),
        Mistake(
            "no_output_projection",
            ((OUT, "return merge_heads(output)"),),
            "Your output is the heads side by side: w_output is there, but never used.",
            "What lets one head's findings reach the features of another?",
            r"return",
        ),
        Mistake(
            "output_projection_missing",
            ((OUT, "return merge_heads(output)"), (MAKE_OUTPUT, "pass")),
            "Your output is the heads side by side: there is no w_output that mixes them.",
            "Compare with the formula: what stands behind Concat(head_1, …, head_h)?",
            r"return",
        ),
        Mistake(
            "heads_averaged",
            ((OUT, "return self.w_output(output.mean(1).repeat(1, 1, self.num_heads))"),),
            "Your heads are averaged: all of them say the same afterwards.",
            "What each head has found is to be kept: side by side.",
            r"mean|sum",
        ),
        Mistake(
            "one_projection_for_all",
            (
                (IN["key"], IN["key"].replace("w_key", "w_query")),
                (IN["value"], IN["value"].replace("w_value", "w_query")),
            ),
            "Queries, keys and values all go through w_query, so what a token looks for, offers "
            "and hands over is the same.",
            LOOK_AT_ROLES,
            r"w_query\(",
        ),
        Mistake(
            "key_through_query_projection",
            ((IN["key"], IN["key"].replace("w_key", "w_query")),),
            "Your keys go through w_query, in place of w_key.",
            LOOK_AT_ROLES,
            r"w_query\(",
        ),
        Mistake(
            "value_through_key_projection",
            ((IN["value"], IN["value"].replace("w_value", "w_key")),),
            "Your values go through w_key, in place of w_value.",
            LOOK_AT_ROLES,
            r"w_key\(",
        ),
        Mistake(
            "query_and_key_swapped",
            (
                (IN["query"], IN["query"].replace("w_query", "w_key")),
                (IN["key"], IN["key"].replace("w_key", "w_query")),
            ),
            "Queries go through w_key and keys through w_query.",
            LOOK_AT_ROLES,
            r"w_key\(",
        ),
        Mistake(
            "value_from_key",
            (
                (IN["value"], IN["value"].replace("(value)", "(key_in)")),
                ("query = split", "key_in = key\n        query = split"),
            ),
            "Your values are made from `key`; the third input, `value`, is never used. In "
            "self-attention that does not show, because all three are the same.",
            LOOK_AT_ROLES,
            r"w_value\(",
        ),
        Mistake(
            "only_query_is_used",
            (
                (IN["key"], IN["key"].replace("(key)", "(x)")),
                (IN["value"], IN["value"].replace("(value)", "(x)")),
                ("query = split", "x = query\n        query = split"),
            ),
            "Queries, keys and values are all made from `query`: that is self-attention, whatever "
            "is handed in as key and value.",
            LOOK_AT_ROLES,
            r"w_key\(",
        ),
        Mistake(
            "values_not_projected",
            ((IN["value"], "split_heads(value, self.num_heads)"),),
            "Your values are the input itself: w_value is never used.",
            LOOK_AT_ROLES,
            r"value",
        ),
        Mistake(
            "mask_ignored",
            ((ATTEND, ATTEND.replace("mask", "None")),),
            "The output is the same with and without a mask: it is not handed on.",
            "Who needs to know about the mask?",
            r"attention\(",
        ),
        Mistake(
            "mask_inverted",
            (("query = split", "mask = None if mask is None else ~mask\n        query = split"),),
            "Your mask works the other way round: the keys that should be hidden get all the "
            "weight.",
            "True means: may be attended to.",
            r"mask",
        ),
        Mistake(
            "weights_not_kept",
            ((KEEP, "pass"),),
            "The output is right, but `weights` holds nothing after a call.",
            "The lesson draws the weights: keep what attention returns beside the output.",
            r"attention\(",
        ),
        Mistake(
            "weights_averaged",
            ((KEEP, f"{KEEP}.mean(1)"),),
            "Your `weights` are averaged over the heads, {weights_shape}; expected is one matrix "
            "for every head, (batch, heads, query, key).",
            "What would you like to see of each head?",
            r"weights",
        ),
        Mistake(
            "weights_of_first_head",
            ((KEEP, f"{KEEP}[:, 0]"),),
            "Your `weights` are those of the first head alone, {weights_shape}; expected is one "
            "matrix for every head, (batch, heads, query, key).",
            "What would you like to see of each head?",
            r"weights",
        ),
        Mistake(
            "weights_not_detached",
            ((KEEP, "self.weights = weights"),),
            "Your `weights` still hang on torch's graph: as long as they are kept, so is all the "
            "memory of the last forward pass.",
            "What is only to be looked at needs no gradient.",
            r"weights",
        ),
        Mistake(
            "weights_after_dropout",
            (
                (KEEP, f"weights = self.dropout(weights)\n        {KEEP}"),
                (DROP, "weights @ value"),
            ),
            "In training your `weights` are those after dropout; expected are those before, which "
            "add up to 1.",
            "At which moment do you keep them?",
            r"weights",
        ),
        Mistake(
            "dropout_always",
            ((DROP, "F.dropout(weights, self.dropout.p) @ value"),),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout",
        ),
        Mistake(
            "dropout_never",
            ((DROP, "weights @ value"),),
            "In training nothing is dropped: `dropout` is not used.",
            "Where do the weights go, once the softmax has made them?",
            r"dropout",
        ),
        Mistake(
            "dropout_on_output",
            (
                (DROP, "weights @ value"),
                ("merge_heads(output)", "self.dropout(merge_heads(output))"),
            ),
            "Your dropout acts on the heads' output, and not on the weights.",
            "What is to be dropped: what a query looks at, or what it has found?",
            r"dropout",
        ),
        Mistake(
            "dropout_on_scores",
            (
                (
                    DROP,
                    "torch.softmax(self.dropout(query @ key.mT / query.shape[-1] ** 0.5)"
                    ".masked_fill(torch.zeros(1).bool() if mask is None else ~mask, "
                    "float('-inf')), -1) @ value",
                ),
            ),
            "Your dropout acts on the scores, before the softmax: a score of 0 is no small score, "
            "and its key still gets a weight.",
            "At which moment are there weights that can be dropped?",
            r"dropout",
        ),
        Mistake(
            "dropout_on_values",
            ((DROP, "weights @ self.dropout(value)"),),
            "Your dropout acts on the values, and not on the weights: for all queries the same "
            "features are missing.",
            "What is to be dropped: what a token hands over, or what a query looks at?",
            r"dropout",
        ),
        Mistake(
            "dropout_not_scaled",
            ((DROP, f"{DROP} * (1 - self.dropout.p if self.training else 1)"),),
            "What your dropout keeps is not scaled up: in training the output is smaller, on "
            "average, than in eval mode.",
            "If a share of {dropped} is dropped, by how much must the rest grow for the sum to "
            "stay?",
            r"dropout|rand|bernoulli",
        ),
        Mistake(
            "keeps_what_it_should_drop",
            ((DROP, "F.dropout(weights, 1 - self.dropout.p, self.training) @ value"),),
            "Your dropout keeps a share of {dropped}, in place of dropping it.",
            "`dropout` is the probability of being dropped.",
            r"dropout",
        ),
        Mistake(
            "graph_cut",
            ((OUT, "return self.w_output(merge_heads(output)).detach()"),),
            "The numbers are right, but no gradient gets through: neither the projections nor "
            "anything in front of them could be trained.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "residual_inside",
            (
                (OUT, OUT + " + residual"),
                ("query = split", "residual = query\n        query = split"),
            ),
            "You add the query to the output. The residual belongs to the block of lesson 4, which "
            "adds it once more.",
            "Compare with the formula: is there a sum in it?",
            r"\+",
        ),
        Mistake(
            "no_bias",
            tuple(
                (
                    f"self.w_{name} = nn.Linear(d_model, d_model)",
                    f"self.w_{name} = nn.Linear(d_model, d_model, bias=False)",
                )
                for name in (*IN, "output")
            ),
            "Your Linears have no bias; asked for is nn.Linear(d_model, d_model), which has one.",
            "How does the docstring write the four Linears?",
            r"bias",
        ),
    ),
    hints=(
        "You have all the parts: projections, split_heads, the attention of lesson 1, merge_heads. "
        "Draw the order, and write the shape on every arrow.",
        "Project with full-width Linears, then split: every head attends with its share of the "
        "features, all heads at once, because they stand beside the batch.",
        "Three lines that project and split; one that attends; one that keeps the weights, "
        "detached; one that merges and projects. Lengths come from the tensors, for keys may be "
        "more or fewer than queries.",
    ),
    refuses=ATTENTION,
    instead="use split_heads, the attention of lesson 1, and merge_heads.",
    measures={
        "weights_shape": lambda seen: shape(seen.yours["weights"]),
        "dropped": lambda seen: DROPPED,
    },
)
