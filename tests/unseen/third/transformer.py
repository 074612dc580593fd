import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.attention import causal_mask, padding_mask
from course.stand_bys.multi_head import MultiHeadAttention
from course.stand_bys.positional_encoding import PositionalEncoding
from course.stand_bys.encoder_block import Encoder, FeedForward
from course.stand_bys.transformer import Decoder, DecoderBlock, TokenEmbedding

# %% TokenEmbedding: d_model ** 1 / 2 is half of d_model, not its root (the same for d_model = 4 only)
# fault: self.scale = d_model ** 1 / 2
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)
        self.scale = d_model ** 1 / 2

    def forward(self, tokens):
        return self.scale * self.table(tokens)


# %% TokenEmbedding: every row is first brought to length 1, so its own size is lost
# fault: rows = F.normalize(rows, dim=-1)
# fault: return rows * math.sqrt(self.d_model)
class TokenEmbedding(nn.Module):
    """look up, scale"""

    def __init__(self, vocab: int, d_model: int):
        super().__init__()
        self.d_model = d_model
        self.table = nn.Embedding(num_embeddings=vocab, embedding_dim=d_model)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        rows = self.table(tokens)
        rows = F.normalize(rows, dim=-1)
        return rows * math.sqrt(self.d_model)


# %% TokenEmbedding: the root is taken of axis 1, which is the length as soon as there is a batch
# fault: dim = vectors.shape[1]
# fault: vectors = vectors * dim ** 0.5
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)

    def forward(self, tokens):
        vectors = self.table(tokens)
        dim = vectors.shape[1]
        vectors = vectors * dim ** 0.5
        return vectors


# %% TokenEmbedding: two mistakes: one_hot is not told the vocabulary, and the row is divided by the root
# fault: picks = F.one_hot(tokens).to(self.table.weight.dtype)
# fault: return picks @ self.table.weight / self.root
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)
        self.root = d_model ** 0.5

    def forward(self, tokens):
        # a row of the table is a one-hot vector times the table
        picks = F.one_hot(tokens).to(self.table.weight.dtype)
        return picks @ self.table.weight / self.root


# %% DecoderBlock: with norm_first the memory is normed, too, by the norm that belongs to the target
# fault: m = self.norm2(memory)
# fault: x = x + self.drop(self.cross_attention(h, m, m, memory_mask))
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            h = self.norm1(x)
            x = x + self.drop(self.self_attention(h, h, h, mask))
            h = self.norm2(x)
            m = self.norm2(memory)
            x = x + self.drop(self.cross_attention(h, m, m, memory_mask))
            return x + self.drop(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.drop(self.self_attention(x, x, x, mask)))
        x = self.norm2(x + self.drop(self.cross_attention(x, memory, memory, memory_mask)))
        return self.norm3(x + self.drop(self.feed_forward(x)))


# %% DecoderBlock: F.dropout is not told about training, so it drops in eval mode, too
# fault: return F.dropout(what, self.p)  # what a sub-layer adds
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.p = dropout
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.norm2 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm3 = nn.LayerNorm(d_model)

    def _drop(self, what):
        return F.dropout(what, self.p)  # what a sub-layer adds

    def _sublayer(self, x, norm, work):
        if self.norm_first:
            return x + self._drop(work(norm(x)))
        return norm(x + self._drop(work(x)))

    def forward(self, x, memory, mask=None, memory_mask=None):
        x = self._sublayer(x, self.norm1, lambda q: self.self_attention(q, q, q, mask))
        x = self._sublayer(x, self.norm2, lambda q: self.cross_attention(q, memory, memory, memory_mask))
        return self._sublayer(x, self.norm3, self.feed_forward)


# %% DecoderBlock: the target goes to the source's market first and looks at its own notes afterwards
# fault: x = step(x, self.norm2, self.cross_attention, memory, memory_mask)
# fault: x = step(x, self.norm1, self.self_attention, None, mask)
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        for name in ("self_attention", "cross_attention"):
            setattr(self, name, MultiHeadAttention(d_model, num_heads, dropout))
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        for k in (1, 2, 3):
            setattr(self, f"norm{k}", nn.LayerNorm(d_model))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        def step(x, norm, attention, stalls, m):
            q = norm(x) if self.norm_first else x
            kv = q if stalls is None else stalls
            y = x + self.dropout(attention(q, kv, kv, m))
            return y if self.norm_first else norm(y)

        x = step(x, self.norm2, self.cross_attention, memory, memory_mask)
        x = step(x, self.norm1, self.self_attention, None, mask)
        if self.norm_first:
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


