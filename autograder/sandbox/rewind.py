"""Undo what a cell that is nobody's has left behind: names, counters, history, random numbers."""

import random
import sys

import numpy as np
import torch

LAST = ("last_exc", "last_type", "last_value", "last_traceback")  # where Python keeps an error
INPUTS = ("_i", "_ii", "_iii", "_i00")
MISSING = object()
generator = torch.default_generator


class Mark:
    """How things stood when this was made.

    Args:
        shell: the Shell that has run the cells so far.
    """

    def __init__(self, shell):
        self.shell, history = shell, shell.history_manager
        self.names, self.hidden = dict(shell.user_ns), dict(shell.user_ns_hidden)
        self.count = shell.execution_count
        self.result = shell.last_execution_succeeded, shell.last_execution_result
        self.inputs = {name: getattr(history, name) for name in INPUTS}
        self.lists = [
            (each, len(each))
            for each in (history.input_hist_parsed, history.input_hist_raw, history.db_input_cache)
        ]
        self.last = {name: getattr(sys, name, MISSING) for name in LAST}
        self.random = random.getstate(), np.random.get_state(), generator.get_state()

    def go_back(self):
        """Make everything as it was, as far as that is possible."""
        shell, history = self.shell, self.shell.history_manager
        for names, before in ((shell.user_ns, self.names), (shell.user_ns_hidden, self.hidden)):
            put_back(names, before)
        for number in [n for n in history.exceptions if n >= self.count]:
            del history.exceptions[number]
        shell.execution_count = self.count
        shell.last_execution_succeeded, shell.last_execution_result = self.result
        for name, value in self.inputs.items():
            setattr(history, name, value)
        for each, length in self.lists:
            del each[length:]
        for name, value in self.last.items():
            set_or_delete(name, value)
        random.setstate(self.random[0])
        np.random.set_state(self.random[1])
        generator.set_state(self.random[2])


def put_back(names, before):
    for name in [name for name in list(names) if name not in before]:
        names.pop(name, None)
    for name, value in before.items():
        if names.get(name, MISSING) is not value:
            names[name] = value


def set_or_delete(name, value):
    if value is not MISSING:
        setattr(sys, name, value)
    elif hasattr(sys, name):
        delattr(sys, name)
