"""What learners are given: notebooks, and files with stubs. In a student's edition they lie as they
were built; elsewhere they are built from the lessons and the model answers."""

import re

from .places import HOME, SEALED

FOLDER = SEALED / "given"
NOTEBOOK = re.compile(r"(\d\d)_(\w+)\.ipynb")


def files():
    """{path in the learner's folder: text}"""
    if FOLDER.is_dir():
        paths = sorted([*FOLDER.glob("*/*.ipynb"), *FOLDER.glob("*/*.py")])
        return {path.relative_to(FOLDER): path.read_text(encoding="utf-8") for path in paths}
    from .build import built

    return {path.relative_to(HOME): text for path, text in built().items()}


def lessons():
    """{number of a lesson: its module}"""
    names = [path.name for path in sorted((FOLDER / "notebooks").glob("*.ipynb"))]
    if not names:
        from .lesson import lessons as written

        names = [f"{lesson.stem}.ipynb" for lesson in written()]
    found = [NOTEBOOK.fullmatch(name) for name in names]
    return {int(name[1]): name[2] for name in found if name}
