"""Lesson 6, solved correctly in many ways."""

import heapq
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from solutions.training import evaluating


# %% learning_rate: one branch for each phase
def learning_rate(step, d_model, warmup=4000):
    if step == 0:
        step = 1
    if step < warmup:
        return step / (warmup**1.5 * math.sqrt(d_model))
    return 1 / math.sqrt(step * d_model)


# %% learning_rate: nothing at all before the first step
def learning_rate(step, d_model, warmup=4000):
    if warmup <= 0:
        raise ValueError(f"warmup={warmup} must be more than 0")
    if step < 1:
        return 0.0
    return float(d_model) ** -0.5 * min(step**-0.5, step * warmup**-1.5)


# %% learning_rate: the highest rate times a share of it
def learning_rate(step, d_model, warmup=4000):
    highest = (d_model * warmup) ** -0.5
    progress = max(step, 1) / warmup
    return highest * min(progress, progress**-0.5)


# %% learning_rate: one over the larger of two roots
def learning_rate(step, d_model, warmup=4000):
    step = step or 1
    return 1.0 / (d_model**0.5 * max(step**0.5, warmup**1.5 / step))


# %% learning_rate: by logarithms
def learning_rate(step, d_model, warmup=4000):
    log_step = math.log(max(1, step))
    log_rate = min(-0.5 * log_step, log_step - 1.5 * math.log(warmup))
    return math.exp(log_rate - 0.5 * math.log(d_model))


# %% learning_rate: torch.where on a tensor of one number
def learning_rate(step, d_model, warmup=4000):
    step = torch.tensor(step, dtype=torch.float64, device="cpu").clamp(min=1)
    rate = torch.where(step < warmup, step * warmup**-1.5, step.rsqrt())
    return (rate * d_model**-0.5).item()


# %% learning_rate: an object that is called
class Schedule:
    def rising(self, step, warmup):
        return step * math.pow(warmup, -1.5)

    def falling(self, step, warmup):
        return math.pow(step, -0.5)

    def __call__(self, step, d_model, warmup=4000):
        phase = self.rising if step < warmup else self.falling
        return math.pow(d_model, -0.5) * phase(max(step, 1), warmup)


learning_rate = Schedule()


# %% smoothed_cross_entropy: only the tokens that count, looked up by index
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    vocab = logits.size(-1)
    logits, targets = logits.reshape(-1, vocab), targets.reshape(-1)
    keep = targets != pad
    logits, targets = logits[keep], targets[keep]
    log_p = F.log_softmax(logits, dim=-1)
    right = log_p[torch.arange(len(targets), device=targets.device), targets]
    loss = -(1 - smoothing) * right
    if smoothing:
        loss = loss - smoothing * log_p.mean(-1)
    return loss.sum() / max(len(targets), 1)


# %% smoothed_cross_entropy: the whole smoothed distribution
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    vocab = logits.shape[-1]
    real = targets != pad
    wanted = torch.full_like(logits, smoothing / vocab).detach()
    index = torch.where(real, targets, 0).unsqueeze(-1)
    wanted.scatter_add_(-1, index, torch.full_like(wanted[..., :1], 1 - smoothing))
    loss = -(wanted * logits.log_softmax(-1)).sum(-1)
    return (loss * real).sum() / real.sum().clamp(min=1)


# %% smoothed_cross_entropy: divergence plus entropy
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    vocab = logits.shape[-1]
    real = (targets != pad).reshape(-1)
    log_p = torch.log_softmax(logits.reshape(-1, vocab)[real], dim=-1)
    one_hot = F.one_hot(targets.reshape(-1)[real], vocab).to(log_p.dtype)
    q = (1 - smoothing) * one_hot + smoothing / vocab
    log_q = torch.where(q > 0, q, 1.0).log()
    entropy = -(q * log_q).sum()
    divergence = (q * (log_q - log_p)).sum()
    return (divergence + entropy) / real.sum().clamp(min=1)


