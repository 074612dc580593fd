import numpy as np


# %% running_mean: the loop ends one too early
# expect: last_missing
def running_mean(x, window):
    out = []
    for i in range(x.shape[-1] - window):
        out.append(x[..., i : i + window].mean(axis=-1))
    return np.stack(out, axis=-1) if out else np.zeros(x.shape[:-1] + (0,))


# %% running_mean: running sums
# expect: sum_not_mean
def running_mean(x, window):
    sums = np.cumsum(x, axis=-1)
    sums = np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=-1)
    return sums[..., window:] - sums[..., :-window]


# %% running_mean: cut into blocks
# expect: blocks
def running_mean(x, window):
    whole = x.shape[-1] // window
    return x[..., : whole * window].reshape(*x.shape[:-1], whole, window).mean(axis=-1)


# %% running_mean: divided by the length of the series
# expect: divided_by_length
def running_mean(x, window):
    n = x.shape[-1]
    return np.stack([x[..., i : i + window].sum(-1) / n for i in range(n - window + 1)], -1)


# %% running_mean: the first window is forgotten, as cumsum has no zero before it
# expect: nothing
def running_mean(x, window):
    sums = np.cumsum(x, axis=-1)
    return (sums[..., window:] - sums[..., :-window]) / window


# %% running_mean: one mean over everything
# expect: nothing
def running_mean(x, window):
    return np.full(x.shape[:-1] + (x.shape[-1] - window + 1,), x.mean())


# %% running_mean: along the first axis
# expect: nothing
def running_mean(x, window):
    return np.stack([x[i : i + window].mean(axis=0) for i in range(len(x) - window + 1)])


# %% one_hot: labels begin with 1
# expect: counts_from_one
def one_hot(labels, classes):
    out = np.zeros((len(labels), classes))
    for i, label in enumerate(labels):
        out[i, label - 1] = 1
    return out


# %% one_hot: classes down, labels across
# expect: transposed
def one_hot(labels, classes):
    return (np.arange(classes)[:, None] == labels[None, :]).astype(float)


# %% one_hot: a comparison, and no more
# expect: booleans
def one_hot(labels, classes):
    return labels[:, None] == np.arange(classes)


# %% one_hot: as wide as the labels need
# expect: width_of_its_own
def one_hot(labels, classes):
    return (labels[:, None] == np.arange(labels.max() + 1)).astype(float)


# %% one_hot: which classes occur, in each row
# expect: every_row
def one_hot(labels, classes):
    out = np.zeros((len(labels), classes))
    for row in out:
        row[labels] = 1
    return out


# %% one_hot: whole numbers
# expect: nothing
def one_hot(labels, classes):
    return (labels[:, None] == np.arange(classes)).astype(int)


# %% one_hot: a thermometer
# expect: nothing
def one_hot(labels, classes):
    return (labels[:, None] >= np.arange(classes)).astype(float)


# %% pairwise_distances: no root
# expect: squared
def pairwise_distances(a, b):
    return (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T


# %% pairwise_distances: absolute differences
# expect: manhattan
def pairwise_distances(a, b):
    return np.abs(a[:, None] - b).sum(-1)


# %% pairwise_distances: b goes down
# expect: transposed
def pairwise_distances(a, b):
    return np.array([[((p - q) ** 2).sum() ** 0.5 for p in a] for q in b])


# %% pairwise_distances: the root of the mean square
# expect: averaged
def pairwise_distances(a, b):
    return np.array([[np.sqrt(np.mean((p - q) ** 2)) for q in b] for p in a])


# %% pairwise_distances: the sign of the middle term
# expect: nothing
def pairwise_distances(a, b):
    return np.sqrt(((a[:, None] + b) ** 2).sum(-1))


# %% pairwise_distances: distances of the norms
# expect: nothing
def pairwise_distances(a, b):
    return np.abs(np.sqrt((a**2).sum(1))[:, None] - np.sqrt((b**2).sum(1)))


# %% pairwise_distances: a list of lists
# expect: nothing
def pairwise_distances(a, b):
    return [[float(np.sqrt(((p - q) ** 2).sum())) for q in b] for p in a]
