"""Copy the weights of torch's own Transformer into ours: the same numbers under other names.

torch keeps the three input projections of attention in one matrix, `in_proj_weight`, with the rows
of W^Q on top, then W^K, then W^V. All else is a matter of names.
"""

import torch


def copy_parameters(theirs, ours):
    """Copy weight and bias of a Linear or a norm."""
    with torch.no_grad():
        ours.weight.copy_(theirs.weight)
        ours.bias.copy_(theirs.bias)


def copy_attention(theirs, ours):
    """nn.MultiheadAttention → MultiHeadAttention."""
    with torch.no_grad():
        projections = (ours.w_query, ours.w_key, ours.w_value)
        weights, biases = theirs.in_proj_weight.chunk(3), theirs.in_proj_bias.chunk(3)
        for projection, weight, bias in zip(projections, weights, biases):
            projection.weight.copy_(weight)
            projection.bias.copy_(bias)
    copy_parameters(theirs.out_proj, ours.w_output)


def copy_encoder_block(theirs, ours):
    """nn.TransformerEncoderLayer → EncoderBlock."""
    copy_attention(theirs.self_attn, ours.self_attention)
    copy_parameters(theirs.linear1, ours.feed_forward.linear1)
    copy_parameters(theirs.linear2, ours.feed_forward.linear2)
    copy_parameters(theirs.norm1, ours.norm1)
    copy_parameters(theirs.norm2, ours.norm2)


def copy_decoder_block(theirs, ours):
    """nn.TransformerDecoderLayer → DecoderBlock."""
    copy_encoder_block(theirs, ours)
    copy_attention(theirs.multihead_attn, ours.cross_attention)
    copy_parameters(theirs.norm3, ours.norm3)


def copy_stack(theirs, ours, copy_block):
    """nn.TransformerEncoder → Encoder, nn.TransformerDecoder → Decoder."""
    if (theirs.norm is None) != (ours.norm is None):
        raise ValueError(
            "one of the two stacks has a final LayerNorm and the other has none: nn.Transformer "
            "always has one, ours only with norm_first=True, as a post-norm block ends with one"
        )
    for their_layer, our_layer in zip(theirs.layers, ours.layers, strict=True):
        copy_block(their_layer, our_layer)
    if ours.norm is not None:
        copy_parameters(theirs.norm, ours.norm)


def copy_transformer(theirs, ours):
    """nn.Transformer → the encoder and the decoder of Transformer; torch has no embeddings."""
    copy_stack(theirs.encoder, ours.encoder, copy_encoder_block)
    copy_stack(theirs.decoder, ours.decoder, copy_decoder_block)
