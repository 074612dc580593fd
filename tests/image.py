"""Do what the Dockerfile does, without Docker: its COPY and RUN lines in an empty folder.

    python -m tests.image FOLDER [options of uv, as --index pytorch-cpu=ADDRESS]

What is left out: users, and packages of the system; instead of the image's own Python a fresh
environment is used. It takes a minute or two, and PyTorch has to be had.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Stage:
    """A part of the image: its name, and its instructions as (word, what follows)."""

    name: str
    steps: list = field(default_factory=list)

    def of(self, word):
        return [what for each, what in self.steps if each == word]


def stages(text):
    """The Stages of a Dockerfile."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, what = line.partition(" ")
        if word == "FROM":
            found.append(Stage(what.rpartition(" AS ")[2]))
        elif word:
            found[-1].steps.append((word, what))
    return found


def ignored(name):
    """Does .dockerignore keep a file out, as Docker reads it? The last line that fits decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        places = [name, *map(str, Path(name).parents)]
        if line.startswith("**/"):
            places = Path(name).parts
        if line and not line.startswith("#") and any(fnmatch(place, pattern) for place in places):
            out = not line.startswith("!")
    return out


def copied(what):
    """[(file in the repository, where it goes)] of a COPY."""
    *sources, target = what.split()
    for source in sources:
        path = ROOT / source
        files = filter(Path.is_file, path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            below = file.relative_to(path) if path.is_dir() else file.name
            if not ignored(file.relative_to(ROOT).as_posix()):
                yield file, Path(target) / below


def copy(what, folder):
    for file, target in copied(what):
        place = folder / target
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def main(folder, *options):
    folder = Path(folder).resolve()
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    environment = os.environ | {"PATH": f"{venv}/bin:{os.environ['PATH']}"}
    for stage in stages((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        place = folder / stage.name
        place.mkdir()
        for word, what in stage.steps:
            if word == "COPY":
                copy(what, place)
            if word == "RUN" and "pip install" in what:
                what = what.replace("--system", " ".join([f"--python {venv}", *options]))
                begun = time.monotonic()
                subprocess.run(["sh", "-c", what], cwd=place, env=environment, check=True)
                print(f"{time.monotonic() - begun:.0f} s: {what[-80:]}")
    subprocess.run([venv / "bin" / "autograder", "doctor"], cwd=folder, env=environment, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
