"""What lesson 6 measures with: who means whom, heads taken out, scripted searches, checkpoints."""

import pytest
import torch

from course.experiments import training as lab
from course.experiments import translating as school
from solutions.training import beam_search, greedy_decode, shift_right
from solutions.transformer import Transformer
from translation.number_words import NumberTranslation
from translation.train import MODEL, Parts, exact, train, written_alone

SIZES = MODEL | {"d_model": 16, "num_heads": 2, "d_ff": 32, "num_layers": 1}


@pytest.fixture(scope="module")
def task():
    return NumberTranslation(limit=200)


@pytest.fixture(scope="module")
def training(task):
    return train(
        steps=60, batch_size=32, warmup=20, task=task, sizes=SIZES, device="cpu", watch=quiet
    )


def quiet(training, steps):
    pass


@pytest.mark.parametrize(
    ("read", "written", "language", "expected"),
    [
        (["<de>", "forty", "two"], ["zwei", "und", "vierzig", "<end>"], "de", {0: 2, 2: 1}),
        (["<fr>", "ninety", "seven"], ["quatre", "vingt", "dix", "sept"], "fr", {3: 2}),
        (["two", "thousand", "two"], ["deux", "mille", "deux"], "fr", {0: 0, 1: 1, 2: 2}),
        (["one", "hundred", "and", "one"], ["ein", "hundert", "eins"], "de", {0: 0, 1: 1, 2: 3}),
    ],
)
def test_partners_have_the_same_value(read, written, language, expected):
    assert school.partners(read, written, language) == expected


def test_crossings():
    assert school.crossings([0, 1, 2]) == 0
    assert school.crossings([2, 0, 1]) == 2
    assert school.crossings([2, 1, 0]) == 3


def test_german_pieces_are_cut_apart_for_bleu():
    assert school.in_pieces(["zweiundvierzig"], "de") == ["zwei und vierzig"]
    assert school.in_pieces(["quatre-vingt-dix-sept"], "fr") == ["quatre vingt dix sept"]


def test_what_is_right_when_taught_is_right_alone(task, training):
    """Number for number, for a model that does not leak, be it good or bad."""
    numbers = task.train_numbers
    for language in ("fr", "de"):
        taught = school.right_when_taught(training.model, *task.pairs(numbers, [language]))
        texts = written_alone(training.model, task, numbers, language, greedy_decode)
        alone = [text == school.in_words(n, language) for text, n in zip(texts, numbers)]
        assert taught.tolist() == alone
        assert exact(texts, numbers, language) == sum(alone) / len(alone)


def test_heads_are_measured_and_come_back(task, training):
    model = training.model
    pairs = school.held_out_pairs(task, ["de"])
    scores = school.what_heads_do(model, task, *pairs, "de")
    names = school.head_names(model)
    assert scores.shape == (6, len(school.ROLES)) == (len(names), len(school.ROLES))
    assert names[0] == "encoder 0 H0"
    shares = scores[~scores.isnan()]
    assert (shares >= 0).all()
    assert (shares <= 1 + 1e-6).all()
    whole = school.how_well(model, *pairs)
    with school.without(model, {4, 5}):
        assert school.how_well(model, *pairs)[0] != whole[0]
        assert not model.decoder.layers[0].cross_attention.w_output.weight.any()
    assert school.how_well(model, *pairs) == whole


def test_scores_of_a_head_that_always_looks_back(task, training):
    """Weights put in by hand give the scores that they must have."""
    model = training.model
    source, target = school.held_out_pairs(task, ["de"], 4)
    looks_back = torch.zeros(len(source), 2, source.shape[1], source.shape[1])
    places = torch.arange(1, source.shape[1])
    looks_back[:, :, places, places - 1] = 1
    attention = model.encoder.layers[0].self_attention
    kind = type(attention)
    try:
        attention.__class__ = type("Fixed", (kind,), {"weights": looks_back})
        scores = school.what_heads_do(model, task, source, target, "de")[0]
    finally:
        attention.__class__ = kind
    by_role = dict(zip(school.ROLES, scores.tolist()))
    assert by_role["previous"] == pytest.approx(1)
    assert by_role["itself"] == by_role["next"] == 0
    assert by_role["entropy"] == pytest.approx(0, abs=1e-6)


def test_the_parts_that_are_handed_in_are_trained_with(task):
    used = []

    class Own(Transformer):
        pass

    def own_shift(targets, start):
        used.append(True)
        return shift_right(targets, start)

    parts = Parts(transformer=Own, shift_right=own_shift)
    trained = train(steps=3, task=task, sizes=SIZES, parts=parts, device="cpu", watch=quiet)
    assert type(trained.model) is Own
    assert len(used) == 3


def test_the_watcher_keeps_weights_and_a_picture(task, capsys):
    watcher = school.Watcher(task, greedy_decode, every=4, keep=2)
    train(steps=5, task=task, sizes=SIZES, device="cpu", watch=watcher)
    assert len(watcher.rates) == 5
    assert set(watcher.early) == set(Transformer(9, 9, **SIZES).state_dict())
    assert "ninety-seven" in watcher.picture.alt
    out, err = capsys.readouterr()
    assert err == ""
    assert [line.split(":")[0] for line in out.splitlines()] == ["step 1", "step 4", "step 5"]


def test_nothing_is_lost_between_stop_and_go(task, tmp_path):
    settings = {"task": task, "sizes": SIZES, "device": "cpu"}
    whole = train(steps=6, batch_size=16, warmup=10, watch=quiet, **settings)
    for forget in ((), ("optimiser",), ("random",)):
        again = lab.stop_and_go(train, tmp_path / "run.pt", forget, stop=3, steps=6, **settings)
        pairs = zip(again.model.parameters(), whole.model.parameters())
        same = all(torch.equal(a, b) for a, b in pairs)
        assert same == (forget == ())


def test_a_scripted_model_can_be_searched():
    vocabulary = ["pad", "start", "end", "a", "b", "c"]
    chances = {
        (): {"a": 0.6, "b": 0.38},
        ("a",): {"c": 0.3},
        ("b",): {"c": 0.9},
        ("a", "c"): {"end": 0.9},
        ("b", "c"): {"end": 0.9},
    }
    script = lab.Script(chances, vocabulary)
    source = torch.tensor([[3]])
    greedy = greedy_decode(script, source, 1, 2, 3)[0].tolist()
    best = beam_search(script, source, 1, 2, 3, beam=2)[0].tolist()
    assert script.words(greedy) == "a c"
    assert script.words(best) == "b c"
    assert script.probability(best) == pytest.approx(0.38 * 0.9 * 0.9, rel=1e-4)


def test_words_to_copy():
    source, target = lab.words(20, torch.Generator().manual_seed(0))
    for read, written in zip(source.tolist(), target.tolist()):
        letters = [token for token in read if token != lab.PAD]
        assert 3 <= len(letters) <= lab.LONGEST
        assert written[: len(letters) + 1] == [*letters, lab.END]
        assert set(written[len(letters) + 1 :]) <= {lab.PAD}
        assert len(lab.spelled(written)) == len(letters)


def test_every_known_mistake_can_be_trained_with():
    for _, exercise, mistake in lab.SLIPS:
        model, losses, shift = lab.with_slip(exercise, mistake, steps=1, batch=4)
        assert len(losses) == 1
        lab.examine_copier(model, shift, number=2)
