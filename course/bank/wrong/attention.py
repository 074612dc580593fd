import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from solutions.arguments import check_attention
from solutions.attention import scaled_dot_product_attention


# %% softmax: the exponentials alone
# expect: not_normalised
def softmax(x, dim=-1):
    return x.exp()


# %% softmax: the largest score is not subtracted, so large scores overflow
# expect: not_stable
def softmax(x, dim=-1):
    e_x = torch.exp(x)
    return e_x / torch.sum(e_x, dim=dim, keepdim=True)


# %% softmax: the sum is taken without keepdim, so it divides along the wrong dimension
# expect: no_keepdim
def softmax(x, dim=-1):
    m, _ = torch.max(x, dim, keepdim=True)
    numerator = (x - m).exp()
    denominator = numerator.sum(dim)
    return numerator / denominator


# %% softmax: always works along the last dimension, whatever dim says
# expect: dim_ignored
def softmax(x, dim=-1):
    z = x - x.max(-1, keepdim=True).values
    ez = torch.exp(z)
    one_over = 1 / torch.einsum("...n->...", ez)
    return torch.einsum("...n,...->...n", ez, one_over)


# %% softmax: adds up to 1 over the whole tensor and not along dim
# expect: over_everything
def softmax(x, dim=-1):
    flat = x.reshape(-1)
    flat = flat - flat.max()
    probs = flat.exp() / flat.exp().sum()
    return probs.reshape(x.shape)


# %% softmax: the largest score of the whole tensor is subtracted, so rows far below it give nan
# expect: shifted_by_everything
def shift(scores):
    return scores - scores.detach().max()


def softmax(x, dim=-1):
    weights = shift(x).exp()
    norm = weights.sum(dim=dim, keepdim=True)
    return weights.div(norm)


# %% softmax: ready-made: it calls the softmax method of the tensor
# expect: ready_made
def softmax(x, dim=-1):
    # the method is shorter
    return x.softmax(dim)


# %% softmax: ready-made: the exponential of torch's log_softmax
# expect: ready_made
def softmax(x, dim=-1):
    log_probs = F.log_softmax(x, dim=dim)
    return log_probs.exp()


# %% softmax: ready-made: an nn.Softmax hidden in a class
# expect: ready_made
class Weights:
    def __init__(self, dim):
        self.inner = nn.Softmax(dim=dim)

    def __call__(self, x):
        return self.inner(x)


def softmax(x, dim=-1):
    return Weights(dim)(x)


# %% softmax: the largest score is subtracted in place, so the caller's x changes
# expect: changes_scores
def softmax(x, dim=-1):
    with torch.no_grad():
        biggest = x.amax(dim=dim, keepdim=True)
        x.sub_(biggest)
    top = x.exp()
    return top / top.sum(dim=dim, keepdim=True)


# %% softmax: everything is turned into float32 and comes back as float32
# expect: always_float32
def softmax(x, dim=-1):
    x = x.to(torch.float32)
    x = x - x.max(dim=dim, keepdim=True)[0]
    out = x.exp()
    total = out.sum(dim=dim, keepdim=True)
    return out / total


# %% softmax: x is detached on the way in, so no gradient comes back
# expect: graph_cut
def softmax(x, dim=-1):
    raw = x.detach()
    highest = torch.amax(raw, dim, True)
    powers = math.e ** (raw - highest)
    return powers / powers.sum(dim, True)


# %% softmax: scores are clamped to between -30 and 30 in place of being shifted
# expect: nothing
def softmax(x, dim=-1):
    # avoid overflow of exp
    safe = torch.clamp(x, min=-30.0, max=30.0)
    e = torch.exp(safe)
    return e / e.sum(dim=dim, keepdim=True)


# %% softmax: powers of 2 in place of powers of e
# expect: base_two
def softmax(x, dim=-1):
    shifted = x - x.amax(dim, keepdim=True)
    powers = torch.pow(2.0, shifted)
    return powers * powers.sum(dim, keepdim=True).reciprocal()


# %% softmax: a thousandth is added to the denominator, so the weights add up to less than 1
# expect: nothing
def softmax(x, dim=-1):
    eps = 1e-3  # never divide by zero
    a = x - torch.max(x, dim=dim, keepdim=True).values
    a = a.exp()
    return a / (a.sum(dim=dim, keepdim=True) + eps)


# %% softmax: a score of -inf is replaced by -30 and so still gets a weight
# expect: nothing
def softmax(x, dim=-1):
    x = torch.where(torch.isneginf(x), torch.full_like(x, -30.0), x)
    x = x - x.max(dim, keepdim=True).values
    p = x.exp()
    return p / p.sum(dim, keepdim=True)


# %% softmax: the index of the largest score is subtracted in place of the score itself
# expect: not_stable
def softmax(x, dim=-1):
    largest = x.max(dim, keepdim=True)[1]
    e = torch.exp(x - largest)
    s = e.sum(dim, keepdim=True)
    return e / s


# %% softmax: without dim it works along the first dimension
# expect: nothing
def softmax(x, dim=0):
    c = x.amax(dim=dim, keepdim=True)
    logsum = c + torch.log(torch.exp(x - c).sum(dim=dim, keepdim=True))
    return torch.exp(x - logsum)


