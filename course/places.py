"""Where the course's other folders lie: beside this one in a checkout, below it where it was
installed, so that it claims no name but its own in other people's environments."""

import sys
from importlib.machinery import PathFinder
from pathlib import Path

HERE = Path(__file__).resolve()
BELOW = HERE.with_name("beside")
HOME = BELOW if BELOW.is_dir() else HERE.parent.parent
TEXTS = HOME / "notebooks" / "lessons"  # of the lessons
SEALED = HERE.with_name("sealed")  # in a student's edition only
LENT = ("solutions", "translation")  # packages that lessons import by these names


def make_importable():
    """`solutions` and `translation`, as lessons import them."""
    if str(HOME) not in sys.path:
        sys.path.append(str(HOME))
    for name in LENT:
        other = place_of(name)
        if other != HOME / name:
            raise ImportError(
                f"{other} is called as a package of the course is, {name}, and comes before it. "
                f"Rename it, or start Python elsewhere"
            )


def place_of(name):
    """The folder or file that `import name` takes, or has taken."""
    spec = getattr(sys.modules.get(name), "__spec__", None) or PathFinder.find_spec(name)
    place = Path(spec.origin or next(iter(spec.submodule_search_locations))).resolve()
    return place.parent if place.name == "__init__.py" else place
