"""How causal_mask and padding_mask are checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
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
