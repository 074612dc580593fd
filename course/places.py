"""Where the course's other folders lie: beside this one in a checkout, below it where it was
installed, so that it claims no name but its own in other people's environments."""

import sys
from pathlib import Path

BELOW = Path(__file__).with_name("beside")
HOME = BELOW if BELOW.is_dir() else Path(__file__).resolve().parent.parent
TEXTS = HOME / "notebooks" / "lessons"  # of the lessons


def make_importable():
    """`solutions` and `translation`, as lessons import them."""
    if str(HOME) not in sys.path:
        sys.path.append(str(HOME))
