"""Points, explanations, and peace: a check changes nothing around it."""

import functools
import os
import random
import re
import sys
import time
import warnings

import pytest
import torch
import torch.nn.functional as F

from autograder.engine.examine import examine
from autograder.engine.mistakes import build
from course.checks import find
from tests.autograder.implementations import attention

SOFTMAX = find("attention.softmax")
ATTENTION = find("attention.scaled_dot_product_attention")
MASK = find("attention.causal_mask")


def right_softmax(x, dim=-1):
    return (x - x.logsumexp(dim, keepdim=True)).exp()


def text_of(exercise, subject, **options):
    return " ".join(examine(exercise, subject, seed=1, **options).explanation)


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others():
    def shifted(x, dim=-1):
        return right_softmax(x, dim) + 0.5

    first, again, other = (examine(SOFTMAX, shifted, seed).yours for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


ODD_DTYPES = [
    *("uint16", "uint32", "uint64", "int1", "uint7", "bits8", "complex32", "complex64"),
    *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
]
ODD = {name: functools.partial(torch.Tensor.to, dtype=getattr(torch, name)) for name in ODD_DTYPES}
ODD |= {
    "sparse_coo": torch.Tensor.to_sparse,
    "_mkldnn": lambda x: x.float().to_mkldnn(),
    "meta": lambda x: x.to("meta"),
    "MaskedTensor": lambda x: torch.masked.masked_tensor(x.detach(), x.detach() > 0.5),
    "nested": lambda x: torch.nested.nested_tensor(list(x.detach())),
    "quint8": lambda x: torch.quantize_per_tensor(x.detach().float(), 0.1, 0, torch.quint8),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch: that these are not finished
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ODD)
def test_numbers_of_any_kind_are_told_in_words(kind):
    verdict = examine(SOFTMAX, lambda x, dim=-1: ODD[kind](right_softmax(x, dim) + 0.25), seed=1)
    assert verdict.score < verdict.max_score
    assert verdict.explanation
    assert "Nothing is written here yet" not in verdict.message


@pytest.mark.parametrize("kind", ["uint16", "uint32", "uint64", "float8_e5m2"])
def test_right_numbers_of_an_odd_dtype_lose_what_those_of_a_usual_one_lose(kind):
    def of(dtype):
        return lambda length: torch.ones(length, length).tril().to(dtype)

    usual = torch.int32 if kind.startswith("uint") else torch.float64
    odd = examine(MASK, of(getattr(torch, kind)), seed=1)
    assert odd.score == examine(MASK, of(usual), seed=1).score > 0
    assert odd.explanation[0] == f"Your output is {kind}; expected bool. Its numbers are right."


def test_numbers_that_cannot_be_compared_keep_no_promise_about_numbers():
    exercise = find("training.learning_rate")  # where what is returned has a price of its own

    def learning_rate(step, d_model, warmup=4000):
        rate = d_model**-0.5 * min((step or 1) ** -0.5, step * warmup**-1.5)
        return torch.tensor(rate).to(torch.complex64)

    verdict = examine(exercise, learning_rate, seed=1)
    assert verdict.score == 0


def test_a_sparse_gradient_is_one():
    exercise = find("transformer.TokenEmbedding")

    class TokenEmbedding(torch.nn.Module):
        def __init__(self, vocab, d_model):
            super().__init__()
            self.table = torch.nn.Embedding(vocab, d_model, sparse=True)

        def forward(self, tokens):
            return self.table(tokens) * self.table.embedding_dim**0.5

    assert examine(exercise, TokenEmbedding, seed=1).passed


def test_without_a_seed_every_check_draws_anew():
    assert examine(SOFTMAX, right_softmax).seed != examine(SOFTMAX, right_softmax).seed


def test_points_are_those_of_the_properties_that_hold():
    def last_only(x, dim=-1):
        return right_softmax(x, -1)

    verdict = examine(SOFTMAX, last_only, seed=1)
    assert verdict.score == verdict.max_score - 1
    assert len(verdict.missing) == 1
    assert "`dim`" in verdict.missing[0]


@pytest.mark.parametrize("answer", [None, "text", [1, 2], (1, 2, 3), {}, 7, float("nan")])
def test_any_wrong_kind_of_answer_gets_a_sentence_and_no_points(answer):
    verdict = examine(ATTENTION, lambda *inputs: answer, seed=1)
    assert verdict.score == 0
    assert "Your code returned" in verdict.message


def test_code_that_never_works_gets_no_points_for_breaking_nothing():
    def fails(*inputs):
        raise ZeroDivisionError("division by zero")

    assert examine(ATTENTION, fails, seed=1).score == 0


def test_an_exception_is_shown_with_the_learners_own_line():
    def broken(query, key, value, mask=None):
        return query @ key, value

    verdict = examine(ATTENTION, broken, seed=1)
    assert "RuntimeError" in verdict.message
    assert "query (2, 3, 5, 4)" in verdict.message
    assert verdict.line.text == "return query @ key, value"
    assert verdict.line.place == "test_examine.py"


@pytest.mark.parametrize(
    "error", [SystemExit, RecursionError, MemoryError, KeyError, StopIteration]
)
def test_whatever_is_raised_is_caught(error):
    def raises(length):
        raise error("no")

    verdict = examine(MASK, raises, seed=1)
    assert verdict.score == 0
    assert verdict.explanation


def test_stopping_by_hand_stops_the_check():
    def interrupted(length):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(MASK, interrupted, seed=1)


def test_an_endless_loop_is_stopped_and_its_line_is_shown():
    def endless(length):
        while True:
            length += 1

    started = time.perf_counter()
    verdict = examine(MASK, endless, seed=1, seconds=0.3)
    assert time.perf_counter() - started < 3
    assert verdict.score == 0
    assert "stopped after 0.3 seconds" in verdict.message
    assert verdict.line.text in ("while True:", "length += 1")


def test_ready_made_versions_are_refused_kindly():
    def borrowed(query, key, value, mask=None):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask), attention(
            query, key, value, mask
        )[1]

    verdict = examine(ATTENTION, borrowed, seed=1)
    assert verdict.score == 0
    assert verdict.diagnosis == "ready_made"
    assert "Its numbers are right, but" in verdict.message
    assert "scaled_dot_product_attention" in verdict.line.text


