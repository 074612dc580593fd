"""How DecoderBlock is checked."""

import torch

from autograder.engine.compare import close
from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import TRANSFORMER
from autograder.engine.symptoms import number
from autograder.engine.trial import Call, Trial

from ..shared import CUTS, LOOK_FOR_CUTS
from .shared import DROPPED, OUTPUTS, alike, loaded, only_dtype, with_dropout, without_dropout

BLOCK = {"d_model": 12, "num_heads": 3, "d_ff": 10}
NORM_FIRST = {"norm_first": True}


def visible(draw, *size):
    """A random mask that shows the first key and hides the last: so neither the mask nor its
    opposite nor what is left of it under a causal mask shows a query nothing."""
    mask = draw.mask(*size)
    mask[..., 0], mask[..., -1] = True, False
    return mask


def write(draw, build, batch=2, target=5, source=7, masks=False, options=None, **trial):
    """A trial of one call of a block or a stack, with memory and x of different length."""
    options = {"dropout": 0.0} | (options or {})
    arguments = {
        "x": draw.normal(batch, target, build["d_model"]),
        "memory": draw.normal(batch, source, build["d_model"]),
    }
    if masks:
        arguments["mask"] = visible(draw, batch, 1, target, target)
        arguments["memory_mask"] = visible(draw, batch, 1, 1, source)
    sizes = {"batch": batch, "target_length": target, "source_length": source}
    sizes |= {"heads": build["num_heads"]}
    trial = {"state": draw.weights(draw.reference(**build, **options)), "digest": loaded} | trial
    return Trial([Call(arguments)], build, options, sizes=sizes, **trial)


def with_other_memory(draw, trial):
    """Add a call that differs in the memory alone, which is shorter."""
    x = trial.calls[0].arguments["x"]
    trial.calls += [Call({"x": x, "memory": draw.normal(len(x), 4, x.shape[-1])})]
    return trial


def with_other_hidden_memory(draw, trial):
    """Add a call that differs only where nobody looks."""
    given = trial.calls[0].arguments
    hidden = ~given["memory_mask"][:, 0, 0, :, None]
    elsewhere = torch.where(hidden, draw.normal(*given["memory"].shape), given["memory"])
    trial.calls += [Call(given | {"memory": elsewhere})]
    return trial


def with_one_mask(draw, trial):
    """Hand over the memory's mask alone, and by its name."""
    given = trial.calls[0].arguments
    trial.calls = [Call(given, {"memory_mask": visible(draw, 1, 1, 1, given["memory"].shape[1])})]
    return trial


def block_of_a_batch(draw):
    return with_other_memory(draw, write(draw, BLOCK))


def block_of_one_token(draw):
    """One sentence, of which one token is hidden."""
    build = {"d_model": 6, "num_heads": 1, "d_ff": 9}
    return with_one_mask(draw, write(draw, build, batch=1, target=1, source=3))


def block_of_equal_lengths(draw):
    """Mixed up masks and memories do not fit if lengths differ; here they fit, and are wrong."""
    trial = write(draw, BLOCK, target=6, source=6, masks=True, gradients=True, dtype=torch.float64)
    return with_other_hidden_memory(draw, trial)


def block_of_equal_lengths_norm_first(draw):
    """One mask for the whole batch."""
    trial = write(draw, BLOCK, target=6, source=6, masks=True, options=NORM_FIRST)
    arguments = trial.calls[0].arguments
    arguments["mask"] = arguments["mask"][0, 0]
    return trial


def block_gradients_norm_first(draw):
    trial = write(draw, BLOCK, options=NORM_FIRST, gradients=True, dtype=torch.float64)
    trial.strided = True
    return trial


def block_with_dropout_norm_first(draw):
    return with_dropout(write(draw, BLOCK, options={"norm_first": True}))


def block_without_dropout(draw):
    return without_dropout(write(draw, BLOCK, masks=True))


def block_in_bfloat16(draw):
    return write(
        draw, BLOCK, options=NORM_FIRST, dtype=torch.bfloat16, digest=only_dtype, constant=True
    )


