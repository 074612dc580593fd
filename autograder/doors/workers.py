"""Check a file in a process of its own, which may hang, crash or fill up without doing harm.

The supervisor (this process) has imported torch and the checks, but run nothing. For every file it
forks a worker, which is warm at once; where forking is not safe it starts a fresh Python. The
worker loads the file, checks one exercise after the other, and writes one JSON object a line into a
pipe. The supervisor reads with a deadline. If the worker falls silent or dies, the exercise it was
at has failed, and another worker goes on with the rest.
"""

import contextlib
import gc
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ..engine.broken_course import WHAT_TO_DO, BrokenCourseError, said_by
from ..engine.course import VARIABLE, current, name_of
from ..engine.limits import SECONDS, OutOfTime, keep_to_itself, time_limit

GRACE = 12.0  # seconds that the worker gets on top, to look for the mistake and its line
MEMORY = 4 * 2**30  # bytes that a worker may take on top of what torch has taken
FILES = 2**28  # bytes that a worker may write into a file
MAY_FORK = sys.platform.startswith("linux")  # elsewhere system libraries may not survive a fork


@dataclass
class Report:
    """What is known of one exercise in one file."""

    file: str
    exercise: str | None
    passed: bool = False
    score: int = 0
    max_score: int = 0
    diagnosis: str | None = None
    message: str = ""
    seconds: float = 0.0
    text: str = ""  # the same for people
    unchecked: bool = False  # is the check itself broken?

    def as_json(self):
        fields = asdict(self)
        del fields["text"], fields["unchecked"]
        return json.dumps(fields, ensure_ascii=False)


@dataclass(frozen=True)
class Task:
    """What a worker is to do."""

    path: str
    exercises: tuple[str, ...]
    seed: int | None = None
    device: str = "cpu"
    seconds: float = SECONDS


def check_file(name, exercises, seed=None, device="cpu", seconds=SECONDS):
    """Yield a Report for each of the exercises that a file was to be checked for."""
    waiting = list(exercises)
    while waiting:
        task = Task(str(Path(name).resolve()), tuple(waiting), seed, device, seconds)
        with start(task) as worker:
            loaded = False
            for message in worker.messages(seconds + GRACE):
                if message.get("loaded"):
                    loaded = True
                elif "trouble" in message:  # the file cannot be loaded
                    yield from (failure(name, each, message["trouble"]) for each in waiting)
                    return
                else:
                    waiting.remove(message["exercise"])
                    yield Report(name, **message)
        if waiting:
            reason = worker.reason(seconds)
            if not loaded:
                yield from (failure(name, each, f"The file {reason}") for each in waiting)
                return
            yield failure(name, waiting.pop(0), f"Your code {reason}")


def failure(name, exercise_id, reason):
    """The Report on an exercise that could not be checked."""
    most = most_for(exercise_id) if exercise_id else 0
    text = f"✗ {exercise_id or name}: could not be checked (0 of {most} points)\n  {reason}"
    return Report(name, exercise_id, max_score=most, message=reason, text=text)


def most_for(exercise_id):
    """The points that an exercise is worth; 0 if the course's own check of it cannot be loaded."""
    try:
        return current().find(exercise_id).max_score
    except BrokenCourseError:
        return 0


# --- The supervisor's side ------------------------------------------------------------------------


