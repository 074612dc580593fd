"""Lesson 5: how the embedding, the decoder and the whole Transformer are checked."""

import torch

from ..compare import close
from ..exercise import Exercise, Mistake, Property
from ..ready_made import TRANSFORMER
from ..symptoms import few, number, shape
from ..trial import Answer, Call, StandIn, Trial

# --- What several exercises use -------------------------------------------------------------------


def loaded(answer):
    """A digest: numbers mean nothing where weights could not be loaded, and are random. A norm's
    are not, they begin as ones and zeros."""
    wrong = {name: answer.facts.get(name, ()) for name in ("missing", "shapes", "extra")}
    random = [name for name in (*wrong["missing"], *wrong["shapes"]) if "norm" not in name]
    random += [name for name in wrong["extra"] if "layers." in name]  # blocks too many
    if not random:
        return answer
    return Answer({}, answer.facts | {"all weights could be loaded": False})


def only_dtype(answer):
    """A digest: which dtypes and shapes there are; the numbers count only as NaN or inf."""
    arrays = {
        name: torch.zeros_like(x) if bool(x.isfinite().all()) else x
        for name, x in answer.arrays.items()
    }
    return Answer(arrays, answer.facts)


DROPPED = 0.4
OUTPUTS = ("output", "output (call 2)", "output (call 3)")


def with_dropout(trial):
    """Turn a trial of one call into one that runs it in training, and twice in eval mode."""
    (once,) = trial.calls
    trial.options["dropout"] = DROPPED
    trial.calls = [Call(once.arguments, training=True), once, once]
    trial.digest = what_dropout_does
    return trial


def what_dropout_does(answer):
    """Is the same call answered alike, in training and in eval mode?"""
    training, off, again = (answer.arrays.get(name) for name in OUTPUTS)
    facts = {
        "training and eval mode are alike": alike(training, off),
        "two calls in eval mode are alike": alike(off, again),
    }
    return Answer({}, answer.facts | facts)


def without_dropout(trial):
    """Turn a trial of one call, with dropout=0.0, into one that runs it in both modes."""
    (once,) = trial.calls
    training = Call(once.arguments, training=True)
    trial.calls = [training, training, once]
    trial.digest = what_is_dropped_without
    return trial


def what_is_dropped_without(answer):
    """Does dropout=0.0 drop nothing?"""
    training, again, off = (answer.arrays.get(name) for name in OUTPUTS[:3])
    facts = {
        "with dropout=0.0 both modes are alike": alike(training, off),
        "with dropout=0.0 two calls in training are alike": alike(training, again),
    }
    return Answer({}, answer.facts | facts)


def alike(a, b):
    """Two arrays that are there, of one shape and equal but for rounding."""
    return a is not None and b is not None and a.shape == b.shape and close(a, b)


CUT = r"detach|\.data|item|numpy|no_grad|torch\.tensor"
LOOK_AT_CUT = "Look for .detach(), .data, .numpy(), torch.tensor(...) or torch.no_grad()."

# --- Token embedding ------------------------------------------------------------------------------


def embed(draw, *size, calls=1, vocab=11, d_model=7, **trial):
    """A trial with tokens of any shape; every number of the vocabulary may occur."""
    build = {"vocab": vocab, "d_model": d_model}
    calls = [Call({"tokens": draw.integers(0, vocab, *size)}) for _ in range(calls)]
    sizes = {"vocab": vocab, "d_model": d_model, "length": size[-1]}
    state = draw.weights(draw.reference(**build))
    return Trial(calls, build, state=state, sizes=sizes, **{"digest": loaded} | trial)


def embed_a_batch(draw):
    """Two calls: nothing of the first may be left in the second."""
    return embed(draw, 3, 5, calls=2)


def embed_other_sizes(draw):
    return embed(draw, 2, 3, vocab=5, d_model=12)


def embed_one_token(draw):
    return embed(draw, 1, 1)


def embed_the_last_tokens(draw):
    """0 and the last number of the vocabulary are tokens like all others."""
    trial = embed(draw, 2, 2)
    trial.calls = [Call({"tokens": torch.tensor([[0, 10], [10, 0]])})]
    return trial


def embed_one_sequence(draw):
    return embed(draw, 4)


def embed_many_batches(draw):
    return embed(draw, 2, 3, 4)


def embed_gradients(draw):
    trial = embed(draw, 2, 5, gradients=True, dtype=torch.float64, digest=dense)
    trial.calls = [Call({"tokens": torch.tensor([[0, 3, 7, 3, 10], [2, 0, 7, 7, 5]])})]
    return trial


def dense(answer):
    """A sparse gradient is as good as any."""
    arrays = {n: x.to_dense() if x.is_sparse else x for n, x in answer.arrays.items()}
    return loaded(Answer(arrays, answer.facts))


def embed_in_float64(draw):
    return embed(draw, 2, 4, dtype=torch.float64)


def embed_in_bfloat16(draw):
    return embed(draw, 2, 4, dtype=torch.bfloat16)


LOOK_UP = "return self.table(tokens) * self.scale"
SCALE = "self.scale = math.sqrt(d_model)"
TABLE = "self.table = nn.Embedding(vocab, d_model)"
LOOK_AT_SCALE = (
    "Section 3.4 says it in half a sentence: what are the vectors multiplied by, and why does "
    "that matter once positions are added?"
)
SCALES = r"sqrt|\*\* ?-?0\.5|scale|\*"


def scaled(mistake_id, new, says, **more):
    return Mistake(mistake_id, ((SCALE, new),), says, LOOK_AT_SCALE, SCALES, **more)


def looked_up(mistake_id, new, says, look, line):
    return Mistake(mistake_id, ((LOOK_UP, new),), says, look, line)


def ratio(seen):
    """A measure: how large the learner's numbers are, compared with what is expected."""
    return number(seen.yours["output"].abs().mean() / seen.theirs["output"].abs().mean())


def output_shape(seen):
    return shape(seen.yours["output"])