# %% softmax: the denominator is detached, so the values are right and the gradient is wrong
# expect: nothing
def softmax(x, dim=-1):
    highest = x.max(dim=dim, keepdim=True).values.detach()
    e = torch.exp(x - highest)
    with torch.no_grad():
        denominator = e.sum(dim=dim, keepdim=True)
    return e / denominator


# %% softmax: nothing is subtracted before exp, and dim is ignored in favour of the last one
# expect: dim_ignored + not_stable
def softmax(x, dim=-1):
    exps = x.exp()
    return torch.div(exps, exps.sum(-1).unsqueeze(-1))


# %% softmax: the exponentials are taken in float16, which loses digits
# expect: nothing
def softmax(x, dim=-1):
    kind = x.dtype
    d = (x - x.amax(dim, keepdim=True)).half()
    e = d.exp()
    out = e / e.sum(dim, keepdim=True)
    return out.to(kind)


# %% softmax: gives the logarithms of the weights
# expect: logarithm
def softmax(x, dim=-1):
    x = x - x.amax(dim, keepdim=True)
    return x - x.exp().sum(dim, keepdim=True).log()


# %% softmax: dim is moved to the end and never moved back
# expect: nothing
def softmax(x, dim=-1):
    y = x.transpose(dim, -1)
    y = y - y.max(-1)[0][..., None]
    y = y.exp()
    y = y / y.sum(-1)[..., None]
    return y


# %% softmax: dimensions of size 1 are squeezed out of the result
# expect: nothing
def softmax(x, dim=-1):
    x_max, _ = x.max(dim=dim, keepdim=True)
    num = torch.exp(x - x_max)
    den = num.sum(dim=dim, keepdim=True)
    return (num / den).squeeze()


# %% softmax: 100 is subtracted in place of the largest score, so it underflows or overflows
# expect: nothing
def softmax(x, dim=-1):
    # subtracting any constant is allowed, so take one that is always large enough
    e = (x - 100.0).exp()
    return e / e.sum(dim=dim, keepdim=True)


# %% softmax: equal weights for all, the scores are not looked at
# expect: nothing
def softmax(x, dim=-1):
    # softmax of equal numbers
    return torch.ones_like(x) / x.shape[dim]


# %% softmax: nothing is returned
# expect: nothing
def softmax(x, dim=-1):
    x = x - x.amax(dim, keepdim=True)
    e = x.exp()
    weights = e / e.sum(dim, keepdim=True)


# %% scaled_dot_product_attention: scores are not divided by the root of d_k
# expect: no_scale
def scaled_dot_product_attention(query, key, value, mask=None):
    # how similar is every query to every key
    similarity = torch.einsum("...qd,...kd->...qk", query, key)
    if mask is not None:
        similarity = torch.where(mask, similarity, float("-inf"))
    attention = F.softmax(similarity, dim=-1)
    return torch.einsum("...qk,...kv->...qv", attention, value), attention


# %% scaled_dot_product_attention: divided by d_k and not by its root
# expect: scaled_by_width
def scaled_dot_product_attention(query, key, value, mask=None):
    Q, K, V = query, key, value
    dk = K.size(-1)
    QK = torch.matmul(Q, K.mT)
    QK = QK / dk
    if mask is not None:
        minus_infinity = torch.tensor(-math.inf, dtype=QK.dtype, device=QK.device)
        QK = torch.where(mask, QK, minus_infinity)
    A = QK.softmax(-1)
    return torch.matmul(A, V), A


# %% scaled_dot_product_attention: divided by the root of the number of keys, not of d_k
# expect: scaled_by_keys
def scaled_dot_product_attention(query, key, value, mask=None):
    axes = list(range(key.dim()))
    axes[-1], axes[-2] = axes[-2], axes[-1]
    key_t = key.permute(*axes)
    scale = key.shape[-2] ** 0.5
    scores = torch.matmul(query, key_t).div(scale)
    if mask is not None:
        scores = scores.masked_fill(mask.logical_not(), -math.inf)
    weights = torch.softmax(scores, dim=scores.dim() - 1)
    result = torch.matmul(weights, value)
    return result, weights


# %% scaled_dot_product_attention: divided by the root of d_v, the width of the values
# expect: scaled_by_value_width
def scaled_dot_product_attention(query, key, value, mask=None):
    d = value.size(value.dim() - 1)
    logits = torch.einsum("...id,...jd->...ij", query, key) * d**-0.5
    if mask is not None:
        logits = logits.masked_fill(mask == False, float("-inf"))
    p = logits.softmax(dim=-1)
    return p @ value, p


# %% scaled_dot_product_attention: scaled twice, query and scores, which makes a division by d_k
# expect: scaled_by_width
def scaled_dot_product_attention(query, key, value, mask=None):
    root = query.size(-1) ** 0.5
    q = query / root
    raw = q @ key.swapaxes(-1, -2)
    raw = raw / root
    if mask is not None:
        raw = raw.masked_fill(~mask, torch.finfo(raw.dtype).min)
    w = torch.softmax(raw, -1)
    return w.matmul(value), w


# %% scaled_dot_product_attention: multiplied by the root of d_k in place of divided
# expect: multiplied_by_root
class _Attend:
    def __init__(self, d_k):
        self.factor = math.sqrt(d_k)

    def compare(self, q, k):
        return (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1) * self.factor

    def hide(self, scores, mask):
        return scores if mask is None else scores.masked_fill(~mask, float("-inf"))


