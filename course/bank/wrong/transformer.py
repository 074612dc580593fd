import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from solutions.arguments import check_not_empty
from solutions.attention import causal_mask, padding_mask
from solutions.encoder_block import Encoder, FeedForward
from solutions.multi_head import MultiHeadAttention
from solutions.positional_encoding import PositionalEncoding
from solutions.transformer import Decoder, DecoderBlock, TokenEmbedding


# %% TokenEmbedding: not multiplied by the root of d_model
# expect: no_scale
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)

    def forward(self, tokens):
        return self.table(tokens)


# %% TokenEmbedding: multiplied by d_model and not by its root
# expect: scaled_by_width
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(num_embeddings=vocab, embedding_dim=d_model)

    def forward(self, tokens):
        vectors = F.embedding(tokens, self.table.weight)
        return vectors * vectors.shape[-1]


# %% TokenEmbedding: divided by the root of d_model in place of multiplied
# expect: divided_by_root
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.d_model = d_model
        self.table = nn.Embedding(vocab, d_model)

    def forward(self, tokens):
        flat = self.table.weight.index_select(0, tokens.reshape(-1))
        return flat.reshape(*tokens.shape, self.d_model) / math.sqrt(self.d_model)


# %% TokenEmbedding: scales the table once when it is made, and never what is looked up
# expect: no_scale
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)
        with torch.no_grad():
            self.table.weight *= d_model**0.5

    def forward(self, tokens):
        return self.table(tokens)


# %% TokenEmbedding: scales the table in place at every call, so it grows
# expect: table_scaled_at_every_call
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)
        self.factor = d_model**0.5

    def forward(self, tokens):
        self.table.weight.data.mul_(self.factor)
        return self.table(tokens)


# %% TokenEmbedding: token 0 is a padding_idx, so its vector starts at 0 and gets no gradient
# expect: token_0_not_trained
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model, padding_idx=0)
        self.root = math.sqrt(d_model)

    def forward(self, tokens):
        return self.table(tokens).mul(self.root)


# %% TokenEmbedding: scaled by the root of the vocabulary's size
# expect: scaled_by_vocabulary
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)

    def forward(self, tokens):
        scale = self.table.weight.size(0) ** 0.5
        return torch.stack([self.table(t) for t in tokens]) * scale


# %% TokenEmbedding: the looked-up vectors are brought to length 1 before scaling
# expect: length_normalised
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)
        self.d_model = d_model

    def forward(self, tokens):
        return F.normalize(self.table(tokens), dim=-1) * math.sqrt(self.d_model)


# %% DecoderBlock: in cross-attention the memory asks and the target answers
# expect: memory_asks
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout(self.self_attention(y, y, y, mask))
            y = self.norm2(x)
            x = x + self.dropout(self.cross_attention(memory, y, y, memory_mask))
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = self.norm2(x + self.dropout(self.cross_attention(memory, x, x, memory_mask)))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


# %% DecoderBlock: cross-attention looks at the target again, the memory is not used
# expect: memory_never_used
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.pre_norm = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))
        self.drop = nn.Dropout(dropout)

    def sublayer(self, x, norm, f):
        if self.pre_norm:
            return x + self.drop(f(norm(x)))
        return norm(x + self.drop(f(x)))

    def forward(self, x, memory, mask=None, memory_mask=None):
        x = self.sublayer(x, self.norm1, lambda t: self.self_attention(t, t, t, mask))
        x = self.sublayer(x, self.norm2, lambda t: self.cross_attention(t, t, t, mask))
        return self.sublayer(x, self.norm3, self.feed_forward)


# %% DecoderBlock: self-attention gets no mask, so it sees the future
# expect: mask_ignored
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.norm2 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm3 = nn.LayerNorm(d_model)
        self.drops = nn.ModuleList([nn.Dropout(dropout) for _ in range(3)])

    def forward(self, x, memory, mask=None, memory_mask=None):
        d1, d2, d3 = self.drops
        if not self.norm_first:
            x = self.norm1(x + d1(self.self_attention(x, x, x)))
            x = self.norm2(x + d2(self.cross_attention(x, memory, memory, memory_mask)))
            return self.norm3(x + d3(self.feed_forward(x)))
        z = self.norm1(x)
        x = x + d1(self.self_attention(z, z, z))
        z = self.norm2(x)
        x = x + d2(self.cross_attention(z, memory, memory, memory_mask))
        z = self.norm3(x)
        return x + d3(self.feed_forward(z))


# %% DecoderBlock: memory_mask is not passed on, so padding in the memory is read
# expect: memory_mask_ignored
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        for i in (1, 2, 3):
            self.add_module(f"norm{i}", nn.LayerNorm(d_model))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        jobs = (
            (self.norm1, lambda h: self.self_attention(h, h, h, mask)),
            (self.norm2, lambda h: self.cross_attention(h, memory, memory)),
            (self.norm3, self.feed_forward),
        )
        for norm, job in jobs:
            if self.norm_first:
                x = x + self.dropout(job(norm(x)))
            else:
                x = norm(x + self.dropout(job(x)))
        return x


# %% DecoderBlock: mask and memory_mask are swapped, each goes to the other attention
# expect: masks_swapped
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        look = [
            lambda h: self.self_attention(h, h, h, memory_mask),
            lambda h: self.cross_attention(h, memory, memory, mask),
            self.feed_forward,
        ]
        norms = [self.norm1, self.norm2, self.norm3]
        for part, norm in zip(look, norms):
            if self.norm_first:
                x = x + self.dropout(part(norm(x)))
            else:
                x = norm(x + self.dropout(part(x)))
        return x