def test_ready_made_versions_are_found_by_running_and_not_by_reading():
    def hidden(x, dim=-1):
        return getattr(F, "soft" + "max")(x, dim)

    assert examine(SOFTMAX, hidden, seed=1).diagnosis == "ready_made"

    def softmax_scaled_dot_product_attention_layer_norm(x, dim=-1):
        """The words are only in the name."""
        return right_softmax(x, dim)

    assert examine(SOFTMAX, softmax_scaled_dot_product_attention_layer_norm, seed=1).passed


@pytest.mark.parametrize("root", [0.5, 0.0])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_earns_no_more_than_what_is_in_it(root, dtype):
    """A wrong answer that is cast is as wrong as before, and a right one is told its digits."""

    def half(query, key, value, mask=None):
        return tuple(x.to(dtype) for x in attention(query, key, value, mask, root=root))

    def hides_too_little(query, key, value, mask=None):
        return attention(query, key, value, mask, hide=-10.0)

    def half_hides_too_little(*inputs):
        return tuple(x.to(dtype) for x in hides_too_little(*inputs))

    plain = functools.partial(attention, root=root)
    points = [examine(ATTENTION, each, seed=1).score for each in (half, plain)]
    assert points[0] < points[1] if root else points[0] <= points[1]
    points = [
        examine(ATTENTION, each, seed=1).score for each in (half_hides_too_little, hides_too_little)
    ]
    assert points[0] < points[1]


def test_half_precision_inside_is_told_as_what_it_is():
    def half(query, key, value, mask=None):
        found = attention(query.half(), key.half(), value.half(), mask)
        return tuple(x.to(query.dtype) for x in found)

    said = text_of(ATTENTION, half)
    assert "the right dtype, but only the 3 digits that float16 keeps" in said


def test_numbers_that_differ_are_never_printed_alike():
    def louder(query, key, value, mask=None):
        output, weights = attention(query, key, value, mask)
        return 1.00004 * output, weights

    yours, expected = re.search(
        r"begins with (.*), …, expected (.*), ….", text_of(ATTENTION, louder)
    ).groups()
    assert yours != expected


