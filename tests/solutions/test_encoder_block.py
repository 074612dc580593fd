"""Lesson 4's parts against nn.LayerNorm, nn.TransformerEncoderLayer and nn.TransformerEncoder."""

import pytest
import torch
from torch import nn

from solutions.attention import causal_mask, padding_mask
from solutions.encoder_block import Encoder, EncoderBlock, FeedForward, LayerNorm
from solutions.from_torch import (
    copy_attention,
    copy_encoder_block,
    copy_parameters,
    copy_stack,
)
from tests.compare import assert_same_module, randomise

D_MODEL, HEADS, D_FF = 12, 3, 20


@pytest.mark.parametrize("eps", [1e-5, 0.1])
@pytest.mark.parametrize("kind", ["random", "nearly constant", "constant"])
def test_layer_norm_is_torchs(float64, eps, kind):
    x = torch.randn(2, 5, D_MODEL)
    if kind != "random":
        x = x[..., :1].expand_as(x) + (1e-3 * x if kind == "nearly constant" else 0)
    theirs, ours = nn.LayerNorm(D_MODEL, eps=eps), LayerNorm(D_MODEL, eps=eps)
    assert_same_module(theirs, ours, copy_parameters, theirs, ours, x)


def test_layer_norm_starts_as_torchs_does():
    ours = LayerNorm(D_MODEL)
    assert torch.equal(ours.weight, torch.ones(D_MODEL))
    assert torch.equal(ours.bias, torch.zeros(D_MODEL))


def test_layer_norm_looks_at_one_token_only(float64):
    norm = randomise(LayerNorm(D_MODEL))
    x = torch.randn(4, 5, D_MODEL)
    assert torch.equal(norm(x)[1, 2], norm(x[1, 2]))


def test_feed_forward_is_the_formula_at_every_position(float64):
    feed_forward = randomise(FeedForward(D_MODEL, D_FF, dropout=0.0))
    x = torch.randn(2, 5, D_MODEL)
    w1, b1, w2, b2 = feed_forward.parameters()
    expected = (x @ w1.T + b1).clamp(min=0) @ w2.T + b2
    torch.testing.assert_close(feed_forward(x), expected, atol=1e-10, rtol=0)
    order = torch.randperm(5)
    torch.testing.assert_close(feed_forward(x[:, order]), expected[:, order], atol=1e-10, rtol=0)


def masks():
    tokens = torch.ones(2, 6, dtype=torch.long)
    tokens[1, -2:] = 0
    causal, padding = causal_mask(6), padding_mask(tokens)
    return {"none": None, "causal": causal, "padding": padding, "both": causal & padding}


def as_torch_asks(mask):
    """Ours says what may be seen, torch's what is hidden, once for every head of every sequence."""
    return None if mask is None else ~mask.expand(2, HEADS, 6, 6).reshape(2 * HEADS, 6, 6)


@pytest.mark.parametrize("kind", ["none", "causal", "padding", "both"])
@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_block_is_torchs(float64, kind, norm_first):
    mask = masks()[kind]
    theirs = nn.TransformerEncoderLayer(
        D_MODEL, HEADS, D_FF, dropout=0.0, batch_first=True, norm_first=norm_first
    )
    ours = EncoderBlock(D_MODEL, HEADS, D_FF, dropout=0.0, norm_first=norm_first)
    assert_same_module(
        theirs,
        ours,
        copy_encoder_block,
        lambda x: theirs(x, src_mask=as_torch_asks(mask)),
        lambda x: ours(x, mask),
        torch.randn(2, 6, D_MODEL),
    )


@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_is_torchs(float64, norm_first):
    mask = masks()["both"]
    layer = nn.TransformerEncoderLayer(
        D_MODEL, HEADS, D_FF, dropout=0.0, batch_first=True, norm_first=norm_first
    )
    final = nn.LayerNorm(D_MODEL) if norm_first else None
    theirs = nn.TransformerEncoder(layer, 3, norm=final, enable_nested_tensor=False)
    ours = Encoder(3, D_MODEL, HEADS, D_FF, dropout=0.0, norm_first=norm_first)
    assert_same_module(
        theirs,
        ours,
        lambda a, b: copy_stack(a, b, copy_encoder_block),
        lambda x: theirs(x, mask=as_torch_asks(mask)),
        lambda x: ours(x, mask),
        torch.randn(2, 6, D_MODEL),
    )


def test_the_blocks_of_a_stack_have_parameters_of_their_own():
    encoder = Encoder(3, D_MODEL, HEADS, D_FF)
    addresses = [parameter.data_ptr() for parameter in encoder.parameters()]
    assert len(set(addresses)) == len(addresses) == 3 * 16


@pytest.mark.parametrize("norm_first", [False, True])
def test_without_positions_the_encoder_cannot_tell_the_order(float64, norm_first):
    encoder = randomise(Encoder(2, D_MODEL, HEADS, D_FF, dropout=0.0, norm_first=norm_first))
    x, order = torch.randn(2, 6, D_MODEL), torch.randperm(6)
    torch.testing.assert_close(encoder(x[:, order]), encoder(x)[:, order], atol=1e-10, rtol=0)


def test_dropout_acts_in_training_only():
    block = EncoderBlock(D_MODEL, HEADS, D_FF, dropout=0.5)
    x = torch.randn(2, 6, D_MODEL)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))


def test_with_everything_dropped_but_the_residual_the_signal_passes(float64):
    """What a sub-layer adds is dropped before the residual is added, not after."""
    block = EncoderBlock(D_MODEL, HEADS, D_FF, dropout=0.999999, norm_first=True)
    x = torch.randn(2, 6, D_MODEL)
    assert torch.equal(block(x), x)


def test_copying_between_stacks_that_differ_says_how():
    layer = nn.TransformerEncoderLayer(D_MODEL, HEADS, D_FF, batch_first=True)
    theirs = nn.TransformerEncoder(layer, 1, nn.LayerNorm(D_MODEL), enable_nested_tensor=False)
    ours = Encoder(1, D_MODEL, HEADS, D_FF)
    before = [parameter.clone() for parameter in ours.parameters()]
    with pytest.raises(ValueError, match="final LayerNorm"):
        copy_stack(theirs, ours, copy_encoder_block)
    assert all(torch.equal(a, b) for a, b in zip(before, ours.parameters())), "half copied"


def test_copy_attention_keeps_query_key_and_value_apart(float64):
    theirs = randomise(nn.MultiheadAttention(D_MODEL, HEADS))
    block = EncoderBlock(D_MODEL, HEADS, D_FF)
    copy_attention(theirs, block.self_attention)
    stacked = torch.cat(
        [getattr(block.self_attention, f"w_{name}").weight for name in ("query", "key", "value")]
    )
    assert torch.equal(stacked, theirs.in_proj_weight)