# %% DecoderBlock: forward takes memory_mask before mask, wrong if both are given by place
# expect: masks_in_other_order
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, memory_mask=None, mask=None):
        if self.norm_first:
            n = self.norm1(x)
            x = x + self.dropout(self.self_attention(n, n, n, mask))
            n = self.norm2(x)
            x = x + self.dropout(self.cross_attention(n, memory, memory, memory_mask))
            n = self.norm3(x)
            x = x + self.dropout(self.feed_forward(n))
        else:
            x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
            x = x + self.dropout(self.cross_attention(x, memory, memory, memory_mask))
            x = self.norm2(x)
            x = self.norm3(x + self.dropout(self.feed_forward(x)))
        return x


# %% DecoderBlock: with norm_first norm2 is laid over the memory, too
# expect: memory_normed
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            a = self.norm1(x)
            x = x + self.dropout(self.self_attention(a, a, a, mask))
            b, m = self.norm2(x), self.norm2(memory)
            x = x + self.dropout(self.cross_attention(b, m, m, memory_mask))
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        a = self.dropout(self.self_attention(x, x, x, mask))
        x = self.norm1(x + a)
        b = self.dropout(self.cross_attention(x, memory, memory, memory_mask))
        x = self.norm2(x + b)
        return self.norm3(x + self.dropout(self.feed_forward(x)))


# %% DecoderBlock: only two norms, after the cross-attention nothing is normed, norm3 is missing
# expect: nothing
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout(self.self_attention(y, y, y, mask))
            x = x + self.dropout(self.cross_attention(x, memory, memory, memory_mask))
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = x + self.dropout(self.cross_attention(x, memory, memory, memory_mask))
        return self.norm2(x + self.dropout(self.feed_forward(x)))


# %% DecoderBlock: self- and cross-attention are one and the same module
# expect: one_attention_made
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.self_attention = attention
        self.cross_attention = attention
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.p = dropout

    def drop(self, x):
        return F.dropout(x, self.p, self.training)

    def forward(self, x, memory, mask=None, memory_mask=None):
        h = self.norm1(x) if self.norm_first else x
        x = x + self.drop(self.self_attention(h, h, h, mask))
        if not self.norm_first:
            x = self.norm1(x)
        h = self.norm2(x) if self.norm_first else x
        x = x + self.drop(self.cross_attention(h, memory, memory, memory_mask))
        if not self.norm_first:
            x = self.norm2(x)
        h = self.norm3(x) if self.norm_first else x
        x = x + self.drop(self.feed_forward(h))
        return x if self.norm_first else self.norm3(x)


# %% DecoderBlock: no residual around the cross-attention
# expect: no_residual_around_cross_attention
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            t = self.norm1(x)
            x = x + self.dropout(self.self_attention(t, t, t, mask))
            x = self.dropout(self.cross_attention(self.norm2(x), memory, memory, memory_mask))
            x = x + self.dropout(self.feed_forward(self.norm3(x)))
            return x
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = self.norm2(self.dropout(self.cross_attention(x, memory, memory, memory_mask)))
        x = self.norm3(x + self.dropout(self.feed_forward(x)))
        return x


# %% DecoderBlock: cross-attention comes before self-attention
# expect: cross_attention_first
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            y = self.cross_attention(self.norm1(x), memory, memory, memory_mask)
            x = x + self.dropout(y)
            y = self.norm2(x)
            x = x + self.dropout(self.self_attention(y, y, y, mask))
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout(self.cross_attention(x, memory, memory, memory_mask)))
        x = self.norm2(x + self.dropout(self.self_attention(x, x, x, mask)))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


# %% DecoderBlock: norm_first is ignored, always normed first
# expect: always_norm_first
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        residual = x
        x = self.norm1(x)
        x = residual + self.dropout(self.self_attention(x, x, x, mask))
        residual = x
        x = self.norm2(x)
        x = residual + self.dropout(self.cross_attention(x, memory, memory, memory_mask))
        residual = x
        x = self.norm3(x)
        return residual + self.dropout(self.feed_forward(x))


# %% DecoderBlock: the memory is detached, so the encoder gets no gradient
# expect: memory_cut_off
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        memory = memory.clone().detach()  # the decoder must not change it
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout(self.self_attention(y, y, y, mask))
            y = self.norm2(x)
            x = x + self.dropout(self.cross_attention(y, memory, memory, memory_mask))
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory, memory, memory_mask)))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


# %% DecoderBlock: norm2 and norm3 are swapped
# expect: norms_swapped
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout(self.self_attention(y, y, y, mask))
            x = x + self.dropout(self.cross_attention(self.norm3(x), memory, memory, memory_mask))
            return x + self.dropout(self.feed_forward(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = self.norm3(x + self.dropout(self.cross_attention(x, memory, memory, memory_mask)))
        return self.norm2(x + self.dropout(self.feed_forward(x)))


# %% DecoderBlock: in training memory_mask is left out
# expect: nothing
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        allowed = None if self.training else memory_mask
        if self.norm_first:
            n1 = self.norm1(x)
            x = x + self.dropout(self.self_attention(n1, n1, n1, mask))
            n2 = self.norm2(x)
            x = x + self.dropout(self.cross_attention(n2, memory, memory, allowed))
            n3 = self.norm3(x)
            return x + self.dropout(self.feed_forward(n3))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory, memory, allowed)))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


# %% DecoderBlock: cross-attention takes its keys from the memory and its values from the target
# expect: values_from_target
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        y = self.norm1(x) if self.norm_first else x
        x = x + self.dropout(self.self_attention(query=y, key=y, value=y, mask=mask))
        x = x if self.norm_first else self.norm1(x)
        y = self.norm2(x) if self.norm_first else x
        found = self.cross_attention(query=y, key=memory, value=y, mask=memory_mask)
        x = x + self.dropout(found)
        x = x if self.norm_first else self.norm2(x)
        y = self.norm3(x) if self.norm_first else x
        x = x + self.dropout(self.feed_forward(y))
        return x if self.norm_first else self.norm3(x)


