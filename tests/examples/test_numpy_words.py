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


def test_words_are_numpys(warmup):
    def in_place(a, b):
        a -= a[:1]
        return a[:, :1] - b[:, 0]

    said = told(warmup, "running_mean", lambda x, window: mean(x, window)[..., ::-1]).message
    assert "in reverse order along axis 0" in said
    said = told(warmup, "pairwise_distances", lambda a, b: [[1.0]]).message
    assert "Your code returned a list" in said
    assert "an array" in said
    said = told(warmup, "one_hot", changes_its_labels).message
    assert "changed its argument `labels`" in said
    assert "`.sort()`" in said
    for answer in (changes_its_labels, in_place):
        assert "tensor" not in told(warmup, "one_hot", answer).message


def mean(x, window):
    return np.lib.stride_tricks.sliding_window_view(x, window, axis=-1).mean(-1)


def changes_its_labels(labels, classes):
    found = (labels[:, None] == np.arange(classes)).astype(float)
    labels += 1
    return found


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (object, "dtype object"),
        (str, "texts"),
        (complex, "dtype complex128"),
        (np.longdouble, f"dtype {np.dtype('longdouble')}"),
    ],
)
def test_arrays_of_other_things_than_numbers_are_called_so(warmup, dtype, kind):
    said = told(warmup, "one_hot", lambda labels, n: np.eye(n)[labels].astype(dtype)).message
    assert "ready-made" in said  # np.eye; and nothing failed
    said = told(warmup, "pairwise_distances", lambda a, b: distances(a, b).astype(dtype)).message
    assert f"Your code returned an array of {kind}" in said


def distances(a, b):
    return np.sqrt(((a[:, None] - b) ** 2).sum(-1))


def test_what_is_only_in_another_dtype_keeps_the_promises_of_other_kinds(warmup):
    verdict = told(warmup, "one_hot", lambda y, n: (y[:, None] == np.arange(n)).astype("float32"))
    assert verdict.missing == ["the numbers are float64"]
    assert "labels stay as they were" in verdict.works


def test_a_check_leaves_numpys_random_numbers_alone_and_has_its_own(warmup):
    def noise(x, window):
        np.random.seed(3)
        return np.random.rand(*mean(x, window).shape)

    def more_noise(x, window):
        return np.random.rand(*mean(x, window).shape)

    np.random.seed(1)
    expected = np.random.rand(3)
    np.random.seed(1)
    told(warmup, "running_mean", noise)
    assert (np.random.rand(3) == expected).all()
    first, again = (told(warmup, "running_mean", more_noise).yours for _ in range(2))
    assert first.tolist() == again.tolist()