def scaled_dot_product_attention(query, key, value, mask=None):
    attend = _Attend(query.shape[-1])
    scores = attend.hide(attend.compare(query, key), mask)
    weights = scores.softmax(dim=-1)
    return weights @ value, weights


# %% scaled_dot_product_attention: divided by the whole part of the root of d_k
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    divisor = int(np.sqrt(query.shape[-1]))
    scores = query.matmul(key.transpose(-1, -2)) / divisor
    if mask is not None:
        scores[~mask.expand_as(scores)] = -np.inf
    weights = F.softmax(scores, dim=-1)
    return weights.matmul(value), weights


# %% scaled_dot_product_attention: softmax over the queries and not over the keys
# expect: over_queries
def scaled_dot_product_attention(query, key, value, mask=None):
    # key rows first: (..., key, query)
    table = key @ query.transpose(-2, -1)
    table = table / math.sqrt(query.shape[-1])
    if mask is not None:
        table = table.transpose(-2, -1).masked_fill(~mask, -1e30).transpose(-2, -1)
    table = table.softmax(dim=-1)
    weights = table.transpose(-2, -1)
    return weights @ value, weights


# %% scaled_dot_product_attention: the mask is taken the wrong way round, True hides
# expect: mask_inverted
def scaled_dot_product_attention(query, key, value, mask=None):
    d = float(query.shape[-1])
    scores = torch.einsum("...ld,...sd->...ls", query / d**0.5, key)
    if mask is not None:
        scores = scores.masked_fill(mask, float("-inf"))
    scores = torch.softmax(scores, dim=-1)
    return torch.einsum("...ls,...sd->...ld", scores, value), scores


# %% scaled_dot_product_attention: hidden scores become 0 before the softmax and still count
# expect: hidden_score_zero
def scaled_dot_product_attention(query, key, value, mask=None):
    dot = torch.matmul(query, torch.transpose(key, -1, -2))
    dot = dot * (1.0 / math.sqrt(key.shape[-1]))
    if mask is not None:
        dot = dot * mask.to(dot.dtype)
    soft = torch.nn.functional.softmax(dot, dim=-1)
    answer = torch.matmul(soft, value)
    return answer, soft


# %% scaled_dot_product_attention: weights are masked after the softmax and not brought back to 1
# expect: erased_after_softmax
def scaled_dot_product_attention(query, key, value, mask=None):
    q, k, v = query, key, value
    s = q @ k.transpose(-2, -1)
    s = s / np.sqrt(q.shape[-1]).item()
    s = s - s.max(dim=-1, keepdim=True).values
    e = s.exp()
    w = e / e.sum(dim=-1, keepdim=True)
    if mask is not None:
        w = torch.where(mask, w, torch.zeros_like(w))
    return w @ v, w


# %% scaled_dot_product_attention: hidden scores become only -10, so hidden keys leak through
# expect: hidden_by_minus_10
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = torch.einsum("...qd,...kd->...qk", query, key) / query.size(-1) ** 0.5
    if mask is not None:
        small = torch.full_like(scores, -10.0)
        scores = torch.where(mask, scores, small)
    weights = scores.softmax(-1)
    return torch.einsum("...qk,...kd->...qd", weights, value), weights


# %% scaled_dot_product_attention: -10000 is added to hidden scores, which a large score outweighs
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = (query / math.sqrt(query.shape[-1])) @ key.mT
    if mask is not None:
        # 0 where allowed, -10000 where not
        penalty = (1.0 - mask.to(scores.dtype)) * -10000.0
        scores = scores + penalty
    attn = torch.softmax(scores, dim=-1)
    return attn @ value, attn


# %% scaled_dot_product_attention: hidden scores become -10000, too high where all others lie lower
# expect: hidden_by_minus_10000
def scaled_dot_product_attention(query, key, value, mask=None):
    d_k = query.size(-1)
    energy = torch.matmul(query, key.transpose(-2, -1))
    energy = energy / math.sqrt(d_k)
    if mask is not None:
        energy = energy.masked_fill(~mask, -1e4)
    alpha = F.softmax(energy, dim=-1)
    context = torch.matmul(alpha, value)
    return context, alpha


# %% scaled_dot_product_attention: the largest score is taken before hiding, a hidden one gives nan
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    logits = torch.einsum("...qd,...kd->...qk", query, key) / math.sqrt(query.shape[-1])
    logits = logits - logits.amax(-1, keepdim=True)
    numerator = torch.exp(logits)
    if mask is not None:
        numerator = numerator * mask
    weights = numerator / numerator.sum(-1, keepdim=True)
    return weights @ value, weights


# %% scaled_dot_product_attention: own softmax without subtracting the largest score overflows
# expect: not_stable
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = query @ key.transpose(-2, -1)
    scores = scores / query.shape[-1] ** 0.5
    e = scores.exp()
    if mask is not None:
        e = e.masked_fill(~mask, 0)
    weights = e / e.sum(dim=-1, keepdim=True)
    return weights @ value, weights


# %% scaled_dot_product_attention: the keys are mixed in place of the values
# expect: keys_in_place_of_values
def scaled_dot_product_attention(query, key, value, mask=None):
    n_features = key.shape[-1]
    match = torch.matmul(query, key.transpose(-2, -1)) / np.sqrt(n_features)
    if mask is not None:
        match = match.masked_fill(torch.logical_not(mask), float("-inf"))
    prob = torch.softmax(match, dim=-1)
    mixed = torch.matmul(prob, key)
    return mixed, prob


