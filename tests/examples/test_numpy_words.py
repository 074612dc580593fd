"""What the engine sees and says where exercises are about NumPy."""

import numpy as np
import pytest

from autograder.engine.examine import examine


def told(course, name, answer):
    return examine(course.find(name), answer, seed=1)


def convolved(x, window):
    rows = x.reshape(-1, x.shape[-1])
    means = [np.convolve(row, np.full(window, 1 / window), "valid") for row in rows]
    return np.array(means).reshape(*x.shape[:-1], -1)


def of_an_identity(labels, classes):
    return np.eye(classes)[labels]


def norms(a, b):
    return np.linalg.norm(a[:, None] - b, axis=-1)


@pytest.mark.parametrize(
    ("name", "answer", "says"),
    [
        ("running_mean", convolved, "the ready-made `numpy.convolve` do"),
        ("one_hot", of_an_identity, "the ready-made `numpy.eye` do"),
        ("pairwise_distances", norms, "the ready-made `numpy.linalg.norm` do"),
    ],
)
def test_numpys_ready_made_functions_are_refused(warmup, name, answer, says):
    verdict = told(warmup, name, answer)
    assert verdict.diagnosis == "ready_made"
    assert verdict.score == 0
    assert says in verdict.message


def test_those_of_libraries_that_this_course_alone_refuses_are_seen_too(warmup):
    cdist = pytest.importorskip("scipy.spatial.distance").cdist
    verdict = told(warmup, "pairwise_distances", lambda a, b: cdist(a, b))
    assert "the ready-made `scipy.spatial.distance.cdist` do" in verdict.message


def test_what_numpy_does_inside_is_not_the_learners(warmup):
    """np.expand_dims calls normalize_axis_tuple, which has "norm" in its name."""

    def roots(a, b):
        apart = np.expand_dims(a, 1) - np.expand_dims(b, 0)
        return np.sqrt(np.sum(apart**2, axis=2))

    assert told(warmup, "pairwise_distances", roots).passed
