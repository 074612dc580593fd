"""How DecoderBlock is checked."""

import torch

from autograder.engine import promises
from autograder.engine.compare import close
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import number
from autograder.engine.trial import Call, Trial, probe

from ..ready_made import TRANSFORMER
from ..shared import MANY, nearly_all_dropped, only_dtype
from .shared import DROPPED, OUTPUTS, alike, loaded, with_dropout, without_dropout

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
    return write(draw, BLOCK, options=NORM_FIRST, gradients=True, dtype=torch.float64).but(
        strided=True
    )


def block_with_dropout_norm_first(draw):
    return with_dropout(write(draw, BLOCK, options={"norm_first": True}))


ADDED = {
    "self-attention": "self_attention.w_output.bias",
    "cross-attention": "cross_attention.w_output.bias",
    "feed-forward": "feed_forward.linear2.bias",
}


def block_all_dropped(draw, options=None):
    """What each part gives is dropped before it is added; the memory is the same for all."""
    trial = write(draw, BLOCK, batch=1, options=options)
    once = trial.calls[0]
    memory = once.arguments["memory"].repeat(MANY, 1, 1)
    return nearly_all_dropped(trial.but(calls=[Call(once.arguments | {"memory": memory})]), ADDED)


block_all_dropped_norm_first = probe(
    "block_all_dropped_norm_first", block_all_dropped, options=NORM_FIRST
)


def block_without_dropout(draw):
    return without_dropout(write(draw, BLOCK, masks=True))


def block_in_bfloat16(draw):
    return only_dtype(write(draw, BLOCK, options=NORM_FIRST, dtype=torch.bfloat16, digest=None))


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


LOOK_AT_MASKS = (
    "There are two masks and two attentions. `mask` is (…, target, target), `memory_mask` is (…, "
    "target, source): which attention has scores of which shape?"
)
LOOK_AT_ORDER = (
    "Draw the way through the block, with a + and a norm for each of the three sub-layers, and "
    "compare it with figure 1 and with the two lines in the docstring of EncoderBlock."
)


DecoderBlock = Exercise(
    id="transformer.DecoderBlock",
    properties=(
        promises.parts("all parts are there under their names"),
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
        promises.gradients("gradients reach x, the memory and all parameters"),
        Property(
            "dropout",
            1,
            "dropout acts on what each part gives, in training only, with the probability that is "
            "asked for",
            (
                block_with_dropout_norm_first,
                block_without_dropout,
                block_all_dropped,
                block_all_dropped_norm_first,
            ),
            look="Which parts are told the probability, and is every dropout a module?",
        ),
        promises.dtype("the result has the dtype of the input", block_in_bfloat16),
        promises.unchanged("x, memory and masks stay as they were"),
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
