"""What runs against each other computes the same; otherwise the figures would say nothing."""

import pytest
import torch

from benchmarks.contenders import CONTENDERS, Textbook, Torchs
from benchmarks.measure import median_ratio, seconds_by_turns, table
from solutions.from_torch import copy_parameters, copy_transformer

SIZES = (20, 16, 4, 32, 2, 0.0)
SOURCE = torch.tensor([[3, 4, 5, 6, 7], [3, 4, 5, 0, 0]])
TARGET = torch.tensor([[8, 9, 3, 2], [8, 9, 0, 0]])


def without_extra_norms(theirs):
    theirs.body.encoder.norm = theirs.body.decoder.norm = None
    return theirs


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
def test_torchs_and_ours_compute_the_same():
    theirs, ours = without_extra_norms(Torchs(*SIZES)), CONTENDERS["ours"](*SIZES)
    copy_transformer(theirs.body, ours)
    copy_parameters(theirs.output, ours.output)
    ours.source_embedding.table.weight.data.copy_(theirs.source_table.weight)
    ours.target_embedding.table.weight.data.copy_(theirs.target_table.weight)
    real = TARGET != 0
    torch.testing.assert_close(
        ours(SOURCE, TARGET)[real], theirs(SOURCE, TARGET)[real], atol=1e-5, rtol=1e-5
    )


def test_the_textbook_and_ours_compute_the_same():
    textbook, ours = Textbook(*SIZES), CONTENDERS["ours"](*SIZES)
    with torch.no_grad():
        for theirs, mine in (
            (textbook.source_table, ours.source_embedding.table),
            (textbook.target_table, ours.target_embedding.table),
        ):
            mine.weight.copy_(theirs.weight)
    copy_parameters(textbook.output, ours.output)
    for their_stack, our_stack in (
        (textbook.encoder, ours.encoder.layers),
        (textbook.decoder, ours.decoder.layers),
    ):
        for theirs, mine in zip(their_stack, our_stack, strict=True):
            pairs = [(theirs.attention, mine.self_attention)]
            norms = [mine.norm1, mine.norm2]
            if theirs.cross is not None:
                pairs.append((theirs.cross, mine.cross_attention))
                norms.append(mine.norm3)
            for a, b in pairs:
                for name in ("query", "key", "value"):
                    copy_parameters(getattr(a, name), getattr(b, f"w_{name}"))
                copy_parameters(a.out, b.w_output)
            copy_parameters(theirs.feed_forward[0], mine.feed_forward.linear1)
            copy_parameters(theirs.feed_forward[3], mine.feed_forward.linear2)
            for a, b in zip(theirs.norms, norms, strict=True):
                copy_parameters(a, b)
    real = TARGET != 0
    torch.testing.assert_close(
        ours(SOURCE, TARGET)[real], textbook(SOURCE, TARGET)[real], atol=1e-5, rtol=1e-5
    )


def test_fast_and_plain_compute_the_same():
    plain, quick = CONTENDERS["ours"](*SIZES), CONTENDERS["ours, fast"](*SIZES)
    quick.load_state_dict(plain.state_dict())
    torch.testing.assert_close(quick(SOURCE, TARGET), plain(SOURCE, TARGET), atol=1e-5, rtol=1e-5)


def test_everybody_takes_a_turn_in_every_round():
    turns = []
    jobs = {name: lambda name=name: turns.append(name) for name in "ab"}
    times = seconds_by_turns(jobs, torch.device("cpu"), rounds=3, warm_up=1)
    assert turns == ["a", "b"] * 4
    assert all(len(measured) == 3 for measured in times.values())
    assert median_ratio([2, 4, 9], [1, 2, 1]) == 2


def test_a_table_is_markdown():
    assert table(["who", "ms"], [["ours", 5]]).splitlines() == [
        "| who  | ms |",
        "|------|---:|",
        "| ours |  5 |",
    ]
