"""The wrong versions that there are, by what is wrong with them."""

from collections.abc import Callable
from typing import Any, TypeVar

Version = TypeVar("Version", bound=Callable[..., Any])

WRONG: dict[tuple[str, ...], Callable[..., Any]] = {}  # {(exercise's id, mistake's id, …): version}


def goes_wrong(exercise_id: str, *mistake_ids: str) -> Callable[[Version], Version]:
    """Note a version of an exercise in which these mistakes are made. It bears the exercise's name:
    labs and checks find parts of a model by the names of their classes."""

    def note(version: Version) -> Version:
        version.__name__ = version.__qualname__ = exercise_id.rpartition(".")[2]
        WRONG[(exercise_id, *mistake_ids)] = version
        return version

    return note