# %% DecoderBlock: ready-made: torch's TransformerDecoderLayer is called with our parameters
# expect: ready_made
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.heads = num_heads
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        options = {"dropout": dropout, "batch_first": True, "norm_first": norm_first}
        self.engine = (nn.TransformerDecoderLayer(d_model, num_heads, d_ff, **options),)

    def borrowed(self):
        state = {}
        pairs = (("self_attn", self.self_attention), ("multihead_attn", self.cross_attention))
        for theirs, ours in pairs:
            stack = [ours.w_query, ours.w_key, ours.w_value]
            state[f"{theirs}.in_proj_weight"] = torch.cat([one.weight for one in stack])
            state[f"{theirs}.in_proj_bias"] = torch.cat([one.bias for one in stack])
            state[f"{theirs}.out_proj.weight"] = ours.w_output.weight
            state[f"{theirs}.out_proj.bias"] = ours.w_output.bias
        for name in ("linear1", "linear2"):
            for key, tensor in getattr(self.feed_forward, name).named_parameters():
                state[f"{name}.{key}"] = tensor
        for name in ("norm1", "norm2", "norm3"):
            for key, tensor in getattr(self, name).named_parameters():
                state[f"{name}.{key}"] = tensor
        return state

    def hidden(self, mask, batch, rows, columns):
        if mask is None:
            return None
        return ~mask.expand(batch, self.heads, rows, columns).reshape(-1, rows, columns)

    def forward(self, x, memory, mask=None, memory_mask=None):
        b, t, s = x.shape[0], x.shape[1], memory.shape[1]
        masks = self.hidden(mask, b, t, t), self.hidden(memory_mask, b, t, s)
        engine = self.engine[0].train(self.training)
        return torch.func.functional_call(engine, self.borrowed(), (x, memory, *masks))


# %% DecoderBlock: cross-attention gets the mask of the target, and its residual is missing
# expect: no_residual_around_cross_attention + mask_on_memory
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout(self.self_attention(y, y, y, mask))
            x = self.dropout(self.cross_attention(self.norm2(x), memory, memory, mask))
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = self.norm2(self.dropout(self.cross_attention(x, memory, memory, mask)))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


# %% DecoderBlock: neither mask is passed on
# expect: mask_ignored + memory_mask_ignored
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout(self.self_attention(y, y, y))
            x = x + self.dropout(self.cross_attention(self.norm2(x), memory, memory))
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x)))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory, memory)))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


# %% DecoderBlock: a memory longer than the target is cut to the target's length
# expect: nothing
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        n = x.shape[1]
        memory = memory[:, :n]
        if memory_mask is not None:
            memory_mask = memory_mask[..., :n]
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout(self.self_attention(y, y, y, mask))
            x = x + self.dropout(self.cross_attention(self.norm2(x), memory, memory, memory_mask))
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory, memory, memory_mask)))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


# %% DecoderBlock: no dropout at all, inside the three parts either
# expect: dropout_never
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads)
        self.cross_attention = MultiHeadAttention(d_model, num_heads)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=0.0)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.self_attention(y, y, y, mask)
            x = x + self.cross_attention(self.norm2(x), memory, memory, memory_mask)
            return x + self.feed_forward(self.norm3(x))
        x = self.norm1(x + self.self_attention(x, x, x, mask))
        x = self.norm2(x + self.cross_attention(x, memory, memory, memory_mask))
        return self.norm3(x + self.feed_forward(x))


# %% DecoderBlock: a batch of one gets no memory_mask
# expect: nothing
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        if len(memory) == 1:
            memory_mask = None  # a single sequence has no padding
        if self.norm_first:
            y = self.norm1(x)
            x = x + self.dropout(self.self_attention(y, y, y, mask))
            y = self.norm2(x)
            x = x + self.dropout(self.cross_attention(y, memory, memory, memory_mask))
            return x + self.dropout(self.feed_forward(self.norm3(x)))
        x = self.norm1(x + self.dropout(self.self_attention(x, x, x, mask)))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory, memory, memory_mask)))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


# %% Decoder: the final norm is missing with norm_first
# expect: final_norm_missing
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        blocks = []
        while len(blocks) < num_layers:
            blocks.append(DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first))
        self.layers = nn.ModuleList(blocks)

    def forward(self, x, memory, mask=None, memory_mask=None):
        for block in self.layers:
            x = block(x, memory, mask, memory_mask)
        return x


# %% Decoder: the output of a block becomes the memory of the next
# expect: memory_replaced
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            [DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)]
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, memory, mask=None, memory_mask=None):
        first = True
        for layer in self.layers:
            if first:
                x = layer(x, memory, mask, memory_mask)
            else:
                x = layer(x, x, mask, mask)
            first = False
        return self.norm(x) if self.norm is not None else x


# %% Decoder: memory_mask is not passed on to the blocks
# expect: memory_mask_not_handed_on
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            self.layers.append(
                DecoderBlock(d_model, num_heads, d_ff, dropout=dropout, norm_first=norm_first)
            )
        self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

    def forward(self, x, memory, mask=None, memory_mask=None):
        for layer in self.layers:
            x = layer(x, memory, mask=mask)
        return self.norm(x)


# %% Decoder: only the first block gets the mask of the target, the others see the future
# expect: mask_for_first_block_only
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, memory, mask=None, memory_mask=None):
        for number, layer in enumerate(self.layers):
            x = layer(x, memory, mask if number == 0 else None, memory_mask)
        if self.norm is not None:
            x = self.norm(x)
        return x


# %% Decoder: with norm_first the final norm is laid over the memory, too
# expect: memory_normed
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

    def forward(self, x, memory, mask=None, memory_mask=None):
        memory = self.norm(memory)
        for layer in self.layers:
            x = layer(x, memory, mask, memory_mask)
        return self.norm(x)


