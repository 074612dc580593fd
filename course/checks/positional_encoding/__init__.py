"""Lesson 3: how positional encodings are checked."""

from .added_positions import PositionalEncoding
from .shift_matrix import shift_matrix
from .sinusoidal_encoding import sinusoidal_encoding

__all__ = [
    "PositionalEncoding",
    "shift_matrix",
    "sinusoidal_encoding",
]
