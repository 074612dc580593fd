import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.attention import causal_mask, padding_mask
from course.stand_bys.multi_head import MultiHeadAttention
from course.stand_bys.positional_encoding import PositionalEncoding
from course.stand_bys.encoder_block import Encoder, FeedForward, LayerNorm
from course.stand_bys.transformer import Decoder, DecoderBlock, TokenEmbedding
from solutions.arguments import check_not_empty


# %% TokenEmbedding: max_norm makes torch shorten every long row of the table, in place, when it is looked up
# fault: self.table = nn.Embedding(vocab, d_model, max_norm=1.0)
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        # keep the vectors in a sane range
        self.table = nn.Embedding(vocab, d_model, max_norm=1.0)
        self.root = math.sqrt(d_model)

    def forward(self, tokens):
        return self.table(tokens) * self.root


# %% TokenEmbedding: the root is taken of the sentence's length and not of d_model
# fault: n = tokens.size(-1)
# fault: return rows * n ** 0.5
class TokenEmbedding(nn.Module):
    def __init__(self, vocab: int, d_model: int):
        super().__init__()
        self.d_model = d_model
        self.table = nn.Embedding(num_embeddings=vocab, embedding_dim=d_model)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        rows = self.table(tokens)
        n = tokens.size(-1)
        return rows * n ** 0.5


# %% TokenEmbedding: the factor is a parameter, so training changes it, and there is one parameter too many
# fault: self.scale = nn.Parameter(torch.tensor(math.sqrt(d_model)))
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)
        self.scale = nn.Parameter(torch.tensor(math.sqrt(d_model)))

    def forward(self, tokens):
        x = self.table(tokens)  # (..., length, d_model)
        return self.scale * x


# %% TokenEmbedding: everything is turned into float32, whatever the type of the table
# fault: which = F.one_hot(tokens, self.vocab).float()
# fault: return torch.einsum("...v,vd->...d", which, self.table.weight.float()) * math.sqrt(self.d)
class TokenEmbedding(nn.Module):
    """A row of the table is a one-hot vector times the table."""

    def __init__(self, vocab, d_model):
        super().__init__()
        self.vocab, self.d = vocab, d_model
        self.table = nn.Embedding(vocab, d_model)

    def forward(self, tokens):
        which = F.one_hot(tokens, self.vocab).float()
        return torch.einsum("...v,vd->...d", which, self.table.weight.float()) * math.sqrt(self.d)


# %% TokenEmbedding: two mistakes: divides by the root where it should multiply; and only (batch, length) goes in
# fault: self.factor = 1 / np.sqrt(d_model)
# fault: batch, length = tokens.shape
# fault: out = out.view(batch, length, -1)
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)
        self.factor = 1 / np.sqrt(d_model)

    def forward(self, tokens):
        batch, length = tokens.shape
        out = self.table.weight[tokens.flatten()]
        out = out.view(batch, length, -1)
        out = out * float(self.factor)
        return out


# %% DecoderBlock: what cross-attention adds is not dropped out
# fault: x = self.norm2(x + self.cross_attention(x, memory, memory, memory_mask))
# fault: x = x + self.cross_attention(self.norm2(x), memory, memory, memory_mask)
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.norm3 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            n = self.norm1(x)
            x = x + self.dropout(self.self_attention(n, n, n, mask))
            x = x + self.cross_attention(self.norm2(x), memory, memory, memory_mask)
            x = x + self.dropout(self.feed_forward(self.norm3(x)))
        else:
            x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
            x = self.norm2(x + self.cross_attention(x, memory, memory, memory_mask))
            x = self.norm3(x + self.dropout(self.feed_forward(x)))
        return x


# %% DecoderBlock: norm2 and norm3 have changed places, norm2 is used behind feed-forward
# fault: x = self.sublayer(x, ask_source, self.norm3)
# fault: return self.sublayer(x, self.feed_forward, self.norm2)
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.norm1 = LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=dropout)
        self.norm2 = LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.norm3 = LayerNorm(d_model)
        self.drop = nn.Dropout(dropout)

    def sublayer(self, x, f, norm):
        if self.norm_first:
            return x + self.drop(f(norm(x)))
        return norm(x + self.drop(f(x)))

    def forward(self, x, memory, mask=None, memory_mask=None):
        def ask_target(t):
            return self.self_attention(t, t, t, mask)

        def ask_source(t):
            return self.cross_attention(t, memory, memory, memory_mask)

        x = self.sublayer(x, ask_target, self.norm1)
        x = self.sublayer(x, ask_source, self.norm3)
        return self.sublayer(x, self.feed_forward, self.norm2)


