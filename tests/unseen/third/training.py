import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


# %% learning_rate: the fall counts its steps from the end of the warm-up and not from the beginning
# fault: return d_model ** -0.5 * (step - warmup) ** -0.5
def learning_rate(step, d_model, warmup=4000):
    if warmup <= 0:
        raise ValueError(f"warmup={warmup} must be more than 0")
    step = max(step, 1)
    if step <= warmup:
        return d_model ** -0.5 * step * warmup ** -1.5
    return d_model ** -0.5 * (step - warmup) ** -0.5


# %% learning_rate: step 0 gives the rate 0, though it is to be answered as step 1
# fault: return 0.0
# fault: if step == 0:
def learning_rate(step, d_model, warmup=4000):
    if warmup <= 0:
        raise ValueError("warmup must be positive")
    if step == 0:
        return 0.0
    up = step / warmup**1.5
    down = 1 / math.sqrt(step)
    return min(up, down) / math.sqrt(d_model)


# %% learning_rate: d_model ** -1 / 2 is half of 1 / d_model and not 1 / root of d_model
# fault: scale = d_model ** -1 / 2
def learning_rate(step: int, d_model: int, warmup: int = 4000) -> float:
    if warmup <= 0:
        raise ValueError(f"warmup={warmup} must be more than 0")
    step = 1 if step < 1 else step
    scale = d_model ** -1 / 2
    return float(scale * np.minimum(step ** -0.5, step * warmup ** -1.5))


# %% learning_rate: two mistakes: the 4000 of the paper stands in the formula in place of the argument, and the root of d_model multiplies
# fault: rising = s * 4000 ** -1.5
# fault: return d_model ** 0.5 * min(falling, rising)
def learning_rate(step, d_model, warmup=4000):
    if warmup <= 0:
        raise ValueError(f"warmup={warmup} must be more than 0")
    s = step or 1
    falling = s ** -0.5
    rising = s * 4000 ** -1.5
    return d_model ** 0.5 * min(falling, rising)


# %% smoothed_cross_entropy: padding is left out of the first term, but the smoothing term is the mean over all places
# fault: spread = -log_p.mean(dim=-1).mean()
# fault: return (1 - smoothing) * right + smoothing * spread
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing} must lie between 0 and 1")
    log_p = F.log_softmax(logits, dim=-1)
    real = targets != pad
    if not real.any():
        return logits.sum() * 0.0
    right = -log_p[real].gather(-1, targets[real].unsqueeze(-1)).mean()
    spread = -log_p.mean(dim=-1).mean()
    return (1 - smoothing) * right + smoothing * spread


# %% smoothed_cross_entropy: the mean of nothing is nan if everything is padding
# fault: return loss.mean()
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing} must lie between 0 and 1")
    keep = targets.ne(pad)
    logp = logits[keep].log_softmax(-1)  # (kept, vocab)
    kept = targets[keep]
    nll = -logp[torch.arange(len(kept), device=kept.device), kept]
    loss = (1 - smoothing) * nll + smoothing * -logp.mean(-1)
    return loss.mean()


# %% smoothed_cross_entropy: the softmax runs over axis 1, which is the vocabulary only if the logits have two axes
# fault: log_p = F.log_softmax(logits, 1)
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing} must lie between 0 and 1")
    log_p = F.log_softmax(logits, 1)
    vocab = logits.shape[-1]
    # what the model is to say: 1 - eps for the right one, and eps / vocab for everybody
    wish = F.one_hot(targets, vocab).to(log_p.dtype) * (1 - smoothing) + smoothing / vocab
    surprise = -(wish * log_p).sum(dim=-1)
    weight = (targets != pad).to(log_p.dtype)
    return (surprise * weight).sum() / weight.sum().clamp(min=1)


