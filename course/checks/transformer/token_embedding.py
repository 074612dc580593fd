"""How TokenEmbedding is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.symptoms import number, shape
from autograder.engine.trial import Answer, Call, Trial, probe

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


embed_other_sizes = probe("embed_other_sizes", embed, 2, 3, vocab=5, d_model=12)
embed_one_token = probe("embed_one_token", embed, 1, 1)


def embed_the_last_tokens(draw):
    """0 and the last number of the vocabulary are tokens like all others."""
    return embed(draw, 2, 2).but(calls=[Call({"tokens": torch.tensor([[0, 10], [10, 0]])})])


embed_one_sequence = probe("embed_one_sequence", embed, 4)
embed_many_batches = probe("embed_many_batches", embed, 2, 3, 4)


def embed_gradients(draw):
    return embed(draw, 2, 5, gradients=True, dtype=torch.float64, digest=dense).but(
        calls=[Call({"tokens": torch.tensor([[0, 3, 7, 3, 10], [2, 0, 7, 7, 5]])})]
    )


def dense(answer):
    """A sparse gradient is as good as any."""
    arrays = {n: x.to_dense() if x.is_sparse else x for n, x in answer.arrays.items()}
    return loaded(Answer(arrays, answer.facts))


embed_in_float64 = probe("embed_in_float64", embed, 2, 4, dtype=torch.float64)
embed_in_bfloat16 = probe("embed_in_bfloat16", embed, 2, 4, dtype=torch.bfloat16)


LOOK_AT_SCALE = (
    "Section 3.4 says it in half a sentence: what are the vectors multiplied by, and why does "
    "that matter once positions are added?"
)


def ratio(seen):
    """A measure: how large the learner's numbers are, compared with what is expected."""
    return number(seen.yours["output"].abs().mean() / seen.theirs["output"].abs().mean())


def output_shape(seen):
    return shape(seen.yours["output"])


TokenEmbedding = Exercise(
    id="transformer.TokenEmbedding",
    properties=(
        promises.parts("the table is there under its name"),
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
        promises.gradients("gradients reach the vectors of all tokens that occur", embed_gradients),
        promises.dtype(
            "the result has the dtype of the table",
            embed_in_float64,
            embed_in_bfloat16,
            look="Does your code make a tensor without saying which dtype?",
        ),
        promises.unchanged("the tokens stay as they were"),
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
