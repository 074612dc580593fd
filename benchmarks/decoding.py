"""Greedy decoding of a GPT that remembers keys and values, against one that reads all again."""

import statistics
from functools import partial

import torch

from solutions.fast import fast
from solutions.models import GPT, generate

from .measure import median_ratio, seconds_by_turns, table

SIZES = {"small": (256, 4, 1024, 4), "base": (512, 8, 2048, 6)}
RUNS = [("small", 1), ("small", 8), ("base", 1)]  # the model, and how many texts at a time
LENGTHS = (64, 256)


def run(device, runs=RUNS, lengths=LENGTHS, rounds=3):
    """A row for each run and length: tokens per second either way, and their ratio."""
    rows = []
    for name, batch in runs:
        torch.manual_seed(0)
        model = fast(GPT(1000, *SIZES[name], max_length=max(lengths) + 1)).to(device).eval()
        prompt = torch.randint(1000, (batch, 1), device=device)
        for length in lengths:
            write = partial(generate, model, prompt, length, temperature=0)
            jobs = {cached: partial(write, use_cache=cached) for cached in (True, False)}
            times = seconds_by_turns(jobs, device, rounds, warm_up=0)
            again, cached = (statistics.median(times[kind]) for kind in (False, True))
            speeds = [f"{batch * length / seconds:,.0f}" for seconds in (again, cached)]
            gain = median_ratio(times[False], times[True])
            rows.append([name, batch, length, *speeds, f"{gain:.1f}"])
    header = ["model", "texts", "length", "tokens/s, again", "tokens/s, cached", "× faster"]
    return table(header, rows)