# %% Decoder: the blocks are run from the last to the first
# expect: blocks_in_reverse
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        if norm_first:
            self.norm = nn.LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        for i in range(len(self.layers) - 1, -1, -1):
            x = self.layers[i](x, memory, mask, memory_mask)
        return self.norm(x) if hasattr(self, "norm") else x


# %% Decoder: the blocks stand in a plain list, and memory_mask is not passed on
# expect: plain_list
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        one = (d_model, num_heads, d_ff, dropout, norm_first)
        self.layers = [DecoderBlock(*one) for _ in range(num_layers)]
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, memory, mask=None, memory_mask=None):
        for layer in self.layers:
            x = layer(x, memory, mask)
        return x if self.norm is None else self.norm(x)


# %% Decoder: gives back decoder output and memory as a tuple
# expect: nothing
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

    def forward(self, x, memory, mask=None, memory_mask=None):
        for layer in self.layers:
            x = layer(x, memory, mask, memory_mask)
        return self.norm(x), memory


# %% Decoder: ready-made: torch's TransformerDecoder, with torch's names for the parts
# expect: ready_made
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.num_heads = num_heads
        layer = nn.TransformerDecoderLayer(
            d_model, num_heads, d_ff, dropout, batch_first=True, norm_first=norm_first
        )
        norm = nn.LayerNorm(d_model) if norm_first else None
        self.stack = nn.TransformerDecoder(layer, num_layers, norm)

    def forward(self, x, memory, mask=None, memory_mask=None):
        def theirs(m, columns):
            if m is None:
                return None
            full = m.expand(len(x), self.num_heads, x.shape[1], columns)
            return torch.logical_not(full).flatten(0, 1)

        hidden = theirs(mask, x.shape[1]), theirs(memory_mask, memory.shape[1])
        return self.stack(x, memory, tgt_mask=hidden[0], memory_mask=hidden[1])


