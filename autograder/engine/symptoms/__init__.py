"""Say what is wrong with an answer of no known kind, with the numbers of the learner's own run.

seen        what a message may speak of
explain     one difference as sentences
relations   how numbers relate to the expected ones
precision   is nothing wrong but digits that were lost?
numbers     numbers, shapes, places and names as a person writes them
"""

from .explain import explain
from .numbers import apart, few, listing, number, place_of, shape
from .precision import precision
from .relations import allowed
from .seen import Seen

__all__ = [
    "Seen",
    "allowed",
    "apart",
    "explain",
    "few",
    "listing",
    "number",
    "place_of",
    "precision",
    "shape",
]
