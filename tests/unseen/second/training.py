import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course.stand_bys.attention import causal_mask, padding_mask, softmax
from course.stand_bys.transformer import Transformer
from solutions.training import evaluating


# %% learning_rate: falls with the steps since the end of the warm-up, and not with all steps
# fault: factor = (step - warmup + 1) ** -0.5
def learning_rate(step, d_model, warmup=4000):
    if warmup <= 0:
        raise ValueError(f"warmup={warmup} must be more than 0")
    step = max(step, 1)
    if step < warmup:
        factor = step * warmup ** -1.5
    else:
        factor = (step - warmup + 1) ** -0.5
    return d_model ** -0.5 * factor


# %% learning_rate: the paper's 4000 stands in the formula, the argument is ignored
# fault: rising = step / 4000 ** 1.5
def learning_rate(step: int, d_model: int, warmup: int = 4000) -> float:
    if warmup <= 0:
        raise ValueError(f"warmup={warmup} must be more than 0")
    step = 1 if step == 0 else step
    falling = 1 / math.sqrt(step)
    rising = step / 4000 ** 1.5
    return min(falling, rising) / math.sqrt(d_model)


# %% learning_rate: step 0 gives a rate of 0, where it should be answered as step 1
# fault: return 0.0
# fault: if step == 0:
def learning_rate(step, d_model, warmup=4000):
    if warmup <= 0:
        raise ValueError(f"warmup={warmup} must be more than 0")
    if step == 0:
        return 0.0
    return float(np.minimum(step**-0.5, step * warmup**-1.5) * d_model**-0.5)


# %% learning_rate: two mistakes: the slope's exponent is -0.5 and not -1.5; and it divides by d_model in place of its root
# fault: up = step * warmup ** (-0.5)
# fault: return min(down, up) / d_model
def learning_rate(step, d_model, warmup=4000):
    if warmup <= 0:
        raise ValueError(f"warmup={warmup} must be more than 0")
    step = max(1, step)
    down = step ** (-0.5)
    up = step * warmup ** (-0.5)
    return min(down, up) / d_model


# %% smoothed_cross_entropy: each sentence's mean first, then the mean of these, so short sentences weigh too much
# fault: per_sentence = (loss * real).sum(-1) / real.sum(-1).clamp(min=1)
# fault: return per_sentence.mean()
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing} must lie between 0 and 1")
    log_p = torch.log_softmax(logits, dim=-1)
    right = -log_p.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    spread = -log_p.mean(-1)
    loss = (1 - smoothing) * right + smoothing * spread
    real = (targets != pad).to(loss.dtype)
    per_sentence = (loss * real).sum(-1) / real.sum(-1).clamp(min=1)
    return per_sentence.mean()


# %% smoothed_cross_entropy: epsilon is shared among the V - 1 others, the right token gets nothing of it
# fault: wish = torch.full_like(log_p, smoothing / (vocab - 1))
# fault: wish.scatter_(-1, targets[:, None], 1 - smoothing)
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing} must lie between 0 and 1")
    vocab = logits.shape[-1]
    logits, targets = logits.reshape(-1, vocab), targets.reshape(-1)
    keep = targets != pad
    logits, targets = logits[keep], targets[keep]
    if targets.numel() == 0:
        return logits.sum() * 0
    log_p = F.log_softmax(logits, dim=-1)
    wish = torch.full_like(log_p, smoothing / (vocab - 1))
    wish.scatter_(-1, targets[:, None], 1 - smoothing)
    return -(wish * log_p).sum(-1).mean()


# %% smoothed_cross_entropy: padding's own column of the vocabulary gets no share of epsilon
# fault: others = [v for v in range(vocab) if v != pad]
# fault: uniform = nll[..., others].mean(dim=-1)
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing} must lie between 0 and 1")
    nll = torch.logsumexp(logits, dim=-1, keepdim=True) - logits  # (..., vocab)
    vocab = nll.shape[-1]
    mask = targets != pad
    if not mask.any():
        return nll.new_zeros(())
    # nobody should ever say padding
    others = [v for v in range(vocab) if v != pad]
    uniform = nll[..., others].mean(dim=-1)
    safe = targets.clamp(0, vocab - 1)
    right = torch.take_along_dim(nll, safe[..., None], dim=-1)[..., 0]
    loss = (1 - smoothing) * right + smoothing * uniform
    return loss[mask].mean()


# %% smoothed_cross_entropy: the logits that were handed in are changed in place
# fault: logits -= logits.max(dim=-1, keepdim=True).values
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing} must lie between 0 and 1")
    # against overflow
    logits -= logits.max(dim=-1, keepdim=True).values
    log_p = logits - logits.exp().sum(dim=-1, keepdim=True).log()
    real = targets != pad
    number = real.sum()
    if number == 0:
        return log_p.sum() * 0.0
    right = log_p.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    loss = -(1 - smoothing) * right - smoothing * log_p.mean(-1)
    return loss.masked_fill(~real, 0.0).sum() / number