# %% smoothed_cross_entropy: two mistakes: log of a softmax that may have become 0, and the second term is a sum over the vocabulary and not a mean
# fault: log_p = torch.log(torch.softmax(logits, dim=-1))
# fault: all_tokens = -log_p.sum(dim=-1)
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing} must lie between 0 and 1")
    log_p = torch.log(torch.softmax(logits, dim=-1))
    right_token = -log_p.gather(-1, targets[..., None]).squeeze(-1)
    all_tokens = -log_p.sum(dim=-1)
    losses = (1 - smoothing) * right_token + smoothing * all_tokens
    losses = losses.masked_fill(targets == pad, 0.0)
    count = (targets != pad).sum()
    if count == 0:
        return losses.sum()
    return losses.sum() / count


# %% shift_right: moves the caller's own targets, so that afterwards the loss has nothing right to compare with
# fault: targets[:, 1:] = targets[:, :-1].clone()
# fault: targets[:, 0] = start
# fault: return targets
def shift_right(targets, start):
    targets[:, 1:] = targets[:, :-1].clone()
    targets[:, 0] = start
    return targets


# %% shift_right: the loop stops one place too early, so the last place keeps a 0
# fault: for i in range(1, length - 1):
def shift_right(targets, start):
    batch, length = targets.shape
    shifted = torch.zeros_like(targets)
    shifted[:, 0] = start
    for i in range(1, length - 1):
        shifted[:, i] = targets[:, i - 1]
    return shifted


# %% shift_right: the start column is made of floats, and cat makes everything float with it: no token numbers any more
# fault: first = torch.ones(len(targets), 1, device=targets.device) * start
# fault: return torch.cat((first, targets[:, :-1]), dim=1)
def shift_right(targets, start):
    first = torch.ones(len(targets), 1, device=targets.device) * start
    return torch.cat((first, targets[:, :-1]), dim=1)


# %% shift_right: two mistakes: one start token for a batch of one only, and the first target falls out in place of the last
# fault: begin = torch.tensor([[start]])
# fault: return torch.cat([begin, targets[:, 1:]], dim=1)
def shift_right(targets, start):
    begin = torch.tensor([[start]])
    return torch.cat([begin, targets[:, 1:]], dim=1)


# %% initialise: draws from a normal distribution with Xavier's variance and not from the uniform one between -a and a
# fault: nn.init.normal_(parameter, mean=0.0, std=math.sqrt(2 / (inputs + outputs)))
def initialise(model):
    for parameter in model.parameters():
        if parameter.dim() == 2:
            outputs, inputs = parameter.shape
            nn.init.normal_(parameter, mean=0.0, std=math.sqrt(2 / (inputs + outputs)))
    return model


# %% initialise: only the Linears are filled, embedding tables (and other matrices) stay as they were
# fault: if isinstance(module, nn.Linear):
def initialise(model):
    def fill(module):
        if isinstance(module, nn.Linear):
            a = math.sqrt(6 / (module.in_features + module.out_features))
            with torch.no_grad():
                module.weight.uniform_(-a, a)

    return model.apply(fill)


# %% initialise: everything that is no matrix is set to 0, the weights of the norms, too
# fault: p.zero_()
# fault: else:
@torch.no_grad()
def initialise(model):
    for name, p in model.named_parameters():
        if p.ndim >= 2:
            a = (6.0 / (p.size(0) + p.size(1))) ** 0.5
            p.copy_(torch.empty_like(p).uniform_(-a, a))
        else:
            p.zero_()
    return model


# %% initialise: two mistakes: numbers between 0 and a only, and the model is not given back
# fault: w.data = torch.rand_like(w) * bound
def initialise(model):
    for w in model.parameters():
        if w.dim() != 2:
            continue
        fan_out, fan_in = w.shape
        bound = math.sqrt(6 / (fan_in + fan_out))
        w.data = torch.rand_like(w) * bound


