"""Lesson 7's parts against plain attention, torch's own functions, and what must hold."""

import pytest
import torch
import torch.nn.functional as F

from solutions.attention import causal_mask, scaled_dot_product_attention
from solutions.multi_head import MultiHeadAttention
from solutions.variants import (
    CausalSelfAttention,
    KeyValueCache,
    MixtureOfExperts,
    alibi_bias,
    mask_tokens,
    patchify,
    rotary_embedding,
    sample_token,
    sliding_window_attention,
    sliding_window_mask,
    tiled_attention,
)
from tests.compare import assert_same, randomise


def test_rotary_turns_each_pair_as_a_complex_number(float64):
    x = torch.randn(2, 3, 7, 8)
    angle = torch.arange(4, 11)[:, None] / 10000 ** (torch.arange(0, 8, 2) / 8)
    turn = torch.polar(torch.ones_like(angle), angle)
    expected = torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (4, 2))) * turn).flatten(-2)
    torch.testing.assert_close(rotary_embedding(x, offset=4), expected, atol=1e-10, rtol=0)


def test_rotary_scores_depend_on_the_distance_only(float64):
    query, key = torch.randn(1, 8), torch.randn(1, 8)

    def score(i, j):
        return (rotary_embedding(query, i) @ rotary_embedding(key, j).T).item()

    assert score(3, 1) == pytest.approx(score(103, 101), abs=1e-10)
    assert score(3, 1) != pytest.approx(score(3, 2), abs=1e-3)
    torch.testing.assert_close(rotary_embedding(query, 9).norm(), query.norm())


def test_alibi_takes_away_with_the_distance():
    bias = alibi_bias(8, 5)
    assert bias.shape == (8, 5, 5)
    for head, slope in ((0, 1 / 2), (1, 1 / 4), (7, 1 / 256)):
        for i in range(5):
            for j in range(5):
                assert bias[head, i, j].item() == pytest.approx(-slope * (i - j))


def test_a_sliding_window_sees_itself_and_what_came_just_before():
    mask = sliding_window_mask(6, 3)
    for i in range(6):
        assert [j for j in range(6) if mask[i, j]] == list(range(max(0, i - 2), i + 1))
    assert torch.equal(sliding_window_mask(6, 6), causal_mask(6))
    assert torch.equal(sliding_window_mask(6, 1), torch.eye(6, dtype=torch.bool))


@pytest.mark.parametrize(("length", "window"), [(12, 3), (13, 4), (5, 8), (1, 1), (7, 1)])
def test_sliding_window_attention_is_attention_under_its_mask(float64, length, window):
    inputs = [torch.randn(2, 3, length, d) for d in (4, 4, 6)]
    mask = sliding_window_mask(length, window)
    assert_same(
        lambda q, k, v: sliding_window_attention(q, k, v, window),
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        *inputs,
    )


def test_a_window_far_longer_than_the_sequence_costs_no_more():
    inputs = [torch.randn(2, 7, 4) for _ in range(3)]
    expected = F.scaled_dot_product_attention(*inputs, is_causal=True)
    torch.testing.assert_close(sliding_window_attention(*inputs, window=10**9), expected)


@pytest.mark.parametrize("mask_shape", [(), (7,), (5, 1), (2, 1, 7)])
def test_tiles_broadcast_as_plain_attention_does(mask_shape):
    query, key, value = torch.randn(5, 4), torch.randn(2, 7, 4), torch.randn(2, 7, 6)
    mask = torch.rand(mask_shape) < 0.7
    expected, _ = scaled_dot_product_attention(query, key, value, mask)
    torch.testing.assert_close(tiled_attention(query, key, value, mask, tile=3), expected)


@pytest.mark.parametrize("tile", [1, 3, 7, 64])
@pytest.mark.parametrize("masked", [False, True])
def test_tiles_are_plain_attention(float64, tile, masked):
    mask = None
    if masked:
        mask = torch.rand(2, 1, 5, 7) < 0.5
        mask[0, 0, 2] = False  # nothing at all
        mask[1, 0, 1] = torch.tensor([False] * 6 + [True])  # nothing until the last tile
    inputs = [torch.randn(2, 3, n, d) for n, d in ((5, 4), (7, 4), (7, 6))]
    assert_same(
        lambda q, k, v: tiled_attention(q, k, v, mask, tile),
        lambda q, k, v: scaled_dot_product_attention(q, k, v, mask)[0],
        *inputs,
    )


def test_tiles_are_stable_for_large_scores():
    query, key, value = torch.randn(3, 4) * 1e3, torch.randn(9, 4) * 1e3, torch.randn(9, 2)
    expected = F.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(tiled_attention(query, key, value, tile=2), expected)


def test_tiles_never_hold_the_whole_matrix():
    """No tensor made on the way is as large as (query, key)."""
    from torch.utils._python_dispatch import TorchDispatchMode

    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.untyped_storage().nbytes())
            return result

    query, key, value = (torch.randn(512, 8) for _ in range(3))
    with Watch():
        tiled_attention(query, key, value, tile=16)
    assert 512 * 16 * 4 <= largest < 512 * 512 * 4 / 8


@pytest.mark.parametrize("positions", [None, "rotary", "alibi"])
def test_with_a_cache_attention_gives_what_it_gives_at_once(float64, positions):
    attention = randomise(CausalSelfAttention(16, 4, positions=positions))
    x = torch.randn(2, 9, 16)
    at_once = attention(x)
    cache = KeyValueCache(capacity=12)
    piecewise = [attention(piece, cache) for piece in x.split([3, 1, 1, 4], dim=1)]
    torch.testing.assert_close(torch.cat(piecewise, dim=1), at_once, atol=1e-12, rtol=0)
    assert cache.length == 9


