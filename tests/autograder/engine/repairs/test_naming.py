"""What the numbers do not tell, a change of the learner's own code does: the mistake that it undoes
is named, if what is said of it is true."""

import math

import pytest
import torch

from autograder.engine import limits
from autograder.engine.examine import examine_learners
from autograder.engine.repairs import naming
from course.checks import find


@pytest.fixture(autouse=True)
def _time_to_look(monkeypatch):
    monkeypatch.setattr(limits, "MENDING", 30.0)


def checked(name, answer, **others):
    return examine_learners(find(name), answer, {**globals(), **others}, seed=1)


def scaled_dot_product_attention(query, key, value, mask=None):
    scores = query @ key.transpose(-2, -1) / math.sqrt(key.shape[-1])
    if mask is not None:
        scores = torch.where(mask, scores, -1e9)
    weights = torch.softmax(scores, dim=-1)
    return weights.detach() @ value, weights


def test_a_mistake_whose_gradients_are_other_ones_is_named_once_it_is_undone():
    """In the model answer both results are cut off; here only one is."""
    found = checked("scaled_dot_product_attention", scaled_dot_product_attention)
    assert found.diagnosis == "weights_cut_off"
    assert found.line.text == "return weights.detach() @ value, weights"
    assert found.explanation[-1].startswith("Nothing else is wrong")


def test_without_a_search_it_has_no_name(monkeypatch):
    monkeypatch.setattr(limits, "MENDING", 0.0)
    found = checked("scaled_dot_product_attention", scaled_dot_product_attention)
    assert found.diagnosis is None


def test_what_takes_longer_to_find_than_a_class_is_given_has_no_name(monkeypatch):
    monkeypatch.setattr(naming, "FIRST", 0)
    found = checked("scaled_dot_product_attention", scaled_dot_product_attention)
    assert found.diagnosis is None
    assert found.spots


def test_a_mistake_that_would_show_elsewhere_is_not_named(monkeypatch):
    monkeypatch.setattr(naming, "ALIKE", 1.1)
    found = checked("scaled_dot_product_attention", scaled_dot_product_attention)
    assert found.diagnosis is None
    assert "With one small change this whole check passes." in found.explanation[-1]


def causal_mask(length, device=None):
    rows = torch.arange(length, device=device).unsqueeze(1)
    columns = torch.arange(length, device=device)
    return rows > columns - 3


def test_a_change_that_undoes_no_known_mistake_gives_no_name():
    found = checked("causal_mask", causal_mask)
    assert found.spots
    assert found.diagnosis is None