class Worker:
    """A process at work, and the end of the pipe that it writes to."""

    def __init__(self, process_id, pipe, wait):
        self.process_id, self.pipe, self.wait = process_id, pipe, wait
        self.silent = False

    def messages(self, patience):
        """What the worker says, until it ends, or says nothing for so many seconds."""
        rest = b""
        deadline = time.monotonic() + patience
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.pipe], [], [], left)[0]:
                self.silent = True
                return
            piece = os.read(self.pipe, 2**16)
            if not piece:
                return
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                deadline = time.monotonic() + patience
                yield json.loads(line)

    def reason(self, seconds):
        """Why the worker did not finish, once it has been stopped."""
        if self.silent:
            return f"was stopped after {seconds:g} seconds. Does a loop in it ever end?"
        if self.status < 0:
            name = signal.Signals(-self.status).name
            hint = " (perhaps it took too much memory)" if name == "SIGKILL" else ""
            return f"was ended by the system with {name}{hint}."
        return f"ended the whole process, with exit code {self.status}."

    def stop(self):
        """End the process and all that it started, and take note of how it ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process_id, signal.SIGKILL) if self.silent else None
        self.status = self.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process_id, signal.SIGKILL)  # what it left behind
        os.close(self.pipe)


@contextlib.contextmanager
def start(task):
    """A Worker for a task; whatever happens, it is gone afterwards."""
    worker = fork(task) if MAY_FORK else spawn(task)
    try:
        yield worker
    finally:
        worker.stop()


def fork(task):
    """A worker that is warm at once: a copy of this process."""
    ours, theirs = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()
    process_id = os.fork()
    if process_id == 0:
        status = 1
        try:
            os.close(ours)
            work(task, theirs)
            status = 0
        finally:
            os._exit(status)  # no clean-up: threads and exit handlers may be the learner's
    gc.unfreeze()
    os.close(theirs)

    def wait():
        return os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1])

    return Worker(process_id, ours, wait)


def spawn(task):
    """A worker in a fresh Python."""
    ours, theirs = os.pipe()
    command = [
        sys.executable,
        "-m",
        "autograder.doors.workers",
        json.dumps(asdict(task)),
        str(theirs),
    ]
    around = os.environ | {VARIABLE: name_of(current())}
    process = subprocess.Popen(command, pass_fds=[theirs], start_new_session=True, env=around)
    os.close(theirs)
    return Worker(process.pid, ours, process.wait)


# --- The worker's side ----------------------------------------------------------------------------


def work(task, pipe):
    """Load the file, check every exercise, and say what came of it."""
    from ..engine.files import load

    confine(task)

    def say(**message):
        os.write(pipe, json.dumps(message).encode() + b"\n")

    try:
        with time_limit(task.seconds):
            names = load(Path(task.path))
    except (Exception, SystemExit, KeyboardInterrupt, OutOfTime) as error:
        say(trouble=what_stopped(error, task))
        return
    say(loaded=True)
    for exercise_id in task.exercises:
        say(**look_at(exercise_id, names, task))


def look_at(exercise_id, names, task):
    """Check one exercise; the fields of its Report."""
    from ..engine.examine import not_checked
    from ..engine.files import is_it, near_names

    name = exercise_id.rpartition(".")[2]
    if name not in names:
        near = is_it(near_names((n for n in names if not n.startswith("_")), [name]))
        said = f"The file does not define {name}.{near}"
        return unlooked(failure(task.path, exercise_id, said))
    try:
        verdict = verdict_on(exercise_id, names, task)
    except BrokenCourseError as error:
        verdict = not_checked(exercise_id, most_for(exercise_id), error, WHAT_TO_DO)
    except Exception as error:  # whosever it is: no process has ended, and none is told so
        reason = f"The check did not get to its end: {said_by(error)}."
        return unlooked(failure(task.path, exercise_id, reason))
    return {
        "exercise": exercise_id,
        "passed": verdict.passed,
        "score": verdict.score,
        "max_score": verdict.max_score,
        "diagnosis": verdict.diagnosis,
        "message": verdict.message,
        "seconds": round(verdict.seconds, 4),
        "text": verdict.text(),
        "unchecked": verdict.unchecked,
    }


def unlooked(report):
    """The fields of the Report of a failure."""
    return {name: value for name, value in asdict(report).items() if name != "file"}


def verdict_on(exercise_id, names, task):
    """The Verdict on what a file defines."""
    from ..engine.examine import examine_learners
    from ..engine.pieces import checked

    exercise = current().find(exercise_id)
    version = names[exercise.name]
    # A name that the file lacks stays missing: the file is to work by itself.
    verdict = examine_learners(
        exercise, version, names, False, task.seed, task.device, task.seconds
    )
    checked(exercise.name, version, verdict.passed)
    return verdict


def confine(task):
    """One thread, no input, no output, and an end to memory and files."""
    import torch

    if os.getpgrp() != os.getpid():
        os.setsid()
    # A GPU's driver reserves more addresses than there is memory.
    keep_to_itself(MEMORY if task.device == "cpu" else None, FILES)
    torch.set_num_threads(1)


def what_stopped(error, task):
    """A sentence on why a file could not be loaded."""
    from ..engine.advice import advice, on_notebook_line

    name = Path(task.path).name
    if isinstance(error, OutOfTime):
        return f"The file was stopped after {task.seconds:g} seconds. Does a loop in it ever end?"
    if isinstance(error, SystemExit):
        return f"The file ends the program (sys.exit or exit) while it is being loaded: {name}."
    if isinstance(error, SyntaxError):
        line = (error.text or "").strip()
        said = on_notebook_line(line)
        if said:
            return f"This is no Python yet, line {error.lineno} of {name}: {said}"
        return f"This is no Python yet: {error.msg}, line {error.lineno} of {name}: `{line}`"
    where = text = ""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == task.path:
            line = Path(task.path).read_text(errors="replace").splitlines()[trace.tb_lineno - 1]
            text = line.strip()
            where = f", line {trace.tb_lineno} of {name}: `{text}`"
        trace = trace.tb_next
    kind = type(error).__name__
    said = advice(kind, str(error), text)
    return f"The file could not be loaded: {kind}: {error}{where}{f'. {said}' if said else ''}"


if __name__ == "__main__":
    _, described, descriptor = sys.argv
    work(Task(**json.loads(described)), int(descriptor))
