"""How Transformer is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import TRANSFORMER
from autograder.engine.symptoms import few, number
from autograder.engine.trial import Answer, Call, Trial

from ..shared import CUTS, LOOK_FOR_CUTS
from .decoder import LOOK_AT_LAST_NORM
from .decoder_block import NORM_FIRST
from .shared import DROPPED, OUTPUTS, alike, loaded, only_dtype, with_dropout, without_dropout
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
    return read(draw, calls, dtype=torch.bfloat16, digest=only_dtype, constant=True)


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
            LOOK_FOR_CUTS,
            CUTS,
        ),
        logits(
            "graph_cut",
            "return self.output(hidden).detach()",
            "The logits are right, but no gradient gets back from them: nothing could be trained.",
            LOOK_FOR_CUTS,
            CUTS,
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
