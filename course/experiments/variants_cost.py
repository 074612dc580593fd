"""Lesson 7: what attention costs in memory, operations and time, and how far it reaches."""

import contextlib
import time

import torch
import torch.nn.functional as F
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class LiveTensors(TorchDispatchMode):
    """Watch all tensors that are made; `peak` is the most bytes that were alive at once."""

    def __init__(self):
        super().__init__()
        self.alive, self.peak = {}, 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                self.alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.alive = {key: pair for key, pair in self.alive.items() if not pair[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))
        return result


def peak_bytes(function, *arguments):
    """The most bytes that a function's own tensors take at once; its arguments do not count."""
    with LiveTensors() as watcher, torch.no_grad():
        function(*arguments)
    return watcher.peak


def operations(function, *arguments):
    """How many operations its matrix products need, multiplications and additions."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        function(*arguments)
    return counter.get_total_flops()


def milliseconds(function, *arguments, tries=2):
    """The shortest of some calls: the least disturbed one."""
    times = []
    with torch.no_grad():
        for _ in range(tries):
            start = time.perf_counter()
            function(*arguments)
            times.append(1000 * (time.perf_counter() - start))
    return min(times)


def reach(attend, length, layers, seed=0):
    """On which inputs does the last output depend, when attention is stacked? (length,) sizes.

    Args:
        attend: a function of (length, d) that lets every token look around once.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(length, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(layers):
        y = y + attend(y)
    [slope] = torch.autograd.grad(y[-1].sum(), x)
    return slope.norm(dim=-1)


def online_softmax(scores, values, tile):
    """The books that tiled attention keeps for one query: a line for every tile.

    Args:
        scores, values: (keys,)
    Returns:
        [(the highest so far, the sum, the mixture)] after each tile, as plain numbers.
    """
    highest, total, output = -torch.inf, 0.0, 0.0
    lines = []
    for start in range(0, len(scores), tile):
        some = scores[start : start + tile]
        new = max(highest, some.max().item())
        shrink = torch.tensor(highest - new).exp().item()
        shares = (some - new).exp()
        total = total * shrink + shares.sum().item()
        output = output * shrink + (shares * values[start : start + tile]).sum().item()
        highest = new
        lines.append((highest, total, output))
    return lines


@contextlib.contextmanager
def looking_back(model, attend):
    """Let all blocks of a GPT look back with another attention, of (query, key, value).

    The weights stay as they are; only what a query may see changes.
    """
    layers = [block.self_attention for block in model.blocks]
    for layer in layers:
        layer.look_back = attend
    try:
        yield model
    finally:
        for layer in layers:
            del layer.look_back


def within(window, attend):
    """How a GPT looks back at no more than so many keys, also where it writes with a cache.

    Args:
        attend: sliding_window_attention
    """

    def look_back(query, key, value):
        if query.shape[-2] == 1:  # one new token: the window is the end of what was read
            return F.scaled_dot_product_attention(
                query, key[..., -window:, :], value[..., -window:, :]
            )
        return attend(query, key, value, window)

    return look_back


def with_ticks(picture):
    """The same curves on a logarithmic axis, with a tick at every point that was measured."""
    [ax] = picture.figure.axes
    points = ax.get_lines()[0].get_xdata()
    ax.set_xticks(points, [f"{point:g}" for point in points])
    ax.minorticks_off()
    return picture
