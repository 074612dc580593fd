"""Timing that can be compared: everybody takes a turn in every round, and the medians count.

A machine that is busy for a while is then busy for all, and the ratio within a round still holds.
"""

import os
import platform
import statistics
import time

import torch


def synchronise(device):
    """A GPU answers before it has finished; wait until it has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_by_turns(jobs, device, rounds=10, warm_up=2):
    """jobs {name: function} → {name: seconds of every round}."""
    times = {name: [] for name in jobs}
    for number in range(warm_up + rounds):
        for name, job in jobs.items():
            synchronise(device)
            began = time.perf_counter()
            job()
            synchronise(device)
            if number >= warm_up:
                times[name].append(time.perf_counter() - began)
    return times


def median_ratio(numerators, denominators):
    """The median over the rounds of one time divided by the other."""
    return statistics.median(a / b for a, b in zip(numerators, denominators))


def machine(device):
    """What the figures were measured on, in one line."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{processor_name()}, {torch.get_num_threads()} threads of {os.cpu_count()} cores"
    return f"{name}; torch {torch.__version__}, Python {platform.python_version()}"


def processor_name():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def table(header, rows, texts=1):
    """A Markdown table, easy to read in a terminal too: columns of texts first, then of numbers."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]

    def line(row):
        left = [cell.ljust(width) for cell, width in zip(row[:texts], widths)]
        right = [cell.rjust(width) for cell, width in zip(row[texts:], widths[texts:])]
        return "| " + " | ".join(left + right) + " |"

    ends = ["-" if i < texts else ":" for i in range(len(widths))]
    rule = "|" + "|".join("-" * (w + 1) + end for w, end in zip(widths, ends)) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])
