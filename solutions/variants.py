"""Lesson 7 · What came after: the parts that today's models changed, added or made cheaper."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from .arguments import check_attention, check_dropout, check_even, check_heads, check_window
from .attention import causal_mask, scaled_dot_product_attention, softmax
from .encoder_block import FeedForward
from .multi_head import merge_heads, split_heads

# --- Positions without adding anything to the tokens ----------------------------------------------


def rotary_embedding(x, offset=0, base=10000.0):
    """RoPE: turn each pair of features by an angle that grows with the position.

    (a, b) → (a cos θ - b sin θ, a sin θ + b cos θ),  θ = position / base^(2i / d_head)

    The dot product of a turned query and a turned key depends on how far apart they stand, and
    not on where (Su et al., 2021, section 3.2).

    Args:
        x: (..., length, d_head) queries or keys; d_head must be even.
        offset: the position of the first token.
        base: how slow the slowest pair is.
    Returns:
        The same shape.
    """
    length, d_head = x.shape[-2:]
    check_even("d_head", d_head)
    ### BEGIN SOLUTION
    precise = torch.promote_types(x.dtype, torch.float32)  # bfloat16 has too few digits for angles
    position = torch.arange(offset, offset + length, device=x.device, dtype=precise)  # (length,)
    two_i = torch.arange(0, d_head, 2, device=x.device, dtype=precise)  # (pairs,)
    angle = position[:, None] / base ** (two_i / d_head)  # (length, pairs)
    sine, cosine = angle.sin().to(x.dtype), angle.cos().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]  # (..., length, pairs) each
    turned_a = a * cosine - b * sine
    turned_b = a * sine + b * cosine
    return torch.stack([turned_a, turned_b], dim=-1).flatten(-2)  # (..., length, d_head)
    ### END SOLUTION


def alibi_bias(num_heads, length, device=None):
    """ALiBi: take from every score in proportion to the distance; each head has a slope of its own.

    bias = -slope · (query position - key position),  slope of head i = 2^(-8i / h), i = 1 … h

    (Press et al., 2022, section 3)

    Args:
        num_heads: h.
        length: number of positions.
        device: where to make it; torch's default device if None.
    Returns:
        (heads, length, length), to be added to the scores; what lies in the future is left to the
        causal mask.
    """
    ### BEGIN SOLUTION
    head = torch.arange(1, num_heads + 1, device=device)
    slope = 2.0 ** (-8.0 * head / num_heads)  # (heads,)
    position = torch.arange(length, device=device)
    distance = position[:, None] - position[None, :]  # (query, key)
    return -slope[:, None, None] * distance  # (heads, query, key)
    ### END SOLUTION


# --- Attention that costs less --------------------------------------------------------------------


def sliding_window_mask(length, window, device=None):
    """Let every position see itself and the window - 1 positions before it.

    (Beltagy et al., 2020, section 3.1, where a window looks to both sides)

    Args:
        length: number of positions.
        window: how many keys a query sees at most; at least 1.
        device: where to make the mask; torch's default device if None.
    Returns:
        Boolean (length, length), True where a query may attend.
    """
    check_window(window)
    ### BEGIN SOLUTION
    position = torch.arange(length, device=device)
    distance = position[:, None] - position[None, :]  # (query, key)
    return (distance >= 0) & (distance < window)
    ### END SOLUTION


def sliding_window_attention(query, key, value, window):
    """Causal attention over the last `window` keys, at a cost of length · window and not length².

    The sequence is cut into blocks as long as the window: all that a query may see then lies in
    its own block and in the one before. The result is that of attention under sliding_window_mask.

    (Beltagy et al., 2020, section 3.1)

    Args:
        query, key: (..., length, d_k)
        value: (..., length, d_v)
        window: how many keys a query sees at most; at least 1.
    Returns:
        (..., length, d_v)
    """
    check_attention(query, key, value, None)
    length = query.shape[-2]
    if key.shape[-2] != length:
        raise ValueError(f"{length} queries need as many keys, but there are {key.shape[-2]}")
    check_window(window)
    window = min(window, length)  # a longer one would see no more
    blocks = math.ceil(length / window)
    # Rows: the queries of a block. Columns: the keys of the block before, then of its own.
    mask = sliding_window_mask(2 * window, window, query.device)[window:]  # (window, 2·window)
    mask = mask.repeat(blocks, 1, 1)  # (blocks, window, 2·window)
    mask[0, :, :window] = False  # before the first block there is nothing

    def cut(x):
        """(..., length, d) → (..., blocks, window, d), the last block filled up with zeros."""
        return F.pad(x, (0, 0, 0, blocks * window - length)).unflatten(-2, (blocks, window))

    ### BEGIN SOLUTION
    def with_previous(x):
        previous = F.pad(x, (0, 0, 0, 0, 1, 0))[..., :-1, :, :]  # each block's predecessor
        return torch.cat([previous, x], dim=-2)  # (..., blocks, 2·window, d)

    query = cut(query)  # (..., blocks, window, d_k)
    key, value = with_previous(cut(key)), with_previous(cut(value))
    output, _ = scaled_dot_product_attention(query, key, value, mask)  # (..., blocks, window, d_v)
    return output.flatten(-3, -2)[..., :length, :]  # (..., length, d_v)
    ### END SOLUTION


def tiled_attention(query, key, value, mask=None, tile=64):
    """Exact attention that sees the keys tile by tile, without ever holding all the scores.

    The softmax is made online: keep the highest score so far, the sum of the exponentials and the
    mixed values; when a tile brings a higher score, shrink what was kept by exp(old - new). (With
    gradients, autograd keeps every tile; the real FlashAttention makes them again.)

    (Dao et al., 2022, algorithm 1)

    Args:
        query, key, value, mask: as in scaled_dot_product_attention.
        tile: how many keys to look at together.
    Returns:
        (..., query, d_v)
    """
    check_attention(query, key, value, mask)
    if mask is None:
        mask = torch.ones(1, dtype=torch.bool, device=query.device)
    mask = torch.atleast_1d(mask)
    mask = mask.expand(*mask.shape[:-1], key.shape[-2])  # (..., key), a view: nothing is written
    query = query / math.sqrt(query.shape[-1])
    highest = query.new_full((*query.shape[:-1], 1), float("-inf"))  # (..., query, 1)
    total = torch.zeros_like(highest)  # (..., query, 1)
    output = query.new_zeros(*query.shape[:-1], value.shape[-1])  # (..., query, d_v)
    for start in range(0, key.shape[-2], tile):
        here = slice(start, start + tile)
        ### BEGIN SOLUTION
        allowed = mask[..., here]  # (..., query or 1, tile)
        scores = query @ key[..., here, :].transpose(-2, -1)  # (..., query, tile)
        scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
        new_highest = torch.maximum(highest, scores.amax(-1, keepdim=True)).detach()
        shrink = torch.exp(highest - new_highest)
        exponentials = torch.exp(scores - new_highest).masked_fill(~allowed, 0.0)
        total = total * shrink + exponentials.sum(-1, keepdim=True)
        output = output * shrink + exponentials @ value[..., here, :]
        highest = new_highest
        ### END SOLUTION
    total = total.masked_fill(total == 0, 1.0)  # a query that may attend to nothing gets zeros
    return output / total  # (..., query, d_v)


# --- Generating: remember what was read, and choose what to write ---------------------------------


class KeyValueCache:
    """The keys and values of the tokens read so far, in memory that is set aside once.

    For generating: it is written in place, so no gradients go through it.
    """

    def __init__(self, capacity):
        self.capacity = capacity
        self.length = 0
        self.keys = self.values = None

    def append(self, key, value):
        """Store those of new tokens, (batch, heads, new, d_head); return those of all so far."""
        start, end = self.length, self.length + key.shape[2]
        if end > self.capacity:
            raise ValueError(f"the cache has capacity={self.capacity}, too little for {end} tokens")
        if self.keys is None:
            batch, heads, _, d_head = key.shape
            self.keys = key.new_empty(batch, heads, self.capacity, d_head)
            self.values = torch.empty_like(self.keys)
        self.keys[:, :, start:end] = key.detach()
        self.values[:, :, start:end] = value.detach()
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]  # (batch, heads, length, d_head)


class CausalSelfAttention(nn.Module):
    """Multi-head attention to a sequence's own past, with a memory and positions in the scores.

    (Vaswani et al., 2017, section 3.2.3: self-attention of the decoder, without the encoder)

    Args:
        d_model, num_heads, dropout: as in MultiHeadAttention, and with the same parameters.
        positions: "rotary" turns queries and keys, "alibi" takes from the scores, None does
            neither.

    After a call, `weights` holds its attention weights (batch, heads, new, past + new), detached,
    before dropout.
    """

    def __init__(self, d_model, num_heads, dropout=0.0, positions=None):
        super().__init__()
        check_heads(d_model, num_heads)
        check_dropout(dropout)
        self.num_heads, self.positions = num_heads, positions
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None

    def forward(self, x, cache=None):
        """x (batch, new, d_model) → the same shape; x follows on what the cache has read."""
        past = 0 if cache is None else cache.length
        ### BEGIN SOLUTION
        query = split_heads(self.w_query(x), self.num_heads)  # (batch, heads, new, d_head)
        key = split_heads(self.w_key(x), self.num_heads)
        value = split_heads(self.w_value(x), self.num_heads)
        if self.positions == "rotary":
            query, key = rotary_embedding(query, past), rotary_embedding(key, past)
        if cache is not None:
            key, value = cache.append(key, value)  # (batch, heads, past + new, d_head)
        output = self.look_back(query, key, value)  # (batch, heads, new, d_head)
        return self.w_output(merge_heads(output))  # (batch, new, d_model)
        ### END SOLUTION

    def look_back(self, query, key, value):
        """Attention in which the last query stands at the last key; the weights are kept."""
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        weights = softmax(scores + self.bias(query, key))  # (batch, heads, new, past + new)
        self.weights = weights.detach()
        return self.dropout(weights) @ value  # (batch, heads, new, d_head)

    def bias(self, query, key):
        """What is added to the scores, (..., new, past + new): -inf for the future."""
        new, length = query.shape[-2], key.shape[-2]
        bias = query.new_zeros(new, length)
        if self.positions == "alibi":
            bias = alibi_bias(self.num_heads, length, query.device)[:, -new:].to(query.dtype)
        return bias.masked_fill(~causal_mask(length, query.device)[-new:], float("-inf"))


def sample_token(logits, temperature=1.0, top_k=None, generator=None):
    """Draw the next token: a low temperature prefers the likely, top_k leaves only the k likeliest.

    p = softmax(logits / temperature)                  (top_k: Fan et al., 2018)

    Args:
        logits: (batch, vocab)
        temperature: 0 always takes the likeliest.
        top_k: None for all; tokens as likely as the k-th stay in, too.
        generator: a torch.Generator, to draw the same tokens again.
    Returns:
        (batch,) token numbers.
    """
    if temperature < 0:
        raise ValueError(f"temperature={temperature} must not be negative")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} must be at least 1, or None for all tokens")
    ### BEGIN SOLUTION
    if temperature == 0:
        return logits.argmax(dim=-1)
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.topk(top_k, dim=-1).values[:, -1:]  # (batch, 1)
        logits = logits.masked_fill(logits < least, float("-inf"))
    probabilities = softmax(logits / temperature, dim=-1)  # (batch, vocab)
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)
    ### END SOLUTION


# --- Other things to read, and other things to predict --------------------------------------------


def mask_tokens(tokens, mask_token, vocab, probability=0.15, pad=0, generator=None):
    """Hide some tokens, for a model that learns to guess them from both sides.

    (Devlin et al., 2019, section 3.1)

    Of the chosen tokens 80 % become mask_token, 10 % a random token, and 10 % stay as they are.

    Args:
        tokens: (batch, length) token numbers.
        mask_token: the number of the mask token.
        vocab: random tokens are drawn from 0 … vocab - 1.
        probability: of a token to be chosen; padding never is.
        pad: the number of padding.
        generator: a torch.Generator, to choose the same tokens again.
    Returns:
        What the model reads, and what it has to predict there: the original token where one was
        chosen, pad elsewhere.
    """
    draw, fate = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    random_tokens = torch.randint(vocab, tokens.shape, generator=generator, device=tokens.device)
    ### BEGIN SOLUTION
    chosen = (draw < probability) & (tokens != pad)  # (batch, length)
    read = tokens.masked_fill(chosen & (fate < 0.8), mask_token)
    read = torch.where(chosen & (fate >= 0.9), random_tokens, read)
    return read, tokens.masked_fill(~chosen, pad)
    ### END SOLUTION


def patchify(images, size):
    """Cut images into square patches, the words of a vision Transformer.

    (Dosovitskiy et al., 2021, section 3.1)

    Args:
        images: (batch, channels, height, width)
        size: side of a patch; must divide height and width.
    Returns:
        (batch, patches, channels · size · size), row by row from the top left.
    """
    _, _, height, width = images.shape
    if height % size != 0 or width % size != 0:
        raise ValueError(f"{height} x {width} pixels cannot be cut into patches of {size} x {size}")
    ### BEGIN SOLUTION
    patches = images.unflatten(3, (width // size, size)).unflatten(2, (height // size, size))
    patches = patches.permute(0, 2, 4, 1, 3, 5)  # (batch, down, across, channels, size, size)
    return patches.flatten(3).flatten(1, 2)  # (batch, down · across, channels · size · size)
    ### END SOLUTION


class MixtureOfExperts(nn.Module):
    """Many feed-forwards, of which a token visits only a few: more parameters for the same work.

    y = Σ gate_e(x) · FFN_e(x) over the top_k experts, with gates that add up to 1

    (Shazeer et al., 2017, section 2)

    Args:
        d_model, d_ff, dropout: of every expert, as in FeedForward.
        num_experts: how many there are.
        top_k: how many of them a token visits.

    Parameters: `router`, nn.Linear(d_model, num_experts), and `experts`, an nn.ModuleList of
    FeedForward. After a call, `balance_loss` is 1 if all experts were equally busy, and num_experts
    if top_k=1 and one of them did everything (Fedus et al., 2022, equation 4).

    How many tokens visit an expert is known only at run time: to compile this in one graph, set
    torch._dynamo.config.capture_dynamic_output_shape_ops.
    """

    def __init__(self, d_model, d_ff, num_experts=8, top_k=2, dropout=0.1):
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError(f"top_k={top_k} must lie between 1 and num_experts={num_experts}")
        self.top_k = top_k
        self.router = nn.Linear(d_model, num_experts)
        experts = (FeedForward(d_model, d_ff, dropout) for _ in range(num_experts))
        self.experts = nn.ModuleList(experts)
        self.balance_loss = None

    def forward(self, x):
        """(..., d_model) → the same shape."""
        tokens = x.reshape(-1, x.shape[-1])  # (tokens, d_model)
        ### BEGIN SOLUTION
        probabilities = softmax(self.router(tokens), dim=-1)  # (tokens, experts)
        gates, chosen = probabilities.topk(self.top_k, dim=-1)  # (tokens, top_k)
        gates = gates / gates.sum(dim=-1, keepdim=True)
        output = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            token, place = torch.where(chosen == number)  # its visitors, and which choice it was
            answer = gates[token, place, None] * expert(tokens[token])  # (visitors, d_model)
            output = output.index_add(0, token, answer.to(output.dtype))
        ### END SOLUTION
        visits = F.one_hot(chosen, len(self.experts)).flatten(0, 1)  # (tokens · top_k, experts)
        share = visits.to(probabilities.dtype).mean(dim=0)  # (experts,), adds up to 1
        self.balance_loss = len(self.experts) * (share * probabilities.mean(dim=0)).sum()
        return output.reshape(x.shape)

    def __getstate__(self):
        """What is copied or saved: all but the last call's loss, which has a graph behind it."""
        return self.__dict__ | {"balance_loss": None}
