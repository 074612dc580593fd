"""fast(model) against the model as it was written."""

import io
import pickle
from copy import deepcopy

import pytest
import torch
from torch import nn

from autograder.engine.mistakes import wrong
from course.stand_bys.transformer import Transformer as StandBy
from solutions.attention import causal_mask, padding_mask, scaled_dot_product_attention
from solutions.encoder_block import Encoder
from solutions.fast import FusedAttention, FusedCausalAttention, QuickDropout, attend, fast
from solutions.models import BERT, GPT, POSITIONS, ViT
from solutions.multi_head import MultiHeadAttention
from solutions.transformer import Transformer
from solutions.variants import CausalSelfAttention, KeyValueCache
from tests.compare import assert_same, assert_same_module, randomise

D, HEADS = 12, 3
TOKENS = torch.tensor([[3, 4, 5, 6, 7], [3, 4, 5, 0, 0], [0, 0, 0, 0, 0]])  # 0 is padding
SIZES = {"d_model": 16, "num_heads": 4, "d_ff": 32, "num_layers": 2}


def masks(queries, keys):
    drawn = torch.rand(2, HEADS, queries, keys) < 0.6
    drawn[0, 1, 0] = False  # a query that may attend to nothing
    tokens = torch.ones(2, keys, dtype=torch.long)
    tokens[1, -2:] = 0
    return {
        "no mask": None,
        "each head its own": drawn,
        "query by key": drawn[0, 1],
        "keys alone": torch.rand(keys) < 0.6,
        "one for all": torch.tensor(True),
        "nothing at all": torch.tensor(False),
        "padding": padding_mask(tokens),
        "causal": causal_mask(max(queries, keys))[:queries, :keys],
    }


KINDS = list(masks(5, 7))


def same(plain, quick, call, *inputs):
    """Outputs, and gradients of inputs and parameters, are the same to 1e-10."""

    def copy(theirs, ours):
        ours.load_state_dict(theirs.state_dict())

    assert_same_module(
        plain, quick, copy, lambda *x: call(plain, *x), lambda *x: call(quick, *x), *inputs
    )


# --- The same answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_gives_what_the_formula_gives(float64, kind):
    inputs = [torch.randn(2, HEADS, n, 4) for n in (5, 7, 7)]
    mask = masks(5, 7)[kind]
    assert_same(
        lambda q, k, v: attend(q, k, v, mask),
        lambda q, k, v: scaled_dot_product_attention(q, k, v, mask)[0],
        *inputs,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("queries", "keys"), [(5, 7), (6, 6), (1, 2)])
def test_fast_attention_is_attention(float64, kind, queries, keys):
    plain, quick = MultiHeadAttention(D, HEADS), fast(MultiHeadAttention(D, HEADS))
    mask = masks(queries, keys)[kind]
    query, key, value = (torch.randn(2, n, D) for n in (queries, keys, keys))
    same(plain, quick, lambda module, *x: module(*x, mask), query, key, value)
    assert not quick.weights.requires_grad
    torch.testing.assert_close(quick.weights, plain.weights, atol=1e-10, rtol=0)


def test_a_query_that_may_attend_to_nothing_gets_zeros():
    attention, x = fast(MultiHeadAttention(D, HEADS)), torch.randn(2, 5, D, requires_grad=True)
    mask = causal_mask(5).clone()
    mask[0] = False
    output = attention(x, x, x, mask)
    assert (attention.weights[:, :, 0] == 0).all()
    torch.testing.assert_close(output[:, 0], attention.w_output.bias.expand(2, -1))
    output.sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("positions", [None, "rotary", "alibi"])
@pytest.mark.parametrize("length", [1, 6])
def test_fast_causal_attention_is_causal_attention(float64, positions, length):
    plain = CausalSelfAttention(D, HEADS, positions=positions)
    quick = fast(deepcopy(plain))
    same(plain, quick, lambda module, x: module(x), torch.randn(2, length, D))
    assert not quick.weights.requires_grad
    torch.testing.assert_close(quick.weights, plain.weights, atol=1e-10, rtol=0)


