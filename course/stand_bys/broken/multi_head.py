"""Lesson 2: heads that are counted out in the wrong order, and what else goes wrong with them."""

import torch
import torch.nn.functional as F

from solutions.arguments import check_attention, check_heads

from ..multi_head import PROJECTIONS, MultiHeadAttention, merge_heads, split_heads
from .table import goes_wrong

ATTENTION = "multi_head.MultiHeadAttention"


@goes_wrong("multi_head.split_heads", "reshape_only")
def heads_of_some_tokens(x, num_heads):
    check_heads(x.shape[-1], num_heads)
    return x.flatten(1).unflatten(1, (num_heads, x.shape[1], x.shape[2] // num_heads))


@goes_wrong("multi_head.merge_heads", "reshape_only")
def tokens_of_some_heads(x):
    return x.flatten(1).unflatten(1, (x.shape[2], x.shape[1] * x.shape[3]))


class InSteps(MultiHeadAttention):
    """The stand-by, with a method for each step, so that one of them can go wrong."""

    def cut(self, x):
        return split_heads(x, self.num_heads)

    def stretched(self, query):
        return query

    def joined(self, heads):
        return merge_heads(heads)

    def told(self, joined):
        return self.w_output(joined)

    def forward(self, query, key, value, mask=None):
        given = zip(PROJECTIONS, (query, key, value))
        query, key, value = (self.cut(self.get_submodule(name)(x)) for name, x in given)
        query = self.stretched(query)
        check_attention(query, key, value, mask)
        mask = None if mask is None else torch.atleast_2d(mask).clone()
        self.seen, rate = (query.detach(), key.detach(), mask), self.dropout * self.training
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=rate)
        return self.told(self.joined(mixed))


@goes_wrong(ATTENTION, "only_query_is_used")
class OnlyTheQuery(MultiHeadAttention):
    def forward(self, query, key, value, mask=None):
        return super().forward(*[query] * 3, mask=mask)


@goes_wrong(ATTENTION, "mask_inverted")
class HidesTheRest(MultiHeadAttention):
    def forward(self, query, key, value, mask=None):
        return super().forward(query, key, value, mask=mask if mask is None else ~mask)


@goes_wrong(ATTENTION, "split_by_view")
class CutByCounting(InSteps):
    def cut(self, x):
        return heads_of_some_tokens(x, self.num_heads)


@goes_wrong(ATTENTION, "merged_by_view")
class JoinedByCounting(InSteps):
    def joined(self, heads):
        return tokens_of_some_heads(heads)


@goes_wrong(ATTENTION, "split_and_merged_by_view")
class CutAndJoinedByCounting(CutByCounting, JoinedByCounting):
    pass


@goes_wrong(ATTENTION, "scaled_by_model_width")
class TooFlat(InSteps):
    def stretched(self, query):
        return query * self.num_heads**-0.5


@goes_wrong(ATTENTION, "no_scale")
class TooSharp(InSteps):
    def stretched(self, query):
        return query * query.shape[-1] ** 0.5


@goes_wrong(ATTENTION, "no_output_projection")
class HeadsSideBySide(InSteps):
    def told(self, joined):
        return joined
