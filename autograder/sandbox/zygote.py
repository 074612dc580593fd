"""A warm process that forks a child for every submission.

It has imported torch, and has run nothing. It never sees the checks, the reference, the gradebook
or the environment of whoever started it. The judge sends a request with two sockets: one for the
child, one for its warden. The warden stays outside, with nothing of the learner's in it: it ends
the child when the judge says so or is gone, and tells how the child ended and what it used.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import types
from dataclasses import dataclass

MOST_WAITING = 3600.0
LOOKING_AFTER = 0.2  # seconds between two looks at a working folder that has no limit of its own


def main(descriptor, options):
    """Serve the judge at the other end of a socket until it hangs up."""
    from ..engine.course import Course
    from ..engine.limits import NOT_COMPILED, address_space
    from . import seccomp, walls

    walls.System()("prctl", walls.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) if linux() else None
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    judge = socket.socket(fileno=descriptor)
    own_root, trouble = False, ""
    if options["namespaces"]:
        try:
            walls.leave_namespaces()
            own_root = True
        except OSError as error:
            trouble = f"no namespaces ({error.strerror}: {error})"
    os.environ["MPLCONFIGDIR"] = os.environ["IPYTHONDIR"] = options["scratch"]
    os.environ[NOT_COMPILED] = "1"  # torch.compile would want to start a compiler
    has_seccomp = seccomp.is_possible()
    if has_seccomp:
        seccomp.program(seccomp.machine())  # children then have it
    warm_up(Course(**options["course"]), options["folders"])
    shell = make_shell()
    readable = walls.readable_paths(options["hidden"])
    taken = address_space()  # as long as there is a /proc to ask
    if own_root:
        try:
            walls.leave_files(options["root"], [*readable, options["given"]])
        except OSError as error:
            own_root, trouble = False, f"no file system of its own ({error})"
    forget_ourselves()
    originals = make_originals(shell)
    gc.collect()
    gc.freeze()  # what is frozen is not touched by children, and so stays shared
    layers = walls.layers_for(own_root, has_seccomp)
    greeting = {"own_root": own_root, "trouble": trouble, "layers": layers}
    judge.sendall(json.dumps(greeting).encode() + b"\n")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # wardens are nobody's business
    surroundings = Surroundings(readable, options["given"], taken, own_root, has_seccomp, originals)
    serve(judge, shell, surroundings)


@dataclass(frozen=True)
class Surroundings:
    """What all children of a zygote have in common.

    Args:
        readable: paths that they may read.
        given: the folder with what lessons may import.
        taken: bytes of addresses that they begin with.
        own_root: has the zygote left the file system?
        has_seccomp: can system calls be forbidden?
        originals: of what asserts rest on.
    """

    readable: list
    given: str
    taken: int | None
    own_root: bool
    has_seccomp: bool
    originals: object


def serve(judge, shell, surroundings):
    """Fork a warden for every request, until the judge hangs up."""
    while True:
        text, descriptors, *_ = socket.recv_fds(judge, 2**16, 2)
        if not text:
            os._exit(0)
        request = json.loads(text)
        if os.fork() == 0:
            judge.close()
            with contextlib.suppress(BaseException):
                watch_over(shell, request, descriptors, surroundings)
            os._exit(0)
        for each in descriptors:
            os.close(each)


def linux():
    return sys.platform.startswith("linux")


def warm_up(course, folders):
    """Import what children need, and run nothing: threads do not survive a fork."""
    import matplotlib.pyplot  # noqa: F401
    import matplotlib_inline.backend_inline  # noqa: F401
    import numpy.random  # noqa: F401
    import torch
    import torch.fx.experimental.symbolic_shapes  # some first calls in torch import all of sympy
    import torch.utils._device

    from ..engine.course import use
    from . import inside, originals, tracebacks  # noqa: F401

    torch.set_num_threads(1)
    import_given_parts(use(course), folders)


def import_given_parts(course, folders):
    """Import stand-bys and stand-ins, and nothing else of the course: children find the rest in
    what they are given. The packages around them are bare meanwhile, so that none of these runs."""
    from ..engine import pieces

    for package, folder in folders.items():
        bare = types.ModuleType(package)
        bare.__path__ = [folder]
        sys.modules[package] = bare
    pieces.known_code()
    if course.stand_ins:
        importlib.import_module(course.stand_ins)
    given = tuple(filter(None, (course.stand_bys, course.stand_ins)))
    for name in [name for name in sys.modules if name.partition(".")[0] in folders]:
        if not name.startswith(given):
            del sys.modules[name]


def make_shell():
    from .shell import Shell, run_cell

    spill = os.open(os.devnull, os.O_RDONLY)
    shell = Shell.instance()
    shell.enable_matplotlib("inline")
    # What IPython imports for the first cell, and for the first error, every child has then.
    run_cell(shell, "1", 10, spill)
    run_cell(shell, "1 / 0", 10, spill)
    shell.reset()
    shell.execution_count = 1
    os.close(spill)
    import autograder

    here = {"check": check_later, "wrong": wrong_elsewhere, "use": use_what_is_graded}
    autograder.__dict__.update(here)
    return shell


def make_originals(shell):
    from .originals import Originals

    return Originals(shell)


def check_later(subject=None, *arguments, **options):
    """What learners' own calls of check do while a notebook is graded."""
    print("(Checked by the judge, when the notebook is graded.)")


