"""What exercises refuse: fragments of the names that torch and other libraries give it.

A name that contains one of them counts.
"""

TRANSFORMER = ("transformer", "multiheadattention", "multi_head_attention")
ATTENTION = (
    "scaled_dot_product",
    "flash_attention",
    "flex_attention",
    "efficient_attention",
    *TRANSFORMER,
)
CROSS_ENTROPY = ("cross_entropy", "crossentropy")
SOFTMAX = ("softmax", "softmin", *ATTENTION, *CROSS_ENTROPY)  # all of these make one on the way
NORMS = (
    *("layer_norm", "group_norm", "rms_norm", "instance_norm", "batch_norm"),
    *("layernorm", "groupnorm", "rmsnorm", "instancenorm", "batchnorm"),
)
