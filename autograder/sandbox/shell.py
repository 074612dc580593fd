"""Run a learner's cells as a notebook would, and keep what they show, up to a limit."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import re
import sys

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import SList
from traitlets import Type
from traitlets.config import Config

from ..engine.advice import advice
from ..engine.limits import OutOfTime, time_limit

MOST_TEXT = 20_000  # characters of one cell
MOST_PICTURES = 2**20  # bytes of one cell
KINDS = ("text/plain", "image/png", "image/jpeg")  # nothing that a browser would run
CUT = "\n… (there was more)"
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[@-_]")


class Shown:
    """What one cell has shown so far."""

    def __init__(self):
        self.outputs, self.text, self.pictures, self.full = [], 0, 0, False

    def stream(self, name, text):
        text = self.cut(text)
        last = self.outputs[-1] if self.outputs else {}
        if last.get("name") == name and text:
            last["text"] += text
        elif text:
            self.outputs.append({"output_type": "stream", "name": name, "text": text})

    def data(self, kind, bundle, number=None):
        kept = {}
        for mime in KINDS:
            value = bundle.get(mime)
            if isinstance(value, bytes):
                value = base64.b64encode(value).decode()
            if not isinstance(value, str):
                continue
            if mime == "text/plain":
                kept[mime] = self.cut(value)
            elif self.pictures + len(value) <= MOST_PICTURES:
                self.pictures += len(value)
                kept[mime] = value
        if kept:
            output = {"output_type": kind, "data": kept, "metadata": {}}
            self.outputs.append(
                output | ({"execution_count": number} if kind == "execute_result" else {})
            )

    def error(self, name, value, traceback):
        lines = self.cut("\n".join(traceback)).splitlines()
        self.outputs.append(
            {
                "output_type": "error",
                "ename": str(name)[:200],
                "evalue": plain(str(value))[:2000],
                "traceback": lines,
            }
        )

    def cut(self, text):
        left = MOST_TEXT - self.text
        if self.full:
            return ""
        text = plain(text[: left + 1])
        if len(text) > left:
            self.full = True
            text = text[:left] + CUT
        self.text += len(text)
        return text


def plain(text):
    """Text without terminal escapes and other control characters."""
    text = ANSI.sub("", text)
    return "".join(c for c in text if c in "\n\t\r" or c.isprintable())


class Stream(io.TextIOBase):
    """Takes the place of stdout or stderr."""

    encoding, errors = "utf-8", "replace"

    def __init__(self, name, shell):
        self.named, self.shell = name, shell

    def writable(self):
        return True

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.shell.shown.stream(self.named, text)
        return len(text)

    def fileno(self):
        return 1 if self.named == "stdout" else 2


class Publisher(DisplayPublisher):
    shell: Shell

    def publish(self, data, metadata=None, **more):
        self.shell.shown.data("display_data", data)

    def clear_output(self, wait=False):
        self.shell.shown.outputs.clear()


class Hook(DisplayHook):
    shell: Shell

    def write_output_prompt(self):
        pass

    def write_format_data(self, format_dict, md_dict=None):
        self.shell.shown.data("execute_result", format_dict, self.prompt_count)


class Shell(InteractiveShell):
    """IPython without terminal, history, or files of its own."""

    shown, seconds = Shown(), 0.0
    display_pub_class = Type(Publisher)
    displayhook_class = Type(Hook)

    def __init__(self):
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.cache_size = 0
        super().__init__(config=config)

    def enable_gui(self, gui=None):
        pass

    def _showtraceback(self, etype, evalue, stb):
        if etype is OutOfTime:
            etype, evalue = TimeoutError, f"the cell was stopped after {self.seconds:g} seconds"
        kind = getattr(etype, "__name__", str(etype))
        said = advice(kind, str(evalue))
        self.shown.error(kind, evalue, [*stb, said] if said else stb)

    def system(self, cmd):
        """No command is run; what else stands in the cell is not to suffer for that."""
        print("(Not run for grading: a command of the system.)")
        self.user_ns["_exit_code"] = 1

    def system_raw(self, cmd):
        self.system(cmd)

    def system_piped(self, cmd):
        self.system(cmd)

    def getoutput(self, command, split=True, depth=0):
        self.system(command)
        return SList() if split else ""


def run_cell(shell, source, seconds, spill):
    """Run one cell; gives its outputs, whether it raised, and what Python calls its file.

    Args:
        spill: a file that takes what is written to descriptors 1 and 2 from below Python.
    """
    shell.shown, shell.seconds = Shown(), seconds
    shown = shell.shown
    outer = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Stream("stdout", shell), Stream("stderr", shell)
    begun = os.fstat(spill).st_size
    failed = True
    try:
        with time_limit(seconds):
            failed = not shell.run_cell(source, store_history=True).success
    except OutOfTime:
        shown.error("TimeoutError", f"the cell was stopped after {seconds:g} seconds", [])
    except BaseException as error:  # SystemExit and KeyboardInterrupt get past IPython
        shown.error(type(error).__name__, error, [])
    finally:
        sys.stdout, sys.stderr = outer
    with contextlib.suppress(OSError):
        below = os.pread(spill, MOST_TEXT, begun)
        shown.stream("stdout", below.decode(errors="replace"))
    return {"outputs": shown.outputs, "failed": failed, "number": shell.execution_count - 1}
