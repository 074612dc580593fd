"""Lesson 5: decoder blocks that do not read or do not norm, and Transformers that see too much."""

import torch

from solutions.arguments import check_not_empty

from ..attention import causal_mask, padding_mask
from ..transformer import DecoderBlock, Transformer
from .encoder_block import WithoutSums
from .table import goes_wrong

BLOCK, WHOLE = "transformer.DecoderBlock", "transformer.Transformer"


@goes_wrong(BLOCK, "memory_never_used")
class Hermit(DecoderBlock):
    def forward(self, x, memory, mask=None, memory_mask=None):
        def look_at_itself(attention):
            return lambda y: attention(query=y, key=y, value=y, mask=mask)

        first, second = map(look_at_itself, (self.self_attention, self.cross_attention))
        steps = (self.norm1, first), (self.norm2, second), (self.norm3, self.feed_forward)
        return self.through(x, steps)


@goes_wrong(BLOCK, "no_norms")
class NeverNormed(DecoderBlock):
    def through(self, x, steps):
        if self.norm_first:
            return super().through(x, steps)
        for _, step in steps:
            x = torch.add(x, self.drop(step(x)))
        return x


@goes_wrong(BLOCK, "no_residual")
class NoWayPast(WithoutSums, DecoderBlock):
    pass


class InSteps(Transformer):
    """The stand-by, with a method for each step, so that one of them can go wrong."""

    def placed(self, embedding, tokens):
        return self.position(embedding(tokens))

    def shown(self, source):
        """The mask of the source, for whoever looks at it."""
        return padding_mask(source, pad=self.pad)

    def past(self, target):
        """What a target position sees if nothing is padding."""
        return causal_mask(target.shape[-1], device=target.device)

    def written(self, target):
        """The mask of the target."""
        return torch.logical_and(padding_mask(target, pad=self.pad), self.past(target))

    def encode(self, source):
        check_not_empty("source", source)
        return self.encoder(self.placed(self.source_embedding, source), mask=self.shown(source))

    def decode(self, target, memory, source):
        check_not_empty("target", target)
        begun, past = self.placed(self.target_embedding, target), self.written(target)
        return self.decoder(begun, memory, mask=past, memory_mask=self.shown(source))


@goes_wrong(WHOLE, "no_causal_mask")
class SeesAll(InSteps):
    def written(self, target):
        return padding_mask(target, pad=self.pad)


@goes_wrong(WHOLE, "sees_one_ahead")
class SeesOneAhead(InSteps):
    def past(self, target):
        return target.new_ones(target.shape[-1:] * 2, dtype=torch.bool).tril(1)


@goes_wrong(WHOLE, "causal_mask_inverted")
class SeesTheRest(InSteps):
    def past(self, target):
        return super().past(target).logical_not()


@goes_wrong(WHOLE, "sees_the_future_alone")
class SeesTheFuture(InSteps):
    def past(self, target):
        return super().past(target).mT


@goes_wrong(WHOLE, "source_padding_seen")
class ReadsPadding(InSteps):
    def shown(self, source):
        return None


@goes_wrong(WHOLE, "not_scaled")
class TooQuiet(InSteps):
    def placed(self, embedding, tokens):
        return self.position(embedding.table(tokens))


@goes_wrong(WHOLE, "no_positions")
class Bag(InSteps):
    def placed(self, embedding, tokens):
        return embedding(tokens)


@goes_wrong(WHOLE, "memory_ignored")
class ReadsItself(InSteps):
    def decode(self, target, memory, source):
        check_not_empty("target", target)
        begun, past = self.placed(self.target_embedding, target), self.written(target)
        return self.decoder(begun, begun, mask=past, memory_mask=past)


@goes_wrong(WHOLE, "softmax_inside")
class GivesChances(Transformer):
    def forward(self, source, target):
        return torch.softmax(super().forward(source, target), dim=-1)
