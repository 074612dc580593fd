"""The bridge: a library's encoder–decoder runs in our code, and gives the same logits."""

import io
import json

import pytest
import torch

from course.bridge import load_published, random_marian
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


def published(folder):
    """A checkpoint as it is published, with a tokeniser; made here, as there is no network."""
    sentencepiece = pytest.importorskip("sentencepiece")
    sentences = ["the apple is red", "ana lost her red ball", "der apfel ist rot"] * 20
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=made,
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(made.getvalue())
    pieces = sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())
    words = [pieces.id_to_piece(number) for number in range(pieces.get_piece_size())]
    words = ["</s>", "<unk>", *[w for w in words if not w.startswith("<")], "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "tokenizer_config.json").write_text('{"source_lang": "en", "target_lang": "de"}')
    last = len(words) - 1
    theirs = random_marian(
        vocab_size=len(words),
        pad_token_id=last,
        decoder_start_token_id=last,
        eos_token_id=0,
        activation_function="swish",
    )
    theirs.save_pretrained(folder)
    return theirs


def test_a_published_checkpoint_is_loaded_and_writes_the_same(tmp_path):
    """All that lesson 7 says of it, but for the way from the network into a folder."""
    theirs = published(tmp_path)
    model, tokeniser, start, end = load_published(str(tmp_path))
    source = tokeniser("the apple is red", return_tensors="pt").input_ids
    there = theirs.generate(source, max_new_tokens=8, num_beams=1, do_sample=False)
    here = greedy_decode(model, source, start, end, max_length=8)
    length = min(there.shape[1] - 1, here.shape[1])
    assert length >= 3
    assert here[0, :length].tolist() == there[0, 1 : length + 1].tolist()
    assert tokeniser.decode(here[0], skip_special_tokens=True)


@pytest.mark.parametrize(
    "change", [{"encoder_layers": 1}, {"scale_embedding": False}, {"activation_function": "gelu"}]
)
def test_what_has_no_place_in_ours_is_said(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        from_marian(random_marian(**change))