# %% smoothed_cross_entropy: divergence and entropy at once, rows of padding emptied
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    vocab = logits.shape[-1]
    number = torch.arange(vocab, device=logits.device)
    q = torch.full(logits.shape, smoothing / vocab, dtype=logits.dtype, device=logits.device)
    q = torch.where(targets.unsqueeze(-1) == number, 1 - smoothing + smoothing / vocab, q)
    q = q.masked_fill((targets == pad).unsqueeze(-1), 0.0)
    divergence = torch.xlogy(q, q) - q * torch.log_softmax(logits, -1)
    entropy = torch.special.entr(q)
    count = (targets != pad).sum()
    return (divergence + entropy).sum() / count.clamp_min(1)


# %% smoothed_cross_entropy: a loop over all tokens
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    vocab = logits.shape[-1]
    losses = []
    for row, target in zip(logits.reshape(-1, vocab), targets.reshape(-1).tolist()):
        if target == pad:
            continue
        surprise = torch.logsumexp(row, dim=0) - row
        loss = (1 - smoothing) * surprise[target]
        if smoothing > 0:
            loss = loss + smoothing * surprise.sum() / vocab
        losses.append(loss)
    if not losses:
        return logits.sum() * 0.0  # still part of the graph
    return torch.stack(losses).mean()


# %% smoothed_cross_entropy: log of the sum taken by hand, in at least single precision
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    x = logits.to(torch.promote_types(logits.dtype, torch.float32))
    x = x - x.max(dim=-1, keepdim=True).values.detach()
    log_total = x.exp().sum(dim=-1).log()
    ignored = targets == pad
    right = x.gather(-1, targets.masked_fill(ignored, 0).unsqueeze(-1)).squeeze(-1)
    goal = (1 - smoothing) * right + smoothing * x.mean(dim=-1)
    loss = (log_total - goal).masked_fill(ignored, 0)
    tokens = ignored.numel() - ignored.sum()
    return (loss.sum() / tokens.clamp(min=1)).to(logits.dtype)


# %% smoothed_cross_entropy: shares of the tokens that add up to one, sums by einsum
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    vocab = logits.shape[-1]
    log_p = logits.reshape(-1, vocab).log_softmax(dim=1)
    targets = targets.reshape(-1)
    real = targets != pad
    share = real.to(log_p.dtype) / real.sum().clamp(min=1)  # (tokens,)
    one_hot = F.one_hot(targets * real, vocab).to(log_p.dtype)
    right = torch.einsum("n,nv,nv->", share, one_hot, log_p)
    everything = torch.einsum("n,nv->", share, log_p)
    return -((1 - smoothing) * right + smoothing / vocab * everything)


# %% smoothed_cross_entropy: sentence by sentence
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    if targets.dim() > 1:
        parts = [(x, t) for x, t in zip(logits.flatten(0, -3), targets.flatten(0, -2))]
    else:
        parts = [(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))]
    total, count = 0.0, 0
    for x, t in parts:
        keep = (t != pad).nonzero().squeeze(1)
        log_p = torch.log_softmax(x.index_select(0, keep), dim=-1)
        right = torch.take_along_dim(log_p, t[keep].unsqueeze(1), dim=1)
        total = total - (1 - smoothing) * right.sum() - smoothing * log_p.mean(1).sum()
        count += keep.numel()
    return total / max(count, 1)


# %% smoothed_cross_entropy: gradient written by hand
class SmoothedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, wanted, weight):
        log_p = torch.log_softmax(logits, dim=-1)
        ctx.save_for_backward(log_p, wanted, weight)
        return -(weight[:, None] * wanted * log_p).sum()

    @staticmethod
    def backward(ctx, gradient):
        log_p, wanted, weight = ctx.saved_tensors
        return gradient * weight[:, None] * (log_p.exp() - wanted), None, None


