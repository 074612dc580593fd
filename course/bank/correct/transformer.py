"""Lesson 5, solved correctly in many ways."""

import copy
import functools
import math

import torch
import torch.nn.functional as F
from torch import nn

from solutions.attention import causal_mask, padding_mask
from solutions.encoder_block import Encoder, EncoderBlock, FeedForward, LayerNorm
from solutions.multi_head import MultiHeadAttention, merge_heads, split_heads
from solutions.positional_encoding import PositionalEncoding, sinusoidal_encoding
from solutions.transformer import Decoder, DecoderBlock, TokenEmbedding


# %% TokenEmbedding: rows taken from the weight by indexing
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)
        self.d_model = d_model

    def forward(self, tokens):
        return self.table.weight[tokens] * self.d_model**0.5


# %% TokenEmbedding: one-hot vectors times the table
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)

    def forward(self, tokens):
        weight = self.table.weight
        vocab, d_model = weight.shape
        number = torch.arange(vocab, device=tokens.device)
        one_hot = (tokens.unsqueeze(-1) == number).to(weight.dtype)  # (..., vocab)
        return (one_hot @ weight) * math.sqrt(d_model)


# %% TokenEmbedding: fresh vectors scaled in place, small initial values
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)
        # so that the vectors have variance 1 after scaling
        nn.init.normal_(self.table.weight, std=d_model**-0.5)

    def forward(self, tokens):
        vectors = self.table(tokens)
        vectors *= math.sqrt(vectors.size(-1))
        return vectors


# %% TokenEmbedding: width kept as a whole number in a buffer
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)
        self.register_buffer("d_model", torch.tensor(d_model))

    def forward(self, tokens):
        x = self.table(tokens)
        return x * self.d_model.to(x.dtype).sqrt()


# %% TokenEmbedding: the whole table scaled, then looked up
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.d_model = d_model
        self.table = nn.Embedding(num_embeddings=vocab, embedding_dim=d_model)

    def forward(self, tokens):
        scaled = self.table.weight.mul(self.d_model**0.5)
        flat = scaled.index_select(0, tokens.reshape(-1))
        return flat.reshape(*tokens.shape, self.d_model)


# %% DecoderBlock: grown out of the encoder block
class DecoderBlock(EncoderBlock):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__(d_model, num_heads, d_ff, dropout, norm_first)
        self.norm_first = norm_first
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.norm3 = nn.LayerNorm(d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.drop(self.self_attention(y, y, y, mask=mask))
            y = self.norm2(x)
            x = x + self.drop(self.cross_attention(y, memory, memory, mask=memory_mask))
            y = self.norm3(x)
            x = x + self.drop(self.feed_forward(y))
        else:
            y = self.self_attention(x, x, x, mask=mask)
            x = self.norm1(x + self.drop(y))
            y = self.cross_attention(x, memory, memory, mask=memory_mask)
            x = self.norm2(x + self.drop(y))
            y = self.feed_forward(x)
            x = self.norm3(x + self.drop(y))
        return x


# %% DecoderBlock: sub-layers as functions handed to one helper
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.dropout = nn.Dropout(dropout)
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))

    def add(self, x, norm, sublayer):
        if self.norm_first:
            return x + self.dropout(sublayer(norm(x)))
        return norm(x + self.dropout(sublayer(x)))

    def forward(self, x, memory, mask=None, memory_mask=None):
        x = self.add(x, self.norm1, lambda y: self.self_attention(y, y, y, mask))
        x = self.add(x, self.norm2, lambda y: self.cross_attention(y, memory, memory, memory_mask))
        return self.add(x, self.norm3, self.feed_forward)


# %% DecoderBlock: attention of its own with torch's kernel
class Attention(nn.Module):
    def __init__(self, d_model, num_heads, dropout):
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        for name in ("w_query", "w_key", "w_value", "w_output"):
            setattr(self, name, nn.Linear(d_model, d_model))

    def forward(self, x, other, mask):
        q = split_heads(self.w_query(x), self.num_heads)
        k = split_heads(self.w_key(other), self.num_heads)
        v = split_heads(self.w_value(other), self.num_heads)
        p = self.dropout if self.training else 0.0
        mask = None if mask is None else torch.atleast_2d(mask)
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=p)
        return self.w_output(merge_heads(heads))


