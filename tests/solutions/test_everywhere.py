"""What holds for every part: dtypes, devices, autocast, torch.compile, arguments left alone."""

import shutil
from copy import deepcopy

import pytest
import torch
from torch import nn

from solutions.attention import causal_mask, padding_mask, scaled_dot_product_attention, softmax
from solutions.encoder_block import Encoder, EncoderBlock, FeedForward, LayerNorm
from solutions.fast import fast
from solutions.models import BERT, GPT, POSITIONS, ViT
from solutions.multi_head import MultiHeadAttention
from solutions.positional_encoding import PositionalEncoding
from solutions.training import smoothed_cross_entropy
from solutions.transformer import Decoder, DecoderBlock, TokenEmbedding, Transformer
from solutions.variants import (
    CausalSelfAttention,
    MixtureOfExperts,
    rotary_embedding,
    sliding_window_attention,
    tiled_attention,
)
from tests.compare import randomise

# What torch's compiler says of Python 3.13.0, and of no other.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:Guards may run slower on Python 3\.13\.0:RuntimeWarning"
)

D, HEADS, FF = 16, 4, 32
TOKENS = torch.tensor([[3, 4, 5, 6, 7], [3, 4, 5, 0, 0]])
MASK = causal_mask(5) & padding_mask(TOKENS)


