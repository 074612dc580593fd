"""What a notebook's cells may import where it is graded: what the course gives, and no answer."""

import contextlib
import tempfile
from pathlib import Path

from ..engine.course import current, load


def write_given(folder: str | Path) -> str:
    """Make what a notebook is given, if it is not there yet; gives its name, or ""."""
    course = current()
    if not course.importable:
        return ""
    if not (Path(folder) / course.id).exists():
        with tempfile.TemporaryDirectory(dir=folder) as aside:
            place = Path(aside) / course.id
            place.mkdir()
            load(course.importable)(place)
            with contextlib.suppress(OSError):  # another process was quicker
                place.rename(Path(folder) / course.id)
    return course.id
