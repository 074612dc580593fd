"""Lesson 5 · The full Transformer: an encoder that reads and a decoder that writes."""

import math

from torch import nn

from .arguments import check_not_empty
from .attention import causal_mask, padding_mask
from .encoder_block import Encoder, FeedForward
from .multi_head import MultiHeadAttention
from .positional_encoding import PositionalEncoding


class TokenEmbedding(nn.Module):
    """Look up a vector for every token, and multiply it by √d_model (section 3.4).

    Args:
        vocab: number of different tokens.
        d_model: features of a token.

    Parameters: `table`, nn.Embedding(vocab, d_model).
    """

    def __init__(self, vocab, d_model):
        super().__init__()
        ### BEGIN SOLUTION
        self.table = nn.Embedding(vocab, d_model)
        self.scale = math.sqrt(d_model)
        ### END SOLUTION

    def forward(self, tokens):
        """(..., length) token numbers → (..., length, d_model)."""
        ### BEGIN SOLUTION
        return self.table(tokens) * self.scale  # (..., length, d_model)
        ### END SOLUTION


class DecoderBlock(nn.Module):
    """Look at what has been written, look at what was read, think it over (section 3.1).

    Three sub-layers, each added to what went in and normed as in EncoderBlock:
    self-attention over the target; cross-attention, with queries from the target and keys and
    values from the encoder's memory; feed-forward.

    Args: as in EncoderBlock.
    Parts: `self_attention`, `cross_attention` and `feed_forward`, and in the same order `norm1`,
    `norm2` and `norm3`.
    """

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        ### BEGIN SOLUTION
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(self, x, memory, mask=None, memory_mask=None):
        """x (batch, target, d_model), memory (batch, source, d_model) → the shape of x.

        mask broadcasts against (batch, heads, target, target), memory_mask against (batch, heads,
        target, source).
        """
        ### BEGIN SOLUTION
        if self.norm_first:
            normed = self.norm1(x)
            x = x + self.dropout(self.self_attention(normed, normed, normed, mask))
            x = x + self.dropout(self.cross_attention(self.norm2(x), memory, memory, memory_mask))
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory, memory, memory_mask)))
        return self.norm3(x + self.dropout(self.feed_forward(x)))
        ### END SOLUTION


class Decoder(nn.Module):
    """A stack of decoder blocks; every one of them looks at the same memory (section 3.1).

    Args: as in Encoder.
    Parts: `layers`, an nn.ModuleList, and `norm`: a final LayerNorm with norm_first, otherwise
        None.
    """

    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        ### BEGIN SOLUTION
        self.layers = nn.ModuleList(
            DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else None
        ### END SOLUTION

    def forward(self, x, memory, mask=None, memory_mask=None):
        """x (batch, target, d_model), memory (batch, source, d_model) → the shape of x.

        mask and memory_mask: as in DecoderBlock.
        """
        ### BEGIN SOLUTION
        for layer in self.layers:
            x = layer(x, memory, mask, memory_mask)
        if self.norm is not None:
            x = self.norm(x)
        return x
        ### END SOLUTION


class Transformer(nn.Module):
    """Read a source sequence, and say for every target position which token comes next (figure 1).

    Args:
        source_vocab, target_vocab: number of different tokens on either side.
        d_model, num_heads, d_ff, num_layers, dropout: the paper's base model (table 3).
        max_length: the longest sequence on either side.
        norm_first: as in EncoderBlock.
        tie_weights: let `output` and the target embedding share one matrix (section 3.4, where the
            source embedding shares it, too).
        pad: the token number of padding; nothing ever attends to it. It stays at hand as `pad`:
            whoever decodes asks for it.

    Parts: `source_embedding`, `target_embedding`, `position` (one for both sides), `encoder`,
    `decoder`, and `output`, nn.Linear(d_model, target_vocab).
    """

    def __init__(
        self,
        source_vocab,
        target_vocab,
        d_model=512,
        num_heads=8,
        d_ff=2048,
        num_layers=6,
        dropout=0.1,
        max_length=5000,
        norm_first=False,
        tie_weights=False,
        pad=0,
    ):
        super().__init__()
        self.pad = pad
        ### BEGIN SOLUTION
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight  # one Parameter under two names
        ### END SOLUTION

    def encode(self, source):
        """source (batch, source) token numbers → memory (batch, source, d_model)."""
        check_not_empty("source", source)
        ### BEGIN SOLUTION
        x = self.position(self.source_embedding(source))  # (batch, source, d_model)
        return self.encoder(x, padding_mask(source, self.pad))
        ### END SOLUTION

    def decode(self, target, memory, source):
        """target (batch, target), memory (batch, source, d_model) → (batch, target, d_model).

        `source` says which positions of the memory are padding.
        """
        check_not_empty("target", target)
        ### BEGIN SOLUTION
        past = causal_mask(target.shape[1], device=target.device)  # (target, target)
        mask = past & padding_mask(target, self.pad)  # (batch, 1, target, target)
        x = self.position(self.target_embedding(target))  # (batch, target, d_model)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))
        ### END SOLUTION

    def forward(self, source, target):
        """source (batch, source), target (batch, target) → logits (batch, target, target_vocab)."""
        ### BEGIN SOLUTION
        memory = self.encode(source)  # (batch, source, d_model)
        hidden = self.decode(target, memory, source)  # (batch, target, d_model)
        return self.output(hidden)  # (batch, target, target_vocab)
        ### END SOLUTION


def count_parameters(model):
    """How many numbers training can change: a shared one counts once, a frozen one not at all.

    (the last column of table 3)

    Args:
        model: any nn.Module.
    Returns:
        int; a whole number of NumPy's will do, too.
    """
    ### BEGIN SOLUTION
    total = 0
    for parameter in model.parameters():  # gives a shared parameter only once
        if parameter.requires_grad:
            total += parameter.numel()
    return total
    ### END SOLUTION
