"""autograder doctor: what this machine has, what is missing, and what to do about each."""

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ..engine.course import CourseNotFoundError, current

NEEDED = ("torch", "numpy", "nbgrader", "matplotlib")
HOSTS = ("COLAB_RELEASE_TAG", "COLAB_GPU", "KAGGLE_KERNEL_RUN_TYPE")  # what they set


@dataclass
class Finding:
    """One line of the report; one with a remedy is missing, or not as it should be."""

    what: str
    found: str
    remedy: str = ""
    needed: bool = True

    def __str__(self):
        mark = "ok" if not self.remedy else ("MISSING" if self.needed else "note")
        text = f"{mark:8} {self.what:12} {self.found}"
        return text + (f"\n{'':22}{self.remedy}" if self.remedy else "")


def python():
    version = platform.python_version()
    found = f"{version} ({sys.executable})"
    if sys.version_info >= (3, 15):
        return Finding("Python", found, "this is made for 3.11 to 3.14", needed=False)
    return Finding("Python", found)


def package(name):
    try:
        return Finding(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        if is_hosted():
            return Finding(name, "not installed", "nothing here needs it", needed=False)
        return Finding(name, "not installed", f"pip install {name}  (in a checkout: make setup)")


def is_hosted():
    """On Colab and Kaggle, whose own Jupyter runs the notebook: nobody grades a class there. The
    environment tells it to `!autograder doctor`, too, which is another process."""
    return any(name in os.environ for name in HOSTS)


def needed_by_course():
    """The names of the packages that the course in use asks for, as far as it is installed."""
    try:
        asked = importlib.metadata.requires(current().distribution) or ()
    except (CourseNotFoundError, importlib.metadata.PackageNotFoundError, ValueError):
        return []
    named = [re.match(r"[\w.-]+", line) for line in asked if "extra ==" not in line]
    return [found[0] for found in named if found and found[0] != "autograder-engine"]


def gpu():
    """None of the course needs a GPU; where there is one, it is used."""
    try:
        import torch
    except Exception as error:  # a broken installation can raise anything
        return Finding("GPU", f"torch cannot be imported: {error}", "make setup")
    if torch.cuda.is_available():
        names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
        return Finding("GPU", ", ".join(sorted(names)))
    if torch.backends.mps.is_available():
        return Finding("GPU", "Apple (mps)")
    return Finding("GPU", "none; everything runs on the CPU")


def kernel():
    """Notebooks need a kernel that runs this Python."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError:
        return Finding("kernel", "Jupyter is not installed", "make setup")
    try:
        folder = KernelSpecManager().get_kernel_spec("python3").resource_dir
    except NoSuchKernel:
        return Finding(
            "kernel", "no Python 3 kernel", f"{sys.executable} -m ipykernel install --user"
        )
    return Finding("kernel", f"python3 ({folder})")


def commands():
    """nbgrader calls alembic by its name when it makes a gradebook."""
    missing = [name for name in ("jupyter", "nbgrader", "alembic") if not shutil.which(name)]
    if missing:
        folder = Path(sys.executable).parent
        remedy = f"put {folder} on PATH, e.g. by: source {folder}/activate"
        return Finding("commands", f"not on PATH: {', '.join(missing)}", remedy, needed=False)
    return Finding("commands", "jupyter, nbgrader and alembic are on PATH")


LEVELS = {
    0: "no protection: learners' code could read and change your files",
    1: "files, network, other processes and rare system calls are out of reach",
    2: "files, network and other processes are not even there",
    3: "nothing else is there, and the kernel counts its memory",
}


def sandbox():
    """How well learners' code is shut in when a class is graded; found out by doing it."""
    try:
        from ..sandbox.box import Keeper, level_of

        keeper = Keeper(least=0)
        try:
            with keeper.open() as box:
                layers = box.layers
            trouble = keeper.trouble
        finally:
            keeper.close()
    except Exception as error:
        remedy = "`autograder grade` cannot work here; everything else can"
        return Finding("sandbox", f"cannot be started: {error}", remedy, needed=False)
    level = level_of(layers)
    text = (
        f"level {level} of 3, {LEVELS[level]} ({', '.join(layers)}); grading demands level "
        f"{max(1, level)} here, unless minimum_level in nbgrader_config.py says otherwise"
    )
    if level == 0:
        remedy = (
            "grade on Linux 5.13 or newer, where there is Landlock and seccomp; "
            "or --trust those who hand in"
        )
        return Finding("sandbox", text, remedy, needed=False)
    if level == 1:
        remedy = (
            f"{trouble or 'no namespaces'}: some systems and containers forbid them to ordinary "
            f"users (sysctl kernel.apparmor_restrict_unprivileged_userns, user.max_user_namespaces)"
        )
        return Finding("sandbox", text, remedy, needed=False)
    return Finding("sandbox", text)


def processors():
    """How many processors there are, and how many of them this process may use."""
    may_use = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("processors", str(may_use))


def main():
    packages = [package(name) for name in dict.fromkeys([*NEEDED, *needed_by_course()])]
    findings = [python(), *packages, kernel(), commands(), processors(), gpu(), sandbox()]
    print("\n".join(map(str, findings)))
    missing = [finding for finding in findings if finding.remedy and finding.needed]
    print(
        f"\n{len(missing)} missing; see above."
        if missing
        else "\nEverything that is needed is here."
    )
    return 1 if missing else 0
