"""Lesson 1's parts against torch, and against loops that are slow and obvious."""

import math

import pytest
import torch
import torch.nn.functional as F

from solutions.attention import (
    causal_mask,
    padding_mask,
    scaled_dot_product_attention,
    self_attention,
    softmax,
)
from tests.compare import assert_same


def qkv(batch=2, heads=3, queries=5, keys=7, d_k=4, d_v=6, dtype=torch.float64):
    return (
        torch.randn(batch, heads, queries, d_k, dtype=dtype),
        torch.randn(batch, heads, keys, d_k, dtype=dtype),
        torch.randn(batch, heads, keys, d_v, dtype=dtype),
    )


def random_mask(*shape):
    mask = torch.rand(shape) < 0.6
    mask[..., 0] = True  # every query may attend to something
    return mask


@pytest.mark.parametrize("dim", [-1, -2, 0, 1])
def test_softmax_is_torchs(dim):
    x = torch.randn(2, 3, 5, dtype=torch.float64)
    assert_same(lambda x: softmax(x, dim), lambda x: F.softmax(x, dim), x)


def test_softmax_of_large_and_hidden_scores():
    x = torch.tensor([[1e4, 1e4 - 1, -1e4], [-1e30, -1e30, -1e30], [float("-inf"), 0.0, 1.0]])
    weights = softmax(x)
    torch.testing.assert_close(weights, F.softmax(x, dim=-1))
    assert weights[2, 0] == 0


@pytest.mark.parametrize("mask_shape", [None, (5, 7), (2, 1, 1, 7), (2, 3, 5, 7), (1, 3, 1, 1)])
def test_attention_is_torchs(mask_shape):
    mask = None if mask_shape is None else random_mask(*mask_shape)
    assert_same(
        lambda q, k, v: scaled_dot_product_attention(q, k, v, mask)[0],
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        *qkv(),
    )


def test_attention_by_loops():
    query, key, value = qkv(batch=1, heads=2)
    mask = random_mask(5, 7)
    output, weights = scaled_dot_product_attention(query, key, value, mask)
    for head in range(2):
        for i in range(5):
            exponentials = [
                math.exp(sum(query[0, head, i, d] * key[0, head, j, d] for d in range(4)) / 2)
                if mask[i, j]
                else 0.0
                for j in range(7)
            ]
            expected = [e / sum(exponentials) for e in exponentials]
            assert weights[0, head, i].tolist() == pytest.approx(expected, abs=1e-12)
            for d in range(6):
                mixed = sum(w * value[0, head, j, d].item() for j, w in enumerate(expected))
                assert output[0, head, i, d].item() == pytest.approx(mixed, abs=1e-12)


@pytest.mark.parametrize("leading", [(), (2,), (2, 3), (2, 1, 3)])
def test_attention_takes_any_leading_dimensions(leading):
    query, key, value = (torch.randn(*leading, n, d) for n, d in ((5, 4), (7, 4), (7, 6)))
    output, weights = scaled_dot_product_attention(query, key, value)
    assert output.shape == (*leading, 5, 6)
    assert weights.shape == (*leading, 5, 7)


def test_weights_are_a_convex_combination():
    query, key, value = qkv()
    output, weights = scaled_dot_product_attention(query, key, value)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 5, dtype=torch.float64))
    assert (output.amax(-2) <= value.amax(-2)).all()


def test_a_hidden_key_with_the_largest_score_counts_for_nothing():
    query = torch.full((1, 2), 1e4)
    key = torch.tensor([[1.0, 1.0], [2.0, 2.0]])
    value = torch.tensor([[3.0], [5.0]])
    output, weights = scaled_dot_product_attention(query, key, value, torch.tensor([[True, False]]))
    assert weights.tolist() == [[1.0, 0.0]]
    assert output.item() == 3.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_query_that_may_attend_to_nothing_gets_zeros_and_finite_gradients(dtype):
    inputs = [x.requires_grad_() for x in qkv(dtype=dtype)]
    mask = random_mask(5, 7)
    mask[2] = False
    output, weights = scaled_dot_product_attention(*inputs, mask)
    assert (output[:, :, 2] == 0).all()
    assert (weights[:, :, 2] == 0).all()
    output.sum().backward()
    assert all(x.grad.isfinite().all() for x in inputs)
    assert (inputs[0].grad[:, :, 2] == 0).all()


def test_arguments_stay_as_they_were():
    inputs = [*qkv(), random_mask(5, 7)]
    before = [x.clone() for x in inputs]
    scaled_dot_product_attention(*inputs)
    assert all(torch.equal(a, b) for a, b in zip(inputs, before))


def test_causal_mask_hides_the_future_only():
    mask = causal_mask(6)
    assert mask.dtype == torch.bool
    assert torch.equal(mask, torch.ones(6, 6, dtype=torch.bool).tril())
    assert causal_mask(0).shape == (0, 0)


def test_causal_mask_by_gradient():
    query, key, value = (x.requires_grad_() for x in qkv(1, 1, 6, 6))
    output, _ = scaled_dot_product_attention(query, key, value, causal_mask(6))
    for i in range(6):
        gradient = torch.autograd.grad(output[0, 0, i].sum(), value, retain_graph=True)[0]
        reached = gradient[0, 0].abs().sum(-1) > 0
        assert reached.tolist() == [j <= i for j in range(6)]


def test_padding_mask_hides_padding():
    tokens = torch.tensor([[4, 5, 9], [3, 9, 9]])
    mask = padding_mask(tokens, pad=9)
    assert mask.shape == (2, 1, 1, 3)
    assert mask.dtype == torch.bool
    assert mask[:, 0, 0].tolist() == [[True, True, False], [True, False, False]]


def test_self_attention_projects_the_same_x_three_times():
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    w_query, w_key, w_value = (torch.randn(8, d, dtype=torch.float64) for d in (4, 4, 6))
    assert_same(
        lambda x, a, b, c: self_attention(x, a, b, c, causal_mask(5))[0],
        lambda x, a, b, c: F.scaled_dot_product_attention(x @ a, x @ b, x @ c, is_causal=True),
        x,
        w_query,
        w_key,
        w_value,
    )


def test_permuting_the_tokens_permutes_the_output():
    x = torch.randn(5, 8, dtype=torch.float64)
    matrices = [torch.randn(8, 4, dtype=torch.float64) for _ in range(3)]
    order = torch.randperm(5)
    output, weights = self_attention(x, *matrices)
    permuted, permuted_weights = self_attention(x[order], *matrices)
    torch.testing.assert_close(permuted, output[order], atol=1e-12, rtol=0)
    torch.testing.assert_close(permuted_weights, weights[order][:, order], atol=1e-12, rtol=0)
