"""Our Dropout against what nn.Dropout promises."""

import pytest
import torch
from torch import nn

from solutions.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_drops_a_share_p_and_keeps_the_mean(p, dtype):
    x = torch.ones(1000, 333, dtype=dtype, requires_grad=True)
    output = Dropout(p)(x)
    assert output.dtype == dtype
    assert (output == 0).float().mean().item() == pytest.approx(p, abs=0.005)
    assert output.detach().double().mean().item() == pytest.approx(1, abs=0.02)
    kept = output[output != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=0.01, atol=0)
    output.sum().backward()
    assert torch.equal(x.grad, output.detach()), "what was dropped gets no gradient"


def test_features_are_dropped_independently():
    dropped = (Dropout(0.5)(torch.ones(4000, 16)) == 0).double()
    correlation = torch.corrcoef(dropped.T) - torch.eye(16)
    assert correlation.abs().max() < 0.1
    assert not torch.equal(dropped[0], dropped[1])


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_does_nothing_in_eval_mode_or_at_zero(p):
    x = torch.randn(3, 5)
    assert torch.equal(Dropout(p).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


@pytest.mark.parametrize("p", [1e-9, 1 - 1e-9, 1.0])
def test_probabilities_too_near_to_0_or_1_for_16_bits(p):
    x = torch.ones(3, 5)
    expected = x if p < 0.5 else torch.zeros(3, 5)
    torch.testing.assert_close(Dropout(p)(x), expected)


def test_is_repeatable_and_takes_every_shape():
    dropout = Dropout(0.5)
    for shape in ((), (1,), (3,), (0, 4), (2, 3, 5)):
        torch.manual_seed(1)
        first = dropout(torch.ones(shape))
        torch.manual_seed(1)
        assert torch.equal(dropout(torch.ones(shape)), first)
    view = torch.ones(6, 4).T  # not contiguous
    assert dropout(view).shape == (4, 6)


def test_is_an_nn_dropout():
    assert isinstance(Dropout(0.3), nn.Dropout)
