"""How causal_mask and padding_mask are checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import Call, Trial, call


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
        promises.dtype("the mask is boolean"),
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
        promises.dtype("the mask is boolean"),
        promises.unchanged("the tokens stay as they were"),
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
