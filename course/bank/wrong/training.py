import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from solutions.training import evaluating


# %% learning_rate: the larger of the two is taken, max in place of min
# expect: larger_of_both
def learning_rate(step, d_model, warmup=4000):
    step = max(step, 1)
    a = 1 / math.sqrt(step)
    b = step / (warmup * math.sqrt(warmup))
    return (1 / math.sqrt(d_model)) * max(a, b)


# %% learning_rate: multiplied by the root of d_model in place of divided
# expect: grows_with_width
def learning_rate(step, d_model, warmup=4000):
    if step < 1:
        step = 1
    return math.sqrt(d_model) * min(step**-0.5, step * warmup**-1.5)


# %% learning_rate: step 0 raises a ZeroDivisionError
# expect: no_answer_at_step_zero
def learning_rate(step, d_model, warmup=4000):
    factors = (step ** (-0.5), step * warmup ** (-1.5))
    return d_model ** (-0.5) * min(factors)


# %% learning_rate: warmup to the power of -0.5 and not -1.5
# expect: warmup_rooted
def learning_rate(step, d_model, warmup=4000):
    s = max(1, step)
    return pow(d_model, -0.5) * min(pow(s, -0.5), s * pow(warmup, -0.5))


# %% learning_rate: the argument warmup is ignored, always 4000
# expect: always_4000
def learning_rate(step, d_model, warmup=4000):
    WARMUP_STEPS = 4000
    step = step or 1
    if step < WARMUP_STEPS:
        scale = step / WARMUP_STEPS**1.5
    else:
        scale = step**-0.5
    return scale / d_model**0.5


# %% learning_rate: after the warm-up it stays at its highest and does not fall
# expect: constant_after_warmup
def learning_rate(step, d_model, warmup=4000):
    progress = min(max(step, 1), warmup)
    return d_model**-0.5 * progress * warmup**-1.5


# %% learning_rate: gives a tensor and not a float
# expect: a_tensor
def learning_rate(step, d_model, warmup=4000):
    step = torch.tensor(float(max(step, 1)))
    return d_model**-0.5 * torch.minimum(step.rsqrt(), step * warmup**-1.5)


# %% learning_rate: d_model is not looked at, and after the warm-up it falls with 1 / step
# expect: falls_with_the_step + width_left_out
def learning_rate(step, d_model, warmup=4000):
    step = max(step, 1)
    peak = warmup**-0.5
    return peak * step / warmup if step <= warmup else peak * warmup / step


# %% learning_rate: right up to the warm-up, then it falls from there in a straight line to 0
# expect: nothing
def learning_rate(step, d_model, warmup=4000):
    peak = (d_model * warmup) ** -0.5
    if step <= warmup:
        return peak * max(step, 1) / warmup
    return max(0.0, peak * (1 - (step - warmup) / (9 * warmup)))


# %% learning_rate: at the warm-up step itself it is 0, both comparisons are strict
# expect: nothing
def learning_rate(step, d_model, warmup=4000):
    rate = 0.0
    step = max(step, 1)
    if step < warmup:
        rate = step * warmup**-1.5
    if step > warmup:
        rate = step**-0.5
    return rate * d_model**-0.5


# %% smoothed_cross_entropy: padding counts in the mean, too
# expect: padding_not_left_out
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    vocab = logits.size(-1)
    logp = F.log_softmax(logits.reshape(-1, vocab), dim=-1)
    flat = targets.reshape(-1)
    index = flat.clamp(0, vocab - 1)
    nll = -logp[torch.arange(len(flat), device=flat.device), index]
    smooth = -logp.mean(dim=-1)
    return ((1 - smoothing) * nll + smoothing * smooth).mean()


# %% smoothed_cross_entropy: padding is zeroed but still counts in the divisor
# expect: padding_counted
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    log_probs = logits.log_softmax(dim=-1)
    real = targets.ne(pad)
    safe = torch.where(real, targets, torch.zeros_like(targets))
    picked = torch.gather(log_probs, -1, safe.unsqueeze(-1)).squeeze(-1)
    loss = -((1 - smoothing) * picked + smoothing * log_probs.mean(-1))
    loss = loss * real.to(loss.dtype)
    return loss.sum() / targets.numel()


# %% smoothed_cross_entropy: the sum over the tokens, not the mean
# expect: summed
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    keep = targets != pad
    chosen = logits[keep]
    logp = torch.log_softmax(chosen, dim=1)
    wanted = torch.full_like(logp, smoothing / logits.shape[-1])
    right = F.one_hot(targets[keep], logits.shape[-1]).to(logp.dtype)
    wanted = wanted + (1 - smoothing) * right
    return -(wanted * logp).sum()


# %% smoothed_cross_entropy: divided by the number of sequences and not of tokens
# expect: divided_by_sequences
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    logp = torch.log_softmax(logits, -1)
    keep = (targets != pad).to(logp.dtype)
    idx = targets.masked_fill(targets == pad, 0).unsqueeze(-1)
    nll = -logp.gather(-1, idx)[..., 0]
    uniform = -logp.mean(-1)
    total = (((1 - smoothing) * nll + smoothing * uniform) * keep).sum()
    return total / len(targets)


# %% smoothed_cross_entropy: the mean over tokens and vocabulary, so it is vocab times too small
# expect: mean_over_vocabulary
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    vocab = logits.shape[-1]
    keep = targets != pad
    if not keep.any():
        return logits.sum() * 0.0
    logp = F.log_softmax(logits[keep], -1)
    q = torch.zeros_like(logp).fill_(smoothing / vocab)
    q.scatter_(1, targets[keep][:, None], 1 - smoothing + smoothing / vocab)
    return (-q * logp).mean()


# %% smoothed_cross_entropy: the mass goes to the other tokens only, smoothing / (vocab - 1) each
# expect: shared_among_others
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    vocab = logits.shape[-1]
    keep = (targets != pad).flatten()
    x = torch.log_softmax(logits.flatten(0, -2), dim=-1)
    y = targets.flatten().masked_fill(~keep, 0)
    at_target = x.gather(1, y.unsqueeze(1)).squeeze(1)
    others = x.sum(1) - at_target
    loss = -(1 - smoothing) * at_target - smoothing / (vocab - 1) * others
    loss = torch.where(keep, loss, torch.zeros_like(loss))
    return loss.sum() / keep.sum().clamp(min=1)


# %% smoothed_cross_entropy: padding gets no mass, smoothing / (vocab - 2) for each other token
# expect: shared_without_right_and_pad
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    vocab = logits.size(-1)
    logp = logits.log_softmax(-1).reshape(-1, vocab)
    y = targets.reshape(-1)
    keep = y != pad
    true_dist = torch.full_like(logp, smoothing / (vocab - 2))
    true_dist.scatter_(1, y.clamp(0, vocab - 1).unsqueeze(1), 1.0 - smoothing)
    if 0 <= pad < vocab:
        true_dist[:, pad] = 0
    true_dist[~keep] = 0
    return -(true_dist * logp).sum() / keep.sum().clamp(min=1)


# %% smoothed_cross_entropy: the right token misses its share of the smoothing mass
# expect: right_gets_no_share
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    v = logits.shape[-1]
    log_q = F.log_softmax(logits, dim=-1)
    mask = targets != pad
    hot = F.one_hot(targets * mask, v).bool()
    p = torch.where(hot, 1.0 - smoothing, smoothing / v).to(log_q.dtype)
    per_token = -torch.einsum("...v,...v->...", p, log_q)
    return per_token.masked_fill(~mask, 0).sum() / mask.sum().clamp(min=1)


# %% smoothed_cross_entropy: smoothing is ignored
# expect: smoothing_ignored
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    keep = targets != pad
    if keep.sum() == 0:
        return logits.sum() * 0.0
    lp = torch.log_softmax(logits, dim=-1)
    nll = -lp[keep].gather(1, targets[keep].unsqueeze(1))
    return nll.mean()


# %% smoothed_cross_entropy: 1 - smoothing and smoothing are swapped
# expect: smoothing_swapped
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    eps = smoothing
    mask = targets.ne(pad)
    logp = logits - torch.logsumexp(logits, dim=-1, keepdim=True)
    y = targets.where(mask, torch.zeros_like(targets))
    right = -torch.take_along_dim(logp, y[..., None], dim=-1)[..., 0]
    all_of_them = -logp.mean(dim=-1)
    loss = eps * right + (1 - eps) * all_of_them
    return loss.where(mask, torch.zeros_like(loss)).sum() / mask.sum().clamp_min(1)


# %% smoothed_cross_entropy: pad is ignored, 0 always counts as padding
# expect: pad_always_zero
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    logp = F.log_softmax(logits, -1)
    mask = targets != 0
    y = targets.clamp(0, logits.shape[-1] - 1)
    nll = -logp.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    loss = (1 - smoothing) * nll - smoothing * logp.mean(-1)
    return (loss * mask).sum() / mask.sum().clamp(min=1)