# %% smoothed_cross_entropy: two mistakes: softmax along dim 1, which is the length of (batch, length, vocab); and epsilon times the sum, not the mean
# fault: log_p = torch.log_softmax(logits, dim=1)
# fault: smooth_loss = -log_p.sum(dim=-1)
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing={smoothing} must lie between 0 and 1")
    log_p = torch.log_softmax(logits, dim=1)
    right_loss = -log_p.gather(dim=-1, index=targets[..., None]).squeeze(-1)
    smooth_loss = -log_p.sum(dim=-1)
    loss = (1 - smoothing) * right_loss + smoothing * smooth_loss
    weight = (targets != pad).float()
    return (loss * weight).sum() / weight.sum().clamp(min=1.0)


# %% shift_right: writes into the targets themselves, so the loss then compares with shifted targets
# fault: targets[:, 1:] = targets[:, :-1].clone()
# fault: targets[:, 0] = start
def shift_right(targets, start):
    targets[:, 1:] = targets[:, :-1].clone()
    targets[:, 0] = start
    return targets


# %% shift_right: the column of start tokens is of floats, and so is all that comes out
# fault: first = torch.ones(len(targets), 1, device=targets.device) * start
def shift_right(targets, start):
    first = torch.ones(len(targets), 1, device=targets.device) * start
    return torch.cat((first, targets[:, :-1]), dim=1)


# %% shift_right: the start token takes the first target's place, and nothing moves
# fault: reads = targets.clone()
# fault: reads[:, 0] = start
def shift_right(targets: torch.Tensor, start: int) -> torch.Tensor:
    reads = targets.clone()
    reads[:, 0] = start
    return reads


# %% shift_right: two mistakes: moves along the batch, each sentence gets the one before it; and gives 32 bit numbers
# fault: out = torch.full(targets.shape, start, dtype=torch.int32, device=targets.device)
# fault: for i in range(1, targets.shape[0]):
# fault: out[i] = targets[i - 1]
def shift_right(targets, start):
    out = torch.full(targets.shape, start, dtype=torch.int32, device=targets.device)
    for i in range(1, targets.shape[0]):
        out[i] = targets[i - 1]
    return out


# %% initialise: fills buffers such as the table of positions as well, not only parameters
# fault: for tensor in [*model.parameters(), *model.buffers()]:
def initialise(model):
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.dim() == 2:
                outputs, inputs = tensor.shape
                a = math.sqrt(6 / (inputs + outputs))
                tensor.uniform_(-a, a)
    return model


# %% initialise: the seed is set anew for every matrix, so matrices of one shape begin with the same numbers
# fault: torch.manual_seed(0)
def initialise(model):
    for p in model.parameters():
        if p.dim() < 2:
            continue
        torch.manual_seed(0)
        a = (6 / (p.size(0) + p.size(1))) ** 0.5
        with torch.no_grad():
            p.copy_((2 * torch.rand_like(p) - 1) * a)
    return model


# %% initialise: biases are set to zero, though parameters of one dimension are to stay as they are
# fault: nn.init.zeros_(p)
def initialise(model):
    for name, p in model.named_parameters():
        if p.dim() > 1:
            bound = math.sqrt(6.0 / sum(p.shape[:2]))
            nn.init.uniform_(p, -bound, bound)
        elif name.endswith("bias"):
            nn.init.zeros_(p)
    return model


# %% initialise: two mistakes: draws from 0 to a, never below 0; and only Linears are filled, no embedding table
# fault: layer.weight.data = torch.rand_like(layer.weight) * a
# fault: if isinstance(layer, nn.Linear):
def initialise(model):
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            n_out, n_in = layer.weight.shape
            a = math.sqrt(6 / (n_in + n_out))
            layer.weight.data = torch.rand_like(layer.weight) * a
    return model


# %% greedy_decode: finished is brought up to date too early, so the end token itself is replaced by padding
# fault: finished = finished | (following == end)
# fault: following = following.masked_fill(finished, model.pad)
def greedy_decode(model, source, start, end, max_length=50):
    with evaluating(model):
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        finished = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        for _ in range(max_length):
            hidden = model.decode(tokens, memory, source)[:, -1]
            following = model.output(hidden).argmax(dim=-1)
            finished = finished | (following == end)
            following = following.masked_fill(finished, model.pad)
            tokens = torch.cat([tokens, following[:, None]], dim=1)
            if finished.all():
                break
        return tokens[:, 1:]


