"""Copy the weights of a library's encoder–decoder into ours: the bridge to Hugging Face.

Of the models in `transformers`, Marian's is nearest to the paper: norms behind the sums, sinusoids
for positions, one matrix for all words. Three things differ:

- names: `q_proj` is our `w_query`, `fc1` our `linear1`, `encoder_attn` our `cross_attention`;
- its table of positions has all sines on the left and all cosines on the right;
- published checkpoints bend with swish in place of max(0, x).

Nothing here needs the library; course/bridge.py makes its models.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .from_torch import copy_parameters
from .transformer import Transformer


class SwishFeedForward(nn.Module):
    """A feed-forward that bends with x · sigmoid(x), made from the two Linears of another."""

    def __init__(self, feed_forward):
        super().__init__()
        self.linear1, self.linear2 = feed_forward.linear1, feed_forward.linear2

    def forward(self, x):
        """(..., d_model) → the same shape."""
        return self.linear2(F.silu(self.linear1(x)))  # (..., d_model)


def copy_attention(theirs, ours):
    """MarianAttention → MultiHeadAttention."""
    copy_parameters(theirs.q_proj, ours.w_query)
    copy_parameters(theirs.k_proj, ours.w_key)
    copy_parameters(theirs.v_proj, ours.w_value)
    copy_parameters(theirs.out_proj, ours.w_output)


def copy_encoder_block(theirs, ours):
    """MarianEncoderLayer → EncoderBlock."""
    copy_attention(theirs.self_attn, ours.self_attention)
    copy_parameters(theirs.self_attn_layer_norm, ours.norm1)
    copy_parameters(theirs.fc1, ours.feed_forward.linear1)
    copy_parameters(theirs.fc2, ours.feed_forward.linear2)
    copy_parameters(theirs.final_layer_norm, ours.norm2)


def copy_decoder_block(theirs, ours):
    """MarianDecoderLayer → DecoderBlock, whose feed-forward has the third norm."""
    copy_attention(theirs.self_attn, ours.self_attention)
    copy_parameters(theirs.self_attn_layer_norm, ours.norm1)
    copy_attention(theirs.encoder_attn, ours.cross_attention)
    copy_parameters(theirs.encoder_attn_layer_norm, ours.norm2)
    copy_parameters(theirs.fc1, ours.feed_forward.linear1)
    copy_parameters(theirs.fc2, ours.feed_forward.linear2)
    copy_parameters(theirs.final_layer_norm, ours.norm3)


def copy_marian(theirs, ours):
    """MarianMTModel → Transformer of the same sizes."""
    their_stacks = theirs.model.encoder, theirs.model.decoder
    for their_layer, our_layer in zip(their_stacks[0].layers, ours.encoder.layers, strict=True):
        copy_encoder_block(their_layer, our_layer)
    for their_layer, our_layer in zip(their_stacks[1].layers, ours.decoder.layers, strict=True):
        copy_decoder_block(their_layer, our_layer)
    with torch.no_grad():
        ours.source_embedding.table.weight.copy_(their_stacks[0].embed_tokens.weight)
        ours.target_embedding.table.weight.copy_(their_stacks[1].embed_tokens.weight)
        [table] = ours.position.buffers()  # (max_length, d_model)
        table.copy_(their_stacks[1].embed_positions.weight)
        ours.output.weight.copy_(theirs.lm_head.weight)
        ours.output.bias.copy_(theirs.final_logits_bias[0])
    if theirs.config.activation_function in ("swish", "silu"):
        for block in (*ours.encoder.layers, *ours.decoder.layers):
            block.feed_forward = SwishFeedForward(block.feed_forward)


def from_marian(theirs, pad=None, transformer=Transformer):
    """A Transformer with the weights of a MarianMTModel, in evaluation mode.

    Args:
        theirs: MarianMTModel
        pad: the number of padding; that of the model if None. Published models begin to write with
            their padding, which our masks would hide: say -1, and give them one sentence at a time.
        transformer: the class to be built, such as your own.
    """
    config = theirs.config
    alike = {
        "encoder_layers": config.decoder_layers,
        "encoder_attention_heads": config.decoder_attention_heads,
        "encoder_ffn_dim": config.decoder_ffn_dim,
        "scale_embedding": True,
    }
    for name, wanted in alike.items():
        if getattr(config, name) != wanted:
            raise ValueError(
                f"{name}={getattr(config, name)!r} has no place in our Transformer, which would "
                f"need {wanted!r}"
            )
    if config.activation_function not in ("relu", "swish", "silu"):
        raise ValueError(f"activation_function={config.activation_function!r} is not known here")
    ours = transformer(
        config.vocab_size,
        config.decoder_vocab_size,
        d_model=config.d_model,
        num_heads=config.encoder_attention_heads,
        d_ff=config.encoder_ffn_dim,
        num_layers=config.encoder_layers,
        dropout=0.0,
        max_length=config.max_position_embeddings,
        pad=config.pad_token_id if pad is None else pad,
    )
    ours.to(theirs.lm_head.weight.dtype)
    copy_marian(theirs, ours)
    return ours.eval()
