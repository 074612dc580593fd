"""The child: takes requests from the judge, one after the other, until there are no more.

From the first cell on everything here belongs to the learner's code, which may change any of it.
So nothing here decides anything: cells are run and shown, trials are answered.
"""

import contextlib
import functools
import linecache
import os
import sys
import time
import types

import torch

from ..engine import pieces
from ..engine.isolation import undisturbed
from ..engine.limits import EACH, OutOfTime, time_limit
from ..engine.trial import EVERYDAY, describe, is_stub, run
from . import wire
from .rewind import Mark
from .shell import run_cell

MOST_MESSAGE = 2000


class Inside:
    """What the judge can ask for.

    Args:
        shell: that runs the cells.
        line: to the judge.
        work: the folder to live in.
        originals: of what asserts rest on, as Originals.
    """

    def __init__(self, shell, line, work, originals):
        self.shell, self.line = shell, line
        self.originals, self.mark = originals, None
        self.spill = os.open(f"{work}/.written", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.unlink(f"{work}/.written")
        os.dup2(self.spill, 1)
        os.dup2(self.spill, 2)

    def serve(self):
        """Answer until the judge hangs up. A reply carries the request's number."""
        while True:
            number, what, arguments = self.line.receive()
            reply = getattr(self, f"do_{what}")(**arguments)
            for each in reply if isinstance(reply, types.GeneratorType) else (reply,):
                self.line.send((number, each))

    def do_files(self, files):
        """Put files into the working folder."""
        for name, content in files:
            if os.path.dirname(name):
                os.makedirs(os.path.dirname(name), exist_ok=True)
            with open(name, "wb") as file:
                file.write(content.numpy().tobytes())
        return True

    def do_environment(self, variables):
        os.environ.update(variables)
        return True

    def do_cell(self, source, seconds):
        return run_cell(self.shell, source, seconds, self.spill)

    def do_look(self):
        """What asserts rest on and is not as it was, by its names. From here one can go back."""
        self.mark, changed = None, []
        with contextlib.suppress(Exception):  # a learner may have put anything anywhere
            self.mark = Mark(self.shell)
            changed = self.originals.changed()
        return changed

    def do_back(self):
        """Undo what was run since the last look."""
        with contextlib.suppress(Exception):
            if self.mark is not None:
                self.mark.go_back()
        return True

    def do_has(self, name):
        """Is the name bound, and to which object? (Only to see whether it has changed.)"""
        names = self.shell.user_ns
        return id(names[name]) if name in names else None

    def do_checked(self, name, passed):
        """The judge has looked at what bears this name. (It is told so that later cells find what
        they would at home; nothing is decided by it.)"""
        if name in self.shell.user_ns:
            pieces.checked(name, self.shell.user_ns[name], passed)
        return True

    def do_build_on(self, names):
        """Bind names anew, as `from course.mine import piece as name` does.

        Args:
            names: pairs (piece, name).
        """
        for piece, name in names:
            self.shell.user_ns[name] = pieces.to_build_on(piece)
        return True

    def do_value(self, name):
        """A plain value of the learner's; None if it is something else."""
        value = self.shell.user_ns.get(name)
        with contextlib.suppress(Exception):
            wire.pack(value)
            return value
        return None

    def do_weights(self, path):
        """The tensors in a file; None if there is no file, False if it holds something else, True
        if it holds more than is ever sent."""
        if not os.path.isfile(path):
            return None
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
            frame = wire.pack(weights)
        except Exception:  # torch has many ways of saying that a file is none of its own
            return False
        try:
            return wire.opened(frame, wire.LARGEST_ANSWER)  # as the judge will open it
        except wire.TooLongError:
            return True
        except wire.GarbledError:  # tensors of kinds that are not sent
            return False

    def do_ask(self, name, watch, seed, seconds):
        """The Answers of what bears this name to trials, which follow; and what it printed.

        Args:
            watch: for each trial, what to note; see trial.run.
            seconds: for all of them; to wait until the judge has taken an answer costs none.
        """
        trials = [self.line.receive() for _ in watch]
        with pieces.standing_by(self.shell.user_ns, name):
            yield from self.answers(name, trials, watch, seed, seconds)

    def do_try(self, name, sources, trials, seed):
        """The Answers of several changed versions of what bears this name, each to so many trials,
        which follow; None for what does not run."""
        trials = [self.line.receive() for _ in range(trials)]
        with pieces.standing_by(self.shell.user_ns, name):
            for source in sources:
                for trial in trials:
                    yield self.answer_of_changed(name, source, trial, seed)

    def answer_of_changed(self, name, source, trial, seed):
        names = EVERYDAY | self.shell.user_ns
        try:
            with undisturbed(seed), time_limit(EACH):
                exec(compiled(source), names)
                answer = run(names[name], trial)
        except (Exception, SystemExit, KeyboardInterrupt, OutOfTime):
            return None
        if answer.problem is not None:
            answer.problem = shortened(answer.problem)
        return "answer", sendable(answer), ""

    def answers(self, name, trials, watch, seed, seconds):
        subject = self.shell.user_ns[name]
        for trial, watched in zip(trials, watch):
            started = time.monotonic()
            with undisturbed(seed) as printed:
                try:
                    with time_limit(max(seconds, 0.001)):
                        answer = run(subject, trial, watch=watched)
                except (OutOfTime, KeyboardInterrupt) as late:
                    yield "late", shortened(describe(late)), ""
                    return
            seconds -= time.monotonic() - started
            if answer.problem is not None:
                answer.problem = shortened(answer.problem)
            yield "answer", sendable(answer), printed.beginning()
            if is_stub(answer):  # the judge asks no more, either
                return


@functools.lru_cache(maxsize=1)  # it is asked to several trials in a row
def compiled(source):
    return compile(source, "<a change of your code>", "exec", dont_inherit=True)


def shortened(problem):
    """A Problem with the frames that lie in cells, and with a message of bearable length."""
    frames = [(cell_of(name), number, function) for name, number, function in problem.frames]
    frames = tuple(frame for frame in frames if frame[0])[-20:]
    return type(problem)(problem.kind[:100], problem.message[:MOST_MESSAGE], frames)


def cell_of(filename):
    """The source of the cell that Python calls by this name; "" if it is no cell."""
    if not filename.startswith("<ipython-input"):
        return ""
    return "".join(linecache.getlines(filename))[:20_000]


def sendable(answer):
    """The Answer without arrays of kinds and sizes that cannot be sent."""
    for name, array in list(answer.arrays.items()):
        try:
            wire.bytes_of(array[..., :0] if array.dim() else array)
            wire.DTYPES[str(array.dtype).removeprefix("torch.")]
            assert array.numel() * array.element_size() <= wire.LARGEST_ARRAY
        except Exception:
            del answer.arrays[name]
            answer.facts[f"{name} is made of ordinary numbers"] = False
    return answer


def live(line, shell, work, originals):
    """Be a child until the judge hangs up."""
    torch.set_num_threads(1)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - for as long as the process lives
    with contextlib.suppress(wire.ClosedError):
        Inside(shell, line, work, originals).serve()