@pytest.mark.parametrize("positions", [None, "rotary", "alibi"])
def test_piece_by_piece_with_a_cache_too(float64, positions):
    plain = randomise(CausalSelfAttention(16, 4, positions=positions))
    quick = fast(deepcopy(plain))
    caches, x = [KeyValueCache(12), KeyValueCache(12)], torch.randn(2, 9, 16)
    for piece in x.split([3, 1, 1, 4], dim=1):
        expected, output = plain(piece, caches[0]), quick(piece, caches[1])
        torch.testing.assert_close(output, expected, atol=1e-12, rtol=0)
        torch.testing.assert_close(quick.weights, plain.weights, atol=1e-12, rtol=0)


MODELS = {
    "transformer": lambda **more: Transformer(9, 9, **SIZES, max_length=20, **more),
    "tied, norm first": lambda **more: Transformer(
        9, 9, **SIZES, max_length=20, norm_first=True, tie_weights=True, **more
    ),
    "BERT": lambda **more: BERT(9, **SIZES, max_length=20, **more),
} | {p: lambda p=p, **more: GPT(9, **SIZES, max_length=20, positions=p, **more) for p in POSITIONS}


def read(model):
    return model(TOKENS, TOKENS) if isinstance(model, Transformer) else model(TOKENS)


@pytest.mark.parametrize("name", MODELS)
def test_a_fast_model_gives_the_same_and_learns_the_same(float64, name):
    plain = randomise(MODELS[name](dropout=0.0))
    quick = fast(deepcopy(plain))
    expected, output = read(plain), read(quick)
    torch.testing.assert_close(output, expected, atol=1e-10, rtol=0)
    weight = torch.randn_like(expected)
    for logits in (expected, output):
        (logits * weight).sum().backward()
    for (path, theirs), (_, ours) in zip(plain.named_parameters(), quick.named_parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-10, rtol=0, msg=path)


def test_images_too(float64):
    plain = randomise(ViT(dropout=0.0)).eval()
    images = torch.randn(2, 1, 8, 8)
    expected = plain(images)
    torch.testing.assert_close(fast(plain)(images), expected, atol=1e-10, rtol=0)


# --- The same model -------------------------------------------------------------------------------


def test_it_is_the_same_model_with_the_same_parameters_names_and_modes():
    model = MODELS["tied, norm first"]()
    model.encoder.layers[0].eval()
    model.decoder.layers[1].cross_attention.register_forward_hook(lambda *_: None)
    parameters, names = list(model.parameters()), list(model.state_dict())
    modes = [module.training for module in model.modules()]
    modules = list(model.modules())
    assert fast(model) is model
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    assert all(a is b for a, b in zip(model.modules(), modules, strict=True))
    assert list(model.state_dict()) == names
    assert [module.training for module in model.modules()] == modes
    assert len(model.decoder.layers[1].cross_attention._forward_hooks) == 1
    kinds = {type(module) for module in model.modules()}
    assert {FusedAttention, QuickDropout} <= kinds
    assert not {MultiHeadAttention, nn.Dropout} & kinds


def test_twice_is_once():
    model = fast(MODELS["rotary"]())
    kinds = [type(module) for module in model.modules()]
    assert FusedCausalAttention in kinds
    read(model)
    weights = model.blocks[0].self_attention.weights
    assert [type(module) for module in fast(model).modules()] == kinds
    assert torch.equal(model.blocks[0].self_attention.weights, weights)


def test_checkpoints_fit_both_ways():
    plain, quick = randomise(MODELS["BERT"]()).eval(), fast(MODELS["BERT"]()).eval()
    quick.load_state_dict(plain.state_dict())
    torch.testing.assert_close(read(quick), read(plain))
    again = MODELS["BERT"]().eval()
    again.load_state_dict(quick.state_dict())
    assert torch.equal(read(again), read(plain))


