"""The student's edition: the course without its answers, as `autograder release DIR` writes it.

In it `solutions` holds stand-bys in the place of the model answers, and checks compare with those.
Stand-bys, known mistakes, quizzes and hints are sealed; notebooks and stubs lie as they were built;
and what only an author or an instructor needs is left out.

It is given as two wheels, and as an archive in which everything lies side by side, so that nothing
of ours has to be installed.
"""

import base64
import hashlib
import json
import shutil
import tempfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import autograder
import solutions
import translation
from autograder.engine.course import SEALED
from autograder.engine.sealed.mistakes import written
from autograder.engine.sealed.sealing import seal

from . import COURSE
from .build import built
from .checks import LESSONS, exercises_of
from .importable import with_stand_bys
from .lesson import lessons
from .notebook import SEED
from .places import HERE, HOME
from .published import ARCHIVE
from .sealed_code import FILE as CODE
from .sealed_code import loader_of, seal_code
from .sealed_hints import FILE as HINTS
from .sealed_hints import seal_hints, without_hints
from .sealed_quiz import FILE as QUIZZES
from .sealed_quiz import seal_quiz

ENGINE = "autograder-engine"
LEFT_OUT = ("bank", "mistakes", "beside", "__pycache__")  # folders of the course
SHOWN = ("fast", "models")  # modules of solutions/ beside those of learners
NO_HINTS = ("", "", "")  # of lessons that come later
AUTHORS = ("build", "edition", "importable", "last_built", "release")  # modules of it
WHEN = (2020, 1, 1, 0, 0, 0)  # all files of an archive: the same content is the same archive
WHEEL = (
    "Wheel-Version: 1.0\nGenerator: autograder release\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
)
README = """# {title}: the student's edition

Notebooks, exercises and their checks; no model answers.

You need Python 3.11 or newer, and other people's packages:

    pip install -r requirements.txt

Of the course nothing has to be installed. Start JupyterLab in this folder, open a notebook, and run
its cells from the first one on.

    jupyter lab notebooks

In a terminal, `python -m autograder check` checks the files in exercises/, and
`python -m autograder` says what else there is.
"""


def make(folder, names):
    """Write the edition into a folder.

    Args:
        names: of the lessons whose notebooks and exercises are given, as 01_attention.
    Returns:
        The paths of what was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        tree = Path(work) / Path(ARCHIVE).stem
        fill(tree, names)
        found = [wheel(tree, "autograder", folder), wheel(tree, "course", folder)]
        return [*found, archive(tree, folder / ARCHIVE)]


def fill(tree, names):
    """Write all that the edition consists of, side by side."""
    modules = [name.partition("_")[2] for name in names]
    copy(Path(autograder.__file__).parent, tree / "autograder")
    copy(HERE.parent, tree / "course", [*LEFT_OUT, *(f"{name}.py" for name in AUTHORS)])
    copy(Path(translation.__file__).parent, tree / "course" / "beside" / "translation")
    write_solutions(tree / "course" / "beside" / "solutions")
    hide_code(tree)
    write_given(tree / "course" / "sealed" / "given", names, modules)
    write_seals(tree / "course" / "sealed", names, modules)
    for path in tree.glob("course/checks/**/*.py"):
        sealed = json.loads((tree / "course" / "sealed" / HINTS).read_text("utf-8"))
        path.write_text(without_hints(path.read_text("utf-8"), sealed), encoding="utf-8")
    for name, of in (("autograder", ENGINE), ("course", COURSE.distribution)):
        write_metadata(tree, name, distribution(of))
    for path in (tree / "course" / "sealed" / "given").iterdir():
        shutil.copytree(path, tree / path.name)
    (tree / "README.md").write_text(README.format(title=COURSE.title), encoding="utf-8")
    (tree / "requirements.txt").write_text("\n".join([*needed(), ""]), encoding="utf-8")


def needed():
    """The packages of others that the edition needs, as pip reads them."""
    lines = {line for name in (ENGINE, COURSE.distribution) for line in distribution(name).requires}
    return sorted(line for line in lines if "extra ==" not in line and line != ENGINE)


def copy(source, place, left_out=("__pycache__",)):
    """A package, without what somebody's Python and pip have put there."""
    ignored = shutil.ignore_patterns("*.egg-info", "pyproject.toml", "README.md", *left_out)
    shutil.copytree(source, place, ignore=ignored)