def memory_changes_nothing(seen):
    """A symptom: two calls that differ in the memory alone have the same output."""
    calls = seen.trial.calls
    if len(calls) < 2 or calls[0].arguments["x"] is not calls[1].arguments["x"]:
        return None
    if "mask" in calls[0].arguments or not alike(*(seen.yours.get(n) for n in OUTPUTS[:2])):
        return None
    return (
        "Your output is the same whatever the memory says: nothing of what the encoder has read "
        "gets into it."
    )


def hidden_memory_is_seen(seen):
    """A symptom: two calls that differ in hidden places of the memory have different outputs."""
    calls = seen.trial.calls
    if len(calls) < 2 or "memory_mask" not in calls[0].arguments:
        return None
    first, second = (seen.yours.get(name) for name in OUTPUTS[:2])
    if first is None or second is None or first.shape != second.shape or close(first, second):
        return None
    return (
        f"Places of the memory that memory_mask hides change your output, by up to "
        f"{number((first - second).abs().max())}. They should change nothing."
    )


FIRST = {  # the lines of the reference with norm_first=True
    "self": "x = x + self.dropout(self.self_attention(normed, normed, normed, mask))",
    "cross": "x = x + self.dropout(self.cross_attention(self.norm2(x), memory, memory, "
    "memory_mask))",
    "feed": "return x + self.dropout(self.feed_forward(self.norm3(x)))",
}
LAST = {  # and those with norm_first=False
    "self": "x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))",
    "cross": "x = self.norm2(x + self.dropout(self.cross_attention(x, memory, memory, "
    "memory_mask)))",
    "feed": "return self.norm3(x + self.dropout(self.feed_forward(x)))",
}
BEGIN = "if self.norm_first:"
MAKE_CROSS = "self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)"
MAKE_NORM3 = "self.norm3 = nn.LayerNorm(d_model)"
MAKE_DROPOUT = "self.dropout = nn.Dropout(dropout)"
KEEP_ORDER = "self.norm_first = norm_first"
NORMS = {"self": "norm1", "cross": "norm2", "feed": "norm3"}


def changed(lines, part, *replacements):
    """The edit of one of these lines, in which texts are replaced."""
    new = lines[part]
    for old, text in replacements:
        new = new.replace(old, text)
    return (lines[part], new)


def reordered(lines, *parts, by_place=False):
    """The edit that puts the sub-layers of one order into this sequence; each keeps its own norm,
    or else (by_place) gets the norm of its new place."""
    gap = "\n" + " " * (12 if lines is FIRST else 8)
    new = []
    for part, place in zip(parts, NORMS.values()):
        line = lines[part].replace("normed, normed, normed", "*[self.norm1(x)] * 3")
        line = line.replace(NORMS[part], place) if by_place else line
        new.append(line.replace("return ", "x = "))
    return [(gap.join(lines.values()), gap.join([*new, "return x"]))]


def in_each_order(mistake_id, first, last, says, look, line="", other=((), ())):
    """Three mistakes: made in both orders of the norms, or in one of them alone. `other` edits make
    the same mistakes."""
    when = " That happens with norm_first={}."
    ways = (
        (mistake_id, (*first, *last), (*other[0], *other[1]), ""),
        (f"{mistake_id}_norm_first", tuple(first), tuple(other[0]), when.format("True")),
        (f"{mistake_id}_norm_last", tuple(last), tuple(other[1]), when.format("False")),
    )
    return tuple(
        Mistake(name, edits, says + more, look, line, variations=(varied,) if varied else ())
        for name, edits, varied, more in ways
    )


def everywhere(mistake_id, parts, replacements, says, look, line=""):
    """The same replacements in both orders of the norms."""
    return in_each_order(
        mistake_id,
        [changed(FIRST, part, *replacements) for part in parts],
        [changed(LAST, part, *replacements) for part in parts],
        says,
        look,
        line,
    )


def no_residual(mistake_id, parts, what):
    return everywhere(
        mistake_id,
        parts,
        [("x + self.dropout", "self.dropout")],
        f"What goes into {what} is not added to what comes out: the residual is missing.",
        "Every sub-layer says what to change; what went in has to be still there afterwards.",
    )


CROSS_FIRST = "self.cross_attention(self.norm2(x), memory, memory, memory_mask)"
CROSS_LAST = "self.cross_attention(x, memory, memory, memory_mask)"