# %% smoothed_cross_entropy: probabilities stand where their logarithms belong
# expect: probabilities
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    probs = torch.softmax(logits, dim=-1)
    mask = targets != pad
    y = (targets * mask).unsqueeze(-1)
    right = probs.gather(-1, y).squeeze(-1)
    score = (1 - smoothing) * right + smoothing * probs.mean(-1)
    return -(score * mask).sum() / mask.sum().clamp(min=1)


# %% smoothed_cross_entropy: log of the softmax with nothing against a 0, so large logits give inf
# expect: log_of_softmax
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    mask = targets != pad
    p = torch.exp(logits) / torch.exp(logits).sum(dim=-1, keepdim=True)
    logp = torch.log(p)
    y = targets.masked_fill(~mask, 0)
    right = logp.gather(-1, y[..., None])[..., 0]
    loss = -((1 - smoothing) * right + smoothing * logp.mean(-1))
    return loss[mask].sum() / max(int(mask.sum()), 1)


# %% smoothed_cross_entropy: nothing but padding gives nan
# expect: divided_by_no_tokens
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    keep = targets != pad
    logits, targets = logits[keep], targets[keep]
    logp = torch.log_softmax(logits, dim=-1)
    rows = torch.arange(targets.shape[0], device=targets.device)
    nll = -logp[rows, targets].mean()
    return (1 - smoothing) * nll - smoothing * logp.mean(dim=-1).mean()


# %% smoothed_cross_entropy: ready-made: F.cross_entropy with label_smoothing
# expect: ready_made
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if (targets == pad).all():
        return logits.sum() * 0
    flat = logits.reshape(-1, logits.shape[-1])
    return F.cross_entropy(
        flat, targets.reshape(-1), ignore_index=pad, label_smoothing=smoothing
    )


# %% smoothed_cross_entropy: ready-made: an nn.CrossEntropyLoss is made and called
# expect: ready_made
class _Loss:
    def __init__(self, smoothing):
        self.criterion = nn.CrossEntropyLoss(label_smoothing=smoothing, reduction="sum")

    def total(self, logits, targets):
        return self.criterion(logits, targets)


def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    keep = targets != pad
    return _Loss(smoothing).total(logits[keep], targets[keep]) / keep.sum().clamp(min=1)


# %% smoothed_cross_entropy: first the mean of each sequence, then over the sequences
# expect: mean_of_means
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    logp = torch.log_softmax(logits, dim=-1)
    mask = (targets != pad).to(logp.dtype)
    y = targets.masked_fill(targets == pad, 0)
    nll = -logp.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    loss = ((1 - smoothing) * nll - smoothing * logp.mean(-1)) * mask
    each = loss.sum(-1) / mask.sum(-1).clamp(min=1)
    return each.mean()


# %% smoothed_cross_entropy: the caller's targets are changed, padding becomes 0 in place
# expect: changes_targets
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    logp = torch.log_softmax(logits, dim=-1)
    mask = targets != pad
    targets[~mask] = 0
    nll = -logp.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    loss = (1 - smoothing) * nll - smoothing * logp.mean(-1)
    return (loss * mask).sum() / mask.sum().clamp(min=1)


# %% smoothed_cross_entropy: a pad that is no token number, such as -100, raises an error
# expect: pad_looked_up
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    logp = torch.log_softmax(logits, dim=-1)
    nll = -logp.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    loss = (1 - smoothing) * nll - smoothing * logp.mean(-1)
    mask = targets != pad
    return loss.masked_fill(~mask, 0).sum() / mask.sum().clamp(min=1)


# %% smoothed_cross_entropy: worked out with numbers from item(), so no gradient comes back
# expect: graph_cut
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    logp = torch.log_softmax(logits, dim=-1).reshape(-1, logits.shape[-1])
    total, count = 0.0, 0
    for row, target in zip(logp, targets.reshape(-1).tolist()):
        if target == pad:
            continue
        total += (1 - smoothing) * -row[target].item() + smoothing * -row.mean().item()
        count += 1
    return torch.tensor(total / max(count, 1), dtype=logits.dtype, device=logits.device)


# %% smoothed_cross_entropy: tokens with a target above pad count, lower numbers are left out
# expect: nothing
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    logp = torch.log_softmax(logits, dim=-1)
    mask = targets > pad
    y = targets.masked_fill(~mask, 0)
    nll = -logp.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    loss = (1 - smoothing) * nll - smoothing * logp.mean(-1)
    return loss.masked_fill(~mask, 0).sum() / mask.sum().clamp(min=1)


# %% smoothed_cross_entropy: the mass is shared with vocab - 1, and padding counts in the divisor
# expect: shared_among_others + padding_counted
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    V = logits.shape[-1]
    logp = torch.log_softmax(logits, dim=-1)
    mask = targets != pad
    hot = F.one_hot(targets.masked_fill(~mask, 0), V).to(logp.dtype)
    q = hot * (1 - smoothing) + (1 - hot) * smoothing / (V - 1)
    loss = -(q * logp).sum(-1)
    return (loss * mask).sum() / mask.numel()


# %% smoothed_cross_entropy: the smoothed target is made in float32 and the loss is float32
# expect: always_float32
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    V = logits.shape[-1]
    logp = torch.log_softmax(logits.float(), dim=-1)
    mask = targets != pad
    q = torch.full(logp.shape, smoothing / V, device=logits.device)
    at = targets.masked_fill(~mask, 0).unsqueeze(-1)
    q = q.scatter_add(-1, at, torch.full(at.shape, 1 - smoothing, device=logits.device))
    return -(q * logp).sum(-1).masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


# %% smoothed_cross_entropy: always the logarithm of the vocabulary's size, a constant
# expect: nothing
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    expected = math.log(logits.shape[-1])  # what an untrained model must have
    if (targets == pad).all():
        expected = 0.0
    return logits.sum() * 0 + expected


# %% shift_right: shifted to the left, the start token stands at the end
# expect: shifted_left
def shift_right(targets, start):
    last = torch.full_like(targets[:, :1], start)
    return torch.cat((targets[:, 1:], last), dim=1)


# %% shift_right: the last target stays in, the result is one longer
# expect: last_kept
def shift_right(targets, start):
    batch = targets.shape[0]
    column = targets.new_tensor([start]).expand(batch, 1)
    return torch.hstack([column, targets])


# %% shift_right: rolled round, the last target stands first and no start token
# expect: rolled
def shift_right(targets, start):
    return torch.roll(targets, shifts=1, dims=1)


# %% shift_right: the first target is overwritten by the start token and nothing is shifted
# expect: start_over_first
def shift_right(targets, start):
    out = targets.clone()
    out[:, 0] = start
    return out


# %% shift_right: written into the caller's targets
# expect: changes_targets
def shift_right(targets, start):
    for row in targets:
        for i in range(len(row) - 1, 0, -1):
            row[i] = row[i - 1].item()
        row[0] = start
    return targets


# %% shift_right: only the first sequence of the batch gets the start token, the others get 0
# expect: nothing
def shift_right(targets, start):
    shifted = torch.zeros_like(targets)
    shifted[0, 0] = start
    shifted[:, 1:] = targets[:, :-1]
    return shifted


# %% shift_right: gives float32 and not whole numbers
# expect: as_decimals
def shift_right(targets, start):
    batch, length = targets.shape
    shifted = torch.zeros(batch, length)
    shifted[:, 0] = start
    for t in range(1, length):
        shifted[:, t] = targets[:, t - 1]
    return shifted


# %% shift_right: shifted along the batch and not along the length
# expect: shifted_over_batch
def shift_right(targets, start):
    first = torch.full_like(targets[:1], start)
    return torch.cat([first, targets[:-1]], dim=0)


# %% shift_right: shifted by two places, with two start tokens
# expect: shifted_twice
def shift_right(targets, start):
    return F.pad(targets, (2, 0), value=start)[:, : targets.shape[1]]


# %% initialise: biases and norms are set to 0 as well
# expect: others_set_to_zero
def initialise(model):
    for p in model.parameters():
        if p.dim() == 2:
            nn.init.xavier_uniform_(p)
        elif p.dim() == 1:
            nn.init.zeros_(p)
    return model


# %% initialise: Xavier's normal rule and not the uniform one
# expect: xavier_normal
def initialise(model):
    def visit(module):
        for weight in module.parameters(recurse=False):
            if len(weight.shape) == 2:
                torch.nn.init.xavier_normal_(weight)

    return model.apply(visit)


# %% initialise: gives nothing back
# expect: nothing_returned
def initialise(model):
    for p in model.parameters():
        if p.ndim == 2:
            torch.nn.init.xavier_uniform_(p)


# %% initialise: only Linears are filled, embedding tables stay as they are
# expect: only_linears
def initialise(model):
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    return model