def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    logits, targets = logits.flatten(0, -2) if logits.dim() > 1 else logits[None], targets.flatten()
    vocab = logits.shape[-1]
    real = targets != pad
    wanted = F.one_hot(targets.where(real, 0), vocab).to(logits.dtype)
    wanted = wanted.lerp(torch.full_like(wanted, 1 / vocab), smoothing)
    weight = real.to(logits.dtype) / real.sum().clamp(min=1)
    return SmoothedLoss.apply(logits, wanted, weight)


# %% smoothed_cross_entropy: by a categorical distribution
def smoothed_cross_entropy(logits, targets, smoothing=0.1, pad=0):
    real = targets != pad
    predicted = torch.distributions.Categorical(logits=logits)
    likelihood = predicted.log_prob(torch.where(real, targets, 0))
    uniform = predicted.logits.mean(dim=-1)  # normalised log-probabilities
    loss = -((1 - smoothing) * likelihood + smoothing * uniform)
    return torch.where(real, loss, torch.zeros_like(loss)).sum() / real.sum().clamp(min=1)


# %% shift_right: a column of start tokens in front
def shift_right(targets, start):
    first = torch.full_like(targets[:, :1], start)
    return torch.cat((first, targets[:, :-1]), dim=1)


# %% shift_right: rolled round, then the first overwritten
def shift_right(targets, start):
    shifted = targets.roll(shifts=1, dims=1)
    shifted[:, 0] = start
    return shifted


# %% shift_right: padded on the left and cut on the right
def shift_right(targets, start):
    return F.pad(targets, (1, 0), value=start)[:, :-1]


# %% shift_right: each position asks the one before it
def shift_right(targets, start):
    position = torch.arange(targets.size(1), device=targets.device)
    before = targets.index_select(1, (position - 1).clamp(min=0))
    return torch.where(position == 0, start, before)


# %% shift_right: copied column by column
def shift_right(targets, start):
    shifted = targets.clone()
    for i in range(targets.shape[1] - 1, 0, -1):
        shifted[:, i] = shifted[:, i - 1]
    shifted[:, 0] = start
    return shifted


# %% shift_right: lists of numbers
def shift_right(targets, start):
    rows = [[start, *row[:-1]] for row in targets.tolist()]
    return torch.tensor(rows, dtype=targets.dtype, device=targets.device)


# %% initialise: matrices found by the length of their shape
def initialise(model):
    for _, parameter in model.named_parameters():
        if len(parameter.shape) == 2:
            torch.nn.init.xavier_uniform_(parameter, gain=1.0)
    return model


# %% initialise: drawn by hand
def initialise(model):
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim != 2:
                continue
            outputs, inputs = parameter.shape
            limit = math.sqrt(6 / (inputs + outputs))
            parameter.uniform_(-limit, limit)
    return model


# %% initialise: module by module
def initialise(model):
    def fill(module):
        for parameter in module.parameters(recurse=False):
            if parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)

    return model.apply(fill)


# %% initialise: shared ones filled once
def initialise(model):
    done = set()
    for module in model.modules():
        for parameter in module._parameters.values():
            if parameter is None or parameter.dim() != 2 or parameter in done:
                continue
            nn.init.xavier_uniform_(parameter.data)
            done.add(parameter)
    return model


# %% initialise: numbers between 0 and 1, stretched and copied
def initialise(model):
    for parameter in model.parameters():
        if parameter.dim() == 2:
            bound = (6.0 / sum(parameter.shape)) ** 0.5
            fresh = torch.rand_like(parameter, requires_grad=False)
            parameter.data.copy_((2 * fresh - 1) * bound)
    return model


# %% initialise: loaded as a state dict
def initialise(model):
    fresh = {
        name: nn.init.xavier_uniform_(torch.empty_like(parameter, requires_grad=False))
        for name, parameter in model.named_parameters()
        if parameter.dim() == 2
    }
    model.load_state_dict(fresh, strict=False)
    return model