# %% scaled_dot_product_attention: weights come first and the output second
# expect: swapped_results
def scaled_dot_product_attention(query, key, value, mask=None):
    scaled = torch.einsum("...qd,...kd->...qk", query, key).mul(query.shape[-1] ** -0.5)
    if mask is not None:
        scaled = scaled.where(mask, torch.finfo(scaled.dtype).min)
    scaled = scaled.softmax(-1)
    return scaled, torch.einsum("...qk,...kd->...qd", scaled, value)


# %% scaled_dot_product_attention: only the output is returned
# expect: only_output
def scaled_dot_product_attention(query, key, value, mask=None):
    qk = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(key.shape[-1])
    if mask is not None:
        qk = qk.masked_fill(~mask, -torch.inf)
    return torch.matmul(F.softmax(qk, dim=-1), value)


# %% scaled_dot_product_attention: weights are right, but the output is the plain mean of the values
# expect: mean_of_values
def scaled_dot_product_attention(query, key, value, mask=None):
    logits = (query[..., :, None, :] * key[..., None, :, :]).sum(dim=-1)
    logits = logits / query.shape[-1] ** 0.5
    if mask is not None:
        logits = logits.masked_fill(~mask, float("-inf"))
    weights = logits.softmax(dim=-1)
    average = value.mean(dim=-2, keepdim=True)
    output = average.expand(*value.shape[:-2], query.shape[-2], value.shape[-1])
    return output, weights


# %% scaled_dot_product_attention: weights are detached, so query and key get no gradient
# expect: weights_cut_off
def scaled_dot_product_attention(query, key, value, mask=None):
    with torch.no_grad():
        scores = torch.matmul(query, key.swapdims(-2, -1))
        scores /= math.sqrt(query.shape[-1])
        if mask is not None:
            scores.masked_fill_(~mask, float("-inf"))
        weights = torch.softmax(scores, dim=-1)
    return torch.matmul(weights, value), weights


# %% scaled_dot_product_attention: the key is read through .data, so it gets no gradient
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    k_hat = key.data / math.sqrt(key.shape[-1])
    scores = torch.einsum("...qd,...kd->...qk", query, k_hat)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = F.softmax(scores, dim=-1)
    return torch.einsum("...qk,...kd->...qd", weights, value), weights


# %% scaled_dot_product_attention: the query is divided in place, so the caller's tensor changes
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    with torch.no_grad():
        query /= math.sqrt(query.shape[-1])
    scores = query @ key.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(dim=-1)
    return weights @ value, weights


# %% scaled_dot_product_attention: the caller's mask is turned round in place
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    a = torch.einsum("...nd,...md->...nm", query, key) / math.sqrt(query.size(-1))
    if mask is not None:
        hidden = mask.logical_not_()
        a = a.masked_fill(hidden, float("-inf"))
    a = torch.softmax(a, dim=-1)
    return torch.einsum("...nm,...md->...nd", a, value), a