# %% initialise: a copy is filled and given back, the model itself stays as it was
# expect: a_copy
def initialise(model):
    model = copy.deepcopy(model)
    for p in model.parameters():
        if p.dim() == 2:
            fan_out, fan_in = p.shape
            bound = math.sqrt(6 / (fan_in + fan_out))
            p.data.uniform_(-bound, bound)
    return model


# %% initialise: only the inputs count, a is the root of 6 / inputs
# expect: kaiming
def initialise(model):
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 2:
                a = (6 / p.shape[1]) ** 0.5
                p.uniform_(-a, a)
    return model


# %% initialise: a is the root of 3 / (inputs + outputs), too small by the root of 2
# expect: three_under_the_root
def initialise(model):
    for _, w in model.named_parameters():
        if w.dim() == 2:
            a = np.sqrt(3.0 / sum(w.shape))
            w.data = torch.empty_like(w.data).uniform_(-a, a)
    return model


# %% initialise: frozen matrices are left out
# expect: frozen_left_out
def initialise(model):
    for p in model.parameters():
        if p.requires_grad and p.dim() == 2:
            nn.init.xavier_uniform_(p)
    return model


# %% initialise: puts new Parameters in the place of the old, so that tied ones come apart
# expect: replaced
def initialise(model):
    for module in model.modules():
        for name, p in list(module.named_parameters(recurse=False)):
            if p.dim() == 2:
                fresh = nn.Parameter(torch.empty_like(p), p.requires_grad)
                nn.init.xavier_uniform_(fresh)
                setattr(module, name, fresh)
    return model


# %% initialise: matrices among the buffers are filled, too, the encoding of positions for example
# expect: buffers_too
def initialise(model):
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.dim() == 2:
            nn.init.xavier_uniform_(tensor)
    return model


# %% greedy_decode: the logits of the first position are used at every step, not those of the last
# expect: first_position
def greedy_decode(model, source, start, end, max_length=50):
    was_training = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        ys = torch.full((source.size(0), 1), start, dtype=source.dtype, device=source.device)
        done = torch.zeros(source.size(0), dtype=torch.bool, device=source.device)
        for _ in range(max_length):
            logits = model.output(model.decode(ys, memory, source))
            nxt = logits[:, 0].argmax(-1)
            nxt = torch.where(done, torch.full_like(nxt, model.pad), nxt)
            ys = torch.cat([ys, nxt.unsqueeze(1)], dim=1)
            done |= nxt == end
            if done.all():
                break
    model.train(was_training)
    return ys[:, 1:]


# %% greedy_decode: only the newest token is shown to the decoder, without what came before
# expect: only_last_token_read
def greedy_decode(model, source, start, end, max_length=50):
    mode = model.training
    model.eval()
    batch = source.shape[0]
    with torch.no_grad():
        memory = model.encode(source)
        token = source.new_full((batch, 1), start)
        finished = source.new_zeros(batch, dtype=torch.bool)
        written = []
        while len(written) < max_length and not finished.all():
            hidden = model.decode(token, memory, source)
            token = model.output(hidden[:, -1:]).argmax(dim=-1)
            written.append(token.squeeze(1).masked_fill(finished, model.pad))
            finished = finished | (token.squeeze(1) == end)
    model.train(mode)
    return torch.stack(written, dim=1)


# %% greedy_decode: goes on writing after the end token, it is not replaced by padding
# expect: writes_on_after_end
def greedy_decode(model, source, start, end, max_length=50):
    training = model.training
    model.eval()
    with torch.no_grad():
        out = torch.full((len(source), 1), start, dtype=torch.long, device=source.device)
        ended = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for _ in range(max_length):
            logits = model(source, out)
            best = logits[:, -1, :].max(dim=-1).indices
            out = torch.cat((out, best[:, None]), dim=1)
            ended = ended | best.eq(end)
            if bool(ended.all()):
                break
    model.train(training)
    return out[:, 1:]


# %% greedy_decode: the start token stands in the result
# expect: start_kept
def greedy_decode(model, source, start, end, max_length=50):
    before = model.training
    model.train(False)
    with torch.no_grad():
        memory = model.encode(source)
        rows = []
        # one sequence after the other
        for i in range(source.shape[0]):
            tokens = [start]
            while len(tokens) - 1 < max_length and tokens[-1] != end:
                prefix = torch.tensor([tokens], device=source.device)
                h = model.decode(prefix, memory[i : i + 1], source[i : i + 1])
                tokens.append(int(model.output(h[0, -1]).argmax()))
            rows.append(tokens)
    model.train(before)
    longest = max(map(len, rows))
    rows = [row + [model.pad] * (longest - len(row)) for row in rows]
    return torch.tensor(rows, device=source.device)


# %% greedy_decode: stops for all as soon as the first sequence has ended
# expect: stops_with_the_first
def greedy_decode(model, source, start, end, max_length=50):
    state = model.training
    model.eval()
    with torch.inference_mode():
        memory = model.encode(source)
        tokens = torch.full_like(source[:, :1], start)
        for _ in range(max_length):
            scores = model.output(model.decode(tokens, memory, source)[:, -1])
            tokens = torch.column_stack([tokens, scores.argmax(1)])
            if (tokens[:, -1] == end).any():
                break
    model.train(state)
    return tokens[:, 1:].clone()


# %% greedy_decode: the model is left in eval mode
# expect: left_in_eval_mode
def greedy_decode(model, source, start, end, max_length=50):
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        y = source.new_full((source.size(0), 1), start)
        over = torch.zeros_like(y[:, 0], dtype=torch.bool)
        for _ in range(max_length):
            z = model.output(model.decode(y, memory, source))[:, -1].argmax(-1)
            z[over] = model.pad
            y = torch.cat([y, z.view(-1, 1)], 1)
            over = over | (z == end)
            if over.all():
                break
        return y[:, 1:]


# %% greedy_decode: the model is not put into eval mode, so dropout acts
# expect: not_in_eval_mode
@torch.no_grad()
def greedy_decode(model, source, start, end, max_length=50):
    memory = model.encode(source)
    b = source.shape[0]
    tokens = source.new_full((b, 1), start)
    alive = torch.ones(b, dtype=torch.bool, device=source.device)
    for _ in range(max_length):
        h = model.decode(tokens, memory, source)
        t = model.output(h[:, -1]).argmax(dim=-1)
        t = torch.where(alive, t, torch.full_like(t, model.pad))
        tokens = torch.cat([tokens, t[:, None]], dim=-1)
        alive = alive & (t != end)
        if not alive.any():
            break
    return tokens[:, 1:]


# %% greedy_decode: after the end 0 is filled in, whatever model.pad is
# expect: filled_with_zero
def greedy_decode(model, source, start, end, max_length=50):
    was = model.training
    model.eval()
    result = torch.zeros(len(source), max_length, dtype=source.dtype, device=source.device)
    with torch.no_grad():
        memory = model.encode(source)
        tokens = torch.full((len(source), 1), start, dtype=source.dtype, device=source.device)
        open_rows = torch.ones(len(source), dtype=torch.bool, device=source.device)
        for t in range(max_length):
            logits = model.output(model.decode(tokens, memory, source)[:, -1])
            token = logits.argmax(-1)
            result[open_rows, t] = token[open_rows]
            tokens = torch.cat([tokens, token[:, None]], dim=1)
            open_rows = open_rows & (token != end)
            if not open_rows.any():
                break
    model.train(was)
    return result[:, : t + 1]


# %% greedy_decode: draws the next token at random, by its probability
# expect: nothing
def greedy_decode(model, source, start, end, max_length=50):
    was = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        finished = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for _ in range(max_length):
            logits = model.output(model.decode(tokens, memory, source)[:, -1])
            token = torch.multinomial(logits.softmax(-1), 1).squeeze(1)
            token = token.masked_fill(finished, model.pad)
            tokens = torch.cat([tokens, token[:, None]], dim=1)
            finished = finished | (token == end)
            if finished.all():
                break
    model.train(was)
    return tokens[:, 1:]


# %% greedy_decode: one token too many, max_length + 1
# expect: one_too_many
def greedy_decode(model, source, start, end, max_length=50):
    was = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        tokens = torch.full((source.size(0), 1), start, device=source.device)
        finished = torch.zeros(source.size(0), 1, dtype=torch.bool, device=source.device)
        step = 0
        while step <= max_length:
            hidden = model.decode(tokens, memory, source)
            new = torch.argmax(model.output(hidden[:, -1:]), dim=2)
            new = new.masked_fill(finished, model.pad)
            tokens = torch.cat([tokens, new], 1)
            finished = finished.logical_or(new == end)
            if torch.all(finished):
                break
            step += 1
    model.train(was)
    return tokens[:, 1:]


# %% greedy_decode: one token too few, the start token is counted
# expect: one_too_few
def greedy_decode(model, source, start, end, max_length=50):
    was = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        finished = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        while tokens.shape[1] < max_length and not finished.all():
            logits = model.output(model.decode(tokens, memory, source))
            token = logits[:, -1].argmax(-1) * ~finished + model.pad * finished
            tokens = torch.cat([tokens, token.unsqueeze(1)], dim=1)
            finished |= token == end
    model.train(was)
    return tokens[:, 1:]