# %% greedy_decode: everything read again at every step, into a table set aside
def greedy_decode(model, source, start, end, max_length=50):
    batch = source.shape[0]
    tokens = source.new_full((batch, max_length + 1), model.pad)
    tokens[:, 0] = start
    running = torch.ones(batch, dtype=torch.bool, device=source.device)
    with evaluating(model):
        for i in range(max_length):
            logits = model(source, tokens[:, : i + 1])
            best = logits[:, -1].argmax(-1)
            tokens[running, i + 1] = best[running]
            running &= best != end
            if not running.any():
                break
    return tokens[:, 1:]


# %% greedy_decode: recursion
def greedy_decode(model, source, start, end, max_length=50):
    def write(tokens, memory, finished, left):
        if left == 0 or finished.all():
            return tokens
        logits = model.output(model.decode(tokens, memory, source))
        best = logits[:, -1, :].max(dim=-1).indices
        best = torch.where(finished, model.pad, best)
        tokens = torch.cat([tokens, best.unsqueeze(1)], dim=1)
        return write(tokens, memory, finished | (best == end), left - 1)

    with evaluating(model):
        tokens = torch.full((source.shape[0], 1), start, device=source.device)
        finished = torch.zeros(source.shape[0], dtype=torch.bool, device=source.device)
        return write(tokens, model.encode(source), finished, max_length)[:, 1:]


# %% greedy_decode: one sentence at a time, in growing lists
def greedy_decode(model, source, start, end, max_length=50):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    sentences = []
    try:
        with torch.no_grad():
            for sentence in source.split(1):
                memory = model.encode(sentence)
                written = [start]
                while len(written) <= max_length:
                    target = torch.tensor([written], device=source.device)
                    hidden = model.decode(target, memory, sentence)
                    token = model.output(hidden[0, -1]).argmax().item()
                    written.append(token)
                    if token == end:
                        break
                sentences.append(torch.tensor(written[1:], dtype=torch.long, device=source.device))
    finally:
        for module, training in modes:
            module.training = training
    return pad_sequence(sentences, batch_first=True, padding_value=model.pad)


# %% greedy_decode: no early stop, tidied up afterwards
def greedy_decode(model, source, start, end, max_length=50):
    with evaluating(model):
        memory = model.encode(source)
        tokens = source.new_full((len(source), 1), start)
        for _ in range(max_length):
            logits = model.output(model.decode(tokens, memory, source)[:, -1:])
            tokens = torch.cat([tokens, logits.argmax(-1)], dim=1)
        tokens = tokens[:, 1:]
        is_end = (tokens == end).long()
        ends_before = is_end.cumsum(1) - is_end
        return tokens.masked_fill(ends_before > 0, model.pad)


# %% greedy_decode: only the unfinished rows go on
def greedy_decode(model, source, start, end, max_length=50):
    answer = torch.full((len(source), max_length), model.pad, device=source.device)
    with evaluating(model):
        row = torch.arange(len(source), device=source.device)  # the rows still being written
        memory = model.encode(source)
        tokens = torch.full((len(source), 1), start, device=source.device)
        for place in range(max_length):
            hidden = model.decode(tokens, memory[row], source[row])
            token = model.output(hidden[:, -1]).argmax(dim=1)
            answer[row, place] = token
            go_on = token != end
            row = row[go_on]
            tokens = torch.cat([tokens, token[:, None]], dim=1)[go_on]
            if len(row) == 0:
                break
    return answer


# %% greedy_decode: always the full width, padding on the right
def greedy_decode(model, source, start, end, max_length=50):
    batch = len(source)
    # The decoder never looks ahead, so what stands to the right of a token does not matter.
    target = torch.full((batch, max_length + 1), model.pad, device=source.device)
    target[:, 0] = start
    with evaluating(model):
        memory = model.encode(source)
        finished = torch.zeros(batch, dtype=torch.bool, device=source.device)
        step = 0
        while step < max_length and not bool(finished.all()):
            hidden = model.decode(target[:, :max_length], memory, source)
            token = model.output(hidden[:, step]).argmax(-1)
            step += 1
            target[:, step] = token.masked_fill(finished, model.pad)
            finished = finished | (token == end)
    return target[:, 1 : step + 1]


