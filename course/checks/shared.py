"""What the checks of several lessons need."""

from autograder.engine.symptoms import few, shape
from autograder.engine.trial import Answer


def with_dtype(trial, dtype):
    trial.dtype = dtype
    return trial


def with_gradients(trial):
    trial.gradients = True
    return trial


def with_strides(trial):
    trial.strided = True
    return trial


def only_dtype(trial):
    """For bfloat16, where rounding is as large as some mistakes: compare the numbers' dtype and
    shape, and that they are numbers, and nothing else."""
    inner = trial.digest

    def digest(answer):
        answer = answer if inner is None else inner(answer)
        return Answer({name: 0 * x for name, x in answer.arrays.items()}, answer.facts)

    trial.digest, trial.constant = digest, True
    return trial


def levels(x):
    """The different values of a tensor, as text."""
    values = x.double().mul(100).round().div(100).unique()
    return "many values" if len(values) > 4 else few(values)


def comparable(seen):
    """The learner's output and the expected one in float64, or two times None if they cannot be
    compared number by number."""
    yours, theirs = seen.yours.get("output"), seen.theirs.get("output")
    if yours is None or theirs is None or yours.shape != theirs.shape:
        return None, None
    return yours.double(), theirs.double()


def your_shape(seen):
    """A measure: the shape of the learner's output."""
    return shape(seen.yours["output"])


def expected_shape(seen):
    """A measure: the shape that the output should have."""
    return shape(seen.theirs["output"])