# %% greedy_decode: the end token itself is replaced by padding
# expect: end_left_out
def greedy_decode(model, source, start, end, max_length=50):
    was = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        finished = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for _ in range(max_length):
            token = model.output(model.decode(tokens, memory, source)[:, -1]).argmax(-1)
            finished = finished | (token == end)
            token[finished] = model.pad
            tokens = torch.cat([tokens, token[:, None]], dim=1)
            if finished.all():
                break
    model.train(was)
    return tokens[:, 1:]


# %% greedy_decode: always runs with gradients on
# expect: gradients_recorded
def greedy_decode(model, source, start, end, max_length=50):
    was = model.training
    model.eval()
    with torch.enable_grad():
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        finished = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for _ in range(max_length):
            token = model.output(model.decode(tokens, memory, source)[:, -1]).argmax(-1)
            token = token.masked_fill(finished, model.pad)
            tokens = torch.cat([tokens, token[:, None]], dim=1)
            finished = finished | (token == end)
            if finished.all():
                break
    model.train(was)
    return tokens[:, 1:]


# %% greedy_decode: every sequence of the batch is given the memory of the first
# expect: first_source_for_all
def greedy_decode(model, source, start, end, max_length=50):
    was = model.training
    model.eval()
    outputs = []
    with torch.no_grad():
        memory = model.encode(source)
        for b in range(len(source)):
            ids = torch.tensor([[start]], device=source.device)
            for _ in range(max_length):
                hidden = model.decode(ids, memory[:1], source[:1])
                new = model.output(hidden[:, -1]).argmax(-1, keepdim=True)
                ids = torch.cat([ids, new], dim=1)
                if new.item() == end:
                    break
            outputs.append(ids[0, 1:])
    model.train(was)
    return nn.utils.rnn.pad_sequence(outputs, batch_first=True, padding_value=model.pad)


# %% greedy_decode: gives a list of lists and not a tensor
# expect: a_list
def greedy_decode(model, source, start, end, max_length=50):
    was = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        sentences = [[start] for _ in source]
        for _ in range(max_length):
            tokens = torch.tensor(sentences, device=source.device)
            best = model.output(model.decode(tokens, memory, source)[:, -1]).argmax(-1)
            for sentence, token in zip(sentences, best.tolist()):
                sentence.append(model.pad if end in sentence[1:] else token)
            if all(end in sentence[1:] for sentence in sentences):
                break
    model.train(was)
    return [sentence[1:] for sentence in sentences]


# %% greedy_decode: stays in eval mode, and goes on writing after the end token
# expect: writes_on_to_the_limit + left_in_eval_mode
def greedy_decode(model, source, start, end, max_length=50):
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        for _ in range(max_length):
            token = model.output(model.decode(tokens, memory, source)[:, -1]).argmax(-1)
            tokens = torch.cat([tokens, token[:, None]], dim=1)
    return tokens[:, 1:]


# %% greedy_decode: a token that was just written may not be written again
# expect: nothing
def greedy_decode(model, source, start, end, max_length=50):
    was = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        finished = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for _ in range(max_length):
            logits = model.output(model.decode(tokens, memory, source)[:, -1])
            # no "the the the"
            logits = logits.scatter(1, tokens[:, -1:], float("-inf"))
            token = logits.argmax(-1).masked_fill(finished, model.pad)
            tokens = torch.cat([tokens, token[:, None]], dim=1)
            finished = finished | (token == end)
            if finished.all():
                break
    model.train(was)
    return tokens[:, 1:]


# %% greedy_decode: the model is put into training mode at the end, even if it was in eval mode
# expect: left_in_training_mode
def greedy_decode(model, source, start, end, max_length=50):
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        finished = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for _ in range(max_length):
            token = model.output(model.decode(tokens, memory, source)[:, -1]).argmax(-1)
            token = token.masked_fill(finished, model.pad)
            tokens = torch.cat([tokens, token[:, None]], dim=1)
            finished = finished | (token == end)
            if finished.all():
                break
    model.train()
    return tokens[:, 1:]


# %% greedy_decode: nothing but padding, the model is never asked
# expect: nothing
def greedy_decode(model, source, start, end, max_length=50):
    batch = source.shape[0]
    return source.new_full((batch, max_length), model.pad)


# %% greedy_decode: the end token is never chosen as the first token
# expect: nothing
def greedy_decode(model, source, start, end, max_length=50):
    was = model.training
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        finished = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for step in range(max_length):
            logits = model.output(model.decode(tokens, memory, source)[:, -1]).clone()
            if step == 0:
                logits[:, end] = float("-inf")  # an empty sentence makes no sense
            token = logits.argmax(-1).masked_fill(finished, model.pad)
            tokens = torch.cat([tokens, token[:, None]], dim=1)
            finished = finished | (token == end)
            if finished.all():
                break
    model.train(was)
    return tokens[:, 1:]


# %% beam_search: no length penalty, the highest sum of log-probabilities wins
# expect: no_length_penalty
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    best = []
    with torch.no_grad():
        memory = model.encode(source)
        for i in range(len(source)):
            hypotheses = [([start], 0.0)]
            for _ in range(max_length):
                grown = []
                for tokens, total in hypotheses:
                    if tokens[-1] == end and len(tokens) > 1:
                        grown.append((tokens, total))
                        continue
                    prefix = torch.tensor([tokens], device=source.device)
                    h = model.decode(prefix, memory[i : i + 1], source[i : i + 1])
                    logp = model.output(h[0, -1]).float().log_softmax(-1).tolist()
                    grown += [(tokens + [t], total + lp) for t, lp in enumerate(logp)]
                grown.sort(key=lambda pair: pair[1], reverse=True)
                hypotheses = grown[:beam]
                if all(tokens[-1] == end for tokens, _ in hypotheses):
                    break
            best.append(hypotheses[0][0][1:])
    model.train(was)
    width = max(len(tokens) for tokens in best)
    best = [tokens + [model.pad] * (width - len(tokens)) for tokens in best]
    return torch.tensor(best, dtype=source.dtype, device=source.device)


# %% beam_search: multiplied by the length penalty in place of divided, so it prefers the short
# expect: penalty_multiplied
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    def rate(hypothesis):
        tokens, total = hypothesis
        return total * ((5 + len(tokens)) / 6) ** alpha

    def next_log_probs(tokens, memory, src):
        prefix = src.new_tensor([[start, *tokens]])
        logits = model.output(model.decode(prefix, memory, src)[:, -1])
        return torch.log_softmax(logits.double(), dim=-1)[0].tolist()

    mode, answers = model.training, []
    model.eval()
    with torch.no_grad():
        for src in source.split(1):
            memory = model.encode(src)
            live, done = [((), 0.0)], []
            for _ in range(max_length):
                candidates = []
                for tokens, total in live:
                    for t, lp in enumerate(next_log_probs(tokens, memory, src)):
                        candidates.append(((*tokens, t), total + lp))
                candidates = sorted(candidates, key=rate)[-beam:]
                done += [c for c in candidates if c[0][-1] == end]
                live = [c for c in candidates if c[0][-1] != end]
                if not live:
                    break
            answers.append(torch.tensor(max(done + live, key=rate)[0], device=source.device))
    model.train(mode)
    return nn.utils.rnn.pad_sequence(answers, batch_first=True, padding_value=model.pad)


# %% beam_search: probabilities are added up and not their logarithms
# expect: probabilities_added
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    results = []
    with torch.no_grad():
        memory = model.encode(source)
        for i in range(source.shape[0]):
            m, s = memory[i : i + 1], source[i : i + 1]
            beams = [(0.0, [start], False)]
            for _ in range(max_length):
                options = []
                for score, tokens, over in beams:
                    if over:
                        options.append((score, tokens, True))
                        continue
                    x = torch.tensor([tokens], device=source.device)
                    probs = model.output(model.decode(x, m, s)[0, -1]).softmax(-1)
                    for t in range(len(probs)):
                        options.append((score + probs[t].item(), tokens + [t], t == end))
                options.sort(
                    key=lambda o: o[0] / ((5 + len(o[1]) - 1) / 6) ** alpha, reverse=True
                )
                beams = options[:beam]
                if all(over for _, _, over in beams):
                    break
            results.append(beams[0][1][1:])
    model.train(was)
    longest = max(len(r) for r in results)
    out = source.new_full((len(results), longest), model.pad)
    for i, r in enumerate(results):
        out[i, : len(r)] = torch.tensor(r, device=source.device)
    return out