# %% scaled_dot_product_attention: works in float32 inside and gives float32 back for every dtype
# expect: always_float32
def scaled_dot_product_attention(query, key, value, mask=None):
    q, k, v = (t.float() for t in (query, key, value))
    scores = (q @ k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
    if mask is not None:
        bias = torch.zeros(mask.shape, device=mask.device)
        bias = bias.masked_fill(~mask, float("-inf"))
        scores = scores + bias
    weights = torch.softmax(scores, -1)
    return weights @ v, weights


# %% scaled_dot_product_attention: ready-made: the output comes from torch's fused attention
# expect: ready_made
def scaled_dot_product_attention(query, key, value, mask=None):
    output = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return output, scores.softmax(-1)


# %% scaled_dot_product_attention: a loop over the batch keeps only the last one
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    lead = query.shape[:-2]
    q = query.reshape(-1, *query.shape[-2:])
    k = key.reshape(-1, *key.shape[-2:])
    v = value.reshape(-1, *value.shape[-2:])
    if mask is not None:
        mask = mask.expand(*lead, q.shape[1], k.shape[1]).reshape(-1, q.shape[1], k.shape[1])
    for b in range(len(q)):
        score = q[b] @ k[b].T / math.sqrt(q.shape[-1])
        if mask is not None:
            score = score.masked_fill(~mask[b], float("-inf"))
        weight = torch.softmax(score, dim=1)
        out = weight @ v[b]
    output = out.expand(*lead, *out.shape)
    return output, weight.expand(*lead, *weight.shape)


# %% scaled_dot_product_attention: without a mask it lets every query look only back
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    n_q, n_k = query.shape[-2], key.shape[-2]
    if mask is None:
        mask = torch.ones(n_q, n_k, dtype=torch.bool, device=query.device).tril()
    scores = torch.matmul(query, key.transpose(-2, -1))
    scores = scores / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(~mask, float("-inf"))
    probs = scores.softmax(dim=-1)
    return probs.matmul(value), probs


# %% scaled_dot_product_attention: the key is turned by reversing all its dimensions
# expect: all_dimensions_reversed
def scaled_dot_product_attention(query, key, value, mask=None):
    turned = key.permute(*reversed(range(key.dim())))
    scores = torch.matmul(query, turned) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = torch.softmax(scores, dim=-1)
    output = torch.matmul(weights, value)
    return output, weights


# %% scaled_dot_product_attention: dimensions 1 and 2 of the key are swapped, right only for 3-D
# expect: dimensions_counted_from_left
def scaled_dot_product_attention(query, key, value, mask=None):
    e = query @ key.transpose(1, 2)
    e = e / key.size(-1) ** 0.5
    if mask is not None:
        e = e.masked_fill(~mask, float("-inf"))
    a = F.softmax(e, dim=-1)
    return a @ value, a


# %% scaled_dot_product_attention: dropout of a tenth acts on the weights at every call
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = torch.einsum("...qd,...kd->...qk", query, key) / math.sqrt(query.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    dropped = F.dropout(weights, p=0.1)
    return dropped @ value, weights


# %% scaled_dot_product_attention: queries and keys are normalised, so that it compares angles
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    q = F.normalize(query, dim=-1)
    k = F.normalize(key, dim=-1)
    cosine = q @ k.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        cosine = cosine.masked_fill(~mask, float("-inf"))
    weights = cosine.softmax(dim=-1)
    return weights @ value, weights


# %% scaled_dot_product_attention: a single query loses its dimension in the output
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = torch.einsum("...qd,...kd->...qk", query, key) / math.sqrt(key.shape[-1])
    if mask is not None:
        scores = torch.where(mask, scores, -math.inf)
    weights = scores.softmax(-1)
    output = torch.einsum("...qk,...kv->...qv", weights, value)
    return output.squeeze(-2), weights


# %% scaled_dot_product_attention: the mask is repeated for the heads in the wrong order
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    lead = query.shape[:-2]
    n, m = query.shape[-2], key.shape[-2]
    q = query.reshape(-1, n, query.shape[-1])
    k = key.reshape(-1, m, key.shape[-1])
    v = value.reshape(-1, m, value.shape[-1])
    scores = torch.bmm(q, k.transpose(1, 2)) / math.sqrt(q.shape[-1])
    if mask is not None:
        allowed = mask.expand(*mask.shape[:-2], n, m).reshape(-1, n, m)
        # one mask for each sequence, but q has a row for each head of each sequence
        allowed = allowed.repeat(len(q) // len(allowed), 1, 1)
        scores = scores.masked_fill(~allowed, float("-inf"))
    weights = torch.softmax(scores, dim=2)
    output = torch.bmm(weights, v)
    return output.reshape(*lead, n, -1), weights.reshape(*lead, n, m)


# %% scaled_dot_product_attention: no division by the root of d_k, and softmax over the queries
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = torch.matmul(query, key.mT)
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e30)
    weights = scores.softmax(dim=-2)
    return torch.matmul(weights, value), weights


# %% scaled_dot_product_attention: True hides, and the scores are divided by d_k and not its root
# expect: mask_inverted + scaled_by_width
def scaled_dot_product_attention(query, key, value, mask=None):
    width = query.shape[-1]
    grid = torch.einsum("...ad,...bd->...ab", query, key).div(width)
    if mask is not None:
        grid = grid.masked_fill(mask, torch.finfo(grid.dtype).min)
    grid = F.softmax(grid, dim=-1)
    return torch.einsum("...ab,...bc->...ac", grid, value), grid


# %% scaled_dot_product_attention: hidden scores become 0, and weights and output are swapped
# expect: hidden_score_zero + swapped_results
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, 0.0)
    weights = torch.softmax(scores, dim=-1)
    output = weights @ value
    return weights, output


# %% scaled_dot_product_attention: a query takes only the value of its best key
# expect: strongest_value_only
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    winner = weights.argmax(dim=-1)
    pick = F.one_hot(winner, key.shape[-2]).to(value.dtype)
    return pick @ value, weights


# %% scaled_dot_product_attention: the mask is applied only if it has four dimensions
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = query @ key.transpose(-2, -1)
    scores = scores * query.shape[-1] ** -0.5
    if mask is not None and mask.dim() == 4:
        scores = scores.masked_fill(~mask, float("-inf"))
    scores = scores - scores.amax(dim=-1, keepdim=True)
    weights = scores.exp() / scores.exp().sum(dim=-1, keepdim=True)
    return weights @ value, weights


# %% scaled_dot_product_attention: scores are rounded to three digits, which also stops the gradient
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(query.size(-1))
    scores = torch.round(scores, decimals=3)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    return torch.matmul(weights, value), weights


# %% scaled_dot_product_attention: weights under a hundredth are cut off to 0
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = torch.einsum("...qd,...kd->...qk", query, key) / math.sqrt(query.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1)
    weights = torch.where(weights < 0.01, torch.zeros_like(weights), weights)
    return torch.einsum("...qk,...kv->...qv", weights, value), weights


# %% causal_mask: True above the diagonal, so it shows the future and hides the past
# expect: inverted
def causal_mask(length):
    ones = torch.ones(length, length)
    return torch.triu(ones, diagonal=1) == 1


# %% causal_mask: a position does not see itself
# expect: not_itself
def causal_mask(length):
    mask = torch.zeros((length, length), dtype=torch.bool)
    for row in range(length):
        for column in range(row):
            mask[row, column] = True
    return mask


# %% causal_mask: every position sees one token of the future
# expect: sees_next
def causal_mask(length):
    return torch.tril(torch.ones(length, length, dtype=torch.bool), 1)


# %% causal_mask: ones and zeros of float32 in place of True and False
# expect: floats
def causal_mask(length):
    m = np.tril(np.ones((length, length), dtype=np.float32))
    return torch.from_numpy(m)


# %% causal_mask: gives 0 and -inf to be added to the scores, not a boolean mask
# expect: minus_infinity
def causal_mask(length):
    mask = torch.full((length, length), float("-inf"))
    return torch.triu(mask, diagonal=1)


# %% causal_mask: rows and columns are swapped, so the past is hidden and the future seen
# expect: upper_triangle
def causal_mask(length):
    steps = torch.arange(length)
    return steps.unsqueeze(1) <= steps.unsqueeze(0)


# %% causal_mask: a second dimension too many, the shape is (1, length, length)
# expect: extra_dimension
def causal_mask(length):
    attn_shape = (1, length, length)
    upper = torch.triu(torch.ones(attn_shape), diagonal=1).type(torch.uint8)
    return upper == 0


# %% causal_mask: the mask of the first call is kept and comes back for every other length
# expect: nothing
_kept = {}


def causal_mask(length):
    # no need to build it again every time
    if "mask" not in _kept:
        _kept["mask"] = torch.ones(length, length).tril().bool()
    return _kept["mask"]


# %% causal_mask: the positions are kept as int8, so it is wrong from the 129th position on
# expect: nothing
def causal_mask(length):
    place = torch.arange(length).to(torch.int8)
    return place[None, :] <= place[:, None]


# %% causal_mask: the first column is always hidden
# expect: nothing
def causal_mask(length):
    # position 0 holds the start token, nobody needs it
    mask = torch.ones(length, length, dtype=torch.bool).tril()
    mask[1:, 0] = False
    return mask


# %% padding_mask: the wrong way round, True where there is padding
# expect: inverted
def padding_mask(tokens, pad=0):
    batch, length = tokens.shape
    return torch.eq(tokens, pad).view(batch, 1, 1, length)


# %% padding_mask: the shape is (batch, length), without room for heads and queries
# expect: two_dimensions
def padding_mask(tokens, pad=0):
    return ~(tokens == pad)


# %% padding_mask: hides queries and not keys, the shape is (batch, 1, length, 1)
# expect: hides_queries
def padding_mask(tokens, pad=0):
    keep = tokens.ne(pad)
    return keep.unsqueeze(1).unsqueeze(-1)


# %% padding_mask: pad is not looked at, 0 always counts as padding
# expect: pad_ignored
def padding_mask(tokens, pad=0):
    rows = []
    for row in tokens:
        rows.append([bool(token != 0) for token in row])
    return torch.tensor(rows, device=tokens.device)[:, None, None, :]


# %% padding_mask: only tokens larger than pad count as real
# expect: greater_than_pad
def padding_mask(tokens, pad=0):
    return (tokens > pad).unsqueeze(-2).unsqueeze(-2)


# %% padding_mask: shows as many tokens from the left as are real, wrong if padding is elsewhere
# expect: nothing
def padding_mask(tokens, pad=0):
    lengths = (tokens != pad).sum(dim=1)
    places = torch.arange(tokens.shape[1], device=tokens.device)
    mask = places[None, :] < lengths[:, None]
    return mask[:, None, None, :]


# %% padding_mask: a batch of one loses its dimension
# expect: nothing
def padding_mask(tokens, pad=0):
    real = tokens.squeeze(0) != pad
    return real[..., None, None, :]


# %% padding_mask: everything after the first padding is hidden, real tokens too
# expect: nothing
def padding_mask(tokens, pad=0):
    is_pad = (tokens == pad).long()
    seen = torch.cumsum(is_pad, dim=1)
    return (seen == 0)[:, None, None, :]


# %% padding_mask: hides the padded queries too, so the shape is (batch, 1, length, length)
# expect: queries_and_keys
def padding_mask(tokens, pad=0):
    real = tokens != pad
    return (real[:, :, None] & real[:, None, :]).unsqueeze(1)


# %% padding_mask: the wrong way round, and as float32
# expect: inverted
def padding_mask(tokens, pad=0):
    mask = (tokens == pad).float()
    return mask[:, None, None, :]


# %% self_attention: the values are x itself, w_value is not used
# expect: values_not_projected
def self_attention(x, w_query, w_key, w_value, mask=None):
    q = torch.matmul(x, w_query)
    k = torch.matmul(x, w_key)
    return scaled_dot_product_attention(q, k, x, mask)


# %% self_attention: scaled by the root of d_model and not of d_k
# expect: scaled_by_model_width
def self_attention(x, w_query, w_key, w_value, mask=None):
    q = torch.einsum("...ld,dk->...lk", x, w_query)
    k = torch.einsum("...ld,dk->...lk", x, w_key)
    v = torch.einsum("...ld,dv->...lv", x, w_value)
    d_model = x.shape[-1]
    scores = torch.einsum("...ik,...jk->...ij", q, k) / math.sqrt(d_model)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1)
    return torch.einsum("...ij,...jv->...iv", weights, v), weights