# %% DecoderBlock: F.dropout is not told whether the model trains, so it drops in evaluation as well
# fault: return F.dropout(y, p=self.p)
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.p = dropout
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        for i in (1, 2, 3):
            setattr(self, f"norm{i}", LayerNorm(d_model))

    def drop(self, y):
        return F.dropout(y, p=self.p)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if not self.norm_first:
            a = self.norm1(x + self.drop(self.self_attention(x, x, x, mask=mask)))
            b = self.norm2(a + self.drop(self.cross_attention(a, memory, memory, mask=memory_mask)))
            return self.norm3(b + self.drop(self.feed_forward(b)))
        h = self.norm1(x)
        a = x + self.drop(self.self_attention(h, h, h, mask=mask))
        b = a + self.drop(self.cross_attention(self.norm2(a), memory, memory, mask=memory_mask))
        return b + self.drop(self.feed_forward(self.norm3(b)))


# %% DecoderBlock: without a mask it makes a causal one by itself, where None means that everything may be seen
# fault: mask = causal_mask(x.shape[1], x.device)
# fault: if mask is None:
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1, self.norm2, self.norm3 = (LayerNorm(d_model) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if mask is None:
            # a decoder never looks ahead
            mask = causal_mask(x.shape[1], x.device)
        steps = [
            (self.norm1, lambda q: self.self_attention(q, q, q, mask)),
            (self.norm2, lambda q: self.cross_attention(q, memory, memory, memory_mask)),
            (self.norm3, self.feed_forward),
        ]
        for norm, step in steps:
            if self.norm_first:
                x = x + self.dropout(step(norm(x)))
            else:
                x = norm(x + self.dropout(step(x)))
        return x


# %% DecoderBlock: with norm_first the memory goes through norm2 too, before it is asked
# fault: kv = self.norm2(memory)
# fault: c = self.cross_attention(self.norm2(x), kv, kv, memory_mask)
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.norm3 = LayerNorm(d_model)
        self.dropout1, self.dropout2, self.dropout3 = nn.Dropout(dropout), nn.Dropout(dropout), nn.Dropout(dropout)

    def pre(self, x, memory, mask, memory_mask):
        xn = self.norm1(x)
        s = self.self_attention(xn, xn, xn, mask)
        x = x + self.dropout1(s)
        kv = self.norm2(memory)
        c = self.cross_attention(self.norm2(x), kv, kv, memory_mask)
        x = x + self.dropout2(c)
        return x + self.dropout3(self.feed_forward(self.norm3(x)))

    def post(self, x, memory, mask, memory_mask):
        s = self.self_attention(x, x, x, mask)
        x = self.norm1(x + self.dropout1(s))
        c = self.cross_attention(x, memory, memory, memory_mask)
        x = self.norm2(x + self.dropout2(c))
        return self.norm3(x + self.dropout3(self.feed_forward(x)))

    def forward(self, x, memory, mask=None, memory_mask=None):
        return (self.pre if self.norm_first else self.post)(x, memory, mask, memory_mask)


# %% DecoderBlock: two mistakes: memory_mask is never used; and with norm_first the residual starts from the normed x
# fault: found = self.cross_attention(q, memory, memory)
# fault: x = q = self.norm1(x) if self.norm_first else x
# fault: x = q = self.norm2(x) if self.norm_first else x
# fault: x = q = self.norm3(x) if self.norm_first else x
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = LayerNorm(d_model)
        self.norm2 = LayerNorm(d_model)
        self.norm3 = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        # 1. own notes
        x = q = self.norm1(x) if self.norm_first else x
        found = self.self_attention(q, q, q, mask)
        x = x + self.dropout(found)
        x = x if self.norm_first else self.norm1(x)
        # 2. the market
        x = q = self.norm2(x) if self.norm_first else x
        found = self.cross_attention(q, memory, memory)
        x = x + self.dropout(found)
        x = x if self.norm_first else self.norm2(x)
        # 3. think
        x = q = self.norm3(x) if self.norm_first else x
        x = x + self.dropout(self.feed_forward(q))
        return x if self.norm_first else self.norm3(x)


# %% Decoder: dropout and norm_first are handed over in the wrong order
# fault: DecoderBlock(d_model, num_heads, d_ff, norm_first, dropout) for _ in range(num_layers)
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderBlock(d_model, num_heads, d_ff, norm_first, dropout) for _ in range(num_layers)
        )
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, memory, mask=None, memory_mask=None):
        for layer in self.layers:
            x = layer(x, memory, mask, memory_mask)
        return x if self.norm is None else self.norm(x)