# %% DecoderBlock: two mistakes: cross-attention always has one head, and the last residual is what came in at the very beginning
# fault: self.cross_attention = MultiHeadAttention(d_model, 1, dropout)
# fault: return residual + self.dropout3(self.feed_forward(self.norm3(x)))
# fault: return self.norm3(residual + self.dropout3(self.feed_forward(x)))
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, 1, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))
        self.dropout1, self.dropout2, self.dropout3 = (nn.Dropout(dropout) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        residual = x
        if self.norm_first:
            n = self.norm1(x)
            x = x + self.dropout1(self.self_attention(n, n, n, mask))
            n = self.norm2(x)
            x = x + self.dropout2(self.cross_attention(n, memory, memory, memory_mask))
            return residual + self.dropout3(self.feed_forward(self.norm3(x)))
        else:
            x = self.norm1(x + self.dropout1(self.self_attention(x, x, x, mask)))
            x = self.norm2(x + self.dropout2(self.cross_attention(x, memory, memory, memory_mask)))
            return self.norm3(residual + self.dropout3(self.feed_forward(x)))


# %% Decoder: norm_first is given in dropout's place, so blocks get False as dropout, never learn of norm_first, and refuse to be made with True
# fault: DecoderBlock(d_model, num_heads, d_ff, norm_first)
# fault: self.layers = nn.ModuleList(
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderBlock(d_model, num_heads, d_ff, norm_first)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, memory, mask=None, memory_mask=None):
        for layer in self.layers:
            x = layer(x, memory, mask, memory_mask)
        return x if self.norm is None else self.norm(x)


# %% Decoder: only the first block gets the masks
# fault: mask = memory_mask = None
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            self.layers.append(DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first))
        self.norm = None
        if norm_first:
            self.norm = nn.LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        for block in self.layers:
            x = block(x, memory, mask=mask, memory_mask=memory_mask)
            # what is hidden once stays hidden: the other blocks only see what the first let through
            mask = memory_mask = None
        if self.norm is not None:
            x = self.norm(x)
        return x


# %% Decoder: the memory is detached, so that no gradient ever reaches the encoder
# fault: memory = memory.detach()  # it was read once and is not changed here
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        blocks = [
            DecoderBlock(d_model, num_heads, d_ff, dropout=dropout, norm_first=norm_first)
            for _ in range(num_layers)
        ]
        self.layers = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, memory, mask=None, memory_mask=None):
        memory = memory.detach()  # it was read once and is not changed here
        out = x
        for l in self.layers:
            out = l(out, memory, mask, memory_mask)
        if self.norm:
            out = self.norm(out)
        return out


# %% Decoder: two mistakes: the final norm is there whatever norm_first says, and both masks change places
# fault: self.norm = nn.LayerNorm(d_model)
# fault: x = self.layers[i](x, memory, memory_mask, mask)
# fault: return self.norm(x)
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        args = (d_model, num_heads, d_ff, dropout, norm_first)
        self.layers = nn.ModuleList([DecoderBlock(*args) for _ in range(num_layers)])
        self.norm = nn.LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        for i in range(len(self.layers)):
            x = self.layers[i](x, memory, memory_mask, mask)
        return self.norm(x)


# %% Transformer: encode hides token 0 whatever the number of padding is
# fault: return self.encoder(x, padding_mask(source))
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
        if source.numel() == 0:
            raise ValueError("source is empty")
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source))

    def decode(self, target, memory, source):
        if target.numel() == 0:
            raise ValueError("target is empty")
        mask = causal_mask(target.shape[1], target.device) & padding_mask(target, self.pad)
        x = self.position(self.target_embedding(target))
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        memory = self.encode(source)
        return self.output(self.decode(target, memory, source))


