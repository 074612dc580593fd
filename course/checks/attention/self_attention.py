"""How self_attention is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import Call, Trial, probe

from ..ready_made import ATTENTION
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


self_attention_of_batch = probe("self_attention_of_batch", project)
self_attention_of_one_sequence = probe(
    "self_attention_of_one_sequence", project, leading=(), length=4, d_model=5, d_k=9, d_v=7
)
self_attention_of_one_token = probe("self_attention_of_one_token", project, length=1)
self_attention_more_dimensions = probe(
    "self_attention_more_dimensions", project, leading=(2, 3), length=4, d_model=7, d_k=5, d_v=6
)


def self_attention_with_mask(draw):
    return project(draw, draw.mask(5, 5))


def self_attention_gradients(draw):
    return project(draw, draw.mask(2, 5, 5)).but(gradients=True)


def self_attention_in_float64(draw):
    return project(draw).but(dtype=torch.float64)


def self_attention_in_bfloat16(draw):
    return project(draw).but(dtype=torch.bfloat16)


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
        promises.gradients("gradients reach x and all three weights", self_attention_gradients),
        promises.dtype(
            "the result has the dtype of x", self_attention_in_float64, self_attention_in_bfloat16
        ),
        promises.unchanged("x and the weights stay as they were"),
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
