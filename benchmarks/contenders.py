"""What runs against each other: ours as it's taught and made fast, torch's, and a textbook's.

All have the same sizes, embeddings, positions, masks and output, and differ in what lies between.
"""

import math

import torch
from torch import nn

from solutions.attention import causal_mask, padding_mask
from solutions.fast import fast
from solutions.positional_encoding import sinusoidal_encoding
from solutions.transformer import Transformer


class WithEmbeddings(nn.Module):
    """What nn.Transformer and the textbook lack: tokens in, logits out."""

    def __init__(self, vocab, d_model, dropout, max_length=512, pad=0):
        super().__init__()
        self.pad, self.scale = pad, math.sqrt(d_model)
        self.source_table = nn.Embedding(vocab, d_model)
        self.target_table = nn.Embedding(vocab, d_model)
        self.register_buffer("positions", sinusoidal_encoding(max_length, d_model))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(d_model, vocab)

    def embed(self, table, tokens):
        x = table(tokens) * self.scale
        return self.dropout(x + self.positions[: tokens.shape[1]].to(x.dtype))


class Torchs(WithEmbeddings):
    """torch.nn.Transformer, given the masks it needs to compute what ours computes."""

    def __init__(self, vocab, d_model, num_heads, d_ff, num_layers, dropout):
        super().__init__(vocab, d_model, dropout)
        self.body = nn.Transformer(
            d_model, num_heads, num_layers, num_layers, d_ff, dropout, batch_first=True
        )

    def forward(self, source, target):
        hidden_source, hidden_target = source == self.pad, target == self.pad
        hidden = self.body(
            self.embed(self.source_table, source),
            self.embed(self.target_table, target),
            tgt_mask=~causal_mask(target.shape[1], target.device),
            src_key_padding_mask=hidden_source,
            tgt_key_padding_mask=hidden_target,
            memory_key_padding_mask=hidden_source,
            tgt_is_causal=True,  # or it looks into the mask to find out, every time
        )
        return self.output(hidden)


class TextbookAttention(nn.Module):
    """Scores, softmax and matmul, each written down in full."""

    def __init__(self, d_model, num_heads, dropout):
        super().__init__()
        self.num_heads, self.d_head = num_heads, d_model // num_heads
        self.query, self.key, self.value, self.out = (nn.Linear(d_model, d_model) for _ in range(4))
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, mask):
        def heads(x):
            return x.view(x.shape[0], -1, self.num_heads, self.d_head).transpose(1, 2)

        query, key, value = heads(self.query(query)), heads(self.key(key)), heads(self.value(value))
        scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(self.d_head)
        scores = scores.masked_fill(mask == 0, -1e9)
        weights = self.dropout(torch.softmax(scores, dim=-1))
        x = torch.matmul(weights, value).transpose(1, 2).contiguous()
        return self.out(x.view(x.shape[0], -1, self.num_heads * self.d_head))


class TextbookBlock(nn.Module):
    """Self-attention, cross-attention in the decoder, feed-forward; normed after each."""

    def __init__(self, d_model, num_heads, d_ff, dropout, cross):
        super().__init__()
        self.attention = TextbookAttention(d_model, num_heads, dropout)
        self.cross = TextbookAttention(d_model, num_heads, dropout) if cross else None
        self.feed_forward = nn.Sequential(
            nn.Linear(d_model, d_ff), nn.ReLU(), nn.Dropout(dropout), nn.Linear(d_ff, d_model)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(2 + cross))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask, memory=None, memory_mask=None):
        x = self.norms[0](x + self.dropout(self.attention(x, x, x, mask)))
        if self.cross is not None:
            x = self.norms[1](x + self.dropout(self.cross(x, memory, memory, memory_mask)))
        return self.norms[-1](x + self.dropout(self.feed_forward(x)))


class Textbook(WithEmbeddings):
    """An encoder and a decoder of textbook blocks."""

    def __init__(self, vocab, d_model, num_heads, d_ff, num_layers, dropout):
        super().__init__(vocab, d_model, dropout)
        block = (d_model, num_heads, d_ff, dropout)
        self.encoder = nn.ModuleList(TextbookBlock(*block, cross=False) for _ in range(num_layers))
        self.decoder = nn.ModuleList(TextbookBlock(*block, cross=True) for _ in range(num_layers))

    def forward(self, source, target):
        source_mask = padding_mask(source, self.pad)
        target_mask = causal_mask(target.shape[1], target.device) & padding_mask(target, self.pad)
        memory = self.embed(self.source_table, source)
        for block in self.encoder:
            memory = block(memory, source_mask)
        x = self.embed(self.target_table, target)
        for block in self.decoder:
            x = block(x, target_mask, memory, source_mask)
        return self.output(x)


def ours(vocab, d_model, num_heads, d_ff, num_layers, dropout):
    return Transformer(vocab, vocab, d_model, num_heads, d_ff, num_layers, dropout, max_length=512)


def ours_fast(*arguments):
    return fast(ours(*arguments))


CONTENDERS = {
    "ours, fast": ours_fast,
    "ours": ours,
    "nn.Transformer": Torchs,
    "textbook": Textbook,
}
