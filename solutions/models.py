"""Lesson 7 · Three families from the same parts: GPT writes on, BERT fills gaps, ViT sees."""

import torch
from torch import nn

from .arguments import check_length, check_not_empty
from .attention import padding_mask
from .encoder_block import Encoder, EncoderBlock
from .positional_encoding import PositionalEncoding, sinusoidal_encoding
from .training import evaluating
from .transformer import TokenEmbedding
from .variants import CausalSelfAttention, KeyValueCache, patchify, sample_token

POSITIONS = ("sinusoidal", "learned", "rotary", "alibi", "none")


class CausalBlock(EncoderBlock):
    """A block of a decoder-only model: an encoder block, normed first, that only looks back."""

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, positions=None):
        super().__init__(d_model, num_heads, d_ff, dropout, norm_first=True)
        self.self_attention = CausalSelfAttention(d_model, num_heads, dropout, positions)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, cache=None):
        """x (batch, new, d_model) → the same shape."""
        attended = self.self_attention(self.norm1(x), cache)
        x = x + self.dropout(attended)
        thought = self.feed_forward(self.norm2(x))
        return x + self.dropout(thought)


class GPT(nn.Module):
    """A decoder-only model: at every position it says which token comes next.

    (Radford et al., 2018, section 3.1; here with the norm first, as from GPT-2 on)

    Args:
        vocab: number of different tokens.
        d_model, num_heads, d_ff, num_layers, dropout: as in Transformer.
        max_length: the longest text it can read.
        positions: "sinusoidal", "learned", "rotary", "alibi" or "none".
    """

    def __init__(
        self,
        vocab,
        d_model=128,
        num_heads=4,
        d_ff=512,
        num_layers=4,
        dropout=0.1,
        max_length=256,
        positions="learned",
    ):
        super().__init__()
        if positions not in POSITIONS:
            raise ValueError(
                f"positions={positions!r} is not known: choose one of {', '.join(POSITIONS)}"
            )
        self.max_length = max_length
        self.embedding = TokenEmbedding(vocab, d_model)
        # What is added to the tokens, (max_length, d_model); the others work inside attention.
        if positions == "learned":
            self.added = nn.Parameter(0.02 * torch.randn(max_length, d_model))
        elif positions == "sinusoidal":
            self.register_buffer(
                "added", sinusoidal_encoding(max_length, d_model), persistent=False
            )
        else:
            self.added = None
        inside = positions if positions in ("rotary", "alibi") else None
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            CausalBlock(d_model, num_heads, d_ff, dropout, inside) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.output = nn.Linear(d_model, vocab)

    def new_caches(self):
        """An empty memory for every block, to be given to forward."""
        return [KeyValueCache(self.max_length) for _ in self.blocks]

    def forward(self, tokens, caches=None):
        """tokens (batch, new) → logits (batch, new, vocab).

        With caches, the tokens follow on what those have read.
        """
        check_not_empty("text", tokens)
        past = 0 if caches is None else caches[0].length
        length = past + tokens.shape[1]
        check_length(length, self.max_length)
        x = self.embedding(tokens)  # (batch, new, d_model)
        if self.added is not None:
            x = x + self.added[past:length].to(x.dtype)
        x = self.dropout(x)
        for block, cache in zip(self.blocks, caches or [None] * len(self.blocks)):
            x = block(x, cache)
        return self.output(self.norm(x))  # (batch, new, vocab)


def generate(model, prompt, length, temperature=1.0, top_k=None, generator=None, use_cache=True):
    """Let a GPT write on.

    Args:
        model: a GPT.
        prompt: (batch, prompt) token numbers.
        length: how many tokens to write.
        temperature, top_k, generator: as in sample_token.
        use_cache: remember keys and values; without, everything is read again for every token.
    Returns:
        (batch, prompt + length)
    """
    check_length(prompt.shape[1] + length, model.max_length)
    tokens = prompt
    with evaluating(model):
        caches = model.new_caches() if use_cache else None
        unread = prompt
        for _ in range(length):
            logits = model(unread, caches)[:, -1]  # (batch, vocab)
            token = sample_token(logits, temperature, top_k, generator)[:, None]  # (batch, 1)
            tokens = torch.cat([tokens, token], dim=1)
            unread = token if use_cache else tokens
    return tokens


class BERT(nn.Module):
    """An encoder-only model: it sees both sides of a gap, and says what stands there.

    (Devlin et al., 2019, section 3)

    Args:
        vocab: number of different tokens, the mask token included.
        d_model, num_heads, d_ff, num_layers, dropout, max_length, pad: as in Transformer.
    """

    def __init__(
        self,
        vocab,
        d_model=128,
        num_heads=4,
        d_ff=512,
        num_layers=4,
        dropout=0.1,
        max_length=256,
        pad=0,
    ):
        super().__init__()
        self.pad = pad
        self.embedding = TokenEmbedding(vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first=True)
        self.output = nn.Linear(d_model, vocab)

    def forward(self, tokens):
        """tokens (batch, length) → logits (batch, length, vocab)."""
        check_not_empty("text", tokens)
        x = self.position(self.embedding(tokens))  # (batch, length, d_model)
        return self.output(self.encoder(x, padding_mask(tokens, self.pad)))


class ViT(nn.Module):
    """An encoder whose tokens are patches of an image; an extra token collects the answer.

    (Dosovitskiy et al., 2021, section 3.1)

    Args:
        image_size, patch_size: sides in pixels.
        channels: 1 for grey, 3 for colour.
        classes: what there is to tell apart.
        d_model, num_heads, d_ff, num_layers, dropout: as in Transformer.
    """

    def __init__(
        self,
        image_size=8,
        patch_size=2,
        channels=1,
        classes=10,
        d_model=64,
        num_heads=4,
        d_ff=256,
        num_layers=2,
        dropout=0.1,
    ):
        super().__init__()
        self.image_size, self.patch_size = image_size, patch_size
        patches = patchify(torch.zeros(1, channels, image_size, image_size), patch_size)
        _, num_patches, features = patches.shape
        self.embedding = nn.Linear(features, d_model)
        self.answer = nn.Parameter(0.02 * torch.randn(1, 1, d_model))  # the extra token
        self.position = nn.Parameter(0.02 * torch.randn(num_patches + 1, d_model))
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first=True)
        self.output = nn.Linear(d_model, classes)

    def forward(self, images):
        """images (batch, channels, height, width) → logits (batch, classes)."""
        if images.shape[-2:] != (self.image_size, self.image_size):
            height, width = images.shape[-2:]
            raise ValueError(
                f"the model was built for images of {self.image_size} x {self.image_size}, "
                f"not {height} x {width}"
            )
        x = self.embedding(patchify(images, self.patch_size))  # (batch, patches, d_model)
        answer = self.answer.expand(len(x), -1, -1).to(x.dtype)  # (batch, 1, d_model)
        x = torch.cat([answer, x], dim=1)  # (batch, 1 + patches, d_model)
        x = self.encoder(self.dropout(x + self.position))
        return self.output(x[:, 0])  # (batch, classes)
