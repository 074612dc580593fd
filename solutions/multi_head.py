"""Lesson 2 · Multi-head attention: several attentions side by side, each with its own view."""

from torch import nn

from .arguments import check_dropout, check_heads
from .attention import scaled_dot_product_attention


def split_heads(x, num_heads):
    """Cut the features of every token into heads, and put the heads beside the batch.

    (section 3.2.2: every head works with d_model / h features)

    Args:
        x: (batch, length, d_model)
        num_heads: must divide d_model.
    Returns:
        (batch, heads, length, d_head) with d_head = d_model / num_heads. Head 0 gets the first
        d_head features of each token, head 1 the next, and so on.
    """
    batch, length, d_model = x.shape
    check_heads(d_model, num_heads)
    ### BEGIN SOLUTION
    d_head = d_model // num_heads
    x = x.reshape(batch, length, num_heads, d_head)  # only the last dimension is cut
    return x.transpose(1, 2)  # (batch, heads, length, d_head)
    ### END SOLUTION


def merge_heads(x):
    """Undo split_heads: put the heads of every token side by side again.

    Concat(head_1, …, head_h)                          (section 3.2.2)

    Args:
        x: (batch, heads, length, d_head)
    Returns:
        (batch, length, d_model) with d_model = heads · d_head.
    """
    batch, heads, length, d_head = x.shape
    ### BEGIN SOLUTION
    x = x.transpose(1, 2)  # (batch, length, heads, d_head)
    return x.reshape(batch, length, heads * d_head)  # (batch, length, d_model)
    ### END SOLUTION


class MultiHeadAttention(nn.Module):
    """Attend with several heads at once, and mix what they found.

    MultiHead(Q, K, V) = Concat(head_1, …, head_h) W^O
    head_i = Attention(Q W^Q_i, K W^K_i, V W^V_i)      (section 3.2.2)

    The h projections W^Q_i stand side by side in one Linear, `w_query`; so do those of keys and
    values.

    Args:
        d_model: features of a token; must be a multiple of num_heads.
        num_heads: h; every head works with d_head = d_model / num_heads features.
        dropout: probability of dropping an attention weight in training.

    Parameters: `w_query`, `w_key`, `w_value`, `w_output`, each nn.Linear(d_model, d_model).
    After a call, `weights` holds its attention weights (batch, heads, query, key), detached, before
    dropout.
    """

    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        check_heads(d_model, num_heads)
        check_dropout(dropout)
        ### BEGIN SOLUTION
        self.num_heads = num_heads
        self.w_query = nn.Linear(d_model, d_model)
        self.w_key = nn.Linear(d_model, d_model)
        self.w_value = nn.Linear(d_model, d_model)
        self.w_output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.weights = None
        ### END SOLUTION

    def forward(self, query, key, value, mask=None):
        """(batch, query, d_model) and twice (batch, key, d_model) → (batch, query, d_model).

        mask: boolean, broadcasts against (batch, heads, query, key).
        """
        ### BEGIN SOLUTION
        query = split_heads(self.w_query(query), self.num_heads)  # (batch, heads, query, d_head)
        key = split_heads(self.w_key(key), self.num_heads)  # (batch, heads, key, d_head)
        value = split_heads(self.w_value(value), self.num_heads)  # (batch, heads, key, d_head)
        _, weights = scaled_dot_product_attention(query, key, value, mask)
        self.weights = weights.detach()  # (batch, heads, query, key)
        output = self.dropout(weights) @ value  # (batch, heads, query, d_head)
        return self.w_output(merge_heads(output))  # (batch, query, d_model)
        ### END SOLUTION
