"""What several exercises of this lesson need."""

from functools import partial

from autograder.engine.compare import close
from autograder.engine.trial import Answer, Call

from .. import shared

loaded = partial(shared.loaded, too_many="layers.")  # there may be blocks too many

DROPPED = 0.4
OUTPUTS = ("output", "output (call 2)", "output (call 3)")


def with_dropout(trial):
    """Turn a trial of one call into one that runs it in training, and twice in eval mode."""
    (once,) = trial.calls
    trial.options["dropout"] = DROPPED
    trial.calls = [Call(once.arguments, training=True), once, once]
    trial.digest, trial.constant = what_dropout_does, True
    return trial


def what_dropout_does(answer):
    """Is the same call answered alike, in training and in eval mode?"""
    training, off, again = (answer.arrays.get(name) for name in OUTPUTS)
    facts = {
        "training and eval mode are alike": alike(training, off),
        "two calls in eval mode are alike": alike(off, again),
    }
    return Answer({}, answer.facts | facts)


def without_dropout(trial):
    """Turn a trial of one call, with dropout=0.0, into one that runs it in both modes."""
    (once,) = trial.calls
    training = Call(once.arguments, training=True)
    trial.calls = [training, training, once]
    trial.digest, trial.constant = what_is_dropped_without, True
    return trial


def what_is_dropped_without(answer):
    """Does dropout=0.0 drop nothing?"""
    training, again, off = (answer.arrays.get(name) for name in OUTPUTS[:3])
    facts = {
        "with dropout=0.0 both modes are alike": alike(training, off),
        "with dropout=0.0 two calls in training are alike": alike(training, again),
    }
    return Answer({}, answer.facts | facts)


def alike(a, b):
    """Two arrays that are there, of one shape and equal but for rounding."""
    return a is not None and b is not None and a.shape == b.shape and close(a, b)