@pytest.mark.parametrize(
    ("library", "way"),
    [
        ("scipy.special", "softmax(x.detach().numpy(), axis=dim)"),
        ("scipy.special", "log_softmax(x.detach().numpy(), axis=dim)"),
    ],
)
def test_ready_made_versions_of_other_libraries_are_refused(library, way):
    pytest.importorskip(library)
    name = way.partition("(")[0]
    made = {}
    exec(
        f"import torch\nfrom {library} import {name}\n"
        f"def borrowed(x, dim=-1):\n    return torch.as_tensor({way})",
        made,
    )
    before = sys.getprofile()
    verdict = examine(SOFTMAX, made["borrowed"], seed=1)
    assert sys.getprofile() is before
    assert verdict.diagnosis == "ready_made"
    assert f"the ready-made `{library}.{name}`" in verdict.message


def test_a_softmax_that_another_ready_made_part_makes_on_the_way_is_refused():
    def weights_of_nothing(x, dim=-1):
        rows = x.movedim(dim, -1)
        flat = rows.reshape(-1, 1, rows.shape[-1])
        zeros = torch.zeros_like(flat).mT
        values = torch.eye(rows.shape[-1], dtype=x.dtype).expand(len(flat), -1, -1)
        found = F.scaled_dot_product_attention(zeros[:, :1], zeros, values, attn_mask=flat)
        return found.reshape(rows.shape).movedim(-1, dim)

    verdict = examine(SOFTMAX, weights_of_nothing, seed=1)
    assert verdict.diagnosis == "ready_made"
    assert "Its numbers are right, but" in verdict.message


def test_softmax_of_torch_is_fine_inside_attention():
    assert examine(ATTENTION, attention, seed=1).passed


def test_nothing_around_a_check_is_changed(capfd):
    def meddler(x, dim=-1):
        print("hello " * 1000)
        os.write(2, b"low-level noise")
        warnings.warn("loud", stacklevel=1)
        torch.manual_seed(3)
        random.seed(3)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_num_threads(3)
        os.chdir("/")
        return right_softmax(x, dim)

    torch.manual_seed(11)
    random.seed(11)
    expected = torch.rand(3), random.random()
    torch.manual_seed(11)
    random.seed(11)
    folder, threads = os.getcwd(), torch.get_num_threads()
    verdict = examine(SOFTMAX, meddler, seed=1)
    assert torch.equal(torch.rand(3), expected[0])
    assert random.random() == expected[1]
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert torch.get_num_threads() == threads
    assert os.getcwd() == folder
    assert len(verdict.printed) < 500
    assert verdict.printed.startswith("hello hello")
    said = capfd.readouterr()
    assert said.out == said.err == ""


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_notebooks_own_settings_do_not_disturb(dtype):
    torch.set_default_dtype(dtype)
    try:
        with torch.no_grad():
            assert examine(SOFTMAX, right_softmax, seed=1).passed
            assert examine(ATTENTION, attention, seed=1).passed
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(torch.float32)


def test_changing_an_argument_is_told_with_its_name():
    def changes(query, key, value, mask=None):
        result = attention(query, key.clone(), value, mask)
        key.data.zero_()
        return result

    verdict = examine(ATTENTION, changes, seed=1)
    assert not verdict.passed
    assert "changed its argument `key`" in verdict.message


def test_a_missing_gradient_is_told_with_its_name():
    def cut(query, key, value, mask=None):
        return attention(query, key.detach(), value, mask)

    verdict = examine(ATTENTION, cut, seed=1)
    assert verdict.score == verdict.max_score - 1
    assert "No gradient reaches `key`" in verdict.message


class Abrupt(BaseException):
    """No Exception: `except Exception` does not catch it."""


@pytest.mark.parametrize("kind", [Abrupt, GeneratorExit, SystemExit])
def test_whatever_their_code_raises_is_told(kind):
    def raises(x, dim=-1):
        raise kind("enough")

    verdict = examine(SOFTMAX, raises, seed=1)
    assert f"Your code raised {kind.__name__}: enough" in verdict.message
    assert "raise kind" in verdict.line.text


def test_only_what_their_code_prints_in_the_check_itself_is_shown():
    """Afterwards it runs again, to be compared with known mistakes."""
    calls = []

    def speaks(x, dim=-1):
        calls.append(1)
        print(len(calls))
        return (x - x.amax(dim, keepdim=True)).exp()

    verdict = examine(SOFTMAX, speaks, seed=1)
    assert verdict.diagnosis == "not_normalised"
    said = verdict.printed.split()
    assert said[0] == "1"
    assert len(said) < len(calls)