TokenEmbedding = Exercise(
    id="transformer.TokenEmbedding",
    properties=(
        Property("parts", 1, "the table is there under its name", aspects=("built", "names")),
        Property(
            "values",
            2,
            "every token gets its vector, scaled",
            (embed_a_batch, embed_other_sizes, embed_one_token, embed_the_last_tokens),
            look=LOOK_AT_SCALE,
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (embed_one_sequence, embed_many_batches),
        ),
        Property(
            "gradients",
            1,
            "gradients reach the vectors of all tokens that occur",
            (embed_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the table",
            (embed_in_float64, embed_in_bfloat16),
            aspects=("dtype",),
            look="Does your code make a tensor without saying which dtype?",
        ),
        Property("arguments", 1, "the tokens stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        scaled(
            "no_scale",
            "self.scale = 1.0",
            "Your vectors come out of the table as they are. They are {ratio} times as large as "
            "expected.",
        ),
        scaled(
            "scaled_by_width",
            "self.scale = d_model",
            "You multiply by d_model={d_model} itself, or by its root twice: your vectors are "
            "{ratio} times as large as expected.",
        ),
        scaled(
            "divided_by_root",
            "self.scale = 1 / math.sqrt(d_model)",
            "You divide by the root of d_model={d_model}, as attention does with its scores. Here "
            "it is the other way: your vectors are {ratio} times as large as expected.",
        ),
        scaled(
            "divided_by_width",
            "self.scale = 1 / d_model",
            "You divide by d_model={d_model}: your vectors are {ratio} times as large as expected.",
        ),
        scaled(
            "scaled_by_vocabulary",
            "self.scale = math.sqrt(vocab)",
            "You multiply by the root of {vocab}, the size of the vocabulary, and not of "
            "d_model={d_model}, the width of the vectors.",
        ),
        looked_up(
            "scaled_by_length",
            "return self.table(tokens) * math.sqrt(tokens.shape[-1])",
            "You multiply by the root of {length}, the number of tokens in a sequence, and not of "
            "d_model={d_model}, the width of the vectors.",
            LOOK_AT_SCALE,
            SCALES,
        ),
        scaled(
            "scale_rounded",
            "self.scale = int(math.sqrt(d_model))",
            "Your scale is a whole number: the root of d_model={d_model} has lost what stands "
            "behind the point. Your vectors are {ratio} times as large as expected.",
        ),
        scaled(
            "scaled_by_square",
            "self.scale = d_model**2",
            "You multiply by the square of d_model={d_model}, and not by its root.",
        ),
        Mistake(
            "table_scaled_at_every_call",
            (
                (
                    LOOK_UP,
                    "self.table.weight.data.mul_(self.scale)\n        return self.table(tokens)",
                ),
            ),
            "Your first call is right, but it scales the table itself, in place: the second call "
            "scales what is already scaled, and so on.",
            "Scale what was looked up, not what it was looked up in.",
            r"weight|mul_|\*=",
        ),
        Mistake(
            "table_scaled_once",
            (
                (SCALE, "self.table.weight.data.mul_(math.sqrt(d_model))"),
                (LOOK_UP, "return self.table(tokens)"),
            ),
            "You scale the table once, when it is made. As soon as other weights are loaded or "
            "shared, the scale is gone: your vectors are {ratio} times as large as expected.",
            LOOK_AT_SCALE,
            r"weight|mul_|\*=",
            same_as="no_scale",
        ),
        looked_up(
            "scaled_by_second_dimension",
            "x = self.table(tokens)\n        return x * math.sqrt(x.shape[1])",
            "You multiply by the root of the second dimension. That is the width only if there are "
            "two dimensions; here it is {length}, the number of tokens.",
            "Count from the right: which index is always the width?",
            r"shape|size",
        ),
        looked_up(
            "two_dimensions_only",
            "batch, length = tokens.shape\n        " + LOOK_UP,
            "Your code works for tokens of shape (batch, length) alone; there may be more leading "
            "dimensions, or none.",
            "Does your code need to know how many dimensions there are?",
            r"shape|size",
        ),
        looked_up(
            "length_normalised",
            "return nn.functional.normalize(self.table(tokens), dim=-1) * self.scale",
            "You bring all vectors to one length. How long a vector is, is for the model to learn.",
            LOOK_AT_SCALE,
            r"norm",
        ),
        looked_up(
            "features_before_tokens",
            "return (self.table(tokens) * self.scale).transpose(-1, -2)",
            "Your result has shape {output_shape}: features stand before tokens; expected is "
            "(…, length, d_model).",
            "Features are always the last dimension.",
            r"transpose|permute|\.T|mT",
        ),
        looked_up(
            "tokens_averaged",
            "return (self.table(tokens) * self.scale).mean(-2)",
            "Your result has shape {output_shape}: you average over the tokens of a sequence. Each "
            "token is to keep a vector of its own.",
            "How many vectors come out, if five tokens go in?",
            r"mean|EmbeddingBag",
        ),
        looked_up(
            "tokens_summed",
            "return (self.table(tokens) * self.scale).sum(-2)",
            "Your result has shape {output_shape}: you add up the tokens of a sequence. Each token "
            "is to keep a vector of its own.",
            "How many vectors come out, if five tokens go in?",
            r"sum|EmbeddingBag",
        ),
        Mistake(
            "sizes_swapped",
            ((TABLE, "self.table = nn.Embedding(d_model, vocab)"),),
            "Your table has {d_model} rows of {vocab} numbers; it is to have a row for each of the "
            "{vocab} tokens, {d_model} wide.",
            "nn.Embedding first asks how many vectors there are, and then how wide they are.",
            r"nn\.Embedding\(",
        ),
        Mistake(
            "token_0_not_trained",
            ((TABLE, "self.table = nn.Embedding(vocab, d_model, padding_idx=0)"),),
            "The numbers are right, but no gradient reaches token 0, because you called it "
            "padding: its vector would never be trained. Here token 0 is a token like all others; "
            "which one is padding is for the masks to know.",
            "What does padding_idx do to the gradient?",
            r"padding_idx",
        ),
        Mistake(
            "scale_is_trained",
            ((SCALE, "self.scale = nn.Parameter(torch.tensor(math.sqrt(d_model)))"),),
            "Your scale is a parameter: training would change it, and saved weights would need it.",
            "What is known when the module is made, and never changes, is a plain number.",
            r"Parameter",
        ),
        looked_up(
            "positions_added",
            "x = self.table(tokens) * self.scale\n"
            "        from .positional_encoding import sinusoidal_encoding\n"
            "        return x + sinusoidal_encoding(x.shape[-2], x.shape[-1]).to(x.dtype)",
            "You add the positions here. They have a module of their own, which would add them "
            "once more.",
            "An embedding says which token it is; where it stands comes later.",
            r"\+|position",
        ),
        looked_up(
            "graph_cut",
            "return self.table(tokens).detach() * self.scale",
            "The numbers are right, but no gradient gets back to the table, so it would never be "
            "trained.",
            LOOK_AT_CUT,
            CUT,
        ),
        looked_up(
            "scale_in_float32",
            "return self.table(tokens) * torch.tensor([self.scale])",
            "Your scale is a float32 tensor, and turns a bfloat16 result into float32.",
            "A plain Python number leaves the dtype as it is.",
            r"[tT]ensor",
        ),
        looked_up(
            "always_float32",
            "return (self.table(tokens) * self.scale).float()",
            "Whatever the dtype of the table, your result is float32.",
            "Where does your code name a dtype, or make a tensor without naming one?",
            r"float|tensor",
        ),
    ),
    hints=(
        "Two things happen: something is looked up, and something is multiplied.",
        "torch has a module that is a table of vectors, with a row for every token number. The "
        "factor depends only on how wide the vectors are.",
        "Make the table, (vocab, d_model), in __init__; in forward look the tokens up and multiply "
        "by a plain number.",
    ),
    measures={"ratio": ratio, "output_shape": output_shape},
)

# --- Decoder block --------------------------------------------------------------------------------

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


def with_other_masks(draw, trial):
    """Add a call that differs only where nobody looks, and one with one of the masks alone."""
    given = trial.calls[0].arguments
    hidden = ~given["memory_mask"][:, 0, 0, :, None]
    elsewhere = torch.where(hidden, draw.normal(*given["memory"].shape), given["memory"])
    both = {"x": given["x"], "memory": given["memory"]}
    trial.calls += [
        Call(given | {"memory": elsewhere}),
        Call(both, {"memory_mask": given["memory_mask"]}),
    ]
    return trial


def block_of_a_batch(draw):
    return with_other_memory(draw, write(draw, BLOCK))


def block_of_one_token(draw):
    """One sentence, of which one token is hidden."""
    trial = write(draw, {"d_model": 6, "num_heads": 1, "d_ff": 9}, batch=1, target=1, source=3)
    hide = {"memory_mask": visible(draw, 1, 1, 1, 3)}
    trial.calls = [Call(trial.calls[0].arguments, hide)]
    return trial


def block_of_equal_lengths(draw):
    """Mixed up masks and memories do not fit if lengths differ; here they fit, and are wrong."""
    return with_other_masks(draw, write(draw, BLOCK, target=6, source=6, masks=True))


def block_of_equal_lengths_norm_first(draw):
    """One mask for the whole batch."""
    trial = write(draw, BLOCK, target=6, source=6, masks=True, options=NORM_FIRST)
    arguments = trial.calls[0].arguments
    arguments["mask"] = arguments["mask"][0, 0]
    return trial


def block_gradients(draw):
    return write(draw, BLOCK, masks=True, gradients=True, dtype=torch.float64)


def block_gradients_norm_first(draw):
    trial = write(draw, BLOCK, options=NORM_FIRST, gradients=True, dtype=torch.float64)
    trial.strided = True
    return trial


def block_with_dropout_norm_first(draw):
    return with_dropout(write(draw, BLOCK, options={"norm_first": True}))


def block_without_dropout(draw):
    return without_dropout(write(draw, BLOCK, masks=True))


def block_in_bfloat16(draw):
    return write(draw, BLOCK, options=NORM_FIRST, dtype=torch.bfloat16, digest=only_dtype)


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
MAKE_DROPOUT = "self.dropout = Dropout(dropout)"
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
            (block_gradients,),
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
            LOOK_AT_CUT,
            CUT,
        ),
        Mistake(
            "graph_cut",
            ((BEGIN, f"x = x.detach()\n        {BEGIN}"),),
            "The numbers are right, but no gradient gets back to x: nothing below your block could "
            "be trained.",
            LOOK_AT_CUT,
            CUT,
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

# --- Decoder --------------------------------------------------------------------------------------

STACK = {"num_layers": 2, "d_model": 12, "num_heads": 3, "d_ff": 10}
ONE = STACK | {"num_layers": 1}


def stack_of_two(draw):
    return with_other_memory(draw, write(draw, STACK))


def stack_of_one(draw):
    return write(draw, ONE, batch=1, target=1, source=3)


def stack_norm_first(draw):
    return write(draw, STACK, options=NORM_FIRST)


def stack_with_masks_norm_first(draw):
    return write(draw, ONE, target=6, source=6, masks=True, options=NORM_FIRST)


def stack_of_equal_lengths(draw):
    return with_other_masks(draw, write(draw, STACK, target=6, source=6, masks=True))


def stack_gradients(draw):
    trial = write(draw, ONE, masks=True, options=NORM_FIRST, gradients=True)
    trial.dtype, trial.strided = torch.float64, True
    return trial


def stack_with_dropout(draw):
    return with_dropout(write(draw, ONE))


def stack_without_dropout(draw):
    return without_dropout(write(draw, ONE, masks=True))


def stack_in_bfloat16(draw):
    return write(draw, ONE, options=NORM_FIRST, dtype=torch.bfloat16, digest=only_dtype)


MAKE_BLOCK = "DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first)"
MAKE_LAYERS = f"""nn.ModuleList(
            {MAKE_BLOCK} for _ in range(num_layers)
        )"""
MAKE_NORM = "self.norm = nn.LayerNorm(d_model) if norm_first else None"
LOOP = "for layer in self.layers:"
THROUGH = "x = layer(x, memory, mask, memory_mask)"
NORM_AT_END = """if self.norm is not None:
            x = self.norm(x)"""
LOOK_AT_STACK = (
    "Write down for two blocks what goes into each of them, and what comes out: which of the four "
    "arguments changes on the way?"
)
LOOK_AT_LAST_NORM = (
    "With norm_first=True, what has normed the sum that leaves the last block? And with "
    "norm_first=False?"
)
LOOK_AT_REGISTERED = (
    "How does torch learn of the parameters of several blocks, and how many different blocks are "
    "there?"
)


def through(mistake_id, new, says, look=LOOK_AT_STACK, line=r"layer\("):
    """The line in the loop is another one."""
    return Mistake(mistake_id, ((THROUGH, new),), says, look, line)


Decoder = Exercise(
    id="transformer.Decoder",
    properties=(
        Property(
            "parts",
            2,
            "as many blocks as are asked for, each with parameters of its own, and the final norm "
            "only with norm_first=True",
            aspects=("built", "names"),
            look=LOOK_AT_REGISTERED,
        ),
        Property(
            "values",
            2,
            "each block works on what the one before has left, and all look at the same memory",
            (stack_of_two, stack_of_one),
            look=LOOK_AT_STACK,
        ),
        Property(
            "norm_first",
            1,
            "with norm_first=True the last sum is normed",
            (stack_norm_first,),
            look=LOOK_AT_LAST_NORM,
        ),
        Property(
            "masks",
            2,
            "every block gets both masks",
            (stack_of_equal_lengths, stack_with_masks_norm_first),
            look=LOOK_AT_MASKS,
        ),
        Property(
            "gradients",
            1,
            "gradients reach x, the memory and all parameters",
            (stack_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dropout",
            1,
            "dropout acts in training only, with the probability that is asked for",
            (stack_with_dropout, stack_without_dropout),
            look="Do your blocks get the probability?",
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of the input",
            (stack_in_bfloat16,),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x, memory and masks stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "one_block_repeated",
            ((MAKE_LAYERS, f"nn.ModuleList([{MAKE_BLOCK}] * num_layers)"),),
            "Your {num_layers} blocks are one and the same block, run {num_layers} times: they "
            "share all their parameters. However often one block is put into a list, it stays one.",
            LOOK_AT_REGISTERED,
            r"\* ?num_layers|ModuleList\(|append",
        ),
        Mistake(
            "plain_list",
            ((MAKE_LAYERS, f"[{MAKE_BLOCK} for _ in range(num_layers)]"),),
            "Your blocks lie in a plain Python list, where torch does not find them: they are "
            "neither trained, nor saved, nor moved to another device.",
            LOOK_AT_REGISTERED,
            r"layers ?=|append",
        ),
        Mistake(
            "one_block_too_few",
            (("range(num_layers)", "range(num_layers - 1)"),),
            "Your stack has one block too few for num_layers={num_layers}.",
            LOOK_AT_REGISTERED,
            r"range\(",
        ),
        Mistake(
            "one_block_too_many",
            (("range(num_layers)", "range(num_layers + 1)"),),
            "Your stack has one block too many for num_layers={num_layers}.",
            LOOK_AT_REGISTERED,
            r"range\(",
        ),
        Mistake(
            "one_block_alone",
            (("range(num_layers)", "range(1)"),),
            "Your stack has one block, whatever num_layers says.",
            LOOK_AT_REGISTERED,
            r"layers ?=",
        ),
        Mistake(
            "always_six_blocks",
            (("range(num_layers)", "range(6)"),),
            "Your stack has six blocks, whatever num_layers says.",
            LOOK_AT_REGISTERED,
            r"6",
        ),
        Mistake(
            "returns_after_first_block",
            ((THROUGH, f"{THROUGH}\n            return x"),),
            "Your output is that of the first block: the others are never run.",
            "How far is the last line of forward indented?",
            r"return",
        ),
        Mistake(
            "first_block_every_time",
            ((THROUGH, THROUGH.replace("layer(", "self.layers[0](")),),
            "Your loop runs the first block again and again; the others are never used.",
            LOOK_AT_STACK,
            r"layers\[0\]",
        ),
        Mistake(
            "last_block_alone",
            ((LOOP, f"start = x\n        {LOOP}"), (THROUGH, THROUGH.replace("(x,", "(start,"))),
            "Every block gets what came into the stack, so only the last one counts.",
            LOOK_AT_STACK,
            r"layer\(",
        ),
        Mistake(
            "blocks_in_reverse",
            ((LOOP, "for layer in reversed(self.layers):"),),
            "Your blocks are run in reverse order, the last one first.",
            LOOK_AT_STACK,
            r"reversed|::-1",
        ),
        Mistake(
            "last_block_not_run",
            ((LOOP, "for layer in self.layers[:-1]:"),),
            "Your last block is never run.",
            LOOK_AT_STACK,
            r":-1|range\(",
        ),
        through(
            "residual_around_blocks",
            "x = x + layer(x, memory, mask, memory_mask)",
            "You add what goes into a block to what comes out. Each block does that inside, for "
            "every sub-layer.",
            line=r"\+",
        ),
        through(
            "mask_not_handed_on",
            "x = layer(x, memory, None, memory_mask)",
            "Your blocks do not get `mask`, so every target token sees its future.",
            LOOK_AT_MASKS,
        ),
        through(
            "memory_mask_not_handed_on",
            "x = layer(x, memory, mask)",
            "Your blocks do not get `memory_mask`, so they attend to the padding of the source.",
            LOOK_AT_MASKS,
        ),
        through(
            "no_mask_handed_on",
            "x = layer(x, memory)",
            "Your blocks get neither mask: they see the future of the target and the padding of "
            "the source.",
            LOOK_AT_MASKS,
        ),
        through(
            "masks_swapped",
            "x = layer(x, memory, memory_mask, mask)",
            "Your two masks are swapped on their way into the blocks. That only fits if source and "
            "target have the same length.",
            LOOK_AT_MASKS,
        ),
        through(
            "mask_in_both_places",
            "x = layer(x, memory, mask, mask)",
            "Your blocks get `mask` in place of `memory_mask`, too. It fits only if source and "
            "target have the same length, and then it hides the wrong places of the memory.",
            LOOK_AT_MASKS,
        ),
        through(
            "memory_mask_in_both_places",
            "x = layer(x, memory, memory_mask, memory_mask)",
            "Your blocks get `memory_mask` in place of `mask`, too. It fits only if source and "
            "target have the same length, and then it hides the wrong target tokens.",
            LOOK_AT_MASKS,
        ),
        Mistake(
            "masks_for_first_block_alone",
            ((THROUGH, f"{THROUGH}\n            mask = memory_mask = None"),),
            "Only your first block gets the masks; those above it see the future and the padding.",
            LOOK_AT_MASKS,
            r"mask = |layers\[0\]",
        ),
        Mistake(
            "masks_inverted",
            (
                (
                    LOOP,
                    "mask = None if mask is None else ~mask\n"
                    "        memory_mask = None if memory_mask is None else ~memory_mask\n"
                    f"        {LOOP}",
                ),
            ),
            "Your masks work the other way round: what should be hidden is all that is seen.",
            "True means: may be attended to.",
            r"~|== ?0|not",
        ),
        Mistake(
            "causal_by_itself",
            (
                (
                    LOOP,
                    "past = torch.ones(x.shape[1], x.shape[1], device=x.device).tril().bool()\n"
                    "        mask = past if mask is None else mask & past\n"
                    f"        {LOOP}",
                ),
            ),
            "Your stack makes a causal mask of its own, also where `mask` says something else. "
            "Which tokens may be seen, is for the caller to say.",
            "What should happen if no mask is given?",
            r"tril|triu|causal",
        ),
        through(
            "memory_replaced",
            "x = memory = layer(x, memory, mask, memory_mask)",
            "What the first block gives becomes the memory of the next one: only the first block "
            "ever looks at what the encoder has read.",
        ),
        through(
            "memory_never_used",
            "x = layer(x, x, mask, mask)",
            "Your blocks get the target as memory: what the encoder has read is never looked at.",
        ),
        through(
            "memory_replaced_by_target",
            "x = layer(x, x, mask, memory_mask)",
            "Your blocks get the target as memory, with the mask of the source: what the encoder "
            "has read is never looked at.",
        ),
        through(
            "x_and_memory_swapped",
            "x = layer(memory, x, mask, memory_mask)",
            "x and memory are swapped on their way into the blocks.",
        ),
        Mistake(
            "final_norm_missing",
            ((MAKE_NORM, "self.norm = None"),),
            "With norm_first=True your stack has no final norm: nothing norms the sum that leaves "
            "the last block.",
            LOOK_AT_LAST_NORM,
            r"norm = |Norm\(",
        ),
        Mistake(
            "final_norm_not_used",
            ((NORM_AT_END, ""),),
            "With norm_first=True your stack has a final norm, but never uses it.",
            LOOK_AT_LAST_NORM,
            r"return",
        ),
        Mistake(
            "final_norm_always",
            ((MAKE_NORM, "self.norm = nn.LayerNorm(d_model)"),),
            "Your stack has a final norm also with norm_first=False, where each block ends with a "
            "norm already.",
            LOOK_AT_LAST_NORM,
            r"norm = |Norm\(",
        ),
        Mistake(
            "final_norm_made_always_used_rightly",
            (
                (MAKE_NORM, "self.norm = nn.LayerNorm(d_model)\n        self.first = norm_first"),
                ("if self.norm is not None:", "if self.first:"),
            ),
            "Your stack makes a final norm also with norm_first=False, where it is not used. Its "
            "parameters would be saved and counted for nothing.",
            LOOK_AT_LAST_NORM,
            r"norm = |Norm\(",
        ),
        Mistake(
            "final_norm_the_other_way_round",
            ((MAKE_NORM, MAKE_NORM.replace("if norm_first", "if not norm_first")),),
            "Your stack has a final norm with norm_first=False and none with True; it is to be the "
            "other way round.",
            LOOK_AT_LAST_NORM,
            r"norm = |Norm\(",
        ),
        Mistake(
            "norm_after_every_block",
            (
                (NORM_AT_END, ""),
                (
                    THROUGH,
                    f"{THROUGH}\n            if self.norm is not None:\n"
                    "                x = self.norm(x)",
                ),
            ),
            "With norm_first=True you use the final norm after every block, and not once at the "
            "end.",
            "How far is the final norm indented?",
            r"norm\(",
        ),
        Mistake(
            "memory_normed",
            (
                (
                    LOOP,
                    f"memory = memory if self.norm is None else self.norm(memory)\n        {LOOP}",
                ),
            ),
            "With norm_first=True you norm the memory with the stack's final norm. The encoder has "
            "normed it already, with its own.",
            "What exactly goes through the final norm?",
            r"norm\(memory",
        ),
        Mistake(
            "norm_first_not_handed_on",
            ((MAKE_BLOCK, MAKE_BLOCK.replace(", norm_first", "")),),
            "Your blocks do not get norm_first: with norm_first=True they still norm after adding.",
            "Which arguments does DecoderBlock take, and which do you hand on?",
            r"DecoderBlock\(",
        ),
        Mistake(
            "norm_first_ignored",
            (
                (MAKE_BLOCK, MAKE_BLOCK.replace(", norm_first", "")),
                (MAKE_NORM, "self.norm = None"),
            ),
            "Your stack does the same with norm_first=True as with False: neither do the blocks "
            "get it, nor is there a final norm.",
            LOOK_AT_LAST_NORM,
            r"DecoderBlock\(",
        ),
        Mistake(
            "always_norm_first",
            ((MAKE_BLOCK, MAKE_BLOCK.replace("norm_first", "True")),),
            "Your blocks norm before each sub-layer also with norm_first=False.",
            "Which arguments does DecoderBlock take, and which do you hand on?",
            r"DecoderBlock\(",
        ),
        Mistake(
            "dropout_not_handed_on",
            ((MAKE_BLOCK, MAKE_BLOCK.replace("dropout, norm_first", "norm_first=norm_first")),),
            "With dropout=0.0 something is dropped in training all the same: your blocks, or "
            "something beside them, have a probability of their own, and do not get yours.",
            "Which arguments does DecoderBlock take, and which do you hand on?",
            r"DecoderBlock\(|Dropout\(|dropout\(",
        ),
        Mistake(
            "dropout_never",
            ((MAKE_BLOCK, MAKE_BLOCK.replace("dropout, norm_first", "0.0, norm_first")),),
            "In training nothing is dropped: the output is that of eval mode, with "
            "dropout={dropped}.",
            "Which arguments does DecoderBlock take, and which do you hand on?",
            r"DecoderBlock\(",
        ),
        Mistake(
            "dropout_always",
            (
                (LOOP, f"x = nn.functional.dropout(x, self.p)\n        {LOOP}"),
                (MAKE_NORM, f"{MAKE_NORM}\n        self.p = dropout"),
            ),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout\(",
        ),
        Mistake(
            "memory_cut_off",
            ((LOOP, f"memory = memory.detach()\n        {LOOP}"),),
            "The numbers are right, but no gradient gets back to the memory: the encoder could "
            "never learn what the decoder needs.",
            LOOK_AT_CUT,
            CUT,
        ),
        through(
            "graph_cut",
            "x = layer(x.detach(), memory, mask, memory_mask)",
            "The numbers are right, but gradients end at a block's input: what lies below could "
            "not be trained.",
            LOOK_AT_CUT,
            CUT,
        ),
        Mistake(
            "all_outputs_returned",
            (
                (LOOP, f"outputs = []\n        {LOOP}"),
                (THROUGH, f"{THROUGH}\n            outputs.append(x)"),
                ("return x", "return outputs"),
            ),
            "You give back the outputs of all blocks; expected is that of the last one.",
            "What does the next part of the model want to work with?",
            r"return",
        ),
    ),
    hints=(
        "What changes from block to block, and what stays the same for all of them?",
        "x goes through the blocks one after the other. The memory and both masks go into every "
        "one of them, unchanged. With norm_first=True the last sum has not been normed.",
        "In __init__ an nn.ModuleList of as many new blocks as are asked for, and a norm or None; "
        "in forward a loop of one line, and the norm if there is one.",
    ),
    refuses=TRANSFORMER,
    instead="build it from DecoderBlock and LayerNorm.",
    measures={"dropped": lambda seen: DROPPED},
    symptoms=(memory_changes_nothing, hidden_memory_is_seen),
)

# --- Transformer ----------------------------------------------------------------------------------

SIZES = {
    "source_vocab": 11,
    "target_vocab": 13,
    "d_model": 12,
    "num_heads": 3,
    "d_ff": 10,
    "num_layers": 1,
}
COMMON = 11  # tokens below that are in both vocabularies


def sentences(draw, batch=2, length=5, pad=0):
    """Token numbers without padding."""
    return draw.tokens(batch, length, COMMON, pad, padded=False)


def padded(draw, batch=2, length=5, pad=0):
    """Token numbers with padding in every sentence: in the middle of the first one, at the end of
    the others. Before it stand real tokens, so that no query is left with nothing; with another pad
    than 0, one of them is 0."""
    tokens = sentences(draw, batch, length, pad)
    tokens[0, draw.integer(1, length - 1)] = pad
    for row in range(1, batch):
        tokens[row, draw.integer(2, length) :] = pad
        tokens[row, 1] = 0 if pad else tokens[row, 1]
    return tokens


def read(draw, calls, layers=1, options=None, build=None, **trial):
    """A trial of the whole model; what stands at padded positions is cut off."""
    build = SIZES | {"num_layers": layers} | (build or {})
    options = {"dropout": 0.0, "max_length": 9} | (options or {})
    sizes = {"source_length": 0, "target_length": 0}
    for call in reversed(calls):
        sizes |= {
            f"{side}_length": call.arguments[side].shape[1]
            for side in ("source", "target")
            if side in call.arguments
        }
    state = draw.weights(draw.reference(**build, **options))
    trial = {"state": state, "sizes": sizes} | trial
    trial = Trial(calls, build, options, **trial)
    if trial.digest is None:
        trial.digest = lambda answer: without_padding(answer, trial)
    return trial


def without_padding(answer, trial):
    """A digest: zeros at padded positions, of which nothing is asked."""
    arrays = dict(answer.arrays)
    for name, call in zip(OUTPUTS, trial.calls):
        tokens = call.arguments["source" if call.method == "encode" else "target"]
        output, pad = arrays.get(name), trial.options.get("pad", 0)
        if output is not None and output.dim() == 3 and output.shape[:2] == tokens.shape:
            hidden = (tokens == pad).to(output.device)[..., None]
            arrays[name] = output.masked_fill(hidden, 0)
    return loaded(Answer(arrays, answer.facts))


def translate(source, target):
    return Call({"source": source, "target": target})


def model_of_one_layer(draw):
    """Three calls: the second has another last token, the third another source, which is
    shorter."""
    source, target = sentences(draw, length=7), sentences(draw)
    other = target.clone()
    other[:, -1] = 1 + other[:, -1] % (COMMON - 1)
    calls = [translate(source, target), translate(source, other)]
    return read(draw, [*calls, translate(sentences(draw, length=4), target)])


def model_of_two_layers(draw):
    """First one sentence of one token: the last of each vocabulary."""
    one = translate(torch.tensor([[10]]), torch.tensor([[12]]))
    more = translate(sentences(draw, length=6), sentences(draw, length=4))
    return read(draw, [one, more], layers=2)


def model_in_halves(draw, make=sentences, **settings):
    """decode gets a memory from elsewhere."""
    arguments = {
        "target": make(draw),
        "memory": draw.normal(2, 7, 12),
        "source": make(draw, length=7),
    }
    encode = Call({"source": make(draw, 4, 6)}, method="encode")
    return read(draw, [Call(arguments, method="decode"), encode], **settings)


def model_norm_first(draw):
    """Two sources of the same size, one after the other."""
    target = sentences(draw, length=6)
    calls = [translate(sentences(draw, length=4), target) for _ in range(2)]
    return read(draw, calls, options=NORM_FIRST)


def model_with_padding(draw):
    """Two calls: the second has more padding at the end of the source, and is to say the same."""
    source, target = padded(draw, length=7), padded(draw)
    more = torch.cat([source, torch.zeros_like(source[:, :1])], dim=1)
    return read(draw, [translate(source, target), translate(more, target)])


def model_in_halves_with_padding(draw):
    """Two layers: what stands at padded positions must not come back in the second one."""
    return model_in_halves(draw, padded, layers=2, options=NORM_FIRST)


def model_of_equal_lengths(draw):
    """Mixed up masks do not fit if lengths differ; here they fit, and are wrong. One of the sources
    has no padding."""
    source = padded(draw, length=6)
    source[0] = sentences(draw, 1, 6)[0]
    return read(draw, [translate(source, padded(draw, length=6))])


def model_with_other_padding(draw):
    calls = [translate(padded(draw, length=7, pad=3), padded(draw, pad=3))]
    return read(draw, calls, options={"pad": 3} | NORM_FIRST)


def model_tied(draw):
    """Tables of the same size are two all the same."""
    calls = [translate(sentences(draw, length=4), sentences(draw))]
    options, build = {"tie_weights": True}, {"target_vocab": SIZES["source_vocab"]}
    return read(draw, calls, options=options, build=build, digest=what_is_tied)


def what_is_tied(answer):
    """A digest: which parameters are one belongs to the model's promises, not to its names."""
    facts = dict(answer.facts)
    facts["one and the same parameter"] = facts.pop("shared", None)
    return loaded(Answer(answer.arrays, facts))


def model_gradients(draw):
    """Padding in the source alone: at padded target positions nothing is asked of the output."""
    calls = [translate(padded(draw, length=7), sentences(draw))]
    return read(draw, calls, gradients=True, dtype=torch.float64, tolerance=30.0)


def model_with_dropout(draw):
    trial = read(draw, [translate(sentences(draw, length=7), sentences(draw))])
    return with_dropout(trial)


def model_without_dropout(draw):
    trial = read(draw, [translate(padded(draw, length=7), sentences(draw))])
    return without_dropout(trial)


def model_in_bfloat16(draw):
    calls = [translate(padded(draw, length=7), sentences(draw))]
    return read(draw, calls, dtype=torch.bfloat16, digest=only_dtype)


def outputs_of(seen, first, second):
    """The learner's answers to two calls with targets of one shape, or nothing."""
    calls = seen.trial.calls
    if len(calls) <= second or calls[0].method:
        return None
    found = [seen.yours.get(OUTPUTS[number]) for number in (first, second)]
    size = calls[first].arguments["target"].shape
    if any(x is None or x.dim() != 3 or x.shape[:2] != size for x in found):
        return None
    return found


def target_sees_its_future(seen):
    """A symptom: another last target token changes what is said before it."""
    found = outputs_of(seen, 0, 1)
    if found is None or len(seen.trial.calls) != 3:
        return None
    change = (found[0] - found[1]).abs()[:, :-1].flatten(2).amax((0, 2))
    if float(change.max()) < 1e-4:
        return None
    return (
        f"Your model looks ahead: another last target token changes the logits at the positions "
        f"before it (by up to {few(change, 5)}), where it is still to be guessed."
    )


def source_changes_nothing(seen):
    """A symptom: the same logits for another source."""
    found = outputs_of(seen, 0, 2)
    if found is None or len(seen.trial.calls) != 3 or not alike(*found):
        return None
    return "Your logits are the same whatever the source says: nothing of it reaches them."


def padding_changes_something(seen):
    """A symptom: one more padding token behind the source changes the logits."""
    found = outputs_of(seen, 0, 1)
    if found is None or len(seen.trial.calls) != 2:
        return None
    real = seen.trial.calls[0].arguments["target"] != 0
    change = (found[0] - found[1])[real].abs().max()
    if float(change) < 1e-4:
        return None
    return (
        f"One more token of padding behind the source changes your logits, by up to "
        f"{number(change)}: something attends to padding."
    )


EMBED_SOURCE = "x = self.position(self.source_embedding(source))"
EMBED_TARGET = "x = self.position(self.target_embedding(target))"
ENCODE = "return self.encoder(x, padding_mask(source, self.pad))"
PAST = "past = causal_mask(target.shape[1], device=target.device)"
MASK = "mask = past & padding_mask(target, self.pad)"
DECODE = "return self.decoder(x, memory, mask, padding_mask(source, self.pad))"
MEMORY = "memory = self.encode(source)"
HIDDEN = "hidden = self.decode(target, memory, source)"
LOGITS = "return self.output(hidden)"
KEEP_PAD = "self.pad = pad"
SOURCE_TABLE = "self.source_embedding = TokenEmbedding(source_vocab, d_model)"
TARGET_TABLE = "self.target_embedding = TokenEmbedding(target_vocab, d_model)"
OUTPUT = "self.output = nn.Linear(d_model, target_vocab)"
ENCODER = "Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)"
DECODER = "Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)"
MAKE_ENCODER, MAKE_DECODER = f"self.encoder = {ENCODER}", f"self.decoder = {DECODER}"
MAKE_POSITION = "self.position = PositionalEncoding(d_model, max_length, dropout)"
TIE = "self.output.weight = self.target_embedding.table.weight"
TIED = "if tie_weights:"
SIGNATURE = "def forward(self, source, target):"
SOURCE_MASK = "padding_mask(source, self.pad)"

NORM_STACKS = (
    "for stack in (self.encoder, self.decoder):\n"
    "            stack.norm = nn.LayerNorm(d_model) if {} else stack.norm"
)

UNHIDDEN_ENCODE = (ENCODE, "return self.encoder(x)")
UNHIDDEN_DECODE = (DECODE, "return self.decoder(x, memory, mask)")
UNHIDDEN_TARGET = (MASK, "mask = past")
UPSIDE_DOWN = (
    (ENCODE, ENCODE.replace(SOURCE_MASK, f"~{SOURCE_MASK}")),
    (DECODE, DECODE.replace(SOURCE_MASK, f"~{SOURCE_MASK}")),
)
LOOK_AT_THREE_MASKS = (
    "Three attentions need a mask: that of the encoder, and the two of the decoder. Whose tokens "
    "are the keys in each of them, and which of these may not be seen?"
)
LOOK_AT_CAUSAL = (
    "At position t the model is to guess the token at t + 1 of the sentence. What may it have seen "
    "by then?"
)
LOOK_AT_INPUT = (
    "Follow a token from its number to the first block, in figure 1: what is looked up, what is "
    "multiplied, what is added?"
)
LOOK_AT_TYING = (
    "Section 3.4 lets two matrices be one. After a training step, would yours still be equal? And "
    "which two have a row for every target token?"
)
LOOK_AT_HANDED_ON = (
    "Compare the arguments of Encoder and Decoder with what you hand on, one by one."
)
LOOK_AT_LOGITS = (
    "What does forward promise in its docstring: whose length, and which numbers, from which of "
    "the two stacks?"
)


def logits(mistake_id, new, says, look=LOOK_AT_LOGITS, line=r"output\(|return"):
    """The last line of forward is another one."""
    return Mistake(mistake_id, ((LOGITS, new),), says, look, line)


def handed_on(mistake_id, edits, says, line=r"Encoder\(|Decoder\("):
    return Mistake(mistake_id, edits, says, LOOK_AT_HANDED_ON, line)


def without(argument, replacement=""):
    """The edits that hand one argument on to neither stack."""
    return tuple(
        (make, make.replace(f", {argument}", replacement)) for make in (MAKE_ENCODER, MAKE_DECODER)
    )


Transformer = Exercise(
    id="transformer.Transformer",
    properties=(
        Property(
            "parts",
            1,
            "all parts are there under their names, with the sizes that are asked for",
            aspects=("built", "names"),
            look=LOOK_AT_HANDED_ON,
        ),
        Property(
            "values",
            2,
            "the logits are right, for sources and targets of any length",
            (model_of_one_layer, model_of_two_layers),
            look="Compare your model with figure 1, arrow by arrow.",
        ),
        Property(
            "halves",
            1,
            "encode and decode can be called on their own",
            (model_in_halves,),
            look="Whoever decodes token by token encodes once, and then asks for hidden states.",
        ),
        Property(
            "norm_first",
            1,
            "norm_first reaches both stacks",
            (model_norm_first,),
            look=LOOK_AT_HANDED_ON,
        ),
        Property(
            "padding",
            2,
            "nothing attends to padding, and no target token to its future",
            (model_with_padding, model_in_halves_with_padding, model_of_equal_lengths),
            look=LOOK_AT_THREE_MASKS,
        ),
        Property(
            "pad",
            1,
            "any token number can be that of padding",
            (model_with_other_padding,),
            look="With pad=3, token 3 is padding and token 0 is a token like all others.",
        ),
        Property(
            "tied",
            1,
            "with tie_weights=True output and target embedding share one matrix",
            (model_tied,),
            look=LOOK_AT_TYING,
        ),
        Property(
            "gradients",
            1,
            "gradients reach all parameters",
            (model_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dropout",
            1,
            "dropout acts in training only, with the probability that is asked for",
            (model_with_dropout, model_without_dropout),
            look="Which parts are told the probability?",
        ),
        Property(
            "dtype",
            1,
            "the logits have the dtype of the weights, and the tokens stay as they were",
            (model_in_bfloat16,),
            aspects=("dtype", "changed"),
        ),
    ),
    mistakes=(
        # What goes into the stacks.
        Mistake(
            "no_positions",
            (
                (EMBED_SOURCE, "x = self.source_embedding(source)"),
                (EMBED_TARGET, "x = self.target_embedding(target)"),
            ),
            "No positions are added, on neither side: your encoder sees its tokens as a bag, in "
            "which order means nothing.",
            LOOK_AT_INPUT,
            r"embedding\(",
        ),
        Mistake(
            "no_positions_in_source",
            ((EMBED_SOURCE, "x = self.source_embedding(source)"),),
            "The source gets no positions: your encoder sees its tokens as a bag, in which order "
            "means nothing.",
            LOOK_AT_INPUT,
            r"source_embedding\(",
        ),
        Mistake(
            "no_positions_in_target",
            ((EMBED_TARGET, "x = self.target_embedding(target)"),),
            "The target gets no positions: your decoder does not know in which order it has "
            "written what it sees.",
            LOOK_AT_INPUT,
            r"target_embedding\(",
        ),
        Mistake(
            "not_scaled",
            (
                (EMBED_SOURCE, EMBED_SOURCE.replace("(source)", ".table(source)")),
                (EMBED_TARGET, EMBED_TARGET.replace("(target)", ".table(target)")),
            ),
            "The vectors from your tables are not multiplied by the root of d_model={d_model}, so "
            "next to them the positions are too loud.",
            LOOK_AT_INPUT,
            r"embedding|table",
        ),
        Mistake(
            "scaled_twice",
            (
                (EMBED_SOURCE, EMBED_SOURCE[:-1] + " * self.source_embedding.scale)"),
                (EMBED_TARGET, EMBED_TARGET[:-1] + " * self.target_embedding.scale)"),
            ),
            "Your vectors are multiplied by d_model={d_model}, or by its root twice. Its root "
            "is enough, and TokenEmbedding multiplies by that already.",
            LOOK_AT_INPUT,
            r"sqrt|\*",
        ),
        Mistake(
            "positions_scaled_too",
            (
                (
                    EMBED_SOURCE,
                    "x = self.position(self.source_embedding.table(source)) * "
                    "self.source_embedding.scale",
                ),
                (
                    EMBED_TARGET,
                    "x = self.position(self.target_embedding.table(target)) * "
                    "self.target_embedding.scale",
                ),
            ),
            "You add the positions first, and multiply the sum by the root of d_model={d_model}: "
            "only the token's vector is to be multiplied.",
            LOOK_AT_INPUT,
            r"sqrt|\*",
        ),
        Mistake(
            "target_through_source_table",
            ((EMBED_TARGET, EMBED_TARGET.replace("target_embedding", "source_embedding")),),
            "Your target tokens are looked up in the source's table. The same number is another "
            "word there.",
            "Two languages, two vocabularies, two tables.",
            r"source_embedding\(",
        ),
        Mistake(
            "source_through_target_table",
            ((EMBED_SOURCE, EMBED_SOURCE.replace("source_embedding", "target_embedding")),),
            "Your source tokens are looked up in the target's table. The same number is another "
            "word there.",
            "Two languages, two vocabularies, two tables.",
            r"target_embedding\(",
        ),
        Mistake(
            "tables_swapped",
            (
                (EMBED_SOURCE, EMBED_SOURCE.replace("source_embedding", "target_embedding")),
                (EMBED_TARGET, EMBED_TARGET.replace("target_embedding", "source_embedding")),
            ),
            "Your two tables are swapped: source tokens are looked up in the target's, and target "
            "tokens in the source's.",
            "Two languages, two vocabularies, two tables.",
            r"embedding\(",
        ),
        # Padding and future.
        Mistake(
            "no_padding_mask_anywhere",
            (UNHIDDEN_ENCODE, UNHIDDEN_TARGET, UNHIDDEN_DECODE),
            "Padding is hidden nowhere: encoder and decoder attend to it as if it were words.",
            LOOK_AT_THREE_MASKS,
            r"encoder\(",
        ),
        Mistake(
            "source_padding_seen",
            (UNHIDDEN_ENCODE, UNHIDDEN_DECODE),
            "The padding of the source is hidden from nobody: the encoder's self-attention attends "
            "to it, and so does the decoder's cross-attention.",
            LOOK_AT_THREE_MASKS,
            r"encoder\(",
        ),
        Mistake(
            "source_padding_seen_by_encoder",
            (UNHIDDEN_ENCODE,),
            "In your encoder nothing hides padding: words attend to it.",
            LOOK_AT_THREE_MASKS,
            r"encoder\(",
        ),
        Mistake(
            "source_padding_seen_by_decoder",
            (UNHIDDEN_DECODE,),
            "In your decoder nothing hides the padding of the source: cross-attention attends to "
            "it.",
            LOOK_AT_THREE_MASKS,
            r"decoder\(",
        ),
        Mistake(
            "target_padding_seen",
            (UNHIDDEN_TARGET,),
            "The padding of the target is not hidden. Where it stands at the end, the causal mask "
            "hides it anyway; in front of or between real tokens, they attend to it.",
            LOOK_AT_THREE_MASKS,
            r"causal|tril|mask = ",
        ),
        Mistake(
            "padding_seen_by_its_own_side",
            (UNHIDDEN_ENCODE, UNHIDDEN_TARGET),
            "Only cross-attention hides padding. In the encoder source words attend to that of the "
            "source, and in the decoder target words to that of the target.",
            LOOK_AT_THREE_MASKS,
            r"encoder\(",
        ),
        Mistake(
            "padding_seen_by_decoder",
            (UNHIDDEN_TARGET, UNHIDDEN_DECODE),
            "In your decoder nothing hides padding: self-attention attends to that of the target, "
            "and cross-attention to that of the source.",
            LOOK_AT_THREE_MASKS,
            r"decoder\(",
        ),
        Mistake(
            "masks_inverted",
            (
                *UPSIDE_DOWN,
                (MASK, "mask = ~(past & padding_mask(target, self.pad))"),
            ),
            "All your masks work the other way round: your model sees the padding and the future, "
            "and nothing else.",
            "True means: may be attended to.",
            r"mask\(|~|== ?self|== ?pad",
        ),
        Mistake(
            "padding_masks_inverted",
            (*UPSIDE_DOWN, (MASK, "mask = past & ~padding_mask(target, self.pad)")),
            "Your padding masks work the other way round: your model sees the padding, and none of "
            "the words.",
            "True means: may be attended to.",
            r"mask\(|~|== ?self|== ?pad",
        ),
        Mistake(
            "causal_mask_inverted",
            ((MASK, "mask = ~past & padding_mask(target, self.pad)"),),
            "Your causal mask works the other way round: a target token sees what comes after it, "
            "and neither itself nor what came before.",
            LOOK_AT_CAUSAL,
            r"causal|tril|triu",
        ),
        Mistake(
            "source_padding_asks_nothing",
            (
                (
                    ENCODE,
                    "return self.encoder(x, padding_mask(source, self.pad).transpose(-1, -2))",
                ),
            ),
            "Your encoder's mask hides rows in place of columns: padding is not allowed to ask, "
            "but every word still attends to padding.",
            "Scores are (…, query, key). Which of the two is it that must not be padding?",
            r"encoder\(|unsqueeze|None\]",
        ),
        Mistake(
            "target_padding_asks_nothing",
            ((MASK, "mask = past & padding_mask(target, self.pad).transpose(-1, -2)"),),
            "The mask of your target hides rows in place of columns: padding is not allowed to "
            "ask, but words that come after it still attend to it.",
            "Scores are (…, query, key). Which of the two is it that must not be padding?",
            r"mask = |unsqueeze|None\]",
        ),
        Mistake(
            "encoder_looks_back_only",
            (
                (
                    ENCODE,
                    "return self.encoder(x, causal_mask(source.shape[1], device=source.device) & "
                    "padding_mask(source, self.pad))",
                ),
            ),
            "Your encoder has a causal mask: a source token sees only itself and what came before. "
            "The source is there as a whole; nothing in it is to be guessed.",
            "Which of the three attentions must not look ahead, and why only that one?",
            r"encoder\(|causal",
        ),
        Mistake(
            "encoder_looks_back_only_and_at_padding",
            (
                (
                    ENCODE,
                    "return self.encoder(x, causal_mask(source.shape[1], device=source.device))",
                ),
            ),
            "Your encoder gets a causal mask in place of one for padding: a source token sees only "
            "itself and what came before, padding included.",
            LOOK_AT_THREE_MASKS,
            r"encoder\(|causal",
        ),
        Mistake(
            "no_causal_mask",
            ((MASK, "mask = padding_mask(target, self.pad)"),),
            "Your decoder sees its own future: there is no causal mask. In training it would copy "
            "the next word in place of guessing it, and then write nonsense.",
            LOOK_AT_CAUSAL,
            r"decoder\(",
        ),
        Mistake(
            "no_target_mask",
            ((MASK, "mask = None"),),
            "The decoder's self-attention hides nothing: it sees its own future, and padding.",
            LOOK_AT_CAUSAL,
            r"decoder\(",
        ),
        Mistake(
            "sees_one_ahead",
            (
                (
                    PAST,
                    "past = causal_mask(target.shape[1] + 1, device=target.device)[1:, :-1]",
                ),
            ),
            "Every target token sees one token too many: the very one that is to be guessed there.",
            LOOK_AT_CAUSAL,
            r"tril|triu|causal|diagonal",
        ),
        Mistake(
            "does_not_see_itself",
            (
                (
                    PAST,
                    "past = causal_mask(target.shape[1] + 1, device=target.device)[:-1, 1:]",
                ),
            ),
            "No target token sees itself, and the first one sees nothing at all.",
            LOOK_AT_CAUSAL,
            r"tril|triu|causal|diagonal",
        ),
        Mistake(
            "sees_the_future_alone",
            ((PAST, f"{PAST}.T"),),
            "A target token sees itself and what comes after it, and nothing that came before: "
            "your causal mask is turned round.",
            LOOK_AT_CAUSAL,
            r"tril|triu|causal",
        ),
        Mistake(
            "causal_or_padding",
            ((MASK, "mask = past | padding_mask(target, self.pad)"),),
            "A target token may see another one if *one* of your two masks allows it, and so it "
            "sees its future. Both have to allow it.",
            "Which operator says that two things must both hold?",
            r" \| | or |maximum|\+",
        ),
        Mistake(
            "causal_mask_of_source_length",
            ((PAST, "past = causal_mask(source.shape[1], device=target.device)"),),
            "Your causal mask is as long as the source ({source_length}), and not as the target "
            "({target_length}). It fits only if both have the same length.",
            "Whose tokens are queries and keys in the decoder's self-attention?",
            r"causal|tril",
        ),
        Mistake(
            "causal_mask_of_batch_size",
            ((PAST, "past = causal_mask(target.shape[0], device=target.device)"),),
            "Your causal mask has the size of the batch, and not of the target's length.",
            "Which dimension of (batch, length) is it that you ask for?",
            r"causal|tril|shape\[0\]|size\(0\)|len\(",
        ),
        Mistake(
            "target_mask_for_memory",
            ((DECODE, "return self.decoder(x, memory, mask, mask)"),),
            "Your cross-attention gets the target's mask, the causal one included. It fits only if "
            "source and target have the same length, and then it hides the wrong places of the "
            "memory.",
            LOOK_AT_THREE_MASKS,
            r"decoder\(",
        ),
        Mistake(
            "target_padding_for_memory",
            ((DECODE, DECODE.replace("(source", "(target")),),
            "Your cross-attention hides the places of the memory where the *target* has padding. "
            "That fits only if source and target have the same length; and the memory is the "
            "source's.",
            "Whose tokens are the keys in cross-attention?",
            r"decoder\(|mask\(target",
        ),
        Mistake(
            "source_padding_for_target",
            ((MASK, MASK.replace("(target", "(source")),),
            "Your decoder's self-attention hides the places of the target where the *source* has "
            "padding. That fits only if source and target have the same length; and the keys are "
            "the target's.",
            "Whose tokens are the keys in the decoder's self-attention?",
            r"mask = |mask\(source",
        ),
        Mistake(
            "memory_looked_at_step_by_step",
            (
                (
                    DECODE,
                    "seen = target.new_ones(target.shape[1], source.shape[1]).tril().bool()\n"
                    "        return self.decoder(x, memory, mask, "
                    "seen & padding_mask(source, self.pad))",
                ),
            ),
            "Your cross-attention has a causal mask: target token t sees no more than the first "
            "t + 1 source tokens. The source is there as a whole, and may all be seen.",
            "Which of the three attentions must not look ahead, and why only that one?",
            r"tril|triu|causal",
        ),
        Mistake(
            "pad_fixed_to_0",
            ((KEEP_PAD, "self.pad = 0"),),
            "With pad={pad} your masks still hide token 0, which is a word like all others then, "
            "and show the padding.",
            "Where does your model keep `pad`, and who gets it?",
            r"mask\(|== ?0|!= ?0",
        ),
        Mistake(
            "pad_fixed_to_0_in_source",
            (
                (ENCODE, ENCODE.replace(", self.pad", "")),
                (DECODE, DECODE.replace(", self.pad", "")),
            ),
            "With pad={pad} your masks for the source still hide token 0, which is a word like all "
            "others then, and show the padding.",
            "Who has to know which token is padding?",
            r"mask\(source\)|== ?0|!= ?0",
        ),
        Mistake(
            "pad_fixed_to_0_in_target",
            ((MASK, MASK.replace(", self.pad", "")),),
            "With pad={pad} your mask for the target still hides token 0, which is a word like all "
            "others then, and shows the padding.",
            "Who has to know which token is padding?",
            r"mask\(target\)|== ?0|!= ?0",
        ),
        Mistake(
            "pad_fixed_to_0_for_memory",
            ((DECODE, DECODE.replace(", self.pad", "")),),
            "With pad={pad} the mask of your cross-attention still hides token 0, which is a word "
            "like all others then, and shows the padding.",
            "Who has to know which token is padding?",
            r"mask\(source\)|== ?0|!= ?0",
        ),
        Mistake(
            "pad_fixed_to_0_in_encoder",
            ((ENCODE, ENCODE.replace(", self.pad", "")),),
            "With pad={pad} the mask of your encoder still hides token 0, which is a word like all "
            "others then, and shows the padding.",
            "Who has to know which token is padding?",
            r"mask\(source\)|== ?0|!= ?0",
        ),
        # What passes between the stacks, and what comes out.
        Mistake(
            "memory_of_every_layer",
            (
                (
                    MEMORY,
                    "x = self.position(self.source_embedding(source))\n"
                    "        y = self.position(self.target_embedding(target))\n"
                    "        real = padding_mask(source, self.pad)\n"
                    "        past = causal_mask(target.shape[1], device=target.device)\n"
                    "        mask = past & padding_mask(target, self.pad)",
                ),
                (
                    HIDDEN,
                    "for below, above in zip(self.encoder.layers, self.decoder.layers):\n"
                    "            x = below(x, real)\n"
                    "            y = above(y, x, mask, real)\n"
                    "        hidden = y if self.decoder.norm is None else self.decoder.norm(y)",
                ),
            ),
            "Each of your decoder's blocks looks at the encoder's block of the same height. All of "
            "them are to look at the same thing: what leaves the top of the encoder.",
            "Follow the arrow from the encoder to the decoder in figure 1: where does it begin?",
            r"zip|\.layers",
        ),
        Mistake(
            "encoder_not_used",
            ((ENCODE, "return x"),),
            "Your memory is the embedded source itself: it never went through the encoder.",
            "Who has looked at the words in their context, before the decoder reads them?",
            r"return x|return self\.(position|source|embed)",
        ),
        Mistake(
            "memory_ignored",
            ((DECODE, "return self.decoder(x, x, mask, mask)"),),
            "Your decoder gets the target in place of the memory: nothing of the source reaches "
            "the logits.",
            "Which two things meet in cross-attention?",
            r"decoder\(",
        ),
        Mistake(
            "memory_made_again",
            ((DECODE, DECODE.replace("memory, ", "self.encode(source), ")),),
            "Your decode does not use the memory that it is given: it encodes the source anew at "
            "every call. In forward that does not show; in decoding it costs an encoder for every "
            "token.",
            "What is the argument `memory` for?",
            r"self\.encode\(",
        ),
        Mistake(
            "source_and_target_swapped",
            ((SIGNATURE, "def forward(self, target, source):"),),
            "Source and target are swapped: your model encodes the target and writes the source, "
            "so the logits are as long as the source ({source_length}).",
            "In which order does forward get its two arguments?",
            r"self\.encode\(",
        ),
        logits(
            "output_of_memory",
            "return self.output(memory)",
            "Your logits are made from the encoder's memory, not from what the decoder says: there "
            "are as many as source tokens ({source_length}).",
        ),
        logits(
            "no_output_layer",
            "return hidden",
            "You give back hidden states, d_model={d_model} wide: `output`, which turns them into "
            "a score for each of the {target_vocab} tokens, is never used.",
        ),
        logits(
            "softmax_inside",
            "return self.output(hidden).softmax(-1)",
            "You give back probabilities: along the vocabulary they add up to {sums}. The loss "
            "takes logits and applies the softmax itself; two of them would flatten everything.",
            line="softmax",
        ),
        logits(
            "log_softmax_inside",
            "return self.output(hidden).log_softmax(-1)",
            "You give back the logarithms of probabilities: all are negative, and their "
            "exponentials add up to 1. Asked for are logits, as they come out of the last Linear.",
            line="softmax",
        ),
        logits(
            "tokens_chosen",
            "return self.output(hidden).argmax(-1)",
            "You give back the most likely tokens. A choice has no gradient, so nothing could be "
            "learned; asked for is a score for each of the {target_vocab} tokens.",
            line=r"argmax|\.max\(",
        ),
        logits(
            "last_position_alone",
            "return self.output(hidden[:, -1])",
            "You give back the logits of the last position alone. In training every position has "
            "a token to guess.",
            line="-1",
        ),
        logits(
            "vocabulary_in_the_middle",
            "return self.output(hidden).transpose(1, 2)",
            "Your logits have shape {output_shape}, (batch, vocabulary, length); expected is "
            "(batch, length, vocabulary). If a loss wants it otherwise, turn them round there.",
            line="transpose|permute|mT",
        ),
        logits(
            "flattened",
            "return self.output(hidden).flatten(0, 1)",
            "Your logits have shape {output_shape}: sentences and positions are one dimension. If "
            "a loss wants it so, flatten them there.",
            line="view|reshape|flatten",
        ),
        logits(
            "always_float32",
            "return self.output(hidden).float()",
            "Whatever the dtype of the weights, your logits are float32.",
            "Where does your code name a dtype?",
            "float",
        ),
        Mistake(
            "last_target_token_cut_off",
            ((HIDDEN, HIDDEN.replace("target,", "target[:, :-1],")),),
            "You cut off the last target token: there are logits for one position fewer than "
            "target tokens. What is cut off or shifted is decided outside, where the loss is.",
            LOOK_AT_LOGITS,
            r":-1",
        ),
        Mistake(
            "decode_gives_logits",
            (
                (DECODE, DECODE.replace("return ", "return self.output(") + ")"),
                (LOGITS, "return hidden"),
            ),
            "Your decode gives logits already. It is to give hidden states, d_model={d_model} "
            "wide; `output` comes after it.",
            "Compare what decode and forward promise in their docstrings.",
            r"output\(",
        ),
        Mistake(
            "encode_gives_mask_too",
            (
                (ENCODE, f"real = {SOURCE_MASK}\n        return self.encoder(x, real), real"),
                (MEMORY, "memory, _ = self.encode(source)"),
            ),
            "Your encode gives two things back; expected is the memory alone. decode makes the "
            "mask anew from the source.",
            "Compare your last line of encode with its docstring.",
            r"return .*,",
        ),
        # How the parts are made.
        Mistake(
            "not_tied",
            ((TIE, "pass"),),
            "With tie_weights=True your output.weight and target_embedding.table.weight are two "
            "parameters, which training would change independently: either they are not tied at "
            "all, or only their numbers were copied.",
            LOOK_AT_TYING,
            r"if tie_weights|weight.* = |copy_",
        ),
        Mistake(
            "always_tied",
            ((TIED, "if True:"),),
            "Your output and target embedding share one matrix also with tie_weights=False.",
            "Is tie_weights looked at?",
            r"\.weight ?=",
        ),
        Mistake(
            "source_table_tied_too",
            ((TIE, f"{TIE}\n            self.source_embedding.table.weight = self.output.weight"),),
            "With tie_weights=True you tie the source's table, too. The source has a vocabulary of "
            "its own, and its table stays free, even if both are of the same size.",
            LOOK_AT_TYING,
            r"source_embedding.*weight|weight.*source_embedding",
        ),
        Mistake(
            "tied_to_source_table",
            ((TIE, TIE.replace("target_", "source_")),),
            "With tie_weights=True you tie `output` to the source's table, which has a row for "
            "each source token. The output speaks of target tokens.",
            LOOK_AT_TYING,
            r"source_embedding.*weight",
        ),
        Mistake(
            "tables_tied_to_each_other",
            ((TIE, "self.source_embedding.table.weight = self.target_embedding.table.weight"),),
            "With tie_weights=True you tie the two tables to each other, and not the output to the "
            "target's.",
            LOOK_AT_TYING,
            r"source_embedding.*weight",
        ),
        Mistake(
            "tied_transposed",
            ((TIE, f"self.output.weight = nn.Parameter({TIE[21:]}.t())"),),
            "With tie_weights=True your output.weight is a new parameter, the table transposed. A "
            "Linear keeps its weight as (out, in), which is the shape of the table as it is; and a "
            "new parameter shares nothing.",
            LOOK_AT_TYING,
            r"\.t\(|\.T|transpose",
        ),
        Mistake(
            "output_scaled_when_tied",
            (
                (TIED, f"self.tied = tie_weights\n        {TIED}"),
                (
                    LOGITS,
                    "return self.output(hidden * hidden.shape[-1] ** (-0.5 if self.tied else 0))",
                ),
            ),
            "With tie_weights=True you scale the hidden states down by the root of "
            "d_model={d_model} before `output`. Some models do; asked for are the plain logits.",
            LOOK_AT_TYING,
            r"\*\* ?-?0\.5|sqrt",
        ),
        Mistake(
            "output_without_bias",
            ((OUTPUT, OUTPUT.replace(")", ", bias=False)")),),
            "Your output has no bias; asked for is nn.Linear(d_model, target_vocab), which has "
            "one.",
            "How does the docstring write it?",
            r"bias",
        ),
        Mistake(
            "output_for_source_vocabulary",
            ((OUTPUT, OUTPUT.replace("target_vocab", "source_vocab")),),
            "Your output gives {source_vocab} logits, one for each source token. The target has "
            "{target_vocab}.",
            "Which language does the decoder write?",
            r"Linear",
        ),
        Mistake(
            "vocabularies_swapped",
            (
                (SOURCE_TABLE, SOURCE_TABLE.replace("source_vocab", "target_vocab")),
                (TARGET_TABLE, TARGET_TABLE.replace("target_vocab", "source_vocab")),
            ),
            "The sizes of your tables are swapped: the source's has {target_vocab} rows, the "
            "target's {source_vocab}.",
            "Which table is for which language?",
            r"Embedding\(",
        ),
        handed_on(
            "norm_first_not_handed_on",
            without("norm_first"),
            "Neither of your stacks gets norm_first: with norm_first=True they still norm after "
            "adding.",
        ),
        handed_on(
            "norm_first_for_encoder_alone",
            without("norm_first")[1:],
            "Your decoder does not get norm_first; your encoder does.",
            r"Decoder\(",
        ),
        handed_on(
            "norm_first_for_decoder_alone",
            without("norm_first")[:1],
            "Your encoder does not get norm_first; your decoder does.",
            r"Encoder\(",
        ),
        Mistake(
            "final_norms_always",
            ((OUTPUT, f"{OUTPUT}\n        {NORM_STACKS.format('stack.norm is None')}"),),
            "Your stacks end with a norm also with norm_first=False, where each block ends with a "
            "norm already.",
            LOOK_AT_LAST_NORM,
            r"norm = |Norm\(",
        ),
        Mistake(
            "final_norms_never",
            ((OUTPUT, f"{OUTPUT}\n        self.encoder.norm = self.decoder.norm = None"),),
            "With norm_first=True your stacks have no final norm: nothing norms the sum that "
            "leaves the last block.",
            LOOK_AT_LAST_NORM,
            r"norm = |Norm\(",
        ),
        handed_on(
            "always_six_layers",
            tuple((make, make.replace("num_layers", "6")) for make in (MAKE_ENCODER, MAKE_DECODER)),
            "Your stacks have six blocks each, whatever num_layers says.",
        ),
        handed_on(
            "feed_forward_of_fixed_width",
            tuple(
                (make, make.replace("d_ff", "4 * d_model")) for make in (MAKE_ENCODER, MAKE_DECODER)
            ),
            "Your feed-forward is 4 · d_model wide, whatever d_ff says.",
        ),
        handed_on(
            "dropout_not_handed_on",
            without("dropout, norm_first", ", norm_first=norm_first"),
            "With dropout=0.0 something is dropped in training all the same: a part of your model "
            "has a probability of its own, and does not get yours.",
            r"Encoder\(|Decoder\(|Encoding\(|Dropout\(|dropout\(",
        ),
        Mistake(
            "dropout_never",
            ((KEEP_PAD, f"{KEEP_PAD}\n        dropout = 0.0"),),
            "In training nothing is dropped: the logits are those of eval mode, with "
            "dropout={dropped}.",
            "Which parts are told the probability?",
            r"Encoder\(",
        ),
        Mistake(
            "dropout_always",
            (
                (KEEP_PAD, f"{KEEP_PAD}\n        self.p = dropout"),
                (
                    EMBED_SOURCE,
                    EMBED_SOURCE.replace("x = ", "x = nn.functional.dropout(") + ", self.p)",
                ),
            ),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout\(",
        ),
        Mistake(
            "encoder_not_trained",
            ((HIDDEN, HIDDEN.replace("memory", "memory.detach()")),),
            "The logits are right, but no gradient gets back to the encoder, so it would never "
            "learn anything.",
            LOOK_AT_CUT,
            CUT,
        ),
        logits(
            "graph_cut",
            "return self.output(hidden).detach()",
            "The logits are right, but no gradient gets back from them: nothing could be trained.",
            LOOK_AT_CUT,
            CUT,
        ),
    ),
    hints=(
        "All parts are there. Draw figure 1 with the names of your parts on the boxes, and write "
        "the shape on every arrow.",
        "Three masks are needed: padding of the source for the encoder and again for "
        "cross-attention; padding of the target *and* its future for the decoder's own attention. "
        "A matrix is shared by giving one Parameter two names.",
        "encode: embed, add positions, one call of the encoder. decode: a causal mask and a "
        "padding mask, combined; embed, add positions, one call of the decoder. forward: encode, "
        "decode, output; no softmax.",
    ),
    refuses=TRANSFORMER,
    instead="build it from your own Encoder and Decoder.",
    measures={
        "dropped": lambda seen: DROPPED,
        "output_shape": output_shape,
        "sums": lambda seen: few(seen.yours["output"].sum(-1)),
    },
    symptoms=(target_sees_its_future, source_changes_nothing, padding_changes_something),
)

# --- Counting parameters --------------------------------------------------------------------------


def count(draw, **model):
    """A trial with a small network of any sizes; see stand_ins."""
    sizes = {"vocab": draw.integer(7, 12), "d_model": draw.integer(3, 7)}
    model = {**sizes, "d_ff": draw.integer(13, 18), **model}
    return Trial([Call({"model": StandIn("small_network", model)})], digest=whole_number)


def whole_number(answer):
    """A digest: NumPy's whole numbers are as good as Python's."""
    facts = dict(answer.facts)
    if facts.get("returned", "").startswith(("a int", "a uint")):
        facts["returned"] = "an int"
    return Answer({name: x.double() for name, x in answer.arrays.items()}, facts)


def count_all(draw):
    return count(draw)


def count_other_sizes(draw):
    return count(draw)


def count_tied(draw):
    return count(draw, tied=True)


def count_used_twice(draw):
    return count(draw, twice=True)


def count_frozen(draw):
    return count(draw, frozen=("embedding.weight", "body.0.0.bias"))


def count_tied_and_frozen(draw):
    return count(draw, tied=True, frozen=("embedding.weight", "body.1.weight"))


def count_all_frozen(draw):
    return count(draw, frozen=("",))


ADD = "total += parameter.numel()"
EACH = "for parameter in model.parameters():"
TRAINED = "if parameter.requires_grad:"
TOTAL = "return total"
LOOK_AT_SHARED = "Is the same parameter met again under a second name? How can you tell?"
LOOK_AT_NUMEL = "How many numbers are there in a matrix of 3 rows and 4 columns?"


OF_EACH_PART = (
    "for parameter in (p for part in model.modules() for p in part.parameters(recurse=False)):"
)


def counted(mistake_id, new, says, look, line, *variations):
    """The loop goes over something else."""
    variations = tuple((edit,) for edit in variations)
    return Mistake(mistake_id, ((EACH, new),), says, look, line, variations=variations)


count_parameters = Exercise(
    id="transformer.count_parameters",
    properties=(
        Property(
            "values",
            2,
            "all parameters of all parts are counted, and nothing else",
            (count_all, count_other_sizes),
            look="Buffers are kept with a model, too, but training does not change them.",
        ),
        Property(
            "shared",
            1,
            "a parameter with several names counts once",
            (count_tied, count_used_twice),
            look=LOOK_AT_SHARED,
        ),
        Property(
            "frozen",
            1,
            "what training cannot change does not count",
            (count_frozen, count_tied_and_frozen, count_all_frozen),
            look="What tells you of a parameter whether training changes it?",
        ),
        Property("int", 1, "the result is an int", aspects=("returned",)),
    ),
    mistakes=(
        Mistake(
            "frozen_counted",
            ((TRAINED, "if True:"),),
            "You count all parameters. Some are frozen (requires_grad is False), and training "
            "leaves those as they are.",
            "What tells you of a parameter whether training changes it?",
            r"\.parameters\(|named_parameters|state_dict|\.modules\(",
        ),
        Mistake(
            "frozen_alone",
            ((TRAINED, "if not parameter.requires_grad:"),),
            "You count the frozen parameters, and those alone.",
            "What does requires_grad say?",
            r"requires_grad",
        ),
        counted(
            "shared_counted_twice",
            "for _, parameter in model.named_parameters(remove_duplicate=False):",
            "You count a shared parameter more than once.",
            LOOK_AT_SHARED,
            r"\.parameters\(|named_parameters|state_dict|\.modules\(",
            (EACH, OF_EACH_PART),
        ),
        Mistake(
            "everything_saved_counted",
            ((EACH, "for parameter in model.state_dict().values():"), (TRAINED, "if True:")),
            "You count everything that is saved with the model: buffers and frozen parameters, "
            "too, and a shared parameter under each of its names.",
            "What is the difference between a parameter and a buffer?",
            r"state_dict",
        ),
        Mistake(
            "shared_and_frozen_counted",
            (
                (EACH, "for _, parameter in model.named_parameters(remove_duplicate=False):"),
                (TRAINED, "if True:"),
            ),
            "You count frozen parameters, and a shared one more than once.",
            LOOK_AT_SHARED,
            r"\.parameters\(|named_parameters|state_dict|\.modules\(",
            variations=(((EACH, OF_EACH_PART), (TRAINED, "if True:")),),
        ),
        Mistake(
            "buffers_counted",
            (
                (
                    EACH,
                    "total += sum(buffer.numel() for buffer in model.buffers())\n    " + EACH,
                ),
            ),
            "You count buffers, too: they are saved with the model, but never trained.",
            "What is the difference between a parameter and a buffer?",
            r"buffers",
        ),
        Mistake(
            "tensors_counted",
            ((ADD, "total += 1"),),
            "You count tensors, {count} of them, and not the numbers in them.",
            LOOK_AT_NUMEL,
            r"len\(|\+= ?1|sum\(",
        ),
        Mistake(
            "first_sizes_added",
            ((ADD, "total += len(parameter)"),),
            "Of every parameter you count the first dimension alone: rows, and not numbers.",
            LOOK_AT_NUMEL,
            r"len\(|shape\[0\]|size\(0\)",
        ),
        Mistake(
            "last_sizes_added",
            ((ADD, "total += parameter.shape[-1]"),),
            "Of every parameter you count the last dimension alone: columns, and not numbers.",
            LOOK_AT_NUMEL,
            r"shape\[-1\]|size\(-1\)",
        ),
        Mistake(
            "sizes_added",
            ((ADD, "total += sum(parameter.shape)"),),
            "You add up the sizes of every parameter's dimensions; a matrix has as many numbers as "
            "their product.",
            LOOK_AT_NUMEL,
            r"sum\(",
        ),
        Mistake(
            "numbers_added_up",
            ((ADD, "total += parameter.sum().item()"),),
            "You add the numbers up, in place of counting them.",
            LOOK_AT_NUMEL,
            r"sum\(",
        ),
        Mistake(
            "bytes_counted",
            ((ADD, "total += parameter.numel() * parameter.element_size()"),),
            "You count bytes: four for every number, in float32.",
            LOOK_AT_NUMEL,
            r"element_size|nbytes|\* ?4",
        ),
        Mistake(
            "in_millions",
            ((TOTAL, "return total / 1e6"),),
            "You give millions, {count}; expected is the plain count, an int.",
            "The paper's table shows millions; the function gives the number itself.",
            r"1e6|1_?000_?000",
        ),
        Mistake(
            "given_as_float",
            ((TOTAL, "return float(total)"),),
            "The number is right, but it is a float; expected is an int.",
            "Where does your code divide, or start from 0.0?",
            r"float|/|0\.0",
        ),
        Mistake(
            "given_as_tensor",
            (("total = 0", "from torch import tensor\n    total = tensor(0)"),),
            "The number is right, but it is a tensor; expected is an int.",
            "What turns a tensor of one number into a plain one?",
            r"tensor|sum",
        ),
        Mistake(
            "matrices_alone",
            ((TRAINED, "if parameter.requires_grad and parameter.dim() > 1:"),),
            "You count matrices alone: biases and the weights of norms are parameters, too.",
            "Which parameters has a Linear, and which has a LayerNorm?",
            r"\.dim\(|ndim|len\(|weight",
        ),
        Mistake(
            "biases_left_out",
            (
                (EACH, "for name, parameter in model.named_parameters():"),
                (TRAINED, 'if parameter.requires_grad and not name.endswith("bias"):'),
            ),
            "You leave the biases out.",
            "Which parameters has a Linear, and which has a LayerNorm?",
            r"bias",
        ),
        Mistake(
            "weights_alone",
            (
                (EACH, "for name, parameter in model.named_parameters():"),
                (TRAINED, 'if parameter.requires_grad and name.endswith("weight"):'),
            ),
            "You count only what is called `weight`. Biases are parameters, too, and a module may "
            "have some with other names.",
            "Which parameters has a Linear, and what may one's own module call its parameters?",
            r"weight",
        ),
        counted(
            "own_parameters_alone",
            "for parameter in model.parameters(recurse=False):",
            "You count only what belongs to the model itself, and not what belongs to its parts.",
            "Where are the parameters of a part of a part?",
            r"recurse|\._parameters",
        ),
        Mistake(
            "parts_alone",
            (
                (
                    EACH,
                    "for parameter in {p for part in model.children() for p in part.parameters()}:",
                ),
            ),
            "You count what belongs to the model's parts, and leave out what is its own.",
            "May a module have parameters beside its parts?",
            r"children",
        ),
        counted(
            "counted_at_every_level",
            "for parameter in (p for part in model.modules() for p in part.parameters()):",
            "You count a parameter once for every module that it lies in: modules() gives the "
            "model itself, its parts, and the parts of its parts.",
            "What does parameters() of the whole model give already?",
            r"modules",
        ),
        counted(
            "linears_alone",
            "for parameter in {p for part in model.modules() if isinstance(part, nn.Linear) "
            "for p in part.parameters()}:",
            "You count the Linears alone. Embeddings and norms have parameters, too, and so may "
            "any module.",
            "What does parameters() of the whole model give?",
            r"Linear",
        ),
        counted(
            "equal_shapes_counted_once",
            "for parameter in {p.shape: p for p in model.parameters() if p.requires_grad}"
            ".values():",
            "You count parameters of the same shape only once. Two different parameters may well "
            "have one shape.",
            LOOK_AT_SHARED,
            r"shape|set\(|\{",
        ),
        Mistake(
            "shared_not_counted",
            (
                (
                    EACH,
                    "names = [id(p) for _, p in model.named_parameters(remove_duplicate=False)]\n"
                    f"    {EACH}",
                ),
                (TRAINED, "if parameter.requires_grad and names.count(id(parameter)) == 1:"),
            ),
            "You leave a shared parameter out altogether; it counts once.",
            LOOK_AT_SHARED,
            r"\.count\(|not in|set\(",
        ),
        Mistake(
            "nothing_returned",
            ((TOTAL, "return None"),),
            "You give nothing back. Printing the number is not enough.",
            "What is the difference between showing a result and returning it?",
            r"print",
        ),
    ),
    hints=(
        "Every module can list its parameters, with those of all its parts.",
        "Go through the parameters once, leave out those that training cannot change, and add up "
        "how many numbers each one has.",
        "A loop or a sum over model.parameters(), a condition on requires_grad, and a method that "
        "says how many numbers a tensor has.",
    ),
    measures={"count": lambda seen: number(seen.yours["output"])},
)
