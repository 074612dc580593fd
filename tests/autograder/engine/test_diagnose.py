"""Mistakes are recognised in other people's code, two at once too, and never where they are not."""

import functools

import torch

from autograder.audit import bank
from autograder.engine.examine import examine
from course.checks import find
from tests.autograder.implementations import Heads, attention

ATTENTION = find("attention.scaled_dot_product_attention")
HEADS = find("multi_head.MultiHeadAttention")


def verdict(exercise, subject, seed=1):
    return examine(exercise, subject, seed)


def test_a_right_answer_is_right():
    assert verdict(ATTENTION, attention).passed
    assert verdict(HEADS, Heads).passed


def test_one_mistake_is_named_with_the_numbers_of_the_run():
    found = verdict(ATTENTION, functools.partial(attention, root=0.0))
    assert found.diagnosis == "no_scale"
    assert "d_k=4" in found.explanation[0]
    assert "2 times" in found.explanation[0]
    assert 0 < found.score < found.max_score


def test_the_axis_is_named_with_both_sums():
    found = verdict(ATTENTION, functools.partial(attention, dim=-2))
    assert found.diagnosis == "over_queries"
    assert "down the columns (1, 1, 1, 1, …)" in found.explanation[0]


def test_two_mistakes_are_both_named_where_one_shows_alone():
    found = verdict(ATTENTION, functools.partial(attention, root=0.0, hide=0.0))
    assert {found.diagnosis, found.also} == {"no_scale", "hidden_score_zero"}
    assert any("a second thing" in text for text in found.explanation)


def test_of_a_known_and_an_unknown_mistake_the_known_is_named_and_no_more_is_claimed():
    """Whether the rest is a second mistake, or what the first one does there, nobody knows."""

    def both(query, key, value, mask=None):
        output, weights = attention(query, key, value, mask, root=0.0)
        return (output if mask is None else output + 1), weights

    found = verdict(ATTENTION, both)
    assert found.diagnosis == "no_scale"
    assert found.also is None
    assert len(found.explanation) == 2  # what happened, and what to look at


def test_what_a_mistake_does_beside_a_harmless_difference_is_no_second_thing():
    """Nothing is hidden with numbers here, so a wholly hidden column gives NaN for every dtype."""

    def down_the_columns(query, key, value, mask=None):
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        weights = scores.softmax(dim=-2)
        return weights @ value, weights

    for seed in range(5):
        found = verdict(ATTENTION, down_the_columns, seed)
        assert found.diagnosis == "over_queries"
        assert len(found.explanation) == 2
        assert "NaN" not in found.message


def test_what_the_mistake_never_does_is_told_beside_it():
    def unscaled_and_in_place(query, key, value, mask=None):
        value += 1
        output, weights = attention(query, key, value - 1, mask, root=0.0)
        return output, weights

    found = verdict(ATTENTION, unscaled_and_in_place)
    assert found.diagnosis == "no_scale"
    assert found.also is None
    assert "Your code changed its argument `value`" in found.explanation[2]


def test_what_the_mistake_does_itself_is_told_once():
    def in_place(query, key, value, mask=None):
        query *= query.size(-1) ** -0.5
        return attention(query, key, value, mask, root=0.0)

    found = verdict(ATTENTION, in_place)
    assert found.diagnosis == "query_scaled_in_place"
    assert len(found.explanation) == 2


def test_a_mistake_is_recognised_in_a_coarse_answer_too():
    def half(query, key, value, mask=None):
        output, weights = attention(query, key, value, mask, root=0.0)
        return output.bfloat16(), weights.bfloat16()

    found = verdict(ATTENTION, half)
    assert found.diagnosis == "no_scale"
    assert "your output is bfloat16; expected float32" in found.explanation[2]


def test_rounding_to_a_coarse_dtype_is_taken_for_no_mistake():
    def half(query, key, value, mask=None):
        output, weights = attention(query, key, value, mask)
        return output.bfloat16(), weights.bfloat16()

    found = verdict(ATTENTION, half)
    assert found.diagnosis is None
    assert "which keeps only 2 or 3 digits" in found.message


def test_an_unknown_mistake_is_described_and_not_named():
    def louder(query, key, value, mask=None):
        output, weights = attention(query, key, value, mask)
        return 3 * output, weights

    found = verdict(ATTENTION, louder)
    assert found.diagnosis is None
    assert "Your weights are right, but the output" in " ".join(found.explanation)


def test_of_two_mistakes_that_show_together_the_one_that_shows_alone_somewhere_is_named():
    """With scores so large that one key gets everything, a wrong scale no longer shows."""
    found = verdict(ATTENTION, functools.partial(attention, root=0.3, dim=-2))
    assert found.diagnosis == "over_queries"
    assert found.also is None


def test_a_mistake_is_contradicted_by_a_probe_that_is_right():
    """Unscaled only under a mask: `no_scale` would show without one, too."""

    def sometimes(query, key, value, mask=None):
        return attention(query, key, value, mask, root=0.5 if mask is None else 0.0)

    assert verdict(ATTENTION, sometimes).diagnosis is None


def test_the_same_mathematics_is_named_once():
    found = verdict(ATTENTION, functools.partial(attention, root=1.0))
    assert found.diagnosis in ("scaled_by_width", "scaled_twice")


def test_random_answers_are_never_named():
    def noise(query, key, value, mask=None):
        output, weights = attention(query, key, value, mask)
        return torch.randn_like(output), torch.rand_like(weights)

    for seed in range(5):
        found = verdict(ATTENTION, noise, seed)
        assert found.diagnosis is None
        assert not found.passed


def test_a_module_that_splits_by_view_is_named():
    class ByView(Heads):
        def cut(self, x):
            return x.reshape(x.size(0), self.h, x.size(1), -1)

    assert verdict(HEADS, ByView).diagnosis == "split_by_view"


def test_a_missing_part_is_told_as_what_it_is():
    class Renamed(Heads):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.w_out = self.w_output
            del self.w_output

        def forward(self, *arguments):
            self.w_output = None
            raise AssertionError("never mind")

    found = verdict(HEADS, Renamed)
    text = " ".join(found.explanation)
    assert "no parameter called `w_output.bias` and `w_output.weight`" in text
    assert "`w_out.bias` and `w_out.weight` instead" in text


def test_a_layer_in_a_list_is_told_as_what_it_is():
    class Listed(Heads):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.hidden = [self.w_output]
            del self.w_output

        def forward(self, query, key, value, mask=None):
            return self.hidden[0](query)

    found = verdict(HEADS, Listed)
    assert "plain Python list" in " ".join(found.explanation)
    assert found.diagnosis is None


def test_a_question_that_two_mistakes_share_is_asked_once():
    [both] = [
        entry
        for entry in bank.read("wrong", "encoder_block")
        if entry.expect == "attention_not_dropped + feed_forward_not_dropped"
    ]
    found = examine(find(both.exercise), both.build(), seed=1)
    assert {found.diagnosis, found.also} == {"attention_not_dropped", "feed_forward_not_dropped"}
    assert " ".join(found.explanation).count("How many sub-layers are there?") == 1
