"""A class's nbgrader_config.py outlives the version that wrote it."""

import pytest
from traitlets.utils.importstring import import_item

from autograder.grading.nbgrader import archives, exports, plugins

NAMED = {  # what version 0.1 wrote, or told people to write
    "plugins": (
        "TolerantExporter",
        "Normalise",
        "SandboxedExecute",
        "SaveGrades",
        "GetGradesWithoutHiddenTests",
    ),
    "archives": ("CarefulExtractor",),
    "exports": ("GradesExport", "CanvasExport", "MoodleExport"),
}


@pytest.mark.parametrize("module", [plugins, archives, exports])
def test_what_version_0_1_named_is_found_where_it_was(module):
    short = module.__name__.rpartition(".")[2]
    for name in NAMED[short]:
        assert import_item(f"autograder.grading.{short}.{name}") is getattr(module, name)
