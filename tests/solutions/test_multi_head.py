"""Lesson 2's parts against nn.MultiheadAttention."""

import pytest
import torch
from torch import nn

from solutions.attention import causal_mask, padding_mask
from solutions.from_torch import copy_attention
from solutions.multi_head import MultiHeadAttention, merge_heads, split_heads
from tests.compare import assert_same_module, randomise

D_MODEL, HEADS = 12, 3


def test_split_heads_gives_each_head_its_features():
    x = torch.randn(2, 5, D_MODEL)
    heads = split_heads(x, HEADS)
    assert heads.shape == (2, HEADS, 5, 4)
    for head in range(HEADS):
        assert torch.equal(heads[:, head], x[:, :, 4 * head : 4 * head + 4])
    assert heads.data_ptr() == x.data_ptr(), "splitting needs no copy"


def test_merge_heads_undoes_split_heads():
    x = torch.randn(2, 5, D_MODEL)
    assert torch.equal(merge_heads(split_heads(x, HEADS)), x)


def masks(queries, keys):
    tokens = torch.ones(2, keys, dtype=torch.long)
    tokens[1, -2:] = 0
    padding = padding_mask(tokens)
    return {
        "no mask": None,
        "query by key": torch.rand(queries, keys) < 0.7,
        "padding": padding,
        "both": (torch.rand(queries, keys) < 0.7) & padding,
    }


@pytest.mark.parametrize("kind", ["no mask", "query by key", "padding", "both"])
@pytest.mark.parametrize(("queries", "keys"), [(5, 7), (6, 6), (1, 1)])
def test_is_torchs(float64, kind, queries, keys):
    theirs = nn.MultiheadAttention(D_MODEL, HEADS, batch_first=True)
    ours = MultiHeadAttention(D_MODEL, HEADS)
    mask = masks(queries, keys)[kind]
    if mask is not None:
        mask[..., 0] = True
        hidden = ~mask.expand(2, HEADS, queries, keys).reshape(2 * HEADS, queries, keys)
    else:
        hidden = None
    query, memory = torch.randn(2, queries, D_MODEL), torch.randn(2, keys, D_MODEL)
    other = torch.randn(2, keys, D_MODEL)

    assert_same_module(
        theirs,
        ours,
        copy_attention,
        lambda q, k, v: theirs(q, k, v, attn_mask=hidden, need_weights=False)[0],
        lambda q, k, v: ours(q, k, v, mask),
        query,
        memory,
        other,
    )
    _, weights = theirs(query, memory, other, attn_mask=hidden, average_attn_weights=False)
    ours(query, memory, other, mask)
    torch.testing.assert_close(ours.weights, weights, atol=1e-10, rtol=0)
    assert not ours.weights.requires_grad


def test_weights_are_those_of_the_last_call_before_dropout():
    attention = MultiHeadAttention(D_MODEL, HEADS, dropout=0.5)
    assert attention.weights is None
    x, y = torch.randn(2, 5, D_MODEL), torch.randn(2, 7, D_MODEL)
    attention(x, x, x, causal_mask(5))
    attention(x, y, y)
    with torch.no_grad():
        attention.w_query.weight.zero_()  # what was called stays what it was
    assert attention.weights.shape == (2, HEADS, 5, 7)
    torch.testing.assert_close(attention.weights.sum(-1), torch.ones(2, HEADS, 5))
    assert attention.weights.std() > 0.01


def test_dropout_acts_in_training_only():
    attention = MultiHeadAttention(D_MODEL, HEADS, dropout=0.5)
    x = torch.randn(2, 5, D_MODEL)
    assert not torch.equal(attention(x, x, x), attention(x, x, x))
    attention.eval()
    assert torch.equal(attention(x, x, x), attention(x, x, x))


def test_dropped_weights_are_made_up_for_on_average():
    attention = randomise(MultiHeadAttention(D_MODEL, HEADS, dropout=0.3))
    x = torch.randn(1, 4, D_MODEL)
    expected = attention.eval()(x, x, x)
    many = x.expand(4000, -1, -1)
    mean = attention.train()(many, many, many).mean(0, keepdim=True)
    torch.testing.assert_close(mean, expected, atol=0.06, rtol=0)


def test_a_query_that_may_attend_to_nothing():
    attention, x = MultiHeadAttention(D_MODEL, HEADS), torch.randn(2, 5, D_MODEL)
    x.requires_grad_()
    mask = causal_mask(5).clone()
    mask[0] = False
    output = attention(x, x, x, mask)
    assert (attention.weights[:, :, 0] == 0).all()
    torch.testing.assert_close(output[:, 0], attention.w_output.bias.expand(2, -1))
    output.sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("mask", [[True, False, True, True, False], True])
def test_a_mask_may_leave_out_dimensions(mask):
    attention, x = MultiHeadAttention(D_MODEL, HEADS), torch.randn(2, 5, D_MODEL)
    mask = torch.tensor(mask)
    expected = attention(x, x, x, mask.expand(2, HEADS, 5, 5))
    torch.testing.assert_close(attention(x, x, x, mask), expected)
