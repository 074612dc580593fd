"""The same model, sooner: torch's fused attention, and a dropout that takes 16 random bits.

The lessons write every attention weight down, because that is what there is to understand. Where a
model has to train for a while, `fast(model)` exchanges those parts for quicker ones with the same
parameters and the same answers.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from .arguments import check_attention
from .attention import scaled_dot_product_attention, softmax
from .multi_head import MultiHeadAttention, merge_heads, split_heads
from .variants import CausalSelfAttention

KNOWN = ("solutions", "course", "torch")
LEVELS = 2**16  # different values that 16 bits can have


def fast(model):
    """Let the reference's attention use torch's fused kernel, and its dropout 16 random bits.

    The modules stay where they are, and so do their parameters, names, hooks and modes: only their
    class changes, to one of those below. A model can be made fast before it's trained or after,
    and once is enough: a second time changes nothing. Checkpoints fit both ways.

    `.weights` is None until the next call. From then on it's worked out when you ask for it.

    Args:
        model: made of the reference's parts, of stand-bys, which are quick already, and of torch's
            own modules. A learner's module would no longer do what its author wrote, so a model
            with one in it is refused.
    Returns:
        The same model.
    """
    for name, module in model.named_modules():
        kind = type(module)
        if package_of(kind) not in KNOWN:
            raise TypeError(
                f"fast knows the reference's parts and torch's own, but {name or 'the model'} is a "
                f"{kind.__qualname__} from {kind.__module__}: use that as it was written"
            )
    for module in model.modules():
        if type(module) in QUICKER and package_of(type(module)) != "course":
            vars(module).pop("weights", None)  # a property of the new class
            module.__class__ = QUICKER[type(module)]
    return model


def package_of(kind):
    return kind.__module__.partition(".")[0]


# --- Attention ------------------------------------------------------------------------------------


def attend(query, key, value, mask=None, dropout=0.0):
    """The output of scaled_dot_product_attention, from torch's fused kernel.

    The same mathematics in one step. The kernel need not write the (query, key) matrix down, so
    it's faster, takes less memory, and has no weights to show. `dropout` acts on the weights.
    """
    check_attention(query, key, value, mask)
    mask = None if mask is None else torch.atleast_2d(mask)  # the kernel wants both (query, key)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)


class Recalling(nn.Module):
    """Attention that keeps what it was asked, and works the weights out if somebody looks."""

    last_call = None

    @property
    def weights(self):
        """(batch, heads, query, key), detached, before dropout; None before the first call."""
        return None if self.last_call is None else self.weights_of(*self.last_call)

    def rate(self):
        """The probability of dropping a weight right now."""
        return self.dropout.p if self.dropout.training else 0.0

    def __getstate__(self):
        """What is copied or saved: all but the last call."""
        return vars(self) | {"last_call": None}


class FusedAttention(Recalling, MultiHeadAttention):
    """MultiHeadAttention around the fused kernel."""

    def forward(self, query, key, value, mask=None):
        """(batch, query, d_model) and twice (batch, key, d_model) → (batch, query, d_model)."""
        projections = (self.w_query, query), (self.w_key, key), (self.w_value, value)
        query, key, value = (split_heads(w(x), self.num_heads) for w, x in projections)
        # The mask is the caller's, who may change it before anybody asks for the weights.
        self.last_call = query.detach(), key.detach(), None if mask is None else mask.clone()
        return self.w_output(merge_heads(attend(query, key, value, mask, self.rate())))

    def weights_of(self, query, key, mask):
        return scaled_dot_product_attention(query, key, key, mask)[1]


class FusedCausalAttention(Recalling, CausalSelfAttention):
    """CausalSelfAttention around the fused kernel."""

    def look_back(self, query, key, value):
        """Attention in which the last query stands at the last key."""
        self.last_call = query.detach(), key.detach()
        new, length = query.shape[-2], key.shape[-2]
        # The kernel needs no matrix from us if it starts at the beginning, or for one token.
        plain = self.positions != "alibi" and new in (1, length)
        return F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=None if plain else self.bias(query, key),
            dropout_p=self.rate(),
            is_causal=plain and new > 1,
        )

    def weights_of(self, query, key):
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        return softmax(scores + self.bias(query, key))


# --- Dropout --------------------------------------------------------------------------------------


class QuickDropout(nn.Dropout):
    """nn.Dropout, three times as fast on a CPU.

    There nn.Dropout draws a whole random number for every feature, on one core, and that took a
    fifth of a training step. To decide between two things, 16 random bits are enough. So the
    probability is rounded to a multiple of 1 / 65536, and what is kept is scaled to match.
    """

    def forward(self, x):
        """Any shape → the same shape."""
        if not self.training or self.p == 0:
            return x
        dropped_levels = round(self.p * LEVELS)
        countable = 0 < dropped_levels < LEVELS
        elsewhere = x.device.type != "cpu" or torch.compiler.is_compiling()
        if elsewhere or self.inplace or not countable:  # a GPU, or a compiler, does it in one go
            return super().forward(x)
        random_levels = random_16_bits(x.shape)  # -32768 … 32767, all equally likely
        kept = random_levels >= dropped_levels - LEVELS // 2
        return x * kept.to(x.dtype).mul_(LEVELS / (LEVELS - dropped_levels))


def random_16_bits(shape):
    """Random int16 numbers, four from each draw of 64 bits."""
    count = math.prod(shape)
    draws = torch.empty(math.ceil(count / 4), dtype=torch.int64, device="cpu")
    draws.random_(-(2**63), None)  # None: up to the largest int64
    return draws.view(torch.int16)[:count].view(shape)


QUICKER = {
    MultiHeadAttention: FusedAttention,
    CausalSelfAttention: FusedCausalAttention,
    nn.Dropout: QuickDropout,
}