def test_causal_self_attention_is_multi_head_attention_under_the_causal_mask(float64):
    ours = randomise(CausalSelfAttention(12, 3))
    plain = MultiHeadAttention(12, 3)
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, 6, 12)
    assert_same(ours, lambda x: plain(x, x, x, causal_mask(6)), x)
    ours(x)
    torch.testing.assert_close(ours.weights, plain.weights, atol=1e-12, rtol=0)


@pytest.mark.parametrize("positions", ["rotary", "alibi"])
def test_causal_self_attention_with_positions_by_hand(float64, positions):
    attention = randomise(CausalSelfAttention(12, 3, positions=positions))
    x = torch.randn(2, 6, 12)
    query, key, value = (
        w(x).unflatten(-1, (3, 4)).transpose(1, 2)
        for w in (attention.w_query, attention.w_key, attention.w_value)
    )
    if positions == "rotary":
        query, key = rotary_embedding(query), rotary_embedding(key)
    scores = query @ key.transpose(-2, -1) / 2
    if positions == "alibi":
        scores = scores + alibi_bias(3, 6)
    weights = scores.masked_fill(~causal_mask(6), float("-inf")).softmax(-1)
    expected = attention.w_output((weights @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x), expected, atol=1e-10, rtol=0)
    torch.testing.assert_close(attention.weights, weights, atol=1e-10, rtol=0)


def test_sampling_follows_the_probabilities():
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]]).expand(40_000, -1)
    for temperature in (0.5, 1.0, 2.0):
        drawn = sample_token(logits, temperature).bincount(minlength=4) / len(logits)
        expected = (logits[0] / temperature).softmax(-1)
        torch.testing.assert_close(drawn, expected, atol=0.012, rtol=0)


def test_top_k_leaves_only_the_likeliest():
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0], [3.0, 1.0, 2.0, 2.5]]).repeat(500, 1)
    drawn = sample_token(logits, temperature=5.0, top_k=2).reshape(500, 2)
    assert set(drawn[:, 0].tolist()) == {1, 2}
    assert set(drawn[:, 1].tolist()) == {0, 3}
    assert torch.equal(sample_token(logits, top_k=1), logits.argmax(-1))
    assert torch.equal(sample_token(logits, temperature=0), logits.argmax(-1))
    assert sample_token(logits, top_k=99).shape == (1000,)


def test_the_same_generator_draws_the_same_tokens():
    logits = torch.randn(50, 20)
    first, second = (sample_token(logits, generator=torch.Generator().manual_seed(5)) for _ in "ab")
    assert torch.equal(first, second)


def test_mask_tokens_hides_the_share_it_should():
    tokens = torch.randint(5, 1000, (200, 300))
    tokens[:, -50:] = 0
    read, wanted = mask_tokens(tokens, mask_token=3, vocab=1000, probability=0.15)
    chosen = wanted != 0
    assert not chosen[:, -50:].any(), "padding is never to be guessed"
    assert torch.equal(wanted[chosen], tokens[chosen])
    assert torch.equal(read[~chosen], tokens[~chosen])
    real = tokens != 0
    assert chosen[real].float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert (read[chosen] == 3).float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert (read[chosen] == tokens[chosen]).float().mean().item() == pytest.approx(0.1, abs=0.02)


def test_patchify_is_unfold():
    images = torch.randn(2, 3, 8, 12)
    patches = patchify(images, 4)
    assert patches.shape == (2, 6, 48)
    assert torch.equal(patches, F.unfold(images, 4, stride=4).transpose(1, 2))


def test_a_mixture_is_the_sum_over_the_chosen_experts(float64):
    mixture = randomise(MixtureOfExperts(6, 10, num_experts=5, top_k=2, dropout=0.0))
    x = torch.randn(2, 7, 6)
    output = mixture(x)
    for b in range(2):
        for t in range(7):
            probabilities = mixture.router(x[b, t]).softmax(-1)
            gates, chosen = probabilities.topk(2)
            expected = sum(
                gate / gates.sum() * mixture.experts[number](x[b, t])
                for gate, number in zip(gates, chosen.tolist())
            )
            torch.testing.assert_close(output[b, t], expected, atol=1e-10, rtol=0)


def test_a_mixture_takes_any_leading_dimensions():
    mixture = randomise(MixtureOfExperts(6, 10, num_experts=4, top_k=2, dropout=0.0))
    x = torch.randn(2, 3, 6)
    torch.testing.assert_close(mixture(x[1, 2]), mixture(x)[1, 2])


def test_a_mixture_of_all_experts_weighs_them_by_the_router(float64):
    mixture = randomise(MixtureOfExperts(6, 10, num_experts=3, top_k=3, dropout=0.0))
    assert_same(
        mixture,
        lambda x: torch.einsum(
            "...e,...ed->...d",
            mixture.router(x).softmax(-1),
            torch.stack([expert(x) for expert in mixture.experts], dim=-2),
        ),
        torch.randn(2, 7, 6),
    )


def test_the_balance_loss_is_lowest_when_all_experts_are_busy():
    mixture = MixtureOfExperts(6, 10, num_experts=4, top_k=1)
    with torch.no_grad():
        mixture.router.weight.zero_()
        mixture.router.bias.copy_(torch.tensor([20.0, 0.0, 0.0, 0.0]))
    mixture(torch.randn(50, 6))
    assert mixture.balance_loss.item() == pytest.approx(4.0, rel=1e-3)
    with torch.no_grad():
        mixture.router.bias.zero_()
        mixture.router.weight[:, :4] = torch.eye(4) * 20
    mixture(torch.eye(6)[:4].repeat(10, 1))
    assert mixture.balance_loss.item() == pytest.approx(1.0, rel=1e-3)
