"""Stand-bys for lesson 6, from torch's own loss; decoding in tables that are set aside at once."""

import contextlib
import math

import torch
import torch.nn.functional as F
from torch import nn


def learning_rate(step, d_model, warmup=4000):
    if warmup <= 0:
        raise ValueError(f"warmup={warmup} must be more than 0")
    log_step = math.log(max(step, 1))
    slower = min(-0.5 * log_step, log_step - 1.5 * math.log(warmup))
    return math.exp(slower - 0.5 * math.log(d_model))


def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing} must lie between 0 and 1")
    rows, wanted = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    options = {"ignore_index": pad, "label_smoothing": smoothing, "reduction": "sum"}
    return F.cross_entropy(rows, wanted, **options) / (wanted != pad).sum().clamp(min=1)


def shift_right(targets, start):
    return F.pad(targets, (1, -1), value=start)


def initialise(model):
    for matrix in [p for p in model.parameters() if p.ndim == 2]:
        nn.init.xavier_uniform_(matrix)
    return model


@contextlib.contextmanager
def evaluating(model):
    modes = [(part, part.training) for part in model.modules()]
    with torch.no_grad():
        model.eval()
        try:
            yield
        finally:
            for part, mode in modes:
                part.training = mode


def greedy_decode(model, source, start, end, max_length=50):
    with evaluating(model):
        memory = model.encode(source)
        written = source.new_full((len(source), max_length + 1), model.pad)
        written[:, 0] = start
        going = source.new_ones(len(source), dtype=torch.bool)
        for step in range(max_length):
            last = model.decode(written[:, : step + 1], memory, source).select(1, -1)
            likeliest = model.output(last).max(-1).indices
            written[going, step + 1] = likeliest[going]
            going &= likeliest != end
            if not going.any():
                break
        return written[:, 1:]


def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    if beam < 1:
        raise ValueError(f"beam={beam} must be at least 1")
    if alpha < 0:
        raise ValueError(f"alpha={alpha} must not be negative")

    def allowance(length):
        return ((5 + length) / 6) ** alpha

    with evaluating(model):
        rows, nothing = len(source), float("-inf")
        again = torch.arange(rows, device=source.device).repeat_interleave(beam)
        memory, sources = model.encode(source)[again], source[again]
        written = source.new_full((rows, beam, 1), start)
        length = source.new_zeros(rows, beam)
        ended = torch.zeros_like(length, dtype=torch.bool)
        total = torch.zeros((rows, beam), device=source.device)
        total[:, 1:] = nothing  # all begin alike, so that one is enough
        for _ in range(max_length):
            last = model.decode(written.flatten(0, 1), memory, sources).select(1, -1)
            gains = model.output(last).float().log_softmax(-1).unflatten(0, (rows, beam))
            stays = torch.full_like(gains, nothing)
            stays[..., model.pad] = 0.0
            sums = total[..., None] + torch.where(ended[..., None], stays, gains)
            length = length + ~ended
            score, place = (sums / allowance(length)[..., None]).flatten(1).topk(beam)
            parent = place.div(sums.shape[-1], rounding_mode="floor")
            token = place.remainder(sums.shape[-1])
            total = sums.flatten(1).take_along_dim(place, 1)
            kept = written.take_along_dim(parent[..., None], 1)
            written = torch.cat([kept, token[..., None]], -1)
            length, ended = (x.take_along_dim(parent, 1) for x in (length, ended))
            ended = ended | (token == end)
            hope = torch.where(ended, total.new_tensor(nothing), total).amax(1)
            if torch.all(ended[:, 0] & (score[:, 0] >= hope / allowance(max_length))):
                break
        return written[:, 0, 1:]