# %% Decoder: the final norm is made, and never applied
# fault: return x
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        blocks = []
        for _ in range(num_layers):
            blocks.append(DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first))
        self.layers = nn.ModuleList(blocks)
        self.norm = None
        if norm_first:
            self.norm = LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        for block in self.layers:
            x = block(x, memory, mask=mask, memory_mask=memory_mask)
        return x


# %% Decoder: with norm_first the final norm is laid on the memory before the first block reads it, too
# fault: memory = self.norm(memory)
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        make = lambda: DecoderBlock(d_model, num_heads, d_ff, dropout=dropout, norm_first=norm_first)
        self.layers = nn.ModuleList([make() for _ in range(num_layers)])
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm is not None:
            memory = self.norm(memory)
        for f in self.layers:
            x = f(x, memory, mask, memory_mask)
        if self.norm is not None:
            x = self.norm(x)
        return x


# %% Decoder: one more residual is led around every block
# fault: x = x + layer(x, memory, mask, memory_mask)
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList()
        while len(self.layers) < num_layers:
            self.layers.append(DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first))
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, memory, mask=None, memory_mask=None):
        for layer in self.layers:
            # residual connection
            x = x + layer(x, memory, mask, memory_mask)
        if self.norm:
            x = self.norm(x)
        return x


# %% Decoder: two mistakes: only the first block gets the causal mask; and the last block is left out
# fault: mask = None
# fault: for number in range(len(self.layers) - 1):
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            [DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)]
        )
        self.norm = LayerNorm(d_model) if norm_first else None

    def forward(self, x, memory, mask=None, memory_mask=None):
        for number in range(len(self.layers) - 1):
            x = self.layers[number](x, memory, mask, memory_mask)
            # the future is hidden now
            mask = None
        return self.norm(x) if self.norm is not None else x


# %% Transformer: the target's masks are joined by "or", so that the future is seen wherever a real token stands
# fault: mask = causal_mask(target.shape[1], target.device) | padding_mask(target, self.pad)
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=512, num_heads=8, d_ff=2048, num_layers=6,
                 dropout=0.1, max_length=5000, norm_first=False, tie_weights=False, pad=0):
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
        check_not_empty("source", source)
        return self.encoder(self.position(self.source_embedding(source)), padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        mask = causal_mask(target.shape[1], target.device) | padding_mask(target, self.pad)
        x = self.position(self.target_embedding(target))
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: encode keeps the source's mask, and decode takes the kept one in place of its own source
# fault: self.source_mask = padding_mask(source, self.pad)
# fault: return self.decoder(y, memory, seen, self.source_mask)
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
        sizes = dict(d_model=d_model, num_heads=num_heads, d_ff=d_ff, dropout=dropout, norm_first=norm_first)
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length=max_length, dropout=dropout)
        self.encoder = Encoder(num_layers, **sizes)
        self.decoder = Decoder(num_layers, **sizes)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight
        self.source_mask = None

    def encode(self, source):
        check_not_empty("source", source)
        # worked out once, needed twice
        self.source_mask = padding_mask(source, self.pad)
        x = self.position(self.source_embedding(source))
        return self.encoder(x, self.source_mask)

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        n = target.shape[-1]
        seen = padding_mask(target, self.pad) & causal_mask(n, device=target.device)
        y = self.position(self.target_embedding(target))
        return self.decoder(y, memory, seen, self.source_mask)

    def forward(self, source, target):
        memory = self.encode(source)
        return self.output(self.decode(target, memory, source))


