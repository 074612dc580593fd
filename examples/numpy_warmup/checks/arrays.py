"""The exercises of the one lesson: what is drawn, and what earns points."""

from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import numpy_call

# --- running_mean ---------------------------------------------------------------------------------


def series(draw):
    length = draw.integer(9, 13)
    return numpy_call({"length": length}, x=draw.normal(length), window=3)


def several_series(draw):
    return numpy_call({"length": 8}, x=draw.normal(2, 5, 8), window=4)


def window_of_one(draw):
    return numpy_call({"length": 6}, x=draw.normal(6), window=1)


def window_as_long_as_the_series(draw):
    return numpy_call({"length": 5}, x=draw.normal(5), window=5)


running_mean = Exercise(
    "arrays.running_mean",
    properties=(
        Property("values", 3, "every window of a series is averaged", (series,)),
        Property("rows", 2, "each row is averaged for itself", (several_series,)),
        Property(
            "edges",
            2,
            "the window may be as short as 1 and as long as the series",
            (window_of_one, window_as_long_as_the_series),
        ),
        Property("changed", 1, "x stays as it was", aspects=("changed",)),
    ),
    hints=(
        "Take a series of 5 and a window of 3. Write down which positions each window covers.",
        "Positions can be a table, with a row per window: where it starts, plus 0, 1, 2, … "
        "Indexing with a table gives a table.",
        "np.arange for the starts as a column, np.arange for the steps as a row, their sum as an "
        "index of the last axis, and then a mean over the axis that is new.",
    ),
    refuses=("convolve", "correlate", "uniform_filter"),
    instead="use indexing, slices or np.cumsum.",
)


# --- one_hot --------------------------------------------------------------------------------------


def some_labels(draw):
    return numpy_call({"n": 7}, labels=draw.integers(0, 5, 7), classes=5)


def rare_classes(draw):
    """The last two classes don't occur."""
    return numpy_call({"n": 6}, labels=draw.integers(0, 7, 6), classes=9)


def one_label(draw):
    return numpy_call({"n": 1}, labels=draw.integers(0, 4, 1), classes=4)


one_hot = Exercise(
    "arrays.one_hot",
    properties=(
        Property("values", 3, "each row has its 1 where its label says", (some_labels,)),
        Property("width", 2, "classes that don't occur have a column, too", (rare_classes,)),
        Property("single", 1, "one label makes one row", (one_label,)),
        Property("dtype", 1, "the numbers are float64", aspects=("dtype",)),
        Property("changed", 1, "labels stay as they were", aspects=("changed",)),
    ),
    hints=(
        "Do it on paper for the labels 2, 0 and 3 classes. What do you know before you look at "
        "any label?",
        "Start with zeros. Then put one 1 in each row: you need the row's number and the column's.",
        "Two arrays of one length as an index, `x[rows, columns] = …`, set one place per pair.",
    ),
    refuses=("eye", "identity", "to_categorical", "get_dummies", "onehotencoder"),
    instead="begin with np.zeros, or compare with np.arange.",
)


# --- pairwise_distances ---------------------------------------------------------------------------


def two_clouds(draw):
    return numpy_call({"n": 4, "m": 6, "d": 3}, a=draw.normal(4, 3), b=draw.normal(6, 3))


def one_dimension(draw):
    return numpy_call({"n": 3, "m": 5, "d": 1}, a=draw.normal(3, 1), b=draw.normal(5, 1))


def a_cloud_and_itself(draw):
    a = draw.normal(5, 2)
    return numpy_call({"n": 5, "m": 5, "d": 2}, a=a, b=a)


def one_point(draw):
    return numpy_call({"n": 1, "m": 2, "d": 4}, a=draw.normal(1, 4), b=draw.normal(2, 4))


pairwise_distances = Exercise(
    "arrays.pairwise_distances",
    properties=(
        Property("values", 3, "every point of a is measured to every point of b", (two_clouds,)),
        Property("sizes", 2, "one point or one dimension will do", (one_dimension, one_point)),
        Property("itself", 2, "a point has distance 0 from itself", (a_cloud_and_itself,)),
        Property("changed", 1, "a and b stay as they were", aspects=("changed",)),
    ),
    hints=(
        "Begin with one point and one point. What do you do with their coordinates?",
        "Give a and b an axis more each, so that their difference has three: n, m and d.",
        "a[:, None, :] beside b[None, :, :]; then square, add up over the last axis, and take the "
        "root.",
    ),
    refuses=("cdist", "norm", "distance_matrix", "euclidean"),
    instead="use a difference, a sum of squares and np.sqrt.",
)