# %% greedy_decode: columns from a generator
def columns(model, source, start, end):
    memory = model.encode(source)
    tokens = [source.new_full((len(source),), start)]
    finished = torch.zeros_like(tokens[0], dtype=torch.bool)
    while True:
        hidden = model.decode(torch.stack(tokens, dim=1), memory, source)
        best = model.output(hidden)[:, -1].topk(1).indices[:, 0]
        best = best * ~finished + model.pad * finished
        yield best
        finished = finished.logical_or(best == end)
        if finished.all():
            return
        tokens.append(best)


@torch.no_grad()
def greedy_decode(model, source, start, end, max_length=50):
    training = {name: module.training for name, module in model.named_modules()}
    model.eval()
    try:
        writer = columns(model, source, start, end)
        written = [column for column, _ in zip(writer, range(max_length))]
    finally:
        for name, module in model.named_modules():
            module.training = training[name]
    if not written:
        return source.new_empty((len(source), 0))
    return torch.stack(written, dim=1)


# %% greedy_decode: inference mode, a plain copy handed out
def greedy_decode(model, source, start, end, max_length=50):
    was_training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.inference_mode():
            target = torch.full((len(source), 1), start, device=source.device)
            done = torch.zeros((len(source), 1), dtype=torch.bool, device=source.device)
            for _ in range(max_length):
                if done.all():
                    break
                next_token = model(source, target)[:, -1].argmax(-1, keepdim=True)
                next_token[done] = model.pad
                target = torch.hstack([target, next_token])
                done |= next_token == end
    finally:
        for module in was_training:
            module.training = True
    return target[:, 1:].clone()  # tensors made in inference mode are of no use in training


# %% beam_search: one source at a time, finished ones stay in a sorted list
def search_one(model, source, start, end, max_length, beam, alpha):
    memory = model.encode(source)
    hypotheses = [(0.0, 0.0, [])]  # score, summed log-probability, tokens
    for _ in range(max_length):
        candidates = []
        for score, total, tokens in hypotheses:
            if tokens and tokens[-1] == end:
                candidates.append((score, total, tokens))
                continue
            target = torch.tensor([[start, *tokens]], device=source.device)
            logits = model.output(model.decode(target, memory, source)[:, -1])
            log_p = torch.log_softmax(logits[0].float(), dim=-1)
            penalty = ((5 + len(tokens) + 1) / 6) ** alpha
            for token, p in enumerate(log_p.tolist()):
                candidates.append(((total + p) / penalty, total + p, [*tokens, token]))
        candidates.sort(key=lambda candidate: candidate[0], reverse=True)
        hypotheses = candidates[:beam]
        if all(tokens[-1] == end for _, _, tokens in hypotheses):
            break
    return hypotheses[0][2]


def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    with evaluating(model):
        found = [
            search_one(model, source[i : i + 1], start, end, max_length, beam, alpha)
            for i in range(len(source))
        ]
    width = max(len(tokens) for tokens in found)
    rows = [tokens + [model.pad] * (width - len(tokens)) for tokens in found]
    return torch.tensor(rows, dtype=torch.long, device=source.device)


# %% beam_search: finished ones kept apart, the rest pruned by a heap
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    if beam < 1:
        raise ValueError("there must be at least one beam")

    def score(hypothesis):
        total, tokens = hypothesis
        return total / ((5 + len(tokens)) / 6) ** alpha

    best = []
    with evaluating(model):
        for sentence in source:
            sentence = sentence[None]
            memory = model.encode(sentence)
            alive, finished = [(0.0, ())], []
            for _ in range(max_length):
                longer = []
                for total, tokens in alive:
                    target = torch.tensor([(start, *tokens)], device=source.device)
                    logits = model.output(model.decode(target, memory, sentence))[0, -1]
                    log_p = logits.float().log_softmax(0)
                    values, indices = log_p.topk(min(beam, len(log_p)))
                    for p, token in zip(values.tolist(), indices.tolist()):
                        longer.append((total + p, (*tokens, token)))
                # all are equally long, so the sum decides
                longer = heapq.nlargest(beam, longer, key=lambda hypothesis: hypothesis[0])
                finished += [h for h in longer if h[1][-1] == end]
                alive = [h for h in longer if h[1][-1] != end]
                if not alive:
                    break
            _, tokens = max(finished + alive, key=score)
            best.append(torch.tensor(tokens, dtype=torch.long, device=source.device))
    return pad_sequence(best, batch_first=True, padding_value=model.pad)