# %% self_attention: the mask is not passed on
# expect: mask_ignored
def self_attention(x, w_query, w_key, w_value, mask=None):
    projections = [x @ w for w in (w_query, w_key, w_value)]
    output, weights = scaled_dot_product_attention(*projections)
    return output, weights


# %% self_attention: query and key are swapped, so the scores are transposed
# expect: query_and_key_swapped
def self_attention(x, w_query, w_key, w_value, mask=None):
    queries = x.matmul(w_query)
    keys = x.matmul(w_key)
    values = x.matmul(w_value)
    return scaled_dot_product_attention(keys, queries, values, mask)


# %% self_attention: only the output is returned, without the weights
# expect: only_output
def self_attention(x, w_query, w_key, w_value, mask=None):
    attended = scaled_dot_product_attention(x @ w_query, x @ w_key, x @ w_value, mask)
    return attended[0]


# %% self_attention: the projections are turned round, which needs square matrices
# expect: weights_transposed
def self_attention(x, w_query, w_key, w_value, mask=None):
    q = F.linear(x, w_query)
    k = F.linear(x, w_key)
    v = F.linear(x, w_value)
    return scaled_dot_product_attention(q, k, v, mask)


# %% self_attention: the key is made with w_query, w_key is not used
# expect: key_from_query_weights
def self_attention(x, w_query, w_key, w_value, mask=None):
    q = x @ w_query
    k = x @ w_query
    v = x @ w_value
    return scaled_dot_product_attention(q, k, v, mask=mask)