def write_solutions(place):
    """`solutions`, with stand-bys for what learners write."""
    place.mkdir(parents=True)
    for path in Path(solutions.__file__).parent.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        text = with_stand_bys(text, path.stem) if path.stem in LESSONS else text
        (place / path.name).write_text(text, encoding="utf-8")


def hide_code(tree):
    """Seal the code that shows how exercises are solved."""
    shown = [*tree.glob("course/stand_bys/**/*.py")]
    shown += [tree / "course" / "beside" / "solutions" / f"{name}.py" for name in SHOWN]
    held = {}
    for path in shown:
        source, name = path.read_text(encoding="utf-8"), path.relative_to(tree).as_posix()
        if path.stem not in ("__init__", "table"):
            held[name] = seal_code(name, source)
            path.write_text(loader_of(name, source), encoding="utf-8")
    write_json(tree / "course" / "sealed" / CODE, held)


def write_json(path, held):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(held), encoding="utf-8")


def write_given(place, names, modules):
    """The notebooks and the files with stubs."""
    for path, text in built().items():
        if path.stem in (*names, *modules):
            target = place / path.relative_to(HOME)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")


def write_seals(place, names, modules):
    """Known mistakes, quizzes and hints, sealed."""
    quizzes, hints = {}, {}
    for lesson in lessons():
        for part in lesson.of_kind("quiz") if lesson.stem in names else ():
            quizzes[lesson.stem] = seal_quiz(part.quiz, SEED, lesson.stem)
    for module in LESSONS:
        for exercise in exercises_of(module):
            given = exercise.hints if module in modules else NO_HINTS
            hints[exercise.id] = seal_hints(exercise.id, given)
            if module in modules:
                path = place / "mistakes" / module / f"{exercise.name}{SEALED}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(written(seal(exercise, COURSE.stand_bys)))
    write_json(place / QUIZZES, quizzes)
    write_json(place / HINTS, hints)


# --- Wheels and archives --------------------------------------------------------------------------


def write_metadata(tree, package, about):
    """What an installer knows of a distribution, as a folder beside its package."""
    place = tree / f"{about.name.replace('-', '_')}-{about.version}.dist-info"
    place.mkdir()
    metadata = about.read_text("METADATA") or about.read_text("PKG-INFO")  # in a checkout
    about_it, _, _ = metadata.partition("\n\n")  # without a README that speaks of the repository
    (place / "METADATA").write_text(f"{about_it}\n", encoding="utf-8")
    (place / "entry_points.txt").write_text(about.read_text("entry_points.txt"), encoding="utf-8")
    (place / "WHEEL").write_text(WHEEL, encoding="utf-8")
    (place / "top_level.txt").write_text(f"{package}\n", encoding="utf-8")


def wheel(tree, package, folder):
    """A wheel of one of the packages in a tree; gives its path."""
    [about] = [
        p.parent for p in tree.glob("*.dist-info/top_level.txt") if p.read_text().strip() == package
    ]
    paths = [*files_in(tree / package), *files_in(about)]
    record = about / "RECORD"
    lines = [
        f"{path.relative_to(tree).as_posix()},{digest(path)},{path.stat().st_size}"
        for path in paths
    ]
    record.write_text("\n".join([*lines, f"{record.relative_to(tree).as_posix()},,", ""]), "utf-8")
    place = folder / f"{about.stem}-py3-none-any.whl"
    pack([*paths, record], tree, place)
    return place


def archive(tree, place):
    """All of a tree, in a folder of its name; gives the archive's path."""
    return pack(files_in(tree), tree.parent, place)


def pack(paths, root, place):
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in paths:
            info = zipfile.ZipInfo(path.relative_to(root).as_posix(), WHEN)
            info.external_attr, info.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            packed.writestr(info, path.read_bytes())
    return place


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def digest(path):
    """As a wheel's record has it."""
    found = hashlib.sha256(path.read_bytes()).digest()
    return f"sha256={base64.urlsafe_b64encode(found).rstrip(b'=').decode()}"
