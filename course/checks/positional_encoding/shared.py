"""What several exercises of this lesson need."""

import torch

from autograder.engine.trial import Answer

# A mistake may make angles of thousands, where float32 and float64 part company; see `multiplied`.
LARGE_ANGLES = 50.0


def in_float32(answer):
    """A table may come in float64, too: what counts are its numbers."""
    arrays = {
        name: x.to(torch.float32) if x.dtype == torch.float64 else x
        for name, x in answer.arrays.items()
    }
    return Answer(arrays, answer.facts)


def last_exponent(seen):
    """A measure: 2i / d_model of the slowest wave, as a fraction."""
    d_model = seen.arguments["d_model"]
    return f"{(d_model - 1) // 2 * 2}/{d_model}"
