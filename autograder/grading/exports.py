"""Where configurations that version 0.1 has written look for what is in nbgrader/exports.py."""

from .nbgrader.exports import *  # noqa: F403