def test_a_working_folder_that_was_deleted_does_not_matter(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert examine(SOFTMAX, right_softmax, seed=1).passed


def test_what_was_not_reached_is_not_called_broken():
    """One dimension too few: nothing else of it can be seen."""
    verdict = examine(SOFTMAX, lambda x, dim=-1: right_softmax(x, dim).sum(dim), seed=1)
    assert verdict.broken == ["the weights along the last dimension are right"]
    assert len(verdict.not_reached) >= 3
    assert sorted(verdict.broken + verdict.not_reached) == sorted(verdict.missing)
    text = verdict.text()
    assert "Not yet: the weights along the last dimension are right" in text
    assert "Can't tell yet: " in text


def test_what_is_seen_broken_is_never_called_not_reached():
    def doubled(x, dim=-1):
        return 2 * right_softmax(x, dim).double()

    verdict = examine(SOFTMAX, doubled, seed=1)
    assert "the result has the dtype of the scores" in verdict.broken
    # Whether `dim` counts, nobody can tell from numbers that are wrong anyway.
    assert "`dim` says along which dimension they add up to 1" in verdict.not_reached


def test_a_wrong_mask_is_not_yet_and_what_goes_with_it_cannot_be_told():
    """It shows wherever there is a mask: also in one of the calls with more dimensions."""

    def answer(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        weights = right_softmax(scores if mask is None else scores.masked_fill(~mask, 0.0))
        return weights @ value, weights

    verdict = examine(ATTENTION, answer, seed=1)
    hidden = "a key that is hidden from a query gets a weight of 0, and the others add up to 1"
    assert verdict.broken[0] == hidden
    assert "any leading dimensions will do" in verdict.not_reached


def test_values_that_are_right_for_one_size_by_chance_are_not_yet():
    """Two features make one pair, whose angle no exponent changes."""
    exercise = find("variants.rotary_embedding")
    verdict = examine(exercise, build(exercise, ("twice_the_exponent",)), seed=1)
    assert verdict.broken[0] == "each pair of features is turned by the angle of its position"


def test_a_module_without_forward_is_no_stub():
    class LayerNorm(torch.nn.Module):
        def __init__(self, d_model, eps=1e-5):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(d_model))
            self.bias = torch.nn.Parameter(torch.zeros(d_model))

        def foward(self, x):
            return x

    said = text_of(find("encoder_block.LayerNorm"), LayerNorm)
    assert "Nothing is written here yet" not in said
    assert 'missing the required "forward" function' in said


def test_numbers_are_called_right_where_only_something_beside_them_is_wrong():
    exercise = find("variants.mask_tokens")
    said = text_of(exercise, build(exercise, ("changes_tokens",)))
    assert "The numbers are right. You write into the caller's tokens." in said


def test_numbers_that_a_second_mistake_has_spoilt_are_not_called_right():
    def normed(x, weight, bias, eps):
        mean = x.mean(-1, keepdim=True)
        x -= mean
        return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight + bias

    class LayerNorm(torch.nn.Module):
        def __init__(self, d_model, eps=1e-5):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(d_model))
            self.bias = torch.nn.Parameter(torch.zeros(d_model))
            self.eps = eps

        def forward(self, x):
            return normed(x.data, self.weight, self.bias, self.eps)

    said = text_of(find("encoder_block.LayerNorm"), LayerNorm)
    assert "The numbers are right" not in said


def test_ready_made_answers_have_no_list_of_what_works_beside_0_points():
    verdict = examine(SOFTMAX, F.softmax, seed=1)
    assert verdict.score == 0
    assert verdict.works == verdict.missing == []


def test_a_number_of_a_second_mistake_is_that_of_where_it_shows():
    def answer(query, key, value, mask=None):
        scores = query @ key.mT * query.shape[-1] ** 0.5
        scores = scores if mask is None else scores.masked_fill(~mask, 0.0)
        weights = right_softmax(scores)
        return weights @ value, weights

    said = text_of(ATTENTION, answer)
    assert "There is a second thing" in said
    assert re.search(r"they still get a weight \(yours up to 0\.\d+\)", said)


def test_noise_is_not_taken_for_rounding():
    def noisy(x, dim=-1):
        weights = right_softmax(x, dim)
        return weights + 5e-3 * torch.randn_like(weights)

    said = text_of(SOFTMAX, noisy)
    assert "half precision" not in said
    assert "Called twice with the same inputs your code gives two different answers" in said
