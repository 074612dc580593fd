"""The bridge: a library's encoder–decoder runs in our code, and gives the same logits."""

import pytest
import torch

from course.bridge import random_marian
from solutions.from_hugging_face import from_marian
from solutions.training import greedy_decode

pytest.importorskip("transformers", reason='the bridge is an extra: pip install -e ".[bridge]"')

SOURCE = torch.tensor([[5, 6, 7, 8, 9, 2], [10, 11, 2, 0, 0, 0]])
TARGET = torch.tensor([[1, 20, 21, 22, 23], [1, 30, 31, 0, 0]])


def logits(theirs, ours):
    """Both models' logits where there is a word, in float64."""
    theirs, ours = theirs.double(), ours.double()
    attends = {
        "attention_mask": (SOURCE != 0).long(),
        "decoder_attention_mask": (TARGET != 0).long(),
    }
    with torch.no_grad():
        there = theirs(input_ids=SOURCE, decoder_input_ids=TARGET, **attends).logits
        return there[TARGET != 0], ours(SOURCE, TARGET)[TARGET != 0]


@pytest.mark.parametrize("activation", ["relu", "swish"])
def test_the_same_logits_from_the_same_weights(activation):
    theirs = random_marian(activation_function=activation).double()
    there, ours = logits(theirs, from_marian(theirs))
    assert there.abs().max() > 1
    assert (there - ours).abs().max() < 1e-10


def test_every_weight_of_theirs_has_found_its_place():
    theirs = random_marian().double()
    before, _ = logits(theirs, from_marian(theirs))
    for name, parameter in theirs.named_parameters():
        if "embed_positions" in name:
            continue
        with torch.no_grad():
            parameter.add_(0.1 * torch.randn(parameter.shape, dtype=parameter.dtype))
        there, ours = logits(theirs, from_marian(theirs))
        assert (there - ours).abs().max() < 1e-10, name
    assert (there - before).abs().max() > 0.1


def test_it_writes_what_theirs_writes_and_may_begin_with_padding():
    """As published models do: the first token that the decoder reads is padding."""
    theirs = random_marian(pad_token_id=3, decoder_start_token_id=3, activation_function="swish")
    ours = from_marian(theirs, pad=-1)
    source = torch.tensor([[5, 6, 7, 8, 2]])
    there = theirs.generate(source, max_new_tokens=8, num_beams=1, do_sample=False)
    here = greedy_decode(ours, source, start=3, end=2, max_length=8)
    length = min(there.shape[1] - 1, here.shape[1])
    assert length >= 3
    assert here[0, :length].tolist() == there[0, 1 : length + 1].tolist()


@pytest.mark.parametrize(
    "change", [{"encoder_layers": 1}, {"scale_embedding": False}, {"activation_function": "gelu"}]
)
def test_what_has_no_place_in_ours_is_said(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        from_marian(random_marian(**change))
