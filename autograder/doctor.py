"""autograder doctor: what this machine has, what is missing, and what to do about each."""

import importlib.metadata
import platform
import sys
from dataclasses import dataclass

NEEDED = ("torch", "numpy", "jupyterlab", "nbgrader", "matplotlib", "seaborn")


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
    if sys.version_info >= (3, 14):
        return Finding("Python", found, "the course is tested with 3.10 to 3.13", needed=False)
    return Finding("Python", found)


def package(name):
    try:
        return Finding(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "not installed", "make setup  (or: pip install -e .)")


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


def main():
    findings = [python(), *(package(name) for name in NEEDED), gpu()]
    print("\n".join(map(str, findings)))
    missing = [finding for finding in findings if finding.remedy and finding.needed]
    print(
        f"\n{len(missing)} missing; see above."
        if missing
        else "\nEverything that is needed is here."
    )
    return 1 if missing else 0
