"""Where configurations that version 0.1 has written look for what is in nbgrader/plugins.py."""

from .nbgrader.plugins import *  # noqa: F403
