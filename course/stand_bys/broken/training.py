"""Lesson 6: a loss that padding makes smaller, and a decoder that is given the answer."""

import torch.nn.functional as F

from ..training import smoothed_cross_entropy
from .table import goes_wrong


@goes_wrong("training.smoothed_cross_entropy", "padding_counted")
def padding_makes_it_smaller(logits, targets, smoothing=0.1, pad=0):
    wanted = (targets != pad).sum().clamp(min=1)
    return smoothed_cross_entropy(logits, targets, smoothing, pad) * wanted / targets.numel()


@goes_wrong("training.shift_right", "not_shifted")
def in_the_same_place(targets, start):
    return F.pad(targets, (0, 0))
