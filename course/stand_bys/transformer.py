"""Stand-bys for lesson 5, from the stand-bys before."""

from operator import attrgetter

import torch
import torch.nn.functional as F
from torch import nn

from solutions.arguments import check_not_empty

from .attention import causal_mask, padding_mask
from .encoder_block import Block, Encoder, Stack
from .positional_encoding import PositionalEncoding


class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(num_embeddings=vocab, embedding_dim=d_model)

    def forward(self, tokens):
        return F.embedding(tokens, self.table.weight).mul(self.table.embedding_dim**0.5)


class DecoderBlock(Block):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        attentions = "self_attention", "cross_attention"
        super().__init__(attentions, d_model, num_heads, d_ff, dropout, norm_first)

    def forward(self, x, memory, mask=None, memory_mask=None):
        def look_back(y):
            return self.self_attention(query=y, key=y, value=y, mask=mask)

        def look_across(y):
            return self.cross_attention(query=y, key=memory, value=memory, mask=memory_mask)

        steps = zip(
            (self.norm1, self.norm2, self.norm3), (look_back, look_across, self.feed_forward)
        )
        return self.through(x, steps)


class Decoder(Stack):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__(DecoderBlock, num_layers, d_model, num_heads, d_ff, dropout, norm_first)

    def forward(self, x, memory, mask=None, memory_mask=None):
        return self.up(x, memory, mask, memory_mask)


class Transformer(nn.Module):
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
        for side, vocab in (("source", source_vocab), ("target", target_vocab)):
            self.add_module(f"{side}_embedding", TokenEmbedding(vocab, d_model))
        self.add_module("position", PositionalEncoding(d_model, max_length, dropout=dropout))
        sizes = (num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.encoder, self.decoder = Encoder(*sizes), Decoder(*sizes)
        self.output = nn.Linear(in_features=d_model, out_features=target_vocab)
        if tie_weights:
            self.output.register_parameter("weight", self.target_embedding.table.weight)

    def encode(self, source):
        check_not_empty("source", source)
        seen = padding_mask(source, pad=self.pad)
        return self.encoder(self.position(self.source_embedding(source)), mask=seen)

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        here, there = padding_mask(target, pad=self.pad), padding_mask(source, pad=self.pad)
        past = torch.logical_and(here, causal_mask(target.shape[-1], device=target.device))
        placed = self.position(self.target_embedding(target))
        return self.decoder(placed, memory, mask=past, memory_mask=there)

    def forward(self, source, target):
        return self.output(self.decode(target, memory=self.encode(source), source=source))


def count_parameters(model):
    trained = filter(attrgetter("requires_grad"), model.parameters())
    return sum(map(torch.numel, trained))