class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = Attention(d_model, num_heads, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.drop1 = nn.Dropout(dropout)
        self.cross_attention = Attention(d_model, num_heads, dropout)
        self.norm2 = nn.LayerNorm(d_model)
        self.drop2 = nn.Dropout(dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm3 = nn.LayerNorm(d_model)
        self.drop3 = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        first = self.norm_first
        y = self.norm1(x) if first else x
        x = x + self.drop1(self.self_attention(y, y, mask))
        if not first:
            x = self.norm1(x)
        y = self.norm2(x) if first else x
        x = x + self.drop2(self.cross_attention(y, memory, memory_mask))
        if not first:
            x = self.norm2(x)
        y = self.norm3(x) if first else x
        x = x + self.drop3(self.feed_forward(y))
        return x if first else self.norm3(x)


# %% DecoderBlock: two methods for the two orders, dropout as a function
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.p = dropout
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model=d_model, d_ff=d_ff, dropout=dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.norm_first = norm_first

    def forward(self, x, memory, mask=None, memory_mask=None):
        run = self.pre if self.norm_first else self.post
        return run(x, memory, mask, memory_mask)

    def drop(self, x):
        return F.dropout(x, self.p, training=self.training)

    def post(self, x, memory, mask, memory_mask):
        a = self.norm1(self.drop(self.self_attention(x, x, x, mask)).add(x))
        b = self.norm2(self.drop(self.cross_attention(a, memory, memory, memory_mask)).add(a))
        return self.norm3(self.drop(self.feed_forward(b)).add(b))

    def pre(self, x, memory, mask, memory_mask):
        n = self.norm1(x)
        a = x + self.drop(self.self_attention(n, n, n, mask))
        b = a + self.drop(self.cross_attention(self.norm2(a), memory, memory, memory_mask))
        return b + self.drop(self.feed_forward(self.norm3(b)))


# %% DecoderBlock: one loop over the three sub-layers
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        for i in (1, 2, 3):
            self.add_module(f"norm{i}", nn.LayerNorm(d_model))
        self.dropouts = nn.ModuleList(nn.Dropout(dropout) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        norms = [self.norm1, self.norm2, self.norm3]
        for i, (norm, dropout) in enumerate(zip(norms, self.dropouts)):
            residual = x
            if self.norm_first:
                x = norm(x)
            if i == 0:
                x = self.self_attention(x, x, x, mask)
            elif i == 1:
                x = self.cross_attention(x, memory, memory, memory_mask)
            else:
                x = self.feed_forward(x)
            x = residual + dropout(x)
            if not self.norm_first:
                x = norm(x)
        return x


# %% Decoder: blocks appended one after the other
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            block = DecoderBlock(d_model, num_heads, d_ff, dropout=dropout, norm_first=norm_first)
            self.layers.append(block)
        self.norm = None
        if norm_first:
            self.norm = LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        for i in range(len(self.layers)):
            x = self.layers[i](x, memory, mask=mask, memory_mask=memory_mask)
        return x if self.norm is None else self.norm(x)


# %% Decoder: deep copies of one block
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        block = DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first)
        self.layers = nn.ModuleList([copy.deepcopy(block) for _ in range(num_layers)])
        self.register_module("norm", nn.LayerNorm(d_model) if norm_first else None)

    def forward(self, x, memory, mask=None, memory_mask=None):
        x = functools.reduce(
            lambda hidden, layer: layer(hidden, memory, mask, memory_mask), self.layers, x
        )
        if self.norm is not None:
            x = self.norm(x)
        return x


# %% Decoder: an encoder with other layers
class Decoder(Encoder):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        for i in range(num_layers):
            self.layers[i] = DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first)

    def forward(self, x, memory, mask=None, memory_mask=None):
        for layer in self.layers:
            x = layer(x, memory, mask, memory_mask)
        if self.norm is None:
            return x
        return F.layer_norm(x, (x.size(-1),), self.norm.weight, self.norm.bias)


# %% Decoder: recursion over blocks of its own
class Block(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout, norm_first):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def before(self, norm, x):
        return norm(x) if self.norm_first else x

    def after(self, norm, x):
        return x if self.norm_first else norm(x)

    def forward(self, x, memory, mask, memory_mask):
        y = self.before(self.norm1, x)
        x = self.after(self.norm1, x + self.dropout(self.self_attention(y, y, y, mask)))
        y = self.before(self.norm2, x)
        y = self.cross_attention(y, memory, memory, memory_mask)
        x = self.after(self.norm2, x + self.dropout(y))
        y = self.before(self.norm3, x)
        return self.after(self.norm3, x + self.dropout(self.feed_forward(y)))


class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        blocks = [Block(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)]
        self.layers = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def through(self, number, x, memory, mask, memory_mask):
        """What comes out of the first `number` blocks."""
        if number == 0:
            return x
        below = self.through(number - 1, x, memory, mask, memory_mask)
        return self.layers[number - 1](below, memory, mask, memory_mask)

    def forward(self, x, memory, mask=None, memory_mask=None):
        x = self.through(len(self.layers), x, memory, mask, memory_mask)
        return self.norm(x) if self.norm is not None else x


# %% Transformer: masks by tril and logical_and, one helper for both embeddings
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
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        stack = (num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.encoder = Encoder(*stack)
        self.decoder = Decoder(*stack)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def embed(self, embedding, tokens):
        return self.position(embedding(tokens))

    def real(self, tokens):
        return tokens.ne(self.pad)[:, None, None]  # (batch, 1, 1, length)

    def encode(self, source):
        return self.encoder(self.embed(self.source_embedding, source), self.real(source))

    def decode(self, target, memory, source):
        length = target.size(1)
        square = torch.ones(length, length, dtype=torch.bool, device=target.device)
        mask = torch.logical_and(torch.tril(square), self.real(target))
        x = self.embed(self.target_embedding, target)
        return self.decoder(x, memory, mask=mask, memory_mask=self.real(source))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: causal mask made when it is needed and kept, blocks looped here
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
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight
        self.past = None  # the longest causal mask so far

    def causal(self, length, device):
        if self.past is None or len(self.past) < length or self.past.device != device:
            self.past = causal_mask(length, device)
        return self.past[:length, :length]

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        mask = padding_mask(source, self.pad)
        for block in self.encoder.layers:
            x = block(x, mask)
        return x if self.encoder.norm is None else self.encoder.norm(x)

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = self.causal(target.shape[1], target.device) & padding_mask(target, self.pad)
        memory_mask = padding_mask(source, self.pad)
        for block in self.decoder.layers:
            x = block(x, memory, mask, memory_mask)
        return x if self.decoder.norm is None else self.decoder.norm(x)

    def forward(self, source, target):
        memory = self.encode(source)
        return self.output(self.decode(target, memory, source))


# %% Transformer: causal mask as a buffer, a positional encoding for each side
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
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        self.target_position = PositionalEncoding(d_model, max_length, dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:  # the embedding takes the output's matrix
            self.target_embedding.table.weight = self.output.weight
        past = torch.ones(max_length, max_length, dtype=torch.bool).tril_()
        self.register_buffer("past", past[None, None], persistent=False)

    def encode(self, source):
        source_mask = padding_mask(source, pad=self.pad)
        return self.encoder(self.position(self.source_embedding(source)), source_mask)

    def decode(self, target, memory, source):
        n = target.shape[1]
        x = self.target_position(self.target_embedding(target))
        target_mask = padding_mask(target, pad=self.pad) * self.past[..., :n, :n]
        return self.decoder(x, memory, target_mask, padding_mask(source, pad=self.pad))

    def forward(self, source, target):
        hidden = self.decode(target=target, memory=self.encode(source), source=source)
        return F.linear(hidden, self.output.weight, self.output.bias)


# %% Transformer: positions added by hand from a saved table
class Positions(nn.Module):
    """Holds the waves; whoever wants them adds them."""

    def __init__(self, d_model, max_length, dropout):
        super().__init__()
        self.dropout = dropout
        self.register_buffer("waves", sinusoidal_encoding(max_length, d_model)[None])

    def forward(self, x):
        length, longest = x.shape[1], self.waves.shape[1]
        if length > longest:
            raise ValueError(f"{length} tokens are more than the {longest} prepared")
        return F.dropout(x + self.waves[:, :length].to(x.dtype), self.dropout, self.training)


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
        self.max_length, self.p, self.pad = max_length, dropout, pad
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = Positions(d_model, max_length, dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.register_parameter("weight", self.target_embedding.table.weight)

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        return self.encoder(x, (source != self.pad).unsqueeze(1).unsqueeze(1))

    def decode(self, target, memory, source):
        length = target.shape[1]
        if length > self.max_length:
            raise ValueError(f"{length} tokens are more than max_length={self.max_length}")
        x = self.target_embedding(target)
        x = x + self.position.waves[0, :length].to(x.dtype)
        x = F.dropout(x, p=self.p, training=self.training)
        i = torch.arange(length, device=target.device)
        hidden = (i > i.unsqueeze(1)) | (target == self.pad)[:, None, None, :]
        return self.decoder(x, memory, ~hidden, (source != self.pad)[:, None, None, :])

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: padding hidden as query too, by outer products
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
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def mask(self, queries, keys):
        """(batch, 1, query, key): both must be real, but a padded query may see the first key."""
        query_is_real, key_is_real = queries != self.pad, keys != self.pad
        both = query_is_real[:, :, None] * key_is_real[:, None, :]
        both[:, :, 0] = both[:, :, 0] | ~query_is_real  # or it would have nothing to look at
        return both[:, None]

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        memory = self.encoder(x, self.mask(source, source))
        return memory.masked_fill((source == self.pad)[..., None], 0.0)

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = self.mask(target, target).tril()
        return self.decoder(x, memory, mask, self.mask(target, source))

    def forward(self, source, target):
        memory = self.encode(source)
        return self.output(self.decode(target, memory, source))


# %% Transformer: every part written anew, heads by einsum
class Norm(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return (x - mean) / (variance + 1e-5).sqrt() * self.weight + self.bias


class Attention(nn.Module):
    def __init__(self, d_model, num_heads, dropout):
        super().__init__()
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, seen, mask):
        q, k, v = (
            w(y).unflatten(-1, (self.num_heads, -1))  # (batch, length, heads, d_head)
            for w, y in ((self.w_query, x), (self.w_key, seen), (self.w_value, seen))
        )
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[-1] ** -0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = self.dropout(scores.softmax(dim=-1))
        return self.w_output(torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(2))


class Wide(nn.Module):
    def __init__(self, d_model, d_ff, dropout):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.linear2(self.dropout(self.linear1(x).clamp(min=0)))


class Block(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout, norm_first, cross):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = Attention(d_model, num_heads, dropout)
        self.cross_attention = Attention(d_model, num_heads, dropout) if cross else None
        self.feed_forward = Wide(d_model, d_ff, dropout)
        self.norm1, self.norm2 = Norm(d_model), Norm(d_model)
        self.norm3 = Norm(d_model) if cross else None
        self.dropout = nn.Dropout(dropout)

    def step(self, x, norm, function, *arguments):
        if self.norm_first:
            return x + self.dropout(function(norm(x), *arguments))
        return norm(x + self.dropout(function(x, *arguments)))

    def forward(self, x, mask=None, memory=None, memory_mask=None):
        x = self.step(x, self.norm1, lambda y: self.self_attention(y, y, mask))
        last = self.norm2
        if self.cross_attention is not None:
            x = self.step(x, self.norm2, self.cross_attention, memory, memory_mask)
            last = self.norm3
        return self.step(x, last, self.feed_forward)


class Stack(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout, norm_first, cross):
        super().__init__()
        self.layers = nn.ModuleList(
            Block(d_model, num_heads, d_ff, dropout, norm_first, cross) for _ in range(num_layers)
        )
        self.norm = Norm(d_model) if norm_first else None

    def forward(self, x, mask=None, memory=None, memory_mask=None):
        for layer in self.layers:
            x = layer(x, mask, memory, memory_mask)
        return x if self.norm is None else self.norm(x)


class Embed(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)

    def forward(self, tokens):
        return self.table(tokens) * self.table.embedding_dim**0.5


class Place(nn.Module):
    """Waves worked out at every call."""

    def __init__(self, max_length, dropout):
        super().__init__()
        self.max_length = max_length
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        length, d_model = x.shape[1:]
        if length > self.max_length:
            raise ValueError(f"length {length} is more than max_length={self.max_length}")
        precise = torch.promote_types(x.dtype, torch.float32)
        column = torch.arange(d_model, device=x.device)
        position = torch.arange(length, device=x.device, dtype=precise)[:, None]
        two_i = (column - column % 2).to(precise)
        angle = position * torch.exp(-math.log(10000.0) * two_i / d_model)
        waves = torch.where(column % 2 == 0, angle.sin(), angle.cos())
        return self.dropout(x + waves.to(x.dtype))


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
        self.source_embedding = Embed(source_vocab, d_model)
        self.target_embedding = Embed(target_vocab, d_model)
        self.position = Place(max_length, dropout)
        sizes = (num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.encoder = Stack(*sizes, cross=False)
        self.decoder = Stack(*sizes, cross=True)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        return self.encoder(x, (source != self.pad)[:, None, None, :])

    def decode(self, target, memory, source):
        i = torch.arange(target.shape[1], device=target.device)
        mask = (target != self.pad)[:, None, None, :] & (i[None, :] <= i[:, None])
        x = self.position(self.target_embedding(target))
        return self.decoder(x, mask, memory, (source != self.pad)[:, None, None, :])

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: one sentence after the other
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
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def encode(self, source):
        memories = []
        for sentence in source.split(1):
            x = self.position(self.source_embedding(sentence))
            memories.append(self.encoder(x, sentence != self.pad))  # (1, length) fits all queries
        return torch.cat(memories)

    def decode(self, target, memory, source):
        hidden = []
        past = causal_mask(target.shape[1], target.device)
        for t, m, s in zip(target.split(1), memory.split(1), source.split(1)):
            x = self.position(self.target_embedding(t))
            hidden.append(self.decoder(x, m, past & (t != self.pad), s != self.pad))
        return torch.cat(hidden)

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: masks as numbers first, logits from flattened positions
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
        self.pad, self.target_vocab = pad, target_vocab
        stack = {
            "num_layers": num_layers,
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
            "dropout": dropout,
            "norm_first": norm_first,
        }
        self.output = nn.Linear(d_model, target_vocab, bias=True)
        self.decoder = Decoder(**stack)
        self.encoder = Encoder(**stack)
        self.position = PositionalEncoding(d_model, max_length=max_length, dropout=dropout)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def key_mask(self, tokens):
        return torch.where(tokens == self.pad, 0, 1)[:, None, None, :]

    def encode(self, source):
        embedded = self.source_embedding(source)
        return self.encoder(self.position(embedded), self.key_mask(source) == 1)

    def decode(self, target, memory, source):
        length = target.shape[1]
        past = target.new_ones(length, length).tril()
        mask = torch.minimum(past, self.key_mask(target)).bool()
        embedded = self.target_embedding(target)
        return self.decoder(self.position(embedded), memory, mask, self.key_mask(source).bool())

    def forward(self, source, target):
        hidden = self.decode(target, self.encode(source), source)
        logits = self.output(hidden.reshape(-1, hidden.shape[-1]))
        return logits.view(*target.shape, self.target_vocab)


# %% count_parameters: one sum
def count_parameters(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


# %% count_parameters: a set of identities
def count_parameters(model):
    seen = set()
    total = 0
    for _, parameter in model.named_parameters(remove_duplicate=False):
        if not parameter.requires_grad or id(parameter) in seen:
            continue
        seen.add(id(parameter))
        total += math.prod(parameter.shape)
    return total


# %% count_parameters: by address in memory
def count_parameters(model):
    sizes = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            address = parameter.data_ptr() or id(parameter)  # the meta device has no addresses
            sizes[address] = parameter.numel()
    return sum(sizes.values())


# %% count_parameters: recursion through the tree of modules
def count_parameters(model):
    def collect(module, found):
        for parameter in module.parameters(recurse=False):
            found[id(parameter)] = parameter
        for child in module.children():
            collect(child, found)
        return found

    return sum(p.nelement() for p in collect(model, {}).values() if p.requires_grad)


# %% count_parameters: from the state dict
def count_parameters(model):
    state = model.state_dict(keep_vars=True)  # a shared one stands there under each of its names
    different = {id(x): x for x in state.values() if isinstance(x, nn.Parameter)}
    trainable = [x for x in different.values() if x.requires_grad]
    return sum(x.numel() for x in trainable)


# %% count_parameters: NumPy multiplies the sizes, and so gives a whole number of its own
def count_parameters(model):
    import numpy as np

    parameters = filter(lambda p: p.requires_grad, model.parameters())
    return sum([np.prod(p.size()) for p in parameters])
