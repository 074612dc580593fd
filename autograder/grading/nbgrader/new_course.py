"""A ready nbgrader course: `autograder course DIR`."""

import json
import sys
from pathlib import Path

from ...engine.course import current, load, name_of

CONFIG = '''"""nbgrader's configuration of this course; made by `autograder course`."""

import autograder

autograder.use({course!r})  # whose exercises these are

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "{id}"
c.ClearSolutions.enforce_metadata = True
# nbgrader's own limit of 30 seconds a cell is short where a cell trains even a small model.
c.ExecutePreprocessor.timeout = 300

# Learners' cells run in a sandbox, and a judge outside looks at what they made.
plugins = "autograder.grading.nbgrader.plugins"
c.Autograde.exporter_class = f"{{plugins}}.TolerantExporter"
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    f"{{plugins}}.Normalise",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    f"{{plugins}}.SandboxedExecute",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    f"{{plugins}}.SaveGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.preprocessors = [
    f"{{plugins}}.GetGradesWithoutHiddenTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
# `nbgrader zip_collect`: archives of any size, with links and paths to anywhere, do no harm.
c.ZipCollectApp.extractor_plugin = "autograder.grading.nbgrader.archives.CarefulExtractor"
# What may be handed in.
c.FileNameCollectorPlugin.valid_ext = {endings}
# `nbgrader export`: names with commas survive, and nothing is taken for a formula. For learning
# platforms there are (--exporter NAME) autograder.grading.nbgrader.exports.CanvasExport and
# MoodleExport.
c.ExportApp.plugin_class = "autograder.grading.nbgrader.exports.GradesExport"
c.OverwriteCells.add_missing_cells = True
# How well learners' code must be shut in, or nothing is graded. "best" means as well as this
# machine can, and never worse than level 1; `autograder doctor` says which level that is. A number
# demands the same everywhere: 1 files and system calls, 2 namespaces as well, 3 and a cgroup;
# 0 if you trust everybody who hands in.
c.SandboxedExecute.minimum_level = "best"
c.SandboxedExecute.cell_seconds = 30
'''


def make_course(folder):
    """Write source/ and the configuration into a folder; gives the names of the assignments."""
    course = current()
    notebooks = load(course.assignments)()
    for name, text in notebooks.items():
        place = folder / "source" / name
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.ipynb").write_text(text, encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(config_of(course), encoding="utf-8")
    return list(notebooks)


def config_of(course):
    """The text of nbgrader_config.py."""
    endings = [".ipynb", *course.handed_in]
    return CONFIG.format(course=name_of(course), id=course.id, endings=json.dumps(endings))


def main(options):
    """`autograder course DIR`"""
    folder = Path(options.folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        print(f"{folder} is there already, and not empty: choose another name.", file=sys.stderr)
        return 2
    if not current().assignments:
        print(f"{current().title} has no notebooks to be handed out.", file=sys.stderr)
        return 2
    try:
        names = make_course(folder)
    except ValueError as error:  # something is wrong with a lesson, and it says what
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{folder} cannot be written: {error.strerror}.", file=sys.stderr)
        return 2
    print(f"{folder} is a course with {len(names)} assignments: {', '.join(names)}.")
    print(f"Next: cd {folder} && nbgrader generate_assignment {names[0] if names else ''}".rstrip())
    return 0