# %% self_attention: ready-made: torch's fused attention gives the output
# expect: ready_made
def self_attention(x, w_query, w_key, w_value, mask=None):
    q, k, v = x @ w_query, x @ w_key, x @ w_value
    output = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = q @ k.transpose(-2, -1) / k.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return output, torch.softmax(scores, dim=-1)


# %% self_attention: the values are cut to the width of the keys
# expect: nothing
def self_attention(x, w_query, w_key, w_value, mask=None):
    d_k = w_key.shape[1]
    big = torch.cat([w_query, w_key, w_value], dim=1)
    qkv = x @ big
    q = qkv[..., :d_k]
    k = qkv[..., d_k : 2 * d_k]
    v = qkv[..., 2 * d_k : 3 * d_k]
    return scaled_dot_product_attention(q, k, v, mask)


# %% self_attention: the weight matrices are detached, so they get no gradient
# expect: nothing
def self_attention(x, w_query, w_key, w_value, mask=None):
    matrices = {"q": w_query, "k": w_key, "v": w_value}
    parts = {name: x @ matrix.detach() for name, matrix in matrices.items()}
    return scaled_dot_product_attention(parts["q"], parts["k"], parts["v"], mask)


# %% self_attention: the matrices of query and value are swapped, and the mask is not passed on
# expect: nothing
def self_attention(x, w_query, w_key, w_value, mask=None):
    q = x @ w_value
    k = x @ w_key
    v = x @ w_query
    return scaled_dot_product_attention(q, k, v)


# %% softmax: exponentiates the raw scores without taking the maximum away, so big scores overflow to inf/inf = nan
# expect: not_stable
def softmax(x, dim=-1):
    e = torch.exp(x)
    return e / e.sum(dim=dim, keepdim=True)


# %% softmax: subtracts one maximum of the whole tensor, so a slice far below it underflows to 0/0 = nan
# expect: shifted_by_everything
def softmax(x, dim=-1):
    x = x - x.max()
    e = torch.exp(x)
    return e / e.sum(dim, keepdim=True)


# %% softmax: subtracts the maximum in place, which changes the caller's tensor (and crashes on a leaf that needs gradients)
# expect: changes_scores
def softmax(x, dim=-1):
    x -= x.max(dim=dim, keepdim=True).values.detach()
    exps = x.exp()
    return exps / exps.sum(dim=dim, keepdim=True)


# %% softmax: clamps the scores to -50..50 for stability, so large scores get equalised and -inf does not give exactly 0
# expect: nothing
def softmax(x, dim=-1):
    safe = torch.clamp(x, -50.0, 50.0)
    e = safe.exp()
    return e / e.sum(dim=dim, keepdim=True)


# %% softmax: the shift is the maximum along the last dimension while the sum is along dim, so any other dim gives wrong weights
# expect: nothing
def softmax(x, dim=-1):
    shift = x.max(-1, keepdim=True)[0]
    z = torch.exp(x - shift)
    z_sum = z.sum(dim=dim).unsqueeze(dim)
    return z / z_sum


# %% scaled_dot_product_attention: softmax over the queries (dim=-2) instead of over the keys
# expect: over_queries
def scaled_dot_product_attention(query, key, value, mask=None):
    check_attention(query, key, value, mask)
    d = query.shape[-1]
    logits = query @ key.mT / math.sqrt(d)
    if mask is not None:
        logits = torch.where(mask, logits, torch.finfo(logits.dtype).min)
    weights = torch.softmax(logits, dim=-2)
    if mask is not None:
        weights = torch.where(mask, weights, 0.0)
    return weights @ value, weights


# %% scaled_dot_product_attention: masks only after the softmax and does not renormalise, so visible weights do not add up to 1
# expect: erased_after_softmax
def scaled_dot_product_attention(query, key, value, mask=None):
    check_attention(query, key, value, mask)
    scores = query.matmul(key.transpose(-2, -1)).div(math.sqrt(key.shape[-1]))
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
    return weights.matmul(value), weights


