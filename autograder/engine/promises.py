"""Properties that almost every exercise has: each collects one kind of difference from all probes.

promises.gradients("gradients flow back to x", turn_gradients)
promises.dtype("the result has the dtype of x", turn_in_float64, turn_in_bfloat16)
promises.unchanged("x stays as it was")
"""

from .exercise import Property
from .trial import Probe


def parts(says: str, points: int = 1, look: str = "") -> Property:
    """A class's parts are there, under their names."""
    return Property("parts", points, says, aspects=("built", "names"), look=look)


def gradients(says: str, *probes: Probe, points: int = 1, look: str = "") -> Property:
    """Gradients get to where they should."""
    return Property("gradients", points, says, probes, aspects=("gradient",), look=look)


def dtype(says: str, *probes: Probe, points: int = 1, look: str = "") -> Property:
    """What comes out has the right dtype."""
    return Property("dtype", points, says, probes, aspects=("dtype",), look=look)


def unchanged(says: str, points: int = 1, look: str = "") -> Property:
    """What came in is afterwards as it was."""
    return Property("arguments", points, says, aspects=("changed",), look=look)
