"""The example in use, for as long as a test wants it; the other tests' course comes back."""

import sys
from pathlib import Path

import pytest

from autograder.engine import course

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "numpy_warmup"


@pytest.fixture
def warmup(monkeypatch):
    """The Course."""
    monkeypatch.setattr(course, "CHOSEN", [])
    monkeypatch.setattr(sys, "path", [*sys.path])
    return course.use(str(FOLDER))
