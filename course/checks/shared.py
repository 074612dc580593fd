"""What the checks of several lessons need."""

from autograder.engine.symptoms import allowed, few, shape
from autograder.engine.trial import Answer


def loaded(answer, too_many=""):
    """A digest: numbers made with weights that could not be loaded are random, and mean nothing;
    but for a norm's, which begin with ones and zeros.

    Args:
        too_many: extra weights whose names hold this are random as well.
    """
    lost = [*answer.facts.get("missing", ()), *answer.facts.get("shapes", ())]
    extra = [name for name in answer.facts.get("extra", ()) if too_many and too_many in name]
    if not extra and all("norm" in name for name in lost):
        return answer
    return Answer({}, answer.facts | {"all weights could be loaded": False})


def only_dtype(trial):
    """For bfloat16, where rounding is as large as some mistakes: compare the numbers' dtype and
    shape, and that they are numbers, and nothing else."""

    def digest(answer):
        answer = answer if trial.digest is None else trial.digest(answer)
        return Answer({name: 0 * x for name, x in answer.arrays.items()}, answer.facts)

    return trial.but(digest=digest, constant=True)


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


def right_or_off(seen, yours, theirs, keep):
    """Which rows, tokens or columns are right, and which are off?

    What is called right is right but for rounding, however much a check lets pass; what is called
    off is more than that. Something may be neither.

    Args:
        yours, theirs: what `comparable` gives.
        keep: the dimensions that are told apart.
    """
    rest = [dim for dim in range(yours.dim()) if dim not in [d % yours.dim() for d in keep]]
    wrong = (yours - theirs).abs()
    wrong = wrong.amax(rest) if rest else wrong
    expected = seen.theirs["output"]
    return wrong <= allowed(seen, expected) / max(seen.trial.tolerance, 1.0), wrong > allowed(
        seen, expected
    )


def your_shape(seen):
    """A measure: the shape of the learner's output."""
    return shape(seen.yours["output"])


def expected_shape(seen):
    """A measure: the shape that the output should have."""
    return shape(seen.theirs["output"])