def through_pickle(model):
    return pickle.loads(pickle.dumps(model))


def through_a_file(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("copy", [deepcopy, through_pickle, through_a_file])
@pytest.mark.parametrize("name", ["transformer", "alibi"])
def test_it_can_be_copied_and_saved_also_after_a_call(name, copy):
    model = fast(randomise(MODELS[name]())).eval()
    expected = read(model)
    twin = copy(model)
    assert [type(m) for m in twin.modules()] == [type(m) for m in model.modules()]
    recalling = [m for m in twin.modules() if isinstance(m, FusedAttention | FusedCausalAttention)]
    assert recalling
    assert all(module.weights is None for module in recalling)
    assert torch.equal(read(twin), expected)
    assert all(module.weights is not None for module in recalling)


def test_the_last_call_is_not_saved_with_the_model(tmp_path):
    attention = fast(MultiHeadAttention(D, HEADS))
    x = torch.randn(50, 20, D)
    torch.save(attention, tmp_path / "before.pt")
    attention(x, x, x)
    torch.save(attention, tmp_path / "after.pt")
    before, after = ((tmp_path / f"{name}.pt").stat().st_size for name in ("before", "after"))
    assert after <= before + 100
    assert attention.weights is not None


def test_weights_are_those_of_the_last_call_before_dropout():
    attention, x = MultiHeadAttention(D, HEADS, dropout=0.5), torch.randn(2, 5, D)
    attention(x, x, x)
    assert fast(attention).weights is None  # what was kept before is let go
    attention(x, x, x, causal_mask(5))
    attention(x, x[:, :3], x[:, :3])
    with torch.no_grad():
        attention.w_query.weight.zero_()  # what was called stays what it was
    assert attention.weights.shape == (2, HEADS, 5, 3)
    torch.testing.assert_close(attention.weights.sum(-1), torch.ones(2, HEADS, 5))
    assert attention.weights.std() > 0.01


def test_weights_do_not_follow_what_becomes_of_the_mask():
    attention, x = fast(MultiHeadAttention(D, HEADS)), torch.randn(2, 5, D)
    mask = torch.ones(5, 5, dtype=torch.bool)
    attention(x, x, x, mask)
    before = attention.weights
    mask[:, 1:] = False
    assert torch.equal(attention.weights, before)


# --- What it does not know ------------------------------------------------------------------------


class Own(MultiHeadAttention):
    """A learner's: it says another thing."""

    def forward(self, query, key, value, mask=None):
        return 2 * super().forward(query, key, value, mask)


def test_a_model_with_a_part_that_it_does_not_know_is_refused_and_left_alone():
    model = Encoder(2, D, HEADS, 20)
    model.layers[1].self_attention = Own(D, HEADS)
    kinds = [type(module) for module in model.modules()]
    with pytest.raises(TypeError, match=r"layers\.1\.self_attention is a Own from"):
        fast(model)
    assert [type(module) for module in model.modules()] == kinds
    with pytest.raises(TypeError, match="but the model is a Own from tests"):
        fast(Own(D, HEADS))


def test_a_mistake_in_the_reference_stays_one():
    broken, x = wrong("multi_head.MultiHeadAttention", "no_scale")(D, HEADS), torch.randn(2, 5, D)
    expected = broken(x, x, x)
    assert torch.equal(fast(broken)(x, x, x), expected)


def test_stand_bys_stay_what_they_are():
    model = StandBy(9, 9, 16, 4, 32, 1).eval()
    kinds = [type(module) for module in model.modules() if not isinstance(module, nn.Dropout)]
    source, target = TOKENS[:2], TOKENS[:2]
    expected = model(source, target)
    assert torch.equal(fast(model)(source, target), expected)
    after = [type(module) for module in model.modules() if not isinstance(module, nn.Dropout)]
    assert after == kinds


def test_torchs_own_modules_may_stand_between():
    model = nn.Sequential(nn.Linear(D, D), nn.Dropout(0.3), Encoder(1, D, HEADS, 20)).eval()
    x = torch.randn(2, 5, D)
    expected = model(x)
    torch.testing.assert_close(fast(model)(x), expected)


# --- Dropout --------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_drops_a_share_p_and_keeps_the_mean(p, dtype):
    x = torch.ones(1000, 333, dtype=dtype, requires_grad=True)
    output = QuickDropout(p)(x)
    assert output.dtype == dtype
    assert (output == 0).float().mean().item() == pytest.approx(p, abs=0.005)
    assert output.detach().double().mean().item() == pytest.approx(1, abs=0.02)
    kept = output[output != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=0.01, atol=0)
    output.sum().backward()
    assert torch.equal(x.grad, output.detach()), "what was dropped gets no gradient"


def test_features_are_dropped_independently():
    dropped = (QuickDropout(0.5)(torch.ones(4000, 16)) == 0).double()
    correlation = torch.corrcoef(dropped.T) - torch.eye(16)
    assert correlation.abs().max() < 0.1
    assert not torch.equal(dropped[0], dropped[1])


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_does_nothing_in_eval_mode_or_at_zero(p):
    x = torch.randn(3, 5)
    assert torch.equal(QuickDropout(p).eval()(x), x)
    assert torch.equal(QuickDropout(0.0)(x), x)


@pytest.mark.parametrize("p", [1e-9, 1 - 1e-9, 1.0])
def test_probabilities_too_near_to_0_or_1_for_16_bits(p):
    x = torch.ones(3, 5)
    expected = x if p < 0.5 else torch.zeros(3, 5)
    torch.testing.assert_close(QuickDropout(p)(x), expected)


def test_is_repeatable_and_takes_every_shape():
    dropout = QuickDropout(0.5)
    for shape in ((), (1,), (3,), (0, 4), (2, 3, 5)):
        torch.manual_seed(1)
        first = dropout(torch.ones(shape))
        torch.manual_seed(1)
        assert torch.equal(dropout(torch.ones(shape)), first)
    view = torch.ones(6, 4).T  # not contiguous
    assert dropout(view).shape == (4, 6)


def test_in_place_stays_in_place():
    x = torch.ones(1000)
    assert fast(nn.Dropout(0.5, inplace=True))(x) is x
    assert 400 < (x == 0).sum() < 600


@pytest.mark.parametrize("kind", [MultiHeadAttention, CausalSelfAttention])
def test_attention_drops_weights_in_training_only_and_makes_up_for_them(kind):
    attention, x = fast(randomise(kind(D, HEADS, dropout=0.3))), torch.randn(1, 4, D)
    inputs = (lambda y: (y, y, y)) if kind is MultiHeadAttention else (lambda y: (y,))
    expected = attention.eval()(*inputs(x))
    assert torch.equal(attention(*inputs(x)), expected)
    attention.train()
    assert not torch.equal(attention(*inputs(x)), attention(*inputs(x)))
    mean = attention(*inputs(x.expand(4000, -1, -1))).mean(0, keepdim=True)
    torch.testing.assert_close(mean, expected, atol=0.06, rtol=0)


def test_a_share_p_of_the_weights_is_dropped():
    """All keys alike and all values 1: the output is the share of weights that are left."""
    attention = fast(MultiHeadAttention(D, HEADS, dropout=0.25))
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
        attention.w_value.bias.fill_(1.0)
        attention.w_output.weight.copy_(torch.eye(D))
    x = torch.randn(500, 8, D)
    left = attention(x, x[:, :1], x[:, :1])[..., ::4]  # one key; one feature of each head
    torch.testing.assert_close(left.unique(), torch.tensor([0.0, 1 / 0.75]))
    assert (left == 0).double().mean().item() == pytest.approx(0.25, abs=0.02)