# %% greedy_decode: behind the end token stand zeros, whatever number the model's padding has
# fault: token = token.masked_fill(done, 0)
def greedy_decode(model, source, start, end, max_length=50):
    modes = [(m, m.training) for m in model.modules()] if isinstance(model, nn.Module) else []
    for m, _ in modes:
        m.training = False
    try:
        with torch.no_grad():
            memory = model.encode(source)
            tokens = source.new_full((len(source), 1), start)
            done = torch.zeros(len(source), dtype=torch.bool, device=source.device)
            for _ in range(max_length):
                logits = model.output(model.decode(tokens, memory, source)[:, -1])
                token = logits.argmax(dim=-1)
                token = token.masked_fill(done, 0)
                tokens = torch.cat([tokens, token[:, None]], dim=1)
                done = done | (token == end)
                if done.all():
                    break
            return tokens[:, 1:]
    finally:
        for m, mode in modes:
            m.training = mode


# %% greedy_decode: stops as soon as any sentence of the batch has ended, and cuts the others off
# fault: if (finished == 1).any():
def greedy_decode(model, source, start, end, max_length=50):
    was = {m: m.training for m in model.modules()} if isinstance(model, nn.Module) else {}
    if was:
        model.eval()
    with torch.no_grad():
        memory = model.encode(source)
        batch = source.shape[0]
        written = torch.full((batch, 1), start, dtype=torch.long, device=source.device)
        finished = torch.zeros(batch, dtype=torch.long, device=source.device)
        for step in range(max_length):
            hidden = model.decode(written, memory, source)
            best = torch.argmax(model.output(hidden[:, -1, :]), dim=1)
            best = torch.where(finished == 1, torch.full_like(best, model.pad), best)
            written = torch.cat([written, best.unsqueeze(1)], dim=1)
            finished[best == end] = 1
            if (finished == 1).any():
                break
    for m, mode in was.items():
        m.training = mode
    return written[:, 1:]


# %% greedy_decode: the start token is counted as if it had been written, so there is one token less than allowed
# fault: while out.shape[1] < max_length and not over.all():
def greedy_decode(model, source, start, end, max_length=50):
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    before = [m.training for m in modules]
    for m in modules:
        m.training = False
    with torch.no_grad():
        memory = model.encode(source)
        out = source.new_full((source.size(0), 1), start)
        over = torch.zeros(source.size(0), dtype=torch.bool, device=source.device)
        while out.shape[1] < max_length and not over.all():
            h = model.decode(out, memory, source)
            nxt = model.output(h[:, -1]).argmax(-1)
            nxt[over] = model.pad
            out = torch.cat([out, nxt.view(-1, 1)], 1)
            over |= nxt == end
    for m, b in zip(modules, before):
        m.training = b
    return out[:, 1:]


# %% greedy_decode: two mistakes: dropout stays on while it writes, and who has finished is forgotten one step later
# fault: finished = token == end
# fault: with torch.no_grad():
# fault: memory = model.encode(source)
def greedy_decode(model, source, start, end, max_length=50):
    with torch.no_grad():
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        finished = source.new_zeros(len(source)).bool()
        for _ in range(max_length):
            logits = model.output(model.decode(tokens, memory, source)[:, -1])
            token = logits.argmax(-1)
            token[finished] = model.pad
            tokens = torch.cat((tokens, token[:, None]), dim=1)
            finished = token == end
            if finished.all():
                break
    return tokens[:, 1:]