def cross(mistake_id, query, key, value, mask, says, line=r"cross_attention\("):
    """Other arguments for cross-attention, in both orders; X is x as it should be."""
    call = f"self.cross_attention({query}, {key}, {value}, {mask})"
    right = {CROSS_FIRST: call.replace("X", "self.norm2(x)"), CROSS_LAST: call.replace("X", "x")}
    first, last = right.items()
    # torch's complaint about sizes depends on what is added to what.
    other = [[(f"x + self.dropout({a})", f"self.dropout({b}) + x")] for a, b in (first, last)]
    other = other if query == "memory" else ((), ())
    return in_each_order(mistake_id, [first], [last], says, LOOK_AT_ROLES, line, other)


LOOK_AT_ROLES = (
    "The target asks, the memory answers: which of the two makes the queries, and which the keys "
    "and values?"
)
LOOK_AT_MASKS = (
    "There are two masks and two attentions. `mask` is (…, target, target), `memory_mask` is (…, "
    "target, source): which attention has scores of which shape?"
)
LOOK_AT_ORDER = (
    "Draw the way through the block, with a + and a norm for each of the three sub-layers, and "
    "compare it with figure 1 and with the two lines in the docstring of EncoderBlock."
)


def another_order(mistake_id, parts, says, line):
    """The sub-layers come in another order, with their own norms or those of their places."""
    return in_each_order(
        mistake_id,
        reordered(FIRST, *parts),
        reordered(LAST, *parts),
        says,
        LOOK_AT_ORDER,
        line,
        [reordered(lines, *parts, by_place=True) for lines in (FIRST, LAST)],
    )


