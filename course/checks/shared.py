"""What the checks of several lessons need."""

from functools import partial

import torch

from autograder.engine.symptoms import allowed, few, shape
from autograder.engine.trial import Answer, Call


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


NEARLY_ALL = 0.97  # of all numbers are dropped
MANY = 80  # sentences, so that it is never all of them
X_ARRIVES = "in training dropout leaves alone both the x that is added and the sum"


def nearly_all_dropped(trial, biases):
    """A trial in training in which each part of a block gives 20 in a feature of its own, and
    nothing else. Nearly all of that has to be dropped before it is added to x.

    Args:
        trial: of one call.
        biases: {name of a part: the bias that it adds}
    """
    (once,) = trial.calls
    state = {name: torch.zeros_like(weight) for name, weight in trial.state.items()}
    state |= {
        name: torch.ones_like(x) for name, x in state.items() if "norm" in name and "weight" in name
    }
    for feature, name in enumerate(biases.values(), start=2):
        state[name][feature] = 20.0
    x = torch.linspace(-1.0, 1.0, once.arguments["x"].shape[-1]).roll(-1)
    call = Call(once.arguments | {"x": x.repeat(MANY, 5, 1)}, training=True)
    made = {"dropout": NEARLY_ALL}
    digest = partial(what_is_dropped, x, tuple(biases))
    given = "build" if "dropout" in trial.build else "options"
    changed = {given: getattr(trial, given) | made}
    return trial.but(state=state, calls=[call], digest=digest, constant=True, **changed)


def what_is_dropped(x, parts, answer):
    """A digest: which of the parts are not to be seen in most tokens, and is x? A norm moves all
    features of a token in the same way: on a scale on which feature 0 is 0 and feature 1 is 1, they
    stay."""
    answer = loaded(answer)
    y = answer.arrays.get("output")
    if y is None or y.shape[-1:] != x.shape:
        return answer

    def on_scale(features):
        return (features - features[..., :1]) / (features[..., 1:2] - features[..., :1])

    moved = (on_scale(y.double()) - on_scale(x.double())).flatten(0, -2).median(0).values.abs()
    seen = dict(zip(parts, (moved[2:] > 1).tolist()))  # what is no number was not seen
    facts = {f"what {part} gives is dropped out": not seen[part] for part in parts}
    facts[X_ARRIVES] = bool((moved[2 + len(parts) :] < 1e-3).all())
    return Answer({}, answer.facts | facts)


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