def floats(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class Call(nn.Module):
    """A function as a module, so that functions and modules are tested alike."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


X, MEMORY, QKV = floats(2, 5, D), floats(2, 7, D), (floats(2, 4, 5, 8), *floats(2, 2, 4, 5, 8))
SIZES = {"d_model": D, "num_heads": HEADS, "d_ff": FF, "num_layers": 2}
PARTS = {
    "softmax": (lambda: Call(softmax), (X,)),
    "attention": (lambda: Call(lambda *a: scaled_dot_product_attention(*a)[0]), (*QKV, MASK)),
    "loss": (lambda: Call(lambda x: smoothed_cross_entropy(x, TOKENS.to(x.device))), (X,)),
    "multi-head attention": (lambda: MultiHeadAttention(D, HEADS), (X, MEMORY, MEMORY)),
    "masked multi-head": (lambda: MultiHeadAttention(D, HEADS), (X, X, X, MASK)),
    "positional encoding": (lambda: PositionalEncoding(D, 20, 0.0), (X,)),
    "layer norm": (lambda: LayerNorm(D), (X,)),
    "feed-forward": (lambda: FeedForward(D, FF, 0.0), (X,)),
    "encoder block": (lambda: EncoderBlock(D, HEADS, FF, 0.0), (X, MASK)),
    "encoder, norm first": (lambda: Encoder(2, D, HEADS, FF, 0.0, norm_first=True), (X, MASK)),
    "token embedding": (lambda: TokenEmbedding(9, D), (TOKENS,)),
    "decoder block": (lambda: DecoderBlock(D, HEADS, FF, 0.0), (X, MEMORY, MASK)),
    "decoder, norm first": (lambda: Decoder(2, D, HEADS, FF, 0.0, norm_first=True), (X, MEMORY)),
    "transformer": (lambda: Transformer(9, 9, D, HEADS, FF, 2, 0.0, 20), (TOKENS, TOKENS)),
    "rotary": (lambda: Call(rotary_embedding), (QKV[0],)),
    "tiles": (lambda: Call(lambda *a: tiled_attention(*a, tile=2)), (*QKV, MASK)),
    "window": (lambda: Call(lambda *a: sliding_window_attention(*a, window=2)), QKV),
    "causal, rotary": (lambda: CausalSelfAttention(D, HEADS, positions="rotary"), (X,)),
    "BERT": (lambda: BERT(9, **SIZES, dropout=0.0, max_length=20), (TOKENS,)),
    "ViT": (lambda: ViT(**SIZES, dropout=0.0), (floats(2, 1, 8, 8),)),
    "experts": (lambda: MixtureOfExperts(D, FF, 4, 2, 0.0), (X,)),
    "fast attention": (lambda: fast(MultiHeadAttention(D, HEADS)), (X, MEMORY, MEMORY)),
    "fast masked": (lambda: fast(MultiHeadAttention(D, HEADS)), (X, X, X, MASK)),
    "fast transformer": (lambda: fast(Transformer(9, 9, D, HEADS, FF, 2, 0.0, 20)), (TOKENS,) * 2),
    "fast alibi": (lambda: fast(CausalSelfAttention(D, HEADS, positions="alibi")), (X,)),
} | {
    f"GPT, {p}": (lambda p=p: GPT(9, **SIZES, dropout=0.0, max_length=20, positions=p), (TOKENS,))
    for p in POSITIONS
}


def build(name):
    torch.manual_seed(0)
    make, inputs = PARTS[name]
    return randomise(make()), [ready(x) for x in inputs]


def ready(x):
    """A leaf of its own, that gradients flow to."""
    x = x.detach().clone()
    return x.requires_grad_() if x.is_floating_point() else x


def cast(inputs, to):
    return [ready(x.to(to)) if x.is_floating_point() or isinstance(to, str) else x for x in inputs]


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_keeps_the_dtype_and_differs_by_its_noise_only(name, dtype):
    part, inputs = build(name)
    inputs = cast(inputs, dtype)
    part = part.to(dtype)
    output = part(*inputs)
    assert output.dtype == dtype
    exact = deepcopy(part).double()(*cast(inputs, torch.float64))
    # Measured: 1.6 times the distance between neighbouring numbers, at the most.
    noise = 4 * torch.finfo(dtype).eps * exact.abs().max().item()
    torch.testing.assert_close(output.double(), exact, atol=noise, rtol=0)
    (output.float() ** 2).sum().backward()
    assert all(p.grad.isfinite().all() for p in part.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", PARTS)
def test_runs_under_autocast(name):
    part, inputs = build(name)
    exact = part(*inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = part(*inputs)
    noise = 4 * torch.finfo(torch.bfloat16).eps * exact.abs().max().item()
    torch.testing.assert_close(output.float(), exact, atol=noise, rtol=0)
    output.float().sum().backward()


@pytest.mark.parametrize("name", [name for name in PARTS if name != "experts"])
def test_makes_nothing_on_another_device_than_its_inputs(name):
    """On torch's meta device nothing is computed, but a tensor made on the CPU is an error.

    The experts have to know who visits whom, which the meta device cannot tell.
    """
    part, inputs = build(name)
    assert part.to("meta")(*cast(inputs, "meta")).device.type == "meta"


@pytest.mark.gpu
@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gives_the_same_on_a_gpu(name, dtype):
    part, inputs = build(name)
    exact = deepcopy(part).double()(*cast(inputs, torch.float64))
    on_gpu = cast(cast(inputs, "cuda"), dtype)
    output = part.to("cuda", dtype)(*on_gpu)
    noise = 8 * torch.finfo(dtype).eps * exact.abs().max().item()
    torch.testing.assert_close(output.double().cpu(), exact, atol=noise, rtol=0)
    (output.float() ** 2).sum().backward()
    assert all(p.grad.isfinite().all() for p in part.parameters() if p.grad is not None)


@pytest.mark.gpu
@pytest.mark.parametrize("made", [lambda module: module, fast])
def test_a_query_that_may_attend_to_nothing_on_a_gpu(made):
    for dtype in (torch.float32, torch.bfloat16):
        attention = made(MultiHeadAttention(64, 4)).to("cuda", dtype)
        x = torch.randn(2, 16, 64, device="cuda", dtype=dtype, requires_grad=True)
        mask = causal_mask(16, "cuda").clone()
        mask[0] = False
        output = attention(x, x, x, mask)
        torch.testing.assert_close(output[:, 0], attention.w_output.bias.expand(2, -1))
        output.sum().backward()
        assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", PARTS)
def test_leaves_its_arguments_as_they_were(name):
    part, inputs = build(name)
    before = [x.clone() for x in inputs]
    part(*inputs)
    assert all(torch.equal(a, b) for a, b in zip(inputs, before))


@pytest.mark.parametrize("name", PARTS)
def test_compiles_without_graph_breaks(name, fresh_compiler):
    part, inputs = build(name)
    # How many tokens visit an expert is known only at run time; torch can be told to expect that.
    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=name == "experts"):
        compiled = torch.compile(part, backend="aot_eager", fullgraph=True)
        expected, output = part(*inputs), compiled(*inputs)
        torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-5)
        output.sum().backward()


@pytest.mark.parametrize("made", [lambda module: module, fast])
def test_compiles_with_dropout_without_graph_breaks(fresh_compiler, made):
    model = made(Transformer(9, 9, D, HEADS, FF, 2, dropout=0.5, max_length=20))
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    assert not torch.equal(compiled(TOKENS, TOKENS), compiled(TOKENS, TOKENS))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's compiler's own
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.skipif(
    " " in torch.__path__[0], reason="torch calls its linker without quoting the path it lies in"
)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["transformer", "fast transformer"])
def test_gives_the_same_under_torch_compile(name, training, fresh_compiler):
    model, inputs = build(name)
    compiled = torch.compile(model.train(training), fullgraph=True)
    torch.testing.assert_close(compiled(*inputs), model(*inputs), atol=1e-5, rtol=1e-5)
    gradients = []
    for run in (model, compiled):
        model.zero_grad()
        run(*inputs).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for ours, theirs in zip(*gradients):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    weights = model.decoder.layers[0].cross_attention.weights
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))


@pytest.fixture
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()
