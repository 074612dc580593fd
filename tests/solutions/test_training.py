"""Lesson 6's parts against torch, against exhaustive search, and by what must hold."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solutions.training import (
    beam_search,
    evaluating,
    greedy_decode,
    initialise,
    learning_rate,
    shift_right,
    smoothed_cross_entropy,
)
from solutions.transformer import Transformer
from tests.compare import assert_same, randomise

START, END, PAD = 1, 2, 0


def test_learning_rate_rises_and_falls_as_the_paper_says():
    for step in (1, 10, 3999, 4000, 4001, 100_000):
        expected = 512**-0.5 * min(step**-0.5, step * 4000**-1.5)
        assert learning_rate(step, 512) == pytest.approx(expected, rel=1e-12)
    assert learning_rate(4000, 512) == max(learning_rate(s, 512) for s in range(1, 20_000))
    assert learning_rate(4000, 512) == pytest.approx(6.99e-4, rel=1e-3)
    assert learning_rate(0, 512) == learning_rate(1, 512)
    assert isinstance(learning_rate(3, 512, warmup=10), float)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7, 1.0])
@pytest.mark.parametrize("pad", [0, 3, -100])
def test_smoothed_cross_entropy_is_torchs(smoothing, pad):
    logits = torch.randn(4, 5, 7, dtype=torch.float64) * 3
    targets = torch.randint(0, 7, (4, 5))
    targets[1, 2:] = pad
    assert_same(
        lambda x: smoothed_cross_entropy(x, targets, smoothing, pad),
        lambda x: F.cross_entropy(
            x.flatten(0, 1), targets.flatten(), label_smoothing=smoothing, ignore_index=pad
        ),
        logits,
    )


def test_a_loss_over_nothing_but_padding_is_zero():
    logits = torch.randn(2, 3, 7, requires_grad=True)
    loss = smoothed_cross_entropy(logits, torch.zeros(2, 3, dtype=torch.long))
    assert loss.item() == 0
    loss.backward()
    assert (logits.grad == 0).all()


def test_a_token_that_is_ruled_out_does_not_spoil_the_loss_without_smoothing():
    logits = torch.randn(2, 3, 7).index_fill(-1, torch.tensor([5]), float("-inf"))
    targets = torch.randint(1, 5, (2, 3))
    expected = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    torch.testing.assert_close(smoothed_cross_entropy(logits, targets, smoothing=0.0), expected)


def test_shift_right_puts_the_start_in_front():
    targets = torch.tensor([[5, 6, 2], [7, 2, 0]])
    assert shift_right(targets, START).tolist() == [[1, 5, 6], [1, 7, 2]]
    assert targets.tolist() == [[5, 6, 2], [7, 2, 0]]


def test_initialise_is_xavier_for_matrices_and_leaves_the_rest():
    model = nn.Sequential(nn.Linear(300, 200), nn.LayerNorm(200), nn.Conv1d(4, 4, 3))
    others = [p.clone() for p in (model[0].bias, *model[1].parameters(), *model[2].parameters())]
    assert initialise(model) is model
    limit = math.sqrt(6 / 500)
    weight = model[0].weight
    assert weight.abs().max() <= limit
    assert weight.abs().max() > 0.99 * limit
    assert weight.std().item() == pytest.approx(math.sqrt(2 / 500), rel=0.02)
    after = [model[0].bias, *model[1].parameters(), *model[2].parameters()]
    assert all(torch.equal(a, b) for a, b in zip(others, after))


def test_initialise_keeps_the_variance_through_layers():
    layers = initialise(nn.Sequential(*(nn.Linear(256, 256, bias=False) for _ in range(10))))
    assert layers(torch.randn(500, 256)).std().item() == pytest.approx(1.0, rel=0.2)


class Table(nn.Module):
    """A model whose next token depends, by a table, on the last two: easy to search by hand."""

    def __init__(self, vocab=5, pad=PAD, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.pad, self.vocab = pad, vocab
        self.table = nn.Parameter(torch.randn(vocab, vocab, vocab, generator=generator) * 2)
        self.output = nn.Identity()
        self.dropout = nn.Dropout(0.5)

    def encode(self, source):
        return source[..., None].float()

    def decode(self, target, memory, source):
        before = F.pad(target, (1, 0))[:, :-1]
        return self.dropout(self.table[before, target] + memory[:, :1, :1])

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


def log_probability(model, source, tokens, start=START):
    target = torch.tensor([[start, *tokens]])
    with evaluating(model):
        log_p = model(source, target[:, :-1]).log_softmax(-1)
    return sum(log_p[0, i, token].item() for i, token in enumerate(tokens))


def exhaustive(model, source, max_length, alpha):
    """The best of all sequences that end, or that reach max_length, by looking at every one."""
    best, best_score = None, -math.inf
    others = [t for t in range(model.vocab) if t != END]
    for length in range(1, max_length + 1):
        for body in itertools.product(others, repeat=length - 1):
            for last in [END] if length < max_length else range(model.vocab):
                tokens = (*body, last)
                score = log_probability(model, source, tokens) / ((5 + length) / 6) ** alpha
                if score > best_score:
                    best, best_score = tokens, score
    return list(best)


def trimmed(row, pad=PAD):
    row = row.tolist()
    while row and row[-1] == pad:
        row.pop()
    return row


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
@pytest.mark.parametrize("seed", range(4))
def test_a_beam_as_wide_as_all_hypotheses_is_exhaustive_search(alpha, seed):
    model = Table(vocab=4, seed=seed)
    source = torch.tensor([[3, 1]])
    found = beam_search(model, source, START, END, max_length=4, beam=4**4, alpha=alpha)
    expected = exhaustive(model, source, 4, alpha)
    assert found[0].tolist()[: len(expected)] == expected
    assert all(token == PAD for token in found[0].tolist()[len(expected) :])


@pytest.mark.parametrize("seed", range(6))
def test_beam_search_with_one_beam_is_greedy(seed):
    model = Table(seed=seed)
    source = torch.tensor([[3, 1], [2, 4], [0, 0]])
    greedy = greedy_decode(model, source, START, END, max_length=9)
    one = beam_search(model, source, START, END, max_length=9, beam=1)
    assert torch.equal(one, greedy)


def test_beam_search_is_never_worse_than_greedy_here_and_sometimes_better():
    better = 0
    for seed in range(20):
        model, source = Table(seed=seed), torch.tensor([[3, 1]])
        decoded = (
            greedy_decode(model, source, START, END, 6),
            beam_search(model, source, START, END, 6, beam=4, alpha=0.0),
        )
        greedy, beam = (log_probability(model, source, trimmed(row[0])) for row in decoded)
        assert beam >= greedy - 1e-5
        better += beam > greedy + 1e-5
    assert better >= 3


@pytest.mark.parametrize("decode", [greedy_decode, beam_search])
def test_decoding_a_batch_is_decoding_one_by_one(decode):
    model = transformer()
    sources = torch.randint(3, 20, (5, 6))
    together = decode(model, sources, START, END, 12)
    for row, source in zip(together, sources):
        alone = decode(model, source[None], START, END, 12)[0]
        assert trimmed(row) == trimmed(alone)


@pytest.mark.parametrize("decode", [greedy_decode, beam_search])
def test_after_the_end_there_is_padding_only(decode):
    model = Table(pad=4, seed=3)
    for row in decode(model, torch.randint(0, 5, (20, 2)), START, END, 12).tolist():
        assert len(row) <= 12
        if END in row:
            assert set(row[row.index(END) + 1 :]) <= {4}


@pytest.mark.parametrize("decode", [greedy_decode, beam_search])
def test_decoding_restores_every_mode_and_needs_no_gradients(decode):
    model = transformer(dropout=0.5)
    model.encoder.layers[0].eval()  # somebody has frozen this one
    modes = [module.training for module in model.modules()]
    source = torch.randint(3, 20, (2, 6))
    first = decode(model, source, START, END, 5)
    assert torch.equal(first, decode(model, source, START, END, 5)), "dropout was still on"
    assert [module.training for module in model.modules()] == modes
    assert torch.is_grad_enabled()
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(IndexError):
        decode(model, torch.full((1, 3), 99), START, END)
    assert [module.training for module in model.modules()] == modes


@pytest.mark.parametrize("decode", [greedy_decode, beam_search])
@pytest.mark.parametrize("max_length", [0, 1])
def test_very_short_answers(decode, max_length):
    found = decode(transformer(), torch.randint(3, 20, (2, 6)), START, END, max_length)
    assert found.shape == (2, max_length)


def test_greedy_takes_the_likeliest_token_at_every_step():
    model = transformer()
    source = torch.randint(3, 20, (3, 6))
    written = greedy_decode(model, source, START, END, 8)
    with evaluating(model):
        likeliest = model(source, shift_right(written, START)).argmax(-1)
    for row, expected in zip(written, likeliest):
        length = len(trimmed(row))
        assert row[:length].tolist() == expected[:length].tolist()


def transformer(dropout=0.0):
    return randomise(Transformer(20, 20, 16, 2, 32, 2, dropout=dropout, max_length=32))