# %% greedy_decode: stops as soon as any sentence of the batch has ended, the others are cut off
# fault: if done.any():
def greedy_decode(model, source, start, end, max_length=50):
    with evaluating(model):
        memory = model.encode(source)  # read once, however much is written
        batch = source.shape[0]
        written = torch.full((batch, 1), start, dtype=source.dtype, device=source.device)
        done = torch.zeros(batch, 1, dtype=torch.bool, device=source.device)
        while written.shape[1] <= max_length:
            logits = model.output(model.decode(written, memory, source))
            best = logits[:, -1].argmax(-1, keepdim=True)
            best = torch.where(done, torch.full_like(best, model.pad), best)
            written = torch.cat([written, best], 1)
            done |= best == end
            if done.any():
                break
        return written[:, 1:]


# %% greedy_decode: only the last token is given to the decoder, all that was written before is forgotten
# fault: h = model.decode(token, memory, source)
def greedy_decode(model, source, start, end, max_length=50):
    with evaluating(model):
        memory = model.encode(source)
        token = torch.full_like(source[:, :1], start)
        alive = torch.ones_like(token, dtype=torch.bool)
        answer = []
        for _ in range(max_length):
            h = model.decode(token, memory, source)
            token = model.output(h[:, -1:]).argmax(-1)  # (batch, 1)
            token[~alive] = model.pad
            answer.append(token)
            alive = alive & (token != end)
            if not alive.any():
                break
        return torch.cat(answer, dim=1)


# %% greedy_decode: the source is read before the model is in evaluation mode, so dropout is at work in the encoder
# fault: memory = model.encode(source)
def greedy_decode(model, source, start, end, max_length=50):
    memory = model.encode(source)
    with evaluating(model):
        out = source.new_full((source.size(0), max_length + 1), model.pad)
        out[:, 0] = start
        ended = torch.zeros(source.size(0), dtype=torch.bool, device=source.device)
        step = 0
        while step < max_length and not ended.all():
            step += 1
            scores = model.output(model.decode(out[:, :step], memory, source)[:, -1])
            choice = scores.argmax(dim=1)
            out[~ended, step] = choice[~ended]
            ended = ended | (choice == end)
        return out[:, 1 : step + 1]


# %% greedy_decode: two mistakes: what comes after the end is 0 and not model.pad; and it writes one token less than max_length
# fault: nxt = torch.where(stop, torch.zeros_like(nxt), nxt)
# fault: for _ in range(1, max_length):
def greedy_decode(model, source, start, end, max_length=50):
    with evaluating(model):
        memory = model.encode(source)
        ys = torch.full((source.size(0), 1), start, dtype=torch.long, device=source.device)
        stop = torch.zeros(source.size(0), dtype=torch.bool, device=source.device)
        for _ in range(1, max_length):
            out = model.decode(ys, memory, source)
            prob = torch.softmax(model.output(out[:, -1]), dim=-1)
            _, nxt = torch.max(prob, dim=1)
            nxt = torch.where(stop, torch.zeros_like(nxt), nxt)
            ys = torch.cat([ys, nxt.unsqueeze(1)], dim=1)
            stop |= nxt == end
            if bool(stop.all()):
                break
        return ys[:, 1:]