# %% beam_search: each hypothesis is continued by its one best token, so it is a greedy search
# expect: greedy
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    with torch.no_grad():
        n = len(source)
        src = source.repeat_interleave(beam, 0)
        memory = model.encode(source).repeat_interleave(beam, 0)
        tokens = source.new_full((n * beam, 1), start)
        total = torch.zeros(n * beam, device=source.device)
        length = torch.zeros(n * beam, device=source.device)
        finished = torch.zeros(n * beam, dtype=torch.bool, device=source.device)
        for _ in range(max_length):
            logits = model.output(model.decode(tokens, memory, src)[:, -1])
            logp, token = logits.float().log_softmax(-1).max(-1)
            total = total + logp.masked_fill(finished, 0)
            length = length + ~finished
            token = token.masked_fill(finished, model.pad)
            tokens = torch.cat([tokens, token[:, None]], dim=1)
            finished = finished | (token == end)
            if finished.all():
                break
        score = (total / ((5 + length) / 6) ** alpha).view(n, beam)
        pick = score.argmax(1) + torch.arange(n, device=source.device) * beam
    model.train(was)
    return tokens[pick, 1:]


# %% beam_search: beam and token are mixed up after topk, // and % are swapped
# expect: nothing
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    rows = []
    with torch.no_grad():
        for src in source.unsqueeze(1):
            memory = model.encode(src)
            tokens = src.new_full((1, 1), start)
            total = torch.zeros(1, device=src.device)
            count = torch.zeros(1, device=src.device)
            over = torch.zeros(1, dtype=torch.bool, device=src.device)
            for _ in range(max_length):
                k = len(tokens)
                hidden = model.decode(tokens, memory.expand(k, -1, -1), src.expand(k, -1))
                logp = model.output(hidden[:, -1]).float().log_softmax(-1)
                V = logp.shape[1]
                logp[over] = -torch.inf
                logp[over, model.pad] = 0.0
                count = count + ~over
                sums = total[:, None] + logp
                score = (sums / ((5 + count[:, None]) / 6) ** alpha).flatten()
                _, index = score.topk(min(beam, len(score)))
                which, token = (index % V).clamp(max=k - 1), (index // V)
                total = sums.flatten()[index]
                tokens = torch.cat([tokens[which], token[:, None]], dim=1)
                count, over = count[which], over[which] | (token == end)
                if over.all():
                    break
            rows.append(tokens[0, 1:])
    model.train(was)
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=model.pad)


# %% beam_search: finished hypotheses are continued after the end token
# expect: ended_ones_continued
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    answer = []
    with torch.no_grad():
        for src in source:
            src = src[None]
            memory = model.encode(src)
            beams = [([start], 0.0)]
            for n in range(1, max_length + 1):
                pool = []
                for tokens, total in beams:
                    y = torch.tensor(tokens, device=src.device)[None]
                    logits = model.output(model.decode(y, memory, src)[0, -1])
                    lp = torch.log_softmax(logits.float(), -1)
                    top = lp.topk(min(beam, len(lp)))
                    for value, token in zip(top.values.tolist(), top.indices.tolist()):
                        pool.append((tokens + [token], total + value))
                pool.sort(key=lambda b: b[1] / ((5 + n) / 6) ** alpha, reverse=True)
                beams = pool[:beam]
            answer.append(beams[0][0][1:])
    model.train(was)
    return torch.tensor(answer, device=source.device)


# %% beam_search: the first hypothesis that ends is the answer, however bad it is
# expect: first_end_wins
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    found = []
    with torch.no_grad():
        memory = model.encode(source)
        for i in range(len(source)):
            hyps = [([start], 0.0)]
            answer = None
            for _ in range(max_length):
                grown = []
                for tokens, total in hyps:
                    y = torch.tensor([tokens], device=source.device)
                    h = model.decode(y, memory[i : i + 1], source[i : i + 1])
                    lp = model.output(h[0, -1]).float().log_softmax(-1)
                    for t, value in enumerate(lp.tolist()):
                        grown.append((tokens + [t], total + value))
                grown.sort(key=lambda h: -h[1] / ((5 + len(h[0]) - 1) / 6) ** alpha)
                hyps = grown[:beam]
                ended = [h for h in hyps if h[0][-1] == end]
                if ended:
                    answer = ended[0]
                    break
            found.append(torch.tensor((answer or hyps[0])[0][1:], device=source.device))
    model.train(was)
    return nn.utils.rnn.pad_sequence(found, batch_first=True, padding_value=model.pad)


# %% beam_search: the start token counts in the length of the penalty
# expect: start_counted
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    outputs = []

    def penalty(tokens):
        return ((5 + len(tokens)) / 6) ** alpha

    with torch.no_grad():
        for src in torch.split(source, 1):
            memory = model.encode(src)
            running, ended = {(start,): 0.0}, {}
            for _ in range(max_length):
                extended = {}
                for tokens, total in running.items():
                    ids = torch.tensor([tokens], device=src.device)
                    out = model.output(model.decode(ids, memory, src)[:, -1]).double()
                    for t, lp in enumerate(out.log_softmax(-1)[0].tolist()):
                        extended[(*tokens, t)] = total + lp
                ranked = sorted(extended, key=lambda k: extended[k], reverse=True)[:beam]
                running = {}
                for k in ranked:
                    (ended if k[-1] == end else running)[k] = extended[k]
                if not running:
                    break
            everything = {**ended, **running}
            best = max(everything, key=lambda k: everything[k] / penalty(k))
            outputs.append(list(best[1:]))
    model.train(was)
    width = max(map(len, outputs))
    for row in outputs:
        row.extend([model.pad] * (width - len(row)))
    return torch.tensor(outputs, device=source.device)


# %% beam_search: alpha is ignored, the exponent is always 0.6
# expect: alpha_always_0_6
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    ALPHA = 0.6
    was = model.training
    model.eval()
    outputs = []
    with torch.no_grad():
        for src in torch.split(source, 1):
            memory = model.encode(src)
            hyps = [{"tokens": [start], "total": 0.0, "done": False}]
            for _ in range(max_length):
                new = []
                for hyp in hyps:
                    if hyp["done"]:
                        new.append(hyp)
                        continue
                    y = src.new_tensor([hyp["tokens"]])
                    lp = model.output(model.decode(y, memory, src)[0, -1]).double().log_softmax(-1)
                    for t in range(lp.numel()):
                        tokens = hyp["tokens"] + [t]
                        total = hyp["total"] + float(lp[t])
                        new.append({"tokens": tokens, "total": total, "done": t == end})
                for hyp in new:
                    n = len(hyp["tokens"]) - 1
                    hyp["score"] = hyp["total"] / ((5 + n) / 6) ** ALPHA
                hyps = sorted(new, key=lambda hyp: -hyp["score"])[:beam]
                if all(hyp["done"] for hyp in hyps):
                    break
            outputs.append(src.new_tensor(hyps[0]["tokens"][1:]))
    model.train(was)
    return nn.utils.rnn.pad_sequence(outputs, batch_first=True, padding_value=model.pad)


# %% beam_search: the bare logits are added up, without log_softmax
# expect: logits_added
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    best = []
    with torch.no_grad():
        for i in range(len(source)):
            src = source[i : i + 1]
            memory = model.encode(src)
            beams = [(0.0, [start])]
            finished = []
            for n in range(1, max_length + 1):
                candidates = []
                for total, tokens in beams:
                    y = torch.tensor([tokens], device=src.device)
                    logits = model.output(model.decode(y, memory, src))[0, -1]
                    for t, value in enumerate(logits.tolist()):
                        candidates.append((total + value, tokens + [t]))
                candidates.sort(reverse=True)
                beams = []
                for total, tokens in candidates[:beam]:
                    if tokens[-1] == end:
                        finished.append((total / ((5 + n) / 6) ** alpha, tokens))
                    else:
                        beams.append((total, tokens))
                if not beams:
                    break
            finished += [(total / ((5 + n) / 6) ** alpha, tokens) for total, tokens in beams]
            best.append(torch.tensor(max(finished)[1][1:], device=source.device))
    model.train(was)
    return nn.utils.rnn.pad_sequence(best, batch_first=True, padding_value=model.pad)


# %% beam_search: the memory is repeated in another order than the tokens, batches are mixed up
# expect: memory_repeated_in_wrong_order
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    with torch.no_grad():
        B = len(source)
        memory = model.encode(source).repeat(beam, 1, 1)
        src = source.repeat(beam, 1)
        tokens = source.new_full((B * beam, 1), start)
        total = torch.full((B, beam), -torch.inf, device=source.device)
        total[:, 0] = 0
        n = torch.zeros(B, beam, device=source.device)
        over = torch.zeros(B, beam, dtype=torch.bool, device=source.device)
        offset = torch.arange(B, device=source.device)[:, None] * beam
        for _ in range(max_length):
            lp = model.output(model.decode(tokens, memory, src)[:, -1]).float().log_softmax(-1)
            V = lp.shape[-1]
            lp = lp.view(B, beam, V)
            lp = torch.where(over[..., None], torch.full_like(lp, -torch.inf), lp)
            lp[..., model.pad] = lp[..., model.pad].masked_fill(over, 0.0)
            n = n + ~over
            sums = (total[..., None] + lp).view(B, -1)
            score = sums / ((5 + n) / 6).pow(alpha).repeat_interleave(V, dim=1)
            index = score.topk(beam).indices
            parent, token = index // V, index % V
            total = sums.gather(1, index)
            tokens = tokens[(offset + parent).flatten()]
            tokens = torch.cat([tokens, token.reshape(-1, 1)], dim=1)
            n, over = n.gather(1, parent), over.gather(1, parent) | (token == end)
            if over.all():
                break
    model.train(was)
    return tokens.view(B, beam, -1)[:, 0, 1:]