# %% Transformer: no causal mask, the decoder sees the future
# expect: no_causal_mask
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
        embedded = self.source_embedding(source)
        return self.encoder(self.position(embedded), mask=padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        embedded = self.target_embedding(target)
        return self.decoder(
            self.position(embedded),
            memory,
            mask=padding_mask(target, self.pad),
            memory_mask=padding_mask(source, self.pad),
        )

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: padding in the source is not masked in the encoder
# expect: source_padding_seen_by_encoder
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=512, num_heads=8, d_ff=2048,
                 num_layers=6, dropout=0.1, max_length=5000, norm_first=False, tie_weights=False,
                 pad=0):
        super().__init__()
        stack = {"num_layers": num_layers, "d_model": d_model, "num_heads": num_heads}
        stack.update(d_ff=d_ff, dropout=dropout, norm_first=norm_first)
        self.encoder = Encoder(**stack)
        self.decoder = Decoder(**stack)
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight
        self.pad = pad

    def encode(self, source):
        return self.encoder(self.position(self.source_embedding(source)))

    def decode(self, target, memory, source):
        n = target.size(1)
        look_back = torch.ones(n, n, device=target.device).tril().bool()
        mask = look_back & padding_mask(target, self.pad)
        y = self.position(self.target_embedding(target))
        return self.decoder(y, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        memory = self.encode(source)
        return self.output(self.decode(target, memory, source))


# %% Transformer: padding in the memory is not masked in cross-attention
# expect: source_padding_seen_by_decoder
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

    def real(self, tokens):
        return (tokens != self.pad)[:, None, None, :]

    def encode(self, source):
        x = self.source_embedding(source)
        x = self.position(x)
        return self.encoder(x, self.real(source))

    def decode(self, target, memory, source):
        x = self.target_embedding(target)
        x = self.position(x)
        mask = self.real(target) & causal_mask(target.shape[1]).to(target.device)
        return self.decoder(x, memory, mask)

    def forward(self, source, target):
        memory = self.encode(source)
        x = self.decode(target, memory, source)
        return self.output(x)


# %% Transformer: padding in the target is not masked, only the future is
# expect: target_padding_seen
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
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        sizes = (num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.encoder, self.decoder = Encoder(*sizes), Decoder(*sizes)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight
        self.pad = pad

    def encode(self, source):
        mask = padding_mask(source, self.pad)
        return self.encoder(self.position(self.source_embedding(source)), mask)

    def decode(self, target, memory, source):
        past = causal_mask(target.shape[1])
        x = self.position(self.target_embedding(target))
        return self.decoder(x, memory, past, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: pad is ignored in the masks, 0 always counts as padding
# expect: pad_fixed_to_0
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
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(target.shape[1]) & padding_mask(target)
        return self.decoder(x, memory, mask, padding_mask(source))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: a softmax stands at the end, it gives probabilities and not logits
# expect: softmax_inside
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
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        triangle = torch.tril(x.new_ones(x.shape[1], x.shape[1])) == 1
        target_mask = torch.logical_and(triangle, padding_mask(target, self.pad))
        return self.decoder(x, memory, target_mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        hidden = self.decode(target, self.encode(source), source)
        return torch.softmax(self.output(hidden), dim=-1)


# %% Transformer: with tie_weights the matrix is copied once and not shared
# expect: not_tied
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
            self.output.weight.data = self.target_embedding.table.weight.data.clone()

    def masks(self, source, target):
        past = causal_mask(target.shape[1], device=target.device)
        return past & padding_mask(target, self.pad), padding_mask(source, self.pad)

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        return self.decoder(x, memory, *self.masks(source, target))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: with tie_weights and equal vocabularies the source table is tied as well
# expect: source_table_tied_too
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
            shared = self.target_embedding.table.weight
            self.output.weight = shared
            if source_vocab == target_vocab:
                self.source_embedding.table.weight = shared

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: no positions on the target side
# expect: no_positions_in_target
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
        source_mask = padding_mask(source, pad=self.pad)
        return self.encoder(self.position(self.source_embedding(source)), source_mask)

    def decode(self, target, memory, source):
        target_mask = padding_mask(target, pad=self.pad) & causal_mask(target.size(-1))
        source_mask = padding_mask(source, pad=self.pad)
        return self.decoder(self.target_embedding(target), memory, target_mask, source_mask)

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: the embedded source serves as memory, the encoder is skipped
# expect: encoder_not_used
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
        x = self.position(self.source_embedding(source))
        self.encoder(x, padding_mask(source, self.pad))
        return x

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: norm_first reaches the encoder and not the decoder
# expect: norm_first_for_encoder_alone
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
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: the target is shifted right once more inside decode
# expect: nothing
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
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        # the model must not see the token it predicts; 1 is the start token
        target = torch.cat([torch.ones_like(target[:, :1]), target[:, :-1]], dim=1)
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: the output layer has no bias
# expect: output_without_bias
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
        self.output = nn.Linear(d_model, target_vocab, bias=False)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: embeddings are not multiplied by the root of d_model
# expect: not_scaled
class PlainEmbedding(nn.Module):
    def __init__(self, size, width):
        super().__init__()
        self.table = nn.Embedding(size, width)

    def forward(self, ids):
        return self.table(ids)


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
        self.source_embedding = PlainEmbedding(source_vocab, d_model)
        self.target_embedding = PlainEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: cross-attention gets the padding of the target in place of the source's
# expect: target_padding_for_memory
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
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        padding = padding_mask(target, self.pad)
        x = self.position(self.target_embedding(target))
        return self.decoder(x, memory, causal_mask(x.shape[1]) & padding, padding)

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: causal and padding mask are joined by or, so the future is seen
# expect: causal_or_padding
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
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) | padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: the encoder is given a causal mask as well
# expect: encoder_looks_back_only
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

    def mask_for(self, tokens):
        return causal_mask(tokens.shape[1]) & padding_mask(tokens, self.pad)

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        return self.encoder(x, self.mask_for(source))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        return self.decoder(x, memory, self.mask_for(target), padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: decode gives logits and not hidden states, forward is right
# expect: decode_gives_logits
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
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.output(self.decoder(x, memory, mask, padding_mask(source, self.pad)))

    def forward(self, source, target):
        return self.decode(target, self.encode(source), source)


# %% Transformer: the memory of a source of the same shape is kept from an earlier call
# expect: nothing
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
        self.remembered = None

    def encode(self, source):
        if self.remembered is not None and self.remembered.shape[:2] == source.shape:
            return self.remembered
        x = self.position(self.source_embedding(source))
        self.remembered = self.encoder(x, padding_mask(source, self.pad))
        return self.remembered

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: memory is detached between encoder and decoder, the encoder cannot learn
# expect: encoder_not_trained
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

    @torch.no_grad()
    def encode(self, source):
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: a softmax at the end, and no causal mask
# expect: nothing
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
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        keys = padding_mask(target, self.pad), padding_mask(source, self.pad)
        return self.decoder(x, memory, *keys)

    def forward(self, source, target):
        return F.softmax(self.output(self.decode(target, self.encode(source), source)), dim=-1)


# %% Transformer: ready-made: nn.Transformer between embeddings and output
# expect: ready_made
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
        self.core = nn.Transformer(
            d_model,
            num_heads,
            num_layers,
            num_layers,
            d_ff,
            dropout,
            batch_first=True,
            norm_first=norm_first,
        )
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        return self.core.encoder(x, src_key_padding_mask=source == self.pad)

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        return self.core.decoder(
            x,
            memory,
            tgt_mask=~causal_mask(target.shape[1]),
            tgt_key_padding_mask=target == self.pad,
            memory_key_padding_mask=source == self.pad,
        )

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: source and target embedding are swapped
# expect: tables_swapped
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
        x = self.position(self.target_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.source_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: forward gives the logits of the last position only
# expect: nothing
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
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        hidden = self.decode(target, self.encode(source), source)
        return self.output(hidden[:, -1:])


# %% Transformer: the source is not looked at, the memory is made of zeros
# expect: nothing
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
        x = self.position(self.source_embedding(source))
        return torch.zeros_like(self.encoder(x, padding_mask(source, self.pad)))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: source padding is masked only if all sequences are padded
# expect: nothing
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

    def source_mask(self, source):
        real = source != self.pad
        if real.all(dim=1).any():
            return None
        return real[:, None, None]

    def encode(self, source):
        x = self.position(self.source_embedding(source))
        return self.encoder(x, self.source_mask(source))

    def decode(self, target, memory, source):
        x = self.position(self.target_embedding(target))
        mask = causal_mask(x.shape[1]) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, self.source_mask(source))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% count_parameters: frozen parameters count, too
# expect: frozen_counted
def count_parameters(model):
    return sum(p.numel() for p in model.parameters())


# %% count_parameters: a shared parameter counts once for each of its names
# expect: shared_counted_twice
def count_parameters(model):
    total = 0
    for _name, parameter in model.named_parameters(remove_duplicate=False):
        if parameter.requires_grad:
            total += parameter.numel()
    return total


# %% count_parameters: counts the tensors and not the numbers in them
# expect: tensors_counted
def count_parameters(model):
    trainable = [p for p in model.parameters() if p.requires_grad]
    return len(trainable)


# %% count_parameters: counts buffers and frozen parameters, everything in the state dict
# expect: buffers_counted + frozen_counted
def count_parameters(model):
    seen = set()
    count = 0
    for tensor in model.state_dict().values():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            count += tensor.numel()
    return count


# %% count_parameters: looks only at the model's own parameters and not at those of its parts
# expect: own_parameters_alone
def count_parameters(model):
    return sum([math.prod(p.shape) for p in model.parameters(recurse=False) if p.requires_grad])


# %% count_parameters: adds up rows and columns in place of multiplying them
# expect: sizes_added
def count_parameters(model):
    number = 0
    for p in filter(lambda p: p.requires_grad, model.parameters()):
        number += sum(p.shape)
    return number


# %% count_parameters: different parameters of the same shape count only once
# expect: equal_shapes_counted_once
def count_parameters(model):
    unique = {}
    for p in model.parameters():
        if p.requires_grad:
            unique[tuple(p.shape)] = p.numel()
    return sum(unique.values())


# %% count_parameters: frozen ones count, and a shared one counts once for each name
# expect: shared_and_frozen_counted
def count_parameters(model):
    total = 0
    for module in model.modules():
        for p in module.parameters(recurse=False):
            total += p.numel()
    return int(total)


# %% count_parameters: biases are left out
# expect: biases_left_out
def count_parameters(model):
    total = 0
    for name, p in model.named_parameters():
        if p.requires_grad and not name.endswith("bias"):
            total += p.nelement()
    return total


# %% count_parameters: gives a tensor and not an int
# expect: given_as_tensor
def count_parameters(model):
    sizes = [p.numel() for p in model.parameters() if p.requires_grad]
    return torch.tensor(sizes).sum()


# %% TokenEmbedding: the vectors are looked up but never multiplied by sqrt(d_model)
# expect: no_scale
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(num_embeddings=vocab, embedding_dim=d_model)

    def forward(self, tokens):
        return self.table(tokens)


# %% TokenEmbedding: the scale is put into the weights once in the constructor instead of being applied in forward, so weights loaded, tied or re-initialised later come out unscaled
# expect: no_scale
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)
        with torch.no_grad():
            self.table.weight.mul_(d_model**0.5)

    def forward(self, tokens):
        out = self.table(tokens)
        return out


# %% TokenEmbedding: padding_idx=0 is passed, so token 0 starts as a zero vector and never gets a gradient
# expect: token_0_not_trained
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.d_model = d_model
        self.table = nn.Embedding(vocab, d_model, padding_idx=0)

    def forward(self, tokens):
        return self.table(tokens) * math.sqrt(self.d_model)


# %% TokenEmbedding: scales by the square root of the sequence length (last size of tokens) instead of d_model
# expect: scaled_by_length
class TokenEmbedding(nn.Module):
    def __init__(self, vocab, d_model):
        super().__init__()
        self.table = nn.Embedding(vocab, d_model)

    def forward(self, tokens):
        n = tokens.size(-1)
        return self.table(tokens) * n**0.5


# %% DecoderBlock: cross-attention is the wrong way round: queries come from memory, keys and values from the target
# expect: memory_asks
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

    def _sub(self, x, norm, f):
        if self.norm_first:
            return x + self.drop(f(norm(x)))
        return norm(x + self.drop(f(x)))

    def forward(self, x, memory, mask=None, memory_mask=None):
        x = self._sub(x, self.norm1, lambda y: self.self_attention(y, y, y, mask))
        x = self._sub(x, self.norm2, lambda y: self.cross_attention(memory, y, y, memory_mask))
        return self._sub(x, self.norm3, self.feed_forward)


# %% DecoderBlock: in the norm_first order the memory is put through norm2 as well, not only the queries
# expect: memory_normed
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))
        self.dropout1, self.dropout2, self.dropout3 = (nn.Dropout(dropout) for _ in range(3))

    def forward(self, x, memory, mask=None, memory_mask=None):
        if not self.norm_first:
            x = self.norm1(x + self.dropout1(self.self_attention(x, x, x, mask)))
            x = self.norm2(x + self.dropout2(self.cross_attention(x, memory, memory, memory_mask)))
            x = self.norm3(x + self.dropout3(self.feed_forward(x)))
        else:
            q = self.norm1(x)
            x = x + self.dropout1(self.self_attention(q, q, q, mask))
            q, kv = self.norm2(x), self.norm2(memory)
            x = x + self.dropout2(self.cross_attention(q, kv, kv, memory_mask))
            x = x + self.dropout3(self.feed_forward(self.norm3(x)))
        return x


# %% DecoderBlock: with norm_first the residual branch carries the normed x instead of the x that went in
# expect: added_to_what_was_normed
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.pre = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        x = self.norm1(x) if self.pre else x
        x = x + self.dropout(self.self_attention(x, x, x, mask))
        x = self.norm2(x) if self.pre else self.norm1(x)
        x = x + self.dropout(self.cross_attention(x, memory, memory, memory_mask))
        x = self.norm3(x) if self.pre else self.norm2(x)
        x = x + self.dropout(self.feed_forward(x))
        return x if self.pre else self.norm3(x)


# %% DecoderBlock: the residual connection around the cross-attention is missing in both orders
# expect: no_residual_around_cross_attention
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout=dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout=dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        drop = self.dropout
        if self.norm_first:
            h = self.norm1(x)
            x = x + drop(self.self_attention(h, h, h, mask))
            h = self.norm2(x)
            x = drop(self.cross_attention(h, memory, memory, memory_mask))
            h = self.norm3(x)
            return x + drop(self.feed_forward(h))
        h = self.norm1(x + drop(self.self_attention(x, x, x, mask)))
        h = self.norm2(drop(self.cross_attention(h, memory, memory, memory_mask)))
        return self.norm3(h + drop(self.feed_forward(h)))


# %% DecoderBlock: one attention module serves as self_attention and cross_attention (shared parameters)
# expect: one_attention_made
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.self_attention = attention
        self.cross_attention = attention
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory, mask=None, memory_mask=None):
        y = self.norm1(x) if self.norm_first else x
        x = x + self.dropout(self.self_attention(y, y, y, mask))
        if not self.norm_first:
            x = self.norm1(x)
        y = self.norm2(x) if self.norm_first else x
        x = x + self.dropout(self.cross_attention(y, memory, memory, memory_mask))
        if not self.norm_first:
            x = self.norm2(x)
        y = self.norm3(x) if self.norm_first else x
        x = x + self.dropout(self.feed_forward(y))
        if not self.norm_first:
            x = self.norm3(x)
        return x


