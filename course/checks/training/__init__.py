"""Lesson 6: how training and decoding are checked."""

from .beam_search import beam_search
from .greedy_decode import greedy_decode
from .initialise import initialise
from .learning_rate import learning_rate
from .shift_right import shift_right
from .smoothed_cross_entropy import smoothed_cross_entropy

__all__ = [
    "beam_search",
    "greedy_decode",
    "initialise",
    "learning_rate",
    "shift_right",
    "smoothed_cross_entropy",
]
