"""What is said of a wrong answer of no known kind is so."""

import re

import pytest
import torch
from torch import nn

from autograder.engine.examine import examine
from autograder.engine.symptoms import Seen
from autograder.engine.trial import Answer, Call, Problem, Trial
from course.checks import find
from course.checks.shared import right_or_off
from solutions.attention import scaled_dot_product_attention
from solutions.positional_encoding import sinusoidal_encoding
from solutions.variants import rotary_embedding


def seen(exercise, yours, theirs, tolerance=1.0, options=None, **arguments):
    """What a symptom sees of an answer."""
    trial = Trial([Call(arguments)], options=options or {}, tolerance=tolerance)
    both = [Answer({"output": x}) for x in (yours, theirs)]
    return Seen(find(exercise), trial, *both)


def told(exercise, *outputs, **more):
    """The first thing that the exercise's symptoms say."""
    found = seen(exercise, *outputs, **more)
    said = (symptom(found) for symptom in found.exercise.symptoms)
    return next(filter(None, said), "")


def test_what_a_check_lets_pass_is_neither_right_nor_off():
    theirs = torch.ones(3, 4)
    yours = theirs + torch.tensor([[1e-6], [5e-4], [0.1]])
    found = seen("sinusoidal_encoding", yours, theirs, tolerance=50.0)
    right, off = right_or_off(found, yours, theirs, [0])
    assert right.tolist() == [True, False, False]
    assert off.tolist() == [False, False, True]


def test_columns_that_are_nearly_right_are_not_called_right():
    """The sine of a sine: its slow columns are off by less than the check lets pass."""
    theirs = sinusoidal_encoding(3, 6)
    yours = theirs.clone()
    yours[:, 0::2] = yours[:, 0::2].sin()
    said = told("sinusoidal_encoding", yours, theirs, tolerance=50.0, length=3, d_model=6)
    for column in map(int, re.search(r"Right: columns? ([\d, ]+)\.", said)[1].split(", ")):
        assert torch.allclose(yours[:, column], theirs[:, column], atol=3e-5)
    for column in map(int, re.search(r"Not right: columns? ([\d, ]+)\.", said)[1].split(", ")):
        assert not torch.allclose(yours[:, column], theirs[:, column], atol=1e-3)
    assert "2" not in said.split("Work out")[0]


@pytest.mark.parametrize(
    ("exercise", "words"),
    [
        ("FeedForward", "right for 2 of 5 tokens"),
        ("sliding_window_attention", "right at some positions, and wrong at 3, 4 "),
    ],
)
def test_tokens_that_are_nearly_right_are_not_called_right(exercise, words):
    theirs = torch.randn(5, 4, generator=torch.Generator().manual_seed(1)).clamp(-2, 2)
    yours = theirs + torch.tensor([[0.0], [1e-6], [5e-4], [0.1], [0.2]])
    assert words in told(exercise, yours, theirs, tolerance=20.0, window=2)


def test_only_positions_that_are_off_are_called_so():
    theirs = sinusoidal_encoding(1500, 2)
    yours = theirs.clone()
    yours[700] += 0.01
    said = told("sinusoidal_encoding", yours, theirs, length=1500, d_model=2)
    assert "position 700 is the first that is not" in said


def test_the_last_token_is_right_only_if_it_is():
    theirs = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(1))
    yours = theirs + 0.1
    yours[:, -1] = theirs[:, -1] + 5e-4
    assert not told("CausalSelfAttention", yours, theirs, tolerance=1.0)
    yours[:, -1] = theirs[:, -1]
    assert "The last token comes out right" in told("CausalSelfAttention", yours, theirs)


