"""Count the parameters of every row of the paper's table 3, beside the paper's own count.

The paper states a shared vocabulary of about 37,000, but no single vocabulary gives all of its
counts. Differences between rows of the same d_model do not depend on it, and those do follow.
"""

import torch
from torch import nn

from solutions.multi_head import MultiHeadAttention
from solutions.transformer import Transformer, count_parameters

from .measure import table

PAPERS_VOCABULARY = 37_000
BASE = {"d_model": 512, "num_heads": 8, "d_ff": 2048, "num_layers": 6}

# Row, what differs from base, and the paper's millions; it gives none where base's are meant.
ROWS = [
    ("base", {}, 65),
    ("A: h=1", {"num_heads": 1}, None),
    ("A: h=4", {"num_heads": 4}, None),
    ("A: h=16", {"num_heads": 16}, None),
    ("A: h=32", {"num_heads": 32}, None),
    ("B: d_k=16", {"d_k": 16}, 58),
    ("B: d_k=32", {"d_k": 32}, 60),
    ("C: N=2", {"num_layers": 2}, 36),
    ("C: N=4", {"num_layers": 4}, 50),
    ("C: N=8", {"num_layers": 8}, 80),
    ("C: d_model=256", {"d_model": 256}, 28),
    ("C: d_model=1024", {"d_model": 1024}, 168),
    ("C: d_ff=1024", {"d_ff": 1024}, 53),
    ("C: d_ff=4096", {"d_ff": 4096}, 90),
    ("D: dropout=0.0", {}, None),
    ("D: dropout=0.2", {}, None),
    ("D: smoothing=0.0", {}, None),
    ("D: smoothing=0.2", {}, None),
    ("E: learned positions", {"learned_positions": 5000}, None),
    ("big", {"d_model": 1024, "num_heads": 16, "d_ff": 4096}, 213),
]


def count(vocabulary=PAPERS_VOCABULARY, d_k=None, learned_positions=0, **changes):
    """The parameters of a row; source, target and output share one matrix, as in section 3.4.

    Rows C of d_model 256 and 1024 take d_k of 32 and 128: eight heads, as in our model.
    """
    settings = BASE | changes
    with torch.device("meta"):  # shapes only: nothing is computed and no memory is needed
        model = Transformer(vocabulary, vocabulary, max_length=1, tie_weights=True, **settings)
        model.source_embedding.table.weight = model.target_embedding.table.weight
        model.output.bias = None  # table 3 does not say; without one the counts come nearest
        if d_k is not None:
            narrow(model, settings["num_heads"] * d_k)
    return count_parameters(model) + learned_positions * settings["d_model"]


def narrow(model, features):
    """Give queries and keys fewer features than values: rows B."""
    for module in model.modules():
        if isinstance(module, MultiHeadAttention):
            d_model = module.w_query.in_features
            module.w_query = nn.Linear(d_model, features)
            module.w_key = nn.Linear(d_model, features)


def run():
    """Ours beside the paper's, in millions, and both less those of base."""
    base = count()
    rows = []
    for name, changes, papers in ROWS:
        ours = count(**changes)
        row = [name, f"{ours:,}", f"{ours / 1e6:.2f}", papers or "", f"{(ours - base) / 1e6:+.2f}"]
        rows.append([*row, f"{papers - 65:+d}" if papers else ""])
    header = ["row", "ours", "ours, M", "paper, M", "ours - base, M", "paper - base, M"]
    return table(header, rows)
