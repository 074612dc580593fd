"""What lesson 7 measures with: memory, reach, the books of an online softmax, words, patches."""

import pytest
import torch

from course import COURSE, mine
from course.checks import exercises_of, find
from course.experiments import variants as lab
from course.experiments.variants_cost import (
    looking_back,
    online_softmax,
    operations,
    peak_bytes,
    reach,
    within,
)
from course.stubs import stub_of
from solutions.encoder_block import FeedForward
from solutions.transformer import TokenEmbedding
from solutions.variants import (
    MixtureOfExperts,
    sliding_window_attention,
)


def test_the_peak_is_what_was_alive_at_once():
    x = torch.zeros(1000)

    def one_after_the_other(x):
        for _ in range(5):
            x + 1

    def all_kept(x):
        return [x + 1 for _ in range(5)]

    assert peak_bytes(one_after_the_other, x) <= 2 * 4000
    assert peak_bytes(all_kept, x) == 5 * 4000


# What the lesson measures holds for what stands in for a missing piece, too.
BOTH = pytest.mark.parametrize(
    "version", [lambda name: find(name).reference, COURSE.stand_by], ids=["reference", "stand-by"]
)


@BOTH
def test_tiles_need_less_memory_the_longer_the_text(version):
    attend = version("tiled_attention")
    small, large = (peak_bytes(attend, *torch.randn(3, 1, n, 16).unbind(0)) for n in (256, 1024))
    assert large < 5 * small  # all pairs would be 16 times


def test_operations_are_multiplications_and_additions():
    assert operations(torch.matmul, torch.zeros(3, 4), torch.zeros(4, 5)) == 2 * 3 * 4 * 5


def test_news_travels_a_window_a_layer():
    def look(x):
        return sliding_window_attention(0 * x, 0 * x, x, 3)

    reached = [(reach(look, 12, layers) > 0).sum().item() for layers in (1, 2, 3)]
    assert reached == [3, 5, 7]


@pytest.mark.parametrize("tile", [1, 2, 3, 7])
def test_the_books_of_an_online_softmax_come_out(tile):
    scores, values = torch.randn(2, 7, dtype=torch.float64) * 3
    highest, total, mixture = online_softmax(scores, values, tile)[-1]
    assert highest == scores.max()
    assert mixture / total == pytest.approx((scores.softmax(0) @ values).item())


def test_known_words_and_repeats():
    known = lab.known_words(lab.as_tokens(" def return self. ")[0])
    assert known == {"def", "return", "self"}
    right, again = lab.judge([" self and return it. "], known)
    assert right == pytest.approx(2 / 3)
    assert again == 0
    assert lab.judge(["ab" * 50], known)[1] > 0.9


@BOTH
def test_a_window_writes_the_same_with_and_without_cache(version):
    attention = version("CausalSelfAttention")
    model = lab.new_writer(attention, FeedForward, TokenEmbedding, width=16, longest=40)
    model.eval()
    with looking_back(model, within(6, sliding_window_attention)):
        narrow = lab.race(model, "def ", (30,))[30][2]
        far = model(lab.as_tokens("xy" * 15))[0, -1]
        changed = model(lab.as_tokens("ab" + "xy" * 14))[0, -1]
    assert narrow
    assert torch.equal(far, changed)  # two layers of 6 do not reach 30 places back
    assert "look_back" not in vars(model.blocks[0].self_attention)


def test_blanks_are_found_and_filled():
    stories = lab.story_tokens(50, seed=3)
    assert stories.shape == (50, 12)
    names = {lab.number_of(name) for name in lab.GIRLS + lab.BOYS}
    place = lab.blanks(stories, "name of the first person")
    assert set(stories[torch.arange(50), place].tolist()) <= names
    even = torch.full((50, lab.VOCAB), 1 / lab.VOCAB)
    right = lab.right_kind(even, stories, place, "name of the first person")
    assert right == pytest.approx(8 / lab.VOCAB)


def test_hidden_patches_are_black_and_the_rest_stays():
    images = torch.rand(2, 1, 8, 8) + 0.1
    hidden = lab.hide(images, torch.tensor([[0], [15]]))
    assert (hidden[0, 0, :2, :2] == 0).all()
    assert (hidden[1, 0, 6:, 6:] == 0).all()
    assert (hidden == 0).sum() == 8
    assert torch.equal(hidden[hidden > 0], images[hidden > 0])


def test_shares_of_the_experts_add_up():
    layer = MixtureOfExperts(16, 16, num_experts=4, top_k=2, dropout=0.0)
    error, shares = lab.train_experts(layer, balance=0.1, steps=3)
    assert error > 0
    torch.testing.assert_close(shares.sum(-1), torch.ones(8, dtype=torch.float64))


def test_attention_with_a_cache_bears_the_learners_own_attention_of_lesson_2(learner):
    for module in ("multi_head", "variants"):
        path = learner / f"{module}.py"
        text = path.read_text()
        for exercise in exercises_of(module):
            text = text.replace(stub_of(exercise), exercise.source.rstrip())
        path.write_text(text)
    for name in ("MultiHeadAttention", "CausalSelfAttention"):
        assert mine.best_version(find(name))[1].startswith("yours"), name