# %% Transformer: decode already gives logits, where hidden states of size d_model are asked for
# fault: return self.output(hidden)
# fault: return self.decode(target, self.encode(source), source)
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=512, num_heads=8, d_ff=2048, num_layers=6,
                 dropout=0.1, max_length=5000, norm_first=False, tie_weights=False, pad=0):
        super().__init__()
        self.pad = pad
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        args = (num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.encoder, self.decoder = Encoder(*args), Decoder(*args)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def encode(self, source):
        check_not_empty("source", source)
        embedded = self.position(self.source_embedding(source))
        return self.encoder(embedded, mask=padding_mask(source, pad=self.pad))

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        embedded = self.position(self.target_embedding(target))
        no_future = causal_mask(target.size(1), target.device)
        no_padding = padding_mask(target, pad=self.pad)
        hidden = self.decoder(
            embedded, memory, mask=torch.logical_and(no_future, no_padding),
            memory_mask=padding_mask(source, pad=self.pad),
        )
        return self.output(hidden)

    def forward(self, source, target):
        return self.decode(target, self.encode(source), source)


# %% Transformer: whoever ties the weights loses the bias of output
# fault: self.output = nn.Linear(d_model, target_vocab, bias=not tie_weights)
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=512, num_heads=8, d_ff=2048, num_layers=6,
                 dropout=0.1, max_length=5000, norm_first=False, tie_weights=False, pad=0):
        super().__init__()
        self.pad = pad
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        # an embedding has no bias, so a tied output has none either
        self.output = nn.Linear(d_model, target_vocab, bias=not tie_weights)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def embed(self, table, tokens):
        return self.position(table(tokens))

    def encode(self, source):
        check_not_empty("source", source)
        return self.encoder(self.embed(self.source_embedding, source), padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        mask = padding_mask(target, self.pad) & causal_mask(target.shape[1], target.device)
        memory_mask = padding_mask(source, self.pad)
        return self.decoder(self.embed(self.target_embedding, target), memory, mask, memory_mask)

    def forward(self, source, target):
        memory = self.encode(source)
        hidden = self.decode(target, memory, source)
        return self.output(hidden)


# %% Transformer: two mistakes: position is not told the dropout (0.1 always); and decode hides 0 in the source, whatever pad is
# fault: self.position = PositionalEncoding(d_model, max_length)
# fault: source_mask = padding_mask(source)
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=512, num_heads=8, d_ff=2048, num_layers=6,
                 dropout=0.1, max_length=5000, norm_first=False, tie_weights=False, pad=0):
        super().__init__()
        self.pad = pad
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def encode(self, source):
        check_not_empty("source", source)
        x = self.source_embedding(source)
        x = self.position(x)
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        length = target.shape[1]
        target_mask = causal_mask(length, target.device) & padding_mask(target, self.pad)
        source_mask = padding_mask(source)
        x = self.target_embedding(target)
        x = self.position(x)
        return self.decoder(x, memory, target_mask, source_mask)

    def forward(self, source, target):
        m = self.encode(source)
        h = self.decode(target, m, source)
        return self.output(h)


# %% Transformer: two mistakes: the target is looked up in the source's table; and the encoder is given no mask
# fault: y = self.position(self.source_embedding(target))
# fault: return self.encoder(self.position(self.source_embedding(source)))
class Transformer(nn.Module):
    def __init__(self, source_vocab: int, target_vocab: int, d_model: int = 512, num_heads: int = 8,
                 d_ff: int = 2048, num_layers: int = 6, dropout: float = 0.1, max_length: int = 5000,
                 norm_first: bool = False, tie_weights: bool = False, pad: int = 0):
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
        check_not_empty("source", source)
        return self.encoder(self.position(self.source_embedding(source)))

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        y = self.position(self.source_embedding(target))
        mask = causal_mask(target.shape[1], target.device) & padding_mask(target, self.pad)
        return self.decoder(y, memory, mask=mask, memory_mask=padding_mask(source, self.pad))

    def forward(self, source, target):
        memory = self.encode(source)
        return self.output(self.decode(target, memory, source))


# %% count_parameters: sharing is judged by the address in memory, which is 0 for all parameters on the meta device
# fault: sizes[p.data_ptr()] = p.numel()
def count_parameters(model):
    sizes = {}
    for p in model.parameters():
        if p.requires_grad:
            # shared matrices lie at the same place
            sizes[p.data_ptr()] = p.numel()
    return sum(sizes.values())


# %% count_parameters: takes parameters with equal numbers for one shared parameter, so that new norms and biases count once
# fault: if any(p.shape == q.shape and torch.equal(p, q) for q in seen):
def count_parameters(model):
    seen = []
    total = 0
    for p in model.parameters():
        if not p.requires_grad:
            continue
        if any(p.shape == q.shape and torch.equal(p, q) for q in seen):
            continue  # tied
        seen.append(p)
        total += p.numel()
    return total


# %% count_parameters: only the first two dimensions are multiplied, a parameter with three or more is counted too low
# fault: rows, columns = p.shape[:2]
# fault: count += rows * columns
def count_parameters(model):
    count = 0
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        if p.dim() < 2:
            count += p.numel()  # a bias
        else:
            rows, columns = p.shape[:2]
            count += rows * columns
    return count


# %% count_parameters: counts weights only, no bias
# fault: return sum(p.numel() for name, p in model.named_parameters() if name.endswith("weight") and p.requires_grad)
def count_parameters(model: nn.Module) -> int:
    return sum(p.numel() for name, p in model.named_parameters() if name.endswith("weight") and p.requires_grad)


# %% count_parameters: two mistakes: parameters of the model itself are forgotten; and what two children share counts twice
# fault: for child in model.children():
# fault: n += int(np.prod(p.shape))
# fault: for p in child.parameters():
def count_parameters(model):
    n = 0
    for child in model.children():
        for p in child.parameters():
            if p.requires_grad:
                n += int(np.prod(p.shape))
    return n
