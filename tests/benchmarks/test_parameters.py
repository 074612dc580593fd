"""Parameter counts that are known from elsewhere."""

import pytest
import torch
from torch import nn

from benchmarks.parameters import BASE, PAPERS_VOCABULARY, ROWS, count, run
from solutions.transformer import Transformer, count_parameters


def body_of(model):
    return count_parameters(model.encoder) + count_parameters(model.decoder)


def test_the_body_of_base_to_the_last_unit():
    with torch.device("meta"):
        model = Transformer(7, 7, max_length=1)
        theirs = nn.Transformer(batch_first=True)
    extra_norms = count_parameters(theirs.encoder.norm) + count_parameters(theirs.decoder.norm)
    assert body_of(model) == 44_138_496 == count_parameters(theirs) - extra_norms


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
def test_the_body_with_norm_first_has_the_two_final_norms():
    with torch.device("meta"):
        model = Transformer(7, 7, max_length=1, norm_first=True)
    assert body_of(model) == 44_140_544


def test_the_whole_is_the_sum_of_its_parts():
    d, ff = 12, 20
    attention, feed_forward, norm = 4 * (d * d + d), 2 * d * ff + ff + d, 2 * d
    body = 2 * (attention + feed_forward + 2 * norm) + 2 * (2 * attention + feed_forward + 3 * norm)
    model = Transformer(11, 13, d, 3, ff, 2)
    assert count_parameters(model) == body + 11 * d + 13 * d + (13 * d + 13)
    tied = Transformer(11, 13, d, 3, ff, 2, tie_weights=True)
    assert count_parameters(tied) == body + 11 * d + 13 * d + 13


def test_base_with_the_stated_vocabulary():
    assert count() == 44_138_496 + PAPERS_VOCABULARY * 512 == 63_082_496


@pytest.mark.parametrize("row", [r for r in ROWS if r[2] and "d_model" not in r[1]], ids=str)
def test_differences_between_rows_of_one_width_are_the_papers(row):
    _, changes, papers = row
    # Both of the paper's counts are rounded to whole millions, so they may be off by half each.
    assert abs((count(**changes) - count()) / 1e6 - (papers - 65)) <= 1


@pytest.mark.parametrize(
    ("minuend", "subtrahend", "millions"),
    [
        ({"num_layers": 8}, {"num_layers": 4}, 29.43),
        ({}, {"d_k": 16}, 7.09),
        ({"d_ff": 4096}, {}, 25.19),
        ({}, {"d_ff": 1024}, 12.60),
    ],
)
def test_differences_worked_out_by_hand(minuend, subtrahend, millions):
    assert (count(**minuend) - count(**subtrahend)) / 1e6 == pytest.approx(millions, abs=0.005)


def test_one_vocabulary_rounds_all_rows_of_base_right_and_not_big():
    def right(vocabulary):
        return {
            name
            for name, changes, papers in ROWS
            if papers and round(count(vocabulary, **changes) / 1e6) == papers
        }

    with_counts = {name for name, _, papers in ROWS if papers}
    assert right(41_000) == with_counts - {"big"}
    assert "base" not in right(PAPERS_VOCABULARY)
    assert "big" in right(36_000)


def test_the_table_has_every_row():
    printed = run()
    for name, _, papers in ROWS:
        line = next(line for line in printed.splitlines() if line.startswith(f"| {name} "))
        assert papers is None or f" {papers} " in line
    assert BASE["d_model"] == 512