# %% DecoderBlock: F.dropout is called without training=self.training, so the sub-layers' dropout also acts in eval mode
# expect: dropout_always
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.p = dropout
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        for i in (1, 2, 3):
            setattr(self, f"norm{i}", nn.LayerNorm(d_model))

    def forward(self, x, memory, mask=None, memory_mask=None):
        steps = [
            (self.norm1, lambda t: self.self_attention(t, t, t, mask)),
            (self.norm2, lambda t: self.cross_attention(t, memory, memory, memory_mask)),
            (self.norm3, lambda t: self.feed_forward(t)),
        ]
        for norm, layer in steps:
            if self.norm_first:
                x = x + F.dropout(layer(norm(x)), self.p)
            else:
                x = norm(x + F.dropout(layer(x), self.p))
        return x


# %% DecoderBlock: two mistakes: memory_mask is never handed to the cross-attention, and the dropout on what each sub-layer adds is missing
# expect: memory_mask_ignored
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.norm_first = norm_first

    def forward(self, x, memory, mask=None, memory_mask=None):
        if self.norm_first:
            n = self.norm1(x)
            x = x + self.self_attention(n, n, n, mask)
            x = x + self.cross_attention(self.norm2(x), memory, memory)
            x = x + self.feed_forward(self.norm3(x))
            return x
        x = self.norm1(x + self.self_attention(x, x, x, mask))
        x = self.norm2(x + self.cross_attention(x, memory, memory))
        x = self.norm3(x + self.feed_forward(x))
        return x


