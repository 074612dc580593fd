"""Stand-bys with one thing wrong in each, for the break-it labs of a course without its answers.

`wrong("multi_head.split_heads", "reshape_only")` makes a known mistake in the reference where both
are there to be read. Where they are not, it finds here a version that goes wrong in the same way:
with the same numbers, gradients and names of parameters. Each is made from its stand-by.

table                 what there is: WRONG, {(exercise's id, mistake's id): version}
attention … variants  the versions, a module for each lesson, which notes them in the table
"""

from . import (  # noqa: F401  so that they are in the table
    attention,
    encoder_block,
    multi_head,
    positional_encoding,
    training,
    transformer,
    variants,
)
from .table import WRONG

__all__ = ["WRONG"]
