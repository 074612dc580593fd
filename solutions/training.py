"""Lesson 6 · Training and decoding: how the Transformer learns, and how it then writes."""

from contextlib import contextmanager

import torch
from torch import nn


def learning_rate(step, d_model, warmup=4000):
    """Rise in a straight line while warming up, then fall with the square root of the step.

    lrate = d_model^-0.5 · min(step^-0.5, step · warmup^-1.5)      (section 5.3, equation 3)

    Args:
        step: counts from 1. At step 0, where 0^-0.5 is no number, any rate from 0 up to that of
            step 1 will do.
        d_model: features of a token.
        warmup: the step at which the rate is highest.
    Returns:
        float
    """
    if warmup <= 0:
        raise ValueError(f"warmup={warmup} must be more than 0")
    ### BEGIN SOLUTION
    step = max(step, 1)
    rising = step * warmup**-1.5
    falling = step**-0.5
    return d_model**-0.5 * min(rising, falling)
    ### END SOLUTION


def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    """How surprised the model is by the right tokens, softened; the mean leaves out padding.

    loss = (1 - ε) · (-log p_right) + ε · mean_v(-log p_v)      (section 5.4)

    With smoothing ε the model should give the right token 1 - ε, and share ε equally among all
    tokens of the vocabulary, the right one too.

    Args:
        logits: (..., vocab)
        targets: (...) token numbers.
        smoothing: ε, from 0 to 1.
        pad: targets with this number do not count.
    Returns:
        A scalar; 0 if everything is padding.
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing} must lie between 0 and 1")
    ### BEGIN SOLUTION
    surprise = -torch.log_softmax(logits, dim=-1)  # (..., vocab)
    counts = targets != pad  # (...)
    looked_up = targets.masked_fill(~counts, 0)  # pad may be no index at all: -100, for example
    right = surprise.gather(-1, looked_up[..., None]).squeeze(-1)  # (...)
    loss = (1 - smoothing) * right  # (...)
    if smoothing > 0:  # 0 · ∞ is no number, and a token that is ruled out has infinite surprise
        loss = loss + smoothing * surprise.mean(dim=-1)
    return loss.masked_fill(~counts, 0.0).sum() / counts.sum().clamp(min=1)
    ### END SOLUTION


def shift_right(targets, start):
    """What the decoder reads: the start token, then the targets, each one place later.

    (section 3.1)

    At every position it has then seen all earlier targets, and not the one it has to predict.

    Args:
        targets: (batch, length) token numbers.
        start: the number of the start token.
    Returns:
        (batch, length); the last target falls out.
    """
    ### BEGIN SOLUTION
    shifted = torch.empty_like(targets)
    shifted[:, :1] = start
    shifted[:, 1:] = targets[:, :-1]
    return shifted
    ### END SOLUTION


def initialise(model):
    """Fill every matrix by Xavier's rule, in place: signals keep their size on the way through.

    W ~ U(-a, a),  a = √(6 / (inputs + outputs))        (Glorot and Bengio, 2010)

    Args:
        model: any nn.Module; parameters of one dimension or none stay as they are, and so do
            buffers. Those of more than two, as a convolution has, may be filled or left.
    Returns:
        The same model.
    """
    ### BEGIN SOLUTION
    for parameter in model.parameters():
        if parameter.dim() == 2:
            nn.init.xavier_uniform_(parameter)
    return model
    ### END SOLUTION


@contextmanager
def evaluating(model):
    """No dropout and no gradients inside; afterwards every part is in the mode it was in."""
    was_training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in was_training:
            module.training = True


def greedy_decode(model, source, start, end, max_length=50):
    """Write one token after the other, each time the likeliest.

    The simplest way; the paper's own is beam_search (section 6.1).

    Args:
        model: has encode(source), decode(target, memory, source), output and pad, as Transformer
            has.
        source: (batch, source) token numbers.
        start, end: the numbers of the start and the end token.
        max_length: write at most so many tokens, the end token among them.
    Returns:
        (batch, length) without the start token; everything after the first end token is model.pad.
    """
    with evaluating(model):
        memory = model.encode(source)  # read once, however much is written
        ### BEGIN SOLUTION
        tokens = source.new_full((len(source), 1), start)  # (batch, written + 1)
        finished = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for _ in range(max_length):
            hidden = model.decode(tokens, memory, source)[:, -1]  # (batch, d_model)
            token = model.output(hidden).argmax(dim=-1)  # (batch,)
            token = token.masked_fill(finished, model.pad)
            tokens = torch.cat([tokens, token[:, None]], dim=1)
            finished = finished | (token == end)
            if finished.all():
                break
        return tokens[:, 1:]
        ### END SOLUTION


def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    """Write several translations side by side, keep the best few at every step, return the best.

    score = Σ log p / ((5 + n) / 6)^alpha                (section 6.1; Wu et al., 2016, equation 14)

    with n tokens written, the end token among them. A finished hypothesis stays in the beam with
    the score it has, and is compared with those that are still being written.

    Args:
        model, source, start, end, max_length: as in greedy_decode.
        beam: how many hypotheses to keep for each source.
        alpha: how much a longer translation is made up for its many factors; 0 not at all.
    Returns:
        (batch, length) as greedy_decode; with beam=1 it is greedy_decode's answer, but for ties.
    """
    if beam < 1:
        raise ValueError(f"beam={beam} must be at least 1")
    if alpha < 0:
        raise ValueError(f"alpha={alpha} must not be negative")
    with evaluating(model):
        batch = len(source)
        memory = model.encode(source)  # (batch, source, d_model), read once
        memory = memory.repeat_interleave(beam, dim=0)  # (batch·beam, source, d_model)
        source = source.repeat_interleave(beam, dim=0)  # (batch·beam, source)
        tokens = source.new_full((batch * beam, 1), start)  # (batch·beam, written + 1)
        length = source.new_zeros(batch * beam)  # tokens written, the end token included
        finished = torch.zeros(batch * beam, dtype=torch.bool, device=source.device)
        # All beams begin alike: one counts, or they would stay alike for ever.
        total = torch.full((batch, beam), float("-inf"), device=source.device)
        total[:, 0] = 0.0
        first_row = torch.arange(0, batch * beam, beam, device=source.device)  # of each source
        for _ in range(max_length):
            hidden = model.decode(tokens, memory, source)[:, -1]  # (batch·beam, d_model)
            logits = model.output(hidden)  # (batch·beam, vocab)
            vocab = logits.shape[-1]
            log_p = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
            # A finished hypothesis has one continuation: padding, at no cost.
            log_p = log_p.masked_fill(finished[:, None], float("-inf"))
            log_p[:, model.pad] = log_p[:, model.pad].masked_fill(finished, 0.0)
            ### BEGIN SOLUTION
            total = total.reshape(-1, 1) + log_p  # (batch·beam, vocab)
            length = length + ~finished  # (batch·beam,)
            score = total / ((5 + length[:, None]) / 6) ** alpha
            score, best = score.reshape(batch, beam * vocab).topk(beam)  # (batch, beam) each
            total = total.reshape(batch, beam * vocab).gather(1, best)  # (batch, beam)
            parent = (first_row[:, None] + best // vocab).flatten()  # the rows they continue
            token = (best % vocab).flatten()  # (batch·beam,)
            tokens = torch.cat([tokens[parent], token[:, None]], dim=1)
            length, finished = length[parent], finished[parent] | (token == end)
            ### END SOLUTION
            # log p is never above 0, so whatever is still written, no score will exceed this hope.
            unfinished = total.masked_fill(finished.reshape(batch, beam), float("-inf"))
            hope = unfinished.amax(dim=1) / ((5 + max_length) / 6) ** alpha  # (batch,)
            if (finished[first_row] & (score[:, 0] >= hope)).all():
                break
        # topk sorts, so the first of each source's rows is its best.
        return tokens[first_row, 1:]