DecoderBlock = Exercise(
    id="transformer.DecoderBlock",
    properties=(
        Property(
            "parts",
            1,
            "all parts are there under their names",
            aspects=("built", "names"),
        ),
        Property(
            "values",
            3,
            "the output is right, for a memory of any length",
            (block_of_a_batch, block_of_one_token),
            look=LOOK_AT_ORDER,
        ),
        Property(
            "norm_first",
            2,
            "with norm_first=True each sub-layer's input is normed, and the sum is not",
            (block_gradients_norm_first,),
            look=LOOK_AT_ORDER,
        ),
        Property(
            "masks",
            2,
            "`mask` goes to self-attention and `memory_mask` to cross-attention",
            (block_of_equal_lengths, block_of_equal_lengths_norm_first),
            look=LOOK_AT_MASKS,
        ),
        Property(
            "gradients",
            1,
            "gradients reach x, the memory and all parameters",
            aspects=("gradient",),
        ),
        Property(
            "dropout",
            1,
            "dropout acts in training only, with the probability that is asked for",
            (block_with_dropout_norm_first, block_without_dropout),
            look="Which parts are told the probability, and is every dropout a module?",
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the input",
            (block_in_bfloat16,),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x, memory and masks stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        *everywhere(
            "mask_ignored",
            ["self"],
            [(", mask)", ")")],
            "Your self-attention hides nothing, whatever `mask` says: every target token sees its "
            "future.",
            LOOK_AT_MASKS,
            r"self_attention\(",
        ),
        *everywhere(
            "memory_mask_ignored",
            ["cross"],
            [(", memory_mask)", ")")],
            "Your cross-attention hides nothing, whatever `memory_mask` says: it attends to the "
            "padding of the source.",
            LOOK_AT_MASKS,
            r"cross_attention\(",
        ),
        *in_each_order(
            "masks_swapped",
            [
                changed(FIRST, "self", ("mask", "memory_mask")),
                changed(FIRST, "cross", ("memory_mask", "mask")),
            ],
            [
                changed(LAST, "self", ("mask", "memory_mask")),
                changed(LAST, "cross", ("memory_mask", "mask")),
            ],
            "Your two masks are swapped: self-attention gets `memory_mask`, and cross-attention "
            "gets `mask`. That only fits if source and target have the same length.",
            LOOK_AT_MASKS,
            r"attention\(",
        ),
        *everywhere(
            "mask_on_memory",
            ["cross"],
            [("memory_mask", "mask")],
            "Your cross-attention gets `mask`, that of the target. It fits only if source and "
            "target have the same length, and then it hides the wrong places of the memory.",
            LOOK_AT_MASKS,
            r"cross_attention\(",
        ),
        *everywhere(
            "memory_mask_on_target",
            ["self"],
            [(", mask)", ", memory_mask)")],
            "Your self-attention gets `memory_mask`, that of the source. It fits only if source "
            "and target have the same length, and then it hides the wrong target tokens.",
            LOOK_AT_MASKS,
            r"self_attention\(",
        ),
        Mistake(
            "masks_inverted",
            (
                (
                    BEGIN,
                    "mask = None if mask is None else ~mask\n"
                    "        memory_mask = None if memory_mask is None else ~memory_mask\n"
                    f"        {BEGIN}",
                ),
            ),
            "Your masks work the other way round: what should be hidden is all that is seen.",
            "True means: may be attended to.",
            r"~|== ?0|not",
        ),
        Mistake(
            "memory_mask_inverted",
            (
                (
                    BEGIN,
                    f"memory_mask = None if memory_mask is None else ~memory_mask\n        {BEGIN}",
                ),
            ),
            "Your `memory_mask` works the other way round: what should be hidden of the memory is "
            "all that is seen.",
            "True means: may be attended to.",
            r"~|== ?0|not",
        ),
        Mistake(
            "causal_by_itself",
            (
                (
                    BEGIN,
                    "past = torch.ones(x.shape[1], x.shape[1], device=x.device).tril().bool()\n"
                    "        mask = past if mask is None else mask & past\n"
                    f"        {BEGIN}",
                ),
            ),
            "Your block makes a causal mask of its own, also where `mask` says something else. "
            "Which tokens may be seen, is for the caller to say.",
            "What should happen if no mask is given?",
            r"tril|triu|causal",
        ),
        *cross(
            "memory_never_used",
            *("X", "X", "X", "mask"),
            "Your cross-attention is a second self-attention: queries, keys and values all come "
            "from the target, and what the encoder has read is never looked at. It would still "
            "learn something, namely to write without reading.",
        ),
        *cross(
            "memory_replaced_by_target",
            *("X", "X", "X", "memory_mask"),
            "Your cross-attention takes queries, keys and values from the target, and then hides "
            "some of them with `memory_mask`. What the encoder has read is never looked at.",
        ),
        *cross(
            "memory_asks",
            *("memory", "X", "X", "memory_mask"),
            "Your roles are swapped: the memory makes the queries, and the target the keys and "
            "values. The result is as long as the source ({source_length}), and is to be as long "
            "as the target ({target_length}).",
        ),
        *cross(
            "values_from_target",
            *("X", "memory", "X", "memory_mask"),
            "In your cross-attention the memory makes the keys, but the values come from the "
            "target: what is found in the memory is not what is handed over.",
        ),
        *cross(
            "keys_from_target",
            *("X", "X", "memory", "memory_mask"),
            "In your cross-attention the memory makes the values, but the keys come from the "
            "target: queries are compared with the wrong tokens.",
        ),
        *cross(
            "memory_alone",
            *("memory", "memory", "memory", "memory_mask"),
            "Your cross-attention takes queries, keys and values from the memory: the target asks "
            "nothing.",
        ),
        *in_each_order(
            "cross_asks_with_block_input",
            [
                (FIRST["cross"], FIRST["cross"].replace("norm2(x)", "norm2(start)")),
                (BEGIN, f"start = x\n        {BEGIN}"),
            ],
            [
                (LAST["cross"], LAST["cross"].replace("attention(x,", "attention(begin,")),
                ("x = self.norm1(x +", "begin = x\n        x = self.norm1(x +"),
            ],
            "Your cross-attention asks with what came into the block; what self-attention has "
            "found is not yet in it.",
            "Each sub-layer works on what the one before has left.",
            r"cross_attention\(",
        ),
        *everywhere(
            "one_attention_used_twice",
            ["cross"],
            [("self.cross_attention(", "self.self_attention(")],
            "Your block has a cross_attention, but looks at the memory with self_attention: one "
            "set of weights does both jobs, and the other is never used.",
            "Which of the two attentions has learned to look at the memory?",
            r"self_attention\(.*memory",
        ),
        Mistake(
            "one_attention_made",
            ((MAKE_CROSS, "self.cross_attention = self.self_attention"),),
            "Self-attention and cross-attention are one and the same module: they share all their "
            "weights. Looking at one's own words and looking at the source are two jobs.",
            "How many attentions does figure 1 show in a decoder block?",
            r"cross_attention ?=",
        ),
        *no_residual("no_residual", ["self", "cross", "feed"], "a sub-layer"),
        *no_residual("no_residual_around_self_attention", ["self"], "self-attention"),
        *no_residual("no_residual_around_cross_attention", ["cross"], "cross-attention"),
        *no_residual("no_residual_around_feed_forward", ["feed"], "feed-forward"),
        *in_each_order(
            "cross_residual_of_block_input",
            [
                (FIRST["cross"], FIRST["cross"].replace("x = x", "x = start")),
                (BEGIN, f"start = x\n        {BEGIN}"),
            ],
            [
                (LAST["cross"], LAST["cross"].replace("norm2(x", "norm2(begin")),
                ("x = self.norm1(x +", "begin = x\n        x = self.norm1(x +"),
            ],
            "What cross-attention has found is added to what came into the block, so what "
            "self-attention has found is lost on the way.",
            "What went into cross-attention, is what its result is added to.",
            r"\+",
        ),
        *in_each_order(
            "feed_forward_residual_of_block_input",
            [
                (FIRST["feed"], FIRST["feed"].replace("return x", "return start")),
                (BEGIN, f"start = x\n        {BEGIN}"),
            ],
            [
                (LAST["feed"], LAST["feed"].replace("norm3(x", "norm3(begin")),
                ("x = self.norm1(x +", "begin = x\n        x = self.norm1(x +"),
            ],
            "What feed-forward says is added to what came into the block, so what both attentions "
            "have found gets through only by way of feed-forward.",
            "What went into feed-forward, is what its result is added to.",
            r"\+",
        ),
        *another_order(
            "cross_attention_first",
            ("cross", "self", "feed"),
            "Your block looks at the memory first, and at the target afterwards.",
            r"cross_attention\(",
        ),
        *another_order(
            "cross_attention_last",
            ("self", "feed", "cross"),
            "Your block looks at the memory last, after feed-forward.",
            r"cross_attention\(",
        ),
        *another_order(
            "feed_forward_first",
            ("feed", "self", "cross"),
            "Your feed-forward comes first, before the block has looked at anything.",
            r"feed_forward\(",
        ),
        Mistake(
            "no_cross_attention",
            ((FIRST["cross"], "pass"), (LAST["cross"], "pass")),
            "Your block never looks at the memory: its second sub-layer is missing.",
            LOOK_AT_ORDER,
            r"feed_forward\(",
        ),
        Mistake(
            "no_self_attention",
            ((FIRST["self"], "pass"), (LAST["self"], "pass")),
            "Your block never looks at the target's own tokens: its first sub-layer is missing.",
            LOOK_AT_ORDER,
            r"cross_attention\(",
        ),
        Mistake(
            "no_feed_forward",
            ((FIRST["feed"], "return x"), (LAST["feed"], "return x")),
            "Your block only looks around: feed-forward, its third sub-layer, is missing.",
            LOOK_AT_ORDER,
            r"return",
        ),
        *everywhere(
            "norm2_used_again",
            ["feed"],
            [("self.norm3", "self.norm2")],
            "Your norm2 serves two sub-layers, and norm3 is never used.",
            "Three sub-layers, three norms: each has a scale of its own to learn.",
            r"norm2\(.*feed|feed.*norm2\(",
        ),
        *in_each_order(
            "norm1_used_everywhere",
            [
                changed(FIRST, "cross", ("norm2", "norm1")),
                changed(FIRST, "feed", ("norm3", "norm1")),
            ],
            [
                changed(LAST, "cross", ("norm2", "norm1")),
                changed(LAST, "feed", ("norm3", "norm1")),
            ],
            "Your norm1 serves all three sub-layers; norm2 and norm3 are never used.",
            "Three sub-layers, three norms: each has a scale of its own to learn.",
            r"norm1\(",
        ),
        *in_each_order(
            "norms_swapped",
            [
                changed(FIRST, "cross", ("norm2", "norm3")),
                changed(FIRST, "feed", ("norm3", "norm2")),
            ],
            [
                changed(LAST, "cross", ("norm2", "norm3")),
                changed(LAST, "feed", ("norm3", "norm2")),
            ],
            "Your norm2 and norm3 are swapped: norm2 belongs to cross-attention, and norm3 to "
            "feed-forward.",
            "The docstring lists the norms in the order of their sub-layers.",
            r"norm[23]\(",
        ),
        Mistake(
            "two_norms",
            (
                (MAKE_NORM3, ""),
                changed(FIRST, "feed", ("norm3", "norm2")),
                changed(LAST, "feed", ("norm3", "norm2")),
            ),
            "Your block has two norms for three sub-layers: norm2 serves two of them.",
            "Three sub-layers, three norms: each has a scale of its own to learn.",
            r"norm2\(",
        ),
        Mistake(
            "always_norm_last",
            (("if self.norm_first:", "if False:"),),
            "With norm_first=True your block does the same as with False: it norms after adding.",
            "Is norm_first looked at anywhere in forward?",
            r"if .*norm_first",
        ),
        Mistake(
            "always_norm_first",
            (("if self.norm_first:", "if True:"),),
            "With norm_first=False your block does the same as with True: it norms before each "
            "sub-layer. The paper norms after adding, and so does your block by default.",
            "Is norm_first looked at anywhere in forward?",
            r"norm\d?\(",
        ),
        Mistake(
            "norm_first_the_other_way_round",
            (("if self.norm_first:", "if not self.norm_first:"),),
            "Your two orders are swapped: with norm_first=True you norm after adding, and with "
            "False before each sub-layer.",
            "Which branch is taken when norm_first is True?",
            r"if .*norm_first",
        ),
        Mistake(
            "norm_before_adding",
            tuple(
                changed(LAST, part, (f"self.{norm}(x + ", f"x + self.{norm}("))
                for part, norm in NORMS.items()
            ),
            "With norm_first=False you norm what a sub-layer says and then add it. The paper adds "
            "first and norms the sum.",
            "LayerNorm(x + Sublayer(x)): what stands inside the brackets?",
            r"norm\d?\(",
        ),
        Mistake(
            "no_norms",
            tuple(changed(LAST, part, (f"self.{norm}(x", "(x")) for part, norm in NORMS.items()),
            "With norm_first=False nothing is normed at all.",
            LOOK_AT_ORDER,
            r"return",
        ),
        Mistake(
            "last_norm_missing",
            (changed(LAST, "feed", ("self.norm3(x", "(x")),),
            "With norm_first=False the last sum is not normed: norm3 is not used.",
            LOOK_AT_ORDER,
            r"return",
        ),
        Mistake(
            "normed_before_and_after",
            (
                changed(LAST, "self", ("(x, x, x, mask)", "(*[self.norm1(x)] * 3, mask)")),
                changed(LAST, "cross", ("attention(x,", "attention(self.norm2(x),")),
                changed(LAST, "feed", ("forward(x)", "forward(self.norm3(x))")),
            ),
            "With norm_first=False you norm twice: what goes into a sub-layer, and the sum "
            "afterwards. Only the sum is to be normed.",
            LOOK_AT_ORDER,
            r"norm\d?\(",
        ),
        Mistake(
            "normed_again_at_the_end",
            (changed(FIRST, "feed", ("return x + ", "return self.norm3(x + "), (")))", "))))")),),
            "With norm_first=True you norm the last sum as well. In that order the sum stays as it "
            "is; it is the stack that norms once, after its last block.",
            LOOK_AT_ORDER,
            r"return",
        ),
        Mistake(
            "memory_normed",
            (changed(FIRST, "cross", ("memory, memory,", "*[self.norm2(memory)] * 2,")),),
            "With norm_first=True you norm the memory as well. The encoder has normed it already, "
            "and norm2 is for the target.",
            "What exactly goes through norm2?",
            r"norm2\(memory|norm.*memory",
        ),
        Mistake(
            "queries_normed_alone",
            (changed(FIRST, "self", ("normed, normed, normed", "normed, x, x")),),
            "With norm_first=True only the queries of your self-attention are normed; its keys and "
            "values are to be normed, too.",
            "What exactly goes through norm1?",
            r"norm1\(",
        ),
        Mistake(
            "added_to_what_was_normed",
            (
                changed(FIRST, "self", ("x = x", "x = normed")),
                changed(FIRST, "cross", ("x = x", "x = self.norm2(x)")),
                changed(FIRST, "feed", ("return x", "return self.norm3(x)")),
            ),
            "With norm_first=True you add a sub-layer's result to the normed input. It is to be "
            "added to the input as it was before the norm, so that one path leads through the "
            "whole stack untouched.",
            "x + Sublayer(LayerNorm(x)): which x is the first one?",
            r"norm\d?\(",
        ),
        Mistake(
            "cross_attention_not_normed",
            (changed(FIRST, "cross", ("self.norm2(x)", "x")),),
            "With norm_first=True your cross-attention asks with an x that is not normed: norm2 is "
            "not used.",
            LOOK_AT_ORDER,
            r"cross_attention\(",
        ),
        Mistake(
            "feed_forward_not_normed",
            (changed(FIRST, "feed", ("self.norm3(x)", "x")),),
            "With norm_first=True your feed-forward gets an x that is not normed: norm3 is not "
            "used.",
            LOOK_AT_ORDER,
            r"feed_forward\(",
        ),
        Mistake(
            "dropout_never",
            ((KEEP_ORDER, f"{KEEP_ORDER}\n        dropout = 0.0"),),
            "In training nothing is dropped: the output is that of eval mode, with "
            "dropout={dropped}.",
            "`dropout` is for the parts, and for what each sub-layer adds.",
            r"Dropout\(|dropout\)",
        ),
        Mistake(
            "dropout_always",
            ((MAKE_DROPOUT, "self.dropout = lambda x: nn.functional.dropout(x, dropout)"),),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout\(",
        ),
        Mistake(
            "dropout_of_their_own",
            (("FeedForward(d_model, d_ff, dropout)", "FeedForward(d_model, d_ff)"),),
            "With dropout=0.0 something is dropped in training all the same: a part of your block "
            "has a probability of its own, and does not get yours.",
            "Which parts have a `dropout` of their own, and what is its value if nobody says?",
            r"FeedForward\(|Dropout\(|dropout\(",
        ),
        Mistake(
            "changes_x",
            (changed(FIRST, "self", ("x = x +", "x +=")),),
            "With norm_first=True you add into x itself, in place: whoever called your block finds "
            "other numbers in x afterwards.",
            "`x += …` writes into the tensor that came in.",
            r"\+=|add_",
        ),
        Mistake(
            "memory_cut_off",
            ((BEGIN, f"memory = memory.detach()\n        {BEGIN}"),),
            "The numbers are right, but no gradient gets back to the memory: the encoder could "
            "never learn what the decoder needs.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "graph_cut",
            ((BEGIN, f"x = x.detach()\n        {BEGIN}"),),
            "The numbers are right, but no gradient gets back to x: nothing below your block could "
            "be trained.",
            LOOK_FOR_CUTS,
            CUTS,
        ),
        Mistake(
            "weights_returned_too",
            (
                (FIRST["feed"], f"{FIRST['feed']}, self.cross_attention.weights"),
                (LAST["feed"], f"{LAST['feed']}, self.cross_attention.weights"),
            ),
            "Your block gives two things back; expected is the output alone. Weights are kept in "
            "`.weights` of the attention, for whoever wants to see them.",
            "Compare your last line with the docstring.",
            r"return",
        ),
    ),
    hints=(
        "A decoder block is an encoder block with one more sub-layer in the middle. Which two "
        "things meet there?",
        "Self-attention over x with `mask`; cross-attention, in which x asks and the memory "
        "answers, with `memory_mask`; feed-forward. Each is added to what went into it, and has "
        "a norm of its own.",
        "Six lines, three for each order of the norms: x = norm(x + dropout(sublayer(x))) three "
        "times, or x = x + dropout(sublayer(norm(x))) three times. The memory itself is never "
        "normed here.",
    ),
    refuses=TRANSFORMER,
    instead="build it from MultiHeadAttention, FeedForward and LayerNorm.",
    measures={"dropped": lambda seen: DROPPED},
    symptoms=(memory_changes_nothing, hidden_memory_is_seen),
)