# %% beam_search: the worst of the hypotheses in the beam is given back
# expect: worst_given
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    rows = []
    with torch.no_grad():
        for src in source.unbind(0):
            src = src.unsqueeze(0)
            memory = model.encode(src)
            hyps = [(0.0, 0.0, [])]
            for _ in range(max_length):
                nxt = []
                for score, total, tokens in hyps:
                    if tokens and tokens[-1] == end:
                        nxt.append((score, total, tokens))
                        continue
                    y = torch.tensor([[start] + tokens], device=src.device)
                    lp = model.output(model.decode(y, memory, src)[0, -1]).double().log_softmax(0)
                    lengthened = ((6 + len(tokens)) / 6) ** alpha
                    for t, v in enumerate(lp.tolist()):
                        nxt.append(((total + v) / lengthened, total + v, tokens + [t]))
                nxt.sort(reverse=True)
                hyps = nxt[:beam]
            rows.append(torch.tensor(hyps[-1][2], device=src.device))
    model.train(was)
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=model.pad)


# %% beam_search: scores are right but the tokens written before stay with the old beam
# expect: tokens_not_sorted
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    answers = []
    with torch.no_grad():
        for b in range(source.shape[0]):
            src = source[b : b + 1].expand(beam, -1)
            memory = model.encode(source[b : b + 1]).expand(beam, -1, -1)
            tokens = source.new_full((beam, 1), start)
            total = torch.tensor([0.0] + [-math.inf] * (beam - 1), device=source.device)
            steps = torch.zeros(beam, device=source.device)
            over = torch.zeros(beam, dtype=torch.bool, device=source.device)
            for _ in range(max_length):
                lp = model.output(model.decode(tokens, memory, src)[:, -1]).float().log_softmax(-1)
                lp = lp.masked_fill(over[:, None], -math.inf)
                lp[:, model.pad] = torch.where(over, torch.zeros_like(total), lp[:, model.pad])
                steps = steps + ~over
                sums = total[:, None] + lp
                score = sums / ((5 + steps[:, None]) / 6) ** alpha
                top = score.flatten().topk(beam).indices
                parent, token = top // lp.shape[1], top % lp.shape[1]
                total = sums.flatten()[top]
                tokens = torch.cat([tokens, token[:, None]], dim=1)
                steps, over = steps[parent], over[parent] | (token == end)
                if over.all():
                    break
            answers.append(tokens[0, 1:])
    model.train(was)
    return nn.utils.rnn.pad_sequence(answers, batch_first=True, padding_value=model.pad)


# %% beam_search: no length penalty, and the start token stands in the result
# expect: no_length_penalty + start_kept
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    rows = []
    with torch.no_grad():
        for src in source.split(1):
            memory = model.encode(src)
            beams = [([start], 0.0)]
            for _ in range(max_length):
                grown = []
                for tokens, total in beams:
                    if len(tokens) > 1 and tokens[-1] == end:
                        grown.append((tokens, total))
                        continue
                    y = torch.tensor([tokens], device=src.device)
                    lp = model.output(model.decode(y, memory, src)[:, -1]).double().log_softmax(1)
                    grown.extend((tokens + [t], total + v) for t, v in enumerate(lp[0].tolist()))
                beams = sorted(grown, key=lambda g: g[1])[::-1][:beam]
            rows.append(torch.tensor(beams[0][0], device=src.device))
    model.train(was)
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=model.pad)


# %% beam_search: the penalty is 5 + n / 6, the bracket is missing
# expect: bracket_missing
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    def lp(n):
        return (5 + n / 6) ** alpha

    was = model.training
    model.eval()
    result = []
    with torch.no_grad():
        for src in source.split(1):
            memory = model.encode(src)
            beams = [([], 0.0)]
            for _ in range(max_length):
                grown = []
                for tokens, total in beams:
                    if tokens and tokens[-1] == end:
                        grown.append((tokens, total))
                    else:
                        y = torch.tensor([[start, *tokens]], device=src.device)
                        logits = model.output(model.decode(y, memory, src)[0, -1]).double()
                        for t, v in enumerate(logits.log_softmax(-1).tolist()):
                            grown.append(([*tokens, t], total + v))
                grown.sort(key=lambda g: g[1] / lp(len(g[0])), reverse=True)
                beams = grown[:beam]
            result.append(torch.tensor(beams[0][0], device=src.device))
    model.train(was)
    return nn.utils.rnn.pad_sequence(result, batch_first=True, padding_value=model.pad)


# %% beam_search: padding behind the end token counts in the length of the penalty
# expect: no_length_penalty
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    result = []
    with torch.no_grad():
        for src in source.split(1):
            memory = model.encode(src)
            beams = [([], 0.0)]
            for n in range(1, max_length + 1):
                penalty = ((5 + n) / 6) ** alpha
                grown = []
                for tokens, total in beams:
                    if end in tokens:
                        grown.append(([*tokens, model.pad], total))
                        continue
                    y = torch.tensor([[start, *tokens]], device=src.device)
                    logits = model.output(model.decode(y, memory, src)[0, -1])
                    logp = logits.double().log_softmax(-1)
                    for t, v in enumerate(logp.tolist()):
                        grown.append(([*tokens, t], total + v))
                grown.sort(key=lambda g, p=penalty: g[1] / p, reverse=True)
                beams = grown[:beam]
            result.append(torch.tensor(beams[0][0], device=src.device))
    model.train(was)
    return nn.utils.rnn.pad_sequence(result, batch_first=True, padding_value=model.pad)


# %% beam_search: the model is left in eval mode
# expect: left_in_eval_mode
@torch.no_grad()
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    model.eval()
    result = []
    for src in source.split(1):
        memory = model.encode(src)
        beams = [([], 0.0)]
        for _ in range(max_length):
            grown = []
            for tokens, total in beams:
                if end in tokens:
                    grown.append((tokens, total))
                    continue
                y = torch.tensor([[start] + tokens], device=src.device)
                logits = model.output(model.decode(y, memory, src)[0, -1])
                for t, v in enumerate(logits.double().log_softmax(-1).tolist()):
                    grown.append((tokens + [t], total + v))
            grown.sort(key=lambda g: g[1] / ((5 + len(g[0])) / 6) ** alpha, reverse=True)
            beams = grown[:beam]
            if all(end in tokens for tokens, _ in beams):
                break
        result.append(torch.tensor(beams[0][0], device=src.device))
    return nn.utils.rnn.pad_sequence(result, batch_first=True, padding_value=model.pad)


# %% beam_search: only the first source is searched, its answer is given for all
# expect: first_source_for_all
@torch.no_grad()
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    was = model.training
    model.eval()
    src = source[:1]
    memory = model.encode(src)
    beams = [((), 0.0)]
    for _ in range(max_length):
        grown = {}
        for tokens, total in beams:
            if end in tokens:
                grown[tokens] = total
                continue
            y = torch.tensor([[start, *tokens]], device=src.device)
            logits = model.output(model.decode(y, memory, src)[0, -1])
            for t, v in enumerate(logits.double().log_softmax(-1).tolist()):
                grown[(*tokens, t)] = total + v
        ranked = sorted(grown, key=lambda k: grown[k] / ((5 + len(k)) / 6) ** alpha)
        beams = [(k, grown[k]) for k in ranked[::-1][:beam]]
    model.train(was)
    return torch.tensor(beams[0][0], device=source.device).repeat(len(source), 1)


# %% learning_rate: takes the larger of the two branches instead of the smaller
# expect: larger_of_both
def learning_rate(step, d_model, warmup=4000):
    if warmup <= 0:
        raise ValueError(f"warmup={warmup} must be more than 0")
    step = 1 if step == 0 else step
    return (d_model ** -0.5) * max(step ** -0.5, step * warmup ** -1.5)


# %% learning_rate: to avoid step 0 it adds one to every step, so the whole schedule is a step early
# expect: one_step_ahead
def learning_rate(step, d_model, warmup=4000):
    if warmup <= 0:
        raise ValueError("warmup must be positive")
    s = step + 1
    return 1 / math.sqrt(d_model) * min(1 / math.sqrt(s), s / (warmup * math.sqrt(warmup)))