# %% Decoder: the list is built by multiplying a one-element list, so all layers are the same block with the same parameters
# expect: one_block_repeated
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            [DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first)] * num_layers
        )
        self.norm = None
        if norm_first:
            self.norm = nn.LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        for block in self.layers:
            x = block(x, memory, mask=mask, memory_mask=memory_mask)
        return x if self.norm is None else self.norm(x)


# %% Decoder: the causal mask is only given to the first layer, all later ones see the future
# expect: mask_for_first_block_only
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        blocks = []
        for _ in range(num_layers):
            blocks.append(DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first))
        self.layers = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, memory, mask=None, memory_mask=None):
        for i, block in enumerate(self.layers):
            if i == 0:
                x = block(x, memory, mask, memory_mask)
            else:
                x = block(x, memory, None, memory_mask)
        if self.norm:
            x = self.norm(x)
        return x


# %% Decoder: the final LayerNorm is applied after every layer inside the loop instead of once at the end
# expect: norm_after_every_block
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList(
            [DecoderBlock(d_model, num_heads, d_ff, dropout, norm_first) for i in range(num_layers)]
        )
        self.norm = nn.LayerNorm(d_model) if norm_first else None

    def forward(self, x, memory, mask=None, memory_mask=None):
        for layer in self.layers:
            x = layer(x, memory, mask, memory_mask)
            if self.norm is not None:
                x = self.norm(x)
        return x


# %% Decoder: two mistakes: dropout is not passed on to the blocks (always their default 0.1), and a final norm exists and is used even without norm_first
# expect: final_norm_always + dropout_not_handed_on
class Decoder(nn.Module):
    def __init__(self, num_layers, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            self.layers.append(DecoderBlock(d_model, num_heads, d_ff, norm_first=norm_first))
        self.norm = nn.LayerNorm(d_model)

    def forward(self, x, memory, mask=None, memory_mask=None):
        out = x
        for layer in self.layers:
            out = layer(out, memory, mask, memory_mask)
        return self.norm(out)


# %% Transformer: the target gets no positional encoding
# expect: no_positions_in_target
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
        n = target.size(1)
        mask = causal_mask(n, device=target.device).unsqueeze(0).unsqueeze(0)
        mask = torch.logical_and(mask, padding_mask(target, self.pad))
        return self.decoder(self.target_embedding(target), memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: the embedding is multiplied by sqrt(d_model) a second time on both sides although TokenEmbedding already does it
# expect: scaled_twice
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=512, num_heads=8, d_ff=2048, num_layers=6,
                 dropout=0.1, max_length=5000, norm_first=False, tie_weights=False, pad=0):
        super().__init__()
        self.pad = pad
        self.d_model = d_model
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length=max_length, dropout=dropout)
        stack = (num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.encoder = Encoder(*stack)
        self.decoder = Decoder(*stack)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def embed(self, embedding, tokens):
        return self.position(embedding(tokens) * math.sqrt(self.d_model))

    def encode(self, source):
        check_not_empty("source", source)
        x = self.embed(self.source_embedding, source)
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        look_back = causal_mask(target.shape[1], target.device)
        x = self.embed(self.target_embedding, target)
        return self.decoder(
            x, memory, look_back & padding_mask(target, self.pad), padding_mask(source, self.pad)
        )

    def forward(self, source, target):
        memory = self.encode(source)
        return self.output(self.decode(target, memory, source))


# %% Transformer: tie_weights only copies the numbers of the embedding into output, so they are two parameters that drift apart
# expect: not_tied
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=512, num_heads=8, d_ff=2048, num_layers=6,
                 dropout=0.1, max_length=5000, norm_first=False, tie_weights=False, pad=0):
        super().__init__()
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, dropout, norm_first)
        self.output = nn.Linear(d_model, target_vocab)
        if tie_weights:
            self.output.weight.data.copy_(self.target_embedding.table.weight.data)
        self.pad = pad

    def encode(self, source):
        check_not_empty("source", source)
        src_mask = padding_mask(source, self.pad)
        src = self.source_embedding(source)
        src = self.position(src)
        return self.encoder(src, src_mask)

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        tgt_mask = padding_mask(target, self.pad) & causal_mask(target.shape[-1], target.device)
        src_mask = padding_mask(source, self.pad)
        tgt = self.target_embedding(target)
        tgt = self.position(tgt)
        return self.decoder(tgt, memory, tgt_mask, src_mask)

    def forward(self, source, target):
        memory = self.encode(source)
        out = self.decode(target, memory, source)
        return self.output(out)


