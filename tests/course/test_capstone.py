"""The capstone: weights in a file are graded by what they translate."""

import re

import pytest
import torch

from autograder import wrong
from autograder.engine.course import Session
from course import COURSE, capstone, work
from course.capstone import POINTS, check_translator, examine_weights, own_checks, save_translator
from course.checks import exercises_of, find
from solutions.transformer import Transformer
from translation.number_words import NumberTranslation, in_words
from translation.train import MODEL, Parts, train

SIZES = MODEL | {"d_model": 64, "num_layers": 1}


@pytest.fixture(scope="module")
def task():
    return NumberTranslation(limit=300)


def taught(task, steps=160, **parts):
    """The weights of a model that was trained for some seconds."""
    settings = {"task": task, "sizes": SIZES, "device": "cpu", "watch": lambda *_: None}
    training = train(steps=steps, batch_size=64, warmup=60, parts=Parts(**parts), **settings)
    return training, dict(training.model.named_parameters())


def test_a_trained_model_earns_what_it_translates(task):
    training, weights = taught(task)
    found = examine_weights(weights, task, SIZES)
    expected = {language: training_share(training, task, language) for language in ("fr", "de")}
    assert found.shares == expected
    assert min(found.shares.values()) > 0.5
    short = max(0, 0.99 - min(found.shares.values()))
    assert found.points == round(10 - short / 0.02)
    found.checks = (30, 40)
    assert found.points == round(round(10 - short / 0.02) * 0.75, 2)


def training_share(training, task, language):
    """By torch's own hand, word for word: the second implementation."""
    model, right = training.model.eval(), 0
    for number in task.held_out_numbers:
        source, target = task.pairs([number], [language])
        said = [1]
        while len(said) < 21 and said[-1] != 2:
            said.append(model(source, torch.tensor([said]))[0, -1].argmax().item())
        right += said[1:] == target[0].tolist()
    return right / len(task.held_out_numbers)


@pytest.mark.parametrize("mistake", ["no_causal_mask", None])
def test_weights_that_rely_on_a_fault_are_silent_without_it(task, mistake):
    if mistake:
        model = wrong("transformer.Transformer", mistake)
        training, weights = taught(task, transformer=model)
    else:
        training, weights = taught(task, shift_right=lambda targets, start: targets)
    assert training.losses[-1] < 1.0  # it looks as if it had learned
    found = examine_weights(weights, task, SIZES)
    assert found.points == 0
    assert "Hardly a number is right" in found.sentence


def test_untrained_weights(task):
    _, weights = taught(task, steps=0)
    found = examine_weights(weights, task, SIZES)
    assert found.points == 0
    assert "For example: " in found.sentence
    assert f"points for translating{'':26}0 of {POINTS}" in found.as_text()


def test_doubles_are_numbers_too(task):
    _, weights = taught(task, steps=0)
    doubles = {name: x.double() for name, x in weights.items()}
    assert examine_weights(doubles, task, SIZES).shares


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e300])
def test_weights_with_which_nothing_can_be_computed(task, value, monkeypatch):
    """They are not tried: what has learned nothing writes on and on."""
    monkeypatch.setattr(capstone, "written_alone", None)
    _, weights = taught(task, steps=0)
    broken = {name: x.double() for name, x in weights.items()}
    broken["output.bias"] = torch.full_like(broken["output.bias"], value)
    found = examine_weights(broken, task, SIZES)
    assert found.points == 0
    assert "hold NaN or infinity (output.bias, …)" in found.sentence


