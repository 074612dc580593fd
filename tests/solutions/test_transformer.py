"""Lesson 5's parts against nn.TransformerDecoderLayer and nn.Transformer, and what must hold."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solutions.attention import causal_mask, padding_mask
from solutions.from_torch import copy_decoder_block, copy_stack, copy_transformer
from solutions.positional_encoding import sinusoidal_encoding
from solutions.training import initialise, smoothed_cross_entropy
from solutions.transformer import (
    Decoder,
    DecoderBlock,
    TokenEmbedding,
    Transformer,
    count_parameters,
)
from tests.compare import assert_same_module, randomise

D_MODEL, HEADS, D_FF, PAD = 12, 3, 20, 3
SOURCE_VOCAB, TARGET_VOCAB = 11, 13
SOURCE = torch.tensor([[4, 5, 6, 7, 8, 9, 10], [1, 2, 4, 5, PAD, PAD, PAD]])
TARGET = torch.tensor([[4, 5, 6, 7, 12], [1, 2, 4, PAD, PAD]])


def small_model(**changes):
    settings = {
        "d_model": D_MODEL,
        "num_heads": HEADS,
        "d_ff": D_FF,
        "num_layers": 2,
        "dropout": 0.0,
        "max_length": 20,
        "pad": PAD,
    } | changes
    return randomise(Transformer(SOURCE_VOCAB, TARGET_VOCAB, **settings))


def for_torch(mask, queries, keys):
    return ~mask.expand(2, HEADS, queries, keys).reshape(2 * HEADS, queries, keys)


def test_token_embedding_multiplies_by_the_root():
    embedding = TokenEmbedding(7, 9)
    tokens = torch.tensor([[1, 2], [6, 0]])
    assert torch.equal(embedding(tokens), embedding.table.weight[tokens] * 3)


@pytest.mark.parametrize("norm_first", [False, True])
def test_decoder_block_is_torchs(float64, norm_first):
    mask, memory_mask = causal_mask(5) & padding_mask(TARGET, PAD), padding_mask(SOURCE, PAD)
    theirs = nn.TransformerDecoderLayer(
        D_MODEL, HEADS, D_FF, dropout=0.0, batch_first=True, norm_first=norm_first
    )
    ours = DecoderBlock(D_MODEL, HEADS, D_FF, dropout=0.0, norm_first=norm_first)
    assert_same_module(
        theirs,
        ours,
        copy_decoder_block,
        lambda x, memory: theirs(
            x,
            memory,
            tgt_mask=for_torch(mask, 5, 5),
            memory_mask=for_torch(memory_mask, 5, 7),
        ),
        lambda x, memory: ours(x, memory, mask, memory_mask),
        torch.randn(2, 5, D_MODEL),
        torch.randn(2, 7, D_MODEL),
    )


@pytest.mark.parametrize("norm_first", [False, True])
def test_decoder_is_torchs(float64, norm_first):
    mask = causal_mask(5)
    layer = nn.TransformerDecoderLayer(
        D_MODEL, HEADS, D_FF, dropout=0.0, batch_first=True, norm_first=norm_first
    )
    theirs = nn.TransformerDecoder(layer, 3, nn.LayerNorm(D_MODEL) if norm_first else None)
    ours = Decoder(3, D_MODEL, HEADS, D_FF, dropout=0.0, norm_first=norm_first)
    assert_same_module(
        theirs,
        ours,
        lambda a, b: copy_stack(a, b, copy_decoder_block),
        lambda x, memory: theirs(x, memory, tgt_mask=~mask),
        lambda x, memory: ours(x, memory, mask),
        torch.randn(2, 5, D_MODEL),
        torch.randn(2, 7, D_MODEL),
    )


class Body(nn.Module):
    """Our Transformer without embeddings, positions and output: what nn.Transformer is."""

    def __init__(self, model):
        super().__init__()
        self.encoder, self.decoder = model.encoder, model.decoder

    def forward(self, x, y):
        source_mask = padding_mask(SOURCE, PAD)
        target_mask = causal_mask(5) & padding_mask(TARGET, PAD)
        return self.decoder(y, self.encoder(x, source_mask), target_mask, source_mask)


def torchs_transformer(norm_first):
    """nn.Transformer; post-norm without its two extra final LayerNorms, which ours has not."""
    theirs = nn.Transformer(
        D_MODEL, HEADS, 2, 2, D_FF, dropout=0.0, batch_first=True, norm_first=norm_first
    )
    if not norm_first:
        theirs.encoder.norm = theirs.decoder.norm = None
    return theirs


def run_torchs(theirs, x, y):
    return theirs(
        x,
        y,
        tgt_mask=~causal_mask(5),
        src_key_padding_mask=SOURCE == PAD,
        tgt_key_padding_mask=TARGET == PAD,
        memory_key_padding_mask=SOURCE == PAD,
    )


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
def test_the_body_is_torchs(float64, norm_first):
    theirs, body = torchs_transformer(norm_first), Body(small_model(norm_first=norm_first))
    assert_same_module(
        theirs,
        body,
        copy_transformer,
        lambda x, y: run_torchs(theirs, x, y),
        body,
        torch.randn(2, 7, D_MODEL),
        torch.randn(2, 5, D_MODEL),
    )


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
def test_the_whole_is_torchs_with_embeddings_and_output(float64, norm_first):
    theirs, ours = randomise(torchs_transformer(norm_first)), small_model(norm_first=norm_first)
    copy_transformer(theirs, ours)

    def embedded(embedding, tokens):
        return F.embedding(tokens, embedding.table.weight) * D_MODEL**0.5 + sinusoidal_encoding(
            tokens.shape[1], D_MODEL
        )

    x, y = embedded(ours.source_embedding, SOURCE), embedded(ours.target_embedding, TARGET)
    expected = F.linear(run_torchs(theirs, x, y), ours.output.weight, ours.output.bias)
    torch.testing.assert_close(ours(SOURCE, TARGET), expected, atol=1e-10, rtol=0)


def test_the_final_norms_are_there_only_with_norm_first():
    for norm_first in (False, True):
        model = small_model(norm_first=norm_first)
        assert (model.encoder.norm is not None) == norm_first
        assert (model.decoder.norm is not None) == norm_first


def input_gradient(model, position):
    """How much each target position can change the logits at `position`."""
    embedded = []
    handle = model.target_embedding.register_forward_hook(
        lambda _module, _inputs, output: embedded.append(output) or output
    )
    logits = model(SOURCE, TARGET)
    handle.remove()
    gradient = torch.autograd.grad(logits[0, position].sum(), embedded[0])[0]
    return gradient[0].abs().sum(-1)


@pytest.mark.parametrize("norm_first", [False, True])
def test_no_target_position_sees_its_future(norm_first):
    model = small_model(norm_first=norm_first)
    for position in range(5):
        reached = input_gradient(model, position) > 0
        assert reached.tolist() == [j <= position for j in range(5)]


def test_every_source_token_reaches_every_logit():
    model = small_model()
    memory = model.encode(SOURCE).detach().requires_grad_()
    logits = model.output(model.decode(TARGET, memory, SOURCE))
    gradient = torch.autograd.grad(logits[0, 0].sum(), memory)[0]
    assert (gradient[0].abs().sum(-1) > 0).all()


def test_padding_never_changes_the_rest(float64):
    model = small_model()
    alone = model(SOURCE[1:, :4], TARGET[1:, :3])
    together = model(SOURCE, TARGET)
    torch.testing.assert_close(together[1, :3], alone[0], atol=1e-12, rtol=0)

    other_padding = model.source_embedding.table.weight.data
    other_padding[PAD] = 7.0  # what stands at the padding is never looked at
    model.target_embedding.table.weight.data[PAD] = -5.0
    torch.testing.assert_close(model(SOURCE, TARGET)[1, :3], alone[0], atol=1e-12, rtol=0)


def test_padding_in_front_and_in_between_is_hidden_too(float64):
    model = small_model()
    target = torch.tensor([[PAD, 4, PAD, 5]])
    before = model(SOURCE[:1], target)
    model.target_embedding.table.weight.data[PAD] = 9.0
    after = model(SOURCE[:1], target)
    torch.testing.assert_close(after[0, [1, 3]], before[0, [1, 3]], atol=1e-12, rtol=0)
    assert before.isfinite().all(), "the first token may attend to nothing"


def test_the_rest_of_the_batch_changes_nothing(float64):
    model = small_model()
    torch.testing.assert_close(
        model(SOURCE, TARGET)[:1], model(SOURCE[:1], TARGET[:1]), atol=1e-12, rtol=0
    )


def test_tied_weights_are_one_parameter():
    model = small_model(tie_weights=True)
    assert model.output.weight is model.target_embedding.table.weight
    assert model.source_embedding.table.weight is not model.target_embedding.table.weight
    free = small_model()
    assert count_parameters(free) - count_parameters(model) == TARGET_VOCAB * D_MODEL
    before = model.target_embedding.table.weight.clone()
    torch.optim.SGD(model.parameters(), lr=0.1).zero_grad()
    model.output(torch.randn(1, D_MODEL)).sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert not torch.equal(model.target_embedding.table.weight, before)


def test_count_parameters_leaves_out_the_frozen():
    layer = nn.Linear(3, 4)
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 12


def test_the_model_starts_out_undecided():
    """With Xavier's weights the first loss is about that of guessing."""
    model = initialise(Transformer(100, 100, 64, 4, 128, 2, pad=0))
    source, target = torch.randint(1, 100, (2, 8, 10))
    loss = smoothed_cross_entropy(model(source, target), torch.randint(1, 100, (8, 10)), 0.0)
    assert abs(loss.item() - math.log(100)) < 1.0