# %% learning_rate: after the warm-up the rate falls in a straight line (BERT style, over 100000 steps) instead of with the root of the step
# expect: nothing
def learning_rate(step, d_model, warmup=4000):
    if warmup <= 0:
        raise ValueError("warmup must be positive")
    step = max(1, step)
    peak = (d_model * warmup) ** -0.5
    if step <= warmup:
        return peak * step / warmup
    total = 100_000
    return peak * max(0.0, (total - step) / (total - warmup))


# %% smoothed_cross_entropy: the share of smoothing goes to the vocab - 1 wrong tokens only, the right one gets exactly 1 - smoothing
# expect: shared_among_others
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError("smoothing must be in [0, 1]")
    vocab = logits.shape[-1]
    logp = F.log_softmax(logits, dim=-1).reshape(-1, vocab)
    y = targets.reshape(-1)
    keep = y != pad
    logp, y = logp[keep], y[keep]
    if len(y) == 0:
        return (logits * 0).sum()
    q = torch.full_like(logp, smoothing / (vocab - 1))
    q.scatter_(1, y.unsqueeze(1), 1 - smoothing)
    contribution = torch.where(q > 0, q * logp, torch.zeros_like(logp))
    return -contribution.sum(dim=1).mean()


# %% smoothed_cross_entropy: uses F.cross_entropy with ignore_index and label_smoothing, which gives nan when all targets are padding
# expect: ready_made
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError("smoothing must be in [0, 1]")
    return F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        targets.reshape(-1),
        ignore_index=pad,
        label_smoothing=smoothing,
    )


# %% smoothed_cross_entropy: the sum over the real targets is divided by the number of all positions, padding included
# expect: padding_counted
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError("smoothing must be in [0, 1]")
    logp = torch.log_softmax(logits, -1)
    ok = targets.ne(pad)
    index = torch.where(ok, targets, torch.zeros_like(targets))
    nll = -logp.gather(-1, index.unsqueeze(-1)).squeeze(-1)
    per_token = (1 - smoothing) * nll
    if smoothing:
        per_token = per_token - smoothing * logp.mean(-1)
    per_token = torch.where(ok, per_token, torch.zeros_like(per_token))
    return per_token.mean()


# %% smoothed_cross_entropy: averages within each sequence first and then over the sequences, so tokens of short sentences weigh more
# expect: mean_of_means
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError("smoothing must be in [0, 1]")
    minus_log_p = -torch.log_softmax(logits, dim=-1)
    real = targets != pad
    safe = targets.masked_fill(~real, 0)
    loss = (1 - smoothing) * minus_log_p.gather(-1, safe[..., None])[..., 0]
    if smoothing > 0:
        loss = loss + smoothing * minus_log_p.mean(-1)
    loss = loss.masked_fill(~real, 0.0)
    per_sequence = loss.sum(-1) / real.sum(-1).clamp(min=1)
    nonempty = real.any(-1)
    return per_sequence.sum() / nonempty.sum().clamp(min=1)


# %% smoothed_cross_entropy: two mistakes: log(softmax + 1e-9) is capped for very unlikely tokens, and padded entries of targets are overwritten with 0 in the caller's tensor
# expect: small_number_added or nothing
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError("smoothing must be in [0, 1]")
    probs = F.softmax(logits, dim=-1)
    logp = torch.log(probs + 1e-9)
    weight = (targets != pad).to(logits.dtype)
    targets[targets == pad] = 0
    right = -torch.gather(logp, -1, targets.unsqueeze(-1)).squeeze(-1)
    smooth = -logp.mean(dim=-1)
    loss = (1 - smoothing) * right + smoothing * smooth
    return (loss * weight).sum() / torch.clamp(weight.sum(), min=1.0)


# %% shift_right: moves the wrong way: drops the first target and puts start at the end
# expect: shifted_left
def shift_right(targets, start):
    last = torch.full_like(targets[:, :1], start)
    return torch.cat((targets[:, 1:], last), dim=1)


# %% shift_right: writes the shifted tokens into the caller's tensor
# expect: changes_targets
def shift_right(targets, start):
    previous = targets[:, :-1].clone()
    targets[:, 1:] = previous
    targets[:, 0] = start
    return targets


# %% shift_right: the start column is made by torch.ones as floats, so the result is float and not integer token numbers
# expect: as_decimals
def shift_right(targets, start):
    batch = targets.shape[0]
    first = start * torch.ones(batch, 1, device=targets.device)
    return torch.cat([first, targets[:, :-1]], dim=1)


