"""Lesson 6: how training and decoding are checked."""

from .beam_search import beam_search
from .greedy_decode import greedy_decode
from .initialise import initialise
from .learning_rate import learning_rate
from .shift_right import shift_right
from .smoothed_cross_entropy import smoothed_cross_entropy

EXERCISES = (
    learning_rate,
    smoothed_cross_entropy,
    shift_right,
    initialise,
    greedy_decode,
    beam_search,
)
