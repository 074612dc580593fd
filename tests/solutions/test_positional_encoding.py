"""Lesson 3's parts against the formula written out."""

import math

import pytest
import torch

from solutions.positional_encoding import PositionalEncoding, shift_matrix, sinusoidal_encoding


@pytest.mark.parametrize(("length", "d_model"), [(9, 6), (9, 7), (1, 1), (50, 12), (0, 4)])
def test_is_the_formula(length, d_model):
    encoding = sinusoidal_encoding(length, d_model)
    assert encoding.shape == (length, d_model)
    for position in range(length):
        for column in range(d_model):
            angle = position / 10000 ** (column // 2 * 2 / d_model)
            expected = math.cos(angle) if column % 2 else math.sin(angle)
            assert encoding[position, column].item() == pytest.approx(expected, abs=1e-6)


def test_far_positions_are_as_exact_as_near_ones():
    encoding = sinusoidal_encoding(5000, 4)
    assert encoding[4999, 0].item() == pytest.approx(math.sin(4999), abs=1e-6)
    assert encoding[4999, 3].item() == pytest.approx(math.cos(49.99), abs=1e-6)


@pytest.mark.parametrize("offset", [0, 1, 7, -3, 100])
def test_the_shift_matrix_moves_every_position(float64, offset):
    encoding = sinusoidal_encoding(300, 8)
    moved = encoding[150:200] @ shift_matrix(offset, 8).T
    torch.testing.assert_close(moved, encoding[150 + offset : 200 + offset], atol=1e-10, rtol=0)


def test_the_shift_matrix_is_a_rotation(float64):
    matrix = shift_matrix(5, 8)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(8), atol=1e-10, rtol=0)
    torch.testing.assert_close(shift_matrix(2, 8) @ shift_matrix(3, 8), matrix, atol=1e-10, rtol=0)


def test_the_encoding_is_added():
    position = PositionalEncoding(6, max_length=20, dropout=0.0)
    x = torch.randn(2, 9, 6)
    assert torch.equal(position(x), x + sinusoidal_encoding(9, 6))


def test_the_encoding_is_a_buffer_and_not_a_parameter():
    position = PositionalEncoding(6, max_length=20)
    assert list(position.parameters()) == []
    assert [b.shape for b in position.buffers()] == [(20, 6)]
    assert position.double()(torch.zeros(1, 3, 6, dtype=torch.float64)).dtype == torch.float64


def test_dropout_acts_on_the_sum_in_training_only():
    position = PositionalEncoding(50, max_length=100, dropout=0.25)
    x = torch.ones(4, 100, 50)
    dropped = (position(x) == 0).float().mean().item()
    assert dropped == pytest.approx(0.25, abs=0.02)
    assert torch.equal(position.eval()(x), x + sinusoidal_encoding(100, 50))