# %% beam_search: rows are counted from 0 for each source, so all sources but the first go on with the first one's hypotheses
# fault: rows = (best // vocab).flatten()
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
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
            length = length + (~finished).long()
            sums = (total.reshape(-1, 1) + log_p).reshape(batch, beam * vocab)
            penalty = ((5 + length) / 6) ** alpha  # (batch·beam,)
            scores = sums / penalty.repeat_interleave(vocab).reshape(batch, beam * vocab)
            score, best = scores.topk(beam, dim=1)  # (batch, beam)
            total = sums.gather(1, best)
            rows = (best // vocab).flatten()
            new = (best % vocab).flatten()
            tokens = torch.cat([tokens[rows], new[:, None]], dim=1)
            length = length[rows]
            finished = finished[rows] | (new == end)
            # log p is never above 0, so whatever is still written, no score will exceed this hope.
            unfinished = total.masked_fill(finished.reshape(batch, beam), float("-inf"))
            hope = unfinished.amax(dim=1) / ((5 + max_length) / 6) ** alpha  # (batch,)
            if (finished[first_row] & (score[:, 0] >= hope)).all():
                break
        # topk sorts, so the first of each source's rows is its best.
        return tokens[first_row, 1:]


# %% beam_search: the penalised score is carried on as the sum of log p, so it is penalised again at every step
# fault: total = score
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
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
            length = torch.where(finished, length, length + 1)
            candidates = total[:, :, None] + log_p.view(batch, beam, vocab)
            candidates = candidates / (((5 + length) / 6) ** alpha).view(batch, beam, 1)
            score, index = candidates.flatten(1).topk(beam)
            total = score
            parent = first_row[:, None] + torch.div(index, vocab, rounding_mode="floor")
            parent, word = parent.reshape(-1), (index % vocab).reshape(-1)
            tokens = torch.cat((tokens[parent], word.unsqueeze(1)), dim=-1)
            length, finished = length[parent], finished[parent] | word.eq(end)
            # log p is never above 0, so whatever is still written, no score will exceed this hope.
            unfinished = total.masked_fill(finished.reshape(batch, beam), float("-inf"))
            hope = unfinished.amax(dim=1) / ((5 + max_length) / 6) ** alpha  # (batch,)
            if (finished[first_row] & (score[:, 0] >= hope)).all():
                break
        # topk sorts, so the first of each source's rows is its best.
        return tokens[first_row, 1:]


# %% beam_search: finished is not reordered together with the hypotheses
# fault: finished = finished | (token == end)
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
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

            def penalty(n):
                return ((5 + n) / 6) ** alpha

            length = length + ~finished
            new_total = (total.flatten()[:, None] + log_p).view(batch, -1)
            ranked = (new_total.view(batch * beam, vocab) / penalty(length)[:, None]).view(batch, -1)
            score, where = torch.topk(ranked, beam, dim=-1)
            total = torch.gather(new_total, 1, where)
            row = (where // vocab + first_row.unsqueeze(1)).flatten()
            token = (where % vocab).flatten()
            tokens = torch.cat([tokens.index_select(0, row), token.unsqueeze(-1)], dim=1)
            length = length.index_select(0, row)
            finished = finished | (token == end)
            # log p is never above 0, so whatever is still written, no score will exceed this hope.
            unfinished = total.masked_fill(finished.reshape(batch, beam), float("-inf"))
            hope = unfinished.amax(dim=1) / ((5 + max_length) / 6) ** alpha  # (batch,)
            if (finished[first_row] & (score[:, 0] >= hope)).all():
                break
        # topk sorts, so the first of each source's rows is its best.
        return tokens[first_row, 1:]


# %% beam_search: finished hypotheses grow longer as well, so the penalty flatters them more at every step
# fault: length = length + 1
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
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
            length = length + 1
            both = total[..., None] + log_p.unflatten(0, (batch, beam))  # (batch, beam, vocab)
            lp = torch.pow((5.0 + length) / 6.0, alpha).unflatten(0, (batch, beam))
            score, flat = (both / lp[..., None]).flatten(1).topk(beam, dim=1)
            hyp, word = flat // vocab, flat % vocab
            total = both.flatten(1).gather(1, flat)
            hyp = (hyp + first_row[:, None]).view(-1)
            word = word.view(-1)
            tokens = torch.cat([tokens[hyp], word[:, None]], dim=1)
            finished = finished[hyp] | (word == end)
            length = length[hyp]
            # log p is never above 0, so whatever is still written, no score will exceed this hope.
            unfinished = total.masked_fill(finished.reshape(batch, beam), float("-inf"))
            hope = unfinished.amax(dim=1) / ((5 + max_length) / 6) ** alpha  # (batch,)
            if (finished[first_row] & (score[:, 0] >= hope)).all():
                break
        # topk sorts, so the first of each source's rows is its best.
        return tokens[first_row, 1:]


# %% beam_search: two mistakes: the score is multiplied by the penalty; and a hypothesis is finished by padding, not by the end token
# fault: scored = summed * penalty.reshape(batch, beam, 1)
# fault: finished = finished[rows] | (token == model.pad)
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
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
            length = length + (1 - finished.to(length.dtype))
            summed = total.unsqueeze(-1) + log_p.reshape(batch, beam, vocab)
            penalty = ((5 + length.float()) / 6) ** alpha
            scored = summed * penalty.reshape(batch, beam, 1)
            score, place = scored.reshape(batch, -1).topk(beam, dim=-1)
            total = summed.reshape(batch, -1).gather(-1, place)
            rows = (first_row[:, None] + place // vocab).reshape(-1)
            token = (place % vocab).reshape(-1)
            tokens = torch.cat([tokens[rows], token[:, None]], dim=1)
            length = length[rows]
            finished = finished[rows] | (token == model.pad)
            # log p is never above 0, so whatever is still written, no score will exceed this hope.
            unfinished = total.masked_fill(finished.reshape(batch, beam), float("-inf"))
            hope = unfinished.amax(dim=1) / ((5 + max_length) / 6) ** alpha  # (batch,)
            if (finished[first_row] & (score[:, 0] >= hope)).all():
                break
        # topk sorts, so the first of each source's rows is its best.
        return tokens[first_row, 1:]