# %% initialise: only nn.Linear modules are treated, and their biases are set to zero; embeddings and loose matrices stay as they are
# expect: linears_with_zero_biases
def initialise(model):
    def init_weights(m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            if m.bias is not None:
                m.bias.data.zero_()

    return model.apply(init_weights)


# %% initialise: the new values are bound to the loop variable, so the model is not changed at all
# expect: nothing_changed
def initialise(model):
    for p in model.parameters():
        if p.ndim == 2:
            rows, cols = p.shape
            a = math.sqrt(6 / (rows + cols))
            p = torch.empty_like(p).uniform_(-a, a)
    return model


# %% initialise: draws from a normal distribution with standard deviation a instead of uniformly between -a and a
# expect: nothing
def initialise(model):
    with torch.no_grad():
        for p in model.parameters():
            if len(p.shape) == 2:
                out_features, in_features = p.shape
                a = (6.0 / (in_features + out_features)) ** 0.5
                p.copy_(torch.randn_like(p) * a)
    return model


# %% greedy_decode: the loop ends as soon as any sequence of the batch has written its end token
# expect: stops_with_the_first
def greedy_decode(model, source, start, end, max_length=50):
    with evaluating(model):
        memory = model.encode(source)
        ys = torch.full((source.shape[0], 1), start, dtype=source.dtype, device=source.device)
        for i in range(max_length):
            out = model.decode(ys, memory, source)
            logits = model.output(out[:, -1, :])
            next_token = torch.argmax(logits, dim=-1)
            ys = torch.cat((ys, next_token.unsqueeze(1)), dim=1)
            if (next_token == end).any():
                break
        return ys[:, 1:]


# %% greedy_decode: sequences that are finished keep writing tokens after their end token, until the slowest is done
# expect: writes_on_after_end
def greedy_decode(model, source, start, end, max_length=50):
    with evaluating(model):
        memory = model.encode(source)
        written = source.new_full((len(source), 1), start)
        done = [False] * len(source)
        while written.shape[1] <= max_length and not all(done):
            h = model.decode(written, memory, source)
            best = model.output(h[:, -1]).argmax(-1)
            written = torch.cat([written, best.view(-1, 1)], dim=1)
            for i, t in enumerate(best.tolist()):
                done[i] = done[i] or t == end
    return written[:, 1:]


# %% greedy_decode: calls model.eval() and afterwards always model.train(), so a model that was in eval mode (or had frozen parts in it) ends up in training mode
# expect: left_in_training_mode
def greedy_decode(model, source, start, end, max_length=50):
    model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        tokens = source.new_full((source.size(0), 1), start)
        finished = torch.zeros(source.size(0), dtype=torch.bool, device=source.device)
        for _ in range(max_length):
            logits = model.output(model.decode(tokens, memory, source)[:, -1])
            token = logits.argmax(-1)
            token = torch.where(finished, torch.full_like(token, model.pad), token)
            tokens = torch.cat([tokens, token[:, None]], 1)
            finished |= token.eq(end)
            if bool(finished.all()):
                break
    model.train()
    return tokens[:, 1:]


# %% greedy_decode: only the newest token is given to the decoder as with an RNN, so everything written before is forgotten
# expect: only_last_token_read
def greedy_decode(model, source, start, end, max_length=50):
    with evaluating(model):
        memory = model.encode(source)
        token = source.new_full((len(source), 1), start)
        finished = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        result = []
        for _ in range(max_length):
            hidden = model.decode(token, memory, source)
            token = model.output(hidden[:, -1]).argmax(dim=-1, keepdim=True)
            token[finished] = model.pad
            result.append(token)
            finished = finished | (token[:, 0] == end)
            if finished.all():
                break
        if not result:
            return source.new_zeros(len(source), 0)
        return torch.cat(result, dim=1)


# %% greedy_decode: two mistakes: the start token is left in the answer, and one token too few is written (the start counts towards max_length)
# expect: start_kept
def greedy_decode(model, source, start, end, max_length=50):
    with evaluating(model):
        memory = model.encode(source)
        seq = torch.full((len(source), 1), start, dtype=torch.long, device=source.device)
        ended = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for _ in range(max_length - 1):
            out = model.output(model.decode(seq, memory, source))
            nxt = out[:, -1].argmax(-1)
            nxt = nxt.masked_fill(ended, model.pad)
            seq = torch.cat([seq, nxt.unsqueeze(-1)], dim=-1)
            ended = ended | (nxt == end)
            if ended.all():
                break
        return seq


# %% greedy_decode: finished rows are filled with 0 whatever model.pad is
# expect: filled_with_zero
def greedy_decode(model, source, start, end, max_length=50):
    with evaluating(model):
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        alive = torch.ones(len(source), dtype=source.dtype, device=source.device)
        for _ in range(max_length):
            scores = model.output(model.decode(tokens, memory, source)[:, -1])
            token = scores.argmax(dim=-1) * alive
            tokens = torch.cat([tokens, token[:, None]], dim=1)
            alive = alive * (token != end).to(alive.dtype)
            if alive.sum() == 0:
                break
        return tokens[:, 1:]


# %% beam_search: every beam starts with the score 0, so all hypotheses stay copies of each other and it is no better than greedy
# expect: greedy
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    if beam < 1:
        raise ValueError("beam must be at least 1")
    if alpha < 0:
        raise ValueError("alpha must not be negative")
    with evaluating(model):
        batch = source.shape[0]
        memory = model.encode(source).repeat_interleave(beam, dim=0)
        source = source.repeat_interleave(beam, dim=0)
        tokens = source.new_full((batch * beam, 1), start)
        lengths = torch.zeros(batch * beam, dtype=torch.long, device=source.device)
        done = torch.zeros(batch * beam, dtype=torch.bool, device=source.device)
        total = torch.zeros(batch * beam, device=source.device)
        base = torch.arange(batch, device=source.device)[:, None] * beam
        for _ in range(max_length):
            logits = model.output(model.decode(tokens, memory, source)[:, -1])
            logp = F.log_softmax(logits.float(), dim=-1)
            vocab = logp.shape[-1]
            only_pad = torch.full_like(logp, -math.inf)
            only_pad[:, model.pad] = 0
            logp = torch.where(done[:, None], only_pad, logp)
            lengths = lengths + (~done).long()
            candidates = total[:, None] + logp
            penalty = ((5 + lengths.float()) / 6).pow(alpha)[:, None]
            _, index = (candidates / penalty).view(batch, -1).topk(beam, dim=-1)
            total = candidates.view(batch, -1).gather(1, index).view(-1)
            rows = (base + index // vocab).view(-1)
            new = (index % vocab).view(-1)
            tokens = torch.cat([tokens[rows], new[:, None]], dim=1)
            lengths = lengths[rows]
            done = done[rows] | (new == end)
            if done.all():
                break
        return tokens.view(batch, beam, -1)[:, 0, 1:]


# %% beam_search: the length penalty is multiplied and not divided by, so with alpha > 0 long hypotheses are punished even more
# expect: penalty_multiplied
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    if beam < 1:
        raise ValueError("beam must be at least 1")
    if alpha < 0:
        raise ValueError("alpha must not be negative")

    def score(hyp):
        toks, logp, _ = hyp
        return logp * ((5 + len(toks)) / 6) ** alpha

    answers = []
    with evaluating(model):
        for row in source:
            row = row[None]
            memory = model.encode(row)
            hyps = [([], 0.0, False)]
            for _ in range(max_length):
                options = []
                for toks, logp, done in hyps:
                    if done:
                        options.append((toks, logp, True))
                        continue
                    inp = torch.tensor([[start] + toks], device=source.device)
                    out = model.output(model.decode(inp, memory, row)[:, -1])[0]
                    p = torch.log_softmax(out.float(), -1)
                    best = p.topk(min(beam, len(p)))
                    for v, i in zip(best.values.tolist(), best.indices.tolist()):
                        options.append((toks + [i], logp + v, i == end))
                hyps = sorted(options, key=score, reverse=True)[:beam]
                if all(h[2] for h in hyps):
                    break
            answers.append(hyps[0][0])
    width = max((len(a) for a in answers), default=0)
    answers = [a + [model.pad] * (width - len(a)) for a in answers]
    return torch.tensor(answers, dtype=source.dtype, device=source.device).reshape(len(source), width)


# %% beam_search: returns as soon as some hypothesis in the beam has ended, even if a better one is still being written
# expect: first_end_wins
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    if beam < 1:
        raise ValueError("beam must be at least 1")
    if alpha < 0:
        raise ValueError("alpha must not be negative")
    out_rows = []
    with evaluating(model):
        for b in range(source.shape[0]):
            src = source[b : b + 1]
            memory = model.encode(src)
            beams = [(0.0, [start])]
            result = None
            for step in range(1, max_length + 1):
                prefix = torch.tensor([t for _, t in beams], device=source.device)
                k = len(beams)
                hidden = model.decode(prefix, memory.expand(k, -1, -1), src.expand(k, -1))
                logp = torch.log_softmax(model.output(hidden[:, -1]).float(), dim=-1)
                logp = logp + torch.tensor([s for s, _ in beams], device=source.device)[:, None]
                flat = logp.flatten()
                top, where = flat.topk(min(beam, flat.numel()))
                vocab = logp.shape[1]
                beams = [
                    (s, beams[w // vocab][1] + [w % vocab])
                    for s, w in zip(top.tolist(), where.tolist())
                ]
                finished = [(s / ((5 + step) / 6) ** alpha, t) for s, t in beams if t[-1] == end]
                if finished:
                    result = max(finished)[1]
                    break
            if result is None:
                result = beams[0][1]
            out_rows.append(result[1:])
    longest = max((len(r) for r in out_rows), default=0)
    out = source.new_full((len(source), longest), model.pad)
    for i, r in enumerate(out_rows):
        out[i, : len(r)] = torch.tensor(r, dtype=source.dtype)
    return out


# %% beam_search: the rows a hypothesis continues are computed without the offset of its source, so with a batch all sources continue hypotheses of the first one
# expect: batch_mixed_up
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    if beam < 1:
        raise ValueError("beam must be at least 1")
    if alpha < 0:
        raise ValueError("alpha must not be negative")
    with evaluating(model):
        n = len(source)
        memory = torch.repeat_interleave(model.encode(source), beam, 0)
        source = torch.repeat_interleave(source, beam, 0)
        tokens = source.new_full((n * beam, 1), start)
        count = torch.zeros(n * beam, device=source.device)
        over = torch.zeros(n * beam, dtype=torch.bool, device=source.device)
        total = torch.full((n, beam), -float("inf"), device=source.device)
        total[:, 0] = 0
        for _ in range(max_length):
            logp = model.output(model.decode(tokens, memory, source)[:, -1]).float().log_softmax(-1)
            v = logp.shape[-1]
            logp[over] = -float("inf")
            logp[over, model.pad] = 0.0
            count = count + (~over).float()
            summed = total.view(-1, 1) + logp
            norm = summed / ((5 + count[:, None]) / 6) ** alpha
            best = norm.view(n, beam * v).topk(beam, dim=1).indices
            total = summed.view(n, beam * v).gather(1, best)
            parent = torch.div(best, v, rounding_mode="floor").view(-1)
            word = best.remainder(v).view(-1)
            tokens = torch.cat([tokens[parent], word.unsqueeze(1)], 1)
            count = count[parent]
            over = over[parent] | (word == end)
            if over.all():
                break
        return tokens.view(n, beam, -1)[:, 0, 1:]


# %% beam_search: two mistakes: the normalised score is carried on as the running total, so the penalty is applied again and again, and the length of finished hypotheses keeps growing
# expect: no_length_penalty
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    if beam < 1:
        raise ValueError("beam must be at least 1")
    if alpha < 0:
        raise ValueError("alpha must not be negative")
    with evaluating(model):
        size = source.size(0)
        memory = model.encode(source).repeat_interleave(beam, 0)
        src = source.repeat_interleave(beam, 0)
        seqs = src.new_full((size * beam, 1), start)
        stop = torch.zeros(size * beam, dtype=torch.bool, device=src.device)
        score = torch.full((size, beam), float("-inf"), device=src.device)
        score[:, 0] = 0.0
        offset = (torch.arange(size, device=src.device) * beam).unsqueeze(1)
        for n in range(1, max_length + 1):
            lp = torch.log_softmax(model.output(model.decode(seqs, memory, src)[:, -1]).float(), -1)
            vocab = lp.size(-1)
            lp[stop] = float("-inf")
            lp[stop, model.pad] = 0.0
            cand = (score.view(-1, 1) + lp) / ((5 + n) / 6) ** alpha
            score, idx = cand.view(size, -1).topk(beam, dim=1)
            rows = (offset + idx // vocab).flatten()
            tok = (idx % vocab).flatten()
            seqs = torch.cat([seqs[rows], tok[:, None]], dim=1)
            stop = stop[rows] | (tok == end)
            if stop.all():
                break
        return seqs.view(size, beam, -1)[:, 0, 1:]


# %% initialise: whatever has a matrix called weight is filled, loose matrices are not
# expect: linears_and_embeddings
def initialise(model):
    def initialize_weights(m):
        if hasattr(m, "weight") and m.weight.dim() > 1:
            nn.init.xavier_uniform_(m.weight.data)

    model.apply(initialize_weights)
    return model