def test_what_has_learned_nothing_is_tried_on_a_few_numbers_only(monkeypatch):
    task, tried = NumberTranslation(limit=3000), []

    def written(model, task, numbers, *_):
        tried.append(len(numbers))
        return ["" for _ in numbers]

    monkeypatch.setattr(capstone, "written_alone", written)
    found = examine_weights(taught(task, steps=0)[1], task, SIZES)
    assert found.shares == {"fr": 0.0, "de": 0.0}
    assert "Hardly a number is right" in found.sentence
    assert len(tried) == 2
    assert sum(tried) <= 2 * capstone.TRIED_FIRST < len(task.held_out_numbers)


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_what_has_learned_something_is_tried_on_all_of_them(share, monkeypatch):
    task = NumberTranslation(limit=3000)

    def written(model, task, numbers, language, decode):
        known = [n for n in numbers if n % 100 < 100 * share]
        return [in_words(n, language) if n in known else "?" for n in numbers]

    monkeypatch.setattr(capstone, "written_alone", written)
    found = examine_weights(taught(task, steps=0)[1], task, SIZES)
    held_out = task.held_out_numbers
    right = sum(n % 100 < 100 * share for n in held_out)
    assert found.shares["fr"] == found.shares["de"] == 1 - (len(held_out) - right) / len(held_out)
    if share < 1:
        first = next(n for n in held_out if n % 100 >= 100 * share)
        assert f"{in_words(first, 'en')} became '?'" in found.sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.pop("output.bias"), r"1 are missing \(output.bias"),
        (lambda w: w.update(extra=torch.zeros(1)), r"1 have other names \(extra"),
        (
            lambda w: w.update({"output.bias": torch.zeros(3)}),
            r"1 have another shape \(output.bias: \(3,\), not \(\d+,\)\)",
        ),
        (lambda w: w.update({"output.bias": "no tensor"}), "holds no weights"),
        (lambda w: w.update({"output.bias": w["output.bias"] * 1j}), "holds no weights"),
        (lambda w: w.update({"output.bias": w["output.bias"].to_sparse()}), "holds no weights"),
        (lambda w: w.update({"output.bias": w["output.bias"].to("meta")}), "holds no weights"),
        (lambda w: w.update({7: torch.zeros(1)}), r"\(one is no text, but of type int, …\)"),
        (lambda w: w.update({("a", 1): torch.zeros(1)}), "is no text, but of type tuple"),
        (lambda w: w.update({"a\x1b[31m": torch.zeros(1)}), r"\(a\\x1b\[31m, …\)"),
        (lambda w: w.update({"\udc80": torch.zeros(1)}), r"\(\\udc80, …\)"),
        (lambda w: w.update({"\u202ebias": torch.zeros(1)}), r"\(\\u202ebias, …\)"),
        (lambda w: w.update({"x" * 10**6: torch.zeros(1)}), r"\(x{60}, …\)"),
    ],
)
def test_weights_of_something_else(task, change, sentence):
    words = len(task.source_words), len(task.target_words)
    weights = dict(Transformer(*words, max_length=64, **SIZES).named_parameters())
    change(weights)
    found = examine_weights(weights, task, SIZES)
    assert found.points == 0
    assert re.search(sentence, found.sentence)
    assert found.sentence.isprintable()
    assert len(found.sentence) < 400


def test_from_file_to_points(task, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(capstone, "the_task", lambda: task)
    words = len(task.source_words), len(task.target_words)
    assert check_translator("translator.pt") == 0
    assert "There is no translator.pt beside this notebook" in capsys.readouterr().out
    save_translator(Transformer(*words, max_length=64, **MODEL))
    assert "Hand it in together with this notebook" in capsys.readouterr().out
    assert check_translator("translator.pt") == 0
    assert "without a fault, German" in capsys.readouterr().out
    (tmp_path / "translator.pt").write_text("no weights")
    assert check_translator("translator.pt") == 0
    assert "translator.pt holds no weights" in capsys.readouterr().out
    torch.save([1, 2], "translator.pt")
    assert check_translator("translator.pt") == 0
    assert "This file holds no weights" in capsys.readouterr().out


def test_it_counts_as_far_as_the_checks_pass(monkeypatch):
    """A training run hides many mistakes, and one with the reference's parts is nobody's own."""
    most = sum(exercise.max_score for exercise in exercises_of("training"))
    monkeypatch.setitem(vars(COURSE), "session", Session())
    monkeypatch.setattr(work, "folder", lambda: None)
    assert own_checks() == (0, most)
    exercise = find("training.shift_right")
    COURSE.session.checked(exercise.name, exercise.reference, passed=True)
    assert own_checks() == (exercise.max_score, most)


def test_a_card_is_text_only():
    found = capstone.Examination({"fr": 0.5, "de": 1.0}, "<b>not</b> yet")
    assert "&lt;b&gt;not&lt;/b&gt; yet" in found.as_card()
    assert "50.0%" in found.as_card()
