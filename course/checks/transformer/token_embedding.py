"""How TokenEmbedding is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.symptoms import number, shape
from autograder.engine.trial import Answer, Call, Trial

from ..shared import CUTS, LOOK_FOR_CUTS
from .shared import loaded


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
            LOOK_FOR_CUTS,
            CUTS,
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