# %% beam_search: recursion, the hypotheses of a source as its batch
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    def normalise(total, length):
        return total / ((5 + length) / 6) ** alpha

    def grow(sentence, memory, tokens, total, best_score, best):
        """tokens (hypotheses, written + 1), all of them still without an end."""
        written = tokens.shape[1] - 1
        if written == max_length or len(tokens) == 0:
            if len(tokens) and written and normalise(total.max(), written) > best_score:
                best = tokens[total.argmax(), 1:]
            return best
        count = len(tokens)
        hidden = model.decode(tokens, memory.expand(count, -1, -1), sentence.expand(count, -1))
        log_p = model.output(hidden[:, -1]).float().log_softmax(-1)
        vocab = log_p.shape[1]
        every = (total[:, None] + log_p).flatten()
        total, index = every.topk(min(beam, len(every)))
        parent, token = index.div(vocab, rounding_mode="floor"), index % vocab
        tokens = torch.cat([tokens[parent], token[:, None]], dim=1)
        over = token == end
        for row, value in zip(tokens[over], total[over]):
            if normalise(value, written + 1) > best_score:
                best_score, best = normalise(value, written + 1), row[1:]
        return grow(sentence, memory, tokens[~over], total[~over], best_score, best)

    with evaluating(model):
        rows = []
        for sentence in source.split(1):
            tokens = torch.full((1, 1), start, device=source.device)
            total = torch.zeros(1, device=source.device)
            nothing = tokens[0, 1:]
            memory = model.encode(sentence)
            rows.append(grow(sentence, memory, tokens, total, -math.inf, nothing))
        return pad_sequence(rows, batch_first=True, padding_value=model.pad)


# %% beam_search: whole batch in a cube, everything read again at every step
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    with evaluating(model):
        batch, device = len(source), source.device
        rows = torch.arange(batch, device=device)[:, None]
        sources = source[:, None].expand(-1, beam, -1).flatten(0, 1)
        tokens = torch.full((batch, beam, 1), start, device=device)
        total = torch.full((batch, beam), -1e30, device=device)
        total[:, 0] = 0.0
        finished = torch.zeros(batch, beam, dtype=torch.bool, device=device)
        length = torch.zeros(batch, beam, device=device)
        for _ in range(max_length):
            logits = model(sources, tokens.flatten(0, 1))[:, -1].float()
            log_p = logits.log_softmax(-1).unflatten(0, (batch, beam))  # (batch, beam, vocab)
            vocab = log_p.shape[-1]
            only_pad = torch.full((vocab,), float("-inf"), device=device)
            only_pad[model.pad] = 0.0
            log_p = torch.where(finished[..., None], only_pad, log_p)
            length = torch.where(finished, length, length + 1)
            candidates = total[..., None] + log_p
            scores = candidates / ((5 + length[..., None]) / 6) ** alpha
            index = scores.flatten(1).argsort(dim=1, descending=True)[:, :beam]
            total = candidates.flatten(1)[rows, index]
            parent = torch.div(index, vocab, rounding_mode="floor")
            token = index - parent * vocab
            tokens = torch.cat([tokens[rows, parent], token[..., None]], dim=-1)
            finished = finished[rows, parent] | (token == end)
            length = length[rows, parent]
            if finished.all():
                break
        return tokens[:, 0, 1:]


