"""Bad arguments get a ValueError with the numbers in it."""

import re

import pytest
import torch

from solutions.attention import causal_mask, scaled_dot_product_attention
from solutions.encoder_block import Encoder, EncoderBlock, FeedForward
from solutions.models import BERT, GPT, ViT, generate
from solutions.multi_head import MultiHeadAttention, split_heads
from solutions.positional_encoding import PositionalEncoding, shift_matrix
from solutions.training import beam_search, learning_rate, smoothed_cross_entropy
from solutions.transformer import DecoderBlock, Transformer
from solutions.variants import (
    KeyValueCache,
    MixtureOfExperts,
    patchify,
    rotary_embedding,
    sample_token,
    sliding_window_attention,
    sliding_window_mask,
)


def model():
    return Transformer(9, 9, 8, 2, 16, 1, max_length=5)


X = torch.zeros(2, 5, 8)
TOKENS = torch.ones(2, 5, dtype=torch.long)
BOOL = torch.ones(5, 5, dtype=torch.bool)

CASES = {
    "heads that do not divide d_model": (
        lambda: MultiHeadAttention(10, 4),
        "d_model=10",
        "num_heads=4",
    ),
    "no heads": (lambda: MultiHeadAttention(10, 0), "num_heads=0"),
    "split_heads": (lambda: split_heads(X, 3), "d_model=8", "num_heads=3"),
    "encoder block": (lambda: EncoderBlock(10, 3, 8), "d_model=10", "num_heads=3"),
    "decoder block": (lambda: DecoderBlock(10, 3, 8), "d_model=10", "num_heads=3"),
    "transformer": (
        lambda: Transformer(9, 9, d_model=100, num_heads=7),
        "d_model=100",
        "num_heads=7",
    ),
    "dropout of 1": (lambda: MultiHeadAttention(8, 2, dropout=1.0), "dropout=1.0"),
    "negative dropout": (lambda: FeedForward(8, 8, dropout=-0.1), "dropout=-0.1"),
    "dropout after positions": (lambda: PositionalEncoding(8, dropout=2), "dropout=2"),
    "dropout of a stack": (lambda: Encoder(2, 8, 2, 8, dropout=1.5), "dropout=1.5"),
    "dropout that is no number": (lambda: FeedForward(8, 8, dropout=float("nan")), "dropout=nan"),
    "too long": (lambda: PositionalEncoding(8, max_length=4)(X), "length 5", "max_length=4"),
    "too long a source": (
        lambda: model()(torch.ones(1, 6, dtype=torch.long), TOKENS[:1]),
        "length 6",
        "max_length=5",
    ),
    "too long a text": (
        lambda: GPT(9, 8, 2, 8, 1, max_length=3)(TOKENS),
        "length 5",
        "max_length=3",
    ),
    "too much to write": (
        lambda: generate(GPT(9, 8, 2, 8, 1, max_length=7), TOKENS, 3),
        "length 8",
        "max_length=7",
    ),
    "mask of another size": (
        lambda: scaled_dot_product_attention(X, X, X, causal_mask(4)),
        "(4, 4)",
        "(2, 5, 5)",
    ),
    "mask with too many dimensions": (
        lambda: scaled_dot_product_attention(X[0], X[0], X[0], BOOL[None]),
        "(1, 5, 5)",
        "(5, 5)",
    ),
    "mask without a place for the heads": (
        lambda: MultiHeadAttention(8, 4)(X, X, X, BOOL.expand(2, 5, 5)),
        "(2, 5, 5)",
        "(2, 4, 5, 5)",
    ),
    "mask of numbers": (
        lambda: MultiHeadAttention(8, 2)(X, X, X, BOOL.float()),
        "boolean",
        "torch.float32",
    ),
    "mask of 0 and 1": (lambda: scaled_dot_product_attention(X, X, X, BOOL.int()), "torch.int32"),
    "d_k that differ": (lambda: scaled_dot_product_attention(X, X[..., :3], X), "d_k=8", "d_k=3"),
    "keys without values": (
        lambda: scaled_dot_product_attention(X, X, X[:, :4]),
        "5 keys",
        "4 values",
    ),
    "memory of another length": (
        lambda: model().decode(TOKENS, torch.zeros(2, 4, 8), TOKENS),
        "(2, 1, 1, 5)",
        "(2, 2, 5, 4)",
    ),
    "empty source": (lambda: model()(TOKENS[:, :0], TOKENS), "source is empty", "(2, 0)"),
    "no source": (lambda: model()(TOKENS[:0], TOKENS[:0]), "source is empty", "(0, 5)"),
    "empty target": (lambda: model()(TOKENS, TOKENS[:, :0]), "target is empty", "(2, 0)"),
    "empty text": (lambda: BERT(9, 8, 2, 8, 1)(TOKENS[:, :0]), "text is empty", "(2, 0)"),
    "odd shift": (lambda: shift_matrix(1, 7), "d_model=7"),
    "odd rotation": (lambda: rotary_embedding(torch.zeros(4, 7)), "d_head=7"),
    "smoothing": (lambda: smoothed_cross_entropy(X, TOKENS, smoothing=1.2), "smoothing=1.2"),
    "warm-up": (lambda: learning_rate(1, 512, warmup=0), "warmup=0"),
    "beam": (lambda: beam_search(model(), TOKENS, 1, 2, beam=0), "beam=0"),
    "alpha": (lambda: beam_search(model(), TOKENS, 1, 2, alpha=-0.5), "alpha=-0.5"),
    "no keys": (
        lambda: scaled_dot_product_attention(X, X[:, :0], X[:, :0]),
        "nothing to attend to",
        "(2, 0, 8)",
    ),
    "window attention": (lambda: sliding_window_attention(X, X, X, 0), "window=0"),
    "window over other keys": (
        lambda: sliding_window_attention(X[:, :4], X, X, 2),
        "4 queries",
        "5",
    ),
    "window": (lambda: sliding_window_mask(5, 0), "window=0"),
    "temperature": (lambda: sample_token(X[0], temperature=-1.0), "temperature=-1.0"),
    "top_k": (lambda: sample_token(X[0], top_k=0), "top_k=0"),
    "cache": (lambda: KeyValueCache(3).append(X[None], X[None]), "capacity=3", "5 tokens"),
    "patches": (lambda: patchify(torch.zeros(1, 1, 8, 6), 4), "8 x 6", "4 x 4"),
    "picture": (lambda: ViT()(torch.zeros(1, 1, 16, 8)), "8 x 8", "16 x 8"),
    "experts": (lambda: MixtureOfExperts(8, 8, 4, top_k=5), "top_k=5", "num_experts=4"),
    "positions": (lambda: GPT(9, 8, 2, 8, 1, positions="wavy"), "'wavy'", "sinusoidal"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_argument_is_answered_with_its_numbers(case):
    build, *words = CASES[case]
    with pytest.raises(ValueError, match=re.escape(words[0])) as error:
        build()
    for word in words:
        assert word in str(error.value)