def test_positions_that_nobody_reads_are_told():
    class Unread(nn.Module):
        def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
            super().__init__()
            self.w_query, self.w_key, self.w_value, self.w_output = (
                nn.Linear(d_model, d_model) for _ in range(4)
            )
            self.heads, self.dropout = num_heads, nn.Dropout(dropout)

        def forward(self, x, cache=None):
            query, key, value = (
                layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
                for layer in (self.w_query, self.w_key, self.w_value)
            )
            if cache is not None:
                key, value = cache.append(key, value)
            near = torch.ones(key.shape[2], key.shape[2], dtype=torch.bool).tril()
            mask = near[-query.shape[2] :]
            _, weights = scaled_dot_product_attention(query, key, value, mask)
            self.weights = weights.detach()
            return self.w_output((self.dropout(weights) @ value).transpose(1, 2).flatten(2))

    said = " ".join(examine(find("CausalSelfAttention"), Unread, seed=1).explanation)
    assert 'positions="' in said
    assert "Only the first token" not in said


def test_a_patch_is_told_by_what_it_holds():
    images = torch.arange(24.0).reshape(1, 1, 4, 6)
    theirs = find("patchify").reference(images, 2)

    def said_of(first):
        yours = theirs.clone()
        yours[0, 0] = torch.tensor(first)
        return told("patchify", yours, theirs, images=images, size=2)

    assert "in another order" in said_of([0.0, 6.0, 1.0, 7.0])
    assert "some of its pixels twice" in said_of([0.0, 0.0, 1.0, 7.0])
    assert "from outside the top left 2 x 2" in said_of([0.0, 1.0, 2.0, 3.0])
    assert "no pixels of the first image" in said_of([0.5, 1.0, 6.0, 7.0])


def test_lengths_and_losses_that_differ_are_not_printed_alike():
    x = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(1))
    longer = rotary_embedding(x)
    longer[2, 4] *= 1.5
    said = told("rotary_embedding", longer, rotary_embedding(x), x=x)
    before, after = re.search(r"one that is (\S+) long before is (\S+) long", said).groups()
    assert float(after) == pytest.approx(1.5 * float(before), rel=0.02)
    trial = Trial([Call({"smoothing": 0.1})], sizes={"tokens": 3})
    loss = find("smoothed_cross_entropy")
    both = [Answer({"loss": torch.tensor(x)}) for x in (2.43001, 2.43044)]
    said = loss.symptoms[0](Seen(loss, trial, *both))
    assert "your loss is 2.43; expected" not in said or "2.4304" in said


@pytest.mark.parametrize(("bias", "inner"), [(False, True), (True, False)])
def test_missing_biases_are_told_as_such_and_missing_layers_are_not(bias, inner):
    class Other(nn.Module):
        def __init__(self, d_model, d_ff, dropout=0.1):
            super().__init__()
            if inner:
                self.linear1 = nn.Linear(d_model, d_ff, bias=bias)
            self.linear2 = nn.Linear(d_ff, d_model, bias=bias)

        def forward(self, x):
            return x

    said = " ".join(examine(find("FeedForward"), Other, seed=1).explanation)
    assert ("is there a bias=False somewhere?" in said) == inner
    assert ("a layer in a plain Python list" in said) != inner
    assert "nn.Parameter" not in said


def test_a_tensor_that_is_no_parameter_is_no_layer_in_a_list():
    class Plain(nn.Module):
        def __init__(self, d_model, eps=1e-5):
            super().__init__()
            self.weight, self.bias = torch.ones(d_model), torch.zeros(d_model)

        def forward(self, x):
            return x * self.weight + self.bias

    said = examine(find("LayerNorm"), Plain, seed=1).message
    assert "list" not in said


def test_after_an_error_a_message_speaks_of_the_call_that_failed():
    trial = Trial([Call({"beam": 2}), Call({"beam": 36}), Call({"beam": 3})])
    failed = Answer(problem=Problem("RuntimeError", "no"), begun=2)
    assert Seen(find("beam_search"), trial, failed, Answer()).fill("{beam}") == "36"
    assert Seen(find("beam_search"), trial, Answer(begun=3), Answer()).fill("{beam}") == "2"
