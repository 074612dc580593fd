"""GPT, BERT and ViT: what must hold, and that each learns what it is for."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

from solutions.models import BERT, GPT, POSITIONS, ViT, generate
from solutions.training import evaluating, initialise
from solutions.variants import mask_tokens
from tests.compare import randomise


def small_gpt(**changes):
    settings = {"d_model": 16, "num_heads": 4, "d_ff": 32, "num_layers": 2, "max_length": 40}
    return GPT(11, **(settings | changes))


@pytest.mark.parametrize("positions", POSITIONS)
def test_with_a_cache_gpt_writes_what_it_writes_without(float64, positions):
    model = randomise(small_gpt(positions=positions)).eval()
    prompt = torch.randint(11, (3, 5))
    caches = model.new_caches()
    tokens = torch.randint(11, (3, 12))
    at_once = model(tokens)
    piecewise = torch.cat([model(t, caches) for t in tokens.split([5, 1, 1, 5], dim=1)], dim=1)
    torch.testing.assert_close(piecewise, at_once, atol=1e-10, rtol=0)

    for settings in ({"temperature": 0}, {"temperature": 0.8, "top_k": 4}):
        written = [
            generate(
                model,
                prompt,
                30,
                use_cache=use_cache,
                generator=torch.Generator().manual_seed(1),
                **settings,
            )
            for use_cache in (True, False)
        ]
        assert torch.equal(*written)
        assert written[0].shape == (3, 35)
        assert torch.equal(written[0][:, :5], prompt)


@pytest.mark.parametrize("positions", POSITIONS)
def test_gpt_sees_no_future(positions):
    model = randomise(small_gpt(positions=positions, dropout=0.0))
    tokens = torch.randint(11, (1, 8))
    before = model(tokens)
    changed = tokens.clone()
    changed[0, 5] = (changed[0, 5] + 1) % 11
    after = model(changed)
    torch.testing.assert_close(after[:, :5], before[:, :5])
    assert not torch.allclose(after[:, 5:], before[:, 5:])


@pytest.mark.parametrize("positions", POSITIONS)
def test_gpt_tells_the_order_unless_told_nothing(positions):
    model = randomise(small_gpt(positions=positions, dropout=0.0, num_layers=1))
    same = torch.allclose(
        model(torch.tensor([[1, 2, 3]]))[:, -1], model(torch.tensor([[2, 1, 3]]))[:, -1], atol=1e-5
    )
    assert same == (positions == "none")


def test_bert_sees_both_sides_and_no_padding():
    model = randomise(BERT(11, 16, 4, 32, 2, dropout=0.0, max_length=20))
    tokens = torch.tensor([[3, 4, 5, 6, 0, 0]])
    before = model(tokens)
    changed = model(torch.tensor([[3, 4, 5, 7, 0, 0]]))
    assert not torch.allclose(changed[:, 0], before[:, 0])
    torch.testing.assert_close(model(tokens[:, :4]), before[:, :4])


def test_bert_learns_to_fill_gaps():
    """The first half of a text is one token over and over, the second half another."""
    model, mask_token = initialise(BERT(8, 32, 2, 64, 2, dropout=0.0, max_length=12)), 7
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)

    def texts():
        return torch.randint(1, 7, (64, 2)).repeat_interleave(6, dim=1)  # (batch, 12)

    for _ in range(150):
        read, wanted = mask_tokens(texts(), mask_token, vocab=7)
        loss = F.cross_entropy(model(read).flatten(0, 1), wanted.flatten(), ignore_index=0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    text = texts()
    for gap in (0, 3, 11):  # with something on the right only, on both sides, on the left only
        read = text.clone()
        read[:, gap] = mask_token
        with evaluating(model):
            guessed = model(read)[:, gap].argmax(-1)
        assert (guessed == text[:, gap]).float().mean().item() > 0.95


def test_vit_learns_to_read_digits():
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(images))
    train, test = order[:1400], order[1400:]
    model = initialise(ViT(dropout=0.0))
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(8):
        for batch in train[torch.randperm(len(train))].split(64):
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with evaluating(model):
        right = (model(images[test]).argmax(-1) == labels[test]).float().mean().item()
    assert right > 0.9
