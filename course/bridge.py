"""The bridge to Hugging Face: models of its library to be copied into ours.

Everything here but `is_there` needs the extra: pip install -e ".[bridge]". What goes where is in
solutions/from_hugging_face.py.
"""

import importlib.util

import torch

from solutions.from_hugging_face import from_marian
from solutions.transformer import Transformer


def is_there():
    """Is the library installed?"""
    return importlib.util.find_spec("transformers") is not None


def random_marian(seed=0, **changes):
    """A small MarianMTModel with random weights, built from a configuration without a download."""
    from transformers import MarianConfig, MarianMTModel

    sizes = {
        "vocab_size": 50,
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "max_position_embeddings": 20,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1,
        "forced_eos_token_id": None,
        "scale_embedding": True,
        "activation_function": "relu",
        "init_std": 0.2,  # at the library's own 0.02 a slip would hardly show
    }
    torch.manual_seed(seed)
    theirs = MarianMTModel(MarianConfig(**(sizes | changes)))
    with torch.no_grad():  # ones and zeros at first: a norm or a bias left out would not show
        for name, parameter in theirs.named_parameters():
            if "norm" in name or name.endswith("bias"):
                parameter.add_(0.1 * torch.randn(parameter.shape))
        theirs.final_logits_bias.normal_()
    return theirs.eval()


def load_published(name, transformer=Transformer):
    """A published checkpoint from the network, such as "Helsinki-NLP/opus-mt-en-de".

    Returns:
        Our Transformer with its weights; its tokeniser; the tokens that start and end a sentence.
    """
    from transformers import AutoTokenizer, MarianMTModel

    theirs = MarianMTModel.from_pretrained(name)
    tokeniser = AutoTokenizer.from_pretrained(name)
    config = theirs.config
    ours = from_marian(theirs, pad=-1, transformer=transformer)
    return ours, tokeniser, config.decoder_start_token_id, config.eos_token_id