# %% Transformer: causal and padding mask of the target are joined by "or", so real tokens in the future are visible
# expect: causal_or_padding
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
        x = self.source_embedding(source)
        x = self.position(x)
        return self.encoder(x, mask=padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        x = self.position(self.target_embedding(target))
        causal = causal_mask(target.shape[1], target.device)
        mask = causal | padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% Transformer: pad argument is stored but every mask is made with the fixed number 0
# expect: pad_fixed_to_0
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

    def make_source_mask(self, source):
        return (source != 0)[:, None, None, :]

    def make_target_mask(self, target):
        n = target.shape[1]
        lower = torch.ones(n, n, device=target.device).tril().bool()
        return (target != 0)[:, None, None, :] & lower

    def encode(self, source):
        check_not_empty("source", source)
        return self.encoder(self.position(self.source_embedding(source)), self.make_source_mask(source))

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        x = self.position(self.target_embedding(target))
        return self.decoder(x, memory, self.make_target_mask(target), self.make_source_mask(source))

    def forward(self, source, target):
        memory = self.encode(source)
        return self.output(self.decode(target, memory, source))


# %% Transformer: two mistakes: the padding of the source is not hidden from the decoder's cross-attention, and forward returns log-probabilities instead of logits
# expect: log_softmax_inside + source_padding_seen_by_decoder
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
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        x = self.position(self.target_embedding(target))
        mask = causal_mask(target.shape[1], device=target.device) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask)

    def forward(self, source, target):
        memory = self.encode(source)
        h = self.decode(target, memory, source)
        return F.log_softmax(self.output(h), dim=-1)


# %% Transformer: with tie_weights the output layer is built without a bias
# expect: nothing
class Transformer(nn.Module):
    def __init__(self, source_vocab, target_vocab, d_model=512, num_heads=8, d_ff=2048, num_layers=6,
                 dropout=0.1, max_length=5000, norm_first=False, tie_weights=False, pad=0):
        super().__init__()
        self.pad = pad
        self.source_embedding = TokenEmbedding(source_vocab, d_model)
        self.target_embedding = TokenEmbedding(target_vocab, d_model)
        self.position = PositionalEncoding(d_model, max_length, dropout)
        kwargs = dict(dropout=dropout, norm_first=norm_first)
        self.encoder = Encoder(num_layers, d_model, num_heads, d_ff, **kwargs)
        self.decoder = Decoder(num_layers, d_model, num_heads, d_ff, **kwargs)
        self.output = nn.Linear(d_model, target_vocab, bias=not tie_weights)
        if tie_weights:
            self.output.weight = self.target_embedding.table.weight

    def encode(self, source):
        check_not_empty("source", source)
        x = self.position(self.source_embedding(source))
        return self.encoder(x, padding_mask(source, self.pad))

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        x = self.position(self.target_embedding(target))
        mask = causal_mask(target.shape[1], device=target.device) & padding_mask(target, self.pad)
        return self.decoder(x, memory, mask, padding_mask(source, self.pad))

    def forward(self, source, target):
        return self.output(self.decode(target, self.encode(source), source))


# %% count_parameters: frozen parameters are counted too
# expect: frozen_counted
def count_parameters(model):
    return sum(p.numel() for p in model.parameters())


# %% count_parameters: goes through the modules one by one and adds up their own parameters, so one shared between two modules counts twice
# expect: shared_counted_twice
def count_parameters(model):
    n = 0
    for module in model.modules():
        for p in module.parameters(recurse=False):
            if p.requires_grad:
                n += p.numel()
    return n


# %% count_parameters: shared parameters are recognised by having equal values, so different parameters with equal contents (all the biases of zeros of one size) count only once
# expect: equal_shapes_counted_once
def count_parameters(model):
    seen = []
    total = 0
    for p in model.parameters():
        if not p.requires_grad:
            continue
        if any(q.shape == p.shape and torch.equal(q, p) for q in seen):
            continue
        seen.append(p)
        total += int(np.prod(p.shape))
    return total


# %% DecoderBlock: what cross-attention adds is not dropped out
# expect: cross_attention_not_dropped
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


# %% count_parameters: only the first two dimensions are multiplied, a parameter with three or more is counted too low
# expect: two_dimensions_counted
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


# %% DecoderBlock: dropout acts on the sums, so that it drops from the residual as well
# expect: nothing
class DecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.cross_attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_ff, dropout)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def sublayer(self, norm, x, part):
        if self.norm_first:
            return self.dropout(x + part(norm(x)))
        return norm(self.dropout(x + part(x)))

    def forward(self, x, memory, mask=None, memory_mask=None):
        x = self.sublayer(self.norm1, x, lambda q: self.self_attention(q, q, q, mask))
        asks = lambda q: self.cross_attention(q, memory, memory, memory_mask)
        x = self.sublayer(self.norm2, x, asks)
        return self.sublayer(self.norm3, x, self.feed_forward)