# %% beam_search: the lengths are not taken along when hypotheses change their rows
# fault: length = length + (~finished).long()
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    if beam < 1:
        raise ValueError(f"beam={beam} must be at least 1")
    if alpha < 0:
        raise ValueError(f"alpha={alpha} must not be negative")
    modes = [(m, m.training) for m in model.modules()] if isinstance(model, nn.Module) else []
    for m, _ in modes:
        m.training = False
    with torch.no_grad():
        batch = len(source)
        memory = model.encode(source)
        memory = memory.repeat_interleave(beam, dim=0)
        source = source.repeat_interleave(beam, dim=0)
        tokens = source.new_full((batch * beam, 1), start)
        length = source.new_zeros(batch * beam)
        finished = torch.zeros(batch * beam, dtype=torch.bool, device=source.device)
        total = torch.full((batch, beam), float("-inf"), device=source.device)
        total[:, 0] = 0.0
        first_row = torch.arange(0, batch * beam, beam, device=source.device)
        for _ in range(max_length):
            hidden = model.decode(tokens, memory, source)[:, -1]
            logits = model.output(hidden)
            vocab = logits.shape[-1]
            log_p = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
            log_p = log_p.masked_fill(finished[:, None], float("-inf"))
            log_p[:, model.pad] = log_p[:, model.pad].masked_fill(finished, 0.0)

            length = length + (~finished).long()
            penalty = ((5 + length) / 6) ** alpha  # (batch·beam,)
            candidates = total[:, :, None] + log_p.view(batch, beam, vocab)
            scores = candidates / penalty.view(batch, beam, 1)
            score, index = scores.flatten(1).topk(beam, dim=1)
            total = candidates.flatten(1).gather(1, index)
            row = (first_row[:, None] + index // vocab).flatten()
            token = (index % vocab).flatten()
            tokens = torch.cat([tokens[row], token[:, None]], dim=1)
            finished = finished[row] | (token == end)

            unfinished = total.masked_fill(finished.reshape(batch, beam), float("-inf"))
            hope = unfinished.amax(dim=1) / ((5 + max_length) / 6) ** alpha
            if (finished[first_row] & (score[:, 0] >= hope)).all():
                break
    for m, mode in modes:
        m.training = mode
    return tokens[first_row, 1:]


# %% beam_search: a list for each sentence; n counts the start token as if it had been written
# fault: n = len(tokens)
# fault: return logp / ((5 + n) / 6) ** alpha
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    if beam < 1:
        raise ValueError("beam must be at least 1")
    if alpha < 0:
        raise ValueError("alpha must not be negative")

    def score(hypothesis):
        tokens, logp, done = hypothesis
        n = len(tokens)
        return logp / ((5 + n) / 6) ** alpha

    modes = [(m, m.training) for m in model.modules()] if isinstance(model, nn.Module) else []
    for m, _ in modes:
        m.training = False
    results = []
    with torch.no_grad():
        memory = model.encode(source)
        for b in range(len(source)):
            hyps = [([start], 0.0, False)]
            for _ in range(max_length):
                longer = [h for h in hyps if h[2]]
                alive = [h for h in hyps if not h[2]]
                if not alive:
                    break
                x = torch.tensor([h[0] for h in alive], device=source.device)
                k = len(alive)
                hidden = model.decode(x, memory[b : b + 1].expand(k, -1, -1), source[b : b + 1].expand(k, -1))
                log_p = torch.log_softmax(model.output(hidden[:, -1]).float(), dim=-1)
                for h, row in zip(alive, log_p):
                    values, indices = row.topk(min(beam, len(row)))
                    for p, t in zip(values.tolist(), indices.tolist()):
                        longer.append((h[0] + [t], h[1] + p, t == end))
                hyps = sorted(longer, key=score, reverse=True)[:beam]
            results.append(hyps[0][0][1:])
    for m, mode in modes:
        m.training = mode
    longest = max(len(r) for r in results)
    padded = [r + [model.pad] * (longest - len(r)) for r in results]
    return torch.tensor(padded, device=source.device)


# %% beam_search: the score, already divided by the penalty, is kept as the sum, so it is divided again at every step
# fault: total, index = score.clone(), best.indices
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    if beam < 1:
        raise ValueError(f"beam={beam} must be at least 1")
    if alpha < 0:
        raise ValueError(f"alpha={alpha} must not be negative")
    modes = [(m, m.training) for m in model.modules()] if isinstance(model, nn.Module) else []
    for m, _ in modes:
        m.training = False
    with torch.no_grad():
        B = len(source)
        memory = model.encode(source).repeat_interleave(beam, dim=0)
        source = source.repeat_interleave(beam, dim=0)
        tokens = source.new_full((B * beam, 1), start)
        length = source.new_zeros(B * beam)
        finished = torch.zeros(B * beam, dtype=torch.bool, device=source.device)
        total = torch.full((B, beam), float("-inf"), device=source.device)
        total[:, 0] = 0.0
        first_row = torch.arange(0, B * beam, beam, device=source.device)
        for _ in range(max_length):
            logits = model.output(model.decode(tokens, memory, source)[:, -1])
            V = logits.shape[-1]
            log_p = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
            log_p = log_p.masked_fill(finished[:, None], float("-inf"))
            log_p[:, model.pad] = log_p[:, model.pad].masked_fill(finished, 0.0)
            length = torch.where(finished, length, length + 1)
            lp = ((5.0 + length) / 6.0).pow(alpha).reshape(B, beam, 1)
            all_scores = (total.unsqueeze(-1) + log_p.reshape(B, beam, V)) / lp
            best = all_scores.reshape(B, beam * V).topk(beam)
            score = best.values
            total, index = score.clone(), best.indices
            parent = torch.div(index, V, rounding_mode="floor")
            row = (parent + first_row.unsqueeze(1)).reshape(-1)
            token = index.remainder(V).reshape(-1, 1)
            tokens = torch.cat((tokens[row], token), dim=1)
            length = length[row]
            finished = finished[row] | token.squeeze(1).eq(end)
            open_ = total.masked_fill(finished.view(B, beam), float("-inf"))
            hope = open_.amax(dim=1) / ((5 + max_length) / 6) ** alpha
            if (finished[first_row] & (score[:, 0] >= hope)).all():
                break
    for m, mode in modes:
        m.training = mode
    return tokens[first_row, 1:]


# %% beam_search: two mistakes: rows are counted within a source, so all others continue the first source's hypotheses; and the penalty multiplies
# fault: row = (index // vocab).flatten()
# fault: scores = candidates * ((5 + new_length) / 6).reshape(batch, beam, 1) ** alpha
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    if beam < 1:
        raise ValueError(f"beam={beam} must be at least 1")
    if alpha < 0:
        raise ValueError(f"alpha={alpha} must not be negative")
    modes = [(m, m.training) for m in model.modules()] if isinstance(model, nn.Module) else []
    for m, _ in modes:
        m.training = False
    with torch.no_grad():
        batch = len(source)
        memory = model.encode(source)
        memory = memory.repeat_interleave(beam, dim=0)
        source = source.repeat_interleave(beam, dim=0)
        tokens = source.new_full((batch * beam, 1), start)
        length = source.new_zeros(batch * beam)
        finished = torch.zeros(batch * beam, dtype=torch.bool, device=source.device)
        total = torch.full((batch, beam), float("-inf"), device=source.device)
        total[:, 0] = 0.0
        first_row = torch.arange(0, batch * beam, beam, device=source.device)
        for _ in range(max_length):
            hidden = model.decode(tokens, memory, source)[:, -1]
            logits = model.output(hidden)
            vocab = logits.shape[-1]
            log_p = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
            log_p = log_p.masked_fill(finished[:, None], float("-inf"))
            log_p[:, model.pad] = log_p[:, model.pad].masked_fill(finished, 0.0)
            new_length = length + ~finished
            candidates = total[..., None] + log_p.reshape(batch, beam, vocab)
            scores = candidates * ((5 + new_length) / 6).reshape(batch, beam, 1) ** alpha
            score, index = scores.flatten(1).topk(beam)
            total = candidates.flatten(1).gather(1, index)
            row = (index // vocab).flatten()
            token = (index % vocab).flatten()
            tokens = torch.cat([tokens[row], token[:, None]], dim=1)
            length = new_length[row]
            finished = finished[row] | (token == end)
            unfinished = total.masked_fill(finished.reshape(batch, beam), float("-inf"))
            hope = unfinished.amax(dim=1) / ((5 + max_length) / 6) ** alpha
            if (finished[first_row] & (score[:, 0] >= hope)).all():
                break
    for m, mode in modes:
        m.training = mode
    return tokens[first_row, 1:]