# %% Transformer: future OR padding may be seen: the two masks of the target are joined by | and hide only what both hide
# fault: target_mask = future | real
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=512, num_heads=8, d_ff=2048, num_layers=6,
                 dropout=0.1, max_length=5000, norm_first=False, tie_weights=False, pad=0):
        super().__init__()
        self.pad = pad
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length=max_length, dropout=dropout)
        sizes = dict(num_layers=num_layers, d_model=d_model, num_heads=num_heads, d_ff=d_ff,
                     dropout=dropout, norm_first=norm_first)
        self.encoder = Encoder(**sizes)
        self.decoder = Decoder(**sizes)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.target_embedding.table.weight = self.output.weight

    def encode(self, source):
        if source.numel() == 0:
            raise ValueError("nothing to read")
        return self.encoder(self.position(self.source_embedding(source)), padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        if target.numel() == 0:
            raise ValueError("nothing written yet, not even a start token")
        length = target.size(1)
        future = causal_mask(length, device=target.device)      # (length, length)
        real = padding_mask(target, self.pad)                   # (batch, 1, 1, length)
        target_mask = future | real
        source_mask = padding_mask(source, self.pad)
        h = self.position(self.target_embedding(target))
        return self.decoder(h, memory, target_mask, source_mask)

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: tying copies the data into the other parameter: still two parameters with a gradient each
# fault: self.output.weight.data = self.target_embedding.table.weight.data
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=512, num_heads=8, d_ff=2048, num_layers=6,
                 dropout=0.1, max_length=5000, norm_first=False, tie_weights=False, pad=0):
        super().__init__()
        self.pad = pad
        # embeddings
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        # one clock for both sides
        self.position = PositionalEncoding(d_model, max_length, dropout)
        # stacks
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        # head
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight.data = self.target_embedding.table.weight.data

    def encode(self, source):
        if source.numel() == 0:
            raise ValueError("source is empty")
        mask = padding_mask(source, self.pad)
        embedded = self.source_embedding(source)
        embedded = self.position(embedded)
        memory = self.encoder(embedded, mask)
        return memory

    def decode(self, target, memory, source):
        if target.numel() == 0:
            raise ValueError("target is empty")
        not_padding = padding_mask(target, self.pad)
        not_future = causal_mask(target.shape[-1], target.device)
        embedded = self.target_embedding(target)
        embedded = self.position(embedded)
        return self.decoder(
            embedded, memory, mask=not_padding & not_future, memory_mask=padding_mask(source, self.pad)
        )

    def forward(self, source, target):
        memory = self.encode(source)
        hidden = self.decode(target, memory, source)
        logits = self.output(hidden)
        return logits


# %% Transformer: forward leaves out the last target, as if shifting were its job; the logits are one place short
# fault: hidden = self.decode(target[:, :-1], memory, source)
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

    def _real(self, tokens):
        return (tokens != self.pad)[:, None, None, :]

    def encode(self, source):
        if not source.numel():
            raise ValueError("source must not be empty")
        return self.encoder(self.position(self.source_embedding(source)), self._real(source))

    def decode(self, target, memory, source):
        if not target.numel():
            raise ValueError("target must not be empty")
        n = target.shape[1]
        past = torch.ones(n, n, dtype=torch.bool, device=target.device).tril()
        return self.decoder(
            self.position(self.target_embedding(target)), memory, past & self._real(target), self._real(source)
        )

    def forward(self, source, target):
        memory = self.encode(source)
        hidden = self.decode(target[:, :-1], memory, source)
        return self.output(hidden)


# %% Transformer: two mistakes: the decoder always has six blocks, and forward gives probabilities and not logits
# fault: self.decoder = Decoder(6, d_model, num_heads, d_ff, dropout, norm_first)
# fault: return torch.softmax(self.output(out), dim=-1)
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=512, num_heads=8, d_ff=2048, num_layers=6,
                 dropout=0.1, max_length=5000, norm_first=False, tie_weights=False, pad=0):
        super().__init__()
        self.pad = pad
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(6, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def encode(self, source):
        if source.numel() == 0:
            raise ValueError("source is empty")
        src = self.position(self.source_embedding(source))
        return self.encoder(src, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        if target.numel() == 0:
            raise ValueError("target is empty")
        tgt = self.position(self.target_embedding(target))
        tgt_mask = torch.logical_and(padding_mask(target, self.pad), causal_mask(target.shape[1], target.device))
        return self.decoder(tgt, memory, tgt_mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        out = self.decode(target, self.encode(source), source)
        return torch.softmax(self.output(out), dim=-1)


# %% count_parameters: shared parameters are recognised by their address in memory, which is 0 for all on the meta device
# fault: where = p.data_ptr()
# fault: if p.requires_grad and where not in seen:
def count_parameters(model):
    seen, total = set(), 0
    for p in model.parameters():
        where = p.data_ptr()
        if p.requires_grad and where not in seen:
            seen.add(where)
            total += p.numel()
    return total


# %% count_parameters: counts what has a gradient at this moment, so a model that was never trained has none
# fault: trainable = [p for p in model.parameters() if p.grad is not None]
def count_parameters(model):
    trainable = [p for p in model.parameters() if p.grad is not None]
    return sum(p.numel() for p in trainable)


# %% count_parameters: two mistakes: goes child by child, so that what lies on the model itself is missed and a matrix shared by two children counts twice, and frozen ones count as well
# fault: for child in model.children():
# fault: for parameter in child.parameters():
# fault: n += int(np.prod(parameter.shape))
def count_parameters(model):
    n = 0
    for child in model.children():
        for parameter in child.parameters():
            n += int(np.prod(parameter.shape))
    return n
