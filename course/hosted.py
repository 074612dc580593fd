"""On Colab and Kaggle, whose machines are thrown away: the folder in which one's work survives.

Nothing here is needed at home. A notebook's first cell calls `settle` (course/published.py).
"""

import os
from pathlib import Path

from course.checks import LESSONS

from .stubs import file_of

FOLDER = "The Transformer by hand"
CONTENT = Path("/content")  # of Colab's machine
KAGGLE = Path("/kaggle/working")
LOST = (
    "Your Drive is not connected, so what you solve is lost when Colab closes. To connect it, "
    "run this cell again, and then run your checks again, so that they are kept there."
)
KEPT_ON_DRIVE = (
    "What you solve is kept in your Drive, in “{folder}”. The notebook itself: File, Save a copy "
    "in Drive."
)
KEPT_ON_KAGGLE = (
    "What you solve is put into {folder}. Kaggle keeps that, and the notebook, when you say Save "
    "Version; or switch on Persistence, Files, in the notebook's options."
)


def settle():
    """Go to that folder, with stubs for what is not solved there, and say what is kept."""
    # Kaggle's machines have grown out of Colab's: they may have its names as well.
    place, said = on_kaggle() if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else on_colab()
    fill(place)
    os.chdir(place)
    print(said)


def on_colab():
    """(the folder, what to tell)"""
    from google.colab import drive

    try:
        drive.mount(str(CONTENT / "drive"))
    except Exception:  # whatever Colab raises when somebody says no
        return CONTENT / FOLDER, LOST
    return CONTENT / "drive" / "MyDrive" / FOLDER, KEPT_ON_DRIVE.format(folder=FOLDER)


def on_kaggle():
    return KAGGLE, KEPT_ON_KAGGLE.format(folder=KAGGLE)


def fill(place):
    """The files of exercises/ that are not there yet; what was solved before the Drive was
    connected comes along."""
    folder = place / "exercises"
    folder.mkdir(parents=True, exist_ok=True)
    for module in LESSONS:
        path = folder / f"{module}.py"
        before = CONTENT / FOLDER / "exercises" / path.name  # without the Drive
        if not path.exists():
            text = before.read_text("utf-8") if before.exists() else file_of(module)
            path.write_text(text, encoding="utf-8")
