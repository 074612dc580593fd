"""The reference Transformer of "Attention Is All You Need", one module a lesson.

Each module stands on the ones before it and on torch alone:

    attention            scores, weights, masks                          lesson 1
    multi_head           several attentions side by side                 lesson 2
    positional_encoding  where a token stands                            lesson 3
    encoder_block        attention and feed-forward, normed and added    lesson 4
    transformer          encoder, decoder and everything around them     lesson 5
    training             schedule, loss, decoding                        lesson 6
    variants             what came after 2017                            lesson 7
    models               GPT, BERT and ViT from the same parts           lesson 7

`arguments` holds the sentences that a wrong argument is answered with, `from_torch` the way from
torch's own Transformer to this one. What all of these compute, `fast(model)` computes sooner.

Shapes are written in the order (batch, heads, length, d_head). A mask is boolean and True
means "may be attended to". The lines between the two SOLUTION marks are the ones that
a learner writes.
"""
