"""The exercises of the one lesson: what is drawn, what earns points, and what goes wrong."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.trial import call


def arrays(sizes=None, **arguments):
    """A trial that hands over NumPy's arrays, in NumPy's usual float64."""
    trial = call(sizes=sizes, **arguments)
    trial.numpy, trial.dtype = True, torch.float64
    return trial


# --- running_mean ---------------------------------------------------------------------------------


def series(draw):
    length = draw.integer(9, 13)
    return arrays({"length": length}, x=draw.normal(length), window=3)


def several_series(draw):
    return arrays({"length": 8}, x=draw.normal(2, 5, 8), window=4)


def window_of_one(draw):
    return arrays({"length": 6}, x=draw.normal(6), window=1)


def window_as_long_as_the_series(draw):
    return arrays({"length": 5}, x=draw.normal(5), window=5)


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
    mistakes=(
        Mistake(
            "last_missing",
            (("[-1] - window + 1)", "[-1] - window)"),),
            "You average {length} - {window} windows; one more fits: the one that ends with the "
            "last number.",
            "In a series of 5, where may a window of 5 begin?",
            r"window",
        ),
        Mistake(
            "sum_not_mean",
            ((".mean(axis=-1)", ".sum(axis=-1)"),),
            "Your numbers are {window} times too large: each window is added up, and not divided.",
            "What's the running mean of 2, 2, 2, 2?",
            r"sum|cumsum|\+",
        ),
        Mistake(
            "blocks",
            (("[-1] - window + 1)", "[-1] - window + 1, step=window)"),),
            "Your windows don't overlap: after each one you jump ahead by {window} numbers.",
            "Which numbers does your second window average, and how many of them were in the "
            "first one, too?",
            r"reshape|step|range|::",
        ),
        Mistake(
            "padded",
            (
                (
                    "starts = np",
                    "before = np.zeros((*x.shape[:-1], (window - 1) // 2))\n"
                    "    after = np.zeros((*x.shape[:-1], window // 2))\n"
                    "    x = np.concatenate([before, x, after], axis=-1)\n"
                    "    starts = np",
                ),
            ),
            "You give {length} means: zeros are put around the series, and averaged with it.",
            "How many windows of {window} lie wholly inside {length} numbers?",
            r"pad|zeros|same|concatenate",
        ),
        Mistake(
            "divided_by_length",
            ((".mean(axis=-1)", ".sum(axis=-1) / x.shape[-1]"),),
            "Each of your sums is divided by {length}, the length of the series; {window} numbers "
            "went into it.",
            "How many numbers does one window add up?",
            r"/|len|shape|size",
        ),
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
    return arrays({"n": 7}, labels=draw.integers(0, 5, 7), classes=5)


def rare_classes(draw):
    """The last two classes don't occur."""
    return arrays({"n": 6}, labels=draw.integers(0, 7, 6), classes=9)


def one_label(draw):
    return arrays({"n": 1}, labels=draw.integers(0, 4, 1), classes=4)


one_hot = Exercise(
    "arrays.one_hot",
    properties=(
        Property("values", 3, "each row has its 1 where its label says", (some_labels,)),
        Property("width", 2, "classes that don't occur have a column, too", (rare_classes,)),
        Property("single", 1, "one label makes one row", (one_label,)),
        Property("dtype", 1, "the numbers are float64", aspects=("dtype",)),
        Property("changed", 1, "labels stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "counts_from_one",
            (("len(labels)), labels]", "len(labels)), labels - 1]"),),
            "Your ones stand a column too far left: label 1 is in column 0, and label 0 wraps "
            "around to column {classes} - 1.",
            "In which column does label 0 belong?",
            r"- *1|\+ *1",
        ),
        Mistake(
            "transposed",
            (("return hot", "return hot.T"),),
            "You have a row per class and a column per label, {classes} × {n}; it's the other way "
            "round.",
            "There are {n} labels. How many rows should there be?",
            r"zeros|\.T|arange|None",
        ),
        Mistake(
            "width_of_its_own",
            (("(len(labels), classes)", "(len(labels), labels.max() + 1)"),),
            "You make as many columns as the largest label asks for. Here, {classes} classes were "
            "wanted, and the last ones don't occur.",
            "What would the next batch of labels get, with other labels in it?",
            r"max|unique|zeros",
        ),
        Mistake(
            "every_row",
            (("hot[np.arange(len(labels)), labels]", "hot[:, labels]"),),
            "All your rows are the same: whatever label occurs anywhere, its column is 1 in each "
            "of the {n} rows.",
            "What does `hot[:, 2] = 1` change, in how many rows?",
            r"\[ *: *,",
        ),
        Mistake(
            "booleans",
            (("return hot", "return hot == 1"),),
            "The places are right, and what stands there is True and False, not 1.0 and 0.0.",
            "What's the dtype of a comparison?",
            r"==|bool",
        ),
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
    return arrays({"n": 4, "m": 6, "d": 3}, a=draw.normal(4, 3), b=draw.normal(6, 3))


def one_dimension(draw):
    return arrays({"n": 3, "m": 5, "d": 1}, a=draw.normal(3, 1), b=draw.normal(5, 1))


def a_cloud_and_itself(draw):
    a = draw.normal(5, 2)
    return arrays({"n": 5, "m": 5, "d": 2}, a=a, b=a)


def one_point(draw):
    return arrays({"n": 1, "m": 2, "d": 4}, a=draw.normal(1, 4), b=draw.normal(2, 4))


pairwise_distances = Exercise(
    "arrays.pairwise_distances",
    properties=(
        Property("values", 3, "every point of a is measured to every point of b", (two_clouds,)),
        Property("sizes", 2, "one point or one dimension will do", (one_dimension, one_point)),
        Property("itself", 2, "a point has distance 0 from itself", (a_cloud_and_itself,)),
        Property("changed", 1, "a and b stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "squared",
            (("np.sqrt((apart**2).sum(axis=-1))", "(apart**2).sum(axis=-1)"),),
            "Your distances are squared: from (0, 0) to (3, 4) you'd walk 25, not 5.",
            "Which step of Pythagoras comes last?",
            r"return|sum",
        ),
        Mistake(
            "manhattan",
            (("np.sqrt((apart**2).sum(axis=-1))", "np.sqrt(apart**2).sum(axis=-1)"),),
            "You add up how far apart the {d} coordinates are: from (0, 0) to (3, 4) that's 7, as "
            "a taxi drives. In a straight line it's 5.",
            "What happens first, the sum or the root?",
            r"abs|sqrt|sum",
        ),
        Mistake(
            "transposed",
            (("sum(axis=-1))", "sum(axis=-1)).T"),),
            "Your rows belong to b: you give {m} × {n} distances, and {n} × {m} are wanted.",
            "Which of the two arrays should your row number count?",
            r"None|newaxis|\.T|for",
        ),
        Mistake(
            "averaged",
            ((".sum(axis=-1)", ".mean(axis=-1)"),),
            "Your squares are averaged over the {d} dimensions, so your distances come out too "
            "short, by a factor of √{d}.",
            "Does a point move closer when it gets one more coordinate?",
            r"mean|/",
        ),
        Mistake(
            "largest",
            (("np.sqrt((apart**2).sum(axis=-1))", "np.abs(apart).max(axis=-1)"),),
            "Only the largest of the {d} coordinate differences counts in your distances: from "
            "(0, 0) to (3, 4) you'd walk 4, not 5.",
            "What becomes of the other coordinates?",
            r"max",
        ),
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
