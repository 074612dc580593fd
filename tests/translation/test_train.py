"""Training: it learns, an interrupt loses nothing, and a checkpoint resumes to the same losses."""

import os
import signal
import sys
import threading

import pytest
import torch

from solutions.fast import FusedAttention
from solutions.multi_head import MultiHeadAttention
from solutions.training import beam_search
from solutions.transformer import Transformer
from translation import train as module
from translation.__main__ import main
from translation.number_words import NumberTranslation, in_words
from translation.picture import cross_attention, draw_cross_attention
from translation.train import Parts, batch_of, exact_match, interrupt_waits, train, translate


@pytest.fixture(scope="module")
def task():
    return NumberTranslation(limit=100)


def quick(task, **changes):
    settings = {"steps": 8, "batch_size": 16, "warmup": 4, "progress": False, "device": "cpu"}
    return train(task=task, **(settings | changes))


def test_the_same_seed_gives_the_same_losses(task):
    first, second = quick(task), quick(task)
    assert first.losses == second.losses
    assert quick(task, seed=1).losses != first.losses
    assert first.losses[-1] < first.losses[0]


def test_the_reference_is_made_fast_and_somebodys_own_is_left_as_it_is(task):
    class Own(Transformer):
        pass

    for own, kind in ((Transformer, FusedAttention), (Own, MultiHeadAttention)):
        model = quick(task, steps=1, parts=Parts(transformer=own)).model
        assert type(model) is own
        assert type(model.decoder.layers[0].cross_attention) is kind


def test_the_callers_random_numbers_stay_as_they_were(task):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    quick(task, steps=2)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("stop", [3, 7])
def test_a_checkpoint_resumes_to_the_same_losses(task, tmp_path, stop):
    path = tmp_path / "folder that is not there" / "run.pt"
    whole = quick(task)
    first = quick(task, steps=stop, checkpoint=path)
    resumed = quick(task, checkpoint=path)
    assert first.losses == whole.losses[:stop]
    assert resumed.losses == whole.losses
    assert resumed.step == 8


def test_an_interrupted_run_resumes_to_the_same_weights(task, tmp_path, monkeypatch):
    """Ctrl-C in the middle of a step: the step is finished, saved, and gone on from."""
    whole = quick(task)
    one_step = module.one_step

    def interrupted_step(training, *arguments):
        if training.step == 5:
            os.kill(os.getpid(), signal.SIGINT)
        one_step(training, *arguments)

    path = tmp_path / "run.pt"
    monkeypatch.setattr(module, "one_step", interrupted_step)
    stopped = quick(task, checkpoint=path)
    assert stopped.step == 6
    assert stopped.losses == whole.losses[:6]
    assert stopped.exact_match, "what was trained so far is looked at all the same"

    monkeypatch.setattr(module, "one_step", one_step)
    resumed = quick(task, checkpoint=path)
    assert resumed.losses == whole.losses
    for ours, theirs in zip(resumed.model.parameters(), whole.model.parameters()):
        assert torch.equal(ours, theirs)


def test_a_second_interrupt_does_not_wait():
    before = signal.getsignal(signal.SIGINT)  # ignored where a shell has put us into the background
    with interrupt_waits() as interrupted:
        signal.raise_signal(signal.SIGINT)
        assert interrupted
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_training_in_a_thread_leaves_signals_alone(task):
    results = []
    thread = threading.Thread(target=lambda: results.append(quick(task, steps=1)))
    thread.start()
    thread.join()
    assert results[0].step == 1


def test_a_checkpoint_of_another_training_is_refused(task, tmp_path):
    path = tmp_path / "run.pt"
    quick(task, steps=1, checkpoint=path)
    with pytest.raises(ValueError, match="seed was 0 and is now 3"):
        quick(task, seed=3, checkpoint=path)
    with pytest.raises(ValueError, match="another training"):
        quick(NumberTranslation(limit=200), checkpoint=path)
    with pytest.raises(ValueError, match="another training"):  # else it had seen what is held out
        quick(NumberTranslation(limit=100, seed=1), checkpoint=path)


def test_a_damaged_checkpoint_is_refused_and_kept(task, tmp_path):
    path = tmp_path / "run.pt"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match="damaged"):
        quick(task, checkpoint=path)
    assert path.read_bytes() == b"no checkpoint"


def test_a_checkpoint_of_something_else_is_refused(task, tmp_path):
    path = tmp_path / "run.pt"
    for something in ({"recipe": 3}, {"recipe": {}}):
        torch.save(something, path)
        with pytest.raises(ValueError, match="no checkpoint of this training"):
            quick(task, checkpoint=path)


def test_a_gpu_that_is_not_there_is_said_not_to_be_there(task, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="sees no GPU"):
        quick(task, device="cuda")


def test_samples_are_of_numbers_that_the_task_has(capsys, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE_EVERY", 1)
    train(steps=1, batch_size=16, device="cpu", task=NumberTranslation(limit=50))
    shown = capsys.readouterr().out
    assert "forty-two" in shown
    assert "ninety-seven" not in shown


def test_every_epoch_sees_every_pair_in_an_order_of_its_own():
    epochs = [[batch_of(3 * epoch + i, 12, 4, seed=0) for i in range(3)] for epoch in range(2)]
    first, second = (torch.cat(batches).tolist() for batches in epochs)
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_progress_goes_to_stdout_and_says_how_well_it_did(task, capsys, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE_EVERY", 4)
    train(steps=8, batch_size=16, device="cpu", task=task)
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "loss" in shown.out
    assert "step 4: ninety-seven →" in shown.out
    assert "held-out numbers translated without a fault" in shown.out
    assert "greedy" in shown.out
    assert "beam" in shown.out


@pytest.fixture(scope="module")
def trained(task):
    """Small numbers, trained until known by heart."""
    return quick(task, steps=150, batch_size=64, warmup=50).model


def test_it_learns_to_translate(task, trained):
    shares = exact_match(trained, task, numbers=task.train_numbers)
    assert min(shares.values()) > 0.9
    assert translate(trained, task, "forty-two", "de") == "zweiundvierzig"
    assert translate(trained, task, "ninety-seven", "fr", beam_search) == in_words(97, "fr")


def test_the_picture_shows_what_was_read_and_written(task, trained, tmp_path):
    read, written, weights = cross_attention(trained, task, 42, "de")
    assert read == ["<de>", "forty", "two"]
    assert written == ["zwei", "und", "vierzig", "<end>"]
    assert weights.shape == (4, 4, 3)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 4))
    path = tmp_path / "pictures" / "attention.png"
    draw_cross_attention(trained, task, 42, "de", path)
    assert path.stat().st_size > 1000


def test_the_command_says_what_is_wrong_in_a_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        sys.modules["translation.__main__"], "NumberTranslation", lambda: NumberTranslation(100)
    )
    damaged = tmp_path / "run.pt"
    damaged.write_bytes(b"")
    with pytest.raises(SystemExit) as stopped:
        main(["--steps", "1", "--device", "cpu", "--checkpoint", str(damaged)])
    assert stopped.value.code == 2
    assert "damaged" in capsys.readouterr().err


@pytest.mark.slow
def test_it_translates_numbers_it_has_never_seen():
    """All numbers up to 999: nearly all of those that were held out, after some seconds."""
    shares = quick(NumberTranslation(limit=1000), steps=260, batch_size=128, warmup=130).exact_match
    assert min(shares.values()) > 0.9
