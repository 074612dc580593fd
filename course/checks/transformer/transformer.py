"""How Transformer is checked."""

from functools import partial

import torch

from autograder.engine import promises
from autograder.engine.compare import KEPT
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import few, number
from autograder.engine.trial import Answer, Call, Trial

from ..ready_made import TRANSFORMER
from ..shared import only_dtype
from .decoder_block import NORM_FIRST
from .shared import DROPPED, OUTPUTS, alike, loaded, with_dropout, without_dropout
from .token_embedding import output_shape

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
    """Decoding asks a model which token is padding."""
    arguments = {"source": padded(draw, length=7, pad=3), "target": padded(draw, pad=3)}
    calls = [Call(arguments, reads=("pad",))]
    trial = read(draw, calls, options={"pad": 3} | NORM_FIRST)
    trial.digest = partial(which_pad, trial=trial)
    return trial


KEEPS_PAD = (
    KEPT + "after `model = Transformer(…, pad=3)`, `model.pad` is 3, which decoding asks for"
)


def which_pad(answer, trial):
    """A digest: a number in a tensor is as good as any."""
    pad = answer.arrays.pop("pad", torch.empty(0))
    said = int(pad) if pad.numel() == 1 else answer.facts.get("pad")
    facts = {name: fact for name, fact in answer.facts.items() if not name.startswith("pad")}
    return without_padding(Answer(answer.arrays, facts | {KEEPS_PAD: said == 3}), trial)


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
    return only_dtype(read(draw, calls, dtype=torch.bfloat16).but(digest=None))


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
    change = (found[0].double() - found[1].double()).abs()[:, :-1].flatten(2).amax((0, 2))
    if float(change.max()) < 1e-4:
        return None
    return (
        f"Your model looks ahead: another last target token changes the logits at the positions "
        f"before it (by up to {few(change, 5)}), where it still has to be guessed."
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


LOOK_AT_THREE_MASKS = (
    "Three attentions need a mask: that of the encoder, and the two of the decoder. Whose tokens "
    "are the keys in each of them, and which of these may not be seen?"
)
LOOK_AT_TYING = (
    "In section 3.4 three matrices are one, as both languages share a vocabulary. Here each has "
    "its own: which two matrices have a row for every target token? After a training step, would "
    "yours still be equal?"
)
LOOK_AT_HANDED_ON = (
    "Compare the arguments of Encoder and Decoder with what you hand on, one by one."
)


Transformer = Exercise(
    id="transformer.Transformer",
    properties=(
        promises.parts(
            "all parts are there under their names, with the sizes that are asked for",
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
            "any token number can be that of padding, and `pad` says which it is",
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
        promises.gradients("gradients reach all parameters", model_gradients),
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
