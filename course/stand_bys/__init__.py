"""Stand-bys: for each piece of the course a version that works, for where the learner's is missing.

What is built on a piece that is not written yet, or is wrong, is built on its stand-by: at home and
where a class is graded the same, so that one mistake costs once. A stand-by may be given to
learners: it is made from torch's ready-made parts where torch has them, and put together in another
way than the model answer. Handing one in earns nothing: whoever looks at an answer sees whether a
stand-by did its work (`autograder.engine.pieces`).
"""

import importlib

PIECES = {  # {lesson: names}, in the order of the course; a later piece may use an earlier one
    "attention": (
        "softmax",
        "scaled_dot_product_attention",
        "causal_mask",
        "padding_mask",
        "self_attention",
    ),
    "multi_head": ("split_heads", "merge_heads", "MultiHeadAttention"),
    "positional_encoding": ("sinusoidal_encoding", "shift_matrix", "PositionalEncoding"),
    "encoder_block": ("LayerNorm", "FeedForward", "EncoderBlock", "Encoder"),
    "transformer": (
        "TokenEmbedding",
        "DecoderBlock",
        "Decoder",
        "Transformer",
        "count_parameters",
    ),
    "training": (
        "learning_rate",
        "smoothed_cross_entropy",
        "shift_right",
        "initialise",
        "greedy_decode",
        "beam_search",
    ),
    "variants": (
        "rotary_embedding",
        "alibi_bias",
        "sliding_window_mask",
        "sliding_window_attention",
        "tiled_attention",
        "CausalSelfAttention",
        "sample_token",
        "mask_tokens",
        "patchify",
        "MixtureOfExperts",
    ),
}
LESSON = {name: lesson for lesson, names in PIECES.items() for name in names}


def stand_by(name):
    """The stand-by of a piece; KeyError if there is no such piece."""
    return getattr(importlib.import_module(f"{__name__}.{LESSON[name]}"), name)
