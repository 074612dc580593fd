"""How self_attention is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.ready_made import ATTENTION
from autograder.engine.trial import Call, Trial

from .scaled_dot_product_attention import (
    WEIGHTED,
    output_is_no_mixture,
    weights_do_not_add_up,
    weights_reach_hidden_keys,
)


def project(draw, mask=None, leading=(2,), length=5, d_model=6, d_k=4, d_v=3):
    arguments = {
        "x": draw.normal(*leading, length, d_model),
        "w_query": draw.normal(d_model, d_k),
        "w_key": draw.normal(d_model, d_k),
        "w_value": draw.normal(d_model, d_v),
    }
    if mask is not None:
        arguments["mask"] = mask
    sizes = {"length": length, "d_model": d_model, "d_k": d_k, "d_v": d_v}
    return Trial([Call(arguments, returns=WEIGHTED)], sizes=sizes)


def self_attention_of_batch(draw):
    return project(draw)


def self_attention_of_one_sequence(draw):
    return project(draw, leading=(), length=4, d_model=5, d_k=9, d_v=7)


def self_attention_of_one_token(draw):
    return project(draw, length=1)


def self_attention_more_dimensions(draw):
    return project(draw, leading=(2, 3), length=4, d_model=7, d_k=5, d_v=6)


def self_attention_with_mask(draw):
    return project(draw, draw.mask(5, 5))


def self_attention_gradients(draw):
    trial = project(draw, draw.mask(2, 5, 5))
    trial.gradients = True
    return trial


def self_attention_in_float64(draw):
    trial = project(draw)
    trial.dtype = torch.float64
    return trial


def self_attention_in_bfloat16(draw):
    trial = project(draw)
    trial.dtype = torch.bfloat16
    return trial


CALL = "return scaled_dot_product_attention(query, key, value, mask)"
PROJECT = {name: f"{name} = x @ w_{name}" for name in ("query", "key", "value")}

self_attention = Exercise(
    id="attention.self_attention",
    properties=(
        Property(
            "values",
            2,
            "output and weights are right",
            (self_attention_of_batch, self_attention_of_one_token),
        ),
        Property(
            "dimensions",
            1,
            "any leading dimensions will do",
            (self_attention_of_one_sequence, self_attention_more_dimensions),
        ),
        Property("mask", 1, "the mask is respected", (self_attention_with_mask,)),
        Property(
            "gradients",
            1,
            "gradients reach x and all three weights",
            (self_attention_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x",
            (self_attention_in_float64, self_attention_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "x and the weights stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "key_from_query_weights",
            ((PROJECT["key"], "key = x @ w_query"),),
            "Your keys are made with w_query, so what a token looks for and what it offers is the "
            "same.",
            "There are three weights; which of your lines uses which?",
            r"w_query",
        ),
        Mistake(
            "query_from_key_weights",
            ((PROJECT["query"], "query = x @ w_key"),),
            "Your queries are made with w_key.",
            "There are three weights; which of your lines uses which?",
            r"w_key",
        ),
        Mistake(
            "query_and_key_swapped",
            ((PROJECT["query"], "query = x @ w_key"), (PROJECT["key"], "key = x @ w_query")),
            "Queries are made with w_key and keys with w_query: all scores are there, but who "
            "asks and who answers has been swapped.",
            "There are three weights; which of your lines uses which?",
            r"w_key",
        ),
        Mistake(
            "value_from_key_weights",
            ((PROJECT["value"], "value = x @ w_key"),),
            "Your values are made with w_key: the output is {d_k} wide, expected is d_v={d_v}.",
            "There are three weights; which of your lines uses which?",
            r"value",
        ),
        Mistake(
            "values_not_projected",
            ((PROJECT["value"], "value = x"),),
            "You mix the tokens themselves, and not their values: the output is {d_model} wide, "
            "expected is d_v={d_v}.",
            "What does a token hand over?",
            r"value|x\)",
        ),
        Mistake(
            "keys_as_values",
            ((CALL, "return scaled_dot_product_attention(query, key, key, mask)"),),
            "You mix the keys, and not the values: the output is {d_k} wide, expected is "
            "d_v={d_v}.",
            "What does a token hand over?",
            r"attention",
            same_as="value_from_key_weights",
        ),
        Mistake(
            "mask_ignored",
            ((CALL, "return scaled_dot_product_attention(query, key, value)"),),
            "The result is right without a mask, and the same with one: the mask is not handed on.",
            "Who needs to know about the mask?",
            r"attention",
        ),
        Mistake(
            "only_output",
            ((CALL, CALL + "[0]"),),
            "You return the output alone; expected are two things, (output, weights).",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "swapped_results",
            ((CALL, CALL + "[::-1]"),),
            "You return (weights, output); expected is (output, weights).",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "no_scale",
            (
                (
                    CALL,
                    "return scaled_dot_product_attention("
                    "query * query.shape[-1] ** 0.5, key, value, mask)",
                ),
            ),
            "The scores are not scaled: with d_k={d_k} the weights are too sharp.",
            "The function that you wrote before does all of this already.",
            r"@|matmul|einsum",
        ),
        Mistake(
            "scaled_by_model_width",
            (
                (
                    CALL,
                    "return scaled_dot_product_attention("
                    "query * (query.shape[-1] / x.shape[-1]) ** 0.5, key, value, mask)",
                ),
            ),
            "The scores are divided by the root of d_model={d_model}; queries and keys are only "
            "d_k={d_k} wide.",
            "Whose length makes the dot product grow?",
            r"sqrt|\*\*",
        ),
        Mistake(
            "weights_transposed",
            (
                (PROJECT["query"], "query = x @ w_query.T"),
                (PROJECT["key"], "key = x @ w_key.T"),
                (PROJECT["value"], "value = x @ w_value.T"),
            ),
            "You turn the weights round before you multiply, and the sizes no longer fit: x is "
            "{x}, w_query {w_query}.",
            "Is a transpose needed, if the weights are (d_model, d_k)?",
            r"\.T|transpose|F\.linear|linear\(",
        ),
        Mistake(
            "x_in_place_of_queries",
            ((PROJECT["query"], "query = x"), (PROJECT["key"], "key = x")),
            "You compare the tokens themselves: neither queries nor keys are projected.",
            "What are w_query and w_key for?",
            r"attention|@",
        ),
        Mistake(
            "always_float32",
            ((CALL, f"a, b = {CALL[7:]}\n    return a.to(torch.float32), b.to(torch.float32)"),),
            "Whatever dtype comes in, your output and weights are float32.",
            "Where does your code name a dtype, or make a tensor without naming one?",
            r"float|zeros|ones|empty|torch\.tensor",
        ),
    ),
    hints=(
        "Query, key and value are three views of the same x. What makes them different?",
        "Each is x times one of the three weights; after that everything is as you wrote it "
        "before.",
        "Three matrix products with x on the left, (…, length, d_model) by (d_model, d_k), then "
        "one call of the attention that you have, with the mask.",
    ),
    refuses=ATTENTION,
    instead="project x three times, and use the attention that you wrote.",
    symptoms=(weights_do_not_add_up, weights_reach_hidden_keys, output_is_no_mixture),
)