# %% beam_search: twice as many looked at, so that the beam stays full
def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    answers = []
    with evaluating(model):
        for sentence in source:
            sentence = sentence.unsqueeze(0)
            memory = model.encode(sentence)
            tokens = torch.full((1, 1), start, device=source.device)
            total = torch.zeros(1, device=source.device)
            done = []  # (score, tokens)
            for length in range(1, max_length + 1):
                copies = len(tokens)
                hidden = model.decode(
                    tokens,
                    memory.repeat_interleave(copies, dim=0),
                    sentence.repeat_interleave(copies, dim=0),
                )
                log_p = torch.log_softmax(model.output(hidden[:, -1]).float(), dim=-1)
                vocab = log_p.shape[-1]
                summed = (total.unsqueeze(1) + log_p).reshape(-1)
                values, index = summed.topk(min(2 * beam, summed.numel()))
                penalty = ((5 + length) / 6) ** alpha
                go_on = []
                for rank, (value, i) in enumerate(zip(values.tolist(), index.tolist())):
                    parent, token = divmod(i, vocab)
                    if token == end:
                        if rank < beam:
                            done.append((value / penalty, [*tokens[parent, 1:].tolist(), token]))
                    elif len(go_on) < beam:
                        go_on.append((value, [*tokens[parent].tolist(), token]))
                if len(done) >= beam or not go_on:
                    break
                total = torch.tensor([value for value, _ in go_on], device=source.device)
                tokens = torch.tensor([row for _, row in go_on], device=source.device)
            else:  # out of room: what is unfinished counts, too
                penalty = ((5 + max_length) / 6) ** alpha
                for value, row in zip(total.tolist(), tokens.tolist()):
                    done.append((value / penalty, row[1:]))
            answers.append(max(done)[1])
    longest = max(map(len, answers))
    padded = [answer + [model.pad] * (longest - len(answer)) for answer in answers]
    return torch.tensor(padded, device=source.device).reshape(len(source), longest)


# %% beam_search: the best so far is remembered, hopeless ones are dropped
class Hypothesis:
    def __init__(self, tokens, total):
        self.tokens, self.total = tokens, total

    def score(self, alpha, length=None):
        return self.total / ((5 + (length or len(self.tokens))) / 6) ** alpha


def beam_search(model, source, start, end, max_length=50, beam=4, alpha=0.6):
    result = torch.full((len(source), max_length), model.pad, device=source.device)
    if max_length == 0:
        return result
    with evaluating(model):
        memories = model.encode(source)
        for i in range(len(source)):
            memory, sentence = memories[i : i + 1], source[i : i + 1]
            beams, best = [Hypothesis([], 0.0)], None
            while beams:
                children = []
                target = torch.tensor([[start, *b.tokens] for b in beams], device=source.device)
                hidden = model.decode(
                    target, torch.cat([memory] * len(beams)), torch.cat([sentence] * len(beams))
                )
                log_p = torch.log_softmax(model.output(hidden)[:, -1].float(), dim=-1).cpu()
                for parent, row in zip(beams, log_p):
                    for token in row.argsort(descending=True)[:beam].tolist():
                        total = parent.total + row[token].item()
                        children.append(Hypothesis([*parent.tokens, token], total))
                children.sort(key=lambda child: -child.total)
                beams = []
                for child in children[:beam]:
                    ready = child.tokens[-1] == end or len(child.tokens) == max_length
                    if not ready:
                        beams.append(child)
                    elif best is None or child.score(alpha) > best.score(alpha):
                        best = child
                if best is not None:  # log p is never positive: what can they still reach?
                    goal = best.score(alpha)
                    beams = [b for b in beams if b.score(alpha, max_length) > goal]
            result[i, : len(best.tokens)] = torch.tensor(best.tokens, device=source.device)
    return result


# %% initialise: parameters with three and more dimensions are filled, too, which is free
def initialise(model):
    for p in model.parameters():
        if p.dim() > 1:
            nn.init.xavier_uniform_(p)
    return model