# %% scaled_dot_product_attention: takes d_k from the value's features, so the scale is wrong when d_v differs from d_k
# expect: scaled_by_value_width
def scaled_dot_product_attention(query, key, value, mask=None):
    check_attention(query, key, value, mask)
    d_k = value.shape[-1]
    s = query @ key.transpose(-1, -2)
    s = s / d_k**0.5
    if mask is None:
        w = s.softmax(-1)
    else:
        w = s.masked_fill(~mask, torch.finfo(s.dtype).min).softmax(-1)
        w = w.masked_fill(~mask, 0.0)
    return w @ value, w


# %% scaled_dot_product_attention: adds the boolean mask as 0/1 numbers to the scores, so hidden keys are only slightly less liked
# expect: mask_added
def scaled_dot_product_attention(query, key, value, mask=None):
    check_attention(query, key, value, mask)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores + mask.to(scores.dtype)
    weights = torch.softmax(scores, -1)
    return weights @ value, weights


# %% scaled_dot_product_attention: inverts the mask in place, so the caller's mask is flipped after the call
# expect: nothing
def scaled_dot_product_attention(query, key, value, mask=None):
    check_attention(query, key, value, mask)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is None:
        weights = F.softmax(scores, dim=-1)
        return weights @ value, weights
    hidden = mask.logical_not_()
    scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
    weights = F.softmax(scores, dim=-1).masked_fill(hidden, 0.0)
    return weights @ value, weights


# %% scaled_dot_product_attention: two mistakes: divides by d_k instead of its root, and returns (weights, output) in the wrong order
# expect: scaled_by_width + swapped_results
def scaled_dot_product_attention(query, key, value, mask=None):
    check_attention(query, key, value, mask)
    dk = key.shape[-1]
    scores = torch.matmul(query, key.transpose(-2, -1)) / dk
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    w = scores.softmax(-1)
    if mask is not None:
        w = w * mask
    return w, torch.matmul(w, value)


# %% causal_mask: uses triu, so every position sees itself and the future instead of the past
# expect: upper_triangle
def causal_mask(length, device=None):
    return torch.triu(torch.ones(length, length, device=device)).bool()


# %% causal_mask: diagonal off by one, a position may not see itself
# expect: not_itself
def causal_mask(length, device=None):
    m = torch.zeros(length, length, dtype=torch.bool, device=device)
    for i in range(length):
        for j in range(i):
            m[i, j] = True
    return m


# %% padding_mask: ignores the pad argument and always compares with 0
# expect: pad_ignored
def padding_mask(tokens, pad=0):
    mask = tokens != 0
    return mask.unsqueeze(1).unsqueeze(1)


# %% padding_mask: tests tokens > pad, so with a pad number other than the smallest real tokens below it get hidden
# expect: greater_than_pad
def padding_mask(tokens, pad=0):
    batch, length = tokens.shape
    return (tokens > pad).view(batch, 1, 1, length)


# %% padding_mask: counts the real tokens and assumes that they come first, so padding on the left or in between is misplaced
# expect: nothing
def padding_mask(tokens, pad=0):
    lengths = (tokens != pad).sum(dim=1)
    pos = torch.arange(tokens.shape[1], device=tokens.device)
    mask = pos[None, :] < lengths[:, None]
    return mask[:, None, None, :]


# %% padding_mask: two mistakes: only one extra dimension, (batch, 1, length), and a float result instead of a boolean one
# expect: three_dimensions
def padding_mask(tokens, pad=0):
    return (tokens != pad).float().unsqueeze(1)


# %% self_attention: multiplies with the transposed weight matrices (as nn.Linear stores them)
# expect: weights_transposed
def self_attention(x, w_query, w_key, w_value, mask=None):
    q = F.linear(x, w_query)
    k = F.linear(x, w_key)
    v = F.linear(x, w_value)
    return scaled_dot_product_attention(q, k, v, mask)


# %% self_attention: the mask is not passed on, again
# expect: mask_ignored
def self_attention(x, w_query, w_key, w_value, mask=None):
    q, k, v = x @ w_query, x @ w_key, x @ w_value
    out, attn = scaled_dot_product_attention(q, k, v)
    return out, attn


# %% self_attention: writes attention out again and scales by sqrt(d_model) instead of sqrt(d_k)
# expect: scaled_by_model_width
def self_attention(x, w_query, w_key, w_value, mask=None):
    d_model = x.shape[-1]
    q = torch.matmul(x, w_query)
    k = torch.matmul(x, w_key)
    v = torch.matmul(x, w_value)
    att = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(d_model)
    if mask is not None:
        att = att.masked_fill(~mask, torch.finfo(att.dtype).min)
    att = torch.softmax(att, dim=-1)
    if mask is not None:
        att = att.masked_fill(~mask, 0.0)
    return torch.matmul(att, v), att


# %% self_attention: query and key exchanged, so the scores are transposed
# expect: query_and_key_swapped
def self_attention(x, w_query, w_key, w_value, mask=None):
    keys = torch.einsum("...ld,dk->...lk", x, w_key)
    queries = torch.einsum("...ld,dk->...lk", x, w_query)
    values = torch.einsum("...ld,dv->...lv", x, w_value)
    return scaled_dot_product_attention(keys, queries, values, mask)