def use_what_is_graded(course):
    """What autograder.use does while a notebook is graded: which course it is, is settled."""
    from ..engine.course import current

    return current()


def wrong_elsewhere(exercise, *mistakes):
    """What learners' own break-it labs do while a notebook is graded."""
    raise RuntimeError("known mistakes are not at hand where notebooks are graded")


def forget_ourselves():
    """Leave no way to import the rest of the course."""
    sys.path[:] = [path for path in sys.path if path]
    sys.meta_path[:] = [finder for finder in sys.meta_path if not is_editable(finder)]
    sys.path_hooks[:] = [hook for hook in sys.path_hooks if not is_editable(hook)]
    sys.path_importer_cache.clear()


def is_editable(finder):
    """Does it find what is installed as a checkout?"""
    return "__editable__" in getattr(finder, "__module__", "")


# --- The warden -----------------------------------------------------------------------------------


def watch_over(shell, request, descriptors, surroundings):
    """Fork the child, end it when the judge says so, and tell how it ended."""
    from . import walls

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for_child, for_warden = descriptors
    if surroundings.own_root:
        walls.System()("unshare", walls.NEW_PROCESSES)
    alive, held = os.pipe()  # the writing end is open for as long as the warden lives
    child = os.fork()
    if child == 0:
        try:
            os.close(for_warden)
            os.close(held)
            walls.end_with(alive)
            become_child(shell, request, for_child, surroundings)
        finally:
            os._exit(3)
    os.close(for_child)
    os.close(alive)
    control = socket.socket(fileno=for_warden)
    control.sendall(json.dumps({"child": child}).encode() + b"\n")
    told = wait_for(child, control, request, surroundings)
    with contextlib.suppress(OSError):
        control.sendall(json.dumps(told).encode() + b"\n")


def wait_for(child, control, request, surroundings):
    """How the child ended: by itself, or killed since its time or disk is used up or the judge has
    hung up."""
    from . import walls

    started, killed, full = time.monotonic(), False, False
    pause = MOST_WAITING if surroundings.own_root else LOOKING_AFTER
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG if not killed else 0)
        if ended:
            break
        left = request["total"] + 10 - (time.monotonic() - started)
        # The child's end of its socket closes when it ends: the judge then hangs up here, too.
        hung_up = select.select([control], [], [], max(0, min(left, pause)))[0]
        if not surroundings.own_root:
            full = walls.is_too_much(request["work"], request["limits"]["disk"])
        if left <= 0 or hung_up or full:
            killed = True
            time.sleep(0.001)  # a child that has just ended by itself is not killed, but waited for
            ended, status, usage = os.wait4(child, os.WNOHANG)
            if ended:
                break
            os.kill(child, signal.SIGKILL)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "killed": killed and os.WIFSIGNALED(status),
        "full": full,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss * (1024 if linux() else 1),
    }


def become_child(shell, request, descriptor, surroundings):
    """Shut this process in, tell the judge which walls hold, and serve it."""
    from . import inside, walls, wire

    keep = {descriptor}
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    for number in range(3, 256):
        if number not in keep:
            with contextlib.suppress(OSError):
                os.close(number)
    line = wire.Connection(socket.socket(fileno=descriptor))
    given = f"{surroundings.given}/{request['given']}" if request["given"] else None
    readable = [*surroundings.readable, *([given] if given else [])]
    work = walls.WORK if surroundings.own_root else request["work"]
    limits = walls.Limits(**request["limits"])
    try:
        layers = walls.shut_in(
            work,
            readable,
            limits,
            surroundings.taken,
            surroundings.own_root,
            surroundings.has_seccomp,
        )
    except OSError as error:
        line.send({"trouble": f"{error.strerror}: {error}"})
        return
    if given:
        sys.path.insert(0, given)
    sys.path.insert(0, work)
    line.send({"layers": layers})
    inside.live(line, shell, work, surroundings.originals)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
